/* Modules: shared objects beside weir with the code of operations whose libraries a plain run does not need. A module is
 * a plugin; it is opened when one of its operations is first called, and stays. Any thread. */
#ifndef WEIR_EXECUTOR_MODULE_H
#define WEIR_EXECUTOR_MODULE_H

#include <weir/operation.h>

typedef bool weir_run_function(const weir_host *host, weir_call *call);

/* The function of an operation that is in a module. Looked for in $WEIR_MODULES, beside this program and where weir is
 * installed. Errors: PLUGIN. */
WEIR_CHECKED bool weir_module_function(const weir_operation *operation, weir_run_function **out,
                                       weir_error *error);

#endif

/* Modules: shared objects beside weir, weir-NAME.so, with what needs libraries that a plain run does not. Opened when first
 * wanted; what was opened stays. Any thread. */
#ifndef WEIR_IO_MODULE_H
#define WEIR_IO_MODULE_H

#include "base/error.h"

/* The function of that name in the module. Looked for in $WEIR_MODULES, beside this program and where weir is installed.
 * Errors: PLUGIN. */
typedef void weir_module_symbol(void);
WEIR_CHECKED bool weir_module_open(const char *name, const char *symbol, weir_module_symbol **out,
                                   weir_error *error);

#endif

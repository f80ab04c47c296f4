/* The registry: which operations there are, by name. Filled before plans are compiled, then only read; any thread. */
#ifndef WEIR_TASK_REGISTRY_H
#define WEIR_TASK_REGISTRY_H

#include <weir/operation.h>

#include "base/map.h"
#include "base/vector.h"

typedef struct weir_registry {
    WEIR_VECTOR(const weir_operation *) operations;
    weir_map by_name;
    /* Finds an operation that is not among them, on the thread that compiles; NULL and UNKNOWN_OPERATION when there is none. May
     * be NULL. */
    const weir_operation *(*resolve)(void *arg, weir_str name, const weir_value *where,
                                     weir_error *error);
    void *resolve_arg;
} weir_registry;

void weir_registry_deinit(weir_registry *registry);
/* Adds a plugin's operations; refuses a plugin of another ABI, operations without name, and names already taken. */
WEIR_CHECKED bool weir_registry_add(weir_registry *registry, const weir_plugin *plugin,
                                    weir_error *error);
/* NULL when there is none among them. */
const weir_operation *weir_registry_find(const weir_registry *registry, weir_str name);
/* The same, and what `resolve` finds. NULL: the error says that there is none, and what may have been meant. */
const weir_operation *weir_registry_resolve(const weir_registry *registry, weir_str name,
                                            weir_error *error);
/* The same of one that is to run somewhere: {interpreter?, requirements?} of a Python function; NULL: nobody says. */
const weir_operation *weir_registry_resolve_in(const weir_registry *registry, weir_str name,
                                               const weir_value *where, weir_error *error);
/* {interpreter?, requirements?} of what a file says of an operation, new reference; NULL: it says neither. */
weir_value *weir_operation_where(const weir_value *said);
/* The known name that is nearest by edit distance, for "did you mean"; empty when none is near. */
weir_str weir_registry_nearest(const weir_registry *registry, weir_str name);

/* The port of that name in a list that ends with one without, or NULL, as a list may be; and how many it has. */
const weir_port *weir_port_find(const weir_port *ports, weir_str name);
size_t weir_port_count(const weir_port *ports);

/* Whether the operation is a function, here or in a module; else an executor knows what it means. */
static inline bool weir_operation_has_code(const weir_operation *operation) {
    return operation->run || operation->module;
}

/* What the operation declares for files that do not say it; NULL: nothing. */
const weir_value *weir_operation_declared(const weir_operation *operation);

/* The executor that does an operation: "process" for process.run, "run" for weir.run, "artifacts" for artifacts.list, "" for those that their coordinator
 * does itself (dffml.dataflow.run, remap), what the operation says itself, else "inline". */
const char *weir_operation_executor(const weir_operation *operation);
/* The same of one of weir's own, by its name. */
const char *weir_executor_of(weir_str name);

#endif

/* What the standard operations share: types by name, and parameters of a type. */
#ifndef WEIR_OPERATIONS_PARAMETER_H
#define WEIR_OPERATIONS_PARAMETER_H

#include <weir/operation.h>

static const char *const type_names[] = {"null",   "bool",  "int",   "float",
                                         "string", "array", "object"};

/* The value may be NULL. */
static inline const char *type_name(const weir_host *host, const weir_value *value) {
    return value ? type_names[host->value_type(value)] : "nothing";
}

/* NULL when it is not of that type: then the call has failed. */
static inline weir_value *parameter(const weir_host *host, weir_call *call, const char *name,
                                    weir_type expected) {
    weir_value *value = host->parameter(call, name);
    if (value && host->value_type(value) == expected) return value;
    host->fail(call, "invalid", "parameter `%s` must be of type %s, found %s", name,
               type_names[expected], type_name(host, value));
    return NULL;
}

#endif

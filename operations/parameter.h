/* What the standard operations share: types by name, how they are declared, and what a call was given.
 *
 * What is not there or of another type fails the call, and the getter returns NULL or false. `given` is a parameter,
 * else the configuration's value of that name: so what an operation lists under its configuration may also come as a
 * parameter. The values are borrowed from the call. */
#ifndef WEIR_OPERATIONS_PARAMETER_H
#define WEIR_OPERATIONS_PARAMETER_H

#include <weir/operation.h>

#define PORTS(...)                                                                                 \
    (const weir_port[]) {                                                                          \
        __VA_ARGS__, {                                                                             \
            0                                                                                      \
        }                                                                                          \
    }
#define NO_PORTS                                                                                   \
    (const weir_port[]) {                                                                          \
        { 0 }                                                                                      \
    }
/* One of the `operations` of a plugin; members as in weir_operation. */
#define OPERATION(...)                                                                             \
    &(const weir_operation) {                                                                      \
        .size = sizeof(weir_operation), __VA_ARGS__                                                \
    }
/* The end of a plugin's file: the function that opens it. */
#define PLUGIN(function, plugin_name, list)                                                        \
    const weir_plugin *function(const weir_host *host) {                                           \
        static const weir_plugin plugin = {.abi = WEIR_ABI,                                        \
                                           .size = sizeof(weir_plugin),                            \
                                           .name = plugin_name,                                    \
                                           .version = "1",                                         \
                                           .operations = list};                                    \
        return host->abi == WEIR_ABI ? &plugin : NULL;                                             \
    }

static const char *const type_names[] = {"null",  "bool",   "int",   "float",         "string",
                                         "array", "object", "bytes", "foreign object"};

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

static inline bool is_number(const weir_host *host, const weir_value *value) {
    weir_type type = host->value_type(value);
    return type == WEIR_INT || type == WEIR_FLOAT;
}

/* NULL when there is none, which is no failure. */
weir_value *weir__given(const weir_host *host, const weir_call *call, const char *name);
/* Of any type. */
weir_value *weir__needed(const weir_host *host, weir_call *call, const char *name);
weir_value *weir__typed(const weir_host *host, weir_call *call, const char *name, weir_type type);
bool weir__text_needed(const weir_host *host, weir_call *call, const char *name, weir_str *text);
bool weir__number_needed(const weir_host *host, weir_call *call, const char *name,
                         weir_value **number);

/* An int within the bounds. */
bool weir__int_needed(const weir_host *host, weir_call *call, const char *name, int64_t least,
                      int64_t most, int64_t *out);

/* What may be left out: then, and when it is null, `*out` stays as it was. */
bool weir__text_given(const weir_host *host, weir_call *call, const char *name, weir_str *out);
bool weir__bool_given(const weir_host *host, weir_call *call, const char *name, bool *out);
bool weir__list_given(const weir_host *host, weir_call *call, const char *name, weir_value **out);
bool weir__int_given(const weir_host *host, weir_call *call, const char *name, int64_t least,
                     int64_t most, int64_t *out);

#endif

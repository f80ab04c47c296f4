/* The plugin interface: how an operation is written.
 *
 * A plugin is a shared object that exports
 *     const weir_plugin *weir_plugin_open(const weir_host *host);
 * It looks at host->abi and host->size, keeps `host`, and gives a description of its operations that lives as long as
 * the process. Both structs begin with `abi` and `size`; members are appended and never reordered, so a plugin that was
 * built against an older header keeps working (as SQLite's extensions do).
 *
 * An operation is a function of its parameters and configuration. It reads them through the host, gives outputs through
 * the host, and returns whether it succeeded. All that it got from the host ends with the call. */
#ifndef WEIR_OPERATION_H
#define WEIR_OPERATION_H

#include <weir/value.h>

#define WEIR_ABI 1u

/* One invocation, from begin to end. Belongs to the thread that runs it. */
typedef struct weir_call weir_call;

typedef enum weir_level { WEIR_DEBUG, WEIR_INFO, WEIR_WARNING, WEIR_PROBLEM } weir_level;

/* What weir offers a plugin. Any thread, unless it takes a call. */
typedef struct weir_host {
    uint32_t abi;
    uint32_t size;

    /* Values: as the functions of <weir/value.h> with the same names. */
    weir_value *(*value_ref)(weir_value *value);
    void (*value_unref)(weir_value *value);
    weir_value *(*null_new)(void);
    weir_value *(*bool_new)(bool value);
    weir_value *(*int_new)(int64_t value);
    weir_value *(*float_new)(double value);
    weir_value *(*string_new)(const char *data, size_t length);
    weir_value *(*array_new)(void);
    weir_value *(*object_new)(void);
    void (*array_append)(weir_value *array, weir_value *item);
    void (*object_set)(weir_value *object, const char *key, size_t length, weir_value *value);
    weir_type (*value_type)(const weir_value *value);
    bool (*bool_get)(const weir_value *value);
    int64_t (*int_get)(const weir_value *value);
    double (*number_get)(const weir_value *value);
    weir_str (*string_get)(const weir_value *value);
    size_t (*value_count)(const weir_value *value);
    weir_value *(*array_at)(const weir_value *array, size_t index);
    weir_str (*object_key)(const weir_value *object, size_t index);
    weir_value *(*object_at)(const weir_value *object, size_t index);
    weir_value *(*object_get)(const weir_value *object, const char *key, size_t length);
    bool (*value_equal)(const weir_value *a, const weir_value *b);
    bool (*value_truth)(const weir_value *value);

    /* The call's parameter or configuration value; borrowed; NULL when it was not given. */
    weir_value *(*parameter)(const weir_call *call, const char *name);
    weir_value *(*config)(const weir_call *call, const char *name);
    /* For operations with WEIR_COLLECTS: an array of all values of a definition in the call's context, in the order in
     * which they came; borrowed; NULL when there is none. */
    weir_value *(*collected)(const weir_call *call, const char *definition);
    /* Gives an output; takes the value over. Setting a name twice replaces. */
    void (*output)(weir_call *call, const char *name, weir_value *value);
    /* Says why the call fails; `code` is a word for programs ("not_found"), NULL for "operation_failed".
     * Returns false, so that an operation can end with `return host->fail(…)`. */
    bool (*fail)(weir_call *call, const char *code, const char *format, ...) WEIR_PRINTF(3, 4);
    /* A metric of this attempt: kept with it and streamed. `unit` as in "rows", "bytes", "s", or "". */
    void (*report)(weir_call *call, const char *name, double value, const char *unit);
    /* A line for the attempt's log. */
    void (*log)(weir_call *call, weir_level level, const char *format, ...) WEIR_PRINTF(3, 4);
    /* Whether somebody wants the call to end; long work asks now and then and returns false. */
    bool (*cancelled)(const weir_call *call);
    /* When the attempt expires, microseconds since 1970; 0: never. */
    uint64_t (*deadline)(const weir_call *call);
    /* Zeroed memory that is freed when the call ends. */
    void *(*alloc)(weir_call *call, size_t size);
} weir_host;

/* A parameter, an output or a configuration value. An array of them ends with a NULL name. */
typedef struct weir_port {
    const char *name;
    const char *primitive; /* "int", "str", "array", "map", "generic", … for people */
    const char *about;     /* one sentence */
} weir_port;

enum {
    WEIR_PURE = 1,     /* no effect outside; same outputs for same inputs: may run again */
    WEIR_CHEAP = 2,    /* takes microseconds: runs on the thread of its run */
    WEIR_COLLECTS = 4, /* an output operation that reads all values of its context */
    WEIR_BLOCKING = 0  /* neither: runs on the worker pool */
};

typedef struct weir_operation {
    uint32_t size;
    const char *name;
    const char *about; /* one sentence */
    const weir_port *inputs, *outputs, *config;
    uint32_t hints;
    /* True when it succeeded. Must not block when WEIR_CHEAP. NULL: an executor does it (process.run, weir.run). */
    bool (*run)(const weir_host *host, weir_call *call);
    const char *example; /* an excerpt of a dataflow, or NULL */
} weir_operation;

typedef struct weir_plugin {
    uint32_t abi;
    uint32_t size;
    const char *name, *version;
    const weir_operation *const *operations; /* ends with NULL */
} weir_plugin;

typedef const weir_plugin *weir_plugin_open_function(const weir_host *host);

#endif

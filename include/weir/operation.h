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

typedef enum weir_emit { WEIR_EMIT_OK, WEIR_EMIT_FULL, WEIR_EMIT_CANCELLED } weir_emit;

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

    /* The parameter, and the output, by its place among those that the operation declares: as `parameter` and `output`
     * by name, and faster. A place beyond the declared ones is an assertion. */
    weir_value *(*input)(const weir_call *call, size_t place);
    void (*give)(weir_call *call, size_t place, weir_value *value);
    /* All parameters of the call, also those that the operation does not declare: an object; belongs to the call. */
    weir_value *(*parameters)(weir_call *call);
    /* For operations with WEIR_COLLECTS: for each value of `definition`, in the order of `collected`, an array of the
     * places (in the order of `collected`) of those values of `ancestor` that it was made from, by however many
     * operations; ascending. An array of arrays of integers; belongs to the call. */
    weir_value *(*ancestors)(weir_call *call, const char *definition, const char *ancestor);
    /* For operations with WEIR_GENERATOR: what was given since the last `emit` goes on as one set, at once. This
     * waits while too much is under way, as a generator has a thread of its own; with WEIR_ASYNC it answers WEIR_EMIT_FULL then, the set
     * is kept, and emitting again tries again. After WEIR_EMIT_CANCELLED the operation should end. What is given and not
     * emitted when the operation ends is its last set. */
    weir_emit (*emit)(weir_call *call);
    /* For operations with WEIR_ASYNC: ends the call, once, from any thread, perhaps before `run` returned. `succeeded` is
     * what `run` returns otherwise. Nothing of the call may be used after it. */
    void (*complete)(weir_call *call, bool succeeded);
    /* Random bytes. Each invocation has a stream of its own, from the seed that the run drew when it was started; it is
     * the same when the invocation is tried again, and after a crash. What is pure and cheap has the stream of (context by
     * name, instance, how many invocations of the instance ended there before), whatever else runs beside it and on how
     * many threads; it repeats after four billion of them. Anything else has that of its task's number: tasks are
     * numbered as they become ready, so a second run may number them otherwise. */
    void (*random)(weir_call *call, void *bytes, size_t size);
    /* The time for the call, microseconds since 1970: of the event that began it. */
    uint64_t (*now)(const weir_call *call);
    /* The operation that is being called: for code that several share. */
    const struct weir_operation *(*operation)(const weir_call *call);
    /* For operations with WEIR_CONTEXTUAL or WEIR_COLLECTS: the names of the contexts that the call is in, an array from
     * the run's own to that of the innermost subflow; borrowed. NULL: the operation did not say that it asks, or no
     * dataflow calls it. */
    weir_value *(*contexts)(const weir_call *call);

    /* Bytes: as the functions of <weir/value.h> with the same names. */
    weir_value *(*bytes_new)(const void *data, size_t length);
    weir_value *(*bytes_wrap)(const void *data, size_t length, void (*release)(void *arg),
                              void *arg);
    weir_str (*bytes_get)(const weir_value *value);
    /* What stands for bytes or a foreign object where only JSON can: a new reference. */
    weir_value *(*bytes_described)(const weir_value *value);
} weir_host;

/* A parameter, an output or a configuration value. An array of them ends with a NULL name. */
typedef struct weir_port {
    const char *name;
    const char *primitive; /* "int", "str", "array", "map", "generic", … for people */
    const char *about;     /* one sentence */
    /* What `weir dataflow create` writes: the definition's name, NULL for "OPERATION.inputs.NAME" (or outputs); and a
     * parameter's default as JSON, NULL for none. A configuration value's default is said here for people. */
    const char *definition, *otherwise;
} weir_port;

enum {
    WEIR_PURE = 1, /* no effect outside; same outputs for same inputs: may run again */
    /* Takes microseconds: runs on the thread of its run; when it is pure too, perhaps on one of the engine's `threads`,
     * several at once, in several contexts. */
    WEIR_CHEAP = 2,
    WEIR_COLLECTS = 4, /* an output operation that reads the values of its context; cheap too */
    WEIR_ASYNC =
        8, /* `run` only begins the work and returns true (false: it failed); `complete` ends it */
    WEIR_GENERATOR = 16, /* gives many sets of outputs, one by one; not cheap */
    WEIR_ANCESTORS = 32, /* with WEIR_COLLECTS: asks for ancestors, which are not kept otherwise */
    WEIR_ANY_INPUTS =
        64, /* takes parameters beyond those that it declares, by `parameters`; so does one that declares
                             none. Else a dataflow that names another one is refused */
    WEIR_REMEMBERED =
        128, /* an outcome for the same inputs and configuration may be taken from an earlier run, unless
                              the file says `cache: false`; not with the four above */
    WEIR_ANY_OUTPUTS = 256, /* its outputs are called as whoever uses it says */
    WEIR_CONTEXTUAL = 512,  /* asks for `contexts`; not pure and cheap */
    WEIR_BLOCKING = 0       /* none of these: runs on the worker pool */
};

typedef struct weir_operation {
    uint32_t size;
    const char *name;
    const char *about; /* one sentence */
    const weir_port *inputs, *outputs, *config;
    uint32_t hints;
    /* True when it succeeded. Must not block when WEIR_CHEAP. NULL: an executor does it (process.run, weir.run), or it is
     * in a module. */
    bool (*run)(const weir_host *host, weir_call *call);
    const char *example; /* an excerpt of a dataflow, or NULL */
    /* The shared object beside weir that has the code: "http" is weir-http.so. It is a plugin whose operations say name
     * and `run`, opened when one of them is first called; so what it needs is loaded only then. NULL: none. */
    const char *module;
    /* What `weir dataflow create` writes: the stage, NULL for "processing"; and the outputs that are expanded, ended by
     * NULL; NULL for none. */
    const char *stage;
    const char *const *expand;
    /* Weir's own: the executor that does it, where that is not told by the name; NULL. */
    const char *executor;
    /* Weir's own: an object with members as an operation of a dataflow has them, which count where a file does not say them; and
     * {inputs, outputs: {port: {lock, validate, default}}}, which count for the port's definition. NULL: none. */
    weir_value *declared;
} weir_operation;

typedef struct weir_plugin {
    uint32_t abi;
    uint32_t size;
    const char *name, *version;
    const weir_operation *const *operations; /* ends with NULL */
} weir_plugin;

typedef const weir_plugin *weir_plugin_open_function(const weir_host *host);

#endif

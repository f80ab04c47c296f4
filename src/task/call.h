/* A call: one invocation of an operation that is pure and cheap, made by its coordinator while it decides. It never
 * leaves the thread: no attempt, no timer, no lock. Its inputs and outputs go by place, so that nothing is looked up by
 * name and nothing is allocated for it. */
#ifndef WEIR_TASK_CALL_H
#define WEIR_TASK_CALL_H

#include <weir/operation.h>

#define WEIR_NO_PLACE UINT32_MAX

/* The ports of an operation's instance. Part of a plan: immutable. */
typedef struct weir_shape {
    const char *const *inputs, *const *outputs; /* names */
    uint32_t input_count, output_count;
    /* For each input and output that the operation declares, its place above, or WEIR_NO_PLACE. */
    const uint32_t *declared_inputs, *declared_outputs;
} weir_shape;

/* What an output operation may ask of the context that it is called for. */
typedef struct weir_collector {
    /* As the host's functions of these names; new references, NULL when there is no such value. */
    weir_value *(*collected)(const struct weir_collector *collector, const char *definition);
    weir_value *(*ancestors)(const struct weir_collector *collector, const char *definition,
                             const char *ancestor);
    weir_value *(*contexts)(const struct weir_collector *collector);
} weir_collector;

typedef struct weir_invocation {
    const weir_operation *code;
    const weir_shape *shape;
    weir_value *const *inputs;       /* by place; borrowed */
    weir_value *config;              /* object; borrowed */
    const weir_collector *collector; /* NULL unless the operation collects */
    uint64_t now_us;
    /* What its random numbers are made of: the run and the context, the operation's instance, and how many of its
     * invocations ended before. */
    uint64_t stream;
    uint32_t instance, ordinal;
    bool by_name; /* outputs may have any name, and go to `named` */
    /* What it leaves, as references that the caller ends. */
    weir_value **outputs; /* by place; NULL where nothing was given */
    weir_value *named;    /* object; NULL: nothing */
    weir_value *failure;  /* {code, message}; NULL when it succeeded */
    weir_value *metrics;  /* [{name, value, unit}], or NULL */
} weir_invocation;

#endif

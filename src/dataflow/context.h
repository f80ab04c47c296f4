/* A context of a dataflow run: its inputs, and for each instance what it has joined so far.
 *
 * Firing is semi-naive: a parameter's list only grows; `joined` says how far it was combined with the others. A firing
 * takes every combination with at least one input beyond `joined`, so each parameter set is made exactly once. */
#ifndef WEIR_DATAFLOW_CONTEXT_H
#define WEIR_DATAFLOW_CONTEXT_H

#include "dataflow/plan_internal.h"

#define WEIR__DEFAULT UINT32_MAX /* in a parameter set: the definition's default */

typedef struct weir__input {
    weir_value *value;
    uint32_t definition, origin;
    weir_event_id event; /* that brought it */
} weir__input;

/* The inputs that came for one parameter. */
typedef struct weir__slot {
    uint32_t *items;
    size_t count, capacity;
    uint32_t joined;
} weir__slot;

typedef struct weir__firing {
    weir__slot *slots;       /* one a parameter */
    signed char *conditions; /* one a source: -1 no value yet, else the last value's truth */
    uint32_t conditions_true;
    bool touched, fired;
    uint32_t tasks, done, failed;
} weir__firing;

typedef struct weir__context {
    weir_str name;
    weir_stage stage;
    bool opened, finished, cut_short;
    WEIR_VECTOR(weir__input) inputs;
    WEIR_VECTOR(uint32_t) sets; /* parameter sets, one behind the other */
    weir__firing *firings;      /* one an instance; NULL when not open */
    uint32_t open_tasks, touched;
    weir_value *results; /* object: output instance → its outputs */
    weir_value *failure; /* NULL: none */
    weir_event_id last;
    uint64_t opened_us, finished_us;
} weir__context;

void weir__context_open(weir__context *context, const weir_dataflow_plan *plan);
/* A finished context needs its inputs no more; its counts stay. */
void weir__context_release(weir__context *context, const weir_dataflow_plan *plan);
/* Frees all but the failure. */
void weir__context_free(weir__context *context, const weir_dataflow_plan *plan);

/* Stores an input (a new reference) and gives it to its consumers; `touch` is called for each of them. */
void weir__context_add(weir__context *context, const weir_dataflow_plan *plan, weir__input input,
                       void (*touch)(void *arg, uint32_t instance), void *arg);

/* How many new parameter sets the instance has, by its conditions and inputs; UINT64_MAX when beyond counting. */
uint64_t weir__context_sets(const weir__context *context, const weir_dataflow_plan *plan,
                            uint32_t instance);
/* Calls back with each new parameter set (input numbers or WEIR__DEFAULT), combining the first upto[p] inputs of each
 * parameter, and moves `joined` there. */
void weir__context_join(weir__context *context, const weir_dataflow_plan *plan, uint32_t instance,
                        const uint32_t *upto,
                        void (*made)(void *arg, const uint32_t *set, size_t count), void *arg);

#endif

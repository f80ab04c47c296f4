/* Why each operation of a run did or did not run: made from its events and its status, for programs and for people.
 * One thread.
 *
 * An explanation is {run, name, kind, phase, operations}. Of each operation: {name, context?, phase, message?, calls,
 * attempts, failed, waited? {us, for}, energy_uj?, chosen? {executor, for, pool?, thread?}, why?, because, sets, failures}: `why` are the reasons why it did not run, `because` what made it run,
 * `sets` [{parameters, outcome, message?}] its first parameter sets and `failures` [{parameters?, code, message}] its
 * first failed attempts. */
#ifndef WEIR_CLI_EXPLANATION_H
#define WEIR_CLI_EXPLANATION_H

#include "base/map.h"
#include "data/value.h"

/* What the events say of one operation. */
typedef struct weir_explained {
    weir_str key;             /* its context and its name, or its node */
    uint64_t calls, attempts; /* an attempt again is no call */
    uint64_t failed, again;   /* attempts; of those, the ones that were tried again */
    uint64_t waited_us;       /* for room, at the longest, */
    const char *waited_for;
    uint64_t energy_uj; /* of all attempts; 0: not measured */
    weir_value *chosen; /* why the last was run where it was; NULL: there was no choice */
    weir_value *because, *sets, *failures; /* arrays */
} weir_explained;

/* An attempt under way. */
typedef struct weir_explained_attempt {
    int64_t task;
    weir_value *parameters;
} weir_explained_attempt;

typedef struct weir_explanation {
    weir_arena arena;
    WEIR_VECTOR(weir_explained) operations;
    WEIR_VECTOR(weir_explained_attempt) attempts;
    weir_map by_key, by_event; /* to operations; an event's operation, or SIZE_MAX: from outside */
} weir_explanation;

/* Takes an event, as weir_events has it; in their order. */
void weir_explanation_add(weir_explanation *explanation, const weir_value *event);
/* The explanation of the run with that status (see weir_get); of one operation only, unless `operation` is NULL. New
 * reference. NOT_FOUND when there is none of that name. */
WEIR_CHECKED bool weir_explanation_make(const weir_explanation *explanation,
                                        const weir_value *status, const char *operation,
                                        weir_value **out, weir_error *error);
void weir_explanation_deinit(weir_explanation *explanation);

/* Appends it for people; with `all` also the parameter sets of what went well. */
void weir_explanation_print(const weir_value *made, bool all, bool color, weir_buffer *out);

#endif

/* How a dataflow may end: what the model says (model.h).
 *
 * Of an orderly one all orders give the same, so one order is enough; that it is so is checked with some more. Then
 * results, the parameter sets that were made and the tasks that began are equal as multisets. Of another each context's
 * result has to be one that some sequential order gives, which is looked for; that none is passed by is checked with orders by
 * chance. Where there are too many orders the result stays unjudged, and is counted. */
#ifndef WEIR_SIMULATION_ORACLE_H
#define WEIR_SIMULATION_ORACLE_H

#include "model.h"
#include "world.h"

/* What is known of a context. */
typedef struct oracle_context {
    weir_str name;
    text_list possible;           /* results that some order gives */
    WEIR_VECTOR(uint64_t) hashes; /* of such that were judged */
    text_list unjudged;           /* results of which nobody can say */
    bool failure_known;
    model_answer may_fail; /* once that is known */
} oracle_context;

typedef struct oracle {
    const scenario *scenario;
    model_memory memory;
    WEIR_VECTOR(oracle_context) contexts;
    weir_buffer sets, tasks; /* of an orderly one */
    uint64_t judged, unjudged;
} oracle;

/* `problem` is filled when the model contradicts the scenario. */
void oracle_init(oracle *o, const scenario *s, char *problem, size_t size);
void oracle_deinit(oracle *o);
/* Fills `problem` when the run cannot have ended so. */
void oracle_judge(oracle *o, const world_end *end, char *problem, size_t size);

#endif

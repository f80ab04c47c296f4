/* How a dataflow may end: what the model says (model.h).
 *
 * Of an orderly one all orders give the same, so one order is enough; that it is so is checked with some more. Then
 * results, the parameter sets that were made and the tasks that began are equal as multisets. Of another each context's
 * result has to be one that some sequential order gives. Orders are tried by chance until one gives it, then one by one
 * from the first; a result that none of all orders gives is wrong. When there are too many orders to try them all the
 * result stays unjudged, and is counted. */
#ifndef WEIR_SIMULATION_ORACLE_H
#define WEIR_SIMULATION_ORACLE_H

#include "model.h"
#include "world.h"

/* What is known of a context. */
typedef struct oracle_context {
    const char *name;
    text_list possible; /* results that some order gives */
    text_list unjudged; /* results that no order gave that was tried */
    bool may_fail, complete;
    uint32_t tried;  /* orders by chance */
    chooser walk;    /* one by one: where the search goes on */
    uint32_t walked; /* orders so far */
} oracle_context;

typedef struct oracle {
    const scenario *scenario;
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

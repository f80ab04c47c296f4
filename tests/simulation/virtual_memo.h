/* A cache of results in virtual time: what was kept survives the engine's crashes. It answers at once or later, forgets
 * as an age that is too great does, and may lose what it is to keep. The wrong answer would show in the results, for what
 * a task gives follows from what it is. */
#ifndef WEIR_SIMULATION_VIRTUAL_MEMO_H
#define WEIR_SIMULATION_VIRTUAL_MEMO_H

#include "engine/machine.h"
#include "journal.h"

typedef struct virtual_memo {
    simulation *sim;
    uint64_t seed;
    /* Of a workflow, where what was found has no nodes within: a key is known since before the run, or never, and what is kept is only
     * compared. */
    bool by_key;
    WEIR_VECTOR(struct remembered {
        uint64_t what;
        weir_value *outputs;
    })
    entries;
    WEIR_VECTOR(struct found {
        uint64_t what;
        weir_attempt attempt; /* held */
    })
    found; /* tasks that were answered so, perhaps before a crash, or by an engine that had lost the run */
} virtual_memo;

void virtual_memo_deinit(virtual_memo *memo);
/* The fact that answers the sought attempt, and its data, a new reference. */
weir_event_type virtual_memo_ask(virtual_memo *memo, const weir_attempt *attempt,
                                 weir_value **data);
void virtual_memo_keep(virtual_memo *memo, const weir_keep *keep);
/* Calls back with each attempt that was found, once a task, if that answer is durable or there is no journal. */
void virtual_memo_each_found(const virtual_memo *memo, const journal *j,
                             void (*visit)(void *arg, const weir_attempt *attempt), void *arg);

#endif

/* What tasks took in earlier runs, as the store has it: samples that engine/history.h puts there. On the loop's thread. */
#ifndef WEIR_STORE_HISTORY_H
#define WEIR_STORE_HISTORY_H

#include "store/store.h"

typedef struct weir_history_sample {
    int64_t number, identity;                            /* number: its place in the table */
    weir_str run, operation, name;                       /* name: of the task; borrowed */
    uint64_t input_bytes, wall_us, cpu_us, memory_bytes; /* 0: not known */
    uint64_t given_bytes; /* what that run was given from outside; 0: nothing, or not known */
    uint64_t tasks;       /* that the run had of the operation by that name; 0: not known */
    uint64_t finished_us; /* when that run was over */
} weir_history_sample;

typedef bool weir_history_visit(void *arg, const weir_history_sample *sample);

/* Visits the samples of these operations, in any order, until `visit` returns false. Without (NULL): all that there are. */
WEIR_CHECKED bool weir_store_history(weir_store *store, const int64_t *identities, size_t count,
                                     weir_history_visit *visit, void *arg, weir_error *error);
/* Puts samples of another store into their places, all of them or none: of a copy of it. */
WEIR_CHECKED bool weir_store_history_put(weir_store *store, const weir_history_sample *samples,
                                         size_t count, weir_error *error);

#endif

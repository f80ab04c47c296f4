/* What tasks took in earlier runs, as the store has it: samples that engine/history.h puts there. On the loop's thread. */
#ifndef WEIR_STORE_HISTORY_H
#define WEIR_STORE_HISTORY_H

#include "store/store.h"

typedef struct weir_history_sample {
    int64_t identity;
    weir_str run, name;                                  /* name: of the task; borrowed */
    uint64_t input_bytes, wall_us, cpu_us, memory_bytes; /* 0: not known */
    uint64_t tasks;       /* that the run had of the operation by that name; 0: not known */
    uint64_t finished_us; /* when that run was over */
} weir_history_sample;

typedef bool weir_history_visit(void *arg, const weir_history_sample *sample);

/* Visits the samples of these operations, in any order, until `visit` returns false. */
WEIR_CHECKED bool weir_store_history(weir_store *store, const int64_t *identities, size_t count,
                                     weir_history_visit *visit, void *arg, weir_error *error);

#endif

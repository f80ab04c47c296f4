/* How outcomes of a task are remembered: `cache` of an operation. Part of a plan: immutable.
 *
 * The layer asks once for each task, when it holds its locks and before it wants resources, whether there is an outcome
 * of the same work (weir_tasks_take_sought); the answer is a fact, memo.found or memo.missed, so a replay never asks. A
 * found outcome finishes the task without an attempt; an outcome of a task that was missed is kept when it succeeded. */
#ifndef WEIR_TASK_MEMO_H
#define WEIR_TASK_MEMO_H

#include "data/value.h"

enum { WEIR_MEMO_TEXT_MAX = 1024, WEIR_MEMO_FILES_MAX = 1000 }; /* of names and keys; of `files` */

typedef struct weir_memo {
    weir_str cache;      /* entries of different caches never meet; empty: the common one */
    uint64_t max_age_us; /* what is older is missed; 0: any age will do */
    bool exact;          /* a key that is said is all of the key, whatever is done (Argo) */
    /* What the user says of the key, with tags: {key?: text, files?: [path]}; NULL: nothing. */
    weir_value *said;
} weir_memo;

#endif

/* The ends of runs: for weir_delete and weir_prune. On the loop's thread. */
#ifndef WEIR_ENGINE_REMOVE_H
#define WEIR_ENGINE_REMOVE_H

#include "engine/engine_internal.h"

typedef struct weir__doomed_run {
    char *id, *name, *parent;
    uint64_t finished_us; /* 0: it is not over */
    bool kept;            /* it has the label `keep` */
    bool locked;          /* see weir__run_claim */
} weir__doomed_run;

/* Runs that are to go, each before its children. */
typedef struct weir__doomed {
    weir_engine *engine;
    WEIR_VECTOR(weir__doomed_run) runs;
    size_t claimed; /* of them, from the first on */
} weir__doomed;

/* Appends a run, by name or id, and all below it. NOT_FOUND. */
WEIR_CHECKED bool weir__doomed_gather(weir__doomed *doomed, const char *run, weir_error *error);
/* Nobody may begin to drive one of them from now on. CONFLICT: somebody does. */
WEIR_CHECKED bool weir__doomed_claim(weir__doomed *doomed, weir_error *error);
/* Removes them from the store: all or none. */
WEIR_CHECKED bool weir__doomed_delete(weir__doomed *doomed, weir_error *error);
/* Forgets those from `from` on, and lets them go; `gone`: they are deleted. */
void weir__doomed_leave(weir__doomed *doomed, size_t from, bool gone);

/* Removes a folder below another with all in it, so many levels deep; true when nothing is left. Links are removed, not followed. */
bool weir__folder_remove(int parent, const char *name, int deep);

/* Removes what lies beside the store, and what of it was too much to go at once, of all runs that were deleted. `rest` (may be
 * NULL) is called after each change of the store, for others to have their turn. */
WEIR_CHECKED bool weir__leftovers_remove(weir_engine *engine, void (*rest)(void *arg), void *arg,
                                         weir_error *error);

#endif

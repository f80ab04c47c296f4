/* How the dataflow benchmark looks into its plugin. One for the process: weir and the bare loop call the same functions of
 * the same shared object. Set up before a run, read after it. */
#ifndef BENCH_DATAFLOW_OPERATIONS_H
#define BENCH_DATAFLOW_OPERATIONS_H

#include <stdatomic.h>

#include <weir/operation.h>

typedef struct bench_watch {
    bool counting;              /* whether calls and sum are kept; they cost time */
    atomic_uint_fast64_t calls; /* of the plugin's operations */
    atomic_uint_fast64_t
        sum; /* of all integers that they gave: the same in whatever order they ran */
    /* Called by the last call of a value loop, when everything that its context keeps is there. May be NULL. */
    void (*loop_ends)(void);
} bench_watch;

/* Exported by the plugin as "bench_watch_get". */
typedef bench_watch *bench_watch_get_function(void);

#endif

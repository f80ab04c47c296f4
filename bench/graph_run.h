/* Graphs of tasks over the task layer in virtual time: what a scheduler makes of them, without a process. Tasks are numbered so that
 * each comes behind those that it needs. One thread. */
#ifndef WEIR_BENCH_GRAPH_RUN_H
#define WEIR_BENCH_GRAPH_RUN_H

#include "task/coordinator.h"

typedef struct graph_task {
    weir_task_spec spec; /* its resources and, if it is known, its estimate */
    uint64_t lasts_us;
    uint64_t remaining_us; /* set by graph_measure */
    uint32_t first_need, need_count;
} graph_task;

typedef struct graph {
    WEIR_VECTOR(graph_task) tasks;
    WEIR_VECTOR(uint32_t) needs;
} graph;

typedef struct graph_end {
    uint64_t makespan_us, memory_peak, decide_ns; /* the last: for each task */
    uint32_t finished, cpu_peak, attempts_peak;
    bool over; /* more was taken than the limits allow */
} graph_end;

void graph_deinit(graph *g);
/* The task's needs are added behind it, before the next task. */
graph_task *graph_add(graph *g, uint64_t lasts_us, uint64_t memory_bytes, uint32_t cpu_milli);
void graph_need(graph *g, uint32_t before);
/* Finds the longest way behind each task; `bound_us` is what no order can be faster than, given so many attempts at once, and so
 * much memory (0: any). */
void graph_measure(graph *g, uint32_t attempts, uint64_t memory_bytes, uint64_t *bound_us);
/* `knows`: the scheduler is told how long tasks last. */
graph_end graph_run(const graph *g, const weir_task_limits *limits, const char *scheduler,
                    const char *optimize, bool knows);

#endif

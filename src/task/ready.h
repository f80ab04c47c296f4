/* Ready tasks in the order of a scheduler: what is to begin next, and what may begin instead where that does not fit.
 *
 * A scheduler is a row of a table: it gives each task, when that becomes ready, a key; the least begins first, and what has the same
 * key begins as it came. Tasks of a higher priority stand before all others. The tasks are a treap by that order whose nodes know the
 * least that any task below them wants (Seidel and Aragon, Randomized search trees, 1996), so adding, taking and finding the first that
 * fits are O(log n); finding looks at LOOKS_MAX nodes at most. Pure; one thread. */
#ifndef WEIR_TASK_READY_H
#define WEIR_TASK_READY_H

#include "base/queue.h"
#include "base/vector.h"
#include "task/task.h"

typedef enum weir_scheduler {
    WEIR_SCHEDULER_FIFO,          /* as they became ready */
    WEIR_SCHEDULER_FAIR,          /* contexts and operations by turns */
    WEIR_SCHEDULER_CRITICAL_PATH, /* what has the longest way to the end of the run first */
    WEIR_SCHEDULER_MEMORY,        /* what wants the least memory first */
    WEIR_SCHEDULERS
} weir_scheduler;

enum {
    WEIR_TURN_US = 1000 * 1000
}; /* what a turn of `fair` counts of a task nothing is known about */
#define WEIR_SCHEDULER_NAMES "fifo, fair, critical-path, memory"
const char *weir_scheduler_text(weir_scheduler scheduler);
/* WEIR_SCHEDULERS: there is none of that name. */
weir_scheduler weir_scheduler_find(weir_str name);

/* What a task wants, and what is expected of it; 0: nothing, or not known. */
typedef struct weir_wants {
    uint64_t memory_bytes;
    uint32_t cpu_milli;
    uint32_t slots;        /* of its run's */
    uint32_t processes;    /* of this process's */
    int32_t priority;      /* the highest first */
    uint64_t wall_us;      /* the attempt takes that long, */
    uint64_t wall_high_us; /* and seldom longer than that */
    uint64_t remaining_us; /* from its begin to the end of the run, on the longest way */
} weir_wants;

typedef struct weir_ready_node {
    uint64_t key, memory_bytes, memory_least, ready_us, long_us;
    uint32_t cpu_milli, cpu_least;
    uint32_t slots, processes;
    uint32_t left, right; /* nodes; 0: none. `left` of a free one is the next */
    uint32_t arrival;
    weir_task_id task; /* WEIR_NO_TASK: free */
    int32_t priority;
} weir_ready_node;

typedef struct weir_ready {
    weir_scheduler scheduler;
    WEIR_VECTOR(weir_ready_node) nodes; /* the first is none */
    uint32_t root, free, arrivals;
    size_t count, slotless; /* tasks; those that want no slot */
    weir_queue
        oldest; /* arrival and node, some of them gone; of schedulers that may let one wait for long */
    uint64_t
        *given; /* of `fair`: up to where each group was served; many groups may share a place */
    uint64_t served_us; /* of `fair`: where the last that began stood */
} weir_ready;

void weir_ready_init(weir_ready *ready, weir_scheduler scheduler);
void weir_ready_deinit(weir_ready *ready);
/* `group`: tasks of one group take turns with those of others, as `fair` has it. */
void weir_ready_add(weir_ready *ready, weir_task_id task, const weir_wants *wants, uint64_t group,
                    uint64_t now_us);
/* The node that is first in order, or came first; 0: there is none. */
uint32_t weir_ready_first(const weir_ready *ready);
uint32_t weir_ready_oldest(weir_ready *ready);
const weir_ready_node *weir_ready_at(const weir_ready *ready, uint32_t node);
void weir_ready_remove(weir_ready *ready, uint32_t node);
/* The first in order that wants at most so much and that `fits` agrees with; 0: none was found. */
uint32_t weir_ready_find(const weir_ready *ready, uint64_t memory_bytes, uint32_t cpu_milli,
                         bool (*fits)(const void *arg, const weir_ready_node *node),
                         const void *arg);

#endif

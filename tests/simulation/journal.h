/* What is durable of a simulated run, as its rules see it: read from the bytes alone, with none of the code that is
 * tested but their decoder. Outlives every crash. */
#ifndef WEIR_SIMULATION_JOURNAL_H
#define WEIR_SIMULATION_JOURNAL_H

#include "simulation.h"
#include "store/event.h"

/* A task as its events tell. */
typedef struct task_record {
    uint32_t number; /* of the last attempt; 0: none */
    uint32_t node;   /* of a workflow, + 1; 0: not known */
    uint32_t retries;
    uint32_t yields;
    bool open;           /* it is under way */
    bool lost;           /* one was lost */
    bool found;          /* its outcome was remembered: it has no attempt */
    uint64_t found_what; /* the key of that outcome */
    bool finished;
    uint64_t members_done; /* bits */
    bool heard;            /* there was an event of it */
    bool kept;             /* its outcome is of use: it is of this generation, or was kept by it */
    bool spare;            /* it was kept, and no task has asked for it */
} task_record;

/* A node of a workflow. */
typedef struct node_record {
    char *name, *boundary; /* the steps or DAG that it is of */
    size_t ready_before; /* a daemon: nodes from here on began once it was ready; 0: it never was */
    bool ready, over;    /* now */
} node_record;

typedef struct journal {
    simulation *sim;
    weir_parts *parts;     /* of large values */
    uint32_t contexts_max; /* open at once; 0: any */
    WEIR_VECTOR(uint64_t) sequences;
    WEIR_VECTOR(task_record) tasks;
    WEIR_VECTOR(bool) nodes;        /* whether finished */
    WEIR_VECTOR(node_record) named; /* of this generation */
    WEIR_VECTOR(uint32_t)
    makers; /* by sequence: the node of which the event may have made a task, + 1 */
    WEIR_VECTOR(bool) inner; /* contexts: whether of a dataflow that runs within */
    uint32_t contexts_open;
    uint32_t gifts; /* contexts and inputs from outside, and ends of them */
    uint64_t time_us;
    bool created, cancelled, terminated, suspended, finished;
    WEIR_VECTOR(uint32_t) gathered; /* tasks whose outcomes stay, when the run is restarted next */
    WEIR_VECTOR(uint32_t) keeping;  /* the same, when it was restarted last */
    uint32_t restarts;
} journal;

void journal_deinit(journal *j);
/* Adds a durable batch; what breaks a rule is a problem of the simulation. */
void journal_add(journal *j, weir_str bytes);
/* Whether the run was restarted without the task's outcome. */
bool journal_is_undone(const journal *j, uint64_t task);
/* Whether its outcome was kept, and no task of this generation has asked for it. */
bool journal_is_spare(const journal *j, uint64_t task);
/* Whether it has that the attempt was to begin. */
bool journal_knows(const journal *j, uint64_t task, uint32_t number);
/* Whether the attempt may have begun: it is durable that it was scheduled, and not that it is over. */
bool journal_is_scheduled(const journal *j, uint64_t task, uint32_t number);

#endif

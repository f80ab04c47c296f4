/* What attempts may take together: of one run, or of all runs of a process, which then share a budget. Pure; one thread.
 *
 * A task that wants more than there ever is has its wish cut to that, and so begins when nobody else has any of it. Of memory there
 * may be less for a while, as other programs have some; then tasks wait, but for one alone: who waited for others could wait for
 * ever. */
#ifndef WEIR_TASK_BUDGET_H
#define WEIR_TASK_BUDGET_H

#include "task/ready.h"

typedef struct weir_share {
    uint64_t memory_bytes;
    uint32_t cpu_milli;
    uint32_t processes;
} weir_share;

/* An attempt under way. */
typedef struct weir_running {
    const void *owner; /* of the task: its run's layer */
    weir_task_id task;
    uint32_t slots; /* of its owner's */
    weir_share share;
    uint64_t end_us; /* when it is expected to have ended; UINT64_MAX: nobody knows */
} weir_running;

typedef struct weir_budget {
    weir_share limit;             /* 0 of anything: no limit */
    uint64_t memory_bytes_now;    /* what the machine has for all of them; 0: not known */
    uint64_t memory_bytes_others; /* of the machine's, what other processes took of their budgets */
    /* Others share the machine's memory: whether `all`, `more` of it anew, may be taken now. Whoever stands first in a run waits for
     * that from then on. NULL: nobody does. */
    bool (*promise)(void *arg, uint64_t all, uint64_t more, bool first);
    void *promise_arg;
    weir_share used;
    WEIR_VECTOR(weir_running) running; /* by their ends */
    bool lacked; /* some task of some owner does not begin, as others have what it wants; */
    bool freed;  /* and some of that was given back since */
    /* Whose first task waits, of the highest priority and there for longest; NULL: nobody's. Tasks of others may pass it by, but not for
     * ever, and those of a lower priority not at all. */
    const void *first;
    int32_t first_priority;
    uint32_t passed;
    uint64_t changes; /* counted: who looked in vain need not look again before there is another */
} weir_budget;

enum { WEIR_PASSES_MAX = 16 };

void weir_budget_deinit(weir_budget *budget);
/* What of it counts. */
weir_share weir_budget_cut(const weir_budget *budget, const weir_share *wanted);
/* What is limited and is in the share: nobody needs to count another. */
bool weir_budget_counts(const weir_budget *budget, const weir_share *share);
/* How much memory all may have now; UINT64_MAX: any. */
uint64_t weir_budget_memory(const weir_budget *budget);
/* Whether the share, cut, can be had beside what is used; `memory_bytes` is at most so much for all. */
bool weir_budget_fits(const weir_budget *budget, const weir_share *used, const weir_share *share,
                      uint64_t memory_bytes);
void weir_budget_take(weir_budget *budget, const weir_running *running);
/* Of the owner's attempt; nothing when it took nothing. */
void weir_budget_give_back(weir_budget *budget, const void *owner, weir_task_id task,
                           uint64_t end_us);
/* The owner goes, with all that its attempts had. */
void weir_budget_leave(weir_budget *budget, const void *owner);
/* The owner's first task waits for what others have, or does not any more. */
void weir_budget_claim(weir_budget *budget, const void *owner, int32_t priority);
void weir_budget_renounce(weir_budget *budget, const void *owner);
/* Whether the owner's tasks passed another's by as often as they may. */
bool weir_budget_bars(const weir_budget *budget, const void *owner, int32_t priority,
                      const weir_share *share);
/* What the machine has now, and other processes took. */
void weir_budget_set_memory(weir_budget *budget, uint64_t memory_bytes_now, uint64_t others);
/* Asks the others for the memory in the share. */
bool weir_budget_promise(const weir_budget *budget, uint64_t memory_bytes, bool first);

#endif

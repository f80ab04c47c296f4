/* The task layer of one run: ready queue, resources, attempts, retries, deadlines. Pure and of one thread, as
 * coordinators are (see coordinator.h). */
#ifndef WEIR_TASK_LAYER_H
#define WEIR_TASK_LAYER_H

#include "store/event.h"
#include "task/budget.h"

struct weir_decisions;

typedef enum weir_task_state {
    WEIR_STATE_READY,    /* waits for resources */
    WEIR_STATE_RUNNING,  /* an attempt is under way */
    WEIR_STATE_STOPPING, /* and was told to end */
    WEIR_STATE_JUDGED,   /* the attempt has its outcome; what follows is to be decided */
    WEIR_STATE_BACKOFF,  /* waits for its next attempt */
    WEIR_STATE_FINISHED
} weir_task_state;

/* What attempts of this run may take together; 0: no limit. A request above it is cut to it. */
typedef struct weir_task_limits {
    uint32_t cpu_milli;
    uint64_t memory_bytes;
    uint32_t attempts; /* under way at once, of specs that take a slot */
    uint32_t ahead;    /* beyond that, of those that may wait for one */
    weir_budget
        *budget; /* shared with other runs, borrowed; NULL: these limits are this run's alone */
    int32_t priority; /* of the run, among those */
    /* Says what a task wants that is ready, where that is more, or another, than its spec says; it finds that in `wants`. NULL: the
     * specs say all. */
    void (*wants)(void *arg, weir_task_id task, const weir_task_spec *spec, weir_wants *wants);
    void *wants_arg;
} weir_task_limits;

typedef struct weir_tasks weir_tasks;

/* When tasks that could begin do. The data of run.created says it, {mode, tick_us}, so a recovered run goes on in its mode. */
typedef enum weir_task_mode {
    WEIR_MODE_ASYNC,    /* at once */
    WEIR_MODE_SYNC,     /* one at a time, the one of the lowest rank first */
    WEIR_MODE_SCHEDULED /* at the next tick */
} weir_task_mode;

#define WEIR_TASK_MODES "async, sync, scheduled"
enum { WEIR_TICK_US = 200 * 1000, WEIR_TICK_MIN_US = 1000 };

/* What the order of tasks is to keep small, beside what their limits say. The data of run.created says it, with the scheduler:
 * {scheduler, optimize}. */
typedef enum weir_optimum {
    WEIR_OPTIMIZE_TIME,   /* as much at once as there is room for */
    WEIR_OPTIMIZE_MEMORY, /* no more at once than the largest task takes alone */
    WEIR_OPTIMIZE_ENERGY  /* no more at once than there are processors */
} weir_optimum;

#define WEIR_OPTIMA "time, memory, energy"

/* The one that the data says, else the one that is most sparing with what it is to be sparing with: `memory`, or, for time and energy
 * (which is used for as long as the run lasts), `critical-path`; else fifo. */
weir_scheduler weir_scheduler_wanted(const weir_value *request);

weir_tasks *weir_tasks_new(const weir_task_limits *limits);
/* Those of the next generation of a run (see engine/restart.h), whose coordinator has begun `contexts` so far: they and
 * its contexts get the numbers after those of the last. The old ones stay as forgotten, but for what is left of them. */
weir_tasks *weir_tasks_succeed(const weir_tasks *before, uint32_t contexts);
/* From now on so many attempts may be scheduled for which there is no slot yet. */
void weir_tasks_look_ahead(weir_tasks *tasks, uint32_t ahead);
/* How many slots all attempts that are scheduled need, or those of this task; 0 too: it is not known any more. */
uint32_t weir_tasks_slots_used(const weir_tasks *tasks);
uint32_t weir_tasks_slots_of(const weir_tasks *tasks, weir_task_id task);
/* It will only apply events: weir_tasks_decide is not asked, and where it would have to look is not remembered. Before the
 * first event. */
void weir_tasks_only_follow(weir_tasks *tasks);
/* How many contexts earlier generations had. */
uint32_t weir_tasks_contexts_before(const weir_tasks *tasks);
/* Asked of each task before its first attempt: whether its outcome is known, by which number, and with what data the event
 * is to say so (a new reference, or NULL). */
void weir_tasks_ask(weir_tasks *tasks,
                    bool (*recall)(void *arg, weir_task_id task, uint32_t *kept, weir_value **data),
                    void *arg);
/* Applies task.recalled: the task ends with this outcome, that of the task `origin` of an earlier generation. */
void weir_tasks_recall(weir_tasks *tasks, weir_task_id task, weir_task_id origin,
                       const weir_value *outcome);
/* Whose attempts the task's outcome is of: itself, unless it was recalled. */
weir_task_id weir_tasks_origin(const weir_tasks *tasks, weir_task_id task);
void weir_tasks_free(weir_tasks *tasks);

/* For coordinators, while they apply an event. `context` is of the coordinator's choosing; events about the task are
 * filed under it. `cause` becomes the prev of its first attempt. */
weir_task_id weir_tasks_create(weir_tasks *tasks, const weir_task_spec *spec, uint32_t context,
                               weir_event_id cause);
/* A task that needs locks, by numbers of the coordinator's choosing, each once: it waits until it is the oldest
 * unfinished task of each, so two tasks never wait for each other. A `guest` is part of a task that is under way, and
 * wants locks that others may want who wait for that: it goes before all that wait. */
weir_task_id weir_tasks_create_locked(weir_tasks *tasks, const weir_task_spec *spec,
                                      uint32_t context, weir_event_id cause, const uint32_t *locks,
                                      uint32_t count, bool guest);
/* Who says whether a task that was made after a service was ready relies on it, and waits when that has to begin again. */
void weir_tasks_rely(weir_tasks *tasks,
                     bool (*relies)(void *arg, weir_task_id id, weir_task_id service), void *arg);
/* The attempt that was just scheduled begins later, when its batch is durable: until then neither its timeout nor its
 * heartbeat counts. */
void weir_tasks_hold(weir_tasks *tasks, weir_task_id task);
void weir_tasks_begin(weir_tasks *tasks, weir_task_id task, uint64_t now_us);
/* The task's work is not wanted any more: what waits is cancelled, what runs is stopped. A service is drained. */
void weir_tasks_stop(weir_tasks *tasks, weir_task_id task, weir_stop how);
void weir_tasks_stop_all(weir_tasks *tasks, weir_stop how);
/* Why a ready task does not begin. */
typedef enum weir_lack {
    WEIR_LACKS_NOTHING,
    WEIR_LACKS_SLOTS,
    WEIR_LACKS_PROCESSES,
    WEIR_LACKS_CPU,
    WEIR_LACKS_MEMORY
} weir_lack;

const char *weir_lack_text(weir_lack lack);

typedef struct weir_waiting {
    weir_lack lacks;     /* itself, or whoever is to begin before it */
    weir_share wants;    /* what is above the limit is cut */
    weir_share free;     /* of the limit, now */
    weir_share limit;    /* 0: none */
    uint32_t slots;      /* that the run has; 0: any */
    weir_task_id behind; /* who is to begin before it; WEIR_NO_TASK: it is the next */
    uint64_t
        begins_us; /* of the next: not later, as far as estimates say; UINT64_MAX: nobody knows */
} weir_waiting;

/* Calls back with the ready tasks that wait for room, in the order of the scheduler; also of a layer that only follows. */
void weir_tasks_each_waiting(const weir_tasks *tasks, uint64_t now_us,
                             void (*visit)(void *arg, weir_task_id task,
                                           const weir_waiting *waiting),
                             void *arg);
/* Whether some task waits for what the budget has. */
bool weir_tasks_lack(const weir_tasks *tasks);
/* From now on it shares the budget with others, instead of its own; of those that wait for room the highest priority is first. */
void weir_tasks_share(weir_tasks *tasks, weir_budget *budget, int32_t priority);
/* What its attempts had is free for others: it is given up. */
void weir_tasks_leave_budget(weir_tasks *tasks);
/* The outcome of a finished task (or of its last attempt); borrowed. */
const weir_outcome *weir_tasks_outcome(const weir_tasks *tasks, weir_task_id task);
/* The coordinator has what it needs: the outcome's values go. */
void weir_tasks_release(weir_tasks *tasks, weir_task_id task);

/* Nobody will ask for the finished task any more, whose outcome was released: from here on it is one that finished, and
 * nothing more. Not where a dead engine may have left something of it behind. */
void weir_tasks_forget(weir_tasks *tasks, weir_task_id task);
/* The next task gets this number, not below the one it would have; those between are forgotten. */
void weir_tasks_skip(weir_tasks *tasks, weir_task_id next);
/* The first from `from` on that is not known to be forgotten; weir_tasks_count when there is none. */
weir_task_id weir_tasks_next(const weir_tasks *tasks, weir_task_id from);

/* NULL: it is of an earlier generation, or forgotten. */
const weir_task_spec *weir_tasks_spec(const weir_tasks *tasks, weir_task_id task);
weir_task_state weir_tasks_state(const weir_tasks *tasks, weir_task_id task);
uint32_t weir_tasks_context(const weir_tasks *tasks, weir_task_id task);
/* The number of the last attempt; 0: none was made. */
uint32_t weir_tasks_attempt(const weir_tasks *tasks, weir_task_id task);
uint32_t weir_tasks_count(const weir_tasks *tasks);
uint32_t weir_tasks_open(const weir_tasks *tasks);      /* not finished */
uint32_t weir_tasks_under_way(const weir_tasks *tasks); /* with an attempt under way */

/* For the machine of the run. */
void weir_tasks_apply(weir_tasks *tasks, const weir_event *event);
/* Whether the event can be applied to this state; see weir_coordinator_class. */
bool weir_tasks_fits(const weir_tasks *tasks, const weir_event *event);
/* Decides all that can be decided now: retries, ends, deadlines, and, unless the run is suspended, which ready tasks
 * begin. */
void weir_tasks_decide(weir_tasks *tasks, struct weir_decisions *decisions);
/* When something is due without an event; UINT64_MAX: never. */
uint64_t weir_tasks_due_us(const weir_tasks *tasks);
/* The machine fills id, spec, members, again and deadline; the coordinator the rest. */
void weir_tasks_describe_attempt(const weir_tasks *tasks, weir_task_id task, weir_attempt *attempt);
/* The next task whose outcome is to be looked for; each is given once, and again after a replay that does not know the
 * answer. False when there is none. */
bool weir_tasks_take_sought(weir_tasks *tasks, weir_task_id *out);
/* Whether the task still waits for that answer. */
bool weir_tasks_seeks(const weir_tasks *tasks, weir_task_id task);
/* The data of its memo.missed, with the key under which its outcome is to be kept; borrowed; NULL: it is not. */
weir_value *weir_tasks_missed(const weir_tasks *tasks, weir_task_id task);
/* Whether that outcome is one to be kept: that of work which went on to its end by itself. */
bool weir_tasks_may_keep(const weir_tasks *tasks, weir_task_id task);
/* How many tasks were found. */
uint64_t weir_tasks_found(const weir_tasks *tasks);
/* Whether the finished task was, or, recalled, the one that its outcome is of. */
bool weir_tasks_was_found(const weir_tasks *tasks, weir_task_id task);
/* Whether a report is about the attempt under way: anything else is late, and dropped. */
bool weir_tasks_expects(const weir_tasks *tasks, const weir_attempt_id *attempt);
void weir_tasks_heartbeat(weir_tasks *tasks, weir_task_id task, uint64_t now_us);
/* Calls back with each attempt under way: after a recovery they are lost. */
void weir_tasks_each_attempt(const weir_tasks *tasks,
                             void (*visit)(void *arg, weir_task_id task, uint32_t number),
                             void *arg);
/* Calls back with the last attempt of each task of which a dead engine may have left something behind: an attempt is
 * under way, or one was lost, and the order to end it may have been lost with the engine. */
void weir_tasks_each_leftover(const weir_tasks *tasks,
                              void (*visit)(void *arg, weir_task_id task, uint32_t number),
                              void *arg);
/* What an event changed about who has a lock and who wants it. */
typedef enum weir_lock_state { WEIR_LOCK_WANTED, WEIR_LOCK_HELD, WEIR_LOCK_GONE } weir_lock_state;

typedef struct weir_lock_note {
    uint32_t lock;
    weir_task_id task;
    weir_lock_state state;
} weir_lock_note;

/* From now on such changes are noted, to be taken in their order. */
void weir_tasks_note_locks(weir_tasks *tasks);
/* The next; false: there is none. */
bool weir_tasks_take_lock_note(weir_tasks *tasks, weir_lock_note *note);
/* The last event of a task: what its next is caused by. */
weir_event_id weir_tasks_last_event(const weir_tasks *tasks, weir_task_id task);

#endif

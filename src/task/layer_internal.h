/* What the files of the layer share: its tasks as they are kept. One thread. */
#ifndef WEIR_TASK_LAYER_INTERNAL_H
#define WEIR_TASK_LAYER_INTERNAL_H

#include "base/heap.h"
#include "base/pages.h"
#include "base/queue.h"
#include "base/vector.h"
#include "task/coordinator.h"

typedef enum why { WHY_NONE, WHY_CANCELLED, WHY_DRAINED, WHY_EXPIRED, WHY_FROZEN } why;

/* What a task needs that has locks, a gang, a deadline, a failure or an order to stop, and every task that has an outcome,
 * until that is released. */
typedef struct work {
    struct work *next_spare;
    uint32_t failures; /* attempts that count as tries */
    uint32_t members_ended;
    bool *member_done;   /* of a gang; NULL for one member */
    bool stop_wanted;    /* and not decided yet */
    bool unwanted;       /* no further attempt */
    bool held;           /* the attempt has not begun: its time does not count yet */
    uint32_t lost_since; /* the first attempt that was lost since one had an outcome; 0: none */
    uint32_t *locks;     /* NULL: none */
    uint32_t lock_count, locks_missing;
    weir_stop stop_how;
    why stopped_why;
    uint64_t due_us;    /* of the attempt's timeout, or the end of the backoff; 0: none */
    uint64_t silent_us; /* when the attempt counts as lost without a heartbeat; 0: never */
    /* Of the attempt under way, when it is counted: what it takes, and when it is expected to have ended. */
    weir_share share;
    uint64_t end_us;
    bool counted;
    uint64_t memory_seen; /* what an attempt took, or more than what one was ended for */
    weir_value *missed;   /* the data of memo.missed */
    weir_value *frozen;   /* of attempt.stopping, when it froze */
    uint32_t
        ready_before; /* of a service that was ready: tasks from here on were made after that; 0: it was not */
    weir_outcome outcome;
} work;

/* What is kept of every task until it is forgotten: there may be millions. */
typedef struct task {
    const weir_task_spec *spec;
    work *work; /* NULL: all of it is zero, but for the outcome's kind */
    uint64_t last_sequence;
    uint32_t last_context, context;
    uint32_t number; /* of the last attempt */
    uint8_t state;   /* weir_task_state */
    uint8_t kind;    /* weir_outcome_kind, once the outcome's values are released */
    bool again : 1;  /* an attempt was lost, ever */
    bool looked : 1; /* whether its outcome is known from before was answered */
    bool found : 1;  /* and it is */
} task;

/* The first of `tasks` has it, once it is the first of all its locks (or got in as a guest); the others wait in the order of
 * their creation. `guests` wait for whoever has it, and go before all that only wait. */
typedef struct lock {
    weir_queue tasks, guests;
    bool open; /* it was given back, and who is next is not decided yet */
} lock;

/* Who is next in order, and does not begin yet. */
typedef struct weir__first {
    weir_task_id task;
    weir_lack lacks;
    uint32_t passed; /* how many began instead, of which nobody knows whether they delay it */
} weir__first;

/* When nothing was found to begin: until one of these is another, nothing will. */
typedef struct weir__vain {
    uint64_t changes;
    uint32_t arrivals, slots_used;
    uint64_t looked;
} weir__vain;

struct weir_tasks {
    weir_task_limits limits;
    weir_pages tasks; /* of `task`, by number */
    uint32_t open, under_way;
    bool suspended; /* none begins */
    bool follows;   /* nothing is decided: nobody looks where to look */
    uint32_t contexts_before;
    /* NULL: nothing is known. */
    bool (*recall)(void *arg, weir_task_id task, uint32_t *kept, weir_value **data);
    void *recall_arg;
    WEIR_VECTOR(weir_task_id) origins; /* by task, of those that were recalled; WEIR_NO_TASK */
    weir_task_mode mode;
    weir_heap ordered;  /* when one at a time: instead of `ready`, by rank */
    uint32_t busy;      /* attempts under way of executors */
    weir_task_id asked; /* of the first in order, whose outcome was looked for; WEIR_NO_TASK */
    uint64_t tick_us, tick_origin_us, tick_last_us; /* the last at which tasks began */
    uint64_t tick_at_us;          /* the next at which some will; UINT64_MAX: none wait */
    weir_queue ready, ready_slot; /* hints: a task's state says whether it still belongs there */
    WEIR_VECTOR(lock) locks;
    WEIR_VECTOR(weir_lock_note) lock_notes; /* from lock_notes_at on; only when `noting` */
    size_t lock_notes_at;
    bool noting;
    /* Services that were ready, and will be again; NULL: who was made later relies on each. */
    WEIR_VECTOR(weir_task_id) away;
    bool (*relies)(void *arg, weir_task_id id, weir_task_id service);
    void *relies_arg;
    weir_queue waiting; /* hints: for those */
    weir_queue judged, stops;
    weir_queue sought; /* hints, as `ready` */
    uint64_t found;
    bool memo_off; /* nothing is looked for, nothing kept */
    weir_heap due;
    work *spare; /* zeroed */
    uint32_t slots_used;
    uint64_t now_us;     /* of the last event, or decision */
    weir_budget *budget; /* the shared one, or: */
    weir_budget own_budget;
    weir_scheduler scheduler;
    weir_optimum optimum;
    weir_queue unmeasured; /* hints: ready, and what they want is not known yet */
    weir_ready order;      /* ready tasks that are not in `ready` or `ready_slot`: */
    bool orders;           /* from now on all that take slots, as some want more than those */
    uint64_t memory_most;  /* of one task, so far */
    weir__first first;
    bool
        passes; /* what begins just now passes the first by, and nobody knows whether it delays that */
    weir_task_id last_begun;
    uint32_t turns;   /* how many began in order */
    uint64_t decided; /* counted */
    bool ages;        /* it is the oldest one's turn */
    weir__vain vain;
};

/* What is known of a task that was forgotten. */
static const task forgotten = {.state = WEIR_STATE_FINISHED};

static const work no_work;

/* To read. */
static inline const work *look(const task *t) {
    return t->work ? t->work : &no_work;
}

/* To write. */
static inline work *work_of(weir_tasks *tasks, task *t) {
    if (t->work) return t->work;
    work *spare = tasks->spare;
    if (spare) tasks->spare = spare->next_spare;
    t->work = spare ? spare : weir_alloc(sizeof *t->work);
    t->work->next_spare = NULL;
    return t->work;
}

/* To read. */
static inline const task *see(const weir_tasks *tasks, weir_task_id id) {
    weir_assert(id < tasks->tasks.count);
    const task *t = weir_pages_at(&tasks->tasks, id);
    return t ? t : &forgotten;
}

/* To write: of one that is not forgotten. */
static inline task *get(const weir_tasks *tasks, weir_task_id id) {
    task *t = weir_pages_at(&tasks->tasks, id);
    weir_assert(t);
    return t;
}

static inline weir_event_id last_of(const task *t) {
    return (weir_event_id){t->last_context, t->last_sequence};
}

static inline uint32_t members_of(const weir_task_spec *spec) {
    return spec->members ? spec->members : 1;
}

/* Where to look for what is to be decided. */
static inline void put_hint(const weir_tasks *tasks, weir_queue *hints, weir_task_id id) {
    if (!tasks->follows) weir_queue_put(hints, id);
}

void weir__tasks_put_in_order(weir_tasks *tasks, weir_task_id id);

/* Whether it may want more than a slot. */
static inline bool wants_more(const weir_task_spec *spec) {
    return spec->resources.memory_bytes || spec->resources.cpu_milli || spec->resources.by_tags ||
           spec->estimate.memory_bytes;
}

static inline void put_ready(weir_tasks *tasks, weir_task_id id) {
    const task *t = get(tasks, id);
    const weir_task_spec *spec = t->spec;
    if (look(t)->locks_missing) return;
    if (tasks->mode == WEIR_MODE_SYNC) {
        if (!tasks->follows)
            weir_heap_add(&tasks->ordered, (weir_moment){(uint64_t)spec->rank << 32 | id, id});
        return;
    }
    if (spec->memo && !t->looked && !tasks->memo_off) {
        put_hint(tasks, &tasks->sought, id);
        return;
    }
    if (spec->slot || wants_more(spec))
        weir__tasks_put_in_order(tasks, id);
    else
        put_hint(tasks, &tasks->ready, id);
}

static inline bool under_way(const task *t) {
    return t->state == WEIR_STATE_RUNNING || t->state == WEIR_STATE_STOPPING;
}

/* A moment to look at the task again. */
static inline void add_due(weir_tasks *tasks, uint64_t due_us, weir_task_id id) {
    if (!tasks->follows) weir_heap_add(&tasks->due, (weir_moment){due_us, id});
}

/* --- layer_admit.c */

/* What the data of run.created says. */
void weir__tasks_set_scheduler(weir_tasks *tasks, const weir_value *request);
/* Whether there are slots for a task beside those that are under way. */
bool weir__tasks_have_slots(const weir_tasks *tasks, const weir_task_spec *spec);
/* What an attempt takes that begins, as its event says, or gives back. */
void weir__tasks_take_share(weir_tasks *tasks, weir_task_id id, const weir_event *event);
void weir__tasks_give_share(weir_tasks *tasks, weir_task_id id);
/* What its attempt took is known: the next wants as much. */
void weir__tasks_learn(weir_tasks *tasks, weir_task_id id);
/* Finds out what those tasks want that became ready. */
void weir__tasks_measure(weir_tasks *tasks);
/* Decides which tasks begin of those that are in order. */
void weir__tasks_begin_in_order(weir_tasks *tasks, weir_decisions *decisions);

/* --- layer_mode.c */

/* What the data of run.created, of this time, says of it. */
void weir__tasks_set_mode(weir_tasks *tasks, const weir_value *request, uint64_t now_us);
/* Decides which of the ready tasks begin. */
void weir__tasks_begin_ready(weir_tasks *tasks, weir_decisions *decisions);
/* Whether it still waits: a hint may be old. */
bool weir__tasks_is_waiting(const weir_tasks *tasks, weir_task_id id, uint64_t now_us);
/* When some will without an event; UINT64_MAX: never. */
uint64_t weir__tasks_tick_due_us(const weir_tasks *tasks);

/* --- layer_decide.c */

/* Emits one decision about the task. */
void weir__tasks_decide_one(weir_tasks *tasks, weir_task_id id, weir_event_type type,
                            uint32_t number, weir_value *data, weir_decisions *decisions);
/* When its outcome is known from a generation before, decides that; else false. */
bool weir__tasks_decide_recall(weir_tasks *tasks, weir_task_id id, weir_decisions *decisions);

/* --- layer_service.c */

/* A service is ready; it was, and is to be so again; it is over. */
void weir__tasks_note_ready(weir_tasks *tasks, weir_task_id service);
void weir__tasks_note_away(weir_tasks *tasks, weir_task_id service);
void weir__tasks_note_over(weir_tasks *tasks, weir_task_id service);
/* Whether the task has to wait until a service is ready again. */
bool weir__tasks_lack_service(const weir_tasks *tasks, weir_task_id id);

/* --- layer_locks.c */

/* Those of a task that was just made; a guest's as layer.h says. */
void weir__tasks_want_locks(weir_tasks *tasks, weir_task_id task, const uint32_t *locks,
                            uint32_t count, bool guest);
/* Whether the task has its locks or could have had them: whoever has them has not begun. Where events of tasks that are over
 * were left out of the journal, a lock is free sooner than it was, and another may be first of it than was. */
bool weir__tasks_could_have_locks(const weir_tasks *tasks, const task *t);
/* The journal says that it begins: it has them. */
void weir__tasks_claim_locks(weir_tasks *tasks, weir_task_id task);
/* It is finished. */
void weir__tasks_give_back_locks(weir_tasks *tasks, weir_task_id task);

#endif

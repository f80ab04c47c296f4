/* A context of a dataflow run: its inputs, and for each instance what it has joined so far.
 *
 * Firing is semi-naive: a parameter's list only grows; `joined` says how far it was combined with the others. A join
 * takes every combination with at least one input beyond `joined`, so each parameter set is made exactly once. The list
 * of an operation's only parameter is emptied once it was joined: nothing can be combined with it again.
 *
 * An input lives until its context is released, or, when nobody can ask for it again, until its last consumer is done.
 * Inputs that are kept stand in the order in which they came. A context belongs to one thread at a time. */
#ifndef WEIR_DATAFLOW_CONTEXT_H
#define WEIR_DATAFLOW_CONTEXT_H

#include "dataflow/lists.h"
#include "dataflow/plan_internal.h"

#define WEIR__DEFAULT UINT32_MAX /* in a parameter set: the definition's default */
#define WEIR__KEPT UINT32_MAX    /* users of an input that lives as long as its context */

enum {
    WEIR__READERS_AHEAD = 4
}; /* of an input, whose cells are asked of memory before they are needed */

/* What there may be, of what places and numbers of 32 bit count. Whoever goes beyond gets the error `limit_exceeded`. */
typedef struct weir__flow_limits {
    uint32_t sets;     /* that wait in a context */
    uint32_t places;   /* of a context: inputs, numbers of sets and of lists; locks of a run */
    uint32_t tasks;    /* of a run */
    uint32_t contexts; /* of a run; where no event names them, at once */
} weir__flow_limits;
extern weir__flow_limits weir__limits; /* never changed, but lowered by tests before a run begins */

typedef struct weir__input {
    weir_value *value; /* NULL: gone, and the place is free */
    uint32_t definition, origin;
    uint32_t
        set; /* that it was made from, where the flow keeps lineage or locks; else WEIR__NONE */
    uint32_t
        users; /* places in slots and sets under way, or WEIR__KEPT; of a free place: the next */
} weir__input;

/* Several inputs that came for one parameter. */
typedef struct weir__block {
    uint32_t count, joined, capacity;
    uint32_t items[];
} weir__block;

#define WEIR__MANY INT32_MAX /* in a slot: there is a block; beyond any limit of places */
#define WEIR__JOINED (UINT32_C(1) << 31)

/* The inputs that came for one parameter: none, one with its value beside it, so that who fires looks nowhere else, or a
 * block. Packed: of an operation with two parameters everything that is looked for at random is half a cache line. */
typedef struct __attribute__((packed, aligned(4))) weir__slot {
    /* 0: none; WEIR__MANY; else the place of the input + 1, and WEIR__JOINED when it was joined. */
    uint32_t state;
    union {
        weir_value *value; /* borrowed: the input lives as long as it stands here */
        weir__block *block;
    } of;
} weir__slot;

/* Of an instance: this, then its slots. */
typedef struct weir__firing {
    uint32_t conditions_true : 30, touched : 1, fired : 1;
    uint32_t sets; /* parameter sets made; see weir__count */
} weir__firing;

/* A parameter set that waits: in `sets`, its length, then places of inputs or WEIR__DEFAULT. */
typedef struct weir__pending {
    uint32_t instance, set;
} weir__pending;

typedef struct weir__context weir__context;

/* What a context needs of its run. */
typedef struct weir__context_owner {
    /* A new lock; `seed` of the flow (or WEIR__NONE): seeds are the same in all contexts, so is their lock. WEIR__NONE
     * when there are too many. */
    uint32_t (*take_lock)(struct weir__context_owner *owner, const weir__flow *flow, uint32_t seed);
    /* An input of a forwarded definition came. */
    void (*forward)(struct weir__context_owner *owner, weir__context *context, uint32_t input);
    /* Makes a call; any thread. */
    void (*call)(void *arg, weir_invocation *invocation);
    /* In a replay, of somebody who traces values: an input got its place; NULL: nobody does. While a forwarded one does,
     * `around` has it at `around_at`. */
    void (*born)(void *born_arg, const weir__context *context, uint32_t input);
    void *arg, *call_arg, *born_arg;
    const weir__context *around;
    uint32_t around_at;
    uint64_t now_us, seed;
    bool strict, recorded;
} weir__context_owner;

struct weir__context {
    const weir__flow *flow;
    weir__context_owner *owner;

    /* Memory, empty at the begin. */
    WEIR_VECTOR(weir__input) inputs;
    WEIR_VECTOR(uint32_t) sets;
    WEIR_VECTOR(weir__pending) calls;  /* to be made, from calls_at on */
    WEIR_VECTOR(weir__pending) wanted; /* tasks to be made, from wanted_at on */
    WEIR_VECTOR(uint32_t) touched;     /* lean instances to look at, from touched_at on */
    WEIR_VECTOR(uint64_t) events;      /* that brought each input, when recorded */
    WEIR_VECTOR(uint32_t) locksets;    /* of each input, when the flow has locks */
    weir__lists locks;                 /* all that there are of them */
    WEIR_VECTOR(uint32_t) own_locks;   /* to be given back */
    uint32_t *found;  /* parameter sets of each instance that were remembered; NULL: none was */
    uint32_t *failed; /* of each instance, that failed; NULL: none did */
    char *cells;      /* firings and slots, where the lean instances say */
    uint32_t *done;   /* behind them, by lean instance: parameter sets that ended */
    signed char *conditions; /* behind those; -1 no value yet, else the last value's truth */

    /* From here on a context that begins anew is cleared. */
    uint32_t id, parent; /* parent: 0 when it is the run's own */
    weir_task_id task;   /* of the parent, that it belongs to */
    uint32_t place;      /* among the contexts of that task */
    weir_str name;
    char *own_name;            /* its bytes; NULL: they outlive the context */
    const weir__givens *given; /* its first inputs; NULL once they are stored */
    weir__givens own;          /* where `given` is not the plan's */
    weir_stage stage;
    uint64_t stream; /* of its calls' random numbers; see weir_invocation */
    bool open, finished, cut_short, held, closed, queued;
    bool retains;      /* all inputs are kept, whoever asks */
    bool blocks;       /* some slot has a block */
    bool recorded;     /* inputs know their events */
    bool guest;        /* inputs that were forwarded to it have locks of the context around */
    bool halted;       /* nothing new may start, but for clean-up */
    bool terminated;   /* nor clean-up */
    bool output_over;  /* an output operation failed: those after it do not run */
    bool keeps_given;  /* `given` stays, so that it can begin anew */
    bool ahead;        /* of a recorded run: its calls have no events */
    bool borrows;      /* what is stored now is somebody else's for as long as the context */
    uint32_t borrowed; /* so many of the first inputs are */
    uint32_t free_input;
    uint32_t *
        free_sets; /* by length: the place + 1 of one nobody needs, in whose first item is the next; NULL: none */
    size_t calls_at, wanted_at, touched_at;
    weir__pending
        ended; /* the last call, while somebody may look at its set; instance WEIR__NONE: none */
    uint64_t event; /* the sequence of what is being applied, when recorded */
    /* Places of inputs by definition, for output operations; with `index_starts` NULL of one definition only. */
    uint32_t *index, *index_starts;
    uint32_t index_definition, index_count; /* that one */
    size_t indexed;                         /* so many inputs + 1; 0: none */
    uint32_t open_tasks;
    uint32_t last_task;  /* made for it, + 1; 0: none */
    uint32_t failures;   /* parameter sets that failed, of all instances */
    weir_value *results; /* object: output instance → its outputs; NULL: none yet */
    weir_value *problem; /* what just went wrong, to be dealt with by the run; NULL: nothing */
    weir_value *failure; /* why it failed; NULL: it did not */
    weir_value *nodes;   /* of one that ran ahead and finished: what is to be seen of it; or NULL */
    weir_event_id last;
    uint64_t opened_us, finished_us;
};

/* `own_name`: the name's bytes, taken over; NULL: they outlive the context. */
weir__context *weir__context_new(const weir__flow *flow, weir__context_owner *owner, weir_str name,
                                 char *own_name);
void weir__context_free(weir__context *context);
/* The stream of a run's own context. `given`: which of those that are given while the run goes on, from 1; 0: one of the
 * plan's. */
uint64_t weir__context_stream(uint64_t seed, weir_str name, uint64_t given);
/* A finished context lets go of all its values, and of lists that grew large; then it may begin anew as another of the same
 * flow, with the memory that it has. */
void weir__context_empty(weir__context *context);
void weir__context_renew(weir__context *context, weir_str name, char *own_name);
/* One more parameter set of the instance was remembered. */
void weir__context_count_found(weir__context *context, uint32_t instance);
/* One more failed. */
void weir__context_count_failed(weir__context *context, uint32_t instance);
/* From here on what it borrowed, and its name, are its own. */
void weir__context_stop_borrowing(weir__context *context);
/* A finished context needs its inputs no more; its counts stay. */
void weir__context_release(weir__context *context);

/* Forgets all that happened since it was opened with what it keeps, and is opened again, without events from now on. */
void weir__context_go_ahead(weir__context *context);
/* Stores the inputs that it is given, then the flow's seeds, and looks at what may start. */
void weir__context_open(weir__context *context);
/* Stores more inputs from outside. */
void weir__context_give(weir__context *context, const weir__givens *givens);
/* Of a remap: has all inputs of `around` at their places, then the seeds, and begins at its output stage. */
void weir__context_open_within(weir__context *context, const weir__context *around);
/* Stores one input (the reference is taken over) that was made from a set (or WEIR__NONE), and gives it to its
 * consumers. */
void weir__context_add(weir__context *context, weir_value *value, uint32_t definition,
                       uint32_t origin, uint32_t set);
/* The same for one that is forwarded: it is the input at `at` of the context around, and has the locks of that. */
void weir__context_add_forwarded(weir__context *context, const weir__context *around, uint32_t at,
                                 uint32_t definition, uint32_t origin);
/* The same for an output of an operation. */
void weir__context_add_output(weir__context *context, weir_value *value,
                              const weir__lean_output *output, uint32_t set);
/* The next stage begins. */
void weir__context_enter(weir__context *context, weir_stage stage);
/* The stage after this one that has something to do. */
weir_stage weir__context_next_stage(const weir__context *context, bool halted, bool terminated);

/* The instance is to be looked at. */
void weir__context_touch(weir__context *context, uint32_t instance);
/* The next instance to look at; NULL when there is none that may be looked at now. */
const weir__lean_instance *weir__context_take_touched(weir__context *context);
static inline bool weir__context_is_touched(const weir__context *context) {
    return context->touched_at < context->touched.count;
}
static inline bool weir__context_has_calls(const weir__context *context) {
    return context->calls_at < context->calls.count;
}
/* Whether the context may start nothing in its stage. */
static inline bool weir__context_is_halted(const weir__context *context) {
    if (context->stage == WEIR_STAGE_CLEANUP) return context->terminated;
    return context->halted || (context->output_over && context->stage == WEIR_STAGE_OUTPUT);
}
/* Cleanup and output do one parameter set at a time: whether one keeps the next operation waiting. */
static inline bool weir__context_is_busy(const weir__context *context) {
    return context->stage != WEIR_STAGE_PROCESSING &&
           ((weir__context_has_calls(context) && !weir__context_is_halted(context)) ||
            context->wanted.count || context->open_tasks);
}
/* Whether there is an operation that may be looked at now. */
static inline bool weir__context_is_ready(const weir__context *context) {
    return weir__context_is_touched(context) && !weir__context_is_busy(context);
}
/* Room for a set of so many items, behind its length. */
uint32_t weir__context_new_set(weir__context *context, uint32_t count);
/* Counts a new set of the instance, and puts it to the calls to be made or, when it is none or has locks, to the tasks. */
void weir__context_queue_set(weir__context *context, uint32_t instance, uint32_t set);
/* Counts one more. An endless run goes on beyond what the counter holds; the counter stays. */
static inline void weir__count(uint32_t *counter) {
    if (__builtin_expect(++*counter == 0, 0)) *counter = UINT32_MAX;
}
/* Whether so many new parameter sets of the instance may wait beside what does; when not, and it goes on, it is reported
 * by weir__context_report_sets. */
bool weir__context_has_room(const weir__context *context, uint32_t instance, uint64_t sets);
/* How many new parameter sets the instance has, by its conditions and inputs; UINT64_MAX when beyond counting. */
uint64_t weir__context_count_sets(const weir__context *context,
                                  const weir__lean_instance *instance);
/* Makes each new parameter set, combining the first upto[p] inputs of each parameter, and puts it to `calls` or
 * `wanted`. */
void weir__context_join(weir__context *context, uint32_t instance, const uint32_t *upto);
static inline weir__firing *weir__firing_at(const weir__context *context, uint32_t cell) {
    return (weir__firing *)(void *)(context->cells + cell * (size_t)WEIR__CELL_BYTES);
}
static inline weir__slot *weir__slot_at(const weir__context *context, uint32_t cell) {
    return (weir__slot *)(void *)(context->cells + cell * (size_t)WEIR__CELL_BYTES);
}
/* The slots of the firing's instance. */
static inline weir__slot *weir__slots_behind(const weir__firing *firing) {
    return (weir__slot *)(void *)(uintptr_t)(firing + 1);
}
static inline uint32_t weir__slot_count(const weir__slot *slot) {
    return slot->state == WEIR__MANY ? slot->of.block->count : slot->state != 0;
}
static inline uint32_t weir__slot_joined(const weir__slot *slot) {
    return slot->state == WEIR__MANY ? slot->of.block->joined : slot->state >> 31;
}
static inline void weir__slot_join(weir__slot *slot, uint32_t upto) {
    if (slot->state == WEIR__MANY)
        slot->of.block->joined = upto;
    else if (upto)
        slot->state |= WEIR__JOINED;
}
/* What comes begins anew. */
static inline void weir__slot_clear(weir__slot *slot) {
    if (slot->state == WEIR__MANY)
        slot->of.block->joined = slot->of.block->count = 0;
    else
        slot->state = 0;
}
/* The place of its i-th input. */
static inline uint32_t weir__slot_input(const weir__slot *slot, uint32_t i) {
    return slot->state == WEIR__MANY ? slot->of.block->items[i] : (slot->state & INT32_MAX) - 1;
}
static inline weir__firing *weir__firing_of(const weir__context *context, uint32_t instance) {
    return weir__firing_at(context, weir__lean_of(context->flow, instance)->firing);
}
static inline uint32_t *weir__done_of(const weir__context *context, uint32_t instance) {
    return &context->done[context->flow->lean_places.items[instance]];
}
static inline weir__slot *weir__slots_of(const weir__context *context, uint32_t instance,
                                         size_t parameter) {
    return weir__slots_behind(weir__firing_of(context, instance)) + parameter;
}

/* --- sets */
/* The value of a parameter in a set; borrowed. */
weir_value *weir__context_set_value(const weir__context *context, uint32_t instance, uint32_t set,
                                    uint32_t parameter);
/* {parameter: value}. */
weir_value *weir__context_parameters(const weir__context *context, uint32_t instance, uint32_t set);
/* The names of the contexts around it, from the run's own, and its own: an array, a new reference. */
weir_value *weir__context_names(const weir__context *context);
/* The locks that the set's inputs, and what they were made from, stand for. */
const uint32_t *weir__context_locks(weir__context *context, uint32_t set, uint32_t *count);
/* One user less. */
void weir__context_release_input(weir__context *context, uint32_t input);
/* Nobody is at work on the set any more. */
void weir__context_drop_set(weir__context *context, uint32_t instance, uint32_t set);

/* --- evaluate.c: calls and their outcomes */
/* Makes the next call; {outcome, outputs?, failure?, usage?} as in events, a new reference. */
weir_value *weir__context_make_call(weir__context *context);
/* The outcome of the next call: takes the call off the queue, and its outputs in. */
void weir__context_end_call(weir__context *context, const weir_value *outcome);
/* What a task gave: outputs by name, as one set of inputs, or a result in the output stage. Takes nothing over. */
void weir__context_take_outputs(weir__context *context, uint32_t instance, uint32_t set,
                                weir_task_id task, uint32_t attempt, const weir_value *outputs);
/* A set failed; in a strict run, in a dataflow within another, and in the clean-up of any, that is a problem: what a
 * run that is not strict lets pass is the failed operation, which is the one that runs the dataflow. Of an operation that says
 * `strict: false` it is one in the clean-up only. `task` is
 * WEIR_NO_TASK for a call.
 * `failure` is borrowed. */
void weir__context_fail(weir__context *context, uint32_t instance, weir_task_id task,
                        uint32_t attempt, const weir_value *failure);
/* There is more than there may be: a problem. `what` says of what; `instance` may be WEIR__NONE. */
void weir__context_report_limit(weir__context *context, uint32_t instance, const char *what,
                                uint32_t max);
void weir__context_report_sets(weir__context *context, uint32_t instance);
void weir__context_report_full(weir__context *context);
/* Without events: goes on until there is nothing to do, tasks are wanted, something is wrong, or `budget` calls were
 * made. Opens the context and moves it through its stages. How many calls it made. */
uint32_t weir__context_run(weir__context *context, uint32_t budget);
/* Whether only the end of its stage is left. */
bool weir__context_is_quiet(const weir__context *context);
/* Its result, a new reference: what the one output operation that ran gave; of several, {instance: what it gave}. */
weir_value *weir__context_result(const weir__context *context);
/* Adds what an output operation gave to the results. */
void weir__context_take_results(weir__context *context, uint32_t instance,
                                const weir_value *outputs);

/* --- collect.c: what output operations see */
typedef struct weir__context_collector {
    weir_collector base; /* first */
    weir__context *context;
    bool full; /* more was asked for than lists may hold: the call failed */
} weir__context_collector;
weir__context_collector weir__context_collector_of(weir__context *context);

#endif

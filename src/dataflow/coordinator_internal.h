/* The inside of the dataflow coordinator: contexts, the tasks they made, and dataflows within them. */
#ifndef WEIR_DATAFLOW_COORDINATOR_INTERNAL_H
#define WEIR_DATAFLOW_COORDINATOR_INTERNAL_H

#include "base/pages.h"
#include "base/queue.h"
#include "dataflow/context.h"

enum {
    WEIR__CONTEXTS_OPEN_MAX =
        1024, /* at once, of the run; and of each operation that runs a dataflow */
    WEIR__CONTEXTS_WAITING_MAX = 4096, /* given from outside and not open yet */
    WEIR__CONTEXTS_SPARE_MAX = 1024,
    WEIR__CONTEXTS_SHOWN_MAX = 100 /* whose operations a status lists after they finished */
};

typedef struct weir__nested weir__nested;
typedef struct weir__chunk weir__chunk;

/* What a task of the layer means here. */
typedef struct weir__flow_task {
    weir__context *context;
    uint32_t instance, set;
    uint32_t before;      /* the context's task before this one, + 1; 0: none */
    weir__nested *nested; /* the attempt under way, of an operation that runs a dataflow */
} weir__flow_task;

/* A context that was given from outside and waits to be opened. */
typedef struct weir__waiting {
    char *name;
    uint64_t ordinal;    /* which of all that were given, from 1 */
    weir__givens givens; /* and what was sent to it since */
    bool held, closed;
} weir__waiting;

/* Contexts of a flow that tasks run: only so many are open at once. Those of a flow wait for flows within it alone, so
 * all get their turn. */
typedef struct weir__places {
    uint32_t taken;
    weir_queue waiting; /* tasks that may want a place: hints where to look */
} weir__places;

typedef struct weir__dataflow {
    weir_coordinator base;     /* first */
    weir__context_owner owner; /* of the contexts */
    const weir_dataflow_plan *plan;
    weir_tasks *tasks;
    weir_pages contexts;        /* weir__context *, by number; 0 is the run; NULL: gone */
    WEIR_VECTOR(uint32_t) gone; /* numbers to be used again, where no event names them */
    weir_pages flow_tasks;      /* weir__flow_task, by task number, until their context is gone */
    WEIR_VECTOR(weir__context *) spare; /* of the file's flow, to be used again */
    WEIR_VECTOR(weir__waiting) waiting; /* from waiting_at on */
    weir_value *checked_of;             /* inputs that are given next; a reference, or NULL */
    weir__givens checked;               /* what they are */
    size_t waiting_at;
    weir_map names;                    /* of contexts that are held: their numbers; see waiting.c */
    weir_queue agenda;                 /* contexts to look at */
    weir_queue nested_agenda;          /* tasks whose dataflows are to be looked at */
    WEIR_VECTOR(weir_task_id) running; /* tasks whose dataflows are under way */
    weir__places *places;              /* by flow */
    size_t planned;                    /* how many of the plan's contexts were opened */
    uint32_t open, open_max;           /* the run's own contexts */
    uint64_t opened;                   /* of them, so far */
    uint64_t given, over;              /* of them: from outside, and those that finished */
    uint64_t gone_done, gone_failed;   /* parameter sets of contexts that are gone */
    uint64_t steps_recorded;           /* calls that have an event, and contexts that finished */
    uint64_t ahead_after;              /* as in weir_decisions */
    size_t in_chunks;                  /* contexts that chunks have and no result was told of */
    WEIR_VECTOR(weir__chunk *) chunks, spare_chunks, idle_chunks; /* idle: to be worked on */
    uint64_t chunks_taken;
    weir__chunk *chunk; /* that the leader is at, when there are no helpers; may be NULL */
    uint32_t shown;
    uint32_t locks;                 /* made so far */
    WEIR_VECTOR(uint32_t) no_locks; /* given back */
    uint32_t **seed_locks;          /* by flow, by seed: the lock + 1; NULL until there is one */
    bool created, ended, failed, cancelled, terminated, finished, results_go;
    bool follows;         /* nothing is decided: nobody looks where to look */
    uint64_t deadline_us; /* that it was cancelled by; 0: by somebody */
    weir_event_id created_event, last;
    weir_value *results; /* object: context → result */
    weir_value *nothing; /* the result of those that have none: an empty object */
    weir_value *error;
} weir__dataflow;

/* How many contexts are there and not opened yet: of the plan, then given from outside. */
static inline size_t weir__dataflow_count_waiting(const weir__dataflow *c) {
    return c->plan->contexts.count - c->planned + c->waiting.count - c->waiting_at;
}
/* NULL: it is gone, or there is none. */
static inline weir__context *weir__dataflow_context(const weir__dataflow *c, uint64_t number) {
    weir__context **place = weir_pages_at(&c->contexts, number);
    return place ? *place : NULL;
}
/* The first context from the number on that is at hand; NULL: there is none. */
weir__context *weir__dataflow_next_at_hand(const weir__dataflow *c, uint64_t number);
/* Of a context that is not gone. */
static inline weir__flow_task *weir__dataflow_task(const weir__dataflow *c, uint64_t task) {
    weir__flow_task *t = weir_pages_at(&c->flow_tasks, task);
    weir_assert(t);
    return t;
}

/* The context is to be looked at. */
void weir__dataflow_look_at(weir__dataflow *c, weir__context *context);
/* Nothing new may start in the context; what runs is stopped, but for clean-up unless `how` is KILL. */
void weir__dataflow_halt(weir__dataflow *c, weir__context *context, weir_stop how);
/* Whether there is no number for a further context. */
bool weir__dataflow_is_out_of_contexts(const weir__dataflow *c);
/* The number that the next context will have. */
uint32_t weir__dataflow_next_context(const weir__dataflow *c);
/* Makes a context with the next number; the caller fills in what it is given. */
weir__context *weir__dataflow_new_context(weir__dataflow *c, const weir__flow *flow, weir_str name,
                                          char *own_name);
/* A context that was made elsewhere gets the next number. */
void weir__dataflow_add_context(weir__dataflow *c, weir__context *context);
/* Makes the tasks that the context wants, caused by the event. */
void weir__dataflow_make_tasks(weir__dataflow *c, weir__context *context, weir_event_id cause);

/* Deals with what the context's last change brought up. */
void weir__dataflow_settle(weir__dataflow *c, weir__context *context, weir_event_id cause);
/* The run fails, unless it is at its end already; `error` is borrowed. */
void weir__dataflow_fail(weir__dataflow *c, weir_value *error);
/* How many parameter sets of the context came to their end. */
uint64_t weir__dataflow_count_done(const weir__context *context);
/* Ends the context; `results` is borrowed, NULL when it has none. */
void weir__dataflow_finish_context(weir__dataflow *c, weir__context *context, weir_value *results,
                                   uint64_t time_us);

/* --- decide.c */
bool weir__dataflow_decide(weir_coordinator *base, size_t limit, weir_decisions *decisions);
/* As `settle` of a coordinator. */
void weir__dataflow_fire_before(weir_coordinator *base, uint32_t context,
                                weir_decisions *decisions);

/* The data of context.finished for a context that is at its end: {name, parent?, results or error}. Tells the result of one
 * of the run's own. */
weir_value *weir__dataflow_end(const weir__context *context, weir_decisions *decisions);
/* What is left to the run once a context went as far as it could by itself. */
void weir__dataflow_account(weir__dataflow *c, weir__context *context, weir_decisions *decisions);

/* --- chunk.c: contexts in bulk */
/* Whether the next context is one for a chunk. */
bool weir__chunks_suit(const weir__dataflow *c);
/* Makes chunks, works on them and tells results; true when there is more to do. */
bool weir__chunks_work(weir__dataflow *c, size_t *limit, weir_decisions *decisions);
/* Applies contexts.taken and contexts.finished. */
bool weir__chunks_fit(const weir__dataflow *c, const weir_event *event);
void weir__chunks_take(weir__dataflow *c, const weir_event *event);
void weir__chunks_finish(weir__dataflow *c, const weir_event *event);
/* The next context of the chunk that the event names is opened as one of the run's own, when there is one. */
bool weir__chunks_fit_opening(const weir__dataflow *c, const weir_event *event);
weir__context *weir__chunks_open(weir__dataflow *c, const weir_event *event);
/* Nobody is at work on one. */
void weir__chunks_free(weir__dataflow *c);

/* --- ahead.c: a recorded run whose calls have no events any more */
/* Whether it may come to that. */
bool weir__dataflow_may_go_ahead(const weir__dataflow *c);
/* Whether it is so far. */
bool weir__dataflow_is_ahead(const weir__dataflow *c);
/* Whether contexts of the flow may be forgotten and run anew: they touch nothing but themselves, and only make calls. */
static inline bool weir__flow_can_go_ahead(const weir__flow *flow) {
    return flow->alone && flow->calls && !flow->locks;
}
bool weir__ahead_suits(const weir__dataflow *c, const weir__context *context);
/* Whether it suits earlier, rather than to journal the outcome of a call: it is large. */
bool weir__ahead_prefers(const weir__dataflow *c, const weir__context *context,
                         const weir_value *outcome);
/* Whether context.ahead fits. */
bool weir__ahead_fits(const weir__dataflow *c, const weir__context *context);
/* Goes on with a context that is ahead; its end is an event. */
void weir__ahead_work(weir__dataflow *c, weir__context *context, size_t *limit,
                      weir_decisions *decisions);
/* Applies context.finished, as far as it is about one that was ahead. */
void weir__ahead_finish(weir__dataflow *c, weir__context *context, const weir_event *event);

/* --- waiting.c: contexts that are given from outside */
/* Applies context.given, when its data fits. */
bool weir__dataflow_fits_given(const weir__dataflow *c, const weir_event *event);
void weir__dataflow_take_given(weir__dataflow *c, const weir_event *event);
/* Applies inputs.given and context.closed to a context that waits, when there is one of the name that takes them. */
bool weir__dataflow_fits_waiting(const weir__dataflow *c, const weir_event *event);
void weir__dataflow_send_waiting(weir__dataflow *c, const weir_event *event);
/* The next context of the run's own: of the plan, or given from outside. */
weir__context *weir__dataflow_new_own(weir__dataflow *c);
/* The next that was given from outside; there is one. */
weir__waiting weir__dataflow_take_waiting(weir__dataflow *c);
void weir__dataflow_free_waiting(weir__dataflow *c);

/* --- shorten.c: what is left of a journal's beginning */
bool weir__dataflow_fits_shortened(const weir__dataflow *c, const weir_event *event);
void weir__dataflow_take_shortened(weir__dataflow *c, const weir_event *event);

/* --- nested.c: operations that run a dataflow of their configuration. All but `decide` apply events. */
bool weir__nested_is(const weir__dataflow *c, weir_task_id task);
/* The attempt begins: its contexts are known from its parameters. */
void weir__nested_begin(weir__dataflow *c, weir_task_id task, uint32_t number);
void weir__nested_started(weir__dataflow *c, weir_task_id task);
void weir__nested_stop(weir__dataflow *c, weir_task_id task, weir_stop how);
void weir__nested_end(weir__dataflow *c, weir_task_id task);
/* Whether its contexts can go on so: the next is `place`. */
bool weir__nested_fits(const weir__dataflow *c, uint64_t task, uint32_t place);
/* Whether the event of a task fits, as far as it is about a dataflow. */
bool weir__nested_fits_event(const weir__dataflow *c, const weir_event *event);
weir__context *weir__nested_open(weir__dataflow *c, weir_task_id task, uint32_t place);
/* One of its contexts finished; `result` is borrowed, NULL when it has none. */
void weir__nested_finished(weir__dataflow *c, weir__context *context, weir_value *result);
/* An input of a forwarded definition came in the context. */
void weir__nested_forward(weir__context_owner *owner, weir__context *context, uint32_t input);
void weir__nested_decide(weir__dataflow *c, weir_task_id task, weir_decisions *decisions);
void weir__nested_free(weir__nested *nested);

/* --- restart.c: what a restarted run keeps. A path is the context's and the instance's name, of each dataflow within
 * another. */
weir_value *weir__dataflow_locate(const weir_coordinator *base, weir_task_id task);
void weir__dataflow_undo(const weir_coordinator *base, const weir_value *chosen, bool failed,
                         weir_value *const *paths, size_t count, bool *undone);

/* --- status.c: what others see */
/* What there is to see of a context's instances. */
weir_value *weir__dataflow_nodes(const weir__dataflow *c, const weir__context *context);
weir_value *weir__dataflow_status(const weir_coordinator *base);
void weir__dataflow_describe(const weir_coordinator *base, const weir_event *event,
                             weir_value *data);

#endif

/* Events: what a run's journal is made of. Facts came from outside, decisions from a coordinator or the task layer;
 * both are applied in the order of the journal, and state is nothing but what their application gives.
 *
 * An event's id is (context, sequence) within its run; context 0 is the run itself, a sequence counts from 1 within its
 * context. `prev` are the ids of the events that caused it. `data` belongs to the event. */
#ifndef WEIR_STORE_EVENT_H
#define WEIR_STORE_EVENT_H

#include "data/parts.h"

/* X(name, text): subject; number; data */
#define WEIR_EVENTS(X)                                                                                \
    /* the run */                                                                                     \
    X(RUN_CREATED, "run.created")     /* -; -; the request: file, text, inputs, owner, … */         \
    X(RUN_RECOVERED, "run.recovered") /* -; -; {owner} */                                             \
    X(RUN_CANCELLED,                                                                                  \
      "run.cancelled") /* -; 1: terminate; {command?, deadline_us?: by its deadline} */               \
    X(RUN_FINISHED, "run.finished") /* -; -; {phase, message?, results?, error?} */                   \
    /* dataflow */                                                                                    \
    X(CONTEXT_GIVEN, "context.given")   /* -; 1: held; {name, inputs}: from outside */                \
    X(CONTEXT_CLOSED, "context.closed") /* context; -; {name} of one that waits, else - */            \
    X(CONTEXTS_ENDED, "contexts.ended") /* -; -; -: no more will be given */                          \
    X(INPUTS_GIVEN, "inputs.given")     /* context; -; {inputs}, and name as above */                 \
    X(CONTEXT_OPENED,                                                                                 \
      "context.opened") /* context, or the task it is of; its place; {name, chunk?: it was in} */     \
    X(OPERATION_FIRED,                                                                                \
      "operation.fired") /* instance; tasks made; how many inputs each parameter has joined */        \
    X(CONTEXT_STAGED, "context.staged") /* context; its stage from now on; error? */                  \
    X(CALL_FINISHED, "call.finished")   /* instance; -; the outcome: of the next parameter set */     \
    X(CONTEXT_AHEAD, "context.ahead")   /* context; -; -: it begins anew, with no more events */      \
    X(CONTEXT_FINISHED,                                                                               \
      "context.finished")               /* context; -; {results} or {error}, and of one that   \
                                               ran ahead {done, failed, nodes?} */      \
    X(CONTEXTS_TAKEN, "contexts.taken") /* chunk; how many at most; -: they run ahead together */     \
    X(CONTEXTS_FINISHED,                                                                              \
      "contexts.finished") /* chunk; how many; {names, results, done, failed} */                      \
    /* workflow */                                                                                    \
    X(NODE_STARTED, "node.started")   /* node; -; {…} */                                            \
    X(NODE_FINISHED, "node.finished") /* node; -; {phase, message?, outputs?} */                      \
    /* task layer */                                                                                  \
    X(ATTEMPT_SCHEDULED, "attempt.scheduled") /* task; attempt; - */                                  \
    X(ATTEMPT_STARTED, "attempt.started")     /* task; attempt; {host?, pid?, images?} */             \
    X(ATTEMPT_READY, "attempt.ready")         /* task; attempt; - : a service can be used */          \
    X(ATTEMPT_METRIC, "attempt.metric")       /* task; attempt; {name, value, unit} */                \
    X(ATTEMPT_YIELDED, "attempt.yielded")   /* task; attempt; {outputs}: one set of a generator */    \
    X(ATTEMPT_STOPPING, "attempt.stopping") /* task; attempt; {why, how} */                           \
    X(ATTEMPT_FINISHED, "attempt.finished") /* task; attempt; the outcome, and member? */             \
    X(ATTEMPT_LOST, "attempt.lost")         /* task; attempt; {reason} */                             \
    X(TASK_RETRIED, "task.retried")         /* task; failures so far; {due_us} */                     \
    X(TASK_FINISHED,                                                                                  \
      "task.finished") /* task; 1: by a memoized result; the outcome when it is no attempt's */       \
    X(MEMO_FOUND, "memo.found")   /* task; -; {key, outputs, created, run?}: it need not run */       \
    X(MEMO_MISSED, "memo.missed") /* task; -; {key?, why}: without key its outcome is not kept */     \
    /* Types are numbers in journals: what comes later is appended. The run: */                       \
    X(RUN_SUSPENDED, "run.suspended") /* -; -; {command?}: its number in the store */                 \
    X(RUN_RESUMED, "run.resumed")     /* -; -; {command?} */                                          \
    X(OUTCOME_KEPT, "outcome.kept") /* its number, from 0; -; {key, path, task, outcome, sets?} */    \
    X(RUN_RESTARTED,                                                                                  \
      "run.restarted") /* -; outcomes that were kept; {command?, task?: its path, suspensions?} */    \
    /* and a task */                                                                                  \
    X(TASK_RECALLED,                                                                                  \
      "task.recalled") /* task; the kept outcome that is its; {sets?}: of a generator */              \
    /* the run */                                                                                     \
    X(RUN_SHORTENED, /* in a summary only: the next task; the next context; the other numbers that \
                        the next events have, and once what is left of the events that went */  \
      "run.shortened")                                                                                \
    /* workflow */                                                                                    \
    X(NODE_SET,                                                                                       \
      "node.set") /* -; -; {nodes, resume?, phase?, message?, parameters?, command?}: from outside */ \
    X(LOCK_GRANTED,                                                                                   \
      "lock.granted") /* node, or WEIR_CLAIM_RUN; -; of the run {locks: [{name, limit}]} */           \
    X(NODE_AGAIN, "node.again") /* node; -; -: it asks again, or, having its locks, begins */

typedef enum weir_event_type {
#define X(name, text) WEIR_##name,
    WEIR_EVENTS(X)
#undef X
        WEIR_EVENT_TYPE_COUNT
} weir_event_type;

typedef struct weir_event_id {
    uint32_t context;
    uint64_t sequence; /* 0: no event */
} weir_event_id;

typedef struct weir_event {
    weir_event_type type;
    uint32_t number;
    uint64_t subject;
    weir_event_id id;
    uint64_t time_us;
    const weir_event_id *prev; /* borrowed by whoever gets the event */
    size_t prev_count;
    weir_value *data; /* NULL: none */
} weir_event;

const char *weir_event_text(weir_event_type type);
/* Whether its subject is a task. */
static inline bool weir_event_has_task(weir_event_type type) {
    return type >= WEIR_ATTEMPT_SCHEDULED && type <= WEIR_TASK_RECALLED &&
           (type < WEIR_RUN_SUSPENDED || type > WEIR_RUN_RESTARTED);
}

/* The first bytes of a batch; each weir_event_encode adds one event. A summary stands for all batches up to its number: those
 * before it are not there. */
void weir_batch_begin(weir_buffer *batch);
void weir_batch_begin_summary(weir_buffer *batch);
bool weir_batch_is_summary(weir_str bytes);
/* Something in the batch refers to a large value. */
void weir_batch_note_parts(weir_buffer *batch);
bool weir_batch_has_parts(weir_str bytes);
void weir_event_encode(const weir_event *event, weir_buffer *batch);
/* The same, and large values go out (see weir_value_encode_parts); not the event's data as a whole, nor the lists in which
 * it has the results of many contexts. */
void weir_event_encode_parts(const weir_event *event, weir_parts *parts, weir_places *places,
                             weir_buffer *batch);

/* The forms of batches: their first byte. Parted ones have references to large values. */
enum { WEIR_BATCH_PLAIN = 1, WEIR_BATCH_SUMMARY, WEIR_BATCH_PARTED, WEIR_BATCH_PARTED_SUMMARY };

/* Reads a batch event by event. The event and its prev end with the next call. */
typedef struct weir_batch_reader {
    weir_str bytes;
    size_t offset;
    weir_parts *parts; /* where large values come from; borrowed, set once it is open */
    uint64_t
        wanted; /* of which types of events, a bit each; of the others a null stands for each */
    weir_event event;
    WEIR_VECTOR(weir_event_id) prev;
} weir_batch_reader;

WEIR_CHECKED bool weir_batch_open(weir_batch_reader *reader, weir_str bytes, weir_error *error);
/* *event is NULL at the end. */
WEIR_CHECKED bool weir_batch_next(weir_batch_reader *reader, const weir_event **event,
                                  weir_error *error);
void weir_batch_close(weir_batch_reader *reader);

/* Form: {"id": "0:7", "time": …, "type": …, "prev": […]}; the caller adds "data". */
weir_value *weir_event_to_value(const weir_event *event);

enum { WEIR_EVENT_PREV_MAX = 4096 }; /* more causes are cut */

#endif

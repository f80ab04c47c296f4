/* The task: the one thing that coordinators and executors share.
 *
 * A coordinator describes work as a task and hears of its outcome; it knows no executor. An executor runs attempts and
 * reports; it knows no coordinator. Everything that crosses this header is a value or a number, so an executor may sit
 * in this thread, another thread, another process or another machine.
 *
 * Invariants
 * - An attempt is named by (run, task, number, member) for ever. A number is never used twice, also not after a crash:
 *   a report whose attempt is not the one under way is late, and dropped. A lost attempt does not use up a retry.
 * - An attempt begins after the event that scheduled it is durable, and has exactly one outcome.
 * - A gang is one attempt of several members: all are started, the first that fails ends the rest, member 0 gives the
 *   outputs.
 * - A service is a task that is kept alive: started, ready (its dependants go on), healthy while nothing else is
 *   reported, drained and stopped when its coordinator says so; ending by itself is an outcome like any other.
 * - A child run is a task whose executor is the engine: operation "weir.run".
 * - A task without executor is done by its coordinator, which says itself when an attempt started and finished.
 * - A task with locks begins when it holds all of them, and gives them back when it is finished.
 * - A task whose outcomes are remembered is looked for before its first attempt; found, it has none.
 * - Values in a spec and an attempt are immutable and counted; a spec lives as long as its plan. */
#ifndef WEIR_TASK_TASK_H
#define WEIR_TASK_TASK_H

#include <weir/operation.h>

#include "data/value.h"
#include "task/estimate.h"
#include "task/memo.h"

typedef uint32_t weir_task_id; /* within its run, from 0, in order of creation */
#define WEIR_NO_TASK UINT32_MAX

enum { WEIR_RUN_ID_LENGTH = 20 };

typedef struct weir_attempt_id {
    char run[WEIR_RUN_ID_LENGTH + 1];
    weir_task_id task;
    uint32_t number; /* from 1; counts lost attempts too */
    uint32_t member; /* of a gang, from 0 */
} weir_attempt_id;

enum { WEIR_ATTEMPT_TEXT = 64 };
/* "RUN/TASK/NUMBER/MEMBER", as in WEIR_ATTEMPT; returns `out`. */
const char *weir_attempt_format(const weir_attempt_id *id, char out[static WEIR_ATTEMPT_TEXT]);
bool weir_attempt_equal(const weir_attempt_id *a, const weir_attempt_id *b);

typedef enum weir_task_kind {
    WEIR_TASK_WORK,    /* attempts on an executor until one ends it */
    WEIR_TASK_SERVICE, /* kept alive */
} weir_task_kind;

/* What an attempt wants of the machine it runs on; 0: nothing particular. */
typedef struct weir_resources {
    uint32_t cpu_milli;
    uint32_t gpus;
    uint64_t memory_bytes, disk_bytes;
    bool by_tags; /* what it is says only the attempt's config, as the file has tags there */
} weir_resources;

/* Who to run and how. Part of a plan: immutable. */
typedef struct weir_task_spec {
    weir_str name;              /* for people: instance, template, component */
    weir_str operation;         /* "add", "process.run", "weir.run" */
    const weir_operation *code; /* NULL: the executor knows what the operation means */
    weir_str executor;          /* by name: "inline", "process", "run"; empty: its coordinator */
    weir_task_kind kind;
    const struct weir_shape *shape; /* its ports (call.h); NULL: they go by name only */
    uint32_t attempts_max;          /* tries in all; 0 and 1: one */
    uint64_t backoff_us, backoff_max_us;
    double backoff_factor; /* below 1: as 1 */
    uint64_t timeout_us;   /* of one attempt; 0: none */
    uint64_t heartbeat_us; /* an attempt silent for longer is lost; 0: silence is fine */
    uint64_t freeze_us;    /* an attempt that does nothing for longer is ended; 0: it may */
    int32_t priority;      /* of those that are ready the highest begin first */
    uint32_t rank;         /* its place in the order of tasks that run one at a time */
    uint64_t grace_us;     /* between asking an attempt to end and ending it; 0: WEIR_GRACE_US */
    uint32_t members;      /* of the gang; 0 and 1: one */
    weir_resources resources;
    weir_estimate estimate;          /* what its file says that it takes */
    bool retried;                    /* its coordinator may try it again, with another task */
    bool slot;                       /* counts against the limit of attempts under way */
    const weir_memo *memo;           /* how its outcomes are remembered; NULL: not */
    const struct weir_task_spec *of; /* the plan's, of which it is a copy; NULL: it is the plan's */
} weir_task_spec;

/* The spec that the plan has, by which it knows what it is of. */
static inline const weir_task_spec *weir_task_spec_of(const weir_task_spec *spec) {
    return spec->of ? spec->of : spec;
}

static inline bool weir_task_tries_again(const weir_task_spec *spec) {
    return spec->attempts_max > 1 || spec->retried;
}

/* Whether its attempts run outside this process, as far as weir can tell. */
bool weir_task_leaves(const weir_task_spec *spec);

/* Whether an attempt may be scheduled some time before it can begin: nothing counts from its schedule on. */
bool weir_task_may_wait(const weir_task_spec *spec);

enum { WEIR_GRACE_US = 10 * 1000 * 1000, WEIR_ATTEMPTS_MAX = 1000000, WEIR_MEMBERS_MAX = 10000 };

/* A plan is counted: whoever holds an attempt holds its plan, and so its spec. See coordinator.h. */
struct weir_plan;
struct weir_plan *weir_plan_ref(struct weir_plan *plan); /* NULL is allowed */
void weir_plan_unref(struct weir_plan *plan);

/* What an executor gets. Borrowed during start; weir_attempt_hold keeps it. */
typedef struct weir_attempt {
    weir_attempt_id id;
    const weir_task_spec *spec;
    struct weir_plan *plan; /* that the spec is part of; NULL: it lives for ever */
    weir_value *parameters; /* object: what the operation consumes */
    weir_value *config;     /* object: how it is set up, tags replaced */
    bool sought;            /* it is no attempt yet: its outcome is looked for */
    weir_value *images; /* {name: digest}: which the run's images are from now on; NULL: none yet */
    weir_value
        *contexts;    /* array of the names of those it is in; NULL: the operation does not ask */
    weir_value *said; /* of one that is sought: its memo's `said`, tags replaced; NULL: nothing */
    uint32_t members; /* of the gang */
    bool near;        /* of a function: on the run's thread, as if it were cheap */
    bool again;       /* an earlier attempt was lost: its process may still be there */
    bool quiet;       /* nobody wants to hear of its start, its metrics and its usage */
    uint32_t lost_since;  /* the first attempt that was lost since one had an outcome; 0: none */
    uint64_t deadline_us; /* 0: none */
    uint64_t stopped_us; /* it is frozen when all its processes are stopped for so long; 0: never */
    uint64_t now_us;     /* of the event that scheduled it */
    uint64_t seed;       /* of its random numbers: the same for each attempt of its task */
} weir_attempt;

/* A copy that holds the plan and the values; ended with weir_attempt_drop. */
weir_attempt weir_attempt_hold(const weir_attempt *attempt);
void weir_attempt_drop(weir_attempt *attempt);

typedef enum weir_outcome_kind {
    WEIR_OUTCOME_SUCCEEDED,
    WEIR_OUTCOME_FAILED,    /* the work says no: exit code, returned error */
    WEIR_OUTCOME_ERRORED,   /* it could not be done: no such command, executor trouble */
    WEIR_OUTCOME_CANCELLED, /* somebody wanted it to end */
    WEIR_OUTCOME_EXPIRED,   /* its timeout passed */
    WEIR_OUTCOME_KINDS
} weir_outcome_kind;

typedef struct weir_outcome {
    weir_outcome_kind kind;
    weir_value
        *outputs; /* object; NULL: none. A process has stdout and exit_code also when it failed */
    weir_value *
        failure; /* {code, message, exit_code?, signal?, out_of_memory?, log?}; NULL when it succeeded */
    weir_value *
        usage; /* {wall_us, cpu_us?, memory_peak_bytes?, bytes_in?: of files that its parameters name and of artifacts, bytes_out?}; NULL: unknown */
} weir_outcome;

const char *weir_outcome_text(weir_outcome_kind kind);
/* An outcome that is no success, with its failure. */
weir_outcome weir_outcome_failed(weir_outcome_kind kind, const char *code, const char *format, ...)
    WEIR_PRINTF(3, 4);
void weir_outcome_deinit(weir_outcome *outcome);
/* The form in events: {outcome, outputs?, failure?, usage?}. */
weir_value *weir_outcome_to_value(const weir_outcome *outcome);
weir_outcome weir_outcome_from_value(const weir_value *value);

/* What an executor says of an attempt. */
typedef enum weir_report_kind {
    WEIR_REPORT_STARTED,   /* data: {host, pid?} */
    WEIR_REPORT_READY,     /* a service can be used */
    WEIR_REPORT_HEARTBEAT, /* it lives; not kept */
    WEIR_REPORT_METRIC,    /* data: {name, value, unit} */
    WEIR_REPORT_YIELDED,   /* data: {outputs}: one set of a generator; more may follow */
    WEIR_REPORT_LOST,      /* the executor lost sight of it; data: {reason} */
    WEIR_REPORT_FROZEN,    /* it does nothing any more; data: {reason}. It is made to end */
    WEIR_REPORT_FINISHED /* outcome: its last report. A service that fails its health check finishes, failed */
} weir_report_kind;

typedef struct weir_report {
    weir_attempt_id attempt;
    weir_report_kind kind;
    bool at_once; /* made on the loop's thread within `start`, as is every report of this attempt */
    weir_value *data;
    weir_outcome outcome;
} weir_report;

void weir_report_deinit(weir_report *report);

/* Who listens to executors. `report` may be called from any thread and takes the report's values over. */
typedef struct weir_reporter {
    void (*report)(struct weir_reporter *reporter, const weir_report *report);
} weir_reporter;

/* How an attempt is made to end. */
typedef enum weir_stop {
    WEIR_STOP_DRAIN, /* a service: finish what you have, then end */
    WEIR_STOP_TERM,  /* ask, and end it after its grace */
    WEIR_STOP_KILL,  /* end it now */
    WEIR_STOP_OWN    /* the same, if this process started it: the run may be another's by now */
} weir_stop;

/* An executor: embedded first in its own struct. Called on the loop's thread. */
typedef struct weir_executor {
    const struct weir_executor_class *class;
} weir_executor;

typedef struct weir_executor_class {
    const char *name;
    /* Begins the attempt. Never fails: what goes wrong is reported as its outcome, perhaps before this returns. */
    void (*start)(weir_executor *executor, const weir_attempt *attempt);
    /* An attempt that is already over is ignored. WEIR_STOP_KILL for one that this process did not start ends what an
     * engine that died left behind of its task. */
    void (*stop)(weir_executor *executor, const weir_attempt_id *attempt, weir_stop how,
                 uint64_t grace_us);
    /* Ends what is under way without reporting, then frees. */
    void (*close)(weir_executor *executor);
} weir_executor_class;

#endif

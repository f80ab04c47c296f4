/* The inside of the Python executor. What it and its workers (sdk/python/weir/worker.py) tell each other:
 *
 * to the worker, one list a message:      (DEFINE, function, name, inputs, outputs, config)  `inputs`, `outputs`: names
 *                                         (CALL, function, call, (parameters))               in the order of `inputs`
 *                                         (CALL_WITH, function, call, (parameters))  the same, of which some are bytes or objects
 *                                         (DESCRIBE, name)
 *                                         (FORGET,)                          lets go of memory that it was given
 * on its standard input, one a message:   (CANCEL, call) (RECALL, how many) (MORE, call)
 * from the worker, one list a message:    (RESULT, call, us, value)            the only output
 *                                         (RESULTS, call, us, {name: value})
 *                                         (FAILED, call, us, code, message, traceback)
 *                                         (YIELDED, call, value) (YIELDS, call, {name: value})
 *                                         (LOG, call, error stream, text)      call -1: while a module was imported
 *                                         (METRIC, call, name, value, unit)
 *                                         (RECALLED, -1, [calls])              that it has not begun
 *                                         (DESCRIBED, -1, description)
 *                                         (HELLO, -1, version)                 its first
 * before that, of an environment:         (PROGRESS, -1, text)                 what is being installed
 *                                         (UNFIT, -1, message, hint, log)      it cannot be: its last
 * Descriptors that come with a message are of memory that its values refer to (see data/marshal.h).
 * A page that both see has the call that the worker began last. */
#ifndef WEIR_EXECUTOR_PYTHON_INTERNAL_H
#define WEIR_EXECUTOR_PYTHON_INTERNAL_H

#include "base/map.h"
#include "data/marshal.h"
#include "executor/crowd.h"
#include "executor/host.h"
#include "executor/python.h"
#include "io/channel.h"
#include "io/process.h"

enum {
    WEIR__PYTHON_DEFINE,
    WEIR__PYTHON_CALL,
    WEIR__PYTHON_DESCRIBE,
    WEIR__PYTHON_CALL_WITH,
    WEIR__PYTHON_FORGET
};
enum { WEIR__PYTHON_CANCEL, WEIR__PYTHON_RECALL, WEIR__PYTHON_MORE };
enum {
    WEIR__PYTHON_RESULT,
    WEIR__PYTHON_RESULTS,
    WEIR__PYTHON_FAILED,
    WEIR__PYTHON_YIELDED,
    WEIR__PYTHON_YIELDS,
    WEIR__PYTHON_LOG,
    WEIR__PYTHON_METRIC,
    WEIR__PYTHON_RECALLED,
    WEIR__PYTHON_DESCRIBED,
    WEIR__PYTHON_HELLO
};
enum { WEIR__PYTHON_PROGRESS = 20, WEIR__PYTHON_UNFIT };
enum { WEIR__PYTHON_VERSION = 2 };

/* How functions share workers: one call after the other; many at once on one event loop; one alone. A worker has calls of one kind at a
 * time, so that none waits behind one of another kind. */
typedef enum weir__python_kind {
    WEIR__PYTHON_PLAIN,
    WEIR__PYTHON_COROUTINE,
    WEIR__PYTHON_GENERATOR,
    WEIR__PYTHON_KINDS
} weir__python_kind;

typedef struct weir__python weir__python;
typedef struct weir__python_worker weir__python_worker;

/* An operation as a plan has it. */
typedef struct weir__python_function {
    uint32_t number; /* among the environment's */
    weir__python_kind kind;
    uint32_t users; /* calls that are not over */
    const weir_task_spec *spec;
    struct weir_plan *plan; /* held, as the spec is its */
    weir_value *config;
} weir__python_function;

/* An attempt that is not over. */
typedef struct weir__python_call {
    uint32_t number; /* among the executor's */
    weir_attempt attempt;
    weir_python_environment *environment;
    weir__python_function *function;
    weir__python_worker *worker;               /* NULL: it waits */
    struct weir__python_call *previous, *next; /* in the worker's or the environment's list */
    weir_log *log;                             /* NULL: it printed nothing */
    weir_timer *killer;                        /* NULL: nobody told it to end */
    unsigned moved;      /* how often it was put back when its worker ended and nobody knew why */
    unsigned yields;     /* that the worker was not told of yet: taken */
    bool stopped, begun; /* its start was reported */
} weir__python_call;

/* In the order in which they came. */
typedef struct weir__python_list {
    weir__python_call *first, *last;
    size_t count;
} weir__python_list;

struct weir__python_worker {
    weir_python_environment *environment;
    weir_process *process; /* NULL: it has ended */
    weir_channel *calls, *control;
    volatile int64_t *page;  /* the call that it began last, from 1; 0: none */
    weir__python_list list;  /* what it was given and has not answered, the oldest first */
    weir__python_kind kind;  /* of those; of one without calls it means nothing */
    WEIR_VECTOR(bool) knows; /* functions, by number */
    uint64_t call_ns;        /* about what one takes; 0: nobody knows */
    uint64_t heard_us;       /* when it said anything last */
    bool greeted, leaves;    /* it said hello; it is to end */
    bool recalls;            /* it was asked to give calls back */
    bool holds;              /* it has memory that it was given */
    weir_value *described;   /* what it answered; NULL: nothing yet */
    weir_buffer said;        /* the last that it wrote past Python, for who asks why it ended */
};

struct weir_python_environment {
    weir__python *executor;
    char *key, *interpreter, *directory, *beside;
    char *requirements;      /* with the folder where they are kept; "": none */
    bool installed;          /* as far as this process knows */
    weir_value *unfit;       /* why they cannot be: {message, hint, log}; NULL: nobody knows yet */
    uint64_t unfit_until_us; /* then it is tried again; steady */
    WEIR_VECTOR(weir__python_worker *) workers;
    WEIR_VECTOR(weir__python_function *) functions; /* by number; NULL: free */
    WEIR_VECTOR(uint32_t) free_functions;
    size_t functions_kept; /* with as many, those that nobody runs are dropped */
    weir_map by_spec;
    weir__python_list waiting[WEIR__PYTHON_KINDS];
    uint64_t waits_us
        [WEIR__PYTHON_KINDS]; /* since when calls wait with no worker at any; 0: they do not; steady */
    uint64_t turn_us[WEIR__PYTHON_KINDS]; /* since when one is */
    size_t busy;                          /* workers that had calls when that was looked at last */
    bool posted;                          /* dispatching is */
    unsigned failures; /* of workers that ended before they said hello, since one did */
};

struct weir__python {
    weir_executor base; /* first */
    weir_loop *loop;
    weir_reporter *reporter;
    weir_logs *logs;
    weir_timer *timer;        /* of calls that wait behind one that takes long */
    weir_timer *forget_timer; /* of memory that idle workers have */
    uint64_t shared_max;      /* bytes of memory that values share; 0: not asked yet */
    WEIR_VECTOR(weir__python_call *) calls; /* by number; NULL: free */
    WEIR_VECTOR(uint32_t) free_numbers;
    WEIR_VECTOR(weir_python_environment *) environments;
    weir_map by_site;
    weir_timer *idle_timer; /* of workers that have nothing to do */
    uint64_t idle_us;       /* for so long they stay */
    bool watches_idle;      /* the timer is started */
    size_t processes;       /* that have not ended */
    size_t processors;      /* asked for once: that is a file of the kernel to be read */
    size_t stopped_at;
    weir_crowd *crowd;
    size_t taking; /* sets that are on their way */
    bool closed;
};

void weir__python_list_add(weir__python_list *list, weir__python_call *call);
void weir__python_list_add_first(weir__python_list *list, weir__python_call *call);
void weir__python_list_remove(weir__python_list *list, weir__python_call *call);

/* --- python.c */

/* The call is over: takes the outcome over and frees the call. */
void weir__python_finish(weir__python_call *call, weir_outcome *outcome);
/* It is to be tried again, by another attempt. */
void weir__python_lose(weir__python_call *call, const char *reason);
/* What those that wait fail with, as their environment cannot be. */
void weir__python_fail_unfit(weir_python_environment *environment);
/* It has memory that it shares: it lets go of what it can when it is idle. */
void weir__python_holds(weir__python_worker *worker);
/* Gives calls to workers soon. */
void weir__python_dispatch_soon(weir_python_environment *environment);
/* One set of a generator: takes it over. The next ones come once this is taken, unless the run has too much to do. */
void weir__python_yielded(weir__python_call *call, weir_value *outputs);
/* NULL: none of that number is over there. */
weir__python_call *weir__python_call_of(const weir__python_worker *worker, int64_t number);

/* Drops functions of plans that nobody runs now. */
void weir__python_drop_unused(weir_python_environment *environment);

/* --- python_pool.c: how environments share the processors */

void weir__python_pool_open(weir__python *executor);
/* Workers that have calls of the kind. */
size_t weir__python_count_busy(const weir_python_environment *environment, weir__python_kind kind);
/* That may have some at once, over all environments; and how many of them this one may have now. */
size_t weir__python_workers_max(const weir__python *executor, weir__python_kind kind);
size_t weir__python_share(const weir_python_environment *environment, weir__python_kind kind);
/* Ends an idle worker of another environment where there are very many. */
void weir__python_make_room(const weir_python_environment *environment);
/* Workers that have nothing to do for a while will end. */
void weir__python_watch_idle(weir__python *executor);

/* --- python_worker.c: a worker process */

/* NULL and the error: it could not be started. It is among the environment's. */
weir__python_worker *weir__python_worker_start(weir_python_environment *environment,
                                               weir_error *error);
/* What it tells of its functions' calls comes by these; see python_report.c. */
void weir__python_take(weir__python_worker *worker, weir_str bytes, weir_enclosed *enclosed);
/* What it says is no message: it is ended. */
void weir__python_distrust(weir__python_worker *worker);
/* What is printed while no call is under way. */
void weir__python_print(const weir__python_worker *worker, weir_str text);
/* Its process ended. */
void weir__python_worker_ended(weir__python_worker *worker, const weir_process_end *end);
void weir__python_worker_kill(weir__python_worker *worker);
/* A command on its other channel. */
void weir__python_command(weir__python_worker *worker, int command, int64_t argument);
void weir__python_worker_free(weir__python_worker *worker);

#endif

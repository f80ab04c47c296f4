/* The inside of the engine: the one place with a clock, randomness, ids, files and processes. It owns runs, and wires
 * their machines to the store and the executors. Everything belongs to the loop's thread. */
#ifndef WEIR_ENGINE_ENGINE_INTERNAL_H
#define WEIR_ENGINE_ENGINE_INTERNAL_H

#include <stdatomic.h>

#include "data/document.h"
#include "data/proof.h"
#include "engine/cost.h"
#include "engine/limits.h"
#include "engine/machine.h"
#include "engine/records.h"
#include "engine/restart.h"
#include "engine/values.h"
#include "executor/inline.h"
#include "executor/process.h"
#include "io/crew.h"
#include "store/blob.h"
#include "store/store.h"
#include "task/forecast.h"
#include "task/registry.h"

typedef struct weir__engine_reporter {
    weir_reporter base; /* first */
    weir_engine *engine;
} weir__engine_reporter;

/* A shared object that was loaded; its content's hash is kept with the runs that may use it. */
typedef struct weir__plugin {
    void *object; /* of dlopen */
    char *path;   /* absolute */
    uint64_t hash;
    const weir_plugin *plugin; /* what it has; NULL: not yet known */
    bool named;                /* by the options, not only its folder */
} weir__plugin;

/* Names that no run has, or had a moment ago: the last `count` that were looked for, all with the same prefix. */
typedef struct weir__names {
    weir_buffer texts;
    size_t prefix, count,
        wanted;        /* the prefix's length; `wanted`: how many were asked about last */
    uint64_t until_us; /* of the steady clock */
} weir__names;
/* In a state that was restored: a word by which its processes are told from those of the state that was backed up. */
#define WEIR__COPY_FILE "copy"

enum {
    WEIR__EXECUTOR_INLINE,
    WEIR__EXECUTOR_PROCESS,
    WEIR__EXECUTOR_LISTING,
    WEIR__EXECUTOR_PYTHON,
    WEIR__EXECUTOR_RUN,
    WEIR__EXECUTORS
};

struct weir_engine {
    weir_loop *loop;
    weir_store *store;
    weir_timer *waiting; /* of weir_run_wait */
    bool waited;
    weir_timer *listening; /* of runs that are to have a listener */
    bool listens;          /* it is started */
    weir_options options;
    char *state; /* NULL: none */
    char *
        templates; /* the folder of those that are kept, also of an engine that only looks; NULL: there is no state */
    char *locks; /* where `runs/` is: the folder of the store's file, else the state; NULL: none */
    weir_registry registry;
    struct weir__pythons *pythons;
    size_t standard; /* of its operations, from the first on, are weir's own */
    WEIR_VECTOR(weir__plugin) plugins;
    weir_secrets secrets;
    WEIR_VECTOR(char *) secrets_given; /* names of those that the options have */
    weir_logs logs;
    weir__engine_reporter reporter;
    weir_executor *executors[WEIR__EXECUTORS];
    WEIR_VECTOR(weir_run *) runs;
    weir_crew *crew; /* that helps with the contexts of runs; NULL: one thread */
    char owner[300]; /* "host:pid" */
    uint64_t opened_us, opened_steady_us; /* wall clock and steady clock at the same moment */
    weir_repository *repository;          /* of artifacts */
    char *executor;                       /* of steps whose request says none; NULL: auto */
    weir_image_store *images;             /* NULL: nothing is isolated */
    weir_images image_options;            /* what they have of texts is the engine's */
    size_t collections;                   /* of artifacts that go */
    weir_blobs *blobs;                    /* NULL: not yet wanted */
    struct weir__memos *memos;            /* the same */
    struct weir__locks *locks_wanted;     /* that runs wait for; the same */
    size_t rounds;                        /* of large values: threads that work on them */
    WEIR_VECTOR(struct weir__departures *) rounds_waiting;
    weir_document last_file; /* that a run was started from */
    char *folder;            /* where the process works */
    int lock_file; /* with a byte for each run that is driven, locked by its owner; -1: not yet wanted */
    size_t naming; /* how many runs with given names begin */
    weir__names names;
    struct weir_restart
        *inherited;              /* what the next run that begins keeps of another; NULL: nothing */
    struct weir__limits *limits; /* of what all its runs take */
    weir_sources *recalled;      /* of runs that are to go on */
    bool closing;
    bool left;                /* operations do not end, so this goes on existing: */
    struct weir_engine *next; /* the next such */
};

/* A context's result, for the engine's listener. */
typedef struct weir__told {
    char *context;
    weir_value *result;
} weir__told;

/* Starts of attempts that are durable and wait for a slot: those from `first` on, the oldest first. */
typedef struct weir__slots {
    WEIR_VECTOR(weir_effect) starts;
    size_t first;
    uint64_t waiting,
        on_way; /* slots that they need; that those need whose batch is not durable yet */
    uint64_t window_us, ended; /* since when how many ended, by the steady clock */
    bool gathers;              /* the run's timer is set to pump for what came of some */
} weir__slots;

/* Who waits for a command to be durable: of the listener, or of the store (its number is `command`). */
typedef struct weir__asker {
    uint64_t sequence; /* of the batch that has to be */
    uint64_t ticket, command;
} weir__asker;

/* What a run will take as a whole. */
typedef struct weir__outlook {
    uint64_t wall_us, wall_high_us; /* until its end; if all take as long as one in ten does */
    uint64_t work_us;               /* of all tasks together */
    uint64_t memory_bytes, at_once; /* at most; tasks */
    uint64_t tasks, unknown;        /* steps of which nobody knows how long they take */
    bool at_least;                  /* there may be more tasks */
} weir__outlook;

/* --- foresee.c: before a run */

struct weir_forecast;
/* The forecast has what its tasks take; the request says in which order, and in which mode. */
weir__outlook weir__foresee(const weir_engine *engine, const struct weir_forecast *forecast,
                            const weir_value *request);
/* What may run at once, and in which order. */
weir_forecast_limits weir__foresee_limits(const weir_engine *engine, const weir_value *request);
/* From now on it tells sizes of inputs, as the request gives them: before it is filled. */
void weir__foresee_sizes(struct weir_forecast *forecast, const weir_value *request);
/* {seconds, high, course: of its tasks alone, tasks, at_least?, unknown?} of a file of this text, as run.created keeps it, by what the request gives: new reference. NULL: nothing is known, or the plan is so
 * large that looking takes longer than a run should wait. */
weir_value *weir__foresee_briefly(const weir_engine *engine, const weir_plan *plan,
                                  const weir_value *request);

/* --- left.c: while it goes on */

/* False: nobody knows. */
bool weir__run_left(weir_run *run, uint64_t *left_us);
/* The course of what its tasks took, now that it is over; UINT64_MAX: not known. */
uint64_t weir__run_course(const weir_run *run);
struct weir__left;
void weir__left_free(struct weir__left *left); /* NULL is allowed */
/* `estimate` of the request, where it has one. */
void weir__put_estimate(weir_value *value, const weir_value *request);

struct weir_run {
    weir_engine *engine;
    char id[WEIR_RUN_ID_LENGTH + 1];
    char *name, *file;
    char *folder; /* where it was started: relative paths are meant from there */
    bool named;   /* its first batch is on its way, under the lock of names */
    struct weir__stand_ins *stand_ins; /* NULL: its plugins are there, so it can be driven */
    weir_plan *plan;
    weir_machine *machine;
    weir_records *records; /* of what the store's tables are told; NULL: nobody wants it */
    weir_timer *timer;
    weir_desk *desk;            /* where the crew finds its jobs; NULL: there is no crew */
    weir_listener *listener;    /* NULL: nobody can reach it from outside, or not yet */
    uint64_t listen_us;         /* when it is to have one, by the steady clock */
    bool locked;                /* its byte of the file of locks is */
    uint64_t sequence, durable; /* of the last batch; of the last that is durable */
    uint64_t lingers_us; /* since when there are events that no batch has; 0: there are none */
    uint64_t version;    /* of the store when it was looked at last, to watch it */
    uint64_t away_us;    /* since when its server is away for who watches; 0: it is not */
    WEIR_VECTOR(weir__asker) askers;
    weir_value
        *held; /* the task that it is to be restarted at, once all is durable; NULL: it goes on */
    weir__asker held_for;
    WEIR_VECTOR(weir_value *) observed; /* events for the watcher since the last batch */
    WEIR_VECTOR(weir__told) told;       /* results since the last batch */
    weir__slots slots;
    weir_sources *sources;               /* whose records are its contexts; NULL: none */
    struct weir__run_memo *memo;         /* what it looks for; NULL: nothing yet */
    struct weir__forgetting *forgetting; /* NULL: it remembers all */
    weir__values values;
    struct weir__departures *departures; /* batches whose values are being put; NULL: none */
    struct weir__costs *costs;           /* of its attempts; NULL: nobody wants them */
    struct weir__estimates *expected;    /* of what its tasks take; NULL: not yet asked for */
    struct weir__actual *actual;         /* what its tasks took so far; NULL: nobody wants events */
    struct weir__left *left;             /* how long it still takes; NULL: not yet asked for */
    bool recorded;                       /* its events are wanted: by the store or a watcher */
    atomic_bool pump_posted;
    bool has_locks;  /* it is a workflow with some */
    bool wants_back; /* it goes on once it has the locks again that it had when its engine died */
    bool wants_for_exit; /* it was cancelled before: they are of its exit handlers */
    bool owned;          /* this process drives it: only then may its attempts be touched */
    bool loading;        /* its journal is being replayed: nobody watches but `replayed` */
    void (*replayed)(void *arg, weir_run *run, const weir_event *event);
    void *replayed_arg;
    bool enough;     /* whoever replays it needs no more: the next batch is not read */
    bool hidden;     /* a child of a run that is driven here: watchers see its parent only */
    bool record_due; /* it has a new owner, or another phase */
    bool pumping, carrying, again, over;
    bool failed; /* the store or weir itself could not: `error` says why */
    weir_error error;
    /* Called once when it is over; for child runs. */
    void (*ended)(void *arg, weir_run *run);
    void *ended_arg;
};

/* --- slots.c: attempts that wait until fewer are under way */

/* Starts what there is room for; gives back the rest when the run is suspended. */
void weir__slots_fill(weir_run *run);
/* Adds the start of an attempt that takes slots, and is durable. */
void weir__slots_add(weir_run *run, const weir_effect *start);
/* Whether it waited, and does so no more. */
bool weir__slots_remove(weir_run *run, weir_task_id task, uint32_t number);
/* An attempt came to its end, and the machine knows: the next takes its place. */
void weir__slots_freed(weir_run *run, const weir_attempt_id *attempt);
/* How long what came of attempts may wait for more of it, as enough of them can begin without. */
uint64_t weir__slots_gather_us(const weir_run *run);
/* None begins any more. */
void weir__slots_drop(weir_run *run);

/* The time: the wall clock at the engine's start, and what the steady clock counted since. Setting the clock neither
 * ends an attempt nor spares it. */
uint64_t weir__now_us(const weir_engine *engine);

/* Every outcome passes here before it is kept: nothing nested too deep, no secrets. */
void weir__outcome_admit(const weir_engine *engine, weir_outcome *outcome);

/* --- forget.c: what goes while a run goes on */

/* When the run is made. */
void weir__forget_begin(weir_run *run, const weir_value *request);
void weir__forget_end(weir_run *run);
/* Now and then, of a run that forgets and is driven here: leaves out some of what is old enough. */
void weir__forget_some(weir_run *run);

/* --- plugin.c: shared objects with operations */

/* Loads what the options name, and what is in the state's `plugins`; a plugin that is loaded already only once. */
WEIR_CHECKED bool weir__plugins_load(weir_engine *engine, weir_error *error);
void weir__plugins_unload(weir_engine *engine);
/* [{path, hash}], as run.created keeps it. */
weir_value *weir__plugins_to_value(const weir_engine *engine);
/* CONFLICT when a plugin is another than the run was started with, unless the engine's options name it. */
WEIR_CHECKED bool weir__plugins_check(const weir_engine *engine, const weir_value *plugins,
                                      weir_error *error);
/* Loads what a run was started with; not from another user's state. */
WEIR_CHECKED bool weir__plugins_from_value(weir_engine *engine, const weir_value *plugins,
                                           weir_error *error);

/* --- describe.c: operations as values */

/* What weir_operations gives for each; and one that is like it, without code. */
weir_value *weir__operation_to_value(const weir_operation *operation);
weir_operation weir__operation_from_value(weir_arena *arena, weir_str name,
                                          const weir_value *value);

/* {NAME: description} of the plugins' operations that the text names, as run.created keeps them. */
weir_value *weir__operations_of_plugins(const weir_engine *engine, weir_str text);
/* Operations that are like those described, without their code: enough for a plan to be read, not to be run. */
typedef struct weir__stand_ins weir__stand_ins;
/* The engine's operations, and those described that it lacks. `why` it lacks them is kept. */
weir__stand_ins *weir__stand_ins_new(const weir_engine *engine, const weir_value *operations,
                                     const weir_error *why);
const weir_registry *weir__stand_ins_registry(const weir__stand_ins *stand_ins);
const weir_error *weir__stand_ins_why(const weir__stand_ins *stand_ins);
/* After every plan that was made with them. */
void weir__stand_ins_free(weir__stand_ins *stand_ins); /* NULL is allowed */

/* --- python.c: operations that are Python functions */

struct weir__pythons;
/* Has the registry find them from now on. */
void weir__pythons_open(weir_engine *engine);
/* After the executors were closed. */
void weir__pythons_close(weir_engine *engine);
/* Those that are found from now on are of this file, of a run with this request, until it is compiled: NULL and NULL. */
void weir__python_at(weir_engine *engine, const weir_document *document, const weir_value *request);
/* Keeps with a request what those are that the file named which was compiled last. */
void weir__python_keep(const weir_engine *engine, weir_value *request);

/* --- request.c: what stands in files of its own */

enum { WEIR__REQUEST_FILES = 2 };
typedef struct weir__request {
    weir_value *value; /* the request with what its files have */
    weir_document documents[WEIR__REQUEST_FILES];
} weir__request;

/* Reads the files that the request names for its inputs and contexts. What is wrong with those is from now on said at its
 * place there: `problems` looks at the request, which has to outlive what is added. To be closed in any case. */
WEIR_CHECKED bool weir__request_open(weir__request *request, const weir_value *given,
                                     weir_problems *problems);
void weir__request_close(weir__request *request);

/* --- kind.c: from a file to a plan */

typedef struct weir__kind {
    const char *name;
    weir_yaml_booleans booleans;
    weir_plan *(*compile)(const weir_document *document, const weir_value *request,
                          const weir_registry *registry, weir_problems *problems);
    /* What its plan, compiled of the proof's document, can come to. */
    void (*prove)(const weir_plan *plan, const weir_value *request, weir_proof *proof);
} weir__kind;

/* Reads the request's file (or its `text`) and tells its kind; NULL and a problem when that fails. The document is the
 * caller's to end in any case. */
const weir__kind *weir__load_file(const weir_value *request, bool kept, weir_document *document,
                                  weir_problems *problems);
/* The same without what a workflow refers to, which the other then puts into it; a journal's has it already. */
const weir__kind *weir__read_file(weir_document *last, const weir_value *request, bool kept,
                                  weir_document *document, weir_problems *problems);
WEIR_CHECKED bool weir__complete_workflow(weir_document *document, const weir_value *request,
                                          bool kept, weir_problems *problems);
/* As the first; a file that is as it was the last time is not parsed again (see weir_document_load_again). */
const weir__kind *weir__load_file_again(weir_document *last, const weir_value *request, bool kept,
                                        weir_document *document, weir_problems *problems);

/* NULL when anything is wrong with the file, also what was found while it was read. */
weir_plan *weir__compile(const weir__kind *kind, const weir_document *document,
                         const weir_value *request, const weir_registry *registry,
                         weir_problems *problems);

/* --- check.c */

/* Calls back with each problem, and warning; the error is the first problem. */
void weir__say_problems(const weir_problems *problems,
                        void (*problem)(void *arg, const weir_error *error), void *arg,
                        weir_error *error);
void weir__say_warnings(const weir_problems *problems,
                        void (*problem)(void *arg, const weir_error *error), void *arg);

/* A request's file, compiled and not run. */
typedef struct weir__compiled {
    weir__request request;
    weir_document document;
    const weir__kind *kind;
    weir_plan *plan;
} weir__compiled;

/* False and what is wrong: there is nothing to close. `check`: it is compiled as `weir check` does, without all inputs. */
WEIR_CHECKED bool weir__compiled_open(weir_engine *engine, const weir_value *request, bool check,
                                      void (*problem)(void *arg, const weir_error *error),
                                      void *arg, weir__compiled *out, weir_error *error);
void weir__compiled_close(weir__compiled *compiled);

/* --- run.c: a run from begin to end */

/* The plan of the run's file with another request; NULL: `error` says why. */
weir_plan *weir__run_compile(weir_run *run, const weir_value *request, weir_error *error);
/* The same, as weir_machine_options has it; `arg` is the run. */
weir_plan *weir__run_plan(void *arg, const weir_value *request);
/* `request` is complete, as run.created keeps it; the plan is taken over. */
weir_run *weir__run_new(weir_engine *engine, const char *id, weir_str name,
                        const weir_value *request, weir_plan *plan);
void weir__run_free(weir_run *run);
/* The id of a run that is named, or by id, or "@latest". */
WEIR_CHECKED bool weir__run_id(weir_engine *engine, weir_str name,
                               char id[static WEIR_RUN_ID_LENGTH + 1], weir_error *error);
/* NOT_FOUND: there is no such run. */
WEIR_CHECKED bool weir__run_exists(weir_engine *engine, weir_str name, weir_error *error);
typedef enum weir__start {
    WEIR__START_HERE,
    WEIR__START_CHILD, /* of a run that is driven here */
    WEIR__START_LEFT   /* only written down, for another process */
} weir__start;
/* visit.c: of a run that keeps them, the attempt's files stay in the state. */
void weir__keep_files(const weir_run *run, weir_attempt *attempt);
/* What is kept of a run goes. */
bool weir__keep_remove(const weir_engine *engine, const char *run); /* false: something is left */
/* template.c: the request gets the folder of the state's templates, if there is one. */
char *weir__templates_folder(const char *state);
void weir__templates_name(const weir_engine *engine, weir_value *request);
/* weir_run_start, for others too. */
WEIR_CHECKED bool weir__run_start(weir_engine *engine, const weir_value *request, weir__start how,
                                  void (*problem)(void *arg, const weir_error *error), void *arg,
                                  weir_run **out, weir_error *error);
/* Loads a run from the store and replays it, without driving it. `replayed` (may be NULL) sees each event. */
WEIR_CHECKED bool weir__run_load(weir_engine *engine, const char *name,
                                 void (*replayed)(void *arg, weir_run *run,
                                                  const weir_event *event),
                                 void *arg, weir_run **out, weir_error *error);
/* The same, with what its events change in the tables since the store was told last; for a run that is to go on. */
WEIR_CHECKED bool weir__run_load_recorded(weir_engine *engine, const char *name, weir_run **out,
                                          weir_error *error);
/* A replay that goes some batches at a time, of a run by name or id; `replayed` sees each event. The run may be open here, or
 * replayed twice, as long as the loop does not turn meanwhile. NOT_FOUND. */
typedef struct weir__replay weir__replay;
WEIR_CHECKED bool weir__replay_open(weir_engine *engine, weir_str run,
                                    void (*replayed)(void *arg, weir_run *run,
                                                     const weir_event *event),
                                    void *arg, weir__replay **out, weir_error *error);
/* *more: there may be more. */
WEIR_CHECKED bool weir__replay_more(weir__replay *replay, bool *more, weir_error *error);
void weir__replay_close(weir__replay *replay);
/* Makes the rows of a run's tables anew, as its owner meanwhile. CONFLICT: somebody drives it. */
WEIR_CHECKED bool weir__run_rebuild(weir_engine *engine, const char *name, weir_error *error);
/* Reads what was written since it was loaded, or last read. */
WEIR_CHECKED bool weir__run_catch_up(weir_run *run, weir_error *error);
/* weir_run_wait, of a run that is only watched. */
bool weir__run_look_on(weir_run *run, uint32_t timeout_ms);
/* The run is another process's by now: a listener of the store. */
void weir__run_lost(void *engine, weir_str id, const weir_error *why);
/* Steps the machine, writes what happened and carries out what is durable. */
void weir__run_pump(weir_run *run);
/* Any thread: `work` is done when the loop comes to it, if the run is still open by then. */
void weir__run_post(weir_run *run, void (*work)(weir_run *run));
/* Any thread: the same when the loop comes to it. What happens until then is dealt with at once. */
void weir__run_pump_soon(weir_run *run);
/* The same in so many microseconds, unless that is under way. */
void weir__run_pump_later(weir_run *run, uint64_t delay_us);
void weir__attempt_start(weir_run *run, const weir_effect *effect);
/* Writes what happened, and decides nothing. */
void weir__run_write(weir_run *run);
/* A context's result, to the engine's listener and to the sources of its record. */
void weir__run_tell(weir_run *run, weir_str context, const weir_value *result);
weir_run *weir__run_find(weir_engine *engine, const char *id);
/* Makes a loaded run this engine's: then nothing of it is unknown, and all is durable. CONFLICT when another process
 * drives it. */
WEIR_CHECKED bool weir__run_acquire(weir_run *run, weir_error *error);
/* Goes on with a loaded run, when it is not over. */
WEIR_CHECKED bool weir__run_resume(weir_run *run, weir_error *error);
/* Ends what a dead engine left behind of the run's attempts. They are lost in any case, so this needs not wait for the
 * journal; done after it, a second crash could leave them for ever. */
void weir__run_end_leftovers(weir_run *run);

/* --- own.c: whose a run is, and how that one is asked */

/* Becomes the run's owner: CONFLICT when another process is, which of one that `is_new` none can be. */
WEIR_CHECKED bool weir__run_own(weir_run *run, bool is_new, weir_error *error);
/* It is nobody's, or another's, from now on: nobody here can be asked. */
void weir__run_disown(weir_run *run);
/* The lock under which a run takes a given name, until its first batch is durable; any number at a time in one engine. */
WEIR_CHECKED bool weir__names_lock(weir_engine *engine, weir_error *error);
void weir__names_unlock(weir_engine *engine);
/* Keeps others from becoming the owner of a run that need not be loaded, until weir__run_release: CONFLICT when somebody is. */
WEIR_CHECKED bool weir__run_claim(weir_engine *engine, const char *id, bool *locked,
                                  weir_error *error);
/* The run is `gone`: so is its socket. */
void weir__run_release(weir_engine *engine, const char *id, bool locked, bool gone);
/* Whether it is known that no living process owns the run. */
bool weir__run_is_abandoned(weir_engine *engine, const char *id);
/* Whether a living process owns the run. */
bool weir__run_is_owned(weir_engine *engine, const char *id);
/* The timer of the engine rang: runs that have lasted long enough get their sockets. */
void weir__runs_listen(void *engine);
/* Asks the process that drives the run, through the store when that is on another machine. NOT_FOUND: nobody answers for it;
 * EXPIRED: somebody should. */
WEIR_CHECKED bool weir__run_ask(weir_engine *engine, const char *id, weir_str line,
                                uint64_t timeout_us, weir_buffer *reply, weir_error *error);
/* What the socket of a run's owner is called. */
void weir__run_path(const weir_engine *engine, const char *id, const char *suffix,
                    weir_buffer *out);

/* --- show.c */

/* Calls back with the event as watchers and `weir events` see it (borrowed, masked): a call, which is one event in the
 * journal, is seen as two, the start and the end of an attempt. */
void weir__event_show(weir_run *run, const weir_event *event,
                      void (*visit)(void *arg, weir_value *value), void *arg);

/* --- sql_events.c: what queries see of journals */

/* Adds the tables `events` and `invocations`; freed with weir__sql_events_free, after the session. */
struct weir_sql;
typedef struct weir__sql_events weir__sql_events;
weir__sql_events *weir__sql_events_add(weir_engine *engine, struct weir_sql *sql);
void weir__sql_events_free(weir__sql_events *events);

uint64_t weir__random(void);
void weir__new_id(char id[static WEIR_RUN_ID_LENGTH + 1]);
/* The next of 32 that differ in their last character. */
void weir__id_turn(char id[static WEIR_RUN_ID_LENGTH + 1]);

bool weir__run_is_durable(const weir_run *run);
/* Drives the engine until all that was written of the run is durable. */
WEIR_CHECKED bool weir__run_wait_durable(weir_run *run, weir_error *error);
/* "Running", "Suspended", or how it ended. */
weir_str weir__run_phase(const weir_run *run);
/* Goes on with a run that is replayed, once it was made this engine's: attempts under way are lost. Fails when it is another's since. */
WEIR_CHECKED bool weir__run_take_over(weir_run *run, weir_error *error);
/* The rest of it, once the run has its locks; or when it was cancelled before. */
void weir__run_go_on(weir_run *run);

/* --- serve.c: runs that are left to another process */

/* Whoever serves the state is to drive the run. */
WEIR_CHECKED bool weir__serve_mark(weir_run *run, weir_error *error);

/* --- control.c: what is asked of runs, by whoever */

/* Answers the line of another process, at once or when what it asks is durable. */
void weir__control_answer(void *run, weir_str line, weir_buffer *out);
/* The same of one that came through the store; a listener of it. */
void weir__control_take(void *engine, weir_str run, uint64_t command, weir_str line);
/* The batches up to `sequence` are durable: whoever waited for them hears of it. NULL: they are. */
void weir__control_durable(weir_run *run, uint64_t sequence, const weir_error *error);

void weir__control_tell(weir_run *run, const weir__asker *asker, const weir_error *error);

/* --- one_task.c: of a run that goes on */

/* "{task, context?, terminate?}": it is not wanted any more, and not tried again. */
WEIR_CHECKED bool weir__task_cancel(weir_run *run, weir_str text, weir_error *error);
/* {task, context?, alone}: when it is alone and under way, its attempt ends and another begins; else false. */
WEIR_CHECKED bool weir__task_begin_again(weir_run *run, const weir_value *what);

/* --- again.c: restarts, the commands "retry" and "restart {task, context?}" */

/* What of the run stays when it begins anew, or another like it; all that was written of it is durable. `what` NULL: all but what
 * failed. */
WEIR_CHECKED bool weir__run_gather(weir_run *run, const weir_value *what, weir_restart **out,
                                   weir_error *error);
bool weir__control_restarts(weir_str line);
/* The facts of it; all of the run is durable. */
WEIR_CHECKED bool weir__control_restart(weir_run *run, weir_str line, weir_error *error);
/* Of a run that goes on here: the asker is told when it is done. False: it cannot be, and nobody is told. */
WEIR_CHECKED bool weir__control_hold(weir_run *run, weir_str line, weir__asker asker,
                                     weir_error *error);
/* All of a held run is durable: it is restarted when the loop comes to it. */
void weir__control_held(weir_run *run);
/* --- query.c */

/* Sets `created` and, unless it is 0, `finished`. */
void weir__put_times(weir_value *value, uint64_t created_us, uint64_t finished_us);

/* --- list.c */

/* A run's record as lists have it. */
weir_value *weir__record_to_value(const weir_run_record *record);

/* --- results.c */

/* What a context gave, or a workflow; all borrowed. */
typedef struct weir__result {
    weir_value *context; /* its name; NULL: of a workflow */
    weir_value *result;  /* NULL: it has none, as it failed */
    weir_value *error;
} weir__result;
/* Calls back with each that the run's journal has, in their order, until `visit` returns false. */
WEIR_CHECKED bool weir__results_read(weir_engine *engine, const char *id,
                                     bool (*visit)(void *arg, const weir__result *result),
                                     void *arg, weir_error *error);

/* Calls back with the name of each context that the run was given from outside. */
WEIR_CHECKED bool weir__contexts_given_read(weir_engine *engine, const char *id,
                                            bool (*visit)(void *arg, weir_str context), void *arg,
                                            weir_error *error);

/* --- sources_recall.c */

/* The sources that the run of this id goes on with; NULL: none. */
weir_sources *weir__sources_of(const weir_engine *engine, const char *run);
/* What the store knows of records of the run that wait to be stored goes. */
WEIR_CHECKED bool weir__sources_unmark(weir_engine *engine, const char *run, weir_error *error);

/* --- context.c */

/* Whether the run can be given more of them. */
bool weir__run_takes_contexts(const weir_run *run);

/* --- names.c */

/* The name that the request or a workflow's metadata gives, or one that is made from it. */
WEIR_CHECKED bool weir__choose_name(weir_engine *engine, const weir_value *request,
                                    const weir_document *document, weir_buffer *name,
                                    weir_error *error);
/* Whether another run may want the same name at the same time. */
bool weir__has_given_name(const weir_value *request, const weir_document *document);
const weir_value *weir__metadata_of(const weir_document *document); /* NULL: it has none */

/* Ids of runs, as the store tells them: `note` is its callback, the argument the list. */
typedef WEIR_VECTOR(char *) weir__run_ids;
bool weir__run_ids_note(void *ids, const weir_run_record *record); /* true */
void weir__run_ids_deinit(weir__run_ids *ids);

/* --- labels.c */

/* Of runs that go by themselves: after how many seconds, once they are over. */
#define WEIR__TTL_SUCCESS "weir/ttl-success"
#define WEIR__TTL_FAILURE "weir/ttl-failure"
/* The labels of a workflow's metadata (NULL: it is none) and, over them, of a request, and those for its time to live; checked and masked;
 * NULL: there are none. */
WEIR_CHECKED bool weir__labels_gather(const weir_engine *engine, const weir_value *workflow,
                                      const weir_value *request, weir_value **out,
                                      weir_error *error);
/* Appends them as a run's record has them. */
void weir__labels_text(const weir_value *request, weir_buffer *out);

/* --- memo.c and memo_keep.c: memoized results */

/* Looks for outcomes that the machine seeks; true when something was answered. */
bool weir__memo_look(weir_run *run);
/* The results of a batch that are to be kept; NULL: none. And their way to the store, behind the batch; ends them. */
typedef struct kept weir__memo_kept;
weir__memo_kept *weir__memo_keep(weir_run *run, const weir_batch *batch);
void weir__memo_write(weir_engine *engine, weir__memo_kept *kept);
/* Or none: their batch is not written. */
void weir__memo_drop(weir__memo_kept *kept);
/* The batch with it is durable: those that waited for the outcome go on. */
void weir__memo_settle(weir_run *run, const weir_keep *keep);
void weir__memo_leave(weir_run *run);
/* Waits for what is on its way to the store. */
void weir__memo_end_jobs(weir_engine *engine);
void weir__memo_close(weir_engine *engine);

/* --- fill.c: secrets of an attempt's request; false fills the outcome that it then has */

WEIR_CHECKED bool weir__attempt_fill(const weir_engine *engine, weir_attempt *attempt,
                                     weir_outcome *missing);

/* --- images.c: where attempts have their images from, as the options say */
void weir__images_open(weir_engine *engine);
/* Nothing runs any more. */
void weir__images_close(weir_engine *engine);

/* --- image.c: what the callbacks of the images are told, and asked; they stay where they are. */
weir_image_watch weir__images_watch(const weir_images *images);

/* --- artifact.c */

/* The repository, as the options say, for the process executor. */
void weir__artifacts_open(weir_engine *engine);
/* Whether all that an outcome kept is there. */
bool weir__artifacts_are_kept(const weir_engine *engine, const weir_value *outputs);
/* The run is over: what goes then goes, and what goes with the run is noted. */
void weir__artifacts_settle(weir_run *run);
/* The run is deleted. */
void weir__artifacts_forget(const weir_engine *engine, const char *run);
/* After the executors. */
void weir__artifacts_close(weir_engine *engine);

/* --- lock.c: locks that runs share */

typedef WEIR_VECTOR(uint32_t) weir__nodes;
/* Asks for the locks that the machine wishes; true when some were granted at once. */
bool weir__locks_look(weir_run *run);
/* The nodes that have given theirs back; and what is done about it once that is durable. */
void weir__locks_take_released(weir_run *run, weir__nodes *out);
void weir__locks_release(weir_run *run, const weir__nodes *nodes);
/* The run is over, another's, or begins anew. */
void weir__locks_release_all(weir_run *run);
/* Whether a run that is taken over has to wait for locks that it had: then weir__run_go_on is called once it has them. */
bool weir__locks_want_back(weir_run *run);
void weir__locks_close(weir_engine *engine);

/* --- blob.c */

/* Opens the engine's blobs, if that was not done yet. */
WEIR_CHECKED bool weir__blobs_open(weir_engine *engine, bool make, weir_error *error);

/* --- child.c: runs as tasks of runs */

enum { WEIR__CHILD_DEPTH_MAX = 32 };
/* What the run is called that this attempt of a task of `parent`, a name, is; instead of what `name` has. */
void weir__child_name(weir_str parent, uint32_t task, uint32_t number, weir_buffer *name);
weir_executor *weir__child_executor_new(weir_engine *engine);
/* A run goes away without being over: so do its children, without being cancelled; its parent hears no more of it. */
void weir__children_leave(weir_run *run);
/* Suspends or resumes the runs that this run's attempts are. */
void weir__children_suspend(const weir_run *run, bool suspended);

#endif

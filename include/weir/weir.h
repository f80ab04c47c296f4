/* weir embedded: open an engine, start a run from a file, wait for it, read its results.
 *
 *     weir_engine *engine;
 *     weir_run *run;
 *     weir_error error;
 *     if (!weir_open(&(weir_options){.size = sizeof(weir_options)}, &engine, &error)) …
 *     weir_value *request = weir_object_new();
 *     weir_object_set(request, "file", 4, weir_string_new("flow.json", 9));
 *     if (!weir_run_start(engine, request, NULL, NULL, &run, &error)) …
 *     while (!weir_run_wait(run, 1000)) {}
 *     weir_value *result = weir_run_result(run);
 *
 * Everything of an engine belongs to the thread that opened it. A function that gives a weir_value gives a reference,
 * which the caller ends. Times are microseconds since 1970, unless their name says otherwise. */
#ifndef WEIR_WEIR_H
#define WEIR_WEIR_H

#include <weir/operation.h>

typedef struct weir_engine weir_engine;
typedef struct weir_run weir_run;

typedef enum weir_durability {
    WEIR_DURABILITY_FULL,  /* a power cut loses nothing: an effect leaves after its fsync */
    WEIR_DURABILITY_BATCH, /* a power cut may lose the last moments, a crash nothing */
    WEIR_DURABILITY_NONE   /* memory only: nothing is made on disk */
} weir_durability;

/* Images of containers: where they are kept here, and where they come from. For weir_options, and for the functions of images
 * below. Zeroed but for the size it is what the command does by itself. */
typedef struct weir_images {
    uint32_t size; /* sizeof(weir_images) */
    /* The store of images, which all engines of a user may share; made when the first comes. NULL: WEIR_IMAGES, else
     * /var/lib/weir/images for root, and $XDG_DATA_HOME/weir/images (~/.local/share/weir/images) for others. */
    const char *folder;
    /* What is said of registries: {HOST[:PORT]: {mirrors?: [HOST[:PORT][/PATH]…], which are asked first, insecure?: true, for plain http and
     * certificates that nobody vouches for}}. NULL: nothing. */
    const weir_value *registries;
    const char *platform; /* "OS/ARCHITECTURE[/VARIANT]"; NULL: this machine's */
    const char *pull;     /* "missing", "always" or "never"; NULL: "missing" */
    /* After a pull or an import images that were not used for longest go until the rest has at most so many bytes; 0: they may have
     * any. */
    uint64_t bytes_max;
    /* How far it is, at most ten times a second: `what` is "pulling", "unpacking", "importing" or "exporting", `total` is 0 when it is not
     * known, parts are layers. Any thread, one at a time. May be NULL. */
    void (*progress)(void *arg, const char *what, uint64_t done, uint64_t total, uint32_t parts,
                     uint32_t parts_total);
    bool (*goes_on)(void *arg); /* asked now and then; false ends it: CANCELLED. May be NULL */
    void *arg;
    /* How an image becomes the root of a step: "overlay", the kernel's; "fuse", by fuse-overlayfs; "copy", of all its files for each
     * attempt; "auto", the first of them that this system allows. NULL: "auto". */
    const char *mount;
} weir_images;

/* For weir_open: what they point to, but `arg`, may go once that returned. */
enum { WEIR_CALLS_RECORDED = 1000 };

typedef struct weir_options {
    uint32_t size;     /* sizeof(weir_options) */
    const char *state; /* the state directory; made when absent. NULL needs WEIR_DURABILITY_NONE */
    weir_durability durability;
    /* Paths of shared objects, or of folders: all *.so in one, sorted. NULL-terminated; NULL: none. Then those in
     * STATE/plugins, if there is one (also with WEIR_DURABILITY_NONE); the state must be this user's alone. */
    const char *const *plugins;
    const char *const *secrets; /* name, value, name, value, …, NULL; NULL: none */
    uint32_t
        attempts_max; /* processes and child runs at once in a run; 0: four for each processor */
    /* Each line that an attempt writes, masked, as it comes: `task` is as in events. May be NULL. */
    void (*log)(void *arg, weir_run *run, uint32_t task, weir_str line);
    /* Each event once it is durable, as an object {id, time, type, prev, data}; borrowed. May be NULL. */
    void (*event)(void *arg, weir_run *run, const weir_value *event);
    void *arg;
    /* The result of each context of a dataflow once it is durable, as it finishes; borrowed. With `results_go` they are
     * not kept for weir_run_result, so a run of any number of contexts needs the memory of the open ones. May be NULL.
     * Each is told at least once: weir_run_recover tells all that the journal has again before it returns, since nobody
     * knows which were told before the crash; it is once without one. Results of child runs are not told. */
    void (*result)(void *arg, weir_run *run, weir_str context, const weir_value *result);
    bool results_go;
    /* Keep events also where nothing is on disk, for weir_get, weir_events and the like. Without this, without a state
     * and without `event` none are made, and runs go faster. */
    bool record;
    /* Threads that work on the contexts of a run which only make calls; 0 and 1: the engine's own. Where every call has
     * its event (`record`, `event`, `record_all`) they have nothing to do. */
    uint32_t threads;
    /* Where runs are kept instead of in the state directory, which then has logs and sockets only: "sqlite:///PATH" or
     * "postgresql://…"; NULL: in the state directory. Of no use with WEIR_DURABILITY_NONE. */
    const char *store;
    /* Where blobs are kept, also the large values of runs: a directory, or
     * s3://BUCKET/PREFIX?endpoint=URL&region=NAME; NULL: in the state. Looked at when one is first wanted. */
    const char *blobs;
    /* Journal every call. Else a run whose operations all are pure and cheap journals the first WEIR_CALLS_RECORDED of its
     * calls, and from then on the results of its contexts: what a crash loses is computed again. */
    bool record_all;
    /* `event` is content with the events that are journaled without record_all. */
    bool few_events;
    /* A call of this engine waits for a server that does not answer: what it waits for, without a password. Called within the
     * call, once it lasts, from the engine's thread. May be NULL. */
    void (*waits)(void *arg, const char *what);
    /* Processes that want a file system of their own get the host's, each with a folder of its own. */
    bool not_isolated;
    /* What images of containers would bring along where steps run on this host: an array [{pattern, command?: [text…], files?: [{at:
     * PATH, host: PATH}]}], the first whose pattern (with * and ?) fits counts: the command where none is given, and files of this
     * host at paths of the attempt's file system. NULL: nothing. */
    const weir_value *images;
    /* Artifacts of workflows: {folder?: where they stay, bytes_max?, files_max?: of one, buckets?: {"KIND/NAME": folder}}, absolute paths;
     * a bucket that has no folder of its own is in the first. NULL: in the state; without one they go with the engine. */
    const weir_value *artifacts;
    /* Where images come from that steps name; its callbacks may not be used once the engine is closed. NULL: the defaults. */
    const weir_images *image_store;
    /* How steps of workflows run whose request says no `executor`: as that has it; NULL: "auto". */
    const char *executor;
    /* What the attempts under way of all runs of the engine may take together, as far as it is known what they take; 0: what this
     * machine has. Of what wants more than that one at a time begins. `processes_max`: 0: as attempts_max has it. */
    uint64_t memory_bytes_max;
    uint32_t cpu_milli_max; /* thousandths of a processor */
    uint32_t processes_max;
    /* Plugins of the program itself, ended by NULL; NULL: none. They live until the engine is closed. A run that is recovered needs
     * them again; it is not looked at whether they are as they were. */
    const weir_plugin *const *own_plugins;
} weir_options;

WEIR_API const char *weir_version(void);
/* For commands: from now on, when the process crashes, it says on standard error which operation ran, and ends with
 * exit code 3. */
WEIR_API void weir_crash_report(void);

/* The name of the operation that this thread runs; NULL: none. Safe in a signal handler. */
WEIR_API const char *weir_running_operation(void);

/* Opens the store and loads the plugins. Errors: STORE, IO, CONFLICT (a newer state), PLUGIN, USAGE (an unknown store). No
 * error has a password in it. */
WEIR_API WEIR_CHECKED bool weir_open(const weir_options *options, weir_engine **out,
                                     weir_error *error);
/* Runs that are still going on stop where they are; weir_run_recover goes on with them. Operations are told to end; those that do
 * not within 10 s are left behind, with the memory of the engine. */
WEIR_API void weir_close(weir_engine *engine);
/* The name of an operation that a closed engine left behind; NULL: there is none. While there is, exit(3) may wait for it for ever:
 * such a process ends by _exit(2). Any thread. */
WEIR_API const char *weir_left_behind(void);

/* A request says what to run:
 *   file        text: the path of a dataflow, workflow or pipeline; or
 *   flow        value: a dataflow in linked or unlinked form
 *   kind        "dataflow", "workflow", "pipeline"; absent: told from the file
 *   name        the run's name; absent: made from the file's
 *   inputs      {name: value}: of a pipeline, or of a dataflow's one context, by definition
 *   contexts    {context: [{value, definition, origin?}]}: of a dataflow
 *   context_texts {context: {definition: text}}: inputs of contexts, as `texts` below
 *   inputs_file, contexts_file  text: the path of a JSON or YAML file with `inputs`, `contexts`, instead of them; what is
 *               wrong with one is said at its line there
 *   parameters  {name: text}: of a workflow
 *   entrypoint  text: of a workflow, instead of the file's
 *   generate_name text: what the run's name begins with, when it is not given
 *   priority    integer: of a workflow, instead of the file's
 *   scheduled_time text: of a workflow, a moment as RFC 3339 has it, for the tag workflow.scheduledTime; else when it begins
 *   python "PATH": the interpreter of Python functions that a dataflow or a pipeline names
 *   strict_fields true: fields of a workflow that are unknown are problems, not warnings
 *   library     [path]: files and directories with the WorkflowTemplates, ClusterWorkflowTemplates, ConfigMaps and Secrets
 *               that a workflow refers to; the run's record has all of it but the secrets
 *   only        text: of a workflow only this template, step (or TEMPLATE.STEP) is run, with `parameters` as its inputs
 *   artifacts   {name: text}: of a workflow, its arguments of these names
 *   mocks       {TEMPLATE: {parameters?, result?, exitCode?}}: of a workflow; these templates are not run, but give that
 *   keep        true: the files of a workflow's attempts stay, for weir_visit, until the run is deleted
 *   document    text: what the file has, instead of reading it; `file` is then only its name
 *   which       int, from 0: of a file with several documents the one whose workflow is run
 *   strict      false: a dataflow goes on after a failed operation
 *   max_contexts number of a dataflow's contexts that are open at once
 *   configure   {instance: {key: text}}: configuration of a dataflow's operations beside the file's; a text is JSON when
 *               it parses, else text
 *   overlays    [path]: dataflows that are merged over the file's, one after the other
 *   deadline_us how long the run may take, in microseconds; then it is cancelled, and fails with the code EXPIRED
 *   forget_after_us of a dataflow: how long contexts that are over are remembered, in microseconds, at least a second; then their events,
 *               rows and logs go while the run goes on, and the run's result has no results of contexts: see `result` of
 *               weir_options, and weir_results for those that are remembered. Absent: as long as the run is kept
 *   labels      {key: text} to find the run by, over those of a workflow's metadata; at most 64
 *   cache       "off": nothing is taken from the cache of results nor put there; "refresh": nothing is taken from it
 *   executor    what steps of a workflow that name an image run as: "process" (on this host), "container" (by podman or docker), or
 *               "auto": in the image, by weir itself, unless it is not here and podman or docker has it. Else as weir_options.executor says
 *   network     "none": steps have no network but their own; else the host's
 *   pull        "missing", "always" or "never": whether images of containers are fetched; else as weir_options.image_store says
 *   records     what weir_sources_request gives, of a run that is `open`: it can go on after a crash
 *   open        true: a dataflow waits for contexts until weir_run_end, and has none of its own unless it is given some
 *   scheduler   which ready task begins next where there is not room for all: "fifo" (the default), "fair", "critical-path" or "memory"
 *   optimize    "time", "memory" (no more at once than the largest task takes alone) or "energy" (no more tasks than processors);
 *               it also says the scheduler, unless that is given, and what attempts cost is measured
 * A pipeline's and a dataflow's input given as {"text": …} under `texts` {name: text} is read by the rules of
 * NAME=VALUE: JSON when it parses and the definition's primitive is no string, else text; a dataflow's {name: [text]} are several inputs. `context_texts` {context:
 * {definition: text}} are the same for several contexts. Of a pipeline: `pipeline` names the one in the file that is
 * meant; `list_style` true accepts only the list style. `goals` [text] are all that is wanted of the file: of a pipeline outputs, by
 * their name there or as COMPONENT.OUTPUT; of a dataflow names in its results, definitions, OPERATION or OPERATION.OUTPUT; of a
 * workflow TASK, TASK.outputs.parameters.NAME or outputs.parameters.NAME of its entrypoint. With `keep_all` true what leads to
 * nothing that is wanted runs, too (else the result names it: left_out). Of a pipeline and a dataflow: `mode` "async" (tasks begin as soon as they can), "sync" (one at a time, those that
 * stand first in the file first) or "scheduled" (at ticks, `tick_us` apart; an attempt whose processes are stopped is ended).
 *
 * Compiles the file, then starts. When the file or the request is wrong, `problem` (may be NULL) is called with each
 * thing that is wrong, and the error is the first of them. It is called for warnings, too, whose code is WEIR_OK, also when the
 * run starts. */
WEIR_API WEIR_CHECKED bool weir_run_start(weir_engine *engine, const weir_value *request,
                                          void (*problem)(void *arg, const weir_error *error),
                                          void *arg, weir_run **out, weir_error *error);
/* Only the first half: compiles; a pipeline's inputs and a workflow's parameters need not be given, and of a file with several
 * workflows and templates of them each is looked at. `kind` gets the kind ("" when not even that is known); may be NULL. */
WEIR_API WEIR_CHECKED bool weir_check(weir_engine *engine, const weir_value *request,
                                      void (*problem)(void *arg, const weir_error *error),
                                      void *arg, char kind[16], weir_error *error);
/* As weir_check, and proves before anything runs what can come to be. `finding` (may be NULL) is called with each thing that was found; a
 * warning has the code WEIR_OK. `detail` is NULL, or an object that says more of what the proof found, as far as it has to do with
 * it: {component, reason, input or condition or definition, maker, waits_for, cycle: [components], context}. *out, in either case,
 * is {kind, errors, can_finish}; of a sound file also {certain, of a dataflow: even when conditions are false; operations or steps, run, may_not_run, never_run: how many;
 * may: [{component, when}], never: [component], needs: [{definition or parameter, …}], waits: [step], left_out: [component]}, lists
 * of 100 at most but for the last.
 * False, and the first error, when the file is wrong or what is wanted of it cannot come to be. */
WEIR_API WEIR_CHECKED bool weir_prove(weir_engine *engine, const weir_value *request,
                                      void (*finding)(void *arg, const weir_error *error,
                                                      const weir_value *detail),
                                      void *arg, weir_value **out, weir_error *error);
/* What the request's run will take, as far as is known before it: by what the file says, and by earlier runs of the engine's store. *out is
 * {kind, tasks, at_least, seconds, high (if each task takes as long as one in ten does), work (of all tasks together), memory (bytes at once),
 * at_once and slots (tasks), unknown (how many steps nobody knows the time of), critical_path: {seconds, length, steps}, not_known,
 * not_counted, waits, steps}; lists have 100 items at most, {name, operation, tasks, at_least?, may_not_run?, seconds?, high?, cpu?,
 * memory?, basis: file, history or unknown}. Problems are as with weir_check. */
WEIR_API WEIR_CHECKED bool weir_foresee(weir_engine *engine, const weir_value *request,
                                        void (*problem)(void *arg, const weir_error *error),
                                        void *arg, weir_value **out, weir_error *error);
/* A picture of that, *out a text: "dot", "mermaid" and "svg" are the graph of its steps, with what each takes, the longest way emphasised; "gantt" (for
 * a terminal) and "gantt-svg" its course, a line a step. `options`, which may be NULL: display (TD, LR, RL, BT), columns, color, ascii. Errors: USAGE, LIMIT,
 * and as above. */
WEIR_API WEIR_CHECKED bool weir_foresee_picture(weir_engine *engine, const weir_value *request,
                                                const char *format, const weir_value *options,
                                                void (*problem)(void *arg, const weir_error *error),
                                                void *arg, weir_value **out, weir_error *error);
/* What the request would run, with all that it refers to, without running it: of a workflow the Workflow with what the request
 * says instead of it, of others the file as it was put together. The rest is as of weir_run_start. */
WEIR_API WEIR_CHECKED bool weir_preview(weir_engine *engine, const weir_value *request,
                                        void (*problem)(void *arg, const weir_error *error),
                                        void *arg, weir_value **out, weir_error *error);
/* As weir_run_start, for another process to drive: returns once the run is durable, {run, name, served}. `served`: a
 * process that serves the state (weir_serve) heard of it; else one is to be started. Its secrets are that process's. */
WEIR_API WEIR_CHECKED bool weir_submit(weir_engine *engine, const weir_value *request,
                                       void (*problem)(void *arg, const weir_error *error),
                                       void *arg, weir_value **out, weir_error *error);
/* Leaves a run that nobody drives to such a process. */
WEIR_API WEIR_CHECKED bool weir_leave(weir_engine *engine, const char *run, bool *served,
                                      weir_error *error);
typedef struct weir_serving {
    uint32_t runs_max;       /* at once; from 1 */
    uint32_t idle_ms;        /* how long to wait for more before it ends */
    bool (*stop)(void *arg); /* whether to end now: asked a few times a second */
    /* A run begins, is over, or (`run` NULL) cannot be gone on with: see `error`. May be NULL. */
    void (*said)(void *arg, const weir_run *run, const char *id, const weir_error *error);
    void *arg;
} weir_serving;
/* Drives the runs that were left to this state, also those that a process which died was driving, until there is nothing
 * to do. When another process serves the state it returns at once. Suspended runs do not keep it. */
WEIR_API WEIR_CHECKED bool weir_serve(weir_engine *engine, const weir_serving *options,
                                      weir_error *error);
/* Goes on with a run whose engine died: `run` is a name, an id or "@latest". CONFLICT when it is driven by a living
 * process. A finished run is opened too: it is at its end at once. */
WEIR_API WEIR_CHECKED bool weir_run_recover(weir_engine *engine, const char *run, weir_run **out,
                                            weir_error *error);

/* Adds a context to a dataflow's run that is `open`. `inputs` is an array of {value, definition, origin?}, or with `text`, which is read as NAME=TEXT of a request, for `value`. With `hold`
 * it goes on until weir_context_close, as more may be sent; else it ends when nothing is left to do. LIMIT: 4,096
 * contexts wait for those that are open (drive the engine with weir_run_wait, or close some, and try again), or inputs nest deeper than 128 levels. CONFLICT: the run has ended, or holds a context
 * of that name. */
WEIR_API WEIR_CHECKED bool weir_context_open(weir_run *run, const char *name,
                                             const weir_value *inputs, bool hold,
                                             weir_error *error);
/* Whether a context that is given now has a place to wait: else weir_context_open says LIMIT. */
WEIR_API bool weir_run_has_room(const weir_run *run);
/* Sends inputs, as one set, to a context that is held. 1,024 of a run (or `max_contexts`) are open at once; to one that
 * waits for its turn they are given with its first inputs when it begins. NOT_FOUND when there is none of the name, or
 * it was closed or stopped. */
WEIR_API WEIR_CHECKED bool weir_context_send(weir_run *run, const char *name,
                                             const weir_value *inputs, weir_error *error);
/* Nothing more will be sent to the context. */
WEIR_API WEIR_CHECKED bool weir_context_close(weir_run *run, const char *name, weir_error *error);
/* No more contexts will be added: the run is over when those that there are have finished. */
WEIR_API void weir_run_end(weir_run *run);

/* Records of files and of databases' tables as contexts of a run that is `open`, whose results become features. One thread, the engine's. */
typedef struct weir_sources weir_sources;

/* `what` is an object:
 *   sources     [TEXT…]: `[csv:|json:|sqlite:]PATH[?key=COLUMN&table=NAME&tag=TAG&delimiter=C]`, or the URL of a PostgreSQL with `table` and `key`
 *   to          TEXT: where records are stored instead of where they come from; a file is made anew
 *   definition  of the key of a record as an input; features: of the object of all its features
 *   feature     [{name, definition}…]: features that are inputs by themselves
 *   texts       {definition: text}: inputs of every record, as a request has them
 *   keys        [TEXT…]: only these records; one that no source has is made
 *   caching     [NAME…]: records that have all these features are not run
 *   update      false: nothing is stored
 *   folder      what relative paths are meant from, instead of the process's own
 *   max_contexts  as the request has it: four times as many records wait for results, 4,096 at most
 * NOT_FOUND, IO, INVALID, USAGE, STORE. */
WEIR_API WEIR_CHECKED bool weir_sources_open(const weir_value *what, weir_sources **out,
                                             weir_error *error);
/* What the run's request has as `records`, so that it goes on after a crash: where they are, without passwords, and how files were when they
 * were opened. The caller's. */
WEIR_API weir_value *weir_sources_request(const weir_sources *sources);
/* Those of a run whose process died, opened again, to be called before weir_run_recover: then they are given, and stored, as those of
 * a run that was started; results need not be taken. *out is NULL where there is nothing to store: the run is none of records, or they are stored.
 * To be closed before the engine. INVALID: a file was changed since the run began. */
WEIR_API WEIR_CHECKED bool weir_sources_recall(weir_engine *engine, const char *run,
                                               weir_sources **out, weir_error *error);
/* Gives the run as many records as it has room for, and ends it behind the last: to be called again and again while weir_run_wait drives it. A
 * record's key is the name of its context. After an error nothing can be stored. */
WEIR_API WEIR_CHECKED bool weir_sources_give(weir_sources *sources, weir_run *run,
                                             weir_error *error);
/* The result of a context, from the callback `result`: an object's members become features. */
WEIR_API void weir_sources_take(weir_sources *sources, weir_str context, const weir_value *result);
/* Once the run is over: a file is replaced when the new one is whole, a table changed in one transaction. Records without a result stay as they were.
 * `summary`: [{source, records, changed, skipped, unfinished, stored?}…]. CONFLICT: a file was changed meanwhile. */
WEIR_API WEIR_CHECKED bool weir_sources_store(weir_sources *sources, weir_value **summary,
                                              weir_error *error);
WEIR_API void weir_sources_close(weir_sources *sources);

/* Drives the engine until the run is over (true) or the time has passed (false). */
WEIR_API bool weir_run_wait(weir_run *run, uint32_t timeout_ms);
/* One turn: does what is ready, and when nothing is, waits for the first thing, until the time has passed. True: the run is over. */
WEIR_API bool weir_run_turn(weir_run *run, uint32_t timeout_ms);
/* For who drives an engine beside an event loop of another kind: a descriptor that is readable when weir_run_turn would have something to
 * do; it would also when *timeout_ms have passed (0: now; UINT32_MAX: that tells nothing), and a turn may change both. Some files and
 * processes are heard of only in the turn after the one that began them: give it a turn ten times a second, too. */
WEIR_API int weir_descriptor(const weir_engine *engine, uint32_t *timeout_ms);
/* Asks the run to stop; with `terminate`, its processes are ended without grace. Of a run that is only watched: nothing. */
WEIR_API void weir_run_cancel(weir_run *run, bool terminate);
/* The same as weir_suspend and weir_resume, of a run that is driven here. */
WEIR_API WEIR_CHECKED bool weir_run_suspend(weir_run *run, bool suspended, weir_error *error);
/* Whether it is suspended, and nothing is under way. */
WEIR_API bool weir_run_rests(const weir_run *run);
/* {run, name, kind, phase, message?, cached?, results, error}: `cached` is how many tasks had their results from the
 * cache, when some had; phase is "Running", "Suspended", "Succeeded", "Failed" or "Error"; error is
 * null or {code, what, when, where, how}. */
WEIR_API weir_value *weir_run_result(const weir_run *run);
/* The code that a command should end with. */
WEIR_API weir_code weir_run_code(const weir_run *run);
/* {run, name, kind, phase, message?, cached?, created, finished?, nodes: [{id, name, type, phase, message?, parent?,
 * started?, finished?, task?, cached?}]}, nodes in the order of a tree. A dataflow's run with more than 100 contexts lists those that are
 * open and the first 100 that finished, and says {contexts: {total, finished}, unlisted: {done, failed}}: how many
 * invocations the others had. */
WEIR_API weir_value *weir_run_status(const weir_run *run);
/* Of a workflow's run Argo's Workflow object {apiVersion, kind, metadata, spec, status}, whose status.nodes are {id: node}; NULL of
 * another's. `status` is what weir_run_status said just now, or NULL. Moments are texts in whole seconds, as Argo's; with `fine` those
 * of nodes are numbers, microseconds since 1970. */
WEIR_API weir_value *weir_run_workflow(const weir_run *run, const weir_value *status, bool fine);
/* What weir_run_status says, of a workflow with `workflow`: metadata and status of what weir_run_workflow gives, `fine`. Of one that has many more nodes
 * than a screen of `rows` lines it lists only what there is room for: what runs or failed, what waits, what was done last, and what these stand below;
 * then it says {counts: {total, done, failed}} of all that do work and {unlisted: {active, waiting, done}}, how many lines of the tree have no
 * node there. It takes as long as the screen is large; of 10,000 nodes, less than a millisecond more. */
WEIR_API weir_value *weir_run_glance(const weir_run *run, size_t rows);
/* Stops driving it when it is not over. Not within a callback. */
WEIR_API void weir_run_close(weir_run *run);

/* What is in the store; for runs of any process, but CONFLICT for a run that is open in this engine. */
/* Which runs are meant: all that is given must hold. Zeroed but for the size it is all of them, newest first, in the order in
 * which they came. Texts may go once the function returned. */
typedef struct weir_run_filter {
    uint32_t size;      /* sizeof(weir_run_filter) */
    const char *phases; /* one of these, as "Failed,Error"; NULL: any */
    const char *kind;   /* "dataflow", "workflow" or "pipeline"; NULL: any */
    const char *name,
        *file; /* patterns: '*' is any text, '?' one character; a file's without '/' is of its last part */
    const char
        *parent; /* a run, whose children; "": only runs that are nobody's child; NULL: any */
    /* "KEY=VALUE", "KEY!=VALUE" (also of runs without KEY), "KEY" (there is one), "!KEY"; NULL-terminated, at most 8. */
    const char *const *labels;
    uint64_t since_us, until_us; /* started from then on, until then; 0: whenever */
    const char *
        after; /* a cursor, or a run: only those behind it in this order. It may be deleted by then */
    uint32_t limit; /* 0: all */
    bool oldest_first;
} weir_run_filter;

/* Calls back with each, until `visit` returns false: {run, name, kind, phase, file, created, finished?, owner, parent?, labels?,
 * cursor}. A run that begins meanwhile is in front of a cursor, so pages neither repeat nor miss one. Errors: USAGE, LIMIT, NOT_FOUND
 * (parent, after), STORE. */
WEIR_API WEIR_CHECKED bool weir_run_list(weir_engine *engine, const weir_run_filter *filter,
                                         bool (*visit)(void *arg, const weir_value *run), void *arg,
                                         weir_error *error);
/* The newest as an array, at most `limit` (0: all). */
WEIR_API WEIR_CHECKED bool weir_list(weir_engine *engine, uint32_t limit, weir_value **out,
                                     weir_error *error);
/* As weir_run_status, `result` as weir_run_result, and of a workflow `workflow` as weir_run_workflow. Of a run that goes on weir_run_status
 * has `waiting`, when tasks wait for room: [{task, name, path, for: "memory", "cpu", "processes" or "slots", wants?, free?, limit?, behind?: a name,
 * begins_in_us?}], the next first, at most 100 (waiting_more: how many others). */
WEIR_API WEIR_CHECKED bool weir_get(weir_engine *engine, const char *run, weir_value **out,
                                    weir_error *error);
/* Calls back with every event, as weir_options.event has it, until `visit` returns false. */
WEIR_API WEIR_CHECKED bool weir_events(weir_engine *engine, const char *run,
                                       bool (*visit)(void *arg, const weir_value *event), void *arg,
                                       weir_error *error);
/* SQL over the store (docs/reference/store.md has its tables): one statement of SQLite's language that reads, on PostgreSQL too.
 * Beside the store's tables there are `events` and `invocations`, read from journals. `names` are the columns'; `row` has as
 * many values, bytes as hexadecimal digits, and is NULL in a first call, before any row. At most `rows_max` rows (0: all), until
 * `visit` returns false; *more: there would be more. INVALID: it does not parse, or does more than read; LIMIT: it takes
 * longer than `timeout_ms` (0: as long as it takes). Not within a callback. */
WEIR_API WEIR_CHECKED bool
weir_query(weir_engine *engine, const char *sql, uint64_t timeout_ms, uint64_t rows_max,
           bool (*visit)(void *arg, const weir_value *names, const weir_value *row), void *arg,
           bool *more, weir_error *error);
typedef struct weir_events_query {
    uint32_t size; /* sizeof(weir_events_query) */
    bool follow;   /* go on as the run goes on, whoever drives it, until it is over */
    bool
        cloudevents; /* each as a CloudEvent 1.0: {specversion, id, source, type, time, subject?, …, data} */
    const char *
        type; /* only types that match one of these patterns, with * and ?: "attempt.*,run.*"; NULL: all */
    const char *after; /* only what comes after the event of this id; NULL: all */
    uint64_t limit;    /* at most so many; 0: all */
} weir_events_query;

/* The same for a part of them; `query` may be NULL. With `follow`, `visit` is called with NULL each time it has seen all that
 * there is: an event is seen at most 100 ms after it is durable. NOT_FOUND: the run is over, and has no event `after`. */
WEIR_API WEIR_CHECKED bool weir_read_events(weir_engine *engine, const char *run,
                                            const weir_events_query *query,
                                            bool (*visit)(void *arg, const weir_value *event),
                                            void *arg, weir_error *error);
/* What went wrong in a run and its child runs, and what was done about it: {run, name, kind, phase, message?, started,
 * finished?, took_us?, figures: {contexts, tasks, attempts, retries, calls}, error?, found, incidents}, of which there are the
 * first 10,000 of each run, by time. An incident is {what, when, where: {run, context?, path?, instance? or node?, template?,
 * task?, attempt?, executor?, host?, pid?}, how: {code, message, exit_code?, signal?, out_of_memory?, log?, cause?}, then}. */
WEIR_API WEIR_CHECKED bool weir_read_report(weir_engine *engine, const char *run, weir_value **out,
                                            weir_error *error);
typedef struct weir_lineage_query {
    uint32_t size; /* sizeof(weir_lineage_query) */
    bool forward;  /* what came of it, instead of where it came from */
    /* A definition or INSTANCE.OUTPUT, DEFINITION=VALUE, an output's name in the results, the name of an instance or of a
     * node, or an id that events or an earlier answer show. */
    const char *what;
    const char *context; /* only in the contexts of this name; NULL: in any */
    uint32_t depth; /* operations one behind the other, at most 1,000; 0: 50, UINT32_MAX: 1,000 */
    uint32_t limit; /* nodes of the answer, at most 100,000; 0: 1,000, UINT32_MAX: 100,000 */
} weir_lineage_query;

/* The metrics that the nodes of a workflow, and it as a whole, gave as they ended; of all workflows, the oldest first, without `run`:
 * [{name, type: "gauge", "counter" or "histogram", help, operation?: "Add" or "Sub", value, buckets?, labels: {}, run, node?,
 * time}]. */
WEIR_API WEIR_CHECKED bool weir_metrics(weir_engine *engine, const char *run, weir_value **out,
                                        weir_error *error);

/* Where a value of a run came from, or what came of it: {run, kind, parent?, forward, found, matches, nodes, edges, cut}.
 * `matches` are nodes, the first 100 of the `found`; when it is one, `nodes` are what there is to tell, the match
 * first, each once, and `edges` [{from, to, name?}] go the way that data took. A node is
 *   {id, type: "value", definition, value, context, path, from, output?, time}, `from` being "operation",
 *   "outside", "seed", "given" (to a subflow, by the operation that runs it) or "forwarded";
 *   {id, type: "operation", instance, operation, context, path, task?, attempt?, host?, pid?, run?, outcome, started,
 *   finished?, outputs?}; or
 *   {id, type: "result", context, value, time},
 * with `more`, how many nodes next to it were left out; `cut` says that some were, and `unrecorded` that calls of the run have no events. In a workflow's the operations are its nodes.
 * A child run's nodes have ids that begin with its name. NOT_FOUND: there is no such value; INVALID: the query makes no sense. */
WEIR_API WEIR_CHECKED bool weir_lineage(weir_engine *engine, const char *run,
                                        const weir_lineage_query *query, weir_value **out,
                                        weir_error *error);
/* Calls back with each result that the run has so far, in the order in which they came, until `visit` returns false:
 * {context?, result, error?}; of a workflow the one of its end. `context` (may be NULL) picks one; NOT_FOUND when none of that
 * name has ended. Memory does not grow with their number, and the run's plugins are not needed. */
WEIR_API WEIR_CHECKED bool weir_results(weir_engine *engine, const char *run, const char *context,
                                        bool (*visit)(void *arg, const weir_value *entry),
                                        void *arg, weir_error *error);

typedef struct weir_log_wanted {
    uint32_t size;         /* sizeof(weir_log_wanted) */
    const char *node;      /* a name, a display name, an id or the name of a pod; NULL: all */
    uint64_t tail;         /* at most that many lines of each node; UINT64_MAX: all */
    bool follow;           /* then what comes, until the run ends */
    const char *container; /* of a pod of several; NULL: all; "main": what is no other's */
    bool previous;         /* only of attempts that another followed */
    uint64_t since_us;     /* only lines that came since then, in microseconds since 1970; 0: all */
    /* Each time before `visit` it becomes the moment when the lines came: exact to 10 ms at first, to 1 s in logs that go on for
     * long. Pieces are then what came together. May be NULL. */
    uint64_t *written_us;
} weir_log_wanted;
/* Calls back with what the nodes of a run wrote, in the order of the tree, in pieces of whole lines of at most 128 KiB; `nodes` is
 * how many have something as yet. `wanted` may be NULL: everything. NOT_FOUND when there is no such node. Logs are on the machine that drove
 * the run. */
WEIR_API WEIR_CHECKED bool
weir_read_logs(weir_engine *engine, const char *run, const weir_log_wanted *wanted,
               void (*visit)(void *arg, const weir_value *node, size_t nodes, weir_str lines),
               void *arg, weir_error *error);

/* Looks on while another process drives the run, or finds it at its end: what weir_run_status, weir_run_result and
 * weir_run_code say of `out` is at most 100 ms old when weir_run_wait returned, which it also does, with false, as soon as anything
 * happened. A run that is deleted meanwhile is over, with NOT_FOUND as its code. To be closed. */
WEIR_API WEIR_CHECKED bool weir_run_watch(weir_engine *engine, const char *run, weir_run **out,
                                          weir_error *error);
/* A number that grows with what happens in the run. */
WEIR_API uint64_t weir_run_changes(const weir_run *run);
/* Waits until the runs, or with `any` one of them, have ended, or the time has passed: their entries as weir_run_list has them, in
 * this order. Of one that goes on `driven` says whether a living process sees to that, if it can be known. NOT_FOUND: there is none of
 * that name, or it was deleted meanwhile. EXPIRED: the store's server was away all the time. */
WEIR_API WEIR_CHECKED bool weir_wait(weir_engine *engine, const char *const *runs, size_t count,
                                     bool any, uint32_t timeout_ms, weir_value **out,
                                     weir_error *error);
/* Deletes a run with its journal, its children and their logs; killed in between it was either not begun or is finished by the
 * next deletion. With `force` a run that is under way is cancelled first, and terminated when it does not end in 15 s. CONFLICT: it is under
 * way, open in this engine, or a child of a run that is there. EXPIRED: it does not end. */
WEIR_API WEIR_CHECKED bool weir_delete(weir_engine *engine, const char *run, bool force,
                                       weir_error *error);
typedef struct weir_pruning {
    uint32_t size; /* sizeof(weir_pruning) */
    uint64_t
        age_us; /* runs that ended, and results that were made, longer ago go; 0: none for its age */
    uint64_t
        bytes_max; /* then the runs that ended first, until journals and logs take no more; 0: they may take any */
    const weir_run_filter
        *filter; /* only of these runs, and no results; NULL: of all. `parent` must be NULL */
    bool dry;    /* only looks */
    bool
        expired; /* only runs whose own time to live has passed, as Argo's `ttlStrategy` says it; those go in any case, unless there is a filter */
    bool
        gentle; /* works a fifth of the time, leaves some room in the file and blobs in S3 alone: for who does it regularly */
    /* Each run that goes: {run, name, finished, runs (it and those within it), bytes, why: "age", "size" or "ttl", done, total}; false
     * ends it. May be NULL. */
    bool (*visit)(void *arg, const weir_value *run);
    void *arg;
} weir_pruning;
/* Removes finished runs with all that is kept of them, old results, and blobs that nobody refers to, in short transactions beside
 * whoever uses the store; then gives room back. What is not over, driven by somebody, a part of such a run, or has the label
 * `keep`, stays. It may be killed anywhere: the next goes on. An engine removes nothing by itself. {runs, bytes, results, result_bytes, blobs,
 * blob_bytes}. */
WEIR_API WEIR_CHECKED bool weir_prune(weir_engine *engine, const weir_pruning *options,
                                      weir_value **out, weir_error *error);
/* Gives a run the label `keep`, or takes it away: weir_prune leaves it and its children alone. */
WEIR_API WEIR_CHECKED bool weir_run_keep(weir_engine *engine, const char *run, bool keep,
                                         weir_error *error);
typedef struct weir_backup_wanted {
    uint32_t size;    /* sizeof(weir_backup_wanted) */
    const char *file; /* the backup */
    bool replace;     /* a file of that name is replaced, once the new one is whole */
    bool bucket;      /* blobs in S3 are copied too; else only their place is named */
    /* How far it is: with "runs" pages or runs, with "logs" folders, with "blobs" blobs, with the name of a folder
     * files (then `total` is 0); false ends it. May be NULL. */
    bool (*progress)(void *arg, const char *what, uint64_t done, uint64_t total);
    void *arg;
} weir_backup_wanted;
/* Writes all that the engine's state has of runs, artifacts, volumes and templates too, into one file, beside those who go on writing: runs as they are
 * at one moment (on PostgreSQL each at its own), and what they refer to. It has its name when it is whole and on the disk; FILE.part and FILE.part-runs are
 * there meanwhile. {file, runs, under_way, files, blobs, bytes, size, FOLDER: how many files, missing?: blobs that went meanwhile or are damaged, left_out?:
 * files that may not be read}. CONFLICT: there is such a file; IO, STORE, CANCELLED, PLUGIN (no module). Plugins are not in it. */
WEIR_API WEIR_CHECKED bool weir_make_backup(weir_engine *engine, const weir_backup_wanted *wanted,
                                            weir_value **out, weir_error *error);
typedef struct weir_restore_wanted {
    uint32_t size;     /* sizeof(weir_restore_wanted) */
    const char *file;  /* the backup */
    const char *state; /* the state directory that it becomes */
    bool replace; /* one that is there is kept as STATE.before-restore-N; else it has to be empty */
    bool (*progress)(void *arg, uint64_t done,
                     uint64_t total); /* bytes; false ends it. May be NULL */
    void *arg;
} weir_restore_wanted;
/* Makes a state of a backup: unpacks it beside the place, looks at every file and batch, brings it to this version, and then puts
 * it there in one step; before that nothing is changed. Nobody drives its runs: weir_run_recover goes on with those that were under way,
 * and leaves the processes of the state that was backed up alone. {state, runs, under_way, files, bytes, created, weir, moved?, blobs? and
 * artifacts_in?: where they were, plugins?, missing?, left_out?}. INVALID: no backup, or damaged; CONFLICT: of a newer weir, or the place is taken. */
WEIR_API WEIR_CHECKED bool weir_restore_backup(const weir_restore_wanted *wanted, weir_value **out,
                                               weir_error *error);
/* Asks the process that drives the run to stop it; ends the run itself when nobody drives it. */
WEIR_API WEIR_CHECKED bool weir_cancel(weir_engine *engine, const char *run, bool terminate,
                                       weir_error *error);
/* Suspends a run of any process: it begins no attempt until it is resumed; attempts under way end. It is so also when its
 * process dies and it is recovered. Returns when that is durable. CONFLICT: it is over, or being cancelled. */
WEIR_API WEIR_CHECKED bool weir_suspend(weir_engine *engine, const char *run, weir_error *error);
/* Sets suspended nodes of a workflow: `what` is {selector?, resume?, phase?, message?, parameters?}: those that Argo's field
 * selector means (all, without one) end, with `resume` or a `phase`, and give the parameters {name: text}. NOT_FOUND: there is
 * no such node. *out as weir_resume has it. */
WEIR_API WEIR_CHECKED bool weir_set_nodes(weir_engine *engine, const char *run,
                                          const weir_value *what, weir_run **out,
                                          weir_error *error);
/* Lets a suspended run go on, and the suspended nodes of a workflow. When nobody drives it, it goes on here, as *out, which the caller drives with weir_run_wait
 * and closes; else *out is NULL. `out` NULL: then it is only said that it is to go on, for who recovers it. */
WEIR_API WEIR_CHECKED bool weir_resume(weir_engine *engine, const char *run, weir_run **out,
                                       weir_error *error);
/* Does again what did not succeed in a run that is over, and what depends on it; what succeeded stays, and is not run again.
 * `out` as of weir_resume. Contexts and inputs that it was given while it went on are given again, and it takes no more. LIMIT: more would stay,
 * or be given again, than 512 MiB. CONFLICT: it is not over, or nothing failed. */
WEIR_API WEIR_CHECKED bool weir_retry(weir_engine *engine, const char *run, weir_run **out,
                                      weir_error *error);
/* The same of a workflow, `what` is {successful?: a field selector as Argo's, parameters?: {name: text}}: also the nodes that the selector
 * means, though they succeeded, with what depends on them (NOT_FOUND: it means none); what is done is done with the parameters over those
 * that the workflow had, what stays is as it was. */
WEIR_API WEIR_CHECKED bool weir_retry_with(weir_engine *engine, const char *run,
                                           const weir_value *what, weir_run **out,
                                           weir_error *error);
/* Begins a run anew, as another: of the files as they were when it began. `what` is {parameters?: {name: text}, labels?: {key: text},
 * priority?: integer, memoized?: true}; memoized, nodes of a workflow that is over end with what those of the first gave, as far as
 * that succeeded and nothing before it is done again. As weir_submit; it has the label
 * workflows.argoproj.io/resubmitted-from-workflow. CONFLICT: memoized, and not over, or nothing failed. */
WEIR_API WEIR_CHECKED bool weir_resubmit(weir_engine *engine, const char *run,
                                         const weir_value *what,
                                         void (*problem)(void *arg, const weir_error *error),
                                         void *arg, weir_value **out, weir_error *error);
/* Runs a command (NULL-terminated; NULL: a shell) in the file system of the last attempt of a workflow's node, as the attempt left it, with this
 * process's standard streams, until it ends: its exit code. The run's request had `keep`. NOT_FOUND: there is no such node, or nothing of
 * it was kept; CONFLICT: it is under way; UNSUPPORTED: without isolation there is no such file system. */
WEIR_API WEIR_CHECKED bool weir_visit(weir_engine *engine, const char *run, const char *node,
                                      const char *const *command, int *exit_code,
                                      weir_error *error);
/* Templates that the state keeps: a workflow's references find them behind its own file and its libraries. */
/* Keeps a WorkflowTemplate or ClusterWorkflowTemplate, as Argo has it, by its metadata.name; with `replace` instead of the one that is
 * there. It is not looked at: see weir_check. INVALID: there is one, or its name cannot be; NOT_FOUND: there is none to replace; IO. */
WEIR_API WEIR_CHECKED bool weir_template_put(weir_engine *engine, const weir_value *template,
                                             bool replace, weir_error *error);
/* NOT_FOUND. `cluster`: a ClusterWorkflowTemplate. */
WEIR_API WEIR_CHECKED bool weir_template_get(weir_engine *engine, bool cluster, const char *name,
                                             weir_value **out, weir_error *error);
/* By name, until `visit` returns false. */
WEIR_API WEIR_CHECKED bool weir_template_list(weir_engine *engine, bool cluster,
                                              bool (*visit)(void *arg, const weir_value *template),
                                              void *arg, weir_error *error);
WEIR_API WEIR_CHECKED bool weir_template_delete(weir_engine *engine, bool cluster, const char *name,
                                                weir_error *error);
/* Does one task again and what depends on it, in a run that is over or under way: of a workflow a node by its name, its
 * display name or its id; of a dataflow all invocations of an operation's instance, in that context (NULL: there is
 * one). Other attempts that are under way begin again. NOT_FOUND, or INVALID: several are named so; the error lists them. */
WEIR_API WEIR_CHECKED bool weir_restart_task(weir_engine *engine, const char *run, const char *task,
                                             const char *context, weir_run **out,
                                             weir_error *error);
/* The same of {task, context?, alone?}: `alone`, what depends on the task stays, as far as it is given the same again; an attempt of it
 * that is under way ends, and another begins instead, which costs no try and leaves all others alone. */
WEIR_API WEIR_CHECKED bool weir_restart_with(weir_engine *engine, const char *run,
                                             const weir_value *what, weir_run **out,
                                             weir_error *error);
/* Cancels one task {task, context?, terminate?} of a run that is not over, named as for weir_restart_task: it is not begun, or told to
 * end (with `terminate` at once), and not tried again. NOT_FOUND: it is over, or there is none; INVALID: it is several; CONFLICT. */
WEIR_API WEIR_CHECKED bool weir_cancel_task(weir_engine *engine, const char *run,
                                            const weir_value *what, weir_error *error);
/* The request's pipeline in another form: "dataflow" (linked, as it is run), "workflow" (Argo's, whose containers run in
 * request.image where the file names none) or "plain" (the same pipeline, without lists that stand for mappings). Problems are as
 * with weir_check. UNSUPPORTED: something of it has no place in a workflow. */
WEIR_API WEIR_CHECKED bool weir_pipeline_form(weir_engine *engine, const weir_value *request,
                                              const char *form,
                                              void (*problem)(void *arg, const weir_error *error),
                                              void *arg, weir_value **out, weir_error *error);
/* Dataflows as values, in linked form (see weir.h's `flow`); they are what `weir dataflow` prints. */
/* The request's dataflow (file or flow, overlays, configure), as DFFML exports it. With `linked`, definitions are named
 * and the flow in effect is written out; else they are nested. */
WEIR_API WEIR_CHECKED bool weir_dataflow_export(weir_engine *engine, const weir_value *request,
                                                bool linked,
                                                void (*problem)(void *arg, const weir_error *error),
                                                void *arg, weir_value **out, weir_error *error);
/* The dataflows in the files, merged in their order, in linked form or not. */
WEIR_API WEIR_CHECKED bool weir_dataflow_merge(weir_engine *engine, const char *const *files,
                                               bool linked, weir_value **out, weir_error *error);
/* A dataflow of operations: {operations: [NAME or INSTANCE=NAME], inputs?: [VALUE=DEFINITION or
 * VALUE=DEFINITION=ORIGIN], flow?: [SOURCES=INSTANCE.inputs.PARAMETER], config?: [VALUE=INSTANCE.KEY], linked?: bool},
 * as the options of `weir dataflow create` have them. */
WEIR_API WEIR_CHECKED bool weir_dataflow_create(weir_engine *engine, const weir_value *what,
                                                weir_value **out, weir_error *error);
/* Looks whether all is sound that runs will need: [{check, state, message, hint?}], where state is "ok", "warning" (it will
 * do) or "problem". Reads all of the store, and loads each module of the operations. */
WEIR_API weir_value *weir_examine(weir_engine *engine);
/* The same of images of containers, which needs no engine: whether steps can run in them, and the place where they are kept (NULL: the
 * defaults). */
WEIR_API weir_value *weir_examine_images(const weir_images *images);
/* Makes the tables that are derived from journals (docs/reference/store.md) anew, for one run or, with NULL, for all that
 * nobody drives: entries as weir_examine's. */
WEIR_API weir_value *weir_rebuild(weir_engine *engine, const char *run);
/* Looks at every batch of every journal that nobody drives. Of a damaged one the batches before the damage are kept, after
 * a copy of the store's file, where it is one, and its run can be recovered, or is marked as lost: entries as weir_examine's. */
WEIR_API weir_value *weir_repair(weir_engine *engine);
/* The same for the pages of a store on SQLite that is too damaged to be opened, or not whole: what can be read goes into a new
 * file, which takes the old one's place; weir_repair comes after. `state` and `store` are as in weir_options, either may be
 * NULL. Nobody may use the store meanwhile: CONFLICT. *out: entries as weir_examine's, none when all is whole. */
WEIR_API WEIR_CHECKED bool weir_salvage(const char *state, const char *store, weir_value **out,
                                        weir_error *error);
/* What the request's file looks like as a graph: a text in `out`. `format` is "text", "dot" (Graphviz), "mermaid" or
 * "svg". `options` (may be NULL): {display: "TD", "LR", "RL" or "BT", where the edges go; simple: true leaves only
 * operations and their order; stages: [of "processing", "cleanup", "output"], the only ones of a dataflow or pipeline;
 * color: true colours the text for a terminal}. Problems with the file are as with weir_check. LIMIT: it is too large. */
WEIR_API WEIR_CHECKED bool weir_graph(weir_engine *engine, const weir_value *request,
                                      const char *format, const weir_value *options,
                                      void (*problem)(void *arg, const weir_error *error),
                                      void *arg, weir_value **out, weir_error *error);
/* Blobs: bytes of any size, kept once under the digest of their content, "sha256:" and 64 hexadecimal digits; a blob is
 * there as long as an owner, a name of 1 to 128 letters, digits and "._-@:", refers to it. The functions wait, and drive
 * the engine meanwhile. Errors: INVALID, NOT_FOUND, IO, STORE (damaged; S3 refuses), CONFLICT, PLUGIN (no module). */
/* Copies an artifact of a workflow as it is kept (what is packed stays so) into a folder, which is made: `artifact` is one of `outputs.artifacts` of a
 * node of the Workflow object. {path}: a file has the last part of its key as its name, and replaces one; a folder must not be there
 * yet. Blocks. NOT_FOUND, CONFLICT, INVALID (it is not kept here), IO. */
WEIR_API WEIR_CHECKED bool weir_artifact_copy(weir_engine *engine, const weir_value *artifact,
                                              const char *folder, weir_value **out,
                                              weir_error *error);
/* Keeps what the descriptor gives until its end: {digest, size, there}, where `there` says that it was kept already. */
WEIR_API WEIR_CHECKED bool weir_put_blob(weir_engine *engine, int fd, const char *owner,
                                         weir_value **out, weir_error *error);
/* Writes the blob to the descriptor, or `length` (UINT64_MAX: all) of its bytes from `from` on. A whole blob is held
 * against its digest: STORE when it is damaged, with what was written till then. */
WEIR_API WEIR_CHECKED bool weir_get_blob(weir_engine *engine, const char *digest, uint64_t from,
                                         uint64_t length, int fd, weir_error *error);
/* Calls back with {digest, size, modified} of each, by digest, until `visit` returns false. */
WEIR_API WEIR_CHECKED bool weir_list_blobs(weir_engine *engine,
                                           bool (*visit)(void *arg, const weir_value *blob),
                                           void *arg, weir_error *error);
/* {digest, size, modified, owners: [text]}. */
WEIR_API WEIR_CHECKED bool weir_show_blob(weir_engine *engine, const char *digest, weir_value **out,
                                          weir_error *error);
/* The owner refers to it no more; it goes with its last owner. {digest, removed: bool}. */
WEIR_API WEIR_CHECKED bool weir_drop_blob(weir_engine *engine, const char *digest,
                                          const char *owner, weir_value **out, weir_error *error);
/* Removes blobs without owner, and what dead processes and deleted runs left; without `remove` only looks. {kept, removed,
 * bytes, leftovers}. */
WEIR_API WEIR_CHECKED bool weir_prune_blobs(weir_engine *engine, bool remove, weir_value **out,
                                            weir_error *error);
/* The cache of results: outcomes of operations that say `cache`, kept for later runs. `filter` (may be NULL) says which are
 * meant: {key: what it begins with, cache, operation: text, before: made earlier, limit: number}, all of them optional. */
/* Calls back with {key, operation, instance, cache?, run?, task, created, size, blob?} of each entry, newest first, until
 * `visit` returns false. */
WEIR_API WEIR_CHECKED bool weir_list_cache(weir_engine *engine, const weir_value *filter,
                                           bool (*visit)(void *arg, const weir_value *entry),
                                           void *arg, weir_error *error);
/* The same of the one entry whose key begins so, and `outputs`. Errors: NOT_FOUND, USAGE (several), STORE (its value is
 * damaged or gone). */
WEIR_API WEIR_CHECKED bool weir_show_cache(weir_engine *engine, const char *key, weir_value **out,
                                           weir_error *error);
/* Removes the entries; blobs of large ones go with the next weir_prune_blobs. {entries, bytes}. */
WEIR_API WEIR_CHECKED bool weir_clear_cache(weir_engine *engine, const weir_value *filter,
                                            weir_value **out, weir_error *error);
/* Images of containers, in a store that needs no engine; any thread. `images` may be NULL: the defaults. A name is as people write it,
 * [HOST[:PORT]/]PATH[:TAG][@DIGEST]; answers have the whole of it. Several processes may use a store at once. All of them block. Errors:
 * INVALID (no name, no such file, not what its digest says), NOT_FOUND, LIMIT, IO, CANCELLED, PLUGIN (no module). */
/* Fetches an image from its registry or a mirror, as images->pull says; what is here already does not come again, and what was interrupted goes
 * on. As an entry of weir_list_images (of one that somebody removed meanwhile only its name), with {removed?: [name…], what went because of images->bytes_max}. An error says what was tried. */
WEIR_API WEIR_CHECKED bool weir_pull_image(const weir_images *images, const char *name,
                                           weir_value **out, weir_error *error);
/* [{name (null: it has none), digest, pinned?: of the index that the registry gave, size, unpacked_size, layers, created?, used?, architecture?,
 * os?}], what was used last first; moments are texts as RFC 3339 has them. */
WEIR_API WEIR_CHECKED bool weir_list_images(const weir_images *images, weir_value **out,
                                            weir_error *error);
/* The same of one, with {manifest, config, layers: [{diff_id, digest, media_type, size, unpacked_size}]}: `config` is the image's configuration
 * file. */
WEIR_API WEIR_CHECKED bool weir_show_image(const weir_images *images, const char *name,
                                           weir_value **out, weir_error *error);
/* From a file or a folder: what `docker save` and `podman save` write, an OCI layout, or a root file system as a tar archive, which needs a
 * `name`; else NULL keeps the names that are in it. {images: [as of weir_pull_image], removed?}. */
WEIR_API WEIR_CHECKED bool weir_import_image(const weir_images *images, const char *path,
                                             const char *name, weir_value **out, weir_error *error);
/* As one file that `docker load`, `podman load` and weir_import_image read. */
WEIR_API WEIR_CHECKED bool weir_export_image(const weir_images *images, const char *name,
                                             const char *path, weir_error *error);
/* Takes the name away; what no other name refers to goes, unless an attempt uses it. */
WEIR_API WEIR_CHECKED bool weir_remove_image(const weir_images *images, const char *name,
                                             weir_error *error);
/* Removes images that were not used for `age_us` (UINT64_MAX: none for its age), then those that were used longest ago until the rest has at most
 * `bytes_max` (0: any); what nobody refers to, and what interrupted pulls left, goes in any case. {removed: [name…], freed, left}, in bytes. */
WEIR_API WEIR_CHECKED bool weir_prune_images(const weir_images *images, uint64_t age_us,
                                             uint64_t bytes_max, weir_value **out,
                                             weir_error *error);
/* [{name, about, inputs, outputs, config, hints, example?, module?, stage?, expand?, declared?}], by name; ports are [{name,
 * primitive, about, definition?, default?}]. */
WEIR_API weir_value *weir_operations(weir_engine *engine);
/* The same of what is named: an operation, a Python function (`module:function`), or all decorated functions of a module or a file (perhaps
 * behind `python:`); `request` may have `python` and `folder`, or be NULL. UNKNOWN_OPERATION; NOT_FOUND: there is no interpreter. */
WEIR_API WEIR_CHECKED bool weir_operations_find(weir_engine *engine, weir_str name,
                                                const weir_value *request, weir_value **out,
                                                weir_error *error);
/* Schedules that the store keeps, for all processes that share it: when which file is run. One is shown as Argo's CronWorkflow, of a pipeline
 * or a dataflow in the same form: {apiVersion?, kind, metadata: {name, creationTimestamp, …}, spec, status: {active: [{name,
 * scheduledTime?}], lastScheduledTime?, nextScheduledTime?, succeeded, failed, phase: "Active" or "Stopped", conditions}}. */
/* Keeps what the request's file says, of each CronWorkflow and each pipeline with a `schedule`. `what` is over what the file says: {name?,
 * schedules?, timezone?, concurrencyPolicy?, …}, as in a CronWorkflow's spec; with `schedules` any file can be one. Runs are of the file as
 * it is now, with what the request says. With `replace` instead of the one that is there, whose counts and runs stay. *out: a list of
 * those that were made. INVALID: something is wrong with it, or there is one of that name. */
WEIR_API WEIR_CHECKED bool weir_cron_put(weir_engine *engine, const weir_value *request,
                                         const weir_value *what, bool replace,
                                         void (*problem)(void *arg, const weir_error *error),
                                         void *arg, weir_value **out, weir_error *error);
WEIR_API WEIR_CHECKED bool weir_cron_get(weir_engine *engine, const char *name, weir_value **out,
                                         weir_error *error);
/* By name, until `visit` returns false. */
WEIR_API WEIR_CHECKED bool weir_cron_list(weir_engine *engine,
                                          bool (*visit)(void *arg, const weir_value *schedule),
                                          void *arg, weir_error *error);
/* Its runs stay. */
WEIR_API WEIR_CHECKED bool weir_cron_delete(weir_engine *engine, const char *name,
                                            weir_error *error);
/* What comes while it is suspended is missed. */
WEIR_API WEIR_CHECKED bool weir_cron_suspend(weir_engine *engine, const char *name, bool suspended,
                                             weir_error *error);
/* The times from `from_us` to `to_us` that it says, as texts; LIMIT: more than `limit`. */
WEIR_API WEIR_CHECKED bool weir_cron_due(weir_engine *engine, const char *name, uint64_t from_us,
                                         uint64_t to_us, size_t limit, weir_value **out,
                                         weir_error *error);
/* Leaves a run of it to the state's engine at once, whatever its policy: `what` is {name?, time?: that it is for, RFC 3339, argument?: the
 * parameter or input that gets the time, backfill?: true: it is none of the schedule's own runs}. As weir_submit. */
WEIR_API WEIR_CHECKED bool weir_cron_start(weir_engine *engine, const char *name,
                                           const weir_value *what,
                                           void (*problem)(void *arg, const weir_error *error),
                                           void *arg, weir_value **out, weir_error *error);
typedef struct weir_schedule_serving {
    bool (*stop)(void *arg); /* whether to end now: asked a few times a second */
    /* What was done for a schedule: "started", "deleted" and the like, with the name of the run, or why something was not; the last two
     * may be NULL. May be NULL. */
    void (*said)(void *arg, const char *schedule, const char *what, const char *run,
                 const weir_error *error);
    void (*unserved)(void *arg); /* runs wait for a process that serves the state. May be NULL */
    void *arg;
} weir_schedule_serving;
/* Starts the runs of the store's schedules when they are due, until it is to stop. Several processes may do so for one store: each time
 * has one run. */
WEIR_API WEIR_CHECKED bool
weir_serve_schedules(weir_engine *engine, const weir_schedule_serving *options, weir_error *error);

/* The first `limit` times behind `from_us` that cron schedules say, as robfig/cron v3 reads them and so Argo: [{time, local}], texts as
 * RFC 3339 has them, in UTC and in the schedule's zone; fewer when there are no more within five years. `zone` is a name of the time zone
 * database, for schedules that have none of their own (`TZ=NAME` in front); NULL: this machine's. Needs no engine. SYNTAX, INVALID. */
WEIR_API WEIR_CHECKED bool weir_cron_times(const char *const *schedules, size_t count,
                                           const char *zone, uint64_t from_us, size_t limit,
                                           weir_value **out, weir_error *error);

/* What an expression gives (docs/reference/expressions.md), a new reference. `env` has the names that it may use, an object whose
 * numbers are floats, as Go reads JSON; NULL: none. NULL: the error has code, message, line, column and hint. */
WEIR_API weir_value *weir_evaluate(const char *text, size_t length, weir_value *env,
                                   weir_error *error);

#endif

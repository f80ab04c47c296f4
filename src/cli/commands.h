/* The command line: one table of commands makes parsing, help and completion.
 *
 * A command is a function of its parsed arguments that returns the exit code. It runs once, on the one thread of the
 * process; what it was given lives until it returns. */
#ifndef WEIR_CLI_COMMANDS_H
#define WEIR_CLI_COMMANDS_H

#include "cli/output.h"
#include "cli/settings.h"

/* X(name, letter, long name, argument or NULL, help). An argument with '|' is a choice; FILE and DIR complete paths. */
#define WEIR_FLAGS(X)                                                                              \
    X(INPUT, 0, "input", "NAME=VALUE", "an input: JSON, or text; @FILE reads it")                  \
    X(INPUTS, 0, "inputs", "NAME=VALUE", "the same; more may follow it")                           \
    X(INPUTS_FILE, 0, "inputs-file", "FILE", "inputs by name, as JSON or YAML")                    \
    X(SOURCE, 0, "source", "PLACE",                                                                \
      "records: a CSV or JSON file, sqlite:FILE?table=T, postgresql://…?table=T")                  \
    X(DESTINATION, 0, "destination", "PLACE", "where records are stored; else in their source")    \
    X(KEY, 0, "key", "KEY", "only the record KEY, and others that are named so")                   \
    X(RECORD_DEFINITION, 0, "record-definition", "DEFINITION", "a record's key is an input")       \
    X(FEATURES_DEFINITION, 0, "features-definition", "DEFINITION",                                 \
      "the map of all its features is an input")                                                   \
    X(FEATURE, 0, "feature", "NAME[=DEFINITION]", "a feature is an input")                         \
    X(CACHING, 0, "caching", "NAME", "pass over records that have this feature, and others so")    \
    X(NO_UPDATE, 0, "no-update", NULL, "store nothing")                                            \
    X(CONTEXTS, 0, "contexts", "FILE", "inputs of several contexts, as JSON or YAML")              \
    X(CONTEXT, 0, "context", "NAME:DEFINITION=VALUE", "an input of the context NAME")              \
    X(PARAMETER, 'p', "parameter", "NAME=TEXT", "a parameter of a workflow, always text")          \
    X(PARAMETER_FILE, 'f', "parameter-file", "FILE", "parameters by name, as YAML or JSON")        \
    X(SCHEDULE, 0, "schedule", "SCHEDULE", "when, over the file's: \"30 4 * * *\", @hourly")       \
    X(CONCURRENCY, 0, "concurrency", "Allow|Forbid|Replace",                                       \
      "what is done when the run before goes on, over the file's")                                 \
    X(START, 0, "start", "TIME", "from when: 2026-11-01T00:00Z, or 30d ago")                       \
    X(END_TIME, 0, "end", "TIME", "until when; else until now")                                    \
    X(PARALLEL, 0, "parallel", NULL, "all at once; else one after the other")                      \
    X(BACKFILL_NAME, 0, "name", "NAME", "in the names of its runs; else \"backfill\"")             \
    X(ARGNAME, 0, "argname", "NAME", "the parameter or input that gets the time")                  \
    X(MAX_COUNT, 0, "maxworkflowcount", "N", "at most so many runs; else 1000")                    \
    X(TIMEZONE, 0, "timezone", "NAME", "the schedule's time zone; else this machine's")            \
    X(FROM_TIME, 0, "from", "TIME", "times behind this one: 2026-03-29T00:00Z; else behind now")   \
    X(COUNT_OF, 0, "count", "N", "so many times, at most 1000; else 5")                            \
    X(ENTRYPOINT, 0, "entrypoint", "TEMPLATE", "where a workflow begins")                          \
    X(EXECUTOR, 0, "executor", "auto|process|container", "what containers of a workflow run as")   \
    X(NETWORK, 0, "network", "host|none", "none: steps of a workflow have no network")             \
    X(PULL, 0, "pull", "missing|always|never", "whether images that steps name are fetched")       \
    X(PLATFORM, 0, "platform", "OS/ARCHITECTURE", "of which platform; else this machine's")        \
    X(IMAGE_STORE, 0, "image-store", "DIR", "where images are kept, else as the settings say")     \
    X(IMAGE_NAME, 0, "name", "NAME", "what it is called; a root file system needs one")            \
    X(UNUSED_FOR, 0, "older-than", "AGE", "what was not used for so long: 7d, 12h")                \
    X(IMAGES_SIZE, 0, "max-size", "SIZE",                                                          \
      "then those that were used longest ago, until all take no more: 20GB")                       \
    X(RESUME_AFTER, 0, "resume-after", "DURATION",                                                 \
      "a workflow's suspended nodes go on by themselves after that long")                          \
    X(LIBRARY, 0, "library", "PATH",                                                               \
      "templates, config maps and secrets that a workflow refers to: a file or a directory")       \
    X(ALLOW_HOST_PATH, 0, "allow-host-path", NULL,                                                 \
      "let volumes of a workflow show this machine's files: `hostPath`")                           \
    X(DEADLINE, 0, "deadline", "DURATION", "cancel the run when it takes longer: 90s, 2h")         \
    X(DETACH, 0, "detach", NULL, "leave it to the state's engine, and print its name")             \
    X(NAME, 0, "name", "NAME", "the run's name; else made from the file's")                        \
    X(GENERATE_NAME, 0, "generate-name", "PREFIX", "what the run's name begins with")              \
    X(PRIORITY, 0, "priority", "N", "of a workflow, instead of the file's")                        \
    X(SCHEDULED_TIME, 0, "scheduled-time", "TIME",                                                 \
      "what `workflow.scheduledTime` says: 2026-01-02T03:04:05Z; else when it began")              \
    X(PREVIEW, 0, "dry-run", NULL, "only print what would run, with all that it refers to")        \
    X(STRICT, 0, "strict", NULL, "refuse fields of a workflow that are unknown")                   \
    X(KINDS, 0, "kinds", "KIND,…", "of Argo's kinds; accepted, as each document is looked at")     \
    X(OFFLINE, 0, "offline", NULL, "accepted: there is no server that could be asked")             \
    X(KIND, 0, "kind", "dataflow|workflow|pipeline", "what the file is; else told from it")        \
    X(PIPELINE, 0, "pipeline", "NAME", "which pipeline of the file")                               \
    X(LIST_STYLE, 'b', "list-style", NULL, "insist on a pipeline in list style")                   \
    X(TO, 0, "to", "plain|workflow|dataflow",                                                      \
      "the form: plain style (default), Argo's, or DFFML's")                                       \
    X(IMAGE, 0, "image", "NAME", "in a workflow, of commands that name no image")                  \
    X(TASK, 0, "task", "TASK", "only this task: it ends, and is not tried again")                  \
    X(IN_CONTEXT, 0, "in-context", "NAME", "the task of this context of a dataflow")               \
    X(ALONE, 0, "alone", NULL, "what depends on the task stays, if it is given the same again")    \
    X(GOAL, 0, "goal", "OUTPUT",                                                                   \
      "only what this output, definition, operation or task needs; may be repeated")               \
    X(KEEP_ALL, 0, "keep-all", NULL, "run what leads to no wanted output or goal, too")            \
    X(MODE, 0, "mode", "async|sync|scheduled", "tasks begin at once, one by one, or at ticks")     \
    X(RESOURCES, 0, "limit", "NAME=AMOUNT", "memory=2G, cpu=4, processes=8: of all tasks at once") \
    X(SCHEDULER, 0, "scheduler", "fifo|fair|critical-path|memory", "which ready task is the next") \
    X(OPTIMIZE, 0, "optimize", "time|memory|energy", "what a run is to be sparing with")           \
    X(TICK, 0, "tick", "DURATION", "between two ticks of --mode scheduled; else 200ms")            \
    X(FILE, 0, "file", "FILE", "the file, instead of as an argument")                              \
    X(EXPRESSIONS, 0, "file", "FILE", "evaluate each line of the file")                            \
    X(TEXTFILE, 0, "file", "FILE", "write it there, for node_exporter, whole or not at all")       \
    X(ENV, 0, "env", "FILE", "what the names stand for: an object, as JSON or YAML")               \
    X(NO_STRICT, 0, "no-strict", NULL, "go on after a failed operation")                           \
    X(FORGET_AFTER, 0, "forget-after", "DURATION",                                                 \
      "forget contexts of a dataflow so long after they are over: 10m, 30d")                       \
    X(FEED, 0, "feed", "FILE", "give a dataflow a context for each line of JSON; - is the input")  \
    X(MAX_CONTEXTS, 0, "max-contexts", "N", "at most N contexts of a dataflow at once")            \
    X(CONFIGURE, 0, "configure", "INSTANCE.KEY=VALUE",                                             \
      "an operation's configuration, over the file's")                                             \
    X(OVERLAY, 0, "overlay", "FILE", "lay a dataflow over the file's")                             \
    X(SEED, 0, "inputs", "VALUE=DEFINITION[=ORIGIN]", "an input of every context")                 \
    X(FLOW, 0, "flow", "SOURCES=INSTANCE.inputs.NAME", "where an input comes from, a JSON list")   \
    X(OPERATION_CONFIG, 0, "config", "VALUE=INSTANCE.KEY", "an operation's configuration")         \
    X(LINKED, 0, "linked", NULL, "definitions by name, in one place")                              \
    X(NOT_LINKED, 0, "not-linked", NULL, "definitions nested where they are used")                 \
    X(PLUGIN, 0, "plugin", "FILE", "load the operations of a plugin, or of those in a folder")     \
    X(EVENTS, 0, "events", "FILE", "write every event as a line of JSON; - is the output")         \
    X(SECRET, 0, "secret", "NAME=@FILE|env:VAR",                                                   \
      "a secret, from a file or the environment; NAME.*=@FILE: one a member")                      \
    X(LOG, 0, "log", NULL, "show what the steps write, as it comes")                               \
    X(EXPLAIN, 0, "explain", NULL, "then say why each operation ran or did not")                   \
    X(WRITE, 0, "write", "DIR", "write it into this folder instead")                               \
    X(TERMINATE, 0, "terminate", NULL, "end its processes without grace")                          \
    X(ALL, 0, "all", NULL, "recover: each run nobody drives; clear: all; else: child runs too")    \
    X(LIMIT, 0, "limit", "N", "at most N of them; 0: all")                                         \
    X(PHASE, 0, "phase", "PHASE,…", "runs in one of these: Running, Succeeded, Failed, Error")     \
    X(STATUS, 0, "status", "PHASE,…", "the same")                                                  \
    X(COMPLETED, 0, "completed", NULL, "runs that are over")                                       \
    X(RUNNING, 0, "running", NULL, "runs that are not")                                            \
    X(PREFIX, 0, "prefix", "TEXT", "runs whose name begins so")                                    \
    X(RESUBMITTED, 0, "resubmitted", NULL, "runs that `resubmit` made")                            \
    X(FIELDS, 0, "field-selector", "FIELD=VALUE,…",                                                \
      "runs with this metadata.name; those of metadata.namespace are all")                         \
    X(ALL_NAMESPACES, 'A', "all-namespaces", NULL, "accepted: there are no namespaces")            \
    X(CHUNK, 0, "chunk-size", "N", "accepted: a list is read in parts anyway")                     \
    X(QUERY_CHUNK, 0, "query-chunk-size", "N", "accepted: a list is read in parts anyway")         \
    X(OLDER, 0, "older", "WHEN", "runs that ended before: 2h or 7d ago, or 2026-11-21T06:30Z")     \
    X(NO_HEADERS, 0, "no-headers", NULL, "no first line with the titles")                          \
    X(OF_KIND, 0, "kind", "dataflow|workflow|pipeline", "runs of this kind")                       \
    X(OF_FILE, 0, "file", "PATTERN", "runs of such a file; * and ? stand for others")              \
    X(NAMED, 0, "name", "PATTERN", "runs of such a name; * and ? stand for others")                \
    X(PARENT, 0, "parent", "RUN", "the children of a run")                                         \
    X(LABEL, 'l', "label", "KEY=VALUE", "a label, to find the run by")                             \
    X(LABELLED, 'l', "label", "KEY[=VALUE]", "runs with this label; also KEY!=VALUE and !KEY")     \
    X(SINCE, 0, "since", "WHEN", "runs started since: 2h or 7d ago, or 2026-11-21T06:30Z")         \
    X(UNTIL, 0, "until", "WHEN", "runs started until then")                                        \
    X(AFTER, 0, "after", "CURSOR", "go on behind this: a run, its cursor, or an event's id")       \
    X(REVERSE, 0, "reverse", NULL, "the oldest first")                                             \
    X(FOLLOW, 'f', "follow", NULL, "go on with what comes, until the run ends")                    \
    X(TYPE, 0, "type", "PATTERN,…", "only events of these types, as attempt.*")                    \
    X(FORWARD, 0, "forward", NULL, "what came of it, instead of where it came from")               \
    X(WITHIN, 0, "context", "NAME", "only in the contexts of this name")                           \
    X(DEPTH, 0, "depth", "N", "at most N operations one behind the other; 0: all; else 50")        \
    X(TAIL, 'n', "tail", "N", "only the last N lines of each step")                                \
    X(CP_ARTIFACT, 0, "artifact-name", "NAME", "only artifacts of this name")                      \
    X(CP_TEMPLATE, 0, "template-name", "NAME", "only of nodes of this template")                   \
    X(CP_NODE, 0, "node-id", "ID", "only of this node")                                            \
    X(CP_PATH, 0, "path", "PATH",                                                                  \
      "where in DIR; {namespace}, {workflowName}, {nodeId}, {templateName}, {artifactName}")       \
    X(CONTAINER, 'c', "container", "NAME", "only of this container; else of all")                  \
    X(GREP, 0, "grep", "PATTERN", "only lines that match, an extended regular expression")         \
    X(NO_PREFIX, 0, "no-prefix", NULL, "do not say whose a line is")                               \
    X(FIELD, 0, "field", "NAME", "only this part of each result")                                  \
    X(ANY, 0, "any", NULL, "one of them is enough")                                                \
    X(TIMEOUT, 0, "timeout", "DURATION",                                                           \
      "wait: give up then, with exit code 3; query: 1m if not said")                               \
    X(FORCE, 0, "force", NULL, "cancel a run first that is under way")                             \
    X(FORMAT, 0, "format", "text|dot|mermaid|svg", "how to draw it; else as FILE ends, or text")   \
    X(STAGES, 0, "stages", "STAGE,…", "only these: processing, cleanup, output")                   \
    X(SIMPLE, 0, "simple", NULL, "only the operations and their order")                            \
    X(DISPLAY, 0, "display", "TD|LR|RL|BT", "which way the arrows go")                             \
    X(OUTPUT, 'o', "output", "FORM", "what to print")                                              \
    X(QUIET, 'q', "quiet", NULL, "no tree: only results and errors")                               \
    X(NO_COLOR, 0, "no-color", NULL, "no colours, as with NO_COLOR")                               \
    X(NO_UTF8, 0, "no-utf8", NULL, "only ASCII: phases instead of icons")                          \
    X(NODE_STATUS, 0, "status", "PHASE", "only nodes in this phase")                               \
    X(NODES, 0, "node-field-selector", "FIELD=VALUE,…",                                            \
      "only such nodes, as phase!=Succeeded,displayName=a")                                        \
    X(MESSAGE, 'm', "message", "TEXT", "what is said of the nodes")                                \
    X(TO_PHASE, 0, "phase", "Succeeded|Failed|Error|Skipped", "how the nodes end")                 \
    X(SUPPLIED, 'p', "output-parameter", "NAME=TEXT", "an output that the nodes were to be given") \
    X(IGNORE_NOT_FOUND, 0, "ignore-not-found", NULL,                                               \
      "a run that is not there is none to wait for")                                               \
    X(SHORT, 0, "short", NULL, "only the number")                                                  \
    X(FROM, 0, "from", "KIND/NAME", "a template that the state keeps, instead of a file")          \
    X(WAIT, 'w', "wait", NULL, "then wait until it has ended; exit code 1 when it failed")         \
    X(WATCH, 0, "watch", NULL, "then show it as it goes on, until it ends")                        \
    X(FOLLOW_LOG, 0, "log", NULL, "then print what its steps write, until it ends")                \
    X(SERVER_DRY_RUN, 0, "server-dry-run", NULL, "the same as --dry-run")                          \
    X(MEMOIZED, 0, "memoized", NULL, "with the outcomes of what succeeded")                        \
    X(RESTART_SUCCESSFUL, 0, "restart-successful", NULL,                                           \
      "also nodes that succeeded, and that --node-field-selector picks")                           \
    X(ONLY, 0, "only", "NAME", "of a workflow only this template or step, with -p as its inputs")  \
    X(ARTIFACT, 0, "artifact", "NAME=FILE",                                                        \
      "an artifact of a workflow: the text that is in the file")                                   \
    X(MOCK, 0, "mock", "TEMPLATE=FILE", "do not run this template: its outputs are in the file")   \
    X(KEEP, 0, "keep", NULL, "keep the files of a workflow's steps, for `weir shell`")             \
    X(TIMESTAMPS, 0, "timestamps", NULL, "before each line, when it came")                         \
    X(WRITTEN_SINCE, 0, "since", "DURATION", "only lines that are no older: 90s, 2h")              \
    X(SINCE_TIME, 0, "since-time", "WHEN", "only lines since then: 2026-11-21T06:30Z")             \
    X(PREVIOUS, 'p', "previous", NULL, "only of attempts that another followed")                   \
    X(SELECTOR, 'l', "selector", "KEY=VALUE,…",                                                    \
      "only of templates whose metadata has these labels")                                         \
    X(NAMESPACE, 'n', "namespace", "NAME", "accepted: there are no namespaces")                    \
    X(DURABILITY, 0, "durability", "full|batch|none", "what survives a crash or a power cut")      \
    X(THREADS, 0, "threads", "N", "for contexts that only call")                                   \
    X(ISOLATION, 0, "isolation", "auto|none",                                                      \
      "file systems of their own for workflows' processes")                                        \
    X(RECORD, 0, "record", "results|all", "all: each call; else the first 1000 and all results")   \
    X(STATE, 0, "state", "DIR", "the state directory; else the nearest .weir upwards")             \
    X(STORE, 0, "store", "URL", "where runs are kept: sqlite:///FILE or postgresql://…")           \
    X(BLOBS, 0, "blobs", "PLACE", "where blobs are: a directory or s3://BUCKET/PREFIX")            \
    X(OWNER, 0, "owner", "NAME", "who refers to the blob; else \"user\"")                          \
    X(RANGE, 0, "range", "FROM-TO", "only these bytes, from 0; without TO all from FROM on")       \
    X(REBUILD, 0, "rebuild", NULL,                                                                 \
      "make the tables of RUN, or of all runs, anew from the journal")                             \
    X(REPAIR, 0, "repair", NULL, "keep what is whole of damaged journals and of a damaged file")   \
    X(DRY_RUN, 0, "dry-run", NULL, "only say what would be done")                                  \
    X(NO_CACHE, 0, "no-cache", NULL, "take nothing from the cache of results, put nothing there")  \
    X(REFRESH_CACHE, 0, "refresh-cache", NULL, "take nothing from it, put all there anew")         \
    X(OPERATION, 0, "operation", "NAME", "only results of this operation")                         \
    X(CACHE, 0, "cache", "NAME", "only those of the cache of this name")                           \
    X(OLDER_THAN, 0, "older-than", "AGE", "only what was made, or ended, longer ago: 7d, 12h")     \
    X(MAX_SIZE, 0, "max-size", "SIZE", "then the oldest, until all takes no more: 10GB, 500MiB")   \
    X(AUTO, 0, "auto", NULL, "what weir does by itself: as configured, gently, and silent")        \
    X(REPLACE, 0, "replace", NULL, "what is there; an old state is kept beside the new one")       \
    X(INTO, 0, "into", "DIR", "the state directory to make; else that of --state")                 \
    X(BUCKET, 0, "bucket", NULL, "copy blobs that are in a bucket of S3, too")                     \
    X(UNDO, 0, "undo", NULL, "do not keep it any more")                                            \
    X(DOWNLOADS, 0, "downloads", "N,…", "of how many downloads; else 1,10,50,100,200")             \
    X(RUNG, 0, "rung", "NAME,…", "only these rungs; else each")                                    \
    X(LATENCY, 0, "latency", "DURATION", "how long the server takes for an answer; else 20ms")     \
    X(AT_ONCE, 0, "at-once", "N", "how many downloads go on at once, but in a loop; else 50")      \
    X(ROUNDS, 0, "rounds", "N", "how often each is measured, for the median; else 3")              \
    X(PICTURES, 0, "svg", "DIR", "write the plots as pictures into this folder, too")              \
    X(PYTHON, 0, "python", "PATH",                                                                 \
      "the interpreter of Python functions, and of a program that makes workflows")                \
    X(CONFIG, 0, "config", "FILE", "one more configuration file")                                  \
    X(SET, 0, "set", "KEY=VALUE", "a setting, as in the configuration")                            \
    X(HELP, 'h', "help", NULL, "show this")

typedef enum weir_flag {
    WEIR_FLAG_END, /* of a command's list */
#define X(name, letter, text, argument, about) WEIR_FLAG_##name,
    WEIR_FLAGS(X)
#undef X
        WEIR_FLAG_COUNT
} weir_flag;

/* The options that say which runs are meant, with commas between. */
#define WEIR_FLAGS_OF_FILTER                                                                       \
    WEIR_FLAG_PHASE, WEIR_FLAG_STATUS, WEIR_FLAG_COMPLETED, WEIR_FLAG_RUNNING, WEIR_FLAG_OF_KIND,  \
        WEIR_FLAG_OF_FILE, WEIR_FLAG_NAMED, WEIR_FLAG_PREFIX, WEIR_FLAG_PARENT,                    \
        WEIR_FLAG_LABELLED, WEIR_FLAG_FIELDS, WEIR_FLAG_RESUBMITTED, WEIR_FLAG_SINCE,              \
        WEIR_FLAG_UNTIL, WEIR_FLAG_LIMIT, WEIR_FLAG_AFTER, WEIR_FLAG_REVERSE

typedef struct weir_cli weir_cli;

typedef struct weir_command {
    const char *name;           /* "run", "operation list" */
    const char *arguments;      /* as help shows them: "FILE [NAME=VALUE…]" */
    const char *about;          /* one line */
    const unsigned char *flags; /* ends with WEIR_FLAG_END; help is always there */
    const char *forms; /* of --output, with '|' between; "FILE": where to write; NULL: none */
    size_t words_min, words_max; /* arguments that are no options */
    int (*run)(weir_cli *cli);
    bool (*look)(weir_cli *cli, weir_engine *engine, weir_error *error); /* at the state */
} weir_command;

extern const weir_command weir_commands[]; /* ends with a NULL name */

typedef struct weir_flag_text {
    char letter; /* 0: none */
    const char *name, *argument, *about;
} weir_flag_text;

extern const weir_flag_text weir_flag_texts[WEIR_FLAG_COUNT];

typedef struct weir_given {
    weir_flag flag;
    const char *value; /* "" of a flag without argument */
} weir_given;

/* One invocation of the command. */
struct weir_cli {
    const weir_command *command;
    WEIR_VECTOR(weir_given) given; /* in order */
    WEIR_VECTOR(const char *) words;
    weir_settings settings; /* of commands that have --config */
    weir_output out;        /* standard output */
    uint64_t
        submitted_us; /* when what the command is about was left to an engine; 0: it was not just now */
};

int weir_command_main(int argc, char **argv);
/* Parses what follows the command's name and runs it; returns the exit code. */
int weir_command_run(weir_cli *cli, char *const *arguments, size_t count);
/* Runs what is parsed. */
int weir_command_perform(weir_cli *cli);
void weir_cli_deinit(weir_cli *cli);
/* `weir complete WORD…`, which only completion scripts call: prints what the last word may become, a line each, with
 * what it is about behind a tab; FILE or DIR first when any will do. */
void weir_complete(weir_cli *cli, char *const *words, size_t count);
/* The command that the words begin with, the longest name first; *used (may be NULL) is how many words it takes. */
const weir_command *weir_command_find(char *const *words, size_t count, size_t *used);
bool weir_command_has(const weir_command *command, weir_flag flag);
/* What may stand behind the option: its argument, or the command's forms. */
const char *weir_command_argument(const weir_command *command, weir_flag flag);
/* What help says of the option. */
const char *weir_command_about(const weir_command *command, weir_flag flag);

/* Parses what follows the command's name into given and words. */
WEIR_CHECKED bool weir_cli_parse(weir_cli *cli, char *const *arguments, size_t count,
                                 weir_error *error);
/* Replaces arguments that have a database's password in them by copies, and writes over the originals, which `ps` shows. The
 * copies live as long as the process. */
void weir_cli_hide_passwords(int argc, char **argv);
bool weir_cli_has(const weir_cli *cli, weir_flag flag);
/* The option's last value, or NULL. */
const char *weir_cli_text(const weir_cli *cli, weir_flag flag);
/* Whether the output has this form; "text" when nobody says otherwise. */
bool weir_cli_form(const weir_cli *cli, const char *form);
/* Whether the output is one value for programs, as JSON or YAML; and that value in the form that is wanted, else as JSON. */
bool weir_cli_whole(const weir_cli *cli);
void weir_cli_print(weir_cli *cli, const weir_value *value);
/* Puts members of a run's status or result beside those of Argo's Workflow object, which must be the caller's alone: what programs ask
 * of a run of any kind (phase, results, error …) is in the same place. Returns the object. */
weir_value *weir_cli_workflow_answer(weir_value *workflow, const weir_value *answer);
/* Says the error on standard error; returns the exit code for it. */
int weir_cli_fail(const weir_error *error);

/* The engine for the command; `reading` wants a state that is there. Without callbacks no run is to be driven, so that
 * no secret is needed. */
WEIR_CHECKED bool weir_cli_open(weir_cli *cli, bool reading, const weir_options *callbacks,
                                weir_engine **out, weir_error *error);
/* The state directory that the settings mean. */
const char *weir_cli_state(weir_cli *cli);
/* weir_salvage of the settings' store. */
WEIR_CHECKED bool weir_cli_salvage(weir_cli *cli, weir_value **out, weir_error *error);
/* An engine without state, for commands that only look at files and operations. */
WEIR_CHECKED bool weir_cli_open_memory(weir_cli *cli, weir_engine **out, weir_error *error);
/* The same with a place for blobs, in the state unless the settings name another. */
WEIR_CHECKED bool weir_cli_open_blobs(weir_cli *cli, weir_engine **out, weir_error *error);
/* The request (see weir.h) that the arguments of run and check mean. */
WEIR_CHECKED bool weir_cli_request(weir_cli *cli, weir_value **out, weir_error *error);
/* All of standard input, as the text of the request's file. IO, LIMIT. */
WEIR_CHECKED bool weir_cli_request_input(weir_value *request, weir_error *error);
/* What the options and the settings say of one, whatever its file is. */
WEIR_CHECKED bool weir_cli_request_alone(const weir_cli *cli, weir_value **out, weir_error *error);
/* Only what the options say of it. */
WEIR_CHECKED bool weir_cli_changes(const weir_cli *cli, weir_value **out, weir_error *error);
/* One for each of several files, as an array. */
WEIR_CHECKED bool weir_cli_requests(weir_cli *cli, weir_value **out, weir_error *error);

/* Writes a file that is not there yet. */
WEIR_CHECKED bool weir_cli_write_new(const char *file, weir_str text, weir_error *error);

int weir_blob_put_command(weir_cli *cli);
int weir_blob_get_command(weir_cli *cli);
int weir_blob_list_command(weir_cli *cli);
int weir_blob_show_command(weir_cli *cli);
int weir_blob_rm_command(weir_cli *cli);
int weir_blob_prune_command(weir_cli *cli);
int weir_image_pull_command(weir_cli *cli);
int weir_environment_list_command(weir_cli *cli);
int weir_environment_prune_command(weir_cli *cli);
/* What is found of them. */
void weir_environment_examine(weir_value *findings);
int weir_image_list_command(weir_cli *cli);
int weir_image_show_command(weir_cli *cli);
int weir_image_import_command(weir_cli *cli);
int weir_image_export_command(weir_cli *cli);
int weir_image_rm_command(weir_cli *cli);
int weir_image_prune_command(weir_cli *cli);
bool weir_cache_list_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_cache_show_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_cache_clear_command(weir_cli *cli, weir_engine *engine, weir_error *error);
int weir_run_command(weir_cli *cli);
int weir_run_records_command(weir_cli *cli);
int weir_check_command(weir_cli *cli);
int weir_plan_command(weir_cli *cli);
int weir_lint_command(weir_cli *cli);
/* What would run, instead of running it. */
int weir_preview_command(weir_cli *cli);
/* A moment, or how long ago, in microseconds since 1970; `out` is left alone when the option is not given. USAGE. */
WEIR_CHECKED bool weir_cli_moment(const weir_cli *cli, weir_flag flag, uint64_t *out,
                                  weir_error *error);
/* The runs that the options of list mean; texts are the command line's, and the settings'. */
WEIR_CHECKED bool weir_cli_filter(weir_cli *cli, weir_run_filter *out, weir_error *error);
/* Whether there are such options. */
bool weir_cli_filters(const weir_cli *cli);
/* A whole number; `otherwise` when the option is not given. */
WEIR_CHECKED bool weir_cli_number(const weir_cli *cli, weir_flag flag, uint64_t max,
                                  uint64_t otherwise, uint64_t *out, weir_error *error);
/* Whether anybody drives a run, as it was seen. Begins with how long that may be nobody: it may just change hands. */
enum { WEIR_HANDS_US = 1500 * 1000 };
typedef struct weir_undriven {
    uint64_t most_us;
    uint64_t since_us; /* nobody did; 0: somebody */
    bool said;
} weir_undriven;
/* Says on standard error, once, when a run that goes on is driven by nobody for so long. */
void weir_cli_say_undriven(const weir_cli *cli, const weir_value *run, weir_undriven *seen);
bool weir_list_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_results_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_backup_command(weir_cli *cli, weir_engine *engine, weir_error *error);
int weir_restore_command(weir_cli *cli);
int weir_watch_command(weir_cli *cli);
int weir_wait_command(weir_cli *cli);
int weir_delete_command(weir_cli *cli);
bool weir_prune_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_keep_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_get_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_cp_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_logs_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_query_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_explain_command(weir_cli *cli, weir_engine *engine, weir_error *error);
/* Explains a run that is closed, on standard error. */
WEIR_CHECKED bool weir_explain_run(weir_cli *cli, weir_engine *engine, const char *run,
                                   weir_error *error);
bool weir_events_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_report_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_metrics_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_lineage_command(weir_cli *cli, weir_engine *engine, weir_error *error);
int weir_stop_command(weir_cli *cli);
int weir_shell_command(weir_cli *cli);
int weir_resubmit_command(weir_cli *cli);
/* `template` and `cluster-template`: create and update, list, get, delete. */
int weir_template_write_command(weir_cli *cli);
bool weir_template_list_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_template_get_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_template_delete_command(weir_cli *cli, weir_engine *engine, weir_error *error);
int weir_cron_next_command(weir_cli *cli);
int weir_cron_write_command(weir_cli *cli);
bool weir_cron_list_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_cron_show_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_cron_suspend_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_cron_delete_command(weir_cli *cli, weir_engine *engine, weir_error *error);
int weir_cron_run_command(weir_cli *cli);
int weir_cron_backfill_command(weir_cli *cli);
int weir_serve_schedules_command(weir_cli *cli);
int weir_recover_command(weir_cli *cli);
int weir_submit_command(weir_cli *cli);
int weir_engine_command(weir_cli *cli);
int weir_resume_command(weir_cli *cli);
int weir_operation_list_command(weir_cli *cli);
int weir_operation_show_command(weir_cli *cli);
int weir_dataflow_create_command(weir_cli *cli);
int weir_dataflow_merge_command(weir_cli *cli);
int weir_dataflow_export_command(weir_cli *cli);
int weir_pipeline_command(weir_cli *cli);
int weir_graph_command(weir_cli *cli);
int weir_man_command(weir_cli *cli);
int weir_doctor_command(weir_cli *cli);
int weir_new_command(weir_cli *cli);
int weir_eval_command(weir_cli *cli);
int weir_example_list_command(weir_cli *cli);
int weir_example_run_command(weir_cli *cli);
int weir_example_show_command(weir_cli *cli);
int weir_version_command(weir_cli *cli);
int weir_bench_ladder_command(weir_cli *cli);
int weir_help_command(weir_cli *cli);
int weir_completion_command(weir_cli *cli);

#endif

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
    X(CONTEXTS, 0, "contexts", "FILE", "inputs of several contexts, as JSON or YAML")              \
    X(CONTEXT, 0, "context", "NAME:DEFINITION=VALUE", "an input of the context NAME")              \
    X(PARAMETER, 'p', "parameter", "NAME=TEXT", "a parameter of a workflow, always text")          \
    X(ENTRYPOINT, 0, "entrypoint", "TEMPLATE", "where a workflow begins")                          \
    X(DEADLINE, 0, "deadline", "DURATION", "cancel the run when it takes longer: 90s, 2h")         \
    X(DETACH, 0, "detach", NULL, "leave it to the state's engine, and print its name")             \
    X(NAME, 0, "name", "NAME", "the run's name; else made from the file's")                        \
    X(KIND, 0, "kind", "dataflow|workflow|pipeline", "what the file is; else told from it")        \
    X(PIPELINE, 0, "pipeline", "NAME", "which pipeline of the file")                               \
    X(LIST_STYLE, 'b', "list-style", NULL, "insist on a pipeline in list style")                   \
    X(FILE, 0, "file", "FILE", "the file, instead of as an argument")                              \
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
    X(SECRET, 0, "secret", "NAME=@FILE|env:VAR", "a secret, from a file or the environment")       \
    X(LOG, 0, "log", NULL, "show what the steps write, as it comes")                               \
    X(EXPLAIN, 0, "explain", NULL, "then say why each operation ran or did not")                   \
    X(WRITE, 0, "write", "DIR", "write it into this folder instead")                               \
    X(TERMINATE, 0, "terminate", NULL, "end its processes without grace")                          \
    X(ALL, 0, "all", NULL, "recover: each run nobody drives; clear: all; else: child runs too")    \
    X(LIMIT, 0, "limit", "N", "at most N of them; 0: all")                                         \
    X(PHASE, 0, "phase", "PHASE,…", "runs in one of these: Running, Succeeded, Failed, Error")     \
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
    X(DURABILITY, 0, "durability", "full|batch|none", "what survives a crash or a power cut")      \
    X(THREADS, 0, "threads", "N", "for contexts that only call")                                   \
    X(RECORD, 0, "record", "results|all", "all: each call; else the first 1000 and all results")   \
    X(STATE, 0, "state", "DIR", "the state directory; else the nearest .weir upwards")             \
    X(STORE, 0, "store", "URL", "where runs are kept: sqlite:///FILE or postgresql://…")           \
    X(BLOBS, 0, "blobs", "PLACE", "where blobs are: a directory or s3://BUCKET/PREFIX")            \
    X(OWNER, 0, "owner", "NAME", "who refers to the blob; else \"user\"")                          \
    X(RANGE, 0, "range", "FROM-TO", "only these bytes, from 0; without TO all from FROM on")       \
    X(REBUILD, 0, "rebuild", NULL,                                                                 \
      "make the tables of RUN, or of all runs, anew from the journal")                             \
    X(REPAIR, 0, "repair", NULL, "keep what is whole of damaged journals and of a damaged file")   \
    X(DRY_RUN, 0, "dry-run", NULL, "only say what would be removed")                               \
    X(NO_CACHE, 0, "no-cache", NULL, "take nothing from the cache of results, put nothing there")  \
    X(REFRESH_CACHE, 0, "refresh-cache", NULL, "take nothing from it, put all there anew")         \
    X(OPERATION, 0, "operation", "NAME", "only results of this operation")                         \
    X(CACHE, 0, "cache", "NAME", "only those of the cache of this name")                           \
    X(OLDER_THAN, 0, "older-than", "AGE", "only those made longer ago, as in 7d or 12h")           \
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
    WEIR_FLAG_PHASE, WEIR_FLAG_OF_KIND, WEIR_FLAG_OF_FILE, WEIR_FLAG_NAMED, WEIR_FLAG_PARENT,      \
        WEIR_FLAG_LABELLED, WEIR_FLAG_SINCE, WEIR_FLAG_UNTIL, WEIR_FLAG_LIMIT, WEIR_FLAG_AFTER,    \
        WEIR_FLAG_REVERSE

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
};

int weir_command_main(int argc, char **argv);
/* Parses what follows the command's name and runs it; returns the exit code. */
int weir_command_run(weir_cli *cli, char *const *arguments, size_t count);
void weir_cli_deinit(weir_cli *cli);
/* `weir complete WORD…`, which only completion scripts call: prints what the last word may become, a line each, with
 * what it is about behind a tab; FILE or DIR alone when any will do. */
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
/* Says the error on standard error; returns the exit code for it. */
int weir_cli_fail(const weir_error *error);

/* The engine for the command; `reading` wants a state that is there. Without callbacks no run is to be driven, so that
 * no secret is needed. */
WEIR_CHECKED bool weir_cli_open(weir_cli *cli, bool reading, const weir_options *callbacks,
                                weir_engine **out, weir_error *error);
/* weir_salvage of the settings' store. */
WEIR_CHECKED bool weir_cli_salvage(weir_cli *cli, weir_value **out, weir_error *error);
/* An engine without state, for commands that only look at files and operations. */
WEIR_CHECKED bool weir_cli_open_memory(weir_cli *cli, weir_engine **out, weir_error *error);
/* The same with a place for blobs, in the state unless the settings name another. */
WEIR_CHECKED bool weir_cli_open_blobs(weir_cli *cli, weir_engine **out, weir_error *error);
/* The request (see weir.h) that the arguments of run and check mean. */
WEIR_CHECKED bool weir_cli_request(const weir_cli *cli, weir_value **out, weir_error *error);

/* Writes a file that is not there yet. */
WEIR_CHECKED bool weir_cli_write_new(const char *file, weir_str text, weir_error *error);

int weir_blob_put_command(weir_cli *cli);
int weir_blob_get_command(weir_cli *cli);
int weir_blob_list_command(weir_cli *cli);
int weir_blob_show_command(weir_cli *cli);
int weir_blob_rm_command(weir_cli *cli);
int weir_blob_prune_command(weir_cli *cli);
bool weir_cache_list_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_cache_show_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_cache_clear_command(weir_cli *cli, weir_engine *engine, weir_error *error);
int weir_run_command(weir_cli *cli);
int weir_check_command(weir_cli *cli);
/* The runs that the options of list mean; texts are the command line's, and the settings'. */
WEIR_CHECKED bool weir_cli_filter(weir_cli *cli, weir_run_filter *out, weir_error *error);
/* A whole number; `otherwise` when the option is not given. */
WEIR_CHECKED bool weir_cli_number(const weir_cli *cli, weir_flag flag, uint64_t max,
                                  uint64_t otherwise, uint64_t *out, weir_error *error);
/* Says on standard error, once, when a run that goes on is driven by nobody. */
void weir_cli_say_undriven(const weir_value *run, bool *said);
bool weir_list_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_results_command(weir_cli *cli, weir_engine *engine, weir_error *error);
int weir_watch_command(weir_cli *cli);
int weir_wait_command(weir_cli *cli);
int weir_delete_command(weir_cli *cli);
bool weir_get_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_logs_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_query_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_explain_command(weir_cli *cli, weir_engine *engine, weir_error *error);
/* Explains a run that is closed, on standard error. */
WEIR_CHECKED bool weir_explain_run(weir_cli *cli, weir_engine *engine, const char *run,
                                   weir_error *error);
bool weir_events_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_report_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_lineage_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_cancel_command(weir_cli *cli, weir_engine *engine, weir_error *error);
int weir_recover_command(weir_cli *cli);
int weir_submit_command(weir_cli *cli);
int weir_engine_command(weir_cli *cli);
int weir_resume_command(weir_cli *cli);
bool weir_suspend_command(weir_cli *cli, weir_engine *engine, weir_error *error);
bool weir_terminate_command(weir_cli *cli, weir_engine *engine, weir_error *error);
int weir_operation_list_command(weir_cli *cli);
int weir_operation_show_command(weir_cli *cli);
int weir_dataflow_create_command(weir_cli *cli);
int weir_dataflow_merge_command(weir_cli *cli);
int weir_dataflow_export_command(weir_cli *cli);
int weir_graph_command(weir_cli *cli);
int weir_man_command(weir_cli *cli);
int weir_doctor_command(weir_cli *cli);
int weir_new_command(weir_cli *cli);
int weir_example_list_command(weir_cli *cli);
int weir_example_run_command(weir_cli *cli);
int weir_example_show_command(weir_cli *cli);
int weir_version_command(weir_cli *cli);
int weir_completion_command(weir_cli *cli);

#endif

#include "cli/config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define X(name, letter, text, argument, about) [WEIR_FLAG_##name] = {letter, text, argument, about},
const weir_flag_text weir_flag_texts[WEIR_FLAG_COUNT] = {WEIR_FLAGS(X)};
#undef X

#define FLAGS(...)                                                                                 \
    (const unsigned char[]) {                                                                      \
        __VA_ARGS__, WEIR_FLAG_END                                                                 \
    }
#define WHAT_TO_RUN                                                                                \
    WEIR_FLAG_INPUT, WEIR_FLAG_INPUTS, WEIR_FLAG_INPUTS_FILE, WEIR_FLAG_CONTEXTS,                  \
        WEIR_FLAG_CONTEXT, WEIR_FLAG_PARAMETER, WEIR_FLAG_ENTRYPOINT, WEIR_FLAG_NAME,              \
        WEIR_FLAG_KIND, WEIR_FLAG_PIPELINE, WEIR_FLAG_LIST_STYLE, WEIR_FLAG_FILE,                  \
        WEIR_FLAG_NO_STRICT, WEIR_FLAG_MAX_CONTEXTS, WEIR_FLAG_FORGET_AFTER, CHANGES
#define CHANGES WEIR_FLAG_CONFIGURE, WEIR_FLAG_OVERLAY
#define HOW_TO_RUN                                                                                 \
    WEIR_FLAG_EVENTS, WEIR_FLAG_SECRET, WEIR_FLAG_LOG, WEIR_FLAG_QUIET, WEIR_FLAG_NO_COLOR,        \
        WEIR_FLAG_DURABILITY, WEIR_FLAG_RECORD, WEIR_FLAG_THREADS, WEIR_FLAG_BLOBS
#define HOW_TO_CACHE WEIR_FLAG_NO_CACHE, WEIR_FLAG_REFRESH_CACHE
#define WHICH_RESULTS WEIR_FLAG_OPERATION, WEIR_FLAG_CACHE, WEIR_FLAG_OLDER_THAN
#define ENGINE WEIR_FLAG_PLUGIN, WEIR_FLAG_CONFIG, WEIR_FLAG_SET
#define STORED WEIR_FLAG_STATE, WEIR_FLAG_STORE, ENGINE
#define IN_BLOBS WEIR_FLAG_BLOBS, WEIR_FLAG_STATE, WEIR_FLAG_CONFIG, WEIR_FLAG_SET

static int help_command(weir_cli *cli);

const weir_command weir_commands[] = {
    {"run", "FILE [NAME=VALUE…]", "run a dataflow, a workflow or a pipeline",
     FLAGS(WHAT_TO_RUN, WEIR_FLAG_FEED, WEIR_FLAG_LABEL, WEIR_FLAG_DEADLINE, WEIR_FLAG_DETACH,
           WEIR_FLAG_OUTPUT, WEIR_FLAG_EXPLAIN, HOW_TO_CACHE, HOW_TO_RUN, STORED),
     "text|json|jsonl|yaml|name", 0, SIZE_MAX, .run = weir_run_command},
    {"submit", "FILE [NAME=VALUE…]", "leave a run to the state's engine, and print its name",
     FLAGS(WHAT_TO_RUN, WEIR_FLAG_LABEL, WEIR_FLAG_DEADLINE, WEIR_FLAG_OUTPUT, WEIR_FLAG_DURABILITY,
           STORED),
     "text|json|yaml|name", 0, SIZE_MAX, .run = weir_submit_command},
    {"check", "FILE [NAME=VALUE…]", "say all that is wrong with a file, at once",
     FLAGS(WHAT_TO_RUN, WEIR_FLAG_OUTPUT, WEIR_FLAG_SECRET, ENGINE), "text|json|yaml", 0, SIZE_MAX,
     .run = weir_check_command},
    {"graph", "FILE", "draw what a file would run",
     FLAGS(WEIR_FLAG_FORMAT, WEIR_FLAG_STAGES, WEIR_FLAG_SIMPLE, WEIR_FLAG_DISPLAY,
           WEIR_FLAG_OUTPUT, WEIR_FLAG_KIND, WEIR_FLAG_PIPELINE, WEIR_FLAG_LIST_STYLE,
           WEIR_FLAG_PARAMETER, WEIR_FLAG_ENTRYPOINT, WEIR_FLAG_NO_COLOR, ENGINE),
     "FILE", 1, 1, .run = weir_graph_command},
    {"list", "", "list the runs, newest first",
     FLAGS(WEIR_FLAGS_OF_FILTER, WEIR_FLAG_ALL, WEIR_FLAG_OUTPUT, STORED),
     "table|json|jsonl|yaml|name", 0, 0, .look = weir_list_command},
    {"get", "RUN", "show a run as a tree", FLAGS(WEIR_FLAG_OUTPUT, WEIR_FLAG_NO_COLOR, STORED),
     "table|json|yaml|name", 1, 1, .look = weir_get_command},
    {"watch", "RUN", "show a run as it goes on, until it ends",
     FLAGS(WEIR_FLAG_OUTPUT, WEIR_FLAG_NO_COLOR, STORED), "text|jsonl", 1, 1,
     .run = weir_watch_command},
    {"wait", "RUN…", "wait until runs have ended",
     FLAGS(WEIR_FLAG_ANY, WEIR_FLAG_TIMEOUT, WEIR_FLAG_OUTPUT, STORED), "text|json|jsonl|yaml|name",
     1, SIZE_MAX, .run = weir_wait_command},
    {"results", "RUN [CONTEXT]", "print the results that a run has so far",
     FLAGS(WEIR_FLAG_FIELD, WEIR_FLAG_OUTPUT, STORED), "text|json|jsonl|yaml", 1, 2,
     .look = weir_results_command},
    {"logs", "RUN [STEP]", "print what the steps of a run wrote",
     FLAGS(WEIR_FLAG_FOLLOW, WEIR_FLAG_TAIL, STORED), NULL, 1, 2, .look = weir_logs_command},
    {"events", "RUN", "print all that happened in a run, and what happens",
     FLAGS(WEIR_FLAG_FOLLOW, WEIR_FLAG_TYPE, WEIR_FLAG_AFTER, WEIR_FLAG_LIMIT, WEIR_FLAG_OUTPUT,
           STORED),
     "text|json|jsonl|yaml|cloudevents", 1, 1, .look = weir_events_command},
    {"explain", "RUN [OPERATION]", "say why each operation of a run ran or did not",
     FLAGS(WEIR_FLAG_OUTPUT, WEIR_FLAG_NO_COLOR, STORED), "text|json|yaml", 1, 2,
     .look = weir_explain_command},
    {"query", "SQL", "ask the store in SQL, to read: its tables, and each run's events",
     FLAGS(WEIR_FLAG_LIMIT, WEIR_FLAG_TIMEOUT, WEIR_FLAG_OUTPUT, STORED), "table|json|jsonl|csv", 1,
     1, .look = weir_query_command},
    {"report", "RUN", "say what went wrong in a run, and what was done about it",
     FLAGS(WEIR_FLAG_OUTPUT, STORED), "text|json|yaml|markdown", 1, 1, .look = weir_report_command},
    {"lineage", "RUN VALUE|TASK", "show where a value of a run came from, or what came of it",
     FLAGS(WEIR_FLAG_FORWARD, WEIR_FLAG_WITHIN, WEIR_FLAG_DEPTH, WEIR_FLAG_LIMIT, WEIR_FLAG_OUTPUT,
           WEIR_FLAG_NO_COLOR, STORED),
     "text|json|yaml|dot|mermaid|svg", 2, 2, .look = weir_lineage_command},
    {"cancel", "RUN", "stop a run; its clean-up still runs", FLAGS(WEIR_FLAG_TERMINATE, STORED),
     NULL, 1, 1, .look = weir_cancel_command},
    {"terminate", "RUN", "stop a run at once, without clean-up", FLAGS(STORED), NULL, 1, 1,
     .look = weir_terminate_command},
    {"suspend", "RUN", "begin nothing more in a run until it is resumed", FLAGS(STORED), NULL, 1, 1,
     .look = weir_suspend_command},
    {"resume", "RUN", "let a suspended run go on",
     FLAGS(WEIR_FLAG_DETACH, WEIR_FLAG_OUTPUT, HOW_TO_RUN, STORED), "text|json|jsonl|yaml|name", 1,
     1, .run = weir_resume_command},
    {"retry", "RUN", "do again what failed, and what depends on it",
     FLAGS(WEIR_FLAG_DETACH, WEIR_FLAG_OUTPUT, HOW_TO_RUN, STORED), "text|json|jsonl|yaml|name", 1,
     1, .run = weir_resume_command},
    {"restart", "RUN TASK [CONTEXT]", "do one task again, and what depends on it",
     FLAGS(WEIR_FLAG_DETACH, WEIR_FLAG_OUTPUT, HOW_TO_RUN, STORED), "text|json|jsonl|yaml|name", 2,
     3, .run = weir_resume_command},
    {"delete", "RUN…|FILTER", "delete runs that have ended, with all that is kept of them",
     FLAGS(WEIR_FLAG_FORCE, WEIR_FLAG_DRY_RUN, WEIR_FLAGS_OF_FILTER, WEIR_FLAG_OUTPUT, STORED),
     "text|name", 0, SIZE_MAX, .run = weir_delete_command},
    {"prune", "", "remove old finished runs, old results and blobs that nobody refers to",
     FLAGS(WEIR_FLAG_OLDER_THAN, WEIR_FLAG_MAX_SIZE, WEIR_FLAG_DRY_RUN, WEIR_FLAG_AUTO,
           WEIR_FLAGS_OF_FILTER, WEIR_FLAG_OUTPUT, WEIR_FLAG_BLOBS, STORED),
     "text|json|yaml|name", 0, 0, .look = weir_prune_command},
    {"keep", "RUN…", "keep runs from being pruned, by the label `keep`",
     FLAGS(WEIR_FLAG_UNDO, STORED), NULL, 1, SIZE_MAX, .look = weir_keep_command},
    {"backup", "FILE", "write runs, results, logs and blobs into one file, beside who uses them",
     FLAGS(WEIR_FLAG_REPLACE, WEIR_FLAG_BUCKET, WEIR_FLAG_OUTPUT, WEIR_FLAG_BLOBS, STORED),
     "text|json|yaml", 1, 1, .look = weir_backup_command},
    {"restore", "FILE", "make a state of a backup, once all of it was looked at",
     FLAGS(WEIR_FLAG_INTO, WEIR_FLAG_REPLACE, WEIR_FLAG_OUTPUT, STORED), "text|json|yaml", 1, 1,
     .run = weir_restore_command},
    {"recover", "RUN|--all", "go on with a run whose process died",
     FLAGS(WEIR_FLAG_FEED, WEIR_FLAG_ALL, WEIR_FLAG_OUTPUT, HOW_TO_RUN, STORED),
     "text|json|jsonl|yaml|name", 0, 1, .run = weir_recover_command},
    {"engine", "", "drive the runs that were submitted, until none is left",
     FLAGS(WEIR_FLAG_SECRET, WEIR_FLAG_DURABILITY, STORED), NULL, 0, 0, .run = weir_engine_command},
    {"operation list", "", "list the operations", FLAGS(WEIR_FLAG_OUTPUT, ENGINE),
     "text|json|yaml|name", 0, 0, .run = weir_operation_list_command},
    {"operation show", "NAME", "describe an operation", FLAGS(WEIR_FLAG_OUTPUT, ENGINE),
     "text|json|yaml", 1, 1, .run = weir_operation_show_command},
    {"dataflow create", "OPERATION|INSTANCE=OPERATION…", "write a dataflow of operations",
     FLAGS(WEIR_FLAG_SEED, WEIR_FLAG_FLOW, WEIR_FLAG_OPERATION_CONFIG, WEIR_FLAG_NOT_LINKED,
           WEIR_FLAG_OUTPUT, WEIR_FLAG_PLUGIN, WEIR_FLAG_SET),
     "json|yaml", 1, SIZE_MAX, .run = weir_dataflow_create_command},
    {"dataflow merge", "FILE…", "write several dataflows as one",
     FLAGS(WEIR_FLAG_NOT_LINKED, WEIR_FLAG_OUTPUT, ENGINE), "json|yaml", 1, SIZE_MAX,
     .run = weir_dataflow_merge_command},
    {"dataflow export", "FILE", "write a dataflow in DFFML's form, its flow too",
     FLAGS(WEIR_FLAG_LINKED, CHANGES, WEIR_FLAG_OUTPUT, ENGINE), "json|yaml", 1, 1,
     .run = weir_dataflow_export_command},
    {"blob put", "FILE|-", "keep a file, or what comes in, and print its digest",
     FLAGS(WEIR_FLAG_OWNER, WEIR_FLAG_OUTPUT, IN_BLOBS), "text|json|yaml", 1, 1,
     .run = weir_blob_put_command},
    {"blob get", "DIGEST", "write a blob to the output or into a file",
     FLAGS(WEIR_FLAG_RANGE, WEIR_FLAG_OUTPUT, IN_BLOBS), "FILE", 1, 1,
     .run = weir_blob_get_command},
    {"blob list", "", "list the blobs", FLAGS(WEIR_FLAG_OUTPUT, IN_BLOBS),
     "text|json|jsonl|yaml|name", 0, 0, .run = weir_blob_list_command},
    {"blob show", "DIGEST", "say how large a blob is and who refers to it",
     FLAGS(WEIR_FLAG_OUTPUT, IN_BLOBS), "text|json|yaml", 1, 1, .run = weir_blob_show_command},
    {"blob rm", "DIGEST", "refer to a blob no more; it goes with its last owner",
     FLAGS(WEIR_FLAG_OWNER, WEIR_FLAG_OUTPUT, IN_BLOBS), "text|json|yaml", 1, 1,
     .run = weir_blob_rm_command},
    {"blob prune", "", "remove blobs that nobody refers to, and leftovers",
     FLAGS(WEIR_FLAG_DRY_RUN, WEIR_FLAG_OUTPUT, WEIR_FLAG_BLOBS, STORED), "text|json|yaml", 0, 0,
     .run = weir_blob_prune_command},
    {"cache list", "", "list the results that later runs can take",
     FLAGS(WHICH_RESULTS, WEIR_FLAG_LIMIT, WEIR_FLAG_OUTPUT, STORED), "text|json|jsonl|yaml|name",
     0, 0, .look = weir_cache_list_command},
    {"cache show", "KEY", "show a result; the first letters of its key will do",
     FLAGS(WEIR_FLAG_OUTPUT, WEIR_FLAG_BLOBS, STORED), "text|json|yaml", 1, 1,
     .look = weir_cache_show_command},
    {"cache clear", "[KEY…]", "remove results; `blob prune` then frees the large ones",
     FLAGS(WHICH_RESULTS, WEIR_FLAG_ALL, WEIR_FLAG_OUTPUT, WEIR_FLAG_BLOBS, STORED),
     "text|json|yaml", 0, SIZE_MAX, .look = weir_cache_clear_command},
    {"new", "dataflow|workflow|pipeline [NAME]", "write a small file to begin with",
     FLAGS(WEIR_FLAG_END), NULL, 1, 2, .run = weir_new_command},
    {"example list", "", "list the examples that are built in", FLAGS(WEIR_FLAG_OUTPUT),
     "text|json|yaml|name", 0, 0, .run = weir_example_list_command},
    {"example run", "EXAMPLE [NAME=VALUE…]", "run an example",
     FLAGS(WEIR_FLAG_INPUT, WEIR_FLAG_INPUTS, WEIR_FLAG_PARAMETER, WEIR_FLAG_NAME, WEIR_FLAG_LABEL,
           WEIR_FLAG_OUTPUT, WEIR_FLAG_EXPLAIN, HOW_TO_CACHE, HOW_TO_RUN, STORED),
     "text|json|jsonl|yaml|name", 1, SIZE_MAX, .run = weir_example_run_command},
    {"example show", "EXAMPLE", "print an example, or write it into a folder",
     FLAGS(WEIR_FLAG_WRITE), NULL, 1, 1, .run = weir_example_show_command},
    {"doctor", "[RUN]", "see whether all is well here: state, plugins, limits, clock; repair it",
     FLAGS(WEIR_FLAG_REPAIR, WEIR_FLAG_REBUILD, WEIR_FLAG_OUTPUT, WEIR_FLAG_NO_COLOR, STORED),
     "text|json|yaml", 0, 1, .run = weir_doctor_command},
    {"version", "", "print the version", FLAGS(WEIR_FLAG_OUTPUT), "text|json|yaml", 0, 0,
     .run = weir_version_command},
    {"completion", "bash|zsh|fish", "print a completion script for a shell", FLAGS(WEIR_FLAG_END),
     NULL, 1, 1, .run = weir_completion_command},
    {"man", "", "print the manual, as `man -l` or a browser shows it", FLAGS(WEIR_FLAG_OUTPUT),
     "man|markdown", 0, 0, .run = weir_man_command},
    {"help", "[COMMAND]", "explain a command", FLAGS(WEIR_FLAG_END), NULL, 0, 2,
     .run = help_command},
    {0}};

const weir_command *weir_command_find(char *const *words, size_t count, size_t *used) {
    for (size_t taken = count < 2 ? count : 2; taken > 0; taken--) {
        for (const weir_command *command = weir_commands; command->name; command++) {
            const char *space = strchr(command->name, ' ');
            size_t first = space ? (size_t)(space - command->name) : strlen(command->name);
            if ((space != NULL) != (taken == 2) ||
                !weir_str_equal((weir_str){command->name, first}, weir_str_from(words[0])) ||
                (space && strcmp(space + 1, words[1]) != 0))
                continue;
            if (used) *used = taken;
            return command;
        }
    }
    return NULL;
}

static bool fail_unknown(char *const *words, size_t count, weir_error *error) {
    weir_buffer said = {0};
    weir_str first = weir_str_from(words[0]);
    weir_buffer_str_append(&said, first);
    const char *nearest = NULL;
    size_t best = SIZE_MAX;
    for (const weir_command *command = weir_commands; command->name; command++) {
        weir_str name = weir_str_from(command->name);
        bool group = weir_str_starts(name, first) && name.length > first.length &&
                     name.data[first.length] == ' ';
        if (group && said.length == first.length && count > 1)
            weir_buffer_printf(&said, " %s", words[1]);
        size_t distance = weir_str_distance(weir_buffer_str(&said), name);
        if (distance >= best) continue;
        best = distance;
        nearest = command->name;
    }
    weir_fail(error, WEIR_USAGE, "there is no command `%.200s`", said.data);
    if (best <= 1 + said.length / 3)
        weir_error_hint(error, "did you mean `weir %s`?", nearest);
    else
        weir_error_hint(error, "`weir help` lists the commands");
    weir_buffer_deinit(&said);
    return false;
}

static void print_overview(weir_buffer *out) {
    weir_buffer_text(out, "weir runs dataflows, workflows and pipelines\n\n"
                          "usage: weir COMMAND [ARGUMENTS] [OPTIONS]\n\n");
    for (const weir_command *command = weir_commands; command->name; command++)
        weir_buffer_printf(out, "  %-16s  %s\n", command->name, command->about);
    weir_buffer_text(out, "\n`weir help COMMAND` explains a command.\n"
                          "exit codes: 0 succeeded, 1 the run failed, 2 the input or the file is "
                          "wrong, 3 weir itself could not\n");
}

static void print_flag(const weir_command *command, weir_flag flag, weir_buffer *out) {
    const weir_flag_text *text = &weir_flag_texts[flag];
    const char *argument = weir_command_argument(command, flag);
    size_t from = out->length;
    weir_buffer_text(out, "  ");
    if (text->letter) weir_buffer_printf(out, "-%c, ", text->letter);
    weir_buffer_printf(out, "--%s%s%s", text->name, argument ? " " : "", argument ? argument : "");
    int used = (int)(out->length - from);
    if (used > 34) {
        weir_buffer_byte(out, '\n');
        used = 0;
    }
    weir_buffer_printf(out, "%*s%s\n", 36 - used, "", weir_command_about(command, flag));
}

static void print_help(const weir_command *command, weir_buffer *out) {
    weir_buffer_printf(out, "weir %s: %s\n\nusage: weir %s%s%s%s\n\noptions:\n", command->name,
                       command->about, command->name, *command->arguments ? " " : "",
                       command->arguments, *command->flags ? " [OPTIONS]" : "");
    for (const unsigned char *flag = command->flags; *flag != WEIR_FLAG_END; flag++)
        print_flag(command, *flag, out);
    print_flag(command, WEIR_FLAG_HELP, out);
}

static int help_command(weir_cli *cli) {
    char *const *words = (char *const *)(void *)cli->words.items;
    size_t used = 0;
    if (!cli->words.count) {
        print_overview(&cli->out.text);
        return 0;
    }
    const weir_command *command = weir_command_find(words, cli->words.count, &used);
    weir_error error;
    if (!command || used < cli->words.count) {
        fail_unknown(words, cli->words.count, &error);
        return weir_cli_fail(&error);
    }
    print_help(command, &cli->out.text);
    return 0;
}

/* The settings, for commands that have some; 0 when nothing is wrong with them. */
static int load_settings(weir_cli *cli) {
    if (!weir_command_has(cli->command, WEIR_FLAG_SET)) return 0;
    weir_problems problems = {0};
    weir_config_load(cli, &problems);
    int code = problems.count ? weir_code_exit(problems.items[0].code) : 0;
    for (size_t i = 0; i < problems.count; i++) weir_output_problem(&problems.items[i]);
    weir_problems_deinit(&problems);
    return code;
}

/* Runs a command on the state that is there. */
static int look(weir_cli *cli) {
    weir_error error;
    weir_engine *engine;
    /* Who cancels a run that nobody drives, drives it to its end. */
    const weir_options drive = {0};
    bool drives =
        cli->command->look == weir_cancel_command || cli->command->look == weir_terminate_command;
    if (!weir_cli_open(cli, true, drives ? &drive : NULL, &engine, &error))
        return weir_cli_fail(&error);
    bool ok = cli->command->look(cli, engine, &error);
    weir_close(engine);
    return ok ? 0 : weir_cli_fail(&error);
}

int weir_command_run(weir_cli *cli, char *const *arguments, size_t count) {
    weir_error error;
    if (!weir_cli_parse(cli, arguments, count, &error)) return weir_cli_fail(&error);
    if (weir_cli_has(cli, WEIR_FLAG_HELP)) {
        print_help(cli->command, &cli->out.text);
        return 0;
    }
    int code = load_settings(cli);
    if (code) return code;
    return cli->command->look ? look(cli) : cli->command->run(cli);
}

/* A closed standard descriptor would become the next opened file, and output would land in it. The stand-in of
 * standard output refuses writes, so that they are reported. */
static void open_standard_descriptors(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
}

void weir_cli_deinit(weir_cli *cli) {
    weir_buffer_deinit(&cli->out.text);
    weir_vector_deinit(&cli->given);
    weir_vector_deinit(&cli->words);
    weir_settings_deinit(&cli->settings);
}

int weir_command_main(int argc, char **argv) {
    weir_cli_hide_passwords(argc, argv);
    open_standard_descriptors();
    signal(SIGPIPE, SIG_IGN);
    char **words = argv + (argc > 0), *help = "help", *version = "version";
    size_t count = argc > 0 ? (size_t)argc - 1 : 0, used = 0;
    weir_cli cli = {.out.fd = STDOUT_FILENO};
    if (count && (strcmp(words[0], "--help") == 0 || strcmp(words[0], "-h") == 0)) words[0] = help;
    if (count && strcmp(words[0], "--version") == 0) words[0] = version;
    int code = 0;
    weir_error error;
    if (count && strcmp(words[0], "complete") == 0) {
        weir_complete(&cli, words + 1, count - 1);
    } else if (!count) {
        cli.out.fd = STDERR_FILENO;
        print_overview(&cli.out.text);
        code = weir_code_exit(WEIR_USAGE);
    } else if (!(cli.command = weir_command_find(words, count, &used))) {
        fail_unknown(words, count, &error);
        code = weir_cli_fail(&error);
    } else {
        code = weir_command_run(&cli, words + used, count - used);
    }
    if (!weir_output_finish(&cli.out, "standard output")) code = weir_code_exit(WEIR_IO);
    weir_cli_deinit(&cli);
    return code;
}

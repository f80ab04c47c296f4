/* Runs that are left to another process of this program, which is started when there is none. */
#include "cli/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/house.h"
#include "cli/interrupt.h"
#include "cli/several.h"
#include "cli/targets.h"
#include "cli/view.h"

extern char **environ;

enum { RUNS_MAX = 8, IDLE_MS = 1000, LOG_BYTES_MAX = 1024 * 1024 };

/* --- starting it ------------------------------------------------------------------------------ */

/* What the engine is to be told as this process was. */
static bool is_passed_on(weir_flag flag) {
    static const weir_flag flags[] = {WEIR_FLAG_STORE, WEIR_FLAG_PLUGIN,     WEIR_FLAG_CONFIG,
                                      WEIR_FLAG_SET,   WEIR_FLAG_DURABILITY, WEIR_FLAG_RESOURCES};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i] == flag) return true;
    return false;
}

static char *option(weir_cli *cli, weir_flag flag, const char *value) {
    weir_buffer text = {0};
    weir_buffer_printf(&text, "--%s=%s", weir_flag_texts[flag].name, value);
    char *copy = weir_str_copy(&cli->settings.arena, weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return copy;
}

static int open_log(const weir_cli *cli) {
    weir_buffer path = {0};
    struct stat file;
    weir_buffer_printf(&path, "%s/engine.log", cli->settings.state);
    int fd = open(path.data, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0 && fstat(fd, &file) == 0 && file.st_size > LOG_BYTES_MAX) (void)!ftruncate(fd, 0);
    weir_buffer_deinit(&path);
    return fd;
}

static int spawn(char *const *arguments, int log) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, standard;
    pid_t pid;
    sigemptyset(&none);
    sigemptyset(&standard);
    sigaddset(&standard, SIGPIPE);
    sigaddset(&standard, SIGHUP);
    sigaddset(&standard, SIGINT);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, log, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, log, STDERR_FILENO);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &standard);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int failed = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

bool weir_cli_start(weir_cli *cli, const char *command, const char *more, weir_error *error) {
    WEIR_VECTOR(char *) arguments = {0};
    static char name[] = "weir";
    int log = open_log(cli);
    if (log < 0)
        return weir_fail(error, WEIR_IO, "the log of the engine in `%s` cannot be written: %s",
                         cli->settings.state, strerror(errno));
    *weir_vector_push(&arguments) = name;
    *weir_vector_push(&arguments) = weir_str_copy(&cli->settings.arena, weir_str_from(command));
    if (more)
        *weir_vector_push(&arguments) = weir_str_copy(&cli->settings.arena, weir_str_from(more));
    *weir_vector_push(&arguments) = option(cli, WEIR_FLAG_STATE, cli->settings.state);
    for (size_t i = 0; i < cli->given.count; i++)
        if (is_passed_on(cli->given.items[i].flag))
            *weir_vector_push(&arguments) =
                option(cli, cli->given.items[i].flag, cli->given.items[i].value);
    *weir_vector_push(&arguments) = NULL;
    int failed = spawn(arguments.items, log);
    close(log);
    weir_vector_deinit(&arguments);
    return !failed ||
           weir_fail(error, WEIR_IO, "`weir %s` cannot be started: %s", command, strerror(failed));
}

bool weir_cli_start_engine(weir_cli *cli, weir_error *error) {
    return weir_cli_start(cli, "engine", NULL, error);
}

/* --- weir submit ------------------------------------------------------------------------------ */

static bool check_flags(const weir_cli *cli, weir_error *error) {
    static const weir_flag with_us[] = {WEIR_FLAG_EVENTS, WEIR_FLAG_LOG, WEIR_FLAG_EXPLAIN,
                                        WEIR_FLAG_THREADS, WEIR_FLAG_ISOLATION};
    for (size_t i = 0; i < sizeof with_us / sizeof *with_us; i++) {
        const char *name = weir_flag_texts[with_us[i]].name;
        if (weir_cli_has(cli, with_us[i]))
            return weir_fail(error, WEIR_USAGE, "`--%s` is of no use where another process runs it",
                             name);
    }
    if (!weir_cli_has(cli, WEIR_FLAG_SECRET)) return true;
    weir_fail(error, WEIR_USAGE, "a secret of this command does not reach the engine");
    weir_error_hint(error, "name it under `secrets:` in weir.yaml");
    return false;
}

/* Prints the run's name, or what is known of it. */
static void print(weir_cli *cli, const weir_value *run) {
    if (weir_cli_whole(cli)) {
        weir_value *shown = weir_object_new();
        weir_member_put_text(shown, "run", weir_member_text(run, "run"));
        weir_member_put_text(shown, "name", weir_member_text(run, "name"));
        weir_cli_print(cli, shown);
        weir_value_unref(shown);
        return;
    }
    weir_output_plain(&cli->out.text, weir_member_text(run, "name"));
    weir_buffer_byte(&cli->out.text, '\n');
}

/* What is submitted by one command, by name; and whether a process serves all of it. */
typedef struct submitted {
    WEIR_VECTOR(const char *) names; /* in the settings' arena */
    bool unserved;
} submitted;

static void add_submitted(weir_cli *cli, submitted *s, const weir_value *run) {
    if (!weir_value_truth(weir_member_named(run, "served"))) s->unserved = true;
    print(cli, run);
    *weir_vector_push(&s->names) =
        weir_str_copy(&cli->settings.arena, weir_member_text(run, "run"));
}

/* The command as which Argo's flag goes on, instead of this one; NULL: none. */
static const char *afterwards(const weir_cli *cli) {
    if (weir_cli_has(cli, WEIR_FLAG_WATCH)) return "watch";
    if (weir_cli_has(cli, WEIR_FLAG_FOLLOW_LOG)) return "logs";
    return weir_cli_has(cli, WEIR_FLAG_WAIT) ? "wait" : NULL;
}

static bool check_afterwards(const weir_cli *cli, size_t count, weir_error *error) {
    const char *name = afterwards(cli);
    return !name || strcmp(name, "wait") == 0 || count == 1 ||
           weir_fail(error, WEIR_USAGE, "--watch and --log are for one run, not for %zu", count);
}

/* Runs another command on what was submitted: with the options that both know. Nothing more is printed of who waits. */
static int go_on(weir_cli *cli, submitted *s) {
    const char *name = afterwards(cli);
    weir_assert(name);
    char *words[1] = {(char *)(uintptr_t)name}, *wait[1] = {(char *)(uintptr_t) "wait"};
    weir_output_flush(&cli->out);
    weir_cli other = *cli;
    int code = 0;
    other.given.count = 0;
    other.words.items = (const char **)s->names.items;
    other.words.count = s->names.count;
    other.out.text = (weir_buffer){0};
    other.submitted_us = weir_view_now();
    bool follows = strcmp(name, "logs") == 0;
    if (strcmp(name, "wait") != 0) {
        WEIR_VECTOR(weir_given) given = {0};
        if (follows) *weir_vector_push(&given) = (weir_given){WEIR_FLAG_FOLLOW, ""};
        other.given.items = given.items;
        other.given.count = given.count;
        other.command = weir_command_find(words, 1, NULL);
        code = weir_command_perform(&other);
        weir_vector_deinit(&given);
    }
    if (follows || strcmp(words[0], "wait") == 0) {
        other.given.count = 0;
        other.command = weir_command_find(wait, 1, NULL);
        weir_output_flush(&other.out);
        int ended = weir_command_perform(&other);
        if (ended > code) code = ended;
    }
    weir_output_flush(&other.out);
    weir_buffer_deinit(&other.out.text);
    return code;
}

/* The code that the command ends with, when `code` is what came of submitting. */
static int finish(weir_cli *cli, submitted *s, int code) {
    weir_error error;
    if (s->unserved && !weir_cli_start_engine(cli, &error)) code = weir_cli_fail(&error);
    if (s->names.count && afterwards(cli)) {
        int ended = go_on(cli, s);
        if (ended > code) code = ended;
    }
    weir_vector_deinit(&s->names);
    return code;
}

static int submit_all(weir_cli *cli, const weir_value *requests) {
    weir_engine *engine;
    weir_error error;
    submitted s = {0};
    int code = 0;
    if (!weir_cli_open(cli, false, NULL, &engine, &error)) return weir_cli_fail(&error);
    for (size_t i = 0; i < weir_value_count(requests); i++) {
        weir_value *run;
        size_t said = 0;
        if (weir_submit(engine, weir_array_at(requests, i), weir_output_problem_counted, &said,
                        &run, &error)) {
            add_submitted(cli, &s, run);
            weir_value_unref(run);
        } else {
            code = said ? weir_code_exit(error.code) : weir_cli_fail(&error);
        }
    }
    weir_close(engine);
    return finish(cli, &s, code);
}

int weir_submit_command(weir_cli *cli) {
    weir_error error;
    weir_value *requests;
    if (weir_cli_has(cli, WEIR_FLAG_PREVIEW) || weir_cli_has(cli, WEIR_FLAG_SERVER_DRY_RUN))
        return weir_preview_command(cli);
    if (!check_flags(cli, &error) || !weir_cli_requests(cli, &requests, &error))
        return weir_cli_fail(&error);
    weir_cli_split_files(&requests);
    int code = check_afterwards(cli, weir_value_count(requests), &error) ? submit_all(cli, requests)
                                                                         : weir_cli_fail(&error);
    weir_value_unref(requests);
    return code;
}

/* --- weir resubmit ---------------------------------------------------------------------------- */

static bool resubmit(weir_cli *cli, weir_engine *engine, const weir_target *target, void *arg,
                     weir_error *error) {
    weir_value *what, *run;
    size_t said = 0;
    if (!weir_cli_changes(cli, &what, error)) return false;
    if (weir_cli_has(cli, WEIR_FLAG_MEMOIZED))
        weir_member_put(what, "memoized", weir_bool_new(true));
    bool ok =
        weir_resubmit(engine, target->run, what, weir_output_problem_counted, &said, &run, error);
    weir_value_unref(what);
    if (!ok) return false;
    add_submitted(cli, arg, run);
    weir_value_unref(run);
    return true;
}

int weir_resubmit_command(weir_cli *cli) {
    weir_error error;
    weir_engine *engine;
    weir_targets targets = {0};
    submitted s = {0};
    if (!weir_cli_open(cli, true, NULL, &engine, &error)) return weir_cli_fail(&error);
    bool ok = weir_targets_gather(cli, engine, WEIR_TARGETS_OVER, &targets, &error) &&
              check_afterwards(cli, targets.items.count, &error);
    int code = ok ? weir_targets_each(cli, engine, &targets, resubmit, &s) : weir_cli_fail(&error);
    weir_targets_deinit(&targets);
    weir_close(engine);
    return finish(cli, &s, code);
}

/* --- weir cron run ---------------------------------------------------------------------------- */

int weir_cron_run_command(weir_cli *cli) {
    weir_error error;
    weir_engine *engine;
    weir_value *what, *run;
    submitted s = {0};
    size_t said = 0;
    const char *time = weir_cli_text(cli, WEIR_FLAG_SCHEDULED_TIME),
               *name = weir_cli_text(cli, WEIR_FLAG_NAME);
    if (!weir_cli_open(cli, true, NULL, &engine, &error)) return weir_cli_fail(&error);
    what = weir_object_new();
    if (time) weir_member_put_text(what, "time", weir_str_from(time));
    if (name) weir_member_put_text(what, "name", weir_str_from(name));
    int code = 0;
    if (weir_cron_start(engine, cli->words.items[0], what, weir_output_problem_counted, &said, &run,
                        &error)) {
        add_submitted(cli, &s, run);
        weir_value_unref(run);
    } else {
        code = said ? weir_code_exit(error.code) : weir_cli_fail(&error);
    }
    weir_value_unref(what);
    weir_close(engine);
    return finish(cli, &s, code);
}

/* --- weir engine ------------------------------------------------------------------------------ */

static bool is_asked_to_stop(void *arg) {
    weir_cli_keep_house(arg);
    return weir_interrupt_came();
}

static void say_run(void *arg, const weir_run *run, const char *id, const weir_error *error) {
    char now[32], line[1024];
    (void)arg;
    weir_moment_format(weir_view_now(), now);
    if (!run) {
        printf("%s %s: %s\n", now, id, weir_error_format(error, line, sizeof line));
    } else {
        weir_value *result = weir_run_result(run);
        printf("%s %.*s: %.*s\n", now, WEIR_ARG(weir_member_text(result, "name")),
               WEIR_ARG(weir_member_text(result, "phase")));
        weir_value_unref(result);
    }
    fflush(stdout);
}

int weir_engine_command(weir_cli *cli) {
    weir_error error;
    weir_engine *engine;
    const weir_options drive = {0};
    weir_interrupt_serve();
    if (!weir_cli_open(cli, false, &drive, &engine, &error)) return weir_cli_fail(&error);
    weir_serving serving = {.runs_max = cli->settings.runs_max ? cli->settings.runs_max : RUNS_MAX,
                            .idle_ms = IDLE_MS,
                            .stop = is_asked_to_stop,
                            .said = say_run,
                            .arg = cli};
    bool ok = weir_serve(engine, &serving, &error);
    weir_close(engine);
    return ok ? 0 : weir_cli_fail(&error);
}

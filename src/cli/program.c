#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/interpreter.h"
#include "base/time.h"
#include "cli/view.h"
#include "data/yaml_format.h"

extern char **environ;

enum {
    LINE_BYTES_MAX = 64 * 1024 * 1024, /* as of files */
    GRACE_US = 2 * 1000 * 1000,
    LOOK_MS = 50,
    ANSWER_S = 10,
    CHANNEL = 3 /* its number in the program */
};
/* A program that is only asked what it makes. */
static const uint64_t gather_us = 10ull * 60 * 1000 * 1000;

bool weir_program_is(const char *file) {
    return weir_str_ends(weir_str_from(file), WEIR_STR(".py"));
}

const char *weir_program_named(const weir_cli *cli, const char *const **arguments, size_t *count) {
    const char *file = weir_cli_text(cli, WEIR_FLAG_FILE);
    size_t first = file ? 0 : 1;
    if (!file && cli->words.count) file = cli->words.items[0];
    if (!file || !weir_program_is(file)) return NULL;
    *arguments = cli->words.items + (first < cli->words.count ? first : cli->words.count);
    *count = cli->words.count > first ? cli->words.count - first : 0;
    return file;
}

/* --- starting it ------------------------------------------------------------------------------ */

/* The module below which programs run: in the tree that this was built in, beside what is installed, or in a wheel. */
static bool find_module(weir_buffer *path, weir_error *error) {
    static const char *const folders[] = {
        "/../sdk/python/weir", "/../../sdk/python/weir", "/../lib/weir/python/weir",
        "/../lib*/python3*/*-packages/weir", "/../local/lib*/python3*/*-packages/weir"};
    char program[PATH_MAX];
    bool found = false;
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(program, '/');
    if (slash) *slash = '\0';
    for (size_t i = 0; !found && i < sizeof folders / sizeof *folders; i++) {
        glob_t files = {0};
        weir_buffer_clear(path);
        weir_buffer_printf(path, "%s%s/_run_program.py", program, folders[i]);
        found = glob(path->data, 0, NULL, &files) == 0 && access(files.gl_pathv[0], R_OK) == 0;
        weir_buffer_clear(path);
        if (found) weir_buffer_text(path, files.gl_pathv[0]);
        globfree(&files);
    }
    if (found) return true;
    weir_fail(error, WEIR_IO, "the Python part of weir is not installed");
    weir_error_hint(error, "it belongs into lib/weir/python, beside bin/weir");
    return false;
}

/* Steps that say `python` mean, on this host, the one that executes the program: it has what that imports. */
static void put_first_in_path(const char *python) {
    const char *had = getenv("PATH"), *slash = strrchr(python, '/');
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%.*s", (int)(slash - python), python);
    char *own = slash ? realpath(path.data, NULL)
                      : NULL; /* the folder's: an environment's interpreter is a link */
    weir_buffer_clear(&path);
    if (own && had) weir_buffer_printf(&path, "%s:%s", own, had);
    if (path.length) setenv("PATH", path.data, 1);
    weir_buffer_deinit(&path);
    free(own); /* the C library's */
}

/* Scripts of Hera's runner import the program where they run: on this host from its folder. Whoever starts their processes puts it
 * into their PYTHONPATH. */
static void keep_folder(const char *file) {
    char *whole = realpath(file, NULL), *slash = whole ? strrchr(whole, '/') : NULL;
    if (slash) slash[slash == whole] = '\0';
    if (slash) setenv("WEIR_PROGRAM_FOLDER", whole, 1);
    free(whole); /* the C library's */
}

/* What the module below the program is told, as a variable of its environment. */
static char *describe(weir_cli *cli, bool gather) {
    static const weir_flag passed_on[] = {WEIR_FLAG_STORE, WEIR_FLAG_CONFIG, WEIR_FLAG_SET};
    weir_value *what = weir_object_new(), *options = weir_array_new();
    char own[PATH_MAX] = "";
    weir_buffer text = {0};
    (void)!readlink("/proc/self/exe", own, sizeof own - 1);
    weir_buffer_printf(&text, "--state=%s", weir_cli_state(cli));
    weir_array_append(options, weir_string_from(weir_buffer_str(&text)));
    for (size_t i = 0; i < cli->given.count; i++)
        for (size_t j = 0; j < sizeof passed_on / sizeof *passed_on; j++) {
            if (cli->given.items[i].flag != passed_on[j]) continue;
            weir_buffer_clear(&text);
            weir_buffer_printf(&text, "--%s=%s", weir_flag_texts[passed_on[j]].name,
                               cli->given.items[i].value);
            weir_array_append(options, weir_string_from(weir_buffer_str(&text)));
        }
    weir_member_put(what, "version", weir_int_new(1));
    weir_member_put(what, "descriptor", weir_int_new(CHANNEL));
    weir_member_put(what, "process", weir_int_new(getpid()));
    weir_member_put_text(what, "use", weir_str_from(gather ? "gather" : "run"));
    weir_member_put_text(what, "weir", weir_str_from(own));
    weir_member_put(what, "options", options);
    weir_buffer_clear(&text);
    weir_buffer_text(&text, "WEIR_PROGRAM=");
    weir_json_format(what, 0, &text);
    char *copy = weir_str_copy(&cli->settings.arena, weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    weir_value_unref(what);
    return copy;
}

typedef WEIR_VECTOR(char *) words_vector;

static void push_text(words_vector *words, const char *text) {
    *weir_vector_push(words) = (char *)(uintptr_t)text;
}

/* The program gets the other end as a descriptor of its own; what it prints may go beside. */
static int start_process(const char *python, char *const *words, char *const *environment, int end,
                         bool prints_beside, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, standard;
    sigemptyset(&none);
    sigemptyset(&standard);
    sigaddset(&standard, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    if (prints_beside) posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, end, CHANNEL);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &standard);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int failed = posix_spawn(pid, python, &actions, &attributes, words, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

static bool spawn(const char *python, words_vector *words, char *variable, bool prints_beside,
                  weir_program *program, weir_error *error) {
    words_vector environment = {0};
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return weir_fail(error, WEIR_IO, "no socket for the program: %s", strerror(errno));
    for (char **at = environ; *at; at++)
        if (strncmp(*at, "WEIR_PROGRAM=", 13) != 0) push_text(&environment, *at);
    push_text(&environment, variable);
    *weir_vector_push(&environment) = NULL;
    *weir_vector_push(words) = NULL;
    int failed = start_process(python, words->items, environment.items, ends[1], prints_beside,
                               &program->pid);
    close(ends[1]);
    weir_vector_deinit(&environment);
    if (!failed) {
        /* One that does not read what it asked for is not waited for. */
        setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){.tv_sec = ANSWER_S},
                   sizeof(struct timeval));
        program->fd = ends[0];
        return true;
    }
    close(ends[0]);
    return weir_fail(error, WEIR_IO, "`%s` cannot be started: %s", python, strerror(failed));
}

/* A program that was started by somebody else, and started this. */
static bool take_channel(weir_program *program) {
    const char *text = getenv("WEIR_PROGRAM_CHANNEL");
    uint32_t fd;
    if (!text || !weir_str_number(weir_str_from(text), &fd) || fd <= STDERR_FILENO || fd > INT_MAX)
        return false;
    program->fd = (int)fd;
    unsetenv("WEIR_PROGRAM_CHANNEL");
    return fcntl(program->fd, F_SETFD, FD_CLOEXEC) == 0;
}

bool weir_program_start(weir_cli *cli, const char *file, const char *const *arguments, size_t count,
                        bool gather, weir_program *out, weir_error *error) {
    weir_program program = {.file = file, .fd = -1, .started_us = weir_view_now()};
    const char *deadline = weir_cli_text(cli, WEIR_FLAG_DEADLINE);
    if (gather) program.limit_us = gather_us;
    if (deadline && !weir_duration_parse(weir_str_from(deadline), &program.limit_us, error)) {
        error->code = WEIR_USAGE;
        return false;
    }
    if (!gather && take_channel(&program)) {
        *out = program;
        return true;
    }
    weir_buffer python = {0}, module = {0};
    words_vector words = {0};
    bool ok = true;
    if (access(file, R_OK) < 0) {
        weir_fail(error, errno == ENOENT ? WEIR_NOT_FOUND : WEIR_IO, "cannot be read: %s",
                  strerror(errno));
        weir_error_place(error, weir_str_from(file), 0, 0);
        ok = false;
    }
    ok = ok && weir_interpreter_find(weir_cli_text(cli, WEIR_FLAG_PYTHON), &python, error) &&
         find_module(&module, error);
    if (ok) {
        push_text(&words, python.data);
        push_text(&words, module.data);
        push_text(&words, file);
        for (size_t i = 0; i < count; i++) push_text(&words, arguments[i]);
        put_first_in_path(python.data);
        keep_folder(file);
        bool beside = gather || !weir_cli_form(cli, "text");
        ok = spawn(python.data, &words, describe(cli, gather), beside, &program, error);
    }
    weir_vector_deinit(&words);
    weir_buffer_deinit(&python);
    weir_buffer_deinit(&module);
    if (ok) *out = program;
    return ok;
}

/* --- lines ------------------------------------------------------------------------------------ */

static void hang_up(weir_program *program) {
    if (program->fd >= 0) close(program->fd);
    program->fd = -1;
}

static void read_more(weir_program *program, int wait_ms) {
    if (program->fd < 0) return;
    ssize_t count = weir_descriptor_read(program->fd, &program->text, &program->at, wait_ms);
    if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) hang_up(program);
}

/* Looks for the line's end in what came since the last look only. */
static const char *find_end(const weir_program *program, size_t from) {
    size_t length = program->text.length;
    return from < length ? memchr(program->text.data + from, '\n', length - from) : NULL;
}

bool weir_program_line(weir_program *program, int wait_ms, weir_str *line, weir_error *error) {
    const char *end = find_end(program, program->at);
    *line = (weir_str){0};
    while (!end) {
        size_t had = program->text.length - program->at;
        read_more(program, wait_ms);
        if (program->text.length - program->at == had) return true;
        end = find_end(program, program->at + had);
        if (!end && program->text.length - program->at > LINE_BYTES_MAX) {
            hang_up(program);
            return weir_fail(error, WEIR_LIMIT, "%s makes more than %d bytes at once",
                             program->file, LINE_BYTES_MAX);
        }
    }
    const char *begin = program->text.data + program->at;
    *line = (weir_str){begin, (size_t)(end - begin)};
    program->at += line->length + 1;
    return true;
}

void weir_program_answer(weir_program *program, const weir_value *value) {
    weir_buffer text = {0};
    weir_json_format(value, 0, &text);
    weir_buffer_byte(&text, '\n');
    for (size_t at = 0; program->fd >= 0 && at < text.length;) {
        ssize_t count = send(program->fd, text.data + at, text.length - at, MSG_NOSIGNAL);
        if (count > 0)
            at += (size_t)count;
        else if (errno != EINTR)
            hang_up(program);
    }
    weir_buffer_deinit(&text);
}

/* --- its end ---------------------------------------------------------------------------------- */

static void tell_to_end(weir_program *program) {
    uint64_t took = weir_view_now() - program->started_us;
    if (!program->limit_us || took < program->limit_us) return;
    if (!program->told) kill(program->pid, SIGTERM);
    if (!program->killed && took > program->limit_us + GRACE_US) {
        kill(program->pid, SIGKILL);
        program->killed = true;
    }
    program->told = true;
}

bool weir_program_over(weir_program *program) {
    if (!program->pid) return program->fd < 0 || program->status;
    pid_t ended = waitpid(program->pid, &program->status, WNOHANG);
    if (ended == 0 || (ended < 0 && errno == EINTR)) {
        tell_to_end(program);
        return false;
    }
    program->pid = 0;
    read_more(program, 0);
    while (program->fd >= 0) {
        size_t had = program->text.length;
        read_more(program, 0);
        if (program->text.length == had) break; /* whoever it began may hold the socket */
    }
    hang_up(program);
    return true;
}

int weir_program_judge(const weir_program *program) {
    weir_error error;
    int status = program->status, code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    if (program->told)
        weir_fail(&error, WEIR_OPERATION_FAILED, "%s took longer than it may, and was ended",
                  program->file);
    else if (WIFSIGNALED(status))
        weir_fail(&error, WEIR_OPERATION_FAILED, "%s was ended by signal %d (%s)", program->file,
                  WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (code)
        weir_fail(&error, WEIR_OPERATION_FAILED, "%s ended with exit code %d", program->file, code);
    else
        return 0;
    weir_output_problem(&error);
    return weir_code_exit(WEIR_OPERATION_FAILED);
}

void weir_program_close(weir_program *program) {
    hang_up(program);
    if (program->pid) {
        kill(program->pid, SIGTERM);
        for (int i = 0; i < GRACE_US / 1000 / LOOK_MS; i++) {
            if (weir_program_over(program)) break;
            poll(NULL, 0, LOOK_MS);
        }
    }
    if (program->pid) {
        kill(program->pid, SIGKILL);
        waitpid(program->pid, &program->status, 0);
        program->pid = 0;
    }
    weir_buffer_deinit(&program->text);
}

/* --- what it makes ---------------------------------------------------------------------------- */

void weir_program_put(weir_value *request, const char *file, const weir_value *documents) {
    weir_buffer text = {0}, name = {0};
    const weir_value *metadata = weir_member_named(weir_array_at(documents, 0), "metadata");
    weir_str own = weir_member_text(metadata, "name");
    if (!own.length) own = weir_member_text(metadata, "generateName");
    for (size_t i = 0; i < weir_value_count(documents); i++) {
        if (i) weir_buffer_text(&text, "---\n");
        weir_yaml_format(weir_array_at(documents, i), &text);
    }
    weir_buffer_printf(&name, "%s#%.*s", file, (int)(own.length > 64 ? 64 : own.length), own.data);
    weir_member_put_text(request, "file", weir_buffer_str(&name));
    weir_member_put_text(request, "document", weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    weir_buffer_deinit(&name);
}

static bool is_list_of_objects(const weir_value *documents) {
    bool ok = weir_is(documents, WEIR_ARRAY) && weir_value_count(documents) > 0;
    for (size_t i = 0; ok && i < weir_value_count(documents); i++)
        ok = weir_is(weir_array_at(documents, i), WEIR_OBJECT);
    return ok;
}

static bool take_made(weir_value *request, const weir_program *program, weir_str line, bool *made,
                      weir_error *error) {
    weir_value *value;
    if (!weir_json_parse(line, WEIR_STR(""), &value, error)) return false;
    const weir_value *documents = weir_member_named(value, "documents");
    if (is_list_of_objects(documents)) {
        weir_program_put(request, program->file, documents);
        *made = true;
    }
    weir_value_unref(value);
    return true;
}

bool weir_program_gather(weir_cli *cli, const char *file, const char *const *arguments,
                         size_t count, weir_value *request, weir_error *error) {
    weir_program program;
    bool made = false;
    if (!weir_program_start(cli, file, arguments, count, true, &program, error)) return false;
    bool ok = true, over = false;
    while (ok && !over) {
        weir_str line;
        over = weir_program_over(&program);
        ok = weir_program_line(&program, LOOK_MS, &line, error);
        if (ok && line.data) {
            over = false;
            ok = take_made(request, &program, line, &made, error);
        }
    }
    bool failed = ok && program.status;
    weir_program_close(&program);
    if (failed) {
        int code = weir_program_judge(&program);
        (void)code;
        weir_fail(error, WEIR_INVALID, "what %s makes is not known, since it failed", file);
        return false;
    }
    if (ok && !made) {
        weir_fail(error, WEIR_INVALID, "%s makes no workflow", file);
        weir_error_hint(error, "see \"Coming from Hera\" in the guide");
        ok = false;
    }
    return ok;
}

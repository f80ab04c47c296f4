/* What the rungs of the ladder need around them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/remove.h"
#include "cli/example.h"
#include "cli/ladder.h"

enum { ANSWER_MS = 20 * 1000, LINE_BYTES = 4096, FILES_MAX = 1000 };

/* --- programs --------------------------------------------------------------------------------- */

/* Starts it with pipes: we write into *input and read from *output. */
static bool start(const char *const words[], pid_t *pid, int *input, int *output,
                  weir_error *error) {
    int to[2] = {-1, -1}, from[2] = {-1, -1};
    bool ok = pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0;
    int failed = ok ? 0 : errno;
    if (ok) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
        posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
        /* A group of its own: Ctrl-C is for who measures. */
        posix_spawnattr_setpgroup(&attributes, 0);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
        failed = posix_spawnp(pid, words[0], &actions, &attributes,
                              (char *const *)(void *)(size_t)words, environ);
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
    }
    if (to[0] >= 0) close(to[0]);
    if (from[1] >= 0) close(from[1]);
    if (failed && to[1] >= 0) close(to[1]);
    if (failed && from[0] >= 0) close(from[0]);
    *input = to[1];
    *output = from[0];
    return !failed || weir_fail(error, failed == ENOENT ? WEIR_NOT_FOUND : WEIR_IO,
                                "`%s` cannot be started: %s", words[0], strerror(failed));
}

/* Its first line, without the end; "" when there is none in time. New text. */
static char *read_line(int fd) {
    char line[LINE_BYTES];
    size_t length = 0;
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    while (length < sizeof line - 1 && poll(&wanted, 1, ANSWER_MS) > 0) {
        ssize_t count = read(fd, line + length, sizeof line - 1 - length);
        if (count <= 0) break;
        length += (size_t)count;
        if (memchr(line, '\n', length)) break;
    }
    const char *end = memchr(line, '\n', length);
    return weir_str_dup((weir_str){line, end ? (size_t)(end - line) : 0});
}

/* A shell's wrapper of Python would cost more than what is measured: which program it really is. */
static bool find_python(char **out, weir_error *error) {
    static const char *const words[] = {
        "python3", "-c", "import sys; print(sys.executable if sys.version_info >= (3, 11) else '')",
        NULL};
    pid_t pid = 0;
    int input = -1, output = -1;
    bool ok = start(words, &pid, &input, &output, error);
    if (ok) {
        close(input);
        *out = read_line(output);
        close(output);
        waitpid(pid, NULL, 0);
        if (!**out)
            ok = weir_fail(error, WEIR_NOT_FOUND,
                           "the `python3` of the PATH does not work, or is older than 3.11");
    } else if (error->code == WEIR_NOT_FOUND) {
        weir_fail(error, WEIR_NOT_FOUND,
                  "there is no `python3`: seven rungs and the server want it");
    }
    if (!ok) weir_error_hint(error, "install Python 3.11 or newer, and have it in the PATH");
    return ok;
}

static bool start_server(weir_ladder_stage *stage, uint64_t latency_us, weir_error *error) {
    char file[1024], latency[32];
    pid_t pid = 0;
    int output = -1;
    snprintf(file, sizeof file, "%s/server.py", stage->folder);
    snprintf(latency, sizeof latency, "%.6f", (double)latency_us / 1e6);
    const char *const words[] = {stage->python, file, "--latency", latency, "--until-eof", NULL};
    if (!start(words, &pid, &stage->holds, &output, error)) return false;
    stage->server = pid;
    stage->address = read_line(output);
    close(output);
    return weir_str_starts(weir_str_from(stage->address), WEIR_STR("http://")) ||
           weir_fail(error, WEIR_IO, "the server `%s` does not say its address", file);
}

/* --- files ------------------------------------------------------------------------------------ */

static bool write_files(weir_ladder_stage *stage, weir_error *error) {
    const char *temporary = getenv("TMPDIR");
    weir_buffer folder = {0}, path = {0};
    weir_buffer_printf(&folder, "%s/weir-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    bool ok = mkdtemp(folder.data);
    if (!ok)
        weir_fail(error, WEIR_IO, "no folder can be made in `%.200s`: %s", folder.data,
                  strerror(errno));
    if (ok) stage->folder = stage->written = weir_str_dup(weir_buffer_str(&folder));
    for (const weir_embedded *file = weir_ladder_files; ok && file->name; file++) {
        weir_buffer_clear(&path);
        weir_buffer_printf(&path, "%s/%s", stage->written, file->file);
        ok = weir_cli_write_new(path.data, (weir_str){file->text, file->length}, error);
    }
    weir_buffer_deinit(&folder);
    weir_buffer_deinit(&path);
    return ok;
}

bool weir_ladder_stage_open(weir_ladder_stage *stage, const char *folder, uint64_t latency_us,
                            weir_error *error) {
    *stage = (weir_ladder_stage){.folder = folder, .holds = -1};
    return find_python(&stage->python, error) && (folder || write_files(stage, error)) &&
           start_server(stage, latency_us, error);
}

void weir_ladder_stage_close(weir_ladder_stage *stage) {
    if (stage->holds >= 0) close(stage->holds);
    if (stage->server) {
        kill(stage->server, SIGTERM);
        waitpid(stage->server, NULL, 0);
    }
    if (stage->written) { /* with what Python made of them */
        (void)weir__remove_within(stage->written, FILES_MAX);
        rmdir(stage->written);
    }
    weir_free(stage->written);
    weir_free(stage->python);
    weir_free(stage->address);
}

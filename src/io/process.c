#include "io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

enum {
    STREAMS = 4, /* standard input, output and error, and metrics, by their number in the child */
    READ_BYTES = 64 * 1024,
    READS_AT_ONCE = 16, /* together the largest pipe: what a child left is read in one go */
    LEFT_BEHIND_MS = 200
};

/* One end of a pipe, or the pidfd. */
typedef struct channel {
    uv_poll_t poll; /* its data is the process */
    int fd;         /* -1: closed */
} channel;

struct weir_process {
    weir_loop *loop;
    channel streams[STREAMS], child;
    uv_timer_t left_behind;
    unsigned open; /* handles that libuv knows */
    pid_t pid;
    weir_buffer pending; /* standard input, and what of it is written */
    size_t written;
    bool ended;
    uint64_t started_us, wall_us;
    weir_process_options callbacks; /* of the options only these are used after the start */
};

/* What a start needs; of each stream's pipe [0] is the child's end and [1] ours. */
typedef struct launch {
    int directory; /* AT_FDCWD or open */
    weir_buffer command;
    int pipes[STREAMS][2];
} launch;

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static bool open_directory(const char *directory, launch *l, weir_error *error) {
    if (!directory) return true;
    int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        l->directory = fd;
        return true;
    }
    if (errno == ENOENT || errno == ENOTDIR)
        return weir_fail(error, WEIR_NOT_FOUND, "the directory `%s` was not found", directory);
    return weir_fail(error, WEIR_IO, "the directory `%s` cannot be used: %s", directory,
                     strerror(errno));
}

/* 0 when the child can execute l->command, else errno. */
static int try_command(const launch *l) {
    struct stat info;
    if (fstatat(l->directory, l->command.data, &info, 0) < 0) return errno;
    if (S_ISDIR(info.st_mode)) return EACCES;
    return faccessat(l->directory, l->command.data, X_OK, 0) < 0 ? errno : 0;
}

static weir_str child_path(const char *const *environment) {
    for (; *environment; environment++)
        if (strncmp(*environment, "PATH=", 5) == 0) return weir_str_from(*environment + 5);
    return WEIR_STR("/usr/local/bin:/usr/bin:/bin");
}

/* Finds the command as the child would: in its PATH, from its directory. */
static bool find_command(const weir_process_options *options, launch *l, weir_error *error) {
    const char *name = options->argv[0];
    weir_str path = child_path(options->environment);
    int reason = ENOENT;
    if (strchr(name, '/')) {
        weir_buffer_text(&l->command, name);
        reason = try_command(l);
    } else {
        for (size_t from = 0, end; *name && reason && from <= path.length; from = end + 1) {
            end = weir_str_find(path, WEIR_STR(":"), from);
            if (end == SIZE_MAX) end = path.length;
            weir_buffer_clear(&l->command);
            weir_buffer_str_append(&l->command, weir_str_slice(path, from, end));
            weir_buffer_text(&l->command, end > from ? "/" : "./");
            weir_buffer_text(&l->command, name);
            int tried = try_command(l);
            if (!tried || tried == EACCES) reason = tried;
        }
    }
    if (!reason) return true;
    if (reason != ENOENT && reason != ENOTDIR)
        return weir_fail(error, WEIR_IO, "command `%s` cannot be run: %s", name, strerror(reason));
    weir_fail(error, WEIR_NOT_FOUND, "command `%s` was not found", name);
    if (!strchr(name, '/'))
        weir_error_hint(error, "looked in the child's PATH: %.*s", WEIR_ARG(path));
    else
        weir_error_hint(error, "there is no such file%s%s",
                        name[0] != '/' && options->directory ? " in " : "",
                        name[0] != '/' && options->directory ? options->directory : "");
    return false;
}

/* Our end does not block, and no end has a number that is a stream's in the child. */
static bool open_pipe(int ends[2], bool child_reads, weir_error *error) {
    int fds[2];
    bool ok = pipe2(fds, O_CLOEXEC) == 0;
    for (int i = 0; ok && i < 2; i++) {
        int low = fds[i];
        if (low >= STREAMS) continue;
        fds[i] = fcntl(low, F_DUPFD_CLOEXEC, STREAMS);
        ok = fds[i] >= 0;
        close(low);
        if (!ok) close(fds[1 - i]);
    }
    if (!ok) return weir_fail(error, WEIR_IO, "no pipe: %s", strerror(errno));
    ends[0] = fds[child_reads ? 0 : 1];
    ends[1] = fds[child_reads ? 1 : 0];
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    return true;
}

static bool open_pipes(const weir_process_options *options, launch *l, weir_error *error) {
    const bool wanted[STREAMS] = {options->input.length > 0, options->output, options->output,
                                  options->metrics};
    for (int i = 0; i < STREAMS; i++)
        if (wanted[i] && !open_pipe(l->pipes[i], i == STDIN_FILENO, error)) return false;
    return true;
}

static int fill_actions(const launch *l, posix_spawn_file_actions_t *actions) {
    int failed = 0, count = l->pipes[STREAMS - 1][0] >= 0 ? STREAMS : STREAMS - 1;
    /* First, as the directory may have a stream's number. */
    if (l->directory >= 0) failed = posix_spawn_file_actions_addfchdir_np(actions, l->directory);
    for (int fd = 0; fd < count && !failed; fd++)
        failed = l->pipes[fd][0] >= 0
                     ? posix_spawn_file_actions_adddup2(actions, l->pipes[fd][0], fd)
                     : posix_spawn_file_actions_addopen(actions, fd, "/dev/null",
                                                        fd ? O_WRONLY : O_RDONLY, 0);
    /* Whatever this process has inherited or opened carelessly. */
    return failed ? failed : posix_spawn_file_actions_addclosefrom_np(actions, count);
}

static int spawn(const weir_process_options *options, const launch *l, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                              POSIX_SPAWN_SETSIGDEF);
    int failed = fill_actions(l, &actions);
    if (!failed)
        failed = posix_spawn(pid, l->command.data, &actions, &attributes,
                             (char *const *)(uintptr_t)options->argv,
                             (char *const *)(uintptr_t)options->environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static bool spawn_failed(const char *name, int reason, weir_error *error) {
    if (reason == ENOENT) {
        weir_fail(error, WEIR_NOT_FOUND, "command `%s` names an interpreter that was not found",
                  name);
        weir_error_hint(error, "see the first line of the file");
        return false;
    }
    weir_fail(error, WEIR_IO, "command `%s` could not be started: %s", name, strerror(reason));
    if (reason == ENOEXEC) weir_error_hint(error, "a script needs a first line such as #!/bin/sh");
    return false;
}

static void handle_closed(uv_handle_t *handle) {
    weir_process *process = handle->data;
    if (--process->open) return;
    weir_buffer_deinit(&process->pending);
    weir_free(process);
}

static void channel_close(channel *c) {
    if (c->fd < 0) return;
    uv_close((uv_handle_t *)&c->poll, handle_closed);
    close_fd(&c->fd);
}

static bool channel_open(weir_process *process, channel *c, int *fd, int events, uv_poll_cb ready) {
    if (*fd < 0) return true;
    if (uv_poll_init(process->left_behind.loop, &c->poll, *fd)) return false;
    process->open++;
    c->poll.data = process;
    c->fd = *fd;
    *fd = -1;
    return uv_poll_start(&c->poll, events, ready) == 0;
}

static void release(weir_process *process) {
    weir__loop_count_child(process->loop, false);
    for (int i = 0; i < STREAMS; i++) channel_close(&process->streams[i]);
    channel_close(&process->child);
    uv_close((uv_handle_t *)&process->left_behind, handle_closed);
}

/* The child stays a zombie until here, so that its number and its group's cannot be another's. */
static void finish(weir_process *process) {
    int status = 0;
    struct rusage usage = {0};
    while (wait4(process->pid, &status, 0, &usage) < 0) weir_assert(errno == EINTR);
    struct timeval cpu;
    timeradd(&usage.ru_utime, &usage.ru_stime, &cpu);
    weir_process_end end = {
        .exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .wall_us = process->wall_us,
        .cpu_us = (uint64_t)cpu.tv_sec * 1000000 + (uint64_t)cpu.tv_usec,
        .memory_peak_bytes = (uint64_t)usage.ru_maxrss * 1024,
    };
    release(process);
    process->callbacks.ended(process->callbacks.arg, &end);
}

/* Reads what is there; at the end of the file closes the channel. */
static void read_stream(weir_process *process, int stream) {
    channel *c = &process->streams[stream];
    char bytes[READ_BYTES];
    for (int i = 0; c->fd >= 0 && i < READS_AT_ONCE; i++) {
        ssize_t count = read(c->fd, bytes, sizeof bytes);
        weir_str text = {bytes, count > 0 ? (size_t)count : 0};
        if (count < 0 && errno == EAGAIN) return;
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0)
            channel_close(c);
        else if (stream > STDERR_FILENO)
            process->callbacks.metrics(process->callbacks.arg, text);
        else
            process->callbacks.output(process->callbacks.arg, stream == STDERR_FILENO, text);
    }
}

static bool finish_when_read(weir_process *process) {
    bool complete = process->ended;
    for (int i = STDOUT_FILENO; i < STREAMS; i++) complete = complete && process->streams[i].fd < 0;
    if (complete) finish(process);
    return complete;
}

static void stream_ready(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    weir_process *process = poll->data;
    int stream = STDOUT_FILENO;
    while (poll != &process->streams[stream].poll) stream++;
    read_stream(process, stream);
    finish_when_read(process);
}

static void left_behind(uv_timer_t *timer) {
    weir_process *process = timer->data;
    for (int i = STDOUT_FILENO; i < STREAMS; i++) read_stream(process, i);
    finish(process);
}

static void child_ended(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    weir_process *process = poll->data;
    process->ended = true;
    process->wall_us = weir_clock_steady_us() - process->started_us;
    weir_process_signal(process, SIGKILL);
    channel_close(&process->child);
    channel_close(&process->streams[STDIN_FILENO]);
    if (!finish_when_read(process))
        uv_timer_start(&process->left_behind, left_behind, LEFT_BEHIND_MS, 0);
}

static void write_input(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    weir_process *process = poll->data;
    size_t left = process->pending.length - process->written;
    ssize_t count =
        write(process->streams[STDIN_FILENO].fd, process->pending.data + process->written, left);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count > 0) process->written += (size_t)count;
    /* A child that does not read its input, or not all of it, is no error. */
    if (count < 0 || process->written == process->pending.length)
        channel_close(&process->streams[STDIN_FILENO]);
}

/* Takes the pipes over. The child runs already: when it cannot be watched it must go. */
static bool watch(weir_loop *loop, weir_process *process, launch *l, weir_error *error) {
    int child = (int)syscall(SYS_pidfd_open, process->pid, 0);
    process->loop = loop;
    weir__loop_count_child(loop, true);
    uv_timer_init(weir__loop_uv(loop), &process->left_behind);
    process->left_behind.data = process;
    process->open = 1;
    bool ok =
        child >= 0 && channel_open(process, &process->child, &child, UV_READABLE, child_ended);
    for (int i = 0; ok && i < STREAMS; i++)
        ok = channel_open(process, &process->streams[i], &l->pipes[i][1],
                          i ? UV_READABLE : UV_WRITABLE, i ? stream_ready : write_input);
    if (ok) return true;
    int reason = errno;
    close_fd(&child);
    kill(-process->pid, SIGKILL);
    while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR) continue;
    release(process);
    return weir_fail(error, WEIR_IO, "a child process cannot be watched: %s", strerror(reason));
}

bool weir_process_start(weir_loop *loop, const weir_process_options *options, weir_process **out,
                        weir_error *error) {
    weir_assert(options->argv[0] && options->ended);
    launch l = {.directory = AT_FDCWD, .pipes = {{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}}};
    pid_t pid = 0;
    bool ok = open_directory(options->directory, &l, error) && find_command(options, &l, error) &&
              open_pipes(options, &l, error);
    uint64_t started_us = weir_clock_steady_us();
    int failed = ok ? spawn(options, &l, &pid) : 0;
    if (failed) ok = spawn_failed(options->argv[0], failed, error);
    if (ok) {
        weir_process *process = weir_alloc(sizeof *process);
        process->pid = pid;
        process->started_us = started_us;
        process->callbacks = *options;
        process->child.fd = -1;
        for (int i = 0; i < STREAMS; i++) process->streams[i].fd = -1;
        weir_buffer_str_append(&process->pending, options->input);
        ok = watch(loop, process, &l, error);
        if (ok) *out = process;
    }
    for (int fd = 0; fd < STREAMS; fd++) {
        close_fd(&l.pipes[fd][0]);
        close_fd(&l.pipes[fd][1]);
    }
    if (l.directory >= 0) close(l.directory);
    weir_buffer_deinit(&l.command);
    return ok;
}

pid_t weir_process_pid(const weir_process *process) {
    return process->pid;
}

void weir_process_signal(weir_process *process, int signal) {
    kill(-process->pid, signal);
}

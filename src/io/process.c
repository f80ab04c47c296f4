#include "io/process_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STREAMS = WEIR_PROCESS_STREAMS,
    CHILD = STREAMS, /* the channel of its end */
    CHANNELS,
    READ_BYTES = 64 * 1024,
    READS_AT_ONCE = 16, /* together the largest pipe: what a child left is read in one go */
    LEFT_BEHIND_US = 200 * 1000
};

struct weir_process {
    weir_loop *loop;
    uint64_t place;          /* among those that are watched */
    int channels[CHANNELS];  /* our ends of the pipes, and what tells of its end; -1: closed */
    weir_timer *left_behind; /* runs when it has ended and its pipes have not; else NULL */
    pid_t pid;
    weir_buffer pending; /* standard input, and what of it is written */
    size_t written;
    bool ended;
    bool told; /* before it ended */
    uint64_t started_us, wall_us;
    weir_process_options callbacks; /* of the options only these are used after the start */
};

/* What a start needs; of each stream's pipe [0] is the child's end and [1] ours. */
typedef struct launch {
    int directory; /* AT_FDCWD or open */
    weir_buffer command;
    int pipes[STREAMS][2];
    int child; /* what tells of its end; -1: not there yet */
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

static int look_in_path(const char *name, weir_str path, launch *l) {
    int reason = ENOENT;
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
    return reason;
}

/* False, with why: the command is not there, or nothing that can be executed. */
static bool can_run(const weir_process_options *options, int reason, weir_error *error) {
    const char *name = options->argv[0];
    weir_str path = child_path(options->environment);
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

/* A copy above the streams, which the child's become one after the other. */
static bool take_given(int *copy, int fd, weir_error *error) {
    *copy = fcntl(fd, F_DUPFD_CLOEXEC, STREAMS);
    return *copy >= 0 || weir_fail(error, WEIR_IO, "no descriptor: %s", strerror(errno));
}

static bool open_pipes(const weir_process_options *options, launch *l, weir_error *error) {
    const bool wanted[STREAMS] = {options->input.length > 0, options->output, options->output,
                                  options->metrics};
    for (int i = 0; i < STREAMS; i++) {
        bool given = options->given && options->given[i] >= 0;
        if (given && !take_given(&l->pipes[i][0], options->given[i], error)) return false;
        if (!given && wanted[i] && !open_pipe(l->pipes[i], i == STDIN_FILENO, error)) return false;
    }
    return true;
}

/* Finds the command as the child would: in its PATH, from its directory. One that names its folder is only looked at when it cannot be
 * executed. */
static bool find_command(const weir_process_options *options, launch *l, weir_error *error) {
    const char *name = options->argv[0];
    if (!strchr(name, '/'))
        return can_run(options, look_in_path(name, child_path(options->environment), l), error);
    weir_buffer_text(&l->command, name);
    return true;
}

static int spawn(const weir_process_options *options, launch *l, pid_t *pid) {
    weir__birth birth = {.path = l->command.data,
                         .argv = options->argv,
                         .environment = options->environment,
                         .directory = l->directory == AT_FDCWD ? -1 : l->directory,
                         .stream_count = l->pipes[STREAMS - 1][0] >= 0 ? STREAMS : STREAMS - 1};
    for (int i = 0; i < STREAMS; i++) birth.streams[i] = l->pipes[i][0];
    return weir__process_spawn(&birth, pid, &l->child);
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

static void close_channel(weir_process *process, int channel) {
    int *fd = &process->channels[channel];
    if (*fd < 0) return;
    weir__process_unwatch(process->loop, *fd);
    close_fd(fd);
}

/* Takes the descriptor over; one that is not there is nothing to watch. */
static bool open_channel(weir_process *process, int channel, int *fd) {
    if (*fd < 0) return true;
    if (!weir__process_watch(process->loop, process->place, channel, *fd, channel == STDIN_FILENO))
        return false;
    process->channels[channel] = *fd;
    *fd = -1;
    return true;
}

static void release(weir_process *process) {
    weir__loop_count_child(process->loop, false);
    for (int i = 0; i < CHANNELS; i++) close_channel(process, i);
    weir__process_leave(process->loop, process->place);
    if (process->left_behind) weir_timer_close(process->left_behind);
    weir_buffer_deinit(&process->pending);
    weir_free(process);
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
    weir_process_options callbacks = process->callbacks;
    bool told = process->told;
    release(process);
    if (callbacks.gone) callbacks.gone(callbacks.over_arg);
    if (!told) callbacks.ended(callbacks.arg, &end);
}

static void tell_early(weir_process *process) {
    const weir_process_options *callbacks = &process->callbacks;
    weir_process_end end = {.exit_code = -1};
    if (process->told || !callbacks->over || !callbacks->over(callbacks->over_arg, &end)) return;
    end.wall_us = weir_clock_steady_us() - process->started_us;
    process->told = true;
    close_channel(process, STDIN_FILENO);
    callbacks->ended(callbacks->arg, &end);
}

/* Reads what is there; at the end of the file closes the channel. */
static void read_stream(weir_process *process, int stream) {
    const int *fd = &process->channels[stream];
    char bytes[READ_BYTES];
    for (int i = 0; *fd >= 0 && i < READS_AT_ONCE; i++) {
        ssize_t count = read(*fd, bytes, sizeof bytes);
        weir_str text = {bytes, count > 0 ? (size_t)count : 0};
        if (count < 0 && errno == EAGAIN) return;
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0)
            close_channel(process, stream);
        else if (stream > STDERR_FILENO)
            process->callbacks.metrics(process->callbacks.arg, text);
        else
            process->callbacks.output(process->callbacks.arg, stream == STDERR_FILENO, text);
    }
}

void weir_process_hear(weir_process *process) {
    for (int i = STDOUT_FILENO; i < STREAMS; i++) read_stream(process, i);
}

static bool finish_when_read(weir_process *process) {
    bool read = true;
    for (int i = STDOUT_FILENO; i < STREAMS; i++) read = read && process->channels[i] < 0;
    bool complete = process->ended && read;
    if (complete)
        finish(process);
    else if (read)
        tell_early(process);
    return complete;
}

static void left_behind(void *arg) {
    weir_process *process = arg;
    for (int i = STDOUT_FILENO; i < STREAMS; i++) read_stream(process, i);
    finish(process);
}

static void child_ended(weir_process *process) {
    process->ended = true;
    process->wall_us = weir_clock_steady_us() - process->started_us;
    weir_process_signal(process, SIGKILL);
    close_channel(process, CHILD);
    close_channel(process, STDIN_FILENO);
    for (int i = STDOUT_FILENO; i < STREAMS; i++) read_stream(process, i);
    if (finish_when_read(process)) return;
    process->left_behind = weir_timer_open(process->loop, left_behind, process);
    weir_timer_start(process->left_behind, LEFT_BEHIND_US);
}

static void write_input(weir_process *process) {
    size_t left = process->pending.length - process->written;
    ssize_t count =
        write(process->channels[STDIN_FILENO], process->pending.data + process->written, left);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count > 0) process->written += (size_t)count;
    /* A child that does not read its input, or not all of it, is no error. */
    if (count < 0 || process->written == process->pending.length)
        close_channel(process, STDIN_FILENO);
}

void weir__process_ready(weir_process *process, int channel) {
    if (process->channels[channel] < 0) return;
    if (channel == CHILD) {
        child_ended(process);
    } else if (channel == STDIN_FILENO) {
        write_input(process);
    } else {
        read_stream(process, channel);
        finish_when_read(process);
    }
}

/* Takes the pipes over. The child runs already: when it cannot be watched it must go. */
static bool watch(weir_loop *loop, weir_process *process, launch *l, weir_error *error) {
    if (l->child < 0) l->child = (int)syscall(SYS_pidfd_open, process->pid, 0);
    process->loop = loop;
    weir__loop_count_child(loop, true);
    process->place = weir__process_enter(loop, process);
    bool ok = l->child >= 0 && open_channel(process, CHILD, &l->child);
    for (int i = 0; ok && i < STREAMS; i++) ok = open_channel(process, i, &l->pipes[i][1]);
    if (ok) return true;
    int reason = errno;
    close_fd(&l->child);
    weir_process_signal(process, SIGKILL);
    while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR) continue;
    release(process);
    return weir_fail(error, WEIR_IO, "a child process cannot be watched: %s", strerror(reason));
}

static bool start_otherwise(const weir_process_options *options, launch *l, pid_t *pid,
                            weir_error *error) {
    int streams[STREAMS];
    for (int i = 0; i < STREAMS; i++) streams[i] = l->pipes[i][0];
    return options->spawn(options->spawn_arg, streams, pid, error);
}

static bool start_here(const weir_process_options *options, launch *l, pid_t *pid,
                       weir_error *error) {
    int failed = spawn(options, l, pid);
    if (!failed) return true;
    return can_run(options, try_command(l), error) && spawn_failed(options->argv[0], failed, error);
}

bool weir_process_start(weir_loop *loop, const weir_process_options *options, weir_process **out,
                        weir_error *error) {
    weir_assert(options->ended && (options->spawn || options->argv[0]));
    launch l = {
        .directory = AT_FDCWD, .pipes = {{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}}, .child = -1};
    pid_t pid = 0;
    bool ok = options->spawn ||
              (open_directory(options->directory, &l, error) && find_command(options, &l, error));
    ok = ok && open_pipes(options, &l, error);
    uint64_t started_us = weir_clock_steady_us();
    ok = ok && (options->spawn ? start_otherwise : start_here)(options, &l, &pid, error);
    if (ok) {
        weir_process *process = weir_alloc(sizeof *process);
        process->pid = pid;
        process->started_us = started_us;
        process->callbacks = *options;
        for (int i = 0; i < CHANNELS; i++) process->channels[i] = -1;
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
    if (kill(-process->pid, signal) < 0 && errno == ESRCH) kill(process->pid, signal);
}

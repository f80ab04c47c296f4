#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "executor/init/init.h"

enum { STACK_BYTES = 64 * 1024, NOT_STARTED = 125 };

/* Those that are asked of process 1 and meant for the command. */
static const int forwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT};
static volatile sig_atomic_t arrived[NSIG];
static char stack[STACK_BYTES] __attribute__((aligned(16)));

static void note_signal(int number) {
    arrived[number] = 1;
}

static bool limit(const order *o) {
    const struct {
        int resource;
        uint64_t most;
    } limits[] = {{RLIMIT_DATA, o->head->data_bytes_max}, {RLIMIT_FSIZE, o->head->file_bytes_max}};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct rlimit now;
        if (!limits[i].most || getrlimit((__rlimit_resource_t)limits[i].resource, &now) < 0)
            continue;
        if (limits[i].most < now.rlim_max) now.rlim_max = limits[i].most;
        now.rlim_cur = now.rlim_max;
        if (setrlimit((__rlimit_resource_t)limits[i].resource, &now) < 0)
            return weir__note(o->record, WEIR__INIT_LIMITS, "");
    }
    return true;
}

static bool become(const helper *h, const order *o) {
    if (!(o->head->flags & WEIR__INIT_HAS_IDENTITY)) return true;
    if (h->user && !h->users) return true; /* there is no other: whoever asked was told */
    gid_t groups[WEIR__INIT_GROUPS_MAX];
    size_t count = 0;
    for (const char *at = o->groups; count < o->head->groups && count < WEIR__INIT_GROUPS_MAX;
         at += strlen(at) + 1)
        groups[count++] = (gid_t)strtoul(at, NULL, 10);
    return (setgroups(count, groups) == 0 &&
            setresgid(o->head->group, o->head->group, o->head->group) == 0 &&
            setresuid(o->head->user, o->head->user, o->head->user) == 0) ||
           weir__note(o->record, WEIR__INIT_IDENTITY, "");
}

/* What it may not have, and may not do. */
static bool settle(const helper *h, const order *o) {
    return limit(o) && (!h->images || weir__confine_rights(o)) && become(h, o) &&
           (!h->images || weir__confine_rest(h, o));
}

static bool take_streams(const order *o) {
    for (int i = 0; i < WEIR__INIT_STREAMS; i++) {
        int fd = o->streams[i];
        if (fd < 0 && i > STDERR_FILENO) continue;
        if (fd < 0) fd = open("/dev/null", (i ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
        if (fd < 0 || (fd != i && dup2(fd, i) < 0))
            return weir__note(o->record, WEIR__INIT_START, "/dev/null");
        if (fd == i && fcntl(fd, F_SETFD, 0) < 0) return false;
    }
    return true;
}

/* Whether a file is there that could be executed, and is not, for what stands in its first line. */
static bool lacks_interpreter(const char *path) {
    return errno == ENOENT && faccessat(AT_FDCWD, path, F_OK, 0) == 0;
}

static void execute_path(const order *o, const char *path, int *reason) {
    execve(path, o->argv, o->environment);
    if (errno == ENOENT || errno == ENOTDIR) {
        if (errno == ENOENT && lacks_interpreter(path)) *reason = -ENOENT;
    } else if (*reason == ENOENT) {
        *reason = errno;
    }
}

static const char *search_path(const order *o) {
    for (char **variable = o->environment; *variable; variable++)
        if (strncmp(*variable, "PATH=", 5) == 0) return *variable + 5;
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/* Looks for it in the PATH of the command; returns when it cannot be executed. */
static void execute(const order *o) {
    char path[WEIR__PATH_BYTES];
    const char *name = o->argv[0];
    int reason = ENOENT;
    if (strchr(name, '/')) {
        execute_path(o, name, &reason);
    } else {
        for (const char *at = search_path(o); *name && reason == ENOENT;) {
            size_t length = strcspn(at, ":"), rest = strlen(name);
            const char *folder = length ? at : ".";
            size_t above = length ? length : 1;
            if (above + 1 + rest < sizeof path) {
                memcpy(path, folder, above);
                path[above] = '/';
                memcpy(path + above + 1, name, rest + 1);
                execute_path(o, path, &reason);
            }
            if (!at[length]) break;
            at += length + 1;
        }
    }
    bool interpreter = reason == -ENOENT;
    errno = interpreter ? ENOENT : reason;
    weir__note(o->record,
               interpreter        ? WEIR__INIT_INTERPRETER
               : reason == ENOENT ? WEIR__INIT_COMMAND
                                  : WEIR__INIT_EXECUTE,
               name);
}

typedef struct launch {
    const helper *h;
    const order *o;
} launch;

/* In the memory of process 1, which waits: nothing on the heap, and no return but by _exit. */
static int begin_command(void *arg) {
    const launch *l = arg;
    sigset_t none;
    setpgid(0, 0);
    signal(SIGPIPE, SIG_DFL); /* those that are handled are so by themselves */
    umask(022);
    bool streams = take_streams(l->o);
    /* The signal for it is blocked: it does not stop this process. Without a terminal there is nothing to do. */
    if (streams && l->o->head->flags & WEIR__INIT_FOREGROUND)
        (void)tcsetpgrp(STDIN_FILENO, getpid());
    if (streams && settle(l->h, l->o)) {
        close_range(l->o->streams[WEIR__INIT_STREAMS - 1] >= 0 ? WEIR__INIT_STREAMS
                                                               : WEIR__INIT_STREAMS - 1,
                    ~0U, CLOSE_RANGE_CLOEXEC);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execute(l->o);
    }
    _exit(NOT_STARTED);
}

/* --- whether it is ready, asked by a command beside it */

/* As begin_command; what it says goes nowhere, and what goes wrong is an answer, too. */
static int begin_asking(void *arg) {
    const launch *l = arg;
    sigset_t none;
    weir__init_record unread = {0};
    order o = *l->o;
    o.argv = o.asking;
    o.record = &unread;
    for (int i = 0; i < WEIR__INIT_STREAMS; i++) o.streams[i] = -1;
    setpgid(0, 0);
    signal(SIGPIPE, SIG_DFL);
    if (take_streams(&o) && settle(l->h, &o)) {
        close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execute(&o);
    }
    _exit(NOT_STARTED);
}

static void note_answer(weir__init_record *record, int code) {
    __atomic_store_n(&record->answered, (record->answered / 256 + 1) * 256 + code,
                     __ATOMIC_RELEASE);
}

/* One at a time: the last one took too long. */
static pid_t ask(const helper *h, const order *o, pid_t last) {
    launch l = {h, o};
    if (last > 0) kill(-last, SIGKILL);
    if (!o->asking[0]) return 0;
    pid_t pid = clone(begin_asking, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, &l);
    if (pid < 0) note_answer(o->record, NOT_STARTED);
    return pid;
}

/* --- */

/* Reaps whoever ended; true when that was the command. */
static bool reap(pid_t command, pid_t *asking, weir__init_record *record) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == *asking) {
            *asking = 0;
            note_answer(record, WIFEXITED(status) ? WEXITSTATUS(status) : NOT_STARTED);
        }
        if (pid != command) continue;
        record->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        record->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        return true;
    }
    return false;
}

static void forward(pid_t command) {
    for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++) {
        int number = forwarded[i];
        if (!arrived[number]) continue;
        arrived[number] = 0;
        if (kill(-command, number) < 0) kill(command, number);
    }
}

/* Until the command ends; false: the engine did, whose end of the socket is closed then. What process 1 leaves behind ends with it. */
static bool watch(const helper *h, const order *o, pid_t command) {
    sigset_t none;
    pid_t asking = 0;
    sigemptyset(&none);
    struct pollfd engine = {.fd = WEIR__INIT_ROOTS, .events = 0};
    while (!reap(command, &asking, o->record)) {
        forward(command);
        if (arrived[WEIR__INIT_ASK]) asking = ask(h, o, asking);
        arrived[WEIR__INIT_ASK] = 0;
        engine.revents = 0;
        if (ppoll(&engine, 1, NULL, &none) > 0 && engine.revents & (POLLHUP | POLLERR))
            return false;
    }
    return true;
}

void weir__signals_take(void) {
    struct sigaction action = {.sa_handler = note_signal};
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    for (size_t i = 0; i < sizeof forwarded / sizeof *forwarded; i++)
        sigaction(forwarded[i], &action, NULL);
    sigaction(WEIR__INIT_ASK, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
}

/* Ends what the command left behind, and says that all is over: what else there is to do (namespaces are taken apart) nobody needs to wait
 * for. That stays open until then tells who reads the output, for whom it ends now. */
static void say_over(const order *o) {
    struct rusage usage;
    /* Whoever has lost its parent is ours: without a child nobody is left, and nobody needs to be looked for among all processes of the machine. */
    bool left = waitpid(-1, NULL, WNOHANG | __WALL) >= 0 || errno != ECHILD;
    if (left && kill(-1, SIGKILL) == 0)
        while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) continue;
    if (getrusage(RUSAGE_CHILDREN, &usage) == 0) {
        o->record->cpu_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                            (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
        o->record->memory_peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
    }
    __atomic_store_n(&o->record->over, 1, __ATOMIC_RELEASE);
    for (int i = STDOUT_FILENO; i < WEIR__INIT_STREAMS; i++)
        if (o->streams[i] >= 0) close(o->streams[i]);
}

_Noreturn void weir__attempt_run(const helper *h, const order *o) {
    struct sigaction ended = {.sa_handler = note_signal};
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigaction(SIGCHLD, &ended, NULL);
    /* In an image also without the terminal that the engine has, unless it is to sit there: who has it could type for us. */
    if (!h->images || o->head->flags & WEIR__INIT_FOREGROUND || setsid() < 0) setpgid(0, 0);
    close(WEIR__INIT_REQUESTS);
    close(h->lock); /* no way from here to folders of others */
    launch l = {h, o};
    if (!weir__root_enter(h, o)) {
        if (o->record->signal) say_over(o); /* it was told to end before it began */
        _exit(NOT_STARTED);
    }
    pid_t command = clone(begin_command, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, &l);
    if (command < 0) {
        weir__note(o->record, WEIR__INIT_START, "");
        _exit(NOT_STARTED);
    }
    if (o->streams[STDIN_FILENO] >= 0) close(o->streams[STDIN_FILENO]);
    if (!watch(h, o, command)) _exit(NOT_STARTED);
    say_over(o);
    _exit(o->record->signal ? 128 + o->record->signal : o->record->exit_code);
}

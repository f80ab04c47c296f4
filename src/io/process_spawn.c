/* posix_spawn, as far as it is needed here, with less to do: no stack is mapped, no limit asked for, no descriptor opened that could be
 * kept, and the one that tells of the end comes along. The child runs in our memory, on our stack, until it executes the command, while
 * this thread waits (vfork(2)). So it makes system calls only, past the C library, whose state is ours. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/process_internal.h"

enum {
    STACK_BYTES = 16 * 1024,
    SIGNAL_BYTES = NSIG / 8, /* of the kernel's set */
    REAL_TIME_FIRST = 32,    /* of signals, as the kernel counts them */
    CLOSED_MAX = 1 << 16,    /* where a kernel cannot close all at once */
    NOT_EXECUTED = 127
};

typedef struct birth {
    const weir__birth *wanted;
    int nothing;        /* /dev/null */
    uint64_t real_time; /* signals that are not as usual: 1 is bit 0 */
    int reason;
} birth;

/* ThreadSanitizer takes clone for fork, and would let the child, which has our memory, end its own work in it. */
#ifdef __SANITIZE_THREAD__
extern int __clone(int (*run)(void *), void *stack, int flags, void *arg, ...);
#define clone __clone
#endif

/* Its stack is a part of ours, which sanitizers would take for theirs. */
#define OF_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))

OF_CHILD static bool take_streams(const birth *b) {
    for (int i = 0; i < b->wanted->stream_count; i++) {
        int from = b->wanted->streams[i] < 0 ? b->nothing : b->wanted->streams[i];
        if (syscall(SYS_dup3, from, i, 0) < 0) return false;
    }
    if (syscall(SYS_close_range, b->wanted->stream_count, ~0U, 0) == 0) return true;
    for (int fd = b->wanted->stream_count; fd < CLOSED_MAX; fd++) syscall(SYS_close, fd);
    return true;
}

/* One that is handled here must not be so in the child, before it is another program; one that is ignored would stay so. Of real-time
 * signals, which are half of all and which hardly anybody handles, only those that `real_time` has. */
OF_CHILD static void take_signals(uint64_t real_time) {
    static const struct {
        unsigned long parts[8]; /* the kernel's sigaction is not larger */
    } usual;
    for (int number = 1; number < NSIG; number++)
        if (number < REAL_TIME_FIRST || real_time >> (number - 1) & 1)
            syscall(SYS_rt_sigaction, number, &usual, NULL, (size_t)SIGNAL_BYTES);
}

OF_CHILD static int begin(void *arg) {
    static const unsigned long none[SIGNAL_BYTES / sizeof(long)];
    birth *b = arg;
    const weir__birth *wanted = b->wanted;
    take_signals(b->real_time);
    if (syscall(SYS_setpgid, 0, 0) == 0 &&
        (wanted->directory < 0 || syscall(SYS_fchdir, wanted->directory) == 0) && take_streams(b)) {
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, none, NULL, (size_t)SIGNAL_BYTES);
        syscall(SYS_execve, wanted->path, wanted->argv, wanted->environment);
    }
    b->reason = errno;
    syscall(SYS_exit_group, NOT_EXECUTED);
    return 0;
}

/* Kept as long as this process lives. */
static int open_nothing(void) {
    static atomic_int known = -1;
    int kept = atomic_load(&known);
    if (kept >= 0) return kept;
    int low = open("/dev/null", O_RDWR | O_CLOEXEC);
    int fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, WEIR_PROCESS_STREAMS);
    if (low >= 0) close(low);
    if (fd < 0 || atomic_compare_exchange_strong(&known, &kept, fd)) return fd;
    close(fd);
    return kept;
}

/* Looked at once: whoever handles real-time signals does so from the beginning. */
static uint64_t look_at_real_time(void) {
    static _Atomic(uint64_t) found;
    const uint64_t looked = 1; /* no real-time signal's bit */
    uint64_t known = atomic_load(&found);
    if (known) return known;
    for (int number = REAL_TIME_FIRST; number < NSIG; number++) {
        struct {
            void (*handler)(int);
            unsigned long parts[7];
        } now = {SIG_DFL, {0}};
        long failed = syscall(SYS_rt_sigaction, number, NULL, &now, (size_t)SIGNAL_BYTES);
        if (failed || now.handler != SIG_DFL) known |= UINT64_C(1) << (number - 1);
    }
    atomic_store(&found, known | looked);
    return known | looked;
}

int weir__process_spawn(const weir__birth *wanted, pid_t *pid, int *pidfd) {
    char stack[STACK_BYTES] __attribute__((aligned(16)));
    birth b = {.wanted = wanted, .nothing = open_nothing(), .real_time = look_at_real_time()};
    if (b.nothing < 0) return errno;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int fd = -1;
    pid_t child =
        clone(begin, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &b, &fd);
    int reason = child < 0 ? errno : b.reason;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child >= 0 && reason) {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
        close(fd);
    }
    if (reason) return reason;
    *pid = child;
    *pidfd = fd;
    return 0;
}

/* Child processes by posix_spawn: never fork, so a large parent costs nothing. Each child leads a process group of its
 * own; what is left of that ends with it, by SIGKILL, as a pod ends with its first process. The loop's thread owns them;
 * the end is noticed by a pidfd, the usage comes from wait4. */
#ifndef WEIR_IO_PROCESS_H
#define WEIR_IO_PROCESS_H

#include <sys/types.h>

#include "io/loop.h"

typedef struct weir_process weir_process;

typedef struct weir_process_end {
    int exit_code; /* -1 when ended by a signal */
    int signal;    /* 0 when it exited */
    uint64_t wall_us, cpu_us;
    /* Of the child and those it waited for; never below this process's own peak at the start, because Linux counts the
     * memory a child has before its exec. */
    uint64_t memory_peak_bytes;
} weir_process_end;

typedef struct weir_process_options {
    const char *const
        *argv; /* NULL-terminated; argv[0] is looked up in the child's PATH when it has no '/' */
    const char *const *environment; /* NULL-terminated "NAME=VALUE"; nothing is inherited */
    const char *directory;          /* NULL: the parent's */
    weir_str input;                 /* standard input; copied; end of file after it */
    /* Output as it comes; `error_stream` says which. May be NULL. */
    void (*output)(void *arg, bool error_stream, weir_str bytes);
    /* What the child writes to its descriptor 3, as it comes; NULL: it has none. */
    void (*metrics)(void *arg, weir_str bytes);
    /* Called once, after the child has ended and all it wrote was read to the end; when a process that left
     * the group holds the pipes open, 200 ms after the child's end at most. The process is freed after it. */
    void (*ended)(void *arg, const weir_process_end *end);
    void *arg;
} weir_process_options;

/* Fails with NOT_FOUND when there is no such command or directory, IO else; then `ended` is not called. */
WEIR_CHECKED bool weir_process_start(weir_loop *loop, const weir_process_options *options,
                                     weir_process **out, weir_error *error);
pid_t weir_process_pid(const weir_process *process);
/* A signal to the whole group. */
void weir_process_signal(weir_process *process, int signal);

#endif

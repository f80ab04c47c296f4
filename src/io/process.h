/* Child processes, begun as posix_spawn does (vfork): a large parent costs nothing. Each child leads a process group of its
 * own; what is left of that ends with it, by SIGKILL, as a pod ends with its first process. The loop's thread owns them;
 * the end is noticed by a pidfd, the usage comes from wait4. */
#ifndef WEIR_IO_PROCESS_H
#define WEIR_IO_PROCESS_H

#include <sys/types.h>

#include "io/loop.h"

typedef struct weir_process weir_process;

/* Standard input, output and error, and metrics, by their number in the child. */
enum { WEIR_PROCESS_STREAMS = 4 };

typedef struct weir_process_end {
    int exit_code;      /* -1 when ended by a signal */
    int signal;         /* 0 when it exited */
    bool out_of_memory; /* a limit of memory ended it, as far as that is known */
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
     * the group holds the pipes open, 200 ms after the child's end at most. The process is not to be used any more after it. */
    void (*ended)(void *arg, const weir_process_end *end);
    void *arg;
    /* Starts the child instead, which then needs neither argv, environment nor directory: a child of this process that
     * leads a group, or soon will. `streams` are its ends of the pipes, by their numbers in the child; -1: none. */
    bool (*spawn)(void *arg, const int streams[WEIR_PROCESS_STREAMS], pid_t *pid,
                  weir_error *error);
    void *spawn_arg;
    /* For such a child, may be NULL: `over` is asked when all that it wrote was read to its end and it is still there. True: it has ended as far
     * as anybody cares, and how is filled in; `ended` is called at once. `gone` is called when it really has, before `ended` if that was not. */
    bool (*over)(void *arg, weir_process_end *end);
    void (*gone)(void *arg);
    void *over_arg;
    /* The child's descriptors by their numbers, instead of pipes, each with -1 for none; they stay the caller's. NULL: none at all. */
    const int *given;
} weir_process_options;

/* Fails with NOT_FOUND when there is no such command or directory, IO else; then `ended` is not called. */
WEIR_CHECKED bool weir_process_start(weir_loop *loop, const weir_process_options *options,
                                     weir_process **out, weir_error *error);
/* Hands on what it has written by now, without the loop turning: for who waits for the child otherwise. */
void weir_process_hear(weir_process *process);
pid_t weir_process_pid(const weir_process *process);
/* A signal to the whole group, or to the child alone where it leads none yet. */
void weir_process_signal(weir_process *process, int signal);

#endif

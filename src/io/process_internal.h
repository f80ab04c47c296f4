/* Private to process*.c: how a child begins (process_spawn.c), and what tells of it (process_watch.c). The loop's thread. */
#ifndef WEIR_IO_PROCESS_INTERNAL_H
#define WEIR_IO_PROCESS_INTERNAL_H

#include "io/process.h"

/* What a child begins with. It leads a process group, has no signal blocked or ignored, and no descriptor beyond `streams`. */
typedef struct weir__birth {
    const char *path; /* of the command, from its directory */
    const char *const *argv, *const *environment;
    int directory; /* -1: ours */
    int streams
        [WEIR_PROCESS_STREAMS]; /* by their numbers there, none of them below their count; -1: /dev/null, or none at the end */
    int stream_count;
} weir__birth;

/* Gives the child and a descriptor that tells of its end; else why not, as errno has it. */
WEIR_CHECKED int weir__process_spawn(const weir__birth *birth, pid_t *pid, int *pidfd);

/* --- descriptors of children, in an epoll of their own: libuv takes five times as many system calls for one */

/* The key of the process among those of the loop; no later one has the same. */
uint64_t weir__process_enter(weir_loop *loop, weir_process *process);
/* What happens to a descriptor of its is told from now on, but nothing after it left. Errno says why not. */
WEIR_CHECKED bool weir__process_watch(weir_loop *loop, uint64_t key, int channel, int fd,
                                      bool writes);
void weir__process_unwatch(weir_loop *loop, int fd);
void weir__process_leave(weir_loop *loop, uint64_t key);
/* In process.c: the descriptor that was watched as this is ready. */
void weir__process_ready(weir_process *process, int channel);

#endif

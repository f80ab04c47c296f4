/* Whether the processes of an attempt still do anything: looked at now and then, by what the kernel says of them. The loop's
 * thread. */
#ifndef WEIR_EXECUTOR_LIFE_H
#define WEIR_EXECUTOR_LIFE_H

#include <sys/types.h>

#include "io/loop.h"

typedef struct weir_life weir_life;

typedef struct weir_life_wish {
    pid_t pid; /* whose children count too, and theirs */
    uint64_t
        freeze_us; /* so long it may neither write nor use the processor; 0: as long as it likes */
    uint64_t
        stopped_us; /* so long all that could go on may be stopped, by SIGSTOP say; 0: the same */
    /* Called once; the wish's owner may close it within. */
    void (*frozen)(void *arg, const char *reason);
    void *arg;
} weir_life_wish;

/* NULL when nothing is wished. */
weir_life *weir_life_open(weir_loop *loop, const weir_life_wish *wish);
/* It wrote something. NULL is allowed. */
void weir_life_note(weir_life *life);
/* NULL is allowed. */
void weir_life_close(weir_life *life);

#endif

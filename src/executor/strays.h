/* Processes of attempts that nobody waits for: an engine that was killed left them, or they left their process group. They are known by
 * WEIR_ATTEMPT in their environment. Any thread. */
#ifndef WEIR_EXECUTOR_STRAYS_H
#define WEIR_EXECUTOR_STRAYS_H

#include <sys/types.h>

#include "task/task.h"

/* Processes of a task's attempts. */
typedef struct weir__strays {
    const weir_attempt_id *id;
    bool others;   /* those of its other attempts, else this one's */
    uint32_t keep; /* the number of the attempt; of others 0 is nobody's */
    pid_t group;   /* but not those in this process group; 0: all */
    int signal;
} weir__strays;

/* Sends them the signal; whether there were any. `copy` is WEIR_COPY of the state, or NULL. */
bool weir__strays_signal(const weir__strays *strays, const char *copy);
/* Ends them. Looks until none is left, at most 100 ms: a process in the middle of a system call takes its time to end. */
void weir__strays_kill(const weir__strays *strays, const char *copy);

#endif

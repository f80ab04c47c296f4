/* The clocks that weir's code reads while a world goes on, and its waiting for a moment: they are the world's. The linker puts
 * the simulator's functions in the stead of the system's: clock_gettime, nanosleep, pthread_cond_timedwait. */
#ifndef WEIR_SIMULATION_VIRTUAL_TIME_H
#define WEIR_SIMULATION_VIRTUAL_TIME_H

#include <stdint.h>

typedef struct virtual_time {
    uint64_t (*now_us)(void *arg);
    /* Who waits comes back when that much time has passed, or a little more. */
    void (*wait)(void *arg, uint64_t us);
    void *arg;
} virtual_time;

/* NULL: the system's again. Borrowed. */
void virtual_time_use(const virtual_time *time);

#endif

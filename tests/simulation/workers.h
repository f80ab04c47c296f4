/* Many seeds on several processes, each of which takes the next one: a seed that ends its process counts as failed, and the
 * others go on. Says now and then how far it came, on stderr. Who stops it (SIGINT, SIGTERM) is told how to go on. */
#ifndef WEIR_SIMULATION_WORKERS_H
#define WEIR_SIMULATION_WORKERS_H

#include <stdbool.h>
#include <stdint.h>

/* What runs of seeds add up to. */
typedef struct totals {
    uint64_t seeds, crashed, restarted, disk_crashed, faults, cuts, leases, failed, judged,
        unjudged;
} totals;

typedef struct work {
    uint64_t first, count;
    uint32_t jobs;
    bool only_first; /* until one fails */
    /* In a process of its own; adds to the totals. `deinit` when there is no more. */
    void (*run)(void *arg, uint64_t seed, totals *total);
    void (*deinit)(void *arg);
    void *arg;
} work;

/* Gives the number of the first seed that was not run. */
uint64_t work_do(const work *w, totals *out);

#endif

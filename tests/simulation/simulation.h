/* The ground of a simulated run: virtual time, its one source of chance, and the first thing that went wrong.
 *
 * What is to happen is on an agenda, in the order of its time and then of its making, so a seed decides everything.
 * One thread. */
#ifndef WEIR_SIMULATION_H
#define WEIR_SIMULATION_H

#include "base/heap.h"
#include "base/text.h"

typedef struct happening {
    void (*happen)(void *arg, uint64_t what);
    void *arg;
    uint64_t what;
} happening;

typedef struct simulation {
    uint64_t now_us;
    uint64_t chance;
    bool verbose;  /* prints what happens */
    bool mixed;    /* all faults, not only crashes */
    bool shuffled; /* how long things take is by chance */
    weir_heap moments;
    WEIR_VECTOR(happening) happenings; /* never reused: a moment's item is an index here */
    char problem[512];                 /* "": none */
} simulation;

void simulation_deinit(simulation *sim);
/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
uint64_t chance_next(uint64_t *state);
/* What splitmix64 makes of a number: another for each. */
uint64_t chance_mix(uint64_t number);
/* From 0 to below `count`. */
uint64_t chance_draw(uint64_t *state, uint64_t count);
uint64_t simulation_draw(simulation *sim, uint64_t count);
void simulation_add(simulation *sim, uint64_t in_us, void (*happen)(void *arg, uint64_t what),
                    void *arg, uint64_t what);
/* Lets the next thing happen that is due until then; false when there is none. */
bool simulation_step(simulation *sim, uint64_t until_us);
/* Keeps the first problem. */
void simulation_problem(simulation *sim, const char *format, ...) WEIR_PRINTF(2, 3);
void simulation_trace(const simulation *sim, const char *format, ...) WEIR_PRINTF(2, 3);

#endif

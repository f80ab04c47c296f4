/* The parts of the world: how its engine lives (world.c), how it dies and comes back (world_death.c), and who suspends
 * and restarts it (world_control.c). One thread. */
#ifndef WEIR_SIMULATION_WORLD_INTERNAL_H
#define WEIR_SIMULATION_WORLD_INTERNAL_H

#include "replay.h"
#include "virtual_executor.h"
#include "virtual_memo.h"
#include "world.h"

enum { WORLD__CRASHES_MAX = 5 };

static const char run_id[] = "0000000000simulation";

typedef struct world {
    simulation sim;
    const scenario *scenario;
    const world_faults *faults;
    weir_machine *machine; /* NULL: the engine is dead */
    journal journal;
    virtual_disk disk;
    virtual_blobs blobs;
    virtual_store store;
    virtual_executor executor;
    virtual_memo memo;
    uint32_t disk_faults_left; /* that chance picks */
    uint64_t effects;          /* carried out */
    struct {
        weir_machine *machine; /* NULL: nobody is stopped */
        weir_store *store;
        size_t batches; /* when it was stopped */
    } stopped;
    uint64_t timer_us; /* when to step; UINT64_MAX: not */
    uint64_t skew_us;  /* of the engine's clock */
    bool step_asked;   /* on the agenda */
    bool cancel_wanted, terminate_wanted, suspend_wanted;
    bool held;                    /* it is restarted as soon as all is durable */
    const char *listed;           /* the phase that the list has of it; NULL: it may be another */
    size_t gift;                  /* the next that is to be given */
    WEIR_VECTOR(uint32_t) yields; /* by task, taken by a machine without events */
    bool over;
    uint64_t ended_us;
    snapshots snapshots;
} world;

static inline uint64_t clock_us(const world *w) {
    return w->sim.now_us + w->skew_us;
}

/* --- world.c */

weir_machine *world__new_machine(world *w);
void world__pump(world *w);
void world__write_batch(world *w);
/* A step soon, after a fact. */
void world__ask_step(world *w);
void world__stop_attempt(world *w, const weir_effect *effect);
/* The outside goes on to give what is not durable. */
void world__visit_again(world *w);

/* --- world_death.c */

void world__create_run(world *w);
/* What happens, for the agenda. */
void world__recover(void *arg, uint64_t nothing);
void world__cancel(void *arg, uint64_t terminate);
/* The engine is stopped, and another takes its run. */
void world__pause_engine(void *arg, uint64_t life);
/* It goes on, or dies as it is. */
void world__end_stopped_engine(world *w, bool goes_on);
/* The engine dies; ends itself, since the store has failed. */
void world__crash(void *arg);
void world__give_up(void *arg, const weir_error *why);

/* --- world_control.c */

void world__ask_suspend(world *w);
/* A few of each, at moments by chance. */
void world__plan_suspensions(world *w);
void world__plan_restarts(world *w);

#endif

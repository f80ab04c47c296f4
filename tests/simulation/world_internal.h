/* The parts of the world: how its engine lives (world.c), how it dies and comes back (world_death.c), and who suspends
 * and restarts it (world_control.c). One thread. */
#ifndef WEIR_SIMULATION_WORLD_INTERNAL_H
#define WEIR_SIMULATION_WORLD_INTERNAL_H

#include "replay.h"
#include "virtual_executor.h"
#include "virtual_libpq.h"
#include "virtual_memo.h"
#include "virtual_time.h"
#include "world.h"

enum { WORLD__CRASHES_MAX = 5, WORLD__ENGINES_MAX = 3 };

static const char run_id[] = "0000000000simulation";

/* What becomes of an engine that may lose its lease (world_lease.c). */
typedef struct lease_life {
    uint64_t process;    /* a number of its own; 0: it is not started */
    uint64_t stopped_us; /* until when it is stopped */
    uint64_t drift_us;   /* what it waited for after its death */
    uint32_t loop,
        writer;      /* whether its loop, its writer's thread, is in the middle of something */
    bool dead;       /* and not unwound yet */
    bool leaving;    /* as soon as its store's thread is done */
    bool over;       /* the run came to its end with it */
    bool turn_asked; /* on the agenda */
} lease_life;

/* A process that may drive the run. But for leases there is one. */
typedef struct engine {
    struct world *world;
    weir_machine *machine; /* NULL: it is dead, or does not drive the run */
    virtual_store store;
    uint64_t timer_us;  /* when to step; UINT64_MAX: not */
    uint64_t skew_us;   /* of its clock */
    bool step_asked;    /* on the agenda */
    bool held;          /* the run is restarted as soon as all is durable */
    const char *listed; /* the phase that the list has of it; NULL: it may be another */
    size_t gift;        /* the next that is to be given */
    lease_life life;    /* world_lease.c's; so is what follows */
    uint32_t kept;      /* reports that it hears of when it is not busy any more */
} engine;

typedef struct world {
    simulation sim;
    const scenario *scenario;
    const world_faults *faults;
    engine engines[WORLD__ENGINES_MAX], *e; /* whose doing it is just now */
    journal journal;
    virtual_disk disk;
    virtual_server server;
    virtual_blobs blobs;
    virtual_executor executor;
    virtual_memo memo;
    uint32_t disk_faults_left; /* that chance picks */
    uint64_t effects;          /* carried out */
    struct {
        weir_machine *machine; /* NULL: nobody is stopped */
        weir_store *store;
        size_t batches; /* when it was stopped */
    } stopped;
    bool cancel_wanted, terminate_wanted, suspend_wanted;
    WEIR_VECTOR(uint32_t) yields; /* by task, taken by a machine without events */
    bool over;
    uint64_t ended_us;
    snapshots snapshots;
    virtual_time time;
    uint64_t processes; /* that were started, with leases */
    engine *driven;     /* who brought the run to its end; NULL: nobody yet */
} world;

static inline uint64_t clock_us(const world *w) {
    return w->sim.now_us + w->e->skew_us;
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
/* Only what the store has read was written; nobody knows what was to be done after that. */
void world__lose(void *arg);
/* The engine dies; ends itself, since the store has failed. */
void world__crash(void *arg);
void world__give_up(void *arg, const weir_error *why);

/* --- world_lease.c */

/* With leases: several engines that may drive the run, one of which begins; and after the end. */
void world__begin_leased(world *w);
void world__end_leased(world *w);
/* The life of an engine that may go on just now, which becomes the current one. False: it is over; or the engine is busy or
 * stopped, and `again` will be called later. */
bool world__enter(world *w, uint64_t life, void (*again)(void *arg, uint64_t life), void *arg);
/* Whether an engine has this life. */
bool world__is_alive(world *w, uint64_t life);
/* The same for a report, which is kept meanwhile. */
bool world__hear(engine *e, const weir_report *report);
/* Whether the effects of a batch may leave; else the engine gives up. */
bool world__may_act(world *w, const weir_batch *batch);
/* Nobody but who has the lease starts anything. */
void world__check_driver(world *w);
/* The run is over for the engine. */
void world__leave_run(world *w);
/* Until then: what comes first, a timer or what is on the agenda. False: neither. */
bool world__turn(world *w, uint64_t until_us);

/* --- world_control.c */

void world__ask_suspend(world *w);
/* A few of each, at moments by chance. */
void world__plan_suspensions(world *w);
void world__plan_restarts(world *w);

#endif

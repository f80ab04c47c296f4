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
    bool told;       /* of a report that was kept */
} lease_life;

/* A node's, or the run's, that waits for locks; and one that has given them back with a batch. */
typedef struct world_wish {
    uint32_t node;
    bool nested;
    weir_value *locks;
} world_wish;

typedef struct world_release {
    size_t batch;
    uint32_t node;
} world_release;

/* What an engine knows of locks (world_workflow.c). */
typedef struct world_locks {
    uint64_t life; /* whose it is */
    WEIR_VECTOR(world_wish) wishes;
    WEIR_VECTOR(world_release) released;
    bool looks;          /* on the agenda */
    bool wants_back;     /* what the run had when its engine died; until then it does not go on */
    bool wants_for_exit; /* it was cancelled before */
} world_locks;

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
    bool answers;       /* to nodes that wait for one: on the agenda */
    world_locks locks;
    struct {
        uint64_t life; /* in which it was seen */
        weir_task_id task;
        uint32_t times;
    } passed;        /* the first that waits for room, and how often others passed it by */
    lease_life life; /* world_lease.c's; so is what follows */
    WEIR_VECTOR(weir_report) kept; /* reports that it hears of when it is not busy any more */
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
    uint64_t opened; /* operations of the disk when there was a store for the first time */
    struct {
        weir_machine *machine; /* NULL: nobody is stopped */
        weir_store *store;
        size_t batches;  /* when it was stopped */
        size_t attempts; /* that it, and who came before it, began */
    } stopped;
    bool cancel_wanted, terminate_wanted, suspend_wanted;
    WEIR_VECTOR(uint32_t) yields; /* by task, taken by a machine without events */
    bool over;
    uint64_t ended_us;
    snapshots snapshots;
    virtual_time time;
    weir_buffer book;                    /* of locks that runs share */
    WEIR_VECTOR(weir_value *) locks;     /* that were wished, {name, limit} */
    weir_value *rival_wants, *rival_has; /* one of them, of another run; NULL: none */
    uint32_t rival_number;
    uint64_t rival_us;  /* when that run was made */
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
/* The rest of a recovery, once the locks are back. */
void world__go_on(world *w);
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
void world__forget_reports(engine *e);
/* Whether the effects of a batch may leave; else the engine gives up. */
bool world__may_act(world *w, const weir_batch *batch);
/* Whether the engine may ask for locks in the run's name; else it gives up, or is dead. */
bool world__may_ask(world *w);
/* Nobody but who has the lease starts anything. */
void world__check_driver(world *w);
/* The run is over for the engine. */
void world__leave_run(world *w);
/* Until then: what comes first, a timer or what is on the agenda. False: neither. */
bool world__turn(world *w, uint64_t until_us);

/* The rest of a recovery, once the locks are back. */
void world__go_on_leased(world *w);

/* --- world_workflow.c */

/* Nodes that wait for an answer get one soon. */
void world__answer_nodes(world *w);
/* Asks for what is wished; whether anything was granted at once. */
bool world__look_for_locks(world *w);
/* What is given back with the batch that was appended last; and once that is durable, or the run over, all of it. */
void world__note_released(world *w);
void world__release_locks(world *w, bool over);
/* After a replay. True: it will go on (world__go_on, or with leases world__go_on_leased) when it has them. */
bool world__wants_locks_back(world *w);
void world__forget_locks(engine *e);
/* The run is restarted: what its nodes had is given back. */
void world__forget_generation(world *w);
/* Another run wants the same locks a few times. */
void world__plan_rivals(world *w);
/* Nobody begins who has to wait for a lock: what is started says its lock in its command. */
void world__check_locks(world *w, const weir_attempt *attempt);

/* --- world_control.c */

void world__ask_suspend(world *w);
/* A few of each, at moments by chance. */
void world__plan_suspensions(world *w);
void world__plan_restarts(world *w);

#endif

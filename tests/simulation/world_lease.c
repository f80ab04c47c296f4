/* Several engines that may drive the run, on one PostgreSQL: who has the lease does. Engines are stopped and go on, die and are
 * started again, cannot reach the server; the server goes away, forgets what its disk does not have, sets its clock;
 * connections break before and after a commit. The lease and the writing are weir's own code.
 *
 * Whoever waits, for an answer or for a moment, lets the others go on meanwhile, within his call. What is to happen to an
 * engine that waits so, or is stopped, is put off. One that dies while it waits comes back at once from all it waits for,
 * nothing that it still does has an effect, and it is freed when it is unwound. */
#include <stdio.h>

#include "world_internal.h"

enum {
    TICK_US = 40 * 1000, /* how often a store's thread looks whether something is due */
    WRITE_US_MAX = 5 * 1000,
    NOTICE_US = 200,
    LATER_US = 5 * 1000,            /* until who was busy is asked again */
    START_US_MAX = 3 * 1000 * 1000, /* until somebody wants to recover the run */
    LEASE_US = 2 * 1000 * 1000,
    STOPPED_US_MAX = 3 * LEASE_US,
    AWAY_US_MAX = 2 * LEASE_US,
    CLOCK_US_MAX = LEASE_US / 2 -
                   100 * 1000, /* what a server's clock may be set by, see docs/decisions/0036 */
    SKEW_US_MAX = 2 * 1000 * 1000,
    FAULTS_MAX = 6,
    LOSSES_MAX = 4
};

static uint32_t number_of(const engine *e) {
    return (uint32_t)(e - e->world->engines);
}

static bool is_busy(const engine *e) {
    return e->life.loop || e->life.leaving || e->life.stopped_us > e->world->sim.now_us;
}

/* --- time ----------------------------------------------------------------------------------- */

static uint64_t now_us(void *arg) {
    const world *w = arg;
    return w->sim.now_us + w->e->life.drift_us;
}

static bool is_dead(void *arg) {
    const world *w = arg;
    return w->e->life.dead || w->sim.problem[0];
}

static void wait(void *arg, uint64_t us) {
    world *w = arg;
    engine *e = w->e;
    uint64_t due = w->sim.now_us + us;
    while (!is_dead(w)) {
        if (e->life.stopped_us > due) due = e->life.stopped_us;
        if (w->sim.now_us >= due) return;
        if (!world__turn(w, due)) w->sim.now_us = due;
        w->e = e;
    }
    e->life.drift_us += us;
}

bool world__turn(world *w, uint64_t until_us) {
    engine *first = NULL;
    for (size_t i = 0; i < WORLD__ENGINES_MAX; i++) {
        engine *e = &w->engines[i];
        bool due = e->timer_us <= until_us && e->machine && !e->life.dead && !is_busy(e);
        /* Who was busy hears first what came meanwhile. */
        if (due && !e->kept.count && (!first || e->timer_us < first->timer_us)) first = e;
    }
    if (!first || first->timer_us == UINT64_MAX || w->over)
        return simulation_step(&w->sim, until_us);
    /* The timer comes before what is on the agenda for the same moment. */
    if (first->timer_us > w->sim.now_us && simulation_step(&w->sim, first->timer_us - 1))
        return true;
    if (first->timer_us > w->sim.now_us) w->sim.now_us = first->timer_us;
    w->e = first;
    world__pump(w);
    return true;
}

static void put_off(engine *e, void (*again)(void *arg, uint64_t what), void *arg, uint64_t what) {
    uint64_t now = e->world->sim.now_us, until = e->life.stopped_us;
    simulation_add(&e->world->sim, until > now ? until - now : LATER_US, again, arg, what);
}

static engine *with_life(world *w, uint64_t life) {
    for (size_t i = 0; i < WORLD__ENGINES_MAX; i++)
        if (w->engines[i].store.life == life && !w->engines[i].life.dead) return &w->engines[i];
    return NULL;
}

bool world__is_alive(world *w, uint64_t life) {
    return with_life(w, life) != NULL;
}

bool world__enter(world *w, uint64_t life, void (*again)(void *arg, uint64_t life), void *arg) {
    engine *e = with_life(w, life);
    if (!e) return false;
    if (is_busy(e)) {
        put_off(e, again, arg, life);
        return false;
    }
    w->e = e;
    return true;
}

/* --- reports -------------------------------------------------------------------------------- */

static weir_value *hold(weir_value *value) {
    return value ? weir_value_ref(value) : NULL;
}

/* The oldest that was kept. */
static void tell_report(void *arg, uint64_t nothing) {
    engine *e = arg;
    if (is_busy(e)) {
        put_off(e, tell_report, e, nothing);
        return;
    }
    weir_report report = e->kept.items[0];
    memmove(e->kept.items, e->kept.items + 1, --e->kept.count * sizeof report);
    e->life.told = true;
    e->world->executor.report(e, &report);
    e->life.told = false;
    weir_report_deinit(&report);
}

/* Reports come in the order in which they were made. */
bool world__hear(engine *e, const weir_report *report) {
    if (e->life.dead) return false;
    e->world->e = e;
    if (e->life.told || (!is_busy(e) && !e->kept.count)) return true;
    weir_report *kept = weir_vector_push(&e->kept);
    *kept = *report;
    kept->data = hold(report->data);
    kept->outcome.outputs = hold(report->outcome.outputs);
    kept->outcome.failure = hold(report->outcome.failure);
    kept->outcome.usage = hold(report->outcome.usage);
    put_off(e, tell_report, e, 0);
    return false;
}

void world__forget_reports(engine *e) {
    for (size_t i = 0; i < e->kept.count; i++) weir_report_deinit(&e->kept.items[i]);
    weir_vector_deinit(&e->kept);
}

/* --- how an engine ends --------------------------------------------------------------------- */

static void start_engine(void *arg, uint64_t number);

static void start_later(world *w, const engine *e) {
    simulation_add(&w->sim, 1000 + simulation_draw(&w->sim, START_US_MAX), start_engine, w,
                   number_of(e));
}

/* Its process is gone. */
static void end_process(engine *e) {
    world *w = e->world;
    uint64_t before = e->life.stopped_us;
    lease_store_note_process(number_of(e), 0);
    if (e != w->driven) {
        weir_machine_free(e->machine);
        e->machine = NULL;
    }
    e->life = (lease_life){.over = e == w->driven, .stopped_us = before};
    e->timer_us = UINT64_MAX;
    e->step_asked = e->held = false;
    e->listed = NULL;
    bool all = true;
    for (size_t i = 0; i < WORLD__ENGINES_MAX; i++) all &= !w->engines[i].life.process;
    if (w->driven && all) w->over = true;
    if (!w->driven) start_later(w, e);
}

/* When nothing of it is left on the stack. */
static void bury(engine *e) {
    if (!e->life.dead || e->life.loop || e->life.writer) return;
    world *w = e->world;
    w->e = e;
    e->life.loop++;
    virtual_store_close(&e->store);
    virtual_executor_orphan(&w->executor, e);
    end_process(e);
}

static void kill_engine(engine *e) {
    if (!e->life.process || e->life.dead || e->life.over) return;
    simulation_trace(&e->world->sim, "engine %u is KILLED", number_of(e));
    e->life.dead = true;
    e->life.stopped_us = 0;
    lease_store_note_process(number_of(e), 0);
    bury(e);
}

/* As a process that has nothing more to do; it waits for its store's thread. */
static void leave(engine *e) {
    e->life.leaving = e->life.writer;
    if (e->life.leaving) return;
    e->life.loop++;
    virtual_store_close(&e->store);
    e->life.loop--;
    if (e->life.dead)
        bury(e);
    else
        end_process(e);
}

static void stop_own(void *arg, weir_task_id task, uint32_t number) {
    world__stop_attempt(arg, &(weir_effect){.task = task, .number = number, .how = WEIR_STOP_OWN});
}

static void stop_leftover(void *arg, weir_task_id task, uint32_t number) {
    world__stop_attempt(arg, &(weir_effect){.task = task, .number = number, .how = WEIR_STOP_KILL});
}

/* Whether the run is, or was, another's since. */
static bool is_anothers(const engine *e) {
    const server_state *now = &e->world->server.now;
    if (now->lease.there) return strcmp(now->lease.engine, lease_store_engine(e->store.real)) != 0;
    return now->record.finished_us || strcmp(now->record.owner, e->store.owner) != 0;
}

/* As engine/run.c: what is under way is ended. */
static void give_up(engine *e, const weir_error *why) {
    world *w = e->world;
    w->e = e;
    simulation_trace(&w->sim, "engine %u GIVES UP: %s", number_of(e), why->message);
    if (why->code == WEIR_CONFLICT && !is_anothers(e))
        simulation_problem(&w->sim, "an engine gives up the run, which no other has: %s",
                           why->message);
    weir_tasks_each_attempt(weir_machine_tasks(e->machine), stop_own, w);
    weir_machine_free(e->machine);
    e->machine = NULL;
    e->timer_us = UINT64_MAX;
    leave(e);
}

/* The store says, within its turn of the loop, that the lease is another's. */
static void lost(void *arg, weir_str run, const weir_error *why) {
    engine *e = arg;
    (void)run;
    if (e->store.failure || !e->machine) return;
    e->store.failure = weir_alloc(sizeof *e->store.failure);
    *e->store.failure = *why;
}

/* --- the store's thread and the loop -------------------------------------------------------- */

/* Of an engine that died meanwhile, or whose store failed. */
static bool end_if_lost(engine *e) {
    bool dead = e->life.dead, failed = e->store.failure && e->machine;
    if (dead)
        bury(e);
    else if (failed)
        give_up(e, e->store.failure);
    return dead || failed;
}

static void deliver(void *arg, uint64_t life) {
    world *w = arg;
    if (!world__enter(w, life, deliver, w)) return;
    engine *e = w->e;
    e->life.loop++;
    lease_store_deliver(number_of(e));
    e->life.loop--;
    w->e = e;
    if (!end_if_lost(e) && e->life.over && e->life.process) leave(e);
}

static void turn(void *arg, uint64_t life) {
    world *w = arg;
    engine *e = with_life(w, life);
    if (!e) return;
    if (e->life.writer || e->life.stopped_us > w->sim.now_us) {
        put_off(e, turn, w, life);
        return;
    }
    w->e = e;
    e->life.turn_asked = false;
    e->life.writer++;
    lease_store_turn(e->store.real);
    e->life.writer--;
    w->e = e;
    if (e->life.dead)
        bury(e);
    else if (e->life.leaving)
        leave(e);
    else if (e->store.life == life)
        simulation_add(&w->sim, NOTICE_US, deliver, w, life);
}

static void tick(void *arg, uint64_t life) {
    world *w = arg;
    if (!with_life(w, life)) return;
    turn(w, life);
    simulation_add(&w->sim, TICK_US, tick, w, life);
}

static void on_append(void *arg) {
    world *w = arg;
    if (w->e->life.turn_asked) return;
    w->e->life.turn_asked = true;
    simulation_add(&w->sim, 50 + simulation_draw(&w->sim, WRITE_US_MAX), turn, w, w->e->store.life);
}

/* --- what an engine does -------------------------------------------------------------------- */

bool world__may_act(world *w, const weir_batch *batch) {
    engine *e = w->e;
    weir_error error;
    if (e->life.dead || e->store.failure) return false;
    bool holds =
        !batch->effects.count || weir_store_holds(e->store.real, weir_str_from(run_id), &error);
    w->e = e;
    if (!holds) lost(e, weir_str_from(run_id), &error);
    return holds && !e->life.dead && !e->store.failure;
}

bool world__may_ask(world *w) {
    engine *e = w->e;
    weir_batch something = {.effects.count = 1};
    e->life.loop++;
    bool may = world__may_act(w, &something);
    e->life.loop--;
    w->e = e;
    (void)end_if_lost(e);
    return may;
}

void world__check_driver(world *w) {
    const server_lease *lease = &w->server.now.lease;
    if (lease->there && strcmp(lease->engine, lease_store_engine(w->e->store.real)) != 0)
        simulation_problem(&w->sim, "engine %u starts an attempt, and the lease is another's",
                           number_of(w->e));
}

void world__leave_run(world *w) {
    engine *e = w->e;
    if (e->life.over) return;
    e->life.over = true;
    if (!w->driven) {
        w->driven = e;
        w->ended_us = w->sim.now_us;
    }
    weir_store_disown(e->store.real, weir_str_from(run_id), true);
    w->e = e;
}

/* As world__recover. */
static void take_over(world *w) {
    engine *e = w->e;
    simulation_trace(&w->sim, "engine %u drives the run, from batch %zu on", number_of(e),
                     e->store.durable);
    e->machine = world__new_machine(w);
    if (!replay_all(&e->store, e->machine)) return;
    weir_tasks_each_leftover(weir_machine_tasks(e->machine), stop_leftover, w);
    if (weir_machine_finished(e->machine)) {
        world__leave_run(w);
        return;
    }
    if (!world__wants_locks_back(w)) world__go_on_leased(w);
}

void world__go_on_leased(world *w) {
    engine *e = w->e;
    if (e->store.durable)
        weir_machine_recovered(e->machine, clock_us(w), weir_str_from(e->store.owner));
    else
        world__create_run(w);
    world__visit_again(w);
    world__pump(w);
}

/* Somebody wants to go on with the run. */
static void start_engine(void *arg, uint64_t number) {
    world *w = arg;
    engine *e = &w->engines[number];
    weir_error error;
    if (e->life.process || w->driven || w->sim.problem[0]) return;
    w->e = e;
    e->life = (lease_life){.process = ++w->processes, .loop = 1};
    if (w->sim.mixed) e->skew_us = simulation_draw(&w->sim, SKEW_US_MAX);
    lease_store_note_process((uint32_t)number, e->life.process);
    bool ok = virtual_store_lease(&e->store, e->life.process, &error);
    w->e = e;
    e->life.loop = 0;
    if (e->life.dead) {
        bury(e);
        return;
    }
    if (!ok) simulation_trace(&w->sim, "engine %u: %s", number_of(e), error.message);
    if (!ok) {
        leave(e);
        return;
    }
    weir_store_watch(e->store.real, lost, e);
    simulation_add(&w->sim, TICK_US, tick, w, e->store.life);
    e->life.loop++;
    take_over(w);
    e->life.loop--;
    w->e = e;
    if (e->life.dead)
        bury(e);
    else if (e->life.over)
        leave(e);
}

/* --- faults --------------------------------------------------------------------------------- */

/* Who drives the run, or seems to. */
static engine *driver(world *w) {
    for (size_t i = 0; i < WORLD__ENGINES_MAX; i++)
        if (w->engines[i].machine && !w->engines[i].life.over) return &w->engines[i];
    return &w->engines[simulation_draw(&w->sim, WORLD__ENGINES_MAX)];
}

static void come_back(void *arg, uint64_t cut_off) {
    world *w = arg;
    simulation_trace(&w->sim,
                     cut_off ? "an engine reaches the server again" : "the server is back");
    if (cut_off)
        w->server.cut_off = 0;
    else
        w->server.away = false;
}

static void go_away(world *w, bool crash) {
    simulation_trace(&w->sim, crash ? "the server CRASHES" : "the server is away");
    if (crash) virtual_server_crash(&w->server);
    w->server.away = true;
    simulation_add(&w->sim, simulation_draw(&w->sim, AWAY_US_MAX), come_back, w, 0);
}

static void break_something(void *arg, uint64_t nothing) {
    world *w = arg;
    engine *e = driver(w);
    (void)nothing;
    switch (simulation_draw(&w->sim, 8)) {
    case 0:
    case 1:
    case 2:
        simulation_trace(&w->sim, "engine %u is STOPPED", number_of(e));
        if (e->life.process)
            e->life.stopped_us = w->sim.now_us + 1 + simulation_draw(&w->sim, STOPPED_US_MAX);
        break;
    case 3: kill_engine(e); break;
    case 4: go_away(w, true); break;
    case 5: go_away(w, false); break;
    case 6:
        simulation_trace(&w->sim, "engine %u cannot reach the server", number_of(e));
        w->server.cut_off |= 1u << number_of(e);
        simulation_add(&w->sim, simulation_draw(&w->sim, AWAY_US_MAX), come_back, w, 1);
        break;
    default:
        w->server.clock_us +=
            (int64_t)simulation_draw(&w->sim, 2 * CLOCK_US_MAX) - (int64_t)CLOCK_US_MAX;
        simulation_trace(&w->sim, "the server's clock is set");
    }
}

/* --- all of it ------------------------------------------------------------------------------ */

static uint32_t asker(void *arg) {
    const world *w = arg;
    return number_of(w->e);
}

static void committed(void *arg, weir_str bytes) {
    world *w = arg;
    journal_add(&w->journal, bytes);
}

void world__begin_leased(world *w) {
    simulation *sim = &w->sim;
    w->server = (virtual_server){.sim = sim,
                                 .clock_us = (int64_t)simulation_draw(sim, LEASE_US),
                                 .losses_left = (uint32_t)simulation_draw(sim, LOSSES_MAX + 1),
                                 .committed = committed,
                                 .wait = wait,
                                 .asker = asker,
                                 .is_dead = is_dead,
                                 .arg = w};
    w->time = (virtual_time){now_us, wait, w};
    virtual_time_use(&w->time);
    virtual_libpq_use(&w->server);
    lease_store_spread(simulation_draw(sim, 2));
    for (uint32_t i = 0; i < WORLD__ENGINES_MAX; i++) {
        engine *e = &w->engines[i];
        e->store.server = &w->server;
        e->store.engine = i;
        e->store.on_append = on_append;
        if (i) start_later(w, e);
    }
    for (uint64_t left = 1 + simulation_draw(sim, FAULTS_MAX); left; left--)
        simulation_add(sim, simulation_draw(sim, w->faults->span_us), break_something, w, 0);
    start_engine(w, 0);
}

void world__end_leased(world *w) {
    for (size_t i = 0; i < WORLD__ENGINES_MAX; i++) kill_engine(&w->engines[i]);
    if (w->driven) w->e = w->driven;
    virtual_time_use(NULL);
    virtual_server_deinit(&w->server);
}

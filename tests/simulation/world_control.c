/* Who suspends and resumes the run of the world, and restarts it. */
#include "canonical.h"
#include "engine/restart.h"
#include "world_internal.h"

enum {
    SUSPENDED_US_MAX = 400 * 1000,
    SUSPENSIONS_MAX = 3,
    RESTART_US_MAX = 700 * 1000,
    RESTARTS_MAX = 3
};

/* Whoever suspends and resumes asks again until it is durable. */
void world__ask_suspend(world *w) {
    if (w->e->machine && !w->over)
        weir_machine_suspended(w->e->machine, clock_us(w), w->suspend_wanted);
}

static void suspend(void *arg, uint64_t suspended) {
    world *w = arg;
    w->suspend_wanted = suspended;
    simulation_trace(&w->sim, suspended ? "suspend" : "resume");
    world__ask_suspend(w);
    if (w->e->machine) world__ask_step(w);
}

/* Suspends the run a few times, and resumes it each time. */
void world__plan_suspensions(world *w) {
    uint64_t at = 0, left = simulation_draw(&w->sim, SUSPENSIONS_MAX + 1);
    for (; left; left--) {
        at += 1 + simulation_draw(&w->sim, SUSPENDED_US_MAX);
        simulation_add(&w->sim, at, suspend, w, true);
        at += 1 + simulation_draw(&w->sim, SUSPENDED_US_MAX);
        simulation_add(&w->sim, at, suspend, w, false);
    }
}

/* --- restarts ------------------------------------------------------------------------------- */

/* Names an operation of the run's own contexts, or a node, that has tasks; NULL: there is none. */
static weir_value *name_task(world *w) {
    weir_value *status = machine_status(w->e->machine), *what = NULL;
    const weir_value *nodes = weir_member_named(status, "nodes");
    size_t count = weir_value_count(nodes), from = count ? simulation_draw(&w->sim, count) : 0;
    bool workflow = strcmp(w->scenario->plan->kind, "workflow") == 0;
    for (size_t i = 0; i < count && !what; i++) {
        const weir_value *node = weir_array_at(nodes, (from + i) % count);
        if (!weir_str_is(weir_member_text(node, "type"), workflow ? "Pod" : "Operation")) continue;
        what = weir_object_new();
        weir_member_put_text(what, "task", weir_member_text(node, "name"));
        for (size_t k = 0; k < count && !workflow; k++) {
            const weir_value *other = weir_array_at(nodes, k);
            if (weir_str_equal(weir_member_text(other, "id"), weir_member_text(node, "parent")))
                weir_member_put_text(what, "context", weir_member_text(other, "name"));
        }
    }
    weir_value_unref(status);
    return what;
}

/* As engine/control.c. */
static void restart_now(world *w) {
    const weir_value *finished = weir_machine_finished(w->e->machine);
    bool retry = finished && simulation_draw(&w->sim, 2);
    weir_value *what = retry ? NULL : name_task(w);
    weir_restart *again = weir_restart_new(w->scenario->plan, run_id, w->journal.parts, NULL, NULL);
    weir_error error;
    /* One that was over is given no more than it was: it could not end as without the restart. */
    bool whole = !finished || w->e->gift == w->scenario->gifts.count;
    bool ok = (retry || what) && whole;
    for (size_t i = 0; i < w->e->store.durable && ok; i++)
        if (!weir_restart_read(again, weir_buffer_str(&w->e->store.batches.items[i].bytes),
                               &error)) {
            simulation_problem(&w->sim, "a restart reads batch %zu: %s", i + 1, error.message);
            ok = false;
        }
    /* A task that was not made, a name of several, or nothing that failed. */
    if (ok && weir_restart_choose(again, what, &error)) {
        simulation_trace(&w->sim, retry ? "retry" : "restart");
        world__forget_generation(w);
        weir_restart_apply(again, w->e->machine, clock_us(w));
        w->over = false;
        w->cancel_wanted = w->terminate_wanted = false;
        w->ended_us = 0;
    }
    weir_restart_free(again);
    weir_value_unref(what);
    if (weir_machine_finished(w->e->machine)) w->over = true;
    if (w->over && !w->ended_us) w->ended_us = w->sim.now_us;
}

static void try_restart(void *arg, uint64_t life) {
    world *w = arg;
    if (life != w->e->store.life || !w->e->machine || !w->e->held) return;
    bool durable = w->e->store.done == w->e->store.batches.count;
    if (durable && weir_machine_pending(w->e->machine)) {
        world__write_batch(w);
        durable = false;
    }
    if (!durable) {
        simulation_add(&w->sim, 1000, try_restart, w, life);
        return;
    }
    restart_now(w);
    w->e->held = false;
    world__pump(w);
}

static void restart(void *arg, uint64_t nothing) {
    world *w = arg;
    (void)nothing;
    if (!w->e->machine || w->e->held || w->e->locks.wants_back || !w->journal.created) return;
    w->e->held = true;
    try_restart(w, w->e->store.life);
}

void world__plan_restarts(world *w) {
    uint64_t at = 0;
    for (uint64_t left = 1 + simulation_draw(&w->sim, RESTARTS_MAX); left; left--) {
        at += 1 + simulation_draw(&w->sim, RESTART_US_MAX);
        simulation_add(&w->sim, at, restart, w, 0);
    }
}

#include "world_internal.h"

enum {
    DOWN_US_MAX = 3 * 1000 * 1000,
    SKEW_US_MAX = 2 * 1000 * 1000,
    STOPPED_US_MAX = 5 * 1000 * 1000,
    OPERATIONS_MAX = 300 /* between two faults of a disk */
};

/* Whoever cancels asks again until it is durable, before or after the recovery. */
static void ask_cancel(world *w) {
    if (!w->e->machine || w->over) return;
    if (w->terminate_wanted && !w->journal.terminated)
        weir_machine_cancelled(w->e->machine, clock_us(w), true);
    else if (w->cancel_wanted && !w->journal.cancelled)
        weir_machine_cancelled(w->e->machine, clock_us(w), false);
}

void world__create_run(world *w) {
    weir_value *request = weir_value_ref(w->scenario->request);
    if (w->faults->scheduler) {
        weir_scheduler other = (weir_scheduler)(w->faults->scheduler - 1);
        request = weir_value_own(request);
        weir_member_set(request, WEIR_STR("scheduler"),
                        weir_string_from(weir_str_from(weir_scheduler_text(other))));
    }
    weir_machine_created(w->e->machine, clock_us(w), request);
}

static void end_attempt(void *arg, weir_task_id task, uint32_t number) {
    world__stop_attempt(arg, &(weir_effect){.task = task, .number = number, .how = WEIR_STOP_KILL});
}

static void end_own(void *arg, weir_task_id task, uint32_t number) {
    world__stop_attempt(arg, &(weir_effect){.task = task, .number = number, .how = WEIR_STOP_OWN});
}

/* Chance picks when the next fault of the disk comes. */
static void plan_disk_faults(world *w) {
    virtual_disk *disk = &w->disk;
    if (!w->faults->on_disk || !w->sim.mixed || !w->disk_faults_left) return;
    w->disk_faults_left--;
    uint64_t at = disk->operations + 1 + simulation_draw(&w->sim, OPERATIONS_MAX);
    if (simulation_draw(&w->sim, 3)) {
        disk->crash_at = at;
        disk->crash_after = simulation_draw(&w->sim, 2);
    } else {
        disk->fault = DISK_FULL + (disk_fault)simulation_draw(&w->sim, 4);
        disk->fault_at = at;
    }
    disk->slow = simulation_draw(&w->sim, 4) == 0;
}

void world__recover(void *arg, uint64_t nothing) {
    (void)nothing;
    world *w = arg;
    if (w->sim.problem[0]) return;
    if (w->sim.mixed) w->e->skew_us = simulation_draw(&w->sim, SKEW_US_MAX);
    plan_disk_faults(w);
    if (!virtual_store_open(&w->e->store)) {
        world__crash(w);
        return;
    }
    if (!w->opened) w->opened = w->disk.operations;
    simulation_trace(&w->sim, "recover %zu batches", w->e->store.durable);
    w->e->machine = world__new_machine(w);
    if (!replay_all(&w->e->store, w->e->machine)) return;
    weir_tasks_each_leftover(weir_machine_tasks(w->e->machine), end_attempt, w);
    if (!weir_machine_finished(w->e->machine) && world__wants_locks_back(w)) {
        ask_cancel(w);
        return;
    }
    world__go_on(w);
}

void world__go_on(world *w) {
    bool early = simulation_draw(&w->sim, 2);
    if (!w->e->store.durable) world__create_run(w);
    if (early) ask_cancel(w);
    if (w->e->store.durable)
        weir_machine_recovered(w->e->machine, clock_us(w), WEIR_STR("another"));
    if (!early) ask_cancel(w);
    world__ask_suspend(w);
    world__visit_again(w);
    if (w->journal.finished) {
        w->over = true;
        w->ended_us = w->sim.now_us;
    }
    world__pump(w);
}

static bool knows_attempt(void *arg, const weir_attempt_id *id) {
    return journal_knows(arg, id->task, id->number);
}

void world__lose(void *arg) {
    world *w = arg;
    virtual_store *store = &w->e->store;
    journal lost = w->journal;
    simulation_trace(&w->sim, "LOST: all but %zu batches", store->durable);
    w->over = false; /* that it was over may be lost too */
    w->ended_us = 0;
    w->journal = (journal){.sim = &w->sim, .parts = lost.parts, .contexts_max = lost.contexts_max};
    journal_deinit(&lost);
    for (size_t i = 0; i < store->durable; i++)
        journal_add(&w->journal, weir_buffer_str(&store->batches.items[i].bytes));
    virtual_executor_forget(&w->executor, knows_attempt, &w->journal);
}

/* The engine is gone, and comes back when the disk is well again. */
static void end_engine(world *w, bool cut) {
    virtual_store_crash(&w->e->store, cut);
    world__end_stopped_engine(w, false);
    w->disk.fault_at = 0;
    weir_machine_free(w->e->machine);
    w->e->machine = NULL;
    w->e->timer_us = UINT64_MAX;
    w->e->step_asked = w->e->held = false;
    w->e->listed = NULL;
    simulation_add(&w->sim, 1000 + simulation_draw(&w->sim, DOWN_US_MAX), world__recover, w, 0);
}

void world__crash(void *arg) {
    world *w = arg;
    simulation_trace(&w->sim, "CRASH, %zu batches are durable", w->e->store.durable);
    virtual_executor_orphan(&w->executor, w->e);
    end_engine(w, w->faults->power || (w->sim.mixed && simulation_draw(&w->sim, 2)));
}

/* As the real engine gives a run up: it ends what is under way, and then itself. */
void world__give_up(void *arg, const weir_error *why) {
    world *w = arg;
    simulation_trace(&w->sim, "GIVEN UP: %s", why->message);
    weir_tasks_each_attempt(weir_machine_tasks(w->e->machine), end_own, w);
    w->e->store.unwell |= w->disk.fault_at != 0;
    if (simulation_draw(&w->sim, 2)) w->disk.fault_at = 0;
    virtual_store_close(&w->e->store);
    end_engine(w, w->faults->power);
}

/* --- an engine that is stopped while another takes its run ---------------------------------- */

static void report_late(void *arg, const weir_report *report) {
    (void)weir_machine_report(arg, 0, report); /* its time does not go back */
}

/* It goes on where it was, with all that came meanwhile, and nothing of that may become durable. */
void world__end_stopped_engine(world *w, bool goes_on) {
    weir_machine *machine = w->stopped.machine;
    if (!machine) return;
    w->stopped.machine = NULL;
    if (goes_on) {
        weir_batch batch;
        simulation_trace(&w->sim, "the engine that was stopped goes on");
        virtual_executor_echo_to(&w->executor, w->stopped.attempts, report_late, machine);
        weir_machine_cancelled(machine, clock_us(w), false);
        while (weir_machine_step(machine, clock_us(w))) continue;
        weir_machine_take(machine, &batch);
        virtual_store_wake(&w->e->store, w->stopped.store, w->stopped.batches + 1, batch);
    } else {
        disk_store_kill(&w->disk, w->stopped.store);
    }
    weir_machine_free(machine);
}

/* Not before the other has written: until then both are as good. */
static void wake_engine(void *arg, uint64_t nothing) {
    world *w = arg;
    if (w->e->store.done <= w->stopped.batches)
        simulation_add(&w->sim, STOPPED_US_MAX, wake_engine, w, nothing);
    else
        world__end_stopped_engine(w, true);
}

void world__pause_engine(void *arg, uint64_t life) {
    world *w = arg;
    if (life != w->e->store.life || !w->e->machine || w->over || w->stopped.machine) return;
    simulation_trace(&w->sim, "STOPPED, %zu batches are durable", w->e->store.durable);
    w->stopped.batches = w->e->store.batches.count;
    w->stopped.attempts = w->executor.attempts.count;
    w->stopped.machine = w->e->machine;
    w->stopped.store = virtual_store_leave(&w->e->store);
    w->e->machine = NULL;
    w->e->timer_us = UINT64_MAX;
    w->e->step_asked = w->e->held = false;
    w->e->listed = NULL;
    uint64_t taken_us = 1000 + simulation_draw(&w->sim, DOWN_US_MAX);
    simulation_add(&w->sim, taken_us, world__recover, w, 0);
    simulation_add(&w->sim, taken_us + simulation_draw(&w->sim, STOPPED_US_MAX), wake_engine, w, 0);
}

void world__cancel(void *arg, uint64_t terminate) {
    world *w = arg;
    w->cancel_wanted = true;
    w->terminate_wanted |= terminate != 0;
    simulation_trace(&w->sim, "cancel");
    ask_cancel(w);
    if (w->e->machine) world__ask_step(w);
}

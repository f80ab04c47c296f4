#include "world.h"

#include <inttypes.h>
#include <stdio.h>

#include "canonical.h"
#include "dataflow/plan.h"
#include "executor/inline.h"
#include "shortened.h"
#include "world_internal.h"

enum {
    START_US = 1000 * 1000 * 1000, /* so that a clock can go back */
    LAZY_US_MAX = 5 * 1000,
    LAZIER_US_MAX = 200 * 1000,
    LOST_US_MAX = 2 * 1000 * 1000,
    GIFT_US_MAX = 60 * 1000,
    LIMIT_US = 2 * START_US
};

weir_machine *world__new_machine(world *w) {
    return weir_machine_new(w->scenario->plan,
                            &(weir_machine_options){.run = run_id,
                                                    .limits = w->scenario->limits,
                                                    .recorded = !w->faults->unrecorded,
                                                    .parts = virtual_blobs_parts(&w->blobs),
                                                    .ahead_after = w->faults->ahead,
                                                    .call = weir_inline_make_call});
}

/* --- the engine's side: as engine/run.c ----------------------------------------------------- */

typedef struct usage {
    const world *world;
    uint64_t slots, cpu, memory;
} usage;

static uint64_t least(uint64_t a, uint64_t b) {
    return b && b < a ? b : a;
}

static void add_usage(void *arg, weir_task_id task, uint32_t number) {
    (void)number;
    usage *u = arg;
    const weir_task_limits *limits = &u->world->scenario->limits;
    const weir_task_spec *spec = weir_tasks_spec(weir_machine_tasks(u->world->e->machine), task);
    if (!spec->slot || !spec->executor.length) return;
    u->slots += least(spec->members ? spec->members : 1, limits->attempts);
    u->cpu += least(spec->resources.cpu_milli, limits->cpu_milli);
    uint64_t memory = spec->resources.memory_bytes;
    u->memory += least(memory ? memory : spec->estimate.memory_bytes, limits->memory_bytes);
}

static void check_limits(world *w) {
    usage u = {.world = w};
    const weir_task_limits *limits = &w->scenario->limits;
    weir_tasks_each_attempt(weir_machine_tasks(w->e->machine), add_usage, &u);
    if ((limits->attempts && u.slots > limits->attempts) ||
        (limits->cpu_milli && u.cpu > limits->cpu_milli) ||
        (limits->memory_bytes && u.memory > limits->memory_bytes))
        simulation_problem(&w->sim, "the attempts under way take more than the limits");
}

static void note_first(void *arg, weir_task_id task, const weir_waiting *waiting) {
    weir_task_id *first = arg;
    bool waits = *first == WEIR_NO_TASK && waiting->behind == WEIR_NO_TASK &&
                 waiting->lacks > WEIR_LACKS_SLOTS;
    if (waits) *first = task;
}

/* Where nothing is expected of tasks, and they begin as they came, the first that finds no room is passed by so often at most. */
static void check_passes(world *w, const weir_batch *batch) {
    const weir_tasks *tasks = weir_machine_tasks(w->e->machine);
    const weir_value *request = weir_machine_request(w->e->machine);
    weir_task_id first = WEIR_NO_TASK;
    if (!w->scenario->limits.memory_bytes || w->scenario->estimates ||
        weir_scheduler_wanted(request) != WEIR_SCHEDULER_FIFO)
        return;
    weir_tasks_each_waiting(tasks, clock_us(w), note_first, &first);
    if (first != w->e->passed.task || w->e->passed.life != w->e->store.life) {
        w->e->passed.life = w->e->store.life;
        w->e->passed.task = first;
        w->e->passed.times = 0;
        return;
    }
    for (size_t i = 0; i < batch->effects.count && first != WEIR_NO_TASK; i++)
        w->e->passed.times += batch->effects.items[i].kind == WEIR_EFFECT_START;
    if (w->e->passed.times > WEIR_PASSES_MAX)
        simulation_problem(&w->sim, "task %u waits for room, and %u began that came later", first,
                           w->e->passed.times);
}

/* What the list of runs is told; NULL: nothing new. */
static const char *listed_phase(world *w) {
    const weir_value *finished = weir_machine_finished(w->e->machine);
    if (finished) return weir_member_text(finished, "phase").data;
    const char *before = w->e->listed;
    w->e->listed = weir_machine_is_suspended(w->e->machine) ? "Suspended" : "Running";
    return w->e->listed == before ? NULL : w->e->listed;
}

void world__write_batch(world *w) {
    weir_batch batch;
    weir_machine_take(w->e->machine, &batch);
    check_limits(w);
    check_passes(w, &batch);
    if (w->faults->prefixes) snapshots_add(&w->snapshots, w->e->machine, clock_us(w));
    virtual_store_append(&w->e->store, batch, listed_phase(w));
    world__note_released(w);
}

/* --- memoized results: as engine/memo.c ------------------------------------------------------- */

typedef struct question {
    world *world;
    weir_attempt attempt; /* held */
} question;

static void answer(world *w, const weir_attempt *attempt) {
    weir_value *data;
    if (!weir_tasks_seeks(weir_machine_tasks(w->e->machine), attempt->id.task)) return;
    weir_event_type type = virtual_memo_ask(&w->memo, attempt, &data);
    weir_machine_remembered(w->e->machine, clock_us(w), attempt->id.task, type, data);
}

static void answer_later(void *arg, uint64_t life) {
    question *q = arg;
    world *w = q->world;
    bool now = world__enter(w, life, answer_later, q);
    if (!now && world__is_alive(w, life)) return;
    if (now && w->e->machine && !w->over) {
        answer(w, &q->attempt);
        world__ask_step(w);
    }
    weir_attempt_drop(&q->attempt);
    weir_free(q);
}

/* Whether anything was answered at once. */
static bool look(world *w) {
    enum { LOOK_US_MAX = 30 * 1000 };
    weir_attempt attempt;
    bool any = false;
    while (weir_machine_take_sought(w->e->machine, &attempt)) {
        bool later = w->sim.shuffled && simulation_draw(&w->sim, 2);
        if (later) {
            question *q = weir_alloc(sizeof *q);
            *q = (question){w, weir_attempt_hold(&attempt)};
            simulation_add(&w->sim, simulation_draw(&w->sim, LOOK_US_MAX), answer_later, q,
                           w->e->store.life);
        } else {
            answer(w, &attempt);
        }
        any |= !later;
        weir_attempt_drop(&attempt);
    }
    return any;
}

void world__pump(world *w) {
    bool waits = w->e->held || w->e->locks.wants_back;
    if (waits) w->e->timer_us = UINT64_MAX; /* whoever lets it go on asks again */
    if (!w->e->machine || w->over || waits) return;
    bool more;
    do {
        more = weir_machine_step(w->e->machine, clock_us(w));
        if (world__look_for_locks(w) || look(w)) {
            more = true;
            continue;
        }
        if (weir_machine_pending(w->e->machine)) world__write_batch(w);
    } while (more);
    world__answer_nodes(w);
    uint64_t due = weir_machine_due_us(w->e->machine);
    if (due != UINT64_MAX) due = due > clock_us(w) ? due - w->e->skew_us : w->sim.now_us;
    w->e->timer_us = due;
}

static void pump_later(void *arg, uint64_t life) {
    world *w = arg;
    if (!world__enter(w, life, pump_later, w)) return;
    if (w->e->kept.count) { /* who was busy hears first what came meanwhile */
        simulation_add(&w->sim, 1000, pump_later, w, life);
        return;
    }
    w->e->step_asked = false;
    world__pump(w);
}

/* After a fact: at once, or when more of them may have come. A batch may be cut between a fact and what it leads to. */
void world__ask_step(world *w) {
    bool shuffled = w->sim.shuffled, lazy = w->scenario->lazy || w->e->kept.count;
    if (shuffled && weir_machine_pending(w->e->machine) && simulation_draw(&w->sim, 4) == 0)
        world__write_batch(w);
    if (shuffled) lazy = simulation_draw(&w->sim, 2);
    if (!lazy) {
        world__pump(w);
    } else if (!w->e->step_asked) {
        w->e->step_asked = true;
        bool lazier = shuffled && simulation_draw(&w->sim, 2);
        simulation_add(&w->sim, simulation_draw(&w->sim, lazier ? LAZIER_US_MAX : LAZY_US_MAX),
                       pump_later, w, w->e->store.life);
    }
}

static void count_yield(world *w, weir_task_id task) {
    while (w->yields.count <= task) *weir_vector_push(&w->yields) = 0;
    w->yields.items[task]++;
}

static uint32_t yielded(void *arg, weir_task_id task) {
    const world *w = arg;
    if (w->faults->unrecorded) return task < w->yields.count ? w->yields.items[task] : 0;
    return task < w->journal.tasks.count ? w->journal.tasks.items[task].yields : 0;
}

static void receive(void *arg, const weir_report *report) {
    world *w = ((engine *)arg)->world;
    if (!world__hear(arg, report) || !w->e->machine) return;
    /* What a dead engine left tells nobody how it is ended. */
    if (w->e->locks.wants_back) return;
    bool taken = weir_machine_report(w->e->machine, clock_us(w), report);
    if (taken && report->kind == WEIR_REPORT_YIELDED) count_yield(w, report->attempt.task);
    if (taken && w->over) simulation_problem(&w->sim, "a report is taken after the end of the run");
    if (taken) world__ask_step(w);
}

static void check_attempt(world *w, const weir_effect *effect, const weir_attempt *attempt) {
    const journal *j = &w->journal;
    if (!journal_is_scheduled(j, effect->task, effect->number))
        simulation_problem(&w->sim, "task %u: attempt %u begins, which is not durably scheduled",
                           effect->task, effect->number);
    else if (j->tasks.items[effect->task].lost && !attempt->again)
        simulation_problem(&w->sim, "task %u: attempt %u is not told of the lost one", effect->task,
                           effect->number);
    uint32_t tries = attempt->spec->attempts_max ? attempt->spec->attempts_max : 1;
    if (!w->sim.problem[0] && j->tasks.items[effect->task].retries >= tries)
        simulation_problem(&w->sim, "task %u: it is tried more often than it may be", effect->task);
}

static void start_attempt(world *w, const weir_effect *effect) {
    weir_attempt attempt;
    weir_machine_begin(w->e->machine, clock_us(w), effect->task, effect->number);
    if (!weir_machine_attempt(w->e->machine, effect->task, effect->number, &attempt)) return;
    if (!w->faults->unrecorded) check_attempt(w, effect, &attempt);
    if (w->faults->leases) world__check_driver(w);
    world__check_locks(w, &attempt);
    w->executor.starter = w->e;
    for (uint32_t member = 0; member < attempt.members; member++) {
        attempt.id.member = member;
        virtual_executor_start(&w->executor, &attempt);
    }
    weir_attempt_drop(&attempt);
}
void world__stop_attempt(world *w, const weir_effect *effect) {
    const weir_task_spec *spec = weir_tasks_spec(weir_machine_tasks(w->e->machine), effect->task);
    weir_attempt_id id = {.task = effect->task, .number = effect->number};
    memcpy(id.run, run_id, sizeof id.run);
    w->executor.starter = w->e;
    for (uint32_t members = spec && spec->members ? spec->members : 1; id.member < members;
         id.member++)
        virtual_executor_stop(&w->executor, &id, effect->how);
}

static void carry_out(void *arg, const weir_batch *batch) {
    world *w = arg;
    if (w->faults->leases && !world__may_act(w, batch)) return;
    for (size_t i = 0; i < batch->effects.count; i++) {
        const weir_effect *effect = &batch->effects.items[i];
        if (++w->effects == w->faults->effect_at) {
            w->e->store.crash_wanted = true;
            return;
        }
        if (effect->kind == WEIR_EFFECT_START)
            start_attempt(w, effect);
        else
            world__stop_attempt(w, effect);
    }
    for (size_t i = 0; i < batch->keeps.count; i++)
        virtual_memo_keep(&w->memo, &batch->keeps.items[i]);
    bool over = weir_machine_finished(w->e->machine) &&
                w->e->store.done == w->e->store.batches.count && !w->e->held;
    world__release_locks(w, over);
    if (over && w->faults->leases)
        world__leave_run(w);
    else if (over)
        w->over = true;
    if (w->over && !w->ended_us) w->ended_us = w->sim.now_us;
    if (w->faults->echoes) virtual_executor_echo(&w->executor);
    if (w->e->store.done == w->faults->pause_at && !w->over)
        simulation_add(&w->sim, 0, world__pause_engine, w, w->e->store.life);
}

/* --- the outside, which gives contexts and inputs ------------------------------------------- */

static void give(void *arg, uint64_t life);

static void give_later(world *w) {
    simulation_add(&w->sim, simulation_draw(&w->sim, GIFT_US_MAX), give, w, w->e->store.life);
}

/* A context; without events it does not become one. */
static void give_context(world *w, const gift *g) {
    weir_error error;
    if (!w->faults->unrecorded)
        weir_machine_given(w->e->machine, clock_us(w), g->type, 0, g->number,
                           weir_value_ref(g->data));
    else if (!weir_dataflow_give(weir_machine_coordinator(w->e->machine), weir_str_from(g->context),
                                 weir_member_named(g->data, "inputs"), g->number, &error))
        simulation_problem(&w->sim, "context %s is not taken: %s", g->context, error.message);
}

/* What the context is sent; while it waits its name says whose it is. New reference. */
static weir_value *data_of(const gift *g, uint32_t context) {
    weir_value *data = weir_value_ref(g->data);
    if (context) return data;
    data = data ? weir_value_own(data) : weir_object_new();
    weir_member_put_text(data, "name", weir_str_from(g->context));
    return data;
}

/* As engine/context.c. */
static void give(void *arg, uint64_t life) {
    world *w = arg;
    if (!world__enter(w, life, give, w) || !w->e->machine || w->over) return;
    const weir_coordinator *coordinator = weir_machine_coordinator(w->e->machine);
    if (w->e->gift == w->scenario->gifts.count || !weir_dataflow_takes_contexts(coordinator))
        return;
    const gift *g = &w->scenario->gifts.items[w->e->gift];
    uint32_t context = 0;
    bool inside = g->type == WEIR_INPUTS_GIVEN || g->type == WEIR_CONTEXT_CLOSED;
    if (w->e->kept.count) { /* as in pump_later */
        give_later(w);
        return;
    }
    if (inside) world__pump(w);
    if (life != w->e->store.life || w->over) return;
    bool known =
        inside && weir_dataflow_find_context(coordinator, weir_str_from(g->context), &context);
    give_later(w);
    if (inside && !known) return;
    simulation_trace(&w->sim, "give %s", weir_event_text(g->type));
    w->e->gift++;
    if (g->type == WEIR_CONTEXT_GIVEN)
        give_context(w, g);
    else
        weir_machine_given(w->e->machine, clock_us(w), g->type, context, g->number,
                           data_of(g, context));
    world__ask_step(w);
}

void world__visit_again(world *w) {
    w->e->gift = w->journal.gifts;
    if (w->e->gift < w->scenario->gifts.count) give_later(w);
}

/* --- the end -------------------------------------------------------------------------------- */

static weir_machine *make_again(void *arg) {
    return world__new_machine(arg);
}

static void check_replays(world *w, const weir_value *status) {
    weir_plan *plan = w->scenario->plan;
    bool flow = strcmp(plan->kind, "dataflow") == 0 || strcmp(plan->kind, "pipeline") == 0;
    /* Of most runs of a seed the journals are nearly the same. */
    bool shortens = w->faults->prefixes || simulation_draw(&w->sim, 3) == 0;
    if (flow && shortens && !w->faults->unrecorded)
        shortened_check(&w->e->store, plan, run_id, w->e->machine, make_again, w);
    weir_machine *again = world__new_machine(w);
    replay_check_end(&w->e->store, w->e->machine, status, again, clock_us(w));
    weir_machine_free(again);
    if (!w->faults->prefixes) return;
    again = world__new_machine(w);
    replay_check_prefixes(&w->e->store, &w->snapshots, again,
                          w->scenario->beats || w->faults->restarts);
    weir_machine_free(again);
}

static void note_found(void *arg, const weir_attempt *attempt) {
    virtual_executor_note(arg, attempt);
}

static void note_end(world *w, world_end *end) {
    const weir_value *finished = weir_machine_finished(w->e->machine);
    const scenario *s = w->scenario;
    snprintf(end->phase, sizeof end->phase, "%.*s", WEIR_ARG(weir_member_text(finished, "phase")));
    end->by_context = weir_value_ref(weir_member_named(finished, "results"));
    bool compared = s->flow ? s->orderly : w->faults->restarts || w->faults->prefixes;
    if (!compared) return;
    canonical_sets(end->status, &end->sets);
    virtual_memo_each_found(&w->memo, w->faults->unrecorded ? NULL : &w->journal, note_found,
                            &w->executor);
    virtual_executor_list_tasks(&w->executor, &w->journal, &end->tasks);
}

static void free_world(world *w) {
    virtual_time_use(NULL);
    world__end_stopped_engine(w, false);
    for (size_t i = 0; i < WORLD__ENGINES_MAX; i++) {
        weir_machine_free(w->engines[i].machine);
        virtual_store_deinit(&w->engines[i].store);
        world__forget_reports(&w->engines[i]);
        world__forget_locks(&w->engines[i]);
        weir_vector_deinit(&w->engines[i].locks.wishes);
        weir_vector_deinit(&w->engines[i].locks.released);
    }
    for (size_t i = 0; i < w->locks.count; i++) weir_value_unref(w->locks.items[i]);
    weir_vector_deinit(&w->locks);
    weir_buffer_deinit(&w->book);
    virtual_blobs_deinit(&w->blobs);
    virtual_disk_deinit(&w->disk);
    virtual_executor_deinit(&w->executor);
    virtual_memo_deinit(&w->memo);
    journal_deinit(&w->journal);
    simulation_deinit(&w->sim);
    snapshots_deinit(&w->snapshots);
    weir_vector_deinit(&w->yields);
}

/* Nobody waits: there is no thread but one. */
static uint64_t time_of_disk(void *arg) {
    return ((const world *)arg)->sim.now_us;
}

static void connect_disk(world *w) {
    const world_faults *f = w->faults;
    if (!f->on_disk) return;
    w->disk = (virtual_disk){.sim = &w->sim};
    w->time = (virtual_time){time_of_disk, NULL, w};
    virtual_time_use(&w->time);
    w->e->store.is_old = f->old;
    w->e->store.batch = f->batch;
    w->disk.crash_at = f->disk_at;
    w->disk.crash_after = f->disk_after;
    w->disk.fault = f->fault;
    w->disk.fault_at = f->fault_at;
    w->disk.slow = f->slow;
    w->disk_faults_left = WORLD__CRASHES_MAX;
    w->e->store.disk = &w->disk;
    w->e->store.crashes_left = 0;
}

static virtual_store new_store(world *w, uint64_t life) {
    bool crashes = w->faults->mixed && !w->faults->unrecorded && !w->faults->leases;
    return (virtual_store){.sim = &w->sim,
                           .journal = &w->journal,
                           .blobs = &w->blobs,
                           .unrecorded = w->faults->unrecorded,
                           .crash_at = w->faults->crash_at,
                           .crash_after = w->faults->crash_after,
                           .crashes_left = crashes ? WORLD__CRASHES_MAX : 0,
                           .on_done = carry_out,
                           .life = life,
                           .left = UINT64_MAX,
                           .on_crash = world__crash,
                           .on_lost = world__lose,
                           .on_failed = world__give_up,
                           .arg = w};
}

/* Of some seeds no value is large, and none where several engines share a server, which has no blobs. */
static size_t choose_limit(const world *w) {
    enum { LIMIT_MIN = 4, LIMITS = 60 };
    uint64_t chance = w->scenario->seed * 7;
    bool all_stay = chance_draw(&chance, 4) == 0;
    return all_stay || w->faults->leases ? SIZE_MAX
                                         : LIMIT_MIN + (size_t)chance_draw(&chance, LIMITS);
}

static void connect(world *w) {
    simulation *sim = &w->sim;
    uint32_t max = w->scenario->contexts_max;
    w->blobs = (virtual_blobs){.sim = sim, .limit = choose_limit(w)};
    w->journal =
        (journal){.sim = sim, .parts = virtual_blobs_parts(&w->blobs), .contexts_max = max};
    w->e = &w->engines[0];
    for (uint64_t i = 0; i < WORLD__ENGINES_MAX; i++)
        w->engines[i] =
            (engine){.world = w, .timer_us = UINT64_MAX, .store = new_store(w, i << 32)};
    connect_disk(w);
    w->memo = (virtual_memo){.sim = sim,
                             .seed = w->scenario->seed,
                             .by_key = strcmp(w->scenario->plan->kind, "workflow") == 0};
    w->executor = (virtual_executor){.sim = sim,
                                     .repository = {.sim = sim},
                                     .seed = w->scenario->seed,
                                     .may_fail = w->scenario->may_fail,
                                     .loose = w->scenario->loose,
                                     .computes = w->scenario->flow != NULL,
                                     .report = receive,
                                     .yielded = yielded,
                                     .arg = w};
}

static void lose_executor(void *arg, uint64_t nothing) {
    (void)nothing;
    virtual_executor_lose(&((world *)arg)->executor);
}

static void begin(world *w) {
    simulation *sim = &w->sim;
    if (w->faults->leases) {
        world__begin_leased(w);
        return;
    }
    if (sim->mixed && simulation_draw(sim, 3) == 0)
        simulation_add(sim, simulation_draw(sim, LOST_US_MAX), lose_executor, w, 0);
    if (w->faults->on_disk) {
        world__recover(w, 0);
        return;
    }
    w->e->machine = world__new_machine(w);
    world__create_run(w);
    world__visit_again(w);
    world__pump(w);
}

void world_run(const scenario *s, const world_faults *faults, world_end *end) {
    world w = {.scenario = s, .faults = faults};
    w.sim = (simulation){.now_us = START_US,
                         .chance = s->seed + faults->mixed + (faults->shuffle << 32) +
                                   (faults->leases << 40),
                         .verbose = faults->verbose,
                         .shuffled = faults->shuffle != 0,
                         .mixed = faults->mixed};
    connect(&w);
    *end = (world_end){0};
    if (faults->cancel_us) {
        uint64_t again_us = faults->cancel_us + simulation_draw(&w.sim, 100 * 1000);
        simulation_add(&w.sim, faults->cancel_us, world__cancel, &w, 0);
        if (simulation_draw(&w.sim, 2)) simulation_add(&w.sim, again_us, world__cancel, &w, 1);
    }
    if ((faults->mixed || faults->shuffle) && !faults->leases) world__plan_suspensions(&w);
    if (faults->restarts) world__plan_restarts(&w);
    world__plan_rivals(&w);
    begin(&w);
    while (!w.sim.problem[0] && w.sim.now_us < LIMIT_US && world__turn(&w, UINT64_MAX)) continue;
    if (!w.over) simulation_problem(&w.sim, "the run does not come to its end");
    if (faults->leases) world__end_leased(&w);
    if (!w.sim.problem[0]) world__end_stopped_engine(&w, true);
    virtual_executor_expect_idle(&w.executor);
    if (!w.sim.problem[0]) end->status = machine_status(w.e->machine);
    if (!w.sim.problem[0] && !faults->unrecorded) check_replays(&w, end->status);
    if (!w.sim.problem[0]) note_end(&w, end);
    end->operations = w.disk.operations;
    end->opened = w.opened;
    if (!w.sim.problem[0]) virtual_store_check(&w.e->store, end->phase);
    end->effects = w.effects;
    end->cuts = w.disk.cuts;
    end->cancelled = w.journal.cancelled;
    end->restarts = w.journal.restarts;
    end->writes = w.engines[0].store.written;
    end->ended_us = w.ended_us - START_US;
    snprintf(end->problem, sizeof end->problem, "%s", w.sim.problem);
    free_world(&w);
}

void world_end_deinit(world_end *end) {
    weir_buffer_deinit(&end->tasks);
    weir_buffer_deinit(&end->sets);
    weir_value_unref(end->by_context);
    weir_value_unref(end->status);
}

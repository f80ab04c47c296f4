#include "virtual_executor.h"

#include "base/map.h"
#include "data/json.h"
#include "executor/inline.h"

enum {
    STARTED_US_MAX = 3 * 1000,
    DURATION_US_MAX = 200 * 1000,
    STOP_US_MAX = 50 * 1000,
    KILL_US_MAX = 2 * 1000,
    AGAIN_US_MAX = 300 * 1000
};

typedef enum moment {
    MOMENT_STARTED,
    MOMENT_METRIC,
    MOMENT_HEARTBEAT,
    MOMENT_READY,
    MOMENT_LOST,
    MOMENT_END,
    MOMENT_STOPPED,
    MOMENT_AGAIN
} moment;

void virtual_executor_deinit(virtual_executor *executor) {
    for (size_t i = 0; i < executor->attempts.count; i++)
        weir_attempt_drop(&executor->attempts.items[i].attempt);
    weir_vector_deinit(&executor->attempts);
    weir_vector_deinit(&executor->begun);
}

/* --- what it is, and how it goes ------------------------------------------------------------ */

static uint64_t hash_of(const virtual_executor *executor, const weir_attempt *attempt) {
    weir_buffer text = {0};
    weir_buffer_str_append(&text, attempt->spec->name);
    weir_json_format(attempt->parameters, 0, &text);
    weir_json_format(attempt->config, 0, &text);
    weir_buffer_printf(&text, "/%u", attempt->id.member);
    uint64_t state = executor->seed ^ weir_hash(text.data, text.length);
    weir_buffer_deinit(&text);
    return chance_next(&state);
}

/* How often the same began before. */
static uint32_t count_begun(virtual_executor *executor, uint64_t what) {
    for (size_t i = 0; i < executor->begun.count; i++)
        if (executor->begun.items[i].what == what) return executor->begun.items[i].times++;
    *weir_vector_push(&executor->begun) = (struct begun){what, 1};
    return 0;
}

static course course_of(const virtual_executor *executor, const weir_task_spec *spec, uint64_t what,
                        uint32_t before) {
    uint64_t chance = what;
    uint32_t spare = spec->attempts_max ? spec->attempts_max - 1 : 0;
    bool beats = spec->heartbeat_us && (spec->members <= 1 || spare);
    /* A silent member costs the gang a try when another one fails. */
    if (spec->members > 1 && beats) spare--;
    uint32_t fails = (uint32_t)chance_draw(&chance, spare + 1u);
    uint32_t hangs = (uint32_t)chance_draw(&chance, spare - fails + 1u);
    uint32_t silent = (uint32_t)chance_draw(&chance, 2);
    bool service = spec->kind == WEIR_TASK_SERVICE, breaks = chance_draw(&chance, 2);
    bool hopeless = chance_draw(&chance, 6) == 0 && executor->may_fail;
    course end = (course)(COURSE_FAIL + chance_draw(&chance, spec->timeout_us ? 3 : 2));
    if (!spec->timeout_us) hangs = 0;
    if (!beats) silent = 0;
    if (before < silent) return COURSE_SILENT;
    if (before < silent + hangs) return COURSE_HANG;
    if (before < silent + hangs + fails) return service && breaks ? COURSE_BREAK : COURSE_FAIL;
    return hopeless ? end : COURSE_SUCCEED;
}

/* --- moments -------------------------------------------------------------------------------- */

static void happen(void *arg, uint64_t what);

static void add(virtual_executor *executor, size_t at, moment m, uint64_t in_us) {
    simulation_add(executor->sim, in_us, happen, executor, (uint64_t)at << 8 | m);
}

static weir_value *outputs_of(const virtual_attempt *a) {
    weir_value *outputs = weir_object_new();
    if (weir_str_is(a->attempt.spec->operation, "process.run")) {
        weir_member_put(outputs, "result",
                        weir_string_from((weir_str){&"0123456789"[a->what % 10], 1}));
        weir_member_put(outputs, "exit_code", weir_int_new(0));
    } else {
        weir_member_put(outputs, "value", weir_int_new((int64_t)(a->what % 10)));
    }
    return outputs;
}

static weir_outcome outcome_of(const virtual_attempt *a, weir_outcome_kind kind) {
    weir_outcome outcome = {.kind = kind};
    const weir_operation *code = a->attempt.spec->code;
    if (kind != WEIR_OUTCOME_SUCCEEDED)
        outcome = weir_outcome_failed(kind, "operation_failed", "said no");
    else if (code && code->run)
        weir_inline_attempt(&a->attempt, &outcome);
    else if (!a->stopping)
        outcome.outputs = outputs_of(a);
    if (kind == WEIR_OUTCOME_FAILED) weir_member_put(outcome.failure, "exit_code", weir_int_new(3));
    return outcome;
}

static void say(virtual_executor *executor, const virtual_attempt *a, weir_report_kind kind) {
    weir_report report = {.attempt = a->attempt.id, .kind = kind};
    if (kind == WEIR_REPORT_FINISHED) {
        report.outcome = outcome_of(a, a->ended);
    } else if (kind == WEIR_REPORT_METRIC) {
        report.data = weir_object_new();
        weir_member_put(report.data, "name", weir_string_from(WEIR_STR("rows")));
        weir_member_put(report.data, "value", weir_int_new(1));
        weir_member_put(report.data, "unit", weir_string_from(WEIR_STR("")));
    }
    executor->report(executor->arg, &report);
    weir_report_deinit(&report);
}

static void end(virtual_executor *executor, size_t at, weir_outcome_kind kind) {
    virtual_attempt *a = &executor->attempts.items[at];
    a->over = true;
    a->ended = kind;
    if (executor->sim->mixed && simulation_draw(executor->sim, 4) == 0)
        add(executor, at, MOMENT_AGAIN, simulation_draw(executor->sim, AGAIN_US_MAX));
    say(executor, a, WEIR_REPORT_FINISHED);
}

static void end_stopped(virtual_executor *executor, size_t at) {
    const virtual_attempt *a = &executor->attempts.items[at];
    bool service = a->attempt.spec->kind == WEIR_TASK_SERVICE;
    bool well = service || (executor->sim->mixed && simulation_draw(executor->sim, 4) == 0);
    end(executor, at, well ? WEIR_OUTCOME_SUCCEEDED : WEIR_OUTCOME_CANCELLED);
}

static void become_ready(virtual_executor *executor, size_t at) {
    const virtual_attempt *a = &executor->attempts.items[at];
    if (a->course == COURSE_BREAK) add(executor, at, MOMENT_END, a->duration_us);
    say(executor, a, WEIR_REPORT_READY);
}

static void go_on(virtual_executor *executor, size_t at, moment m) {
    const virtual_attempt *a = &executor->attempts.items[at];
    switch (m) {
    case MOMENT_STARTED: say(executor, a, WEIR_REPORT_STARTED); break;
    case MOMENT_METRIC: say(executor, a, WEIR_REPORT_METRIC); break;
    case MOMENT_HEARTBEAT:
        add(executor, at, MOMENT_HEARTBEAT, a->attempt.spec->heartbeat_us / 4);
        say(executor, a, WEIR_REPORT_HEARTBEAT);
        break;
    case MOMENT_READY: become_ready(executor, at); break;
    case MOMENT_LOST: say(executor, a, WEIR_REPORT_LOST); break; /* it may be alive all the same */
    case MOMENT_END:
        end(executor, at,
            a->course == COURSE_SUCCEED ? WEIR_OUTCOME_SUCCEEDED
            : a->course == COURSE_ERROR ? WEIR_OUTCOME_ERRORED
                                        : WEIR_OUTCOME_FAILED);
        break;
    case MOMENT_STOPPED: end_stopped(executor, at); break;
    case MOMENT_AGAIN: break;
    }
}

static void happen(void *arg, uint64_t what) {
    virtual_executor *executor = arg;
    size_t at = what >> 8;
    moment m = (moment)(what & 0xff);
    const virtual_attempt *a = &executor->attempts.items[at];
    if (m == MOMENT_AGAIN)
        say(executor, a, WEIR_REPORT_FINISHED);
    else if (!a->over)
        go_on(executor, at, m);
}

/* --- the outside's memory ------------------------------------------------------------------- */

/* What is told that an earlier attempt was lost ends it, as the process executor does. */
static void check_start(virtual_executor *executor, const virtual_attempt *a) {
    const weir_attempt_id *id = &a->attempt.id;
    bool alive = false;
    for (size_t i = 0; i < executor->attempts.count; i++) {
        virtual_attempt *other = &executor->attempts.items[i];
        const weir_attempt_id *known = &other->attempt.id;
        if (known->task != id->task || known->member != id->member) continue;
        alive |= !other->over;
        if (known->number >= id->number)
            simulation_problem(executor->sim, "task %u: attempt %u begins after attempt %u",
                               id->task, id->number, known->number);
        if (other->what != a->what)
            simulation_problem(executor->sim, "task %u: attempt %u is not what attempt %u was",
                               id->task, id->number, known->number);
        if (a->attempt.again && !other->over)
            add(executor, i, MOMENT_STOPPED, simulation_draw(executor->sim, KILL_US_MAX));
    }
    if (alive && !a->attempt.again)
        simulation_problem(executor->sim, "task %u: attempt %u is not told of an earlier one",
                           id->task, id->number);
}

/* --- start and stop ------------------------------------------------------------------------- */

static void plan_moments(virtual_executor *executor, size_t at) {
    const virtual_attempt *a = &executor->attempts.items[at];
    const weir_task_spec *spec = a->attempt.spec;
    uint64_t chance = a->what, started = 100 + chance_draw(&chance, STARTED_US_MAX);
    uint64_t end = started + a->duration_us;
    bool service = spec->kind == WEIR_TASK_SERVICE;
    if (a->course != COURSE_SILENT || chance_draw(&chance, 2))
        add(executor, at, MOMENT_STARTED, started);
    if (chance_draw(&chance, 4) == 0)
        add(executor, at, MOMENT_METRIC, started + chance_draw(&chance, a->duration_us));
    if (spec->heartbeat_us && a->course != COURSE_SILENT)
        add(executor, at, MOMENT_HEARTBEAT, started + spec->heartbeat_us / 4);
    if (executor->sim->mixed && simulation_draw(executor->sim, 8) == 0)
        add(executor, at, MOMENT_LOST, simulation_draw(executor->sim, 2 * a->duration_us));
    if (a->course == COURSE_HANG || a->course == COURSE_SILENT) return;
    if (a->course == COURSE_BREAK || (service && a->course == COURSE_SUCCEED))
        add(executor, at, MOMENT_READY, end);
    else
        add(executor, at, MOMENT_END, end);
}

void virtual_executor_start(virtual_executor *executor, const weir_attempt *attempt) {
    virtual_attempt a = {.attempt = weir_attempt_hold(attempt), .what = hash_of(executor, attempt)};
    check_start(executor, &a);
    uint64_t chance = a.what;
    a.duration_us = 200 + chance_draw(&chance, DURATION_US_MAX);
    a.course = course_of(executor, attempt->spec, a.what, count_begun(executor, a.what));
    simulation_trace(executor->sim, "start task %u attempt %u member %u: course %d",
                     attempt->id.task, attempt->id.number, attempt->id.member, a.course);
    *weir_vector_push(&executor->attempts) = a;
    plan_moments(executor, executor->attempts.count - 1);
}

/* A kill means earlier attempts too, which an engine that died may have left behind. */
static bool is_meant(const weir_attempt_id *attempt, const weir_attempt_id *id, weir_stop how) {
    return weir_attempt_equal(attempt, id) ||
           (how == WEIR_STOP_KILL && attempt->task == id->task && attempt->number < id->number);
}

void virtual_executor_stop(virtual_executor *executor, const weir_attempt_id *id, weir_stop how) {
    for (size_t i = 0; i < executor->attempts.count; i++) {
        virtual_attempt *a = &executor->attempts.items[i];
        if (a->over || !is_meant(&a->attempt.id, id, how)) continue;
        if (a->stopping && how != WEIR_STOP_KILL) continue;
        a->stopping = true;
        uint64_t within_us = how == WEIR_STOP_KILL ? KILL_US_MAX : STOP_US_MAX;
        add(executor, i, MOMENT_STOPPED, simulation_draw(executor->sim, within_us));
    }
}

void virtual_executor_expect_idle(const virtual_executor *executor) {
    for (size_t i = 0; i < executor->attempts.count; i++) {
        const virtual_attempt *a = &executor->attempts.items[i];
        if (!a->over)
            simulation_problem(executor->sim, "task %u: attempt %u outlives its run",
                               a->attempt.id.task, a->attempt.id.number);
    }
}

void virtual_executor_orphan(virtual_executor *executor) {
    for (size_t i = 0; i < executor->attempts.count; i++) {
        virtual_attempt *a = &executor->attempts.items[i];
        if (!a->over && simulation_draw(executor->sim, 2)) a->over = true;
    }
}

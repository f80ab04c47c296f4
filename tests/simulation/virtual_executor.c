#include "virtual_executor.h"

#include "base/map.h"
#include "canonical.h"
#include "data/json.h"
#include "executor/inline.h"
#include "operations.h"

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
    MOMENT_YIELD,
    MOMENT_LOST,
    MOMENT_END,
    MOMENT_STOPPED,
    MOMENT_AGAIN
} moment;

static void drop(virtual_attempt *a) {
    weir_attempt_drop(&a->attempt);
    weir_value_unref(a->sets);
    weir_value_unref(a->locks);
}

void virtual_executor_deinit(virtual_executor *executor) {
    for (size_t i = 0; i < executor->attempts.count; i++) drop(&executor->attempts.items[i]);
    weir_vector_deinit(&executor->attempts);
    weir_vector_deinit(&executor->begun);
    virtual_repository_deinit(&executor->repository);
}

/* --- what it is, and how it goes ------------------------------------------------------------ */

uint64_t virtual_identity(uint64_t seed, weir_str name, const weir_value *parameters,
                          const weir_value *config, uint32_t member) {
    weir_buffer text = {0};
    weir_buffer_str_append(&text, name);
    canonical_value(parameters, &text);
    canonical_value(config, &text);
    weir_buffer_printf(&text, "/%u", member);
    uint64_t state = seed ^ weir_hash(text.data, text.length);
    weir_buffer_deinit(&text);
    return chance_next(&state);
}

bool virtual_is_hopeless(uint64_t identity, bool may_fail) {
    uint64_t chance = identity + 1;
    return may_fail && chance_draw(&chance, 6) == 0;
}

uint32_t virtual_sets_before_failing(uint64_t identity, uint32_t sets) {
    uint64_t chance = identity + 2;
    return (uint32_t)chance_draw(&chance, sets + 1u);
}

/* How often the same began before. */
static uint32_t count_begun(virtual_executor *executor, uint64_t what) {
    for (size_t i = 0; i < executor->begun.count; i++)
        if (executor->begun.items[i].what == what) return executor->begun.items[i].times++;
    *weir_vector_push(&executor->begun) = (struct begun){what, 1};
    return 0;
}

/* Each try of the task is an own one, by its number: one of two fails. */
static bool is_fated(const virtual_attempt *a) {
    const weir_value *command = weir_member_named(a->attempt.config, "command");
    return weir_is(command, WEIR_ARRAY) && weir_value_count(command) > 1 &&
           weir_str_is(weir_string_get(weir_array_at(command, 1)), "fate") && a->what >> 30 & 1;
}

static course course_of(const virtual_executor *executor, const weir_task_spec *spec,
                        virtual_attempt *a, uint32_t before) {
    uint64_t chance = a->what;
    uint32_t spare = spec->attempts_max ? spec->attempts_max - 1 : 0;
    bool beats = spec->heartbeat_us && (spec->members <= 1 || spare);
    /* A silent member costs the gang a try when another one fails. */
    if (spec->members > 1 && beats) spare--;
    uint32_t fails = (uint32_t)chance_draw(&chance, spare + 1u);
    uint32_t hangs = (uint32_t)chance_draw(&chance, spare - fails + 1u);
    uint32_t silent = (uint32_t)chance_draw(&chance, 2);
    bool service = spec->kind == WEIR_TASK_SERVICE, breaks = chance_draw(&chance, 2);
    bool hopeless = virtual_is_hopeless(a->what, executor->may_fail) || is_fated(a);
    course end = (course)(COURSE_FAIL + chance_draw(&chance, spec->timeout_us ? 3 : 2));
    if (!spec->timeout_us) hangs = 0;
    if (!beats) silent = 0;
    if (before < silent) return COURSE_SILENT;
    if (before < silent + hangs) return COURSE_HANG;
    if (before < silent + hangs + fails) return service && breaks ? COURSE_BREAK : COURSE_FAIL;
    a->last = true;
    return hopeless ? end : COURSE_SUCCEED;
}

/* --- moments -------------------------------------------------------------------------------- */

static void happen(void *arg, uint64_t what);

static void add(virtual_executor *executor, size_t at, moment m, uint64_t in_us) {
    simulation_add(executor->sim, in_us, happen, executor, (uint64_t)at << 8 | m);
}

static weir_value *outputs_of(const virtual_attempt *a) {
    if (a->sets) {
        size_t left = a->next < weir_value_count(a->sets);
        return left ? weir_value_ref(weir_array_at(a->sets, a->next)) : weir_object_new();
    }
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

static weir_outcome outcome_of(virtual_executor *executor, const virtual_attempt *a,
                               weir_outcome_kind kind) {
    weir_outcome outcome = {.kind = kind};
    const weir_operation *code = a->attempt.spec->code;
    if (kind != WEIR_OUTCOME_SUCCEEDED)
        outcome = weir_outcome_failed(kind, "operation_failed", "said no");
    else if (code && code->run)
        weir_inline_attempt(&a->attempt, &outcome);
    else if (!a->stopping)
        virtual_repository_keep(&executor->repository, &a->attempt, a->what,
                                outcome.outputs = outputs_of(a));
    if (kind == WEIR_OUTCOME_FAILED) weir_member_put(outcome.failure, "exit_code", weir_int_new(3));
    return outcome;
}

static void say(virtual_executor *executor, const virtual_attempt *a, weir_report_kind kind) {
    weir_report report = {.attempt = a->attempt.id, .kind = kind};
    if (kind == WEIR_REPORT_FINISHED) {
        report.outcome = outcome_of(executor, a, a->ended);
    } else if (kind == WEIR_REPORT_YIELDED) {
        report.data = weir_object_new();
        weir_member_put(report.data, "outputs", weir_value_ref(weir_array_at(a->sets, a->next)));
    } else if (kind == WEIR_REPORT_METRIC) {
        report.data = weir_object_new();
        weir_member_put(report.data, "name", weir_string_from(WEIR_STR("rows")));
        weir_member_put(report.data, "value", weir_int_new(1));
        weir_member_put(report.data, "unit", weir_string_from(WEIR_STR("")));
    }
    executor->report(a->starter, &report);
    weir_report_deinit(&report);
}

static void end(virtual_executor *executor, size_t at, weir_outcome_kind kind) {
    virtual_attempt *a = &executor->attempts.items[at];
    a->over = a->reported = true;
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

static void yield(virtual_executor *executor, size_t at) {
    virtual_attempt *a = &executor->attempts.items[at];
    if (a->next == a->until) return;
    say(executor, a, WEIR_REPORT_YIELDED);
    executor->attempts.items[at].next++;
}

static void go_on(virtual_executor *executor, size_t at, moment m) {
    const virtual_attempt *a = &executor->attempts.items[at];
    course how = a->course;
    switch (m) {
    case MOMENT_STARTED: say(executor, a, WEIR_REPORT_STARTED); break;
    case MOMENT_METRIC: say(executor, a, WEIR_REPORT_METRIC); break;
    case MOMENT_HEARTBEAT:
        add(executor, at, MOMENT_HEARTBEAT, a->attempt.spec->heartbeat_us / 4);
        say(executor, a, WEIR_REPORT_HEARTBEAT);
        break;
    case MOMENT_YIELD: yield(executor, at); break;
    case MOMENT_READY: become_ready(executor, at); break;
    case MOMENT_LOST: say(executor, a, WEIR_REPORT_LOST); break; /* it may be alive all the same */
    case MOMENT_END:
        while (executor->attempts.items[at].next < executor->attempts.items[at].until)
            yield(executor, at);
        end(executor, at,
            how == COURSE_SUCCEED ? WEIR_OUTCOME_SUCCEEDED
            : how == COURSE_ERROR ? WEIR_OUTCOME_ERRORED
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
    if (m == MOMENT_AGAIN && a->forgotten) return;
    if (m == MOMENT_AGAIN)
        say(executor, a, WEIR_REPORT_FINISHED);
    else if (!a->over)
        go_on(executor, at, m);
}

static bool names(const weir_value *locks, weir_str lock) {
    for (size_t i = 0; i < weir_value_count(locks); i++)
        if (weir_str_equal(weir_string_get(weir_array_at(locks, i)), lock)) return true;
    return false;
}

/* --- the outside's memory ------------------------------------------------------------------- */

/* What is told that an earlier attempt was lost ends it, as the process executor does. */
static void check_start(virtual_executor *executor, const virtual_attempt *a) {
    const weir_attempt_id *id = &a->attempt.id;
    bool alive = false;
    for (size_t i = 0; i < executor->attempts.count; i++) {
        virtual_attempt *other = &executor->attempts.items[i];
        const weir_attempt_id *known = &other->attempt.id;
        if (known->task != id->task || known->member != id->member || other->forgotten) continue;
        alive |= !other->over;
        other->superseded = true;
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

/* Whether the task is of the dataflow that the lock is of (1), of one within it (2), or of neither (0): names of locks
 * and of operations begin with the same. */
static int relate(const virtual_attempt *a, weir_str lock) {
    weir_str name = a->attempt.spec->name;
    size_t prefix = weir_str_find(lock, WEIR_STR(":"), 0);
    if (!weir_str_starts(name, weir_str_slice(lock, 0, prefix))) return 0;
    for (size_t i = prefix; i < name.length; i++)
        if (name.data[i] == 'i' || name.data[i] == 'j') return 2;
    return 1;
}

/* Two tasks with one lock are never under way together; but those of a dataflow that runs within share the locks that
 * the operation around them holds, and its result has that operation's locks: not those of what was forwarded to it. */
static void check_locks(virtual_executor *executor, const virtual_attempt *a) {
    if (names(executor->loose, a->attempt.spec->name)) return;
    for (size_t i = 0; i < executor->attempts.count && weir_value_count(a->locks); i++) {
        const virtual_attempt *other = &executor->attempts.items[i];
        bool counts = !other->over && !other->stopping && !other->superseded &&
                      other->attempt.id.task != a->attempt.id.task &&
                      !names(executor->loose, other->attempt.spec->name);
        for (size_t k = 0; counts && k < weir_value_count(a->locks); k++) {
            weir_str lock = weir_string_get(weir_array_at(a->locks, k));
            int one = relate(a, lock), two = relate(other, lock);
            if (one && two && one + two < 4 && names(other->locks, lock))
                simulation_problem(executor->sim, "task %u begins while task %u holds the lock %s",
                                   a->attempt.id.task, other->attempt.id.task, lock.data);
        }
    }
}

/* --- start and stop ------------------------------------------------------------------------- */

/* What chance an attempt's times come from: the same in every run, or not. */
static uint64_t chance_of_times(virtual_executor *executor, const virtual_attempt *a) {
    return executor->sim->shuffled ? chance_next(&executor->sim->chance) : a->what;
}

static void plan_moments(virtual_executor *executor, size_t at) {
    const virtual_attempt *a = &executor->attempts.items[at];
    const weir_task_spec *spec = a->attempt.spec;
    uint64_t chance = chance_of_times(executor, a);
    uint64_t started = 100 + chance_draw(&chance, STARTED_US_MAX), end = started + a->duration_us;
    bool service = spec->kind == WEIR_TASK_SERVICE;
    if (a->course != COURSE_SILENT || chance_draw(&chance, 2))
        add(executor, at, MOMENT_STARTED, started);
    if (chance_draw(&chance, 4) == 0)
        add(executor, at, MOMENT_METRIC, started + chance_draw(&chance, a->duration_us));
    if (spec->heartbeat_us && a->course != COURSE_SILENT)
        add(executor, at, MOMENT_HEARTBEAT, started + spec->heartbeat_us / 4);
    if (executor->sim->mixed && simulation_draw(executor->sim, 8) == 0)
        add(executor, at, MOMENT_LOST, simulation_draw(executor->sim, 2 * a->duration_us));
    for (uint32_t i = a->next; i < a->until; i++)
        add(executor, at, MOMENT_YIELD, started + chance_draw(&chance, a->duration_us));
    if (a->course == COURSE_HANG || a->course == COURSE_SILENT) return;
    if (a->course == COURSE_BREAK || (service && a->course == COURSE_SUCCEED))
        add(executor, at, MOMENT_READY, end);
    else
        add(executor, at, MOMENT_END, end);
}

/* Which sets this attempt of a generator yields. The last one may be given at the end instead. */
static void plan_sets(virtual_executor *executor, virtual_attempt *a) {
    const weir_operation *code = a->attempt.spec->code;
    a->sets = operations_sets(a->attempt.spec->operation, a->attempt.parameters, a->attempt.config);
    if (!code || !(code->hints & WEIR_GENERATOR)) return;
    uint32_t count = (uint32_t)weir_value_count(a->sets);
    bool hopeless = virtual_is_hopeless(a->what, executor->may_fail);
    uint32_t most = hopeless ? virtual_sets_before_failing(a->what, count)
                             : count - (count && a->what >> 20 & 1);
    a->next = executor->yielded(executor->arg, a->attempt.id.task);
    if (a->next > most)
        simulation_problem(executor->sim, "task %u: %u sets came, of %u", a->attempt.id.task,
                           a->next, most);
    bool whole = a->course == COURSE_SUCCEED || (hopeless && a->last);
    a->until = a->next >= most ? a->next
               : whole         ? most
                       : a->next + (uint32_t)simulation_draw(executor->sim, most - a->next + 1u);
}

void virtual_executor_start(virtual_executor *executor, const weir_attempt *attempt) {
    virtual_attempt a = {.attempt = weir_attempt_hold(attempt),
                         .starter = executor->starter,
                         .locks = weir_array_new(),
                         .what = virtual_identity(executor->seed, attempt->spec->name,
                                                  attempt->parameters, attempt->config,
                                                  attempt->id.member)};
    check_start(executor, &a);
    uint64_t chance = chance_of_times(executor, &a);
    a.duration_us = 200 + chance_draw(&chance, DURATION_US_MAX);
    a.course = course_of(executor, attempt->spec, &a, count_begun(executor, a.what));
    if (executor->computes) plan_sets(executor, &a);
    operations_add_locks(attempt->parameters, a.locks);
    check_locks(executor, &a);
    virtual_repository_check(&executor->repository, attempt);
    simulation_trace(executor->sim, "start task %u attempt %u member %u: course %d",
                     attempt->id.task, attempt->id.number, attempt->id.member, a.course);
    *weir_vector_push(&executor->attempts) = a;
    plan_moments(executor, executor->attempts.count - 1);
}

void virtual_executor_note(virtual_executor *executor, const weir_attempt *attempt) {
    *weir_vector_push(&executor->attempts) =
        (virtual_attempt){.attempt = weir_attempt_hold(attempt), .over = true};
}

static bool is_own(const virtual_executor *executor, const virtual_attempt *a,
                   const weir_attempt_id *id) {
    return !a->over && a->starter == executor->starter && weir_attempt_equal(&a->attempt.id, id);
}

/* As the process executor: a kill means earlier attempts too, and, when the engine has none of that name, all of the task:
 * one that died may have left them behind. */
static bool is_meant(const virtual_executor *executor, const virtual_attempt *a,
                     const weir_attempt_id *id, weir_stop how, bool own) {
    if (how != WEIR_STOP_KILL || a->attempt.id.task != id->task) return is_own(executor, a, id);
    return is_own(executor, a, id) || !own || a->attempt.id.number < id->number;
}

void virtual_executor_stop(virtual_executor *executor, const weir_attempt_id *id, weir_stop how) {
    bool own = false;
    for (size_t i = 0; i < executor->attempts.count && !own; i++)
        own = is_own(executor, &executor->attempts.items[i], id);
    for (size_t i = 0; i < executor->attempts.count; i++) {
        virtual_attempt *a = &executor->attempts.items[i];
        if (a->over || !is_meant(executor, a, id, how, own)) continue;
        if (a->stopping && how < WEIR_STOP_KILL) continue;
        a->stopping = true;
        uint64_t within_us = how >= WEIR_STOP_KILL ? KILL_US_MAX : STOP_US_MAX;
        add(executor, i, MOMENT_STOPPED, simulation_draw(executor->sim, within_us));
    }
}

static bool counts(const virtual_attempt *a, const journal *j) {
    return !a->superseded && !journal_is_undone(j, a->attempt.id.task);
}

/* Whether a task of now has the same parameters in another order. */
static bool came_otherwise(const virtual_executor *executor, const weir_attempt *kept,
                           const journal *j) {
    uint64_t parameters = canonical_hash(kept->parameters);
    for (size_t i = 0; i < executor->attempts.count; i++) {
        const weir_attempt *other = &executor->attempts.items[i].attempt;
        if (counts(&executor->attempts.items[i], j) && !journal_is_spare(j, other->id.task) &&
            weir_str_equal(other->spec->name, kept->spec->name) &&
            canonical_hash(other->parameters) == parameters &&
            !weir_value_equal(other->parameters, kept->parameters))
            return true;
    }
    return false;
}

void virtual_executor_list_tasks(const virtual_executor *executor, const journal *j,
                                 weir_buffer *out) {
    char **lines = weir_alloc((executor->attempts.count + 1) * sizeof *lines);
    size_t count = 0;
    for (size_t i = 0; i < executor->attempts.count; i++) {
        const weir_attempt *attempt = &executor->attempts.items[i].attempt;
        if (!counts(&executor->attempts.items[i], j)) continue;
        if (journal_is_spare(j, attempt->id.task) && came_otherwise(executor, attempt, j)) continue;
        weir_buffer line = {0};
        weir_buffer_printf(&line, "%.*s ", WEIR_ARG(attempt->spec->name));
        canonical_value(attempt->parameters, &line);
        lines[count++] = line.data;
    }
    canonical_lines(lines, count, out);
    for (size_t i = 0; i < count; i++) weir_free(lines[i]);
    weir_free(lines);
}

void virtual_executor_expect_idle(const virtual_executor *executor) {
    for (size_t i = 0; i < executor->attempts.count; i++) {
        const virtual_attempt *a = &executor->attempts.items[i];
        if (!a->over)
            simulation_problem(executor->sim, "task %u: attempt %u outlives its run",
                               a->attempt.id.task, a->attempt.id.number);
    }
}

void virtual_executor_orphan(virtual_executor *executor, const void *starter) {
    for (size_t i = 0; i < executor->attempts.count; i++) {
        virtual_attempt *a = &executor->attempts.items[i];
        if (!a->over && a->starter == starter && simulation_draw(executor->sim, 2)) a->over = true;
    }
}

void virtual_executor_forget(virtual_executor *executor,
                             bool (*knows)(void *arg, const weir_attempt_id *id), void *arg) {
    for (size_t i = 0; i < executor->attempts.count; i++) {
        virtual_attempt *a = &executor->attempts.items[i];
        a->over = true;
        if (knows(arg, &a->attempt.id)) continue;
        a->superseded = a->forgotten = true;
        a->reported = false;
    }
}

void virtual_executor_echo(virtual_executor *executor) {
    virtual_executor_echo_to(executor, executor->attempts.count, executor->report, NULL);
}

void virtual_executor_echo_to(virtual_executor *executor, size_t first,
                              void (*report)(void *arg, const weir_report *report), void *arg) {
    for (size_t i = 0; i < first; i++) {
        const virtual_attempt *a = &executor->attempts.items[i];
        if (!a->reported) continue;
        weir_report again = {.attempt = a->attempt.id, .kind = WEIR_REPORT_FINISHED};
        again.outcome = outcome_of(executor, a, a->ended);
        report(arg ? arg : a->starter, &again);
        weir_report_deinit(&again);
    }
}

void virtual_executor_lose(virtual_executor *executor) {
    simulation_trace(executor->sim, "the executor is lost");
    for (size_t i = 0; i < executor->attempts.count; i++) {
        const virtual_attempt *a = &executor->attempts.items[i];
        bool alive = !a->over;
        if (alive) say(executor, a, WEIR_REPORT_LOST);
        if (alive && simulation_draw(executor->sim, 2)) executor->attempts.items[i].over = true;
    }
}

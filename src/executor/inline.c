#include "executor/inline.h"

#include "base/time.h"
#include "executor/crowd.h"
#include "executor/host.h"
#include "task/registry.h"

enum {
    YIELDS_MAX = 64,               /* sets of a generator that are under way */
    KILLED_GRACE_US = 1000 * 1000, /* for a function that is to end now: nothing but itself can */
    GENERATORS_MAX = 1024          /* with threads of their own */
};

typedef struct inline_executor inline_executor;

/* An attempt that is under way: on the pool, or asynchronous. */
typedef struct work {
    inline_executor *executor;
    size_t place; /* among the executor's */
    weir_attempt attempt;
    weir_attempt_hooks hooks;
    weir_call *call;
    atomic_bool cancelled;
    bool succeeded;
    atomic_bool completed;
    atomic_uint yields; /* whose way back is still to come */
    bool over;
    weir_timer *killer; /* NULL: nobody told it to end */
    uint64_t told_us;   /* when it was told first; steady */
    bool given_up;      /* its outcome was said without it */
} work;

struct inline_executor {
    weir_executor base;
    weir_reporter gate;    /* what operations report to: passes on until the executor is closed */
    weir_reporter at_once; /* the same, for what ends within `start` */
    weir_reporter *reporter;
    atomic_bool closed;
    weir_loop *loop;
    weir_logs *logs;
    weir_crowd *crowd;
    WEIR_VECTOR(work *) works;
    size_t stopped_at;   /* works are stopped in the order of their start, mostly: where to look */
    uint32_t generators; /* that have threads of their own */
    bool *left;          /* set when it closes, and functions do not end */
};

static _Atomic(const char *) left_behind;

static void pass_on(weir_reporter *gate, const weir_report *report) {
    inline_executor *executor =
        (inline_executor *)(void *)((char *)gate - offsetof(inline_executor, gate));
    if (!atomic_load(&executor->closed)) {
        executor->reporter->report(executor->reporter, report);
        return;
    }
    weir_report dropped = *report;
    weir_report_deinit(&dropped);
}

static void pass_on_at_once(weir_reporter *at_once, const weir_report *report) {
    inline_executor *executor =
        (inline_executor *)(void *)((char *)at_once - offsetof(inline_executor, at_once));
    weir_report marked = *report;
    marked.at_once = true;
    executor->reporter->report(executor->reporter, &marked);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void free_work(work *w) {
    inline_executor *executor = w->executor;
    work *last = executor->works.items[--executor->works.count];
    executor->works.items[w->place] = last;
    last->place = w->place;
    weir_throttle_free(w->hooks.throttle);
    if (w->killer) weir_timer_close(w->killer);
    weir_attempt_drop(&w->attempt);
    weir_free(w);
}

static void end_work(void *arg) {
    work *w = arg;
    weir_outcome outcome;
    weir__call_end(w->call, w->succeeded, &outcome);
    if (w->given_up)
        weir_outcome_deinit(&outcome);
    else
        weir__report_finished(&w->executor->gate, &w->attempt, &outcome);
    w->over = true;
    if (!atomic_load(&w->yields)) free_work(w);
}

/* --- generators ------------------------------------------------------------------------------- */

static void let_on(void *arg) {
    work *w = arg;
    weir_throttle_give(w->hooks.throttle);
    bool last = atomic_fetch_sub(&w->yields, 1) == 1;
    if (last && w->over) free_work(w);
}

/* On the loop's thread, behind the report itself: the set is taken, the next may come unless the run is crowded. */
static void yield_taken(void *arg) {
    work *w = arg;
    weir_crowd_wait(w->executor->crowd, w->attempt.id.run, let_on, w);
}

static void yield(void *arg, weir_value *outputs) {
    work *w = arg;
    atomic_fetch_add(&w->yields, 1);
    weir__report_yielded(&w->executor->gate, &w->attempt, outputs);
    weir_loop_post(w->executor->loop, yield_taken, w);
}

/* --- ways to run ------------------------------------------------------------------------------ */

static void complete(void *arg, bool succeeded) {
    work *w = arg;
    bool again = atomic_exchange(&w->completed, true);
    weir_assert(!again); /* the operation ends its call once */
    w->succeeded = succeeded;
    weir_loop_post(w->executor->loop, end_work, w);
}

/* On a thread of the pool. */
static void run_work(void *arg) {
    work *w = arg;
    w->succeeded = weir__call_run(w->call);
}

static void start_asynchronous(work *w) {
    if (weir__call_run(w->call)) return;      /* `complete` ends it, or has */
    weir_assert(!atomic_load(&w->completed)); /* the operation says one or the other */
    w->succeeded = false;
    end_work(w);
}

static void end_generator(void *arg) {
    work *w = arg;
    w->executor->generators--;
    end_work(w);
}

/* A generator waits for those who take what it gives: they need the pool, so it must not. */
static void start_generator(work *w) {
    if (w->executor->generators == GENERATORS_MAX) {
        weir_pool_run(w->executor->loop, run_work, end_work, w);
        return;
    }
    w->executor->generators++;
    weir_thread_run(w->executor->loop, run_work, end_generator, w);
}

static void run_at_once(inline_executor *executor, const weir_attempt *attempt) {
    weir_attempt_hooks hooks = {.reporter = &executor->at_once, .logs = executor->logs};
    weir_outcome outcome;
    weir_call *call = weir__call_new(attempt, &hooks);
    bool succeeded = weir__call_run(call);
    weir__call_end(call, succeeded, &outcome);
    weir__report_finished(&executor->at_once, attempt, &outcome);
}

static void start(weir_executor *base, const weir_attempt *attempt) {
    inline_executor *executor = (inline_executor *)base;
    const weir_operation *code = attempt->spec->code;
    uint32_t hints = code && weir_operation_has_code(code) ? code->hints : WEIR_CHEAP;
    if (((hints & WEIR_CHEAP) || attempt->near) && !(hints & (WEIR_ASYNC | WEIR_GENERATOR))) {
        run_at_once(executor, attempt);
        return;
    }
    work *w = weir_alloc(sizeof *w);
    w->executor = executor;
    w->attempt = weir_attempt_hold(attempt);
    w->hooks = (weir_attempt_hooks){.reporter = &executor->gate,
                                    .logs = executor->logs,
                                    .cancelled = &w->cancelled,
                                    .yield = yield,
                                    .complete = complete,
                                    .arg = w};
    if (hints & WEIR_GENERATOR) w->hooks.throttle = weir_throttle_new(YIELDS_MAX);
    w->call = weir__call_new(&w->attempt, &w->hooks);
    w->place = executor->works.count;
    *weir_vector_push(&executor->works) = w;
    if (hints & WEIR_ASYNC)
        start_asynchronous(w);
    else if (hints & WEIR_GENERATOR)
        start_generator(w);
    else
        weir_pool_run(executor->loop, run_work, end_work, w);
}

static void cancel(work *w) {
    if (!atomic_exchange(&w->cancelled, true)) w->told_us = weir_clock_steady_us();
    if (w->hooks.throttle) weir_throttle_close(w->hooks.throttle);
}

/* It does not end: the run goes on, and what comes later is dropped. Its memory and its thread stay its own. */
static void give_up(void *arg) {
    work *w = arg;
    if (w->given_up || w->over) return;
    w->given_up = true;
    char text[24];
    weir_duration_format(weir_clock_steady_us() - w->told_us, text);
    weir_outcome outcome = weir_outcome_failed(WEIR_OUTCOME_CANCELLED, "cancelled",
                                               "did not end within %s of being told to", text);
    weir_value *failure = weir_value_own(outcome.failure);
    weir_buffer said = {0};
    weir_buffer_printf(&said, "%.*s did not end within %s of being told to, and is left behind",
                       WEIR_ARG(w->attempt.spec->operation), text);
    weir_member_put_text(failure, "operation", weir_buffer_str(&said));
    weir_buffer_deinit(&said);
    outcome.failure = failure;
    weir__report_finished(&w->executor->gate, &w->attempt, &outcome);
}

static void give_up_after(work *w, uint64_t grace_us) {
    if (!w->killer) w->killer = weir_timer_open(w->executor->loop, give_up, w);
    weir_timer_start(w->killer, grace_us);
}

/* Nothing ends a function but the function: all ways of stopping ask, and after a while do without it. */
static void stop(weir_executor *base, const weir_attempt_id *attempt, weir_stop how,
                 uint64_t grace_us) {
    inline_executor *executor = (inline_executor *)base;
    size_t count = executor->works.count;
    for (size_t i = 0; i < count; i++) {
        size_t at = (executor->stopped_at + i) % count;
        if (!weir_attempt_equal(&executor->works.items[at]->attempt.id, attempt)) continue;
        work *w = executor->works.items[at];
        bool asked = w->killer != NULL;
        cancel(w);
        if (how >= WEIR_STOP_KILL)
            give_up_after(w, KILLED_GRACE_US);
        else if (how == WEIR_STOP_TERM && !asked)
            give_up_after(w, grace_us);
        executor->stopped_at = at + 1;
        return;
    }
}

static void wake(void *arg) {
    (void)arg;
}

/* Waits for what may still end. */
static void wait_for_works(inline_executor *executor) {
    weir_timer *timer = weir_timer_open(executor->loop, wake, NULL);
    for (;;) {
        uint64_t now_us = weir_clock_steady_us(), until_us = 0;
        for (size_t i = 0; i < executor->works.count; i++) {
            const work *w = executor->works.items[i];
            uint64_t end_us = w->told_us + WEIR_GRACE_US;
            if (!w->given_up && end_us > until_us) until_us = end_us;
        }
        if (until_us <= now_us) break;
        weir_timer_start(timer, until_us - now_us);
        weir_loop_once(executor->loop, true);
    }
    weir_timer_close(timer);
}

/* Functions that do not end still use what is theirs: so all stays as it is. */
static void leave_behind(inline_executor *executor) {
    const work *w = executor->works.items[0];
    atomic_store(&left_behind, w->attempt.spec->code->name);
    if (executor->left) *executor->left = true;
}

static void close_executor(weir_executor *base) {
    inline_executor *executor = (inline_executor *)base;
    atomic_store(&executor->closed, true);
    for (size_t i = 0; i < executor->works.count; i++) {
        work *w = executor->works.items[i];
        cancel(w);
        if (w->killer) weir_timer_cancel(w->killer);
    }
    weir_crowd_dismiss(executor->crowd);
    wait_for_works(executor);
    if (executor->works.count) {
        leave_behind(executor);
        return;
    }
    weir_crowd_close(executor->crowd);
    weir_vector_deinit(&executor->works);
    weir_free(executor);
}

const char *weir_inline_left_behind(void) {
    return atomic_load(&left_behind);
}

weir_executor *weir_inline_open(weir_loop *loop, weir_reporter *reporter, weir_logs *logs) {
    static const weir_executor_class class = {
        .name = "inline", .start = start, .stop = stop, .close = close_executor};
    inline_executor *executor = weir_alloc(sizeof *executor);
    executor->base.class = &class;
    executor->gate.report = pass_on;
    executor->at_once.report = pass_on_at_once;
    executor->reporter = reporter;
    executor->loop = loop;
    executor->logs = logs;
    executor->crowd = weir_crowd_open(loop);
    return &executor->base;
}

void weir_inline_watch(weir_executor *base, bool (*crowded)(void *arg, const char *run),
                       void *arg) {
    weir_crowd_watch(((inline_executor *)base)->crowd, crowded, arg);
}

void weir_inline_leave(weir_executor *base, bool *left) {
    ((inline_executor *)base)->left = left;
}

/* Keeps metrics, drops the rest. */
typedef struct metrics_reporter {
    weir_reporter base; /* first */
    weir_value *metrics;
} metrics_reporter;

static void keep_metric(weir_reporter *base, const weir_report *report) {
    metrics_reporter *reporter = (metrics_reporter *)base;
    weir_report dropped = *report;
    if (report->kind == WEIR_REPORT_METRIC) {
        if (!reporter->metrics) reporter->metrics = weir_array_new();
        weir_array_append(reporter->metrics, weir_value_ref(report->data));
    }
    weir_report_deinit(&dropped);
}

void weir_inline_attempt(const weir_attempt *attempt, weir_outcome *outcome) {
    metrics_reporter reporter = {.base = {keep_metric}};
    weir_attempt_hooks hooks = {.reporter = &reporter.base};
    weir_call *call = weir__call_new(attempt, &hooks);
    bool succeeded = weir__call_run(call);
    weir__call_end(call, succeeded, outcome);
    weir_value_unref(outcome->usage);
    outcome->usage = NULL;
    if (!reporter.metrics) return;
    outcome->usage = weir_object_new();
    weir_member_put(outcome->usage, "metrics", reporter.metrics);
}

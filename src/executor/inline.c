#include "executor/inline.h"

#include "executor/host.h"

typedef struct inline_executor inline_executor;

/* An attempt on the pool. Its thread owns outcome and log while it runs. */
typedef struct work {
    inline_executor *executor;
    size_t place; /* among the executor's */
    weir_attempt attempt;
    weir_log *log;
    atomic_bool cancelled;
    weir_outcome outcome;
} work;

struct inline_executor {
    weir_executor base;
    weir_reporter gate; /* what operations report to: passes on until the executor is closed */
    weir_reporter *reporter;
    atomic_bool closed;
    weir_loop *loop;
    weir_logs *logs;
    WEIR_VECTOR(work *) works;
};

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

/* On a thread of the pool. */
static void run_work(void *arg) {
    work *w = arg;
    weir__host_run(&w->attempt, &w->executor->gate, w->log, &w->cancelled, &w->outcome);
}

static void work_done(void *arg) {
    work *w = arg;
    inline_executor *executor = w->executor;
    work *last = executor->works.items[--executor->works.count];
    executor->works.items[w->place] = last;
    last->place = w->place;
    weir_log_close(w->log);
    weir__report_finished(&executor->gate, &w->attempt, &w->outcome);
    weir_attempt_drop(&w->attempt);
    weir_free(w);
}

static void start(weir_executor *base, const weir_attempt *attempt) {
    inline_executor *executor = (inline_executor *)base;
    const weir_operation *code = attempt->spec->code;
    weir_log *log = executor->logs ? weir_log_open(executor->logs, &attempt->id) : NULL;
    if (!code || !code->run || (code->hints & WEIR_CHEAP)) {
        weir_outcome outcome = {0};
        weir__host_run(attempt, &executor->gate, log, NULL, &outcome);
        weir_log_close(log);
        weir__report_finished(&executor->gate, attempt, &outcome);
        return;
    }
    work *w = weir_alloc(sizeof *w);
    w->executor = executor;
    w->attempt = weir_attempt_hold(attempt);
    w->log = log;
    w->place = executor->works.count;
    *weir_vector_push(&executor->works) = w;
    weir_pool_run(executor->loop, run_work, work_done, w);
}

/* Nothing ends a function but the function: all ways of stopping ask. */
static void stop(weir_executor *base, const weir_attempt_id *attempt, weir_stop how,
                 uint64_t grace_us) {
    (void)how;
    (void)grace_us;
    inline_executor *executor = (inline_executor *)base;
    for (size_t i = 0; i < executor->works.count; i++) {
        work *w = executor->works.items[i];
        if (weir_attempt_equal(&w->attempt.id, attempt)) atomic_store(&w->cancelled, true);
    }
}

static void close_executor(weir_executor *base) {
    inline_executor *executor = (inline_executor *)base;
    atomic_store(&executor->closed, true);
    for (size_t i = 0; i < executor->works.count; i++)
        atomic_store(&executor->works.items[i]->cancelled, true);
    while (executor->works.count) weir_loop_once(executor->loop, true);
    weir_vector_deinit(&executor->works);
    weir_free(executor);
}

weir_executor *weir_inline_open(weir_loop *loop, weir_reporter *reporter, weir_logs *logs) {
    static const weir_executor_class class = {
        .name = "inline", .start = start, .stop = stop, .close = close_executor};
    inline_executor *executor = weir_alloc(sizeof *executor);
    executor->base.class = &class;
    executor->gate.report = pass_on;
    executor->reporter = reporter;
    executor->loop = loop;
    executor->logs = logs;
    return &executor->base;
}

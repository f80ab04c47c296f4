#include "executor/listing.h"

#include "data/json.h"
#include "executor/host.h"
#include "expr/expr.h"

typedef struct listing_executor {
    weir_executor base;
    weir_loop *loop;
    weir_reporter *reporter;
    weir_repository *repository;
    WEIR_VECTOR(struct work *) works;
    bool closed;
} listing_executor;

typedef struct work {
    listing_executor *executor;
    size_t place; /* among the executor's */
    weir_attempt attempt;
    bool stopped;
    weir_value *result; /* NULL: the error says why */
    weir_error error;
    bool wrong; /* an expression was, rather than the repository */
} work;

/* What the expression makes of the data, which is taken over; NULL and an error. */
static weir_value *transform(const work *w, weir_str text, weir_value *data, weir_error *error) {
    weir_expr *program = weir_expr_compile(text, NULL, error);
    weir_value *env = weir_object_new(), *result = NULL;
    weir_member_put(env, "data", data);
    weir_expr_world world = {
        .env = env, .now_ns = (int64_t)(w->attempt.now_us * 1000), .seed = w->attempt.seed};
    if (program) result = weir_expr_eval(program, &world, error);
    weir_expr_free(program);
    weir_value_unref(env);
    return result;
}

/* On a thread of the pool. */
static void list_keys(void *arg) {
    work *w = arg;
    const weir_value *source = weir_member_named(w->attempt.config, "source");
    const weir_value *list = weir_member_named(w->attempt.config, "transformation");
    weir_artifact_place place = {.bucket = weir_member_text(source, "bucket"),
                                 .key = weir_member_text(source, "key")};
    weir_value *data = NULL;
    if (!weir_repository_list(w->executor->repository, &place, &data, &w->error)) return;
    for (size_t i = 0; data && weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        const weir_value *text = weir_array_at(list, i);
        data = transform(w, weir_is(text, WEIR_STRING) ? weir_string_get(text) : WEIR_STR(""), data,
                         &w->error);
        w->wrong = !data;
    }
    w->result = data;
}

static weir_outcome failed(const work *w) {
    weir_outcome outcome = weir_outcome_failed(
        w->wrong ? WEIR_OUTCOME_FAILED : WEIR_OUTCOME_ERRORED, weir_code_text(w->error.code),
        "main: Error (exit code 64): %s", w->error.message);
    return outcome;
}

static weir_outcome outcome_of(work *w) {
    weir_buffer text = {0};
    weir_outcome outcome = {.kind = WEIR_OUTCOME_SUCCEEDED};
    if (w->stopped)
        return weir_outcome_failed(WEIR_OUTCOME_CANCELLED, "cancelled", "was told to end");
    if (!w->result) return failed(w);
    weir_json_format(w->result, 0, &text);
    if (text.length > WEIR_LISTING_BYTES_MAX) {
        weir_fail(&w->error, WEIR_LIMIT, "the result has %zu bytes, more than %d", text.length,
                  WEIR_LISTING_BYTES_MAX);
        outcome = failed(w);
    } else {
        outcome.outputs = weir_object_new();
        weir_member_put_text(outcome.outputs, "result", weir_buffer_str(&text));
        weir_member_put(outcome.outputs, "exit_code", weir_int_new(0));
    }
    weir_buffer_deinit(&text);
    return outcome;
}

static void end_work(void *arg) {
    work *w = arg;
    listing_executor *executor = w->executor;
    work *last = executor->works.items[--executor->works.count];
    executor->works.items[w->place] = last;
    last->place = w->place;
    if (!executor->closed) {
        weir_outcome outcome = outcome_of(w);
        weir__report_finished(executor->reporter, &w->attempt, &outcome);
    }
    weir_value_unref(w->result);
    weir_attempt_drop(&w->attempt);
    weir_free(w);
}

static void start(weir_executor *base, const weir_attempt *attempt) {
    listing_executor *executor = (listing_executor *)base;
    work *w = weir_alloc(sizeof *w);
    w->executor = executor;
    w->attempt = weir_attempt_hold(attempt);
    w->place = executor->works.count;
    *weir_vector_push(&executor->works) = w;
    weir__report_started(executor->reporter, attempt, 0);
    weir_pool_run(executor->loop, list_keys, end_work, w);
}

/* It ends soon by itself. */
static void stop(weir_executor *base, const weir_attempt_id *attempt, weir_stop how,
                 uint64_t grace_us) {
    listing_executor *executor = (listing_executor *)base;
    (void)how;
    (void)grace_us;
    for (size_t i = 0; i < executor->works.count; i++)
        if (weir_attempt_equal(&executor->works.items[i]->attempt.id, attempt))
            executor->works.items[i]->stopped = true;
}

static void close_executor(weir_executor *base) {
    listing_executor *executor = (listing_executor *)base;
    executor->closed = true;
    while (executor->works.count) weir_loop_once(executor->loop, true);
    weir_vector_deinit(&executor->works);
    weir_free(executor);
}

weir_executor *weir_listing_open(weir_loop *loop, weir_reporter *reporter,
                                 weir_repository *repository) {
    static const weir_executor_class class = {
        .name = "artifacts", .start = start, .stop = stop, .close = close_executor};
    listing_executor *executor = weir_alloc(sizeof *executor);
    executor->base.class = &class;
    executor->loop = loop;
    executor->reporter = reporter;
    executor->repository = repository;
    return &executor->base;
}

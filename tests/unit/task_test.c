/* The task layer, driven as a coordinator and a machine drive it. Whatever a test did is replayed at its end: a fresh
 * layer that only applies has the same states, and decides from every point of the journal what was decided there. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "data/json.h"
#include "task/coordinator.h"

enum { S = 1000000, START = 1000 * S };

/* What happened to the layer, in order. */
typedef struct step {
    enum { CREATED, STOPPED, APPLIED, DECIDED } kind;
    const weir_task_spec *spec;
    weir_task_id task;
    weir_stop how;
    weir_event event; /* APPLIED, DECIDED; `data` is held */
    weir_event_id prev;
} step;

typedef struct driver {
    weir_decisions decisions; /* first */
    weir_task_limits limits;
    weir_tasks *tasks;
    WEIR_VECTOR(step) steps;
    weir_buffer said; /* the decisions since the last `expect`, a line each */
    uint64_t sequence;
    bool replays; /* heartbeats are not journalled: a test with them turns this off */
} driver;

static driver d;

static void say(const weir_event *event, weir_buffer *out) {
    weir_buffer_printf(out, "%s %" PRIu64, weir_event_text(event->type), event->subject);
    if (event->number) weir_buffer_printf(out, "/%" PRIu32, event->number);
    const weir_value *due = weir_member_named(event->data, "due_us"),
                     *how = weir_member_named(event->data, "how");
    static const char *const words[] = {"outcome", "why", "reason"};
    for (size_t i = 0; i < 3; i++)
        if (weir_member_named(event->data, words[i]))
            weir_buffer_printf(out, " %s", weir_member_text(event->data, words[i]).data);
    if (how)
        weir_buffer_printf(out, " %s",
                           (const char *[]){"drain", "term", "kill"}[weir_int_get(how)]);
    if (due)
        weir_buffer_printf(out, " +%g", (double)(weir_int_get(due) - (int64_t)event->time_us) / S);
    weir_buffer_byte(out, '\n');
}

static void keep(step s) {
    weir_value_ref(s.event.data);
    if (s.event.prev_count) s.prev = s.event.prev[0];
    s.event.prev = NULL;
    *weir_vector_push(&d.steps) = s;
}

static void emit(weir_decisions *decisions, weir_event *event) {
    assert_ptr_equal(decisions, &d.decisions);
    event->id.sequence = ++d.sequence;
    event->time_us = decisions->now_us;
    say(event, &d.said);
    keep((step){.kind = DECIDED, .event = *event});
    weir_tasks_apply(d.tasks, event);
}

static void begin(weir_task_limits limits) {
    d.limits = limits;
    d.tasks = weir_tasks_new(&limits);
}

static int set_up(void **state) {
    (void)state;
    d = (driver){.decisions = {emit, START}, .sequence = 100, .replays = true};
    return 0;
}

static weir_task_id create(const weir_task_spec *spec) {
    keep((step){.kind = CREATED, .spec = spec});
    return weir_tasks_create(d.tasks, spec, 3, (weir_event_id){3, 100});
}

static void stop(weir_task_id task, weir_stop how) {
    keep((step){.kind = STOPPED, .task = task, .how = how});
    weir_tasks_stop(d.tasks, task, how);
}

static weir_value *parse(const char *json) {
    weir_value *value;
    assert_true(weir_json_parse(weir_str_from(json), WEIR_STR(""), &value, NULL));
    return value;
}

/* A fact: what an executor or an operator said. */
static void fact(weir_event_type type, weir_task_id task, uint32_t number, const char *data) {
    weir_event_id prev = weir_tasks_last_event(d.tasks, task);
    weir_event event = {.type = type,
                        .number = number,
                        .subject = task,
                        .id = {3, ++d.sequence},
                        .time_us = d.decisions.now_us,
                        .prev = &prev,
                        .prev_count = 1,
                        .data = data ? parse(data) : NULL};
    keep((step){.kind = APPLIED, .event = event});
    weir_tasks_apply(d.tasks, &event);
    weir_value_unref(event.data);
}

static const char succeeded[] = "{\"outcome\": \"succeeded\", \"outputs\": {\"x\": 1}}";
static const char failed[] =
    "{\"outcome\": \"failed\", \"failure\": {\"code\": \"operation_failed\", \"message\": \"no\", "
    "\"exit_code\": 7}}";

static void finish(weir_task_id task, uint32_t number, const char *outcome) {
    fact(WEIR_ATTEMPT_FINISHED, task, number, outcome);
}

static void lose(weir_task_id task, uint32_t number) {
    fact(WEIR_ATTEMPT_LOST, task, number, "{\"reason\": \"gone\"}");
}

/* Decides until nothing is left; these are the decisions. */
static void expect_(const char *said, int line) {
    size_t before;
    do {
        before = d.said.length;
        weir_tasks_decide(d.tasks, &d.decisions);
    } while (d.said.length > before);
    if (!weir_str_is(weir_buffer_str(&d.said), said)) print_message("at line %d:\n", line);
    assert_string_equal(weir_buffer_str(&d.said).data, said);
    weir_buffer_clear(&d.said);
}
#define expect(said) expect_(said, __LINE__)

static void at(uint64_t seconds) {
    d.decisions.now_us = START + seconds * S;
}

static void expect_due(uint64_t seconds) {
    assert_int_equal(weir_tasks_due_us(d.tasks), START + seconds * S);
}

static void expect_outcome(weir_task_id task, weir_outcome_kind kind, const char *code) {
    const weir_outcome *outcome = weir_tasks_outcome(d.tasks, task);
    assert_int_equal(outcome->kind, kind);
    assert_int_equal(outcome->failure == NULL, code == NULL);
    if (code) assert_string_equal(weir_member_text(outcome->failure, "code").data, code);
}

static bool expected(weir_task_id task, uint32_t number, uint32_t member) {
    return weir_tasks_expects(d.tasks, &(weir_attempt_id){"", task, number, member});
}

/* --- replay --- */

typedef struct replayed {
    weir_decisions decisions; /* first */
    weir_tasks *tasks;
    uint64_t sequence;
    const step *wanted; /* NULL: nothing is to be decided */
    bool found;
} replayed;

static void emit_again(weir_decisions *decisions, weir_event *event) {
    replayed *r = (replayed *)decisions;
    weir_buffer line = {0};
    say(event, &line);
    if (!r->wanted) print_message("decided again: %s", line.data);
    assert_non_null(r->wanted);
    const weir_event *wanted = &r->wanted->event;
    event->time_us = decisions->now_us;
    event->id.sequence = ++r->sequence;
    /* Which of the waiting tasks goes first may change: a replay has one that was lost at its old place. */
    r->found |= event->type == wanted->type &&
                (event->type == WEIR_ATTEMPT_SCHEDULED ||
                 (event->subject == wanted->subject && event->number == wanted->number));
    weir_buffer_deinit(&line);
    weir_tasks_apply(r->tasks, event);
}

static void redo(weir_tasks *tasks, size_t steps) {
    for (size_t i = 0; i < steps; i++) {
        step *s = &d.steps.items[i];
        if (s->kind == CREATED)
            weir_tasks_create(tasks, s->spec, 3, (weir_event_id){3, 100});
        else if (s->kind == STOPPED)
            weir_tasks_stop(tasks, s->task, s->how);
        else
            weir_tasks_apply(tasks, &s->event);
    }
}

/* The state after all steps, without a decision. */
static void replay_all(void) {
    replayed r = {.decisions = {emit_again, d.decisions.now_us},
                  .tasks = weir_tasks_new(&d.limits)};
    redo(r.tasks, d.steps.count);
    assert_int_equal(weir_tasks_count(r.tasks), weir_tasks_count(d.tasks));
    assert_int_equal(weir_tasks_open(r.tasks), weir_tasks_open(d.tasks));
    for (weir_task_id id = 0; id < weir_tasks_count(d.tasks); id++) {
        assert_int_equal(weir_tasks_state(r.tasks, id), weir_tasks_state(d.tasks, id));
        assert_int_equal(weir_tasks_attempt(r.tasks, id), weir_tasks_attempt(d.tasks, id));
        weir_value *a = weir_outcome_to_value(weir_tasks_outcome(r.tasks, id));
        weir_value *b = weir_outcome_to_value(weir_tasks_outcome(d.tasks, id));
        assert_true(weir_value_equal(a, b));
        weir_value_unref(a);
        weir_value_unref(b);
    }
    weir_tasks_decide(r.tasks, &r.decisions);
    weir_tasks_free(r.tasks);
}

/* A batch may end anywhere: what was decided next is decided after a replay up to there, too. */
static void replay_prefix(size_t count) {
    const step *next = &d.steps.items[count];
    replayed r = {.decisions = {emit_again, next->event.time_us},
                  .tasks = weir_tasks_new(&d.limits),
                  .sequence = next->event.id.sequence - 1,
                  .wanted = next};
    redo(r.tasks, count);
    weir_tasks_decide(r.tasks, &r.decisions);
    weir_buffer line = {0};
    say(&next->event, &line);
    if (!r.found) print_message("not decided after %zu steps: %s", count, line.data);
    assert_true(r.found);
    weir_buffer_deinit(&line);
    weir_tasks_free(r.tasks);
}

static int tear_down(void **state) {
    (void)state;
    expect("");
    if (d.replays) replay_all();
    for (size_t i = 0; d.replays && i < d.steps.count; i++)
        if (d.steps.items[i].kind == DECIDED) replay_prefix(i);
    for (size_t i = 0; i < d.steps.count; i++) weir_value_unref(d.steps.items[i].event.data);
    weir_vector_deinit(&d.steps);
    weir_buffer_deinit(&d.said);
    weir_tasks_free(d.tasks);
    return 0;
}

/* --- one attempt --- */

static const weir_task_spec work = {.kind = WEIR_TASK_WORK};
static const weir_task_spec slot = {.kind = WEIR_TASK_WORK, .slot = true};

static void work_is_scheduled_and_judged(void **state) {
    (void)state;
    begin((weir_task_limits){0});
    weir_task_id task = create(&work);
    assert_int_equal(task, 0);
    assert_int_equal(weir_tasks_state(d.tasks, task), WEIR_STATE_READY);
    assert_int_equal(weir_tasks_attempt(d.tasks, task), 0);
    assert_int_equal(weir_tasks_context(d.tasks, task), 3);
    assert_ptr_equal(weir_tasks_spec(d.tasks, task), &work);
    expect("attempt.scheduled 0/1\n");
    step *scheduled = &d.steps.items[d.steps.count - 1];
    assert_int_equal(scheduled->event.id.context, 3);
    assert_int_equal(scheduled->prev.context, 3);
    assert_int_equal(scheduled->prev.sequence, 100);
    assert_int_equal(weir_tasks_state(d.tasks, task), WEIR_STATE_RUNNING);
    assert_int_equal(weir_tasks_due_us(d.tasks), UINT64_MAX);
    fact(WEIR_ATTEMPT_STARTED, task, 1, "{\"host\": \"here\"}");
    fact(WEIR_ATTEMPT_METRIC, task, 1, "{\"name\": \"rows\", \"value\": 1, \"unit\": \"\"}");
    expect("");
    assert_int_equal(weir_tasks_state(d.tasks, task), WEIR_STATE_RUNNING);
    finish(task, 1, succeeded);
    assert_int_equal(weir_tasks_state(d.tasks, task), WEIR_STATE_JUDGED);
    assert_int_equal(weir_tasks_open(d.tasks), 1);
    expect("task.finished 0\n");
    assert_int_equal(weir_tasks_last_event(d.tasks, task).sequence, d.sequence);
    assert_int_equal(weir_tasks_state(d.tasks, task), WEIR_STATE_FINISHED);
    assert_int_equal(weir_tasks_open(d.tasks), 0);
    expect_outcome(task, WEIR_OUTCOME_SUCCEEDED, NULL);
    const weir_value *outputs = weir_tasks_outcome(d.tasks, task)->outputs;
    assert_int_equal(weir_int_get(weir_member_named(outputs, "x")), 1);
}

static void a_released_task_keeps_its_kind(void **state) {
    (void)state;
    begin((weir_task_limits){0});
    weir_task_id task = create(&work);
    expect("attempt.scheduled 0/1\n");
    finish(task, 1, failed);
    expect("task.finished 0\n");
    expect_outcome(task, WEIR_OUTCOME_FAILED, "operation_failed");
    weir_tasks_release(d.tasks, task);
    expect_outcome(task, WEIR_OUTCOME_FAILED, NULL);
    d.replays = false; /* a release is the coordinator's own, and not among the steps */
}

static void an_attempt_is_described(void **state) {
    (void)state;
    static const weir_task_spec gang = {.kind = WEIR_TASK_WORK, .members = 2, .timeout_us = 5 * S};
    begin((weir_task_limits){0});
    weir_task_id task = create(&gang);
    expect("attempt.scheduled 0/1\n");
    weir_attempt attempt = {0};
    weir_tasks_describe_attempt(d.tasks, task, &attempt);
    assert_int_equal(attempt.id.task, 0);
    assert_int_equal(attempt.id.number, 1);
    assert_int_equal(attempt.members, 2);
    assert_ptr_equal(attempt.spec, &gang);
    assert_false(attempt.again);
    assert_int_equal(attempt.deadline_us, START + 5 * S);
    at(1);
    lose(task, 1);
    expect("attempt.scheduled 0/2\n");
    weir_tasks_describe_attempt(d.tasks, task, &attempt);
    assert_int_equal(attempt.id.number, 2);
    assert_true(attempt.again);
    assert_int_equal(attempt.deadline_us, START + 6 * S);
}

static void late_reports_are_refused(void **state) {
    (void)state;
    static const weir_task_spec gang = {.kind = WEIR_TASK_WORK, .members = 2, .attempts_max = 2};
    begin((weir_task_limits){0});
    weir_task_id task = create(&gang);
    assert_false(expected(task, 0, 0));
    assert_false(expected(task, 1, 0));
    expect("attempt.scheduled 0/1\n");
    assert_true(expected(task, 1, 0));
    assert_true(expected(task, 1, 1));
    assert_false(expected(task, 1, 2));
    assert_false(expected(task, 2, 0));
    assert_false(expected(task + 1, 1, 0));
    finish(task, 1, "{\"outcome\": \"succeeded\", \"member\": 1}");
    assert_true(expected(task, 1, 0));
    assert_false(expected(task, 1, 1));
    lose(task, 1);
    assert_false(expected(task, 1, 0));
    expect("attempt.scheduled 0/2\n");
    assert_false(expected(task, 1, 0));
    assert_true(expected(task, 2, 0));
    assert_true(expected(task, 2, 1));
    stop(task, WEIR_STOP_TERM);
    expect("attempt.stopping 0/2 cancelled term\n");
    assert_true(expected(task, 2, 0));
    finish(task, 2, "{\"outcome\": \"failed\", \"member\": 1}");
    finish(task, 2, failed);
    assert_false(expected(task, 2, 0));
    expect("task.finished 0\n");
    assert_false(expected(task, 2, 0));
}

/* --- limits --- */

static void slots_are_given_first_come_first_served(void **state) {
    (void)state;
    begin((weir_task_limits){.attempts = 2});
    for (int i = 0; i < 5; i++) create(&slot);
    weir_task_id free = create(&work);
    expect("attempt.scheduled 5/1\nattempt.scheduled 0/1\nattempt.scheduled 1/1\n");
    assert_int_equal(free, 5);
    finish(1, 1, succeeded);
    expect("task.finished 1\nattempt.scheduled 2/1\n");
    lose(0, 1); /* goes to the end of the queue */
    expect("attempt.scheduled 3/1\n");
    finish(2, 1, failed);
    finish(3, 1, succeeded);
    expect("task.finished 2\ntask.finished 3\nattempt.scheduled 4/1\nattempt.scheduled 0/2\n");
    finish(free, 1, succeeded);
    finish(0, 2, succeeded);
    finish(4, 1, succeeded);
    expect("task.finished 5\ntask.finished 0\ntask.finished 4\n");
    assert_int_equal(weir_tasks_open(d.tasks), 0);
}

static void cpu_and_memory_are_shared(void **state) {
    (void)state;
    static const weir_task_spec half = {
        .slot = true, .kind = WEIR_TASK_WORK, .resources = {.cpu_milli = 500, .memory_bytes = 10}};
    static const weir_task_spec fat = {
        .slot = true, .kind = WEIR_TASK_WORK, .resources = {.cpu_milli = 1, .memory_bytes = 95}};
    begin((weir_task_limits){.cpu_milli = 1000, .memory_bytes = 100});
    for (int i = 0; i < 3; i++) create(&half);
    create(&fat);
    create(&slot); /* wants nothing of what the others wait for */
    expect("attempt.scheduled 0/1\nattempt.scheduled 1/1\nattempt.scheduled 4/1\n");
    finish(0, 1, succeeded);
    expect("task.finished 0\nattempt.scheduled 2/1\n");
    finish(1, 1, succeeded);
    expect("task.finished 1\n");
    finish(2, 1, succeeded);
    expect("task.finished 2\nattempt.scheduled 3/1\n");
}

static void a_request_above_the_limit_is_cut(void **state) {
    (void)state;
    static const weir_task_spec huge = {
        .slot = true,
        .kind = WEIR_TASK_WORK,
        .members = 9,
        .resources = {.cpu_milli = 64000, .memory_bytes = UINT64_MAX}};
    begin((weir_task_limits){.cpu_milli = 1000, .memory_bytes = 100, .attempts = 2});
    create(&huge);
    create(&slot);
    expect("attempt.scheduled 0/1\n");
    char outcome[64];
    for (int i = 0; i < 9; i++) {
        snprintf(outcome, sizeof outcome, "{\"outcome\": \"succeeded\", \"member\": %d}", i);
        finish(0, 1, outcome);
    }
    expect("task.finished 0\nattempt.scheduled 1/1\n");
    finish(1, 1, succeeded);
    create(&huge);
    expect("task.finished 1\nattempt.scheduled 2/1\n");
}

static void a_gang_takes_a_slot_for_each_member(void **state) {
    (void)state;
    static const weir_task_spec gang = {.slot = true, .kind = WEIR_TASK_WORK, .members = 2};
    begin((weir_task_limits){.attempts = 3});
    create(&gang);
    create(&gang);
    create(&slot);
    expect("attempt.scheduled 0/1\n");
    finish(0, 1, "{\"outcome\": \"succeeded\", \"member\": 1}");
    expect("");
    finish(0, 1, succeeded);
    expect("task.finished 0\nattempt.scheduled 1/1\nattempt.scheduled 2/1\n");
}

/* --- retries --- */

static void retries_wait_longer_each_time(void **state) {
    (void)state;
    static const weir_task_spec retried = {.kind = WEIR_TASK_WORK,
                                           .attempts_max = 5,
                                           .backoff_us = S,
                                           .backoff_factor = 2,
                                           .backoff_max_us = 3 * S};
    begin((weir_task_limits){0});
    create(&retried);
    expect("attempt.scheduled 0/1\n");
    finish(0, 1, failed);
    expect("task.retried 0/1 +1\n");
    assert_int_equal(weir_tasks_state(d.tasks, 0), WEIR_STATE_BACKOFF);
    expect_due(1);
    d.decisions.now_us += S - 1;
    expect("");
    at(1);
    expect("attempt.scheduled 0/2\n");
    finish(0, 2, "{\"outcome\": \"errored\"}");
    expect("task.retried 0/2 +2\n");
    at(3);
    expect("attempt.scheduled 0/3\n");
    finish(0, 3, failed);
    expect("task.retried 0/3 +3\n");
    at(6);
    expect("attempt.scheduled 0/4\n");
    finish(0, 4, failed);
    expect("task.retried 0/4 +3\n");
    expect_due(9);
    at(20);
    expect("attempt.scheduled 0/5\n");
    finish(0, 5, failed);
    expect("task.finished 0\n");
    expect_outcome(0, WEIR_OUTCOME_FAILED, "operation_failed");
    assert_int_equal(weir_tasks_attempt(d.tasks, 0), 5);
}

static void a_retry_may_succeed(void **state) {
    (void)state;
    static const weir_task_spec retried = {.kind = WEIR_TASK_WORK, .attempts_max = 3};
    begin((weir_task_limits){0});
    create(&retried);
    expect("attempt.scheduled 0/1\n");
    finish(0, 1, failed);
    expect("task.retried 0/1 +0\nattempt.scheduled 0/2\n");
    finish(0, 2, succeeded);
    expect("task.finished 0\n");
    expect_outcome(0, WEIR_OUTCOME_SUCCEEDED, NULL);
}

static void a_factor_below_one_is_one(void **state) {
    (void)state;
    static const weir_task_spec retried = {
        .kind = WEIR_TASK_WORK, .attempts_max = 3, .backoff_us = 2 * S, .backoff_factor = 0.1};
    begin((weir_task_limits){0});
    create(&retried);
    expect("attempt.scheduled 0/1\n");
    finish(0, 1, failed);
    expect("task.retried 0/1 +2\n");
    at(2);
    expect("attempt.scheduled 0/2\n");
    finish(0, 2, failed);
    expect("task.retried 0/2 +2\n");
}

static void one_try_when_nothing_is_said(void **state) {
    (void)state;
    static const weir_task_spec once = {.kind = WEIR_TASK_WORK, .attempts_max = 1};
    begin((weir_task_limits){0});
    create(&work);
    create(&once);
    expect("attempt.scheduled 0/1\nattempt.scheduled 1/1\n");
    finish(0, 1, failed);
    finish(1, 1, failed);
    expect("task.finished 0\ntask.finished 1\n");
}

static void a_retry_waits_for_its_slot(void **state) {
    (void)state;
    static const weir_task_spec retried = {
        .slot = true, .kind = WEIR_TASK_WORK, .attempts_max = 2, .backoff_us = S};
    begin((weir_task_limits){.attempts = 1});
    create(&retried);
    create(&slot);
    expect("attempt.scheduled 0/1\n");
    finish(0, 1, failed);
    expect("task.retried 0/1 +1\nattempt.scheduled 1/1\n");
    at(2);
    expect("");
    finish(1, 1, succeeded);
    expect("task.finished 1\nattempt.scheduled 0/2\n");
}

static void lost_attempts_use_up_no_retry(void **state) {
    (void)state;
    static const weir_task_spec retried = {.slot = true, .kind = WEIR_TASK_WORK, .attempts_max = 2};
    begin((weir_task_limits){.attempts = 1});
    create(&retried);
    expect("attempt.scheduled 0/1\n");
    lose(0, 1);
    assert_int_equal(weir_tasks_state(d.tasks, 0), WEIR_STATE_READY);
    expect("attempt.scheduled 0/2\n");
    finish(0, 2, failed);
    expect("task.retried 0/1 +0\nattempt.scheduled 0/3\n");
    lose(0, 3);
    expect("attempt.scheduled 0/4\n");
    lose(0, 4);
    expect("attempt.scheduled 0/5\n");
    finish(0, 5, failed);
    expect("task.finished 0\n");
    assert_int_equal(weir_tasks_attempt(d.tasks, 0), 5);
    create(&slot);
    expect("attempt.scheduled 1/1\n");
}

/* --- timeouts --- */

static void a_timeout_stops_the_attempt(void **state) {
    (void)state;
    static const weir_task_spec timed = {
        .slot = true, .kind = WEIR_TASK_WORK, .timeout_us = 5 * S, .attempts_max = 2};
    begin((weir_task_limits){.attempts = 1});
    create(&timed);
    create(&slot);
    expect("attempt.scheduled 0/1\n");
    expect_due(5);
    d.decisions.now_us += 5 * S - 1;
    expect("");
    at(5);
    expect("attempt.stopping 0/1 expired term\n");
    assert_int_equal(weir_tasks_state(d.tasks, 0), WEIR_STATE_STOPPING);
    at(6);
    expect("");
    finish(0, 1, failed);
    expect_outcome(0, WEIR_OUTCOME_EXPIRED, "expired");
    const weir_value *failure = weir_tasks_outcome(d.tasks, 0)->failure;
    assert_int_equal(weir_int_get(weir_member_named(failure, "exit_code")), 7);
    assert_non_null(strstr(weir_member_text(failure, "message").data, "within its timeout of 5"));
    expect("task.retried 0/1 +0\nattempt.scheduled 1/1\n");
    finish(1, 1, succeeded);
    expect("task.finished 1\nattempt.scheduled 0/2\n");
    expect_due(11);
    at(11);
    expect("attempt.stopping 0/2 expired term\n");
    lose(0, 2);
    expect("task.finished 0\n");
    expect_outcome(0, WEIR_OUTCOME_EXPIRED, "expired");
}

static void an_end_in_time_is_no_timeout(void **state) {
    (void)state;
    static const weir_task_spec timed = {
        .kind = WEIR_TASK_WORK, .timeout_us = 5 * S, .attempts_max = 2, .backoff_us = 10 * S};
    begin((weir_task_limits){0});
    create(&timed);
    expect("attempt.scheduled 0/1\n");
    at(1);
    finish(0, 1, failed);
    expect("task.retried 0/1 +10\n");
    at(6); /* when the first attempt would have expired */
    expect("");
    at(11);
    expect("attempt.scheduled 0/2\n");
    at(12);
    finish(0, 2, succeeded);
    at(16);
    expect("task.finished 0\n");
    expect_outcome(0, WEIR_OUTCOME_SUCCEEDED, NULL);
}

static void silence_loses_an_attempt(void **state) {
    (void)state;
    static const weir_task_spec watched = {.kind = WEIR_TASK_WORK, .heartbeat_us = 10 * S};
    begin((weir_task_limits){0});
    d.replays = false;
    create(&watched);
    expect("attempt.scheduled 0/1\n");
    expect_due(10);
    at(8);
    weir_tasks_heartbeat(d.tasks, 0, d.decisions.now_us);
    at(10);
    expect("");
    expect_due(18);
    at(17);
    weir_tasks_heartbeat(d.tasks, 0, d.decisions.now_us);
    at(26);
    expect("");
    at(27);
    expect("attempt.lost 0/1 no sign of life\nattempt.scheduled 0/2\n");
    expect_due(37);
    at(28);
    finish(0, 2, succeeded);
    expect("task.finished 0\n");
    at(60);
    expect("");
}

static void silence_counts_from_each_attempt(void **state) {
    (void)state;
    static const weir_task_spec watched = {
        .kind = WEIR_TASK_WORK, .heartbeat_us = 10 * S, .attempts_max = 2, .backoff_us = 5 * S};
    begin((weir_task_limits){0});
    create(&watched);
    expect("attempt.scheduled 0/1\n");
    finish(0, 1, failed);
    expect("task.retried 0/1 +5\n");
    at(5);
    expect("attempt.scheduled 0/2\n");
    at(14);
    expect("");
    at(15);
    expect("attempt.lost 0/2 no sign of life\nattempt.scheduled 0/3\n");
    finish(0, 3, succeeded);
    expect("task.finished 0\n");
}

/* --- cancelling --- */

static const weir_task_spec retried3 = {
    .slot = true, .kind = WEIR_TASK_WORK, .attempts_max = 3, .backoff_us = 60 * S};

static void what_waits_is_cancelled(void **state) {
    (void)state;
    begin((weir_task_limits){.attempts = 1});
    create(&retried3);
    create(&retried3);
    expect("attempt.scheduled 0/1\n");
    stop(1, WEIR_STOP_TERM);
    expect("task.finished 1 cancelled\n");
    expect_outcome(1, WEIR_OUTCOME_CANCELLED, "cancelled");
    assert_int_equal(weir_tasks_attempt(d.tasks, 1), 0);
    finish(0, 1, failed);
    expect("task.retried 0/1 +60\n");
    stop(0, WEIR_STOP_KILL);
    expect("task.finished 0 cancelled\n");
    expect_outcome(0, WEIR_OUTCOME_CANCELLED, "cancelled");
    at(100);
    expect("");
    stop(0, WEIR_STOP_KILL);
    expect("");
    create(&slot);
    expect("attempt.scheduled 2/1\n");
}

static void what_runs_is_asked_then_ended(void **state) {
    (void)state;
    begin((weir_task_limits){.attempts = 1});
    create(&retried3);
    create(&slot);
    expect("attempt.scheduled 0/1\n");
    stop(0, WEIR_STOP_TERM);
    expect("attempt.stopping 0/1 cancelled term\n");
    stop(0, WEIR_STOP_TERM);
    expect("");
    stop(0, WEIR_STOP_KILL);
    expect("attempt.stopping 0/1 cancelled kill\n");
    stop(0, WEIR_STOP_TERM);
    stop(0, WEIR_STOP_KILL);
    expect("");
    finish(0, 1,
           "{\"outcome\": \"failed\", \"failure\": {\"code\": \"x\", \"message\": \"y\", "
           "\"signal\": 9}}");
    expect("task.finished 0\nattempt.scheduled 1/1\n");
    expect_outcome(0, WEIR_OUTCOME_CANCELLED, "cancelled");
    const weir_value *failure = weir_tasks_outcome(d.tasks, 0)->failure;
    assert_int_equal(weir_int_get(weir_member_named(failure, "signal")), 9);
}

static void a_success_stays_one_when_it_was_cancelled(void **state) {
    (void)state;
    begin((weir_task_limits){0});
    create(&retried3);
    create(&retried3);
    expect("attempt.scheduled 0/1\nattempt.scheduled 1/1\n");
    stop(0, WEIR_STOP_TERM);
    expect("attempt.stopping 0/1 cancelled term\n");
    finish(0, 1, succeeded);
    finish(1, 1, failed);
    stop(1, WEIR_STOP_TERM); /* it has ended, but nothing was decided: no further attempt */
    expect("task.finished 0\ntask.finished 1\n");
    expect_outcome(0, WEIR_OUTCOME_SUCCEEDED, NULL);
    expect_outcome(1, WEIR_OUTCOME_FAILED, "operation_failed");
}

static void a_lost_attempt_that_was_to_end_is_over(void **state) {
    (void)state;
    begin((weir_task_limits){0});
    create(&retried3);
    create(&retried3);
    expect("attempt.scheduled 0/1\nattempt.scheduled 1/1\n");
    stop(0, WEIR_STOP_TERM);
    expect("attempt.stopping 0/1 cancelled term\n");
    lose(0, 1);
    stop(1, WEIR_STOP_TERM); /* not even told so */
    lose(1, 1);
    expect("task.finished 0\ntask.finished 1\n");
    assert_int_equal(weir_tasks_outcome(d.tasks, 0)->kind, WEIR_OUTCOME_CANCELLED);
    assert_int_equal(weir_tasks_outcome(d.tasks, 1)->kind, WEIR_OUTCOME_CANCELLED);
}

static void everything_can_be_stopped(void **state) {
    (void)state;
    begin((weir_task_limits){.attempts = 1});
    create(&slot);
    create(&slot);
    create(&slot);
    create(&work);
    expect("attempt.scheduled 3/1\nattempt.scheduled 0/1\n");
    finish(3, 1, succeeded);
    expect("task.finished 3\n");
    for (weir_task_id id = 0; id < 4; id++)
        keep((step){.kind = STOPPED, .task = id, .how = WEIR_STOP_TERM});
    weir_tasks_stop_all(d.tasks, WEIR_STOP_TERM);
    expect("attempt.stopping 0/1 cancelled term\ntask.finished 1 cancelled\n"
           "task.finished 2 cancelled\n");
    finish(0, 1, failed);
    expect("task.finished 0\n");
    assert_int_equal(weir_tasks_open(d.tasks), 0);
}

/* --- gangs --- */

static const weir_task_spec gang3 = {
    .slot = true, .kind = WEIR_TASK_WORK, .members = 3, .attempts_max = 2};

static void member_0_gives_the_outputs(void **state) {
    (void)state;
    begin((weir_task_limits){0});
    create(&gang3);
    expect("attempt.scheduled 0/1\n");
    finish(0, 1, "{\"outcome\": \"succeeded\", \"outputs\": {\"x\": 2}, \"member\": 2}");
    finish(0, 1, succeeded);
    assert_int_equal(weir_tasks_state(d.tasks, 0), WEIR_STATE_RUNNING);
    expect("");
    finish(0, 1, "{\"outcome\": \"succeeded\", \"outputs\": {\"x\": 3}, \"member\": 1}");
    expect("task.finished 0\n");
    expect_outcome(0, WEIR_OUTCOME_SUCCEEDED, NULL);
    const weir_value *outputs = weir_tasks_outcome(d.tasks, 0)->outputs;
    assert_int_equal(weir_int_get(weir_member_named(outputs, "x")), 1);
}

static const char member1_failed[] = "{\"outcome\": \"failed\", \"member\": 1, \"failure\": "
                                     "{\"code\": \"first\", \"message\": \"no\"}}";
static const char member2_failed[] = "{\"outcome\": \"failed\", \"member\": 2, \"failure\": "
                                     "{\"code\": \"second\", \"message\": \"no\"}}";

static void the_first_failure_stops_the_rest(void **state) {
    (void)state;
    begin((weir_task_limits){0});
    create(&gang3);
    expect("attempt.scheduled 0/1\n");
    finish(0, 1, member1_failed);
    expect("attempt.stopping 0/1 cancelled term\n");
    finish(0, 1, succeeded);
    expect("");
    finish(0, 1, member2_failed);
    expect_outcome(0, WEIR_OUTCOME_FAILED, "first");
    expect("task.retried 0/1 +0\nattempt.scheduled 0/2\n");
    finish(0, 2, "{\"outcome\": \"succeeded\", \"member\": 1}");
    finish(0, 2, "{\"outcome\": \"succeeded\", \"member\": 2}");
    finish(0, 2, succeeded);
    expect("task.finished 0\n");
    expect_outcome(0, WEIR_OUTCOME_SUCCEEDED, NULL);
}

/* Facts may come several at a time: nobody wanted the task to end, so the gang's failure is a try like any other. */
static void members_that_fail_together_are_one_try(void **state) {
    (void)state;
    begin((weir_task_limits){0});
    create(&gang3);
    expect("attempt.scheduled 0/1\n");
    finish(0, 1, member1_failed);
    finish(0, 1, member2_failed);
    finish(0, 1, succeeded);
    expect_outcome(0, WEIR_OUTCOME_FAILED, "first");
    expect("task.retried 0/1 +0\nattempt.scheduled 0/2\n");
    finish(0, 2, member2_failed);
    finish(0, 2, member1_failed);
    finish(0, 2, succeeded);
    expect("task.finished 0\n");
    expect_outcome(0, WEIR_OUTCOME_FAILED, "second");
}

static void a_gang_that_failed_before_it_was_lost_is_not_cancelled(void **state) {
    (void)state;
    begin((weir_task_limits){0});
    create(&gang3);
    expect("attempt.scheduled 0/1\n");
    finish(0, 1, member1_failed);
    lose(0, 1);
    expect("attempt.scheduled 0/2\n");
    assert_int_equal(weir_tasks_state(d.tasks, 0), WEIR_STATE_RUNNING);
}

static void a_lost_gang_begins_anew(void **state) {
    (void)state;
    begin((weir_task_limits){.attempts = 3});
    create(&gang3);
    expect("attempt.scheduled 0/1\n");
    finish(0, 1, succeeded);
    lose(0, 1);
    expect("attempt.scheduled 0/2\n");
    finish(0, 2, "{\"outcome\": \"succeeded\", \"member\": 1}");
    finish(0, 2, "{\"outcome\": \"succeeded\", \"member\": 2}");
    expect("");
    finish(0, 2, "{\"outcome\": \"succeeded\", \"outputs\": {\"x\": 5}}");
    expect("task.finished 0\n");
    const weir_value *outputs = weir_tasks_outcome(d.tasks, 0)->outputs;
    assert_int_equal(weir_int_get(weir_member_named(outputs, "x")), 5);
    create(&gang3);
    expect("attempt.scheduled 1/1\n");
}

static void a_cancelled_gang_is_cancelled(void **state) {
    (void)state;
    begin((weir_task_limits){0});
    create(&gang3);
    expect("attempt.scheduled 0/1\n");
    stop(0, WEIR_STOP_TERM);
    expect("attempt.stopping 0/1 cancelled term\n");
    finish(0, 1, member1_failed);
    finish(0, 1, failed);
    finish(0, 1, member2_failed);
    expect("task.finished 0\n");
    expect_outcome(0, WEIR_OUTCOME_CANCELLED, "cancelled");
}

/* --- services --- */

static const weir_task_spec service = {.kind = WEIR_TASK_SERVICE, .attempts_max = 2};

static void a_drained_service_succeeds(void **state) {
    (void)state;
    begin((weir_task_limits){0});
    create(&service);
    expect("attempt.scheduled 0/1\n");
    fact(WEIR_ATTEMPT_READY, 0, 1, NULL);
    expect("");
    stop(0, WEIR_STOP_DRAIN);
    expect("attempt.stopping 0/1 drained drain\n");
    finish(0, 1, failed);
    expect("task.finished 0\n");
    expect_outcome(0, WEIR_OUTCOME_SUCCEEDED, NULL);
}

static void a_service_that_ends_by_itself_is_judged(void **state) {
    (void)state;
    begin((weir_task_limits){0});
    create(&service);
    expect("attempt.scheduled 0/1\n");
    finish(0, 1, failed);
    expect("task.retried 0/1 +0\nattempt.scheduled 0/2\n");
    finish(0, 2, failed);
    expect("task.finished 0\n");
    expect_outcome(0, WEIR_OUTCOME_FAILED, "operation_failed");
}

static void a_drained_service_may_be_lost(void **state) {
    (void)state;
    begin((weir_task_limits){0});
    create(&service);
    expect("attempt.scheduled 0/1\n");
    stop(0, WEIR_STOP_DRAIN);
    expect("attempt.stopping 0/1 drained drain\n");
    lose(0, 1);
    expect("task.finished 0\n");
    expect_outcome(0, WEIR_OUTCOME_SUCCEEDED, NULL);
}

/* What was made once it was ready; not what was there before, nor another service that it may need. */
static void what_relies_on_a_service_waits_until_it_is_ready_again(void **state) {
    (void)state;
    begin((weir_task_limits){0});
    create(&service);
    create(&slot);
    expect("attempt.scheduled 0/1\nattempt.scheduled 1/1\n");
    fact(WEIR_ATTEMPT_READY, 0, 1, NULL);
    create(&slot);
    expect("attempt.scheduled 2/1\n");
    lose(0, 1);
    lose(1, 1);
    lose(2, 1);
    create(&slot);
    expect("attempt.scheduled 0/2\nattempt.scheduled 1/2\n");
    lose(0, 2);
    expect("attempt.scheduled 0/3\n");
    fact(WEIR_ATTEMPT_READY, 0, 3, NULL);
    expect("attempt.scheduled 2/2\nattempt.scheduled 3/1\n");
}

static void nobody_waits_for_a_service_that_is_over(void **state) {
    (void)state;
    begin((weir_task_limits){0});
    create(&service);
    expect("attempt.scheduled 0/1\n");
    fact(WEIR_ATTEMPT_READY, 0, 1, NULL);
    create(&slot);
    finish(0, 1, failed);
    expect("task.retried 0/1 +0\nattempt.scheduled 0/2\n");
    finish(0, 2, failed);
    expect("task.finished 0\nattempt.scheduled 1/1\n");
}

/* --- what is under way --- */

static void list_attempt(void *arg, weir_task_id task, uint32_t number) {
    weir_buffer_printf(arg, "%" PRIu32 "/%" PRIu32 " ", task, number);
}

static void attempts_under_way_are_listed(void **state) {
    (void)state;
    begin((weir_task_limits){.attempts = 3});
    for (int i = 0; i < 5; i++) create(&slot);
    expect("attempt.scheduled 0/1\nattempt.scheduled 1/1\nattempt.scheduled 2/1\n");
    finish(0, 1, succeeded);
    lose(1, 1);
    expect("task.finished 0\nattempt.scheduled 3/1\nattempt.scheduled 4/1\n");
    stop(2, WEIR_STOP_TERM);
    expect("attempt.stopping 2/1 cancelled term\n");
    weir_buffer list = {0};
    weir_tasks_each_attempt(d.tasks, list_attempt, &list);
    assert_string_equal(list.data, "2/1 3/1 4/1 ");
    weir_buffer_deinit(&list);
}

#define DRIVEN(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        DRIVEN(work_is_scheduled_and_judged),
        DRIVEN(a_released_task_keeps_its_kind),
        DRIVEN(an_attempt_is_described),
        DRIVEN(late_reports_are_refused),
        DRIVEN(slots_are_given_first_come_first_served),
        DRIVEN(cpu_and_memory_are_shared),
        DRIVEN(a_request_above_the_limit_is_cut),
        DRIVEN(a_gang_takes_a_slot_for_each_member),
        DRIVEN(retries_wait_longer_each_time),
        DRIVEN(a_retry_may_succeed),
        DRIVEN(a_factor_below_one_is_one),
        DRIVEN(one_try_when_nothing_is_said),
        DRIVEN(a_retry_waits_for_its_slot),
        DRIVEN(lost_attempts_use_up_no_retry),
        DRIVEN(a_timeout_stops_the_attempt),
        DRIVEN(an_end_in_time_is_no_timeout),
        DRIVEN(silence_loses_an_attempt),
        DRIVEN(silence_counts_from_each_attempt),
        DRIVEN(what_waits_is_cancelled),
        DRIVEN(what_runs_is_asked_then_ended),
        DRIVEN(a_success_stays_one_when_it_was_cancelled),
        DRIVEN(a_lost_attempt_that_was_to_end_is_over),
        DRIVEN(everything_can_be_stopped),
        DRIVEN(member_0_gives_the_outputs),
        DRIVEN(the_first_failure_stops_the_rest),
        DRIVEN(members_that_fail_together_are_one_try),
        DRIVEN(a_gang_that_failed_before_it_was_lost_is_not_cancelled),
        DRIVEN(a_lost_gang_begins_anew),
        DRIVEN(a_cancelled_gang_is_cancelled),
        DRIVEN(a_drained_service_succeeds),
        DRIVEN(a_service_that_ends_by_itself_is_judged),
        DRIVEN(a_drained_service_may_be_lost),
        DRIVEN(what_relies_on_a_service_waits_until_it_is_ready_again),
        DRIVEN(nobody_waits_for_a_service_that_is_over),
        DRIVEN(attempts_under_way_are_listed),
    };
    return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}

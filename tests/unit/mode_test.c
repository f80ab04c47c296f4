/* In which mode tasks begin: at once, one at a time in a fixed order, or at ticks; and attempts that froze. The layer is
 * driven as a machine does it; what happened is replayed at the end of each test. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "data/json.h"
#include "task/coordinator.h"

enum { START = 1000000, TICK = 100 };

typedef struct step {
    const weir_task_spec *created; /* NULL: an event */
    weir_event event;
} step;

static struct {
    weir_decisions decisions; /* first */
    weir_tasks *tasks;
    WEIR_VECTOR(step) steps;
    weir_buffer said;
    uint64_t sequence;
} d;

static void keep_and_apply(weir_event *event) {
    event->id = (weir_event_id){0, ++d.sequence};
    event->time_us = d.decisions.now_us;
    event->prev = NULL;
    event->prev_count = 0;
    weir_value_ref(event->data);
    *weir_vector_push(&d.steps) = (step){.event = *event};
    weir_tasks_apply(d.tasks, event);
}

static void emit(weir_decisions *decisions, weir_event *event) {
    (void)decisions;
    weir_buffer_printf(&d.said, "%s%s %" PRIu64, d.said.length ? ", " : "",
                       weir_event_text(event->type), event->subject);
    keep_and_apply(event);
}

static void fact(weir_event_type type, weir_task_id task, const char *data) {
    weir_event event = {.type = type, .subject = task};
    if (weir_event_has_task(type)) event.number = weir_tasks_attempt(d.tasks, task);
    assert_true(!data || weir_json_parse(weir_str_from(data), WEIR_STR(""), &event.data, NULL));
    weir_value *given = event.data;
    keep_and_apply(&event);
    weir_value_unref(given);
}

static void begin(const char *request) {
    d.decisions = (weir_decisions){.emit = emit, .now_us = START};
    d.tasks = weir_tasks_new(&(weir_task_limits){.attempts = 2});
    fact(WEIR_RUN_CREATED, 0, request);
}

static weir_task_id create(const weir_task_spec *spec) {
    *weir_vector_push(&d.steps) = (step){.created = spec};
    return weir_tasks_create(d.tasks, spec, 0, (weir_event_id){0, 1});
}

static void expect(const char *said) {
    size_t before;
    do {
        before = d.said.length;
        weir_tasks_decide(d.tasks, &d.decisions);
    } while (d.said.length > before);
    assert_string_equal(d.said.data ? d.said.data : "", said);
    weir_buffer_clear(&d.said);
}

static void finish(weir_task_id task) {
    fact(WEIR_ATTEMPT_FINISHED, task, "{\"outcome\": \"succeeded\"}");
}

static void at(uint64_t us) {
    d.decisions.now_us = START + us;
}

/* A layer that only applies has the same states, and decides no more than this one would. */
static void end(void) {
    weir_tasks *live = d.tasks, *again = weir_tasks_new(&(weir_task_limits){.attempts = 2});
    for (size_t i = 0; i < d.steps.count; i++) {
        const step *s = &d.steps.items[i];
        if (s->created) {
            weir_tasks_create(again, s->created, 0, (weir_event_id){0, 1});
        } else {
            assert_true(weir_tasks_fits(again, &s->event));
            weir_tasks_apply(again, &s->event);
        }
    }
    for (uint32_t i = 0; i < weir_tasks_count(live); i++)
        assert_int_equal(weir_tasks_state(again, i), weir_tasks_state(live, i));
    d.tasks = again;
    expect("");
    for (size_t i = 0; i < d.steps.count; i++) weir_value_unref(d.steps.items[i].event.data);
    weir_vector_deinit(&d.steps);
    weir_buffer_deinit(&d.said);
    weir_tasks_free(live);
    weir_tasks_free(again);
    d.sequence = 0;
}

static const weir_memo memo = {.said = NULL};
static const weir_task_spec specs[] = {
    {.name = {"zero", 4}, .executor = {"process", 7}, .slot = true, .rank = 0},
    {.name = {"one", 3}, .executor = {"process", 7}, .slot = true, .rank = 1, .attempts_max = 2},
    {.name = {"two", 3}, .executor = {"inline", 6}, .rank = 2, .timeout_us = 50},
    {.name = {"flow", 4}, .rank = 3},
    {.name = {"kept", 4}, .executor = {"process", 7}, .slot = true, .rank = 0, .memo = &memo},
};

static void one_at_a_time_in_the_order_of_their_ranks(void **state) {
    (void)state;
    begin("{\"mode\": \"sync\"}");
    weir_task_id two = create(&specs[2]), one = create(&specs[1]), flow = create(&specs[3]);
    expect("attempt.scheduled 1");
    weir_task_id zero = create(&specs[0]);
    expect("");
    /* Tried again before anything else begins, but for what goes before it. */
    fact(WEIR_ATTEMPT_FINISHED, one, "{\"outcome\": \"failed\"}");
    expect("task.retried 1, attempt.scheduled 3");
    finish(zero);
    expect("task.finished 3, attempt.scheduled 1");
    finish(one);
    expect("task.finished 1, attempt.scheduled 0");
    finish(two);
    /* Its coordinator does what is in a dataflow within: it is not busy itself. */
    weir_task_id last = create(&specs[3]);
    expect("task.finished 0, attempt.scheduled 2, attempt.scheduled 4");
    finish(flow);
    finish(last);
    expect("task.finished 2, task.finished 4");
    end();
}

static void nobody_begins_while_the_first_is_looked_for(void **state) {
    (void)state;
    weir_task_id sought;
    begin("{\"mode\": \"sync\"}");
    create(&specs[1]);
    weir_task_id kept = create(&specs[4]);
    expect("");
    assert_true(weir_tasks_take_sought(d.tasks, &sought));
    assert_int_equal(sought, kept);
    expect("");
    assert_false(weir_tasks_take_sought(d.tasks, &sought));
    fact(WEIR_MEMO_MISSED, kept, "{}");
    expect("attempt.scheduled 1");
    finish(kept);
    expect("task.finished 1, attempt.scheduled 0");
    finish(0);
    expect("task.finished 0");
    end();
}

static void ready_tasks_begin_at_ticks(void **state) {
    (void)state;
    begin("{\"mode\": \"scheduled\", \"tick_us\": 1000}");
    assert_int_equal(weir_tasks_due_us(d.tasks), UINT64_MAX);
    weir_task_id zero = create(&specs[0]);
    expect("attempt.scheduled 0"); /* the first tick is the beginning */
    at(10);
    finish(zero);
    weir_task_id two = create(&specs[2]), one = create(&specs[1]);
    expect("task.finished 0");
    assert_int_equal(weir_tasks_due_us(d.tasks), START + 1000);
    at(999);
    expect("");
    at(1000);
    expect("attempt.scheduled 1, attempt.scheduled 2");
    weir_task_id late = create(&specs[0]); /* at the same moment, behind the tick */
    expect("");
    /* A timeout is over when it is over, whatever the ticks. */
    assert_int_equal(weir_tasks_due_us(d.tasks), START + 1050);
    at(1050);
    expect("attempt.stopping 1");
    finish(two);
    expect("task.finished 1");
    assert_int_equal(weir_tasks_outcome(d.tasks, two)->kind, WEIR_OUTCOME_EXPIRED);
    assert_int_equal(weir_tasks_due_us(d.tasks), START + 2000);
    fact(WEIR_RUN_SUSPENDED, 0, NULL);
    assert_int_equal(weir_tasks_due_us(d.tasks), UINT64_MAX);
    at(5500);
    expect("");
    fact(WEIR_RUN_RESUMED, 0, NULL);
    expect("attempt.scheduled 3"); /* a tick was missed */
    finish(one);
    finish(late);
    expect("task.finished 2, task.finished 3");
    assert_int_equal(weir_tasks_due_us(d.tasks), UINT64_MAX);
    end();
}

static void what_finds_no_slot_waits_for_another_tick(void **state) {
    (void)state;
    begin("{\"mode\": \"scheduled\"}");
    for (int i = 0; i < 3; i++) create(&specs[0]);
    expect("attempt.scheduled 0, attempt.scheduled 1");
    finish(0);
    expect("task.finished 0");
    assert_int_equal(weir_tasks_due_us(d.tasks), START + WEIR_TICK_US);
    at(WEIR_TICK_US);
    expect("attempt.scheduled 2");
    weir_attempt attempt = {.id = {.task = 2}};
    weir_tasks_describe_attempt(d.tasks, 2, &attempt);
    assert_int_equal(attempt.stopped_us, WEIR_TICK_US);
    finish(1);
    finish(2);
    expect("task.finished 1, task.finished 2");
    end();
}

static void what_froze_is_told_to_end_and_tried_again(void **state) {
    (void)state;
    static const char frozen[] = "{\"why\": \"frozen\", \"how\": 2, \"reason\": \"it sleeps\"}";
    begin("{}");
    weir_task_id one = create(&specs[1]);
    expect("attempt.scheduled 0");
    fact(WEIR_ATTEMPT_STOPPING, one, frozen);
    fact(WEIR_ATTEMPT_FINISHED, one, "{\"outcome\": \"cancelled\"}");
    expect("task.retried 0, attempt.scheduled 0");
    fact(WEIR_ATTEMPT_STOPPING, one, frozen);
    fact(WEIR_ATTEMPT_LOST, one, "{}");
    expect("task.finished 0");
    const weir_outcome *outcome = weir_tasks_outcome(d.tasks, one);
    assert_int_equal(outcome->kind, WEIR_OUTCOME_EXPIRED);
    assert_string_equal(weir_member_text(outcome->failure, "code").data, "frozen");
    assert_string_equal(weir_member_text(outcome->failure, "message").data, "was ended: it sleeps");
    end();
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time_in_the_order_of_their_ranks),
        cmocka_unit_test(nobody_begins_while_the_first_is_looked_for),
        cmocka_unit_test(ready_tasks_begin_at_ticks),
        cmocka_unit_test(what_finds_no_slot_waits_for_another_tick),
        cmocka_unit_test(what_froze_is_told_to_end_and_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

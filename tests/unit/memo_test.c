/* Memoized results in the task layer: what is looked for, what is kept, and what a replay knows of it. The machine is driven
 * by hand; who answers is the test. */
#include "flow_run.h"

#include "../../src/dataflow/plan_internal.h"

static const char slow[] = "operations:\n"
                           "  slow:\n"
                           "    name: process.run\n"
                           "    inputs: {day: day}\n"
                           "    outputs: {result: text}\n"
                           "    retry: 2\n"
                           "    cache: {maxAge: 7d, name: days, key: \"{{inputs.day}}\"}\n"
                           "  get_single:\n"
                           "    inputs: {spec: spec}\n"
                           "    stage: output\n"
                           "configs:\n"
                           "  slow: {command: [echo, \"{{inputs.day}}\"]}\n"
                           "definitions:\n"
                           "  day: {primitive: str}\n"
                           "  text: {primitive: str}\n"
                           "  spec: {primitive: array}\n"
                           "seed:\n"
                           "  - {value: monday, definition: day}\n"
                           "  - {value: [text], definition: spec}\n";
static const char two_days[] = "{\"contexts\": {\"a\": [], \"b\": []}}";
static const char one_day[] = "{\"inputs\": {}}";

/* What was decided since the last time: attempts to start, outcomes to keep. */
typedef struct decided {
    int starts, keeps;
    weir_task_id task;
    weir_value *missed, *outputs; /* of the last that was to be kept */
} decided;

static void forget(decided *d) {
    weir_value_unref(d->missed);
    weir_value_unref(d->outputs);
    *d = (decided){0};
}

static decided step(flow_run *run) {
    decided d = {0};
    while (weir_machine_step(run->machine, run->now_us)) continue;
    weir_batch batch;
    weir_machine_take(run->machine, &batch);
    if (batch.bytes.length) keep_batch(run, weir_buffer_str(&batch.bytes));
    for (size_t i = 0; i < batch.effects.count; i++) {
        const weir_effect *effect = &batch.effects.items[i];
        d.starts += effect->kind == WEIR_EFFECT_START;
        if (effect->kind == WEIR_EFFECT_START) d.task = effect->task;
    }
    for (size_t i = 0; i < batch.keeps.count; i++) {
        d.keeps++;
        weir_value_unref(d.missed);
        weir_value_unref(d.outputs);
        d.missed = weir_value_ref(batch.keeps.items[i].missed);
        d.outputs = weir_value_ref(batch.keeps.items[i].outputs);
    }
    weir_batch_deinit(&batch);
    return d;
}

static void expect_decided(flow_run *run, int starts, int keeps) {
    decided d = step(run);
    assert_int_equal(d.starts, starts);
    assert_int_equal(d.keeps, keeps);
    forget(&d);
}

/* Takes the next that is looked for; its day is to be this. */
static weir_task_id seek(flow_run *run, const char *day) {
    weir_attempt attempt;
    assert_true(weir_machine_take_sought(run->machine, &attempt));
    assert_true(attempt.sought);
    assert_int_equal(attempt.id.number, 0);
    assert_string_equal(weir_member_text(attempt.parameters, "day").data, day);
    assert_string_equal(weir_member_text(attempt.said, "key").data, day);
    assert_true(weir_str_is(attempt.spec->memo->cache, "days"));
    assert_true(attempt.spec->memo->max_age_us == 7ull * 24 * 3600 * S);
    /* With a key of its own, the configuration counts as it is written. */
    expect_json(attempt.config, "{\"command\":[\"echo\",\"{{inputs.day}}\"]}");
    weir_task_id task = attempt.id.task;
    weir_attempt_drop(&attempt);
    return task;
}

static void expect_nothing_sought(flow_run *run) {
    weir_attempt attempt;
    assert_false(weir_machine_take_sought(run->machine, &attempt));
}

static void answer(flow_run *run, weir_task_id task, weir_event_type type, const char *data) {
    weir_machine_remembered(run->machine, run->now_us, task, type, parse(data));
}

static const char found[] = "{\"key\":\"k\",\"outputs\":{\"result\":\"Monday\",\"exit_code\":0}}";
static const char missed[] = "{\"key\":\"k\",\"why\":\"absent\"}";

/* A run whose one task is looked for. */
static weir_task_id begin_sought(flow_run *run) {
    begin(run, slow, one_day);
    expect_decided(run, 0, 0);
    return seek(run, "monday");
}

/* The same once it is not found: its first attempt is to start. */
static weir_task_id begin_missed(flow_run *run) {
    weir_task_id task = begin_sought(run);
    answer(run, task, WEIR_MEMO_MISSED, missed);
    expect_decided(run, 1, 0);
    return task;
}

static weir_outcome succeeded(const char *outputs) {
    return (weir_outcome){.outputs = parse(outputs)};
}

static void finish(flow_run *run, weir_task_id task, uint32_t number, weir_outcome outcome) {
    assert_true(report(run, task, number, WEIR_REPORT_FINISHED, outcome));
}

static void expect_results(const flow_run *run, const char *json) {
    const weir_value *end = weir_machine_finished(run->machine);
    assert_non_null(end);
    expect_json(weir_member_named(end, "results"), json);
}

/* Another machine that knows the journal has the same results, and asks nothing. */
static void expect_replayed(const flow_run *run) {
    flow_run again;
    begin_machine(&again, run->plan);
    replay(&again, run, run->journal.count);
    expect_nothing_sought(&again);
    assert_true(weir_value_equal(weir_machine_finished(again.machine),
                                 weir_machine_finished(run->machine)));
    assert_int_equal(weir_tasks_found(weir_machine_tasks(again.machine)),
                     weir_tasks_found(weir_machine_tasks(run->machine)));
    end_machine(&again);
}

static void what_is_found_has_no_attempt(void **state) {
    (void)state;
    flow_run run;
    weir_task_id task = begin_sought(&run);
    expect_nothing_sought(&run);
    answer(&run, task, WEIR_MEMO_FOUND, found);
    expect_decided(&run, 0, 0);
    expect_results(&run, "{\"default\":{\"text\":\"Monday\"}}");
    assert_int_equal(weir_tasks_found(weir_machine_tasks(run.machine)), 1);
    bool marked = false;
    for (size_t i = 0; i < run.journal.count; i++) {
        const weir_event *event = &run.journal.items[i].event;
        assert_int_not_equal(event->type, WEIR_ATTEMPT_SCHEDULED);
        marked |= event->type == WEIR_TASK_FINISHED && event->number == 1;
    }
    assert_true(marked);
    check_ids(&run);
    expect_replayed(&run);
    discard(&run);
}

static void what_is_missed_runs_and_is_kept(void **state) {
    (void)state;
    flow_run run;
    weir_task_id task = begin_missed(&run);
    answer(&run, task, WEIR_MEMO_FOUND, found); /* too late: it is dropped */
    finish(&run, task, 1, succeeded("{\"result\":\"ran\"}"));
    decided d = step(&run);
    assert_int_equal(d.keeps, 1);
    expect_json(d.missed, missed);
    expect_json(d.outputs, "{\"result\":\"ran\"}");
    forget(&d);
    expect_results(&run, "{\"default\":{\"text\":\"ran\"}}");
    assert_int_equal(weir_tasks_found(weir_machine_tasks(run.machine)), 0);
    expect_replayed(&run);
    discard(&run);
}

static void failures_are_not_kept_and_retries_do_not_look(void **state) {
    (void)state;
    flow_run run;
    weir_task_id task = begin_missed(&run);
    finish(&run, task, 1, weir_outcome_failed(WEIR_OUTCOME_FAILED, "no", "said no"));
    run.now_us += S;
    expect_decided(&run, 1, 0);
    expect_nothing_sought(&run);
    finish(&run, task, 2, weir_outcome_failed(WEIR_OUTCOME_FAILED, "no", "said no"));
    decided d = step(&run);
    assert_int_equal(d.keeps, 1); /* who waits for it hears of its end */
    assert_null(d.outputs);
    forget(&d);
    expect_replayed(&run);
    discard(&run);
}

static void a_miss_without_key_is_not_kept(void **state) {
    (void)state;
    flow_run run;
    weir_task_id task = begin_sought(&run);
    answer(&run, task, WEIR_MEMO_MISSED, "{\"why\":\"secret\"}");
    expect_decided(&run, 1, 0);
    finish(&run, task, 1, succeeded("{\"result\":\"ran\"}"));
    expect_decided(&run, 0, 0);
    expect_results(&run, "{\"default\":{\"text\":\"ran\"}}");
    discard(&run);
}

/* What was told to end and says it succeeded may have done half of it. */
static void what_was_told_to_end_is_not_kept(void **state) {
    (void)state;
    flow_run run;
    weir_task_id task = begin_missed(&run);
    weir_machine_cancelled(run.machine, run.now_us, false);
    expect_decided(&run, 0, 0);
    finish(&run, task, 1, succeeded("{\"result\":\"half\"}"));
    decided d = step(&run);
    assert_int_equal(d.keeps, 1);
    assert_null(d.outputs);
    forget(&d);
    discard(&run);
}

static void a_cancelled_task_waits_for_no_answer(void **state) {
    (void)state;
    flow_run run;
    weir_task_id task = begin_sought(&run);
    weir_machine_cancelled(run.machine, run.now_us, false);
    expect_decided(&run, 0, 0);
    assert_non_null(weir_machine_finished(run.machine));
    answer(&run, task, WEIR_MEMO_FOUND, found);
    expect_decided(&run, 0, 0);
    expect_replayed(&run);
    discard(&run);
}

static void a_replay_asks_again_what_was_not_answered(void **state) {
    (void)state;
    flow_run run, again;
    begin(&run, slow, two_days);
    expect_decided(&run, 0, 0);
    weir_task_id first = seek(&run, "monday"), second = seek(&run, "monday");
    answer(&run, first, WEIR_MEMO_MISSED, missed);
    expect_decided(&run, 1, 0);
    begin_machine(&again, run.plan);
    replay(&again, &run, run.journal.count);
    weir_machine_recovered(again.machine, again.now_us, WEIR_STR("another"));
    assert_int_equal(seek(&again, "monday"), second);
    expect_nothing_sought(&again);
    answer(&again, second, WEIR_MEMO_FOUND, found);
    expect_decided(&again, 1, 0); /* the lost one, once more */
    finish(&again, first, 2, succeeded("{\"result\":\"ran\"}"));
    decided d = step(&again);
    expect_json(d.missed, missed);
    assert_non_null(d.outputs);
    forget(&d);
    expect_results(&again, "{\"b\":{\"text\":\"Monday\"},\"a\":{\"text\":\"ran\"}}");
    end_machine(&again);
    discard(&run);
}

static void it_can_be_switched_off(void **state) {
    (void)state;
    flow_run run;
    begin(&run, slow, "{\"inputs\": {}, \"cache\": \"off\"}");
    expect_decided(&run, 1, 0);
    expect_nothing_sought(&run);
    finish(&run, 0, 1, succeeded("{\"result\":\"ran\"}"));
    expect_decided(&run, 0, 0);
    expect_results(&run, "{\"default\":{\"text\":\"ran\"}}");
    discard(&run);
}

static void locks_come_before_looking(void **state) {
    (void)state;
    flow_run run;
    begin(&run,
          "operations:\n  one: {name: process.run, inputs: {x: x}, outputs: {result: y}, cache: "
          "true}\n  two: {name: process.run, inputs: {x: x}, outputs: {result: y}, cache: true}\n"
          "configs: {one: {command: [a]}, two: {command: [b]}}\n"
          "definitions: {x: {primitive: str, lock: true}, y: {primitive: str}}\n"
          "seed: [{value: v, definition: x}]\n",
          one_day);
    expect_decided(&run, 0, 0);
    weir_attempt attempt;
    assert_true(weir_machine_take_sought(run.machine, &attempt));
    weir_task_id first = attempt.id.task;
    assert_null(attempt.said);
    weir_attempt_drop(&attempt);
    expect_nothing_sought(&run);
    answer(&run, first, WEIR_MEMO_FOUND, found);
    expect_decided(&run, 0, 0);
    assert_true(weir_machine_take_sought(run.machine, &attempt));
    assert_int_not_equal(attempt.id.task, first);
    weir_attempt_drop(&attempt);
    discard(&run);
}

static void a_call_that_is_cached_is_a_task(void **state) {
    (void)state;
    flow_run run;
    begin(&run,
          "operations:\n  add: {inputs: {a: a, b: b}, outputs: {sum: sum}, cache: true}\n"
          "definitions: {a: {primitive: int}, b: {primitive: int}, sum: {primitive: int}}\n"
          "seed: [{value: 1, definition: a}, {value: 2, definition: b}]\n",
          one_day);
    expect_decided(&run, 0, 0);
    weir_attempt attempt;
    assert_true(weir_machine_take_sought(run.machine, &attempt));
    expect_json(attempt.parameters, "{\"a\":1,\"b\":2}");
    weir_attempt_drop(&attempt);
    discard(&run);
}

/* --- wrong ------------------------------------------------------------------------------------ */

static void wrong_files_are_refused(void **state) {
    (void)state;
#define PROCESS "operations:\n  o:\n    name: process.run\n    inputs: {x: x}\n    cache: "
#define REST REST_WITH("command: [a]")
#define REST_WITH(config) "\ndefinitions: {x: {primitive: str}}\nconfigs: {o: {" config "}}\n"
    static const struct {
        const char *text, *message;
    } cases[] = {
        {PROCESS "7" REST, "`cache` is true, false or {maxAge, key, name, files}"},
        {PROCESS "[]" REST, "`cache` is true, false or {maxAge, key, name, files}"},
        {PROCESS "{age: 7d}" REST, "a cache has no `age`"},
        {PROCESS "{maxAge: soon}" REST, "`maxAge`: "},
        {PROCESS "{maxAge: 0s}" REST, "`maxAge` must be more than nothing"},
        {PROCESS "{name: \"\"}" REST, "`name` of its cache is no text"},
        {PROCESS "{key: 7}" REST, "`key` is no text"},
        {PROCESS "{key: \"{{inputs.y}}\"}" REST, "`{{inputs.y}}` is no input of it"},
        {PROCESS "{files: a.txt}" REST, "`files` is no list of 1 to 1,000 paths"},
        {PROCESS "{files: [7]}" REST, "`files` is no list of 1 to 1,000 paths"},
        {PROCESS "true" REST_WITH("command: [a], environment: {T: {secret: token}}"),
         "so `cache` needs a `key`"},
        {"operations: {gen_sq: {inputs: {n: x}, outputs: {i: x}, cache: true}}\n"
         "definitions: {x: {primitive: int}}\n",
         "a generator"},
        {"operations: {get_single: {inputs: {spec: x}, stage: output, cache: true}}\n"
         "definitions: {x: {primitive: array}}\n",
         "looks at its context"},
        {"operations: {o: {name: process.run, inputs: {x: x}, stage: cleanup, cache: true}}\n"
         "definitions: {x: {primitive: str}}\nconfigs: {o: {command: [a]}}\n",
         "has to run"},
        {"operations: {dffml.dataflow.run: {inputs: {inputs: x}, cache: true}}\n"
         "definitions: {x: {primitive: map}}\n"
         "configs: {dffml.dataflow.run: {dataflow: {operations: {}}}}\n",
         "cannot be cached as a whole"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_document document = {0};
        weir_problems problems = {0};
        weir_value *request = parse(one_day);
        assert_true(weir_document_parse(&document, "f.yaml", weir_str_from(cases[i].text),
                                        WEIR_YAML_CORE, NULL));
        assert_null(weir_dataflow_compile(&document, request, &registry, &problems));
        assert_true(problems.count > 0);
        bool said = false;
        for (size_t p = 0; p < problems.count; p++)
            said |= strstr(problems.items[p].message, cases[i].message) != NULL;
        if (!said) fail_msg("%s: %s", cases[i].text, problems.items[0].message);
        weir_problems_deinit(&problems);
        weir_value_unref(request);
        weir_document_deinit(&document);
    }
}

static void false_and_null_are_no_cache(void **state) {
    (void)state;
    static const char *const texts[] = {PROCESS "false" REST, PROCESS "null" REST};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        weir_plan *plan = compile(texts[i], one_day);
        const weir_dataflow_plan *dataflow = (const weir_dataflow_plan *)plan;
        assert_null(dataflow->flows.items[0]->instances.items[0].spec->memo);
        plan->free(plan);
    }
}

/* --- keys ------------------------------------------------------------------------------------- */

static void equal_values_are_equal_bytes(void **state) {
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"{\"a\":1,\"b\":{\"d\":2,\"c\":3}}", "{\"b\":{\"c\":3,\"d\":2},\"a\":1}", true},
        {"[1,2]", "[2,1]", false},
        {"{\"a\":1}", "{\"a\":1.0}", false},
        {"{\"a\":\"1\"}", "{\"a\":1}", false},
        {"{\"a\":null}", "{}", false},
        {"{\"ab\":\"c\"}", "{\"a\":\"bc\"}", false},
        {"{\"a\":1,\"aa\":2}", "{\"aa\":2,\"a\":1}", true},
        {"[[],[]]", "[[[]]]", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_value *a = parse(cases[i].a), *b = parse(cases[i].b);
        weir_buffer one = {0}, two = {0};
        weir_value_encode_sorted(a, &one);
        weir_value_encode_sorted(b, &two);
        assert_int_equal(weir_str_equal(weir_buffer_str(&one), weir_buffer_str(&two)),
                         cases[i].same);
        weir_buffer_deinit(&one);
        weir_buffer_deinit(&two);
        weir_value_unref(a);
        weir_value_unref(b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_found_has_no_attempt),
        cmocka_unit_test(what_is_missed_runs_and_is_kept),
        cmocka_unit_test(failures_are_not_kept_and_retries_do_not_look),
        cmocka_unit_test(a_miss_without_key_is_not_kept),
        cmocka_unit_test(what_was_told_to_end_is_not_kept),
        cmocka_unit_test(a_cancelled_task_waits_for_no_answer),
        cmocka_unit_test(a_replay_asks_again_what_was_not_answered),
        cmocka_unit_test(it_can_be_switched_off),
        cmocka_unit_test(locks_come_before_looking),
        cmocka_unit_test(a_call_that_is_cached_is_a_task),
        cmocka_unit_test(wrong_files_are_refused),
        cmocka_unit_test(false_and_null_are_no_cache),
        cmocka_unit_test(equal_values_are_equal_bytes),
    };
    return cmocka_run_group_tests(tests, open_registry, close_registry);
}

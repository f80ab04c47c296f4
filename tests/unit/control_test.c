/* What is asked of runs through weir.h: in this engine, by another engine, and of runs that nobody drives. */
#include "embedding.h"

#include "data/json.h"
#include "engine/engine_internal.h"
#include "engine/restart.h"

static weir_engine *other; /* as if of another process */

static int tear_down_both(void **state) {
    weir_close(other);
    other = NULL;
    return tear_down(state);
}

static void open_both(void) {
    weir_options options = {
        .size = sizeof options, .state = state_folder, .attempts_max = 1 /* in their order */};
    if (!weir_open(&options, &engine, &error) || !weir_open(&options, &other, &error))
        fail_msg("%s", error.message);
}

/* Three steps, of which the second fails until there is a file `ready`. */
static weir_value *steps(const char *name) {
    char text[2048];
    snprintf(text, sizeof text,
             "pipeline:\n  name: steps\n  inputs: [folder]\n  outputs: [c.out]\n  components:\n"
             "    - a: {run: [sh, -c, 'echo a >> $0/did; printf 1', '{{inputs.folder}}'],"
             " inputs: [folder], outputs: [out]}\n"
             "    - b: {run: [sh, -c, 'echo b >> $0/did; test -e $0/ready && printf 2',"
             " '{{inputs.folder}}'], inputs: [folder, a.out], outputs: [out]}\n"
             "    - c: {run: [sh, -c, 'echo c >> $0/did; printf 3', '{{inputs.folder}}'],"
             " inputs: [folder, b.out], outputs: [out]}\n");
    weir_value *request = request_for(write_file("steps.yaml", text), name);
    weir_value *inputs = weir_object_new();
    put_text(inputs, "folder", folder);
    weir_object_set(request, "inputs", strlen("inputs"), inputs);
    return request;
}

static void expect_did(const char *wanted) {
    char did[256], *to = did;
    read_text(in_folder("did"), did, sizeof did);
    for (const char *from = did; *from; from++)
        if (*from != '\n') *to++ = *from;
    *to = '\0';
    assert_string_equal(did, wanted);
}

static void expect_phase(weir_run *run, const char *wanted) {
    weir_value *result = weir_run_result(run);
    assert_string_equal(text_of(result, "phase"), wanted);
    weir_value_unref(result);
}

/* --- suspending --------------------------------------------------------------------------------- */

static void a_run_of_this_engine_is_suspended(void **state) {
    (void)state;
    open_both();
    fclose(fopen(in_folder("ready"), "w"));
    weir_run *run = start(steps("r"));
    assert_true(weir_run_suspend(run, true, &error));
    while (!weir_run_rests(run)) assert_false(weir_run_wait(run, 20));
    assert_false(weir_run_wait(run, 50));
    expect_phase(run, "Suspended");
    assert_true(weir_resume(engine, "r", NULL, &error)); /* by its name */
    finish(run);
    expect_phase(run, "Succeeded");
    expect_did("abc");
    assert_false(weir_run_suspend(run, true, &error));
    assert_int_equal(error.code, WEIR_CONFLICT);
    weir_run_close(run);
}

static void a_run_without_state_is_suspended_too(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_NONE);
    fclose(fopen(in_folder("ready"), "w"));
    weir_run *run = start(steps("r"));
    assert_true(weir_run_suspend(run, true, &error));
    while (!weir_run_rests(run)) assert_false(weir_run_wait(run, 20));
    assert_false(weir_run_wait(run, 50));
    assert_true(weir_run_suspend(run, false, &error));
    succeed(run);
    expect_did("abc");
}

static void a_run_that_nobody_drives_goes_on_where_it_is_resumed(void **state) {
    (void)state;
    open_both();
    fclose(fopen(in_folder("ready"), "w"));
    weir_run *run = start(steps("r"));
    assert_true(weir_run_suspend(run, true, &error));
    while (!weir_run_rests(run)) assert_false(weir_run_wait(run, 20));
    weir_run_close(run);
    assert_true(weir_suspend(other, "r", &error)); /* it is, already */
    assert_true(weir_resume(other, "r", &run, &error));
    assert_non_null(run);
    finish(run);
    expect_phase(run, "Succeeded");
    expect_did("abc");
    weir_run_close(run);
    assert_false(weir_resume(other, "r", &run, &error));
    assert_int_equal(error.code, WEIR_CONFLICT);
    assert_false(weir_suspend(other, "nobody", &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
}

/* --- restarting ----------------------------------------------------------------------------------- */

static void what_failed_is_done_again(void **state) {
    (void)state;
    open_both();
    weir_run *run = start(steps("r"));
    finish(run);
    expect_phase(run, "Failed");
    assert_false(weir_retry(engine, "r", &run, &error)); /* it is open here */
    assert_int_equal(error.code, WEIR_CONFLICT);
    assert_null(run);
    run = weir__run_find(engine, engine->runs.items[0]->id);
    weir_run_close(run);
    assert_true(weir_retry(other, "r", &run, &error));
    finish(run);
    expect_phase(run, "Failed");
    weir_run_close(run);
    fclose(fopen(in_folder("ready"), "w"));
    assert_true(weir_retry(other, "r", NULL, &error)); /* for who recovers it */
    expect_did("abb");
    assert_true(weir_run_recover(engine, "r", &run, &error));
    succeed(run);
    expect_did("abbbc");
}

static void one_task_is_done_again(void **state) {
    (void)state;
    open_both();
    fclose(fopen(in_folder("ready"), "w"));
    weir_run *run = start(steps("r"));
    finish(run);
    weir_run_close(run);
    assert_true(weir_restart_task(other, "r", "b", "default", &run, &error));
    succeed(run);
    expect_did("abcbc");
    assert_false(weir_restart_task(other, "r", "z", NULL, &run, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    assert_non_null(strstr(error.message, "`z`"));
}

/* Contexts are given; each input is noted, which fails for `Eve` until there is a file `ready`. */
static weir_run *start_open(const char *name) {
    char text[1024];
    snprintf(
        text, sizeof text,
        "operations: {note: {name: process.run, inputs: {who: name}, outputs: {result: said}},\n"
        "  get: {name: get_multi, inputs: {spec: S}, outputs: {output: O}, stage: output}}\n"
        "definitions: {name: {primitive: str}, said: {primitive: str}, "
        "S: {primitive: array}, O: {primitive: map}}\n"
        "flow: {note: {inputs: {who: [seed]}}, get: {inputs: {spec: [seed]}}}\nseed: [{value: "
        "[said], definition: S}]\n"
        "configs: {note: {command: [sh, -c, 'echo $1 >> $0/did; "
        "test $1 != Eve || test -e $0/ready && echo $1', '%s', '{{inputs.who}}']}}\n",
        folder);
    weir_value *request = request_for(write_file("open.yaml", text), name);
    weir_object_set(request, "open", strlen("open"), weir_bool_new(true));
    return start(request);
}

static weir_value *person(const char *name) {
    weir_value *input = weir_object_new(), *list = weir_array_new();
    put_text(input, "definition", "name");
    put_text(input, "value", name);
    weir_array_append(list, input);
    return list;
}

static void give(weir_run *run, const char *context, bool hold, const char *name) {
    weir_value *inputs = person(name);
    if (!weir_context_open(run, context, inputs, hold, &error)) fail_msg("%s", error.message);
    weir_value_unref(inputs);
}

static void send_to(weir_run *run, const char *context, const char *name) {
    weir_value *inputs = person(name);
    if (!weir_context_send(run, context, inputs, &error)) fail_msg("%s", error.message);
    weir_value_unref(inputs);
}

/* Ends the run; of each context, what was said there. */
static void expect_results(weir_run *run, const char *const (*wanted)[2]) {
    weir_value *result = result_of(run, "Succeeded"), *contexts = member(result, "results");
    size_t count = 0;
    for (; wanted[count][0]; count++) {
        weir_buffer json = {0};
        weir_json_format(member(member(contexts, wanted[count][0]), "said"), 0, &json);
        assert_string_equal(json.data, wanted[count][1]);
        weir_buffer_deinit(&json);
    }
    assert_int_equal(weir_value_count(contexts), count);
    weir_value_unref(result);
}

/* One context is over, one was sent to and closed, one still waits for more, and no more are said to come. */
static void what_a_run_was_given_it_is_given_again(void **state) {
    (void)state;
    const char *const wanted[][2] = {{"first", "[\"Ada\"]"},
                                     {"second", "[\"Bob\",\"Cy\"]"},
                                     {"third", "[\"Dan\",\"Eve\"]"},
                                     {NULL, NULL}};
    open_both();
    weir_run *run = start_open("r");
    give(run, "first", false, "Ada");
    wait_for_text(run, in_folder("did"), "Ada");
    give(run, "second", true, "Bob");
    send_to(run, "second", "Cy");
    assert_true(weir_context_close(run, "second", &error));
    give(run, "third", true, "Dan");
    wait_for_text(run, in_folder("did"), "Dan");
    while (occurrences(in_folder("did"), "Cy") != 1) assert_false(weir_run_wait(run, 5));
    send_to(run, "third", "Eve");
    finish(run);
    expect_phase(run, "Failed");
    weir_run_close(run);
    fclose(fopen(in_folder("ready"), "w"));
    assert_true(weir_retry(other, "r", &run, &error));
    weir_value *late = person("Flo");
    assert_false(weir_context_open(run, "fourth", late, false, &error)); /* the run was over */
    assert_int_equal(error.code, WEIR_CONFLICT);
    weir_value_unref(late);
    expect_results(run, wanted);
    assert_int_equal(occurrences(in_folder("did"), "Eve"), 2);
    assert_int_equal(occurrences(in_folder("did"), "Ada"), 1); /* the outcomes stay */
    assert_true(weir_restart_task(other, "r", "note", "first", &run, &error));
    expect_results(run, wanted);
    assert_int_equal(occurrences(in_folder("did"), "Ada"), 2);
    assert_int_equal(occurrences(in_folder("did"), "Eve"), 2);
}

/* One that goes on stays open, and who gives goes on. */
static void a_run_that_is_open_is_restarted_and_stays_open(void **state) {
    (void)state;
    const char *const wanted[][2] = {
        {"held", "[\"Ada\",\"Bob\",\"Cy\"]"}, {"more", "[\"Dan\"]"}, {NULL, NULL}};
    open_both();
    weir_run *run = start_open("r");
    give(run, "held", true, "Ada");
    wait_for_text(run, in_folder("did"), "Ada");
    send_to(run, "held", "Bob");
    wait_for_text(run, in_folder("did"), "Bob");
    assert_false(weir_run_wait(run, 100));
    weir_run_close(run);
    assert_true(weir_restart_task(other, "r", "note", "held", &run, &error));
    while (occurrences(in_folder("did"), "Bob") != 2) assert_false(weir_run_wait(run, 5));
    send_to(run, "held", "Cy");
    give(run, "more", false, "Dan");
    assert_true(weir_context_close(run, "held", &error));
    weir_run_end(run);
    expect_results(run, wanted);
    assert_int_equal(occurrences(in_folder("did"), "Ada"), 2);
}

/* --- leaving ------------------------------------------------------------------------------------- */

static int turns;

static bool stop_late(void *arg) {
    (void)arg;
    return ++turns > 2000;
}

static void note(void *arg, const weir_run *run, const char *id, const weir_error *why) {
    (void)id, (void)why;
    *(int *)arg += run != NULL;
}

static void what_is_submitted_waits_for_who_serves(void **state) {
    (void)state;
    int said = 0;
    open_both();
    fclose(fopen(in_folder("ready"), "w"));
    weir_value *request = steps("r"), *told;
    assert_true(weir_submit(engine, request, NULL, NULL, &told, &error));
    weir_value_unref(request);
    assert_string_equal(text_of(told, "name"), "r");
    assert_false(weir_bool_get(member(told, "served")));
    weir_value_unref(told);
    expect_did(""); /* nothing began */
    weir_serving serving = {
        .runs_max = 2, .idle_ms = 10, .stop = stop_late, .said = note, .arg = &said};
    assert_true(weir_serve(other, &serving, &error));
    assert_true(turns < 2000);
    assert_int_equal(said, 2); /* it began, and is over */
    expect_did("abc");
    weir_value *status;
    assert_true(weir_get(engine, "r", &status, &error));
    assert_string_equal(text_of(status, "phase"), "Succeeded");
    weir_value_unref(status);
}

static void nothing_is_left_without_a_state(void **state) {
    (void)state;
    weir_options options = {.size = sizeof options, .durability = WEIR_DURABILITY_NONE};
    weir_value *request = steps("r"), *told;
    bool served;
    assert_true(weir_open(&options, &engine, &error));
    assert_false(weir_submit(engine, request, NULL, NULL, &told, &error));
    assert_int_equal(error.code, WEIR_USAGE);
    assert_false(weir_leave(engine, "r", &served, &error));
    assert_int_equal(error.code, WEIR_USAGE);
    weir_value_unref(request);
}

/* --- journals that were changed -------------------------------------------------------------------- */

/* An event more at the end of a run's journal; whether it fits. */
static bool fits(weir_machine *machine, weir_event event) {
    weir_buffer batch = {0};
    weir_batch_begin(&batch);
    weir_event_encode(&event, &batch);
    bool ok = weir_machine_replay(machine, weir_buffer_str(&batch), &error);
    weir_buffer_deinit(&batch);
    return ok;
}

static void what_does_not_fit_a_restart_is_refused(void **state) {
    (void)state;
    open_both();
    weir_run *run = start(steps("r"));
    finish(run);
    weir_machine *machine = run->machine; /* finished, with 0:N events of its own */
    uint64_t next = 1;
    weir_event event = {.type = WEIR_RUN_FINISHED, .id = {0, next}};
    while (next < 100 && !fits(machine, (weir_event){.type = WEIR_RUN_RESTARTED, .id = {0, next}}))
        next++;
    assert_true(next < 100); /* nothing was kept, so it fits */
    event = (weir_event){.type = WEIR_OUTCOME_KEPT, .id = {0, next + 1}};
    assert_false(fits(machine, event)); /* no data */
    weir_value *data = weir_object_new();
    put_text(data, "key", "short");
    event.data = data;
    assert_false(fits(machine, event));
    weir_value_unref(data);
    event = (weir_event){.type = WEIR_RUN_RESTARTED, .number = 1, .id = {0, next + 1}};
    assert_false(fits(machine, event)); /* one was not kept */
    event = (weir_event){.type = WEIR_TASK_RECALLED, .subject = 0, .id = {1, 1}};
    assert_false(fits(machine, event));
    event = (weir_event){.type = WEIR_RUN_RESUMED, .id = {0, next + 1}};
    assert_false(fits(machine, event)); /* it was not suspended */
    event.type = WEIR_RUN_SUSPENDED;
    assert_true(fits(machine, event));
    event.id.sequence++;
    assert_false(fits(machine, event)); /* it is */
    weir_run_close(run);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_both)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_run_of_this_engine_is_suspended),
        TEST(a_run_without_state_is_suspended_too),
        TEST(a_run_that_nobody_drives_goes_on_where_it_is_resumed),
        TEST(what_failed_is_done_again),
        TEST(one_task_is_done_again),
        TEST(what_a_run_was_given_it_is_given_again),
        TEST(a_run_that_is_open_is_restarted_and_stays_open),
        TEST(what_is_submitted_waits_for_who_serves),
        TEST(nothing_is_left_without_a_state),
        TEST(what_does_not_fit_a_restart_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

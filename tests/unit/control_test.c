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
    weir_options options = {.size = sizeof options, .state = state_folder};
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
        TEST(what_is_submitted_waits_for_who_serves),
        TEST(nothing_is_left_without_a_state),
        TEST(what_does_not_fit_a_restart_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

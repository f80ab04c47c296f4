/* Contexts as those who embed weir give them, several threads, and operations that go on by themselves. */
#include <weir/weir.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "data/json.h"
#include "engine/engine_internal.h"
#include "folder.h"

static weir_engine *engine;
static weir_error error;

static int set_up(void **state) {
    (void)state;
    return make_folder();
}

static int tear_down(void **state) {
    (void)state;
    weir_close(engine);
    engine = NULL;
    return remove_folder();
}

static void open_engine(weir_options options) {
    options.size = sizeof options;
    weir_close(engine);
    if (!weir_open(&options, &engine, &error)) fail_msg("%s", error.message);
}

/* Durable, in the test's folder. */
static void open_durable(void) {
    open_engine((weir_options){.state = folder, .durability = WEIR_DURABILITY_FULL});
}

/* --- runs -------------------------------------------------------------------------------------- */

static weir_value *parse(const char *json) {
    weir_value *value;
    if (!weir_json_parse(weir_str_from(json), WEIR_STR(""), &value, &error))
        fail_msg("%s", error.message);
    return value;
}

/* B is the absolute of A. */
static const char flow_text[] =
    "{\"flow\": {\"definitions\": {\"A\": {}, \"B\": {}, \"S\": {}, \"O\": {}}, \"operations\": "
    "{\"n\": {\"name\": \"math.absolute\", \"inputs\": {\"number\": \"A\"}, \"outputs\": "
    "{\"result\": "
    "\"B\"}}, \"get\": {\"name\": \"get_multi\", \"inputs\": {\"spec\": \"S\"}, \"outputs\": "
    "{\"output\": \"O\"}, \"stage\": \"output\"}}, \"seed\": [{\"value\": [\"B\"], "
    "\"definition\": \"S\"}]}}";

/* With this member of the request, taken over. */
static weir_run *start(const char *name, const char *key, weir_value *value) {
    weir_run *run = NULL;
    weir_value *request = parse(flow_text);
    if (name) weir_member_put_text(request, "name", weir_str_from(name));
    weir_member_put(request, key, value);
    if (!weir_run_start(engine, request, NULL, NULL, &run, &error)) fail_msg("%s", error.message);
    weir_value_unref(request);
    return run;
}

/* Ends the run, which has to give this. */
static void expect_end(weir_run *run, const char *phase, const char *results) {
    assert_true(weir_run_wait(run, 60000));
    weir_value *result = weir_run_result(run);
    assert_string_equal(weir_member_text(result, "phase").data, phase);
    weir_buffer json = {0};
    weir_json_format(weir_member_named(result, "results"), 0, &json);
    if (results) assert_string_equal(json.data, results);
    weir_buffer_deinit(&json);
    weir_value_unref(result);
    weir_run_close(run);
}

/* --- from outside ------------------------------------------------------------------------------ */

static weir_value *input(weir_value *value) {
    weir_value *entry = weir_object_new(), *list = weir_array_new();
    weir_member_put(entry, "value", value);
    weir_member_put_text(entry, "definition", WEIR_STR("A"));
    weir_array_append(list, entry);
    return list;
}

static bool give(weir_run *run, const char *name, bool hold, weir_value *value) {
    weir_value *inputs = input(value);
    bool ok = weir_context_open(run, name, inputs, hold, &error);
    weir_value_unref(inputs);
    return ok;
}

static bool send(weir_run *run, const char *name, weir_value *value) {
    weir_value *inputs = input(value);
    bool ok = weir_context_send(run, name, inputs, &error);
    weir_value_unref(inputs);
    return ok;
}

static weir_value *nest(int levels) {
    weir_value *value = weir_int_new(1);
    for (int i = 0; i < levels; i++) {
        weir_value *outer = weir_array_new();
        weir_array_append(outer, value);
        value = outer;
    }
    return value;
}

/* The limit is the same with a journal and without. */
static void inputs_nest_only_so_deep(void **state) {
    (void)state;
    int first_refused[2] = {0};
    for (int durable = 0; durable < 2; durable++) {
        open_engine(
            (weir_options){.state = durable ? folder : NULL,
                           .durability = durable ? WEIR_DURABILITY_FULL : WEIR_DURABILITY_NONE});
        weir_run *run = start("r", "open", weir_bool_new(true));
        assert_true(give(run, "x", true, weir_int_new(1)));
        for (int levels = 100; levels <= 200; levels++) {
            char name[16];
            snprintf(name, sizeof name, "c%d", levels);
            weir_value *inputs =
                input(nest(levels)); /* that nobody reads, and held: it has no result */
            weir_member_put_text(weir_array_at(inputs, 0), "definition", WEIR_STR("O"));
            bool fits = weir_context_open(run, name, inputs, true, &error);
            if (!fits) assert_int_equal(error.code, WEIR_LIMIT);
            assert_int_equal(fits, weir_context_send(run, "x", inputs, &error));
            weir_value_unref(inputs);
            if (!fits && !first_refused[durable]) first_refused[durable] = levels;
            assert_int_equal(fits, !first_refused[durable]);
        }
        weir_run_close(run);
    }
    assert_in_range(first_refused[0], 120, 129);
    assert_int_equal(first_refused[0], first_refused[1]);
}

static void contexts_come_from_outside(void **state) {
    (void)state;
    open_durable();
    weir_run *run = start("r", "open", weir_bool_new(true));
    assert_true(give(run, "x", true, weir_int_new(-1)));
    assert_false(give(run, "x", true, weir_int_new(-2)));
    assert_int_equal(error.code, WEIR_CONFLICT);
    assert_false(give(run, "y", true, nest(200)));
    assert_int_equal(error.code, WEIR_LIMIT);
    assert_false(give(run, "y", true, weir_float_new(1e308 * 10)));
    assert_int_equal(error.code, WEIR_INVALID);
    assert_true(send(run, "x", weir_int_new(-3)));
    assert_false(send(run, "x", nest(200)));
    assert_int_equal(error.code, WEIR_LIMIT);
    assert_false(send(run, "y", weir_int_new(1)));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    assert_false(weir_run_wait(run, 20));
    weir_run_close(run);
    open_durable(); /* all of it can be read again */
    if (!weir_run_recover(engine, "r", &run, &error)) fail_msg("%s", error.message);
    assert_true(send(run, "x", weir_int_new(-4)));
    assert_true(weir_context_close(run, "x", &error));
    assert_false(send(run, "x", weir_int_new(-5)));
    weir_run_end(run);
    assert_false(give(run, "z", false, weir_int_new(1)));
    assert_int_equal(error.code, WEIR_CONFLICT);
    expect_end(run, "Succeeded", "{\"x\":{\"B\":[1,3,4]}}");
}

/* B is the absolute of A while C is true. */
static const char conditional_text[] =
    "{\"open\": true, \"flow\": {\"definitions\": {\"A\": {}, \"B\": {}, \"C\": {}, \"S\": {}, "
    "\"O\": {}}, \"operations\": {\"n\": {\"name\": \"math.absolute\", \"inputs\": {\"number\": "
    "\"A\"}, \"outputs\": {\"result\": \"B\"}, \"conditions\": [\"C\"]}, \"get\": {\"name\": "
    "\"get_multi\", \"inputs\": {\"spec\": \"S\"}, \"outputs\": {\"output\": \"O\"}, "
    "\"stage\": \"output\"}}, \"seed\": [{\"value\": [\"B\"], \"definition\": \"S\"}]}}";

static void send_text(weir_run *run, const char *inputs) {
    weir_value *list = parse(inputs);
    if (!weir_context_send(run, "x", list, &error)) fail_msg("%s", error.message);
    weir_value_unref(list);
}

/* What a condition lets fire is not lost when it becomes false before the run goes on. */
static void a_condition_counts_until_the_next_comes(void **state) {
    (void)state;
    for (int durable = 0; durable < 2; durable++) {
        open_engine(
            (weir_options){.state = durable ? folder : NULL,
                           .durability = durable ? WEIR_DURABILITY_FULL : WEIR_DURABILITY_NONE});
        weir_run *run;
        weir_value *request = parse(conditional_text);
        if (!weir_run_start(engine, request, NULL, NULL, &run, &error))
            fail_msg("%s", error.message);
        weir_value_unref(request);
        weir_value *inputs = parse("[{\"definition\": \"C\", \"value\": true}]");
        assert_true(weir_context_open(run, "x", inputs, true, &error));
        weir_value_unref(inputs);
        assert_false(weir_run_wait(run, 20));
        assert_true(weir_run_suspend(run, true, &error));
        send_text(run, "[{\"definition\": \"A\", \"value\": -7}]");
        send_text(run, "[{\"definition\": \"C\", \"value\": false}]");
        send_text(run, "[{\"definition\": \"A\", \"value\": -8}]");
        assert_true(weir_run_suspend(run, false, &error));
        assert_true(weir_context_close(run, "x", &error));
        weir_run_end(run);
        expect_end(run, "Succeeded", "{\"x\":{\"B\":[7]}}");
    }
}

/* --- threads ----------------------------------------------------------------------------------- */

enum { CONTEXTS = 3000 };

static weir_value *many_contexts(int bad) {
    weir_value *contexts = weir_object_new();
    for (int i = 0; i < CONTEXTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%d", i);
        weir_member_put(contexts, name,
                        input(i == bad ? weir_string_new("x", 1) : weir_int_new(-i)));
    }
    return contexts;
}

/* The one that fails ends the run, while others of its round have finished. */
static void a_context_fails_beside_others(void **state) {
    (void)state;
    open_engine((weir_options){.durability = WEIR_DURABILITY_NONE, .threads = 4});
    for (int bad = -1; bad < CONTEXTS; bad += 500)
        expect_end(start(NULL, "contexts", many_contexts(bad)), bad < 0 ? "Succeeded" : "Failed",
                   NULL);
}

enum { TOLD_MAX = 300 };
static uint32_t told;

/* Asks for the end of the run in the middle of its results. */
static void hear_and_cancel(void *arg, weir_run *run, weir_str context, const weir_value *result) {
    (void)arg;
    (void)context;
    assert_true(weir_is(result, WEIR_OBJECT));
    if (++told == TOLD_MAX) weir_run_cancel(run, false);
}

/* From where results are told, too, with chunks of contexts under way on other threads. */
static void a_listener_cancels_the_run(void **state) {
    (void)state;
    for (uint32_t threads = 1; threads <= 4; threads += 3) {
        open_engine((weir_options){
            .durability = WEIR_DURABILITY_NONE, .threads = threads, .result = hear_and_cancel});
        told = 0;
        weir_run *run = start("r", "contexts", many_contexts(-1));
        assert_true(weir_run_wait(run, 60000));
        weir_value *result = weir_run_result(run);
        assert_in_range(told, TOLD_MAX, CONTEXTS);
        /* What is told is what there is: no result is lost, and none comes twice. */
        assert_int_equal(weir_value_count(weir_member_named(result, "results")), told);
        weir_value_unref(result);
        weir_run_close(run);
    }
}

/* --- generators -------------------------------------------------------------------------------- */

static atomic_uint counted;

/* Goes on until it is told to end. */
static bool tick(const weir_host *host, weir_call *call) {
    while (!host->cancelled(call)) {
        host->output(call, "tick", host->null_new());
        host->emit(call);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return false;
}

static bool count(const weir_host *host, weir_call *call) {
    (void)host;
    (void)call;
    atomic_fetch_add(&counted, 1);
    return true;
}

static const weir_port none[] = {{0}}, tick_port[] = {{"tick", "generic", "A tick."}, {0}};
static const weir_operation tick_operation = {.size = sizeof tick_operation,
                                              .name = "test.tick",
                                              .about = "Ticks.",
                                              .inputs = none,
                                              .outputs = tick_port,
                                              .config = none,
                                              .hints = WEIR_GENERATOR,
                                              .run = tick};
static const weir_operation count_operation = {.size = sizeof count_operation,
                                               .name = "test.count",
                                               .about = "Counts ticks, on the pool.",
                                               .inputs = tick_port,
                                               .outputs = none,
                                               .config = none,
                                               .run = count};
/* The same, but nobody would see that. */
static const weir_operation pure_operation = {.size = sizeof pure_operation,
                                              .name = "test.pure",
                                              .about = "Is said to be pure.",
                                              .inputs = none,
                                              .outputs = none,
                                              .config = none,
                                              .hints = WEIR_PURE,
                                              .run = count};
static const weir_operation effect_operation = {.size = sizeof effect_operation,
                                                .name = "test.effect",
                                                .about = "Somebody sees it.",
                                                .inputs = none,
                                                .outputs = none,
                                                .config = none,
                                                .run = count};
static const weir_operation *const clock_operations[] = {&tick_operation, &count_operation,
                                                         &pure_operation, &effect_operation, NULL};
static const weir_plugin clock_plugin = {WEIR_ABI, sizeof clock_plugin, "clock", "1",
                                         clock_operations};

/* More of them than the pool has threads: what takes their ticks runs all the same. */
static void generators_leave_the_pool_free(void **state) {
    (void)state;
    open_engine((weir_options){.durability = WEIR_DURABILITY_NONE});
    assert_true(weir_registry_add(&engine->registry, &clock_plugin, &error));
    weir_value *request = weir_object_new();
    weir_member_put(
        request, "flow",
        parse("{\"definitions\": {\"T\": {}}, \"operations\": {\"tick\": {\"name\": "
              "\"test.tick\", \"inputs\": {}, \"outputs\": {\"tick\": \"T\"}}, \"count\": "
              "{\"name\": \"test.count\", \"inputs\": {\"tick\": \"T\"}, \"outputs\": {}}}}"));
    weir_value *contexts = weir_object_new();
    for (char name[] = "a"; name[0] <= 'p'; name[0]++)
        weir_member_put(contexts, name, weir_array_new());
    weir_member_put(request, "contexts", contexts);
    weir_run *run;
    if (!weir_run_start(engine, request, NULL, NULL, &run, &error)) fail_msg("%s", error.message);
    weir_value_unref(request);
    for (int i = 0; i < 600 && atomic_load(&counted) < 100; i++)
        assert_false(weir_run_wait(run, 50));
    assert_in_range(atomic_load(&counted), 100, UINT32_MAX);
    weir_run_cancel(run, false);
    expect_end(run, "Failed", NULL);
}

/* --- what waits for the disk ------------------------------------------------------------------- */

/* How often it ran while the loop did not turn, so that nobody could say that it is durable: in so many ms at most. */
static unsigned counted_at_once(const char *operation, unsigned ms) {
    char flow[200];
    weir_run *run;
    weir_value *request = weir_object_new();
    snprintf(flow, sizeof flow,
             "{\"definitions\": {}, \"operations\": {\"o\": {\"name\": \"%s\", \"inputs\": {}, "
             "\"outputs\": {}}}}",
             operation);
    weir_member_put(request, "flow", parse(flow));
    atomic_store(&counted, 0);
    if (!weir_run_start(engine, request, NULL, NULL, &run, &error)) fail_msg("%s", error.message);
    weir_value_unref(request);
    for (unsigned i = 0; i < ms && !atomic_load(&counted); i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    unsigned at_once = atomic_load(&counted);
    assert_true(weir_run_wait(run, 60000));
    assert_int_equal(weir_run_code(run), WEIR_OK);
    assert_int_equal(atomic_load(&counted), 1);
    weir_run_close(run);
    return at_once;
}

static void what_is_pure_does_not_wait_for_the_disk(void **state) {
    (void)state;
    open_durable();
    assert_true(weir_registry_add(&engine->registry, &clock_plugin, &error));
    assert_int_equal(counted_at_once("test.pure", 30000), 1);
    assert_int_equal(counted_at_once("test.effect", 30), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(inputs_nest_only_so_deep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(contexts_come_from_outside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_condition_counts_until_the_next_comes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_context_fails_beside_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_listener_cancels_the_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(generators_leave_the_pool_free, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_pure_does_not_wait_for_the_disk, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Looking at runs as an embedder does: two engines on one state, of which one drives. */
#include "embedding.h"

static weir_engine *viewer; /* that only looks */

static void open_both(void) {
    weir_options options = {.size = sizeof options, .state = state_folder};
    open_engine(WEIR_DURABILITY_BATCH);
    assert_true(weir_open(&options, &viewer, &error));
}

static int tear_down_both(void **state) {
    weir_close(viewer);
    viewer = NULL;
    return tear_down(state);
}

static weir_run *start_slow(const char *seconds, const char *name) {
    return start(request_for(slow_workflow(seconds), name));
}

/* Until the driving engine has written something of the run. */
static void drive_until_there(weir_run *run, const char *name) {
    weir_value *found = NULL;
    weir_error absent;
    while (!weir_wait(viewer, &name, 1, false, 0, &found, &absent))
        assert_false(weir_run_wait(run, 5));
    weir_value_unref(found);
}

static void a_watched_run_is_as_the_driven_one(void **state) {
    (void)state;
    open_both();
    weir_run *run = start_slow("0.1", "r"), *watched, *again;
    drive_until_there(run, "r");
    assert_true(weir_run_watch(viewer, "r", &watched, &error));
    assert_false(weir_run_watch(viewer, "r", &again, &error)); /* one is enough */
    assert_int_equal(error.code, WEIR_CONFLICT);
    weir_run_cancel(watched, true); /* it is not ours */
    uint64_t first = weir_run_changes(watched), changes = first;
    while (!weir_run_wait(watched, 20)) {
        weir_run_wait(run, 10);
        assert_true(weir_run_changes(watched) >= changes);
        changes = weir_run_changes(watched);
    }
    assert_true(weir_run_changes(watched) > first);
    assert_true(weir_run_wait(run, 1000));
    weir_value *ours = weir_run_status(run), *theirs = weir_run_status(watched);
    assert_true(weir_value_equal(ours, theirs));
    assert_int_equal(weir_run_code(watched), WEIR_OK);
    assert_true(weir_run_wait(watched, 0));
    weir_value_unref(ours);
    weir_value_unref(theirs);
    weir_run_close(watched);
    weir_run_close(run);
    assert_true(weir_run_watch(viewer, "r", &watched, &error)); /* at its end at once */
    assert_true(weir_run_wait(watched, 0));
    weir_run_close(watched);
    assert_false(weir_run_watch(viewer, "nobody", &watched, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
}

static const char *driven(const weir_value *list, size_t at) {
    const weir_value *value = member(weir_array_at(list, at), "driven");
    return !value ? "over" : weir_bool_get(value) ? "yes" : "no";
}

static void waiting_says_who_goes_on(void **state) {
    (void)state;
    open_both();
    weir_value *list;
    const char *names[] = {"r", "done"}, *absent[] = {"done", "nobody"};
    succeed(start_slow("0", "done"));
    weir_run *run = start_slow("5", "r");
    drive_until_there(run, "r");
    assert_true(weir_wait(viewer, names, 2, true, 60000, &list, &error));
    assert_string_equal(driven(list, 0), "yes");
    assert_string_equal(driven(list, 1), "over");
    assert_string_equal(text_of(weir_array_at(list, 1), "phase"), "Succeeded");
    weir_value_unref(list);
    assert_true(weir_wait(viewer, names, 2, false, 10, &list, &error)); /* the time passed */
    assert_string_equal(driven(list, 0), "yes");
    weir_value_unref(list);
    weir_run_close(run); /* and goes on when somebody recovers it */
    assert_true(weir_wait(viewer, names, 1, false, 0, &list, &error));
    assert_string_equal(driven(list, 0), "no");
    weir_value_unref(list);
    assert_false(weir_wait(viewer, absent, 2, false, 0, &list, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
}

static bool join_run(void *arg, const weir_value *run) {
    char *out = arg;
    snprintf(out + strlen(out), 100, "%s ", text_of(run, "name"));
    return true;
}

static void expect_listed(weir_run_filter filter, const char *expected) {
    char names[1000] = "";
    filter.size = sizeof filter;
    if (!weir_run_list(engine, &filter, join_run, names, &error)) fail_msg("%s", error.message);
    assert_string_equal(names, expected);
}

static void expect_no_list(weir_run_filter filter, weir_code code, const char *message) {
    char names[1000] = "";
    filter.size = sizeof filter;
    assert_false(weir_run_list(engine, &filter, join_run, names, &error));
    assert_int_equal(error.code, code);
    if (!strstr(error.message, message)) fail_msg("%s", error.message);
}

static weir_value *labelled(const char *name, const char *key, weir_value *value) {
    weir_value *request = request_for(slow_workflow("0"), name), *labels = weir_object_new();
    weir_object_set(labels, key, strlen(key), value);
    weir_object_set(request, "labels", 6, labels);
    return request;
}

static void lists_are_filtered_in_memory_too(void **state) {
    (void)state;
    const char *const red[] = {"team=red", NULL}, *const other[] = {"team!=red", NULL},
                      *const wrong[] = {"=", NULL};
    assert_true(open_with((weir_options){.durability = WEIR_DURABILITY_NONE, .record = true}));
    succeed(start(labelled("a", "team", weir_string_new("red", 3))));
    succeed(start(labelled("b", "team", weir_string_new("blue", 4))));
    expect_listed((weir_run_filter){0}, "b a ");
    expect_listed((weir_run_filter){.labels = red}, "a ");
    expect_listed((weir_run_filter){.labels = other}, "b ");
    expect_listed((weir_run_filter){.after = "b", .parent = ""}, "a ");
    expect_listed((weir_run_filter){.after = "@1", .oldest_first = true}, "b ");
    expect_listed((weir_run_filter){.phases = "Error, SUCCEEDED", .kind = "workflow"}, "b a ");
    expect_listed((weir_run_filter){.limit = 1, .name = "?"}, "b ");
    expect_no_list((weir_run_filter){.phases = "Error,"}, WEIR_USAGE, "no phase ``");
    expect_no_list((weir_run_filter){.labels = wrong}, WEIR_USAGE, "`=` names no label");
    expect_no_list((weir_run_filter){.after = "@0"}, WEIR_USAGE, "no place in a list");
    expect_no_list((weir_run_filter){.after = "c"}, WEIR_NOT_FOUND, "no run `c`");
    expect_no_list((weir_run_filter){.parent = "c"}, WEIR_NOT_FOUND, "no run `c`");
    assert_true(weir_delete(engine, "a", false, &error));
    expect_listed((weir_run_filter){0}, "b ");
    assert_false(weir_delete(engine, "a", true, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    weir_run *run;
    weir_value *request = labelled("c", "n", weir_int_new(1));
    assert_false(weir_run_start(engine, request, NULL, NULL, &run, &error));
    assert_int_equal(error.code, WEIR_INVALID);
    assert_string_equal(error.message, "the label `n` is no text");
    weir_value_unref(request);
}

static void expect_kept(const char *name, weir_code code, const char *message) {
    assert_false(weir_delete(viewer, name, false, &error));
    assert_int_equal(error.code, code);
    if (!strstr(error.message, message)) fail_msg("%s", error.message);
}

static void what_goes_on_is_not_deleted(void **state) {
    (void)state;
    open_both();
    weir_run *run = start_slow("5", "r"), *watched;
    drive_until_there(run, "r");
    expect_kept("r", WEIR_CONFLICT, "the run r is under way");
    assert_true(weir_run_watch(viewer, "r", &watched, &error));
    expect_kept("r", WEIR_CONFLICT, "the run r is open in this engine");
    weir_run_cancel(run, true);
    finish(run);
    while (!weir_run_wait(watched, 1000)) continue;
    weir_run_close(watched);
    weir_run_close(run);
    assert_true(weir_run_watch(engine, "r", &watched, &error));
    assert_true(weir_delete(viewer, "r", false, &error));
    weir_run_close(watched);
}

static bool join_result(void *arg, const weir_value *entry) {
    char *out = arg;
    snprintf(out + strlen(out), 100, "%s ", text_of(entry, "context"));
    return strlen(out) < 4;
}

static bool count_event(void *arg, const weir_value *event) {
    (void)event;
    ++*(int *)arg;
    return true;
}

static const char *copy_of_plugin(void) {
    static char copy[200];
    char command[5000];
    snprintf(copy, sizeof copy, "%s", in_folder("mine.so"));
    snprintf(command, sizeof command, "cp %s %s", built("corpus_operations.so"), copy);
    assert_int_equal(system(command), 0);
    return copy;
}

/* Three contexts, x, y and z, of a dataflow that calls the plugin. */
static weir_value *request_of_plugin(const char *operation, const char *parameter,
                                     const char *output, int64_t first, const char *name) {
    char text[400];
    snprintf(text, sizeof text,
             "definitions: {A: {primitive: int}, B: {primitive: int}}\n"
             "operations:\n  n: {name: %s, inputs: {%s: A}, outputs: {%s: B}}\n",
             operation, parameter, output);
    weir_value *request = request_for(write_file("flow.yaml", text), name);
    weir_value *contexts = weir_object_new();
    for (int i = 0; i < 3; i++) {
        char context[2] = {(char)('x' + i), 0};
        weir_value *inputs = weir_array_new(), *input = weir_object_new();
        weir_object_set(input, "value", 5, weir_int_new(first + i));
        put_text(input, "definition", "A");
        weir_array_append(inputs, input);
        weir_object_set(contexts, context, 1, inputs);
    }
    weir_object_set(request, "contexts", 8, contexts);
    return request;
}

/* Reading needs to know what the plugin's operations are, which is kept with the run; driving needs the plugin. */
static void runs_are_read_without_their_plugins(void **state) {
    (void)state;
    char names[100] = "";
    int events = 0;
    const char *plugins[] = {copy_of_plugin(), NULL};
    weir_value *with, *without;
    assert_true(open_with((weir_options){.state = state_folder, .plugins = plugins}));
    succeed(start(request_of_plugin("neg", "a", "result", 0, "r")));
    weir_run *run = start(request_of_plugin("sleep_ms", "ms", "ms", 1000, "s"));
    weir_run_wait(run, 50);
    weir_close(engine);
    engine = NULL;
    open_engine(WEIR_DURABILITY_BATCH); /* which loads the plugin when it is wanted */
    assert_true(weir_get(engine, "r", &with, &error));
    weir_close(engine);
    engine = NULL;
    assert_int_equal(unlink(plugins[0]), 0);
    open_engine(WEIR_DURABILITY_BATCH);
    assert_true(weir_get(engine, "r", &without, &error));
    assert_true(weir_value_equal(with, without));
    weir_value_unref(with);
    weir_value_unref(without);
    assert_true(weir_events(engine, "r", count_event, &events, &error));
    assert_true(events > 10);
    assert_true(weir_results(engine, "r", NULL, join_result, names, &error));
    assert_string_equal(names, "x y "); /* it wanted no more */
    names[0] = '\0';
    assert_true(weir_results(engine, "r", "z", join_result, names, &error));
    assert_string_equal(names, "z ");
    assert_false(weir_results(engine, "r", "w", join_result, names, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    assert_true(weir_run_recover(engine, "r", &run, &error)); /* it is at its end */
    weir_run_close(run);
    assert_true(weir_run_watch(engine, "s", &run, &error));
    assert_false(weir_run_wait(run, 0));
    weir_run_close(run);
    assert_false(weir_run_recover(engine, "s", &run, &error));
    assert_int_equal(error.code, WEIR_PLUGIN);
    assert_non_null(strstr(error.message, "there is no plugin"));
    assert_true(weir_delete(engine, "s", true, &error));
    assert_true(weir_delete(engine, "r", false, &error));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_watched_run_is_as_the_driven_one, set_up, tear_down_both),
        cmocka_unit_test_setup_teardown(waiting_says_who_goes_on, set_up, tear_down_both),
        cmocka_unit_test_setup_teardown(lists_are_filtered_in_memory_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_goes_on_is_not_deleted, set_up, tear_down_both),
        cmocka_unit_test_setup_teardown(runs_are_read_without_their_plugins, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("engine_looking", tests, NULL, NULL);
}

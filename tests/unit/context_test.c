/* Contexts that are added, and inputs that are sent, while a dataflow's run goes on: what weir.h says of them. */
#include "embedding.h"

#include <signal.h>
#include <stdint.h>

/* --- values --- */

/* An array of inputs of one definition: "A", 1, 2, … up to NONE. */
enum { NONE = -1 };

static void add_input(weir_value *inputs, const char *definition, weir_value *value) {
    weir_value *input = weir_object_new();
    put_text(input, "definition", definition);
    weir_object_set(input, "value", 5, value);
    weir_array_append(inputs, input);
}

static weir_value *numbers(const char *definition, int first, int second) {
    weir_value *inputs = weir_array_new();
    if (first != NONE) add_input(inputs, definition, weir_int_new(first));
    if (second != NONE) add_input(inputs, definition, weir_int_new(second));
    return inputs;
}

/* B is -A; C is made of odd numbers only; D waits for GO. */
static const char flow_text[] =
    "definitions: {A: {}, B: {}, C: {}, D: {}, GO: {}, F: {}, S: {}, T: {}}\n"
    "operations:\n"
    "  n: {name: neg, inputs: {a: A}, outputs: {result: B}}\n"
    "  f: {name: fail_if_odd, inputs: {n: F}, outputs: {n: C}}\n"
    "  w: {name: neg, inputs: {a: A}, outputs: {result: D}, conditions: [GO]}\n"
    "  g: {name: get_multi, inputs: {spec: S}, outputs: {output: T}, stage: output}\n"
    "configs: {g: {nostrict: [A, B, C, D]}}\n"
    "seed: [{value: [A, B, C, D], definition: S}]\n";

static weir_value *open_request(const char *name) {
    weir_value *request = request_for(write_file("flow.yaml", flow_text), name);
    weir_object_set(request, "open", 4, weir_bool_new(true));
    return request;
}

/* Every test that does not say otherwise runs on disk and in memory alike. */
static weir_durability durabilities[] = {WEIR_DURABILITY_NONE, WEIR_DURABILITY_BATCH};

static void open_this(void **state, weir_options options) {
    static const char *plugins[2];
    plugins[0] = built("corpus_operations.so");
    options.plugins = plugins;
    const weir_durability *durability = *state;
    options.durability = *durability;
    options.state = state_folder;
    if (!open_with(options)) fail_msg("%s", error.message);
}

/* --- what may be done --- */

static void add(weir_run *run, const char *name, weir_value *inputs, bool hold) {
    if (!weir_context_open(run, name, inputs, hold, &error)) fail_msg("%s", error.message);
    weir_value_unref(inputs);
}

static void send(weir_run *run, const char *name, weir_value *inputs) {
    if (!weir_context_send(run, name, inputs, &error)) fail_msg("%s", error.message);
    weir_value_unref(inputs);
}

static void end_context(weir_run *run, const char *name) {
    if (!weir_context_close(run, name, &error)) fail_msg("%s", error.message);
}

/* The values of a definition in a context's result: one number each. */
static void assert_values(const weir_value *result, const char *context, const char *definition,
                          const char *wanted) {
    char text[256] = "";
    const weir_value *of_context = member(member(result, "results"), context);
    if (!of_context) fail_msg("no result of %s", context);
    const weir_value *values = member(of_context, definition);
    for (size_t i = 0; values && i < weir_value_count(values); i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%lld", i ? " " : "",
                 (long long)weir_int_get(weir_array_at(values, i)));
    assert_string_equal(text, wanted);
}

static void contexts_are_added(void **state) {
    open_this(state, (weir_options){0});
    weir_run *run = start(open_request("r"));
    assert_false(weir_run_wait(run, 20));
    add(run, "one", numbers("A", 1, 2), false);
    assert_false(weir_run_wait(run, 20));
    add(run, "two", numbers("A", 3, NONE), false);
    add(run, "none", weir_array_new(), false);
    weir_run_end(run);
    weir_value *result = result_of(run, "Succeeded");
    assert_int_equal(weir_value_count(member(result, "results")), 3);
    assert_values(result, "one", "B", "-1 -2");
    assert_values(result, "two", "B", "-3");
    assert_values(result, "none", "B", "");
    weir_value_unref(result);
}

static void inputs_are_sent(void **state) {
    open_this(state, (weir_options){0});
    weir_run *run = start(open_request("r"));
    add(run, "held", numbers("A", 1, NONE), true);
    send(run, "held", numbers("A", 2, 3));
    assert_false(weir_run_wait(run, 20));
    send(run, "held", numbers("A", 4, NONE));
    weir_run_end(run); /* no more contexts; this one goes on */
    assert_false(weir_run_wait(run, 20));
    send(run, "held", weir_array_new());
    send(run, "held", numbers("A", 5, NONE));
    end_context(run, "held");
    weir_value *result = result_of(run, "Succeeded");
    assert_values(result, "held", "B", "-1 -2 -3 -4 -5");
    assert_values(result, "held", "D", "");
    weir_value_unref(result);
}

/* Sets that a false condition kept fire when it becomes true; those that come later fire at once. */
static void a_condition_is_sent(void **state) {
    open_this(state, (weir_options){0});
    weir_run *run = start(open_request("r"));
    add(run, "held", numbers("A", 1, 2), true);
    send(run, "held", numbers("GO", 0, NONE));
    send(run, "held", numbers("A", 3, NONE));
    assert_false(weir_run_wait(run, 20));
    send(run, "held", numbers("GO", 1, NONE));
    send(run, "held", numbers("A", 4, NONE));
    assert_false(weir_run_wait(run, 20));
    send(run, "held", numbers("GO", 0, NONE));
    send(run, "held", numbers("A", 5, NONE));
    end_context(run, "held");
    weir_run_end(run);
    weir_value *result = result_of(run, "Succeeded");
    assert_values(result, "held", "D", "-1 -2 -3 -4");
    weir_value_unref(result);
}

static void a_run_may_have_no_contexts(void **state) {
    open_this(state, (weir_options){0});
    weir_run *run = start(open_request("r"));
    assert_false(weir_run_wait(run, 20));
    weir_run_end(run);
    weir_run_end(run); /* again changes nothing */
    weir_value *result = result_of(run, "Succeeded");
    assert_int_equal(weir_value_count(member(result, "results")), 0);
    weir_value_unref(result);
}

/* --- what may not --- */

static weir_code code_of(bool done) {
    assert_false(done);
    assert_true(error.message[0]);
    return error.code;
}

static void assert_refused(weir_run *run, weir_value *inputs) {
    assert_int_equal(code_of(weir_context_open(run, "new", inputs, false, &error)), WEIR_INVALID);
    assert_int_equal(code_of(weir_context_send(run, "held", inputs, &error)), WEIR_INVALID);
    weir_value_unref(inputs);
}

static void what_is_no_input_is_refused(void **state) {
    open_this(state, (weir_options){0});
    weir_run *run = start(open_request("r"));
    add(run, "held", weir_array_new(), true);
    assert_refused(run, weir_object_new());
    assert_refused(run, weir_int_new(3));
    weir_value *items = weir_array_new();
    weir_array_append(items, weir_int_new(3));
    assert_refused(run, items);
    items = weir_array_new();
    weir_array_append(items, weir_object_new());
    assert_refused(run, items);
    weir_value *unknown = numbers("Z", 1, NONE);
    assert_false(weir_context_send(run, "held", unknown, &error));
    assert_non_null(strstr(error.message, "`Z`"));
    assert_false(weir_context_open(run, "new", unknown, true, &error));
    weir_value_unref(unknown);
    end_context(run, "held");
    weir_run_end(run);
    weir_value *result = result_of(run, "Succeeded");
    assert_int_equal(weir_value_count(member(result, "results")), 1);
    weir_value_unref(result);
}

static void what_is_not_there_is_not_found(void **state) {
    open_this(state, (weir_options){0});
    weir_run *run = start(open_request("r"));
    weir_value *inputs = numbers("A", 1, NONE);
    add(run, "free", weir_value_ref(inputs), false);
    add(run, "held", weir_value_ref(inputs), true);
    static const char *const names[] = {"free", "nobody", ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(code_of(weir_context_send(run, names[i], inputs, &error)), WEIR_NOT_FOUND);
        assert_int_equal(code_of(weir_context_close(run, names[i], &error)), WEIR_NOT_FOUND);
    }
    end_context(run, "held");
    assert_false(weir_run_wait(run, 20));
    assert_int_equal(code_of(weir_context_send(run, "held", inputs, &error)), WEIR_NOT_FOUND);
    assert_int_equal(code_of(weir_context_close(run, "held", &error)), WEIR_NOT_FOUND);
    weir_run_end(run);
    finish(run);
    assert_int_equal(code_of(weir_context_send(run, "held", inputs, &error)), WEIR_NOT_FOUND);
    weir_value_unref(inputs);
    succeed(run);
}

static void what_is_there_is_a_conflict(void **state) {
    open_this(state, (weir_options){0});
    weir_run *run = start(open_request("r"));
    weir_value *inputs = numbers("A", 1, NONE);
    add(run, "held", weir_value_ref(inputs), true);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(code_of(weir_context_open(run, "held", inputs, i % 2, &error)),
                         WEIR_CONFLICT);
        assert_false(weir_run_wait(run, 20)); /* also once it is open */
    }
    end_context(run, "held");
    assert_false(weir_run_wait(run, 20));
    weir_run_end(run);
    assert_int_equal(code_of(weir_context_open(run, "new", inputs, false, &error)), WEIR_CONFLICT);
    finish(run);
    assert_int_equal(code_of(weir_context_open(run, "new", inputs, true, &error)), WEIR_CONFLICT);
    weir_value *result = result_of(run, "Succeeded");
    assert_values(result, "held", "B", "-1");
    weir_value_unref(result);
    run = start(request_for(in_folder("flow.yaml"), "closed")); /* not `open` */
    assert_int_equal(code_of(weir_context_open(run, "new", inputs, false, &error)), WEIR_CONFLICT);
    succeed(run);
    run = start(request_for(source_file("examples/workflow/hello-world.yaml"), NULL));
    assert_int_equal(code_of(weir_context_open(run, "new", inputs, false, &error)), WEIR_INVALID);
    assert_int_equal(code_of(weir_context_send(run, "new", inputs, &error)), WEIR_INVALID);
    weir_run_end(run);
    succeed(run);
    weir_value_unref(inputs);
}

/* A name is free again when its context has finished. */
static void a_name_is_used_again(void **state) {
    open_this(state, (weir_options){0});
    weir_run *run = start(open_request("r"));
    for (int i = 0; i < 3; i++) {
        add(run, "held", numbers("A", i, NONE), true);
        send(run, "held", numbers("A", 10, NONE));
        end_context(run, "held");
        assert_false(weir_run_wait(run, 20));
    }
    weir_run_end(run);
    weir_value *result = result_of(run, "Succeeded");
    assert_values(result, "held", "B", "-2 -10");
    weir_value_unref(result);
}

/* --- results --- */

typedef struct seen {
    int64_t count, sum;
} seen;

static void note_result(void *arg, weir_run *run, weir_str context, const weir_value *result) {
    seen *noted = arg;
    (void)run;
    assert_true(context.length > 0);
    noted->count++;
    noted->sum += weir_int_get(weir_array_at(member(result, "B"), 0));
}

/* More contexts than may wait: LIMIT says when to drive. */
static void results_come_as_contexts_finish(void **state) {
    enum { CONTEXTS = 6000 };
    seen noted = {0};
    open_this(state, (weir_options){.result = note_result, .arg = &noted, .results_go = true});
    weir_value *request = open_request("r");
    weir_object_set(request, "max_contexts", 12, weir_int_new(7));
    weir_run *run = start(request);
    size_t limits = 0;
    for (int i = 1; i <= CONTEXTS; i++) {
        char name[32];
        snprintf(name, sizeof name, "c%d", i);
        weir_value *inputs = numbers("A", i, NONE);
        while (!weir_context_open(run, name, inputs, false, &error)) {
            assert_int_equal(error.code, WEIR_LIMIT);
            limits++;
            assert_false(weir_run_wait(run, 1));
        }
        weir_value_unref(inputs);
    }
    weir_run_end(run);
    weir_value *result = result_of(run, "Succeeded");
    assert_true(limits > 0);
    assert_int_equal(noted.count, CONTEXTS);
    assert_int_equal(noted.sum, -(int64_t)CONTEXTS * (CONTEXTS + 1) / 2);
    assert_int_equal(weir_value_count(member(result, "results")), 0);
    weir_value_unref(result);
}

/* --- ends --- */

static void a_held_run_is_cancelled(void **state) {
    open_this(state, (weir_options){0});
    weir_run *run = start(open_request("r"));
    weir_value *inputs = numbers("A", 1, NONE);
    add(run, "held", weir_value_ref(inputs), true);
    add(run, "free", weir_value_ref(inputs), false);
    assert_false(weir_run_wait(run, 20));
    weir_run_cancel(run, false);
    finish(run);
    assert_int_equal(code_of(weir_context_send(run, "held", inputs, &error)), WEIR_NOT_FOUND);
    assert_int_equal(code_of(weir_context_open(run, "new", inputs, true, &error)), WEIR_CONFLICT);
    weir_value *result = weir_run_result(run);
    assert_string_equal(text_of(result, "phase"), "Failed");
    assert_true(has_text(result, "cancelled"));
    assert_null(member(member(result, "results"), "held"));
    assert_values(result, "free", "B", "-1");
    weir_value_unref(result);
    weir_value_unref(inputs);
    weir_run_close(run);
}

/* A failure ends a strict run with all that is held; else its context goes on. */
static void a_failure_ends_what_is_held(void **state) {
    open_this(state, (weir_options){0});
    weir_run *run = start(open_request("strict"));
    add(run, "held", numbers("A", 1, NONE), true);
    add(run, "other", weir_array_new(), true);
    send(run, "other", numbers("F", 1, NONE));
    weir_value_unref(result_of(run, "Failed"));
    weir_value *request = open_request("lenient");
    weir_object_set(request, "strict", 6, weir_bool_new(false));
    run = start(request);
    add(run, "held", numbers("A", 1, NONE), true);
    send(run, "held", numbers("F", 1, 2));
    assert_false(weir_run_wait(run, 20));
    send(run, "held", numbers("F", 4, NONE));
    end_context(run, "held");
    weir_run_end(run);
    weir_value *result = result_of(run, "Succeeded");
    assert_values(result, "held", "C", "2 4");
    weir_value_unref(result);
}

/* More are held than may be open at once: those that wait take inputs too, and may be closed. */
static void more_contexts_are_held_than_open(void **state) {
    enum { CONTEXTS = 1500 };
    open_this(state, (weir_options){0});
    weir_run *run = start(open_request("r"));
    for (int step = 0; step < 3; step++)
        for (int i = 0; i < CONTEXTS; i++) {
            char name[32];
            snprintf(name, sizeof name, "c%d", i);
            if (step == 0) add(run, name, numbers("A", i, NONE), true);
            if (step == 1) send(run, name, numbers("A", i + 1, NONE));
            if (step == 2) end_context(run, name);
        }
    weir_run_end(run);
    weir_value *result = result_of(run, "Succeeded");
    assert_int_equal(weir_value_count(member(result, "results")), CONTEXTS);
    assert_values(result, "c7", "B", "-7 -8");
    assert_values(result, "c1499", "B", "-1499 -1500");
    weir_value_unref(result);
}

/* An engine may end with contexts that are held: nothing hangs. */
static void an_engine_closes_with_what_is_held(void **state) {
    open_this(state, (weir_options){0});
    weir_run *run = start(open_request("r"));
    add(run, "held", numbers("A", 1, NONE), true);
    add(run, "waits", numbers("A", 1, NONE), true);
    assert_false(weir_run_wait(run, 20));
    send(run, "held", numbers("A", 2, NONE));
    weir_run_close(run);
}

/* --- after a crash --- */

static void open_on_disk(void) {
    weir_durability on_disk = WEIR_DURABILITY_BATCH, *which = &on_disk;
    open_this((void **)&which, (weir_options){0});
}

/* In a process of its own: dies with a context that is held, one that has finished, one whose inputs have just come,
 * and, where it was told so, after the run was told that no more will come. */
static int die_elsewhere(const char *where, bool ended) {
    snprintf(folder, sizeof folder, "%s", where);
    snprintf(state_folder, sizeof state_folder, "%s/state", folder);
    open_on_disk();
    weir_run *run = start(open_request("r"));
    add(run, "held", numbers("A", 1, NONE), true);
    add(run, "free", numbers("A", 7, NONE), false);
    assert_false(weir_run_wait(run, 100));
    send(run, "held", numbers("A", 2, NONE));
    add(run, "second", numbers("A", 9, NONE), true);
    if (ended) weir_run_end(run);
    assert_false(weir_run_wait(run, 100));
    raise(SIGKILL);
    return 1;
}

static void check_recovery(bool ended) {
    char *const arguments[] = {"context_test", folder, ended ? "ended" : NULL, NULL};
    pid_t other;
    int status = 0;
    assert_int_equal(posix_spawn(&other, "/proc/self/exe", NULL, NULL, arguments, environ), 0);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    open_on_disk();
    weir_run *run = NULL;
    if (!weir_run_recover(engine, "r", &run, &error)) fail_msg("%s", error.message);
    assert_false(weir_run_wait(run, 20));
    weir_value *inputs = numbers("A", 1, NONE);
    assert_int_equal(code_of(weir_context_send(run, "free", inputs, &error)), WEIR_NOT_FOUND);
    assert_int_equal(code_of(weir_context_open(run, "held", inputs, true, &error)), WEIR_CONFLICT);
    bool added = weir_context_open(run, "third", inputs, false, &error);
    assert_int_equal(added, !ended);
    weir_value_unref(inputs);
    send(run, "held", numbers("A", 3, NONE));
    end_context(run, "held");
    send(run, "second", numbers("A", 10, NONE));
    end_context(run, "second");
    weir_run_end(run);
    weir_value *result = result_of(run, "Succeeded");
    assert_values(result, "held", "B", "-1 -2 -3");
    assert_values(result, "free", "B", "-7");
    assert_values(result, "second", "B", "-9 -10");
    if (!ended) assert_values(result, "third", "B", "-1");
    weir_value_unref(result);
}

/* In a process of its own: dies when it is told the first of several results, all of which are durable. */
enum { RESULTS = 20 };

static void die_told(void *arg, weir_run *run, weir_str context, const weir_value *result) {
    (void)arg;
    (void)run;
    (void)context;
    (void)result;
    raise(SIGKILL);
}

static void open_telling(void (*result)(void *arg, weir_run *run, weir_str context,
                                        const weir_value *result),
                         seen *noted) {
    weir_durability on_disk = WEIR_DURABILITY_BATCH, *which = &on_disk;
    open_this((void **)&which, (weir_options){.result = result, .arg = noted, .results_go = true});
}

static int die_telling(const char *where) {
    snprintf(folder, sizeof folder, "%s", where);
    snprintf(state_folder, sizeof state_folder, "%s/state", folder);
    open_telling(die_told, NULL);
    weir_run *run = start(open_request("r"));
    for (int i = 1; i <= RESULTS; i++) {
        char name[32];
        snprintf(name, sizeof name, "c%d", i);
        add(run, name, numbers("A", i, NONE), false);
    }
    weir_run_end(run);
    finish(run);
    return 1;
}

/* Nobody knows which results were told before a crash, so all are told again, also those of a run that is over. */
static void results_are_told_again_after_a_crash(void **state) {
    (void)state;
    char *const arguments[] = {"context_test", folder, "results", "", NULL};
    pid_t other;
    int status = 0;
    assert_int_equal(posix_spawn(&other, "/proc/self/exe", NULL, NULL, arguments, environ), 0);
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    for (int again = 0; again < 2; again++) {
        seen noted = {0};
        open_telling(note_result, &noted);
        weir_run *run = NULL;
        if (!weir_run_recover(engine, "r", &run, &error)) fail_msg("%s", error.message);
        succeed(run);
        assert_int_equal(noted.count, RESULTS);
        assert_int_equal(noted.sum, -RESULTS * (RESULTS + 1) / 2);
        weir_close(engine);
        engine = NULL;
    }
}

static void a_held_run_goes_on_after_a_crash(void **state) {
    (void)state;
    check_recovery(false);
}

static void a_held_run_that_was_ended_goes_on_after_a_crash(void **state) {
    (void)state;
    check_recovery(true);
}

static const struct {
    const char *name;
    CMUnitTestFunction test;
} everywhere[] = {
    {"contexts_are_added", contexts_are_added},
    {"inputs_are_sent", inputs_are_sent},
    {"a_condition_is_sent", a_condition_is_sent},
    {"a_run_may_have_no_contexts", a_run_may_have_no_contexts},
    {"what_is_no_input_is_refused", what_is_no_input_is_refused},
    {"what_is_not_there_is_not_found", what_is_not_there_is_not_found},
    {"what_is_there_is_a_conflict", what_is_there_is_a_conflict},
    {"a_name_is_used_again", a_name_is_used_again},
    {"results_come_as_contexts_finish", results_come_as_contexts_finish},
    {"a_held_run_is_cancelled", a_held_run_is_cancelled},
    {"a_failure_ends_what_is_held", a_failure_ends_what_is_held},
    {"more_contexts_are_held_than_open", more_contexts_are_held_than_open},
    {"an_engine_closes_with_what_is_held", an_engine_closes_with_what_is_held},
};

enum { EVERYWHERE = sizeof everywhere / sizeof *everywhere };

int main(int count, char **arguments) {
    if (count > 3) return die_telling(arguments[1]);
    if (count > 1) return die_elsewhere(arguments[1], count > 2);
    static struct CMUnitTest tests[2 * EVERYWHERE + 3];
    for (size_t i = 0; i < 2 * EVERYWHERE; i++)
        tests[i] = (struct CMUnitTest){everywhere[i / 2].name, everywhere[i / 2].test, set_up,
                                       tear_down, &durabilities[i % 2]};
    tests[2 * EVERYWHERE] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
        a_held_run_goes_on_after_a_crash, set_up, tear_down);
    tests[2 * EVERYWHERE + 1] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
        a_held_run_that_was_ended_goes_on_after_a_crash, set_up, tear_down);
    tests[2 * EVERYWHERE + 2] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
        results_are_told_again_after_a_crash, set_up, tear_down);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

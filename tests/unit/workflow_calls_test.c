/* Calls of templates: loops, retries, suspensions, hooks, and how many run at once. */
#include "workflow_run.h"

#include "workflow/suspend.h"

/* --- what runs, as workflow_calls.txt has it -------------------------------------------------------------- */

static weir_str read_cases(void) {
    char path[4096];
    weir_buffer text = {0};
    snprintf(path, sizeof path, "%s/tests/unit/workflow_calls.txt",
             getenv("WEIR_SOURCE") ? getenv("WEIR_SOURCE") : ".");
    FILE *file = fopen(path, "r");
    if (!file) fail_msg("%s cannot be read: set WEIR_SOURCE", path);
    for (int ch; (ch = fgetc(file)) != EOF;) weir_buffer_byte(&text, (char)ch);
    fclose(file);
    return weir_buffer_str(&text);
}

/* What is between two lines that begin so; moves on. */
static weir_str take_until(weir_str *rest, const char *mark) {
    size_t end = weir_str_find(*rest, weir_str_from(mark), 0);
    if (end == SIZE_MAX) end = rest->length;
    weir_str part = weir_str_slice(*rest, 0, end);
    *rest = weir_str_slice(*rest, end == rest->length ? end : end + strlen(mark), rest->length);
    return part;
}

static void run_case(weir_str body, weir_str end, weir_str nodes) {
    weir_buffer text = {0};
    bool bare = weir_str_starts(body, WEIR_STR("spec:"));
    weir_buffer_printf(&text, "%s%s%.*s\n%s%s", HEAD,
                       bare ? "" : "spec:\n  entrypoint: main\n  templates:\n", WEIR_ARG(body),
                       ECHO, EXIT);
    char *all = weir_str_dup(nodes), *ends = weir_str_dup(end);
    char *colon = strchr(ends, ':');
    assert_non_null(colon);
    *colon = '\0';
    expect(text.data, ends, colon[1] ? colon + 2 : "", all);
    weir_free(all);
    weir_free(ends);
    weir_buffer_deinit(&text);
}

static void calls_run_as_they_should(void **state) {
    (void)state;
    weir_str all = read_cases(), rest = all;
    size_t count = 0;
    (void)take_until(&rest, "\n== ");
    while (rest.length) {
        weir_str one = take_until(&rest, "\n== "), title = take_until(&one, "\n");
        weir_str body = take_until(&one, "\n-- "), end = take_until(&one, "\n");
        weir_buffer nodes = {0};
        weir_buffer_printf(&nodes, "%.*s%s", WEIR_ARG(one),
                           weir_str_ends(one, WEIR_STR("\n")) ? "" : "\n");
        print_message("  %.*s\n", WEIR_ARG(title));
        run_case(body, end, weir_buffer_str(&nodes));
        weir_buffer_deinit(&nodes);
        count++;
    }
    assert_in_range(count, 20, 1000);
    weir_free((char *)all.data);
}

/* --- what is asked of a run ---------------------------------------------------------------------------------- */

#define MAIN(body)                                                                                 \
    HEAD "spec:\n  entrypoint: main\n  templates:\n" ECHO EXIT "  - name: main\n" body

#define APPROVAL                                                                                   \
    HEAD "spec:\n  entrypoint: main\n  templates:\n" ECHO                                          \
         "  - name: ask\n    inputs: {parameters: [{name: who}]}\n    suspend: {}\n"               \
         "    outputs: {parameters: [{name: who, valueFrom: {supplied: {}}}, {name: ok, "          \
         "valueFrom: {supplied: {}, default: 'no'}}]}\n"                                           \
         "  - name: main\n    steps:\n    - - {name: ask, template: ask, withItems: [eve, bob], "  \
         "arguments: {parameters: [{name: who, value: '{{item}}'}]}}\n"                            \
         "    - - {name: say, template: echo, arguments: {parameters: [{name: m, value: "          \
         "'{{steps.ask.outputs.parameters.ok}}'}]}}\n"

/* NULL and the error's code in *code. */
static weir_value *ask(const driver *d, const char *json, weir_code *code) {
    weir_value *what;
    weir_error error = {0};
    assert_true(weir_json_parse(weir_str_from(json), WEIR_STR("what"), &what, &error));
    weir_value *data = weir_workflow_set_nodes(d->run, what, &error);
    *code = error.code;
    weir_value_unref(what);
    return data;
}

static void set(driver *d, const char *json) {
    weir_code code;
    weir_value *data = ask(d, json, &code);
    assert_non_null(data);
    fact(d, WEIR_NODE_SET, 0, 0, data);
    go_on(d);
}

static void a_suspended_node_is_told_what_it_gives(void **state) {
    (void)state;
    driver d;
    weir_code code;
    run(&d, APPROVAL, NULL);
    assert_string_equal(d.phase, "");
    set(&d,
        "{\"selector\": \"inputs.parameters.who.value=bob\", \"parameters\": {\"ok\": \"yes\"}}");
    assert_string_equal(d.phase, "");
    set(&d, "{\"selector\": \"templateName=ask,displayName!=x\", \"resume\": true}");
    char *got = lines(&d);
    assert_string_equal(got, "w Steps Succeeded\n"
                             "w[0] StepGroup Succeeded\n"
                             "w[0].ask(0:eve) Suspend Succeeded who=eve >who=eve >ok=no\n"
                             "w[0].ask(1:bob) Suspend Succeeded who=bob >who=bob >ok=yes\n"
                             "w[1] StepGroup Succeeded\n"
                             "w[1].say Pod Succeeded m=[\"no\",\"yes\"]\n");
    weir_free(got);
    assert_null(ask(&d, "{\"resume\": true}", &code));
    assert_int_equal(code, WEIR_NOT_FOUND);
    driver again;
    replay(&again, d.plan, &d, SIZE_MAX);
    assert_string_equal(again.phase, "Succeeded");
    close(&again);
    close(&d);
    d.plan->free(d.plan);
}

static void a_suspended_node_may_be_failed(void **state) {
    (void)state;
    driver d;
    weir_code code;
    run(&d, APPROVAL, NULL);
    static const struct {
        const char *json;
        weir_code code;
    } wrong[] = {{"{\"selector\": \"colour=red\", \"resume\": true}", WEIR_USAGE},
                 {"{\"selector\": \"name\", \"resume\": true}", WEIR_USAGE},
                 {"{\"selector\": \"name=x\", \"resume\": true}", WEIR_NOT_FOUND},
                 {"{\"phase\": \"Running\"}", WEIR_USAGE},
                 {"{\"parameters\": {\"q\": \"1\"}}", WEIR_INVALID}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_null(ask(&d, wrong[i].json, &code));
        assert_int_equal(code, wrong[i].code);
    }
    set(&d, "{\"phase\": \"Failed\", \"message\": \"no way\"}");
    char *got = lines(&d);
    assert_non_null(
        strstr(got, "w[0].ask(0:eve) Suspend Failed: no way who=eve >who=eve >ok=no\n"));
    weir_free(got);
    assert_string_equal(d.phase, "Failed");
    close(&d);
    d.plan->free(d.plan);
}

/* How many attempts are under way before any has ended. */
static uint32_t begun_at_once(const char *text) {
    driver d;
    weir_problems problems = {0};
    weir_plan *plan = compile(text, "w", NULL, &problems);
    assert_non_null(plan);
    weir_problems_deinit(&problems);
    open(&d, plan);
    fact(&d, WEIR_RUN_CREATED, 0, 0, NULL);
    while (d.run->class->decide(d.run, 1, &d.decisions)) {
    }
    uint32_t tasks = weir_tasks_count(d.tasks);
    go_on(&d);
    assert_string_equal(d.phase, "Succeeded");
    expect_replay(&d);
    close(&d);
    plan->free(plan);
    return tasks;
}

static void no_more_run_at_once_than_may(void **state) {
    (void)state;
    assert_int_equal(
        begun_at_once(
            MAIN("    parallelism: 2\n    steps:\n    - - {name: a, "
                 "withSequence: {count: 9}, "
                 "template: echo, arguments: {parameters: [{name: m, value: '{{item}}'}]}}\n")),
        2);
    assert_int_equal(
        begun_at_once(HEAD
                      "spec:\n  entrypoint: main\n  parallelism: 3\n  templates:\n" ECHO
                      "  - name: main\n    dag:\n      tasks:\n      - {name: a, when: "
                      "'{{item}} != 1', withSequence: {count: 9}, "
                      "template: echo, arguments: {parameters: [{name: m, value: '{{item}}'}]}}\n"),
        3);
}

static void a_stop_ends_what_waits(void **state) {
    (void)state;
    driver d;
    run(&d,
        MAIN("    parallelism: 1\n    steps:\n    - - {name: s, template: s, withItems: [1, 2]}\n"
             "      - {name: r, template: r}\n"
             "  - {name: s, container: {image: a, command: [sleep]}}\n"
             "  - {name: r, suspend: {}}\n"),
        NULL);
    assert_string_equal(d.phase, "");
    fact(&d, WEIR_RUN_CANCELLED, 0, 0, NULL);
    go_on(&d);
    assert_string_equal(d.phase, "Failed");
    assert_string_equal(d.message, "Stopped with strategy 'Stop'");
    close(&d);
    d.plan->free(d.plan);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_run_as_they_should),
        cmocka_unit_test(a_suspended_node_is_told_what_it_gives),
        cmocka_unit_test(a_suspended_node_may_be_failed),
        cmocka_unit_test(no_more_run_at_once_than_may),
        cmocka_unit_test(a_stop_ends_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

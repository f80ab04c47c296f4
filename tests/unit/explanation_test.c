/* Explanations: from the events and the status of a run to what is said of its operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cli/explanation.h"
#include "quoted.h"

typedef struct explanation_case {
    const char *about, *events, *status, *operation, *text; /* events: JSON array */
    bool all;
} explanation_case;

static const char flow_events[] =
    "[{'id': '1:1', 'type': 'context.opened', 'prev': ['0:1'], 'data': {'name': 'default'}},"
    " {'id': '1:2', 'type': 'operation.fired', 'prev': ['1:1'],"
    "  'data': {'instance': 'a', 'context': 'default'}},"
    " {'id': '1:3', 'type': 'attempt.started', 'prev': ['1:2'], 'data': {'task': 0, 'attempt': 1,"
    "  'instance': 'a', 'context': 'default', 'parameters': {'x': 1}}},"
    " {'id': '1:4', 'type': 'attempt.finished', 'prev': ['1:3'], 'data': {'task': 0,"
    "  'instance': 'a', 'context': 'default', 'outcome': 'failed',"
    "  'failure': {'code': 'io', 'message': 'no\\u001bdisk'}}},"
    " {'id': '1:5', 'type': 'task.retried', 'prev': ['1:4'],"
    "  'data': {'task': 0, 'instance': 'a', 'context': 'default'}},"
    " {'id': '1:6', 'type': 'attempt.started', 'prev': ['1:5'], 'data': {'task': 0, 'attempt': 2,"
    "  'instance': 'a', 'context': 'default', 'parameters': {'x': 1}}},"
    " {'id': '1:7', 'type': 'attempt.finished', 'prev': ['1:6'], 'data': {'task': 0,"
    "  'instance': 'a', 'context': 'default', 'outcome': 'succeeded', 'outputs': {}}},"
    " {'id': '1:8', 'type': 'task.finished', 'prev': ['1:7'],"
    "  'data': {'task': 0, 'instance': 'a', 'context': 'default'}},"
    " {'id': '1:9', 'type': 'operation.fired', 'prev': ['1:8', '1:1'],"
    "  'data': {'instance': 'b', 'context': 'default'}},"
    " {'id': '1:10', 'type': 'attempt.started', 'prev': ['1:9'], 'data': {'task': 1, 'attempt': 1,"
    "  'instance': 'b', 'context': 'default', 'parameters': {}}}]";
static const char flow_status[] =
    "{'run': 'r', 'name': 'run-1', 'kind': 'dataflow', 'phase': 'Succeeded', 'nodes': ["
    " {'id': '1', 'name': 'default', 'type': 'Context', 'phase': 'Succeeded'},"
    " {'id': '1.0', 'name': 'a', 'phase': 'Succeeded', 'type': 'Operation', 'parent': '1'},"
    " {'id': '1.1', 'name': 'b', 'phase': 'Running', 'type': 'Operation', 'parent': '1'},"
    " {'id': '1.2', 'name': 'c', 'phase': 'Omitted', 'type': 'Operation', 'parent': '1',"
    "  'why': ['parameter `n` (int) had no value: it waits for b.number',"
    "          'condition `even` was false: b.even gave 0']},"
    " {'id': '1.3', 'name': 'd', 'phase': 'Omitted', 'type': 'Operation', 'parent': '1'}]}";
static const char workflow_events[] =
    "[{'id': '0:2', 'type': 'node.started', 'prev': ['0:1'], 'data': {'node': 'w'}},"
    " {'id': '0:3', 'type': 'node.started', 'prev': ['0:2'], 'data': {'node': 'w.a'}},"
    " {'id': '0:4', 'type': 'attempt.started', 'data': {'task': 0, 'attempt': 1, 'node': 'w.a'}},"
    " {'id': '0:5', 'type': 'attempt.finished', 'data': {'task': 0, 'node': 'w.a',"
    "  'outcome': 'failed', 'failure': {'code': 'operation_failed', 'message': 'exit code 3'}}}]";
static const char workflow_status[] =
    "{'name': 'w', 'kind': 'workflow', 'phase': 'Failed', 'nodes': ["
    " {'id': 'w', 'name': 'w', 'displayName': 'w', 'type': 'DAG', 'phase': 'Failed'},"
    " {'id': 'w-1', 'name': 'w.a', 'displayName': 'a', 'type': 'Pod', 'phase': 'Failed',"
    "  'message': 'main: Error (exit code 3)', 'parent': 'w'},"
    " {'id': 'w-2', 'name': 'w.b', 'displayName': 'b', 'type': 'Skipped', 'phase': 'Omitted',"
    "  'message': 'omitted: depends condition not met', 'parent': 'w'}]}";

static const explanation_case cases[] = {
    {"all of a dataflow", flow_events, flow_status, NULL,
     "run-1  dataflow  Succeeded\n"
     "✔ a  1 call, 2 attempts\n"
     "    because of  the inputs of the context\n"
     "    failed  no disk (io) with x = 1\n"
     "✔ b  1 call\n"
     "    because of  a, the inputs of the context\n"
     "○ c  did not run\n"
     "    because  parameter `n` (int) had no value: it waits for b.number\n"
     "    because  condition `even` was false: b.even gave 0\n"
     "○ d  did not run\n"
     "    because  nothing came that it waits for, or its condition was not true; `weir graph "
     "FILE` shows what that is\n",
     false},
    {"one operation", flow_events, flow_status, "a",
     "run-1  dataflow  Succeeded\n"
     "✔ a  1 call, 2 attempts\n"
     "    because of  the inputs of the context\n"
     "    failed  no disk (io) with x = 1\n"
     "    with  x = 1: failed\n"
     "    with  x = 1: succeeded\n",
     true},
    {"counts where no events were kept", "[]",
     "{'name': 'r', 'kind': 'dataflow', 'phase': 'Succeeded', 'nodes': ["
     " {'id': '1', 'name': 'default', 'type': 'Context'},"
     " {'id': '1.0', 'name': 'a', 'phase': 'Succeeded', 'tasks': 7, 'parent': '1'}]}",
     NULL, "r  dataflow  Succeeded\n✔ a  7 calls\n", false},
    {"the same name in two contexts",
     "[{'id': '2:1', 'type': 'attempt.started', 'data': {'task': 0, 'attempt': 1,"
     "  'instance': 'a', 'context': 'two', 'parameters': {}}}]",
     "{'name': 'r', 'kind': 'dataflow', 'phase': 'Succeeded', 'nodes': ["
     " {'id': '1', 'name': 'one', 'type': 'Context'},"
     " {'id': '1.0', 'name': 'a', 'phase': 'Omitted', 'why': ['x'], 'parent': '1'},"
     " {'id': '2', 'name': 'two', 'type': 'Context'},"
     " {'id': '2.0', 'name': 'a', 'phase': 'Running', 'parent': '2'}]}",
     NULL,
     "r  dataflow  Succeeded\n"
     "○ a  in one  did not run\n"
     "    because  x\n"
     "✔ a  in two  1 call\n",
     false},
    {"a workflow", workflow_events, workflow_status, NULL,
     "w  workflow  Failed\n"
     "✖ w\n"
     "✖ a  1 call, 1 failed  main: Error (exit code 3)\n"
     "    because of  w\n"
     "    failed  exit code 3 (operation_failed)\n"
     "○ b  did not run  omitted: depends condition not met\n",
     false},
    {"a run of many contexts", "[]",
     "{'name': 'm', 'kind': 'dataflow', 'phase': 'Succeeded', 'nodes': []}", NULL,
     "m  dataflow  Succeeded\n"
     "nothing is left to explain: of many contexts only results are kept\n",
     false},
};

static void add_events(weir_explanation *explanation, const char *text) {
    weir_value *events = parse(text);
    weir_arena_init(&explanation->arena);
    for (size_t i = 0; i < weir_value_count(events); i++)
        weir_explanation_add(explanation, weir_array_at(events, i));
    weir_value_unref(events);
}

static void add_event(weir_explanation *explanation, const char *text) {
    weir_value *event = parse(text);
    weir_explanation_add(explanation, event);
    weir_value_unref(event);
}

static void test_cases(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_explanation explanation = {0};
        weir_value *status = parse(cases[i].status), *made;
        weir_buffer out = {0};
        weir_error error;
        add_events(&explanation, cases[i].events);
        if (!weir_explanation_make(&explanation, status, cases[i].operation, &made, &error))
            fail_msg("%s: %s", cases[i].about, error.message);
        weir_explanation_print(made, cases[i].all, false, &out);
        if (strcmp(out.data, cases[i].text) != 0)
            fail_msg("%s:\n%s\nand not\n%s", cases[i].about, out.data, cases[i].text);
        weir_buffer_deinit(&out);
        weir_value_unref(made);
        weir_value_unref(status);
        weir_explanation_deinit(&explanation);
    }
}

static void test_an_operation_that_is_not_there(void **state) {
    (void)state;
    weir_explanation explanation = {0};
    weir_value *status = parse(flow_status), *made = NULL;
    weir_error error;
    add_events(&explanation, "[]");
    assert_false(weir_explanation_make(&explanation, status, "e", &made, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    assert_string_equal(error.message, "run run-1 has no operation `e`");
    assert_null(made);
    weir_value_unref(status);
    weir_explanation_deinit(&explanation);
}

/* What is kept has an end, what is counted has none; an attempt that never ended is nobody's. */
static void test_what_is_kept_has_an_end(void **state) {
    (void)state;
    enum { CALLS = 30 * 1000 };
    weir_explanation explanation = {0};
    weir_value *status = parse(flow_status), *made;
    weir_error error;
    weir_arena_init(&explanation.arena);
    for (int i = 0; i < CALLS; i++) {
        char text[256];
        snprintf(text, sizeof text,
                 "{'id': '1:%d', 'type': 'attempt.started', 'data': {'task': %d, 'attempt': 1,"
                 " 'instance': 'a', 'context': 'default', 'parameters': {'x': %d}}}",
                 i, i, i);
        add_event(&explanation, text);
        if (i % 2) continue;
        snprintf(text, sizeof text,
                 "{'id': '1:%d.', 'type': 'attempt.finished', 'data': {'task': %d,"
                 " 'instance': 'a', 'context': 'default', 'outcome': 'expired',"
                 " 'failure': {'message': 'late'}}}",
                 i, i);
        add_event(&explanation, text);
    }
    assert_true(weir_explanation_make(&explanation, status, "a", &made, &error));
    const weir_value *a = weir_array_at(weir_member_named(made, "operations"), 0);
    assert_int_equal(weir_int_get(weir_member_named(a, "calls")), CALLS);
    assert_int_equal(weir_int_get(weir_member_named(a, "failed")), CALLS / 2);
    assert_int_equal(weir_value_count(weir_member_named(a, "failures")), 10);
    assert_int_equal(weir_value_count(weir_member_named(a, "sets")), 10);
    weir_value_unref(made);
    weir_value_unref(status);
    weir_explanation_deinit(&explanation);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_an_operation_that_is_not_there),
        cmocka_unit_test(test_what_is_kept_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

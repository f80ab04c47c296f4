/* A workflow's run as Argo's Workflow object: what the file, the request and the run's status become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "quoted.h"
#include "workflow/plan.h"
#include "workflow/status.h"

static const char file[] =
    "apiVersion: argoproj.io/v1alpha1\n"
    "kind: Workflow\n"
    "metadata: {generateName: w-, labels: {a: b}, annotations: {c: d}}\n"
    "spec:\n"
    "  entrypoint: main\n"
    "  arguments: {parameters: [{name: p, value: 1, description: x}, {name: q, value: two}]}\n"
    "  templates:\n"
    "  - name: main\n"
    "    container: {image: a, command: [echo]}\n"
    "  - name: other\n"
    "    container: {image: a, command: [echo], resources: {requests: {cpu: 1500m, memory: "
    "1Gi}}}\n";

static weir_plan *compile(const weir_value *request) {
    weir_registry registry = {0};
    weir_document document = {0};
    weir_problems problems = {0};
    weir_error error;
    if (!weir_document_parse(&document, "w.yaml", weir_str_from(file), WEIR_YAML_1_1, &error))
        fail_msg("%s", error.message);
    weir_plan *plan = weir_workflow_compile(&document, request, &registry, &problems);
    if (!plan) fail_msg("%s", problems.items[0].message);
    weir_document_deinit(&document);
    return plan;
}

static weir_value *object_of(const char *request_text, const char *status_text,
                             const char *finish_text) {
    weir_value *request = parse(request_text), *status = parse(status_text),
               *finish = parse(finish_text);
    weir_plan *plan = compile(request);
    weir_value *object = weir_workflow_object(plan, request, status, finish, false);
    weir_plan_unref(plan);
    weir_value_unref(request);
    weir_value_unref(status);
    weir_value_unref(finish);
    return object;
}

/* The member at the path "status.nodes.w-1"; NULL: there is none. */
static const weir_value *member_at(const weir_value *object, const char *path) {
    weir_str rest = weir_str_from(path);
    while (object && rest.length) {
        size_t dot = weir_str_find(rest, WEIR_STR("."), 0);
        if (dot == SIZE_MAX) dot = rest.length;
        object =
            weir_is(object, WEIR_OBJECT) ? weir_member(object, weir_str_slice(rest, 0, dot)) : NULL;
        rest = weir_str_slice(rest, dot + 1, rest.length);
    }
    return object;
}

static const char running[] =
    "{'run': 'id', 'name': 'w', 'kind': 'workflow', 'phase': 'Suspended', 'labels': {'mine': 'x'},"
    " 'created': 1000000, 'outputs': {'parameters': [{'name': 'o', 'value': '1'}]}, 'nodes': ["
    " {'id': 'w', 'name': 'w', 'displayName': 'w', 'type': 'Steps', 'phase': 'Running',"
    "  'template': 'main', 'children': ['w-1'], 'outboundNodes': ['w'], 'started': 1999999},"
    " {'id': 'w-1', 'name': 'w[0]', 'displayName': '[0]', 'type': 'StepGroup', 'parent': 'w',"
    "  'phase': 'Succeeded', 'boundaryID': 'w', 'children': ['w-2'], 'started': 2000000},"
    " {'id': 'w-2', 'name': 'w[0].a', 'displayName': 'a', 'type': 'Pod', 'parent': 'w-1',"
    "  'phase': 'Succeeded', 'template': 'cluster/l/t', 'boundaryID': 'w', 'children': ['w-3'], "
    "'message': 'm',"
    "  'task': 0, 'started': 2000000, 'finished': 3500000},"
    " {'id': 'w-3', 'name': 'w[1]', 'displayName': '[1]', 'type': 'StepGroup', 'parent': 'w',"
    "  'phase': 'Running', 'boundaryID': 'w', 'children': ['w-4'], 'started': 4000000},"
    " {'id': 'w-4', 'name': 'w[1].b', 'displayName': 'b', 'type': 'Pod', 'parent': 'w-3',"
    "  'phase': 'Running', 'template': 't', 'boundaryID': 'w', 'children': [],"
    "  'started': 4000000},"
    " {'id': 'w-5', 'name': 'w[1].c', 'displayName': 'c', 'type': 'Pod', 'parent': 'w-3',"
    "  'phase': 'Failed', 'template': 'other', 'boundaryID': 'w', 'children': [],"
    "  'started': 4000000, 'finished': 6999999}]}";

static void test_object(void **state) {
    (void)state;
    static const struct {
        const char *path, *json; /* NULL: it is not there */
    } members[] = {
        {"apiVersion", "'argoproj.io/v1alpha1'"},
        {"metadata",
         "{'name': 'w', 'generateName': 'w-', 'annotations': {'c': 'd'}, 'namespace': 'default',"
         " 'uid': 'id', 'creationTimestamp': '1970-01-01T00:00:01Z', 'labels': {'a': 'b',"
         " 'mine': 'x', 'workflows.argoproj.io/completed': 'false',"
         " 'workflows.argoproj.io/phase': 'Running'}}"},
        {"spec.entrypoint", "'other'"},
        {"spec.suspend", "true"},
        {"spec.shutdown", NULL},
        {"spec.arguments", "{'parameters': [{'name': 'p', 'value': '7', 'description': 'x'},"
                           " {'name': 'q', 'value': 'two'}]}"},
        {"status.phase", "'Running'"},
        {"status.startedAt", "'1970-01-01T00:00:01Z'"},
        {"status.finishedAt", NULL},
        {"status.progress", "'1/3'"},
        {"status.outputs", "{'parameters': [{'name': 'o', 'value': '1'}]}"},
        {"status.conditions", "[{'type': 'PodRunning', 'status': 'True'}]"},
        {"status.resourcesDuration", "{'cpu': 3, 'memory': 20}"}, /* 2 s of 1.5 cores and 1 GiB */
        {"status.nodes.w.resourcesDuration", "{'cpu': 3, 'memory': 20}"},
        {"status.nodes.w-4.resourcesDuration", NULL},
        {"status.nodes.w-5.resourcesDuration", "{'cpu': 3, 'memory': 20}"},
        {"status.nodes.w.progress", "'1/3'"},
        {"status.nodes.w-1.progress", "'1/3'"}, /* what comes after it hangs on it */
        {"status.nodes.w-3.progress", "'0/2'"},
        {"status.nodes.w-2",
         "{'id': 'w-2', 'name': 'w[0].a', 'displayName': 'a', 'type': 'Pod',"
         " 'templateRef': {'name': 'l', 'template': 't', 'clusterScope': true},"
         " 'templateScope': 'local/w',"
         " 'phase': 'Succeeded', 'boundaryID': 'w', 'message': 'm',"
         " 'startedAt': '1970-01-01T00:00:02Z', 'finishedAt': '1970-01-01T00:00:03Z',"
         " 'progress': '1/1', 'children': ['w-3']}"},
        {"status.nodes.w-4",
         "{'id': 'w-4', 'name': 'w[1].b', 'displayName': 'b', 'type': 'Pod',"
         " 'templateName': 't', 'templateScope': 'local/w', 'phase': 'Running',"
         " 'boundaryID': 'w', 'startedAt': '1970-01-01T00:00:04Z', 'progress': '0/1'}"},
    };
    weir_value *object =
        object_of("{'parameters': {'p': '7'}, 'entrypoint': 'other'}", running, "null");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const weir_value *got = member_at(object, members[i].path);
        weir_value *wanted = members[i].json ? parse(members[i].json) : NULL;
        weir_buffer text = {0};
        if (got) weir_json_format(got, 0, &text);
        if (!got != !wanted || (got && !weir_value_equal(got, wanted)))
            fail_msg("%s: %s", members[i].path, got ? text.data : "is not there");
        weir_buffer_deinit(&text);
        weir_value_unref(wanted);
    }
    weir_value_unref(object);
}

static void test_end(void **state) {
    (void)state;
    weir_value *object = object_of(
        "{}",
        "{'run': 'id', 'name': 'w', 'phase': 'Failed', 'message': 'm', 'created': 1000000,"
        " 'finished': 9000000, 'nodes': []}",
        "{'phase': 'Failed', 'message': 'Stopped with strategy \\u0027Terminate\\u0027'}");
    assert_true(weir_str_is(weir_member_text(member_at(object, "spec"), "shutdown"), "Terminate"));
    assert_true(weir_str_is(weir_member_text(member_at(object, "status"), "finishedAt"),
                            "1970-01-01T00:00:09Z"));
    assert_true(weir_str_is(weir_member_text(member_at(object, "status"), "progress"), "0/0"));
    weir_value *completed = parse("[{'type': 'Completed', 'status': 'True'}]");
    assert_true(weir_value_equal(member_at(object, "status.conditions"), completed));
    weir_value_unref(completed);
    weir_value_unref(object);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_object),
        cmocka_unit_test(test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a screen shows of a large run is the same whether all nodes were listed for it or only those that there is room for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "cli/progress.h"
#include "cli/workflow_text.h"
#include "engine/machine.h"
#include "task/registry.h"
#include "workflow/coordinator.h"
#include "workflow/plan.h"
#include "workflow/status.h"

static const char FLOW[] =
    "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: large}\n"
    "spec:\n  entrypoint: main\n  templates:\n"
    "  - {name: done, suspend: {duration: \"0\"}}\n"
    "  - {name: held, suspend: {}}\n"
    "  - {name: pod, container: {image: i, command: [c]}}\n"
    "  - {name: wrong, steps: [[{name: w, template: done, withParam: 'no list'}]]}\n"
    "  - {name: again, retryStrategy: {limit: 2, retryPolicy: Always}, steps: [[{name: a, "
    "template: "
    "done}], [{name: b, template: wrong}]]}\n"
    "  - name: twice\n    steps:\n"
    "    - [{name: s, template: done, withSequence: {count: 150}}, {name: x, template: done, when: "
    "'1 == 2'}]\n"
    "    - [{name: t, template: held, withSequence: {count: 4}}]\n"
    "  - name: short\n    retryStrategy: {limit: 3}\n    steps: [[{name: only, template: done}]]\n"
    "  - name: main\n    dag:\n      failFast: false\n      tasks:\n"
    "      - {name: a, template: done, withSequence: {count: 200}}\n"
    "      - {name: b, template: twice, dependencies: [a], withSequence: {count: 3}}\n"
    "      - {name: c, template: again, withSequence: {count: 30}}\n"
    "      - {name: d, template: done, dependencies: [c]}\n"
    "      - {name: e, template: pod, withSequence: {count: 60}}\n"
    "      - {name: f, template: short, dependencies: [a], withSequence: {count: 40}}\n"
    "      - {name: g, template: held}\n";

typedef struct bench {
    weir_plan *plan;
    weir_machine *machine;
} bench;

static weir_plan *compile(void) {
    weir_document document = {0};
    weir_registry registry = {0};
    weir_problems problems = {0};
    weir_error error;
    weir_value *request = weir_object_new();
    assert_true(
        weir_document_parse(&document, "large.yaml", weir_str_from(FLOW), WEIR_YAML_1_1, &error));
    weir_plan *plan = weir_workflow_compile(&document, request, &registry, &problems);
    if (!plan) fail_msg("%s", problems.items[0].message);
    weir_problems_deinit(&problems);
    weir_document_deinit(&document);
    weir_value_unref(request);
    return plan;
}

static void print(const bench *b, weir_value *status, size_t rows, weir_buffer *out) {
    weir_workflow_look look = {.fine = true, .now_us = 5000000, .rows = rows};
    const weir_value *unlisted = weir_member_named(status, "unlisted");
    look.unlisted[0] = weir_member_count(unlisted, "active");
    look.unlisted[1] = weir_member_count(unlisted, "waiting");
    look.unlisted[2] = weir_member_count(unlisted, "done");
    weir_member_put_text(status, "name", WEIR_STR("large"));
    weir_value *workflow =
        weir_workflow_object(b->plan, weir_machine_request(b->machine), status, NULL, true);
    weir_workflow_print_tree(workflow, &look, out);
    weir_value_unref(workflow);
}

/* How many nodes were listed. */
static size_t compare(const bench *b, size_t rows) {
    const weir_coordinator *coordinator = weir_machine_coordinator(b->machine);
    weir_value *all = coordinator->class->status(coordinator),
               *few = coordinator->class->glance(coordinator, rows);
    weir_buffer wanted = {0}, got = {0};
    weir_counts counted = weir_progress_count(all), told = weir_progress_count(few);
    assert_int_equal(counted.total, told.total);
    assert_int_equal(counted.done, told.done);
    assert_int_equal(counted.failed, told.failed);
    print(b, all, rows, &wanted);
    print(b, few, rows, &got);
    if (!weir_str_equal(weir_buffer_str(&got), weir_buffer_str(&wanted)))
        fail_msg("%zu rows:\n%.*s\ninstead of\n%.*s", rows, (int)got.length, got.data,
                 (int)wanted.length, wanted.data);
    size_t listed = weir_value_count(weir_member_named(few, "nodes"));
    weir_buffer_deinit(&wanted);
    weir_buffer_deinit(&got);
    weir_value_unref(all);
    weir_value_unref(few);
    return listed;
}

static size_t node_count(const bench *b) {
    return ((const weir__run *)weir_machine_coordinator(b->machine))->nodes.count;
}

static int setup(void **state) {
    bench *b = weir_alloc(sizeof *b);
    b->plan = compile();
    b->machine = weir_machine_new(
        b->plan, &(weir_machine_options){.run = "01hzzzzzzzzzzzzzzzzz", .limits = {.attempts = 3}});
    weir_machine_created(b->machine, 1, weir_object_new());
    *state = b;
    return 0;
}

static int teardown(void **state) {
    bench *b = *state;
    weir_machine_free(b->machine);
    weir_plan_unref(b->plan);
    weir_free(b);
    return 0;
}

static void test_the_screen_is_the_same(void **state) {
    bench *b = *state;
    static const size_t rows[] = {1, 3, 10, 24, 60, 200};
    size_t least = SIZE_MAX, before = SIZE_MAX;
    for (uint64_t now_us = 2; node_count(b) != before || now_us < 20; now_us += 1000) {
        before = node_count(b);
        (void)!weir_machine_step(b->machine, now_us);
        weir_batch batch = {0};
        weir_machine_take(b->machine, &batch);
        weir_batch_deinit(&batch);
        if (!node_count(b)) continue;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            size_t listed = compare(b, rows[i]);
            if (listed < node_count(b) && rows[i] == 24 && listed < least) least = listed;
        }
    }
    assert_in_range(node_count(b), 1000, 3000);
    /* Each of them with what it stands below. */
    assert_in_range(least, 24, 400);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_screen_is_the_same, setup, teardown),
    };
    return cmocka_run_group_tests_name("glance", tests, NULL, NULL);
}

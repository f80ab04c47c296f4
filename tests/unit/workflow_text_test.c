/* A workflow's text is what `argo get` prints of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "cli/humanize.h"
#include "cli/tabs.h"
#include "cli/workflow_text.h"
#include "data/document.h"
#include "quoted.h"

static weir_value *read_json(const char *path) {
    weir_buffer text = {0};
    weir_value *value = NULL;
    weir_error error;
    if (!weir_file_read(path, 1 << 24, &text, &error) ||
        !weir_json_parse(weir_buffer_str(&text), weir_str_from(path), &value, &error))
        fail_msg("%s: %s", path, error.message);
    weir_buffer_deinit(&text);
    return value;
}

static void assert_text(const char *name, weir_str got, weir_str wanted) {
    if (!weir_str_equal(got, wanted))
        fail_msg("%s:\n%.*s\ninstead of\n%.*s", name, WEIR_ARG(got), WEIR_ARG(wanted));
}

static void check_case(const char *folder, const char *name) {
    char path[1024];
    weir_error error;
    weir_buffer out = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    weir_value *value = read_json(path);
    weir_workflow_look look = {0};
    assert_true(weir_moment_parse(weir_member_text(value, "now"), &look.now_us, &error));
    weir_workflow_print(weir_member_named(value, "workflow"), &look, &out);
    assert_text(name, weir_buffer_str(&out), weir_member_text(value, "text"));
    weir_buffer_deinit(&out);
    weir_value_unref(value);
}

/* Those of WEIR_GET_CASES, else those that are kept here: see conformance/workflow_get_cases.py. */
static void test_cases_of_argo(void **state) {
    (void)state;
    char kept[512];
    const char *folder = getenv("WEIR_GET_CASES"), *source = getenv("WEIR_SOURCE");
    snprintf(kept, sizeof kept, "%s/tests/conformance/workflow/get", source ? source : ".");
    if (!folder) folder = kept;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    size_t count = 0;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (!weir_str_ends(weir_str_from(entry->d_name), WEIR_STR(".json"))) continue;
        check_case(folder, entry->d_name);
        count++;
    }
    closedir(dir);
    assert_true(count > 0);
}

static void test_humanized(void **state) {
    (void)state;
    enum { S = 1000000, M = 60, H = 60 * M, D = 24 * H };
    static const struct {
        uint64_t s;
        const char *in_short, *in_long, *ago;
    } cases[] = {
        {0, "0s", "0 seconds", "now"},
        {1, "1s", "1 second", "1 second ago"},
        {59, "59s", "59 seconds", "59 seconds ago"},
        {M, "1m", "1 minute 0 seconds", "1 minute ago"},
        {2 * M + 5, "2m", "2 minutes 5 seconds", "2 minutes ago"},
        {H + 61, "1h", "1 hour 1 minutes", "1 hour ago"},
        {D, "1d", "1 day 0 hours", "1 day ago"},
        {6 * D + 3 * H, "6d", "6 days 3 hours", "6 days ago"},
        {15 * D, "15d", "2 weeks 0 hours", "2 weeks ago"},
        {400 * D, "400d", "1 year 0 hours", "1 year ago"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[WEIR_HUMANIZE_BYTES];
        uint64_t us = cases[i].s * S;
        assert_string_equal(weir_humanize_short(us + 1, out), cases[i].in_short);
        assert_string_equal(weir_humanize_long(us + 1, out), cases[i].in_long);
        weir_humanize_moment(500 * (uint64_t)D * S, 500 * (uint64_t)D * S + us, out);
        char *open = strchr(out, '(');
        assert_memory_equal(out, "Sun May 16 00:00:00 +0000 ", 26);
        assert_memory_equal(open + 1, cases[i].ago, strlen(cases[i].ago));
    }
}

static void test_selectors(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool good, matches;
    } cases[] = {
        {"", true, true},
        {"phase=Failed", true, true},
        {"phase==Failed,name!=x", true, true},
        {"phase!=Failed", true, false},
        {"nothing=", true, true},
        {"nothing=x", true, false},
        {"message=a\\,b\\=c\\\\", true, true},
        {"templateRef.name=l,templateName=t", true, true},
        {"inputs.parameters.p.value=1", true, true},
        {"inputs.parameters.q.value!=1", true, true},
        {"phase", false, false},
        {"=x", false, false},
        {"a=b,", false, false},
        {"a!b", false, false},
        {"a=b=c", false, false},
        {"a=b\\", false, false},
    };
    weir_value *node = parse("{'phase': 'Failed', 'name': 'n', 'message': 'a,b=c\\\\',"
                             " 'templateRef': {'name': 'l', 'template': 't'},"
                             " 'inputs': {'parameters': [{'name': 'p', 'value': '1'}]}}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_field_selector selector;
        weir_error error;
        bool good = weir_field_selector_parse(weir_str_from(cases[i].text), &selector, &error);
        if (good != cases[i].good ||
            (good && weir_field_selector_matches(&selector, node) != cases[i].matches))
            fail_msg("%s", cases[i].text);
        weir_field_selector_deinit(&selector);
    }
    weir_value_unref(node);
}

/* A DAG with all that a text may have: a step that waits, one that fails, one that is left out. */
static const char mixed[] =
    "{'metadata': {'name': 'w', 'namespace': 'default', 'creationTimestamp': "
    "'2026-11-21T00:00:00Z'},"
    " 'spec': {'suspend': false},"
    " 'status': {'phase': 'Running', 'progress': '1/4', 'startedAt': '2026-11-21T00:00:01Z', "
    "'nodes': {"
    "  'w': {'id': 'w', 'name': 'w', 'displayName': 'w', 'type': 'DAG', 'phase': 'Running',"
    "   'templateName': 'main', 'startedAt': '2026-11-21T00:00:01Z'},"
    "  'w-1': {'id': 'w-1', 'name': 'w.a', 'displayName': 'a', 'type': 'Pod', 'phase': 'Running',"
    "   'boundaryID': 'w', 'templateName': 't', 'startedAt': '2026-11-21T00:00:02Z',"
    "   'hostNodeName': 'here', 'resourcesDuration': {'storage': 3661, 'memory': 61},"
    "   'outputs': {'artifacts': [{'name': 'x'}, {'name': 'y'}]}},"
    "  'w-2': {'id': 'w-2', 'name': 'w.b', 'displayName': 'b', 'type': 'Suspend', 'phase': "
    "'Running',"
    "   'boundaryID': 'w', 'startedAt': '2026-11-21T00:00:03Z', 'message': 'a\\u001b[2Jb'},"
    "  'w-3': {'id': 'w-3', 'name': 'w.c', 'displayName': 'c', 'type': 'Skipped', 'phase': "
    "'Omitted',"
    "   'boundaryID': 'w', 'startedAt': '2026-11-21T00:00:03Z'},"
    "  'w-4': {'id': 'w-4', 'name': 'w.d', 'displayName': 'd', 'type': 'Pod', 'phase': 'Pending',"
    "   'boundaryID': 'w', 'templateRef': {'name': 'lib', 'template': 't'},"
    "   'inputs': {'parameters': [{'name': 'p', 'value': 'q'}]},"
    "   'startedAt': '2026-11-21T00:00:04Z'}}}}";

static void test_forms(void **state) {
    (void)state;
    static const struct {
        const char *name, *selector, *text;
        weir_workflow_look look;
    } cases[] = {
        {"short",
         "",
         "STEP    TEMPLATE  PODNAME        DURATION  MESSAGE  NODENAME\n"
         " ● w    main                                        \n"
         " ├─● a  t         w-t-205987851  58s                here\n"
         " ├─ǁ b                                     a [2Jb   \n"
         " └─◷ d  lib/t     w-t-256320708  56s                \n",
         {.form = WEIR_LOOK_SHORT}},
        {"wide",
         "displayName=a",
         "STEP  TEMPLATE  PODNAME        DURATION  ARTIFACTS  MESSAGE  RESOURCESDURATION        "
         "                  NODENAME\n"
         " ● a  t         w-t-205987851  58s       x,y                 1m1s*(100Mi memory),"
         "1h1m1s*(10Gi storage)  here\n",
         {.form = WEIR_LOOK_WIDE}},
        {"ascii",
         "phase=Running,displayName!=b",
         "STEP          TEMPLATE  PODNAME        DURATION  MESSAGE\n"
         " Running w    main                                 \n"
         " |-Running a  t         w-t-205987851  58s         \n",
         {.ascii = true}},
        {"a parameter",
         "inputs.parameters.p.value=q,templateName=t",
         "STEP  TEMPLATE  PODNAME        DURATION  MESSAGE\n"
         " ◷ d  lib/t     w-t-256320708  56s         \n",
         {0}},
        {"colours",
         "phase==Pending",
         "\033[39mSTEP\033[0m  TEMPLATE  PODNAME        DURATION  MESSAGE\n"
         " \033[33m◷\033[0m d  lib/t     w-t-256320708  56s         \n",
         {.color = true}},
    };
    weir_value *workflow = parse(mixed);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_workflow_look look = cases[i].look;
        weir_field_selector selector;
        weir_buffer out = {0};
        weir_error error;
        assert_true(weir_field_selector_parse(weir_str_from(cases[i].selector), &selector, &error));
        look.selector = &selector;
        assert_true(weir_moment_parse(WEIR_STR("2026-11-21T00:01:00Z"), &look.now_us, &error));
        assert_true(weir_workflow_print_tree(workflow, &look, &out));
        assert_text(cases[i].name, weir_buffer_str(&out), weir_str_from(cases[i].text));
        weir_buffer_deinit(&out);
        weir_field_selector_deinit(&selector);
    }
    weir_value_unref(workflow);
}

static void put_member(weir_value *node, const char *name, const char *format, unsigned number) {
    char text[32];
    snprintf(text, sizeof text, format, number);
    weir_member_put_text(node, name, weir_str_from(text));
}

static weir_value *node_new(unsigned number, const char *type, unsigned boundary) {
    weir_value *node = weir_object_new();
    put_member(node, "id", number ? "w-%u" : "w", number);
    put_member(node, "displayName", "p(%u)", number);
    weir_member_put_text(node, "type", weir_str_from(type));
    weir_member_put_text(node, "phase", WEIR_STR("Running"));
    weir_member_put_text(node, "startedAt", WEIR_STR("2026-11-21T00:00:00Z"));
    if (number) put_member(node, "boundaryID", boundary ? "w-%u" : "w", boundary);
    return node;
}

static weir_value *workflow_new(weir_value *nodes) {
    weir_value *workflow = parse("{'metadata': {'name': 'w'}, 'status': {}}");
    weir_member_put(weir_member_named(workflow, "status"), "nodes", nodes);
    return workflow;
}

static size_t lines_of(const weir_buffer *text) {
    size_t lines = 0;
    for (size_t i = 0; i < text->length; i++) lines += text->data[i] == '\n';
    return lines;
}

/* Wide as deep: in linear time (a quadratic one would take minutes), without recursion, and each node once. */
static void test_large(void **state) {
    (void)state;
    enum { COUNT = 20000 };
    for (int deep = 0; deep < 2; deep++) {
        weir_value *nodes = weir_object_new();
        weir_buffer out = {0};
        weir_workflow_look look = {0};
        for (unsigned i = 0; i < COUNT; i++) {
            char key[32];
            snprintf(key, sizeof key, i ? "w-%u" : "w", i);
            weir_member_put(nodes, key,
                            node_new(i, deep || !i ? "DAG" : "Pod", deep && i ? i - 1 : 0));
            if (deep && i == 3000) break;
        }
        weir_value *workflow = workflow_new(nodes);
        assert_true(weir_workflow_print_tree(workflow, &look, &out));
        assert_int_equal(lines_of(&out), weir_value_count(nodes) + 1);
        const char *second = strstr(out.data, "p(2)"), *tenth = strstr(out.data, "p(10)");
        assert_true(second && tenth && second < tenth);
        weir_buffer_deinit(&out);
        weir_value_unref(workflow);
    }
}

/* 300 tasks of which one failed, 7 run and 20 wait, beside a step that is done, with 50 nodes within. */
static weir_value *busy_nodes(void) {
    weir_value *nodes = weir_object_new();
    for (unsigned i = 0; i < 350; i++) {
        char key[32];
        snprintf(key, sizeof key, i ? "w-%u" : "w", i);
        weir_value *node = node_new(i, i < 2 ? "DAG" : "Pod", i >= 300 ? 1 : 0);
        const char *phase = i == 0 || (i > 20 && i < 28) ? "Running"
                            : i == 150                   ? "Failed"
                            : i >= 280 && i < 300        ? "Pending"
                                                         : "Succeeded";
        weir_member_put_text(node, "phase", weir_str_from(phase));
        weir_member_put(nodes, key, node);
    }
    return nodes;
}

static void test_fitting(void **state) {
    (void)state;
    static const struct {
        size_t rows, columns;
        const char *text;
    } cases[] = {
        {11, 12,
         "STEP\n ● p(0)\n ├─● p(21)\n ├─● p(22)\n ├─● p(23)\n ├─● p(24)\n ├─● p(25)\n"
         " ├─● p(26)\n ├─● p(27)\n └─✖ p(150)\n… 341 more:\n"},
        {6, 0,
         "STEP        TEMPLATE  PODNAME       DURATION  MESSAGE\n"
         " ● p(0)                                         \n"
         " ├─● p(21)            w-2166136261  1m          \n"
         " ├─● p(22)            w-2166136261  1m          \n"
         " └─● p(23)            w-2166136261  1m          \n"
         "… 346 more: 5 running or failed, 20 waiting, 321 done\n"},
        {1, 0,
         "STEP     TEMPLATE  PODNAME  DURATION  MESSAGE\n ● p(0)                                 \n"
         "… 349 more: 8 running or failed, 20 waiting, 321 done\n"},
    };
    weir_value *workflow = workflow_new(busy_nodes());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_workflow_look look = {.rows = cases[i].rows, .columns = cases[i].columns};
        weir_buffer out = {0};
        weir_error error;
        assert_true(weir_moment_parse(WEIR_STR("2026-11-21T00:01:00Z"), &look.now_us, &error));
        assert_true(weir_workflow_print_tree(workflow, &look, &out));
        assert_text("fitting", weir_buffer_str(&out), weir_str_from(cases[i].text));
        weir_buffer_deinit(&out);
    }
    /* What is done closes: its inside is shown last. */
    weir_workflow_look look = {.rows = 302};
    weir_buffer out = {0};
    assert_true(weir_workflow_print_tree(workflow, &look, &out));
    assert_int_equal(lines_of(&out), 302);
    assert_non_null(strstr(out.data, "p(1)"));
    assert_null(strstr(out.data, "p(310)"));
    assert_non_null(strstr(out.data, "… 50 more: 50 done\n"));
    weir_buffer_deinit(&out);
    weir_value_unref(workflow);
}

/* An object that nobody made: parents in a circle, members of other types. */
static void test_hostile(void **state) {
    (void)state;
    static const char *const workflows[] = {
        "{}",
        "{'metadata': 1, 'spec': [], 'status': 'x'}",
        "{'metadata': {'name': 'w'}, 'status': {'nodes': {'w': {'id': 'w', 'type': 'Retry',"
        " 'children': ['w', 'x', 7], 'boundaryID': 5}, 'x': {'id': 'x', 'type': 'Retry',"
        " 'children': ['w', 'y']}, 'y': {'id': 'y', 'type': 'Retry', 'children': ['x']}}}}",
        "{'metadata': {'name': 'w'}, 'status': {'nodes': {'w': {'id': 'w', 'type': 'DAG'},"
        " 'a': {'id': 'a', 'type': 'DAG', 'boundaryID': 'b'},"
        " 'b': {'id': 'b', 'type': 'DAG', 'boundaryID': 'a'}}}}",
        "{'metadata': {'name': 'w'}, 'status': {'conditions': [1, {'type': 'SpecWarning'}],"
        " 'outputs': {'parameters': [1, {'name': 'p', 'value': [1]}], 'artifacts': [{}, 2]},"
        " 'resourcesDuration': {'cpu': -1, 'gpu': 'x'}, 'nodes': []}}",
    };
    for (size_t i = 0; i < sizeof workflows / sizeof *workflows; i++) {
        weir_value *workflow = parse(workflows[i]);
        weir_buffer out = {0};
        weir_workflow_look look = {.form = WEIR_LOOK_WIDE, .color = true};
        weir_workflow_print(workflow, &look, &out);
        assert_true(weir_str_starts(weir_buffer_str(&out), WEIR_STR("Name:")));
        assert_int_equal(lines_of(&out) > 20, 0);
        weir_buffer_deinit(&out);
        weir_value_unref(workflow);
    }
}

int main(void) {
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases_of_argo), cmocka_unit_test(test_humanized),
        cmocka_unit_test(test_selectors),     cmocka_unit_test(test_forms),
        cmocka_unit_test(test_large),         cmocka_unit_test(test_fitting),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

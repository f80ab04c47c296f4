/* Dataflows as values for those who embed weir: created, merged, exported and run without a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "../conformance/operations.c" /* before cmocka, whose `fail` is a macro */

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <weir/weir.h>

#include "engine/compose.h"
#include "engine/engine_internal.h"
#include "quoted.h"

/* Ports as operations declare them for `create`. */
static const weir_port in_ports[] = {
    {"x", "int", "a number", .definition = "number", .otherwise = "7"},
    {"y", "str", "a text", .otherwise = "no JSON"},
    {0}};
static const weir_port out_ports[] = {{"r", "array", "a list", .definition = "list"},
                                      {"s", "int", "a number", .definition = "number"},
                                      {0}};
static const char *const expanded[] = {"r", NULL};
static const weir_operation spread = {.size = sizeof spread,
                                      .name = "test.spread",
                                      .about = "declares all that there is to declare",
                                      .inputs = in_ports,
                                      .outputs = out_ports,
                                      .run = neg,
                                      .stage = "cleanup",
                                      .expand = expanded};
static const weir_operation *const operations_of_test[] = {&spread, NULL};
static const weir_plugin plugin_of_test = {WEIR_ABI, sizeof plugin_of_test, "test", "1",
                                           operations_of_test};

static weir_engine *engine;

static int open_engine(void **state) {
    (void)state;
    weir_options options = {.size = sizeof options, .durability = WEIR_DURABILITY_NONE};
    return weir_open(&options, &engine, NULL) &&
                   weir_registry_add(&engine->registry, weir_plugin_open(weir_host_get()), NULL) &&
                   weir_registry_add(&engine->registry, &plugin_of_test, NULL)
               ? 0
               : -1;
}

static int close_engine(void **state) {
    (void)state;
    weir_close(engine);
    return 0;
}

static void assert_json(const weir_value *got, const char *wanted_text) {
    weir_value *wanted = parse(wanted_text);
    weir_buffer is = {0};
    weir_json_format(got, 0, &is);
    if (!weir_value_equal(got, wanted)) fail_msg("%s\ninstead of\n%s", is.data, wanted_text);
    weir_buffer_deinit(&is);
    weir_value_unref(wanted);
}

#define FLOW                                                                                       \
    "'definitions': {'A': {'primitive': 'int'}, 'B': {}, 'S': {}, 'T': {}}, 'operations': {'n': "  \
    "{'name': 'neg', 'inputs': {'a': 'A'}, 'outputs': {'result': 'B'}}, 'g': {'name': "            \
    "'get_single', 'inputs': {'spec': 'S'}, 'outputs': {'output': 'T'}, 'stage': 'output'}}, "     \
    "'seed': [{'value': ['B'], 'definition': 'S'}]"

static void a_value_runs(void **state) {
    (void)state;
    weir_run *run;
    weir_error error;
    weir_value *request = parse("{'flow': {" FLOW "}, 'inputs': {'A': 4}}");
    if (!weir_run_start(engine, request, NULL, NULL, &run, &error)) fail_msg("%s", error.message);
    assert_true(weir_run_wait(run, 60000));
    weir_value *result = weir_run_result(run);
    assert_json(weir_member_named(result, "results"), "{'default': {'B': -4}}");
    assert_true(weir_str_starts(weir_member_text(result, "name"), WEIR_STR("dataflow-")));
    const weir_value *kept = weir_machine_request(run->machine);
    assert_null(weir_member_named(kept, "flow"));
    assert_int_equal(weir_member_text(kept, "text").length, 0); /* nobody could read it again */
    weir_run_close(run);
    weir_value_unref(result);
    weir_value_unref(request);
}

static void count_problem(void *arg, const weir_error *error) {
    assert_true(error->message[0]);
    ++*(size_t *)arg;
}

static void a_value_is_exported(void **state) {
    (void)state;
    weir_value *request = parse("{'flow': {" FLOW "}, 'configure': {'n': {'a': '[1]', 'b': 'x'}}}");
    weir_value *flow;
    weir_error error;
    assert_true(weir_dataflow_export(engine, request, true, NULL, NULL, &flow, &error));
    assert_json(weir_member_named(flow, "configs"), "{'n': {'a': [1], 'b': 'x'}}");
    assert_json(weir_member_named(flow, "flow"),
                "{'n': {'inputs': {'a': ['seed']}}, 'g': {'inputs': {'spec': ['seed']}}}");
    weir_value_unref(flow);
    weir_value_unref(request);
}

/* Requests that are refused, how many problems they have, and what the first says. */
static const struct {
    const char *request;
    size_t count;
    weir_code code;
    const char *message;
} wrong[] = {
    {"{}", 1, WEIR_USAGE, "names no file"},
    {"{'flow': 3}", 1, WEIR_INVALID, "cannot be told"},
    {"{'flow': 3, 'kind': 'dataflow'}", 1, WEIR_INVALID, "is an object"},
    {"{'flow': {'operations': {'x': 1, 'y': {'inputs': {'a': 'A'}}}}}", 2, WEIR_INVALID,
     "`x` is no object"},
    {"{'flow': {'operations': {}, 'configs': {'x': {'dataflow': 'f.json'}}}}", 1, WEIR_INVALID,
     "cannot name another"},
    {"{'flow': {" FLOW "}, 'configure': 3}", 1, WEIR_USAGE, "`configure`"},
    {"{'flow': {" FLOW "}, 'configure': {'n': 3}}", 1, WEIR_USAGE, "`configure`"},
    {"{'flow': {" FLOW "}, 'configure': {'m': {}}}", 1, WEIR_UNKNOWN_OPERATION, "`m`"},
    {"{'flow': {" FLOW ", 'configs': [1]}, 'configure': {'n': {'a': 'b'}}}", 1, WEIR_INVALID,
     "`configs`"},
    {"{'flow': {" FLOW "}, 'configure': {'n': {'dataflow': 'absent.json'}}}", 1, WEIR_NOT_FOUND,
     "absent.json: there is no such file"},
    {"{'flow': {" FLOW "}, 'overlays': 'x'}", 1, WEIR_USAGE, "`overlays`"},
    {"{'flow': {" FLOW "}, 'overlays': [1]}", 1, WEIR_USAGE, "path of a file"},
    {"{'flow': {" FLOW "}, 'overlays': ['absent.json']}", 1, WEIR_NOT_FOUND, "no such file"},
};

static void what_is_wrong_is_said(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        weir_value *request = parse(wrong[i].request), *flow = NULL;
        weir_error error;
        size_t count = 0;
        assert_false(
            weir_dataflow_export(engine, request, true, count_problem, &count, &flow, &error));
        if (error.code != wrong[i].code || !strstr(error.message, wrong[i].message))
            fail_msg("%s: %d, %s", wrong[i].request, error.code, error.message);
        assert_int_equal(count, wrong[i].count);
        weir_value_unref(request);
    }
    weir_value *flow = NULL;
    weir_error error;
    assert_false(weir_dataflow_merge(engine, (const char *const[]){NULL}, true, &flow, &error));
    assert_int_equal(error.code, WEIR_USAGE);
}

/* A value that nests too deep, or has what no text can have, is refused before anything walks it. */
static void values_that_cannot_be_kept(void **state) {
    (void)state;
    weir_error error;
    weir_value *deep = weir_null_new();
    for (int i = 0; i < 100000; i++) {
        weir_value *outer = weir_array_new();
        weir_array_append(outer, deep);
        deep = outer;
    }
    assert_false(weir__value_fits(deep, &error));
    assert_int_equal(error.code, WEIR_LIMIT);
    while (deep && weir_is(deep, WEIR_ARRAY)) { /* from outside inwards, or the stack ends */
        weir_value *inner = weir_value_ref(weir_array_at(deep, 0));
        weir_value_unref(deep);
        deep = inner;
    }
    weir_value_unref(deep);
    weir_value *wide = weir_array_new();
    for (int i = 0; i < 40; i++) { /* 2^40 items */
        weir_value *outer = weir_array_new();
        weir_array_append(outer, weir_value_ref(wide));
        weir_array_append(outer, wide);
        wide = outer;
    }
    assert_false(weir__value_fits(wide, &error));
    assert_int_equal(error.code, WEIR_LIMIT);
    weir_value_unref(wide);
    weir_value *infinite = weir_float_new(1e308 * 10);
    assert_false(weir__value_fits(infinite, &error));
    assert_int_equal(error.code, WEIR_INVALID);
    weir_value_unref(infinite);
}

static void operations_make_a_dataflow(void **state) {
    (void)state;
    weir_value *what = parse("{'operations': ['one=test.spread', 'test.spread'], 'inputs': "
                             "['3=number', '4=number=one', 'a=b=number'], 'linked': true}");
    weir_value *flow;
    weir_error error;
    if (!weir_dataflow_create(engine, what, &flow, &error)) fail_msg("%s", error.message);
#define SPREAD                                                                                     \
    "{'name': 'test.spread', 'inputs': {'x': 'number', 'y': 'test.spread.inputs.y'}, 'outputs': "  \
    "{'r': 'list', 's': 'number'}, 'stage': 'cleanup', 'retry': 0, 'expand': ['r']}"
#define INPUTS "{'inputs': {'x': [{'one': 's'}, {'test.spread': 's'}], 'y': ['seed']}}"
    assert_json(flow, "{'linked': true, 'definitions': {'number': {'name': 'number', 'primitive': "
                      "'int', 'default': 7}, 'test.spread.inputs.y': {'name': "
                      "'test.spread.inputs.y', 'primitive': 'str', 'default': 'no JSON'}, 'list': "
                      "{'name': 'list', 'primitive': 'array'}}, 'operations': {'one': " SPREAD
                      ", 'test.spread': " SPREAD
                      "}, 'seed': [{'value': 3, 'definition': 'number', 'origin': 'seed'}, "
                      "{'value': 4, 'definition': 'number', 'origin': 'one'}, {'value': 'a=b', "
                      "'definition': 'number', 'origin': 'seed'}], 'flow': {'one': " INPUTS
                      ", 'test.spread': " INPUTS "}}");
    weir_value_unref(flow);
    weir_value_unref(what);
    static const char *const refused[] = {"{}", "{'operations': []}", "{'operations': 'neg'}",
                                          "{'operations': [1]}", "{'operations': ['=neg']}"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        what = parse(refused[i]);
        assert_false(weir_dataflow_create(engine, what, &flow, &error));
        assert_int_equal(error.code, WEIR_USAGE);
        weir_value_unref(what);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_runs),
        cmocka_unit_test(a_value_is_exported),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(values_that_cannot_be_kept),
        cmocka_unit_test(operations_make_a_dataflow),
    };
    return cmocka_run_group_tests(tests, open_engine, close_engine);
}

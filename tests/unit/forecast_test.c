/* What a plan will do: the longest way, the course of tasks in slots, and the graphs of dataflows and workflows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../operations/operations.h"
#include "data/json.h"
#include "dataflow/plan.h"
#include "engine/engine_internal.h"
#include "engine/estimate.h"
#include "engine/history.h"
#include "executor/given.h"
#include "executor/inline.h"
#include "pipeline/plan.h"
#include "task/curve.h"
#include "task/forecast.h"
#include "workflow/plan.h"

static const weir_task_spec slot = {.name = {"slot", 4}, .slot = true},
                            free_one = {.name = {"free", 4}};
enum { S = 1000 * 1000 };

static uint32_t add(weir_forecast *f, const weir_task_spec *spec, uint64_t seconds) {
    uint32_t at = weir_forecast_add(f, spec ? spec->name : WEIR_STR(""), spec);
    f->steps.items[at].estimate.wall_us = seconds * S;
    return at;
}

static uint64_t end_with(const weir_forecast *f, uint32_t slots) {
    return weir_forecast_simulate(f, &(weir_forecast_limits){.slots = slots}, false).end_us / S;
}

/* --- graphs made by hand ------------------------------------------------------------------------ */

static void the_longest_way_is_found(void **state) {
    (void)state;
    weir_forecast f = {0};
    uint64_t us[6];
    uint32_t way[6];
    uint32_t a = add(&f, &slot, 1), b = add(&f, &slot, 5), c = add(&f, &slot, 2),
             point = add(&f, NULL, 0), d = add(&f, &slot, 4), e = add(&f, &slot, 1);
    weir_forecast_join(&f, a, b);
    weir_forecast_join(&f, a, c);
    weir_forecast_join(&f, b, point);
    weir_forecast_join(&f, c, point);
    weir_forecast_join(&f, c, d);
    weir_forecast_join(&f, point, e);
    weir_forecast_join(&f, WEIR_FORECAST_NONE, e);
    weir_forecast_close(&f);
    weir_forecast_remaining(&f, us);
    assert_int_equal(us[a], 7 * S);
    assert_int_equal(us[b], 6 * S);
    assert_int_equal(us[c], 6 * S);
    assert_int_equal(us[d], 4 * S);
    assert_int_equal(weir_forecast_longest_way(&f, us, way), 3);
    assert_int_equal(way[0], a);
    assert_true(way[1] == b || way[1] == c);
    weir_forecast_deinit(&f);
}

static void a_cycle_is_cut(void **state) {
    (void)state;
    weir_forecast f = {0};
    uint64_t us[3];
    uint32_t a = add(&f, &slot, 1), b = add(&f, &slot, 2), c = add(&f, &slot, 3);
    weir_forecast_join(&f, a, b);
    weir_forecast_join(&f, b, c);
    weir_forecast_join(&f, c, b);
    weir_forecast_join(&f, c, c);
    weir_forecast_close(&f);
    assert_int_equal(f.cycles, 2);
    assert_true(f.steps.items[b].at_least && f.steps.items[c].at_least);
    assert_false(f.steps.items[a].at_least);
    weir_forecast_remaining(&f, us);
    assert_int_equal(us[a], 6 * S);
    assert_int_equal(end_with(&f, 1), 6);
    weir_forecast_deinit(&f);
}

static void a_million_behind_each_other(void **state) {
    (void)state;
    enum { COUNT = 1000000 };
    weir_forecast f = {0};
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t at = add(&f, i % 2 ? &slot : NULL, 1);
        if (i) weir_forecast_join(&f, at, at - 1);
    }
    weir_forecast_close(&f);
    uint64_t *us = weir_alloc(COUNT * sizeof *us);
    uint32_t *way = weir_alloc(COUNT * sizeof *way);
    weir_forecast_remaining(&f, us);
    assert_int_equal(us[COUNT - 1], (uint64_t)COUNT / 2 * S);
    assert_int_equal(weir_forecast_longest_way(&f, us, way), COUNT / 2);
    assert_int_equal(end_with(&f, 4), COUNT / 2);
    weir_free(us);
    weir_free(way);
    weir_forecast_deinit(&f);
}

/* Graham's bound holds, and the course is what a queue with so many slots gives. */
static void tasks_take_their_slots(void **state) {
    (void)state;
    static const struct {
        uint32_t slots;
        uint64_t end;
    } cases[] = {{0, 6}, {1, 16}, {2, 9}, {3, 7}};
    weir_forecast f = {0};
    uint32_t first = add(&f, &slot, 1), last = add(&f, &slot, 1);
    for (uint64_t i = 1; i <= 4; i++) { /* 1, 2, 3 and 4 seconds */
        uint32_t at = add(&f, &slot, i);
        weir_forecast_join(&f, first, at);
        weir_forecast_join(&f, at, last);
    }
    uint32_t many = add(&f, &slot, 1); /* four of them */
    f.steps.items[many].tasks = 4;
    f.steps.items[many].estimate.memory_bytes = 100;
    weir_forecast_join(&f, first, many);
    weir_forecast_join(&f, many, last);
    weir_forecast_close(&f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(end_with(&f, cases[i].slots), cases[i].end);
    weir_forecast_course course =
        weir_forecast_simulate(&f, &(weir_forecast_limits){.memory_bytes = 250}, false);
    assert_int_equal(course.work_us, 16 * S);
    assert_int_equal(course.memory_bytes, 200);
    assert_int_equal(course.at_once, 6);
    course = weir_forecast_simulate(&f, &(weir_forecast_limits){.memory_bytes = 50}, false);
    assert_int_equal(course.memory_bytes, 100); /* what never fits runs alone */
    weir_forecast_deinit(&f);
}

static void what_takes_no_slot_passes(void **state) {
    (void)state;
    weir_forecast f = {0};
    uint32_t a = add(&f, &slot, 3);
    (void)add(&f, &slot, 3);
    add(&f, &free_one, 4);
    uint32_t service = add(&f, &slot, 9);
    f.steps.items[service].lasts = true;
    f.steps.items[a].estimate.wall_high_us = 5 * S;
    weir_forecast_close(&f);
    assert_int_equal(end_with(&f, 1), 6);
    assert_int_equal(weir_forecast_simulate(&f, &(weir_forecast_limits){.slots = 1}, true).end_us,
                     8 * S);
    weir_forecast_deinit(&f);
}

static void very_many_of_one_are_quick(void **state) {
    (void)state;
    weir_forecast f = {0};
    uint32_t many = add(&f, &slot, 1);
    f.steps.items[many].tasks = 1000ull * 1000 * 1000;
    weir_forecast_close(&f);
    uint64_t end = end_with(&f, 8);
    assert_in_range(end, 125000000, 125200000);
    weir_forecast_deinit(&f);
}

/* --- of files ------------------------------------------------------------------------------------- */

typedef weir_plan *compiler(const weir_document *document, const weir_value *request,
                            const weir_registry *registry, weir_problems *problems);

static weir_plan *compile(compiler *of_kind, const char *text, const char *request_text,
                          weir_forecast *out) {
    weir_registry registry = {0};
    weir_document document = {0};
    weir_problems problems = {0};
    weir_error error;
    weir_value *request;
    assert_true(weir_registry_add(&registry, weir_process_plugin(weir_host_get()), NULL));
    assert_true(weir_registry_add(&registry, weir_dataflow_plugin(weir_host_get()), NULL));
    assert_true(weir_registry_add(&registry, weir_output_plugin(weir_host_get()), NULL));
    assert_true(weir_json_parse(weir_str_from(request_text), WEIR_STR(""), &request, NULL));
    if (!weir_document_parse(&document, "f.yaml", weir_str_from(text), WEIR_YAML_CORE, &error))
        fail_msg("%s", error.message);
    weir_plan *plan = of_kind(&document, request, &registry, &problems);
    if (!plan) fail_msg("%s", problems.items[0].message);
    *out = (weir_forecast){0};
    plan->forecast(plan, request, out);
    weir_value_unref(request);
    weir_problems_deinit(&problems);
    weir_document_deinit(&document);
    weir_registry_deinit(&registry);
    return plan;
}

/* "name×tasks name?×tasks+ …": of steps with tasks that are no calls, in the order that they are waited for. */
static void expect_steps(const weir_forecast *f, const char *expected) {
    weir_buffer text = {0};
    for (size_t i = 0; i < f->steps.count; i++) {
        const weir_forecast_step *s = &f->steps.items[f->order[i]];
        if (!s->spec || s->call) continue;
        weir_buffer_printf(&text, "%s%.*s%s", text.length ? " " : "", WEIR_ARG(s->name),
                           s->doubtful ? "?" : "");
        if (s->tasks != 1 || s->at_least)
            weir_buffer_printf(&text, "×%llu%s", (unsigned long long)s->tasks,
                               s->at_least ? "+" : "");
    }
    assert_string_equal(text.data, expected);
    weir_buffer_deinit(&text);
}

#define DEFINITIONS                                                                                \
    "definitions: {a: {primitive: str}, b: {primitive: str}, c: {primitive: str}, "                \
    "yes: {primitive: bool}}\n"

static void pools_let_so_many_run(void **state) {
    (void)state;
    weir_forecast f = {0};
    weir_forecast_span spans[4];
    uint32_t lock = weir_forecast_pool_add(&f, 1), two = weir_forecast_pool_add(&f, 2);
    uint32_t a = add(&f, &slot, 3);
    weir_forecast_hold(&f, lock);
    uint32_t b = add(&f, &slot, 3);
    weir_forecast_hold(&f, two);
    weir_forecast_hold(&f, lock);
    uint32_t c = add(&f, &slot, 2);
    f.steps.items[c].tasks = 5;
    weir_forecast_hold(&f, two);
    uint32_t d = add(&f, &slot, 1);
    weir_forecast_close(&f);
    weir_forecast_limits limits = {.slots = 10, .spans = spans};
    weir_forecast_course course = weir_forecast_simulate(&f, &limits, false);
    assert_int_equal(course.end_us / S, 7);
    assert_int_equal(spans[a].end_us / S, 3);
    assert_int_equal(spans[d].begin_us, 0); /* passes those that wait */
    assert_true(spans[b].begin_us / S >= 3);
    assert_int_equal(course.at_once, 4);
    limits.one_at_a_time = true;
    assert_int_equal(weir_forecast_simulate(&f, &limits, false).end_us / S, 3 + 3 + 10 + 1);
    assert_int_equal(weir_forecast_simulate(&f, &limits, false).at_once, 1);
    weir_forecast_deinit(&f);
}

static void the_longest_way_goes_first_if_it_is_to(void **state) {
    (void)state;
    weir_forecast f = {0};
    (void)add(&f, &slot, 2);
    (void)add(&f, &slot, 2);
    uint32_t head = add(&f, &slot, 1), tail = add(&f, &slot, 4);
    weir_forecast_join(&f, head, tail);
    weir_forecast_close(&f);
    weir_forecast_limits limits = {.slots = 2};
    assert_int_equal(weir_forecast_simulate(&f, &limits, false).end_us / S, 7);
    limits.scheduler = WEIR_SCHEDULER_CRITICAL_PATH;
    assert_int_equal(weir_forecast_simulate(&f, &limits, false).end_us / S, 5);
    weir_forecast_deinit(&f);
}

/* One row of long tasks came first; a row of short ones has its turns all the same. */
static void rows_take_turns_if_they_are_to(void **state) {
    (void)state;
    weir_forecast_span spans[2];
    weir_forecast f = {0};
    uint32_t first = add(&f, &slot, 2), second = add(&f, &slot, 1);
    f.steps.items[first].tasks = 6;
    f.steps.items[second].tasks = 4;
    weir_forecast_close(&f);
    weir_forecast_limits limits = {.slots = 1, .spans = spans};
    assert_int_equal(weir_forecast_simulate(&f, &limits, false).end_us / S, 16);
    assert_int_equal(spans[second].begin_us / S, 12);
    limits.scheduler = WEIR_SCHEDULER_FAIR;
    assert_int_equal(weir_forecast_simulate(&f, &limits, false).end_us / S, 16);
    assert_true(spans[second].begin_us / S <= 2);
    assert_true(spans[second].end_us / S <=
                9); /* 4 of its own, and as much of the others, and the one under way */
    f.steps.items[first].tasks = f.steps.items[second].tasks = 1000ull * 1000 * 1000;
    limits.slots = 0;
    (void)weir_forecast_simulate(&f, &limits, false); /* does not take for ever */
    weir_forecast_deinit(&f);
}

static void tries_that_fail_count(void **state) {
    (void)state;
    weir_task_spec tried = slot;
    weir_forecast f = {0};
    tried.backoff_us = S;
    uint32_t at = add(&f, &tried, 4);
    weir_forecast_close(&f);
    assert_int_equal(end_with(&f, 1), 4);
    f.steps.items[at].tries_milli = 1500; /* each second one is tried twice */
    assert_int_equal(weir_forecast_wall_us(&f.steps.items[at], false), 6 * S + S / 2);
    f.steps.items[at].tries_milli = 1000;
    assert_int_equal(end_with(&f, 1), 4);
    weir_forecast_deinit(&f);
}

static void small_tasks_go_first_if_they_are_to(void **state) {
    (void)state;
    weir_forecast_span spans[3];
    weir_forecast f = {0};
    static const uint64_t memory[] = {300, 100, 200};
    for (size_t i = 0; i < 3; i++) {
        uint32_t at = add(&f, &slot, 1);
        f.steps.items[at].estimate.memory_bytes = memory[i];
    }
    weir_forecast_close(&f);
    weir_forecast_limits limits = {.slots = 1, .spans = spans, .scheduler = WEIR_SCHEDULER_MEMORY};
    (void)weir_forecast_simulate(&f, &limits, false);
    assert_int_equal(spans[1].begin_us / S, 0);
    assert_int_equal(spans[2].begin_us / S, 1);
    assert_int_equal(spans[0].begin_us / S, 2);
    limits.slots = 0;
    limits.least_memory = true; /* the two small ones, which are no more than the large one */
    weir_forecast_course course = weir_forecast_simulate(&f, &limits, false);
    assert_int_equal(course.memory_bytes, 300);
    assert_int_equal(course.end_us / S, 2);
    weir_forecast_deinit(&f);
}

static void a_dataflow_has_its_product_of_tasks(void **state) {
    (void)state;
    weir_forecast f;
    weir_plan *plan = compile(
        weir_dataflow_compile,
        DEFINITIONS
        "operations:\n"
        "  one: {name: process.run, inputs: {x: a}, outputs: {result: b}, estimate: {seconds: 2}}\n"
        "  pairs: {name: process.run, inputs: {x: a, y: b}, outputs: {result: c}}\n"
        "  each: {name: process.run, inputs: {x: c}, expand: [stdout], outputs: {stdout: yes}}\n"
        "  later: {name: process.run, inputs: {x: yes}, outputs: {}}\n"
        "  last: {name: process.run, inputs: {x: a}, outputs: {}, stage: cleanup}\n"
        "  never: {name: process.run, inputs: {x: a}, conditions: [b], outputs: {}}\n"
        "configs: {one: {command: [a]}, pairs: {command: [a]}, each: {command: [a], format: "
        "json},\n"
        "          later: {command: [a]}, last: {command: [a]}, never: {command: [a]}}\n",
        "{\"contexts\": {\"c\": [{\"value\": \"1\", \"definition\": \"a\"},"
        " {\"value\": \"2\", \"definition\": \"a\"}, {\"value\": \"3\", \"definition\": \"a\"}]}}",
        &f);
    expect_steps(&f, "one×3 never?×3 pairs×9 each×9 later?×9+ last×3");
    weir_forecast_deinit(&f);
    weir__estimates *e = weir__estimates_new(plan, NULL);
    weir__estimates_free(e);
    weir_plan_unref(plan);
}

static void a_value_that_goes_round_is_at_least_one(void **state) {
    (void)state;
    weir_forecast f;
    weir_plan *plan = compile(
        weir_dataflow_compile,
        DEFINITIONS
        "operations:\n"
        "  go: {name: process.run, inputs: {x: a}, outputs: {result: b}}\n"
        "  back: {name: process.run, inputs: {x: b}, outputs: {result: a}}\n"
        "configs: {go: {command: [a]}, back: {command: [a]}}\n"
        "flow: {go: {inputs: {x: [seed, {back: result}]}}, back: {inputs: {x: [{go: result}]}}}\n",
        "{\"contexts\": {\"c\": [{\"value\": \"1\", \"definition\": \"a\"}]}}", &f);
    assert_int_equal(f.cycles, 1);
    expect_steps(&f, "go×1+ back×1+");
    weir_forecast_deinit(&f);
    weir_plan_unref(plan);
}

static void a_pipeline_says_what_it_takes(void **state) {
    (void)state;
    weir_forecast f;
    weir_plan *plan = compile(
        weir_pipeline_compile,
        "pipeline:\n  name: p\n  inputs: []\n  outputs: [end.x]\n  components:\n"
        "  - begin: {run: [a], inputs: [], outputs: [x], estimate: {seconds: 3, memory: 1k}}\n"
        "  - left: {run: [a], inputs: [begin.x], outputs: [x], estimate: {seconds: 2}}\n"
        "  - right: {run: [a], inputs: [begin.x], outputs: [x], estimate: {seconds: 4}}\n"
        "  - end: {run: [a], inputs: [left.x, right.x], outputs: [x]}\n",
        "{}", &f);
    expect_steps(&f, "begin right left end");
    assert_int_equal(end_with(&f, 8), 7);
    assert_int_equal(end_with(&f, 1), 9);
    weir__estimates *e = weir__estimates_new(plan, NULL);
    const weir_task_spec *begin = NULL, *left = NULL;
    for (size_t i = 0; i < f.steps.count; i++) {
        if (weir_str_is(f.steps.items[i].name, "begin")) begin = f.steps.items[i].spec;
        if (weir_str_is(f.steps.items[i].name, "left")) left = f.steps.items[i].spec;
    }
    weir_task_spec copy = *left;
    copy.of = left;
    weir_estimate known;
    assert_true(weir__estimates_of(e, begin, 0, &known));
    assert_int_equal(known.memory_bytes, 1000);
    assert_int_equal(weir__estimates_basis(e, begin), WEIR__ESTIMATE_FILE);
    assert_int_equal(weir__estimates_remaining_us(e, begin), 7 * S);
    assert_int_equal(weir__estimates_remaining_us(e, &copy), 2 * S);
    assert_int_equal(weir__estimates_remaining_us(e, &slot), 0);
    weir__estimates_free(e);
    weir_forecast_deinit(&f);
    weir_plan_unref(plan);
}

static const char workflow[] =
    "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: w-}\n"
    "spec:\n  entrypoint: main\n  onExit: work\n  parallelism: 3\n"
    "  arguments: {parameters: [{name: items, value: '[1, 2]'}]}\n"
    "  templates:\n"
    "  - name: main\n    steps:\n"
    "    - - {name: three, template: work, withItems: [a, b, c]}\n"
    "      - {name: two, template: pair, withParam: '{{workflow.parameters.items}}'}\n"
    "    - - {name: some, template: work, withParam: '{{steps.three.outputs.result}}'}\n"
    "      - {name: none, template: work, when: '1 == 2'}\n"
    "      - {name: maybe, template: work, when: '{{steps.three.status}} == Failed'}\n"
    "    - - {name: wait, template: wait}\n"
    "      - {name: again, template: main}\n"
    "  - name: pair\n    dag:\n      tasks:\n"
    "      - {name: a, template: work}\n"
    "      - {name: b, template: work, depends: a, withSequence: {start: '3', end: '5'}}\n"
    "  - name: wait\n    suspend: {duration: '20'}\n"
    "  - name: work\n    metadata: {annotations: {weir.estimate/seconds: '2'}}\n"
    "    container: {image: x, command: [x]}\n";

static void a_workflow_is_expanded(void **state) {
    (void)state;
    weir_forecast f;
    weir_plan *plan = compile(weir_workflow_compile, workflow, "{}", &f);
    expect_steps(&f, "main[0].two(1).a main[0].two(1).b×3 main[0].two(0).a main[0].two(0).b×3 "
                     "main[0].three×3 main[1].maybe? main[1].some?×1+ main[2].wait main.onExit");
    assert_int_equal(f.parallelism, 3);
    assert_int_equal(weir_forecast_simulate(&f, &(weir_forecast_limits){0}, false).end_us / S,
                     8 + 2 + 20 + 2); /* three at once */
    weir_forecast_deinit(&f);
    weir_plan_unref(plan);
}

/* Ten calls of ten calls of ten calls …: 10^9 steps in a file of some lines. */
static void what_is_too_large_is_cut_soon(void **state) {
    (void)state;
    weir_buffer text = {0};
    weir_forecast f;
    weir_buffer_text(&text,
                     "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n"
                     "metadata: {generateName: w-}\nspec:\n  entrypoint: t0\n  templates:\n");
    for (int i = 0; i < 9; i++) {
        weir_buffer_printf(&text, "  - name: t%d\n    dag:\n      tasks:\n", i);
        for (int k = 0; k < 10; k++)
            weir_buffer_printf(&text, "      - {name: s%d, template: t%d}\n", k, i + 1);
    }
    weir_buffer_text(&text, "  - name: t9\n    container: {image: x, command: [x]}\n");
    weir_plan *plan = compile(weir_workflow_compile, text.data, "{}", &f);
    assert_true(f.too_large);
    assert_in_range(f.steps.count, 100000, 1100000);
    weir_forecast_deinit(&f);
    weir_plan_unref(plan);
    weir_buffer_deinit(&text);
}

/* --- what is made of figures ---------------------------------------------------------------------- */

static void percentiles_lie_between_values(void **state) {
    (void)state;
    uint64_t values[] = {50, 10, 30, 20, 40};
    assert_int_equal(weir__quantile(values, 5, 50), 30);
    assert_int_equal(weir__quantile(values, 5, 90), 46);
    assert_int_equal(weir__quantile(values, 5, 100), 50);
    assert_int_equal(weir__quantile(values, 1, 90), 10);
    assert_int_equal(weir__quantile(NULL, 0, 50), 0);
}

static void sizes_of_values(void **state) {
    (void)state;
    weir_value *pieces = weir_array_new(), *all = weir_array_new();
    weir_array_append(pieces, weir_bytes_new("0123456789", 10));
    weir_array_append(all, weir_bytes_new("abc", 3));
    weir_array_append(all, weir_foreign_new(WEIR_STR("pickle"), WEIR_STR("a list"), pieces));
    weir_array_append(all, weir_string_from(WEIR_STR("four")));
    weir_array_append(all, weir_int_new(1));
    assert_int_equal(weir__value_size(all), 3 + 10 + 4 + 8);
    assert_int_equal(weir__value_size(NULL), 0);
    weir_value_unref(all);
}

static void sizes_go_by_powers_of_two(void **state) {
    (void)state;
    assert_int_equal(weir__history_bucket(0), 0);
    assert_int_equal(weir__history_bucket(1), 1);
    assert_int_equal(weir__history_bucket(1023), 10);
    assert_int_equal(weir__history_bucket(1024), 11);
    assert_int_equal(weir__history_bucket(UINT64_MAX), 64);
    weir_value *value;
    assert_true(weir_json_parse(WEIR_STR("{\"a\": \"four\", \"b\": [1, \"xy\", {}]}"), WEIR_STR(""),
                                &value, NULL));
    assert_int_equal(weir__value_size(value), 4 + 8 + 2);
    weir_value_unref(value);
    assert_int_equal(weir__value_size(NULL), 0);
}

/* --- how amounts grow with sizes -------------------------------------------------------------------- */

static void expect_curve(weir_curve_sample *samples, size_t count, const uint64_t (*asked)[2],
                         size_t asked_count) {
    weir_curve curve;
    weir_curve_init(&curve, samples, count);
    for (size_t i = 0; i < asked_count; i++) {
        uint64_t found = weir_curve_at(&curve, asked[i][0], 50), wanted = asked[i][1];
        assert_in_range(found, wanted - wanted / 5, wanted + wanted / 5);
    }
    weir_curve_deinit(&curve);
}

static void a_size_never_seen_lies_between_two_that_were(void **state) {
    (void)state;
    /* 20 ms, and 10 ns a byte: seen with 1 KB and with 100 MB. */
    weir_curve_sample line[] = {{1000, 20010}, {100000000, 1020000}, {1000, 21000},
                                {1000, 19500}, {100000000, 1000000}, {100000000, 1060000}};
    expect_curve(line, 6,
                 (const uint64_t[][2]){
                     {1000, 20010}, {100000, 21000}, {10000000, 120000}, {50000000, 520000}},
                 4);
    /* Sorting: n log n, seen at three sizes. */
    weir_curve_sample sorted[] = {{1000, 10000}, {100000, 1700000}, {10000000, 233000000}};
    expect_curve(sorted, 3, (const uint64_t[][2]){{1000000, 20000000}, {5000000, 111000000}}, 2);
}

static void sizes_beyond_what_was_seen_go_on(void **state) {
    (void)state;
    weir_curve_sample line[] = {{1000, 101000}, {100000, 200000}, {101000, 201000}};
    expect_curve(line, 3, (const uint64_t[][2]){{1000000, 1100000}, {10, 100010}}, 2);
    weir_curve_sample one[] = {{1000, 500}};
    expect_curve(one, 1, (const uint64_t[][2]){{10, 500}, {1000000, 500}}, 2);
}

static void noise_does_not_grow(void **state) {
    (void)state;
    weir_curve_sample flat[] = {{1000, 100}, {2000, 110}, {4000, 95},   {8000, 105},
                                {900, 98},   {1500, 90},  {3500, 1000}, {16000, 102}};
    expect_curve(flat, 8, (const uint64_t[][2]){{500, 100}, {3000, 100}, {100000000, 105}}, 1);
    weir_curve curve;
    weir_curve_init(&curve, flat, 8);
    uint64_t before = 0;
    for (uint64_t size = 1; size < 1000000; size *= 3) {
        uint64_t here = weir_curve_at(&curve, size, 50);
        assert_true(here >= before);
        assert_true(weir_curve_at(&curve, size, 90) >= here);
        before = here;
    }
    assert_int_equal(weir_curve_at(&curve, 0, 50), 0);
    weir_curve_deinit(&curve);
    weir_curve_init(&curve, (weir_curve_sample[]){{0, 5}, {5, 0}}, 2);
    assert_int_equal(weir_curve_at(&curve, 5, 50), 0);
    weir_curve_deinit(&curve);
}

static void files_that_inputs_name_count(void **state) {
    (void)state;
    weir_value *value;
    assert_true(
        weir_json_parse(WEIR_STR("{\"a\": \"./src\", \"b\": [1, \"COPYING-no\", {\"c\": \"f\"}],"
                                 " \"d\": \"/tmp/none\\nf\"}"),
                        WEIR_STR(""), &value, NULL));
    char folder[] = "/tmp/weir-given-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/f", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("0123456789", file);
    fclose(file);
    assert_int_equal(weir_given_files(value, weir_str_from(folder)), 10);
    assert_int_equal(weir_given_files(value, WEIR_STR("/nowhere")), 0);
    assert_int_equal(weir_given_files(NULL, WEIR_STR("")), 0);
    weir_value_unref(value);
    unlink(path);
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_of_values),
        cmocka_unit_test(the_longest_way_is_found),
        cmocka_unit_test(a_cycle_is_cut),
        cmocka_unit_test(a_million_behind_each_other),
        cmocka_unit_test(tasks_take_their_slots),
        cmocka_unit_test(what_takes_no_slot_passes),
        cmocka_unit_test(pools_let_so_many_run),
        cmocka_unit_test(the_longest_way_goes_first_if_it_is_to),
        cmocka_unit_test(rows_take_turns_if_they_are_to),
        cmocka_unit_test(tries_that_fail_count),
        cmocka_unit_test(small_tasks_go_first_if_they_are_to),
        cmocka_unit_test(very_many_of_one_are_quick),
        cmocka_unit_test(a_dataflow_has_its_product_of_tasks),
        cmocka_unit_test(a_value_that_goes_round_is_at_least_one),
        cmocka_unit_test(a_pipeline_says_what_it_takes),
        cmocka_unit_test(a_workflow_is_expanded),
        cmocka_unit_test(what_is_too_large_is_cut_soon),
        cmocka_unit_test(percentiles_lie_between_values),
        cmocka_unit_test(sizes_go_by_powers_of_two),
        cmocka_unit_test(a_size_never_seen_lies_between_two_that_were),
        cmocka_unit_test(sizes_beyond_what_was_seen_go_on),
        cmocka_unit_test(noise_does_not_grow),
        cmocka_unit_test(files_that_inputs_name_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

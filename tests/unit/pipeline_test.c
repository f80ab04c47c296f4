/* Pipelines: both styles mean the same, and everything wrong is said at once with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../operations/operations.h"
#include "data/json.h"
#include "pipeline/pipeline_internal.h"

static bool never_run(const weir_host *host, weir_call *call) {
    (void)host;
    (void)call;
    return false;
}

static const weir_port no_ports[] = {{NULL, NULL, NULL}};
static const weir_operation load_page = {
    .size = sizeof(weir_operation),
    .name = "load_page",
    .inputs = (const weir_port[]){{"id", "str", ""}, {"number", "int", ""}, {NULL, NULL, NULL}},
    .outputs = (const weir_port[]){{"image", "array", ""}, {NULL, NULL, NULL}},
    .config = no_ports,
    .run = never_run,
};
static const weir_operation find_table = {
    .size = sizeof(weir_operation),
    .name = "find_table",
    .inputs = (const weir_port[]){{"image", "array", ""}, {NULL, NULL, NULL}},
    .outputs =
        (const weir_port[]){{"cells", "array", ""}, {"sum", "float", ""}, {NULL, NULL, NULL}},
    .config = no_ports,
    .run = never_run,
};
static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "test",
    .version = "1",
    .operations = (const weir_operation *const[]){&load_page, &find_table, NULL},
};

static const char given[] = "{\"texts\": {\"id\": \"D0\", \"page_num\": \"0\"}}";

/* The linked form as JSON, or NULL; freed with weir_free. */
static char *compile(const char *text, const char *request_text, weir_problems *problems) {
    weir_registry registry = {0};
    weir_document document = {0};
    weir_value *request;
    assert_true(weir_registry_add(&registry, &plugin, NULL));
    assert_true(weir_registry_add(
        &registry, weir_process_plugin(&(weir_host){.abi = WEIR_ABI, .size = sizeof(weir_host)}),
        NULL));
    assert_true(
        weir_document_parse(&document, "p.yaml", weir_str_from(text), WEIR_YAML_CORE, NULL));
    assert_true(weir_json_parse(weir_str_from(request_text), WEIR_STR(""), &request, NULL));
    weir__pipeline pipeline = {
        .document = &document, .request = request, .registry = &registry, .problems = problems};
    weir_value *flow = weir_pipeline_to_dataflow(&pipeline);
    assert_int_equal(flow == NULL, problems->total > 0);
    weir_buffer json = {0};
    if (flow) weir_json_format(flow, 0, &json);
    weir_value_unref(flow);
    weir__pipeline_deinit(&pipeline);
    weir_value_unref(request);
    weir_document_deinit(&document);
    weir_registry_deinit(&registry);
    return json.data;
}

static void expect(const char *text, const char *request, const char *wanted) {
    weir_problems problems = {0};
    char *json = compile(text, request, &problems), line[1024];
    for (size_t i = 0; i < problems.count; i++)
        print_message("%s\n", weir_error_format(&problems.items[i], line, sizeof line));
    assert_non_null(json);
    assert_string_equal(json, wanted);
    weir_free(json);
    weir_problems_deinit(&problems);
}

#define SEED(outputs)                                                                              \
    "\"seed\":[{\"value\":[" outputs "],\"definition\":\"weir.outputs\",\"origin\":\"seed\"}],"
#define RESULTS                                                                                    \
    "\"weir.outputs\":{\"name\":\"get_single\",\"inputs\":{\"spec\":\"weir.outputs\"},"            \
    "\"outputs\":{},\"stage\":\"output\"}},"

static void styles_mean_the_same(void **state) {
    (void)state;
    static const char plain[] = "pipeline:\n"
                                "  name: invoice\n"
                                "  inputs: [id, page_num]\n"
                                "  outputs: {sum: total, cells: table.cells}\n"
                                "  components:\n"
                                "    - page:\n"
                                "        runner: load_page\n"
                                "        inputs: [id, page_num]\n"
                                "        outputs: [image]\n"
                                "        retries: 2\n"
                                "        config: {dpi: 300}\n"
                                "    - table:\n"
                                "        runner: find_table\n"
                                "        inputs: {image: page.image}\n"
                                "        outputs: [cells, total]\n"
                                "        timeout: 1m30s\n"
                                "        estimate: {seconds: 2.5, memory: 1Gi}\n";
    static const char mapping[] =
        "pipeline:\n"
        "  name: invoice\n"
        "  inputs: [id, page_num]\n"
        "  outputs: [{sum: total}, {cells: table.cells}]\n"
        "  components:\n"
        "    page: {runner: load_page, inputs: [id, page_num],\n"
        "           outputs: [image], retries: 2, config: {dpi: 300}}\n"
        "    table: {runner: find_table, inputs: [page.image],\n"
        "            outputs: [cells, total], timeout: 90,\n"
        "              estimate: {seconds: 2500ms, memory: 1073741824}}\n";
    static const char list[] = "pipeline:\n"
                               "- name: invoice\n"
                               "- inputs: [id, page_num]\n"
                               "- outputs:\n"
                               "  - sum: total\n"
                               "  - cells: table.cells\n"
                               "- components:\n"
                               "  - page:\n"
                               "    - runner: load_page\n"
                               "    - inputs:\n"
                               "      - id\n"
                               "      - number: page_num\n"
                               "    - outputs: [image]\n"
                               "    - retries: 2\n"
                               "    - config:\n"
                               "      - dpi: 300\n"
                               "  - table:\n"
                               "    - runner: find_table\n"
                               "    - inputs: [page.image]\n"
                               "    - outputs: [cells, total]\n"
                               "    - timeout: 90s\n"
                               "    - estimate: [seconds: 2.5s, memory: 1Gi]\n";
    static const char linked[] =
        "{\"linked\":true,\"definitions\":{"
        "\"id\":{\"name\":\"id\",\"primitive\":\"str\"},"
        "\"page_num\":{\"name\":\"page_num\",\"primitive\":\"int\"},"
        "\"page.image\":{\"name\":\"page.image\",\"primitive\":\"array\"},"
        "\"table.cells\":{\"name\":\"table.cells\",\"primitive\":\"array\"},"
        "\"table.total\":{\"name\":\"table.total\",\"primitive\":\"float\"},"
        "\"weir.outputs\":{\"name\":\"weir.outputs\",\"primitive\":\"array\"}},"
        "\"operations\":{"
        "\"page\":{\"name\":\"load_page\",\"inputs\":{\"id\":\"id\",\"number\":\"page_num\"},"
        "\"outputs\":{\"image\":\"page.image\"},\"stage\":\"processing\",\"retry\":3},"
        "\"table\":{\"name\":\"find_table\",\"inputs\":{\"image\":\"page.image\"},"
        "\"outputs\":{\"cells\":\"table.cells\",\"sum\":\"table.total\"},"
        "\"stage\":\"processing\",\"timeout_us\":90000000,\"estimate\":{\"seconds\":2.5,"
        "\"memory\":1073741824}}," RESULTS SEED(
            "{\"sum\":\"table.total\"},{\"cells\":\"table.cells\"}") "\"configs\":{\"page\":{"
                                                                     "\"dpi\":300}}}";
    static const char list_only[] =
        "{\"texts\": {\"id\": \"D0\"}, \"inputs\": {\"page_num\": 0}, \"list_style\": true}";
    expect(plain, given, linked);
    expect(mapping, given, linked);
    expect(list, given, linked);
    expect(list, list_only, linked);
}

static void commands_are_processes(void **state) {
    (void)state;
    expect(
        "pipeline:\n"
        "  name: commands\n"
        "  inputs: [id, page_num]\n"
        "  outputs: [both.left, text, exit_code]\n"
        "  components:\n"
        "    - one:\n"
        "        run: [echo, \"{{inputs.id}}\", 1]\n"
        "        inputs: [id]\n"
        "        outputs: [text, exit_code]\n"
        "        config: {stdin: \"{{ inputs.id }}\"}\n"
        "    - both:\n"
        "        runner: {run: [cat, \"{{inputs.text}}\", \"{{inputs.n}}\"]}\n"
        "        inputs: [one.text, {n: page_num}]\n"
        "        outputs: [left, right]\n",
        given,
        "{\"linked\":true,\"definitions\":{"
        "\"id\":{\"name\":\"id\",\"primitive\":\"generic\"},"
        "\"page_num\":{\"name\":\"page_num\",\"primitive\":\"generic\"},"
        "\"one.text\":{\"name\":\"one.text\",\"primitive\":\"generic\"},"
        "\"one.exit_code\":{\"name\":\"one.exit_code\",\"primitive\":\"int\"},"
        "\"both.left\":{\"name\":\"both.left\",\"primitive\":\"generic\"},"
        "\"both.right\":{\"name\":\"both.right\",\"primitive\":\"generic\"},"
        "\"weir.outputs\":{\"name\":\"weir.outputs\",\"primitive\":\"array\"}},"
        "\"operations\":{"
        "\"one\":{\"name\":\"process.run\",\"inputs\":{\"id\":\"id\"},"
        "\"outputs\":{\"result\":\"one.text\",\"exit_code\":\"one.exit_code\"},"
        "\"stage\":\"processing\"},"
        "\"both\":{\"name\":\"process.run\","
        "\"inputs\":{\"one.text\":\"one.text\",\"n\":\"page_num\"},"
        "\"outputs\":{\"left\":\"both.left\",\"right\":\"both.right\"},"
        "\"stage\":\"processing\"}," RESULTS SEED(
            "{\"both.left\":\"both.left\"},{\"text\":\"one.text\"},"
            "{\"exit_code\":\"one.exit_code\"}") "\"configs\":{"
                                                 "\"one\":{\"stdin\":\"{{inputs.id}}\",\"command\":"
                                                 "[\"echo\",\"{{inputs.id}}\",\"1\"]},"
                                                 "\"both\":{\"format\":\"json\","
                                                 "\"command\":[\"cat\",\"{{inputs.one.text}}\",\"{{"
                                                 "inputs.n}}\"]}}}");
}

typedef struct expected {
    const char *message; /* a part of it, or of the hint */
    uint32_t line, column;
} expected;

typedef struct wrong_file {
    const char *text, *request;
    expected problems[12];
} wrong_file;

#define HEAD "pipeline:\n  name: p\n  inputs: [id, page_num]\n"
#define PAGE                                                                                       \
    "    - page:\n        runner: load_page\n        inputs: [id, page_num]\n"                     \
    "        outputs: [image]\n"

static const wrong_file wrong_files[] = {
    {"other: 1\n", given, {{"there is no `pipeline`", 1, 1}}},
    {"pipeline:\n  nam: p\n  mode: sync\nextra: 1\n",
     "{}",
     {{"file: there is no `extra`", 4, 1},
      {"pipeline: `name` is missing", 1, 1},
      {"pipeline: `inputs` is missing", 1, 1},
      {"pipeline: `outputs` is missing", 1, 1},
      {"pipeline: `components` is missing", 1, 1},
      {"did you mean `name`?", 2, 3},
      {"pipeline: there is no `mode`", 3, 3}}},
    {HEAD "  outputs: []\n  components: []\n", given, {{"there must be one", 5, 3}}},
    {"pipeline: {name: 1, inputs: {id: 2}, outputs: 3, components: [x]}\n",
     "{}",
     {{"name must be a text", 1, 12},
      {"inputs: a name stands alone here", 1, 30},
      {"outputs must be a list of names, found int", 1, 38},
      {"components: an entry must be a mapping with one name, found string", 1, 63}}},
    {"pipeline:\n- name: p\n- inputs: [id, id]\n- outputs: [3]\n- name: q\n- components:\n"
     "  - page: [runner: load_page, inputs: [id, id], outputs: [image]]\n    other: []\n"
     "  - page: []\n",
     "{\"inputs\": {\"id\": 1}}",
     {{"`name` is given twice", 5, 3},
      {"outputs: an entry must be a name, found int", 4, 13},
      {"components: an entry must have one name, this has 2", 7, 5},
      {"`page` is given twice", 9, 5},
      {"component: `inputs` is missing", 8, 5},
      {"component: `outputs` is missing", 8, 5},
      {"component: `runner` is missing", 8, 5},
      {"`id` is given twice", 3, 16}}},
    {HEAD "  outputs: [x.image, nothing]\n  components:\n"
          "    - weir.outputs:\n        runner: find_tabel\n        inputs: [id]\n"
          "        outputs: [y]\n"
          "    - x:\n        runner: models.page:load\n        inputs: [page_num]\n"
          "        outputs: [image]\n        cache: true\n        retries: -1\n"
          "        timeout: soon\n        schedule: x\n"
          "        estimate: {seconds: later, weight: 2}\n",
     given,
     {{"cannot be named `weir.outputs`", 6, 7},
      {"did you mean `find_table`?", 7, 9},
      {"component: there is no `schedule`", 17, 9},
      {"there is no operation `models.page:load`", 11, 9},
      {"retries must be a number", 15, 9},
      {"timeout: `soon` is not a duration", 16, 9},
      {"estimate.seconds: `later` is not a duration", 18, 20},
      {"estimate.weight: an estimate has no `weight`", 18, 36},
      {"outputs: nobody makes `nothing`", 4, 22}}},
    {HEAD "  outputs: [cells]\n  components:\n" PAGE
          "    - table:\n        runner: find_table\n        inputs: [page.image, id, {pic: id}]\n"
          "        outputs: [cells, x, y]\n"
          "    - again:\n        runner: find_table\n        inputs: []\n        outputs: [cells]\n"
          "    - more:\n        runner: find_table\n        inputs: [page.image, image: id]\n"
          "        outputs: [sum, sum]\n",
     given,
     {{"`more.sum` is given twice", 21, 24},
      {"table: operation `find_table` takes no more than 1 inputs", 12, 30},
      {"table: operation `find_table` has no parameter `pic`", 12, 35},
      {"operation `find_table` has no output `x`", 13, 26},
      {"operation `find_table` has no output `y`", 13, 29},
      {"again: parameter `image` of operation `find_table` is not given", 14, 7},
      {"more: parameter `image` is given twice", 20, 30},
      {"made by two components: `table.cells` and `again.cells`", 4, 13}}},
    {HEAD "  outputs: [{a: page.image}, {a: page.image}]\n  components:\n" PAGE
          "    - run:\n        run: [echo, \"{{inputs.image}}\", [1], \"{{inputs.no}}\"]\n"
          "        inputs: [page.image, page.image]\n        outputs: []\n"
          "        config: {command: [x], stdin: \"{{x\"}\n"
          "    - empty: {run: [], inputs: [], outputs: []}\n"
          "    - both: {run: [true], runner: find_table, inputs: [], outputs: []}\n"
          "    - none: {runner: {ran: 1}, inputs: [], outputs: []}\n",
     given,
     {{"`a` is given twice", 4, 31},
      {"run must be a list [command, args…]", 15, 15},
      {"`runner` and `run` are given", 16, 14},
      {"runner: `run` is missing", 17, 14},
      {"did you mean `run`?", 17, 23},
      {"run: parameter `page.image` is given twice", 12, 30},
      {"run: the tag `{{x` has no end (close it with }})", 14, 9},
      {"the command is given by `run` already", 14, 9},
      {"its inputs are: {{inputs.page.image}}", 11, 21},
      {"an argument must be a text", 11, 41},
      {"nothing is named `{{inputs.no}}`", 11, 46}}},
    {HEAD "  outputs: []\n  components:\n" PAGE,
     "{\"inputs\": {\"id\": 1, \"pagenum\": 2}, \"texts\": {\"x\": \"\"}}",
     {{"input `page_num` is not given", 3, 16},
      {"the pipeline has no input `pagenum`", 0, 0},
      {"the pipeline has no input `x`", 3, 3}}},
    {HEAD "  outputs: []\n  components:\n" PAGE
          "    - a: {run: [x], inputs: [c.out], outputs: [out]}\n"
          "    - b: {run: [x], inputs: [a.out], outputs: [out]}\n"
          "    - c: {run: [x], inputs: [id, b.out], outputs: [out]}\n"
          "    - self: {run: [x], inputs: [self.out], outputs: [out]}\n"
          "    - lost: {run: [x], inputs: [image, page.image], outputs: [out]}\n"
          "    - next: {run: [x], inputs: [lost.out], outputs: [out]}\n"
          "    - last: {run: [x], inputs: [next.out, a.out], outputs: [out]}\n",
     given,
     {{"a: c.out is missing: a cycle, each waits for the next: a → c → b → a", 10, 30},
      {"b: a.out is missing: a cycle, each waits for the next: b → a → c → b", 11, 30},
      {"c: b.out is missing: a cycle, each waits for the next: c → b → a → c", 12, 34},
      {"self: self.out is missing: a cycle, each waits for the next: self → self", 13, 33},
      {"did you mean `page.image`?", 14, 33},
      {"next: lost.out is missing: its maker `lost` waits in turn for image", 15, 33},
      {"last: next.out is missing: its maker `next` waits in turn for lost.out", 16, 33},
      {"last: a.out is missing: its maker `a` waits in turn for c.out", 16, 43}}},
    {HEAD "  outputs: []\n  components:\n" PAGE,
     "{\"texts\": {\"id\": \"\", \"page_num\": \"\"}, \"list_style\": true}",
     {{"pipeline must be a list of one-entry mappings (list style), found object", 1, 1}}},
    {"pipeline: {name: a}\n---\npipeline:\n- name: b\n", "{}", {{"there are: a, b", 1, 1}}},
    {"pipeline: {name: a}\n---\npipeline:\n- name: b\n",
     "{\"pipeline\": \"c\"}",
     {{"there is no pipeline `c`; there are: a, b", 1, 1}}},
    {"pipeline: {name: a}\n---\npipeline:\n- name: b\n- inputs: []\n- outputs: []\n",
     "{\"pipeline\": \"b\"}",
     {{"pipeline: `components` is missing", 3, 1}}},
};

static bool is_as_wanted(const weir_error *found, const expected *wanted) {
    char line[1024];
    weir_error_format(found, line, sizeof line);
    if (wanted->message && strstr(line, wanted->message) && found->line == wanted->line &&
        found->column == wanted->column)
        return true;
    print_error("found  %s\nwanted %s at %u:%u\n", line, wanted->message, wanted->line,
                wanted->column);
    return false;
}

static void problems_have_places(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof wrong_files / sizeof *wrong_files; i++) {
        const wrong_file *file = &wrong_files[i];
        weir_problems problems = {0};
        assert_null(compile(file->text, file->request, &problems));
        bool ok = !file->problems[problems.count].message;
        for (size_t j = 0; j < problems.count; j++)
            ok &= is_as_wanted(&problems.items[j], &file->problems[j]);
        if (!ok) print_error("in file %zu: %s\n", i, file->text);
        assert_true(ok);
        weir_problems_deinit(&problems);
    }
}

/* Written backwards, so that each component waits for the one below it. */
static void long_chains_are_quick(void **state) {
    (void)state;
    enum { LENGTH = 2000 };
    weir_buffer text = {0};
    weir_buffer_text(&text,
                     "pipeline:\n  name: p\n  inputs: []\n  outputs: [c0.x]\n  components:\n");
    for (int i = 0; i < LENGTH; i++)
        weir_buffer_printf(&text, "    - c%d: {run: [x], inputs: [c%d.x], outputs: [x]}\n", i,
                           i + 1);
    weir_buffer_printf(&text, "    - c%d: {run: [x], inputs: [], outputs: [x]}\n", LENGTH);
    weir_problems problems = {0};
    char *json = compile(text.data, "{}", &problems);
    assert_non_null(json);
    weir_free(json);
    weir_problems_deinit(&problems);
    weir_buffer_deinit(&text);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(styles_mean_the_same),
        cmocka_unit_test(commands_are_processes),
        cmocka_unit_test(problems_have_places),
        cmocka_unit_test(long_chains_are_quick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

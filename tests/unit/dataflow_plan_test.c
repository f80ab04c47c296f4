/* What is wrong with a dataflow: said with a code, a place in the file and, where it helps, what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "../conformance/operations.c" /* before cmocka, whose `fail` is a macro */

#include <cmocka.h>

#include "../../operations/operations.h"
#include "data/json.h"
#include "dataflow/plan.h"
#include "executor/inline.h"

static weir_registry registry;

static int open_registry(void **state) {
    (void)state;
    return weir_registry_add(&registry, weir_plugin_open(weir_host_get()), NULL) &&
                   weir_registry_add(&registry, weir_process_plugin(weir_host_get()), NULL) &&
                   weir_registry_add(&registry, weir_dataflow_plugin(weir_host_get()), NULL)
               ? 0
               : -1;
}

static int close_registry(void **state) {
    (void)state;
    weir_registry_deinit(&registry);
    return 0;
}

static void compile(const char *file, const char *text, const char *request_text,
                    weir_problems *problems) {
    weir_document document = {0};
    weir_value *request;
    weir_error e;
    char line[1024];
    if (!weir_document_parse(&document, file, weir_str_from(text), WEIR_YAML_CORE, &e))
        fail_msg("%s", weir_error_format(&e, line, sizeof line));
    assert_true(weir_json_parse(weir_str_from(request_text), WEIR_STR(""), &request, NULL));
    weir_plan *plan = weir_dataflow_compile(&document, request, &registry, problems);
    if (plan) plan->free(plan);
    assert_int_equal(plan == NULL, problems->total > 0);
    weir_value_unref(request);
    weir_document_deinit(&document);
}

#define D2 "definitions: {A: {primitive: int}, B: {primitive: int}}\n"
#define OPS "operations:\n  n:\n    name: neg\n    inputs: {a: A}\n    outputs: {result: B}\n"
#define N(more) D2 OPS more
#define CONTEXT(inputs) "{\"contexts\": {\"ctx\": [" inputs "]}}"

static const struct wrong {
    const char *about, *text, *request;
    weir_code code;
    uint32_t line, column; /* column 0: in this line or a later one */
    const char *message, *hint;
} wrongs[] = {
    {"a seed of an id that is not before it",
     N("seed:\n  - {value: 1, definition: A, same_as: x}\n  - {value: 1, definition: A, id: x}\n"),
     "{}", WEIR_INVALID, 8, 5, "no input with the id `x` before it", ""},
    {"two seeds of an id",
     N("seed:\n  - {value: 1, definition: A, id: x}\n  - {value: 1, definition: A, id: x}\n"), "{}",
     WEIR_INVALID, 9, 5, "two inputs have the id `x`", ""},
    {"an unknown operation", D2 "operations:\n  n:\n    name: nega\n    inputs: {a: A}\n", "{}",
     WEIR_UNKNOWN_OPERATION, 4, 5, "`nega`", "did you mean `neg`?"},
    {"one that is like no other", D2 "operations:\n  n:\n    name: transmogrify\n", "{}",
     WEIR_UNKNOWN_OPERATION, 4, 5, "`transmogrify`", ""},
    {"without a name it is the instance's", D2 "operations:\n  neng:\n    inputs: {a: A}\n", "{}",
     WEIR_UNKNOWN_OPERATION, 3, 3, "`neng`", "`neg`"},
    {"an input's definition", D2 "operations:\n  n:\n    name: neg\n    inputs: {a: X}\n", "{}",
     WEIR_UNKNOWN_DEFINITION, 5, 14, "`X`", ""},
    {"an output's definition",
     D2 "operations:\n  n:\n    name: neg\n    inputs: {a: A}\n    outputs:\n      result: X\n",
     "{}", WEIR_UNKNOWN_DEFINITION, 7, 7, "`X`", ""},
    {"a condition's definition", N("    conditions: [X]\n"), "{}", WEIR_UNKNOWN_DEFINITION, 7, 5,
     "`X`", ""},
    {"a seed's definition", N("seed:\n- {value: 1, definition: X}\n"), "{}",
     WEIR_UNKNOWN_DEFINITION, 7, 0, "`X`", ""},
    {"a seed without a value", N("seed:\n- {definition: A}\n"), "{}", WEIR_INVALID, 7, 0, "value",
     ""},
    {"no operations", D2, "{}", WEIR_INVALID, 1, 0, "`operations`", ""},
    {"operations are no object", D2 "operations: [1]\n", "{}", WEIR_INVALID, 2, 1, "`operations`",
     ""},
    {"definitions are no object", "definitions: 3\noperations: {}\n", "{}", WEIR_INVALID, 1, 1,
     "`definitions`", ""},
    {"an operation is no object", D2 "operations:\n  neg: text\n", "{}", WEIR_INVALID, 3, 3,
     "`neg`", ""},
    {"inputs are no object", D2 "operations:\n  n:\n    name: neg\n    inputs: [A]\n", "{}",
     WEIR_INVALID, 3, 0, "`inputs`", ""},
    {"an input names no definition", D2 "operations:\n  n:\n    name: neg\n    inputs: {a: 3}\n",
     "{}", WEIR_INVALID, 5, 14, "`a`", ""},
    {"no such stage", N("    stage: later\n"), "{}", WEIR_INVALID, 7, 5, "`later`", ""},
    {"a negative retry", N("    retry: -1\n"), "{}", WEIR_INVALID, 7, 5, "`retry`", ""},
    {"an estimate of what there is not", N("    estimate: {second: 1}\n"), "{}", WEIR_INVALID, 7, 5,
     "`estimate`: second: an estimate has no `second`", "seconds, high"},
    {"a retry that is no number", N("    retry: often\n"), "{}", WEIR_INVALID, 7, 5, "`retry`", ""},
    {"a retry without end", N("    retry: 1000001\n"), "{}", WEIR_INVALID, 7, 5, "`retry`", ""},
    {"expand is no array", N("    expand: result\n"), "{}", WEIR_INVALID, 7, 5, "`expand`", ""},
    {"conditions are no array", N("    conditions: A\n"), "{}", WEIR_INVALID, 7, 5, "`conditions`",
     ""},
    {"a configuration is no object", N("configs:\n  n: 3\n"), "{}", WEIR_INVALID, 8, 3, "`n`", ""},
    {"a tag without its input",
     D2 "operations:\n  s:\n    name: process.run\n    inputs: {a: A}\nconfigs:\n"
        "  s: {command: [\"{{inputs.b}}\"]}\n",
     "{}", WEIR_INVALID, 7, 3, "inputs.b", ""},
    {"the flow is no object", N("flow: [n]\n"), "{}", WEIR_INVALID, 7, 1, "`flow`", ""},
    {"the flow of no operation", N("flow:\n  m: {inputs: {a: [seed]}}\n"), "{}",
     WEIR_UNKNOWN_OPERATION, 7, 0, "`m`", ""},
    {"no such output in the flow", N("flow: {n: {inputs: {a: [{n: sum}]}}}\n"), "{}", WEIR_OK, 3, 0,
     "`sum`", ""},
    {"no such operation in the flow", N("flow: {n: {inputs: {a: [{m: result}]}}}\n"), "{}", WEIR_OK,
     3, 0, "", ""},
    {"a source that is none", N("flow: {n: {inputs: {a: [3]}}}\n"), "{}", WEIR_INVALID, 3, 0, "`n`",
     ""},
    {"an alternate of no definition", N("flow: {n: {inputs: {a: [{seed: [X]}]}}}\n"), "{}", WEIR_OK,
     3, 0, "", ""},
    {"sources that are no array", N("flow: {n: {inputs: {a: seed}}}\n"), "{}", WEIR_INVALID, 3, 0,
     "`n`", ""},
    {"the flow of no parameter", N("flow: {n: {inputs: {b: [seed]}}}\n"), "{}", WEIR_INVALID, 7, 21,
     "`b`", "`a`"},
    {"seeds that are no array", N("seed: {value: 1, definition: A}\n"), "{}", WEIR_INVALID, 7, 1,
     "`seed`", ""},
    {"an ancestor that is no origin", N("flow: {n: {inputs: {a: [[seed, {m: result}]]}}}\n"), "{}",
     WEIR_OK, 3, 0, "ancestor", ""},
    {"a source without any", N("flow: {n: {inputs: {a: [[]]}}}\n"), "{}", WEIR_INVALID, 3, 0,
     "ancestors", ""},
    {"a spec without types",
     "definitions:\n  A: {primitive: int}\n  B: {primitive: int, spec: {name: P}}\n" OPS, "{}",
     WEIR_INVALID, 3, 3, "`spec`", ""},
    {"a value that is not of its spec",
     "definitions:\n  A: {primitive: int}\n  B: {spec: {types: {x: int}}}\n" OPS,
     "{\"inputs\": {\"B\": {\"y\": 1}}}", WEIR_INVALID, 0, 0, "`x`", ""},
    {"a member that the spec does not have",
     "definitions:\n  A: {primitive: int}\n  B: {spec: {types: {x: int}}}\n" OPS,
     "{\"inputs\": {\"B\": {\"x\": 1, \"y\": 1}}}", WEIR_INVALID, 0, 0, "`B`", ""},
    {"a validator that is no name",
     "definitions:\n  A: {primitive: int}\n  B: {primitive: int, validate: 3}\n" OPS, "{}",
     WEIR_INVALID, 3, 3, "`validate`", ""},
    {"a validator that there is not",
     "definitions:\n  A: {primitive: int}\n  B: {primitive: int, validate: v}\n" OPS,
     "{\"inputs\": {\"B\": 1}}", WEIR_UNKNOWN_VALIDATOR, 0, 0, "`v`", ""},
    {"a validator that is an operation like any",
     "definitions:\n  A: {primitive: int}\n  B: {primitive: int, validate: n}\n" OPS,
     "{\"inputs\": {\"B\": 1}}", WEIR_UNKNOWN_VALIDATOR, 0, 0, "`n`", ""},
    {"forwarding to no dataflow", N("forward: {book: {n: [A]}}\n"), "{}", WEIR_INVALID, 7, 1,
     "`forward`", ""},
    {"no dataflow to run",
     D2 "operations:\n  n:\n    name: dffml.dataflow.run\n    inputs: {inputs: A}\n", "{}",
     WEIR_INVALID, 3, 0, "`dataflow`", ""},
    {"an input of no definition", N(""), "{\"inputs\": {\"X\": 1}}", WEIR_UNKNOWN_DEFINITION, 0, 0,
     "`X`", ""},
    {"a text of no definition", N(""), "{\"texts\": {\"X\": \"1\"}}", WEIR_UNKNOWN_DEFINITION, 0, 0,
     "`X`", ""},
    {"a context's input of no definition", N(""), CONTEXT("{\"value\": 1, \"definition\": \"X\"}"),
     WEIR_UNKNOWN_DEFINITION, 0, 0, "`X`", ""},
    {"a context's input without a value", N(""), CONTEXT("{\"definition\": \"A\"}"), WEIR_INVALID,
     0, 0, "`ctx`", ""},
    {"a context that is no array", N(""), "{\"contexts\": {\"ctx\": 1}}", WEIR_INVALID, 0, 0,
     "`ctx`", ""},
    {"contexts that are no object", N(""), "{\"contexts\": [1]}", WEIR_INVALID, 0, 0, "contexts",
     ""},
};

static void check_wrong(void **state) {
    const struct wrong *w = *state;
    weir_problems problems = {0};
    char line[1024];
    compile("flow.yaml", w->text, w->request, &problems);
    assert_true(w->code ? problems.total > 0 : problems.warnings.count == 1 && !problems.total);
    const weir_error *e = w->code ? &problems.items[0] : &problems.warnings.items[0];
    print_message("           %s\n", weir_error_format(e, line, sizeof line));
    assert_int_equal(e->code, w->code);
    assert_string_equal(e->file, "flow.yaml");
    assert_in_range(e->line, w->line, w->column ? w->line : UINT32_MAX);
    if (w->column) assert_int_equal(e->column, w->column);
    assert_non_null(strstr(e->message, w->message));
    assert_non_null(strstr(e->hint, w->hint));
    weir_problems_deinit(&problems);
}

static void all_problems_are_said_at_once(void **state) {
    (void)state;
    weir_problems problems = {0};
    compile("flow.json",
            "{\"definitions\": {\n  \"A\": {\"primitive\": \"int\", \"validate\": 3}},\n"
            " \"operations\": {\n  \"n\": {\"name\": \"nope\",\n   \"inputs\": {\n"
            "    \"a\": \"X\"}}}}",
            "{\"inputs\": {\"Y\": 1}}", &problems);
    static const struct {
        weir_code code;
        uint32_t line, column;
    } wanted[] = {{WEIR_INVALID, 2, 3},
                  {WEIR_UNKNOWN_OPERATION, 4, 9},
                  {WEIR_UNKNOWN_DEFINITION, 6, 5},
                  {WEIR_UNKNOWN_DEFINITION, 0, 0}};
    assert_int_equal(problems.total, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(problems.items[i].code, wanted[i].code);
        assert_string_equal(problems.items[i].file, "flow.json");
        if (wanted[i].line) assert_int_equal(problems.items[i].line, wanted[i].line);
        if (wanted[i].line) assert_int_equal(problems.items[i].column, wanted[i].column);
    }
    weir_problems_deinit(&problems);
}

/* 100,000 contexts that only the command line names: each is found at once. */
static void texts_of_many_contexts_are_quick(void **state) {
    (void)state;
    enum { CONTEXTS = 100000 };
    weir_buffer request = {0};
    weir_buffer_text(&request, "{\"contexts\": {\"c7\": []}, \"context_texts\": {");
    for (int i = 0; i < CONTEXTS; i++)
        weir_buffer_printf(&request, "%s\"c%d\": {\"%s\": \"1\"}", i ? "," : "", i,
                           i == 7 ? "no" : "A");
    weir_buffer_text(&request, "}}");
    weir_problems problems = {0};
    compile("flow.yaml", "definitions: {A: {primitive: int}}\noperations: {}\n", request.data,
            &problems);
    assert_int_equal(problems.total, 1);
    assert_int_equal(problems.items[0].code, WEIR_UNKNOWN_DEFINITION);
    weir_problems_deinit(&problems);
    weir_buffer_deinit(&request);
}

enum { WRONGS = sizeof wrongs / sizeof *wrongs };

int main(void) {
    static struct CMUnitTest tests[WRONGS + 2];
    for (size_t i = 0; i < WRONGS; i++)
        tests[i] = (struct CMUnitTest){wrongs[i].about, check_wrong, NULL, NULL,
                                       (void *)(uintptr_t)&wrongs[i]};
    tests[WRONGS] = (struct CMUnitTest)cmocka_unit_test(all_problems_are_said_at_once);
    tests[WRONGS + 1] = (struct CMUnitTest)cmocka_unit_test(texts_of_many_contexts_are_quick);
    return cmocka_run_group_tests_name("dataflow plan", tests, open_registry, close_registry);
}

/* What a dataflow means, through its plan and a machine (see dataflow_plan_test.c for what is wrong with one). Every run
 * is done again from each point of its journal, as after a crash there, and has to come to the same. */
#include "flow_run.h"

/* --- what runs, with what, and what comes out ----------------------------------------------- */

#define DEFINITIONS                                                                                \
    "definitions: {A: {primitive: int}, B: {primitive: int}, C: {primitive: int},"                 \
    " D: {primitive: int, default: 7}, E: {primitive: int, default: null},"                        \
    " F: {primitive: bool}, G: {primitive: bool}, T: {primitive: str}, L: {primitive: array},"     \
    " M: {primitive: map}, S: {primitive: array}, O: {primitive: map}}\n"
#define OP(instance, name, inputs, outputs, more)                                                  \
    "  " instance ": {name: " name ", inputs: {" inputs "}, outputs: {" outputs "}" more "}\n"
#define NEG(instance, from, to) OP(instance, "neg", "a: " from, "result: " to, "")
#define PAIR(a, b) OP("p", "pair", "a: " a ", b: " b, "pair: L", "")
#define GET OP("get", "get_multi", "spec: S", "output: O", ", stage: output")
#define IF(definitions) ", conditions: [" definitions "]"
#define IN(value, definition) "{\"value\": " value ", \"definition\": \"" definition "\"}"
#define AND ","
#define INPUTS(inputs) "{\"contexts\": {\"ctx\": [" inputs "]}}"

/* `want` is the spec of get_multi, NULL: there is no such operation. `results` after a '~' may come in any order. */
static const struct meaning {
    const char *about, *operations, *want, *more, *request, *results, *calls;
} meanings[] = {
    {"a chain by auto flow", NEG("n", "A", "B") NEG("m", "B", "C"), "[A, B, C]", "",
     INPUTS(IN("1", "A")), "{\"A\":[1],\"B\":[-1],\"C\":[1]}", "m{\"a\":-1} n{\"a\":1}"},
    {"what is produced is not taken from the seed", NEG("n", "A", "B") NEG("m", "B", "C"), "[B, C]",
     "", INPUTS(IN("5", "A") AND IN("3", "B")), "{\"B\":[3,-5],\"C\":[5]}",
     "m{\"a\":-5} n{\"a\":5}"},
    {"a written flow counts instead", NEG("n", "A", "B") NEG("m", "B", "C"), "[C]",
     "flow: {n: {inputs: {a: [seed]}}, m: {inputs: {a: [seed, {n: result}]}},"
     " get: {inputs: {spec: [seed]}}}\n",
     INPUTS(IN("5", "A") AND IN("3", "B")), "{\"C\":[-3,5]}", "m{\"a\":-5} m{\"a\":3} n{\"a\":5}"},
    {"an operation that the flow leaves out never runs", NEG("n", "A", "B"), "[A]",
     "flow: {get: {inputs: {spec: [seed]}}}\n", INPUTS(IN("5", "A")), "{\"A\":[5]}", ""},
    {"every combination", PAIR("A", "B"), "[L]", "",
     INPUTS(IN("1", "A") AND IN("2", "A") AND IN("3", "B") AND IN("4", "B")),
     "{\"L\":[[1,3],[1,4],[2,3],[2,4]]}",
     "p{\"a\":1,\"b\":3} p{\"a\":1,\"b\":4} p{\"a\":2,\"b\":3} p{\"a\":2,\"b\":4}"},
    {"combinations are ordered", PAIR("A", "A"), "[L]", "", INPUTS(IN("1", "A") AND IN("2", "A")),
     "{\"L\":[[1,1],[1,2],[2,1],[2,2]]}",
     "p{\"a\":1,\"b\":1} p{\"a\":1,\"b\":2} p{\"a\":2,\"b\":1} p{\"a\":2,\"b\":2}"},
    {"equal values are different inputs", NEG("n", "A", "B"), "[B]", "",
     INPUTS(IN("1", "A") AND IN("1", "A")), "{\"B\":[-1,-1]}", "n{\"a\":1} n{\"a\":1}"},
    {"late inputs join the early ones once", NEG("n", "A", "B") PAIR("A", "B"), "[L]", "",
     INPUTS(IN("1", "A") AND IN("2", "A")), "~{\"L\":[[1,-1],[1,-2],[2,-1],[2,-2]]}",
     "n{\"a\":1} n{\"a\":2} p{\"a\":1,\"b\":-1} p{\"a\":1,\"b\":-2} p{\"a\":2,\"b\":-1} "
     "p{\"a\":2,\"b\":-2}"},
    {"an input that two sources name is one input", NEG("n", "A", "B"), "[B]",
     "flow: {n: {inputs: {a: [seed, seed, {seed: [A]}]}}, get: {inputs: {spec: [seed]}}}\n",
     INPUTS(IN("1", "A")), "{\"B\":[-1]}", "n{\"a\":1}"},
    {"alternates take other definitions", NEG("n", "A", "B"), "[B]",
     "flow: {n: {inputs: {a: [{seed: [A, C]}]}}, get: {inputs: {spec: [seed]}}}\n",
     INPUTS(IN("1", "A") AND IN("2", "C") AND IN("3", "B")), "{\"B\":[3,-1,-2]}",
     "n{\"a\":1} n{\"a\":2}"},
    {"other origins are not the seed", NEG("n", "A", "B"), "[B]", "",
     INPUTS(IN("1", "A") AND "{\"value\": 2, \"definition\": \"A\", \"origin\": \"else\"}"),
     "{\"B\":[-1]}", "n{\"a\":1}"},
    {"an input may come as an operation's", NEG("n", "A", "B") NEG("m", "B", "C"), "[C]", "",
     INPUTS("{\"value\": 2, \"definition\": \"B\", \"origin\": [\"n\", \"result\"]}"),
     "{\"C\":[-2]}", "m{\"a\":2}"},
    {"without inputs it begins by itself, once",
     OP("c", "const", "", "value: A", "") NEG("n", "A", "B"), "[A, B]",
     "configs: {c: {value: 4}}\n", "{}", "{\"A\":[4],\"B\":[-4]}", "c{} n{\"a\":4}"},
    {"a condition lets it begin, once", OP("c", "const", "", "value: A", IF("F")), "[A]",
     "configs: {c: {value: 4}}\n", INPUTS(IN("true", "F") AND IN("true", "F")), "{\"A\":[4]}",
     "c{}"},
    {"a false condition holds it", OP("n", "neg", "a: A", "result: B", IF("F")), "[A]", "",
     INPUTS(IN("1", "A") AND IN("false", "F")), "{\"A\":[1]}", ""},
    {"an absent condition holds it", OP("n", "neg", "a: A", "result: B", IF("F")), "[A]", "",
     INPUTS(IN("1", "A")), "{\"A\":[1]}", ""},
    {"the last value of a condition counts", OP("n", "neg", "a: A", "result: B", IF("F")), "[B]",
     "", INPUTS(IN("1", "A") AND IN("false", "F") AND IN("true", "F")), "{\"B\":[-1]}",
     "n{\"a\":1}"},
    {"also when it is false", OP("n", "neg", "a: A", "result: B", IF("F")), "[A]", "",
     INPUTS(IN("1", "A") AND IN("true", "F") AND IN("false", "F")), "{\"A\":[1]}", ""},
    {"conditions have Python's truth",
     OP("k", "neg", "a: A", "result: B", IF("T")) OP("l", "neg", "a: A", "result: B", IF("L"))
         OP("m", "neg", "a: A", "result: B", IF("M")),
     "[B]", "", INPUTS(IN("1", "A") AND IN("\"\"", "T") AND IN("[0]", "L") AND IN("{}", "M")),
     "{\"B\":[-1]}", "l{\"a\":1}"},
    {"any condition suffices, whatever the others' order",
     OP("n", "neg", "a: A", "result: B", IF("F, G"))
         OP("m", "neg", "a: A", "result: C", IF("G, F")),
     "[B, C]",
     "flow: {n: {inputs: {a: [seed]}, conditions: [seed, seed]},"
     " m: {inputs: {a: [seed]}, conditions: [seed, seed]}, get: {inputs: {spec: [seed]}}}\n",
     INPUTS(IN("1", "A") AND IN("true", "G")), "{\"B\":[-1],\"C\":[-1]}", "m{\"a\":1} n{\"a\":1}"},
    {"what was held runs when the condition comes",
     OP("e", "is_even", "n: B", "even: F", "") NEG("n", "A", "B")
         OP("m", "neg", "a: A", "result: C", IF("F")),
     "[C]", "", INPUTS(IN("1", "A") AND IN("4", "A")), "{\"C\":[-1,-4]}",
     "e{\"n\":-1} e{\"n\":-4} m{\"a\":1} m{\"a\":4} n{\"a\":1} n{\"a\":4}"},
    {"a default is taken when nothing came", PAIR("D", "A"), "[L]", "",
     INPUTS(IN("1", "A") AND IN("2", "A")), "{\"L\":[[7,1],[7,2]]}",
     "p{\"a\":7,\"b\":1} p{\"a\":7,\"b\":2}"},
    {"whatever the order of parameters", PAIR("A", "D"), "[L]", "", INPUTS(IN("1", "A")),
     "{\"L\":[[1,7]]}", "p{\"a\":1,\"b\":7}"},
    {"a default may be null", PAIR("A", "E"), "[L]", "", INPUTS(IN("1", "A")), "{\"L\":[[1,null]]}",
     "p{\"a\":1,\"b\":null}"},
    {"a default gives way to a value", PAIR("A", "D"), "[L]", "",
     INPUTS(IN("1", "A") AND IN("2", "D")), "{\"L\":[[1,2]]}", "p{\"a\":1,\"b\":2}"},
    {"all defaults run once", PAIR("D", "E"), "[L]", "", "{}", "{\"L\":[[7,null]]}",
     "p{\"a\":7,\"b\":null}"},
    {"and again for a value that comes later",
     PAIR("D", "E") OP("i", "identity", "x: A", "x: D", ""), "[L]", "",
     INPUTS(IN("1", "A") AND IN("2", "A")), "{\"L\":[[7,null],[1,null],[2,null]]}",
     "i{\"x\":1} i{\"x\":2} p{\"a\":1,\"b\":null} p{\"a\":2,\"b\":null} p{\"a\":7,\"b\":null}"},
    {"an array expands to its items",
     OP("r", "range", "n: A", "items: B", ", expand: [items]") NEG("n", "B", "C"), "[B, C]", "",
     INPUTS(IN("3", "A")), "{\"B\":[0,1,2],\"C\":[0,-1,-2]}",
     "n{\"a\":0} n{\"a\":1} n{\"a\":2} r{\"n\":3}"},
    {"a text to its characters, an object to its keys",
     OP("i", "identity", "x: T", "x: A", ", expand: [x]")
         OP("j", "identity", "x: M", "x: A", ", expand: [x]"),
     "[A]", "", INPUTS(IN("\"a\\u00e4\\ud83d\\ude00\"", "T") AND IN("{\"k\": 1, \"l\": 2}", "M")),
     "{\"A\":[\"a\",\"\u00e4\",\"\U0001F600\",\"k\",\"l\"]}",
     "i{\"x\":\"a\u00e4\U0001F600\"} j{\"x\":{\"k\":1,\"l\":2}}"},
    {"an empty array to nothing", OP("r", "range", "n: A", "items: B", ", expand: [items]"), "[A]",
     "", INPUTS(IN("0", "A")), "{\"A\":[0]}", "r{\"n\":0}"},
    {"null is a value, nothing is none",
     OP("k", "'null'", "x: A", "result: B", "") OP("l", "nothing", "x: A", "result: C", "")
         OP("i", "identity", "x: B", "x: T", "") OP("j", "identity", "x: C", "x: T", ""),
     "[T]", "", INPUTS(IN("1", "A")), "{\"T\":[null]}", "i{\"x\":null} k{\"x\":1} l{\"x\":1}"},
    {"an output that is not given is missed by nobody",
     OP("q", "partial", "x: A", "first: B, second: C", ""), "[B]", "", INPUTS(IN("1", "A")),
     "{\"B\":[1]}", "q{\"x\":1}"},
    {"a loop ends when nothing comes of it", OP("d", "countdown_stop", "n: A", "n: A", ""), "[A]",
     "flow: {d: {inputs: {n: [seed, {d: n}]}}, get: {inputs: {spec: [seed]}}}\n",
     INPUTS(IN("3", "A")), "{\"A\":[3,2,1,0]}", "d{\"n\":0} d{\"n\":1} d{\"n\":2} d{\"n\":3}"},
    {"cleanup comes after processing, and gives nothing",
     NEG("n", "A", "B") OP("i", "identity", "x: B", "x: C", ", stage: cleanup") NEG("m", "C", "T"),
     "[B]", "", INPUTS(IN("1", "A")), "{\"B\":[-1]}", "i{\"x\":-1} n{\"a\":1}"},
    {"cleanup needs no inputs", OP("c", "mark0", "", "", ", stage: cleanup"), "[A]", "",
     INPUTS(IN("1", "A")), "{\"A\":[1]}", "c{}"},
    {"no operation gives an output", NEG("n", "A", "B"), NULL, "", INPUTS(IN("1", "A")), "{}",
     "n{\"a\":1}"},
    {"any operation may", OP("w", "wrap", "x: A", "map: M", ", stage: output"), NULL, "",
     INPUTS(IN("1", "A")), "{\"map\":{\"v\":1}}", "w{\"x\":1}"},
    {"several results have names",
     OP("w", "wrap", "x: A", "map: M", ", stage: output")
         OP("v", "identity", "x: A", "x: B", ", stage: output"),
     NULL, "", INPUTS(IN("1", "A")), "{\"w\":{\"map\":{\"v\":1}},\"v\":{\"x\":1}}",
     "v{\"x\":1} w{\"x\":1}"},
    {"an output operation may run more than once",
     OP("g", "get_single", "spec: L", "output: O", ", stage: output"), NULL, "",
     INPUTS(IN("1", "A") AND IN("2", "B") AND IN("[\"A\"]", "L") AND IN("[\"B\"]", "L")),
     "{\"A\":1,\"B\":2}", "g{\"spec\":[\"A\"]} g{\"spec\":[\"B\"]}"},
};

static char *flow_text(const char *operations, const char *want, const char *more) {
    weir_buffer text = {0};
    weir_buffer_printf(&text, "%soperations:\n%s%s", DEFINITIONS, want ? GET : "", operations);
    if (!want && !operations[0]) weir_buffer_text(&text, "  {}\n");
    if (want) weir_buffer_printf(&text, "seed: [{value: %s, definition: S}]\n", want);
    weir_buffer_text(&text, more);
    return text.data;
}

static bool is_get(const char *call) {
    return strncmp(call, "get{", 4) == 0;
}

static void check_meaning(const struct meaning *m) {
    flow_run run;
    char *text = flow_text(m->operations, m->want, m->more);
    begin(&run, text, m->request);
    weir_free(text);
    drive(&run);
    expect_json(finished(&run, "phase"), "\"Succeeded\"");
    bool named = strstr(m->request, "ctx") != NULL;
    weir_buffer results = {0};
    bool any = m->results[0] == '~';
    weir_buffer_printf(&results, "{\"%s\":%s}", named ? "ctx" : "default", m->results + any);
    weir_value *wanted = parse(results.data);
    if (any)
        expect_same(finished(&run, "results"), wanted);
    else
        expect_json(finished(&run, "results"), results.data);
    weir_value_unref(wanted);
    weir_buffer_deinit(&results);
    size_t count = 0;
    char **calls = weir_alloc((run.started.count + 1) * sizeof *calls);
    for (size_t i = 0; i < run.started.count; i++)
        if (!is_get(run.started.items[i])) calls[count++] = run.started.items[i];
    expect_texts(calls, count, m->calls);
    weir_free(calls);
    end(&run);
}

static void check_meaning_test(void **state) {
    check_meaning(*state);
}

/* --- failures ------------------------------------------------------------------------------- */

#define CLEANUP OP("c", "mark0", "", "", ", stage: cleanup")

/* `code` NULL: it succeeds. */
static void expect_end(const char *operations, const char *want, const char *request,
                       const char *code, const char *instance, const char *results,
                       const char *calls) {
    flow_run run;
    char *text = flow_text(operations, want, "");
    begin(&run, text, request);
    weir_free(text);
    drive(&run);
    expect_json(finished(&run, "phase"), code ? "\"Failed\"" : "\"Succeeded\"");
    expect_json(finished(&run, "results"), results);
    const weir_value *error = finished(&run, "error");
    assert_int_equal(error != NULL, code != NULL);
    if (code) {
        assert_string_equal(weir_member_text(error, "code").data, code);
        assert_true(weir_member_text(error, "what").length > 0);
        const weir_value *where = weir_member_named(error, "where");
        assert_string_equal(weir_member_text(where, "context").data, "ctx");
        assert_string_equal(weir_member_text(where, "instance").data, instance);
    }
    expect_texts(run.started.items, run.started.count, calls);
    end(&run);
}

static void the_first_failure_ends_a_strict_run(void **state) {
    (void)state;
    expect_end(OP("f", "fail", "x: A", "result: B", "") NEG("n", "B", "C") CLEANUP, "[A]",
               INPUTS(IN("1", "A")), "operation_failed", "f", "{}", "c{} f{\"x\":1}");
}

static void else_it_goes_on(void **state) {
    (void)state;
    expect_end(OP("f", "fail_if_odd", "n: A", "n: B", "") NEG("n", "B", "C") CLEANUP, "[A, C]",
               "{\"strict\": false, \"contexts\": {\"ctx\": [" IN("1", "A") AND IN("2", "A") "]}}",
               NULL, NULL, "{\"ctx\":{\"A\":[1,2],\"C\":[-2]}}",
               "c{} f{\"n\":1} f{\"n\":2} get{\"spec\":[\"A\",\"C\"]} n{\"a\":2}");
}

static void outputs_have_to_be_declared(void **state) {
    (void)state;
    expect_end(OP("b", "badkey", "x: A", "result: B", "") CLEANUP, "[A]", INPUTS(IN("1", "A")),
               "operation_failed", "b", "{}", "b{\"x\":1} c{}");
    expect_end(OP("i", "identity", "x: A", "x: B", ", expand: [x]") CLEANUP, "[A]",
               INPUTS(IN("1", "A")), "operation_failed", "i", "{}", "c{} i{\"x\":1}");
}

static void a_missing_definition_fails_the_output(void **state) {
    (void)state;
    expect_end(CLEANUP, "[A, B]", INPUTS(IN("1", "A")), "definition_not_in_context", "get", "{}",
               "c{} get{\"spec\":[\"A\",\"B\"]}");
    expect_end(OP("w", "wrap", "x: A", "map: M", ", stage: output"), "[B]",
               "{\"strict\": false, \"contexts\": {\"ctx\": [" IN("1", "A") "]}}", NULL, NULL,
               "{\"ctx\":{}}", "get{\"spec\":[\"B\"]}");
}

static void a_failed_cleanup_fails_also_what_is_not_strict(void **state) {
    (void)state;
    expect_end(OP("f", "fail", "x: A", "result: B", ", stage: cleanup"), "[A]",
               "{\"strict\": false, \"contexts\": {\"ctx\": [" IN("1", "A") "]}}",
               "operation_failed", "f", "{}", "f{\"x\":1}");
}

static void retries_are_attempts_in_all(void **state) {
    (void)state;
    expect_end(OP("f", "fail", "x: A", "result: B", ", retry: 3"), "[A]", INPUTS(IN("1", "A")),
               "operation_failed", "f", "{}", "f{\"x\":1} f{\"x\":1} f{\"x\":1}");
    expect_end(OP("f", "fail", "x: A", "result: B", ", retry: 1"), "[A]", INPUTS(IN("1", "A")),
               "operation_failed", "f", "{}", "f{\"x\":1}");
    expect_end(OP("f", "fail", "x: A", "result: B", ", retry: 0"), "[A]", INPUTS(IN("1", "A")),
               "operation_failed", "f", "{}", "f{\"x\":1}");
}

/* 400 values for each of three parameters would be 64 million parameter sets. */
static void too_many_parameter_sets_are_refused(void **state) {
    (void)state;
    expect_end(OP("r", "range", "n: A", "items: B", ", expand: [items]")
                   OP("t", "triple", "a: B, b: B, c: B", "triple: L", "") CLEANUP,
               "[A]", INPUTS(IN("400", "A")), "limit_exceeded", "t", "{}", "c{} r{\"n\":400}");
}

/* --- contexts ------------------------------------------------------------------------------- */

static void contexts_share_nothing(void **state) {
    (void)state;
    for (int max = 0; max <= 4; max++) {
        char request[512];
        snprintf(request, sizeof request,
                 "{\"max_contexts\": %d, \"contexts\": {\"x\": [" IN("1", "A")
                     AND IN("2", "B") "], \"y\": [" IN("3", "A")
                         AND IN("4", "B") "], \"z\": [" IN("5", "A") "]}}",
                 max);
        flow_run run;
        char *text = flow_text(PAIR("A", "B"), "[A]", "");
        begin(&run, text, request);
        weir_free(text);
        drive(&run);
        weir_value *wanted = parse("{\"x\":{\"A\":[1]},\"y\":{\"A\":[3]},\"z\":{\"A\":[5]}}");
        expect_same(finished(&run, "results"), wanted);
        weir_value_unref(wanted);
        expect_texts(run.started.items, run.started.count,
                     "get{\"spec\":[\"A\"]} get{\"spec\":[\"A\"]} get{\"spec\":[\"A\"]} "
                     "p{\"a\":1,\"b\":2} p{\"a\":3,\"b\":4}");
        if (max) assert_in_range(run.open_most, 1, max);
        end(&run);
    }
}

static void a_run_without_contexts_ends(void **state) {
    (void)state;
    flow_run run;
    char *text = flow_text(NEG("n", "A", "B"), "[A]", "");
    begin(&run, text, "{\"contexts\": {}}");
    weir_free(text);
    drive(&run);
    expect_json(finished(&run, "phase"), "\"Succeeded\"");
    expect_json(finished(&run, "results"), "{}");
    end(&run);
}

static void texts_are_read_by_their_definition(void **state) {
    (void)state;
    flow_run run;
    char *text = flow_text("", "[A, T, M]", "");
    begin(&run, text,
          "{\"inputs\": {\"A\": 1}, \"texts\": {\"A\": \"2\", \"T\": \"3\", \"M\": \"{\\\"k\\\": "
          "null}\"}, \"context_texts\": {\"one\": {\"A\": \"[4]\"}, \"two\": {\"A\": \"five\"}}}");
    weir_free(text);
    drive(&run);
    expect_json(finished(&run, "results"),
                "{\"one\":{\"A\":[[4],1,2],\"T\":[\"3\"],\"M\":[{\"k\":null}]},"
                "\"two\":{\"A\":[\"five\",1,2],\"T\":[\"3\"],\"M\":[{\"k\":null}]}}");
    end(&run);
}

static void a_failed_context_ends_the_others(void **state) {
    (void)state;
    flow_run run;
    char *text = flow_text(OP("f", "fail_if_odd", "n: A", "n: B", "") CLEANUP, "[B]", "");
    begin(&run, text,
          "{\"max_contexts\": 1, \"contexts\": {\"x\": [" IN("2", "A") "], \"y\": [" IN(
              "1", "A") "], \"z\": [" IN("4", "A") "]}}");
    weir_free(text);
    drive(&run);
    expect_json(finished(&run, "phase"), "\"Failed\"");
    expect_json(finished(&run, "results"), "{\"x\":{\"B\":[2]}}");
    assert_string_equal(
        weir_member_text(weir_member_named(finished(&run, "error"), "where"), "context").data, "y");
    expect_texts(run.started.items, run.started.count,
                 "c{} c{} f{\"n\":1} f{\"n\":2} get{\"spec\":[\"B\"]}");
    end(&run);
}

/* --- work that takes time ------------------------------------------------------------------- */

#define SLOW(instance, more) OP(instance, "process.run", "path: T", "result: A", more)

static void expect_effects(flow_run *run, const char *wanted) {
    weir_buffer text = {0};
    weir_buffer_text(&text, "");
    turn(run);
    for (size_t i = 0; i < run->effects.count; i++) {
        const weir_effect *effect = &run->effects.items[i];
        const char *const how[] = {"drain", "term", "kill"};
        weir_buffer_printf(&text, "%s %" PRIu32 "/%" PRIu32 ";",
                           effect->kind == WEIR_EFFECT_START ? "start" : how[effect->how],
                           effect->task, effect->number);
    }
    run->effects.count = 0;
    assert_string_equal(text.data, wanted);
    weir_buffer_deinit(&text);
}

static weir_outcome success(const char *outputs) {
    return (weir_outcome){.kind = WEIR_OUTCOME_SUCCEEDED, .outputs = parse(outputs)};
}

static weir_outcome failure(void) {
    return weir_outcome_failed(WEIR_OUTCOME_FAILED, "operation_failed", "exit code 1");
}

static void tags_are_filled_for_a_process(void **state) {
    (void)state;
    flow_run run;
    char *text =
        flow_text(SLOW("s", ""), "[A]", "configs: {s: {command: [cat, \"{{inputs.path}}\"]}}\n");
    begin(&run, text, INPUTS(IN("\"a b\"", "T")));
    weir_free(text);
    expect_effects(&run, "start 0/1;");
    weir_attempt attempt;
    assert_false(weir_machine_attempt(run.machine, 0, 2, &attempt));
    assert_true(weir_machine_attempt(run.machine, 0, 1, &attempt));
    expect_json(attempt.parameters, "{\"path\":\"a b\"}");
    expect_json(attempt.config, "{\"command\":[\"cat\",\"a b\"]}");
    assert_true(weir_str_is(attempt.spec->executor, "process"));
    weir_attempt_drop(&attempt);
    assert_true(report(&run, 0, 1, WEIR_REPORT_STARTED, (weir_outcome){0}));
    assert_true(report(&run, 0, 1, WEIR_REPORT_FINISHED, success("{\"result\": {\"k\": 1}}")));
    assert_false(report(&run, 0, 1, WEIR_REPORT_FINISHED, success("{\"result\": 2}")));
    expect_effects(&run, "");
    expect_json(finished(&run, "results"), "{\"ctx\":{\"A\":[{\"k\":1}]}}");
    replay_all(&run);
    discard(&run);
}

static void a_failure_stops_what_runs(void **state) {
    (void)state;
    flow_run run;
    char *text = flow_text(SLOW("s", "") CLEANUP, "[T]", "");
    begin(&run, text, INPUTS(IN("\"a\"", "T") AND IN("\"b\"", "T")));
    weir_free(text);
    expect_effects(&run, "start 0/1;start 1/1;");
    assert_true(report(&run, 1, 1, WEIR_REPORT_FINISHED, failure()));
    expect_effects(&run, "term 0/1;");
    assert_null(weir_machine_finished(run.machine));
    assert_int_equal(run.started.count, 0); /* cleanup waits for it */
    assert_true(report(&run, 0, 1, WEIR_REPORT_FINISHED, failure()));
    expect_effects(&run, "");
    expect_texts(run.started.items, run.started.count, "c{}");
    expect_json(finished(&run, "phase"), "\"Failed\"");
    const weir_value *where = weir_member_named(finished(&run, "error"), "where");
    assert_int_equal(weir_int_get(weir_member_named(where, "task")), 1);
    replay_all(&run);
    discard(&run);
}

static void cancelling_cleans_up(void **state) {
    (void)state;
    for (int terminate = 0; terminate < 2; terminate++) {
        flow_run run;
        char *text = flow_text(SLOW("s", "") CLEANUP, "[T]", "");
        begin(&run, text, INPUTS(IN("\"a\"", "T")));
        weir_free(text);
        expect_effects(&run, "start 0/1;");
        weir_machine_cancelled(run.machine, run.now_us, terminate);
        expect_effects(&run, terminate ? "kill 0/1;" : "term 0/1;");
        assert_null(weir_machine_finished(run.machine));
        weir_machine_cancelled(run.machine, run.now_us, true);
        expect_effects(&run, terminate ? "" : "kill 0/1;");
        assert_true(report(&run, 0, 1, WEIR_REPORT_FINISHED, failure()));
        expect_effects(&run, "");
        assert_string_not_equal(weir_member_text(weir_machine_finished(run.machine), "phase").data,
                                "Succeeded");
        expect_texts(run.started.items, run.started.count, "");
        expect_json(finished(&run, "results"), "{}");
        replay_all(&run);
        discard(&run);
    }
}

static void a_stopped_run_still_cleans_up(void **state) {
    (void)state;
    flow_run run;
    char *text = flow_text(SLOW("s", "") NEG("n", "A", "B") CLEANUP, "[T]", "");
    begin(&run, text, INPUTS(IN("\"a\"", "T")));
    weir_free(text);
    expect_effects(&run, "start 0/1;");
    weir_machine_cancelled(run.machine, run.now_us, false);
    expect_effects(&run, "term 0/1;");
    assert_true(report(&run, 0, 1, WEIR_REPORT_FINISHED, success("{\"result\": 3}")));
    expect_effects(&run, "");
    expect_texts(run.started.items, run.started.count, "c{}");
    assert_non_null(weir_machine_finished(run.machine));
    replay_all(&run);
    discard(&run);
}

static void what_was_under_way_runs_again(void **state) {
    (void)state;
    flow_run run, after;
    char *text = flow_text(SLOW("s", ""), "[A]", "");
    begin(&run, text, INPUTS(IN("\"a\"", "T") AND IN("\"b\"", "T")));
    weir_free(text);
    expect_effects(&run, "start 0/1;start 1/1;");
    assert_true(report(&run, 0, 1, WEIR_REPORT_FINISHED, success("{\"result\": 1}")));
    expect_effects(&run, "");
    begin_machine(&after, run.plan);
    replay(&after, &run, run.journal.count);
    weir_machine_recovered(after.machine, after.now_us, WEIR_STR("test:2"));
    expect_effects(&after, "kill 1/1;start 1/2;");
    weir_attempt attempt;
    assert_true(weir_machine_attempt(after.machine, 1, 2, &attempt));
    assert_true(attempt.again);
    weir_attempt_drop(&attempt);
    assert_false(report(&after, 1, 1, WEIR_REPORT_FINISHED, success("{\"result\": 9}")));
    assert_true(report(&after, 1, 2, WEIR_REPORT_FINISHED, success("{\"result\": 2}")));
    expect_effects(&after, "");
    expect_json(finished(&after, "results"), "{\"ctx\":{\"A\":[1,2]}}");
    end_machine(&after);
    discard(&run);
}

static void a_report_of_another_run_is_dropped(void **state) {
    (void)state;
    flow_run run;
    char *text = flow_text(SLOW("s", ""), "[A]", "");
    begin(&run, text, INPUTS(IN("\"a\"", "T")));
    weir_free(text);
    expect_effects(&run, "start 0/1;");
    weir_report r = {.attempt = {"01hzzzzzzzzzzzzzzzzy", 0, 1, 0},
                     .kind = WEIR_REPORT_FINISHED,
                     .outcome = success("{}")};
    assert_false(weir_machine_report(run.machine, run.now_us, &r));
    weir_report_deinit(&r);
    discard(&run);
}

/* --- chance ----------------------------------------------------------------------------------- */

static bool draw(const weir_host *host, weir_call *call) {
    uint64_t number;
    host->random(call, &number, sizeof number);
    host->output(call, "number", host->int_new((int64_t)(number >> 1)));
    return true;
}

static const weir_plugin *chance_plugin(void) {
    static const weir_port in[] = {{"a", "int", "anything"}, {0}};
    static const weir_port out[] = {{"number", "int", "a number by chance"}, {0}};
    static const weir_operation operation = {.size = sizeof operation,
                                             .name = "draw",
                                             .about = "Draws.",
                                             .inputs = in,
                                             .outputs = out,
                                             .hints = WEIR_PURE | WEIR_CHEAP,
                                             .run = draw};
    static const weir_operation *const operations[] = {&operation, NULL};
    static const weir_plugin plugin = {.abi = WEIR_ABI,
                                       .size = sizeof plugin,
                                       .name = "chance",
                                       .version = "1",
                                       .operations = operations};
    return &plugin;
}

/* The results of a run whose events nobody wants. */
static weir_value *results_without_events(weir_plan *plan, const char *request) {
    weir_machine *machine = weir_machine_new(
        plan, &(weir_machine_options){.run = run_id, .call = weir_inline_make_call});
    weir_machine_created(machine, 1000 * S, parse(request));
    while (weir_machine_step(machine, 1000 * S)) continue;
    assert_non_null(weir_machine_finished(machine));
    weir_value *results =
        weir_value_ref(weir_member_named(weir_machine_finished(machine), "results"));
    weir_machine_free(machine);
    return results;
}

static int by_number(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Each call draws from a stream of its own: the same one in another run of the seed, whatever other contexts do there. */
static void calls_have_streams_of_their_own(void **state) {
    (void)state;
    assert_true(weir_registry_add(&registry, chance_plugin(), NULL));
#define DRAWN_FROM "[" IN("1", "A") AND IN("1", "A") AND IN("1", "A") "]"
    static const char one[] = "{\"seed\": 5, \"contexts\": {\"y\": " DRAWN_FROM "}}";
    static const char two[] =
        "{\"seed\": 5, \"contexts\": {\"x\": " DRAWN_FROM ", \"y\": " DRAWN_FROM "}}";
    char *text =
        flow_text(OP("p", "draw", "a: A", "number: B", "") OP("q", "draw", "a: A", "number: C", ""),
                  "[B, C]", "");
    flow_run run;
    begin(&run, text, two);
    drive(&run);
    int64_t drawn[12];
    size_t count = 0;
    const weir_value *results = finished(&run, "results");
    for (size_t c = 0; c < 2; c++)
        for (size_t d = 0; d < 2; d++)
            for (size_t i = 0; i < 3; i++)
                drawn[count++] =
                    weir_int_get(weir_array_at(weir_object_at(weir_object_at(results, c), d), i));
    qsort(drawn, count, sizeof *drawn, by_number);
    for (size_t i = 1; i < count; i++) assert_true(drawn[i - 1] != drawn[i]);
    weir_plan *alone = compile(text, one);
    weir_value *same = results_without_events(run.plan, two),
               *of_one = results_without_events(alone, one);
    expect_same(same, results);
    expect_same(weir_member_named(of_one, "y"), weir_member_named(results, "y"));
    weir_value_unref(same);
    weir_value_unref(of_one);
    alone->free(alone);
    weir_free(text);
    end(&run);
}

/* --- size ----------------------------------------------------------------------------------- */

enum { CHAIN = 3000 };

static void long_chains_run(void **state) {
    (void)state;
    weir_buffer text = {0};
    weir_buffer_text(&text, "{\"definitions\": {");
    for (int i = 0; i <= CHAIN; i++)
        weir_buffer_printf(&text, "\"D%d\": {\"primitive\": \"int\"},", i);
    weir_buffer_text(&text, "\"S\": {\"primitive\": \"array\"}, \"O\": {\"primitive\": \"map\"}},"
                            "\"operations\": {");
    for (int i = 0; i < CHAIN; i++)
        weir_buffer_printf(
            &text,
            "\"o%d\": {\"name\": \"neg\", \"inputs\": {\"a\": \"D%d\"}, \"outputs\": "
            "{\"result\": \"D%d\"}},",
            i, i, i + 1);
    weir_buffer_printf(&text,
                       "\"get\": {\"name\": \"get_single\", \"inputs\": {\"spec\": \"S\"}, "
                       "\"outputs\": {\"output\": \"O\"}, \"stage\": \"output\"}},"
                       "\"seed\": [{\"value\": [\"D%d\"], \"definition\": \"S\"}]}",
                       CHAIN);
    flow_run run;
    begin(&run, text.data, INPUTS(IN("1", "D0")));
    weir_buffer_deinit(&text);
    drive(&run);
    expect_json(finished(&run, "results"), "{\"ctx\":{\"D3000\":1}}");
    assert_int_equal(run.started.count, CHAIN + 1);
    replay_all(&run);
    recover_from(&run, run.journal.count / 2 - run.journal.count / 2 % 4);
    discard(&run);
}

static void long_loops_run(void **state) {
    (void)state;
    flow_run run;
    char *text =
        flow_text(OP("d", "countdown_stop", "n: A", "n: A", ""), "[T]",
                  "flow: {d: {inputs: {n: [seed, {d: n}]}}, get: {inputs: {spec: [seed]}}}\n");
    begin(&run, text, INPUTS(IN("20000", "A") AND IN("\"t\"", "T")));
    weir_free(text);
    drive(&run);
    expect_json(finished(&run, "results"), "{\"ctx\":{\"T\":[\"t\"]}}");
    assert_int_equal(run.started.count, 20002);
    discard(&run);
}

/* --- status --------------------------------------------------------------------------------- */

static void status_is_a_tree(void **state) {
    (void)state;
    flow_run run;
    char *text =
        flow_text(NEG("n", "A", "B") OP("m", "neg", "a: A", "result: C", IF("F")), "[A]", "");
    begin(&run, text, INPUTS(IN("1", "A") AND IN("2", "A")));
    weir_free(text);
    drive(&run);
    weir_coordinator *coordinator = weir_machine_coordinator(run.machine);
    weir_value *status = coordinator->class->status(coordinator);
    const weir_value *nodes = weir_member_named(status, "nodes");
    assert_int_equal(weir_value_count(nodes), 4);
    static const struct {
        const char *name, *type, *phase;
    } wanted[] = {{"ctx", "Context", "Succeeded"},
                  {"get", "Operation", "Succeeded"},
                  {"n", "Operation", "Succeeded"},
                  {"m", "Operation", "Omitted"}};
    for (size_t i = 0; i < 4; i++) {
        const weir_value *node = weir_array_at(nodes, i);
        assert_string_equal(weir_member_text(node, "name").data, wanted[i].name);
        assert_string_equal(weir_member_text(node, "type").data, wanted[i].type);
        assert_string_equal(weir_member_text(node, "phase").data, wanted[i].phase);
        assert_true(
            weir_str_equal(weir_member_text(node, "parent"),
                           i ? weir_member_text(weir_array_at(nodes, 0), "id") : WEIR_STR("")));
    }
    weir_value_unref(status);
    end(&run);
}

/* --- forms -------------------------------------------------------------------------------- */

static void seeds_come_after_the_inputs(void **state) {
    (void)state;
    flow_run run;
    begin(&run,
          DEFINITIONS "operations:\n" GET "seed: [{value: [A], definition: S}, {value: 9, "
                      "definition: A, origin: seed}, {value: 8, definition: A}]\n",
          INPUTS(IN("1", "A") AND IN("2", "A")));
    drive(&run);
    expect_json(finished(&run, "results"), "{\"ctx\":{\"A\":[1,2,9,8]}}");
    end(&run);
}

/* As the inputs of a context do: one is the same as another, or was made from others. */
static void seeds_refer_to_seeds(void **state) {
    (void)state;
    flow_run run;
    begin(&run,
          DEFINITIONS "operations:\n" GET NEG("n", "A", "B")
              NEG("m", "A", "C") "seed: [{value: [A, B, C], definition: S}, {value: 1, definition: "
                                 "A, origin: else, id: p}, {value: 2, definition: A, parents: "
                                 "[p], id: q}, {value: 3, definition: A}, {value: 2, definition: "
                                 "A, same_as: q}]\n"
                                 "flow:\n  get: {inputs: {spec: [seed]}}\n"
                                 "  n: {inputs: {a: [[seed, else]]}}\n  m: {inputs: {a: [seed]}}\n",
          INPUTS(""));
    drive(&run);
    expect_json(finished(&run, "results"), "{\"ctx\":{\"A\":[1,2,3,2],\"B\":[-2],\"C\":[-2,-3]}}");
    end(&run);
}

/* Whole definitions in the operations, as DFFML exports them without --linked. */
static void the_unlinked_form_is_read(void **state) {
    (void)state;
    flow_run run;
    begin(&run,
          "operations:\n"
          "  n: {name: neg, inputs: {a: {name: A, primitive: int}},"
          " outputs: {result: {name: B, primitive: int}}}\n"
          "  get: {name: get_single, inputs: {spec: {name: S, primitive: array}},"
          " outputs: {output: {name: O, primitive: map}}, stage: output}\n"
          "seed: [{value: [B], definition: {name: S, primitive: array}, origin: seed}]\n",
          INPUTS(IN("4", "A")));
    drive(&run);
    expect_json(finished(&run, "results"), "{\"ctx\":{\"B\":-4}}");
    end(&run);
}

/* Origins are (instance, output); a dot in a name makes no two of them one. */
static void names_with_dots_stay_apart(void **state) {
    (void)state;
    flow_run run;
    begin(&run,
          DEFINITIONS "operations:\n"
                      "  a: {name: process.run, inputs: {path: T}, outputs: {b.result: A}}\n"
                      "  a.b: {name: neg, inputs: {a: B}, outputs: {result: A}}\n"
                      "  n: {name: neg, inputs: {a: A}, outputs: {result: C}}\n"
                      "flow:\n  a.b: {inputs: {a: [seed]}}\n  a: {inputs: {path: [seed]}}\n"
                      "  n: {inputs: {a: [{a: b.result}]}}\n"
                      "configs:\n  a: {format: json}\n",
          INPUTS(IN("1", "B")));
    drive(&run);
    expect_texts(run.started.items, run.started.count, "a.b{\"a\":1}");
    discard(&run);
}

enum { MEANINGS = sizeof meanings / sizeof *meanings };

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_failure_ends_a_strict_run),
        cmocka_unit_test(else_it_goes_on),
        cmocka_unit_test(outputs_have_to_be_declared),
        cmocka_unit_test(a_missing_definition_fails_the_output),
        cmocka_unit_test(a_failed_cleanup_fails_also_what_is_not_strict),
        cmocka_unit_test(retries_are_attempts_in_all),
        cmocka_unit_test(too_many_parameter_sets_are_refused),
        cmocka_unit_test(contexts_share_nothing),
        cmocka_unit_test(a_run_without_contexts_ends),
        cmocka_unit_test(texts_are_read_by_their_definition),
        cmocka_unit_test(a_failed_context_ends_the_others),
        cmocka_unit_test(tags_are_filled_for_a_process),
        cmocka_unit_test(a_failure_stops_what_runs),
        cmocka_unit_test(cancelling_cleans_up),
        cmocka_unit_test(a_stopped_run_still_cleans_up),
        cmocka_unit_test(what_was_under_way_runs_again),
        cmocka_unit_test(a_report_of_another_run_is_dropped),
        cmocka_unit_test(calls_have_streams_of_their_own),
        cmocka_unit_test(long_chains_run),
        cmocka_unit_test(long_loops_run),
        cmocka_unit_test(status_is_a_tree),
        cmocka_unit_test(seeds_come_after_the_inputs),
        cmocka_unit_test(seeds_refer_to_seeds),
        cmocka_unit_test(the_unlinked_form_is_read),
        cmocka_unit_test(names_with_dots_stay_apart),
    };
    static struct CMUnitTest cases[MEANINGS];
    for (size_t i = 0; i < MEANINGS; i++)
        cases[i] = (struct CMUnitTest){meanings[i].about, check_meaning_test, NULL, NULL,
                                       (void *)(uintptr_t)&meanings[i]};
    int wrong = cmocka_run_group_tests_name("dataflow", tests, open_registry, close_registry);
    registry = (weir_registry){0};
    return wrong +
           cmocka_run_group_tests_name("dataflow cases", cases, open_registry, close_registry);
}

/* What check proves holds: dataflows and pipelines by chance are proved, and run. WEIR_FLOWS says how many of each; a seed that
 * fails is named, and WEIR_FLOWS_FROM begins with it. */
#include "flow_run.h"

#include "dataflow/prove.h"
#include "pipeline/plan.h"

enum {
    NODES_MAX = 14,
    INPUTS_MAX = 3,
    PARAMETERS_MAX = 3,
    WANTED_MAX = 3,
    OTHER_OUTPUT = 100, /* in front of a component's number: the second of its outputs */
    NOBODY = 1000,
    OUTSIDE = 2000
};

/* --- chance --------------------------------------------------------------------------------- */

static uint64_t chance_state;

/* Steele, Lea and Flood, Fast splittable pseudorandom number generators (2014). */
static uint32_t draw(uint32_t count) {
    uint64_t z = (chance_state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) % count);
}

static uint64_t number_of(const char *variable, uint64_t otherwise) {
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

/* --- proving and running -------------------------------------------------------------------- */

static weir_plan *compile_text(const char *text, const char *request_text, bool pipeline,
                               weir_value **summary) {
    weir_document document = {0};
    weir_problems problems = {0};
    assert_true(
        weir_document_parse(&document, "f.yaml", weir_str_from(text), WEIR_YAML_CORE, NULL));
    weir_value *request = parse(request_text);
    weir_plan *plan = pipeline ? weir_pipeline_compile(&document, request, &registry, &problems)
                               : weir_dataflow_compile(&document, request, &registry, &problems);
    if (plan && summary) {
        weir_proof proof = {.document = &document, .summary = weir_object_new()};
        weir_dataflow_prove(plan, request, &proof);
        weir_member_put(proof.summary, "can_finish", weir_bool_new(!proof.errors));
        *summary = proof.summary;
    }
    weir_problems_deinit(&problems);
    weir_value_unref(request);
    weir_document_deinit(&document);
    return plan;
}

/* As `drive`, but what is called "slow…" never ends by itself. */
static void drive_to_the_end(flow_run *run) {
    for (size_t i = 0; !weir_machine_finished(run->machine); i++) {
        if (i == run->effects.count) { /* what is left waits for its time */
            uint64_t due = weir_machine_due_us(run->machine);
            turn(run);
            if (weir_machine_finished(run->machine)) break;
            if (i == run->effects.count) {
                assert_int_not_equal(due, UINT64_MAX);
                run->now_us = due > run->now_us ? due : run->now_us;
                turn(run);
            }
            i--;
            continue;
        }
        weir_effect effect = run->effects.items[i];
        weir_attempt attempt;
        if (effect.kind == WEIR_EFFECT_START)
            weir_machine_begin(run->machine, run->now_us, effect.task, effect.number);
        if (!weir_machine_attempt(run->machine, effect.task, effect.number, &attempt)) continue;
        weir_outcome outcome = {0};
        bool slow = weir_str_starts(attempt.spec->name, WEIR_STR("slow"));
        if (effect.kind == WEIR_EFFECT_START) {
            report(run, effect.task, effect.number, WEIR_REPORT_STARTED, outcome);
            if (!slow) weir_inline_attempt(&attempt, &outcome);
        } else {
            outcome.kind = WEIR_OUTCOME_CANCELLED; /* told to end, it does */
        }
        if (!slow || effect.kind != WEIR_EFFECT_START)
            (void)report(run, effect.task, effect.number, WEIR_REPORT_FINISHED, outcome);
        weir_attempt_drop(&attempt);
        turn(run);
    }
}

static void run_plan(flow_run *run, weir_plan *plan, const char *request) {
    begin_machine(run, plan);
    weir_machine_created(run->machine, run->now_us, parse(request));
    turn(run);
    drive_to_the_end(run);
}

/* Whether an attempt of the instance was started. */
static bool was_started(const flow_run *run, weir_str name) {
    for (size_t i = 0; i < run->started.count; i++) {
        weir_str text = weir_str_from(run->started.items[i]);
        if (weir_str_starts(text, name) && text.length > name.length &&
            text.data[name.length] == '{')
            return true;
    }
    return false;
}

static bool succeeded(const flow_run *run) {
    return weir_str_is(weir_member_text(weir_machine_finished(run->machine), "phase"), "Succeeded");
}

static bool lists(const weir_value *list, weir_str name) {
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        const weir_value *item = weir_array_at(list, i);
        weir_str text = weir_is(item, WEIR_STRING) ? weir_string_get(item)
                                                   : weir_member_text(item, "component");
        if (weir_str_equal(text, name)) return true;
    }
    return false;
}

/* --- pipelines ------------------------------------------------------------------------------ */

typedef struct component {
    const char *kind;                      /* its name begins with it */
    uint32_t inputs, from[PARAMETERS_MAX]; /* a component, OUTSIDE and an input, or NOBODY */
    bool can;                              /* run, when nothing fails */
} component;

typedef struct graph {
    component items[NODES_MAX];
    uint32_t count, inputs, wanted[WANTED_MAX], wanted_count;
    bool reliable, all_can, wanted_can;
} graph;

static const struct {
    const char *kind, *operation, *outputs[2];
    const char *parameters[PARAMETERS_MAX];
} kinds[] = {{"one", "wrap", {"map"}, {"x"}},
             {"two", "pair", {"pair"}, {"a", "b"}},
             {"three", "triple", {"triple"}, {"a", "b", "c"}},
             {"task", "flaky", {"x"}, {"x"}},
             {"both", "dup", {"first", "second"}, {"x"}},
             {"bad", "fail", {"result"}, {"x"}},
             {"slow", "sleep_ms", {"ms"}, {"ms"}}};
enum { RELIABLE = 5, KINDS = 7 };

static size_t kind_at(const component *c) {
    size_t k = 0;
    while (kinds[k].kind != c->kind) k++;
    return k;
}

static void judge(graph *g) {
    for (bool more = true; more;) {
        more = false;
        for (uint32_t i = 0; i < g->count; i++) {
            component *c = &g->items[i];
            bool can = true;
            for (uint32_t p = 0; p < c->inputs; p++)
                can &= c->from[p] >= OUTSIDE ||
                       (c->from[p] != NOBODY && g->items[c->from[p] % OTHER_OUTPUT].can);
            more |= can && !c->can;
            c->can |= can;
        }
    }
    g->all_can = g->wanted_can = true;
    for (uint32_t i = 0; i < g->count; i++) g->all_can &= g->items[i].can;
    for (uint32_t w = 0; w < g->wanted_count; w++)
        g->wanted_can &= g->items[g->wanted[w] % OTHER_OUTPUT].can;
}

/* One of the component's outputs. */
static uint32_t output_of(const graph *g, uint32_t at) {
    return kinds[kind_at(&g->items[at])].outputs[1] && draw(2) ? at + OTHER_OUTPUT : at;
}

static void make_graph(graph *g) {
    *g = (graph){.count = 1 + draw(NODES_MAX), .inputs = 1 + draw(INPUTS_MAX), .reliable = draw(2)};
    bool sound = draw(2);
    uint32_t width = 1 + draw(4);
    for (uint32_t i = 0; i < g->count; i++) {
        component *c = &g->items[i];
        size_t k = draw(g->reliable || draw(4) ? RELIABLE : KINDS);
        c->kind = kinds[k].kind;
        while (c->inputs < PARAMETERS_MAX && kinds[k].parameters[c->inputs]) {
            uint32_t from = i >= width ? i - 1 - draw(width) : OUTSIDE + draw(g->inputs);
            if (draw(5) == 0) from = OUTSIDE + draw(g->inputs);
            if (!sound && draw(9) == 0) from = draw(g->count); /* perhaps a cycle */
            if (!sound && draw(25) == 0) from = NOBODY;
            c->from[c->inputs++] = from < i ? output_of(g, from) : from;
        }
    }
    g->wanted_count = 1 + draw(WANTED_MAX);
    for (uint32_t w = 0; w < g->wanted_count; w++) {
        g->wanted[w] = output_of(g, draw(g->count));
        for (uint32_t v = 0; v < w; v++)
            if (g->wanted[v] == g->wanted[w]) g->wanted_count = w; /* each once */
    }
    judge(g);
}

static void write_name(const graph *g, uint32_t at, weir_buffer *out) {
    weir_buffer_printf(out, "%s%u", g->items[at].kind, at);
}

/* The definition, or of a pipeline the value, that a parameter takes. */
static void write_source(const graph *g, uint32_t from, bool pipeline, weir_buffer *out) {
    if (from == NOBODY)
        weir_buffer_text(out, pipeline ? "nobody.makes_it" : "nobody");
    else if (from >= OUTSIDE)
        weir_buffer_printf(out, "in%u", from - OUTSIDE);
    else {
        uint32_t at = from % OTHER_OUTPUT;
        write_name(g, at, out);
        weir_buffer_printf(out, pipeline ? ".%s" : "_%s",
                           kinds[kind_at(&g->items[at])].outputs[from / OTHER_OUTPUT]);
    }
}

static void write_dataflow(const graph *g, weir_buffer *out) {
    weir_buffer_text(out, "{\"definitions\": {\"spec\": {}, \"nobody\": {}");
    for (uint32_t i = 0; i < g->inputs; i++) weir_buffer_printf(out, ", \"in%u\": {}", i);
    for (uint32_t i = 0; i < g->count; i++)
        for (uint32_t o = 0; o < 2 && kinds[kind_at(&g->items[i])].outputs[o]; o++) {
            weir_buffer_text(out, ", \"");
            write_source(g, i + o * OTHER_OUTPUT, false, out);
            weir_buffer_text(out, "\": {}");
        }
    weir_buffer_text(out, "}, \"operations\": {\"get_single\": {\"inputs\": {\"spec\": \"spec\"}, "
                          "\"stage\": \"output\"}");
    for (uint32_t i = 0; i < g->count; i++) {
        const component *c = &g->items[i];
        size_t k = kind_at(c);
        weir_buffer_text(out, ", \"");
        write_name(g, i, out);
        weir_buffer_printf(out, "\": {\"name\": \"%s\", \"timeout_us\": %d, \"inputs\": {",
                           kinds[k].operation, strcmp(c->kind, "slow") ? 0 : S);
        for (uint32_t p = 0; p < c->inputs; p++) {
            weir_buffer_printf(out, "%s\"%s\": \"", p ? ", " : "", kinds[k].parameters[p]);
            write_source(g, c->from[p], false, out);
            weir_buffer_text(out, "\"");
        }
        weir_buffer_text(out, "}, \"outputs\": {");
        for (uint32_t o = 0; o < 2 && kinds[k].outputs[o]; o++) {
            weir_buffer_printf(out, "%s\"%s\": \"", o ? ", " : "", kinds[k].outputs[o]);
            write_source(g, i + o * OTHER_OUTPUT, false, out);
            weir_buffer_text(out, "\"");
        }
        weir_buffer_text(out, "}}");
    }
    weir_buffer_text(out, "}, \"seed\": [{\"definition\": \"spec\", \"value\": [");
    for (uint32_t w = 0; w < g->wanted_count; w++) {
        weir_buffer_text(out, w ? ", \"" : "\"");
        write_source(g, g->wanted[w], false, out);
        weir_buffer_text(out, "\"");
    }
    weir_buffer_text(out, "]}]}");
}

static void write_pipeline(const graph *g, weir_buffer *out) {
    weir_buffer_text(out, "pipeline:\n  name: p\n  inputs: [");
    for (uint32_t i = 0; i < g->inputs; i++) weir_buffer_printf(out, "%sin%u", i ? ", " : "", i);
    weir_buffer_text(out, "]\n  outputs: [");
    for (uint32_t w = 0; w < g->wanted_count; w++) {
        weir_buffer_text(out, w ? ", " : "");
        write_source(g, g->wanted[w], true, out);
    }
    weir_buffer_text(out, "]\n  components:\n");
    for (uint32_t i = 0; i < g->count; i++) {
        const component *c = &g->items[i];
        size_t k = kind_at(c);
        weir_buffer_text(out, "    - ");
        write_name(g, i, out);
        weir_buffer_printf(out, ":\n        runner: %s\n        inputs: [", kinds[k].operation);
        for (uint32_t p = 0; p < c->inputs; p++) {
            weir_buffer_text(out, p ? ", " : "");
            write_source(g, c->from[p], true, out);
        }
        weir_buffer_printf(out, "]\n        outputs: [%s%s%s]\n%s", kinds[k].outputs[0],
                           kinds[k].outputs[1] ? ", " : "",
                           kinds[k].outputs[1] ? kinds[k].outputs[1] : "",
                           strcmp(c->kind, "slow") ? "" : "        timeout: 1s\n");
    }
}

/* {in0: 1, …}, and `more`. */
static char *write_request(const graph *g, const char *more) {
    weir_buffer out = {0};
    weir_buffer_text(&out, "{\"inputs\": {");
    for (uint32_t i = 0; i < g->inputs; i++)
        weir_buffer_printf(&out, "%s\"in%u\": %u", i ? ", " : "", i, i + 1);
    weir_buffer_printf(&out, "}%s}", more);
    return out.data;
}

static void expect_equal_results(const flow_run *a, const flow_run *b) {
    assert_true(succeeded(a) && succeeded(b));
    expect_same(weir_member_named(weir_machine_finished(a->machine), "results"),
                weir_member_named(weir_machine_finished(b->machine), "results"));
}

/* Marks what leads to the component. */
static void mark_upstream(const graph *g, uint32_t at, bool *upstream) {
    if (upstream[at]) return;
    upstream[at] = true;
    for (uint32_t p = 0; p < g->items[at].inputs; p++)
        if (g->items[at].from[p] < NOBODY)
            mark_upstream(g, g->items[at].from[p] % OTHER_OUTPUT, upstream);
}

/* Whether nothing that leads to what is wanted fails or takes too long. */
static bool wanted_succeeds(const graph *g) {
    bool upstream[NODES_MAX] = {false}, reliable = true;
    for (uint32_t w = 0; w < g->wanted_count; w++)
        mark_upstream(g, g->wanted[w] % OTHER_OUTPUT, upstream);
    for (uint32_t i = 0; i < g->count; i++)
        reliable &= !upstream[i] || kind_at(&g->items[i]) < RELIABLE;
    return reliable;
}

static bool has_unreliable(const graph *g) {
    for (uint32_t i = 0; i < g->count; i++)
        if (kind_at(&g->items[i]) >= RELIABLE) return true;
    return false;
}

/* With a goal only what leads to it runs, and gives what it gave with the rest. */
static void check_goal(const graph *g, const char *text, const flow_run *whole) {
    weir_buffer name = {0}, more = {0};
    bool upstream[NODES_MAX] = {false}, reliable = true;
    write_source(g, g->wanted[0], false, &name);
    weir_buffer_printf(&more, ", \"goals\": [\"%s\"]", name.data);
    mark_upstream(g, g->wanted[0] % OTHER_OUTPUT, upstream);
    char *request = write_request(g, more.data);
    weir_plan *plan = compile_text(text, request, false, NULL);
    assert_non_null(plan);
    flow_run run;
    run_plan(&run, plan, request);
    for (uint32_t i = 0; i < g->count; i++) {
        weir_buffer id = {0};
        write_name(g, i, &id);
        reliable &= !upstream[i] || kind_at(&g->items[i]) < RELIABLE;
        assert_int_equal(lists(plan->left_out, weir_buffer_str(&id)), !upstream[i]);
        if (!upstream[i]) assert_false(was_started(&run, weir_buffer_str(&id)));
        weir_buffer_deinit(&id);
    }
    assert_int_equal(succeeded(&run), reliable && g->items[g->wanted[0] % OTHER_OUTPUT].can);
    if (succeeded(whole)) {
        const weir_value *all = weir_member_named(finished(whole, "results"), "default"),
                         *one = weir_member_named(finished(&run, "results"), "default");
        assert_int_equal(weir_value_count(one), 1);
        expect_same(weir_member_named(one, name.data), weir_member_named(all, name.data));
    }
    end_machine(&run);
    weir_plan_unref(plan);
    weir_free(request);
    weir_buffer_deinit(&name);
    weir_buffer_deinit(&more);
}

/* The proof against the graph, and the run against the proof. */
static void check_dataflow(const graph *g) {
    weir_buffer text = {0}, name = {0};
    weir_value *proof = NULL;
    char *request = write_request(g, ""), *sync = write_request(g, ", \"mode\": \"sync\"");
    write_dataflow(g, &text);
    weir_plan *plan = compile_text(text.data, request, false, &proof);
    assert_non_null(plan);
    assert_int_equal(weir_value_truth(weir_member_named(proof, "can_finish")), g->wanted_can);
    assert_int_equal(weir_value_truth(weir_member_named(proof, "certain")), g->wanted_can);
    flow_run run, other;
    run_plan(&run, plan, request);
    run_plan(&other, plan, sync);
    for (uint32_t i = 0; i < g->count; i++) {
        weir_buffer_clear(&name);
        write_name(g, i, &name);
        weir_str id = weir_buffer_str(&name);
        assert_int_equal(lists(weir_member_named(proof, "never"), id), !g->items[i].can);
        if (!g->items[i].can) assert_false(was_started(&run, id) || was_started(&other, id));
        if (g->items[i].can && g->reliable)
            assert_true(was_started(&run, id) && was_started(&other, id));
    }
    if (!g->wanted_can) assert_false(succeeded(&run) || succeeded(&other));
    if (g->wanted_can && g->reliable) expect_equal_results(&run, &other);
    check_goal(g, text.data, &run);
    end_machine(&other);
    end_machine(&run);
    weir_plan_unref(plan);
    weir_value_unref(proof);
    weir_free(request);
    weir_free(sync);
    weir_buffer_deinit(&text);
    weir_buffer_deinit(&name);
}

/* In each mode, with the rest kept and without: what comes of it is the same. */
static void run_pipeline(const graph *g, const char *text, weir_plan *all, weir_plan *plan) {
    char *whole = write_request(g, ", \"keep_all\": true"), *pruned = write_request(g, "");
    char *sync = write_request(g, ", \"mode\": \"sync\""),
         *ticks = write_request(g, ", \"mode\": \"scheduled\", \"tick_us\": 200000");
    const char *requests[] = {pruned, sync, ticks};
    bool succeeds = wanted_succeeds(g);
    flow_run kept_all, runs[3];
    if (all) {
        run_plan(&kept_all, all, whole);
        assert_int_equal(succeeded(&kept_all), g->reliable || !has_unreliable(g));
    }
    for (size_t i = 0; i < 3; i++) {
        weir_plan *own = i ? compile_text(text, requests[i], true, NULL) : plan;
        run_plan(&runs[i], own, requests[i]);
        if (i) weir_plan_unref(own);
        assert_int_equal(succeeded(&runs[i]), succeeds);
        if (succeeds) expect_equal_results(&runs[i], &runs[0]);
    }
    if (all && succeeded(&kept_all)) expect_equal_results(&kept_all, &runs[0]);
    for (size_t i = 0; i < 3; i++) end_machine(&runs[i]);
    if (all) end_machine(&kept_all);
    weir_free(whole);
    weir_free(pruned);
    weir_free(sync);
    weir_free(ticks);
}

/* Refused for what cannot run and is wanted. */
static void check_pipeline(const graph *g) {
    weir_buffer text = {0};
    char *pruned = write_request(g, ""), *whole = write_request(g, ", \"keep_all\": true");
    weir_value *proof = NULL, *other = NULL;
    write_pipeline(g, &text);
    weir_plan *all = compile_text(text.data, whole, true, &proof);
    weir_plan *plan = compile_text(text.data, pruned, true, &other);
    assert_int_equal(all != NULL, g->all_can);
    assert_int_equal(plan != NULL, g->wanted_can);
    if (all) assert_true(weir_value_truth(weir_member_named(proof, "can_finish")));
    if (plan) assert_true(weir_value_truth(weir_member_named(other, "can_finish")));
    if (plan) run_pipeline(g, text.data, all, plan);
    if (all) weir_plan_unref(all);
    if (plan) weir_plan_unref(plan);
    weir_value_unref(proof);
    weir_value_unref(other);
    weir_free(pruned);
    weir_free(whole);
    weir_buffer_deinit(&text);
}

/* --- dataflows ------------------------------------------------------------------------------ */

/* With several makers of a definition, conditions, defaults, lists that are expanded, stages and operations that give less. */
typedef struct chances {
    uint32_t operations, definitions;
    bool reliable;
    bool ordered; /* what an operation gives is of a later definition than what it takes */
    bool orderly; /* results do not depend on the order of arrival: no conditions, no defaults */
} chances;

static void write_definitions(const chances *c, weir_buffer *out) {
    weir_buffer_text(out, "{\"definitions\": {\"spec\": {}");
    for (uint32_t d = 0; d < c->definitions + 4; d++) /* the last are nobody's */
        weir_buffer_printf(out, ", \"d%u\": {%s}", d,
                           draw(8) || c->orderly ? "" : "\"default\": 2");
    weir_buffer_text(out, "}");
}

static void write_operation(const chances *c, uint32_t at, weir_buffer *out) {
    static const char *const names[] = {"identity", "pair",    "is_even", "range",      "flaky",
                                        "dup",      "partial", "nothing", "fail_if_odd"};
    static const char *const ports[][4] = {{"x", NULL, "x"},
                                           {"a", "b", "pair"},
                                           {"n", NULL, "even"},
                                           {"n", NULL, "items"},
                                           {"x", NULL, "x"},
                                           {"x", NULL, "first", "second"},
                                           {"x", NULL, "first", "second"},
                                           {"x", NULL, "result"},
                                           {"n", NULL, "n"}};
    uint32_t k = draw(c->reliable ? 6 : 9);
    if (c->reliable && (k == 2 || k == 3)) k = 0; /* they take numbers only */
    const char *const *port = ports[k];
    uint32_t first = draw(c->definitions), second = draw(c->definitions);
    uint32_t least = c->ordered ? (first > second ? first : second) + 1 : 0;
    uint32_t room = least < c->definitions ? c->definitions - least : 0;
    weir_buffer_printf(out, "%s\"o%u\": {\"name\": \"%s\", \"inputs\": {\"%s\": \"d%u\"",
                       at ? ", " : "", at, names[k], port[0], first);
    if (port[1]) weir_buffer_printf(out, ", \"%s\": \"d%u\"", port[1], second);
    weir_buffer_text(out, "}, \"outputs\": {");
    for (uint32_t o = 2; o < 4 && port[o]; o++)
        weir_buffer_printf(out, "%s\"%s\": \"d%u\"", o > 2 ? ", " : "", port[o],
                           room ? least + draw(room) : c->definitions + o);
    weir_buffer_text(out, "}");
    if (!c->orderly && draw(4) == 0)
        weir_buffer_printf(out, ", \"conditions\": [\"d%u\"]", draw(c->definitions));
    if (k == 1 && draw(3) == 0) weir_buffer_text(out, ", \"expand\": [\"pair\"]");
    if (k == 3) weir_buffer_text(out, ", \"expand\": [\"items\"]");
    if (draw(8) == 0) weir_buffer_text(out, ", \"stage\": \"cleanup\"");
    weir_buffer_text(out, "}");
}

static void write_chances(const chances *c, weir_buffer *out) {
    write_definitions(c, out);
    weir_buffer_text(out, ", \"operations\": {");
    for (uint32_t i = 0; i < c->operations; i++) write_operation(c, i, out);
    weir_buffer_text(out, ", \"get_multi\": {\"inputs\": {\"spec\": \"spec\"}, \"stage\": "
                          "\"output\"}}, \"seed\": [{\"definition\": \"spec\", \"value\": [");
    for (uint32_t w = 1 + draw(3); w > 0; w--)
        weir_buffer_printf(out, "\"d%u\"%s", draw(c->definitions), w > 1 ? ", " : "");
    weir_buffer_text(out, "]}");
    for (uint32_t i = draw(c->definitions); i > 0; i--)
        weir_buffer_printf(out, ", {\"definition\": \"d%u\", \"value\": %u}", draw(c->definitions),
                           draw(3));
    weir_buffer_text(out, "]}");
}

/* Whether values may go round for ever: then the flow is not run. */
static bool has_loop(const weir_value *flow) {
    const weir_value *operations = weir_member_named(flow, "operations");
    size_t count = weir_value_count(operations), done = 0;
    bool over[64] = {false};
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < count; i++) {
            const weir_value *inputs = weir_member_named(weir_object_at(operations, i), "inputs");
            bool free = !over[i];
            for (size_t j = 0; j < count && free; j++) {
                const weir_value *outputs =
                    weir_member_named(weir_object_at(operations, j), "outputs");
                for (size_t a = 0; outputs && !over[j] && a < weir_value_count(inputs); a++)
                    for (size_t b = 0; b < weir_value_count(outputs); b++)
                        free &= !weir_str_equal(weir_string_get(weir_object_at(inputs, a)),
                                                weir_string_get(weir_object_at(outputs, b)));
            }
            if (!free) continue;
            over[i] = more = true;
            done++;
        }
    }
    return done < count;
}

static void expect_proved(const flow_run *run, const weir_value *proof, const weir_value *flow,
                          bool reliable) {
    const weir_value *operations = weir_member_named(flow, "operations");
    const weir_value *never = weir_member_named(proof, "never"),
                     *may = weir_member_named(proof, "may");
    for (size_t i = 0; i < weir_value_count(operations); i++) {
        weir_str name = weir_object_key(operations, i);
        if (lists(never, name))
            assert_false(was_started(run, name));
        else if (reliable && !lists(may, name) && succeeded(run))
            assert_true(was_started(run, name));
    }
    if (reliable && weir_value_truth(weir_member_named(proof, "certain")))
        assert_true(succeeded(run));
    if (!weir_value_truth(weir_member_named(proof, "can_finish"))) assert_false(succeeded(run));
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The values as texts in an order of their own. */
static void expect_same_values(const weir_value *a, const weir_value *b) {
    enum { MAX = 4096 };
    char *texts[2][MAX];
    const weir_value *of[] = {a, b};
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(weir_value_count(a), weir_value_count(b));
    size_t count = weir_value_count(a) < MAX ? weir_value_count(a) : MAX;
    for (size_t n = 0; n < 2; n++) {
        for (size_t i = 0; i < count; i++) {
            weir_buffer text = {0};
            weir_json_format(weir_array_at(of[n], i), 0, &text);
            texts[n][i] = text.data;
        }
        qsort(texts[n], count, sizeof(char *), compare_texts);
    }
    for (size_t i = 0; i < count; i++) {
        if (weir_value_count(a) <= MAX) assert_string_equal(texts[0][i], texts[1][i]);
        weir_free(texts[0][i]);
        weir_free(texts[1][i]);
    }
}

/* For a goal less runs, all that leads to it, and what comes of it is the same: as the file asks for it, or as one output
 * of an operation gives it. */
static void check_chance_goal(const chances *c, const char *text, const weir_value *flow,
                              const flow_run *whole) {
    const weir_value *seed =
        weir_member_named(weir_array_at(weir_member_named(flow, "seed"), 0), "value");
    weir_str goal = weir_string_get(weir_array_at(seed, 0));
    weir_buffer request = {0};
    weir_buffer_printf(&request, "{\"contexts\": {\"c\": []}, \"goals\": [\"%.*s\"]}",
                       WEIR_ARG(goal));
    weir_plan *plan = compile_text(text, request.data, false, NULL);
    assert_non_null(plan);
    flow_run run;
    run_plan(&run, plan, request.data);
    for (size_t i = 0; plan->left_out && i < weir_value_count(plan->left_out); i++)
        assert_false(was_started(&run, weir_string_get(weir_array_at(plan->left_out, i))));
    if (c->orderly && succeeded(whole)) {
        assert_true(succeeded(&run));
        expect_same_values(weir_member(weir_member_named(finished(&run, "results"), "c"), goal),
                           weir_member(weir_member_named(finished(whole, "results"), "c"), goal));
    }
    end_machine(&run);
    weir_plan_unref(plan);
    weir_buffer_deinit(&request);
}

static void check_chances(void) {
    chances c = {1 + draw(8), 4 + draw(8), draw(3) > 0, draw(4) > 0, draw(2)};
    weir_buffer text = {0};
    write_chances(&c, &text);
    weir_value *flow = parse(text.data), *proof = NULL;
    /* Without inputs it would take what is read from outside to come. */
    static const char request[] = "{\"contexts\": {\"c\": []}}",
                      sync[] = "{\"contexts\": {\"c\": []}, \"mode\": \"sync\"}";
    weir_plan *plan = compile_text(text.data, request, false, &proof);
    assert_non_null(plan);
    if (!has_loop(flow)) {
        flow_run run, other;
        run_plan(&run, plan, request);
        run_plan(&other, plan, sync);
        expect_proved(&run, proof, flow, c.reliable);
        expect_proved(&other, proof, flow, c.reliable);
        check_chance_goal(&c, text.data, flow, &run);
        end_machine(&run);
        end_machine(&other);
    }
    weir_plan_unref(plan);
    weir_value_unref(flow);
    weir_value_unref(proof);
    weir_buffer_deinit(&text);
}

/* --- tests ---------------------------------------------------------------------------------- */

enum { FEW = 300 };

static void each_seed(const char *what, void (*check)(void)) {
    uint64_t from = number_of("WEIR_FLOWS_FROM", 1), count = number_of("WEIR_FLOWS", FEW);
    for (uint64_t seed = from; seed < from + count; seed++) {
        chance_state = seed;
        if (getenv("WEIR_FLOWS_FROM")) print_message("%s %" PRIu64 "\n", what, seed);
        check();
    }
}

static void check_both(void) {
    graph g;
    make_graph(&g);
    check_dataflow(&g);
    check_pipeline(&g);
}

static void pipelines_by_chance(void **state) {
    (void)state;
    each_seed("pipeline", check_both);
}

static void dataflows_by_chance(void **state) {
    (void)state;
    each_seed("dataflow", check_chances);
}

static void a_deep_cycle_is_found_without_recursion(void **state) {
    (void)state;
    enum { DEPTH = 20000 };
    weir_buffer text = {0};
    weir_value *proof = NULL;
    weir_buffer_text(&text, "{\"operations\": {");
    for (int i = 0; i < DEPTH; i++)
        weir_buffer_printf(&text,
                           "%s\"o%d\": {\"name\": \"identity\", \"inputs\": {\"x\": \"d%d\"}, "
                           "\"outputs\": {\"x\": \"d%d\"}}",
                           i ? ", " : "", i, i, (i + 1) % DEPTH);
    weir_buffer_text(&text, "}, \"definitions\": {\"d0\": {}");
    for (int i = 1; i < DEPTH; i++) weir_buffer_printf(&text, ", \"d%d\": {}", i);
    weir_buffer_text(&text, "}}");
    weir_plan *plan = compile_text(text.data, "{}", false, &proof);
    assert_non_null(plan);
    assert_int_equal(weir_int_get(weir_member_named(proof, "never_run")), DEPTH);
    assert_false(weir_value_truth(weir_member_named(proof, "can_finish")));
    weir_plan_unref(plan);
    weir_value_unref(proof);
    weir_buffer_deinit(&text);
}

/* What flow_run.h has is used once as a whole: a flow that is proved, run, replayed and recovered. */
static void what_is_proved_is_what_a_recovery_gives(void **state) {
    (void)state;
    static const char text[] =
        "definitions: {a: {}, b: {}, spec: {}}\n"
        "operations:\n"
        "  one: {name: flaky, inputs: {x: a}, outputs: {x: b}}\n"
        "  get_single: {inputs: {spec: spec}, stage: output}\n"
        "seed: [{value: [b], definition: spec}, {value: 1, definition: a}]\n";
    flow_run run;
    begin(&run, text, "{}");
    drive(&run);
    expect_json(weir_member_named(finished(&run, "results"), "default"), "{\"b\":1}");
    expect_texts(run.started.items, run.started.count, "get_single{\"spec\":[\"b\"]} one{\"x\":1}");
    end(&run);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelines_by_chance),
        cmocka_unit_test(dataflows_by_chance),
        cmocka_unit_test(a_deep_cycle_is_found_without_recursion),
        cmocka_unit_test(what_is_proved_is_what_a_recovery_gives),
    };
    return cmocka_run_group_tests(tests, open_registry, close_registry);
}

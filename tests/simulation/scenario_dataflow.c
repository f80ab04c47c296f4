/* Dataflows and pipelines by chance: chains, diamonds, products, lists that are taken apart, conditions, stages. */
#include <stdio.h>

#include "scenario.h"
#include "simulation.h"

enum { DEFINITIONS_MAX = 24, VALUES_MAX = 6 };

/* A definition `d<index>`; the first come from the contexts, each of the others from one operation. */
typedef struct made {
    uint32_t values; /* as many as there may be */
    bool certain;    /* there is one at least */
    bool condition;  /* one truth value */
    uint32_t maker;  /* the number of its operation */
    const char *output;
} made;

typedef struct flow {
    uint64_t *chance;
    made made[DEFINITIONS_MAX];
    uint32_t given, count;
    weir_buffer operations, wires;
} flow;

static uint32_t draw(flow *f, uint32_t count) {
    return (uint32_t)chance_draw(f->chance, count);
}

/* A definition of at most `values` values. */
static uint32_t pick(flow *f, uint32_t values) {
    for (int tries = 0; tries < 20; tries++) {
        uint32_t at = draw(f, f->count);
        if (f->made[at].values <= values) return at;
    }
    return 0;
}

static void write_source(flow *f, uint32_t definition) {
    const made *m = &f->made[definition];
    if (definition < f->given)
        weir_buffer_text(&f->wires, "[\"seed\"]");
    else
        weir_buffer_printf(&f->wires, "[{\"o%u\": \"%s\"}]", m->maker, m->output);
}

static void write_condition(flow *f, made *product) {
    for (uint32_t i = f->given; i < f->count; i++) {
        if (!f->made[i].condition || draw(f, 3)) continue;
        weir_buffer_printf(&f->operations, ", \"conditions\": [\"d%u\"]", i);
        weir_buffer_text(&f->wires, ", \"conditions\": [");
        write_source(f, i);
        weir_buffer_byte(&f->wires, ']');
        product->certain = false;
        return;
    }
}

static void add_operation(flow *f, uint32_t number) {
    static const struct {
        const char *name, *output;
    } kinds[] = {{"mix", "value"},
                 {"split", "value"},
                 {"odd", "value"},
                 {"work", "value"},
                 {"process.run", "result"}};
    uint32_t kind = draw(f, 5), a = pick(f, 4), b = pick(f, VALUES_MAX / f->made[a].values);
    if (f->made[a].values * f->made[b].values > 4 && kind == 1) kind = 0;
    made product = {.values = f->made[a].values * f->made[b].values * (kind == 1 ? 3 : 1),
                    .certain = f->made[a].certain && f->made[b].certain,
                    .maker = number,
                    .output = kinds[kind].output};
    weir_buffer_printf(&f->operations,
                       "\"o%u\": {\"name\": \"%s\", \"inputs\": {\"a\": \"d%u\", \"b\": \"d%u\"}, "
                       "\"outputs\": {\"%s\": \"d%u\"}",
                       number, kinds[kind].name, a, b, product.output, f->count);
    weir_buffer_printf(&f->wires, "\"o%u\": {\"inputs\": {\"a\": ", number);
    write_source(f, a);
    weir_buffer_text(&f->wires, ", \"b\": ");
    write_source(f, b);
    weir_buffer_byte(&f->wires, '}');
    product.condition = kind == 2 && product.certain && product.values == 1;
    write_condition(f, &product);
    if (kind == 1) weir_buffer_text(&f->operations, ", \"expand\": [\"value\"]");
    if (draw(f, 3) == 0) weir_buffer_printf(&f->operations, ", \"retry\": %u", 1 + draw(f, 4));
    if (draw(f, 3) == 0) weir_buffer_text(&f->operations, ", \"timeout_us\": 2000000");
    weir_buffer_text(&f->operations, "}, ");
    weir_buffer_text(&f->wires, "}, ");
    f->made[f->count++] = product;
}

/* Contexts with the values of what is given. */
static void add_contexts(flow *f, weir_value *request) {
    weir_value *contexts = weir_object_new();
    char name[16];
    for (uint32_t c = 0, count = 1 + draw(f, 3); c < count; c++) {
        weir_value *inputs = weir_array_new();
        for (uint32_t d = 0; d < f->given; d++)
            for (uint32_t i = 0; i < f->made[d].values; i++) {
                weir_value *input = weir_object_new();
                snprintf(name, sizeof name, "d%u", d);
                weir_member_put(input, "definition", weir_string_from(weir_str_from(name)));
                weir_member_put(input, "value", weir_int_new(draw(f, 1000)));
                weir_array_append(inputs, input);
            }
        snprintf(name, sizeof name, "c%u", c);
        weir_member_put(contexts, name, inputs);
    }
    weir_member_put(request, "contexts", contexts);
}

/* What comes after the processing: perhaps a cleanup, one value where there is just one, and all values of all. */
static void add_ends(flow *f, weir_buffer *spec, weir_buffer *single) {
    for (uint32_t i = 0; i < f->count; i++) {
        weir_buffer_printf(spec, "%s\"d%u\"", i ? ", " : "", i);
        if (f->made[i].certain && f->made[i].values == 1)
            weir_buffer_printf(single, "%s\"d%u\"", single->length ? ", " : "", i);
    }
    if (draw(f, 3) == 0) {
        weir_buffer_text(&f->operations,
                         "\"clean\": {\"name\": \"work\", \"inputs\": {\"a\": \"d0\"}, "
                         "\"outputs\": {}, \"stage\": \"cleanup\"}, ");
        weir_buffer_text(&f->wires, "\"clean\": {\"inputs\": {\"a\": [\"seed\"]}}, ");
    }
    if (single->length) {
        weir_buffer_text(
            &f->operations,
            "\"single\": {\"name\": \"get_single\", \"inputs\": {\"spec\": \"single\"}, "
            "\"outputs\": {}, \"stage\": \"output\"}, ");
        weir_buffer_text(&f->wires, "\"single\": {\"inputs\": {\"spec\": [\"seed\"]}}, ");
    }
    weir_buffer_text(&f->operations,
                     "\"all\": {\"name\": \"get_multi\", \"inputs\": {\"spec\": \"spec\"}, "
                     "\"outputs\": {}, \"stage\": \"output\"}");
    weir_buffer_text(&f->wires, "\"all\": {\"inputs\": {\"spec\": [\"seed\"]}}");
}

void scenario_write_dataflow(uint64_t *chance, weir_buffer *text, weir_value *request) {
    flow f = {.chance = chance};
    weir_buffer spec = {0}, single = {0};
    f.given = f.count = 1 + draw(&f, 3);
    for (uint32_t d = 0; d < f.given; d++)
        f.made[d] = (made){.values = 1 + draw(&f, 2), .certain = true};
    for (uint32_t i = 0, count = 2 + draw(&f, 6); i < count; i++) add_operation(&f, i);
    add_contexts(&f, request);
    add_ends(&f, &spec, &single);
    weir_buffer_text(text, "{\"definitions\": {\"spec\": {\"primitive\": \"array\"}, "
                           "\"single\": {\"primitive\": \"array\"}");
    for (uint32_t d = 0; d < f.count; d++)
        weir_buffer_printf(text, ", \"d%u\": {\"primitive\": \"generic\"}", d);
    weir_buffer_printf(text, "}, \"operations\": {%s}, ", f.operations.data);
    if (draw(&f, 2)) weir_buffer_printf(text, "\"flow\": {%s}, ", f.wires.data);
    weir_buffer_printf(text, "\"configs\": {\"all\": {\"nostrict\": [%s]}", spec.data);
    weir_buffer_printf(text, ", \"single\": {\"nostrict\": [%s]}}, ", spec.data);
    weir_buffer_printf(text, "\"seed\": [{\"definition\": \"spec\", \"value\": [%s]}", spec.data);
    weir_buffer_printf(text, ", {\"definition\": \"single\", \"value\": [%s]}]}\n",
                       weir_buffer_str(&single).data);
    weir_buffer_deinit(&spec);
    weir_buffer_deinit(&single);
    weir_buffer_deinit(&f.operations);
    weir_buffer_deinit(&f.wires);
}

void scenario_write_pipeline(uint64_t *chance, weir_buffer *text, weir_value *request) {
    static const char *const runners[] = {"runner: mix", "runner: work",
                                          "run: [echo, '{{inputs.a}}', '{{inputs.b}}']"};
    uint32_t count = 1 + (uint32_t)chance_draw(chance, 6);
    weir_value *inputs = weir_object_new();
    weir_member_put(inputs, "x", weir_int_new((int64_t)chance_draw(chance, 1000)));
    weir_member_put(inputs, "y", weir_int_new((int64_t)chance_draw(chance, 1000)));
    weir_member_put(request, "inputs", inputs);
    weir_buffer_text(text, "pipeline:\n  name: p\n  inputs: [x, y]\n  outputs: [");
    for (uint32_t i = 0; i < count; i++) weir_buffer_printf(text, "%sc%u.value", i ? ", " : "", i);
    weir_buffer_text(text, "]\n  components:\n");
    for (uint32_t i = 0; i < count; i++) {
        weir_buffer_printf(text, "    - c%u:\n        %s\n        inputs: {", i,
                           runners[chance_draw(chance, 3)]);
        for (int p = 0; p < 2; p++) {
            uint32_t from = (uint32_t)chance_draw(chance, i + 2u);
            weir_buffer_printf(text, "%s: ", p ? ", b" : "a");
            if (from < i)
                weir_buffer_printf(text, "c%u.value", from);
            else
                weir_buffer_text(text, from == i ? "x" : "y");
        }
        weir_buffer_text(text, "}\n        outputs: [value]\n");
        if (chance_draw(chance, 2))
            weir_buffer_printf(text, "        retries: %u\n", (unsigned)chance_draw(chance, 4));
        if (chance_draw(chance, 3) == 0) weir_buffer_text(text, "        timeout: 2s\n");
    }
}

/* The cases: a flow as a value, what its contexts are given, and how much work that is. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dataflow.h"

/* A product's n is its pairs, the others' their invocations. `loop` and `contexts` keep few inputs at a time. */
static const bench_case cases[] = {{"chain", BENCH_CHAIN, 0, "get_single"},
                                   {"fan-out", BENCH_FAN_OUT, 0, "get_single"},
                                   {"product", BENCH_PRODUCT, 0, "get_single"},
                                   {"dag", BENCH_DAG, 0, "get_single"},
                                   {"loop", BENCH_LOOP, 0, NULL},
                                   {"retained", BENCH_LOOP, 0, "get_multi"},
                                   {"contexts", BENCH_CHAIN, 3, NULL},
                                   {"results", BENCH_CHAIN, 2, "get_single"},
                                   {"freed", BENCH_FAN_OUT, 1000, "get_single"}};

enum { CASES = sizeof cases / sizeof *cases };

/* Different numbers that contexts are given in turn. */
enum { GIVEN_MAX = 1024 };

const bench_case *bench_case_find(const char *name) {
    for (size_t i = 0; i < CASES; i++)
        if (strcmp(cases[i].name, name) == 0) return &cases[i];
    return NULL;
}

void bench_case_list(char *text, size_t size) {
    size_t length = 0;
    for (size_t i = 0; i < CASES && length < size; i++)
        length +=
            (size_t)snprintf(text + length, size - length, "%s%s", i ? " " : "", cases[i].name);
}

/* --- values --------------------------------------------------------------------------------- */

static weir_value *text(const char *string) {
    return weir_string_new(string, strlen(string));
}

static weir_value *put(weir_value *object, const char *key, weir_value *value) {
    weir_object_set(object, key, strlen(key), value);
    return object;
}

static weir_value *list(weir_value *item) {
    weir_value *array = weir_array_new();
    weir_array_append(array, item);
    return array;
}

static weir_value *pair(const char *key, weir_value *value) {
    return put(weir_object_new(), key, value);
}

/* --- flows ---------------------------------------------------------------------------------- */

/* A flow while it is made. */
typedef struct flow {
    weir_value *definitions, *operations, *seed, *wires;
} flow;

static const char *define(flow *f, const char *name, const char *primitive) {
    weir_value *definition = put(pair("name", text(name)), "primitive", text(primitive));
    put(f->definitions, name, definition);
    return name;
}

/* An operation with one or two parameters (`b` may be NULL) and one output, as a flow has it. */
static weir_value *operation(const char *name, const char *a, const char *b, const char *output,
                             const char *definition) {
    weir_value *inputs = pair("a", text(a));
    if (b) put(inputs, "b", text(b));
    weir_value *value = put(pair("name", text(name)), "inputs", inputs);
    put(value, "outputs", pair(output, text(definition)));
    return put(value, "stage", text("processing"));
}

/* Takes `value` over. */
static void add_instance(flow *f, const char *instance, weir_value *value, weir_value *a,
                         weir_value *b) {
    weir_value *inputs = pair("a", list(a));
    if (b) put(inputs, "b", list(b));
    put(f->operations, instance, value);
    put(f->wires, instance, pair("inputs", inputs));
}

static weir_value *from_seed(void) {
    return text("seed");
}

static weir_value *from(const char *instance, const char *output) {
    return pair(instance, text(output));
}

static weir_value *from_numbered(size_t at, const char *output) {
    char name[24];
    snprintf(name, sizeof name, "o%zu", at);
    return from(name, output);
}

/* Operations o0 … of which the last gives a definition of its own, `last`. */
static void make_numbered(const bench_work *work, flow *f, const char *name) {
    bool two = work->earlier != NULL;
    const char *b = two ? "number" : NULL;
    define(f, "number", "int");
    define(f, "last", "int");
    weir_value *common = operation(name, "number", b, "r", "number");
    for (size_t i = 0; i < work->width; i++) {
        char instance[24];
        snprintf(instance, sizeof instance, "o%zu", i);
        weir_value *value = i + 1 < work->width ? weir_value_ref(common)
                                                : operation(name, "number", b, "r", "last");
        size_t first = !i ? 0 : two ? work->earlier[i][0] : i - 1;
        size_t second = i && two ? work->earlier[i][1] : 0;
        add_instance(f, instance, value, i ? from_numbered(first, "r") : from_seed(),
                     !two ? NULL
                     : i  ? from_numbered(second, "r")
                          : from_seed());
    }
    weir_value_unref(common);
}

static void add_split(flow *f, const char *instance, const char *count, const char *item) {
    define(f, count, "int");
    define(f, item, "int");
    weir_value *value = operation("bench.split", count, NULL, "items", item);
    put(value, "expand", list(text("items")));
    add_instance(f, instance, value, from_seed(), NULL);
}

static void make_fan_out(flow *f) {
    add_split(f, "split", "number", "item");
    define(f, "last", "int");
    add_instance(f, "step", operation("bench.step", "item", NULL, "r", "last"),
                 from("split", "items"), NULL);
}

static void make_product(flow *f) {
    add_split(f, "split_rows", "number", "row");
    add_split(f, "split_columns", "other", "column");
    define(f, "last", "int");
    add_instance(f, "add", operation("bench.add", "row", "column", "r", "last"),
                 from("split_rows", "items"), from("split_columns", "items"));
}

/* Without a collecting operation no input is needed once it was used. */
static void make_loop(const bench_work *work, flow *f) {
    define(f, "number", "int");
    define(f, "done", "int");
    weir_value *down = pair("name", text("bench.down"));
    put(down, "inputs", pair("a", text("number")));
    put(down, "outputs", put(pair("r", text("number")), "done", text("done")));
    weir_value *sources = list(from_seed());
    weir_array_append(sources, from("down", "r"));
    put(f->operations, "down", put(down, "stage", text("processing")));
    put(f->wires, "down", pair("inputs", pair("a", sources)));
    if (work->kind->output) return;
    define(f, "made", "int");
    weir_value *result = pair("name", text("bench.result"));
    put(result, "inputs", pair("a", text("done")));
    put(result, "outputs", pair("r", text("made")));
    add_instance(f, "result", put(result, "stage", text("output")), from("down", "done"), NULL);
}

/* get_single or get_multi, of the definition that the shape ends with. */
static void add_output(bench_work *work, flow *f) {
    const char *name = work->kind->output;
    define(f, "spec", "array");
    define(f, "output", "map");
    weir_value *value = put(pair("name", text(name)), "inputs", pair("spec", text("spec")));
    put(value, "outputs", pair("output", text("output")));
    put(f->operations, name, put(value, "stage", text("output")));
    put(f->wires, name, pair("inputs", pair("spec", list(text("seed")))));
    work->spec = list(text(work->kind->shape == BENCH_LOOP ? "number" : "last"));
    weir_value *seed = put(pair("value", weir_value_ref(work->spec)), "definition", text("spec"));
    weir_array_append(f->seed, put(seed, "origin", text("seed")));
}

static void make_flow(bench_work *work) {
    flow f = {weir_object_new(), weir_object_new(), weir_array_new(), weir_object_new()};
    switch (work->kind->shape) {
    case BENCH_CHAIN: make_numbered(work, &f, "bench.step"); break;
    case BENCH_DAG: make_numbered(work, &f, "bench.add"); break;
    case BENCH_FAN_OUT: make_fan_out(&f); break;
    case BENCH_PRODUCT: make_product(&f); break;
    case BENCH_LOOP: make_loop(work, &f); break;
    }
    if (work->kind->output) add_output(work, &f);
    work->flow = put(pair("linked", weir_bool_new(true)), "definitions", f.definitions);
    put(put(put(work->flow, "operations", f.operations), "seed", f.seed), "flow", f.wires);
}

/* --- work ----------------------------------------------------------------------------------- */

/* Two different ones of all earlier operations, evenly spread; the same ones every time. */
static void choose_earlier(bench_work *work) {
    uint64_t state = 0x9e3779b97f4a7c15;
    work->earlier = bench_alloc(work->width, sizeof *work->earlier);
    for (size_t i = 2; i < work->width; i++) {
        state = state * 6364136223846793005 + 1442695040888963407;
        uint32_t first = (uint32_t)((state >> 33) % i);
        uint32_t distance = 1 + (uint32_t)((state >> 11) % (i - 1));
        work->earlier[i][0] = first;
        work->earlier[i][1] = (uint32_t)((first + distance) % i);
    }
}

/* What one context takes. */
static void count_work(bench_work *work) {
    uint64_t width = work->width;
    switch (work->kind->shape) {
    case BENCH_CHAIN:
    case BENCH_DAG:
        work->calls = width;
        work->stored = width + 1;
        break;
    case BENCH_FAN_OUT:
        work->calls = width + 1;
        work->stored = 2 * width + 1;
        break;
    case BENCH_PRODUCT:
        work->calls = width * width + 2;
        work->stored = width * width + 2 * width + 2;
        break;
    case BENCH_LOOP:
        work->calls = width + !work->kind->output;
        work->stored = width + 1;
        break;
    }
    work->invocations = work->calls + (work->kind->output != NULL);
}

static weir_value *input(const char *definition, int64_t number) {
    return put(pair("value", weir_int_new(number)), "definition", text(definition));
}

static void make_inputs(bench_work *work) {
    work->given = work->contexts < GIVEN_MAX ? work->contexts : GIVEN_MAX;
    work->inputs = bench_alloc(work->given, sizeof *work->inputs);
    int64_t width = (int64_t)work->width;
    for (size_t i = 0; i < work->given; i++) {
        bench_shape shape = work->kind->shape;
        bool counts = shape == BENCH_FAN_OUT || shape == BENCH_PRODUCT;
        int64_t number = counts ? width : shape == BENCH_LOOP ? width - 1 : (int64_t)i + 1;
        work->inputs[i] = list(input("number", number));
        if (shape == BENCH_PRODUCT) weir_array_append(work->inputs[i], input("other", number));
    }
}

/* The width of the one context that has about n invocations. */
static size_t width_for(const bench_case *kind, size_t n) {
    switch (kind->shape) {
    case BENCH_PRODUCT: return (size_t)sqrt((double)n);
    case BENCH_CHAIN:
    case BENCH_DAG: return n - 1; /* the output operation is one of n */
    default: return n;
    }
}

bench_work *bench_work_new(const bench_case *kind, size_t n) {
    bench_work *work = bench_alloc(1, sizeof *work);
    work->kind = kind;
    work->width = kind->width ? kind->width : width_for(kind, n);
    count_work(work);
    work->contexts = kind->width ? n / work->invocations : 1;
    if (!work->width || !work->contexts) bench_die("%s: n is too small", kind->name);
    work->calls *= work->contexts;
    work->stored *= work->contexts;
    work->invocations *= work->contexts;
    if (kind->shape == BENCH_DAG) choose_earlier(work);
    make_flow(work);
    make_inputs(work);
    return work;
}

void bench_work_free(bench_work *work) {
    for (size_t i = 0; i < work->given; i++) weir_value_unref(work->inputs[i]);
    weir_value_unref(work->flow);
    weir_value_unref(work->spec);
    free(work->inputs);
    free(work->earlier);
    free(work);
}

weir_value *bench_work_given(const bench_work *work, size_t context, size_t at) {
    const weir_value *inputs = work->inputs[context % work->given];
    return weir_object_get(weir_array_at(inputs, at), "value", 5);
}

void bench_sum_add(bench_sum *sum, const weir_value *result) {
    sum->contexts++;
    if (weir_value_type(result) != WEIR_OBJECT || !weir_value_count(result)) return;
    const weir_value *value = weir_object_at(result, 0);
    if (weir_value_type(value) == WEIR_ARRAY && weir_value_count(value)) {
        size_t count = weir_value_count(value);
        sum->values += count;
        value = weir_array_at(value, count - 1);
    }
    if (weir_value_type(value) == WEIR_INT) sum->values += (uint64_t)weir_int_get(value);
}

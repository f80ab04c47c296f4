/* The model: which operations may run, and with which parameter sets. */
#include "base/map.h"
#include "canonical.h"
#include "model_internal.h"
#include "operations.h"
#include "simulation.h"
#include "virtual_executor.h"

#define DEFAULT UINT32_MAX

/* --- who reads what ------------------------------------------------------------------------------- */

/* A source's origin: a text, or of {operation: output}. */
static bool is_origin(const weir_value *source, origin from) {
    if (weir_is(source, WEIR_STRING))
        return !from.output.length && weir_str_equal(weir_string_get(source), from.instance);
    const weir_value *output = weir_object_at(source, 0);
    return weir_str_equal(weir_object_key(source, 0), from.instance) &&
           (!weir_is(output, WEIR_STRING) || weir_str_equal(weir_string_get(output), from.output));
}

static bool is_definition(const process *p, const weir_value *source, weir_str parameters,
                          weir_str definition) {
    if (weir_is(source, WEIR_STRING)) return weir_str_equal(parameters, definition);
    const weir_value *what = weir_object_at(source, 0);
    for (size_t i = 0; weir_is(what, WEIR_ARRAY) && i < weir_value_count(what); i++)
        if (weir_str_equal(weir_string_get(weir_array_at(what, i)), definition)) return true;
    if (!weir_is(what, WEIR_STRING)) return false;
    const weir_value *maker = model_at(p->flow, "operations", weir_object_key(source, 0));
    return weir_str_equal(
        weir_member_text(weir_member_named(maker, "outputs"), weir_string_get(what).data),
        definition);
}

/* [source, ancestor, …]: there is one parent of the next origin. Flows with two of them are not written. */
static bool has_ancestors(const process *p, const weir_value *source, size_t at) {
    const item *from = &p->items.items[at];
    for (size_t i = 1; i < weir_value_count(source); i++) {
        const item *found = NULL;
        for (size_t k = 0; k < from->parent_count && !found; k++)
            if (is_origin(weir_array_at(source, i), p->items.items[from->parents[k]].origin))
                found = &p->items.items[from->parents[k]];
        if (!found) return false;
        from = found;
    }
    return true;
}

static bool fits(const process *p, const weir_value *source, weir_str definition, size_t at) {
    const item *i = &p->items.items[at];
    const weir_value *first = weir_is(source, WEIR_ARRAY) ? weir_array_at(source, 0) : source;
    return !i->used_elsewhere && i->definition.length && is_origin(first, i->origin) &&
           is_definition(p, first, definition, i->definition) &&
           (first == source || has_ancestors(p, source, at));
}

/* Whether the input fits one of the sources. */
static bool reads(const process *p, const weir_value *sources, weir_str definition, size_t at) {
    for (size_t i = 0; i < weir_value_count(sources); i++)
        if (fits(p, weir_array_at(sources, i), definition, at)) return true;
    return false;
}

bool model_is_true(const process *p, const weir_value *source, weir_str definition) {
    for (size_t i = p->items.count; i-- > 0;)
        if (fits(p, source, definition, i)) return weir_value_truth(p->items.items[i].value);
    return false;
}

/* Any of them true suffices. */
static bool may_run(const process *p, weir_str name, const weir_value *operation) {
    const weir_value *wires = model_at(p->flow, "flow", name);
    const weir_value *sources = weir_member_named(wires, "conditions");
    const weir_value *definitions = weir_member_named(operation, "conditions");
    size_t count = sources ? weir_value_count(sources) : 0;
    for (size_t i = 0; i < count; i++)
        if (model_is_true(p, weir_array_at(sources, i),
                          weir_string_get(weir_array_at(definitions, i))))
            return true;
    return !count;
}

/* --- making parameter sets ------------------------------------------------------------------------ */

void model_log_set(process *p, const work *w, bool task) {
    weir_buffer line = {0};
    if (!p->model->end) return;
    weir_buffer_printf(&line, "%.*s ", WEIR_ARG(w->name));
    canonical_value(w->parameters, &line);
    text_list_add(&p->model->end->sets, w->name);
    if (task) text_list_add(&p->model->end->tasks, weir_buffer_str(&line));
    weir_buffer_deinit(&line);
}

static bool is_call(const process *p, const work *w, weir_str operation) {
    const weir_value *retry = weir_member_named(w->operation, "retry");
    bool locked = false;
    for (size_t i = 0; i < w->parent_count; i++) locked |= p->items.items[w->parents[i]].locked;
    return operations_is_call(operation) && !locked && !(retry && weir_int_get(retry) > 1) &&
           !weir_member_named(w->operation, "timeout_us");
}

/* The sets that it gives before it fails. */
static weir_value *keep_sets(const struct known_course *c, weir_str operation, uint64_t identity) {
    weir_value *kept = weir_array_new();
    size_t keep = 0;
    if (weir_str_is(operation, "stream"))
        keep = virtual_sets_before_failing(identity, (uint32_t)weir_value_count(c->sets));
    for (size_t i = 0; i < keep; i++)
        weir_array_append(kept, weir_value_ref(weir_array_at(c->sets, i)));
    return kept;
}

/* How the operation is going to go. */
static struct known_course plan_course(const process *p, const work *w, weir_str operation,
                                       bool call) {
    const weir_value *config = model_at(p->flow, "configs", w->name);
    const scenario *s = p->model->scenario;
    weir_value *none = weir_object_new();
    uint64_t identity =
        virtual_identity(s->seed, w->name, w->parameters, config ? config : none, 0);
    struct known_course c = {.sets = operations_sets(operation, w->parameters, config),
                             .fails = !call && virtual_is_hopeless(identity, s->may_fail)};
    if (c.fails) {
        weir_value *kept = keep_sets(&c, operation, identity);
        weir_value_unref(c.sets);
        c.sets = kept;
    }
    weir_value_unref(none);
    return c;
}

static void begin(process *p, work *w) {
    model_memory *memory = p->model->memory;
    weir_str operation = weir_member_text(w->operation, "name");
    bool call = is_call(p, w, operation), is_new;
    w->nested = weir_str_is(operation, "dffml.dataflow.run");
    if (!w->nested) {
        uint64_t what = weir_hash(w->name.data, w->name.length) + call;
        what = chance_mix(what) ^ canonical_hash(w->parameters);
        uint64_t at = number_map_take(&memory->known, what, memory->courses.count, &is_new);
        if (is_new) *weir_vector_push(&memory->courses) = plan_course(p, w, operation, call);
        w->sets = weir_value_ref(memory->courses.items[at].sets);
        w->fails = memory->courses.items[at].fails;
    }
    model_log_set(p, w, !call && !w->nested);
    *weir_vector_push(&p->works) = w;
}

/* The same in every order. */
static uint64_t what_is(const process *p, const made_set *set, size_t count) {
    uint64_t what = (uintptr_t)set->operation;
    for (size_t i = 0; i < count; i++)
        what = chance_mix(what) ^
               (set->inputs[i] == DEFAULT ? 1 : p->items.items[set->inputs[i]].what);
    return chance_mix(what);
}

void model_make_set(process *p, weir_str name, const weir_value *operation, const uint32_t *inputs,
                    size_t count) {
    made_set set = {.operation = operation};
    memcpy(set.inputs, inputs, count * sizeof *inputs);
    set.what = what_is(p, &set, count);
    for (size_t i = 0; i < p->made.count; i++)
        if (p->made.items[i].operation == operation &&
            memcmp(p->made.items[i].inputs, inputs, count * sizeof *inputs) == 0)
            return;
    *weir_vector_push(&p->made) = set;
    work *w = weir_alloc(sizeof *w);
    *w = (work){
        .operation = operation, .name = name, .parameters = weir_object_new(), .what = set.what};
    const weir_value *parameters = weir_member_named(operation, "inputs");
    for (size_t i = 0; i < count; i++) {
        weir_str definition = weir_string_get(weir_object_at(parameters, i));
        const weir_value *value =
            inputs[i] == DEFAULT
                ? weir_member_named(model_at(p->flow, "definitions", definition), "default")
                : p->items.items[inputs[i]].value;
        weir_member_set(w->parameters, weir_object_key(parameters, i),
                        weir_value_ref((weir_value *)value));
        if (inputs[i] != DEFAULT) w->parents[w->parent_count++] = inputs[i];
    }
    begin(p, w);
}

enum { PLACES_MAX = 1024 };

/* What a parameter of an operation may be: places of inputs, or DEFAULT. */
typedef struct choice {
    uint32_t places[PLACES_MAX];
    size_t count;
} choice;

static void find_places(const process *p, weir_str name, const weir_value *parameters, size_t at,
                        choice *out) {
    weir_str definition = weir_string_get(weir_object_at(parameters, at));
    const weir_value *wires = weir_member_named(model_at(p->flow, "flow", name), "inputs");
    const weir_value *sources = weir_member(wires, weir_object_key(parameters, at));
    weir_assert(p->items.count <= PLACES_MAX);
    out->count = 0;
    for (uint32_t i = 0; i < p->items.count; i++)
        if (reads(p, sources, definition, i)) out->places[out->count++] = i;
    bool defaulted = weir_member_named(model_at(p->flow, "definitions", definition), "default");
    if (!out->count && defaulted) out->places[out->count++] = DEFAULT;
}

/* Every combination; what was made before is not made again. */
static void make_sets(process *p, weir_str name, const weir_value *operation, const choice *choices,
                      uint32_t *inputs, size_t at) {
    if (at == weir_value_count(weir_member_named(operation, "inputs"))) {
        model_make_set(p, name, operation, inputs, at);
        return;
    }
    for (size_t i = 0; i < choices[at].count; i++) {
        inputs[at] = choices[at].places[i];
        make_sets(p, name, operation, choices, inputs, at + 1);
    }
}

static void fire(process *p, weir_str name, const weir_value *operation) {
    choice choices[PARAMETERS_MAX];
    uint32_t inputs[PARAMETERS_MAX];
    const weir_value *parameters = weir_member_named(operation, "inputs");
    size_t count = weir_value_count(parameters);
    weir_assert(count <= PARAMETERS_MAX);
    for (size_t i = 0; i < count; i++) find_places(p, name, parameters, i, &choices[i]);
    make_sets(p, name, operation, choices, inputs, 0);
}

void model_fire(process *p) {
    const weir_value *operations = weir_member_named(p->flow, "operations");
    for (size_t i = 0; i < weir_value_count(operations); i++) {
        const weir_value *operation = weir_object_at(operations, i);
        weir_str stage = weir_member_text(operation, "stage");
        if (!weir_str_is(stage.length ? stage : WEIR_STR("processing"), p->stage) ||
            weir_member_named(operation, "validator") ||
            !may_run(p, weir_object_key(operations, i), operation))
            continue;
        fire(p, weir_object_key(operations, i), operation);
    }
}

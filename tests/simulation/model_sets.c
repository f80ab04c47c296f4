/* The model: which operations may run, and with which parameter sets. */
#include "base/map.h"
#include "canonical.h"
#include "model_internal.h"
#include "operations.h"
#include "simulation.h"
#include "virtual_executor.h"

enum { PARAMETERS_MAX = 4 };
#define DEFAULT UINT32_MAX

/* --- texts ---------------------------------------------------------------------------------------- */

char *model_origin(weir_str instance, weir_str output) {
    weir_buffer text = {0};
    weir_buffer_printf(&text, "%.*s/%.*s", WEIR_ARG(instance), WEIR_ARG(output));
    return text.data;
}

static bool is_text(const weir_value *value, const char *text) {
    return weir_is(value, WEIR_STRING) && weir_str_is(weir_string_get(value), text);
}

/* --- who reads what ------------------------------------------------------------------------------- */

/* A source's origin: a text, or of {operation: output}. */
static bool is_origin(const weir_value *source, const char *origin) {
    if (weir_is(source, WEIR_STRING)) return is_text(source, origin);
    if (!weir_is(weir_object_at(source, 0), WEIR_STRING))
        return weir_str_is(weir_object_key(source, 0), origin);
    char *wanted =
        model_origin(weir_object_key(source, 0), weir_string_get(weir_object_at(source, 0)));
    bool same = strcmp(wanted, origin) == 0;
    weir_free(wanted);
    return same;
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

bool model_reads(const process *p, const weir_value *sources, weir_str definition, size_t at) {
    for (size_t i = 0; i < weir_value_count(sources); i++)
        if (fits(p, weir_array_at(sources, i), definition, at)) return true;
    return false;
}

/* Any of them true suffices; of each the last value counts. */
static bool may_run(const process *p, weir_str name, const weir_value *operation) {
    const weir_value *wires = model_at(p->flow, "flow", name);
    const weir_value *sources = weir_member_named(wires, "conditions");
    const weir_value *definitions = weir_member_named(operation, "conditions");
    if (!sources || !weir_value_count(sources)) return true;
    for (size_t i = 0; i < weir_value_count(sources); i++) {
        bool truth = false;
        weir_str definition = weir_string_get(weir_array_at(definitions, i));
        for (size_t k = 0; k < p->items.count; k++)
            if (fits(p, weir_array_at(sources, i), definition, k))
                truth = weir_value_truth(p->items.items[k].value);
        if (truth) return true;
    }
    return false;
}

/* --- making parameter sets ------------------------------------------------------------------------ */

void model_log_set(process *p, const work *w, bool task) {
    weir_buffer line = {0};
    weir_buffer_printf(&line, "%.*s ", WEIR_ARG(w->name));
    canonical_value(w->parameters, &line);
    text_list_add(&p->model->end->sets, w->name);
    if (task) text_list_add(&p->model->end->tasks, weir_buffer_str(&line));
    weir_buffer_deinit(&line);
}

/* How the operation is going to go. */
static void begin(process *p, work *w) {
    const weir_value *config = model_at(p->flow, "configs", w->name);
    weir_value *none = weir_object_new();
    const scenario *s = p->model->scenario;
    weir_str operation = weir_member_text(w->operation, "name");
    const weir_value *retry = weir_member_named(w->operation, "retry");
    bool locked = false;
    for (size_t i = 0; i < w->parent_count; i++) locked |= p->items.items[w->parents[i]].locked;
    bool call = operations_is_call(operation) && !locked && !(retry && weir_int_get(retry) > 1) &&
                !weir_member_named(w->operation, "timeout_us");
    uint64_t identity =
        virtual_identity(s->seed, w->name, w->parameters, config ? config : none, 0);
    w->nested = weir_str_is(operation, "dffml.dataflow.run");
    if (!w->nested) {
        w->sets = operations_sets(operation, w->parameters, config);
        w->fails = !call && virtual_is_hopeless(identity, s->may_fail);
    }
    if (w->fails) {
        bool many = weir_str_is(operation, "stream");
        size_t keep =
            many ? virtual_sets_before_failing(identity, (uint32_t)weir_value_count(w->sets)) : 0;
        weir_value *kept = weir_array_new();
        for (size_t i = 0; i < keep; i++)
            weir_array_append(kept, weir_value_ref(weir_array_at(w->sets, i)));
        weir_value_unref(w->sets);
        w->sets = kept;
    }
    weir_value_unref(none);
    model_log_set(p, w, !call && !w->nested);
    *weir_vector_push(&p->works) = w;
}

void model_make_set(process *p, weir_str name, const weir_value *operation, const uint32_t *inputs,
                    size_t count) {
    weir_buffer key = {0};
    weir_buffer_printf(&key, "%.*s", WEIR_ARG(name));
    for (size_t i = 0; i < count; i++) weir_buffer_printf(&key, ",%d", (int)inputs[i]);
    for (size_t i = 0; i < p->made.count; i++)
        if (strcmp(p->made.items[i], key.data) == 0) {
            weir_buffer_deinit(&key);
            return;
        }
    *weir_vector_push(&p->made) = key.data;
    work *w = weir_alloc(sizeof *w);
    w->operation = operation;
    w->name = name;
    w->parameters = weir_object_new();
    w->parents = weir_alloc((count + 1) * sizeof *w->parents);
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

/* Every combination; what was made before is not made again. */
static void make_sets(process *p, weir_str name, const weir_value *operation, uint32_t *inputs,
                      size_t at) {
    const weir_value *parameters = weir_member_named(operation, "inputs");
    if (at == weir_value_count(parameters)) {
        model_make_set(p, name, operation, inputs, at);
        return;
    }
    weir_assert(at < PARAMETERS_MAX);
    weir_str definition = weir_string_get(weir_object_at(parameters, at));
    const weir_value *wires = weir_member_named(model_at(p->flow, "flow", name), "inputs");
    const weir_value *sources = weir_member(wires, weir_object_key(parameters, at));
    bool some = false;
    for (uint32_t i = 0; i < p->items.count; i++) {
        if (!model_reads(p, sources, definition, i)) continue;
        some = true;
        inputs[at] = i;
        make_sets(p, name, operation, inputs, at + 1);
    }
    if (some || !weir_member_named(model_at(p->flow, "definitions", definition), "default")) return;
    inputs[at] = DEFAULT;
    make_sets(p, name, operation, inputs, at + 1);
}

void model_fire(process *p) {
    const weir_value *operations = weir_member_named(p->flow, "operations");
    for (size_t i = 0; i < weir_value_count(operations); i++) {
        const weir_value *operation = weir_object_at(operations, i);
        weir_str stage = weir_member_text(operation, "stage");
        uint32_t inputs[PARAMETERS_MAX];
        if (!weir_str_is(stage.length ? stage : WEIR_STR("processing"), p->stage) ||
            weir_member_named(operation, "validator") ||
            !may_run(p, weir_object_key(operations, i), operation))
            continue;
        make_sets(p, weir_object_key(operations, i), operation, inputs, 0);
    }
}

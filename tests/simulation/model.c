#include "model_internal.h"
#include "simulation.h"

#include "base/map.h"
#include "canonical.h"

/* --- storing -------------------------------------------------------------------------------------- */

static uint64_t hash_of(weir_str text) {
    return weir_hash(text.data, text.length);
}

/* Another for each item of a context, so equal ones are counted. */
static uint64_t what_is(const process *p, const item *it) {
    uint64_t what = chance_mix(hash_of(it->definition)) ^ canonical_hash(it->value);
    what = chance_mix(what + it->locked) ^ hash_of(it->origin.instance);
    what = chance_mix(what + it->used_elsewhere) ^ hash_of(it->origin.output);
    for (size_t i = 0; i < it->parent_count; i++)
        what = chance_mix(what) ^ p->items.items[it->parents[i]].what;
    for (size_t i = 0; i < p->items.count; i++)
        if (p->items.items[i].what == what) what = chance_mix(what + 1);
    return what;
}

/* Takes the value over. `of`: the work that made it; NULL: none did. */
static item *store(process *p, weir_value *value, weir_str definition, origin from, const work *of,
                   item more) {
    item it = more;
    const weir_value *lock =
        weir_member_named(model_at(p->flow, "definitions", definition), "lock");
    it.value = value;
    it.definition = definition;
    it.origin = from;
    it.locked |= lock && weir_value_truth(lock);
    it.parent_count = of ? of->parent_count : 0;
    for (size_t i = 0; i < it.parent_count; i++) {
        it.parents[i] = of->parents[i];
        it.locked |= p->items.items[of->parents[i]].locked;
    }
    it.what = what_is(p, &it);
    *weir_vector_push(&p->items) = it;
    return &p->items.items[p->items.count - 1];
}

static const origin outside = {{"seed", 4}, {"", 0}};

static void validate(process *p, weir_str validator, uint32_t input) {
    const weir_value *operation = model_at(p->flow, "operations", validator);
    p->items.items[input].definition = WEIR_STR(""); /* which its `what` keeps */
    model_make_set(p, validator, operation, &input, 1);
}

/* To the contexts that run for an operation, when they are open and not at their end, and on to those within them. */
static void forward(process *p, uint32_t at) {
    const item it = p->items.items[at];
    const weir_value *book = weir_member_named(weir_member_named(p->flow, "forward"), "book");
    for (size_t i = 0; book && i < p->works.count; i++) {
        const work *w = p->works.items[i];
        bool named = model_lists(weir_member(book, w->name), it.definition);
        for (size_t k = 0; named && k < w->children.count; k++) {
            process *inner = w->children.items[k];
            if (!inner->opened || inner->done) continue;
            store(inner, weir_value_ref(it.value), it.definition, it.origin, NULL,
                  (item){.locked = it.locked});
            forward(inner, (uint32_t)inner->items.count - 1);
            model_fire(inner);
        }
    }
}

void model_give(process *p, const weir_value *inputs) {
    size_t from = p->items.count;
    for (size_t i = 0; inputs && i < weir_value_count(inputs); i++) {
        const weir_value *input = weir_array_at(inputs, i);
        weir_str definition = weir_member_text(input, "definition");
        weir_str known = WEIR_STR("");
        const weir_value *definitions = weir_member_named(p->flow, "definitions");
        for (size_t d = 0; d < weir_value_count(definitions); d++)
            if (weir_str_equal(weir_object_key(definitions, d), definition))
                known = weir_object_key(definitions, d);
        item more = {.used_elsewhere = weir_member_named(input, "same_as") != NULL};
        store(p, model_shape(p, known, weir_member_named(input, "value")), known, outside, NULL,
              more);
    }
    for (size_t i = from; i < p->items.count; i++) {
        weir_str validator = weir_member_text(
            model_at(p->flow, "definitions", p->items.items[i].definition), "validate");
        if (validator.length)
            validate(p, validator, (uint32_t)i);
        else if (!p->items.items[i].used_elsewhere)
            forward(p, (uint32_t)i);
    }
}

void model_take_set(process *p, const work *w, const weir_value *set) {
    const weir_value *outputs = weir_member_named(w->operation, "outputs");
    const weir_value *expand = weir_member_named(w->operation, "expand");
    size_t from = p->items.count;
    for (size_t i = 0; i < weir_value_count(outputs); i++) {
        weir_str key = weir_object_key(outputs, i);
        weir_str definition = weir_string_get(weir_object_at(outputs, i));
        weir_value *value = weir_member(set, key);
        origin from_here = {w->name, key};
        for (size_t k = 0; value && expand && k < weir_value_count(value); k++)
            store(p, weir_value_ref(weir_array_at(value, k)), definition, from_here, w, (item){0});
        if (value && !expand) store(p, weir_value_ref(value), definition, from_here, w, (item){0});
    }
    for (size_t i = from; i < p->items.count; i++) forward(p, (uint32_t)i);
    model_fire(p);
}

/* --- contexts ------------------------------------------------------------------------------------- */

process *model_new_process(model *m, const weir_value *flow, process *around, weir_str name) {
    process *p = weir_alloc(sizeof *p);
    p->model = m;
    p->flow = flow;
    p->around = around;
    p->name = name;
    p->stage = "processing";
    return p;
}

static void free_work(work *w) {
    for (size_t i = 0; i < w->children.count; i++) model_free_process(w->children.items[i]);
    weir_vector_deinit(&w->children);
    weir_value_unref(w->parameters);
    weir_value_unref(w->sets);
    weir_free(w);
}

void model_free_process(process *p) {
    for (size_t i = 0; i < p->items.count; i++) weir_value_unref(p->items.items[i].value);
    for (size_t i = 0; i < p->works.count; i++) free_work(p->works.items[i]);
    weir_vector_deinit(&p->items);
    weir_vector_deinit(&p->made);
    weir_vector_deinit(&p->works);
    weir_value_unref(p->inputs);
    weir_value_unref(p->result);
    weir_free(p);
}

static work *copy_work(model *m, const work *w, process *p) {
    work *copy = weir_alloc(sizeof *copy);
    *copy = *w;
    weir_value_ref(w->parameters);
    weir_value_ref(w->sets);
    memset(&copy->children, 0, sizeof copy->children);
    for (size_t i = 0; i < w->children.count; i++)
        *weir_vector_push(&copy->children) = model_copy_process(m, w->children.items[i], p);
    return copy;
}

process *model_copy_process(model *m, const process *p, process *around) {
    process *copy = weir_alloc(sizeof *copy);
    *copy = *p;
    copy->model = m;
    copy->around = around;
    memset(&copy->items, 0, sizeof copy->items);
    memset(&copy->made, 0, sizeof copy->made);
    memset(&copy->works, 0, sizeof copy->works);
    weir_value_ref(p->inputs);
    weir_value_ref(p->result);
    weir_vector_append(&copy->items, p->items.items, p->items.count);
    weir_vector_append(&copy->made, p->made.items, p->made.count);
    for (size_t i = 0; i < p->items.count; i++) weir_value_ref(p->items.items[i].value);
    for (size_t i = 0; i < p->works.count; i++)
        *weir_vector_push(&copy->works) = copy_work(m, p->works.items[i], copy);
    return copy;
}

void model_open(process *p) {
    p->opened = true;
    model_give(p, p->inputs);
    model_give(p, weir_member_named(p->flow, "seed"));
    model_fire(p);
}

void model_drop_work(process *p, size_t at) {
    free_work(p->works.items[at]);
    memmove(p->works.items + at, p->works.items + at + 1,
            (--p->works.count - at) * sizeof *p->works.items);
}

void model_fail(process *p) {
    bool counts = p->model->scenario->strict || p->around || strcmp(p->stage, "cleanup") == 0;
    if (counts) p->failed = p->done = true;
}

/* --- the end of a context ------------------------------------------------------------------------- */

static weir_value *remap(process *p, weir_str name, const weir_value *spec) {
    const weir_value *flow = weir_member_named(model_at(p->flow, "configs", name), "dataflow");
    const weir_value *inner = weir_member_named(flow, "seed");
    weir_value *found =
        model_output(p, WEIR_STR("get_multi"), weir_member_named(weir_array_at(inner, 0), "value"),
                     NULL, &p->items);
    if (p->model->end) text_list_add(&p->model->end->sets, WEIR_STR("get"));
    weir_value *path = weir_object_at(spec, 0), *outputs = NULL;
    weir_value *part = found ? weir_member(found, weir_string_get(weir_array_at(path, 0))) : NULL;
    if (part) {
        outputs = weir_object_new();
        weir_member_set(outputs, weir_object_key(spec, 0), weir_value_ref(part));
    }
    weir_value_unref(found);
    return outputs;
}

static void output(process *p) {
    const weir_value *operations = weir_member_named(p->flow, "operations");
    weir_value *results = weir_object_new();
    bool over = false; /* after a failure */
    for (size_t i = 0; !over && i < weir_value_count(operations); i++) {
        const weir_value *operation = weir_object_at(operations, i);
        weir_str name = weir_object_key(operations, i),
                 spec = weir_member_text(weir_member_named(operation, "inputs"), "spec");
        if (!weir_str_is(weir_member_text(operation, "stage"), "output")) continue;
        uint32_t found[8];
        weir_assert(model_find(&p->items, spec, found) == 1);
        const weir_value *value = p->items.items[found[0]].value;
        weir_str what = weir_member_text(operation, "name");
        weir_value *outputs =
            weir_str_is(what, "remap")
                ? remap(p, name, value)
                : model_output(p, what, value, model_at(p->flow, "configs", name), &p->items);
        work w = {.name = name, .parameters = weir_object_new()};
        model_log_set(p, &w, false);
        weir_value_unref(w.parameters);
        over = !outputs;
        if (over) model_fail(p);
        if (outputs) weir_member_set(results, name, outputs);
    }
    p->result =
        weir_value_ref(weir_value_count(results) == 1 ? weir_object_at(results, 0) : results);
    weir_value_unref(results);
}

void model_leave(process *p) {
    p->done = true;
    p->stage = "cleanup";
    model_fire(p);
    while (p->works.count) {
        if (p->works.items[0]->fails) model_fail(p);
        model_drop_work(p, 0);
    }
    if (p->failed) return;
    p->stage = "output";
    output(p);
}

/* --- dataflows within ----------------------------------------------------------------------------- */

static void add_child(process *p, work *w, weir_str name, weir_value *inputs) {
    const weir_value *flow = weir_member_named(model_at(p->flow, "configs", w->name), "dataflow");
    process *inner = model_new_process(p->model, flow, p, name);
    inner->inputs = inputs;
    *weir_vector_push(&w->children) = inner;
}

void model_begin_nested(process *p, work *w) {
    w->begun = true;
    const weir_value *inputs = weir_member_named(w->operation, "inputs");
    if (weir_member_named(inputs, "inputs")) {
        const weir_value *contexts = weir_member_named(w->parameters, "inputs");
        for (size_t i = 0; i < weir_value_count(contexts); i++)
            add_child(p, w, weir_object_key(contexts, i),
                      weir_value_ref(weir_object_at(contexts, i)));
        return;
    }
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < weir_value_count(inputs); i++) {
        weir_value *input = weir_object_new();
        weir_member_put(input, "definition", weir_value_ref(weir_object_at(inputs, i)));
        weir_member_put(input, "value", weir_value_ref(weir_object_at(w->parameters, i)));
        weir_array_append(list, input);
    }
    add_child(p, w, weir_string_get(weir_object_at(w->parameters, 0)), list);
}

bool model_is_custom(const work *w) {
    return !weir_member_named(weir_member_named(w->operation, "inputs"), "inputs");
}

weir_value *model_nested_set(const work *w) {
    const weir_value *outputs = weir_member_named(w->operation, "outputs");
    weir_value *list = weir_array_new(), *set = weir_object_new();
    bool custom = model_is_custom(w);
    bool ok = true;
    for (size_t i = 0; i < w->children.count; i++) {
        const process *inner = w->children.items[i];
        ok = ok && !inner->failed;
        if (inner->failed) continue;
        weir_value *one = weir_object_new();
        weir_member_set(one, inner->name, weir_value_ref(inner->result));
        weir_array_append(list, one);
        weir_value *value = custom ? weir_member(inner->result, weir_object_key(outputs, 0)) : NULL;
        ok = ok && (!custom || value);
        if (value) weir_member_set(set, weir_object_key(outputs, 0), weir_value_ref(value));
    }
    if (!custom) weir_member_put(set, "results", weir_value_ref(list));
    weir_value_unref(list);
    if (ok) return set;
    weir_value_unref(set);
    return NULL;
}

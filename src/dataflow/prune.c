/* A dataflow without what leads to no goal, as a value. */
#include "dataflow/file.h"
#include "dataflow/goal.h"

typedef struct pruner {
    const weir__goals *goals;
    const weir_value *from; /* linked, with its flow written out */
    weir_value *out;
} pruner;

static bool runs(const pruner *p, weir_str instance, uint64_t *at) {
    return weir__instance_find(p->goals->flow, instance, at) && p->goals->wanted[*at];
}

static const weir_value *member_of(const pruner *p, const char *group, weir_str name) {
    const weir_value *all = weir_member_named(p->from, group);
    return weir_is(all, WEIR_OBJECT) ? weir_member(all, name) : NULL;
}

/* --- the flow --------------------------------------------------------------------------------------- */

/* Whether what the source names is there: a text, {instance: output, …}, or a list of one and its ancestors. */
static bool is_there(const pruner *p, const weir_value *source) {
    bool there = true;
    uint64_t at;
    if (weir_is(source, WEIR_ARRAY))
        for (size_t i = 0; i < weir_value_count(source); i++)
            there &= is_there(p, weir_array_at(source, i));
    for (size_t i = 0; weir_is(source, WEIR_OBJECT) && i < weir_value_count(source); i++)
        there &= !weir_is(weir_object_at(source, i), WEIR_STRING) ||
                 runs(p, weir_object_key(source, i), &at);
    return there;
}

static weir_value *sources_there(const pruner *p, const weir_value *sources) {
    weir_value *kept = weir_array_new();
    for (size_t i = 0; i < weir_value_count(sources); i++)
        if (is_there(p, weir_array_at(sources, i)))
            weir_array_append(kept, weir_value_ref(weir_array_at(sources, i)));
    return kept;
}

/* Only what cleans up may read from others that do not run; its conditions' makers all do. */
static weir_value *new_entry(const pruner *p, const weir_value *entry, bool narrowed) {
    weir_value *copy = weir__dataflow_copy(entry), *inputs = weir_object_new();
    const weir_value *before = weir_member_named(entry, "inputs");
    for (size_t i = 0; weir_is(before, WEIR_OBJECT) && i < weir_value_count(before); i++) {
        const weir_value *sources = weir_object_at(before, i);
        weir_member_set(inputs, weir_object_key(before, i),
                        weir_is(sources, WEIR_ARRAY) ? sources_there(p, sources)
                                                     : weir_value_ref((weir_value *)sources));
    }
    if (narrowed) {
        weir_value *seed = weir_array_new();
        weir_array_append(seed, weir_string_from(WEIR_STR("seed")));
        weir_member_put(inputs, "spec", seed);
    }
    weir_member_put(copy, "inputs", inputs);
    return copy;
}

/* --- operations that ask ------------------------------------------------------------------------------ */

/* The definition of what the operation is told to ask for, and its value, a seed. */
static void tell(pruner *p, weir_str name, weir_value *spec) {
    weir_value *seed = weir_object_new(), *definition = weir_object_new();
    weir_member_put_text(definition, "name", name);
    weir_member_put_text(definition, "primitive", WEIR_STR("array"));
    weir_member_set(weir_member_named(p->out, "definitions"), name, definition);
    weir_member_put(seed, "value", spec);
    weir_member_put_text(seed, "definition", name);
    weir_member_put_text(seed, "origin", WEIR_STR("seed"));
    weir_array_append(weir_member_named(p->out, "seed"), seed);
}

/* What it still asks for: of group_by's spec members, else items. */
static weir_value *narrow_spec(const pruner *p, uint32_t asker) {
    bool groups = weir_str_is(p->goals->flow->instances.items[asker].spec->operation, "group_by");
    weir_value *spec = groups ? weir_object_new() : weir_array_new();
    for (size_t i = 0; i < p->goals->items.count; i++) {
        const weir__goal *goal = &p->goals->items.items[i];
        if (goal->asker != asker) continue;
        bool plain = weir_is(goal->item, WEIR_STRING) &&
                     weir_str_equal(weir_string_get(goal->item), goal->key);
        weir_value *item = weir_value_ref(goal->item);
        if (!groups && !plain) {
            weir_value *renamed = weir_object_new();
            weir_member_set(renamed, goal->key, item);
            item = renamed;
        }
        if (groups)
            weir_member_set(spec, goal->key, item);
        else
            weir_array_append(spec, item);
    }
    return spec;
}

static weir_value *new_narrowed(pruner *p, uint32_t at, const weir_value *operation) {
    weir_buffer name = {0};
    weir_value *copy = weir__dataflow_copy(operation), *inputs = weir_object_new();
    weir_buffer_printf(&name, WEIR__OF_ALL "/%.*s",
                       WEIR_ARG(p->goals->flow->instances.items[at].name));
    tell(p, weir_buffer_str(&name), narrow_spec(p, at));
    weir_member_put_text(inputs, "spec", weir_buffer_str(&name));
    weir_member_put(copy, "inputs", inputs);
    weir_buffer_deinit(&name);
    return copy;
}

static weir_value *unvalidated(const weir_value *definition) {
    weir_value *copy = weir_object_new();
    for (size_t i = 0; weir_is(definition, WEIR_OBJECT) && i < weir_value_count(definition); i++)
        if (!weir_str_is(weir_object_key(definition, i), "validate"))
            weir_member_set(copy, weir_object_key(definition, i),
                            weir_value_ref(weir_object_at(definition, i)));
    return copy;
}

/* An output whose values are told from others has a definition of its own; who reads it names the output. */
static void set_apart(pruner *p, const weir__goal *goal) {
    weir_value *definitions = weir_member_named(p->out, "definitions");
    const weir__flow *flow = p->goals->flow;
    weir_value *definition =
        unvalidated(weir_member(definitions, flow->definitions.items[goal->definition].name));
    weir_member_put_text(definition, "name", goal->key);
    weir_member_set(definitions, goal->key, definition);
    const weir__instance *maker = &flow->instances.items[p->goals->makers[goal->origin]];
    weir_value *operations = weir_member_named(p->out, "operations");
    weir_value *operation = weir__dataflow_copy(weir_member(operations, maker->name));
    weir_value *outputs = weir__dataflow_copy(weir_member_named(operation, "outputs"));
    for (size_t o = 0; o < maker->outputs.count; o++)
        if (maker->outputs.items[o].origin == goal->origin)
            weir_member_put_text(outputs, maker->outputs.items[o].key.data, goal->key);
    weir_member_put(operation, "outputs", outputs);
    weir_member_set(operations, maker->name, operation);
}

/* What no output operation asks for is given as get_multi gives it. */
static void ask_for_others(pruner *p) {
    weir_value *spec = weir_array_new();
    for (size_t i = 0; i < p->goals->items.count; i++) {
        const weir__goal *goal = &p->goals->items.items[i];
        if (goal->asker != WEIR__NONE) continue;
        weir_value *item = weir_object_new();
        weir_str name = p->goals->flow->definitions.items[goal->definition].name;
        if (goal->apart) set_apart(p, goal);
        weir_member_set(item, goal->key, weir_string_from(goal->apart ? goal->key : name));
        weir_array_append(spec, item);
    }
    if (!weir_value_count(spec)) {
        weir_value_unref(spec);
        return;
    }
    tell(p, WEIR_STR(WEIR__OF_ALL), spec);
    weir_value *operation = weir_object_new(), *inputs = weir_object_new();
    weir_member_put_text(operation, "name", WEIR_STR("get_multi"));
    weir_member_put_text(inputs, "spec", WEIR_STR(WEIR__OF_ALL));
    weir_member_put(operation, "inputs", inputs);
    weir_member_put_text(operation, "stage", WEIR_STR("output"));
    weir_member_put(weir_member_named(p->out, "operations"), WEIR__OF_ALL, operation);
    weir_member_put(weir_member_named(p->out, "flow"), WEIR__OF_ALL, new_entry(p, NULL, true));
}

/* --- all of it --------------------------------------------------------------------------------------- */

/* Of definitions whose validator does not run nobody reads. */
static weir_value *new_definition(const pruner *p, weir_value *definition) {
    weir_str validator = weir_member_text(definition, "validate");
    uint64_t at;
    return validator.length && !runs(p, validator, &at) ? unvalidated(definition)
                                                        : weir_value_ref(definition);
}

static void copy_definitions(pruner *p) {
    const weir_value *definitions = weir_member_named(p->from, "definitions");
    weir_value *out = weir_object_new();
    for (size_t i = 0; weir_is(definitions, WEIR_OBJECT) && i < weir_value_count(definitions); i++)
        weir_member_set(out, weir_object_key(definitions, i),
                        new_definition(p, weir_object_at(definitions, i)));
    weir_member_put(p->out, "definitions", out);
}

static void copy_operations(pruner *p) {
    weir_value *operations = weir_object_new(), *flow = weir_object_new(),
               *configs = weir_object_new();
    const weir__flow *plan = p->goals->flow;
    weir_member_put(p->out, "operations", operations);
    weir_member_put(p->out, "flow", flow);
    weir_member_put(p->out, "configs", configs);
    for (uint32_t i = 0; i < plan->instances.count; i++) {
        weir_str name = plan->instances.items[i].name;
        bool narrowed = p->goals->narrowed[i] && !p->goals->wanted[i];
        if (!narrowed && !p->goals->wanted[i]) continue;
        const weir_value *operation = member_of(p, "operations", name),
                         *entry = member_of(p, "flow", name),
                         *config = member_of(p, "configs", name);
        weir_member_set(operations, name,
                        narrowed ? new_narrowed(p, i, operation)
                                 : weir_value_ref((weir_value *)operation));
        if (entry || narrowed) weir_member_set(flow, name, new_entry(p, entry, narrowed));
        if (config) weir_member_set(configs, name, weir_value_ref((weir_value *)config));
    }
}

static void copy_forwards(pruner *p) {
    const weir_value *forward = weir_member_named(p->from, "forward");
    const weir_value *book = weir_member_named(forward, "book");
    if (!book) book = forward;
    if (!weir_is(book, WEIR_OBJECT)) return;
    weir_value *kept = weir_object_new(), *out = weir_object_new();
    for (size_t i = 0; i < weir_value_count(book); i++) {
        uint64_t at;
        if (runs(p, weir_object_key(book, i), &at))
            weir_member_set(kept, weir_object_key(book, i),
                            weir_value_ref(weir_object_at(book, i)));
    }
    weir_member_put(out, "book", kept);
    weir_member_put(p->out, "forward", out);
}

bool weir__goals_prune(const weir__goals *goals, const weir_value *flow, weir_value **out,
                       weir_error *error) {
    weir_value *whole = NULL;
    if (!weir_dataflow_file_whole(flow, &whole, error)) return false;
    pruner p = {.goals = goals, .from = whole, .out = weir_object_new()};
    const weir_value *seed = weir_member_named(whole, "seed");
    weir_value *seeds = weir_array_new();
    for (size_t i = 0; weir_is(seed, WEIR_ARRAY) && i < weir_value_count(seed); i++)
        weir_array_append(seeds, weir_value_ref(weir_array_at(seed, i)));
    weir_member_put(p.out, "linked", weir_bool_new(true));
    copy_definitions(&p);
    weir_member_put(p.out, "seed", seeds);
    copy_operations(&p);
    copy_forwards(&p);
    ask_for_others(&p);
    weir_value_unref(whole);
    *out = p.out;
    return true;
}

/* Dataflows from one form to the other, and the flow in effect. */
#include "dataflow/file.h"

#include "base/map.h"
#include "base/vector.h"
#include "data/yaml.h"

weir_str weir__dataflow_definition_name(const weir_value *use) {
    return weir_is(use, WEIR_STRING) ? weir_string_get(use) : weir_member_text(use, "name");
}

weir_value *weir__dataflow_copy(const weir_value *object) {
    return weir_is(object, WEIR_OBJECT) ? weir_value_own(weir_value_ref((weir_value *)object))
                                        : weir_object_new();
}

/* --- every place where a definition is used -------------------------------------------------- */

/* What becomes of a use; new reference. */
typedef weir_value *change_use(void *arg, weir_value *use);

/* A list or an object of uses; anything else stays. */
static weir_value *change_uses(weir_value *uses, change_use *change, void *arg) {
    bool array = weir_is(uses, WEIR_ARRAY);
    if (!array && !weir_is(uses, WEIR_OBJECT)) return weir_value_ref(uses);
    weir_value *changed = array ? weir_array_new() : weir_object_new();
    bool same = true;
    for (size_t i = 0; i < weir_value_count(uses); i++) {
        weir_value *use = array ? weir_array_at(uses, i) : weir_object_at(uses, i);
        weir_value *next = change(arg, use);
        same = same && next == use;
        if (array)
            weir_array_append(changed, next);
        else
            weir_member_set(changed, weir_object_key(uses, i), next);
    }
    if (!same) return changed;
    weir_value_unref(changed);
    return weir_value_ref(uses);
}

static void change_member(weir_value *object, const char *name, change_use *change, void *arg) {
    weir_value *uses = weir_member_named(object, name);
    if (uses) weir_member_put(object, name, change_uses(uses, change, arg));
}

typedef struct changing {
    change_use *change;
    void *arg;
    weir_str instance;
} changing;

static weir_value *change_operation(void *arg, weir_value *operation) {
    changing *c = arg;
    if (!weir_is(operation, WEIR_OBJECT)) return weir_value_ref(operation);
    weir_value *copy = weir__dataflow_copy(operation);
    change_member(copy, "inputs", c->change, c->arg);
    change_member(copy, "outputs", c->change, c->arg);
    change_member(copy, "conditions", c->change, c->arg);
    return copy;
}

static weir_value *change_seed(void *arg, weir_value *seed) {
    changing *c = arg;
    weir_value *use = weir_member_named(seed, "definition");
    weir_value *changed = use ? c->change(c->arg, use) : NULL;
    if (!changed || changed == use) {
        weir_value_unref(changed);
        return weir_value_ref(seed);
    }
    weir_value *copy = weir__dataflow_copy(seed);
    weir_member_put(copy, "definition", changed);
    return copy;
}

static weir_value *change_list(void *arg, weir_value *list) {
    changing *c = arg;
    return change_uses(list, c->change, c->arg);
}

/* Changes every use in the dataflow, in the order in which a reader meets them. */
static void change_dataflow(weir_value *flow, change_use *change, void *arg) {
    changing c = {.change = change, .arg = arg};
    change_member(flow, "operations", change_operation, &c);
    change_member(flow, "seed", change_seed, &c);
    weir_value *forward = weir_member_named(flow, "forward");
    if (!weir_is(weir_member_named(forward, "book"), WEIR_OBJECT)) return;
    weir_value *copy = weir__dataflow_copy(forward);
    change_member(copy, "book", change_list, &c);
    weir_member_put(flow, "forward", copy);
}

/* --- dataflows within ------------------------------------------------------------------------ */

typedef weir_value *change_flow(const weir_value *flow);

static weir_value *change_config(void *arg, weir_value *config) {
    weir_value *inner = weir_member_named(config, "dataflow");
    if (!weir_is(inner, WEIR_OBJECT)) return weir_value_ref(config);
    weir_value *copy = weir__dataflow_copy(config);
    weir_member_put(copy, "dataflow", (*(change_flow **)arg)(inner));
    return copy;
}

/* Changes the dataflows in the configurations of `flow`. */
static void change_inner(weir_value *flow, change_flow *change) {
    change_member(flow, "configs", change_config, &change);
}

/* --- link ------------------------------------------------------------------------------------ */

static weir_value *named(weir_str name, weir_value *definition) {
    if (!weir_is(definition, WEIR_OBJECT) ||
        weir_str_equal(weir_member_text(definition, "name"), name))
        return weir_value_ref(definition);
    weir_value *copy = weir_object_new();
    weir_member_put_text(copy, "name", name);
    for (size_t i = 0; i < weir_value_count(definition); i++)
        if (!weir_str_is(weir_object_key(definition, i), "name"))
            weir_member_set(copy, weir_object_key(definition, i),
                            weir_value_ref(weir_object_at(definition, i)));
    return copy;
}

/* A whole definition goes to the others; its name stays. */
static weir_value *link_use(void *definitions, weir_value *use) {
    weir_str name = weir__dataflow_definition_name(use);
    if (!weir_is(use, WEIR_OBJECT) || !name.length) return weir_value_ref(use);
    if (!weir_member(definitions, name)) weir_member_set(definitions, name, weir_value_ref(use));
    return weir_string_from(name);
}

static void name_operations(weir_value *flow) {
    const weir_value *operations = weir_member_named(flow, "operations");
    if (!weir_is(operations, WEIR_OBJECT)) return;
    weir_value *all = weir_object_new();
    for (size_t i = 0; i < weir_value_count(operations); i++) {
        weir_str instance = weir_object_key(operations, i);
        weir_value *operation = weir_object_at(operations, i);
        bool repeats = weir_str_equal(weir_member_text(operation, "instance_name"), instance) &&
                       weir_member_named(operation, "instance_name");
        if (!weir_is(operation, WEIR_OBJECT) ||
            (!repeats && weir_member_named(operation, "name"))) {
            weir_member_set(all, instance, weir_value_ref(operation));
            continue;
        }
        weir_value *copy = weir_object_new();
        if (!weir_member_named(operation, "name")) weir_member_put_text(copy, "name", instance);
        for (size_t m = 0; m < weir_value_count(operation); m++)
            if (!repeats || !weir_str_is(weir_object_key(operation, m), "instance_name"))
                weir_member_set(copy, weir_object_key(operation, m),
                                weir_value_ref(weir_object_at(operation, m)));
        weir_member_set(all, instance, copy);
    }
    weir_member_put(flow, "operations", all);
}

weir_value *weir_dataflow_file_link(const weir_value *flow) {
    if (!weir_is(flow, WEIR_OBJECT)) return weir_value_ref((weir_value *)flow);
    weir_value *linked = weir__dataflow_copy(flow);
    weir_value *given = weir_member_named(flow, "definitions"), *definitions = weir_object_new();
    for (size_t i = 0; weir_is(given, WEIR_OBJECT) && i < weir_value_count(given); i++)
        weir_member_set(definitions, weir_object_key(given, i),
                        named(weir_object_key(given, i), weir_object_at(given, i)));
    name_operations(linked);
    change_dataflow(linked, link_use, definitions);
    change_inner(linked, weir_dataflow_file_link);
    weir_member_put(linked, "linked", weir_bool_new(true));
    if (!given || weir_is(given, WEIR_OBJECT))
        weir_member_put(linked, "definitions", definitions);
    else
        weir_value_unref(definitions);
    return linked;
}

/* --- unlink ---------------------------------------------------------------------------------- */

typedef struct nesting {
    const weir_value *definitions;
    weir_map used;
} nesting;

static weir_value *nest_use(void *arg, weir_value *use) {
    nesting *n = arg;
    weir_value *definition = weir_is(n->definitions, WEIR_OBJECT) && weir_is(use, WEIR_STRING)
                                 ? weir_member(n->definitions, weir_string_get(use))
                                 : NULL;
    if (!weir_is(definition, WEIR_OBJECT)) return weir_value_ref(use);
    weir_map_set(&n->used, weir_string_get(use), 1);
    return weir_value_ref(definition);
}

static weir_value *without(const weir_value *object, const char *first, const char *second) {
    weir_value *rest = weir_object_new();
    for (size_t i = 0; i < weir_value_count(object); i++) {
        weir_str key = weir_object_key(object, i);
        if (!weir_str_is(key, first) && !weir_str_is(key, second))
            weir_member_set(rest, key, weir_value_ref(weir_object_at(object, i)));
    }
    return rest;
}

weir_value *weir_dataflow_file_unlink(const weir_value *flow) {
    if (!weir_is(flow, WEIR_OBJECT)) return weir_value_ref((weir_value *)flow);
    weir_value *linked = weir_dataflow_file_link(flow);
    weir_value *definitions = weir_member_named(linked, "definitions");
    nesting n = {.definitions = definitions};
    weir_value *nested = without(linked, "linked", "definitions");
    change_dataflow(nested, nest_use, &n);
    change_inner(nested, weir_dataflow_file_unlink);
    if (weir_is(definitions, WEIR_OBJECT)) {
        weir_value *unused = weir_object_new();
        for (size_t i = 0; i < weir_value_count(definitions); i++)
            if (!weir_map_get(&n.used, weir_object_key(definitions, i), NULL))
                weir_member_set(unused, weir_object_key(definitions, i),
                                weir_value_ref(weir_object_at(definitions, i)));
        if (weir_value_count(unused))
            weir_member_put(nested, "definitions", unused);
        else
            weir_value_unref(unused);
    } else if (definitions) {
        weir_member_put(nested, "definitions", weir_value_ref(definitions));
    }
    weir_map_deinit(&n.used);
    weir_value_unref(linked);
    return nested;
}

/* --- the flow in effect ---------------------------------------------------------------------- */

/* The outputs that make each definition: sources, in the order of the operations. */
typedef struct makers {
    weir_map places; /* from a definition's name to its place in `sources` */
    WEIR_VECTOR(weir_value *) sources;
    size_t copied; /* sources of conditions so far */
} makers;

static void find_makers(const weir_value *operations, makers *m) {
    for (size_t i = 0; i < weir_value_count(operations); i++) {
        const weir_value *outputs = weir_member_named(weir_object_at(operations, i), "outputs");
        if (!weir_is(outputs, WEIR_OBJECT)) continue;
        for (size_t o = 0; o < weir_value_count(outputs); o++) {
            weir_str definition = weir__dataflow_definition_name(weir_object_at(outputs, o));
            uint64_t at = m->sources.count;
            if (!weir_map_get(&m->places, definition, &at)) {
                weir_map_set(&m->places, definition, at);
                *weir_vector_push(&m->sources) = weir_array_new();
            }
            weir_assert(at < m->sources.count);
            weir_value *source = weir_object_new();
            weir_member_set(source, weir_object_key(operations, i),
                            weir_string_from(weir_object_key(outputs, o)));
            weir_array_append(m->sources.items[at], source);
        }
    }
}

static weir_value *sources_of(const makers *m, const weir_value *use) {
    uint64_t at;
    if (!weir_map_get(&m->places, weir__dataflow_definition_name(use), &at)) return NULL;
    weir_assert(at < m->sources.count);
    return m->sources.items[at];
}

static weir_value *from_seed(void) {
    weir_value *seed = weir_array_new();
    weir_array_append(seed, weir_string_from(WEIR_STR("seed")));
    return seed;
}

/* What one condition reads from is shared, as what inputs read from is; that of several is put together. */
static weir_value *auto_conditions(const weir_value *conditions, makers *m) {
    size_t count = weir_is(conditions, WEIR_ARRAY) ? weir_value_count(conditions) : 0;
    weir_value *only = count == 1 ? sources_of(m, weir_array_at(conditions, 0)) : NULL;
    if (only) return weir_value_ref(only);
    weir_value *all = weir_array_new();
    for (size_t i = 0; i < count; i++) {
        const weir_value *sources = sources_of(m, weir_array_at(conditions, i));
        if (!sources) {
            weir_value_unref(all);
            all = from_seed();
        }
        for (size_t s = 0; sources && s < weir_value_count(sources); s++)
            if (m->copied++ < WEIR_DATAFLOW_SOURCES_MAX)
                weir_array_append(all, weir_value_ref(weir_array_at(sources, s)));
            else
                return all;
    }
    return all;
}

static weir_value *auto_entry(const weir_value *operation, makers *m) {
    weir_value *entry = weir_object_new(), *inputs = weir_object_new();
    const weir_value *ports = weir_member_named(operation, "inputs");
    for (size_t i = 0; weir_is(ports, WEIR_OBJECT) && i < weir_value_count(ports); i++) {
        weir_value *sources = sources_of(m, weir_object_at(ports, i));
        weir_member_set(inputs, weir_object_key(ports, i),
                        sources ? weir_value_ref(sources) : from_seed());
    }
    weir_member_put(entry, "inputs", inputs);
    weir_value *conditions = auto_conditions(weir_member_named(operation, "conditions"), m);
    if (weir_value_count(conditions))
        weir_member_put(entry, "conditions", conditions);
    else
        weir_value_unref(conditions);
    return entry;
}

weir_value *weir_dataflow_file_auto_flow(const weir_value *linked) {
    weir_value *flow = weir_object_new();
    const weir_value *operations = weir_member_named(linked, "operations");
    if (!weir_is(operations, WEIR_OBJECT)) return flow;
    makers m = {0};
    find_makers(operations, &m);
    for (size_t i = 0; i < weir_value_count(operations); i++)
        if (weir_is(weir_object_at(operations, i), WEIR_OBJECT))
            weir_member_set(flow, weir_object_key(operations, i),
                            auto_entry(weir_object_at(operations, i), &m));
    for (size_t i = 0; i < m.sources.count; i++) weir_value_unref(m.sources.items[i]);
    weir_vector_deinit(&m.sources);
    weir_map_deinit(&m.places);
    if (m.copied <= WEIR_DATAFLOW_SOURCES_MAX) return flow;
    weir_value_unref(flow);
    return NULL;
}

/* NULL in the place of a flow that is too large would be forgotten on the way out: it is null there. */
static weir_value *write_flow(const weir_value *linked) {
    weir_value *whole = weir__dataflow_copy(linked);
    if (!weir_member_named(whole, "flow")) {
        weir_value *flow = weir_dataflow_file_auto_flow(whole);
        weir_member_put(whole, "flow", flow ? flow : weir_null_new());
    }
    change_inner(whole, write_flow);
    return whole;
}

static bool has_flow(const weir_value *whole) {
    if (weir_is(weir_member_named(whole, "flow"), WEIR_NULL)) return false;
    const weir_value *configs = weir_member_named(whole, "configs");
    for (size_t i = 0; weir_is(configs, WEIR_OBJECT) && i < weir_value_count(configs); i++) {
        const weir_value *inner = weir_member_named(weir_object_at(configs, i), "dataflow");
        if (weir_is(inner, WEIR_OBJECT) && !has_flow(inner)) return false;
    }
    return true;
}

bool weir_dataflow_file_whole(const weir_value *flow, weir_value **out, weir_error *error) {
    weir_value *linked = weir_dataflow_file_link(flow);
    if (!weir_is(linked, WEIR_OBJECT)) {
        weir_value_unref(linked);
        return weir_fail(error, WEIR_INVALID, "a dataflow is an object");
    }
    weir_value *whole = write_flow(linked);
    weir_value_unref(linked);
    if (has_flow(whole)) {
        *out = whole;
        return true;
    }
    weir_value_unref(whole);
    return weir_fail(error, WEIR_LIMIT, "its conditions read from more than %d sources",
                     WEIR_DATAFLOW_SOURCES_MAX);
}

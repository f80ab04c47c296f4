/* Wiring: who reads inputs of which origin, from the flow as written or by auto flow. */
#include "dataflow/plan_internal.h"

enum { ANCESTORS_MAX = 64 /* in one source */ };

/* --- sources -------------------------------------------------------------------------------- */

static bool same_consumer(const weir__flow *flow, const weir__consumer *a,
                          const weir__consumer *b) {
    if (a->slot != b->slot || a->definition != b->definition || a->condition != b->condition ||
        a->ancestor_count != b->ancestor_count)
        return false;
    for (uint32_t i = 0; i < a->ancestor_count; i++)
        if (flow->ancestors.items[a->ancestors + i] != flow->ancestors.items[b->ancestors + i])
            return false;
    return true;
}

/* A source that is named twice is one source. What an instance reads of an origin stands together. A validator reads
 * nothing: it is given what it is to look at. */
static void consume(weir__flow *flow, uint32_t origin, weir__consumer consumer) {
    if (flow->instances.items[consumer.instance].validator && !consumer.condition) return;
    const weir__origin *from = &flow->origins.items[origin];
    for (size_t i = from->consumers.count; i-- > 0;) {
        const weir__consumer *known = &from->consumers.items[i];
        if (known->instance != consumer.instance) break;
        if (same_consumer(flow, known, &consumer)) return;
    }
    if (!from->consumers.items)
        weir_vector_reserve_exact(&flow->origins.items[origin].consumers, 1);
    *weir_vector_push(&flow->origins.items[origin].consumers) = consumer;
}

static void flow_problem(weir__compiler *c, weir_str instance, weir_code code, const char *what,
                         weir_str name) {
    weir_buffer path = {0};
    weir_path_append(&path, WEIR_STR("flow"));
    weir_path_append(&path, instance);
    weir__dataflow_problem(c, instance, WEIR_STR(""), path.data, code, "flow of `%.*s`: %s `%.*s`",
                           WEIR_ARG(instance), what, WEIR_ARG(name));
    weir_buffer_deinit(&path);
}

/* A source that names nothing. As DFFML has it, nothing comes from there; in a pipeline, which is none of DFFML's, it is an
 * error. */
static weir_code gravity(const weir__compiler *c) {
    return c->plan->pipeline ? WEIR_INVALID : WEIR_OK;
}

/* A source {"maker": "key"} that there is not. */
static void no_output(weir__compiler *c, weir_str instance, weir_str maker, weir_str key) {
    uint64_t at;
    if (!weir__instance_find(c->flow, maker, &at)) {
        flow_problem(c, instance, gravity(c), "there is no operation", maker);
        weir__dataflow_hint_instance(c, maker);
        return;
    }
    flow_problem(c, instance, gravity(c), "there is no output", key);
    weir__dataflow_hint_output(c, &c->flow->instances.items[at], key);
}

/* {"origin": ["definition", …]}: inputs of other definitions than the parameter's. */
static void compile_alternates(weir__compiler *c, weir_str instance, weir_str origin,
                               const weir_value *names, weir__consumer consumer) {
    for (size_t i = 0; i < weir_value_count(names); i++) {
        const weir_value *name = weir_array_at(names, i);
        uint64_t definition;
        if (!weir_is(name, WEIR_STRING) ||
            !weir__definition_find(c->flow, weir_string_get(name), &definition)) {
            flow_problem(c, instance, c->plan->pipeline ? WEIR_UNKNOWN_DEFINITION : WEIR_OK,
                         "unknown alternate of", origin);
            continue;
        }
        consumer.definition = (uint32_t)definition;
        consume(c->flow, weir__dataflow_origin(c, origin), consumer);
    }
}

/* {"instance": "output"}, or {"origin": alternates}. */
static void compile_member(weir__compiler *c, weir_str instance, weir_str key,
                           const weir_value *item, weir__consumer consumer) {
    uint32_t origin;
    if (weir_is(item, WEIR_ARRAY)) {
        compile_alternates(c, instance, key, item, consumer);
    } else if (!weir_is(item, WEIR_STRING)) {
        flow_problem(c, instance, WEIR_INVALID, "a source is no output and no list of definitions,",
                     key);
    } else if (!weir__output_find(c->flow, key, weir_string_get(item), &origin)) {
        no_output(c, instance, key, weir_string_get(item));
    } else {
        consumer.definition = c->flow->origins.items[origin].definition;
        consume(c->flow, origin, consumer);
    }
}

/* One source without ancestors: a text, or an object, each member of which is one. */
static void compile_source_item(weir__compiler *c, weir_str instance, const weir_value *value,
                                weir__consumer consumer) {
    if (weir_is(value, WEIR_STRING)) {
        consume(c->flow, weir__dataflow_origin(c, weir_string_get(value)), consumer);
        return;
    }
    size_t count = weir_is(value, WEIR_OBJECT) ? weir_value_count(value) : 0;
    if (!count || (count > 1 && consumer.ancestor_count))
        flow_problem(c, instance, WEIR_INVALID, "a source is no text or object of one member,",
                     instance);
    for (size_t i = 0; i < count && (count == 1 || !consumer.ancestor_count); i++)
        compile_member(c, instance, weir_object_key(value, i), weir_object_at(value, i), consumer);
}

/* The origin that an ancestor has to be of; made when nobody reads from it. */
static bool find_ancestor(weir__compiler *c, const weir_value *value, uint32_t *out) {
    if (weir_is(value, WEIR_STRING)) {
        *out = weir__dataflow_origin(c, weir_string_get(value));
        return true;
    }
    const weir_value *item = weir_is(value, WEIR_OBJECT) && weir_value_count(value) == 1
                                 ? weir_object_at(value, 0)
                                 : NULL;
    return weir_is(item, WEIR_STRING) &&
           weir__output_find(c->flow, weir_object_key(value, 0), weir_string_get(item), out);
}

/* A source, or [source, ancestor, ancestor of it, …]. */
static void compile_source(weir__compiler *c, weir_str instance, const weir_value *value,
                           weir__consumer consumer) {
    if (!weir_is(value, WEIR_ARRAY)) {
        compile_source_item(c, instance, value, consumer);
        return;
    }
    size_t count = weir_value_count(value);
    if (count == 0 || count > ANCESTORS_MAX) {
        flow_problem(c, instance, WEIR_INVALID, "a source has no or too many ancestors,", instance);
        return;
    }
    uint32_t first = (uint32_t)c->flow->ancestors.count;
    for (size_t i = 1; i < count; i++) {
        uint32_t origin;
        if (!find_ancestor(c, weir_array_at(value, i), &origin)) {
            flow_problem(c, instance, gravity(c), "there is no such origin of an ancestor,",
                         instance);
            return;
        }
        *weir_vector_push(&c->flow->ancestors) = origin;
    }
    consumer.ancestors = first;
    consumer.ancestor_count = (uint32_t)count - 1;
    compile_source_item(c, instance, weir_array_at(value, 0), consumer);
}

/* --- the flow as written -------------------------------------------------------------------- */

static void compile_conditions(weir__compiler *c, uint32_t at, const weir_value *sources) {
    weir__instance *instance = &c->flow->instances.items[at];
    if (!sources || weir_is(sources, WEIR_NULL)) return;
    if (!weir_is(sources, WEIR_ARRAY)) {
        flow_problem(c, instance->name, WEIR_INVALID, "its conditions are no list,",
                     instance->name);
        return;
    }
    instance->condition_sources = (uint32_t)weir_value_count(sources);
    for (uint32_t i = 0; i < instance->condition_sources; i++) {
        /* A text means the condition of the same index; without one, no value can match. */
        uint32_t definition =
            i < instance->conditions.count ? instance->conditions.items[i] : WEIR__NONE;
        compile_source(c, instance->name, weir_array_at(sources, i),
                       (weir__consumer){
                           .instance = at, .slot = i, .definition = definition, .condition = true});
    }
}

static void compile_written(weir__compiler *c, const weir_value *flow) {
    for (size_t i = 0; i < weir_value_count(flow); i++) {
        uint64_t at;
        weir_str name = weir_object_key(flow, i);
        const weir_value *entry = weir_object_at(flow, i);
        if (!weir__instance_find(c->flow, name, &at)) {
            flow_problem(c, name, WEIR_UNKNOWN_OPERATION, "there is no operation", name);
            weir__dataflow_hint_instance(c, name);
            continue;
        }
        weir__instance *instance = &c->flow->instances.items[at];
        instance->in_flow = true;
        const weir_value *inputs = weir_member_named(entry, "inputs");
        for (uint32_t p = 0; p < instance->parameters.count; p++) {
            const weir__parameter *parameter = &instance->parameters.items[p];
            const weir_value *sources =
                weir_is(inputs, WEIR_OBJECT) ? weir_member(inputs, parameter->name) : NULL;
            if (sources && !weir_is(sources, WEIR_ARRAY))
                flow_problem(c, name, WEIR_INVALID, "no list of sources for", parameter->name);
            for (size_t s = 0; weir_is(sources, WEIR_ARRAY) && s < weir_value_count(sources); s++)
                compile_source(c, name, weir_array_at(sources, s),
                               (weir__consumer){.instance = (uint32_t)at,
                                                .slot = p,
                                                .definition = parameter->definition});
        }
        weir__dataflow_check_flow_entry(c, instance, inputs);
        compile_conditions(c, (uint32_t)at, weir_member_named(entry, "conditions"));
    }
}

/* --- auto flow ------------------------------------------------------------------------------ */

/* The origins that make each definition, in the order of the operations: those of d are from first[d] to first[d + 1]. */
typedef struct makers {
    uint32_t *first, *origins;
} makers;

static makers find_makers(const weir__flow *flow) {
    size_t definitions = flow->definitions.count, outputs = 0;
    makers m = {.first = weir_alloc((definitions + 2) * sizeof *m.first)};
    for (size_t i = 0; i < flow->instances.count; i++) {
        const weir__instance *instance = &flow->instances.items[i];
        for (size_t o = 0; o < instance->outputs.count; o++)
            m.first[instance->outputs.items[o].definition + 2]++;
        outputs += instance->outputs.count;
    }
    /* first[d + 1] begins those of d while they are filled in. */
    for (size_t d = 2; d < definitions + 2; d++) m.first[d] += m.first[d - 1];
    m.origins = weir_alloc((outputs + 1) * sizeof *m.origins);
    for (size_t i = 0; i < flow->instances.count; i++) {
        const weir__instance *instance = &flow->instances.items[i];
        for (size_t o = 0; o < instance->outputs.count; o++) {
            const weir__output *output = &instance->outputs.items[o];
            m.origins[m.first[output->definition + 1]++] = output->origin;
        }
    }
    return m;
}

static bool is_made(const makers *m, uint32_t definition) {
    return m->first[definition + 1] > m->first[definition];
}

static void auto_conditions(weir__flow *flow, uint32_t seed, uint32_t at, const makers *m) {
    weir__instance *instance = &flow->instances.items[at];
    /* As DFFML has it: a condition that nobody makes takes the place of all before it, and reads from the seed what
     * the first condition is of. */
    size_t from = 0;
    bool from_seed = false;
    for (size_t i = 0; i < instance->conditions.count; i++) {
        if (is_made(m, instance->conditions.items[i])) continue;
        from = i + 1;
        from_seed = true;
    }
    if (from_seed)
        consume(flow, seed,
                (weir__consumer){.instance = at,
                                 .slot = instance->condition_sources++,
                                 .definition = instance->conditions.items[0],
                                 .condition = true});
    for (size_t i = from; i < instance->conditions.count; i++) {
        uint32_t definition = instance->conditions.items[i];
        for (uint32_t o = m->first[definition]; o < m->first[definition + 1]; o++)
            consume(flow, m->origins[o],
                    (weir__consumer){.instance = at,
                                     .slot = instance->condition_sources++,
                                     .definition = definition,
                                     .condition = true});
    }
}

static void compile_auto(weir__compiler *c) {
    weir__flow *flow = c->flow;
    makers m = find_makers(flow);
    uint32_t seed = weir__dataflow_origin(c, WEIR_STR("seed"));
    for (uint32_t i = 0; i < flow->instances.count; i++) {
        weir__instance *instance = &flow->instances.items[i];
        instance->in_flow = true;
        for (uint32_t p = 0; p < instance->parameters.count; p++) {
            uint32_t definition = instance->parameters.items[p].definition;
            weir__consumer consumer = {.instance = i, .slot = p, .definition = definition};
            if (!is_made(&m, definition)) consume(flow, seed, consumer);
            for (uint32_t o = m.first[definition]; o < m.first[definition + 1]; o++)
                consume(flow, m.origins[o], consumer);
        }
        auto_conditions(flow, seed, i, &m);
    }
    weir_free(m.first);
    weir_free(m.origins);
}

void weir__dataflow_compile_flow(weir__compiler *c) {
    weir__dataflow_check_members(c);
    const weir_value *flow = weir_member_named(c->value, "flow");
    if (!flow)
        compile_auto(c);
    else if (weir_is(flow, WEIR_OBJECT))
        compile_written(c, flow);
    else
        weir__dataflow_problem(c, WEIR_STR(""), WEIR_STR(""), "flow", WEIR_INVALID,
                               "`flow` is no object");
}

/* Wiring: who reads inputs of which origin, from the flow or by auto flow; and the contexts with their inputs. */
#include <stdio.h>

#include "data/json.h"
#include "dataflow/plan_internal.h"

/* --- sources -------------------------------------------------------------------------------- */

static const weir__output *find_output(const weir_dataflow_plan *plan, weir_str instance,
                                       weir_str key) {
    uint64_t at;
    if (!weir_map_get(&plan->instance_names, instance, &at)) return NULL;
    const weir__instance *maker = &plan->instances.items[at];
    for (size_t i = 0; i < maker->outputs.count; i++)
        if (weir_str_equal(maker->outputs.items[i].key, key)) return &maker->outputs.items[i];
    return NULL;
}

/* A source that is named twice is one source. What an instance reads of an origin stands together. */
static void consume(weir_dataflow_plan *plan, uint32_t origin, weir__consumer consumer) {
    const weir__origin *from = &plan->origins.items[origin];
    for (size_t i = from->consumers.count; i-- > 0;) {
        const weir__consumer *known = &from->consumers.items[i];
        if (known->instance != consumer.instance) break;
        if (known->slot == consumer.slot && known->definition == consumer.definition &&
            known->condition == consumer.condition)
            return;
    }
    *weir_vector_push(&plan->origins.items[origin].consumers) = consumer;
}

static void flow_problem(weir__compiler *c, weir_str instance, weir_code code, const char *what,
                         weir_str name) {
    weir__dataflow_problem(c, instance, WEIR_STR(""), "", code, "flow of `%.*s`: %s `%.*s`",
                           WEIR_ARG(instance), what, WEIR_ARG(name));
}

/* {"instance": "output"}, or {"origin": ["definition", …]}. */
static void compile_source_object(weir__compiler *c, weir_str instance, const weir_value *value,
                                  weir__consumer consumer) {
    weir_str key = weir_object_key(value, 0);
    const weir_value *item = weir_object_at(value, 0);
    if (weir_is(item, WEIR_STRING)) {
        const weir__output *output = find_output(c->plan, key, weir_string_get(item));
        if (!output) {
            flow_problem(c, instance, WEIR_INVALID, "there is no output", weir_string_get(item));
            return;
        }
        consumer.definition = output->definition;
        consume(c->plan, output->origin, consumer);
        return;
    }
    for (size_t i = 0; weir_is(item, WEIR_ARRAY) && i < weir_value_count(item); i++) {
        const weir_value *name = weir_array_at(item, i);
        uint64_t definition;
        if (!weir_is(name, WEIR_STRING) ||
            !weir_map_get(&c->plan->definition_names, weir_string_get(name), &definition)) {
            flow_problem(c, instance, WEIR_UNKNOWN_DEFINITION, "unknown alternate of", key);
            continue;
        }
        consumer.definition = (uint32_t)definition;
        consume(c->plan, weir__dataflow_origin(c->plan, key), consumer);
    }
}

static void compile_source(weir__compiler *c, weir_str instance, const weir_value *value,
                           weir__consumer consumer) {
    if (weir_is(value, WEIR_ARRAY) && weir_value_count(value) == 1) value = weir_array_at(value, 0);
    if (weir_is(value, WEIR_STRING))
        consume(c->plan, weir__dataflow_origin(c->plan, weir_string_get(value)), consumer);
    else if (weir_is(value, WEIR_OBJECT) && weir_value_count(value) == 1)
        compile_source_object(c, instance, value, consumer);
    else if (weir_is(value, WEIR_ARRAY))
        flow_problem(c, instance, WEIR_UNSUPPORTED, "ancestor lists are not supported yet,",
                     instance);
    else
        flow_problem(c, instance, WEIR_INVALID, "a source is no text or object of one member,",
                     instance);
}

/* --- the flow as written -------------------------------------------------------------------- */

static void compile_conditions(weir__compiler *c, uint32_t at, const weir_value *sources) {
    weir__instance *instance = &c->plan->instances.items[at];
    if (!sources) return;
    if (!weir_is(sources, WEIR_ARRAY)) {
        flow_problem(c, instance->name, WEIR_INVALID, "its conditions are no list,",
                     instance->name);
        return;
    }
    instance->condition_sources = (uint32_t)weir_value_count(sources);
    for (uint32_t i = 0; i < instance->condition_sources; i++) {
        /* A text means the condition of the same index; without one, no value can match. */
        uint32_t definition =
            i < instance->conditions.count ? instance->conditions.items[i] : UINT32_MAX;
        compile_source(c, instance->name, weir_array_at(sources, i),
                       (weir__consumer){at, i, definition, true});
    }
}

static bool has_parameter(const weir__instance *instance, weir_str name) {
    for (size_t p = 0; p < instance->parameters.count; p++)
        if (weir_str_equal(instance->parameters.items[p].name, name)) return true;
    return false;
}

static void compile_written(weir__compiler *c, const weir_value *flow) {
    for (size_t i = 0; i < weir_value_count(flow); i++) {
        uint64_t at;
        weir_str name = weir_object_key(flow, i);
        const weir_value *entry = weir_object_at(flow, i);
        if (!weir_map_get(&c->plan->instance_names, name, &at)) {
            weir__dataflow_problem(c, WEIR_STR(""), WEIR_STR(""), "flow", WEIR_UNKNOWN_OPERATION,
                                   "flow: there is no operation `%.*s`", WEIR_ARG(name));
            continue;
        }
        weir__instance *instance = &c->plan->instances.items[at];
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
                               (weir__consumer){(uint32_t)at, p, parameter->definition, false});
        }
        for (size_t k = 0; weir_is(inputs, WEIR_OBJECT) && k < weir_value_count(inputs); k++)
            if (!has_parameter(instance, weir_object_key(inputs, k)))
                flow_problem(c, name, WEIR_INVALID, "there is no parameter",
                             weir_object_key(inputs, k));
        compile_conditions(c, (uint32_t)at, weir_member_named(entry, "conditions"));
    }
}

/* --- auto flow ------------------------------------------------------------------------------ */

/* The origins that make each definition, in the order of the operations. */
typedef struct makers {
    WEIR_VECTOR(uint32_t) * of;
} makers;

static void auto_conditions(weir_dataflow_plan *plan, uint32_t at, const makers *m) {
    weir__instance *instance = &plan->instances.items[at];
    uint32_t seed = weir__dataflow_origin(plan, WEIR_STR("seed"));
    /* As DFFML has it: a condition that nobody makes takes the place of all before it, and reads from the seed what
     * the first condition is of. */
    size_t from = 0;
    bool from_seed = false;
    for (size_t i = 0; i < instance->conditions.count; i++) {
        if (m->of[instance->conditions.items[i]].count) continue;
        from = i + 1;
        from_seed = true;
    }
    if (from_seed)
        consume(plan, seed,
                (weir__consumer){at, instance->condition_sources++, instance->conditions.items[0],
                                 true});
    for (size_t i = from; i < instance->conditions.count; i++) {
        uint32_t definition = instance->conditions.items[i];
        for (size_t o = 0; o < m->of[definition].count; o++)
            consume(plan, m->of[definition].items[o],
                    (weir__consumer){at, instance->condition_sources++, definition, true});
    }
}

static void compile_auto(weir_dataflow_plan *plan) {
    makers m = {weir_alloc((plan->definitions.count + 1) * sizeof *m.of)};
    for (size_t i = 0; i < plan->instances.count; i++)
        for (size_t o = 0; o < plan->instances.items[i].outputs.count; o++) {
            const weir__output *output = &plan->instances.items[i].outputs.items[o];
            *weir_vector_push(&m.of[output->definition]) = output->origin;
        }
    uint32_t seed = weir__dataflow_origin(plan, WEIR_STR("seed"));
    for (uint32_t i = 0; i < plan->instances.count; i++) {
        weir__instance *instance = &plan->instances.items[i];
        instance->in_flow = true;
        for (uint32_t p = 0; p < instance->parameters.count; p++) {
            uint32_t definition = instance->parameters.items[p].definition;
            weir__consumer consumer = {i, p, definition, false};
            if (!m.of[definition].count) consume(plan, seed, consumer);
            for (size_t o = 0; o < m.of[definition].count; o++)
                consume(plan, m.of[definition].items[o], consumer);
        }
        auto_conditions(plan, i, &m);
    }
    for (size_t d = 0; d < plan->definitions.count; d++) weir_vector_deinit(&m.of[d]);
    weir_free(m.of);
}

void weir__dataflow_compile_flow(weir__compiler *c) {
    const weir_value *flow = weir_member_named(c->source->flow, "flow");
    if (!flow)
        compile_auto(c->plan);
    else if (weir_is(flow, WEIR_OBJECT))
        compile_written(c, flow);
    else
        weir__dataflow_problem(c, WEIR_STR(""), WEIR_STR(""), "flow", WEIR_INVALID,
                               "`flow` is no object");
}

/* --- contexts and their inputs -------------------------------------------------------------- */

static void input_problem(weir__compiler *c, const char *path, weir_code code, const char *what,
                          weir_str name) {
    weir__dataflow_problem(c, WEIR_STR(""), WEIR_STR(""), path, code, "%s `%.*s`", what,
                           WEIR_ARG(name));
}

static bool find_definition(weir__compiler *c, const char *path, weir_str name, uint32_t *out) {
    uint64_t at;
    if (!weir_map_get(&c->plan->definition_names, name, &at)) {
        input_problem(c, path, WEIR_UNKNOWN_DEFINITION, "an input is of unknown definition", name);
        return false;
    }
    *out = (uint32_t)at;
    return true;
}

static void add_input(weir__compiler *c, weir__context_plan *context, const char *path,
                      weir_str name, uint32_t origin, weir_value *value, bool again) {
    uint32_t definition;
    if (find_definition(c, path, name, &definition))
        *weir_vector_push(&context->inputs) =
            (weir__given){definition, origin, weir_value_ref(value), again};
}

/* NAME=VALUE: JSON when it parses and the definition's primitive is no string, else text. */
static void add_text(weir__compiler *c, weir__context_plan *context, weir_str name,
                     weir_value *text) {
    uint32_t definition;
    if (!find_definition(c, NULL, name, &definition)) return;
    weir_str primitive = c->plan->definitions.items[definition].primitive;
    weir_value *value = NULL;
    weir_error ignored;
    if (weir_str_is(primitive, "str") || weir_str_is(primitive, "string") ||
        !weir_json_parse(weir_string_get(text), WEIR_STR(""), &value, &ignored))
        value = weir_value_ref(text);
    add_input(c, context, NULL, name, weir__dataflow_origin(c->plan, WEIR_STR("seed")), value,
              false);
    weir_value_unref(value);
}

/* {value, definition, origin?, same_as?}: origin is a text or [instance, output]; same_as names an earlier input. */
static void add_entry(weir__compiler *c, weir__context_plan *context, weir_value *entry,
                      const char *path) {
    weir_value *value = weir_member_named(entry, "value");
    weir_value *definition = weir_member_named(entry, "definition");
    weir_value *origin = weir_member_named(entry, "origin");
    weir_str name = weir_is(definition, WEIR_STRING) ? weir_string_get(definition)
                                                     : weir_member_text(definition, "name");
    if (!value || !name.length) {
        input_problem(c, path, WEIR_INVALID, "an input needs `value` and `definition`, in",
                      context->name);
        return;
    }
    weir_buffer text = {0};
    bool pair = weir_is(origin, WEIR_ARRAY) && weir_value_count(origin) == 2 &&
                weir_is(weir_array_at(origin, 0), WEIR_STRING) &&
                weir_is(weir_array_at(origin, 1), WEIR_STRING);
    if (pair)
        weir__dataflow_output_origin(weir_string_get(weir_array_at(origin, 0)),
                                     weir_string_get(weir_array_at(origin, 1)), &text);
    else
        weir_buffer_str_append(&text, weir_is(origin, WEIR_STRING) ? weir_string_get(origin)
                                                                   : WEIR_STR("seed"));
    add_input(c, context, path, name, weir__dataflow_origin(c->plan, weir_buffer_str(&text)), value,
              weir_member_named(entry, "same_as") != NULL);
    weir_buffer_deinit(&text);
}

static void add_common(weir__compiler *c, weir__context_plan *context) {
    const weir_value *inputs = weir_member_named(c->request, "inputs");
    for (size_t i = 0; weir_is(inputs, WEIR_OBJECT) && i < weir_value_count(inputs); i++)
        add_input(c, context, NULL, weir_object_key(inputs, i),
                  weir__dataflow_origin(c->plan, WEIR_STR("seed")), weir_object_at(inputs, i),
                  false);
    const weir_value *texts = weir_member_named(c->request, "texts");
    for (size_t i = 0; weir_is(texts, WEIR_OBJECT) && i < weir_value_count(texts); i++)
        if (weir_is(weir_object_at(texts, i), WEIR_STRING))
            add_text(c, context, weir_object_key(texts, i), weir_object_at(texts, i));
    const weir_value *seeds = weir_member_named(c->source->flow, "seed");
    for (size_t i = 0; weir_is(seeds, WEIR_ARRAY) && i < weir_value_count(seeds); i++) {
        char path[40];
        snprintf(path, sizeof path, "seed/%zu", i);
        add_entry(c, context, weir_array_at(seeds, i), path);
    }
}

static weir__context_plan *context_named(weir_dataflow_plan *plan, weir_str name) {
    for (size_t i = 0; i < plan->contexts.count; i++)
        if (weir_str_equal(plan->contexts.items[i].name, name)) return &plan->contexts.items[i];
    weir__context_plan *context = weir_vector_push(&plan->contexts);
    *context = (weir__context_plan){.name = weir__dataflow_keep(plan, name)};
    return context;
}

static void add_named_contexts(weir__compiler *c) {
    const weir_value *contexts = weir_member_named(c->request, "contexts");
    if (contexts && !weir_is(contexts, WEIR_OBJECT))
        input_problem(c, NULL, WEIR_INVALID, "contexts are no object of", WEIR_STR("name: inputs"));
    for (size_t i = 0; weir_is(contexts, WEIR_OBJECT) && i < weir_value_count(contexts); i++) {
        weir__context_plan *context = weir_vector_push(&c->plan->contexts);
        *context = (weir__context_plan){
            .name = weir__dataflow_keep(c->plan, weir_object_key(contexts, i))};
        const weir_value *entries = weir_object_at(contexts, i);
        if (!weir_is(entries, WEIR_ARRAY))
            input_problem(c, NULL, WEIR_INVALID, "no array of inputs in context", context->name);
        for (size_t j = 0; weir_is(entries, WEIR_ARRAY) && j < weir_value_count(entries); j++)
            add_entry(c, context, weir_array_at(entries, j), NULL);
    }
    const weir_value *texts = weir_member_named(c->request, "context_texts");
    for (size_t i = 0; weir_is(texts, WEIR_OBJECT) && i < weir_value_count(texts); i++) {
        weir__context_plan *context = context_named(c->plan, weir_object_key(texts, i));
        const weir_value *members = weir_object_at(texts, i);
        for (size_t j = 0; weir_is(members, WEIR_OBJECT) && j < weir_value_count(members); j++)
            if (weir_is(weir_object_at(members, j), WEIR_STRING))
                add_text(c, context, weir_object_key(members, j), weir_object_at(members, j));
    }
}

void weir__dataflow_compile_inputs(weir__compiler *c) {
    const weir_value *contexts = weir_member_named(c->request, "contexts");
    add_named_contexts(c);
    if (!contexts && !c->plan->contexts.count) context_named(c->plan, WEIR_STR("default"));
    for (size_t i = 0; i < c->plan->contexts.count; i++) add_common(c, &c->plan->contexts.items[i]);
}

/* What follows from a flow once it is wired: who runs in which stage, and for how long inputs are needed. */
#include "dataflow/plan_internal.h"

static bool collects(const weir__instance *instance) {
    return instance->operation && (instance->operation->hints & WEIR_COLLECTS);
}

static bool only_defaults(const weir__flow *flow, const weir__instance *instance) {
    for (size_t p = 0; p < instance->parameters.count; p++)
        if (!flow->definitions.items[instance->parameters.items[p].definition].default_value)
            return false;
    return true;
}

static void list_stages(weir__flow *flow) {
    for (uint32_t i = 0; i < flow->instances.count; i++) {
        weir__instance *instance = &flow->instances.items[i];
        instance->first_condition = flow->condition_count;
        flow->condition_count += instance->condition_sources;
        instance->unary = instance->parameters.count == 1;
        if (instance->validator) continue;
        *weir_vector_push(&flow->in_stage[instance->stage]) = i;
        if (instance->stage == WEIR_STAGE_PROCESSING && only_defaults(flow, instance))
            *weir_vector_push(&flow->starters) = i;
    }
}

static void find_validators(weir__flow *flow) {
    for (size_t i = 0; i < flow->definitions.count; i++) {
        weir__definition *definition = &flow->definitions.items[i];
        uint64_t at;
        if (!definition->validate.length ||
            !weir_map_get(&flow->instance_names, definition->validate, &at) ||
            !flow->instances.items[at].validator || !flow->instances.items[at].parameters.count)
            continue;
        definition->validator = (uint32_t)at;
    }
}

/* --- what an output operation may ask for ------------------------------------------------------ */

/* Whether there is such a definition. */
static bool keep_named(weir__flow *flow, weir_str name) {
    uint64_t at;
    if (!weir_map_get(&flow->definition_names, name, &at)) return false;
    flow->definitions.items[at].kept = true;
    return true;
}

/* Any text in the value may be the name of a definition; whether one is. */
static bool keep_texts(weir__flow *flow, const weir_value *value) {
    bool object = weir_is(value, WEIR_OBJECT), some = false;
    if (weir_is(value, WEIR_STRING)) return keep_named(flow, weir_string_get(value));
    for (size_t i = 0; (object || weir_is(value, WEIR_ARRAY)) && i < weir_value_count(value); i++) {
        if (object) some |= keep_named(flow, weir_object_key(value, i));
        some |= keep_texts(flow, object ? weir_object_at(value, i) : weir_array_at(value, i));
    }
    return some;
}

/* What an operation that collects asks for: what its configuration, the seeds and the defaults of its parameters name.
 * When they name nothing, and no context may say it either, its code knows, and that may be anything. */
static void find_asked_by(weir__flow *flow, const weir__instance *instance) {
    bool named = keep_texts(flow, instance->config), later = false;
    for (size_t p = 0; p < instance->parameters.count; p++) {
        uint32_t definition = instance->parameters.items[p].definition;
        const weir_value *otherwise = flow->definitions.items[definition].default_value;
        if (otherwise) named |= keep_texts(flow, otherwise);
        bool seeded = false;
        for (size_t i = 0; i < flow->seeds.items.count; i++) {
            if (flow->seeds.items.items[i].definition != definition) continue;
            named |= keep_texts(flow, flow->seeds.items.items[i].value);
            seeded = true;
        }
        later |= !seeded && flow->definitions.items[definition].asked;
    }
    if (!named && !later) flow->keeps_all = true;
}

/* Operations that collect are told what to ask for by seeds, mostly: then all else need not be kept. */
static void find_asked(weir__flow *flow, uint32_t seed) {
    for (uint32_t o = 0; o < flow->origins.count; o++)
        for (size_t i = 0; i < flow->origins.items[o].consumers.count; i++) {
            const weir__consumer *consumer = &flow->origins.items[o].consumers.items[i];
            if (consumer->condition || !collects(&flow->instances.items[consumer->instance]))
                continue;
            if (o == seed)
                flow->definitions.items[consumer->definition].asked = true;
            else
                flow->keeps_all = true;
        }
    for (size_t i = 0; i < flow->seeds.items.count; i++)
        if (flow->definitions.items[flow->seeds.items.items[i].definition].asked)
            (void)keep_texts(flow, flow->seeds.items.items[i].value);
    for (size_t i = 0; i < flow->instances.count; i++)
        if (collects(&flow->instances.items[i])) find_asked_by(flow, &flow->instances.items[i]);
}

/* A remap's output operations ask in the context of the flow around them. */
static void adopt(weir__flow *flow, const weir__flow *inner) {
    flow->keeps_all |= inner->keeps_all;
    flow->lineage |= inner->lineage;
    for (size_t d = 0; d < inner->definitions.count; d++)
        if (inner->definitions.items[d].kept)
            (void)keep_named(flow, inner->definitions.items[d].name);
}

static void mark_consumers(weir__flow *flow) {
    for (size_t o = 0; o < flow->origins.count; o++)
        for (size_t i = 0; i < flow->origins.items[o].consumers.count; i++) {
            weir__consumer *consumer = &flow->origins.items[o].consumers.items[i];
            consumer->keeps =
                !consumer->condition && !flow->instances.items[consumer->instance].unary;
            flow->lineage |= consumer->ancestor_count > 0;
            flow->judges |= o != flow->seed_origin &&
                            (consumer->condition ||
                             flow->definitions.items[consumer->definition].default_value != NULL);
        }
}

/* --- the lean form ------------------------------------------------------------------------------ */

static void add_reader(weir__flow *flow, const weir__consumer *consumer) {
    const weir__instance *instance = &flow->instances.items[consumer->instance];
    uint32_t firing = flow->lean.items[consumer->instance].firing;
    *weir_vector_push(&flow->lean_consumers) = (weir__lean_consumer){
        .instance = consumer->instance,
        .definition = consumer->definition,
        .firing = firing,
        .slot = consumer->condition ? instance->first_condition + consumer->slot
                                    : firing + 1 + consumer->slot,
        .ancestors = consumer->ancestors,
        .ancestor_count = (uint16_t)consumer->ancestor_count,
        .stage = (uint8_t)instance->stage,
        .condition = consumer->condition};
}

static bool is_kept(const weir__flow *flow, const weir__definition *definition,
                    weir__readers readers) {
    if (flow->keeps_all || flow->lineage || definition->kept) return true;
    for (uint32_t i = 0; i < readers.count; i++) {
        const weir__lean_consumer *reader = &flow->lean_consumers.items[readers.first + i];
        if (!reader->condition && !flow->instances.items[reader->instance].unary &&
            &flow->definitions.items[reader->definition] == definition)
            return true;
    }
    return false;
}

static void add_instances(weir__flow *flow) {
    weir_vector_reserve(&flow->lean, flow->instances.count);
    for (size_t i = 0; i < flow->instances.count; i++) {
        const weir__instance *instance = &flow->instances.items[i];
        weir__lean_instance lean = {.code = instance->operation,
                                    .config = instance->config,
                                    .shape = instance->shape,
                                    .firing = flow->cell_count,
                                    .condition_sources = instance->condition_sources,
                                    .first_parameter = (uint32_t)flow->parameter_definitions.count,
                                    .parameters = (uint16_t)instance->parameters.count,
                                    .outputs = (uint16_t)instance->outputs.count,
                                    .stage = (uint8_t)instance->stage,
                                    .call = instance->call,
                                    .in_flow = instance->in_flow,
                                    .collects = collects(instance)};
        for (size_t p = 0; p < instance->parameters.count; p++) {
            uint32_t definition = instance->parameters.items[p].definition;
            *weir_vector_push(&flow->parameter_definitions) = definition;
            lean.defaults |= flow->definitions.items[definition].default_value != NULL;
        }
        if (lean.parameters > flow->parameters_most) flow->parameters_most = lean.parameters;
        flow->cell_count += 1 + (uint32_t)instance->parameters.count;
        *weir_vector_push(&flow->lean) = lean;
    }
}

static void add_outputs(weir__flow *flow) {
    weir_vector_reserve(&flow->lean_outputs, flow->instances.count);
    for (size_t i = 0; i < flow->instances.count; i++) {
        const weir__instance *instance = &flow->instances.items[i];
        flow->lean.items[i].first_output = (uint32_t)flow->lean_outputs.count;
        for (size_t o = 0; o < instance->outputs.count; o++) {
            const weir__output *output = &instance->outputs.items[o];
            const weir__definition *definition = &flow->definitions.items[output->definition];
            weir__readers readers = flow->readers.items[output->origin];
            flow->lean.items[i].prepares |= output->expand || definition->has_spec;
            *weir_vector_push(&flow->lean_outputs) =
                (weir__lean_output){.definition = output->definition,
                                    .origin = output->origin,
                                    .readers = readers,
                                    .expand = output->expand,
                                    .has_spec = definition->has_spec,
                                    .kept = is_kept(flow, definition, readers),
                                    .special = definition->forwarded || flow->locks};
        }
    }
}

static void make_lean(weir__flow *flow) {
    add_instances(flow);
    weir_vector_reserve(&flow->readers, flow->origins.count);
    weir_vector_reserve(&flow->lean_consumers, flow->parameter_definitions.count);
    for (size_t o = 0; o < flow->origins.count; o++) {
        const weir__origin *origin = &flow->origins.items[o];
        *weir_vector_push(&flow->readers) = (weir__readers){(uint32_t)flow->lean_consumers.count,
                                                            (uint32_t)origin->consumers.count};
        for (size_t i = 0; i < origin->consumers.count; i++)
            add_reader(flow, &origin->consumers.items[i]);
    }
    add_outputs(flow);
}

void weir__dataflow_analyse(weir__compiler *c) {
    weir__flow *flow = c->flow;
    list_stages(flow);
    find_validators(flow);
    find_asked(flow, flow->seed_origin);
    mark_consumers(flow);
    flow->alone = !flow->forwards.count;
    flow->calls = true;
    for (size_t i = 0; i < flow->instances.count; i++) {
        const weir__instance *instance = &flow->instances.items[i];
        flow->alone &= instance->nested == WEIR__NESTED_NOT;
        flow->calls &= instance->call;
        if (instance->operation && (instance->operation->hints & WEIR_ANCESTORS))
            flow->lineage = true;
        if (instance->nested == WEIR__NESTED_REMAP && c->plan->flows.count > instance->flow)
            adopt(flow, c->plan->flows.items[instance->flow]);
    }
    for (size_t i = 0; i < flow->definitions.count; i++) {
        flow->locks |= flow->definitions.items[i].lock;
        flow->asks |= flow->definitions.items[i].asked;
    }
    for (size_t i = 0; i < flow->forwards.count; i++) {
        const weir__forward *forward = &flow->forwards.items[i];
        weir__flow *inner = c->plan->flows.items[flow->instances.items[forward->instance].flow];
        if (forward->inner != WEIR__NONE && inner->definitions.items[forward->inner].asked)
            inner->keeps_all = true;
    }
}

void weir__dataflow_make_lean(weir_dataflow_plan *plan) {
    for (size_t i = 0; i < plan->flows.count; i++) make_lean(plan->flows.items[i]);
}

static void check_givens(weir__compiler *c, const weir__givens *givens) {
    for (size_t i = 0; i < givens->items.count; i++) {
        const weir__definition *definition =
            &c->flow->definitions.items[givens->items.items[i].definition];
        if (!definition->validate.length || definition->validator != WEIR__NONE) continue;
        weir_buffer path = {0};
        weir_path_append(&path, WEIR_STR("definitions"));
        weir_path_append(&path, definition->name);
        weir__dataflow_problem(c, WEIR_STR(""), WEIR_STR(""), path.data, WEIR_UNKNOWN_VALIDATOR,
                               "definition `%.*s`: there is no validator `%.*s`",
                               WEIR_ARG(definition->name), WEIR_ARG(definition->validate));
        weir_buffer_deinit(&path);
        return;
    }
}

void weir__dataflow_check_validators(weir__compiler *c) {
    check_givens(c, &c->flow->seeds);
    for (size_t i = 0; i < c->plan->contexts.count; i++)
        check_givens(c, &c->plan->contexts.items[i].inputs);
}

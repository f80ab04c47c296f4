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
        if (!definition->validate.length || !weir__instance_find(flow, definition->validate, &at) ||
            !flow->instances.items[at].validator || !flow->instances.items[at].parameters.count)
            continue;
        definition->validator = (uint32_t)at;
    }
}

/* --- what an output operation may ask for ------------------------------------------------------ */

/* Whether there is such a definition. */
static bool keep_named(weir__flow *flow, weir_str name) {
    uint64_t at;
    if (!weir__definition_find(flow, name, &at)) return false;
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
            if (consumer->condition || flow->definitions.items[consumer->definition].default_value)
                *(o == flow->seed_origin ? &flow->judges_given : &flow->judges) = true;
        }
}

/* --- the lean form ------------------------------------------------------------------------------ */

/* The order in which instances fire for the first time when all goes as written. */
typedef struct firing_order {
    const weir__flow *flow;
    WEIR_VECTOR(uint32_t) instances;
    uint32_t *missing; /* by instance: parameters that nothing came for yet */
    uint32_t *first;   /* by instance: its first parameter in `there` */
    bool *there;
} firing_order;

static void reach(firing_order *order, uint32_t origin) {
    const weir__origin *from = &order->flow->origins.items[origin];
    for (size_t i = 0; i < from->consumers.count; i++) {
        const weir__consumer *to = &from->consumers.items[i];
        bool *there = &order->there[order->first[to->instance] + to->slot];
        if (to->condition || *there) continue;
        *there = true;
        if (!--order->missing[to->instance]) *weir_vector_push(&order->instances) = to->instance;
    }
}

static void find_order(firing_order *order) {
    const weir__flow *flow = order->flow;
    size_t count = flow->instances.count, parameters = 0;
    order->missing = weir_alloc((count + 1) * sizeof *order->missing);
    order->first = weir_alloc((count + 1) * sizeof *order->first);
    for (size_t i = 0; i < count; i++) {
        order->first[i] = (uint32_t)parameters;
        order->missing[i] = (uint32_t)flow->instances.items[i].parameters.count;
        parameters += order->missing[i];
        if (!order->missing[i]) *weir_vector_push(&order->instances) = (uint32_t)i;
    }
    order->there = weir_alloc(parameters + 1);
    if (flow->seed_origin != WEIR__NONE) reach(order, flow->seed_origin);
    for (size_t at = 0; at < order->instances.count; at++) {
        const weir__instance *instance = &flow->instances.items[order->instances.items[at]];
        for (size_t o = 0; o < instance->outputs.count; o++)
            reach(order, instance->outputs.items[o].origin);
    }
    for (size_t i = 0; i < count; i++)
        if (order->missing[i]) *weir_vector_push(&order->instances) = (uint32_t)i;
}

static void order_deinit(firing_order *order) {
    weir_vector_deinit(&order->instances);
    weir_free(order->missing);
    weir_free(order->first);
    weir_free(order->there);
}

static void add_reader(weir__flow *flow, const weir__consumer *consumer) {
    uint32_t place = flow->lean_places.items[consumer->instance];
    const weir__lean_instance *lean = &flow->lean.items[place];
    const weir__lean_form *form = lean->form; /* all that is needed, mostly */
    bool all = !form->defaults && form->parameters <= UINT8_MAX;
    uint32_t slot = lean->firing + WEIR__FIRING_CELLS + consumer->slot * WEIR__SLOT_CELLS;
    if (consumer->condition)
        slot = flow->instances.items[consumer->instance].first_condition + consumer->slot;
    *weir_vector_push(&flow->lean_consumers) =
        (weir__lean_consumer){.lean = place,
                              .definition = consumer->definition,
                              .firing = lean->firing,
                              .slot = slot,
                              .ancestors = (uint16_t)consumer->ancestor_count,
                              .needs = all ? (uint8_t)form->parameters : 0,
                              .stage = (uint8_t)(form->stage & 0x7f),
                              .condition = consumer->condition};
    if (flow->ancestors.count) *weir_vector_push(&flow->consumer_ancestors) = consumer->ancestors;
}

static bool is_kept(const weir__flow *flow, const weir__definition *definition,
                    weir__readers readers) {
    if (flow->keeps_all || flow->lineage || definition->kept) return true;
    for (uint32_t i = 0; i < readers.count; i++) {
        const weir__lean_consumer *reader = &flow->lean_consumers.items[readers.first + i];
        if (!reader->condition && flow->lean.items[reader->lean].form->parameters != 1 &&
            &flow->definitions.items[reader->definition] == definition)
            return true;
    }
    return false;
}

/* The forms that there are. Operations without configuration all have that of the first of them. */
typedef struct forms {
    weir_arena *arena;
    weir_map known; /* by their bytes: addresses */
    weir_value *empty;
    const weir__lean_form *last;
} forms;

static weir__lean_form form_of(const weir__flow *flow, const weir__instance *instance) {
    weir__lean_form form;
    memset(&form, 0, sizeof form); /* its bytes are compared */
    form.code = instance->operation;
    form.config = instance->config;
    form.shape = instance->shape;
    form.parameters = (uint16_t)instance->parameters.count;
    form.outputs = (uint16_t)instance->outputs.count;
    form.stage = (uint8_t)instance->stage;
    form.call = instance->call;
    form.in_flow = instance->in_flow;
    form.collects = collects(instance);
    form.conditional = instance->condition_sources > 0;
    for (size_t p = 0; p < instance->parameters.count; p++) {
        uint32_t definition = instance->parameters.items[p].definition;
        form.defaults |= flow->definitions.items[definition].default_value != NULL;
    }
    for (size_t o = 0; o < instance->outputs.count; o++) {
        const weir__output *output = &instance->outputs.items[o];
        form.prepares |= output->expand || flow->definitions.items[output->definition].has_spec;
    }
    return form;
}

static const weir__lean_form *use_form(forms *f, weir__lean_form form) {
    if (!weir_value_count(form.config)) {
        if (!f->empty) f->empty = form.config;
        form.config = f->empty;
    }
    if (f->last && memcmp(f->last, &form, sizeof form) == 0) return f->last;
    uint64_t found;
    if (weir_map_get(&f->known, (weir_str){(const char *)&form, sizeof form}, &found))
        return f->last = (const weir__lean_form *)(uintptr_t)found;
    weir__lean_form *made = weir_arena_alloc(f->arena, sizeof *made);
    *made = form;
    weir_map_set(&f->known, (weir_str){(const char *)made, sizeof *made}, (uintptr_t)made);
    return f->last = made;
}

static void add_instance(weir__flow *flow, forms *f, uint32_t at) {
    const weir__instance *instance = &flow->instances.items[at];
    uint32_t parameters = (uint32_t)instance->parameters.count;
    flow->lean_places.items[at] = (uint32_t)flow->lean.count;
    *weir_vector_push(&flow->lean) =
        (weir__lean_instance){.form = use_form(f, form_of(flow, instance)),
                              .instance = at,
                              .firing = flow->cell_count,
                              .first_parameter = (uint32_t)flow->parameter_definitions.count};
    for (uint32_t p = 0; p < parameters; p++)
        *weir_vector_push(&flow->parameter_definitions) = instance->parameters.items[p].definition;
    flow->cell_count += WEIR__FIRING_CELLS + parameters * (uint32_t)WEIR__SLOT_CELLS;
    if (parameters > flow->parameters_most) flow->parameters_most = parameters;
}

static void add_instances(weir__flow *flow, const firing_order *order, weir_arena *arena) {
    forms f = {.arena = arena};
    weir_vector_reserve(&flow->lean, flow->instances.count);
    weir_vector_reserve(&flow->lean_places, flow->instances.count);
    flow->lean_places.count = flow->instances.count;
    for (size_t k = 0; k < order->instances.count; k++)
        add_instance(flow, &f, order->instances.items[k]);
    weir_map_deinit(&f.known);
}

static void add_readers(weir__flow *flow, uint32_t at) {
    const weir__origin *origin = &flow->origins.items[at];
    weir__readers *readers = &flow->readers.items[at];
    if (readers->count) return; /* they are there */
    *readers =
        (weir__readers){(uint32_t)flow->lean_consumers.count, (uint32_t)origin->consumers.count};
    for (size_t i = 0; i < origin->consumers.count; i++)
        add_reader(flow, &origin->consumers.items[i]);
}

static void add_outputs(weir__flow *flow, weir__lean_instance *lean) {
    const weir__instance *instance = &flow->instances.items[lean->instance];
    lean->first_output = (uint32_t)flow->lean_outputs.count;
    for (size_t o = 0; o < instance->outputs.count; o++) {
        const weir__output *output = &instance->outputs.items[o];
        const weir__definition *definition = &flow->definitions.items[output->definition];
        add_readers(flow, output->origin);
        weir__readers readers = flow->readers.items[output->origin];
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

static void make_lean(weir__flow *flow, weir_arena *arena) {
    firing_order order = {.flow = flow};
    find_order(&order);
    add_instances(flow, &order, arena);
    weir_vector_reserve(&flow->readers, flow->origins.count);
    weir_vector_reserve(&flow->lean_consumers, flow->parameter_definitions.count);
    weir_vector_reserve(&flow->lean_outputs, flow->instances.count);
    for (size_t o = 0; o < flow->origins.count; o++)
        *weir_vector_push(&flow->readers) = (weir__readers){0};
    for (size_t k = 0; k < flow->lean.count; k++) add_outputs(flow, &flow->lean.items[k]);
    for (size_t o = 0; o < flow->origins.count; o++) add_readers(flow, (uint32_t)o);
    order_deinit(&order);
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

/* What is forwarded has its locks with it. */
static void pass_locks_on(const weir_dataflow_plan *plan, const weir__flow *flow) {
    for (size_t i = 0; flow->locks && i < flow->forwards.count; i++) {
        const weir__forward *forward = &flow->forwards.items[i];
        if (forward->inner != WEIR__NONE)
            plan->flows.items[flow->instances.items[forward->instance].flow]->locks = true;
    }
}

void weir__dataflow_make_lean(weir_dataflow_plan *plan) {
    for (size_t i = 0; i < plan->flows.count; i++) { /* each stands before those within it */
        pass_locks_on(plan, plan->flows.items[i]);
        make_lean(plan->flows.items[i], &plan->arena);
    }
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

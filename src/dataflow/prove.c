#include "dataflow/prove_internal.h"

/* One fixed point: of what may come, or of what surely does. */
typedef struct pass {
    weir__prover *prover;
    weir__flow_proof *p;
    uint8_t level;
    uint32_t
        *missing; /* by instance: slots that nothing comes for yet; UINT32_MAX: it is not asked */
    uint32_t *queue;
    size_t queued;
    uint32_t *stamps; /* by definition: 1 + the origin for which one is given */
} pass;

/* --- what there is to prove --------------------------------------------------------------------- */

static void count_slots(weir__flow_proof *p) {
    const weir__flow *flow = p->flow;
    size_t count = flow->instances.count;
    uint32_t slots = 0;
    p->first = weir_alloc((count + 1) * sizeof *p->first);
    for (size_t i = 0; i < count; i++) {
        p->first[i] = slots;
        slots += (uint32_t)flow->instances.items[i].parameters.count + 1;
    }
    p->first[count] = slots;
    p->slots = weir_alloc(slots + 1);
    p->uses_first = weir_alloc((slots + 2) * sizeof *p->uses_first);
}

static uint32_t slot_of(const weir__flow_proof *p, const weir__consumer *c) {
    return c->condition ? weir__condition_slot(p, c->instance) : p->first[c->instance] + c->slot;
}

/* Lists, for each slot, who it reads from: uses_first[s + 1] begins those of slot s while they are filled in. */
static void list_uses(weir__flow_proof *p) {
    const weir__flow *flow = p->flow;
    uint32_t *first = p->uses_first, slots = p->first[flow->instances.count];
    for (size_t o = 0; o < flow->origins.count; o++)
        for (size_t c = 0; c < flow->origins.items[o].consumers.count; c++) {
            const weir__consumer *consumer = &flow->origins.items[o].consumers.items[c];
            uint32_t slot = slot_of(p, consumer);
            if (weir__takes_something(consumer) && slot + 2 <= slots) first[slot + 2]++;
        }
    for (uint32_t s = 2; s <= slots; s++) first[s] += first[s - 1];
    size_t all = 0, some = 0;
    for (size_t o = 0; o < flow->origins.count; o++) all += flow->origins.items[o].consumers.count;
    p->uses = weir_alloc((all + 1) * sizeof *p->uses);
    for (uint32_t o = 0; o < flow->origins.count; o++)
        for (uint32_t c = 0; c < flow->origins.items[o].consumers.count; c++) {
            const weir__consumer *consumer = &flow->origins.items[o].consumers.items[c];
            if (!weir__takes_something(consumer)) continue;
            p->uses[first[slot_of(p, consumer) + 1]++] = (weir__use){o, c};
            some++;
        }
    first[slots + 1] = (uint32_t)some;
}

static void flow_proof_init(weir__flow_proof *p, const weir__flow *flow) {
    p->flow = flow;
    p->runs = weir_alloc(flow->instances.count + 1);
    p->comes = weir_alloc(flow->origins.count + 1);
    p->there = weir_alloc(flow->definitions.count + 1);
    p->made = weir_alloc(flow->definitions.count + 1);
    p->makers = weir_alloc((flow->origins.count + 1) * sizeof *p->makers);
    memset(p->makers, 0xff, flow->origins.count * sizeof *p->makers);
    p->asked_for = weir_alloc(flow->definitions.count + 1);
    p->judged = weir_alloc(flow->condition_count + 1);
    count_slots(p);
    list_uses(p);
    for (uint32_t i = 0; i < flow->instances.count; i++) {
        const weir__instance *instance = &flow->instances.items[i];
        for (size_t o = 0; o < instance->outputs.count; o++) {
            p->made[instance->outputs.items[o].definition] = true;
            p->makers[instance->outputs.items[o].origin] = i;
        }
    }
}

static void flow_proof_deinit(weir__flow_proof *p) {
    void *const parts[] = {
        p->runs,       p->comes,     p->there,         p->made,           p->asked_for,
        p->judged,     p->first,     p->slots,         p->uses,           p->forwarded,
        p->uses_first, p->by_origin, p->by_definition, p->next_of_origin, p->next_of_definition,
        p->makers};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) weir_free(parts[i]);
}

/* --- the fixed point ---------------------------------------------------------------------------- */

static void fill_slot(pass *w, uint32_t instance, uint32_t slot) {
    if (w->p->slots[slot] >= w->level) return;
    w->p->slots[slot] = w->level;
    if (w->missing[instance] != UINT32_MAX && !--w->missing[instance])
        w->queue[w->queued++] = instance;
}

/* Whether what the maker gives can be made from an input of the origin; `certainly`: each is. */
static bool is_made_from(const weir__flow_proof *p, uint32_t maker, uint32_t origin,
                         bool certainly) {
    const weir__instance *instance = &p->flow->instances.items[maker];
    for (uint32_t i = 0; i < instance->parameters.count; i++) {
        uint32_t slot = p->first[maker] + i, count = p->uses_first[slot + 1] - p->uses_first[slot];
        for (uint32_t u = 0; u < count; u++)
            if (p->uses[p->uses_first[slot] + u].origin == origin && (!certainly || count == 1))
                return true;
    }
    return instance->validator; /* it reads what it is sent */
}

/* The same of the chain of a consumer's ancestors. */
static bool has_ancestors(const weir__flow_proof *p, uint32_t origin, const weir__consumer *c,
                          bool certainly) {
    for (uint32_t i = 0; i < c->ancestor_count; i++) {
        uint32_t maker = p->makers[origin], next = p->flow->ancestors.items[c->ancestors + i];
        if (maker == WEIR__NONE) return !certainly;
        if (!is_made_from(p, maker, next, certainly)) return false;
        origin = next;
    }
    return true;
}

static void reach(pass *w, uint32_t origin, const weir__consumer *c) {
    bool sure = w->level == WEIR__SURE;
    if (c->condition && sure) return; /* true or not, who knows */
    if (c->ancestor_count && !has_ancestors(w->p, origin, c, sure)) return;
    fill_slot(w, c->instance, slot_of(w->p, c));
}

static void give_definition(pass *w, uint32_t definition) {
    if (w->p->there[definition] < w->level) w->p->there[definition] = w->level;
}

/* How surely an operation that runs a dataflow ends well. */
static uint8_t outcome_of(const pass *w, const weir__instance *instance) {
    if (instance->nested == WEIR__NESTED_NOT || instance->nested == WEIR__NESTED_REMAP)
        return WEIR__SURE;
    const weir__flow_proof *inner = &w->prover->flows[instance->flow];
    if (instance->nested == WEIR__NESTED_CUSTOM && inner->fails) return WEIR__NEVER;
    return inner->sure ? WEIR__SURE : WEIR__MAY;
}

static void give_outputs(pass *w, uint32_t at) {
    weir__flow_proof *p = w->p;
    const weir__instance *instance = &p->flow->instances.items[at];
    bool counts = instance->stage == WEIR_STAGE_PROCESSING || instance->validator;
    if (!counts || outcome_of(w, instance) < w->level) return;
    for (size_t o = 0; o < instance->outputs.count; o++) {
        const weir__output *output = &instance->outputs.items[o];
        if (output->expand && w->level == WEIR__SURE) continue; /* it may be empty */
        const weir__origin *origin = &p->flow->origins.items[output->origin];
        p->comes[output->origin] = w->level;
        give_definition(w, output->definition);
        for (size_t c = 0; c < origin->consumers.count; c++)
            if (origin->consumers.items[c].definition == output->definition)
                reach(w, output->origin, &origin->consumers.items[c]);
    }
}

static void run(pass *w, uint32_t instance) {
    if (w->p->runs[instance] >= w->level) return;
    w->p->runs[instance] = w->level;
    give_outputs(w, instance);
}

/* Counts what each instance lacks. A default is there when nothing else is. */
static void count_missing(pass *w) {
    weir__flow_proof *p = w->p;
    for (uint32_t i = 0; i < p->flow->instances.count; i++) {
        const weir__instance *instance = &p->flow->instances.items[i];
        bool within = p->outside && p->outside->flow->instances.items[p->caller].nested ==
                                        WEIR__NESTED_REMAP; /* its output operations alone run */
        uint32_t count = weir__is_conditional(instance);
        for (size_t n = 0; n < instance->parameters.count; n++) {
            uint32_t definition = instance->parameters.items[n].definition;
            if (p->flow->definitions.items[definition].default_value)
                p->slots[p->first[i] + n] = WEIR__SURE;
            else
                count++;
        }
        bool left_out = instance->validator || (instance->parameters.count && !instance->in_flow);
        if (within && instance->stage != WEIR_STAGE_OUTPUT) left_out = true;
        w->missing[i] = left_out ? UINT32_MAX : count;
        if (!w->missing[i]) w->queue[w->queued++] = i;
    }
}

/* --- what comes from outside -------------------------------------------------------------------- */

static bool reads_only_outside(const weir__flow_proof *p, uint32_t slot) {
    for (uint32_t u = p->uses_first[slot]; u < p->uses_first[slot + 1]; u++)
        if (!weir__is_outside(p, p->uses[u].origin)) return false;
    return true;
}

/* What comes from outside may say that it was made of anything. */
static void reach_directly(pass *w, uint32_t origin, const weir__consumer *c) {
    if (c->ancestor_count && w->level == WEIR__MAY)
        fill_slot(w, c->instance, slot_of(w->p, c));
    else
        reach(w, origin, c);
}

static void reach_given(pass *w, uint32_t origin, const weir__consumer *c) {
    const weir__flow_proof *p = w->p;
    if (!weir__takes_something(c)) return;
    if (p->flow->definitions.items[c->definition].validate.length)
        return; /* its validator has it */
    bool given = w->stamps[c->definition] == origin + 1;
    bool taken = p->open && weir__is_outside(p, origin);
    if (c->condition) {
        uint32_t source = p->flow->instances.items[c->instance].first_condition + c->slot;
        bool is_false = p->judged[source] == WEIR__JUDGED_FALSE;
        if (given ? !is_false : taken && p->judged[source] == WEIR__JUDGED_NOT)
            reach_directly(w, origin, c);
    } else if (given ||
               (taken && (w->level == WEIR__MAY || reads_only_outside(p, slot_of(p, c))))) {
        reach_directly(w, origin, c);
    }
}

/* A condition whose only values are from outside, and true, holds. */
static void hold_conditions(pass *w) {
    const weir__flow_proof *p = w->p;
    for (uint32_t i = 0; i < p->flow->instances.count; i++) {
        const weir__instance *instance = &p->flow->instances.items[i];
        uint32_t slot = weir__condition_slot(p, i);
        for (uint32_t s = 0; weir__is_conditional(instance) && s < instance->condition_sources;
             s++) {
            bool only = p->judged[instance->first_condition + s] == WEIR__JUDGED_TRUE;
            for (uint32_t u = p->uses_first[slot]; only && u < p->uses_first[slot + 1]; u++) {
                const weir__consumer *c = weir__use_consumer(p, p->uses[u]);
                only = c->slot != s || (weir__is_outside(p, p->uses[u].origin) && !p->forwarded);
            }
            if (only) fill_slot(w, i, slot);
        }
    }
}

static void give_known(pass *w) {
    weir__flow_proof *p = w->p;
    for (uint32_t o = 0; o < p->flow->origins.count; o++) {
        bool taken = p->open && weir__is_outside(p, o);
        if (p->by_origin[o] == WEIR__NONE && !taken) continue;
        for (uint32_t k = p->by_origin[o]; k != WEIR__NONE; k = p->next_of_origin[k])
            w->stamps[weir__given_at(p, k)->definition] = o + 1;
        const weir__origin *origin = &p->flow->origins.items[o];
        for (size_t c = 0; c < origin->consumers.count; c++)
            reach_given(w, o, &origin->consumers.items[c]);
    }
    for (uint32_t d = 0; d < p->flow->definitions.count; d++) {
        const weir__definition *definition = &p->flow->definitions.items[d];
        bool given = p->by_definition[d] != WEIR__NONE || (p->open && !p->made[d]);
        if (given && definition->validator != WEIR__NONE)
            run(w, definition->validator);
        else if (given && !definition->validate.length)
            give_definition(w, d);
    }
    if (w->level == WEIR__SURE) hold_conditions(w);
}

/* What a subflow is forwarded comes while it runs, or too late. */
static void give_forwarded(pass *w) {
    const weir__flow_proof *p = w->p;
    if (!p->forwarded || w->level != WEIR__MAY) return;
    for (uint32_t o = 0; o < p->flow->origins.count; o++)
        for (size_t c = 0; c < p->flow->origins.items[o].consumers.count; c++) {
            const weir__consumer *consumer = &p->flow->origins.items[o].consumers.items[c];
            if (weir__takes_something(consumer) && p->forwarded[consumer->definition])
                reach(w, o, consumer);
        }
    for (uint32_t d = 0; d < p->flow->definitions.count; d++)
        if (p->forwarded[d]) give_definition(w, d);
}

/* A remap's output operations look at what is in the context around them. */
static void give_around(pass *w) {
    weir__flow_proof *p = w->p;
    const weir__flow_proof *around = p->outside;
    if (!around || around->flow->instances.items[p->caller].nested != WEIR__NESTED_REMAP) return;
    for (uint32_t d = 0; d < p->flow->definitions.count; d++) {
        uint64_t other;
        if (weir__definition_find(around->flow, p->flow->definitions.items[d].name, &other) &&
            around->there[other] >= w->level)
            give_definition(w, d);
    }
    for (uint32_t o = 0; o < p->flow->origins.count && w->level == WEIR__MAY; o++)
        for (size_t c = 0; c < p->flow->origins.items[o].consumers.count; c++) {
            const weir__consumer *consumer = &p->flow->origins.items[o].consumers.items[c];
            if (weir__takes_something(consumer) && p->there[consumer->definition])
                reach(w, o, consumer);
        }
}

static void find_level(weir__prover *prover, weir__flow_proof *p, uint8_t level) {
    size_t count = p->flow->instances.count;
    pass w = {.prover = prover, .p = p, .level = level};
    w.missing = weir_alloc((count + 1) * sizeof *w.missing);
    w.queue = weir_alloc((count + 1) * sizeof *w.queue);
    w.stamps = weir_alloc((p->flow->definitions.count + 1) * sizeof *w.stamps);
    count_missing(&w);
    give_known(&w);
    give_forwarded(&w);
    give_around(&w);
    for (size_t at = 0; at < w.queued; at++) run(&w, w.queue[at]);
    weir_free(w.missing);
    weir_free(w.queue);
    weir_free(w.stamps);
}

/* --- how a context ends ------------------------------------------------------------------------- */

typedef struct ask {
    weir__flow_proof *p;
    uint8_t level;
    bool lacks, doubtful;
} ask;

static void ask_for(void *arg, weir_str name) {
    ask *a = arg;
    uint64_t d;
    bool known = weir__definition_find(a->p->flow, name, &d);
    uint8_t level = known ? a->p->there[d] : WEIR__NEVER;
    a->lacks |= level == WEIR__NEVER;
    a->doubtful |= level != WEIR__SURE;
}

static void find_end(weir__prover *prover, weir__flow_proof *p) {
    p->sure = true;
    for (uint32_t i = 0; i < p->flow->instances.count; i++) {
        const weir__instance *instance = &p->flow->instances.items[i];
        bool nested =
            instance->nested == WEIR__NESTED_CUSTOM || instance->nested == WEIR__NESTED_RUN;
        if (nested && p->runs[i]) {
            p->sure &= prover->flows[instance->flow].sure;
            p->fails |= p->runs[i] == WEIR__SURE && instance->nested == WEIR__NESTED_CUSTOM &&
                        prover->flows[instance->flow].fails;
        }
        if (instance->stage != WEIR_STAGE_OUTPUT || instance->validator) continue;
        ask a = {.p = p};
        if (p->runs[i]) weir__each_asked(prover, p, i, ask_for, &a);
        p->fails |= p->runs[i] == WEIR__SURE && a.lacks;
        p->sure &= p->runs[i] == WEIR__SURE && !a.doubtful;
    }
    p->differs = weir__results_differ(prover, p, NULL);
    p->fails |= p->differs;
    p->sure &= !p->fails;
}

/* --- all flows, those within first -------------------------------------------------------------- */

static void prove_flow(weir__prover *prover, weir__flow_proof *p) {
    weir__prove_givens(p);
    find_level(prover, p, WEIR__MAY);
    find_level(prover, p, WEIR__SURE);
    find_end(prover, p);
    for (size_t i = 0; i < p->flow->instances.count; i++) { /* they look at this one */
        if (p->flow->instances.items[i].nested != WEIR__NESTED_REMAP) continue;
        weir__flow_proof *inner = &prover->flows[p->flow->instances.items[i].flow];
        prove_flow(prover, inner);
        p->fails |= p->runs[i] == WEIR__SURE && inner->fails;
        p->sure &= !p->runs[i] || inner->sure;
    }
}

/* The inputs of the one context of the custom form: one of each parameter's definition. */
static void take_parameters(weir__flow_proof *inner, const weir__flow *around,
                            const weir__instance *instance, weir__givens *out) {
    for (size_t i = 0; i < instance->parameters.count; i++) {
        uint64_t d;
        weir_str name = around->definitions.items[instance->parameters.items[i].definition].name;
        if (weir__definition_find(inner->flow, name, &d))
            *weir_vector_push(&out->items) = (weir__given){.definition = (uint32_t)d,
                                                           .origin = inner->flow->seed_origin,
                                                           .same_as = WEIR__NONE,
                                                           .seed = WEIR__NONE};
    }
}

static void find_callers(weir__prover *prover, weir__givens *parameters) {
    for (size_t f = 0; f < prover->plan->flows.count; f++) {
        const weir__flow *flow = prover->plan->flows.items[f];
        for (uint32_t i = 0; i < flow->instances.count; i++) {
            const weir__instance *instance = &flow->instances.items[i];
            if (instance->nested == WEIR__NESTED_NOT) continue;
            weir__flow_proof *inner = &prover->flows[instance->flow];
            inner->caller = i;
            inner->outside = &prover->flows[f];
            inner->open = instance->nested == WEIR__NESTED_RUN;
            if (instance->nested == WEIR__NESTED_CUSTOM) {
                take_parameters(inner, flow, instance, &parameters[instance->flow]);
                inner->given = &parameters[instance->flow];
            }
        }
        for (size_t i = 0; i < flow->forwards.count; i++) {
            const weir__forward *forward = &flow->forwards.items[i];
            weir__flow_proof *inner = &prover->flows[flow->instances.items[forward->instance].flow];
            if (forward->inner == WEIR__NONE) continue;
            if (!inner->forwarded)
                inner->forwarded = weir_alloc(inner->flow->definitions.count + 1);
            inner->forwarded[forward->inner] = true;
        }
    }
}

static bool is_remapped(const weir__flow_proof *p) {
    return p->outside && p->outside->flow->instances.items[p->caller].nested == WEIR__NESTED_REMAP;
}

static void prove_all(weir__prover *prover, const weir__givens *given, bool open) {
    size_t count = prover->plan->flows.count;
    prover->flows = weir_alloc(count * sizeof *prover->flows);
    weir__givens *parameters = weir_alloc(count * sizeof *parameters);
    for (size_t f = 0; f < count; f++) {
        flow_proof_init(&prover->flows[f], prover->plan->flows.items[f]);
        prover->flows[f].caller = WEIR__NONE;
    }
    find_callers(prover, parameters);
    if (!prover->seen) prover->seen = weir_alloc(count * sizeof *prover->seen);
    prover->flows[0].open = open;
    prover->flows[0].given = given;
    for (size_t f = count; f-- > 0;)
        if (!is_remapped(&prover->flows[f])) prove_flow(prover, &prover->flows[f]);
    for (size_t f = 0; f < count; f++) {
        weir__flow_proof *p = &prover->flows[f];
        p->reached = !p->outside || (p->outside->reached && p->outside->runs[p->caller]);
        if (prover->visit && p->reached) prover->visit(prover->arg, p);
        if (prover->visit || !p->reached) continue;
        weir__prove_say(prover, p);
        if (prover->last) weir__prove_types(prover, p);
    }
    for (size_t f = 0; f < count; f++) {
        flow_proof_deinit(&prover->flows[f]);
        weir__givens_deinit(&parameters[f]);
    }
    weir_free(parameters);
    weir_free(prover->flows);
}

/* --- contexts ------------------------------------------------------------------------------------ */

/* Contexts that are given inputs of the same definitions, alike as conditions, have one proof. */
static uint64_t hash_of_context(const weir__context_plan *context) {
    weir_buffer bytes = {0};
    for (size_t i = 0; i < context->inputs.items.count; i++) {
        const weir__given *given = &context->inputs.items.items[i];
        uint32_t key[] = {given->definition, given->origin, given->same_as == WEIR__NONE,
                          weir_value_truth(given->value), given->parent_count > 0};
        weir_buffer_append(&bytes, key, sizeof key);
    }
    uint64_t hash = weir_hash(bytes.data, bytes.length);
    weir_buffer_deinit(&bytes);
    return hash;
}

/* The first context of each kind; how many. */
static size_t find_kinds(const weir__prover *prover, size_t *first, size_t max) {
    enum { WORK_MAX = 8000000 };
    const weir_dataflow_plan *plan = prover->plan;
    size_t kinds = 0, size = plan->flows.items[0]->instances.count + 1;
    weir_map seen = {0};
    uint64_t *hashes = weir_alloc((max + 1) * sizeof *hashes);
    for (size_t c = 0; c < plan->contexts.count; c++) {
        hashes[kinds] = hash_of_context(&plan->contexts.items[c]);
        weir_str key = {(const char *)&hashes[kinds], sizeof *hashes};
        if (weir_map_get(&seen, key, NULL)) continue;
        if (kinds == max || (kinds && kinds * size > WORK_MAX)) {
            if (prover->visit) break;
            weir_proof_add(
                prover->proof, 0, "", WEIR_OK, NULL, "",
                "contexts are given inputs in more than %zu ways: those of further ways, "
                "as `%.*s`, are not proved",
                kinds, WEIR_ARG(plan->contexts.items[c].name));
            break;
        }
        weir_map_set(&seen, key, kinds);
        first[kinds++] = c;
    }
    weir_map_deinit(&seen);
    weir_free(hashes);
    return kinds;
}

static void prove_contexts(weir__prover *prover) {
    enum { KINDS_MAX = 32 };
    const weir_dataflow_plan *plan = prover->plan;
    size_t first[KINDS_MAX], kinds = find_kinds(prover, first, KINDS_MAX);
    for (size_t k = 0; k < kinds; k++) {
        const weir__context_plan *context = &plan->contexts.items[first[k]];
        prover->context = plan->contexts.count > 1 ? context->name : WEIR_STR("");
        prover->last = k + 1 == kinds;
        prove_all(prover, &context->inputs, false);
    }
}

enum { VALUES_MAX = 10000000 };

static void prove(weir__prover *prover, const weir_value *request) {
    static const char *const inputs[] = {"inputs", "texts", "contexts", "context_texts"};
    const weir_dataflow_plan *plan = prover->plan;
    bool given = false;
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        const weir_value *member = weir_member_named(request, inputs[i]);
        given |= member && weir_value_count(member);
    }
    const weir__givens *some = plan->contexts.count ? &plan->contexts.items[0].inputs : NULL;
    if (given && !plan->pipeline && some)
        prove_contexts(prover);
    else
        prove_all(prover, some, true);
    for (size_t f = 0; prover->seen && f < plan->flows.count; f++) weir_free(prover->seen[f]);
    weir_free(prover->seen);
}

void weir_dataflow_prove(const weir_plan *base, const weir_value *request, weir_proof *proof) {
    const weir_dataflow_plan *plan = (const weir_dataflow_plan *)base;
    weir__prover prover = {.plan = plan, .proof = proof, .budget = VALUES_MAX, .last = true};
    prove(&prover, request);
}

void weir__dataflow_levels(const weir_dataflow_plan *plan, const weir_value *request,
                           void (*visit)(void *arg, const weir__flow_proof *flow), void *arg) {
    weir__prover prover = {
        .plan = plan, .budget = VALUES_MAX, .last = true, .visit = visit, .arg = arg};
    prove(&prover, request);
}

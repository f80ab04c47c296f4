/* What is known of the inputs from outside: which there are, which conditions they make true, and what output operations are
 * told by them to ask for. */
#include "dataflow/prove_internal.h"

size_t weir__given_count(const weir__flow_proof *p) {
    return (p->given ? p->given->items.count : 0) + p->flow->seeds.items.count;
}

const weir__given *weir__given_at(const weir__flow_proof *p, size_t at) {
    size_t before = p->given ? p->given->items.count : 0;
    return at < before ? &p->given->items.items[at] : &p->flow->seeds.items.items[at - before];
}

/* The lists begin with the last input. One that is the same as another is handed to nobody again. */
static void list_givens(weir__flow_proof *p) {
    size_t count = weir__given_count(p), origins = p->flow->origins.count,
           definitions = p->flow->definitions.count;
    p->by_origin = weir_alloc((origins + 1) * sizeof *p->by_origin);
    p->by_definition = weir_alloc((definitions + 1) * sizeof *p->by_definition);
    p->next_of_origin = weir_alloc((count + 1) * sizeof *p->next_of_origin);
    p->next_of_definition = weir_alloc((count + 1) * sizeof *p->next_of_definition);
    memset(p->by_origin, 0xff, origins * sizeof *p->by_origin);
    memset(p->by_definition, 0xff, definitions * sizeof *p->by_definition);
    for (uint32_t k = 0; k < count; k++) {
        const weir__given *given = weir__given_at(p, k);
        p->next_of_definition[k] = p->by_definition[given->definition];
        p->by_definition[given->definition] = k;
        if (given->origin == WEIR__NONE || given->same_as != WEIR__NONE) continue;
        p->next_of_origin[k] = p->by_origin[given->origin];
        p->by_origin[given->origin] = k;
    }
}

/* The last input that each condition source reads from outside decides, when its value is known. */
static void judge_conditions(weir__flow_proof *p) {
    uint32_t *last = weir_alloc((p->flow->condition_count + 1) * sizeof *last);
    uint32_t *stamps = weir_alloc((p->flow->definitions.count + 1) * sizeof *stamps);
    uint32_t *of = weir_alloc((p->flow->definitions.count + 1) * sizeof *of);
    for (uint32_t o = 0; o < p->flow->origins.count; o++) {
        if (p->by_origin[o] == WEIR__NONE) continue;
        for (uint32_t k = p->by_origin[o]; k != WEIR__NONE; k = p->next_of_origin[k]) {
            uint32_t d = weir__given_at(p, k)->definition;
            if (stamps[d] == o + 1) continue;
            stamps[d] = o + 1;
            of[d] = k;
        }
        for (size_t i = 0; i < p->flow->origins.items[o].consumers.count; i++) {
            const weir__consumer *c = &p->flow->origins.items[o].consumers.items[i];
            if (!weir__takes_something(c)) continue;
            bool validated = p->flow->definitions.items[c->definition].validate.length > 0;
            if (!c->condition || stamps[c->definition] != o + 1 || c->ancestor_count || validated)
                continue;
            uint32_t *mine = &last[p->flow->instances.items[c->instance].first_condition + c->slot];
            if (of[c->definition] + 1 > *mine) *mine = of[c->definition] + 1;
        }
    }
    for (uint32_t s = 0; s < p->flow->condition_count; s++) {
        const weir_value *value = last[s] ? weir__given_at(p, last[s] - 1)->value : NULL;
        p->judged[s] = !value                    ? WEIR__JUDGED_NOT
                       : weir_value_truth(value) ? WEIR__JUDGED_TRUE
                                                 : WEIR__JUDGED_FALSE;
    }
    weir_free(last);
    weir_free(stamps);
    weir_free(of);
}

void weir__prove_givens(weir__flow_proof *p) {
    list_givens(p);
    if (p->flow->condition_count) judge_conditions(p);
}

/* Whether the slot reads inputs of that origin and definition. */
static bool takes(const weir__flow_proof *p, uint32_t slot, const weir__given *given) {
    for (uint32_t u = p->uses_first[slot]; u < p->uses_first[slot + 1]; u++)
        if (p->uses[u].origin == given->origin &&
            weir__use_consumer(p, p->uses[u])->definition == given->definition)
            return true;
    return false;
}

void weir__each_known(weir__prover *prover, const weir__flow_proof *p, uint32_t instance,
                      uint32_t parameter, bool (*visit)(void *arg, const weir_value *value),
                      void *arg) {
    uint32_t slot = p->first[instance] + parameter;
    bool some = false;
    for (uint32_t u = p->uses_first[slot]; u < p->uses_first[slot + 1]; u++) {
        uint32_t definition = weir__use_consumer(p, p->uses[u])->definition;
        uint32_t before = u > p->uses_first[slot]
                              ? weir__use_consumer(p, p->uses[u - 1])->definition
                              : WEIR__NONE;
        some |= p->there[definition] != WEIR__NEVER;
        if (definition == before || p->flow->definitions.items[definition].validate.length)
            continue;
        for (uint32_t k = p->by_definition[definition]; k != WEIR__NONE && prover->budget;
             k = p->next_of_definition[k], prover->budget--) {
            const weir__given *given = weir__given_at(p, k);
            if (given->value && given->same_as == WEIR__NONE && takes(p, slot, given) &&
                !visit(arg, given->value))
                return;
        }
    }
    uint32_t definition = p->flow->instances.items[instance].parameters.items[parameter].definition;
    const weir_value *otherwise = p->flow->definitions.items[definition].default_value;
    if (!some && otherwise) (void)visit(arg, otherwise);
}

/* --- what output operations ask for ------------------------------------------------------------- */

typedef struct asking {
    const weir_value *optional; /* `nostrict` of the configuration */
    bool groups;                /* group_by's spec */
    void (*visit)(void *arg, weir_str definition);
    void *arg;
} asking;

static bool names(const weir_value *list, weir_str name) {
    if (list && !weir_is(list, WEIR_ARRAY)) return weir_value_truth(list);
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        const weir_value *item = weir_array_at(list, i);
        if (weir_is(item, WEIR_STRING) && weir_str_equal(weir_string_get(item), name)) return true;
    }
    return false;
}

static void ask(const asking *a, const weir_value *name, const weir_value *optional) {
    if (weir_is(name, WEIR_STRING) && !names(optional, weir_string_get(name)))
        a->visit(a->arg, weir_string_get(name));
}

/* [definition or {new name: definition}], or of group_by {name: {group, by, nostrict?}}. */
static bool ask_by(void *arg, const weir_value *spec) {
    const asking *a = arg;
    bool list = weir_is(spec, WEIR_ARRAY) && !a->groups;
    for (size_t i = 0; list && i < weir_value_count(spec); i++) {
        const weir_value *item = weir_array_at(spec, i);
        ask(a, item, a->optional);
        for (size_t k = 0; weir_is(item, WEIR_OBJECT) && k < weir_value_count(item); k++)
            ask(a, weir_object_at(item, k), a->optional);
    }
    for (size_t i = 0; a->groups && weir_is(spec, WEIR_OBJECT) && i < weir_value_count(spec); i++) {
        const weir_value *group = weir_object_at(spec, i);
        ask(a, weir_member_named(group, "group"), weir_member_named(group, "nostrict"));
        ask(a, weir_member_named(group, "by"), weir_member_named(group, "nostrict"));
    }
    return true;
}

void weir__each_asked(weir__prover *prover, const weir__flow_proof *p, uint32_t instance,
                      void (*visit)(void *arg, weir_str definition), void *arg) {
    const weir__instance *it = &p->flow->instances.items[instance];
    weir_str name = it->spec->operation;
    bool groups = weir_str_is(name, "group_by");
    if (!groups && !weir_str_is(name, "get_single") && !weir_str_is(name, "get_multi")) return;
    asking a = {.groups = groups, .visit = visit, .arg = arg};
    const weir_value *optional = weir_member_named(it->config, "nostrict");
    if (weir_is(optional, WEIR_ARRAY)) a.optional = optional;
    for (uint32_t i = 0; i < it->parameters.count; i++)
        if (weir_str_is(it->parameters.items[i].name, "spec"))
            weir__each_known(prover, p, instance, i, ask_by, &a);
}

/* What the proof of a flow is, in words: what never runs, and why; what may not; and what is to be given. */
#include <stdio.h>

#include "dataflow/prove_internal.h"

enum { NAMES_MAX = 12, CYCLE_MAX = 1000 };

typedef struct telling {
    weir__prover *prover;
    const weir__flow_proof *p;
    weir__waits waits;
    bool *wrong; /* by instance: it never runs, and what is wanted needs it */
} telling;

static weir_str name_of(const weir__flow_proof *p, uint32_t instance) {
    return p->flow->instances.items[instance].name;
}

weir_value *weir__component_name(const weir__flow_proof *p, weir_str instance) {
    weir_buffer text = {0};
    for (size_t i = 0; i < weir_value_count(p->flow->path); i++) {
        weir_buffer_str_append(&text, weir_string_get(weir_array_at(p->flow->path, i)));
        weir_buffer_byte(&text, '/');
    }
    weir_buffer_str_append(&text, instance);
    weir_value *name = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return name;
}

void weir__component_path(const weir__flow_proof *p, weir_str instance, const char *group,
                          weir_str part, weir_buffer *out) {
    weir_buffer_text(out, "");
    for (size_t i = 0; i < weir_value_count(p->flow->path); i++) {
        weir_path_append(out, WEIR_STR("configs"));
        weir_path_append(out, weir_string_get(weir_array_at(p->flow->path, i)));
        weir_path_append(out, WEIR_STR("dataflow"));
    }
    weir_path_append(out, WEIR_STR("operations"));
    weir_path_append(out, instance);
    if (*group) weir_path_append(out, weir_str_from(group));
    if (part.length) weir_path_append(out, part);
}

/* --- the summary -------------------------------------------------------------------------------- */

/* --- what never runs ------------------------------------------------------------------------------ */

static weir_value *new_detail(const telling *t, weir_str component, const char *reason) {
    weir_value *detail = weir_object_new();
    weir_member_put(detail, "component", weir__component_name(t->p, component));
    weir_member_put_text(detail, "reason", weir_str_from(reason));
    if (t->prover->context.length) weir_member_put_text(detail, "context", t->prover->context);
    return detail;
}

/* Says that the instance lacks what comes by the slot; `why` goes on behind "is missing: ". */
static void say_missing(telling *t, uint32_t instance, uint32_t slot, weir_value *detail,
                        const char *hint, const char *why) {
    const weir__instance *it = &t->p->flow->instances.items[instance];
    bool condition = slot == weir__condition_slot(t->p, instance);
    weir_str input = condition ? WEIR_STR("conditions")
                               : it->parameters.items[slot - t->p->first[instance]].name;
    weir_buffer path = {0};
    weir__component_path(t->p, it->name, condition ? "" : "inputs", input, &path);
    if (condition)
        weir_member_put(detail, "condition", weir_bool_new(true));
    else
        weir_member_put_text(detail, "input", input);
    weir_str context = t->prover->context;
    weir_proof_add(t->prover->proof, 0, path.data, t->wrong[instance] ? WEIR_INVALID : WEIR_OK,
                   detail, hint, "%s%.*s%s%.*s: %.*s%s: %s", context.length ? "context `" : "",
                   WEIR_ARG(context), context.length ? "`: " : "", WEIR_ARG(it->name),
                   WEIR_ARG(condition ? WEIR_STR("its condition") : input),
                   condition ? " never holds" : " is missing", why);
    weir_buffer_deinit(&path);
}

static void say_cycle(telling *t, uint32_t instance, uint32_t slot, uint32_t maker) {
    size_t count;
    uint32_t *chain = weir__waiting_chain(&t->waits, maker, instance, &count);
    weir_value *detail = new_detail(t, name_of(t->p, instance), "cycle"), *cycle = weir_array_new();
    weir_buffer why = {0};
    weir_buffer_printf(&why, "a cycle, each waits for the next: %.*s",
                       WEIR_ARG(name_of(t->p, instance)));
    weir_array_append(cycle, weir_string_from(name_of(t->p, instance)));
    for (size_t i = 0; i < count; i++) {
        if (i == NAMES_MAX && count > NAMES_MAX + 2)
            weir_buffer_printf(&why, " → … (%zu more)", count - NAMES_MAX - 1);
        else if (i < NAMES_MAX || i + 1 == count || count <= NAMES_MAX + 2)
            weir_buffer_printf(&why, " → %.*s", WEIR_ARG(name_of(t->p, chain[i])));
        if (i + 1 < count && i < CYCLE_MAX)
            weir_array_append(cycle, weir_string_from(name_of(t->p, chain[i])));
    }
    if (!count) weir_buffer_printf(&why, " → %.*s → …", WEIR_ARG(name_of(t->p, maker)));
    weir_member_put_text(detail, "maker", name_of(t->p, maker));
    weir_member_put(detail, "cycle", cycle);
    bool itself = maker == instance;
    say_missing(t, instance, slot, detail,
                itself ? "give its output another definition, or say in `flow` where its input "
                         "comes from first"
                       : "",
                itself ? "it is made by itself alone, a cycle of one" : why.data);
    weir_buffer_deinit(&why);
    weir_free(chain);
}

/* What the maker lacks itself: a parameter, or its condition. */
static weir_str first_lack(const weir__flow_proof *p, uint32_t maker) {
    const weir__instance *it = &p->flow->instances.items[maker];
    for (size_t i = 0; i < it->parameters.count; i++)
        if (p->slots[p->first[maker] + i] == WEIR__NEVER) return it->parameters.items[i].name;
    return WEIR_STR("");
}

static void say_waiting(telling *t, uint32_t instance, uint32_t slot, uint32_t maker) {
    const weir__flow_proof *p = t->p;
    weir_value *detail = new_detail(t, name_of(p, instance), "waits");
    weir_buffer why = {0};
    const weir__instance *it = &p->flow->instances.items[maker];
    weir_str lack = first_lack(p, maker), name = name_of(p, maker);
    weir_member_put_text(detail, "maker", name);
    if (it->validator)
        weir_buffer_printf(&why, "its maker `%.*s` is a validator, and never gets an input",
                           WEIR_ARG(name));
    else if (it->parameters.count && !it->in_flow)
        weir_buffer_printf(&why, "the flow leaves its maker `%.*s` out", WEIR_ARG(name));
    else if (lack.length)
        weir_buffer_printf(&why, "its maker `%.*s` waits in turn for %.*s", WEIR_ARG(name),
                           WEIR_ARG(lack));
    else
        weir_buffer_printf(&why, "its maker `%.*s` waits in turn for its condition",
                           WEIR_ARG(name));
    if (lack.length) weir_member_put_text(detail, "waits_for", lack);
    say_missing(t, instance, slot, detail, "", why.data);
    weir_buffer_deinit(&why);
}

/* The maker may run, and what it gives does not come. */
static void say_lost(telling *t, uint32_t instance, uint32_t slot, uint32_t maker) {
    const weir__instance *it = &t->p->flow->instances.items[maker];
    weir_buffer why = {0};
    const char *reason = "stage";
    if (it->stage == WEIR_STAGE_OUTPUT || it->stage == WEIR_STAGE_CLEANUP) {
        weir_buffer_printf(&why, "its maker `%.*s` is of the stage `%s`, whose outputs nobody gets",
                           WEIR_ARG(it->name),
                           it->stage == WEIR_STAGE_OUTPUT ? "output" : "cleanup");
    } else if (it->nested == WEIR__NESTED_CUSTOM) {
        reason = "fails";
        weir_buffer_printf(&why, "the dataflow that its maker `%.*s` runs always fails",
                           WEIR_ARG(it->name));
    } else {
        reason = "ancestors";
        weir_buffer_printf(&why,
                           "what `%.*s` gives is not made from the ancestors that the flow names",
                           WEIR_ARG(it->name));
    }
    weir_value *detail = new_detail(t, name_of(t->p, instance), reason);
    weir_member_put_text(detail, "maker", it->name);
    say_missing(t, instance, slot, detail, "", why.data);
    weir_buffer_deinit(&why);
}

/* Nobody makes it: it would have to come from outside, if from anywhere. */
static void say_ungiven(telling *t, uint32_t instance, uint32_t slot) {
    const weir__flow_proof *p = t->p;
    const weir__instance *it = &p->flow->instances.items[instance];
    uint32_t first = p->uses_first[slot], uses = p->uses_first[slot + 1] - first;
    const weir__definition *definition = NULL;
    char hint[200] = "";
    weir_buffer why = {0};
    if (uses)
        definition = &p->flow->definitions.items[weir__use_consumer(p, p->uses[first])->definition];
    const char *reason = "nobody";
    bool judged = slot == weir__condition_slot(p, instance) && uses;
    if (judged && p->judged[it->first_condition + weir__use_consumer(p, p->uses[first])->slot] ==
                      WEIR__JUDGED_FALSE) {
        reason = "false";
        weir_buffer_printf(&why, "`%.*s` is false", WEIR_ARG(definition->name));
    } else if (!uses) {
        weir_buffer_text(&why, "nobody makes it: the flow names no source of it");
    } else if (definition->validate.length) {
        reason = "validator";
        weir_buffer_printf(&why,
                           "inputs of `%.*s` go to the validator `%.*s`: read what that gives",
                           WEIR_ARG(definition->name), WEIR_ARG(definition->validate));
    } else {
        weir_buffer_printf(&why, "nobody makes `%.*s`, and it is not given",
                           WEIR_ARG(definition->name));
        if (!p->outside)
            snprintf(hint, sizeof hint, "give it: %.80s=VALUE, or add it to `seed`",
                     definition->name.data);
    }
    say_missing(t, instance, slot, new_detail(t, it->name, reason), hint, why.data);
    weir_buffer_deinit(&why);
}

static void say_slot(telling *t, uint32_t instance, uint32_t slot) {
    const weir__flow_proof *p = t->p;
    uint32_t waited = WEIR__NONE, lost = WEIR__NONE;
    for (uint32_t u = p->uses_first[slot]; u < p->uses_first[slot + 1]; u++) {
        uint32_t maker = p->makers[p->uses[u].origin];
        if (maker == WEIR__NONE) continue;
        if (p->runs[maker] != WEIR__NEVER)
            lost = maker;
        else if (weir__wait_in_turn(&t->waits, instance, maker)) {
            say_cycle(t, instance, slot, maker);
            return;
        } else if (waited == WEIR__NONE) {
            waited = maker;
        }
    }
    if (waited != WEIR__NONE)
        say_waiting(t, instance, slot, waited);
    else if (lost != WEIR__NONE)
        say_lost(t, instance, slot, lost);
    else
        say_ungiven(t, instance, slot);
}

/* Of an instance that lacks no input: nobody lets it run. */
static void say_left_out(telling *t, uint32_t instance) {
    const weir__instance *it = &t->p->flow->instances.items[instance];
    weir_buffer path = {0};
    weir__component_path(t->p, it->name, "", WEIR_STR(""), &path);
    weir_proof_add(t->prover->proof, 0, path.data, t->wrong[instance] ? WEIR_INVALID : WEIR_OK,
                   new_detail(t, it->name, it->validator ? "validator" : "flow"), "",
                   it->validator ? "%.*s: no input comes that it is to validate"
                                 : "%.*s: the flow leaves it out, so it never runs",
                   WEIR_ARG(it->name));
    weir_buffer_deinit(&path);
}

static void say_stuck(telling *t, uint32_t instance) {
    const weir__instance *it = &t->p->flow->instances.items[instance];
    if (!weir_proof_has_room(t->prover->proof, t->wrong[instance] ? WEIR_INVALID : WEIR_OK)) {
        t->prover->proof->errors += t->wrong[instance];
        t->prover->proof->warnings += !t->wrong[instance];
        return;
    }
    if (it->validator || (it->parameters.count && !it->in_flow)) {
        say_left_out(t, instance);
        return;
    }
    for (uint32_t slot = t->p->first[instance]; slot < t->p->first[instance + 1]; slot++) {
        bool needed = slot < weir__condition_slot(t->p, instance) || weir__is_conditional(it);
        if (needed && t->p->slots[slot] == WEIR__NEVER) say_slot(t, instance, slot);
    }
}

/* --- what is wanted ------------------------------------------------------------------------------- */

/* Those that a stuck instance waits for are wrong with it. */
static void blame(telling *t, uint32_t instance) {
    const weir__flow_proof *p = t->p;
    WEIR_VECTOR(uint32_t) todo = {0};
    if (p->runs[instance] != WEIR__NEVER || t->wrong[instance]) return;
    t->wrong[instance] = true;
    *weir_vector_push(&todo) = instance;
    while (todo.count) {
        uint32_t at = todo.items[--todo.count];
        for (uint32_t slot = p->first[at]; slot < p->first[at + 1]; slot++)
            for (uint32_t u = p->uses_first[slot];
                 p->slots[slot] == WEIR__NEVER && u < p->uses_first[slot + 1]; u++) {
                uint32_t maker = p->makers[p->uses[u].origin];
                if (maker == WEIR__NONE || p->runs[maker] || t->wrong[maker]) continue;
                t->wrong[maker] = true;
                *weir_vector_push(&todo) = maker;
            }
    }
    weir_vector_deinit(&todo);
}

typedef struct asked {
    telling *t;
    uint32_t instance;
} asked;

static void say_unmade(telling *t, uint32_t instance, weir_str name) {
    weir_buffer path = {0};
    weir_error near = {0};
    uint64_t d;
    bool known = weir__definition_find(t->p->flow, name, &d);
    if (!known) weir__dataflow_hint_definition(t->p->flow, name, &near);
    weir__component_path(t->p, name_of(t->p, instance), "", WEIR_STR(""), &path);
    weir_value *detail = new_detail(t, name_of(t->p, instance), "asks");
    weir_member_put_text(detail, "definition", name);
    bool certain = t->p->runs[instance] == WEIR__SURE;
    weir_proof_add(t->prover->proof, 0, path.data, certain ? WEIR_INVALID : WEIR_OK, detail,
                   near.hint, "%.*s: it asks for `%.*s`, %s", WEIR_ARG(name_of(t->p, instance)),
                   WEIR_ARG(name),
                   !known          ? "and there is no such definition"
                   : t->p->made[d] ? "whose makers never run"
                                   : "which nobody makes, and is not given");
    weir_buffer_deinit(&path);
}

static void look_at_asked(void *arg, weir_str name) {
    asked *a = arg;
    const weir__flow_proof *p = a->t->p;
    uint64_t d;
    bool known = weir__definition_find(p->flow, name, &d);
    if (known && p->open && !p->made[d] && p->by_definition[d] == WEIR__NONE)
        p->asked_for[d] = true;
    if (known && p->there[d] != WEIR__NEVER) return;
    say_unmade(a->t, a->instance, name);
    for (uint32_t i = 0; known && i < p->flow->instances.count; i++)
        for (size_t o = 0; o < p->flow->instances.items[i].outputs.count; o++)
            if (p->flow->instances.items[i].outputs.items[o].definition == d) blame(a->t, i);
}

static void look_at_wanted(telling *t) {
    const weir__flow_proof *p = t->p;
    bool outputs = false;
    for (uint32_t i = 0; i < p->flow->instances.count; i++)
        outputs |= p->flow->instances.items[i].stage == WEIR_STAGE_OUTPUT;
    for (uint32_t i = 0; i < p->flow->instances.count; i++) {
        const weir__instance *it = &p->flow->instances.items[i];
        if (!outputs && !it->validator) blame(t, i);
        if (it->stage != WEIR_STAGE_OUTPUT || it->validator) continue;
        asked a = {.t = t, .instance = i};
        if (p->runs[i])
            weir__each_asked(t->prover, p, i, look_at_asked, &a);
        else
            blame(t, i);
    }
}

/* --- what may not run ----------------------------------------------------------------------------- */

/* What it hangs on: a condition of its own, an output that may be empty, or another that may not run. */
static void why_doubtful(const weir__flow_proof *p, uint32_t instance, weir_buffer *out) {
    const weir__instance *it = &p->flow->instances.items[instance];
    for (uint32_t slot = p->first[instance + 1]; slot-- > p->first[instance];) {
        bool condition = slot == weir__condition_slot(p, instance);
        if (p->slots[slot] != WEIR__MAY || (condition && !weir__is_conditional(it))) continue;
        uint32_t use = p->uses_first[slot];
        while (use + 1 < p->uses_first[slot + 1] && !p->comes[p->uses[use].origin]) use++;
        const weir__origin *origin = &p->flow->origins.items[p->uses[use].origin];
        uint32_t maker = p->makers[p->uses[use].origin];
        uint32_t definition = weir__use_consumer(p, p->uses[use])->definition;
        if (condition && definition != WEIR__NONE)
            weir_buffer_printf(out, "when `%.*s` is not true",
                               WEIR_ARG(p->flow->definitions.items[definition].name));
        else if (maker == WEIR__NONE)
            weir_buffer_printf(out, "when `%.*s` is not given",
                               WEIR_ARG(p->flow->definitions.items[definition].name));
        else if (p->runs[maker] == WEIR__SURE)
            weir_buffer_printf(out, "when `%.*s` of %.*s gives nothing", WEIR_ARG(origin->text),
                               WEIR_ARG(name_of(p, maker)));
        else
            weir_buffer_printf(out, "when %.*s does not run", WEIR_ARG(name_of(p, maker)));
        return;
    }
    weir_buffer_text(out, "when its inputs do not come");
}

static void say_doubtful(telling *t, uint32_t instance) {
    const weir__flow_proof *p = t->p;
    const weir__instance *it = &p->flow->instances.items[instance];
    if (!weir__is_conditional(it) || p->slots[weir__condition_slot(p, instance)] != WEIR__MAY)
        return; /* those that it hangs on are said */
    weir_buffer why = {0}, path = {0};
    why_doubtful(p, instance, &why);
    weir__component_path(p, it->name, "conditions", WEIR_STR(""), &path);
    weir_value *detail = new_detail(t, it->name, "condition");
    weir_member_put_text(detail, "when", weir_buffer_str(&why));
    weir_proof_add(t->prover->proof, 0, path.data, WEIR_OK, detail, "", "%.*s may not run, %s",
                   WEIR_ARG(it->name), why.data);
    weir_buffer_deinit(&why);
    weir_buffer_deinit(&path);
}

static void list_doubtful(telling *t, uint32_t instance) {
    weir_value *summary = t->prover->proof->summary, *listed = weir_member_named(summary, "may");
    if (listed && weir_value_count(listed) >= WEIR_PROOF_LISTED_MAX) return;
    weir_buffer why = {0};
    weir_value *item = weir_object_new();
    if (t->p->runs[instance] == WEIR__MAY)
        why_doubtful(t->p, instance, &why);
    else
        weir_buffer_text(&why, "in some contexts");
    weir_member_put(item, "component", weir__component_name(t->p, name_of(t->p, instance)));
    weir_member_put_text(item, "when", weir_buffer_str(&why));
    weir_proof_list(t->prover->proof, "may", item);
    weir_buffer_deinit(&why);
}

/* Counts, over all contexts that were looked at. */
static void summarize(telling *t) {
    const weir__flow_proof *p = t->p;
    const uint8_t *seen = t->prover->seen[p->flow->number];
    size_t count = 0, run = 0, never = 0;
    for (uint32_t i = 0; i < p->flow->instances.count; i++) {
        if (!p->outside && i == t->prover->plan->gatherer) continue; /* nobody wrote it */
        count++;
        run += seen[i] == 1u << WEIR__SURE;
        never += seen[i] == 1u << WEIR__NEVER;
        if (seen[i] == 1u << WEIR__NEVER)
            weir_proof_list(t->prover->proof, "never", weir__component_name(p, name_of(p, i)));
        else if (seen[i] != 1u << WEIR__SURE)
            list_doubtful(t, i);
    }
    weir_proof_count(t->prover->proof, "operations", count);
    weir_proof_count(t->prover->proof, "run", run);
    weir_proof_count(t->prover->proof, "may_not_run", count - run - never);
    weir_proof_count(t->prover->proof, "never_run", never);
}

/* --- what is to be given -------------------------------------------------------------------------- */

static void need(telling *t, uint32_t definition, uint32_t origin) {
    const weir__flow *flow = t->p->flow;
    weir_value *item = weir_object_new();
    weir_member_put_text(item, "definition", flow->definitions.items[definition].name);
    weir_str primitive = flow->definitions.items[definition].primitive;
    if (primitive.length) weir_member_put_text(item, "primitive", primitive);
    if (origin != WEIR__NONE && origin != flow->seed_origin)
        weir_member_put_text(item, "origin", flow->origins.items[origin].text);
    weir_proof_list(t->prover->proof, "needs", item);
}

static bool only_from(const weir__flow_proof *p, uint32_t slot) {
    return p->uses_first[slot + 1] - p->uses_first[slot] == 1;
}

/* Of the file's own flow: what nobody but the outside can give, once each. */
static void list_needs(telling *t) {
    const weir__flow_proof *p = t->p;
    uint32_t *stamps = weir_alloc((p->flow->definitions.count + 1) * sizeof *stamps);
    for (uint32_t o = 0; o < p->flow->origins.count; o++) {
        if (!weir__is_outside(p, o)) continue;
        for (uint32_t k = p->by_origin[o]; k != WEIR__NONE; k = p->next_of_origin[k])
            stamps[weir__given_at(p, k)->definition] = o + 1;
        for (size_t i = 0; i < p->flow->origins.items[o].consumers.count; i++) {
            const weir__consumer *c = &p->flow->origins.items[o].consumers.items[i];
            if (!weir__takes_something(c)) continue;
            uint32_t slot = c->condition ? weir__condition_slot(p, c->instance)
                                         : p->first[c->instance] + c->slot;
            if (stamps[c->definition] == o + 1 || !only_from(p, slot)) continue;
            if (p->flow->definitions.items[c->definition].default_value) continue;
            stamps[c->definition] = o + 1;
            need(t, c->definition, o);
        }
    }
    for (uint32_t d = 0; d < p->flow->definitions.count; d++) {
        bool validated = p->flow->definitions.items[d].validator != WEIR__NONE &&
                         p->by_definition[d] == WEIR__NONE && !p->made[d];
        if (!stamps[d] && (p->asked_for[d] || validated)) need(t, d, WEIR__NONE);
    }
    weir_free(stamps);
}

/* Whether each context ends well when no operation fails, whatever conditions come to. */
static void note_certain(weir_value *summary, bool sure) {
    const weir_value *before = weir_member_named(summary, "certain");
    weir_member_put(summary, "certain", weir_bool_new(sure && (!before || weir_bool_get(before))));
}

void weir__prove_say(weir__prover *prover, const weir__flow_proof *p) {
    telling t = {.prover = prover, .p = p};
    size_t count = p->flow->instances.count;
    uint8_t most = p->outside ? p->outside->runs[p->caller] : WEIR__SURE;
    uint8_t **seen = &prover->seen[p->flow->number];
    if (!*seen) *seen = weir_alloc(count + 1);
    t.wrong = weir_alloc(count + 1);
    weir__waits_init(&t.waits, p);
    look_at_wanted(&t);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t level = p->runs[i] < most ? p->runs[i] : most;
        (*seen)[i] |= (uint8_t)(1u << level);
        if (level == WEIR__NEVER)
            say_stuck(&t, i);
        else if (p->runs[i] == WEIR__MAY)
            say_doubtful(&t, i);
    }
    if (!p->outside) note_certain(prover->proof->summary, p->sure);
    if (prover->last) summarize(&t);
    if (!p->outside && p->open) list_needs(&t);
    weir__waits_deinit(&t.waits);
    weir_free(t.wrong);
}

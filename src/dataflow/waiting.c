/* Contexts that are given from outside, and wait until there is a place for them. What is sent to one meanwhile is with
 * its first inputs when it begins. */
#include "dataflow/coordinator_internal.h"

/* In `names`: what is above it is no context's number, but the ordinal of one that waits. */
#define WAITS (UINT64_C(1) << 32)

/* Takes the givens over. */
static void add_waiting(weir__dataflow *c, weir_str name, weir__givens givens, bool held) {
    if (c->waiting.count == c->waiting.capacity && c->waiting_at > c->waiting.count / 2) {
        c->waiting.count -= c->waiting_at;
        memmove(c->waiting.items, c->waiting.items + c->waiting_at,
                c->waiting.count * sizeof *c->waiting.items);
        c->waiting_at = 0;
    }
    weir__waiting *waiting = weir_vector_push(&c->waiting);
    *waiting = (weir__waiting){weir_str_dup(name), ++c->given, givens, held, false};
    if (held) weir_map_set(&c->names, weir_str_from(waiting->name), WAITS + waiting->ordinal);
}

/* The one of the ordinal, which waits. */
static weir__waiting *waiting_at(const weir__dataflow *c, uint64_t ordinal) {
    size_t low = c->waiting_at, high = c->waiting.count;
    while (low + 1 < high) {
        size_t middle = low + (high - low) / 2;
        if (c->waiting.items[middle].ordinal <= ordinal)
            low = middle;
        else
            high = middle;
    }
    return &c->waiting.items[low];
}

/* The held context of the name that waits and takes more; NULL: there is none. */
static weir__waiting *find_waiting(const weir__dataflow *c, weir_str name) {
    uint64_t at;
    if (!weir_map_get(&c->names, name, &at) || at < WAITS || c->failed || c->cancelled) return NULL;
    weir__waiting *waiting = waiting_at(c, at - WAITS);
    return waiting->closed ? NULL : waiting;
}

bool weir__dataflow_fits_waiting(const weir__dataflow *c, const weir_event *event) {
    if (event->type == WEIR_INPUTS_GIVEN &&
        !weir_is(weir_member_named(event->data, "inputs"), WEIR_ARRAY))
        return false;
    return find_waiting(c, weir_member_text(event->data, "name")) != NULL;
}

void weir__dataflow_send_waiting(weir__dataflow *c, const weir_event *event) {
    weir__waiting *waiting = find_waiting(c, weir_member_text(event->data, "name"));
    weir_assert(waiting);
    waiting->closed = event->type == WEIR_CONTEXT_CLOSED;
    if (waiting->closed) return;
    /* What is wrong with them was said when they were given. */
    (void)!weir__givens_parse(c->plan->flows.items[0], weir_member_named(event->data, "inputs"),
                              &waiting->givens, NULL);
}

bool weir__dataflow_fits_given(const weir__dataflow *c, const weir_event *event) {
    const weir_value *name = weir_member_named(event->data, "name");
    return weir_is(name, WEIR_STRING) &&
           weir_is(weir_member_named(event->data, "inputs"), WEIR_ARRAY) &&
           !(event->number && weir_map_get(&c->names, weir_string_get(name), NULL));
}

static void forget_checked(weir__dataflow *c) {
    weir_value_unref(c->checked_of);
    weir__givens_deinit(&c->checked);
    c->checked_of = NULL;
    c->checked = (weir__givens){0};
}

/* What was looked at a moment ago, as a rule. What is wrong with them was said then. */
static weir__givens read_given(weir__dataflow *c, const weir_value *inputs) {
    weir__givens givens = {0};
    if (inputs && inputs == c->checked_of) {
        givens = c->checked;
        c->checked = (weir__givens){0};
        forget_checked(c);
    } else {
        (void)!weir__givens_parse(c->plan->flows.items[0], inputs, &givens, NULL);
    }
    return givens;
}

void weir__dataflow_take_given(weir__dataflow *c, const weir_event *event) {
    weir__givens givens = read_given(c, weir_member_named(event->data, "inputs"));
    add_waiting(c, weir_member_text(event->data, "name"), givens, event->number != 0);
}

weir__waiting weir__dataflow_take_waiting(weir__dataflow *c) {
    weir__waiting waiting = c->waiting.items[c->waiting_at++];
    if (c->waiting_at == c->waiting.count) c->waiting_at = c->waiting.count = 0;
    return waiting;
}

weir__context *weir__dataflow_new_own(weir__dataflow *c) {
    const weir__flow *flow = c->plan->flows.items[0];
    weir__context *context;
    if (c->planned < c->plan->contexts.count) {
        const weir__context_plan *given = &c->plan->contexts.items[c->planned++];
        context = weir__dataflow_new_context(c, flow, given->name, NULL);
        context->given = &given->inputs;
        context->stream = weir__context_stream(c->owner.seed, given->name, 0);
    } else {
        weir__waiting waiting = weir__dataflow_take_waiting(c);
        weir_str name = weir_str_from(waiting.name);
        context = weir__dataflow_new_context(c, flow, name, waiting.name);
        context->stream = weir__context_stream(c->owner.seed, name, waiting.ordinal);
        context->own = waiting.givens;
        context->given = &context->own;
        context->held = waiting.held;
        context->closed = waiting.closed;
        if (context->held) weir_map_set(&c->names, name, context->id);
    }
    context->keeps_given = weir__flow_can_go_ahead(flow) && c->base.recorded && !context->held;
    c->open++;
    c->opened++;
    return context;
}

void weir__dataflow_free_waiting(weir__dataflow *c) {
    for (size_t i = c->waiting_at; i < c->waiting.count; i++) {
        weir_free(c->waiting.items[i].name);
        weir__givens_deinit(&c->waiting.items[i].givens);
    }
    weir_vector_deinit(&c->waiting);
    forget_checked(c);
}

/* --- what may be given ------------------------------------------------------------------------ */

bool weir_dataflow_takes_contexts(const weir_coordinator *base) {
    const weir__dataflow *c = (const weir__dataflow *)base;
    return c->plan->open && !c->ended && !c->failed && !c->cancelled && !c->finished;
}

bool weir_dataflow_is_full(const weir_coordinator *base) {
    const weir__dataflow *c = (const weir__dataflow *)base;
    return c->waiting.count - c->waiting_at >= WEIR__CONTEXTS_WAITING_MAX;
}

bool weir_dataflow_has_context(const weir_coordinator *base, weir_str name) {
    return weir_map_get(&((const weir__dataflow *)base)->names, name, NULL);
}

bool weir_dataflow_find_context(const weir_coordinator *base, weir_str name, uint32_t *out) {
    const weir__dataflow *c = (const weir__dataflow *)base;
    uint64_t at;
    *out = 0;
    if (!weir_map_get(&c->names, name, &at)) return false;
    if (at >= WAITS) return find_waiting(c, name) != NULL;
    const weir__context *context = weir__dataflow_context(c, at);
    *out = (uint32_t)at;
    return !context->closed && !context->halted && context->stage == WEIR_STAGE_PROCESSING;
}

weir_str weir_dataflow_context_name(const weir_coordinator *base, uint32_t context) {
    return weir__dataflow_context((const weir__dataflow *)base, context)->name;
}

bool weir_dataflow_give(weir_coordinator *base, weir_str name, const weir_value *inputs, bool held,
                        weir_error *error) {
    weir__dataflow *c = (weir__dataflow *)base;
    weir_assert(!base->recorded);
    weir__givens givens = {0};
    bool ok = weir__givens_parse(c->plan->flows.items[0], inputs, &givens, error);
    if (ok)
        add_waiting(c, name, givens, held);
    else
        weir__givens_deinit(&givens);
    return ok;
}

bool weir_dataflow_check_inputs(weir_coordinator *base, const weir_value *inputs, bool next,
                                weir_error *error) {
    weir__dataflow *c = (weir__dataflow *)base;
    forget_checked(c);
    bool ok = weir__givens_parse(c->plan->flows.items[0], inputs, &c->checked, error);
    if (ok && next)
        c->checked_of = weir_value_ref((weir_value *)inputs);
    else
        forget_checked(c);
    return ok;
}

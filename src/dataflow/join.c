/* Joining: which parameter sets are new. */
#include "dataflow/context.h"

/* A parameter without inputs takes its definition's default, which counts as one old input. */
static bool takes_default(const weir__flow *flow, const weir__instance *instance,
                          const weir__slot *slot, size_t p) {
    return slot->count == 0 &&
           flow->definitions.items[instance->parameters.items[p].definition].default_value;
}

uint64_t weir__context_count_sets(const weir__context *context, uint32_t at) {
    const weir__flow *flow = context->flow;
    const weir__instance *instance = &flow->instances.items[at];
    const weir__firing *firing = &context->firings[at];
    size_t parameters = instance->parameters.count;
    /* It may have been touched in an earlier stage. */
    if (instance->stage != context->stage) return 0;
    if (parameters && !instance->in_flow) return 0;
    if (instance->condition_sources && !firing->conditions_true) return 0;
    uint64_t all = 1, old = 1;
    bool only_defaults = true;
    for (size_t p = 0; p < parameters; p++) {
        const weir__slot *slot = &context->slots[instance->first_slot + p];
        if (takes_default(flow, instance, slot, p)) continue;
        only_defaults = false;
        if (!slot->count) return 0;
        if (all && slot->count > UINT32_MAX / all) return UINT64_MAX;
        all *= slot->count;
        old *= slot->joined;
    }
    if (only_defaults) return firing->fired ? 0 : 1;
    return all - old;
}

typedef struct range {
    const uint32_t *items; /* NULL: the default */
    uint32_t from, to, at;
} range;

static void make_set(weir__context *context, uint32_t instance, const range *ranges, size_t count) {
    uint32_t set = (uint32_t)context->sets.count;
    weir_vector_reserve(&context->sets, count + 1);
    uint32_t *out = context->sets.items + set;
    *out++ = (uint32_t)count;
    for (size_t p = 0; p < count; p++)
        *out++ = ranges[p].items ? ranges[p].items[ranges[p].at] : WEIR__DEFAULT;
    context->sets.count += count + 1;
    uint32_t locks = 0;
    if (context->flow->locks) weir__context_locks(context, set, &locks);
    weir__pending pending = {instance, set};
    if (context->flow->instances.items[instance].call && !locks)
        *weir_vector_push(&context->calls) = pending;
    else
        *weir_vector_push(&context->wanted) = pending;
    context->firings[instance].sets++;
}

/* Every combination of the ranges, the last parameter fastest. */
static void combine(weir__context *context, uint32_t instance, range *ranges, size_t count) {
    for (size_t p = 0; p < count; p++) {
        if (ranges[p].from == ranges[p].to) return;
        ranges[p].at = ranges[p].from;
    }
    for (;;) {
        make_set(context, instance, ranges, count);
        size_t p = count;
        while (p > 0 && ++ranges[p - 1].at == ranges[p - 1].to) {
            p--;
            ranges[p].at = ranges[p].from;
        }
        if (p == 0) return;
    }
}

void weir__context_join(weir__context *context, uint32_t at, const uint32_t *upto) {
    const weir__instance *instance = &context->flow->instances.items[at];
    weir__firing *firing = &context->firings[at];
    weir__slot *slots = &context->slots[instance->first_slot];
    size_t count = instance->parameters.count;
    range ranges[WEIR__PARAMETERS_MAX];
    bool only_defaults = true;
    for (size_t p = 0; p < count; p++) {
        bool otherwise = takes_default(context->flow, instance, &slots[p], p);
        ranges[p].items = otherwise ? NULL : weir__slot_items(&slots[p]);
        only_defaults &= otherwise;
    }
    for (size_t pivot = 0; pivot < count || (only_defaults && pivot == count); pivot++) {
        if (pivot < count && !ranges[pivot].items) continue;
        for (size_t p = 0; p < count; p++) {
            ranges[p].from = p == pivot ? slots[p].joined : 0;
            ranges[p].to = p < pivot ? slots[p].joined : upto[p];
            if (!ranges[p].items) ranges[p].to = 1;
        }
        combine(context, at, ranges, count);
    }
    for (size_t p = 0; p < count; p++) slots[p].joined = upto[p];
    if (instance->unary && slots->joined == slots->count) slots->joined = slots->count = 0;
    firing->fired = true;
}

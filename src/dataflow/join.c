/* Joining: which parameter sets are new. */
#include "dataflow/context.h"

/* A parameter without inputs takes its definition's default, which counts as one old input. */
static bool takes_default(const weir__flow *flow, const weir__lean_instance *instance,
                          const weir__slot *slot, size_t p) {
    if (weir__slot_count(slot) || !instance->form->defaults) return false;
    uint32_t definition = flow->parameter_definitions.items[instance->first_parameter + p];
    return flow->definitions.items[definition].default_value != NULL;
}

bool weir__context_has_room(const weir__context *context, uint32_t instance, uint64_t sets) {
    uint64_t waiting =
        (context->calls.count - context->calls_at) + (context->wanted.count - context->wanted_at);
    if (sets > weir__limits.sets || sets + waiting > weir__limits.sets) return false;
    uint64_t numbers =
        sets * (weir__lean_of(context->flow, instance)->form->parameters + (uint64_t)1);
    return context->sets.count + numbers <= weir__limits.places;
}

uint64_t weir__context_count_sets(const weir__context *context,
                                  const weir__lean_instance *instance) {
    const weir__flow *flow = context->flow;
    const weir__firing *firing = weir__firing_at(context, instance->firing);
    const weir__slot *slots = weir__slots_behind(firing);
    size_t parameters = instance->form->parameters;
    /* It may have been touched in an earlier stage. */
    if (instance->form->stage != (uint8_t)context->stage) return 0;
    if (parameters && !instance->form->in_flow) return 0;
    if (instance->form->conditional && !firing->conditions_true) return 0;
    uint64_t all = 1, old = 1;
    bool only_defaults = true;
    for (size_t p = 0; p < parameters; p++) {
        if (takes_default(flow, instance, &slots[p], p)) continue;
        only_defaults = false;
        uint64_t count = weir__slot_count(&slots[p]);
        if (!count) return 0;
        if (__builtin_mul_overflow(all, count, &all)) return UINT64_MAX;
        old *= weir__slot_joined(&slots[p]);
    }
    if (only_defaults) return firing->fired ? 0 : 1;
    return all - old;
}

typedef struct range {
    const uint32_t *items; /* NULL: the default */
    uint32_t from, to, at;
    uint32_t one; /* what `items` points at where there is just one */
} range;

static void make_set(weir__context *context, uint32_t instance, const range *ranges, size_t count) {
    uint32_t set = weir__context_new_set(context, (uint32_t)count);
    uint32_t *out = context->sets.items + set + 1;
    for (size_t p = 0; p < count; p++)
        *out++ = ranges[p].items ? ranges[p].items[ranges[p].at] : WEIR__DEFAULT;
    weir__context_queue_set(context, instance, set);
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
    const weir__lean_instance *instance = weir__lean_of(context->flow, at);
    weir__firing *firing = weir__firing_at(context, instance->firing);
    weir__slot *slots = weir__slots_behind(firing);
    size_t count = instance->form->parameters;
    range ranges[WEIR__PARAMETERS_MAX];
    bool only_defaults = true;
    for (size_t p = 0; p < count; p++) {
        bool otherwise = takes_default(context->flow, instance, &slots[p], p);
        if (!otherwise && slots[p].state != WEIR__MANY)
            ranges[p].one = weir__slot_input(&slots[p], 0);
        ranges[p].items = otherwise                      ? NULL
                          : slots[p].state == WEIR__MANY ? slots[p].of.block->items
                                                         : &ranges[p].one;
        only_defaults &= otherwise;
    }
    for (size_t pivot = 0; pivot < count || (only_defaults && pivot == count); pivot++) {
        if (pivot < count && !ranges[pivot].items) continue;
        for (size_t p = 0; p < count; p++) {
            uint32_t joined = weir__slot_joined(&slots[p]);
            ranges[p].from = p == pivot ? joined : 0;
            ranges[p].to = p < pivot ? joined : upto[p];
            if (!ranges[p].items) ranges[p].to = 1;
        }
        combine(context, at, ranges, count);
    }
    for (size_t p = 0; p < count; p++) weir__slot_join(&slots[p], upto[p]);
    if (count == 1 && upto[0] == weir__slot_count(slots)) weir__slot_clear(slots);
    firing->fired = 1;
}

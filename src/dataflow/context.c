#include "dataflow/context.h"

void weir__context_open(weir__context *context, const weir_dataflow_plan *plan) {
    context->opened = true;
    context->results = weir_object_new();
    context->firings = weir_alloc((plan->instances.count + 1) * sizeof *context->firings);
    for (size_t i = 0; i < plan->instances.count; i++) {
        const weir__instance *instance = &plan->instances.items[i];
        weir__firing *firing = &context->firings[i];
        firing->slots = weir_alloc((instance->parameters.count + 1) * sizeof *firing->slots);
        firing->conditions = weir_alloc(instance->condition_sources + 1);
        memset(firing->conditions, -1, instance->condition_sources + 1);
    }
}

void weir__context_release(weir__context *context, const weir_dataflow_plan *plan) {
    for (size_t i = 0; i < context->inputs.count; i++)
        weir_value_unref(context->inputs.items[i].value);
    weir_vector_deinit(&context->inputs);
    weir_vector_deinit(&context->sets);
    for (size_t i = 0; context->firings && i < plan->instances.count; i++) {
        weir__firing *firing = &context->firings[i];
        size_t parameters = firing->slots ? plan->instances.items[i].parameters.count : 0;
        for (size_t p = 0; p < parameters; p++) weir_free(firing->slots[p].items);
        weir_free(firing->slots);
        weir_free(firing->conditions);
        firing->slots = NULL;
        firing->conditions = NULL;
    }
    weir_value_unref(context->results);
    context->results = NULL;
}

void weir__context_free(weir__context *context, const weir_dataflow_plan *plan) {
    weir__context_release(context, plan);
    weir_free(context->firings);
    context->firings = NULL;
}

static void give(weir__context *context, const weir__consumer *consumer, uint32_t input,
                 const weir_value *value) {
    weir__firing *firing = &context->firings[consumer->instance];
    if (!consumer->condition) {
        *weir_vector_push(&firing->slots[consumer->slot]) = input;
        return;
    }
    signed char *condition = &firing->conditions[consumer->slot];
    bool truth = weir_value_truth(value);
    if (*condition == 1) firing->conditions_true--;
    if (truth) firing->conditions_true++;
    *condition = truth;
}

void weir__context_add(weir__context *context, const weir_dataflow_plan *plan, weir__input input,
                       void (*touch)(void *arg, uint32_t instance), void *arg) {
    uint32_t at = (uint32_t)context->inputs.count;
    *weir_vector_push(&context->inputs) = input;
    const weir__origin *origin = &plan->origins.items[input.origin];
    for (size_t i = 0; i < origin->consumers.count; i++) {
        const weir__consumer *consumer = &origin->consumers.items[i];
        if (consumer->definition != input.definition) continue;
        give(context, consumer, at, input.value);
        touch(arg, consumer->instance);
    }
}

/* A parameter without inputs takes its definition's default, which counts as one old input. */
static bool takes_default(const weir_dataflow_plan *plan, const weir__instance *instance,
                          const weir__slot *slot, size_t p) {
    return slot->count == 0 &&
           plan->definitions.items[instance->parameters.items[p].definition].default_value;
}

uint64_t weir__context_sets(const weir__context *context, const weir_dataflow_plan *plan,
                            uint32_t at) {
    const weir__instance *instance = &plan->instances.items[at];
    const weir__firing *firing = &context->firings[at];
    size_t parameters = instance->parameters.count;
    if (parameters && !instance->in_flow) return 0;
    if (instance->condition_sources && !firing->conditions_true) return 0;
    uint64_t all = 1, old = 1;
    bool only_defaults = true;
    for (size_t p = 0; p < parameters; p++) {
        const weir__slot *slot = &firing->slots[p];
        if (takes_default(plan, instance, slot, p)) continue;
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
    uint32_t from, to;
    bool is_default;
} range;

/* Every combination of the ranges, the last parameter fastest. */
static void combine(const weir__firing *firing, const range *ranges, size_t count, uint32_t *at,
                    uint32_t *set, void (*made)(void *arg, const uint32_t *set, size_t count),
                    void *arg) {
    for (size_t p = 0; p < count; p++) {
        if (ranges[p].from == ranges[p].to) return;
        at[p] = ranges[p].from;
    }
    for (;;) {
        for (size_t p = 0; p < count; p++)
            set[p] = ranges[p].is_default ? WEIR__DEFAULT : firing->slots[p].items[at[p]];
        made(arg, set, count);
        size_t p = count;
        while (p > 0 && ++at[p - 1] == ranges[p - 1].to) {
            p--;
            at[p] = ranges[p].from;
        }
        if (p == 0) return;
    }
}

void weir__context_join(weir__context *context, const weir_dataflow_plan *plan, uint32_t instance,
                        const uint32_t *upto,
                        void (*made)(void *arg, const uint32_t *set, size_t count), void *arg) {
    weir__firing *firing = &context->firings[instance];
    const weir__instance *what = &plan->instances.items[instance];
    size_t count = what->parameters.count;
    range *ranges = weir_alloc((count + 1) * sizeof *ranges);
    uint32_t *at = weir_alloc((count + 1) * sizeof *at),
             *set = weir_alloc((count + 1) * sizeof *set);
    bool only_defaults = true;
    for (size_t p = 0; p < count; p++) {
        ranges[p].is_default = takes_default(plan, what, &firing->slots[p], p);
        only_defaults &= ranges[p].is_default;
    }
    for (size_t pivot = 0; pivot < count || (only_defaults && pivot == count); pivot++) {
        if (pivot < count && ranges[pivot].is_default) continue;
        for (size_t p = 0; p < count; p++) {
            ranges[p].from = p == pivot ? firing->slots[p].joined : 0;
            ranges[p].to = p < pivot ? firing->slots[p].joined : upto[p];
            if (ranges[p].is_default) ranges[p].to = 1;
        }
        combine(firing, ranges, count, at, set, made, arg);
    }
    for (size_t p = 0; p < count; p++) firing->slots[p].joined = upto[p];
    firing->fired = true;
    weir_free(ranges);
    weir_free(at);
    weir_free(set);
}

#include "task/coordinator.h"

weir_plan *weir_plan_ref(weir_plan *plan) {
    if (plan) atomic_fetch_add_explicit(&plan->refs, 1, memory_order_relaxed);
    return plan;
}

void weir_plan_unref(weir_plan *plan) {
    if (!plan || atomic_fetch_sub_explicit(&plan->refs, 1, memory_order_acq_rel) != 1) return;
    weir_value *left_out = plan->left_out;
    plan->free(plan);
    weir_value_unref(left_out);
}

void weir_decide(weir_decisions *decisions, weir_event_type type, uint32_t context,
                 uint64_t subject, uint32_t number, weir_value *data, const weir_event_id *prev,
                 size_t prev_count) {
    /* Copied: `prev` may point into the state, which applying the event changes while others look at the event. */
    enum { FEW = 8 };
    weir_event_id few[FEW], *copy = few;
    if (prev_count > WEIR_EVENT_PREV_MAX) prev_count = WEIR_EVENT_PREV_MAX;
    if (prev_count > FEW) copy = weir_alloc(prev_count * sizeof *copy);
    if (prev_count) memcpy(copy, prev, prev_count * sizeof *copy);
    weir_event event = {.type = type,
                        .number = number,
                        .subject = subject,
                        .id = {context, 0},
                        .prev = copy,
                        .prev_count = prev_count,
                        .data = data};
    decisions->emit(decisions, &event);
    weir_value_unref(data);
    if (copy != few) weir_free(copy);
}

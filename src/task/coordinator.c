#include "task/coordinator.h"

void weir_decide(weir_decisions *decisions, weir_event_type type, uint32_t context, uint64_t subject,
                 uint32_t number, weir_value *data, const weir_event_id *prev, size_t prev_count) {
    if (prev_count > WEIR_EVENT_PREV_MAX) prev_count = WEIR_EVENT_PREV_MAX;
    weir_event event = {.type = type,
                        .number = number,
                        .subject = subject,
                        .id = {context, 0},
                        .prev = prev,
                        .prev_count = prev_count,
                        .data = data};
    decisions->emit(decisions, &event);
    weir_value_unref(data);
}

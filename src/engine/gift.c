#include "engine/gift.h"

#include "dataflow/plan.h"

void weir__gifts_deinit(weir__gifts *gifts) {
    for (size_t i = 0; i < gifts->items.count; i++) {
        weir_value_unref(gifts->items.items[i].name);
        weir_value_unref(gifts->items.items[i].inputs);
    }
    weir_vector_deinit(&gifts->items);
    weir_map_deinit(&gifts->held);
    *gifts = (weir__gifts){0};
}

static void note_context(weir__gifts *gifts, const weir_event *event) {
    weir__gift gift = {weir_value_ref(weir_member_named(event->data, "name")),
                       weir_value_ref(weir_member_named(event->data, "inputs")),
                       event->number != 0};
    if (gift.held) weir_map_set(&gifts->held, weir_string_get(gift.name), gifts->items.count);
    *weir_vector_push(&gifts->items) = gift;
}

/* The name is the event's while the context waits. */
static void note_more(weir__gifts *gifts, const weir_coordinator *coordinator,
                      const weir_event *event) {
    uint64_t at;
    weir_str name = event->id.context ? weir_dataflow_context_name(coordinator, event->id.context)
                                      : weir_member_text(event->data, "name");
    if (!weir_map_get(&gifts->held, name, &at)) return; /* the run forgot that it was given */
    weir__gift *gift = &gifts->items.items[at];
    if (event->type == WEIR_CONTEXT_CLOSED) {
        gift->held = false;
        weir_map_remove(&gifts->held, name);
        return;
    }
    const weir_value *inputs = weir_member_named(event->data, "inputs");
    gift->inputs = weir_value_own(gift->inputs);
    weir_array_append_all(gift->inputs, inputs);
}

void weir__gifts_note(weir__gifts *gifts, const weir_coordinator *coordinator,
                      const weir_event *event) {
    switch (event->type) {
    case WEIR_RUN_RESTARTED: weir__gifts_deinit(gifts); break; /* all come again */
    case WEIR_CONTEXT_GIVEN: note_context(gifts, event); break;
    case WEIR_INPUTS_GIVEN:
    case WEIR_CONTEXT_CLOSED: note_more(gifts, coordinator, event); break;
    case WEIR_CONTEXTS_ENDED: gifts->ended = true; break;
    default: break;
    }
}

void weir__gifts_give(const weir__gifts *gifts, bool last, weir_machine *machine, uint64_t now_us) {
    for (size_t i = 0; i < gifts->items.count; i++) {
        const weir__gift *gift = &gifts->items.items[i];
        weir_value *data = weir_object_new();
        weir_member_put(data, "name", weir_value_ref(gift->name));
        weir_member_put(data, "inputs", weir_value_ref(gift->inputs));
        weir_machine_given_again(machine, now_us, WEIR_CONTEXT_GIVEN, gift->held && !last, data);
    }
    if (gifts->ended || last)
        weir_machine_given_again(machine, now_us, WEIR_CONTEXTS_ENDED, 0, NULL);
}

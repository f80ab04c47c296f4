/* What an event is to those who look on: a value. */
#include "engine/engine_internal.h"

/* What an event's number is; NULL: nothing to say. */
static const char *number_name(weir_event_type type) {
    switch (type) {
    case WEIR_RUN_CANCELLED: return "terminate";
    case WEIR_CONTEXT_STAGED: return "stage";
    case WEIR_TASK_RETRIED: return "failures";
    case WEIR_MEMO_FOUND:
    case WEIR_MEMO_MISSED:
    case WEIR_RUN_SHORTENED:
    case WEIR_TASK_FINISHED: return NULL;
    case WEIR_TASK_RECALLED: return "kept";
    default: return weir_event_has_task(type) ? "attempt" : NULL;
    }
}

static weir_value *event_data(const weir_event *event) {
    weir_value *data = weir_is(event->data, WEIR_OBJECT)
                           ? weir_value_own(weir_value_ref(event->data))
                           : weir_object_new();
    if (weir_event_has_task(event->type))
        weir_member_put(data, "task", weir_int_new((int64_t)event->subject));
    const char *number = number_name(event->type);
    if (number) weir_member_put(data, number, weir_int_new(event->number));
    if (event->type == WEIR_TASK_FINISHED && event->number)
        weir_member_put(data, "cached", weir_bool_new(true));
    return data;
}

/* Takes the value over. */
static void show(weir_run *run, weir_value *value, void (*visit)(void *arg, weir_value *value),
                 void *arg) {
    if (run->engine->secrets.count) value = weir_secrets_mask_value(&run->engine->secrets, value);
    visit(arg, value);
    weir_value_unref(value);
}

static void show_call(weir_run *run, const weir_event *event,
                      void (*visit)(void *arg, weir_value *value), void *arg) {
    const weir_coordinator *coordinator = weir_machine_coordinator(run->machine);
    weir_value *start = weir_event_to_value(event), *end = weir_event_to_value(event);
    weir_value *start_data = weir_object_new(), *end_data = event_data(event);
    weir_value *prev = weir_array_new();
    weir_buffer id = {0};
    coordinator->class->describe(coordinator, event, start_data);
    for (size_t i = 0; i < weir_value_count(start_data); i++) {
        weir_str key = weir_object_key(start_data, i);
        if (!weir_str_is(key, "parameters"))
            weir_member_set(end_data, key, weir_value_ref(weir_object_at(start_data, i)));
    }
    weir_buffer_printf(&id, "%s.start", weir_member_text(start, "id").data);
    weir_member_put_text(start, "id", weir_buffer_str(&id));
    weir_member_put_text(start, "type", weir_str_from(weir_event_text(WEIR_ATTEMPT_STARTED)));
    weir_member_put(start, "data", start_data);
    weir_array_append(prev, weir_string_from(weir_buffer_str(&id)));
    weir_member_put_text(end, "type", weir_str_from(weir_event_text(WEIR_ATTEMPT_FINISHED)));
    weir_member_put(end, "prev", prev);
    weir_member_put(end, "data", end_data);
    weir_buffer_deinit(&id);
    show(run, start, visit, arg);
    show(run, end, visit, arg);
}

void weir__event_show(weir_run *run, const weir_event *event,
                      void (*visit)(void *arg, weir_value *value), void *arg) {
    /* Its others only say numbers. */
    if (event->type == WEIR_RUN_SHORTENED && !weir_member_named(event->data, "over")) return;
    if (event->type == WEIR_CALL_FINISHED) {
        show_call(run, event, visit, arg);
        return;
    }
    const weir_coordinator *coordinator = weir_machine_coordinator(run->machine);
    weir_value *value = weir_event_to_value(event), *data = event_data(event);
    coordinator->class->describe(coordinator, event, data);
    weir_member_put(value, "data", data);
    show(run, value, visit, arg);
}

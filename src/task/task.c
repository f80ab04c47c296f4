#include "task/task.h"

#include <stdio.h>

const char *weir_attempt_format(const weir_attempt_id *id, char out[static WEIR_ATTEMPT_TEXT]) {
    snprintf(out, WEIR_ATTEMPT_TEXT, "%s/%u/%u/%u", id->run, id->task, id->number, id->member);
    return out;
}

bool weir_attempt_equal(const weir_attempt_id *a, const weir_attempt_id *b) {
    return a->task == b->task && a->number == b->number && a->member == b->member &&
           strcmp(a->run, b->run) == 0;
}

bool weir_task_leaves(const weir_task_spec *spec) {
    return spec->executor.length && !weir_str_is(spec->executor, "inline");
}

bool weir_task_may_wait(const weir_task_spec *spec) {
    return weir_str_is(spec->executor, "process") && spec->kind == WEIR_TASK_WORK &&
           spec->members <= 1 && !spec->timeout_us && !spec->heartbeat_us &&
           !spec->resources.cpu_milli && !spec->resources.memory_bytes;
}

weir_attempt weir_attempt_hold(const weir_attempt *attempt) {
    weir_attempt held = *attempt;
    weir_plan_ref(held.plan);
    weir_value_ref(held.parameters);
    weir_value_ref(held.config);
    weir_value_ref(held.images);
    weir_value_ref(held.contexts);
    weir_value_ref(held.said);
    return held;
}

void weir_attempt_drop(weir_attempt *attempt) {
    weir_value_unref(attempt->parameters);
    weir_value_unref(attempt->config);
    weir_value_unref(attempt->images);
    weir_value_unref(attempt->contexts);
    weir_value_unref(attempt->said);
    weir_plan_unref(attempt->plan);
    attempt->plan = NULL;
    attempt->parameters = attempt->config = attempt->images = NULL;
    attempt->contexts = attempt->said = NULL;
}

static const char *const outcome_texts[WEIR_OUTCOME_KINDS] = {"succeeded", "failed", "errored",
                                                              "cancelled", "expired"};

const char *weir_outcome_text(weir_outcome_kind kind) {
    weir_assert(kind < WEIR_OUTCOME_KINDS);
    return outcome_texts[kind];
}

weir_outcome weir_outcome_failed(weir_outcome_kind kind, const char *code, const char *format,
                                 ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    weir_text_end_whole(message, sizeof message);
    weir_value *failure = weir_object_new();
    weir_member_put_text(failure, "code", weir_str_from(code));
    weir_member_put_text(failure, "message", weir_str_from(message));
    return (weir_outcome){.kind = kind, .failure = failure};
}

void weir_outcome_deinit(weir_outcome *outcome) {
    weir_value_unref(outcome->outputs);
    weir_value_unref(outcome->failure);
    weir_value_unref(outcome->usage);
    *outcome = (weir_outcome){0};
}

static void put_if(weir_value *object, const char *key, weir_value *value) {
    if (value) weir_member_put(object, key, weir_value_ref(value));
}

weir_value *weir_outcome_to_value(const weir_outcome *outcome) {
    weir_value *value = weir_object_new();
    weir_member_put_text(value, "outcome", weir_str_from(weir_outcome_text(outcome->kind)));
    put_if(value, "outputs", outcome->outputs);
    put_if(value, "failure", outcome->failure);
    put_if(value, "usage", outcome->usage);
    return value;
}

static weir_value *object_member(const weir_value *value, const char *key) {
    weir_value *member = weir_member_named(value, key);
    return weir_is(member, WEIR_OBJECT) ? weir_value_ref(member) : NULL;
}

weir_outcome weir_outcome_from_value(const weir_value *value) {
    weir_outcome outcome = {.kind = WEIR_OUTCOME_ERRORED,
                            .outputs = object_member(value, "outputs"),
                            .failure = object_member(value, "failure"),
                            .usage = object_member(value, "usage")};
    for (int kind = 0; kind < WEIR_OUTCOME_KINDS; kind++)
        if (weir_str_is(weir_member_text(value, "outcome"), outcome_texts[kind]))
            outcome.kind = (weir_outcome_kind)kind;
    return outcome;
}

void weir_report_deinit(weir_report *report) {
    weir_value_unref(report->data);
    report->data = NULL;
    weir_outcome_deinit(&report->outcome);
}

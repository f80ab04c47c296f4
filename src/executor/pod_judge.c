/* What came of a pod. */
#include <signal.h>

#include "executor/host.h"
#include "executor/pod_internal.h"

static const char *const role_texts[] = {
    [WEIR__ROLE_INIT] = "init", [WEIR__ROLE_SET] = "set", [WEIR__ROLE_SIDECAR] = "sidecar"};

static weir_value *describe(const weir__container *c) {
    weir_value *value = weir_object_new();
    weir_member_put_text(value, "name", c->name);
    weir_member_put_text(value, "role", weir_str_from(role_texts[c->role]));
    if (c->state == WEIR__OVER) weir_member_put(value, "exit_code", weir_int_new(c->exit_code));
    if (c->out_of_memory) weir_member_put(value, "out_of_memory", weir_bool_new(true));
    if (c->why.length) weir_member_put_text(value, "why", weir_buffer_str(&c->why));
    if (c->started_us) weir_member_put(value, "started_us", weir_int_new((int64_t)c->started_us));
    if (c->finished_us)
        weir_member_put(value, "finished_us", weir_int_new((int64_t)c->finished_us));
    return value;
}

/* Argo passes over how sidecars end that somebody ended. */
static bool counts(const weir__container *c) {
    if (!weir__container_failed(c)) return false;
    return c->role != WEIR__ROLE_SIDECAR || c->unbegun ||
           (!c->asked && c->exit_code != 128 + SIGKILL && c->exit_code != 128 + SIGTERM);
}

/* Whose failure is the attempt's: what could not begin, then init containers, the set, sidecars; those that nobody asked to end first. */
static const weir__container *decisive(const weir_pod *pod) {
    static const weir__pod_role order[] = {WEIR__ROLE_INIT, WEIR__ROLE_SET, WEIR__ROLE_SIDECAR};
    const weir__container *asked = NULL;
    for (size_t i = 0; i < pod->count; i++)
        if (pod->items[i].unbegun) return &pod->items[i];
    for (int r = 0; r < 3; r++) {
        for (size_t i = 0; i < pod->count; i++) {
            const weir__container *c = &pod->items[i];
            if (c->role != order[r] || !counts(c)) continue;
            if (!c->asked) return c;
            if (!asked) asked = c;
        }
    }
    return asked;
}

/* What all that ran at one moment had at most. */
static uint64_t memory_peak(const weir_pod *pod) {
    uint64_t most = 0;
    for (size_t i = 0; i < pod->count; i++) {
        uint64_t at = pod->items[i].started_us, sum = 0;
        for (size_t k = 0; at && k < pod->count; k++) {
            const weir__container *c = &pod->items[k];
            if (c->started_us && c->started_us <= at && (!c->finished_us || c->finished_us >= at))
                sum += c->memory_peak_bytes;
        }
        if (sum > most) most = sum;
    }
    return most;
}

static void put_usage(const weir_pod *pod, weir_outcome *outcome) {
    uint64_t cpu_us = 0;
    for (size_t i = 0; i < pod->count; i++) cpu_us += pod->items[i].cpu_us;
    weir_value_unref(outcome->usage);
    outcome->usage = weir_object_new();
    weir_member_put(outcome->usage, "wall_us",
                    weir_int_new((int64_t)(weir_clock_steady_us() - pod->begun_us)));
    weir_member_put(outcome->usage, "cpu_us", weir_int_new((int64_t)cpu_us));
    weir_member_put(outcome->usage, "memory_peak_bytes", weir_int_new((int64_t)memory_peak(pod)));
}

static weir_outcome failure_of(const weir__container *c) {
    weir_str why = weir_buffer_str(&c->why);
    weir_outcome outcome;
    if (c->unbegun && c->is_main)
        outcome = weir_outcome_failed(WEIR_OUTCOME_ERRORED, weir_code_text(c->code), "%.*s",
                                      WEIR_ARG(why));
    else if (c->unbegun)
        outcome = weir_outcome_failed(WEIR_OUTCOME_ERRORED, weir_code_text(c->code),
                                      "container `%.*s`: %.*s", WEIR_ARG(c->name), WEIR_ARG(why));
    else
        outcome =
            weir_outcome_failed(WEIR_OUTCOME_FAILED, weir_code_text(WEIR_OPERATION_FAILED),
                                "container `%.*s`: exit code %d", WEIR_ARG(c->name), c->exit_code);
    weir_member_put_text(outcome.failure, "container", c->name);
    weir_member_put(outcome.failure, "exit_code", weir_int_new(c->exit_code));
    if (c->signal) weir_member_put(outcome.failure, "signal", weir_int_new(c->signal));
    if (why.length) weir_member_put_text(outcome.failure, "why", why);
    if (c->out_of_memory) weir_member_put(outcome.failure, "out_of_memory", weir_bool_new(true));
    weir_str log = c->log ? weir_log_tail(c->log) : WEIR_STR("");
    if (log.length) weir_member_put(outcome.failure, "log", weir__text_new(log));
    return outcome;
}

void weir_pod_judge(weir_pod *pod, weir_outcome *outcome) {
    const weir__container *c = decisive(pod);
    bool ended = outcome->kind == WEIR_OUTCOME_CANCELLED;
    if (c && !ended && !(c->is_main && outcome->kind != WEIR_OUTCOME_SUCCEEDED)) {
        weir_outcome own = failure_of(c);
        weir_value_unref(outcome->failure);
        outcome->kind = own.kind;
        outcome->failure = own.failure;
    }
    put_usage(pod, outcome);
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < pod->count; i++) weir_array_append(list, describe(&pod->items[i]));
    if (!outcome->outputs) outcome->outputs = weir_object_new();
    weir_member_put(outcome->outputs, "containers", list);
}

#include "virtual_memo.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "virtual_executor.h"

void virtual_memo_deinit(virtual_memo *memo) {
    for (size_t i = 0; i < memo->entries.count; i++)
        weir_value_unref(memo->entries.items[i].outputs);
    for (size_t i = 0; i < memo->found.count; i++) weir_attempt_drop(&memo->found.items[i].attempt);
    weir_vector_deinit(&memo->entries);
    weir_vector_deinit(&memo->found);
}

static struct remembered *find(const virtual_memo *memo, uint64_t what) {
    for (size_t i = 0; i < memo->entries.count; i++)
        if (memo->entries.items[i].what == what) return &memo->entries.items[i];
    return NULL;
}

/* What another run gave, a pod or a whole template, for either serves; NULL: none did. */
static weir_value *given_by_another(uint64_t what) {
    char result[2] = {"0123456789"[what % 10]};
    bool known = what / 10 % 2, whole = what / 20 % 2;
    if (!known) return NULL;
    weir_value *outputs = weir_object_new();
    weir_member_put_text(outputs, "result", weir_str_from(result));
    if (!whole) {
        weir_member_put(outputs, "exit_code", weir_int_new(0));
        return outputs;
    }
    weir_value *kept = weir_object_new(), *verdict = weir_object_new();
    weir_member_put_text(outputs, "exitCode", WEIR_STR("0"));
    weir_member_put_text(verdict, "phase", WEIR_STR("Succeeded"));
    weir_member_put(verdict, "outputs", outputs);
    weir_member_put(kept, "verdict", verdict);
    return kept;
}

static uint64_t hash_of_key(const virtual_memo *memo, const weir_attempt *attempt) {
    weir_str key = weir_member_text(attempt->said, "key");
    return chance_mix(memo->seed ^ weir_hash(key.data, key.length));
}

weir_event_type virtual_memo_ask(virtual_memo *memo, const weir_attempt *attempt,
                                 weir_value **data) {
    uint64_t what = memo->by_key ? hash_of_key(memo, attempt)
                                 : virtual_identity(memo->seed, attempt->spec->name,
                                                    attempt->parameters, attempt->config, 0);
    const struct remembered *entry = find(memo, what);
    weir_value *other = memo->by_key ? given_by_another(what) : NULL;
    bool expired = simulation_draw(memo->sim, 8) == 0;
    char key[24];
    snprintf(key, sizeof key, "%" PRIu64, what);
    *data = weir_object_new();
    weir_member_put_text(*data, "key", weir_str_from(key));
    if (!other && (memo->by_key || !entry || expired)) {
        weir_member_put_text(*data, "why", entry ? WEIR_STR("expired") : WEIR_STR("absent"));
        return WEIR_MEMO_MISSED;
    }
    weir_member_put(*data, "outputs", other ? other : weir_value_ref(entry->outputs));
    *weir_vector_push(&memo->found) = (struct found){what, weir_attempt_hold(attempt)};
    return WEIR_MEMO_FOUND;
}

void virtual_memo_keep(virtual_memo *memo, const weir_keep *keep) {
    if (!keep->outputs) return;
    uint64_t what = strtoull(weir_member_text(keep->missed, "key").data, NULL, 10);
    struct remembered *entry = find(memo, what);
    if (entry && !weir_value_equal(entry->outputs, keep->outputs))
        simulation_problem(memo->sim, "task %u: another outcome is remembered of the same",
                           keep->task);
    bool lost = memo->sim->mixed && simulation_draw(memo->sim, 4) == 0;
    if (entry || lost) return;
    *weir_vector_push(&memo->entries) = (struct remembered){what, weir_value_ref(keep->outputs)};
}

/* Engines that lost the run may have numbered other tasks so. */
static bool is_durable(const struct found *found, const journal *j) {
    weir_task_id task = found->attempt.id.task;
    return !j || (task < j->tasks.count && j->tasks.items[task].found &&
                  j->tasks.items[task].found_what == found->what);
}

void virtual_memo_each_found(const virtual_memo *memo, const journal *j,
                             void (*visit)(void *arg, const weir_attempt *attempt), void *arg) {
    for (size_t i = 0; i < memo->found.count; i++) {
        const struct found *found = &memo->found.items[i];
        bool last = true;
        for (size_t k = i + 1; k < memo->found.count; k++) {
            const struct found *later = &memo->found.items[k];
            last &= later->attempt.id.task != found->attempt.id.task || !is_durable(later, j);
        }
        if (last && is_durable(found, j)) visit(arg, &found->attempt);
    }
}

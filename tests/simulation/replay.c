#include "replay.h"

#include <inttypes.h>

#include "data/json.h"

weir_value *machine_status(const weir_machine *machine) {
    const weir_coordinator *coordinator = weir_machine_coordinator(machine);
    return coordinator->class->status(coordinator);
}

/* All that can be seen of a run from outside its task layer and its coordinator. */
static char *state_of(const weir_machine *machine) {
    weir_buffer text = {0};
    const weir_tasks *tasks = weir_machine_tasks(machine);
    weir_value *status = machine_status(machine);
    weir_json_format(status, 0, &text);
    weir_value_unref(status);
    for (weir_task_id id = 0; id < weir_tasks_count(tasks); id++) {
        weir_event_id last = weir_tasks_last_event(tasks, id);
        weir_buffer_printf(&text, " %d/%u/%u:%" PRIu64, (int)weir_tasks_state(tasks, id),
                           weir_tasks_attempt(tasks, id), last.context, last.sequence);
    }
    return text.data;
}

void snapshots_add(snapshots *all, const weir_machine *machine, uint64_t now_us) {
    *weir_vector_push(all) = (snapshot){now_us, state_of(machine)};
}

void snapshots_deinit(snapshots *all) {
    for (size_t i = 0; i < all->count; i++) weir_free(all->items[i].state);
    weir_vector_deinit(all);
}

static bool replay_batch(const virtual_store *store, size_t at, weir_machine *machine) {
    weir_error error;
    if (weir_machine_replay(machine, weir_buffer_str(&store->batches.items[at].bytes), &error))
        return true;
    simulation_problem(store->sim, "replay of batch %zu: %s", at + 1, error.message);
    return false;
}

bool replay_all(const virtual_store *store, weir_machine *machine) {
    for (size_t i = 0; i < store->durable; i++)
        if (!replay_batch(store, i, machine)) return false;
    return true;
}

static void expect_quiet(simulation *sim, weir_machine *machine, uint64_t now_us, size_t batches) {
    weir_batch batch;
    bool more = weir_machine_step(machine, now_us);
    weir_machine_take(machine, &batch);
    if (more || batch.bytes.length)
        simulation_problem(sim, "a replay of %zu batches decides something", batches);
    weir_batch_deinit(&batch);
}

void replay_check_end(const virtual_store *store, const weir_machine *live,
                      const weir_value *status, weir_machine *again, uint64_t now_us) {
    if (!replay_all(store, again)) return;
    weir_value *after = machine_status(again);
    if (!weir_value_equal(status, after))
        simulation_problem(store->sim, "a replay of the journal has another status");
    const weir_value *finished = weir_machine_finished(again);
    if (!finished || !weir_value_equal(finished, weir_machine_finished(live)))
        simulation_problem(store->sim, "a replay of the journal has other results");
    if (weir_tasks_open(weir_machine_tasks(again)))
        simulation_problem(store->sim, "the run is finished, but not all of its tasks are");
    expect_quiet(store->sim, again, now_us, store->durable);
    weir_value_unref(after);
}

void replay_check_prefixes(const virtual_store *store, const snapshots *all, weir_machine *again,
                           bool beats) {
    simulation *sim = store->sim;
    for (size_t i = 0; i < all->count && !sim->problem[0]; i++) {
        const snapshot *then = &all->items[i];
        if (!replay_batch(store, i, again)) return;
        char *state = state_of(again);
        if (strcmp(state, then->state) != 0)
            simulation_problem(sim, "a replay of %zu batches has another state: %.200s, not %.200s",
                               i + 1, state, then->state);
        weir_free(state);
        if (!beats) expect_quiet(sim, again, then->now_us, i + 1);
    }
}

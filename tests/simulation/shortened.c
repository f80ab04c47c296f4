#include "shortened.h"

#include <inttypes.h>

#include "dataflow/plan.h"
#include "engine/shorten.h"

static weir_str batch_at(const virtual_store *store, size_t at) {
    return weir_buffer_str(&store->batches.items[at].bytes);
}

/* A summary of the batches up to `to`, of which those up to `from` are in `earlier` (when `from` is not 0). False: it cannot be
 * shortened there. */
static bool shorten(const virtual_store *store, weir_plan *plan, const char *run, weir_str earlier,
                    size_t from, size_t to, weir_buffer *summary) {
    weir_shortener *shortener = weir_shortener_new(plan, run, store->journal->parts);
    weir_over over = {0};
    weir_error error;
    bool ok = !from || weir_shortener_read(shortener, from, earlier, &error);
    for (size_t i = from; ok && i < to; i++)
        ok = weir_shortener_read(shortener, i + 1, batch_at(store, i), &error);
    if (!ok) simulation_problem(store->sim, "a journal cannot be shortened: %s", error.message);
    ok = ok && !weir_shortener_is_over(shortener);
    if (ok) weir_shortener_take(shortener, summary, &over);
    weir_over_deinit(&over);
    weir_shortener_free(shortener);
    return ok;
}

static void expect_same(const virtual_store *store, const weir_machine *live, weir_machine *again) {
    const weir_coordinator *one = weir_machine_coordinator(live),
                           *other = weir_machine_coordinator(again);
    weir_dataflow_numbers a = weir_dataflow_numbers_of(one), b = weir_dataflow_numbers_of(other);
    weir_dataflow_totals x = weir_dataflow_totals_of(one), y = weir_dataflow_totals_of(other);
    const weir_value *finished = weir_machine_finished(again);
    if (memcmp(&a, &b, sizeof a) != 0 || x.opened != y.opened || x.over != y.over)
        simulation_problem(store->sim, "a shortened journal gives other numbers");
    if (!finished || !weir_value_equal(finished, weir_machine_finished(live)))
        simulation_problem(store->sim, "a shortened journal gives another end");
    if (weir_tasks_open(weir_machine_tasks(again)))
        simulation_problem(store->sim, "a shortened journal leaves tasks open");
}

static void replay_from(const virtual_store *store, weir_str summary, size_t at,
                        const weir_machine *live, weir_machine *again) {
    weir_error error;
    bool ok = weir_machine_replay(again, summary, &error);
    for (size_t i = at; ok && i < store->durable; i++)
        ok = weir_machine_replay(again, batch_at(store, i), &error);
    if (ok)
        expect_same(store, live, again);
    else
        simulation_problem(store->sim, "shortened at batch %zu of %zu: %s", at, store->durable,
                           error.message);
}

void shortened_check(const virtual_store *store, weir_plan *plan, const char *run,
                     const weir_machine *live, weir_machine *(*again)(void *arg), void *arg) {
    simulation *sim = store->sim;
    if (store->durable < 2) return;
    weir_buffer first = {0}, second = {0};
    size_t at = 1 + chance_draw(&sim->chance, store->durable - 1);
    if (shorten(store, plan, run, WEIR_STR(""), 0, at, &first)) {
        weir_machine *machine = again(arg);
        replay_from(store, weir_buffer_str(&first), at, live, machine);
        weir_machine_free(machine);
        size_t later = at + chance_draw(&sim->chance, store->durable - at);
        if (later > at && !sim->problem[0] &&
            shorten(store, plan, run, weir_buffer_str(&first), at, later, &second)) {
            machine = again(arg);
            replay_from(store, weir_buffer_str(&second), later, live, machine);
            weir_machine_free(machine);
        }
    }
    weir_buffer_deinit(&first);
    weir_buffer_deinit(&second);
}

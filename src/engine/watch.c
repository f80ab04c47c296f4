/* Looking on while another process drives a run. What it writes is read from the store, from where one is on: nothing is
 * asked of the driver, so a watcher cannot hold it up, and whoever may read the store may watch.
 *
 * SQLite tells for next to nothing whether anything was written; of PostgreSQL a query of one row by its key does. */
#include "engine/engine_internal.h"

enum {
    LOOK_US = 20 * 1000,
    ASK_US = 50 * 1000,
    ASK_MORE_US = 500 /* for each run that is asked for */
};

static void turn(weir_engine *engine, uint64_t delay_us) {
    engine->waited = false;
    weir_timer_start(engine->waiting, delay_us);
    while (!engine->waited) weir_loop_once(engine->loop, true);
}

/* How long to sleep before the next look; 0: the time has passed. */
static uint64_t pause_for(uint64_t version, size_t runs, uint64_t due_us) {
    uint64_t now = weir_clock_steady_us();
    uint64_t pause = version ? LOOK_US : ASK_US + ASK_MORE_US * runs;
    return now >= due_us ? 0 : due_us - now < pause ? due_us - now : pause;
}

/* --- one run, with all that happens in it --------------------------------------------------- */

bool weir_run_watch(weir_engine *engine, const char *name, weir_run **out, weir_error *error) {
    uint64_t version = weir_store_version(engine->store);
    weir_run *run;
    if (!weir__run_load(engine, name, NULL, NULL, &run, error)) return false;
    run->version = version;
    *out = run;
    return true;
}

uint64_t weir_run_changes(const weir_run *run) {
    return run->sequence;
}

static void ignore_record(void *arg, const weir_run_record *record) {
    (void)arg, (void)record;
}

/* Reads what was written since; the version is asked for before, so that nothing is missed. */
static bool look(weir_run *run, weir_error *error) {
    weir_store *store = run->engine->store;
    uint64_t version = weir_store_version(store), before = run->sequence;
    if (version && version == run->version) return true;
    if (!weir__run_catch_up(run, error)) return false;
    run->version = version;
    return run->sequence != before ||
           weir_store_find(store, weir_str_from(run->id), ignore_record, NULL, error);
}

bool weir__run_look_on(weir_run *run, uint32_t timeout_ms) {
    uint64_t before = run->sequence, pause;
    uint64_t due_us = weir_clock_steady_us() + (uint64_t)timeout_ms * 1000;
    do {
        if (!look(run, &run->error)) run->failed = run->over = true;
        if (run->over || run->sequence != before) break;
        pause = pause_for(run->version, 1, due_us);
        if (pause) turn(run->engine, pause);
    } while (pause);
    return run->over;
}

/* --- several, until they end ---------------------------------------------------------------- */

typedef struct waiting {
    weir_engine *engine;
    WEIR_VECTOR(weir_value *) runs; /* what is known of each */
    size_t ended;
} waiting;

static void note_record(void *arg, const weir_run_record *record) {
    *(weir_value **)arg = weir__record_to_value(record);
}

static bool is_over(const weir_value *run) {
    return weir_member_named(run, "finished") != NULL;
}

static bool find_all(waiting *w, const char *const *runs, size_t count, weir_error *error) {
    for (size_t i = 0; i < count; i++) {
        weir_value *found = NULL;
        if (!weir_store_find(w->engine->store, weir_str_from(runs[i]), note_record, &found, error))
            return false;
        w->ended += is_over(found);
        *weir_vector_push(&w->runs) = found;
    }
    return true;
}

/* Looks at each that has not ended. */
static bool look_at_all(waiting *w, weir_error *error) {
    for (size_t i = 0; i < w->runs.count; i++) {
        weir_value **known = &w->runs.items[i], *now = NULL;
        if (is_over(*known)) continue;
        if (!weir_store_find(w->engine->store, weir_member_text(*known, "run"), note_record, &now,
                             error))
            return false;
        w->ended += is_over(now);
        weir_value_unref(*known);
        *known = now;
    }
    return true;
}

/* Says of each that goes on whether anybody sees to that. */
static weir_value *take_all(waiting *w) {
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < w->runs.count; i++) {
        weir_value *run = w->runs.items[i];
        if (!is_over(run)) {
            weir_str id = weir_member_text(run, "run");
            weir_member_put(run, "driven", weir_bool_new(weir__run_is_owned(w->engine, id.data)));
        }
        weir_array_append(list, weir_value_ref(run));
    }
    return list;
}

bool weir_wait(weir_engine *engine, const char *const *runs, size_t count, bool any,
               uint32_t timeout_ms, weir_value **out, weir_error *error) {
    waiting w = {.engine = engine};
    uint64_t due_us = weir_clock_steady_us() + (uint64_t)timeout_ms * 1000;
    uint64_t seen = weir_store_version(engine->store), version, pause = 1;
    bool ok = find_all(&w, runs, count, error);
    while (ok && w.ended < (any ? 1 : count) && pause) {
        pause = pause_for(seen, count - w.ended, due_us);
        if (pause) turn(engine, pause);
        version = weir_store_version(engine->store);
        if (!version || version != seen) ok = look_at_all(&w, error);
        seen = version;
    }
    if (ok) *out = take_all(&w);
    for (size_t i = 0; i < w.runs.count; i++) weir_value_unref(w.runs.items[i]);
    weir_vector_deinit(&w.runs);
    return ok;
}

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

/* Whether a failure is that of a server which may come back yet: then there is nothing new for now. */
static bool may_come_back(weir_store *store, uint64_t *since_us) {
    uint64_t patience_us = weir_store_away_us(store), now_us = weir_clock_steady_us();
    if (!patience_us) return false;
    if (!*since_us) *since_us = now_us;
    return now_us - *since_us < patience_us;
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

/* Reads what was written since; the version is asked for before, so that nothing is missed. */
static bool look(weir_run *run, weir_error *error) {
    weir_store *store = run->engine->store;
    uint64_t version = weir_store_version(store), before = run->sequence;
    if (version && version == run->version) return true;
    weir_store_hurry(store, true);
    bool ok =
        weir__run_catch_up(run, error) &&
        (run->sequence != before || weir__run_exists(run->engine, weir_str_from(run->id), error));
    weir_store_hurry(store, false);
    if (!ok) return may_come_back(store, &run->away_us);
    run->away_us = 0;
    run->version = version;
    return true;
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
    uint64_t away_us; /* since when the store's server is; 0: it is there */
} waiting;

static void note_record(void *arg, const weir_run_record *record) {
    *(weir_value **)arg = weir__record_to_value(record);
}

static bool is_over(const weir_value *run) {
    return weir_member_named(run, "finished") != NULL;
}

/* A server that is away just now may be back before the time has passed. */
static bool find_one(waiting *w, const char *run, uint64_t due_us, weir_value **out,
                     weir_error *error) {
    weir_store *store = w->engine->store;
    for (uint64_t pause = 1; pause;) {
        weir_store_hurry(store, true);
        bool ok = weir_store_find(store, weir_str_from(run), note_record, out, error);
        weir_store_hurry(store, false);
        if (ok || !weir_store_away_us(store)) return ok;
        pause = pause_for(0, 0, due_us);
        if (pause) turn(w->engine, pause);
    }
    error->code = WEIR_EXPIRED;
    return false;
}

static bool find_all(waiting *w, const char *const *runs, size_t count, uint64_t due_us,
                     weir_error *error) {
    for (size_t i = 0; i < count; i++) {
        weir_value *found = NULL;
        if (!find_one(w, runs[i], due_us, &found, error)) return false;
        w->ended += is_over(found);
        *weir_vector_push(&w->runs) = found;
    }
    return true;
}

/* Looks at each that has not ended. */
static bool look_at_each(waiting *w, weir_error *error) {
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

static bool look_at_all(waiting *w, weir_error *error) {
    weir_store *store = w->engine->store;
    weir_store_hurry(store, true);
    bool ok = look_at_each(w, error);
    weir_store_hurry(store, false);
    if (!ok) return may_come_back(store, &w->away_us);
    w->away_us = 0;
    return true;
}

/* Says of each that goes on whether anybody sees to that, if it can be known. */
static weir_value *take_all(waiting *w) {
    weir_value *list = weir_array_new();
    weir_store *store = w->engine->store;
    weir_store_hurry(store, true);
    for (size_t i = 0; i < w->runs.count; i++) {
        weir_value *run = w->runs.items[i];
        if (!is_over(run)) {
            bool driven = weir__run_is_owned(w->engine, weir_member_text(run, "run").data);
            if (driven || !weir_store_away_us(store))
                weir_member_put(run, "driven", weir_bool_new(driven));
        }
        weir_array_append(list, weir_value_ref(run));
    }
    weir_store_hurry(store, false);
    return list;
}

bool weir_wait(weir_engine *engine, const char *const *runs, size_t count, bool any,
               uint32_t timeout_ms, weir_value **out, weir_error *error) {
    waiting w = {.engine = engine};
    uint64_t due_us = weir_clock_steady_us() + (uint64_t)timeout_ms * 1000;
    uint64_t seen = weir_store_version(engine->store), version, pause = 1;
    bool ok = find_all(&w, runs, count, due_us, error);
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

/* Whether all is sound that runs will need, as far as the engine can tell. */

#include "base/time.h"
#include "data/finding.h"
#include "engine/engine_internal.h"
#include "executor/module.h"
#include "io/library.h"

enum { FAR_US = 60 * 1000 * 1000 }; /* how far a clock may be behind the newest run */

/* --- the store ------------------------------------------------------------------------------ */

typedef struct survey {
    WEIR_VECTOR(char *) ids;
    WEIR_VECTOR(bool) over;      /* which of them */
    WEIR_VECTOR(char *) waiting; /* names of runs that could go on, and that nobody drives */
    size_t behind;               /* runs that finished, and whose rows are not all in the tables */
    weir_engine *engine;
    uint64_t newest_us;
} survey;

static bool note_record(void *arg, const weir_run_record *record) {
    survey *s = arg;
    *weir_vector_push(&s->ids) = weir_str_dup(record->id);
    if (record->created_us > s->newest_us) s->newest_us = record->created_us;
    char *id = s->ids.items[s->ids.count - 1];
    *weir_vector_push(&s->over) = record->finished_us != 0;
    if (weir_str_is(record->phase, "Running") && !record->parent.length &&
        !weir__run_is_owned(s->engine, id))
        *weir_vector_push(&s->waiting) = weir_str_dup(record->name);
    return true;
}

static bool count_batch(void *arg, uint64_t sequence, weir_str bytes) {
    (void)sequence, (void)bytes;
    ++*(uint64_t *)arg;
    return true;
}

/* Every batch of every run is there, and is what was written. */
static void check_journals(weir_engine *engine, survey *s, weir_value *list) {
    weir_error error;
    uint64_t batches = 0;
    size_t damaged = 0;
    for (size_t i = 0; i < s->ids.count; i++) {
        weir_str id = weir_str_from(s->ids.items[i]);
        uint64_t before = batches, derived = 0;
        if (weir_store_read(engine->store, id, 1, count_batch, &batches, &error)) {
            if (s->over.items[i] && weir_store_has_tables(engine->store) &&
                weir_store_derived(engine->store, id, &derived, &error))
                s->behind += derived < batches - before;
            continue;
        }
        if (++damaged == 1)
            weir_finding_add(
                list, "journals", "problem",
                "the other runs are readable; `weir doctor --repair` keeps what is whole", "%s",
                error.message);
    }
    if (damaged > 1)
        weir_finding_add(list, "journals", "problem",
                         "`weir events RUN` says of each what is wrong",
                         "%zu runs have damaged journals", damaged);
    if (!damaged)
        weir_finding_add(list, "journals", "ok", NULL,
                         "%zu runs, %llu batches, each as it was written", s->ids.count,
                         (unsigned long long)batches);
}

static void check_waiting(const survey *s, weir_value *list) {
    char newest[32], now[32];
    if (s->waiting.count)
        weir_finding_add(list, "runs", "warning",
                         "`weir recover --all` goes on with them, `weir cancel RUN` ends one",
                         "%zu run%s nobody drives any more, such as %s", s->waiting.count,
                         s->waiting.count == 1 ? " is there that" : "s are there that",
                         s->waiting.items[0]);
    else
        weir_finding_add(list, "runs", "ok", NULL, "none waits to be recovered");
    if (s->behind)
        weir_finding_add(list, "tables", "warning", "`weir doctor --rebuild` makes them anew",
                         "%zu run%s over and not wholly in the tables", s->behind,
                         s->behind == 1 ? " is" : "s are");
    if (s->newest_us > weir__now_us(s->engine) + FAR_US)
        weir_finding_add(list, "clock", "warning", "set the clock",
                         "the newest run is of %s, and the clock says %s",
                         weir_moment_format(s->newest_us, newest),
                         weir_moment_format(weir__now_us(s->engine), now));
}

static void check_store(weir_engine *engine, weir_value *list) {
    weir_error error;
    survey s = {.engine = engine};
    if (weir_store_check(engine->store, &error))
        weir_finding_add(list, "store", "ok", NULL, "the database is whole");
    else
        weir_finding_add(list, "store", "problem",
                         "`weir doctor --repair` reads what is whole into a new file", "%s",
                         error.message);
    if (weir_store_list(engine->store, 0, note_record, &s, &error)) {
        check_journals(engine, &s, list);
        weir__values_examine(engine, list);
        check_waiting(&s, list);
    } else {
        weir_finding_add(list, "runs", "problem",
                         *error.hint ? error.hint : "name another state directory with --state",
                         "%s", error.message);
    }
    for (size_t i = 0; i < s.ids.count; i++) weir_free(s.ids.items[i]);
    for (size_t i = 0; i < s.waiting.count; i++) weir_free(s.waiting.items[i]);
    weir_vector_deinit(&s.ids);
    weir_vector_deinit(&s.over);
    weir_vector_deinit(&s.waiting);
}

/* --- operations ----------------------------------------------------------------------------- */

/* Those that no operation opens. */
static void check_store_modules(weir_value *list) {
    static const char *const modules[][3] = {
        {"sha256", "weir_sha256_functions", "blobs need it"},
        {"s3", "weir_blob_kind_s3", "blobs in S3 need it"},
        {"fetch", "weir_fetch_functions", "artifacts over HTTP and pulling images need it"},
        {"layer", "weir_layer_functions", "images of containers need it"},
        {"postgresql", "weir_postgresql_functions", "a store on PostgreSQL needs it"}};
    weir_error error;
    void *symbol;
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        if (weir_library_symbol(modules[i][0], modules[i][1], &symbol, &error))
            weir_finding_add(list, "module", "ok", NULL, "weir-%s.so can be loaded", modules[i][0]);
        else
            weir_finding_add(list, "module", "warning", error.hint, "%s; %s", error.message,
                             modules[i][2]);
    }
}

static void check_modules(const weir_engine *engine, weir_value *list) {
    weir_map seen = {0};
    bool (*function)(const weir_host *host, weir_call *call);
    weir_error error;
    for (size_t i = 0; i < engine->registry.operations.count; i++) {
        const weir_operation *operation = engine->registry.operations.items[i];
        if (!operation->module || weir_map_get(&seen, weir_str_from(operation->module), NULL))
            continue;
        weir_map_set(&seen, weir_str_from(operation->module), 1);
        if (weir_module_function(operation, &function, &error))
            weir_finding_add(list, "module", "ok", NULL, "weir-%s.so can be loaded",
                             operation->module);
        else
            weir_finding_add(list, "module", "warning",
                             *error.hint ? error.hint : "install weir again, with its modules",
                             "%s; operations such as %s need it", error.message, operation->name);
    }
    check_store_modules(list);
    weir_finding_add(list, "operations", "ok", NULL, "%zu operations, %zu modules",
                     engine->registry.operations.count, seen.count);
    weir_map_deinit(&seen);
}

weir_value *weir_examine(weir_engine *engine) {
    weir_value *list = weir_array_new();
    if (engine->state) check_store(engine, list);
    check_modules(engine, list);
    return list;
}

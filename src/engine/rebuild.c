/* The tables that follow from journals, made anew. */
#include "data/finding.h"
#include "engine/engine_internal.h"

static void note_one(void *ids, const weir_run_record *record) {
    (void)weir__run_ids_note(ids, record);
}

/* A run that somebody drives is left alone: its rows follow as it goes on. */
static void rebuild_each(weir_engine *engine, const weir__run_ids *ids, weir_value *list) {
    size_t done = 0, driven = 0;
    weir_error error;
    for (size_t i = 0; i < ids->count; i++) {
        if (weir__run_is_owned(engine, ids->items[i])) {
            driven++;
        } else if (weir__run_rebuild(engine, ids->items[i], &error)) {
            done++;
        } else {
            weir_finding_add(list, "tables", "problem",
                             *error.hint ? error.hint : "`weir doctor --repair` repairs journals",
                             "%s", error.message);
        }
    }
    if (driven)
        weir_finding_add(list, "tables", "ok", NULL,
                         "%zu run%s being driven: their rows follow by themselves", driven,
                         driven == 1 ? " is" : "s are");
    weir_finding_add(list, "tables", "ok", NULL, "those of %zu run%s were made anew", done,
                     done == 1 ? "" : "s");
}

weir_value *weir_rebuild(weir_engine *engine, const char *run) {
    weir_value *list = weir_array_new();
    weir_error error;
    weir__run_ids ids = {0};
    bool ok = weir_store_has_tables(engine->store) ||
              weir_fail(&error, WEIR_USAGE, "what is in memory only has no tables");
    if (ok)
        ok = run ? weir_store_find(engine->store, weir_str_from(run), note_one, &ids, &error)
                 : weir_store_list(engine->store, 0, weir__run_ids_note, &ids, &error);
    if (ok)
        rebuild_each(engine, &ids, list);
    else
        weir_finding_add(list, "tables", "problem", error.hint, "%s", error.message);
    weir__run_ids_deinit(&ids);
    return list;
}

/* The tables that follow from journals, made anew. */
#include "data/finding.h"
#include "engine/engine_internal.h"

typedef struct found {
    WEIR_VECTOR(char *) ids;
} found;

static void note_one(void *arg, const weir_run_record *record) {
    *weir_vector_push(&((found *)arg)->ids) = weir_str_dup(record->id);
}

static bool note_each(void *arg, const weir_run_record *record) {
    note_one(arg, record);
    return true;
}

/* A run that somebody drives is left alone: its rows follow as it goes on. */
static void rebuild_each(weir_engine *engine, const found *f, weir_value *list) {
    size_t done = 0, driven = 0;
    weir_error error;
    for (size_t i = 0; i < f->ids.count; i++) {
        if (weir__run_is_owned(engine, f->ids.items[i])) {
            driven++;
        } else if (weir__run_rebuild(engine, f->ids.items[i], &error)) {
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
    found f = {0};
    bool ok = weir_store_has_tables(engine->store) ||
              weir_fail(&error, WEIR_USAGE, "what is in memory only has no tables");
    if (ok)
        ok = run ? weir_store_find(engine->store, weir_str_from(run), note_one, &f, &error)
                 : weir_store_list(engine->store, 0, note_each, &f, &error);
    if (ok)
        rebuild_each(engine, &f, list);
    else
        weir_finding_add(list, "tables", "problem", error.hint, "%s", error.message);
    for (size_t i = 0; i < f.ids.count; i++) weir_free(f.ids.items[i]);
    weir_vector_deinit(&f.ids);
    return list;
}

/* The file of a store that is too damaged to be opened: before there is an engine. */
#include <inttypes.h>

#include "data/finding.h"
#include "engine/engine_internal.h"

static bool salvage_file(const char *file, weir_value *list, weir_error *error) {
    bool whole;
    weir_salvaged found;
    if (!weir_store_file_check(file, &whole, error)) return false;
    if (whole) return true;
    if (!weir_store_file_salvage(file, &found, error)) return false;
    weir_finding_add(list, "store", "warning", "remove it when all is well",
                     "the pages of `%s` were damaged: %" PRIu64
                     " batches are in a new file; the old one is `%s`",
                     file, found.batches, found.moved);
    return true;
}

bool weir_salvage(const char *state, const char *store, weir_value **out, weir_error *error) {
    weir_buffer file = {0};
    weir_str url = weir_str_from(store), sqlite = WEIR_STR("sqlite://");
    if (store && !weir_store_url_check(url, error)) return false;
    if (!store)
        weir_buffer_printf(&file, "%s/weir.db", state ? state : ".");
    else if (weir_str_starts(url, sqlite))
        weir_buffer_str_append(&file, weir_str_slice(url, sqlite.length, url.length));
    weir_value *list = weir_array_new();
    bool ok = !file.length || salvage_file(file.data, list, error);
    weir_buffer_deinit(&file);
    if (ok)
        *out = list;
    else
        weir_value_unref(list);
    return ok;
}

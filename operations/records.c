/* DFFML's records as values: {key: {features: {name: value}}}, to rows and back. */
#include <string.h>

#include "operations.h"
#include "parameter.h"
#include "text.h"

/* What one kind of feature gives: a row a record. */
typedef struct matrix {
    const weir_value *features; /* names */
    weir_value *rows;
} matrix;

static weir_value *take_names(const weir_host *host, weir_call *call, const char *name) {
    weir_value *names = weir__typed(host, call, name, WEIR_ARRAY);
    for (size_t i = 0; names && i < host->value_count(names); i++) {
        if (host->value_type(host->array_at(names, i)) == WEIR_STRING) continue;
        host->fail(call, "invalid", "`%s`: item %zu must be of type string, found %s", name, i,
                   type_name(host, host->array_at(names, i)));
        return NULL;
    }
    return names;
}

/* The features' values, null for one that the record has not. */
static void add_row(const weir_host *host, matrix *m, const weir_value *features) {
    weir_value *row = host->array_new();
    for (size_t i = 0; i < host->value_count(m->features); i++) {
        weir_str name = host->string_get(host->array_at(m->features, i));
        weir_value *value = host->object_get(features, name.data, name.length);
        host->array_append(row, value ? host->value_ref(value) : host->null_new());
    }
    host->array_append(m->rows, row);
}

/* Adds what the record gives; false after failing. */
static bool add_record(const weir_host *host, weir_call *call, weir_str key,
                       const weir_value *record, weir_value *keys, matrix both[2]) {
    const weir_value *features =
        host->value_type(record) == WEIR_OBJECT ? host->object_get(record, "features", 8) : NULL;
    if (!features || host->value_type(features) != WEIR_OBJECT)
        return host->fail(call, "invalid", "record `%.*s` must be {features: {name: value}}",
                          SHOWN(key));
    host->array_append(keys, weir__string(host, key));
    add_row(host, &both[0], features);
    add_row(host, &both[1], features);
    return true;
}

static bool records_to_list(const weir_host *host, weir_call *call) {
    if (weir__given(host, call, "source") && !weir__given(host, call, "records"))
        return host->fail(call, "not_supported",
                          "weir has no record sources; give `records` instead of `source`");
    const weir_value *records = weir__typed(host, call, "records", WEIR_OBJECT);
    matrix both[2] = {{0}};
    if (!records || !(both[0].features = take_names(host, call, "features")) ||
        !(both[1].features = take_names(host, call, "predict_features")))
        return false;
    weir_value *keys = host->array_new();
    both[0].rows = host->array_new();
    both[1].rows = host->array_new();
    bool ok = true;
    for (size_t i = 0; ok && i < host->value_count(records); i++)
        ok = add_record(host, call, host->object_key(records, i), host->object_at(records, i), keys,
                        both);
    if (ok) {
        host->output(call, "matrix", both[0].rows);
        host->output(call, "keys", keys);
        host->output(call, "unprocessed_matrix", both[1].rows);
    } else {
        host->value_unref(both[0].rows);
        host->value_unref(keys);
        host->value_unref(both[1].rows);
    }
    return ok;
}

/* Sets the row's values under the features' names, as many as there are of both. */
static bool set_features(const weir_host *host, weir_call *call, const matrix *m, size_t row_at,
                         weir_value *features) {
    const weir_value *row = host->array_at(m->rows, row_at);
    if (host->value_type(row) != WEIR_ARRAY)
        return host->fail(call, "invalid", "row %zu must be of type array, found %s", row_at,
                          type_name(host, row));
    for (size_t i = 0; i < host->value_count(m->features) && i < host->value_count(row); i++) {
        weir_str name = host->string_get(host->array_at(m->features, i));
        host->object_set(features, name.data, name.length, host->value_ref(host->array_at(row, i)));
    }
    return true;
}

static bool list_to_records(const weir_host *host, weir_call *call) {
    matrix both[2] = {{0}};
    const weir_value *keys = take_names(host, call, "keys");
    if (!keys || !(both[0].features = take_names(host, call, "features")) ||
        !(both[1].features = take_names(host, call, "predict_features")) ||
        !(both[0].rows = weir__typed(host, call, "matrix", WEIR_ARRAY)) ||
        !(both[1].rows = weir__typed(host, call, "unprocessed_matrix", WEIR_ARRAY)))
        return false;
    weir_value *records = host->object_new();
    bool ok = true;
    for (size_t i = 0; ok && i < host->value_count(keys) && i < host->value_count(both[0].rows) &&
                       i < host->value_count(both[1].rows);
         i++) {
        weir_value *record = host->object_new(), *features = host->object_new();
        weir_str key = host->string_get(host->array_at(keys, i));
        ok = set_features(host, call, &both[0], i, features) &&
             set_features(host, call, &both[1], i, features);
        host->object_set(record, "features", 8, features);
        host->object_set(records, key.data, key.length, record);
    }
    if (ok)
        host->output(call, "records", records);
    else
        host->value_unref(records);
    return ok;
}

#define FEATURES                                                                                   \
    {"features", "List[str]", "Names of the features in `matrix`.", "features"}, {                 \
        "predict_features", "List[str]", "Names of those in `unprocessed_matrix`.",                \
            "predict_features"                                                                     \
    }
#define MATRIX                                                                                     \
    { "matrix", "List[List[Any]]", "A row of `features` for each record.", "matrix" }
#define KEYS                                                                                       \
    { "keys", "List[str]", "The records' keys.", "keys" }
#define UNPROCESSED                                                                                \
    {                                                                                              \
        "unprocessed_matrix", "List[List[Any]]", "A row of `predict_features` for each record.",   \
            "unprocessed_matrix"                                                                   \
    }

static const weir_operation *const operations[] = {
    OPERATION(.name = "convert_records_to_list",
              .about = "Makes rows of records; these are values, for there are no record sources.",
              .inputs =
                  PORTS({"records", "Dict[str, Any]",
                         "{key: {features: {name: value}}}; also as configuration.", "records"},
                        FEATURES),
              .outputs = PORTS(MATRIX, KEYS, UNPROCESSED), .config = NO_PORTS,
              .hints = WEIR_PURE | WEIR_CHEAP, .run = records_to_list),
    OPERATION(.name = "convert_list_to_records", .about = "Makes records of rows.",
              .inputs = PORTS(KEYS, MATRIX, FEATURES, UNPROCESSED),
              .outputs = PORTS(
                  {"records", "Dict[str, Any]", "{key: {features: {name: value}}}.", "records"}),
              .config = NO_PORTS, .hints = WEIR_PURE | WEIR_CHEAP, .run = list_to_records),
    NULL};

PLUGIN(weir_records_plugin, "records", operations)

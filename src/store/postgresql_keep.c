/* Keeping house in PostgreSQL: what journals take, and the label that keeps a run. The server frees and reuses what was
 * deleted by itself. On the loop's thread. */
#include "store/postgresql_internal.h"

static bool ask_number(weir__postgresql *s, const char *sql, const weir__pg_parameters *p,
                       uint64_t *out, weir_error *error) {
    weir__pg *c;
    PGresult *result;
    if (!weir__pg_ask_sql(s, sql, p, &c, &result, error)) return false;
    *out = s->server.q->ntuples(result) ? (uint64_t)weir__pg_number(c, result, 0, 0) : 0;
    s->server.q->clear(result);
    return true;
}

/* The length of what is kept apart (TOAST) is known without reading it. */
#define BYTES "SELECT coalesce(sum(octet_length(bytes) + 64), 0)::bigint FROM weir.journal"

bool weir__pg_measure(weir_store *store, weir_store_size *out, weir_error *error) {
    weir__pg_parameters none = {0};
    uint64_t bytes;
    if (!ask_number((weir__postgresql *)store, BYTES, &none, &bytes, error)) return false;
    *out = (weir_store_size){.bytes = bytes};
    return true;
}

bool weir__pg_measure_run(weir_store *store, weir_str run, uint64_t *bytes, weir_error *error) {
    weir__pg_parameters p = {0};
    weir__pg_add_text(&p, run);
    bool ok =
        ask_number((weir__postgresql *)store, BYTES " WHERE stream = $1::text", &p, bytes, error);
    weir__pg_parameters_deinit(&p);
    return ok;
}

bool weir__pg_keep(weir_store *store, weir_str run, bool keep, weir_error *error) {
    weir__pg_parameters p = {0};
    uint64_t ignored;
    weir__pg_add_text(&p, run);
    bool ok = ask_number(
        (weir__postgresql *)store,
        keep ? "WITH kept AS (UPDATE weir.runs SET labels = (coalesce(nullif(labels, ''),"
               "  '{}')::jsonb || '{\"keep\": \"true\"}')::text WHERE id = $1::text"
               "  RETURNING number)"
               " INSERT INTO weir.labels(run, key, value) SELECT number, 'keep', 'true' FROM kept"
               " ON CONFLICT(run, key) DO UPDATE SET value = excluded.value"
             : "WITH kept AS (UPDATE weir.runs SET labels = coalesce(nullif("
               "  (labels::jsonb - 'keep')::text, '{}'), '') WHERE id = $1::text AND labels <> ''"
               "  RETURNING number)"
               " DELETE FROM weir.labels WHERE key = 'keep' AND run IN (SELECT number FROM kept)",
        &p, &ignored, error);
    weir__pg_parameters_deinit(&p);
    return ok;
}

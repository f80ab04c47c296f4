/* The table of runs: selections, ends. On the loop's thread. */
#include "store/postgresql_internal.h"

enum { PAGE_MIN = 16, PAGE_MAX = 4096 };

static bool visit_record(const weir__pg *c, const PGresult *result, int row,
                         weir__record_visit *visit, void *arg) {
    weir_run_record record = {
        .id = weir__pg_text(c, result, row, 0),
        .name = weir__pg_text(c, result, row, 1),
        .kind = weir__pg_text(c, result, row, 2),
        .phase = weir__pg_text(c, result, row, 3),
        .file = weir__pg_text(c, result, row, 4),
        .owner = weir__pg_text(c, result, row, 5),
        .parent = weir__pg_text(c, result, row, 6),
        .created_us = (uint64_t)weir__pg_number(c, result, row, 7),
        .finished_us = (uint64_t)weir__pg_number(c, result, row, 8),
        .labels = weir__pg_text(c, result, row, 9),
        .number = (uint64_t)weir__pg_number(c, result, row, 10),
    };
    return visit(arg, &record);
}

static bool ask_page(weir__postgresql *s, const weir_selection *page, weir__pg **c,
                     PGresult **result, weir_error *error) {
    weir__sql sql = {0};
    weir__pg_parameters p = {0};
    weir__selection_to_sql(page, WEIR__POSTGRESQL, &sql);
    for (size_t i = 0; i < sql.count; i++) {
        const struct weir__sql_value *value = &sql.values[i];
        if (value->is_number)
            weir__pg_add_number(&p, (int64_t)value->number);
        else
            weir__pg_add_text(&p, weir_buffer_str(&value->text));
    }
    bool ok = weir__pg_ask_sql(s, sql.text.data, &p, c, result, error);
    weir__pg_parameters_deinit(&p);
    weir__sql_deinit(&sql);
    return ok;
}

/* Page by page, for all may be many: the first is small, as often one row is enough. */
bool weir__pg_select(weir_store *store, const weir_selection *selection, weir__record_visit *visit,
                     void *arg, weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir_selection page = *selection;
    uint64_t left = selection->limit ? selection->limit : UINT64_MAX;
    for (uint64_t size = PAGE_MIN; left; size = size * 4 < PAGE_MAX ? size * 4 : PAGE_MAX) {
        weir__pg *c;
        PGresult *result;
        bool more = true;
        page.limit = size < left ? size : left;
        if (!ask_page(s, &page, &c, &result, error)) return false;
        int rows = s->server.q->ntuples(result);
        for (int row = 0; more && row < rows; row++) {
            page.after = (uint64_t)weir__pg_number(c, result, row, 10);
            more = visit_record(c, result, row, visit, arg);
        }
        s->server.q->clear(result);
        if (!more || (uint64_t)rows < page.limit) return true;
        left -= (uint64_t)rows;
    }
    return true;
}

bool weir__pg_find(weir_store *store, weir_str run, weir__record_visit *visit, void *arg,
                   weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg_parameters p = {0};
    weir__pg *c;
    PGresult *result;
    weir__pg_add_text(&p, run);
    bool ok = weir__pg_ask(s, WEIR__PG_FIND, &p, &c, &result, error);
    weir__pg_parameters_deinit(&p);
    if (!ok) return false;
    if (s->server.q->ntuples(result)) (void)visit_record(c, result, 0, visit, arg);
    s->server.q->clear(result);
    return true;
}

/* --- ends ----------------------------------------------------------------------------------- */

/* A statement whose answer does not matter. */
static bool change(weir__postgresql *s, const char *sql, const weir__pg_parameters *p,
                   weir_error *error) {
    weir__pg *c;
    PGresult *result;
    if (!weir__pg_ask_sql(s, sql, p, &c, &result, error)) return false;
    s->server.q->clear(result);
    return true;
}

bool weir__pg_names(weir_store *store, const weir_str *names, size_t count, bool *taken,
                    weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg_parameters p = {0};
    weir__pg *c;
    PGresult *result;
    int at = weir__pg_add_array(&p, WEIR__PG_TEXT);
    for (size_t i = 0; i < count; i++) weir__pg_push_text(&p, at, names[i]);
    bool ok = weir__pg_ask(s, WEIR__PG_NAMES, &p, &c, &result, error);
    weir__pg_parameters_deinit(&p);
    if (!ok) return false;
    for (int row = 0; row < s->server.q->ntuples(result); row++)
        weir__store_mark_name(names, count, weir__pg_text(c, result, row, 0), taken);
    s->server.q->clear(result);
    return true;
}

/* One statement: all or nothing. What a reader's connection commits does not wait for the disk; the message does, and brings
 * it there too. */
bool weir__pg_delete(weir_store *store, const weir_str *runs, size_t count, weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg_parameters p = {0}, none = {0};
    int ids = weir__pg_add_array(&p, WEIR__PG_TEXT);
    for (size_t i = 0; i < count; i++) weir__pg_push_text(&p, ids, runs[i]);
    bool ok = change(s,
                     "WITH gone AS (DELETE FROM weir.runs WHERE id = ANY($1::text[])"
                     "  RETURNING id, owner),"
                     " batches AS (DELETE FROM weir.journal WHERE stream = ANY($1::text[])),"
                     " leased AS (DELETE FROM weir.leases WHERE run = ANY($1::text[])),"
                     " forsaken AS (UPDATE weir.blobs SET noted_us = 0"
                     "  WHERE run = ANY($1::text[])),"
                     " asked AS (DELETE FROM weir.commands WHERE run = ANY($1::text[])),"
                     " old AS (DELETE FROM weir.deleted"
                     "  WHERE owner = '' AND at < clock_timestamp() - interval '1 day')"
                     " INSERT INTO weir.deleted(run, owner) SELECT id, owner FROM gone"
                     " ON CONFLICT DO NOTHING",
                     &p, error) &&
              change(s, "SELECT set_config('synchronous_commit', 'on', false)", &none, error) &&
              change(s, "SELECT pg_logical_emit_message(true, 'weir', '')", &none, error) &&
              change(s, "SELECT set_config('synchronous_commit', 'off', false)", &none, error);
    weir__pg_parameters_deinit(&p);
    return ok;
}

bool weir__pg_leftovers(weir_store *store, weir__leftover_visit *visit, void *arg,
                        weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg_parameters none = {0};
    weir__pg *c;
    PGresult *result;
    if (!weir__pg_ask_sql(s, "SELECT run, owner FROM weir.deleted WHERE owner <> ''", &none, &c,
                          &result, error))
        return false;
    for (int row = 0; row < s->server.q->ntuples(result); row++)
        if (!visit(arg, weir__pg_text(c, result, row, 0), weir__pg_text(c, result, row, 1))) break;
    s->server.q->clear(result);
    return true;
}

/* The row stays for a while: an engine that was stopped, and lost the run, must not take it again as one that the server
 * has forgotten. */
bool weir__pg_forget(weir_store *store, weir_str run, weir_error *error) {
    weir__pg_parameters p = {0};
    weir__pg_add_text(&p, run);
    bool ok = change((weir__postgresql *)store,
                     "UPDATE weir.deleted SET owner = '' WHERE run = $1::text", &p, error);
    weir__pg_parameters_deinit(&p);
    return ok;
}

/* The tables that are derived from the journal, on PostgreSQL: one statement writes batches and rows, which it gets as a
 * JSON object of arrays, {table: [{column: value}]}. */
#include <inttypes.h>

#include "store/postgresql_internal.h"

/* --- the statement -------------------------------------------------------------------------- */

static void add_columns(weir_buffer *sql, const weir_table_form *form, size_t to, bool typed) {
    for (size_t i = 0; i < to; i++)
        weir_buffer_printf(sql, ", %s%s", form->columns[i],
                           !typed           ? ""
                           : form->texts[i] ? " text"
                                            : " bigint");
}

/* Of places that runs share a write has each once, and all writers take them in the same order. */
static void add_put(weir_buffer *sql, weir_table table) {
    const weir_table_form *form = &weir_table_forms[table];
    bool of_run = weir_table_is_of_runs(table);
    weir_buffer_printf(sql, ", put_%s AS (INSERT INTO weir.%s AS t(run", form->name, form->name);
    add_columns(sql, form, form->count, false);
    weir_buffer_printf(sql,
                       ") SELECT %sx.* FROM jsonb_to_recordset(($22::text)::jsonb->'%s')"
                       " AS x(run text",
                       of_run ? "" : "DISTINCT ON (x.number) ", form->name);
    add_columns(sql, form, form->count, true);
    if (of_run) {
        weir_buffer_text(sql, "), allowed ON CONFLICT(run");
        add_columns(sql, form, form->keys, false);
        weir_buffer_text(sql, ") DO UPDATE SET run = t.run");
    } else {
        weir_buffer_text(sql, "), allowed ORDER BY x.number ON CONFLICT(number)"
                              " DO UPDATE SET run = excluded.run");
    }
    for (size_t i = form->keys; i < form->count; i++)
        weir_buffer_printf(sql, ", %s = coalesce(excluded.%s, t.%s)", form->columns[i],
                           form->columns[i], form->columns[i]);
    weir_buffer_byte(sql, ')');
}

static bool is_one_of_few(weir_table table) {
    return table == WEIR_TABLE_CONTEXTS || table == WEIR_TABLE_DERIVED;
}

char *weir__pg_append_rows_sql(bool few) {
    weir_buffer sql = {0};
    weir_buffer_text(&sql, weir__pg_append_head);
    for (weir_table t = 0; t < WEIR_TABLES; t++)
        if (!few || is_one_of_few(t)) add_put(&sql, t);
    if (!few)
        weir_buffer_text(&sql, ", drop_locks AS (DELETE FROM weir.locks l USING"
                               " jsonb_to_recordset(($22::text)::jsonb->'gone_locks')"
                               " AS x(run text, lock bigint, task bigint), allowed"
                               " WHERE l.run = x.run AND l.lock = x.lock AND l.task = x.task)");
    weir_buffer_text(&sql, " SELECT count(*) FROM allowed");
    return sql.data;
}

weir__pg_statement weir__pg_append_for(const weir__rows *rows) {
    if (!rows) return WEIR__PG_APPEND;
    for (weir_table t = 0; t < WEIR_TABLES; t++)
        if (!is_one_of_few(t) && rows->tables[t].count) return WEIR__PG_APPEND_ROWS;
    return WEIR__PG_APPEND_FEW;
}

/* --- its parameters ------------------------------------------------------------------------- */

/* jsonb has no NUL; what is no UTF-8 the parameter sees to. */
static void add_string(weir_buffer *out, weir_str text) {
    weir_buffer_byte(out, '"');
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '"' || c == '\\') weir_buffer_byte(out, '\\');
        if (c == 0)
            weir_buffer_text(out, "\xef\xbf\xbd");
        else if (c < 0x20)
            weir_buffer_printf(out, "\\u%04x", c);
        else
            weir_buffer_byte(out, (char)c);
    }
    weir_buffer_byte(out, '"');
}

static void add_row(weir_buffer *out, weir_str run, const weir_table_form *form,
                    const weir__row *row) {
    weir_buffer_text(out, "{\"run\":");
    add_string(out, run);
    for (size_t i = 0; i < form->count; i++) {
        const weir_cell *cell = &row->cells[i];
        if (cell->kind == WEIR_CELL_NONE) continue;
        weir_buffer_printf(out, ",\"%s\":", form->columns[i]);
        if (cell->kind == WEIR_CELL_NUMBER)
            weir_buffer_printf(out, "%" PRId64, cell->number);
        else
            add_string(out, cell->text);
    }
    weir_buffer_byte(out, '}');
}

/* The table's rows that are to be put, or that are to go; only locks go. */
static void add_table(weir_buffer *out, const weir__rows *rows, weir_table table, bool gone) {
    bool any = false;
    weir_buffer_printf(out, "%s\"%s%s\":[", out->length > 1 ? "," : "", gone ? "gone_" : "",
                       weir_table_forms[table].name);
    for (size_t i = 0; i < rows->tables[table].count; i++) {
        const weir__row *row = &rows->tables[table].items[i];
        weir_assert(!row->gone || row->past || table == WEIR_TABLE_LOCKS);
        if (row->gone != gone || !weir__rows_has(rows, row)) continue;
        if (any) weir_buffer_byte(out, ',');
        any = true;
        add_row(out, rows->runs.items[row->run].run, &weir_table_forms[table], row);
    }
    weir_buffer_byte(out, ']');
}

void weir__pg_add_rows(weir__pg_parameters *p, const weir__rows *rows) {
    weir_buffer text = {0};
    weir_buffer_byte(&text, '{');
    for (weir_table t = 0; t < WEIR_TABLES; t++)
        if (rows->tables[t].count) add_table(&text, rows, t, false);
    if (rows->tables[WEIR_TABLE_LOCKS].count) add_table(&text, rows, WEIR_TABLE_LOCKS, true);
    weir_buffer_byte(&text, '}');
    weir__pg_add_text(p, weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    int run = weir__pg_add_array(p, WEIR__PG_TEXT), fence = weir__pg_add_array(p, WEIR__PG_NUMBER);
    for (uint32_t i = 0; i < rows->runs.count; i++) {
        const weir__rows_run *r = &rows->runs.items[i];
        if (r->forgotten || (rows->only && rows->only != i + 1)) continue;
        weir__pg_push_text(p, run, r->run);
        weir__pg_push_number(p, fence, (int64_t)r->fence);
    }
}

/* --- a run that began anew ----------------------------------------------------------------------- */

static weir__pg_outcome renew_run(const weir__postgresql *s, weir__pg *c, const weir__rows_run *run,
                                  weir_error *error) {
    weir__pg_parameters p = {0};
    PGresult *result;
    weir__pg_add_text(&p, run->run);
    weir__pg_add_number(&p, (int64_t)run->fence);
    weir__pg_add_text(&p, weir_str_from(s->engine));
    weir__pg_add_number(&p, (int64_t)run->renewed_us);
    weir__pg_outcome outcome = weir__pg_execute(c, WEIR__PG_RENEW_ROWS, &p, &result, error);
    if (outcome == WEIR__PG_DONE) c->server->q->clear(result);
    weir__pg_parameters_deinit(&p);
    return outcome;
}

weir__pg_outcome weir__pg_renew_rows(const weir__postgresql *s, weir__pg *c, const weir__rows *rows,
                                     weir_error *error) {
    weir__pg_outcome outcome = WEIR__PG_DONE;
    for (uint32_t i = 0; rows->renewed && outcome == WEIR__PG_DONE && i < rows->runs.count; i++)
        if (rows->runs.items[i].renewed_us && weir__rows_has_run(rows, i))
            outcome = renew_run(s, c, &rows->runs.items[i], error);
    return outcome;
}

/* --- at once ----------------------------------------------------------------------------------- */

/* Two transactions: a reader may find none of the rows in between, and so does who comes after a crash there. */
bool weir__pg_derive(weir_store *store, weir_str run, bool anew, weir_str changes,
                     weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    uint64_t fence = weir__pg_fence(s, run);
    weir__rows rows = {0};
    weir__pg_parameters clear = {0}, put = {0};
    weir__pg *c;
    PGresult *result;
    weir__pg_add_text(&clear, run);
    weir__pg_add_number(&clear, (int64_t)fence);
    weir__pg_add_text(&clear, weir_str_from(s->engine));
    bool ok = !anew || weir__pg_ask(s, WEIR__PG_CLEAR_ROWS, &clear, &c, &result, error);
    if (ok && anew) s->server.q->clear(result);
    weir__rows_add(&rows, run, fence, changes);
    if (ok && rows.count) {
        weir__pg_add_write(s, NULL, &rows, &put);
        c = weir__pg_idle_reader(s);
        ok = (!rows.renewed || (weir__pg_connect(c, error) &&
                                weir__pg_renew_rows(s, c, &rows, error) == WEIR__PG_DONE)) &&
             weir__pg_ask(s, weir__pg_append_for(&rows), &put, &c, &result, error);
        bool written = ok && weir__pg_number(c, result, 0, 0) != 0;
        if (ok) s->server.q->clear(result);
        if (ok && !written)
            ok = weir_fail(error, WEIR_CONFLICT, "the lease of run `%.*s` is another's",
                           WEIR_ARG(run));
    }
    weir__rows_clear(&rows);
    weir__pg_parameters_deinit(&clear);
    weir__pg_parameters_deinit(&put);
    return ok;
}

bool weir__pg_derived(weir_store *store, weir_str run, uint64_t *sequence, weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg_parameters p = {0};
    weir__pg *c;
    PGresult *result;
    weir__pg_add_text(&p, run);
    bool ok = weir__pg_ask(s, WEIR__PG_DERIVED, &p, &c, &result, error);
    weir__pg_parameters_deinit(&p);
    if (!ok) return false;
    *sequence = s->server.q->ntuples(result) ? (uint64_t)weir__pg_number(c, result, 0, 0) : 0;
    s->server.q->clear(result);
    return true;
}

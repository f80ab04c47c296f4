/* The tables that are derived from the journal, on SQLite: written by the writer's thread, within its transaction. */
#include "store/sqlite_internal.h"

/* Behind `run`, each with a comma before it. */
static void add_columns(weir_buffer *sql, const weir_table_form *form, size_t from, size_t to,
                        const char *before, const char *after) {
    for (size_t i = from; i < to; i++)
        weir_buffer_printf(sql, "%s%s%s", before, form->columns[i], after);
}

static void add_put(weir_buffer *sql, weir_table table) {
    const weir_table_form *form = &weir_table_forms[table];
    bool of_run = weir_table_is_of_runs(table);
    weir_buffer_printf(sql, "INSERT INTO %s(run", form->name);
    add_columns(sql, form, 0, form->count, ", ", "");
    weir_buffer_text(sql, ") VALUES(?");
    for (size_t i = 0; i < form->count; i++) weir_buffer_text(sql, ", ?");
    weir_buffer_text(sql, of_run ? ") ON CONFLICT(run" : ") ON CONFLICT(");
    add_columns(sql, form, 0, form->keys, of_run ? ", " : "", "");
    weir_buffer_printf(sql, ") DO UPDATE SET run = %s", of_run ? "run" : "excluded.run");
    for (size_t i = form->keys; i < form->count; i++)
        weir_buffer_printf(sql, ", %s = coalesce(excluded.%s, %s)", form->columns[i],
                           form->columns[i], form->columns[i]);
}

static void add_drop(weir_buffer *sql, weir_table table) {
    const weir_table_form *form = &weir_table_forms[table];
    weir_buffer_printf(sql, "DELETE FROM %s WHERE run = ?", form->name);
    add_columns(sql, form, 0, form->keys, " AND ", " = ?");
}

static bool prepare(const weir__sqlite *s, weir__sqlite_rows *to, weir_table table, bool drop,
                    weir_error *error) {
    sqlite3_stmt **statement = drop ? &to->drop[table] : &to->put[table];
    if (*statement) return true;
    weir_buffer sql = {0};
    (drop ? add_drop : add_put)(&sql, table);
    int status = sqlite3_prepare_v3(to->db, sql.data, (int)sql.length, SQLITE_PREPARE_PERSISTENT,
                                    statement, NULL);
    weir_buffer_deinit(&sql);
    return status == SQLITE_OK || weir__sqlite_failed(s, to->db, error);
}

static void bind_cell(sqlite3_stmt *statement, int at, const weir_cell *cell) {
    if (cell->kind == WEIR_CELL_NUMBER)
        sqlite3_bind_int64(statement, at, cell->number);
    else if (cell->kind == WEIR_CELL_TEXT)
        weir__bind_text(statement, at, cell->text);
    else
        sqlite3_bind_null(statement, at);
}

static bool write_row(const weir__sqlite *s, weir__sqlite_rows *to, weir_table table, weir_str run,
                      const weir__row *row, weir_error *error) {
    if (!prepare(s, to, table, row->gone, error)) return false;
    const weir_table_form *form = &weir_table_forms[table];
    sqlite3_stmt *statement = row->gone ? to->drop[table] : to->put[table];
    weir__bind_text(statement, 1, run);
    for (size_t i = 0; i < (row->gone ? form->keys : form->count); i++)
        bind_cell(statement, (int)i + 2, &row->cells[i]);
    sqlite3_step(statement);
    if (sqlite3_reset(statement) == SQLITE_OK) return true;
    if ((sqlite3_errcode(to->db) & 0xff) != SQLITE_CONSTRAINT)
        return weir__sqlite_failed(s, to->db, error);
    return weir__rows_refused(run, form->name, error);
}

/* The first is the run, the second the time. */
#define ENDED(table, phase)                                                                        \
    "UPDATE " table " SET phase = '" phase "', message = '" WEIR__RENEWED_MESSAGE "'"              \
    ", finished_us = ?2 WHERE run = ?1 AND finished_us IS NULL"
static const char *const renewals[] = {
    "UPDATE tasks SET node = NULL WHERE run = ?1 AND node IS NOT NULL",
    "DELETE FROM nodes WHERE run = ?1",
    "DELETE FROM locks WHERE run = ?1",
    ENDED("contexts", "Failed"),
    ENDED("tasks", "Cancelled"),
    ENDED("attempts", "Cancelled"),
};

static bool renew(const weir__sqlite *s, sqlite3 *db, const weir__rows_run *run,
                  weir_error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof renewals / sizeof *renewals; i++) {
        sqlite3_stmt *statement = NULL;
        ok = sqlite3_prepare_v2(db, renewals[i], -1, &statement, NULL) == SQLITE_OK;
        if (ok) weir__bind_text(statement, 1, run->run);
        if (ok && sqlite3_bind_parameter_count(statement) > 1)
            sqlite3_bind_int64(statement, 2, (int64_t)run->renewed_us);
        ok = (ok && sqlite3_step(statement) == SQLITE_DONE) || weir__sqlite_failed(s, db, error);
        sqlite3_finalize(statement);
    }
    return ok;
}

bool weir__sqlite_write_rows(const weir__sqlite *s, weir__sqlite_rows *to, const weir__rows *rows,
                             weir_error *error) {
    for (uint32_t i = 0; rows->renewed && i < rows->runs.count; i++)
        if (rows->runs.items[i].renewed_us && weir__rows_has_run(rows, i) &&
            !renew(s, to->db, &rows->runs.items[i], error))
            return false;
    for (weir_table t = 0; t < WEIR_TABLES; t++)
        for (size_t i = 0; i < rows->tables[t].count; i++) {
            const weir__row *row = &rows->tables[t].items[i];
            if (weir__rows_has(rows, row) &&
                !write_row(s, to, t, rows->runs.items[row->run].run, row, error))
                return false;
        }
    return true;
}

void weir__sqlite_finish_rows(weir__sqlite_rows *statements) {
    for (weir_table t = 0; t < WEIR_TABLES; t++) {
        sqlite3_finalize(statements->put[t]);
        sqlite3_finalize(statements->drop[t]);
    }
}

/* --- at once, on a connection of its own ------------------------------------------------------ */

static bool clear(const weir__sqlite *s, sqlite3 *db, weir_str run, weir_error *error) {
    bool ok = true;
    for (weir_table t = WEIR_TABLES; ok && t-- > 0;) {
        if (!weir_table_is_of_runs(t)) continue;
        weir_buffer sql = {0};
        sqlite3_stmt *statement = NULL;
        weir_buffer_printf(&sql, "DELETE FROM %s WHERE run = ?", weir_table_forms[t].name);
        ok = sqlite3_prepare_v2(db, sql.data, (int)sql.length, &statement, NULL) == SQLITE_OK;
        if (ok) weir__bind_text(statement, 1, run);
        ok = (ok && sqlite3_step(statement) == SQLITE_DONE) || weir__sqlite_failed(s, db, error);
        sqlite3_finalize(statement);
        weir_buffer_deinit(&sql);
    }
    return ok;
}

static bool derive_on(const weir__sqlite *s, weir__sqlite_rows *to, weir_str run, bool anew,
                      const weir__rows *rows, weir_error *error) {
    if (!weir__sqlite_run_on(s, to->db, "PRAGMA foreign_keys = ON; BEGIN IMMEDIATE", error))
        return false;
    bool ok = (!anew || clear(s, to->db, run, error)) &&
              weir__sqlite_write_rows(s, to, rows, error) &&
              weir__sqlite_run_on(s, to->db, "COMMIT", error);
    if (!ok && !sqlite3_get_autocommit(to->db)) sqlite3_exec(to->db, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

bool weir__sqlite_derive(weir_store *store, weir_str run, bool anew, weir_str changes,
                         weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    weir__sqlite_rows to = {0};
    weir__rows rows = {0};
    if (!weir__sqlite_connect(s, &to.db, error)) return false;
    weir__rows_add(&rows, run, 0, changes);
    bool ok = derive_on(s, &to, run, anew, &rows, error);
    weir__rows_clear(&rows);
    weir__sqlite_finish_rows(&to);
    sqlite3_close(to.db);
    return ok;
}

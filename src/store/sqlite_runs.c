/* The table of runs: selections, ends, and whether anything changed. On the owner's thread. */
#include "store/sqlite_internal.h"

bool weir__sqlite_visit(weir__sqlite *s, sqlite3_stmt *row, weir__record_visit *visit, void *arg,
                        weir_error *error) {
    bool more = true;
    int status = SQLITE_ROW;
    while (more && (status = sqlite3_step(row)) == SQLITE_ROW) {
        weir_run_record record = {
            .id = weir__sqlite_text(row, 0),
            .name = weir__sqlite_text(row, 1),
            .kind = weir__sqlite_text(row, 2),
            .phase = weir__sqlite_text(row, 3),
            .file = weir__sqlite_text(row, 4),
            .owner = weir__sqlite_text(row, 5),
            .parent = weir__sqlite_text(row, 6),
            .created_us = (uint64_t)sqlite3_column_int64(row, 7),
            .finished_us = (uint64_t)sqlite3_column_int64(row, 8),
            .labels = weir__sqlite_text(row, 9),
            .number = (uint64_t)sqlite3_column_int64(row, 10),
        };
        more = visit(arg, &record);
    }
    return weir__sqlite_ended(s, row, status, error);
}

bool weir__sqlite_select(weir_store *store, const weir_selection *selection,
                         weir__record_visit *visit, void *arg, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    weir__sql sql = {0};
    weir__selection_to_sql(selection, WEIR__SQLITE, &sql);
    bool ok = weir__sqlite_read(s, sql.text.data, &row, error);
    for (size_t i = 0; ok && i < sql.count; i++) {
        const struct weir__sql_value *value = &sql.values[i];
        if (value->is_number)
            sqlite3_bind_int64(row, (int)i + 1, (int64_t)value->number);
        else
            weir__bind_text(row, (int)i + 1, weir_buffer_str(&value->text));
    }
    ok = ok && weir__sqlite_visit(s, row, visit, arg, error);
    weir__sql_deinit(&sql);
    return ok;
}

/* The count is of one connection: what of them it is belongs to it. Both are too small ever to meet. */
uint64_t weir__sqlite_version(weir_store *store) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    weir_error ignored;
    if (!weir__sqlite_read(s, "PRAGMA data_version", &row, &ignored)) return 0;
    uint64_t version = 0;
    if (sqlite3_step(row) == SQLITE_ROW)
        version = (uint64_t)sqlite3_column_int64(row, 0) << 1 | (s->reader != NULL);
    sqlite3_finalize(row);
    return version;
}

/* --- ends ----------------------------------------------------------------------------------- */

static bool run_for(weir__sqlite *s, const char *sql, weir_str run, weir_error *error) {
    sqlite3_stmt *statement = NULL;
    if (!weir__sqlite_read(s, sql, &statement, error)) return false;
    weir__bind_text(statement, 1, run);
    return weir__sqlite_ended(s, statement, sqlite3_step(statement), error);
}

static bool run_plain(weir__sqlite *s, const char *sql, weir_error *error) {
    sqlite3_stmt *statement = NULL;
    return weir__sqlite_read(s, sql, &statement, error) &&
           weir__sqlite_ended(s, statement, sqlite3_step(statement), error);
}

/* The statements for each of the runs, in one transaction. */
static bool change(weir__sqlite *s, const char *const *statements, size_t statement_count,
                   const weir_str *runs, size_t count, weir_error *error) {
    if (!run_plain(s, "BEGIN IMMEDIATE", error)) return false;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        for (size_t j = 0; ok && j < statement_count; j++)
            ok = run_for(s, statements[j], runs[i], error);
    ok = ok && run_plain(s, "COMMIT", error);
    weir_error ignored;
    if (!ok) (void)run_plain(s, "ROLLBACK", &ignored);
    return ok;
}

bool weir__sqlite_delete(weir_store *store, const weir_str *runs, size_t count, weir_error *error) {
    static const char *const statements[] = {
        "INSERT OR REPLACE INTO deleted SELECT id, owner, number FROM runs WHERE id = ?",
        "UPDATE memo SET run = NULL WHERE run = ?",
        "UPDATE blobs SET noted_us = 0 WHERE run = ?",
        "DELETE FROM runs WHERE id = ?",
        "DELETE FROM journal WHERE stream = ?",
    };
    /* Foreign keys take along what refers to a run; a reader has them off. */
    weir__sqlite *s = (weir__sqlite *)store;
    return run_plain(s, "PRAGMA foreign_keys = ON", error) &&
           change(s, statements, sizeof statements / sizeof *statements, runs, count, error);
}

bool weir__sqlite_leftovers(weir_store *store, weir__leftover_visit *visit, void *arg,
                            weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    if (!weir__sqlite_read(s, "SELECT run, owner FROM deleted WHERE owner <> ''", &row, error))
        return false;
    int status = SQLITE_ROW;
    while ((status = sqlite3_step(row)) == SQLITE_ROW)
        if (!visit(arg, weir__sqlite_text(row, 0), weir__sqlite_text(row, 1))) break;
    return weir__sqlite_ended(s, row, status, error);
}

/* The row with the largest number stays, so that no run gets that again: cursors are numbers. Nothing is lost when a power cut
 * undoes it, so it does not wait for the disk. */
bool weir__sqlite_forget(weir_store *store, weir_str run, weir_error *error) {
    static const char mark[] = "UPDATE deleted SET owner = '' WHERE run = ?",
                      remove[] = "DELETE FROM deleted WHERE (owner = '' OR run = ?)"
                                 " AND number < (SELECT max(number) FROM deleted)";
    weir__sqlite *s = (weir__sqlite *)store;
    bool full = s->durability == WEIR_DURABILITY_FULL;
    bool ok = run_plain(s, "PRAGMA synchronous = NORMAL", error) &&
              change(s, (const char *const[]){mark, remove}, 2, &run, 1, error);
    return (!full || run_plain(s, "PRAGMA synchronous = FULL", ok ? error : NULL)) && ok;
}

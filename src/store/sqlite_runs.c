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

/* The statements for each of the runs, in one transaction. */
static bool change(weir__sqlite *s, const char *const *statements, size_t statement_count,
                   const weir_str *runs, size_t count, weir_error *error) {
    if (!weir__sqlite_run_plain(s, "BEGIN IMMEDIATE", error)) return false;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        for (size_t j = 0; ok && j < statement_count; j++)
            ok = weir__sqlite_run_for(s, statements[j], runs[i], error);
    ok = ok && weir__sqlite_run_plain(s, "COMMIT", error);
    weir_error ignored;
    if (!ok) (void)!weir__sqlite_run_plain(s, "ROLLBACK", &ignored);
    return ok;
}

/* Foreign keys would take along all that refers to a run at once, and that may be gigabytes, for which writers would have to
 * wait: what is left after the first slice weir__sqlite_sweep removes. The record is gone, so nobody can see it. */
static bool delete_one(weir__sqlite *s, weir_str run, weir_error *error) {
    static const char *const statements[] = {
        "INSERT OR REPLACE INTO deleted SELECT id, owner, number FROM runs WHERE id = ?",
        "UPDATE memo SET run = NULL WHERE run = ?",
        "DELETE FROM labels WHERE run = (SELECT number FROM runs WHERE id = ?)",
        "UPDATE blobs SET noted_us = 0 WHERE run = ?",
        "DELETE FROM runs WHERE id = ?",
    };
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof statements / sizeof *statements; i++)
        ok = weir__sqlite_run_for(s, statements[i], run, error);
    return ok && weir__sqlite_remove_some(s, run, error);
}

bool weir__sqlite_delete(weir_store *store, const weir_str *runs, size_t count, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    weir_error ignored;
    if (!weir__sqlite_run_plain(s, "PRAGMA foreign_keys = OFF", error)) return false;
    bool ok = weir__sqlite_run_plain(s, "BEGIN IMMEDIATE", error);
    bool begun = ok;
    for (size_t i = 0; ok && i < count; i++) ok = delete_one(s, runs[i], error);
    ok = ok && weir__sqlite_run_plain(s, "COMMIT", error);
    if (begun && !ok) (void)!weir__sqlite_run_plain(s, "ROLLBACK", &ignored);
    /* The writer's connection, as long as it has not started, wants them. */
    (void)!weir__sqlite_run_plain(s, "PRAGMA foreign_keys = ON", &ignored);
    return ok;
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
    bool ok = weir__sqlite_run_plain(s, "PRAGMA synchronous = NORMAL", error) &&
              change(s, (const char *const[]){mark, remove}, 2, &run, 1, error);
    return (!full || weir__sqlite_run_plain(s, "PRAGMA synchronous = FULL", ok ? error : NULL)) &&
           ok;
}

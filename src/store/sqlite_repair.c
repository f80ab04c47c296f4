/* Repair of a store on SQLite: what is wrong with single batches. Runs on a connection of its own, so that all of SQLite's
 * other statements stay as they are. */
#include <stdio.h>
#include <unistd.h>

#include "store/sqlite_internal.h"

enum { COPIES_MAX = 1000 };

bool weir__sqlite_streams(weir_store *store, weir__stream_visit *visit, void *arg,
                          weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    if (!weir__sqlite_read(s, WEIR__STREAMS("journal"), &row, error)) return false;
    bool more = true;
    int status = SQLITE_ROW;
    while (more && (status = sqlite3_step(row)) == SQLITE_ROW)
        more = visit(arg, weir__sqlite_text(row, 0));
    return weir__sqlite_ended(s, row, status, error);
}

bool weir__sqlite_inspect(weir_store *store, weir_str run, weir__inspect_visit *visit, void *arg,
                          weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    if (!weir__sqlite_read(s,
                           "SELECT seq, version, checksum, bytes FROM journal"
                           " WHERE stream = ? ORDER BY seq",
                           &row, error))
        return false;
    weir__bind_text(row, 1, run);
    bool more = true;
    int status = SQLITE_ROW;
    while (more && (status = sqlite3_step(row)) == SQLITE_ROW) {
        weir_error damage;
        uint64_t sequence = (uint64_t)sqlite3_column_int64(row, 0);
        weir_str bytes = {sqlite3_column_blob(row, 3), (size_t)sqlite3_column_bytes(row, 3)};
        if (!bytes.data) bytes.data = "";
        bool sound = weir__batch_check(run, NULL, sequence, sqlite3_column_int64(row, 1),
                                       sqlite3_column_int64(row, 2), bytes, &damage);
        more = visit(arg, sequence, bytes, sound ? NULL : &damage);
    }
    return weir__sqlite_ended(s, row, status, error);
}

static bool cut_on(const weir__sqlite *s, sqlite3 *db, uint64_t from, const weir_run_record *record,
                   weir_error *error) {
    sqlite3_stmt *cut = NULL, *put = NULL;
    bool ok = sqlite3_exec(db, "PRAGMA foreign_keys = ON; BEGIN IMMEDIATE", NULL, NULL, NULL) ==
                  SQLITE_OK &&
              sqlite3_prepare_v2(db, "DELETE FROM journal WHERE stream = ? AND seq >= ?", -1, &cut,
                                 NULL) == SQLITE_OK &&
              sqlite3_prepare_v2(db, WEIR__PUT_RECORD, -1, &put, NULL) == SQLITE_OK;
    if (ok) {
        weir__bind_text(cut, 1, record->id);
        sqlite3_bind_int64(cut, 2, (int64_t)from);
        weir__bind_record(put, record);
    }
    ok = ok && sqlite3_step(cut) == SQLITE_DONE && sqlite3_step(put) == SQLITE_DONE;
    sqlite3_finalize(cut);
    sqlite3_finalize(put);
    ok = (ok && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK) ||
         weir__sqlite_failed(s, db, error);
    if (!ok && !sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

bool weir__sqlite_cut(weir_store *store, uint64_t from, const weir_run_record *record,
                      weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3 *db;
    if (!weir__sqlite_connect(s, &db, error)) return false;
    bool ok = cut_on(s, db, from, record, error);
    sqlite3_close(db);
    return ok;
}

bool weir__sqlite_copy(weir_store *store, const char *word, weir_buffer *path, weir_error *error) {
    const weir__sqlite *s = (weir__sqlite *)store;
    size_t length = path->length;
    for (int i = 1; i <= COPIES_MAX; i++) {
        path->length = length;
        weir_buffer_printf(path, "%s.%s-%d", s->file, word, i);
        if (access(path->data + length, F_OK) < 0)
            return weir__sqlite_keep_copy(s, path->data + length, error);
    }
    return weir_fail(error, WEIR_STORE, "there are %d copies of `%s` already", COPIES_MAX, s->file);
}

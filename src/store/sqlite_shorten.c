/* A summary in the place of the beginning of a run's journal, on SQLite. On a connection of its own: it is seldom. */
#include "store/sqlite_internal.h"

static bool step(sqlite3_stmt *statement) {
    return sqlite3_step(statement) == SQLITE_DONE && sqlite3_reset(statement) == SQLITE_OK;
}

/* Runs the statement, whose first parameter is the run, with each number; those that were opened last first, as they may be within
 * the others. */
static bool run_each(sqlite3 *db, const char *sql, weir_str run, const uint32_t *numbers,
                     size_t count) {
    sqlite3_stmt *statement = NULL;
    bool ok = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK;
    if (ok) weir__bind_text(statement, 1, run);
    for (size_t i = count; ok && i-- > 0;) {
        sqlite3_bind_int64(statement, 2, numbers[i]);
        ok = step(statement);
    }
    sqlite3_finalize(statement);
    return ok;
}

static bool replace(sqlite3 *db, weir_str run, uint64_t sequence, weir_str summary) {
    sqlite3_stmt *gone = NULL, *put = NULL;
    bool ok = sqlite3_prepare_v2(db, "DELETE FROM journal WHERE stream = ? AND seq < ?", -1, &gone,
                                 NULL) == SQLITE_OK &&
              sqlite3_prepare_v2(db,
                                 "UPDATE journal SET version = ?3, checksum = ?4, bytes = ?5"
                                 " WHERE stream = ?1 AND seq = ?2",
                                 -1, &put, NULL) == SQLITE_OK;
    if (ok) {
        weir__bind_text(gone, 1, run);
        sqlite3_bind_int64(gone, 2, (int64_t)sequence);
        weir__bind_text(put, 1, run);
        sqlite3_bind_int64(put, 2, (int64_t)sequence);
        sqlite3_bind_int64(put, 3, WEIR__BATCH_VERSION);
        sqlite3_bind_int64(put, 4, weir__batch_checksum(run, sequence, summary));
        sqlite3_bind_blob64(put, 5, summary.data, summary.length, SQLITE_STATIC);
        ok = step(gone) && step(put);
    }
    sqlite3_finalize(gone);
    sqlite3_finalize(put);
    return ok;
}

bool weir__sqlite_shorten(weir_store *store, weir_str run, uint64_t sequence, weir_str summary,
                          const uint32_t *contexts, size_t count, weir_error *error) {
    const weir__sqlite *s = (weir__sqlite *)store;
    sqlite3 *db;
    if (!weir__sqlite_connect(s, &db, error)) return false;
    /* The disk need not have it yet: without it the beginning is as it was. */
    bool ok = weir__sqlite_run_on(s, db,
                                  "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
                                  " BEGIN IMMEDIATE",
                                  error);
    if (ok) {
        ok = (replace(db, run, sequence, summary) &&
              run_each(db, "DELETE FROM tasks WHERE run = ? AND context = ?", run, contexts,
                       count) &&
              run_each(db, "DELETE FROM contexts WHERE run = ? AND number = ?", run, contexts,
                       count) &&
              sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK) ||
             weir__sqlite_failed(s, db, error);
        if (!ok && !sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
    sqlite3_close(db);
    return ok;
}

/* References to blobs on SQLite. */
#include "store/sqlite_internal.h"

bool weir__sqlite_write_references(weir__sqlite *s, const weir__refer_put *put, weir_error *error) {
    if (!s->put_reference &&
        sqlite3_prepare_v3(s->db,
                           "INSERT INTO blobs(run, digest, place, size, noted_us)"
                           " VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                           -1, SQLITE_PREPARE_PERSISTENT, &s->put_reference, NULL) != SQLITE_OK)
        return weir__sqlite_failed(s, s->db, error);
    for (size_t i = 0; i < put->count; i++) {
        const weir_reference *r = &put->items[i];
        weir__bind_text(s->put_reference, 1, r->run);
        weir__bind_text(s->put_reference, 2, r->digest);
        weir__bind_text(s->put_reference, 3, r->place);
        sqlite3_bind_int64(s->put_reference, 4, (int64_t)r->size);
        sqlite3_bind_int64(s->put_reference, 5, (int64_t)put->now_us);
        sqlite3_step(s->put_reference);
        if (sqlite3_reset(s->put_reference) != SQLITE_OK)
            return weir__sqlite_failed(s, s->db, error);
    }
    return true;
}

void weir__sqlite_refer(weir_store *store, weir__refer_put *put) {
    weir__writer_refer(((weir__sqlite *)store)->writer, put);
}

static bool visit_all(weir__sqlite *s, sqlite3_stmt *row, weir_reference_visit *visit, void *arg,
                      weir_error *error) {
    bool more = true;
    int status = SQLITE_ROW;
    while (more && (status = sqlite3_step(row)) == SQLITE_ROW) {
        weir_reference reference = {.run = weir__sqlite_text(row, 0),
                                    .digest = weir__sqlite_text(row, 1),
                                    .place = weir__sqlite_text(row, 2),
                                    .size = (uint64_t)sqlite3_column_int64(row, 3)};
        more = visit(arg, &reference);
    }
    return weir__sqlite_ended(s, row, status, error);
}

bool weir__sqlite_references(weir_store *store, weir_str run, weir_str digest,
                             weir_reference_visit *visit, void *arg, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    if (!weir__sqlite_read(s,
                           run.length ? "SELECT run, digest, place, size FROM blobs WHERE run = ?1"
                                        " AND (?2 = '' OR digest = ?2) ORDER BY digest, place"
                                      : "SELECT run, digest, place, size FROM blobs"
                                        " WHERE (?2 = '' OR digest = ?2) ORDER BY digest, place",
                           &row, error))
        return false;
    weir__bind_text(row, 1, run);
    weir__bind_text(row, 2, digest);
    return visit_all(s, row, visit, arg, error);
}

bool weir__sqlite_forsaken(weir_store *store, const weir_reference *after,
                           weir_reference_visit *visit, void *arg, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    if (!weir__sqlite_read(s,
                           "SELECT run, digest, place, size FROM blobs WHERE noted_us = 0"
                           " AND (run, digest, place) > (?, ?, ?)"
                           " ORDER BY run, digest, place LIMIT ?",
                           &row, error))
        return false;
    weir__bind_text(row, 1, after->run);
    weir__bind_text(row, 2, after->digest);
    weir__bind_text(row, 3, after->place);
    sqlite3_bind_int64(row, 4, WEIR_FORSAKEN_MAX);
    return visit_all(s, row, visit, arg, error);
}

bool weir__sqlite_forsake(weir_store *store, uint64_t before_us, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    if (!weir__sqlite_read(s,
                           "UPDATE blobs SET noted_us = 0 WHERE noted_us > 0 AND noted_us < ?"
                           " AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = blobs.run)",
                           &row, error))
        return false;
    sqlite3_bind_int64(row, 1, (int64_t)before_us);
    return weir__sqlite_ended(s, row, sqlite3_step(row), error);
}

/* On the connection for reading: writers wait for each other. */
bool weir__sqlite_unrefer(weir_store *store, const weir_reference *references, size_t count,
                          weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    if (!weir__sqlite_read(s, "DELETE FROM blobs WHERE run = ? AND digest = ? AND place = ?", &row,
                           error))
        return false;
    sqlite3 *db = sqlite3_db_handle(row);
    bool ok = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
    for (size_t i = 0; ok && i < count; i++) {
        weir__bind_text(row, 1, references[i].run);
        weir__bind_text(row, 2, references[i].digest);
        weir__bind_text(row, 3, references[i].place);
        sqlite3_step(row);
        ok = sqlite3_reset(row) == SQLITE_OK;
    }
    ok = ok && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    if (!ok) weir__sqlite_failed(s, db, error);
    sqlite3_finalize(row);
    if (!ok && !sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

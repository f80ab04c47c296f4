/* Memoized results on SQLite. */
#include "store/sqlite_internal.h"

#define COLUMNS "key, cache, operation, instance, run, task, created_us, size, version, checksum"

static weir_memo_entry read_entry(sqlite3_stmt *row) {
    return (weir_memo_entry){.key = weir__sqlite_text(row, 0),
                             .cache = weir__sqlite_text(row, 1),
                             .operation = weir__sqlite_text(row, 2),
                             .instance = weir__sqlite_text(row, 3),
                             .run = weir__sqlite_text(row, 4),
                             .task = (uint32_t)sqlite3_column_int64(row, 5),
                             .created_us = (uint64_t)sqlite3_column_int64(row, 6),
                             .size = (uint64_t)sqlite3_column_int64(row, 7),
                             .version = sqlite3_column_int64(row, 8),
                             .checksum = sqlite3_column_int64(row, 9)};
}

/* The reader's statement stays; before the writer starts there is no reader. */
static bool prepare_find(weir__sqlite *s, sqlite3_stmt **out, weir_error *error) {
    static const char find[] = "SELECT " COLUMNS ", value, blob FROM memo WHERE key = ?";
    if (!weir__writer_has_started(s->writer)) return weir__sqlite_read(s, find, out, error);
    if (!s->find_memo && !weir__sqlite_read(s, find, &s->find_memo, error)) return false;
    *out = s->find_memo;
    return true;
}

bool weir__sqlite_memo_find(weir_store *store, const weir_str *keys, size_t count,
                            weir_memo_visit *visit, void *arg, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    if (!prepare_find(s, &row, error)) return false;
    int status = SQLITE_DONE;
    for (size_t i = 0; i < count; i++) {
        weir__bind_text(row, 1, keys[i]);
        status = sqlite3_step(row);
        bool more = status == SQLITE_DONE;
        if (status == SQLITE_ROW) {
            weir_memo_entry entry = read_entry(row);
            entry.value =
                (weir_str){sqlite3_column_blob(row, 10), (size_t)sqlite3_column_bytes(row, 10)};
            entry.blob = weir__sqlite_text(row, 11);
            more = visit(arg, &entry);
        }
        if (status != SQLITE_ROW && status != SQLITE_DONE)
            weir__sqlite_failed(s, sqlite3_db_handle(row), error);
        sqlite3_reset(row);
        if (!more) break;
    }
    sqlite3_clear_bindings(row); /* they are the caller's */
    if (row != s->find_memo) sqlite3_finalize(row);
    return status == SQLITE_ROW || status == SQLITE_DONE;
}

bool weir__sqlite_memo_list(weir_store *store, const weir_memo_filter *filter,
                            weir_memo_visit *visit, void *arg, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    if (!weir__sqlite_read(s,
                           "SELECT " COLUMNS ", blob FROM memo WHERE"
                           " (?1 = '' OR (key >= ?1 AND key < ?1 || 'g'))"
                           " AND (?2 = '' OR cache = ?2) AND (?3 = '' OR operation = ?3)"
                           " AND (?4 = 0 OR created_us < ?4)"
                           " ORDER BY created_us DESC, key LIMIT ?5",
                           &row, error))
        return false;
    weir__bind_text(row, 1, filter->key);
    weir__bind_text(row, 2, filter->cache);
    weir__bind_text(row, 3, filter->operation);
    sqlite3_bind_int64(row, 4, (int64_t)filter->before_us);
    sqlite3_bind_int64(row, 5, filter->limit ? (int64_t)filter->limit : -1);
    bool more = true;
    int status = SQLITE_ROW;
    while (more && (status = sqlite3_step(row)) == SQLITE_ROW) {
        weir_memo_entry entry = read_entry(row);
        entry.blob = weir__sqlite_text(row, 10);
        more = visit(arg, &entry);
    }
    return weir__sqlite_ended(s, row, status, error);
}

/* On the connection for reading: writers wait for each other. */
bool weir__sqlite_memo_remove(weir_store *store, const weir_memo_entry *entries, size_t count,
                              weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    if (!weir__sqlite_read(s, "DELETE FROM memo WHERE key = ? AND created_us = ?", &row, error))
        return false;
    sqlite3 *db = sqlite3_db_handle(row);
    bool ok = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
    for (size_t i = 0; ok && i < count; i++) {
        weir__bind_text(row, 1, entries[i].key);
        sqlite3_bind_int64(row, 2, (int64_t)entries[i].created_us);
        ok = sqlite3_step(row) == SQLITE_DONE;
        ok = sqlite3_reset(row) == SQLITE_OK && ok;
    }
    ok = ok && sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    if (!ok) weir__sqlite_failed(s, db, error);
    sqlite3_finalize(row);
    if (!ok && !sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

void weir__sqlite_memo_put(weir_store *store, weir__memo_put *put) {
    weir__writer_put_memo(((weir__sqlite *)store)->writer, 0, put);
}

/* On the writer's thread, within its transaction. What goes wrong with the entry alone is no failure: it is not written. */
void weir__sqlite_write_memo(weir__sqlite *s, weir__memo_put *put) {
    const weir_memo_entry *e = &put->copy.entry;
    put->written = false; /* it may be tried again */
    if (!s->put_memo &&
        sqlite3_prepare_v3(s->db,
                           "INSERT INTO memo(" COLUMNS ", value, blob) VALUES(?, ?, ?, ?,"
                           " (SELECT id FROM runs WHERE id = ?), ?, ?, ?, ?, ?, ?, ?)"
                           " ON CONFLICT(key) DO UPDATE SET cache = excluded.cache,"
                           " operation = excluded.operation, instance = excluded.instance,"
                           " run = excluded.run, task = excluded.task,"
                           " created_us = excluded.created_us, size = excluded.size,"
                           " version = excluded.version, checksum = excluded.checksum,"
                           " value = excluded.value, blob = excluded.blob"
                           " WHERE memo.created_us = ?",
                           -1, SQLITE_PREPARE_PERSISTENT, &s->put_memo, NULL) != SQLITE_OK)
        return;
    const weir_str texts[] = {e->key, e->cache, e->operation, e->instance, e->run};
    for (int i = 0; i < 5; i++) weir__bind_text(s->put_memo, i + 1, texts[i]);
    const int64_t numbers[] = {e->task, (int64_t)e->created_us, (int64_t)e->size, e->version,
                               e->checksum};
    for (int i = 0; i < 5; i++) sqlite3_bind_int64(s->put_memo, i + 6, numbers[i]);
    if (e->blob.length) {
        sqlite3_bind_null(s->put_memo, 11);
        weir__bind_text(s->put_memo, 12, e->blob);
    } else {
        sqlite3_bind_blob64(s->put_memo, 11, e->value.data, e->value.length, SQLITE_STATIC);
        sqlite3_bind_null(s->put_memo, 12);
    }
    sqlite3_bind_int64(s->put_memo, 13, (int64_t)put->replaces);
    bool stepped = sqlite3_step(s->put_memo) == SQLITE_DONE;
    put->written =
        sqlite3_reset(s->put_memo) == SQLITE_OK && stepped && sqlite3_changes(s->db) == 1;
}

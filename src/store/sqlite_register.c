/* Registers on SQLite. On the connection for reading: writers wait for each other. */
#include "store/sqlite_internal.h"

bool weir__sqlite_register_get(weir_store *store, weir_str key, weir_buffer *value,
                               uint64_t *version, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    *version = 0;
    if (!weir__sqlite_read(s, "SELECT version, value FROM registers WHERE key = ?", &row, error))
        return false;
    weir__bind_text(row, 1, key);
    int status = sqlite3_step(row);
    if (status == SQLITE_ROW) {
        *version = (uint64_t)sqlite3_column_int64(row, 0);
        const void *bytes = sqlite3_column_blob(row, 1);
        if (bytes) weir_buffer_append(value, bytes, (size_t)sqlite3_column_bytes(row, 1));
        status = SQLITE_DONE;
    }
    return weir__sqlite_ended(s, row, status, error);
}

bool weir__sqlite_register_put(weir_store *store, weir_str key, weir_str value, uint64_t version,
                               bool *written, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    const char *sql = version ? "UPDATE registers SET value = ?2, version = version + 1"
                                " WHERE key = ?1 AND version = ?3"
                              : "INSERT INTO registers(key, value, version) VALUES(?1, ?2, 1 + ?3)"
                                " ON CONFLICT(key) DO NOTHING";
    if (!weir__sqlite_read(s, sql, &row, error)) return false;
    weir__bind_text(row, 1, key);
    sqlite3_bind_blob64(row, 2, value.length ? value.data : "", value.length, SQLITE_STATIC);
    sqlite3_bind_int64(row, 3, (int64_t)version);
    int status = sqlite3_step(row);
    *written = status == SQLITE_DONE && sqlite3_changes(sqlite3_db_handle(row)) == 1;
    return weir__sqlite_ended(s, row, status, error);
}

bool weir__sqlite_register_list(weir_store *store, weir_str prefix, weir_register_visit *visit,
                                void *arg, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    int status = SQLITE_DONE;
    if (!weir__sqlite_read(s,
                           "SELECT key, version, value FROM registers WHERE key >= ?1 AND"
                           " substr(key, 1, ?2) = ?1 ORDER BY key",
                           &row, error))
        return false;
    weir__bind_text(row, 1, prefix);
    sqlite3_bind_int64(row, 2, (int64_t)prefix.length);
    while ((status = sqlite3_step(row)) == SQLITE_ROW) {
        weir_str key = weir_str_from((const char *)sqlite3_column_text(row, 0));
        const void *bytes = sqlite3_column_blob(row, 2);
        weir_str value = {bytes ? bytes : "", (size_t)sqlite3_column_bytes(row, 2)};
        if (!visit(arg, key, value, (uint64_t)sqlite3_column_int64(row, 1))) {
            status = SQLITE_DONE;
            break;
        }
    }
    return weir__sqlite_ended(s, row, status, error);
}

bool weir__sqlite_register_remove(weir_store *store, weir_str key, uint64_t version, bool *removed,
                                  weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    if (!weir__sqlite_read(s, "DELETE FROM registers WHERE key = ?1 AND version = ?2", &row, error))
        return false;
    weir__bind_text(row, 1, key);
    sqlite3_bind_int64(row, 2, (int64_t)version);
    int status = sqlite3_step(row);
    *removed = status == SQLITE_DONE && sqlite3_changes(sqlite3_db_handle(row)) == 1;
    return weir__sqlite_ended(s, row, status, error);
}

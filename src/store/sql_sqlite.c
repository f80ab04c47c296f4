#include "store/sql_internal.h"
#include "store/sqlite_internal.h"

/* A connection that cannot write, whatever it is told. */
bool weir__sqlite_sql(weir_sql *sql, weir_error *error) {
    const weir__sqlite *s = (const weir__sqlite *)sql->store;
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | (s->read_only ? SQLITE_OPEN_URI : 0);
    if (sqlite3_open_v2(s->address.data, &sql->db, flags, NULL) != SQLITE_OK)
        return weir__sqlite_failed(s, sql->db, error);
    sqlite3_busy_timeout(sql->db, WEIR__SQLITE_BUSY_MS_MAX);
    return true;
}

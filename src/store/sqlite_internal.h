/* The parts of the store on SQLite: its file and schema, its writing side, its reading side. */
#ifndef WEIR_STORE_SQLITE_INTERNAL_H
#define WEIR_STORE_SQLITE_INTERNAL_H

#include <sqlite3.h>

#include "store/writer.h"

enum { WEIR__SQLITE_BUSY_MS_MAX = 5000 }; /* how long another process may hold it up */

typedef struct weir__sqlite {
    weir_store store; /* first */
    char *file, *directory;
    weir_buffer address; /* of the file: a path, or a URI when it cannot be written */
    bool read_only;
    weir_durability durability;
    sqlite3 *db;     /* the writer's once it has started */
    sqlite3 *reader; /* NULL until then */
    weir__writer *writer;
    sqlite3_stmt *put_record, *put_batch; /* the writer's, as is the next */
    bool failed;                          /* a write or a sync */
} weir__sqlite;

/* --- sqlite_schema.c */

/* Where there is no file, or an empty one, a new one with the schema. It gets its name when it is whole and on the disk: an
 * empty file, which a power cut may leave, makes SQLite throw away the log beside it. One process at a time does. */
WEIR_CHECKED bool weir__sqlite_make(weir__sqlite *store, weir_error *error);
WEIR_CHECKED bool weir__sqlite_connect(const weir__sqlite *store, sqlite3 **out, weir_error *error);
/* Brings a schema of an older version to today's, after a copy. One process at a time does. */
WEIR_CHECKED bool weir__sqlite_prepare(weir__sqlite *store, weir_error *error);
/* Says what SQLite's last error on this connection means; false. */
bool weir__sqlite_failed(const weir__sqlite *store, sqlite3 *db, weir_error *error);
bool weir__sqlite_directory_failed(const char *directory, int reason, weir_error *error);
WEIR_CHECKED bool weir__sqlite_run(const weir__sqlite *store, const char *sql, weir_error *error);

/* --- sqlite_writer.c */

/* Brings the log to the disk that this connection, whose thread calls, has read or written. */
WEIR_CHECKED bool weir__sqlite_sync_log(const weir__sqlite *store, sqlite3 *db, weir_error *error);
extern const weir__writer_class weir__sqlite_full, weir__sqlite_batch; /* of a durability */
void weir__bind_text(sqlite3_stmt *statement, int at, weir_str text);

#endif

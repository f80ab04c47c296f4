/* The parts of the store on SQLite: its file and schema, its writing side, its reading side. */
#ifndef WEIR_STORE_SQLITE_INTERNAL_H
#define WEIR_STORE_SQLITE_INTERNAL_H

#include <sqlite3.h>

#include "store/writer.h"

typedef struct weir__sqlite {
    weir_store store; /* first */
    char *file, *directory;
    weir_buffer address; /* of the file: a path, or a URI when it cannot be written */
    bool read_only;
    weir_durability durability;
    sqlite3 *db;     /* the writer's once it has started */
    sqlite3 *reader; /* NULL until then */
    weir__writer *writer;
    sqlite3_stmt *put_record, *put_batch, *put_memo; /* the writer's */
    sqlite3_stmt *find_memo;                         /* the reader's */
} weir__sqlite;

/* --- sqlite_schema.c */

WEIR_CHECKED bool weir__sqlite_connect(const weir__sqlite *store, sqlite3 **out, weir_error *error);
/* Makes the schema in a new file, and brings an older one to today's, after a copy. One process at a time does. */
WEIR_CHECKED bool weir__sqlite_prepare(weir__sqlite *store, weir_error *error);
/* Says what SQLite's last error on this connection means; false. */
bool weir__sqlite_failed(const weir__sqlite *store, sqlite3 *db, weir_error *error);
bool weir__sqlite_directory_failed(const char *directory, int reason, weir_error *error);
WEIR_CHECKED bool weir__sqlite_run(const weir__sqlite *store, const char *sql, weir_error *error);

/* --- sqlite.c */

/* A statement on the connection that the owner's thread may use: the writer's own until it starts, so that a short
 * command opens only one. */
WEIR_CHECKED bool weir__sqlite_prepare_read(weir__sqlite *store, const char *sql,
                                            sqlite3_stmt **out, weir_error *error);
/* Ends a reading: `status` is what the last step gave. */
WEIR_CHECKED bool weir__sqlite_read_ended(weir__sqlite *store, sqlite3_stmt *statement, int status,
                                          weir_error *error);
weir_str weir__column_text(sqlite3_stmt *row, int at);

/* --- sqlite_memo.c: as in weir__store_kind */

bool weir__sqlite_memo_find(weir_store *store, const weir_str *keys, size_t count,
                            weir_memo_visit *visit, void *arg, weir_error *error);
void weir__sqlite_memo_put(weir_store *store, weir__memo_put *put);
bool weir__sqlite_memo_list(weir_store *store, const weir_memo_filter *filter,
                            weir_memo_visit *visit, void *arg, weir_error *error);
bool weir__sqlite_memo_remove(weir_store *store, const weir_memo_entry *entries, size_t count,
                              weir_error *error);
/* On the writer's thread, within its transaction. */
void weir__sqlite_write_memo(weir__sqlite *store, weir__memo_put *put);

/* --- sqlite_writer.c */

extern const weir__writer_class weir__sqlite_full, weir__sqlite_batch; /* of a durability */
void weir__bind_text(sqlite3_stmt *statement, int at, weir_str text);

#endif

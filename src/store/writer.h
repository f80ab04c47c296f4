/* The writing side of a store on SQLite: a thread that commits what waits in one transaction. Everything is called on
 * the loop's thread. */
#ifndef WEIR_STORE_SQLITE_WRITER_H
#define WEIR_STORE_SQLITE_WRITER_H

#include <sqlite3.h>

#include "store/store_internal.h"

enum { WEIR__BATCH_VERSION = 1 };

typedef struct weir__writer weir__writer;

/* The connection is borrowed; from the first append to the close only the writer may use it. */
weir__writer *weir__writer_open(weir_loop *loop, sqlite3 *db, const char *directory);
/* Writes what waits and calls its `done`. */
void weir__writer_close(weir__writer *writer);
/* Every append fails with this error. Before the first append. */
void weir__writer_refuse(weir__writer *writer, const weir_error *why);
void weir__writer_append(weir__writer *writer, weir_str run, uint64_t sequence, weir_buffer bytes,
                         const weir_run_record *record, weir__append_done *done, void *arg);
/* Whether the connection is the writer's by now. */
bool weir__writer_has_started(const weir__writer *writer);

/* The checksum kept with a batch. */
int64_t weir__batch_checksum(weir_str run, uint64_t sequence, weir_str bytes);
void weir__bind_text(sqlite3_stmt *statement, int at, weir_str text);
/* Fails with what SQLite's last error on this connection means. */
bool weir__sqlite_failed(sqlite3 *db, const char *directory, weir_error *error);

#endif

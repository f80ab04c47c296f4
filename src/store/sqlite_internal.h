/* The parts of the store on SQLite: its file and schema, its writing side, its reading side. */
#ifndef WEIR_STORE_SQLITE_INTERNAL_H
#define WEIR_STORE_SQLITE_INTERNAL_H

#include <sqlite3.h>

#include "store/writer.h"

enum { WEIR__SQLITE_BUSY_MS_MAX = 5000 }; /* how long another process may hold it up */

/* Statements on the derived tables, prepared when they are wanted. */
typedef struct weir__sqlite_rows {
    sqlite3 *db;
    sqlite3_stmt *put[WEIR_TABLES], *drop[WEIR_TABLES];
} weir__sqlite_rows;

typedef struct weir__gather weir__gather;

typedef struct weir__sqlite {
    weir_store store; /* first */
    char *file, *directory;
    weir_buffer address; /* of the file: a path, or a URI when it cannot be written */
    bool read_only;
    weir_durability durability;
    sqlite3 *db;     /* the writer's once it has started */
    sqlite3 *reader; /* NULL until then */
    weir__writer *writer;
    sqlite3_stmt *begin, *commit, *put_record, *put_batch, *put_memo,
        *put_reference;                          /* the writer's */
    weir__sqlite_rows rows;                      /* the writer's */
    weir__gather *gather;                        /* the same; NULL: none yet */
    sqlite3_stmt *find, *find_names, *find_memo; /* the reader's */
    bool failed;                                 /* a write or a sync; the writer's */
    bool begun; /* a transaction was, for the next write; the writer's */
    int log_pages,
        log_pages_max; /* of the WAL, and from when on it is moved into the file; the writer's */
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
/* Copies all of the file and its log to `path`, which has its name only once it is whole and on the disk. */
WEIR_CHECKED bool weir__sqlite_keep_copy(const weir__sqlite *store, const char *path,
                                         weir_error *error);
bool weir__sqlite_directory_failed(const char *directory, int reason, weir_error *error);
WEIR_CHECKED bool weir__sqlite_run(const weir__sqlite *store, const char *sql, weir_error *error);
WEIR_CHECKED bool weir__sqlite_run_on(const weir__sqlite *store, sqlite3 *db, const char *sql,
                                      weir_error *error);

/* --- sqlite_rows.c: the derived tables. Within a transaction of the connection. */

WEIR_CHECKED bool weir__sqlite_write_rows(const weir__sqlite *store, weir__sqlite_rows *to,
                                          const weir__rows *rows, weir_error *error);
void weir__sqlite_finish_rows(weir__sqlite_rows *statements);
/* See weir__store_kind. */
WEIR_CHECKED bool weir__sqlite_derive(weir_store *store, weir_str run, bool anew, weir_str rows,
                                      weir_error *error);

/* --- sqlite_shorten.c: see weir__store_kind */

WEIR_CHECKED bool weir__sqlite_shorten(weir_store *store, weir_str run, uint64_t sequence,
                                       weir_str summary, const uint32_t *contexts, size_t count,
                                       weir_error *error);

/* --- sqlite_repair.c: see weir__store_kind */

WEIR_CHECKED bool weir__sqlite_streams(weir_store *store, weir__stream_visit *visit, void *arg,
                                       weir_error *error);
WEIR_CHECKED bool weir__sqlite_inspect(weir_store *store, weir_str run, weir__inspect_visit *visit,
                                       void *arg, weir_error *error);
WEIR_CHECKED bool weir__sqlite_cut(weir_store *store, uint64_t from, const weir_run_record *record,
                                   weir_error *error);
WEIR_CHECKED bool weir__sqlite_copy(weir_store *store, const char *word, weir_buffer *path,
                                    weir_error *error);

/* --- sqlite_pages.c: pages of a file that SQLite may not be able to read */

typedef struct weir__page_batch {
    weir_str run, bytes;
    uint64_t sequence;
    int64_t version, checksum;
} weir__page_batch;
/* Visits all batches that are whole, of the file and its log, in any order, some perhaps twice; until `visit` returns false. */
WEIR_CHECKED bool weir__pages_visit(const char *file,
                                    bool (*visit)(void *arg, const weir__page_batch *batch),
                                    void *arg, weir_error *error);

/* --- sqlite_gather.c: the writer's, within a transaction of the connection that will be synced when it is committed */

/* What is written to the log becomes few large writes, until the end. */
void weir__gather_begin(weir__gather **gather, sqlite3 *db);
void weir__gather_end(weir__gather *gather, bool committed);
void weir__gather_free(weir__gather *gather); /* after its connection is closed */

/* --- sqlite.c: reading */

/* A statement on the connection that the owner's thread may use: the writer's own until it starts, so that a short
 * command opens only one. */
WEIR_CHECKED bool weir__sqlite_read(weir__sqlite *store, const char *sql, sqlite3_stmt **out,
                                    weir_error *error);
/* Ends a statement: `status` is what the last step gave. */
bool weir__sqlite_ended(weir__sqlite *store, sqlite3_stmt *statement, int status,
                        weir_error *error);
weir_str weir__sqlite_text(sqlite3_stmt *row, int at);

/* --- sqlite_runs.c */

/* Visits rows as weir__selection_to_sql has them, and ends the statement. */
WEIR_CHECKED bool weir__sqlite_visit(weir__sqlite *store, sqlite3_stmt *row,
                                     weir__record_visit *visit, void *arg, weir_error *error);
WEIR_CHECKED bool weir__sqlite_select(weir_store *store, const weir_selection *selection,
                                      weir__record_visit *visit, void *arg, weir_error *error);
uint64_t weir__sqlite_version(weir_store *store);
WEIR_CHECKED bool weir__sqlite_delete(weir_store *store, const weir_str *runs, size_t count,
                                      weir_error *error);
WEIR_CHECKED bool weir__sqlite_leftovers(weir_store *store, weir__leftover_visit *visit, void *arg,
                                         weir_error *error);
WEIR_CHECKED bool weir__sqlite_forget(weir_store *store, weir_str run, weir_error *error);

/* --- sqlite_backup.c: see weir__store_kind */

WEIR_CHECKED bool weir__sqlite_snapshot(weir_store *store, const char *path,
                                        weir__snapshot_progress *progress, void *arg,
                                        weir_error *error);

/* --- sqlite_keep.c: see weir__store_kind */

/* Removes a slice of what the run has beside its record, within a transaction of the caller's. */
WEIR_CHECKED bool weir__sqlite_remove_some(weir__sqlite *store, weir_str run, weir_error *error);
WEIR_CHECKED bool weir__sqlite_sweep(weir_store *store, weir_str run, bool *more,
                                     weir_error *error);
WEIR_CHECKED bool weir__sqlite_shrink(weir_store *store, uint64_t keep, bool *more,
                                      weir_error *error);
WEIR_CHECKED bool weir__sqlite_measure(weir_store *store, weir_store_size *out, weir_error *error);
WEIR_CHECKED bool weir__sqlite_measure_run(weir_store *store, weir_str run, uint64_t *bytes,
                                           weir_error *error);
WEIR_CHECKED bool weir__sqlite_keep(weir_store *store, weir_str run, bool keep, weir_error *error);
/* A statement without rows, with the run as its parameter; and one without a parameter. */
WEIR_CHECKED bool weir__sqlite_run_for(weir__sqlite *store, const char *sql, weir_str run,
                                       weir_error *error);
WEIR_CHECKED bool weir__sqlite_run_plain(weir__sqlite *store, const char *sql, weir_error *error);

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

/* --- sqlite_refer.c: as in weir__store_kind; and on the writer's thread, within its transaction */

WEIR_CHECKED bool weir__sqlite_references(weir_store *store, weir_str run, weir_str digest,
                                          weir_reference_visit *visit, void *arg,
                                          weir_error *error);
WEIR_CHECKED bool weir__sqlite_forsaken(weir_store *store, const weir_reference *after,
                                        weir_reference_visit *visit, void *arg, weir_error *error);
WEIR_CHECKED bool weir__sqlite_forsake(weir_store *store, uint64_t before_us, weir_error *error);
WEIR_CHECKED bool weir__sqlite_unrefer(weir_store *store, const weir_reference *references,
                                       size_t count, weir_error *error);
void weir__sqlite_refer(weir_store *store, weir__refer_put *put);
WEIR_CHECKED bool weir__sqlite_write_references(weir__sqlite *store, const weir__refer_put *put,
                                                weir_error *error);

/* --- sqlite_register.c: as in weir__store_kind */

WEIR_CHECKED bool weir__sqlite_register_get(weir_store *store, weir_str key, weir_buffer *value,
                                            uint64_t *version, weir_error *error);
WEIR_CHECKED bool weir__sqlite_register_put(weir_store *store, weir_str key, weir_str value,
                                            uint64_t version, bool *written, weir_error *error);
/* sqlite_history.c: as in history.h */
WEIR_CHECKED bool weir__sqlite_history(weir_store *store, const int64_t *identities, size_t count,
                                       weir_history_visit *visit, void *arg, weir_error *error);
WEIR_CHECKED bool weir__sqlite_history_put(weir_store *store, const weir_history_sample *samples,
                                           size_t count, weir_error *error);
WEIR_CHECKED bool weir__sqlite_register_list(weir_store *store, weir_str prefix,
                                             weir_register_visit *visit, void *arg,
                                             weir_error *error);
WEIR_CHECKED bool weir__sqlite_register_remove(weir_store *store, weir_str key, uint64_t version,
                                               bool *removed, weir_error *error);

/* --- sqlite_writer.c */

/* The columns of a record, in their order, and the statement that writes one. A run keeps its number, the moment it was
 * created, and its labels. */
#define WEIR__PUT_RECORD                                                                           \
    "INSERT INTO runs(number, id, name, kind, phase, file, owner, parent, labels, created_us,"     \
    " finished_us) VALUES(1 + max(ifnull((SELECT max(number) FROM runs), 0),"                      \
    " ifnull((SELECT max(number) FROM deleted), 0)), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"                \
    " ON CONFLICT(id) DO UPDATE SET name = excluded.name, kind = excluded.kind,"                   \
    " phase = excluded.phase, file = excluded.file, owner = excluded.owner,"                       \
    " parent = excluded.parent, finished_us = excluded.finished_us"
void weir__bind_record(sqlite3_stmt *statement, const weir_run_record *record);
/* Has the writer move the log into the file when it is long, instead of SQLite itself. */
void weir__sqlite_watch_log(weir__sqlite *store);
/* Brings the log to the disk that this connection, whose thread calls, has read or written. */
WEIR_CHECKED bool weir__sqlite_sync_log(const weir__sqlite *store, sqlite3 *db, weir_error *error);
extern const weir__writer_class weir__sqlite_full, weir__sqlite_batch; /* of a durability */
void weir__bind_text(sqlite3_stmt *statement, int at, weir_str text);

#endif

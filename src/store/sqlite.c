#include "store/sql_internal.h"
#include "store/sqlite_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG_BYTES_KEPT = 1536 * 1024, SETTLE_MS_MAX = 200 }; /* a third may be room for more */

static bool make_directory(const char *directory, weir_error *error) {
    struct stat info;
    if (mkdir(directory, 0700) == 0) return true;
    if (errno != EEXIST || stat(directory, &info) < 0)
        return weir__sqlite_directory_failed(directory, errno, error);
    return S_ISDIR(info.st_mode) ? true : weir__sqlite_directory_failed(directory, ENOTDIR, error);
}

/* Where nothing may be written SQLite cannot keep the files that go with a WAL. When there is no WAL, all is in the
 * file itself, which then cannot change either. */
static bool find_address(weir__sqlite *s, weir_error *error) {
    weir_buffer log = {0};
    struct stat info;
    weir_buffer_printf(&log, "%s-wal", s->file);
    bool there = stat(s->file, &info) == 0;
    int refused = access(s->directory, W_OK) < 0 ? errno : 0;
    s->read_only = refused || (there && access(s->file, W_OK) < 0);
    if (s->read_only && (stat(log.data, &info) < 0 || info.st_size == 0)) {
        weir_buffer_text(&s->address, "file:");
        for (const char *c = s->file; *c; c++)
            weir_buffer_printf(&s->address, strchr("%?#", *c) ? "%%%02x" : "%c", *c);
        weir_buffer_text(&s->address, "?immutable=1");
    } else {
        weir_buffer_text(&s->address, s->file);
    }
    weir_buffer_deinit(&log);
    return there || !s->read_only || weir__sqlite_directory_failed(s->directory, refused, error);
}

static void sqlite_append(weir_store *store, weir_str run, uint64_t sequence, weir_buffer bytes,
                          weir_buffer rows, const weir_run_record *record, weir__append_done *done,
                          void *arg) {
    weir__writer_append(((weir__sqlite *)store)->writer, run, sequence, 0, 0, bytes, rows, record,
                        done, arg);
}

static bool sqlite_flush(weir_store *store, uint64_t timeout_us) {
    return weir__writer_flush(((weir__sqlite *)store)->writer, timeout_us);
}

bool weir__sqlite_read(weir__sqlite *s, const char *sql, sqlite3_stmt **out, weir_error *error) {
    bool own = weir__writer_has_started(s->writer);
    if (own && !s->reader && !weir__sqlite_connect(s, &s->reader, error)) return false;
    sqlite3 *db = own ? s->reader : s->db;
    return sqlite3_prepare_v2(db, sql, -1, out, NULL) == SQLITE_OK ||
           weir__sqlite_failed(s, db, error);
}

bool weir__sqlite_ended(weir__sqlite *s, sqlite3_stmt *statement, int status, weir_error *error) {
    bool ok = status == SQLITE_ROW || status == SQLITE_DONE ||
              weir__sqlite_failed(s, sqlite3_db_handle(statement), error);
    if (statement == s->find || statement == s->find_names)
        sqlite3_reset(statement);
    else
        sqlite3_finalize(statement);
    return ok;
}

static bool sqlite_read(weir_store *store, weir_str run, uint64_t from, weir__batch_visit *visit,
                        void *arg, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    if (!weir__sqlite_read(s,
                           "SELECT seq, version, checksum, bytes FROM journal"
                           " WHERE stream = ? AND seq >= ? ORDER BY seq",
                           &row, error))
        return false;
    uint64_t sequence = from ? from : 1;
    weir__bind_text(row, 1, run);
    sqlite3_bind_int64(row, 2, (int64_t)sequence);
    bool sound = true, more = true;
    int status = SQLITE_ROW;
    while (more && (status = sqlite3_step(row)) == SQLITE_ROW) {
        weir_str bytes = {sqlite3_column_blob(row, 3), (size_t)sqlite3_column_bytes(row, 3)};
        if (!bytes.data) bytes.data = "";
        sound = weir__batch_check(run, &sequence, (uint64_t)sqlite3_column_int64(row, 0),
                                  sqlite3_column_int64(row, 1), sqlite3_column_int64(row, 2), bytes,
                                  error);
        more = sound && visit(arg, sequence++, bytes);
    }
    return weir__sqlite_ended(s, row, status, error) && sound;
}

weir_str weir__sqlite_text(sqlite3_stmt *row, int at) {
    const char *text = (const char *)sqlite3_column_text(row, at);
    return (weir_str){text ? text : "", (size_t)sqlite3_column_bytes(row, at)};
}

static bool sqlite_find(weir_store *store, weir_str run, weir__record_visit *visit, void *arg,
                        weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = s->find;
    if (!row &&
        !weir__sqlite_read(s,
                           "SELECT id, name, kind, phase, file, owner, parent, created_us,"
                           " finished_us, labels, number FROM runs WHERE name = ?1 OR id = ?1"
                           " ORDER BY name = ?1 DESC LIMIT 1",
                           &row, error))
        return false;
    /* Every new run asks. On the writer's connection, which the writer will have, nothing can be kept. */
    if (sqlite3_db_handle(row) == s->reader) s->find = row;
    weir__bind_text(row, 1, run);
    return weir__sqlite_visit(s, row, visit, arg, error);
}

#define FOUR "?, ?, ?, ?, "

/* One question: each is a transaction of its own, and looks at the log anew. What is not bound is NULL, which is no name. */
static bool sqlite_names(weir_store *store, const weir_str *names, size_t count, bool *taken,
                         weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = s->find_names;
    if (!row && !weir__sqlite_read(
                    s,
                    "SELECT name FROM runs WHERE name IN (" FOUR FOUR FOUR FOUR FOUR FOUR FOUR
                    "?, ?, ?, ?)",
                    &row, error))
        return false;
    if (sqlite3_db_handle(row) == s->reader) s->find_names = row;
    sqlite3_clear_bindings(row);
    for (size_t i = 0; i < count; i++) weir__bind_text(row, (int)i + 1, names[i]);
    int status;
    while ((status = sqlite3_step(row)) == SQLITE_ROW)
        weir__store_mark_name(names, count, weir__sqlite_text(row, 0), taken);
    return weir__sqlite_ended(s, row, status, error);
}

static bool sqlite_check(weir_store *store, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    if (!weir__sqlite_read(s, "PRAGMA integrity_check(1)", &row, error)) return false;
    int status = sqlite3_step(row);
    weir_str found = status == SQLITE_ROW ? weir__sqlite_text(row, 0) : WEIR_STR("ok");
    bool whole = weir_str_is(found, "ok");
    if (!whole) weir_fail(error, WEIR_STORE, "`%s` is damaged: %.*s", s->file, WEIR_ARG(found));
    return weir__sqlite_ended(s, row, status, whole ? error : NULL) && whole;
}

static bool sqlite_derived(weir_store *store, weir_str run, uint64_t *sequence, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    if (!weir__sqlite_read(s, "SELECT seq FROM derived WHERE run = ?", &row, error)) return false;
    weir__bind_text(row, 1, run);
    int status = sqlite3_step(row);
    *sequence = status == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(row, 0) : 0;
    return weir__sqlite_ended(s, row, status, error);
}

/* A short WAL stays: to move it into the file would cost a short run more than its appends, the next to read it less
 * than a millisecond. */
static void keep_short_log(const weir__sqlite *s) {
    weir_buffer log = {0};
    struct stat info;
    weir_buffer_printf(&log, "%s-wal", s->file);
    if (stat(log.data, &info) == 0 && info.st_size < LOG_BYTES_KEPT)
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    weir_buffer_deinit(&log);
}

/* Reads the log and writes it where it was. */
static bool write_again(sqlite3_file *log) {
    enum { CHUNK = 64 * 1024 };
    sqlite3_int64 size = 0;
    char *bytes = weir_alloc(CHUNK);
    bool ok = log->pMethods->xFileSize(log, &size) == SQLITE_OK;
    for (sqlite3_int64 at = 0; ok && at < size; at += CHUNK) {
        int length = size - at < CHUNK ? (int)(size - at) : CHUNK;
        ok = log->pMethods->xRead(log, bytes, length, at) == SQLITE_OK &&
             log->pMethods->xWrite(log, bytes, length, at) == SQLITE_OK;
    }
    weir_free(bytes);
    return ok;
}

/* After a sync that failed a disk may have forgotten what it was about, and say of the next that all is well, unless it is
 * written again. Nobody else writes meanwhile. */
static bool save_log(weir__sqlite *s, sqlite3 *db, weir_error *error) {
    sqlite3_file *log = NULL;
    sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (!log || !log->pMethods) return true;
    int status = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (status != SQLITE_OK) return weir__sqlite_sync_log(s, db, error);
    bool ok = write_again(log) ||
              weir_fail(error, WEIR_STORE, "`%s` could not be written to the disk", s->file);
    ok = ok && weir__sqlite_sync_log(s, db, error);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return ok;
}

/* The log that was read may be another process's, which died before it was on the disk, or whose sync failed: a log with a hole
 * hides what the file has of the same pages, and one that is not there cannot mend a file that was written by half. So it is
 * written again, moved into the file, and emptied, unless somebody else is at it just now. */
static bool sqlite_settle(weir_store *store, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3 *db = s->reader ? s->reader : s->db;
    if (s->read_only) return true;
    sqlite3_busy_timeout(db, SETTLE_MS_MAX);
    bool ok = save_log(s, db, error);
    int status = ok ? sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL)
                    : SQLITE_OK;
    sqlite3_busy_timeout(db, WEIR__SQLITE_BUSY_MS_MAX);
    if (!ok || status == SQLITE_BUSY) return ok;
    if (status != SQLITE_OK) return weir__sqlite_failed(s, db, error);
    return weir__sqlite_sync_log(s, db, error);
}

static void sqlite_close(weir_store *store) {
    weir__sqlite *s = (weir__sqlite *)store;
    if (s->writer) weir__writer_close(s->writer);
    sqlite3_stmt *const kept[] = {s->begin,     s->commit,     s->put_record,
                                  s->put_batch, s->put_memo,   s->put_reference,
                                  s->find,      s->find_names, s->find_memo};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) sqlite3_finalize(kept[i]);
    weir__sqlite_finish_rows(&s->rows);
    sqlite3_close(s->reader);
    s->reader = NULL;
    /* What a disk that failed has of the log is not sure: it is moved into the file, if that can be done, and emptied: SQLite
     * removes it, and the power may bring a part of it back. */
    weir_error ignored;
    if (s->db && s->failed)
        (void)!sqlite_settle(store, &ignored);
    else if (s->db)
        keep_short_log(s);
    sqlite3_close(s->db);
    weir__gather_free(s->gather);
    weir_buffer_deinit(&s->address);
    weir_free(s->file);
    weir_free(s->directory);
    weir_free(s);
}

static bool sqlite_own(weir_store *store, weir_str run, weir_error *error) {
    (void)error;
    weir__writer_forgive(((weir__sqlite *)store)->writer, run);
    return true;
}

bool weir__store_sqlite_open(weir_loop *loop, const char *file, weir_durability durability,
                             weir_store **out, weir_error *error) {
    static const weir__store_kind kind = {.close = sqlite_close,
                                          .append = sqlite_append,
                                          .flush = sqlite_flush,
                                          .read = sqlite_read,
                                          .select = weir__sqlite_select,
                                          .version = weir__sqlite_version,
                                          .remove = weir__sqlite_delete,
                                          .leftovers = weir__sqlite_leftovers,
                                          .forget = weir__sqlite_forget,
                                          .snapshot = weir__sqlite_snapshot,
                                          .sweep = weir__sqlite_sweep,
                                          .shrink = weir__sqlite_shrink,
                                          .measure = weir__sqlite_measure,
                                          .measure_run = weir__sqlite_measure_run,
                                          .keep = weir__sqlite_keep,
                                          .find = sqlite_find,
                                          .names = sqlite_names,
                                          .check = sqlite_check,
                                          .settle = sqlite_settle,
                                          .own = sqlite_own,
                                          .derive = weir__sqlite_derive,
                                          .derived = sqlite_derived,
                                          .streams = weir__sqlite_streams,
                                          .inspect = weir__sqlite_inspect,
                                          .cut = weir__sqlite_cut,
                                          .shorten = weir__sqlite_shorten,
                                          .copy = weir__sqlite_copy,
                                          .sql = weir__sqlite_sql,
                                          .register_get = weir__sqlite_register_get,
                                          .register_put = weir__sqlite_register_put,
                                          .register_list = weir__sqlite_register_list,
                                          .history = weir__sqlite_history,
                                          .history_put = weir__sqlite_history_put,
                                          .register_remove = weir__sqlite_register_remove,
                                          .memo_find = weir__sqlite_memo_find,
                                          .memo_put = weir__sqlite_memo_put,
                                          .memo_list = weir__sqlite_memo_list,
                                          .refer = weir__sqlite_refer,
                                          .references = weir__sqlite_references,
                                          .forsaken = weir__sqlite_forsaken,
                                          .forsake = weir__sqlite_forsake,
                                          .unrefer = weir__sqlite_unrefer,
                                          .memo_remove = weir__sqlite_memo_remove};
    char *path = weir_str_dup(weir_str_from(file));
    char *directory = weir_str_dup(weir_str_from(dirname(path)));
    weir_free(path);
    if (!make_directory(directory, error)) {
        weir_free(directory);
        return false;
    }
    weir__sqlite *s = weir_alloc(sizeof *s);
    s->store.kind = &kind;
    s->store.directory = s->directory = directory;
    s->durability = durability;
    s->file = weir_str_dup(weir_str_from(file));
    bool ok = find_address(s, error) && (s->read_only || weir__sqlite_make(s, error));
    if (!ok || !weir__sqlite_connect(s, &s->db, error) || !weir__sqlite_prepare(s, error)) {
        sqlite_close(&s->store);
        return false;
    }
    weir__sqlite_watch_log(s);
    s->writer = weir__writer_open(
        loop, durability == WEIR_DURABILITY_FULL ? &weir__sqlite_full : &weir__sqlite_batch, s);
    if (s->read_only) {
        weir_error why = {0};
        weir_fail(&why, WEIR_STORE, "the state directory `%s` is read-only", directory);
        weir__writer_refuse(s->writer, &why);
    }
    *out = &s->store;
    return true;
}

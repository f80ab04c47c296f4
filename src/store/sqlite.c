#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite_writer.h"

enum { SCHEMA_VERSION = 1, BUSY_MS_MAX = 5000, LOG_BYTES_KEPT = 1024 * 1024 };

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE journal(stream TEXT, seq INTEGER, version INTEGER, checksum INTEGER, bytes BLOB,"
    " PRIMARY KEY(stream, seq)) WITHOUT ROWID;"
    "CREATE TABLE runs(id TEXT PRIMARY KEY, name TEXT UNIQUE, kind TEXT, phase TEXT, file TEXT,"
    " owner TEXT, parent TEXT, created_us INTEGER, finished_us INTEGER);"
    "PRAGMA user_version = 1;"
    "COMMIT";

typedef struct sqlite_store {
    weir_store store;
    char *directory;
    weir_buffer address; /* of the file: a path, or a URI when it cannot be written */
    bool read_only;
    weir_durability durability;
    sqlite3 *db;     /* the writer's once it has started */
    sqlite3 *reader; /* NULL until then */
    weir__writer *writer;
} sqlite_store;

static bool directory_failed(const char *directory, int reason, weir_error *error) {
    weir_fail(error, WEIR_IO, "the state directory `%s` cannot be made: %s", directory,
              strerror(reason));
    if (reason == ENOSPC || reason == EDQUOT)
        weir_error_hint(error, "make room on the disk, or name another directory with --state");
    else if (reason == ENOENT)
        weir_error_hint(error, "its parent directory must exist");
    else
        weir_error_hint(error, "name a directory that you may write with --state");
    return false;
}

static bool make_directory(const char *directory, weir_error *error) {
    struct stat info;
    if (mkdir(directory, 0700) == 0) return true;
    if (errno != EEXIST || stat(directory, &info) < 0)
        return directory_failed(directory, errno, error);
    return S_ISDIR(info.st_mode) ? true : directory_failed(directory, ENOTDIR, error);
}

/* Where nothing may be written SQLite cannot keep the files that go with a WAL. When there is no WAL, all is in the
 * file itself, which then cannot change either. */
static bool find_address(sqlite_store *s, weir_error *error) {
    weir_buffer file = {0}, log = {0};
    struct stat info;
    weir_buffer_printf(&file, "%s/weir.db", s->directory);
    weir_buffer_printf(&log, "%s-wal", file.data);
    bool there = stat(file.data, &info) == 0;
    int refused = access(s->directory, W_OK) < 0 ? errno : 0;
    s->read_only = refused || (there && access(file.data, W_OK) < 0);
    if (s->read_only && (stat(log.data, &info) < 0 || info.st_size == 0)) {
        weir_buffer_text(&s->address, "file:");
        for (size_t i = 0; i < file.length; i++)
            weir_buffer_printf(&s->address, strchr("%?#", file.data[i]) ? "%%%02x" : "%c",
                               file.data[i]);
        weir_buffer_text(&s->address, "?immutable=1");
    } else {
        weir_buffer_str_append(&s->address, weir_buffer_str(&file));
    }
    weir_buffer_deinit(&file);
    weir_buffer_deinit(&log);
    return there || !s->read_only || directory_failed(s->directory, refused, error);
}

/* SQLite would let others read it where the directory does, and gives its other files the mode of this one. Only a new
 * file is opened: to close one drops every lock that this process has on it. */
static void make_file(const sqlite_store *s) {
    int fd = open(s->address.data, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
}

static bool connect_to(const sqlite_store *s, sqlite3 **out, weir_error *error) {
    sqlite3 *db = NULL;
    int mode = s->read_only ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
                            : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (sqlite3_open_v2(s->address.data, &db, mode | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        weir__sqlite_failed(db, s->directory, error);
        sqlite3_close(db);
        return false;
    }
    sqlite3_busy_timeout(db, BUSY_MS_MAX);
    *out = db;
    return true;
}

static bool run_sql(const sqlite_store *s, const char *sql, weir_error *error) {
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ||
           weir__sqlite_failed(s->db, s->directory, error);
}

static bool query_number(const sqlite_store *s, const char *sql, int *out, weir_error *error) {
    sqlite3_stmt *statement = NULL;
    bool ok = sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL) == SQLITE_OK &&
              sqlite3_step(statement) == SQLITE_ROW;
    if (ok)
        *out = sqlite3_column_int(statement, 0);
    else
        weir__sqlite_failed(s->db, s->directory, error);
    sqlite3_finalize(statement);
    return ok;
}

/* Under the lock of the directory. The schema needs no fsync of its own, as nothing depends on it before the first
 * append, which brings it to the disk along with itself. Only the file's first page is not in the WAL: an empty file
 * makes SQLite throw a WAL away. */
static bool make_schema_locked(sqlite_store *s, weir_error *error) {
    int version = 0, tables = 0;
    if (!query_number(s, "PRAGMA user_version", &version, error)) return false;
    if (version) return true;
    if (!query_number(s, "SELECT count(*) FROM sqlite_master", &tables, error)) return false;
    if (tables || s->read_only) {
        weir_fail(error, WEIR_STORE, "`%s/weir.db` is no weir state", s->directory);
        weir_error_hint(error, "move it away, or name another directory with --state");
        return false;
    }
    if (!run_sql(s, "PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL", error) ||
        !run_sql(s, schema, error))
        return false;
    sqlite3_file *file = NULL;
    sqlite3_file_control(s->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (s->durability != WEIR_DURABILITY_FULL ||
        file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) == SQLITE_OK)
        return true;
    return weir_fail(error, WEIR_STORE, "`%s/weir.db` could not be written to the disk",
                     s->directory);
}

static bool make_schema(sqlite_store *s, weir_error *error) {
    int lock = open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0) return directory_failed(s->directory, errno, error);
    flock(lock, LOCK_EX);
    bool ok = make_schema_locked(s, error);
    close(lock);
    return ok;
}

static bool prepare_state(sqlite_store *s, weir_error *error) {
    int version = 0;
    if (!query_number(s, "PRAGMA user_version", &version, error) ||
        (!version && !make_schema(s, error)))
        return false;
    if (!version && !query_number(s, "PRAGMA user_version", &version, error)) return false;
    if (version != SCHEMA_VERSION) {
        weir_fail(error, WEIR_CONFLICT,
                  "the state in `%s` has format %d, this weir reads and writes format %d",
                  s->directory, version, SCHEMA_VERSION);
        weir_error_hint(error, "use a newer weir, or name another directory with --state");
        return false;
    }
    return run_sql(s,
                   s->durability == WEIR_DURABILITY_FULL ? "PRAGMA synchronous = FULL"
                                                         : "PRAGMA synchronous = NORMAL",
                   error);
}

static void sqlite_append(weir_store *store, weir_str run, uint64_t sequence, weir_buffer bytes,
                          const weir_run_record *record, weir__append_done *done, void *arg) {
    weir__writer_append(((sqlite_store *)store)->writer, run, sequence, bytes, record, done, arg);
}

/* A statement on the connection that the owner's thread may use: the writer's own until it starts, so that a short
 * command opens only one. */
static bool prepare_read(sqlite_store *s, const char *sql, sqlite3_stmt **out, weir_error *error) {
    bool own = weir__writer_has_started(s->writer);
    if (own && !s->reader && !connect_to(s, &s->reader, error)) return false;
    sqlite3 *db = own ? s->reader : s->db;
    return sqlite3_prepare_v2(db, sql, -1, out, NULL) == SQLITE_OK ||
           weir__sqlite_failed(db, s->directory, error);
}

/* Ends a reading: `status` is what the last step gave. */
static bool read_ended(sqlite_store *s, sqlite3_stmt *statement, int status, weir_error *error) {
    bool ok = status == SQLITE_ROW || status == SQLITE_DONE ||
              weir__sqlite_failed(sqlite3_db_handle(statement), s->directory, error);
    sqlite3_finalize(statement);
    return ok;
}

static bool batch_bad(weir_str run, uint64_t sequence, const char *how, weir_error *error) {
    return weir_fail(error, WEIR_STORE, "batch %" PRIu64 " of run `%.*s` %s", sequence,
                     WEIR_ARG(run), how);
}

static bool batch_check(sqlite3_stmt *row, weir_str run, uint64_t sequence, weir_str *bytes,
                        weir_error *error) {
    if ((uint64_t)sqlite3_column_int64(row, 0) != sequence)
        return batch_bad(run, sequence, "is missing", error);
    if (sqlite3_column_int(row, 1) != WEIR__BATCH_VERSION)
        return batch_bad(run, sequence, "is in a form that this weir does not know", error);
    *bytes = (weir_str){sqlite3_column_blob(row, 3), (size_t)sqlite3_column_bytes(row, 3)};
    if (!bytes->data) bytes->data = "";
    return sqlite3_column_int64(row, 2) == weir__batch_checksum(run, sequence, *bytes) ||
           batch_bad(run, sequence, "is damaged", error);
}

static bool sqlite_read(weir_store *store, weir_str run, uint64_t from, weir__batch_visit *visit,
                        void *arg, weir_error *error) {
    sqlite_store *s = (sqlite_store *)store;
    sqlite3_stmt *row = NULL;
    if (!prepare_read(s,
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
        weir_str bytes = {0};
        sound = batch_check(row, run, sequence, &bytes, error);
        more = sound && visit(arg, sequence++, bytes);
    }
    return read_ended(s, row, status, error) && sound;
}

static weir_str column_text(sqlite3_stmt *row, int at) {
    const char *text = (const char *)sqlite3_column_text(row, at);
    return (weir_str){text ? text : "", (size_t)sqlite3_column_bytes(row, at)};
}

static bool visit_records(sqlite_store *s, sqlite3_stmt *row, weir__record_visit *visit, void *arg,
                          weir_error *error) {
    bool more = true;
    int status = SQLITE_ROW;
    while (more && (status = sqlite3_step(row)) == SQLITE_ROW) {
        weir_run_record record = {
            .id = column_text(row, 0),
            .name = column_text(row, 1),
            .kind = column_text(row, 2),
            .phase = column_text(row, 3),
            .file = column_text(row, 4),
            .owner = column_text(row, 5),
            .parent = column_text(row, 6),
            .created_us = (uint64_t)sqlite3_column_int64(row, 7),
            .finished_us = (uint64_t)sqlite3_column_int64(row, 8),
        };
        more = visit(arg, &record);
    }
    return read_ended(s, row, status, error);
}

#define SELECT_RECORDS                                                                             \
    "SELECT id, name, kind, phase, file, owner, parent, created_us, finished_us FROM runs "

static bool sqlite_list(weir_store *store, size_t limit, weir__record_visit *visit, void *arg,
                        weir_error *error) {
    sqlite_store *s = (sqlite_store *)store;
    sqlite3_stmt *row = NULL;
    if (!prepare_read(s, SELECT_RECORDS "ORDER BY rowid DESC LIMIT ?", &row, error)) return false;
    sqlite3_bind_int64(row, 1, limit ? (int64_t)limit : -1);
    return visit_records(s, row, visit, arg, error);
}

static bool sqlite_find(weir_store *store, weir_str run, weir__record_visit *visit, void *arg,
                        weir_error *error) {
    sqlite_store *s = (sqlite_store *)store;
    sqlite3_stmt *row = NULL;
    if (!prepare_read(s,
                      SELECT_RECORDS "WHERE name = ?1 OR id = ?1 ORDER BY name = ?1 DESC LIMIT 1",
                      &row, error))
        return false;
    weir__bind_text(row, 1, run);
    return visit_records(s, row, visit, arg, error);
}

static bool sqlite_check(weir_store *store, weir_error *error) {
    sqlite_store *s = (sqlite_store *)store;
    sqlite3_stmt *row = NULL;
    if (!prepare_read(s, "PRAGMA integrity_check(1)", &row, error)) return false;
    int status = sqlite3_step(row);
    weir_str found = status == SQLITE_ROW ? column_text(row, 0) : WEIR_STR("ok");
    bool whole = weir_str_is(found, "ok");
    if (!whole)
        weir_fail(error, WEIR_STORE, "`%s/weir.db` is damaged: %.*s", s->directory,
                  WEIR_ARG(found));
    return read_ended(s, row, status, whole ? error : NULL) && whole;
}

/* A short WAL stays: to move it into the file would cost a short run more than its appends, the next to read it less
 * than a millisecond. */
static void keep_short_log(const sqlite_store *s) {
    weir_buffer log = {0};
    struct stat info;
    weir_buffer_printf(&log, "%s/weir.db-wal", s->directory);
    if (stat(log.data, &info) == 0 && info.st_size < LOG_BYTES_KEPT)
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    weir_buffer_deinit(&log);
}

static void sqlite_close(weir_store *store) {
    sqlite_store *s = (sqlite_store *)store;
    if (s->writer) weir__writer_close(s->writer);
    sqlite3_close(s->reader);
    if (s->db) keep_short_log(s);
    sqlite3_close(s->db);
    weir_buffer_deinit(&s->address);
    weir_free(s->directory);
    weir_free(s);
}

bool weir__store_sqlite_open(weir_loop *loop, const char *directory, weir_durability durability,
                             weir_store **out, weir_error *error) {
    static const weir__store_kind kind = {sqlite_close, sqlite_append, sqlite_read,
                                          sqlite_list,  sqlite_find,   sqlite_check};
    if (!make_directory(directory, error)) return false;
    sqlite_store *s = weir_alloc(sizeof *s);
    s->store.kind = &kind;
    s->durability = durability;
    s->directory = weir_str_dup(weir_str_from(directory));
    bool ok = find_address(s, error);
    if (ok && !s->read_only) make_file(s);
    if (!ok || !connect_to(s, &s->db, error) || !prepare_state(s, error)) {
        sqlite_close(&s->store);
        return false;
    }
    s->writer = weir__writer_open(loop, s->db, directory);
    if (s->read_only) {
        weir_error why = {0};
        weir_fail(&why, WEIR_STORE, "the state directory `%s` is read-only", directory);
        weir__writer_refuse(s->writer, &why);
    }
    *out = &s->store;
    return true;
}

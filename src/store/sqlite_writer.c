#include "store/sqlite_internal.h"

/* Half of what `--durability batch` promises, for the fsync itself takes time. */
enum { SYNC_US = 10 * 1000 };
enum { LOG_PAGES_MAX = 1000 }; /* as SQLite has it */
/* Of a WAL: its head, and what a page takes there. Another page's size only makes other room. */
enum { LOG_HEAD_BYTES = 32, FRAME_BYTES = 24 + 4096 };
enum { ROOM_BYTES_AT_ONCE = 64 * 1024 }; /* SQLite's own file system takes less than 128 KiB */

void weir__bind_text(sqlite3_stmt *statement, int at, weir_str text) {
    sqlite3_bind_text64(statement, at, text.length ? text.data : "", text.length, SQLITE_STATIC,
                        SQLITE_UTF8);
}

void weir__bind_record(sqlite3_stmt *statement, const weir_run_record *record) {
    const weir_str texts[] = {record->id,   record->name,  record->kind,   record->phase,
                              record->file, record->owner, record->parent, record->labels};
    enum { TEXTS = sizeof texts / sizeof *texts };
    for (int i = 0; i < TEXTS; i++) weir__bind_text(statement, i + 1, texts[i]);
    sqlite3_bind_int64(statement, TEXTS + 1, (int64_t)record->created_us);
    sqlite3_bind_int64(statement, TEXTS + 2, (int64_t)record->finished_us);
}

static bool put_record(weir__sqlite *s, const weir_run_record *record) {
    weir__bind_record(s->put_record, record);
    sqlite3_step(s->put_record);
    return sqlite3_reset(s->put_record) == SQLITE_OK;
}

static bool put_batch(weir__sqlite *s, const weir__append *a) {
    weir_str bytes = weir_buffer_str(&a->bytes);
    weir__bind_text(s->put_batch, 1, a->run);
    sqlite3_bind_int64(s->put_batch, 2, (int64_t)a->sequence);
    sqlite3_bind_int64(s->put_batch, 3, WEIR__BATCH_VERSION);
    sqlite3_bind_int64(s->put_batch, 4, a->checksum);
    sqlite3_bind_blob64(s->put_batch, 5, bytes.data, bytes.length, SQLITE_STATIC);
    sqlite3_step(s->put_batch);
    return sqlite3_reset(s->put_batch) == SQLITE_OK;
}

static bool put(weir__sqlite *s, const weir__append *a, weir_error *error) {
    if (a->memo) {
        weir__sqlite_write_memo(s, a->memo);
        return true;
    }
    if (a->refers) return weir__sqlite_write_references(s, a->refers, error);
    bool record = !a->has_record || put_record(s, &a->record.record);
    if (record && put_batch(s, a)) return true;
    if ((sqlite3_errcode(s->db) & 0xff) != SQLITE_CONSTRAINT)
        return weir__sqlite_failed(s, s->db, error);
    return record ? weir__store_batch_taken(a->run, a->sequence, error)
                  : weir__store_name_taken(a->record.record.name, error);
}

static bool prepare(weir__sqlite *s, const char *sql, sqlite3_stmt **statement) {
    return *statement || sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement,
                                            NULL) == SQLITE_OK;
}

static bool prepare_all(weir__sqlite *s) {
    return prepare(s, "BEGIN IMMEDIATE", &s->begin) && prepare(s, "COMMIT", &s->commit) &&
           prepare(s, WEIR__PUT_RECORD, &s->put_record) &&
           prepare(s,
                   "INSERT INTO journal(stream, seq, version, checksum, bytes)"
                   " VALUES(?, ?, ?, ?, ?)",
                   &s->put_batch);
}

static bool step(weir__sqlite *s, sqlite3_stmt *statement, weir_error *error) {
    sqlite3_step(statement);
    return sqlite3_reset(statement) == SQLITE_OK || weir__sqlite_failed(s, s->db, error);
}

static sqlite3_int64 end_of(int pages) {
    return LOG_HEAD_BYTES + (sqlite3_int64)pages * FRAME_BYTES;
}

/* A log that gets longer costs its disk the file's new length with each commit, one that has room only what is written. So
 * room is made for several commits at once, twice as much as the log has, up to an eighth of the longest: zeros behind its end,
 * which no reader takes for a page. Within a transaction: nobody else writes the log then. What comes of it does not matter. */
static void make_room(const weir__sqlite *s) {
    int most = s->log_pages_max / 16, room = s->log_pages < most ? s->log_pages : most;
    sqlite3_file *log = NULL;
    sqlite3_int64 size;
    sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (!room || !log || !log->pMethods || log->pMethods->xFileSize(log, &size) != SQLITE_OK ||
        size >= end_of(s->log_pages + (room + 1) / 2))
        return;
    sqlite3_int64 end = end_of(s->log_pages + 2 * room);
    char *zeros = weir_alloc(ROOM_BYTES_AT_ONCE);
    for (int some; size < end; size += some) {
        some = (int)(end - size < ROOM_BYTES_AT_ONCE ? end - size : ROOM_BYTES_AT_ONCE);
        if (log->pMethods->xWrite(log, zeros, some, size) != SQLITE_OK) break;
    }
    weir_free(zeros);
}

static bool write_at_once(weir__sqlite *s, const weir__append *a, const weir__rows *rows,
                          bool synced, weir_error *error) {
    if (!s->begun && !step(s, s->begin, error)) return false;
    bool ok = true;
    s->begun = false;
    make_room(s);
    if (synced) weir__gather_begin(&s->gather, s->db);
    for (; ok && a; a = a->next) ok = put(s, a, error);
    s->rows.db = s->db;
    ok = ok && (!rows || weir__sqlite_write_rows(s, &s->rows, rows, error));
    ok = ok && step(s, s->commit, error);
    if (!ok && !sqlite3_get_autocommit(s->db)) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    weir__gather_end(s->gather, ok);
    s->failed |= !ok && error->code != WEIR_CONFLICT;
    return ok;
}

static bool write_all(void *arg, weir__append *a, const weir__rows *rows, weir_error *error) {
    weir__sqlite *s = arg;
    if (!prepare_all(s)) return weir__sqlite_failed(s, s->db, error);
    /* Rows alone need not wait for the disk: they can be made again. */
    bool full = s->durability == WEIR_DURABILITY_FULL, lazy = full && !a;
    if (lazy && !weir__sqlite_run(s, "PRAGMA synchronous = NORMAL", error)) return false;
    bool ok = write_at_once(s, a, rows, full && !lazy, error);
    weir_error ignored;
    return (!lazy || weir__sqlite_run(s, "PRAGMA synchronous = FULL", ok ? error : &ignored)) && ok;
}

bool weir__sqlite_sync_log(const weir__sqlite *s, sqlite3 *db, weir_error *error) {
    sqlite3_file *log = NULL;
    sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    return !log || !log->pMethods || log->pMethods->xSync(log, SQLITE_SYNC_NORMAL) == SQLITE_OK ||
           weir_fail(error, WEIR_STORE, "`%s` could not be written to the disk", s->file);
}

/* With `synchronous = NORMAL` SQLite syncs the log only before it moves it into the file. */
static bool sync_log(void *arg, weir_error *error) {
    weir__sqlite *s = arg;
    bool ok = weir__sqlite_sync_log(s, s->db, error);
    s->failed |= !ok;
    return ok;
}

/* Without waiting for another process. */
static bool seize(void *arg, bool take) {
    weir__sqlite *s = arg;
    if (!take) {
        if (s->begun) sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        return s->begun = false;
    }
    if (!prepare_all(s)) return false;
    sqlite3_busy_timeout(s->db, 0);
    sqlite3_step(s->begin);
    s->begun = sqlite3_reset(s->begin) == SQLITE_OK;
    sqlite3_busy_timeout(s->db, WEIR__SQLITE_BUSY_MS_MAX);
    return s->begun;
}

static int note_log(void *arg, sqlite3 *db, const char *name, int pages) {
    (void)db, (void)name;
    ((weir__sqlite *)arg)->log_pages = pages;
    return SQLITE_OK;
}

void weir__sqlite_watch_log(weir__sqlite *s) {
    s->log_pages_max = LOG_PAGES_MAX;
    sqlite3_wal_hook(s->db, note_log, s);
}

/* What SQLite would do within a commit, which somebody waits for: it moves a long WAL into the file. As there, what comes of
 * it does not matter: the next commit sees that the WAL is still long. */
static bool tidy(void *arg, bool now) {
    weir__sqlite *s = arg;
    if (now) {
        s->log_pages = 0;
        (void)sqlite3_wal_checkpoint_v2(s->db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    return s->log_pages >= s->log_pages_max;
}

const weir__writer_class weir__sqlite_full = {.write = write_all, .seize = seize, .tidy = tidy};
const weir__writer_class weir__sqlite_batch = {
    .write = write_all, .seize = seize, .tidy = tidy, .sync = sync_log, .sync_us = SYNC_US};

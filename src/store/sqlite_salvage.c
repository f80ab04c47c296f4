/* A file that SQLite finds damaged: what can be read goes into a new one. Batches are taken from the pages themselves; of the
 * other tables, but those that are derived, whatever SQLite still reads, from both ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "store/sqlite_internal.h"

enum { NUMBERS_MAX = 1000, VERSION_MAX = 1000, SHARED_FIRST = 0x40000002, SHARED_SIZE = 510 };

/* --- is it whole? ----------------------------------------------------------------------------- */

static bool is_damage(int code) {
    code &= 0xff;
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR ||
           code == SQLITE_FORMAT || code == SQLITE_SCHEMA;
}

/* Versions count from 1, so one of thousands is none. */
static bool has_version(sqlite3 *db) {
    sqlite3_stmt *row = NULL;
    int64_t version = 0;
    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &row, NULL) == SQLITE_OK &&
        sqlite3_step(row) == SQLITE_ROW)
        version = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return version >= 0 && version <= VERSION_MAX;
}

static bool check_pages(sqlite3 *db, bool *whole) {
    sqlite3_stmt *row = NULL;
    int status = sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &row, NULL);
    if (status == SQLITE_OK) status = sqlite3_step(row);
    if (status == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(row, 0);
        *whole = text && strcmp(text, "ok") == 0 && has_version(db);
    }
    sqlite3_finalize(row);
    if (status == SQLITE_ROW) return true;
    *whole = false;
    return is_damage(status) || status == SQLITE_DONE;
}

bool weir_store_file_check(const char *file, bool *whole, weir_error *error) {
    sqlite3 *db = NULL;
    *whole = true;
    if (access(file, F_OK) < 0) return true;
    int status = sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    bool ok = status == SQLITE_OK && check_pages(db, whole);
    if (!ok) weir_fail(error, WEIR_STORE, "`%s` cannot be looked at: %s", file, sqlite3_errmsg(db));
    sqlite3_close(db);
    return ok;
}

/* --- the old file ----------------------------------------------------------------------------- */

/* Whoever has it open in SQLite holds a read lock on these bytes, as it keeps a WAL. */
static bool is_used(const char *file) {
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SHARED_FIRST, .l_len = SHARED_SIZE};
    int fd = open(file, O_RDWR | O_CLOEXEC);
    bool used = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (fd >= 0) close(fd);
    return used;
}

static void name_with(weir_buffer *out, const char *file, const char *suffix, const char *more) {
    weir_buffer_clear(out);
    weir_buffer_printf(out, "%s%s%s", file, suffix, more);
}

static bool move(const char *from, const char *from_more, const char *to, const char *to_more,
                 weir_error *error) {
    weir_buffer a = {0}, b = {0};
    name_with(&a, from, from_more, "");
    name_with(&b, to, to_more, "");
    bool ok = rename(a.data, b.data) == 0 || errno == ENOENT ||
              weir_fail(error, WEIR_STORE, "`%s` cannot be moved to `%s`: %s", a.data, b.data,
                        strerror(errno));
    weir_buffer_deinit(&a);
    weir_buffer_deinit(&b);
    return ok;
}

/* The old file and its log go aside as they are; the index of the log is of no use without processes. */
static bool take_place(const char *file, const char *fresh, weir_salvaged *out, weir_error *error) {
    weir_buffer aside = {0}, index = {0};
    for (int i = 1; i <= NUMBERS_MAX; i++) {
        weir_buffer_clear(&aside);
        weir_buffer_printf(&aside, "%s.damaged-%d", file, i);
        if (access(aside.data, F_OK) < 0) break;
    }
    name_with(&index, file, "-shm", "");
    unlink(index.data);
    bool ok = move(file, "-wal", aside.data, "-wal", error) &&
              move(file, "", aside.data, "", error) && move(fresh, "", file, "", error);
    snprintf(out->moved, sizeof out->moved, "%s", aside.data);
    weir_buffer_deinit(&aside);
    weir_buffer_deinit(&index);
    return ok;
}

/* --- batches ---------------------------------------------------------------------------------- */

typedef struct salvage {
    sqlite3 *db; /* the new file's */
    sqlite3_stmt *put;
    uint64_t batches;
    bool failed;
} salvage;

static bool put_batch(void *arg, const weir__page_batch *batch) {
    salvage *s = arg;
    weir__bind_text(s->put, 1, batch->run);
    sqlite3_bind_int64(s->put, 2, (int64_t)batch->sequence);
    sqlite3_bind_int64(s->put, 3, batch->version);
    sqlite3_bind_int64(s->put, 4, batch->checksum);
    sqlite3_bind_blob64(s->put, 5, batch->bytes.data, batch->bytes.length, SQLITE_STATIC);
    sqlite3_step(s->put);
    s->failed = sqlite3_reset(s->put) != SQLITE_OK;
    if (!s->failed) s->batches += (uint64_t)sqlite3_changes(s->db);
    return !s->failed;
}

static bool copy_batches(salvage *s, const char *file, weir_error *error) {
    bool ok = sqlite3_prepare_v2(s->db, "INSERT OR IGNORE INTO journal VALUES(?, ?, ?, ?, ?)", -1,
                                 &s->put, NULL) == SQLITE_OK &&
              weir__pages_visit(file, put_batch, s, error);
    sqlite3_finalize(s->put);
    return ok && !s->failed;
}

/* --- other tables ----------------------------------------------------------------------------- */

/* Labels come with their runs, by a trigger. */
static bool is_ours(const char *table) {
    if (strcmp(table, "journal") == 0 || strcmp(table, "labels") == 0 ||
        strncmp(table, "sqlite_", 7) == 0)
        return true;
    for (weir_table t = 0; t < WEIR_TABLES; t++)
        if (weir_table_is_of_runs(t) && strcmp(table, weir_table_forms[t].name) == 0) return true;
    return false;
}

/* A statement that writes the columns which the other gives. */
static sqlite3_stmt *insert_for(sqlite3 *db, const char *table, sqlite3_stmt *from) {
    weir_buffer sql = {0};
    sqlite3_stmt *put = NULL;
    int columns = sqlite3_column_count(from);
    weir_buffer_printf(&sql, "INSERT OR IGNORE INTO \"%s\"(", table);
    for (int i = 0; i < columns; i++)
        weir_buffer_printf(&sql, "%s\"%s\"", i ? ", " : "", sqlite3_column_name(from, i));
    weir_buffer_text(&sql, ") VALUES(");
    for (int i = 0; i < columns; i++) weir_buffer_text(&sql, i ? ", ?" : "?");
    weir_buffer_byte(&sql, ')');
    if (sqlite3_prepare_v2(db, sql.data, -1, &put, NULL) != SQLITE_OK) put = NULL;
    weir_buffer_deinit(&sql);
    return put;
}

/* As far as it can be read. */
static void copy_rows(sqlite3 *from, sqlite3 *to, const char *table, const char *order) {
    weir_buffer sql = {0};
    sqlite3_stmt *row = NULL, *put = NULL;
    weir_buffer_printf(&sql, "SELECT * FROM \"%s\" %s", table, order);
    if (sqlite3_prepare_v2(from, sql.data, -1, &row, NULL) == SQLITE_OK)
        put = insert_for(to, table, row);
    while (put && sqlite3_step(row) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(row); i++)
            sqlite3_bind_value(put, i + 1, sqlite3_column_value(row, i));
        sqlite3_step(put); /* a row that does not fit is left out */
        sqlite3_reset(put);
    }
    sqlite3_finalize(row);
    sqlite3_finalize(put);
    weir_buffer_deinit(&sql);
}

/* The tables of the new file that are nobody's copy. The old one may be too damaged to be asked anything. */
static void copy_tables(const char *file, sqlite3 *to) {
    sqlite3 *from = NULL;
    sqlite3_stmt *table = NULL;
    if (sqlite3_open_v2(file, &from, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
            SQLITE_OK &&
        sqlite3_prepare_v2(to, "SELECT name FROM sqlite_master WHERE type = 'table'", -1, &table,
                           NULL) == SQLITE_OK) {
        while (sqlite3_step(table) == SQLITE_ROW) {
            const char *name = (const char *)sqlite3_column_text(table, 0);
            if (is_ours(name)) continue;
            copy_rows(from, to, name, "");
            copy_rows(from, to, name, "ORDER BY rowid DESC");
        }
    }
    sqlite3_finalize(table);
    sqlite3_db_config(from, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_close(from);
}

/* --- the new file ----------------------------------------------------------------------------- */

/* An empty store of today's schema. */
static bool make_store(const char *fresh, weir_error *error) {
    weir_loop *loop;
    weir_store *store;
    if (!weir_loop_open(&loop, error)) return false;
    bool ok = weir__store_sqlite_open(loop, fresh, WEIR_DURABILITY_FULL, &store, error);
    if (ok) weir_store_close(store);
    weir_loop_close(loop);
    return ok;
}

static uint64_t count_runs(sqlite3 *db) {
    sqlite3_stmt *row = NULL;
    uint64_t count = 0;
    if (sqlite3_prepare_v2(db, "SELECT count(*) FROM runs", -1, &row, NULL) == SQLITE_OK &&
        sqlite3_step(row) == SQLITE_ROW)
        count = (uint64_t)sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return count;
}

static bool fill(const char *file, const char *fresh, weir_salvaged *out, weir_error *error) {
    salvage s = {0};
    bool ok = sqlite3_open_v2(fresh, &s.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ==
                  SQLITE_OK &&
              sqlite3_exec(s.db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
    error->code = WEIR_OK;
    ok = ok && copy_batches(&s, file, error);
    if (ok) copy_tables(file, s.db);
    if (ok) out->runs = count_runs(s.db);
    ok = ok && sqlite3_exec(s.db, "COMMIT; PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) ==
                   SQLITE_OK;
    out->batches = s.batches;
    if (!ok && !error->code)
        weir_fail(error, WEIR_STORE, "`%s` cannot be written: %s", fresh, sqlite3_errmsg(s.db));
    sqlite3_close(s.db);
    return ok;
}

static void remove_files(const char *file) {
    static const char *const more[] = {"", "-wal", "-shm"};
    weir_buffer name = {0};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        name_with(&name, file, more[i], "");
        unlink(name.data);
    }
    weir_buffer_deinit(&name);
}

bool weir_store_file_salvage(const char *file, weir_salvaged *out, weir_error *error) {
    *out = (weir_salvaged){0};
    if (is_used(file)) {
        weir_fail(error, WEIR_CONFLICT, "`%s` is damaged, and in use", file);
        weir_error_hint(error, "end the other weir, then repair it");
        return false;
    }
    weir_buffer fresh = {0};
    weir_buffer_printf(&fresh, "%s.salvage", file);
    remove_files(fresh.data); /* of a repair that was cut off */
    bool ok = make_store(fresh.data, error) && fill(file, fresh.data, out, error);
    if (ok && !out->batches && !out->runs)
        ok = weir_fail(error, WEIR_INVALID, "nothing in `%s` can be read as weir's", file);
    ok = ok && take_place(file, fresh.data, out, error);
    if (!ok) remove_files(fresh.data);
    weir_buffer_deinit(&fresh);
    return ok;
}

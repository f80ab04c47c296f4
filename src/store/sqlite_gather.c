/* What a commit writes to the log becomes one write. SQLite writes each page by two: its head, and the page. Between the beginning of a
 * synced commit and its sync nobody else looks at what it adds to the log, for only the sync is followed by the word, in the shared memory,
 * that the log has become longer. So as long as that is what SQLite does (`on`), what it writes one behind the other is kept, and written
 * before the sync, before anything is read, and before anything is written elsewhere.
 *
 * The log's file stays SQLite's own: only its methods are these, which call those that it had. */
#include "store/sqlite_internal.h"

#include <stddef.h>

enum {
    GATHERED_BYTES_MAX = 96 * 1024
}; /* SQLite's own file system takes less than 128 KiB at once */

struct weir__gather {
    sqlite3_io_methods methods; /* first */
    const sqlite3_io_methods *plain;
    bool on;
    sqlite3_int64 at; /* where in the file what is kept begins */
    weir_buffer kept;
};

static weir__gather *gather_of(sqlite3_file *log) {
    return (weir__gather *)(uintptr_t)log->pMethods;
}

static int write_kept(weir__gather *g, sqlite3_file *log) {
    int status = SQLITE_OK;
    if (g->kept.length) status = g->plain->xWrite(log, g->kept.data, (int)g->kept.length, g->at);
    weir_buffer_clear(&g->kept);
    return status;
}

static int gather_write(sqlite3_file *log, const void *data, int length, sqlite3_int64 at) {
    weir__gather *g = gather_of(log);
    bool follows = at == g->at + (sqlite3_int64)g->kept.length;
    if (g->kept.length && (!follows || g->kept.length + (size_t)length > GATHERED_BYTES_MAX)) {
        int status = write_kept(g, log);
        if (status != SQLITE_OK) return status;
    }
    if (!g->on) return g->plain->xWrite(log, data, length, at);
    if (!g->kept.length) g->at = at;
    weir_buffer_append(&g->kept, data, (size_t)length);
    return SQLITE_OK;
}

static int gather_read(sqlite3_file *log, void *data, int length, sqlite3_int64 at) {
    weir__gather *g = gather_of(log);
    int status = write_kept(g, log);
    return status == SQLITE_OK ? g->plain->xRead(log, data, length, at) : status;
}

static int gather_sync(sqlite3_file *log, int flags) {
    weir__gather *g = gather_of(log);
    int status = write_kept(g, log);
    return status == SQLITE_OK ? g->plain->xSync(log, flags) : status;
}

static int gather_truncate(sqlite3_file *log, sqlite3_int64 size) {
    weir__gather *g = gather_of(log);
    int status = write_kept(g, log);
    return status == SQLITE_OK ? g->plain->xTruncate(log, size) : status;
}

static int gather_size(sqlite3_file *log, sqlite3_int64 *size) {
    weir__gather *g = gather_of(log);
    int status = write_kept(g, log);
    return status == SQLITE_OK ? g->plain->xFileSize(log, size) : status;
}

static int gather_close(sqlite3_file *log) {
    weir__gather *g = gather_of(log);
    int status = write_kept(g, log);
    log->pMethods = g->plain;
    int closed = g->plain->xClose(log);
    return status == SQLITE_OK ? closed : status;
}

static void take_over(weir__gather *g, sqlite3_file *log) {
    g->plain = log->pMethods;
    g->methods = *log->pMethods;
    g->methods.xClose = gather_close;
    g->methods.xRead = gather_read;
    g->methods.xWrite = gather_write;
    g->methods.xTruncate = gather_truncate;
    g->methods.xSync = gather_sync;
    g->methods.xFileSize = gather_size;
    log->pMethods = &g->methods;
}

void weir__gather_begin(weir__gather **gather, sqlite3 *db) {
    sqlite3_file *log = NULL;
    sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (!log || !log->pMethods) return;
    if (!*gather) *gather = weir_alloc(sizeof **gather);
    weir__gather *g = *gather;
    if (log->pMethods != &g->methods) take_over(g, log);
    g->on = true;
}

void weir__gather_end(weir__gather *g, bool committed) {
    if (!g) return;
    weir_assert(!committed || !g->kept.length); /* there was a sync */
    g->on = false;
    weir_buffer_clear(&g->kept);
}

void weir__gather_free(weir__gather *g) {
    if (g) weir_buffer_deinit(&g->kept);
    weir_free(g);
}

#include "store/sqlite_writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "base/map.h"

typedef struct append {
    struct append *next;
    weir_str run; /* owned */
    uint64_t sequence;
    weir_buffer bytes;
    weir__record record;
    bool has_record, failed;
    weir__append_done *done;
    void *arg;
} append;

typedef struct queue {
    append *first, *last;
} queue;

struct weir__writer {
    weir_loop *loop;
    sqlite3 *db;
    char *directory;
    sqlite3_stmt *put_record, *put_batch;
    bool started, delivering;
    pthread_t thread;
    weir_error
        failure; /* why appends fail; set before the thread starts, or by it; code OK: none */
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t more;
    queue waiting, written;
    bool closing, closed, posted;
};

bool weir__sqlite_failed(sqlite3 *db, const char *directory, weir_error *error) {
    int code = sqlite3_errcode(db) & 0xff, reason = sqlite3_system_errno(db);
    bool outside = code == SQLITE_IOERR || code == SQLITE_CANTOPEN;
    if (code == SQLITE_FULL || (outside && (reason == ENOSPC || reason == EDQUOT))) {
        weir_fail(error, WEIR_STORE, "the state directory `%s` is full", directory);
        weir_error_hint(error, "make room on its disk");
    } else if (code == SQLITE_READONLY) {
        weir_fail(error, WEIR_STORE, "the state directory `%s` is read-only", directory);
    } else if (code == SQLITE_BUSY) {
        weir_fail(error, WEIR_STORE, "the state in `%s` is locked by another process", directory);
    } else if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT) {
        weir_fail(error, WEIR_STORE, "`%s/weir.db` is no weir state, or damaged: %s", directory,
                  sqlite3_errmsg(db));
        weir_error_hint(error, "move it away, or name another directory with --state");
    } else {
        bool why = outside && reason;
        weir_fail(error, WEIR_STORE, "the state in `%s` cannot be used: %s%s%s", directory,
                  sqlite3_errmsg(db), why ? ": " : "", why ? strerror(reason) : "");
    }
    return false;
}

void weir__bind_text(sqlite3_stmt *statement, int at, weir_str text) {
    sqlite3_bind_text64(statement, at, text.length ? text.data : "", text.length, SQLITE_STATIC,
                        SQLITE_UTF8);
}

int64_t weir__batch_checksum(weir_str run, uint64_t sequence, weir_str bytes) {
    uint64_t parts[] = {weir_hash(run.data, run.length), sequence,
                        weir_hash(bytes.data, bytes.length)};
    return (int64_t)weir_hash(parts, sizeof parts);
}

static bool put_record(weir__writer *w, const weir_run_record *record) {
    const weir_str texts[] = {record->id,   record->name,  record->kind,  record->phase,
                              record->file, record->owner, record->parent};
    enum { TEXTS = sizeof texts / sizeof *texts };
    for (int i = 0; i < TEXTS; i++) weir__bind_text(w->put_record, i + 1, texts[i]);
    sqlite3_bind_int64(w->put_record, TEXTS + 1, (int64_t)record->created_us);
    sqlite3_bind_int64(w->put_record, TEXTS + 2, (int64_t)record->finished_us);
    sqlite3_step(w->put_record);
    return sqlite3_reset(w->put_record) == SQLITE_OK;
}

static bool put_batch(weir__writer *w, const append *a) {
    weir_str bytes = weir_buffer_str(&a->bytes);
    weir__bind_text(w->put_batch, 1, a->run);
    sqlite3_bind_int64(w->put_batch, 2, (int64_t)a->sequence);
    sqlite3_bind_int64(w->put_batch, 3, WEIR__BATCH_VERSION);
    sqlite3_bind_int64(w->put_batch, 4, weir__batch_checksum(a->run, a->sequence, bytes));
    sqlite3_bind_blob64(w->put_batch, 5, bytes.data, bytes.length, SQLITE_STATIC);
    sqlite3_step(w->put_batch);
    return sqlite3_reset(w->put_batch) == SQLITE_OK;
}

static bool put(weir__writer *w, const append *a, weir_error *error) {
    bool record = !a->has_record || put_record(w, &a->record.record);
    if (record && put_batch(w, a)) return true;
    if ((sqlite3_errcode(w->db) & 0xff) != SQLITE_CONSTRAINT)
        return weir__sqlite_failed(w->db, w->directory, error);
    return record ? weir__store_batch_taken(a->run, a->sequence, error)
                  : weir__store_name_taken(a->record.record.name, error);
}

static bool prepare(weir__writer *w, const char *sql, sqlite3_stmt **statement) {
    return *statement || sqlite3_prepare_v3(w->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement,
                                            NULL) == SQLITE_OK;
}

/* A run keeps the moment it was created. */
static bool prepare_puts(weir__writer *w) {
    return prepare(w,
                   "INSERT INTO runs(id, name, kind, phase, file, owner, parent, created_us,"
                   " finished_us) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET"
                   " name = excluded.name, kind = excluded.kind, phase = excluded.phase,"
                   " file = excluded.file, owner = excluded.owner, parent = excluded.parent,"
                   " finished_us = excluded.finished_us",
                   &w->put_record) &&
           prepare(w,
                   "INSERT INTO journal(stream, seq, version, checksum, bytes)"
                   " VALUES(?, ?, ?, ?, ?)",
                   &w->put_batch);
}

static bool run_sql(weir__writer *w, const char *sql) {
    return sqlite3_exec(w->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* One transaction for all; when one append fails, all do. */
static bool write_group(weir__writer *w, const append *a, weir_error *error) {
    if (!prepare_puts(w) || !run_sql(w, "BEGIN IMMEDIATE"))
        return weir__sqlite_failed(w->db, w->directory, error);
    bool ok = true;
    for (; ok && a; a = a->next) ok = put(w, a, error);
    if (ok && !run_sql(w, "COMMIT")) ok = weir__sqlite_failed(w->db, w->directory, error);
    if (!ok && !sqlite3_get_autocommit(w->db)) run_sql(w, "ROLLBACK");
    return ok;
}

static void queue_add(queue *q, queue more) {
    *(q->first ? &q->last->next : &q->first) = more.first;
    q->last = more.last;
}

static queue queue_take(queue *q) {
    queue all = *q;
    *q = (queue){0};
    return all;
}

static void writer_free(weir__writer *w) {
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->more);
    weir_free(w->directory);
    weir_free(w);
}

static void deliver(weir__writer *w) {
    pthread_mutex_lock(&w->lock);
    append *next, *a = queue_take(&w->written).first;
    pthread_mutex_unlock(&w->lock);
    w->delivering = true;
    for (; a; a = next) {
        next = a->next;
        a->done(a->arg, a->failed ? &w->failure : NULL);
        weir_free((char *)(uintptr_t)a->run.data);
        weir_buffer_deinit(&a->bytes);
        weir_free(a->record.memory);
        weir_free(a);
    }
    w->delivering = false;
}

static void deliver_posted(void *arg) {
    weir__writer *w = arg;
    if (w->closed) {
        writer_free(w);
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->posted = false;
    pthread_mutex_unlock(&w->lock);
    deliver(w);
}

/* Under the lock. */
static void hand_back(weir__writer *w, queue group) {
    queue_add(&w->written, group);
    if (!w->posted) weir_loop_post(w->loop, deliver_posted, w);
    w->posted = true;
}

static void *write_until_closed(void *arg) {
    weir__writer *w = arg;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->waiting.first && !w->closing) pthread_cond_wait(&w->more, &w->lock);
        queue group = queue_take(&w->waiting);
        if (!group.first) break;
        pthread_mutex_unlock(&w->lock);
        bool ok = !w->failure.code && write_group(w, group.first, &w->failure);
        for (append *a = group.first; a; a = a->next) a->failed = !ok;
        pthread_mutex_lock(&w->lock);
        hand_back(w, group);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static bool start(weir__writer *w) {
    if (w->started) return true;
    /* Signals are the loop's. */
    sigset_t all, before;
    weir_thread_signals(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&w->thread, NULL, write_until_closed, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    w->started = !failed;
    return failed ? weir_fail(&w->failure, WEIR_STORE, "no thread: %s", strerror(failed)) : true;
}

weir__writer *weir__writer_open(weir_loop *loop, sqlite3 *db, const char *directory) {
    weir__writer *w = weir_alloc(sizeof *w);
    w->loop = loop;
    w->db = db;
    w->directory = weir_str_dup(weir_str_from(directory));
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->more, NULL);
    return w;
}

void weir__writer_refuse(weir__writer *w, const weir_error *why) {
    weir_assert(!w->started);
    w->failure = *why;
}

void weir__writer_append(weir__writer *w, weir_str run, uint64_t sequence, weir_buffer bytes,
                         const weir_run_record *record, weir__append_done *done, void *arg) {
    append *a = weir_alloc(sizeof *a);
    *a = (append){.run = {weir_str_dup(run), run.length},
                  .sequence = sequence,
                  .bytes = bytes,
                  .has_record = record,
                  .done = done,
                  .arg = arg};
    if (record) a->record = weir__record_copy(record);
    a->failed = !start(w);
    pthread_mutex_lock(&w->lock);
    if (a->failed) {
        hand_back(w, (queue){a, a});
    } else {
        queue_add(&w->waiting, (queue){a, a});
        pthread_cond_signal(&w->more);
    }
    pthread_mutex_unlock(&w->lock);
}

bool weir__writer_has_started(const weir__writer *w) {
    return w->started;
}

void weir__writer_close(weir__writer *w) {
    weir_assert(!w->delivering);
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
    if (w->started) pthread_join(w->thread, NULL);
    deliver(w);
    weir_assert(!w->waiting.first && !w->written.first);
    sqlite3_finalize(w->put_record);
    sqlite3_finalize(w->put_batch);
    w->closed = true;
    /* What is posted still points here, and frees it. */
    if (!w->posted) writer_free(w);
}

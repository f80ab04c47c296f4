#include <stdio.h>

#include "store/postgresql_internal.h"

enum {
    BACKOFF_US_MIN = 50 * 1000,
    BACKOFF_US_MAX = 2 * 1000 * 1000,
    CLOSING_US = 5 * 1000 * 1000 /* how long a closing engine waits for a server that is gone */
};

/* --- one try -------------------------------------------------------------------------------- */

static void add_batches(weir__pg_parameters *p, const weir__append *a, bool whole) {
    int stream = weir__pg_add_array(p, WEIR__PG_TEXT);
    int seq = weir__pg_add_array(p, WEIR__PG_NUMBER);
    int checksum = weir__pg_add_array(p, WEIR__PG_NUMBER);
    int bytes = whole ? weir__pg_add_array(p, WEIR__PG_BYTES) : 0;
    int fence = whole ? weir__pg_add_array(p, WEIR__PG_NUMBER) : 0;
    int lease = whole ? weir__pg_add_array(p, WEIR__PG_NUMBER) : 0;
    for (; a; a = a->next) {
        weir__pg_push_text(p, stream, a->run);
        weir__pg_push_number(p, seq, (int64_t)a->sequence);
        weir__pg_push_number(p, checksum, a->checksum);
        if (whole) weir__pg_push_bytes(p, bytes, weir_buffer_str(&a->bytes));
        if (whole) weir__pg_push_number(p, fence, (int64_t)a->fence);
        if (whole) weir__pg_push_number(p, lease, (int64_t)a->lease);
    }
}

/* Whether a later append has a newer record of the run: one statement may write a row once. */
static bool has_newer(const weir__append *a) {
    for (const weir__append *later = a->next; later; later = later->next)
        if (later->has_record && weir_str_equal(later->run, a->run)) return true;
    return false;
}

static void add_records(weir__pg_parameters *p, const weir__append *a) {
    enum { TEXTS = 7 };
    int first = weir__pg_add_array(p, WEIR__PG_TEXT);
    for (int i = 1; i < TEXTS; i++) weir__pg_add_array(p, WEIR__PG_TEXT);
    int created = weir__pg_add_array(p, WEIR__PG_NUMBER);
    int finished = weir__pg_add_array(p, WEIR__PG_NUMBER);
    int labels = weir__pg_add_array(p, WEIR__PG_TEXT);
    for (; a; a = a->next) {
        if (!a->has_record || has_newer(a)) continue;
        const weir_run_record *r = &a->record.record;
        const weir_str texts[TEXTS] = {r->id,   r->name,  r->kind,  r->phase,
                                       r->file, r->owner, r->parent};
        for (int i = 0; i < TEXTS; i++) weir__pg_push_text(p, first + i, texts[i]);
        weir__pg_push_number(p, created, (int64_t)r->created_us);
        weir__pg_push_number(p, finished, (int64_t)r->finished_us);
        weir__pg_push_text(p, labels, r->labels);
    }
}

static int64_t count_of(const weir__append *a) {
    int64_t count = 0;
    for (; a; a = a->next) count++;
    return count;
}

/* Whether all of them are there, as a commit that nobody confirmed may have written them. */
static weir__pg_outcome look_up(weir__pg *c, const weir__append *first, bool *there,
                                weir_error *error) {
    weir__pg_parameters p = {0};
    PGresult *result;
    add_batches(&p, first, false);
    weir__pg_outcome outcome = weir__pg_execute(c, WEIR__PG_LOOK_UP, &p, &result, error);
    weir__pg_parameters_deinit(&p);
    if (outcome != WEIR__PG_DONE) return outcome;
    *there = weir__pg_number(c, result, 0, 0) == count_of(first);
    c->server->q->clear(result);
    return WEIR__PG_DONE;
}

void weir__pg_add_write(const weir__postgresql *s, const weir__append *first,
                        const weir__rows *rows, weir__pg_parameters *p) {
    add_batches(p, first, true);
    add_records(p, first);
    weir__pg_add_number(p, WEIR__BATCH_VERSION);
    weir__pg_add_text(p, weir_str_from(s->engine));
    weir__pg_add_text(p, weir_buffer_str(&s->owner));
    weir__pg_add_text(p, weir_buffer_str(&s->process));
    weir__pg_add_number(p, (int64_t)s->server.lease_us);
    if (rows) weir__pg_add_rows(p, rows);
}

static weir__pg_outcome insert(weir__postgresql *s, weir__append *first, const weir__rows *rows,
                               bool *written, weir_error *error) {
    weir__pg *c = &s->writer_connection;
    weir__pg_parameters p = {0};
    PGresult *result;
    weir__pg_add_write(s, first, rows, &p);
    weir__pg_outcome outcome = weir__pg_execute(c, weir__pg_append_for(rows), &p, &result, error);
    weir__pg_parameters_deinit(&p);
    if (outcome != WEIR__PG_DONE) return outcome;
    *written = rows ? weir__pg_number(c, result, 0, 0) != 0
                    : strcmp(c->server->q->cmdTuples(result), "0") != 0;
    c->server->q->clear(result);
    return WEIR__PG_DONE;
}

/* Of several it is not known which has no lease: they are written one by one then, and a lost one may be restored. */
static weir__pg_outcome insert_leased(weir__postgresql *s, weir__append *first,
                                      const weir__rows *rows, weir_error *error) {
    bool written = false, restored = false;
    weir__pg_outcome outcome = insert(s, first, rows, &written, error);
    if (outcome != WEIR__PG_DONE || written) return outcome;
    if (rows) { /* or of theirs: the batches are written without them then */
        weir_fail(error, WEIR_CONFLICT, "the lease of a run is another's");
        return WEIR__PG_FAILED;
    }
    weir_assert(first); /* without rows there are batches */
    if (first->fence && !first->next) {
        outcome = weir__pg_restore(s, first->run, first->fence, &restored, error);
        if (outcome == WEIR__PG_DONE && restored) outcome = insert(s, first, NULL, &written, error);
        if (outcome != WEIR__PG_DONE || written) return outcome;
    }
    weir__pg_lease_lost(first->run, error);
    return WEIR__PG_FAILED;
}

/* `uncertain`: an earlier try was not answered, and may have been carried out, even now. */
static weir__pg_outcome try_write(weir__postgresql *s, weir__append *first, const weir__rows *rows,
                                  bool uncertain, weir_error *error) {
    weir__pg *c = &s->writer_connection;
    bool there = false;
    weir_error ignored;
    uncertain = uncertain && first; /* rows alone may be written twice */
    if (uncertain) {
        weir__pg_outcome outcome = look_up(c, first, &there, error);
        if (outcome != WEIR__PG_DONE || there) return outcome;
    }
    weir__pg_outcome outcome = rows ? weir__pg_renew_rows(s, c, rows, error) : WEIR__PG_DONE;
    if (outcome == WEIR__PG_DONE) outcome = insert_leased(s, first, rows, error);
    if (outcome == WEIR__PG_FAILED && rows && strcmp(c->state, "23503") == 0) {
        weir__rows_refused(rows->runs.items[0].run, c->constraint, error);
        return outcome;
    }
    if (outcome != WEIR__PG_FAILED || !weir_str_is(weir_str_from(c->state), "23505") ||
        error->code == WEIR_CONFLICT)
        return outcome;
    if (uncertain && look_up(c, first, &there, &ignored) == WEIR__PG_DONE && there)
        return WEIR__PG_DONE;
    if (strncmp(c->constraint, "journal", strlen("journal")) == 0)
        weir__store_batch_taken(first->run, first->sequence, error);
    else
        weir__store_name_taken(first->record.record.name, error);
    return WEIR__PG_FAILED;
}

/* --- until it is there ---------------------------------------------------------------------- */

typedef struct patience {
    weir__postgresql *s;
    uint64_t due_us, backoff_us; /* due 0: nothing is lost yet */
    bool closing;
} patience;

/* Waits a moment before the next try; false when it has been enough. */
static bool has_patience(patience *p, weir_error *error) {
    uint64_t now = weir_clock_steady_us();
    if (!p->due_us) {
        p->due_us = now + p->s->server.patience_us;
        p->backoff_us = BACKOFF_US_MIN;
    }
    if (now >= p->due_us) {
        char why[sizeof error->message];
        snprintf(why, sizeof why, "%.400s", error->message);
        weir_fail(error, WEIR_STORE, "%s; it did not come back in time", why);
        weir_error_hint(error,
                        "`weir recover RUN` goes on when it is there; `?patience=SECONDS` of "
                        "the URL says how long to wait");
        return false;
    }
    if (p->closing) {
        struct timespec moment = {.tv_nsec = BACKOFF_US_MIN * 1000};
        nanosleep(&moment, NULL);
    } else if (!weir__writer_sleep(p->s->writer, p->backoff_us)) {
        p->closing = true;
        if (p->due_us > now + CLOSING_US) p->due_us = now + CLOSING_US;
    }
    p->backoff_us = p->backoff_us * 2 < BACKOFF_US_MAX ? p->backoff_us * 2 : BACKOFF_US_MAX;
    return true;
}

bool weir__pg_write(void *arg, weir__append *first, const weir__rows *rows, weir_error *error) {
    weir__postgresql *s = arg;
    weir__pg *c = &s->writer_connection;
    patience p = {.s = s};
    bool uncertain = false;
    for (;;) {
        weir__pg_outcome outcome = WEIR__PG_LOST;
        if (weir__pg_connect(c, error)) {
            outcome = first && first->memo     ? weir__pg_write_memos(s, first, error)
                      : first && first->refers ? weir__pg_write_references(s, first, error)
                                               : try_write(s, first, rows, uncertain, error);
            uncertain = uncertain || outcome == WEIR__PG_LOST;
        }
        if (outcome == WEIR__PG_DONE) weir__pg_note_written(s, first);
        if (outcome != WEIR__PG_LOST) return outcome == WEIR__PG_DONE;
        if (!has_patience(&p, error)) return false;
    }
}

/* A commit that waits for the disk brings all before it there too. */
bool weir__pg_sync(void *arg, weir_error *error) {
    weir__postgresql *s = arg;
    weir__pg *c = &s->writer_connection;
    patience p = {.s = s};
    for (;;) {
        PGresult *result;
        weir__pg_outcome outcome = WEIR__PG_LOST;
        if (weir__pg_connect(c, error))
            outcome = weir__pg_run(c,
                                   "BEGIN; SET LOCAL synchronous_commit = on;"
                                   " SELECT pg_logical_emit_message(true, 'weir', ''); COMMIT",
                                   &result, error);
        if (outcome == WEIR__PG_DONE) c->server->q->clear(result);
        if (outcome != WEIR__PG_LOST) return outcome == WEIR__PG_DONE;
        if (!has_patience(&p, error)) return false;
    }
}

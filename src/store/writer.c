#include "store/writer.h"

#include <errno.h>
#include <pthread.h>

#include "base/map.h"

/* How long rows wait, and how many; how seldom a run that ends has them written. */
enum { ROWS_US = 200 * 1000, ROWS_MAX = 4096, ROWS_PAUSE_US = 50 * 1000 };
enum { ROWS_WITH_MAX = 64 }; /* as many may keep a batch waiting; others come behind it */
/* How long a write may take, on average, that the loop's thread does; and how much a single one counts at most. */
enum { QUICK_US = 1000, COUNTED_US = 4000, AVERAGED = 8 };

typedef struct queue {
    weir__append *first, *last;
} queue;

typedef struct refusal {
    char *run;
    weir_error why;
} refusal;

struct weir__writer {
    weir_loop *loop;
    const weir__writer_class *class;
    void *store;
    bool started, used, delivering, by_hand;
    bool held;        /* an append waits for the loop to turn */
    pthread_t thread; /* unless it is moved by hand */
    /* Of the thread, or of the loop's while that writes; `failure` is set before it starts, or by it. Code OK: none. */
    weir_error failure;
    uint64_t sync_due_us, beat_due_us, rows_due_us; /* of the steady clock; 0: nothing is due */
    uint64_t rows_written_us;                       /* when rows were written last */
    weir__rows rows;
    uint64_t write_us;    /* how long a write takes, on average of the last ones */
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t more, idle;
    bool busy; /* with what it took from `waiting` */
    queue waiting, written;
    WEIR_VECTOR(refusal) refused; /* few: each ended a run */
    bool closing, closed, posted;
    bool asleep, here;        /* the thread; the loop's thread writes */
    uint64_t sleeps_until_us; /* 0: until it is woken */
};

/* --- queues --------------------------------------------------------------------------------- */

static void queue_add(queue *q, queue more) {
    *(q->first ? &q->last->next : &q->first) = more.first;
    q->last = more.last;
}

enum { BATCH, MEMO, REFERENCES };

static int kind_of(const weir__append *a) {
    return a->memo ? MEMO : a->refers ? REFERENCES : BATCH;
}

/* The first of the queue, as many as one write may have. */
static queue queue_take(queue *q, size_t rows_max, size_t bytes_max, bool kinds_apart) {
    queue all = *q;
    size_t rows = 0, bytes = 0;
    for (weir__append *a = all.first; a; a = a->next) {
        bytes += a->bytes.length;
        rows++;
        if (!a->next || ((!rows_max || rows < rows_max) &&
                         (!bytes_max || bytes + a->next->bytes.length <= bytes_max) &&
                         (!kinds_apart || kind_of(a) == kind_of(a->next))))
            continue;
        *q = (queue){a->next, all.last};
        a->next = NULL;
        return (queue){all.first, a};
    }
    *q = (queue){0};
    return all;
}

static weir_error *error_copy(const weir_error *error) {
    weir_error *copy = weir_alloc(sizeof *copy);
    *copy = *error;
    return copy;
}

static void writer_free(weir__writer *w) {
    for (size_t i = 0; i < w->refused.count; i++) weir_free(w->refused.items[i].run);
    weir_vector_deinit(&w->refused);
    weir__rows_clear(&w->rows);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->more);
    pthread_cond_destroy(&w->idle);
    weir_free(w);
}

/* --- back on the loop's thread -------------------------------------------------------------- */

static void deliver(weir__writer *w) {
    pthread_mutex_lock(&w->lock);
    weir__append *next, *a = queue_take(&w->written, 0, 0, false).first;
    pthread_mutex_unlock(&w->lock);
    w->delivering = true;
    for (; a; a = next) {
        next = a->next;
        a->done(a->arg, a->failure);
        weir_free((char *)(uintptr_t)a->run.data);
        weir_buffer_deinit(&a->bytes);
        weir_buffer_deinit(&a->rows);
        weir_free(a->record.memory);
        weir__refer_put_free(a->refers);
        weir_free(a->failure);
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

/* Who is woken wants the lock at once: it is free by then. */
static void hand_back(weir__writer *w, queue group) {
    pthread_mutex_lock(&w->lock);
    queue_add(&w->written, group);
    bool posted = w->posted;
    w->posted = true;
    w->busy = false;
    pthread_cond_signal(&w->idle);
    pthread_mutex_unlock(&w->lock);
    if (!posted) weir_loop_post(w->loop, deliver_posted, w);
}

/* --- the thread ----------------------------------------------------------------------------- */

/* Under the lock. */
static const weir_error *refusal_of(const weir__writer *w, weir_str run) {
    for (size_t i = 0; i < w->refused.count; i++)
        if (weir_str_is(run, w->refused.items[i].run)) return &w->refused.items[i].why;
    return NULL;
}

/* Whether nothing ended the append's run before. */
static bool is_welcome(weir__writer *w, weir__append *a) {
    pthread_mutex_lock(&w->lock);
    const weir_error *why = refusal_of(w, a->run);
    if (why) a->failure = error_copy(why);
    pthread_mutex_unlock(&w->lock);
    return !why;
}

static void refuse(weir__writer *w, weir__append *a, const weir_error *why) {
    a->failure = error_copy(why);
    weir__rows_forget(&w->rows, a->run);
    pthread_mutex_lock(&w->lock);
    if (!refusal_of(w, a->run))
        *weir_vector_push(&w->refused) = (refusal){weir_str_dup(a->run), *why};
    pthread_mutex_unlock(&w->lock);
}

static void write_one(weir__writer *w, weir__append *a) {
    weir_error error = {0};
    if (w->failure.code) {
        a->failure = error_copy(&w->failure);
    } else if (is_welcome(w, a) && !w->class->write(w->store, a, NULL, &error)) {
        if (error.code == WEIR_CONFLICT) {
            refuse(w, a, &error);
        } else {
            w->failure = error;
            a->failure = error_copy(&error);
        }
    }
}

/* --- rows ----------------------------------------------------------------------------------- */

static void add_rows(weir__writer *w, const weir__append *a) {
    if (!a->rows.length) return;
    weir__rows_add(&w->rows, a->run, a->fence, weir_buffer_str(&a->rows));
    if (!w->rows_due_us) w->rows_due_us = weir_clock_steady_us() + ROWS_US;
}

static bool ends_a_run(const weir__append *first) {
    for (const weir__append *a = first; a; a = a->next)
        if (a->has_record && a->record.record.finished_us) return true;
    return false;
}

static void drop_rows(weir__writer *w) {
    weir__rows_clear(&w->rows);
    w->rows_due_us = 0;
    w->rows_written_us = weir_clock_steady_us();
}

/* Many short runs that end one after the other share a write. */
static bool rows_are_due(const weir__writer *w, const weir__append *first) {
    if (!w->rows.count) return false;
    if (w->rows.count >= ROWS_MAX) return true;
    uint64_t now = weir_clock_steady_us();
    return now >= w->rows_due_us ||
           (now >= w->rows_written_us + ROWS_PAUSE_US && ends_a_run(first));
}

/* A run that another process has by now, or that was deleted, does not keep the rows of others. */
static void write_rows_by_run(weir__writer *w) {
    weir_error error = {0};
    for (uint32_t run = 0; run < w->rows.runs.count && !w->failure.code; run++) {
        w->rows.only = run + 1;
        if (!w->class->write(w->store, NULL, &w->rows, &error) && error.code != WEIR_CONFLICT)
            w->failure = error;
    }
}

/* Without a batch. */
static void write_rows(weir__writer *w) {
    weir_error error = {0};
    if (!w->failure.code && w->rows.count && !w->class->write(w->store, NULL, &w->rows, &error)) {
        if (error.code == WEIR_CONFLICT)
            write_rows_by_run(w);
        else
            w->failure = error;
    }
    drop_rows(w);
}

/* --- groups --------------------------------------------------------------------------------- */

static bool any_is_refused(weir__writer *w, const weir__append *first) {
    bool any = false;
    pthread_mutex_lock(&w->lock);
    for (const weir__append *a = first; a && w->refused.count; a = a->next)
        any = any || refusal_of(w, a->run);
    pthread_mutex_unlock(&w->lock);
    return any;
}

/* All at once, and the rows with them when that is due and they are few. */
static bool write_all(weir__writer *w, weir__append *first, weir_error *error) {
    for (const weir__append *a = first; a; a = a->next) add_rows(w, a);
    bool batches = !w->class->kinds_apart || kind_of(first) == BATCH;
    bool due = batches && rows_are_due(w, first);
    bool apart = due && (w->rows.renewed || w->rows.count > ROWS_WITH_MAX);
    if (!w->class->write(w->store, first, due && !apart ? &w->rows : NULL, error)) return false;
    if (apart)
        w->rows_due_us = weir_clock_steady_us();
    else if (due)
        drop_rows(w);
    return true;
}

/* When one is refused, one after the other, to see which it is; a refused run's rows are forgotten. */
static void write_group(weir__writer *w, queue group) {
    weir_error error = {0};
    for (weir__append *a = group.first; a; a = a->next)
        a->checksum = weir__batch_checksum(a->run, a->sequence, weir_buffer_str(&a->bytes));
    bool all = !w->failure.code && !any_is_refused(w, group.first);
    if (all && write_all(w, group.first, &error)) return;
    if (all && error.code != WEIR_CONFLICT) w->failure = error;
    for (weir__append *next, *a = group.first; a; a = next) {
        next = a->next;
        a->next = NULL;
        write_one(w, a);
        if (!all && !a->failure) add_rows(w, a);
        a->next = next;
    }
}

/* Of the steady clock. */
static struct timespec time_of(uint64_t at_us) {
    return (struct timespec){(time_t)(at_us / 1000000), (long)(at_us % 1000000) * 1000};
}

/* Of the steady clock; 0: nothing is due. */
static uint64_t next_due_us(const weir__writer *w) {
    const uint64_t moments[] = {w->sync_due_us, w->beat_due_us, w->rows_due_us};
    uint64_t due = 0;
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++)
        if (moments[i] && (!due || moments[i] < due)) due = moments[i];
    return due;
}

static bool wants_tidying(const weir__writer *w) {
    return w->class->tidy && w->class->tidy(w->store, false);
}

/* Under the lock; until there is something to do. */
static void wait_for_work(weir__writer *w) {
    for (;;) {
        uint64_t due = w->here ? 0 : next_due_us(w);
        if (!w->here && (w->waiting.first || w->closing || wants_tidying(w) ||
                         (due && weir_clock_steady_us() >= due)))
            return;
        w->asleep = true;
        w->sleeps_until_us = due;
        struct timespec until = time_of(due);
        if (due)
            pthread_cond_timedwait(&w->more, &w->lock, &until);
        else
            pthread_cond_wait(&w->more, &w->lock);
        w->asleep = false;
    }
}

static void see_to_what_is_due(weir__writer *w, bool closing) {
    uint64_t now = weir_clock_steady_us();
    if (w->rows_due_us && (closing || now >= w->rows_due_us)) write_rows(w);
    if (w->sync_due_us && (closing || now >= w->sync_due_us)) {
        w->sync_due_us = 0;
        weir_error error = {0};
        if (!w->failure.code && !w->class->sync(w->store, &error)) w->failure = error;
    }
    if (w->beat_due_us && !closing && now >= w->beat_due_us) {
        w->class->beat(w->store);
        w->beat_due_us = weir_clock_steady_us() + w->class->beat_us;
    }
    if (wants_tidying(w)) (void)w->class->tidy(w->store, true);
}

/* What is put because they were written stays, whatever the power does. */
static void sync_references(weir__writer *w, weir__append *first) {
    weir_error error = {0};
    bool any = false;
    for (const weir__append *a = first; a; a = a->next) any = any || (a->refers && !a->failure);
    if (!any || !w->class->sync || w->failure.code || w->class->sync(w->store, &error)) return;
    w->failure = error;
    for (weir__append *a = first; a; a = a->next)
        if (!a->failure) a->failure = error_copy(&error);
}

/* As much as one write may have; false when nothing waits, and none will. */
static bool write_some(weir__writer *w) {
    pthread_mutex_lock(&w->lock);
    queue group =
        queue_take(&w->waiting, w->class->rows_max, w->class->bytes_max, w->class->kinds_apart);
    bool closing = w->closing && !group.first;
    w->busy = group.first != NULL;
    pthread_mutex_unlock(&w->lock);
    if (!group.first) return !closing;
    uint64_t since = weir_clock_steady_us();
    write_group(w, group);
    sync_references(w, group.first);
    uint64_t now = weir_clock_steady_us(), took = now - since;
    if (took > COUNTED_US) took = COUNTED_US;
    w->write_us = (w->write_us * (AVERAGED - 1) + took) / AVERAGED;
    if (w->class->sync_us && !w->sync_due_us) w->sync_due_us = now + w->class->sync_us;
    hand_back(w, group);
    return true;
}

bool weir__writer_turn(weir__writer *w) {
    bool more = write_some(w);
    see_to_what_is_due(w, !more);
    return more;
}

static void *write_until_closed(void *arg) {
    weir__writer *w = arg;
    do {
        pthread_mutex_lock(&w->lock);
        wait_for_work(w);
        pthread_mutex_unlock(&w->lock);
    } while (weir__writer_turn(w));
    return NULL;
}

void weir__writer_tell(weir__writer *w, const weir_error *why, weir__append_done *done, void *arg) {
    weir__append *a = weir_alloc(sizeof *a);
    a->failure = error_copy(why);
    a->done = done;
    a->arg = arg;
    hand_back(w, (queue){a, a});
}

bool weir__writer_sleep(weir__writer *w, uint64_t delay_us) {
    struct timespec until = time_of(weir_clock_steady_us() + delay_us);
    pthread_mutex_lock(&w->lock);
    int status = 0;
    while (!w->closing && status == 0) status = pthread_cond_timedwait(&w->more, &w->lock, &until);
    bool closing = w->closing;
    pthread_mutex_unlock(&w->lock);
    return !closing;
}

/* --- the loop's thread ---------------------------------------------------------------------- */

bool weir__writer_start(weir__writer *w, weir_error *error) {
    if (w->started) return true;
    if (w->class->beat_us) w->beat_due_us = weir_clock_steady_us() + w->class->beat_us;
    if (w->by_hand) return w->started = true;
    int failed = weir_thread_start(&w->thread, write_until_closed, w);
    w->started = !failed;
    return failed ? weir_fail(error, WEIR_STORE, "no thread: %s", strerror(failed)) : true;
}

static void fail_all(weir__writer *w, const weir_error *why) {
    pthread_mutex_lock(&w->lock);
    queue all = queue_take(&w->waiting, 0, 0, false);
    pthread_mutex_unlock(&w->lock);
    for (weir__append *a = all.first; a; a = a->next) a->failure = error_copy(why);
    if (all.first) hand_back(w, all);
}

static void wake_thread(weir__writer *w) {
    weir_error error;
    w->held = false;
    if (!weir__writer_start(w, &error)) {
        fail_all(w, &error);
        return;
    }
    pthread_cond_signal(&w->more);
}

/* Whether the thread sleeps, and does so until write_here, which will be quick. */
static bool keep_asleep(weir__writer *w) {
    pthread_mutex_lock(&w->lock);
    w->here = w->waiting.first && (!w->started || w->asleep) && w->write_us <= QUICK_US;
    pthread_mutex_unlock(&w->lock);
    return w->here;
}

static void write_here(weir__writer *w) {
    if (w->class->seize(w->store, true)) {
        (void)write_some(w);
        (void)w->class->seize(w->store, false);
    }
    w->held = false;
    pthread_mutex_lock(&w->lock);
    w->here = false;
    uint64_t due = next_due_us(w);
    bool late = due && (!w->sleeps_until_us || due < w->sleeps_until_us);
    bool wake = w->waiting.first || late || wants_tidying(w);
    pthread_mutex_unlock(&w->lock);
    if (wake) wake_thread(w);
}

static bool loop_turns(void *arg, bool waits) {
    weir__writer *w = arg;
    if (!w->held) return false;
    if (waits && weir_loop_is_idle(w->loop) && keep_asleep(w)) {
        write_here(w);
        return true;
    }
    wake_thread(w);
    return false;
}

weir__writer *weir__writer_open(weir_loop *loop, const weir__writer_class *class, void *store) {
    weir__writer *w = weir_alloc(sizeof *w);
    pthread_condattr_t steady;
    w->loop = loop;
    w->class = class;
    w->store = store;
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&w->more, &steady);
    pthread_cond_init(&w->idle, &steady);
    pthread_condattr_destroy(&steady);
    if (class->seize) weir_loop_watch(loop, loop_turns, w);
    return w;
}

void weir__writer_move_by_hand(weir__writer *w) {
    weir_assert(!w->started);
    w->by_hand = true;
}

void weir__writer_refuse(weir__writer *w, const weir_error *why) {
    weir_assert(!w->started);
    w->failure = *why;
}

static void enqueue(weir__writer *w, weir__append *a) {
    pthread_mutex_lock(&w->lock);
    bool alone = !w->waiting.first && (!w->started || w->asleep);
    queue_add(&w->waiting, (queue){a, a});
    pthread_mutex_unlock(&w->lock);
    w->used = true;
    if (alone && w->class->seize && !w->by_hand)
        w->held = true;
    else
        wake_thread(w);
}

void weir__writer_put_memo(weir__writer *w, uint64_t fence, weir__memo_put *put) {
    weir_str run = put->copy.entry.run;
    weir__append *a = weir_alloc(sizeof *a);
    *a = (weir__append){.run = {weir_str_dup(run), run.length},
                        .fence = fence,
                        .memo = put,
                        .done = weir__memo_put_done,
                        .arg = put};
    enqueue(w, a);
}

void weir__writer_refer(weir__writer *w, weir__refer_put *put) {
    weir_str run = put->items[0].run;
    weir__append *a = weir_alloc(sizeof *a);
    *a = (weir__append){
        .run = {weir_str_dup(run), run.length}, .refers = put, .done = put->done, .arg = put->arg};
    enqueue(w, a);
}

void weir__writer_append(weir__writer *w, weir_str run, uint64_t sequence, uint64_t fence,
                         uint64_t lease, weir_buffer bytes, weir_buffer rows,
                         const weir_run_record *record, weir__append_done *done, void *arg) {
    weir__append *a = weir_alloc(sizeof *a);
    *a = (weir__append){.run = {weir_str_dup(run), run.length},
                        .sequence = sequence,
                        .fence = fence,
                        .lease = lease,
                        .bytes = bytes,
                        .rows = rows,
                        .has_record = record,
                        .done = done,
                        .arg = arg};
    if (record) a->record = weir__record_copy(record);
    enqueue(w, a);
}

bool weir__writer_flush(weir__writer *w, uint64_t timeout_us) {
    struct timespec until = time_of(weir_clock_steady_us() + timeout_us);
    int status = 0;
    while (w->by_hand && w->waiting.first) (void)weir__writer_turn(w);
    pthread_mutex_lock(&w->lock);
    while ((w->waiting.first || w->busy) && status == 0)
        status = pthread_cond_timedwait(&w->idle, &w->lock, &until);
    bool done = !w->waiting.first && !w->busy;
    pthread_mutex_unlock(&w->lock);
    return done;
}

void weir__writer_forgive(weir__writer *w, weir_str run) {
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->refused.count; i++) {
        if (!weir_str_is(run, w->refused.items[i].run)) continue;
        weir_free(w->refused.items[i].run);
        w->refused.items[i] = w->refused.items[--w->refused.count];
        break;
    }
    pthread_mutex_unlock(&w->lock);
}

bool weir__writer_has_started(const weir__writer *w) {
    return w->used || w->started;
}

void weir__writer_close(weir__writer *w) {
    weir_assert(!w->delivering);
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
    if (w->started && !w->by_hand)
        pthread_join(w->thread, NULL);
    else
        while (weir__writer_turn(w)) continue;
    if (w->class->seize) weir_loop_unwatch(w->loop, w);
    deliver(w);
    weir_assert(!w->waiting.first && !w->written.first);
    w->closed = true;
    /* What is posted still points here, and frees it. */
    if (!w->posted) writer_free(w);
}

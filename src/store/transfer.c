/* Runs from one store into another: all that journals and records say, results, registers (schedules are some), and what tasks took. Other tables that are derived are not: they follow from the
 * journals. */
#include "store/history.h"
#include "store/memo.h"
#include "store/refer.h"
#include "store/register.h"
#include "store/store_internal.h"

enum { WAITING_BYTES_MAX = 8 * 1024 * 1024, TRIES = 10 };

typedef struct transfer {
    weir_store *from, *to;
    weir_loop *loop;
    weir__snapshot_progress *progress;
    void *arg;
    WEIR_VECTOR(weir__record) records;
    weir__record now; /* of the run that is copied */
    uint64_t sequence, waiting, waiting_bytes;
    weir_error failure; /* of an append */
    bool failed;
} transfer;

static bool note_record(void *arg, const weir_run_record *record) {
    *weir_vector_push(&((transfer *)arg)->records) = weir__record_copy(record);
    return true;
}

static void note_appended(void *arg, const weir_error *error) {
    transfer *t = arg;
    t->waiting--;
    if (error && !t->failed) t->failure = *error;
    t->failed |= error != NULL;
}

static void settle(transfer *t) {
    while (t->waiting) weir_loop_once(t->loop, true);
    t->waiting_bytes = 0;
}

/* The record goes with the first batch, and once more when all is there. */
static bool append(transfer *t, uint64_t sequence, weir_str bytes, const weir_run_record *record) {
    weir_buffer copy = {0};
    weir_buffer_append(&copy, bytes.data, bytes.length);
    t->sequence = sequence;
    t->waiting++;
    t->waiting_bytes += bytes.length;
    weir_store_append(t->to, t->now.record.id, sequence, copy, (weir_buffer){0}, record,
                      note_appended, t);
    if (t->waiting_bytes > WAITING_BYTES_MAX) settle(t);
    return !t->failed;
}

static bool copy_batch(void *arg, uint64_t sequence, weir_str bytes) {
    transfer *t = arg;
    return append(t, sequence, bytes, t->sequence ? NULL : &t->now.record);
}

static bool copy_batches(transfer *t, weir_error *error) {
    if (!weir_store_read(t->from, t->now.record.id, t->sequence + 1, copy_batch, t, error))
        return false;
    settle(t);
    if (t->failed && error) *error = t->failure;
    return !t->failed;
}

static void note_newer(void *arg, const weir_run_record *record) {
    transfer *t = arg;
    weir_free(t->now.memory);
    t->now = weir__record_copy(record);
}

/* All that there is of it now. Of a run without end the beginning may be left out between two looks: then it is copied anew. */
static bool copy_journal(transfer *t, weir_error *error) {
    weir_error problem = {0};
    for (int i = 0; i < TRIES; i++) {
        if (copy_batches(t, &problem)) return true;
        if (t->failed || problem.code != WEIR_CONFLICT || !t->sequence) break;
        settle(t);
        if (t->failed || !weir_store_cut(t->to, 1, &t->now.record, &problem)) break;
        t->sequence = 0;
    }
    if (error) *error = t->failed ? t->failure : problem;
    return false;
}

static bool copy_reference(void *arg, const weir_reference *reference) {
    transfer *t = arg;
    t->waiting++;
    weir_store_refer(t->to, reference, 1, weir_clock_us(), note_appended, t);
    return !t->failed;
}

/* Which large values its journal refers to. */
static bool copy_references(transfer *t, weir_error *error) {
    bool ok =
        weir_store_references(t->from, t->now.record.id, WEIR_STR(""), copy_reference, t, error);
    settle(t);
    if (ok && t->failed && error) *error = t->failure;
    return ok && !t->failed;
}

/* A run that goes on meanwhile: what its record says by then, its journal has too, so what came with it is read as well. One that
 * is deleted meanwhile stays as far as it was read. */
static bool copy_run(transfer *t, weir_error *error) {
    weir_error problem;
    t->sequence = 0;
    if (!copy_journal(t, error)) return false;
    if (!t->sequence) return true;
    char *id = weir_str_dup(t->now.record.id);
    bool there = weir_store_find(t->from, weir_str_from(id), note_newer, t, &problem);
    weir_free(id);
    if (!there && problem.code != WEIR_NOT_FOUND) {
        if (error) *error = problem;
        return false;
    }
    return copy_journal(t, error) && copy_references(t, error) &&
           weir_store_cut(t->to, t->sequence + 1, &t->now.record, error);
}

static void note_put(void *arg, const weir_memo_entry *entry, bool written) {
    (void)entry, (void)written; /* what cannot be kept is made again */
    ((transfer *)arg)->waiting--;
}

static bool copy_result(void *arg, const weir_memo_entry *entry) {
    transfer *t = arg;
    t->waiting++;
    weir_store_memo_put(t->to, entry, 0, note_put, t);
    return true;
}

enum { KEYS_AT_ONCE = 64 };

typedef struct keys {
    WEIR_VECTOR(char *) items;
} keys;

static bool note_key(void *arg, const weir_memo_entry *entry) {
    *weir_vector_push(&((keys *)arg)->items) = weir_str_dup(entry->key);
    return true;
}

/* Lists have no values: those are asked for by key. */
static bool copy_results(transfer *t, weir_error *error) {
    keys all = {0};
    bool ok = weir_store_memo_list(t->from, &(weir_memo_filter){.limit = 0}, note_key, &all, error);
    for (size_t at = 0; ok && at < all.items.count; at += KEYS_AT_ONCE) {
        weir_str some[KEYS_AT_ONCE];
        size_t count = 0;
        for (; count < KEYS_AT_ONCE && at + count < all.items.count; count++)
            some[count] = weir_str_from(all.items.items[at + count]);
        ok = weir_store_memo_find(t->from, some, count, copy_result, t, error);
        settle(t);
    }
    for (size_t i = 0; i < all.items.count; i++) weir_free(all.items.items[i]);
    weir_vector_deinit(&all.items);
    return ok;
}

static bool copy_register(void *arg, weir_str key, weir_str value, uint64_t version) {
    transfer *t = arg;
    bool written;
    (void)version;
    t->failed = !weir_store_register_put(t->to, key, value, 0, &written, &t->failure);
    return !t->failed;
}

/* Before the runs: a run that a schedule began meanwhile is then there, rather than noted and missing. */
static bool copy_registers(transfer *t, weir_error *error) {
    bool ok = weir_store_register_list(t->from, WEIR_STR(""), copy_register, t, error);
    if (ok && t->failed && error) *error = t->failure;
    return ok && !t->failed;
}

enum { SAMPLES_AT_ONCE = 4096 };

typedef struct samples {
    transfer *transfer;
    WEIR_VECTOR(weir_history_sample) items;
    weir_arena texts;
} samples;

static bool put_samples(samples *s) {
    transfer *t = s->transfer;
    t->failed = !weir_store_history_put(t->to, s->items.items, s->items.count, &t->failure);
    s->items.count = 0;
    weir_arena_deinit(&s->texts);
    s->texts = (weir_arena){0};
    return !t->failed;
}

static bool copy_sample(void *arg, const weir_history_sample *sample) {
    samples *s = arg;
    weir_history_sample kept = *sample;
    weir_str *const texts[] = {&kept.run, &kept.operation, &kept.name};
    for (size_t i = 0; i < 3; i++) texts[i]->data = weir_str_copy(&s->texts, *texts[i]);
    *weir_vector_push(&s->items) = kept;
    return s->items.count < SAMPLES_AT_ONCE || put_samples(s);
}

static bool copy_history(transfer *t, weir_error *error) {
    samples s = {.transfer = t};
    bool ok = weir_store_history(t->from, NULL, 0, copy_sample, &s, error);
    ok = ok && !t->failed && put_samples(&s);
    if (t->failed && error) *error = t->failure;
    weir_vector_deinit(&s.items);
    weir_arena_deinit(&s.texts);
    return ok;
}

bool weir_store_transfer(weir_loop *loop, weir_store *from, weir_store *to,
                         bool (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
                         weir_error *error) {
    transfer t = {.from = from, .to = to, .loop = loop};
    const weir_selection all = {.oldest_first = true};
    bool ok = copy_registers(&t, error) && weir_store_select(from, &all, note_record, &t, error);
    for (size_t i = 0; i < t.records.count; i++) {
        t.now = t.records.items[i];
        ok = ok && copy_run(&t, error);
        weir_free(t.now.memory);
        if (ok && progress && !progress(arg, i + 1, t.records.count))
            ok = weir_fail(error, WEIR_CANCELLED, "it was ended before all was copied");
    }
    settle(&t); /* also after an error: what was given is on its way */
    ok = ok && copy_results(&t, error) && copy_history(&t, error);
    weir_vector_deinit(&t.records);
    return ok;
}

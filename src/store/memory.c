#include "base/map.h"
#include "store/store_internal.h"

typedef struct stream {
    weir_str run;       /* owned */
    weir_error failure; /* why its appends are refused; code OK: they are not */
    WEIR_VECTOR(weir_buffer) batches;
} stream;

typedef struct memory_store {
    weir_store store;
    weir_map streams_by_run;
    WEIR_VECTOR(stream) streams;
    /* In the order they came. A store in memory sees few runs: no index. */
    WEIR_VECTOR(weir__record) records;
    weir__memo_table memos;
} memory_store;

static stream *stream_of(memory_store *m, weir_str run) {
    uint64_t index;
    if (weir_map_get(&m->streams_by_run, run, &index)) return &m->streams.items[index];
    stream *s = weir_vector_push(&m->streams);
    *s = (stream){.run = {weir_str_dup(run), run.length}};
    weir_map_set(&m->streams_by_run, s->run, m->streams.count - 1);
    return s;
}

/* The record with this id; the one with this name in *named. */
static weir__record *record_of(memory_store *m, weir_str id, weir_str name, weir__record **named) {
    weir__record *found = NULL;
    *named = NULL;
    for (size_t i = 0; i < m->records.count; i++) {
        weir__record *r = &m->records.items[i];
        if (weir_str_equal(r->record.id, id)) found = r;
        if (weir_str_equal(r->record.name, name)) *named = r;
    }
    return found;
}

static bool record_put(memory_store *m, const weir_run_record *record, weir_error *error) {
    weir__record *named, *old = record_of(m, record->id, record->name, &named);
    if (named && named != old) return weir__store_name_taken(record->name, error);
    weir__record copy = weir__record_copy(record);
    if (old) {
        copy.record.created_us = old->record.created_us;
        weir_free(old->memory);
        *old = copy;
        return true;
    }
    *weir_vector_push(&m->records) = copy;
    return true;
}

static void memory_append(weir_store *store, weir_str run, uint64_t sequence, weir_buffer bytes,
                          const weir_run_record *record, weir__append_done *done, void *arg) {
    memory_store *m = (memory_store *)store;
    stream *s = stream_of(m, run);
    weir_error *failure = &s->failure;
    if (!failure->code) {
        weir_assert(sequence <= s->batches.count + 1);
        bool ok = sequence > s->batches.count ? !record || record_put(m, record, failure)
                                              : weir__store_batch_taken(run, sequence, failure);
        if (ok) {
            *weir_vector_push(&s->batches) = bytes;
            done(arg, NULL);
            return;
        }
    }
    weir_buffer_deinit(&bytes);
    weir_error why = *failure; /* the streams may move */
    done(arg, &why);
}

static bool memory_own(weir_store *store, weir_str run, weir_error *error) {
    (void)error;
    stream_of((memory_store *)store, run)->failure.code = WEIR_OK;
    return true;
}

static bool memory_read(weir_store *store, weir_str run, uint64_t from, weir__batch_visit *visit,
                        void *arg, weir_error *error) {
    (void)error;
    memory_store *m = (memory_store *)store;
    uint64_t index;
    if (!weir_map_get(&m->streams_by_run, run, &index)) return true;
    /* The visitor may append: streams and batches may move. */
    for (uint64_t i = from ? from : 1; i <= m->streams.items[index].batches.count; i++)
        if (!visit(arg, i, weir_buffer_str(&m->streams.items[index].batches.items[i - 1]))) break;
    return true;
}

static bool memory_list(weir_store *store, size_t limit, weir__record_visit *visit, void *arg,
                        weir_error *error) {
    (void)error;
    memory_store *m = (memory_store *)store;
    size_t count = m->records.count, last = limit && limit < count ? count - limit : 0;
    for (size_t i = count; i > last; i--)
        if (!visit(arg, &m->records.items[i - 1].record)) break;
    return true;
}

static bool memory_find(weir_store *store, weir_str run, weir__record_visit *visit, void *arg,
                        weir_error *error) {
    (void)error;
    weir__record *named, *with_id = record_of((memory_store *)store, run, run, &named);
    if (named || with_id) visit(arg, named ? &named->record : &with_id->record);
    return true;
}

static void memory_close(weir_store *store) {
    memory_store *m = (memory_store *)store;
    for (size_t i = 0; i < m->streams.count; i++) {
        stream *s = &m->streams.items[i];
        for (size_t j = 0; j < s->batches.count; j++) weir_buffer_deinit(&s->batches.items[j]);
        weir_vector_deinit(&s->batches);
        weir_free((char *)(uintptr_t)s->run.data);
    }
    for (size_t i = 0; i < m->records.count; i++) weir_free(m->records.items[i].memory);
    weir_vector_deinit(&m->streams);
    weir_vector_deinit(&m->records);
    weir_map_deinit(&m->streams_by_run);
    weir__memo_table_deinit(&m->memos);
    weir_free(m);
}

static bool memory_check(weir_store *store, weir_error *error) {
    (void)store, (void)error;
    return true; /* memory has no pages that could be damaged */
}

static bool memory_memo_find(weir_store *store, const weir_str *keys, size_t count,
                             weir_memo_visit *visit, void *arg, weir_error *error) {
    (void)error;
    weir__memo_table_find(&((memory_store *)store)->memos, keys, count, visit, arg);
    return true;
}

static void memory_memo_put(weir_store *store, weir__memo_put *put) {
    weir__memo_table_put(&((memory_store *)store)->memos, put);
    weir__memo_put_done(put, NULL);
}

static bool memory_memo_list(weir_store *store, const weir_memo_filter *filter,
                             weir_memo_visit *visit, void *arg, weir_error *error) {
    (void)error;
    weir__memo_table_list(&((memory_store *)store)->memos, filter, visit, arg);
    return true;
}

static bool memory_memo_remove(weir_store *store, const weir_memo_entry *entries, size_t count,
                               weir_error *error) {
    (void)error;
    weir__memo_table_remove(&((memory_store *)store)->memos, entries, count);
    return true;
}

weir_store *weir__store_memory_new(void) {
    static const weir__store_kind kind = {.close = memory_close,
                                          .append = memory_append,
                                          .read = memory_read,
                                          .list = memory_list,
                                          .find = memory_find,
                                          .check = memory_check,
                                          .own = memory_own,
                                          .memo_find = memory_memo_find,
                                          .memo_put = memory_memo_put,
                                          .memo_list = memory_memo_list,
                                          .memo_remove = memory_memo_remove};
    memory_store *m = weir_alloc(sizeof *m);
    m->store.kind = &kind;
    return &m->store;
}

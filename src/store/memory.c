#include <stdlib.h>

#include "base/map.h"
#include "data/json.h"
#include "store/store_internal.h"

typedef struct stream {
    weir_str run;       /* owned */
    weir_error failure; /* why its appends are refused; code OK: they are not */
    uint64_t before; /* how many of the first batches a summary stands for, beside its own place */
    WEIR_VECTOR(weir_buffer) batches;
} stream;

typedef struct held_register {
    char *key;
    weir_buffer value;
    uint64_t version;
} held_register;

typedef struct memory_store {
    weir_store store;
    weir_map streams_by_run;
    WEIR_VECTOR(stream) streams;
    /* In the order they came. A store in memory sees few runs: no index. */
    WEIR_VECTOR(weir__record) records;
    uint64_t numbers; /* given to records */
    uint64_t version; /* of what was written */
    weir__memo_table memos;
    WEIR_VECTOR(held_register) registers; /* few */
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
    weir_run_record put = *record;
    if (old) put.labels = old->record.labels;
    weir__record copy = weir__record_copy(&put);
    if (old) {
        copy.record.created_us = old->record.created_us;
        copy.record.number = old->record.number;
        weir_free(old->memory);
        *old = copy;
        return true;
    }
    copy.record.number = ++m->numbers;
    *weir_vector_push(&m->records) = copy;
    return true;
}

static void memory_append(weir_store *store, weir_str run, uint64_t sequence, weir_buffer bytes,
                          weir_buffer rows, const weir_run_record *record, weir__append_done *done,
                          void *arg) {
    memory_store *m = (memory_store *)store;
    weir_buffer_deinit(&rows);
    stream *s = stream_of(m, run);
    weir_error *failure = &s->failure;
    if (!failure->code) {
        weir_assert(sequence <= s->batches.count + 1);
        bool ok = sequence > s->batches.count ? !record || record_put(m, record, failure)
                                              : weir__store_batch_taken(run, sequence, failure);
        if (ok) {
            *weir_vector_push(&s->batches) = bytes;
            m->version++;
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
    memory_store *m = (memory_store *)store;
    uint64_t index;
    if (!weir_map_get(&m->streams_by_run, run, &index)) return true;
    uint64_t first = m->streams.items[index].before + 1;
    if (first > 1 && from > 1 && from <= first) return weir__store_shortened(run, from, error);
    /* The visitor may append: streams and batches may move. */
    for (uint64_t i = from > first ? from : first; i <= m->streams.items[index].batches.count; i++)
        if (!visit(arg, i, weir_buffer_str(&m->streams.items[index].batches.items[i - 1]))) break;
    return true;
}

/* --- selections ----------------------------------------------------------------------------- */

static bool has_label(const weir_value *labels, const weir_label_term *term) {
    const weir_value *value = weir_is(labels, WEIR_OBJECT) ? weir_member(labels, term->key) : NULL;
    switch (term->how) {
    case WEIR_LABEL_IS: return value && weir_str_equal(weir_string_get(value), term->value);
    case WEIR_LABEL_IS_NOT: return !value || !weir_str_equal(weir_string_get(value), term->value);
    case WEIR_LABEL_HAS: return value;
    case WEIR_LABEL_HAS_NOT: return !value;
    }
    return false;
}

static bool has_labels(const weir_selection *s, weir_str text) {
    weir_value *labels = NULL;
    if (!s->label_count) return true;
    if (!text.length || !weir_json_parse(text, WEIR_STR(""), &labels, NULL)) labels = NULL;
    bool all = true;
    for (size_t i = 0; all && i < s->label_count; i++) all = has_label(labels, &s->labels[i]);
    weir_value_unref(labels);
    return all;
}

static bool has_phase(const weir_selection *s, weir_str phase) {
    for (size_t i = 0; i < s->phase_count; i++)
        if (weir_str_equal(s->phases[i], phase)) return true;
    return !s->phase_count;
}

static bool has_file(const weir_selection *s, weir_str file) {
    bool part = s->file.length && !memchr(s->file.data, '/', s->file.length);
    size_t from = file.length;
    while (part && from && file.data[from - 1] != '/') from--;
    return !s->file.length ||
           weir_pattern_matches(s->file, part ? weir_str_slice(file, from, file.length) : file);
}

static bool is_selected(const weir_selection *s, const weir_run_record *r) {
    bool behind = !s->after || (s->oldest_first ? r->number > s->after : r->number < s->after);
    return behind && has_phase(s, r->phase) &&
           (!s->kind.length || weir_str_equal(s->kind, r->kind)) &&
           (!s->name.length || weir_pattern_matches(s->name, r->name)) && has_file(s, r->file) &&
           (!s->by_parent || weir_str_equal(s->parent, r->parent)) &&
           (!s->since_us || r->created_us >= s->since_us) &&
           (!s->until_us || r->created_us <= s->until_us) && has_labels(s, r->labels);
}

static bool memory_select(weir_store *store, const weir_selection *s, weir__record_visit *visit,
                          void *arg, weir_error *error) {
    (void)error;
    memory_store *m = (memory_store *)store;
    size_t count = m->records.count, left = s->limit ? s->limit : SIZE_MAX;
    for (size_t i = 0; i < count && left; i++) {
        size_t at = s->oldest_first ? i : count - 1 - i;
        const weir_run_record *record = &m->records.items[at].record;
        if (!is_selected(s, record)) continue;
        left--;
        if (!visit(arg, record)) break;
    }
    return true;
}

static bool memory_names(weir_store *store, const weir_str *names, size_t count, bool *taken,
                         weir_error *error) {
    (void)error;
    const memory_store *m = (memory_store *)store;
    for (size_t i = 0; i < m->records.count; i++)
        weir__store_mark_name(names, count, m->records.items[i].record.name, taken);
    return true;
}

static bool memory_find(weir_store *store, weir_str run, weir__record_visit *visit, void *arg,
                        weir_error *error) {
    (void)error;
    weir__record *named, *with_id = record_of((memory_store *)store, run, run, &named);
    if (named || with_id) visit(arg, named ? &named->record : &with_id->record);
    return true;
}

static bool memory_streams(weir_store *store, weir__stream_visit *visit, void *arg,
                           weir_error *error) {
    (void)error;
    memory_store *m = (memory_store *)store;
    for (size_t i = 0; i < m->streams.count; i++)
        if (m->streams.items[i].batches.count && !visit(arg, m->streams.items[i].run)) break;
    return true;
}

static bool memory_inspect(weir_store *store, weir_str run, weir__inspect_visit *visit, void *arg,
                           weir_error *error) {
    (void)error;
    const stream *s = stream_of((memory_store *)store, run);
    for (size_t i = s->before; i < s->batches.count; i++)
        if (!visit(arg, i + 1, weir_buffer_str(&s->batches.items[i]), NULL)) break;
    return true;
}

static bool memory_shorten(weir_store *store, weir_str run, uint64_t sequence, weir_str summary,
                           const uint32_t *contexts, size_t count, weir_error *error) {
    (void)contexts, (void)count, (void)error; /* it has no tables */
    stream *s = stream_of((memory_store *)store, run);
    for (uint64_t i = s->before; i < sequence; i++) weir_buffer_deinit(&s->batches.items[i]);
    weir_buffer_str_append(&s->batches.items[sequence - 1], summary);
    s->before = sequence - 1;
    return true;
}

static bool memory_cut(weir_store *store, uint64_t from, const weir_run_record *record,
                       weir_error *error) {
    memory_store *m = (memory_store *)store;
    stream *s = stream_of(m, record->id);
    if (!record_put(m, record, error)) return false;
    m->version++;
    while (s->batches.count >= from) weir_buffer_deinit(&s->batches.items[--s->batches.count]);
    return true;
}

static uint64_t memory_version(weir_store *store) {
    return ((memory_store *)store)->version + 1;
}

/* --- ends ----------------------------------------------------------------------------------- */

/* The stream stays, empty: the map's numbers are those of the streams. */
static void empty(stream *s) {
    for (size_t i = 0; i < s->batches.count; i++) weir_buffer_deinit(&s->batches.items[i]);
    weir_vector_deinit(&s->batches);
}

static bool memory_delete(weir_store *store, const weir_str *runs, size_t count,
                          weir_error *error) {
    (void)error;
    memory_store *m = (memory_store *)store;
    m->version++;
    for (size_t i = 0; i < count; i++) {
        uint64_t index;
        if (weir_map_get(&m->streams_by_run, runs[i], &index)) empty(&m->streams.items[index]);
        size_t to = 0;
        for (size_t from = 0; from < m->records.count; from++) {
            weir__record *r = &m->records.items[from];
            if (weir_str_equal(r->record.id, runs[i]))
                weir_free(r->memory);
            else
                m->records.items[to++] = *r;
        }
        m->records.count = to;
        weir__memo_table_forget_run(&m->memos, runs[i]);
    }
    return true;
}

/* --- keeping house -------------------------------------------------------------------------- */

static uint64_t stream_bytes(const stream *s) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->batches.count; i++) bytes += s->batches.items[i].length;
    return bytes;
}

static bool memory_measure(weir_store *store, weir_store_size *out, weir_error *error) {
    (void)error;
    const memory_store *m = (memory_store *)store;
    *out = (weir_store_size){0};
    for (size_t i = 0; i < m->streams.count; i++) out->bytes += stream_bytes(&m->streams.items[i]);
    return true;
}

static bool memory_measure_run(weir_store *store, weir_str run, uint64_t *bytes,
                               weir_error *error) {
    (void)error;
    memory_store *m = (memory_store *)store;
    uint64_t index;
    *bytes =
        weir_map_get(&m->streams_by_run, run, &index) ? stream_bytes(&m->streams.items[index]) : 0;
    return true;
}

static bool memory_keep(weir_store *store, weir_str run, bool keep, weir_error *error) {
    (void)error;
    memory_store *m = (memory_store *)store;
    weir__record *named, *r = record_of(m, run, run, &named);
    if (!r) return true;
    weir_value *labels = NULL, *left = weir_object_new();
    weir_buffer text = {0};
    if (!r->record.labels.length || !weir_json_parse(r->record.labels, WEIR_STR(""), &labels, NULL))
        labels = weir_object_new();
    for (size_t i = 0; i < weir_value_count(labels); i++)
        if (!weir_str_is(weir_object_key(labels, i), "keep"))
            weir_member_set(left, weir_object_key(labels, i),
                            weir_value_ref(weir_object_at(labels, i)));
    if (keep) weir_member_put_text(left, "keep", WEIR_STR("true"));
    if (weir_value_count(left)) weir_json_format(left, 0, &text);
    weir_run_record record = r->record;
    record.labels = weir_buffer_str(&text);
    weir__record copy = weir__record_copy(&record);
    weir_free(r->memory);
    *r = copy;
    m->version++;
    weir_buffer_deinit(&text);
    weir_value_unref(labels);
    weir_value_unref(left);
    return true;
}

static void memory_close(weir_store *store) {
    memory_store *m = (memory_store *)store;
    for (size_t i = 0; i < m->streams.count; i++) {
        stream *s = &m->streams.items[i];
        empty(s);
        weir_free((char *)(uintptr_t)s->run.data);
    }
    for (size_t i = 0; i < m->records.count; i++) weir_free(m->records.items[i].memory);
    weir_vector_deinit(&m->streams);
    weir_vector_deinit(&m->records);
    weir_map_deinit(&m->streams_by_run);
    for (size_t i = 0; i < m->registers.count; i++) {
        weir_free(m->registers.items[i].key);
        weir_buffer_deinit(&m->registers.items[i].value);
    }
    weir_vector_deinit(&m->registers);
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

static held_register *register_of(memory_store *m, weir_str key) {
    for (size_t i = 0; i < m->registers.count; i++)
        if (weir_str_is(key, m->registers.items[i].key)) return &m->registers.items[i];
    return NULL;
}

static bool memory_register_get(weir_store *store, weir_str key, weir_buffer *value,
                                uint64_t *version, weir_error *error) {
    const held_register *held = register_of((memory_store *)store, key);
    (void)error;
    *version = held ? held->version : 0;
    if (held) weir_buffer_str_append(value, weir_buffer_str(&held->value));
    return true;
}

static bool memory_register_put(weir_store *store, weir_str key, weir_str value, uint64_t version,
                                bool *written, weir_error *error) {
    memory_store *m = (memory_store *)store;
    held_register *held = register_of(m, key);
    (void)error;
    *written = version == (held ? held->version : 0);
    if (!*written) return true;
    if (!held) {
        held = weir_vector_push(&m->registers);
        *held = (held_register){.key = weir_str_dup(key)};
    }
    weir_buffer_clear(&held->value);
    weir_buffer_str_append(&held->value, value);
    held->version++;
    m->version++;
    return true;
}

static int compare_registers(const void *a, const void *b) {
    return strcmp(((const held_register *)a)->key, ((const held_register *)b)->key);
}

static bool memory_register_list(weir_store *store, weir_str prefix, weir_register_visit *visit,
                                 void *arg, weir_error *error) {
    memory_store *m = (memory_store *)store;
    (void)error;
    if (m->registers.count)
        qsort(m->registers.items, m->registers.count, sizeof *m->registers.items,
              compare_registers);
    for (size_t i = 0; i < m->registers.count; i++) {
        const held_register *held = &m->registers.items[i];
        weir_str key = weir_str_from(held->key);
        if (weir_str_starts(key, prefix) &&
            !visit(arg, key, weir_buffer_str(&held->value), held->version))
            break;
    }
    return true;
}

static bool memory_register_remove(weir_store *store, weir_str key, uint64_t version, bool *removed,
                                   weir_error *error) {
    memory_store *m = (memory_store *)store;
    held_register *held = register_of(m, key);
    (void)error;
    *removed = held && held->version == version;
    if (!*removed) return true;
    weir_free(held->key);
    weir_buffer_deinit(&held->value);
    *held = m->registers.items[--m->registers.count];
    m->version++;
    return true;
}

weir_store *weir__store_memory_new(void) {
    static const weir__store_kind kind = {.close = memory_close,
                                          .append = memory_append,
                                          .read = memory_read,
                                          .select = memory_select,
                                          .version = memory_version,
                                          .remove = memory_delete,
                                          .measure = memory_measure,
                                          .measure_run = memory_measure_run,
                                          .keep = memory_keep,
                                          .find = memory_find,
                                          .names = memory_names,
                                          .check = memory_check,
                                          .streams = memory_streams,
                                          .inspect = memory_inspect,
                                          .cut = memory_cut,
                                          .shorten = memory_shorten,
                                          .own = memory_own,
                                          .register_get = memory_register_get,
                                          .register_put = memory_register_put,
                                          .register_list = memory_register_list,
                                          .register_remove = memory_register_remove,
                                          .memo_find = memory_memo_find,
                                          .memo_put = memory_memo_put,
                                          .memo_list = memory_memo_list,
                                          .memo_remove = memory_memo_remove};
    memory_store *m = weir_alloc(sizeof *m);
    m->store.kind = &kind;
    return &m->store;
}

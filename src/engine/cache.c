/* The cache of results for weir.h: what is in it, and removing from it. */
#include "engine/memo_internal.h"

enum { PAGE_MAX = 10000 };

/* The texts are the value's. */
static weir_memo_filter read_filter(const weir_value *value) {
    return (weir_memo_filter){.key = weir_member_text(value, "key"),
                              .cache = weir_member_text(value, "cache"),
                              .operation = weir_member_text(value, "operation"),
                              .before_us = weir_member_count(value, "before"),
                              .limit = weir_member_count(value, "limit")};
}

static void put_number(weir_value *value, const char *name, uint64_t number) {
    weir_member_put(value, name, weir_int_new(number > INT64_MAX ? INT64_MAX : (int64_t)number));
}

static weir_value *entry_to_value(const weir_memo_entry *entry) {
    weir_value *value = weir_object_new();
    weir_member_put_text(value, "key", entry->key);
    weir_member_put_text(value, "operation", entry->operation);
    weir_member_put_text(value, "instance", entry->instance);
    if (entry->cache.length) weir_member_put_text(value, "cache", entry->cache);
    if (entry->run.length) weir_member_put_text(value, "run", entry->run);
    put_number(value, "task", entry->task);
    put_number(value, "created", entry->created_us);
    put_number(value, "size", entry->size);
    if (entry->blob.length) weir_member_put_text(value, "blob", entry->blob);
    return value;
}

typedef struct visiting {
    bool (*visit)(void *arg, const weir_value *entry);
    void *arg;
} visiting;

static bool visit_entry(void *arg, const weir_memo_entry *entry) {
    const visiting *v = arg;
    weir_value *value = entry_to_value(entry);
    bool more = v->visit(v->arg, value);
    weir_value_unref(value);
    return more;
}

bool weir_list_cache(weir_engine *engine, const weir_value *filter,
                     bool (*visit)(void *arg, const weir_value *entry), void *arg,
                     weir_error *error) {
    weir_memo_filter wanted = read_filter(filter);
    visiting v = {visit, arg};
    return weir_store_memo_list(engine->store, &wanted, visit_entry, &v, error);
}

/* --- one entry -------------------------------------------------------------------------------- */

typedef struct showing {
    weir_engine *engine;
    weir_value *outputs;
    weir_memo_copy found;
    size_t count;
    bool ended;
} showing;

static bool note_entry(void *arg, const weir_memo_entry *entry) {
    showing *s = arg;
    if (s->count++) return false;
    s->found = weir_memo_copy_of(entry);
    return true;
}

static bool take_value(void *arg, const weir_memo_entry *entry) {
    showing *s = arg;
    weir_free(s->found.memory);
    s->found = weir_memo_copy_of(entry);
    return false;
}

static void take_bytes(void *arg, const weir_str *value) {
    showing *s = arg;
    size_t offset = 0;
    weir_error ignored;
    if (value && !weir_value_decode(*value, &offset, &s->outputs, &ignored)) s->outputs = NULL;
    s->ended = true;
}

static bool read_value(showing *s, weir_error *error) {
    const weir_memo_entry *entry = &s->found.entry;
    if (entry->blob.length) {
        if (!weir__memos_of(s->engine, error)) return false;
        weir__memo_fetch(s->engine, entry, take_bytes, s);
        while (!s->ended) weir_loop_once(s->engine->loop, true);
    } else {
        take_bytes(s, &entry->value);
    }
    if (s->outputs) return true;
    weir_fail(error, WEIR_STORE, "the value of %.*s is not there any more, or damaged",
              WEIR_ARG(entry->key));
    weir_error_hint(error, "`weir cache clear %.*s` removes the entry", WEIR_ARG(entry->key));
    return false;
}

bool weir_show_cache(weir_engine *engine, const char *key, weir_value **out, weir_error *error) {
    showing s = {.engine = engine};
    weir_memo_filter filter = {.key = weir_str_from(key), .limit = 2};
    if (!filter.key.length || !weir_store_memo_list(engine->store, &filter, note_entry, &s, error))
        return filter.key.length ? false : weir_fail(error, WEIR_USAGE, "which key?");
    bool ok = s.count == 1;
    if (!s.count) {
        weir_fail(error, WEIR_NOT_FOUND, "there is no entry whose key begins with `%.100s`", key);
        weir_error_hint(error, "`weir cache list` shows the entries");
    } else if (!ok) {
        weir_fail(error, WEIR_USAGE, "several keys begin with `%.100s`", key);
        weir_error_hint(error, "write more of it");
    }
    weir_memo_copy listed = s.found; /* its key has to outlive the asking */
    if (ok) {
        s.found = weir_memo_copy_of(&listed.entry);
        ok = weir_store_memo_find(engine->store, &listed.entry.key, 1, take_value, &s, error) &&
             read_value(&s, error);
        if (ok) {
            *out = entry_to_value(&s.found.entry);
            weir_member_put(*out, "outputs", s.outputs);
            if (engine->secrets.count) *out = weir_secrets_mask_value(&engine->secrets, *out);
        }
        weir_free(s.found.memory);
    }
    weir_free(listed.memory);
    return ok;
}

/* --- clearing --------------------------------------------------------------------------------- */

typedef struct page {
    WEIR_VECTOR(weir_memo_copy) entries;
    bool blobs;
} page;

static bool add_entry(void *arg, const weir_memo_entry *entry) {
    page *p = arg;
    *weir_vector_push(&p->entries) = weir_memo_copy_of(entry);
    p->blobs |= entry->blob.length > 0;
    return true;
}

/* References before entries: what a crash in between leaves is an entry whose blob may go, which is missed. */
static bool clear_page(weir_engine *engine, const page *p, weir_error *error) {
    size_t count = p->entries.count;
    if (p->blobs && !weir__memos_of(engine, error)) return false;
    for (size_t i = 0; p->blobs && i < count; i++) {
        const weir_memo_entry *entry = &p->entries.items[i].entry;
        weir__memo_release(engine, entry->key, entry->blob);
    }
    weir__memo_end_jobs(engine);
    weir_memo_entry *entries = weir_alloc(count * sizeof *entries);
    for (size_t i = 0; i < count; i++) entries[i] = p->entries.items[i].entry;
    bool ok = weir_store_memo_remove(engine->store, entries, count, error);
    weir_free(entries);
    return ok;
}

bool weir_clear_cache(weir_engine *engine, const weir_value *filter, weir_value **out,
                      weir_error *error) {
    weir_memo_filter wanted = read_filter(filter);
    uint64_t cleared = 0, bytes = 0;
    bool ok = true, more = true;
    wanted.limit = PAGE_MAX;
    while (ok && more) {
        page p = {.blobs = false};
        ok = weir_store_memo_list(engine->store, &wanted, add_entry, &p, error) &&
             (!p.entries.count || clear_page(engine, &p, error));
        more = p.entries.count == PAGE_MAX;
        for (size_t i = 0; i < p.entries.count; i++) {
            if (ok) bytes += p.entries.items[i].entry.size;
            weir_free(p.entries.items[i].memory);
        }
        if (ok) cleared += p.entries.count;
        weir_vector_deinit(&p.entries);
    }
    if (!ok) return false;
    *out = weir_object_new();
    put_number(*out, "entries", cleared);
    put_number(*out, "bytes", bytes);
    return true;
}

/* Results on their way into the store. */
#include <stdio.h>

#include "engine/memo_internal.h"

typedef struct kept {
    struct kept *next;
    weir_value *missed;
    weir_memo_copy copy; /* its entry; the key is that of `missed` */
} kept;

static void free_kept(kept *k) {
    weir_value_unref(k->missed);
    weir_free(k->copy.memory);
    weir_free(k);
}

/* Whether a secret was masked in it: a run without that secret would have another value. */
static bool has_mask(const weir_value *value) {
    bool array = weir_is(value, WEIR_ARRAY), object = weir_is(value, WEIR_OBJECT);
    if (weir_is(value, WEIR_STRING))
        return weir_str_find(weir_string_get(value), WEIR_STR("***"), 0) != SIZE_MAX;
    for (size_t i = 0; (array || object) && i < weir_value_count(value); i++) {
        weir_str key = object ? weir_object_key(value, i) : WEIR_STR("");
        if (weir_str_find(key, WEIR_STR("***"), 0) != SIZE_MAX ||
            has_mask(array ? weir_array_at(value, i) : weir_object_at(value, i)))
            return true;
    }
    return false;
}

static kept *keep(weir_run *run, const weir_keep *what) {
    weir_str key = weir_member_text(what->missed, "key");
    if (key.length != WEIR_MEMO_KEY_LETTERS || /* of a journal that was changed */
        (run->engine->secrets.count && has_mask(what->outputs)))
        return NULL;
    weir_buffer value = {0};
    weir_value_encode(what->outputs, &value);
    weir_memo_entry entry = {.key = key,
                             .cache = what->spec->memo->cache,
                             .operation = what->spec->operation,
                             .instance = what->spec->name,
                             .run = weir_str_from(run->id),
                             .task = what->task,
                             .created_us = weir__now_us(run->engine),
                             .size = value.length,
                             .value = weir_buffer_str(&value)};
    kept *k = weir_alloc(sizeof *k);
    *k = (kept){.missed = weir_value_ref(what->missed), .copy = weir_memo_copy_of(&entry)};
    weir_buffer_deinit(&value);
    return k;
}

weir__memo_kept *weir__memo_keep(weir_run *run, const weir_batch *batch) {
    kept *first = NULL, **last = &first;
    for (size_t i = 0; i < batch->keeps.count; i++) {
        if (!batch->keeps.items[i].outputs) continue;
        if ((*last = keep(run, &batch->keeps.items[i]))) last = &(*last)->next;
    }
    return first;
}

void weir__memo_drop(weir__memo_kept *first) {
    for (kept *next, *k = first; k; k = next) {
        next = k->next;
        free_kept(k);
    }
}

typedef struct replaced {
    weir_engine *engine;
    char blob[WEIR_BLOB_DIGEST_LENGTH + 1];
} replaced;

static void release_replaced(void *arg, const weir_memo_entry *entry, bool written) {
    replaced *r = arg;
    if (written) weir__memo_release(r->engine, entry->key, weir_str_from(r->blob));
    weir_free(r);
}

static void put_kept(weir_engine *engine, kept *k) {
    const weir_value *before = weir_member_named(k->missed, "replaces");
    uint64_t replaces = weir_is(before, WEIR_INT) ? (uint64_t)weir_int_get(before) : 0;
    weir_str old = weir_member_text(k->missed, "blob");
    if (engine->state && k->copy.entry.size > WEIR_MEMO_INLINE_BYTES_MAX) {
        weir__memo_put_large(engine, &k->copy, replaces, old);
    } else if (old.length) {
        replaced *r = weir_alloc(sizeof *r);
        r->engine = engine;
        snprintf(r->blob, sizeof r->blob, "%.*s", WEIR_ARG(old));
        weir_store_memo_put(engine->store, &k->copy.entry, replaces, release_replaced, r);
    } else {
        weir_store_memo_put(engine->store, &k->copy.entry, replaces, NULL, NULL);
    }
    free_kept(k);
}

/* --- files ------------------------------------------------------------------------------------ */

typedef struct reading {
    weir_engine *engine;
    weir_value *files;
    kept *kept;
    char content[WEIR_MEMO_KEY_LETTERS + 1];
    bool ok;
} reading;

static void read_again(void *arg) {
    reading *r = arg;
    weir_error ignored;
    r->ok = weir__memo_read_files(r->engine->memos->sha256, r->files, r->content, &ignored);
}

/* A file that changed while the work went on may have been read as it was then or as it is now. */
static void files_read_again(void *arg) {
    reading *r = arg;
    r->engine->memos->jobs--;
    if (r->ok && weir_str_is(weir_member_text(r->kept->missed, "content"), r->content))
        put_kept(r->engine, r->kept);
    else
        free_kept(r->kept);
    weir_value_unref(r->files);
    weir_free(r);
}

void weir__memo_write(weir_engine *engine, weir__memo_kept *first) {
    weir_error error;
    for (kept *next, *k = first; k; k = next) {
        next = k->next;
        weir_value *files = weir_member_named(k->missed, "files");
        if (!weir__memos_of(engine, &error)) { /* the look was another process's */
            free_kept(k);
        } else if (weir_is(files, WEIR_ARRAY)) {
            reading *r = weir_alloc(sizeof *r);
            *r = (reading){.engine = engine, .files = weir_value_ref(files), .kept = k};
            engine->memos->jobs++;
            weir_pool_run(engine->loop, read_again, files_read_again, r);
        } else {
            put_kept(engine, k);
        }
    }
}

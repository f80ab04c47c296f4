/* Large results: blobs that the entries own. */
#include <stdio.h>
#include <string.h>

#include "engine/memo_internal.h"

enum { VALUE_BYTES_MAX = 1024 * 1024 * 1024 }; /* of a blob that is taken for a result */

typedef struct job {
    weir_blob_job base; /* first */
    weir_engine *engine;
    weir_blobs *blobs;
    char owner[WEIR_BLOB_OWNER_MAX], key[WEIR_MEMO_KEY_LETTERS + 1];
    char digest[WEIR_BLOB_DIGEST_LENGTH + 1], old[WEIR_BLOB_DIGEST_LENGTH + 1];
    weir_buffer value;   /* that is fetched */
    weir_memo_copy copy; /* that is put */
    uint64_t replaces;
    void (*fetched)(void *arg, const weir_str *value);
    void *arg;
} job;

static void start(job *j, bool (*work)(void *arg, weir_error *error),
                  void (*done)(void *arg, const weir_error *error)) {
    j->base = (weir_blob_job){.work = work, .done = done, .arg = j};
    j->blobs = j->engine->blobs;
    j->engine->memos->jobs++;
    weir_blob_start(j->engine->loop, &j->base);
}

static void end(job *j) {
    j->engine->memos->jobs--;
    weir_buffer_deinit(&j->value);
    weir_free(j->copy.memory);
    weir_free(j);
}

static job *new_job(weir_engine *engine, weir_str key) {
    job *j = weir_alloc(sizeof *j);
    j->engine = engine;
    snprintf(j->key, sizeof j->key, "%.*s", WEIR_ARG(key));
    snprintf(j->owner, sizeof j->owner, WEIR__MEMO_OWNER_PREFIX "%s", j->key);
    return j;
}

/* --- fetching --------------------------------------------------------------------------------- */

static bool work_fetch(void *arg, weir_error *error) {
    job *j = arg;
    return weir_blob_read(j->blobs, weir_str_from(j->digest), VALUE_BYTES_MAX, &j->value, error);
}

static void fetch_done(void *arg, const weir_error *error) {
    job *j = arg;
    weir_str value = weir_buffer_str(&j->value);
    if (error && error->code != WEIR_NOT_FOUND) weir__memo_warn(j->engine, error);
    j->fetched(j->arg, error ? NULL : &value);
    end(j);
}

static void nothing_fetched(void *arg) {
    job *j = arg;
    j->fetched(j->arg, NULL);
    end(j);
}

void weir__memo_fetch(weir_engine *engine, const weir_memo_entry *entry,
                      void (*done)(void *arg, const weir_str *value), void *arg) {
    weir_error error;
    job *j = new_job(engine, entry->key);
    snprintf(j->digest, sizeof j->digest, "%.*s", WEIR_ARG(entry->blob));
    j->fetched = done;
    j->arg = arg;
    if (weir__blobs_open(engine, false, &error)) {
        start(j, work_fetch, fetch_done);
        return;
    }
    if (error.code != WEIR_NOT_FOUND) weir__memo_warn(engine, &error);
    engine->memos->jobs++;
    weir_loop_post(engine->loop, nothing_fetched, j);
}

/* --- putting ---------------------------------------------------------------------------------- */

static bool work_put(void *arg, weir_error *error) {
    job *j = arg;
    weir_blob blob;
    weir_str value = j->copy.entry.value;
    return weir_blob_name_bytes(value, j->digest, error) &&
           weir_blob_put_bytes(j->blobs, value, weir_str_from(j->digest), weir_str_from(j->owner),
                               &blob, error);
}

typedef struct other {
    const char *digest;
    bool same;
} other;

static bool compare(void *arg, const weir_memo_entry *entry) {
    other *o = arg;
    o->same = weir_str_is(entry->blob, o->digest);
    return false;
}

/* Whose reference is not the entry's any more is let go; an entry of the same value has the same one. */
static void put_done(void *arg, const weir_memo_entry *entry, bool written) {
    job *j = arg;
    other o = {.digest = j->digest};
    weir_error error;
    if (written && strcmp(j->old, j->digest) != 0) {
        weir__memo_release(j->engine, entry->key, weir_str_from(j->old));
    } else if (!written && !j->engine->closing &&
               weir_store_memo_find(j->engine->store, &entry->key, 1, compare, &o, &error) &&
               !o.same) {
        weir__memo_release(j->engine, entry->key, weir_str_from(j->digest));
    }
    end(j);
}

static void blob_done(void *arg, const weir_error *error) {
    job *j = arg;
    if (error) {
        weir__memo_warn(j->engine, error);
        end(j);
        return;
    }
    j->copy.entry.blob = weir_str_from(j->digest);
    j->copy.entry.value = WEIR_STR("");
    weir_store_memo_put(j->engine->store, &j->copy.entry, j->replaces, put_done, j);
}

void weir__memo_put_large(weir_engine *engine, weir_memo_copy *copy, uint64_t replaces,
                          weir_str old) {
    weir_error error;
    if (!weir__blobs_open(engine, true, &error)) {
        weir__memo_warn(engine, &error);
        return;
    }
    job *j = new_job(engine, copy->entry.key);
    j->copy = *copy;
    *copy = (weir_memo_copy){.memory = NULL};
    snprintf(j->old, sizeof j->old, "%.*s", WEIR_ARG(old));
    j->replaces = replaces;
    start(j, work_put, blob_done);
}

/* --- letting go ------------------------------------------------------------------------------- */

static bool work_release(void *arg, weir_error *error) {
    job *j = arg;
    return weir_blob_release(j->blobs, weir_str_from(j->digest), weir_str_from(j->owner), error);
}

static void release_done(void *arg, const weir_error *error) {
    (void)error; /* it stays until somebody prunes what has no entry */
    end(arg);
}

void weir__memo_release(weir_engine *engine, weir_str key, weir_str digest) {
    weir_error error;
    if (!digest.length || !weir__blobs_open(engine, false, &error)) return;
    job *j = new_job(engine, key);
    snprintf(j->digest, sizeof j->digest, "%.*s", WEIR_ARG(digest));
    start(j, work_release, release_done);
}

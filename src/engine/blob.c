/* Blobs for weir.h: each function is a job of the pool, during which the engine is driven. */
#include "engine/engine_internal.h"

typedef struct job {
    weir_blob_job base; /* first */
    bool ended, ok;
    weir_error *error;
    /* What is asked and what comes of it, as far as a job needs it. */
    weir_blobs *blobs;
    weir_str digest, owner;
    int fd;
    uint64_t from, length;
    bool remove;
    weir_blob blob;
    weir_buffer owners;
    weir_blob_page page;
    char after[WEIR_BLOB_DIGEST_LENGTH + 1];
    weir_blob_pruned pruned;
} job;

static void end_job(void *arg, const weir_error *error) {
    job *j = arg;
    j->ok = !error;
    if (error && j->error) *j->error = *error;
    j->ended = true;
}

bool weir__blobs_open(weir_engine *engine, bool make, weir_error *error) {
    if (engine->blobs) return true;
    if (engine->options.blobs)
        return weir_blobs_open(engine->options.blobs, make, &engine->blobs, error);
    if (!engine->state) {
        weir_fail(error, WEIR_USAGE, "blobs need a state directory, or a place of their own");
        weir_error_hint(error, "weir_options.blobs and --blobs name one");
        return false;
    }
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/blobs", engine->state);
    bool ok = weir_blobs_open(path.data, make, &engine->blobs, error);
    weir_buffer_deinit(&path);
    return ok;
}

static bool run_job(weir_engine *engine, job *j, bool (*work)(void *arg, weir_error *error),
                    weir_error *error) {
    if (!weir__blobs_open(engine, false, error)) return false;
    j->base = (weir_blob_job){.work = work, .done = end_job, .arg = j};
    j->blobs = engine->blobs;
    j->error = error;
    j->ended = false;
    weir_blob_start(engine->loop, &j->base);
    while (!j->ended) weir_loop_once(engine->loop, true);
    return j->ok;
}

/* --- values --------------------------------------------------------------------------------- */

static weir_value *number_new(uint64_t number) {
    return weir_int_new(number > INT64_MAX ? INT64_MAX : (int64_t)number);
}

static weir_value *blob_to_value(const weir_blob *blob) {
    weir_value *value = weir_object_new();
    weir_member_put_text(value, "digest", weir_str_from(blob->digest));
    weir_member_put(value, "size", number_new(blob->size));
    return value;
}

static weir_value *dated_to_value(const weir_blob *blob) {
    weir_value *value = blob_to_value(blob);
    weir_member_put(value, "modified", number_new(blob->modified_us));
    return value;
}

/* --- jobs ----------------------------------------------------------------------------------- */

static bool work_put(void *arg, weir_error *error) {
    job *j = arg;
    return weir_blob_put(j->blobs, j->fd, j->owner, &j->blob, error);
}

bool weir_put_blob(weir_engine *engine, int fd, const char *owner, weir_value **out,
                   weir_error *error) {
    job j = {.fd = fd, .owner = weir_str_from(owner)};
    if (!weir__blobs_open(engine, true, error) || !run_job(engine, &j, work_put, error))
        return false;
    *out = blob_to_value(&j.blob);
    weir_member_put(*out, "there", weir_bool_new(j.blob.there));
    return true;
}

static bool work_get(void *arg, weir_error *error) {
    job *j = arg;
    return weir_blob_get(j->blobs, j->digest, j->from, j->length, j->fd, error);
}

bool weir_get_blob(weir_engine *engine, const char *digest, uint64_t from, uint64_t length, int fd,
                   weir_error *error) {
    job j = {.digest = weir_str_from(digest), .from = from, .length = length, .fd = fd};
    return run_job(engine, &j, work_get, error);
}

static bool work_list(void *arg, weir_error *error) {
    job *j = arg;
    j->page.count = 0;
    return weir_blob_list(j->blobs, j->after, &j->page, error);
}

bool weir_list_blobs(weir_engine *engine, bool (*visit)(void *arg, const weir_value *blob),
                     void *arg, weir_error *error) {
    job j = {0};
    bool ok, more = true;
    while ((ok = run_job(engine, &j, work_list, error)) && j.page.count) {
        memcpy(j.after, j.page.items[j.page.count - 1].digest, sizeof j.after);
        for (size_t i = 0; more && i < j.page.count; i++) {
            weir_value *value = dated_to_value(&j.page.items[i]);
            more = visit(arg, value);
            weir_value_unref(value);
        }
        if (!more) break;
    }
    weir_vector_deinit(&j.page);
    return ok;
}

static bool work_show(void *arg, weir_error *error) {
    job *j = arg;
    return weir_blob_find(j->blobs, j->digest, &j->blob, error) &&
           weir_blob_owners(j->blobs, j->digest, &j->owners, error);
}

bool weir_show_blob(weir_engine *engine, const char *digest, weir_value **out, weir_error *error) {
    job j = {.digest = weir_str_from(digest)};
    bool ok = run_job(engine, &j, work_show, error);
    if (ok) {
        weir_value *owners = weir_array_new();
        for (size_t at = 0; at < j.owners.length; at += strlen(j.owners.data + at) + 1)
            weir_array_append(owners, weir_string_from(weir_str_from(j.owners.data + at)));
        *out = dated_to_value(&j.blob);
        weir_member_put(*out, "owners", owners);
    }
    weir_buffer_deinit(&j.owners);
    return ok;
}

static bool work_drop(void *arg, weir_error *error) {
    job *j = arg;
    return weir_blob_drop(j->blobs, j->digest, j->owner, &j->remove, error);
}

bool weir_drop_blob(weir_engine *engine, const char *digest, const char *owner, weir_value **out,
                    weir_error *error) {
    job j = {.digest = weir_str_from(digest), .owner = weir_str_from(owner)};
    if (!run_job(engine, &j, work_drop, error)) return false;
    *out = weir_object_new();
    weir_member_put_text(*out, "digest", j.digest);
    weir_member_put(*out, "removed", weir_bool_new(j.remove));
    return true;
}

static bool work_prune(void *arg, weir_error *error) {
    job *j = arg;
    return weir_blob_prune(j->blobs, j->remove, &j->pruned, error);
}

bool weir_prune_blobs(weir_engine *engine, bool remove, weir_value **out, weir_error *error) {
    job j = {.remove = remove};
    if (remove && engine->state && !weir__values_release(engine, true, error)) return false;
    if (!run_job(engine, &j, work_prune, error)) return false;
    *out = weir_object_new();
    weir_member_put(*out, "kept", number_new(j.pruned.kept));
    weir_member_put(*out, "removed", number_new(j.pruned.removed));
    weir_member_put(*out, "bytes", number_new(j.pruned.removed_bytes));
    weir_member_put(*out, "leftovers", number_new(j.pruned.leftovers));
    return true;
}

/* Where the blobs of runs are, and how they are let go. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/engine_internal.h"

/* How long a run may take between its first large value and its first batch. */
static const uint64_t BEGIN_US_MAX = 7ull * 24 * 3600 * 1000 * 1000;

/* --- places ----------------------------------------------------------------------------------- */

static weir_str host_of(const weir_engine *engine) {
    const char *end = strrchr(engine->owner, ':');
    weir_assert(end);
    return (weir_str){engine->owner, (size_t)(end - engine->owner)};
}

bool weir__values_place(const weir_engine *engine, weir_buffer *out, weir_error *error) {
    weir_buffer path = {0};
    const char *blobs = engine->options.blobs;
    weir_str text = weir_str_from(blobs);
    if (weir_str_starts(text, WEIR_STR("s3://"))) {
        weir_buffer_str_append(out, text);
        return true;
    }
    if (blobs && weir_str_starts(text, WEIR_STR("file:")))
        blobs += weir_str_starts(text, WEIR_STR("file://")) ? 7 : 5;
    if (blobs)
        weir_buffer_text(&path, blobs);
    else
        weir_buffer_printf(&path, "%s/blobs", engine->state);
    char *real = realpath(path.data, NULL); /* which is as long as it has to be */
    if (real)
        weir_buffer_printf(out, "%.*s:%s", WEIR_ARG(host_of(engine)), real);
    else
        weir_fail(error, WEIR_NOT_FOUND, "there are no blobs here: no directory `%s`", path.data);
    weir_buffer_deinit(&path);
    bool found = real != NULL;
    free(real);
    return found;
}

/* What has to be opened to reach the place from here; empty: it cannot be. */
static weir_str way_to(const weir_engine *engine, weir_str place) {
    weir_str host = host_of(engine);
    if (weir_str_starts(place, WEIR_STR("s3://"))) return place;
    bool here = weir_str_starts(place, host) && place.length > host.length + 1 &&
                place.data[host.length] == ':' && place.data[host.length + 1] == '/';
    return here ? weir_str_slice(place, host.length + 1, place.length) : WEIR_STR("");
}

/* --- reading ---------------------------------------------------------------------------------- */

typedef struct sought {
    weir_engine *engine;
    weir_str digest;
    uint64_t size;
    weir_buffer *out;
    weir_buffer places; /* that were looked at in vain, or cannot be reached */
    bool found;
} sought;

static bool look_there(void *arg, const weir_reference *reference) {
    sought *s = arg;
    weir_error ignored;
    weir_blobs *blobs = NULL;
    char *way = weir_str_dup(way_to(s->engine, reference->place));
    s->found = *way && weir_blobs_open(way, false, &blobs, &ignored) &&
               weir_blob_read(blobs, s->digest, s->size, s->out, &ignored);
    weir_blobs_close(blobs);
    weir_free(way);
    if (!s->found)
        weir_buffer_printf(&s->places, "%s%.*s", s->places.length ? ", " : "",
                           WEIR_ARG(reference->place));
    return !s->found;
}

/* It is not where this engine has its blobs. */
static bool find_elsewhere(sought *s, const char *run, weir_error *error) {
    weir_error ignored;
    bool asked = weir_store_references(s->engine->store, weir_str_from(run), s->digest, look_there,
                                       s, &ignored);
    if (asked && s->found) {
        weir_buffer_deinit(&s->places);
        return true;
    }
    weir_fail(error, WEIR_STORE, "the blob %.*s (%llu bytes) is not there%s%s", WEIR_ARG(s->digest),
              (unsigned long long)s->size, s->places.length ? "; it was put into " : "",
              s->places.length ? s->places.data : "");
    weir_error_hint(error, "--blobs says where blobs are; machines that share a store share them "
                           "in S3 or in a directory that all have");
    weir_buffer_deinit(&s->places);
    return false;
}

bool weir__values_fetch(weir_engine *engine, const char *run, weir_str digest, uint64_t size,
                        weir_buffer *out, weir_error *error) {
    weir_error problem;
    sought s = {.engine = engine, .digest = digest, .size = size, .out = out};
    if (size > WEIR__VALUE_BYTES_MAX)
        return weir_fail(error, WEIR_LIMIT, "the blob %.*s is too large for a value",
                         WEIR_ARG(digest));
    bool read = weir__blobs_open(engine, false, &problem) &&
                weir_blob_read(engine->blobs, digest, size, out, &problem);
    if (!read && problem.code == WEIR_NOT_FOUND) return find_elsewhere(&s, run, error);
    if (read && out->length == size) return true;
    if (read)
        return weir_fail(error, WEIR_STORE, "the blob %.*s has %zu bytes, not %llu",
                         WEIR_ARG(digest), out->length, (unsigned long long)size);
    if (error) *error = problem;
    return false;
}

/* --- letting go ------------------------------------------------------------------------------- */

typedef struct release {
    weir_engine *engine;
    weir_buffer own;                 /* place */
    WEIR_VECTOR(weir_reference) all; /* their texts are in `texts` */
    WEIR_VECTOR(char *) texts;
    weir_blobs *blobs; /* of the place that was opened last; NULL: it cannot be reached */
    weir_str place;
    bool away; /* the engine's own blobs cannot be reached */
} release;

static weir_str keep_text(release *r, weir_str text) {
    char *copy = weir_str_dup(text);
    *weir_vector_push(&r->texts) = copy;
    return (weir_str){copy, text.length};
}

static bool note_forsaken(void *arg, const weir_reference *reference) {
    release *r = arg;
    *weir_vector_push(&r->all) = (weir_reference){.run = keep_text(r, reference->run),
                                                  .digest = keep_text(r, reference->digest),
                                                  .place = keep_text(r, reference->place),
                                                  .size = reference->size};
    return true;
}

static bool is_s3(weir_str place) {
    return weir_str_starts(place, WEIR_STR("s3://"));
}

/* Whether the run referred to it there, and does no more; *known: or it did not. */
static bool drop(weir_blobs *blobs, const weir_reference *reference, bool *known) {
    weir_error error;
    char owner[WEIR_BLOB_OWNER_MAX];
    snprintf(owner, sizeof owner, WEIR__RUN_OWNER_PREFIX "%.*s", WEIR_ARG(reference->run));
    bool gone = weir_blob_drop(blobs, reference->digest, weir_str_from(owner), NULL, &error);
    *known = gone || error.code == WEIR_NOT_FOUND;
    return gone;
}

/* A state that was moved has its blobs where it is, not where they were put. */
static bool let_go_here(release *r, const weir_reference *reference) {
    weir_error error;
    bool same = weir_str_equal(reference->place, weir_buffer_str(&r->own)), known;
    if (r->away || (!same && (is_s3(reference->place) || is_s3(weir_buffer_str(&r->own)))))
        return false;
    if (!weir__blobs_open(r->engine, false, &error)) {
        r->away = error.code != WEIR_NOT_FOUND;
        return same && !r->away;
    }
    bool gone = drop(r->engine->blobs, reference, &known);
    r->away = !known;
    return gone || (same && known);
}

/* Another directory than its own a state lets alone that shares its store with nobody: it may be a copy, and its runs be
 * another's, too. */
static bool let_go_there(release *r, const weir_reference *reference) {
    weir_error ignored;
    bool known;
    weir_str place = reference->place;
    if (!is_s3(place) && !weir_store_has_leases(r->engine->store)) return false;
    if (weir_str_equal(place, weir_buffer_str(&r->own))) return false;
    if (!weir_str_equal(place, r->place)) {
        char *way = weir_str_dup(way_to(r->engine, place));
        weir_blobs_close(r->blobs);
        r->place = place;
        if (!*way || !weir_blobs_open(way, false, &r->blobs, &ignored)) r->blobs = NULL;
        weir_free(way);
    }
    if (!r->blobs || drop(r->blobs, reference, &known) || known) return r->blobs != NULL;
    weir_blobs_close(r->blobs); /* the next would fail, too: another time */
    r->blobs = NULL;
    return false;
}

/* Those behind the last; *more: there may be others. */
static bool release_some(release *r, bool *more, weir_error *error) {
    size_t gone = 0, before = r->all.count;
    const weir_reference *last = before ? &r->all.items[before - 1] : NULL;
    weir_reference after = last ? *last : (weir_reference){.size = 0};
    if (!weir_store_forsaken(r->engine->store, last ? &after : NULL, note_forsaken, r, error))
        return false;
    size_t count = r->all.count - before;
    *more = count == WEIR_FORSAKEN_MAX;
    weir_reference *let = weir_alloc(count * sizeof *let);
    for (size_t i = before; i < r->all.count; i++)
        if (let_go_here(r, &r->all.items[i]) || let_go_there(r, &r->all.items[i]))
            let[gone++] = r->all.items[i];
    bool ok = weir_store_unrefer(r->engine->store, let, gone, error);
    weir_free(let);
    return ok;
}

bool weir__values_release(weir_engine *engine, bool thorough, weir_error *error) {
    release r = {.engine = engine};
    bool more = true;
    uint64_t now = weir__now_us(engine);
    weir_error ignored;
    if (!weir__values_place(engine, &r.own, &ignored)) weir_buffer_clear(&r.own);
    bool ok = !thorough || now < BEGIN_US_MAX ||
              weir_store_forsake(engine->store, now - BEGIN_US_MAX, error);
    while (ok && more) ok = release_some(&r, &more, error);
    for (size_t i = 0; i < r.texts.count; i++) weir_free(r.texts.items[i]);
    weir_blobs_close(r.blobs);
    weir_buffer_deinit(&r.own);
    weir_vector_deinit(&r.all);
    weir_vector_deinit(&r.texts);
    return ok;
}

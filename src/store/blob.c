#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "io/library.h"
#include "store/blob_kind.h"

enum { HEX_AT = sizeof "sha256:" - 1, OBJECT_HEX_AT = sizeof "sha256/ab/" - 1 };

/* A reference without its blob is of a put that is under way, or that died: for so long it may be the former. */
static const uint64_t PUT_US_MAX = 7ull * 24 * 3600 * 1000 * 1000;

/* --- names ---------------------------------------------------------------------------------- */

bool weir__blob_check_digest(weir_str digest, weir_error *error) {
    bool ok =
        digest.length == WEIR_BLOB_DIGEST_LENGTH && weir_str_starts(digest, WEIR_STR("sha256:"));
    for (size_t i = HEX_AT; ok && i < digest.length; i++)
        ok = memchr("0123456789abcdef", digest.data[i], 16) != NULL;
    if (ok) return true;
    weir_fail(error, WEIR_INVALID, "a blob is named `sha256:` and 64 digits of 0-9 and a-f");
    weir_error_hint(error, "`weir blob list` shows the blobs");
    return false;
}

bool weir__blob_check_owner(weir_str owner, weir_error *error) {
    bool ok = owner.length > 0 && owner.length <= WEIR_BLOB_OWNER_MAX && owner.data[0] != '.';
    for (size_t i = 0; ok && i < owner.length; i++) {
        char c = owner.data[i];
        ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             (c && strchr("._-@:", c));
    }
    return ok || weir_fail(error, WEIR_INVALID,
                           "an owner of blobs is 1 to %d letters, digits and any of ._-@: and does "
                           "not begin with a dot",
                           WEIR_BLOB_OWNER_MAX);
}

void weir__blob_name(const char *hex, char out[static WEIR__OBJECT_NAME_MAX]) {
    snprintf(out, WEIR__OBJECT_NAME_MAX, "sha256/%.2s/%.64s", hex, hex);
}

/* With an empty owner: what the names of all references to the blob begin with. */
void weir__blob_name_reference(const char *hex, weir_str owner,
                               char out[static WEIR__OBJECT_NAME_MAX]) {
    snprintf(out, WEIR__OBJECT_NAME_MAX, "refs/%.2s/%.64s.%.*s", hex, hex, WEIR_ARG(owner));
}

static const char *hex_of(weir_str digest) {
    return digest.data + HEX_AT;
}

static weir_blob blob_of(const char *hex, const weir__object *object) {
    weir_blob blob = {.size = object->size, .modified_us = object->modified_us};
    snprintf(blob.digest, sizeof blob.digest, "sha256:%.64s", hex);
    return blob;
}

bool weir__blob_fail_missing(weir_str digest, weir_error *error) {
    weir_fail(error, WEIR_NOT_FOUND, "there is no blob %.*s", WEIR_ARG(digest));
    weir_error_hint(error, "`weir blob list` shows the blobs");
    return false;
}

/* --- open ----------------------------------------------------------------------------------- */

bool weir__sha256_open(const weir__sha256_functions **out, weir_error *error) {
    void *symbol;
    if (!weir_library_symbol("sha256", "weir_sha256_functions", &symbol, error)) return false;
    const weir__sha256_functions *(*functions)(void);
    memcpy(&functions, &symbol, sizeof functions);
    *out = functions();
    return true;
}

static bool open_s3(const char *where, bool make, weir_blobs **out, weir_error *error) {
    void *symbol;
    if (!weir_library_symbol("s3", "weir_blob_kind_s3", &symbol, error)) return false;
    const weir__blob_kind *kind = symbol;
    if (strcmp(kind->version, WEIR_VERSION) == 0) return kind->open(where, make, out, error);
    return weir_fail(error, WEIR_PLUGIN, "weir-s3.so is of weir %.20s, and this is %s",
                     kind->version, WEIR_VERSION);
}

bool weir_blobs_open(const char *where, bool make, weir_blobs **out, weir_error *error) {
    weir_str text = weir_str_from(where);
    if (weir_str_starts(text, WEIR_STR("s3://"))) return open_s3(where, make, out, error);
    bool file = weir_str_starts(text, WEIR_STR("file:"));
    if (!file && weir_str_find(text, WEIR_STR("://"), 0) != SIZE_MAX) {
        weir_fail(
            error, WEIR_USAGE,
            "blobs cannot be kept there: the place is no directory and does not begin with s3://");
        weir_error_hint(error, "write a directory or s3://BUCKET/PREFIX?endpoint=URL&region=NAME");
        return false;
    }
    if (file) where += weir_str_starts(text, WEIR_STR("file://")) ? 7 : 5;
    return weir__blob_directory.open(where, make, out, error);
}

void weir_blobs_close(weir_blobs *blobs) {
    if (blobs) blobs->kind->close(blobs);
}

/* --- put ------------------------------------------------------------------------------------ */

static bool keep(weir_blobs *blobs, weir__incoming *incoming, const char *hex, weir_blob *out,
                 weir_error *error) {
    char name[WEIR__OBJECT_NAME_MAX];
    weir__object object;
    bool there;
    weir__gate gate;
    weir__blob_name(hex, name);
    if (!blobs->kind->enter(blobs, false, &gate, error)) return false;
    bool ok = blobs->kind->look(blobs, name, &object, &there, error);
    /* Of another size it is damaged, and made good. */
    bool kept = ok && there && object.size == incoming->size;
    if (ok && !kept) {
        object = (weir__object){.size = incoming->size, .modified_us = weir_clock_us()};
        ok = blobs->kind->keep(blobs, incoming, name, error);
    }
    blobs->kind->leave(blobs, &gate);
    if (!ok) return false;
    *out = blob_of(hex, &object);
    out->there = kept;
    return true;
}

bool weir_blob_put(weir_blobs *blobs, int fd, weir_str owner, weir_blob *out, weir_error *error) {
    weir__incoming *incoming;
    if (!weir__blob_check_owner(owner, error) || !blobs->kind->receive(blobs, fd, &incoming, error))
        return false;
    char hex[WEIR__SHA256_LETTERS + 1], reference[WEIR__OBJECT_NAME_MAX];
    weir__sha256_format(incoming->digest, hex);
    weir__blob_name_reference(hex, owner, reference);
    bool ok = blobs->kind->mark(blobs, reference, error) && keep(blobs, incoming, hex, out, error);
    blobs->kind->drop(blobs, incoming);
    return ok;
}

/* --- get ------------------------------------------------------------------------------------ */

typedef struct delivery {
    const weir__sha256_functions *sha256;
    weir__sha256 *hash; /* NULL: of a part */
    int fd;
    uint64_t size;
} delivery;

static bool deliver(void *arg, const char *data, size_t length, weir_error *error) {
    delivery *d = arg;
    if (d->hash) d->sha256->add(d->hash, data, length);
    d->size += length;
    if (weir_descriptor_write(d->fd, (weir_str){data, length})) return true;
    return weir_fail(error, WEIR_IO, "the blob cannot be written out: %s", strerror(errno));
}

bool weir__blob_check_content(weir_str digest, const unsigned char found[WEIR__SHA256_BYTES],
                              weir_error *error) {
    char hex[WEIR__SHA256_LETTERS + 1];
    weir__sha256_format(found, hex);
    if (memcmp(hex, hex_of(digest), WEIR__SHA256_LETTERS) == 0) return true;
    weir_fail(error, WEIR_STORE, "the blob %.*s is damaged: its bytes have the digest sha256:%s",
              WEIR_ARG(digest), hex);
    weir_error_hint(error, "remove it with `weir blob rm`, and put it again");
    return false;
}

bool weir_blob_get(weir_blobs *blobs, weir_str digest, uint64_t from, uint64_t length, int fd,
                   weir_error *error) {
    delivery d = {.fd = fd};
    char name[WEIR__OBJECT_NAME_MAX];
    weir_error problem;
    if (!weir__blob_check_digest(digest, error)) return false;
    if (!length) return weir_blob_find(blobs, digest, &(weir_blob){0}, error);
    if (length > INT64_MAX) length = UINT64_MAX; /* to the end, as no blob is so large */
    bool whole = from == 0 && length == UINT64_MAX;
    if (whole && !weir__sha256_open(&d.sha256, error)) return false;
    if (whole) d.hash = d.sha256->begin();
    weir__blob_name(hex_of(digest), name);
    bool ok = blobs->kind->read(blobs, name, from, length, &(weir__sink){deliver, &d}, &problem);
    unsigned char found[WEIR__SHA256_BYTES];
    if (ok && whole) d.sha256->take(d.hash, found);
    ok = ok && (!whole || weir__blob_check_content(digest, found, &problem));
    if (whole) d.sha256->end(d.hash);
    if (ok) return true;
    if (problem.code == WEIR_NOT_FOUND && !*problem.hint) weir__blob_fail_missing(digest, &problem);
    if (error) *error = problem;
    return false;
}

static void push_object(void *arg, const weir__object *object) {
    *weir_vector_push((weir__objects *)arg) = *object;
}

/* Some of the objects; see weir__blob_kind. */
static bool list_some(weir_blobs *blobs, const char *prefix, const char *after, weir__objects *out,
                      weir_error *error) {
    return blobs->kind->list(blobs, prefix, after, push_object, out, error);
}

/* --- what there is -------------------------------------------------------------------------- */

bool weir_blob_find(weir_blobs *blobs, weir_str digest, weir_blob *out, weir_error *error) {
    char name[WEIR__OBJECT_NAME_MAX];
    weir__object object;
    bool there;
    if (!weir__blob_check_digest(digest, error)) return false;
    weir__blob_name(hex_of(digest), name);
    if (!blobs->kind->look(blobs, name, &object, &there, error)) return false;
    if (!there) return weir__blob_fail_missing(digest, error);
    *out = blob_of(hex_of(digest), &object);
    return true;
}

bool weir_blob_list(weir_blobs *blobs, const char *after, weir_blob_page *page, weir_error *error) {
    char name[WEIR__OBJECT_NAME_MAX] = "";
    weir__objects objects = {0};
    if (*after && !weir__blob_check_digest(weir_str_from(after), error)) return false;
    if (*after) weir__blob_name(after + HEX_AT, name);
    bool ok = list_some(blobs, "sha256/", name, &objects, error);
    for (size_t i = 0; ok && i < objects.count; i++)
        *weir_vector_push(page) = blob_of(objects.items[i].name + OBJECT_HEX_AT, &objects.items[i]);
    weir_vector_deinit(&objects);
    return ok;
}

bool weir_blob_owners(weir_blobs *blobs, weir_str digest, weir_buffer *out, weir_error *error) {
    char prefix[WEIR__OBJECT_NAME_MAX], after[WEIR__OBJECT_NAME_MAX] = "";
    if (!weir__blob_check_digest(digest, error)) return false;
    weir__blob_name_reference(hex_of(digest), WEIR_STR(""), prefix);
    for (;;) {
        weir__objects objects = {0};
        bool ok = list_some(blobs, prefix, after, &objects, error);
        for (size_t i = 0; ok && i < objects.count; i++) {
            const char *owner = objects.items[i].name + strlen(prefix);
            weir_buffer_append(out, owner, strlen(owner) + 1);
        }
        bool more = ok && objects.count;
        if (more) snprintf(after, sizeof after, "%s", objects.items[objects.count - 1].name);
        weir_vector_deinit(&objects);
        if (!more) return ok;
    }
}

/* --- removing ------------------------------------------------------------------------------- */

/* In the gate, alone. */
static bool remove_object(weir_blobs *blobs, weir__gate *gate, const char *name,
                          weir_error *error) {
    return blobs->kind->renew(blobs, gate, error) && blobs->kind->remove(blobs, name, error);
}

static bool remove_unreferenced(weir_blobs *blobs, weir_str digest, bool *removed,
                                weir_error *error) {
    weir_buffer owners = {0};
    weir__gate gate;
    char name[WEIR__OBJECT_NAME_MAX];
    if (!blobs->kind->enter(blobs, true, &gate, error)) return false;
    weir__blob_name(hex_of(digest), name);
    bool ok = weir_blob_owners(blobs, digest, &owners, error);
    *removed = ok && !owners.length;
    if (*removed) ok = remove_object(blobs, &gate, name, error);
    blobs->kind->leave(blobs, &gate);
    weir_buffer_deinit(&owners);
    return ok;
}

bool weir_blob_drop(weir_blobs *blobs, weir_str digest, weir_str owner, bool *removed,
                    weir_error *error) {
    char name[WEIR__OBJECT_NAME_MAX];
    weir__object object;
    bool there, gone;
    if (!weir__blob_check_digest(digest, error) || !weir__blob_check_owner(owner, error))
        return false;
    weir__blob_name_reference(hex_of(digest), owner, name);
    if (!blobs->kind->look(blobs, name, &object, &there, error)) return false;
    if (!there) {
        weir_fail(error, WEIR_NOT_FOUND, "`%.*s` does not refer to the blob %.*s", WEIR_ARG(owner),
                  WEIR_ARG(digest));
        weir_error_hint(error, "`weir blob show` says who does");
        return false;
    }
    if (!blobs->kind->remove(blobs, name, error) ||
        !remove_unreferenced(blobs, digest, &gone, error))
        return false;
    if (removed) *removed = gone;
    return true;
}

bool weir_blob_release(weir_blobs *blobs, weir_str digest, weir_str owner, weir_error *error) {
    char name[WEIR__OBJECT_NAME_MAX];
    if (!weir__blob_check_digest(digest, error) || !weir__blob_check_owner(owner, error))
        return false;
    weir__blob_name_reference(hex_of(digest), owner, name);
    return blobs->kind->remove(blobs, name, error);
}

/* Goes through the objects with a prefix, page by page. */
typedef struct cursor {
    weir_blobs *blobs;
    const char *prefix;
    weir__objects page;
    size_t at;
    char last[WEIR__OBJECT_NAME_MAX];
} cursor;

/* *out is NULL at the end; valid until the next call. */
static bool cursor_next(cursor *c, const weir__object **out, weir_error *error) {
    if (c->at == c->page.count) {
        c->page.count = c->at = 0;
        if (!list_some(c->blobs, c->prefix, c->last, &c->page, error)) return false;
    }
    *out = c->at < c->page.count ? &c->page.items[c->at++] : NULL;
    if (*out) snprintf(c->last, sizeof c->last, "%s", (*out)->name);
    return true;
}

/* Blobs and references are sorted alike: both lists are gone through side by side. */
typedef struct pruning {
    weir_blobs *blobs;
    weir__gate gate;
    cursor all, references;
    const weir__object *blob, *reference; /* the next of each; NULL: at the end */
    bool remove;
    uint64_t now_us;
    weir_blob_pruned *out;
} pruning;

static bool prune_blob(pruning *p, bool referenced, weir_error *error) {
    if (referenced) {
        p->out->kept++;
    } else {
        p->out->removed++;
        p->out->removed_bytes += p->blob->size;
        if (p->remove && !remove_object(p->blobs, &p->gate, p->blob->name, error)) return false;
    }
    return cursor_next(&p->all, &p->blob, error);
}

static bool prune_reference(pruning *p, bool dangling, weir_error *error) {
    if (dangling && p->remove && p->reference->modified_us + PUT_US_MAX < p->now_us) {
        if (!remove_object(p->blobs, &p->gate, p->reference->name, error)) return false;
        p->out->leftovers++;
    }
    return cursor_next(&p->references, &p->reference, error);
}

static int compare_hex(const weir__object *blob, const weir__object *reference) {
    if (!blob || !reference) return !blob - !reference;
    return memcmp(blob->name + OBJECT_HEX_AT, reference->name + sizeof "refs/ab/" - 1,
                  WEIR__SHA256_LETTERS);
}

static bool prune_all(pruning *p, weir_error *error) {
    bool referenced = false;
    if (!cursor_next(&p->all, &p->blob, error) ||
        !cursor_next(&p->references, &p->reference, error))
        return false;
    while (p->blob || p->reference) {
        int order = compare_hex(p->blob, p->reference);
        bool ok;
        if (order < 0) {
            ok = prune_blob(p, referenced, error);
            referenced = false;
        } else {
            referenced = order == 0;
            ok = prune_reference(p, !referenced, error);
        }
        if (!ok) return false;
    }
    return true;
}

bool weir_blob_prune(weir_blobs *blobs, bool remove, weir_blob_pruned *out, weir_error *error) {
    *out = (weir_blob_pruned){0};
    pruning p = {.blobs = blobs,
                 .all = {.blobs = blobs, .prefix = "sha256/"},
                 .references = {.blobs = blobs, .prefix = "refs/"},
                 .remove = remove,
                 .now_us = weir_clock_us(),
                 .out = out};
    if (!blobs->kind->enter(blobs, remove, &p.gate, error)) return false;
    bool ok = prune_all(&p, error);
    blobs->kind->leave(blobs, &p.gate);
    weir_vector_deinit(&p.all.page);
    weir_vector_deinit(&p.references.page);
    return ok && (!remove || blobs->kind->sweep(blobs, &out->leftovers, error));
}

/* --- on the pool ---------------------------------------------------------------------------- */

static void work(void *arg) {
    weir_blob_job *job = arg;
    job->ok = job->work(job->arg, &job->error);
}

static void done(void *arg) {
    weir_blob_job *job = arg;
    job->done(job->arg, job->ok ? NULL : &job->error);
}

void weir_blob_start(weir_loop *loop, weir_blob_job *job) {
    weir_pool_run(loop, work, done, job);
}

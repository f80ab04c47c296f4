/* Blobs that are in memory as a whole: values. */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "store/blob_kind.h"

enum { HEX_AT = sizeof "sha256:" - 1 };

void weir_blob_digest_format(const unsigned char digest[static 32],
                             char out[static WEIR_BLOB_DIGEST_LENGTH + 1]) {
    memcpy(out, "sha256:", HEX_AT);
    weir__sha256_format(digest, out + HEX_AT);
}

bool weir_blob_name_bytes(weir_str bytes, char digest[static WEIR_BLOB_DIGEST_LENGTH + 1],
                          weir_error *error) {
    const weir__sha256_functions *sha256;
    unsigned char found[WEIR__SHA256_BYTES];
    if (!weir__sha256_open(&sha256, error)) return false;
    weir__sha256 *hash = sha256->begin();
    sha256->add(hash, bytes.data, bytes.length);
    sha256->take(hash, found);
    sha256->end(hash);
    weir_blob_digest_format(found, digest);
    return true;
}

static bool put_file(weir_blobs *blobs, weir_str bytes, weir_str owner, weir_blob *out,
                     weir_error *error) {
    int fd = memfd_create("weir-blob", MFD_CLOEXEC);
    bool ok = fd >= 0 && weir_descriptor_write(fd, bytes) && lseek(fd, 0, SEEK_SET) == 0;
    ok = ok ? weir_blob_put(blobs, fd, owner, out, error)
            : weir_fail(error, WEIR_IO, "no file in memory: %s", strerror(errno));
    if (fd >= 0) close(fd);
    return ok;
}

/* Refers to the blob, then looks for it in the gate: nobody removes it from then on. */
static bool is_there(weir_blobs *blobs, weir_str digest, weir_str owner, weir__object *object,
                     bool *there, weir_error *error) {
    char name[WEIR__OBJECT_NAME_MAX];
    weir__gate gate;
    weir__blob_name_reference(digest.data + HEX_AT, owner, name);
    if (!blobs->kind->mark(blobs, name, error) || !blobs->kind->enter(blobs, false, &gate, error))
        return false;
    weir__blob_name(digest.data + HEX_AT, name);
    bool ok = blobs->kind->look(blobs, name, object, there, error);
    blobs->kind->leave(blobs, &gate);
    return ok;
}

bool weir_blob_put_bytes(weir_blobs *blobs, weir_str bytes, weir_str digest, weir_str owner,
                         weir_blob *out, weir_error *error) {
    weir__object object;
    bool there;
    if (!weir__blob_check_digest(digest, error) || !weir__blob_check_owner(owner, error) ||
        !is_there(blobs, digest, owner, &object, &there, error))
        return false;
    if (!there || object.size != bytes.length) return put_file(blobs, bytes, owner, out, error);
    *out = (weir_blob){.size = object.size, .modified_us = object.modified_us, .there = true};
    snprintf(out->digest, sizeof out->digest, "%.*s", WEIR_ARG(digest));
    return true;
}

/* --- reading ---------------------------------------------------------------------------------- */

typedef struct collection {
    const weir__sha256_functions *sha256;
    weir__sha256 *hash;
    weir_buffer *out;
    uint64_t left;
} collection;

static bool collect(void *arg, const char *data, size_t length, weir_error *error) {
    collection *c = arg;
    if (length > c->left)
        return weir_fail(error, WEIR_LIMIT, "the blob is larger than it should be");
    c->left -= length;
    c->sha256->add(c->hash, data, length);
    weir_buffer_append(c->out, data, length);
    return true;
}

bool weir_blob_read(weir_blobs *blobs, weir_str digest, uint64_t most, weir_buffer *out,
                    weir_error *error) {
    collection c = {.out = out, .left = most};
    char name[WEIR__OBJECT_NAME_MAX];
    unsigned char found[WEIR__SHA256_BYTES];
    size_t before = out->length;
    weir_error problem;
    if (!weir__blob_check_digest(digest, error) || !weir__sha256_open(&c.sha256, error))
        return false;
    weir__blob_name(digest.data + HEX_AT, name);
    c.hash = c.sha256->begin();
    bool ok = blobs->kind->read(blobs, name, 0, UINT64_MAX, &(weir__sink){collect, &c}, &problem);
    c.sha256->take(c.hash, found);
    c.sha256->end(c.hash);
    if (ok && weir__blob_check_content(digest, found, &problem)) return true;
    if (!ok && problem.code == WEIR_NOT_FOUND && !*problem.hint)
        weir__blob_fail_missing(digest, &problem);
    if (error) *error = problem;
    out->length = before;
    return false;
}

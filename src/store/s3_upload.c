/* Putting blobs into S3: read once for the digests, of the whole and of each part, then sent from the file. So nothing
 * is held in memory, what is there already is not sent, a part that failed is sent again, and the server sees that what
 * arrives is what was read. What is no file is written into one first. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "store/s3.h"

enum { CHUNK_BYTES = 1024 * 1024, AT_ONCE = 4, ETAG_BYTES = 128 };

static const uint64_t BLOB_BYTES_MAX = 5ull << 40; /* S3's own limit: 5 TiB */

typedef struct incoming {
    weir__incoming base; /* first */
    int fd;
    bool own; /* the file is a temporary one of ours */
    uint64_t from, part_bytes;
    WEIR_VECTOR(unsigned char) hashes; /* of the parts */
} incoming;

/* --- reading -------------------------------------------------------------------------------- */

static bool fail_temporary(const char *folder, int reason, weir_error *error) {
    weir_fail(error, WEIR_IO, "a temporary file in `%.200s` cannot be written: %s", folder,
              strerror(reason));
    weir_error_hint(error, "TMPDIR names the folder; what is put from a file needs none");
    return false;
}

static bool copy_all(int from, int to, const char *folder, weir_error *error) {
    char *chunk = weir_alloc(CHUNK_BYTES);
    bool ok = true;
    for (;;) {
        ssize_t got = read(from, chunk, CHUNK_BYTES);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) ok = weir_fail(error, WEIR_IO, "cannot read: %s", strerror(errno));
        if (got <= 0) break;
        ok = weir_descriptor_write(to, (weir_str){chunk, (size_t)got}) ||
             fail_temporary(folder, errno, error);
        if (!ok) break;
    }
    weir_free(chunk);
    return ok;
}

/* What comes through a pipe goes into a file without a name, which ends with the process. */
static bool spool(incoming *in, int fd, weir_error *error) {
    const char *folder = getenv("TMPDIR");
    if (!folder || !*folder) folder = "/tmp";
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/weir-blob-XXXXXX", folder);
    in->fd = mkostemp(path.data, O_CLOEXEC);
    in->own = in->fd >= 0;
    bool ok = in->own ? true : fail_temporary(folder, errno, error);
    if (ok) unlink(path.data);
    weir_buffer_deinit(&path);
    return ok && copy_all(fd, in->fd, folder, error);
}

static bool find_size(incoming *in, weir_error *error) {
    struct stat info;
    if (fstat(in->fd, &info) < 0)
        return weir_fail(error, WEIR_IO, "cannot read: %s", strerror(errno));
    uint64_t end = (uint64_t)info.st_size;
    in->base.size = end > in->from ? end - in->from : 0;
    if (in->base.size > BLOB_BYTES_MAX)
        return weir_fail(error, WEIR_LIMIT, "a blob in S3 has at most 5 TiB");
    uint64_t least = (in->base.size + WEIR__S3_PARTS_MAX - 1) / WEIR__S3_PARTS_MAX;
    uint64_t mib = 1024 * 1024;
    in->part_bytes =
        least > WEIR__S3_PART_BYTES ? (least + mib - 1) / mib * mib : WEIR__S3_PART_BYTES;
    return true;
}

/* Appends the hash of a part that has ended. */
static void end_part(incoming *in, weir__sha256 *part) {
    unsigned char digest[WEIR__SHA256_BYTES];
    weir__sha256_by.take(part, digest);
    for (size_t i = 0; i < sizeof digest; i++) *weir_vector_push(&in->hashes) = digest[i];
}

static bool hash_all(incoming *in, weir_error *error) {
    weir__sha256 *whole = weir__sha256_by.begin(), *part = weir__sha256_by.begin();
    char *chunk = weir_alloc(CHUNK_BYTES);
    uint64_t at = 0;
    bool ok = true, single = in->base.size <= in->part_bytes;
    while (ok && at < in->base.size) {
        uint64_t end = (at / in->part_bytes + 1) * in->part_bytes;
        if (end > in->base.size) end = in->base.size;
        size_t wanted = end - at < CHUNK_BYTES ? (size_t)(end - at) : CHUNK_BYTES;
        ssize_t got = pread(in->fd, chunk, wanted, (off_t)(in->from + at));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) ok = weir_fail(error, WEIR_IO, "cannot read: %s", strerror(errno));
        if (got == 0) ok = weir_fail(error, WEIR_CONFLICT, "the file changed while it was put");
        if (got <= 0) break;
        weir__sha256_by.add(whole, chunk, (size_t)got);
        if (!single) weir__sha256_by.add(part, chunk, (size_t)got);
        at += (uint64_t)got;
        if (!single && at == end) end_part(in, part);
    }
    weir__sha256_by.take(whole, in->base.digest);
    weir__sha256_by.end(whole);
    weir__sha256_by.end(part);
    weir_free(chunk);
    return ok;
}

void weir__s3_drop(weir_blobs *blobs, weir__incoming *base) {
    (void)blobs;
    incoming *in = (incoming *)base;
    if (in->own) close(in->fd);
    weir_vector_deinit(&in->hashes);
    weir_free(in);
}

bool weir__s3_receive(weir_blobs *blobs, int fd, weir__incoming **out, weir_error *error) {
    incoming *in = weir_alloc(sizeof *in);
    struct stat info;
    in->fd = fd;
    off_t at = lseek(fd, 0, SEEK_CUR);
    bool file = at >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    if (file) in->from = (uint64_t)at;
    bool ok = (file || spool(in, fd, error)) && find_size(in, error) && hash_all(in, error);
    if (ok)
        *out = &in->base;
    else
        weir__s3_drop(blobs, &in->base);
    return ok;
}

/* --- parts ---------------------------------------------------------------------------------- */

typedef struct upload {
    weir__s3 *s3;
    const incoming *in;
    const char *name;
    weir_buffer id;
    uint64_t next, count; /* parts, from 0 */
    char (*etags)[ETAG_BYTES];
    struct slot {
        weir__s3_transfer *transfer;
        uint64_t part;
    } slots[AT_ONCE];
} upload;

static struct slot *slot_of(upload *u, const weir__s3_transfer *t) {
    struct slot *slot = u->slots;
    while (slot->transfer != t) slot++;
    return slot;
}

static bool next_part(void *arg, weir__s3_transfer *t) {
    upload *u = arg;
    if (u->next == u->count) return false;
    uint64_t part = u->next++, from = part * u->in->part_bytes;
    uint64_t left = u->in->base.size - from;
    char number[24];
    slot_of(u, t)->part = part;
    snprintf(number, sizeof number, "%llu", (unsigned long long)part + 1);
    weir_buffer_clear(&t->query);
    weir__s3_query(t, "partNumber", weir_str_from(number));
    weir__s3_query(t, "uploadId", weir_buffer_str(&u->id));
    weir__s3_body_file(t, u->in->fd, u->in->from + from,
                       left < u->in->part_bytes ? left : u->in->part_bytes,
                       u->in->hashes.items + part * WEIR__SHA256_BYTES);
    return true;
}

/* It goes into XML. */
static void part_done(void *arg, weir__s3_transfer *t) {
    upload *u = arg;
    char *to = u->etags[slot_of(u, t)->part];
    for (const char *at = t->etag; *at; at++)
        if (*at > ' ' && *at < 127 && !strchr("\"<>&", *at)) *to++ = *at;
    *to = '\0';
}

static bool begin_upload(upload *u, weir_error *error) {
    weir__s3_transfer t;
    weir__s3_transfer_init(&t, u->s3, "POST", u->name);
    weir__s3_query(&t, "uploads", WEIR_STR(""));
    size_t from = 0;
    bool ok = weir__s3_send(&t, false, error);
    if (ok &&
        (!weir__s3_element(weir_buffer_str(&t.answer), "UploadId", &from, &u->id) || !u->id.length))
        ok = weir_fail(error, WEIR_IO, "S3 at %.120s begins an upload without naming it",
                       u->s3->host);
    weir__s3_transfer_deinit(&t);
    return ok;
}

static bool send_parts(upload *u, weir_error *error) {
    weir__s3_transfer slots[AT_ONCE];
    for (size_t i = 0; i < AT_ONCE; i++) {
        weir__s3_transfer_init(&slots[i], u->s3, "PUT", u->name);
        u->slots[i].transfer = &slots[i];
    }
    bool ok = weir__s3_run(u->s3, slots, AT_ONCE, &(weir__s3_source){next_part, part_done, u},
                           false, error);
    for (size_t i = 0; i < AT_ONCE; i++) weir__s3_transfer_deinit(&slots[i]);
    return ok;
}

static bool end_upload(upload *u, weir_error *error) {
    weir_buffer xml = {0};
    weir__s3_transfer t;
    weir_buffer_text(&xml, "<CompleteMultipartUpload>");
    for (uint64_t i = 0; i < u->count; i++)
        weir_buffer_printf(&xml,
                           "<Part><PartNumber>%llu</PartNumber><ETag>&quot;%s&quot;</ETag></Part>",
                           (unsigned long long)i + 1, u->etags[i]);
    weir_buffer_text(&xml, "</CompleteMultipartUpload>");
    weir__s3_transfer_init(&t, u->s3, "POST", u->name);
    weir__s3_query(&t, "uploadId", weir_buffer_str(&u->id));
    weir__s3_body(&t, weir_buffer_str(&xml));
    bool ok = weir__s3_send(&t, false, error);
    if (!ok && t.attempts > 1) { /* an earlier attempt may have done it, and its answer been lost */
        weir__object object;
        bool there;
        ok = u->s3->base.kind->look(&u->s3->base, u->name, &object, &there, NULL) && there &&
             object.size == u->in->base.size;
    }
    weir__s3_transfer_deinit(&t);
    weir_buffer_deinit(&xml);
    return ok;
}

static bool abort_upload(weir__s3 *s3, const char *name, weir_str id) {
    weir__s3_transfer t;
    weir__s3_transfer_init(&t, s3, "DELETE", name);
    weir__s3_query(&t, "uploadId", id);
    bool ok = weir__s3_send(&t, false, NULL);
    weir__s3_transfer_deinit(&t);
    return ok;
}

static bool put_parts(weir__s3 *s3, const incoming *in, const char *name, weir_error *error) {
    upload u = {.s3 = s3, .in = in, .name = name, .count = in->hashes.count / WEIR__SHA256_BYTES};
    u.etags = weir_alloc(u.count * sizeof *u.etags);
    bool ok = begin_upload(&u, error);
    if (ok) {
        ok = send_parts(&u, error) && end_upload(&u, error);
        if (!ok) (void)!abort_upload(s3, name, weir_buffer_str(&u.id));
    }
    weir_free(u.etags);
    weir_buffer_deinit(&u.id);
    return ok;
}

bool weir__s3_keep(weir_blobs *blobs, weir__incoming *base, const char *name, weir_error *error) {
    const incoming *in = (const incoming *)base;
    if (in->hashes.count) return put_parts((weir__s3 *)blobs, in, name, error);
    weir__s3_transfer t;
    weir__s3_transfer_init(&t, (weir__s3 *)blobs, "PUT", name);
    weir__s3_body_file(&t, in->fd, in->from, in->base.size, in->base.digest);
    bool ok = weir__s3_send(&t, false, error);
    weir__s3_transfer_deinit(&t);
    return ok;
}

/* --- what dead processes left --------------------------------------------------------------- */

/* What is under our prefix, and began long ago. Of a thousand at most: the next time has the others. */
bool weir__s3_sweep(weir_blobs *blobs, uint64_t *count, weir_error *error) {
    weir__s3 *s3 = (weir__s3 *)blobs;
    weir__s3_transfer t;
    weir_buffer key = {0}, id = {0}, begun = {0};
    weir__s3_transfer_init(&t, s3, "GET", "");
    weir__s3_query(&t, "prefix", weir_str_from(s3->prefix));
    weir__s3_query(&t, "uploads", WEIR_STR(""));
    bool ok = weir__s3_send(&t, false, error);
    weir_str xml = weir_buffer_str(&t.answer), section;
    for (size_t at = 0; ok && weir__s3_section(xml, "Upload", &at, &section);) {
        size_t a = 0, b = 0, c = 0, prefix = strlen(s3->prefix);
        if (!weir__s3_element(section, "Key", &a, &key) ||
            !weir__s3_element(section, "UploadId", &b, &id) ||
            !weir__s3_element(section, "Initiated", &c, &begun) || key.length <= prefix ||
            memcmp(key.data, s3->prefix, prefix) != 0 ||
            !weir__object_is_ours(weir_str_from(key.data + prefix)))
            continue;
        uint64_t begun_us = weir__s3_time(begun.data);
        if (begun_us && begun_us + s3->leftover_us < t.date_us)
            *count += abort_upload(s3, key.data + prefix, weir_buffer_str(&id));
    }
    weir__s3_transfer_deinit(&t);
    weir_buffer_deinit(&key);
    weir_buffer_deinit(&id);
    weir_buffer_deinit(&begun);
    return ok;
}

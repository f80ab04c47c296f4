#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "image/store_internal.h"

enum { PIECE_BYTES = 1024 * 1024, FLUSH_BYTES = 8 * 1024 * 1024, LOOK_MS = 20 };

struct weir__image_part {
    weir_image_store *store;
    const weir__sha256_functions *sha256;
    weir__sha256 *hash;
    int root, fd;
    char name[WEIR__IMAGE_FILE_BYTES];     /* in the store */
    char digest[WEIR__IMAGE_DIGEST_BYTES]; /* "": what it is */
    uint64_t bytes, bytes_max, flushed;
};

int weir__image_blob(weir_image_store *store, const char *digest, uint64_t *size) {
    char name[WEIR__IMAGE_FILE_BYTES];
    struct stat info;
    weir_error none;
    const char *hex = weir__image_hex(digest);
    int root = hex ? weir__image_root(store, false, &none) : -1;
    if (root < 0) return -1;
    int fd = openat(root, weir__image_file(name, "blobs/sha256/", hex, ""),
                    O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    close(root);
    if (fd >= 0 && (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))) {
        close(fd);
        return -1;
    }
    if (fd >= 0 && size) *size = (uint64_t)info.st_size;
    return fd;
}

/* Its time says that somebody wants it, who may have no name for it yet. */
bool weir__image_has_blob(weir_image_store *store, const char *digest) {
    int fd = weir__image_blob(store, digest, NULL);
    if (fd < 0) return false;
    (void)futimens(fd, NULL);
    close(fd);
    return true;
}

static void free_part(weir__image_part *part) {
    if (part->hash) part->sha256->end(part->hash);
    if (part->fd >= 0) close(part->fd);
    if (part->root >= 0) close(part->root);
    weir_free(part);
}

static bool failed(const weir__image_part *part, const char *doing, weir_error *error) {
    return weir__image_failed(part->store, doing, error);
}

static bool begin_part(weir_image_store *store, uint64_t bytes_max, weir__image_part **out,
                       weir_error *error) {
    weir__image_part *part = weir_alloc(sizeof *part);
    *part = (weir__image_part){.store = store, .root = -1, .fd = -1, .bytes_max = bytes_max};
    if (weir__sha256_open(&part->sha256, error)) {
        part->hash = part->sha256->begin();
        part->root = weir__image_root(store, true, error);
    }
    if (part->root < 0) {
        free_part(part);
        return false;
    }
    *out = part;
    return true;
}

/* What an earlier one left is a part of the digest. */
static bool read_before(weir__image_part *part, weir_error *error) {
    char *piece = weir_alloc(PIECE_BYTES);
    bool ok = true;
    for (ssize_t got = 1; ok && got != 0;) {
        got = read(part->fd, piece, PIECE_BYTES);
        if (got < 0 && errno != EINTR) ok = failed(part, "a partial blob cannot be read", error);
        if (got <= 0) continue;
        part->sha256->add(part->hash, piece, (size_t)got);
        part->bytes += (uint64_t)got;
        if (part->bytes > part->bytes_max) break;
    }
    weir_free(piece);
    part->flushed = part->bytes;
    return ok && (part->bytes <= part->bytes_max || weir__image_part_restart(part, error));
}

/* Locks the file as soon as nobody else has it. */
static bool wait_for_part(weir__image_part *part, const weir_image_watch *watch,
                          weir_error *error) {
    for (;;) {
        part->fd = weir__image_lock(part->root, part->name, LOCK_EX | LOCK_NB);
        if (part->fd >= 0) return true;
        if (errno != EWOULDBLOCK) return failed(part, "a partial blob cannot be opened", error);
        if (watch && watch->goes_on && !watch->goes_on(watch->arg))
            return weir_fail(error, WEIR_CANCELLED, "it was told to end");
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000 * 1000}, NULL);
    }
}

bool weir__image_part_open(weir_image_store *store, const char *digest, uint64_t bytes_max,
                           const weir_image_watch *watch, weir__image_part **out, uint64_t *offset,
                           weir_error *error) {
    weir__image_part *part;
    const char *hex = weir__image_hex_checked(digest, error);
    if (!hex || !begin_part(store, bytes_max, &part, error)) return false;
    snprintf(part->digest, sizeof part->digest, "%s", digest);
    weir__image_file(part->name, "partial/", hex, "");
    bool ok = wait_for_part(part, watch, error);
    if (ok && weir__image_blob_here(part->root, hex)) {
        (void)unlinkat(part->root, part->name, 0);
        free_part(part);
        *out = NULL;
        *offset = 0;
        return true;
    }
    ok = ok && read_before(part, error);
    if (!ok) {
        free_part(part);
        return false;
    }
    *offset = part->bytes;
    *out = part;
    return true;
}

bool weir__image_part_new(weir_image_store *store, uint64_t bytes_max, weir__image_part **out,
                          weir_error *error) {
    weir__image_part *part;
    if (!begin_part(store, bytes_max, &part, error)) return false;
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/partial/new-XXXXXX", store->folder);
    part->fd = mkostemp(path.data, O_CLOEXEC);
    bool ok = part->fd >= 0 && flock(part->fd, LOCK_EX | LOCK_NB) == 0;
    if (ok)
        snprintf(part->name, sizeof part->name, "partial/%s", strrchr(path.data, '/') + 1);
    else
        failed(part, "a blob cannot be made", error);
    weir_buffer_deinit(&path);
    if (ok)
        *out = part;
    else
        free_part(part);
    return ok;
}

/* The disk begins early, so that there is little to wait for at the end. */
static void flush(weir__image_part *part) {
    if (part->bytes - part->flushed < FLUSH_BYTES) return;
    (void)sync_file_range(part->fd, (off_t)part->flushed, (off_t)(part->bytes - part->flushed),
                          SYNC_FILE_RANGE_WRITE);
    part->flushed = part->bytes;
}

bool weir__image_part_write(weir__image_part *part, const void *data, size_t length,
                            weir_error *error) {
    if (length > part->bytes_max - part->bytes)
        return weir_fail(
            error, WEIR_LIMIT, "%s: there is more of it than the %llu bytes that it should have",
            *part->digest ? part->digest : "a blob", (unsigned long long)part->bytes_max);
    if (!weir_descriptor_write(part->fd, (weir_str){data, length}))
        return failed(part, "a blob cannot be written", error);
    part->sha256->add(part->hash, data, length);
    part->bytes += length;
    flush(part);
    return true;
}

bool weir__image_part_restart(weir__image_part *part, weir_error *error) {
    unsigned char digest[WEIR__SHA256_BYTES];
    part->sha256->take(part->hash, digest);
    part->bytes = part->flushed = 0;
    return (ftruncate(part->fd, 0) == 0 && lseek(part->fd, 0, SEEK_SET) == 0) ||
           failed(part, "a partial blob cannot be emptied", error);
}

static void throw_away(weir__image_part *part) {
    (void)unlinkat(part->root, part->name, 0);
    free_part(part);
}

static bool make_blob(weir__image_part *part, const char *hex, weir_error *error) {
    char name[WEIR__IMAGE_FILE_BYTES];
    weir__image_file(name, "blobs/sha256/", hex, "");
    return (fchmod(part->fd, 0444) == 0 && fdatasync(part->fd) == 0 &&
            renameat(part->root, part->name, part->root, name) == 0) ||
           failed(part, "a blob cannot be kept", error);
}

bool weir__image_part_keep(weir__image_part *part, char digest[static 72], weir_error *error) {
    unsigned char bytes[WEIR__SHA256_BYTES];
    char hex[WEIR__SHA256_LETTERS + 1];
    part->sha256->take(part->hash, bytes);
    weir__sha256_format(bytes, hex);
    bool ok = !*part->digest || strcmp(part->digest + 7, hex) == 0;
    if (!ok) weir_fail(error, WEIR_INVALID, "what came as %s is sha256:%s", part->digest, hex);
    ok = ok && make_blob(part, hex, error);
    if (ok) {
        snprintf(digest, WEIR__IMAGE_DIGEST_BYTES, "sha256:%s", hex);
        free_part(part);
    } else {
        throw_away(part);
    }
    return ok;
}

bool weir__image_part_commit(weir__image_part *part, weir_error *error) {
    char digest[WEIR__IMAGE_DIGEST_BYTES];
    return weir__image_part_keep(part, digest, error);
}

void weir__image_part_leave(weir__image_part *part) {
    if (!part) return;
    if (part->bytes && *part->digest)
        free_part(part);
    else
        throw_away(part);
}

bool weir__image_put(weir_image_store *store, weir_str bytes, char digest[72], weir_error *error) {
    weir__image_part *part;
    char found[WEIR__IMAGE_DIGEST_BYTES];
    if (*digest && !weir__image_hex_checked(digest, error)) return false;
    if (!weir__image_part_new(store, bytes.length, &part, error)) return false;
    snprintf(part->digest, sizeof part->digest, "%s", digest);
    if (!weir__image_part_write(part, bytes.data, bytes.length, error)) {
        throw_away(part);
        return false;
    }
    if (!weir__image_part_keep(part, found, error)) return false;
    memcpy(digest, found, sizeof found);
    return true;
}

bool weir__image_get(weir_image_store *store, const char *digest, size_t bytes_max,
                     weir_buffer *out, weir_error *error) {
    char name[WEIR__IMAGE_FILE_BYTES];
    const char *hex = weir__image_hex_checked(digest, error);
    int root = hex ? weir__image_root(store, false, error) : -1;
    if (root < 0) return false;
    weir__image_file(name, "blobs/sha256/", hex, "");
    bool ok = weir__image_slurp(store, root, name, bytes_max, out, error);
    close(root);
    return ok;
}

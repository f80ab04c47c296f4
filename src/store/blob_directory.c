/* Blobs in a directory:
 *     sha256/ab/HEX       a blob
 *     refs/ab/HEX.OWNER   a reference, empty
 *     tmp/                what is being put; a file there is locked by the process that writes it
 *     lock                the gate
 * A file gets its name once it is whole and on the disk. Within the directory no symbolic link is followed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "store/blob_kind.h"

enum { CHUNK_BYTES = 1024 * 1024, FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

typedef struct directory {
    weir_blobs base; /* first */
    char *path;
    int root;
} directory;

typedef struct incoming {
    weir__incoming base; /* first */
    int fd;
    char name[40]; /* in tmp; "" once it was renamed */
} incoming;

static bool fail(const directory *d, int reason, const char *what, weir_error *error) {
    weir_fail(error, WEIR_IO, "blobs in `%.200s`: %s: %s", d->path, what, strerror(reason));
    if (reason == ENOSPC || reason == EDQUOT)
        weir_error_hint(error, "make room on the disk, or name another place with --blobs");
    else if (reason == EFBIG)
        weir_error_hint(error, "files may not grow that large here: see `ulimit -f`");
    else if (reason == EACCES || reason == EPERM || reason == EROFS)
        weir_error_hint(error, "name a directory that you may write with --blobs");
    else if (reason == ELOOP || reason == ENOTDIR)
        weir_error_hint(error, "within it no symbolic link is followed");
    return false;
}

/* --- folders -------------------------------------------------------------------------------- */

/* The folder below one; made, and durable, with `make`. -1 and errno. */
static int open_below(int folder, const char *name, bool make) {
    int fd = openat(folder, name, FOLDER);
    if (fd >= 0 || errno != ENOENT || !make) return fd;
    if (mkdirat(folder, name, 0700) < 0 && errno != EEXIST) return -1;
    return fsync(folder) == 0 ? openat(folder, name, FOLDER) : -1;
}

/* The folder that the object is in: "sha256/ab" of "sha256/ab/HEX". */
static int open_folder(const directory *d, const char *object, bool make) {
    const char *slash = strchr(object, '/');
    char top[8], fan[3] = {slash[1], slash[2], '\0'};
    snprintf(top, sizeof top, "%.*s", (int)(slash - object), object);
    int upper = open_below(d->root, top, make);
    if (upper < 0) return -1;
    int fd = open_below(upper, fan, make), reason = errno;
    close(upper);
    errno = reason;
    return fd;
}

static const char *file_of(const char *object) {
    return strrchr(object, '/') + 1;
}

/* --- open and close ------------------------------------------------------------------------- */

static bool make_root(const directory *d, weir_error *error) {
    if (mkdir(d->path, 0700) == 0 || errno == EEXIST) return true;
    int reason = errno;
    const char *slash = strrchr(d->path, '/');
    if (reason == ENOENT && slash && slash > d->path) {
        char *parent = weir_str_dup((weir_str){d->path, (size_t)(slash - d->path)});
        bool made = (mkdir(parent, 0700) == 0 || errno == EEXIST) && mkdir(d->path, 0700) == 0;
        reason = made ? 0 : errno;
        weir_free(parent);
    }
    return !reason || errno == EEXIST || fail(d, reason, "it cannot be made", error);
}

static void directory_close(weir_blobs *blobs) {
    directory *d = (directory *)blobs;
    if (d->root >= 0) close(d->root);
    weir_free(d->path);
    weir_free(d);
}

/* Removes the file if nobody writes it; whether it did. */
static bool remove_leftover(int folder, const char *name) {
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return false;
    bool gone = flock(fd, LOCK_EX | LOCK_NB) == 0 && unlinkat(folder, name, 0) == 0;
    close(fd);
    return gone;
}

static bool directory_sweep(weir_blobs *blobs, uint64_t *count, weir_error *error) {
    directory *d = (directory *)blobs;
    int fd = open_below(d->root, "tmp", false);
    if (fd < 0) return errno == ENOENT || fail(d, errno, "tmp cannot be read", error);
    DIR *folder = fdopendir(fd);
    weir_assert(folder);
    const struct dirent *entry;
    while ((entry = readdir(folder)))
        if (entry->d_name[0] != '.') *count += remove_leftover(fd, entry->d_name);
    closedir(folder);
    return true;
}

static bool directory_open(const char *where, bool make, weir_blobs **out, weir_error *error) {
    directory *d = weir_alloc(sizeof *d);
    *d = (directory){{&weir__blob_directory}, weir_str_dup(weir_str_from(where)), -1};
    uint64_t count = 0;
    bool ok = !make || make_root(d, error);
    if (ok) {
        d->root = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ok = d->root >= 0;
        if (!ok && errno == ENOENT) {
            weir_fail(error, WEIR_NOT_FOUND, "there are no blobs here: no directory `%s`", where);
            weir_error_hint(error, "`weir blob put FILE` makes it");
        } else if (!ok) {
            fail(d, errno, "it cannot be opened", error);
        }
    }
    if (ok && make) ok = directory_sweep(&d->base, &count, error);
    if (ok)
        *out = &d->base;
    else
        directory_close(&d->base);
    return ok;
}

/* --- what comes in -------------------------------------------------------------------------- */

/* A new file in tmp that is locked by this process. Between its making and its locking another one may take it for a
 * leftover: then there is a next. */
static bool make_temporary(const directory *d, incoming *in, weir_error *error) {
    int folder = open_below(d->root, "tmp", true);
    if (folder < 0) return fail(d, errno, "tmp cannot be made", error);
    for (;;) {
        uint64_t number;
        struct stat info;
        weir_assert(getrandom(&number, sizeof number, 0) == sizeof number);
        snprintf(in->name, sizeof in->name, "%ld-%016" PRIx64, (long)getpid(), number);
        in->fd = openat(folder, in->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (in->fd < 0) break;
        if (flock(in->fd, LOCK_EX | LOCK_NB) == 0 && fstat(in->fd, &info) == 0 && info.st_nlink)
            break;
        close(in->fd);
    }
    int reason = errno;
    close(folder);
    return in->fd >= 0 || fail(d, reason, "a file cannot be made", error);
}

static bool copy_in(const directory *d, int from, incoming *in, weir_error *error) {
    const weir__sha256_functions *sha256;
    if (!weir__sha256_open(&sha256, error)) return false;
    weir__sha256 *hash = sha256->begin();
    char *chunk = weir_alloc(CHUNK_BYTES);
    bool ok = true;
    for (;;) {
        ssize_t got = read(from, chunk, CHUNK_BYTES);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) ok = weir_fail(error, WEIR_IO, "cannot read: %s", strerror(errno));
        if (got <= 0) break;
        sha256->add(hash, chunk, (size_t)got);
        in->base.size += (uint64_t)got;
        ok = weir_descriptor_write(in->fd, (weir_str){chunk, (size_t)got}) ||
             fail(d, errno, "the blob cannot be written", error);
        if (!ok) break;
    }
    sha256->take(hash, in->base.digest);
    sha256->end(hash);
    weir_free(chunk);
    return ok;
}

static void directory_drop(weir_blobs *blobs, weir__incoming *base) {
    directory *d = (directory *)blobs;
    incoming *in = (incoming *)base;
    int folder = *in->name ? open_below(d->root, "tmp", false) : -1;
    if (folder >= 0) {
        unlinkat(folder, in->name, 0);
        close(folder);
    }
    if (in->fd >= 0) close(in->fd);
    weir_free(in);
}

static bool directory_receive(weir_blobs *blobs, int fd, weir__incoming **out, weir_error *error) {
    directory *d = (directory *)blobs;
    incoming *in = weir_alloc(sizeof *in);
    in->fd = -1;
    bool ok = make_temporary(d, in, error) && copy_in(d, fd, in, error);
    /* Its mode says that it does not change any more. */
    if (ok && (fchmod(in->fd, 0400) < 0 || fsync(in->fd) < 0))
        ok = fail(d, errno, "the blob cannot be written", error);
    if (ok)
        *out = &in->base;
    else
        directory_drop(blobs, &in->base);
    return ok;
}

static bool directory_keep(weir_blobs *blobs, weir__incoming *base, const char *name,
                           weir_error *error) {
    directory *d = (directory *)blobs;
    incoming *in = (incoming *)base;
    int from = open_below(d->root, "tmp", false), to = from < 0 ? -1 : open_folder(d, name, true);
    bool ok = to >= 0 && renameat(from, in->name, to, file_of(name)) == 0;
    if (ok) *in->name = '\0';
    ok = ok && fsync(to) == 0;
    if (!ok) fail(d, errno, "the blob cannot be named", error);
    if (from >= 0) close(from);
    if (to >= 0) close(to);
    return ok;
}

static bool directory_mark(weir_blobs *blobs, const char *name, weir_error *error) {
    directory *d = (directory *)blobs;
    int folder = open_folder(d, name, true), fd = -1;
    if (folder >= 0)
        fd = openat(folder, file_of(name), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    /* One that was there already is as young as its put: see PUT_US_MAX in blob.c. */
    bool ok = fd >= 0 && futimens(fd, NULL) == 0 && fsync(folder) == 0;
    if (!ok) fail(d, errno, "a reference cannot be made", error);
    if (fd >= 0) close(fd);
    if (folder >= 0) close(folder);
    return ok;
}

/* --- what there is -------------------------------------------------------------------------- */

static bool describe(int folder, const char *name, weir__object *out) {
    struct stat info;
    if (fstatat(folder, file_of(name), &info, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(info.st_mode))
        return false;
    snprintf(out->name, sizeof out->name, "%s", name);
    out->size = (uint64_t)info.st_size;
    out->modified_us =
        (uint64_t)info.st_mtim.tv_sec * 1000000 + (uint64_t)info.st_mtim.tv_nsec / 1000;
    return true;
}

static bool directory_look(weir_blobs *blobs, const char *name, weir__object *out, bool *found,
                           weir_error *error) {
    directory *d = (directory *)blobs;
    int folder = open_folder(d, name, false);
    if (folder < 0 && errno != ENOENT) return fail(d, errno, "a folder cannot be read", error);
    *found = folder >= 0 && describe(folder, name, out);
    if (folder >= 0) close(folder);
    return true;
}

static bool read_range(const directory *d, int fd, uint64_t from, uint64_t length,
                       const weir__sink *sink, weir_error *error) {
    char *chunk = weir_alloc(CHUNK_BYTES);
    bool ok = true;
    while (ok && length) {
        size_t wanted = length < CHUNK_BYTES ? (size_t)length : CHUNK_BYTES;
        ssize_t got = pread(fd, chunk, wanted, (off_t)from);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) ok = fail(d, errno, "a blob cannot be read", error);
        if (got <= 0) break;
        ok = sink->take(sink->arg, chunk, (size_t)got, error);
        from += (uint64_t)got;
        length -= (uint64_t)got;
    }
    weir_free(chunk);
    return ok;
}

static bool directory_read(weir_blobs *blobs, const char *name, uint64_t from, uint64_t length,
                           const weir__sink *sink, weir_error *error) {
    directory *d = (directory *)blobs;
    int folder = open_folder(d, name, false), fd = -1;
    struct stat info;
    if (folder >= 0)
        fd = openat(folder, file_of(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int reason = errno;
    if (folder >= 0) close(folder);
    if (fd < 0)
        return reason == ENOENT ? weir_fail(error, WEIR_NOT_FOUND, "no such blob")
                                : fail(d, reason, "a blob cannot be opened", error);
    bool ok;
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))
        ok = fail(d, EINVAL, "a blob is no regular file", error);
    else if (from > (uint64_t)info.st_size)
        ok = weir__range_beyond(from, (uint64_t)info.st_size, error);
    else
        ok = read_range(d, fd, from, length, sink, error);
    close(fd);
    return ok;
}

static bool directory_remove(weir_blobs *blobs, const char *name, weir_error *error) {
    directory *d = (directory *)blobs;
    int folder = open_folder(d, name, false);
    bool ok = folder >= 0 && unlinkat(folder, file_of(name), 0) == 0;
    if (!ok && errno == ENOENT) ok = true;
    if (!ok) fail(d, errno, "it cannot be removed", error);
    if (folder >= 0) close(folder);
    return ok;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const weir__object *)a)->name, ((const weir__object *)b)->name);
}

/* What one folder has. */
static bool list_folder(const directory *d, weir_str fan, weir_str prefix, const char *after,
                        weir__objects *out, weir_error *error) {
    char name[WEIR__OBJECT_NAME_MAX + NAME_MAX];
    snprintf(name, sizeof name, "%.*s/", WEIR_ARG(fan));
    int fd = open_folder(d, name, false);
    if (fd < 0) return errno == ENOENT || fail(d, errno, "a folder cannot be read", error);
    DIR *folder = fdopendir(fd);
    weir_assert(folder);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry) break;
        snprintf(name, sizeof name, "%.*s/%s", WEIR_ARG(fan), entry->d_name);
        weir__object object;
        if (weir__object_is_ours(weir_str_from(name)) &&
            weir_str_starts(weir_str_from(name), prefix) && strcmp(name, after) > 0 &&
            describe(fd, name, &object))
            *weir_vector_push(out) = object;
    }
    bool ok = errno == 0 || fail(d, errno, "a folder cannot be read", error);
    closedir(folder);
    if (ok && out->count) qsort(out->items, out->count, sizeof *out->items, by_name);
    return ok;
}

static bool directory_list(weir_blobs *blobs, const char *prefix, const char *after,
                           weir__object_visit *visit, void *arg, weir_error *error) {
    directory *d = (directory *)blobs;
    weir__objects found = {0};
    bool ok = true;
    size_t top = strcspn(prefix, "/") + 1;
    bool one = prefix[top] != '\0';
    const char *start = one ? prefix : after;
    unsigned long first = 0, last;
    if (*start) {
        char digits[3] = {start[top], start[top + 1], '\0'};
        first = strtoul(digits, NULL, 16);
    }
    last = one ? first : 255;
    for (unsigned long fan = first; ok && fan <= last && !found.count; fan++) {
        char name[16];
        snprintf(name, sizeof name, "%.*s%02lx", (int)top, prefix, fan & 255);
        ok = list_folder(d, weir_str_from(name), weir_str_from(prefix), after, &found, error);
    }
    for (size_t i = 0; ok && i < found.count; i++) visit(arg, &found.items[i]);
    weir_vector_deinit(&found);
    return ok;
}

/* --- the gate ------------------------------------------------------------------------------- */

static bool directory_enter(weir_blobs *blobs, bool alone, weir__gate *gate, weir_error *error) {
    directory *d = (directory *)blobs;
    *gate = (weir__gate){.alone = alone};
    gate->fd = openat(d->root, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (gate->fd < 0) return fail(d, errno, "its lock cannot be opened", error);
    while (flock(gate->fd, alone ? LOCK_EX : LOCK_SH) < 0) {
        if (errno == EINTR) continue;
        fail(d, errno, "it cannot be locked", error);
        close(gate->fd);
        return false;
    }
    return true;
}

/* The kernel keeps a lock as long as its process. */
static bool directory_renew(weir_blobs *blobs, weir__gate *gate, weir_error *error) {
    (void)blobs, (void)gate, (void)error;
    return true;
}

static void directory_leave(weir_blobs *blobs, weir__gate *gate) {
    (void)blobs;
    close(gate->fd);
}

const weir__blob_kind weir__blob_directory = {
    .version = WEIR_VERSION,
    .open = directory_open,
    .close = directory_close,
    .receive = directory_receive,
    .keep = directory_keep,
    .drop = directory_drop,
    .mark = directory_mark,
    .look = directory_look,
    .read = directory_read,
    .remove = directory_remove,
    .list = directory_list,
    .enter = directory_enter,
    .renew = directory_renew,
    .leave = directory_leave,
    .sweep = directory_sweep,
};

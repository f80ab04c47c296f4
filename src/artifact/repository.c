#include "artifact/repository.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "artifact/repository_internal.h"
#include "base/remove.h"

weir_repository *weir_repository_new(const weir_repository_options *options) {
    weir_repository *r = weir_alloc(sizeof *r);
    if (options->folder) r->folder = weir_str_dup(weir_str_from(options->folder));
    r->lock = -1;
    r->buckets = weir_value_ref((weir_value *)(uintptr_t)options->buckets);
    r->limits = options->limits;
    r->durable = options->durable;
    return r;
}

void weir_repository_free(weir_repository *r) {
    if (!r) return;
    if (r->lock >= 0) {
        weir__remove_within(r->folder, SIZE_MAX);
        rmdir(r->folder);
        close(r->lock);
    }
    weir_value_unref(r->buckets);
    weir_free(r->folder);
    weir_free(r);
}

bool weir__own_folder(const char *base, const char *name, weir_buffer *path, int *lock,
                      weir_error *error) {
    struct stat info;
    const char *temporary = getenv("TMPDIR");
    if (base)
        weir_buffer_text(path, base);
    else
        weir_buffer_printf(path, "%s/weir-%s-%u", temporary && *temporary ? temporary : "/var/tmp",
                           name, (unsigned)geteuid());
    bool ok = (mkdir(path->data, 0700) == 0 || errno == EEXIST) && stat(path->data, &info) == 0;
    if (ok && info.st_uid != geteuid())
        return weir_fail(error, WEIR_IO, "the folder `%s` is another user's", path->data);
    if (ok) weir__folders_sweep(path->data);
    weir_buffer_printf(path, "/%s-XXXXXX", name);
    *lock = ok ? weir__folder_lock(path->data) : -1;
    char *full = *lock >= 0 ? realpath(path->data, NULL) : NULL;
    if (!full)
        return weir_fail(error, WEIR_IO, "the folder `%s` cannot be made: %s", path->data,
                         strerror(errno));
    weir_buffer_clear(path);
    weir_buffer_text(path, full);
    free(full);
    return true;
}

bool weir_repository_ready(weir_repository *r, weir_error *error) {
    weir_buffer path = {0};
    if (r->folder) return true;
    if (weir__own_folder(NULL, "artifacts", &path, &r->lock, error)) {
        r->folder = path.data;
        return true;
    }
    weir_buffer_deinit(&path);
    return false;
}

const weir_artifact_limits *weir_repository_limits(const weir_repository *r) {
    return &r->limits;
}

bool weir_artifact_form_parse(weir_str text, weir_artifact_form *out, weir_error *error) {
    static const char *const names[] = {"", "tar", "zip", "none"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!weir_str_is(text, names[i])) continue;
        *out = (weir_artifact_form)i;
        return true;
    }
    return weir_fail(error, WEIR_INVALID, "`%.*s` is no form of an archive: tar, zip or none",
                     WEIR_ARG(text));
}

/* --- keys ----------------------------------------------------------------------------------- */

static bool refuse(weir_str key, const char *why, weir_error *error) {
    return weir_fail(error, WEIR_INVALID, "the key `%.*s` %s", WEIR_ARG(key), why);
}

bool weir__key_clean(weir_str key, weir_buffer *out, weir_error *error) {
    int depth = 0;
    if (key.length > WEIR_ARTIFACT_KEY_BYTES_MAX) return refuse(key, "is too long", error);
    if (memchr(key.data, '\0', key.length)) return refuse(key, "has a NUL in it", error);
    for (size_t from = 0; from < key.length;) {
        size_t end = weir_str_find(key, WEIR_STR("/"), from);
        weir_str part = weir_str_slice(key, from, end);
        from = end == SIZE_MAX ? key.length : end + 1;
        if (!part.length || weir_str_is(part, ".")) continue;
        if (weir_str_is(part, "..")) return refuse(key, "has `..` in it", error);
        if (part.length > NAME_BYTES_MAX) return refuse(key, "has a part that is too long", error);
        if (++depth > WEIR_ARTIFACT_DEPTH_MAX) return refuse(key, "has too many parts", error);
        if (depth == 1 && weir_str_is(part, WEIR__WORKSHOP))
            return refuse(key, "is a name of the repository's own", error);
        if (out->length) weir_buffer_byte(out, '/');
        weir_buffer_str_append(out, part);
    }
    return true;
}

/* --- folders -------------------------------------------------------------------------------- */

static const char *folder_of(const weir_repository *r, weir_str bucket) {
    const weir_value *own = bucket.length && r->buckets ? weir_member(r->buckets, bucket) : NULL;
    return weir_is(own, WEIR_STRING) ? weir_string_get(own).data : r->folder;
}

bool weir__folders_make(const char *path) {
    weir_buffer copy = {0};
    weir_buffer_text(&copy, path);
    bool ok = true;
    for (size_t i = 1; ok && i <= copy.length; i++) {
        if (copy.data[i] != '/' && copy.data[i]) continue;
        char kept = copy.data[i];
        copy.data[i] = '\0';
        ok = mkdir(copy.data, 0777) == 0 || errno == EEXIST;
        copy.data[i] = kept;
    }
    weir_buffer_deinit(&copy);
    return ok;
}

bool weir__root_open(const weir_repository *r, weir_str bucket, bool make, int *out,
                     weir_error *error) {
    const char *folder = folder_of(r, bucket);
    *out = -1;
    if (!folder) {
        weir_assert(!make);
        return true;
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && make && weir__folders_make(folder))
        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *out = fd;
    if (fd >= 0 || (errno == ENOENT && !make)) return true;
    weir_fail(error, WEIR_IO, "the artifacts in `%.300s` cannot be used: %s", folder,
              strerror(errno));
    weir_error_hint(error, "name a folder that you may write with artifacts.directory");
    return false;
}

/* --- what is half done ---------------------------------------------------------------------- */

/* What nobody has locked is of a process that is gone. */
static void sweep(int workshop) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", workshop);
    weir__folders_sweep(path);
}

/* A new folder that is locked by this process. Between its making and its locking another one may take it for a leftover: then there is a
 * next. */
static int make_locked(int workshop, char name[static WEIR__TABLE_NAME]) {
    for (;;) {
        uint64_t number;
        struct stat info;
        weir_assert(getrandom(&number, sizeof number, 0) == sizeof number);
        snprintf(name, WEIR__TABLE_NAME, "%ld-%016" PRIx64, (long)getpid(), number);
        if (mkdirat(workshop, name, 0700) < 0) return -1;
        int fd = openat(workshop, name, WEIR__FOLDER_FLAGS);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
            fstatat(workshop, name, &info, AT_SYMLINK_NOFOLLOW) == 0)
            return fd;
        if (fd < 0 && errno != ENOENT) return -1;
        if (fd >= 0) close(fd);
    }
}

bool weir__table_open(weir_repository *r, int root, weir__table *out, weir_error *error) {
    *out = (weir__table){.workshop = -1, .fd = -1};
    if (mkdirat(root, WEIR__WORKSHOP, 0700) == 0 || errno == EEXIST)
        out->workshop = openat(root, WEIR__WORKSHOP, WEIR__FOLDER_FLAGS);
    if (out->workshop >= 0 && !atomic_exchange(&r->swept, true)) sweep(out->workshop);
    if (out->workshop >= 0) out->fd = make_locked(out->workshop, out->name);
    if (out->fd >= 0) return true;
    weir_fail(error, WEIR_IO, "nothing can be kept in the artifacts: %s", strerror(errno));
    if (out->workshop >= 0) close(out->workshop);
    return false;
}

void weir__table_close(weir__table *table) {
    weir__tree_remove(table->workshop, table->name);
    close(table->fd);
    close(table->workshop);
}

/* --- looking -------------------------------------------------------------------------------- */

/* A path of the key, opened as far as it goes without links; *rest is what of it is left behind a file. -1: there is nothing. */
static int walk(int root, char *key, const char **rest) {
    int fd = openat(root, ".", WEIR__FOLDER_FLAGS);
    for (char *part = key; fd >= 0 && *part;) {
        char *slash = strchr(part, '/');
        struct stat info;
        if (slash) *slash = '\0';
        int inner = openat(fd, part, WEIR__FILE_FLAGS);
        int reason = errno;
        if (slash) *slash = '/';
        close(fd);
        errno = reason;
        fd = inner;
        part = slash ? slash + 1 : part + strlen(part);
        *rest = part;
        if (fd < 0 || (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode))) continue;
        if (S_ISREG(info.st_mode)) break;
        close(fd);
        errno = ENOENT;
        fd = -1;
    }
    return fd;
}

bool weir__artifact_find(weir_repository *r, const weir_artifact_place *place, weir_buffer *key,
                         int *out, const char **rest, weir_error *error) {
    int root;
    if (!weir__key_clean(place->key, key, error)) return false;
    if (!key->length) return refuse(place->key, "is empty", error);
    if (!weir__root_open(r, place->bucket, false, &root, error)) return false;
    *rest = "";
    *out = root < 0 ? -1 : walk(root, key->data, rest);
    int reason = root < 0 ? ENOENT : errno;
    if (root >= 0) close(root);
    if (*out >= 0) return true;
    if (reason == ENOENT || reason == ENOTDIR || reason == ELOOP)
        return weir_fail(error, WEIR_NOT_FOUND, "there is no artifact with the key `%s`",
                         key->data);
    return weir_fail(error, WEIR_IO, "the artifact with the key `%s` cannot be read: %s", key->data,
                     strerror(reason));
}

bool weir_repository_open(weir_repository *r, const weir_artifact_place *place, int *out,
                          weir_error *error) {
    weir_buffer key = {0};
    const char *rest;
    int fd = -1;
    bool ok = weir__artifact_find(r, place, &key, &fd, &rest, error);
    if (ok && *rest) {
        close(fd);
        ok = weir_fail(error, WEIR_NOT_FOUND, "there is no artifact with the key `%s`", key.data);
    }
    if (ok) *out = fd;
    weir_buffer_deinit(&key);
    return ok;
}

/* What comes into the repository, and what goes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "artifact/repository_internal.h"

#define MADE "made" /* on a table */

typedef struct publishing {
    weir_repository *repository;
    const char *key;
    weir_error *error;
} publishing;

static bool failed(const publishing *p, const char *doing) {
    int reason = errno;
    weir_fail(p->error, WEIR_IO, "the artifact `%s` cannot be kept: %s: %s", p->key, doing,
              strerror(reason));
    if (reason == ENOSPC || reason == EDQUOT) weir_error_hint(p->error, "make room on the disk");
    return false;
}

static bool in_the_way(const publishing *p, const char *what) {
    return weir_fail(p->error, WEIR_CONFLICT,
                     "the artifact `%s` cannot be kept: another one is a %s there", p->key, what);
}

/* The folder that the key is in, made; -1. Whoever removes something may remove an empty one meanwhile, so it is tried again. */
static int open_above(const publishing *p, int root, const char **last) {
    enum { TRIES = 100 };
    const char *slash = strrchr(p->key, '/');
    *last = slash ? slash + 1 : p->key;
    char *above = weir_str_dup((weir_str){p->key, slash ? (size_t)(slash - p->key) : 0});
    int folder = -1;
    for (int i = 0; folder < 0 && i < TRIES; i++) {
        folder = openat(root, ".", WEIR__FOLDER_FLAGS);
        for (char *part = above, *end; folder >= 0 && *part; part = end) {
            end = part + strcspn(part, "/");
            char kept = *end;
            *end = '\0';
            bool made = mkdirat(folder, part, 0777) == 0;
            if (made && p->repository->durable) (void)fsync(folder);
            int inner = made || errno == EEXIST ? openat(folder, part, WEIR__FOLDER_FLAGS) : -1;
            int reason = errno;
            close(folder);
            errno = reason;
            folder = inner;
            *end = kept;
            if (kept) end++;
        }
        if (folder < 0 && errno != ENOENT) break;
    }
    int reason = errno;
    weir_free(above);
    errno = reason;
    if (folder < 0 && (errno == ENOTDIR || errno == ELOOP))
        (void)in_the_way(p, "file");
    else if (folder < 0)
        (void)failed(p, "its folder cannot be made");
    return folder;
}

static bool publish_file(const publishing *p, int from, const char *name, int to, const char *as) {
    if (renameat(from, name, to, as) == 0) return true;
    return errno == EISDIR || errno == EEXIST || errno == ENOTEMPTY ? in_the_way(p, "folder")
                                                                    : failed(p, "moving it");
}

/* A folder that is not there yet comes at once; else its files come one by one. */
static bool publish_folder(const publishing *p, weir__work *w, int from, const char *name, int to,
                           const char *as) {
    weir_arena arena = {0};
    weir__names names = {0};
    struct stat info;
    if (renameat2(from, name, to, as, RENAME_NOREPLACE) == 0) return true;
    if (errno != EEXIST && errno != EINVAL) return failed(p, "moving it");
    if (mkdirat(to, as, 0777) < 0 && errno != EEXIST) return failed(p, "its folder cannot be made");
    int inner_to = openat(to, as, WEIR__FOLDER_FLAGS);
    if (inner_to < 0)
        return errno == ENOTDIR || errno == ELOOP ? in_the_way(p, "file") : failed(p, "opening it");
    int inner = openat(from, name, WEIR__FOLDER_FLAGS);
    bool ok = (inner >= 0 || failed(p, "opening it")) && weir__names_read(w, inner, &arena, &names);
    for (size_t i = 0; ok && i < names.count; i++) {
        const char *part = names.items[i];
        ok = fstatat(inner, part, &info, AT_SYMLINK_NOFOLLOW) == 0 || failed(p, "looking at it");
        ok = ok && (S_ISDIR(info.st_mode) ? publish_folder(p, w, inner, part, inner_to, part)
                                          : publish_file(p, inner, part, inner_to, part));
    }
    if (inner >= 0) close(inner);
    close(inner_to);
    weir_vector_deinit(&names);
    weir_arena_deinit(&arena);
    return ok;
}

/* Gives what was made its key, and sees to it that it is on the disk before. */
static bool publish(const publishing *p, weir__work *w, int root, const weir__table *table) {
    const char *last;
    struct stat info;
    int made = openat(table->fd, MADE, WEIR__FILE_FLAGS);
    bool ok = (made >= 0 && fstat(made, &info) == 0) || failed(p, "opening it");
    bool folder = ok && S_ISDIR(info.st_mode);
    if (ok && p->repository->durable)
        ok = (folder ? syncfs(made) : fsync(made)) == 0 || failed(p, "writing it");
    if (made >= 0) close(made);
    int above = ok ? open_above(p, root, &last) : -1;
    if (above < 0) return false;
    w->files = 0; /* they were counted as they were made */
    ok = folder ? publish_folder(p, w, table->fd, MADE, above, last)
                : publish_file(p, table->fd, MADE, above, last);
    if (ok && p->repository->durable) ok = fsync(above) == 0 || failed(p, "writing its folder");
    close(above);
    return ok;
}

/* Takes `from` over. */
static bool make(weir__work *w, int from, const char *name, weir_artifact_form form, int level,
                 const weir__table *table) {
    if (form == WEIR_ARTIFACT_PLAIN) return weir__tree_copy(w, from, table->fd, MADE);
    int to = openat(table->fd, MADE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (to < 0) {
        close(from);
        return weir__work_failed(w, "a file cannot be made");
    }
    bool ok =
        weir__pack(w, from, name, form == WEIR_ARTIFACT_ZIP ? WEIR__ARCHIVE_ZIP : WEIR__ARCHIVE_TAR,
                   level, to);
    struct stat info;
    ok = ok && (fstat(to, &info) == 0 || weir__work_failed(w, "it cannot be looked at"));
    if (close(to) < 0 && ok) ok = weir__work_failed(w, "it cannot be written");
    if (ok) w->bytes = (uint64_t)info.st_size;
    return ok;
}

bool weir_repository_keep(weir_repository *r, const weir_artifact_place *place, int from,
                          const char *name, weir_artifact_form form, int level,
                          const atomic_bool *cancelled, weir_artifact_kept *out,
                          weir_error *error) {
    weir_buffer key = {0};
    weir__table table;
    weir__work w;
    int root = -1;
    bool ok = weir__key_clean(place->key, &key, error) &&
              (key.length || weir_fail(error, WEIR_INVALID, "the key is empty")) &&
              weir__root_open(r, place->bucket, true, &root, error) &&
              weir__table_open(r, root, &table, error);
    if (!ok) {
        close(from);
    } else {
        publishing p = {r, key.data, error};
        weir_artifact_kept kept;
        weir__work_init(&w, name, &r->limits, cancelled, error);
        ok = weir__work_hash(&w);
        if (ok)
            ok = make(&w, from, name, form, level, &table);
        else
            close(from);
        kept.bytes = w.bytes;
        kept.left_out = w.left_out;
        if (ok) weir__work_digest(&w, kept.sha256);
        ok = ok && publish(&p, &w, root, &table);
        if (ok) *out = kept;
        weir__work_deinit(&w);
        weir__table_close(&table);
    }
    if (root >= 0) close(root);
    weir_buffer_deinit(&key);
    return ok;
}

/* --- removing ------------------------------------------------------------------------------- */

/* Empty folders above what was removed go, too. */
static void remove_above(int root, char *key) {
    for (char *slash; (slash = strrchr(key, '/'));) {
        *slash = '\0';
        if (unlinkat(root, key, AT_REMOVEDIR) < 0) return;
    }
}

/* First out of sight, all at once. */
bool weir_repository_remove(weir_repository *r, const weir_artifact_place *place,
                            weir_error *error) {
    weir_buffer key = {0};
    weir__table table;
    int root = -1, fd = -1;
    const char *rest = "";
    bool ok = weir__artifact_find(r, place, &key, &fd, &rest, error), there = ok && !*rest;
    if (fd >= 0) close(fd);
    ok = ok || error->code == WEIR_NOT_FOUND;
    ok = ok && (!there || (weir__root_open(r, place->bucket, true, &root, error) &&
                           weir__table_open(r, root, &table, error)));
    if (ok && there) {
        publishing p = {r, key.data, error};
        ok = renameat(root, key.data, table.fd, MADE) == 0 || errno == ENOENT ||
             failed(&p, "it cannot be removed");
        if (ok) remove_above(root, key.data);
        weir__table_close(&table);
    }
    if (root >= 0) close(root);
    weir_buffer_deinit(&key);
    return ok;
}

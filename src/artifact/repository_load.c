/* What goes out of the repository, and is unpacked on the way. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "artifact/repository_internal.h"

/* "a/b" and "c" are "a/b/c"; cleaned, as keys are. */
static bool join_parts(const char *rest, weir_str part, weir_buffer *out, weir_error *error) {
    weir_buffer clean = {0};
    bool ok = weir__key_clean(part, &clean, error);
    weir_buffer_text(out, rest);
    if (ok && clean.length) {
        if (out->length) weir_buffer_byte(out, '/');
        weir_buffer_str_append(out, weir_buffer_str(&clean));
    }
    weir_buffer_deinit(&clean);
    return ok;
}

/* A file, unpacked if that is wanted, or a folder. Takes `from` over. */
static bool load_from(weir__work *w, int from, const char *part, weir_artifact_form form,
                      int folder, const char *name) {
    struct stat info;
    bool packed = form == WEIR_ARTIFACT_TAR || form == WEIR_ARTIFACT_ZIP, ok = true;
    bool plain = fstat(from, &info) == 0 && S_ISDIR(info.st_mode);
    if (plain)
        packed = false;
    else if (form == WEIR_ARTIFACT_FOUND || (form == WEIR_ARTIFACT_PLAIN && *part))
        ok = weir__unpack_would(from, &packed, w->error);
    if (ok && packed) {
        ok =
            weir__unpack(w, from, form == WEIR_ARTIFACT_ZIP ? WEIR__ARCHIVE_ZIP : WEIR__ARCHIVE_TAR,
                         part, folder, name);
        close(from);
        return ok;
    }
    if (ok && *part) {
        ok = weir_fail(w->error, WEIR_NOT_FOUND, "there is no `%s` in `%s`", part, w->what);
    }
    if (ok) return weir__tree_copy(w, from, folder, name);
    close(from);
    return false;
}

/* Links of a folder that was kept as it is are as little trusted as an archive's. */
static bool check_links(weir__work *w, int folder, const char *name) {
    struct stat info;
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(info.st_mode))
        return true;
    int tree = openat(folder, name, WEIR__FOLDER_FLAGS);
    bool ok = tree >= 0 ? weir__tree_links(w, tree) : weir__work_failed(w, "it cannot be read");
    if (tree >= 0) close(tree);
    return ok;
}

bool weir_repository_load(weir_repository *r, const weir_artifact_place *place, weir_str part,
                          weir_artifact_form form, int folder, const char *name,
                          const atomic_bool *cancelled, weir_error *error) {
    weir_buffer key = {0}, whole = {0}, inner = {0};
    const char *rest;
    int fd = -1;
    bool ok = join_parts("", place->key, &whole, error) &&
              join_parts(whole.data ? whole.data : "", part, &inner, error);
    weir_artifact_place all = {place->bucket, weir_buffer_str(&inner)};
    ok = ok && weir__artifact_find(r, &all, &key, &fd, &rest, error);
    if (ok) {
        weir__work w;
        weir__work_init(&w, key.data, &r->limits, cancelled, error);
        ok = load_from(&w, fd, rest, form, folder, name) && check_links(&w, folder, name);
        weir__work_deinit(&w);
    }
    weir_buffer_deinit(&key);
    weir_buffer_deinit(&whole);
    weir_buffer_deinit(&inner);
    return ok;
}

bool weir_artifact_settle(const weir_artifact_limits *limits, int folder, const char *from,
                          weir_str part, weir_artifact_form form, const char *name,
                          const atomic_bool *cancelled, weir_error *error) {
    weir_buffer inner = {0};
    weir__work w;
    weir__work_init(&w, name, limits, cancelled, error);
    int fd = openat(folder, from, WEIR__FILE_FLAGS);
    bool packed = form == WEIR_ARTIFACT_TAR || form == WEIR_ARTIFACT_ZIP;
    bool ok = (fd >= 0 || weir__work_failed(&w, "it cannot be read")) &&
              join_parts("", part, &inner, error) &&
              (form != WEIR_ARTIFACT_FOUND || weir__unpack_would(fd, &packed, error));
    if (ok && (packed || inner.length)) {
        ok = load_from(&w, fd, inner.data ? inner.data : "", form, folder, name);
        fd = -1;
        weir__tree_remove(folder, from);
    } else if (ok) {
        ok = renameat(folder, from, folder, name) == 0 || weir__work_failed(&w, "moving it");
    }
    if (fd >= 0) close(fd);
    weir_buffer_deinit(&inner);
    weir__work_deinit(&w);
    return ok;
}

bool weir_artifact_part(const weir_artifact_limits *limits, int folder, const char *from,
                        weir_str part, const char *name, const atomic_bool *cancelled,
                        weir_error *error) {
    weir_buffer path = {0};
    weir__work w;
    weir__work_init(&w, "the artifact", limits, cancelled, error);
    bool ok = join_parts("", part, &path, error);
    if (ok && path.length) {
        int tree = openat(folder, from, WEIR__FOLDER_FLAGS);
        ok = tree >= 0 ? weir__tree_part(&w, tree, path.data, folder, name)
                       : weir__work_failed(&w, "it cannot be read");
        if (tree >= 0) close(tree);
        weir__tree_remove(folder, from);
    } else if (ok) {
        ok = renameat(folder, from, folder, name) == 0 || weir__work_failed(&w, "moving it");
    }
    weir_buffer_deinit(&path);
    weir__work_deinit(&w);
    return ok;
}

bool weir_artifact_mode(const weir_artifact_limits *limits, int folder, const char *name,
                        uint32_t mode, bool recurse, weir_error *error) {
    weir__work w;
    weir__work_init(&w, name, limits, NULL, error);
    bool ok = weir__tree_mode(&w, folder, name, mode, recurse);
    weir__work_deinit(&w);
    return ok;
}

static bool count_bytes(void *arg, weir_str path, const struct stat *info) {
    (void)path;
    if (S_ISREG(info->st_mode)) *(uint64_t *)arg += (uint64_t)info->st_size;
    return true;
}

uint64_t weir_artifact_bytes(int folder, const char *name) {
    const weir_artifact_limits limits = {0};
    struct stat info;
    weir_error ignored;
    weir__work w;
    uint64_t sum = 0;
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return 0;
    if (S_ISREG(info.st_mode)) return (uint64_t)info.st_size;
    int tree = S_ISDIR(info.st_mode) ? openat(folder, name, WEIR__FOLDER_FLAGS) : -1;
    if (tree < 0) return 0;
    weir__work_init(&w, name, &limits, NULL, &ignored);
    if (!weir__tree_walk(&w, tree, WEIR_ARTIFACT_DEPTH_MAX, NULL, count_bytes, &sum)) sum = 0;
    weir__work_deinit(&w);
    close(tree);
    return sum;
}

/* --- lists ---------------------------------------------------------------------------------- */

typedef struct listing {
    weir_buffer key; /* of what is met; first of the folder that is walked */
    WEIR_VECTOR(char *) keys;
} listing;

static bool list_entry(void *arg, weir_str path, const struct stat *info) {
    listing *l = arg;
    size_t above = l->key.length;
    if (!S_ISREG(info->st_mode)) return true;
    if (above) weir_buffer_byte(&l->key, '/');
    weir_buffer_str_append(&l->key, path);
    *weir_vector_push(&l->keys) = weir_str_dup(weir_buffer_str(&l->key));
    (void)weir_buffer_cut(&l->key, above);
    return true;
}

static int compare_keys(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool list_place(weir_repository *r, const weir_artifact_place *place, weir__work *w,
                       listing *l) {
    weir_error *error = w->error;
    const char *rest = "";
    struct stat info;
    int fd = -1;
    bool ok = weir__key_clean(place->key, &l->key, error);
    const char *skip = l->key.length ? NULL : WEIR__WORKSHOP;
    if (ok && skip) {
        ok = weir__root_open(r, place->bucket, false, &fd, error);
    } else if (ok) {
        weir_buffer_clear(&l->key);
        ok = weir__artifact_find(r, place, &l->key, &fd, &rest, error) ||
             error->code == WEIR_NOT_FOUND;
    }
    if (ok && fd >= 0 && !*rest && fstat(fd, &info) == 0) {
        if (S_ISDIR(info.st_mode))
            ok = weir__tree_walk(w, fd, 2 * WEIR_ARTIFACT_DEPTH_MAX, skip, list_entry, l);
        else
            *weir_vector_push(&l->keys) = weir_str_dup(weir_buffer_str(&l->key));
    }
    if (fd >= 0) close(fd);
    return ok;
}

bool weir_repository_list(weir_repository *r, const weir_artifact_place *place, weir_value **out,
                          weir_error *error) {
    weir__work w;
    weir_artifact_limits limits = {.files_max = WEIR_ARTIFACT_LIST_MAX};
    weir__work_init(&w, "the list of keys", &limits, NULL, error);
    listing l = {0};
    bool ok = list_place(r, place, &w, &l);
    if (l.keys.count) qsort(l.keys.items, l.keys.count, sizeof *l.keys.items, compare_keys);
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < l.keys.count; i++) {
        if (ok) weir_array_append(list, weir_string_from(weir_str_from(l.keys.items[i])));
        weir_free(l.keys.items[i]);
    }
    weir_vector_deinit(&l.keys);
    weir_buffer_deinit(&l.key);
    weir__work_deinit(&w);
    if (ok)
        *out = list;
    else
        weir_value_unref(list);
    return ok;
}

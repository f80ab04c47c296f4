#include "base/merge.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/open.h"

enum {
    FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
    PIECE = 16 * 1024 * 1024, /* bytes that are copied before somebody asks whether to go on */
    ATTRIBUTES_BYTES = 64 * 1024
};

/* A file of several names, by the first of them. */
typedef struct linked {
    size_t layer;
    dev_t device;
    ino_t inode;
    char *path; /* NULL: a free place */
} linked;

typedef struct merging {
    weir__merge *merge;
    char path[PATH_MAX]; /* of the folder that is made; "." is the whole */
    size_t length;
    int source; /* the same folder of `source_layer`; -1: none is open */
    size_t source_layer;
    linked *links; /* a table of `link_room` places, a power of 2 */
    size_t link_room, link_count;
    char attributes[ATTRIBUTES_BYTES]; /* names and a value */
    char value[ATTRIBUTES_BYTES];
} merging;

/* A name in one of the layers' folders. */
typedef struct entry {
    char *name;
    size_t layer;
    unsigned char type; /* as readdir gives it */
} entry;

typedef struct entries {
    entry *items;
    size_t count, room;
} entries;

/* Writes down the path, of this folder or of something in it. */
static bool failed(const merging *m, const char *name) {
    int reason = errno;
    snprintf(m->merge->what, sizeof m->merge->what, "%s%s%s", m->path + (m->length > 1 ? 2 : 0),
             *name && m->length > 1 ? "/" : "", *name ? name : "");
    errno = reason;
    return false;
}

static bool goes_on(const merging *m) {
    if (!m->merge->goes_on || m->merge->goes_on(m->merge->arg)) return true;
    errno = EINTR;
    return false;
}

/* --- folders of layers --------------------------------------------------------------------------- */

static int open_source(int layer, const char *path) {
    struct open_how how = {.flags = FOLDER, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    return weir__open_how(layer, path, &how);
}

static void close_source(merging *m) {
    if (m->source >= 0) close(m->source);
    m->source = -1;
}

/* The folder of that layer, where the merging is; it stays open until another is asked for. */
static int source_of(merging *m, size_t layer) {
    if (m->source >= 0 && m->source_layer == layer) return m->source;
    close_source(m);
    m->source = open_source(m->merge->layers[layer], m->path);
    m->source_layer = layer;
    return m->source;
}

static bool is_opaque(int folder) {
    char value = 0;
    static const char *const names[] = {"trusted.overlay.opaque", "user.overlay.opaque",
                                        "user.fuseoverlayfs.opaque"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (fgetxattr(folder, names[i], &value, 1) == 1 && value == 'y') return true;
    return false;
}

static bool add_entry(entries *all, const char *name, size_t layer, unsigned char type) {
    if (all->count == all->room) {
        size_t room = all->room ? all->room * 2 : 64;
        entry *items = reallocarray(all->items, room, sizeof *items);
        if (!items) return false;
        all->items = items;
        all->room = room;
    }
    char *copy = strdup(name);
    if (!copy) return false;
    all->items[all->count++] = (entry){copy, layer, type};
    return true;
}

static void free_entries(entries *all) {
    for (size_t i = 0; i < all->count; i++) free(all->items[i].name);
    free(all->items);
}

static bool read_names(merging *m, size_t layer, entries *all) {
    int folder = source_of(m, layer), copy = folder < 0 ? -1 : dup(folder);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    bool ok = stream;
    if (!stream && copy >= 0) close(copy);
    for (const struct dirent *each; ok && (each = readdir(stream));) {
        unsigned char type = each->d_type;
        struct stat info;
        if (strcmp(each->d_name, ".") == 0 || strcmp(each->d_name, "..") == 0) continue;
        if (type == DT_UNKNOWN && fstatat(folder, each->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0)
            type = (unsigned char)IFTODT(info.st_mode);
        ok = add_entry(all, each->d_name, layer, type);
    }
    if (stream) closedir(stream);
    return ok || failed(m, "");
}

/* By name, and of one name the uppermost layer first. */
static int compare(const void *a, const void *b) {
    const entry *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    return order ? order : left->layer < right->layer ? -1 : 1;
}

/* What the layers' folders have, down to the first that is opaque. */
static bool read_all(merging *m, const size_t *layers, size_t count, entries *all) {
    for (size_t i = 0; i < count; i++) {
        if (!read_names(m, layers[i], all)) return false;
        if (is_opaque(m->source)) break;
    }
    if (all->count) qsort(all->items, all->count, sizeof *all->items, compare);
    return true;
}

/* --- files ------------------------------------------------------------------------------------------ */

/* From its offset on in the one to the same of the other; false and errno. */
static bool copy_piece(int from, int to, off_t at, off_t length) {
    off_t in = at, out = at;
    while (length > 0) {
        ssize_t count = copy_file_range(from, &in, to, &out, (size_t)length, 0);
        if (count < 0 && errno == EINTR) continue;
        /* Between these file systems, or by this kernel, it cannot. */
        if (count < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EPERM ||
                          errno == EOPNOTSUPP)) {
            if (lseek(to, in, SEEK_SET) < 0) return false;
            count = sendfile(to, from, &in, (size_t)length);
            if (count > 0) out += count;
        }
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        if (count == 0) return true; /* it is shorter than it was */
        length -= count;
    }
    return true;
}

/* Holes stay holes. */
static bool copy_bytes(const merging *m, int from, int to, off_t size) {
    if (size == 0 || ioctl(to, FICLONE, from) == 0) return true;
    for (off_t at = 0; at < size;) {
        off_t data = lseek(from, at, SEEK_DATA), end;
        if (data < 0 && errno == ENXIO) break; /* nothing but a hole */
        if (data < 0) data = at;               /* the file system does not tell */
        end = lseek(from, data, SEEK_HOLE);
        if (end <= data) end = size;
        if (end - data > PIECE) end = data + PIECE;
        if (!copy_piece(from, to, data, end - data) || !goes_on(m)) return false;
        at = end;
    }
    return ftruncate(to, size) == 0;
}

static bool is_of_overlay(const char *name) {
    static const char *const beginnings[] = {"trusted.overlay.", "user.overlay.",
                                             "user.fuseoverlayfs."};
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0) return true;
    return false;
}

/* What this file system, or this user, cannot have is left out. */
static void copy_attributes(merging *m, int from, int to) {
    ssize_t length = flistxattr(from, m->attributes, sizeof m->attributes);
    for (ssize_t at = 0; at < length; at += (ssize_t)strlen(m->attributes + at) + 1) {
        const char *name = m->attributes + at;
        if (is_of_overlay(name)) continue;
        ssize_t size = fgetxattr(from, name, m->value, sizeof m->value);
        if (size >= 0) (void)fsetxattr(to, name, m->value, (size_t)size, 0);
    }
}

static mode_t mode_of(const merging *m, const struct stat *info) {
    mode_t mode = info->st_mode & 07777;
    if (!m->merge->readable) return mode;
    return (mode & 01777) | (S_ISDIR(info->st_mode) ? 0500 : 0400);
}

/* The owner first: to change it takes set-user-id bits and capabilities away. */
static bool copy_metadata(merging *m, int from, int to, const struct stat *info) {
    const struct timespec times[2] = {info->st_atim, info->st_mtim};
    if (m->merge->owners && fchown(to, info->st_uid, info->st_gid) < 0) return false;
    if (fchmod(to, mode_of(m, info)) < 0) return false;
    copy_attributes(m, from, to);
    return futimens(to, times) == 0;
}

static bool copy_file(merging *m, int from_folder, int to_folder, const char *name,
                      const struct stat *info) {
    int from = openat(from_folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int to = from < 0 ? -1
                      : openat(to_folder, name,
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok = to >= 0 && copy_bytes(m, from, to, info->st_size) && copy_metadata(m, from, to, info);
    int reason = errno;
    if (from >= 0) close(from);
    if (to >= 0) close(to);
    errno = reason;
    return ok;
}

static bool copy_link(const merging *m, int from_folder, int to_folder, const char *name,
                      const struct stat *info) {
    char target[PATH_MAX];
    const struct timespec times[2] = {info->st_atim, info->st_mtim};
    ssize_t length = readlinkat(from_folder, name, target, sizeof target - 1);
    if (length < 0) return false;
    target[length] = '\0';
    return symlinkat(target, to_folder, name) == 0 &&
           (!m->merge->owners ||
            fchownat(to_folder, name, info->st_uid, info->st_gid, AT_SYMLINK_NOFOLLOW) == 0) &&
           utimensat(to_folder, name, times, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool copy_pipe(const merging *m, int to_folder, const char *name, const struct stat *info) {
    const struct timespec times[2] = {info->st_atim, info->st_mtim};
    return mkfifoat(to_folder, name, 0600) == 0 &&
           (!m->merge->owners ||
            fchownat(to_folder, name, info->st_uid, info->st_gid, AT_SYMLINK_NOFOLLOW) == 0) &&
           fchmodat(to_folder, name, mode_of(m, info), 0) == 0 &&
           utimensat(to_folder, name, times, AT_SYMLINK_NOFOLLOW) == 0;
}

/* --- files of several names ------------------------------------------------------------------------- */

static size_t place_of(const merging *m, size_t layer, const struct stat *info) {
    uint64_t hash = ((uint64_t)info->st_ino * 31 + layer) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(hash >> 20) & (m->link_room - 1);
    for (; m->links[at].path; at = (at + 1) & (m->link_room - 1)) {
        const linked *l = &m->links[at];
        if (l->inode == info->st_ino && l->device == info->st_dev && l->layer == layer) break;
    }
    return at;
}

static bool make_room(merging *m) {
    if (m->link_count * 2 < m->link_room) return true;
    linked *before = m->links;
    size_t room = m->link_room;
    m->link_room = room ? room * 2 : 256;
    m->links = calloc(m->link_room, sizeof *m->links);
    if (!m->links) {
        m->links = before;
        m->link_room = room;
        return false;
    }
    for (size_t i = 0; i < room; i++) {
        const struct stat info = {.st_ino = before[i].inode, .st_dev = before[i].device};
        if (before[i].path) m->links[place_of(m, before[i].layer, &info)] = before[i];
    }
    free(before);
    return true;
}

/* True: it was there by another name, and is by this one. */
static bool link_known(merging *m, size_t layer, int to_folder, const char *name,
                       const struct stat *info) {
    if (info->st_nlink < 2 || !m->link_room) return false;
    const linked *l = &m->links[place_of(m, layer, info)];
    /* A file system that allows fewer names than the layer's has gets another copy. */
    return l->path && linkat(m->merge->into, l->path, to_folder, name, 0) == 0;
}

static bool note_link(merging *m, size_t layer, const char *name, const struct stat *info) {
    char path[PATH_MAX + NAME_MAX + 2];
    if (info->st_nlink < 2) return true;
    if (!make_room(m)) return false;
    linked *l = &m->links[place_of(m, layer, info)];
    snprintf(path, sizeof path, "%s/%s", m->path, name);
    char *copy = strdup(path);
    if (!copy) return false;
    m->link_count += !l->path;
    free(l->path);
    *l = (linked){layer, info->st_dev, info->st_ino, copy};
    return true;
}

/* --- the whole ---------------------------------------------------------------------------------------- */

/* What is no folder. */
static bool copy_entry(merging *m, const entry *e, int into) {
    struct stat info;
    int from = source_of(m, e->layer);
    if (!goes_on(m) || from < 0 || fstatat(from, e->name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return failed(m, e->name);
    bool ok = true;
    if (S_ISREG(info.st_mode))
        ok = link_known(m, e->layer, into, e->name, &info) ||
             (copy_file(m, from, into, e->name, &info) && note_link(m, e->layer, e->name, &info));
    else if (S_ISLNK(info.st_mode))
        ok = copy_link(m, from, into, e->name, &info);
    else if (S_ISFIFO(info.st_mode))
        ok = copy_pipe(m, into, e->name, &info);
    return ok || failed(m, e->name);
}

static bool merge_folder(merging *m, const size_t *layers, size_t count, int into, int depth);

/* A folder of that name, of those of the `count` entries that are below each other. */
static bool copy_folder(merging *m, const entry *same, size_t count, int into, int depth) {
    size_t length = m->length, folders = 0, extra = strlen(same->name) + 1;
    if (depth == WEIR__MERGE_DEPTH_MAX || length + extra >= sizeof m->path) {
        errno = ELOOP;
        return failed(m, same->name);
    }
    size_t *layers = calloc(count, sizeof *layers);
    for (size_t i = 0; layers && i < count && same[i].type == DT_DIR; i++)
        layers[folders++] = same[i].layer;
    bool made = layers && mkdirat(into, same->name, 0700) == 0;
    int inner = made ? openat(into, same->name, FOLDER) : -1;
    bool ok = inner >= 0 || failed(m, same->name);
    if (ok) {
        close_source(m);
        m->path[length] = '/';
        memcpy(m->path + length + 1, same->name, extra);
        m->length = length + extra;
        ok = merge_folder(m, layers, folders, inner, depth);
        close_source(m);
        m->length = length;
        m->path[length] = '\0';
    }
    int reason = errno;
    if (inner >= 0) close(inner);
    free(layers);
    errno = reason;
    return ok;
}

static bool merge_entries(merging *m, const entries *all, int into, int depth) {
    for (size_t i = 0, next; i < all->count; i = next) {
        const entry *e = &all->items[i];
        for (next = i + 1; next < all->count; next++)
            if (strcmp(all->items[next].name, e->name) != 0) break;
        if (e->type == DT_DIR ? !copy_folder(m, e, next - i, into, depth + 1)
                              : !copy_entry(m, e, into))
            return false;
    }
    return true;
}

/* Its mode last: who may not write in it could not fill it; and its times. */
static bool merge_folder(merging *m, const size_t *layers, size_t count, int into, int depth) {
    entries all = {0};
    struct stat info;
    bool ok = read_all(m, layers, count, &all) && merge_entries(m, &all, into, depth);
    if (ok) {
        int from = source_of(m, layers[0]);
        ok = (from >= 0 && fstat(from, &info) == 0 && copy_metadata(m, from, into, &info)) ||
             failed(m, "");
    }
    int reason = errno;
    free_entries(&all);
    errno = reason;
    return ok;
}

bool weir__merge_layers(weir__merge *merge) {
    merging *m = calloc(1, sizeof *m);
    size_t *layers = calloc(merge->count + 1, sizeof *layers);
    bool ok = m && layers;
    merge->what[0] = '\0';
    if (ok) {
        *m = (merging){.merge = merge, .path = ".", .length = 1, .source = -1};
        for (size_t i = 0; i < merge->count; i++) layers[i] = i;
        ok = !merge->count || merge_folder(m, layers, merge->count, merge->into, 0);
        int reason = errno;
        close_source(m);
        for (size_t i = 0; i < m->link_room; i++) free(m->links[i].path);
        free(m->links);
        errno = reason;
    }
    int reason = errno;
    free(layers);
    free(m);
    errno = reason;
    return ok;
}

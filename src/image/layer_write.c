#include "image/layer_write.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/remove.h"

enum { OPEN_TRIES_MAX = 64, FOLDER = O_RDONLY | O_DIRECTORY | O_CLOEXEC };

bool weir__layer_refuse(const weir__layer *l, const char *name, const char *why) {
    return weir_fail(l->error, WEIR_INVALID, "%s: `%.200s` in it %s", l->request->what,
                     name ? name : "a name that cannot be read", why);
}

bool weir__layer_failed(const weir__layer *l, const char *name, const char *doing) {
    int reason = errno;
    weir_fail(l->error, WEIR_IO, "%s: `%.200s` %s: %s", l->request->what, name, doing,
              strerror(reason));
    if (reason == ENOSPC || reason == EDQUOT)
        weir_error_hint(l->error, "make room on the disk: `weir image prune` removes images");
    return false;
}

void weir__layer_begin(weir__layer *l) {
    l->root = geteuid() == 0;
    l->folder = l->request->folder;
    l->parent = -1;
}

void weir__layer_deinit(weir__layer *l) {
    if (l->parent >= 0) close(l->parent);
    weir_vector_deinit(&l->notes);
    weir_arena_deinit(&l->arena);
}

/* --- names ---------------------------------------------------------------------------------- */

/* Names are below the layer's root, and whether an archive writes them as `a`, `./a` or `/a` means nothing (the OCI image specification has
 * them relative, tar programs of old do not); `..` is taken as the text that it is, as in Docker. */
bool weir__layer_place_of(const weir__layer *l, const char *name, weir__layer_place *out) {
    size_t kept = 0;
    int depth = 0;
    if (!name) return weir__layer_refuse(l, NULL, "is no name");
    for (const char *part = name; *part; part += strspn(part, "/")) {
        size_t size = strcspn(part, "/");
        if (size == 2 && part[0] == '.' && part[1] == '.') {
            if (depth-- == 0) return weir__layer_refuse(l, name, "leads out of it");
            while (kept > 0 && out->path[kept - 1] != '/') kept--;
            if (kept > 0) kept--;
        } else if (size > NAME_MAX || kept + size + 2 > sizeof out->path) {
            return weir__layer_refuse(l, name, "is too long a name");
        } else if (size && !(size == 1 && part[0] == '.')) {
            if (++depth > WEIR__LAYER_DEPTH_MAX)
                return weir__layer_refuse(l, name, "is too many folders deep");
            if (kept) out->path[kept++] = '/';
            memcpy(out->path + kept, part, size);
            kept += size;
        }
        part += size;
    }
    out->path[kept] = '\0';
    const char *slash = strrchr(out->path, '/');
    out->last = slash ? slash + 1 : out->path;
    return true;
}

/* --- folders -------------------------------------------------------------------------------- */

/* Links in the layer lead where they would lead with the layer as root. */
static int open_within(const weir__layer *l, const char *path, int flags) {
    struct open_how how = {.flags = (unsigned)flags,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    long fd = -1;
    for (int tries = 0; tries < OPEN_TRIES_MAX; tries++) {
        fd = syscall(SYS_openat2, l->folder, *path ? path : ".", &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN) break;
    }
    return (int)fd;
}

static void note_folder(weir__layer *l, const char *path, const weir__layer_note *note) {
    weir__layer_note kept = *note;
    kept.path = weir_str_copy(&l->arena, weir_str_from(path));
    kept.index = l->notes.count;
    l->noted += strlen(path);
    *weir_vector_push(&l->notes) = kept;
}

/* What a layer below has in the folder is not seen. */
static bool make_opaque(const weir__layer *l, int folder, const char *path) {
    if (l->root && fsetxattr(folder, "trusted.overlay.opaque", "y", 1, 0) == 0) return true;
    /* Root of a container alone may not have the first, nor mount an overlay that looks for it. */
    bool other = !l->root || errno == EPERM;
    if (other && fsetxattr(folder, "user.overlay.opaque", "y", 1, 0) == 0) return true;
    weir__layer_failed(l, path, "cannot hide what layers below have in it");
    weir_error_hint(l->error, "the file system of the images must have extended attributes: "
                              "WEIR_IMAGES names another folder");
    return false;
}

static bool is_whiteout(int parent, const char *name) {
    struct stat info;
    return fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(info.st_mode) &&
           info.st_rdev == makedev(0, 0);
}

/* A folder where the layer has said before that there is nothing of the layers below. */
static bool replace_whiteout(const weir__layer *l, int parent, const char *name, const char *path) {
    if (unlinkat(parent, name, 0) < 0 || mkdirat(parent, name, 0700) < 0)
        return weir__layer_failed(l, path, "cannot be made");
    int folder = openat(parent, name, FOLDER | O_NOFOLLOW);
    if (folder < 0) return weir__layer_failed(l, path, "cannot be opened");
    bool ok = make_opaque(l, folder, path);
    close(folder);
    return ok;
}

/* The folder of that path, of which `parent` has the last part. -1: the error says why. */
static int make_folder(weir__layer *l, int parent, const char *name, const char *path) {
    const weir__layer_note plain = {.mode = 0755};
    int folder = open_within(l, path, FOLDER);
    if (folder >= 0) return folder;
    if (errno == ENOENT && mkdirat(parent, name, 0700) == 0)
        note_folder(l, path, &plain);
    else if (errno == ENOTDIR && is_whiteout(parent, name)) {
        if (!replace_whiteout(l, parent, name, path)) return -1;
        note_folder(l, path, &plain);
    } else {
        weir__layer_refuse(l, path, "is to have files in it, and is no folder");
        return -1;
    }
    folder = open_within(l, path, FOLDER);
    if (folder < 0) weir__layer_failed(l, path, "cannot be opened");
    return folder;
}

static int make_parents(weir__layer *l, const char *path) {
    char above[PATH_MAX];
    int folder = open_within(l, "", FOLDER);
    if (folder < 0) weir__layer_failed(l, path, "cannot be opened");
    for (const char *part = path; folder >= 0 && *part;) {
        size_t end = (size_t)(part - path) + strcspn(part, "/");
        memcpy(above, path, end);
        above[end] = '\0';
        int inner = make_folder(l, folder, above + (part - path), above);
        close(folder);
        folder = inner;
        part = path + end + (path[end] == '/');
    }
    return folder;
}

int weir__layer_parent(weir__layer *l, const weir__layer_place *place) {
    char path[PATH_MAX];
    size_t length = place->last > place->path ? (size_t)(place->last - place->path) - 1 : 0;
    memcpy(path, place->path, length);
    path[length] = '\0';
    if (l->parent >= 0 && strcmp(path, l->parent_path) == 0) return l->parent;
    int folder = open_within(l, path, FOLDER);
    if (folder < 0) folder = make_parents(l, path);
    if (folder < 0) return -1;
    if (l->parent >= 0) close(l->parent);
    memcpy(l->parent_path, path, length + 1);
    return l->parent = folder;
}

bool weir__layer_clear(weir__layer *l, int parent, const weir__layer_place *place) {
    l->renewed = true;
    if (unlinkat(parent, place->last, 0) == 0 || errno == ENOENT) return true;
    if (errno != EISDIR && errno != EPERM)
        return weir__layer_failed(l, place->path, "cannot be replaced");
    char path[64 + NAME_MAX];
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", parent, place->last);
    weir__remove_within(path, SIZE_MAX);
    return unlinkat(parent, place->last, AT_REMOVEDIR) == 0 ||
           weir__layer_failed(l, place->path, "cannot be replaced");
}

/* What is root's anyway is not said, unless a line before may have said it of another. */
void weir__layer_own(const weir__layer *l, const weir__layer_place *place, uint64_t user,
                     uint64_t group, mode_t mode) {
    FILE *list = l->root ? NULL : l->request->owners;
    bool special = mode & (S_ISUID | S_ISGID);
    if (!list || !*place->path || !(user || group || special || l->renewed)) return;
    if (user >= UINT32_MAX) user = 0;
    if (group >= UINT32_MAX) group = 0;
    fprintf(list, "%u %u %o %s", (unsigned)user, (unsigned)group, (unsigned)mode, place->path);
    fputc('\0', list);
}

bool weir__layer_folder(weir__layer *l, const weir__layer_place *place,
                        const weir__layer_note *note) {
    struct stat info;
    if (*place->path) {
        int parent = weir__layer_parent(l, place);
        if (parent < 0) return false;
        if (mkdirat(parent, place->last, 0700) < 0) {
            if (errno != EEXIST || fstatat(parent, place->last, &info, AT_SYMLINK_NOFOLLOW) < 0)
                return weir__layer_failed(l, place->path, "cannot be made");
            l->renewed = true;
            if (S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0)) {
                if (!replace_whiteout(l, parent, place->last, place->path)) return false;
            } else if (!S_ISDIR(info.st_mode)) {
                if (!weir__layer_clear(l, parent, place)) return false;
                if (mkdirat(parent, place->last, 0700) < 0)
                    return weir__layer_failed(l, place->path, "cannot be made");
            }
        }
    }
    note_folder(l, place->path, note);
    return true;
}

/* --- what is not there any more ------------------------------------------------------------- */

/* Names that older programs kept for themselves. */
static bool is_leftover(const char *name) {
    return strncmp(name, ".wh..wh.", 8) == 0;
}

/* One of a file hides it in the layers below; so it changes nothing where this layer has another, but a folder, which would show theirs. */
bool weir__layer_whiteout(weir__layer *l, weir__layer_place *place) {
    struct stat info;
    const char *name = place->last + 4;
    int parent = weir__layer_parent(l, place);
    if (parent < 0) return false;
    if (strcmp(place->last, ".wh..wh..opq") == 0) return make_opaque(l, parent, place->path);
    if (is_leftover(place->last)) {
        l->out->left_out++;
        return true;
    }
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return weir__layer_refuse(l, place->path, "hides no file");
    if (mknodat(parent, name, S_IFCHR, makedev(0, 0)) == 0) return true;
    if (errno != EEXIST || fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return weir__layer_failed(l, place->path, "cannot be made");
    if (!S_ISDIR(info.st_mode)) return true;
    int folder = openat(parent, name, FOLDER | O_NOFOLLOW);
    if (folder < 0) return weir__layer_failed(l, place->path, "cannot be opened");
    bool ok = make_opaque(l, folder, place->path);
    close(folder);
    return ok;
}

/* --- at the end ----------------------------------------------------------------------------- */

/* What is deeper first, for an owner without the right to it cannot open what is below; of one folder the last entry counts. */
static int by_depth(const void *a, const void *b) {
    const weir__layer_note *left = a, *right = b;
    int order = strcmp(right->path, left->path);
    return order ? order : left->index < right->index ? -1 : 1;
}

static bool finish_folder(const weir__layer *l, const weir__layer_note *note) {
    const struct timespec times[2] = {{0, UTIME_OMIT}, note->modified};
    int folder = open_within(l, note->path, FOLDER | O_NOFOLLOW);
    if (folder < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return true; /* something else has its place since */
    if (folder < 0) return weir__layer_failed(l, note->path, "cannot be opened");
    mode_t mode = l->root ? note->mode & 07777 : note->mode & 01777;
    if (!*note->path) mode |= S_IRWXU; /* or it could not get its name */
    bool ok =
        (!l->root || fchown(folder, note->user, note->group) == 0) && fchmod(folder, mode) == 0;
    if (ok && note->timed) (void)futimens(folder, times);
    if (!ok) weir__layer_failed(l, note->path, "cannot be given its owner and mode");
    close(folder);
    return ok;
}

bool weir__layer_end(weir__layer *l) {
    if (l->notes.count) qsort(l->notes.items, l->notes.count, sizeof *l->notes.items, by_depth);
    for (size_t i = 0; i < l->notes.count; i++) {
        const weir__layer_note *note = &l->notes.items[i];
        bool last = i + 1 == l->notes.count || strcmp(note->path, note[1].path) != 0;
        if (last && !finish_folder(l, note)) return false;
    }
    return true;
}

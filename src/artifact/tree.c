#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "artifact/work.h"
#include "base/remove.h"

enum { LINK_BYTES = 4096 };

typedef struct copying {
    weir__work *work;
    weir_buffer path;  /* of the entry, below the top */
    weir_buffer lines; /* of a folder's files; with a hash */
    bool listed;
} copying;

static bool is_deep(const weir__work *w, int depth, int most) {
    return depth > most &&
           !weir_fail(w->error, WEIR_LIMIT, "`%s` is deeper than %d folders", w->what, most);
}

/* --- copying -------------------------------------------------------------------------------- */

static bool copy_bytes(weir__work *w, int from, int to) {
    for (size_t got = 1; got;)
        if (!weir__work_read(w, from, &got) || !weir__work_bytes(w, got) ||
            !weir__work_write(w, to, w->piece, got))
            return false;
    return true;
}

/* Without looking at what is copied, the kernel does it, and a file system that can shares the blocks. */
static bool share_bytes(weir__work *w, int from, int to) {
    for (;;) {
        ssize_t count = copy_file_range(from, NULL, to, NULL, 64 << 20, 0);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return copy_bytes(w, from, to);
        if (!weir__work_bytes(w, (uint64_t)count)) return false;
        if (!count)
            return copy_bytes(w, from, to); /* also a file of which nothing is known before */
    }
}

static void list_file(copying *c) {
    char hex[WEIR__SHA256_LETTERS + 1];
    weir__work_digest(c->work, hex);
    weir_buffer_printf(&c->lines, "%s  ", hex);
    weir_buffer_str_append(&c->lines, weir_buffer_str(&c->path));
    weir_buffer_byte(&c->lines, '\n');
}

/* Takes `from` over. */
static bool copy_file(copying *c, int from, int folder, const char *name, const struct stat *info) {
    weir__work *w = c->work;
    int to = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = to >= 0 || weir__work_failed(w, "a file cannot be made");
    ok = ok && (w->hash ? copy_bytes : share_bytes)(w, from, to);
    const struct timespec times[2] = {{0, UTIME_OMIT}, info->st_mtim};
    ok = ok && ((fchmod(to, (info->st_mode & 0777) | S_IRUSR | S_IWUSR) == 0 &&
                 futimens(to, times) == 0) ||
                weir__work_failed(w, "a mode cannot be set"));
    if (to >= 0 && close(to) < 0 && ok) ok = weir__work_failed(w, "it cannot be written");
    close(from);
    if (ok && c->listed) list_file(c);
    return ok;
}

static bool copy_link(weir__work *w, int from, int folder, const char *name) {
    char target[LINK_BYTES];
    ssize_t length = readlinkat(from, name, target, sizeof target - 1);
    if (length < 0) return weir__work_failed(w, "a link cannot be read");
    target[length] = '\0';
    return symlinkat(target, folder, name) == 0 || weir__work_failed(w, "a link cannot be made");
}

static bool copy_folder(copying *c, int from, int above, const char *name, mode_t mode, int depth);

static bool copy_entry(copying *c, int from, int to, const char *name, int depth) {
    weir__work *w = c->work;
    struct stat info;
    if (fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return weir__work_failed(w, name);
    if (S_ISLNK(info.st_mode)) return copy_link(w, from, to, name);
    w->left_out += !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) return true;
    int fd = openat(from, name, WEIR__FILE_FLAGS);
    if (fd < 0 || fstat(fd, &info) < 0) {
        if (fd >= 0) close(fd);
        return weir__work_failed(w, name);
    }
    size_t before = c->path.length;
    weir_buffer_printf(&c->path, "%s%s", before ? "/" : "", name);
    bool ok = S_ISDIR(info.st_mode) ? copy_folder(c, fd, to, name, info.st_mode, depth + 1)
                                    : copy_file(c, fd, to, name, &info);
    c->path.length = before;
    return ok;
}

/* Takes `from` over. */
static bool copy_folder(copying *c, int from, int above, const char *name, mode_t mode, int depth) {
    weir__work *w = c->work;
    weir_arena arena = {0};
    weir__names names = {0};
    int to = -1;
    bool ok = !is_deep(w, depth, WEIR_ARTIFACT_DEPTH_MAX) &&
              weir__names_read(w, from, &arena, &names) &&
              (mkdirat(above, name, 0700) == 0 || weir__work_failed(w, "a folder cannot be made"));
    if (ok) to = openat(above, name, WEIR__FOLDER_FLAGS);
    ok = ok && (to >= 0 || weir__work_failed(w, "a folder cannot be opened"));
    for (size_t i = 0; ok && i < names.count; i++)
        ok = copy_entry(c, from, to, names.items[i], depth);
    ok = ok &&
         (fchmod(to, (mode & 0777) | S_IRWXU) == 0 || weir__work_failed(w, "a mode cannot be set"));
    if (to >= 0) close(to);
    close(from);
    weir_vector_deinit(&names);
    weir_arena_deinit(&arena);
    return ok;
}

bool weir__tree_copy(weir__work *w, int from, int folder, const char *name) {
    struct stat info;
    copying c = {.work = w};
    bool ok = fstat(from, &info) == 0 || weir__work_failed(w, "it cannot be read");
    if (!ok) {
        close(from);
    } else if (S_ISDIR(info.st_mode)) {
        c.listed = w->hash != NULL;
        ok = copy_folder(&c, from, folder, name, info.st_mode, 0);
        if (ok && c.listed) w->sha256->add(w->hash, c.lines.data, c.lines.length);
    } else if (!weir__work_file(w)) {
        ok = false;
        close(from);
    } else {
        ok = copy_file(&c, from, folder, name, &info);
    }
    weir_buffer_deinit(&c.path);
    weir_buffer_deinit(&c.lines);
    return ok;
}

/* --- walking ------------------------------------------------------------------------------- */

typedef struct walking {
    weir__work *work;
    int depth_max;
    const char *skip;
    weir__visit *visit;
    void *arg;
    weir_buffer path;
} walking;

static bool walk_folder(walking *walk, int folder, int depth);

/* What goes meanwhile was never there. */
static bool walk_entry(walking *walk, int folder, const char *name, int depth) {
    struct stat info;
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT || weir__work_failed(walk->work, name);
    if (!walk->visit(walk->arg, weir_buffer_str(&walk->path), &info)) return false;
    if (!S_ISDIR(info.st_mode)) return true;
    int inner = openat(folder, name, WEIR__FOLDER_FLAGS);
    if (inner < 0) return errno == ENOENT || weir__work_failed(walk->work, name);
    bool ok = walk_folder(walk, inner, depth + 1);
    close(inner);
    return ok;
}

static bool walk_folder(walking *walk, int folder, int depth) {
    weir_arena arena = {0};
    weir__names names = {0};
    bool ok = !is_deep(walk->work, depth, walk->depth_max) &&
              weir__names_read(walk->work, folder, &arena, &names);
    for (size_t i = 0; ok && i < names.count; i++) {
        size_t before = walk->path.length;
        if (!before && walk->skip && strcmp(names.items[i], walk->skip) == 0) continue;
        weir_buffer_printf(&walk->path, "%s%s", before ? "/" : "", names.items[i]);
        ok = walk_entry(walk, folder, names.items[i], depth);
        (void)weir_buffer_cut(&walk->path, before);
    }
    weir_vector_deinit(&names);
    weir_arena_deinit(&arena);
    return ok;
}

bool weir__tree_walk(weir__work *w, int folder, int depth_max, const char *skip, weir__visit *visit,
                     void *arg) {
    walking walk = {.work = w, .depth_max = depth_max, .skip = skip, .visit = visit, .arg = arg};
    bool ok = walk_folder(&walk, folder, 0);
    weir_buffer_deinit(&walk.path);
    return ok;
}

/* --- what is there -------------------------------------------------------------------------- */

static bool set_modes(weir__work *w, int folder, const char *name, mode_t mode, bool recurse,
                      int depth) {
    struct stat info;
    weir_arena arena = {0};
    weir__names names = {0};
    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return weir__work_failed(w, name);
    if (S_ISLNK(info.st_mode)) return true;
    bool inner = recurse && S_ISDIR(info.st_mode);
    int fd = inner ? openat(folder, name, WEIR__FOLDER_FLAGS) : -1;
    bool ok = !is_deep(w, depth, WEIR_ARTIFACT_DEPTH_MAX) &&
              (!inner || fd >= 0 || weir__work_failed(w, name)) &&
              (!inner || weir__names_read(w, fd, &arena, &names));
    for (size_t i = 0; ok && i < names.count; i++)
        ok = set_modes(w, fd, names.items[i], mode, recurse, depth + 1);
    ok = ok && (fchmodat(folder, name, mode & 07777, 0) == 0 || weir__work_failed(w, name));
    if (fd >= 0) close(fd);
    weir_vector_deinit(&names);
    weir_arena_deinit(&arena);
    return ok;
}

bool weir__tree_mode(weir__work *w, int folder, const char *name, mode_t mode, bool recurse) {
    return set_modes(w, folder, name, mode, recurse, 0);
}

static bool check_link(weir__work *w, int tree, const char *path) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long fd;
    do fd = syscall(SYS_openat2, tree, path, &how, sizeof how);
    while (fd < 0 && errno == EAGAIN); /* something was renamed meanwhile */
    if (fd >= 0) close((int)fd);
    return fd >= 0 || errno != EXDEV ||
           weir_fail(w->error, WEIR_INVALID, "`%s`: the link `%s` in it leads out of it", w->what,
                     path);
}

typedef struct linked {
    weir__work *work;
    int tree;
} linked;

static bool check_entry(void *arg, weir_str path, const struct stat *info) {
    const linked *l = arg;
    return !S_ISLNK(info->st_mode) || check_link(l->work, l->tree, path.data);
}

bool weir__tree_links(weir__work *w, int tree) {
    uint64_t before = w->files; /* they were counted as they came */
    w->files = 0;
    bool ok = weir__tree_walk(w, tree, WEIR_ARTIFACT_DEPTH_MAX, NULL, check_entry,
                              &(linked){.work = w, .tree = tree});
    w->files = before;
    return ok;
}

bool weir__tree_part(weir__work *w, int tree, const char *path, int folder, const char *name) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    struct stat info;
    int fd = (int)syscall(SYS_openat2, tree, path, &how, sizeof how);
    if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
        return weir_fail(w->error, WEIR_INVALID, "`%s`: `%s` leads out of it", w->what, path);
    if (fd < 0)
        return weir_fail(w->error, WEIR_NOT_FOUND, "there is no `%s` in `%s`", path, w->what);
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    bool ok = fstat(fd, &info) == 0 || weir__work_failed(w, path);
    int copy = ok ? open(self, O_RDONLY | O_CLOEXEC) : -1;
    close(fd);
    if (!ok) return false;
    if (copy < 0) return weir__work_failed(w, path);
    return weir__tree_copy(w, copy, folder, name);
}

void weir__tree_remove(int folder, const char *name) {
    char path[64];
    if (unlinkat(folder, name, 0) == 0 || (errno != EISDIR && errno != EPERM)) return;
    (void)!fchmodat(folder, name, S_IRWXU, 0); /* what cannot be opened tells */
    int fd = openat(folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return;
    snprintf(path, sizeof path, "/proc/self/fd/%d/.", fd);
    weir__remove_within(path, SIZE_MAX);
    close(fd);
    unlinkat(folder, name, AT_REMOVEDIR);
}

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/pass.h"
#include "executor/init/init.h"

enum { GIVEN_MAX = 32 }; /* mounts of an order whose trees are held */

/* An attempt's root while it is made. */
typedef struct making {
    const helper *h;
    const order *o;
    int root, host;    /* open: the new root, and the host's */
    unsigned overlays; /* further ones */
    /* What of the host's is mounted goes from /host to the root, so the trees of what is given were taken before, in the mounts' order. */
    bool moves;
    int given[GIVEN_MAX];
} making;

static bool failed(const making *m, weir__init_step step, const char *what) {
    return weir__note(m->o->record, step, what);
}

/* A folder of the host's where the attempt's files stay: the same below, and writable. */
static bool bind_kept(making *m, const char *folder) {
    struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};
    int fd = weir__open_within(m->host, folder, O_PATH | O_DIRECTORY);
    int tree = fd < 0 ? -1 : open_tree(fd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | OPEN_TREE_CLOEXEC);
    if (fd >= 0) close(fd);
    if (tree < 0 ||
        (m->h->user && mount_setattr(tree, "", AT_EMPTY_PATH, &writable, sizeof writable) < 0) ||
        move_mount(tree, "", AT_FDCWD, "/kept", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return failed(m, WEIR__INIT_SOURCE, folder);
    close(tree);
    /* What says that the overlay was not synced at its end. */
    unlink("/kept/work/work/incompat/volatile/dirty");
    rmdir("/kept/work/work/incompat/volatile");
    rmdir("/kept/work/work/incompat");
    for (size_t i = 0; i < WEIR__FOLDERS; i++)
        if (mkdir(m->o->folders[i], i < WEIR__TEMPORARY ? 0755 : 01777) < 0 && errno != EEXIST)
            return failed(m, WEIR__INIT_LAYERS, folder);
    return true;
}

static bool mount_root(making *m) {
    if (m->h->images) {
        if (!weir__image_mount(m->h, m->o, m->host)) return false;
    } else if (mount("overlay", "/new", "overlay", 0, m->o->overlay) < 0) {
        return failed(m, WEIR__INIT_OVERLAY, m->o->folders[WEIR__UPPER]);
    }
    m->root = open("/new", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return m->root >= 0 || failed(m, WEIR__INIT_OVERLAY, "/new");
}

/* What is to be mounted, as it shall be; closes `from`. */
static int take_tree(int from, bool read_only, bool writable) {
    struct mount_attr attributes = {.attr_set = read_only ? MOUNT_ATTR_RDONLY : 0,
                                    .attr_clr = writable ? MOUNT_ATTR_RDONLY : 0};
    int tree =
        open_tree(from, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLOEXEC);
    bool ok = tree >= 0 && ((!read_only && !writable) ||
                            mount_setattr(tree, "", AT_EMPTY_PATH | (read_only ? AT_RECURSIVE : 0),
                                          &attributes, sizeof attributes) == 0);
    int reason = errno;
    if (!ok && tree >= 0) close(tree);
    close(from);
    errno = reason;
    return ok ? tree : -1;
}

/* Closes the tree. */
static bool attach(int tree, int to) {
    bool ok = tree >= 0 &&
              move_mount(tree, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
    int reason = errno;
    if (tree >= 0) close(tree);
    errno = reason;
    return ok;
}

/* The mount itself goes, as nobody else needs it in this namespace: another of it takes twice as long. No link is followed. */
static bool move_own(const making *m, const char *from, const char *to) {
    return m->moves && move_mount(AT_FDCWD, from, AT_FDCWD, to, 0) == 0;
}

/* What an attempt always has, at folders of the layers: no link is followed. */
static bool bind_own(making *m, const char *from, const char *to) {
    return mount(from, to, NULL, MS_BIND | MS_REC, NULL) == 0 || failed(m, WEIR__INIT_BIND, to);
}

static bool move_place(making *m, int source, int target) {
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    return move_mount(source, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) ==
               0 &&
           (m->h->user || mount_setattr(source, "", AT_EMPTY_PATH | AT_RECURSIVE, &read_only,
                                        sizeof read_only) == 0);
}

/* An ordinary user's folder, which stands at the root and is read-only. */
static bool move_folder(const making *m, const char *path) {
    char from[300] = "/host", to[300] = "/new";
    size_t length = strlen(path) + 1;
    memcpy(from + strlen("/host"), path, length);
    memcpy(to + strlen("/new"), path, length);
    return m->h->user && move_own(m, from, to);
}

static bool bind_places(making *m) {
    for (size_t i = 0; i < m->h->place_count; i++) {
        const char *path = m->h->places[i];
        if (move_folder(m, path)) continue;
        int source = weir__open_within(m->host, path, O_PATH | O_DIRECTORY);
        int target = weir__open_within(m->root, path, O_PATH | O_DIRECTORY);
        /* One that went since, or hides below another, is not there. */
        bool there = source >= 0 && target >= 0;
        bool moved = there && m->moves && move_place(m, source, target);
        bool ok = !there || moved || attach(take_tree(source, !m->h->user, false), target);
        if (source >= 0 && (!there || moved)) close(source);
        int reason = errno;
        if (target >= 0) close(target);
        errno = reason;
        if (!ok) return failed(m, WEIR__INIT_BIND, path);
    }
    return true;
}

/* An ordinary user may not write in the host's folders: the one that lacks something gets an overlay of its own. */
static bool cover(making *m, int folder) {
    char upper[96], work[96], data[256], base[80];
    snprintf(base, sizeof base, "%s/%u", m->o->folders[WEIR__COVER], m->overlays++);
    snprintf(upper, sizeof upper, "%s/upper", base);
    snprintf(work, sizeof work, "%s/work", base);
    if ((mkdir(base, 0755) < 0 && errno != EEXIST) || (mkdir(upper, 0755) < 0 && errno != EEXIST) ||
        (mkdir(work, 0755) < 0 && errno != EEXIST))
        return false;
    snprintf(data, sizeof data, "lowerdir=.,upperdir=%s,workdir=%s,userxattr", upper, work);
    return fchdir(folder) == 0 && mount("overlay", "/cover", "overlay", 0, data) == 0 &&
           move_mount(AT_FDCWD, "/cover", folder, "", MOVE_MOUNT_T_EMPTY_PATH) == 0 &&
           chdir("/") == 0;
}

static int create_entry(int folder, const char *name, bool file, mode_t mode) {
    if (!file) return mkdirat(folder, name, mode);
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    return fd < 0 ? -1 : close(fd);
}

/* Creates the entry `path`, whose last name begins at `name`. */
static bool create_at(making *m, const char *path, const char *name, bool file) {
    char above[WEIR__PATH_BYTES];
    snprintf(above, sizeof above, "%.*s", (int)(name - path), path);
    for (int i = 0; i < 2; i++) {
        int folder = weir__open_within(m->root, above, O_PATH | O_DIRECTORY);
        if (folder < 0) return false;
        bool made = create_entry(folder, name, file, file ? 0644 : 0755) == 0 || errno == EEXIST;
        bool refused = !made && (errno == EROFS || errno == EACCES || errno == EPERM);
        bool again = refused && m->h->user && i == 0 && cover(m, folder);
        int reason = errno;
        close(folder);
        errno = reason;
        if (!again) return made;
    }
    return false;
}

/* The place of a mount, made with all folders above it when it is not there; -1 and errno. */
static int open_target(making *m, const char *target, bool file) {
    char path[WEIR__PATH_BYTES];
    int fd = weir__open_within(m->root, target, O_PATH);
    if (fd >= 0 || errno != ENOENT) return fd;
    if (strlen(target) >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(path, target, strlen(target) + 1);
    for (char *at = path + strspn(path, "/"); *at;) {
        char *end = at + strcspn(at, "/"), next = *end;
        bool last = !end[strspn(end, "/")];
        *end = '\0';
        fd = weir__open_within(m->root, path, O_PATH);
        if (fd >= 0)
            close(fd);
        else if (errno != ENOENT || !create_at(m, path, at, file && last))
            return -1;
        *end = next;
        at = end + strspn(end, "/");
    }
    return weir__open_within(m->root, target, O_PATH);
}

/* Whether a tree of what is given could be taken: -1 where it cannot be mounted. */
static bool open_given(making *m, const struct weir__mount_text *mount, int *tree) {
    const char *flags = mount->flags, *source = mount->source;
    bool read_only = strchr(flags, WEIR__INIT_READ_ONLY);
    int from = strchr(flags, WEIR__INIT_BENEATH) ? weir__open_beneath(m->host, source)
                                                 : weir__open_within(m->host, source, O_PATH);
    if (from < 0) return failed(m, WEIR__INIT_SOURCE, source);
    *tree = take_tree(from, read_only, !read_only && m->h->user);
    return *tree >= 0 || failed(m, WEIR__INIT_BIND, mount->target);
}

/* As long as all that is mounted of the host's is below /host. */
static bool take_given(making *m) {
    struct weir__mount_text mount;
    const char *at = m->o->mounts;
    m->moves = !m->h->images && m->o->head->mounts <= GIVEN_MAX;
    for (uint32_t i = 0; m->moves && i < m->o->head->mounts; i++) {
        at = weir__mount_next(at, &mount);
        m->given[i] = -1;
        bool content = mount.flags[0] == WEIR__INIT_CONTENT;
        if (!content && !open_given(m, &mount, &m->given[i])) return false;
    }
    return true;
}

static bool bind_given(making *m, const struct weir__mount_text *mount, int tree) {
    int to = -1;
    if (tree < 0 && !open_given(m, mount, &tree)) return false;
    to = open_target(m, mount->target, strchr(mount->flags, WEIR__INIT_FILE));
    if (to < 0) {
        failed(m, WEIR__INIT_TARGET, mount->target);
        close(tree);
        return false;
    }
    bool ok = attach(tree, to);
    int reason = errno;
    close(to);
    errno = reason;
    return ok || failed(m, WEIR__INIT_BIND, mount->target);
}

/* A file of the attempt's own. */
static bool write_given(making *m, mode_t mode, const char *target, const char *bytes,
                        size_t length) {
    int to = open_target(m, target, true);
    if (to < 0) return failed(m, WEIR__INIT_TARGET, target);
    close(to);
    int fd = weir__open_within(m->root, target, O_WRONLY | O_TRUNC);
    bool ok = fd >= 0 && fchmod(fd, mode) == 0;
    while (ok && length) {
        ssize_t count = write(fd, bytes, length);
        ok = count > 0 || (count < 0 && errno == EINTR);
        if (count > 0) {
            bytes += count;
            length -= (size_t)count;
        }
    }
    if (ok && m->o->head->flags & WEIR__INIT_HAS_IDENTITY && (!m->h->user || m->h->users))
        ok = fchown(fd, m->o->head->user, m->o->head->group) == 0;
    int reason = errno;
    if (fd >= 0) close(fd);
    errno = reason;
    return ok || failed(m, WEIR__INIT_TARGET, target);
}

static bool bind_all_given(making *m) {
    struct weir__mount_text mount;
    const char *at = m->o->mounts;
    for (uint32_t i = 0; i < m->o->head->mounts; i++) {
        at = weir__mount_next(at, &mount);
        if (mount.flags[0] == WEIR__INIT_CONTENT
                ? !write_given(m, mount.mode, mount.target, mount.source, mount.length)
                : !bind_given(m, &mount, m->moves ? m->given[i] : -1))
            return false;
    }
    return true;
}

static bool bind_basics(making *m) {
    if (m->h->images) return weir__image_basics(m->h, m->o);
    if (!bind_places(m) || !bind_own(m, m->o->folders[WEIR__TEMPORARY], "/new/tmp") ||
        (m->h->user && m->h->variable &&
         !bind_own(m, m->o->folders[WEIR__VARIABLE], "/new/var/tmp")))
        return false;
    if (!m->h->devices && !move_own(m, "/dev", "/new/dev") && !bind_own(m, "/dev", "/new/dev"))
        return false;
    if (m->h->terminals && !move_own(m, "/pts", "/new/dev/pts") &&
        !bind_own(m, "/pts", "/new/dev/pts"))
        return false;
    return mount("proc", "/new/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0 ||
           failed(m, WEIR__INIT_PROC, "/proc");
}

static bool make_directory(making *m) {
    if (!*m->o->directory) return true;
    int fd = open_target(m, m->o->directory, false);
    if (fd < 0) return failed(m, WEIR__INIT_DIRECTORY, m->o->directory);
    close(fd);
    return true;
}

/* A view of the root with all its mounts, that stays when the attempt is over. */
static bool send_root(making *m) {
    int tree =
        open_tree(m->root, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLOEXEC);
    uint32_t slot = m->o->head->slot;
    bool ok = tree >= 0 && weir__pass_send(WEIR__INIT_ROOTS, tree, &slot, sizeof slot) >= 0;
    int reason = errno;
    if (tree >= 0) close(tree);
    errno = reason;
    return ok || failed(m, WEIR__INIT_BIND, "/");
}

bool weir__root_enter(const helper *h, const order *o) {
    making m = {.h = h, .o = o, .root = -1};
    if (!weir__network_up(o)) return false;
    m.host = open("/host", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (m.host < 0) return failed(&m, WEIR__INIT_LAYERS, "/host");
    if ((*o->root && !bind_kept(&m, o->root)) || !mount_root(&m) || !take_given(&m) ||
        !bind_basics(&m) || !bind_all_given(&m) || !make_directory(&m) ||
        (o->head->flags & WEIR__INIT_WANTS_ROOT && !send_root(&m)))
        return false;
    close(m.host);
    if (fchdir(m.root) < 0) return failed(&m, WEIR__INIT_BIND, "/");
    /* The new root covers the helper's, which goes with the namespace: to change roots and unmount takes longer. */
    if (h->images ? !weir__image_pivot(o)
                  : mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
        return failed(&m, WEIR__INIT_BIND, "/");
    if (chdir(*o->directory ? o->directory : "/") < 0)
        return failed(&m, WEIR__INIT_DIRECTORY, o->directory);
    close(m.root);
    return true;
}

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/remove.h"
#include "executor/init/init.h"

/* Where the helper's root is made: a directory that is bound to nothing. */
#define BASE "/sys"

static bool write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0) close(fd);
    return ok;
}

/* The user keeps its number: it is who it was, with all rights over its own namespaces until it executes something. In an image, whose files
 * are root's, it is root. */
static bool make_user(helper *h) {
    char text[64];
    unsigned user = geteuid(), group = getegid();
    if (h->users)
        return weir__users_enter(WEIR__INIT_NAMESPACE) ||
               weir__note(h->records, WEIR__INIT_USERS, "");
    if (unshare(CLONE_NEWUSER) < 0) return weir__note(h->records, WEIR__INIT_USERS, "");
    snprintf(text, sizeof text, "%u %u 1", h->images ? 0 : user, user);
    if (!write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/uid_map", text))
        return weir__note(h->records, WEIR__INIT_USERS, "");
    snprintf(text, sizeof text, "%u %u 1", h->images ? 0 : group, group);
    if (!write_file("/proc/self/gid_map", text))
        return weir__note(h->records, WEIR__INIT_USERS, "");
    return true;
}

static bool layers_failed(const helper *h, const char *path) {
    return weir__note(h->records, WEIR__INIT_LAYERS, path);
}

/* Entries of the root that have a meaning of their own in an attempt. */
static bool is_own(const char *name) {
    static const char *const own[] = {"proc", "sys", "dev", "lost+found"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(name, own[i]) == 0) return true;
    return name[0] == '.';
}

/* Those that an attempt of an ordinary user has of its own instead of the host's. */
static bool is_private(const char *name) {
    static const char *const names[] = {"tmp", "run", "mnt", "media", "root", "boot"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

static void add_place(helper *h, const char *path) {
    if (h->place_count == WEIR__PLACES_MAX || strlen(path) >= sizeof *h->places) return;
    memcpy(h->places[h->place_count++], path, strlen(path) + 1);
}

static bool bind_host_directory(helper *h, const char *name) {
    char from[300], to[300];
    snprintf(from, sizeof from, "/%s", name);
    snprintf(to, sizeof to, BASE "/host/%s", name);
    if (mkdir(to, 0755) < 0) return layers_failed(h, to);
    /* One that cannot be had (a network's that is away) is not there for attempts. */
    if (mount(from, to, NULL, MS_BIND | MS_REC, NULL) < 0) return true;
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    if (mount_setattr(AT_FDCWD, to, AT_RECURSIVE, &read_only, sizeof read_only) < 0)
        return layers_failed(h, to);
    if (is_private(name)) return true;
    snprintf(to, sizeof to, BASE "/skel/%s", name);
    if (mkdir(to, 0755) < 0) return layers_failed(h, to);
    add_place(h, from);
    return true;
}

/* A link at the root, as /bin is: relative to the root, as it may be asked for below another. */
static bool copy_link(const helper *h, const char *name) {
    char from[300], to[300], target[WEIR__PATH_BYTES];
    snprintf(from, sizeof from, "/%s", name);
    ssize_t length = readlink(from, target, sizeof target - 1);
    if (length <= 0) return true;
    target[length] = '\0';
    static const char *const folders[] = {BASE "/host", BASE "/skel"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(to, sizeof to, "%s/%s", folders[i], name);
        if (symlink(target, to) < 0) return layers_failed(h, to);
    }
    return true;
}

/* An ordinary user may not have the root without what is mounted above it, so each folder comes by itself, with that. */
static bool bind_folders(helper *h) {
    struct stat info;
    bool ok = true;
    DIR *root = opendir("/");
    if (!root) return layers_failed(h, "/");
    for (const struct dirent *entry; ok && (entry = readdir(root));) {
        if (is_own(entry->d_name) || strlen(entry->d_name) >= 256 ||
            fstatat(dirfd(root), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (S_ISDIR(info.st_mode))
            ok = bind_host_directory(h, entry->d_name);
        else if (S_ISLNK(info.st_mode))
            ok = copy_link(h, entry->d_name);
    }
    closedir(root);
    return ok;
}

/* File systems that a program may expect at their place; others belong to the kernel or to this boot. */
static bool is_real(const char *type) {
    static const char *const real[] = {"ext",   "xfs",      "btrfs",  "zfs",      "f2fs",   "nfs",
                                       "cifs",  "9p",       "virtio", "fuse",     "vfat",   "ntfs",
                                       "exfat", "squashfs", "erofs",  "bcachefs", "overlay"};
    for (size_t i = 0; i < sizeof real / sizeof *real; i++)
        if (strncmp(type, real[i], strlen(real[i])) == 0) return strcmp(type, "fusectl") != 0;
    return false;
}

static bool is_below(const char *path, const char *folder) {
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || !path[length]);
}

/* The outer brings the inner along, whichever is told first. */
static void forget_places_below(helper *h, const char *path) {
    size_t kept = 0;
    for (size_t i = 0; i < h->place_count; i++) {
        if (is_below(h->places[i], path)) continue;
        if (kept != i) memcpy(h->places[kept], h->places[i], sizeof *h->places);
        kept++;
    }
    h->place_count = kept;
}

/* What becomes of a mount when root's is looked at: nothing, as it is the kernel's; it is there to be bound from, as a part of the
 * host; or attempts see it as well. */
typedef enum use { NONE, HOST, PLACE } use;

static use judge_mount(const helper *h, const char *path, const char *type, bool brought[2]) {
    static const char *const own[] = {"/proc", "/sys", "/dev"}, *const apart[] = {"/run", "/tmp"};
    bool real = is_real(type), memory = strncmp(type, "tmpfs", 5) == 0;
    if (strcmp(path, "/") == 0 || strchr(path, '\\')) return NONE; /* a name with blanks in it */
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (is_below(path, own[i])) return NONE;
    /* Of one mount within another the outer brings the inner along. */
    for (size_t i = 0; i < h->place_count; i++)
        if (is_below(path, h->places[i])) return NONE;
    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++) {
        if (!is_below(path, apart[i])) continue;
        bool whole = strcmp(path, apart[i]) == 0, inner = !brought[i] && (real || memory);
        brought[i] |= whole;
        return whole || inner ? HOST : NONE;
    }
    return real ? PLACE : memory ? HOST : NONE;
}

/* The root's file system alone is the lower layer; what else is mounted is bound into each attempt. */
static bool bind_root(helper *h) {
    char line[2 * WEIR__PATH_BYTES], path[256], to[300];
    if (mount("/", BASE "/host", NULL, MS_BIND, NULL) < 0) return layers_failed(h, "/");
    bool brought[2] = {false, false}; /* /run, /tmp: with what is mounted in them */
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts && fgets(line, sizeof line, mounts)) {
        const char *type = strstr(line, " - ");
        if (!type || sscanf(line, "%*s %*s %*s %*s %255s", path) != 1) continue;
        use what = judge_mount(h, path, type + 3, brought);
        if (what == NONE) continue;
        snprintf(to, sizeof to, BASE "/host%s", path);
        if (mount(path, to, NULL, MS_BIND | MS_REC, NULL) < 0 || what != PLACE) continue;
        forget_places_below(h, path);
        add_place(h, path);
    }
    if (mounts) fclose(mounts);
    return true;
}

static const char *device_folder(const helper *h) {
    return !h->devices ? BASE "/dev" : h->images ? BASE "/image/dev" : BASE "/skel/dev";
}

static bool make_device(const helper *h, const char *name) {
    struct stat info;
    char from[64], to[64];
    snprintf(from, sizeof from, "/dev/%s", name);
    snprintf(to, sizeof to, "%s/%s", device_folder(h), name);
    if (stat(from, &info) < 0) return strcmp(name, "null") != 0 || layers_failed(h, from);
    if (h->devices)
        return mknod(to, info.st_mode, info.st_rdev) == 0 || errno == EEXIST ||
               layers_failed(h, to);
    int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || close(fd) < 0) return layers_failed(h, to);
    return mount(from, to, NULL, MS_BIND, NULL) == 0 || layers_failed(h, from);
}

/* Devices are files of the layer, where that is allowed; else the host's are bound to files of a folder. */
static bool make_devices(helper *h) {
    static const char *const nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
    struct stat null;
    char to[64];
    h->devices = true;
    const char *folder = device_folder(h);
    snprintf(to, sizeof to, "%s/null", folder);
    /* Opaque: what is there of the lower layer is not seen. */
    h->devices = !h->user && stat("/dev/null", &null) == 0 &&
                 setxattr(folder, "trusted.overlay.opaque", "y", 1, 0) == 0 &&
                 mknod(to, null.st_mode, null.st_rdev) == 0;
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        if (!make_device(h, nodes[i])) return false;
    folder = device_folder(h);
    snprintf(to, sizeof to, "%s/pts", folder);
    if (mkdir(to, 0755) < 0) return layers_failed(h, to);
    if (!h->devices) (void)!mount("/dev/pts", to, NULL, MS_BIND, NULL); /* or there are none */
    static const char *const links[][2] = {
        {"/proc/self/fd", "fd"},       {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"},
        {"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"},         {"/run/shm", "shm"}};
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        snprintf(to, sizeof to, "%s/%s", folder, links[i][1]);
        if (symlink(links[i][0], to) < 0) return layers_failed(h, to);
    }
    return true;
}

/* Name servers often stand in a file of /run, which attempts have of their own. */
static void copy_resolver(void) {
    char path[WEIR__PATH_BYTES], to[WEIR__PATH_BYTES + 32], bytes[16 * 1024];
    if (!realpath("/etc/resolv.conf", path) || strncmp(path, "/run/", 5) != 0) return;
    snprintf(to, sizeof to, BASE "/skel%s", path);
    for (char *at = to + strlen(BASE "/skel/run/"); (at = strchr(at, '/')); at++) {
        *at = '\0';
        (void)mkdir(to, 0755); /* the file tells */
        *at = '/';
    }
    int in = open(path, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ssize_t count = in >= 0 && out >= 0 ? read(in, bytes, sizeof bytes) : 0;
    if (count > 0 && write(out, bytes, (size_t)count) != count) unlink(to);
    if (in >= 0) close(in);
    if (out >= 0) close(out);
}

/* How many there are is asked for in files of /sys. */
static const char *const processor_files[] = {"online", "possible", "present"};
enum { PROCESSOR_FILES = sizeof processor_files / sizeof *processor_files };

struct processors {
    char texts[PROCESSOR_FILES][128];
    size_t lengths[PROCESSOR_FILES];
};

static void read_processors(struct processors *out) {
    for (size_t i = 0; i < PROCESSOR_FILES; i++) {
        char path[64];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/%s", processor_files[i]);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t count = fd >= 0 ? read(fd, out->texts[i], sizeof out->texts[i]) : 0;
        out->lengths[i] = count > 0 ? (size_t)count : 0;
        if (fd >= 0) close(fd);
    }
}

static bool write_processors(const helper *h, const struct processors *processors) {
    static const char *const folders[] = {"/devices", "/devices/system", "/devices/system/cpu"};
    char path[96];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, BASE "/skel/sys%s", folders[i]);
        if (mkdir(path, 0755) < 0) return layers_failed(h, path);
    }
    for (size_t i = 0; i < PROCESSOR_FILES; i++) {
        size_t length = processors->lengths[i];
        snprintf(path, sizeof path, BASE "/skel/sys/devices/system/cpu/%s", processor_files[i]);
        int fd = length ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444) : -1;
        bool ok =
            !length || (fd >= 0 && write(fd, processors->texts[i], length) == (ssize_t)length);
        if (fd >= 0) close(fd);
        if (!ok) return layers_failed(h, path);
    }
    return true;
}

static bool make_folders(const helper *h) {
    static const struct {
        const char *path;
        mode_t mode;
    } folders[] = {
        {"/host", 0755},

        {"/skel", 0755},          {"/dev", 0755},
        {"/proc", 0555},          {"/disk", 0755},
        {"/base", 0755},          {"/up", 0700},
        {"/new", 0755},           {"/cover", 0755},
        {"/pts", 0755},           {"/kept", 0755},
        {"/layers", 0755},        {"/skel/proc", 0555},
        {"/skel/sys", 0555},      {"/skel/dev", 0755},
        {"/skel/tmp", 01777},     {"/skel/run", 0755},
        {"/skel/run/shm", 01777}, {"/skel/mnt", 0755},
        {"/skel/root", 0700},     {"/skel/run/lock", 01777},
        {"/skel/media", 0755},
    };
    char path[64];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, BASE "%s", folders[i].path);
        if (mkdir(path, 0755) < 0 || chmod(path, folders[i].mode) < 0)
            return layers_failed(h, path);
    }
    return true;
}

static bool bind_one(const helper *h, const char *from, const char *to, unsigned long more) {
    return mount(from, to, NULL, MS_BIND | more, NULL) == 0 || layers_failed(h, from);
}

static bool bind_rest(helper *h) {
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    if (!bind_one(h, ".", BASE "/base", 0) || !bind_one(h, "/proc", BASE "/proc", MS_REC) ||
        !make_devices(h) || (!h->devices && !bind_one(h, BASE "/dev", BASE "/dev", MS_REC)))
        return false;
    if (!h->devices && mount_setattr(AT_FDCWD, BASE "/dev", 0, &read_only, sizeof read_only) < 0)
        return layers_failed(h, "/dev");
    h->terminals = h->devices && mount("/dev/pts", BASE "/pts", NULL, MS_BIND, NULL) == 0;
    return true;
}

/* A folder of its own in /base, locked as long as this process lives. */
static bool take_folder(helper *h) {
    snprintf(h->folder, sizeof h->folder, "/base/%d-XXXXXX", (int)getpid());
    h->lock = weir__folder_lock(h->folder);
    if (h->lock < 0 || mount(h->folder, "/disk", NULL, MS_BIND, NULL) < 0)
        return layers_failed(h, h->folder);
    struct clone_args how = {.exit_signal = SIGCHLD};
    if (syscall(SYS_clone3, &how, sizeof how) == 0) {
        weir__folders_sweep("/base");
        _exit(0);
    }
    return true;
}

/* An ordinary user's overlay writes attributes of its own (user.overlay.*), which a tmpfs has from Linux 6.6 on; before, what attempts write
 * goes to disk. */
static bool place_upper(const helper *h) {
    if (!h->user || setxattr("/up", "user.overlay.probe", "y", 1, 0) == 0) return true;
    return (mkdir("/disk/up", 0700) == 0 && mount("/disk/up", "/up", NULL, MS_BIND, NULL) == 0) ||
           layers_failed(h, "/up");
}

/* Root of the machine, who may make namespaces as they are: not that of a container. */
static bool is_root(void) {
    char line[128] = "", *at = line;
    FILE *map = fopen("/proc/self/uid_map", "re");
    if (map && !fgets(line, sizeof line, map)) line[0] = '\0';
    if (map) fclose(map);
    /* The first number within, that outside, and how many. */
    bool whole = *line && strtoul(at, &at, 10) == 0 && strtoul(at, &at, 10) == 0 &&
                 strtoul(at, &at, 10) == UINT32_MAX;
    if (!whole || geteuid() != 0) return false;
    return unshare(CLONE_NEWNS) == 0;
}

bool weir__space_make(helper *h, const char *folder, const char *bytes) {
    char limit[96];
    struct stat outer, inner;
    h->variable = lstat("/var", &outer) == 0 && S_ISDIR(outer.st_mode) &&
                  lstat("/var/tmp", &inner) == 0 && S_ISDIR(inner.st_mode);
    umask(0);
    /* From here on by ".": there may be folders above it that are not this user's to look into. */
    if (chdir(folder) < 0) return layers_failed(h, folder);
    h->user = !is_root();
    if (h->user && !make_user(h)) return false;
    if ((h->user && unshare(CLONE_NEWNS) < 0) ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return weir__note(h->records, WEIR__INIT_SPACE, "");
    struct processors processors;
    read_processors(&processors);
    int sys = h->images ? weir__image_take_sys(h) : -1;
    snprintf(limit, sizeof limit, "mode=0755,size=%.32s", bytes);
    if (mount("tmpfs", BASE, "tmpfs", MS_NOSUID, limit) < 0) return layers_failed(h, BASE);
    if (!make_folders(h) || (h->images && !weir__image_space(h, BASE, sys)) ||
        !(h->user ? bind_folders : bind_root)(h) || !bind_rest(h))
        return false;
    if (h->images) weir__fuse_space(h, BASE);
    copy_resolver();
    if (!write_processors(h, &processors)) return false;
    /* Of root's attempts /var is of the layers, and what is large goes to /tmp. */
    if (!h->user && h->variable && mkdir(BASE "/skel/var", 0755) == 0)
        (void)!symlink("../tmp", BASE "/skel/var/tmp");
    if (chdir(BASE) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
        chdir("/") < 0)
        return weir__note(h->records, WEIR__INIT_SPACE, "");
    return take_folder(h) && (!h->images || place_upper(h));
}

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "executor/init/init.h"

enum { OVERLAY_BYTES = 4096 /* that the kernel reads of a mount's options */ };

int weir__image_take_sys(const helper *h) {
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    unsigned deep = h->user ? AT_RECURSIVE : 0; /* who may not leave out what is mounted there */
    int tree = open_tree(AT_FDCWD, "/sys", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | deep);
    if (tree >= 0 &&
        mount_setattr(tree, "", AT_EMPTY_PATH | deep, &read_only, sizeof read_only) == 0)
        return tree;
    if (tree >= 0) close(tree);
    return -1;
}

bool weir__image_space(const helper *h, const char *base, int sys) {
    static const struct {
        const char *path;
        mode_t mode;
    } folders[] = {{"/image", 0755},          {"/image/proc", 0555}, {"/image/sys", 0555},
                   {"/image/dev", 0755},      {"/image/tmp", 01777}, {"/image/run", 0755},
                   {"/image/run/shm", 01777}, {"/image/etc", 0755},  {"/nothing", 0555},
                   {"/sysfs", 0555}};
    /* What is always bound has a place that no attempt has to make, which would cost it a copy of the folder. */
    static const char *const files[] = {"/image/etc/resolv.conf", "/image/etc/hosts"};
    char path[64];
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s%s", base, folders[i].path);
        if (mkdir(path, 0755) < 0 || chmod(path, folders[i].mode) < 0)
            return weir__note(h->records, WEIR__INIT_LAYERS, path);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s%s", base, files[i]);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0 || close(fd) < 0) return weir__note(h->records, WEIR__INIT_LAYERS, path);
    }
    if (sys < 0) return true; /* then it is empty */
    snprintf(path, sizeof path, "%s/sysfs", base);
    bool ok = move_mount(sys, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) == 0;
    close(sys);
    return ok || weir__note(h->records, WEIR__INIT_LAYERS, path);
}

/* --- each attempt ------------------------------------------------------------------------------- */

bool weir__image_open_layers(const order *o, int host, int *layers) {
    const char *path = o->layers;
    for (uint32_t i = 0; i < WEIR__INIT_IMAGE_LAYERS_MAX; i++) layers[i] = -1;
    if (o->head->layers > WEIR__INIT_IMAGE_LAYERS_MAX) {
        errno = E2BIG;
        return weir__note(o->record, WEIR__INIT_OVERLAY, "");
    }
    for (uint32_t i = 0; i < o->head->layers; i++, path += strlen(path) + 1) {
        layers[i] = weir__open_within(host, path, O_PATH | O_DIRECTORY);
        if (layers[i] < 0) return weir__note(o->record, WEIR__INIT_SOURCE, path);
    }
    return true;
}

void weir__image_close_layers(const order *o, const int *layers) {
    for (uint32_t i = 0; i < o->head->layers && i < WEIR__INIT_IMAGE_LAYERS_MAX; i++)
        if (layers[i] >= 0) close(layers[i]);
}

/* The layers by their descriptors: names as short as that fit many, and nothing in a path has to be escaped. False: E2BIG, or why the kernel does
 * not. */
static bool mount_few(const helper *h, const order *o, const int *layers) {
    char options[OVERLAY_BYTES];
    size_t length = (size_t)snprintf(options, sizeof options, "lowerdir=/image");
    for (uint32_t i = 0; i < o->head->layers && length < sizeof options; i++)
        length += (size_t)snprintf(options + length, sizeof options - length, ":/proc/self/fd/%d",
                                   layers[i]);
    if (length < sizeof options)
        length += (size_t)snprintf(options + length, sizeof options - length,
                                   ",upperdir=%s,workdir=%s%s%s", o->folders[WEIR__UPPER],
                                   o->folders[WEIR__WORK], h->user ? ",userxattr" : "",
                                   *o->root ? ",volatile" : "");
    if (length < sizeof options) return mount("overlay", "/new", "overlay", 0, options) == 0;
    errno = E2BIG;
    return false;
}

static bool say(int overlay, const char *key, const char *value) {
    return syscall(SYS_fsconfig, overlay, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key,
                   value, 0) == 0;
}

/* One layer at a time: as many as the kernel knows of (from Linux 6.7 on; before that EINVAL). */
static bool mount_many(const helper *h, const order *o, const int *layers) {
    char path[48];
    int overlay = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC), tree = -1;
    bool ok = overlay >= 0 && say(overlay, "lowerdir+", "/image");
    for (uint32_t i = 0; ok && i < o->head->layers; i++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", layers[i]);
        ok = say(overlay, "lowerdir+", path);
    }
    ok = ok && say(overlay, "upperdir", o->folders[WEIR__UPPER]) &&
         say(overlay, "workdir", o->folders[WEIR__WORK]) &&
         (!h->user || say(overlay, "userxattr", NULL)) &&
         (!*o->root || say(overlay, "volatile", NULL)) &&
         syscall(SYS_fsconfig, overlay, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0;
    if (ok) tree = (int)syscall(SYS_fsmount, overlay, FSMOUNT_CLOEXEC, 0);
    ok = tree >= 0 && move_mount(tree, "", AT_FDCWD, "/new", MOVE_MOUNT_F_EMPTY_PATH) == 0;
    int reason = errno;
    if (tree >= 0) close(tree);
    if (overlay >= 0) close(overlay);
    errno = reason;
    return ok;
}

static bool mount_overlay(const helper *h, const order *o, int host) {
    int layers[WEIR__INIT_IMAGE_LAYERS_MAX];
    bool opened = weir__image_open_layers(o, host, layers), few = opened && mount_few(h, o, layers);
    bool large = opened && !few && errno == E2BIG;
    bool ok = few || (large && mount_many(h, o, layers));
    if (opened && !ok && !large) weir__note(o->record, WEIR__INIT_OVERLAY, o->folders[WEIR__UPPER]);
    weir__image_close_layers(o, layers);
    return ok || (large && weir__copy_mount(h, o, host));
}

bool weir__image_mount(const helper *h, const order *o, int host) {
    if (*o->root && weir__copy_is_there(o)) return weir__copy_mount(h, o, host);
    switch (h->mount) {
    case WEIR__INIT_MOUNT_FUSE: return weir__fuse_mount(o);
    case WEIR__INIT_MOUNT_COPY: return weir__copy_mount(h, o, host);
    default: return mount_overlay(h, o, host);
    }
}

static bool bind_at(const order *o, const char *from, const char *to, unsigned long more) {
    return mount(from, to, NULL, MS_BIND | more, NULL) == 0 ||
           weir__note(o->record, WEIR__INIT_BIND, to);
}

/* With what is mounted in it. The mount itself goes, as nobody else needs it in this namespace. */
static bool move_at(const order *o, const char *from, const char *to) {
    return move_mount(AT_FDCWD, from, AT_FDCWD, to, 0) == 0 || bind_at(o, from, to, MS_REC);
}

/* What of the kernel root may read or change by its number alone, whatever rights it gave up. */
static bool mask_kernel(const order *o) {
    static const char *const read_only[] = {"/new/proc/sys", "/new/proc/sysrq-trigger",
                                            "/new/proc/irq", "/new/proc/bus", "/new/proc/fs"};
    static const struct {
        const char *path, *instead;
    } hidden[] = {
        {"/new/proc/kcore", "/new/dev/null"},
        {"/new/proc/keys", "/new/dev/null"},
        {"/new/proc/timer_list", "/new/dev/null"},
        {"/new/proc/acpi", "/nothing"},
        {"/new/proc/latency_stats", "/new/dev/null"},
        {"/new/proc/scsi", "/nothing"},
        {"/new/sys/firmware", "/nothing"},
    };
    for (size_t i = 0; i < sizeof read_only / sizeof *read_only; i++) {
        struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
        if (mount(read_only[i], read_only[i], NULL, MS_BIND, NULL) < 0) {
            if (errno == ENOENT) continue;
            return weir__note(o->record, WEIR__INIT_BIND, read_only[i]);
        }
        if (mount_setattr(AT_FDCWD, read_only[i], 0, &attributes, sizeof attributes) < 0)
            return weir__note(o->record, WEIR__INIT_BIND, read_only[i]);
    }
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (mount(hidden[i].instead, hidden[i].path, NULL, MS_BIND, NULL) < 0 && errno != ENOENT)
            return weir__note(o->record, WEIR__INIT_BIND, hidden[i].path);
    return true;
}

/* What of them is in /image is so through an overlay, but neither through fuse-overlayfs nor in a copy. */
static bool bind_devices(const helper *h, const order *o) {
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    if (h->devices && h->mount == WEIR__INIT_MOUNT_OVERLAY && !weir__copy_is_there(o)) return true;
    if (!h->devices) return move_at(o, "/dev", "/new/dev");
    return bind_at(o, "/image/dev", "/new/dev", 0) &&
           (mount_setattr(AT_FDCWD, "/new/dev", 0, &read_only, sizeof read_only) == 0 ||
            weir__note(o->record, WEIR__INIT_BIND, "/dev"));
}

/* The places are folders of /image, which stands above the image: no link of its own leads elsewhere. */
bool weir__image_basics(const helper *h, const order *o) {
    if (!(o->head->flags & WEIR__INIT_OWN_TMP) &&
        !bind_at(o, o->folders[WEIR__TEMPORARY], "/new/tmp", 0))
        return false;
    if (!bind_devices(h, o)) return false;
    /* Terminals of its own: at the host's this user's others sit, and root could read what they type. */
    if (mount("devpts", "/new/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
              "newinstance,ptmxmode=0666,mode=0620") < 0)
        return weir__note(o->record, WEIR__INIT_BIND, "/dev/pts");
    if (mount("proc", "/new/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return weir__note(o->record, WEIR__INIT_PROC, "/proc");
    if (h->user) return move_at(o, "/sysfs", "/new/sys");
    return bind_at(o, "/sysfs", "/new/sys", 0) && mask_kernel(o);
}

bool weir__image_pivot(const order *o) {
    /* Onto itself: the old root is then above the new one, and goes. */
    return (syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0 &&
            chdir("/") == 0) ||
           weir__note(o->record, WEIR__INIT_BIND, "/");
}

bool weir__network_up(const order *o) {
    struct ifreq interface = {.ifr_name = "lo"};
    if (!(o->head->flags & WEIR__INIT_NO_NETWORK)) return true;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &interface) == 0;
    interface.ifr_flags |= IFF_UP;
    ok = ok && ioctl(fd, SIOCSIFFLAGS, &interface) == 0;
    int reason = errno;
    if (fd >= 0) close(fd);
    errno = reason;
    return ok || weir__note(o->record, WEIR__INIT_NETWORK, "");
}

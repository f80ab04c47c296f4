#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/remove.h"
#include "executor/init/init.h"

enum {
    AT_ONCE = 256,   /* files that are removed without a process of their own */
    EMPTY_BYTES = 48 /* of the entries "." and "..", as getdents64 gives them */
};

static const struct folder {
    const char *format;
    mode_t mode;
} folders[WEIR__FOLDERS] = {
    [WEIR__UPPER] = {"/up/%u/upper", 0755},      [WEIR__WORK] = {"/up/%u/work", 0755},
    [WEIR__COVER] = {"/up/%u/cover", 0755},      [WEIR__TREE] = {"/disk/%u/tree", 0755},
    [WEIR__TEMPORARY] = {"/disk/%u/tmp", 01777}, [WEIR__VARIABLE] = {"/disk/%u/var", 01777}};

static uint64_t nanoseconds(const struct timespec *time) {
    return (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec;
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return nanoseconds(&now);
}

bool weir__slot_prepare(helper *h, uint32_t slot) {
    char path[64];
    if (!h->known) h->known = calloc(WEIR__INIT_SLOTS, sizeof *h->known);
    if (!h->known) return weir__note(&h->records[slot], WEIR__INIT_LAYERS, "");
    h->known[slot].taken_ns = now_ns();
    if (slot < h->slots) return true;
    for (; h->slots <= slot; h->slots++) {
        unsigned number = (unsigned)h->slots;
        snprintf(path, sizeof path, "/up/%u", number);
        bool ok = mkdir(path, 0755) == 0;
        snprintf(path, sizeof path, "/disk/%u", number);
        ok = ok && mkdir(path, 0755) == 0;
        for (size_t i = 0; ok && i < WEIR__FOLDERS; i++) {
            snprintf(path, sizeof path, folders[i].format, number);
            ok = mkdir(path, folders[i].mode) == 0;
        }
        if (!ok) return weir__note(&h->records[slot], WEIR__INIT_LAYERS, path);
    }
    return true;
}

void weir__slot_name(const helper *h, order *o) {
    static const char *const kept[WEIR__FOLDERS] = {"/kept/upper", "/kept/work", "/kept/cover",
                                                    "/kept/tree",  "/kept/tmp",  "/kept/var"};
    char layer[32] = "";
    for (size_t i = 0; i < WEIR__FOLDERS; i++)
        snprintf(o->folders[i], sizeof o->folders[i], *o->root ? kept[i] : folders[i].format,
                 o->head->slot);
    if (o->layer >= 0) snprintf(layer, sizeof layer, ":/layers/%d", o->layer);
    /* A disk is not waited for: what was written is read by us, or lost with everything. */
    snprintf(o->overlay, sizeof o->overlay, "lowerdir=/skel%s%s,upperdir=%s,workdir=%s%s%s", layer,
             h->user ? "" : ":/host", o->folders[WEIR__UPPER], o->folders[WEIR__WORK],
             h->user ? ",userxattr" : "", *o->root ? ",volatile" : "");
}

/* The folder gets another name, and goes; a new one takes its place. */
static void remove_behind(const char *path, mode_t mode) {
    static unsigned number;
    char away[64];
    const char *end = strchr(path + 1, '/');
    snprintf(away, sizeof away, "%.*s/away.%u", (int)(end - path), path, number++);
    if (rename(path, away) < 0 || mkdir(path, mode) < 0) {
        weir__remove_within(path, SIZE_MAX);
        return;
    }
    struct clone_args how = {.exit_signal = SIGCHLD};
    pid_t pid = (pid_t)syscall(SYS_clone3, &how, sizeof how);
    if (pid > 0) return;
    weir__remove_within(away, SIZE_MAX);
    rmdir(away);
    if (pid == 0) _exit(0);
}

/* Any change of a folder, or of what is in it, changes the time of its inode, which nobody can set back. But the kernel's clock for
 * that stands still for some milliseconds: it says nothing of an attempt that began right after the folder was looked at. */
enum { CLOCK_STANDS_NS = 20 * 1000 * 1000 };

static bool is_unchanged(const struct slot *known, size_t i, const char *path) {
    struct stat info;
    return known->emptied_ns[i] && known->taken_ns > known->emptied_ns[i] + CLOCK_STANDS_NS &&
           lstat(path, &info) == 0 && nanoseconds(&info.st_ctim) == known->emptied_ns[i];
}

/* Whether the folder is empty and as it was made, as most are; then `changed_ns` says when it last became so. */
static bool is_untouched(const char *path, mode_t mode, uint64_t *changed_ns) {
    char entries[512]; /* room for those two and one of the longest name */
    struct stat info;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return false;
    /* The time first: what comes into it later is later. */
    bool untouched = fstat(fd, &info) == 0 && info.st_uid == geteuid() &&
                     info.st_gid == getegid() && (info.st_mode & 07777) == mode;
    long count = untouched ? syscall(SYS_getdents64, fd, entries, sizeof entries) : 0;
    close(fd);
    *changed_ns = nanoseconds(&info.st_ctim);
    return count > 0 && count <= EMPTY_BYTES;
}

static void clear_folder(const char *path, mode_t mode) {
    struct stat info;
    if (!weir__remove_within(path, AT_ONCE)) remove_behind(path, mode);
    if (lstat(path, &info) < 0) return;
    if (info.st_uid != geteuid() || info.st_gid != getegid())
        (void)!chown(path, geteuid(), getegid());
    if ((info.st_mode & 07777) != mode) (void)!chmod(path, mode);
}

/* The work folder is emptied by whoever mounts it next. */
void weir__slot_clear(helper *h, uint32_t slot) {
    if (slot >= h->slots) return;
    struct slot *known = &h->known[slot];
    weir__fuse_stop(h, slot);
    for (size_t i = 0; i < WEIR__FOLDERS; i++) {
        char path[64];
        /* Those that are an ordinary user's only were given to nobody. */
        bool used = h->user || i == WEIR__UPPER || i == WEIR__TREE || i == WEIR__TEMPORARY;
        if (i == WEIR__WORK || !used) continue;
        snprintf(path, sizeof path, folders[i].format, slot);
        if (is_unchanged(known, i, path)) continue;
        if (is_untouched(path, folders[i].mode, &known->emptied_ns[i])) continue;
        known->emptied_ns[i] = 0;
        clear_folder(path, folders[i].mode);
    }
}

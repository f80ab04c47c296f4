/* Overlays by fuse-overlayfs, a program of the host's, one process for each attempt. It lives in a copy of the helper's mount namespace, as the helper's
 * child: who looks up what an attempt wrote does so when the attempt's own processes are gone. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "executor/init/init.h"

/* Where the host's root is the program's, it finds here what is the helper's: /sys/image, /sys/up, and the layers by their numbers. */
#define PLACE "/host/sys"

enum { DEVICE = 3, LAYER_BYTES = 8, ARGUMENT_BYTES = 256 };

static const char *const programs[] = {"/usr/bin/fuse-overlayfs", "/usr/local/bin/fuse-overlayfs",
                                       "/bin/fuse-overlayfs"};

void weir__fuse_space(const helper *h, const char *base) {
    char path[64];
    snprintf(path, sizeof path, "%s/fuse", base);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
    if (fd >= 0 && mount("/dev/fuse", path, NULL, MS_BIND, NULL) < 0) unlink(path);
    /* An ordinary user's host has folders of the helper's own. */
    static const char *const folders[] = {"/host/sys", "/host/proc"};
    for (size_t i = 0; h->user && i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s%s", base, folders[i]);
        (void)mkdir(path, 0555); /* whoever mounts there tells */
    }
}

/* --- the program ---------------------------------------------------------------------------------- */

static bool add_folder(const char *name, const char *from) {
    char path[64];
    snprintf(path, sizeof path, PLACE "/%s", name);
    return mkdir(path, 0755) == 0 && mount(from, path, NULL, MS_BIND, NULL) == 0;
}

/* Upper and work folder are in one that is mounted once: names are moved between them. */
static bool add_upper(const order *o, int host) {
    struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};
    if (!*o->root) {
        char path[64];
        snprintf(path, sizeof path, "/up/%u", o->head->slot);
        return add_folder("up", path);
    }
    int folder = weir__open_within(host, o->root, O_PATH | O_DIRECTORY);
    int tree = folder < 0
                   ? -1
                   : open_tree(folder, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | OPEN_TREE_CLOEXEC);
    if (tree < 0 || mkdir(PLACE "/up", 0755) < 0) return false;
    (void)mount_setattr(tree, "", AT_EMPTY_PATH, &writable, sizeof writable);
    if (move_mount(tree, "", AT_FDCWD, PLACE "/up", MOVE_MOUNT_F_EMPTY_PATH) < 0) return false;
    return (mkdir(PLACE "/up/upper", 0755) == 0 || errno == EEXIST) &&
           (mkdir(PLACE "/up/work", 0755) == 0 || errno == EEXIST);
}

/* Links, which lead where they would lead on the host; so no path has to be escaped. */
static bool add_layers(const order *o, char *argument, size_t size) {
    const char *path = o->layers;
    char at[32];
    size_t length = (size_t)snprintf(argument, size, "lowerdir=/sys/image");
    for (uint32_t i = 0; i < o->head->layers; i++, path += strlen(path) + 1) {
        snprintf(at, sizeof at, PLACE "/%u", i);
        if (symlink(path, at) < 0) return false;
        length += (size_t)snprintf(argument + length, size - length, ":/sys/%u", i);
    }
    /* A disk is not waited for, as with an overlay. */
    length += (size_t)snprintf(argument + length, size - length,
                               ",upperdir=/sys/up/upper,workdir=/sys/up/work,fsync=0");
    return length < size;
}

/* In a process of its own, in whose memory everything else is the helper's: there is no return. */
static _Noreturn void serve(const order *o, int device, char *argument, size_t size) {
    static char *const no_environment[] = {NULL};
    static char foreground[] = "-f", option[] = "-o", place[] = "/dev/fd/3";
    sigset_t none;
    sigemptyset(&none);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    setpgid(0, 0);
    umask(0);
    int host = open("/host", O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool ok =
        host >= 0 && mount("tmpfs", PLACE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") == 0 &&
        add_folder("image", "/image") && add_upper(o, host) && add_layers(o, argument, size) &&
        mount("/proc", "/host/proc", NULL, MS_BIND | MS_REC, NULL) == 0 && chroot("/host") == 0 &&
        chdir("/") == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    /* Not the engine's socket, nor the output that somebody waits for the end of. */
    ok = ok && (device == DEVICE ? fcntl(device, F_SETFD, 0) : dup2(device, DEVICE)) >= 0 &&
         close_range(DEVICE + 1, ~0U, 0) == 0;
    for (size_t i = 0; ok && i < sizeof programs / sizeof *programs; i++) {
        char *argv[] = {(char *)(uintptr_t)programs[i], foreground, option, argument, place, NULL};
        execve(programs[i], argv, no_environment);
    }
    _exit(1);
}

/* Which would only be found out by a file system that has nobody behind it. */
static bool is_installed(void) {
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        char path[64];
        snprintf(path, sizeof path, "/host%s", programs[i]);
        if (access(path, X_OK) == 0) return true;
    }
    return false;
}

/* --- the file system ------------------------------------------------------------------------------- */

static bool say(int file_system, const char *key, const char *value) {
    return syscall(SYS_fsconfig, file_system, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key,
                   value, 0) == 0;
}

/* Made here, for who executes the program would have to be let mount: it only answers. What an attempt of root's writes others read, too; an ordinary user's is
 * that user, also outside of its namespace. -1 and errno. */
static int make_file_system(const helper *h, int device) {
    char number[16];
    snprintf(number, sizeof number, "%d", device);
    int file_system = (int)syscall(SYS_fsopen, "fuse", FSOPEN_CLOEXEC), tree = -1;
    bool ok = file_system >= 0 && say(file_system, "source", "fuse-overlayfs") &&
              say(file_system, "fd", number) && say(file_system, "rootmode", "40755") &&
              say(file_system, "user_id", "0") && say(file_system, "group_id", "0") &&
              say(file_system, "default_permissions", NULL) &&
              (h->user || say(file_system, "allow_other", NULL)) &&
              syscall(SYS_fsconfig, file_system, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0;
    if (ok) tree = (int)syscall(SYS_fsmount, file_system, FSMOUNT_CLOEXEC, 0);
    int reason = errno;
    if (file_system >= 0) close(file_system);
    errno = reason;
    return tree;
}

static bool start_server(helper *h, const order *o, int device) {
    size_t size = ARGUMENT_BYTES + (size_t)o->head->layers * LAYER_BYTES * 2;
    char *argument = malloc(size);
    int server = -1;
    struct clone_args how = {.flags = CLONE_NEWNS | CLONE_PIDFD,
                             .exit_signal = SIGCHLD,
                             .pidfd = (__u64)(uintptr_t)&server};
    pid_t pid = argument ? (pid_t)syscall(SYS_clone3, &how, sizeof how) : -1;
    if (pid == 0) serve(o, device, argument, size);
    int reason = errno;
    free(argument);
    errno = reason;
    if (pid < 0) return false;
    h->known[o->head->slot].server = server;
    return true;
}

bool weir__fuse_start(helper *h, order *o) {
    weir__fuse_stop(h, o->head->slot);
    /* Its files would be seen by all users of the namespace, or by none but one; the engine, which reads outputs, is outside of it. */
    if (h->users) {
        errno = EOPNOTSUPP;
        return weir__note(o->record, WEIR__INIT_FUSE, "fuse-overlayfs with several users");
    }
    if (!is_installed()) {
        errno = ENOENT;
        return weir__note(o->record, WEIR__INIT_FUSE, "fuse-overlayfs");
    }
    int device = open("/fuse", O_RDWR | O_CLOEXEC);
    if (device < 0) return weir__note(o->record, WEIR__INIT_FUSE, "/dev/fuse");
    o->served = make_file_system(h, device);
    bool ok = o->served >= 0 && start_server(h, o, device);
    if (!ok) weir__note(o->record, WEIR__INIT_FUSE, "/dev/fuse");
    close(device);
    if (!ok && o->served >= 0) {
        close(o->served);
        o->served = -1;
    }
    return ok;
}

bool weir__fuse_mount(const order *o) {
    struct stat info;
    bool ok = move_mount(o->served, "", AT_FDCWD, "/new", MOVE_MOUNT_F_EMPTY_PATH) == 0 &&
              stat("/new/proc", &info) == 0; /* it answers */
    close(o->served);
    return ok || weir__note(o->record, WEIR__INIT_FUSE, "fuse-overlayfs");
}

void weir__fuse_stop(helper *h, uint32_t slot) {
    siginfo_t ended;
    int *server = h->known ? &h->known[slot].server : NULL;
    if (!server || !*server) return;
    syscall(SYS_pidfd_send_signal, *server, SIGKILL, NULL, 0);
    while (waitid(P_PIDFD, (id_t)*server, &ended, WEXITED) < 0 && errno == EINTR) continue;
    close(*server);
    *server = 0;
}

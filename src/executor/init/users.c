/* What is done as root of a user namespace of several users, in files that are theirs: see io/users.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/remove.h"
#include "executor/init/init.h"
#include "io/users_work.h"

enum { DONE = 0, FAILED = 3, SHARED_DEPTH_MAX = 64 /* as many as an artifact has */ };

static int fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return FAILED;
}

bool weir__users_enter(int space) {
    bool ok = setns(space, CLONE_NEWUSER) == 0;
    int reason = errno;
    close(space);
    errno = reason;
    return ok;
}

/* A namespace that others may write the maps of, until they have opened it. */
static int hold(void) {
    char none;
    if (unshare(CLONE_NEWUSER) < 0) return fail("a user namespace");
    if (write(STDOUT_FILENO, ".", 1) != 1) return FAILED;
    return read(STDIN_FILENO, &none, 1) < 0 ? FAILED : DONE; /* nothing comes: its end does */
}

/* --- giving files to their owners --------------------------------------------------------------- */

/* The folder that was used last. */
typedef struct giving {
    int folder;
    char path[PATH_MAX];
} giving;

/* The folder that the path's last part is in, and that part; -1 and errno. Links lead where they led while the list was written. */
static int open_above(giving *g, char *path, const char **last) {
    char *slash = strrchr(path, '/');
    *last = slash ? slash + 1 : path;
    if (slash) *slash = '\0';
    const char *above = slash ? path : ".";
    if (g->folder >= 0 && strcmp(above, g->path) == 0) return g->folder;
    if (g->folder >= 0) close(g->folder);
    g->folder = strlen(above) < sizeof g->path
                    ? weir__open_within(WEIR__USERS_FOLDER, above, O_PATH | O_DIRECTORY)
                    : (errno = ENAMETOOLONG, -1);
    if (g->folder >= 0) memcpy(g->path, above, strlen(above) + 1);
    return g->folder;
}

/* Something else has its place since: the last line that names it counts. */
static bool is_gone(void) {
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
}

static bool give_one(giving *g, uid_t user, gid_t group, mode_t mode, char *path) {
    const char *last;
    int above = open_above(g, path, &last);
    if (above < 0) return is_gone();
    if (fchownat(above, last, user, group, AT_SYMLINK_NOFOLLOW) < 0 && errno != EINVAL)
        return is_gone();
    /* Bits which a change of the owner took away. */
    struct stat info;
    if (!(mode & (S_ISUID | S_ISGID)) || fstatat(above, last, &info, AT_SYMLINK_NOFOLLOW) < 0 ||
        !(S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)))
        return true;
    return fchmodat(above, last, mode, 0) == 0;
}

static int give(void) {
    giving g = {.folder = -1};
    char *line = NULL;
    size_t room = 0;
    if (!weir__users_enter(WEIR__USERS_SPACE)) return fail("the user namespace");
    bool ok = true;
    while (ok && getdelim(&line, &room, '\0', stdin) > 0) {
        char *at = line;
        uid_t user = (uid_t)strtoul(at, &at, 10);
        gid_t group = (gid_t)strtoul(at, &at, 10);
        mode_t mode = (mode_t)strtoul(at, &at, 8);
        ok = give_one(&g, user, group, mode, at + (*at == ' '));
        if (!ok) (void)fail(at);
    }
    free(line);
    if (ok && syncfs(WEIR__USERS_FOLDER) < 0) return fail("the file system");
    return ok ? DONE : FAILED;
}

static int remove_folder(const char *folder) {
    if (!weir__users_enter(WEIR__USERS_SPACE)) return fail("the user namespace");
    weir__remove_within(folder, SIZE_MAX);
    return rmdir(folder) == 0 || errno == ENOENT ? DONE : fail(folder);
}

/* --- showing files to the engine ---------------------------------------------------------------- */

/* Which is root of the namespace and has no rights in it: what its group may not do it cannot. `wanted` are bits of a group. */
static void share_file(int fd, const struct stat *info, mode_t wanted) {
    bool group = info->st_gid == 0;
    if (info->st_uid == 0 ||
        (info->st_mode & (group ? wanted : wanted >> 3)) == (group ? wanted : wanted >> 3))
        return;
    /* What cannot be had is said by whoever wants to read it. */
    if (group || fchown(fd, (uid_t)-1, 0) == 0) (void)!fchmod(fd, (info->st_mode & 07777) | wanted);
}

static int open_shared(int above, const char *name, struct stat *info) {
    int fd = openat(above, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, info) == 0) return fd;
    close(fd);
    return -1;
}

/* A file, or a folder with all that is in it; takes the descriptor over. */
static void share_tree(int fd, const struct stat *info, int depth) {
    bool folder = S_ISDIR(info->st_mode);
    if (folder || S_ISREG(info->st_mode)) share_file(fd, info, folder ? 050 : 040);
    DIR *stream = folder && depth < SHARED_DEPTH_MAX ? fdopendir(fd) : NULL;
    if (!stream) {
        close(fd);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(stream));) {
        struct stat inner;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        int file = open_shared(dirfd(stream), entry->d_name, &inner);
        if (file >= 0) share_tree(file, &inner, depth + 1);
    }
    closedir(stream);
}

/* The folders that lead there. */
static void share_above(char *path) {
    for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
        struct stat info;
        *slash = '\0';
        int folder = open_shared(AT_FDCWD, path, &info);
        if (folder >= 0) {
            if (S_ISDIR(info.st_mode)) share_file(folder, &info, 010);
            close(folder);
        }
        *slash = '/';
    }
}

void weir__outputs_share(const order *o) {
    const char *output = o->outputs;
    for (uint32_t i = 0; i < o->head->outputs; i++, output += strlen(output) + 1) {
        char own[32], path[PATH_MAX];
        struct stat info;
        int found = open(output, O_PATH | O_CLOEXEC);
        snprintf(own, sizeof own, "/proc/self/fd/%d", found);
        ssize_t length = found < 0 ? -1 : readlink(own, path, sizeof path - 1);
        if (found >= 0) close(found);
        if (length <= 0) continue;
        path[length] = '\0';
        share_above(path);
        int fd = open_shared(AT_FDCWD, path, &info);
        if (fd >= 0) share_tree(fd, &info, 0);
    }
}

/* --- */

int weir__users_work(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "users") == 0) return hold();
    if (argc == 2 && strcmp(argv[1], "give") == 0) return give();
    if (argc == 3 && strcmp(argv[1], "remove") == 0) return remove_folder(argv[2]);
    return -1;
}

/* What is done as root of a user namespace of several users, in files that are theirs: see io/users.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/merge.h"
#include "base/pass.h"
#include "base/remove.h"
#include "executor/init/init.h"
#include "io/users_work.h"

enum { DONE = 0, FAILED = 3, SAID_BYTES = 200 /* of a path, in a message */ };

static int fail(const char *what) {
    int code = errno == ENOENT || errno == ENOTDIR ? WEIR__USERS_ABSENT : FAILED;
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    return code;
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
    if (fchownat(above, last, user, group, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno != EINVAL) return is_gone();
        /* One of them is not in the namespace. Who runs the file would become another than was meant. */
        mode &= 01777;
        (void)!fchownat(above, last, user, (gid_t)-1, AT_SYMLINK_NOFOLLOW);
        (void)!fchownat(above, last, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW);
    }
    /* A change of the owner takes bits away, and an entry before it may have left some. */
    struct stat info;
    if (fstatat(above, last, &info, AT_SYMLINK_NOFOLLOW) < 0) return is_gone();
    return !(S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)) || fchmodat(above, last, mode, 0) == 0;
}

static int give(void) {
    giving g = {.folder = -1};
    char *line = NULL, named[SAID_BYTES];
    size_t room = 0;
    if (!weir__users_enter(WEIR__USERS_SPACE)) return fail("the user namespace");
    bool ok = true;
    while (ok && getdelim(&line, &room, '\0', stdin) > 0) {
        char *at = line, *path;
        uid_t user = (uid_t)strtoul(at, &at, 10);
        gid_t group = (gid_t)strtoul(at, &at, 10);
        mode_t mode = (mode_t)strtoul(at, &at, 8);
        path = at + (*at == ' ');
        snprintf(named, sizeof named, "%s", path);
        ok = give_one(&g, user, group, mode, path);
        if (!ok) (void)fail(named);
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

static bool send_file(int fd) {
    char nothing = 0;
    return weir__pass_send(STDOUT_FILENO, fd, &nothing, sizeof nothing) >= 0;
}

/* What is at the path, of a root that is nothing of ours: whoever wrote there may have put links anywhere. Nothing of it is changed. */
static int show(const char *path) {
    struct stat info;
    weir__merge merge = {.count = 1, .into = WEIR__USERS_INTO, .readable = true};
    if (!weir__users_enter(WEIR__USERS_SPACE)) return fail("the user namespace");
    int fd = weir__open_within(WEIR__USERS_FOLDER, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &info) < 0) return fail(path);
    if (!S_ISDIR(info.st_mode)) return send_file(fd) ? DONE : fail(path);
    merge.layers = &fd;
    return weir__merge_layers(&merge) ? DONE : fail(merge.what);
}

/* --- */

int weir__users_work(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "users") == 0) return hold();
    if (argc == 2 && strcmp(argv[1], "give") == 0) return give();
    if (argc == 3 && strcmp(argv[1], "show") == 0) return show(argv[2]);
    if (argc == 3 && strcmp(argv[1], "remove") == 0) return remove_folder(argv[2]);
    return -1;
}

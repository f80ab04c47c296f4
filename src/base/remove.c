#include "base/remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    DEPTH_MAX = 64, /* of folders that are open at once */
    NEW_S = 10
};

/* Where files are removed; what lies deeper than DEPTH_MAX is moved up to it first. */
typedef struct removal {
    int top;
    unsigned moved;
    size_t left; /* that may still be removed */
} removal;

static void empty_folder(removal *r, int folder, int depth);

/* -1: it cannot be had. */
static int open_folder(int above, const char *name) {
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    struct stat info;
    int folder = openat(above, name, flags);
    if (folder < 0 && errno == EACCES && fchmodat(above, name, S_IRWXU, 0) == 0)
        folder = openat(above, name, flags);
    if (folder >= 0 && fstat(folder, &info) == 0 && (info.st_mode & S_IRWXU) != S_IRWXU)
        (void)fchmod(folder, S_IRWXU); /* what is in it tells */
    return folder;
}

/* True when it is gone from here. */
static bool remove_entry(removal *r, int folder, const char *name, int depth) {
    if (unlinkat(folder, name, 0) == 0) return true;
    if (errno != EISDIR && errno != EPERM) return false;
    if (unlinkat(folder, name, AT_REMOVEDIR) == 0) return true;
    if (depth == DEPTH_MAX) {
        char up[32];
        snprintf(up, sizeof up, "deep.%u", r->moved++);
        return renameat(folder, name, r->top, up) == 0;
    }
    int inner = open_folder(folder, name);
    if (inner < 0) return false;
    empty_folder(r, inner, depth + 1);
    return unlinkat(folder, name, AT_REMOVEDIR) == 0;
}

/* Takes the descriptor over. Goes through it again while that helps: an entry may have been moved up to it. */
static void empty_folder(removal *r, int folder, int depth) {
    DIR *stream = fdopendir(folder);
    if (!stream) {
        close(folder);
        return;
    }
    for (bool again = true; again && r->left;) {
        again = false;
        rewinddir(stream);
        for (const struct dirent *entry; r->left && (entry = readdir(stream));) {
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
            r->left--;
            again |= remove_entry(r, dirfd(stream), entry->d_name, depth);
        }
    }
    closedir(stream);
}

bool weir__remove_within(const char *folder, size_t most) {
    int top = open_folder(AT_FDCWD, folder);
    if (top < 0) return true;
    removal r = {.top = top, .left = most};
    int inner = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (inner >= 0) empty_folder(&r, inner, 0);
    close(top);
    return r.left > 0;
}

int weir__folder_lock(char *name) {
    int folder = mkdtemp(name) ? open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    /* Whatever the folder above hands down. */
    bool ok =
        folder < 0 || (fchown(folder, (uid_t)-1, getegid()) == 0 && fchmod(folder, 0700) == 0);
    if (folder < 0 || (ok && flock(folder, LOCK_EX) == 0)) return folder;
    int reason = errno;
    close(folder);
    errno = reason;
    return -1;
}

void weir__folders_sweep(const char *base) {
    struct stat info;
    DIR *stream = opendir(base);
    for (const struct dirent *entry; stream && (entry = readdir(stream));) {
        char path[4352];
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", base, entry->d_name);
        int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder < 0) continue;
        if (fstat(folder, &info) == 0 && info.st_mtime + NEW_S < time(NULL) &&
            flock(folder, LOCK_EX | LOCK_NB) == 0) {
            weir__remove_within(path, SIZE_MAX);
            rmdir(path);
        }
        close(folder);
    }
    if (stream) closedir(stream);
}

uint64_t weir__folder_bytes(int parent, const char *name, int deep) {
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (!folder && fd >= 0) close(fd);
    uint64_t bytes = 0;
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        struct stat file;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            fstatat(fd, entry->d_name, &file, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        bytes += (uint64_t)file.st_blocks * 512;
        if (S_ISDIR(file.st_mode) && deep > 0)
            bytes += weir__folder_bytes(fd, entry->d_name, deep - 1);
    }
    if (folder) closedir(folder);
    return bytes;
}

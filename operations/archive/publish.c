#include "publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct publishing {
    const weir_host *host;
    weir_call *call;
    const char *directory;
    bool moving; /* else it only looks */
} publishing;

static bool publish_folder(publishing *p, int from, int to);

static bool publish_subfolder(publishing *p, int from, int to, const char *name) {
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int inner_to = openat(to, name, flags);
    if (inner_to < 0 && errno == ENOENT)
        return !p->moving || renameat(from, name, to, name) == 0 ||
               fail_errno(p->host, p->call, name);
    if (inner_to < 0)
        return p->host->fail(p->call, "conflict", "%s: `%s` is there already, and not a folder",
                             p->directory, name);
    int inner_from = openat(from, name, flags);
    bool ok = inner_from >= 0 ? publish_folder(p, inner_from, inner_to)
                              : fail_errno(p->host, p->call, name);
    if (inner_from >= 0) close(inner_from);
    close(inner_to);
    return ok;
}

static bool publish_file(publishing *p, int from, int to, const char *name) {
    struct stat status;
    if (p->moving) return renameat(from, name, to, name) == 0 || fail_errno(p->host, p->call, name);
    if (fstatat(to, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT || fail_errno(p->host, p->call, name);
    return !S_ISDIR(status.st_mode) ||
           p->host->fail(p->call, "conflict", "%s: `%s` is a folder there", p->directory, name);
}

static bool publish_folder(publishing *p, int from, int to) {
    int copy = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy >= 0 ? fdopendir(copy) : NULL;
    if (!stream) {
        fail_errno(p->host, p->call, p->directory);
        if (copy >= 0) close(copy);
        return false;
    }
    bool ok = true;
    for (const struct dirent *entry; ok && (entry = readdir(stream));) {
        const char *name = entry->d_name;
        struct stat status;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
        if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
            ok = fail_errno(p->host, p->call, name);
        else if (S_ISDIR(status.st_mode))
            ok = publish_subfolder(p, from, to, name);
        else
            ok = publish_file(p, from, to, name);
    }
    closedir(stream);
    return ok;
}

bool publish_into(const weir_host *host, weir_call *call, int root, const char *directory) {
    publishing p = {host, call, directory, false};
    int to = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (to < 0) return fail_errno(host, call, directory);
    bool ok = publish_folder(&p, root, to);
    p.moving = true;
    ok = ok && publish_folder(&p, root, to);
    close(to);
    return ok;
}

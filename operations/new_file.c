#include "new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    BASE_MAX = 200
}; /* bytes of the name that the hidden one repeats: both must fit in NAME_MAX */

bool fail_errno(const weir_host *host, weir_call *call, const char *path) {
    return host->fail(call, errno == ENOENT ? "not_found" : "io", "%s: %s", path, strerror(errno));
}

const char *temporary_name(const weir_host *host, weir_call *call, const char *path) {
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, 0) != sizeof random) random = (uint64_t)getpid();
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t size = strlen(path) + 32;
    char *name = host->alloc(call, size);
    snprintf(name, size, "%.*s.%.*s.weir-%016" PRIx64, (int)(base - path), path, BASE_MAX, base,
             random);
    return name;
}

/* Where the file is to be: a link is followed, so that it stays one. NULL when the call has failed. */
static const char *find_place(const weir_host *host, weir_call *call, const char *path) {
    struct stat link, status;
    if (lstat(path, &link) != 0) {
        if (errno == ENOENT) return path;
        fail_errno(host, call, path);
        return NULL;
    }
    char *place = host->alloc(call, PATH_MAX);
    if (!realpath(path, place) || stat(place, &status) != 0) {
        fail_errno(host, call, path);
        return NULL;
    }
    if (S_ISREG(status.st_mode)) return S_ISLNK(link.st_mode) ? place : path;
    host->fail(call, "invalid", "%s: is there already, and not a file", path);
    return NULL;
}

bool new_file_open(const weir_host *host, weir_call *call, const char *path, new_file *out) {
    const char *place = find_place(host, call, path);
    if (!place) return false;
    *out = (new_file){host, call, place, temporary_name(host, call, place), -1};
    out->descriptor =
        open(out->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    return out->descriptor >= 0 || fail_errno(host, call, path);
}

bool new_file_write(new_file *file, const void *data, size_t size) {
    for (const char *at = data; size > 0;) {
        ssize_t written = write(file->descriptor, at, size);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return fail_errno(file->host, file->call, file->path);
        at += written;
        size -= (size_t)written;
    }
    return true;
}

bool new_file_finish(new_file *file) {
    /* Somebody who cancelled must not find a new file. */
    if (file->host->cancelled(file->call)) return false;
    if (fsync(file->descriptor) != 0 || rename(file->temporary, file->path) != 0)
        return fail_errno(file->host, file->call, file->path);
    close(file->descriptor);
    file->descriptor = -1;
    return true;
}

void new_file_close(new_file *file) {
    if (file->descriptor < 0) return;
    close(file->descriptor);
    unlink(file->temporary);
    file->descriptor = -1;
}

int open_input(const weir_host *host, weir_call *call, const char *path, uint64_t *size) {
    struct stat status;
    /* Opening a named pipe would wait for its writer. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0 || fstat(descriptor, &status) != 0) {
        fail_errno(host, call, path);
    } else if (!S_ISREG(status.st_mode)) {
        host->fail(call, "invalid", "%s: not a file", path);
    } else {
        *size = (uint64_t)status.st_size;
        return descriptor;
    }
    if (descriptor >= 0) close(descriptor);
    return -1;
}

#include "file_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool weir__file_fail(const weir_host *host, weir_call *call, const char *path) {
    return host->fail(call, errno == ENOENT ? "not_found" : "io", "%s: %s", path, strerror(errno));
}

int weir__file_open(const weir_host *host, weir_call *call, const char *path, uint64_t *size) {
    /* Opening a named pipe would wait for its writer. */
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (descriptor < 0) {
        weir__file_fail(host, call, path);
        return -1;
    }
    if (fstat(descriptor, &status) != 0)
        weir__file_fail(host, call, path);
    else if (!S_ISREG(status.st_mode))
        host->fail(call, "invalid", "%s: not a file", path);
    else {
        *size = (uint64_t)status.st_size;
        return descriptor;
    }
    close(descriptor);
    return -1;
}

static bool read_bytes(const weir_host *host, weir_call *call, int descriptor, const char *path,
                       char *bytes, size_t size, size_t *length) {
    for (*length = 0; *length < size;) {
        if (host->cancelled(call)) return false;
        ssize_t got = read(descriptor, bytes + *length, size - *length);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return weir__file_fail(host, call, path);
        if (got == 0) break;
        *length += (size_t)got;
    }
    return true;
}

bool weir__file_read(const weir_host *host, weir_call *call, const char *path, weir_str *text) {
    uint64_t size;
    size_t length = 0;
    int descriptor = weir__file_open(host, call, path, &size);
    if (descriptor < 0) return false;
    bool small = size <= TEXT_BYTES_MAX;
    char *bytes = small ? host->alloc(call, (size_t)size + 1) : NULL;
    bool ok = small ? read_bytes(host, call, descriptor, path, bytes, (size_t)size, &length)
                    : host->fail(call, "limit_exceeded", "%s: larger than %d bytes", path,
                                 TEXT_BYTES_MAX);
    close(descriptor);
    if (!ok) return false;
    if (!weir__is_text(bytes, length))
        return host->fail(call, "invalid", "%s: not a text in UTF-8", path);
    *text = (weir_str){bytes, length};
    return true;
}

/* --- writing -------------------------------------------------------------------------------- */

/* Where the bytes go: where a link leads to; `replaces` a file of that mode. False after failing. */
static bool find_target(const weir_host *host, weir_call *call, const char *path,
                        char target[static PATH_MAX], bool *replaces, mode_t *mode) {
    struct stat status;
    *replaces = stat(path, &status) == 0;
    if (*replaces) {
        if (!S_ISREG(status.st_mode)) return host->fail(call, "invalid", "%s: not a file", path);
        *mode = status.st_mode & 07777;
        return realpath(path, target) || weir__file_fail(host, call, path);
    }
    if (errno != ENOENT) return weir__file_fail(host, call, path);
    if (strlen(path) < PATH_MAX) {
        snprintf(target, PATH_MAX, "%s", path);
        return true;
    }
    errno = ENAMETOOLONG;
    return weir__file_fail(host, call, path);
}

/* A hidden file beside the target, with the mode that a new file has here. */
static int open_temporary(const char *target, char temporary[static PATH_MAX + 64]) {
    static atomic_uint count;
    const char *slash = strrchr(target, '/');
    int descriptor = -1;
    do {
        snprintf(temporary, PATH_MAX + 64, "%.*s.weir-%ld-%u",
                 slash ? (int)(slash + 1 - target) : 0, target, (long)getpid(),
                 atomic_fetch_add(&count, 1));
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (descriptor < 0 && errno == EEXIST);
    return descriptor;
}

static bool write_bytes(const weir_host *host, weir_call *call, int descriptor, weir_str text) {
    while (text.length) {
        if (host->cancelled(call)) return false;
        size_t most = 1024 * 1024;
        ssize_t written = write(descriptor, text.data, text.length < most ? text.length : most);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        text = weir__part(text, (size_t)written, text.length);
    }
    return true;
}

/* So that the new name is there after a power cut. Not all file systems can. */
static void sync_folder(char *target) {
    char *slash = strrchr(target, '/');
    if (slash) slash[slash == target] = '\0';
    int folder = open(slash ? target : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    fsync(folder);
    close(folder);
}

bool weir__file_write(const weir_host *host, weir_call *call, const char *path, weir_str text) {
    char target[PATH_MAX], temporary[PATH_MAX + 64];
    bool replaces;
    mode_t mode = 0;
    if (!find_target(host, call, path, target, &replaces, &mode)) return false;
    int descriptor = open_temporary(target, temporary);
    if (descriptor < 0) return weir__file_fail(host, call, path);
    bool ok = write_bytes(host, call, descriptor, text) &&
              (!replaces || fchmod(descriptor, mode) == 0) && fsync(descriptor) == 0;
    int problem = errno;
    close(descriptor);
    if (ok && rename(temporary, target) != 0) {
        ok = false;
        problem = errno;
    }
    if (ok) {
        sync_folder(target);
        return true;
    }
    unlink(temporary);
    if (host->cancelled(call)) return false;
    errno = problem;
    return weir__file_fail(host, call, path);
}

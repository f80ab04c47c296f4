#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/open.h"
#include "executor/init/init.h"

int weir__open_within(int root, const char *path, uint64_t flags) {
    struct open_how how = {
        .flags = flags | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    return weir__open_how(root, path, &how);
}

int weir__open_beneath(int root, const char *source) {
    char folder[WEIR__PATH_BYTES];
    const char *mark = strstr(source, "//");
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    if (!mark || (size_t)(mark - source) >= sizeof folder) {
        errno = EINVAL;
        return -1;
    }
    memcpy(folder, source, (size_t)(mark - source));
    folder[mark - source] = '\0';
    int base = weir__open_within(root, *folder ? folder : "/", O_PATH | O_DIRECTORY);
    int fd = base < 0 ? -1 : weir__open_how(base, mark + 2, &how);
    int reason = errno;
    if (base >= 0) close(base);
    errno = reason;
    return fd;
}

const char *weir__mount_next(const char *at, struct weir__mount_text *out) {
    out->flags = at;
    out->target = at + strlen(at) + 1;
    out->source = out->target + strlen(out->target) + 1;
    out->length = strlen(out->source);
    out->mode = 0;
    if (out->flags[0] == WEIR__INIT_CONTENT) {
        char *colon;
        out->mode = (mode_t)strtoul(out->flags + 1, &colon, 8);
        out->length = strtoul(colon + 1, NULL, 10);
    }
    return out->source + out->length + 1;
}

/* The folder of the layer for that of the host which `path`, links followed, leads to; -1: there is none. It is like the host's, whose
 * place it takes. */
static int open_layer_folder(int host, int layer, const char *path) {
    char link[64], real[WEIR__PATH_BYTES];
    struct stat info;
    int folder = weir__open_within(host, *path ? path : "/", O_PATH | O_DIRECTORY);
    if (folder < 0) return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, real, sizeof real - 1);
    close(folder);
    if (length <= 0 || strncmp(real, "/host", 5) != 0) return -1;
    real[length] = '\0';
    for (char *at = real + 5; *at; *at = '/') {
        char *end = at + 1 + strcspn(at + 1, "/"), next = *end;
        *end = '\0';
        if (stat(real, &info) < 0) return -1;
        if (mkdirat(layer, real + 6, 0755) == 0 &&
            (fchownat(layer, real + 6, info.st_uid, info.st_gid, 0) < 0 ||
             fchmodat(layer, real + 6, info.st_mode & 07777, 0) < 0))
            return -1;
        *end = next;
        at = end;
        if (!next) break;
    }
    return openat(layer, real[5] ? real + 6 : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A place for a file that the host lacks, in a folder that it has; others are made by the attempt that needs them. */
static void add_place(int host, int layer, const char *target) {
    char above[WEIR__PATH_BYTES];
    const char *name = strrchr(target, '/');
    int there = weir__open_within(host, target, O_PATH);
    if (there >= 0) close(there);
    if (there >= 0 || errno != ENOENT || strlen(target) >= sizeof above) return;
    snprintf(above, sizeof above, "%.*s", (int)(name - target), target);
    int folder = open_layer_folder(host, layer, above);
    if (folder < 0) return;
    int file = openat(folder, name + 1, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (file >= 0) close(file);
    close(folder);
}

static bool is_provided(const struct weir__mount_text *mount) {
    return mount->flags[0] != WEIR__INIT_CONTENT && strchr(mount->flags, WEIR__INIT_PROVIDED) &&
           strchr(mount->flags, WEIR__INIT_FILE) && mount->target[0] == '/';
}

/* The targets in their order, each with its end; false: there are none, or too many. */
static bool make_key(const order *o, char *key, size_t size, size_t *length) {
    struct weir__mount_text mount;
    const char *at = o->mounts;
    *length = 0;
    for (uint32_t i = 0; i < o->head->mounts; i++) {
        at = weir__mount_next(at, &mount);
        if (!is_provided(&mount)) continue;
        size_t more = strlen(mount.target) + 1;
        if (more > size - *length) return false;
        memcpy(key + *length, mount.target, more);
        *length += more;
    }
    return *length > 0;
}

int weir__layer_find(helper *h, const order *o) {
    struct layer *layer;
    char key[sizeof layer->key], path[32];
    size_t length;
    if (h->user || !make_key(o, key, sizeof key, &length)) return -1;
    for (size_t i = 0; i < h->layer_count; i++)
        if (h->layers[i].length == length && memcmp(h->layers[i].key, key, length) == 0)
            return (int)i;
    if (h->layer_count == WEIR__LAYERS_MAX) return -1;
    int number = (int)h->layer_count;
    snprintf(path, sizeof path, "/layers/%d", number);
    if (mkdir(path, 0755) < 0) return -1;
    int host = open("/host", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (const char *at = key; host >= 0 && folder >= 0 && at < key + length; at += strlen(at) + 1)
        add_place(host, folder, at);
    if (host >= 0) close(host);
    if (folder >= 0) close(folder);
    layer = &h->layers[h->layer_count++];
    memcpy(layer->key, key, length);
    layer->length = length;
    return number;
}

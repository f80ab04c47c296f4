#include "image/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/remove.h"
#include "image/store_internal.h"
#include "io/users.h"

enum { USER_BYTES = 4096, LOCK_TRIES_MAX = 1000 };

/* --- where it is ---------------------------------------------------------------------------- */

/* The user's own folder, also where no environment says it. */
static void append_home(weir_buffer *out) {
    char bytes[USER_BYTES];
    struct passwd entry, *found = NULL;
    const char *home = getenv("HOME");
    if (!home || home[0] != '/')
        home = getpwuid_r(geteuid(), &entry, bytes, sizeof bytes, &found) == 0 && found
                   ? found->pw_dir
                   : "/var/tmp";
    weir_buffer_text(out, home);
}

static void append_folder(const char *folder, weir_buffer *out) {
    const char *given = folder ? folder : getenv("WEIR_IMAGES"), *data = getenv("XDG_DATA_HOME");
    if (given && *given) {
        char *here = given[0] == '/' ? NULL : getcwd(NULL, 0);
        weir_buffer_printf(out, "%s%s%s", here ? here : "", here ? "/" : "", given);
        free(here);
    } else if (geteuid() == 0) {
        weir_buffer_text(out, "/var/lib/weir/images");
    } else if (data && data[0] == '/') {
        weir_buffer_printf(out, "%s/weir/images", data);
    } else {
        append_home(out);
        weir_buffer_text(out, "/.local/share/weir/images");
    }
}

weir_image_store *weir_image_store_new(const char *folder) {
    weir_buffer path = {0};
    weir_image_store *store = weir_alloc(sizeof *store);
    append_folder(folder, &path);
    store->folder = path.data;
    return store;
}

void weir_image_store_free(weir_image_store *store) {
    if (!store) return;
    weir_free(store->folder);
    weir_free(store);
}

const char *weir_image_store_folder(const weir_image_store *store) {
    return store->folder;
}

bool weir__image_failed(const weir_image_store *store, const char *doing, weir_error *error) {
    int reason = errno;
    weir_fail(error, WEIR_IO, "images in `%.200s`: %s: %s", store->folder, doing, strerror(reason));
    if (reason == ENOSPC || reason == EDQUOT)
        weir_error_hint(error, "make room on the disk: `weir image prune` removes images");
    else if (reason == EACCES || reason == EPERM || reason == EROFS)
        weir_error_hint(error, "WEIR_IMAGES names a folder that you may write");
    return false;
}

/* The folders above are as others make theirs. */
static bool make_above(const char *folder) {
    char *path = weir_str_dup(weir_str_from(folder));
    bool ok = true;
    for (char *slash = path; ok && (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        ok = mkdir(path, 0755) == 0 || errno == EEXIST;
        *slash = '/';
    }
    int reason = errno;
    weir_free(path);
    errno = reason;
    return ok;
}

static bool make_folders(const weir_image_store *store, weir_error *error) {
    static const char *const names[] = {"",         "/blobs",  "/blobs/sha256",
                                        "/partial", "/images", "/new"};
    char layers[WEIR__IMAGE_FILE_BYTES + 1] = "/";
    bool ok = make_above(store->folder);
    weir__image_layer_file(layers + 1, "", "");
    for (size_t i = 0; ok && i <= sizeof names / sizeof *names; i++) {
        weir_buffer path = {0};
        weir_buffer_printf(&path, "%s%s", store->folder,
                           i < sizeof names / sizeof *names ? names[i] : layers);
        ok = mkdir(path.data, 0700) == 0 || errno == EEXIST;
        weir_buffer_deinit(&path);
    }
    return ok || weir__image_failed(store, "a folder cannot be made", error);
}

int weir__image_root(const weir_image_store *store, bool make, weir_error *error) {
    struct stat info;
    char layers[WEIR__IMAGE_FILE_BYTES];
    weir__image_layer_file(layers, "", "");
    int root = open(store->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root >= 0 && (!make || fstatat(root, layers, &info, 0) == 0)) return root;
    if (root >= 0) close(root);
    if (root < 0 && errno == ENOENT && !make) {
        weir_fail(error, WEIR_NOT_FOUND, "there are no images in `%.200s`", store->folder);
        return -1;
    }
    if (make && !make_folders(store, error)) return -1;
    root = open(store->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) weir__image_failed(store, "it cannot be opened", error);
    return root;
}

/* --- files ---------------------------------------------------------------------------------- */

const char *weir__image_hex(const char *digest) {
    return weir_image_digest_ok(weir_str_from(digest)) ? digest + 7 : NULL;
}

const char *weir__image_hex_checked(const char *digest, weir_error *error) {
    const char *hex = weir__image_hex(digest);
    if (!hex)
        weir_fail(error, WEIR_INVALID, "`%.100s` is no digest: `sha256:` and 64 hexadecimal digits",
                  digest ? digest : "");
    return hex;
}

const char *weir__image_file(char out[static WEIR__IMAGE_FILE_BYTES], const char *before,
                             const char *hex, const char *after) {
    snprintf(out, WEIR__IMAGE_FILE_BYTES, "%s%.64s%s", before, hex, after);
    return out;
}

const char *weir__image_layer_file(char out[static WEIR__IMAGE_FILE_BYTES], const char *hex,
                                   const char *after) {
    const char *users = weir_users_get()->key;
    snprintf(out, WEIR__IMAGE_FILE_BYTES, "layers%s%s/%.64s%s", *users ? "-" : "", users, hex,
             after);
    return out;
}

/* Who removes a lock's file has it alone: one that is gone once it is locked is opened again. */
int weir__image_lock(int root, const char *name, int operation) {
    struct stat info;
    for (int tries = 0; tries < LOCK_TRIES_MAX; tries++) {
        int fd = openat(root, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0) return -1;
        int status;
        do status = flock(fd, operation);
        while (status < 0 && errno == EINTR);
        if (status == 0 && fstat(fd, &info) == 0 && info.st_nlink) return fd;
        int reason = errno;
        close(fd);
        errno = reason;
        if (status < 0) return -1;
    }
    errno = EBUSY;
    return -1;
}

bool weir__image_slurp(const weir_image_store *store, int root, const char *name, size_t bytes_max,
                       weir_buffer *out, weir_error *error) {
    struct stat info;
    int fd = openat(root, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return weir_fail(error, WEIR_NOT_FOUND, "images in `%.200s`: there is no %s", store->folder,
                         name);
    bool ok = fd >= 0 && fstat(fd, &info) == 0;
    if (!ok) weir__image_failed(store, "a file cannot be read", error);
    if (ok && (!S_ISREG(info.st_mode) || (uint64_t)info.st_size > bytes_max))
        ok = weir_fail(error, WEIR_LIMIT, "images in `%.200s`: %s is larger than %zu bytes",
                       store->folder, name, bytes_max);
    for (ssize_t got = 1; ok && got != 0;) {
        weir_buffer_reserve(out, 65536);
        got = read(fd, out->data + out->length, 65536);
        if (got > 0) out->length += (size_t)got;
        if (got < 0 && errno != EINTR)
            ok = weir__image_failed(store, "a file cannot be read", error);
        if (out->length > bytes_max) got = 0;
    }
    if (ok) weir_buffer_append(out, "", 0);
    if (fd >= 0) close(fd);
    return ok;
}

bool weir__image_replace(const weir_image_store *store, int root, const char *name, weir_str text,
                         weir_error *error) {
    char next[WEIR__IMAGE_FILE_BYTES];
    snprintf(next, sizeof next, "%s.new", name);
    int fd = openat(root, next, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && weir_descriptor_write(fd, text) && fsync(fd) == 0 &&
              renameat(root, next, root, name) == 0 && fsync(root) == 0;
    if (!ok) weir__image_failed(store, "a file cannot be written", error);
    if (fd >= 0) close(fd);
    return ok;
}

uint64_t weir__image_used_us(int root, const char *name) {
    struct stat info;
    if (fstatat(root, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return 0;
    return (uint64_t)info.st_mtim.tv_sec * 1000000 + (uint64_t)info.st_mtim.tv_nsec / 1000;
}

uint64_t weir__image_layer_bytes_of(int lock) {
    char text[64] = {0};
    ssize_t got = pread(lock, text, sizeof text - 1, 0);
    return got > 0 ? strtoull(text, NULL, 10) : 0;
}

uint64_t weir__image_layer_bytes(int root, const char *hex) {
    char name[WEIR__IMAGE_FILE_BYTES];
    int fd = openat(root, weir__image_layer_file(name, hex, ".lock"), O_RDONLY | O_CLOEXEC);
    uint64_t bytes = fd >= 0 ? weir__image_layer_bytes_of(fd) : 0;
    if (fd >= 0) close(fd);
    return bytes;
}

void weir__image_remove_folder(const char *path) {
    weir__remove_within(path, SIZE_MAX);
    if (rmdir(path) < 0 && errno == ENOTEMPTY) (void)weir_users_remove(path);
}

bool weir__image_layer_here(int root, const char *hex) {
    char name[WEIR__IMAGE_FILE_BYTES];
    return faccessat(root, weir__image_layer_file(name, hex, ""), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool weir__image_blob_here(int root, const char *hex) {
    char name[WEIR__IMAGE_FILE_BYTES];
    return faccessat(root, weir__image_file(name, "blobs/sha256/", hex, ""), F_OK,
                     AT_SYMLINK_NOFOLLOW) == 0;
}

/* --- images that are held ------------------------------------------------------------------- */

struct weir__image_work {
    int gate;
};

bool weir__image_enter(weir_image_store *store, weir__image_work **out, weir_error *error) {
    int root = weir__image_root(store, true, error);
    if (root < 0) return false;
    int gate = weir__image_lock(root, "gate", LOCK_SH);
    bool ok = gate >= 0 || weir__image_failed(store, "its gate cannot be locked", error);
    close(root);
    if (!ok) return false;
    *out = weir_alloc(sizeof **out);
    (*out)->gate = gate;
    return true;
}

void weir__image_leave(weir__image_work *work) {
    if (!work) return;
    close(work->gate);
    weir_free(work);
}

bool weir__image_not_here(const weir_image_store *store, const weir_image_name *name,
                          const char *why, weir_error *error) {
    weir_buffer text = {0};
    weir_image_name_append(name, &text);
    weir_fail(error, WEIR_NOT_FOUND, "the image `%s` is not here, in `%.200s`%s", text.data,
              store->folder, why);
    weir_error_hint(error, "`weir image pull` and `weir image import` put one in");
    weir_buffer_deinit(&text);
    return false;
}

/* Shared; and with `used` it is noted that this is now. False: somebody removes it. */
static bool hold(weir_image *image, int root, const char *name, bool used) {
    int fd = weir__image_lock(root, name, LOCK_SH | LOCK_NB);
    if (fd < 0) return false;
    image->holds[image->hold_count++] = fd;
    if (used) (void)futimens(fd, NULL);
    return true;
}

/* All of it, or what there is of it is missing. */
static bool hold_layers(const weir_image_store *store, int root, const weir__image_parts *parts,
                        weir_image *image) {
    for (size_t i = 0; i < parts->layers.count; i++) {
        char name[WEIR__IMAGE_FILE_BYTES];
        weir_buffer path = {0};
        const char *hex = weir__image_hex(parts->layers.items[i].diff_id);
        if (!weir__image_layer_here(root, hex) ||
            !hold(image, root, weir__image_layer_file(name, hex, ".lock"), false) ||
            !weir__image_layer_here(root, hex))
            return false;
        weir_buffer_printf(&path, "%s/%s", store->folder, weir__image_layer_file(name, hex, ""));
        image->layers[image->layer_count++] = path.data;
    }
    return true;
}

static bool take_image(weir_image_store *store, int root, const weir_image_name *name,
                       const char *digest, weir_image *image, weir_error *error) {
    char file[WEIR__IMAGE_FILE_BYTES];
    weir__image_parts parts = {0};
    image->digest = weir_str_dup(weir_str_from(digest));
    image->holds = weir_alloc((WEIR__IMAGE_LAYERS_MAX + 1) * sizeof *image->holds);
    image->layers = weir_alloc(WEIR__IMAGE_LAYERS_MAX * sizeof *image->layers);
    if (!hold(image, root, weir__image_file(file, "images/", weir__image_hex(digest), ""), true))
        return weir__image_not_here(store, name, ": it is being removed", error);
    bool ok = weir__image_parts_read(store, root, digest, &parts, error);
    if (ok && !hold_layers(store, root, &parts, image))
        ok = weir__image_not_here(store, name, ": layers of it are missing", error);
    if (ok) image->config = weir_value_ref(parts.config);
    weir__image_parts_deinit(&parts);
    return ok;
}

bool weir_image_find(weir_image_store *store, const weir_image_name *name, weir_image **out,
                     weir_error *error) {
    return weir_image_find_for(store, name, NULL, out, error);
}

bool weir_image_find_for(weir_image_store *store, const weir_image_name *name, const char *platform,
                         weir_image **out, weir_error *error) {
    weir_value *index = NULL;
    weir_error problem = {0};
    int root = weir__image_root(store, false, &problem);
    if (root < 0 && problem.code == WEIR_NOT_FOUND)
        return weir__image_not_here(store, name, "", error);
    if (root < 0) return weir_fail(error, problem.code, "%s", problem.message);
    weir_image *image = weir_alloc(sizeof *image);
    bool ok = weir__image_index_read(store, root, &index, error);
    size_t at = ok ? weir__image_index_find(index, name, platform) : SIZE_MAX;
    if (ok && at == SIZE_MAX) ok = weir__image_not_here(store, name, "", error);
    if (ok) {
        const weir_value *entry = weir_array_at(weir_member_named(index, "manifests"), at);
        ok = take_image(store, root, name, weir__image_entry_digest(entry).data, image, error);
    }
    weir_value_unref(index);
    close(root);
    if (ok)
        *out = image;
    else
        weir_image_free(image);
    return ok;
}

void weir_image_free(weir_image *image) {
    if (!image) return;
    for (size_t i = 0; i < image->hold_count; i++) close(image->holds[i]);
    for (size_t i = 0; i < image->layer_count; i++) weir_free(image->layers[i]);
    weir_value_unref(image->config);
    weir_free(image->holds);
    weir_free(image->layers);
    weir_free(image->digest);
    weir_free(image);
}

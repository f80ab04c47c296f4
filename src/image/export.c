/* An image as one file: a tar of an OCI image layout that has, for docker, a manifest.json as well. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "data/json.h"
#include "image/store_internal.h"
#include "store/archive.h"

enum { PIECE_BYTES = 1024 * 1024, TELL_MS = 100 };

typedef struct exporting {
    weir_image_store *store;
    const char *path;
    const weir_image_watch *watch;
    const weir__archive_functions *library;
    weir__archive *archive;
    int fd;
    weir_buffer temporary; /* empty: `path` is written as it is, a pipe */
    char *piece;
    uint64_t bytes, bytes_all, told_ms;
    weir_error *error;
} exporting;

static bool failed(const exporting *e, const char *doing) {
    int reason = errno;
    weir_fail(e->error, WEIR_IO, "`%.200s`: %s: %s", e->path, doing, strerror(reason));
    if (reason == ENOSPC || reason == EDQUOT) weir_error_hint(e->error, "make room on the disk");
    return false;
}

static bool goes_on(exporting *e) {
    struct timespec now;
    if (!e->watch) return true;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    if (ms - e->told_ms < TELL_MS) return true;
    e->told_ms = ms;
    const weir_image_progress progress = {
        .what = "exporting", .bytes = e->bytes, .bytes_all = e->bytes_all};
    if (e->watch->progress) e->watch->progress(e->watch->arg, &progress);
    return !e->watch->goes_on || e->watch->goes_on(e->watch->arg) ||
           weir_fail(e->error, WEIR_CANCELLED, "`%.200s`: it was told to end", e->path);
}

static bool write_archive(void *arg, const void *data, size_t length) {
    return weir_descriptor_write(((exporting *)arg)->fd, (weir_str){data, length});
}

/* --- files in it ---------------------------------------------------------------------------- */

static bool add_header(exporting *e, const char *name, uint64_t size) {
    const weir__archive_item item = {
        .name = name, .kind = WEIR__ARCHIVE_FILE, .mode = 0644, .size = size};
    return e->library->add(e->archive, &item, e->error);
}

static bool add_text(exporting *e, const char *name, weir_str text) {
    return add_header(e, name, text.length) &&
           e->library->put(e->archive, text.data, text.length, e->error);
}

static bool add_value(exporting *e, const char *name, const weir_value *value) {
    weir_buffer text = {0};
    weir_json_format(value, 0, &text);
    bool ok = add_text(e, name, weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return ok;
}

static bool copy_blob(exporting *e, int from, uint64_t size) {
    while (size) {
        ssize_t got = read(from, e->piece, size < PIECE_BYTES ? (size_t)size : PIECE_BYTES);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return weir_fail(e->error, WEIR_IO, "a blob cannot be read to its end");
        if (!e->library->put(e->archive, e->piece, (size_t)got, e->error)) return false;
        size -= (uint64_t)got;
        e->bytes += (uint64_t)got;
        if (!goes_on(e)) return false;
    }
    return true;
}

static bool add_blob(exporting *e, const char *digest) {
    char name[WEIR__IMAGE_FILE_BYTES];
    uint64_t size;
    int from = weir__image_blob(e->store, digest, &size);
    if (from < 0) return weir_fail(e->error, WEIR_NOT_FOUND, "the blob %s is not here", digest);
    bool ok = add_header(e, weir__image_file(name, "blobs/sha256/", digest + 7, ""), size) &&
              copy_blob(e, from, size);
    close(from);
    return ok;
}

/* Each once, also where layers are the same. */
static bool add_blobs(exporting *e, const weir__image_parts *parts) {
    if (!add_blob(e, parts->digest) || !add_blob(e, parts->config_digest)) return false;
    for (size_t i = 0; i < parts->layers.count; i++) {
        bool again = false;
        for (size_t k = 0; k < i; k++)
            again =
                again || strcmp(parts->layers.items[i].digest, parts->layers.items[k].digest) == 0;
        if (!again && !add_blob(e, parts->layers.items[i].digest)) return false;
    }
    return true;
}

/* --- what names them ------------------------------------------------------------------------ */

static weir_value *make_index(const weir__image_parts *parts, const weir_image_name *name,
                              const char *whole) {
    weir_value *index = weir__image_index_new(), *entry = weir_object_new(),
               *notes = weir_object_new();
    weir_str type = *parts->media_type ? weir_str_from(parts->media_type)
                                       : WEIR_STR("application/vnd.oci.image.manifest.v1+json");
    weir_member_put_text(entry, "mediaType", type);
    weir_member_put_text(entry, "digest", weir_str_from(parts->digest));
    weir_member_put(entry, "size", weir_int_new((int64_t)parts->size));
    weir_member_put_text(notes, "io.containerd.image.name", weir_str_from(whole));
    if (*name->tag)
        weir_member_put_text(notes, "org.opencontainers.image.ref.name", weir_str_from(name->tag));
    weir_member_put(entry, "annotations", notes);
    weir_array_append(weir_member_named(index, "manifests"), entry);
    return index;
}

/* For docker, as `docker save` has it. A name with a digest is no tag. */
static weir_value *make_manifest(const weir__image_parts *parts, const weir_image_name *name,
                                 const char *whole) {
    char file[WEIR__IMAGE_FILE_BYTES];
    weir_value *list = weir_array_new(), *entry = weir_object_new(), *tags = weir_array_new(),
               *layers = weir_array_new();
    weir__image_file(file, "blobs/sha256/", parts->config_digest + 7, "");
    weir_member_put_text(entry, "Config", weir_str_from(file));
    if (!*name->digest) weir_array_append(tags, weir_string_from(weir_str_from(whole)));
    weir_member_put(entry, "RepoTags", tags);
    for (size_t i = 0; i < parts->layers.count; i++) {
        weir__image_file(file, "blobs/sha256/", parts->layers.items[i].digest + 7, "");
        weir_array_append(layers, weir_string_from(weir_str_from(file)));
    }
    weir_member_put(entry, "Layers", layers);
    weir_array_append(list, entry);
    return list;
}

static bool add_names(exporting *e, const weir__image_parts *parts, const weir_image_name *name) {
    static const char layout[] = "{\"imageLayoutVersion\": \"1.0.0\"}";
    weir_buffer whole = {0};
    weir_image_name_append(name, &whole);
    weir_value *index = make_index(parts, name, whole.data),
               *manifest = make_manifest(parts, name, whole.data);
    bool ok = add_text(e, "oci-layout", weir_str_from(layout)) &&
              add_value(e, "index.json", index) && add_value(e, "manifest.json", manifest);
    weir_value_unref(index);
    weir_value_unref(manifest);
    weir_buffer_deinit(&whole);
    return ok;
}

/* --- the whole ------------------------------------------------------------------------------ */

/* Beside the file that it becomes; what is no file (a pipe, a terminal) is written to. */
static bool open_file(exporting *e) {
    struct stat info;
    bool special = stat(e->path, &info) == 0 && !S_ISREG(info.st_mode);
    if (special) {
        e->fd = open(e->path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    } else {
        weir_buffer_printf(&e->temporary, "%s.part-%ld", e->path, (long)getpid());
        e->fd = open(e->temporary.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    }
    return e->fd >= 0 || failed(e, "it cannot be made");
}

static bool export_parts(exporting *e, const weir__image_parts *parts,
                         const weir_image_name *name) {
    const weir__archive_sink sink = {write_archive, e};
    if (!weir__archive_open(&e->library, e->error) || !open_file(e)) return false;
    e->bytes_all = parts->size + parts->config_size;
    for (size_t i = 0; i < parts->layers.count; i++) e->bytes_all += parts->layers.items[i].size;
    if (!e->library->pack(&sink, WEIR__ARCHIVE_PLAIN, -1, &e->archive, e->error)) return false;
    bool ok = add_names(e, parts, name) && add_blobs(e, parts) &&
              e->library->finish(e->archive, e->error);
    e->library->close(e->archive);
    return ok;
}

static bool end_export(exporting *e, bool ok) {
    if (e->fd >= 0 && close(e->fd) < 0 && ok) ok = failed(e, "it cannot be written");
    if (ok && e->temporary.length && rename(e->temporary.data, e->path) < 0)
        ok = failed(e, "it cannot be named");
    if (!ok && e->fd >= 0 && e->temporary.length) (void)unlink(e->temporary.data);
    weir_buffer_deinit(&e->temporary);
    weir_free(e->piece);
    return ok;
}

bool weir_image_export(weir_image_store *store, const weir_image_name *name, const char *path,
                       const weir_image_watch *watch, weir_error *error) {
    weir_image *image;
    weir__image_parts parts = {0};
    if (!weir_image_find(store, name, &image, error)) return false;
    exporting e = {.store = store, .path = path, .watch = watch, .fd = -1, .error = error};
    e.piece = weir_alloc(PIECE_BYTES);
    int root = weir__image_root(store, false, error);
    bool ok = root >= 0 && weir__image_parts_read(store, root, image->digest, &parts, error) &&
              export_parts(&e, &parts, name);
    ok = end_export(&e, ok);
    weir__image_parts_deinit(&parts);
    if (root >= 0) close(root);
    weir_image_free(image);
    return ok;
}

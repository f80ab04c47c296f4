/* Manifests and configurations of what is imported, layers unpacked, names given. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "data/json.h"
#include "image/layer.h"
#include "image/manifest.h"
#include "image/transfer.h"

#define TYPE "application/vnd.oci.image."

enum { PIECE_BYTES = 1024 * 1024, NESTED_MAX = 4 };

/* --- blobs ---------------------------------------------------------------------------------- */

static bool copy_file(weir__import *import, int from, weir__image_part *part) {
    char *piece = weir_alloc(PIECE_BYTES);
    bool ok = true;
    uint64_t bytes = 0;
    for (ssize_t got = 1; ok && got;) {
        got = read(from, piece, PIECE_BYTES);
        if (got < 0 && errno != EINTR) ok = weir__import_failed(import, "a blob cannot be read");
        if (got <= 0) continue;
        bytes += (uint64_t)got;
        ok = weir__image_part_write(part, piece, (size_t)got, import->error) &&
             weir__import_goes_on(import, bytes);
    }
    weir_free(piece);
    return ok;
}

/* From the folder, where that is what is imported. */
static bool copy_from_folder(weir__import *import, const char *digest) {
    char name[WEIR__IMAGE_FILE_BYTES];
    struct stat info = {0};
    weir__image_part *part;
    uint64_t offset;
    weir__image_file(name, "blobs/sha256/", digest + 7, "");
    int from = openat(import->fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (from < 0 && errno == ENOENT) return weir__import_refuse(import, "a blob of it is missing");
    bool ok = from >= 0 && fstat(from, &info) == 0 && S_ISREG(info.st_mode);
    if (!ok) ok = weir__import_failed(import, "a blob cannot be opened");
    ok = ok && weir__image_part_open(import->store, digest, (uint64_t)info.st_size, import->watch,
                                     &part, &offset, import->error);
    if (ok && part) {
        ok = weir__image_part_restart(part, import->error) && copy_file(import, from, part);
        if (ok)
            ok = weir__image_part_commit(part, import->error);
        else
            weir__image_part_leave(part);
    }
    if (from >= 0) close(from);
    return ok;
}

static bool have_blob(weir__import *import, const char *digest) {
    if (weir__image_has_blob(import->store, digest)) return true;
    if (import->is_folder) return copy_from_folder(import, digest);
    weir_fail(import->error, WEIR_INVALID, "`%.200s`: the blob %s is missing in it", import->path,
              digest);
    weir_error_hint(import->error,
                    "it may be cut off, or have been saved without all of its platforms");
    return false;
}

/* --- one image ------------------------------------------------------------------------------ */

static bool unpack_layers(weir__import *import, const weir__image_parts *parts) {
    for (size_t i = 0; i < parts->layers.count; i++) {
        const weir__image_layer *layer = &parts->layers.items[i];
        if (!weir__image_unpack(import->store, layer->digest, layer->media_type, layer->diff_id,
                                import->watch, import->error))
            return false;
    }
    return true;
}

/* All of it is a blob, or becomes one. */
static bool take_parts(weir__import *import, const char *digest, weir__image_parts *out) {
    weir__image_parts first = {0};
    weir_buffer manifest = {0}, config = {0};
    bool ok = weir__image_get(import->store, digest, WEIR__IMAGE_MANIFEST_MAX, &manifest,
                              import->error) &&
              weir__image_manifest_parse(weir_buffer_str(&manifest), &first, import->error) &&
              have_blob(import, first.config_digest) &&
              weir__image_get(import->store, first.config_digest, WEIR__IMAGE_CONFIG_MAX, &config,
                              import->error);
    for (size_t i = 0; ok && i < first.layers.count; i++)
        ok = have_blob(import, first.layers.items[i].digest);
    ok = ok && weir__image_parts_parse(weir_buffer_str(&manifest), weir_buffer_str(&config), out,
                                       import->error);
    weir__image_parts_deinit(&first);
    weir_buffer_deinit(&manifest);
    weir_buffer_deinit(&config);
    return ok;
}

static bool name_it(weir__import *import, const weir_image_name *name, const char *manifest,
                    const char *pinned) {
    weir_buffer text = {0};
    if (!weir__image_name_it(import->store, name, manifest, pinned, import->error)) return false;
    weir_image_name_append(name, &text);
    weir_array_append(import->names, weir_string_from(weir_buffer_str(&text)));
    weir_buffer_deinit(&text);
    return true;
}

static bool take_image(weir__import *import, const char *digest, const char *pinned,
                       const weir_image_name *name) {
    weir__image_parts parts = {0};
    bool ok = take_parts(import, digest, &parts) && unpack_layers(import, &parts) &&
              name_it(import, name, digest, pinned);
    weir__image_parts_deinit(&parts);
    return ok;
}

/* --- OCI layouts ---------------------------------------------------------------------------- */

static bool no_name(const weir__import *import) {
    weir__import_refuse(import, "it does not say what the image is called");
    weir_error_hint(import->error, "`weir image import FILE --name NAME` gives it one");
    return false;
}

/* What is written for it by whom: containerd and docker have a whole name and, apart, a tag; others a whole name in the place of the tag. */
static bool name_of(const weir__import *import, const weir_value *entry, weir_image_name *out) {
    const weir_value *notes = weir_member_named(entry, "annotations");
    weir_str whole = weir_member_text(notes, "io.containerd.image.name"),
             tag = weir__image_entry_name(entry);
    if (import->name) {
        *out = *import->name;
        return true;
    }
    if (!whole.length) whole = tag;
    bool says = weir_str_find(whole, WEIR_STR("/"), 0) != SIZE_MAX ||
                weir_str_find(whole, WEIR_STR(":"), 0) != SIZE_MAX;
    return says ? weir_image_name_read(whole, out, import->error) : no_name(import);
}

/* Down to the manifest for this machine. */
static bool choose(weir__import *import, const char *digest,
                   char out[static WEIR__IMAGE_DIGEST_BYTES]) {
    char platform[WEIR__PLATFORM_MAX];
    snprintf(out, WEIR__IMAGE_DIGEST_BYTES, "%s", digest);
    weir__platform_of_machine(platform);
    for (int depth = 0; depth < NESTED_MAX; depth++) {
        weir_buffer text = {0};
        weir__manifest manifest;
        weir__described chosen;
        bool read =
            have_blob(import, out) &&
            weir__image_get(import->store, out, WEIR__IMAGE_MANIFEST_MAX, &text, import->error) &&
            weir__manifest_read(weir_buffer_str(&text), (weir_str){"", 0}, &manifest,
                                import->error);
        bool more = read && manifest.is_index, ok = read;
        if (more) ok = weir__platform_choose(manifest.entries, platform, &chosen, import->error);
        if (ok && more) snprintf(out, WEIR__IMAGE_DIGEST_BYTES, "%s", chosen.digest);
        if (read) weir__manifest_deinit(&manifest);
        weir_buffer_deinit(&text);
        if (!ok || !more) return ok;
    }
    return weir__import_refuse(import, "its indexes refer to others without end");
}

bool weir__import_layout(weir__import *import, weir_str text) {
    weir_value *index;
    if (!weir__image_index_parse(text, "index.json", &index, import->error)) {
        weir_error_context(import->error, "`%.200s`", import->path);
        return false;
    }
    const weir_value *entries = weir_member_named(index, "manifests");
    size_t count = weir_value_count(entries);
    bool ok = count > 0 || weir__import_refuse(import, "there is no image in it");
    if (count > 1 && import->name)
        ok = weir__import_refuse(import, "there are several images in it, and one name was given");
    for (size_t i = 0; ok && i < count; i++) {
        weir_image_name name;
        char chosen[WEIR__IMAGE_DIGEST_BYTES];
        const weir_value *entry = weir_array_at(entries, i);
        const char *digest = weir__image_entry_digest(entry).data;
        ok = name_of(import, entry, &name) && choose(import, digest, chosen) &&
             take_image(import, chosen, strcmp(chosen, digest) ? digest : NULL, &name);
    }
    weir_value_unref(index);
    return ok;
}

/* --- what docker saved before it had layouts ------------------------------------------------ */

static bool put_value(weir__import *import, const weir_value *value, char digest[static 72],
                      size_t *size) {
    weir_buffer text = {0};
    weir_json_format(value, 0, &text);
    *size = text.length;
    *digest = '\0';
    bool ok = weir__image_put(import->store, weir_buffer_str(&text), digest, import->error);
    weir_buffer_deinit(&text);
    return ok;
}

static weir_value *descriptor(const char *type, const char *digest, uint64_t size) {
    weir_value *value = weir_object_new();
    weir_member_put_text(value, "mediaType", weir_str_from(type));
    weir_member_put_text(value, "digest", weir_str_from(digest));
    weir_member_put(value, "size", weir_int_new((int64_t)size));
    return value;
}

/* What stands at the blob's beginning tells its type. */
static const char *layer_type(weir__import *import, const char *digest) {
    unsigned char magic[4] = {0};
    int fd = weir__image_blob(import->store, digest, NULL);
    ssize_t got = fd >= 0 ? pread(fd, magic, sizeof magic, 0) : 0;
    if (fd >= 0) close(fd);
    if (got == 4 && magic[0] == 0x1f && magic[1] == 0x8b) return TYPE "layer.v1.tar+gzip";
    if (got == 4 && memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0) return TYPE "layer.v1.tar+zstd";
    return TYPE "layer.v1.tar";
}

static bool put_manifest(weir__import *import, const char *config, uint64_t config_size,
                         weir_value *layers, char digest[static 72]) {
    size_t size;
    weir_value *manifest = weir_object_new();
    weir_member_put(manifest, "schemaVersion", weir_int_new(2));
    weir_member_put_text(manifest, "mediaType", WEIR_STR(TYPE "manifest.v1+json"));
    weir_member_put(manifest, "config", descriptor(TYPE "config.v1+json", config, config_size));
    weir_member_put(manifest, "layers", layers);
    bool ok = put_value(import, manifest, digest, &size);
    weir_value_unref(manifest);
    return ok;
}

static weir_value *saved_layers(weir__import *import, const weir_value *names) {
    weir_value *layers = weir_array_new();
    for (size_t i = 0; i < weir_value_count(names); i++) {
        const weir_value *name = weir_array_at(names, i);
        const weir__import_file *file = weir_is(name, WEIR_STRING)
                                            ? weir__import_find(import, weir_string_get(name).data)
                                            : NULL;
        if (!file || !*file->digest) {
            weir__import_refuse(import, "a layer that its manifest.json names is missing");
            weir_value_unref(layers);
            return NULL;
        }
        weir_array_append(layers,
                          descriptor(layer_type(import, file->digest), file->digest, file->size));
    }
    return layers;
}

static bool name_saved(weir__import *import, const char *digest, const weir_value *tags) {
    if (import->name) return take_image(import, digest, NULL, import->name);
    if (!weir_value_count(tags)) return no_name(import);
    for (size_t i = 0; i < weir_value_count(tags); i++) {
        weir_image_name name;
        const weir_value *tag = weir_array_at(tags, i);
        if (!weir_is(tag, WEIR_STRING))
            return weir__import_refuse(import, "a tag in its manifest.json is no text");
        if (!weir_image_name_read(weir_string_get(tag), &name, import->error) ||
            !take_image(import, digest, NULL, &name))
            return false;
    }
    return true;
}

/* {Config, RepoTags, Layers}. */
static bool take_saved(weir__import *import, const weir_value *saved) {
    char config[WEIR__IMAGE_DIGEST_BYTES] = "", digest[WEIR__IMAGE_DIGEST_BYTES];
    weir_str path = weir_member_text(saved, "Config");
    const weir_value *names = weir_member_named(saved, "Layers"),
                     *tags = weir_member_named(saved, "RepoTags");
    const weir__import_file *file = path.length ? weir__import_find(import, path.data) : NULL;
    if (!file || *file->digest)
        return weir__import_refuse(import,
                                   "the configuration that its manifest.json names is missing");
    if (!weir_is(names, WEIR_ARRAY))
        return weir__import_refuse(import, "its manifest.json names no layers");
    if (!weir_is(tags, WEIR_ARRAY)) tags = NULL;
    weir_value *layers = saved_layers(import, names);
    if (!layers) return false;
    if (!weir__image_put(import->store, weir_buffer_str(&file->text), config, import->error)) {
        weir_value_unref(layers);
        return false;
    }
    return put_manifest(import, config, file->text.length, layers, digest) &&
           name_saved(import, digest, tags);
}

bool weir__import_docker(weir__import *import, weir_str text) {
    weir_value *list;
    if (!weir_json_parse(text, WEIR_STR("manifest.json"), &list, import->error)) {
        weir_error_context(import->error, "`%.200s`", import->path);
        return false;
    }
    size_t count = weir_is(list, WEIR_ARRAY) ? weir_value_count(list) : 0;
    bool ok = count > 0 || weir__import_refuse(import, "its manifest.json lists no images");
    if (count > 1 && import->name)
        ok = weir__import_refuse(import, "there are several images in it, and one name was given");
    for (size_t i = 0; ok && i < count; i++) ok = take_saved(import, weir_array_at(list, i));
    weir_value_unref(list);
    return ok;
}

/* --- a root file system --------------------------------------------------------------------- */

typedef struct expanding {
    weir__import *import;
    weir__image_part *part;
} expanding;

static bool expansion_goes_on(void *arg, uint64_t read) {
    return weir__import_goes_on(((expanding *)arg)->import, read);
}

static bool write_expanded(void *arg, const void *data, size_t length, weir_error *error) {
    return weir__image_part_write(((expanding *)arg)->part, data, length, error);
}

/* Its bytes; without a compression that no layer has. */
static bool copy_root(weir__import *import, weir__image_part *part) {
    unsigned char magic[6] = {0};
    const weir__layer_functions *library;
    ssize_t got = pread(import->fd, magic, sizeof magic, 0);
    bool known = got == sizeof magic && (memcmp(magic,
                                                "\xfd"
                                                "7zXZ",
                                                6) == 0 ||
                                         memcmp(magic, "BZh", 3) == 0);
    if (!known) return copy_file(import, import->fd, part);
    expanding e = {.import = import, .part = part};
    const weir__layer_request request = {.what = import->path,
                                         .blob = import->fd,
                                         .size = import->size,
                                         .goes_on = expansion_goes_on,
                                         .arg = &e};
    return weir__layer_open(&library, import->error) &&
           library->expand(&request, write_expanded, import->error);
}

/* With this machine's platform, and no command. */
static weir_value *root_config(const char *diff_id) {
    char platform[WEIR__PLATFORM_MAX], moment[32];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    weir__platform_of_machine(platform);
    const char *slash = strchr(platform, '/');
    const char *architecture = slash ? slash + 1 : "amd64", *variant = strchr(architecture, '/');
    weir_value *config = weir_object_new(), *rootfs = weir_object_new(), *ids = weir_array_new();
    size_t length = variant ? (size_t)(variant - architecture) : strlen(architecture);
    weir_member_put_text(config, "created",
                         weir_str_from(weir_moment_format((uint64_t)now.tv_sec * 1000000, moment)));
    weir_member_put(config, "architecture", weir_string_new(architecture, length));
    if (variant) weir_member_put_text(config, "variant", weir_str_from(variant + 1));
    weir_member_put_text(config, "os", WEIR_STR("linux"));
    weir_member_put(config, "config", weir_object_new());
    weir_array_append(ids, weir_string_from(weir_str_from(diff_id)));
    weir_member_put_text(rootfs, "type", WEIR_STR("layers"));
    weir_member_put(rootfs, "diff_ids", ids);
    weir_member_put(config, "rootfs", rootfs);
    return config;
}

static bool name_root(weir__import *import, const char *blob, const char *diff_id) {
    char config_digest[WEIR__IMAGE_DIGEST_BYTES], digest[WEIR__IMAGE_DIGEST_BYTES];
    size_t size;
    uint64_t blob_size = 0;
    int fd = weir__image_blob(import->store, blob, &blob_size);
    if (fd >= 0) close(fd);
    weir_value *config = root_config(diff_id), *layers = weir_array_new();
    weir_array_append(layers, descriptor(layer_type(import, blob), blob, blob_size));
    bool ok = put_value(import, config, config_digest, &size);
    weir_value_unref(config);
    if (!ok) {
        weir_value_unref(layers);
        return false;
    }
    return put_manifest(import, config_digest, size, layers, digest) &&
           name_it(import, import->name, digest, NULL);
}

bool weir__import_root(weir__import *import) {
    weir__image_part *part;
    char blob[WEIR__IMAGE_DIGEST_BYTES], diff_id[WEIR__IMAGE_DIGEST_BYTES];
    if (!import->name) return no_name(import);
    if (lseek(import->fd, 0, SEEK_SET) < 0) return weir__import_failed(import, "it cannot be read");
    if (!weir__image_part_new(import->store, UINT64_MAX, &part, import->error)) return false;
    if (!copy_root(import, part)) {
        weir__image_part_leave(part);
        return false;
    }
    return weir__image_part_keep(part, blob, import->error) &&
           weir__image_unpack_any(import->store, blob, import->watch, diff_id, import->error) &&
           name_root(import, blob, diff_id);
}

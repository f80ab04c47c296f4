/* What there is. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/time.h"
#include "image/store_internal.h"

typedef struct row {
    weir_value *value;
    uint64_t used_us;
} row;

typedef WEIR_VECTOR(row) rows;

static void put_moment(weir_value *value, const char *key, uint64_t us) {
    char text[32];
    if (us) weir_member_put_text(value, key, weir_str_from(weir_moment_format(us, text)));
}

static uint64_t used_us(int root, const char *digest) {
    char file[WEIR__IMAGE_FILE_BYTES];
    return weir__image_used_us(root, weir__image_file(file, "images/", digest + 7, ""));
}

/* What list and show have in common. */
static weir_value *describe(int root, const weir_value *entry, const weir__image_parts *parts) {
    weir_value *value = weir_object_new();
    weir_str name = weir__image_entry_name(entry), pinned = weir__image_entry_pinned(entry);
    uint64_t size = parts->size + parts->config_size, unpacked = 0;
    for (size_t i = 0; i < parts->layers.count; i++) {
        size += parts->layers.items[i].size;
        unpacked += weir__image_layer_bytes(root, parts->layers.items[i].diff_id + 7);
    }
    weir_member_put(value, "name", name.length ? weir_string_from(name) : weir_null_new());
    weir_member_put_text(value, "digest", weir__image_entry_digest(entry));
    if (pinned.length) weir_member_put_text(value, "pinned", pinned);
    weir_member_put(value, "size", weir_int_new((int64_t)size));
    weir_member_put(value, "unpacked_size", weir_int_new((int64_t)unpacked));
    for (size_t i = 0; i < 3; i++) {
        static const char *const keys[] = {"created", "architecture", "os"};
        weir_str text = weir_member_text(parts->config, keys[i]);
        if (text.length) weir_member_put_text(value, keys[i], text);
    }
    put_moment(value, "used", used_us(root, parts->digest));
    return value;
}

static int by_use(const void *a, const void *b) {
    const row *left = a, *right = b;
    return (left->used_us < right->used_us) - (left->used_us > right->used_us);
}

/* One that others put in, and is no image (an index of several, say), is left out. */
static bool list_entry(const weir_image_store *store, int root, const weir_value *entry, rows *out,
                       weir_error *error) {
    weir__image_parts parts = {0};
    weir_error problem = {0};
    const char *digest = weir__image_entry_digest(entry).data;
    if (!weir__image_parts_read(store, root, digest, &parts, &problem)) {
        if (problem.code != WEIR_IO) return true;
        *error = problem;
        return false;
    }
    weir_value *value = describe(root, entry, &parts);
    weir_member_put(value, "layers", weir_int_new((int64_t)parts.layers.count));
    *weir_vector_push(out) = (row){value, used_us(root, digest)};
    weir__image_parts_deinit(&parts);
    return true;
}

/* The folder and its index; *root is -1, with an empty index, where nothing was ever put in. */
static bool open_index(const weir_image_store *store, int *root, weir_value **index,
                       weir_error *error) {
    weir_error problem = {0};
    *root = weir__image_root(store, false, &problem);
    if (*root >= 0) {
        if (weir__image_index_read(store, *root, index, error)) return true;
        close(*root);
        return false;
    }
    if (problem.code == WEIR_NOT_FOUND) {
        *index = weir__image_index_new();
        return true;
    }
    *error = problem;
    return false;
}

bool weir_image_list(weir_image_store *store, weir_value **out, weir_error *error) {
    int root;
    weir_value *index;
    rows found = {0};
    if (!open_index(store, &root, &index, error)) return false;
    const weir_value *entries = weir_member_named(index, "manifests");
    bool ok = true;
    for (size_t i = 0; ok && i < weir_value_count(entries); i++)
        ok = list_entry(store, root, weir_array_at(entries, i), &found, error);
    if (found.count) qsort(found.items, found.count, sizeof *found.items, by_use);
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < found.count; i++) weir_array_append(list, found.items[i].value);
    weir_vector_deinit(&found);
    weir_value_unref(index);
    if (root >= 0) close(root);
    if (ok)
        *out = list;
    else
        weir_value_unref(list);
    return ok;
}

static weir_value *show_layers(int root, const weir__image_parts *parts) {
    weir_value *layers = weir_array_new();
    for (size_t i = 0; i < parts->layers.count; i++) {
        const weir__image_layer *layer = &parts->layers.items[i];
        weir_value *value = weir_object_new();
        uint64_t unpacked = weir__image_layer_bytes(root, layer->diff_id + 7);
        weir_member_put_text(value, "diff_id", weir_str_from(layer->diff_id));
        weir_member_put_text(value, "digest", weir_str_from(layer->digest));
        weir_member_put_text(value, "media_type", weir_str_from(layer->media_type));
        weir_member_put(value, "size", weir_int_new((int64_t)layer->size));
        weir_member_put(value, "unpacked_size", weir_int_new((int64_t)unpacked));
        weir_array_append(layers, value);
    }
    return layers;
}

bool weir_image_show(weir_image_store *store, const weir_image_name *name, weir_value **out,
                     weir_error *error) {
    int root;
    weir_value *index;
    weir__image_parts parts = {0};
    if (!open_index(store, &root, &index, error)) return false;
    size_t at = weir__image_index_find(index, name, NULL);
    bool ok = at != SIZE_MAX || weir__image_not_here(store, name, "", error);
    if (ok) {
        const weir_value *entry = weir_array_at(weir_member_named(index, "manifests"), at);
        ok = weir__image_parts_read(store, root, weir__image_entry_digest(entry).data, &parts,
                                    error);
        if (ok) {
            *out = describe(root, entry, &parts);
            weir_member_put(*out, "manifest", weir_value_ref(parts.manifest));
            weir_member_put(*out, "config", weir_value_ref(parts.config));
            weir_member_put(*out, "layers", show_layers(root, &parts));
        }
    }
    weir__image_parts_deinit(&parts);
    weir_value_unref(index);
    if (root >= 0) close(root);
    return ok;
}

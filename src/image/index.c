/* Index, manifests and configurations, as the OCI image specification 1.1 and Docker's manifest version 2, schema 2 have them. */
#include <stdio.h>
#include <unistd.h>

#include "data/json.h"
#include "image/manifest.h"
#include "image/store_internal.h"

#define NAME_KEY "org.opencontainers.image.ref.name"
#define PINNED_KEY "weir.pinned"

static bool wrong(weir_error *error, const char *file, const char *why) {
    return weir_fail(error, WEIR_INVALID, "%.200s is damaged, or of another kind: %s", file, why);
}

static weir_str annotation(const weir_value *entry, const char *key) {
    return weir_member_text(weir_member_named(entry, "annotations"), key);
}

weir_str weir__image_entry_name(const weir_value *entry) {
    return annotation(entry, NAME_KEY);
}
weir_str weir__image_entry_pinned(const weir_value *entry) {
    return annotation(entry, PINNED_KEY);
}
weir_str weir__image_entry_digest(const weir_value *entry) {
    return weir_member_text(entry, "digest");
}

/* --- index.json ----------------------------------------------------------------------------- */

bool weir__image_index_parse(weir_str text, const char *file, weir_value **out, weir_error *error) {
    weir_value *index;
    if (!weir_json_parse(text, weir_str_from(file), &index, error)) return false;
    const weir_value *entries = weir_member_named(index, "manifests");
    bool ok = weir_is(entries, WEIR_ARRAY) || wrong(error, file, "it has no list `manifests`");
    for (size_t i = 0; ok && i < weir_value_count(entries); i++)
        if (!weir_image_digest_ok(weir__image_entry_digest(weir_array_at(entries, i))))
            ok = wrong(error, file, "an entry has no digest of SHA-256");
    if (ok)
        *out = index;
    else
        weir_value_unref(index);
    return ok;
}

weir_value *weir__image_index_new(void) {
    weir_value *index = weir_object_new();
    weir_member_put(index, "schemaVersion", weir_int_new(2));
    weir_member_put_text(index, "mediaType", WEIR_STR("application/vnd.oci.image.index.v1+json"));
    weir_member_put(index, "manifests", weir_array_new());
    return index;
}

bool weir__image_index_read(const weir_image_store *store, int root, weir_value **out,
                            weir_error *error) {
    weir_buffer text = {0};
    weir_error problem = {0};
    bool ok = weir__image_slurp(store, root, "index.json", WEIR__IMAGE_INDEX_MAX, &text, &problem);
    if (ok) {
        weir_buffer file = {0};
        weir_buffer_printf(&file, "%s/index.json", store->folder);
        ok = weir__image_index_parse(weir_buffer_str(&text), file.data, out, error);
        weir_buffer_deinit(&file);
    } else if (problem.code == WEIR_NOT_FOUND) {
        *out = weir__image_index_new();
        ok = true;
    } else if (error) {
        *error = problem;
    }
    weir_buffer_deinit(&text);
    return ok;
}

bool weir__image_index_write(const weir_image_store *store, int root, const weir_value *index,
                             weir_error *error) {
    static const char layout[] = "{\"imageLayoutVersion\": \"1.0.0\"}\n";
    weir_buffer text = {0};
    weir_json_format(index, 2, &text);
    weir_buffer_byte(&text, '\n');
    bool ok = (faccessat(root, "oci-layout", F_OK, 0) == 0 ||
               weir__image_replace(store, root, "oci-layout", weir_str_from(layout), error)) &&
              weir__image_replace(store, root, "index.json", weir_buffer_str(&text), error);
    weir_buffer_deinit(&text);
    return ok;
}

/* Of the entries that came by that digest of several, the one for the platform, else the first. */
static size_t find_pinned(const weir_value *entries, const char *digest, const char *platform) {
    char own[WEIR__PLATFORM_MAX];
    weir__described chosen;
    weir_error ignored;
    size_t found = SIZE_MAX;
    weir_value *some = weir_array_new();
    if (!platform) weir__platform_of_machine(own);
    for (size_t i = 0; i < weir_value_count(entries); i++) {
        weir_value *entry = weir_array_at(entries, i);
        if (!weir_str_is(weir__image_entry_pinned(entry), digest)) continue;
        if (found == SIZE_MAX) found = i;
        weir_array_append(some, weir_value_ref(entry));
    }
    if (weir_value_count(some) > 1 &&
        weir__platform_choose(some, platform ? platform : own, &chosen, &ignored))
        for (size_t i = found; i < weir_value_count(entries); i++)
            if (weir_str_is(weir__image_entry_digest(weir_array_at(entries, i)), chosen.digest)) {
                found = i;
                break;
            }
    weir_value_unref(some);
    return found;
}

size_t weir__image_index_find(const weir_value *index, const weir_image_name *name,
                              const char *platform) {
    weir_buffer whole = {0};
    size_t found = SIZE_MAX;
    const weir_value *entries = weir_member_named(index, "manifests");
    weir_image_name_append(name, &whole);
    for (size_t i = 0; found == SIZE_MAX && i < weir_value_count(entries); i++) {
        const weir_value *entry = weir_array_at(entries, i);
        if (*name->digest ? weir_str_is(weir__image_entry_digest(entry), name->digest)
                          : weir_str_equal(weir__image_entry_name(entry), weir_buffer_str(&whole)))
            found = i;
    }
    weir_buffer_deinit(&whole);
    return found == SIZE_MAX && *name->digest ? find_pinned(entries, name->digest, platform)
                                              : found;
}

/* --- manifests and configurations ----------------------------------------------------------- */

void weir__image_parts_deinit(weir__image_parts *parts) {
    weir_vector_deinit(&parts->layers);
    weir_value_unref(parts->manifest);
    weir_value_unref(parts->config);
    *parts = (weir__image_parts){0};
}

/* {mediaType, digest, size}. */
static bool read_descriptor(const weir_value *value, char digest[static WEIR__IMAGE_DIGEST_BYTES],
                            uint64_t *size, weir_error *error) {
    weir_str text = weir_member_text(value, "digest");
    const weir_value *number = weir_member_named(value, "size");
    if (!weir_image_digest_ok(text))
        return wrong(error, "the manifest", "something in it has no digest of SHA-256");
    if (!weir_is(number, WEIR_INT) || weir_int_get(number) < 0)
        return wrong(error, "the manifest", "something in it has no size");
    snprintf(digest, WEIR__IMAGE_DIGEST_BYTES, "%.*s", WEIR_ARG(text));
    *size = (uint64_t)weir_int_get(number);
    return true;
}

static bool read_layers(const weir_value *layers, weir__image_parts *out, weir_error *error) {
    if (!weir_is(layers, WEIR_ARRAY)) return wrong(error, "the manifest", "it has no `layers`");
    if (weir_value_count(layers) > WEIR__IMAGE_LAYERS_MAX)
        return weir_fail(error, WEIR_LIMIT, "the image has more than %d layers",
                         WEIR__IMAGE_LAYERS_MAX);
    for (size_t i = 0; i < weir_value_count(layers); i++) {
        weir__image_layer layer = {0};
        const weir_value *value = weir_array_at(layers, i);
        if (!read_descriptor(value, layer.digest, &layer.size, error)) return false;
        snprintf(layer.media_type, sizeof layer.media_type, "%.*s",
                 WEIR_ARG(weir_member_text(value, "mediaType")));
        *weir_vector_push(&out->layers) = layer;
    }
    return true;
}

bool weir__image_manifest_parse(weir_str text, weir__image_parts *out, weir_error *error) {
    weir__image_parts found = {.size = text.length};
    if (!weir_json_parse(text, WEIR_STR("the manifest"), &found.manifest, error)) return false;
    const weir_value *config = weir_member_named(found.manifest, "config");
    snprintf(found.media_type, sizeof found.media_type, "%.*s",
             WEIR_ARG(weir_member_text(found.manifest, "mediaType")));
    bool ok =
        weir_is(config, WEIR_OBJECT) || wrong(error, "the manifest", "it names no configuration");
    ok = ok && read_descriptor(config, found.config_digest, &found.config_size, error) &&
         read_layers(weir_member_named(found.manifest, "layers"), &found, error);
    if (ok)
        *out = found;
    else
        weir__image_parts_deinit(&found);
    return ok;
}

static bool read_diff_ids(weir__image_parts *parts, weir_error *error) {
    static const char file[] = "the image's configuration";
    const weir_value *ids =
        weir_member_named(weir_member_named(parts->config, "rootfs"), "diff_ids");
    if (!weir_is(ids, WEIR_ARRAY)) return wrong(error, file, "it has no list rootfs.diff_ids");
    if (weir_value_count(ids) != parts->layers.count)
        return wrong(error, file, "it has another number of layers than the manifest");
    for (size_t i = 0; i < parts->layers.count; i++) {
        const weir_value *id = weir_array_at(ids, i);
        weir_str text = weir_is(id, WEIR_STRING) ? weir_string_get(id) : (weir_str){"", 0};
        if (!weir_image_digest_ok(text))
            return wrong(error, file, "one of rootfs.diff_ids is no digest of SHA-256");
        snprintf(parts->layers.items[i].diff_id, WEIR__IMAGE_DIGEST_BYTES, "%.*s", WEIR_ARG(text));
    }
    return true;
}

bool weir__image_parts_parse(weir_str manifest, weir_str config, weir__image_parts *out,
                             weir_error *error) {
    weir__image_parts found = {0};
    if (!weir__image_manifest_parse(manifest, &found, error)) return false;
    bool ok =
        weir_json_parse(config, WEIR_STR("the image's configuration"), &found.config, error) &&
        read_diff_ids(&found, error);
    if (ok)
        *out = found;
    else
        weir__image_parts_deinit(&found);
    return ok;
}

bool weir__image_parts_read(const weir_image_store *store, int root, const char *digest,
                            weir__image_parts *out, weir_error *error) {
    char name[WEIR__IMAGE_FILE_BYTES];
    weir__image_parts first = {0};
    weir_buffer manifest = {0}, config = {0};
    weir__image_file(name, "blobs/sha256/", digest + 7, "");
    bool ok = weir__image_slurp(store, root, name, WEIR__IMAGE_MANIFEST_MAX, &manifest, error) &&
              weir__image_manifest_parse(weir_buffer_str(&manifest), &first, error);
    if (ok) {
        weir__image_file(name, "blobs/sha256/", first.config_digest + 7, "");
        ok = weir__image_slurp(store, root, name, WEIR__IMAGE_CONFIG_MAX, &config, error) &&
             weir__image_parts_parse(weir_buffer_str(&manifest), weir_buffer_str(&config), out,
                                     error);
    }
    if (ok) snprintf(out->digest, sizeof out->digest, "%s", digest);
    weir__image_parts_deinit(&first);
    weir_buffer_deinit(&manifest);
    weir_buffer_deinit(&config);
    return ok;
}

/* --- names ---------------------------------------------------------------------------------- */

/* As the specification has it in an index. */
static void put_platform(weir_value *entry, const weir_value *config) {
    static const char *const keys[] = {"architecture", "os", "variant"};
    weir_value *platform = weir_object_new();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        weir_str text = weir_member_text(config, keys[i]);
        if (text.length) weir_member_put_text(platform, keys[i], text);
    }
    weir_member_put(entry, "platform", platform);
}

static weir_value *entry_of(const weir__image_parts *parts, const char *name, const char *pinned) {
    weir_value *entry = weir_object_new(), *notes = weir_object_new();
    weir_str type = *parts->media_type ? weir_str_from(parts->media_type)
                                       : WEIR_STR("application/vnd.oci.image.manifest.v1+json");
    weir_member_put_text(entry, "mediaType", type);
    weir_member_put_text(entry, "digest", weir_str_from(parts->digest));
    weir_member_put(entry, "size", weir_int_new((int64_t)parts->size));
    put_platform(entry, parts->config);
    if (name) weir_member_put_text(notes, NAME_KEY, weir_str_from(name));
    if (pinned && *pinned) weir_member_put_text(notes, PINNED_KEY, weir_str_from(pinned));
    weir_member_put(entry, "annotations", notes);
    return entry;
}

/* An entry that stays as it is, but without its name: it is still found by its digest, until it is pruned. */
static weir_value *without_name(const weir_value *entry) {
    weir_value *out = weir_object_new(), *notes = weir_object_new();
    weir_str pinned = weir__image_entry_pinned(entry);
    for (size_t i = 0; i < weir_value_count(entry); i++) {
        weir_str key = weir_object_key(entry, i);
        if (!weir_str_is(key, "annotations"))
            weir_member_set(out, key, weir_value_ref(weir_object_at(entry, i)));
    }
    if (pinned.length) weir_member_put_text(notes, PINNED_KEY, pinned);
    weir_member_put(out, "annotations", notes);
    return out;
}

static bool has_digest(const weir_value *entries, weir_str digest) {
    for (size_t i = 0; i < weir_value_count(entries); i++)
        if (weir_str_equal(weir__image_entry_digest(weir_array_at(entries, i)), digest))
            return true;
    return false;
}

weir_value *weir__image_index_with(const weir_value *index, const weir__image_parts *parts,
                                   const char *name, const char *pinned) {
    weir_value *changed = weir__image_index_new(),
               *entries = weir_member_named(changed, "manifests");
    const weir_value *before = weir_member_named(index, "manifests");
    weir_value *lost = NULL;
    if (parts) weir_array_append(entries, entry_of(parts, name, pinned));
    for (size_t i = 0; i < weir_value_count(before); i++) {
        weir_value *entry = weir_array_at(before, i);
        weir_str digest = weir__image_entry_digest(entry);
        if (weir_str_is(weir__image_entry_name(entry), name))
            lost = entry;
        else if (weir__image_entry_name(entry).length || !parts ||
                 !weir_str_is(digest, parts->digest))
            weir_array_append(entries, weir_value_ref(entry));
    }
    if (lost && !has_digest(entries, weir__image_entry_digest(lost)))
        weir_array_append(entries, without_name(lost));
    return changed;
}

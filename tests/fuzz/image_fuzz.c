/* Names, indexes, manifests and configurations of images: read, or refused with a reason. The first byte says what it is taken for. */
#include <stdio.h>

#include "image/manifest.h"
#include "image/store_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is written as it can be read again. */
static bool read_name(weir_str text, weir_error *error) {
    weir_image_name name, again;
    weir_buffer whole = {0};
    if (!weir_image_name_read(text, &name, error)) return false;
    weir_image_name_append(&name, &whole);
    weir_assert(weir_image_name_read(weir_buffer_str(&whole), &again, error));
    weir_assert(memcmp(&name, &again, sizeof name) == 0);
    weir_buffer_deinit(&whole);
    return true;
}

/* A name in it moves, and is found where it went. */
static bool read_index(weir_str text, weir_error *error) {
    weir_value *index;
    weir_image_name name = {.registry = "docker.io", .repository = "a", .tag = "b"};
    if (!weir__image_index_parse(text, "index.json", &index, error)) return false;
    weir__image_parts parts = {.media_type = "x"};
    memcpy(parts.digest, "sha256:", 7);
    memset(parts.digest + 7, 'a', WEIR__IMAGE_HEX);
    weir_value *changed = weir__image_index_with(index, &parts, "docker.io/a:b", NULL);
    size_t at = weir__image_index_find(changed, &name, NULL);
    weir_assert(at != SIZE_MAX);
    weir_str digest =
        weir__image_entry_digest(weir_array_at(weir_member_named(changed, "manifests"), at));
    weir_assert(weir_str_is(digest, parts.digest));
    weir_value *without = weir__image_index_with(changed, NULL, "docker.io/a:b", NULL);
    weir_assert(weir__image_index_find(without, &name, NULL) == SIZE_MAX);
    weir_value_unref(without);
    weir_value_unref(changed);
    weir_value_unref(index);
    return true;
}

/* A manifest and, behind a NUL, its configuration. */
static bool read_parts(weir_str text, weir_error *error) {
    weir__image_parts parts;
    size_t end = weir_str_find(text, (weir_str){"\0", 1}, 0);
    if (end == SIZE_MAX) end = text.length;
    weir_str config = weir_str_slice(text, end + (end < text.length), text.length);
    if (!weir__image_parts_parse(weir_str_slice(text, 0, end), config, &parts, error)) return false;
    weir_assert(weir_image_digest_ok(weir_str_from(parts.config_digest)));
    for (size_t i = 0; i < parts.layers.count; i++) {
        weir_assert(weir_image_digest_ok(weir_str_from(parts.layers.items[i].digest)));
        weir_assert(weir_image_digest_ok(weir_str_from(parts.layers.items[i].diff_id)));
    }
    weir__image_parts_deinit(&parts);
    return true;
}

static bool read_manifest(weir_str text, weir_error *error) {
    weir__manifest manifest;
    weir__described chosen;
    if (!weir__manifest_read(text, (weir_str){"", 0}, &manifest, error)) return false;
    if (manifest.is_index &&
        weir__platform_choose(manifest.entries, "linux/arm/v7", &chosen, error))
        weir_assert(weir_image_digest_ok(weir_str_from(chosen.digest)));
    weir__manifest_deinit(&manifest);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    bool (*const readers[])(weir_str text, weir_error * error) = {read_name, read_index, read_parts,
                                                                  read_manifest};
    weir_error error = {0};
    if (!size) return 0;
    weir_str text = {(const char *)data + 1, size - 1};
    if (!readers[data[0] % 4](text, &error)) weir_assert(error.code && error.message[0]);
    return 0;
}

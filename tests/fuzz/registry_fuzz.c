/* What registries and files of credentials say, by the first byte: a challenge, a manifest (from an index of which a platform is chosen), a
 * configuration, an error, credentials, a platform. */
#include "data/json.h"
#include "image/manifest.h"
#include "image/name.h"
#include "image/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_challenge(weir_str text) {
    weir__challenge challenge = {0};
    weir__challenge_read(text, &challenge);
    weir_assert(strlen(challenge.realm) < sizeof challenge.realm);
    weir_assert(!strpbrk(challenge.realm, "\r\n") && !strpbrk(challenge.scope, "\r\n"));
}

static void read_manifest(weir_str text) {
    weir__manifest manifest;
    weir__described chosen;
    weir_error error;
    if (!weir__manifest_read(text, WEIR_STR(""), &manifest, &error)) return;
    for (size_t i = 0; i < manifest.layers.count; i++)
        weir_assert(weir_image_digest_ok(weir_str_from(manifest.layers.items[i].digest)));
    if (manifest.is_index &&
        weir__platform_choose(manifest.entries, "linux/arm/v7", &chosen, &error))
        weir_assert(weir_image_digest_ok(weir_str_from(chosen.digest)));
    weir__manifest_deinit(&manifest);
}

static void read_value(weir_str text, bool config) {
    weir_value *value;
    weir_error error;
    weir__credentials credentials = {0};
    char helper[WEIR__HELPER_MAX];
    if (!weir_json_parse(text, WEIR_STR(""), &value, &error)) return;
    if (config && weir__config_check(value, "linux/amd64", 1, &error))
        weir_assert(weir_image_digest_ok(weir__config_diff_id(value, 0)));
    if (!config &&
        weir__credentials_read(value, "docker.io", "library/busybox", &credentials, helper))
        weir_assert(!strchr(helper, '/'));
    weir__credentials_deinit(&credentials);
    weir_value_unref(value);
}

static void read_others(weir_str text) {
    char saying[160], platform[WEIR__PLATFORM_MAX], again[WEIR__PLATFORM_MAX];
    weir_error error;
    weir__credentials credentials = {0};
    weir__registry_saying(text, saying);
    for (const char *c = saying; *c; c++) weir_assert(*c >= ' ' && *c < 127);
    (void)weir__credentials_of_helper(text, &credentials);
    weir__credentials_deinit(&credentials);
    if (!weir__platform_read(text, platform, &error)) return;
    weir_assert(weir__platform_read(weir_str_from(platform), again, &error));
    weir_assert(strcmp(platform, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    weir_str text = {(const char *)data + 1, size - 1};
    switch (data[0]) {
    case 'w': read_challenge(text); break;
    case 'm': read_manifest(text); break;
    case 'c': read_value(text, true); break;
    case 'a': read_value(text, false); break;
    default: read_others(text);
    }
    return 0;
}

#include "image/manifest.h"

#include <stdio.h>
#include <sys/utsname.h>

#include "data/json.h"
#include "image/store_internal.h"

enum { VARIANTS_MAX = 99, ENTRIES_MAX = 4096 };

/* --- manifests -------------------------------------------------------------------------------- */

static bool read_described(const weir_value *value, const char *what, weir__described *out,
                           weir_error *error) {
    weir_str type = weir_member_text(value, "mediaType");
    weir_str digest = weir_member_text(value, "digest");
    const weir_value *size = weir_member_named(value, "size");
    *out = (weir__described){0};
    if (!weir_image_digest_ok(digest))
        return weir_fail(error, WEIR_INVALID, "%s has no digest of SHA-256", what);
    if (!weir_is(size, WEIR_INT) || weir_int_get(size) < 0)
        return weir_fail(error, WEIR_INVALID, "%s has no size", what);
    if (!type.length || type.length >= sizeof out->media_type)
        return weir_fail(error, WEIR_INVALID, "%s has no media type", what);
    snprintf(out->media_type, sizeof out->media_type, "%.*s", WEIR_ARG(type));
    snprintf(out->digest, sizeof out->digest, "%.*s", WEIR_ARG(digest));
    out->size = (uint64_t)weir_int_get(size);
    return true;
}

static bool is_layer_type(const char *type) {
    static const char *const types[] = {
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i]) == 0) return true;
    return false;
}

static bool fail_type(const char *what, const char *type, weir_error *error) {
    weir_fail(error, WEIR_UNSUPPORTED, "%s is of the type %s", what, type);
    if (strstr(type, "foreign") || strstr(type, "nondistributable"))
        weir_error_hint(
            error,
            "its maker keeps it elsewhere than in registries, and such places are not asked");
    else
        weir_error_hint(error, "such layers cannot be unpacked here");
    return false;
}

static bool read_layers(const weir_value *list, weir__manifest *out, weir_error *error) {
    if (!weir_is(list, WEIR_ARRAY))
        return weir_fail(error, WEIR_INVALID, "the manifest has no list of layers");
    if (weir_value_count(list) > WEIR__IMAGE_LAYERS_MAX)
        return weir_fail(error, WEIR_LIMIT, "the image has %zu layers, and may have %d",
                         weir_value_count(list), WEIR__IMAGE_LAYERS_MAX);
    for (size_t i = 0; i < weir_value_count(list); i++) {
        weir__described *layer = weir_vector_push(&out->layers);
        char what[32];
        snprintf(what, sizeof what, "layer %zu", i + 1);
        if (!read_described(weir_array_at(list, i), what, layer, error)) return false;
        if (!is_layer_type(layer->media_type)) return fail_type(what, layer->media_type, error);
        if (layer->size > WEIR__BLOB_BYTES_MAX)
            return weir_fail(error, WEIR_LIMIT, "%s has %llu bytes, and may have %llu", what,
                             (unsigned long long)layer->size,
                             (unsigned long long)WEIR__BLOB_BYTES_MAX);
    }
    return true;
}

static bool read_image(const weir_value *value, weir__manifest *out, weir_error *error) {
    const char *type = out->config.media_type;
    if (!read_described(weir_member_named(value, "config"), "the image's configuration",
                        &out->config, error))
        return false;
    if (strcmp(type, "application/vnd.oci.image.config.v1+json") != 0 &&
        strcmp(type, "application/vnd.docker.container.image.v1+json") != 0) {
        weir_fail(error, WEIR_UNSUPPORTED, "it is no image of a container, but %s", type);
        weir_error_hint(error,
                        "registries keep other things as well, such as charts and signatures");
        return false;
    }
    if (out->config.size > WEIR__IMAGE_MANIFEST_MAX)
        return weir_fail(error, WEIR_LIMIT, "the image's configuration has more than %d bytes",
                         WEIR__IMAGE_MANIFEST_MAX);
    return read_layers(weir_member_named(value, "layers"), out, error);
}

/* A document that is both would be one image to some, and another to others. */
static bool is_both(const weir_value *value) {
    return weir_member_named(value, "manifests") &&
           (weir_member_named(value, "config") || weir_member_named(value, "layers"));
}

static bool is_schema_1(const weir_value *version, weir_str type) {
    return weir_str_starts(type, WEIR_STR("application/vnd.docker.distribution.manifest.v1+")) ||
           (weir_is(version, WEIR_INT) && weir_int_get(version) == 1);
}

static bool read_value(const weir_value *value, weir_str type, weir__manifest *out,
                       weir_error *error) {
    if (!weir_is(value, WEIR_OBJECT))
        return weir_fail(error, WEIR_INVALID, "the manifest is no object of JSON");
    const weir_value *version = weir_member_named(value, "schemaVersion");
    if (is_schema_1(version, type)) {
        weir_fail(error, WEIR_UNSUPPORTED,
                  "the registry has the image as \"schema 1\" only, which nothing makes any more");
        weir_error_hint(error, "push it again with a Docker of 2017 or later, or with skopeo");
        return false;
    }
    if (!weir_is(version, WEIR_INT) || weir_int_get(version) != 2)
        return weir_fail(error, WEIR_INVALID, "the manifest is of no known version");
    if (is_both(value))
        return weir_fail(error, WEIR_INVALID,
                         "the manifest is of an image and of an index at once");
    weir_value *entries = weir_member_named(value, "manifests");
    if (!entries) return read_image(value, out, error);
    if (!weir_is(entries, WEIR_ARRAY) || weir_value_count(entries) > ENTRIES_MAX)
        return weir_fail(error, WEIR_INVALID, "the index has no list of up to %d manifests",
                         ENTRIES_MAX);
    out->is_index = true;
    out->entries = weir_value_ref(entries);
    return true;
}

bool weir__manifest_read(weir_str bytes, weir_str media_type, weir__manifest *out,
                         weir_error *error) {
    weir_value *value = NULL;
    *out = (weir__manifest){0};
    if (bytes.length > WEIR__IMAGE_MANIFEST_MAX)
        return weir_fail(error, WEIR_LIMIT, "the manifest has more than %d bytes",
                         WEIR__IMAGE_MANIFEST_MAX);
    if (!weir_json_parse(bytes, WEIR_STR("the manifest"), &value, error)) {
        if (error) error->code = WEIR_INVALID;
        return false;
    }
    weir__manifest made = {0};
    bool ok = read_value(value, media_type, &made, error);
    weir_value_unref(value);
    if (ok)
        *out = made;
    else
        weir__manifest_deinit(&made);
    return ok;
}

void weir__manifest_deinit(weir__manifest *manifest) {
    weir_free(manifest->layers.items);
    weir_value_unref(manifest->entries);
    *manifest = (weir__manifest){0};
}

/* --- platforms -------------------------------------------------------------------------------- */

typedef struct platform {
    char system[16], architecture[24];
    int variant; /* 0: none */
} platform;

/* What Linux and others call it, and what Go does. */
static const struct {
    const char *machine, *architecture;
} architectures[] = {
    {"x86_64", "amd64/v1"},  {"x86-64", "amd64/v1"},
    {"aarch64", "arm64/v8"}, {"armv8l", "arm/v8"},
    {"armv7l", "arm/v7"},    {"armhf", "arm/v7"},
    {"armv6l", "arm/v6"},    {"armel", "arm/v6"},
    {"armv5tel", "arm/v5"},  {"i386", "386"},
    {"i486", "386"},         {"i586", "386"},
    {"i686", "386"},         {"loongarch64", "loong64"},
};

static const char *architecture_of(weir_str machine) {
    for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++)
        if (weir_str_is(machine, architectures[i].machine)) return architectures[i].architecture;
    return NULL;
}

/* What an architecture is where nothing is said of its variant. */
static int usual_variant(const char *architecture) {
    if (strcmp(architecture, "arm64") == 0) return 8;
    if (strcmp(architecture, "arm") == 0) return 7;
    return strcmp(architecture, "amd64") == 0 ? 1 : 0;
}

static bool read_variant(weir_str text, const char *architecture, int *out) {
    int number = 0;
    *out = usual_variant(architecture);
    if (!text.length) return true;
    size_t i = text.data[0] == 'v';
    if (i == text.length) return false;
    for (; i < text.length && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
        number = number * 10 + (text.data[i] - '0');
        if (number > VARIANTS_MAX) return false;
    }
    *out = number;
    return number && i == text.length;
}

static bool is_word(weir_str text, size_t size) {
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '_' || c == '-'))
            return false;
    }
    return text.length && text.length < size;
}

static bool fill(weir_str system, weir_str architecture, weir_str variant, platform *out) {
    const char *known = architecture_of(architecture);
    if (known) {
        weir_str both = weir_str_from(known);
        size_t slash = weir_str_find(both, WEIR_STR("/"), 0);
        architecture = weir_str_slice(both, 0, slash);
        if (!variant.length && slash != SIZE_MAX)
            variant = weir_str_slice(both, slash + 1, both.length);
    }
    if (!is_word(system, sizeof out->system) || !is_word(architecture, sizeof out->architecture))
        return false;
    snprintf(out->system, sizeof out->system, "%.*s", WEIR_ARG(system));
    snprintf(out->architecture, sizeof out->architecture, "%.*s", WEIR_ARG(architecture));
    return read_variant(variant, out->architecture, &out->variant);
}

static bool parse(weir_str text, platform *out) {
    size_t first = weir_str_find(text, WEIR_STR("/"), 0);
    if (first == SIZE_MAX) return false;
    size_t second = weir_str_find(text, WEIR_STR("/"), first + 1);
    weir_str variant = {0};
    if (second != SIZE_MAX) {
        variant = weir_str_slice(text, second + 1, text.length);
        if (!variant.length) return false;
    }
    return fill(weir_str_slice(text, 0, first), weir_str_slice(text, first + 1, second), variant,
                out);
}

/* amd64 is said without its first variant, as everybody does. */
static void write_platform(const platform *p, char out[static WEIR__PLATFORM_MAX]) {
    bool plain = !p->variant || (p->variant == 1 && strcmp(p->architecture, "amd64") == 0);
    char variant[16] = "";
    if (!plain) snprintf(variant, sizeof variant, "/v%d", p->variant);
    snprintf(out, WEIR__PLATFORM_MAX, "%s/%s%s", p->system, p->architecture, variant);
}

void weir__platform_of_machine(char out[static WEIR__PLATFORM_MAX]) {
    struct utsname machine;
    platform p;
    if (uname(&machine) < 0 ||
        !fill(WEIR_STR("linux"), weir_str_from(machine.machine), (weir_str){0}, &p))
        fill(WEIR_STR("linux"), WEIR_STR("amd64"), (weir_str){0}, &p);
    write_platform(&p, out);
}

bool weir__platform_read(weir_str text, char out[static WEIR__PLATFORM_MAX], weir_error *error) {
    platform p;
    if (!parse(text, &p)) {
        weir_fail(error, WEIR_INVALID, "'%.*s' is no platform",
                  WEIR_ARG(weir_str_slice(text, 0, 100)));
        weir_error_hint(
            error,
            "OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT: linux/amd64, linux/arm64, linux/arm/v7");
        return false;
    }
    write_platform(&p, out);
    return true;
}

/* How well a platform can be used by a machine that wants another: its variant and 1; 0: not at all. */
static int usable(const platform *wanted, const platform *there) {
    if (strcmp(wanted->system, there->system) != 0 ||
        strcmp(wanted->architecture, there->architecture) != 0 || there->variant > wanted->variant)
        return 0;
    return there->variant + 1;
}

static bool platform_of(const weir_value *value, platform *out) {
    return fill(weir_member_text(value, "os"), weir_member_text(value, "architecture"),
                weir_member_text(value, "variant"), out);
}

static void list_platforms(const weir_value *entries, const char *platform_text,
                           weir_error *error) {
    weir_buffer all = {0};
    for (size_t i = 0; i < weir_value_count(entries) && all.length < 200; i++) {
        platform there;
        char text[WEIR__PLATFORM_MAX];
        const weir_value *entry = weir_array_at(entries, i);
        if (!platform_of(weir_member_named(entry, "platform"), &there)) continue;
        if (strcmp(there.system, "unknown") == 0) continue; /* no image: how one was built */
        write_platform(&there, text);
        weir_buffer_printf(&all, "%s%s", all.length ? ", " : "", text);
    }
    weir_fail(error, WEIR_NOT_FOUND, "there is no image for %s", platform_text);
    if (all.length) weir_error_hint(error, "there are %s", all.data);
    weir_buffer_deinit(&all);
}

bool weir__platform_choose(const weir_value *entries, const char *platform_text,
                           weir__described *out, weir_error *error) {
    platform wanted, there;
    const weir_value *best = NULL;
    int most = 0;
    if (!parse(weir_str_from(platform_text), &wanted))
        return weir_fail(error, WEIR_INVALID, "'%s' is no platform", platform_text);
    for (size_t i = 0; i < weir_value_count(entries); i++) {
        const weir_value *entry = weir_array_at(entries, i);
        const weir_value *of = weir_member_named(entry, "platform");
        int how = of && platform_of(of, &there) ? usable(&wanted, &there) : 0;
        if (how <= most) continue;
        most = how;
        best = entry;
    }
    /* One that says nothing of its platform is the image's own business. */
    if (!best && weir_value_count(entries) == 1 &&
        !weir_member_named(weir_array_at(entries, 0), "platform"))
        best = weir_array_at(entries, 0);
    if (best) return read_described(best, "the image of the index", out, error);
    list_platforms(entries, platform_text, error);
    return false;
}

/* --- configurations --------------------------------------------------------------------------- */

static const weir_value *diff_ids_of(const weir_value *config) {
    return weir_member_named(weir_member_named(config, "rootfs"), "diff_ids");
}

weir_str weir__config_diff_id(const weir_value *config, size_t i) {
    return weir_string_get(weir_array_at(diff_ids_of(config), i));
}

bool weir__config_check(const weir_value *config, const char *platform_text, size_t layers,
                        weir_error *error) {
    const weir_value *ids = diff_ids_of(config);
    platform wanted, there;
    size_t count = weir_is(ids, WEIR_ARRAY) ? weir_value_count(ids) : 0;
    if (count != layers)
        return weir_fail(error, WEIR_INVALID,
                         "the image has %zu layers, and its configuration tells of %zu", layers,
                         count);
    for (size_t i = 0; i < count; i++) {
        const weir_value *id = weir_array_at(ids, i);
        if (!weir_is(id, WEIR_STRING) || !weir_image_digest_ok(weir_string_get(id)))
            return weir_fail(error, WEIR_INVALID,
                             "the image's configuration has no digest of SHA-256 for layer %zu",
                             i + 1);
    }
    if (!weir_member_text(config, "architecture").length || !platform_of(config, &there) ||
        !parse(weir_str_from(platform_text), &wanted) || usable(&wanted, &there))
        return true;
    char text[WEIR__PLATFORM_MAX];
    write_platform(&there, text);
    weir_fail(error, WEIR_NOT_FOUND, "the image is for %s, and wanted is one for %s", text,
              platform_text);
    weir_error_hint(error, "the platform %s takes it as it is", text);
    return false;
}

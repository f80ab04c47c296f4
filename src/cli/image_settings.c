#include "cli/image_settings.h"

#include "base/size.h"

void weir_image_settings_store(weir_settings *settings, const weir_value *value,
                               const weir_setting_place *place) {
    settings->image_store = weir_settings_path(settings, weir_string_get(value), place);
}

void weir_image_settings_limit(weir_settings *settings, const weir_value *value,
                               const weir_setting_place *place) {
    weir_str text = weir_string_get(value);
    uint64_t bytes = 0;
    weir_error error;
    if (!weir_str_is(text, "none") && (!weir_size_parse(text, &bytes, &error) || !bytes))
        weir_settings_problem(place, "how much images may take, as 20GB; or none",
                              "image-store-limit cannot be `%.*s`", WEIR_ARG(text));
    else
        settings->image_bytes_max = bytes;
}

void weir_image_settings_pull(weir_settings *settings, const weir_value *value,
                              const weir_setting_place *place) {
    weir_str text = weir_string_get(value);
    if (weir_settings_choice("missing, always, never", text) < 0)
        weir_settings_problem(place, "one of missing, always, never", "pull cannot be `%.*s`",
                              WEIR_ARG(text));
    else
        settings->pull = weir_str_copy(&settings->arena, text);
}

void weir_image_settings_mount(weir_settings *settings, const weir_value *value,
                               const weir_setting_place *place) {
    static const char choices[] = "auto, overlay, fuse, copy";
    weir_str text = weir_string_get(value);
    if (weir_settings_choice(choices, text) < 0)
        weir_settings_problem(place, "one of auto, overlay, fuse, copy",
                              "image-mount cannot be `%.*s`", WEIR_ARG(text));
    else
        settings->image_mount = weir_str_copy(&settings->arena, text);
}

/* OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT */
static bool is_platform(weir_str text) {
    size_t parts = 1, length = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == '/' && (!length || ++parts > 3)) return false;
        length = c == '/' ? 0 : length + 1;
        if (c != '/' && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && !strchr("._-", c))
            return false;
    }
    return parts >= 2 && length > 0;
}

void weir_image_settings_platform(weir_settings *settings, const weir_value *value,
                                  const weir_setting_place *place) {
    weir_str text = weir_string_get(value);
    if (!is_platform(text))
        weir_settings_problem(place, "write OS/ARCHITECTURE, as linux/amd64 or linux/arm/v7",
                              "`%.*s` is no platform", WEIR_ARG(text));
    else
        settings->platform = weir_str_copy(&settings->arena, text);
}

/* --- registries ----------------------------------------------------------------------------- */

/* A host, as names of images have it: no scheme, no blank; of a mirror a path may follow. */
static bool is_host(const weir_value *value, bool path) {
    weir_str text = weir_is(value, WEIR_STRING) ? weir_string_get(value) : WEIR_STR("");
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.data[i] <= ' ' || strchr(path ? "@?#" : "/@?#", text.data[i]))
            return false;
    return text.length && text.data[0] != '/' &&
           weir_str_find(text, WEIR_STR("://"), 0) == SIZE_MAX;
}

static void check_mirrors(const weir_setting_reading *r, const weir_value *mirrors) {
    bool good = weir_is(mirrors, WEIR_ARRAY);
    for (size_t i = 0; good && i < weir_value_count(mirrors); i++)
        good = is_host(weir_array_at(mirrors, i), true);
    if (!good)
        weir_settings_problem(&r->place,
                              "write `mirrors: [mirror.example, cache.example:5000/hub]`",
                              "mirrors are a list of HOST[:PORT][/PATH], without http://");
}

static void check_registry(weir_setting_reading *r, weir_str host, const weir_value *registry) {
    weir_value *name = weir_string_from(host);
    if (!is_host(name, false))
        weir_settings_problem(&r->place, "HOST or HOST:PORT, as the names of images have it",
                              "`%.*s` is no registry", WEIR_ARG(host));
    weir_value_unref(name);
    if (!weir_is(registry, WEIR_OBJECT))
        weir_settings_problem(&r->place, "write `HOST: {mirrors: […], insecure: true}`",
                              "this is no mapping: `%.*s`", WEIR_ARG(host));
    for (size_t i = 0; weir_is(registry, WEIR_OBJECT) && i < weir_value_count(registry); i++) {
        weir_str key = weir_object_key(registry, i);
        const weir_value *value = weir_object_at(registry, i);
        size_t mark = weir_setting_enter(r, key);
        if (weir_str_is(key, "mirrors"))
            check_mirrors(r, value);
        else if (!weir_str_is(key, "insecure"))
            weir_settings_problem(&r->place, "a registry has `mirrors` and `insecure`",
                                  "there is no setting `%.*s`", WEIR_ARG(key));
        else if (!weir_is(value, WEIR_BOOL))
            weir_settings_problem(&r->place, "write `insecure: true`",
                                  "insecure must be true or false");
        weir_setting_leave(r, mark);
    }
}

void weir_image_settings_registries(weir_settings *settings, const weir_value *value,
                                    const weir_setting_place *place) {
    weir_setting_reading r = weir_setting_begin(place);
    if (!settings->registries) settings->registries = weir_object_new();
    for (size_t i = 0; i < weir_value_count(value); i++) {
        weir_str host = weir_object_key(value, i);
        weir_value *registry = weir_object_at(value, i);
        size_t mark = weir_setting_enter(&r, host);
        check_registry(&r, host, registry);
        weir_member_set(settings->registries, host, weir_value_ref(registry));
        weir_setting_leave(&r, mark);
    }
    weir_buffer_deinit(&r.path);
}

weir_images weir_image_settings(const weir_settings *settings) {
    return (weir_images){.size = sizeof(weir_images),
                         .folder = settings->image_store,
                         .registries = settings->registries,
                         .platform = settings->platform,
                         .pull = settings->pull,
                         .bytes_max = settings->image_bytes_max,
                         .mount = settings->image_mount};
}

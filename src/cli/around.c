#include "cli/around.h"

static void read_semaphore(weir_setting_reading *r, weir_str key, const weir_value *value,
                           weir_value *out) {
    if (weir_is(value, WEIR_INT) && weir_int_get(value) >= 0)
        weir_member_set(out, key, weir_value_ref((weir_value *)value));
    else
        weir_settings_problem(&r->place, "write `KEY: 3`",
                              "the limit of the semaphore `%.*s` is no number of 0 or more",
                              WEIR_ARG(key));
}

static void read_plugin(weir_setting_reading *r, weir_str name, const weir_value *value,
                        weir_value *out) {
    weir_str address = weir_member_text(value, "address");
    const weir_value *token = weir_member_named(value, "token");
    bool http = weir_str_starts(address, WEIR_STR("http://")) ||
                weir_str_starts(address, WEIR_STR("https://"));
    for (size_t i = 0; weir_is(value, WEIR_OBJECT) && i < weir_value_count(value); i++) {
        weir_str key = weir_object_key(value, i);
        size_t mark = weir_setting_enter(r, key);
        if (!weir_str_is(key, "address") && !weir_str_is(key, "token"))
            weir_settings_problem(&r->place, "a plugin has `address` and `token`",
                                  "there is no setting `%.*s`", WEIR_ARG(key));
        weir_setting_leave(r, mark);
    }
    if (!http || (token && !weir_is(token, WEIR_STRING)))
        weir_settings_problem(&r->place, "write `NAME: {address: http://…, token: SECRET}`",
                              "the plugin `%.*s` has no address, or its token is no secret's name",
                              WEIR_ARG(name));
    else
        weir_member_set(out, name, weir_value_ref((weir_value *)value));
}

static const struct section {
    const char *name, *hint;
    void (*read)(weir_setting_reading *r, weir_str key, const weir_value *value, weir_value *out);
} sections[] = {{"semaphores", "write `semaphores: {KEY: 3}`", read_semaphore},
                {"plugins", "write `plugins: {NAME: {address: http://…}}`", read_plugin}};
enum { SECTIONS = sizeof sections / sizeof *sections };

static void read_section(weir_settings *settings, weir_setting_reading *r,
                         const struct section *section, const weir_value *value) {
    const weir_value *earlier = weir_member_named(settings->workflow, section->name);
    weir_value *out = weir_object_new();
    for (size_t i = 0; earlier && i < weir_value_count(earlier); i++)
        weir_member_set(out, weir_object_key(earlier, i),
                        weir_value_ref(weir_object_at(earlier, i)));
    if (!weir_is(value, WEIR_OBJECT))
        weir_settings_problem(&r->place, section->hint, "`%s` is no object", section->name);
    for (size_t i = 0; weir_is(value, WEIR_OBJECT) && i < weir_value_count(value); i++) {
        size_t mark = weir_setting_enter(r, weir_object_key(value, i));
        section->read(r, weir_object_key(value, i), weir_object_at(value, i), out);
        weir_setting_leave(r, mark);
    }
    if (!settings->workflow) settings->workflow = weir_object_new();
    weir_member_put(settings->workflow, section->name, out);
}

void weir_around_read(weir_settings *settings, const weir_value *value,
                      const weir_setting_place *place) {
    weir_setting_reading r = weir_setting_begin(place);
    for (size_t i = 0; i < weir_value_count(value); i++) {
        weir_str key = weir_object_key(value, i);
        size_t mark = weir_setting_enter(&r, key), at = 0;
        while (at < SECTIONS && !weir_str_is(key, sections[at].name)) at++;
        if (at < SECTIONS)
            read_section(settings, &r, &sections[at], weir_object_at(value, i));
        else
            weir_settings_problem(&r.place, "`workflow` has `semaphores` and `plugins`",
                                  "there is no setting `%.*s`", WEIR_ARG(key));
        weir_setting_leave(&r, mark);
    }
    weir_buffer_deinit(&r.path);
}

#include "cli/images.h"

#include <stdlib.h>
#include <unistd.h>

typedef struct reading {
    weir_settings *settings;
    weir_setting_reading at;
} reading;

static void problem(const reading *r, const char *hint, const char *message, weir_str about) {
    weir_settings_problem(&r->at.place, hint, "%s `%.*s`", message, WEIR_ARG(about));
}

static weir_value *read_command(reading *r, weir_str pattern, const weir_value *command) {
    weir_value *list = weir_array_new();
    bool good = weir_is(command, WEIR_ARRAY);
    for (size_t i = 0; good && i < weir_value_count(command); i++) {
        const weir_value *item = weir_array_at(command, i);
        good = weir_is(item, WEIR_STRING);
        if (good) weir_array_append(list, weir_string_from(weir_string_get(item)));
    }
    if (!good)
        problem(r, "write `command: [WORD, …]`", "the command is no list of texts: image", pattern);
    return list;
}

/* An absolute path that stays true when somebody changes folders. */
static weir_value *absolute(const char *path) {
    char *full = realpath(path, NULL);
    weir_value *value = weir_string_from(weir_str_from(full ? full : path));
    free(full);
    return value;
}

static weir_value *read_files(reading *r, const weir_value *files) {
    weir_value *list = weir_array_new();
    bool object = weir_is(files, WEIR_OBJECT);
    if (!object)
        problem(r, "write `files: {/PATH/IN/IT: FILE}`", "this is no mapping:", WEIR_STR("files"));
    for (size_t i = 0; object && i < weir_value_count(files); i++) {
        weir_str at = weir_object_key(files, i);
        const weir_value *source = weir_object_at(files, i);
        size_t mark = weir_setting_enter(&r->at, at);
        if (!weir_str_starts(at, WEIR_STR("/"))) {
            problem(r, "where the command looks for it, as /usr/local/bin/NAME",
                    "the path of a file must be absolute, not", at);
        } else if (!weir_is(source, WEIR_STRING)) {
            problem(r, "a path, relative to this file", "there is no file for", at);
        } else {
            const char *path =
                weir_settings_path(r->settings, weir_string_get(source), &r->at.place);
            weir_value *file = weir_object_new();
            if (access(path, F_OK) != 0)
                problem(r, "paths are relative to this file", "there is no file",
                        weir_str_from(path));
            weir_member_put_text(file, "at", at);
            weir_member_put(file, "host", absolute(path));
            weir_array_append(list, file);
        }
        weir_setting_leave(&r->at, mark);
    }
    return list;
}

static weir_value *read_image(reading *r, weir_str pattern, const weir_value *value) {
    weir_value *image = weir_object_new();
    weir_member_put_text(image, "pattern", pattern);
    if (!weir_is(value, WEIR_OBJECT)) {
        problem(r, "write `PATTERN: {command: […], files: {…}}`", "this is no mapping:", pattern);
        return image;
    }
    for (size_t i = 0; i < weir_value_count(value); i++) {
        weir_str key = weir_object_key(value, i);
        const weir_value *member = weir_object_at(value, i);
        size_t mark = weir_setting_enter(&r->at, key);
        if (weir_str_is(key, "command"))
            weir_member_put(image, "command", read_command(r, pattern, member));
        else if (weir_str_is(key, "files"))
            weir_member_put(image, "files", read_files(r, member));
        else
            problem(r, "an image has `command` and `files`", "there is no setting", key);
        weir_setting_leave(&r->at, mark);
    }
    return image;
}

void weir_images_read(weir_settings *settings, const weir_value *value,
                      const weir_setting_place *place) {
    reading r = {.settings = settings, .at = weir_setting_begin(place)};
    weir_value *list = weir_array_new(), *earlier = settings->images;
    for (size_t i = 0; i < weir_value_count(value); i++) {
        weir_str pattern = weir_object_key(value, i);
        size_t mark = weir_setting_enter(&r.at, pattern);
        weir_array_append(list, read_image(&r, pattern, weir_object_at(value, i)));
        weir_setting_leave(&r.at, mark);
    }
    weir_array_append_all(list, earlier);
    weir_value_unref(earlier);
    settings->images = list;
    weir_buffer_deinit(&r.at.path);
}

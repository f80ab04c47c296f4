#include "executor/images.h"

#include <fnmatch.h>

#include "executor/sandbox.h"

static bool fits(const weir_value *entry, const char *image) {
    weir_buffer pattern = {0};
    weir_buffer_str_append(&pattern, weir_member_text(entry, "pattern"));
    bool found = pattern.length && fnmatch(pattern.data, image, FNM_NOESCAPE) == 0;
    weir_buffer_deinit(&pattern);
    return found;
}

/* Those whose path is not there yet. */
static void add_files(weir_value *files, const weir_value *more) {
    for (size_t i = 0; weir_is(more, WEIR_ARRAY) && i < weir_value_count(more); i++) {
        weir_str at = weir_member_text(weir_array_at(more, i), "at");
        size_t k = 0;
        while (k < weir_value_count(files) &&
               !weir_str_equal(weir_member_text(weir_array_at(files, k), "at"), at))
            k++;
        if (k == weir_value_count(files))
            weir_array_append(files, weir_value_ref(weir_array_at(more, i)));
    }
}

weir_value *weir_images_find(const weir_value *images, weir_str image) {
    weir_buffer name = {0};
    weir_value *found = NULL;
    weir_buffer_str_append(&name, image);
    for (size_t i = 0; image.length && images && i < weir_value_count(images); i++) {
        const weir_value *entry = weir_array_at(images, i);
        if (!fits(entry, name.data)) continue;
        weir_value *command = weir_member_named(entry, "command");
        if (!found) {
            found = weir_object_new();
            weir_member_put(found, "files", weir_array_new());
        }
        if (command && !weir_member_named(found, "command"))
            weir_member_put(found, "command", weir_value_ref(command));
        add_files(weir_member_named(found, "files"), weir_member_named(entry, "files"));
    }
    weir_buffer_deinit(&name);
    return found;
}

static weir_value *make_mounts(const weir_value *entry, const weir_value *sandbox) {
    weir_value *mounts = weir_array_new();
    const weir_value *files = weir_member_named(entry, "files");
    for (size_t i = 0; files && i < weir_value_count(files); i++) {
        const weir_value *file = weir_array_at(files, i);
        weir_value *mount = weir_object_new();
        weir_member_put_text(mount, "at", weir_member_text(file, "at"));
        weir_member_put_text(mount, "host", weir_member_text(file, "host"));
        weir_member_put(mount, "read_only", weir_bool_new(true));
        weir_member_put(mount, "provided", weir_bool_new(true));
        weir_array_append(mounts, mount);
    }
    weir_array_append_all(mounts, weir_member_named(sandbox, "mounts"));
    return mounts;
}

static weir_value *make_command(const weir_value *entry, const weir_value *config) {
    const weir_value *own = weir_member_named(config, "command");
    weir_value *command = weir_array_new();
    bool contained = weir_str_is(weir_member_text(weir_member_named(config, "sandbox"), "executor"),
                                 "container");
    if (weir_has_items(own))
        weir_array_append_all(command, own);
    else if (!contained) /* a container's image says that itself */
        weir_array_append_all(command, weir_member_named(entry, "command"));
    if (weir_value_count(command))
        weir_array_append_all(command, weir_member_named(config, "arguments"));
    return command;
}

weir_value *weir_images_apply(const weir_value *images, weir_value *config) {
    weir_value *sandbox = weir_member_named(config, "sandbox");
    weir_value *entry = weir_images_find(images, weir_member_text(sandbox, "image"));
    weir_value *command = make_command(entry, config);
    if (!weir_value_count(command)) {
        weir_array_append(command, weir_string_from(WEIR_STR(WEIR_SANDBOX_OF_IMAGE)));
        weir_array_append_all(command, weir_member_named(config, "arguments"));
    }
    weir_value *made = weir_value_own(weir_value_ref(config));
    weir_member_put(made, "command", command);
    if (entry) {
        weir_value *whole = weir_value_own(weir_value_ref(sandbox));
        weir_member_put(whole, "mounts", make_mounts(entry, sandbox));
        weir_member_put(made, "sandbox", whole);
    }
    weir_value_unref(entry);
    return made;
}

#include "cli/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PARENTS_MAX = 256 };

const char *weir_config_project(weir_arena *arena) {
    weir_buffer path = {0};
    struct stat root = {0}, here;
    bool rooted = stat("/", &root) == 0, found = false;
    for (int i = 0; i < PARENTS_MAX && !found; i++) {
        size_t length = path.length;
        weir_buffer_text(&path, ".weir");
        /* A directory that somebody else made, say in /tmp, must not decide what runs here. */
        found = stat(path.data, &here) == 0 && S_ISDIR(here.st_mode) && here.st_uid == geteuid();
        path.length = length;
        path.data[length] = '\0';
        if (found) break;
        bool top = stat(length ? path.data : ".", &here) != 0 ||
                   (rooted && here.st_dev == root.st_dev && here.st_ino == root.st_ino);
        if (top) break;
        weir_buffer_text(&path, "../");
    }
    const char *project = found ? weir_str_copy(arena, weir_buffer_str(&path)) : "";
    weir_buffer_deinit(&path);
    return project;
}

/* Sets every member of an object; `limits`, `retention` and `secrets` are one level deeper. */
static void apply_object(weir_settings *settings, const weir_value *object,
                         const weir_document *document, weir_str section, weir_problems *problems) {
    weir_buffer key = {0}, path = {0};
    for (size_t i = 0; i < weir_value_count(object); i++) {
        weir_str name = weir_object_key(object, i);
        const weir_value *value = weir_object_at(object, i);
        weir_buffer_clear(&key);
        weir_buffer_clear(&path);
        if (section.length) weir_buffer_printf(&key, "%.*s.", WEIR_ARG(section));
        if (section.length) weir_buffer_printf(&path, "%.*s/", WEIR_ARG(section));
        weir_buffer_str_append(&key, name);
        weir_buffer_str_append(&path, name);
        bool deeper = weir_str_is(name, "limits") || weir_str_is(name, "secrets") ||
                      weir_str_is(name, "retention") || weir_str_is(name, "artifacts");
        if (!section.length && deeper && weir_is(value, WEIR_OBJECT))
            apply_object(settings, value, document, name, problems);
        else
            weir_settings_set(
                settings, weir_buffer_str(&key), value,
                &(weir_setting_place){document, weir_buffer_str(&path), NULL, problems});
    }
    weir_buffer_deinit(&key);
    weir_buffer_deinit(&path);
}

static void apply_file(weir_settings *settings, const char *file, bool required,
                       weir_problems *problems) {
    if (!required && access(file, F_OK) != 0) return;
    weir_error error;
    weir_document document = {.file = weir_str_dup(weir_str_from(file))};
    if (!weir_file_read(file, WEIR_FILE_BYTES_MAX, &document.text, &error) ||
        !weir_yaml_parse(weir_buffer_str(&document.text), weir_str_from(file), WEIR_YAML_CORE,
                         &document.roots, &error)) {
        weir_problems_add(problems, &error);
    } else if (document.roots.count && weir_is(document.roots.items[0], WEIR_OBJECT)) {
        apply_object(settings, document.roots.items[0], &document, WEIR_STR(""), problems);
    } else if (document.roots.count && !weir_is(document.roots.items[0], WEIR_NULL)) {
        weir_settings_problem(&(weir_setting_place){&document, WEIR_STR(""), NULL, problems},
                              "write `KEY: VALUE`", "a configuration is a mapping");
    }
    weir_document_deinit(&document);
}

/* Plugins are code: what somebody else may have written must not name them. A link is judged with what it leads to. */
static bool is_trusted(const char *file, weir_error *error) {
    struct stat link, found;
    if (lstat(file, &link) != 0 || stat(file, &found) != 0) return true;
    uid_t user = geteuid();
    bool ours = (link.st_uid == user || !link.st_uid) && (found.st_uid == user || !found.st_uid);
    if (ours && !(found.st_mode & S_IWOTH)) return true;
    weir_fail(error, WEIR_INVALID, "%s, and a configuration may name code to load",
              ours ? "everybody may write this file" : "this file is another user's");
    weir_error_place(error, weir_str_from(file), 0, 0);
    weir_error_hint(error, ours ? "`chmod o-w %.160s`" : "own `%.160s`, or work in another folder",
                    file);
    return false;
}

static void apply_files(weir_cli *cli, weir_problems *problems) {
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    bool named = base && *base;
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s%s/weir/weir.yaml",
                       named  ? base
                       : home ? home
                              : "",
                       named ? "" : "/.config");
    if (named || (home && *home)) apply_file(&cli->settings, path.data, false, problems);
    weir_buffer_clear(&path);
    weir_buffer_printf(&path, "%sweir.yaml", weir_config_project(&cli->settings.arena));
    weir_error error;
    if (is_trusted(path.data, &error))
        apply_file(&cli->settings, path.data, false, problems);
    else
        weir_problems_add(problems, &error);
    weir_buffer_deinit(&path);
    const char *named_file = weir_cli_text(cli, WEIR_FLAG_CONFIG);
    if (named_file) apply_file(&cli->settings, named_file, true, problems);
}

static bool is_setting(weir_flag flag) {
    switch (flag) {
    case WEIR_FLAG_STATE:
    case WEIR_FLAG_STORE:
    case WEIR_FLAG_BLOBS:
    case WEIR_FLAG_DURABILITY:
    case WEIR_FLAG_RECORD:
    case WEIR_FLAG_THREADS:
    case WEIR_FLAG_ISOLATION:
    case WEIR_FLAG_PULL:
    case WEIR_FLAG_PLATFORM:
    case WEIR_FLAG_IMAGE_STORE:
    case WEIR_FLAG_SET:
    case WEIR_FLAG_RESOURCES:
    case WEIR_FLAG_SECRET: return true;
    default: return false;
    }
}

/* An option that is a setting: --KEY VALUE, --set KEY=VALUE, --secret NAME=SOURCE. */
static void apply_flag(weir_settings *settings, const weir_given *given, weir_problems *problems) {
    const char *name = weir_flag_texts[given->flag].name;
    weir_str text = weir_str_from(given->value), key = weir_str_from(name);
    weir_buffer said = {0}, path = {0};
    if (given->flag == WEIR_FLAG_PLUGIN) *weir_vector_push(&settings->plugins) = given->value;
    bool limit = given->flag == WEIR_FLAG_RESOURCES;
    if (given->flag == WEIR_FLAG_SET || given->flag == WEIR_FLAG_SECRET || limit) {
        key = weir_str_slice(text, 0, weir_str_find(text, WEIR_STR("="), 0));
        text = weir_str_slice(text, key.length + 1, text.length);
    }
    weir_buffer_printf(&said, "--%s", name);
    weir_buffer_text(&path, given->flag == WEIR_FLAG_SECRET ? "secrets." : limit ? "limits." : "");
    weir_buffer_str_append(&path, key);
    if (is_setting(given->flag))
        weir_settings_set_text(settings, weir_buffer_str(&path), text,
                               &(weir_setting_place){NULL, {0}, said.data, problems});
    weir_buffer_deinit(&said);
    weir_buffer_deinit(&path);
}

void weir_config_load(weir_cli *cli, weir_problems *problems) {
    apply_files(cli, problems);
    weir_settings_environment(&cli->settings, problems);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < cli->given.count; i++)
            if ((cli->given.items[i].flag == WEIR_FLAG_SET) == (pass == 0))
                apply_flag(&cli->settings, &cli->given.items[i], problems);
}

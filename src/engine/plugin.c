#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/engine_internal.h"

enum { PLUGIN_BYTES_MAX = 1024 * 1024 * 1024, FOLDER_PLUGINS_MAX = 256 };

static bool add_operations(weir_engine *engine, void *object, const char *path, weir_error *error) {
    void *symbol = dlsym(object, "weir_plugin_open");
    if (!symbol) return weir_fail(error, WEIR_PLUGIN, "%s exports no weir_plugin_open", path);
    weir_plugin_open_function *open_plugin;
    memcpy(&open_plugin, &symbol, sizeof open_plugin);
    const weir_plugin *plugin = open_plugin(weir_host_get());
    if (!plugin) {
        weir_fail(error, WEIR_PLUGIN, "%s refuses this weir, whose interface is ABI %u", path,
                  WEIR_ABI);
        weir_error_hint(error, "build it again with this version's weir/operation.h");
        return false;
    }
    engine->plugins.items[engine->plugins.count - 1].plugin = plugin;
    if (weir_registry_add(&engine->registry, plugin, error)) return true;
    weir_error_context(error, "%s", path);
    return false;
}

/* The plugin of the path; NULL: it is not loaded. */
static weir__plugin *find_plugin(const weir_engine *engine, const char *absolute) {
    for (size_t i = 0; i < engine->plugins.count; i++)
        if (strcmp(engine->plugins.items[i].path, absolute) == 0) return &engine->plugins.items[i];
    return NULL;
}

static bool load_file(weir_engine *engine, const char *path, bool named, weir_error *error) {
    char absolute[PATH_MAX];
    weir_buffer bytes = {0};
    if (!realpath(path, absolute)) {
        weir_fail(error, WEIR_PLUGIN, "there is no plugin %s", path);
        weir_error_hint(error, "give the path of a shared object, or of a folder of them");
        return false;
    }
    weir__plugin *known = find_plugin(engine, absolute);
    if (known) known->named |= named;
    if (known) return true;
    if (!weir_file_read(absolute, PLUGIN_BYTES_MAX, &bytes, error)) {
        error->code = WEIR_PLUGIN;
        weir_buffer_deinit(&bytes);
        return false;
    }
    uint64_t hash = weir_hash(bytes.data, bytes.length);
    weir_buffer_deinit(&bytes);
    void *object = dlopen(absolute, RTLD_NOW | RTLD_LOCAL);
    if (!object) return weir_fail(error, WEIR_PLUGIN, "the plugin cannot be loaded: %s", dlerror());
    *weir_vector_push(&engine->plugins) =
        (weir__plugin){object, weir_str_dup(weir_str_from(absolute)), hash, NULL, named};
    return add_operations(engine, object, absolute, error);
}

/* --- folders ----------------------------------------------------------------------------------- */

typedef WEIR_VECTOR(char *) name_list;

/* Whoever may write a plugin, or put one in the folder, decides what runs here: that must not be everybody, and a file
 * must be this user's, root's, or of whoever has the folder. */
static bool trusts(const char *path, const struct stat *status, uid_t owner, weir_error *error) {
    uid_t user = status->st_uid;
    bool ours = !user || user == geteuid() || user == owner;
    if (ours && !(status->st_mode & S_IWOTH)) return true;
    weir_fail(error, WEIR_PLUGIN, "%s, and plugins are code: %s",
              ours ? "everybody may write there" : "the file is another user's", path);
    weir_error_hint(error, ours ? "`chmod o-w %.160s`" : "own `%.160s`, or name it with --plugin",
                    path);
    return false;
}

static int compare_names(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static bool is_plugin_name(const char *name) {
    return name[0] != '.' && weir_str_ends(weir_str_from(name), WEIR_STR(".so"));
}

/* The plugins of a folder, sorted by their bytes; the names are the caller's to free. */
static bool list_plugins(const char *folder, name_list *names, weir_error *error) {
    DIR *stream = opendir(folder);
    if (!stream) return weir_fail(error, WEIR_PLUGIN, "%s: %s", folder, strerror(errno));
    for (const struct dirent *entry; (entry = readdir(stream));)
        if (is_plugin_name(entry->d_name) && names->count <= FOLDER_PLUGINS_MAX)
            *weir_vector_push(names) = weir_str_dup(weir_str_from(entry->d_name));
    closedir(stream);
    if (names->count > FOLDER_PLUGINS_MAX)
        return weir_fail(error, WEIR_PLUGIN, "%s: more than %d plugins", folder,
                         FOLDER_PLUGINS_MAX);
    if (names->count) qsort(names->items, names->count, sizeof *names->items, compare_names);
    return true;
}

static bool load_named(weir_engine *engine, const char *folder, uid_t owner, const char *name,
                       weir_error *error) {
    weir_buffer path = {0};
    struct stat status;
    weir_buffer_printf(&path, "%s/%s", folder, name);
    bool ok = stat(path.data, &status) == 0 && S_ISREG(status.st_mode);
    if (!ok) weir_fail(error, WEIR_PLUGIN, "%s is no file", path.data);
    ok = ok && trusts(path.data, &status, owner, error) &&
         load_file(engine, path.data, false, error);
    weir_buffer_deinit(&path);
    return ok;
}

static bool load_folder(weir_engine *engine, const char *folder, bool may_be_empty,
                        weir_error *error) {
    name_list names = {0};
    struct stat status;
    bool ok = stat(folder, &status) == 0;
    if (!ok) weir_fail(error, WEIR_PLUGIN, "%s: %s", folder, strerror(errno));
    /* A folder that is named is its owner's business; one that everybody may fill is not. */
    ok = ok && trusts(folder, &status, status.st_uid, error) && list_plugins(folder, &names, error);
    if (ok && !names.count && !may_be_empty)
        ok = weir_fail(error, WEIR_PLUGIN, "there is no plugin (*.so) in %s", folder);
    for (size_t i = 0; ok && i < names.count; i++)
        ok = load_named(engine, folder, status.st_uid, names.items[i], error);
    for (size_t i = 0; i < names.count; i++) weir_free(names.items[i]);
    weir_vector_deinit(&names);
    return ok;
}

static bool load_path(weir_engine *engine, const char *path, weir_error *error) {
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return load_folder(engine, path, false, error);
    return load_file(engine, path, true, error);
}

/* The plugins of the state are code that nobody named on the command line. Weir makes a state that only its user may
 * enter; one that came in a clone or an archive, which others made, is not like that, and must not run what is in it. */
static bool load_state(weir_engine *engine, const char *state, weir_error *error) {
    weir_buffer folder = {0};
    struct stat status, inner;
    weir_buffer_printf(&folder, "%s/plugins", state);
    bool ok = true;
    if (stat(folder.data, &inner) == 0 && stat(state, &status) == 0) {
        bool ours = status.st_uid == geteuid() && (!inner.st_uid || inner.st_uid == geteuid());
        ok = ours && !(status.st_mode & (S_IRWXG | S_IRWXO));
        if (!ok) {
            weir_fail(error, WEIR_PLUGIN, "%s has plugins, which are code, but %s", state,
                      ours ? "is open to others" : "is another user's");
            weir_error_hint(error,
                            ours ? "`chmod 700 %.160s` when you know what is in it"
                                 : "--state or WEIR_STATE names another than `%.160s`",
                            state);
        }
        ok = ok && load_folder(engine, folder.data, true, error);
    }
    weir_buffer_deinit(&folder);
    return ok;
}

bool weir__plugins_load(weir_engine *engine, weir_error *error) {
    for (const char *const *path = engine->options.plugins; path && *path; path++)
        if (!load_path(engine, *path, error)) return false;
    return !engine->options.state || load_state(engine, engine->options.state, error);
}

void weir__plugins_unload(weir_engine *engine) {
    for (size_t i = 0; i < engine->plugins.count; i++) {
        dlclose(engine->plugins.items[i].object);
        weir_free(engine->plugins.items[i].path);
    }
    weir_vector_deinit(&engine->plugins);
}

weir_value *weir__plugins_to_value(const weir_engine *engine) {
    weir_value *value = weir_array_new();
    for (size_t i = 0; i < engine->plugins.count; i++) {
        char hash[24];
        snprintf(hash, sizeof hash, "%016" PRIx64, engine->plugins.items[i].hash);
        weir_value *plugin = weir_object_new();
        weir_member_put_text(plugin, "path", weir_str_from(engine->plugins.items[i].path));
        weir_member_put_text(plugin, "hash", weir_str_from(hash));
        weir_array_append(value, plugin);
    }
    return value;
}

/* A folder names none of the plugins in it: what one of them was may have changed unseen. */
static bool is_named(const weir_engine *engine, const char *path) {
    const weir__plugin *plugin = find_plugin(engine, path);
    return plugin && plugin->named;
}

bool weir__plugins_check(const weir_engine *engine, const weir_value *plugins, weir_error *error) {
    weir_value *now = weir__plugins_to_value(engine);
    bool same = true;
    for (size_t i = 0; same && plugins && i < weir_value_count(plugins); i++)
        for (size_t j = 0; same && j < weir_value_count(now); j++) {
            const weir_value *then = weir_array_at(plugins, i), *it = weir_array_at(now, j);
            weir_str path = weir_member_text(it, "path");
            same = !weir_str_equal(weir_member_text(then, "path"), path) ||
                   weir_value_equal(then, it) || is_named(engine, path.data);
            if (same) continue;
            weir_fail(error, WEIR_CONFLICT, "the plugin %.*s is not what the run was started with",
                      WEIR_ARG(path));
            weir_error_hint(error, "--plugin %.*s goes on with what it is now", WEIR_ARG(path));
        }
    weir_value_unref(now);
    return same;
}

/* Whoever owns the state decides what code it names. */
static bool trusts_state(const weir_engine *engine, weir_error *error) {
    struct stat status;
    if (!engine->state || (stat(engine->state, &status) == 0 && status.st_uid == geteuid()))
        return true;
    return weir_fail(error, WEIR_PLUGIN,
                     "the state directory is another user's: the plugins it names are not loaded");
}

bool weir__plugins_from_value(weir_engine *engine, const weir_value *plugins, weir_error *error) {
    if (weir_is(plugins, WEIR_ARRAY) && weir_value_count(plugins) && !trusts_state(engine, error))
        return false;
    for (size_t i = 0; weir_is(plugins, WEIR_ARRAY) && i < weir_value_count(plugins); i++) {
        weir_str path = weir_member_text(weir_array_at(plugins, i), "path");
        if (path.length && !load_file(engine, path.data, false, error)) return false;
    }
    return true;
}

#include <dlfcn.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/engine_internal.h"

enum { PLUGIN_BYTES_MAX = 1024 * 1024 * 1024 };

static bool add_operations(weir_engine *engine, void *object, const char *path, weir_error *error) {
    void *symbol = dlsym(object, "weir_plugin_open");
    if (!symbol) return weir_fail(error, WEIR_PLUGIN, "%s exports no weir_plugin_open", path);
    weir_plugin_open_function *open_plugin;
    memcpy(&open_plugin, &symbol, sizeof open_plugin);
    const weir_plugin *plugin = open_plugin(weir_host_get());
    if (!plugin) return weir_fail(error, WEIR_PLUGIN, "%s refuses this host", path);
    if (weir_registry_add(&engine->registry, plugin, error)) return true;
    weir_error_context(error, "%s", path);
    return false;
}

bool weir__plugin_load(weir_engine *engine, const char *path, weir_error *error) {
    char absolute[PATH_MAX];
    weir_buffer bytes = {0};
    if (!realpath(path, absolute)) {
        weir_fail(error, WEIR_PLUGIN, "there is no plugin %s", path);
        weir_error_hint(error, "give the path of a shared object");
        return false;
    }
    for (size_t i = 0; i < engine->plugins.count; i++)
        if (strcmp(engine->plugins.items[i].path, absolute) == 0) return true;
    if (!weir_file_read(absolute, PLUGIN_BYTES_MAX, &bytes, error)) {
        error->code = WEIR_PLUGIN;
        return false;
    }
    uint64_t hash = weir_hash(bytes.data, bytes.length);
    weir_buffer_deinit(&bytes);
    void *object = dlopen(absolute, RTLD_NOW | RTLD_LOCAL);
    if (!object) return weir_fail(error, WEIR_PLUGIN, "the plugin cannot be loaded: %s", dlerror());
    *weir_vector_push(&engine->plugins) =
        (weir__plugin){object, weir_str_dup(weir_str_from(absolute)), hash};
    return add_operations(engine, object, absolute, error);
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

static bool is_named(const weir_engine *engine, const char *path) {
    char absolute[PATH_MAX];
    const char *const *given = engine->options.plugins;
    while (given && *given && !(realpath(*given, absolute) && strcmp(absolute, path) == 0)) given++;
    return given && *given;
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
        if (path.length && !weir__plugin_load(engine, path.data, error)) return false;
    }
    return true;
}

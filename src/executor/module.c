#include "executor/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "executor/inline.h"

enum { MODULES_MAX = 32 };

/* Filled from the front and never changed after; two threads that open one at once open the same object twice, which
 * the linker counts. */
static _Atomic(const weir_plugin *) opened[MODULES_MAX];

static const weir_plugin *find_opened(const char *name) {
    for (size_t i = 0; i < MODULES_MAX; i++) {
        const weir_plugin *plugin = atomic_load(&opened[i]);
        if (!plugin || strcmp(plugin->name, name) == 0) return plugin;
    }
    return NULL;
}

static void remember(const weir_plugin *plugin) {
    for (size_t i = 0; i < MODULES_MAX; i++) {
        const weir_plugin *nobody = NULL;
        if (atomic_compare_exchange_strong(&opened[i], &nobody, plugin) || nobody == plugin) return;
    }
}

/* The folder of this program, without a '/' at its end; "" when it cannot be told. */
static void program_folder(char folder[static PATH_MAX]) {
    ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash) *slash = '\0';
}

static bool find_file(const char *name, weir_buffer *path) {
    char program[PATH_MAX];
    program_folder(program);
    const char *given = getenv("WEIR_MODULES");
    const struct {
        const char *folder, *below;
    } places[] = {{given, ""},
                  {program, "/operations"},
                  {program, "/../operations"},
                  {program, "/../lib/weir"},
                  {WEIR_MODULE_FOLDER, ""}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (!places[i].folder || !*places[i].folder) continue;
        weir_buffer_clear(path);
        weir_buffer_printf(path, "%s%s/weir-%s.so", places[i].folder, places[i].below, name);
        if (access(path->data, R_OK) == 0) return true;
    }
    return false;
}

static const weir_plugin *open_module(const char *name, weir_error *error) {
    weir_buffer path = {0};
    const weir_plugin *plugin = NULL;
    if (!find_file(name, &path)) {
        weir_fail(error, WEIR_PLUGIN, "the module weir-%s.so is not installed", name);
        weir_error_hint(error, "WEIR_MODULES names the folder that it is in");
    } else {
        void *object = dlopen(path.data, RTLD_NOW | RTLD_LOCAL);
        weir_plugin_open_function *open = NULL;
        void *symbol = object ? dlsym(object, "weir_plugin_open") : NULL;
        memcpy(&open, &symbol, sizeof open);
        plugin = open ? open(weir_host_get()) : NULL;
        if (!object)
            weir_fail(error, WEIR_PLUGIN, "the module weir-%s.so does not load: %s", name,
                      dlerror());
        else if (!plugin || plugin->abi != WEIR_ABI || strcmp(plugin->name, name) != 0) {
            weir_fail(error, WEIR_PLUGIN, "%s is no module of this weir", path.data);
            plugin = NULL;
        }
    }
    weir_buffer_deinit(&path);
    if (plugin) remember(plugin);
    return plugin;
}

bool weir_module_function(const weir_operation *operation, weir_run_function **out,
                          weir_error *error) {
    const weir_plugin *plugin = find_opened(operation->module);
    if (!plugin) plugin = open_module(operation->module, error);
    if (!plugin) return false;
    for (const weir_operation *const *item = plugin->operations; *item; item++) {
        if (strcmp((*item)->name, operation->name) != 0) continue;
        *out = (*item)->run;
        return true;
    }
    return weir_fail(error, WEIR_PLUGIN, "the module weir-%s.so has no operation `%s`",
                     operation->module, operation->name);
}

#include "executor/module.h"

#include <stdatomic.h>

#include "executor/inline.h"
#include "io/library.h"

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

static const weir_plugin *open_module(const char *name, weir_error *error) {
    void *symbol;
    if (!weir_library_symbol(name, "weir_plugin_open", &symbol, error)) return NULL;
    weir_plugin_open_function *open;
    memcpy(&open, &symbol, sizeof open);
    const weir_plugin *plugin = open(weir_host_get());
    if (!plugin || plugin->abi != WEIR_ABI || strcmp(plugin->name, name) != 0) {
        weir_fail(error, WEIR_PLUGIN, "weir-%s.so is no module of this weir", name);
        return NULL;
    }
    remember(plugin);
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

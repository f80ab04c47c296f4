#include "task/registry.h"

#include "base/error.h"
#include "data/value.h"

/* What the first version of the ABI had; members that were appended since may be missing. */
static const size_t PLUGIN_SIZE_MIN = offsetof(weir_plugin, operations) + sizeof(void *);
static const size_t OPERATION_SIZE_MIN = offsetof(weir_operation, example) + sizeof(char *);

void weir_registry_deinit(weir_registry *registry) {
    weir_vector_deinit(&registry->operations);
    weir_map_deinit(&registry->by_name);
}

static bool check_plugin(const weir_plugin *plugin, weir_error *error) {
    if (plugin->abi != WEIR_ABI || plugin->size < PLUGIN_SIZE_MIN) {
        weir_fail(error, WEIR_PLUGIN,
                  "the plugin is of ABI %u (size %u), weir of ABI %u (size %zu)", plugin->abi,
                  plugin->size, WEIR_ABI, PLUGIN_SIZE_MIN);
        weir_error_hint(error, "build it again with this version's weir/operation.h");
        return false;
    }
    if (!plugin->operations) return weir_fail(error, WEIR_PLUGIN, "the plugin has no operations");
    return true;
}

bool weir_registry_add(weir_registry *registry, const weir_plugin *plugin, weir_error *error) {
    if (!check_plugin(plugin, error)) return false;
    for (size_t i = 0; plugin->operations[i]; i++) {
        const weir_operation *operation = plugin->operations[i];
        if (operation->size < OPERATION_SIZE_MIN || !operation->name || !operation->name[0])
            return weir_fail(error, WEIR_PLUGIN, "operation %zu of the plugin is malformed", i);
        if (weir_registry_find(registry, weir_str_from(operation->name)))
            return weir_fail(error, WEIR_PLUGIN, "there is already an operation `%s`",
                             operation->name);
        weir_map_set(&registry->by_name, weir_str_from(operation->name),
                     registry->operations.count);
        *weir_vector_push(&registry->operations) = operation;
    }
    return true;
}

const weir_operation *weir_registry_find(const weir_registry *registry, weir_str name) {
    uint64_t at;
    return weir_map_get(&registry->by_name, name, &at) ? registry->operations.items[at] : NULL;
}

static const char *const places[] = {"interpreter", "requirements"};

weir_value *weir_operation_where(const weir_value *said) {
    weir_value *where = NULL;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        weir_value *value = weir_member_named(said, places[i]);
        if (!value || weir_is(value, WEIR_NULL)) continue;
        if (!where) where = weir_object_new();
        weir_member_put(where, places[i], weir_value_ref(value));
    }
    return where;
}

const weir_operation *weir_registry_resolve(const weir_registry *registry, weir_str name,
                                            weir_error *error) {
    return weir_registry_resolve_in(registry, name, NULL, error);
}

const weir_operation *weir_registry_resolve_in(const weir_registry *registry, weir_str name,
                                               const weir_value *where, weir_error *error) {
    const weir_operation *known = weir_registry_find(registry, name);
    if (known && where) {
        weir_fail(error, WEIR_INVALID, "`%.*s` is no Python function, and needs no environment",
                  WEIR_ARG(name));
        weir_error_hint(error, "`interpreter` and `requirements` are of a `module:function`");
        return NULL;
    }
    if (known) return known;
    weir_error why = {0};
    if (registry->resolve) known = registry->resolve(registry->resolve_arg, name, where, &why);
    if (known) return known;
    if (why.code) {
        if (error) *error = why;
        return NULL;
    }
    weir_fail(error, WEIR_UNKNOWN_OPERATION, "there is no operation `%.*s`", WEIR_ARG(name));
    if (error)
        weir_error_hint_near(error, weir_registry_nearest(registry, name),
                             "`weir operation list` shows all");
    return NULL;
}

weir_str weir_registry_nearest(const weir_registry *registry, weir_str name) {
    weir_nearest nearest = weir_nearest_to(name);
    for (size_t i = 0; i < registry->operations.count; i++)
        weir_nearest_try(&nearest, weir_str_from(registry->operations.items[i]->name));
    return nearest.best;
}

const weir_port *weir_port_find(const weir_port *ports, weir_str name) {
    for (; ports && ports->name; ports++)
        if (weir_str_is(name, ports->name)) return ports;
    return NULL;
}

size_t weir_port_count(const weir_port *ports) {
    size_t count = 0;
    while (ports && ports[count].name) count++;
    return count;
}

static bool says_executor(const weir_operation *operation) {
    return operation->size >= offsetof(weir_operation, executor) + sizeof operation->executor &&
           operation->executor;
}

const char *weir_executor_of(weir_str name) {
    if (weir_str_is(name, "process.run")) return "process";
    if (weir_str_is(name, "weir.run")) return "run";
    if (weir_str_is(name, "artifacts.list")) return "artifacts";
    if (weir_str_is(name, "dffml.dataflow.run") || weir_str_is(name, "remap")) return "";
    return "inline";
}

const weir_value *weir_operation_declared(const weir_operation *operation) {
    size_t known = offsetof(weir_operation, declared) + sizeof operation->declared;
    return operation->size >= known ? operation->declared : NULL;
}

const char *weir_operation_executor(const weir_operation *operation) {
    if (says_executor(operation)) return operation->executor;
    return weir_executor_of(weir_str_from(operation->name));
}

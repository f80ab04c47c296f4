#include "operations.h"

#include <stdio.h>

#include "base/map.h"
#include "canonical.h"
#include "executor/inline.h"
#include "operations/operations.h"

/* --- locks that values stand for -------------------------------------------------------------- */

static bool has_text(const weir_value *array, weir_str text) {
    for (size_t i = 0; i < weir_value_count(array); i++)
        if (weir_str_equal(weir_string_get(weir_array_at(array, i)), text)) return true;
    return false;
}

void operations_add_locks(const weir_value *value, weir_value *names) {
    const weir_value *of = weir_member_named(value, "of");
    for (size_t i = 0; of && i < weir_value_count(of); i++) {
        weir_str name = weir_string_get(weir_array_at(of, i));
        if (!has_text(names, name)) weir_array_append(names, weir_string_from(name));
    }
    bool object = weir_is(value, WEIR_OBJECT);
    for (size_t i = 0; !of && (object || weir_is(value, WEIR_ARRAY)) && i < weir_value_count(value);
         i++)
        operations_add_locks(object ? weir_object_at(value, i) : weir_array_at(value, i), names);
}

/* --- outputs ---------------------------------------------------------------------------------- */

static uint64_t digest(weir_str operation, const weir_value *parameters, const weir_value *config) {
    weir_buffer text = {0};
    weir_buffer_str_append(&text, operation);
    canonical_value(parameters, &text);
    const weir_value *label = weir_member_named(config, "label");
    if (label) canonical_value(label, &text);
    uint64_t hash = weir_hash(text.data, text.length);
    weir_buffer_deinit(&text);
    return hash;
}

static weir_value *number(uint64_t hash, const weir_value *parameters) {
    weir_value *names = weir_array_new(), *value = weir_int_new((int64_t)(hash % 1000));
    operations_add_locks(parameters, names);
    if (!weir_value_count(names)) {
        weir_value_unref(names);
        return value;
    }
    weir_value *object = weir_object_new();
    weir_member_put(object, "v", value);
    weir_member_put(object, "of", names);
    return object;
}

static weir_value *text_of(uint64_t hash) {
    char text[16];
    snprintf(text, sizeof text, "n%u", (unsigned)(hash % 50));
    return weir_string_from(weir_str_from(text));
}

static weir_value *list(uint64_t hash, const weir_value *parameters) {
    weir_value *values = weir_array_new();
    for (uint64_t i = 0; i < 1 + hash % 3; i++)
        weir_array_append(values, number(hash + i, parameters));
    return values;
}

static weir_value *contexts(uint64_t hash, const weir_value *parameters, const weir_value *config) {
    weir_value *object = weir_object_new();
    char name[16];
    for (uint64_t i = 0; i < 1 + hash % 2; i++) {
        weir_value *inputs = weir_array_new(), *input = weir_object_new();
        weir_member_put(input, "value", number(hash / 7 + i, parameters));
        weir_member_put_text(input, "definition", weir_member_text(config, "definition"));
        weir_array_append(inputs, input);
        snprintf(name, sizeof name, "s%u", (unsigned)i);
        weir_member_set(object, weir_str_from(name), inputs);
    }
    return object;
}

static weir_value *value_of(weir_str operation, uint64_t hash, const weir_value *parameters,
                            const weir_value *config) {
    if (weir_str_is(operation, "odd")) return weir_bool_new(hash % 2);
    if (weir_str_is(operation, "split")) return list(hash, parameters);
    if (weir_str_is(operation, "name")) return text_of(hash);
    if (weir_str_is(operation, "wrap")) return contexts(hash, parameters, config);
    return number(hash, parameters);
}

weir_value *operations_sets(weir_str operation, const weir_value *parameters,
                            const weir_value *config) {
    weir_value *sets = weir_array_new();
    uint64_t hash = digest(operation, parameters, config);
    bool process = weir_str_is(operation, "process.run");
    uint64_t count = weir_str_is(operation, "stream") ? hash / 3 % 4 : 1;
    for (uint64_t i = 0; i < count; i++) {
        weir_value *set = weir_object_new();
        weir_member_put(set, process ? "result" : "value",
                        value_of(operation, hash + i, parameters, config));
        if (process) weir_member_put(set, "exit_code", weir_int_new(0));
        weir_array_append(sets, set);
    }
    return sets;
}

/* --- as a plugin -------------------------------------------------------------------------------- */

static bool run(const weir_host *host, weir_call *call) {
    weir_str name = weir_str_from(host->operation(call)->name);
    weir_value *config = weir_object_new();
    static const char *const keys[] = {"label", "definition"};
    for (size_t i = 0; i < 2; i++)
        if (host->config(call, keys[i]))
            weir_member_put(config, keys[i], weir_value_ref(host->config(call, keys[i])));
    weir_value *sets = operations_sets(name, host->parameters(call), config);
    host->output(call, "value", weir_value_ref(weir_member_named(weir_array_at(sets, 0), "value")));
    weir_value_unref(sets);
    weir_value_unref(config);
    return true;
}

static const char *const calls[] = {"mix", "odd", "split", "name", "wrap"};

bool operations_is_call(weir_str operation) {
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (weir_str_is(operation, calls[i])) return true;
    return false;
}

void operations_register(weir_registry *registry) {
    static const weir_port inputs[] = {{.name = "a", .primitive = "generic", .about = ""},
                                       {.name = "b", .primitive = "generic", .about = ""},
                                       {.name = NULL}};
    static const weir_port outputs[] = {{.name = "value", .primitive = "generic", .about = ""},
                                        {.name = NULL}};
    static const weir_port config[] = {{.name = "label", .primitive = "str", .about = ""},
                                       {.name = "definition", .primitive = "str", .about = ""},
                                       {.name = NULL}};
    enum { CALL = WEIR_PURE | WEIR_CHEAP, STREAM = WEIR_PURE | WEIR_GENERATOR };
#define OPERATION(text, hint, code)                                                                \
    {                                                                                              \
        .size = sizeof(weir_operation), .name = text, .about = "", .inputs = inputs,               \
        .outputs = outputs, .config = config, .hints = hint, .run = code                           \
    }
    static const weir_operation all[] = {
        OPERATION("mix", CALL, run),      OPERATION("odd", CALL, run),
        OPERATION("split", CALL, run),    OPERATION("name", CALL, run),
        OPERATION("wrap", CALL, run),     OPERATION("work", WEIR_BLOCKING, NULL),
        OPERATION("stream", STREAM, NULL)};
#undef OPERATION
    static const weir_operation *const operations[] = {&all[0], &all[1], &all[2], &all[3],
                                                       &all[4], &all[5], &all[6], NULL};
    static const weir_plugin plugin = {WEIR_ABI, sizeof plugin, "simulation", "1", operations};
    const weir_host *host = weir_host_get();
    const weir_plugin *plugins[] = {&plugin, weir_process_plugin(host), weir_output_plugin(host),
                                    weir_ancestry_plugin(host), weir_dataflow_plugin(host)};
    for (size_t i = 0; i < sizeof plugins / sizeof *plugins; i++)
        weir_assert(weir_registry_add(registry, plugins[i], NULL));
}

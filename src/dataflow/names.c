/* Names that a dataflow gives to parameters and configurations of operations, and what was meant by one that there is
 * not. */
#include "dataflow/plan_internal.h"

/* Names that there are, wherever they stand: they are gone through only when one is wrong. */
typedef struct known {
    weir_str (*at)(const void *of, size_t i);
    const void *of;
    size_t count;
} known;

static weir_str port_at(const void *ports, size_t i) {
    return weir_str_from(((const weir_port *)ports)[i].name);
}

static weir_str parameter_at(const void *instance, size_t i) {
    return ((const weir__instance *)instance)->parameters.items[i].name;
}

static weir_str output_at(const void *instance, size_t i) {
    return ((const weir__instance *)instance)->outputs.items[i].key;
}

static weir_str instance_at(const void *flow, size_t i) {
    return ((const weir__flow *)flow)->instances.items[i].name;
}

static weir_str definition_at(const void *flow, size_t i) {
    return ((const weir__flow *)flow)->definitions.items[i].name;
}

static known known_ports(const weir_port *ports) {
    return (known){port_at, ports, weir_port_count(ports)};
}

static weir_str nearest_of(weir_str wrong, known names) {
    enum { COMPARED_MAX = 10000 }; /* a million wrong names with a million right ones: for ever */
    weir_nearest nearest = weir_nearest_to(wrong);
    for (size_t i = 0; i < names.count && i < COMPARED_MAX; i++)
        weir_nearest_try(&nearest, names.at(names.of, i));
    return nearest.best;
}

/* The problem that was added last; NULL when it was one too many, and only counted. */
static weir_error *last_problem(weir__compiler *c) {
    bool kept = c->problems->count && c->problems->count == c->problems->total;
    return kept ? &c->problems->items[c->problems->count - 1] : NULL;
}

void weir__dataflow_hint(weir__compiler *c, const char *hint) {
    weir_error_hint(last_problem(c), "%s", hint);
}

static void hint_name(weir__compiler *c, weir_str wrong, known names) {
    enum { NAMES_MAX = 8 };
    weir_error *error = last_problem(c);
    if (!error || weir_error_hint_near(error, nearest_of(wrong, names), "")) return;
    weir_buffer list = {0};
    for (size_t i = 0; i < names.count && i < NAMES_MAX; i++)
        weir_buffer_printf(&list, "%s`%.*s`", i ? ", " : "", WEIR_ARG(names.at(names.of, i)));
    if (names.count)
        weir_error_hint(error, "there is %s%s", list.data, names.count > NAMES_MAX ? ", …" : "");
    else
        weir_error_hint(error, "it has none");
    weir_buffer_deinit(&list);
}

void weir__dataflow_hint_instance(weir__compiler *c, weir_str wrong) {
    hint_name(c, wrong, (known){instance_at, c->flow, c->flow->instances.count});
}

void weir__dataflow_hint_output(weir__compiler *c, const weir__instance *instance, weir_str wrong) {
    hint_name(c, wrong, (known){output_at, instance, instance->outputs.count});
}

void weir__dataflow_hint_operation(weir__compiler *c, weir_str wrong) {
    weir_error *error = last_problem(c);
    if (error)
        weir_error_hint_near(error, weir_registry_nearest(c->registry, wrong),
                             "`weir operation list` shows all");
}

void weir__dataflow_hint_definition(const weir__flow *flow, weir_str wrong, weir_error *error) {
    known names = {definition_at, flow, flow->definitions.count};
    if (!weir_error_hint_near(error, nearest_of(wrong, names), ""))
        weir_error_hint(error, "the dataflow's `definitions` and operations name all");
}

/* `key` is in the instance's entry of a section of the file, in its member `group` or, "", by itself. */
static void unknown_key(weir__compiler *c, const weir__instance *instance, const char *section,
                        const char *group, const char *whose, const char *wrong, weir_str key,
                        known names) {
    weir_buffer path = {0};
    weir_path_append(&path, weir_str_from(section));
    weir_path_append(&path, instance->name);
    if (*group) weir_path_append(&path, weir_str_from(group));
    weir_path_append(&path, key);
    weir__dataflow_problem(c, instance->name, WEIR_STR(""), path.data, WEIR_INVALID,
                           "%s `%.*s`: %s `%.*s`", whose, WEIR_ARG(instance->name), wrong,
                           WEIR_ARG(key));
    hint_name(c, key, names);
    weir_buffer_deinit(&path);
}

void weir__dataflow_check_config(weir__compiler *c, const weir__instance *instance) {
    known names = known_ports(instance->operation ? instance->operation->config : NULL);
    for (size_t i = 0; names.count && i < weir_value_count(instance->config); i++) {
        weir_str key = weir_object_key(instance->config, i);
        if (!weir_port_find(names.of, key))
            unknown_key(c, instance, "configs", "", "operation", "it has no configuration", key,
                        names);
    }
}

static bool has_parameter(const weir__instance *instance, weir_str name) {
    for (size_t p = 0; p < instance->parameters.count; p++)
        if (weir_str_equal(instance->parameters.items[p].name, name)) return true;
    return false;
}

void weir__dataflow_check_flow_entry(weir__compiler *c, const weir__instance *instance,
                                     const weir_value *inputs) {
    known names = {parameter_at, instance, instance->parameters.count};
    for (size_t i = 0; weir_is(inputs, WEIR_OBJECT) && i < weir_value_count(inputs); i++) {
        weir_str name = weir_object_key(inputs, i);
        if (!has_parameter(instance, name))
            unknown_key(c, instance, "flow", "inputs", "flow of", "there is no parameter", name,
                        names);
    }
}

void weir__dataflow_check_parameters(weir__compiler *c, const weir__instance *instance) {
    const weir_operation *operation = instance->operation;
    if (!operation || !weir_operation_has_code(operation) || (operation->hints & WEIR_ANY_INPUTS))
        return;
    known names = known_ports(operation->inputs);
    for (size_t p = 0; names.count && p < instance->parameters.count; p++) {
        weir_str name = instance->parameters.items[p].name;
        if (weir_port_find(names.of, name)) continue;
        weir__dataflow_problem(c, instance->name, name, "", WEIR_INVALID,
                               "operation `%.*s`: `%s` has no parameter `%.*s`",
                               WEIR_ARG(instance->name), operation->name, WEIR_ARG(name));
        hint_name(c, name, names);
    }
}

void weir__dataflow_check_outputs(weir__compiler *c, const weir__instance *instance) {
    weir_str format = weir_member_text(instance->config, "format");
    if (!weir_str_is(instance->spec.executor, "process") ||
        (format.length && !weir_str_is(format, "text")))
        return;
    known names = known_ports(instance->operation->outputs);
    for (size_t o = 0; o < instance->outputs.count; o++) {
        weir_str key = instance->outputs.items[o].key;
        if (weir_port_find(names.of, key)) continue;
        weir__dataflow_problem(c, instance->name, key, "", WEIR_INVALID,
                               "operation `%.*s`: `%s` has no output `%.*s`, but of what it prints "
                               "with `format: json`",
                               WEIR_ARG(instance->name), instance->operation->name, WEIR_ARG(key));
        hint_name(c, key, names);
    }
}

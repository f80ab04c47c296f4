/* Names that a dataflow gives to parameters and configurations of operations, and what was meant by one that there is
 * not. */
#include <stdio.h>

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

void weir__dataflow_hint(weir__compiler *c, const char *hint) {
    weir_error_hint(c->told, "%s", hint);
}

static void hint_name(weir__compiler *c, weir_str wrong, known names) {
    enum { NAMES_MAX = 8 };
    weir_error *error = c->told;
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
    weir_error *error = c->told;
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

static bool gives(const weir__instance *instance, weir_str key) {
    for (size_t o = 0; o < instance->outputs.count; o++)
        if (weir_str_equal(instance->outputs.items[o].key, key)) return true;
    return false;
}

/* Whether it takes all that the operation gives: then what it lists beyond that is only never given. */
static bool gives_all(const weir__instance *instance, known names) {
    for (size_t i = 0; i < names.count; i++)
        if (!gives(instance, names.at(names.of, i))) return false;
    return true;
}

void weir__dataflow_check_outputs(weir__compiler *c, const weir__instance *instance) {
    const weir_operation *operation = instance->operation;
    weir_str format = weir_member_text(instance->config, "format");
    bool process = weir_str_is(instance->spec->executor, "process");
    if (process ? format.length && !weir_str_is(format, "text")
                : !operation || !weir_operation_has_code(operation) || !operation->outputs ||
                      (operation->hints & WEIR_ANY_OUTPUTS) || instance->stage == WEIR_STAGE_OUTPUT)
        return;
    known names = known_ports(operation->outputs);
    if (!process && gives_all(instance, names)) return;
    for (size_t o = 0; o < instance->outputs.count; o++) {
        weir_str key = instance->outputs.items[o].key;
        if (weir_port_find(names.of, key)) continue;
        weir__dataflow_problem(c, instance->name, key, "", WEIR_INVALID,
                               "operation `%.*s`: `%s` has no output `%.*s`%s",
                               WEIR_ARG(instance->name), operation->name, WEIR_ARG(key),
                               process ? ", but of what it prints with `format: json`" : "");
        hint_name(c, key, names);
    }
}

/* --- members ---------------------------------------------------------------------------------- */

typedef struct members {
    size_t count;
    const char *names[17]; /* the usual ones first */
} members;

static const members of_flow = {11,
                                {"linked", "definitions", "operations", "seed", "flow", "configs",
                                 "forward", "by_origin", "implementations", "validators",
                                 "metadata"}},
                     of_operation = {17,
                                     {"name", "inputs", "outputs", "stage", "retry", "conditions",
                                      "expand", "instance_name", "validator", "timeout_us", "cache",
                                      "freeze_us", "estimate", "resources", "strict", "interpreter",
                                      "requirements"}},
                     of_definition = {8,
                                      {"name", "primitive", "default", "lock", "spec", "subspec",
                                       "validate", "links"}},
                     of_entry = {2, {"inputs", "conditions"}},
                     of_seed = {8,
                                {"value", "definition", "origin", "parents", "validated", "id",
                                 "same_as", "uid"}};

static weir_str member_at(const void *of, size_t index) {
    return weir_str_from(((const members *)of)->names[index]);
}

static bool is_member(const members *known_ones, weir_str name) {
    for (size_t i = 0; i < known_ones->count; i++)
        if (weir_str_is(name, known_ones->names[i])) return true;
    return false;
}

/* A member that nobody reads is most likely a slip. Not an error: a file may have what another program reads. */
static void check_object(weir__compiler *c, const weir_value *object, weir_str path,
                         const members *known_ones) {
    for (size_t i = 0; weir_is(object, WEIR_OBJECT) && i < weir_value_count(object); i++) {
        weir_str name = weir_object_key(object, i);
        if (is_member(known_ones, name)) continue;
        weir_buffer place = {0};
        weir_buffer_str_append(&place, path);
        weir_path_append(&place, name);
        weir__dataflow_problem(c, WEIR_STR(""), WEIR_STR(""), place.data, WEIR_OK,
                               "nothing reads the member `%.*s`", WEIR_ARG(name));
        hint_name(c, name, (known){member_at, known_ones, known_ones->count});
        weir_buffer_deinit(&place);
    }
}

static void check_objects(weir__compiler *c, const char *group, const members *known_ones) {
    enum {
        CHECKED_MAX = 1000
    }; /* of many the rest are like them: no use in reading a million twice */
    const weir_value *objects = weir_member_named(c->value, group);
    bool named = weir_is(objects, WEIR_OBJECT);
    size_t count = named || weir_is(objects, WEIR_ARRAY) ? weir_value_count(objects) : 0;
    for (size_t i = 0; i < count && i < CHECKED_MAX; i++) {
        weir_buffer path = {0};
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        weir_path_append(&path, weir_str_from(group));
        weir_path_append(&path, named ? weir_object_key(objects, i) : weir_str_from(number));
        check_object(c, named ? weir_object_at(objects, i) : weir_array_at(objects, i),
                     weir_buffer_str(&path), known_ones);
        weir_buffer_deinit(&path);
    }
}

void weir__dataflow_check_members(weir__compiler *c) {
    if (c->plan->pipeline) return; /* made by weir */
    check_object(c, c->value, WEIR_STR(""), &of_flow);
    check_objects(c, "definitions", &of_definition);
    check_objects(c, "operations", &of_operation);
    check_objects(c, "seed", &of_seed);
    check_objects(c, "flow", &of_entry);
}

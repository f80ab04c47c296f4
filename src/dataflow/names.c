/* Names that a dataflow gives to parameters and configurations of operations, and what was meant by one that there is
 * not. */
#include "dataflow/plan_internal.h"

void weir__dataflow_hint(weir__compiler *c, const char *hint) {
    /* The last one may only have been counted. */
    if (c->problems->count && c->problems->count == c->problems->total)
        weir_error_hint(&c->problems->items[c->problems->count - 1], "%s", hint);
}

void weir__dataflow_hint_name(weir__compiler *c, weir_str wrong, const weir_str *names,
                              size_t count) {
    enum { NAMES_MAX = 8 };
    if (!c->problems->count || c->problems->count != c->problems->total)
        return; /* it was one too many */
    weir_error *error = &c->problems->items[c->problems->count - 1];
    weir_nearest nearest = weir_nearest_to(wrong);
    for (size_t i = 0; i < count; i++) weir_nearest_try(&nearest, names[i]);
    if (nearest.best.length) {
        weir_error_hint(error, "did you mean `%.*s`?", WEIR_ARG(nearest.best));
        return;
    }
    weir_buffer list = {0};
    for (size_t i = 0; i < count && i < NAMES_MAX; i++)
        weir_buffer_printf(&list, "%s`%.*s`", i ? ", " : "", WEIR_ARG(names[i]));
    if (count)
        weir_error_hint(error, "there is %s%s", list.data, count > NAMES_MAX ? ", …" : "");
    else
        weir_error_hint(error, "it has none");
    weir_buffer_deinit(&list);
}

typedef struct name_list {
    WEIR_VECTOR(weir_str) names;
} name_list;

void weir__dataflow_hint_instance(weir__compiler *c, weir_str wrong) {
    enum {
        COMPARED_MAX = 10000
    }; /* each of a million wrong names with a million right ones takes for ever */
    name_list list = {0};
    for (size_t i = 0; i < c->flow->instances.count && i < COMPARED_MAX; i++)
        *weir_vector_push(&list.names) = c->flow->instances.items[i].name;
    weir__dataflow_hint_name(c, wrong, list.names.items, list.names.count);
    weir_vector_deinit(&list.names);
}

static bool is_in(const name_list *list, weir_str name) {
    for (size_t i = 0; i < list->names.count; i++)
        if (weir_str_equal(list->names.items[i], name)) return true;
    return false;
}

static name_list names_of(const weir_port *ports) {
    name_list list = {0};
    for (; ports && ports->name; ports++)
        *weir_vector_push(&list.names) = weir_str_from(ports->name);
    return list;
}

void weir__dataflow_check_config(weir__compiler *c, const weir__instance *instance) {
    name_list known = names_of(instance->operation ? instance->operation->config : NULL);
    for (size_t i = 0; known.names.count && i < weir_value_count(instance->config); i++) {
        weir_str key = weir_object_key(instance->config, i);
        if (is_in(&known, key)) continue;
        weir_buffer path = {0};
        weir_path_append(&path, WEIR_STR("configs"));
        weir_path_append(&path, instance->name);
        weir_path_append(&path, key);
        weir__dataflow_problem(c, instance->name, WEIR_STR(""), path.data, WEIR_INVALID,
                               "operation `%.*s`: it has no configuration `%.*s`",
                               WEIR_ARG(instance->name), WEIR_ARG(key));
        weir__dataflow_hint_name(c, key, known.names.items, known.names.count);
        weir_buffer_deinit(&path);
    }
    weir_vector_deinit(&known.names);
}

void weir__dataflow_check_parameters(weir__compiler *c, const weir__instance *instance) {
    const weir_operation *operation = instance->operation;
    if (!operation || !weir_operation_has_code(operation) || (operation->hints & WEIR_ANY_INPUTS))
        return;
    name_list known = names_of(operation->inputs);
    for (size_t p = 0; known.names.count && p < instance->parameters.count; p++) {
        weir_str name = instance->parameters.items[p].name;
        if (is_in(&known, name)) continue;
        weir__dataflow_problem(c, instance->name, name, "", WEIR_INVALID,
                               "operation `%.*s`: `%s` has no parameter `%.*s`",
                               WEIR_ARG(instance->name), operation->name, WEIR_ARG(name));
        weir__dataflow_hint_name(c, name, known.names.items, known.names.count);
    }
    weir_vector_deinit(&known.names);
}

void weir__dataflow_check_outputs(weir__compiler *c, const weir__instance *instance) {
    weir_str format = weir_member_text(instance->config, "format");
    if (!weir_str_is(instance->spec.executor, "process") ||
        (format.length && !weir_str_is(format, "text")))
        return;
    name_list known = names_of(instance->operation->outputs);
    for (size_t o = 0; o < instance->outputs.count; o++) {
        weir_str key = instance->outputs.items[o].key;
        if (is_in(&known, key)) continue;
        weir__dataflow_problem(c, instance->name, key, "", WEIR_INVALID,
                               "operation `%.*s`: `%s` has no output `%.*s`, but of what it prints "
                               "with `format: json`",
                               WEIR_ARG(instance->name), instance->operation->name, WEIR_ARG(key));
        weir__dataflow_hint_name(c, key, known.names.items, known.names.count);
    }
    weir_vector_deinit(&known.names);
}

void weir__dataflow_check_flow_entry(weir__compiler *c, const weir__instance *instance,
                                     const weir_value *inputs) {
    name_list known = {0};
    for (size_t p = 0; p < instance->parameters.count; p++)
        *weir_vector_push(&known.names) = instance->parameters.items[p].name;
    for (size_t i = 0; weir_is(inputs, WEIR_OBJECT) && i < weir_value_count(inputs); i++) {
        weir_str name = weir_object_key(inputs, i);
        if (is_in(&known, name)) continue;
        weir_buffer path = {0};
        weir_path_append(&path, WEIR_STR("flow"));
        weir_path_append(&path, instance->name);
        weir_path_append(&path, WEIR_STR("inputs"));
        weir_path_append(&path, name);
        weir__dataflow_problem(c, instance->name, WEIR_STR(""), path.data, WEIR_INVALID,
                               "flow of `%.*s`: there is no parameter `%.*s`",
                               WEIR_ARG(instance->name), WEIR_ARG(name));
        weir__dataflow_hint_name(c, name, known.names.items, known.names.count);
        weir_buffer_deinit(&path);
    }
    weir_vector_deinit(&known.names);
}

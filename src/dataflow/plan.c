#include <stdio.h>

#include "dataflow/plan_internal.h"
#include "expr/tag.h"

enum { OPERATIONS_MAX = 1000000 };

static void plan_free(weir_plan *base) {
    weir_dataflow_plan *plan = (weir_dataflow_plan *)base;
    for (size_t i = 0; i < plan->definitions.count; i++)
        weir_value_unref(plan->definitions.items[i].default_value);
    for (size_t i = 0; i < plan->origins.count; i++)
        weir_vector_deinit(&plan->origins.items[i].consumers);
    for (size_t i = 0; i < plan->instances.count; i++) {
        weir__instance *instance = &plan->instances.items[i];
        weir_value_unref(instance->config);
        weir_vector_deinit(&instance->parameters);
        weir_vector_deinit(&instance->outputs);
        weir_vector_deinit(&instance->conditions);
    }
    for (size_t i = 0; i < plan->contexts.count; i++) {
        weir__context_plan *context = &plan->contexts.items[i];
        for (size_t j = 0; j < context->inputs.count; j++)
            weir_value_unref(context->inputs.items[j].value);
        weir_vector_deinit(&context->inputs);
    }
    weir_vector_deinit(&plan->definitions);
    weir_vector_deinit(&plan->origins);
    weir_vector_deinit(&plan->instances);
    weir_vector_deinit(&plan->contexts);
    weir_map_deinit(&plan->definition_names);
    weir_map_deinit(&plan->origin_names);
    weir_map_deinit(&plan->instance_names);
    weir_arena_deinit(&plan->arena);
    weir_free(plan);
}

void weir__dataflow_problem(weir__compiler *c, weir_str instance, weir_str parameter,
                            const char *path, weir_code code, const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    weir_buffer place = {0};
    if (!instance.length && !path) {
        weir_error error;
        weir_fail(&error, code, "%s", message);
        weir_error_place(&error, weir_str_from(c->source->document->file), 0, 0);
        weir_problems_add(c->problems, &error);
        return;
    }
    if (instance.length)
        c->source->place(c->source->arg, instance, parameter, &place);
    else
        weir_buffer_text(&place, path);
    weir_document_problem(c->source->document, c->source->root, place.data, code, c->problems, "%s",
                          message);
    weir_buffer_deinit(&place);
}

weir_str weir__dataflow_keep(weir_dataflow_plan *plan, weir_str text) {
    return (weir_str){weir_str_copy(&plan->arena, text), text.length};
}

void weir__dataflow_output_origin(weir_str instance, weir_str output, weir_buffer *out) {
    weir_buffer_str_append(out, instance);
    weir_buffer_byte(out, '\0'); /* in no name: no file may have it */
    weir_buffer_str_append(out, output);
}

uint32_t weir__dataflow_origin(weir_dataflow_plan *plan, weir_str text) {
    uint64_t at;
    if (weir_map_get(&plan->origin_names, text, &at)) return (uint32_t)at;
    weir__origin origin = {.text = weir__dataflow_keep(plan, text)};
    weir_map_set(&plan->origin_names, origin.text, plan->origins.count);
    *weir_vector_push(&plan->origins) = origin;
    return (uint32_t)plan->origins.count - 1;
}

/* --- definitions ---------------------------------------------------------------------------- */

static const char *unsupported_member(const weir_value *definition) {
    static const char *const members[] = {"spec", "subspec", "validate"};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const weir_value *member = weir_member_named(definition, members[i]);
        if (member && weir_value_truth(member)) return members[i];
    }
    const weir_value *lock = weir_member_named(definition, "lock");
    return lock && weir_value_truth(lock) ? "lock" : NULL;
}

/* Its place is that of the instance's port, or `path`. */
static uint32_t add_definition(weir__compiler *c, weir_str name, const weir_value *value,
                               weir_str instance, weir_str port, const char *path) {
    weir_dataflow_plan *plan = c->plan;
    uint64_t at;
    if (weir_map_get(&plan->definition_names, name, &at)) return (uint32_t)at;
    const char *unsupported = unsupported_member(value);
    if (unsupported)
        weir__dataflow_problem(c, instance, port, path, WEIR_UNSUPPORTED,
                               "definition `%.*s`: `%s` is not supported yet", WEIR_ARG(name),
                               unsupported);
    weir__definition definition = {
        .name = weir__dataflow_keep(plan, name),
        .primitive = weir__dataflow_keep(plan, weir_member_text(value, "primitive")),
        .default_value = weir_value_ref(weir_member_named(value, "default"))};
    weir_map_set(&plan->definition_names, definition.name, plan->definitions.count);
    *weir_vector_push(&plan->definitions) = definition;
    return (uint32_t)plan->definitions.count - 1;
}

/* A definition as it stands in an operation: its name (linked) or the whole definition. */
static bool use_definition(weir__compiler *c, weir_str instance, weir_str port,
                           const weir_value *value, uint32_t *out) {
    uint64_t at;
    if (weir_is(value, WEIR_OBJECT) && weir_member_text(value, "name").length) {
        *out = add_definition(c, weir_member_text(value, "name"), value, instance, port, "");
        return true;
    }
    if (!weir_is(value, WEIR_STRING)) {
        weir__dataflow_problem(c, instance, port, "", WEIR_INVALID,
                               "operation `%.*s`: `%.*s` names no definition", WEIR_ARG(instance),
                               WEIR_ARG(port));
        return false;
    }
    if (!weir_map_get(&c->plan->definition_names, weir_string_get(value), &at)) {
        weir__dataflow_problem(
            c, instance, port, "", WEIR_UNKNOWN_DEFINITION,
            "operation `%.*s`: `%.*s` is of definition `%.*s`, which there is not",
            WEIR_ARG(instance), WEIR_ARG(port), WEIR_ARG(weir_string_get(value)));
        return false;
    }
    *out = (uint32_t)at;
    return true;
}

static void compile_definitions(weir__compiler *c) {
    const weir_value *definitions = weir_member_named(c->source->flow, "definitions");
    if (!definitions) return;
    if (!weir_is(definitions, WEIR_OBJECT)) {
        weir__dataflow_problem(c, WEIR_STR(""), WEIR_STR(""), "definitions", WEIR_INVALID,
                               "`definitions` is no object");
        return;
    }
    for (size_t i = 0; i < weir_value_count(definitions); i++) {
        weir_str name = weir_object_key(definitions, i);
        weir_buffer path = {0};
        weir_path_append(&path, WEIR_STR("definitions"));
        weir_path_append(&path, name);
        add_definition(c, name, weir_object_at(definitions, i), WEIR_STR(""), WEIR_STR(""),
                       path.data);
        weir_buffer_deinit(&path);
    }
}

/* --- operations ----------------------------------------------------------------------------- */

static const weir_value *object_or_problem(weir__compiler *c, weir_str instance,
                                           const weir_value *operation, const char *key) {
    const weir_value *value = weir_member_named(operation, key);
    if (!value || weir_is(value, WEIR_OBJECT)) return value;
    weir__dataflow_problem(c, instance, WEIR_STR(""), "", WEIR_INVALID,
                           "operation `%.*s`: `%s` is no object", WEIR_ARG(instance), key);
    return NULL;
}

/* The member when it is a list; NULL when absent, or no list and a problem. */
static const weir_value *list_or_problem(weir__compiler *c, weir_str instance,
                                         const weir_value *operation, const char *key) {
    const weir_value *value = weir_member_named(operation, key);
    if (!value || weir_is(value, WEIR_ARRAY)) return value;
    weir__dataflow_problem(c, instance, weir_str_from(key), "", WEIR_INVALID,
                           "operation `%.*s`: `%s` is no list", WEIR_ARG(instance), key);
    return NULL;
}

static bool is_expanded(const weir_value *expand, weir_str key) {
    for (size_t i = 0; expand && i < weir_value_count(expand); i++) {
        const weir_value *item = weir_array_at(expand, i);
        if (weir_is(item, WEIR_STRING) && weir_str_equal(weir_string_get(item), key)) return true;
    }
    return false;
}

static void compile_ports(weir__compiler *c, weir__instance *instance, const weir_value *value) {
    const weir_value *inputs = object_or_problem(c, instance->name, value, "inputs");
    for (size_t i = 0; inputs && i < weir_value_count(inputs); i++) {
        weir_str name = weir_object_key(inputs, i);
        weir__parameter parameter = {.name = weir__dataflow_keep(c->plan, name)};
        if (use_definition(c, instance->name, name, weir_object_at(inputs, i),
                           &parameter.definition))
            *weir_vector_push(&instance->parameters) = parameter;
    }
    const weir_value *expand = list_or_problem(c, instance->name, value, "expand");
    const weir_value *outputs = object_or_problem(c, instance->name, value, "outputs");
    for (size_t i = 0; outputs && i < weir_value_count(outputs); i++) {
        weir_str key = weir_object_key(outputs, i);
        weir_buffer origin = {0};
        weir__dataflow_output_origin(instance->name, key, &origin);
        weir__output output = {.key = weir__dataflow_keep(c->plan, key),
                               .origin = weir__dataflow_origin(c->plan, weir_buffer_str(&origin)),
                               .expand = is_expanded(expand, key)};
        weir_buffer_deinit(&origin);
        if (use_definition(c, instance->name, key, weir_object_at(outputs, i), &output.definition))
            *weir_vector_push(&instance->outputs) = output;
    }
    for (size_t i = 0; expand && i < weir_value_count(expand); i++) {
        const weir_value *key = weir_array_at(expand, i);
        if (!weir_is(key, WEIR_STRING) || !weir_is(outputs, WEIR_OBJECT) ||
            !weir_member(outputs, weir_string_get(key)))
            weir__dataflow_problem(c, instance->name, WEIR_STR("expand"), "", WEIR_INVALID,
                                   "operation `%.*s`: `expand` names what is no output of it",
                                   WEIR_ARG(instance->name));
    }
    const weir_value *conditions = list_or_problem(c, instance->name, value, "conditions");
    for (size_t i = 0; conditions && i < weir_value_count(conditions); i++) {
        uint32_t definition;
        if (use_definition(c, instance->name, WEIR_STR("conditions"), weir_array_at(conditions, i),
                           &definition))
            *weir_vector_push(&instance->conditions) = definition;
    }
}

static void compile_stage(weir__compiler *c, weir__instance *instance, const weir_value *value) {
    weir_str stage = weir_member_text(value, "stage");
    if (weir_str_is(stage, "cleanup"))
        instance->stage = WEIR_STAGE_CLEANUP;
    else if (weir_str_is(stage, "output"))
        instance->stage = WEIR_STAGE_OUTPUT;
    else if (stage.length && !weir_str_is(stage, "processing"))
        weir__dataflow_problem(c, instance->name, WEIR_STR("stage"), "", WEIR_INVALID,
                               "operation `%.*s`: there is no stage `%.*s`; there are processing, "
                               "cleanup and output",
                               WEIR_ARG(instance->name), WEIR_ARG(stage));
    if (instance->stage == WEIR_STAGE_OUTPUT) c->plan->output_instances++;
    const weir_value *validator = weir_member_named(value, "validator");
    if (validator && weir_value_truth(validator))
        weir__dataflow_problem(c, instance->name, WEIR_STR("validator"), "", WEIR_UNSUPPORTED,
                               "operation `%.*s`: validators are not supported yet",
                               WEIR_ARG(instance->name));
}

static uint64_t positive_member(weir__compiler *c, const weir__instance *instance,
                                const weir_value *value, const char *key, uint64_t max) {
    const weir_value *member = weir_member_named(value, key);
    if (!member) return 0;
    if (weir_is(member, WEIR_INT) && weir_int_get(member) >= 0 &&
        (uint64_t)weir_int_get(member) <= max)
        return (uint64_t)weir_int_get(member);
    weir__dataflow_problem(c, instance->name, weir_str_from(key), "", WEIR_INVALID,
                           "operation `%.*s`: `%s` is no number from 0 to %llu",
                           WEIR_ARG(instance->name), key, (unsigned long long)max);
    return 0;
}

static void compile_spec(weir__compiler *c, weir__instance *instance, const weir_value *value) {
    weir_str name = weir_member_text(value, "name");
    if (!name.length) name = instance->name;
    instance->operation = weir_registry_find(c->registry, name);
    if (!instance->operation) {
        weir__dataflow_problem(c, instance->name, WEIR_STR("name"), "", WEIR_UNKNOWN_OPERATION,
                               "operation `%.*s`: there is no operation `%.*s`",
                               WEIR_ARG(instance->name), WEIR_ARG(name));
        weir_str near = weir_registry_nearest(c->registry, name);
        if (near.length && c->problems->count)
            weir_error_hint(&c->problems->items[c->problems->count - 1],
                            "did you mean `%.*s`? `weir operation list` shows all", WEIR_ARG(near));
        return;
    }
    weir_task_spec *spec = &instance->spec;
    uint32_t hints = instance->operation->hints;
    spec->name = instance->name;
    spec->operation = weir_str_from(instance->operation->name);
    spec->code = instance->operation;
    spec->executor = weir_str_from(weir_operation_executor(spec->operation));
    spec->slot = !weir_str_is(spec->executor, "inline");
    spec->attempts_max = (uint32_t)positive_member(c, instance, value, "retry", WEIR_ATTEMPTS_MAX);
    spec->timeout_us = positive_member(c, instance, value, "timeout_us", INT64_MAX);
    bool call = weir_operation_has_code(instance->operation) && (hints & WEIR_PURE) &&
                (hints & WEIR_CHEAP) && spec->attempts_max <= 1 && !spec->timeout_us;
    spec->kind = call ? WEIR_TASK_CALL : WEIR_TASK_WORK;
}

/* --- configurations ------------------------------------------------------------------------- */

typedef struct tag_check {
    weir__compiler *c;
    const weir__instance *instance;
} tag_check;

static bool check_tag(void *arg, weir_str name) {
    tag_check *check = arg;
    weir_str prefix = WEIR_STR("inputs.");
    if (weir_str_starts(name, prefix)) {
        weir_str input = weir_str_slice(name, prefix.length, name.length);
        for (size_t i = 0; i < check->instance->parameters.count; i++)
            if (weir_str_equal(check->instance->parameters.items[i].name, input)) return true;
    }
    weir__dataflow_problem(check->c, check->instance->name, WEIR_STR("config"), "", WEIR_INVALID,
                           "operation `%.*s`: `{{%.*s}}` is no input of it",
                           WEIR_ARG(check->instance->name), WEIR_ARG(name));
    return true;
}

static void check_tags(tag_check *check, const weir_value *value) {
    if (weir_is(value, WEIR_STRING)) weir_tag_each(weir_string_get(value), check_tag, check);
    bool array = weir_is(value, WEIR_ARRAY), object = weir_is(value, WEIR_OBJECT);
    for (size_t i = 0; (array || object) && i < weir_value_count(value); i++)
        check_tags(check, array ? weir_array_at(value, i) : weir_object_at(value, i));
}

static bool declares_port(const weir_port *port, weir_str name) {
    while (port->name && !weir_str_is(name, port->name)) port++;
    return port->name != NULL;
}

/* An operation that says nothing of its configuration takes any. */
static void check_config_keys(weir__compiler *c, const weir__instance *instance) {
    const weir_port *ports = instance->operation ? instance->operation->config : NULL;
    for (size_t i = 0; ports && ports->name && i < weir_value_count(instance->config); i++) {
        weir_str key = weir_object_key(instance->config, i);
        if (!declares_port(ports, key))
            weir__dataflow_problem(c, instance->name, WEIR_STR("config"), "", WEIR_INVALID,
                                   "operation `%.*s`: it has no configuration `%.*s`",
                                   WEIR_ARG(instance->name), WEIR_ARG(key));
    }
}

static void compile_config(weir__compiler *c, weir__instance *instance) {
    const weir_value *configs = weir_member_named(c->source->flow, "configs");
    weir_value *config =
        weir_is(configs, WEIR_OBJECT) ? weir_member(configs, instance->name) : NULL;
    if (config && !weir_is(config, WEIR_OBJECT)) {
        weir__dataflow_problem(c, instance->name, WEIR_STR("config"), "", WEIR_INVALID,
                               "operation `%.*s`: its configuration is no object",
                               WEIR_ARG(instance->name));
        config = NULL;
    }
    instance->config = config ? weir_value_ref(config) : weir_object_new();
    check_config_keys(c, instance);
    instance->renders = instance->operation && !weir_operation_has_code(instance->operation);
    if (instance->renders) check_tags(&(tag_check){c, instance}, instance->config);
}

static void compile_operations(weir__compiler *c) {
    const weir_value *operations = weir_member_named(c->source->flow, "operations");
    if (!weir_is(operations, WEIR_OBJECT) || weir_value_count(operations) > OPERATIONS_MAX) {
        weir__dataflow_problem(c, WEIR_STR(""), WEIR_STR(""), "operations", WEIR_INVALID,
                               "a dataflow needs `operations`, an object of at most %d",
                               OPERATIONS_MAX);
        return;
    }
    for (size_t i = 0; i < weir_value_count(operations); i++) {
        const weir_value *value = weir_object_at(operations, i);
        weir__instance instance = {
            .name = weir__dataflow_keep(c->plan, weir_object_key(operations, i))};
        if (!weir_is(value, WEIR_OBJECT))
            weir__dataflow_problem(c, instance.name, WEIR_STR(""), "", WEIR_INVALID,
                                   "operation `%.*s` is no object", WEIR_ARG(instance.name));
        compile_ports(c, &instance, value);
        compile_stage(c, &instance, value);
        compile_spec(c, &instance, value);
        compile_config(c, &instance);
        weir_map_set(&c->plan->instance_names, instance.name, c->plan->instances.count);
        *weir_vector_push(&c->plan->instances) = instance;
    }
}

static void check_top(weir__compiler *c) {
    const weir_value *flow = c->source->flow;
    const weir_value *forward = weir_member_named(flow, "forward");
    const weir_value *book = weir_member_named(forward, "book");
    if (weir_is(book ? book : forward, WEIR_OBJECT) && weir_value_count(book ? book : forward))
        weir__dataflow_problem(c, WEIR_STR(""), WEIR_STR(""), "forward", WEIR_UNSUPPORTED,
                               "`forward` is not supported yet");
    const weir_value *seed = weir_member_named(flow, "seed");
    if (seed && !weir_is(seed, WEIR_ARRAY))
        weir__dataflow_problem(c, WEIR_STR(""), WEIR_STR(""), "seed", WEIR_INVALID,
                               "`seed` is no list");
    const weir_value *configs = weir_member_named(flow, "configs");
    if (configs && !weir_is(configs, WEIR_OBJECT))
        weir__dataflow_problem(c, WEIR_STR(""), WEIR_STR(""), "configs", WEIR_INVALID,
                               "`configs` is no object");
    const weir_value *strict = weir_member_named(c->request, "strict");
    c->plan->strict = !(weir_is(strict, WEIR_BOOL) && !weir_bool_get(strict));
    c->plan->pipeline = strcmp(c->source->kind, "pipeline") == 0;
}

weir_plan *weir_dataflow_compile_source(const weir_dataflow_source *source,
                                        const weir_value *request, const weir_registry *registry,
                                        weir_problems *problems) {
    size_t before = problems->total;
    weir_dataflow_plan *plan = weir_alloc(sizeof *plan);
    plan->plan = (weir_plan){source->kind, weir__dataflow_coordinator_new, plan_free, 1};
    weir__compiler c = {plan, source, request, registry, problems};
    check_top(&c);
    compile_definitions(&c);
    compile_operations(&c);
    weir__dataflow_compile_flow(&c);
    weir__dataflow_compile_inputs(&c);
    if (problems->total == before) return &plan->plan;
    plan_free(&plan->plan);
    return NULL;
}

static void place_in_dataflow(void *arg, weir_str instance, weir_str parameter, weir_buffer *out) {
    const weir_value *operation = weir_member(weir_member_named(arg, "operations"), instance);
    bool config = weir_str_is(parameter, "config");
    weir_path_append(out, config ? WEIR_STR("configs") : WEIR_STR("operations"));
    weir_path_append(out, instance);
    if (config || !parameter.length) return;
    static const char *const groups[] = {"inputs", "outputs"};
    for (size_t i = 0; i < 2; i++) {
        const weir_value *group = weir_member_named(operation, groups[i]);
        if (!weir_is(group, WEIR_OBJECT) || !weir_member(group, parameter)) continue;
        weir_path_append(out, weir_str_from(groups[i]));
        break;
    }
    weir_path_append(out, parameter);
}

weir_plan *weir_dataflow_compile(const weir_document *document, const weir_value *request,
                                 const weir_registry *registry, weir_problems *problems) {
    weir_value *flow = document->roots.items[0];
    weir_dataflow_source source = {.document = document,
                                   .flow = flow,
                                   .kind = "dataflow",
                                   .place = place_in_dataflow,
                                   .arg = flow};
    return weir_dataflow_compile_source(&source, request, registry, problems);
}

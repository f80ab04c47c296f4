#include <stdio.h>

#include "dataflow/goal.h"
#include "dataflow/plan_internal.h"
#include "expr/tag.h"
#include "task/resources.h"

enum { OPERATIONS_MAX = 1 << 20 };

static void instance_deinit(weir__instance *instance) {
    weir_value_unref(instance->config);
    if (instance->spec->memo) weir_value_unref(instance->spec->memo->said);
    weir_vector_deinit(&instance->parameters);
    weir_vector_deinit(&instance->outputs);
    weir_vector_deinit(&instance->conditions);
}

static void definition_deinit(weir__definition *definition) {
    weir_value_unref(definition->default_value);
    for (size_t i = 0; i < definition->fields.count; i++)
        weir_value_unref(definition->fields.items[i].otherwise);
    weir_vector_deinit(&definition->fields);
}

static void flow_free(weir__flow *flow) {
    for (size_t i = 0; i < flow->definitions.count; i++)
        definition_deinit(&flow->definitions.items[i]);
    for (size_t i = 0; i < flow->origins.count; i++)
        weir_vector_deinit(&flow->origins.items[i].consumers);
    for (size_t i = 0; i < flow->instances.count; i++) instance_deinit(&flow->instances.items[i]);
    for (size_t i = 0; i < WEIR_STAGE_DONE; i++) weir_vector_deinit(&flow->in_stage[i]);
    weir_vector_deinit(&flow->definitions);
    weir_vector_deinit(&flow->origins);
    weir_vector_deinit(&flow->instances);
    weir_vector_deinit(&flow->ancestors);
    weir_vector_deinit(&flow->forwards);
    weir_vector_deinit(&flow->starters);
    weir_vector_deinit(&flow->lean);
    weir_vector_deinit(&flow->lean_outputs);
    weir_vector_deinit(&flow->lean_places);
    weir_vector_deinit(&flow->lean_consumers);
    weir_vector_deinit(&flow->consumer_ancestors);
    weir_vector_deinit(&flow->readers);
    weir_vector_deinit(&flow->parameter_definitions);
    weir__givens_deinit(&flow->seeds);
    weir__names_deinit(&flow->definition_names);
    weir__names_deinit(&flow->instance_names);
    weir_map_deinit(&flow->origin_names);
    weir_value_unref(flow->path);
    weir_free(flow);
}

static void plan_free(weir_plan *base) {
    weir_dataflow_plan *plan = (weir_dataflow_plan *)base;
    for (size_t i = 0; i < plan->flows.count; i++) flow_free(plan->flows.items[i]);
    for (size_t i = 0; i < plan->contexts.count; i++)
        weir__givens_deinit(&plan->contexts.items[i].inputs);
    weir_vector_deinit(&plan->flows);
    weir_vector_deinit(&plan->contexts);
    weir_map_deinit(&plan->shapes);
    weir_arena_deinit(&plan->arena);
    weir_free(plan);
}

static void place_in_dataflow(void *arg, weir_str instance, weir_str parameter, weir_buffer *out) {
    const weir_value *operation = weir_member(weir_member_named(arg, "operations"), instance);
    const weir_value *configs = weir_member_named(arg, "configs");
    bool config = weir_str_is(parameter, "config") && weir_is(configs, WEIR_OBJECT) &&
                  weir_member(configs, instance);
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

void weir__dataflow_problem(weir__compiler *c, weir_str instance, weir_str parameter,
                            const char *path, weir_code code, const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    weir_buffer place = {0};
    bool by_path = !instance.length || (*path && (c->prefix.length || !c->plan->pipeline));
    if (by_path)
        weir_buffer_text(&place, path);
    else if (c->prefix.length)
        place_in_dataflow((void *)c->value, instance, parameter, &place);
    else
        c->source->place(c->source->arg, instance, parameter, &place);
    weir_buffer whole = {0};
    weir_buffer_printf(&whole, "%.*s%s", WEIR_ARG(c->prefix), place.data ? place.data : "");
    weir_problems *all = c->problems;
    size_t problems = all->count, warnings = all->warnings.count;
    weir_document_problem(c->source->document, c->source->root, whole.data, code, all, "%s",
                          message);
    c->told = all->count > problems            ? &all->items[problems]
              : all->warnings.count > warnings ? &all->warnings.items[warnings]
                                               : NULL;
    weir_buffer_deinit(&whole);
    weir_buffer_deinit(&place);
}

weir_str weir__dataflow_keep(weir_dataflow_plan *plan, weir_str text) {
    return (weir_str){weir_str_copy(&plan->arena, text), text.length};
}

uint32_t weir__dataflow_origin(weir__compiler *c, weir_str text) {
    weir__flow *flow = c->flow;
    uint64_t at;
    if (weir_map_get(&flow->origin_names, text, &at)) return (uint32_t)at;
    weir__origin origin = {.text = weir__dataflow_keep(c->plan, text),
                           .definition = WEIR__NONE,
                           .instance = WEIR__NONE};
    weir_map_set(&flow->origin_names, origin.text, flow->origins.count);
    *weir_vector_push(&flow->origins) = origin;
    return (uint32_t)flow->origins.count - 1;
}

/* That of an output of the instance that is being compiled; the key is kept. */
static uint32_t new_output_origin(weir__compiler *c, weir_str key) {
    weir__flow *flow = c->flow;
    *weir_vector_push(&flow->origins) = (weir__origin){
        .text = key, .definition = WEIR__NONE, .instance = (uint32_t)flow->instances.count};
    return (uint32_t)flow->origins.count - 1;
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

/* The member when it is a list; NULL when absent or null, or no list and a problem. */
static const weir_value *list_or_problem(weir__compiler *c, weir_str instance,
                                         const weir_value *operation, const char *key) {
    const weir_value *value = weir_member_named(operation, key);
    if (weir_is(value, WEIR_NULL)) return NULL;
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

/* Of a million instances most have ports of the same names, which are kept once. */
static weir_str keep_like(weir__compiler *c, const weir_str *before, weir_str name) {
    return before && weir_str_equal(*before, name) ? *before : weir__dataflow_keep(c->plan, name);
}

static const weir__instance *instance_before(const weir__compiler *c) {
    size_t count = c->flow->instances.count;
    return count ? &c->flow->instances.items[count - 1] : NULL;
}

static void compile_inputs(weir__compiler *c, weir__instance *instance, const weir_value *value) {
    const weir__instance *before = instance_before(c);
    const weir_value *inputs = object_or_problem(c, instance->name, value, "inputs");
    if (inputs) weir_vector_reserve_exact(&instance->parameters, weir_value_count(inputs));
    for (size_t i = 0; inputs && i < weir_value_count(inputs); i++) {
        weir_str name = weir_object_key(inputs, i);
        bool like = before && i < before->parameters.count;
        weir__parameter parameter = {
            .name = keep_like(c, like ? &before->parameters.items[i].name : NULL, name)};
        if (weir__dataflow_use_definition(c, instance->name, name, weir_object_at(inputs, i),
                                          &parameter.definition))
            *weir_vector_push(&instance->parameters) = parameter;
    }
}

static void compile_ports(weir__compiler *c, weir__instance *instance, const weir_value *value) {
    compile_inputs(c, instance, value);
    const weir__instance *before = instance_before(c);
    const weir_value *expand = list_or_problem(c, instance->name, value, "expand");
    const weir_value *outputs = object_or_problem(c, instance->name, value, "outputs");
    if (outputs) weir_vector_reserve_exact(&instance->outputs, weir_value_count(outputs));
    for (size_t i = 0; outputs && i < weir_value_count(outputs); i++) {
        weir_str key = weir_object_key(outputs, i);
        bool like = before && i < before->outputs.count;
        weir__output output = {.key =
                                   keep_like(c, like ? &before->outputs.items[i].key : NULL, key),
                               .expand = is_expanded(expand, key)};
        output.origin = new_output_origin(c, output.key);
        if (!weir__dataflow_use_definition(c, instance->name, key, weir_object_at(outputs, i),
                                           &output.definition))
            continue;
        c->flow->origins.items[output.origin].definition = output.definition;
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
        if (weir__dataflow_use_definition(c, instance->name, WEIR_STR("conditions"),
                                          weir_array_at(conditions, i), &definition))
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
    const weir_value *validator = weir_member_named(value, "validator");
    instance->validator = validator && weir_value_truth(validator);
    const weir_value *strict = weir_member_named(value, "strict");
    if (strict && !weir_is(strict, WEIR_BOOL))
        weir__dataflow_problem(c, instance->name, WEIR_STR("strict"), "", WEIR_INVALID,
                               "operation `%.*s`: `strict` is neither true nor false",
                               WEIR_ARG(instance->name));
    instance->lenient = weir_is(strict, WEIR_BOOL) && !weir_bool_get(strict);
}

/* As in DFFML an operation that waits for nothing begins with its context, one of the output stage too: what it gives is
 * there for others, and no result. What collects has to come last all the same. */
static void start_at_once(weir__instance *instance) {
    bool collects = instance->operation && (instance->operation->hints & WEIR_COLLECTS);
    if (instance->stage == WEIR_STAGE_OUTPUT && !instance->parameters.count &&
        !instance->conditions.count && !collects)
        instance->stage = WEIR_STAGE_PROCESSING;
}

static void compile_estimate(weir__compiler *c, weir__instance *instance, const weir_value *value) {
    const weir_value *estimate = weir_member_named(value, "estimate");
    const char *member;
    weir_error error;
    if (!estimate || weir_estimate_read(estimate, &instance->spec->estimate, &member, &error))
        return;
    weir__dataflow_problem(c, instance->name, WEIR_STR("estimate"), "", error.code,
                           "operation `%.*s`: `estimate`%s%s: %s", WEIR_ARG(instance->name),
                           *member ? ": " : "", member, error.message);
    if (error.hint[0]) weir__dataflow_hint(c, error.hint);
}

static void compile_resources(weir__compiler *c, weir__instance *instance,
                              const weir_value *value) {
    const weir_value *resources = weir_member_named(value, "resources");
    weir_str member;
    weir_error error;
    if (!resources || weir_resources_read(resources, &instance->spec->resources, &member, &error))
        return;
    weir__dataflow_problem(c, instance->name, WEIR_STR("resources"), "", error.code,
                           "operation `%.*s`: `resources`%s%.*s: %s", WEIR_ARG(instance->name),
                           member.length ? ": " : "", WEIR_ARG(member), error.message);
    if (error.hint[0]) weir__dataflow_hint(c, error.hint);
}

static void find_operation(weir__compiler *c, weir__instance *instance, const weir_value *value) {
    weir_str name = weir_member_text(value, "name");
    if (!name.length) name = instance->name;
    weir_error error;
    weir_value *where = weir_operation_where(value);
    instance->operation = weir_registry_resolve_in(c->registry, name, where, &error);
    weir_value_unref(where);
    if (instance->operation) return;
    weir__dataflow_problem(c, instance->name, WEIR_STR("name"), "", error.code,
                           "operation `%.*s`: %s", WEIR_ARG(instance->name), error.message);
    if (error.hint[0]) weir__dataflow_hint(c, error.hint);
}

static void compile_spec(weir__compiler *c, weir__instance *instance, const weir_value *value) {
    if (!instance->operation) return;
    weir_task_spec *spec = instance->spec;
    uint32_t hints = instance->operation->hints;
    spec->name = instance->name;
    spec->operation = weir_str_from(instance->operation->name);
    spec->code = instance->operation;
    spec->executor = weir_str_from(weir_operation_executor(instance->operation));
    /* What runs a dataflow only waits for what that does, which may want all slots. */
    spec->slot = spec->executor.length && !weir_str_is(spec->executor, "inline") &&
                 !weir_str_is(spec->executor, "python"); /* which has its own order */
    weir__dataflow_compile_attempts(c, instance, value);
    spec->rank = (uint32_t)c->flow->instances.count;
    enum { NEVER_CALL = WEIR_ASYNC | WEIR_GENERATOR };
    instance->call = weir_operation_has_code(instance->operation) && (hints & WEIR_PURE) &&
                     (hints & WEIR_CHEAP) && !(hints & NEVER_CALL) && spec->attempts_max <= 1 &&
                     !spec->timeout_us && !spec->freeze_us &&
                     (!c->plan->tasks_only || (hints & WEIR_COLLECTS));
    spec->kind = WEIR_TASK_WORK;
    compile_estimate(c, instance, value);
    compile_resources(c, instance, value);
    /* What is to wait until there is room for it is a task. */
    instance->call &= !spec->resources.memory_bytes && !spec->resources.cpu_milli;
}

static uint32_t place_of(const char *const *names, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return i;
    return WEIR_NO_PLACE;
}

static const uint32_t *declared_places(weir__compiler *c, const weir_port *ports,
                                       const char *const *names, uint32_t count) {
    size_t declared = 0;
    while (ports && ports[declared].name) declared++;
    uint32_t *places = weir_arena_alloc(&c->plan->arena, (declared + 1) * sizeof *places);
    for (size_t i = 0; i < declared; i++) places[i] = place_of(names, count, ports[i].name);
    return places;
}

static const char **port_names(weir__compiler *c, size_t count) {
    return weir_arena_alloc(&c->plan->arena, (count + 1) * sizeof(const char *));
}

static const weir_shape *make_shape(weir__compiler *c, const weir__instance *instance) {
    weir_shape *shape = weir_arena_alloc(&c->plan->arena, sizeof *shape);
    shape->input_count = (uint32_t)instance->parameters.count;
    shape->output_count = (uint32_t)instance->outputs.count;
    const char **inputs = port_names(c, shape->input_count);
    const char **outputs = port_names(c, shape->output_count);
    for (size_t i = 0; i < shape->input_count; i++)
        inputs[i] = instance->parameters.items[i].name.data;
    for (size_t i = 0; i < shape->output_count; i++)
        outputs[i] = instance->outputs.items[i].key.data;
    shape->inputs = inputs;
    shape->outputs = outputs;
    const weir_operation *operation = instance->operation;
    shape->declared_inputs =
        declared_places(c, operation ? operation->inputs : NULL, inputs, shape->input_count);
    shape->declared_outputs =
        declared_places(c, operation ? operation->outputs : NULL, outputs, shape->output_count);
    return shape;
}

static bool is_alike(const weir__instance *a, const weir__instance *b) {
    bool alike = a->operation == b->operation && a->parameters.count == b->parameters.count &&
                 a->outputs.count == b->outputs.count;
    for (size_t i = 0; alike && i < a->parameters.count; i++)
        alike = weir_str_equal(a->parameters.items[i].name, b->parameters.items[i].name);
    for (size_t i = 0; alike && i < a->outputs.count; i++)
        alike = weir_str_equal(a->outputs.items[i].key, b->outputs.items[i].key);
    return alike;
}

/* Instances of one operation with the same names of ports share a shape: a flow may have a million of them. */
static void compile_shape(weir__compiler *c, weir__instance *instance) {
    const weir__instance *before = instance_before(c);
    if (before && is_alike(before, instance)) {
        instance->shape = before->shape;
        return;
    }
    weir_buffer key = {0};
    uint64_t known;
    size_t counts[] = {instance->parameters.count, instance->outputs.count};
    weir_buffer_append(&key, &instance->operation, sizeof instance->operation);
    weir_buffer_append(&key, counts, sizeof counts);
    for (size_t i = 0; i < instance->parameters.count; i++) {
        weir_buffer_str_append(&key, instance->parameters.items[i].name);
        weir_buffer_byte(&key, '\0');
    }
    for (size_t i = 0; i < instance->outputs.count; i++) {
        weir_buffer_str_append(&key, instance->outputs.items[i].key);
        weir_buffer_byte(&key, '\0');
    }
    if (weir_map_get(&c->plan->shapes, weir_buffer_str(&key), &known)) {
        instance->shape = (const weir_shape *)(uintptr_t)known;
    } else {
        instance->shape = make_shape(c, instance);
        weir_map_set(&c->plan->shapes, weir__dataflow_keep(c->plan, weir_buffer_str(&key)),
                     (uint64_t)(uintptr_t)instance->shape);
    }
    weir_buffer_deinit(&key);
}

static void own_spec(weir_dataflow_plan *plan, weir__instance *instance) {
    weir__kept_spec *own = weir_arena_alloc(&plan->arena, sizeof *own);
    *own = (weir__kept_spec){*instance->spec, instance->config};
    own->spec.name = instance->name;
    instance->spec = &own->spec;
}

/* Nobody looks at the spec of a call, unless its inputs have locks: then it is a task. */
static void keep_spec(weir__compiler *c, weir__instance *instance) {
    const weir__instance *before = instance_before(c);
    bool shared = before && before->call && instance->call &&
                  before->operation == instance->operation && before->shape == instance->shape &&
                  before->spec->attempts_max == instance->spec->attempts_max &&
                  !weir_estimate_any(&before->spec->estimate) &&
                  !weir_estimate_any(&instance->spec->estimate);
    if (shared)
        instance->spec = before->spec;
    else
        own_spec(c->plan, instance);
}

static void unshare_specs(weir_dataflow_plan *plan, weir__flow *flow) {
    for (size_t i = 0; i < flow->instances.count; i++) {
        weir__instance *instance = &flow->instances.items[i];
        if (instance->spec->name.data == instance->name.data) continue;
        own_spec(plan, instance);
        instance->spec->rank = (uint32_t)i;
    }
}

/* --- configurations ------------------------------------------------------------------------- */

typedef struct tag_check {
    weir__compiler *c;
    const weir__instance *instance;
    weir_str where;
} tag_check;

static bool check_tag(void *arg, weir_str name) {
    tag_check *check = arg;
    weir_str prefix = WEIR_STR("inputs.");
    if (weir_str_starts(name, prefix)) {
        weir_str input = weir_str_slice(name, prefix.length, name.length);
        for (size_t i = 0; i < check->instance->parameters.count; i++)
            if (weir_str_equal(check->instance->parameters.items[i].name, input)) return true;
    }
    weir__dataflow_problem(check->c, check->instance->name, check->where, "", WEIR_INVALID,
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

void weir__dataflow_check_tags(weir__compiler *c, const weir__instance *instance,
                               const weir_value *value, weir_str where) {
    check_tags(&(tag_check){c, instance, where}, value);
}

static weir_value *config_of(const weir__compiler *c, const weir__instance *instance) {
    const weir_value *configs = weir_member_named(c->value, "configs");
    return weir_is(configs, WEIR_OBJECT) ? weir_member(configs, instance->name) : NULL;
}

static void compile_config(weir__compiler *c, weir__instance *instance, weir_value *config) {
    if (config && !weir_is(config, WEIR_OBJECT)) {
        weir__dataflow_problem(c, instance->name, WEIR_STR("config"), "", WEIR_INVALID,
                               "operation `%.*s`: its configuration is no object",
                               WEIR_ARG(instance->name));
        config = NULL;
    }
    instance->config = weir_value_ref(config ? config : c->empty);
    weir__dataflow_check_config(c, instance);
    weir__dataflow_check_required(c, instance);
    instance->renders = instance->operation && !weir_operation_has_code(instance->operation) &&
                        instance->spec->executor.length;
    if (instance->renders)
        weir__dataflow_check_tags(c, instance, instance->config, WEIR_STR("config"));
}

static void reserve_instances(weir__compiler *c, size_t count) {
    weir_vector_reserve(&c->flow->instances, count + 1);
    weir_vector_reserve(&c->flow->origins, count + 1); /* most have one output */
}

/* When its ports are there: what else the value says of it. The configuration is borrowed. */
static void end_instance(weir__compiler *c, weir__instance *instance, const weir_value *value,
                         weir_value *config) {
    if (instance->parameters.count > WEIR__PARAMETERS_MAX ||
        instance->outputs.count > WEIR__PARAMETERS_MAX)
        weir__dataflow_problem(c, instance->name, WEIR_STR(""), "", WEIR_LIMIT,
                               "operation `%.*s` has more than %d inputs or outputs",
                               WEIR_ARG(instance->name), WEIR__PARAMETERS_MAX);
    weir__dataflow_declare_ports(c, instance);
    compile_stage(c, instance, value);
    compile_spec(c, instance, value);
    start_at_once(instance);
    compile_shape(c, instance);
    instance->spec->shape = instance->shape;
    compile_config(c, instance, config);
    weir__dataflow_compile_memo(c, instance, weir_member_named(value, "cache"));
    weir__dataflow_check_parameters(c, instance);
    weir__dataflow_check_outputs(c, instance);
    keep_spec(c, instance);
    *weir_vector_push(&c->flow->instances) = *instance;
}

static void compile_operations(weir__compiler *c) {
    weir_value *operations = weir_member_named(c->value, "operations");
    if (!weir_is(operations, WEIR_OBJECT) || weir_value_count(operations) > OPERATIONS_MAX) {
        weir__dataflow_problem(c, WEIR_STR(""), WEIR_STR(""), "operations", WEIR_INVALID,
                               "a dataflow needs `operations`, an object of at most %d",
                               OPERATIONS_MAX);
        return;
    }
    size_t count = weir_value_count(operations);
    reserve_instances(c, count);
    weir__names_list(&c->flow->instance_names, operations);
    for (size_t i = 0; i < count; i++) {
        const weir_value *value = weir_object_at(operations, i);
        weir__instance instance = {
            .name = weir__dataflow_keep(c->plan, weir_object_key(operations, i)), .spec = &c->spec};
        c->spec = (weir_task_spec){0};
        if (!weir_is(value, WEIR_OBJECT))
            weir__dataflow_problem(c, instance.name, WEIR_STR(""), "", WEIR_INVALID,
                                   "operation `%.*s` is no object", WEIR_ARG(instance.name));
        find_operation(c, &instance, value);
        weir_value *whole = weir__dataflow_declared(c, &instance, value);
        compile_ports(c, &instance, whole);
        end_instance(c, &instance, whole, config_of(c, &instance));
        weir_value_unref(whole);
    }
}

/* --- operations that are in no value ---------------------------------------------------------- */

static void take_ports(weir__compiler *c, weir__instance *instance, const weir_dataflow_made *made,
                       const weir_value *whole) {
    const weir__instance *before = instance_before(c);
    const weir_value *expand = list_or_problem(c, instance->name, whole, "expand");
    weir_vector_reserve_exact(&instance->parameters, made->inputs.count);
    weir_vector_reserve_exact(&instance->outputs, made->outputs.count);
    for (size_t i = 0; i < made->inputs.count; i++) {
        const weir_dataflow_port *port = &made->inputs.items[i];
        bool like = before && i < before->parameters.count;
        *weir_vector_push(&instance->parameters) = (weir__parameter){
            keep_like(c, like ? &before->parameters.items[i].name : NULL, port->name),
            port->definition};
    }
    for (size_t i = 0; i < made->outputs.count; i++) {
        const weir_dataflow_port *port = &made->outputs.items[i];
        bool like = before && i < before->outputs.count;
        weir__output output = {
            .key = keep_like(c, like ? &before->outputs.items[i].key : NULL, port->name),
            .definition = port->definition,
            .expand = is_expanded(expand, port->name)};
        output.origin = new_output_origin(c, output.key);
        c->flow->origins.items[output.origin].definition = output.definition;
        *weir_vector_push(&instance->outputs) = output;
    }
}

static void take_operation(weir__compiler *c, const weir_dataflow_made *made) {
    weir__instance instance = {.name = weir__dataflow_keep(c->plan, made->name),
                               .spec = &c->spec,
                               .operation = made->operation};
    c->spec = (weir_task_spec){0};
    weir_value *whole = weir__dataflow_declared(c, &instance, made->said);
    take_ports(c, &instance, made, whole);
    end_instance(c, &instance, whole, made->config);
    weir_value_unref(whole);
}

static void take_parts(weir__compiler *c, const weir_dataflow_parts *parts) {
    weir_dataflow_made made = {0};
    weir__dataflow_take_definitions(c, parts);
    c->flow->definition_names.loose = c->flow->instance_names.loose = true;
    reserve_instances(c, parts->operations);
    for (size_t i = 0; i < parts->operations; i++) {
        made = (weir_dataflow_made){.inputs = made.inputs, .outputs = made.outputs};
        made.inputs.count = made.outputs.count = 0;
        parts->operation(c->source->arg, i, &made);
        take_operation(c, &made);
    }
    weir_vector_deinit(&made.inputs);
    weir_vector_deinit(&made.outputs);
}

/* --- dataflows in configurations ------------------------------------------------------------- */

enum { NESTED_MAX = 32 /* dataflows within dataflows */ };

static weir__flow *new_flow(weir_dataflow_plan *plan) {
    weir__flow *flow = weir_alloc(sizeof *flow);
    flow->number = (uint32_t)plan->flows.count;
    flow->path = weir_array_new();
    *weir_vector_push(&plan->flows) = flow;
    return flow;
}

static weir__nested_kind nested_kind(const weir__flow *flow, const weir__instance *instance) {
    if (!instance->operation || instance->spec->executor.length) return WEIR__NESTED_NOT;
    if (weir_str_is(instance->spec->operation, "remap")) return WEIR__NESTED_REMAP;
    const weir__parameter *first = instance->parameters.items;
    if (instance->parameters.count != 1 || !weir_str_is(first->name, "inputs"))
        return WEIR__NESTED_CUSTOM;
    weir_str primitive = flow->definitions.items[first->definition].primitive;
    bool text = weir_str_is(primitive, "str") || weir_str_is(primitive, "string");
    return text ? WEIR__NESTED_CUSTOM : WEIR__NESTED_RUN;
}

static void compile_body(weir__compiler *c);

/* All parameters of the custom form are inputs of the dataflow within, which has to know their definitions. The first one
 * also names the context, and may do nothing else; that it is a text is seen when the operation runs, and fails it then, as
 * with DFFML. */
static void take_parameters(weir__compiler *c, weir__compiler *inner) {
    const weir__instance *instance = inner->caller;
    const weir__definition *definitions = c->flow->definitions.items;
    weir__dataflow_adopt_definition(inner, &definitions[instance->parameters.items[0].definition]);
    for (size_t p = 1; p < instance->parameters.count; p++) {
        const weir__parameter *parameter = &instance->parameters.items[p];
        weir_str name = definitions[parameter->definition].name;
        if (weir__definition_find(inner->flow, name, NULL)) continue;
        weir__dataflow_problem(
            c, instance->name, parameter->name, "", WEIR_UNKNOWN_DEFINITION,
            "operation `%.*s`: the dataflow that it runs has no definition `%.*s`, of which its "
            "parameter `%.*s` is",
            WEIR_ARG(instance->name), WEIR_ARG(name), WEIR_ARG(parameter->name));
        weir__dataflow_hint(c, "add it to the `definitions` of the inner dataflow");
    }
}

static void compile_nested(weir__compiler *c, uint32_t at) {
    weir__instance *instance = &c->flow->instances.items[at];
    instance->nested = nested_kind(c->flow, instance);
    if (instance->nested == WEIR__NESTED_NOT) return;
    const weir_value *value = weir_member_named(instance->config, "dataflow");
    bool room = c->depth < NESTED_MAX && c->plan->flows.count < WEIR__FLOWS_MAX;
    if (!weir_is(value, WEIR_OBJECT) || !room) {
        weir__dataflow_problem(c, instance->name, WEIR_STR("config"), "",
                               room ? WEIR_INVALID : WEIR_LIMIT, "operation `%.*s`: %s",
                               WEIR_ARG(instance->name),
                               room ? "its configuration has no `dataflow`"
                                    : "dataflows are nested too deep or are too many");
        return;
    }
    weir_buffer prefix = {0};
    weir_buffer_str_append(&prefix, c->prefix);
    weir_buffer_text(&prefix, "configs");
    weir_path_append(&prefix, instance->name);
    weir_buffer_text(&prefix, "/dataflow/");
    weir__compiler inner = *c;
    inner.flow = new_flow(c->plan);
    inner.around = instance->nested == WEIR__NESTED_REMAP ? c->flow : NULL;
    inner.outer = c;
    inner.caller =
        instance->nested == WEIR__NESTED_CUSTOM && instance->parameters.count ? instance : NULL;
    inner.value = value;
    inner.prefix = weir_buffer_str(&prefix);
    inner.depth++;
    for (size_t i = 0; i < weir_value_count(c->flow->path); i++)
        weir_array_append(inner.flow->path, weir_value_ref(weir_array_at(c->flow->path, i)));
    weir_array_append(inner.flow->path, weir_string_from(instance->name));
    instance->flow = inner.flow->number;
    compile_body(&inner);
    weir_buffer_deinit(&prefix);
}

/* forward: {book: {instance: [definition]}}, or without `book`. */
static void compile_forward(weir__compiler *c) {
    const weir_value *forward = weir_member_named(c->value, "forward");
    const weir_value *book = weir_member_named(forward, "book");
    if (!book) book = forward;
    for (size_t i = 0; weir_is(book, WEIR_OBJECT) && i < weir_value_count(book); i++) {
        uint64_t at;
        const weir_value *names = weir_object_at(book, i);
        bool known = weir__instance_find(c->flow, weir_object_key(book, i), &at) &&
                     c->flow->instances.items[at].nested != WEIR__NESTED_NOT;
        if (!known || !weir_is(names, WEIR_ARRAY))
            weir__dataflow_problem(c, WEIR_STR(""), WEIR_STR(""), "forward", WEIR_INVALID,
                                   "`forward`: `%.*s` is no operation that runs a dataflow, or has "
                                   "no list of definitions",
                                   WEIR_ARG(weir_object_key(book, i)));
        for (size_t n = 0; known && weir_is(names, WEIR_ARRAY) && n < weir_value_count(names);
             n++) {
            uint32_t definition;
            uint64_t inner = WEIR__NONE;
            if (!weir__dataflow_use_definition(c, c->flow->instances.items[at].name,
                                               WEIR_STR("forward"), weir_array_at(names, n),
                                               &definition))
                continue;
            const weir__flow *runs = c->plan->flows.items[c->flow->instances.items[at].flow];
            weir__definition_find(runs, c->flow->definitions.items[definition].name, &inner);
            c->flow->definitions.items[definition].forwarded = true;
            *weir_vector_push(&c->flow->forwards) =
                (weir__forward){definition, (uint32_t)at, (uint32_t)inner};
        }
    }
}

static void compile_body(weir__compiler *c) {
    if (c->source->parts && !c->prefix.length) {
        take_parts(c, c->source->parts);
    } else {
        weir__dataflow_compile_definitions(c);
        compile_operations(c);
    }
    if (c->around) weir__dataflow_adopt_definitions(c, c->around);
    if (c->caller) take_parameters(c->outer, c);
    for (uint32_t i = 0; i < c->flow->instances.count; i++) compile_nested(c, i);
    compile_forward(c);
    weir__dataflow_compile_flow(c);
    c->flow->seed_origin = weir__dataflow_origin(c, WEIR_STR("seed"));
    weir__dataflow_compile_seeds(c);
    weir__dataflow_analyse(c);
}

static void check_top(weir__compiler *c) {
    const weir_value *configs = weir_member_named(c->value, "configs");
    if (configs && !weir_is(configs, WEIR_OBJECT) && !weir_is(configs, WEIR_NULL))
        weir__dataflow_problem(c, WEIR_STR(""), WEIR_STR(""), "configs", WEIR_INVALID,
                               "`configs` is no object");
    const weir_value *strict = weir_member_named(c->request, "strict");
    const weir_value *open = weir_member_named(c->request, "open");
    c->plan->strict = !(weir_is(strict, WEIR_BOOL) && !weir_bool_get(strict));
    c->plan->open = open && weir_value_truth(open);
    weir_str mode = weir_member_text(c->request, "mode");
    c->plan->tasks_only = mode.length && !weir_str_is(mode, "async");
    c->plan->pipeline = strcmp(c->source->kind, "pipeline") == 0;
}

/* What a run needs; who only looks at the plan does without. */
static void make_ready(weir_dataflow_plan *plan) {
    for (size_t i = 0; i < plan->flows.count; i++) weir__flow_own_names(plan->flows.items[i]);
    weir__dataflow_make_lean(plan);
    for (size_t i = 0; i < plan->flows.count; i++)
        if (plan->flows.items[i]->locks) unshare_specs(plan, plan->flows.items[i]);
}

weir_plan *weir_dataflow_compile_source(const weir_dataflow_source *source,
                                        const weir_value *request, const weir_registry *registry,
                                        weir_problems *problems) {
    size_t before = problems->total;
    weir_dataflow_plan *plan = weir_alloc(sizeof *plan);
    plan->plan = (weir_plan){source->kind,
                             weir__dataflow_coordinator_new,
                             plan_free,
                             1,
                             weir__dataflow_definitions,
                             weir__dataflow_forecast,
                             weir__dataflow_identify};
    weir__compiler c = {.plan = plan,
                        .flow = new_flow(plan),
                        .value = source->flow,
                        .source = source,
                        .request = request,
                        .registry = registry,
                        .problems = problems};
    c.empty = weir_object_new();
    check_top(&c);
    compile_body(&c);
    weir_value_unref(c.empty);
    weir__dataflow_compile_contexts(&c);
    weir__dataflow_check_validators(&c);
    uint64_t gatherer = WEIR__NONE;
    if (source->parts)
        gatherer = c.flow->instances.count - 1;
    else if (source->gatherer)
        (void)weir__instance_find(c.flow, weir_str_from(source->gatherer), &gatherer);
    plan->gatherer = (uint32_t)gatherer;
    if (problems->total == before) {
        if (!weir_member_named(request, "check")) make_ready(plan);
        return &plan->plan;
    }
    plan_free(&plan->plan);
    return NULL;
}

/* --- goals ---------------------------------------------------------------------------------------- */

static void say_left_out(const weir__goals *goals, const weir_dataflow_source *source,
                         weir_problems *problems, weir_value **names) {
    enum { NAMED = 10 };
    const weir__flow *flow = goals->flow;
    weir_buffer text = {0}, path = {0};
    size_t count = 0;
    for (size_t i = 0; i < flow->instances.count; i++) {
        if (goals->wanted[i] || goals->narrowed[i]) continue;
        weir_str name = flow->instances.items[i].name;
        if (!count) *names = weir_array_new();
        if (!count) place_in_dataflow(source->arg, name, WEIR_STR(""), &path);
        weir_array_append(*names, weir_string_from(name));
        if (count++ < NAMED)
            weir_buffer_printf(&text, "%s`%.*s`", count > 1 ? ", " : "", WEIR_ARG(name));
    }
    if (count > NAMED) weir_buffer_printf(&text, " and %zu more", count - NAMED);
    size_t warnings = problems->warnings.count;
    if (count)
        weir_document_problem(source->document, source->root, path.data, WEIR_OK, problems,
                              "left out: %s lead%s to no goal", text.data, count == 1 ? "s" : "");
    if (problems->warnings.count > warnings)
        weir_error_hint(&problems->warnings.items[warnings], "--keep-all runs %s too",
                        count == 1 ? "it" : "them");
    weir_buffer_deinit(&text);
    weir_buffer_deinit(&path);
}

/* The plan of what leads to the request's goals; takes `whole` over. What was warned of it stays said. */
static weir_plan *compile_goals(weir_plan *whole, const weir_dataflow_source *source,
                                const weir_value *request, const weir_registry *registry,
                                weir_problems *problems) {
    weir__goals goals;
    weir_dataflow_source pruned = *source;
    weir_plan *plan = NULL;
    weir_problems again = {0};
    weir_error error;
    pruned.flow = NULL;
    pruned.gatherer = WEIR__OF_ALL;
    const char *file = source->document->file;
    if (weir__goals_find(&goals, (weir_dataflow_plan *)whole, request, file, problems)) {
        if (weir__goals_prune(&goals, source->flow, &pruned.flow, &error))
            plan = weir_dataflow_compile_source(&pruned, request, registry, &again);
        else
            weir_problems_add_request(problems, "goals", file, &error);
    }
    for (size_t i = 0; i < again.count; i++) weir_problems_add(problems, &again.items[i]);
    if (plan) say_left_out(&goals, source, problems, &plan->left_out);
    weir_problems_deinit(&again);
    weir__goals_deinit(&goals);
    weir_value_unref(pruned.flow);
    weir_plan_unref(whole);
    return plan;
}

weir_plan *weir_dataflow_compile(const weir_document *document, const weir_value *request,
                                 const weir_registry *registry, weir_problems *problems) {
    weir_value *flow = document->roots.items[0];
    weir_dataflow_source source = {.document = document,
                                   .flow = flow,
                                   .kind = "dataflow",
                                   .place = place_in_dataflow,
                                   .arg = flow};
    weir_plan *plan = weir_dataflow_compile_source(&source, request, registry, problems);
    const weir_value *goals = weir_member_named(request, "goals");
    if (plan && weir_is(goals, WEIR_ARRAY) && weir_value_count(goals))
        return compile_goals(plan, &source, request, registry, problems);
    return plan;
}

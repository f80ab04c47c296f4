#include "pipeline/plan.h"

#include <stdio.h>

#include "pipeline/pipeline_internal.h"

#define OUTPUTS "weir.outputs" /* the operation that gathers them */

weir_error *weir__pipeline_problem(weir__pipeline *p, const char *path, weir_code code,
                                   const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    weir_problems *all = p->problems;
    size_t problems = all->count, warnings = all->warnings.count;
    weir_document_problem(p->document, p->root, path, code, all, "%s", message);
    if (all->warnings.count > warnings) return &all->warnings.items[warnings];
    return all->count > problems ? &all->items[problems] : NULL;
}

enum { NEAREST_MAX = 10000 /* components whose outputs may have been meant */ };

/* What the component that the name begins with makes; false when there is none. */
static bool hint_component(const weir__pipeline *p, weir_error *problem, weir_str wrong) {
    for (size_t i = 0; i < p->count; i++) {
        const weir__component *c = &p->components[i];
        bool begins = weir_str_starts(wrong, c->name) &&
                      (wrong.length == c->name.length || wrong.data[c->name.length] == '.');
        if (!begins || !c->outputs.count) continue;
        weir_buffer names = {0};
        for (size_t j = 0; j < c->outputs.count && j < 8; j++)
            weir_buffer_printf(&names, "%s`%.*s`", j ? ", " : "",
                               WEIR_ARG(c->outputs.items[j].name));
        weir_error_hint(problem, "%.*s makes: %s%s", WEIR_ARG(c->name), names.data,
                        c->outputs.count > 8 ? ", …" : "");
        weir_buffer_deinit(&names);
        return true;
    }
    return false;
}

void weir__pipeline_hint_value(const weir__pipeline *p, weir_error *problem, weir_str wrong) {
    uint64_t maker;
    if (weir_map_get(&p->plain, wrong, &maker)) {
        weir_error_hint(problem, "did you mean `%.*s.%.*s`?", WEIR_ARG(p->components[maker].name),
                        WEIR_ARG(wrong));
        return;
    }
    if (p->count > NEAREST_MAX || hint_component(p, problem, wrong)) return;
    weir_nearest nearest = weir_nearest_to(wrong);
    for (size_t i = 0; i < p->inputs.count; i++)
        weir_nearest_try(&nearest, p->inputs.items[i].name);
    for (size_t i = 0; i < p->count; i++)
        for (size_t j = 0; j < p->components[i].outputs.count; j++)
            weir_nearest_try(&nearest, p->components[i].outputs.items[j].name);
    weir_error_hint_near(problem, nearest.best, "");
}

weir_str weir__pipeline_text(weir__pipeline *p, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    size_t length = (size_t)vsnprintf(NULL, 0, format, arguments);
    char *text = weir_arena_alloc(&p->arena, length + 1);
    vsnprintf(text, length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return (weir_str){text, length};
}

/* --- the dataflow --------------------------------------------------------------------------- */

static weir_value *new_operation(const char *name, const char *stage) {
    weir_value *operation = weir_object_new();
    weir_member_put(operation, "name", weir_string_from(weir_str_from(name)));
    weir_member_put(operation, "inputs", weir_object_new());
    weir_member_put(operation, "outputs", weir_object_new());
    weir_member_put(operation, "stage", weir_string_from(weir_str_from(stage)));
    return operation;
}

static void add_ports(weir_value *operation, const char *group, const weir__entries *entries) {
    weir_value *ports = weir_member_named(operation, group);
    for (size_t i = 0; i < entries->count; i++)
        weir_member_set(ports, entries->items[i].port, weir_string_from(entries->items[i].name));
}

static weir_value *new_component(const weir__component *c) {
    weir_value *operation = new_operation(c->operation->name, "processing");
    add_ports(operation, "inputs", &c->inputs);
    add_ports(operation, "outputs", &c->outputs);
    if (c->attempts) weir_member_put(operation, "retry", weir_int_new(c->attempts));
    if (c->timeout_us)
        weir_member_put(operation, "timeout_us", weir_int_new((int64_t)c->timeout_us));
    if (c->freeze_us) weir_member_put(operation, "freeze_us", weir_int_new((int64_t)c->freeze_us));
    if (weir_estimate_any(&c->estimate))
        weir_member_put(operation, "estimate", weir_estimate_to_value(&c->estimate));
    if (c->resources.memory_bytes || c->resources.cpu_milli)
        weir_member_put(operation, "resources", weir_resources_to_value(&c->resources));
    if (c->cache)
        weir_member_put(operation, "cache",
                        weir_value_ref(c->max_age ? c->max_age : c->cache->value));
    return operation;
}

static void add_definition(weir_value *definitions, weir_str name, const char *primitive) {
    weir_value *definition = weir_object_new();
    weir_member_put(definition, "name", weir_string_from(name));
    weir_member_put(definition, "primitive",
                    weir_string_from(weir_str_from(primitive ? primitive : "generic")));
    weir_member_set(definitions, name, definition);
}

static weir_value *new_definitions(const weir__pipeline *p) {
    weir_value *definitions = weir_object_new();
    for (size_t i = 0; i < p->inputs.count; i++)
        add_definition(definitions, p->inputs.items[i].name, p->inputs.items[i].primitive);
    for (size_t i = 0; i < p->count; i++)
        for (size_t j = 0; p->components[i].wanted && j < p->components[i].outputs.count; j++)
            add_definition(definitions, p->components[i].outputs.items[j].name,
                           p->components[i].outputs.items[j].primitive);
    add_definition(definitions, WEIR_STR("weir.outputs"), "array");
    return definitions;
}

/* What get_single is to give: [{output: definition}, …]. */
static weir_value *new_seed(const weir__pipeline *p) {
    weir_value *spec = weir_array_new(), *input = weir_object_new(), *seed = weir_array_new();
    for (size_t i = 0; i < p->outputs.count; i++) {
        const weir__entry *output = &p->outputs.items[i];
        weir_value *item = weir_object_new();
        weir_member_set(item, output->key, weir_string_from(output->name));
        weir_array_append(spec, item);
    }
    weir_member_put(input, "value", spec);
    weir_member_put(input, "definition", weir_string_from(WEIR_STR("weir.outputs")));
    weir_member_put(input, "origin", weir_string_from(WEIR_STR("seed")));
    weir_array_append(seed, input);
    return seed;
}

/* Whether a value goes out under several names. */
static bool has_twins(const weir__pipeline *p) {
    weir_map seen = {0};
    for (size_t i = 0; i < p->outputs.count; i++) weir_map_set(&seen, p->outputs.items[i].name, 1);
    bool twins = seen.count < p->outputs.count;
    weir_map_deinit(&seen);
    return twins;
}

weir_value *weir_pipeline_to_dataflow(weir__pipeline *p) {
    size_t before = p->problems->total;
    if (!weir__pipeline_read(p)) return NULL;
    weir__pipeline_wire(p);
    weir__pipeline_choose(p);
    weir__pipeline_check_given(p);
    if (!weir__pipeline_fake_run(p) || p->problems->total > before) return NULL;
    weir_value *operations = weir_object_new(), *configs = weir_object_new();
    for (size_t i = 0; i < p->count; i++) {
        const weir__component *c = &p->components[i];
        if (!c->wanted) continue;
        weir_member_set(operations, c->name, new_component(c));
        if (weir_value_count(c->config))
            weir_member_set(configs, c->name, weir_value_ref(c->config));
    }
    weir_value *outputs = new_operation("get_single", "output");
    weir_member_put(weir_member_named(outputs, "inputs"), "spec",
                    weir_string_from(WEIR_STR("weir.outputs")));
    weir_member_put(operations, OUTPUTS, outputs);
    if (has_twins(p)) {
        weir_value *config = weir_object_new();
        weir_member_put(config, "each_name", weir_bool_new(true));
        weir_member_put(configs, OUTPUTS, config);
    }
    weir_value *flow = weir_object_new();
    weir_member_put(flow, "linked", weir_bool_new(true));
    weir_member_put(flow, "definitions", new_definitions(p));
    weir_member_put(flow, "operations", operations);
    weir_member_put(flow, "seed", new_seed(p));
    weir_member_put(flow, "configs", configs);
    return flow;
}

void weir__pipeline_deinit(weir__pipeline *p) {
    for (size_t i = 0; i < p->count; i++) {
        weir_value_unref(p->components[i].config);
        weir_value_unref(p->components[i].max_age);
    }
    weir_map_deinit(&p->makers);
    weir_map_deinit(&p->plain);
    weir_map_deinit(&p->another);
    weir_arena_deinit(&p->arena);
}

static void place(void *arg, weir_str instance, weir_str parameter, weir_buffer *out) {
    const weir__pipeline *p = arg;
    const char *path = "pipeline";
    for (size_t i = 0; i < p->count; i++) {
        const weir__component *c = &p->components[i];
        if (!weir_str_equal(c->name, instance)) continue;
        path = c->cache && weir_str_is(parameter, "cache") ? c->cache->path : c->path;
        for (size_t j = 0; j < c->inputs.count; j++)
            if (weir_str_equal(c->inputs.items[j].port, parameter)) path = c->inputs.items[j].path;
    }
    weir_buffer_text(out, path);
}

weir_plan *weir_pipeline_examine(const weir_document *document, const weir_value *request,
                                 const weir_registry *registry, weir_problems *problems,
                                 weir_proof *proof) {
    weir__pipeline pipeline = {.document = document,
                               .request = request,
                               .registry = registry,
                               .problems = problems,
                               .proof = proof};
    weir_value *flow = weir_pipeline_to_dataflow(&pipeline);
    weir_plan *plan = NULL;
    if (flow) {
        weir_dataflow_source source = {.document = document,
                                       .root = pipeline.root,
                                       .flow = flow,
                                       .kind = "pipeline",
                                       .place = place,
                                       .arg = &pipeline,
                                       .gatherer = OUTPUTS};
        plan = weir_dataflow_compile_source(&source, request, registry, problems);
        if (plan) plan->left_out = weir__pipeline_left_out(&pipeline);
    }
    weir_value_unref(flow);
    weir__pipeline_deinit(&pipeline);
    return plan;
}

weir_plan *weir_pipeline_compile(const weir_document *document, const weir_value *request,
                                 const weir_registry *registry, weir_problems *problems) {
    return weir_pipeline_examine(document, request, registry, problems, NULL);
}

weir_value *weir_pipeline_convert(const weir_document *document, const weir_value *request,
                                  const weir_registry *registry, weir_str form,
                                  weir_problems *problems) {
    weir__pipeline pipeline = {
        .document = document, .request = request, .registry = registry, .problems = problems};
    weir_value *flow = weir_pipeline_to_dataflow(&pipeline), *out = NULL;
    if (flow && weir_str_is(form, "plain"))
        out = weir__pipeline_to_plain(&pipeline);
    else if (flow && weir_str_is(form, "workflow"))
        out = weir__pipeline_to_workflow(&pipeline);
    else if (flow)
        out = weir_value_ref(flow);
    if (out && !weir_str_is(form, "plain")) weir_value_unref(weir__pipeline_left_out(&pipeline));
    weir_value_unref(flow);
    weir__pipeline_deinit(&pipeline);
    return out;
}

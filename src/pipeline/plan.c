#include "pipeline/plan.h"

#include <stdio.h>

#include "data/value_build.h"
#include "pipeline/pipeline_internal.h"

#define OUTPUTS "weir.outputs" /* the operation that gathers them */

const char *weir__group_name(weir__group group) {
    static const char *const names[] = {"", "inputs", "outputs"};
    return names[group];
}

static void append_place(size_t at, weir_buffer *out) {
    if (out->length) weir_buffer_byte(out, '/');
    weir_buffer_number(out, at);
}

/* The way to a member of a mapping, or of the first entry of a list that has it. */
static void append_member(const weir_value *value, const char *name, weir_buffer *out) {
    bool list = weir_is(value, WEIR_ARRAY);
    for (size_t i = 0; list && i < weir_value_count(value); i++) {
        if (!weir_member_named(weir_array_at(value, i), name)) continue;
        append_place(i, out);
        break;
    }
    weir_path_append(out, weir_str_from(name));
}

static void append_path(const weir__entry *entry, weir_buffer *out) {
    if (entry->up) append_path(entry->up, out);
    if (entry->group) append_member(entry->up->value, weir__group_name(entry->group), out);
    if (entry->at) append_place(entry->at - 1, out);
    if (!entry->plain) weir_path_append(out, entry->blank ? WEIR_STR("") : entry->key);
}

const char *weir__pipeline_path(weir__pipeline *p, const weir__entry *entry) {
    weir_buffer out = {0};
    if (entry) append_path(entry, &out);
    const char *path = weir_str_copy(&p->arena, weir_buffer_str(&out));
    weir_buffer_deinit(&out);
    return path;
}

weir_error *weir__pipeline_problem(weir__pipeline *p, const weir__entry *entry, weir_code code,
                                   const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    weir_problems *all = p->problems;
    size_t problems = all->count, warnings = all->warnings.count;
    weir_document_problem(p->document, p->root, weir__pipeline_path(p, entry), code, all, "%s",
                          message);
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

weir_str weir__pipeline_output(weir__pipeline *p, weir_str component, weir_str output) {
    size_t length = component.length + 1 + output.length;
    char *text = weir_arena_alloc(&p->arena, length + 1);
    memcpy(text, component.data, component.length);
    text[component.length] = '.';
    memcpy(text + component.length + 1, output.data, output.length);
    return (weir_str){text, length};
}

/* --- the dataflow --------------------------------------------------------------------------- */

/* Texts that a million operations have in common: values of them are made once. */
typedef struct writer {
    weir_value *name, *inputs, *outputs, *stage, *primitive, *processing;
    weir_value *operation, *input, *output, *type; /* those of the operation before */
} writer;

static writer begin_writing(void) {
    return (writer){.name = weir_string_from(WEIR_STR("name")),
                    .inputs = weir_string_from(WEIR_STR("inputs")),
                    .outputs = weir_string_from(WEIR_STR("outputs")),
                    .stage = weir_string_from(WEIR_STR("stage")),
                    .primitive = weir_string_from(WEIR_STR("primitive")),
                    .processing = weir_string_from(WEIR_STR("processing"))};
}

static void end_writing(writer *w) {
    weir_value *const texts[] = {w->name,       w->inputs,    w->outputs, w->stage,  w->primitive,
                                 w->processing, w->operation, w->input,   w->output, w->type};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) weir_value_unref(texts[i]);
}

/* A new reference to the value of the text, which mostly is the one before. */
static weir_value *text_of(weir_value **before, weir_str text) {
    if (!*before || !weir_str_equal(weir_string_get(*before), text)) {
        weir_value_unref(*before);
        *before = weir_string_from(text);
    }
    return weir_value_ref(*before);
}

/* The values of the entries are the names of their definitions. */
static weir_value *new_ports(const weir__entries *entries, weir_value **before) {
    if (entries->count == 1) {
        const weir__entry *entry = entries->items;
        weir_value_pair port = {text_of(before, entry->key), weir_value_ref(entry->value)};
        return weir_object_of(&port, 1);
    }
    weir_value *ports = weir_object_new();
    for (size_t i = 0; i < entries->count; i++)
        weir_member_set(ports, entries->items[i].key, weir_value_ref(entries->items[i].value));
    return ports;
}

static weir_value *cache_of(const weir__component *c) {
    const weir__particulars *more = c->more;
    return !more->cache ? NULL : more->max_age ? more->max_age : more->cache->value;
}

/* Whether anything is said of it that most say nothing of. */
static bool says_more(const weir__component *c) {
    const weir__particulars *more = c->more;
    return more->attempts || more->retries || more->timeout_us || more->freeze_us || more->cache ||
           weir_estimate_any(&more->estimate) || more->resources.memory_bytes ||
           more->resources.cpu_milli;
}

static void put_said(const weir__component *c, weir_value *operation) {
    const weir__particulars *more = c->more;
    if (more->attempts) weir_member_put(operation, "retry", weir_int_new(more->attempts));
    if (more->retries) weir_member_put(operation, "retry", weir_value_ref(more->retries->value));
    for (size_t i = 0; more->where && i < weir_value_count(more->where); i++)
        weir_member_set(operation, weir_object_key(more->where, i),
                        weir_value_ref(weir_object_at(more->where, i)));
    if (more->timeout_us)
        weir_member_put(operation, "timeout_us", weir_int_new((int64_t)more->timeout_us));
    if (more->freeze_us)
        weir_member_put(operation, "freeze_us", weir_int_new((int64_t)more->freeze_us));
    if (weir_estimate_any(&more->estimate))
        weir_member_put(operation, "estimate", weir_estimate_to_value(&more->estimate));
    if (more->resources.memory_bytes || more->resources.cpu_milli)
        weir_member_put(operation, "resources", weir_resources_to_value(&more->resources));
    if (more->cache) weir_member_put(operation, "cache", weir_value_ref(cache_of(c)));
}

static weir_value *new_component(const weir__component *c, writer *w) {
    weir_value_pair members[] = {
        {weir_value_ref(w->name), text_of(&w->operation, weir_str_from(c->operation->name))},
        {weir_value_ref(w->inputs), new_ports(&c->inputs, &w->input)},
        {weir_value_ref(w->outputs), new_ports(&c->outputs, &w->output)},
        {weir_value_ref(w->stage), weir_value_ref(w->processing)}};
    weir_value *operation = weir_object_of(members, 4);
    put_said(c, operation);
    return operation;
}

/* Its name as a value, borrowed. */
static weir_value *add_definition(weir_value *definitions, writer *w, weir_str name,
                                  const char *primitive) {
    weir_value *key = weir_string_from(name);
    weir_str type = weir_str_from(primitive ? primitive : "generic");
    weir_value_pair members[] = {{weir_value_ref(w->name), weir_value_ref(key)},
                                 {weir_value_ref(w->primitive), text_of(&w->type, type)}};
    bool fresh;
    weir_value **place = weir_object_place(definitions, key, &fresh);
    weir_assert(fresh); /* all have names of their own, or there would be no dataflow */
    *place = weir_object_of(members, 2);
    return key;
}

static weir_value *new_definitions(weir__pipeline *p, writer *w) {
    weir_value *definitions = weir_object_new();
    for (size_t i = 0; i < p->inputs.count; i++)
        add_definition(definitions, w, p->inputs.items[i].name, p->inputs.items[i].primitive);
    for (size_t i = 0; i < p->count; i++)
        for (size_t j = 0; p->components[i].wanted && j < p->components[i].outputs.count; j++) {
            weir__entry *output = &p->components[i].outputs.items[j];
            output->value = add_definition(definitions, w, output->name, output->primitive);
        }
    add_definition(definitions, w, WEIR_STR("weir.outputs"), "array");
    return definitions;
}

/* Whether a value goes out under several names. */
static bool has_twins(const weir__pipeline *p) {
    weir_map seen = {0};
    for (size_t i = 0; i < p->outputs.count; i++) weir_map_set(&seen, p->outputs.items[i].name, 1);
    bool twins = seen.count < p->outputs.count;
    weir_map_deinit(&seen);
    return twins;
}

/* NULL: there is none. */
static weir_value *gatherer_config(const weir__pipeline *p) {
    if (!has_twins(p)) return NULL;
    weir_value *config = weir_object_new();
    weir_member_put(config, "each_name", weir_bool_new(true));
    return config;
}

/* What gathers the outputs. */
static void add_gatherer(weir__pipeline *p, weir_value *operations, weir_value *configs) {
    weir_value *gatherer = weir_object_new(), *inputs = weir_object_new();
    weir_member_put_text(inputs, "spec", WEIR_STR("weir.outputs"));
    weir_member_put_text(gatherer, "name", WEIR_STR("get_single"));
    weir_member_put(gatherer, "inputs", inputs);
    weir_member_put(gatherer, "outputs", weir_object_new());
    weir_member_put_text(gatherer, "stage", WEIR_STR("output"));
    weir_member_put(operations, OUTPUTS, gatherer);
    weir_value *config = gatherer_config(p);
    if (config) weir_member_put(configs, OUTPUTS, config);
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

/* All that is to be known before there is a dataflow; false after a problem. */
static bool prepare(weir__pipeline *p) {
    size_t before = p->problems->total;
    if (!weir__pipeline_read(p)) return false;
    weir__pipeline_wire(p);
    weir__pipeline_choose(p);
    weir__pipeline_check_given(p);
    return weir__pipeline_fake_run(p) && p->problems->total == before;
}

weir_value *weir_pipeline_to_dataflow(weir__pipeline *p) {
    if (!prepare(p)) return NULL;
    weir_value *operations = weir_object_new(), *configs = weir_object_new();
    writer w = begin_writing();
    weir_value *definitions = new_definitions(p, &w);
    for (size_t i = 0; i < p->count; i++) {
        const weir__component *c = &p->components[i];
        if (!c->wanted) continue;
        weir_member_set(operations, c->name, new_component(c, &w));
        if (weir_value_count(c->config))
            weir_member_set(configs, c->name, weir_value_ref(c->config));
    }
    end_writing(&w);
    add_gatherer(p, operations, configs);
    weir_value *flow = weir_object_new();
    weir_member_put(flow, "linked", weir_bool_new(true));
    weir_member_put(flow, "definitions", definitions);
    weir_member_put(flow, "operations", operations);
    weir_member_put(flow, "seed", new_seed(p));
    weir_member_put(flow, "configs", configs);
    return flow;
}

void weir__pipeline_deinit(weir__pipeline *p) {
    for (size_t i = 0; i < p->count; i++) {
        weir_value_unref(p->components[i].config);
        weir_value_unref(p->components[i].more->max_age);
        weir_value_unref(p->components[i].more->where);
    }
    weir_value_unref(p->usual);
    weir_value_unref(p->said);
    weir_value_unref(p->each_name);
    weir_vector_deinit(&p->fields);
    weir_vector_deinit(&p->defined);
    weir_vector_deinit(&p->ran);
    weir_map_deinit(&p->makers);
    weir_map_deinit(&p->plain);
    weir_map_deinit(&p->another);
    weir_value_unref(p->empty);
    weir_arena_deinit(&p->arena);
}

static void place(void *arg, weir_str instance, weir_str parameter, weir_buffer *out) {
    weir__pipeline *p = arg;
    const weir__entry *found = p->body;
    for (size_t i = 0; i < p->count; i++) {
        const weir__component *c = &p->components[i];
        if (!weir_str_equal(c->name, instance)) continue;
        const weir__particulars *more = c->more;
        found = more->cache && weir_str_is(parameter, "cache") ? more->cache : c->entry;
        if (more->retries && weir_str_is(parameter, "retry")) found = more->retries;
        for (size_t j = 0; j < c->inputs.count; j++)
            if (weir_str_equal(c->inputs.items[j].key, parameter)) found = &c->inputs.items[j];
    }
    weir_buffer_text(out, weir__pipeline_path(p, found));
}

/* --- the same without values ------------------------------------------------------------------ */

static void define(void *arg, size_t at, weir_str *name, weir_str *primitive) {
    const weir__pipeline *p = arg;
    const weir__entry *entry = p->defined.items[at];
    *name = entry ? entry->name : WEIR_STR(OUTPUTS);
    *primitive = weir_str_from(!entry ? "array" : entry->primitive ? entry->primitive : "generic");
}

/* Numbers the definitions: of the inputs, of what is made, and of what the gatherer is told. */
static void number_definitions(weir__pipeline *p) {
    weir_vector_reserve(&p->defined, p->inputs.count + p->count + 1);
    for (size_t i = 0; i < p->inputs.count; i++)
        *weir_vector_push(&p->defined) = &p->inputs.items[i];
    for (size_t i = 0; i < p->count; i++) {
        if (p->components[i].wanted) *weir_vector_push(&p->ran) = (uint32_t)i;
        for (size_t j = 0; p->components[i].wanted && j < p->components[i].outputs.count; j++) {
            weir__entry *output = &p->components[i].outputs.items[j];
            output->maker = (uint32_t)p->defined.count;
            *weir_vector_push(&p->defined) = output;
        }
    }
    *weir_vector_push(&p->defined) = NULL;
}

static uint32_t definition_of(const weir__pipeline *p, const weir__entry *input) {
    if (input->maker < p->inputs.count) return input->maker;
    const weir__entries *made = &p->components[input->maker - p->inputs.count].outputs;
    size_t at = 0;
    while (!weir_str_equal(made->items[at].name, input->name)) at++;
    return made->items[at].maker;
}

static weir_value *new_said(const char *stage) {
    weir_value *said = weir_object_new();
    weir_member_put_text(said, "stage", weir_str_from(stage));
    return said;
}

static void operate(void *arg, size_t at, weir_dataflow_made *out) {
    weir__pipeline *p = arg;
    weir_value_unref(p->said);
    if (at == p->ran.count) {
        out->name = WEIR_STR(OUTPUTS);
        out->operation = p->gatherer;
        out->config = p->each_name;
        out->said = p->said = new_said("output");
        *weir_vector_push(&out->inputs) =
            (weir_dataflow_port){WEIR_STR("spec"), (uint32_t)p->defined.count - 1};
        return;
    }
    const weir__component *c = &p->components[p->ran.items[at]];
    p->said = says_more(c) ? new_said("processing") : weir_value_ref(p->usual);
    if (says_more(c)) put_said(c, p->said);
    out->name = c->name;
    out->operation = c->operation;
    out->config = weir_value_count(c->config) ? c->config : NULL;
    out->said = p->said;
    for (size_t i = 0; i < c->inputs.count; i++)
        *weir_vector_push(&out->inputs) =
            (weir_dataflow_port){c->inputs.items[i].key, definition_of(p, &c->inputs.items[i])};
    for (size_t i = 0; i < c->outputs.count; i++)
        *weir_vector_push(&out->outputs) =
            (weir_dataflow_port){c->outputs.items[i].key, c->outputs.items[i].maker};
}

static weir_plan *compile(weir__pipeline *p) {
    weir_error error;
    weir_value *flow = weir_object_new();
    p->each_name = gatherer_config(p);
    p->gatherer = weir_registry_resolve(p->registry, WEIR_STR("get_single"), &error);
    weir_assert(p->gatherer);
    p->usual = new_said("processing");
    number_definitions(p);
    weir_member_put(flow, "linked", weir_bool_new(true));
    weir_member_put(flow, "seed", new_seed(p));
    weir_dataflow_parts parts = {.definitions = p->defined.count,
                                 .operations = p->ran.count + 1,
                                 .definition = define,
                                 .operation = operate};
    weir_dataflow_source source = {.document = p->document,
                                   .root = p->root,
                                   .flow = flow,
                                   .parts = &parts,
                                   .kind = "pipeline",
                                   .place = place,
                                   .arg = p};
    weir_plan *plan = weir_dataflow_compile_source(&source, p->request, p->registry, p->problems);
    if (plan) plan->left_out = weir__pipeline_left_out(p);
    weir_value_unref(flow);
    return plan;
}

weir_plan *weir_pipeline_examine(const weir_document *document, const weir_value *request,
                                 const weir_registry *registry, weir_problems *problems,
                                 weir_proof *proof) {
    weir__pipeline pipeline = {.document = document,
                               .request = request,
                               .registry = registry,
                               .problems = problems,
                               .proof = proof};
    weir_plan *plan = prepare(&pipeline) ? compile(&pipeline) : NULL;
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
    bool plain = weir_str_is(form, "plain"), workflow = weir_str_is(form, "workflow");
    weir_value *out = NULL;
    if (!plain && !workflow)
        out = weir_pipeline_to_dataflow(&pipeline);
    else if (prepare(&pipeline))
        out = plain ? weir__pipeline_to_plain(&pipeline) : weir__pipeline_to_workflow(&pipeline);
    if (out && !plain) weir_value_unref(weir__pipeline_left_out(&pipeline));
    weir__pipeline_deinit(&pipeline);
    return out;
}

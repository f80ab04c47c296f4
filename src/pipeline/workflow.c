/* A pipeline as an Argo workflow: a DAG with a task for each component, whose template runs its command in an image. */
#include <ctype.h>
#include <stdio.h>

#include "data/json.h"
#include "expr/tag.h"
#include "pipeline/pipeline_internal.h"

#define IMAGE "debian:12-slim" /* of a command that names none */

/* What is written of each component. */
typedef struct writer {
    weir__pipeline *p;
    weir_str image;
    weir_str *names; /* of tasks and templates, by component */
    weir_map taken;
    const weir__component *component; /* whose tags are replaced */
    weir_value *ports;                /* its inputs: what they are called in the workflow */
} writer;

/* --- names ------------------------------------------------------------------------------------ */

/* What Argo allows, which nobody has yet: letters, digits, dashes, and underscores in parameters. */
static weir_str allowed_name(writer *w, weir_map *taken, weir_str name, bool parameter) {
    weir_buffer text = {0};
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        bool ok = isalnum((unsigned char)c) || (parameter && c == '_');
        weir_buffer_byte(&text, ok ? c : '-');
    }
    if (!text.length || !isalnum((unsigned char)text.data[0])) {
        weir_str rest =
            weir__pipeline_text(w->p, "x%.*s", (int)text.length, text.data ? text.data : "");
        weir_buffer_clear(&text);
        weir_buffer_str_append(&text, rest);
    }
    if (text.length > 60) text.length = 60;
    size_t length = text.length;
    for (unsigned n = 2; weir_map_get(taken, weir_buffer_str(&text), NULL); n++) {
        text.length = length;
        weir_buffer_printf(&text, "-%u", n);
    }
    weir_str kept = weir__pipeline_text(w->p, "%.*s", (int)text.length, text.data);
    weir_map_set(taken, kept, 0);
    weir_buffer_deinit(&text);
    return kept;
}

/* {name of an input of the pipeline: what it is called}; new reference. */
static weir_value *name_inputs(writer *w) {
    weir_map taken = {0};
    weir_value *names = weir_object_new();
    for (size_t i = 0; i < w->p->inputs.count; i++) {
        weir_str name = w->p->inputs.items[i].name;
        weir_member_set(names, name, weir_string_from(allowed_name(w, &taken, name, true)));
    }
    weir_map_deinit(&taken);
    return names;
}

/* --- values ----------------------------------------------------------------------------------- */

/* Which component makes the value, and what its task calls it: its text, or, when `json`, a member of that. */
static weir_str task_output(const writer *w, weir_str name, uint64_t maker, bool *json) {
    const weir__component *c = &w->p->components[maker - w->p->inputs.count];
    weir_str port = WEIR_STR("");
    for (size_t i = 0; i < c->outputs.count; i++)
        if (weir_str_equal(c->outputs.items[i].name, name)) port = c->outputs.items[i].key;
    bool code = weir_str_is(port, "exit_code");
    *json = !code && weir_str_is(weir_member_text(c->config, "format"), "json");
    return *json ? port : code ? WEIR_STR("exitCode") : WEIR_STR("outputs.result");
}

/* A tag that stands for the value; new reference. */
static weir_value *tag_of(const writer *w, const weir_value *inputs, weir_str name,
                          uint64_t maker) {
    bool json;
    weir_buffer text = {0};
    if (maker < w->p->inputs.count) {
        weir_buffer_printf(&text, "{{workflow.parameters.%.*s}}",
                           WEIR_ARG(weir_string_get(weir_member(inputs, name))));
    } else {
        weir_str task = w->names[maker - w->p->inputs.count];
        weir_str output = task_output(w, name, maker, &json);
        weir_buffer_printf(&text,
                           json ? "{{=fromJSON(tasks['%.*s'].outputs.result)['%.*s']}}"
                                : "{{tasks.%.*s.%.*s}}",
                           WEIR_ARG(task), WEIR_ARG(output));
    }
    weir_value *tag = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return tag;
}

static weir_value *parameter(weir_str name, const char *member, weir_value *value) {
    weir_value *made = weir_object_new();
    weir_member_put_text(made, "name", name);
    if (member) weir_member_put(made, member, value);
    return made;
}

static bool rename_input(void *arg, weir_str name, weir_buffer *out) {
    const writer *w = arg;
    weir_str prefix = WEIR_STR("inputs.");
    if (!weir_str_starts(name, prefix)) return false;
    const weir_value *port =
        weir_member(w->ports, weir_str_slice(name, prefix.length, name.length));
    if (port)
        weir_buffer_printf(out, "{{inputs.parameters.%.*s}}", WEIR_ARG(weir_string_get(port)));
    return port != NULL;
}

/* The value with the component's tags as Argo has them; new reference. */
static weir_value *with_tags(writer *w, weir_value *value) {
    weir_value *renamed = NULL;
    weir_error ignored; /* the same tags were replaced once, when the pipeline was wired */
    return weir_tag_render_value(value, rename_input, w, &renamed, &ignored)
               ? renamed
               : weir_value_ref(value);
}

/* --- templates -------------------------------------------------------------------------------- */

/* What a container has no place for. */
static void check_config(const writer *w, const weir__component *c) {
    static const char *const known[] = {"command", "format", "environment", "directory", "sandbox"};
    for (size_t i = 0; i < weir_value_count(c->config); i++) {
        size_t at = 0;
        weir_str key = weir_object_key(c->config, i);
        while (at < 5 && !weir_str_is(key, known[at])) at++;
        if (at == 5 || (at == 4 && !c->more->image.length))
            weir__pipeline_problem(w->p, c->more->config_entry ? c->more->config_entry : c->entry,
                                   WEIR_UNSUPPORTED, "%.*s: a workflow has no `config.%.*s`",
                                   WEIR_ARG(c->name), WEIR_ARG(key));
    }
    if (c->more->cache)
        weir__pipeline_problem(w->p, c->more->cache, WEIR_OK,
                               "%.*s: `cache` is left out: in a workflow `memoize` needs a key",
                               WEIR_ARG(c->name));
    if (c->more->freeze_us)
        weir__pipeline_problem(w->p, c->entry, WEIR_OK,
                               "%.*s: `freeze_after` is left out: a workflow has no such thing",
                               WEIR_ARG(c->name));
    if (!c->more->image.length && !w->image.length)
        weir_error_hint(weir__pipeline_problem(w->p, c->entry, WEIR_OK,
                                               "%.*s: names no image: in the workflow it is " IMAGE,
                                               WEIR_ARG(c->name)),
                        "--image NAME is another");
}

static weir_value *container_of(writer *w, const weir__component *c) {
    weir_value *container = weir_object_new(), *first = weir_array_new(), *rest = weir_array_new();
    weir_value *command = with_tags(w, weir_member_named(c->config, "command"));
    for (size_t i = 0; i < weir_value_count(command); i++)
        weir_array_append(i ? rest : first, weir_value_ref(weir_array_at(command, i)));
    weir_value_unref(command);
    weir_member_put_text(container, "image",
                         c->more->image.length ? c->more->image
                         : w->image.length     ? w->image
                                               : WEIR_STR(IMAGE));
    weir_member_put(container, "command", first);
    weir_member_put(container, "args", rest);
    weir_value *directory = weir_member_named(c->config, "directory"),
               *environment = weir_member_named(c->config, "environment");
    if (directory) weir_member_put(container, "workingDir", with_tags(w, directory));
    if (!weir_is(environment, WEIR_OBJECT)) return container;
    weir_value *list = weir_array_new(), *renamed = with_tags(w, environment);
    for (size_t i = 0; i < weir_value_count(renamed); i++)
        weir_array_append(list, parameter(weir_object_key(renamed, i), "value",
                                          weir_value_ref(weir_object_at(renamed, i))));
    weir_value_unref(renamed);
    weir_member_put(container, "env", list);
    return container;
}

/* As annotations, which are texts. */
static void put_estimate(weir_value *template, const weir_estimate *estimate) {
    weir_value *known = weir_estimate_to_value(estimate), *annotations = weir_object_new(),
               *metadata = weir_object_new();
    for (size_t i = 0; i < weir_value_count(known); i++) {
        weir_buffer name = {0}, text = {0};
        weir_buffer_printf(&name, "weir.estimate/%.*s", WEIR_ARG(weir_object_key(known, i)));
        weir_json_plain(weir_object_at(known, i), &text);
        weir_member_set(annotations, weir_buffer_str(&name),
                        weir_string_from(weir_buffer_str(&text)));
        weir_buffer_deinit(&name);
        weir_buffer_deinit(&text);
    }
    weir_member_put(metadata, "annotations", annotations);
    weir_member_put(template, "metadata", metadata);
    weir_value_unref(known);
}

/* As Kubernetes has quantities. */
static void put_resources(weir_value *container, const weir_resources *resources) {
    weir_value *requests = weir_object_new(), *holder = weir_object_new();
    char text[32];
    if (resources->memory_bytes) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)resources->memory_bytes);
        weir_member_put_text(requests, "memory", weir_str_from(text));
    }
    if (resources->cpu_milli) {
        snprintf(text, sizeof text, "%um", resources->cpu_milli);
        weir_member_put_text(requests, "cpu", weir_str_from(text));
    }
    weir_member_put(holder, "requests", requests);
    weir_member_put(container, "resources", holder);
}

/* As a pipeline has it, but that times are texts. */
static weir_value *retry_of(const weir__component *c) {
    weir_value *retry = weir_object_new();
    const weir_value *backoff =
        c->more->retries ? weir_member_named(c->more->retries->value, "backoff") : NULL;
    weir_member_put(retry, "limit",
                    c->more->retries
                        ? weir_value_ref(weir_member_named(c->more->retries->value, "limit"))
                        : weir_int_new(c->more->attempts - 1));
    weir_value *times = backoff ? weir_object_new() : NULL;
    bool object = weir_is(backoff, WEIR_OBJECT);
    for (size_t i = 0; times && i < (object ? weir_value_count(backoff) : 1); i++) {
        weir_str key = object ? weir_object_key(backoff, i) : WEIR_STR("duration");
        const weir_value *value = object ? weir_object_at(backoff, i) : backoff;
        weir_buffer text = {0};
        weir_json_plain(value, &text);
        weir_member_set(times, key, weir_string_from(weir_buffer_str(&text)));
        weir_buffer_deinit(&text);
    }
    if (times) weir_member_put(retry, "backoff", times);
    return retry;
}

static weir_value *template_of(writer *w, size_t at) {
    const weir__component *c = &w->p->components[at];
    weir_value *template = weir_object_new(), *inputs = weir_object_new(), *list = weir_array_new();
    weir_member_put_text(template, "name", w->names[at]);
    for (size_t i = 0; i < weir_value_count(w->ports); i++)
        weir_array_append(list,
                          parameter(weir_string_get(weir_object_at(w->ports, i)), NULL, NULL));
    weir_member_put(inputs, "parameters", list);
    if (weir_value_count(w->ports))
        weir_member_put(template, "inputs", inputs);
    else
        weir_value_unref(inputs);
    if (c->more->timeout_us)
        weir_member_put(template, "activeDeadlineSeconds",
                        weir_int_new((int64_t)((c->more->timeout_us - 1) / 1000000 + 1)));
    if (c->more->attempts > 1 || c->more->retries) {
        weir_value *retry = retry_of(c);
        weir_member_put(retry, "retryPolicy", weir_string_from(WEIR_STR("Always")));
        weir_member_put(template, "retryStrategy", retry);
    }
    if (weir_estimate_any(&c->more->estimate)) put_estimate(template, &c->more->estimate);
    weir_value *container = container_of(w, c);
    if (c->more->resources.memory_bytes || c->more->resources.cpu_milli)
        put_resources(container, &c->more->resources);
    weir_member_put(template, "container", container);
    return template;
}

static weir_value *task_of(const writer *w, size_t at, const weir_value *inputs) {
    const weir__component *c = &w->p->components[at];
    weir_value *task = weir_object_new(), *before = weir_array_new(), *list = weir_array_new(),
               *arguments = weir_object_new();
    weir_map seen = {0};
    weir_member_put_text(task, "name", w->names[at]);
    weir_member_put_text(task, "template", w->names[at]);
    for (size_t i = 0; i < c->inputs.count; i++) {
        const weir__entry *input = &c->inputs.items[i];
        weir_array_append(list, parameter(weir_string_get(weir_member(w->ports, input->key)),
                                          "value", tag_of(w, inputs, input->name, input->maker)));
        if (input->maker < w->p->inputs.count) continue;
        weir_str maker = w->names[input->maker - w->p->inputs.count];
        if (weir_map_get(&seen, maker, NULL)) continue;
        weir_map_set(&seen, maker, 0);
        weir_array_append(before, weir_string_from(maker));
    }
    weir_map_deinit(&seen);
    if (weir_value_count(before))
        weir_member_put(task, "dependencies", before);
    else
        weir_value_unref(before);
    weir_member_put(arguments, "parameters", list);
    if (c->inputs.count)
        weir_member_put(task, "arguments", arguments);
    else
        weir_value_unref(arguments);
    return task;
}

/* --- the whole ---------------------------------------------------------------------------------- */

/* Argo prints what an expression gives as Go does, which for a list is no JSON. */
static weir_value *value_from(const writer *w, const weir_value *inputs, weir_str name,
                              uint64_t maker) {
    bool json = false;
    weir_value *from = weir_object_new();
    weir_str output = WEIR_STR("");
    if (maker >= w->p->inputs.count) output = task_output(w, name, maker, &json);
    if (!json) {
        weir_member_put(from, "parameter", tag_of(w, inputs, name, maker));
        return from;
    }
    weir_buffer text = {0};
    weir_buffer_printf(
        &text,
        "let v = fromJSON(tasks['%.*s'].outputs.result)['%.*s']; type(v) == 'string' "
        "? v : toJson(v)",
        WEIR_ARG(w->names[maker - w->p->inputs.count]), WEIR_ARG(output));
    weir_member_put_text(from, "expression", weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return from;
}

static weir_value *outputs_of(writer *w, const weir_value *inputs) {
    weir_value *list = weir_array_new(), *outputs = weir_object_new();
    weir_map taken = {0};
    for (size_t i = 0; i < w->p->outputs.count; i++) {
        const weir__entry *output = &w->p->outputs.items[i];
        uint64_t maker = 0;
        (void)weir_map_get(&w->p->makers, output->name, &maker);
        weir_str name = allowed_name(w, &taken, output->key, true);
        weir_array_append(list,
                          parameter(name, "valueFrom", value_from(w, inputs, output->name, maker)));
    }
    weir_map_deinit(&taken);
    weir_member_put(outputs, "parameters", list);
    return outputs;
}

static weir_value *arguments_of(const weir_value *inputs) {
    weir_value *arguments = weir_object_new(), *list = weir_array_new();
    for (size_t i = 0; i < weir_value_count(inputs); i++)
        weir_array_append(list, parameter(weir_string_get(weir_object_at(inputs, i)), NULL, NULL));
    weir_member_put(arguments, "parameters", list);
    return arguments;
}

/* The names of a component's inputs in its template; new reference. */
static weir_value *name_ports(writer *w, const weir__component *c) {
    weir_map taken = {0};
    weir_value *ports = weir_object_new();
    for (size_t i = 0; i < c->inputs.count; i++) {
        weir_str port = c->inputs.items[i].key;
        weir_member_set(ports, port, weir_string_from(allowed_name(w, &taken, port, true)));
    }
    weir_map_deinit(&taken);
    return ports;
}

static bool check_components(writer *w) {
    size_t before = w->p->problems->total;
    for (size_t i = 0; i < w->p->count; i++) {
        const weir__component *c = &w->p->components[i];
        if (!c->wanted) continue;
        if (c->more->command)
            check_config(w, c);
        else
            weir__pipeline_problem(w->p, c->entry, WEIR_UNSUPPORTED,
                                   "%.*s: an operation cannot be in a workflow, only a command: "
                                   "`run: [command, argument…]`",
                                   WEIR_ARG(c->name));
    }
    return w->p->problems->total == before;
}

static weir_value *spec_of(writer *w, const weir_value *inputs) {
    weir_value *spec = weir_object_new(), *templates = weir_array_new(), *main = weir_object_new(),
               *dag = weir_object_new(), *tasks = weir_array_new();
    weir_str entrypoint = allowed_name(w, &w->taken, WEIR_STR("main"), false);
    weir_array_append(templates, main);
    for (size_t i = 0; i < w->p->count; i++)
        if (w->p->components[i].wanted)
            w->names[i] = allowed_name(w, &w->taken, w->p->components[i].name, false);
    for (size_t i = 0; i < w->p->count; i++) {
        if (!w->p->components[i].wanted) continue;
        w->ports = name_ports(w, &w->p->components[i]);
        weir_array_append(templates, template_of(w, i));
        weir_array_append(tasks, task_of(w, i, inputs));
        weir_value_unref(w->ports);
    }
    weir_member_put(dag, "tasks", tasks);
    weir_member_put_text(main, "name", entrypoint);
    weir_member_put(main, "dag", dag);
    if (w->p->outputs.count) weir_member_put(main, "outputs", outputs_of(w, inputs));
    weir_member_put_text(spec, "entrypoint", entrypoint);
    if (weir_value_count(inputs)) weir_member_put(spec, "arguments", arguments_of(inputs));
    weir_member_put(spec, "templates", templates);
    return spec;
}

weir_value *weir__pipeline_to_workflow(weir__pipeline *p) {
    writer w = {.p = p, .image = weir_member_text(p->request, "image")};
    if (!check_components(&w)) return NULL;
    w.names = weir_arena_alloc(&p->arena, (p->count + 1) * sizeof *w.names);
    weir_value *workflow = weir_object_new(), *metadata = weir_object_new();
    weir_value *inputs = name_inputs(&w);
    weir_buffer name = {0};
    weir_map none = {0};
    weir_str allowed = allowed_name(&w, &none, p->name, false);
    for (size_t i = 0; i < allowed.length; i++)
        weir_buffer_byte(&name, (char)tolower((unsigned char)allowed.data[i]));
    weir_buffer_byte(&name, '-');
    weir_member_put_text(metadata, "generateName", weir_buffer_str(&name));
    weir_member_put_text(workflow, "apiVersion", WEIR_STR("argoproj.io/v1alpha1"));
    weir_member_put_text(workflow, "kind", WEIR_STR("Workflow"));
    weir_member_put(workflow, "metadata", metadata);
    weir_member_put(workflow, "spec", spec_of(&w, inputs));
    weir_map_deinit(&none);
    weir_map_deinit(&w.taken);
    weir_buffer_deinit(&name);
    weir_value_unref(inputs);
    return workflow;
}

#include "workflow/status.h"

#include "base/map.h"
#include "workflow/load_internal.h"
#include "workflow/template.h"

static void put_true(weir_value *object, const char *name, bool value) {
    if (value) weir_member_put(object, name, weir_bool_new(true));
}

/* --- metadata and spec ------------------------------------------------------------------------------ */

static weir_value *label_object(const weir_value *metadata, const weir_value *status) {
    weir_value *own = weir_member_named(metadata, "labels"),
               *given = weir_member_named(status, "labels"), *labels = weir_object_new();
    const weir_value *sources[] = {own, given};
    for (size_t s = 0; s < 2; s++)
        for (size_t i = 0; weir_is(sources[s], WEIR_OBJECT) && i < weir_value_count(sources[s]);
             i++)
            weir_member_set(labels, weir_object_key(sources[s], i),
                            weir_value_ref(weir_object_at(sources[s], i)));
    bool over = weir_member_named(status, "finished");
    weir_str phase = weir_member_text(status, "phase");
    weir_member_put_text(labels, "workflows.argoproj.io/completed",
                         over ? WEIR_STR("true") : WEIR_STR("false"));
    weir_member_put_text(labels, "workflows.argoproj.io/phase",
                         weir_str_is(phase, "Suspended") ? WEIR_STR("Running") : phase);
    return labels;
}

static weir_value *metadata_object(const weir_value *source, const weir_value *status) {
    static const char *const copied[] = {"generateName", "annotations", NULL};
    const weir_value *own = weir_member_named(source, "metadata");
    weir_str space = weir_member_text(own, "namespace");
    weir_value *metadata = weir_object_new();
    weir_member_put_text(metadata, "name", weir_member_text(status, "name"));
    weir__copy_members(own, copied, metadata);
    weir_member_put_text(metadata, "namespace", space.length ? space : WEIR_STR("default"));
    weir_member_put_text(metadata, "uid", weir_member_text(status, "run"));
    weir__put_moment(metadata, "creationTimestamp", weir_member_count(status, "created"), false);
    weir_member_put(metadata, "labels", label_object(own, status));
    return metadata;
}

/* The file's, with the values that the run has. */
static weir_value *parameter_array(const weir_value *own, const weir__parameters *parameters) {
    static const char *const copied[] = {"default",   "enum",       "description",
                                         "valueFrom", "globalName", NULL};
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < parameters->count; i++) {
        const weir__parameter *p = &parameters->items[i];
        weir_value *parameter = weir_object_new();
        bool there = weir_is(own, WEIR_ARRAY) && i < weir_value_count(own);
        weir_member_put_text(parameter, "name", p->name);
        if (p->given) weir_member_put_text(parameter, "value", p->text);
        if (there) weir__copy_members(weir_array_at(own, i), copied, parameter);
        weir_array_append(list, parameter);
    }
    return list;
}

/* "Stopped with strategy 'Stop'" is what a run says that was stopped; empty of another. */
static weir_str shutdown_of(const weir_value *finish) {
    const weir_str before = WEIR_STR("Stopped with strategy '");
    weir_str message = weir_member_text(finish, "message");
    if (!weir_str_starts(message, before)) return WEIR_STR("");
    return weir_str_slice(message, before.length, message.length - 1);
}

/* Calls as they were written: a complete workflow calls each template by its name there (see load.h). */
typedef struct writing {
    const weir_value *all; /* templates */
    weir_map places;       /* by name; made for the first that was written inline */
} writing;

static weir_value *template_as_written(writing *w, const weir_value *template, bool inlined);

static weir_str last_part(weir_str name) {
    size_t from = name.length;
    while (from && name.data[from - 1] != '/') from--;
    return weir_str_slice(name, from, name.length);
}

static weir_value *find_inlined(writing *w, weir_str name) {
    uint64_t place;
    bool made = w->places.count > 0;
    for (size_t i = 0; !made && i < weir_value_count(w->all); i++)
        weir_map_set(&w->places, weir_member_text(weir_array_at(w->all, i), "name"), i);
    return weir_map_get(&w->places, name, &place) ? weir_array_at(w->all, place) : NULL;
}

static weir_value *name_as_written(weir_value *call, const char *member) {
    weir_str name = weir_member_text(call, member), last = last_part(name);
    bool elsewhere = weir_str_starts(name, WEIR_STR("namespaced/")) ||
                     weir_str_starts(name, WEIR_STR("cluster/"));
    return elsewhere ? weir__with(call, member, weir_string_from(last)) : call;
}

static weir_value *call_as_written(void *arg, weir_value *call, size_t index) {
    writing *w = arg;
    (void)index;
    weir_value *out = weir_value_ref(call);
    if (!weir_is(call, WEIR_OBJECT)) return out;
    weir_str name = weir_member_text(call, "template");
    const weir_value *hooks = weir__object_member(call, "hooks"),
                     *inlined =
                         weir_str_ends(name, WEIR_STR("/inline")) ? find_inlined(w, name) : NULL;
    if (weir__object_member(call, "templateRef"))
        out = name.length ? weir__without(out, "template") : out;
    else if (inlined)
        out = weir__with(weir__without(out, "template"), "inline",
                         template_as_written(w, inlined, true));
    else
        out = name_as_written(out, "template");
    if (hooks) out = weir__with(out, "hooks", weir__map_items(hooks, call_as_written, w));
    return name_as_written(out, "onExit");
}

static weir_value *group_as_written(void *arg, weir_value *group, size_t index) {
    (void)index;
    return weir_is(group, WEIR_ARRAY) ? weir__map_items(group, call_as_written, arg)
                                      : weir_value_ref(group);
}

static weir_value *template_as_written(writing *w, const weir_value *template, bool inlined) {
    const weir_value *steps = weir_member_named(template, "steps"),
                     *dag = weir__object_member(template, "dag"),
                     *tasks = weir_member_named(dag, "tasks");
    weir_value *out = weir_value_ref((weir_value *)template);
    if (weir_is(steps, WEIR_ARRAY))
        out = weir__with(out, "steps", weir__map_items(steps, group_as_written, w));
    if (weir_is(tasks, WEIR_ARRAY))
        out = weir__with(out, "dag",
                         weir__with(weir_value_ref((weir_value *)dag), "tasks",
                                    weir__map_items(tasks, call_as_written, w)));
    if (weir_member_named(out, "weir")) out = weir__without(out, "weir");
    return inlined ? weir__without(out, "name") : name_as_written(out, "name");
}

/* Those of the workflow itself, or (`stored`) {name: template} of those that it refers to: see load.h. Those that were written inline
 * stand where they were written; `fine`, to draw them, nobody looks at their calls. */
static weir_value *template_part(const weir_value *spec, bool stored, bool fine) {
    const weir_value *all = weir_member_named(spec, "templates");
    weir_value *part = stored ? weir_object_new() : weir_array_new();
    writing w = {.all = all};
    for (size_t i = 0; weir_is(all, WEIR_ARRAY) && i < weir_value_count(all); i++) {
        weir_value *template = weir_array_at(all, i);
        weir_str name = weir_member_text(template, "name");
        bool own = weir_str_find(name, WEIR_STR("/"), 0) == SIZE_MAX;
        bool referred = !own && !weir_str_ends(name, WEIR_STR("/inline"));
        if (!stored && own)
            weir_array_append(part, fine ? weir_value_ref(template)
                                         : template_as_written(&w, template, false));
        else if (stored && referred)
            weir_member_set(part, name,
                            fine ? weir_value_ref(template)
                                 : template_as_written(&w, template, false));
    }
    weir_map_deinit(&w.places);
    return part;
}

static weir_value *spec_object(const weir__workflow *workflow, const weir_value *request,
                               const weir_value *status, const weir_value *finish, bool fine) {
    static const char *const copied[] = {"artifacts", NULL};
    const weir_value *written =
                         weir_member_named(weir_member_named(workflow->source, "weir"), "spec"),
                     *own = written ? written : weir_member_named(workflow->source, "spec"),
                     *arguments = weir_member_named(own, "arguments");
    weir_str entrypoint = weir_member_text(request, "entrypoint"), shutdown = shutdown_of(finish);
    weir_value *spec = weir_object_new();
    for (size_t i = 0; weir_is(own, WEIR_OBJECT) && i < weir_value_count(own); i++)
        weir_member_set(spec, weir_object_key(own, i), weir_value_ref(weir_object_at(own, i)));
    if (weir_member_named(own, "templates"))
        weir_member_put(spec, "templates", template_part(own, false, fine));
    const weir_value *hooks = weir__object_member(own, "hooks");
    writing w = {.all = weir_member_named(own, "templates")};
    if (hooks && !fine) weir_member_put(spec, "hooks", weir__map_items(hooks, call_as_written, &w));
    weir_map_deinit(&w.places);
    if (entrypoint.length) weir_member_put_text(spec, "entrypoint", entrypoint);
    if (workflow->parameters.count) {
        weir_value *changed = weir_object_new();
        weir_member_put(
            changed, "parameters",
            parameter_array(weir_member_named(arguments, "parameters"), &workflow->parameters));
        weir__copy_members(arguments, copied, changed);
        weir_member_put(spec, "arguments", changed);
    }
    put_true(spec, "suspend", weir_str_is(weir_member_text(status, "phase"), "Suspended"));
    if (shutdown.length) weir_member_put_text(spec, "shutdown", shutdown);
    return spec;
}

/* Sets what a workflow keeps of templates that are not its own. */
static void put_stored(weir_value *out, const weir_value *source, bool fine) {
    const weir_value *spec = weir_member_named(source, "spec");
    weir_value *stored = template_part(spec, true, fine);
    if (weir_value_count(stored))
        weir_member_put(out, "storedTemplates", stored);
    else
        weir_value_unref(stored);
    if (!weir_member_named(weir_member_named(source, "weir"), "spec")) return;
    weir_value *merged = weir_value_own(weir_value_ref((weir_value *)spec));
    weir_member_put(merged, "templates", template_part(spec, false, fine));
    weir_member_put(out, "storedWorkflowTemplateSpec", merged);
}

static weir_value *status_object(const weir_value *source, const weir_value *status, weir_str scope,
                                 bool fine) {
    static const char *const copied[] = {"message", "outputs", NULL};
    static const char *const behind[] = {"synchronization", "persistentVolumeClaims",
                                         "artifactRepositoryRef", "artifactGCStatus", NULL};
    weir_value *out = weir_object_new();
    weir_str phase = weir_member_text(status, "phase");
    weir_member_put_text(out, "phase",
                         weir_str_is(phase, "Suspended") ? WEIR_STR("Running") : phase);
    weir__put_moment(out, "startedAt", weir_member_count(status, "created"), false);
    weir__put_moment(out, "finishedAt", weir_member_count(status, "finished"), false);
    weir__copy_members(status, copied, out);
    weir__put_nodes(out, status, weir_member_named(source, "spec"), scope, fine);
    put_stored(out, source, fine);
    weir__copy_members(status, behind, out);
    return out;
}

weir_value *weir_workflow_object(const weir_plan *plan, const weir_value *request,
                                 const weir_value *status, const weir_value *finish, bool fine) {
    const weir__workflow *workflow = (const weir__workflow *)plan;
    weir_str given = weir_member_text(weir_member_named(workflow->source, "weir"), "scope");
    weir_buffer scope = {0};
    weir_buffer_text(&scope, given.length ? "" : "local/");
    weir_buffer_str_append(&scope, given.length ? given : weir_member_text(status, "name"));
    weir_value *object = weir_object_new();
    weir_member_put_text(object, "apiVersion", WEIR_STR("argoproj.io/v1alpha1"));
    weir_member_put_text(object, "kind", WEIR_STR("Workflow"));
    weir_member_put(object, "metadata", metadata_object(workflow->source, status));
    weir_member_put(object, "spec", spec_object(workflow, request, status, finish, fine));
    weir_member_put(object, "status",
                    status_object(workflow->source, status, weir_buffer_str(&scope), fine));
    weir_buffer_deinit(&scope);
    return object;
}

#include "workflow/status.h"

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

/* Those of the workflow itself, or (`stored`) {name: template} of those that it refers to: see load.h. Those that were written inline
 * stand where they were written. */
static weir_value *template_part(const weir_value *spec, bool stored) {
    const weir_value *all = weir_member_named(spec, "templates");
    weir_value *part = stored ? weir_object_new() : weir_array_new();
    for (size_t i = 0; weir_is(all, WEIR_ARRAY) && i < weir_value_count(all); i++) {
        weir_value *template = weir_array_at(all, i);
        weir_str name = weir_member_text(template, "name");
        bool own = weir_str_find(name, WEIR_STR("/"), 0) == SIZE_MAX;
        bool referred = !own && !weir_str_ends(name, WEIR_STR("/inline"));
        if (!stored && own)
            weir_array_append(part, weir_value_ref(template));
        else if (stored && referred)
            weir_member_set(part, name, weir_value_ref(template));
    }
    return part;
}

static weir_value *spec_object(const weir__workflow *workflow, const weir_value *request,
                               const weir_value *status, const weir_value *finish) {
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
        weir_member_put(spec, "templates", template_part(own, false));
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
static void put_stored(weir_value *out, const weir_value *source) {
    const weir_value *spec = weir_member_named(source, "spec");
    weir_value *stored = template_part(spec, true);
    if (weir_value_count(stored))
        weir_member_put(out, "storedTemplates", stored);
    else
        weir_value_unref(stored);
    if (!weir_member_named(weir_member_named(source, "weir"), "spec")) return;
    weir_value *merged = weir_value_own(weir_value_ref((weir_value *)spec));
    weir_member_put(merged, "templates", template_part(spec, false));
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
    put_stored(out, source);
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
    weir_member_put(object, "spec", spec_object(workflow, request, status, finish));
    weir_member_put(object, "status",
                    status_object(workflow->source, status, weir_buffer_str(&scope), fine));
    weir_buffer_deinit(&scope);
    return object;
}

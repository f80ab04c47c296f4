/* Workflows that are made of something else: of a CronWorkflow, of a WorkflowTemplate, of a reference to one. */
#include "schedule/schedule.h"
#include "workflow/load_internal.h"

static weir_value *put_label(weir_value *metadata, const char *key, weir_str text) {
    weir_value *labels = weir_member_named(metadata, "labels");
    labels = weir_is(labels, WEIR_OBJECT) ? weir_value_ref(labels) : weir_object_new();
    return weir__with(metadata, "labels", weir__with(labels, key, weir_string_from(text)));
}

weir_value *weir__add_metadata(weir_value *metadata, const weir_value *more) {
    static const char *const members[] = {"labels", "annotations"};
    for (size_t m = 0; m < 2; m++) {
        const weir_value *given = weir__object_member(more, members[m]);
        weir_value *all = weir_member_named(metadata, members[m]);
        if (!given) continue;
        all = weir_is(all, WEIR_OBJECT) ? weir_value_ref(all) : weir_object_new();
        for (size_t i = 0; i < weir_value_count(given); i++) {
            weir_value *value = weir_object_at(given, i);
            if (!weir_is(value, WEIR_STRING) || weir__has_tag(weir_string_get(value))) continue;
            all = weir__with(all, weir_object_key(given, i).data, weir_value_ref(value));
        }
        metadata = weir__with(metadata, members[m], all);
    }
    return metadata;
}

weir_value *weir__metadata_copy(const weir_value *root) {
    weir_value *metadata = weir_member_named(root, "metadata");
    return weir_is(metadata, WEIR_OBJECT) ? weir_value_ref(metadata) : weir_object_new();
}

static weir_value *new_workflow(const weir_value *root, weir_value *metadata, weir_value *spec) {
    weir_value *workflow = weir_object_new();
    weir_member_put(workflow, "apiVersion", weir_value_ref(weir_member_named(root, "apiVersion")));
    weir_member_put_text(workflow, "kind", WEIR_STR("Workflow"));
    weir_member_put(workflow, "metadata", metadata);
    weir_member_put(workflow, "spec", spec);
    return workflow;
}

static weir_value *generated_metadata(weir__loader *l, const weir_value *root, const char *label) {
    weir_value *metadata = weir_object_new();
    weir_str name = weir_member_text(weir_member_named(root, "metadata"), "name");
    weir_member_put_text(metadata, "generateName",
                         weir_str_from(weir__load_text(l, "%.*s-", WEIR_ARG(name))));
    return name.length ? put_label(metadata, label, name) : metadata;
}

/* Its time zone is looked for when it is kept. */
static void check_schedule(weir__loader *l, const weir__source *source, const weir_value *spec) {
    weir_schedule schedule;
    weir_error error;
    const char *member = "";
    if (weir_schedule_read(spec, NULL, &schedule, &member, &error)) {
        weir_schedule_deinit(&schedule);
        return;
    }
    weir__load_problem(l, source, weir__load_text(l, "spec/%s", member), WEIR_STR(""), "%s",
                       error.message);
}

weir_value *weir__made_of_cron(weir__loader *l, const weir__source *source) {
    const weir_value *spec = weir_member_named(source->value, "spec");
    weir_value *inner = weir_member_named(spec, "workflowSpec");
    weir_value *metadata =
        generated_metadata(l, source->value, "workflows.argoproj.io/cron-workflow");
    l->fatal = !weir_is(inner, WEIR_OBJECT);
    if (l->fatal)
        weir__load_problem(l, source, "spec/workflowSpec", WEIR_STR(""),
                           "a CronWorkflow needs `workflowSpec`");
    if (weir_is(spec, WEIR_OBJECT)) check_schedule(l, source, spec);
    inner = weir_is(inner, WEIR_OBJECT) ? weir_value_ref(inner) : weir_object_new();
    weir_document_add_move(l->document, "spec", source->document, source->root,
                           "spec/workflowSpec");
    metadata = weir__add_metadata(metadata, weir_member_named(spec, "workflowMetadata"));
    return new_workflow(source->value, metadata, inner);
}

weir_value *weir__made_of_template(weir__loader *l, const weir__source *source, bool cluster) {
    weir_value *spec = weir_object_new(), *reference = weir_object_new();
    weir_member_put_text(reference, "name", source->name);
    if (cluster) weir_member_put(reference, "clusterScope", weir_bool_new(true));
    weir_member_put(spec, "workflowTemplateRef", reference);
    return new_workflow(
        source->value,
        generated_metadata(l, source->value, "workflows.argoproj.io/workflow-template"), spec);
}

/* --- a workflow of a WorkflowTemplate -------------------------------------------------------- */

typedef struct merging {
    weir__loader *l;
    const weir__source *over;
    const char *over_spec;
} merging;

static void note_taken(void *arg, const char *whole, const char *over) {
    const merging *m = arg;
    char *at = weir__load_text(m->l, "spec/%s", whole ? whole : "");
    char *path = weir__load_text(m->l, "%s/%s", m->over_spec, over ? over : "");
    weir_document_add_move(m->l->document, at, m->over->document, m->over->root, path);
}

weir_value *weir__made_of_reference(weir__loader *l, const weir__source *source, const char *own,
                                    weir_value *workflow, weir_str *scope) {
    weir_value *spec = weir_member_named(workflow, "spec");
    const weir_value *reference = weir__object_member(spec, "workflowTemplateRef");
    if (!reference) return workflow;
    char *path = weir__load_text(l, "%s/workflowTemplateRef/name", own);
    const weir_value *cluster_scope = weir_member_named(reference, "clusterScope");
    bool cluster = weir_is(cluster_scope, WEIR_BOOL) && weir_bool_get(cluster_scope);
    const char *kind = cluster ? "ClusterWorkflowTemplate" : "WorkflowTemplate";
    weir_str name = weir_member_text(reference, "name");
    const weir_value *templates = weir_member_named(spec, "templates");
    if (weir_is(templates, WEIR_ARRAY) && weir_value_count(templates))
        weir__load_problem(l, source, weir__load_text(l, "%s/templates", own), WEIR_STR(""),
                           "Templates is invalid field in spec if workflow referred "
                           "WorkflowTemplate reference");
    weir__source *base = weir__source_find(l, kind, name);
    if (base) weir__source_check(l, base);
    const weir_value *base_spec = base ? weir__object_member(base->value, "spec") : NULL;
    size_t before = l->problems->count;
    if (!base_spec) {
        weir__load_problem(l, source, path, weir__source_near(l, kind, name),
                           cluster ? "cluster workflow template %.*s not found"
                                   : "workflow template %.*s not found",
                           WEIR_ARG(name));
        weir__load_hint(l, before);
        l->fatal = true;
        return workflow;
    }
    if (weir__object_member(base_spec, "workflowTemplateRef"))
        weir__load_problem(l, base, "spec/workflowTemplateRef", WEIR_STR(""),
                           "a %s cannot refer to another", kind);
    weir_value *rest = weir__without(weir_value_ref(spec), "workflowTemplateRef");
    merging m = {l, source, own};
    weir_document_add_move(l->document, "spec", base->document, base->root, "spec");
    weir_value *merged =
        weir__without(weir__merge(base_spec, rest, note_taken, &m), "workflowTemplateRef");
    weir_value_unref(rest);
    *scope = WEIR_STR("local/");
    weir_value *metadata = put_label(weir__metadata_copy(workflow),
                                     cluster ? "workflows.argoproj.io/cluster-workflow-template"
                                             : "workflows.argoproj.io/workflow-template",
                                     name);
    workflow = weir__with(workflow, "metadata", metadata);
    return weir__with(workflow, "spec", merged);
}

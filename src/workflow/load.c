#include "workflow/load.h"

#include "data/json.h"
#include "workflow/load_internal.h"

static bool is_argo(const weir_value *root) {
    return weir_str_starts(weir_member_text(root, "apiVersion"), WEIR_STR("argoproj.io/"));
}

static bool is_kind(const weir_value *root, const char *kind) {
    return is_argo(root) && weir_str_is(weir_member_text(root, "kind"), kind);
}

bool weir_workflow_is_complete(const weir_value *root) {
    const weir_value *complete = weir_member_named(weir_member_named(root, "weir"), "complete");
    return weir_is(complete, WEIR_BOOL) && weir_bool_get(complete);
}

bool weir_workflow_is_checked(const weir_value *root) {
    return is_kind(root, "Workflow") || is_kind(root, "CronWorkflow") ||
           is_kind(root, "WorkflowTemplate") || is_kind(root, "ClusterWorkflowTemplate");
}

/* --- which document runs --------------------------------------------------------------------- */

static bool has_entrypoint(const weir_value *root, const weir_value *request) {
    return weir_member_text(request, "entrypoint").length ||
           weir_member_text(weir_member_named(root, "spec"), "entrypoint").length;
}

/* The root that runs; that of the first of a kind, and a second is a problem. SIZE_MAX: none. */
static size_t choose(weir__loader *l, const weir_document *file) {
    static const char *const kinds[] = {"Workflow", "CronWorkflow", "WorkflowTemplate",
                                        "ClusterWorkflowTemplate"};
    const weir_value *wanted = weir_member_named(l->request, "which");
    if (weir_is(wanted, WEIR_INT)) {
        uint64_t index = (uint64_t)weir_int_get(wanted);
        bool there =
            index < file->roots.count && weir_workflow_is_checked(file->roots.items[index]);
        return there ? index : SIZE_MAX;
    }
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        size_t found = SIZE_MAX;
        for (size_t i = 0; i < file->roots.count; i++) {
            const weir_value *root = file->roots.items[i];
            if (!is_kind(root, kinds[k]) || (k > 1 && !has_entrypoint(root, l->request))) continue;
            if (found != SIZE_MAX && k < 3)
                weir_document_problem(file, i, "", WEIR_INVALID, l->problems,
                                      "the file has a second %s: one can run", kinds[k]);
            if (found == SIZE_MAX) found = i;
        }
        if (found != SIZE_MAX) return found;
    }
    return SIZE_MAX;
}

/* What nothing in the file can be run is told at its first document. */
static void say_nothing_runs(weir__loader *l, const weir_document *file) {
    size_t at = 0;
    while (at + 1 < file->roots.count && !weir_workflow_is_checked(file->roots.items[at])) at++;
    if (!weir_workflow_is_checked(file->roots.items[at])) at = 0;
    weir_str kind = weir_member_text(file->roots.items[at], "kind");
    size_t before = l->problems->count;
    if (weir_workflow_is_checked(file->roots.items[at])) {
        weir_document_problem(file, at, "spec", WEIR_INVALID, l->problems,
                              "the %.*s has no entrypoint, so it cannot be run", WEIR_ARG(kind));
        if (l->problems->count > before)
            weir_error_hint(&l->problems->items[before],
                            "--entrypoint TEMPLATE, or --library for what refers to it");
    } else if (kind.length) {
        weir_document_problem(file, at, "kind", WEIR_UNSUPPORTED, l->problems,
                              "a `%.*s` cannot be run", WEIR_ARG(kind));
    } else {
        weir_document_problem(file, at, "", WEIR_INVALID, l->problems,
                              "there is no Workflow in this file");
    }
}

/* --- templates ------------------------------------------------------------------------------- */

static const char *const kinds[] = {"container", "containerSet", "steps",   "dag",  "script",
                                    "resource",  "data",         "suspend", "http", "plugin"};
enum { KINDS = sizeof kinds / sizeof *kinds };

static const char *kind_of(const weir_value *template) {
    for (size_t i = 0; i < KINDS; i++) {
        const weir_value *body = weir_member_named(template, kinds[i]);
        if (body && !weir_is(body, WEIR_NULL)) return kinds[i];
    }
    return NULL;
}

/* The defaults' kind counts for templates of that kind only. Takes the template over. */
static weir_value *add_defaults(weir__loader *l, weir_value *template) {
    const weir_value *own = weir_member_named(template, "retryStrategy");
    const char *kind = kind_of(template);
    if (l->defaults && kind) {
        weir_value *merged = weir__merge(l->defaults, template, NULL, NULL);
        weir_value_unref(template);
        for (size_t i = 0; i < KINDS; i++)
            if (kinds[i] != kind) merged = weir__without(merged, kinds[i]);
        template = merged;
        own = weir_member_named(template, "retryStrategy");
    }
    if (l->retry && (!own || weir_is(own, WEIR_NULL)))
        template = weir__with(template, "retryStrategy", weir_value_ref((weir_value *)l->retry));
    return template;
}

static weir_value *fill_inputs(weir__loader *l, const weir__entry *entry, weir_value *template) {
    const weir_value *inputs = weir__object_member(template, "inputs");
    const weir_value *list = weir_member_named(inputs, "parameters");
    if (!weir_is(list, WEIR_ARRAY) || !weir_value_count(list)) return template;
    const char *path = weir__load_text(l, "%s/inputs/parameters", entry->path);
    weir_value *filled = weir__fill_parameters(l, list, NULL, entry->source, path);
    weir_value *changed = weir__with(weir_value_ref((weir_value *)inputs), "parameters", filled);
    return weir__with(template, "inputs", changed);
}

static weir_value *say_origin(const weir__entry *entry, weir_value *template) {
    weir_value *origin = weir_object_new();
    const char *slash = strrchr(entry->key.data, '/');
    if (entry->scope)
        weir_member_put_text(origin, "scope",
                             weir_str_slice(entry->key, 0, (size_t)(slash - entry->key.data)));
    if (entry->inlined)
        weir_member_put(origin, "inline", weir_bool_new(true));
    else
        weir_member_put_text(origin, "name", weir_str_from(slash + 1));
    template = weir__with(template, "name", weir_string_from(entry->key));
    return weir__with(template, "weir", origin);
}

static weir_value *finish_template(weir__loader *l, size_t index) {
    const weir__entry *entry = &l->entries.items[index];
    weir_value *template = weir_value_ref(entry->value);
    if (!weir_is(template, WEIR_OBJECT)) return template;
    template = weir__pluralize(fill_inputs(l, entry, template));
    template = add_defaults(l, template);
    return entry->elsewhere ? say_origin(entry, template) : template;
}

/* Where a template of the workflow's own spec was written. */
static void add_own(weir__loader *l, const weir_value *list, const weir__source *source,
                    const char *own) {
    for (size_t i = 0; i < weir_value_count(list); i++) {
        weir_value *template = weir_array_at(list, i);
        *weir_vector_push(&l->entries) =
            (weir__entry){.value = weir_value_ref(template),
                          .key = weir_member_text(template, "name"),
                          .source = source,
                          .path = weir__load_text(l, "%s/templates/%zu", own, i)};
    }
}

/* All templates, those that are referred to behind the workflow's own: a new list, or the same. */
static weir_value *resolve_templates(weir__loader *l, weir_value *list, const weir__source *source,
                                     const char *own) {
    add_own(l, list, source, own);
    size_t count = weir_value_count(list);
    bool same = true;
    for (size_t i = 0; i < l->entries.count && i < WEIR__LOAD_TEMPLATES_MAX; i++)
        weir__resolve_entry(l, i);
    if (l->entries.count > WEIR__LOAD_TEMPLATES_MAX)
        weir__load_problem(l, source, own, WEIR_STR(""), "more than %d templates",
                           WEIR__LOAD_TEMPLATES_MAX);
    weir_value *all = weir_array_new();
    for (size_t i = 0; i < l->entries.count; i++) {
        const weir__entry *entry = &l->entries.items[i];
        weir_value *template = finish_template(l, i);
        same = same && i < count && template == weir_array_at(list, i);
        weir_array_append(all, template);
        if (entry->elsewhere)
            weir_document_add_move(l->document, weir__load_text(l, "spec/templates/%zu", i),
                                   entry->source->document, entry->source->root, entry->path);
    }
    if (!same) return all;
    weir_value_unref(all);
    return weir_value_ref(list);
}

/* --- the whole ------------------------------------------------------------------------------- */

static weir_value *resolve_spec(weir__loader *l, const weir_value *given,
                                const weir__source *source, const char *own) {
    weir_value *spec = weir_value_ref((weir_value *)given);
    weir_value *priority = weir_member_named(l->request, "priority");
    weir_value *templates = weir_member_named(spec, "templates");
    const weir_value *hooks = weir__object_member(spec, "hooks");
    const weir_value *arguments = weir__object_member(spec, "arguments");
    const weir_value *parameters = weir_member_named(arguments, "parameters");
    l->defaults = weir__object_member(spec, "templateDefaults");
    l->retry = weir__object_member(spec, "retryStrategy");
    spec = weir__pluralize(spec);
    if (priority) spec = weir__with(spec, "priority", weir_value_ref(priority));
    if (weir_is(parameters, WEIR_ARRAY)) {
        weir_value *filled =
            weir__fill_parameters(l, parameters, weir_member_named(l->request, "parameters"),
                                  source, weir__load_text(l, "%s/arguments/parameters", own));
        l->arguments = filled;
        weir_value *changed =
            weir__with(weir_value_ref((weir_value *)arguments), "parameters", filled);
        spec = weir__with(spec, "arguments", changed);
    }
    if (hooks)
        spec = weir__with(spec, "hooks", weir__resolve_hooks(l, source, (weir_value *)hooks));
    weir_value *none = weir_array_new();
    bool listed = weir_is(templates, WEIR_ARRAY);
    if (listed || l->entries.count)
        spec = weir__with(spec, "templates",
                          resolve_templates(l, listed ? templates : none, source, own));
    weir_value_unref(none);
    return spec;
}

static void put_weir(weir__loader *l, const weir__source *source, weir_value *workflow,
                     weir_str scope, const weir_value *written) {
    weir_value *extra = weir_object_new();
    weir_member_put(extra, "complete", weir_bool_new(true));
    if (scope.length && !has_entrypoint(workflow, l->request) &&
        !weir_str_is(source->kind, "Workflow"))
        weir_member_put(extra, "template", weir_bool_new(true));
    if (scope.length) weir_member_put_text(extra, "scope", scope);
    if (written) weir_member_put(extra, "spec", weir_value_ref((weir_value *)written));
    if (weir_value_count(l->config_maps))
        weir_member_put(extra, "configMaps", weir_value_ref(l->config_maps));
    if (weir_value_count(l->secrets)) weir_member_put(extra, "secrets", weir_value_ref(l->secrets));
    if (l->key_format.length) weir_member_put_text(extra, "keyFormat", l->key_format);
    weir_member_put(workflow, "weir", extra);
}

/* The complete workflow: a new reference, the root itself when nothing is to be done. */
static weir_value *complete(weir__loader *l, weir__source *source) {
    const char *own = "spec";
    weir__source_check(l, source);
    weir_str scope = {0};
    weir_value *workflow;
    weir_document_add_move(l->document, "", source->document, source->root, "");
    if (weir_str_is(source->kind, "CronWorkflow")) {
        workflow = weir__made_of_cron(l, source);
        own = "spec/workflowSpec";
    } else if (weir_str_is(source->kind, "Workflow")) {
        workflow = weir_value_ref(source->value);
    } else {
        workflow = weir__made_of_template(l, source, source->kind.data[0] == 'C');
    }
    weir_value *written = weir_value_ref(weir_member_named(workflow, "spec"));
    const weir_value *reference = weir__object_member(written, "workflowTemplateRef");
    const weir__source *from = source;
    workflow = weir__made_of_reference(l, source, own, workflow, &scope);
    if (scope.length) { /* its templates are the referred one's */
        bool cluster = weir_member_named(reference, "clusterScope") &&
                       weir_value_truth(weir_member_named(reference, "clusterScope"));
        from = weir__source_find(l, cluster ? "ClusterWorkflowTemplate" : "WorkflowTemplate",
                                 weir_member_text(reference, "name"));
        own = "spec";
    }
    const weir_value *spec = weir__object_member(workflow, "spec");
    if (spec) {
        const weir_value *more = weir_member_named(spec, "workflowMetadata");
        if (weir__object_member(spec, "workflowMetadata"))
            workflow = weir__with(workflow, "metadata",
                                  weir__add_metadata(weir__metadata_copy(workflow), more));
        workflow = weir__with(workflow, "spec", resolve_spec(l, spec, from, own));
    }
    weir__gather(l, weir_member_named(workflow, "spec"));
    weir__find_key_format(l, weir_member_named(workflow, "spec"));
    bool more =
        weir_value_count(l->config_maps) || weir_value_count(l->secrets) || l->key_format.length;
    if (workflow != source->document->roots.items[source->root] || more) {
        workflow = weir_value_own(workflow);
        put_weir(l, source, workflow, scope, scope.length ? written : NULL);
    }
    weir_value_unref(written);
    return workflow;
}

/* The document and the libraries become parts of the document. */
static void begin(weir_document *document, weir_document *library, size_t count) {
    weir_document whole = {.file = weir_str_dup(weir_str_from(document->file)),
                           .booleans = document->booleans};
    for (size_t i = 0; i <= count; i++) {
        weir_document_part *part = weir_alloc(sizeof *part);
        part->at = weir_str_dup(WEIR_STR(""));
        weir_document *from = i ? &library[i - 1] : document;
        part->document = *from;
        *from = (weir_document){0};
        *weir_vector_push(&whole.parts) = part;
    }
    *document = whole;
}

/* Nothing was to be done: the document is as it was read. */
static void undo(weir_document *document) {
    weir_document_part *part = document->parts.items[0];
    weir_document first = part->document;
    part->document = (weir_document){0};
    weir_document_deinit(document);
    *document = first;
}

static void free_loader(weir__loader *l) {
    for (size_t i = 0; i < l->entries.count; i++) weir_value_unref(l->entries.items[i].value);
    weir_vector_deinit(&l->entries);
    for (size_t i = 0; i < l->source_count; i++)
        if (l->sources[i].checked) weir_value_unref(l->sources[i].value);
    weir_map_deinit(&l->by_name);
    weir_map_deinit(&l->places);
    weir_map_deinit(&l->wanted);
    weir_value_unref(l->config_maps);
    weir_value_unref(l->secrets);
    weir_arena_deinit(&l->arena);
}

bool weir_workflow_load(weir_document *document, weir_document *library, size_t library_count,
                        const weir_value *request, bool kept, weir_problems *problems) {
    weir__loader l = {.document = document, .problems = problems, .request = request};
    weir_arena_init(&l.arena);
    begin(document, library, library_count);
    weir__sources_index(&l);
    const weir_document *file = &document->parts.items[0]->document;
    size_t at = choose(&l, file);
    if (at == SIZE_MAX) {
        say_nothing_runs(&l, file);
        free_loader(&l);
        return false;
    }
    weir_value *whole = complete(&l, &l.sources[at]);
    whole = weir__load_alone(whole, request, problems, document->file);
    bool same = whole == file->roots.items[at] && file->roots.count == 1;
    bool fatal = l.fatal;
    free_loader(&l);
    if (same) {
        weir_value_unref(whole);
        undo(document);
    } else {
        *weir_vector_push(&document->roots) = whole;
        if (kept) weir_json_format(whole, 0, &document->text);
    }
    return !fatal;
}

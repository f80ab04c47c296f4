#include "workflow/plan.h"

#include <stdio.h>

#include "base/time.h"
#include "workflow/coordinator.h"
#include "workflow/goal.h"
#include "workflow/template.h"

/* Fields that mean something only to Kubernetes, to a list of workflows or to the eye are not in these lists: they are
 * accepted. */
static const char *const unsupported_spec[] = {"executorPlugins", NULL};
static const char *const unsupported_template[] = {"hooks", NULL};
static const char *const unsupported_kinds[] = {"resource", NULL};

static void free_plan(weir_plan *plan) {
    weir__workflow *workflow = (weir__workflow *)plan;
    for (size_t i = 0; i < workflow->template_count; i++) {
        weir_value_unref(workflow->templates[i].config);
        weir_value_unref(workflow->templates[i].patched);
        weir_map_deinit(&workflow->templates[i].step_names);
    }
    weir_map_deinit(&workflow->template_names);
    weir_value_unref(workflow->source);
    weir_value_unref(workflow->limits);
    weir_value_unref(workflow->plugins);
    for (size_t i = 0; i < workflow->values.count; i++) weir_value_unref(workflow->values.items[i]);
    weir_vector_deinit(&workflow->values);
    weir_value_unref(workflow->metadata);
    weir_value_unref(workflow->volumes);
    weir_arena_deinit(&workflow->arena);
    weir_free(workflow);
}

/* --- templates ------------------------------------------------------------------------------ */

static const struct {
    const char *field;
    weir__kind kind;
    weir_type type;
} kinds[] = {{"container", WEIR__POD, WEIR_OBJECT},   {"script", WEIR__POD, WEIR_OBJECT},
             {"data", WEIR__POD, WEIR_OBJECT},        {"plugin", WEIR__PLUGIN, WEIR_OBJECT},
             {"http", WEIR__HTTP, WEIR_OBJECT},       {"suspend", WEIR__SUSPEND, WEIR_OBJECT},
             {"steps", WEIR__STEPS, WEIR_ARRAY},      {"dag", WEIR__DAG, WEIR_OBJECT},
             {"containerSet", WEIR__POD, WEIR_OBJECT}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static bool refuse_kinds(weir__compiler *c, const weir_value *source) {
    bool any = false;
    for (const char *const *field = unsupported_kinds; *field; field++) {
        if (!weir_member_named(source, *field)) continue;
        size_t mark = weir__enter(c, "%s", *field);
        weir__problem(c, WEIR_UNSUPPORTED,
                      strcmp(*field, "resource") == 0
                          ? "a `%s` template needs Kubernetes, and there is none here"
                          : "`%s` is not supported yet",
                      *field);
        weir__leave(c, mark);
        any = true;
    }
    return any;
}

static void refuse_no_kind(weir__compiler *c, weir_str name, const weir_value *source) {
    size_t before = c->problems->count;
    weir__problem(c, WEIR_INVALID,
                  "templates.%.*s template type unspecified. choose one of: container, script, "
                  "containerSet, data, plugin, suspend, steps, dag",
                  WEIR_ARG(name));
    if (c->problems->count > before &&
        (weir_member_named(source, "template") || weir_member_named(source, "templateRef")))
        weir_error_hint(&c->problems->items[before],
                        "since Argo 3 a template has no `template` or `templateRef`: call the "
                        "other one from a step");
}

/* What others need to know of a template before any body is compiled. */
static void compile_head(weir__compiler *c, weir__template *t, const weir_value *source,
                         size_t index) {
    char what[256];
    weir__refuse(c, source, unsupported_template);
    t->name = weir__name_field(c, source, &c->workflow->template_names, index, "templates");
    bool refused = refuse_kinds(c, source);
    t->inlined = weir_member_named(weir_member_named(source, "weir"), "inline") != NULL;
    c->workflow->inlines |= t->inlined;
    size_t found = 0;
    for (size_t i = 0; i < KINDS; i++) {
        if (!weir__field(c, source, kinds[i].field, kinds[i].type)) continue;
        t->kind = kinds[i].kind;
        found++;
    }
    if (found > 1 || (found && refused))
        weir__problem(c, WEIR_INVALID, "templates.%.*s multiple template types specified",
                      WEIR_ARG(t->name));
    else if (!found && !refused)
        refuse_no_kind(c, t->name, source);
    if (found != 1) t->kind = WEIR__UNKNOWN;
    size_t mark = weir__enter(c, "inputs");
    snprintf(what, sizeof what, "templates.%.*s.inputs.parameters", WEIR_ARG(t->name));
    t->inputs = weir__parameters_compile(c, weir__field(c, source, "inputs", WEIR_OBJECT),
                                         WEIR__INPUTS, what);
    snprintf(what, sizeof what, "templates.%.*s.inputs", WEIR_ARG(t->name));
    t->artifacts_in = weir__artifacts_compile(c, weir__field(c, source, "inputs", WEIR_OBJECT),
                                              WEIR__INPUTS, what);
    weir__leave(c, mark);
    mark = weir__enter(c, "outputs");
    snprintf(what, sizeof what, "templates.%.*s.outputs.parameters", WEIR_ARG(t->name));
    t->outputs = weir__parameters_compile(c, weir__field(c, source, "outputs", WEIR_OBJECT),
                                          WEIR__OUTPUTS, what);
    snprintf(what, sizeof what, "templates.%.*s.outputs", WEIR_ARG(t->name));
    t->artifacts_out = weir__artifacts_compile(c, weir__field(c, source, "outputs", WEIR_OBJECT),
                                               WEIR__OUTPUTS, what);
    weir__leave(c, mark);
}

/* Only who runs in a container writes files. */
static void check_paths(weir__compiler *c, const weir__template *t) {
    for (size_t i = 0; i < t->outputs.count; i++) {
        const weir__parameter *p = &t->outputs.items[i];
        if (!p->path.length || t->kind == WEIR__POD) continue;
        size_t mark = weir__enter(c, "outputs/parameters/%zu/valueFrom/path", i);
        const char *kind = t->kind == WEIR__STEPS ? "Steps" : t->kind == WEIR__DAG ? "DAG" : NULL;
        weir__problem(c, WEIR_INVALID,
                      kind ? "templates.%.*s.outputs.parameters.%.*s.parameter or expression must "
                             "be specified for %s templates"
                           : "templates.%.*s.outputs.parameters.%.*s.valueFrom.path is of "
                             "containers and scripts",
                      WEIR_ARG(t->name), WEIR_ARG(p->name), kind);
        weir__leave(c, mark);
    }
}

/* Only who is suspended can be given something. */
static void check_supplied(weir__compiler *c, const weir__template *t) {
    for (size_t i = 0; i < t->outputs.count; i++) {
        const weir__parameter *p = &t->outputs.items[i];
        if (p->supplied == (t->kind == WEIR__SUSPEND)) continue;
        size_t mark = weir__enter(c, "outputs/parameters/%zu/valueFrom", i);
        weir__problem(c, WEIR_INVALID,
                      t->kind == WEIR__SUSPEND
                          ? "templates.%.*s.outputs.parameters.%.*s: a suspend template's outputs "
                            "are supplied: `valueFrom: {supplied: {}}`"
                          : "templates.%.*s.outputs.parameters.%.*s.valueFrom.supplied is of "
                            "suspend templates",
                      WEIR_ARG(t->name), WEIR_ARG(p->name));
        weir__leave(c, mark);
    }
}

static void compile_suspension(weir__compiler *c, weir__template *t, const weir_value *source) {
    char what[256];
    weir_error error;
    uint64_t us;
    snprintf(what, sizeof what, "templates.%.*s.suspend", WEIR_ARG(t->name));
    weir__site site = {.template = t, .step = WEIR__NONE, .what = what};
    size_t mark = weir__enter(c, "suspend/duration");
    if (weir_member_named(source, "duration") &&
        weir__any_text(c, weir_member_named(source, "duration"), &t->duration)) {
        weir__check_text(c, &site, t->duration, NULL);
        if (weir_str_find(t->duration, WEIR_STR("{{"), 0) == SIZE_MAX && t->duration.length &&
            !weir_duration_parse(t->duration, &us, &error))
            weir__problem(c, WEIR_INVALID, "%s", error.message);
    }
    weir__leave(c, mark);
}

/* Whether every template has it that does not say it itself: where it means nothing, it is nothing. */
static bool is_default(const weir__compiler *c, const char *field) {
    const weir_value *spec = weir_member_named(c->document->roots.items[c->root], "spec");
    return weir_member_named(weir_member_named(spec, "templateDefaults"), field) != NULL;
}

/* What only a leaf may have, or only what is made of steps. */
static void refuse_limits(weir__compiler *c, const weir__template *t, const weir_value *source) {
    weir_str text;
    if (!is_default(c, "timeout") && weir__text_field(c, source, "timeout", &text) && text.length) {
        size_t mark = weir__enter(c, "timeout");
        weir__problem(c, WEIR_INVALID, "%s template doesn't support timeout field",
                      t->kind == WEIR__STEPS ? "Steps" : "DAG");
        weir__leave(c, mark);
    }
    if (!is_default(c, "activeDeadlineSeconds") &&
        weir__text_field(c, source, "activeDeadlineSeconds", &text)) {
        size_t mark = weir__enter(c, "activeDeadlineSeconds");
        weir__problem(c, WEIR_INVALID,
                      "templates.%.*s.activeDeadlineSeconds is only valid for leaf templates",
                      WEIR_ARG(t->name));
        weir__leave(c, mark);
    }
}

static void refuse_parallelism(weir__compiler *c, const weir__template *t,
                               const weir_value *source) {
    if (is_default(c, "parallelism") || !weir__field(c, source, "parallelism", WEIR_INT)) return;
    size_t mark = weir__enter(c, "parallelism");
    weir__problem(c, WEIR_INVALID,
                  "templates.%.*s.parallelism is only valid for steps and dag templates",
                  WEIR_ARG(t->name));
    weir__leave(c, mark);
}

static void compile_body(weir__compiler *c, weir__template *t, const weir_value *source) {
    if (t->kind == WEIR__UNKNOWN) return;
    check_supplied(c, t);
    check_paths(c, t);
    static const char *const of_pods[] = {"initContainers", "sidecars", NULL};
    if (t->kind != WEIR__POD) weir__refuse(c, source, of_pods);
    if (weir__is_leaf(t)) weir__compile_leaf(c, t, source);
    t->spec.priority = weir__compile_priority(c, source, "priority", c->pod_priority);
    weir__compile_estimate(c, t, source);
    if (weir__is_leaf(t) || t->kind == WEIR__SUSPEND) weir__check_artifacts(c, t, source);
    char what_locks[256];
    snprintf(what_locks, sizeof what_locks, "templates.%.*s:", WEIR_ARG(t->name));
    weir__site lock_site = {.template = t, .step = WEIR__NONE, .what = what_locks};
    weir__compile_locks(c, &lock_site, source, &t->locks);
    weir__compile_pending_timeout(c, &lock_site, source, &t->pending_timeout);
    weir__compile_metrics(c, source, &t->metrics);
    weir__compile_retry(c, t, source);
    weir__compile_memo(c, t, source);
    if (weir__is_leaf(t) || t->kind == WEIR__SUSPEND) refuse_parallelism(c, t, source);
    if (weir__is_leaf(t)) return;
    if (t->kind == WEIR__SUSPEND) {
        compile_suspension(c, t, weir_member_named(source, "suspend"));
        return;
    }
    t->parallelism = weir__compile_parallelism(c, source);
    t->stops_at_failure = weir__bool_field(c, source, "failFast", false);
    size_t mark;
    static const char *const daemon[] = {"daemon", NULL};
    weir__refuse(c, source, daemon);
    refuse_limits(c, t, source);
    if (t->kind == WEIR__STEPS) {
        mark = weir__enter(c, "steps");
        weir__compile_steps(c, t, weir_member_named(source, "steps"));
    } else {
        mark = weir__enter(c, "dag");
        weir__compile_dag(c, t, weir_member_named(source, "dag"));
    }
    weir__leave(c, mark);
    weir__check_artifacts(c, t, source);
    char what[256];
    snprintf(what, sizeof what, "templates.%.*s.outputs", WEIR_ARG(t->name));
    weir__site site = {.template = t, .step = (uint32_t)t->step_count, .what = what};
    for (size_t i = 0; i < t->outputs.count; i++) {
        const weir__parameter *p = &t->outputs.items[i];
        mark = weir__enter(c, "outputs/parameters/%zu/valueFrom/%s", i,
                           p->is_expression ? "expression" : "parameter");
        if (p->is_fixed)
            weir__problem(c, WEIR_INVALID,
                          "%s.parameters.%.*s: output parameters must have a "
                          "valueFrom specified",
                          what, WEIR_ARG(p->name));
        else if (p->is_expression)
            weir__check_expression(c, &site, p->text);
        else
            weir__check_text(c, &site, p->text, NULL);
        weir__leave(c, mark);
    }
}

/* Defaults of inputs may use the workflow's parameters. */
static void check_inputs(weir__compiler *c, weir__template *t, const weir_value *source) {
    char what[256];
    snprintf(what, sizeof what, "templates.%.*s.inputs", WEIR_ARG(t->name));
    const weir__parameters inputs = t->inputs;
    t->inputs = (weir__parameters){0};
    weir__site site = {.template = t, .step = WEIR__NONE, .what = what};
    const weir_value *list = weir_member_named(weir_member_named(source, "inputs"), "parameters");
    for (size_t i = 0; i < inputs.count; i++) {
        bool value = weir_member_named(weir_array_at(list, i), "value");
        size_t mark = weir__enter(c, "inputs/parameters/%zu/%s", i, value ? "value" : "default");
        weir__check_text(c, &site, inputs.items[i].text, NULL);
        weir__leave(c, mark);
    }
    t->inputs = inputs;
}

/* The annotation that says what its nodes are shown as. */
static void compile_display(weir__compiler *c, weir__template *t, const weir_value *source) {
    static const char key[] = "workflows.argoproj.io/display-name";
    const weir_value *annotations = weir__field(c, source, "annotations", WEIR_OBJECT);
    if (!annotations || !weir_member_named(annotations, key)) return;
    char what[256];
    snprintf(what, sizeof what, "templates.%.*s:", WEIR_ARG(t->name));
    weir__site site = {.template = t, .step = WEIR__NONE, .what = what};
    size_t mark = weir__enter(c, "annotations");
    weir_path_append(&c->path, weir_str_from(key));
    if (weir__any_text(c, weir_member_named(annotations, key), &t->display))
        weir__check_text(c, &site, t->display, NULL);
    weir__leave(c, mark);
}

static void compile_templates(weir__compiler *c, const weir_value *spec) {
    weir__workflow *workflow = c->workflow;
    const weir_value *list = weir__field(c, spec, "templates", WEIR_ARRAY);
    if (!list || weir_value_count(list) == 0) {
        weir__problem(c, WEIR_INVALID, "the workflow has no templates");
        return;
    }
    workflow->template_count = weir_value_count(list);
    workflow->templates =
        weir_arena_alloc(&workflow->arena, workflow->template_count * sizeof *workflow->templates);
    for (size_t i = 0; i < workflow->template_count; i++) {
        size_t mark = weir__enter(c, "templates/%zu", i);
        compile_head(c, &workflow->templates[i], weir_array_at(list, i), i);
        weir__leave(c, mark);
    }
    for (size_t i = 0; i < workflow->template_count; i++) {
        size_t mark = weir__enter(c, "templates/%zu", i);
        check_inputs(c, &workflow->templates[i], weir_array_at(list, i));
        compile_display(c, &workflow->templates[i], weir_array_at(list, i));
        compile_body(c, &workflow->templates[i], weir_array_at(list, i));
        weir__leave(c, mark);
    }
}

/* --- the workflow --------------------------------------------------------------------------- */

static void override_parameters(weir__compiler *c, const weir_value *given) {
    weir__parameters *have = &c->workflow->parameters;
    size_t more = weir_is(given, WEIR_OBJECT) ? weir_value_count(given) : 0;
    weir__parameters all = {.count = have->count};
    all.items = weir_arena_alloc(&c->workflow->arena, (have->count + more) * sizeof *all.items);
    if (have->count) memcpy(all.items, have->items, have->count * sizeof *all.items);
    for (size_t i = 0; i < more; i++) {
        weir_str name = weir_object_key(given, i), text;
        if (!weir__any_text(c, weir_object_at(given, i), &text)) continue;
        weir__parameter *p = (weir__parameter *)weir__parameter_find(&all, name);
        if (!p) {
            p = &all.items[all.count++];
            p->name = (weir_str){weir_str_copy(&c->workflow->arena, name), name.length};
        }
        p->text = text;
        p->given = true;
    }
    *have = all;
}

static void compile_arguments(weir__compiler *c, const weir_value *spec,
                              const weir_value *request) {
    size_t mark = weir__enter(c, "arguments");
    c->workflow->parameters = weir__parameters_compile(
        c, weir__field(c, spec, "arguments", WEIR_OBJECT), WEIR__ARGUMENTS, "spec.arguments");
    size_t own = c->workflow->parameters.count;
    const weir_value *given = weir_member_named(request, "parameters");
    override_parameters(c, given);
    const weir_value *list = weir_member_named(weir_member_named(spec, "arguments"), "parameters");
    static weir__template nowhere; /* there are no inputs and no steps to name */
    weir__site site = {.template = &nowhere, .step = WEIR__NONE, .what = "spec.arguments"};
    bool check = weir_member_named(request, "check") != NULL; /* values may come later */
    for (size_t i = 0; i < own; i++) {
        const weir__parameter *p = &c->workflow->parameters.items[i];
        size_t inner = weir__enter(c, "parameters/%zu", i);
        if (!p->given && !check)
            weir__problem(c, WEIR_INVALID,
                          "spec.arguments.%.*s.value or spec.arguments.%.*s.valueFrom is required",
                          WEIR_ARG(p->name), WEIR_ARG(p->name));
        else if (weir_is(given, WEIR_OBJECT) && weir_member(given, p->name))
            weir__check_enum(c, weir_array_at(list, i), p, "spec.arguments");
        weir__enter(c, "value");
        weir__check_text(c, &site, p->text, NULL);
        weir__leave(c, inner);
    }
    c->workflow->artifacts = weir__artifacts_compile(
        c, weir__field(c, spec, "arguments", WEIR_OBJECT), WEIR__ARGUMENTS, "spec.arguments");
    weir__check_references(c, &site, &c->workflow->artifacts);
    weir__leave(c, mark);
}

/* The entrypoint's inputs come from the workflow's parameters of the same names. */
static void compile_entry(weir__compiler *c, const weir_value *spec, const weir_value *request) {
    weir_str entry = weir_member_text(request, "entrypoint");
    uint64_t index;
    size_t mark = weir__enter(c, "entrypoint");
    const weir_value *root = c->document->roots.items[c->root];
    bool template = weir_member_named(weir_member_named(root, "weir"), "template") != NULL;
    if (!entry.length && !weir__text_field(c, spec, "entrypoint", &entry)) {
        if (!template) weir__problem(c, WEIR_INVALID, "spec.entrypoint is required");
    } else if (!weir_map_get(&c->workflow->template_names, entry, &index)) {
        size_t before = c->problems->count;
        weir__problem(c, WEIR_INVALID, "spec.entrypoint template name '%.*s' undefined",
                      WEIR_ARG(entry));
        weir__hint_template(c, before, entry);
    } else {
        const weir__template *t = &c->workflow->templates[index];
        c->workflow->entry.template = (uint32_t)index;
        for (size_t i = 0; i < t->inputs.count; i++) {
            const weir__parameter *input = &t->inputs.items[i];
            if (!input->given && !weir__parameter_find(&c->workflow->parameters, input->name))
                weir__problem(c, WEIR_INVALID,
                              "templates.%.*s inputs.parameters.%.*s was not supplied",
                              WEIR_ARG(t->name), WEIR_ARG(input->name));
        }
        for (size_t i = 0; i < t->artifacts_in.count; i++) {
            const weir__artifact *a = &t->artifacts_in.items[i];
            if (!a->optional && !a->located &&
                !weir__artifact_by_name(&c->workflow->artifacts, a->name))
                weir__problem(c, WEIR_INVALID,
                              "templates.%.*s inputs.artifacts.%.*s was not supplied",
                              WEIR_ARG(t->name), WEIR_ARG(a->name));
        }
    }
    weir__leave(c, mark);
    c->workflow->entry.name = c->workflow->name;
    c->workflow->entry.arguments = c->workflow->parameters;
    c->workflow->entry.artifacts = c->workflow->artifacts;
    static weir__template nowhere;
    weir__site site = {.template = &nowhere, .step = WEIR__NONE, .what = "spec"};
    weir__compile_locks(c, &site, spec, &c->workflow->locks);
    weir__compile_metrics(c, spec, &c->workflow->metrics);
    weir__compile_hooks(c, &site, &c->workflow->entry, spec);
}

/* Those of the file, or as a request has them: with what was given beside the file. */
static void take_labels(weir__compiler *c, const weir_value *request) {
    weir_value *labels = request ? weir_member_named(request, "labels") : NULL;
    if (weir_is(labels, WEIR_OBJECT))
        weir_member_put(c->workflow->metadata, "labels", weir_value_ref(labels));
}

/* When it was to begin, as the annotation has it that Argo makes of it. */
static void take_scheduled_time(weir__compiler *c, const weir_value *request) {
    static const char key[] = "workflows.argoproj.io/scheduled-time";
    weir_str given = weir_member_text(request, "scheduled_time");
    const weir_value *annotations = weir_member_named(c->workflow->metadata, "annotations");
    weir_str text = given.length ? given : weir_member_text(annotations, key);
    if (text.length) weir_member_put_text(c->workflow->metadata, "scheduledTime", text);
}

/* What tags may ask of the workflow itself. */
static void compile_facts(weir__compiler *c, const weir_value *metadata, const weir_value *spec) {
    static const struct {
        const char *name, *otherwise;
        bool in_spec;
    } facts[] = {{"namespace", "default", false},
                 {"serviceAccountName", "default", true},
                 {"priority", "0", true}};
    weir_value *all = weir_object_new();
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        weir_str text = weir_str_from(facts[i].otherwise);
        size_t mark = weir__enter(c, facts[i].in_spec ? "spec" : "metadata");
        (void)weir__text_field(c, facts[i].in_spec ? spec : metadata, facts[i].name, &text);
        weir__leave(c, mark);
        weir_member_put(all, facts[i].name, weir_string_from(text));
    }
    static const char *const kept[] = {"labels", "annotations"};
    for (size_t i = 0; i < 2; i++) {
        weir_value *texts = metadata ? weir_member_named(metadata, kept[i]) : NULL;
        if (weir_is(texts, WEIR_OBJECT)) weir_member_put(all, kept[i], weir_value_ref(texts));
    }
    c->workflow->metadata = all;
}

/* What `workflowMetadata` adds to the workflow's own labels and annotations. */
static void add_metadata(weir__compiler *c, const weir_value *added, const char *kind) {
    weir_value *texts = weir__field(c, added, kind, WEIR_OBJECT), *all = weir_object_new();
    weir_value *own = weir_member_named(c->workflow->metadata, kind);
    for (size_t i = 0; own && i < weir_value_count(own); i++)
        weir_member_set(all, weir_object_key(own, i), weir_value_ref(weir_object_at(own, i)));
    for (size_t i = 0; texts && i < weir_value_count(texts); i++) {
        weir_str text;
        if (weir__any_text(c, weir_object_at(texts, i), &text))
            weir_member_set(all, weir_object_key(texts, i), weir_string_from(text));
    }
    weir_member_put(c->workflow->metadata, kind, all);
}

/* `labelsFrom`: expressions over the workflow's name and parameters. */
static void add_labels_from(weir__compiler *c, const weir_value *from) {
    weir_value *labels = weir_member_named(c->workflow->metadata, "labels");
    for (size_t i = 0; from && i < weir_value_count(from); i++) {
        weir_str text = WEIR_STR("");
        weir_buffer label = {0};
        weir_error error;
        size_t mark = weir__enter(c, "labelsFrom");
        weir_path_append(&c->path, weir_object_key(from, i));
        if (!weir__text_field(c, weir_object_at(from, i), "expression", &text))
            weir__problem(c, WEIR_INVALID, "labelsFrom needs an `expression`");
        else if (!weir__expression_of_workflow(c->workflow, text, &label, &error))
            weir__problem(c, WEIR_INVALID, "%s", error.message);
        else
            weir_member_set(labels, weir_object_key(from, i),
                            weir_string_from(weir_buffer_str(&label)));
        weir_buffer_deinit(&label);
        weir__leave(c, mark);
    }
}

static void compile_metadata(weir__compiler *c, const weir_value *spec) {
    const weir_value *added = weir__field(c, spec, "workflowMetadata", WEIR_OBJECT);
    size_t mark = weir__enter(c, "workflowMetadata");
    add_metadata(c, added, "labels");
    add_metadata(c, added, "annotations");
    add_labels_from(c, weir__field(c, added, "labelsFrom", WEIR_OBJECT));
    weir__leave(c, mark);
}

static void compile_name(weir__compiler *c, const weir_value *root, const weir_value *request) {
    size_t mark = weir__enter(c, "metadata");
    const weir_value *metadata = weir__field(c, root, "metadata", WEIR_OBJECT);
    weir_str name = weir_member_text(request, "name");
    if (!name.length && !weir__text_field(c, metadata, "name", &name) &&
        !weir__text_field(c, metadata, "generateName", &name))
        name = WEIR_STR("workflow");
    c->workflow->name = (weir_str){weir_str_copy(&c->workflow->arena, name), name.length};
    weir__leave(c, mark);
    compile_facts(c, metadata, weir_member_named(root, "spec"));
    take_labels(c, request);
    take_scheduled_time(c, request);
}

static bool is_workflow(const weir_value *root) {
    return weir_str_is(weir_member_text(root, "kind"), "Workflow") &&
           weir_str_starts(weir_member_text(root, "apiVersion"), WEIR_STR("argoproj.io/"));
}

static bool find_workflow(weir__compiler *c) {
    size_t count = c->document->roots.count, first_at = count;
    for (size_t i = 0; i < count; i++) {
        if (!is_workflow(c->document->roots.items[i])) continue;
        c->root = i;
        if (first_at < count)
            weir__problem(c, WEIR_INVALID, "the file has a second Workflow: one can run");
        else
            first_at = i;
    }
    c->root = first_at < count ? first_at : 0;
    if (first_at < count) return true;
    const weir_value *first = c->document->roots.count ? c->document->roots.items[0] : NULL;
    size_t mark = weir__enter(c, "kind");
    weir_str kind = weir_member_text(first, "kind");
    if (kind.length)
        weir__problem(c, WEIR_UNSUPPORTED, "a `%.*s` is not supported yet", WEIR_ARG(kind));
    else
        weir__problem(c, WEIR_INVALID, "there is no Workflow in this file");
    weir__leave(c, mark);
    return false;
}

/* 0 is as if it were absent. */
static void compile_deadline(weir__compiler *c, const weir_value *spec) {
    const weir_value *seconds = weir__field(c, spec, "activeDeadlineSeconds", WEIR_INT);
    if (!seconds) return;
    size_t mark = weir__enter(c, "activeDeadlineSeconds");
    uint64_t us;
    if (weir_int_get(seconds) < 0)
        weir__problem(c, WEIR_INVALID, "a deadline cannot be negative");
    else if (__builtin_mul_overflow((uint64_t)weir_int_get(seconds), 1000 * 1000, &us))
        weir__problem(c, WEIR_INVALID, "the deadline is too long");
    else
        c->workflow->plan.deadline_us = us;
    weir__leave(c, mark);
}

/* How a run of it begins: suspended, or ended at once. */
static void compile_beginning(weir__compiler *c, const weir_value *spec) {
    weir_str shutdown = WEIR_STR("");
    c->workflow->begins_suspended = weir__bool_field(c, spec, "suspend", false);
    (void)weir__text_field(c, spec, "shutdown", &shutdown);
    c->workflow->begins_stopped = weir_str_is(shutdown, "Stop");
    c->workflow->begins_terminated = weir_str_is(shutdown, "Terminate");
}

bool weir_workflow_begins_suspended(const weir_plan *plan) {
    return strcmp(plan->kind, "workflow") == 0 && ((const weir__workflow *)plan)->begins_suspended;
}

bool weir_workflow_begins_cancelled(const weir_plan *plan, bool *terminated) {
    if (strcmp(plan->kind, "workflow") != 0) return false;
    const weir__workflow *workflow = (const weir__workflow *)plan;
    *terminated = workflow->begins_terminated;
    return workflow->begins_stopped || workflow->begins_terminated;
}

static weir_plan *compile_whole(const weir_document *document, const weir_value *request,
                                const weir_registry *registry, weir_problems *problems) {
    weir__workflow *workflow = weir_alloc(sizeof *workflow);
    workflow->key_format = WEIR_STR("{{workflow.name}}/{{pod.name}}");
    workflow->plan = (weir_plan){.kind = "workflow",
                                 .coordinator = weir__coordinator_new,
                                 .free = free_plan,
                                 .refs = 1,
                                 .forecast = weir__workflow_forecast,
                                 .identify = weir__workflow_identify};
    weir_arena_init(&workflow->arena);
    weir__compiler c = {
        .document = document, .problems = problems, .registry = registry, .workflow = workflow};
    weir_str executor = weir_member_text(request, "executor");
    workflow->executor = (weir_str){weir_str_copy(&workflow->arena, executor), executor.length};
    weir_str pull = weir_member_text(request, "pull"),
             network = weir_member_text(request, "network");
    workflow->pull = (weir_str){weir_str_copy(&workflow->arena, pull), pull.length};
    workflow->network = (weir_str){weir_str_copy(&workflow->arena, network), network.length};
    workflow->allow_host_path = weir_member_named(request, "allow_host_path") ||
                                weir_member_named(request, "check"); /* who runs it says so */
    size_t before = problems->total;
    if (find_workflow(&c)) {
        weir_value *root = document->roots.items[c.root];
        workflow->source = weir_value_ref(root);
        compile_name(&c, root, request);
        const weir_value *spec = weir__field(&c, root, "spec", WEIR_OBJECT);
        size_t mark = weir__enter(&c, "spec");
        weir__refuse(&c, spec, unsupported_spec);
        compile_deadline(&c, spec);
        compile_beginning(&c, spec);
        workflow->parallelism = weir__compile_parallelism(&c, spec);
        c.pod_priority = weir__compile_priority(&c, spec, "podPriority", 0);
        workflow->limits =
            weir_value_ref(weir_member_named(weir_member_named(request, "workflow"), "semaphores"));
        workflow->plugins =
            weir_value_ref(weir_member_named(weir_member_named(request, "workflow"), "plugins"));
        workflow->resume_after_us = weir_member_count(request, "resume_after_us");
        compile_arguments(&c, spec, request);
        weir__compile_garbage(&c, spec);
        weir_str format = weir_member_text(weir_member_named(root, "weir"), "keyFormat");
        if (format.length) workflow->key_format = format; /* its source lives as long */
        compile_metadata(&c, spec);
        weir__compile_volumes(&c, spec);
        workflow->archives_logs = weir__bool_field(&c, spec, "archiveLogs", false);
        compile_templates(&c, spec);
        compile_entry(&c, spec, request);
        weir__leave(&c, mark);
    }
    weir_buffer_deinit(&c.path);
    weir_map_deinit(&c.patched);
    if (problems->total == before) return &workflow->plan;
    free_plan(&workflow->plan);
    return NULL;
}

static void say_left_out(const weir_document *document, size_t root, const char *path,
                         const weir_value *names, weir_problems *problems) {
    enum { NAMED = 10 };
    weir_buffer text = {0};
    size_t count = weir_value_count(names), warnings = problems->warnings.count;
    for (size_t i = 0; i < count && i < NAMED; i++)
        weir_buffer_printf(&text, "%s`%.*s`", i ? ", " : "",
                           WEIR_ARG(weir_string_get(weir_array_at(names, i))));
    if (count > NAMED) weir_buffer_printf(&text, " and %zu more", count - NAMED);
    weir_document_problem(document, root, path, WEIR_OK, problems, "left out: %s lead%s to no goal",
                          text.data, count == 1 ? "s" : "");
    if (problems->warnings.count > warnings)
        weir_error_hint(&problems->warnings.items[warnings], "--keep-all runs %s too",
                        count == 1 ? "it" : "them");
    weir_buffer_deinit(&text);
}

/* The plan of what leads to the request's goals; takes `whole` over. What was warned of it stays said. */
static weir_plan *compile_goals(weir_plan *whole, const weir_document *document,
                                const weir_value *request, const weir_registry *registry,
                                weir_problems *problems) {
    weir_document narrowed;
    weir_problems again = {0};
    weir_value *left_out = NULL;
    weir_buffer path = {0};
    const weir__workflow *workflow = (const weir__workflow *)whole;
    size_t before = problems->total, root = 0;
    while (document->roots.items[root] != workflow->source) root++;
    weir_value *wanted =
        weir__workflow_narrow(workflow, request, document->file, &left_out, &path, problems);
    if (!wanted && problems->total == before) return whole;
    weir_plan_unref(whole);
    if (!wanted) return NULL;
    weir_document_copy(document, &narrowed);
    weir_value_unref(narrowed.roots.items[root]);
    narrowed.roots.items[root] = wanted;
    weir_value *asked = weir_value_own(weir_value_ref((weir_value *)request));
    weir_str entry = weir_member_text(weir_member_named(wanted, "spec"), "entrypoint");
    weir_member_put_text(asked, "entrypoint", entry);
    weir_plan *plan = compile_whole(&narrowed, asked, registry, &again);
    weir_value_unref(asked);
    for (size_t i = 0; i < again.count; i++) weir_problems_add(problems, &again.items[i]);
    if (plan && left_out) say_left_out(document, root, path.data, left_out, problems);
    if (plan)
        plan->left_out = left_out;
    else
        weir_value_unref(left_out);
    weir_problems_deinit(&again);
    weir_document_deinit(&narrowed);
    weir_buffer_deinit(&path);
    return plan;
}

weir_plan *weir_workflow_compile(const weir_document *document, const weir_value *request,
                                 const weir_registry *registry, weir_problems *problems) {
    weir_plan *plan = compile_whole(document, request, registry, problems);
    const weir_value *goals = weir_member_named(request, "goals");
    bool template = plan && ((const weir__workflow *)plan)->template_count == 0;
    if (plan && !template && weir_is(goals, WEIR_ARRAY) && weir_value_count(goals))
        return compile_goals(plan, document, request, registry, problems);
    return plan;
}

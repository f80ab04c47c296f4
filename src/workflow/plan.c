#include "workflow/plan.h"

#include <stdio.h>

#include "workflow/coordinator.h"
#include "workflow/template.h"

/* Fields that mean something only to Kubernetes, to a list of workflows or to the eye are not in these lists: they are
 * accepted. */
static const char *const unsupported_spec[] = {"onExit",
                                               "hooks",
                                               "parallelism",
                                               "suspend",
                                               "shutdown",
                                               "retryStrategy",
                                               "templateDefaults",
                                               "workflowTemplateRef",
                                               "synchronization",
                                               "volumes",
                                               "volumeClaimTemplates",
                                               "podSpecPatch",
                                               "metrics",
                                               "executorPlugins",
                                               NULL};
static const char *const unsupported_template[] = {
    "retryStrategy",  "volumes",  "sidecars",     "initContainers", "synchronization", "metrics",
    "parallelism",    "failFast", "podSpecPatch", "templateRef",    "template",        "hooks",
    "pendingTimeout", NULL};
static const char *const unsupported_kinds[] = {"suspend", "containerSet", "data",
                                                "http",    "resource",     NULL};

static void free_plan(weir_plan *plan) {
    weir__workflow *workflow = (weir__workflow *)plan;
    for (size_t i = 0; i < workflow->template_count; i++) {
        weir_value_unref(workflow->templates[i].config);
        weir_map_deinit(&workflow->templates[i].step_names);
    }
    weir_map_deinit(&workflow->template_names);
    weir_arena_deinit(&workflow->arena);
    weir_free(workflow);
}

/* --- templates ------------------------------------------------------------------------------ */

static const struct {
    const char *field;
    weir__kind kind;
    weir_type type;
} kinds[] = {{"container", WEIR__POD, WEIR_OBJECT},
             {"script", WEIR__POD, WEIR_OBJECT},
             {"plugin", WEIR__PLUGIN, WEIR_OBJECT},
             {"steps", WEIR__STEPS, WEIR_ARRAY},
             {"dag", WEIR__DAG, WEIR_OBJECT}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static bool refuse_kinds(weir__compiler *c, const weir_value *source) {
    bool any = false;
    for (const char *const *field = unsupported_kinds; *field; field++) {
        if (!weir_member_named(source, *field)) continue;
        size_t mark = weir__enter(c, "%s", *field);
        weir__problem(c, WEIR_UNSUPPORTED, "`%s` is not supported yet", *field);
        weir__leave(c, mark);
        any = true;
    }
    return any;
}

/* What others need to know of a template before any body is compiled. */
static void compile_head(weir__compiler *c, weir__template *t, const weir_value *source,
                         size_t index) {
    char what[256];
    weir__refuse(c, source, unsupported_template);
    t->name = weir__name_field(c, source, &c->workflow->template_names, index, "templates");
    bool refused = refuse_kinds(c, source);
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
        weir__problem(c, WEIR_INVALID,
                      "templates.%.*s template type unspecified. choose one of: container, script, "
                      "plugin, steps, dag",
                      WEIR_ARG(t->name));
    if (found != 1) t->kind = WEIR__UNKNOWN;
    size_t mark = weir__enter(c, "inputs");
    snprintf(what, sizeof what, "templates.%.*s.inputs.parameters", WEIR_ARG(t->name));
    t->inputs = weir__parameters_compile(c, weir__field(c, source, "inputs", WEIR_OBJECT),
                                         WEIR__INPUTS, what);
    weir__leave(c, mark);
    mark = weir__enter(c, "outputs");
    snprintf(what, sizeof what, "templates.%.*s.outputs.parameters", WEIR_ARG(t->name));
    t->outputs = weir__parameters_compile(c, weir__field(c, source, "outputs", WEIR_OBJECT),
                                          WEIR__OUTPUTS, what);
    weir__leave(c, mark);
}

static void compile_body(weir__compiler *c, weir__template *t, const weir_value *source) {
    if (t->kind == WEIR__UNKNOWN) return;
    if (weir__is_leaf(t)) weir__compile_leaf(c, t, source);
    weir__compile_memo(c, t, source);
    if (weir__is_leaf(t)) return;
    size_t mark;
    static const char *const deadlines[] = {"timeout", "activeDeadlineSeconds", "daemon", NULL};
    weir__refuse(c, source, deadlines);
    if (t->kind == WEIR__STEPS) {
        mark = weir__enter(c, "steps");
        weir__compile_steps(c, t, weir_member_named(source, "steps"));
    } else {
        mark = weir__enter(c, "dag");
        weir__compile_dag(c, t, weir_member_named(source, "dag"));
    }
    weir__leave(c, mark);
    char what[256];
    snprintf(what, sizeof what, "templates.%.*s.outputs", WEIR_ARG(t->name));
    weir__site site = {t, (uint32_t)t->step_count, what};
    for (size_t i = 0; i < t->outputs.count; i++) {
        mark = weir__enter(c, "outputs/parameters/%zu/valueFrom/parameter", i);
        weir__check_text(c, &site, t->outputs.items[i].text, NULL);
        weir__leave(c, mark);
    }
}

/* Defaults of inputs may use the workflow's parameters. */
static void check_inputs(weir__compiler *c, weir__template *t, const weir_value *source) {
    char what[256];
    snprintf(what, sizeof what, "templates.%.*s.inputs", WEIR_ARG(t->name));
    const weir__parameters inputs = t->inputs;
    t->inputs = (weir__parameters){0};
    weir__site site = {t, WEIR__NONE, what};
    const weir_value *list = weir_member_named(weir_member_named(source, "inputs"), "parameters");
    for (size_t i = 0; i < inputs.count; i++) {
        bool value = weir_member_named(weir_array_at(list, i), "value");
        size_t mark = weir__enter(c, "inputs/parameters/%zu/%s", i, value ? "value" : "default");
        weir__check_text(c, &site, inputs.items[i].text, NULL);
        weir__leave(c, mark);
    }
    t->inputs = inputs;
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
    c->workflow->parameters =
        weir__parameters_compile(c, weir__field(c, spec, "arguments", WEIR_OBJECT), WEIR__ARGUMENTS,
                                 "spec.arguments.parameters");
    size_t own = c->workflow->parameters.count;
    const weir_value *given = weir_member_named(request, "parameters");
    override_parameters(c, given);
    const weir_value *list = weir_member_named(weir_member_named(spec, "arguments"), "parameters");
    static weir__template nowhere; /* there are no inputs and no steps to name */
    weir__site site = {&nowhere, WEIR__NONE, "spec.arguments"};
    for (size_t i = 0; i < own; i++) {
        const weir__parameter *p = &c->workflow->parameters.items[i];
        size_t inner = weir__enter(c, "parameters/%zu", i);
        if (!p->given)
            weir__problem(c, WEIR_INVALID, "spec.arguments.parameters.%.*s.value is required",
                          WEIR_ARG(p->name));
        else if (weir_is(given, WEIR_OBJECT) && weir_member(given, p->name))
            weir__check_enum(c, weir_array_at(list, i), p, "spec.arguments.parameters");
        weir__enter(c, "value");
        weir__check_text(c, &site, p->text, NULL);
        weir__leave(c, inner);
    }
    weir__leave(c, mark);
}

/* The entrypoint's inputs come from the workflow's parameters of the same names. */
static void compile_entry(weir__compiler *c, const weir_value *spec, const weir_value *request) {
    weir_str entry = weir_member_text(request, "entrypoint");
    uint64_t index;
    size_t mark = weir__enter(c, "entrypoint");
    if (!entry.length && !weir__text_field(c, spec, "entrypoint", &entry)) {
        weir__problem(c, WEIR_INVALID, "spec.entrypoint is required");
    } else if (!weir_map_get(&c->workflow->template_names, entry, &index)) {
        weir__problem(c, WEIR_INVALID, "spec.entrypoint template name '%.*s' undefined",
                      WEIR_ARG(entry));
    } else {
        const weir__template *t = &c->workflow->templates[index];
        c->workflow->entry = (uint32_t)index;
        for (size_t i = 0; i < t->inputs.count; i++) {
            const weir__parameter *input = &t->inputs.items[i];
            if (!input->given && !weir__parameter_find(&c->workflow->parameters, input->name))
                weir__problem(c, WEIR_INVALID,
                              "templates.%.*s inputs.parameters.%.*s was not supplied",
                              WEIR_ARG(t->name), WEIR_ARG(input->name));
        }
    }
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

weir_plan *weir_workflow_compile(const weir_document *document, const weir_value *request,
                                 const weir_registry *registry, weir_problems *problems) {
    weir__workflow *workflow = weir_alloc(sizeof *workflow);
    workflow->plan = (weir_plan){
        .kind = "workflow", .coordinator = weir__coordinator_new, .free = free_plan, .refs = 1};
    weir_arena_init(&workflow->arena);
    weir__compiler c = {
        .document = document, .problems = problems, .registry = registry, .workflow = workflow};
    size_t before = problems->total;
    if (find_workflow(&c)) {
        const weir_value *root = document->roots.items[c.root];
        compile_name(&c, root, request);
        const weir_value *spec = weir__field(&c, root, "spec", WEIR_OBJECT);
        size_t mark = weir__enter(&c, "spec");
        weir__refuse(&c, spec, unsupported_spec);
        compile_deadline(&c, spec);
        compile_arguments(&c, spec, request);
        const weir_value *elsewhere = weir_member_named(spec, "workflowTemplateRef");
        if (!elsewhere || !weir_value_truth(elsewhere)) {
            compile_templates(&c, spec);
            compile_entry(&c, spec, request);
        }
        weir__leave(&c, mark);
    }
    weir_buffer_deinit(&c.path);
    if (problems->total == before) return &workflow->plan;
    free_plan(&workflow->plan);
    return NULL;
}

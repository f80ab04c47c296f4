/* Goals of a workflow: tasks and outputs of its entrypoint that are wanted, and the Workflow without what does not lead to them. */
#include "workflow/goal.h"

typedef struct search {
    const weir__workflow *workflow;
    const weir__template *t;  /* the entrypoint */
    const weir_value *source; /* of it */
    weir_problems *problems;
    const char *file;
    bool *targets, *wanted;             /* by step */
    bool whole;                         /* all steps run */
    weir_value *parameters, *artifacts; /* outputs that are made for goals */
} search;

static const char *prefix_of(const search *s) {
    return s->t->kind == WEIR__DAG ? "tasks." : "steps.";
}

static bool is_composed(const search *s) {
    return s->t->kind == WEIR__DAG || s->t->kind == WEIR__STEPS;
}

/* --- which steps an output is made of ---------------------------------------------------------------- */

typedef struct visiting {
    const search *s;
    bool *into;   /* steps that are referred to; NULL: they are looked for in `s->wanted` */
    bool missing; /* one does not run */
} visiting;

static bool visit_name(void *arg, weir_str name) {
    visiting *v = arg;
    const search *s = v->s;
    weir__reference r = weir__reference_parse(name, s->t->kind == WEIR__DAG);
    uint64_t at = 0;
    bool all = weir_str_is(name, "tasks") || weir_str_is(name, "steps");
    bool known = r.step.length && weir_map_get(&s->t->step_names, r.step, &at);
    for (size_t i = 0; i < s->t->step_count; i++) {
        if (!all && (!known || i != at)) continue;
        if (v->into)
            v->into[i] = true;
        else
            v->missing |= !s->wanted[i];
    }
    return true;
}

static bool visit_tag(void *arg, weir_str name, weir_buffer *out) {
    weir_error error;
    (void)out;
    if (!weir_str_starts(name, WEIR_STR("="))) return visit_name(arg, name);
    return weir__expression_names(weir_str_slice(name, 1, name.length), visit_name, arg, &error);
}

static void visit_text(visiting *v, weir_str text, bool is_expression) {
    weir_buffer scrap = {0};
    weir_error error;
    if (is_expression && weir_str_find(text, WEIR_STR("{{"), 0) == SIZE_MAX)
        v->missing |= !weir__expression_names(text, visit_name, v, &error);
    else
        v->missing |= !weir_tag_render(text, visit_tag, v, &scrap, &error);
    weir_buffer_deinit(&scrap);
}

/* What an artifact is made from stands without its braces. */
static void visit_artifact(visiting *v, const weir__artifact *a) {
    if (a->is_expression)
        visit_text(v, a->from, true);
    else
        (void)visit_name(v, a->from);
}

/* --- what a goal means ----------------------------------------------------------------------------------- */

static bool take(weir_str *text, const char *start) {
    weir_str begin = weir_str_from(start);
    if (!weir_str_starts(*text, begin)) return false;
    *text = weir_str_slice(*text, begin.length, text->length);
    return true;
}

/* An output of the entrypoint that is there already. */
static bool find_own(search *s, weir_str name, bool artifact) {
    size_t count = artifact ? s->t->artifacts_out.count : s->t->outputs.count;
    visiting v = {.s = s, .into = s->targets};
    for (size_t i = 0; i < count; i++) {
        weir_str other = artifact ? s->t->artifacts_out.items[i].name : s->t->outputs.items[i].name;
        if (!weir_str_equal(other, name)) continue;
        if (artifact)
            visit_artifact(&v, &s->t->artifacts_out.items[i]);
        else
            visit_text(&v, s->t->outputs.items[i].text, s->t->outputs.items[i].is_expression);
        return true;
    }
    return false;
}

/* Puts an output of a step among those of the entrypoint, by its name, or with the step's before it. */
static void add_output(search *s, weir_str step, weir_str output, weir_str name, bool artifact) {
    weir_buffer text = {0};
    bool taken = artifact ? weir__artifact_by_name(&s->t->artifacts_out, name) != NULL
                          : weir__parameter_find(&s->t->outputs, name) != NULL;
    weir_value *item = weir_object_new(), *list = artifact ? s->artifacts : s->parameters;
    for (size_t i = 0; i < weir_value_count(list); i++)
        taken |= weir_str_equal(weir_member_text(weir_array_at(list, i), "name"), name);
    weir_buffer_printf(&text, "%.*s%s%.*s", taken ? (int)step.length : 0, step.data,
                       taken ? "-" : "", WEIR_ARG(name));
    weir_member_put_text(item, "name", weir_buffer_str(&text));
    weir_buffer_clear(&text);
    weir_buffer_printf(&text, "{{%s%.*s.%.*s}}", prefix_of(s), WEIR_ARG(step), WEIR_ARG(output));
    if (artifact) {
        weir_member_put_text(item, "from", weir_buffer_str(&text));
    } else {
        weir_value *from = weir_object_new();
        weir_member_put_text(from, "parameter", weir_buffer_str(&text));
        weir_member_put(item, "valueFrom", from);
    }
    weir_array_append(list, item);
    weir_buffer_deinit(&text);
}

static void say(search *s, const weir_error *error) {
    weir_problems_add_request(s->problems, "goals", s->file, error);
}

/* `outputs.parameters.X`, `outputs.artifacts.X` or `outputs.result` of the step. */
static bool find_output(search *s, uint64_t at, weir_str output) {
    const weir__step *step = &s->t->steps[at];
    const weir__template *called = weir__called(s->workflow, step);
    weir_str name = output;
    bool artifact = false, found = false;
    if (take(&name, "outputs.parameters."))
        found = called->kind == WEIR__PLUGIN || weir__parameter_find(&called->outputs, name);
    else if (take(&name, "outputs.artifacts."))
        artifact = found = weir__artifact_by_name(&called->artifacts_out, name) != NULL;
    else if (take(&name, "outputs.") && weir_str_is(name, "result"))
        found = weir__is_leaf(called);
    if (found) add_output(s, step->name, output, name, artifact);
    return found;
}

static void say_no_output(search *s, uint64_t at, weir_str output) {
    const weir__template *called = weir__called(s->workflow, &s->t->steps[at]);
    weir_buffer names = {0};
    weir_error error;
    for (size_t i = 0; i < called->outputs.count; i++)
        weir_buffer_printf(&names, " outputs.parameters.%.*s",
                           WEIR_ARG(called->outputs.items[i].name));
    for (size_t i = 0; i < called->artifacts_out.count; i++)
        weir_buffer_printf(&names, " outputs.artifacts.%.*s",
                           WEIR_ARG(called->artifacts_out.items[i].name));
    if (weir__is_leaf(called)) weir_buffer_text(&names, " outputs.result");
    weir_fail(&error, WEIR_NOT_FOUND, "`%.*s` has no `%.*s`", WEIR_ARG(s->t->steps[at].name),
              WEIR_ARG(output));
    weir_error_hint(&error, "it has:%s", names.length ? names.data : " no outputs");
    say(s, &error);
    weir_buffer_deinit(&names);
}

static void say_unknown(search *s, weir_str goal) {
    weir_error error;
    weir_nearest nearest = weir_nearest_to(goal);
    for (size_t i = 0; i < s->t->step_count; i++) weir_nearest_try(&nearest, s->t->steps[i].name);
    for (size_t i = 0; i < s->t->outputs.count; i++)
        weir_nearest_try(&nearest, s->t->outputs.items[i].name);
    weir_fail(&error, WEIR_NOT_FOUND, "the entrypoint `%.*s` has no task and no output `%.*s`",
              WEIR_ARG(s->t->name), WEIR_ARG(goal));
    if (nearest.best.length)
        weir_error_hint(&error, "did you mean `%.*s`?", WEIR_ARG(nearest.best));
    else
        weir_error_hint(&error, "a goal is a task of it, TASK.outputs.parameters.NAME, or "
                                "outputs.parameters.NAME");
    say(s, &error);
}

/* TASK, TASK.outputs.…, with or without `tasks.` before it; or an output of the entrypoint. */
static void find_goal(search *s, weir_str goal) {
    weir_str rest = goal;
    uint64_t at;
    bool dag = s->t->kind == WEIR__DAG;
    if (weir_map_get(&s->t->step_names, goal, &at)) {
        s->targets[at] = true;
        return;
    }
    if (take(&rest, "outputs.parameters.")  ? find_own(s, rest, false)
        : take(&rest, "outputs.artifacts.") ? find_own(s, rest, true)
                                            : find_own(s, rest, false) || find_own(s, rest, true))
        return;
    rest = goal;
    (void)take(&rest, dag ? "tasks." : "steps.");
    size_t dot = weir_str_find(rest, WEIR_STR(".outputs."), 0);
    weir_str name = weir_str_slice(rest, 0, dot == SIZE_MAX ? rest.length : dot);
    if (!weir_map_get(&s->t->step_names, name, &at)) {
        say_unknown(s, goal);
        return;
    }
    s->targets[at] = true;
    if (dot == SIZE_MAX) return;
    weir_str output = weir_str_slice(rest, dot + 1, rest.length);
    if (!find_output(s, at, output)) say_no_output(s, at, output);
}

/* Each once. */
static void find_goals(search *s, const weir_value *goals) {
    weir_map seen = {0};
    for (size_t i = 0; i < weir_value_count(goals); i++) {
        const weir_value *goal = weir_array_at(goals, i);
        weir_str name = weir_is(goal, WEIR_STRING) ? weir_string_get(goal) : WEIR_STR("");
        if (!weir_map_get(&seen, name, NULL)) find_goal(s, name);
        weir_map_set(&seen, name, 0);
    }
    weir_map_deinit(&seen);
}

/* --- what leads to them ------------------------------------------------------------------------------------ */

/* In a DAG what it depends on; of steps all groups before: order is all that they can say of what they need. */
static void find_wanted(search *s) {
    const weir__template *t = s->t;
    uint32_t last = 0;
    bool any = false;
    for (size_t i = 0; i < t->step_count; i++) {
        s->wanted[i] = s->whole || s->targets[i];
        if (!s->targets[i]) continue;
        any = true;
        if (t->kind == WEIR__STEPS && t->steps[i].group > last) last = t->steps[i].group;
    }
    for (size_t i = 0; t->kind == WEIR__STEPS && any && i < t->step_count; i++)
        s->wanted[i] |= t->steps[i].group < last;
    WEIR_VECTOR(uint32_t) todo = {0};
    for (uint32_t i = 0; t->kind == WEIR__DAG && i < t->step_count; i++)
        if (s->wanted[i]) *weir_vector_push(&todo) = i;
    while (todo.count) {
        const weir__indexes *on = &t->steps[todo.items[--todo.count]].dependencies;
        for (size_t k = 0; k < on->count; k++) {
            if (s->wanted[on->items[k]]) continue;
            s->wanted[on->items[k]] = true;
            *weir_vector_push(&todo) = on->items[k];
        }
    }
    weir_vector_deinit(&todo);
}

/* --- the Workflow without the rest --------------------------------------------------------------------------- */

static weir_value *copy_of(const weir_value *object) {
    return weir_is(object, WEIR_OBJECT) ? weir_value_own(weir_value_ref((weir_value *)object))
                                        : weir_object_new();
}

static void narrow_dag(const search *s, weir_value *template) {
    weir_value *dag = copy_of(weir_member_named(template, "dag"));
    weir_buffer names = {0};
    for (size_t i = 0; i < s->t->step_count; i++)
        if (s->targets[i])
            weir_buffer_printf(&names, "%s%.*s", names.length ? " " : "",
                               WEIR_ARG(s->t->steps[i].name));
    if (names.length && !s->whole) weir_member_put_text(dag, "target", weir_buffer_str(&names));
    weir_member_put(template, "dag", dag);
    weir_buffer_deinit(&names);
}

static void narrow_steps(const search *s, weir_value *template) {
    const weir_value *groups = weir_member_named(template, "steps");
    weir_value *out = weir_array_new();
    for (size_t g = 0, at = 0; g < weir_value_count(groups); g++) {
        const weir_value *group = weir_array_at(groups, g);
        weir_value *kept = weir_array_new();
        for (size_t i = 0; i < weir_value_count(group); i++, at++)
            if (s->wanted[at]) weir_array_append(kept, weir_value_ref(weir_array_at(group, i)));
        if (weir_value_count(kept))
            weir_array_append(out, kept);
        else
            weir_value_unref(kept);
    }
    weir_member_put(template, "steps", out);
}

/* Outputs that are wanted or can come to be all the same, and those that were added. */
static void narrow_outputs(const search *s, weir_value *template) {
    weir_value *outputs = copy_of(weir_member_named(template, "outputs"));
    for (int artifact = 0; artifact < 2; artifact++) {
        const char *group = artifact ? "artifacts" : "parameters";
        const weir_value *before = weir_member_named(outputs, group);
        weir_value *kept = weir_array_new();
        for (size_t i = 0; weir_is(before, WEIR_ARRAY) && i < weir_value_count(before); i++) {
            visiting v = {.s = s};
            if (artifact)
                visit_artifact(&v, &s->t->artifacts_out.items[i]);
            else
                visit_text(&v, s->t->outputs.items[i].text, s->t->outputs.items[i].is_expression);
            if (!v.missing) weir_array_append(kept, weir_value_ref(weir_array_at(before, i)));
        }
        weir_array_append_all(kept, artifact ? s->artifacts : s->parameters);
        weir_member_put(outputs, group, kept);
    }
    weir_member_put(template, "outputs", outputs);
}

static weir_value *narrow_template(const search *s, weir_str name) {
    weir_value *template = copy_of(s->source);
    weir_member_put_text(template, "name", name);
    if (s->t->kind == WEIR__DAG)
        narrow_dag(s, template);
    else
        narrow_steps(s, template);
    narrow_outputs(s, template);
    return template;
}

/* Whether a step or a hook calls it: what they call is whole. */
static bool is_called(const search *s) {
    bool called = false;
    const weir__step *entry = &s->workflow->entry;
    for (size_t t = 0; t < s->workflow->template_count; t++)
        for (size_t i = 0; i < s->workflow->templates[t].step_count; i++) {
            const weir__step *step = &s->workflow->templates[t].steps[i];
            called |= step->template == entry->template;
            for (size_t h = 0; h < step->hook_count; h++)
                called |= step->hooks[h].template == entry->template;
        }
    for (size_t h = 0; h < entry->hook_count; h++)
        called |= entry->hooks[h].template == entry->template;
    return called;
}

static weir_value *narrow_root(const search *s) {
    weir_value *root = copy_of(s->workflow->source),
               *spec = copy_of(weir_member_named(root, "spec"));
    const weir_value *before = weir_member_named(spec, "templates");
    weir_value *templates = weir_array_new();
    weir_buffer name = {0};
    bool called = is_called(s);
    weir_buffer_str_append(&name, s->t->name);
    while (called && weir_map_get(&s->workflow->template_names, weir_buffer_str(&name), NULL))
        weir_buffer_text(&name, "-goal");
    for (size_t i = 0; i < weir_value_count(before); i++)
        weir_array_append(templates, weir_array_at(before, i) == s->source && !called
                                         ? narrow_template(s, weir_buffer_str(&name))
                                         : weir_value_ref(weir_array_at(before, i)));
    if (called) weir_array_append(templates, narrow_template(s, weir_buffer_str(&name)));
    weir_member_put(spec, "templates", templates);
    weir_member_put_text(spec, "entrypoint", weir_buffer_str(&name));
    weir_member_put(root, "spec", spec);
    weir_buffer_deinit(&name);
    return root;
}

/* --- all of it ----------------------------------------------------------------------------------------------- */

/* Where the step is in the file. */
static void write_path(const search *s, uint32_t step, weir_buffer *path) {
    const weir_value *spec = weir_member_named(s->workflow->source, "spec");
    const weir_value *templates = weir_member_named(spec, "templates");
    size_t at = 0;
    while (weir_array_at(templates, at) != s->source) at++;
    weir_buffer_printf(path, "spec/templates/%zu/", at);
    uint32_t group = s->t->steps[step].group;
    if (s->t->kind == WEIR__DAG)
        weir_buffer_printf(path, "dag/tasks/%u", step);
    else
        weir_buffer_printf(path, "steps/%u/%u", group, step - s->t->groups[group]);
}

static void find_source(search *s) {
    const weir_value *spec = weir_member_named(s->workflow->source, "spec");
    const weir_value *templates = weir_member_named(spec, "templates");
    for (size_t i = 0; i < weir_value_count(templates); i++)
        if (weir_str_equal(weir_member_text(weir_array_at(templates, i), "name"), s->t->name))
            s->source = weir_array_at(templates, i);
}

static weir_value *list_left_out(const search *s, weir_buffer *path) {
    weir_value *names = NULL;
    for (uint32_t i = 0; i < s->t->step_count; i++) {
        if (s->wanted[i]) continue;
        if (!names) write_path(s, i, path);
        if (!names) names = weir_array_new();
        weir_array_append(names, weir_string_from(s->t->steps[i].name));
    }
    return names;
}

weir_value *weir__workflow_narrow(const weir__workflow *workflow, const weir_value *request,
                                  const char *file, weir_value **left_out, weir_buffer *path,
                                  weir_problems *problems) {
    const weir_value *goals = weir_member_named(request, "goals"),
                     *all = weir_member_named(request, "keep_all");
    search s = {.workflow = workflow, .problems = problems, .file = file};
    s.t = weir__called(workflow, &workflow->entry);
    s.whole = all && weir_value_truth(all);
    s.targets = weir_alloc(s.t->step_count + 1);
    s.wanted = weir_alloc(s.t->step_count + 1);
    s.parameters = weir_array_new();
    s.artifacts = weir_array_new();
    size_t before = problems->total;
    weir_value *root = NULL;
    find_source(&s);
    find_goals(&s, goals);
    bool some = s.whole;
    for (size_t i = 0; i < s.t->step_count; i++) some |= s.targets[i];
    find_wanted(&s);
    if (problems->total == before && some && is_composed(&s) && s.source) {
        root = narrow_root(&s);
        *left_out = list_left_out(&s, path);
    }
    weir_value_unref(s.parameters);
    weir_value_unref(s.artifacts);
    weir_free(s.targets);
    weir_free(s.wanted);
    return root;
}

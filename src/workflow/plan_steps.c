#include "workflow/template.h"

#include <stdio.h>

#include "expr/condition.h"

/* Beside a `template` they were resolved. */
static const char *const unless_named[] = {"inline", "templateRef", NULL};

void weir__compile_arguments(weir__compiler *c, const weir__site *site, weir__step *step,
                             const weir_value *source) {
    if (!weir_member_named(source, "arguments")) return;
    size_t mark = weir__enter(c, "arguments");
    char what[400];
    snprintf(what, sizeof what, "%s.arguments", site->what);
    step->arguments = weir__parameters_compile(c, weir__field(c, source, "arguments", WEIR_OBJECT),
                                               WEIR__ARGUMENTS, what);
    for (size_t i = 0; i < step->arguments.count; i++) {
        const weir__parameter *argument = &step->arguments.items[i];
        size_t inner = weir__enter(c, "parameters/%zu", i);
        if (!argument->given)
            weir__problem(c, WEIR_INVALID, "%s.%.*s.value or %s.%.*s.valueFrom is required", what,
                          WEIR_ARG(argument->name), what, WEIR_ARG(argument->name));
        weir__enter(c, "value");
        weir__check_text(c, site, argument->text, NULL);
        weir__leave(c, inner);
    }
    step->artifacts = weir__artifacts_compile(c, weir__field(c, source, "arguments", WEIR_OBJECT),
                                              WEIR__ARGUMENTS, what);
    weir__check_references(c, site, &step->artifacts);
    weir__leave(c, mark);
}

void weir__check_supplied(weir__compiler *c, const weir__site *site, const weir__step *step) {
    if (step->template == WEIR__NONE) return;
    const weir__parameters *inputs = &c->workflow->templates[step->template].inputs;
    size_t mark = weir__enter(c, "template");
    for (size_t i = 0; i < inputs->count; i++)
        if (!inputs->items[i].given &&
            !weir__parameter_find(&step->arguments, inputs->items[i].name))
            weir__problem(c, WEIR_INVALID, "%s inputs.parameters.%.*s was not supplied", site->what,
                          WEIR_ARG(inputs->items[i].name));
    const weir__artifacts *artifacts = &c->workflow->templates[step->template].artifacts_in;
    for (size_t i = 0; i < artifacts->count; i++) {
        const weir__artifact *a = &artifacts->items[i];
        if (!a->optional && !a->located && !weir__artifact_by_name(&step->artifacts, a->name))
            weir__problem(c, WEIR_INVALID, "%s inputs.artifacts.%.*s was not supplied", site->what,
                          WEIR_ARG(a->name));
    }
    weir__leave(c, mark);
}

/* What is wrong whatever the tags stand for is said here, and where it is a condition ends its step, as in Argo. */
static void compile_when(weir__compiler *c, const weir__site *site, weir__step *step,
                         const weir_value *source) {
    if (!weir__text_field(c, source, "when", &step->when) || !step->when.length) return;
    size_t mark = weir__enter(c, "when");
    size_t before = c->problems->total;
    weir_buffer sample = {0};
    weir_error error;
    bool result;
    weir__check_text(c, site, step->when, &sample);
    if (c->problems->total == before &&
        !weir_condition_evaluate(weir_buffer_str(&sample), &result, &error) &&
        error.code == WEIR_SYNTAX)
        weir__problem(c, WEIR_OK, "%s 'when' expression '%.*s' cannot be read: %s", site->what,
                      WEIR_ARG(step->when), error.message);
    weir_buffer_deinit(&sample);
    weir__leave(c, mark);
}

/* What others need to know of a step before it is compiled: its name and its template. */
static void compile_head(weir__compiler *c, weir__template *t, size_t index,
                         const weir_value *source, const char *what) {
    weir__step *step = &t->steps[index];
    weir_str name;
    uint64_t found;
    step->loops = weir_member_named(source, "withItems") ||
                  weir_member_named(source, "withParam") ||
                  weir_member_named(source, "withSequence");
    step->name = weir__name_field(c, source, &t->step_names, index, what);
    if (weir__is_missing(source)) return;
    if (!weir__text_field(c, source, "template", &name)) {
        const weir_value *inner = weir_member_named(source, "inline");
        const weir_value *elsewhere = weir_member_named(source, "templateRef");
        if (!(inner && weir_value_truth(inner)) && !(elsewhere && weir_value_truth(elsewhere)))
            weir__problem(c, WEIR_INVALID, "%s.%.*s template name is required", what,
                          WEIR_ARG(step->name));
        return;
    }
    size_t mark = weir__enter(c, "template"), before = c->problems->count;
    if (weir_map_get(&c->workflow->template_names, name, &found)) {
        weir__template *called = &c->workflow->templates[found];
        step->template = (uint32_t)found;
        if (called->inlined && !called->caller) {
            called->caller = t;
            called->caller_step = (uint32_t)index;
        }
    } else {
        weir__problem(c, WEIR_INVALID, "%s.%.*s template name '%.*s' undefined", what,
                      WEIR_ARG(step->name), WEIR_ARG(name));
        weir__hint_template(c, before, name);
    }
    weir__leave(c, mark);
}

static void compile_step(weir__compiler *c, weir__template *template, uint32_t index,
                         const weir_value *source, const char *what) {
    weir__step *step = &template->steps[index];
    weir__site site = {.template = template, .step = index, .what = what};
    if (!weir_member_named(source, "template") && !weir__is_missing(source))
        weir__refuse(c, source, unless_named);
    weir__compile_loop(c, &site, step, source);
    weir__compile_arguments(c, &site, step, source);
    weir__check_supplied(c, &site, step);
    compile_when(c, &site, step, source);
    weir__compile_hooks(c, &site, step, source);
    if (!weir_member_named(source, "continueOn")) return;
    size_t mark = weir__enter(c, "continueOn");
    const weir_value *on = weir__field(c, source, "continueOn", WEIR_OBJECT);
    step->continue_on_failed = weir__bool_field(c, on, "failed", false);
    step->continue_on_error = weir__bool_field(c, on, "error", false);
    weir__leave(c, mark);
}

static void init_steps(weir__compiler *c, weir__template *t, size_t count) {
    t->step_count = count;
    t->steps = weir_arena_alloc(&c->workflow->arena, (count + 1) * sizeof *t->steps);
    weir_map_reserve(&t->step_names, count);
    for (size_t i = 0; i < count; i++) t->steps[i].template = WEIR__NONE;
}

/* Counts the steps, and says what is no list of lists; false then. */
static bool count_steps(weir__compiler *c, const weir_value *groups, size_t *count) {
    bool good = true;
    *count = 0;
    for (size_t g = 0; g < weir_value_count(groups); g++) {
        const weir_value *group = weir_array_at(groups, g);
        if (weir_is(group, WEIR_ARRAY)) {
            *count += weir_value_count(group);
            continue;
        }
        size_t mark = weir__enter(c, "%zu", g);
        weir__problem(c, WEIR_INVALID, "a step group must be a list of steps, and is of type %s",
                      weir_type_text(weir_value_type(group)));
        weir__leave(c, mark);
        good = false;
    }
    return good;
}

void weir__compile_steps(weir__compiler *c, weir__template *t, const weir_value *groups) {
    size_t count, at = 0;
    char what[256];
    if (!count_steps(c, groups, &count)) return;
    init_steps(c, t, count);
    t->group_count = weir_value_count(groups);
    t->groups = weir_arena_alloc(&c->workflow->arena, (t->group_count + 1) * sizeof *t->groups);
    for (size_t g = 0; g < t->group_count; g++) {
        const weir_value *group = weir_array_at(groups, g);
        t->groups[g] = (uint32_t)at;
        snprintf(what, sizeof what, "templates.%.*s.steps[%zu]", WEIR_ARG(t->name), g);
        for (size_t i = 0; i < weir_value_count(group); i++, at++) {
            size_t mark = weir__enter(c, "%zu/%zu", g, i);
            t->steps[at].group = (uint32_t)g;
            compile_head(c, t, at, weir_array_at(group, i), what);
            weir__leave(c, mark);
        }
    }
    t->groups[t->group_count] = (uint32_t)at;
    for (size_t i = 0; i < count; i++) {
        const weir__step *step = &t->steps[i];
        size_t g = step->group, within = i - t->groups[g];
        size_t mark = weir__enter(c, "%zu/%zu", g, within);
        snprintf(what, sizeof what, "templates.%.*s.steps[%zu].%.*s", WEIR_ARG(t->name), g,
                 WEIR_ARG(step->name));
        compile_step(c, t, (uint32_t)i, weir_array_at(weir_array_at(groups, g), within), what);
        weir__leave(c, mark);
    }
}

/* Argo's rules for a DAG that uses `depends` anywhere. */
static void check_styles(weir__compiler *c, const weir__template *t, const weir_value *tasks) {
    bool depends = false;
    for (size_t i = 0; i < weir_value_count(tasks); i++)
        depends = depends || weir_member_text(weir_array_at(tasks, i), "depends").length;
    for (size_t i = 0; i < weir_value_count(tasks); i++) {
        const weir_value *task = weir_array_at(tasks, i);
        size_t mark = weir__enter(c, "tasks/%zu", i);
        weir_str name = t->steps[i].name;
        if (name.length && name.data[0] >= '0' && name.data[0] <= '9')
            weir__problem(c, WEIR_INVALID,
                          "templates.%.*s.tasks.%.*s name cannot begin with a digit when using "
                          "either 'depends' or 'dependencies'",
                          WEIR_ARG(t->name), WEIR_ARG(name));
        if (depends && weir_member_named(task, "dependencies"))
            weir__problem(c, WEIR_INVALID,
                          "templates.%.*s cannot use both 'depends' and 'dependencies' in the same "
                          "DAG template",
                          WEIR_ARG(t->name));
        if (depends && weir_member_named(task, "continueOn"))
            weir__problem(c, WEIR_INVALID,
                          "templates.%.*s cannot use 'continueOn' when using 'depends'. Instead "
                          "use 'dep-task.Failed'/'dep-task.Errored'",
                          WEIR_ARG(t->name));
        weir__leave(c, mark);
    }
}

void weir__compile_dag(weir__compiler *c, weir__template *t, const weir_value *dag) {
    char what[300];
    const weir_value *tasks = weir__field(c, dag, "tasks", WEIR_ARRAY);
    if (!tasks || weir_value_count(tasks) == 0) {
        weir__problem(c, WEIR_INVALID, "templates.%.*s must have at least one task",
                      WEIR_ARG(t->name));
        return;
    }
    t->fail_fast = weir__bool_field(c, dag, "failFast", true);
    init_steps(c, t, weir_value_count(tasks));
    snprintf(what, sizeof what, "templates.%.*s.tasks", WEIR_ARG(t->name));
    for (size_t i = 0; i < t->step_count; i++) {
        size_t mark = weir__enter(c, "tasks/%zu", i);
        compile_head(c, t, i, weir_array_at(tasks, i), what);
        weir__leave(c, mark);
    }
    check_styles(c, t, tasks);
    if (!weir__compile_dependencies(c, t, dag)) return;
    size_t length = strlen(what);
    if (length + 1 < sizeof what) what[length++] = '.'; /* and a name */
    for (size_t i = 0; i < t->step_count; i++) {
        size_t mark = weir__enter(c, "tasks/%zu", i);
        weir_str name = weir_str_slice(t->steps[i].name, 0, sizeof what - length - 1);
        if (name.length) memcpy(what + length, name.data, name.length);
        what[length + name.length] = '\0';
        compile_step(c, t, (uint32_t)i, weir_array_at(tasks, i), what);
        weir__leave(c, mark);
    }
}

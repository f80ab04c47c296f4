/* Expressions within a workflow: what their names stand for is what tags of those names stand for, as texts. */
#include "expr/expr.h"

#include "workflow/coordinator.h"

/* --- programs: each text is compiled once ----------------------------------------------------------------- */

typedef struct compiled {
    char *text;
    weir_expr *expr;
} compiled;

struct weir__programs {
    weir_map places; /* of each text, in `items` */
    WEIR_VECTOR(compiled) items;
};

weir__programs *weir__programs_new(void) {
    return weir_alloc(sizeof(weir__programs));
}

void weir__programs_free(weir__programs *programs) {
    for (size_t i = 0; i < programs->items.count; i++) {
        weir_expr_free(programs->items.items[i].expr);
        weir_free(programs->items.items[i].text);
    }
    weir_vector_deinit(&programs->items);
    weir_map_deinit(&programs->places);
    weir_free(programs);
}

static const weir_expr *program_of(weir__programs *programs, weir_str text, weir_error *error) {
    uint64_t at;
    if (weir_map_get(&programs->places, text, &at)) return programs->items.items[at].expr;
    weir_expr *expr = weir_expr_compile(text, NULL, error);
    if (!expr) return NULL;
    compiled made = {weir_str_dup(text), expr};
    weir_map_set(&programs->places, weir_str_from(made.text), programs->items.count);
    *weir_vector_push(&programs->items) = made;
    return expr;
}

/* --- the environment: the names that one expression uses ----------------------------------------------------- */

typedef struct environment {
    weir__scope *scope;
    weir_value *env;
} environment;

/* The object at the path below `object`, made where it is missing; NULL when something else is in the way. */
static weir_value *object_at(weir_value *object, weir_str path) {
    for (size_t from = 0, to; from < path.length && object; from = to + 1) {
        to = weir_str_find(path, WEIR_STR("."), from);
        if (to == SIZE_MAX) to = path.length;
        weir_value *next = weir_member_object(object, weir_str_slice(path, from, to));
        object = weir_is(next, WEIR_OBJECT) ? next : NULL;
    }
    return object;
}

static void put_at(environment *e, weir_str path, weir_value *value) {
    size_t dot = path.length;
    while (dot && path.data[dot - 1] != '.') dot--;
    weir_value *holder = dot ? object_at(e->env, weir_str_slice(path, 0, dot - 1)) : e->env;
    weir_str key = weir_str_slice(path, dot, path.length);
    if (holder && !weir_member(holder, key))
        weir_member_set(holder, key, value);
    else
        weir_value_unref(value);
}

/* What the tag of that name stands for; false: nothing. */
static bool put_tag(environment *e, weir_str name) {
    weir_buffer text = {0};
    bool found = weir__scope_has(e->scope, name) && weir__look_up(e->scope, name, &text);
    if (found) put_at(e, name, weir_string_from(weir_buffer_str(&text)));
    weir_buffer_deinit(&text);
    return found;
}

/* The artifact of that name; false: there is none. */
static bool put_artifact(environment *e, weir_str name) {
    weir_value *artifact = weir__artifact_named(e->scope, name);
    if (artifact) put_at(e, name, artifact);
    return artifact != NULL;
}

static void put_parameters(environment *e, const weir__parameters *parameters, const char *head) {
    (void)object_at(e->env, weir_str_from(head));
    for (size_t i = 0; i < parameters->count; i++) {
        weir_buffer name = {0};
        weir_buffer_printf(&name, "%s.%.*s", head, WEIR_ARG(parameters->items[i].name));
        put_at(e, weir_buffer_str(&name), weir_string_from(parameters->items[i].text));
        weir_buffer_deinit(&name);
    }
}

/* Everything of a step that a tag could name. */
static void put_step(environment *e, const char *head, weir_str step) {
    static const char *const facts[] = {"id", "status",   "startedAt",     "finishedAt",
                                        "ip", "exitCode", "outputs.result"};
    weir_buffer name = {0};
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        weir_buffer_clear(&name);
        weir_buffer_printf(&name, "%s.%.*s.%s", head, WEIR_ARG(step), facts[i]);
        (void)put_tag(e, weir_buffer_str(&name));
    }
    const weir_value *parameters = weir__step_parameters(e->scope, step);
    for (size_t i = 0; parameters && i < weir_value_count(parameters); i++) {
        weir_buffer_clear(&name);
        weir_buffer_printf(&name, "%s.%.*s.outputs.parameters.%.*s", head, WEIR_ARG(step),
                           WEIR_ARG(weir_object_key(parameters, i)));
        (void)put_tag(e, weir_buffer_str(&name));
    }
    const weir_value *artifacts = weir__step_artifacts(e->scope, step);
    for (size_t i = 0; artifacts && i < weir_value_count(artifacts); i++) {
        weir_buffer_clear(&name);
        weir_buffer_printf(&name, "%s.%.*s.outputs.artifacts.%.*s", head, WEIR_ARG(step),
                           WEIR_ARG(weir_member_text(weir_array_at(artifacts, i), "name")));
        (void)put_artifact(e, weir_buffer_str(&name));
    }
    weir_buffer_deinit(&name);
}

/* A name that stands for several things. */
static bool put_group(environment *e, weir_str name) {
    const weir__scope *scope = e->scope;
    const weir__workflow *workflow = scope->run->workflow;
    if (weir_str_is(name, "inputs") || weir_str_is(name, "inputs.parameters")) {
        (void)object_at(e->env, WEIR_STR("inputs"));
        put_at(e, WEIR_STR("inputs.parameters"),
               scope->inputs ? weir_value_ref((weir_value *)scope->inputs) : weir_object_new());
        return true;
    }
    if (weir_str_is(name, "workflow.parameters")) {
        put_parameters(e, &workflow->parameters, "workflow.parameters");
        return true;
    }
    if (weir_str_is(name, "workflow.labels") || weir_str_is(name, "workflow.annotations")) {
        weir_str key = weir_str_slice(name, sizeof "workflow." - 1, name.length);
        weir_value *texts = weir_member(workflow->metadata, key);
        put_at(e, name, texts ? weir_value_ref(texts) : weir_object_new());
        return true;
    }
    return false;
}

/* "steps", "steps.a", "steps.a.outputs": the whole of them, or what is there of one. */
static void put_steps(environment *e, weir_str name) {
    const weir__scope *scope = e->scope;
    const char *head = weir_str_starts(name, WEIR_STR("tasks")) ? "tasks" : "steps";
    size_t from = strlen(head) + 1;
    (void)object_at(e->env, weir_str_from(head));
    if (scope->boundary == WEIR__NONE) return;
    const weir__template *t = weir__node_at(scope->run, scope->boundary)->template;
    if (name.length <= from) {
        for (size_t i = 0; i < t->step_count; i++) put_step(e, head, t->steps[i].name);
        return;
    }
    size_t dot = weir_str_find(name, WEIR_STR("."), from);
    if (dot == SIZE_MAX) dot = name.length;
    put_step(e, head, weir_str_slice(name, from, dot));
    /* what did not run has no outputs, which is not an error: `??` may follow */
    static const char *const kinds[] = {"parameters", "artifacts"};
    for (size_t i = 0; i < 2; i++) {
        weir_buffer outputs = {0};
        weir_buffer_printf(&outputs, "%.*s.outputs.%s", WEIR_ARG(weir_str_slice(name, 0, dot)),
                           kinds[i]);
        (void)object_at(e->env, weir_buffer_str(&outputs));
        weir_buffer_deinit(&outputs);
    }
}

/* The longest part of the name that stands for something. */
static bool put_name(void *arg, weir_str name) {
    environment *e = arg;
    if (put_group(e, name)) return true;
    for (weir_str part = name; part.length;) {
        if (put_tag(e, part) || put_artifact(e, part)) return true;
        size_t dot = part.length;
        while (dot && part.data[dot - 1] != '.') dot--;
        part = weir_str_slice(part, 0, dot ? dot - 1 : 0);
    }
    if (weir_str_starts(name, WEIR_STR("steps")) || weir_str_starts(name, WEIR_STR("tasks")))
        put_steps(e, name);
    else if (weir_str_starts(name, WEIR_STR("inputs.")))
        (void)object_at(e->env, WEIR_STR("inputs.parameters"));
    else if (weir_str_starts(name, WEIR_STR("workflow.")))
        (void)object_at(e->env, WEIR_STR("workflow.outputs.parameters"));
    return true;
}

/* --- evaluating ------------------------------------------------------------------------------------------------- */

static weir_expr_world world_of(weir__scope *scope, weir_value *env) {
    const weir__run *run = scope->run;
    return (weir_expr_world){.env = env,
                             .now_ns = (int64_t)(scope->now_us * 1000),
                             .seed =
                                 weir_hash(run->workflow->name.data, run->workflow->name.length) ^
                                 run->created_us ^ run->nodes.count << 32};
}

static bool has_tags(weir_str text) {
    return weir_str_find(text, WEIR_STR("{{"), 0) != SIZE_MAX;
}

/* A condition when `result` is not NULL, otherwise its text, appended to `out`. */
static bool evaluate(weir__scope *scope, weir_str text, weir_buffer *out, bool *result,
                     weir_error *error) {
    const weir_expr *program = program_of(scope->run->programs, text, error);
    if (!program) return false;
    environment e = {scope, weir_object_new()};
    weir_expr_names(program, put_name, &e);
    weir_expr_world world = world_of(scope, e.env);
    bool nil = false;
    bool ok = result ? weir_expr_test(program, &world, result, error)
                     : weir_expr_render(program, &world, out, &nil, error);
    scope->nothing = ok && nil;
    if (ok && nil)
        ok = weir_fail(error, WEIR_INVALID, "failed to evaluate expression \"%.*s\"",
                       (int)(text.length < 200 ? text.length : 200), text.data);
    weir_value_unref(e.env);
    return ok;
}

bool weir__expression_append(weir__scope *scope, weir_str text, weir_buffer *out,
                             weir_error *error) {
    size_t before = out->length;
    if (evaluate(scope, text, out, NULL, error)) return true;
    out->length = before;
    if (out->data) out->data[before] = '\0';
    return false;
}

weir_value *weir__expression_value(weir__scope *scope, weir_str text, weir_error *error) {
    const weir_expr *program = program_of(scope->run->programs, text, error);
    if (!program) return NULL;
    environment e = {scope, weir_object_new()};
    weir_expr_names(program, put_name, &e);
    weir_expr_world world = world_of(scope, e.env);
    weir_value *result = weir_expr_eval(program, &world, error);
    weir_value_unref(e.env);
    return result;
}

/* Tags within the text are replaced before it is read. */
bool weir__expression_test(weir__scope *scope, weir_str text, bool *result, weir_error *error) {
    if (!has_tags(text)) return evaluate(scope, text, NULL, result, error);
    weir_buffer rendered = {0};
    bool ok = weir__render(scope, text, &rendered, error) &&
              evaluate(scope, weir_buffer_str(&rendered), NULL, result, error);
    weir_buffer_deinit(&rendered);
    return ok;
}

/* --- checking ---------------------------------------------------------------------------------------------------- */

bool weir__expression_names(weir_str text, bool (*visit)(void *arg, weir_str name), void *arg,
                            weir_error *error) {
    weir_expr *program = weir_expr_compile(text, NULL, error);
    if (!program) return false;
    weir_expr_names(program, visit, arg);
    weir_expr_free(program);
    return true;
}

/* --- of the workflow itself, before it runs ------------------------------------------------------------------------ */

bool weir__expression_of_workflow(const weir__workflow *workflow, weir_str text, weir_buffer *out,
                                  weir_error *error) {
    weir_value *env = weir_object_new(), *own = weir_object_new(), *parameters = weir_object_new();
    for (size_t i = 0; i < workflow->parameters.count; i++)
        weir_member_set(parameters, workflow->parameters.items[i].name,
                        weir_string_from(workflow->parameters.items[i].text));
    static const char *const kinds[] = {"labels", "annotations"};
    for (size_t i = 0; i < 2; i++) {
        weir_value *texts = weir_member_named(workflow->metadata, kinds[i]);
        if (texts) weir_member_put(own, kinds[i], weir_value_ref(texts));
    }
    weir_member_put_text(own, "name", workflow->name);
    weir_member_put(own, "parameters", parameters);
    weir_member_put(env, "workflow", own);
    bool nil = false;
    weir_expr_world world = {.env = env};
    weir_expr *program = weir_expr_compile(text, NULL, error);
    bool ok = program && weir_expr_render(program, &world, out, &nil, error);
    if (ok && nil) ok = weir_fail(error, WEIR_INVALID, "the expression gives nothing");
    weir_expr_free(program);
    weir_value_unref(env);
    return ok;
}

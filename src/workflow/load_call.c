/* Calls of templates: by name, by reference, inline; in steps, tasks and hooks. */
#include <stdio.h>

#include "workflow/load_internal.h"

/* One call, and where it stands. */
typedef struct call {
    weir__loader *l;
    weir__entry of; /* the template that has it */
    bool dag;
    size_t group, index; /* of the step or task */
    weir_str step;       /* its name */
    weir_str hook;       /* empty: not of a hook */
} call;

static const char *scope_of(const weir__source *source) {
    return weir_str_is(source->kind, "ClusterWorkflowTemplate") ? "cluster" : "namespaced";
}

/* Where the call is, in the file; `member` is below it. */
static void problem_at(const call *c, const char *member, weir_str near, const char *format,
                       weir_str a, weir_str b) {
    char path[1024], where[512], message[400];
    char hook[160] = "";
    if (c->hook.length) snprintf(hook, sizeof hook, "hooks/%.*s/", WEIR_ARG(c->hook));
    if (!c->of.source) return;
    if (!c->of.path[0])
        snprintf(path, sizeof path, "spec/%s%s", hook, member);
    else if (c->dag)
        snprintf(path, sizeof path, "%s/dag/tasks/%zu/%s%s", c->of.path, c->index, hook, member);
    else
        snprintf(path, sizeof path, "%s/steps/%zu/%zu/%s%s", c->of.path, c->group, c->index, hook,
                 member);
    if (!c->of.path[0])
        snprintf(where, sizeof where, "spec.hooks.%.*s", WEIR_ARG(c->hook));
    else if (c->dag)
        snprintf(where, sizeof where, "templates.%.*s.tasks.%.*s", WEIR_ARG(c->of.key),
                 WEIR_ARG(c->step));
    else
        snprintf(where, sizeof where, "templates.%.*s.steps[%zu].%.*s", WEIR_ARG(c->of.key),
                 c->group, WEIR_ARG(c->step));
    snprintf(message, sizeof message, format, WEIR_ARG(a), WEIR_ARG(b));
    weir__load_problem(c->l, c->of.source, path, near, "%s %s", where, message);
}

/* --- templates of libraries ------------------------------------------------------------------ */

static const weir_value *templates_of(const weir__source *source) {
    const weir_value *list =
        weir_member_named(weir_member_named(source->value, "spec"), "templates");
    return weir_is(list, WEIR_ARRAY) ? list : NULL;
}

static weir_str key_of(weir__loader *l, const weir__source *source, weir_str name) {
    return weir_str_from(weir__load_text(l, "%s/%.*s/%.*s", scope_of(source),
                                         WEIR_ARG(source->name), WEIR_ARG(name)));
}

static void index_templates(weir__loader *l, weir__source *source) {
    if (source->indexed) return;
    source->indexed = true;
    weir__source_check(l, source);
    const weir_value *list = templates_of(source);
    uint64_t high = (uint64_t)(source - l->sources) << 32;
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        weir_str name = weir_member_text(weir_array_at(list, i), "name");
        if (name.length) weir_map_set(&l->places, key_of(l, source, name), high | i);
    }
}

/* Makes it an entry, unless it is one. False: there is none of that name. */
static bool want(weir__loader *l, weir__source *source, weir_str name, weir_str *key) {
    uint64_t place;
    index_templates(l, source);
    *key = key_of(l, source, name);
    if (!weir_map_get(&l->places, *key, &place)) return false;
    if (weir_map_get(&l->wanted, *key, NULL)) return true;
    weir_map_set(&l->wanted, *key, 1);
    size_t index = (uint32_t)place;
    weir_value *value = weir_array_at(templates_of(source), index);
    *weir_vector_push(&l->entries) =
        (weir__entry){.value = weir_value_ref(value),
                      .key = *key,
                      .scope = source,
                      .source = source,
                      .path = weir__load_text(l, "spec/templates/%zu", index),
                      .elsewhere = true};
    return true;
}

static void want_all(weir__loader *l, weir__source *source) {
    if (source->whole) return;
    source->whole = true;
    index_templates(l, source);
    const weir_value *list = templates_of(source);
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        weir_str name = weir_member_text(weir_array_at(list, i), "name"), key;
        if (weir_is(weir_array_at(list, i), WEIR_OBJECT) && name.length)
            (void)want(l, source, name, &key);
    }
}

/* Those of all sources of the kind. */
static void want_any(weir__loader *l, const char *kind, bool cluster) {
    if (l->all_templates[cluster]) return;
    l->all_templates[cluster] = true;
    for (size_t i = 0; i < l->source_count; i++)
        if (weir_str_is(l->sources[i].kind, kind)) want_all(l, &l->sources[i]);
}

static weir_str near_template(const weir__loader *l, const weir__source *source, weir_str name) {
    const weir_value *list = templates_of(source);
    weir_nearest nearest = weir_nearest_to(name);
    for (size_t i = 0; weir__load_tells(l) && list && i < weir_value_count(list); i++)
        weir_nearest_try(&nearest, weir_member_text(weir_array_at(list, i), "name"));
    return nearest.best;
}

/* --- a call ---------------------------------------------------------------------------------- */

static weir_value *put_template(weir_value *of, weir_str key) {
    return weir__with(of, "template", weir_string_from(key));
}

/* The problem is told: nobody is to look for the template. */
static weir_value *mark_missing(weir_value *of) {
    weir_value *mark = weir_object_new();
    weir_member_put(mark, "missing", weir_bool_new(true));
    return weir__with(weir_value_ref(of), "weir", mark);
}

static weir_value *change_reference(const call *c, weir_value *of, const weir_value *reference) {
    weir_str name = weir_member_text(reference, "name");
    weir_str template = weir_member_text(reference, "template"), key;
    const weir_value *scope = weir_member_named(reference, "clusterScope");
    bool cluster = weir_is(scope, WEIR_BOOL) && weir_bool_get(scope);
    const char *kind = cluster ? "ClusterWorkflowTemplate" : "WorkflowTemplate";
    if (!name.length || !template.length) {
        problem_at(c, "templateRef", WEIR_STR(""), "template reference needs name and template",
                   name, name);
        return mark_missing(of);
    }
    weir__source *source = weir__has_tag(name) ? NULL : weir__source_find(c->l, kind, name);
    if (weir__has_tag(name)) want_any(c->l, kind, cluster);
    size_t before = c->l->problems->count;
    if (!weir__has_tag(name) && !source) {
        problem_at(c, "templateRef/name", weir__source_near(c->l, kind, name),
                   cluster ? "cluster workflow template %.*s not found%.*s"
                           : "workflow template %.*s not found%.*s",
                   name, WEIR_STR(""));
        weir__load_hint(c->l, before);
        return mark_missing(of);
    }
    if (source && weir__has_tag(template)) want_all(c->l, source);
    if (source && !weir__has_tag(template) && !want(c->l, source, template, &key)) {
        problem_at(c, "templateRef/template", near_template(c->l, source, template),
                   "template %.*s not found in workflow template %.*s", template, name);
        return mark_missing(of);
    }
    key = weir_str_from(weir__load_text(c->l, "%s/%.*s/%.*s", cluster ? "cluster" : "namespaced",
                                        WEIR_ARG(name), WEIR_ARG(template)));
    return put_template(weir_value_ref(of), key);
}

static weir_value *change_inline(const call *c, weir_value *of, const weir_value *body) {
    weir__loader *l = c->l;
    char *path =
        c->dag ? weir__load_text(l, "%s/dag/tasks/%zu/inline", c->of.path, c->index)
               : weir__load_text(l, "%s/steps/%zu/%zu/inline", c->of.path, c->group, c->index);
    weir_str key = weir_str_from(
        weir__load_text(l, "%.*s/%.*s/inline", WEIR_ARG(c->of.key), WEIR_ARG(c->step)));
    *weir_vector_push(&l->entries) = (weir__entry){.value = weir_value_ref((weir_value *)body),
                                                   .key = key,
                                                   .scope = c->of.scope,
                                                   .source = c->of.source,
                                                   .path = path,
                                                   .inlined = true,
                                                   .elsewhere = true};
    return put_template(weir__without(weir_value_ref(of), "inline"), key);
}

/* A name that is relative to a WorkflowTemplate; of the workflow's own stays as it is. */
static weir_value *change_name(const call *c, weir_value *of, const char *member) {
    weir_str name = weir_member_text(of, member), key = {0};
    weir__source *scope = (weir__source *)c->of.scope;
    if (!scope || !name.length) return weir_value_ref(of);
    if (weir__has_tag(name)) {
        want_all(c->l, scope);
        key = key_of(c->l, scope, name);
    } else if (!want(c->l, scope, name, &key)) {
        problem_at(c, member, near_template(c->l, scope, name),
                   "template name '%.*s' undefined in workflow template %.*s", name, scope->name);
        return mark_missing(of);
    }
    return weir__with(weir_value_ref(of), member, weir_string_from(key));
}

static weir_value *change_target(const call *c, weir_value *of) {
    const weir_value *body = c->hook.length ? NULL : weir__object_member(of, "inline");
    const weir_value *reference = weir__object_member(of, "templateRef");
    if (body) return change_inline(c, of, body);
    if (reference) return change_reference(c, of, reference);
    return change_name(c, of, "template");
}

static weir_value *change_hook(void *arg, weir_value *hook, size_t index) {
    call *c = arg;
    (void)index;
    return weir_is(hook, WEIR_OBJECT) ? change_target(c, hook) : weir_value_ref(hook);
}

static weir_value *change_hooks(call *c, const weir_value *hooks) {
    weir_value *out = weir_value_ref((weir_value *)hooks);
    for (size_t i = 0; i < weir_value_count(hooks); i++) {
        c->hook = weir_object_key(hooks, i);
        weir_value *hook = weir_object_at(hooks, i), *changed = change_hook(c, hook, i);
        out = weir__with(out, c->hook.data, changed);
    }
    c->hook = WEIR_STR("");
    return out;
}

/* Those of its parameters that come from config maps. */
static weir_value *fill_arguments(const call *c, const weir_value *item, weir_value *out) {
    const weir_value *arguments = weir__object_member(item, "arguments");
    const weir_value *list = weir_member_named(arguments, "parameters");
    bool any = false;
    for (size_t i = 0; !any && weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++)
        any = weir__object_member(weir_array_at(list, i), "valueFrom") != NULL;
    if (!any) return out;
    const char *path = c->dag ? weir__load_text(c->l, "%s/dag/tasks/%zu/arguments/parameters",
                                                c->of.path, c->index)
                              : weir__load_text(c->l, "%s/steps/%zu/%zu/arguments/parameters",
                                                c->of.path, c->group, c->index);
    weir_value *filled = weir__fill_parameters(c->l, list, NULL, c->of.source, path);
    return weir__with(out, "arguments",
                      weir__with(weir_value_ref((weir_value *)arguments), "parameters", filled));
}

static weir_value *change_call(void *arg, weir_value *item, size_t index) {
    call *c = arg;
    if (!weir_is(item, WEIR_OBJECT)) return weir_value_ref(item);
    c->index = index;
    c->step = weir_member_text(item, "name");
    weir_value *out = fill_arguments(c, item, change_target(c, item));
    const weir_value *hooks = weir__object_member(item, "hooks");
    if (hooks) out = weir__with(out, "hooks", change_hooks(c, hooks));
    if (c->of.scope) {
        weir_value *before = out;
        out = change_name(c, before, "onExit");
        weir_value_unref(before);
    }
    return out;
}

static weir_value *change_group(void *arg, weir_value *item, size_t index) {
    call *c = arg;
    c->group = index;
    return weir_is(item, WEIR_ARRAY) ? weir__map_items(item, change_call, c) : weir_value_ref(item);
}

void weir__resolve_entry(weir__loader *l, size_t index) {
    call c = {.l = l, .of = l->entries.items[index]};
    weir_value *value = c.of.value;
    const weir_value *steps = weir_member_named(value, "steps");
    const weir_value *dag = weir__object_member(value, "dag");
    const weir_value *tasks = weir_member_named(dag, "tasks");
    if (weir_is(steps, WEIR_ARRAY))
        value = weir__with(value, "steps", weir__map_items(steps, change_group, &c));
    c.dag = true;
    if (weir_is(tasks, WEIR_ARRAY)) {
        weir_value *changed = weir__with(weir_value_ref((weir_value *)dag), "tasks",
                                         weir__map_items(tasks, change_call, &c));
        value = weir__with(value, "dag", changed);
    }
    l->entries.items[index].value = value;
}

weir_value *weir__resolve_hooks(weir__loader *l, const weir__source *source, weir_value *hooks) {
    call c = {.l = l, .of = {.source = source, .path = ""}};
    return change_hooks(&c, hooks);
}

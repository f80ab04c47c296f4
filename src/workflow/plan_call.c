/* What a call of a template may have around it: a loop, hooks. */
#include <math.h>
#include <stdio.h>

#include "workflow/template.h"

/* --- loops ---------------------------------------------------------------------------------------- */

static void check_items(weir__compiler *c, const weir__site *site, const weir_value *value) {
    if (weir_is(value, WEIR_STRING)) weir__check_text(c, site, weir_string_get(value), NULL);
    size_t count =
        weir_is(value, WEIR_ARRAY) || weir_is(value, WEIR_OBJECT) ? weir_value_count(value) : 0;
    for (size_t i = 0; i < count; i++)
        check_items(c, site,
                    weir_is(value, WEIR_ARRAY) ? weir_array_at(value, i)
                                               : weir_object_at(value, i));
}

/* As Argo has what YAML says: numbers that are whole are whole, and a map has its members by their names. New reference. */
static weir_value *as_go_reads(weir_value *value) {
    if (weir_is(value, WEIR_FLOAT)) {
        double number = weir_number_get(value);
        bool whole = number == floor(number) && fabs(number) < 9e15;
        return whole ? weir_int_new((int64_t)number) : weir_value_ref(value);
    }
    if (weir_is(value, WEIR_ARRAY)) {
        weir_value *out = weir_array_new();
        for (size_t i = 0; i < weir_value_count(value); i++)
            weir_array_append(out, as_go_reads(weir_array_at(value, i)));
        return out;
    }
    if (!weir_is(value, WEIR_OBJECT)) return weir_value_ref(value);
    weir_value *out = weir_object_sorted(value);
    for (size_t i = 0; i < weir_value_count(out); i++) {
        weir_value *member = weir_object_at(out, i), *read = as_go_reads(member);
        weir_member_set(out, weir_object_key(out, i), read);
    }
    return out;
}

static weir_str checked_field(weir__compiler *c, const weir__site *site, const weir_value *source,
                              const char *key) {
    weir_str text = WEIR_STR("");
    if (weir__text_field(c, source, key, &text)) {
        size_t mark = weir__enter(c, "%s", key);
        weir__check_text(c, site, text, NULL);
        weir__leave(c, mark);
    }
    return text;
}

static void compile_sequence(weir__compiler *c, const weir__site *site, const weir_value *source,
                             weir__loop *loop) {
    size_t mark = weir__enter(c, "withSequence");
    loop->is_sequence = true;
    loop->count = checked_field(c, site, source, "count");
    loop->start = checked_field(c, site, source, "start");
    loop->end = checked_field(c, site, source, "end");
    loop->format = checked_field(c, site, source, "format");
    if (loop->count.length && loop->end.length)
        weir__problem(c, WEIR_INVALID, "%s only one of count or end can be defined in withSequence",
                      site->what);
    else if (!loop->count.length && !loop->end.length)
        weir__problem(c, WEIR_INVALID, "%s.withSequence: must have one of count or end",
                      site->what);
    weir__leave(c, mark);
}

void weir__compile_loop(weir__compiler *c, const weir__site *site, weir__step *step,
                        const weir_value *source) {
    weir_value *items = weir__field(c, source, "withItems", WEIR_ARRAY);
    const weir_value *sequence = weir__field(c, source, "withSequence", WEIR_OBJECT);
    weir_str param = WEIR_STR("");
    bool has_param = weir__text_field(c, source, "withParam", &param) && param.length;
    if (items && !weir_value_count(items)) items = NULL; /* no loop, as in Argo */
    int given = (items != NULL) + (sequence != NULL) + has_param;
    if (!given) return;
    if (given > 1)
        weir__problem(c, WEIR_INVALID,
                      "%s only one of withItems, withParam, withSequence can be specified",
                      site->what);
    weir__loop *loop = weir_arena_alloc(&c->workflow->arena, sizeof *loop);
    loop->param = param;
    if (items) {
        size_t mark = weir__enter(c, "withItems");
        check_items(c, site, items);
        weir__leave(c, mark);
        loop->items = as_go_reads(items);
        *weir_vector_push(&c->workflow->values) = loop->items;
    }
    if (sequence) compile_sequence(c, site, sequence, loop);
    if (has_param) (void)checked_field(c, site, source, "withParam");
    step->loop = loop;
}

/* --- hooks ---------------------------------------------------------------------------------------- */

/* A hook is called as a step is; its template gets the arguments, or the workflow's. */
static void compile_hook(weir__compiler *c, const weir__site *site, weir__step *hook, weir_str name,
                         const weir_value *source) {
    weir_str template = WEIR_STR("");
    uint64_t index;
    hook->name = name;
    hook->template = WEIR__NONE;
    if (weir_is(source, WEIR_STRING))
        template = weir_string_get(source);
    else
        (void)weir__text_field(c, source, "template", &template);
    size_t before = c->problems->count;
    if (weir__is_missing(source)) {
        return;
    } else if (!template.length) {
        weir__problem(c, WEIR_INVALID, "%s: hook %.*s names no template", site->what,
                      WEIR_ARG(name));
    } else if (!weir_map_get(&c->workflow->template_names, template, &index)) {
        weir__problem(c, WEIR_INVALID, "%s: hook %.*s template name '%.*s' undefined", site->what,
                      WEIR_ARG(name), WEIR_ARG(template));
        weir__hint_template(c, before, template);
    } else {
        hook->template = (uint32_t)index;
    }
    if (weir_is(source, WEIR_STRING)) {
        hook->arguments = c->workflow->parameters;
        hook->artifacts = c->workflow->artifacts;
    } else {
        if (weir__text_field(c, source, "expression", &hook->when)) {
            size_t mark = weir__enter(c, "expression");
            weir__check_expression(c, site, hook->when);
            weir__leave(c, mark);
        } else if (!weir__is_exit(hook)) {
            weir__problem(c, WEIR_INVALID, "%s.%.*s Expression required",
                          weir_str_is(weir_str_from(site->what), "spec") ? "hooks" : site->what,
                          WEIR_ARG(name));
        }
        weir__compile_arguments(c, site, hook, source);
    }
    weir__check_supplied(c, site, hook);
}

void weir__compile_hooks(weir__compiler *c, const weir__site *site, weir__step *step,
                         const weir_value *source) {
    const weir_value *hooks = weir__field(c, source, "hooks", WEIR_OBJECT);
    const weir_value *on_exit = weir__field(c, source, "onExit", WEIR_STRING);
    size_t named = hooks ? weir_value_count(hooks) : 0;
    bool exits = on_exit && weir_string_get(on_exit).length;
    weir__site inside = *site;
    inside.at_end = true;
    if (!named && !exits) return;
    step->hooks = weir_arena_alloc(&c->workflow->arena, (named + 1) * sizeof *step->hooks);
    if (exits) {
        size_t mark = weir__enter(c, "onExit");
        compile_hook(c, &inside, &step->hooks[step->hook_count++], WEIR_STR("exit"), on_exit);
        weir__leave(c, mark);
    }
    for (size_t i = 0; i < named; i++) {
        weir_str name = weir_object_key(hooks, i);
        size_t mark = weir__enter(c, "hooks");
        weir_path_append(&c->path, name);
        if (weir_str_is(name, "exit") && exits)
            weir__problem(c, WEIR_OK, "%s has onExit: its hooks.exit does not run", site->what);
        else
            compile_hook(c, &inside, &step->hooks[step->hook_count++],
                         (weir_str){weir_str_copy(&c->workflow->arena, name), name.length},
                         weir_object_at(hooks, i));
        weir__leave(c, mark);
    }
}

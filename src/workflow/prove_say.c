/* What the proof of a workflow is, in words. */
#include <stdio.h>

#include "workflow/prove_internal.h"

enum { NAMES_MAX = 12, CYCLE_MAX = 1000 };

/* "template.step" */
static weir_value *component_name(const weir__template *t, const weir__step *step) {
    weir_buffer text = {0};
    weir_buffer_str_append(&text, t->name);
    if (step) weir_buffer_printf(&text, ".%.*s", WEIR_ARG(step->name));
    weir_value *name = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return name;
}

/* Where the template, its step and a field of that are. */
static void write_path(const weir__workflow_proof *p, const weir__template *t,
                       const weir__step *step, const char *field, weir_buffer *out) {
    weir_buffer_printf(out, "spec/templates/%zu", (size_t)(t - p->workflow->templates));
    if (step && t->kind == WEIR__DAG)
        weir_buffer_printf(out, "/dag/tasks/%zu", (size_t)(step - t->steps));
    else if (step)
        weir_buffer_printf(out, "/steps/%u/%zu", step->group,
                           (size_t)(step - t->steps) - t->groups[step->group]);
    if (*field) weir_path_append(out, weir_str_from(field));
}

static void say(weir__workflow_proof *p, const weir__template *t, const weir__step *step,
                const char *field, weir_code code, const char *reason, const char *message) {
    weir_buffer path = {0};
    weir_value *detail = weir_object_new();
    weir_member_put(detail, "component", component_name(t, step));
    weir_member_put_text(detail, "reason", weir_str_from(reason));
    write_path(p, t, step, field, &path);
    weir_proof_add(p->proof, p->root, path.data, code, detail, "", "%.*s%s%.*s: %s",
                   WEIR_ARG(t->name), step ? "." : "", WEIR_ARG(step ? step->name : WEIR_STR("")),
                   message);
    weir_buffer_deinit(&path);
}

/* --- steps that never run, or may not ------------------------------------------------------------- */

static const char *field_of(const weir__template *t, const weir__step *step, weir__why why) {
    const char *loop = !step->loop               ? ""
                       : step->loop->items       ? "withItems"
                       : step->loop->is_sequence ? "withSequence"
                                                 : "withParam";
    switch (why) {
    case WEIR__WHY_WHEN: return "when";
    case WEIR__WHY_LOOP:
    case WEIR__WHY_BAD_PARAM: return loop;
    case WEIR__WHY_DEPENDS: return t->kind == WEIR__DAG ? "depends" : "";
    default: return "";
    }
}

static void say_never(weir__workflow_proof *p, const weir__template *t, const weir__step *step,
                      const weir__step_proof *s, bool certain) {
    weir_buffer text = {0};
    switch (s->why) {
    case WEIR__WHY_DEPENDS:
        weir_buffer_text(&text, "it never runs: its `depends` can never be true");
        break;
    case WEIR__WHY_WHEN:
        weir_buffer_printf(&text, "it never runs: `when` '%.*s' is always false%s",
                           WEIR_ARG(step->when), s->literal ? "" : " with these parameters");
        break;
    case WEIR__WHY_LOOP: weir_buffer_text(&text, "it never runs: it loops over nothing"); break;
    case WEIR__WHY_BAD_PARAM:
        weir_buffer_text(&text, "its `withParam` is no JSON list: the step fails");
        break;
    default: break;
    }
    static const char *const reasons[] = {"", "depends", "when", "loop", "target", "withParam"};
    weir_code code = certain && s->why == WEIR__WHY_BAD_PARAM ? WEIR_INVALID : WEIR_OK;
    if (text.length) say(p, t, step, field_of(t, step, s->why), code, reasons[s->why], text.data);
    weir_buffer_deinit(&text);
}

/* Those tasks that `depends` is about; the first of them that may not end as it asks. */
static void list_may(weir__workflow_proof *p, const weir__template *t, const weir__step *step,
                     const weir__step_proof *s) {
    weir_value *item = weir_object_new();
    weir_buffer when = {0};
    switch (s->why) {
    case WEIR__WHY_WHEN: weir_buffer_printf(&when, "when not '%.*s'", WEIR_ARG(step->when)); break;
    case WEIR__WHY_LOOP: weir_buffer_text(&when, "when it has no items to loop over"); break;
    case WEIR__WHY_DEPENDS: weir_buffer_text(&when, "when its `depends` is not true"); break;
    default: weir_buffer_printf(&when, "when template %.*s does not run", WEIR_ARG(t->name)); break;
    }
    weir_member_put(item, "component", component_name(t, step));
    weir_member_put_text(item, "when", weir_buffer_str(&when));
    weir_proof_list(p->proof, "may", item);
    weir_buffer_deinit(&when);
}

/* --- what arguments refer to ---------------------------------------------------------------------- */

typedef struct referring {
    weir__workflow_proof *p;
    const weir__template *t;
    const weir__step *step;
} referring;

static bool look_at_tag(void *arg, weir_str tag) {
    const referring *r = arg;
    uint64_t at;
    weir__reference ref = weir__reference_parse(tag, r->t->kind == WEIR__DAG);
    if ((ref.subject != WEIR__REF_RESULT && ref.subject != WEIR__REF_OUTPUT) ||
        !weir_map_get(&r->t->step_names, ref.step, &at))
        return true;
    const weir__step *maker = &r->t->steps[at];
    const weir__step_proof *s = &r->p->steps[r->t - r->p->workflow->templates][at];
    if (s->level != WEIR__NEVER || s->why == WEIR__WHY_BAD_PARAM) return true;
    if (maker->template != WEIR__NONE) {
        const weir__parameter *output =
            weir__parameter_find(&r->p->workflow->templates[maker->template].outputs, ref.name);
        if (output && output->has_fallback) return true;
    }
    weir_buffer text = {0};
    weir_buffer_printf(&text, "it takes {{%.*s}}, and %.*s never runs", WEIR_ARG(tag),
                       WEIR_ARG(maker->name));
    say(r->p, r->t, r->step, "arguments", WEIR_OK, "waits", text.data);
    weir_buffer_deinit(&text);
    return true;
}

static void look_at_arguments(weir__workflow_proof *p, const weir__template *t,
                              const weir__step *step) {
    referring r = {p, t, step};
    for (size_t i = 0; i < step->arguments.count; i++)
        if (!step->arguments.items[i].is_expression)
            weir_tag_each(step->arguments.items[i].text, look_at_tag, &r);
}

static void look_at_steps(weir__workflow_proof *p, const weir__template *t, uint8_t runs,
                          size_t levels[3]) {
    const weir__step_proof *steps = p->steps[t - p->workflow->templates];
    for (size_t i = 0; i < t->step_count; i++) {
        const weir__step *step = &t->steps[i];
        uint8_t level = steps[i].level < runs ? steps[i].level : runs;
        levels[level]++;
        if (level == WEIR__NEVER) {
            say_never(p, t, step, &steps[i], runs == WEIR__SURE);
            weir_proof_list(p->proof, "never", component_name(t, step));
            continue;
        }
        if (level == WEIR__MAY) list_may(p, t, step, &steps[i]);
        if (steps[i].when == WEIR__ALWAYS_TRUE && steps[i].literal)
            say(p, t, step, "when", WEIR_OK, "when", "its `when` is always true");
        look_at_arguments(p, t, step);
    }
}

/* --- templates that call each other --------------------------------------------------------------- */

/* The next step of the template, from `at` on, that calls another for certain. */
static bool next_call(const weir__workflow_proof *p, uint32_t template, size_t *at,
                      uint32_t *called) {
    const weir__template *t = &p->workflow->templates[template];
    while (*at < t->step_count) {
        const weir__step *step = &t->steps[*at];
        bool sure = p->steps[template][(*at)++].level == WEIR__SURE;
        if (!sure || step->template == WEIR__NONE) continue;
        *called = step->template;
        return true;
    }
    return false;
}

static void say_endless(weir__workflow_proof *p, const uint32_t *path, size_t from, size_t count) {
    weir_buffer text = {0}, where = {0};
    weir_value *detail = weir_object_new(), *cycle = weir_array_new();
    const weir__template *first = &p->workflow->templates[path[from]];
    for (size_t i = from; i < count; i++) {
        const weir__template *t = &p->workflow->templates[path[i]];
        if (i - from < NAMES_MAX) weir_buffer_printf(&text, "%.*s → ", WEIR_ARG(t->name));
        if (i - from == NAMES_MAX) weir_buffer_text(&text, "… → ");
        if (i - from < CYCLE_MAX) weir_array_append(cycle, weir_string_from(t->name));
    }
    weir_member_put(detail, "component", component_name(first, NULL));
    weir_member_put_text(detail, "reason", WEIR_STR("cycle"));
    weir_member_put(detail, "cycle", cycle);
    write_path(p, first, NULL, "", &where);
    bool certain = p->runs[path[from]] == WEIR__SURE;
    weir_proof_add(p->proof, p->root, where.data, certain ? WEIR_INVALID : WEIR_OK, detail,
                   "a `when` on one of the steps ends it",
                   "%.*s: it never ends: a cycle of templates that call each other without a "
                   "condition: %s%.*s",
                   WEIR_ARG(first->name), text.data, WEIR_ARG(first->name));
    weir_buffer_deinit(&text);
    weir_buffer_deinit(&where);
}

/* Depth first, without recursion. Each cycle is met at its last call; of those that begin alike the first is said. */
static void find_endless(weir__workflow_proof *p) {
    size_t count = p->workflow->template_count, depth = 0;
    uint32_t *path = weir_alloc((count + 1) * sizeof *path);
    size_t *at = weir_alloc((count + 1) * sizeof *at);
    size_t *place =
        weir_alloc((count + 1) * sizeof *place); /* on the path, from 1; SIZE_MAX: done */
    bool *told = weir_alloc(count + 1);
    for (uint32_t root = 0; root < count; root++) {
        if (!p->runs[root] || place[root]) continue;
        path[depth++] = root;
        place[root] = depth;
        while (depth) {
            uint32_t called, here = path[depth - 1];
            if (!next_call(p, here, &at[here], &called)) {
                place[here] = SIZE_MAX;
                depth--;
            } else if (!place[called]) {
                path[depth++] = called;
                place[called] = depth;
            } else if (place[called] != SIZE_MAX && !told[called]) {
                told[called] = true;
                say_endless(p, path, place[called] - 1, depth);
            }
        }
    }
    void *const parts[] = {path, at, place, told};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) weir_free(parts[i]);
}

/* --- templates ------------------------------------------------------------------------------------ */

static void look_at_template(weir__workflow_proof *p, const weir__template *t) {
    uint8_t runs = p->runs[t - p->workflow->templates];
    const weir_value *extra = weir_member_named(p->workflow->source, "weir");
    bool shared = weir_member_text(extra, "scope").length > 0; /* others may call it */
    if (runs == WEIR__NEVER) {
        bool own = !t->inlined && !shared && !p->workflow->plan.left_out;
        if (own) say(p, t, NULL, "", WEIR_OK, "unused", "no step that can run calls this template");
        return;
    }
    if (t->kind == WEIR__SUSPEND && !t->duration.length && !p->workflow->resume_after_us) {
        weir_proof_list(p->proof, "waits", component_name(t, NULL));
        say(p, t, NULL, "suspend", WEIR_OK, "suspend",
            "it waits until somebody resumes it (`weir resume RUN`)");
    }
}

void weir__workflow_prove_say(weir__workflow_proof *p) {
    const weir__workflow *workflow = p->workflow;
    size_t levels[3] = {0};
    for (size_t i = 0; i < workflow->template_count; i++) {
        const weir__template *t = &workflow->templates[i];
        look_at_template(p, t);
        if (p->runs[i]) look_at_steps(p, t, p->runs[i], levels);
    }
    bool leaf = workflow->entry.template != WEIR__NONE && workflow->template_count &&
                !workflow->templates[workflow->entry.template].step_count;
    levels[WEIR__SURE] += leaf && p->runs[workflow->entry.template] == WEIR__SURE;
    find_endless(p);
    weir_proof_count(p->proof, "steps", levels[0] + levels[1] + levels[2]);
    weir_proof_count(p->proof, "run", levels[WEIR__SURE]);
    weir_proof_count(p->proof, "may_not_run", levels[WEIR__MAY]);
    weir_proof_count(p->proof, "never_run", levels[WEIR__NEVER]);
    for (size_t i = 0; i < workflow->parameters.count; i++) {
        if (workflow->parameters.items[i].given) continue;
        weir_value *item = weir_object_new();
        weir_member_put_text(item, "parameter", workflow->parameters.items[i].name);
        weir_proof_list(p->proof, "needs", item);
    }
}

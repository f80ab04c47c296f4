#include "workflow/template.h"

static const char *const foreign_unless[] = {"item.",     "steps.", "inputs.", "outputs.", "pod.",
                                             "workflow.", "tasks.", "node.",   NULL};

static bool starts_with_any(weir_str tag, const char *const *prefixes) {
    for (; *prefixes; prefixes++)
        if (weir_str_starts(tag, weir_str_from(*prefixes))) return true;
    return false;
}

/* Cuts `prefix` off the tag. */
static bool after(weir_str *tag, const char *prefix) {
    weir_str p = weir_str_from(prefix);
    if (!weir_str_starts(*tag, p)) return false;
    *tag = weir_str_slice(*tag, p.length, tag->length);
    return true;
}

static weir__reference parse_step(weir_str rest) {
    size_t dot = weir_str_find(rest, WEIR_STR("."), 0);
    if (dot == SIZE_MAX) return (weir__reference){.subject = WEIR__REF_UNKNOWN};
    weir__reference r = {.step = weir_str_slice(rest, 0, dot)};
    rest = weir_str_slice(rest, dot + 1, rest.length);
    if (weir_str_is(rest, "outputs.result"))
        r.subject = WEIR__REF_RESULT;
    else if (weir_str_is(rest, "status"))
        r.subject = WEIR__REF_STATUS;
    else if (weir_str_is(rest, "exitCode"))
        r.subject = WEIR__REF_EXIT_CODE;
    else if (weir_str_is(rest, "ip"))
        r.subject = WEIR__REF_IP;
    else if (after(&rest, "outputs.parameters."))
        r.subject = WEIR__REF_OUTPUT;
    else
        r.subject = weir_str_is(rest, "id") || weir_str_is(rest, "startedAt") ||
                            weir_str_is(rest, "finishedAt") || weir_str_is(rest, "hostNodeName") ||
                            weir_str_starts(rest, WEIR_STR("outputs."))
                        ? WEIR__REF_UNSUPPORTED
                        : WEIR__REF_UNKNOWN;
    r.name = rest;
    return r;
}

weir__reference weir__reference_parse(weir_str tag, bool dag) {
    static const char *const unsupported[] = {"workflow.",        "pod.name",          "node.name",
                                              "inputs.artifacts", "outputs.",          "steps.name",
                                              "tasks.name",       "inputs.parameters", NULL};
    weir_str rest = tag;
    weir__subject subject = WEIR__REF_UNKNOWN;
    if (!starts_with_any(tag, foreign_unless))
        subject = WEIR__REF_FOREIGN;
    else if (weir_str_is(tag, "workflow.name"))
        subject = WEIR__REF_NAME;
    else if (after(&rest, "workflow.parameters."))
        subject = WEIR__REF_PARAMETER;
    else if (after(&rest, "inputs.parameters."))
        subject = WEIR__REF_INPUT;
    else if (starts_with_any(tag, unsupported))
        subject = WEIR__REF_UNSUPPORTED;
    else if (after(&rest, dag ? "tasks." : "steps."))
        return parse_step(rest);
    return (weir__reference){.subject = subject, .name = rest};
}

typedef struct check {
    weir__compiler *c;
    const weir__site *site;
} check;

/* Whether the site may look at the step: it is over by then. */
static bool is_before(const weir__site *site, uint32_t step) {
    const weir__template *t = site->template;
    if (site->step == WEIR__NONE) return false;
    if (site->step == t->step_count) return true;
    return t->kind == WEIR__DAG ? weir__is_ancestor(t, step, site->step)
                                : t->steps[step].group < t->steps[site->step].group;
}

static bool step_has(const weir__workflow *workflow, weir__step *step, const weir__reference *r) {
    if (step->template == WEIR__NONE) return true; /* a problem already */
    const weir__template *called = &workflow->templates[step->template];
    bool unknown = called->kind == WEIR__UNKNOWN;
    switch (r->subject) {
    case WEIR__REF_RESULT: step->result_wanted = true; return unknown || weir__is_leaf(called);
    case WEIR__REF_OUTPUT:
        return unknown || called->kind == WEIR__PLUGIN ||
               weir__parameter_find(&called->outputs, r->name);
    case WEIR__REF_EXIT_CODE:
    case WEIR__REF_IP: return unknown || called->kind == WEIR__POD;
    case WEIR__REF_STATUS: return true;
    default: return false;
    }
}

static bool resolves(check *k, const weir__reference *r) {
    weir__template *t = k->site->template;
    const weir__workflow *workflow = k->c->workflow;
    uint64_t step;
    switch (r->subject) {
    case WEIR__REF_FOREIGN:
    case WEIR__REF_NAME: return true;
    case WEIR__REF_PARAMETER: return weir__parameter_find(&workflow->parameters, r->name);
    case WEIR__REF_INPUT: return weir__parameter_find(&t->inputs, r->name);
    case WEIR__REF_UNKNOWN:
    case WEIR__REF_UNSUPPORTED: return false;
    default:
        return weir_map_get(&t->step_names, r->step, &step) && is_before(k->site, (uint32_t)step) &&
               step_has(workflow, &t->steps[step], r);
    }
}

/* Gives a number for every tag, so that rendering goes on and what comes out can be looked at. */
static bool check_tag(void *arg, weir_str name, weir_buffer *out) {
    check *k = arg;
    weir__reference r = weir__reference_parse(name, k->site->template->kind == WEIR__DAG);
    if (r.subject == WEIR__REF_UNSUPPORTED)
        weir__problem(k->c, WEIR_UNSUPPORTED, "{{%.*s}} is not supported yet", WEIR_ARG(name));
    else if (!resolves(k, &r))
        weir__problem(k->c, WEIR_INVALID, "%s failed to resolve {{%.*s}}", k->site->what,
                      WEIR_ARG(name));
    weir_buffer_byte(out, '1');
    return true;
}

void weir__check_text(weir__compiler *c, const weir__site *site, weir_str text,
                      weir_buffer *sample) {
    check k = {c, site};
    weir_buffer scrap = {0};
    weir_error error;
    if (!weir_tag_render(text, check_tag, &k, sample ? sample : &scrap, &error))
        weir__problem(c, error.code, "%s %s", site->what, error.message);
    weir_buffer_deinit(&scrap);
}

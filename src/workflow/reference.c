#include "workflow/template.h"

/* What begins otherwise is no tag of Argo's. */
static const char *const known_prefixes[] = {"item.",     "steps.", "inputs.", "outputs.",   "pod.",
                                             "workflow.", "tasks.", "node.",   "lastRetry.", NULL};

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
    else if (weir_str_is(rest, "hostNodeName"))
        r.subject = WEIR__REF_HOST;
    else if (after(&rest, "outputs.parameters."))
        r.subject = WEIR__REF_OUTPUT;
    else if (after(&rest, "outputs.artifacts."))
        r.subject = WEIR__REF_OUTPUT_ARTIFACT;
    else if (weir_str_is(rest, "id"))
        r.subject = WEIR__REF_ID;
    else if (weir_str_is(rest, "startedAt"))
        r.subject = WEIR__REF_STARTED_AT;
    else if (weir_str_is(rest, "finishedAt"))
        r.subject = WEIR__REF_FINISHED_AT;
    else if (weir_str_is(rest, "outputs.parameters"))
        r.subject = WEIR__REF_OUTPUTS;
    else
        r.subject =
            weir_str_starts(rest, WEIR_STR("outputs.")) ? WEIR__REF_UNSUPPORTED : WEIR__REF_UNKNOWN;
    bool named = r.subject == WEIR__REF_OUTPUT || r.subject == WEIR__REF_OUTPUT_ARTIFACT;
    r.name = named ? rest : WEIR_STR("");
    return r;
}

static weir__reference parse_own(weir_str tag) {
    static const struct {
        const char *tag;
        weir__subject subject;
    } whole[] = {{"item", WEIR__REF_ITEM},
                 {"inputs.parameters", WEIR__REF_INPUTS},
                 {"retries", WEIR__REF_RETRIES},
                 {"node.name", WEIR__REF_NODE_NAME},
                 {"pod.name", WEIR__REF_POD_NAME},
                 {"steps.name", WEIR__REF_SELF},
                 {"tasks.name", WEIR__REF_SELF},
                 {"workflow.name", WEIR__REF_NAME},
                 {"workflow.status", WEIR__REF_RUN_STATUS},
                 {"workflow.failures", WEIR__REF_RUN_FAILURES}},
      headed[] = {{"item.", WEIR__REF_ITEM},
                  {"lastRetry.", WEIR__REF_LAST_RETRY},
                  {"inputs.parameters.", WEIR__REF_INPUT},
                  {"workflow.parameters.", WEIR__REF_PARAMETER},
                  {"workflow.", WEIR__REF_RUN_FACT}};
    weir_str rest = tag;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
        if (weir_str_is(tag, whole[i].tag)) return (weir__reference){.subject = whole[i].subject};
    if (weir_str_is(tag, "workflow.parameters.json") ||
        weir_str_is(tag, "workflow.parameters")) /* all of them, not one of that name */
        return (weir__reference){.subject = WEIR__REF_RUN_FACT, .name = WEIR_STR("parameters")};
    for (size_t i = 0; i < sizeof headed / sizeof *headed; i++)
        if (after(&rest, headed[i].tag))
            return (weir__reference){.subject = headed[i].subject, .name = rest};
    return (weir__reference){.subject = WEIR__REF_UNKNOWN};
}

/* An artifact, or where one is, or a parameter's file; what else begins so is nobody's before a pod has ended. */
static weir__reference parse_artifact(weir_str tag) {
    weir__reference r = {.subject = WEIR__REF_FOREIGN, .name = tag};
    bool global = after(&r.name, "workflow.outputs.artifacts.");
    bool input = !global && after(&r.name, "inputs.artifacts.");
    bool output = !global && !input && after(&r.name, "outputs.artifacts.");
    bool parameter = !global && !input && !output && after(&r.name, "outputs.parameters.");
    bool path = weir_str_ends(r.name, WEIR_STR(".path"));
    if (global || (input && !path)) {
        r.subject = global ? WEIR__REF_GLOBAL_ARTIFACT : WEIR__REF_INPUT_ARTIFACT;
        return r;
    }
    if (!path || !(input || output || parameter)) return r;
    r.subject = input    ? WEIR__REF_ARTIFACT_PATH
                : output ? WEIR__REF_OUTPUT_PATH
                         : WEIR__REF_PARAMETER_PATH;
    r.name.length -= sizeof ".path" - 1;
    return r;
}

weir__reference weir__reference_parse(weir_str tag, bool dag) {
    static const char *const artifacts[] = {"inputs.artifacts.", "outputs.",
                                            "workflow.outputs.artifacts.", NULL};
    weir_str rest = tag;
    if (starts_with_any(tag, artifacts)) return parse_artifact(tag);
    weir__reference own = parse_own(tag);
    if (own.subject != WEIR__REF_UNKNOWN) return own;
    if (!starts_with_any(tag, known_prefixes))
        return (weir__reference){.subject = WEIR__REF_FOREIGN};
    if (after(&rest, dag ? "tasks." : "steps.")) return parse_step(rest);
    return (weir__reference){.subject = WEIR__REF_UNKNOWN};
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
    if (step == site->step) return site->at_end;
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
    case WEIR__REF_STATUS:
    case WEIR__REF_ID:
    case WEIR__REF_HOST:
    case WEIR__REF_STARTED_AT:
    case WEIR__REF_FINISHED_AT: return true;
    case WEIR__REF_OUTPUTS: return unknown || called->outputs.count;
    case WEIR__REF_OUTPUT_ARTIFACT:
        return unknown || weir__artifact_by_name(&called->artifacts_out, r->name);
    default: return false;
    }
}

/* Of what runs, which alone has files. */
static bool has_path(const weir__template *t, const weir__reference *r) {
    const weir__parameter *p = weir__parameter_find(&t->outputs, r->name);
    const weir__artifact *a = weir__artifact_by_name(
        r->subject == WEIR__REF_ARTIFACT_PATH ? &t->artifacts_in : &t->artifacts_out, r->name);
    return r->subject == WEIR__REF_PARAMETER_PATH ? p && p->path.length : a && a->path.length;
}

/* Whether an item of the step's loop may have such a member. */
static bool item_has(const weir__site *site, weir_str key) {
    const weir__template *t = site->template;
    if (!key.length || site->step >= t->step_count) return true;
    const weir__loop *loop = t->steps[site->step].loop;
    if (!loop || loop->is_sequence) return false;
    size_t count = loop->items ? weir_value_count(loop->items) : 0;
    for (size_t i = 0; i < count; i++) {
        const weir_value *item = weir_array_at(loop->items, i);
        if (weir_is(item, WEIR_ARRAY) || (weir_is(item, WEIR_OBJECT) && weir_member(item, key)))
            return true;
    }
    return loop->param.length > 0;
}

static bool resolves(check *k, const weir__reference *r) {
    weir__template *t = k->site->template;
    const weir__workflow *workflow = k->c->workflow;
    uint64_t step;
    switch (r->subject) {
    case WEIR__REF_ITEM: return item_has(k->site, r->name);
    case WEIR__REF_FOREIGN:
    case WEIR__REF_NAME:
    case WEIR__REF_INPUTS:
    case WEIR__REF_RETRIES:
    case WEIR__REF_LAST_RETRY:
    case WEIR__REF_NODE_NAME:
    case WEIR__REF_POD_NAME:
    case WEIR__REF_SELF:
    case WEIR__REF_RUN_STATUS:
    case WEIR__REF_RUN_FAILURES:
    case WEIR__REF_GLOBAL_ARTIFACT:
    case WEIR__REF_RUN_FACT: return true;
    case WEIR__REF_ARTIFACT_PATH:
    case WEIR__REF_OUTPUT_PATH:
    case WEIR__REF_PARAMETER_PATH: return has_path(t, r);
    case WEIR__REF_INPUT_ARTIFACT: return weir__artifact_by_name(&t->artifacts_in, r->name);
    case WEIR__REF_PARAMETER: return weir__parameter_find(&workflow->parameters, r->name);
    case WEIR__REF_INPUT: return weir__parameter_find(&t->inputs, r->name);
    case WEIR__REF_UNKNOWN:
    case WEIR__REF_UNSUPPORTED: return false;
    default:
        return weir_map_get(&t->step_names, r->step, &step) && is_before(k->site, (uint32_t)step) &&
               step_has(workflow, &t->steps[step], r);
    }
}

/* Of an inline template: whether its step may name it. */
static bool resolves_outside(const check *k, weir_str name) {
    const weir__template *t = k->site->template;
    if (!t->caller) return false;
    weir__site site = {
        .template = (weir__template *)t->caller, .step = t->caller_step, .what = k->site->what};
    check outside = {k->c, &site};
    weir__reference r = weir__reference_parse(name, t->caller->kind == WEIR__DAG);
    return resolves(&outside, &r) || resolves_outside(&outside, name);
}

/* A name within an expression: what can be told to be wrong before it runs. */
static bool check_name(void *arg, weir_str name) {
    check *k = arg;
    weir__reference r = weir__reference_parse(name, k->site->template->kind == WEIR__DAG);
    bool of_step = r.subject >= WEIR__REF_RESULT;
    bool named = of_step || r.subject == WEIR__REF_INPUT || r.subject == WEIR__REF_PARAMETER;
    /* members of an artifact are not looked at */
    if (r.subject == WEIR__REF_OUTPUT_ARTIFACT &&
        weir_str_find(r.name, WEIR_STR("."), 0) != SIZE_MAX)
        named = false;
    if (named && !resolves(k, &r) && !resolves_outside(k, name))
        weir__problem(k->c, WEIR_INVALID, "%s failed to resolve {{=%.*s}}", k->site->what,
                      WEIR_ARG(name));
    /* `steps.a.outputs` and `steps` may mean its result, too */
    for (size_t i = 0; !of_step && i < k->site->template->step_count; i++)
        if (weir_str_starts(name, WEIR_STR("steps")) || weir_str_starts(name, WEIR_STR("tasks")))
            k->site->template->steps[i].result_wanted = true;
    return true;
}

void weir__check_expression(weir__compiler *c, const weir__site *site, weir_str text) {
    check k = {c, site};
    weir_error error;
    if (weir_str_find(text, WEIR_STR("{{"), 0) != SIZE_MAX) { /* what it is shows when it runs */
        weir__check_text(c, site, text, NULL);
        return;
    }
    if (!weir__expression_names(text, check_name, &k, &error))
        weir__problem(c, error.code == WEIR_UNSUPPORTED ? WEIR_UNSUPPORTED : WEIR_INVALID,
                      "%s %s in `%.*s`", site->what, error.message,
                      (int)(text.length < 100 ? text.length : 100), text.data);
}

/* Gives a number for every tag, so that rendering goes on and what comes out can be looked at. */
static bool check_tag(void *arg, weir_str name, weir_buffer *out) {
    check *k = arg;
    if (weir_str_starts(name, WEIR_STR("="))) {
        weir__check_expression(k->c, k->site, weir_str_slice(name, 1, name.length));
        weir_buffer_byte(out, '1');
        return true;
    }
    weir__reference r = weir__reference_parse(name, k->site->template->kind == WEIR__DAG);
    if (r.subject == WEIR__REF_UNSUPPORTED)
        weir__problem(k->c, WEIR_UNSUPPORTED, "{{%.*s}} is not supported yet", WEIR_ARG(name));
    else if (!resolves(k, &r) && !resolves_outside(k, name))
        weir__problem(k->c, WEIR_INVALID, "%s failed to resolve {{%.*s}}", k->site->what,
                      WEIR_ARG(name));
    weir_buffer_byte(out, '1');
    return true;
}

void weir__check_text(weir__compiler *c, const weir__site *site, weir_str text,
                      weir_buffer *sample) {
    check k = {c, site};
    if (c->scope) return; /* it is rendered */
    weir_buffer scrap = {0};
    weir_error error;
    if (!weir_tag_render(text, check_tag, &k, sample ? sample : &scrap, &error))
        weir__problem(c, error.code, "%s %s", site->what, error.message);
    weir_buffer_deinit(&scrap);
}

/* What an artifact is made from must be one. */
static void check_from(weir__compiler *c, const weir__site *site, const weir__artifact *a) {
    check k = {c, site};
    size_t mark = weir__enter(c, a->is_expression ? "fromExpression" : "from");
    weir__reference r = weir__reference_parse(a->from, site->template->kind == WEIR__DAG);
    if (a->is_expression)
        weir__check_expression(c, site, a->from);
    else if (weir_str_find(a->from, WEIR_STR("{{"), 0) != SIZE_MAX)
        weir__check_text(c, site, a->from, NULL); /* what it refers to shows when it runs */
    else if (!weir__is_artifact(r.subject) && r.subject > WEIR__REF_UNSUPPORTED && resolves(&k, &r))
        weir__problem(c, WEIR_INVALID, "%s Variable {{%.*s}} is not an artifact", site->what,
                      WEIR_ARG(a->from));
    else if (!weir__is_artifact(r.subject) || !resolves(&k, &r))
        weir__problem(c, WEIR_INVALID, "%s failed to resolve {{%.*s}}", site->what,
                      WEIR_ARG(a->from));
    weir__leave(c, mark);
}

void weir__check_texts(weir__compiler *c, const weir__site *site, const weir_value *value) {
    if (weir_is(value, WEIR_STRING)) weir__check_text(c, site, weir_string_get(value), NULL);
    bool list = weir_is(value, WEIR_ARRAY);
    size_t count = list || weir_is(value, WEIR_OBJECT) ? weir_value_count(value) : 0;
    for (size_t i = 0; i < count; i++) {
        size_t mark = c->path.length;
        if (list)
            weir__enter(c, "%zu", i);
        else
            weir_path_append(&c->path, weir_object_key(value, i));
        weir__check_texts(c, site, list ? weir_array_at(value, i) : weir_object_at(value, i));
        weir__leave(c, mark);
    }
}

void weir__check_references(weir__compiler *c, const weir__site *site,
                            const weir__artifacts *artifacts) {
    for (size_t i = 0; i < artifacts->count; i++) {
        const weir__artifact *a = &artifacts->items[i];
        size_t mark = weir__enter(c, "artifacts/%zu", i);
        if (a->from.length) check_from(c, site, a);
        if (a->sub_path.length) {
            size_t inner = weir__enter(c, "subPath");
            weir__check_text(c, site, a->sub_path, NULL);
            weir__leave(c, inner);
        }
        weir__check_texts(c, site, a->value);
        weir__leave(c, mark);
    }
}

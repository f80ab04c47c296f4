#include "data/json.h"
#include "expr/condition.h"
#include "workflow/prove_internal.h"

enum { FAILS = WEIR__FAILED | WEIR__ERRORED };

/* --- what is known of texts ----------------------------------------------------------------------- */

/* Parameters of the workflow that have a value without tags. */
static bool known_text(void *arg, weir_str name, weir_buffer *out) {
    const weir__workflow *workflow = arg;
    weir__reference r = weir__reference_parse(name, true);
    const weir__parameter *p = weir__parameter_find(&workflow->parameters, r.name);
    if (r.subject != WEIR__REF_PARAMETER || !p || !p->given) return false;
    if (weir_str_find(p->text, WEIR_STR("{{"), 0) != SIZE_MAX) return false;
    weir_buffer_str_append(out, p->text);
    return true;
}

bool weir__render_known(const weir__workflow *workflow, weir_str text, weir_buffer *out) {
    weir_error ignored;
    return weir_tag_render(text, known_text, (void *)workflow, out, &ignored);
}

static weir__truth judge_when(const weir__workflow *workflow, weir_str when) {
    weir_buffer text = {0};
    weir_error ignored;
    bool result = false;
    weir__truth truth = WEIR__UNTOLD;
    if (weir__render_known(workflow, when, &text) &&
        weir_condition_evaluate(weir_buffer_str(&text), &result, &ignored))
        truth = result ? WEIR__ALWAYS_TRUE : WEIR__ALWAYS_FALSE;
    weir_buffer_deinit(&text);
    return truth;
}

/* How surely a loop has items; *bad: it is over something that is no list. */
static uint8_t judge_loop(const weir__workflow *workflow, const weir__loop *loop, bool *bad) {
    weir_buffer text = {0};
    weir_value *list = NULL;
    uint8_t level = WEIR__MAY;
    if (loop->items) return weir_value_count(loop->items) ? WEIR__SURE : WEIR__NEVER;
    if (loop->param.length && weir__render_known(workflow, loop->param, &text)) {
        bool parsed = weir_json_parse(weir_buffer_str(&text), WEIR_STR(""), &list, NULL);
        *bad = !parsed || !weir_is(list, WEIR_ARRAY);
        level = *bad || !weir_value_count(list) ? WEIR__NEVER : WEIR__SURE;
    }
    if (loop->is_sequence && !loop->count.length)
        level = WEIR__SURE; /* start to end, both included */
    if (loop->count.length && weir__render_known(workflow, loop->count, &text)) {
        weir_str count = weir_str_trim(weir_buffer_str(&text));
        level = weir_str_is(count, "0") ? WEIR__NEVER : WEIR__SURE;
    }
    weir_value_unref(list);
    weir_buffer_deinit(&text);
    return level;
}

/* --- depends -------------------------------------------------------------------------------------- */

/* Whether a piece is met by a phase, as when the task has ended so. */
static bool is_met(const weir__template *t, const weir__piece *piece, uint32_t phase) {
    const weir__step *task = &t->steps[piece->task];
    uint32_t bits = phase;
    if (phase & (WEIR__SUCCEEDED | WEIR__SKIPPED | WEIR__DAEMONED)) bits |= WEIR__PASSED;
    if (phase == WEIR__FAILED && task->continue_on_failed) bits |= WEIR__PASSED;
    if (phase == WEIR__ERRORED && task->continue_on_error) bits |= WEIR__PASSED;
    return bits & piece->accepts;
}

typedef struct chances {
    bool can_be_true, can_be_false;
} chances;

/* Of a && b && …, where each task stands alone. */
static chances judge_all_of(const weir__workflow_proof *p, const weir__template *t,
                            const weir__step *step, bool well) {
    const weir__step_proof *steps = p->steps[t - p->workflow->templates];
    chances all = {true, false};
    for (size_t i = 0; i < step->depends_count; i++) {
        const weir__piece *piece = &step->depends[i];
        bool some = false;
        if (piece->task == WEIR__NONE) continue;
        uint8_t ends = well ? steps[piece->task].well : steps[piece->task].ends;
        for (uint32_t phase = 1; phase <= WEIR__DAEMONED; phase <<= 1) {
            if (!(ends & phase)) continue;
            some |= is_met(t, piece, phase);
            all.can_be_false |= !is_met(t, piece, phase);
        }
        all.can_be_true &= some;
    }
    return all;
}

static bool is_true(const weir__template *t, const weir__step *step, const uint32_t *phases) {
    weir_buffer text = {0};
    weir_error ignored;
    bool result = false;
    for (size_t i = 0; i < step->depends_count; i++) {
        const weir__piece *piece = &step->depends[i];
        size_t at = 0;
        while (piece->task != WEIR__NONE && step->dependencies.items[at] != piece->task) at++;
        if (piece->task == WEIR__NONE)
            weir_buffer_str_append(&text, piece->text);
        else
            weir_buffer_text(&text, is_met(t, piece, phases[at]) ? " true " : " false ");
    }
    bool ok = weir_logic_evaluate(weir_buffer_str(&text), &result, &ignored);
    weir_buffer_deinit(&text);
    return ok && result;
}

enum { TASKS_MAX = 6 }; /* whose phases are gone through, all with all */

/* Goes to the next combination of phases; false after the last. */
static bool next_phases(const weir__step *step, const uint8_t *ends, uint32_t *phases) {
    for (size_t i = 0; i < step->dependencies.count; i++) {
        do phases[i] <<= 1;
        while (phases[i] <= WEIR__DAEMONED && !(ends[i] & phases[i]));
        if (phases[i] <= WEIR__DAEMONED) return true;
        for (phases[i] = 1; !(ends[i] & phases[i]);) phases[i] <<= 1;
    }
    return false;
}

static bool is_plain(const weir__step *step) {
    for (size_t i = 0; i < step->depends_count; i++)
        if (step->depends[i].task == WEIR__NONE && !weir_str_is(step->depends[i].text, "&&"))
            return false;
    /* a task that is named twice has one phase */
    return step->depends_count == 0 || step->dependencies.count * 2 == step->depends_count + 1;
}

/* Whether the step's `depends` can come out true, and false; `well`: when nothing fails. */
static chances judge_depends(weir__workflow_proof *p, const weir__template *t,
                             const weir__step *step, bool well) {
    const weir__step_proof *steps = p->steps[t - p->workflow->templates];
    chances found = {0};
    uint8_t ends[TASKS_MAX];
    uint32_t phases[TASKS_MAX];
    bool items = false;
    for (size_t i = 0; i < step->depends_count; i++)
        items |= step->depends[i].task != WEIR__NONE &&
                 (step->depends[i].accepts & (WEIR__ANY_SUCCEEDED | WEIR__ALL_FAILED));
    if (!items && is_plain(step)) return judge_all_of(p, t, step, well);
    size_t count = step->dependencies.count;
    if (items || count > TASKS_MAX || !p->budget) return (chances){true, true};
    for (size_t i = 0; i < count; i++) {
        const weir__step_proof *task = &steps[step->dependencies.items[i]];
        ends[i] = well ? task->well : task->ends;
        if (!ends[i]) return (chances){true, true};
        for (phases[i] = 1; !(ends[i] & phases[i]);) phases[i] <<= 1;
    }
    do {
        *(is_true(t, step, phases) ? &found.can_be_true : &found.can_be_false) = true;
        if (p->budget) p->budget--;
    } while (!(found.can_be_true && found.can_be_false) && p->budget &&
             next_phases(step, ends, phases));
    return p->budget ? found : (chances){true, true};
}

/* --- steps ---------------------------------------------------------------------------------------- */

/* How a call of a template may end that was begun. A DAG or steps may end as what is in them does. */
static uint8_t ends_of(const weir__workflow_proof *p, const weir__step *step) {
    enum { ANY = WEIR__SUCCEEDED | FAILS | WEIR__DAEMONED };
    if (step->template == WEIR__NONE) return ANY;
    const weir__template *t = &p->workflow->templates[step->template];
    bool group = t->kind == WEIR__STEPS || t->kind == WEIR__DAG;
    bool daemon = t->spec.kind == WEIR_TASK_SERVICE;
    return (uint8_t)(WEIR__SUCCEEDED | FAILS | (group ? WEIR__SKIPPED | WEIR__OMITTED : 0) |
                     (daemon || group ? WEIR__DAEMONED : 0));
}

static void lower(weir__step_proof *s, uint8_t level, weir__why why) {
    if (s->level <= level) return;
    s->level = level;
    s->why = why;
}

static void prove_step(weir__workflow_proof *p, const weir__template *t, uint32_t at) {
    const weir__step *step = &t->steps[at];
    weir__step_proof *s = &p->steps[t - p->workflow->templates][at];
    chances any = judge_depends(p, t, step, false), well = judge_depends(p, t, step, true);
    bool bad = false;
    *s = (weir__step_proof){.level = WEIR__SURE};
    s->literal = weir_str_find(step->when, WEIR_STR("{{"), 0) == SIZE_MAX;
    if (step->when.length) s->when = judge_when(p->workflow, step->when);
    uint8_t loop = step->loop ? judge_loop(p->workflow, step->loop, &bad) : WEIR__SURE;
    bool skips = (step->when.length && s->when != WEIR__ALWAYS_TRUE) || loop != WEIR__SURE;
    if (t->kind == WEIR__DAG && !step->wanted) lower(s, WEIR__NEVER, WEIR__WHY_TARGET);
    if (!any.can_be_true) lower(s, WEIR__NEVER, WEIR__WHY_DEPENDS);
    if (s->when == WEIR__ALWAYS_FALSE) lower(s, WEIR__NEVER, WEIR__WHY_WHEN);
    if (loop == WEIR__NEVER) lower(s, WEIR__NEVER, bad ? WEIR__WHY_BAD_PARAM : WEIR__WHY_LOOP);
    if (well.can_be_false) lower(s, WEIR__MAY, WEIR__WHY_DEPENDS);
    if (step->when.length && s->when == WEIR__UNTOLD) lower(s, WEIR__MAY, WEIR__WHY_WHEN);
    if (loop == WEIR__MAY) lower(s, WEIR__MAY, WEIR__WHY_LOOP);
    bool runs = any.can_be_true && s->when != WEIR__ALWAYS_FALSE && loop != WEIR__NEVER;
    uint8_t ends = runs ? ends_of(p, step) : 0;
    if (any.can_be_true && skips)
        ends |= WEIR__SKIPPED | FAILS; /* or a `when` that cannot be read */
    if (any.can_be_true && bad) ends |= WEIR__ERRORED;
    if (any.can_be_false) ends |= WEIR__OMITTED;
    s->ends = ends;
    s->well = (uint8_t)(ends & ~(unsigned)FAILS);
    if (!well.can_be_false) s->well &= (uint8_t) ~(unsigned)WEIR__OMITTED;
    bool group = step->template != WEIR__NONE && p->workflow->templates[step->template].steps;
    if (!well.can_be_false && group) s->well |= WEIR__OMITTED;
}

static void prove_template(weir__workflow_proof *p, const weir__template *t) {
    if (t->kind == WEIR__DAG) {
        for (uint32_t i = 0; i < t->step_count; i++) /* those that no target needs */
            p->steps[t - p->workflow->templates][i] =
                (weir__step_proof){.why = WEIR__WHY_TARGET, .ends = WEIR__OMITTED};
        for (size_t i = 0; i < t->order.count; i++) prove_step(p, t, t->order.items[i]);
    } else {
        for (uint32_t i = 0; i < t->step_count; i++) prove_step(p, t, i);
    }
}

/* --- which templates run -------------------------------------------------------------------------- */

typedef struct spread {
    weir__workflow_proof *p;
    uint32_t *queue;
    size_t count, capacity;
} spread;

static void call(spread *s, uint32_t template, uint8_t level) {
    if (template == WEIR__NONE || level == WEIR__NEVER || s->p->runs[template] >= level) return;
    s->p->runs[template] = level;
    s->queue[s->count++] = template; /* twice at most: once a level */
}

static void call_hooks(spread *s, const weir__step *step, uint8_t level) {
    for (size_t h = 0; h < step->hook_count; h++) {
        bool always = weir__is_exit(&step->hooks[h]) && !step->hooks[h].when.length;
        call(s, step->hooks[h].template, always || level == WEIR__NEVER ? level : WEIR__MAY);
    }
}

static void find_runs(weir__workflow_proof *p) {
    spread s = {.p = p};
    s.queue = weir_alloc((2 * p->workflow->template_count + 2) * sizeof *s.queue);
    const weir__step *entry = &p->workflow->entry;
    bool none = weir_member_named(weir_member_named(p->workflow->source, "weir"), "template");
    if (none) { /* templates for others: what each does once it is called */
        for (uint32_t i = 0; i < p->workflow->template_count; i++) call(&s, i, WEIR__SURE);
    } else {
        call(&s, entry->template, WEIR__SURE);
        call_hooks(&s, entry, WEIR__SURE);
    }
    for (size_t at = 0; at < s.count; at++) {
        uint32_t number = s.queue[at];
        const weir__template *t = &p->workflow->templates[number];
        for (size_t i = 0; i < t->step_count; i++) {
            uint8_t level = p->steps[number][i].level;
            if (level > p->runs[number]) level = p->runs[number];
            call(&s, t->steps[i].template, level);
            call_hooks(&s, &t->steps[i], level);
        }
    }
    weir_free(s.queue);
}

static void prove_templates(weir__workflow_proof *p) {
    p->steps = weir_alloc((p->workflow->template_count + 1) * sizeof *p->steps);
    for (size_t i = 0; i < p->workflow->template_count; i++) {
        const weir__template *t = &p->workflow->templates[i];
        p->steps[i] = weir_alloc((t->step_count + 1) * sizeof **p->steps);
        prove_template(p, t);
    }
}

enum { COMBINATIONS_MAX = 1000000 };

weir__step_proof **weir__workflow_levels(const weir__workflow *workflow) {
    weir__workflow_proof p = {.workflow = workflow, .budget = COMBINATIONS_MAX};
    prove_templates(&p);
    return p.steps;
}

void weir_workflow_prove(const weir_plan *plan, const weir_value *request, weir_proof *proof) {
    const weir__workflow *workflow = (const weir__workflow *)plan;
    (void)request; /* the plan has all that it says */
    weir__workflow_proof p = {.workflow = workflow, .proof = proof, .budget = COMBINATIONS_MAX};
    p.runs = weir_alloc(workflow->template_count + 1);
    while (p.root + 1 < proof->document->roots.count &&
           proof->document->roots.items[p.root] != workflow->source)
        p.root++;
    prove_templates(&p);
    find_runs(&p);
    weir__workflow_prove_say(&p);
    for (size_t i = 0; i < workflow->template_count; i++) weir_free(p.steps[i]);
    weir_free(p.steps);
    weir_free(p.runs);
}

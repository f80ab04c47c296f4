/* What a workflow will do: its templates' calls, one within the other, each with a point before and one behind it. Depth is that of
 * the templates (WEIR__TEMPLATE_DEPTH_MAX); loops over known items have their steps once for each item. */
#include "task/forecast.h"

#include <stdlib.h>

#include "base/time.h"
#include "data/json.h"
#include "workflow/prove_internal.h"

enum { EXPANDED_MAX = 1000 * 1000 /* steps, before calls are no longer looked into */ };

typedef struct span {
    uint32_t begin, end; /* WEIR_FORECAST_NONE: there is nothing */
} span;

typedef struct builder {
    const weir__workflow *workflow;
    weir_forecast *out;
    weir__step_proof **levels; /* by template, by step; NULL: all run */
    bool *open;                /* templates that are being looked into */
    weir_buffer path;          /* of the call that is being added, as nodes are called */
    uint32_t depth;
    uint32_t pools[WEIR__TEMPLATE_DEPTH_MAX + 1]; /* those around what is being looked into */
    uint32_t pool_count;
    weir_map locks;    /* their pools, by name */
    weir__known known; /* of the template that is being looked into */
} builder;

static span add_call(builder *b, const weir__step *step, bool doubtful);

static weir_str keep_path(builder *b) {
    weir_str path = weir_buffer_str(&b->path);
    return (weir_str){weir_str_copy(&b->out->arena, path), path.length};
}

static uint32_t add_point(builder *b) {
    return weir_forecast_add(b->out, WEIR_STR(""), NULL);
}

/* --- loops -------------------------------------------------------------------------------------- */

static uint64_t number_of(const builder *b, weir_str text, uint64_t otherwise, bool *known) {
    weir_buffer out = {0};
    if (!text.length) return otherwise;
    *known = *known && weir__known_render(b->workflow, &b->known, text, &out);
    long long number = *known && out.length ? strtoll(out.data, NULL, 10) : (long long)otherwise;
    weir_buffer_deinit(&out);
    return number < 0 ? 0 : (uint64_t)number;
}

static uint64_t count_sequence(const builder *b, const weir__loop *loop, bool *known) {
    if (loop->count.length) return number_of(b, loop->count, 1, known);
    uint64_t start = number_of(b, loop->start, 0, known), end = number_of(b, loop->end, 0, known);
    return (start < end ? end - start : start - end) + 1;
}

/* How many items it has; at least one when that is not known. */
static uint64_t count_items(const builder *b, const weir__loop *loop, bool *known) {
    uint64_t count = 1;
    weir_buffer text = {0};
    weir_value *list = NULL;
    if (loop->items) return weir_value_count(loop->items);
    if (loop->is_sequence) {
        count = count_sequence(b, loop, known);
        return *known ? count : 1;
    }
    *known = weir__known_render(b->workflow, &b->known, loop->param, &text) &&
             weir_json_parse(weir_buffer_str(&text), WEIR_STR(""), &list, NULL) &&
             weir_is(list, WEIR_ARRAY);
    if (*known) count = weir_value_count(list);
    weir_value_unref(list);
    weir_buffer_deinit(&text);
    return count;
}

/* --- templates ---------------------------------------------------------------------------------- */

/* The pool of a mutex or a semaphore; NONE: what it is called, or its limit, is known once it runs. */
static uint32_t pool_of(builder *b, const weir__lock *lock) {
    weir_buffer key = {0}, part = {0};
    uint64_t limit = 1, at = WEIR_FORECAST_NONE;
    weir_error ignored;
    bool ok = weir__known_render(b->workflow, &b->known, lock->name, &key);
    weir_buffer_byte(&key, '/');
    ok = ok && weir__known_render(b->workflow, &b->known, lock->key, &part);
    weir_str name = weir_str_slice(weir_buffer_str(&key), 0, key.length - 1);
    ok = ok && weir__lock_limit(b->workflow, lock->kind, name, weir_buffer_str(&part), name, &limit,
                                &ignored);
    weir_buffer_str_append(&key, weir_buffer_str(&part));
    weir_buffer_printf(&key, "/%d", (int)lock->kind);
    if (ok && !weir_map_get(&b->locks, weir_buffer_str(&key), &at)) {
        at = weir_forecast_pool_add(b->out, limit);
        weir_str kept = weir_buffer_str(&key);
        kept.data = weir_str_copy(&b->out->arena, kept);
        weir_map_set(&b->locks, kept, at);
    }
    weir_buffer_deinit(&key);
    weir_buffer_deinit(&part);
    return (uint32_t)at;
}

/* What limits how many of the step's tasks run at once: the templates around it, and its locks. */
static void add_holds(builder *b, const weir__template *t) {
    enum { STEPS_MAX = 100 * 1000 }; /* of so many the course is a rough one anyway */
    if (b->out->steps.count > STEPS_MAX) return;
    for (uint32_t i = 0; i < b->pool_count; i++) weir_forecast_hold(b->out, b->pools[i]);
    for (size_t i = 0; i < t->locks.count; i++) {
        uint32_t pool = pool_of(b, &t->locks.items[i]);
        if (pool != WEIR_FORECAST_NONE) weir_forecast_hold(b->out, pool);
    }
}

static span add_leaf(builder *b, const weir__template *t, uint64_t tasks, bool known) {
    uint32_t at = weir_forecast_add(b->out, keep_path(b), &t->spec);
    if (at == WEIR_FORECAST_NONE) return (span){at, at};
    weir_forecast_step *step = &b->out->steps.items[at];
    step->tasks = tasks;
    step->at_least = !known;
    step->estimate = t->spec.estimate;
    step->input_bytes = weir__known_bytes(t, &b->known, b->out);
    step->lasts = t->spec.kind == WEIR_TASK_SERVICE;
    if (!step->lasts) add_holds(b, t);
    return (span){at, at};
}

/* Its node takes no slot and has no task; the spec is there to be named. */
static span add_suspension(builder *b, const weir__template *t) {
    uint32_t at = weir_forecast_add(b->out, keep_path(b), &t->spec);
    uint64_t us = b->workflow->resume_after_us;
    weir_error ignored;
    weir_buffer text = {0};
    if (at == WEIR_FORECAST_NONE) return (span){at, at};
    weir_forecast_step *step = &b->out->steps.items[at];
    bool known = t->duration.length &&
                 weir__known_render(b->workflow, &b->known, t->duration, &text) &&
                 weir_duration_parse(weir_buffer_str(&text), &us, &ignored);
    weir_buffer_deinit(&text);
    step->estimate = t->spec.estimate;
    step->waits = !known && !us;
    if (us) step->estimate.wall_us = step->estimate.wall_high_us = us;
    return (span){at, at};
}

static bool is_doubtful(const builder *b, const weir__template *t, uint32_t step, bool *never) {
    uint8_t level = WEIR__SURE;
    if (b->levels) level = b->levels[t - b->workflow->templates][step].level;
    *never = level == WEIR__NEVER || (t->kind == WEIR__DAG && !t->steps[step].wanted);
    return level == WEIR__MAY;
}

static span add_step(builder *b, const weir__template *t, uint32_t at, bool doubtful) {
    bool never;
    bool may = is_doubtful(b, t, at, &never);
    if (never) return (span){WEIR_FORECAST_NONE, WEIR_FORECAST_NONE};
    const weir__step *step = &t->steps[at];
    size_t length = b->path.length;
    if (t->kind == WEIR__STEPS) weir_buffer_printf(&b->path, "[%u]", step->group);
    weir_buffer_printf(&b->path, ".%.*s", WEIR_ARG(step->name));
    span made = add_call(b, step, doubtful || may);
    b->path.length = length;
    return made;
}

/* Each group waits for all of the one before. */
static void add_groups(builder *b, const weir__template *t, span all, bool doubtful) {
    uint32_t before = all.begin;
    for (size_t g = 0; g < t->group_count; g++) {
        uint32_t behind = add_point(b);
        weir_forecast_join(b->out, before, behind);
        for (uint32_t i = t->groups[g]; i < t->groups[g + 1]; i++) {
            span step = add_step(b, t, i, doubtful);
            weir_forecast_join(b->out, before, step.begin);
            weir_forecast_join(b->out, step.end, behind);
        }
        before = behind;
    }
    weir_forecast_join(b->out, before, all.end);
}

static void add_tasks(builder *b, const weir__template *t, span all, bool doubtful) {
    uint32_t *ends = weir_alloc((t->step_count + 1) * sizeof *ends);
    for (size_t i = 0; i < t->step_count; i++) ends[i] = WEIR_FORECAST_NONE;
    weir_forecast_join(b->out, all.begin, all.end);
    for (size_t k = 0; k < t->order.count; k++) {
        uint32_t at = t->order.items[k];
        const weir__step *step = &t->steps[at];
        span made = add_step(b, t, at, doubtful);
        weir_forecast_join(b->out, all.begin, made.begin);
        weir_forecast_join(b->out, made.end, all.end);
        if (made.begin == WEIR_FORECAST_NONE) continue;
        for (size_t d = 0; d < step->dependencies.count; d++)
            weir_forecast_join(b->out, ends[step->dependencies.items[d]], made.begin);
        ends[at] = made.end;
    }
    weir_free(ends);
}

static span add_group(builder *b, uint32_t number, bool doubtful) {
    const weir__template *t = &b->workflow->templates[number];
    span all = {add_point(b), add_point(b)};
    bool again = b->open[number] || b->depth >= WEIR__TEMPLATE_DEPTH_MAX;
    if (again || b->out->steps.count >= EXPANDED_MAX) {
        uint32_t at = weir_forecast_add(b->out, keep_path(b), NULL);
        if (at != WEIR_FORECAST_NONE) b->out->steps.items[at].at_least = true;
        b->out->too_large |= !again;
        weir_forecast_join(b->out, all.begin, all.end);
        return all;
    }
    b->open[number] = true;
    b->depth++;
    if (t->parallelism) b->pools[b->pool_count++] = weir_forecast_pool_add(b->out, t->parallelism);
    if (t->kind == WEIR__DAG)
        add_tasks(b, t, all, doubtful);
    else
        add_groups(b, t, all, doubtful);
    if (t->parallelism) b->pool_count--;
    b->depth--;
    b->open[number] = false;
    return all;
}

static span add_template(builder *b, uint32_t number, uint64_t tasks, bool known, bool doubtful) {
    const weir__template *t = &b->workflow->templates[number];
    size_t from = b->out->steps.count;
    span made = weir__is_leaf(t)           ? add_leaf(b, t, tasks, known)
                : t->kind == WEIR__SUSPEND ? add_suspension(b, t)
                                           : add_group(b, number, doubtful);
    for (size_t i = from; i < b->out->steps.count; i++) {
        b->out->steps.items[i].doubtful |= doubtful;
        b->out->steps.items[i].at_least |= !known && b->out->steps.items[i].spec;
    }
    return made;
}

/* --- calls -------------------------------------------------------------------------------------- */

/* What runs when a step is over, whatever came of it; of other hooks nobody knows. */
static span add_exit(builder *b, const weir__step *step, span made, bool doubtful) {
    for (size_t h = 0; h < step->hook_count; h++) {
        const weir__step *hook = &step->hooks[h];
        if (!weir__is_exit(hook) || hook->when.length || hook->template == WEIR__NONE) continue;
        size_t length = b->path.length;
        weir_buffer_text(&b->path, ".onExit");
        weir__known around = b->known;
        b->known = weir__known_of(b->workflow, hook, &around);
        span exit = add_template(b, hook->template, 1, true, doubtful);
        weir__known_drop(&b->known);
        b->known = around;
        b->path.length = length;
        weir_forecast_join(b->out, made.end, exit.begin);
        made.end = exit.end;
    }
    return made;
}

/* So often, and what it does at its end. */
static span add_items(builder *b, const weir__step *step, uint64_t items, bool known,
                      bool doubtful) {
    if (weir__is_leaf(weir__called(b->workflow, step)) || items == 1)
        return add_exit(b, step, add_template(b, step->template, items, known, doubtful), doubtful);
    span all = {add_point(b), add_point(b)};
    size_t length = b->path.length;
    for (uint64_t i = 0; i < items && !b->out->too_large; i++) {
        weir_buffer_printf(&b->path, "(%llu)", (unsigned long long)i);
        span one = add_template(b, step->template, 1, known, doubtful);
        b->path.length = length;
        weir_forecast_join(b->out, all.begin, one.begin);
        weir_forecast_join(b->out, one.end, all.end);
    }
    return add_exit(b, step, all, doubtful);
}

static span add_call(builder *b, const weir__step *step, bool doubtful) {
    bool known = true;
    if (b->out->too_large) return (span){WEIR_FORECAST_NONE, WEIR_FORECAST_NONE};
    uint64_t items = step->loop ? count_items(b, step->loop, &known) : 1;
    if (step->template == WEIR__NONE || !items) {
        uint32_t point = add_point(b);
        return (span){point, point};
    }
    weir__known around = b->known;
    b->known = weir__known_of(b->workflow, step, &around);
    span made = add_items(b, step, items, known, doubtful);
    weir__known_drop(&b->known);
    b->known = around;
    return made;
}

void weir__workflow_forecast(const weir_plan *plan, const weir_value *request,
                             weir_forecast *forecast) {
    const weir__workflow *workflow = (const weir__workflow *)plan;
    builder b = {.workflow = workflow, .out = forecast};
    b.open = weir_alloc(workflow->template_count + 1);
    if (request) b.levels = weir__workflow_levels(workflow);
    forecast->parallelism = workflow->parallelism;
    weir_buffer_str_append(&b.path, weir__called(workflow, &workflow->entry)->name);
    (void)add_call(&b, &workflow->entry, false);
    weir_forecast_close(forecast);
    for (size_t i = 0; b.levels && i < workflow->template_count; i++) weir_free(b.levels[i]);
    weir_free(b.levels);
    weir_free(b.open);
    weir_map_deinit(&b.locks);
    weir_buffer_deinit(&b.path);
}

/* Its image counts, but not where it runs, as whoever runs it says. */
static void append_config(const weir_value *config, weir_buffer *out) {
    for (size_t i = 0; config && i < weir_value_count(config); i++) {
        weir_str name = weir_object_key(config, i);
        if (weir_str_is(name, "sandbox")) continue;
        weir_buffer_str_append(out, name);
        weir_json_format(weir_object_at(config, i), 0, out);
    }
    weir_buffer_str_append(out, weir_member_text(weir_member_named(config, "sandbox"), "image"));
}

void weir__workflow_identify(const weir_plan *plan, const weir_task_spec *spec, weir_buffer *out) {
    const weir__workflow *workflow = (const weir__workflow *)plan;
    size_t from = (size_t)((const char *)spec - (const char *)workflow->templates);
    size_t at = from / sizeof *workflow->templates;
    if (at < workflow->template_count && spec == &workflow->templates[at].spec)
        append_config(workflow->templates[at].config, out);
}

#include "engine/estimate.h"

#include <stdlib.h>

#include "base/map.h"
#include "engine/history.h"
#include "store/history.h"
#include "task/curve.h"

enum {
    ASKED_MAX = 10000, /* operations whose history is asked for */
    SAMPLES_MAX = 4096 /* of one operation */
};

typedef struct sample {
    weir_str name; /* of the task */
    uint64_t input_bytes, given_bytes, wall_us, cpu_us, memory_bytes, tasks;
} sample;

/* What earlier runs say of an operation. */
typedef struct past {
    int64_t identity;
    WEIR_VECTOR(sample) samples;
} past;

typedef struct remaining {
    const weir_task_spec *spec;
    uint64_t us;
} remaining;

enum { WALL, CPU, MEMORY, TASKS, AMOUNTS };

/* What earlier runs say of a spec: whatever its inputs were, by their size, and by the size of all that the run was given. */
typedef struct view {
    weir_estimate any;
    weir_curve input[AMOUNTS], given[AMOUNTS];
} view;

/* What was made already, when it was asked for. */
typedef struct answers {
    weir_map by_spec; /* places in `items` */
    WEIR_VECTOR(view *) items;
    weir_arena arena; /* of the keys */
} answers;

struct weir__estimates {
    const weir_plan *plan;
    answers *answers; /* apart, as asking changes nothing else */
    weir_arena arena;
    weir_map by_spec, by_identity; /* places in `pasts` */
    WEIR_VECTOR(past) pasts;
    uint64_t given_bytes; /* that the run is given; 0: nothing, or not known */
    remaining *ways;      /* by spec, sorted; NULL: not yet asked for */
    size_t way_count;
};

/* --- history ------------------------------------------------------------------------------------ */

static void set_copied(weir__estimates *e, weir_map *map, weir_str key, uint64_t value) {
    char *copy = weir_arena_alloc(&e->arena, key.length);
    memcpy(copy, key.data, key.length);
    weir_map_set(map, (weir_str){copy, key.length}, value);
}

/* The place of what is to be known of it. */
static uint64_t want_identity(weir__estimates *e, int64_t identity) {
    uint64_t at;
    weir_str key = {(const char *)&identity, sizeof identity};
    if (weir_map_get(&e->by_identity, key, &at)) return at;
    at = e->pasts.count;
    *weir_vector_push(&e->pasts) = (past){.identity = identity};
    set_copied(e, &e->by_identity, key, at);
    return at;
}

static void want(weir__estimates *e, const weir_task_spec *spec) {
    weir_str by = {(const char *)&spec, sizeof spec};
    if (e->pasts.count >= ASKED_MAX || weir_map_get(&e->by_spec, by, NULL)) return;
    int64_t identity = weir__history_identity(e->plan, spec);
    set_copied(e, &e->by_spec, by, want_identity(e, identity));
    if (weir_task_tries_again(spec)) (void)want_identity(e, weir__history_identity_of_tries(identity));
}

static bool take(void *arg, const weir_history_sample *s) {
    weir__estimates *e = arg;
    uint64_t at;
    if (!weir_map_get(&e->by_identity, (weir_str){(const char *)&s->identity, sizeof s->identity},
                      &at))
        return true;
    past *p = &e->pasts.items[at];
    if (!s->wall_us || p->samples.count >= SAMPLES_MAX) return true;
    *weir_vector_push(&p->samples) =
        (sample){.name = {weir_str_copy(&e->arena, s->name), s->name.length},
                 .input_bytes = s->input_bytes,
                 .given_bytes = s->given_bytes,
                 .wall_us = s->wall_us,
                 .cpu_us = s->cpu_us,
                 .memory_bytes = s->memory_bytes,
                 .tasks = s->tasks};
    return true;
}

static void read_history(weir__estimates *e, weir_store *store, const weir_forecast *forecast) {
    weir_error ignored;
    for (size_t i = 0; i < forecast->steps.count; i++) {
        const weir_forecast_step *step = &forecast->steps.items[i];
        if (step->spec && !step->call) want(e, step->spec);
    }
    int64_t *identities = weir_alloc((e->pasts.count + 1) * sizeof *identities);
    for (size_t i = 0; i < e->pasts.count; i++) identities[i] = e->pasts.items[i].identity;
    (void)!weir_store_history(store, identities, e->pasts.count, take, e, &ignored);
    weir_free(identities);
}

weir__estimates *weir__estimates_of_forecast(const weir_plan *plan, weir_store *store,
                                             const weir_forecast *forecast) {
    weir__estimates *e = weir_alloc(sizeof *e);
    e->plan = plan;
    e->answers = weir_alloc(sizeof *e->answers);
    if (store && forecast) read_history(e, store, forecast);
    return e;
}

weir__estimates *weir__estimates_new(const weir_plan *plan, weir_store *store) {
    weir_forecast f = {0};
    bool asks = store && plan->forecast;
    if (asks) plan->forecast(plan, NULL, &f);
    weir__estimates *e = weir__estimates_of_forecast(plan, store, asks ? &f : NULL);
    weir_forecast_deinit(&f);
    return e;
}

void weir__estimates_give(weir__estimates *e, uint64_t bytes) {
    e->given_bytes = bytes;
}

static void view_free(view *v) {
    for (int a = 0; a < AMOUNTS; a++) {
        weir_curve_deinit(&v->input[a]);
        weir_curve_deinit(&v->given[a]);
    }
    weir_free(v);
}

void weir__estimates_free(weir__estimates *e) {
    if (!e) return;
    for (size_t i = 0; i < e->answers->items.count; i++) view_free(e->answers->items.items[i]);
    for (size_t i = 0; i < e->pasts.count; i++) weir_vector_deinit(&e->pasts.items[i].samples);
    weir_vector_deinit(&e->pasts);
    weir_map_deinit(&e->by_spec);
    weir_map_deinit(&e->by_identity);
    weir_map_deinit(&e->answers->by_spec);
    weir_vector_deinit(&e->answers->items);
    weir_arena_deinit(&e->answers->arena);
    weir_free(e->answers);
    weir_arena_deinit(&e->arena);
    weir_free(e->ways);
    weir_free(e);
}

static const past *past_of(const weir__estimates *e, const weir_task_spec *spec) {
    uint64_t at;
    spec = weir_task_spec_of(spec);
    bool known = weir_map_get(&e->by_spec, (weir_str){(const char *)&spec, sizeof spec}, &at);
    return known && e->pasts.items[at].samples.count ? &e->pasts.items[at] : NULL;
}

/* --- quantiles ---------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

uint64_t weir__quantile(uint64_t *values, size_t count, unsigned percent) {
    if (!count) return 0;
    qsort(values, count, sizeof *values, compare_numbers);
    double at = (double)(count - 1) * percent / 100;
    size_t below = (size_t)at;
    if (below + 1 >= count) return values[count - 1];
    double part = at - (double)below;
    return values[below] + (uint64_t)(part * (double)(values[below + 1] - values[below]));
}

/* One of the samples' numbers, of those that are chosen and know it; percent of it. */
static uint64_t quantile_of(const sample *const *chosen, size_t count, size_t offset,
                            unsigned percent) {
    uint64_t *values = weir_alloc((count + 1) * sizeof *values);
    size_t known = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t value = *(const uint64_t *)((const char *)chosen[i] + offset);
        if (value) values[known++] = value;
    }
    uint64_t found = weir__quantile(values, known, percent);
    weir_free(values);
    return found;
}

static weir_estimate estimate_of(const sample *const *chosen, size_t count) {
    return (weir_estimate){
        .wall_us = quantile_of(chosen, count, offsetof(sample, wall_us), 50),
        .wall_high_us = quantile_of(chosen, count, offsetof(sample, wall_us), 90),
        .cpu_us = quantile_of(chosen, count, offsetof(sample, cpu_us), 50),
        .memory_bytes = quantile_of(chosen, count, offsetof(sample, memory_bytes), 90)};
}

/* --- by the size of inputs ---------------------------------------------------------------------- */

typedef struct choice {
    const sample **items;
    size_t count;
} choice;

/* Those of tasks of the spec's name; where there are none, all. */
static choice choose_named(const past *p, weir_str name) {
    choice c = {weir_alloc((p->samples.count + 1) * sizeof *c.items), 0};
    for (int any = 0; any < 2 && !c.count; any++)
        for (size_t i = 0; i < p->samples.count; i++)
            if (any || weir_str_equal(p->samples.items[i].name, name))
                c.items[c.count++] = &p->samples.items[i];
    return c;
}

static uint64_t number_at(const sample *s, size_t offset) {
    return *(const uint64_t *)((const char *)s + offset);
}

/* By the number at `by`. */
static void make_curves(const choice *c, size_t by, weir_curve out[static AMOUNTS]) {
    static const size_t amounts[] = {
        [WALL] = offsetof(sample, wall_us),
        [CPU] = offsetof(sample, cpu_us),
        [MEMORY] = offsetof(sample, memory_bytes),
        [TASKS] = offsetof(sample, tasks),
    };
    weir_curve_sample *samples = weir_alloc((c->count + 1) * sizeof *samples);
    for (int a = 0; a < AMOUNTS; a++) {
        for (size_t i = 0; i < c->count; i++)
            samples[i] =
                (weir_curve_sample){number_at(c->items[i], by), number_at(c->items[i], amounts[a])};
        weir_curve_init(&out[a], samples, c->count);
    }
    weir_free(samples);
}

static view *view_new(const past *p, weir_str name) {
    view *v = weir_alloc(sizeof *v);
    choice c = choose_named(p, name);
    v->any = estimate_of(c.items, c.count);
    make_curves(&c, offsetof(sample, input_bytes), v->input);
    make_curves(&c, offsetof(sample, given_bytes), v->given);
    weir_free(c.items);
    return v;
}

/* NULL: earlier runs say nothing of it. */
static const view *view_of(const weir__estimates *e, const weir_task_spec *spec) {
    uint64_t at;
    const weir_task_spec *const own = weir_task_spec_of(spec);
    const past *p = past_of(e, spec);
    if (!p) return NULL;
    if (weir_map_get(&e->answers->by_spec, (weir_str){(const char *)&own, sizeof own}, &at))
        return e->answers->items.items[at];
    const weir_task_spec **kept = weir_arena_alloc(&e->answers->arena, sizeof *kept);
    *kept = own;
    weir_map_set(&e->answers->by_spec, (weir_str){(const char *)kept, sizeof *kept},
                 e->answers->items.count);
    view *v = view_new(p, spec->name);
    *weir_vector_push(&e->answers->items) = v;
    return v;
}

/* Of inputs of that size, where it is known; else of a run that is given as much; else of any. */
static weir_estimate estimate_from(const view *v, uint64_t input_bytes, uint64_t given_bytes) {
    const weir_curve *curves = input_bytes ? v->input : v->given;
    uint64_t size = input_bytes ? input_bytes : given_bytes;
    if (!size || !curves[WALL].points.count) return v->any;
    return (weir_estimate){.wall_us = weir_curve_at(&curves[WALL], size, 50),
                           .wall_high_us = weir_curve_at(&curves[WALL], size, 90),
                           .cpu_us = weir_curve_at(&curves[CPU], size, 50),
                           .memory_bytes = weir_curve_at(&curves[MEMORY], size, 90)};
}

/* --- asking ------------------------------------------------------------------------------------- */

/* What has no history is answered as quickly without the map. */
bool weir__estimates_of(const weir__estimates *e, const weir_task_spec *spec, uint64_t input_bytes,
                        weir_estimate *out) {
    const weir_estimate *said = &spec->estimate;
    const view *v = view_of(e, spec);
    weir_estimate found = {0};
    if (v) found = estimate_from(v, input_bytes, e->given_bytes);
    if (said->wall_us) {
        found.wall_us = said->wall_us;
        found.wall_high_us = 0; /* of what was measured, not of what is said */
    }
    if (said->wall_high_us) found.wall_high_us = said->wall_high_us;
    if (said->cpu_us) found.cpu_us = said->cpu_us;
    if (said->memory_bytes) found.memory_bytes = said->memory_bytes;
    *out = found;
    return weir_estimate_any(out);
}

weir__estimate_basis weir__estimates_basis(const weir__estimates *e, const weir_task_spec *spec) {
    if (spec->estimate.wall_us || spec->estimate.wall_high_us) return WEIR__ESTIMATE_FILE;
    if (past_of(e, spec)) return WEIR__ESTIMATE_HISTORY;
    return weir_estimate_any(&spec->estimate) ? WEIR__ESTIMATE_FILE : WEIR__ESTIMATE_NONE;
}

/* How many tasks of that name runs had, at the median; 0: not known. */
static uint64_t tasks_before(const weir__estimates *e, const weir_task_spec *spec) {
    const past *p = past_of(e, spec);
    if (!p) return 0;
    uint64_t by_size = weir_curve_at(&view_of(e, spec)->given[TASKS], e->given_bytes, 50);
    if (by_size) return by_size;
    choice c = choose_named(p, spec->name);
    uint64_t tasks = quantile_of(c.items, c.count, offsetof(sample, tasks), 50);
    weir_free(c.items);
    return tasks;
}

/* How many tries a task takes, in thousandths: the mean of those of its name; 0: not known. */
static uint32_t tries_before(const weir__estimates *e, const weir_task_spec *spec) {
    uint64_t at, sum = 0;
    if (!weir_task_tries_again(spec) || !past_of(e, spec)) return 0;
    int64_t identity = weir__history_identity_of_tries(weir__history_identity(e->plan, spec));
    if (!weir_map_get(&e->by_identity, (weir_str){(const char *)&identity, sizeof identity}, &at))
        return 0;
    choice c = choose_named(&e->pasts.items[at], spec->name);
    for (size_t i = 0; i < c.count; i++) sum += c.items[i]->wall_us;
    uint64_t mean = c.count ? sum * 1000 / c.count : 0;
    weir_free(c.items);
    return mean < UINT32_MAX ? (uint32_t)mean : UINT32_MAX;
}

void weir__estimates_fill(const weir__estimates *e, weir_forecast *forecast) {
    for (size_t i = 0; i < forecast->steps.count; i++) {
        weir_forecast_step *step = &forecast->steps.items[i];
        weir_estimate known;
        if (!step->spec || step->call) continue;
        if (weir__estimates_of(e, step->spec, step->input_bytes, &known)) step->estimate = known;
        step->tries_milli = tries_before(e, step->spec);
        uint64_t tasks = step->at_least ? tasks_before(e, step->spec) : 0;
        if (tasks) { /* as many as before, then */
            step->tasks = tasks;
            step->at_least = false;
        }
    }
}

/* --- beyond the tasks --------------------------------------------------------------------------- */

typedef WEIR_VECTOR(uint64_t) numbers;

static bool take_beyond(void *arg, const weir_history_sample *s) {
    numbers *all = arg;
    *weir_vector_push(all) = s->wall_us;
    return all->count < SAMPLES_MAX;
}

uint64_t weir__estimate_beyond(weir_store *store, weir_str text) {
    numbers all = {0};
    weir_error ignored;
    int64_t identity = weir__history_identity_of_file(text);
    if (!weir_store_history(store, &identity, 1, take_beyond, &all, &ignored)) all.count = 0;
    uint64_t us = weir__quantile(all.items, all.count, 50);
    weir_vector_deinit(&all);
    return us;
}

/* --- the longest way ---------------------------------------------------------------------------- */

/* By spec, the longest first. */
static int compare_ways(const void *a, const void *b) {
    const remaining *x = a, *y = b;
    if (x->spec != y->spec) return (uintptr_t)x->spec < (uintptr_t)y->spec ? -1 : 1;
    return x->us < y->us ? 1 : x->us > y->us ? -1 : 0;
}

static void find_ways(weir__estimates *e) {
    weir_forecast f = {0};
    e->ways = weir_alloc(sizeof *e->ways);
    if (!e->plan->forecast) return;
    e->plan->forecast(e->plan, NULL, &f);
    weir__estimates_fill(e, &f);
    uint64_t *us = weir_alloc((f.steps.count + 1) * sizeof *us);
    weir_forecast_remaining(&f, us);
    e->ways = weir_realloc(e->ways, (f.steps.count + 1) * sizeof *e->ways);
    for (size_t i = 0; i < f.steps.count; i++)
        if (f.steps.items[i].spec && us[i])
            e->ways[e->way_count++] = (remaining){f.steps.items[i].spec, us[i]};
    qsort(e->ways, e->way_count, sizeof *e->ways, compare_ways);
    size_t kept = 0;
    for (size_t i = 0; i < e->way_count; i++)
        if (!kept || e->ways[kept - 1].spec != e->ways[i].spec) e->ways[kept++] = e->ways[i];
    e->way_count = kept;
    weir_free(us);
    weir_forecast_deinit(&f);
}

uint64_t weir__estimates_remaining_us(weir__estimates *e, const weir_task_spec *spec) {
    if (!e->ways) find_ways(e);
    const weir_task_spec *wanted = weir_task_spec_of(spec);
    size_t from = 0, to = e->way_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (e->ways[middle].spec == wanted) return e->ways[middle].us;
        if ((uintptr_t)e->ways[middle].spec < (uintptr_t)wanted)
            from = middle + 1;
        else
            to = middle;
    }
    return 0;
}

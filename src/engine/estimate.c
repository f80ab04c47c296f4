#include "engine/estimate.h"

#include <stdlib.h>

typedef struct remaining {
    const weir_task_spec *spec;
    uint64_t us;
} remaining;

struct weir__estimates {
    const weir_plan *plan;
    remaining *ways; /* by spec, sorted; NULL: not yet asked for */
    size_t way_count;
};

weir__estimates *weir__estimates_new(const weir_plan *plan, weir_store *store) {
    (void)store;
    weir__estimates *e = weir_alloc(sizeof *e);
    e->plan = plan;
    return e;
}

void weir__estimates_free(weir__estimates *e) {
    if (!e) return;
    weir_free(e->ways);
    weir_free(e);
}

bool weir__estimates_of(const weir__estimates *e, const weir_task_spec *spec, uint64_t input_bytes,
                        weir_estimate *out) {
    (void)e, (void)input_bytes;
    *out = spec->estimate;
    return weir_estimate_any(out);
}

weir__estimate_basis weir__estimates_basis(const weir__estimates *e, const weir_task_spec *spec) {
    (void)e;
    return weir_estimate_any(&spec->estimate) ? WEIR__ESTIMATE_FILE : WEIR__ESTIMATE_NONE;
}

void weir__estimates_fill(const weir__estimates *e, weir_forecast *forecast) {
    for (size_t i = 0; i < forecast->steps.count; i++) {
        weir_forecast_step *step = &forecast->steps.items[i];
        weir_estimate known;
        if (step->spec && weir__estimates_of(e, step->spec, 0, &known)) step->estimate = known;
    }
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

#include "task/forecast.h"

#include "base/heap.h"
#include "base/queue.h"

uint32_t weir_forecast_add(weir_forecast *f, weir_str name, const weir_task_spec *spec) {
    if (f->steps.count >= (f->steps_max ? f->steps_max : WEIR_FORECAST_STEPS_MAX)) {
        f->too_large = true;
        return WEIR_FORECAST_NONE;
    }
    *weir_vector_push(&f->steps) =
        (weir_forecast_step){.name = name, .spec = spec, .tasks = spec != NULL};
    return (uint32_t)f->steps.count - 1;
}

uint64_t weir_forecast_measure(const weir_forecast *f, const weir_value *value) {
    return f->measure ? f->measure(f->measure_arg, value) : 0;
}

uint32_t weir_forecast_pool_add(weir_forecast *f, uint64_t limit) {
    uint32_t most = limit < UINT32_MAX ? (uint32_t)limit : UINT32_MAX;
    *weir_vector_push(&f->pools) = (weir_forecast_pool){most ? most : 1};
    return (uint32_t)f->pools.count - 1;
}

void weir_forecast_hold(weir_forecast *f, uint32_t pool) {
    weir_forecast_step *step = &f->steps.items[f->steps.count - 1];
    if (f->holds.count >= WEIR_FORECAST_EDGES_MAX) return;
    if (!step->holds) step->hold = (uint32_t)f->holds.count;
    *weir_vector_push(&f->holds) = pool;
    step->holds++;
}

void weir_forecast_join(weir_forecast *f, uint32_t before, uint32_t after) {
    if (before == WEIR_FORECAST_NONE || after == WEIR_FORECAST_NONE) return;
    if (f->edges.count >= WEIR_FORECAST_EDGES_MAX) {
        f->too_large = true;
        return;
    }
    *weir_vector_push(&f->edges) = (weir_forecast_edge){before, after};
}

void weir_forecast_deinit(weir_forecast *f) {
    weir_vector_deinit(&f->steps);
    weir_vector_deinit(&f->edges);
    weir_vector_deinit(&f->pools);
    weir_vector_deinit(&f->holds);
    weir_free(f->first);
    weir_free(f->next);
    weir_free(f->order);
    weir_arena_deinit(&f->arena);
    *f = (weir_forecast){0};
}

/* --- order ------------------------------------------------------------------------------------ */

/* Sorts the edges by where they begin. */
static void index_edges(weir_forecast *f) {
    size_t count = f->steps.count;
    f->first = weir_alloc((count + 2) * sizeof *f->first);
    f->next = weir_alloc((f->edges.count + 1) * sizeof *f->next);
    f->order = weir_alloc((count + 1) * sizeof *f->order);
    for (size_t i = 0; i < f->edges.count; i++) f->first[f->edges.items[i].before + 2]++;
    for (size_t i = 2; i < count + 2; i++) f->first[i] += f->first[i - 1];
    for (size_t i = 0; i < f->edges.count; i++)
        f->next[f->first[f->edges.items[i].before + 1]++] = f->edges.items[i].after;
}

/* Goes down from a step, once to each; an edge to one that is still open closes a cycle. Fills the order from its end. */
static size_t visit(weir_forecast *f, uint32_t from, uint32_t *at, uint8_t *state, uint32_t *stack,
                    size_t end) {
    enum { NEW, OPEN, DONE };
    size_t depth = 0;
    stack[depth++] = from;
    state[from] = OPEN;
    while (depth) {
        uint32_t step = stack[depth - 1];
        if (at[step] == f->first[step + 1]) {
            state[step] = DONE;
            f->order[--end] = step;
            depth--;
            continue;
        }
        uint32_t *next = &f->next[at[step]++];
        if (state[*next] == OPEN) {
            f->steps.items[*next].at_least = true;
            f->cycles++;
            *next = WEIR_FORECAST_NONE;
        } else if (state[*next] == NEW) {
            state[*next] = OPEN;
            stack[depth++] = *next;
        }
    }
    return end;
}

/* The edges that were marked go. */
static void drop_marked(weir_forecast *f) {
    uint32_t to = 0, from = 0;
    for (size_t i = 0; i < f->steps.count; i++) {
        uint32_t end = f->first[i + 1];
        f->first[i] = to;
        for (; from < end; from++)
            if (f->next[from] != WEIR_FORECAST_NONE) f->next[to++] = f->next[from];
    }
    f->first[f->steps.count] = to;
}

void weir_forecast_close(weir_forecast *f) {
    size_t count = f->steps.count, end = count;
    index_edges(f);
    uint8_t *state = weir_alloc(count + 1), *begins = weir_alloc(count + 1);
    uint32_t *stack = weir_alloc((count + 1) * sizeof *stack),
             *at = weir_alloc((count + 1) * sizeof *at);
    memcpy(at, f->first, count * sizeof *at);
    memset(begins, 1, count);
    for (size_t i = 0; i < f->edges.count; i++) begins[f->edges.items[i].after] = 0;
    for (int others = 0; others < 2;
         others++) /* from where it begins, so that a cycle is left at its end */
        for (size_t i = count; i-- > 0;)
            if (!state[i] && (others || begins[i]))
                end = visit(f, (uint32_t)i, at, state, stack, end);
    if (f->cycles) drop_marked(f);
    weir_free(state);
    weir_free(begins);
    weir_free(stack);
    weir_free(at);
    weir_vector_deinit(&f->edges);
}

/* --- the longest way -------------------------------------------------------------------------- */

void weir_forecast_remaining(const weir_forecast *f, uint64_t *us) {
    for (size_t i = f->steps.count; i-- > 0;) {
        uint32_t step = f->order[i];
        uint64_t most = 0;
        for (uint32_t e = f->first[step]; e < f->first[step + 1]; e++)
            if (us[f->next[e]] > most) most = us[f->next[e]];
        us[step] = weir_forecast_plus(most, weir_forecast_wall_us(&f->steps.items[step], false));
    }
}

size_t weir_forecast_longest_way(const weir_forecast *f, const uint64_t *remaining_us,
                                 uint32_t *way) {
    size_t length = 0;
    uint32_t at = WEIR_FORECAST_NONE;
    for (uint32_t i = 0; i < f->steps.count; i++)
        if (at == WEIR_FORECAST_NONE || remaining_us[i] > remaining_us[at]) at = i;
    while (at != WEIR_FORECAST_NONE) {
        const weir_forecast_step *step = &f->steps.items[at];
        if (step->spec && !step->call && step->tasks) way[length++] = at;
        uint64_t rest = remaining_us[at] - weir_forecast_wall_us(step, false);
        uint32_t from = at;
        at = WEIR_FORECAST_NONE;
        for (uint32_t e = f->first[from]; e < f->first[from + 1] && at == WEIR_FORECAST_NONE; e++)
            if (remaining_us[f->next[e]] == rest && rest) at = f->next[e];
    }
    return length;
}

/* --- in thought ------------------------------------------------------------------------------- */

/* Tasks of one step that begin, and so end, at the same time. */
typedef struct batch {
    uint32_t step;
    uint64_t tasks;
} batch;

/* Who is in a pool, and who waits for it. */
typedef struct pool {
    uint64_t used;
    weir_queue waiting;
} pool;

typedef struct course {
    const weir_forecast *forecast;
    weir_forecast_limits limits;
    bool high;
    uint32_t *lacks;      /* by step: so many others are not over */
    uint64_t *begun;      /* by step: tasks */
    uint64_t *open;       /* by step: tasks that are not over */
    uint64_t *way_us;     /* by step, where the longest way goes first; NULL */
    uint64_t *given_us;   /* by step, where they take turns: up to where it was served; NULL */
    uint64_t served_us;   /* where the last that began stood */
    uint64_t memory_most; /* of those that were ready so far */
    weir_heap ready, ready_slot; /* steps with tasks that have not begun; those that take slots */
    uint64_t arrivals;
    pool *pools;
    weir_heap ends; /* of batches */
    WEIR_VECTOR(batch) batches;
    WEIR_VECTOR(uint32_t) unused; /* of those */
    WEIR_VECTOR(uint32_t) passed; /* steps that are over, to be told to those behind */
    uint64_t now_us, slots, cpu_milli, memory_bytes, processes, at_once;
    weir_forecast_course out;
} course;

static void fit_into(uint64_t limit, uint64_t used, uint64_t one, uint64_t *most) {
    if (!limit || !one) return;
    uint64_t left = limit > used ? limit - used : 0;
    if (left / one < *most) *most = left / one;
}

static uint64_t memory_of(const weir_forecast_step *s) {
    uint64_t asked = s->spec->resources.memory_bytes, known = s->estimate.memory_bytes;
    return asked > known ? asked : known;
}

/* The first of its pools that is full; NONE: it is in none that is. */
static uint32_t full_pool(const course *c, const weir_forecast_step *s) {
    for (uint32_t i = s->hold; i < s->hold + s->holds; i++) {
        uint32_t p = c->forecast->holds.items[i];
        if (c->pools[p].used >= c->forecast->pools.items[p].limit) return p;
    }
    return WEIR_FORECAST_NONE;
}

/* How many tasks of the step fit, between 1 and so many, when nothing else runs. */
static uint64_t count_that_fit(const course *c, const weir_forecast_step *s, uint64_t wanted) {
    uint64_t most = wanted;
    fit_into(c->limits.slots, c->slots, s->spec->slot, &most);
    fit_into(c->limits.memory_bytes, c->memory_bytes, memory_of(s), &most);
    if (c->limits.least_memory) fit_into(c->memory_most, c->memory_bytes, memory_of(s), &most);
    fit_into(c->limits.cpu_milli, c->cpu_milli, s->spec->resources.cpu_milli, &most);
    fit_into(c->limits.processes, c->processes, weir_task_leaves(s->spec), &most);
    fit_into(c->limits.one_at_a_time, c->at_once, 1, &most);
    if (!most && !c->at_once) most = 1; /* what is larger than the limit runs alone */
    for (uint32_t i = s->hold; i < s->hold + s->holds; i++) {
        uint32_t p = c->forecast->holds.items[i];
        fit_into(c->forecast->pools.items[p].limit, c->pools[p].used, 1, &most);
    }
    return most;
}

static void account(course *c, const weir_forecast_step *s, uint64_t tasks, bool take) {
    uint64_t sign = take ? 1 : UINT64_MAX; /* what is taken comes back, modulo 2^64 */
    c->slots += sign * (s->spec->slot ? tasks : 0);
    c->memory_bytes += sign * tasks * memory_of(s);
    c->cpu_milli += sign * tasks * s->spec->resources.cpu_milli;
    c->processes += sign * (weir_task_leaves(s->spec) ? tasks : 0);
    c->at_once += sign * tasks;
    for (uint32_t i = s->hold; i < s->hold + s->holds; i++)
        c->pools[c->forecast->holds.items[i]].used += sign * tasks;
    if (c->memory_bytes > c->out.memory_bytes) c->out.memory_bytes = c->memory_bytes;
    if (c->at_once > c->out.at_once) c->out.at_once = c->at_once;
}

/* How many of its tasks there may be at once. */
static uint64_t width_of(const course *c, const weir_forecast_step *s) {
    uint64_t width = s->tasks;
    if (c->limits.slots && s->spec->slot && c->limits.slots < width) width = c->limits.slots;
    if (c->limits.one_at_a_time) width = 1;
    for (uint32_t i = s->hold; i < s->hold + s->holds; i++) {
        uint64_t limit = c->forecast->pools.items[c->forecast->holds.items[i]].limit;
        if (limit < width) width = limit;
    }
    return width ? width : 1;
}

/* A row of very many is begun in fewer, longer batches. */
static uint64_t tasks_in_one(const course *c, const weir_forecast_step *s) {
    enum { ROUNDS_MAX = 1000 };
    return s->tasks / width_of(c, s) / ROUNDS_MAX + 1;
}

static void note_span(course *c, uint32_t step, uint64_t end_us) {
    if (!c->limits.spans) return;
    weir_forecast_span *span = &c->limits.spans[step];
    if (c->now_us < span->begin_us) span->begin_us = c->now_us;
    if (end_us > span->end_us) span->end_us = end_us;
}

static void begin_some(course *c, uint32_t step, uint64_t fit) {
    const weir_forecast_step *s = &c->forecast->steps.items[step];
    uint64_t wall = weir_forecast_wall_us(s, c->high), many = tasks_in_one(c, s);
    uint64_t left = s->tasks - c->begun[step], all = weir_forecast_times(fit, many);
    uint64_t tasks = all < left ? all : left;
    c->begun[step] += tasks;
    account(c, s, fit, true);
    uint32_t at;
    if (c->unused.count) {
        at = c->unused.items[--c->unused.count];
    } else {
        at = (uint32_t)c->batches.count;
        (void)weir_vector_push(&c->batches);
    }
    c->batches.items[at] = (batch){step, fit};
    c->open[step]++;
    c->out.work_us = weir_forecast_plus(c->out.work_us, weir_forecast_times(wall, tasks));
    uint64_t end_us = weir_forecast_plus(c->now_us, weir_forecast_times(wall, many));
    weir_heap_add(&c->ends, (weir_moment){end_us, at});
    note_span(c, step, end_us);
}

/* Whether it needs no room: then it does not wait behind what does. */
static bool is_free(const weir_forecast_step *s) {
    return !s->spec || s->call || s->lasts || !s->tasks;
}

/* As the schedulers of a run have it (ready.c). */
static uint64_t key_of(course *c, uint32_t step) {
    switch (c->limits.scheduler) {
    case WEIR_SCHEDULER_CRITICAL_PATH: return UINT64_MAX - c->way_us[step];
    case WEIR_SCHEDULER_MEMORY: return memory_of(&c->forecast->steps.items[step]);
    case WEIR_SCHEDULER_FAIR:
        return c->given_us[step] > c->served_us ? c->given_us[step] : c->served_us;
    default: return c->arrivals++;
    }
}

static void put_ready(course *c, uint32_t step) {
    const weir_forecast_step *s = &c->forecast->steps.items[step];
    if (memory_of(s) > c->memory_most) c->memory_most = memory_of(s);
    weir_heap_add(s->spec->slot ? &c->ready_slot : &c->ready, (weir_moment){key_of(c, step), step});
}

static void make_ready(course *c, uint32_t step) {
    if (is_free(&c->forecast->steps.items[step]))
        *weir_vector_push(&c->passed) = step;
    else
        put_ready(c, step);
}

/* All that wait for a step that is over; and those behind that take nothing, without recursion. */
static void pass(course *c) {
    const weir_forecast *f = c->forecast;
    while (c->passed.count) {
        uint32_t step = c->passed.items[--c->passed.count];
        for (uint32_t e = f->first[step]; e < f->first[step + 1]; e++)
            if (!--c->lacks[f->next[e]]) make_ready(c, f->next[e]);
    }
}

/* Who waits for the pool is looked at again, as many as it has room for. */
static void wake(course *c, uint32_t at) {
    pool *p = &c->pools[at];
    uint64_t step, room = c->forecast->pools.items[at].limit;
    room = room > p->used ? room - p->used : 0;
    while (room-- && weir_queue_take(&p->waiting, &step)) put_ready(c, (uint32_t)step);
}

static void wake_pools_of(course *c, const weir_forecast_step *s) {
    for (uint32_t i = s->hold; i < s->hold + s->holds; i++) wake(c, c->forecast->holds.items[i]);
}

/* What is in a full pool waits there, and leaves its place in others to those who can take it. */
static bool park(course *c, uint32_t step) {
    const weir_forecast_step *s = &c->forecast->steps.items[step];
    uint32_t full = s->holds ? full_pool(c, s) : WEIR_FORECAST_NONE;
    if (full == WEIR_FORECAST_NONE) return false;
    weir_queue_put(&c->pools[full].waiting, step);
    if (s->holds > 1) wake_pools_of(c, s);
    return true;
}

/* Of a row of tasks that take turns with those of others a few begin, and the rest stands where its turn is. */
static void take_turn(course *c, weir_heap *ready, uint64_t fit) {
    weir_moment first = weir_heap_take(ready);
    uint32_t step = (uint32_t)first.item;
    const weir_forecast_step *s = &c->forecast->steps.items[step];
    uint64_t wall = weir_forecast_wall_us(s, c->high), few = width_of(c, s) / 64 + 1;
    uint64_t before = c->begun[step];
    begin_some(c, step, fit < few ? fit : few);
    if (first.due_us > c->served_us) c->served_us = first.due_us;
    uint64_t served = weir_forecast_times(wall ? wall : WEIR_TURN_US, c->begun[step] - before);
    c->given_us[step] = weir_forecast_plus(first.due_us, served);
    if (c->begun[step] < s->tasks) put_ready(c, step);
}

/* What lacks room lets others pass that have it, as in a run; not too many are looked at. */
static void begin_queued(course *c, weir_heap *ready) {
    enum { PASSED_MAX = 64 };
    weir_moment aside[PASSED_MAX];
    size_t passed = 0;
    while (ready->count && passed < PASSED_MAX) {
        uint32_t step = (uint32_t)weir_heap_first(ready)->item;
        const weir_forecast_step *s = &c->forecast->steps.items[step];
        if (s->holds && full_pool(c, s) != WEIR_FORECAST_NONE) {
            (void)weir_heap_take(ready);
            (void)park(c, step);
            continue;
        }
        uint64_t left = s->tasks - c->begun[step], many = tasks_in_one(c, s);
        uint64_t fit = count_that_fit(c, s, (left + many - 1) / many);
        if (!fit) {
            aside[passed++] = weir_heap_take(ready);
            if (c->limits.slots && s->spec->slot && c->slots >= c->limits.slots) break;
            continue;
        }
        if (c->given_us) {
            take_turn(c, ready, fit);
            continue;
        }
        begin_some(c, step, fit);
        if (c->begun[step] == s->tasks) (void)weir_heap_take(ready);
    }
    while (passed) weir_heap_add(ready, aside[--passed]);
}

static void begin_ready(course *c) {
    begin_queued(c, &c->ready);
    begin_queued(c, &c->ready_slot);
}

static void end_next(course *c) {
    weir_moment moment = weir_heap_take(&c->ends);
    batch b = c->batches.items[moment.item];
    const weir_forecast_step *s = &c->forecast->steps.items[b.step];
    *weir_vector_push(&c->unused) = (uint32_t)moment.item;
    c->now_us = moment.due_us;
    account(c, s, b.tasks, false);
    wake_pools_of(c, s);
    bool last = !--c->open[b.step] && c->begun[b.step] == s->tasks;
    if (last) *weir_vector_push(&c->passed) = b.step;
}

static void course_init(course *c) {
    const weir_forecast *f = c->forecast;
    size_t count = f->steps.count;
    if (f->parallelism && (!c->limits.slots || f->parallelism < c->limits.slots))
        c->limits.slots = f->parallelism;
    c->lacks = weir_alloc((count + 1) * sizeof *c->lacks);
    c->begun = weir_alloc((count + 1) * sizeof *c->begun);
    c->open = weir_alloc((count + 1) * sizeof *c->open);
    c->pools = weir_alloc((f->pools.count + 1) * sizeof *c->pools);
    if (c->limits.scheduler == WEIR_SCHEDULER_FAIR)
        c->given_us = weir_alloc((count + 1) * sizeof *c->given_us);
    if (c->limits.scheduler == WEIR_SCHEDULER_CRITICAL_PATH) {
        c->way_us = weir_alloc((count + 1) * sizeof *c->way_us);
        weir_forecast_remaining(f, c->way_us);
    }
    for (size_t i = 0; c->limits.spans && i < count; i++)
        c->limits.spans[i] = (weir_forecast_span){UINT64_MAX, 0};
    for (size_t e = 0; count && e < f->first[count]; e++) c->lacks[f->next[e]]++;
    for (size_t i = 0; i < count; i++) /* in the file's order */
        if (!c->lacks[i]) make_ready(c, (uint32_t)i);
}

static void course_deinit(course *c) {
    for (size_t i = 0; i < c->forecast->pools.count; i++) weir_queue_deinit(&c->pools[i].waiting);
    weir_vector_deinit(&c->ready);
    weir_vector_deinit(&c->ready_slot);
    weir_vector_deinit(&c->ends);
    weir_vector_deinit(&c->batches);
    weir_vector_deinit(&c->unused);
    weir_vector_deinit(&c->passed);
    weir_free(c->lacks);
    weir_free(c->begun);
    weir_free(c->open);
    weir_free(c->way_us);
    weir_free(c->given_us);
    weir_free(c->pools);
}

weir_forecast_course weir_forecast_simulate(const weir_forecast *f,
                                            const weir_forecast_limits *limits, bool high) {
    course c = {.forecast = f, .limits = *limits, .high = high};
    course_init(&c);
    pass(&c);
    begin_ready(&c);
    while (c.ends.count) {
        uint64_t now = weir_heap_first(&c.ends)->due_us;
        while (c.ends.count && weir_heap_first(&c.ends)->due_us == now) end_next(&c);
        pass(&c);
        begin_ready(&c);
    }
    c.out.end_us = c.now_us;
    course_deinit(&c);
    return c.out;
}

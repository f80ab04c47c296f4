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

typedef struct course {
    const weir_forecast *forecast;
    weir_forecast_limits limits;
    bool high;
    uint32_t *lacks;              /* by step: so many others are not over */
    uint64_t *begun;              /* by step: tasks */
    uint64_t *open;               /* by step: tasks that are not over */
    weir_queue ready, ready_slot; /* steps with tasks that have not begun; those that take slots */
    weir_heap ends;               /* of batches */
    WEIR_VECTOR(batch) batches;
    WEIR_VECTOR(uint32_t) unused; /* of those */
    WEIR_VECTOR(uint32_t) passed; /* steps that are over, to be told to those behind */
    uint64_t now_us, slots, cpu_milli, memory_bytes, at_once;
    weir_forecast_course out;
} course;

/* How many tasks of the step fit, between 1 and so many, when nothing else runs. */
static uint64_t count_that_fit(const course *c, const weir_forecast_step *s, uint64_t wanted) {
    const weir_task_spec *spec = s->spec;
    uint64_t most = wanted, memory = s->estimate.memory_bytes, cpu = spec->resources.cpu_milli;
    if (memory < spec->resources.memory_bytes) memory = spec->resources.memory_bytes;
    if (c->limits.slots && spec->slot && c->limits.slots - c->slots < most)
        most = c->limits.slots - c->slots;
    if (c->limits.memory_bytes && memory) {
        uint64_t left =
            c->limits.memory_bytes > c->memory_bytes ? c->limits.memory_bytes - c->memory_bytes : 0;
        if (left / memory < most) most = left / memory;
    }
    if (c->limits.cpu_milli && cpu) {
        uint64_t left = c->limits.cpu_milli > c->cpu_milli ? c->limits.cpu_milli - c->cpu_milli : 0;
        if (left / cpu < most) most = left / cpu;
    }
    return (most || c->at_once) ? most : 1; /* what is larger than the limit runs alone */
}

static void account(course *c, const weir_forecast_step *s, uint64_t tasks, bool take) {
    uint64_t memory = s->estimate.memory_bytes;
    if (memory < s->spec->resources.memory_bytes) memory = s->spec->resources.memory_bytes;
    uint64_t sign = take ? 1 : UINT64_MAX; /* what is taken comes back, modulo 2^64 */
    c->slots += sign * (s->spec->slot ? tasks : 0);
    c->memory_bytes += sign * tasks * memory;
    c->cpu_milli += sign * tasks * s->spec->resources.cpu_milli;
    c->at_once += sign * tasks;
    if (c->memory_bytes > c->out.memory_bytes) c->out.memory_bytes = c->memory_bytes;
    if (c->at_once > c->out.at_once) c->out.at_once = c->at_once;
}

/* A row of very many is begun in fewer, longer batches. */
static uint64_t tasks_in_one(const course *c, const weir_forecast_step *s) {
    enum { ROUNDS_MAX = 1000 };
    uint64_t width = c->limits.slots && s->spec->slot ? c->limits.slots : s->tasks;
    return s->tasks / width / ROUNDS_MAX + 1;
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
    weir_heap_add(
        &c->ends,
        (weir_moment){weir_forecast_plus(c->now_us, weir_forecast_times(wall, many)), at});
}

/* Whether it needs no room: then it does not wait behind what does. */
static bool is_free(const weir_forecast_step *s) {
    return !s->spec || s->call || s->lasts || !s->tasks;
}

static void make_ready(course *c, uint32_t step) {
    const weir_forecast_step *s = &c->forecast->steps.items[step];
    if (is_free(s))
        *weir_vector_push(&c->passed) = step;
    else
        weir_queue_put(s->spec->slot ? &c->ready_slot : &c->ready, step);
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

static void begin_queued(course *c, weir_queue *ready) {
    uint64_t item;
    while (weir_queue_first(ready, &item)) {
        uint32_t step = (uint32_t)item;
        const weir_forecast_step *s = &c->forecast->steps.items[step];
        uint64_t left = s->tasks - c->begun[step], many = tasks_in_one(c, s);
        uint64_t fit = count_that_fit(c, s, (left + many - 1) / many);
        if (!fit) return;
        begin_some(c, step, fit);
        if (c->begun[step] == s->tasks) weir_queue_take(ready, &item);
    }
}

static void begin_ready(course *c) {
    begin_queued(c, &c->ready);
    begin_queued(c, &c->ready_slot);
}

static void end_next(course *c) {
    weir_moment moment = weir_heap_take(&c->ends);
    batch b = c->batches.items[moment.item];
    *weir_vector_push(&c->unused) = (uint32_t)moment.item;
    c->now_us = moment.due_us;
    account(c, &c->forecast->steps.items[b.step], b.tasks, false);
    bool last = !--c->open[b.step] && c->begun[b.step] == c->forecast->steps.items[b.step].tasks;
    if (last) *weir_vector_push(&c->passed) = b.step;
}

weir_forecast_course weir_forecast_simulate(const weir_forecast *f,
                                            const weir_forecast_limits *limits, bool high) {
    size_t count = f->steps.count;
    course c = {.forecast = f, .limits = *limits, .high = high};
    if (f->parallelism && (!c.limits.slots || f->parallelism < c.limits.slots))
        c.limits.slots = f->parallelism;
    c.lacks = weir_alloc((count + 1) * sizeof *c.lacks);
    c.begun = weir_alloc((count + 1) * sizeof *c.begun);
    c.open = weir_alloc((count + 1) * sizeof *c.open);
    for (size_t e = 0; count && e < f->first[count]; e++) c.lacks[f->next[e]]++;
    for (size_t i = 0; i < count; i++) /* in the file's order */
        if (!c.lacks[i]) make_ready(&c, (uint32_t)i);
    pass(&c);
    begin_ready(&c);
    while (c.ends.count) {
        uint64_t now = weir_heap_first(&c.ends)->due_us;
        while (c.ends.count && weir_heap_first(&c.ends)->due_us == now) end_next(&c);
        pass(&c);
        begin_ready(&c);
    }
    c.out.end_us = c.now_us;
    weir_queue_deinit(&c.ready);
    weir_queue_deinit(&c.ready_slot);
    weir_vector_deinit(&c.ends);
    weir_vector_deinit(&c.batches);
    weir_vector_deinit(&c.unused);
    weir_vector_deinit(&c.passed);
    weir_free(c.lacks);
    weir_free(c.begun);
    weir_free(c.open);
    return c.out;
}

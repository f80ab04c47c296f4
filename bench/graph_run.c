#include "graph_run.h"

#include "base/heap.h"
#include "io/loop.h"

typedef struct driver {
    weir_decisions decisions; /* first */
    const graph *graph;
    weir_tasks *tasks;
    weir_heap ends;                      /* of attempts under way */
    WEIR_VECTOR(uint32_t) left, task_of; /* needs that a task waits for; by the layer's number */
    WEIR_VECTOR(uint32_t) after, first_after; /* who needs it */
    uint64_t sequence, memory, decide_ns;
    uint32_t cpu, attempts;
    bool knows;
    graph_end end;
} driver;

void graph_deinit(graph *g) {
    weir_vector_deinit(&g->tasks);
    weir_vector_deinit(&g->needs);
}

graph_task *graph_add(graph *g, uint64_t lasts_us, uint64_t memory_bytes, uint32_t cpu_milli) {
    graph_task *t = weir_vector_push(&g->tasks);
    *t = (graph_task){.spec = {.name = WEIR_STR("task"),
                               .operation = WEIR_STR("task"),
                               .executor = WEIR_STR("process"),
                               .kind = WEIR_TASK_WORK,
                               .resources = {.memory_bytes = memory_bytes, .cpu_milli = cpu_milli},
                               .slot = true},
                      .lasts_us = lasts_us,
                      .first_need = (uint32_t)g->needs.count};
    return t;
}

void graph_need(graph *g, uint32_t before) {
    *weir_vector_push(&g->needs) = before;
    g->tasks.items[g->tasks.count - 1].need_count++;
}

void graph_measure(graph *g, uint32_t attempts, uint64_t memory_bytes, uint64_t *bound_us) {
    uint64_t longest = 0, work = 0;
    double memory = 0;
    for (size_t i = 0; i < g->tasks.count; i++) g->tasks.items[i].remaining_us = 0;
    for (size_t i = g->tasks.count; i-- > 0;) {
        graph_task *t = &g->tasks.items[i];
        t->remaining_us += t->lasts_us;
        work += t->lasts_us;
        memory += (double)t->lasts_us * (double)t->spec.resources.memory_bytes;
        if (t->remaining_us > longest) longest = t->remaining_us;
        for (uint32_t k = 0; k < t->need_count; k++) {
            graph_task *need = &g->tasks.items[g->needs.items[t->first_need + k]];
            if (t->remaining_us > need->remaining_us) need->remaining_us = t->remaining_us;
        }
    }
    uint64_t shared = attempts ? (work + attempts - 1) / attempts : 0;
    uint64_t room = memory_bytes ? (uint64_t)(memory / (double)memory_bytes) : 0;
    *bound_us = longest > shared ? longest : shared;
    if (room > *bound_us) *bound_us = room;
}

static void tell_wants(void *arg, weir_task_id id, const weir_task_spec *spec, weir_wants *wants) {
    const driver *d = arg;
    (void)spec;
    const graph_task *t = &d->graph->tasks.items[d->task_of.items[id]];
    if (!d->knows) return;
    wants->wall_us = wants->wall_high_us = t->lasts_us;
    wants->remaining_us = t->remaining_us;
}

static void create(driver *d, uint32_t task) {
    *weir_vector_push(&d->task_of) = task;
    (void)weir_tasks_create(d->tasks, &d->graph->tasks.items[task].spec, 0, (weir_event_id){0, 1});
}

static void begin(driver *d, const weir_event *event) {
    const graph_task *t = &d->graph->tasks.items[d->task_of.items[event->subject]];
    graph_end *end = &d->end;
    d->memory += t->spec.resources.memory_bytes;
    d->cpu += t->spec.resources.cpu_milli;
    d->attempts++;
    if (d->memory > end->memory_peak) end->memory_peak = d->memory;
    if (d->cpu > end->cpu_peak) end->cpu_peak = d->cpu;
    if (d->attempts > end->attempts_peak) end->attempts_peak = d->attempts;
    weir_heap_add(&d->ends, (weir_moment){d->decisions.now_us + t->lasts_us, event->subject});
}

static void emit(weir_decisions *decisions, weir_event *event) {
    driver *d = (driver *)decisions;
    event->id.sequence = ++d->sequence;
    event->time_us = decisions->now_us;
    weir_tasks_apply(d->tasks, event);
    if (event->type == WEIR_ATTEMPT_SCHEDULED) begin(d, event);
    if (event->type != WEIR_TASK_FINISHED) return;
    weir_task_id id = (weir_task_id)event->subject;
    uint32_t task = d->task_of.items[id];
    weir_tasks_release(d->tasks, id);
    weir_tasks_forget(d->tasks, id);
    d->end.finished++;
    for (uint32_t k = d->first_after.items[task]; k < d->first_after.items[task + 1]; k++)
        if (--d->left.items[d->after.items[k]] == 0) create(d, d->after.items[k]);
}

/* Turns the needs round. */
static void index_needs(driver *d) {
    const graph *g = d->graph;
    for (size_t i = 0; i <= g->tasks.count; i++) *weir_vector_push(&d->first_after) = 0;
    for (size_t i = 0; i < g->needs.count; i++) {
        d->first_after.items[g->needs.items[i] + 1]++;
        *weir_vector_push(&d->after) = 0;
    }
    for (size_t i = 0; i < g->tasks.count; i++)
        d->first_after.items[i + 1] += d->first_after.items[i];
    WEIR_VECTOR(uint32_t) at = {0};
    weir_vector_append(&at, d->first_after.items, g->tasks.count + 1);
    for (uint32_t i = 0; i < g->tasks.count; i++) {
        const graph_task *t = &g->tasks.items[i];
        *weir_vector_push(&d->left) = t->need_count;
        for (uint32_t k = 0; k < t->need_count; k++)
            d->after.items[at.items[g->needs.items[t->first_need + k]]++] = i;
    }
    weir_vector_deinit(&at);
}

static void apply(driver *d, weir_event_type type, weir_task_id id, weir_value *data) {
    weir_event event = {.type = type,
                        .number = 1,
                        .subject = id,
                        .id = {0, ++d->sequence},
                        .time_us = d->decisions.now_us,
                        .data = data};
    weir_tasks_apply(d->tasks, &event);
}

static void decide(driver *d) {
    uint64_t began = weir_clock_steady_us(), before;
    do {
        before = d->sequence;
        weir_tasks_decide(d->tasks, &d->decisions);
    } while (d->sequence != before);
    d->decide_ns += (weir_clock_steady_us() - began) * 1000;
}

static void end_next(driver *d, weir_value *outcome) {
    uint64_t now = weir_heap_first(&d->ends)->due_us;
    d->decisions.now_us = now;
    while (weir_heap_first(&d->ends) && weir_heap_first(&d->ends)->due_us == now) {
        weir_task_id id = (weir_task_id)weir_heap_take(&d->ends).item;
        const graph_task *t = &d->graph->tasks.items[d->task_of.items[id]];
        d->memory -= t->spec.resources.memory_bytes;
        d->cpu -= t->spec.resources.cpu_milli;
        d->attempts--;
        apply(d, WEIR_ATTEMPT_FINISHED, id, outcome);
    }
    d->end.makespan_us = now - 1;
}

graph_end graph_run(const graph *g, const weir_task_limits *limits, const char *scheduler,
                    const char *optimize, bool knows) {
    driver d = {.decisions = {emit, 1}, .graph = g, .knows = knows};
    weir_task_limits own = *limits;
    own.wants = tell_wants;
    own.wants_arg = &d;
    d.tasks = weir_tasks_new(&own);
    weir_value *request = weir_object_new(), *outcome = weir_object_new();
    weir_member_put_text(request, "scheduler", weir_str_from(scheduler));
    weir_member_put_text(request, "optimize", weir_str_from(optimize));
    weir_member_put_text(outcome, "outcome", WEIR_STR("succeeded"));
    apply(&d, WEIR_RUN_CREATED, 0, request);
    index_needs(&d);
    for (uint32_t i = 0; i < g->tasks.count; i++)
        if (!d.left.items[i]) create(&d, i);
    for (decide(&d); weir_heap_first(&d.ends); decide(&d)) end_next(&d, outcome);
    d.end.over = (limits->memory_bytes && d.end.memory_peak > limits->memory_bytes) ||
                 (limits->cpu_milli && d.end.cpu_peak > limits->cpu_milli) ||
                 (limits->attempts && d.end.attempts_peak > limits->attempts);
    d.end.decide_ns = g->tasks.count ? d.decide_ns / g->tasks.count : 0;
    weir_tasks_free(d.tasks);
    weir_value_unref(request);
    weir_value_unref(outcome);
    weir_heap deinit = d.ends;
    weir_vector_deinit(&deinit);
    weir_vector_deinit(&d.left);
    weir_vector_deinit(&d.task_of);
    weir_vector_deinit(&d.after);
    weir_vector_deinit(&d.first_after);
    return d.end;
}

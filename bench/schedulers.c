/* What schedulers make of graphs of tasks, in virtual time over the task layer: random graphs beside what no order could be faster than,
 * small ones beside the best of all orders. schedulers GRAPHS SEED prints a line for each graph and scheduler:
 * KIND SEED SCHEDULER MAKESPAN BOUND MEMORY_PEAK MEMORY_LIMIT NS_A_TASK
 * schedulers graph COUNT SEED ATTEMPTS prints one without memory: the least time, what the critical path makes of it, then each task's
 * time and what it needs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "graph_run.h"

enum { MS = 1000, MB = 1000 * 1000, SMALL = 7 };

static uint64_t draw(uint64_t *chance, uint64_t below) {
    *chance = *chance * 6364136223846793005u + 1442695040888963407u;
    return (*chance >> 33) % below;
}

static graph draw_graph(uint64_t *chance, uint32_t count, uint64_t memory_most) {
    static const weir_str names[] = {{"fetch", 5}, {"read", 4}, {"sort", 4}, {"join", 4}};
    graph g = {0};
    uint32_t reach = 2 + (uint32_t)draw(chance, count);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t lasts = (1 + draw(chance, 100)) * MS;
        if (draw(chance, 8) == 0) lasts *= 5;
        graph_task *t =
            graph_add(&g, lasts, memory_most ? (1 + draw(chance, memory_most)) * MB : 0, 0);
        t->spec.name = names[draw(chance, sizeof names / sizeof *names)];
        for (int needs = (int)draw(chance, 3); i && needs; needs--)
            graph_need(&g, (uint32_t)(i - 1 - draw(chance, i < reach ? i : reach)));
    }
    return g;
}

/* --- all orders ------------------------------------------------------------------------------- */

typedef struct search {
    const graph *g;
    uint64_t memory_limit, best_us;
    uint32_t attempts;
    uint64_t ends[SMALL]; /* of those that began; UINT64_MAX: not yet */
} search;

static bool is_ready(const search *s, uint32_t task, uint64_t now) {
    const graph_task *t = &s->g->tasks.items[task];
    if (s->ends[task] != UINT64_MAX) return false;
    for (uint32_t k = 0; k < t->need_count; k++) {
        uint64_t end = s->ends[s->g->needs.items[t->first_need + k]];
        if (end == UINT64_MAX || end > now) return false;
    }
    return true;
}

static bool has_room(const search *s, uint32_t task, uint64_t now) {
    uint64_t memory = s->g->tasks.items[task].spec.resources.memory_bytes;
    uint32_t running = 0;
    for (uint32_t i = 0; i < s->g->tasks.count; i++) {
        if (s->ends[i] == UINT64_MAX || s->ends[i] <= now) continue;
        running++;
        memory += s->g->tasks.items[i].spec.resources.memory_bytes;
    }
    return running < s->attempts && memory <= s->memory_limit;
}

/* Begins one of those that could begin now, or waits until the next end: one of these orders is the best. */
static void try_all(search *s, uint64_t now) {
    uint64_t next = UINT64_MAX, last = 0;
    bool left = false;
    for (uint32_t i = 0; i < s->g->tasks.count; i++) {
        if (s->ends[i] == UINT64_MAX)
            left = true;
        else if (s->ends[i] > last)
            last = s->ends[i];
        if (s->ends[i] != UINT64_MAX && s->ends[i] > now && s->ends[i] < next) next = s->ends[i];
    }
    if (last >= s->best_us) return;
    if (!left) {
        s->best_us = last;
        return;
    }
    for (uint32_t i = 0; i < s->g->tasks.count; i++) {
        if (!is_ready(s, i, now) || !has_room(s, i, now)) continue;
        s->ends[i] = now + s->g->tasks.items[i].lasts_us;
        try_all(s, now);
        s->ends[i] = UINT64_MAX;
    }
    if (next != UINT64_MAX) try_all(s, next);
}

static uint64_t best_of_all(const graph *g, const weir_task_limits *limits) {
    search s = {.g = g,
                .memory_limit = limits->memory_bytes,
                .best_us = UINT64_MAX,
                .attempts = limits->attempts};
    for (size_t i = 0; i < SMALL; i++) s.ends[i] = UINT64_MAX;
    try_all(&s, 0);
    return s.best_us;
}

/* --- graphs --------------------------------------------------------------------------------------- */

static bool run_each(const char *kind, uint64_t seed, const graph *g,
                     const weir_task_limits *limits, uint64_t bound_us) {
    bool ok = true;
    for (weir_scheduler at = 0; at < WEIR_SCHEDULERS; at++) {
        graph_end end = graph_run(g, limits, weir_scheduler_text(at), "time", true);
        ok &= !end.over && end.finished == g->tasks.count;
        printf("%s %" PRIu64 " %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
               kind, seed, weir_scheduler_text(at), end.makespan_us, bound_us, end.memory_peak,
               limits->memory_bytes, end.decide_ns);
    }
    return ok;
}

static bool measure(uint64_t seed, const char *kind, uint32_t count, bool memory) {
    uint64_t chance = seed, bound;
    graph g = draw_graph(&chance, count, memory ? 1000 : 0);
    weir_task_limits limits = {.attempts = 2 + (uint32_t)draw(&chance, count <= SMALL ? 2 : 15),
                               .memory_bytes = memory ? (1000 + draw(&chance, 1500)) * MB : 0};
    graph_measure(&g, limits.attempts, limits.memory_bytes, &bound);
    if (count <= SMALL) bound = best_of_all(&g, &limits);
    bool ok = run_each(kind, seed, &g, &limits, bound);
    graph_deinit(&g);
    return ok;
}

static int print_graph(uint32_t count, uint64_t seed, uint32_t attempts) {
    uint64_t chance = seed, bound;
    graph g = draw_graph(&chance, count, 0);
    weir_task_limits limits = {.attempts = attempts};
    graph_measure(&g, attempts, 0, &bound);
    graph_end end = graph_run(&g, &limits, "critical-path", "time", true);
    printf("%" PRIu64 " %" PRIu64 "\n", bound, end.makespan_us);
    for (size_t i = 0; i < g.tasks.count; i++) {
        const graph_task *t = &g.tasks.items[i];
        printf("%" PRIu64 " %u", t->lasts_us, t->need_count);
        for (uint32_t k = 0; k < t->need_count; k++)
            printf(" %u", g.needs.items[t->first_need + k]);
        putchar('\n');
    }
    graph_deinit(&g);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 5 && strcmp(argv[1], "graph") == 0)
        return print_graph((uint32_t)strtoul(argv[2], NULL, 10), strtoull(argv[3], NULL, 10),
                           (uint32_t)strtoul(argv[4], NULL, 10));
    uint64_t graphs = argc > 1 ? strtoull(argv[1], NULL, 10) : 100,
             seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    bool ok = true;
    for (uint64_t i = 0; i < graphs; i++) {
        ok &= measure(seed + i, "small", SMALL, true);
        ok &= measure(seed + i, "random", 300, false);
        ok &= measure(seed + i, "memory", 300, true);
    }
    if (graphs) ok &= measure(seed, "many", 100000, true);
    return ok ? 0 : 1;
}

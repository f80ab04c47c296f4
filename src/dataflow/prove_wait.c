/* Which operations wait for each other: strongly connected components (Tarjan, Depth-first search and linear graph algorithms,
 * 1972) of those that never run, without recursion. */
#include "dataflow/prove_internal.h"

/* Goes through the instances that one waits for. */
typedef struct walk {
    uint32_t slot, use;
} walk;

static walk walk_from(const weir__flow_proof *p, uint32_t instance) {
    return (walk){p->first[instance], p->uses_first[p->first[instance]]};
}

/* The next of those that never run themselves; WEIR__NONE at the end. */
static uint32_t next_awaited(const weir__flow_proof *p, uint32_t instance, walk *w) {
    uint32_t end = p->first[instance + 1];
    for (; w->slot < end; w->slot++) {
        if (p->slots[w->slot] != WEIR__NEVER) {
            w->use = p->uses_first[w->slot + 1];
            continue;
        }
        while (w->use < p->uses_first[w->slot + 1]) {
            uint32_t maker = p->makers[p->uses[w->use++].origin];
            if (maker != WEIR__NONE && p->runs[maker] == WEIR__NEVER) return maker;
        }
    }
    return WEIR__NONE;
}

typedef struct search {
    weir__waits *waits;
    uint32_t *index, *low, *stack, *path;
    walk *walks;
    bool *stacked;
    uint32_t next, components;
    size_t stack_count, path_count;
} search;

static void enter(search *s, uint32_t instance) {
    s->index[instance] = s->low[instance] = ++s->next;
    s->stack[s->stack_count++] = instance;
    s->stacked[instance] = true;
    s->path[s->path_count++] = instance;
    s->walks[instance] = walk_from(s->waits->p, instance);
}

/* Takes the component, whose first member it is, off the stack. */
static void leave(search *s, uint32_t instance) {
    if (s->low[instance] != s->index[instance]) return;
    s->components++;
    uint32_t member;
    do {
        member = s->stack[--s->stack_count];
        s->stacked[member] = false;
        s->waits->component[member] = s->components;
    } while (member != instance);
}

static void search_from(search *s, uint32_t root) {
    const weir__flow_proof *p = s->waits->p;
    enter(s, root);
    while (s->path_count) {
        uint32_t at = s->path[s->path_count - 1], next = next_awaited(p, at, &s->walks[at]);
        if (next == WEIR__NONE) {
            leave(s, at);
            s->path_count--;
            uint32_t above = s->path_count ? s->path[s->path_count - 1] : at;
            if (s->low[at] < s->low[above]) s->low[above] = s->low[at];
        } else if (!s->index[next]) {
            enter(s, next);
        } else if (s->stacked[next] && s->index[next] < s->low[at]) {
            s->low[at] = s->index[next];
        }
    }
}

void weir__waits_init(weir__waits *waits, const weir__flow_proof *p) {
    enum { STEPS_MAX = 2000000 };
    size_t count = p->flow->instances.count + 1;
    *waits = (weir__waits){.p = p, .budget = STEPS_MAX};
    waits->component = weir_alloc(count * sizeof *waits->component);
    waits->before = weir_alloc(count * sizeof *waits->before);
    waits->queue = weir_alloc(count * sizeof *waits->queue);
    search s = {.waits = waits};
    s.index = weir_alloc(count * sizeof *s.index);
    s.low = weir_alloc(count * sizeof *s.low);
    s.stack = weir_alloc(count * sizeof *s.stack);
    s.path = weir_alloc(count * sizeof *s.path);
    s.walks = weir_alloc(count * sizeof *s.walks);
    s.stacked = weir_alloc(count);
    for (uint32_t i = 0; i + 1 < count; i++)
        if (p->runs[i] == WEIR__NEVER && !s.index[i]) search_from(&s, i);
    void *const parts[] = {s.index, s.low, s.stack, s.path, s.walks, s.stacked};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) weir_free(parts[i]);
}

void weir__waits_deinit(weir__waits *waits) {
    weir_free(waits->component);
    weir_free(waits->before);
    weir_free(waits->queue);
}

bool weir__wait_in_turn(const weir__waits *waits, uint32_t a, uint32_t b) {
    return waits->component[a] && waits->component[a] == waits->component[b];
}

uint32_t *weir__waiting_chain(weir__waits *waits, uint32_t from, uint32_t to, size_t *count) {
    uint32_t *queue = waits->queue, *before = waits->before; /* 1 + whom it was reached from */
    size_t done = 0, ready = 1;
    queue[0] = from;
    before[from] = from + 1;
    for (; done < ready && !before[to] && waits->budget; done++) {
        walk w = walk_from(waits->p, queue[done]);
        uint32_t next;
        while ((next = next_awaited(waits->p, queue[done], &w)) != WEIR__NONE) {
            if (waits->budget) waits->budget--;
            if (before[next] || waits->component[next] != waits->component[to]) continue;
            before[next] = queue[done] + 1;
            queue[ready++] = next;
        }
    }
    uint32_t *chain = NULL;
    *count = 0;
    if (before[to]) {
        size_t length = 1;
        for (uint32_t at = to; at != from; at = before[at] - 1) length++;
        chain = weir_alloc(length * sizeof *chain);
        *count = length;
        for (uint32_t at = to; length > 0; at = before[at] - 1) chain[--length] = at;
    }
    for (size_t i = 0; i < ready; i++) before[queue[i]] = 0;
    return chain;
}

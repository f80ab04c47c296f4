/* Order in a graph: its tree, edges by their ends, which edges close circles, and how far down each item stands. */
#include "data/graph.h"

void weir__graph_index_init(weir__graph_index *index, const weir_graph_model *model, bool by_to) {
    size_t items = model->items.count, edges = model->edges.count;
    index->first = weir_alloc((items + 2) * sizeof *index->first);
    index->edges = weir_alloc((edges + 1) * sizeof *index->edges);
    for (size_t e = 0; e < edges; e++) {
        const weir_graph_edge *edge = &model->edges.items[e];
        index->first[(by_to ? edge->to : edge->from) + 2]++;
    }
    for (size_t i = 2; i < items + 2; i++) index->first[i] += index->first[i - 1];
    for (uint32_t e = 0; e < edges; e++) {
        const weir_graph_edge *edge = &model->edges.items[e];
        /* What counts up here is where the item begins, and at last where the next one does. */
        index->edges[index->first[(by_to ? edge->to : edge->from) + 1]++] = e;
    }
}

void weir__graph_index_deinit(weir__graph_index *index) {
    weir_free(index->first);
    weir_free(index->edges);
}

void weir__graph_walk(const weir_graph_model *model,
                      void (*visit)(void *arg, uint32_t item, bool end), void *arg) {
    size_t count = model->items.count, depth = 0;
    uint32_t *first = weir_alloc((count + 1) * sizeof *first); /* child of each; last: of no item */
    uint32_t *next = weir_alloc((count + 1) * sizeof *next);   /* item of the same parent */
    uint32_t *open = weir_alloc((count + 1) * sizeof *open);
    first[count] = WEIR_GRAPH_NONE;
    for (size_t i = 0; i < count; i++) first[i] = WEIR_GRAPH_NONE;
    for (uint32_t i = (uint32_t)count; i-- > 0;) {
        uint32_t parent = model->items.items[i].parent;
        size_t at = parent == WEIR_GRAPH_NONE ? count : parent;
        next[i] = first[at];
        first[at] = i;
    }
    for (uint32_t at = first[count]; at != WEIR_GRAPH_NONE || depth;) {
        if (at == WEIR_GRAPH_NONE) { /* the end of a group */
            at = open[--depth];
            visit(arg, at, true);
            at = next[at];
            continue;
        }
        visit(arg, at, false);
        bool group = weir_graph_is_group(&model->items.items[at]);
        if (group) open[depth++] = at;
        at = group ? first[at] : next[at];
    }
    weir_free(first);
    weir_free(next);
    weir_free(open);
}

typedef enum visit { UNSEEN, OPEN, CLOSED } visit;

/* Goes down from the item, depth first, on a stack of its own: a chain may be as long as the file allows. */
static void walk(const weir_graph_model *model, const weir__graph_index *out, uint32_t root,
                 unsigned char *seen, uint32_t *next, uint32_t *stack, bool *circles) {
    size_t depth = 0;
    stack[depth++] = root;
    seen[root] = OPEN;
    while (depth) {
        uint32_t item = stack[depth - 1];
        if (next[item] == out->first[item + 1]) {
            seen[item] = CLOSED;
            depth--;
            continue;
        }
        uint32_t edge = out->edges[next[item]++], to = model->edges.items[edge].to;
        circles[edge] = seen[to] == OPEN;
        if (seen[to] != UNSEEN) continue;
        seen[to] = OPEN;
        stack[depth++] = to;
    }
}

bool *weir__graph_circles(const weir_graph_model *model) {
    size_t count = model->items.count;
    weir__graph_index out;
    weir__graph_index_init(&out, model, false);
    bool *circles = weir_alloc((model->edges.count + 1) * sizeof *circles);
    unsigned char *seen = weir_alloc(count + 1);
    uint32_t *next = weir_alloc((count + 1) * sizeof *next);
    uint32_t *stack = weir_alloc((count + 1) * sizeof *stack);
    memcpy(next, out.first, count * sizeof *next);
    for (uint32_t i = 0; i < count; i++)
        if (seen[i] == UNSEEN) walk(model, &out, i, seen, next, stack, circles);
    weir_free(seen);
    weir_free(next);
    weir_free(stack);
    weir__graph_index_deinit(&out);
    return circles;
}

uint32_t *weir__graph_ranks(const weir_graph_model *model) {
    size_t count = model->items.count, ready = 0;
    weir__graph_index out;
    weir__graph_index_init(&out, model, false);
    bool *circles = weir__graph_circles(model);
    uint32_t *ranks = weir_alloc((count + 1) * sizeof *ranks);
    uint32_t *waits = weir_alloc((count + 1) * sizeof *waits);
    uint32_t *queue = weir_alloc((count + 1) * sizeof *queue);
    for (size_t e = 0; e < model->edges.count; e++)
        if (!circles[e]) waits[model->edges.items[e].to]++;
    for (uint32_t i = 0; i < count; i++)
        if (!waits[i]) queue[ready++] = i;
    for (size_t done = 0; done < ready; done++) {
        uint32_t item = queue[done];
        for (uint32_t k = out.first[item]; k < out.first[item + 1]; k++) {
            uint32_t to = model->edges.items[out.edges[k]].to;
            if (circles[out.edges[k]]) continue;
            if (ranks[to] <= ranks[item]) ranks[to] = ranks[item] + 1;
            if (!--waits[to]) queue[ready++] = to;
        }
    }
    weir_free(waits);
    weir_free(queue);
    weir_free(circles);
    weir__graph_index_deinit(&out);
    return ranks;
}

/* The order within layers, with few crossings, and places that keep edges straight. */
#include <stdlib.h>

#include "data/graph_layout.h"

enum { ORDER_SWEEPS = 10, PLACE_SWEEPS = 12 };

typedef struct near {
    uint32_t *first, *vertices; /* as weir__graph_index has edges */
} near;

typedef struct key {
    double value;
    uint32_t before, vertex;
} key;

typedef struct work {
    weir__graph_layers *layers;
    near up, down;
    uint32_t *row, *first; /* the vertices by rank, in order; first of each rank */
    uint32_t *place;       /* of each vertex in its rank */
    key *keys;
    double *sums, *weights;
    uint32_t *counts;
} work;

static void near_init(near *n, const weir__graph_layers *layers, bool down) {
    size_t vertices = layers->vertices.count;
    n->first = weir_alloc((vertices + 2) * sizeof *n->first);
    n->vertices = weir_alloc((layers->segments.count + 1) * sizeof *n->vertices);
    for (size_t s = 0; s < layers->segments.count; s++)
        n->first[(down ? layers->segments.items[s].from : layers->segments.items[s].to) + 2]++;
    for (size_t i = 2; i < vertices + 2; i++) n->first[i] += n->first[i - 1];
    for (size_t s = 0; s < layers->segments.count; s++) {
        const weir__graph_segment *segment = &layers->segments.items[s];
        uint32_t here = down ? segment->from : segment->to;
        n->vertices[n->first[here + 1]++] = down ? segment->to : segment->from;
    }
}

static void work_init(work *w, weir__graph_layers *layers) {
    size_t count = layers->vertices.count;
    *w = (work){.layers = layers};
    near_init(&w->up, layers, false);
    near_init(&w->down, layers, true);
    w->row = weir_alloc((count + 1) * sizeof *w->row);
    w->place = weir_alloc((count + 1) * sizeof *w->place);
    w->first = weir_alloc((layers->ranks + 2) * sizeof *w->first);
    w->keys = weir_alloc((count + 1) * sizeof *w->keys);
    w->sums = weir_alloc((count + 1) * sizeof *w->sums);
    w->weights = weir_alloc((count + 1) * sizeof *w->weights);
    w->counts = weir_alloc((count + 2) * sizeof *w->counts);
    for (size_t v = 0; v < count; v++) w->first[layers->vertices.items[v].rank + 2]++;
    for (size_t r = 2; r < layers->ranks + 2u; r++) w->first[r] += w->first[r - 1];
    for (uint32_t v = 0; v < count; v++) {
        uint32_t rank = layers->vertices.items[v].rank;
        w->row[w->first[rank + 1]++] = v;
    }
}

static void work_deinit(work *w) {
    weir_free(w->up.first);
    weir_free(w->up.vertices);
    weir_free(w->down.first);
    weir_free(w->down.vertices);
    weir_free(w->row);
    weir_free(w->place);
    weir_free(w->first);
    weir_free(w->keys);
    weir_free(w->sums);
    weir_free(w->weights);
    weir_free(w->counts);
}

/* --- order ---------------------------------------------------------------------------------- */

static void number_places(work *w) {
    for (uint32_t r = 0; r < w->layers->ranks; r++)
        for (uint32_t i = w->first[r]; i < w->first[r + 1]; i++)
            w->place[w->row[i]] = i - w->first[r];
}

static int by_key(const void *a, const void *b) {
    const key *x = a, *y = b;
    if (x->value < y->value || x->value > y->value) return x->value < y->value ? -1 : 1;
    return x->before < y->before ? -1 : x->before > y->before;
}

/* Sorts a rank by the barycenters of its neighbours in the rank before, or behind; who has none stays. */
static void sort_rank(work *w, uint32_t rank, const near *n) {
    size_t count = w->first[rank + 1] - w->first[rank];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t v = w->row[w->first[rank] + i];
        double sum = 0;
        for (uint32_t k = n->first[v]; k < n->first[v + 1]; k++) sum += w->place[n->vertices[k]];
        uint32_t neighbours = n->first[v + 1] - n->first[v];
        w->keys[i] = (key){neighbours ? sum / neighbours : i, i, v};
    }
    qsort(w->keys, count, sizeof *w->keys, by_key);
    for (uint32_t i = 0; i < count; i++) {
        w->row[w->first[rank] + i] = w->keys[i].vertex;
        w->place[w->keys[i].vertex] = i;
    }
}

static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Crossings between a rank and the next, by counting inversions with a tree of sums (Barth, Jünger, Mutzel 2002). */
static uint64_t count_crossings_below(work *w, uint32_t rank) {
    size_t width = w->first[rank + 2] - w->first[rank + 1];
    uint64_t crossings = 0, seen = 0;
    memset(w->counts, 0, (width + 2) * sizeof *w->counts);
    for (uint32_t i = w->first[rank]; i < w->first[rank + 1]; i++) {
        uint32_t v = w->row[i], from = w->down.first[v], count = w->down.first[v + 1] - from;
        uint32_t *places = weir_alloc((count + 1) * sizeof *places);
        for (uint32_t k = 0; k < count; k++) places[k] = w->place[w->down.vertices[from + k]];
        qsort(places, count, sizeof *places, by_number);
        for (uint32_t k = 0; k < count; k++) {
            uint64_t before = 0; /* that end at this place or further left */
            for (size_t at = places[k] + 1; at > 0; at &= at - 1) before += w->counts[at];
            crossings += seen - before;
        }
        /* Edges from the same item do not cross. */
        for (uint32_t k = 0; k < count; k++)
            for (size_t at = places[k] + 1; at <= width; at += at & (~at + 1)) w->counts[at]++;
        seen += count;
        weir_free(places);
    }
    return crossings;
}

static uint64_t count_crossings(work *w) {
    uint64_t crossings = 0;
    for (uint32_t r = 0; r + 1 < w->layers->ranks; r++) crossings += count_crossings_below(w, r);
    return crossings;
}

static void order(work *w) {
    size_t bytes = (w->layers->vertices.count + 1) * sizeof *w->row;
    uint32_t *best = weir_alloc(bytes);
    number_places(w);
    memcpy(best, w->row, bytes);
    uint64_t fewest = count_crossings(w);
    for (int sweep = 0; sweep < ORDER_SWEEPS && fewest; sweep++) {
        for (uint32_t i = 1; i < w->layers->ranks; i++)
            sort_rank(w, sweep % 2 ? w->layers->ranks - 1 - i : i, sweep % 2 ? &w->down : &w->up);
        uint64_t crossings = count_crossings(w);
        if (crossings >= fewest) continue;
        fewest = crossings;
        memcpy(best, w->row, bytes);
    }
    memcpy(w->row, best, bytes);
    weir_free(best);
}

/* --- places --------------------------------------------------------------------------------- */

/* The middle of its neighbours; a bend pulls harder, so that long edges are straight. */
static double wish(const work *w, uint32_t v, bool up, bool down, double *weight) {
    const near *both[] = {&w->up, &w->down};
    const bool wanted[] = {up, down};
    double sum = 0, count = 0;
    for (int side = 0; side < 2; side++)
        for (uint32_t k = both[side]->first[v]; wanted[side] && k < both[side]->first[v + 1]; k++) {
            sum += w->layers->vertices.items[both[side]->vertices[k]].at;
            count++;
        }
    bool bend = w->layers->vertices.items[v].item == WEIR_GRAPH_NONE;
    *weight = count > 0 ? (bend ? 3 : 1) : 0.05;
    return count > 0 ? sum / count : w->layers->vertices.items[v].at;
}

/* The places nearest to the wishes (least squares) that keep order and gaps: pool adjacent violators. */
static void place_rank(work *w, uint32_t rank, bool up, bool down) {
    weir__graph_vertex *vertices = w->layers->vertices.items;
    size_t count = w->first[rank + 1] - w->first[rank], blocks = 0;
    const uint32_t *row = w->row + w->first[rank];
    double offset = 0;
    for (size_t i = 0; i < count; i++) {
        double weight, wished = wish(w, row[i], up, down, &weight);
        if (i)
            offset += vertices[row[i - 1]].size / 2 + vertices[row[i]].size / 2 + WEIR__GRAPH_GAP;
        w->sums[blocks] = (wished - offset) * weight;
        w->weights[blocks] = weight;
        w->counts[blocks++] = 1;
        while (blocks > 1 && w->sums[blocks - 2] / w->weights[blocks - 2] >
                                 w->sums[blocks - 1] / w->weights[blocks - 1]) {
            w->sums[blocks - 2] += w->sums[blocks - 1];
            w->weights[blocks - 2] += w->weights[blocks - 1];
            w->counts[blocks - 2] += w->counts[blocks - 1];
            blocks--;
        }
    }
    offset = 0;
    for (size_t block = 0, i = 0; block < blocks; block++)
        for (uint32_t k = 0; k < w->counts[block]; k++, i++) {
            if (i)
                offset +=
                    vertices[row[i - 1]].size / 2 + vertices[row[i]].size / 2 + WEIR__GRAPH_GAP;
            vertices[row[i]].at = w->sums[block] / w->weights[block] + offset;
        }
}

/* --- parts ---------------------------------------------------------------------------------- */

/* What is joined by segments is a part; nothing holds one beside another. */
typedef struct part {
    double least, most;
    size_t count;
    bool alone; /* in all of its ranks */
} part;

static uint32_t part_of(uint32_t *up, uint32_t v) {
    while (up[v] != v) v = up[v] = up[up[v]];
    return v;
}

static void measure_parts(const work *w, uint32_t *up, part *parts) {
    const weir__graph_vertex *vertices = w->layers->vertices.items;
    for (uint32_t v = 0; v < w->layers->vertices.count; v++) {
        part *p = &parts[part_of(up, v)];
        double from = vertices[v].at - vertices[v].size / 2, to = from + vertices[v].size;
        if (!p->count || from < p->least) p->least = from;
        if (!p->count || to > p->most) p->most = to;
        p->alone |= !p->count++;
    }
    for (uint32_t r = 0; r < w->layers->ranks; r++)
        for (uint32_t i = w->first[r] + 1; i < w->first[r + 1]; i++) {
            uint32_t a = part_of(up, w->row[i - 1]), b = part_of(up, w->row[i]);
            if (a != b) parts[a].alone = parts[b].alone = false;
        }
}

/* Parts that have their ranks for themselves may have drifted aside: puts them under the largest one. */
static void centre_parts(work *w) {
    size_t count = w->layers->vertices.count;
    uint32_t *up = weir_alloc((count + 1) * sizeof *up), largest = 0;
    part *parts = weir_alloc((count + 1) * sizeof *parts);
    for (uint32_t v = 0; v < count; v++) up[v] = v;
    for (size_t s = 0; s < w->layers->segments.count; s++) {
        const weir__graph_segment *segment = &w->layers->segments.items[s];
        up[part_of(up, segment->from)] = part_of(up, segment->to);
    }
    measure_parts(w, up, parts);
    for (uint32_t v = 0; v < count; v++)
        if (parts[v].count > parts[largest].count) largest = v;
    double middle = (parts[largest].least + parts[largest].most) / 2;
    for (uint32_t v = 0; v < count; v++) {
        const part *p = &parts[part_of(up, v)];
        if (p->alone) w->layers->vertices.items[v].at += middle - (p->least + p->most) / 2;
    }
    weir_free(up);
    weir_free(parts);
}

void weir__graph_layers_place(weir__graph_layers *layers) {
    work w;
    work_init(&w, layers);
    order(&w);
    for (uint32_t r = 0; r < layers->ranks; r++) {
        double at = 0;
        for (uint32_t i = w.first[r]; i < w.first[r + 1]; i++) {
            weir__graph_vertex *v = &layers->vertices.items[w.row[i]];
            v->at = at + v->size / 2;
            at += v->size + WEIR__GRAPH_GAP;
        }
    }
    for (int sweep = 0; sweep < PLACE_SWEEPS; sweep++) {
        bool last = sweep + 4 >= PLACE_SWEEPS, down = sweep % 2;
        for (uint32_t i = 0; i < layers->ranks; i++)
            place_rank(&w, down ? layers->ranks - 1 - i : i, last || !down, last || down);
    }
    centre_parts(&w);
    work_deinit(&w);
}

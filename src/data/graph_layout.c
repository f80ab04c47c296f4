#include "data/graph_layout.h"

enum {
    BENDS_MAX = 50 * 1000, /* of a level; edges beyond them are drawn straight */
    STAGES_MAX = 64,
    MARGIN = 36
};

/* What is laid out together: the items of a group, or those that are in no group, whatever their stage. "Across" is
 * along the layers, "along" from one layer to the next. */
typedef struct level {
    uint32_t group; /* WEIR_GRAPH_NONE: the whole */
    weir__graph_layers layers;
    const uint32_t *items, *edges; /* that are in it */
    size_t item_count, edge_count;
    uint32_t *first; /* vertex of each of the edges' bends; WEIR_GRAPH_NONE: it has none */
} level;

/* Numbers by what they belong to, as weir__graph_index has edges. */
typedef struct sorted {
    uint32_t *first, *numbers;
} sorted;

typedef struct work {
    const weir_graph_model *model;
    weir__graph_layout *layout;
    bool sideways, backwards;
    bool *circles;
    uint32_t *holder; /* the group that each item is in, whatever the stage */
    uint32_t *band;   /* in the whole: stages come one after the other, each behind its sources */
    uint32_t bands;
    sorted items, edges;     /* by level: 0 is the whole, then the groups by number */
    uint32_t *rank, *vertex; /* of each item in its level */
    uint32_t *waits, *queue;
    weir__graph_box *boxes, *lanes; /* x across and y along, in the level, then in the picture */
    WEIR_VECTOR(weir__graph_point) * bends; /* of each edge, in its level */
} work;

static uint32_t holder_of(const weir_graph_model *model, uint32_t item) {
    uint32_t parent = model->items.items[item].parent;
    while (parent != WEIR_GRAPH_NONE && model->items.items[parent].kind == WEIR_GRAPH_STAGE)
        parent = model->items.items[parent].parent;
    return parent;
}

static void find_bands(work *w) {
    const weir_graph_model *model = w->model;
    uint32_t stages = 0;
    for (uint32_t i = 0; i < model->items.count; i++) {
        const weir_graph_item *item = &model->items.items[i];
        if (item->kind == WEIR_GRAPH_STAGE && stages < STAGES_MAX)
            w->band[i] = 2 * stages++ + 1;
        else if (item->kind == WEIR_GRAPH_SOURCE)
            w->band[i] = WEIR_GRAPH_NONE;
        else if (item->parent != WEIR_GRAPH_NONE &&
                 model->items.items[item->parent].kind == WEIR_GRAPH_STAGE)
            w->band[i] = w->band[item->parent];
    }
    for (size_t e = 0; e < model->edges.count; e++) {
        const weir_graph_edge *edge = &model->edges.items[e];
        if (model->items.items[edge->from].kind != WEIR_GRAPH_SOURCE) continue;
        uint32_t before = w->band[edge->to] ? w->band[edge->to] - 1 : 0;
        if (before < w->band[edge->from]) w->band[edge->from] = before;
    }
    for (uint32_t i = 0; i < model->items.count; i++)
        if (w->band[i] == WEIR_GRAPH_NONE) w->band[i] = 0;
    w->bands = 2 * stages + 1;
}

/* From the edge's upper end to its lower one. */
static void ends_of(const work *w, uint32_t e, uint32_t *upper, uint32_t *lower) {
    const weir_graph_edge *edge = &w->model->edges.items[e];
    uint32_t from = w->band[edge->from], to = w->band[edge->to];
    bool turned = from > to || (from == to && w->circles[e]);
    *upper = turned ? edge->to : edge->from;
    *lower = turned ? edge->from : edge->to;
}

/* `slots[i]` is where number i belongs; WEIR_GRAPH_NONE: nowhere. */
static sorted sort_by(const uint32_t *slots, size_t numbers, size_t slot_count) {
    sorted s = {weir_alloc((slot_count + 2) * sizeof *s.first),
                weir_alloc((numbers + 1) * sizeof *s.numbers)};
    for (size_t i = 0; i < numbers; i++)
        if (slots[i] != WEIR_GRAPH_NONE) s.first[slots[i] + 2]++;
    for (size_t i = 2; i < slot_count + 2; i++) s.first[i] += s.first[i - 1];
    for (uint32_t i = 0; i < numbers; i++)
        if (slots[i] != WEIR_GRAPH_NONE) s.numbers[s.first[slots[i] + 1]++] = i;
    return s;
}

static void sorted_deinit(sorted *s) {
    weir_free(s->first);
    weir_free(s->numbers);
}

/* Which items and edges are in which level. */
static void sort_levels(work *w) {
    size_t items = w->model->items.count, edges = w->model->edges.count;
    uint32_t *slots = weir_alloc((items + edges + 1) * sizeof *slots);
    for (size_t i = 0; i < items; i++) {
        bool stage = w->model->items.items[i].kind == WEIR_GRAPH_STAGE;
        slots[i] = stage ? WEIR_GRAPH_NONE : w->holder[i] + 1; /* of none is 0 */
    }
    w->items = sort_by(slots, items, items + 1);
    for (size_t e = 0; e < edges; e++) {
        const weir_graph_edge *edge = &w->model->edges.items[e];
        bool within = edge->from != edge->to && w->holder[edge->from] == w->holder[edge->to];
        slots[e] = within ? w->holder[edge->from] + 1 : WEIR_GRAPH_NONE;
    }
    w->edges = sort_by(slots, edges, items + 1);
    weir_free(slots);
}

/* --- ranks ---------------------------------------------------------------------------------- */

/* The longest ways among the items of a band, which begins at rank `base`; returns where the next may begin. */
static uint32_t rank_band(work *w, const level *l, uint32_t band, uint32_t base,
                          const sorted *below) {
    size_t ready = 0;
    uint32_t end = base, upper, lower;
    for (size_t i = 0; i < l->item_count; i++) {
        uint32_t item = l->items[i];
        if (w->band[item] != band) continue;
        w->rank[item] = base;
        if (!w->waits[item]) w->queue[ready++] = item;
    }
    for (size_t done = 0; done < ready; done++) {
        uint32_t item = w->queue[done];
        if (w->rank[item] >= end) end = w->rank[item] + 1;
        for (uint32_t k = below->first[item]; k < below->first[item + 1]; k++) {
            ends_of(w, l->edges[below->numbers[k]], &upper, &lower);
            if (w->band[lower] != band) continue;
            if (w->rank[lower] <= w->rank[item]) w->rank[lower] = w->rank[item] + 1;
            if (!--w->waits[lower]) w->queue[ready++] = lower;
        }
    }
    return end;
}

static uint32_t rank_items(work *w, const level *l) {
    uint32_t *uppers = weir_alloc((l->edge_count + 1) * sizeof *uppers), ranks = 0, lower;
    memset(w->waits, 0, w->model->items.count * sizeof *w->waits);
    for (size_t e = 0; e < l->edge_count; e++) {
        ends_of(w, l->edges[e], &uppers[e], &lower);
        if (w->band[lower] == w->band[uppers[e]]) w->waits[lower]++;
    }
    sorted below = sort_by(uppers, l->edge_count, w->model->items.count);
    uint32_t bands = l->group == WEIR_GRAPH_NONE ? w->bands : 1;
    for (uint32_t band = 0; band < bands; band++) ranks = rank_band(w, l, band, ranks, &below);
    sorted_deinit(&below);
    weir_free(uppers);
    return ranks;
}

/* --- one level ------------------------------------------------------------------------------ */

static uint32_t add_vertex(level *l, uint32_t item, uint32_t rank, double size) {
    *weir_vector_push(&l->layers.vertices) =
        (weir__graph_vertex){.item = item, .rank = rank, .size = size};
    return (uint32_t)l->layers.vertices.count - 1;
}

static void add_segment(level *l, uint32_t from, uint32_t to) {
    *weir_vector_push(&l->layers.segments) = (weir__graph_segment){from, to};
}

/* The vertices of an edge's bends follow one another. */
static void add_edges(work *w, level *l) {
    uint32_t upper, lower;
    size_t bends = 0;
    for (size_t e = 0; e < l->edge_count; e++) {
        l->first[e] = WEIR_GRAPH_NONE;
        ends_of(w, l->edges[e], &upper, &lower);
        uint32_t between = w->rank[lower] - w->rank[upper] - 1, last = w->vertex[upper];
        if (bends + between > BENDS_MAX) continue;
        bends += between;
        for (uint32_t k = 0; k < between; k++) {
            uint32_t bend = add_vertex(l, WEIR_GRAPH_NONE, w->rank[upper] + 1 + k, 2);
            if (!k) l->first[e] = bend;
            add_segment(l, last, bend);
            last = bend;
        }
        add_segment(l, last, w->vertex[lower]);
    }
}

/* Where a rank is, along. */
typedef struct lane {
    double from, size;
    uint32_t band;
} lane;

/* The lanes of all ranks; freed with weir_free. `length` gets that of all. */
static lane *find_lanes(const work *w, const level *l, double *length) {
    lane *lanes = weir_alloc((l->layers.ranks + 1) * sizeof *lanes);
    for (size_t i = 0; i < l->item_count; i++) {
        lane *its = &lanes[w->rank[l->items[i]]];
        if (w->boxes[l->items[i]].height > its->size) its->size = w->boxes[l->items[i]].height;
        its->band = w->band[l->items[i]];
    }
    *length = 0;
    for (uint32_t r = 0; r < l->layers.ranks; r++) {
        if (r) *length += WEIR__GRAPH_LAYER_GAP;
        /* Room for the frames of two stages. */
        if (r && lanes[r].band != lanes[r - 1].band) *length += WEIR__GRAPH_PAD + WEIR__GRAPH_TITLE;
        lanes[r].from = *length;
        *length += lanes[r].size;
    }
    return lanes;
}

static void add_bend(work *w, uint32_t edge, double across, double along) {
    *weir_vector_push(&w->bends[edge]) = (weir__graph_point){across, along};
}

/* A bend goes straight through its lane, where other items are. */
static void keep_bends(work *w, const level *l, const lane *lanes, double least) {
    uint32_t upper, lower;
    for (size_t i = 0; i < l->edge_count; i++) {
        uint32_t e = l->edges[i];
        if (l->first[i] == WEIR_GRAPH_NONE) continue;
        ends_of(w, e, &upper, &lower);
        uint32_t count = w->rank[lower] - w->rank[upper] - 1;
        bool turned = upper != w->model->edges.items[e].from;
        for (uint32_t k = 0; k < count; k++) {
            uint32_t bend = l->first[i] + (turned ? count - 1 - k : k);
            const weir__graph_vertex *vertex = &l->layers.vertices.items[bend];
            const lane *its = &lanes[vertex->rank];
            double across = vertex->at - least;
            add_bend(w, e, across, its->from + (turned ? its->size : 0));
            add_bend(w, e, across, its->from + (turned ? 0 : its->size));
        }
    }
}

/* Keeps where the items are; returns how wide the level is. */
static double keep_items(work *w, const level *l, const lane *lanes, double *least) {
    double most = 0;
    for (size_t v = 0; v < l->layers.vertices.count; v++) {
        const weir__graph_vertex *vertex = &l->layers.vertices.items[v];
        double from = vertex->at - vertex->size / 2, to = vertex->at + vertex->size / 2;
        if (!v || from < *least) *least = from;
        if (!v || to > most) most = to;
    }
    for (size_t i = 0; i < l->item_count; i++) {
        uint32_t item = l->items[i];
        const weir__graph_vertex *vertex = &l->layers.vertices.items[w->vertex[item]];
        const lane *its = &lanes[vertex->rank];
        weir__graph_box *box = &w->boxes[item];
        box->x = vertex->at - box->width / 2 - *least;
        box->y = its->from + (its->size - box->height) / 2;
        w->lanes[item] = (weir__graph_box){box->x, its->from, box->width, its->size};
    }
    return most - *least;
}

static void keep_places(work *w, const level *l) {
    double length, least = 0;
    lane *lanes = find_lanes(w, l, &length);
    double width = keep_items(w, l, lanes, &least);
    keep_bends(w, l, lanes, least);
    weir_free(lanes);
    if (l->group == WEIR_GRAPH_NONE) {
        w->layout->width = width;
        w->layout->height = length;
        return;
    }
    weir__graph_box *whole = &w->boxes[l->group];
    whole->width = width + 2 * WEIR__GRAPH_PAD + (w->sideways ? WEIR__GRAPH_TITLE : 0);
    whole->height = length + 2 * WEIR__GRAPH_PAD + (w->sideways ? 0 : WEIR__GRAPH_TITLE);
}

static void lay_out_level(work *w, uint32_t group) {
    uint32_t slot = group + 1;
    level l = {.group = group,
               .items = w->items.numbers + w->items.first[slot],
               .item_count = w->items.first[slot + 1] - w->items.first[slot],
               .edges = w->edges.numbers + w->edges.first[slot],
               .edge_count = w->edges.first[slot + 1] - w->edges.first[slot]};
    l.first = weir_alloc((l.edge_count + 1) * sizeof *l.first);
    l.layers.ranks = rank_items(w, &l);
    for (size_t i = 0; i < l.item_count; i++)
        w->vertex[l.items[i]] =
            add_vertex(&l, l.items[i], w->rank[l.items[i]], w->boxes[l.items[i]].width);
    add_edges(w, &l);
    weir__graph_layers_place(&l.layers);
    keep_places(w, &l);
    weir_free(l.first);
    weir_vector_deinit(&l.layers.vertices);
    weir_vector_deinit(&l.layers.segments);
}

/* --- the whole ------------------------------------------------------------------------------ */

static weir__graph_point turn(const work *w, double across, double along) {
    double far = w->layout->height;
    if (w->backwards) along = far - along;
    return w->sideways ? (weir__graph_point){along, across} : (weir__graph_point){across, along};
}

static weir__graph_box turn_box(const work *w, weir__graph_box box) {
    double along = w->backwards ? box.y + box.height : box.y;
    weir__graph_point corner = turn(w, box.x, along);
    return w->sideways ? (weir__graph_box){corner.x, corner.y, box.height, box.width}
                       : (weir__graph_box){corner.x, corner.y, box.width, box.height};
}

/* A stage is a frame around what is in it. */
static void frame_stages(work *w) {
    for (uint32_t i = 0; i < w->model->items.count; i++) {
        uint32_t parent = w->model->items.items[i].parent;
        if (parent == WEIR_GRAPH_NONE || w->model->items.items[parent].kind != WEIR_GRAPH_STAGE)
            continue;
        const weir__graph_box *box = &w->layout->boxes[i];
        weir__graph_box *frame = &w->layout->boxes[parent];
        double left = box->x - WEIR__GRAPH_PAD, right = box->x + box->width + WEIR__GRAPH_PAD,
               top = box->y - WEIR__GRAPH_PAD - WEIR__GRAPH_TITLE,
               bottom = box->y + box->height + WEIR__GRAPH_PAD;
        if (frame->width > 0) {
            if (frame->x < left) left = frame->x;
            if (frame->y < top) top = frame->y;
            if (frame->x + frame->width > right) right = frame->x + frame->width;
            if (frame->y + frame->height > bottom) bottom = frame->y + frame->height;
        }
        *frame = (weir__graph_box){left, top, right - left, bottom - top};
    }
}

/* From places in a level to places in the picture: a group stands before what is in it. */
static void resolve(work *w) {
    const double title = WEIR__GRAPH_PAD + WEIR__GRAPH_TITLE;
    /* Titles are at the top of the picture, whichever way it goes. */
    weir__graph_point root = {MARGIN, MARGIN}, rest = {MARGIN, MARGIN};
    *(w->sideways ? &root.x : w->backwards ? &rest.y : &root.y) += 2 * WEIR__GRAPH_TITLE;
    weir__graph_point *inside = weir_alloc((w->model->items.count + 1) * sizeof *inside);
    for (uint32_t i = 0; i < w->model->items.count; i++) {
        uint32_t holder = w->holder[i];
        weir__graph_point from = holder == WEIR_GRAPH_NONE ? root : inside[holder];
        w->boxes[i].x += from.x;
        w->boxes[i].y += from.y;
        w->lanes[i].x += from.x;
        w->lanes[i].y += from.y;
        inside[i] = (weir__graph_point){
            w->boxes[i].x + (w->sideways ? title : WEIR__GRAPH_PAD),
            w->boxes[i].y + (w->sideways || w->backwards ? WEIR__GRAPH_PAD : title)};
    }
    w->layout->width += root.x + rest.x;
    w->layout->height += root.y + rest.y;
    for (size_t e = 0; e < w->model->edges.count; e++) {
        uint32_t holder = w->holder[w->model->edges.items[e].from];
        weir__graph_point from = holder == WEIR_GRAPH_NONE ? root : inside[holder];
        w->layout->first_bend[e] = (uint32_t)w->layout->bends.count;
        for (size_t k = 0; k < w->bends[e].count; k++) {
            weir__graph_point bend = w->bends[e].items[k];
            *weir_vector_push(&w->layout->bends) = turn(w, bend.x + from.x, bend.y + from.y);
        }
        weir_vector_deinit(&w->bends[e]);
    }
    w->layout->first_bend[w->model->edges.count] = (uint32_t)w->layout->bends.count;
    for (uint32_t i = 0; i < w->model->items.count; i++) {
        if (w->model->items.items[i].kind == WEIR_GRAPH_STAGE) continue;
        w->layout->boxes[i] = turn_box(w, w->boxes[i]);
        w->layout->lanes[i] = turn_box(w, w->lanes[i]);
    }
    weir_free(inside);
    frame_stages(w);
    if (!w->sideways) return;
    double width = w->layout->width;
    w->layout->width = w->layout->height;
    w->layout->height = width;
}

void weir__graph_layout_init(weir__graph_layout *layout, const weir_graph_model *model,
                             weir_graph_display display, const weir__graph_box *sizes) {
    size_t count = model->items.count + 1;
    *layout = (weir__graph_layout){.boxes = weir_alloc(count * sizeof *layout->boxes)};
    layout->lanes = weir_alloc(count * sizeof *layout->lanes);
    layout->first_bend = weir_alloc((model->edges.count + 1) * sizeof *layout->first_bend);
    work w = {.model = model,
              .layout = layout,
              .sideways = display == WEIR_GRAPH_LR || display == WEIR_GRAPH_RL,
              .backwards = display == WEIR_GRAPH_BT || display == WEIR_GRAPH_RL,
              .circles = weir__graph_circles(model)};
    w.holder = weir_alloc(count * sizeof *w.holder);
    w.band = weir_alloc(count * sizeof *w.band);
    w.rank = weir_alloc(count * sizeof *w.rank);
    w.vertex = weir_alloc(count * sizeof *w.vertex);
    w.waits = weir_alloc(count * sizeof *w.waits);
    w.queue = weir_alloc(count * sizeof *w.queue);
    w.boxes = weir_alloc(count * sizeof *w.boxes);
    w.lanes = weir_alloc(count * sizeof *w.lanes);
    w.bends = weir_alloc((model->edges.count + 1) * sizeof *w.bends);
    for (uint32_t i = 0; i < model->items.count; i++) {
        w.holder[i] = holder_of(model, i);
        w.boxes[i].width = w.sideways ? sizes[i].height : sizes[i].width;
        w.boxes[i].height = w.sideways ? sizes[i].width : sizes[i].height;
    }
    find_bands(&w);
    sort_levels(&w);
    for (uint32_t i = (uint32_t)model->items.count; i-- > 0;)
        if (model->items.items[i].kind == WEIR_GRAPH_GROUP) lay_out_level(&w, i);
    lay_out_level(&w, WEIR_GRAPH_NONE);
    resolve(&w);
    sorted_deinit(&w.items);
    sorted_deinit(&w.edges);
    weir_free(w.circles);
    weir_free(w.holder);
    weir_free(w.band);
    weir_free(w.rank);
    weir_free(w.vertex);
    weir_free(w.waits);
    weir_free(w.queue);
    weir_free(w.boxes);
    weir_free(w.lanes);
    weir_free(w.bends);
}

void weir__graph_layout_deinit(weir__graph_layout *layout) {
    weir_free(layout->boxes);
    weir_free(layout->lanes);
    weir_free(layout->first_bend);
    weir_vector_deinit(&layout->bends);
}

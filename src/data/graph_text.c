/* A graph as a tree of text: groups, what is in them in the order of the flow, and what goes in and out of each. */
#include <stdlib.h>

#include "data/graph.h"

enum { NAME_COLUMNS_MAX = 200, ENDS_SHOWN_MAX = 8, PORTS_SHOWN_MAX = 100 };

static const char BOLD[] = "\033[1m", DIM[] = "\033[2m", CYAN[] = "\033[36m", GREEN[] = "\033[32m",
                  YELLOW[] = "\033[33m", RESET[] = "\033[0m";

/* An item in its place: under its parent, then down the flow, then as written. */
typedef struct place {
    uint32_t parent, rank, item;
} place;

typedef struct writer {
    const weir_graph_model *model;
    bool color;
    weir_buffer *out;
    weir_buffer prefix; /* of the lines of the group being written */
    weir__graph_index in, outs;
    place *places;
} writer;

static int by_place(const void *a, const void *b) {
    const place *x = a, *y = b;
    if (x->parent != y->parent) return x->parent < y->parent ? -1 : 1;
    if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

static void put(writer *w, weir_str text, const char *color) {
    bool colored = w->color && color;
    if (colored) weir_buffer_text(w->out, color);
    weir__graph_write(text, NAME_COLUMNS_MAX, weir__graph_put, w->out);
    if (colored) weir_buffer_text(w->out, RESET);
}

static void put_text(writer *w, const char *text, const char *color) {
    put(w, weir_str_from(text), color);
}

/* "item.port", "item (condition)", "name (seed)". */
static void put_end(writer *w, const weir_graph_edge *edge, bool from) {
    const weir_graph_item *item = &w->model->items.items[from ? edge->from : edge->to];
    uint32_t port = from ? edge->output : edge->input;
    put(w, item->name, NULL);
    if (edge->condition && !from) {
        put_text(w, " (condition)", NULL);
    } else if (port != WEIR_GRAPH_NONE) {
        put_text(w, ".", NULL);
        put(w, (from ? item->outputs : item->inputs).items[port].name, NULL);
    } else if (item->kind == WEIR_GRAPH_SOURCE) {
        put_text(w, " (", NULL);
        put(w, item->about, NULL);
        put_text(w, ")", NULL);
    }
    if (!edge->about.length) return;
    put_text(w, " (", NULL);
    put(w, edge->about, NULL);
    put_text(w, ")", NULL);
}

/* Writes the other ends of the item's edges at that port (WEIR_GRAPH_NONE: of the item as a whole) behind the arrow;
 * returns whether there are any. */
static bool put_ends(writer *w, uint32_t item, uint32_t port, bool incoming, const char *arrow) {
    const weir__graph_index *index = incoming ? &w->in : &w->outs;
    size_t count = 0;
    for (uint32_t k = index->first[item]; k < index->first[item + 1]; k++) {
        const weir_graph_edge *edge = &w->model->edges.items[index->edges[k]];
        if ((incoming ? edge->input : edge->output) != port) continue;
        if (count++ >= ENDS_SHOWN_MAX) continue;
        put_text(w, count == 1 ? arrow : ", ", DIM);
        put_end(w, edge, incoming);
    }
    if (count > ENDS_SHOWN_MAX) weir_buffer_printf(w->out, " and %zu more", count - ENDS_SHOWN_MAX);
    return count > 0;
}

static size_t names_width(const weir_graph_item *item) {
    size_t width = 0;
    const weir_graph_ports *both[] = {&item->inputs, &item->outputs};
    for (int b = 0; b < 2; b++)
        for (size_t i = 0; i < both[b]->count; i++) {
            size_t columns = weir__graph_width(both[b]->items[i].name, NAME_COLUMNS_MAX);
            if (columns > width && columns <= 24) width = columns;
        }
    return width;
}

static void put_ports(writer *w, uint32_t at, bool incoming, const char *margin) {
    const weir_graph_item *item = &w->model->items.items[at];
    const weir_graph_ports *ports = incoming ? &item->inputs : &item->outputs;
    size_t width = names_width(item);
    for (uint32_t i = 0; i < ports->count; i++) {
        const weir_graph_port *port = &ports->items[i];
        if (i == PORTS_SHOWN_MAX) {
            weir_buffer_str_append(w->out, weir_buffer_str(&w->prefix));
            weir_buffer_printf(w->out, "%s… and %zu more\n", margin, ports->count - i);
            return;
        }
        size_t used = weir__graph_width(port->name, NAME_COLUMNS_MAX);
        weir_buffer_str_append(w->out, weir_buffer_str(&w->prefix));
        weir_buffer_text(w->out, margin);
        put_text(w,
                 port->condition ? "? "
                 : incoming      ? "◂ "
                                 : "▸ ",
                 port->condition ? YELLOW
                 : incoming      ? CYAN
                                 : GREEN);
        put(w, port->name, NULL);
        weir_buffer_printf(w->out, "%*s", used < width ? (int)(width - used) : 0, "");
        if (port->about.length && !weir_str_equal(port->about, port->name)) {
            weir_buffer_text(w->out, "  ");
            put(w, port->about, DIM);
        }
        if (!put_ends(w, at, i, incoming, incoming ? "  ← " : "  → ") && incoming)
            put_text(w, "  ← nothing gives it", YELLOW);
        weir_buffer_byte(w->out, '\n');
    }
}

static void put_item(writer *w, uint32_t at, bool last);

static void put_items(writer *w, uint32_t parent, bool sources) {
    size_t low = 0, high = w->model->items.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (w->places[middle].parent < parent)
            low = middle + 1;
        else
            high = middle;
    }
    const place *end = w->places + w->model->items.count, *waiting = NULL;
    for (const place *p = w->places + low; p < end && p->parent == parent; p++) {
        bool source = w->model->items.items[p->item].kind == WEIR_GRAPH_SOURCE;
        if (source != sources) continue;
        if (waiting) put_item(w, waiting->item, false);
        waiting = p;
    }
    if (waiting) put_item(w, waiting->item, true);
}

static void put_item(writer *w, uint32_t at, bool last) {
    const weir_graph_item *item = &w->model->items.items[at];
    bool group = weir_graph_is_group(item);
    weir_buffer_str_append(w->out, weir_buffer_str(&w->prefix));
    weir_buffer_text(w->out, last ? "└─ " : "├─ ");
    if (item->kind == WEIR_GRAPH_SOURCE) put_text(w, "◇ ", CYAN);
    put(w, item->name, group || item->kind == WEIR_GRAPH_OPERATION ? BOLD : NULL);
    if (item->about.length) {
        weir_buffer_text(w->out, "  ");
        put(w, item->about, DIM);
    }
    put_ends(w, at, WEIR_GRAPH_NONE, true, "  ← ");
    if (item->kind == WEIR_GRAPH_SOURCE) put_ends(w, at, WEIR_GRAPH_NONE, false, "  → ");
    weir_buffer_byte(w->out, '\n');
    const char *margin = last ? "     " : "│    ";
    put_ports(w, at, true, margin);
    put_ports(w, at, false, margin);
    if (!group) return;
    size_t length = w->prefix.length;
    weir_buffer_text(&w->prefix, last ? "   " : "│  ");
    put_items(w, at, false);
    w->prefix.length = length;
    w->prefix.data[length] = '\0';
}

static bool any_source(const weir_graph_model *model) {
    for (size_t i = 0; i < model->items.count; i++)
        if (model->items.items[i].kind == WEIR_GRAPH_SOURCE) return true;
    return false;
}

void weir_graph_text(const weir_graph_model *model, bool color, weir_buffer *out) {
    writer w = {.model = model, .color = color, .out = out};
    uint32_t *ranks = weir__graph_ranks(model);
    w.places = weir_alloc((model->items.count + 1) * sizeof *w.places);
    for (uint32_t i = 0; i < model->items.count; i++) /* Stages come in their own order. */
        w.places[i] = (place){model->items.items[i].parent,
                              model->items.items[i].kind == WEIR_GRAPH_STAGE ? 0 : ranks[i], i};
    qsort(w.places, model->items.count, sizeof *w.places, by_place);
    weir__graph_index_init(&w.in, model, true);
    weir__graph_index_init(&w.outs, model, false);
    put(&w, model->title, BOLD);
    weir_buffer_byte(out, '\n');
    if (any_source(model)) {
        weir_buffer_text(out, "├─ ");
        put_text(&w, "Inputs", BOLD);
        weir_buffer_byte(out, '\n');
        weir_buffer_text(&w.prefix, "│  ");
        put_items(&w, WEIR_GRAPH_NONE, true);
        w.prefix.length = 0;
        w.prefix.data[0] = '\0';
    }
    put_items(&w, WEIR_GRAPH_NONE, false);
    weir__graph_index_deinit(&w.in);
    weir__graph_index_deinit(&w.outs);
    weir_buffer_deinit(&w.prefix);
    weir_free(w.places);
    weir_free(ranks);
}

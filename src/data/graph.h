/* A graph as neutral data, and what draws it: text, Graphviz' dot, Mermaid, SVG.
 *
 * A model is a row of items, some of which are groups of others, and of edges between them. What makes one (a dataflow, a
 * workflow) knows no format, and what draws one knows no kind of file. An item stands behind its parent. An edge joins
 * items of the same parent, except that those in stages may be joined with anything outside of groups. Names are
 * whatever somebody wrote: each format escapes them. Texts live in the arena. One thread; the caller ends the model. */
#ifndef WEIR_DATA_GRAPH_H
#define WEIR_DATA_GRAPH_H

#include "base/error.h"

#define WEIR_GRAPH_NONE UINT32_MAX

enum {
    WEIR_GRAPH_ITEMS_MAX = 200 * 1000,
    WEIR_GRAPH_EDGES_MAX = 1000 * 1000,
    /* An SVG is laid out, which takes more than writing a line for each. */
    WEIR_GRAPH_SVG_ITEMS_MAX = 3000,
    WEIR_GRAPH_SVG_EDGES_MAX = 20 * 1000 /* and ports */
};

typedef enum weir_graph_kind {
    WEIR_GRAPH_OPERATION, /* does something */
    WEIR_GRAPH_SOURCE,    /* a value from outside */
    WEIR_GRAPH_CALL,      /* stands for a group that is not drawn (again) */
    WEIR_GRAPH_GROUP,     /* has items; its edges do not leave it */
    WEIR_GRAPH_STAGE /* has items; stages come one after the other, and edges go between them */
} weir_graph_kind;

typedef struct weir_graph_port {
    weir_str name, about;
    bool condition;
} weir_graph_port;

typedef WEIR_VECTOR(weir_graph_port) weir_graph_ports;

typedef struct weir_graph_item {
    weir_graph_kind kind;
    uint32_t parent; /* WEIR_GRAPH_NONE: none */
    weir_str name, about;
    bool strong; /* to be seen first */
    weir_graph_ports inputs, outputs;
} weir_graph_item;

typedef struct weir_graph_edge {
    uint32_t from, to;
    uint32_t output, input; /* ports of them; WEIR_GRAPH_NONE: the item as a whole */
    weir_str about;         /* when it counts: "failed"; empty: always */
    bool condition;
    bool strong;
} weir_graph_edge;

typedef struct weir_graph_model {
    weir_arena arena;
    weir_str title;
    WEIR_VECTOR(weir_graph_item) items;
    WEIR_VECTOR(weir_graph_edge) edges;
    bool too_large; /* something was left out */
} weir_graph_model;

/* Which way the edges go. */
typedef enum weir_graph_display {
    WEIR_GRAPH_TD,
    WEIR_GRAPH_LR,
    WEIR_GRAPH_RL,
    WEIR_GRAPH_BT
} weir_graph_display;

void weir_graph_deinit(weir_graph_model *model);
/* Copies the text. */
weir_str weir_graph_keep(weir_graph_model *model, weir_str text);
/* A new item's number; WEIR_GRAPH_NONE when there are too many. The texts are copied. */
uint32_t weir_graph_add(weir_graph_model *model, weir_graph_kind kind, uint32_t parent,
                        weir_str name, weir_str about);
/* One more port; the texts are copied. */
void weir_graph_add_port(weir_graph_model *model, weir_graph_ports *ports, weir_str name,
                         weir_str about, bool condition);
/* Nothing when an end is WEIR_GRAPH_NONE. `about` is borrowed for the model's life. */
void weir_graph_join(weir_graph_model *model, weir_graph_edge edge);
/* Leaves only operations and groups: no ports, no sources, one edge between two items. */
void weir_graph_simplify(weir_graph_model *model);

static inline bool weir_graph_is_group(const weir_graph_item *item) {
    return item->kind == WEIR_GRAPH_GROUP || item->kind == WEIR_GRAPH_STAGE;
}

/* Appends the drawing. The text is a tree with box characters; `color` for a terminal. */
void weir_graph_text(const weir_graph_model *model, bool color, weir_buffer *out);
void weir_graph_dot(const weir_graph_model *model, weir_graph_display display, weir_buffer *out);
void weir_graph_mermaid(const weir_graph_model *model, weir_graph_display display,
                        weir_buffer *out);
/* Errors: LIMIT. */
WEIR_CHECKED bool weir_graph_svg(const weir_graph_model *model, weir_graph_display display,
                                 weir_buffer *out, weir_error *error);

/* --- for the formats ------------------------------------------------------------------------ */

/* The next character of a text that any terminal and any format may have: a control becomes a blank, what is no UTF-8
 * or a mark that turns the direction of writing becomes U+FFFD. Moves *at on; 0 at the end. */
uint32_t weir__graph_character(weir_str text, size_t *at);
/* Appends the character as UTF-8; or as XML and HTML want it. */
void weir__graph_put(uint32_t character, weir_buffer *out);
void weir__graph_put_markup(uint32_t character, weir_buffer *out);
/* How many columns of a terminal the character takes, about. */
size_t weir__graph_columns(uint32_t character);
/* How many columns the text takes when it is cut to `max`, the last of them for "…". */
size_t weir__graph_width(weir_str text, size_t max);
/* Appends the text, cut to `max` columns, each character by `put`. */
void weir__graph_write(weir_str text, size_t max, void (*put)(uint32_t character, weir_buffer *out),
                       weir_buffer *out);

/* Visits every item in the order of the tree, and each group once more behind what is in it, with `end`. */
void weir__graph_walk(const weir_graph_model *model,
                      void (*visit)(void *arg, uint32_t item, bool end), void *arg);

/* The edges by one of their ends: those of item i are edges[first[i]] … edges[first[i + 1] - 1], as numbers and in
 * order. */
typedef struct weir__graph_index {
    uint32_t *first, *edges;
} weir__graph_index;

void weir__graph_index_init(weir__graph_index *index, const weir_graph_model *model, bool by_to);
void weir__graph_index_deinit(weir__graph_index *index);
/* For each edge whether it closes a circle: without those there are none. Freed with weir_free. */
bool *weir__graph_circles(const weir_graph_model *model);
/* For each item the length of the longest way to it, circles aside. Freed with weir_free. */
uint32_t *weir__graph_ranks(const weir_graph_model *model);

#endif

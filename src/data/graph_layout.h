/* Where the items of a graph go: layers, as Sugiyama, Tagawa and Toda have it (Methods for visual understanding of
 * hierarchical system structures, 1981). Circles are opened, items stand on the longest way to them, edges that skip
 * layers get a bend in each, layers are ordered by barycenters, and places within a layer are the best ones in that order
 * by isotonic regression. What is in a group is laid out first, then the group is one box. One thread. */
#ifndef WEIR_DATA_GRAPH_LAYOUT_H
#define WEIR_DATA_GRAPH_LAYOUT_H

#include "data/graph.h"

enum {
    WEIR__GRAPH_GAP = 24,       /* between items of a layer, in pixels, as all here */
    WEIR__GRAPH_LAYER_GAP = 52, /* between layers */
    WEIR__GRAPH_PAD = 18,       /* between a group and what is in it */
    WEIR__GRAPH_TITLE = 24      /* above that */
};

typedef struct weir__graph_point {
    double x, y;
} weir__graph_point;

typedef struct weir__graph_box {
    double x, y, width, height;
} weir__graph_box;

typedef struct weir__graph_layout {
    weir__graph_box *boxes; /* of the items */
    weir__graph_box *lanes; /* the same, but as long as their layer: nothing else is there */
    /* Of the edges: where they bend, points[first_bend[e]] … points[first_bend[e + 1] - 1]. */
    uint32_t *first_bend;
    WEIR_VECTOR(weir__graph_point) bends;
    double width, height;
} weir__graph_layout;

/* `sizes` has width and height of each item that is no group. */
void weir__graph_layout_init(weir__graph_layout *layout, const weir_graph_model *model,
                             weir_graph_display display, const weir__graph_box *sizes);
void weir__graph_layout_deinit(weir__graph_layout *layout);

/* --- layers (graph_layer.c) ----------------------------------------------------------------- */

typedef struct weir__graph_vertex {
    uint32_t item; /* WEIR_GRAPH_NONE: a bend */
    uint32_t rank;
    double size, at; /* across: its size, and where its middle is */
} weir__graph_vertex;

typedef struct weir__graph_segment {
    uint32_t from, to; /* vertices; `to` is one rank further */
} weir__graph_segment;

typedef struct weir__graph_layers {
    WEIR_VECTOR(weir__graph_vertex) vertices;
    WEIR_VECTOR(weir__graph_segment) segments;
    uint32_t ranks;
} weir__graph_layers;

/* Orders the vertices of each rank and says where they are. */
void weir__graph_layers_place(weir__graph_layers *layers);

#endif

/* A graph in Graphviz' language (graphviz.org/doc/info/lang.html; labels as in shapes.html#html). */
#include "data/graph.h"

enum { COLUMNS_MAX = 60, ABOUT_COLUMNS_MAX = 400 };

/* Between double quotes, where entities count too, and '\' begins an escape such as "\N". */
static void put_quoted(uint32_t c, weir_buffer *out) {
    if (c == '"' || c == '\\') {
        weir_buffer_byte(out, '\\');
        weir_buffer_byte(out, (char)c);
    } else {
        weir__graph_put_markup(c, out);
    }
}

static void markup(weir_str text, weir_buffer *out) {
    if (text.length)
        weir__graph_write(text, COLUMNS_MAX, weir__graph_put_markup, out);
    else
        weir_buffer_byte(out, ' '); /* an empty element is a mistake */
}

static void quoted(weir_str text, size_t max, weir_buffer *out) {
    weir_buffer_byte(out, '"');
    weir__graph_write(text, max, put_quoted, out);
    weir_buffer_byte(out, '"');
}

static void put_port_cell(const weir_graph_port *port, char side, size_t index, weir_buffer *out) {
    weir_buffer_printf(out, "<TD PORT=\"%c%zu\" BGCOLOR=\"%s\">%s", side, index,
                       port->condition ? "#f6dbf9"
                       : side == 'i'   ? "#dcecfb"
                                       : "#ddf3dd",
                       port->condition ? "? " : "");
    markup(port->name, out);
    weir_buffer_text(out, "</TD>");
}

/* A table of the ports of one side: a row, or for a graph that goes sideways a column. */
static void put_ports(const weir_graph_ports *ports, char side, bool sideways, weir_buffer *out) {
    if (!ports->count) return;
    weir_buffer_text(out, sideways ? "<TD>" : "<TR><TD>");
    weir_buffer_text(out,
                     "<TABLE BORDER=\"0\" CELLBORDER=\"1\" CELLSPACING=\"2\" CELLPADDING=\"3\">");
    for (size_t i = 0; i < ports->count; i++) {
        if (sideways || !i) weir_buffer_text(out, "<TR>");
        put_port_cell(&ports->items[i], side, i, out);
        if (sideways || i + 1 == ports->count) weir_buffer_text(out, "</TR>");
    }
    weir_buffer_text(out, sideways ? "</TABLE></TD>" : "</TABLE></TD></TR>");
}

static void put_label(const weir_graph_item *item, weir_graph_display display, weir_buffer *out) {
    bool sideways = display == WEIR_GRAPH_LR || display == WEIR_GRAPH_RL;
    bool backwards = display == WEIR_GRAPH_BT || display == WEIR_GRAPH_RL;
    const weir_graph_ports *first = backwards ? &item->outputs : &item->inputs;
    const weir_graph_ports *second = backwards ? &item->inputs : &item->outputs;
    weir_buffer_text(out,
                     "<<TABLE BORDER=\"1\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"4\""
                     " STYLE=\"ROUNDED\" BGCOLOR=\"");
    weir_buffer_text(out, item->kind == WEIR_GRAPH_SOURCE ? "#eeeeee\">"
                          : item->strong                  ? "#ffd3c4\" COLOR=\"#c0392b\">"
                                                          : "#fff4de\">");
    if (sideways) weir_buffer_text(out, "<TR>");
    put_ports(first, backwards ? 'o' : 'i', sideways, out);
    weir_buffer_text(out, sideways ? "<TD><B>" : "<TR><TD><B>");
    markup(item->name, out);
    weir_buffer_text(out, "</B>");
    if (item->about.length) {
        weir_buffer_text(out, "<BR/><FONT POINT-SIZE=\"10\">");
        markup(item->about, out);
        weir_buffer_text(out, "</FONT>");
    }
    weir_buffer_text(out, sideways ? "</TD>" : "</TD></TR>");
    put_ports(second, backwards ? 'i' : 'o', sideways, out);
    weir_buffer_text(out, sideways ? "</TR></TABLE>>" : "</TABLE>>");
}

static void put_tooltip(const weir_graph_item *item, weir_buffer *out) {
    weir_buffer_text(out, "tooltip=\"");
    weir__graph_write(item->name, ABOUT_COLUMNS_MAX, put_quoted, out);
    if (item->about.length) weir_buffer_text(out, ": ");
    weir__graph_write(item->about, ABOUT_COLUMNS_MAX, put_quoted, out);
    weir_buffer_byte(out, '"');
}

/* A node, or the beginning of a group; an invisible point stands in a group for edges to hold on to. */
static void put_item(const weir_graph_model *model, uint32_t at, weir_graph_display display,
                     weir_buffer *out) {
    const weir_graph_item *item = &model->items.items[at];
    if (weir_graph_is_group(item)) {
        weir_buffer_printf(out, "subgraph cluster_%u {\nlabel=", at);
        quoted(item->name, COLUMNS_MAX, out);
        weir_buffer_text(out, item->kind == WEIR_GRAPH_STAGE
                                  ? " style=\"rounded,filled\" fillcolor=\"#f3f8ec\" ; "
                                  : " style=\"rounded,dashed\" ; ");
        put_tooltip(item, out);
        weir_buffer_printf(out, "\nn%u [shape=point style=invis label=\"\"]\n", at);
    } else {
        weir_buffer_printf(out, "n%u [label=", at);
        put_label(item, display, out);
        weir_buffer_byte(out, ' ');
        put_tooltip(item, out);
        weir_buffer_text(out, "]\n");
    }
}

typedef struct writer {
    const weir_graph_model *model;
    weir_graph_display display;
    weir_buffer *out;
} writer;

static void visit(void *arg, uint32_t item, bool end) {
    const writer *w = arg;
    if (end)
        weir_buffer_text(w->out, "}\n");
    else
        put_item(w->model, item, w->display, w->out);
}

static void put_edge(const weir_graph_model *model, const weir_graph_edge *edge, weir_buffer *out) {
    weir_buffer_printf(out, "n%u", edge->from);
    if (edge->output != WEIR_GRAPH_NONE) weir_buffer_printf(out, ":o%u", edge->output);
    weir_buffer_printf(out, " -> n%u", edge->to);
    if (edge->input != WEIR_GRAPH_NONE) weir_buffer_printf(out, ":i%u", edge->input);
    weir_buffer_printf(out, " [style=%s", edge->condition ? "dashed" : "solid");
    if (edge->strong) weir_buffer_text(out, " color=\"#c0392b\" penwidth=2.5");
    if (weir_graph_is_group(&model->items.items[edge->from]))
        weir_buffer_printf(out, " ltail=cluster_%u", edge->from);
    if (weir_graph_is_group(&model->items.items[edge->to]))
        weir_buffer_printf(out, " lhead=cluster_%u", edge->to);
    if (edge->about.length) {
        weir_buffer_text(out, " label=");
        quoted(edge->about, COLUMNS_MAX, out);
    }
    weir_buffer_text(out, "]\n");
}

void weir_graph_dot(const weir_graph_model *model, weir_graph_display display, weir_buffer *out) {
    static const char *const directions[] = {"TB", "LR", "RL", "BT"};
    weir_buffer_text(out, "digraph ");
    quoted(model->title, COLUMNS_MAX, out);
    weir_buffer_printf(out,
                       " {\nrankdir=%s compound=true charset=\"UTF-8\" fontname=\"sans-serif\"\n"
                       "node [shape=plain fontname=\"sans-serif\" fontsize=12]\n"
                       "edge [fontname=\"sans-serif\" fontsize=10]\n",
                       directions[display]);
    weir__graph_walk(model, visit, &(writer){model, display, out});
    for (size_t i = 0; i < model->edges.count; i++) put_edge(model, &model->edges.items[i], out);
    weir_buffer_text(out, "}\n");
}

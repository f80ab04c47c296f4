/* A graph as an SVG picture (W3C SVG 1.1), laid out here: no other program, no script, no font of its own. */
#include <stdio.h>

#include "data/graph_layout.h"

enum {
    NAME_COLUMNS_MAX = 36,
    PORT_COLUMNS_MAX = 22,
    TITLE_COLUMNS_MAX = 2000,
    NAME_HEIGHT = 20,
    ABOUT_HEIGHT = 16,
    PORT_HEIGHT = 20,
    SPACE = 6 /* in a box, between what is in it */
};

/* Of a column of a monospaced font: of names (bold, 13 px), and of the rest (11 px). */
static const double NAME_COLUMN = 8.0, SMALL_COLUMN = 6.8;

static const char style[] =
    "svg{color-scheme:light dark;background:#ffffff}"
    "text{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#1f2328}"
    ".name{font-size:13px;font-weight:600}.about{fill:#59636e}"
    ".title{font-size:15px;font-weight:600}"
    ".operation>rect{fill:#fff8e6;stroke:#bf8700}.source>rect{fill:#f6f8fa;stroke:#818b98}"
    ".call>rect{fill:#f6f8fa;stroke:#818b98;stroke-dasharray:5 3}"
    ".group>rect{fill:#8c959f;fill-opacity:.08;stroke:#8c959f}"
    ".stage>rect{fill:#a4ca7a;fill-opacity:.12;stroke:#7ba05b}"
    ".in{fill:#ddf4ff;stroke:#54aeff}.out{fill:#dafbe1;stroke:#4ac26b}"
    ".if{fill:#fbefff;stroke:#a475f9}"
    ".edge{fill:none;stroke:#59636e;stroke-width:1.3}.edge.if{stroke:#8250df;stroke-dasharray:5 3}"
    ".head{fill:#59636e}.head.if{fill:#8250df;stroke:none}"
    ".paper{fill:#ffffff;fill-opacity:.85}"
    ".strong>rect{fill:#ffe3d9;stroke:#c0392b;stroke-width:2.5}"
    ".edge.strong{stroke:#c0392b;stroke-width:2.6}"
    "@media(prefers-color-scheme:dark){svg{background:#0d1117}text{fill:#e6edf3}"
    ".about{fill:#9198a1}.paper{fill:#0d1117}"
    ".operation>rect{fill:#272115;stroke:#9e6a03}"
    ".source>rect,.call>rect{fill:#151b23;stroke:#656c76}"
    ".in{fill:#0c2d4a;stroke:#1f6feb}.out{fill:#0f2f1b;stroke:#238636}"
    ".if{fill:#2a1f45;stroke:#8957e5}.edge{stroke:#9198a1}.edge.if{stroke:#ab7df8}"
    ".strong>rect{fill:#3d1d17;stroke:#ff7b6b}.edge.strong{stroke:#ff7b6b}"
    ".head{fill:#9198a1}.head.if{fill:#ab7df8}}";

typedef struct writer {
    const weir_graph_model *model;
    weir_graph_display display;
    weir__graph_layout layout;
    size_t *first_port; /* of each item */
    weir__graph_box *ports;
    weir_buffer *out;
} writer;

static bool is_sideways(weir_graph_display display) {
    return display == WEIR_GRAPH_LR || display == WEIR_GRAPH_RL;
}

static bool is_backwards(weir_graph_display display) {
    return display == WEIR_GRAPH_BT || display == WEIR_GRAPH_RL;
}

static double double_max(double a, double b) {
    return a > b ? a : b;
}

/* --- sizes ---------------------------------------------------------------------------------- */

static double port_width(const weir_graph_port *port) {
    size_t columns = weir__graph_width(port->name, PORT_COLUMNS_MAX) + (port->condition ? 2 : 0);
    return SMALL_COLUMN * (double)columns + 12;
}

static double widest_port(const weir_graph_ports *ports) {
    double width = 0;
    for (size_t i = 0; i < ports->count; i++)
        width = double_max(width, port_width(&ports->items[i]));
    return width;
}

static double ports_width(const weir_graph_ports *ports) {
    double width = 0;
    for (size_t i = 0; i < ports->count; i++)
        width += port_width(&ports->items[i]) + (i ? SPACE : 0);
    return width;
}

static double label_width(const weir_graph_item *item) {
    return double_max(NAME_COLUMN * (double)weir__graph_width(item->name, NAME_COLUMNS_MAX),
                      SMALL_COLUMN * (double)weir__graph_width(item->about, NAME_COLUMNS_MAX));
}

static double label_height(const weir_graph_item *item) {
    return NAME_HEIGHT + (item->about.length ? ABOUT_HEIGHT : 0);
}

static weir__graph_box size_of(const weir_graph_item *item, bool sideways) {
    double width = label_width(item), height = label_height(item);
    size_t in = item->inputs.count, out = item->outputs.count, most = in > out ? in : out;
    if (sideways) {
        if (in) width += widest_port(&item->inputs) + 2 * SPACE;
        if (out) width += widest_port(&item->outputs) + 2 * SPACE;
        if (most) height = double_max(height, (double)most * (PORT_HEIGHT + SPACE) - SPACE);
    } else {
        width = double_max(width, ports_width(&item->inputs));
        width = double_max(width, ports_width(&item->outputs));
        height += (in ? PORT_HEIGHT + SPACE : 0) + (out ? PORT_HEIGHT + SPACE : 0);
    }
    return (weir__graph_box){0, 0, width + 4 * SPACE, height + 2 * SPACE};
}

/* Says where the ports of one side are: in a row at the item's upper or lower side, or in a column at its left or right
 * side. Inputs stand before outputs. */
static void place_ports(writer *w, uint32_t at, bool incoming) {
    const weir_graph_item *item = &w->model->items.items[at];
    const weir_graph_ports *ports = incoming ? &item->inputs : &item->outputs;
    const weir__graph_box *box = &w->layout.boxes[at];
    weir__graph_box *port = w->ports + w->first_port[at] + (incoming ? 0 : item->inputs.count);
    bool first_side = incoming != is_backwards(w->display), sideways = is_sideways(w->display);
    double all = (double)ports->count * (PORT_HEIGHT + SPACE) - SPACE, width = widest_port(ports);
    double x = first_side ? box->x + SPACE : box->x + box->width - SPACE - width,
           y = box->y + (box->height - all) / 2;
    if (!sideways) {
        x = box->x + (box->width - ports_width(ports)) / 2;
        y = first_side ? box->y + SPACE : box->y + box->height - SPACE - PORT_HEIGHT;
    }
    for (size_t i = 0; i < ports->count; i++) {
        port[i] =
            (weir__graph_box){x, y, sideways ? width : port_width(&ports->items[i]), PORT_HEIGHT};
        if (sideways)
            y += PORT_HEIGHT + SPACE;
        else
            x += port[i].width + SPACE;
    }
}

static const weir__graph_box *port_box(const writer *w, uint32_t at, bool incoming,
                                       uint32_t index) {
    size_t before = incoming ? 0 : w->model->items.items[at].inputs.count;
    return &w->ports[w->first_port[at] + before + index];
}

static void place_all_ports(writer *w) {
    size_t items = w->model->items.count, count = 0;
    w->first_port = weir_alloc((items + 1) * sizeof *w->first_port);
    for (size_t i = 0; i < items; i++) {
        w->first_port[i] = count;
        count += w->model->items.items[i].inputs.count + w->model->items.items[i].outputs.count;
    }
    w->ports = weir_alloc((count + 1) * sizeof *w->ports);
    for (uint32_t i = 0; i < items; i++) {
        place_ports(w, i, true);
        place_ports(w, i, false);
    }
}

/* --- drawing -------------------------------------------------------------------------------- */

static void put_rect(writer *w, const char *class, const weir__graph_box *box, int radius) {
    weir_buffer_text(w->out, "<rect");
    if (class) weir_buffer_printf(w->out, " class=\"%s\"", class);
    weir_buffer_printf(w->out, " x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"%d\"/>",
                       box->x, box->y, box->width, box->height, radius);
}

static void put_text(writer *w, const char *class, const char *anchor, double x, double y,
                     weir_str text, size_t max) {
    if (!text.length) return;
    weir_buffer_text(w->out, "<text");
    if (class) weir_buffer_printf(w->out, " class=\"%s\"", class);
    weir_buffer_printf(w->out, " x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    weir__graph_write(text, max, weir__graph_put_markup, w->out);
    weir_buffer_text(w->out, "</text>");
}

/* What is shown when the pointer rests on it: all of the name. */
static void put_title(writer *w, weir_str name, weir_str about) {
    weir_buffer_text(w->out, "<title>");
    weir__graph_write(name, TITLE_COLUMNS_MAX, weir__graph_put_markup, w->out);
    if (about.length) weir_buffer_text(w->out, ": ");
    weir__graph_write(about, TITLE_COLUMNS_MAX, weir__graph_put_markup, w->out);
    weir_buffer_text(w->out, "</title>");
}

static void put_ports(writer *w, uint32_t at, bool incoming) {
    const weir_graph_item *item = &w->model->items.items[at];
    const weir_graph_ports *ports = incoming ? &item->inputs : &item->outputs;
    for (uint32_t i = 0; i < ports->count; i++) {
        const weir_graph_port *port = &ports->items[i];
        const weir__graph_box *box = port_box(w, at, incoming, i);
        weir_buffer_text(w->out, "<g>");
        put_title(w, port->name, port->about);
        put_rect(w, port->condition ? "if" : incoming ? "in" : "out", box, 4);
        weir_buffer_printf(w->out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s",
                           box->x + box->width / 2, box->y + 14, port->condition ? "? " : "");
        weir__graph_write(port->name, PORT_COLUMNS_MAX, weir__graph_put_markup, w->out);
        weir_buffer_text(w->out, "</text></g>");
    }
}

static void put_item(writer *w, uint32_t at) {
    const weir_graph_item *item = &w->model->items.items[at];
    const weir__graph_box *box = &w->layout.boxes[at];
    bool sideways = is_sideways(w->display), backwards = is_backwards(w->display);
    const weir_graph_ports *before = backwards ? &item->outputs : &item->inputs,
                           *behind = backwards ? &item->inputs : &item->outputs;
    double left = box->x, right = box->x + box->width, top = box->y, bottom = box->y + box->height;
    if (sideways && before->count) left += widest_port(before) + 2 * SPACE;
    if (sideways && behind->count) right -= widest_port(behind) + 2 * SPACE;
    if (!sideways && before->count) top += PORT_HEIGHT + SPACE;
    if (!sideways && behind->count) bottom -= PORT_HEIGHT + SPACE;
    double y = (top + bottom - label_height(item)) / 2 + 14;
    weir_buffer_printf(w->out, "<g class=\"%s%s\">",
                       item->kind == WEIR_GRAPH_SOURCE ? "source"
                       : item->kind == WEIR_GRAPH_CALL ? "call"
                                                       : "operation",
                       item->strong ? " strong" : "");
    put_title(w, item->name, item->about);
    put_rect(w, NULL, box, item->kind == WEIR_GRAPH_SOURCE ? 14 : 6);
    put_text(w, "name", "middle", (left + right) / 2, y, item->name, NAME_COLUMNS_MAX);
    put_text(w, "about", "middle", (left + right) / 2, y + ABOUT_HEIGHT, item->about,
             NAME_COLUMNS_MAX);
    put_ports(w, at, true);
    put_ports(w, at, false);
    weir_buffer_text(w->out, "</g>\n");
}

static void put_group(writer *w, uint32_t at) {
    const weir_graph_item *item = &w->model->items.items[at];
    const weir__graph_box *box = &w->layout.boxes[at];
    if (box->width <= 0) return; /* a stage with nothing in it */
    size_t columns = (size_t)(box->width / NAME_COLUMN);
    weir_buffer_printf(w->out, "<g class=\"%s\">",
                       item->kind == WEIR_GRAPH_STAGE ? "stage" : "group");
    put_title(w, item->name, item->about);
    put_rect(w, NULL, box, 10);
    size_t used = weir__graph_width(item->name, columns);
    put_text(w, "name", "start", box->x + 12, box->y + 20, item->name, columns ? columns : 1);
    double rest = (box->width - 36) / SMALL_COLUMN - (double)used * NAME_COLUMN / SMALL_COLUMN;
    if (rest > 3)
        put_text(w, "about", "start", box->x + 24 + (double)used * NAME_COLUMN, box->y + 20,
                 item->about, (size_t)rest);
    weir_buffer_text(w->out, "</g>\n");
}

/* Where an edge leaves or reaches an item: at its side, in the middle or by its port. One that goes back does so at the
 * other side. */
static weir__graph_point end_of(const writer *w, uint32_t item, uint32_t port, bool incoming,
                                bool back) {
    const weir__graph_box *box = &w->layout.boxes[item];
    const weir__graph_box *by = port == WEIR_GRAPH_NONE ? box : port_box(w, item, incoming, port);
    bool first_side = (incoming != back) != is_backwards(w->display);
    if (is_sideways(w->display))
        return (weir__graph_point){first_side ? box->x : box->x + box->width,
                                   by->y + by->height / 2};
    return (weir__graph_point){by->x + by->width / 2, first_side ? box->y : box->y + box->height};
}

/* Whether the edge goes against the flow. */
static bool goes_back(const writer *w, const weir_graph_edge *edge) {
    const weir__graph_box *from = &w->layout.lanes[edge->from], *to = &w->layout.lanes[edge->to];
    bool before = is_sideways(w->display) ? to->x < from->x : to->y < from->y;
    return edge->from != edge->to && before != is_backwards(w->display);
}

static void put_curve(writer *w, weir__graph_point from, weir__graph_point to) {
    weir__graph_point a = from, b = to;
    if (is_sideways(w->display))
        a.x = b.x = (from.x + to.x) / 2;
    else
        a.y = b.y = (from.y + to.y) / 2;
    weir_buffer_printf(w->out, "C%.1f %.1f %.1f %.1f %.1f %.1f", a.x, a.y, b.x, b.y, to.x, to.y);
}

/* Back to itself, around its side. */
static void put_loop(writer *w, uint32_t item, weir__graph_point from, weir__graph_point to) {
    const weir__graph_box *box = &w->layout.boxes[item];
    double far = 40, out = is_backwards(w->display) ? -far : far;
    if (is_sideways(w->display))
        weir_buffer_printf(w->out, "C%.1f %.1f %.1f %.1f %.1f %.1f", from.x + out,
                           box->y + box->height + far, to.x - out, box->y + box->height + far, to.x,
                           to.y);
    else
        weir_buffer_printf(w->out, "C%.1f %.1f %.1f %.1f %.1f %.1f", box->x + box->width + far,
                           from.y + out, box->x + box->width + far, to.y - out, to.x, to.y);
}

static void put_edge_title(writer *w, const weir_graph_edge *edge) {
    const weir_graph_item *from = &w->model->items.items[edge->from],
                          *to = &w->model->items.items[edge->to];
    weir_buffer_text(w->out, "<title>");
    weir__graph_write(from->name, TITLE_COLUMNS_MAX, weir__graph_put_markup, w->out);
    if (edge->output != WEIR_GRAPH_NONE) {
        weir_buffer_byte(w->out, '.');
        weir__graph_write(from->outputs.items[edge->output].name, TITLE_COLUMNS_MAX,
                          weir__graph_put_markup, w->out);
    }
    weir_buffer_text(w->out, " → ");
    weir__graph_write(to->name, TITLE_COLUMNS_MAX, weir__graph_put_markup, w->out);
    if (edge->input != WEIR_GRAPH_NONE) {
        weir_buffer_byte(w->out, '.');
        weir__graph_write(to->inputs.items[edge->input].name, TITLE_COLUMNS_MAX,
                          weir__graph_put_markup, w->out);
    }
    weir_buffer_text(w->out, "</title>");
}

/* Where the edge leaves the item's lane, straight from its end. */
static weir__graph_point lane_end(const writer *w, uint32_t item, weir__graph_point end,
                                  bool first) {
    const weir__graph_box *lane = &w->layout.lanes[item];
    bool first_side = first != is_backwards(w->display);
    if (is_sideways(w->display))
        end.x = first_side ? lane->x : lane->x + lane->width;
    else
        end.y = first_side ? lane->y : lane->y + lane->height;
    return end;
}

/* A line of no length would turn the arrow's head. */
static void put_line(writer *w, weir__graph_point from, weir__graph_point to) {
    if (from.x < to.x || from.x > to.x || from.y < to.y || from.y > to.y)
        weir_buffer_printf(w->out, "L%.1f %.1f", to.x, to.y);
}

static void put_path(writer *w, uint32_t at, weir__graph_point from, weir__graph_point to) {
    const weir_graph_edge *edge = &w->model->edges.items[at];
    bool back = goes_back(w, edge);
    weir__graph_point last = lane_end(w, edge->from, from, back),
                      first = lane_end(w, edge->to, to, !back);
    put_line(w, from, last);
    for (uint32_t k = w->layout.first_bend[at]; k < w->layout.first_bend[at + 1]; k++) {
        put_curve(w, last, w->layout.bends.items[k]);
        last = w->layout.bends.items[k];
    }
    put_curve(w, last, first);
    put_line(w, first, to);
    weir_buffer_text(w->out, "\"/>");
    if (!edge->about.length) return;
    double width = SMALL_COLUMN * (double)weir__graph_width(edge->about, NAME_COLUMNS_MAX) + 6;
    weir__graph_box paper = {(last.x + first.x - width) / 2, (last.y + first.y) / 2 - 8, width, 16};
    put_rect(w, "paper", &paper, 3);
    put_text(w, "about", "middle", paper.x + width / 2, paper.y + 12, edge->about,
             NAME_COLUMNS_MAX);
}

static void put_edge(writer *w, uint32_t at) {
    const weir_graph_edge *edge = &w->model->edges.items[at];
    bool back = goes_back(w, edge);
    weir__graph_point from = end_of(w, edge->from, edge->output, false, back),
                      to = end_of(w, edge->to, edge->input, true, back);
    weir_buffer_text(w->out, "<g>");
    put_edge_title(w, edge);
    weir_buffer_printf(w->out, "<path class=\"edge%s%s\" marker-end=\"url(#%s)\" d=\"M%.1f %.1f",
                       edge->condition ? " if" : "", edge->strong ? " strong" : "",
                       edge->condition ? "if" : "to", from.x, from.y);
    if (edge->from != edge->to) {
        put_path(w, at, from, to);
    } else {
        put_loop(w, edge->from, from, to);
        weir_buffer_text(w->out, "\"/>");
    }
    weir_buffer_text(w->out, "</g>\n");
}

static void put_head(writer *w) {
    static const char markers[] =
        "<defs><marker id=\"to\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" "
        "markerHeight=\"7\" orient=\"auto\"><path class=\"head\" d=\"M0 0L8 4L0 8z\"/></marker>"
        "<marker id=\"if\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" "
        "markerHeight=\"7\" orient=\"auto\"><path class=\"head if\" d=\"M0 0L8 4L0 8z\"/></marker>"
        "</defs>\n";
    double least = NAME_COLUMN * 1.3 * (double)weir__graph_width(w->model->title, 80) + 40;
    double width = double_max(w->layout.width, least);
    weir_buffer_printf(w->out,
                       "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                       "viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n<title>",
                       width, w->layout.height + 10, width, w->layout.height + 10);
    weir__graph_write(w->model->title, TITLE_COLUMNS_MAX, weir__graph_put_markup, w->out);
    weir_buffer_printf(w->out, "</title>\n<style>%s</style>\n%s", style, markers);
    put_text(w, "title", "start", 14, 24, w->model->title, 80);
    weir_buffer_byte(w->out, '\n');
}

bool weir_graph_svg(const weir_graph_model *model, weir_graph_display display, weir_buffer *out,
                    weir_error *error) {
    size_t ports = 0;
    for (size_t i = 0; i < model->items.count; i++)
        ports += model->items.items[i].inputs.count + model->items.items[i].outputs.count;
    if (model->items.count > WEIR_GRAPH_SVG_ITEMS_MAX ||
        model->edges.count > WEIR_GRAPH_SVG_EDGES_MAX || ports > WEIR_GRAPH_SVG_EDGES_MAX) {
        weir_fail(error, WEIR_LIMIT,
                  "%zu items with %zu inputs and outputs and %zu edges are too many for a picture: "
                  "at most %d, %d and %d",
                  model->items.count, ports, model->edges.count, WEIR_GRAPH_SVG_ITEMS_MAX,
                  WEIR_GRAPH_SVG_EDGES_MAX, WEIR_GRAPH_SVG_EDGES_MAX);
        weir_error_hint(error, "--simple and --stages leave some out; dot and mermaid take more");
        return false;
    }
    weir__graph_box *sizes = weir_alloc((model->items.count + 1) * sizeof *sizes);
    for (size_t i = 0; i < model->items.count; i++)
        if (!weir_graph_is_group(&model->items.items[i]))
            sizes[i] = size_of(&model->items.items[i], is_sideways(display));
    writer w = {.model = model, .display = display, .out = out};
    weir__graph_layout_init(&w.layout, model, display, sizes);
    weir_free(sizes);
    place_all_ports(&w);
    put_head(&w);
    for (uint32_t i = 0; i < model->items.count; i++) /* what is in a group is drawn upon it */
        if (weir_graph_is_group(&model->items.items[i])) put_group(&w, i);
    for (uint32_t e = 0; e < model->edges.count; e++) put_edge(&w, e);
    for (uint32_t i = 0; i < model->items.count; i++)
        if (!weir_graph_is_group(&model->items.items[i])) put_item(&w, i);
    weir_buffer_text(out, "</svg>\n");
    weir__graph_layout_deinit(&w.layout);
    weir_free(w.first_port);
    weir_free(w.ports);
    return true;
}

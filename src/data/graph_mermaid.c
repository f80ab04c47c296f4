/* A graph as a Mermaid flowchart (mermaid.js.org/syntax/flowchart.html): a subgraph a stage, and in it one an operation,
 * whose inputs and outputs are nodes of their own. */
#include "data/graph.h"

enum { COLUMNS_MAX = 60 };

static bool is_plain(uint32_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' ||
           c == '-' || c == '.' || c == '/' || c == '_' || c == ',' || c > 0x7f;
}

/* All else could be a quote, an entity, a directive, a style, or Markdown, which labels are read as. */
static void put_escaped(uint32_t c, weir_buffer *out) {
    if (is_plain(c))
        weir__graph_put(c, out);
    else
        weir_buffer_printf(out, "#%u;", c);
}

/* "1. x", "- x" and "__x__" are lists and emphasis: only between letters do their marks stay. */
static void put_name(weir_str text, weir_buffer *out) {
    size_t from = out->length;
    weir__graph_write(text, COLUMNS_MAX, put_escaped, out);
    if (out->length == from) weir_buffer_byte(out, ' ');
    weir_buffer safe = {0};
    for (size_t i = from; i < out->length; i++) {
        char c = out->data[i];
        bool mark = c == '.' || c == '-' || c == '_';
        bool between = i > from && i + 1 < out->length && !strchr(" .-_", out->data[i - 1]) &&
                       !strchr(" .-_", out->data[i + 1]);
        if (mark && !between)
            weir_buffer_printf(&safe, "#%d;", c);
        else
            weir_buffer_byte(&safe, c);
    }
    out->length = from;
    weir_buffer_str_append(out, weir_buffer_str(&safe));
    weir_buffer_deinit(&safe);
}

typedef struct writer {
    const weir_graph_model *model;
    weir_buffer *out;
} writer;

static void put_label(const weir_graph_item *item, weir_buffer *out) {
    put_name(item->name, out);
    if (!item->about.length) return;
    weir_buffer_text(out, "<br/>");
    put_name(item->about, out);
}

static void put_port(uint32_t item, char side, size_t index, const weir_graph_port *port,
                     weir_buffer *out) {
    weir_buffer_printf(out, "%c%u_%zu%s\"", side, item, index, port->condition ? "{" : "([");
    put_name(port->name, out);
    weir_buffer_printf(out, "\"%s:::%s\n", port->condition ? "}" : "])",
                       port->condition ? "condition"
                       : side == 'i'   ? "input"
                                       : "output");
    if (side == 'i')
        weir_buffer_printf(out, "i%u_%zu --> n%u\n", item, index, item);
    else
        weir_buffer_printf(out, "n%u --> o%u_%zu\n", item, item, index);
}

static void put_operation(const weir_graph_item *item, uint32_t at, weir_buffer *out) {
    bool ports = item->inputs.count || item->outputs.count;
    if (ports) {
        weir_buffer_printf(out, "subgraph g%u[\"", at);
        put_name(item->name, out);
        weir_buffer_text(out, "\"]\n");
    }
    bool source = item->kind == WEIR_GRAPH_SOURCE;
    weir_buffer_printf(out, "n%u%s\"", at, source ? "([" : "[");
    put_label(item, out);
    weir_buffer_printf(out, "\"%s:::%s\n", source ? "])" : "]",
                       source         ? "source"
                       : item->strong ? "critical"
                                      : "operation");
    for (size_t i = 0; i < item->inputs.count; i++)
        put_port(at, 'i', i, &item->inputs.items[i], out);
    for (size_t i = 0; i < item->outputs.count; i++)
        put_port(at, 'o', i, &item->outputs.items[i], out);
    if (ports) weir_buffer_printf(out, "end\nclass g%u box\n", at);
}

static void visit(void *arg, uint32_t at, bool end) {
    const writer *w = arg;
    const weir_graph_item *item = &w->model->items.items[at];
    if (end) {
        weir_buffer_printf(w->out, "end\nclass n%u %s\n", at,
                           item->kind == WEIR_GRAPH_STAGE ? "stage" : "group");
    } else if (weir_graph_is_group(item)) {
        weir_buffer_printf(w->out, "subgraph n%u[\"", at);
        put_label(item, w->out);
        weir_buffer_text(w->out, "\"]\n");
    } else if (item->kind != WEIR_GRAPH_SOURCE) {
        put_operation(item, at, w->out);
    }
}

static void put_sources(const weir_graph_model *model, weir_buffer *out) {
    bool any = false;
    for (uint32_t i = 0; i < model->items.count; i++) {
        if (model->items.items[i].kind != WEIR_GRAPH_SOURCE) continue;
        if (!any) weir_buffer_text(out, "subgraph inputs[\"Inputs\"]\n");
        any = true;
        put_operation(&model->items.items[i], i, out);
    }
    if (any) weir_buffer_text(out, "end\nclass inputs sources\n");
}

static void put_edge(const weir_graph_edge *edge, weir_buffer *out) {
    if (edge->output == WEIR_GRAPH_NONE)
        weir_buffer_printf(out, "n%u", edge->from);
    else
        weir_buffer_printf(out, "o%u_%u", edge->from, edge->output);
    weir_buffer_text(out, edge->condition ? " -.->" : edge->strong ? " ==>" : " -->");
    if (edge->about.length) {
        weir_buffer_text(out, "|\"");
        put_name(edge->about, out);
        weir_buffer_text(out, "\"|");
    }
    if (edge->input == WEIR_GRAPH_NONE)
        weir_buffer_printf(out, " n%u\n", edge->to);
    else
        weir_buffer_printf(out, " i%u_%u\n", edge->to, edge->input);
}

void weir_graph_mermaid(const weir_graph_model *model, weir_graph_display display,
                        weir_buffer *out) {
    static const char *const directions[] = {"TD", "LR", "RL", "BT"};
    static const char classes[] = "classDef operation fill:#fff4de,stroke:#c9a227,color:#1f2328\n"
                                  "classDef critical fill:#ffd3c4,stroke:#c0392b,"
                                  "stroke-width:3px,color:#1f2328\n"
                                  "classDef input fill:#dcecfb,stroke:#5b8fc7,color:#1f2328\n"
                                  "classDef output fill:#ddf3dd,stroke:#5a9e5a,color:#1f2328\n"
                                  "classDef condition fill:#f6dbf9,stroke:#a178ca,color:#1f2328\n"
                                  "classDef source fill:#eeeeee,stroke:#888888,color:#1f2328\n"
                                  "classDef box fill:#fffaf0,stroke:#cece71,color:#1f2328\n"
                                  "classDef stage fill:#f3f8ec,stroke:#a4ca7a,color:#1f2328\n"
                                  "classDef group fill:#f6f8fa,stroke:#8c959f,color:#1f2328\n"
                                  "classDef sources fill:#fafafa,stroke:#888888,color:#1f2328\n";
    weir_buffer_printf(out, "flowchart %s\n%s", directions[display], classes);
    put_sources(model, out);
    weir__graph_walk(model, visit, &(writer){model, out});
    for (size_t i = 0; i < model->edges.count; i++) put_edge(&model->edges.items[i], out);
}

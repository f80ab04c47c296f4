#include "data/graph.h"

#include <stdlib.h>

void weir_graph_deinit(weir_graph_model *model) {
    for (size_t i = 0; i < model->items.count; i++) {
        weir_vector_deinit(&model->items.items[i].inputs);
        weir_vector_deinit(&model->items.items[i].outputs);
    }
    weir_vector_deinit(&model->items);
    weir_vector_deinit(&model->edges);
    weir_arena_deinit(&model->arena);
}

weir_str weir_graph_keep(weir_graph_model *model, weir_str text) {
    return (weir_str){weir_str_copy(&model->arena, text), text.length};
}

uint32_t weir_graph_add(weir_graph_model *model, weir_graph_kind kind, uint32_t parent,
                        weir_str name, weir_str about) {
    if (model->items.count >= WEIR_GRAPH_ITEMS_MAX) {
        model->too_large = true;
        return WEIR_GRAPH_NONE;
    }
    *weir_vector_push(&model->items) = (weir_graph_item){.kind = kind,
                                                         .parent = parent,
                                                         .name = weir_graph_keep(model, name),
                                                         .about = weir_graph_keep(model, about)};
    return (uint32_t)model->items.count - 1;
}

void weir_graph_add_port(weir_graph_model *model, weir_graph_ports *ports, weir_str name,
                         weir_str about, bool condition) {
    *weir_vector_push(ports) =
        (weir_graph_port){weir_graph_keep(model, name), weir_graph_keep(model, about), condition};
}

void weir_graph_join(weir_graph_model *model, weir_graph_edge edge) {
    if (edge.from == WEIR_GRAPH_NONE || edge.to == WEIR_GRAPH_NONE) return;
    if (model->edges.count < WEIR_GRAPH_EDGES_MAX)
        *weir_vector_push(&model->edges) = edge;
    else
        model->too_large = true;
}

static int by_ends(const void *a, const void *b) {
    const weir_graph_edge *x = a, *y = b;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    if (x->to != y->to) return x->to < y->to ? -1 : 1;
    return x->condition - y->condition;
}

void weir_graph_simplify(weir_graph_model *model) {
    uint32_t *number = weir_alloc((model->items.count + 1) * sizeof *number);
    size_t count = 0;
    for (size_t i = 0; i < model->items.count; i++) {
        weir_graph_item *item = &model->items.items[i];
        weir_vector_deinit(&item->inputs);
        weir_vector_deinit(&item->outputs);
        number[i] = WEIR_GRAPH_NONE;
        if (item->kind == WEIR_GRAPH_SOURCE) continue;
        if (item->parent != WEIR_GRAPH_NONE) item->parent = number[item->parent];
        model->items.items[count] = *item;
        number[i] = (uint32_t)count++;
    }
    model->items.count = count;
    if (model->edges.count)
        qsort(model->edges.items, model->edges.count, sizeof *model->edges.items, by_ends);
    size_t kept = 0;
    for (size_t i = 0; i < model->edges.count; i++) {
        weir_graph_edge edge = model->edges.items[i];
        edge.from = number[edge.from];
        edge.to = number[edge.to];
        edge.output = edge.input = WEIR_GRAPH_NONE;
        const weir_graph_edge *last = kept ? &model->edges.items[kept - 1] : NULL;
        if (edge.from == WEIR_GRAPH_NONE || edge.to == WEIR_GRAPH_NONE ||
            (last && last->from == edge.from && last->to == edge.to))
            continue;
        model->edges.items[kept++] = edge;
    }
    model->edges.count = kept;
    weir_free(number);
}

/* --- characters ----------------------------------------------------------------------------- */

enum { REPLACEMENT = 0xfffd };

/* Marks that turn the direction of writing could make one name look like another. */
static bool turns_direction(uint32_t c) {
    return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e ||
           c == 0x200f || c == 0x061c;
}

uint32_t weir__graph_character(weir_str text, size_t *at) {
    if (*at >= text.length) return 0;
    const unsigned char *s = (const unsigned char *)text.data + *at;
    size_t length = weir_utf8_length(weir_str_slice(text, *at, text.length));
    *at += length ? length : 1;
    if (!length) return REPLACEMENT;
    uint32_t c = length == 1 ? s[0] : s[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) c = c << 6 | (s[i] & 0x3fu);
    if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029) return ' ';
    return turns_direction(c) || c == 0xfffe || c == 0xffff ? REPLACEMENT : c;
}

void weir__graph_put(uint32_t c, weir_buffer *out) {
    char bytes[4];
    size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = length; i-- > 1; c >>= 6) bytes[i] = (char)(0x80 | (c & 0x3f));
    bytes[0] = (char)(length == 1 ? c : c | (0xf00u >> length & 0xf0u));
    weir_buffer_append(out, bytes, length);
}

void weir__graph_put_markup(uint32_t c, weir_buffer *out) {
    switch (c) {
    case '&': weir_buffer_text(out, "&amp;"); return;
    case '<': weir_buffer_text(out, "&lt;"); return;
    case '>': weir_buffer_text(out, "&gt;"); return;
    case '"': weir_buffer_text(out, "&quot;"); return;
    default: weir__graph_put(c, out);
    }
}

size_t weir__graph_columns(uint32_t c) {
    if ((c >= 0x300 && c < 0x370) || (c >= 0x200b && c < 0x200e) || (c >= 0xfe00 && c < 0xfe10))
        return 0;
    return (c >= 0x1100 && c < 0x1160) || (c >= 0x2e80 && c < 0xd7a4) ||
                   (c >= 0xf900 && c < 0xfb00) || (c >= 0xfe30 && c < 0xfe70) ||
                   (c >= 0xff00 && c < 0xff61) || (c >= 0x1f300 && c < 0x1fb00) ||
                   (c >= 0x20000 && c < 0x40000)
               ? 2
               : 1;
}

/* Where the text is to be cut, so that it and an ellipsis fit; its length when it fits as it is. */
static size_t cut(weir_str text, size_t max, size_t *width) {
    size_t columns = 0, fits = 0, fits_columns = 0;
    for (size_t at = 0; at < text.length;) {
        size_t next = at, more = weir__graph_columns(weir__graph_character(text, &next));
        if (columns + more > max) {
            *width = fits_columns + 1;
            return fits;
        }
        columns += more;
        at = next;
        if (columns + 1 <= max) {
            fits = at;
            fits_columns = columns;
        }
    }
    *width = columns;
    return text.length;
}

size_t weir__graph_width(weir_str text, size_t max) {
    size_t width;
    cut(text, max, &width);
    return width;
}

void weir__graph_write(weir_str text, size_t max, void (*put)(uint32_t character, weir_buffer *out),
                       weir_buffer *out) {
    size_t width, end = cut(text, max, &width);
    for (size_t at = 0; at < end;) put(weir__graph_character(text, &at), out);
    if (end < text.length) put(0x2026, out);
}

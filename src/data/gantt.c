#include "data/gantt.h"

#include "base/time.h"
#include "data/graph.h"

void weir_gantt_deinit(weir_gantt *g) {
    weir_vector_deinit(&g->rows);
}

static uint64_t end_of(const weir_gantt *g) {
    uint64_t end_us = 1;
    for (size_t i = 0; i < g->rows.count; i++)
        if (g->rows.items[i].end_us > end_us) end_us = g->rows.items[i].end_us;
    return end_us;
}

static size_t widest_name(const weir_gantt *g, size_t rows, size_t max) {
    size_t widest = 0;
    for (size_t i = 0; i < g->rows.count && i < rows; i++) {
        size_t width = weir__graph_width(g->rows.items[i].name, max);
        if (width > widest) widest = width;
    }
    return widest;
}

/* What takes no time is not known. */
static const char *took(const weir_gantt_row *row, char text[static 24]) {
    return row->end_us > row->begin_us ? weir_duration_format(row->end_us - row->begin_us, text)
                                       : "?";
}

/* --- terminal ----------------------------------------------------------------------------------- */

typedef struct bar_form {
    const char *strong, *usual, *idle;
} bar_form;

static void put_name(weir_str name, size_t width, weir_buffer *out) {
    weir__graph_write(name, width, weir__graph_put, out);
    weir_buffer_printf(out, "%*s", (int)(width - weir__graph_width(name, width)) + 1, "");
}

static void put_bar(const weir_gantt_row *row, uint64_t end_us, size_t width, const bar_form *form,
                    bool color, weir_buffer *out) {
    size_t from = (size_t)((double)row->begin_us / (double)end_us * (double)width),
           to = (size_t)((double)row->end_us / (double)end_us * (double)width + 0.5);
    if (from >= width) from = width - 1;
    if (to <= from) to = from + 1;
    if (to > width) to = width;
    if (color && row->strong) weir_buffer_text(out, "\033[31m");
    for (size_t i = 0; i < width; i++)
        weir_buffer_text(out, i < from || i >= to ? form->idle
                              : row->strong       ? form->strong
                                                  : form->usual);
    if (color && row->strong) weir_buffer_text(out, "\033[0m");
}

void weir_gantt_text(const weir_gantt *g, uint32_t columns, bool color, bool ascii,
                     weir_buffer *out) {
    static const bar_form forms[] = {{"█", "▒", " "}, {"#", "=", " "}};
    enum { ABOUT = 12, COLUMNS_MIN = 40 };
    char text[24];
    uint64_t end_us = end_of(g);
    size_t all = columns > COLUMNS_MIN ? columns : COLUMNS_MIN,
           name = widest_name(g, WEIR_GANTT_LINES_MAX, all / 3), width = all - name - ABOUT - 2;
    for (size_t i = 0; i < g->rows.count && i < WEIR_GANTT_LINES_MAX; i++) {
        const weir_gantt_row *row = &g->rows.items[i];
        put_name(row->name, name, out);
        put_bar(row, end_us, width, &forms[ascii], color, out);
        weir_buffer_printf(out, " %s\n", took(row, text));
    }
    if (g->rows.count > WEIR_GANTT_LINES_MAX)
        weir_buffer_printf(out, "and %zu more\n", g->rows.count - WEIR_GANTT_LINES_MAX);
    weir_duration_format(end_us, text);
    weir_buffer_printf(out, "%*s0%*s\n", (int)name + 1, "", (int)width - 1, text);
}

/* --- picture ------------------------------------------------------------------------------------ */

enum { ROW = 24, TOP = 60, LETTER = 8, BARS = 640, AFTER = 110, NAME_COLUMNS_MAX = 40 };
static const char style[] =
    "svg{color-scheme:light dark;background:#ffffff}"
    "text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#1f2328}"
    ".title{font-size:15px;font-weight:600}.time{fill:#59636e;font-size:11px}"
    ".grid{stroke:#8c959f;stroke-opacity:.3}"
    ".bar{fill:#8cb4e0;stroke:#3b73b5}.strong{fill:#f0998a;stroke:#c0392b;stroke-width:2}"
    "@media(prefers-color-scheme:dark){svg{background:#0d1117}text{fill:#e6edf3}"
    ".time{fill:#9198a1}.bar{fill:#1f4b7a;stroke:#58a6ff}"
    ".strong{fill:#7a2a20;stroke:#ff7b6b}}";

static void put_markup(weir_str text, size_t max, weir_buffer *out) {
    weir__graph_write(text, max, weir__graph_put_markup, out);
}

static void put_marks(uint64_t end_us, double left, double bottom, weir_buffer *out) {
    enum { MARKS = 4 };
    char text[24];
    for (int i = 0; i <= MARKS; i++) {
        double x = left + BARS * i / (double)MARKS;
        weir_duration_format(end_us / MARKS * (uint64_t)i, text);
        weir_buffer_printf(out,
                           "<path class=\"grid\" d=\"M%.1f %d V%.1f\"/><text class=\"time\" "
                           "x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
                           x, TOP - 8, bottom, x, TOP - 14, i ? text : "0");
    }
}

static void put_row(const weir_gantt_row *row, uint64_t end_us, double left, double y,
                    weir_buffer *out) {
    char text[24];
    double x = left + BARS * ((double)row->begin_us / (double)end_us),
           width = BARS * ((double)(row->end_us - row->begin_us) / (double)end_us);
    weir_buffer_text(out, "<g><title>");
    put_markup(row->name, SIZE_MAX, out);
    weir_buffer_text(out, row->about.length ? ": " : "");
    put_markup(row->about, SIZE_MAX, out);
    weir_buffer_printf(out, "</title><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", left - 8,
                       y + 15);
    put_markup(row->name, NAME_COLUMNS_MAX, out);
    weir_buffer_printf(out,
                       "</text><rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                       "height=\"%d\" rx=\"3\"/><text class=\"time\" x=\"%.1f\" y=\"%.1f\">%s"
                       "</text></g>\n",
                       row->strong ? "bar strong" : "bar", x, y + 3, width > 2 ? width : 2, ROW - 6,
                       x + width + 6, y + 15, took(row, text));
}

void weir_gantt_svg(const weir_gantt *g, weir_buffer *out) {
    size_t rows = g->rows.count < WEIR_GANTT_ROWS_MAX ? g->rows.count : WEIR_GANTT_ROWS_MAX;
    double left = 24 + LETTER * (double)widest_name(g, rows, NAME_COLUMNS_MAX),
           bottom = TOP + ROW * (double)rows, width = left + BARS + AFTER, height = bottom + 30;
    uint64_t end_us = end_of(g);
    weir_buffer_printf(out,
                       "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                       "viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n<title>",
                       width, height, width, height);
    put_markup(g->title, 200, out);
    weir_buffer_printf(out, "</title>\n<style>%s</style>\n<text class=\"title\" x=\"14\" y=\"24\">",
                       style);
    put_markup(g->title, 80, out);
    weir_buffer_text(out, "</text>\n");
    put_marks(end_us, left, bottom, out);
    for (size_t i = 0; i < rows; i++)
        put_row(&g->rows.items[i], end_us, left, TOP + ROW * (double)i, out);
    if (g->rows.count > rows)
        weir_buffer_printf(out, "<text class=\"time\" x=\"14\" y=\"%.1f\">and %zu more</text>\n",
                           bottom + 18, g->rows.count - rows);
    weir_buffer_text(out, "</svg>\n");
}

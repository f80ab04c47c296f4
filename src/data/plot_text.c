/* A plot as characters: each cell has 2 x 4 dots of a braille pattern (Unicode 15, chapter 21.1), and one colour. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/plot.h"

enum { COLUMNS_MIN = 40, ROWS_MIN = 10, COLUMNS_MAX = 500, ROWS_MAX = 200, DOTS_X = 2, DOTS_Y = 4 };
enum { COLORS = 9 };

static const char *const colors[COLORS] = {"\033[97m", "\033[33m", "\033[96m",
                                           "\033[32m", "\033[93m", "\033[34m",
                                           "\033[91m", "\033[95m", "\033[35m"};
static const char dim[] = "\033[2m", reset[] = "\033[0m";

typedef struct canvas {
    const weir_plot *plot;
    const weir_plot_terminal *terminal;
    weir_plot_scale x, y;
    size_t columns, rows;   /* of cells */
    unsigned char *dots;    /* of each cell, by the bits of its pattern */
    unsigned char *series;  /* whose colour it has */
    unsigned char *letters; /* of points; 0: none */
    weir_buffer *out;
} canvas;

static void put_dot(canvas *c, long x, long y, size_t series) {
    static const unsigned char bits[DOTS_Y][DOTS_X] = {
        {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    size_t cell = (size_t)(y / DOTS_Y) * c->columns + (size_t)(x / DOTS_X);
    c->dots[cell] |= bits[y % DOTS_Y][x % DOTS_X];
    if (!c->letters[cell]) c->series[cell] = (unsigned char)series;
}

/* Where it is, in dots from the upper left; false: nowhere. */
static bool dot_of(const canvas *c, const weir_plot_point *point, long *x, long *y) {
    double across, up;
    if (!weir_plot_place(&c->x, point->x, &across) || !weir_plot_place(&c->y, point->y, &up))
        return false;
    *x = lround(across * (double)(c->columns * DOTS_X - 1));
    *y = lround((1 - up) * (double)(c->rows * DOTS_Y - 1));
    return true;
}

static void put_line(canvas *c, long x, long y, long to_x, long to_y, size_t series) {
    long width = to_x - x, height = to_y - y;
    long steps = labs(width) > labs(height) ? labs(width) : labs(height);
    for (long i = 0; i <= steps; i++)
        put_dot(c, x + (steps ? lround((double)width * (double)i / (double)steps) : 0),
                y + (steps ? lround((double)height * (double)i / (double)steps) : 0), series);
}

/* A point that would hide another's letter stands beside it if there is room. */
static void put_letter(canvas *c, long x, long y, size_t series) {
    size_t row = (size_t)(y / DOTS_Y), column = (size_t)(x / DOTS_X);
    for (size_t at = column; at < c->columns && at < column + 3; at++) {
        size_t cell = row * c->columns + at;
        if (c->letters[cell] && at + 1 < c->columns && at + 1 < column + 3) continue;
        c->letters[cell] = (unsigned char)('a' + series);
        c->series[cell] = (unsigned char)series;
        return;
    }
}

static void draw_series(canvas *c, size_t series, bool letters) {
    const weir_plot_series *s = &c->plot->series.items[series];
    long x, y, before_x = 0, before_y = 0;
    bool any = false;
    for (size_t i = 0; i < s->points.count; i++) {
        if (!dot_of(c, &s->points.items[i], &x, &y)) continue;
        if (letters)
            put_letter(c, x, y, series);
        else
            put_line(c, any ? before_x : x, any ? before_y : y, x, y, series);
        any = true;
        before_x = x;
        before_y = y;
    }
}

/* --- printing ------------------------------------------------------------------------------- */

static void put_colored(canvas *c, const char *color, const char *text) {
    if (c->terminal->color) weir_buffer_text(c->out, color);
    weir_buffer_text(c->out, text);
    if (c->terminal->color) weir_buffer_text(c->out, reset);
}

static void put_cell(canvas *c, size_t cell) {
    unsigned char dots = c->dots[cell], letter = c->letters[cell];
    char text[4] = {' '};
    if (letter) {
        text[0] = (char)letter;
    } else if (dots && c->terminal->ascii) {
        text[0] = dots & 0x2d ? dots & 0xd2 ? ':' : '\'' : '.';
    } else if (dots) { /* U+2800 and the pattern */
        text[0] = (char)0xe2;
        text[1] = (char)(0xa0 | dots >> 6);
        text[2] = (char)(0x80 | (dots & 0x3f));
    }
    if (dots || letter)
        put_colored(c, colors[c->series[cell] % COLORS], text);
    else
        weir_buffer_byte(c->out, ' ');
}

static size_t label_width(const canvas *c) {
    size_t width = 0;
    weir_buffer text = {0};
    for (size_t i = 0; i < c->y.count; i++) {
        weir_buffer_clear(&text);
        weir_plot_number(c->plot->y.unit, c->y.ticks[i], &text);
        if (text.length > width) width = text.length;
    }
    weir_buffer_deinit(&text);
    return width;
}

/* The mark of the vertical axis that stands in this row; empty: none. */
static void label_of_row(const canvas *c, size_t row, weir_buffer *out) {
    double place = 0;
    for (size_t i = 0; i < c->y.count; i++) {
        if (!weir_plot_place(&c->y, c->y.ticks[i], &place)) continue;
        if ((size_t)lround((1 - place) * (double)(c->rows - 1)) != row) continue;
        weir_buffer_clear(out);
        weir_plot_number(c->plot->y.unit, c->y.ticks[i], out);
    }
}

static void put_rows(canvas *c, size_t width) {
    weir_buffer label = {0};
    for (size_t row = 0; row < c->rows; row++) {
        weir_buffer_clear(&label);
        label_of_row(c, row, &label);
        weir_buffer_printf(c->out, "%*s ", (int)width, label.length ? label.data : "");
        const char *marked = c->terminal->ascii ? "+" : "┤",
                   *plain = c->terminal->ascii ? "|" : "│";
        put_colored(c, dim, label.length ? marked : plain);
        for (size_t column = 0; column < c->columns; column++)
            put_cell(c, row * c->columns + column);
        while (c->out->length && c->out->data[c->out->length - 1] == ' ')
            weir_buffer_cut(c->out, c->out->length - 1);
        weir_buffer_byte(c->out, '\n');
    }
    weir_buffer_deinit(&label);
}

/* The axis, and below it the numbers that have room. */
static void put_foot(canvas *c, size_t width) {
    weir_buffer axis = {0}, numbers = {0}, text = {0};
    size_t taken = 0;
    char *marks = weir_alloc(c->columns + 1);
    for (size_t i = 0; i < c->x.count; i++) {
        double place = 0;
        if (!weir_plot_place(&c->x, c->x.ticks[i], &place)) continue;
        size_t column = (size_t)lround(place * (double)(c->columns - 1));
        marks[column] = 1;
        weir_buffer_clear(&text);
        weir_plot_number(c->plot->x.unit, c->x.ticks[i], &text);
        size_t from = column > text.length / 2 ? column - text.length / 2 : 0;
        if (i && from < taken + 2) continue;
        weir_buffer_printf(&numbers, "%*s%s", (int)(from - taken), "", text.data);
        taken = from + text.length;
    }
    for (size_t i = 0; i < c->columns; i++)
        weir_buffer_text(&axis, c->terminal->ascii ? marks[i] ? "+" : "-" : marks[i] ? "┬" : "─");
    weir_buffer_printf(c->out, "%*s ", (int)width, "");
    put_colored(c, dim, c->terminal->ascii ? "+" : "└");
    put_colored(c, dim, axis.data ? axis.data : "");
    weir_buffer_printf(c->out, "\n%*s  %s\n%*s  %s\n", (int)width, "",
                       numbers.data ? numbers.data : "", (int)width, "", c->plot->x.title);
    weir_buffer_deinit(&axis);
    weir_buffer_deinit(&numbers);
    weir_buffer_deinit(&text);
    weir_free(marks);
}

static void put_legend(canvas *c, size_t count, size_t width) {
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = c->plot->series.items[i].name;
        size_t length = strlen(name) + 4;
        if (used && used + length > c->columns) {
            weir_buffer_cut(c->out, c->out->length - 2);
            weir_buffer_byte(c->out, '\n');
            used = 0;
        }
        if (!used) weir_buffer_printf(c->out, "%*s  ", (int)width, "");
        put_colored(c, colors[i % COLORS], (char[]){(char)('a' + i), '\0'});
        weir_buffer_printf(c->out, " %s  ", name);
        used += length;
    }
    if (count) weir_buffer_cut(c->out, c->out->length - 2);
    weir_buffer_byte(c->out, '\n');
}

static size_t within(size_t value, size_t least, size_t most) {
    return value < least ? least : value > most ? most : value;
}

void weir_plot_text(const weir_plot *plot, const weir_plot_terminal *terminal, weir_buffer *out) {
    canvas c = {plot, terminal, weir_plot_scale_of(plot, false), weir_plot_scale_of(plot, true),
                .out = out};
    size_t count = within(plot->series.count, 0, WEIR_PLOT_SERIES_MAX), width = label_width(&c);
    c.columns = within(terminal->columns, COLUMNS_MIN, COLUMNS_MAX) - width - 2;
    c.rows = within(terminal->rows, ROWS_MIN, ROWS_MAX);
    c.dots = weir_alloc(c.columns * c.rows);
    c.series = weir_alloc(c.columns * c.rows);
    c.letters = weir_alloc(c.columns * c.rows);
    for (size_t i = 0; i < count; i++) draw_series(&c, i, false);
    for (size_t i = 0; i < count; i++) draw_series(&c, i, true);
    weir_buffer_printf(out, "%*s  %s: %s\n", (int)width, "", plot->title, plot->y.title);
    put_rows(&c, width);
    put_foot(&c, width);
    put_legend(&c, count, width);
    weir_free(c.dots);
    weir_free(c.series);
    weir_free(c.letters);
}

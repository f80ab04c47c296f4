/* A plot as an SVG picture: no script, no font of its own. */
#include <math.h>

#include "data/plot.h"

enum { WIDTH = 760, HEIGHT = 440, LEFT = 76, RIGHT = 176, TOP = 44, BOTTOM = 56 };
enum { SHAPES = 4, COLORS = 9, NAME_BYTES_MAX = 64 };

/* Colours that people with any sight tell apart (Okabe and Ito), and a grey. */
static const char style[] =
    "svg{color-scheme:light dark;background:#ffffff}"
    "text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#1f2328}"
    ".title{font-size:15px;font-weight:600}.tick{fill:#59636e;font-size:11px}"
    ".grid{stroke:#8c959f;stroke-opacity:.3}.line{fill:none;stroke-width:2;stroke-linejoin:round}"
    ".point{stroke-width:1.5}"
    ".s0{stroke:#000000}.s1{stroke:#e69f00}.s2{stroke:#56b4e9}.s3{stroke:#009e73}"
    ".s4{stroke:#b8a800}.s5{stroke:#0072b2}.s6{stroke:#d55e00}.s7{stroke:#cc79a7}.s8{stroke:#"
    "8250df}"
    ".p0{fill:#000000}.p1{fill:#e69f00}.p2{fill:#56b4e9}.p3{fill:#009e73}"
    ".p4{fill:#b8a800}.p5{fill:#0072b2}.p6{fill:#d55e00}.p7{fill:#cc79a7}.p8{fill:#8250df}"
    "@media(prefers-color-scheme:dark){svg{background:#0d1117}text{fill:#e6edf3}"
    ".tick{fill:#9198a1}.s0{stroke:#ffffff}.p0{fill:#ffffff}.s8{stroke:#ab7df8}.p8{fill:#ab7df8}}";

typedef struct picture {
    const weir_plot *plot;
    weir_plot_scale x, y;
    weir_buffer *out;
} picture;

static void put_markup(const char *text, weir_buffer *out) {
    weir_str rest = weir_str_from(text);
    size_t put = 0;
    while (rest.length && put < NAME_BYTES_MAX) {
        size_t length = weir_utf8_length(rest);
        unsigned char first = (unsigned char)rest.data[0];
        if (!length || first < 0x20 || first == 0x7f)
            weir_buffer_byte(out, '?');
        else if (first == '<')
            weir_buffer_text(out, "&lt;");
        else if (first == '>')
            weir_buffer_text(out, "&gt;");
        else if (first == '&')
            weir_buffer_text(out, "&amp;");
        else
            weir_buffer_append(out, rest.data, length);
        put++;
        rest = weir_str_slice(rest, length ? length : 1, rest.length);
    }
}

static double across(double place) {
    return LEFT + place * (WIDTH - LEFT - RIGHT);
}

static double down(double place) {
    return HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM);
}

static void put_text(picture *p, const char *class, const char *more, double x, double y,
                     const char *text) {
    weir_buffer_printf(p->out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\"%s>", class, x, y, more);
    put_markup(text, p->out);
    weir_buffer_text(p->out, "</text>\n");
}

static void put_axes(picture *p) {
    double place = 0;
    weir_buffer text = {0};
    for (size_t i = 0; i < p->x.count; i++) {
        if (!weir_plot_place(&p->x, p->x.ticks[i], &place)) continue;
        weir_buffer_clear(&text);
        weir_plot_number(p->plot->x.unit, p->x.ticks[i], &text);
        weir_buffer_printf(p->out, "<path class=\"grid\" d=\"M%.1f %dV%d\"/>", across(place), TOP,
                           HEIGHT - BOTTOM);
        put_text(p, "tick", " text-anchor=\"middle\"", across(place), HEIGHT - BOTTOM + 18,
                 text.data);
    }
    for (size_t i = 0; i < p->y.count; i++) {
        if (!weir_plot_place(&p->y, p->y.ticks[i], &place)) continue;
        weir_buffer_clear(&text);
        weir_plot_number(p->plot->y.unit, p->y.ticks[i], &text);
        weir_buffer_printf(p->out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>", LEFT, down(place),
                           WIDTH - RIGHT);
        put_text(p, "tick", " text-anchor=\"end\"", LEFT - 6, down(place) + 4, text.data);
    }
    weir_buffer_deinit(&text);
}

/* A mark of the series' own shape. */
static void put_shape(picture *p, size_t number, double x, double y) {
    static const char *const shapes[SHAPES] = {
        "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
        "m-3.5 -3.5h7v7h-7z",
        "m0 -4.5l4.5 8h-9z",
        "m0 -5l5 5l-5 5l-5 -5z",
    };
    weir_buffer_printf(p->out, "<path class=\"point p%zu\" d=\"M%.1f %.1f%s\"", number % COLORS, x,
                       y, shapes[number % SHAPES]);
}

static void put_points(picture *p, size_t number) {
    const weir_plot_series *series = &p->plot->series.items[number];
    bool any = false;
    double x = 0, y = 0;
    weir_buffer_printf(p->out, "<path class=\"line s%zu\" d=\"", number % COLORS);
    for (size_t i = 0; i < series->points.count; i++) {
        const weir_plot_point *point = &series->points.items[i];
        if (!weir_plot_place(&p->x, point->x, &x) || !weir_plot_place(&p->y, point->y, &y))
            continue;
        weir_buffer_printf(p->out, "%c%.1f %.1f", any ? 'L' : 'M', across(x), down(y));
        any = true;
    }
    weir_buffer_text(p->out, any ? "\"/>\n" : "M0 0\"/>\n");
    for (size_t i = 0; i < series->points.count; i++) {
        const weir_plot_point *point = &series->points.items[i];
        if (!weir_plot_place(&p->x, point->x, &x) || !weir_plot_place(&p->y, point->y, &y))
            continue;
        put_shape(p, number, across(x), down(y));
        weir_buffer_text(p->out, "><title>");
        put_markup(series->name, p->out);
        weir_buffer_text(p->out, ": ");
        weir_plot_number(p->plot->x.unit, point->x, p->out);
        weir_buffer_text(p->out, ", ");
        weir_plot_number(p->plot->y.unit, point->y, p->out);
        weir_buffer_text(p->out, "</title></path>\n");
    }
}

static void put_legend(picture *p, size_t number) {
    double y = TOP + 12 + 22 * (double)number;
    weir_buffer_printf(p->out, "<path class=\"line s%zu\" d=\"M%d %.1fh20\"/>", number % COLORS,
                       WIDTH - RIGHT + 16, y);
    put_shape(p, number, WIDTH - RIGHT + 26, y);
    weir_buffer_text(p->out, "/>");
    put_text(p, "name", "", WIDTH - RIGHT + 44, y + 4, p->plot->series.items[number].name);
}

void weir_plot_svg(const weir_plot *plot, weir_buffer *out) {
    picture p = {plot, weir_plot_scale_of(plot, false), weir_plot_scale_of(plot, true), out};
    size_t count = plot->series.count;
    if (count > WEIR_PLOT_SERIES_MAX) count = WEIR_PLOT_SERIES_MAX;
    double least = TOP + 24 + 22 * (double)count;
    double height = fmax(HEIGHT, least);
    weir_buffer_printf(out,
                       "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" "
                       "viewBox=\"0 0 %d %.0f\" role=\"img\">\n<title>",
                       WIDTH, height, WIDTH, height);
    put_markup(plot->title, out);
    weir_buffer_printf(out, "</title>\n<style>%s</style>\n", style);
    put_text(&p, "title", "", LEFT, 26, plot->title);
    put_axes(&p);
    put_text(&p, "name", " text-anchor=\"middle\"", across(0.5), HEIGHT - 14, plot->x.title);
    weir_buffer_printf(out, "<g transform=\"translate(16 %.1f) rotate(-90)\">", down(0.5));
    put_text(&p, "name", " text-anchor=\"middle\"", 0, 0, plot->y.title);
    weir_buffer_text(out, "</g>\n");
    for (size_t i = 0; i < count; i++) put_points(&p, i);
    for (size_t i = 0; i < count; i++) put_legend(&p, i);
    weir_buffer_text(out, "</svg>\n");
}

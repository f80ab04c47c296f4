/* Plots: points of named series over two axes, as an SVG picture and as characters of a terminal.
 *
 * What is no number has no place, and on a logarithmic axis what is not above 0: such points are left out. Pure; any thread. Texts are
 * borrowed. */
#ifndef WEIR_DATA_PLOT_H
#define WEIR_DATA_PLOT_H

#include "base/text.h"
#include "base/vector.h"

enum { WEIR_PLOT_SERIES_MAX = 26, WEIR_PLOT_TICKS_MAX = 12 };

/* What the numbers of an axis are: counts, seconds, or bytes. */
typedef enum weir_plot_unit { WEIR_PLOT_NUMBER, WEIR_PLOT_SECONDS, WEIR_PLOT_BYTES } weir_plot_unit;

typedef struct weir_plot_axis {
    const char *title;
    weir_plot_unit unit;
    bool logarithmic;
} weir_plot_axis;

typedef struct weir_plot_point {
    double x, y;
} weir_plot_point;

typedef struct weir_plot_series {
    const char *name;
    WEIR_VECTOR(weir_plot_point) points; /* a line leads from each to the next */
} weir_plot_series;

/* Zeroed it is empty; the first WEIR_PLOT_SERIES_MAX series are drawn. */
typedef struct weir_plot {
    const char *title;
    weir_plot_axis x, y;
    WEIR_VECTOR(weir_plot_series) series;
} weir_plot;

typedef struct weir_plot_terminal {
    uint32_t columns, rows; /* of the whole; made large enough when they are too few */
    bool color, ascii;      /* ascii: no braille, no line characters */
} weir_plot_terminal;

/* A further series; the pointer is good until the next. */
weir_plot_series *weir_plot_add(weir_plot *plot, const char *name);
void weir_plot_point_add(weir_plot_series *series, double x, double y);
void weir_plot_deinit(weir_plot *plot);

/* A picture of 760 x 440 that needs nothing from elsewhere, for light and dark pages; points tell what they are. */
void weir_plot_svg(const weir_plot *plot, weir_buffer *out);
/* Lines of characters: braille patterns, letters where points are, and a legend. */
void weir_plot_text(const weir_plot *plot, const weir_plot_terminal *terminal, weir_buffer *out);

/* The number as a person reads it: "0.25 s", "12.3 MB", "200". */
void weir_plot_number(weir_plot_unit unit, double value, weir_buffer *out);

/* Where an axis begins and ends, and its marks, which are within that. */
typedef struct weir_plot_scale {
    double from, to;
    bool logarithmic;
    size_t count;
    double ticks[WEIR_PLOT_TICKS_MAX];
} weir_plot_scale;

/* The scale for all points, `vertical`: of their y. Of none it is from 0 to 1, or from 1 to 10. */
weir_plot_scale weir_plot_scale_of(const weir_plot *plot, bool vertical);
/* From 0 to 1 on the scale; false: it has no place there. */
bool weir_plot_place(const weir_plot_scale *scale, double value, double *out);

#endif

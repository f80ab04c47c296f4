/* Scales: where axes begin and end, and which numbers stand at them. */
#include "data/plot.h"

#include <math.h>

weir_plot_series *weir_plot_add(weir_plot *plot, const char *name) {
    weir_plot_series *series = weir_vector_push(&plot->series);
    *series = (weir_plot_series){.name = name};
    return series;
}

void weir_plot_point_add(weir_plot_series *series, double x, double y) {
    *weir_vector_push(&series->points) = (weir_plot_point){x, y};
}

void weir_plot_deinit(weir_plot *plot) {
    for (size_t i = 0; i < plot->series.count; i++)
        weir_vector_deinit(&plot->series.items[i].points);
    weir_vector_deinit(&plot->series);
}

/* The most digits that say something, and no zeros at the end. */
static void put_short(double value, weir_buffer *out) {
    double size = fabs(value);
    bool whole = size < 1e6 && (size >= 100 || value == floor(value));
    weir_buffer_printf(out, whole ? "%.0f" : "%.3g", value);
}

void weir_plot_number(weir_plot_unit unit, double value, weir_buffer *out) {
    put_short(unit == WEIR_PLOT_BYTES ? value / 1e6 : value, out);
    weir_buffer_text(out, unit == WEIR_PLOT_SECONDS ? " s" : unit == WEIR_PLOT_BYTES ? " MB" : "");
}

/* --- marks ---------------------------------------------------------------------------------- */

/* 1, 2 or 5 times a power of ten, so that there are at most six steps. */
static double step_of(double range) {
    double power = pow(10, floor(log10(range / 6))), steps[] = {1, 2, 5, 10};
    for (size_t i = 0; i < 3; i++)
        if (range / (steps[i] * power) <= 6) return steps[i] * power;
    return 10 * power;
}

static void mark_linear(weir_plot_scale *scale) {
    double step = step_of(scale->to - scale->from);
    scale->from = floor(scale->from / step) * step;
    scale->to = ceil(scale->to / step) * step;
    size_t steps = (size_t)lround((scale->to - scale->from) / step);
    for (size_t i = 0; i <= steps && i < WEIR_PLOT_TICKS_MAX; i++) {
        double at = scale->from + step * (double)i;
        scale->ticks[scale->count++] = fabs(at) < step / 1e6 ? 0 : at;
    }
}

/* The next 1, 2 or 5 times a power of ten, up from the value or down. */
static double round_number(double value, bool up) {
    static const double steps[] = {1, 2, 5, 10};
    double power = pow(10, floor(log10(value))), found = up ? 10 * power : power;
    for (size_t i = 0; i < 4; i++) {
        double at = steps[i] * power;
        if (up && at >= value * (1 - 1e-9) && at < found) found = at;
        if (!up && at <= value * (1 + 1e-9) && at > found) found = at;
    }
    return found;
}

static void mark_logarithmic(weir_plot_scale *scale) {
    scale->from = round_number(scale->from, false);
    scale->to = round_number(scale->to, true);
    if (scale->to <= scale->from) scale->to = scale->from * 10;
    double decades = log10(scale->to / scale->from);
    double every = ceil(decades / WEIR_PLOT_TICKS_MAX);
    if (decades > 3) { /* powers of ten only */
        double first = ceil(log10(scale->from) - 1e-9), last = log10(scale->to) + 1e-9;
        for (size_t i = 0; i < WEIR_PLOT_TICKS_MAX && first + every * (double)i <= last; i++)
            scale->ticks[scale->count++] = pow(10, first + every * (double)i);
        return;
    }
    double at = scale->from;
    while (scale->count < WEIR_PLOT_TICKS_MAX) {
        scale->ticks[scale->count++] = at;
        if (at >= scale->to * (1 - 1e-9)) return;
        at = round_number(at * 1.5, true);
    }
}

static bool is_drawn(const weir_plot *plot, const weir_plot_point *point) {
    return isfinite(point->x) && isfinite(point->y) && fabs(point->x) < 1e100 &&
           fabs(point->y) < 1e100 && (!plot->x.logarithmic || point->x > 1e-100) &&
           (!plot->y.logarithmic || point->y > 1e-100);
}

weir_plot_scale weir_plot_scale_of(const weir_plot *plot, bool vertical) {
    const weir_plot_axis *axis = vertical ? &plot->y : &plot->x;
    weir_plot_scale scale = {.from = INFINITY, .to = -INFINITY, .logarithmic = axis->logarithmic};
    for (size_t s = 0; s < plot->series.count && s < WEIR_PLOT_SERIES_MAX; s++) {
        const weir_plot_series *series = &plot->series.items[s];
        for (size_t i = 0; i < series->points.count; i++) {
            if (!is_drawn(plot, &series->points.items[i])) continue;
            double value = vertical ? series->points.items[i].y : series->points.items[i].x;
            scale.from = fmin(scale.from, value);
            scale.to = fmax(scale.to, value);
        }
    }
    bool none = scale.from > scale.to;
    if (none) scale.from = scale.logarithmic ? 1 : 0;
    if (none) scale.to = scale.logarithmic ? 10 : 1;
    if (scale.logarithmic) {
        mark_logarithmic(&scale);
        return scale;
    }
    if (scale.from > 0) scale.from = 0; /* what is twice as much looks so */
    if (scale.to < 0) scale.to = 0;
    if (scale.to - scale.from < 1e-90) scale.to = scale.from + 1;
    mark_linear(&scale);
    return scale;
}

bool weir_plot_place(const weir_plot_scale *scale, double value, double *out) {
    double place =
        scale->logarithmic
            ? value > 0 ? log10(value / scale->from) / log10(scale->to / scale->from) : NAN
            : (value - scale->from) / (scale->to - scale->from);
    if (!(place >= -1e-6 && place <= 1 + 1e-6)) return false;
    *out = fmin(fmax(place, 0), 1);
    return true;
}

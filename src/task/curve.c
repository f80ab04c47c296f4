#include "task/curve.h"

#include <math.h>
#include <stdlib.h>

/* Sizes of one point differ by no more than that; and what differs less than that is noise. */
static const double SAME_SIZE = 1.2, NOISE = 1.25;

static int compare_sizes(const void *a, const void *b) {
    const weir_curve_sample *x = a, *y = b;
    return x->size < y->size ? -1 : x->size > y->size;
}

static int compare_amounts(const void *a, const void *b) {
    const weir_curve_sample *x = a, *y = b;
    return x->amount < y->amount ? -1 : x->amount > y->amount;
}

static int compare_factors(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* --- points --------------------------------------------------------------------------------- */

/* The medians of samples of about one size, which are sorted by it. */
static weir_curve_point point_of(weir_curve_sample *some, size_t count) {
    size_t middle = count / 2, before = (count - 1) / 2;
    weir_curve_point point = {.weight = count};
    point.size = ((double)some[before].size + (double)some[middle].size) / 2;
    qsort(some, count, sizeof *some, compare_amounts);
    point.amount = ((double)some[before].amount + (double)some[middle].amount) / 2;
    return point;
}

static void make_points(weir_curve *curve, weir_curve_sample *samples, size_t count) {
    for (size_t from = 0, to; from < count; from = to) {
        double most = (double)samples[from].size * SAME_SIZE;
        for (to = from + 1; to < count && (double)samples[to].size <= most;) to++;
        *weir_vector_push(&curve->points) = point_of(samples + from, to - from);
    }
}

/* A point that is below the one before shares its amount. */
static void make_rise(weir_curve *curve) {
    size_t count = curve->points.count, blocks = 0;
    weir_curve_point *points = curve->points.items;
    size_t *ends = weir_alloc((count + 1) * sizeof *ends);
    weir_curve_point *block = weir_alloc((count + 1) * sizeof *block);
    for (size_t i = 0; i < count; i++) {
        block[blocks] = points[i];
        ends[blocks++] = i + 1;
        while (blocks > 1 && block[blocks - 2].amount > block[blocks - 1].amount) {
            weir_curve_point *low = &block[blocks - 2], *high = &block[blocks - 1];
            double sum = low->amount * (double)low->weight + high->amount * (double)high->weight;
            low->weight += high->weight;
            low->amount = sum / (double)low->weight;
            ends[blocks - 2] = ends[blocks - 1];
            blocks--;
        }
    }
    for (size_t b = 0, i = 0; b < blocks; b++)
        for (; i < ends[b]; i++) points[i].amount = block[b].amount;
    weir_free(ends);
    weir_free(block);
}

/* --- asking --------------------------------------------------------------------------------- */

/* How much a byte takes, by two points; 0 where that may be noise. */
static double slope_of(const weir_curve_point *low, const weir_curve_point *high) {
    if (high->amount <= low->amount * NOISE || high->size <= low->size) return 0;
    return (high->amount - low->amount) / (high->size - low->size);
}

static double above(const weir_curve *curve, double size) {
    size_t last = curve->points.count - 1, other = last;
    const weir_curve_point *p = curve->points.items;
    while (other > 0 && p[other].size * 2 > p[last].size) other--;
    return p[last].amount + slope_of(&p[other], &p[last]) * (size - p[last].size);
}

/* No input takes less than its part of a larger one. */
static double below(const weir_curve *curve, double size) {
    size_t last = curve->points.count - 1, other = 0;
    const weir_curve_point *p = curve->points.items;
    while (other < last && p[other].size < p[0].size * 2) other++;
    double amount = p[0].amount - slope_of(&p[0], &p[other]) * (p[0].size - size);
    double part = p[0].amount * size / p[0].size;
    return amount > part ? amount : part;
}

static double amount_at(const weir_curve *curve, double size) {
    size_t count = curve->points.count, from = 0, to = count;
    const weir_curve_point *p = curve->points.items;
    if (size <= p[0].size) return size < p[0].size ? below(curve, size) : p[0].amount;
    if (size >= p[count - 1].size) return above(curve, size);
    while (to - from > 1) { /* p[from].size <= size < p[to].size */
        size_t middle = from + (to - from) / 2;
        if (p[middle].size <= size)
            from = middle;
        else
            to = middle;
    }
    double part = (size - p[from].size) / (p[to].size - p[from].size);
    return p[from].amount + part * (p[to].amount - p[from].amount);
}

static double factor_of(const weir_curve *curve, unsigned percent) {
    double at = (double)(curve->factors.count - 1) * percent / 100;
    size_t low = (size_t)at;
    const double *factors = curve->factors.items;
    if (low + 1 >= curve->factors.count) return factors[curve->factors.count - 1];
    return factors[low] + (at - (double)low) * (factors[low + 1] - factors[low]);
}

uint64_t weir_curve_at(const weir_curve *curve, uint64_t size, unsigned percent) {
    if (!curve->points.count || !size) return 0;
    double amount = amount_at(curve, (double)size) * factor_of(curve, percent);
    if (amount >= 9e18) return (uint64_t)9e18;
    return amount > 1 ? (uint64_t)llround(amount) : 1;
}

/* --- life ----------------------------------------------------------------------------------- */

void weir_curve_init(weir_curve *curve, weir_curve_sample *samples, size_t count) {
    size_t known = 0;
    *curve = (weir_curve){0};
    for (size_t i = 0; i < count; i++)
        if (samples[i].size && samples[i].amount) samples[known++] = samples[i];
    if (!known) return;
    qsort(samples, known, sizeof *samples, compare_sizes);
    make_points(curve, samples, known);
    make_rise(curve);
    for (size_t i = 0; i < known; i++)
        *weir_vector_push(&curve->factors) =
            (double)samples[i].amount / amount_at(curve, (double)samples[i].size);
    qsort(curve->factors.items, known, sizeof *curve->factors.items, compare_factors);
}

void weir_curve_deinit(weir_curve *curve) {
    weir_vector_deinit(&curve->points);
    weir_vector_deinit(&curve->factors);
}

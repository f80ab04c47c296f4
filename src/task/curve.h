/* How what tasks take grows with the size of their inputs, by samples.
 *
 * Samples of about the same size are one point: the medians of both. Points are made to rise (pool adjacent violators; Ayer and others, An empirical
 * distribution function for sampling with incomplete information, 1955), so that noise does not make larger inputs quicker; between two points there is a
 * line, which is exact for work of so much a byte on top of a fixed part. Beyond the points the line goes on as it comes from a point of at most half
 * the size (of at least double it), where the difference is more than noise. How far samples are from that, as a factor, says the rest: percentiles
 * are of all samples, whatever their size. O(n log n). Pure; any thread. */
#ifndef WEIR_TASK_CURVE_H
#define WEIR_TASK_CURVE_H

#include "base/vector.h"

typedef struct weir_curve_sample {
    uint64_t size, amount; /* 0: not known, then it does not count */
} weir_curve_sample;

typedef struct weir_curve_point {
    double size, amount;
    size_t weight;
} weir_curve_point;

typedef struct weir_curve {
    WEIR_VECTOR(weir_curve_point) points; /* by size, rising */
    WEIR_VECTOR(double) factors;          /* of samples to what the points say of them; sorted */
} weir_curve;

/* Of no samples it is empty. Sorts them. */
void weir_curve_init(weir_curve *curve, weir_curve_sample *samples, size_t count);
void weir_curve_deinit(weir_curve *curve);
/* The amount that so many percent of those of that size do not exceed; at least 1, or 0: nothing is known. */
uint64_t weir_curve_at(const weir_curve *curve, uint64_t size, unsigned percent);

#endif

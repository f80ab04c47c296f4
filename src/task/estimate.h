/* What a task is expected to take, before it runs. From the file (`estimate:` of a pipeline's component or a dataflow's
 * operation, annotations of a workflow's template) or from earlier runs (engine/estimate.h). Values only; pure; any thread. */
#ifndef WEIR_TASK_ESTIMATE_H
#define WEIR_TASK_ESTIMATE_H

#include "data/value.h"

typedef struct weir_estimate { /* of one attempt; 0: not known */
    uint64_t wall_us;          /* from its start to its end: the median */
    uint64_t wall_high_us;     /* the 90th percentile; not below wall_us where both are known */
    uint64_t cpu_us;           /* of all its processes together */
    uint64_t memory_bytes;     /* their peak */
} weir_estimate;

/* Whether anything is known. */
static inline bool weir_estimate_any(const weir_estimate *estimate) {
    return estimate->wall_us || estimate->wall_high_us || estimate->cpu_us ||
           estimate->memory_bytes;
}

/* Reads {seconds, high, cpu, memory}, each optional: times are numbers of seconds or durations ("2.5s", "1h"), memory bytes or a
 * size ("512M", "1Gi"). At most 10 years and 8 EiB; 0 is taken as 1 µs or byte: known to be next to nothing. False: INVALID, and
 * `*member` is the one that is wrong, "" when it is the whole. */
WEIR_CHECKED bool weir_estimate_read(const weir_value *value, weir_estimate *out,
                                     const char **member, weir_error *error);
/* Reads one of those members by its name, as does who has them one by one (annotations). */
WEIR_CHECKED bool weir_estimate_read_member(weir_str name, const weir_value *value,
                                            weir_estimate *out, weir_error *error);
/* The form that weir_estimate_read reads, without what is not known; new reference. */
weir_value *weir_estimate_to_value(const weir_estimate *estimate);

#endif

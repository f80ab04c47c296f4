/* How far a run is: counts, rate, time left, the failures that are new; from one status after the other (see
 * weir_run_status). One thread. */
#ifndef WEIR_CLI_PROGRESS_H
#define WEIR_CLI_PROGRESS_H

#include "base/map.h"
#include "data/value.h"

enum { WEIR_PROGRESS_SAMPLES = 16 };

typedef struct weir_progress {
    struct {
        uint64_t at_us, done;
    } samples[WEIR_PROGRESS_SAMPLES]; /* the oldest first */
    size_t sample_count;
    weir_arena arena;
    weir_map announced; /* failures of each node by its id */
} weir_progress;

typedef struct weir_counts {
    uint64_t total, done, failed; /* a dataflow's tasks, a workflow's leaves */
    uint64_t contexts, contexts_done;
} weir_counts;

void weir_progress_deinit(weir_progress *progress);

/* Counts what there is, as far as it is known now: a dataflow may find more to do. */
weir_counts weir_progress_count(const weir_value *status);
/* Things done a second, of late; 0 as long as nobody knows. To be called with each status. */
double weir_progress_rate(weir_progress *progress, uint64_t done, uint64_t now_us);
/* Of a dataflow of many contexts, the status with one node an operation, in all contexts together; else the status
 * itself. New reference. */
weir_value *weir_progress_summary(const weir_value *status);
/* Appends a line for each node that has failed, or failed again, since it was last asked. */
void weir_progress_announce(weir_progress *progress, const weir_value *status, bool color,
                            weir_buffer *out);

#endif

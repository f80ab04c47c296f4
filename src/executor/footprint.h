/* How much memory a process and those that it started have together at most, found by looking again and again. What several of them
 * share is counted once (Pss of proc(5)), where the kernel says it to us; else it is counted for each. What comes and goes between two
 * looks is not seen. Looking takes a fifth of a processor at most: with many processes it is done less often. The loop's thread. */
#ifndef WEIR_EXECUTOR_FOOTPRINT_H
#define WEIR_EXECUTOR_FOOTPRINT_H

#include <sys/types.h>

#include "io/loop.h"

enum { WEIR_FOOTPRINT_MIN_US = 1000 };

typedef struct weir_footprint weir_footprint;

/* NULL when `period_us` is 0. */
weir_footprint *weir_footprint_open(weir_loop *loop, pid_t pid, uint64_t period_us);
/* The most bytes that were seen; 0: it was over before the first look. NULL is allowed. */
uint64_t weir_footprint_peak(const weir_footprint *footprint);
/* NULL is allowed. */
void weir_footprint_close(weir_footprint *footprint);

/* What a family has now. */
uint64_t weir_footprint_now(pid_t pid);

#endif

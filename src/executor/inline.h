/* The inline executor: operations in this process, on the run's thread when they are cheap, else on the worker pool.
 * And the host: what operations and plugins get from weir. */
#ifndef WEIR_EXECUTOR_INLINE_H
#define WEIR_EXECUTOR_INLINE_H

#include "executor/log.h"
#include "io/loop.h"

/* The one host of this process; lives for ever. Any thread. */
const weir_host *weir_host_get(void);

/* Makes a call at once, on this thread; fills the outcome. Metrics it reports become part of the outcome's usage. */
void weir_inline_call(const weir_attempt *attempt, weir_outcome *outcome);

/* An executor that reports to `reporter` and writes operations' log lines to `logs` (may be NULL). */
weir_executor *weir_inline_open(weir_loop *loop, weir_reporter *reporter, weir_logs *logs);

/* Says on standard error which operation crashed the process, and ends it with exit code 3; for commands. */
void weir_crash_report_install(void);

#endif

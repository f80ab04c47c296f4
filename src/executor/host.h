/* What the executors of this process share: how an operation is run, and the shapes of reports. Any thread. */
#ifndef WEIR_EXECUTOR_HOST_H
#define WEIR_EXECUTOR_HOST_H

#include <stdatomic.h>
#include <sys/types.h>

#include "executor/inline.h"

/* Runs the attempt's operation on this thread, reports its start and its metrics, and fills the outcome. `log` and
 * `cancelled` may be NULL. */
void weir__host_run(const weir_attempt *attempt, weir_reporter *reporter, weir_log *log,
                    const atomic_bool *cancelled, weir_outcome *outcome);

/* Names the operation that this thread runs, NULL for none, for the report of a crash. Borrowed. */
void weir__crash_watch(const char *operation);

/* A text of bytes from outside: what is no UTF-8, and NUL, becomes U+FFFD. */
weir_value *weir__text_new(weir_str bytes);

/* STARTED, with {host, pid}, without pid when it is 0; then READY if it is a service. */
void weir__report_started(weir_reporter *reporter, const weir_attempt *attempt, pid_t pid);
/* FINISHED; takes the outcome over. */
void weir__report_finished(weir_reporter *reporter, const weir_attempt *attempt,
                           const weir_outcome *outcome);
/* METRIC. */
void weir__report_metric(weir_reporter *reporter, const weir_attempt *attempt, weir_str name,
                         double value, weir_str unit);

#endif

/* What the executors of this process share: how an operation is run, and the shapes of reports. Any thread. */
#ifndef WEIR_EXECUTOR_HOST_H
#define WEIR_EXECUTOR_HOST_H

#include <stdatomic.h>
#include <sys/types.h>

#include "executor/inline.h"
#include "executor/log.h"
#include "io/throttle.h"

/* What an attempt's call is connected to; lives as long as the call. */
typedef struct weir_attempt_hooks {
    weir_reporter *reporter;
    weir_logs *logs;              /* NULL: none */
    const atomic_bool *cancelled; /* NULL: never */
    weir_throttle *throttle;      /* of a generator; else NULL */
    /* One set of a generator's outputs (taken over); and the end of an asynchronous call. Any thread. */
    void (*yield)(void *arg, weir_value *outputs);
    void (*complete)(void *arg, bool succeeded);
    void *arg;
} weir_attempt_hooks;

/* A call for the attempt, which it borrows as it does the hooks. */
weir_call *weir__call_new(const weir_attempt *attempt, const weir_attempt_hooks *hooks);
/* Reports its start and runs the operation on this thread; what the operation says. */
bool weir__call_run(weir_call *call);
/* Fills the outcome and frees the call. */
void weir__call_end(weir_call *call, bool succeeded, weir_outcome *outcome);

/* Names the operation that this thread runs, NULL for none, for the report of a crash. Borrowed. */
void weir__crash_watch(const char *operation);

/* A text of bytes from outside: what is no UTF-8, and NUL, becomes U+FFFD. */
weir_value *weir__text_new(weir_str bytes);

/* STARTED, unless the attempt is quiet, with {host, pid}, without pid when it is 0; then READY if it is a service. */
void weir__report_started(weir_reporter *reporter, const weir_attempt *attempt, pid_t pid);
/* The same without READY, and READY. `images` {name: digest} are those that it runs in (taken over); NULL: none. */
void weir__report_begun(weir_reporter *reporter, const weir_attempt *attempt, pid_t pid,
                        weir_value *images);
void weir__report_ready(weir_reporter *reporter, const weir_attempt *attempt);
/* FROZEN: the reason goes on "was ended: ". */
void weir__report_frozen(weir_reporter *reporter, const weir_attempt *attempt, const char *reason);
/* FINISHED; takes the outcome over. */
void weir__report_finished(weir_reporter *reporter, const weir_attempt *attempt,
                           const weir_outcome *outcome);
/* METRIC, unless the attempt is quiet. */
void weir__report_metric(weir_reporter *reporter, const weir_attempt *attempt, weir_str name,
                         double value, weir_str unit);
/* METRIC of each line of JSON {name, value, unit} that ends in the bytes; `under_way` is the one that has not ended. */
void weir__report_metric_lines(weir_reporter *reporter, const weir_attempt *attempt, weir_log *log,
                               weir_buffer *under_way, weir_str bytes);
/* YIELDED; takes the outputs over. */
void weir__report_yielded(weir_reporter *reporter, const weir_attempt *attempt,
                          weir_value *outputs);

#endif

/* The inline executor: operations in this process, on the run's thread when they are cheap, generators on threads of
 * their own, else on the worker pool.
 * And the host: what operations and plugins get from weir. */
#ifndef WEIR_EXECUTOR_INLINE_H
#define WEIR_EXECUTOR_INLINE_H

#include "executor/log.h"
#include "io/loop.h"
#include "task/call.h"

/* The one host of this process; lives for ever. Any thread. */
const weir_host *weir_host_get(void);

/* Makes a call at once, on this thread. */
void weir_inline_call(weir_invocation *invocation);
/* The same, as a machine has it made (see weir_machine_options); `nothing` is not looked at. */
void weir_inline_make_call(void *nothing, weir_invocation *invocation);
/* Makes an attempt of an operation that is neither asynchronous nor a generator at once, on this thread, reporting to
 * nobody; fills the outcome, whose usage are the metrics only. For tests and virtual executors. */
void weir_inline_attempt(const weir_attempt *attempt, weir_outcome *outcome);

/* An executor that reports to `reporter` and writes operations' log lines to `logs` (may be NULL). */
weir_executor *weir_inline_open(weir_loop *loop, weir_reporter *reporter, weir_logs *logs);
/* `crowded` says whether a run has so much to do that its generators had better wait; NULL: never. */
void weir_inline_watch(weir_executor *executor, bool (*crowded)(void *arg, const char *run),
                       void *arg);

/* Closing waits WEIR_GRACE_US for functions that were told to end. When some do not, `left` becomes true, and the executor, its
 * loop, its logs and the plugins are to stay as they are, for those functions use them. */
void weir_inline_leave(weir_executor *executor, bool *left);
/* An operation that closing left behind, of any executor of this process; NULL: none. Any thread. */
const char *weir_inline_left_behind(void);

/* The operation that this thread runs; NULL: none. Safe in a signal handler. */
const char *weir_inline_running(void);

/* Says on standard error which operation crashed the process, and ends it with exit code 3; for commands. */
void weir_crash_report_install(void);
/* Whether there is a journal of what runs, which the report is to say. */
void weir_crash_report_kept(bool kept);

#endif

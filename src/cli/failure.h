/* Telling people why a run failed. One thread. */
#ifndef WEIR_CLI_FAILURE_H
#define WEIR_CLI_FAILURE_H

#include "data/value.h"

/* Says a result's error (see weir_run_result) on standard error: what, when, where, how, the last lines of its log. */
void weir_failure_print(const weir_value *result);
/* The last of what the failed attempt wrote; empty when that is not known. */
weir_str weir_failure_log(const weir_value *result);
/* The result of a run that could not even start, for programs. New reference. */
weir_value *weir_failure_result(const weir_error *error);

#endif

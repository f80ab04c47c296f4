/* What a process attempt starts, read from its config. Everything lives in the arena it was read into; the staged
 * source file is removed by whoever read the command. One thread. */
#ifndef WEIR_EXECUTOR_COMMAND_H
#define WEIR_EXECUTOR_COMMAND_H

#include "executor/log.h"

typedef struct weir_command {
    const char **argv, **environment; /* NULL-terminated */
    const char *directory;            /* NULL: weir's own */
    weir_str input;
    const char *source; /* path of the staged source; NULL: none */
    bool json;          /* the form of its result */
} weir_command;

enum { WEIR_METRICS_DESCRIPTOR = 3 }; /* in the child */

/* INVALID when the config is not as process.h says, IO when the source cannot be staged. The source lies beside the
 * attempt's log, so that a killed weir leaves it in its state; without logs in TMPDIR. */
WEIR_CHECKED bool weir_command_read(const weir_attempt *attempt, const weir_secrets *secrets,
                                    const weir_logs *logs, weir_arena *arena, weir_command *out,
                                    weir_error *error);

#endif

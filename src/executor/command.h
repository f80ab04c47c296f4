/* What a process attempt starts, read from its config. Everything lives in the arena it was read into; the staged
 * source file is removed by whoever read the command. One thread. */
#ifndef WEIR_EXECUTOR_COMMAND_H
#define WEIR_EXECUTOR_COMMAND_H

#include "executor/log.h"
#include "executor/sandbox.h"

typedef struct weir_command {
    const char **argv, **environment; /* NULL-terminated */
    const char *directory;            /* NULL: weir's own */
    weir_str input;
    const char *source; /* path of the staged source; NULL: none */
    weir_str
        script; /* of a sandbox: the source, which is not staged but a file of its own, at that path */
    bool json;                /* the form of its result */
    uint64_t memory_every_us; /* between looks at its memory; 0: nobody looks */
} weir_command;

enum { WEIR_METRICS_DESCRIPTOR = 3 };              /* in the child */
#define WEIR_SANDBOX_SCRIPT "/argo/staging/script" /* where Argo has it, too */

/* INVALID when the config is not as process.h says, IO when the source cannot be staged. The source lies beside the
 * attempt's log, so that a killed weir leaves it in its state; without logs in TMPDIR. */
WEIR_CHECKED bool weir_command_read(const weir_attempt *attempt, const weir_secrets *secrets,
                                    const weir_logs *logs, weir_arena *arena, weir_command *out,
                                    weir_error *error);

/* The script as a file of its sandbox. */
weir_mount weir_command_script_mount(const weir_command *command);

/* What the config says of its sandbox; NULL: it wants none. */
const weir_value *weir_command_sandbox(const weir_value *config);

#endif

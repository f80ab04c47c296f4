/* Whether a service can be used: asked again and again until it says so, as Kubernetes' readiness probes are. Quicker at first than their
 * period, for what starts soon should not be waited for.
 *
 * In the attempt's config: probe: {exec: [text…] | http: {path, port, host?, headers?: [{name, value}]} | tcp: {port, host?},
 *   delay_us?, period_us?, timeout_us?, successes?}; the host is this machine unless another is named. HTTP is well with 200 to 399.
 *
 * One loop's thread; what may wait for others is done on the pool. */
#ifndef WEIR_EXECUTOR_PROBE_H
#define WEIR_EXECUTOR_PROBE_H

#include "executor/sandbox.h"

typedef struct weir_probe weir_probe;

typedef struct weir_probe_host {
    weir_loop *loop;
    /* It is ready. Once; the last call. */
    void (*ready)(void *arg);
    void *arg;
    /* Where the service runs, whose `asking` is the probe's command; the probe is closed before they go. NULL: it has none. */
    weir_sandbox *sandbox;
    weir_process *process;
} weir_probe_host;

/* NULL when the config has none. */
const weir_value *weir_probe_wanted(const weir_value *config);
/* The command that it runs, in the arena, for the sandbox's spec; NULL: it runs none. */
const char *const *weir_probe_command(const weir_value *config, weir_arena *arena);
/* Asks for the first time after its delay. INVALID: it asks for nothing that could be asked. `config` is what weir_probe_wanted gave; copied. */
WEIR_CHECKED bool weir_probe_open(const weir_value *config, const weir_probe_host *host,
                                  weir_probe **out, weir_error *error);
/* NULL is allowed. */
void weir_probe_close(weir_probe *probe);

#endif

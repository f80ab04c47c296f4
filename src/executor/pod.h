/* The containers of one attempt: init containers one after the other, then `main` or a set of containers as their dependencies allow, and
 * sidecars beside them. Each is a sandbox of its own; folders of the attempt's (`scratch`) are what they share.
 *
 * The attempt's config (process.h) is that of the container `main`; its member `containers` has the others:
 *   [{name, role: "init" | "set" | "sidecar", depends?: [name…], retries?, retry_wait_us?, mirror?: true (it has main's mounts, too),
 *     and what main has: command, arguments, environment, directory, source, sandbox}]
 * A set's `main` has a place among them, {name: "main", main: true, depends?, retries?, retry_wait_us?}. Without a `main` there is neither command
 * nor arguments in the config.
 *
 * As Argo has it: an init container that fails is the end of the attempt. So is one of a set, but those beside it are asked to end, and those
 * that depend on it do not begin (exit code 64, and why). Once main, or all of the set, is over, sidecars are asked to end; how they end
 * then does not matter, but a sidecar that failed before makes the attempt fail.
 *
 * The executor runs `main` itself. Owned by it; the loop's thread. */
#ifndef WEIR_EXECUTOR_POD_H
#define WEIR_EXECUTOR_POD_H

#include "executor/in_image.h"
#include "executor/log.h"
#include "executor/sandbox_spec.h"

enum { WEIR_POD_CONTAINERS_MAX = 128, WEIR_POD_RETRIES_MAX = 10000 };

typedef struct weir_pod weir_pod;

/* What a pod needs of its executor; borrowed. */
typedef struct weir_pod_host {
    weir_loop *loop;
    weir_logs *logs;
    const weir_secrets *secrets;
    weir_sandboxes *sandboxes, *image_sandboxes;
    /* The image that a container with this config runs in; NULL: none. */
    const weir_in_image *(*image)(void *arg, const weir_value *config);
    const weir_value *images;
    weir_sandbox_folders folders;
    /* Begins `main`. False: it cannot be. */
    bool (*start_main)(void *arg, weir_error *error);
    /* To `main`, which runs. */
    void (*signal_main)(void *arg, int signal);
    /* What a container says of metrics; `line` is the one under way. */
    void (*metrics)(void *arg, weir_log *log, weir_buffer *line, weir_str bytes);
    /* All that are not init containers run. Once; not when one of them could not. */
    void (*running)(void *arg);
    /* Nothing of it runs any more. The last call: the pod may be freed in it. */
    void (*over)(void *arg);
    void *arg;
} weir_pod_host;

/* Whether the config is of more than one container, or of none that is `main`. */
bool weir_pod_wanted(const weir_value *config);
/* INVALID, LIMIT. The attempt is borrowed. */
WEIR_CHECKED bool weir_pod_open(const weir_attempt *attempt, const weir_pod_host *host,
                                weir_pod **out, weir_error *error);
/* Begins; `over` may come before this returns. */
void weir_pod_begin(weir_pod *pod);
/* `main` has ended, or (`end` NULL) could not be begun in its sandbox. True: it will be started again, and nothing of it is kept. May call
 * `over`, unless it is true. */
bool weir_pod_main_ended(weir_pod *pod, const weir_process_end *end, const weir_error *error);
/* Nothing more begins; what runs gets SIGTERM, and SIGKILL after the grace; or that at once. `over` follows, never from within. */
void weir_pod_stop(weir_pod *pod, bool kill, uint64_t grace_us);
/* The log of a container that is not `main`; NULL: it never began. */
weir_log *weir_pod_log(const weir_pod *pod, weir_str container);
/* Whether `main` ever began. */
bool weir_pod_had_main(const weir_pod *pod);
/* What the outcome of `main` (or one without anything) becomes with all the others: kind and failure, whose member `container` names the
 * decisive one unless it is main, and `why` what is to be said of that; usage; and `containers` of the outputs: [{name, role, exit_code?,
 * why?, started_us?, finished_us?}]. */
void weir_pod_judge(weir_pod *pod, weir_outcome *outcome);
/* Nothing of it may run. NULL is allowed. */
void weir_pod_free(weir_pod *pod);

#endif

/* The process executor: each attempt is a child process with a clean environment and a process group of its own.
 *
 * It does `process.run`. The attempt's config: {command: [text…], environment?: {NAME: text | {secret: NAME, optional?: bool} | {machine: "name" | "cpu" | "memory"}},
 * environment_from?: [{secret: NAME, prefix?, optional?}: all secrets NAME.KEY, as KEY], expand?: true ($(NAME) in command and variables),
 * directory?, stdin?: text, source?: text (staged in a file whose path is put behind the command, or at `source_at` in
 * it), format?: "text" | "json",
 * memory_every?: seconds between looks at the memory of all its processes together (footprint.h), which `memory_peak_bytes` then is}. Outputs: `result` (standard output without its last line end, secrets masked, or its
 * JSON), `exit_code` (128 + the signal that ended it, as shells have it). The child's environment is PATH, HOME, LANG of weir's own, WEIR_ATTEMPT,
 * WEIR_COPY in a state that was restored (see weir_logs), WEIR_METRICS (a descriptor: lines of JSON {name, value, unit}), WEIR_MEMBER and WEIR_MEMBERS in a gang, and what the
 * config names. With `sandbox` (sandbox_spec.h) it runs in a file system of its own: then `arguments` stand behind `command`, which may
 * be the image's; `source` is a file there, HOME one of its folders; and further outputs are `files`, what was to be collected
 * (collect.h), and `artifacts`, what was kept (artifacts.h). With `containers` (pod.h) others run before and beside it; a service with `probe`
 * (probe.h) is ready when that says so. The last lines of the output are kept for a failure's `log`. */
#ifndef WEIR_EXECUTOR_PROCESS_H
#define WEIR_EXECUTOR_PROCESS_H

#include "artifact/repository.h"
#include "executor/log.h"
#include "executor/obtain.h"
#include "executor/sandbox.h"

enum { WEIR_RESULT_BYTES_MAX = 256 * 1024 }; /* of standard output its last are kept */

weir_executor *weir_process_executor_open(weir_loop *loop, weir_reporter *reporter, weir_logs *logs,
                                          const weir_secrets *secrets);
/* How those are run that want a sandbox: before the first of them. `images` is what the configuration has for images (images.h),
 * NULL: nothing; `volumes` a folder for the volumes of runs, NULL: in TMPDIR or /var/tmp; `claims` one for those that stay, NULL: they
 * last as long as their run. Without this call they are isolated as far as the system lets us. */
void weir_process_isolate(weir_executor *executor, const weir_sandboxes_options *options,
                          weir_value *images, const char *volumes, const char *claims);
/* Attempts whose sandbox names an image run in it, unless they are not isolated: where images come from. After weir_process_isolate, before
 * the first of them; without this call `image` is a name for messages only. */
void weir_process_images(weir_executor *executor, const weir_obtain_options *options);
/* Runs the command (NULL-terminated) in the file system that an attempt left in the `root` of its sandbox, as weir_sandbox_visit does. */
WEIR_CHECKED bool weir_process_visit(weir_executor *executor, const weir_attempt *attempt,
                                     const char *const *command, weir_process_end *end,
                                     weir_error *error);
/* Where their artifacts are kept, and a folder where inputs are staged (see weir_artifacts_new): before the first of them. The
 * repository lives longer. Without this call they have none. */
void weir_process_artifacts(weir_executor *executor, weir_repository *repository,
                            const char *folder);
/* The run is over: the volumes that its attempts shared go, while the loop turns. */
void weir_process_forget(weir_executor *executor, const char *run);

#endif

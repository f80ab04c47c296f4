/* The process executor: each attempt is a child process with a clean environment and a process group of its own.
 *
 * It does `process.run`. The attempt's config: {command: [text…], environment?: {NAME: text | {secret: NAME}},
 * directory?, stdin?: text, source?: text (staged in a file whose path is put behind the command, or at `source_at` in
 * it), format?: "text" | "json"}. Outputs: `result` (standard output without its last line end, secrets masked, or its
 * JSON), `exit_code` (128 + the signal that ended it, as shells have it). The child's environment is PATH, HOME, LANG of weir's own, WEIR_ATTEMPT,
 * WEIR_COPY in a state that was restored (see weir_logs), WEIR_METRICS (a descriptor: lines of JSON {name, value, unit}), WEIR_MEMBER and WEIR_MEMBERS in a gang, and what the
 * config names. The last lines of the output are kept for a failure's `log`. */
#ifndef WEIR_EXECUTOR_PROCESS_H
#define WEIR_EXECUTOR_PROCESS_H

#include "executor/log.h"
#include "io/loop.h"

enum { WEIR_RESULT_BYTES_MAX = 256 * 1024 }; /* of standard output its last are kept */

weir_executor *weir_process_executor_open(weir_loop *loop, weir_reporter *reporter, weir_logs *logs,
                                          const weir_secrets *secrets);

#endif

/* What an attempt left that is read: files of its sandbox, as texts. On any one thread, between the attempt's end and the sandbox's
 * release. What is kept as it is are artifacts (artifacts.h). */
#ifndef WEIR_EXECUTOR_COLLECT_H
#define WEIR_EXECUTOR_COLLECT_H

#include "executor/log.h"
#include "executor/sandbox.h"

enum { WEIR_COLLECT_TEXT_BYTES_MAX = 256 * 1024 };

/* Each of `outputs` [{name, path, bytes_max?}] by its name:
 *   {text}, masked; at most bytes_max bytes, and WEIR_COLLECT_TEXT_BYTES_MAX
 *   {missing: true}: there is no such file
 *   {error: {code, message}}: it cannot be had, or is larger than the limits
 * Gives a reference. */
weir_value *weir_collect(const weir_sandbox *sandbox, const weir_value *outputs,
                         const weir_secrets *secrets);

#endif

/* The executor of data templates: the keys of a repository as a list, and what expressions make of it.
 *
 * Operation `artifacts.list`, config {"source": {"key", "bucket"?}, "transformation": [TEXT...]}: each expression sees what the one before
 * gave as `data`, the first the keys, sorted. Outputs are {"result": JSON, "exit_code": 0}. On the pool; no process. */
#ifndef WEIR_EXECUTOR_LISTING_H
#define WEIR_EXECUTOR_LISTING_H

#include "artifact/repository.h"
#include "io/loop.h"
#include "task/task.h"

enum { WEIR_LISTING_BYTES_MAX = 1024 * 1024 }; /* of a result */

/* The repository is borrowed. Closing waits for what is under way. */
weir_executor *weir_listing_open(weir_loop *loop, weir_reporter *reporter,
                                 weir_repository *repository);

#endif

/* Waiting without a thread for each who waits: one thread has them all. It begins with the first and lives as long as
 * the process; it takes no signals. */
#ifndef WEIR_OPERATIONS_SLEEP_H
#define WEIR_OPERATIONS_SLEEP_H

#include <weir/operation.h>

/* Completes the call (of an operation with WEIR_ASYNC) after that time, or soon after it is cancelled. The call has failed
 * when it returns false. */
bool weir__sleep(const weir_host *host, weir_call *call, uint64_t us);

#endif

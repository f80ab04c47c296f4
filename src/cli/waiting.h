/* What of a run waits for room, in words; and what its attempts waited for. */
#ifndef WEIR_CLI_WAITING_H
#define WEIR_CLI_WAITING_H

#include "data/json.h"

/* `status` as weir_get has it: a line for each, the next first; of one operation, step or task only (NULL: of all). Nothing when
 * nothing waits. */
void weir_waiting_print(const weir_value *status, const char *only, weir_buffer *out);
/* Whether its path ends in that name. */
bool weir_waiting_is(const weir_value *entry, const char *name);
/* "wants 1.5 GB of memory, 0.7 GB of 2.0 GB are free, in about 3s"; `entry` of `waiting`. */
void weir_waiting_describe(const weir_value *entry, weir_buffer *out);
/* The status with a message at each node that waits for memory, processors or processes, and has no other: what it wants and what there
 * is, or, not `fine`, only for what. A new reference, to the status itself where nothing waits. Also of its `workflow`. */
weir_value *weir_waiting_tell(const weir_value *status, bool fine);

#endif

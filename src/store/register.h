/* Registers: small values of a store that several processes change. One is read with the number of its last change, and
 * written back only if nobody changed it since; who was too late reads again. They are of the moment: what is in them has to be worth
 * nothing once all processes are gone, for they are neither in journals nor brought to the disk for their own sake.
 * On the loop's thread. */
#ifndef WEIR_STORE_REGISTER_H
#define WEIR_STORE_REGISTER_H

#include "store/store.h"

enum { WEIR_REGISTER_BYTES_MAX = 16 * 1024 * 1024 };

/* Appends the value; *version 0: there is none yet. */
WEIR_CHECKED bool weir_store_register_get(weir_store *store, weir_str key, weir_buffer *value,
                                          uint64_t *version, weir_error *error);
/* *written: it was at that version until now. LIMIT: the value is too large. */
WEIR_CHECKED bool weir_store_register_put(weir_store *store, weir_str key, weir_str value,
                                          uint64_t version, bool *written, weir_error *error);

#endif

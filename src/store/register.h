/* Registers: small values of a store that several processes change. One is read with the number of its last change, and
 * written back only if nobody changed it since; who was too late reads again. They are in no journal; what a crash of a server
 * with synchronous_commit off may take is the last moment's. On the loop's thread. */
#ifndef WEIR_STORE_REGISTER_H
#define WEIR_STORE_REGISTER_H

#include "store/store.h"

enum { WEIR_REGISTER_BYTES_MAX = 16 * 1024 * 1024, WEIR_REGISTER_KEY_MAX = 256 };

typedef bool weir_register_visit(void *arg, weir_str key, weir_str value, uint64_t version);

/* Appends the value; *version 0: there is none yet. */
WEIR_CHECKED bool weir_store_register_get(weir_store *store, weir_str key, weir_buffer *value,
                                          uint64_t *version, weir_error *error);
/* *written: it was at that version until now. LIMIT: the value is too large. */
WEIR_CHECKED bool weir_store_register_put(weir_store *store, weir_str key, weir_str value,
                                          uint64_t version, bool *written, weir_error *error);
/* Calls back with each whose key begins so (all, if it is empty), by key, until it returns false; what it is given may go once it returned. */
WEIR_CHECKED bool weir_store_register_list(weir_store *store, weir_str prefix,
                                           weir_register_visit *visit, void *arg,
                                           weir_error *error);
/* *removed: it was at that version until now. */
WEIR_CHECKED bool weir_store_register_remove(weir_store *store, weir_str key, uint64_t version,
                                             bool *removed, weir_error *error);

#endif

/* Ascending lists of numbers that grow out of one another and are shared: the locks that an input stands for, its
 * ancestors of a definition. There are no two that are equal, so a list that has nothing new is one that was there.
 *
 * A list is a place in one block, 0 the empty one; it stays until the lists begin anew. Places are 32 bit: beyond
 * what weir__limits allows (see context.h) no list is made, and `full` says so. Belongs to one thread; the owner ends it. */
#ifndef WEIR_DATAFLOW_LISTS_H
#define WEIR_DATAFLOW_LISTS_H

#include <stdbool.h>

#include "base/vector.h"

typedef struct weir__lists {
    WEIR_VECTOR(uint32_t) numbers; /* of each list: its length, then its numbers */
    uint32_t *table;               /* lists by their content; 0: a free slot */
    size_t table_size, known;      /* a power of two, or 0; how many are in use */
    bool full;
} weir__lists;

/* No lists but the empty one; keeps memory for the next, unless it is large. */
void weir__lists_begin(weir__lists *lists);
void weir__lists_deinit(weir__lists *lists);
/* The list of this number, which has none yet: it is behind the lists that there are. */
uint32_t weir__lists_single(weir__lists *lists, uint32_t number);
/* The list of what is in either; of a full one any. */
uint32_t weir__lists_unite(weir__lists *lists, uint32_t a, uint32_t b);
/* Its numbers; valid until a list is made. */
static inline const uint32_t *weir__lists_numbers(const weir__lists *lists, uint32_t list,
                                                  uint32_t *count) {
    *count = lists->numbers.items[list];
    return lists->numbers.items + list + 1;
}

#endif

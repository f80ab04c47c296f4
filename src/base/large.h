/* Large blocks of memory, each mapped by itself: the kernel zeroes them as they are touched, on huge pages where it has them;
 * they grow without being copied, and go back to it when they are freed. What is looked into everywhere misses the TLB
 * more often than the cache on small pages, and a large heap block is zeroed on those before anybody can say so.
 *
 * The last that were freed are kept, 64 MiB at most, for who asks for the same size next: contexts of a large flow come one after
 * the other. When nobody did for a while, they go, too.
 *
 * There may be WEIR__LARGE_MAX of them; who gets none asks the heap. Any thread; a block belongs to one at a time. */
#ifndef WEIR_BASE_LARGE_H
#define WEIR_BASE_LARGE_H

#include <stdbool.h>
#include <stddef.h>

enum {
    WEIR__LARGE_BYTES = 4 * 1024 * 1024,
    WEIR__LARGE_MAX = 1024,
    WEIR__LARGE_KEPT_BYTES = 64 * 1024 * 1024,
    WEIR__LARGE_ASKED_MAX = 256 /* so often others are asked for until what is kept goes */
};

/* A block of `size` bytes, at least WEIR__LARGE_BYTES, which are zero if `zero`; NULL when there is none to be had. */
void *weir__large_new(size_t size, bool zero);
/* Whether weir__large_new gave the memory, which may be anybody's or NULL. */
bool weir__large_is(const void *memory);
/* Grows or shrinks it; nothing is zeroed. NULL: it stays as it was. */
void *weir__large_resize(void *memory, size_t size);
/* How many bytes it has room for. */
size_t weir__large_size(const void *memory);
void weir__large_free(void *memory);

#endif

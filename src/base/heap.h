/* A heap of moments: gives the earliest first. Moments are not removed one by one: whoever takes one asks whether it
 * still means something. One thread. */
#ifndef WEIR_BASE_HEAP_H
#define WEIR_BASE_HEAP_H

#include "base/vector.h"

typedef struct weir_moment {
    uint64_t due_us;
    uint64_t item; /* the owner's: what is due */
} weir_moment;

typedef WEIR_VECTOR(weir_moment) weir_heap;

void weir_heap_add(weir_heap *heap, weir_moment moment);
/* The earliest, or NULL when empty. */
const weir_moment *weir_heap_first(const weir_heap *heap);
/* Removes the earliest; the heap must not be empty. */
weir_moment weir_heap_take(weir_heap *heap);

#endif

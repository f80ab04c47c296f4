/* A vector is any struct with `T *items; size_t count, capacity;`. The owner frees `items` with weir_free. A push may
 * move the items, so pointers into a vector end with the next push. One thread. */
#ifndef WEIR_BASE_VECTOR_H
#define WEIR_BASE_VECTOR_H

#include <stdint.h>
#include <string.h>

#include "base/memory.h"

#define WEIR_VECTOR(type)                                                                          \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t count, capacity;                                                                    \
    }

/* What a vector begins with: there may be millions of them that never get a second item. */
enum { WEIR__VECTOR_BYTES = 64 };

/* Room for `more` items; returns the items, which may have moved. */
static inline void *weir__vector_grow(void *items, size_t count, size_t *capacity, size_t more,
                                      size_t size) {
    weir_assert(more <= SIZE_MAX / 4 / size && count <= SIZE_MAX / 4 / size);
    if (items && count + more <= *capacity) return items;
    size_t wanted = *capacity ? *capacity * 2 : WEIR__VECTOR_BYTES / size;
    if (wanted < count + more) wanted = count + more;
    *capacity = wanted;
    return weir_realloc(items, wanted * size);
}

static inline void *weir__vector_exact(size_t most, size_t *capacity, size_t size) {
    weir_assert(most <= SIZE_MAX / 4 / size);
    *capacity = most;
    return most ? weir_realloc(NULL, most * size) : NULL;
}

#define weir_vector_reserve(vector, more)                                                          \
    ((vector)->items = weir__vector_grow((vector)->items, (vector)->count, &(vector)->capacity,    \
                                         (more), sizeof *(vector)->items))
/* Room for `most` items in an empty vector, and not for more: where there may be millions of vectors, of a known few items. */
#define weir_vector_reserve_exact(vector, most)                                                    \
    ((vector)->items = weir__vector_exact((most), &(vector)->capacity, sizeof *(vector)->items))
/* Address of a new last item, to be filled: not zeroed. */
#define weir_vector_push(vector)                                                                   \
    (weir_vector_reserve((vector), 1), &(vector)->items[(vector)->count++])
/* Adds `more` items, which stand at `from`: not in the vector itself. */
#define weir_vector_append(vector, from, more)                                                     \
    do {                                                                                           \
        size_t weir__more = (more);                                                                \
        weir_vector_reserve((vector), weir__more);                                                 \
        if (weir__more)                                                                            \
            memcpy((vector)->items + (vector)->count, (from),                                      \
                   weir__more * sizeof *(vector)->items);                                          \
        (vector)->count += weir__more;                                                             \
    } while (0)
/* Frees the items and empties the vector. */
#define weir_vector_deinit(vector)                                                                 \
    (weir_free((vector)->items), (vector)->items = NULL, (vector)->count = (vector)->capacity = 0)

#endif

/* Memory: one allocator for everything, and arenas.
 *
 * Allocation never returns NULL. When memory is exhausted the process says so and ends with exit code 3: the journal
 * makes that the same as any other crash, and `weir recover` goes on. Tests make the n-th allocation fail through
 * WEIR_FAIL_ALLOCATION=n. Any thread. */
#ifndef WEIR_BASE_MEMORY_H
#define WEIR_BASE_MEMORY_H

#include <stddef.h>

#include <weir/error.h>

/* A broken promise of the programmer's: says where and aborts, in every build. */
#define weir_assert(condition)                                                                     \
    ((condition) ? (void)0 : weir__assert_failed(#condition, __FILE__, __LINE__))
_Noreturn void weir__assert_failed(const char *condition, const char *file, int line);

/* Zeroed memory of `size` bytes, freed with weir_free. */
void *weir_alloc(size_t size);
/* Grows or shrinks; `memory` may be NULL. New bytes are not zeroed. */
void *weir_realloc(void *memory, size_t size);
void weir_free(void *memory); /* NULL is allowed */
/* There are not so many bytes: says so, and ends the process. */
_Noreturn void weir_memory_ended(size_t size);

/* An arena hands out memory that is freed all at once. One owner, one thread. */
typedef struct weir_arena {
    struct weir__arena_block *blocks;
} weir_arena;

void weir_arena_init(weir_arena *arena);
void weir_arena_deinit(weir_arena *arena); /* and it may be used again */
/* Zeroed memory, aligned for any type. */
void *weir_arena_alloc(weir_arena *arena, size_t size);

#endif

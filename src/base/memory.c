#include "base/memory.h"

#include <limits.h>
#ifdef WEIR_MIMALLOC
#include <mimalloc.h>
#else
#include <malloc.h>
#endif
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/large.h"

/* The allocator of the release build; the sanitizers watch the C library's. */
#ifdef WEIR_MIMALLOC
#define heap_calloc mi_calloc
#define heap_malloc mi_malloc
#define heap_realloc mi_realloc
#define heap_size mi_usable_size
#define heap_free mi_free
#else
#define heap_calloc calloc
#define heap_malloc malloc
#define heap_realloc realloc
#define heap_size malloc_usable_size
#define heap_free free
#endif

struct weir__arena_block {
    struct weir__arena_block *next;
    size_t used, capacity;
    _Alignas(max_align_t) char data[];
};

/* Most arenas are of one call, and thousands of calls may be under way: the first block of each is a small one. With what it begins
 * with a block is as large as the allocator's are; those of an arena of many are larger. */
enum {
    ARENA_FIRST_BYTES = 960,
    ARENA_BLOCK_BYTES = 4096 - sizeof(struct weir__arena_block),
    ARENA_BLOCK_MOST_BYTES = 65536
};

static size_t next_block(const struct weir__arena_block *last) {
    size_t before = last ? last->capacity + sizeof *last : 0;
    if (!last) return ARENA_FIRST_BYTES;
    if (last->capacity < ARENA_BLOCK_BYTES) return ARENA_BLOCK_BYTES;
    return (before < ARENA_BLOCK_MOST_BYTES / 2 ? before * 2 : (size_t)ARENA_BLOCK_MOST_BYTES) -
           sizeof *last;
}

_Noreturn void weir__assert_failed(const char *condition, const char *file, int line) {
    fprintf(stderr, "weir: assertion failed at %s:%d: %s\n", file, line, condition);
    abort();
}

_Noreturn void weir_memory_ended(size_t size) {
    char text[128];
    int n = snprintf(text, sizeof text,
                     "weir: out of memory (%zu bytes wanted); `weir recover` goes on\n", size);
    if (n > 0) (void)!write(STDERR_FILENO, text, (size_t)n);
    _exit(3);
}

/* How many allocations may still succeed; negative: all. Set once from the environment, for tests. */
static bool allocation_may_fail(void) {
    static atomic_long left = LONG_MIN;
    long n = atomic_load_explicit(&left, memory_order_relaxed);
    if (n == LONG_MIN) {
        const char *text = getenv("WEIR_FAIL_ALLOCATION");
        n = text ? strtol(text, NULL, 10) : -1;
        atomic_store_explicit(&left, n, memory_order_relaxed);
    }
    if (n < 0) return false;
    return atomic_fetch_sub_explicit(&left, 1, memory_order_relaxed) <= 0;
}

/* Where the allocator is the heap, large blocks are elsewhere; but not those of a module, which knows nothing of the program's. */
#if defined(WEIR_MIMALLOC) && !defined(WEIR_MODULE)
static bool goes_to_large(size_t size) {
    return size >= WEIR__LARGE_BYTES;
}
static bool is_large(const void *memory) {
    return weir__large_is(memory);
}
#else
static bool goes_to_large(size_t size) {
    (void)size;
    return false;
}
static bool is_large(const void *memory) {
    (void)memory;
    return false;
}
#endif

void *weir_alloc(size_t size) {
    void *memory = NULL;
    bool may = !allocation_may_fail();
    if (may && goes_to_large(size)) memory = weir__large_new(size, true);
    if (may && !memory) memory = heap_calloc(1, size ? size : 1);
    if (!memory) weir_memory_ended(size);
    return memory;
}

/* From the heap to a large block, or, when there is none to be had, the other way round. */
static void *move(void *memory, size_t size) {
    bool from_large = is_large(memory);
    size_t before = !memory ? 0 : from_large ? weir__large_size(memory) : heap_size(memory);
    void *moved = goes_to_large(size) ? weir__large_new(size, false) : NULL;
    if (!moved) moved = heap_malloc(size ? size : 1);
    if (!moved) return NULL;
    if (before) memcpy(moved, memory, before < size ? before : size);
    weir_free(memory);
    return moved;
}

static void *resize(void *memory, size_t size) {
    if (!is_large(memory)) {
        if (goes_to_large(size)) return move(memory, size);
        return heap_realloc(memory, size ? size : 1);
    }
    void *resized = goes_to_large(size) ? weir__large_resize(memory, size) : NULL;
    return resized ? resized : move(memory, size);
}

void *weir_realloc(void *memory, size_t size) {
    void *resized = allocation_may_fail() ? NULL : resize(memory, size);
    if (!resized) weir_memory_ended(size);
    return resized;
}

void weir_free(void *memory) {
    if (is_large(memory))
        weir__large_free(memory);
    else
        heap_free(memory);
}

void weir_arena_init(weir_arena *arena) {
    arena->blocks = NULL;
}

void weir_arena_deinit(weir_arena *arena) {
    while (arena->blocks) {
        struct weir__arena_block *next = arena->blocks->next;
        weir_free(arena->blocks);
        arena->blocks = next;
    }
}

void *weir_arena_alloc(weir_arena *arena, size_t size) {
    size_t align = _Alignof(max_align_t);
    weir_assert(size <= SIZE_MAX - 2 * align - sizeof(struct weir__arena_block));
    size = (size + align - 1) / align * align;
    struct weir__arena_block *block = arena->blocks;
    if (!block || block->capacity - block->used < size) {
        size_t usual = next_block(block);
        size_t capacity = size > usual ? size : usual;
        block = weir_alloc(sizeof *block + capacity);
        block->capacity = capacity;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *memory = block->data + block->used;
    block->used += size;
    return memory;
}

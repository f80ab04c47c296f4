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
#include <sys/mman.h>
#include <unistd.h>

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

enum { ARENA_BLOCK_BYTES = 4096 };

struct weir__arena_block {
    struct weir__arena_block *next;
    size_t used, capacity;
    _Alignas(max_align_t) char data[];
};

_Noreturn void weir__assert_failed(const char *condition, const char *file, int line) {
    fprintf(stderr, "weir: assertion failed at %s:%d: %s\n", file, line, condition);
    abort();
}

_Noreturn static void out_of_memory(size_t size) {
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

/* Large blocks that are looked into everywhere miss the TLB more often than the cache: huge pages spare that. Asked for
 * before the block is touched; the system may say no. */
enum { LARGE_BYTES = 4 * 1024 * 1024, PAGE_BYTES = 4096 };

static void *ask_for_huge_pages(void *memory, size_t size) {
    if (size < LARGE_BYTES || !memory) return memory;
    uintptr_t from = ((uintptr_t)memory + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    uintptr_t to = ((uintptr_t)memory + size) / PAGE_BYTES * PAGE_BYTES;
    (void)madvise((char *)memory + (from - (uintptr_t)memory), to - from, MADV_HUGEPAGE);
    return memory;
}

void *weir_alloc(size_t size) {
    void *memory = allocation_may_fail() ? NULL : heap_calloc(1, size ? size : 1);
    if (!memory) out_of_memory(size);
    return ask_for_huge_pages(memory, size);
}

/* A large block that moved page by page would keep its small pages. */
static void *grow_large(void *memory, size_t size) {
    void *grown = ask_for_huge_pages(heap_malloc(size), size);
    size_t before = memory ? heap_size(memory) : 0;
    if (!grown) return NULL;
    if (before) memcpy(grown, memory, before < size ? before : size);
    heap_free(memory);
    return grown;
}

void *weir_realloc(void *memory, size_t size) {
    void *grown = NULL;
    if (!allocation_may_fail())
        grown =
            size < LARGE_BYTES ? heap_realloc(memory, size ? size : 1) : grow_large(memory, size);
    if (!grown) out_of_memory(size);
    return grown;
}

void weir_free(void *memory) {
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
        size_t capacity = size > ARENA_BLOCK_BYTES ? size : ARENA_BLOCK_BYTES;
        block = weir_alloc(sizeof *block + capacity);
        block->capacity = capacity;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *memory = block->data + block->used;
    block->used += size;
    return memory;
}

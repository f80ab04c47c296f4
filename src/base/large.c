#include "base/large.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* What a block begins with; the memory that is given is behind it. */
typedef struct header {
    size_t mapped; /* bytes, with this */
    size_t place;  /* in `blocks` */
} header;

enum { HUGE_PAGE_BYTES = 2 * 1024 * 1024, HEADER_BYTES = 64 };
_Static_assert(sizeof(header) <= HEADER_BYTES, "what follows stands on a cache line");

/* Whose memory a block's address is in: 0 where there is none. */
static _Atomic(uintptr_t) blocks[WEIR__LARGE_MAX];

/* What was freed: its address and, in the bits that are 0 in it, how many huge pages it has. 0: nothing. */
enum { KEPT_MAX = 8 };
static _Atomic(uintptr_t) kept[KEPT_MAX];
static atomic_size_t kept_bytes;
static atomic_uint asked; /* for other sizes since one was taken */

static header *header_of(const void *memory) {
    return (header *)((uintptr_t)memory - HEADER_BYTES);
}

bool weir__large_is(const void *memory) {
    if ((uintptr_t)memory % HUGE_PAGE_BYTES != HEADER_BYTES) return false;
    size_t place = header_of(memory)->place; /* or any number, of somebody else's memory */
    return place < WEIR__LARGE_MAX &&
           atomic_load_explicit(&blocks[place], memory_order_relaxed) == (uintptr_t)memory;
}

static bool take_place(uintptr_t memory, size_t *place) {
    for (size_t i = 0; i < WEIR__LARGE_MAX; i++) {
        uintptr_t free_place = 0;
        if (atomic_load_explicit(&blocks[i], memory_order_relaxed) ||
            !atomic_compare_exchange_strong(&blocks[i], &free_place, memory))
            continue;
        *place = i;
        return true;
    }
    return false;
}

/* Addresses of so many bytes, a multiple of a huge page, on the border of one; NULL: none. Nothing is there yet. */
static char *reserve(size_t mapped) {
    size_t wanted = mapped + HUGE_PAGE_BYTES;
    char *from = mmap(NULL, wanted, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (from == MAP_FAILED) return NULL;
    size_t before = (HUGE_PAGE_BYTES - (uintptr_t)from % HUGE_PAGE_BYTES) % HUGE_PAGE_BYTES;
    if (before) munmap(from, before);
    if (before < HUGE_PAGE_BYTES) munmap(from + before + mapped, HUGE_PAGE_BYTES - before);
    return from + before;
}

/* What is mapped for so many bytes; 0: too many. */
static size_t mapped_for(size_t size) {
    if (size > SIZE_MAX / 2) return 0;
    return (size + HEADER_BYTES + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
}

/* --- what is kept ----------------------------------------------------------------------------- */

static void unmap_kept(uintptr_t code) {
    if (!code) return;
    size_t mapped = code % HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
    munmap((void *)(code - code % HUGE_PAGE_BYTES), mapped);
    atomic_fetch_sub(&kept_bytes, mapped);
}

static void drop_kept(void) {
    for (size_t i = 0; i < KEPT_MAX; i++) unmap_kept(atomic_exchange(&kept[i], 0));
}

/* In the place of the oldest, until there is room. */
static bool keep(header *block) {
    static atomic_uint next;
    size_t mapped = block->mapped;
    uintptr_t code = (uintptr_t)block | mapped / HUGE_PAGE_BYTES;
    if (mapped > WEIR__LARGE_KEPT_BYTES) return false;
    atomic_fetch_add(&kept_bytes, mapped);
    for (size_t i = 0; i < KEPT_MAX && atomic_load(&kept_bytes) > WEIR__LARGE_KEPT_BYTES; i++)
        unmap_kept(atomic_exchange(&kept[(atomic_load(&next) + i) % KEPT_MAX], 0));
    unmap_kept(atomic_exchange(&kept[atomic_fetch_add(&next, 1) % KEPT_MAX], code));
    return true;
}

/* One of the size; NULL: there is none. */
static char *take_kept(size_t mapped) {
    for (size_t i = 0; i < KEPT_MAX; i++) {
        uintptr_t code = atomic_load(&kept[i]);
        if (!code || code % HUGE_PAGE_BYTES != mapped / HUGE_PAGE_BYTES ||
            !atomic_compare_exchange_strong(&kept[i], &code, 0))
            continue;
        atomic_fetch_sub(&kept_bytes, mapped);
        atomic_store(&asked, 0);
        return (char *)(code - code % HUGE_PAGE_BYTES);
    }
    return NULL;
}

/* --- blocks ----------------------------------------------------------------------------------- */

/* Pages that nobody has touched yet; NULL: none. */
static char *map_new(size_t mapped) {
    char *from = reserve(mapped);
    if (!from) return NULL;
    if (mprotect(from, mapped, PROT_READ | PROT_WRITE) != 0) {
        munmap(from, mapped);
        return NULL;
    }
    (void)madvise(from, mapped, MADV_HUGEPAGE); /* the system may say no */
    return from;
}

void *weir__large_new(size_t size, bool zero) {
    size_t mapped = mapped_for(size), place;
    if (!mapped) return NULL;
    char *from = take_kept(mapped);
    bool used = from != NULL;
    if (!used && atomic_fetch_add(&asked, 1) % WEIR__LARGE_ASKED_MAX == WEIR__LARGE_ASKED_MAX - 1)
        drop_kept();
    if (!used) from = map_new(mapped);
    if (!from) return NULL;
    if (!take_place((uintptr_t)from + HEADER_BYTES, &place)) {
        munmap(from, mapped);
        return NULL;
    }
    if (used && zero) memset(from + HEADER_BYTES, 0, size);
    *(header *)(void *)from = (header){mapped, place};
    return from + HEADER_BYTES;
}

/* Pages move as they are, whole huge ones too, since both ends are on the border of one. */
void *weir__large_resize(void *memory, size_t size) {
    header *before = header_of(memory);
    size_t mapped = mapped_for(size), place = before->place;
    if (mapped == before->mapped) return memory;
    char *to = mapped ? reserve(mapped) : NULL;
    if (!to) return NULL;
    if (mremap(before, before->mapped, mapped, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED) {
        munmap(to, mapped);
        return NULL;
    }
    ((header *)(void *)to)->mapped = mapped;
    atomic_store_explicit(&blocks[place], (uintptr_t)to + HEADER_BYTES, memory_order_relaxed);
    return to + HEADER_BYTES;
}

size_t weir__large_size(const void *memory) {
    return header_of(memory)->mapped - HEADER_BYTES;
}

void weir__large_free(void *memory) {
    header *block = header_of(memory);
    atomic_store_explicit(&blocks[block->place], 0, memory_order_relaxed);
    if (!keep(block)) munmap(block, block->mapped);
}

#include "memory.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

enum { SPARES_MAX = 16, ALIGNMENT = 2 * 1024 * 1024, NAME_BYTES = 127 };
static const size_t least_bytes = 1024 * 1024, spare_bytes_max = 256 * 1024 * 1024;

typedef enum owner {
    NONE,
    FILLED,
    ARRAY
} owner; /* now: by nobody here, by a thread that copies, by NumPy */

typedef struct spare {
    char *map; /* writable */
    size_t size;
    int fd;
    owner use;
    bool touched; /* all its pages are mapped */
    bool dropped; /* goes with its array */
} spare;

/* Where an array lies that others have. */
typedef struct given {
    char *map;
    size_t size;
    struct given *next;
} given;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all below */
static spare spares[SPARES_MAX];                         /* the last that was used is the last */
static size_t spare_count;
static given *all_given;

/* --- mappings ------------------------------------------------------------------------------------ */

static size_t whole_pages(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (size + page - 1) / page * page;
}

/* Addresses, aligned so that the kernel moves tables of pages whole; and no other allocator's arrays begin there. */
static char *reserve(size_t size) {
    size_t whole = whole_pages(size) + ALIGNMENT;
    char *all = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) return NULL;
    size_t before = (ALIGNMENT - (uintptr_t)all % ALIGNMENT) % ALIGNMENT;
    if (before) munmap(all, before);
    munmap(all + before + whole_pages(size), ALIGNMENT - before);
    return all + before;
}

static int open_anew(int fd, int how) {
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, how | O_CLOEXEC);
}

/* The kernel counts descriptors that were opened, and that of memfd_create was not. */
static int open_memory(void) {
    int first = memfd_create("weir-value", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (first < 0) return -1;
    int fd = open_anew(first, O_RDWR);
    close(first);
    return fd;
}

static bool write_all(int fd, const char *bytes, size_t size) {
    for (size_t at = 0; at < size;) {
        ssize_t written = pwrite(fd, bytes + at, size - at, (off_t)at);
        if (written <= 0) return false;
        at += (size_t)written;
    }
    return true;
}

/* A child that is forked does not get it: nobody would know when that has ended. */
static bool map_spare(spare *made) {
    int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE;
    made->map = reserve(made->size);
    if (!made->map) return false;
    if (mmap(made->map, made->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, made->fd, 0) !=
            MAP_FAILED &&
        madvise(made->map, made->size, MADV_DONTFORK) == 0 &&
        fcntl(made->fd, F_ADD_SEALS, seals) == 0)
        return true;
    munmap(made->map, made->size);
    return false;
}

static void touch(spare *s) {
    if (s->touched) return;
    madvise(s->map, s->size, MADV_POPULATE_WRITE); /* a fault for each takes longer */
    s->touched = true;
}

/* --- spares -------------------------------------------------------------------------------------- */

static bool is_free(const spare *s) {
    if (s->use != NONE || fcntl(s->fd, F_SETLEASE, F_WRLCK) != 0) return false;
    fcntl(s->fd, F_SETLEASE, F_UNLCK);
    return true;
}

static void remove_spare(size_t at) {
    memmove(&spares[at], &spares[at + 1], (--spare_count - at) * sizeof *spares);
}

static void close_spare(size_t at) {
    munmap(spares[at].map, spares[at].size);
    close(spares[at].fd);
    remove_spare(at);
}

/* One that is free and not much larger, which comes to the end. */
static spare *take_spare(size_t size, owner use) {
    for (size_t i = 0; i < spare_count; i++) {
        spare found = spares[i];
        if (found.size < size || found.size / 2 > size || !is_free(&found)) continue;
        remove_spare(i);
        found.use = use;
        spares[spare_count++] = found;
        return &spares[spare_count - 1];
    }
    return NULL;
}

static spare *spare_of_map(const char *map) {
    for (size_t i = 0; i < spare_count; i++)
        if (spares[i].map == map) return &spares[i];
    return NULL;
}

/* The one that was not used for longest, of those that can go. */
static size_t find_oldest(void) {
    size_t at = 0;
    while (at < spare_count && spares[at].use != NONE) at++;
    return at;
}

static void keep_spare(const spare *made) {
    size_t bytes = made->size;
    for (size_t i = 0; i < spare_count; i++) bytes += spares[i].size;
    while (spare_count == SPARES_MAX || bytes > spare_bytes_max) {
        size_t oldest = find_oldest();
        if (oldest == spare_count) {
            munmap(made->map, made->size); /* who has its descriptor keeps the memory */
            close(made->fd);
            return;
        }
        bytes -= spares[oldest].size;
        close_spare(oldest);
    }
    spares[spare_count++] = *made;
}

static int copy_anew(const void *bytes, size_t size) {
    spare made = {.fd = open_memory(), .size = size};
    if (made.fd < 0) return -1;
    if (!write_all(made.fd, bytes, size) || !map_spare(&made)) {
        close(made.fd);
        return -1;
    }
    int lent = open_anew(made.fd, O_RDONLY);
    pthread_mutex_lock(&lock);
    keep_spare(&made);
    pthread_mutex_unlock(&lock);
    return lent;
}

int weir_memory_copy(const void *bytes, size_t size) {
    if (size < least_bytes || size > spare_bytes_max) return -1;
    pthread_mutex_lock(&lock);
    spare *found = take_spare(size, FILLED);
    spare filled = found ? *found : (spare){0};
    pthread_mutex_unlock(&lock);
    if (!found) return copy_anew(bytes, size);
    touch(&filled);
    memcpy(filled.map, bytes, size);
    int lent = open_anew(filled.fd, O_RDONLY);
    pthread_mutex_lock(&lock);
    spare *kept = spare_of_map(filled.map);
    kept->touched = true;
    kept->use = NONE;
    if (kept->dropped) close_spare((size_t)(kept - spares));
    pthread_mutex_unlock(&lock);
    return lent;
}

void weir_memory_drop(void) {
    pthread_mutex_lock(&lock);
    for (size_t i = spare_count; i--;) {
        if (spares[i].use == NONE)
            close_spare(i);
        else
            spares[i].dropped = true;
    }
    pthread_mutex_unlock(&lock);
}

/* --- arrays that others have --------------------------------------------------------------------- */

/* The writable mapping goes elsewhere, and where the array is comes a private one: of a descriptor for reading, so that the memory is not free
 * before this mapping is gone, here and in every child. There is a mapping at all times, as other threads may look at the array. */
static bool give(spare *s, int fd) {
    given *entry = malloc(sizeof *entry);
    char *elsewhere = entry ? reserve(s->size) : NULL;
    int how = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
    if (elsewhere && mremap(s->map, s->size, s->size, how, elsewhere) != MAP_FAILED &&
        mmap(s->map, s->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd,
             0) != MAP_FAILED) {
        *entry = (given){s->map, s->size, all_given};
        all_given = entry;
        s->map = elsewhere;
        s->use = NONE;
        return true;
    }
    if (elsewhere) munmap(elsewhere, s->size);
    free(entry);
    return false;
}

int weir_memory_lend(const void *bytes, size_t size, size_t *offset) {
    int fd = -1;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < spare_count; i++) {
        spare *s = &spares[i];
        if (s->use != ARRAY || (const char *)bytes < s->map || size > s->size) continue;
        size_t at = (size_t)((const char *)bytes - s->map);
        if (at > s->size - size || size < s->size / 2) continue;
        fd = open_anew(s->fd, O_RDONLY);
        if (fd >= 0 && !give(s, fd)) {
            close(fd);
            fd = -1;
        }
        *offset = at;
        if (fd >= 0 && s->dropped) close_spare(i);
        break;
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

/* Where the child would write into what this process looks at. */
static void before_fork(void) {
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < spare_count; i++) {
        if (spares[i].use != ARRAY) continue;
        int fd = open_anew(spares[i].fd, O_RDONLY);
        if (fd < 0 || !give(&spares[i], fd)) madvise(spares[i].map, spares[i].size, MADV_DOFORK);
        if (fd >= 0) close(fd);
    }
}

static void in_parent(void) {
    pthread_mutex_unlock(&lock);
}

static void in_child(void) {
    for (size_t i = 0; i < spare_count; i++) {
        given *entry =
            spares[i].use == ARRAY ? malloc(sizeof *entry) : NULL; /* it could not be given */
        if (entry) {
            *entry = (given){spares[i].map, spares[i].size, all_given};
            all_given = entry;
        }
        close(spares[i].fd);
    }
    spare_count = 0;
    pthread_mutex_unlock(&lock);
}

/* --- what NumPy calls ---------------------------------------------------------------------------- */

/* As numpy/ndarraytypes.h has them, since NumPy 1.22: NEP 49. */
typedef struct allocator {
    void *ctx;
    void *(*malloc)(void *ctx, size_t size);
    void *(*calloc)(void *ctx, size_t count, size_t size);
    void *(*realloc)(void *ctx, void *at, size_t size);
    void (*free)(void *ctx, void *at, size_t size);
} allocator;

typedef struct handler {
    char name[NAME_BYTES];
    uint8_t version;
    allocator allocator;
} handler;

static allocator other;

static void *take_array(size_t size) {
    if (size < least_bytes || size > spare_bytes_max) return NULL;
    pthread_mutex_lock(&lock);
    spare *found = take_spare(size, ARRAY);
    if (found) touch(found);
    char *map = found ? found->map : NULL;
    pthread_mutex_unlock(&lock);
    return map;
}

/* 0: it is none of ours. */
static size_t size_of_array(const void *at) {
    size_t size = 0;
    if ((uintptr_t)at % ALIGNMENT) return 0;
    pthread_mutex_lock(&lock);
    const spare *s = spare_of_map(at);
    if (s && s->use == ARRAY) size = s->size;
    for (const given *g = all_given; g && !size; g = g->next)
        if (g->map == at) size = g->size;
    pthread_mutex_unlock(&lock);
    return size;
}

static bool free_array(const void *at) {
    if (!at || (uintptr_t)at % ALIGNMENT) return false;
    pthread_mutex_lock(&lock);
    spare *s = spare_of_map(at);
    bool found = s && s->use == ARRAY;
    if (found) {
        s->use = NONE;
        if (s->dropped) close_spare((size_t)(s - spares));
    }
    for (given **place = &all_given; *place && !found; place = &(*place)->next) {
        given *g = *place;
        if (g->map != at) continue;
        munmap(g->map, g->size);
        *place = g->next;
        free(g);
        found = true;
        break;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static void *make(void *ctx, size_t size) {
    void *array = take_array(size);
    return array ? array : other.malloc(ctx, size);
}

static void *make_clear(void *ctx, size_t count, size_t size) {
    size_t bytes;
    void *array = __builtin_mul_overflow(count, size, &bytes) ? NULL : take_array(bytes);
    return array ? memset(array, 0, bytes) : other.calloc(ctx, count, size);
}

static void *make_larger(void *ctx, void *at, size_t size) {
    size_t before = at ? size_of_array(at) : 0;
    if (!before) return other.realloc(ctx, at, size);
    void *moved = other.malloc(ctx, size);
    if (!moved) return NULL;
    memcpy(moved, at, before < size ? before : size);
    free_array(at);
    return moved;
}

static void end(void *ctx, void *at, size_t size) {
    if (!free_array(at)) other.free(ctx, at, size);
}

void *weir_memory_handler(const void *others) {
    static handler made = {.name = "weir", .version = 1};
    if (other.malloc) return &made;
    other = ((const handler *)others)->allocator;
    made.allocator = (allocator){other.ctx, make, make_clear, make_larger, end};
    pthread_atfork(before_fork, in_parent, in_child);
    return &made;
}

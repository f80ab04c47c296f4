#include "base/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* Nobody can write who gets it; with the second who made it could, and does once all others are gone: see sdk/python/weir/values.py. */
enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW, WRITING = F_SEAL_WRITE | F_SEAL_FUTURE_WRITE };

struct weir_segment {
    atomic_uint refs;
    int fd; /* -1: there were too many; it is mapped */
    size_t size;
    dev_t device;
    ino_t inode;
    _Atomic(char *) data; /* NULL: not mapped yet */
};

static atomic_ullong all_bytes;
static atomic_uint descriptors;

/* So many are kept open, of those that the process may have. */
static unsigned descriptors_max(void) {
    struct rlimit most;
    if (getrlimit(RLIMIT_NOFILE, &most) || most.rlim_cur == RLIM_INFINITY) return 65536;
    return (unsigned)(most.rlim_cur < 131072 ? most.rlim_cur / 2 : 65536);
}

static char *map(int fd, size_t size) {
    void *data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    return data == MAP_FAILED ? NULL : data;
}

/* What is left of it then is the mapping, which needs no descriptor. */
static void give_back_descriptor(weir_segment *segment) {
    char *data = segment->size ? map(segment->fd, segment->size) : NULL;
    if (!data && segment->size) return;
    atomic_store(&segment->data, data);
    close(segment->fd);
    segment->fd = -1;
    atomic_fetch_sub(&descriptors, 1);
}

static weir_segment *segment_of(int fd, const struct stat *what) {
    weir_segment *segment = weir_alloc(sizeof *segment);
    atomic_init(&segment->refs, 1);
    segment->fd = fd;
    segment->size = (size_t)what->st_size;
    segment->device = what->st_dev;
    segment->inode = what->st_ino;
    atomic_fetch_add(&all_bytes, segment->size);
    if (atomic_fetch_add(&descriptors, 1) >= descriptors_max()) give_back_descriptor(segment);
    return segment;
}

bool weir_segment_take(int fd, weir_segment **out, weir_error *error) {
    struct stat what;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS || !(seals & WRITING) || fstat(fd, &what) < 0 ||
        what.st_size < 0) {
        close(fd);
        return weir_fail(error, WEIR_INVALID, "a descriptor of memory that is not sealed");
    }
    *out = segment_of(fd, &what);
    return true;
}

static bool fill(int fd, weir_str bytes, weir_error *error) {
    if (weir_descriptor_write(fd, bytes) &&
        fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
        return true;
    return weir_fail(error, WEIR_IO, "no memory to share %zu bytes: %s", bytes.length,
                     strerror(errno));
}

static bool make(weir_str bytes, int *fd, weir_error *error) {
    *fd = memfd_create("weir-value", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0)
        return weir_fail(error, WEIR_IO, "no descriptor for memory that is shared: %s",
                         strerror(errno));
    if (fill(*fd, bytes, error)) return true;
    close(*fd);
    return false;
}

bool weir_segment_new(weir_str bytes, weir_segment **out, weir_error *error) {
    int fd;
    return make(bytes, &fd, error) && weir_segment_take(fd, out, error);
}

weir_segment *weir_segment_ref(weir_segment *segment) {
    atomic_fetch_add_explicit(&segment->refs, 1, memory_order_relaxed);
    return segment;
}

void weir_segment_unref(weir_segment *segment) {
    if (!segment || atomic_fetch_sub_explicit(&segment->refs, 1, memory_order_acq_rel) != 1) return;
    char *data = atomic_load(&segment->data);
    if (data) munmap(data, segment->size);
    if (segment->fd >= 0) {
        close(segment->fd);
        atomic_fetch_sub(&descriptors, 1);
    }
    atomic_fetch_sub(&all_bytes, segment->size);
    weir_free(segment);
}

size_t weir_segment_size(const weir_segment *segment) {
    return segment->size;
}

const char *weir_segment_data(weir_segment *segment) {
    char *data = atomic_load_explicit(&segment->data, memory_order_acquire), *known = NULL;
    if (data) return data;
    data = map(segment->fd, segment->size);
    if (!data) weir_memory_ended(segment->size);
    if (atomic_compare_exchange_strong(&segment->data, &known, data)) return data;
    munmap(data, segment->size); /* another thread was first */
    return known;
}

bool weir_segment_lend(weir_segment *segment, int *fd, weir_error *error) {
    if (segment->fd < 0)
        return make((weir_str){atomic_load(&segment->data), segment->size}, fd, error);
    *fd = fcntl(segment->fd, F_DUPFD_CLOEXEC, 0);
    if (*fd >= 0) return true;
    return weir_fail(error, WEIR_IO, "no descriptor for memory that is shared: %s",
                     strerror(errno));
}

bool weir_segment_is(const weir_segment *a, const weir_segment *b) {
    return a == b || (a->device == b->device && a->inode == b->inode && a->size == b->size);
}

uint64_t weir_segments_bytes(void) {
    return atomic_load(&all_bytes);
}

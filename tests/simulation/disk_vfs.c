#include "disk_vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>

enum { NAME_MAX_BYTES = 512, SECTOR_BYTES = 4096 };

/* A file that is open. Locks of a WAL index are bits. */
typedef struct disk_handle {
    sqlite3_file base;
    disk_file *file;
    int lock; /* SQLITE_LOCK_* */
    uint32_t shared, exclusive;
    bool temporary;
    bool syncs_names; /* at its first sync: as SQLite does for logs that may be new */
} disk_handle;

static virtual_disk *disk; /* which SQLite uses */
static int last_error;     /* errno's */

static int failed(int reason, int code) {
    last_error = reason;
    if (reason == 0) return SQLITE_OK;
    return reason == ENOSPC ? SQLITE_FULL : code;
}

/* --- a file --------------------------------------------------------------------------------- */

static int close_file(sqlite3_file *base) {
    disk_handle *h = (disk_handle *)base;
    disk_file *file = h->file;
    for (size_t i = 0; i < file->handles.count; i++)
        if (file->handles.items[i] == h)
            file->handles.items[i--] = file->handles.items[--file->handles.count];
    if (h->temporary) file->is_there = false;
    return SQLITE_OK;
}

static int read_file(sqlite3_file *base, void *to, int amount, sqlite3_int64 offset) {
    const disk_bytes *bytes = &((disk_handle *)base)->file->bytes;
    int reason = virtual_disk_read(disk);
    if (reason) return failed(reason, SQLITE_IOERR_READ);
    size_t wanted = (size_t)amount;
    size_t there = disk_bytes_read(bytes, to, wanted, (uint64_t)offset);
    memset((char *)to + there, 0, wanted - there);
    return there == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int write_file(sqlite3_file *base, const void *from, int amount, sqlite3_int64 offset) {
    weir_str bytes = {from, (size_t)amount};
    return failed(virtual_disk_write(disk, ((disk_handle *)base)->file, bytes, (uint64_t)offset),
                  SQLITE_IOERR_WRITE);
}

static int truncate_file(sqlite3_file *base, sqlite3_int64 length) {
    return failed(virtual_disk_set_length(disk, ((disk_handle *)base)->file, (uint64_t)length),
                  SQLITE_IOERR_TRUNCATE);
}

static int sync_file(sqlite3_file *base, int flags) {
    (void)flags;
    disk_handle *h = (disk_handle *)base;
    int reason = virtual_disk_sync(disk, h->file, h->syncs_names);
    if (!reason) h->syncs_names = false;
    return failed(reason, SQLITE_IOERR_FSYNC);
}

static int file_size(sqlite3_file *base, sqlite3_int64 *out) {
    *out = (sqlite3_int64)((disk_handle *)base)->file->bytes.length;
    return SQLITE_OK;
}

/* The highest lock that another has. */
static int lock_of_others(const disk_handle *h) {
    int highest = SQLITE_LOCK_NONE;
    for (size_t i = 0; i < h->file->handles.count; i++) {
        const disk_handle *other = h->file->handles.items[i];
        if (other != h && other->lock > highest) highest = other->lock;
    }
    return highest;
}

static int lock_file(sqlite3_file *base, int lock) {
    disk_handle *h = (disk_handle *)base;
    int others = lock_of_others(h);
    if (lock <= h->lock) return SQLITE_OK;
    bool free = lock == SQLITE_LOCK_SHARED     ? others < SQLITE_LOCK_PENDING
                : lock == SQLITE_LOCK_RESERVED ? others < SQLITE_LOCK_RESERVED
                                               : others < SQLITE_LOCK_SHARED;
    if (free) h->lock = lock;
    return free ? SQLITE_OK : SQLITE_BUSY;
}

static int unlock_file(sqlite3_file *base, int lock) {
    disk_handle *h = (disk_handle *)base;
    if (lock < h->lock) h->lock = lock;
    return SQLITE_OK;
}

static int check_reserved_lock(sqlite3_file *base, int *out) {
    *out = lock_of_others((disk_handle *)base) >= SQLITE_LOCK_RESERVED;
    return SQLITE_OK;
}

static int control_file(sqlite3_file *base, int what, void *arg) {
    (void)base;
    (void)what;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int sector_size(sqlite3_file *base) {
    (void)base;
    return SECTOR_BYTES;
}

/* As SQLite has it for the disks of Linux. */
static int characteristics(sqlite3_file *base) {
    (void)base;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* --- the shared memory of a WAL index ------------------------------------------------------- */

static int map_shared(sqlite3_file *base, int region, int size, int extend, void volatile **out) {
    disk_file *file = ((disk_handle *)base)->file;
    *out = NULL;
    while (extend && file->shared.count <= (size_t)region)
        *weir_vector_push(&file->shared) = weir_alloc((size_t)size);
    if ((size_t)region < file->shared.count) *out = file->shared.items[region];
    return SQLITE_OK;
}

static int lock_shared(sqlite3_file *base, int first, int count, int flags) {
    disk_handle *h = (disk_handle *)base;
    uint32_t bits = ((1u << count) - 1) << first, shared = 0, exclusive = 0;
    if (flags & SQLITE_SHM_UNLOCK) {
        h->shared &= ~bits;
        h->exclusive &= ~bits;
        return SQLITE_OK;
    }
    for (size_t i = 0; i < h->file->handles.count; i++) {
        const disk_handle *other = h->file->handles.items[i];
        if (other == h) continue;
        shared |= other->shared;
        exclusive |= other->exclusive;
    }
    bool whole = flags & SQLITE_SHM_EXCLUSIVE;
    if (bits & (exclusive | (whole ? shared : 0))) return SQLITE_BUSY;
    *(whole ? &h->exclusive : &h->shared) |= bits;
    return SQLITE_OK;
}

static void shared_barrier(sqlite3_file *base) {
    (void)base;
}

/* Gone with the last who has the file open: the next to come makes it from the log. */
static int unmap_shared(sqlite3_file *base, int remove) {
    (void)remove;
    disk_file *file = ((disk_handle *)base)->file;
    if (file->handles.count > 1) return SQLITE_OK;
    for (size_t i = 0; i < file->shared.count; i++) weir_free(file->shared.items[i]);
    file->shared.count = 0;
    return SQLITE_OK;
}

/* --- the file system ------------------------------------------------------------------------ */

static const sqlite3_io_methods methods = {2,
                                           close_file,
                                           read_file,
                                           write_file,
                                           truncate_file,
                                           sync_file,
                                           file_size,
                                           lock_file,
                                           unlock_file,
                                           check_reserved_lock,
                                           control_file,
                                           sector_size,
                                           characteristics,
                                           map_shared,
                                           lock_shared,
                                           shared_barrier,
                                           unmap_shared,
                                           NULL,
                                           NULL};

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *out) {
    (void)vfs;
    static uint64_t temporaries;
    char temporary[32];
    disk_handle *h = (disk_handle *)base;
    *h = (disk_handle){.temporary = !name};
    snprintf(temporary, sizeof temporary, "temporary-%llu", (unsigned long long)temporaries);
    temporaries += !name;
    disk_file *file = virtual_disk_file(disk, name ? name : temporary);
    if (!file->is_there && !(flags & SQLITE_OPEN_CREATE)) return failed(ENOENT, SQLITE_CANTOPEN);
    int reason = file->is_there ? 0 : virtual_disk_read(disk);
    if (reason) return failed(reason, SQLITE_CANTOPEN);
    file->is_there = true;
    h->file = file;
    h->syncs_names = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL);
    *weir_vector_push(&file->handles) = h;
    h->base.pMethods = &methods;
    if (out) *out = flags;
    return SQLITE_OK;
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int sync) {
    (void)vfs;
    disk_file *file = virtual_disk_file(disk, name);
    if (!file->is_there) return SQLITE_IOERR_DELETE_NOENT;
    return failed(virtual_disk_remove(disk, file, sync != 0), SQLITE_IOERR_DELETE);
}

static int access_file(sqlite3_vfs *vfs, const char *name, int flags, int *out) {
    (void)vfs;
    const disk_file *file = virtual_disk_file(disk, name);
    *out = file->is_there && (flags != SQLITE_ACCESS_EXISTS || file->bytes.length); /* as on Unix */
    return SQLITE_OK;
}

static int full_path(sqlite3_vfs *vfs, const char *name, int size, char *out) {
    (void)vfs;
    snprintf(out, (size_t)size, "%s", name);
    return SQLITE_OK;
}

static int randomness(sqlite3_vfs *vfs, int count, char *out) {
    (void)vfs;
    for (int i = 0; i < count; i++) out[i] = (char)simulation_draw(disk->sim, 256);
    return count;
}

/* Who waits for a lock need not: nobody gives it back meanwhile. */
static int sleep_a_moment(sqlite3_vfs *vfs, int us) {
    (void)vfs;
    return us;
}

static int current_time(sqlite3_vfs *vfs, double *out) {
    (void)vfs;
    *out = 2440587.5 + (double)disk->sim->now_us / 86400e6;
    return SQLITE_OK;
}

static int last_error_of(sqlite3_vfs *vfs, int size, char *out) {
    (void)vfs;
    (void)size;
    (void)out;
    return last_error;
}

/* The one thing that the store asks the system for and SQLite has no function for; the linker puts this in its place. */
int __wrap_rename(const char *from, const char *to);
int __real_rename(const char *from, const char *to);

__attribute__((used)) int __wrap_rename(const char *from, const char *to) {
    int reason =
        virtual_disk_rename(disk, virtual_disk_file(disk, from), virtual_disk_file(disk, to));
    if (!reason) return __real_rename(from, to);
    errno = reason;
    return -1;
}

void disk_vfs_use(virtual_disk *which) {
    static sqlite3_vfs vfs = {.iVersion = 1,
                              .szOsFile = sizeof(disk_handle),
                              .mxPathname = NAME_MAX_BYTES,
                              .zName = "simulation",
                              .xOpen = open_file,
                              .xDelete = delete_file,
                              .xAccess = access_file,
                              .xFullPathname = full_path,
                              .xRandomness = randomness,
                              .xSleep = sleep_a_moment,
                              .xCurrentTime = current_time,
                              .xGetLastError = last_error_of};
    static bool configured;
    disk = which;
    if (!configured) {
        /* There is one thread, and nobody asks how much memory SQLite has. Before anything else is asked of it. */
        sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
        configured = true;
    }
    sqlite3_vfs_register(&vfs, 1);
    sqlite3_randomness(0, NULL); /* begins anew, from this disk's chance */
}

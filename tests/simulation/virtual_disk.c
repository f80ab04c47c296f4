#include "virtual_disk.h"

#include <errno.h>

enum { SECTOR = 512, QUICK_US_MAX = 300, SLOW_US_MAX = 30 * 1000 };

static void file_free(disk_file *file) {
    weir_assert(!file->handles.count);
    weir_free(file->name);
    disk_bytes_deinit(&file->bytes);
    disk_bytes_deinit(&file->kept);
    weir_buffer_deinit(&file->unsynced_bytes);
    weir_vector_deinit(&file->unsynced);
    weir_vector_deinit(&file->handles);
    weir_vector_deinit(&file->shared);
    weir_free(file);
}

void virtual_disk_deinit(virtual_disk *disk) {
    for (size_t i = 0; i < disk->files.count; i++) file_free(disk->files.items[i]);
    weir_vector_deinit(&disk->files);
}

disk_file *virtual_disk_file(virtual_disk *disk, const char *name) {
    for (size_t i = 0; i < disk->files.count; i++)
        if (strcmp(disk->files.items[i]->name, name) == 0) return disk->files.items[i];
    disk_file *file = weir_alloc(sizeof *file);
    file->name = weir_str_dup(weir_str_from(name));
    *weir_vector_push(&disk->files) = file;
    return file;
}

/* --- what happens to an operation ----------------------------------------------------------- */

typedef enum fate { FATE_DONE, FATE_LAST, FATE_NEVER } fate;

/* Whether it is done, done as the last thing the process does, or not done at all. */
static fate begin(virtual_disk *disk) {
    if (disk->dead) return FATE_NEVER;
    disk->operations++;
    disk->took_us += simulation_draw(disk->sim, disk->slow ? SLOW_US_MAX : QUICK_US_MAX);
    if (disk->operations != disk->crash_at) return FATE_DONE;
    disk->dead = true;
    simulation_trace(disk->sim, "the process dies %s operation %llu of the disk",
                     disk->crash_after ? "after" : "at", (unsigned long long)disk->operations);
    return disk->crash_after ? FATE_LAST : FATE_NEVER;
}

static bool has_fault(const virtual_disk *disk, disk_fault fault) {
    return disk->fault == fault && disk->fault_at && disk->operations >= disk->fault_at;
}

static int end(fate f) {
    return f == FATE_DONE ? 0 : EIO;
}

/* --- bytes ---------------------------------------------------------------------------------- */

int virtual_disk_write(virtual_disk *disk, disk_file *file, weir_str bytes, uint64_t offset) {
    fate f = begin(disk);
    if (f == FATE_NEVER || has_fault(disk, DISK_WRITES_FAIL)) return EIO;
    bool full = has_fault(disk, DISK_FULL) && offset + bytes.length > file->bytes.length;
    if (full) bytes.length = bytes.length / 2 / SECTOR * SECTOR;
    disk_bytes_put(&file->bytes, bytes, offset);
    *weir_vector_push(&file->unsynced) = (disk_write){offset, bytes.length, false};
    weir_buffer_str_append(&file->unsynced_bytes, bytes);
    return full ? ENOSPC : end(f);
}

int virtual_disk_set_length(virtual_disk *disk, disk_file *file, uint64_t length) {
    fate f = begin(disk);
    if (f == FATE_NEVER || has_fault(disk, DISK_WRITES_FAIL)) return EIO;
    if (has_fault(disk, DISK_FULL) && length > file->bytes.length) return ENOSPC;
    disk_bytes_set_length(&file->bytes, length);
    *weir_vector_push(&file->unsynced) = (disk_write){length, 0, true};
    return end(f);
}

static void forget_unsynced(disk_file *file) {
    file->unsynced.count = 0;
    weir_buffer_clear(&file->unsynced_bytes);
}

int virtual_disk_sync(virtual_disk *disk, disk_file *file, bool names) {
    fate f = begin(disk);
    if (f == FATE_NEVER) return EIO;
    if (has_fault(disk, DISK_SYNCS_FAIL)) {
        /* As Linux does: whoever asks again is told that all is well. */
        if (simulation_draw(disk->sim, 2)) forget_unsynced(file);
        return EIO;
    }
    const char *data = file->unsynced_bytes.data;
    for (size_t i = 0; i < file->unsynced.count; i++) {
        const disk_write *w = &file->unsynced.items[i];
        if (w->sets_length)
            disk_bytes_set_length(&file->kept, w->offset);
        else
            disk_bytes_put(&file->kept, (weir_str){data, w->length}, w->offset);
        data += w->length;
    }
    forget_unsynced(file);
    for (size_t i = 0; i < disk->files.count && names; i++)
        disk->files.items[i]->is_kept = disk->files.items[i]->is_there;
    file->is_kept = file->is_there;
    return end(f);
}

int virtual_disk_remove(virtual_disk *disk, disk_file *file, bool sync) {
    fate f = begin(disk);
    if (f == FATE_NEVER) return EIO;
    file->is_there = false;
    if (sync) file->is_kept = false;
    disk_bytes_set_length(&file->bytes, 0);
    forget_unsynced(file);
    return end(f);
}

/* A power cut may undo it: then the one has its bytes again, and the other what was there before. */
int virtual_disk_rename(virtual_disk *disk, disk_file *from, disk_file *to) {
    fate f = begin(disk);
    if (f == FATE_NEVER) return EIO;
    forget_unsynced(to);
    weir_assert(!from->handles.count && !to->handles.count);
    disk_bytes_copy(&to->bytes, &from->bytes);
    disk_bytes_copy(&to->kept, &from->kept);
    to->is_there = true;
    from->is_there = false;
    return end(f);
}

void virtual_disk_settle(virtual_disk *disk) {
    for (size_t i = 0; i < disk->files.count; i++) {
        disk_file *file = disk->files.items[i];
        disk_bytes_copy(&file->kept, &file->bytes);
        file->is_kept = file->is_there;
        forget_unsynced(file);
    }
    disk->operations = 0;
}

void virtual_disk_copy(virtual_disk *disk, const virtual_disk *from) {
    for (size_t i = 0; i < from->files.count; i++) {
        const disk_file *original = from->files.items[i];
        disk_file *file = virtual_disk_file(disk, original->name);
        file->is_there = original->is_there;
        file->is_kept = original->is_kept;
        disk_bytes_copy(&file->bytes, &original->bytes);
        disk_bytes_copy(&file->kept, &original->kept);
        weir_buffer_str_append(&file->unsynced_bytes, weir_buffer_str(&original->unsynced_bytes));
        for (size_t k = 0; k < original->unsynced.count; k++)
            *weir_vector_push(&file->unsynced) = original->unsynced.items[k];
    }
    disk->operations = from->operations;
}

int virtual_disk_read(virtual_disk *disk) {
    return disk->dead || has_fault(disk, DISK_READS_FAIL) ? EIO : 0;
}

/* --- the power ------------------------------------------------------------------------------ */

/* How a cut treats what was written: of `of` sectors this many are there. */
typedef struct luck {
    uint64_t there, of;
} luck;

static const luck lucks[] = {{0, 1}, {1, 1}, {1, 2}, {1, 8}, {7, 8}};

static bool is_lucky(virtual_disk *disk, luck l) {
    return simulation_draw(disk->sim, l.of) < l.there;
}

/* Each sector by itself; which part of a write that is, the disk does not know. */
static void put_sectors(virtual_disk *disk, disk_file *file, const disk_write *w, const char *data,
                        luck l) {
    for (size_t at = 0; at < w->length;) {
        size_t rest = SECTOR - (w->offset + at) % SECTOR;
        size_t length = w->length - at < rest ? w->length - at : rest;
        if (is_lucky(disk, l))
            disk_bytes_put(&file->kept, (weir_str){data + at, length}, w->offset + at);
        else
            disk->torn++;
        at += length;
    }
}

static void cut(virtual_disk *disk, disk_file *file, luck l) {
    const char *data = file->unsynced_bytes.data;
    for (size_t i = 0; i < file->unsynced.count; i++) {
        const disk_write *w = &file->unsynced.items[i];
        if (!w->sets_length)
            put_sectors(disk, file, w, data, l);
        else if (is_lucky(disk, l))
            disk_bytes_set_length(&file->kept, w->offset);
        data += w->length;
    }
    forget_unsynced(file);
    if (file->is_there != file->is_kept) file->is_there = simulation_draw(disk->sim, 2);
    file->is_kept = file->is_there;
    if (!file->is_there) disk_bytes_set_length(&file->kept, 0);
    disk_bytes_copy(&file->bytes, &file->kept);
}

void virtual_disk_cut_power(virtual_disk *disk) {
    luck l = lucks[simulation_draw(disk->sim, sizeof lucks / sizeof *lucks)];
    disk->cuts++;
    simulation_trace(disk->sim,
                     "the power is cut: of what was not synced %llu in %llu sectors stay",
                     (unsigned long long)l.there, (unsigned long long)l.of);
    for (size_t i = 0; i < disk->files.count; i++) {
        weir_assert(!disk->files.items[i]->handles.count);
        cut(disk, disk->files.items[i], l);
    }
}

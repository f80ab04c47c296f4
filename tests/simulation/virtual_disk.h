/* A disk in memory, and what disks do to those who trust them.
 *
 * A file is what was written to it and, apart from that, what is on the disk for certain: what was there at its last
 * sync. When the power is cut, of what was written since each sector of 512 bytes is there or not, in any order, a file
 * may be longer or shorter, and one that nobody synced may be gone. When a process dies nothing is lost, but what it
 * was writing stops anywhere. Operations that change the disk are counted, so that a fault may come at any of them.
 * SQLite uses the disk as its file system (disk_vfs.h). One thread. */
#ifndef WEIR_SIMULATION_VIRTUAL_DISK_H
#define WEIR_SIMULATION_VIRTUAL_DISK_H

#include "disk_bytes.h"
#include "simulation.h"

typedef enum disk_fault {
    DISK_SOUND,
    DISK_FULL,        /* no file gets longer */
    DISK_WRITES_FAIL, /* EIO */
    DISK_SYNCS_FAIL,
    DISK_READS_FAIL
} disk_fault;

/* Written and not synced: `length` bytes of the file's `unsynced_bytes`; or its length was set. */
typedef struct disk_write {
    uint64_t offset;
    size_t length;
    bool sets_length;
} disk_write;

typedef struct disk_file {
    char *name;
    bool is_there, is_kept; /* for those who open it; after a power cut for certain */
    disk_bytes bytes, kept;
    WEIR_VECTOR(disk_write) unsynced;
    weir_buffer unsynced_bytes;
    WEIR_VECTOR(struct disk_handle *) handles; /* disk_vfs.c's, as is what follows */
    WEIR_VECTOR(void *) shared;                /* memory of a WAL index */
} disk_file;

typedef struct virtual_disk {
    simulation *sim;
    WEIR_VECTOR(disk_file *) files;
    uint64_t operations;
    uint64_t crash_at; /* the operation at which the process dies; 0: none */
    bool crash_after;  /* when it is done */
    bool dead;         /* the process is: what it does now changes nothing */
    uint64_t fault_at; /* the operation from which on there is a fault; 0: none */
    disk_fault fault;
    bool slow;
    uint64_t took_us; /* operations since it was last set to 0 */
    uint64_t cuts, torn;
} virtual_disk;

void virtual_disk_deinit(virtual_disk *disk);
/* Also one that was removed; made when there is none. */
disk_file *virtual_disk_file(virtual_disk *disk, const char *name);

/* 0, or an errno. What was written by half when the disk got full is there by half. */
int virtual_disk_write(virtual_disk *disk, disk_file *file, weir_str bytes, uint64_t offset);
int virtual_disk_set_length(virtual_disk *disk, disk_file *file, uint64_t length);
/* With `names` the folder, too. */
int virtual_disk_sync(virtual_disk *disk, disk_file *file, bool names);
int virtual_disk_remove(virtual_disk *disk, disk_file *file, bool sync);
int virtual_disk_rename(virtual_disk *disk, disk_file *from, disk_file *to);
/* All is on the disk, and nothing was counted. */
void virtual_disk_settle(virtual_disk *disk);
/* Has all files of the other, whose files nobody has open, and as many operations; it had none. */
void virtual_disk_copy(virtual_disk *disk, const virtual_disk *from);
/* Whether it can be read just now. */
int virtual_disk_read(virtual_disk *disk);

/* What is not synced is there, or not, or in part. Nobody has a file open. */
void virtual_disk_cut_power(virtual_disk *disk);

#endif

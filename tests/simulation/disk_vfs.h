/* The virtual disk as SQLite's file system (https://www.sqlite.org/vfs.html), in place of the system's, with the locks and
 * the shared memory of several connections. One disk at a time. */
#ifndef WEIR_SIMULATION_DISK_VFS_H
#define WEIR_SIMULATION_DISK_VFS_H

#include "virtual_disk.h"

/* What SQLite opens from now on is on this disk. */
void disk_vfs_use(virtual_disk *disk);

#endif

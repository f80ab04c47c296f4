/* What this computer has for the processes of this one: memory and processors, as the machine, this process's control groups (cgroups v1 and v2)
 * and its affinity allow. Read from files of the kernel below `root` ("" for the real ones). Any thread. */
#ifndef WEIR_IO_HARDWARE_H
#define WEIR_IO_HARDWARE_H

#include "base/text.h"

/* 0: not known. */
typedef struct weir_hardware {
    uint64_t
        memory_bytes; /* that there is at all: the machine's, or the least limit of a group that this process is in */
    uint64_t available_bytes; /* of it, that could be taken now without swapping */
    uint32_t cpu_milli;       /* thousandths of a processor */
} weir_hardware;

void weir_hardware_read(const char *root, weir_hardware *out);
/* What the processes that descend from this one, without it, have in memory now. */
uint64_t weir_hardware_descendants_bytes(const char *root, int pid);

#endif

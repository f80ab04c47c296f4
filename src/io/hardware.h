/* What this computer has for the processes of this one: memory and processors, as the machine, this process's control groups (cgroups v1 and v2)
 * and its affinity allow. Read from files of the kernel below `root` ("" for the real ones). Any thread. */
#ifndef WEIR_IO_HARDWARE_H
#define WEIR_IO_HARDWARE_H

#include "base/text.h"

/* 0: not known. */
typedef struct weir_hardware {
    uint64_t
        memory_bytes; /* that there is at all: the machine's, or the least limit of a group that this process is in */
    uint64_t available_bytes;         /* of it, that could be taken now without swapping */
    uint64_t machine_available_bytes; /* the same without regard to groups */
    uint64_t group;                   /* the one that leaves the least: a number for it; 0: none */
    uint32_t cpu_milli;               /* thousandths of a processor */
} weir_hardware;

void weir_hardware_read(const char *root, weir_hardware *out);
/* The processes that descend from one, without it. */
typedef struct weir_family {
    int pid;
    uint64_t bytes; /* what they have in memory now */
    bool has_self;  /* this process is one of them */
} weir_family;

/* Looks at all processes at once, and says of each pid, which are different, how its family is. */
void weir_hardware_families(const char *root, weir_family *families, size_t count);

#endif

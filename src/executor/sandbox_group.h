/* Control groups (cgroups v2, Linux's Documentation/admin-guide/cgroup-v2.rst) below that of this process, where they were given to its
 * user: one for each attempt that has limits. One thread. */
#ifndef WEIR_EXECUTOR_SANDBOX_GROUP_H
#define WEIR_EXECUTOR_SANDBOX_GROUP_H

#include "base/error.h"

typedef struct weir__groups {
    bool looked;  /* whether there are groups is known */
    char *folder; /* of ours; NULL: there are none */
    char *
        engine; /* where this process went, as a group with others below has no processes; NULL: it stayed */
    bool memory, cpu; /* can be limited */
} weir__groups;

/* Looks for them once. `mount` is where cgroups v2 are mounted, `own` this process's group there ("/user.slice"); NULL: to be
 * found out. */
void weir__groups_find(weir__groups *groups, const char *mount, const char *own);
/* Makes a group of that number with the limits (0: none); its folder's descriptor, or -1. */
int weir__group_make(const weir__groups *groups, uint32_t number, uint64_t memory_bytes_max,
                     uint32_t cpu_milli);
/* Whether the kernel ended a process of it because the limit of memory was reached. */
bool weir__group_was_full(const weir__groups *groups, uint32_t number);
void weir__group_remove(const weir__groups *groups, uint32_t number);
void weir__groups_leave(weir__groups *groups);

#endif

/* A process and those that it started, as the kernel lists them now. Any thread. */
#ifndef WEIR_EXECUTOR_FAMILY_H
#define WEIR_EXECUTOR_FAMILY_H

#include <sys/types.h>

#include "base/vector.h"

enum { WEIR_FAMILY_MAX = 1024 };

typedef struct weir_family {
    WEIR_VECTOR(pid_t) members;
} weir_family;

/* Adds the children that each thread of the process has. */
void weir_family_add_children(weir_family *family, pid_t pid);
/* The process, its children, and theirs, at most WEIR_FAMILY_MAX of them. One that is over may be among them. */
weir_family weir_family_of(pid_t pid);
void weir_family_deinit(weir_family *family);

#endif

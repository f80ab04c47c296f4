#include "base/open.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TRIES_MAX = 1000 };

int weir__open_how(int folder, const char *path, struct open_how *how) {
    long fd = -1;
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        fd = syscall(SYS_openat2, folder, path, how, sizeof *how);
        if (fd >= 0 || errno != EAGAIN) break;
    }
    return (int)fd;
}

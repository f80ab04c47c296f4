/* Opening paths beneath a folder, for weir-init too: with nothing but the C library. Any thread. */
#ifndef WEIR_BASE_OPEN_H
#define WEIR_BASE_OPEN_H

#include <linux/openat2.h>

/* As openat2 does, tried again (1,000 times at most) while it says EAGAIN: somebody mounted or renamed something meanwhile,
 * anywhere, so it was not sure where `..` leads. -1 and errno. */
int weir__open_how(int folder, const char *path, struct open_how *how);

#endif

/* What an overlay of folders shows, as a folder of its own: of weir-init and of the tests of weir, so with nothing but the C library. Any thread.
 *
 * The rules are those of the kernel's overlays (Documentation/filesystems/overlayfs.rst): of each name the uppermost layer counts, folders show what
 * those of the layers below have too, down to one that is marked as opaque (trusted.overlay.opaque, user.overlay.opaque; fuse-overlayfs has
 * user.fuseoverlayfs.opaque), and a character device 0/0 hides what is below. Other devices and sockets are left out. */
#ifndef WEIR_BASE_MERGE_H
#define WEIR_BASE_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEIR__MERGE_DEPTH_MAX = 320 /* folders deep */ };

typedef struct weir__merge {
    const int *layers; /* folders, open (O_PATH will do), the uppermost first */
    size_t count;
    int into;      /* an open, empty folder, which gets the mode and owner of the uppermost */
    bool owners;   /* files get their owners, else they are this user's */
    bool readable; /* this user may read all, whatever the modes say, and nothing is set-user-id */
    bool (*goes_on)(void *); /* asked now and then; may be NULL */
    void *arg;
    char what[472]; /* out: the path that failed, below the folder */
} weir__merge;

/* Files are the same blocks where the file system can share them, else copies. False: errno (EINTR: it should not go on; ELOOP: too deep) and `what`;
 * then what is there stays. */
bool weir__merge_layers(weir__merge *merge);

#endif

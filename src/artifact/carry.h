/* Trees that are carried as they are: a folder becomes one file, and that a folder again. For backups: the folder may change meanwhile. What goes is
 * left out, a file that grows is cut, one that shrinks has zeros at its end. Files, folders and symbolic links are carried with their
 * modes, hard links as files of their own; owners are who unpacks. Any thread; all block. */
#ifndef WEIR_ARTIFACT_CARRY_H
#define WEIR_ARTIFACT_CARRY_H

#include "base/error.h"

enum { WEIR_CARRY_DEPTH_MAX = 512 }; /* of folders */

typedef struct weir_carrying {
    const char *what; /* for messages */
    /* Whether what has this name is left out, so many folders below the one that is carried. May be NULL. */
    bool (*leaves)(const char *name, int depth);
    /* So many files, folders and links as yet; false ends it. May be NULL. */
    bool (*progress)(void *arg, uint64_t files);
    void *arg;
} weir_carrying;

typedef struct weir_carried {
    uint64_t files;    /* folders and links too */
    uint64_t left_out; /* what may not be read, and what is neither file, folder nor link */
} weir_carried;

/* Writes the folder that `from` is open on, and that is taken over, to a descriptor. LIMIT, CANCELLED, IO, PLUGIN (no module). */
WEIR_CHECKED bool weir_tree_pack(const weir_carrying *carrying, int from, int to, weir_carried *out,
                                 weir_error *error);
/* Makes of it a folder of that name, which is not there yet, in another. What leads out of it is INVALID, as is what is no such
 * file; no link is followed, but those that were packed are made, wherever they lead. Errors as above. */
WEIR_CHECKED bool weir_tree_unpack(const weir_carrying *carrying, int from, int folder,
                                   const char *name, weir_error *error);

#endif

/* One file with files in it: tar within zstd, by libarchive. Its code is in the module weir-backup.so, which is opened when a
 * backup is made or read. An archive is one thread's; an error is of the code IO, or INVALID: it is no such archive, or
 * damaged. */
#ifndef WEIR_STORE_ARCHIVE_H
#define WEIR_STORE_ARCHIVE_H

#include "base/error.h"

enum { WEIR__ARCHIVE_NAME_MAX = 512 };

typedef struct weir__archive weir__archive;

typedef struct weir__archive_entry {
    char name[WEIR__ARCHIVE_NAME_MAX];
    uint64_t size;
    bool regular; /* a file with bytes of its own: no folder, link or device */
} weir__archive_entry;

/* What the module exports, as `weir_archive_functions`. */
typedef struct weir__archive_functions {
    const char *version; /* of weir: a module of another is refused */
    /* Writes to the descriptor, which stays the caller's. */
    bool (*create)(int fd, weir__archive **out, weir_error *error);
    /* Begins a file of exactly so many bytes, which `put` then gives. */
    bool (*begin)(weir__archive *archive, const char *name, uint64_t size, weir_error *error);
    bool (*put)(weir__archive *archive, const void *data, size_t length, weir_error *error);
    bool (*finish)(weir__archive *archive, weir_error *error);
    bool (*open)(int fd, weir__archive **out, weir_error *error);
    /* *more is false at the end. A name that is too long is cut, and so is none that anybody expects. */
    bool (*next)(weir__archive *archive, weir__archive_entry *out, bool *more, weir_error *error);
    /* *got: 0 at the end of the file. */
    bool (*get)(weir__archive *archive, void *data, size_t length, size_t *got, weir_error *error);
    void (*close)(weir__archive *archive); /* also of one that was not finished */
} weir__archive_functions;

/* Opens the module. Errors: PLUGIN. */
WEIR_CHECKED bool weir__archive_open(const weir__archive_functions **out, weir_error *error);

#endif

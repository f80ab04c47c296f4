/* Files with files in them, by libarchive: backups (tar within zstd) and artifacts (tar within gzip, zip). Its code is in the module
 * weir-backup.so, which is opened when one is made or read. An archive is one thread's; an error is of the code IO, or INVALID: it is no
 * such archive, or damaged. */
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

typedef enum weir__archive_form {
    WEIR__ARCHIVE_TAR, /* within gzip, where it is written */
    WEIR__ARCHIVE_ZIP,
    WEIR__ARCHIVE_PLAIN /* tar that is not compressed, where it is written */
} weir__archive_form;

typedef enum weir__archive_kind {
    WEIR__ARCHIVE_FILE,
    WEIR__ARCHIVE_FOLDER,
    WEIR__ARCHIVE_LINK,      /* symbolic */
    WEIR__ARCHIVE_HARD_LINK, /* to a file that came before */
    WEIR__ARCHIVE_OTHER
} weir__archive_kind;

/* An entry of any kind. What was read borrows from the archive until its next. */
typedef struct weir__archive_item {
    const char *name; /* any bytes; NULL: one that cannot be read */
    const char *link; /* of links: where to */
    weir__archive_kind kind;
    uint32_t mode;      /* below 07777 */
    int64_t modified_s; /* since 1970 */
    uint64_t size;
} weir__archive_item;

/* Where an archive's bytes go; false: they cannot, and errno says why. */
typedef struct weir__archive_sink {
    bool (*write)(void *arg, const void *data, size_t length);
    void *arg;
} weir__archive_sink;

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
    /* `level` of compression from 0 to 9, -1: the usual. The sink is copied. */
    bool (*pack)(const weir__archive_sink *sink, weir__archive_form form, int level,
                 weir__archive **out, weir_error *error);
    /* Begins an entry of any kind; `put` gives a file's bytes, `finish` ends the archive. */
    bool (*add)(weir__archive *archive, const weir__archive_item *item, weir_error *error);
    /* Tar, within any compression or none, or zip. */
    bool (*unpack)(int fd, weir__archive_form form, weir__archive **out, weir_error *error);
    /* As `next`, of an entry of any kind; `get` gives a file's bytes. */
    bool (*look)(weir__archive *archive, weir__archive_item *out, bool *more, weir_error *error);
} weir__archive_functions;

/* Opens the module. Errors: PLUGIN. */
WEIR_CHECKED bool weir__archive_open(const weir__archive_functions **out, weir_error *error);

#endif

/* A backup: one archive with the files of a state, in it first what it is, last how long each file is and its SHA-256. It gets
 * its name when it is whole and on the disk. One thread. docs/reference/store.md describes the form. */
#ifndef WEIR_STORE_BACKUP_H
#define WEIR_STORE_BACKUP_H

#include "data/value.h"
#include "store/archive.h"

enum {
    WEIR_BACKUP_FORMAT = 2, /* 1: without trees */
    WEIR_BACKUP_TREES = 5,
    WEIR_BACKUP_FILES_MAX = 10 * 1000 * 1000,
    WEIR_BACKUP_LIST_BYTES_MAX = 1024 * 1024 * 1024 /* of the list at its end */
};

/* Folders of a state that are in a backup as NAME.tgz, each a file of artifact/carry.h. */
extern const char *const weir_backup_trees[WEIR_BACKUP_TREES];

/* --- making one */

typedef struct weir_backup weir_backup;

/* Begins FILE.part. `about` (copied) is what it says of itself. CONFLICT: there is such a file (unless `replace`), or somebody writes it just now. */
WEIR_CHECKED bool weir_backup_create(const char *file, bool replace, const weir_value *about,
                                     weir_backup **out, weir_error *error);
/* Adds a file of `size` bytes, from the descriptor's place on; what it lacks of them are zeros. */
WEIR_CHECKED bool weir_backup_add(weir_backup *backup, const char *name, int fd, uint64_t size,
                                  weir_error *error);
/* So many bytes were added as yet. */
uint64_t weir_backup_bytes(const weir_backup *backup);
/* Gives it its name, on the disk. `notes` (may be NULL) stand at its end. *size: of the file. */
WEIR_CHECKED bool weir_backup_finish(weir_backup *backup, const weir_value *notes, uint64_t *size,
                                     weir_error *error);
/* Removes what is not finished. */
void weir_backup_close(weir_backup *backup);

/* --- reading one */

typedef struct weir_unpacked {
    weir_value *about, *notes; /* references; notes may be NULL */
    uint64_t files, bytes;
} weir_unpacked;

/* Unpacks into an empty folder, and holds each file against its length and SHA-256. A name that is none of a backup's, or comes
 * twice, a link, a file more or less than the list says: INVALID, and so is a file that is no backup or is damaged. CONFLICT: a newer weir made it.
 * `progress` (may be NULL) hears how many bytes of FILE of how many were read; false ends it: CANCELLED. */
WEIR_CHECKED bool weir_backup_unpack(const char *file, int folder,
                                     bool (*progress)(void *arg, uint64_t done, uint64_t total),
                                     void *arg, weir_unpacked *out, weir_error *error);
/* Whether a file of this name may be in a backup. */
bool weir_backup_name_is(const char *name);

#endif

/* The repository: where artifacts stay. A folder in which a key is a path: `run/pod/out.tgz` is a file, `run/pod/data` may be a folder. Buckets
 * may have folders of their own; others share it.
 *
 * A key is there whole or not at all, whatever happens to the process that writes it; several may. A folder that comes where one is already
 * joins it, file by file, as keys with a common beginning do in a bucket. No link is followed within, and no key leads out. What is half done
 * is in `.weir` in it, and is removed once its process is gone.
 *
 * It does not change once made: any thread, several at once. All block, so not on a loop's thread. */
#ifndef WEIR_ARTIFACT_REPOSITORY_H
#define WEIR_ARTIFACT_REPOSITORY_H

#include <stdatomic.h>

#include "data/value.h"

enum {
    WEIR_ARTIFACT_KEY_BYTES_MAX = 1024, /* S3's own limit */
    WEIR_ARTIFACT_DEPTH_MAX = 64,       /* of folders */
    WEIR_ARTIFACT_FILES_MAX = 1000000,  /* of one artifact, folders and links too */
    WEIR_ARTIFACT_LIST_MAX = 1000000    /* keys of a list */
};
#define WEIR_ARTIFACT_BYTES_MAX (UINT64_C(1) << 40) /* of one artifact's files */

typedef struct weir_artifact_limits {
    uint64_t bytes_max, files_max; /* 0: those above */
} weir_artifact_limits;

typedef struct weir_repository_options {
    const char *folder;        /* made when something is kept; NULL: a temporary one, see ready */
    const weir_value *buckets; /* {"KIND/NAME": folder}; NULL: none have their own */
    weir_artifact_limits limits;
    bool durable; /* what was kept is on the disk when it is said so */
} weir_repository_options;

typedef struct weir_repository weir_repository;

weir_repository *weir_repository_new(const weir_repository_options *options);
void weir_repository_free(weir_repository *repository); /* NULL is allowed */
/* Makes the temporary folder, in TMPDIR or /var/tmp, unless it was: before anything is kept in it, by one thread at a time, and never
 * again. It goes with the repository; what killed processes left is swept. */
WEIR_CHECKED bool weir_repository_ready(weir_repository *repository, weir_error *error);
const weir_artifact_limits *weir_repository_limits(const weir_repository *repository);

/* Where something is: `bucket` is "KIND/NAME" or empty. */
typedef struct weir_artifact_place {
    weir_str bucket, key;
} weir_artifact_place;

typedef enum weir_artifact_form {
    WEIR_ARTIFACT_FOUND, /* loading: a tar within gzip is unpacked, all else stays; keeping: a tar */
    WEIR_ARTIFACT_TAR,   /* within gzip; loaded: within any compression */
    WEIR_ARTIFACT_ZIP,
    WEIR_ARTIFACT_PLAIN /* as it is */
} weir_artifact_form;

/* "tar", "zip", "none"; empty: FOUND. INVALID. */
WEIR_CHECKED bool weir_artifact_form_parse(weir_str text, weir_artifact_form *out,
                                           weir_error *error);

typedef struct weir_artifact_kept {
    uint64_t bytes; /* in the repository */
    char sha256
        [65]; /* of the file that the key is, or of the lines "HEX  NAME\n" of a folder's files */
    uint64_t left_out; /* of what was neither file, folder nor link */
} weir_artifact_kept;

/* Keeps the file or folder that `from`, which is taken over, is open on. `name` is what it is called within an archive, `level` that of
 * compression (0 to 9, -1: the usual). Errors: INVALID (the key), CONFLICT (a folder is where a file is to be, or the
 * other way), LIMIT, CANCELLED, IO, PLUGIN. */
WEIR_CHECKED bool weir_repository_keep(weir_repository *repository,
                                       const weir_artifact_place *place, int from, const char *name,
                                       weir_artifact_form form, int level,
                                       const atomic_bool *cancelled, weir_artifact_kept *out,
                                       weir_error *error);
/* Makes a private copy of what is there, unpacked, at a name in a folder that is not there yet. A key may lead on into an archive, and a
 * `part` (may be empty) is a path in what was found. NOT_FOUND, and errors as above. */
WEIR_CHECKED bool weir_repository_load(weir_repository *repository,
                                       const weir_artifact_place *place, weir_str part,
                                       weir_artifact_form form, int folder, const char *name,
                                       const atomic_bool *cancelled, weir_error *error);
/* The same of a file that is in the folder already, at `from`, which goes. */
WEIR_CHECKED bool weir_artifact_settle(const weir_artifact_limits *limits, int folder,
                                       const char *from, weir_str part, weir_artifact_form form,
                                       const char *name, const atomic_bool *cancelled,
                                       weir_error *error);
/* What is at `from` in the folder, or a part of it, becomes what has the name; the rest goes. NOT_FOUND, INVALID (the part leads out), IO. */
WEIR_CHECKED bool weir_artifact_part(const weir_artifact_limits *limits, int folder,
                                     const char *from, weir_str part, const char *name,
                                     const atomic_bool *cancelled, weir_error *error);
/* chmod of what has that name, with `recurse` of all that is in it; links stay as they are. */
WEIR_CHECKED bool weir_artifact_mode(const weir_artifact_limits *limits, int folder,
                                     const char *name, uint32_t mode, bool recurse,
                                     weir_error *error);
/* How many bytes the files have of what has that name; 0 when it cannot be looked at. */
uint64_t weir_artifact_bytes(int folder, const char *name);
/* Opens what is there as it is, to read: a file or a folder, whose descriptor the caller closes. NOT_FOUND, INVALID, IO. */
WEIR_CHECKED bool weir_repository_open(weir_repository *repository,
                                       const weir_artifact_place *place, int *out,
                                       weir_error *error);
/* Copies what is there, as it is, into a folder, which is made, under the last part of its key; *path is where. A file replaces one; a folder only one
 * that is empty: CONFLICT. NOT_FOUND, INVALID, IO. */
WEIR_CHECKED bool weir_repository_export(weir_repository *repository,
                                         const weir_artifact_place *place, const char *folder,
                                         weir_buffer *path, weir_error *error);
/* The same of a text, under that name. */
WEIR_CHECKED bool weir_artifact_export(weir_str text, const char *folder, weir_str name,
                                       weir_buffer *path, weir_error *error);
/* The keys of all files at or below a key ("": of the bucket), sorted. An array of texts; empty when there is nothing. LIMIT, IO. */
WEIR_CHECKED bool weir_repository_list(weir_repository *repository,
                                       const weir_artifact_place *place, weir_value **out,
                                       weir_error *error);
/* Removes what is there, and folders above it that are empty then. What is not there is no error. */
WEIR_CHECKED bool weir_repository_remove(weir_repository *repository,
                                         const weir_artifact_place *place, weir_error *error);

/* A folder of this process's own in `base`, NULL: weir-NAME-UID in TMPDIR or /var/tmp; both are made. It is locked by a descriptor; what
 * nobody has locked there is swept. */
WEIR_CHECKED bool weir__own_folder(const char *base, const char *name, weir_buffer *path, int *lock,
                                   weir_error *error);

#endif

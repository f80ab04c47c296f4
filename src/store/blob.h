/* Blobs: bytes that are named by their SHA-256 ("sha256:HEX"), kept once, in a directory or in S3.
 *
 * A blob lives while somebody refers to it: a reference is an owner (the name of a run, of a user, …) and a digest, and
 * is kept beside the blobs, so that all processes that share them agree. A blob that nobody refers to is removed by
 * weir_blob_prune. A reference is written before its blob is looked for, and who removes blobs holds a gate in which
 * others wait: so none is removed while somebody begins to refer to it.
 *
 * A blob is there whole or not at all, whatever happens to the process that puts it. What is read is held against its
 * digest. Any size, with memory that does not depend on it.
 *
 * All functions but weir_blob_start block and may be called from any thread, several at a time. */
#ifndef WEIR_STORE_BLOB_H
#define WEIR_STORE_BLOB_H

#include "io/loop.h"

typedef struct weir_blobs weir_blobs;

enum {
    WEIR_BLOB_DIGEST_LENGTH = 71, /* "sha256:" and 64 letters */
    WEIR_BLOB_OWNER_MAX = 128
};

typedef struct weir_blob {
    char digest[WEIR_BLOB_DIGEST_LENGTH + 1];
    uint64_t size;        /* bytes */
    uint64_t modified_us; /* when it was put last */
    bool there;           /* put: it was before */
} weir_blob;

/* `where`: a path or "file:PATH", made when absent and `make` is set (NOT_FOUND otherwise); or
 * "s3://BUCKET[/PREFIX][?endpoint=URL&region=NAME&profile=NAME&style=path|virtual&attempts=N]". Of S3 nothing is asked
 * yet. Errors: USAGE, INVALID, NOT_FOUND, IO, PLUGIN. */
WEIR_CHECKED bool weir_blobs_open(const char *where, bool make, weir_blobs **out,
                                  weir_error *error);
void weir_blobs_close(weir_blobs *blobs); /* NULL is allowed */

/* Keeps what the descriptor gives until its end, for the owner: 1 to 128 letters, digits and "._-@:", not beginning with
 * a dot. Errors: INVALID, IO, NOT_FOUND (no such bucket), CONFLICT (a file changed meanwhile). */
WEIR_CHECKED bool weir_blob_put(weir_blobs *blobs, int fd, weir_str owner, weir_blob *out,
                                weir_error *error);
/* The same of bytes in memory, whose name weir_blob_name_bytes gave; where they are already, nothing is written but the
 * reference. The blob is durable when it returns. */
WEIR_CHECKED bool weir_blob_put_bytes(weir_blobs *blobs, weir_str bytes, weir_str digest,
                                      weir_str owner, weir_blob *out, weir_error *error);
WEIR_CHECKED bool weir_blob_name_bytes(weir_str bytes,
                                       char digest[static WEIR_BLOB_DIGEST_LENGTH + 1],
                                       weir_error *error);
/* Appends a whole blob that has at most `most` bytes; else it is a LIMIT. Errors as of weir_blob_get. */
WEIR_CHECKED bool weir_blob_read(weir_blobs *blobs, weir_str digest, uint64_t most,
                                 weir_buffer *out, weir_error *error);
/* The digest's letters. */
void weir_blob_digest_format(const unsigned char digest[static 32],
                             char out[static WEIR_BLOB_DIGEST_LENGTH + 1]);
/* Writes `length` bytes from `from` on to the descriptor, less where the blob ends; UINT64_MAX: all. A whole blob is
 * held against its digest, of a part only the length. Errors: INVALID, NOT_FOUND, IO, STORE (it is damaged). */
WEIR_CHECKED bool weir_blob_get(weir_blobs *blobs, weir_str digest, uint64_t from, uint64_t length,
                                int fd, weir_error *error);
/* Errors: NOT_FOUND. */
WEIR_CHECKED bool weir_blob_find(weir_blobs *blobs, weir_str digest, weir_blob *out,
                                 weir_error *error);

/* Some of the blobs behind `after` ("": from the first) in the order of their digests; none: there are no more. */
typedef WEIR_VECTOR(weir_blob) weir_blob_page;
WEIR_CHECKED bool weir_blob_list(weir_blobs *blobs, const char *after, weir_blob_page *page,
                                 weir_error *error);
/* Who refers to the blob, sorted, each ended by NUL. */
WEIR_CHECKED bool weir_blob_owners(weir_blobs *blobs, weir_str digest, weir_buffer *out,
                                   weir_error *error);

/* The owner does not refer to the blob any more; it is removed when nobody else does, and *removed (may be NULL) says
 * so. NOT_FOUND when the owner does not. */
WEIR_CHECKED bool weir_blob_drop(weir_blobs *blobs, weir_str digest, weir_str owner, bool *removed,
                                 weir_error *error);

/* The same, and the blob stays until it is pruned; one that the owner does not refer to is no error. */
WEIR_CHECKED bool weir_blob_release(weir_blobs *blobs, weir_str digest, weir_str owner,
                                    weir_error *error);

typedef struct weir_blob_pruned {
    uint64_t kept, removed, removed_bytes; /* blobs */
    uint64_t leftovers;                    /* of processes that died while they put something */
} weir_blob_pruned;
/* Removes the blobs that nobody refers to, and leftovers; without `remove` only counts the blobs. */
WEIR_CHECKED bool weir_blob_prune(weir_blobs *blobs, bool remove, weir_blob_pruned *out,
                                  weir_error *error);

/* Any of these on the loop's pool: `work` calls them, with an error of its own to fill; `done` is called on the loop's
 * thread. The job belongs to the caller and lives until then. */
typedef struct weir_blob_job {
    bool (*work)(void *arg, weir_error *error);
    void (*done)(void *arg, const weir_error *error); /* NULL: it succeeded */
    void *arg;
    bool ok; /* set by the pool */
    weir_error error;
} weir_blob_job;
void weir_blob_start(weir_loop *loop, weir_blob_job *job);

#endif

/* What a kind of blob store provides: objects with names, and a gate. Blobs and references are made of that in blob.c.
 *
 * A blob is the object "sha256/ab/HEX", a reference to it the empty object "refs/ab/HEX.OWNER", where ab are the first
 * letters of HEX; so both are listed in the order of their digests. All functions block; any thread. */
#ifndef WEIR_STORE_BLOB_KIND_H
#define WEIR_STORE_BLOB_KIND_H

#include "store/blob.h"
#include "store/sha256.h"

enum { WEIR__OBJECT_NAME_MAX = 256 };

typedef struct weir__object {
    char name[WEIR__OBJECT_NAME_MAX];
    uint64_t size, modified_us;
} weir__object;

typedef WEIR_VECTOR(weir__object) weir__objects;
typedef void weir__object_visit(void *arg, const weir__object *object);

/* Whether it is the name of a blob or of a reference: what else lies there is not ours. */
static inline bool weir__object_is_ours(weir_str name) {
    bool blob = weir_str_starts(name, WEIR_STR("sha256/"));
    size_t at = blob ? 7 : 5;
    if ((!blob && !weir_str_starts(name, WEIR_STR("refs/"))) || name.length < at + 67 ||
        name.length >= WEIR__OBJECT_NAME_MAX || name.data[at + 2] != '/' ||
        memcmp(name.data + at, name.data + at + 3, 2) != 0)
        return false;
    for (size_t i = at + 3; i < at + 67; i++)
        if (!memchr("0123456789abcdef", name.data[i], 16)) return false;
    if (blob) return name.length == at + 67;
    return name.length > at + 68 && name.data[at + 67] == '.' &&
           !memchr(name.data + at + 67, '/', name.length - at - 67);
}

/* What is being put: all of it is on this machine's disk, and what it is called is known. A kind embeds it first. */
typedef struct weir__incoming {
    unsigned char digest[WEIR__SHA256_BYTES];
    uint64_t size;
} weir__incoming;

/* Where bytes go; false ends it, with the error filled. */
typedef struct weir__sink {
    bool (*take)(void *arg, const char *data, size_t length, weir_error *error);
    void *arg;
} weir__sink;

/* From `enter` to `leave`; what is in it is the kind's. */
typedef struct weir__gate {
    bool alone;
    int fd;
    char name[WEIR__OBJECT_NAME_MAX];
    uint64_t renewed_us; /* steady clock */
} weir__gate;

typedef struct weir__blob_kind {
    const char *version; /* of weir: a module of another is refused */
    bool (*open)(const char *where, bool make, weir_blobs **out, weir_error *error);
    void (*close)(weir_blobs *blobs);

    /* Reads the descriptor to its end. What came is the kind's until `drop`. */
    bool (*receive)(weir_blobs *blobs, int fd, weir__incoming **out, weir_error *error);
    bool (*keep)(weir_blobs *blobs, weir__incoming *incoming, const char *name, weir_error *error);
    void (*drop)(weir_blobs *blobs, weir__incoming *incoming);
    /* An empty object; it may be there already. Durable when it returns. */
    bool (*mark)(weir_blobs *blobs, const char *name, weir_error *error);
    /* *found: whether the object is there; then its size and time. */
    bool (*look)(weir_blobs *blobs, const char *name, weir__object *out, bool *found,
                 weir_error *error);
    /* NOT_FOUND when there is none. */
    bool (*read)(weir_blobs *blobs, const char *name, uint64_t from, uint64_t length,
                 const weir__sink *sink, weir_error *error);
    /* It may be gone already. */
    bool (*remove)(weir_blobs *blobs, const char *name, weir_error *error);
    /* Visits some of the objects whose names begin with the prefix and sort behind `after`, sorted; none: there are no
     * more. The prefix begins with "sha256/" or "refs/". */
    bool (*list)(weir_blobs *blobs, const char *prefix, const char *after,
                 weir__object_visit *visit, void *arg, weir_error *error);

    /* Whoever removes blobs is alone in the gate; before each removal `renew` says that it still is. */
    bool (*enter)(weir_blobs *blobs, bool alone, weir__gate *gate, weir_error *error);
    bool (*renew)(weir_blobs *blobs, weir__gate *gate, weir_error *error);
    void (*leave)(weir_blobs *blobs, weir__gate *gate);
    /* Removes what dead processes left of objects they did not finish; counts it. */
    bool (*sweep)(weir_blobs *blobs, uint64_t *count, weir_error *error);
} weir__blob_kind;

/* A kind embeds it first. */
struct weir_blobs {
    const weir__blob_kind *kind;
};

/* What a range is told that begins behind the blob's end. */
static inline bool weir__range_beyond(uint64_t from, uint64_t size, weir_error *error) {
    return weir_fail(error, WEIR_INVALID,
                     "the range begins at byte %llu, and the blob has %llu bytes",
                     (unsigned long long)from, (unsigned long long)size);
}

extern const weir__blob_kind weir__blob_directory;

/* --- blob.c */

WEIR_CHECKED bool weir__blob_check_digest(weir_str digest, weir_error *error);
WEIR_CHECKED bool weir__blob_check_owner(weir_str owner, weir_error *error);
/* What the objects are called of the digest with these letters; an empty owner: what all its references begin with. */
void weir__blob_name(const char *hex, char out[static WEIR__OBJECT_NAME_MAX]);
void weir__blob_name_reference(const char *hex, weir_str owner,
                               char out[static WEIR__OBJECT_NAME_MAX]);
/* What is said of a blob that is not there; false. */
bool weir__blob_fail_missing(weir_str digest, weir_error *error);
/* Whether this is the digest of what was read. */
WEIR_CHECKED bool weir__blob_check_content(weir_str digest,
                                           const unsigned char found[WEIR__SHA256_BYTES],
                                           weir_error *error);

#endif

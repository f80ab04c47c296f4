/* Which blobs the journals of runs refer to, and where those are. That a run will refer to a blob is written before the blob
 * is put, so what was put for a run is known whatever happens; it stays known after the run was deleted, until who can reach
 * the blob has let it go. */
#ifndef WEIR_STORE_REFER_H
#define WEIR_STORE_REFER_H

#include "store/store.h"

/* All borrowed. */
typedef struct weir_reference {
    weir_str run, digest; /* "sha256:HEX" */
    weir_str place;       /* "HOST:/DIRECTORY" or "s3://…" */
    uint64_t size;        /* bytes */
} weir_reference;

typedef bool weir_reference_visit(void *arg, const weir_reference *reference);

/* Notes references of one run (copied), as from `now_us`; one that is there stays. `done` is called on the loop's thread once
 * they are durable, whatever the durability is; in the order of appends. Not of a store in memory, which has no blobs. */
void weir_store_refer(weir_store *store, const weir_reference *references, size_t count,
                      uint64_t now_us, void (*done)(void *arg, const weir_error *error), void *arg);
/* Those of a run (empty: of all), in the order of their digests; with a digest, of that blob only. */
WEIR_CHECKED bool weir_store_references(weir_store *store, weir_str run, weir_str digest,
                                        weir_reference_visit *visit, void *arg, weir_error *error);
/* The next 1,000, or fewer at the end, of those of runs that are gone, behind this one (NULL: from the first). */
enum { WEIR_FORSAKEN_MAX = 1000 };
WEIR_CHECKED bool weir_store_forsaken(weir_store *store, const weir_reference *after,
                                      weir_reference_visit *visit, void *arg, weir_error *error);
/* Those of runs that never came to be, noted before this moment, count as forsaken from now on. */
WEIR_CHECKED bool weir_store_forsake(weir_store *store, uint64_t before_us, weir_error *error);
/* They are let go, and forgotten. */
WEIR_CHECKED bool weir_store_unrefer(weir_store *store, const weir_reference *references,
                                     size_t count, weir_error *error);

/* --- for the kinds of stores */

/* References on their way. */
typedef struct weir__refer_put {
    weir_reference *items;
    size_t count;
    uint64_t now_us;
    void (*done)(void *arg, const weir_error *error);
    void *arg;
    char *memory; /* of the items and their texts */
} weir__refer_put;

/* Ends it, without a word to anybody. */
void weir__refer_put_free(weir__refer_put *put); /* NULL is allowed */

#endif

/* Memoized results: outcomes of tasks by what they were made of, for later runs, in any store. A table of entries by key,
 * the SHA-256 of all that an outcome depends on (see engine/memo_key.h). An entry is never changed, only replaced or
 * removed. What goes wrong with one fails no run. All belongs to the loop's thread. */
#ifndef WEIR_STORE_MEMO_H
#define WEIR_STORE_MEMO_H

#include "store/store.h"

enum {
    WEIR_MEMO_KEY_LETTERS = 64,
    WEIR_MEMO_VERSION = 1,                  /* of the form of values */
    WEIR_MEMO_INLINE_BYTES_MAX = 64 * 1024, /* what is larger is a blob, but in memory */
    WEIR_MEMO_KEYS_MAX = 256                /* looked for at once */
};

typedef struct weir_memo_entry {
    weir_str key;              /* hexadecimal, in lower case */
    weir_str cache, operation; /* cache: empty: the common one */
    weir_str instance;         /* what the operation is called where it was made */
    weir_str run;              /* the id of that run; empty: it is not in the store any more */
    uint32_t task;             /* of that run */
    uint64_t created_us, size; /* size: of the value, wherever it is */
    int64_t version, checksum; /* of the value's form; XXH3 of the value */
    weir_str value;            /* the outputs in binary form; empty: they are in the blob */
    weir_str blob;             /* its digest; empty: none */
} weir_memo_entry;

/* An entry that owns its texts, all in `memory`, freed with weir_free. */
typedef struct weir_memo_copy {
    weir_memo_entry entry;
    char *memory;
} weir_memo_copy;

weir_memo_copy weir_memo_copy_of(const weir_memo_entry *entry);

typedef bool weir_memo_visit(void *arg, const weir_memo_entry *entry);

/* Visits the entries of these keys (at most WEIR_MEMO_KEYS_MAX), in any order, until `visit` returns false. What is
 * visited is borrowed. */
WEIR_CHECKED bool weir_store_memo_find(weir_store *store, const weir_str *keys, size_t count,
                                       weir_memo_visit *visit, void *arg, weir_error *error);

/* What came of a put; on the loop's thread. `written`: the entry is there now; else another one, or none. */
typedef void weir_memo_done(void *arg, const weir_memo_entry *entry, bool written);

/* Puts a copy of the entry, behind what was appended before, and not where appends of its run are refused. One that is there
 * already stays, unless it was made at `replaces`. `checksum` and `version` are filled in. `done` may be NULL. */
void weir_store_memo_put(weir_store *store, const weir_memo_entry *entry, uint64_t replaces,
                         weir_memo_done *done, void *arg);

/* Which entries are meant; what is empty or 0 means any. */
typedef struct weir_memo_filter {
    weir_str key; /* what it begins with */
    weir_str cache, operation;
    uint64_t before_us; /* made earlier */
    uint64_t limit;
} weir_memo_filter;

/* Visits entries without their values, newest first, until `visit` returns false. */
WEIR_CHECKED bool weir_store_memo_list(weir_store *store, const weir_memo_filter *filter,
                                       weir_memo_visit *visit, void *arg, weir_error *error);
/* Removes those of the entries that are still the ones that were made then. Only their keys and times are looked at. */
WEIR_CHECKED bool weir_store_memo_remove(weir_store *store, const weir_memo_entry *entries,
                                         size_t count, weir_error *error);

#endif

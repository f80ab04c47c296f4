/* What kinds of stores share for memoized results. */
#ifndef WEIR_STORE_MEMO_INTERNAL_H
#define WEIR_STORE_MEMO_INTERNAL_H

#include "base/map.h"
#include "store/memo.h"

/* A put on its way. */
typedef struct weir__memo_put {
    weir_memo_copy copy;
    uint64_t replaces;
    bool written;
    weir_memo_done *done;
    void *arg;
} weir__memo_put;

/* As the `done` of an append whose `arg` is the put: tells, and frees it. */
void weir__memo_put_done(void *arg, const weir_error *error);
/* Whether the filter means the entry, whatever its limit. */
bool weir__memo_matches(const weir_memo_filter *filter, const weir_memo_entry *entry);

/* The table of a store in memory. */
typedef struct weir__memo_table {
    WEIR_VECTOR(weir_memo_copy) entries; /* in any order */
    weir_map places;                     /* by key */
} weir__memo_table;

void weir__memo_table_deinit(weir__memo_table *table);
void weir__memo_table_find(const weir__memo_table *table, const weir_str *keys, size_t count,
                           weir_memo_visit *visit, void *arg);
void weir__memo_table_put(weir__memo_table *table, weir__memo_put *put);
void weir__memo_table_list(const weir__memo_table *table, const weir_memo_filter *filter,
                           weir_memo_visit *visit, void *arg);
void weir__memo_table_remove(weir__memo_table *table, const weir_memo_entry *entries, size_t count);
/* The run is deleted; what it made stays. */
void weir__memo_table_forget_run(weir__memo_table *table, weir_str run);

#endif

/* What a kind of store provides: weir_store_* with the store itself first. A kind embeds weir_store as first member. */
#ifndef WEIR_STORE_STORE_INTERNAL_H
#define WEIR_STORE_STORE_INTERNAL_H

#include "store/history.h"
#include "store/memo_internal.h"
#include "store/refer.h"
#include "store/register.h"

typedef void weir__append_done(void *arg, const weir_error *error);
typedef bool weir__batch_visit(void *arg, uint64_t sequence, weir_str bytes);
typedef bool weir__stream_visit(void *arg, weir_str run);
typedef bool weir__inspect_visit(void *arg, uint64_t sequence, weir_str bytes,
                                 const weir_error *damage);
typedef bool weir__record_visit(void *arg, const weir_run_record *record);

struct weir_sql;
typedef bool weir__snapshot_progress(void *arg, uint64_t done, uint64_t total);
typedef bool weir__leftover_visit(void *arg, weir_str run, weir_str owner);

typedef struct weir__store_kind {
    void (*close)(weir_store *store);
    void (*append)(weir_store *store, weir_str run, uint64_t sequence, weir_buffer bytes,
                   weir_buffer rows, const weir_run_record *record, weir__append_done *done,
                   void *arg);
    bool (*flush)(weir_store *store, uint64_t timeout_us); /* NULL: an append does not wait */
    bool (*read)(weir_store *store, weir_str run, uint64_t from, weir__batch_visit *visit,
                 void *arg, weir_error *error);
    bool (*select)(weir_store *store, const weir_selection *selection, weir__record_visit *visit,
                   void *arg, weir_error *error);
    uint64_t (*version)(weir_store *store);       /* NULL: it cannot tell */
    void (*hurry)(weir_store *store, bool hurry); /* NULL: it is never away; so is `away` */
    uint64_t (*away)(weir_store *store);
    /* As weir_store_delete, weir_store_leftovers and weir_store_forget; NULL: there is nothing left over. */
    bool (*remove)(weir_store *store, const weir_str *runs, size_t count, weir_error *error);
    bool (*leftovers)(weir_store *store, weir__leftover_visit *visit, void *arg, weir_error *error);
    bool (*forget)(weir_store *store, weir_str run, weir_error *error);
    /* As in store.h; NULL: nothing is left to sweep, and nothing to give back. */
    bool (*sweep)(weir_store *store, weir_str run, bool *more, weir_error *error);
    bool (*shrink)(weir_store *store, uint64_t keep, bool *more, weir_error *error);
    bool (*measure)(weir_store *store, weir_store_size *out, weir_error *error);
    bool (*measure_run)(weir_store *store, weir_str run, uint64_t *bytes, weir_error *error);
    bool (*keep)(weir_store *store, weir_str run, bool keep, weir_error *error);
    /* NULL: it is no file. */
    bool (*snapshot)(weir_store *store, const char *path, weir__snapshot_progress *progress,
                     void *arg, weir_error *error);
    /* By name or id, not "@latest"; succeeds without a visit when there is none. */
    bool (*find)(weir_store *store, weir_str run, weir__record_visit *visit, void *arg,
                 weir_error *error);
    bool (*names)(weir_store *store, const weir_str *names, size_t count, bool *taken,
                  weir_error *error);
    bool (*check)(weir_store *store, weir_error *error);
    /* NULL: what can be read is as durable as who wrote it wanted. */
    bool (*settle)(weir_store *store, weir_error *error);
    bool (*own)(weir_store *store, weir_str run, weir_error *error);
    bool (*begin)(weir_store *store, weir_str run, weir_error *error); /* NULL: as `own` */
    /* NULL: the store has no leases, and the caller sees to it that a run has one owner. */
    void (*disown)(weir_store *store, weir_str run, bool finished);
    bool (*is_owned)(weir_store *store, weir_str run);
    bool (*is_abandoned)(weir_store *store, weir_str run);
    /* NULL: the store has no tables but the journal's and the runs'. */
    bool (*derive)(weir_store *store, weir_str run, bool anew, weir_str rows, weir_error *error);
    bool (*derived)(weir_store *store, weir_str run, uint64_t *sequence, weir_error *error);
    /* As in history.h; NULL: there is none. */
    bool (*history)(weir_store *store, const int64_t *identities, size_t count,
                    weir_history_visit *visit, void *arg, weir_error *error);
    bool (*history_put)(weir_store *store, const weir_history_sample *samples, size_t count,
                        weir_error *error); /* NULL: nobody copies into it */
    bool (*streams)(weir_store *store, weir__stream_visit *visit, void *arg, weir_error *error);
    bool (*inspect)(weir_store *store, weir_str run, weir__inspect_visit *visit, void *arg,
                    weir_error *error);
    bool (*shorten)(weir_store *store, weir_str run, uint64_t sequence, weir_str summary,
                    const uint32_t *contexts, size_t count, weir_error *error);
    bool (*cut)(weir_store *store, uint64_t from, const weir_run_record *record, weir_error *error);
    /* NULL: it cannot be asked in SQL. See sql_internal.h. */
    bool (*sql)(struct weir_sql *sql, weir_error *error);
    /* NULL: it is no file. */
    bool (*copy)(weir_store *store, const char *word, weir_buffer *path, weir_error *error);
    bool (*holds)(weir_store *store, weir_str run, weir_error *error);
    /* Memoized results, as in memo.h; a put calls weir__memo_put_done. */
    bool (*memo_find)(weir_store *store, const weir_str *keys, size_t count, weir_memo_visit *visit,
                      void *arg, weir_error *error);
    void (*memo_put)(weir_store *store, weir__memo_put *put);
    bool (*memo_list)(weir_store *store, const weir_memo_filter *filter, weir_memo_visit *visit,
                      void *arg, weir_error *error);
    bool (*memo_remove)(weir_store *store, const weir_memo_entry *entries, size_t count,
                        weir_error *error);
    /* References to blobs, as in refer.h; NULL: there are none. */
    void (*refer)(weir_store *store, weir__refer_put *put);
    bool (*references)(weir_store *store, weir_str run, weir_str digest,
                       weir_reference_visit *visit, void *arg, weir_error *error);
    bool (*forsaken)(weir_store *store, const weir_reference *after, weir_reference_visit *visit,
                     void *arg, weir_error *error);
    bool (*forsake)(weir_store *store, uint64_t before_us, weir_error *error);
    bool (*unrefer)(weir_store *store, const weir_reference *references, size_t count,
                    weir_error *error);
    /* Registers, as in register.h. */
    bool (*register_get)(weir_store *store, weir_str key, weir_buffer *value, uint64_t *version,
                         weir_error *error);
    bool (*register_put)(weir_store *store, weir_str key, weir_str value, uint64_t version,
                         bool *written, weir_error *error);
    bool (*register_list)(weir_store *store, weir_str prefix, weir_register_visit *visit, void *arg,
                          weir_error *error);
    bool (*register_remove)(weir_store *store, weir_str key, uint64_t version, bool *removed,
                            weir_error *error);
    bool (*ask)(weir_store *store, weir_str run, weir_str line, uint64_t timeout_us,
                weir_buffer *answer, weir_error *error);
    void (*answer)(weir_store *store, uint64_t command, weir_str answer);
} weir__store_kind;

struct weir_store {
    const weir__store_kind *kind;
    const char *directory;                                        /* the kind's */
    void (*lost)(void *arg, weir_str run, const weir_error *why); /* NULL: nobody wants to know */
    void *lost_arg;
    void (*take)(void *arg, weir_str run, uint64_t command, weir_str line); /* NULL: nobody does */
    void *take_arg;
};

weir_store *weir__store_memory_new(void);
WEIR_CHECKED bool weir__store_sqlite_open(weir_loop *loop, const char *file,
                                          weir_durability durability, weir_store **out,
                                          weir_error *error);
/* The URL begins with "postgresql://" or "postgres://". */
WEIR_CHECKED bool weir__store_postgresql_open(weir_loop *loop, const char *url,
                                              weir_durability durability,
                                              const weir_store_listener *listener, weir_store **out,
                                              weir_error *error);

enum { WEIR__BATCH_VERSION = 1 };
/* The checksum kept with a batch. */
int64_t weir__batch_checksum(weir_str run, uint64_t sequence, weir_str bytes);
/* Whether what was read is the batch that should come next: the one of the number *wanted, or a summary instead of the first, whose
 * number *wanted is then; NULL: any. */
WEIR_CHECKED bool weir__batch_check(weir_str run, uint64_t *wanted, uint64_t sequence,
                                    int64_t version, int64_t checksum, weir_str bytes,
                                    weir_error *error);

/* Which runs have batches: each is found by the key, without reading those between. */
#define WEIR__STREAMS(journal)                                                                     \
    "WITH RECURSIVE streams(stream) AS (SELECT min(stream) FROM " journal " UNION ALL"             \
    " SELECT (SELECT min(j.stream) FROM " journal " j WHERE j.stream > s.stream) FROM streams s"   \
    " WHERE s.stream IS NOT NULL) SELECT stream FROM streams WHERE stream IS NOT NULL"

/* Marks the names that are this one. */
void weir__store_mark_name(const weir_str *names, size_t count, weir_str name, bool *taken);
/* What all kinds say of a taken name and of a batch that is there already. */
bool weir__store_name_taken(weir_str name, weir_error *error);
/* And of rows that a table does not take, as their run was deleted: CONFLICT. */
bool weir__rows_refused(weir_str run, const char *table, weir_error *error);
/* And of a batch that a summary stands for by now: CONFLICT. */
bool weir__store_shortened(weir_str run, uint64_t wanted, weir_error *error);
bool weir__store_batch_taken(weir_str run, uint64_t sequence, weir_error *error);

#endif

/* The parts of the store on PostgreSQL: its schema, its writing side with the leases, its reading side. The reader is the
 * loop's thread's, the writer's connection the writer's; what both know is behind the lock. */
#ifndef WEIR_STORE_POSTGRESQL_INTERNAL_H
#define WEIR_STORE_POSTGRESQL_INTERNAL_H

#include <pthread.h>

#include "store/postgresql_connection.h"
#include "store/writer.h"

/* The lease of a run that begins here needs no question of its own: the first append makes it, unless that is the last one,
 * which gives it back. */
typedef enum weir__pg_held {
    WEIR__PG_TO_COME, /* with the first append, which nobody sent yet */
    WEIR__PG_SENT,    /* with an append that is on its way */
    WEIR__PG_HELD,
    WEIR__PG_ENDED /* an append gave it back */
} weir__pg_held;

typedef struct weir__pg_lease {
    char *run;
    uint64_t fence;
    weir__pg_held state;
    bool begun;             /* here */
    uint64_t good_until_us; /* of a clock that goes on while the process or the machine sleeps */
} weir__pg_lease;

enum { WEIR__PG_READERS = 3 }; /* a visitor may ask for more while rows are visited */

typedef struct weir__postgresql {
    weir_store store; /* first */
    weir_loop *loop;
    weir__pg_server server;
    weir__pg readers[WEIR__PG_READERS], writer_connection;
    weir__writer_class class;
    weir__writer *writer;
    bool hurried, away; /* questions do not wait for the server; the last one would have had to */
    uint64_t
        renew_us;    /* when leases are to be renewed, by the steady clock; the writer's thread's */
    uint64_t fence;  /* of runs that begin here; 0: not known yet. The loop's thread's */
    char engine[17]; /* this opening of the store, by chance: which leases are its own */
    weir_buffer owner;    /* "host:pid" */
    weir_buffer process;  /* see weir__process_name */
    pthread_mutex_t lock; /* of what follows */
    WEIR_VECTOR(weir__pg_lease) held;
    WEIR_VECTOR(weir__pg_lease)
    left; /* not renewed, given back at the close; the loop's thread's */
} weir__postgresql;

/* --- postgresql_schema.c */

/* Makes the schema, or brings it to today's version; one process at a time does. */
WEIR_CHECKED bool weir__pg_prepare_schema(weir__pg *connection, weir_error *error);

/* --- postgresql_writer.c: the functions of the writer's class */

WEIR_CHECKED bool weir__pg_write(void *store, weir__append *first, const weir__rows *rows,
                                 weir_error *error);
/* The parameters of APPEND (no rows) or APPEND_ROWS; each of the two may be NULL. */
void weir__pg_add_write(const weir__postgresql *store, const weir__append *first,
                        const weir__rows *rows, weir__pg_parameters *out);
WEIR_CHECKED bool weir__pg_sync(void *store, weir_error *error);

extern const char weir__pg_append_head[]; /* of APPEND_ROWS */

/* --- postgresql_rows.c */

/* The statement APPEND_ROWS, or APPEND_FEW; freed with weir_free. */
char *weir__pg_append_rows_sql(bool few);
/* Which of the statements writes these rows (NULL: none). */
weir__pg_statement weir__pg_append_for(const weir__rows *rows);

/* Three parameters: the rows, and the runs and fences that they are written under. */
void weir__pg_add_rows(weir__pg_parameters *out, const weir__rows *rows);
/* See weir__store_kind. */
/* Ends and removes what is of before a run began anew. */
weir__pg_outcome weir__pg_renew_rows(const weir__postgresql *store, weir__pg *connection,
                                     const weir__rows *rows, weir_error *error);
WEIR_CHECKED bool weir__pg_derive(weir_store *store, weir_str run, bool anew, weir_str changes,
                                  weir_error *error);
WEIR_CHECKED bool weir__pg_derived(weir_store *store, weir_str run, uint64_t *sequence,
                                   weir_error *error);

/* --- postgresql_repair.c: see weir__store_kind */

WEIR_CHECKED bool weir__pg_streams(weir_store *store, weir__stream_visit *visit, void *arg,
                                   weir_error *error);
WEIR_CHECKED bool weir__pg_inspect(weir_store *store, weir_str run, weir__inspect_visit *visit,
                                   void *arg, weir_error *error);
WEIR_CHECKED bool weir__pg_cut(weir_store *store, uint64_t from, const weir_run_record *record,
                               weir_error *error);

WEIR_CHECKED bool weir__pg_shorten(weir_store *store, weir_str run, uint64_t sequence,
                                   weir_str summary, const uint32_t *contexts, size_t count,
                                   weir_error *error);

/* --- postgresql_lease.c */

/* Renews the leases. */
void weir__pg_beat(weir__postgresql *store);
/* On the writer's thread: takes the lease again, with its number, when nobody has it and nobody else drove the run since: a
 * server that crashed may have forgotten it. */
weir__pg_outcome weir__pg_restore(weir__postgresql *store, weir_str run, uint64_t fence,
                                  bool *restored, weir_error *error);
WEIR_CHECKED bool weir__pg_own(weir_store *store, weir_str run, weir_error *error);
WEIR_CHECKED bool weir__pg_begin(weir_store *store, weir_str run, weir_error *error);
/* What an append of the run, maybe the `last`, is written under (0: no lease), and what it does to that. */
uint64_t weir__pg_fence_to_append(weir__postgresql *store, weir_str run, bool last,
                                  uint64_t *lease);
/* The appends are written: what became of their leases. */
void weir__pg_note_written(weir__postgresql *store, const weir__append *first);
void weir__pg_disown(weir_store *store, weir_str run, bool finished);
bool weir__pg_is_owned(weir_store *store, weir_str run);
bool weir__pg_is_abandoned(weir_store *store, weir_str run);
bool weir__pg_holds(weir_store *store, weir_str run, weir_error *error);
/* What is said of a run whose lease another has; false. */
bool weir__pg_lease_lost(weir_str run, weir_error *error);
/* 0: it is not held. */
uint64_t weir__pg_fence(weir__postgresql *store, weir_str run);
/* Gives back all. After the writer has ended. */
void weir__pg_drop_leases(weir__postgresql *store);

/* --- postgresql_memo.c: as in weir__store_kind; and on the writer's thread, of which FAILED never comes */

bool weir__pg_memo_find(weir_store *store, const weir_str *keys, size_t count,
                        weir_memo_visit *visit, void *arg, weir_error *error);
bool weir__pg_memo_list(weir_store *store, const weir_memo_filter *filter, weir_memo_visit *visit,
                        void *arg, weir_error *error);
bool weir__pg_memo_remove(weir_store *store, const weir_memo_entry *entries, size_t count,
                          weir_error *error);
void weir__pg_memo_put(weir_store *store, weir__memo_put *put);
weir__pg_outcome weir__pg_write_memos(weir__postgresql *store, weir__append *first,
                                      weir_error *error);

/* --- postgresql_refer.c: as in weir__store_kind; and on the writer's thread */

WEIR_CHECKED bool weir__pg_references(weir_store *store, weir_str run, weir_str digest,
                                      weir_reference_visit *visit, void *arg, weir_error *error);
WEIR_CHECKED bool weir__pg_forsaken(weir_store *store, const weir_reference *after,
                                    weir_reference_visit *visit, void *arg, weir_error *error);
WEIR_CHECKED bool weir__pg_forsake(weir_store *store, uint64_t before_us, weir_error *error);
WEIR_CHECKED bool weir__pg_unrefer(weir_store *store, const weir_reference *references,
                                   size_t count, weir_error *error);
void weir__pg_refer(weir_store *store, weir__refer_put *put);
weir__pg_outcome weir__pg_write_references(weir__postgresql *store, const weir__append *first,
                                           weir_error *error);

/* --- postgresql_register.c: as in weir__store_kind */

WEIR_CHECKED bool weir__pg_register_get(weir_store *store, weir_str key, weir_buffer *value,
                                        uint64_t *version, weir_error *error);
WEIR_CHECKED bool weir__pg_register_put(weir_store *store, weir_str key, weir_str value,
                                        uint64_t version, bool *written, weir_error *error);
/* postgresql_history.c: as in history.h */
WEIR_CHECKED bool weir__pg_history(weir_store *store, const int64_t *identities, size_t count,
                                   weir_history_visit *visit, void *arg, weir_error *error);
WEIR_CHECKED bool weir__pg_register_list(weir_store *store, weir_str prefix,
                                         weir_register_visit *visit, void *arg, weir_error *error);
WEIR_CHECKED bool weir__pg_register_remove(weir_store *store, weir_str key, uint64_t version,
                                           bool *removed, weir_error *error);

/* --- postgresql_command.c */

/* On the writer's thread: has what is asked of runs whose leases are held given to who listens. */
void weir__pg_look_for_commands(weir__postgresql *store);
WEIR_CHECKED bool weir__pg_command(weir_store *store, weir_str run, weir_str line,
                                   uint64_t timeout_us, weir_buffer *answer, weir_error *error);
void weir__pg_answer(weir_store *store, uint64_t command, weir_str answer);

/* --- postgresql.c */

/* A connection of the loop's thread whose rows nobody is visiting. */
weir__pg *weir__pg_idle_reader(weir__postgresql *store);

/* On the loop's thread: a question that may be asked twice, again while the connection is lost. */
WEIR_CHECKED bool weir__pg_ask(weir__postgresql *store, weir__pg_statement statement,
                               const weir__pg_parameters *parameters, weir__pg **connection,
                               PGresult **out, weir_error *error);
/* The same with SQL of its own. */
WEIR_CHECKED bool weir__pg_ask_sql(weir__postgresql *store, const char *sql,
                                   const weir__pg_parameters *parameters, weir__pg **connection,
                                   PGresult **out, weir_error *error);

/* --- postgresql_runs.c */

WEIR_CHECKED bool weir__pg_select(weir_store *store, const weir_selection *selection,
                                  weir__record_visit *visit, void *arg, weir_error *error);
WEIR_CHECKED bool weir__pg_find(weir_store *store, weir_str run, weir__record_visit *visit,
                                void *arg, weir_error *error);
WEIR_CHECKED bool weir__pg_names(weir_store *store, const weir_str *names, size_t count,
                                 bool *taken, weir_error *error);
WEIR_CHECKED bool weir__pg_delete(weir_store *store, const weir_str *runs, size_t count,
                                  weir_error *error);
WEIR_CHECKED bool weir__pg_leftovers(weir_store *store, weir__leftover_visit *visit, void *arg,
                                     weir_error *error);
WEIR_CHECKED bool weir__pg_forget(weir_store *store, weir_str run, weir_error *error);

/* --- postgresql_keep.c: see weir__store_kind */

WEIR_CHECKED bool weir__pg_measure(weir_store *store, weir_store_size *out, weir_error *error);
WEIR_CHECKED bool weir__pg_measure_run(weir_store *store, weir_str run, uint64_t *bytes,
                                       weir_error *error);
WEIR_CHECKED bool weir__pg_keep(weir_store *store, weir_str run, bool keep, weir_error *error);

#endif

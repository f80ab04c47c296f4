/* The store: where runs are kept. One interface; memory, SQLite and PostgreSQL behind it.
 *
 * A stream is a run's journal: batches numbered from 1 without a gap. A batch is one row, written whole or not at all,
 * with a checksum over its run, number and bytes. Appends are asynchronous: batches of all runs that wait together are
 * written in one transaction by the store's own thread (group commit); `done` is called on the loop's thread, in
 * order, once the batch is durable. After a failed append every later append of that run fails too: the caller stops.
 * What is wrong with the store itself (a disk, a server that does not come back) fails the appends of all runs.
 *
 * A run has one owner. A store that several machines may share keeps leases: who has one renews it by itself, and each
 * append is written only while it is held, so that a process that was stopped for long cannot write into what is
 * another's by now. A store of one machine leaves that to locks of its user's (see engine/own.c).
 * Except for that thread inside, everything belongs to the loop's thread. */
#ifndef WEIR_STORE_STORE_H
#define WEIR_STORE_STORE_H

#include <weir/weir.h>

#include "data/value.h"
#include "io/loop.h"
#include "store/select.h"

typedef struct weir_store weir_store;

/* What lists show of a run; kept beside its journal and derived from it. */
typedef struct weir_run_record {
    weir_str id, name, kind, phase, file;
    weir_str owner;  /* "host:pid" of the process that drives it, or that drove it last */
    weir_str parent; /* name of the run that this one is a task of; empty: none */
    uint64_t created_us, finished_us; /* 0: not yet */
    weir_str labels; /* a JSON object of texts, as the run came with it; empty: none */
    uint64_t number; /* the order in which they came; of what is read only */
} weir_run_record;

/* A record that owns its texts, all in `memory`, freed with weir_free. */
typedef struct weir__record {
    weir_run_record record;
    char *memory;
} weir__record;

weir__record weir__record_copy(const weir_run_record *record);

/* `url` is "sqlite:///PATH" or "postgresql://…" (see docs/reference/store.md); NULL: SQLite in `directory`, the state
 * directory, made when absent, mode 0700. Nobody needs either with WEIR_DURABILITY_NONE. No error has a password in it. */
WEIR_CHECKED bool weir_store_open(weir_loop *loop, const char *directory, const char *url,
                                  weir_durability durability, weir_store **out, weir_error *error);
/* The same; `waits` (may be NULL) is told within a call, on the loop's thread, when a server keeps that waiting: what it waits
 * for. */
typedef struct weir_store_listener {
    void (*waits)(void *arg, const char *what);
    void *arg;
} weir_store_listener;
WEIR_CHECKED bool weir_store_open_heard(weir_loop *loop, const char *directory, const char *url,
                                        weir_durability durability,
                                        const weir_store_listener *listener, weir_store **out,
                                        weir_error *error);
/* Whether the URL is of a store that this weir knows. */
WEIR_CHECKED bool weir_store_url_check(weir_str url, weir_error *error);
/* The folder that the store's files are in; NULL: it has none here. Borrowed. */
const char *weir_store_directory(const weir_store *store);
/* Whether the store keeps leases. */
bool weir_store_has_leases(const weir_store *store);
/* Takes the lease of a run, where there are leases; before its first append. CONFLICT: somebody else has it. A lease
 * whose process is known to be dead counts as over. */
WEIR_CHECKED bool weir_store_own(weir_store *store, weir_str run, weir_error *error);
/* The same of a run that is new, whose id nobody else can know: it cannot be another's. */
WEIR_CHECKED bool weir_store_begin(weir_store *store, weir_str run, weir_error *error);
/* Gives it back, if it is held: at once when the run is `finished`, else once what waits is written and the store closes. */
void weir_store_disown(weir_store *store, weir_str run, bool finished);
/* Whether somebody has the lease. */
bool weir_store_is_owned(weir_store *store, weir_str run);
/* Whether it is known that nobody has it: not when that cannot be asked. */
bool weir_store_is_abandoned(weir_store *store, weir_str run);
/* Whether a run that this store owns is still its own; asked before an effect of it leaves. As long as the lease cannot have ended that is known
 * here. A process that was stopped for longer asks the store: an error is that another has it, or that it cannot be asked. */
WEIR_CHECKED bool weir_store_holds(weir_store *store, weir_str run, weir_error *error);
/* `lost` is called on the loop's thread when a lease that is held turns out to be another's. */
void weir_store_watch(weir_store *store,
                      void (*lost)(void *arg, weir_str run, const weir_error *why), void *arg);
/* Writes what waits, then frees. `done` of what waits is called before it returns. */
void weir_store_close(weir_store *store);

/* Commands, where the store keeps leases: a line to whoever has the run's lease, and one back. Waits for the answer;
 * EXPIRED when there is none in time: then the command was taken back. */
WEIR_CHECKED bool weir_store_ask(weir_store *store, weir_str run, weir_str line,
                                 uint64_t timeout_us, weir_buffer *answer, weir_error *error);
/* `take` is called on the loop's thread, within 100 ms, with each command that is not answered of a run whose lease is
 * held, maybe more than once; numbers of a run's commands grow. */
void weir_store_listen(weir_store *store,
                       void (*take)(void *arg, weir_str run, uint64_t command, weir_str line),
                       void *arg);
/* What its asker gets; when the store cannot be reached just now, the command is given again. */
void weir_store_answer(weir_store *store, uint64_t command, weir_str answer);

/* Appends a batch; takes bytes and rows over. `record` (may be NULL; copied) is written with it; `rows`, what it changes in
 * the tables (see store/rows.h), with it or at most 0.2 s later. `error` is NULL on success. The memory store has no tables, and calls `done` before it returns. */
void weir_store_append(weir_store *store, weir_str run, uint64_t sequence, weir_buffer bytes,
                       weir_buffer rows, const weir_run_record *record,
                       void (*done)(void *arg, const weir_error *error), void *arg);

/* Waits until all that was appended is written, or has failed, before its `done` is called. False: not in time. */
bool weir_store_flush(weir_store *store, uint64_t timeout_us);

/* Reads a run's batches in order, from `from` on, until `visit` returns false. A damaged or missing batch is an error
 * that names run and sequence. Read from 1, a journal may begin with a summary, whose number is that of the last batch it stands
 * for; read from later on, one is CONFLICT: what was to be read is gone. */
WEIR_CHECKED bool weir_store_read(weir_store *store, weir_str run, uint64_t from,
                                  bool (*visit)(void *arg, uint64_t sequence, weir_str bytes),
                                  void *arg, weir_error *error);

/* After a reading, before anybody relies on it: what was read is as durable as what was appended, although who wrote it may
 * have died before that. */
WEIR_CHECKED bool weir_store_settle(weir_store *store, weir_error *error);

/* The records, newest first in the order in which they came, as clocks go back; at most `limit` (0: all), until `visit`
 * returns false; the record is borrowed. */
WEIR_CHECKED bool weir_store_list(weir_store *store, size_t limit,
                                  bool (*visit)(void *arg, const weir_run_record *record),
                                  void *arg, weir_error *error);
/* Those that are selected, in the selection's order. */
WEIR_CHECKED bool weir_store_select(weir_store *store, const weir_selection *selection,
                                    bool (*visit)(void *arg, const weir_run_record *record),
                                    void *arg, weir_error *error);
/* A number that is another when something was written since it was asked for last, by any process; asking costs next to nothing.
 * 0: the store cannot tell, so a look has to. */
uint64_t weir_store_version(weir_store *store);

/* A question waits up to 10 s for a server that is away. While the store is hurried it fails at once: for who asks again anyway,
 * and has other things to do meanwhile. */
void weir_store_hurry(weir_store *store, bool hurry);
/* Whether that is why the last question failed: how long it is worth to ask again, in microseconds; 0: it is not why. */
uint64_t weir_store_away_us(weir_store *store);

/* Removes runs with their journals, leases and labels, all or none, durably. What else is kept of them is the caller's to
 * remove, who then forgets them: until then each is visited as a leftover, with its last owner, also after a crash. */
WEIR_CHECKED bool weir_store_delete(weir_store *store, const weir_str *runs, size_t count,
                                    weir_error *error);
WEIR_CHECKED bool weir_store_leftovers(weir_store *store,
                                       bool (*visit)(void *arg, weir_str run, weir_str owner),
                                       void *arg, weir_error *error);
WEIR_CHECKED bool weir_store_forget(weir_store *store, weir_str run, weir_error *error);

/* --- keeping house */

/* What was deleted may be much: a store that can only be changed by one at a time removes it in slices, of which the first is
 * within weir_store_delete, and the others this, each in a short transaction. *more: there is more of the run. */
WEIR_CHECKED bool weir_store_sweep(weir_store *store, weir_str run, bool *more, weir_error *error);
typedef struct weir_store_size {
    uint64_t bytes;      /* that runs and results take */
    uint64_t free_bytes; /* of the file, which what comes uses again */
} weir_store_size;
/* Of a server `bytes` are those of the journals alone, for which it reads through them. */
WEIR_CHECKED bool weir_store_measure(weir_store *store, weir_store_size *out, weir_error *error);
/* About what the run's journal takes. */
WEIR_CHECKED bool weir_store_measure_run(weir_store *store, weir_str run, uint64_t *bytes,
                                         weir_error *error);
/* Gives a part of what is free beyond `keep` bytes back to the file system; *more: there may be more to give. */
WEIR_CHECKED bool weir_store_shrink(weir_store *store, uint64_t keep, bool *more,
                                    weir_error *error);
/* Sets the label `keep` of a run, or takes it away; by id. */
WEIR_CHECKED bool weir_store_keep(weir_store *store, weir_str run, bool keep, weir_error *error);

/* Writes the store as it is at one moment, beside those who write, into a new file of SQLite's, without its log. Of a server it is a new
 * store with all runs and results, each run as it is at a moment, and without derived tables. `progress` (may be NULL) hears how
 * many pages or runs of how many are done; false ends it: CANCELLED. */
WEIR_CHECKED bool weir_store_snapshot(weir_loop *loop, weir_store *store, const char *path,
                                      bool (*progress)(void *arg, uint64_t done, uint64_t total),
                                      void *arg, weir_error *error);
/* Copies runs and results, without derived tables, into an empty store on this machine. */
WEIR_CHECKED bool weir_store_transfer(weir_loop *loop, weir_store *from, weir_store *to,
                                      bool (*progress)(void *arg, uint64_t done, uint64_t total),
                                      void *arg, weir_error *error);

/* A run by name, by id, or "@latest", the newest without a parent: calls back at most once; NOT_FOUND when there is
 * none. */
WEIR_CHECKED bool weir_store_find(weir_store *store, weir_str run,
                                  void (*found)(void *arg, const weir_run_record *record),
                                  void *arg, weir_error *error);

enum { WEIR_NAMES_MAX = 32 };
/* Of so many names at most: taken[i] becomes true where a run has names[i]. */
WEIR_CHECKED bool weir_store_names(weir_store *store, const weir_str *names, size_t count,
                                   bool *taken, weir_error *error);

/* --- the tables that are derived from journals */

/* Whether the store has them. */
bool weir_store_has_tables(const weir_store *store);
/* *sequence: of the last batch of the run whose rows are written; 0: of none. */
WEIR_CHECKED bool weir_store_derived(weir_store *store, weir_str run, uint64_t *sequence,
                                     weir_error *error);
/* Writes changes of a run's rows before it returns; with `anew`, instead of all that were there. The caller owns the run,
 * and no batch of it is on its way. */
WEIR_CHECKED bool weir_store_derive(weir_store *store, weir_str run, bool anew, weir_str rows,
                                    weir_error *error);

/* --- runs without end */

/* Puts a summary (see store/event.h) in the place of all batches of the run up to this one, which is durable, and removes the rows of
 * these contexts and of their tasks. The caller owns the run. */
WEIR_CHECKED bool weir_store_shorten(weir_store *store, weir_str run, uint64_t sequence,
                                     weir_str summary, const uint32_t *contexts, size_t count,
                                     weir_error *error);

/* --- repair: of runs that nobody drives */

/* The runs that have batches, whether there is a record of them or not. */
WEIR_CHECKED bool weir_store_streams(weir_store *store, bool (*visit)(void *arg, weir_str run),
                                     void *arg, weir_error *error);
/* Every batch of the run that is there; `damage` (NULL: none) says what is wrong with one. Gaps are the visitor's to see. */
WEIR_CHECKED bool weir_store_inspect(weir_store *store, weir_str run,
                                     bool (*visit)(void *arg, uint64_t sequence, weir_str bytes,
                                                   const weir_error *damage),
                                     void *arg, weir_error *error);
/* Removes the run's batches from `from` on, and writes the record. The caller owns the run. */
WEIR_CHECKED bool weir_store_cut(weir_store *store, uint64_t from, const weir_run_record *record,
                                 weir_error *error);
/* Copies the store's file to FILE.`word`-N, and appends that name to `path`; nothing of a store that is no file. */
WEIR_CHECKED bool weir_store_copy(weir_store *store, const char *word, weir_buffer *path,
                                  weir_error *error);
/* Whether the file of a store on SQLite can be opened and its pages are whole; one that is not there is. */
WEIR_CHECKED bool weir_store_file_check(const char *file, bool *whole, weir_error *error);
typedef struct weir_salvaged {
    uint64_t batches, runs; /* that are in the new file; runs by the list of them */
    char moved[4096];       /* where the old file is */
} weir_salvaged;
/* Reads what can be read of a damaged file into a new one that takes its place. CONFLICT: somebody uses it. INVALID: there
 * is nothing of weir in it; it stays as it is. */
WEIR_CHECKED bool weir_store_file_salvage(const char *file, weir_salvaged *out, weir_error *error);

/* Whether what lies below runs and batches is whole: of SQLite, its pages and indexes; of
 * PostgreSQL, that every row can be read. Reads all of it. STORE when it is
 * not. */
WEIR_CHECKED bool weir_store_check(weir_store *store, weir_error *error);

#endif

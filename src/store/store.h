/* The store: where runs are kept. One interface; memory and SQLite behind it.
 *
 * A stream is a run's journal: batches numbered from 1 without a gap. A batch is one row, written whole or not at all,
 * with a checksum over its run, number and bytes. Appends are asynchronous: batches of all runs that wait together are
 * written in one transaction by the store's own thread (group commit); `done` is called on the loop's thread, in
 * order, once the batch is durable. After a failed append every later append fails too: the caller stops.
 * Except for that thread inside, everything belongs to the loop's thread. */
#ifndef WEIR_STORE_STORE_H
#define WEIR_STORE_STORE_H

#include <weir/weir.h>

#include "data/value.h"
#include "io/loop.h"

typedef struct weir_store weir_store;

/* What lists show of a run; kept beside its journal and derived from it. */
typedef struct weir_run_record {
    weir_str id, name, kind, phase, file;
    weir_str owner;  /* "host:pid" of the process that drives it, or that drove it last */
    weir_str parent; /* name of the run that this one is a task of; empty: none */
    uint64_t created_us, finished_us; /* 0: not yet */
} weir_run_record;

/* `directory` is the state directory (made when absent, mode 0700); NULL with WEIR_DURABILITY_NONE. */
WEIR_CHECKED bool weir_store_open(weir_loop *loop, const char *directory,
                                  weir_durability durability, weir_store **out, weir_error *error);
/* Writes what waits, then frees. `done` of what waits is called before it returns. */
void weir_store_close(weir_store *store);

/* Appends a batch; takes the bytes over. `record` (may be NULL; copied) is written with it. `error` is NULL on success.
 * The memory store calls `done` before it returns. */
void weir_store_append(weir_store *store, weir_str run, uint64_t sequence, weir_buffer bytes,
                       const weir_run_record *record,
                       void (*done)(void *arg, const weir_error *error), void *arg);

/* Reads a run's batches in order, from `from` on, until `visit` returns false. A damaged or missing batch is an error
 * that names run and sequence. */
WEIR_CHECKED bool weir_store_read(weir_store *store, weir_str run, uint64_t from,
                                  bool (*visit)(void *arg, uint64_t sequence, weir_str bytes),
                                  void *arg, weir_error *error);

/* The records, newest first in the order in which they came, as clocks go back; at most `limit` (0: all), until `visit`
 * returns false; the record is borrowed. */
WEIR_CHECKED bool weir_store_list(weir_store *store, size_t limit,
                                  bool (*visit)(void *arg, const weir_run_record *record),
                                  void *arg, weir_error *error);

/* A run by name, by id, or "@latest", the newest without a parent: calls back at most once; NOT_FOUND when there is
 * none. */
WEIR_CHECKED bool weir_store_find(weir_store *store, weir_str run,
                                  void (*found)(void *arg, const weir_run_record *record),
                                  void *arg, weir_error *error);

/* Whether what lies below runs and batches is whole: of SQLite, its pages and indexes. Reads all of it. STORE when it is
 * not. */
WEIR_CHECKED bool weir_store_check(weir_store *store, weir_error *error);

#endif

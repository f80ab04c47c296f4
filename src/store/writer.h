/* The writing side of a store: a thread that writes all that waits at once (group commit), in the order it came, and
 * sees to what is due. What is written is handed back to the loop's thread, which calls `done`.
 *
 * An append that is refused (CONFLICT: its name is taken, its lease lost) ends its run: later appends of that run fail with
 * the same error, those of other runs go on. Any other error ends the writer: every append fails with it from then on.
 *
 * Rows that batches change in the tables wait here, those of many batches together, and are written with a later write: one
 * that ends a run, if none were in the last 50 ms, or 0.2 s after the first at the latest; many of them behind it. So they never keep a
 * batch waiting, and a row that changes often is written once. They are never written before their batch.
 *
 * To wake the thread and to be woken by it takes longer than many a disk. So an append that comes alone waits until the loop
 * turns: if that has nothing to do but wait, its own thread writes, as long as that is quick; the other one sleeps meanwhile.
 * All is called on the loop's thread, the functions of the class on the writer's, or on the loop's while that one sleeps. */
#ifndef WEIR_STORE_WRITER_H
#define WEIR_STORE_WRITER_H

#include "store/rows.h"
#include "store/store_internal.h"

/* What an append does to the lease that it is written under. */
enum { WEIR__LEASE_BEGINS = 1, WEIR__LEASE_ENDS = 2 };

typedef struct weir__append {
    struct weir__append *next;
    weir_str run; /* owned */
    uint64_t sequence;
    uint64_t fence; /* of the lease that it is written under; 0: none */
    uint64_t lease; /* WEIR__LEASE_… */
    int64_t checksum;
    weir_buffer bytes, rows; /* `rows`: changes that the batch makes in the tables */
    weir__record record;
    bool has_record;
    weir__memo_put *memo;    /* a memoized result instead of a batch; NULL: a batch */
    weir__refer_put *refers; /* or references to blobs; owned; NULL: none */
    weir_error *failure;     /* owned; NULL: it is durable */
    weir__append_done *done;
    void *arg;
} weir__append;

typedef struct weir__writer_class {
    /* Writes these appends (a list; NULL: none) and rows (NULL: none) in one transaction, all or none. CONFLICT: one of
     * them is refused. */
    bool (*write)(void *store, weir__append *first, const weir__rows *rows, weir_error *error);
    /* Brings to the disk what was written; called at most `sync_us` after a write. NULL: a write does. */
    bool (*sync)(void *store, weir_error *error);
    /* Begins the next write if nobody has to be waited for, or (`!take`) gives up what was begun, if that was not written. NULL:
     * only the thread writes. */
    bool (*seize)(void *store, bool take);
    /* Whether there is something to be put in order that nobody waits for; with `now`, after it was. NULL: never. */
    bool (*tidy)(void *store, bool now);
    /* Called every `beat_us` once the writer has started; 0: never. */
    void (*beat)(void *store);
    uint64_t sync_us, beat_us;
    size_t rows_max, bytes_max; /* of one write; 0: any */
    bool kinds_apart; /* a write has batches and rows, or memoized results, or references */
} weir__writer_class;

typedef struct weir__writer weir__writer;

/* The class and the store outlive the writer. */
weir__writer *weir__writer_open(weir_loop *loop, const weir__writer_class *class, void *store);
/* Writes what waits and calls its `done`. */
void weir__writer_close(weir__writer *writer);
/* Every append fails with this error. Before the first append. */
void weir__writer_refuse(weir__writer *writer, const weir_error *why);
/* For who has no use for a thread (a simulator): there will be none, and each call of weir__writer_turn does what it would
 * do next. Before the first append. */
void weir__writer_move_by_hand(weir__writer *writer);
/* Writes what waits, as much as one write may have, and sees to what is due; false when it is closed and nothing is left. */
bool weir__writer_turn(weir__writer *writer);
/* Starts the thread, which the first append does otherwise. */
WEIR_CHECKED bool weir__writer_start(weir__writer *writer, weir_error *error);
bool weir__writer_has_started(const weir__writer *writer);
void weir__writer_append(weir__writer *writer, weir_str run, uint64_t sequence, uint64_t fence,
                         uint64_t lease, weir_buffer bytes, weir_buffer rows,
                         const weir_run_record *record, weir__append_done *done, void *arg);
/* Memoized results go the same way; `put` is given to weir__memo_put_done. */
void weir__writer_put_memo(weir__writer *writer, uint64_t fence, weir__memo_put *put);
/* Waits until all that was appended is written, or has failed; its `done` is called later. False: not in time. */
bool weir__writer_flush(weir__writer *writer, uint64_t timeout_us);
/* And references to blobs, which are synced whatever the class does; taken over. */
void weir__writer_refer(weir__writer *writer, weir__refer_put *put);
/* The run has a new owner here: its appends are no longer refused. */
void weir__writer_forgive(weir__writer *writer, weir_str run);

/* On the writer's thread: has `done(arg, why)` called on the loop's, or at the close. */
void weir__writer_tell(weir__writer *writer, const weir_error *why, weir__append_done *done,
                       void *arg);
/* Sleeps on the writer's thread; false at once when the writer is to close. */
bool weir__writer_sleep(weir__writer *writer, uint64_t delay_us);

#endif

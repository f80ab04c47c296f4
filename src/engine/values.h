/* Large values of runs, which are blobs: what a batch refers to is put before the batch is written, and read back where the
 * journal is replayed. Their owner is the run ("run:ID").
 *
 * On its way out a batch with large values departs: on a thread its values are named by their SHA-256, the store notes
 * that the run refers to them, on a thread again those that are not there are put, and then the batch goes to the store.
 * Batches of a run keep their order; whatever came meanwhile goes the next round together. On the loop's thread, but for the
 * work on values. */
#ifndef WEIR_ENGINE_VALUES_H
#define WEIR_ENGINE_VALUES_H

#include "data/parts.h"
#include "store/refer.h"
#include "task/task.h"

struct weir_engine;
struct weir_run;
typedef struct weir__departures weir__departures;

enum {
    WEIR__VALUE_BYTES = 64 * 1024,             /* what is larger is a blob */
    WEIR__VALUE_BYTES_MAX = 1024 * 1024 * 1024 /* of a blob that is taken for a value */
};
#define WEIR__RUN_OWNER_PREFIX "run:" /* of the owner of a run's blobs; its id follows */

/* Where a run's large values go to and come from. */
typedef struct weir__values {
    struct weir_engine *engine;
    char run[WEIR_RUN_ID_LENGTH + 1];
    weir_parts *parts; /* NULL: they stay where they are, as nothing is kept */
} weir__values;

void weir__values_init(weir__values *values, struct weir_engine *engine, const char *run);
void weir__values_deinit(weir__values *values);

/* What is written once the values of its batch are there; see weir_store_append. */
typedef struct weir__departure {
    uint64_t sequence;
    weir_buffer bytes, rows;
    const weir_run_record *record; /* copied; NULL: none */
    struct kept *memos;            /* that go behind it; see weir__memo_write */
    void (*done)(void *arg, const weir_error *error);
    void *arg;
} weir__departure;

/* Takes it over, and the places. `done` hears of what goes wrong with the values, too. */
void weir__values_depart(struct weir_run *run, weir_places *places,
                         const weir__departure *departure);
/* The run goes away: what has not gone to the store by now is not written. */
void weir__values_leave(struct weir_run *run);
/* Waits until no thread works on values any more. */
void weir__values_end_jobs(struct weir_engine *engine);

/* --- values_release.c */

/* Lets go of the blobs of runs that are gone, where they can be reached from here. `thorough`: also those of runs that
 * never came to be. */
WEIR_CHECKED bool weir__values_release(struct weir_engine *engine, bool thorough,
                                       weir_error *error);
/* "HOST:/DIRECTORY" or "s3://…": where the engine's blobs are, which need not be there yet. */
WEIR_CHECKED bool weir__values_place(const struct weir_engine *engine, weir_buffer *out,
                                     weir_error *error);
/* Reads a blob of the run, also from another place on this machine where it was put; says what is missing where. */
WEIR_CHECKED bool weir__values_fetch(struct weir_engine *engine, const char *run, weir_str digest,
                                     uint64_t size, weir_buffer *out, weir_error *error);

/* --- values_examine.c */

/* Adds to the list whether those are there that journals refer to. */
void weir__values_examine(struct weir_engine *engine, weir_value *list);

#endif

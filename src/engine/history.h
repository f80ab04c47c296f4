/* What tasks took in earlier runs: samples in the store, a few of each operation, taken when a run ends.
 *
 * An operation is the same in another run, and in another file, when it is of the same name and its configuration says the same
 * (`identity`); of that, tasks of the same name go first. Of a run each operation has at most WEIR__HISTORY_SAMPLES samples for
 * each size of inputs (powers of two). They take places by chance among those that the operation has, so that what is kept is of
 * the last runs, mostly of the newest; the table as a whole has a fixed number of places (docs/decisions/0075). Nothing else follows
 * from it: that samples are lost, or taken twice, harms nobody. One thread, the run's. */
#ifndef WEIR_ENGINE_HISTORY_H
#define WEIR_ENGINE_HISTORY_H

#include "engine/machine.h"
#include "task/coordinator.h"

enum {
    WEIR__HISTORY_SAMPLES = 8,        /* of a run, of one operation and size of inputs */
    WEIR__HISTORY_KEPT = 32,          /* of all runs */
    WEIR__HISTORY_OPERATIONS = 4096,  /* of a run; more are not noted */
    WEIR__HISTORY_PLACES = 128 * 1024 /* of the table */
};

typedef struct weir__history weir__history;

weir__history *weir__history_new(const weir_plan *plan);
void weir__history_free(weir__history *history); /* NULL is allowed */
/* What the run is given from outside; see weir__given_size. */
void weir__history_give(weir__history *history, uint64_t bytes);
/* An attempt succeeded. Its inputs are those bytes, and what its usage says that it was given beside them. */
void weir__history_note(weir__history *history, const weir_task_spec *spec, uint64_t input_bytes,
                        const weir_value *usage);
/* The task that may be tried again took so many tries. */
void weir__history_note_tries(weir__history *history, const weir_task_spec *spec, uint32_t tries);
/* Appends the samples as changes of rows (store/rows.h), once; `run` sorts out whose places they take. */
void weir__history_tell(weir__history *history, weir_str run, uint64_t now_us, bool whole,
                        weir_buffer *rows);

/* Of a run as a whole: what it took beyond the course of its tasks that was expected, of files of this text. */
void weir__history_tell_beyond(weir__history *history, weir_str run, weir_str text, uint64_t us,
                               uint64_t now_us, weir_buffer *rows);
int64_t weir__history_identity_of_file(weir_str text);
/* By which what it cost on an executor is found, or (as `wall_us`, in microjoules) the energy of that: kept where a usage names the
 * executor, in rows of the operations weir.cost and weir.energy. */
int64_t weir__history_identity_of_cost(int64_t identity, weir_str executor, bool energy);
/* By which is found how many tries its tasks took, as `wall_us`: rows of the operation weir.tries. */
int64_t weir__history_identity_of_tries(int64_t identity);
/* By which its samples are found: of a spec of the plan's. */
int64_t weir__history_identity(const weir_plan *plan, const weir_task_spec *spec);
/* Which power of two the size of inputs is below; 0: none. */
unsigned weir__history_bucket(uint64_t input_bytes);
/* How many bytes a run is given by its request: inputs, parameters, artifacts, and the files that those name. */
uint64_t weir__given_size(const weir_value *request);
/* How large the inputs of a task are that has not begun, with files that they name; 0: not known, as of artifacts that are not there yet. */
uint64_t weir__task_size(weir_machine *machine, weir_task_id task);
/* About how many bytes the value has: texts, bytes and objects of other languages as many as they are, anything else 8. */
uint64_t weir__value_size(const weir_value *value);

#endif

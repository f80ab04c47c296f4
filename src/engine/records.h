/* Records: what a run's events change in the store's tables, told event by event, live or from the journal alike.
 *
 * The rows follow from the events and from the plan, and from nothing else, so a rebuild gives the rows that were written
 * while the run went on. Nothing is remembered that the run's machine knows; what is made here waits as encoded changes
 * (store/rows.h) for the run's next batch. Calls, and tasks that stay in the process, have no rows: they are read from the
 * journal. One thread, the run's. */
#ifndef WEIR_ENGINE_RECORDS_H
#define WEIR_ENGINE_RECORDS_H

#include "engine/machine.h"

typedef struct weir_records weir_records;

/* Contexts of a run none of whose operations leave the process have rows up to this number. */
enum { WEIR_CONTEXTS_RECORDED = 10000 };

/* `from`: batches up to this one are in the tables already. The machine and the plan outlive it. */
weir_records *weir_records_new(weir_machine *machine, const weir_plan *plan, uint64_t from);
void weir_records_free(weir_records *records);
/* Right after the machine applied the event, which belongs to batch `sequence`. */
void weir_records_note(weir_records *records, uint64_t sequence, const weir_event *event);
/* The run is over, by this event, which is no one of a replay: what its tasks took is kept for later runs, and what it took beyond their course (UINT64_MAX:
 * not known). */
void weir_records_tell_history(weir_records *records, weir_str run, const weir_event *event,
                               uint64_t course_us);
/* How the tables call an outcome. */
const char *weir_records_phase(weir_outcome_kind kind);
/* How many bytes the next take gives, about. */
size_t weir_records_size(const weir_records *records);
/* The changes since the last take; an empty buffer when there are none. */
weir_buffer weir_records_take(weir_records *records);

#endif

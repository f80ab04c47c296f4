/* Shortens the journal of a run without end, while it goes on: of the contexts that were over long ago all events are left out.
 *
 * What is left of the journal's beginning is one batch, a summary: run.created, the events of those contexts (and of chunks of them)
 * that were not over yet, and between them run.shortened, which says what numbers go on from, so that contexts and tasks keep
 * theirs. Replayed, it gives the state that the whole beginning gives, but for what is over.
 *
 * It follows the run at a distance: it reads the run's batches, those before a moment, and replays them in a machine of its own, which
 * says what belongs to what. So it costs the run nothing but that, and holds no more than what was open at that moment. One
 * thread. */
#ifndef WEIR_ENGINE_SHORTEN_H
#define WEIR_ENGINE_SHORTEN_H

#include "engine/machine.h"

typedef struct weir_shortener weir_shortener;

/* Holds the plan, that of a dataflow or pipeline. `run` and `parts` as in weir_machine_options. */
weir_shortener *weir_shortener_new(weir_plan *plan, const char *run, weir_parts *parts);
void weir_shortener_free(weir_shortener *shortener);

/* The run's next batch. From when on its first event is: microseconds since 1970. */
WEIR_CHECKED bool weir_shortener_begins_us(weir_str bytes, uint64_t *begins_us, weir_error *error);
/* Takes it in. */
WEIR_CHECKED bool weir_shortener_read(weir_shortener *shortener, uint64_t sequence, weir_str bytes,
                                      weir_error *error);
/* The last batch that was read; 0: none. */
uint64_t weir_shortener_sequence(const weir_shortener *shortener);
/* Whether the run can be shortened no further: it was restarted, or comes to its end. */
bool weir_shortener_is_over(const weir_shortener *shortener);
/* Whether enough can go that it is worth it: as much as stays, and 256 KiB. */
bool weir_shortener_is_due(const weir_shortener *shortener);
typedef struct weir_over_attempt {
    weir_task_id task;
    uint32_t number;
} weir_over_attempt;
/* What went since the last summary: contexts that may have rows in the store's tables, and attempts that may have logs. */
typedef struct weir_over {
    WEIR_VECTOR(uint32_t) contexts; /* one within another comes behind it */
    WEIR_VECTOR(weir_over_attempt) attempts;
} weir_over;

void weir_over_deinit(weir_over *over);

/* The summary of all that was read; both are the caller's. */
void weir_shortener_take(weir_shortener *shortener, weir_buffer *summary, weir_over *over);

#endif

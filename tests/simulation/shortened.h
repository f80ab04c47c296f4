/* Journals whose beginning was shortened: what is not over yet must go on from them as it did. */
#ifndef WEIR_SIMULATION_SHORTENED_H
#define WEIR_SIMULATION_SHORTENED_H

#include "replay.h"

/* Shortens the finished run's journal at a place by chance, and that again at a later one; replayed, the rest must fit what is
 * left, and the run must come to the same end. Of dataflows and pipelines; `again` makes a new machine of the run. */
void shortened_check(const virtual_store *store, weir_plan *plan, const char *run,
                     const weir_machine *live, weir_machine *(*again)(void *arg), void *arg);

#endif

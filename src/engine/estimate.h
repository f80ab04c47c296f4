/* What tasks of a plan are expected to take: what its file says, else what earlier runs of the same operations took, else
 * nothing is known. And how long the run goes on from the begin of a task, along the longest way.
 *
 * Made once for a plan, before its tasks begin; then only asked. What the store knows is read when it is made: asking
 * costs a search among the plan's specs and no more. One thread; the owner frees it before the plan. */
#ifndef WEIR_ENGINE_ESTIMATE_H
#define WEIR_ENGINE_ESTIMATE_H

#include "store/store.h"
#include "task/coordinator.h"
#include "task/forecast.h"

typedef struct weir__estimates weir__estimates;

/* Where an estimate is from. */
typedef enum weir__estimate_basis {
    WEIR__ESTIMATE_NONE,
    WEIR__ESTIMATE_FILE,    /* the file says it, all of it or a part */
    WEIR__ESTIMATE_HISTORY, /* earlier runs */
} weir__estimate_basis;

/* The store may be NULL: then only the file counts; so it does when the store cannot be asked. */
weir__estimates *weir__estimates_new(const weir_plan *plan, weir_store *store);
/* The same for who has the plan's graph already, of which nothing is kept. */
weir__estimates *weir__estimates_of_forecast(const weir_plan *plan, weir_store *store,
                                             const weir_forecast *forecast);
void weir__estimates_free(weir__estimates *estimates); /* NULL is allowed */
/* What the run is given from outside, in bytes: of tasks whose inputs are not known before, earlier runs that were given as much say more. */
void weir__estimates_give(weir__estimates *estimates, uint64_t bytes);
/* What one attempt takes of a task with inputs of so many bytes (0: not known). What the file says goes before what earlier runs
 * say, one by one. False: nothing is known, and `out` is all 0. A spec that is a copy of the plan's is as good. */
bool weir__estimates_of(const weir__estimates *estimates, const weir_task_spec *spec,
                        uint64_t input_bytes, weir_estimate *out);
weir__estimate_basis weir__estimates_basis(const weir__estimates *estimates,
                                           const weir_task_spec *spec);
/* The time from a task's begin to the end of the run along the longest way, with room for all at once, and what is not known
 * taken as 0. Of several steps of one spec the longest. 0: not known, or nothing comes behind. The plan's graph is made when this
 * is asked for the first time: linear in its size. */
uint64_t weir__estimates_remaining_us(weir__estimates *estimates, const weir_task_spec *spec);
/* What runs of files of this text took beyond the course of their tasks, at the median; 0: not known. */
uint64_t weir__estimate_beyond(weir_store *store, weir_str text);
/* The value that so many percent of them are not above, on the line between two; sorts them. 0: there are none. */
uint64_t weir__quantile(uint64_t *values, size_t count, unsigned percent);
/* Fills in what each step's tasks take, and how many there are of those that are not known before, as far as earlier runs say: then
 * they are no longer `at_least`. */
void weir__estimates_fill(const weir__estimates *estimates, weir_forecast *forecast);

#endif

/* What the tasks of a run took so far, by what they are of: to be held against what was expected. Fed with the run's events, live and
 * replayed; asked when somebody wants to know. One thread, the run's. */
#ifndef WEIR_ENGINE_ACTUAL_H
#define WEIR_ENGINE_ACTUAL_H

#include "engine/machine.h"
#include "task/forecast.h"

typedef struct weir__actual weir__actual;

weir__actual *weir__actual_new(void);
void weir__actual_free(weir__actual *actual); /* NULL is allowed */
/* Right after the event was applied. */
void weir__actual_note(weir__actual *actual, const weir_machine *machine, const weir_event *event);
/* How often a task was tried, this time too: its attempts, or what its coordinator counts where each try is a task. */
uint32_t weir__tries_of(const weir_machine *machine, weir_task_id task);
/* The run is over: each step has as many tasks as there were, which took what they took; what nothing is known of takes nothing. */
void weir__actual_tell(const weir__actual *actual, const weir_tasks *tasks,
                       weir_forecast *forecast);
/* It goes on: each step has the tasks that are not over, which take what was expected, corrected by what those of the same spec that are over took,
 * less what those under way had of that. `forecast` has what was expected before it began; *part is how much of the work that is. */
void weir__actual_leave(const weir__actual *actual, const weir_tasks *tasks, uint64_t now_us,
                        weir_forecast *forecast, double *part);

#endif

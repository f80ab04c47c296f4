/* What attempts cost, of runs that are to be sparing with something (--optimize): measured, kept for later runs by operation and executor,
 * and by that chosen where an operation may run on more than one with the same meaning.
 *
 * The energy of an attempt is what the processors used from its start to its end, times its share of the work that they did meanwhile;
 * where nobody can read that, the time that it worked stands for it. Two executors mean the same for a pure function of this process that
 * is not declared cheap: the pool, and the run's own thread, which needs no hand-over and does nothing else meanwhile. So only brief ones
 * are run there, whatever it costs in the pool. The loop's thread. */
#ifndef WEIR_ENGINE_COST_H
#define WEIR_ENGINE_COST_H

#include "engine/machine.h"

struct weir_run;
typedef struct weir__costs weir__costs;

void weir__costs_free(weir__costs *costs); /* NULL is allowed */
/* Whether the run is sparing, and a function of that spec costs less, or may, on the run's thread. */
bool weir__cost_is_near(struct weir_run *run, const weir_task_spec *spec);
/* Right before the attempt is started; says there where it is run. */
void weir__cost_begin(struct weir_run *run, weir_attempt *attempt);
/* Its last report: puts into the usage what it cost, and why it was run there. */
void weir__cost_end(struct weir_run *run, weir_report *report);

#endif

/* Before anything runs: which steps of a workflow can run at all, and whether it can come to its end. */
#ifndef WEIR_WORKFLOW_PROVE_H
#define WEIR_WORKFLOW_PROVE_H

#include "data/proof.h"
#include "workflow/plan.h"

/* Of the plan, compiled of the proof's document. An error is only what ends for certain with a failure; what lets a step never run is
 * a warning, as the workflow ends all the same. Adds to the summary: steps, run, may_not_run, never_run: how many;
 * may: [{component, when}], never: [component], waits: [component] of suspensions that somebody has to end, needs: [{parameter}] of
 * parameters without a value. Lists have 100 items at most. */
void weir_workflow_prove(const weir_plan *plan, const weir_value *request, weir_proof *proof);

#endif

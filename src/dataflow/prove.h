/* Before anything runs: which operations of a dataflow can run at all, and whether what is wanted can come to be. */
#ifndef WEIR_DATAFLOW_PROVE_H
#define WEIR_DATAFLOW_PROVE_H

#include "data/proof.h"
#include "dataflow/plan.h"

/* Of a dataflow's plan or a pipeline's, compiled of the proof's document and the request. A request that gives no inputs leaves
 * open what comes from outside: then all that operations read from there is taken to come.
 *
 * Adds to the summary: certain: whether it ends well whatever conditions come to, when no operation fails; operations, run, may_not_run, never_run: how many; may: [{component, when}] of those that may
 * not run, never: [component], and needs: [{definition, primitive, origin?}] of what has to be given. Lists have 100 items at
 * most. Linear in the size of the plan, but for what it says of cycles. */
void weir_dataflow_prove(const weir_plan *plan, const weir_value *request, weir_proof *proof);

#endif

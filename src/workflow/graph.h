/* A workflow as a graph: what its entrypoint runs, each steps or DAG template a group. Any thread. */
#ifndef WEIR_WORKFLOW_GRAPH_H
#define WEIR_WORKFLOW_GRAPH_H

#include "data/graph.h"
#include "workflow/plan.h"

/* Adds to the model (zeroed, or with a title) what the plan runs. A template that calls itself, and what is too much or
 * nested too deep, is shown as a call. */
void weir_workflow_graph(const weir_plan *plan, weir_graph_model *model);

#endif

/* A dataflow as a graph: its operations by stage, what they take and give, and the inputs from outside. Any thread. */
#ifndef WEIR_DATAFLOW_GRAPH_H
#define WEIR_DATAFLOW_GRAPH_H

#include "data/graph.h"
#include "dataflow/plan.h"

/* The stages that a graph may have, in their order; the number of one is its place. */
#define WEIR_DATAFLOW_STAGES "processing|cleanup|output"

/* Adds to the model (zeroed, or with a title) what the plan, a dataflow's or a pipeline's, has in the stages that are
 * set in `stages`, a bit each. */
void weir_dataflow_graph(const weir_plan *plan, uint32_t stages, weir_graph_model *model);

#endif

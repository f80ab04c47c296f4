/* Which node of a workflow's run got what from which: by the tags of its file, which say where each argument came from. */
#ifndef WEIR_WORKFLOW_LINEAGE_H
#define WEIR_WORKFLOW_LINEAGE_H

#include <weir/weir.h>

#include "task/coordinator.h"

/* As weir_lineage has it, without the members that are about the run: of `what` a node (its id, name or display name), an
 * output's name or a parameter of the workflow; "" is the root, or forward all those parameters. Takes what the run has of nodes and arguments. A new
 * reference. */
weir_value *weir_workflow_lineage(const weir_coordinator *coordinator,
                                  const weir_lineage_query *query);

#endif

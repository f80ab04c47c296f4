/* Why a node of a workflow ran, was skipped or omitted, or waits: from Argo's Workflow object {spec, status} alone, as weir_run_workflow has
 * it. Pure; any thread. */
#ifndef WEIR_CLI_WORKFLOW_WHY_H
#define WEIR_CLI_WORKFLOW_WHY_H

#include "data/value.h"

/* Of each node of that name, display name or id, and of steps and tasks of that name that did not begin: {name, type?, phase, message?,
 * why: [text]}, `why` in the order in which it came about. A new reference; empty when there is none. */
weir_value *weir_workflow_why(const weir_value *workflow, const char *node);
/* For people: the node, and a line for each reason. */
void weir_workflow_why_print(const weir_value *nodes, weir_buffer *out);

#endif

/* Goals of a workflow's run. Private to this folder. */
#ifndef WEIR_WORKFLOW_GOAL_H
#define WEIR_WORKFLOW_GOAL_H

#include "workflow/template.h"

/* The Workflow with what leads to request.goals of its entrypoint, and the outputs that they name; a new reference. NULL after a
 * problem, or when all of it does. `left_out` gets the names of the tasks that are not in it, and `path` where the first of them is; or they stay. */
weir_value *weir__workflow_narrow(const weir__workflow *workflow, const weir_value *request,
                                  const char *file, weir_value **left_out, weir_buffer *path,
                                  weir_problems *problems);

#endif

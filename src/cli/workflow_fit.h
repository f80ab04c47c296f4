/* Makes a workflow's tree as small as a terminal: what is done goes first. Pure; any thread. */
#ifndef WEIR_CLI_WORKFLOW_FIT_H
#define WEIR_CLI_WORKFLOW_FIT_H

#include "cli/workflow_forest.h"
#include "cli/workflow_text.h"

/* Takes out of the forest what has no place in look->rows: what is within something that is done, then what is done, the oldest first, what
 * waits, and then what runs or failed. Appends a line that says how much that was, if anything. */
void weir_workflow_fit(weir_forest *forest, const weir_workflow_look *look, weir_buffer *left_out);
/* Cuts the lines that begin at `from` to so many characters. */
void weir_workflow_cut(weir_buffer *text, size_t from, size_t columns);

#endif

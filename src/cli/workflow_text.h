/* A workflow as text for people, as `argo get` prints it: from Argo's Workflow object {metadata, spec, status} alone, which may be
 * anybody's: nothing of it is trusted, controls in it become blanks. Pure; any thread. */
#ifndef WEIR_CLI_WORKFLOW_TEXT_H
#define WEIR_CLI_WORKFLOW_TEXT_H

#include "data/field_selector.h"

typedef struct weir_workflow_look {
    enum {
        WEIR_LOOK_TEXT,
        WEIR_LOOK_WIDE, /* more columns */
        WEIR_LOOK_SHORT /* only the tree */
    } form;
    bool color, ascii;
    bool fine;                           /* durations of all nodes, and not in whole seconds */
    const weir_field_selector *selector; /* nodes that are shown; NULL: all */
    uint64_t now_us;                     /* since 1970 */
    size_t rows, columns; /* of the tree, with what it leaves out; 0: as many as there are */
    size_t unlisted
        [3]; /* what else is left out, as its nodes are not given: what runs or failed, waits, is done */
} weir_workflow_look;

/* Appends the head and, when it has nodes, the tree. */
void weir_workflow_print(const weir_value *workflow, const weir_workflow_look *look,
                         weir_buffer *out);
/* --- its parts */
void weir_workflow_print_head(const weir_value *workflow, const weir_workflow_look *look,
                              weir_buffer *out);
/* False when there is no tree. */
bool weir_workflow_print_tree(const weir_value *workflow, const weir_workflow_look *look,
                              weir_buffer *out);
/* "Running (Suspended)", "Failed (Terminated)", "Pending" and so on. Borrowed. */
weir_str weir_workflow_status(const weir_value *workflow);
/* The spec that runs: that of the template it refers to, once that is known. */
const weir_value *weir_workflow_spec(const weir_value *workflow);
/* Whether the node has no line in the tree; then whether its children are drawn as if it had one. */
bool weir_workflow_node_is_hidden(const weir_workflow_look *look, const weir_value *node,
                                  bool *indents);
/* Of a Suspend node that waits. */
bool weir_workflow_node_is_suspended(const weir_value *node);
/* "0s*(1 cpu),2m30s*(100Mi memory)" */
void weir_workflow_put_resources(const weir_value *durations, weir_buffer *out);
/* Appends the name of a node's pod; of the second form, by which Argo 3.4 and later call it. */
void weir_workflow_put_pod(weir_str workflow, const weir_value *node, weir_buffer *out);
/* The moment in the member, a text or microseconds since 1970; false: there is none. */
bool weir_workflow_moment(const weir_value *object, const char *member, uint64_t *us);
/* Appends the text, on a look with colours in the one of this number (see ECMA-48, SGR). */
void weir_workflow_put_colored(const weir_workflow_look *look, int color, const char *text,
                               weir_buffer *out);

enum { WEIR_RED = 31, WEIR_GREEN = 32, WEIR_YELLOW = 33, WEIR_CYAN = 36, WEIR_PLAIN = 39 };

#endif

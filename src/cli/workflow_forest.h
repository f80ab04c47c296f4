/* A workflow's nodes, {id: node} as Argo's status has them, put under each other as `argo get` shows them: a child of a step group or
 * retry node under that, others under the DAG or Steps node that is their boundary, in the order of their start. Task groups and the
 * containers of a pod are not shown. It borrows from the nodes, which must outlive it. One thread. */
#ifndef WEIR_CLI_WORKFLOW_FOREST_H
#define WEIR_CLI_WORKFLOW_FOREST_H

#include "base/vector.h"
#include "data/value.h"

#define WEIR_FOREST_NONE UINT32_MAX

typedef struct weir_forest_node {
    const weir_value *value;
    uint64_t started_us;
    uint32_t parent;            /* WEIR_FOREST_NONE: it stands alone */
    uint32_t from, child_count; /* in `children` */
} weir_forest_node;

typedef struct weir_forest {
    weir_forest_node *nodes;
    uint32_t *children; /* of all nodes, of one behind the other */
    uint32_t count;
} weir_forest;

/* `nodes` may be NULL. Takes n log n of n nodes. */
void weir_forest_init(weir_forest *forest, const weir_value *nodes);
void weir_forest_deinit(weir_forest *forest);
/* Whether a node of its type can have a place in the tree. */
bool weir_forest_shows(const weir_value *node);
/* Takes the nodes out of their parents' children for which `kept` is false. */
void weir_forest_keep(weir_forest *forest, const bool *kept);
/* The node of that id, if it is shown and under no other; else WEIR_FOREST_NONE. */
uint32_t weir_forest_root(const weir_forest *forest, const weir_value *nodes, weir_str id);

#endif

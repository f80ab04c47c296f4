/* What of a workflow's run is undone when it is restarted: a node, the steps and tasks after it, all that is within those,
 * and the same of the steps or DAG that it is part of, whose outputs it may have made. */
#include "workflow/coordinator.h"

weir_value *weir__locate(const weir_coordinator *coordinator, weir_task_id task) {
    const weir__run *run = (const weir__run *)coordinator;
    uint32_t node = run->by_task.items[task];
    weir_value *path = weir_array_new();
    weir_buffer text = {0};
    weir_array_append(path,
                      weir_string_from(weir_member_text(run->nodes.items[node].start, "name")));
    weir__node_display_name(run, node, &text);
    weir_array_append(path, weir_string_from(weir_buffer_str(&text)));
    weir_buffer_clear(&text);
    weir__node_id(run, node, &text);
    weir_array_append(path, weir_string_from(weir_buffer_str(&text)));
    weir_buffer_deinit(&text);
    return path;
}

typedef struct undoing {
    const weir__run *run;
    bool *undone; /* by node: it and all that is within it */
} undoing;

static void undo_slot(undoing *u, const weir__node *of, size_t slot) {
    if (of->slots[slot] != WEIR__NONE) u->undone[of->slots[slot]] = true;
}

/* The tasks of a DAG that need this one, near or far: each stands after what it needs. */
static void undo_dependents(undoing *u, const weir__node *dag, uint32_t step) {
    const weir__template *t = dag->template;
    bool *after = weir_alloc((t->step_count + 1) * sizeof *after);
    after[step] = true;
    for (size_t i = 0; i < t->order.count; i++) {
        uint32_t at = t->order.items[i];
        const weir__indexes *on = &t->steps[at].dependencies;
        for (size_t k = 0; k < on->count && !after[at]; k++) after[at] = after[on->items[k]];
        if (after[at] && at != step) undo_slot(u, dag, at);
    }
    weir_free(after);
}

static void undo_groups_after(undoing *u, const weir__node *steps, size_t group) {
    const weir__template *t = steps->template;
    for (size_t i = t->groups[group + 1]; i < t->step_count; i++) undo_slot(u, steps, i);
}

static void undo_after(undoing *u, uint32_t node) {
    for (const weir__node *n = weir__node_at(u->run, node); n->parent != WEIR__NONE;
         n = weir__node_at(u->run, n->parent)) {
        const weir__node *parent = weir__node_at(u->run, n->parent);
        if (n->hook) continue;
        if (parent->type == WEIR__TYPE_RETRY)
            u->undone[n->parent] = true; /* its attempts are counted anew */
        else if (parent->type == WEIR__TYPE_DAG)
            undo_dependents(u, parent, n->at);
        else if (parent->type == WEIR__TYPE_STEPS)
            undo_groups_after(u, parent, n->at);
    }
}

/* Whether the node of the path is there and was not undone. */
static bool stays(const undoing *u, const weir_map *names, const weir_value *path) {
    uint64_t node;
    return weir_map_get(names, weir_string_get(weir_array_at(path, 0)), &node) && !u->undone[node];
}

void weir__undo(const weir_coordinator *coordinator, const weir_value *chosen, bool failed,
                weir_value *const *paths, size_t count, bool *undone) {
    (void)failed; /* what depends on a failure may have run because of it */
    const weir__run *run = (const weir__run *)coordinator;
    undoing u = {run, weir_alloc((run->nodes.count + 1) * sizeof *u.undone)};
    weir_map names = {0};
    for (uint32_t i = 0; i < run->nodes.count; i++)
        weir_map_set(&names, weir_member_text(run->nodes.items[i].start, "name"), i);
    for (size_t i = 0; i < weir_value_count(chosen); i++) {
        uint64_t node;
        weir_str name = weir_string_get(weir_array_at(weir_array_at(chosen, i), 0));
        if (!weir_map_get(&names, name, &node)) continue;
        u.undone[node] = true;
        undo_after(&u, (uint32_t)node);
    }
    for (uint32_t i = 1; i < run->nodes.count; i++) /* parents come first */
        u.undone[i] = u.undone[i] || u.undone[run->nodes.items[i].parent];
    for (size_t i = 0; i < count; i++) undone[i] = undone[i] || !stays(&u, &names, paths[i]);
    weir_map_deinit(&names);
    weir_free(u.undone);
}

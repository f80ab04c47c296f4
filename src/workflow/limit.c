/* How many children of a steps or DAG node, or pods of the whole run, may be active at once. What waits is a hint, as
 * `todo` is: after a replay all that has not started is looked at again. */
#include "workflow/coordinator.h"

/* Argo counts these; a loop and a Retry are only around them. */
static bool counts(weir__type type) {
    return type == WEIR__TYPE_POD || type == WEIR__TYPE_STEPS || type == WEIR__TYPE_DAG;
}

static weir__limit *limit_of(weir__run *run, uint32_t boundary) {
    if (boundary == WEIR__NONE) return &run->limits.items[0];
    weir__node *n = weir__node_at(run, boundary);
    if (n->limited == WEIR__NONE) {
        n->limited = (uint32_t)run->limits.count;
        *weir_vector_push(&run->limits) = (weir__limit){.most = n->template->parallelism};
    }
    return &run->limits.items[n->limited];
}

static bool is_full(const weir__limit *limit) {
    return limit->most && limit->active >= limit->most;
}

static void wait_for(weir__run *run, uint32_t boundary, uint32_t parent, uint32_t child) {
    weir_queue_put(&limit_of(run, boundary)->waiting, (uint64_t)parent << 32 | child);
}

bool weir__limit_bars(weir__run *run, uint32_t boundary, const weir__template *called,
                      uint32_t parent, uint32_t child) {
    if (run->cancelled) return false;
    bool within = boundary != WEIR__NONE && weir__node_at(run, boundary)->template->parallelism;
    if (within && is_full(limit_of(run, boundary))) {
        wait_for(run, boundary, parent, child);
        return true;
    }
    /* What has locks waits for them first: then it takes its place among the pods. */
    bool locked = called->locks.count && child != WEIR__NONE;
    if (called->kind == WEIR__POD && !locked && is_full(&run->limits.items[0])) {
        wait_for(run, WEIR__NONE, parent, child);
        return true;
    }
    return false;
}

bool weir__counts_as_failure(const weir__node *node) {
    return counts(node->type) && node->boundary != WEIR__NONE && weir__is_failure(node->phase);
}

bool weir__has_stopped(const weir__run *run, uint32_t node) {
    const weir__node *n = weir__node_at(run, node);
    if (n->type != WEIR__TYPE_STEPS && n->type != WEIR__TYPE_DAG) {
        if (n->boundary == WEIR__NONE) return false;
        n = weir__node_at(run, n->boundary);
    }
    return n->template->stops_at_failure && n->failures;
}

void weir__limit_wake_all(weir__run *run) {
    uint64_t item;
    for (size_t i = 0; i < run->limits.count; i++)
        while (weir_queue_take(&run->limits.items[i].waiting, &item))
            weir_queue_put(&run->todo, item);
}

static void wake_one(weir__run *run, uint32_t boundary) {
    uint64_t item;
    weir__limit *limit = limit_of(run, boundary);
    if (!is_full(limit) && weir_queue_take(&limit->waiting, &item))
        weir_queue_put(&run->todo, item);
}

void weir__limit_pass(weir__run *run, uint32_t boundary) {
    wake_one(run, WEIR__NONE);
    if (boundary != WEIR__NONE && weir__node_at(run, boundary)->limited != WEIR__NONE)
        wake_one(run, boundary);
}

bool weir__limit_is_of_run(const weir__run *run, const weir__node *node) {
    return node->type == WEIR__TYPE_POD && run->limits.items[0].most;
}

bool weir__limit_bars_locked(weir__run *run, uint32_t node) {
    if (run->cancelled || weir__node_at(run, node)->type != WEIR__TYPE_POD ||
        !is_full(&run->limits.items[0]))
        return false;
    wait_for(run, WEIR__NONE, node, WEIR__NONE);
    return true;
}

void weir__limit_enter_locked(weir__run *run, const weir__node *node) {
    if (node->type == WEIR__TYPE_POD) run->limits.items[0].active++;
}

void weir__limit_enter(weir__run *run, const weir__node *node) {
    if (node->type == WEIR__TYPE_POD && !weir__node_pends(node)) run->limits.items[0].active++;
    if (!counts(node->type) || node->boundary == WEIR__NONE) return;
    weir__node_at(run, node->boundary)->active++;
    if (weir__node_at(run, node->boundary)->template->parallelism)
        limit_of(run, node->boundary)->active++;
}

void weir__limit_leave(weir__run *run, const weir__node *node) {
    if (node->type == WEIR__TYPE_POD && !weir__node_pends(node)) run->limits.items[0].active--;
    uint32_t boundary = node->boundary;
    if (boundary != WEIR__NONE) {
        weir__node *b = weir__node_at(run, boundary);
        bool limited = b->template->parallelism;
        if (counts(node->type)) b->active--;
        if (counts(node->type) && limited) limit_of(run, boundary)->active--;
    }
    weir__limit_pass(run, boundary);
}

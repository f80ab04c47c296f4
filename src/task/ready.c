#include "task/ready.h"

enum {
    LOOKS_MAX = 512,
    GROUPS = 1024, /* places for them: McKenney, Stochastic fairness queueing, 1990 */
};

/* --- schedulers ----------------------------------------------------------------------------- */

static uint64_t key_of_fifo(weir_ready *ready, const weir_wants *wants, uint64_t group) {
    (void)ready;
    (void)wants;
    (void)group;
    return 0;
}

/* Start-time fair queueing (Goyal, Vin and Cheng, 1996): a group's next task stands where its last ends, and not before what is
 * served now. */
static uint64_t key_of_fair(weir_ready *ready, const weir_wants *wants, uint64_t group) {
    if (!ready->given) ready->given = weir_alloc(GROUPS * sizeof *ready->given);
    uint64_t *given = &ready->given[group % GROUPS];
    uint64_t start = *given > ready->served_us ? *given : ready->served_us;
    uint64_t turn = wants->wall_us ? wants->wall_us : WEIR_TURN_US;
    *given = turn < UINT64_MAX / 2 - start ? start + turn : UINT64_MAX / 2;
    return start;
}

static uint64_t key_of_critical_path(weir_ready *ready, const weir_wants *wants, uint64_t group) {
    (void)ready;
    (void)group;
    return UINT64_MAX - wants->remaining_us;
}

static uint64_t key_of_memory(weir_ready *ready, const weir_wants *wants, uint64_t group) {
    (void)ready;
    (void)group;
    return wants->memory_bytes;
}

static const struct scheduler {
    const char *name;
    uint64_t (*key)(weir_ready *ready, const weir_wants *wants, uint64_t group);
    bool passes_by; /* who became ready later may stand before those who wait, for ever */
} schedulers[WEIR_SCHEDULERS] = {
    [WEIR_SCHEDULER_FIFO] = {"fifo", key_of_fifo, false},
    [WEIR_SCHEDULER_FAIR] = {"fair", key_of_fair, false},
    [WEIR_SCHEDULER_CRITICAL_PATH] = {"critical-path", key_of_critical_path, true},
    [WEIR_SCHEDULER_MEMORY] = {"memory", key_of_memory, true},
};

const char *weir_scheduler_text(weir_scheduler scheduler) {
    weir_assert(scheduler < WEIR_SCHEDULERS);
    return schedulers[scheduler].name;
}

weir_scheduler weir_scheduler_find(weir_str name) {
    weir_scheduler at = 0;
    while (at < WEIR_SCHEDULERS && !weir_str_is(name, schedulers[at].name)) at++;
    return at;
}

/* --- the treap ------------------------------------------------------------------------------ */

static weir_ready_node *node_at(const weir_ready *ready, uint32_t at) {
    return &ready->nodes.items[at];
}

static bool is_before(const weir_ready_node *a, const weir_ready_node *b) {
    if (a->priority != b->priority) return a->priority > b->priority;
    return a->key != b->key ? a->key < b->key : a->arrival < b->arrival;
}

/* Which of two nodes is the upper one: as good as drawn, and the same in each run. */
static uint32_t weight_of(const weir_ready_node *node) {
    uint32_t hash = node->arrival * 0x9e3779b1u;
    hash = (hash ^ hash >> 15) * 0x85ebca77u;
    return hash ^ hash >> 13;
}

static void sum_up(const weir_ready *ready, uint32_t at) {
    weir_ready_node *node = node_at(ready, at);
    node->memory_least = node->memory_bytes;
    node->cpu_least = node->cpu_milli;
    const uint32_t below[] = {node->left, node->right};
    for (size_t i = 0; i < 2; i++) {
        const weir_ready_node *other = node_at(ready, below[i]);
        if (!below[i]) continue;
        if (other->memory_least < node->memory_least) node->memory_least = other->memory_least;
        if (other->cpu_least < node->cpu_least) node->cpu_least = other->cpu_least;
    }
}

/* All of `a` stands before all of `b`. */
static uint32_t join(const weir_ready *ready, uint32_t a, uint32_t b) {
    if (!a || !b) return a ? a : b;
    weir_ready_node *first = node_at(ready, a), *second = node_at(ready, b);
    if (weight_of(first) > weight_of(second)) {
        first->right = join(ready, first->right, b);
        sum_up(ready, a);
        return a;
    }
    second->left = join(ready, a, second->left);
    sum_up(ready, b);
    return b;
}

/* What stands before the pivot, and what does not. */
static void split(const weir_ready *ready, uint32_t at, const weir_ready_node *pivot,
                  uint32_t *before, uint32_t *behind) {
    if (!at) {
        *before = *behind = 0;
        return;
    }
    weir_ready_node *node = node_at(ready, at);
    if (is_before(node, pivot)) {
        split(ready, node->right, pivot, &node->right, behind);
        *before = at;
    } else {
        split(ready, node->left, pivot, before, &node->left);
        *behind = at;
    }
    sum_up(ready, at);
}

static uint32_t insert(const weir_ready *ready, uint32_t at, uint32_t new) {
    weir_ready_node *node = node_at(ready, at), *added = node_at(ready, new);
    if (!at || weight_of(added) > weight_of(node)) {
        split(ready, at, added, &added->left, &added->right);
        sum_up(ready, new);
        return new;
    }
    if (is_before(added, node))
        node->left = insert(ready, node->left, new);
    else
        node->right = insert(ready, node->right, new);
    sum_up(ready, at);
    return at;
}

static uint32_t take_out(const weir_ready *ready, uint32_t at, uint32_t gone) {
    weir_ready_node *node = node_at(ready, at);
    weir_assert(at);
    if (at == gone) return join(ready, node->left, node->right);
    if (is_before(node_at(ready, gone), node))
        node->left = take_out(ready, node->left, gone);
    else
        node->right = take_out(ready, node->right, gone);
    sum_up(ready, at);
    return at;
}

/* --- adding, taking, finding ------------------------------------------------------------------ */

void weir_ready_init(weir_ready *ready, weir_scheduler scheduler) {
    *ready = (weir_ready){.scheduler = scheduler};
    *weir_vector_push(&ready->nodes) = (weir_ready_node){.task = WEIR_NO_TASK};
}

void weir_ready_deinit(weir_ready *ready) {
    weir_vector_deinit(&ready->nodes);
    weir_queue_deinit(&ready->oldest);
    weir_free(ready->given);
    *ready = (weir_ready){0};
}

void weir_ready_add(weir_ready *ready, weir_task_id task, const weir_wants *wants, uint64_t group,
                    uint64_t now_us) {
    const struct scheduler *by = &schedulers[ready->scheduler];
    uint32_t at = ready->free;
    if (at) {
        ready->free = node_at(ready, at)->left;
    } else {
        at = (uint32_t)ready->nodes.count;
        (void)weir_vector_push(&ready->nodes);
    }
    *node_at(ready, at) =
        (weir_ready_node){.key = by->key(ready, wants, group),
                          .memory_bytes = wants->memory_bytes,
                          .cpu_milli = wants->cpu_milli,
                          .slots = wants->slots,
                          .processes = wants->processes,
                          .long_us = wants->wall_high_us ? wants->wall_high_us : wants->wall_us,
                          .ready_us = now_us,
                          .arrival = ready->arrivals++,
                          .task = task,
                          .priority = wants->priority};
    if (by->passes_by)
        weir_queue_put(&ready->oldest, (uint64_t)node_at(ready, at)->arrival << 32 | at);
    ready->root = insert(ready, ready->root, at);
    ready->count++;
    ready->slotless += !wants->slots;
}

uint32_t weir_ready_first(const weir_ready *ready) {
    uint32_t at = ready->root;
    while (at && node_at(ready, at)->left) at = node_at(ready, at)->left;
    return at;
}

uint32_t weir_ready_oldest(weir_ready *ready) {
    uint64_t item;
    while (weir_queue_first(&ready->oldest, &item)) {
        const weir_ready_node *node = node_at(ready, (uint32_t)item);
        if (node->task != WEIR_NO_TASK && node->arrival == item >> 32) return (uint32_t)item;
        weir_queue_take(&ready->oldest, &item);
    }
    return weir_ready_first(ready);
}

const weir_ready_node *weir_ready_at(const weir_ready *ready, uint32_t node) {
    return node_at(ready, node);
}

void weir_ready_remove(weir_ready *ready, uint32_t at) {
    weir_ready_node *node = node_at(ready, at);
    ready->root = take_out(ready, ready->root, at);
    ready->count--;
    ready->slotless -= !node->slots;
    if (ready->scheduler == WEIR_SCHEDULER_FAIR && node->key > ready->served_us)
        ready->served_us = node->key;
    *node = (weir_ready_node){.task = WEIR_NO_TASK, .left = ready->free};
    ready->free = at;
}

typedef struct search {
    const weir_ready *ready;
    uint64_t memory_bytes;
    uint32_t cpu_milli;
    bool (*fits)(const void *arg, const weir_ready_node *node);
    const void *arg;
    unsigned looks;
} search;

static uint32_t find_below(search *s, uint32_t at) {
    const weir_ready_node *node = node_at(s->ready, at);
    if (!at || node->memory_least > s->memory_bytes || node->cpu_least > s->cpu_milli || !s->looks)
        return 0;
    s->looks--;
    uint32_t found = find_below(s, node->left);
    if (found) return found;
    if (node->memory_bytes <= s->memory_bytes && node->cpu_milli <= s->cpu_milli &&
        s->fits(s->arg, node))
        return at;
    return find_below(s, node->right);
}

uint32_t weir_ready_find(const weir_ready *ready, uint64_t memory_bytes, uint32_t cpu_milli,
                         bool (*fits)(const void *arg, const weir_ready_node *node),
                         const void *arg) {
    search s = {ready, memory_bytes, cpu_milli, fits, arg, LOOKS_MAX};
    return find_below(&s, ready->root);
}

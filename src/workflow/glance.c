/* What of a large run a screen has room for. Every node is looked at, and few are described: that is what takes time. */
#include "workflow/coordinator.h"

/* The later have less of a claim to a line. */
typedef enum rank { ACTIVE, WAITING, DONE, WITHIN, RANKS } rank;

typedef struct look {
    const weir__run *run;
    size_t most; /* of each rank */
    uint32_t *children,
        *next;       /* who started whom: the first child and the next of the same; 0: none */
    uint32_t *order; /* preorder */
    uint8_t *ranks;
    bool *drawn, *chosen;
    size_t counts[RANKS];      /* drawn */
    weir_value **made;         /* of what was chosen */
    uint64_t total, over, bad; /* nodes that have none below */
} look;

static const weir__node *at(const look *l, uint32_t node) {
    return &l->run->nodes.items[node];
}

/* Whether it has a line of its own in the tree that `weir get` draws. */
static bool is_drawn(const weir__node *n) {
    if (n->type == WEIR__TYPE_GROUP || n->type == WEIR__TYPE_ITEMS) return false;
    if (n->type == WEIR__TYPE_RETRY) return n->count != 1; /* none yet, or several attempts */
    return n->type != WEIR__TYPE_SKIPPED || n->phase != WEIR__PHASE_OMITTED;
}

static bool holds(const weir__node *n) {
    return n->type == WEIR__TYPE_GROUP || n->type == WEIR__TYPE_RETRY;
}

/* Where it stands in that tree: below its group or Retry, else below its boundary. */
static uint32_t above(const look *l, uint32_t node) {
    const weir__node *n = at(l, node);
    if (n->parent == WEIR__NONE) return WEIR__NONE;
    const weir__node *parent = at(l, n->parent);
    if (weir__node_is_hidden(l->run, parent)) return parent->parent;
    return holds(parent) ? n->parent : n->boundary;
}

static rank rank_of(const look *l, const weir__node *n) {
    if (n->phase != WEIR__PHASE_RUNNING) return weir__is_failure(n->phase) ? ACTIVE : DONE;
    return strcmp(weir__node_phase(l->run, n), "Pending") == 0 ? WAITING : ACTIVE;
}

static void find_order(look *l) {
    uint32_t count = (uint32_t)l->run->nodes.count, next = 0, node = 0;
    for (uint32_t i = count; i-- > 1;) {
        uint32_t parent = at(l, i)->parent;
        if (parent == WEIR__NONE) continue;
        l->next[i] = l->children[parent];
        l->children[parent] = i;
    }
    for (;;) {
        l->order[next++] = node;
        uint32_t then = l->children[node];
        while (!then && node) {
            then = l->next[node];
            node = at(l, node)->parent;
        }
        if (!then) break;
        node = then;
    }
    weir_assert(next == count);
}

/* Of what is above it, it is the next that is drawn which counts. */
static void rank_nodes(look *l) {
    for (size_t i = 0; i < l->run->nodes.count; i++) {
        uint32_t node = l->order[i], up = above(l, node);
        const weir__node *n = at(l, node);
        l->drawn[node] = is_drawn(n);
        l->ranks[node] = (uint8_t)rank_of(l, n);
        if (l->ranks[node] == DONE) {
            while (up != WEIR__NONE && !l->drawn[up]) up = above(l, up);
            if (up != WEIR__NONE && l->ranks[up] >= DONE) l->ranks[node] = WITHIN;
        }
        if (l->drawn[node]) l->counts[l->ranks[node]]++;
    }
}

static void count_leaves(look *l) {
    for (uint32_t i = 0; i < l->run->nodes.count; i++) {
        const weir__node *n = at(l, i);
        if (l->children[i] || weir__node_is_hidden(l->run, n)) continue;
        bool set = n->type == WEIR__TYPE_POD && n->template->member_count;
        uint64_t leaves = set ? n->template->member_count : 1;
        l->total += leaves;
        if (n->phase != WEIR__PHASE_RUNNING) l->over += leaves;
        if (weir__is_failure(n->phase)) l->bad += leaves;
    }
}

static void choose(look *l, uint32_t node) {
    for (; node != WEIR__NONE && !l->chosen[node]; node = above(l, node)) l->chosen[node] = true;
}

/* What runs or waits the first, what is done the last. */
static void choose_nodes(look *l) {
    size_t count = l->run->nodes.count, found[RANKS] = {0};
    for (size_t i = 0; i < count; i++) {
        rank forward = l->ranks[l->order[i]], back = l->ranks[l->order[count - 1 - i]];
        if (l->drawn[l->order[i]] && forward < DONE && found[forward]++ < l->most)
            choose(l, l->order[i]);
        if (l->drawn[l->order[count - 1 - i]] && back >= DONE && found[back]++ < l->most)
            choose(l, l->order[count - 1 - i]);
    }
}

static weir_value *id_of(const look *l, uint32_t node) {
    weir_buffer id = {0};
    weir__node_id(l->run, node, &id);
    weir_value *text = weir_string_from(weir_buffer_str(&id));
    weir_buffer_deinit(&id);
    return text;
}

static weir_value *describe(const look *l, uint32_t node) {
    const weir__node *n = at(l, node);
    weir_value *out = weir_object_new();
    weir__node_describe(l->run, node, id_of(l, node), out);
    if (n->boundary != WEIR__NONE) weir_member_put(out, "boundaryID", id_of(l, n->boundary));
    weir_member_put(out, "children", weir_array_new());
    weir__node_describe_times(n, out);
    return out;
}

/* Whether a Retry has a line depends on how many it has, chosen or not. */
static void add_attempts(const look *l, uint32_t node) {
    weir_value *children = weir_member_named(l->made[node], "children");
    const weir__node *n = at(l, node);
    for (uint32_t i = 0, attempt = n->last; i < 2 && attempt != WEIR__NONE && n->count > 1; i++) {
        weir_array_append(children, id_of(l, attempt));
        attempt = at(l, attempt)->last;
    }
}

static weir_value *describe_chosen(look *l) {
    weir_value *nodes = weir_array_new();
    for (size_t i = 0; i < l->run->nodes.count; i++) {
        uint32_t node = l->order[i];
        if (!l->chosen[node]) continue;
        if (l->drawn[node]) l->counts[l->ranks[node]]--;
        if (weir__node_is_hidden(l->run, at(l, node))) continue;
        l->made[node] = describe(l, node);
        weir_array_append(nodes, l->made[node]);
        uint32_t up = above(l, node);
        if (up != WEIR__NONE && holds(at(l, up)))
            weir_array_append(weir_member_named(l->made[up], "children"),
                              weir_value_ref(weir_member_named(l->made[node], "id")));
        if (at(l, node)->type == WEIR__TYPE_RETRY) add_attempts(l, node);
    }
    return nodes;
}

static weir_value *count_object(const char *const *names, const uint64_t *counts) {
    weir_value *out = weir_object_new();
    for (size_t i = 0; i < 3; i++) weir_member_put(out, names[i], weir_int_new((int64_t)counts[i]));
    return out;
}

static weir_value *status_of(look *l) {
    static const char *const counted[] = {"total", "done", "failed"}, *const left[] = {"active",
                                                                                       "waiting",
                                                                                       "done"};
    weir_value *status = weir_object_new();
    weir_member_put(status, "nodes", describe_chosen(l));
    weir_member_put(status, "counts",
                    count_object(counted, (const uint64_t[]){l->total, l->over, l->bad}));
    weir_member_put(status, "unlisted",
                    count_object(left, (const uint64_t[]){l->counts[ACTIVE], l->counts[WAITING],
                                                          l->counts[DONE] + l->counts[WITHIN]}));
    if (l->run->locking) weir__lock_status(l->run, status);
    return status;
}

weir_value *weir__glance(const weir_coordinator *coordinator, size_t most) {
    const weir__run *run = (const weir__run *)coordinator;
    size_t count = run->nodes.count;
    if (count <= RANKS * most) return weir__status(coordinator);
    weir_arena arena = {0};
    look l = {.run = run, .most = most};
    l.children = weir_arena_alloc(&arena, count * sizeof *l.children);
    l.next = weir_arena_alloc(&arena, count * sizeof *l.next);
    l.order = weir_arena_alloc(&arena, count * sizeof *l.order);
    l.ranks = weir_arena_alloc(&arena, count * sizeof *l.ranks);
    l.drawn = weir_arena_alloc(&arena, count * sizeof *l.drawn);
    l.chosen = weir_arena_alloc(&arena, count * sizeof *l.chosen);
    l.made = weir_arena_alloc(&arena, count * sizeof(weir_value *));
    find_order(&l);
    rank_nodes(&l);
    count_leaves(&l);
    choose_nodes(&l);
    weir_value *status = status_of(&l);
    weir_arena_deinit(&arena);
    return status;
}

#include "cli/workflow_forest.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/time.h"
#include "cli/workflow_text.h"

bool weir_workflow_moment(const weir_value *object, const char *member, uint64_t *us) {
    weir_error ignored;
    const weir_value *moment = weir_member_named(object, member);
    uint64_t read = weir_is(moment, WEIR_INT) ? weir_member_count(object, member) : 0;
    if (weir_is(moment, WEIR_STRING) &&
        !weir_moment_parse(weir_string_get(moment), &read, &ignored))
        return false;
    if (read) *us = read;
    return read > 0;
}

typedef enum place { HIDDEN, LEAF, HOLDER, BOUNDARY } place;

static place place_of(const weir_value *node) {
    static const struct {
        const char *type;
        place place;
    } types[] = {{"Pod", LEAF},     {"Steps", BOUNDARY}, {"StepGroup", HOLDER},
                 {"DAG", BOUNDARY}, {"Retry", HOLDER},   {"Skipped", LEAF},
                 {"Suspend", LEAF}, {"HTTP", LEAF},      {"Plugin", LEAF}};
    weir_str type = weir_member_text(node, "type");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (weir_str_is(type, types[i].type)) return types[i].place;
    return HIDDEN;
}

bool weir_forest_shows(const weir_value *node) {
    return place_of(node) != HIDDEN;
}

/* --- whose child a node is ------------------------------------------------------------------ */

/* Of a child of several the first holds it. */
static void hold_children(weir_forest *f, const weir_map *by_id, uint32_t holder) {
    const weir_value *list = weir_member_named(f->nodes[holder].value, "children");
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        const weir_value *id = weir_array_at(list, i);
        uint64_t child;
        if (!weir_is(id, WEIR_STRING) || !weir_map_get(by_id, weir_string_get(id), &child))
            continue;
        if (child != holder && f->nodes[child].parent == WEIR_FOREST_NONE)
            f->nodes[child].parent = holder;
    }
}

static void find_parents(weir_forest *f) {
    weir_map by_id = {0};
    for (uint32_t i = 0; i < f->count; i++)
        weir_map_set(&by_id, weir_member_text(f->nodes[i].value, "id"), i);
    for (uint32_t i = 0; i < f->count; i++)
        if (place_of(f->nodes[i].value) == HOLDER) hold_children(f, &by_id, i);
    for (uint32_t i = 0; i < f->count; i++) {
        weir_forest_node *n = &f->nodes[i];
        weir_str boundary = weir_member_text(n->value, "boundaryID");
        uint64_t parent;
        if (n->parent != WEIR_FOREST_NONE || !boundary.length) continue;
        bool known = weir_map_get(&by_id, boundary, &parent) && parent != i &&
                     place_of(f->nodes[parent].value) == BOUNDARY;
        /* What belongs to a node that is not shown is not shown either. */
        n->parent = known ? (uint32_t)parent : i;
    }
    weir_map_deinit(&by_id);
}

/* --- the order of children ------------------------------------------------------------------ */

/* "p(12:a)" and "p(12)" are the 12th of "p", "[3]" is the third. */
typedef struct label {
    weir_str stem, whole;
    uint64_t number; /* from 1; 0: it has none */
} label;

static label label_of(const weir_value *node) {
    weir_str name = weir_member_text(node, "displayName");
    label l = {name, name, 0};
    size_t at = weir_str_find(name, WEIR_STR("("), 0);
    if (at == SIZE_MAX && weir_str_starts(name, WEIR_STR("["))) at = 0;
    if (at == SIZE_MAX) return l;
    uint64_t number = 0;
    size_t digit = at + 1;
    for (; digit < name.length && digit < at + 16 && name.data[digit] >= '0' &&
           name.data[digit] <= '9';
         digit++)
        number = number * 10 + (uint64_t)(name.data[digit] - '0');
    if (digit == at + 1 || digit == name.length || !strchr(":)]", name.data[digit])) return l;
    l.stem = weir_str_slice(name, 0, at);
    l.number = number + 1;
    return l;
}

static int compare_texts(weir_str a, weir_str b) {
    size_t both = a.length < b.length ? a.length : b.length;
    int order = both ? memcmp(a.data, b.data, both) : 0;
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

static int compare_nodes(const void *a, const void *b) {
    const weir_forest_node *x = *(const weir_forest_node *const *)a,
                           *y = *(const weir_forest_node *const *)b;
    if (x->started_us != y->started_us) return x->started_us < y->started_us ? -1 : 1;
    label p = label_of(x->value), q = label_of(y->value);
    int order = compare_texts(p.stem, q.stem);
    if (!order) order = (p.number > q.number) - (p.number < q.number);
    if (!order) order = compare_texts(p.whole, q.whole);
    return order ? order : (x > y) - (x < y); /* as they came */
}

static void sort_children(weir_forest *f) {
    const weir_forest_node **sorted = weir_alloc((f->count + 1) * sizeof *sorted);
    for (uint32_t i = 0; i < f->count; i++) {
        const weir_forest_node *n = &f->nodes[i];
        if (n->child_count < 2) continue;
        uint32_t *children = f->children + n->from;
        for (uint32_t c = 0; c < n->child_count; c++) sorted[c] = &f->nodes[children[c]];
        qsort(sorted, n->child_count, sizeof *sorted, compare_nodes);
        for (uint32_t c = 0; c < n->child_count; c++)
            children[c] = (uint32_t)(sorted[c] - f->nodes);
    }
    weir_free(sorted);
}

static bool is_child(const weir_forest *f, uint32_t node) {
    uint32_t parent = f->nodes[node].parent;
    return parent != WEIR_FOREST_NONE && parent != node && place_of(f->nodes[node].value) != HIDDEN;
}

static void list_children(weir_forest *f) {
    uint32_t next = 0;
    for (uint32_t i = 0; i < f->count; i++)
        if (is_child(f, i)) f->nodes[f->nodes[i].parent].child_count++;
    for (uint32_t i = 0; i < f->count; i++) {
        f->nodes[i].from = next;
        next += f->nodes[i].child_count;
        f->nodes[i].child_count = 0;
    }
    for (uint32_t i = 0; i < f->count; i++) {
        if (!is_child(f, i)) continue;
        weir_forest_node *parent = &f->nodes[f->nodes[i].parent];
        f->children[parent->from + parent->child_count++] = i;
    }
    sort_children(f);
}

void weir_forest_init(weir_forest *f, const weir_value *nodes) {
    size_t count = weir_is(nodes, WEIR_OBJECT) ? weir_value_count(nodes) : 0;
    weir_assert(count < WEIR_FOREST_NONE);
    *f = (weir_forest){.count = (uint32_t)count};
    f->nodes = weir_alloc((count + 1) * sizeof *f->nodes);
    f->children = weir_alloc((count + 1) * sizeof *f->children);
    for (uint32_t i = 0; i < f->count; i++) {
        weir_forest_node *n = &f->nodes[i];
        *n = (weir_forest_node){.value = weir_object_at(nodes, i), .parent = WEIR_FOREST_NONE};
        if (!weir_workflow_moment(n->value, "startedAt", &n->started_us)) n->started_us = 0;
    }
    find_parents(f);
    list_children(f);
}

void weir_forest_keep(weir_forest *f, const bool *kept) {
    for (uint32_t i = 0; i < f->count; i++) {
        weir_forest_node *n = &f->nodes[i];
        uint32_t left = 0;
        for (uint32_t c = 0; c < n->child_count; c++)
            if (kept[f->children[n->from + c]])
                f->children[n->from + left++] = f->children[n->from + c];
        n->child_count = left;
    }
}

void weir_forest_deinit(weir_forest *forest) {
    weir_free(forest->nodes);
    weir_free(forest->children);
    *forest = (weir_forest){0};
}

uint32_t weir_forest_root(const weir_forest *f, const weir_value *nodes, weir_str id) {
    const weir_value *wanted = weir_is(nodes, WEIR_OBJECT) ? weir_member(nodes, id) : NULL;
    for (uint32_t i = 0; wanted && i < f->count; i++) {
        const weir_forest_node *n = &f->nodes[i];
        if (n->value == wanted && n->parent == WEIR_FOREST_NONE && place_of(wanted) != HIDDEN)
            return i;
    }
    return WEIR_FOREST_NONE;
}

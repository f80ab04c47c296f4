/* Lists. Places count from 0; negative ones from the end. A list is never changed: what changes it gives a new one. */
#include <stdint.h>
#include <stdlib.h>

#include "number.h"
#include "operations.h"
#include "order.h"
#include "parameter.h"
#include "text.h"

static weir_value *take_list(const weir_host *host, weir_call *call) {
    return weir__typed(host, call, "list", WEIR_ARRAY);
}

static bool give(const weir_host *host, weir_call *call, const char *name, weir_value *value) {
    host->output(call, name, value);
    return true;
}

static bool length(const weir_host *host, weir_call *call) {
    const weir_value *list = take_list(host, call);
    return list && give(host, call, "length", host->int_new((int64_t)host->value_count(list)));
}

static bool get(const weir_host *host, weir_call *call) {
    const weir_value *list = take_list(host, call);
    int64_t index = 0;
    if (!list || !weir__int_needed(host, call, "index", INT64_MIN + 1, INT64_MAX, &index))
        return false;
    int64_t count = (int64_t)host->value_count(list), place = index < 0 ? index + count : index;
    weir_value *otherwise = weir__given(host, call, "default");
    bool there = place >= 0 && place < count;
    if (!there && !otherwise)
        return host->fail(call, "not_found", "the list has no place %lld: it has %lld items",
                          (long long)index, (long long)count);
    return give(host, call, "item",
                host->value_ref(there ? host->array_at(list, (size_t)place) : otherwise));
}

/* New: the items [from, to). */
static weir_value *copy(const weir_host *host, const weir_value *list, size_t from, size_t to) {
    weir_value *made = host->array_new();
    for (size_t i = from; i < to; i++)
        host->array_append(made, host->value_ref(host->array_at(list, i)));
    return made;
}

static int64_t bounded(int64_t place, int64_t count) {
    if (place < 0) place = place < -count ? 0 : place + count;
    return place < count ? place : count;
}

static bool slice(const weir_host *host, weir_call *call) {
    const weir_value *list = take_list(host, call);
    int64_t from = 0, to = INT64_MAX;
    if (!list || !weir__int_given(host, call, "start", INT64_MIN, INT64_MAX, &from) ||
        !weir__int_given(host, call, "end", INT64_MIN, INT64_MAX, &to))
        return false;
    int64_t count = (int64_t)host->value_count(list);
    return give(host, call, "list",
                copy(host, list, (size_t)bounded(from, count), (size_t)bounded(to, count)));
}

static bool append(const weir_host *host, weir_call *call) {
    const weir_value *list = take_list(host, call);
    weir_value *item = list ? weir__needed(host, call, "item") : NULL;
    if (!item) return false;
    weir_value *made = copy(host, list, 0, host->value_count(list));
    host->array_append(made, host->value_ref(item));
    return give(host, call, "list", made);
}

static bool take_two(const weir_host *host, weir_call *call, const weir_value **first,
                     const weir_value **second) {
    *first = weir__typed(host, call, "first", WEIR_ARRAY);
    *second = *first ? weir__typed(host, call, "second", WEIR_ARRAY) : NULL;
    return *second != NULL;
}

static bool concat(const weir_host *host, weir_call *call) {
    const weir_value *first, *second;
    if (!take_two(host, call, &first, &second)) return false;
    if (host->value_count(first) + host->value_count(second) > ITEMS_MAX)
        return host->fail(call, "limit_exceeded", "more than %d items", ITEMS_MAX);
    weir_value *made = copy(host, first, 0, host->value_count(first));
    for (size_t i = 0; i < host->value_count(second); i++)
        host->array_append(made, host->value_ref(host->array_at(second, i)));
    return give(host, call, "list", made);
}

static bool zip(const weir_host *host, weir_call *call) {
    const weir_value *first, *second;
    if (!take_two(host, call, &first, &second)) return false;
    weir_value *made = host->array_new();
    for (size_t i = 0; i < host->value_count(first) && i < host->value_count(second); i++) {
        weir_value *pair = host->array_new();
        host->array_append(pair, host->value_ref(host->array_at(first, i)));
        host->array_append(pair, host->value_ref(host->array_at(second, i)));
        host->array_append(made, pair);
    }
    return give(host, call, "list", made);
}

static bool reverse(const weir_host *host, weir_call *call) {
    const weir_value *list = take_list(host, call);
    if (!list) return false;
    weir_value *made = host->array_new();
    for (size_t i = host->value_count(list); i > 0; i--)
        host->array_append(made, host->value_ref(host->array_at(list, i - 1)));
    return give(host, call, "list", made);
}

/* --- order ---------------------------------------------------------------------------------- */

typedef struct sorted_item {
    const weir_host *host;
    weir_value *key, *item;
    size_t place;
    int direction;
} sorted_item;

static int compare_items(const void *left, const void *right) {
    const sorted_item *a = left, *b = right;
    int order = 0;
    weir__compare(a->host, a->key, b->key, &order);
    if (order) return order * a->direction;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* What an item is sorted by: itself, or its member of the name; NULL after failing. */
static weir_value *key_of(const weir_host *host, weir_call *call, weir_value *item, weir_str by,
                          size_t place) {
    if (!by.data) return item;
    weir_value *key =
        host->value_type(item) == WEIR_OBJECT ? host->object_get(item, by.data, by.length) : NULL;
    if (!key) host->fail(call, "invalid", "item %zu has no `%.*s`", place, SHOWN(by));
    return key;
}

/* The items with their keys, which can all be compared; NULL after failing. */
static sorted_item *collect(const weir_host *host, weir_call *call, const weir_value *list,
                            weir_str by, bool descending) {
    size_t count = host->value_count(list);
    sorted_item *items = host->alloc(call, (count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        int order;
        weir_value *item = host->array_at(list, i), *key = key_of(host, call, item, by, i);
        if (!key) return NULL;
        items[i] = (sorted_item){host, key, item, i, descending ? -1 : 1};
        if (weir__compare(host, items[0].key, key, &order)) continue;
        host->fail(call, "invalid",
                   "only numbers can be put in order, or only texts: item %zu is %s, item 0 %s", i,
                   type_name(host, key), type_name(host, items[0].key));
        return NULL;
    }
    return items;
}

static bool sort(const weir_host *host, weir_call *call) {
    const weir_value *list = take_list(host, call);
    weir_str by = {NULL, 0};
    bool descending = false;
    if (!list || !weir__text_given(host, call, "by", &by) ||
        !weir__bool_given(host, call, "descending", &descending))
        return false;
    sorted_item *items = collect(host, call, list, by, descending);
    if (!items) return false;
    qsort(items, host->value_count(list), sizeof *items, compare_items);
    weir_value *made = host->array_new();
    for (size_t i = 0; i < host->value_count(list); i++)
        host->array_append(made, host->value_ref(items[i].item));
    return give(host, call, "list", made);
}

static bool pick(const weir_host *host, weir_call *call, bool largest) {
    const weir_value *list = take_list(host, call);
    weir_str by = {NULL, 0};
    if (!list || !weir__text_given(host, call, "by", &by)) return false;
    if (!host->value_count(list)) return host->fail(call, "invalid", "the list is empty");
    const sorted_item *items = collect(host, call, list, by, largest), *best = items;
    for (size_t i = 1; items && i < host->value_count(list); i++)
        if (compare_items(&items[i], best) < 0) best = &items[i];
    return best && give(host, call, "item", host->value_ref(best->item));
}

static bool least(const weir_host *host, weir_call *call) {
    return pick(host, call, false);
}

static bool most(const weir_host *host, weir_call *call) {
    return pick(host, call, true);
}

static bool unique(const weir_host *host, weir_call *call) {
    const weir_value *list = take_list(host, call);
    return list && give(host, call, "list", weir__unique(host, call, list));
}

static bool contains(const weir_host *host, weir_call *call) {
    const weir_value *list = take_list(host, call);
    const weir_value *item = list ? weir__needed(host, call, "item") : NULL;
    if (!item) return false;
    bool found = false;
    for (size_t i = 0; !found && i < host->value_count(list); i++)
        found = weir__equal(host, host->array_at(list, i), item);
    return give(host, call, "result", host->bool_new(found));
}

/* --- made of numbers ------------------------------------------------------------------------ */

static bool range(const weir_host *host, weir_call *call) {
    int64_t from = 0, to = 0, by = 1;
    if (!weir__int_given(host, call, "start", INT64_MIN, INT64_MAX, &from) ||
        !weir__int_needed(host, call, "end", INT64_MIN, INT64_MAX, &to) ||
        !weir__int_given(host, call, "step", INT64_MIN, INT64_MAX, &by))
        return false;
    if (by == 0) return host->fail(call, "invalid", "`step` must not be 0");
    weir_value *made = host->array_new();
    for (int64_t at = from; by > 0 ? at < to : at > to;) {
        if (host->value_count(made) == ITEMS_MAX) {
            host->value_unref(made);
            return host->fail(call, "limit_exceeded", "more than %d items", ITEMS_MAX);
        }
        host->array_append(made, host->int_new(at));
        if (__builtin_add_overflow(at, by, &at)) break;
    }
    return give(host, call, "list", made);
}

/* Exact while all are ints; what does not fit then is a failure. */
static bool sum(const weir_host *host, weir_call *call) {
    const weir_value *list = take_list(host, call);
    if (!list) return false;
    int64_t whole = 0;
    double broken = 0;
    bool ints = true, over = false;
    for (size_t i = 0; i < host->value_count(list); i++) {
        const weir_value *item = host->array_at(list, i);
        if (!is_number(host, item))
            return host->fail(call, "invalid", "item %zu must be of type int or float, found %s", i,
                              type_name(host, item));
        broken += host->number_get(item);
        ints = ints && host->value_type(item) == WEIR_INT;
        over = over || !ints || __builtin_add_overflow(whole, host->int_get(item), &whole);
    }
    if (!ints) return weir__give_float(host, call, "sum", broken);
    if (over) return host->fail(call, "limit_exceeded", "the sum does not fit an int of 64 bits");
    return give(host, call, "sum", host->int_new(whole));
}

/* Adds the items of arrays down to the depth; false when there are too many. */
static bool flatten_into(const weir_host *host, weir_value *made, const weir_value *list,
                         int64_t depth) {
    for (size_t i = 0; i < host->value_count(list); i++) {
        weir_value *item = host->array_at(list, i);
        if (depth > 0 && host->value_type(item) == WEIR_ARRAY) {
            if (!flatten_into(host, made, item, depth - 1)) return false;
            continue;
        }
        if (host->value_count(made) == ITEMS_MAX) return false;
        host->array_append(made, host->value_ref(item));
    }
    return true;
}

static bool flatten(const weir_host *host, weir_call *call) {
    const weir_value *list = take_list(host, call);
    int64_t depth = 1;
    if (!list || !weir__int_given(host, call, "depth", 0, DEPTH_MAX, &depth)) return false;
    weir_value *made = host->array_new();
    if (flatten_into(host, made, list, depth)) return give(host, call, "list", made);
    host->value_unref(made);
    return host->fail(call, "limit_exceeded", "more than %d items", ITEMS_MAX);
}

/* --- what there is -------------------------------------------------------------------------- */

enum { HINTS = WEIR_PURE | WEIR_CHEAP };
#define LIST_IN                                                                                    \
    { "list", "array", "The list." }
#define LIST_OUT PORTS({"list", "array", "The new list."})
#define TWO_LISTS PORTS({"first", "array", "A list."}, {"second", "array", "Another list."})
#define BY                                                                                         \
    { "by", "str", "Compare the members of this name, not the items themselves." }
#define PART_OF_LIST(operation_name, operation_about, function)                                    \
    OPERATION(.name = (operation_name), .about = (operation_about), .inputs = PORTS(LIST_IN),      \
              .outputs = LIST_OUT, .config = NO_PORTS, .hints = HINTS, .run = (function))

static const weir_operation *const operations[] = {
    OPERATION(.name = "list.length", .about = "Counts the items of a list.",
              .inputs = PORTS(LIST_IN),
              .outputs = PORTS({"length", "int", "How many items it has."}), .config = NO_PORTS,
              .hints = HINTS, .run = length),
    OPERATION(.name = "list.get", .about = "Takes the item at a place of a list.",
              .inputs = PORTS(LIST_IN, {"index", "int", "From 0; negative: from the end."}),
              .outputs = PORTS({"item", "generic", "The item."}),
              .config = PORTS({"index", "int", "The place, when it is no parameter."},
                              {"default", "generic",
                               "What is given when there is no such place; else that fails."}),
              .hints = HINTS, .run = get,
              .example = "operations:\n"
                         "  last: {name: list.get, inputs: {list: words}, outputs: {item: word}}\n"
                         "configs:\n"
                         "  last: {index: -1}\n"),
    OPERATION(.name = "list.slice", .about = "Takes the items of a list between two places.",
              .inputs = PORTS(LIST_IN), .outputs = LIST_OUT,
              .config = PORTS(
                  {"start", "int", "The first place; negative: from the end.", .otherwise = "0"},
                  {"end", "int", "The one behind the last; negative: from the end.",
                   .otherwise = "null"}),
              .hints = HINTS, .run = slice),
    OPERATION(.name = "list.append", .about = "Adds an item at the end of a list.",
              .inputs = PORTS(LIST_IN, {"item", "generic", "The item."}), .outputs = LIST_OUT,
              .config = PORTS({"item", "generic", "The item, when it is no parameter."}),
              .hints = HINTS, .run = append),
    OPERATION(.name = "list.concat", .about = "Puts one list behind another.", .inputs = TWO_LISTS,
              .outputs = LIST_OUT, .config = NO_PORTS, .hints = HINTS, .run = concat),
    OPERATION(.name = "list.zip",
              .about = "Makes pairs of the items of two lists, as long as the shorter one is.",
              .inputs = TWO_LISTS, .outputs = LIST_OUT, .config = NO_PORTS, .hints = HINTS,
              .run = zip),
    PART_OF_LIST("list.reverse", "Turns a list round.", reverse),
    PART_OF_LIST("list.unique", "Leaves out items that equal an earlier one; 1 and 1.0 are equal.",
                 unique),
    OPERATION(.name = "list.sort",
              .about = "Sorts numbers, or texts by code points; equal ones stay in order.",
              .inputs = PORTS(LIST_IN), .outputs = LIST_OUT,
              .config = PORTS(BY, {"descending", "bool", "Whether the largest comes first.",
                                   .otherwise = "false"}),
              .hints = HINTS, .run = sort,
              .example =
                  "operations:\n"
                  "  ranked: {name: list.sort, inputs: {list: books}, outputs: {list: ranked}}\n"
                  "configs:\n"
                  "  ranked: {by: price, descending: true}\n"),
    OPERATION(.name = "list.min", .about = "Finds the least of numbers, or of texts.",
              .inputs = PORTS(LIST_IN),
              .outputs = PORTS({"item", "generic", "The first of the least; an empty list fails."}),
              .config = PORTS(BY), .hints = HINTS, .run = least),
    OPERATION(.name = "list.max", .about = "Finds the largest of numbers, or of texts.",
              .inputs = PORTS(LIST_IN),
              .outputs =
                  PORTS({"item", "generic", "The first of the largest; an empty list fails."}),
              .config = PORTS(BY), .hints = HINTS, .run = most),
    OPERATION(.name = "list.sum", .about = "Adds up numbers.", .inputs = PORTS(LIST_IN),
              .outputs = PORTS({"sum", "generic", "An int when all are ints; of no numbers 0."}),
              .config = NO_PORTS, .hints = HINTS, .run = sum),
    OPERATION(.name = "list.contains", .about = "Whether an item of a list equals a value.",
              .inputs = PORTS(LIST_IN, {"item", "generic", "The value; 1 and 1.0 are equal."}),
              .outputs = PORTS({"result", "bool", "Whether it is so."}),
              .config = PORTS({"item", "generic", "The value, when it is no parameter."}),
              .hints = HINTS, .run = contains),
    OPERATION(.name = "list.range", .about = "Makes a list of ints.",
              .inputs = PORTS({"end", "int", "What the ints stay below (or above)."}),
              .outputs = LIST_OUT,
              .config = PORTS({"start", "int", "The first.", .otherwise = "0"},
                              {"end", "int", "The end, when it is no parameter."},
                              {"step", "int", "From one to the next; not 0.", .otherwise = "1"}),
              .hints = HINTS, .run = range,
              .example = "operations:\n"
                         "  pages: {name: list.range, inputs: {end: pages}, outputs: {list: page}, "
                         "expand: [list]}\n"),
    OPERATION(.name = "list.flatten",
              .about = "Puts the items of lists within a list in their place.",
              .inputs = PORTS(LIST_IN), .outputs = LIST_OUT,
              .config = PORTS({"depth", "int", "How many levels.", .otherwise = "1"}),
              .hints = HINTS, .run = flatten),
    NULL};

PLUGIN(weir_list_plugin, "list", operations)

#include <stdint.h>

#include "expr/builtin.h"
#include "expr/gotime.h"
#include "expr/unicode.h"

enum { NESTED_MAX = 1000 };

static bool call_len(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    if (a->kind == X_STRING && !weir__x_spend(m, a->length / 8)) return false;
    *out =
        x_int((int64_t)(a->kind == X_STRING ? weir__unicode_count(x_text(a)) : weir__x_count(a)));
    return true;
}

static bool call_type(x_machine *m, const x *a, int n, x *out) {
    static const char *const texts[X_KINDS] = {"nil",
                                               "bool",
                                               "int",
                                               "float",
                                               "string",
                                               "array",
                                               "map",
                                               "time.Duration",
                                               "time.Time",
                                               "unknown",
                                               "time.Weekday",
                                               "time.Month",
                                               "func",
                                               "func",
                                               "text/template.FuncMap",
                                               "github.com/Masterminds/semver/v3.Version"};
    (void)m, (void)n;
    bool byte = a->kind == X_INT && a->sub == X_GO_UINT8;
    *out = x_str(weir_str_from(byte ? "uint" : texts[a->kind]));
    return true;
}

static bool call_first(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    x zero = x_int(0);
    return a->kind == X_LIST || a->kind == X_STRING ? weir__x_fetch(m, a, &zero, true, out)
                                                    : (*out = x_nil(), true);
}

static bool call_last(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    x last = x_int(-1);
    return a->kind == X_LIST || a->kind == X_STRING ? weir__x_fetch(m, a, &last, true, out)
                                                    : (*out = x_nil(), true);
}

static bool call_get(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    return weir__x_fetch(m, a, &a[1], true, out);
}

static bool call_take(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    x zero = x_int(0);
    if (a[1].integer < 0)
        return weir__x_fail(m, WEIR_INVALID, "take: %lld items", (long long)a[1].integer);
    return weir__x_slice(m, a, &zero, &a[1], out);
}

static bool call_keys(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    size_t count = weir__x_count(a);
    if (!weir__x_items_room(m, count)) return false;
    x *items = weir__x_list_new(m, count);
    for (size_t i = 0; i < count; i++) items[i] = weir__x_entry(a, i).key;
    *out = weir__x_list(items, count, X_OF_ANY);
    return true;
}

bool weir__x_values(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    size_t count = weir__x_count(a);
    if (!weir__x_items_room(m, count)) return false;
    x *items = weir__x_list_new(m, count);
    for (size_t i = 0; i < count; i++) items[i] = weir__x_entry(a, i).value;
    *out = weir__x_list(items, count, X_OF_ANY);
    return true;
}

static bool call_to_pairs(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    size_t count = weir__x_count(a);
    if (!weir__x_items_room(m, count * 3)) return false;
    x *items = weir__x_list_new(m, count), *pairs = weir__x_list_new(m, count * 2);
    for (size_t i = 0; i < count; i++) {
        x_entry e = weir__x_entry(a, i);
        pairs[2 * i] = e.key;
        pairs[2 * i + 1] = e.value;
        items[i] = weir__x_list(pairs + 2 * i, 2, X_OF_ANY);
    }
    *out = weir__x_list(items, count, X_OF_ANY);
    return true;
}

static bool call_from_pairs(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    if (!weir__x_items_room(m, a->length)) return false;
    *out = weir__x_map_new(m, X_KEYS_ANY);
    for (size_t i = 0; i < a->length; i++) {
        x pair = weir__x_at(a, i);
        if (pair.kind != X_LIST || pair.length != 2)
            return weir__x_fail(m, WEIR_INVALID, "fromPairs: item %zu is no pair", i);
        x key = weir__x_at(&pair, 0);
        if (key.kind == X_LIST || key.kind == X_MAP)
            return weir__x_fail(m, WEIR_INVALID, "a value of type %s cannot be a key",
                                weir__x_go_type(&key));
        weir__x_put(m, out, key, weir__x_at(&pair, 1));
    }
    return true;
}

static bool call_reverse(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    if (!weir__x_items_room(m, a->length)) return false;
    x *items = weir__x_list_new(m, a->length);
    for (size_t i = 0; i < a->length; i++) items[i] = weir__x_at(a, a->length - 1 - i);
    *out = weir__x_list(items, a->length, X_OF_ANY);
    return true;
}

static bool call_uniq(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    if (!weir__x_items_room(m, a->length)) return false;
    x *items = weir__x_list_new(m, a->length);
    size_t count = 0;
    for (size_t i = 0; i < a->length && !m->failed; i++) {
        x item = weir__x_at(a, i);
        bool known = false;
        if (!weir__x_spend(m, count / 4)) return false;
        for (size_t k = 0; k < count && !known; k++) known = weir__x_equal(m, &item, &items[k]);
        if (!known) items[count++] = item;
    }
    *out = weir__x_list(items, count, X_OF_ANY);
    return !m->failed;
}

bool weir__x_concat(x_machine *m, const x *a, int n, x *out) {
    size_t count = 0;
    for (int i = 0; i < n; i++) count += a[i].length;
    if (!weir__x_items_room(m, count)) return false;
    x *items = weir__x_list_new(m, count);
    count = 0;
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < a[i].length; k++) items[count++] = weir__x_at(&a[i], k);
    *out = count ? weir__x_list(items, count, X_OF_ANY) : x_no_list(X_OF_ANY);
    return true;
}

typedef struct flat {
    WEIR_VECTOR(x) items;
} flat;

static bool flatten(x_machine *m, const x *list, int depth, flat *out) {
    if (depth > NESTED_MAX) return weir__x_fail(m, WEIR_LIMIT, "values are nested too deep");
    if (!weir__x_spend(m, list->length)) return false;
    for (size_t i = 0; i < list->length; i++) {
        x item = weir__x_at(list, i);
        if (item.kind == X_LIST) {
            if (!flatten(m, &item, depth + 1, out)) return false;
        } else {
            *weir_vector_push(&out->items) = item;
        }
    }
    return weir__x_room(m, out->items.count * sizeof(x));
}

static bool call_flatten(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    flat all = {0};
    bool ok = flatten(m, a, 0, &all) && weir__x_items_room(m, all.items.count);
    if (ok) {
        x *items = weir__x_list_new(m, all.items.count);
        if (all.items.count) memcpy(items, all.items.items, all.items.count * sizeof *items);
        *out = weir__x_list(items, all.items.count, X_OF_ANY);
    }
    weir_vector_deinit(&all.items);
    return ok;
}

static bool call_sort(x_machine *m, const x *a, int n, x *out) {
    bool descending = n > 1 && weir_str_is(x_text(&a[1]), "desc");
    if (n > 1 && !descending && !weir_str_is(x_text(&a[1]), "asc"))
        return weir__x_fail(m, WEIR_INVALID, "sort: the order is \"asc\" or \"desc\"");
    if (a->kind != X_LIST) {
        *out = x_no_list(X_OF_ANY);
        return true;
    }
    if (!weir__x_items_room(m, a->length)) return false;
    x *items = weir__x_list_new(m, a->length);
    for (size_t i = 0; i < a->length; i++) items[i] = weir__x_at(a, i);
    *out = weir__x_list(items, a->length, X_OF_ANY);
    return weir__x_sort(m, items, NULL, a->length, descending);
}

const x_function weir__x_list_functions[] = {
    {"len", "C:i", call_len},
    {"type", "a:s", call_type},
    {"first", "A:1", call_first},
    {"last", "A:1", call_last},
    {"get", "aa:?", call_get},
    {"take", "li:0", call_take},
    {"keys", "m:l", call_keys},
    {"values", "m:l", weir__x_values},
    {"toPairs", "m:l", call_to_pairs},
    {"fromPairs", "l:M", call_from_pairs},
    {"reverse", "l:l", call_reverse},
    {"uniq", "l:l", call_uniq},
    {"concat", "ll*:l", weir__x_concat},
    {"flatten", "l:l", call_flatten},
    {"sort", "A:l|As:l", call_sort},
    {0},
};

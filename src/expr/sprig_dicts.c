#include <stdint.h>

#include "expr/sprig.h"

enum { NESTED_MAX = 500 };

SPRIG(call_dict) {
    if (!weir__x_items_room(m, (size_t)n)) return false;
    *out = weir__x_map_new(m, X_OF_ANY);
    for (int i = 0; i < n; i += 2)
        weir__x_put(m, out, x_str(weir__sprig_text(m, &a[i])),
                    i + 1 < n ? a[i + 1] : x_str(WEIR_STR("")));
    return true;
}

SPRIG(call_get) {
    UNUSED;
    if (!weir__x_get(a, &a[1], out)) *out = x_str(WEIR_STR(""));
    return true;
}

SPRIG(call_set) {
    (void)n;
    *out = weir__x_own(m, a);
    weir__x_put(m, out, a[1], a[2]);
    return true;
}

SPRIG(call_unset) {
    (void)n;
    *out = weir__x_own(m, a);
    weir__x_delete(m, out, &a[1]);
    return true;
}

SPRIG(call_has_key) {
    UNUSED;
    x found;
    *out = x_bool(weir__x_get(a, &a[1], &found));
    return true;
}

SPRIG(call_pluck) {
    x *items = weir__x_list_new(m, (size_t)n);
    size_t count = 0;
    for (int i = 1; i < n; i++)
        if (weir__x_get(&a[i], a, &items[count])) count++;
    *out = weir__x_list(items, count, X_OF_ANY);
    return true;
}

SPRIG(call_keys) {
    size_t count = 0, all = 0;
    for (int i = 0; i < n; i++) all += weir__x_count(&a[i]);
    if (!weir__x_items_room(m, all)) return false;
    x *items = weir__x_list_new(m, all);
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < weir__x_count(&a[i]); k++)
            items[count++] = weir__x_entry(&a[i], k).key;
    *out = weir__x_list(items, count, X_OF_STRING);
    return true;
}

static bool is_named(const x *names, int n, const x *key) {
    for (int i = 0; i < n; i++)
        if (weir_str_equal(x_text(&names[i]), x_text(key))) return true;
    return false;
}

static bool choose(x_machine *m, const x *a, int n, bool named, x *out) {
    if (!weir__x_items_room(m, weir__x_count(a))) return false;
    *out = weir__x_map_new(m, X_OF_ANY);
    for (size_t i = 0; i < weir__x_count(a); i++) {
        x_entry e = weir__x_entry(a, i);
        if (is_named(a + 1, n - 1, &e.key) == named) weir__x_put(m, out, e.key, e.value);
    }
    return true;
}

SPRIG(call_pick) {
    return choose(m, a, n, true, out);
}

SPRIG(call_omit) {
    return choose(m, a, n, false, out);
}

/* Members of `from` that `to` has not, or whose value is empty there, or, to overwrite, all that are not empty. */
static bool merge(x_machine *m, const x *to, const x *from, bool overwrite, int depth) {
    if (depth > NESTED_MAX) return weir__x_fail(m, WEIR_LIMIT, "values are nested too deep");
    if (!weir__x_spend(m, weir__x_count(from))) return false;
    for (size_t i = 0; i < weir__x_count(from); i++) {
        x_entry e = weir__x_entry(from, i);
        x there;
        if (e.value.kind == X_NIL && !overwrite) continue;
        bool has = weir__x_get(to, &e.key, &there);
        if (has && there.kind == X_MAP && e.value.kind == X_MAP) {
            there = weir__x_own(m, &there);
            if (!merge(m, &there, &e.value, overwrite, depth + 1)) return false;
            weir__x_put(m, to, e.key, there);
        } else if (!has || (overwrite ? !weir__sprig_empty(&e.value) : weir__sprig_empty(&there))) {
            weir__x_put(m, to, e.key, e.value);
        }
    }
    return weir__x_room(m, 0);
}

static bool merge_all(x_machine *m, const x *a, int n, bool overwrite, x *out) {
    *out = weir__x_own(m, a);
    for (int i = 1; i < n; i++)
        if (!merge(m, out, &a[i], overwrite, 0)) return false;
    return true;
}

SPRIG(call_merge) {
    return merge_all(m, a, n, false, out);
}

SPRIG(call_merge_overwrite) {
    return merge_all(m, a, n, true, out);
}

SPRIG(call_dig) {
    x at = a[n - 1];
    bool texts = true;
    for (int i = 0; i < n - 2; i++) texts = texts && a[i].kind == X_STRING;
    for (int i = 0; i < n - 2; i++) {
        x next;
        if (!texts || at.kind != X_MAP)
            return weir__x_fail(
                m, WEIR_INVALID,
                "sprig.dig: texts, a value and a map are wanted, and maps on the way");
        if (!weir__x_get(&at, &a[i], &next)) {
            *out = a[n - 2];
            return true;
        }
        at = next;
    }
    *out = at;
    return true;
}

static bool copy(x_machine *m, const x *v, int depth, x *out) {
    *out = *v;
    if (v->kind != X_LIST && v->kind != X_MAP) return true;
    if (depth > NESTED_MAX) return weir__x_fail(m, WEIR_LIMIT, "values are nested too deep");
    size_t count = weir__x_count(v);
    if (!weir__x_items_room(m, count)) return false;
    if (v->kind == X_LIST) {
        x *items = weir__x_list_new(m, count);
        for (size_t i = 0; i < count; i++) {
            x item = weir__x_at(v, i);
            if (!copy(m, &item, depth + 1, &items[i])) return false;
        }
        *out = weir__x_list(items, count, v->sub & (uint8_t) ~(X_FOREIGN | X_FLOATS));
        return true;
    }
    *out = weir__x_map_new(m, v->sub & (uint8_t) ~(X_FOREIGN | X_FLOATS));
    for (size_t i = 0; i < count; i++) {
        x_entry e = weir__x_entry(v, i);
        x value;
        if (!copy(m, &e.value, depth + 1, &value)) return false;
        weir__x_put(m, out, e.key, value);
    }
    return true;
}

SPRIG(call_deep_copy) {
    (void)n;
    if (a->kind == X_NIL) return weir__x_fail(m, WEIR_INVALID, "sprig.deepCopy: of nil");
    return copy(m, a, 0, out);
}

const x_function weir__sprig_dicts[] = {{"dict", "@a*:m", call_dict},
                                        {"get", "@ds:?", call_get},
                                        {"set", "@dsa:m", call_set},
                                        {"unset", "@ds:m", call_unset},
                                        {"hasKey", "@ds:b", call_has_key},
                                        {"pluck", "@sd*:l", call_pluck},
                                        {"keys", "@d*:S", call_keys},
                                        {"values", "@d:l", weir__x_values},
                                        {"pick", "@ds*:m", call_pick},
                                        {"omit", "@ds*:m", call_omit},
                                        {"merge", "@dd*:?", call_merge},
                                        {"mustMerge", "@dd*:?", call_merge},
                                        {"mergeOverwrite", "@dd*:?", call_merge_overwrite},
                                        {"mustMergeOverwrite", "@dd*:?", call_merge_overwrite},
                                        {"dig", "@aaaa*:?", call_dig},
                                        {"deepCopy", "@a:?", call_deep_copy},
                                        {"mustDeepCopy", "@a:?", call_deep_copy},
                                        {0}};

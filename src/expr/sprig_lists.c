#include <math.h>
#include <stdint.h>

#include "expr/sprig.h"

SPRIG(call_list) {
    if (!weir__x_items_room(m, (size_t)n)) return false;
    x *items = weir__x_list_new(m, (size_t)n);
    memcpy(items, a, (size_t)n * sizeof *items);
    *out = weir__x_list(items, (size_t)n, X_OF_ANY);
    return true;
}

/* A copy with room for `more` items before and behind. */
static x *copy_of(x_machine *m, const x *list, size_t before, size_t behind) {
    if (!weir__x_items_room(m, list->length + before + behind)) return NULL;
    x *items = weir__x_list_new(m, list->length + before + behind);
    for (size_t i = 0; i < list->length; i++) items[before + i] = weir__x_at(list, i);
    return items;
}

SPRIG(call_append) {
    (void)n;
    if (!weir__sprig_want_list(m, "append", a)) return false;
    x *items = copy_of(m, a, 0, 1);
    if (!items) return false;
    items[a->length] = a[1];
    *out = weir__x_list(items, a->length + 1, X_OF_ANY);
    return true;
}

SPRIG(call_prepend) {
    (void)n;
    if (!weir__sprig_want_list(m, "prepend", a)) return false;
    x *items = copy_of(m, a, 1, 0);
    if (!items) return false;
    items[0] = a[1];
    *out = weir__x_list(items, a->length + 1, X_OF_ANY);
    return true;
}

SPRIG(call_first) {
    (void)n;
    if (!weir__sprig_want_list(m, "first", a)) return false;
    *out = a->length ? weir__x_at(a, 0) : x_nil();
    return true;
}

SPRIG(call_last) {
    (void)n;
    if (!weir__sprig_want_list(m, "last", a)) return false;
    *out = a->length ? weir__x_at(a, a->length - 1) : x_nil();
    return true;
}

static bool part(x_machine *m, const char *name, const x *a, bool first, x *out) {
    if (!weir__sprig_want_list(m, name, a)) return false;
    if (a->length == 0) {
        *out = x_no_list(X_OF_ANY);
        return true;
    }
    x *items = copy_of(m, a, 0, 0);
    if (!items) return false;
    *out = weir__x_list(items + first, a->length - 1, X_OF_ANY);
    return true;
}

SPRIG(call_rest) {
    (void)n;
    return part(m, "rest", a, true, out);
}

SPRIG(call_initial) {
    (void)n;
    return part(m, "initial", a, false, out);
}

SPRIG(call_reverse) {
    (void)n;
    if (!weir__sprig_want_list(m, "reverse", a)) return false;
    x *items = copy_of(m, a, 0, 0);
    if (!items) return false;
    for (size_t i = 0; i < a->length / 2; i++) {
        x swap = items[i];
        items[i] = items[a->length - 1 - i];
        items[a->length - 1 - i] = swap;
    }
    *out = weir__x_list(items, a->length, X_OF_ANY);
    return true;
}

static bool is_among(x_machine *m, const x *items, size_t count, const x *v) {
    for (size_t i = 0; i < count; i++)
        if (weir__x_same(m, v, &items[i], 0)) return true;
    return false;
}

/* The items for which `keep` is true. */
static bool choose(x_machine *m, const x *list,
                   bool (*keep)(x_machine *, const x *kept, size_t count, const x *item,
                                const x *arg, int n),
                   const x *arg, int n, x *out) {
    if (!weir__x_items_room(m, list->length)) return false;
    x *items = weir__x_list_new(m, list->length);
    size_t count = 0;
    for (size_t i = 0; i < list->length && !m->failed; i++) {
        x item = weir__x_at(list, i);
        if (!weir__x_spend(m, count / 4)) return false;
        if (keep(m, items, count, &item, arg, n)) items[count++] = item;
    }
    *out = weir__x_list(items, count, X_OF_ANY);
    return !m->failed;
}

static bool is_new(x_machine *m, const x *kept, size_t count, const x *item, const x *arg, int n) {
    (void)arg, (void)n;
    return !is_among(m, kept, count, item);
}

static bool is_not_omitted(x_machine *m, const x *kept, size_t count, const x *item, const x *arg,
                           int n) {
    (void)kept, (void)count;
    return !is_among(m, arg, (size_t)n, item);
}

static bool is_something(x_machine *m, const x *kept, size_t count, const x *item, const x *arg,
                         int n) {
    (void)m, (void)kept, (void)count, (void)arg, (void)n;
    return !weir__sprig_empty(item);
}

SPRIG(call_uniq) {
    (void)n;
    return weir__sprig_want_list(m, "uniq", a) && choose(m, a, is_new, NULL, 0, out);
}

SPRIG(call_without) {
    return weir__sprig_want_list(m, "without", a) &&
           choose(m, a, is_not_omitted, a + 1, n - 1, out);
}

SPRIG(call_compact) {
    (void)n;
    return weir__sprig_want_list(m, "compact", a) && choose(m, a, is_something, NULL, 0, out);
}

SPRIG(call_has) {
    (void)n;
    *out = x_bool(false);
    if (a[1].kind == X_NIL) return true;
    if (!weir__sprig_want_list(m, "has", &a[1]) || !weir__x_spend(m, a[1].length / 4)) return false;
    *out = x_bool(is_among(m, weir__x_items(m, &a[1]), a[1].length, a));
    return !m->failed;
}

SPRIG(call_slice) {
    if (!weir__sprig_want_list(m, "slice", a)) return false;
    int64_t from = n > 1 ? weir__sprig_int(&a[1]) : 0,
            to = n > 2 ? weir__sprig_int(&a[2]) : a->length;
    *out = x_nil();
    if (a->length == 0) return true;
    if (from < 0 || to < from || to > a->length)
        return weir__x_fail(m, WEIR_INVALID, "sprig.slice: from %lld to %lld of %u items",
                            (long long)from, (long long)to, a->length);
    x begin = x_int(from), end = x_int(to);
    return weir__x_slice(m, a, &begin, &end, out);
}

SPRIG(call_concat) {
    for (int i = 0; i < n; i++)
        if (!weir__sprig_want_list(m, "concat", &a[i])) return false;
    return weir__x_concat(m, a, n, out);
}

SPRIG(call_chunk) {
    (void)n;
    if (!weir__sprig_want_list(m, "chunk", &a[1])) return false;
    int64_t size = a->integer, length = a[1].length;
    if (size < 0 && length > 0 &&
        (length - 1 - size - 1) / -size == 1) { /* as the original has it */
        *out = weir__x_list(NULL, 0, X_OF_LISTS);
        return true;
    }
    if (size < 1)
        return weir__x_fail(m, WEIR_INVALID, "sprig.chunk: of %lld items", (long long)size);
    size_t count = (size_t)((length + size - 1) / size);
    if (size > length) size = length;
    if (!weir__x_items_room(m, count)) return false;
    x *chunks = weir__x_list_new(m, count);
    const x *items = weir__x_items(m, &a[1]);
    for (size_t i = 0; i < count; i++) {
        size_t from = i * (size_t)size,
               to = from + (size_t)size < (size_t)length ? from + (size_t)size : (size_t)length;
        chunks[i] = weir__x_list(items + from, to - from, X_OF_ANY);
    }
    *out = weir__x_list(chunks, count, X_OF_LISTS);
    return true;
}

const x_function weir__sprig_lists[] = {
    {"list", "@a*:l", call_list},        {"tuple", "@a*:l", call_list},
    {"append", "@aa:l", call_append},    {"mustAppend", "@aa:l", call_append},
    {"push", "@aa:l", call_append},      {"mustPush", "@aa:l", call_append},
    {"prepend", "@aa:l", call_prepend},  {"mustPrepend", "@aa:l", call_prepend},
    {"first", "@a:?", call_first},       {"mustFirst", "@a:?", call_first},
    {"last", "@a:?", call_last},         {"mustLast", "@a:?", call_last},
    {"rest", "@a:l", call_rest},         {"mustRest", "@a:l", call_rest},
    {"initial", "@a:l", call_initial},   {"mustInitial", "@a:l", call_initial},
    {"reverse", "@a:l", call_reverse},   {"mustReverse", "@a:l", call_reverse},
    {"uniq", "@a:l", call_uniq},         {"mustUniq", "@a:l", call_uniq},
    {"without", "@aa*:l", call_without}, {"mustWithout", "@aa*:l", call_without},
    {"compact", "@a:l", call_compact},   {"mustCompact", "@a:l", call_compact},
    {"has", "@aa:b", call_has},          {"mustHas", "@aa:b", call_has},
    {"slice", "@aa*:?", call_slice},     {"mustSlice", "@aa*:?", call_slice},
    {"concat", "@a*:?", call_concat},    {"chunk", "@ja:l", call_chunk},
    {"mustChunk", "@ja:l", call_chunk},  {0}};

#include <math.h>
#include <stdint.h>

#include "expr/expr_internal.h"
#include "expr/gotime.h"

int64_t weir__x_truncate(double f) {
    if (!(f >= -9223372036854775808.0 && f < 9223372036854775808.0)) return INT64_MIN;
    return (int64_t)f;
}

static bool mismatch(x_machine *m, const char *op, const x *a, const x *b) {
    return weir__x_fail(m, WEIR_INVALID, "`%s` cannot be applied to values of types %s and %s", op,
                        weir__x_go_type(a), weir__x_go_type(b));
}

bool weir__x_equal(x_machine *m, const x *a, const x *b) {
    if (a->kind == X_STRING && b->kind == X_STRING) return weir_str_equal(x_text(a), x_text(b));
    if (x_is_number(a) && x_is_number(b)) {
        if (a->kind == X_INT && b->kind == X_INT) return a->integer == b->integer;
        return x_number(a) == x_number(b);
    }
    if (a->kind != X_LIST || b->kind != X_LIST) return weir__x_same(m, a, b, 0);
    if (a->length != b->length || !weir__x_spend(m, a->length)) return false;
    for (size_t i = 0; i < a->length; i++) {
        x one = weir__x_at(a, i), two = weir__x_at(b, i);
        bool lists = one.kind == X_LIST && two.kind == X_LIST;
        if (!(lists ? weir__x_same(m, &one, &two, 1) : weir__x_equal(m, &one, &two))) return false;
    }
    return true;
}

static int order_texts(const x *a, const x *b) {
    size_t shorter = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->text, b->text, shorter);
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

bool weir__x_compare(x_machine *m, const char *op, const x *a, const x *b, int *out,
                     bool *ordered) {
    *ordered = true;
    if (a->kind == X_STRING && b->kind == X_STRING) {
        *out = order_texts(a, b);
    } else if ((a->kind == X_INT && b->kind == X_INT) ||
               (a->kind == X_DURATION && b->kind == X_DURATION)) {
        *out = (a->integer > b->integer) - (a->integer < b->integer);
    } else if (x_is_number(a) && x_is_number(b)) {
        double one = x_number(a), two = x_number(b);
        *ordered = !isnan(one) && !isnan(two);
        *out = (one > two) - (one < two);
    } else if (a->kind == X_TIME && b->kind == X_TIME) {
        int64_t d = weir__gotime_difference(a->time, b->time);
        *out = (d > 0) - (d < 0);
    } else {
        return mismatch(m, op, a, b);
    }
    return true;
}

static x wrap(char op, int64_t a, int64_t b) {
    uint64_t one = (uint64_t)a, two = (uint64_t)b;
    return x_int((int64_t)(op == '+' ? one + two : op == '-' ? one - two : one * two));
}

static x make_time(x_machine *m, x_time t) {
    x_time *copy = weir__x_alloc(m, sizeof *copy);
    *copy = t;
    return (x){.kind = X_TIME, .time = copy};
}

/* What has a moment or a duration in it; false: nothing that fits. */
static bool operate_times(x_machine *m, char op, const x *a, const x *b, x *out) {
    bool durations = a->kind == X_DURATION && b->kind == X_DURATION;
    if (durations && op != '/') {
        *out = wrap(op, a->integer, b->integer);
        out->kind = X_DURATION;
    } else if (a->kind == X_TIME && b->kind == X_DURATION && (op == '+' || op == '-')) {
        *out = make_time(m, weir__gotime_add(a->time, op == '+'
                                                          ? b->integer
                                                          : (int64_t)(0 - (uint64_t)b->integer)));
    } else if (a->kind == X_DURATION && b->kind == X_TIME && op == '+') {
        *out = make_time(m, weir__gotime_add(b->time, a->integer));
    } else if (a->kind == X_TIME && b->kind == X_TIME && op == '-') {
        *out = (x){.kind = X_DURATION, .integer = weir__gotime_difference(a->time, b->time)};
    } else if (op == '*' && ((a->kind == X_DURATION && x_is_number(b)) ||
                             (b->kind == X_DURATION && x_is_number(a)))) {
        const x *number = a->kind == X_DURATION ? b : a, *span = a->kind == X_DURATION ? a : b;
        *out = wrap('*', span->integer, number->integer);
        out->kind = X_DURATION;
        if (number->kind == X_FLOAT) *out = x_float((double)span->integer * number->number);
    } else {
        return false;
    }
    return true;
}

static bool operate_modulo(x_machine *m, const x *a, const x *b, x *out) {
    if (a->kind != X_INT || b->kind != X_INT) return mismatch(m, "%", a, b);
    if (b->integer == 0) return weir__x_fail(m, WEIR_INVALID, "an integer is divided by zero");
    *out = x_int(b->integer == -1 ? 0 : a->integer % b->integer);
    return true;
}

static bool join(x_machine *m, const x *a, const x *b, x *out) {
    size_t length = (size_t)a->length + b->length;
    if (!weir__x_room(m, length)) return false;
    char *text = weir__x_alloc(m, length + 1);
    memcpy(text, a->text, a->length);
    memcpy(text + a->length, b->text, b->length);
    *out = x_str((weir_str){text, length});
    return true;
}

bool weir__x_operate(x_machine *m, char op, const x *a, const x *b, x *out) {
    const char name[2] = {op, '\0'};
    if (op == '%') return operate_modulo(m, a, b, out);
    if (op == '+' && a->kind == X_STRING && b->kind == X_STRING) return join(m, a, b, out);
    if (!x_is_number(a) || !x_is_number(b)) {
        if (op != '^' && operate_times(m, op, a, b, out)) return true;
        return mismatch(m, op == '^' ? "**" : name, a, b);
    }
    double one = x_number(a), two = x_number(b);
    switch (op) {
    case '/': *out = x_float(one / two); return true;
    case '^': *out = x_float(pow(one, two)); return true;
    default: break;
    }
    if (a->kind == X_INT && b->kind == X_INT)
        *out = wrap(op, a->integer, b->integer);
    else
        *out = x_float(op == '+' ? one + two : op == '-' ? one - two : one * two);
    return true;
}

bool weir__x_in(x_machine *m, const x *needle, const x *where, bool *out) {
    *out = false;
    if (where->kind == X_NIL) return true;
    if (where->kind == X_MAP) {
        x key = *needle, found;
        bool any = (where->sub & X_KEYS_ANY) != 0;
        if (key.kind == X_NIL && !any) key = x_str(WEIR_STR(""));
        if (!any && key.kind != X_STRING) return mismatch(m, "in", needle, where);
        *out = weir__x_get(where, &key, &found);
        return true;
    }
    if (where->kind == X_TIME && needle->kind == X_STRING) return true;
    if (where->kind != X_LIST) return mismatch(m, "in", needle, where);
    if (!weir__x_spend(m, where->length / 4)) return false;
    for (size_t i = 0; i < where->length && !*out; i++) {
        x item = weir__x_at(where, i);
        *out = weir__x_equal(m, &item, needle);
    }
    return !m->failed;
}

static bool to_index(x_machine *m, const x *key, int64_t *out) {
    if (!x_is_number(key))
        return weir__x_fail(m, WEIR_INVALID, "a place is an integer, not a value of type %s",
                            weir__x_go_type(key));
    *out = key->kind == X_INT ? key->integer : weir__x_truncate(key->number);
    return true;
}

static bool fetch_place(x_machine *m, const x *from, const x *key, bool soft, x *out) {
    int64_t index;
    if (!to_index(m, key, &index)) return false;
    if (index < 0) index += from->length;
    if (index < 0 || index >= from->length) {
        *out = x_nil();
        return soft || weir__x_fail(m, WEIR_INVALID, "there is no place %lld in what has %u",
                                    (long long)index, from->length);
    }
    if (from->kind == X_LIST)
        *out = weir__x_at(from, (size_t)index);
    else
        *out = (x){.kind = X_INT, .sub = X_GO_UINT8, .integer = (unsigned char)from->text[index]};
    return true;
}

static bool fetch_member(x_machine *m, const x *from, const x *key, bool soft, x *out) {
    x wanted = *key;
    bool any = (from->sub & X_KEYS_ANY) != 0;
    if (wanted.kind == X_NIL && !any) wanted = x_str(WEIR_STR(""));
    if (!any && wanted.kind != X_STRING)
        return weir__x_fail(m, WEIR_INVALID, "the keys of a map are texts, not of type %s",
                            weir__x_go_type(key));
    if (any && (wanted.kind == X_LIST || wanted.kind == X_MAP))
        return weir__x_fail(m, WEIR_INVALID, "a value of type %s cannot be a key",
                            weir__x_go_type(key));
    if (weir__x_get(from, &wanted, out)) return true;
    bool texts = from->sub == X_OF_STRING && !soft;
    bool lists = from->sub == X_OF_LISTS && !soft;
    *out = texts ? x_str(WEIR_STR("")) : lists ? x_no_list(X_OF_ANY) : x_nil();
    return true;
}

static bool fetch_sprig(x_machine *m, const x *key, x *out) {
    weir_str name = key->kind == X_STRING ? x_text(key) : WEIR_STR("");
    const x_function *f = weir__x_sprig(name);
    if (f) {
        *out = (x){.kind = X_FUNCTION, .function = f};
        return true;
    }
    weir_nearest nearest = weir_nearest_to(name);
    weir__x_nearest_function(&nearest, true);
    weir__x_fail(m, WEIR_INVALID, "sprig has no function `%.*s`", WEIR_ARG(name));
    if (m->error) weir_error_hint_near(m->error, nearest.best, "");
    return false;
}

bool weir__x_fetch(x_machine *m, const x *from, const x *key, bool soft, x *out) {
    if (from->kind == X_MAP) return fetch_member(m, from, key, soft, out);
    if (from->kind == X_LIST || from->kind == X_STRING) return fetch_place(m, from, key, soft, out);
    if (from->kind == X_SPRIG) return fetch_sprig(m, key, out);
    const x_function *f =
        key->kind == X_STRING ? weir__x_method(from, from->kind, x_text(key)) : NULL;
    if (f) {
        x_method *method = weir__x_alloc(m, sizeof *method);
        *method = (x_method){.self = *from, .function = f};
        *out = (x){.kind = X_METHOD, .method = method};
        return true;
    }
    *out = x_nil();
    if (soft) return true;
    if (key->kind == X_STRING)
        return weir__x_fail(m, WEIR_INVALID, "%s has no `%.*s`",
                            from->kind == X_NIL ? "nil" : weir__x_go_type(from),
                            WEIR_ARG(x_text(key)));
    return weir__x_fail(m, WEIR_INVALID, "%s has no parts",
                        from->kind == X_NIL ? "nil" : weir__x_go_type(from));
}

bool weir__x_slice(x_machine *m, const x *of, const x *from, const x *to, x *out) {
    int64_t begin, end;
    if (of->kind != X_LIST && of->kind != X_STRING)
        return weir__x_fail(m, WEIR_INVALID, "a value of type %s cannot be sliced",
                            weir__x_go_type(of));
    if (!to_index(m, from, &begin) || !to_index(m, to, &end)) return false;
    if (begin < 0) begin += of->length;
    if (end < 0) end += of->length;
    if (begin < 0) begin = 0;
    if (end < 0) end = 0;
    if (end > of->length) end = of->length;
    if (begin > end) begin = end;
    *out = *of;
    out->length = (uint32_t)(end - begin);
    if (of->kind == X_STRING) {
        out->text = of->text + begin;
    } else if (out->length < of->length) {
        out->items = weir__x_items(m, of) + begin;
        out->sub &= (uint8_t) ~(X_FOREIGN | X_FLOATS);
    }
    return true;
}

/* --- a stable merge sort */

static bool merge(x_machine *m, const x *keys, const uint32_t *from, uint32_t *to, size_t low,
                  size_t middle, size_t high, bool descending) {
    size_t left = low, right = middle;
    for (size_t at = low; at < high; at++) {
        bool take_right = left == middle;
        if (!take_right && right < high) {
            int order;
            bool ordered;
            const x *a = &keys[from[left]], *b = &keys[from[right]];
            if (!weir__x_compare(m, "<", a, b, &order, &ordered)) return false;
            take_right = ordered && (descending ? order < 0 : order > 0);
        }
        to[at] = take_right ? from[right++] : from[left++];
    }
    return true;
}

bool weir__x_sort(x_machine *m, x *items, x *keys, size_t count, bool descending) {
    if (count < 2) return true;
    if (!weir__x_spend(m, count * 4)) return false;
    const x *by = keys ? keys : items;
    uint32_t *from = weir__x_alloc(m, count * sizeof *from),
             *to = weir__x_alloc(m, count * sizeof *to);
    x *copy = weir__x_list_new(m, count);
    for (size_t i = 0; i < count; i++) from[i] = (uint32_t)i;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t low = 0; low < count; low += 2 * width) {
            size_t middle = low + width < count ? low + width : count;
            size_t high = low + 2 * width < count ? low + 2 * width : count;
            if (!merge(m, by, from, to, low, middle, high, descending)) return false;
        }
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    for (size_t i = 0; i < count; i++) copy[i] = items[from[i]];
    memcpy(items, copy, count * sizeof *items);
    return true;
}

#include <math.h>
#include <stdint.h>

#include "expr/builtin.h"
#include "expr/text.h"

enum { NESTED_MAX = 1000 };

static bool call_abs(x_machine *m, const x *a, int n, x *out) {
    (void)m, (void)n;
    *out = *a;
    if (a->kind == X_INT && a->integer < 0) out->integer = (int64_t)(0 - (uint64_t)a->integer);
    if (a->kind == X_FLOAT && a->number < 0) out->number = -a->number;
    return true;
}

static bool call_ceil(x_machine *m, const x *a, int n, x *out) {
    (void)m, (void)n;
    *out = x_float(ceil(x_number(a)));
    return true;
}

static bool call_floor(x_machine *m, const x *a, int n, x *out) {
    (void)m, (void)n;
    *out = x_float(floor(x_number(a)));
    return true;
}

static bool call_round(x_machine *m, const x *a, int n, x *out) {
    (void)m, (void)n;
    *out = x_float(round(x_number(a)));
    return true;
}

static bool call_int(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    int64_t value = a->integer;
    if (a->kind == X_FLOAT) value = weir__x_truncate(a->number);
    if (a->kind == X_STRING && !weir__x_parse_int(x_text(a), &value))
        return weir__x_fail(m, WEIR_INVALID, "int: `%.*s` is no integer", WEIR_ARG(x_text(a)));
    *out = x_int(value);
    return true;
}

static bool call_float(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    double value = a->kind == X_STRING ? 0 : x_number(a);
    if (a->kind == X_STRING && !weir__x_parse_float(x_text(a), &value))
        return weir__x_fail(m, WEIR_INVALID, "float: `%.*s` is no number", WEIR_ARG(x_text(a)));
    *out = x_float(value);
    return true;
}

/* What goes through all numbers of arguments, which may be nested arrays. */
typedef struct numbers {
    x_machine *m;
    const char *name;
    int want; /* of max and min: which order replaces the best so far; else 0 */
    x best;
    bool any;
    double sum;
    size_t count;
    bool keeps;
    WEIR_VECTOR(x) all; /* of median, which keeps them */
} numbers;

static bool add(numbers *s, const x *v, int depth) {
    if (depth > NESTED_MAX) return weir__x_fail(s->m, WEIR_LIMIT, "values are nested too deep");
    if (v->kind == X_LIST) {
        if (!weir__x_spend(s->m, v->length)) return false;
        for (size_t i = 0; i < v->length; i++) {
            x item = weir__x_at(v, i);
            if (!add(s, &item, depth + 1)) return false;
        }
        return true;
    }
    bool named = v->kind == X_DURATION || v->kind == X_WEEKDAY || v->kind == X_MONTH;
    double number = named                                    ? (double)v->integer
                    : v->kind == X_INT || v->kind == X_FLOAT ? x_number(v)
                                                             : 0;
    if (!named && !x_is_number(v))
        return weir__x_fail(s->m, WEIR_INVALID, "%s: a value of type %s is no number", s->name,
                            weir__x_go_type(v));
    s->sum += number;
    s->count++;
    if (s->want == 0 && !s->keeps) return true;
    if (s->want == 0) {
        *weir_vector_push(&s->all) = x_float(number);
        return weir__x_room(s->m, s->count * sizeof(x));
    }
    int order = 0;
    bool ordered = true;
    if (s->any && !weir__x_compare(s->m, "<", v, &s->best, &order, &ordered)) return false;
    if (!s->any || (ordered && order == s->want)) s->best = *v;
    s->any = true;
    return true;
}

static bool add_all(numbers *s, const x *a, int n) {
    for (int i = 0; i < n; i++)
        if (!add(s, &a[i], 0)) return false;
    return true;
}

static bool call_extreme(x_machine *m, const char *name, int want, const x *a, int n, x *out) {
    numbers s = {.m = m, .name = name, .want = want};
    if (n == 1 && a->kind != X_LIST) {
        *out = *a; /* whatever it is */
        return true;
    }
    if (!add_all(&s, a, n)) return false;
    *out = s.best;
    return true;
}

static bool call_max(x_machine *m, const x *a, int n, x *out) {
    return call_extreme(m, "max", 1, a, n, out);
}

static bool call_min(x_machine *m, const x *a, int n, x *out) {
    return call_extreme(m, "min", -1, a, n, out);
}

static bool call_mean(x_machine *m, const x *a, int n, x *out) {
    numbers s = {.m = m, .name = "mean"};
    if (!add_all(&s, a, n)) return false;
    *out = x_float(s.count ? s.sum / (double)s.count : 0);
    return true;
}

static bool call_median(x_machine *m, const x *a, int n, x *out) {
    numbers s = {.m = m, .name = "median", .keeps = true};
    bool ok = add_all(&s, a, n) && weir__x_sort(m, s.all.items, NULL, s.all.count, false);
    size_t count = s.all.count;
    if (ok && count == 0)
        *out = x_float(0);
    else if (ok && count % 2)
        *out = s.all.items[count / 2];
    else if (ok)
        *out = x_float((s.all.items[count / 2 - 1].number + s.all.items[count / 2].number) / 2);
    weir_vector_deinit(&s.all);
    return ok;
}

static bool call_bitand(x_machine *m, const x *a, int n, x *out) {
    (void)m, (void)n;
    *out = x_int(a[0].integer & a[1].integer);
    return true;
}

static bool call_bitor(x_machine *m, const x *a, int n, x *out) {
    (void)m, (void)n;
    *out = x_int(a[0].integer | a[1].integer);
    return true;
}

static bool call_bitxor(x_machine *m, const x *a, int n, x *out) {
    (void)m, (void)n;
    *out = x_int(a[0].integer ^ a[1].integer);
    return true;
}

static bool call_bitnand(x_machine *m, const x *a, int n, x *out) {
    (void)m, (void)n;
    *out = x_int(a[0].integer & ~a[1].integer);
    return true;
}

static bool call_bitnot(x_machine *m, const x *a, int n, x *out) {
    (void)m, (void)n;
    *out = x_int(~a[0].integer);
    return true;
}

static bool may_shift(x_machine *m, const x *a) {
    return a[1].integer >= 0 || weir__x_fail(m, WEIR_INVALID, "a shift by a negative number");
}

static bool call_bitshl(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    if (!may_shift(m, a)) return false;
    *out = x_int(a[1].integer > 63 ? 0 : (int64_t)((uint64_t)a[0].integer << a[1].integer));
    return true;
}

static bool call_bitshr(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    if (!may_shift(m, a)) return false;
    *out = x_int(a[0].integer >> (a[1].integer > 63 ? 63 : a[1].integer));
    return true;
}

static bool call_bitushr(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    if (!may_shift(m, a)) return false;
    *out = x_int(a[1].integer > 63 ? 0 : (int64_t)((uint64_t)a[0].integer >> a[1].integer));
    return true;
}

const x_function weir__x_number_functions[] = {
    {"abs", "n:0", call_abs},
    {"ceil", "n:f", call_ceil},
    {"floor", "n:f", call_floor},
    {"round", "n:f", call_round},
    {"int", "V:i", call_int},
    {"float", "W:f", call_float},
    {"max", "N:0|N*:?|Qa*:?|NQa*:?", call_max},
    {"min", "N:0|N*:?|Qa*:?|NQa*:?", call_min},
    {"mean", "N:0|N*:?|Qa*:?|NQa*:?", call_mean},
    {"median", "N:0|N*:?|Qa*:?|NQa*:?", call_median},
    {"bitand", "ii:i", call_bitand},
    {"bitor", "ii:i", call_bitor},
    {"bitxor", "ii:i", call_bitxor},
    {"bitnand", "ii:i", call_bitnand},
    {"bitnot", "i:i", call_bitnot},
    {"bitshl", "ii:i", call_bitshl},
    {"bitshr", "ii:i", call_bitshr},
    {"bitushr", "ii:i", call_bitushr},
    {0},
};

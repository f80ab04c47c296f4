#include "expr/sprig.h"

SPRIG(call_default) {
    (void)m;
    *out = n < 2 || weir__sprig_empty(&a[1]) ? a[0] : a[1];
    return true;
}

SPRIG(call_empty) {
    UNUSED;
    *out = x_bool(weir__sprig_empty(a));
    return true;
}

SPRIG(call_coalesce) {
    (void)m;
    *out = x_nil();
    for (int i = n - 1; i >= 0; i--)
        if (!weir__sprig_empty(&a[i])) *out = a[i];
    return true;
}

static int count_empty(const x *a, int n) {
    int count = 0;
    for (int i = 0; i < n; i++) count += weir__sprig_empty(&a[i]);
    return count;
}

SPRIG(call_all) {
    (void)m;
    *out = x_bool(count_empty(a, n) == 0);
    return true;
}

SPRIG(call_any) {
    (void)m;
    *out = x_bool(count_empty(a, n) < n);
    return true;
}

SPRIG(call_ternary) {
    UNUSED;
    *out = a[2].boolean ? a[0] : a[1];
    return true;
}

/* What cannot be JSON is an empty text, unless it `must` be. */
static bool to_json(x_machine *m, const x *v, int flags, bool must, x *out) {
    weir_error *error = m->error;
    if (!must) m->error = NULL;
    bool ok = weir__x_json(m, v, flags, &m->scratch), limited = m->steps > WEIR_EXPR_STEPS_MAX;
    m->error = error;
    if (!ok) weir_buffer_clear(&m->scratch);
    *out = weir__x_take(m, &m->scratch);
    if (ok || must) return ok;
    if (limited)
        return weir_fail(m->error, WEIR_LIMIT, "the expression takes more than %d steps",
                         WEIR_EXPR_STEPS_MAX);
    m->failed = false;
    return true;
}

SPRIG(call_to_json) {
    (void)n;
    return to_json(m, a, X_JSON_HTML, false, out);
}

SPRIG(call_to_pretty_json) {
    (void)n;
    return to_json(m, a, X_JSON_HTML | X_JSON_INDENT, false, out);
}

SPRIG(call_to_raw_json) {
    (void)n;
    return to_json(m, a, 0, true, out);
}

SPRIG(call_must_to_json) {
    (void)n;
    return to_json(m, a, X_JSON_HTML, true, out);
}

SPRIG(call_must_to_pretty_json) {
    (void)n;
    return to_json(m, a, X_JSON_HTML | X_JSON_INDENT, true, out);
}

SPRIG(call_must_from_json) {
    (void)n;
    return weir__x_parse_json(m, x_text(a), out);
}

SPRIG(call_from_json) {
    weir_error *error = m->error;
    m->error = NULL;
    if (!call_must_from_json(m, a, n, out)) {
        *out = x_nil();
        m->failed = false;
    }
    m->error = error;
    return true;
}

static weir_str kind_of(const x *v) {
    static const char *const kinds[X_KINDS] = {
        "invalid", "bool", "int", "float64", "string", "slice", "map", "int64",
        "struct",  "ptr",  "int", "int",     "func",   "func",  "map", "ptr"};
    return weir_str_from(v->kind == X_INT ? weir__x_go_type(v) : kinds[v->kind]);
}

SPRIG(call_kind_of) {
    UNUSED;
    *out = x_str(kind_of(a));
    return true;
}

SPRIG(call_kind_is) {
    UNUSED;
    *out = x_bool(weir_str_equal(x_text(a), kind_of(&a[1])));
    return true;
}

SPRIG(call_type_of) {
    UNUSED;
    *out = x_str(weir_str_from(weir__x_go_type(a)));
    return true;
}

SPRIG(call_type_is) {
    UNUSED;
    *out = x_bool(weir_str_is(x_text(a), weir__x_go_type(&a[1])));
    return true;
}

SPRIG(call_type_is_like) {
    UNUSED;
    weir_str type = weir_str_from(weir__x_go_type(&a[1])), wanted = x_text(a);
    bool pointer = weir_str_starts(type, WEIR_STR("*")) &&
                   weir_str_equal(weir_str_slice(type, 1, type.length), wanted);
    *out = x_bool(pointer || weir_str_equal(type, wanted));
    return true;
}

SPRIG(call_deep_equal) {
    (void)n;
    *out = x_bool(weir__x_same(m, a, &a[1], 0));
    return !m->failed;
}

const x_function weir__sprig_kinds[] = {{"default", "@aa*:?", call_default},
                                        {"empty", "@a:b", call_empty},
                                        {"coalesce", "@a*:?", call_coalesce},
                                        {"all", "@a*:b", call_all},
                                        {"any", "@a*:b", call_any},
                                        {"ternary", "@aab:?", call_ternary},
                                        {"toJson", "@a:s", call_to_json},
                                        {"toPrettyJson", "@a:s", call_to_pretty_json},
                                        {"toRawJson", "@a:s", call_to_raw_json},
                                        {"mustToJson", "@a:s", call_must_to_json},
                                        {"mustToPrettyJson", "@a:s", call_must_to_pretty_json},
                                        {"mustToRawJson", "@a:s", call_to_raw_json},
                                        {"fromJson", "@s:?", call_from_json},
                                        {"mustFromJson", "@s:?", call_must_from_json},
                                        {"kindOf", "@a:s", call_kind_of},
                                        {"kindIs", "@sa:b", call_kind_is},
                                        {"typeOf", "@a:s", call_type_of},
                                        {"typeIs", "@sa:b", call_type_is},
                                        {"typeIsLike", "@sa:b", call_type_is_like},
                                        {"deepEqual", "@aa:b", call_deep_equal},
                                        {0}};

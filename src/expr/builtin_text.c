#include <stdint.h>

#include "expr/builtin.h"
#include "expr/text.h"
#include "expr/unicode.h"

static bool call_string(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    weir__x_print(m, a, &m->scratch);
    *out = weir__x_take(m, &m->scratch);
    return !m->failed;
}

static bool call_trim(x_machine *m, const x *a, int n, x *out) {
    (void)m;
    weir_str text = x_text(a);
    if (n == 1) *out = x_str(weir__x_trim_space(text));
    if (n == 2) *out = x_str(a[1].length ? weir__x_trim(text, x_text(&a[1]), 3) : text);
    return true;
}

static weir_str blank_or(const x *a, int n) {
    return n == 2 ? x_text(&a[1]) : WEIR_STR(" ");
}

static bool call_trim_prefix(x_machine *m, const x *a, int n, x *out) {
    (void)m;
    weir_str text = x_text(a), prefix = blank_or(a, n);
    *out =
        x_str(weir_str_slice(text, weir_str_starts(text, prefix) ? prefix.length : 0, text.length));
    return true;
}

static bool call_trim_suffix(x_machine *m, const x *a, int n, x *out) {
    (void)m;
    weir_str text = x_text(a), suffix = blank_or(a, n);
    *out = x_str(
        weir_str_slice(text, 0, text.length - (weir_str_ends(text, suffix) ? suffix.length : 0)));
    return true;
}

static bool call_upper(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    return weir__x_map_text(m, x_text(a), weir__unicode_upper, out);
}

static bool call_lower(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    return weir__x_map_text(m, x_text(a), weir__unicode_lower, out);
}

static int64_t count_of(const x *v) {
    return v->kind == X_INT ? v->integer : weir__x_truncate(v->number);
}

static bool call_split(x_machine *m, const x *a, int n, x *out) {
    return weir__x_split(m, x_text(a), x_text(&a[1]), n > 2 ? count_of(&a[2]) : -1, false, out);
}

static bool call_split_after(x_machine *m, const x *a, int n, x *out) {
    return weir__x_split(m, x_text(a), x_text(&a[1]), n > 2 ? count_of(&a[2]) : -1, true, out);
}

static bool call_replace(x_machine *m, const x *a, int n, x *out) {
    return weir__x_replace(m, x_text(a), x_text(&a[1]), x_text(&a[2]), n > 3 ? count_of(&a[3]) : -1,
                           out);
}

static bool call_repeat(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    int64_t count = count_of(&a[1]);
    if (count > WEIR_EXPR_ITEMS_MAX ||
        (count > 0 && !weir__x_items_room(m, a->length * (size_t)count)))
        return weir__x_fail(m, WEIR_LIMIT, "a text is repeated too often");
    return weir__x_repeat(m, x_text(a), count, out);
}

static bool call_join(x_machine *m, const x *a, int n, x *out) {
    if (a->sub == X_OF_INT)
        return weir__x_fail(m, WEIR_INVALID, "join: these are numbers, not texts");
    for (size_t i = 0; i < a->length; i++) {
        x item = weir__x_at(a, i);
        if (item.kind != X_STRING) {
            weir_buffer_clear(&m->scratch);
            return weir__x_fail(m, WEIR_INVALID, "join: item %zu is no text but of type %s", i,
                                weir__x_go_type(&item));
        }
        if (i > 0 && n > 1) weir_buffer_str_append(&m->scratch, x_text(&a[1]));
        weir_buffer_str_append(&m->scratch, x_text(&item));
        if (!weir__x_room(m, m->scratch.length)) return false;
    }
    *out = weir__x_take(m, &m->scratch);
    return weir__x_spend(m, a->length / 4);
}

static bool place(x *out, size_t at) {
    *out = x_int(at == SIZE_MAX ? -1 : (int64_t)at);
    return true;
}

static bool call_index_of(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    return weir__x_spend(m, a->length / 16) &&
           place(out, weir_str_find(x_text(a), x_text(&a[1]), 0));
}

static bool call_last_index_of(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    return weir__x_spend(m, a->length / 4) &&
           place(out, weir__x_find_last(x_text(a), x_text(&a[1])));
}

static bool call_has_prefix(x_machine *m, const x *a, int n, x *out) {
    (void)m, (void)n;
    *out = x_bool(weir_str_starts(x_text(a), x_text(&a[1])));
    return true;
}

static bool call_has_suffix(x_machine *m, const x *a, int n, x *out) {
    (void)m, (void)n;
    *out = x_bool(weir_str_ends(x_text(a), x_text(&a[1])));
    return true;
}

static bool call_to_json(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    bool ok = weir__x_json(m, a, X_JSON_HTML | X_JSON_INDENT, &m->scratch);
    *out = weir__x_take(m, &m->scratch);
    return ok;
}

static bool call_from_json(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    return weir__x_parse_json(m, x_text(a), out);
}

static bool call_to_base64(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    if (!weir__x_room(m, (size_t)a->length * 2)) return false;
    weir__x_base64_encode(x_text(a), &m->scratch);
    *out = weir__x_take(m, &m->scratch);
    return true;
}

static bool call_from_base64(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    bool ok = weir__x_base64_decode(x_text(a), &m->scratch);
    *out = weir__x_take(m, &m->scratch);
    return ok || weir__x_fail(m, WEIR_INVALID, "fromBase64: this is no base64");
}

const x_function weir__x_text_functions[] = {
    {"string", "a:s", call_string},
    {"trim", "s:s|ss:s", call_trim},
    {"trimPrefix", "s:s|ss:s", call_trim_prefix},
    {"trimSuffix", "s:s|ss:s", call_trim_suffix},
    {"upper", "s:s", call_upper},
    {"lower", "s:s", call_lower},
    {"split", "ss:S|ssI:S", call_split},
    {"splitAfter", "ss:S|ssI:S", call_split_after},
    {"replace", "sss:s|sssI:s", call_replace},
    {"repeat", "sI:s", call_repeat},
    {"join", "l:s|ls:s", call_join},
    {"indexOf", "ss:i", call_index_of},
    {"lastIndexOf", "ss:i", call_last_index_of},
    {"hasPrefix", "ss:b", call_has_prefix},
    {"hasSuffix", "ss:b", call_has_suffix},
    {"toJSON", "a:s", call_to_json},
    {"fromJSON", "s:?", call_from_json},
    {"toBase64", "s:s", call_to_base64},
    {"fromBase64", "s:s", call_from_base64},
    {0},
};

/* --- Argo's */

static bool call_as_int(x_machine *m, const x *a, int n, x *out) {
    static const x_function int_like = {"asInt", "V:i", NULL};
    if (!weir__x_fits(m, &int_like, a, n)) return false;
    int64_t value = a->integer;
    if (a->kind == X_FLOAT) value = weir__x_truncate(a->number);
    if (a->kind == X_STRING && !weir__x_parse_int(x_text(a), &value))
        return weir__x_fail(m, WEIR_INVALID, "asInt: `%.*s` is no integer", WEIR_ARG(x_text(a)));
    *out = x_int(value);
    return true;
}

static bool call_as_float(x_machine *m, const x *a, int n, x *out) {
    static const x_function float_like = {"asFloat", "W:f", NULL};
    if (!weir__x_fits(m, &float_like, a, n)) return false;
    double value = a->kind == X_STRING ? 0 : x_number(a);
    if (a->kind == X_STRING && !weir__x_parse_float(x_text(a), &value))
        return weir__x_fail(m, WEIR_INVALID, "asFloat: `%.*s` is no number", WEIR_ARG(x_text(a)));
    *out = x_float(value);
    return true;
}

static bool call_jsonpath(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    x document;
    return weir__x_parse_json(m, x_text(a), &document) &&
           weir__x_jsonpath(m, &document, x_text(&a[1]), out);
}

static bool call_plain_json(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    bool ok = weir__x_json(m, a, X_JSON_HTML, &m->scratch);
    *out = weir__x_take(m, &m->scratch);
    return ok;
}

const x_function weir__x_additions[] = {
    {"asInt", "a:?", call_as_int},
    {"asFloat", "a:?", call_as_float},
    {"jsonpath", "ss:?", call_jsonpath},
    {"toJson", "a:s", call_plain_json},
    {0},
};

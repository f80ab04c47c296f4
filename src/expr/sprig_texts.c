#include <stdint.h>
#include <stdio.h>

#include "expr/sprig.h"
#include "expr/text.h"
#include "expr/unicode.h"

SPRIG(call_hello) {
    UNUSED, (void)a;
    *out = x_str(WEIR_STR("Hello!"));
    return true;
}

SPRIG(call_trim) {
    UNUSED;
    *out = x_str(weir__x_trim_space(x_text(a)));
    return true;
}

SPRIG(call_trim_all) {
    UNUSED;
    *out = x_str(a->length ? weir__x_trim(x_text(&a[1]), x_text(a), 3) : x_text(&a[1]));
    return true;
}

SPRIG(call_trim_prefix) {
    UNUSED;
    weir_str text = x_text(&a[1]), prefix = x_text(a);
    *out =
        x_str(weir_str_slice(text, weir_str_starts(text, prefix) ? prefix.length : 0, text.length));
    return true;
}

SPRIG(call_trim_suffix) {
    UNUSED;
    weir_str text = x_text(&a[1]), suffix = x_text(a);
    *out = x_str(
        weir_str_slice(text, 0, text.length - (weir_str_ends(text, suffix) ? suffix.length : 0)));
    return true;
}

SPRIG(call_upper) {
    (void)n;
    return weir__x_map_text(m, x_text(a), weir__unicode_upper, out);
}

SPRIG(call_lower) {
    (void)n;
    return weir__x_map_text(m, x_text(a), weir__unicode_lower, out);
}

SPRIG(call_repeat) {
    (void)n;
    return weir__x_repeat(m, x_text(&a[1]), a->integer, out);
}

SPRIG(call_replace) {
    (void)n;
    return weir__x_replace(m, x_text(&a[2]), x_text(a), x_text(&a[1]), -1, out);
}

SPRIG(call_trunc) {
    UNUSED;
    weir_str text = x_text(&a[1]);
    int64_t count = a->integer, length = (int64_t)text.length;
    if (count < 0 && length + count > 0)
        text = weir_str_slice(text, (size_t)(length + count), text.length);
    if (count >= 0 && length > count) text = weir_str_slice(text, 0, (size_t)count);
    *out = x_str(text);
    return true;
}

SPRIG(call_substr) {
    (void)n;
    int64_t from = a[0].integer, to = a[1].integer;
    weir_str text = x_text(&a[2]);
    int64_t length = (int64_t)text.length;
    if (from < 0)
        from = 0;
    else if (to < 0 || to > length)
        to = length;
    if (from > to || to > length || to < 0)
        return weir__x_fail(m, WEIR_INVALID, "sprig.substr: the text has %zu bytes", text.length);
    *out = x_str(weir_str_slice(text, (size_t)from, (size_t)to));
    return true;
}

static x abbreviated(x_machine *m, weir_str text, int64_t offset, int64_t width) {
    int64_t length = (int64_t)text.length;
    if (length <= width) return x_str(text);
    if (offset > length) offset = length;
    if (length - offset < width - 3) offset = length - (width - 3);
    if (offset <= 4) {
        weir_buffer_str_append(&m->scratch, weir_str_slice(text, 0, (size_t)(width - 3)));
        weir_buffer_text(&m->scratch, "...");
        return weir__x_take(m, &m->scratch);
    }
    if (width < 7) return x_str(WEIR_STR(""));
    weir_buffer whole = {0};
    weir_buffer_text(&whole, "...");
    if (offset + width - 3 < length) {
        x rest = abbreviated(m, weir_str_slice(text, (size_t)offset, text.length), 0, width - 3);
        weir_buffer_str_append(&whole, x_text(&rest));
    } else {
        weir_buffer_str_append(&whole,
                               weir_str_slice(text, (size_t)(length - (width - 3)), text.length));
    }
    x out = weir__x_take(m, &whole);
    weir_buffer_deinit(&whole);
    return out;
}

SPRIG(call_abbrev) {
    (void)n;
    *out = a->integer < 4 ? a[1] : abbreviated(m, x_text(&a[1]), 0, a->integer);
    return true;
}

SPRIG(call_abbrevboth) {
    (void)n;
    int64_t left = a[0].integer, right = a[1].integer;
    *out = right < 4 || (left > 0 && right < 7) ? a[2] : abbreviated(m, x_text(&a[2]), left, right);
    return true;
}

SPRIG(call_contains) {
    UNUSED;
    *out = x_bool(weir_str_find(x_text(&a[1]), x_text(a), 0) != SIZE_MAX);
    return true;
}

SPRIG(call_has_prefix) {
    UNUSED;
    *out = x_bool(weir_str_starts(x_text(&a[1]), x_text(a)));
    return true;
}

SPRIG(call_has_suffix) {
    UNUSED;
    *out = x_bool(weir_str_ends(x_text(&a[1]), x_text(a)));
    return true;
}

/* The arguments that are not nil with blanks between, each through `add`. */
static void spaced(x_machine *m, const x *a, int n,
                   void (*add)(x_machine *, const x *, weir_buffer *), x *out) {
    weir_buffer text = {0};
    for (int i = 0, count = 0; i < n; i++) {
        if (a[i].kind == X_NIL) continue;
        if (count++) weir_buffer_byte(&text, ' ');
        add(m, &a[i], &text);
    }
    *out = weir__x_take(m, &text);
    weir_buffer_deinit(&text);
}

static void add_quoted(x_machine *m, const x *v, weir_buffer *out) {
    weir__x_quote(weir__sprig_text(m, v), out);
}

static void add_single(x_machine *m, const x *v, weir_buffer *out) {
    weir_buffer_byte(out, '\'');
    weir__x_print(m, v, out);
    weir_buffer_byte(out, '\'');
}

SPRIG(call_quote) {
    spaced(m, a, n, add_quoted, out);
    return true;
}

SPRIG(call_squote) {
    spaced(m, a, n, add_single, out);
    return true;
}

SPRIG(call_cat) {
    spaced(m, a, n, weir__x_print, out);
    return true;
}

static bool indent(x_machine *m, int64_t width, weir_str text, bool line, x *out) {
    if (width < 0)
        return weir__x_fail(m, WEIR_INVALID, "sprig.indent: by %lld blanks", (long long)width);
    if (width > 100000)
        return weir__x_fail(m, WEIR_LIMIT, "sprig.indent: more than 100,000 blanks");
    if (line) weir_buffer_byte(&m->scratch, '\n');
    for (size_t at = 0; at <= text.length && weir__x_room(m, m->scratch.length + (size_t)width);) {
        size_t end = weir_str_find(text, WEIR_STR("\n"), at);
        for (int64_t i = 0; i < width; i++) weir_buffer_byte(&m->scratch, ' ');
        weir_buffer_str_append(&m->scratch, weir_str_slice(text, at, end));
        if (end == SIZE_MAX) break;
        weir_buffer_byte(&m->scratch, '\n');
        at = end + 1;
    }
    *out = weir__x_take(m, &m->scratch);
    return !m->failed;
}

SPRIG(call_indent) {
    (void)n;
    return indent(m, a->integer, x_text(&a[1]), false, out);
}

SPRIG(call_nindent) {
    (void)n;
    return indent(m, a->integer, x_text(&a[1]), true, out);
}

SPRIG(call_plural) {
    UNUSED;
    *out = a[2].integer == 1 ? a[0] : a[1];
    return true;
}

SPRIG(call_to_string) {
    (void)n;
    *out = x_str(weir__sprig_text(m, a));
    return !m->failed;
}

SPRIG(call_to_strings) {
    (void)n;
    *out = weir__sprig_strings(m, a);
    return !m->failed;
}

SPRIG(call_join) {
    (void)n;
    x list = weir__sprig_strings(m, &a[1]);
    for (size_t i = 0; i < list.length; i++) {
        if (i > 0) weir_buffer_str_append(&m->scratch, x_text(a));
        weir_buffer_str_append(&m->scratch, x_text(&list.items[i]));
        if (!weir__x_room(m, m->scratch.length)) return false;
    }
    *out = weir__x_take(m, &m->scratch);
    return !m->failed;
}

SPRIG(call_sort_alpha) {
    (void)n;
    x nothing = x_str(WEIR_STR("<nil>")),
      list = weir__sprig_strings(m, a->kind == X_NIL ? &nothing : a);
    x *items = weir__x_list_new(m, list.length);
    if (list.length) memcpy(items, list.items, list.length * sizeof *items);
    *out = weir__x_list(items, list.length, X_OF_STRING);
    return weir__x_sort(m, items, NULL, list.length, false);
}

SPRIG(call_split_list) {
    (void)n;
    return weir__x_split(m, x_text(&a[1]), x_text(a), -1, false, out);
}

/* {"_0": …, "_1": …} */
static bool split_map(x_machine *m, weir_str text, weir_str separator, int64_t most, x *out) {
    x parts;
    if (!weir__x_split(m, text, separator, most, false, &parts)) return false;
    *out = weir__x_map_new(m, X_OF_STRING);
    for (size_t i = 0; i < parts.length; i++) {
        char key[24];
        snprintf(key, sizeof key, "_%zu", i);
        weir__x_put(m, out, weir__x_string(m, weir_str_from(key)), parts.items[i]);
    }
    return true;
}

SPRIG(call_split) {
    (void)n;
    return split_map(m, x_text(&a[1]), x_text(a), -1, out);
}

SPRIG(call_splitn) {
    (void)n;
    return split_map(m, x_text(&a[2]), x_text(a), a[1].integer, out);
}

SPRIG(call_fail) {
    (void)n, (void)out;
    return weir__x_fail(m, WEIR_INVALID, "%.*s", WEIR_ARG(x_text(a)));
}

const x_function weir__sprig_texts[] = {{"hello", "@:s", call_hello},
                                        {"trim", "@s:s", call_trim},
                                        {"trimAll", "@ss:s", call_trim_all},
                                        {"trimall", "@ss:s", call_trim_all},
                                        {"trimPrefix", "@ss:s", call_trim_prefix},
                                        {"trimSuffix", "@ss:s", call_trim_suffix},
                                        {"upper", "@s:s", call_upper},
                                        {"lower", "@s:s", call_lower},
                                        {"repeat", "@js:s", call_repeat},
                                        {"replace", "@sss:s", call_replace},
                                        {"trunc", "@js:s", call_trunc},
                                        {"substr", "@jjs:s", call_substr},
                                        {"abbrev", "@js:s", call_abbrev},
                                        {"abbrevboth", "@jjs:s", call_abbrevboth},
                                        {"contains", "@ss:b", call_contains},
                                        {"hasPrefix", "@ss:b", call_has_prefix},
                                        {"hasSuffix", "@ss:b", call_has_suffix},
                                        {"quote", "@a*:s", call_quote},
                                        {"squote", "@a*:s", call_squote},
                                        {"cat", "@a*:s", call_cat},
                                        {"indent", "@js:s", call_indent},
                                        {"nindent", "@js:s", call_nindent},
                                        {"plural", "@ssj:s", call_plural},
                                        {"toString", "@a:s", call_to_string},
                                        {"toStrings", "@a:S", call_to_strings},
                                        {"join", "@sa:s", call_join},
                                        {"sortAlpha", "@a:S", call_sort_alpha},
                                        {"splitList", "@ss:S", call_split_list},
                                        {"split", "@ss:m", call_split},
                                        {"splitn", "@sjs:m", call_splitn},
                                        {"fail", "@s:s", call_fail},
                                        {0}};

#include <stdint.h>
#include <stdlib.h>

#include "expr/sprig.h"
#include "expr/unicode.h"

enum { PLACES = 2 * (WEIR__REGEXP_GROUPS_MAX + 1) };

SPRIG(call_must_match) {
    (void)n;
    const weir__regexp *r = weir__x_pattern(m, x_text(a));
    if (!r || !weir__x_spend(m, weir__regexp_cost(r, a[1].length))) return false;
    *out = x_bool(weir__regexp_find(r, x_text(&a[1]), 0, NULL));
    return true;
}

/* A wrong pattern matches nothing. */
SPRIG(call_match) {
    char why[160];
    weir__regexp *r = weir__regexp_new(x_text(a), why);
    *out = x_bool(false);
    if (!r) return true;
    weir__regexp_free(r);
    return call_must_match(m, a, n, out);
}

SPRIG(call_find) {
    (void)n;
    size_t places[PLACES];
    const weir__regexp *r = weir__x_pattern(m, x_text(a));
    if (!r || !weir__x_spend(m, weir__regexp_cost(r, a[1].length))) return false;
    bool found = weir__regexp_find(r, x_text(&a[1]), 0, places);
    *out = x_str(found ? weir_str_slice(x_text(&a[1]), places[0], places[1]) : WEIR_STR(""));
    return true;
}

/* Matches one behind the other; an empty one directly behind another does not count. */
typedef struct matches {
    x_machine *m;
    const weir__regexp *r;
    weir_str text;
    size_t at, last;
    bool any, over;
} matches;

static bool next_match(matches *s, size_t *places) {
    while (!s->over && s->at <= s->text.length) {
        if (!weir__x_spend(s->m, weir__regexp_cost(s->r, 0))) return false;
        if (!weir__regexp_find(s->r, s->text, s->at, places)) break;
        if (!weir__x_spend(s->m, weir__regexp_cost(s->r, places[1] - s->at))) return false;
        bool counts = places[1] > places[0] || !s->any || places[0] != s->last;
        if (places[1] > s->at) {
            s->at = places[1];
        } else {
            size_t length = 1;
            if (s->at < s->text.length)
                weir__unicode_decode(weir_str_slice(s->text, s->at, s->text.length), &length);
            s->at += length;
        }
        s->last = places[1];
        s->any = true;
        if (counts) return true;
    }
    s->over = true;
    return false;
}

static bool begin(x_machine *m, const x *a, matches *s) {
    *s = (matches){.m = m, .r = weir__x_pattern(m, x_text(a)), .text = x_text(&a[1])};
    return s->r && weir__x_spend(m, weir__regexp_cost(s->r, s->text.length));
}

typedef struct texts {
    WEIR_VECTOR(x) items;
} texts;

static bool give(x_machine *m, texts *list, x *out) {
    bool ok = !m->failed && weir__x_items_room(m, list->items.count);
    if (ok) {
        x *items = weir__x_list_new(m, list->items.count);
        if (list->items.count) memcpy(items, list->items.items, list->items.count * sizeof *items);
        *out = weir__x_list(items, list->items.count, X_OF_STRING);
    }
    weir_vector_deinit(&list->items);
    return ok;
}

SPRIG(call_find_all) {
    (void)n;
    size_t places[PLACES];
    matches s;
    texts list = {0};
    int64_t most = a[2].integer;
    if (!begin(m, a, &s)) return false;
    while ((most < 0 || (int64_t)list.items.count < most) && next_match(&s, places))
        *weir_vector_push(&list.items) = x_str(weir_str_slice(s.text, places[0], places[1]));
    if (!list.items.count) {
        *out = x_no_list(X_OF_STRING);
        return true;
    }
    return give(m, &list, out);
}

SPRIG(call_split) {
    (void)n;
    size_t places[PLACES], from = 0, end = 0;
    matches s;
    texts list = {0};
    int64_t most = a[2].integer;
    if (!begin(m, a, &s)) return false;
    if (most == 0) return *out = x_no_list(X_OF_STRING), true;
    if (a->length > 0 && s.text.length == 0) {
        *weir_vector_push(&list.items) = a[1];
        return give(m, &list, out);
    }
    while ((most < 0 || (int64_t)list.items.count < most - 1) && next_match(&s, places)) {
        end = places[0];
        if (places[1] != 0)
            *weir_vector_push(&list.items) = x_str(weir_str_slice(s.text, from, end));
        from = places[1];
    }
    if (end != s.text.length)
        *weir_vector_push(&list.items) = x_str(weir_str_slice(s.text, from, s.text.length));
    return give(m, &list, out);
}

static bool is_name(char c) {
    return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* The group that `$name`, `${name}` or `$1` at the beginning of the text means, and how long it is; false: it is no such thing. */
static bool group_of(const weir__regexp *r, weir_str text, size_t *length, size_t *group) {
    bool braces = text.length > 1 && text.data[1] == '{';
    size_t from = 1 + braces, end = from, number = 0;
    bool digits = true;
    while (end < text.length && is_name(text.data[end])) {
        digits = digits && text.data[end] >= '0' && text.data[end] <= '9';
        if (digits && number < 10000) number = number * 10 + (size_t)(text.data[end] - '0');
        end++;
    }
    if (end == from || (braces && (end == text.length || text.data[end] != '}'))) return false;
    weir_str name = weir_str_slice(text, from, end);
    *length = end + braces;
    *group = digits ? number : SIZE_MAX;
    for (size_t i = 1; i <= weir__regexp_groups(r) && !digits; i++)
        if (weir_str_equal(weir__regexp_name(r, i), name)) *group = i;
    return true;
}

static void expand(const matches *s, weir_str template, const size_t *places, weir_buffer *out) {
    for (size_t at = 0; at < template.length;) {
        size_t length, group;
        weir_str rest = weir_str_slice(template, at, template.length);
        if (weir_str_starts(rest, WEIR_STR("$$"))) {
            weir_buffer_byte(out, '$');
            at += 2;
        } else if (rest.data[0] == '$' && group_of(s->r, rest, &length, &group)) {
            bool there = group <= weir__regexp_groups(s->r) && places[2 * group] != SIZE_MAX;
            if (there)
                weir_buffer_str_append(
                    out, weir_str_slice(s->text, places[2 * group], places[2 * group + 1]));
            at += length;
        } else {
            weir_buffer_byte(out, rest.data[0]);
            at++;
        }
    }
}

static bool replace(x_machine *m, const x *a, bool literal, x *out) {
    size_t places[PLACES], from = 0;
    matches s;
    weir_buffer text = {0};
    if (!begin(m, a, &s)) return false;
    while (next_match(&s, places) && weir__x_room(m, text.length)) {
        weir_buffer_str_append(&text, weir_str_slice(s.text, from, places[0]));
        if (literal)
            weir_buffer_str_append(&text, x_text(&a[2]));
        else
            expand(&s, x_text(&a[2]), places, &text);
        from = places[1];
    }
    weir_buffer_str_append(&text, weir_str_slice(s.text, from, s.text.length));
    *out = weir__x_take(m, &text);
    weir_buffer_deinit(&text);
    return !m->failed;
}

SPRIG(call_replace_all) {
    (void)n;
    return replace(m, a, false, out);
}

SPRIG(call_replace_all_literal) {
    (void)n;
    return replace(m, a, true, out);
}

SPRIG(call_quote_meta) {
    (void)n;
    for (size_t i = 0; i < a->length; i++) {
        if (a->text[i] && strchr("\\.+*?()|[]{}^$", a->text[i]))
            weir_buffer_byte(&m->scratch, '\\');
        weir_buffer_byte(&m->scratch, a->text[i]);
    }
    *out = weir__x_take(m, &m->scratch);
    return true;
}

const x_function weir__sprig_patterns[] = {
    {"regexMatch", "@ss:b", call_match},
    {"mustRegexMatch", "@ss:b", call_must_match},
    {"regexFind", "@ss:s", call_find},
    {"mustRegexFind", "@ss:s", call_find},
    {"regexFindAll", "@ssj:S", call_find_all},
    {"mustRegexFindAll", "@ssj:S", call_find_all},
    {"regexSplit", "@ssj:S", call_split},
    {"mustRegexSplit", "@ssj:S", call_split},
    {"regexReplaceAll", "@sss:s", call_replace_all},
    {"mustRegexReplaceAll", "@sss:s", call_replace_all},
    {"regexReplaceAllLiteral", "@sss:s", call_replace_all_literal},
    {"mustRegexReplaceAllLiteral", "@sss:s", call_replace_all_literal},
    {"regexQuoteMeta", "@s:s", call_quote_meta},
    {0}};

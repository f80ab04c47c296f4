#include "store/select.h"

#include <ctype.h>

/* --- patterns ------------------------------------------------------------------------------- */

static size_t character_length(weir_str text, size_t at) {
    size_t length = weir_utf8_length(weir_str_slice(text, at, text.length));
    return length ? length : 1;
}

/* Goes back to the last '*' only: what an earlier one took needs no other try. */
bool weir_pattern_matches(weir_str pattern, weir_str text) {
    size_t p = 0, t = 0, star = SIZE_MAX, taken = 0;
    while (t < text.length) {
        if (p < pattern.length && pattern.data[p] == '*') {
            star = p++;
            taken = t;
        } else if (p < pattern.length && pattern.data[p] == '?') {
            p++;
            t += character_length(text, t);
        } else if (p < pattern.length && pattern.data[p] == text.data[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = taken += character_length(text, taken);
        } else {
            return false;
        }
    }
    while (p < pattern.length && pattern.data[p] == '*') p++;
    return p == pattern.length;
}

/* --- labels --------------------------------------------------------------------------------- */

static bool is_key(weir_str key) {
    if (!key.length || key.length > WEIR_LABEL_KEY_MAX) return false;
    for (size_t i = 0; i < key.length; i++) {
        unsigned char c = (unsigned char)key.data[i];
        bool inner = i > 0 && i + 1 < key.length;
        if (!isalnum(c) && c != '_' && !(inner && strchr(".-/", c))) return false;
    }
    return true;
}

static bool is_value(weir_str value) {
    if (value.length > WEIR_LABEL_VALUE_MAX) return false;
    for (size_t at = 0, length; at < value.length; at += length) {
        unsigned char c = (unsigned char)value.data[at];
        length = weir_utf8_length(weir_str_slice(value, at, value.length));
        if (!length || c < 0x20 || c == 0x7f) return false;
    }
    return true;
}

bool weir_label_check(weir_str key, weir_str value, weir_error *error) {
    if (!is_key(key)) {
        weir_fail(error, WEIR_INVALID, "`%.*s` cannot be a label's name", WEIR_ARG(key));
        weir_error_hint(error, "at most %d letters, digits, `_`, and between them `.`, `-`, `/`",
                        WEIR_LABEL_KEY_MAX);
        return false;
    }
    if (is_value(value)) return true;
    weir_fail(error, WEIR_INVALID, "the label `%.*s` cannot have this value", WEIR_ARG(key));
    weir_error_hint(error, "at most %d bytes of UTF-8, without line ends and other controls",
                    WEIR_LABEL_VALUE_MAX);
    return false;
}

bool weir_label_term_parse(weir_str text, weir_label_term *out, weir_error *error) {
    weir_label_term term = {.key = text, .how = WEIR_LABEL_HAS};
    const char *equals = text.length ? memchr(text.data, '=', text.length) : NULL;
    if (equals) {
        size_t at = (size_t)(equals - text.data);
        bool is_not = at > 0 && equals[-1] == '!';
        term.how = is_not ? WEIR_LABEL_IS_NOT : WEIR_LABEL_IS;
        term.key = weir_str_slice(text, 0, at - is_not);
        term.value = weir_str_slice(text, at + 1, text.length);
    } else if (weir_str_starts(text, WEIR_STR("!"))) {
        term.how = WEIR_LABEL_HAS_NOT;
        term.key = weir_str_slice(text, 1, text.length);
    }
    if (!is_key(term.key) || !is_value(term.value)) {
        weir_fail(error, WEIR_USAGE, "`%.*s` names no label", WEIR_ARG(text));
        weir_error_hint(error, "write KEY=VALUE, KEY!=VALUE, KEY or !KEY");
        return false;
    }
    *out = term;
    return true;
}

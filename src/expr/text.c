#include "expr/text.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "expr/unicode.h"

static bool in_set(uint32_t c, weir_str set) {
    if (set.length == 0) return weir__unicode_is_space(c);
    for (size_t at = 0, n; at < set.length; at += n)
        if (weir__unicode_decode(weir_str_slice(set, at, set.length), &n) == c) return true;
    return false;
}

weir_str weir__x_trim(weir_str text, weir_str set, int where) {
    size_t n;
    while ((where & 1) && text.length > 0 && in_set(weir__unicode_decode(text, &n), set))
        text = weir_str_slice(text, n, text.length);
    while ((where & 2) && text.length > 0 && in_set(weir__unicode_decode_last(text, &n), set))
        text.length -= n;
    return text;
}

weir_str weir__x_trim_space(weir_str text) {
    return weir__x_trim(text, WEIR_STR(""), 3);
}

bool weir__x_map_text(x_machine *m, weir_str text, uint32_t (*map)(uint32_t), x *out) {
    if (!weir__x_room(m, text.length * 3) || !weir__x_spend(m, text.length / 4)) return false;
    for (size_t at = 0, n; at < text.length; at += n)
        weir__unicode_append(&m->scratch,
                             map(weir__unicode_decode(weir_str_slice(text, at, text.length), &n)));
    *out = weir__x_take(m, &m->scratch);
    return true;
}

/* How long the next part is, with *skip bytes of separator behind it; false: the rest is the last. */
static bool next_part(weir_str rest, weir_str separator, size_t *length, size_t *skip) {
    if (separator.length == 0) {
        *skip = 0;
        if (rest.length == 0) return false;
        weir__unicode_decode(rest, length);
        return *length < rest.length;
    }
    *length = weir_str_find(rest, separator, 0);
    *skip = separator.length;
    return *length != SIZE_MAX;
}

bool weir__x_split(x_machine *m, weir_str text, weir_str separator, int64_t most, bool after,
                   x *out) {
    WEIR_VECTOR(x) parts = {0};
    size_t length, skip;
    if (most == 0 || (separator.length == 0 && text.length == 0)) {
        *out = most ? weir__x_list(NULL, 0, X_OF_STRING) : x_no_list(X_OF_STRING);
        return true;
    }
    if (!weir__x_spend(m, text.length / 4)) return false;
    while ((most < 0 || (int64_t)parts.count + 1 < most) &&
           next_part(text, separator, &length, &skip)) {
        *weir_vector_push(&parts) = x_str(weir_str_slice(text, 0, length + (after ? skip : 0)));
        text = weir_str_slice(text, length + skip, text.length);
    }
    *weir_vector_push(&parts) = x_str(text);
    bool ok = weir__x_room(m, parts.count * sizeof(x));
    if (ok) {
        x *items = weir__x_list_new(m, parts.count);
        memcpy(items, parts.items, parts.count * sizeof *items);
        *out = weir__x_list(items, parts.count, X_OF_STRING);
    }
    weir_vector_deinit(&parts);
    return ok;
}

bool weir__x_replace(x_machine *m, weir_str text, weir_str old, weir_str new, int64_t most,
                     x *out) {
    if (!weir__x_spend(m, text.length / 4)) return false;
    size_t at = 0;
    for (int64_t done = 0;
         (most < 0 || done < most) && weir__x_room(m, m->scratch.length + new.length); done++) {
        size_t found = old.length ? weir_str_find(text, old, at) : at, n = old.length;
        if (old.length == 0 && done > 0) { /* before each character, and at the end */
            if (at >= text.length) break;
            weir__unicode_decode(weir_str_slice(text, at, text.length), &n);
            weir_buffer_append(&m->scratch, text.data + at, n);
            at += n;
            found = at;
            n = 0;
        }
        if (found == SIZE_MAX) break;
        weir_buffer_str_append(&m->scratch, weir_str_slice(text, at, found));
        weir_buffer_str_append(&m->scratch, new);
        at = found + n;
    }
    weir_buffer_str_append(&m->scratch, weir_str_slice(text, at, text.length));
    *out = weir__x_take(m, &m->scratch);
    return !m->failed;
}

bool weir__x_repeat(x_machine *m, weir_str text, int64_t count, x *out) {
    if (count < 0)
        return weir__x_fail(m, WEIR_INVALID, "a text cannot be repeated %lld times",
                            (long long)count);
    if (text.length > 0 && (uint64_t)count > WEIR_EXPR_MEMORY_MAX / text.length)
        return weir__x_fail(m, WEIR_LIMIT, "a text is repeated too often");
    size_t length = text.length ? text.length * (size_t)count : 0;
    if (!weir__x_room(m, length)) return false;
    char *data = weir__x_alloc(m, length + 1);
    for (size_t at = 0; at < length; at += text.length) memcpy(data + at, text.data, text.length);
    *out = x_str((weir_str){data, length});
    return true;
}

size_t weir__x_find_last(weir_str text, weir_str what) {
    if (what.length > text.length) return SIZE_MAX;
    for (size_t at = text.length - what.length + 1; at-- > 0;)
        if (weir_str_equal(weir_str_slice(text, at, at + what.length), what)) return at;
    return SIZE_MAX;
}

void weir__x_base64_encode(weir_str text, weir_buffer *out) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *s = (const unsigned char *)text.data;
    for (size_t i = 0; i < text.length; i += 3) {
        size_t left = text.length - i;
        uint32_t bits = (uint32_t)s[i] << 16 | (left > 1 ? (uint32_t)s[i + 1] << 8 : 0) |
                        (left > 2 ? s[i + 2] : 0);
        for (size_t k = 0; k < 4; k++)
            weir_buffer_byte(out, k <= left ? letters[bits >> (18 - 6 * k) & 63] : '=');
    }
}

static int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool weir__x_base64_decode(weir_str text, weir_buffer *out) {
    uint32_t bits = 0;
    int count = 0, padding = 0;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == '\n' || c == '\r') continue;
        int value = base64_value(c);
        if (c == '=' && count >= 2)
            padding++, value = 0;
        else if (padding || value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        if (++count < 4) continue;
        for (int k = 0; k < 3 - padding; k++) weir_buffer_byte(out, (char)(bits >> (16 - 8 * k)));
        count = padding ? 5 : 0; /* nothing may follow */
        bits = 0;
        if (padding) {
            for (i++; i < text.length; i++)
                if (text.data[i] != '\n' && text.data[i] != '\r') return false;
            return true;
        }
    }
    return count == 0;
}

bool weir__x_parse_int(weir_str text, int64_t *out) {
    bool negative = text.length > 0 && text.data[0] == '-';
    size_t at = negative || (text.length > 0 && text.data[0] == '+');
    uint64_t value = 0, most = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    if (at == text.length) return false;
    for (; at < text.length; at++) {
        unsigned digit = (unsigned)(text.data[at] - '0');
        if (text.data[at] < '0' || digit > 9 || value > (most - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *out = (int64_t)(negative ? 0 - value : value);
    return true;
}

bool weir__x_parse_float(weir_str text, double *out) {
    char copy[512];
    size_t n = 0;
    if (text.length == 0 || text.length >= sizeof copy) return false;
    char first = text.data[0];
    size_t sign = first == '-' || first == '+';
    weir_str word = weir_str_slice(text, sign, text.length);
    const char *const words[] = {"inf", "infinity", "nan"};
    for (int i = 0; i < 3; i++) {
        if (word.length != strlen(words[i])) continue;
        bool same = i < 2 || !sign;
        for (size_t k = 0; k < word.length; k++) same = same && (word.data[k] | 32) == words[i][k];
        if (same) {
            *out = i == 2 ? NAN : first == '-' ? -INFINITY : INFINITY;
            return true;
        }
    }
    bool hex = word.length > 1 && word.data[0] == '0' && (word.data[1] | 32) == 'x';
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool fits = (c >= '0' && c <= '9') || strchr("+-.eE", c) ||
                    (hex && (strchr("pPxX", c) || ((c | 32) >= 'a' && (c | 32) <= 'f')));
        if (!fits || !c) return false;
        copy[n++] = c;
    }
    copy[n] = '\0';
    if (hex && !strpbrk(copy, "pP")) return false;
    char *end;
    *out = strtod(copy, &end);
    return !*end && end > copy && !isinf(*out);
}

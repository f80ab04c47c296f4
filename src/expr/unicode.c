#include "expr/unicode.h"

#include <stdint.h>

enum { REPLACEMENT = 0xfffd, LAST = 0x10ffff };

uint32_t weir__unicode_decode(weir_str text, size_t *length) {
    const unsigned char *s = (const unsigned char *)text.data;
    if (s[0] < 0x80) {
        *length = 1;
        return s[0];
    }
    size_t n = weir_utf8_length(text);
    if (n == 0) {
        *length = 1;
        return REPLACEMENT;
    }
    *length = n;
    uint32_t c = s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) c = c << 6 | (s[i] & 0x3f);
    return c;
}

uint32_t weir__unicode_decode_last(weir_str text, size_t *length) {
    for (size_t n = 1; n <= 4 && n <= text.length; n++) {
        weir_str tail = {text.data + text.length - n, n};
        if (((unsigned char)tail.data[0] & 0xc0) == 0x80) continue;
        uint32_t c = weir__unicode_decode(tail, length);
        if (*length == n) return c;
        break;
    }
    *length = 1;
    return REPLACEMENT;
}

void weir__unicode_append(weir_buffer *out, uint32_t c) {
    if (c > LAST || (c >= 0xd800 && c < 0xe000)) c = REPLACEMENT;
    if (c < 0x80) {
        weir_buffer_byte(out, (char)c);
    } else if (c < 0x800) {
        weir_buffer_byte(out, (char)(0xc0 | c >> 6));
        weir_buffer_byte(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        weir_buffer_byte(out, (char)(0xe0 | c >> 12));
        weir_buffer_byte(out, (char)(0x80 | (c >> 6 & 0x3f)));
        weir_buffer_byte(out, (char)(0x80 | (c & 0x3f)));
    } else {
        weir_buffer_byte(out, (char)(0xf0 | c >> 18));
        weir_buffer_byte(out, (char)(0x80 | (c >> 12 & 0x3f)));
        weir_buffer_byte(out, (char)(0x80 | (c >> 6 & 0x3f)));
        weir_buffer_byte(out, (char)(0x80 | (c & 0x3f)));
    }
}

const char *weir__unicode_category(uint32_t c) {
    size_t low = 0, high = weir__unicode_range_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const weir__unicode_range *r = &weir__unicode_ranges[middle];
        if (c < r->first)
            high = middle;
        else if (c > r->first + r->more)
            low = middle + 1;
        else
            return weir__unicode_categories[r->category];
    }
    return weir__unicode_categories[0];
}

bool weir__unicode_is_letter(uint32_t c) {
    if (c < 0x80) return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
    return weir__unicode_category(c)[0] == 'L';
}

bool weir__unicode_is_digit(uint32_t c) {
    if (c < 0x80) return c >= '0' && c <= '9';
    const char *category = weir__unicode_category(c);
    return category[0] == 'N' && category[1] == 'd';
}

bool weir__unicode_is_space(uint32_t c) {
    if (c < 0x100) return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0;
    return weir__unicode_category(c)[0] == 'Z';
}

bool weir__unicode_is_upper(uint32_t c) {
    if (c < 0x80) return c >= 'A' && c <= 'Z';
    const char *category = weir__unicode_category(c);
    return category[0] == 'L' && category[1] == 'u';
}

bool weir__unicode_is_lower(uint32_t c) {
    if (c < 0x80) return c >= 'a' && c <= 'z';
    const char *category = weir__unicode_category(c);
    return category[0] == 'L' && category[1] == 'l';
}

static const weir__unicode_case *find_case(uint32_t c) {
    size_t low = 0, high = weir__unicode_case_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const weir__unicode_case *r = &weir__unicode_cases[middle];
        if (c < r->first)
            high = middle;
        else if (c > r->first + r->more)
            low = middle + 1;
        else
            return r;
    }
    return NULL;
}

/* In alternating ranges the large letters stand at even distances from the first. */
static uint32_t map_case(uint32_t c, bool large, bool title) {
    const weir__unicode_case *r = find_case(c);
    if (!r) return c;
    if (r->alternating) return r->first + (((c - r->first) & ~1u) | !large);
    return (uint32_t)((int32_t)c + (title ? r->title : large ? r->upper : r->lower));
}

uint32_t weir__unicode_upper(uint32_t c) {
    if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
    return map_case(c, true, false);
}

uint32_t weir__unicode_lower(uint32_t c) {
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    return map_case(c, false, false);
}

uint32_t weir__unicode_title(uint32_t c) {
    if (c < 0x80) return weir__unicode_upper(c);
    return map_case(c, true, true);
}

uint32_t weir__unicode_fold(uint32_t c) {
    size_t low = 0, high = weir__unicode_orbit_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        uint32_t at = weir__unicode_orbits[middle][0];
        if (c == at) return weir__unicode_orbits[middle][1];
        if (c < at)
            high = middle;
        else
            low = middle + 1;
    }
    uint32_t lower = weir__unicode_lower(c);
    return lower != c ? lower : weir__unicode_upper(c);
}

size_t weir__unicode_count(weir_str text) {
    size_t count = 0, n;
    for (size_t at = 0; at < text.length; at += n, count++) {
        if ((unsigned char)text.data[at] < 0x80)
            n = 1;
        else
            weir__unicode_decode(weir_str_slice(text, at, text.length), &n);
    }
    return count;
}

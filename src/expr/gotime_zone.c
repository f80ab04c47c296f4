#include <stdint.h>
#include <stdlib.h>

#include "expr/gotime.h"

enum { HEADER = 44, CHANGES_MAX = 10000, HOURS_MAX = 167 };

static int64_t big_endian(const unsigned char *s, int bytes) {
    uint64_t out = s[0] & 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < bytes; i++) out = out << 8 | s[i];
    return (int64_t)out;
}

typedef struct counts {
    int64_t utc, standard, leap, times, types, letters;
} counts;

/* A header's counts, and how long the data behind it is. */
static bool read_header(weir_str file, size_t at, int width, counts *c, size_t *length) {
    const unsigned char *s = (const unsigned char *)file.data + at;
    if (file.length < at + HEADER || memcmp(s, "TZif", 4) != 0) return false;
    *c = (counts){big_endian(s + 20, 4), big_endian(s + 24, 4), big_endian(s + 28, 4),
                  big_endian(s + 32, 4), big_endian(s + 36, 4), big_endian(s + 40, 4)};
    const int64_t *all = &c->utc;
    for (int i = 0; i < 6; i++)
        if (all[i] < 0 || all[i] > CHANGES_MAX) return false;
    *length = (size_t)(c->times * (width + 1) + c->types * 6 + c->letters + c->leap * (width + 4) +
                       c->standard + c->utc);
    return c->types > 0 && at + HEADER + *length <= file.length;
}

static void copy_name(char out[static 8], const char *from, size_t most) {
    size_t n = 0;
    for (; n < most && n < 7 && from[n]; n++) out[n] = from[n];
    out[n] = '\0';
}

static bool type_at(const unsigned char *types, const counts *c, int64_t index,
                    x_zone_change *out) {
    if (index >= c->types) return false;
    const unsigned char *t = types + index * 6;
    const char *letters = (const char *)types + c->types * 6;
    if (t[5] >= c->letters) return false;
    out->offset = (int32_t)big_endian(t, 4);
    copy_name(out->name, letters + t[5], (size_t)(c->letters - t[5]));
    return true;
}

/* --- the rule behind: "CET-1CEST,M3.5.0,M10.5.0/3" */

static bool rule_name(weir_str text, size_t *at, char out[static 8]) {
    bool quoted = *at < text.length && text.data[*at] == '<';
    size_t from = *at + quoted, end = from;
    while (end < text.length &&
           (quoted ? text.data[end] != '>'
                   : ((text.data[end] | 32) >= 'a' && (text.data[end] | 32) <= 'z')))
        end++;
    if (end == from || (quoted && end == text.length)) return false;
    copy_name(out, text.data + from, end - from);
    *at = end + quoted;
    return true;
}

static bool rule_number(weir_str text, size_t *at, int min, int max, int *out) {
    size_t from = *at;
    for (*out = 0;
         *at < text.length && text.data[*at] >= '0' && text.data[*at] <= '9' && *at - from < 6;
         ++*at)
        *out = *out * 10 + (text.data[*at] - '0');
    return *at > from && *out >= min && *out <= max;
}

static bool rule_time(weir_str text, size_t *at, int32_t *out) {
    int sign = 1, part = 0, scale = 3600;
    if (*at < text.length && (text.data[*at] == '-' || text.data[*at] == '+'))
        sign = text.data[(*at)++] == '-' ? -1 : 1;
    for (*out = 0;; ++*at, scale /= 60) {
        if (!rule_number(text, at, 0, scale == 3600 ? HOURS_MAX : 59, &part)) return false;
        *out += part * scale;
        if (scale == 1 || *at >= text.length || text.data[*at] != ':') break;
    }
    *out *= sign;
    return true;
}

static bool rule_day(weir_str text, size_t *at, x_zone_rule *out) {
    if (*at >= text.length || text.data[(*at)++] != ',' || *at >= text.length) return false;
    *out = (x_zone_rule){.kind = 'D', .time = 7200};
    if (text.data[*at] == 'M') {
        ++*at;
        out->kind = 'M';
        if (!rule_number(text, at, 1, 12, &out->month) || text.data[(*at)++] != '.' ||
            !rule_number(text, at, 1, 5, &out->week) || text.data[(*at)++] != '.' ||
            !rule_number(text, at, 0, 6, &out->day))
            return false;
    } else {
        bool julian = text.data[*at] == 'J';
        if (julian) out->kind = 'J', ++*at;
        if (!rule_number(text, at, julian, 365, &out->day)) return false;
    }
    if (*at < text.length && text.data[*at] == '/') {
        ++*at;
        return rule_time(text, at, &out->time);
    }
    return true;
}

/* `text` ends in a line end, so there is always a character to look at. */
static void read_rule(weir_str text, x_zone *out) {
    size_t at = 0;
    int32_t offset;
    if (!rule_name(text, &at, out->standard) || !rule_time(text, &at, &offset)) return;
    out->offset = -offset;
    out->has_rule = true;
    if (!rule_name(text, &at, out->summer)) return;
    out->summer_offset = out->offset + 3600;
    if (at < text.length && text.data[at] != ',' && rule_time(text, &at, &offset))
        out->summer_offset = -offset;
    out->has_summer = rule_day(text, &at, &out->begin) && rule_day(text, &at, &out->end);
}

bool weir__gotime_zone_read(weir_str name, weir_str file, void *(*allocate)(void *arg, size_t size),
                            void *arg, x_zone *out) {
    counts c;
    size_t at = 0, length;
    int width = 4;
    if (!read_header(file, 0, width, &c, &length)) return false;
    bool second = file.data[4] >= '2';
    if (second) { /* the same again with larger numbers, which counts */
        at = HEADER + length;
        width = 8;
        if (!read_header(file, at, width, &c, &length)) return false;
    }
    const unsigned char *times = (const unsigned char *)file.data + at + HEADER;
    const unsigned char *indexes = times + c.times * width, *types = indexes + c.times;
    char *copy = allocate(arg, name.length + 1);
    if (name.length) memcpy(copy, name.data, name.length);
    *out = (x_zone){.name = {copy, name.length}};
    x_zone_change *changes = allocate(arg, (size_t)(c.times + 1) * sizeof *changes);
    changes[0].from = INT64_MIN;
    if (!type_at(types, &c, 0, &changes[0])) return false;
    for (int64_t i = 0; i < c.times; i++) {
        changes[i + 1].from = big_endian(times + i * width, width);
        if (!type_at(types, &c, indexes[i], &changes[i + 1])) return false;
    }
    out->changes = changes;
    out->count = (size_t)c.times + 1;
    weir_str rest = weir_str_slice(file, at + HEADER + length + 1, file.length);
    if (second && rest.length > 0 && rest.data[rest.length - 1] == '\n') read_rule(rest, out);
    return true;
}

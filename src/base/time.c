#include "base/time.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct {
    const char *name;
    double us;
} units[] = {{"us", 1},   {"µs", 1},     {"ms", 1e3},   {"s", 1e6},
             {"m", 60e6}, {"h", 3600e6}, {"d", 86400e6}};

static const double DURATION_MAX_US = 1e17; /* three thousand years */

/* Reads one "12.5ms" at the start; returns the bytes used, 0 when there is none. */
static size_t parse_part(weir_str text, double *us) {
    char number[32];
    size_t digits = 0;
    while (digits < text.length && digits < sizeof number - 1 &&
           (isdigit((unsigned char)text.data[digits]) || text.data[digits] == '.'))
        digits++;
    if (!digits) return 0;
    memcpy(number, text.data, digits);
    number[digits] = '\0';
    char *end;
    double amount = strtod(number, &end);
    if (*end) return 0;
    weir_str rest = weir_str_slice(text, digits, text.length);
    if (!rest.length) {
        *us = amount * 1e6;
        return digits;
    }
    size_t used = 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        weir_str unit = weir_str_from(units[i].name);
        if (!weir_str_starts(rest, unit) || unit.length <= used) continue;
        used = unit.length;
        *us = amount * units[i].us;
    }
    return used ? digits + used : 0;
}

bool weir_duration_parse(weir_str text, uint64_t *us, weir_error *error) {
    double total = 0;
    weir_str rest = text;
    bool ok = text.length > 0;
    while (ok && rest.length) {
        double part = 0;
        size_t used = parse_part(rest, &part);
        total += part;
        ok = used > 0 && total < DURATION_MAX_US;
        rest = weir_str_slice(rest, used, rest.length);
    }
    if (!ok) {
        weir_fail(error, WEIR_INVALID, "`%.*s` is not a duration", WEIR_ARG(text));
        weir_error_hint(error, "write for example 250ms, 30s, 1h30m");
        return false;
    }
    *us = (uint64_t)llround(total);
    return true;
}

const char *weir_duration_format(uint64_t us, char out[static 24]) {
    uint64_t s = us / 1000000;
    if (us < 1000)
        snprintf(out, 24, "%" PRIu64 "µs", us);
    else if (us < 1000000)
        snprintf(out, 24, "%" PRIu64 "ms", us / 1000);
    else if (s < 60)
        snprintf(out, 24, "%" PRIu64 ".%" PRIu64 "s", s, us / 100000 % 10);
    else if (s < 3600)
        snprintf(out, 24, "%" PRIu64 "m%" PRIu64 "s", s / 60, s % 60);
    else
        snprintf(out, 24, "%" PRIu64 "h%" PRIu64 "m", s / 3600, s / 60 % 60);
    return out;
}

const char *weir_moment_format(uint64_t us, char out[static 32]) {
    time_t seconds = (time_t)(us / 1000000);
    struct tm broken;
    char date[24] = "";
    if (gmtime_r(&seconds, &broken)) strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &broken);
    snprintf(out, 32, "%s.%03uZ", date, (unsigned)(us / 1000 % 1000));
    return out;
}

/* Reads `digits` digits at *at, at least `least` and at most `most`. */
static bool take_number(weir_str text, size_t *at, size_t digits, int least, int most, int *out) {
    int number = 0;
    for (size_t end = *at + digits; *at < end; ++*at) {
        if (*at >= text.length || !isdigit((unsigned char)text.data[*at])) return false;
        number = number * 10 + (text.data[*at] - '0');
    }
    *out = number;
    return number >= least && number <= most;
}

static bool take_byte(weir_str text, size_t *at, const char *any) {
    if (*at >= text.length || !text.data[*at] || !strchr(any, text.data[*at])) return false;
    ++*at;
    return true;
}

/* ".25": digits beyond the microseconds are dropped. */
static bool take_fraction(weir_str text, size_t *at, uint64_t *us) {
    uint64_t unit = 100000;
    size_t begin = *at;
    for (; *at < text.length && isdigit((unsigned char)text.data[*at]); ++*at, unit /= 10)
        *us += unit * (uint64_t)(text.data[*at] - '0');
    return *at > begin;
}

static bool take_zone(weir_str text, size_t *at, int64_t *offset_s) {
    int hours = 0, minutes = 0;
    if (*at == text.length || take_byte(text, at, "Zz")) return true;
    bool west = text.data[*at] == '-';
    if (!take_byte(text, at, "+-") || !take_number(text, at, 2, 0, 23, &hours)) return false;
    (void)take_byte(text, at, ":");
    if (*at < text.length && !take_number(text, at, 2, 0, 59, &minutes)) return false;
    *offset_s = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

bool weir_moment_parse(weir_str text, uint64_t *us, weir_error *error) {
    struct tm broken = {0};
    uint64_t fraction = 0;
    int64_t offset_s = 0;
    int year = 0, month = 0;
    size_t at = 0;
    bool ok = take_number(text, &at, 4, 1970, 9999, &year) && take_byte(text, &at, "-") &&
              take_number(text, &at, 2, 1, 12, &month) && take_byte(text, &at, "-") &&
              take_number(text, &at, 2, 1, 31, &broken.tm_mday);
    if (ok && take_byte(text, &at, "Tt ")) {
        ok = take_number(text, &at, 2, 0, 23, &broken.tm_hour) && take_byte(text, &at, ":") &&
             take_number(text, &at, 2, 0, 59, &broken.tm_min);
        if (ok && take_byte(text, &at, ":")) ok = take_number(text, &at, 2, 0, 60, &broken.tm_sec);
        if (ok && take_byte(text, &at, ".")) ok = take_fraction(text, &at, &fraction);
    }
    ok = ok && take_zone(text, &at, &offset_s) && at == text.length;
    int day = broken.tm_mday;
    broken.tm_year = year - 1900;
    broken.tm_mon = month - 1;
    int64_t seconds = ok ? (int64_t)timegm(&broken) - offset_s : -1;
    if (seconds >= 0 && broken.tm_mday == day) { /* no 31st of February */
        *us = (uint64_t)seconds * 1000000 + fraction;
        return true;
    }
    weir_fail(error, WEIR_INVALID, "`%.*s` is not a moment", WEIR_ARG(text));
    weir_error_hint(error, "write for example 2026-11-21 or 2026-11-21T06:30:00Z");
    return false;
}

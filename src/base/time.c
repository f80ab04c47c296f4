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

#include "expr/gotime.h"

#include <stdint.h>
#include <stdio.h>

const x_zone weir__gotime_utc = {.name = {"UTC", 3}};

enum { DAY = 86400 };

static int64_t floor_divide(int64_t a, int64_t b) {
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    int64_t era = floor_divide(year, 400), of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int64_t weir__gotime_seconds(int64_t year, int64_t month, int64_t day) {
    int64_t more = floor_divide(month - 1, 12);
    return (days_of(year + more, month - more * 12, 1) + day - 1) * DAY;
}

x_date weir__gotime_date(const x_time *t) {
    int64_t shown = t->seconds + t->offset, days = floor_divide(shown, DAY),
            rest = shown - days * DAY;
    int64_t z = days + 719468, era = floor_divide(z, 146097), of_era = z - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100), part = (5 * of_year + 2) / 153;
    x_date out = {.year = year + era * 400,
                  .month = (int)(part < 10 ? part + 3 : part - 9),
                  .day = (int)(of_year - (153 * part + 2) / 5 + 1),
                  .hour = (int)(rest / 3600),
                  .minute = (int)(rest / 60 % 60),
                  .second = (int)(rest % 60),
                  .weekday = (int)(((days + 4) % 7 + 7) % 7)};
    out.year += out.month <= 2;
    out.year_day = (int)(days - days_of(out.year, 1, 1) + 1);
    return out;
}

static int64_t rule_seconds(const x_zone_rule *r, int64_t year) {
    int64_t first = days_of(year, 1, 1);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (r->kind == 'J') return (first + r->day - 1 + (leap && r->day >= 60)) * DAY + r->time;
    if (r->kind == 'D') return (first + r->day) * DAY + r->time;
    int64_t month = days_of(year, r->month, 1), weekday = ((month + 4) % 7 + 7) % 7;
    int64_t day = (r->day - weekday + 7) % 7 + 7 * (r->week - 1);
    int64_t length = weir__gotime_seconds(year, r->month + 1, 1) / DAY - month;
    while (day >= length) day -= 7;
    return (month + day) * DAY + r->time;
}

static void by_rule(const x_zone *zone, x_time *t) {
    bool summer = false;
    if (zone->has_summer) {
        x_time standard = {.seconds = t->seconds, .offset = zone->offset};
        int64_t year = weir__gotime_date(&standard).year;
        int64_t begin = rule_seconds(&zone->begin, year) - zone->offset;
        int64_t end = rule_seconds(&zone->end, year) - zone->summer_offset;
        bool within = begin < end ? t->seconds >= begin && t->seconds < end
                                  : t->seconds >= begin || t->seconds < end;
        summer = within;
    }
    t->offset = summer ? zone->summer_offset : zone->offset;
    memcpy(t->name, summer ? zone->summer : zone->standard, sizeof t->name);
}

x_time weir__gotime_in(int64_t seconds, int32_t nanos, const x_zone *zone) {
    x_time t = {.seconds = seconds, .nanos = nanos, .zone = zone};
    if (zone == &weir__gotime_utc) {
        memcpy(t.name, "UTC", 4);
    } else if (zone->has_rule &&
               (zone->count == 0 || seconds >= zone->changes[zone->count - 1].from)) {
        by_rule(zone, &t);
    } else if (zone->count > 0) {
        size_t low = 0, high = zone->count;
        while (low + 1 < high) {
            size_t middle = (low + high) / 2;
            *(seconds < zone->changes[middle].from ? &high : &low) = middle;
        }
        t.offset = zone->changes[low].offset;
        memcpy(t.name, zone->changes[low].name, sizeof t.name);
    }
    return t;
}

x_time weir__gotime_local(int64_t shown, int32_t nanos, const x_zone *zone) {
    int32_t offset = weir__gotime_in(shown, nanos, zone).offset;
    if (offset != 0)
        offset = weir__gotime_in(shown - offset, nanos, zone).offset; /* a change may be near */
    return weir__gotime_in(shown - offset, nanos, zone);
}

x_time weir__gotime_add(const x_time *t, int64_t ns) {
    int64_t seconds = ns / 1000000000, nanos = ns % 1000000000 + t->nanos;
    if (nanos >= 1000000000) {
        seconds++;
        nanos -= 1000000000;
    } else if (nanos < 0) {
        seconds--;
        nanos += 1000000000;
    }
    seconds = (int64_t)((uint64_t)t->seconds + (uint64_t)seconds);
    if (t->zone) return weir__gotime_in(seconds, (int32_t)nanos, t->zone);
    x_time out = *t; /* an offset without a zone */
    out.seconds = seconds;
    out.nanos = (int32_t)nanos;
    return out;
}

int64_t weir__gotime_difference(const x_time *a, const x_time *b) {
    x_wide ns = ((x_wide)a->seconds - b->seconds) * 1000000000 + a->nanos - b->nanos;
    return ns > INT64_MAX ? INT64_MAX : ns < INT64_MIN ? INT64_MIN : (int64_t)ns;
}

weir_str weir__gotime_zone_name(const x_zone *zone) {
    return zone->name;
}

/* --- durations */

static void print_fraction(uint64_t value, int digits, const char *unit, weir_buffer *out) {
    uint64_t scale = 1;
    for (int i = 0; i < digits; i++) scale *= 10;
    weir_buffer_printf(out, "%llu", (unsigned long long)(value / scale));
    uint64_t part = value % scale;
    if (part) {
        char text[24];
        int length = snprintf(text, sizeof text, "%0*llu", digits, (unsigned long long)part);
        while (length > 0 && text[length - 1] == '0') length--;
        weir_buffer_printf(out, ".%.*s", length, text);
    }
    weir_buffer_text(out, unit);
}

void weir__goduration_print(int64_t ns, weir_buffer *out) {
    uint64_t value = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (ns == 0) {
        weir_buffer_text(out, "0s");
        return;
    }
    if (ns < 0) weir_buffer_byte(out, '-');
    if (value < 1000) {
        print_fraction(value, 0, "ns", out);
    } else if (value < 1000000) {
        print_fraction(value, 3, "µs", out);
    } else if (value < 1000000000) {
        print_fraction(value, 6, "ms", out);
    } else {
        uint64_t seconds = value / 1000000000;
        if (seconds >= 3600) weir_buffer_printf(out, "%lluh", (unsigned long long)(seconds / 3600));
        if (seconds >= 60)
            weir_buffer_printf(out, "%llum", (unsigned long long)(seconds / 60 % 60));
        print_fraction(value % 60000000000, 9, "s", out);
    }
}

static bool unit_of(weir_str text, size_t *length, double *ns) {
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1},   {"us", 1e3}, {"µs", 1e3}, {"μs", 1e3},
                 {"ms", 1e6}, {"s", 1e9},  {"m", 6e10}, {"h", 3.6e12}};
    *length = 0;
    while (*length < text.length && text.data[*length] != '.' &&
           (text.data[*length] < '0' || text.data[*length] > '9'))
        ++*length;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (weir_str_is(weir_str_slice(text, 0, *length), units[i].name)) {
            *ns = units[i].ns;
            return true;
        }
    return false;
}

/* A number with its unit, in ns, added to *sum. */
static bool duration_part(weir_str *text, x_wide *sum) {
    x_wide whole = 0;
    double fraction = 0, scale = 1, unit;
    size_t at = 0, digits = 0, length;
    for (; at < text->length && text->data[at] >= '0' && text->data[at] <= '9'; at++, digits++) {
        whole = whole * 10 + (unsigned)(text->data[at] - '0');
        if (whole > (x_wide)1 << 63) return false;
    }
    if (at < text->length && text->data[at] == '.')
        for (at++; at < text->length && text->data[at] >= '0' && text->data[at] <= '9';
             at++, digits++)
            if (scale < 1e17) fraction = fraction * 10 + (text->data[at] - '0'), scale *= 10;
    *text = weir_str_slice(*text, at, text->length);
    if (digits == 0 || !unit_of(*text, &length, &unit)) return false;
    *text = weir_str_slice(*text, length, text->length);
    *sum += whole * (uint64_t)unit + (uint64_t)(fraction * (unit / scale));
    return *sum <= (x_wide)1 << 63;
}

bool weir__goduration_parse(weir_str text, int64_t *ns) {
    bool negative = weir_str_starts(text, WEIR_STR("-"));
    if (negative || weir_str_starts(text, WEIR_STR("+")))
        text = weir_str_slice(text, 1, text.length);
    x_wide sum = 0;
    if (weir_str_is(text, "0")) return *ns = 0, true;
    if (text.length == 0) return false;
    while (text.length > 0)
        if (!duration_part(&text, &sum)) return false;
    if (!negative && sum > INT64_MAX) return false;
    *ns = (int64_t)(negative ? 0 - (uint64_t)sum : (uint64_t)sum);
    return true;
}

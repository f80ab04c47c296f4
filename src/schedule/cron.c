#include "schedule/cron.h"

#include <strings.h>

#include "expr/unicode.h"

enum { MONTHS = 12, SECOND = 5, STEPS_MAX = 1000 * 1000 };

typedef struct field_kind {
    const char *name;
    int min, max;
    const char *names; /* three letters each, from `min` on; NULL: none */
} field_kind;

static const field_kind kinds[] = {
    {"minute", 0, 59, NULL},
    {"hour", 0, 23, NULL},
    {"day of month", 1, 31, NULL},
    {"month", 1, MONTHS, "janfebmaraprmayjunjulaugsepoctnovdec"},
    {"day of week", 0, 6, "sunmontuewedthufrisat"},
};
enum { FIELDS = sizeof kinds / sizeof *kinds };

typedef struct reader {
    weir_str text;
    const field_kind *kind;
    weir_error *error;
} reader;

/* `part` is where the mistake is. */
static bool fail(const reader *r, weir_str part, const char *what) {
    uint32_t column = 1;
    for (const char *at = r->text.data; at < part.data; at++)
        column += ((unsigned char)*at & 0xC0) != 0x80;
    weir_fail(r->error, WEIR_SYNTAX, "the schedule `%.*s`: %s%s`%.*s` %s",
              (int)(r->text.length > 100 ? 100 : r->text.length), r->text.data,
              r->kind ? r->kind->name : "", r->kind ? " " : "",
              (int)(part.length > 60 ? 60 : part.length), part.data, what);
    weir_error_place(r->error, WEIR_STR(""), 1, column);
    if (r->kind && r->kind->names)
        weir_error_hint(r->error, "%d to %d, or %.3s to %s", r->kind->min, r->kind->max,
                        r->kind->names, r->kind->names + strlen(r->kind->names) - 3);
    else if (r->kind)
        weir_error_hint(r->error, "%d to %d, `*`, ranges as 1-5, steps as */15, lists as 1,3",
                        r->kind->min, r->kind->max);
    return false;
}

/* --- one field --------------------------------------------------------------------------------- */

/* Cuts what stands before the next `at`; false: nothing is left. */
static bool next_part(weir_str *rest, char at, weir_str *part) {
    if (!rest->data) return false;
    const char *end = rest->length ? memchr(rest->data, at, rest->length) : NULL;
    *part = (weir_str){rest->data, end ? (size_t)(end - rest->data) : rest->length};
    *rest = end ? weir_str_slice(*rest, part->length + 1, rest->length) : (weir_str){0};
    return true;
}

static bool read_number(const reader *r, weir_str text, int64_t *out) {
    bool negative = text.length && text.data[0] == '-';
    size_t at = negative || (text.length && text.data[0] == '+');
    int64_t value = 0;
    if (at == text.length) return fail(r, text, "is no number");
    for (; at < text.length; at++) {
        if (text.data[at] < '0' || text.data[at] > '9') return fail(r, text, "is no number");
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, text.data[at] - '0', &value))
            return fail(r, text, "is too large");
    }
    if (negative && value) return fail(r, text, "is below 0");
    *out = value;
    return true;
}

static bool read_value(const reader *r, weir_str text, int64_t *out) {
    const char *names = r->kind->names;
    for (int i = 0; names && text.length == 3 && names[i]; i += 3) {
        if (strncasecmp(names + i, text.data, 3) != 0) continue;
        *out = r->kind->min + i / 3;
        return true;
    }
    return read_number(r, text, out);
}

/* N, N-M, `*` or `?`, each with /STEP or without. */
static bool read_range(const reader *r, weir_str text, uint64_t *bits, bool *any) {
    const field_kind *kind = r->kind;
    weir_str rest = text, range, step_text = {0}, low, high = {0}, more;
    int64_t start = kind->min, end = kind->max, step = 1;
    next_part(&rest, '/', &range);
    bool stepped = next_part(&rest, '/', &step_text);
    if (next_part(&rest, '/', &more)) return fail(r, text, "has more than one `/`");
    rest = range;
    next_part(&rest, '-', &low);
    bool all = weir_str_is(low, "*") || weir_str_is(low, "?"),
         single = !next_part(&rest, '-', &high);
    if (!all) {
        if (!read_value(r, low, &start) || (!single && !read_value(r, high, &end))) return false;
        if (next_part(&rest, '-', &more)) return fail(r, text, "has more than one `-`");
        if (single && !stepped) end = start; /* N/STEP goes on to the end */
    }
    if (stepped && !read_number(r, step_text, &step)) return false;
    if (start < kind->min) return fail(r, text, "begins too low");
    if (end > kind->max || start > kind->max) return fail(r, text, "is too large");
    if (start > end) return fail(r, text, "ends before it begins");
    if (step == 0) return fail(r, text, "has a step of 0");
    *any = *any || (all && step == 1);
    for (int64_t i = start; i <= end; i += step) {
        *bits |= UINT64_C(1) << i;
        if (step > end) break;
    }
    return true;
}

/* Empty parts of a list mean nothing. */
static bool read_field(const reader *r, weir_str text, uint64_t *bits, bool *any) {
    weir_str part;
    *bits = 0;
    while (next_part(&text, ',', &part))
        if (part.length && !read_range(r, part, bits, any)) return false;
    return true;
}

/* --- the whole --------------------------------------------------------------------------------- */

static size_t space_at(weir_str text, size_t at) {
    size_t length;
    return at < text.length && weir__unicode_is_space(weir__unicode_decode(
                                   weir_str_slice(text, at, text.length), &length))
               ? length
               : 0;
}

static weir_str trim_spaces(weir_str text) {
    size_t length = 0;
    while ((length = space_at(text, 0))) text = weir_str_slice(text, length, text.length);
    for (size_t i = 0, end = 0; i <= text.length; i += length) {
        if (i == text.length) return weir_str_slice(text, 0, end);
        if (!(length = space_at(text, i))) {
            weir__unicode_decode(weir_str_slice(text, i, text.length), &length);
            end = i + length;
        }
    }
    return text;
}

static bool read_fields(const reader *of, weir_str text, weir_cron *out) {
    reader r = *of;
    weir_str fields[FIELDS + 1];
    size_t count = 0, length;
    for (size_t at = 0, from; at < text.length && count <= FIELDS;) {
        while ((length = space_at(text, at))) at += length;
        for (from = at; at < text.length && !space_at(text, at); at += length)
            weir__unicode_decode(weir_str_slice(text, at, text.length), &length);
        if (at > from) fields[count++] = weir_str_slice(text, from, at);
    }
    if (count != FIELDS) {
        weir_fail(r.error, WEIR_SYNTAX, "the schedule `%.*s` has %s than five fields",
                  (int)(r.text.length > 200 ? 200 : r.text.length), r.text.data,
                  count < FIELDS ? "fewer" : "more");
        weir_error_place(r.error, WEIR_STR(""), 1, 1);
        weir_error_hint(r.error, "minute, hour, day of month, month and day of week, in quotes for "
                                 "a shell: \"30 4 * * mon-fri\"; or @hourly, @daily, @every 90m");
        return false;
    }
    for (size_t i = 0; i < FIELDS; i++) {
        bool any = false;
        r.kind = &kinds[i];
        if (!read_field(&r, fields[i], &out->fields[i], &any)) return false;
        if (i == WEIR_CRON_DAY || i == WEIR_CRON_WEEKDAY) out->any_day = out->any_day || any;
    }
    return true;
}

static bool read_descriptor(const reader *r, weir_str text, weir_cron *out) {
    static const struct {
        const char *name, *fields;
    } known[] = {{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
                 {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
                 {"@hourly", "0 * * * *"}};
    static const weir_str every = {"@every ", 7};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (weir_str_is(text, known[i].name))
            return read_fields(r, weir_str_from(known[i].fields), out);
    if (weir_str_starts(text, every)) {
        weir_str duration = weir_str_slice(text, every.length, text.length);
        int64_t ns;
        if (!weir__goduration_parse(duration, &ns)) {
            fail(r, duration, "is no duration");
            weir_error_hint(r->error, "as 90s, 15m or 1h30m");
            return false;
        }
        out->every_seconds = ns < 1000000000 ? 1 : ns / 1000000000;
        return true;
    }
    fail(r, text, "is no schedule");
    weir_error_hint(r->error, "@yearly, @monthly, @weekly, @daily, @hourly, or @every DURATION");
    return false;
}

bool weir_cron_parse(weir_str text, weir_cron *out, weir_error *error) {
    reader r = {text, NULL, error};
    weir_cron cron = {0};
    if (text.length > WEIR_CRON_BYTES_MAX)
        return weir_fail(error, WEIR_LIMIT, "a schedule has at most %d bytes", WEIR_CRON_BYTES_MAX);
    if (text.length == 0) {
        weir_fail(error, WEIR_SYNTAX, "the schedule is empty");
        weir_error_hint(error, "\"30 4 * * mon-fri\", @hourly, @every 90m");
        return false;
    }
    if (weir_str_starts(text, WEIR_STR("TZ=")) || weir_str_starts(text, WEIR_STR("CRON_TZ="))) {
        size_t from = weir_str_find(text, WEIR_STR("="), 0) + 1;
        size_t end = weir_str_find(text, WEIR_STR(" "), 0);
        if (end == SIZE_MAX) return fail(&r, text, "has a time zone only");
        cron.zone = weir_str_slice(text, from, end);
        cron.has_zone = true;
        text = weir_str_slice(text, end, text.length);
    }
    text = trim_spaces(text);
    bool descriptor = text.length && text.data[0] == '@';
    if (!(descriptor ? read_descriptor : read_fields)(&r, text, &cron)) return false;
    *out = cron;
    return true;
}

/* --- the next time ----------------------------------------------------------------------------- */

/* A moment, and what a clock shows then. */
typedef struct clock_face {
    const x_zone *zone;
    int64_t seconds;
    x_date shown;
} clock_face;

static void set(clock_face *c, int64_t seconds) {
    x_time t = weir__gotime_in(seconds, 0, c->zone);
    c->seconds = seconds;
    c->shown = weir__gotime_date(&t);
}

/* The moment when the clock shows this; a day beyond its month is carried on. */
static void set_shown(clock_face *c, int64_t year, int month, int day, int64_t in_day) {
    set(c, weir__gotime_local(weir__gotime_seconds(year, month, day) + in_day, 0, c->zone).seconds);
}

static bool fits(const weir_cron *cron, int field, int value) {
    return cron->fields[field] >> value & 1;
}

static bool day_fits(const weir_cron *cron, const x_date *shown) {
    bool day = fits(cron, WEIR_CRON_DAY, shown->day),
         weekday = fits(cron, WEIR_CRON_WEEKDAY, shown->weekday);
    return cron->any_day ? day && weekday : day || weekday;
}

/* A day on. Where that is no midnight, because a clock was moved then, the midnight next to it. */
static void next_day(clock_face *c) {
    const x_date *d = &c->shown;
    set_shown(c, d->year, d->month, d->day + 1, d->hour * 3600 + d->minute * 60 + d->second);
    if (d->hour) set(c, c->seconds + (d->hour > 12 ? 24 - d->hour : -d->hour) * 3600);
}

/* Looks for a field's next value; fields are looked at from the largest to the smallest, and all of them again only when one began anew.
 * `first`: smaller units may not be at their beginning yet. Whether the field began anew. */
static bool step(clock_face *c, int field, bool first) {
    const x_date *d = &c->shown;
    switch (field) {
    case WEIR_CRON_MONTH:
        if (first) set_shown(c, d->year, d->month, 1, 0);
        set_shown(c, d->year, d->month + 1, d->day, d->hour * 3600 + d->minute * 60 + d->second);
        return d->month == 1;
    case WEIR_CRON_DAY:
        if (first) set_shown(c, d->year, d->month, d->day, 0);
        next_day(c);
        return d->day == 1;
    case WEIR_CRON_HOUR:
        if (first) set_shown(c, d->year, d->month, d->day, d->hour * 3600);
        set(c, c->seconds + 3600);
        return d->hour == 0;
    case WEIR_CRON_MINUTE:
        if (first) set(c, c->seconds - ((c->seconds % 60) + 60) % 60);
        set(c, c->seconds + 60);
        return d->minute == 0;
    default: set(c, c->seconds + 1); return d->second == 0;
    }
}

static bool field_fits(const weir_cron *cron, const x_date *shown, int field) {
    switch (field) {
    case WEIR_CRON_MONTH: return fits(cron, field, shown->month);
    case WEIR_CRON_DAY: return day_fits(cron, shown);
    case WEIR_CRON_HOUR: return fits(cron, field, shown->hour);
    case WEIR_CRON_MINUTE: return fits(cron, field, shown->minute);
    default: return shown->second == 0;
    }
}

bool weir_cron_next(const weir_cron *cron, const x_zone *zone, int64_t after, int64_t *out) {
    static const int order[] = {WEIR_CRON_MONTH, WEIR_CRON_DAY, WEIR_CRON_HOUR, WEIR_CRON_MINUTE,
                                SECOND};
    enum { ORDERED = sizeof order / sizeof *order };
    clock_face c = {.zone = zone};
    bool begun = false;
    if (cron->every_seconds) {
        *out = after + cron->every_seconds;
        return true;
    }
    for (int i = 0; i < FIELDS; i++)
        if (!cron->fields[i] && (i != WEIR_CRON_DAY || cron->any_day) &&
            (i != WEIR_CRON_WEEKDAY || cron->any_day))
            return false;
    set(&c, after + 1);
    int64_t last_year = c.shown.year + WEIR_CRON_YEARS_MAX;
    for (size_t i = 0, at = 0; at < ORDERED; i++) {
        if (i == STEPS_MAX || (at == 0 && c.shown.year > last_year)) return false;
        if (field_fits(cron, &c.shown, order[at])) {
            at++;
            continue;
        }
        if (step(&c, order[at], !begun)) at = 0;
        begun = true;
    }
    *out = c.seconds;
    return true;
}

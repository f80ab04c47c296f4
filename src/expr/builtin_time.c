#include <stdint.h>

#include "expr/builtin.h"
#include "expr/gotime.h"
#include "expr/sprig.h"

static x make_time(x_machine *m, x_time t) {
    x_time *copy = weir__x_alloc(m, sizeof *copy);
    *copy = t;
    return (x){.kind = X_TIME, .time = copy};
}

static void *allocate(void *m, size_t size) {
    return weir__x_alloc(m, size);
}

bool weir__x_zone_named(x_machine *m, weir_str name, const x_zone **out) {
    *out = &weir__gotime_utc;
    if (name.length == 0 || weir_str_is(name, "UTC") || weir_str_is(name, "Local")) return true;
    weir_buffer file = {0};
    const weir_expr_world *w = m->world;
    x_zone *zone = weir__x_alloc(m, sizeof *zone);
    bool found = w && w->zone && w->zone(w->zone_arg, name, &file) &&
                 weir__gotime_zone_read(name, weir_buffer_str(&file), allocate, m, zone);
    weir_buffer_deinit(&file);
    *out = zone;
    return found || weir__x_fail(m, WEIR_INVALID, "no time zone is named `%.*s`", WEIR_ARG(name));
}

x_time weir__x_now(x_machine *m, const x_zone *zone) {
    int64_t ns = m->world ? m->world->now_ns : 0, seconds = ns / 1000000000,
            nanos = ns % 1000000000;
    if (nanos < 0) {
        nanos += 1000000000;
        seconds--;
    }
    return weir__gotime_in(seconds, (int32_t)nanos, zone);
}

static bool call_now(x_machine *m, const x *a, int n, x *out) {
    *out = make_time(m, weir__x_now(m, n ? a->zone : &weir__gotime_utc));
    return true;
}

static bool call_duration(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    int64_t ns;
    if (!weir__goduration_parse(x_text(a), &ns))
        return weir__x_fail(m, WEIR_INVALID, "duration: `%.*s` is none: write it as \"1h30m\"",
                            WEIR_ARG(x_text(a)));
    *out = (x){.kind = X_DURATION, .integer = ns};
    return true;
}

static bool call_timezone(x_machine *m, const x *a, int n, x *out) {
    (void)n;
    *out = (x){.kind = X_ZONE};
    return weir__x_zone_named(m, x_text(a), &out->zone);
}

/* date([zone,] text [, layout [, name of the zone]]) */
static bool call_date(x_machine *m, const x *a, int n, x *out) {
    static const char *const layouts[] = {"2006-01-02",
                                          "15:04:05",
                                          "2006-01-02 15:04:05",
                                          "2006-01-02T15:04:05Z07:00",
                                          "02 Jan 06 15:04 MST",
                                          "Monday, 02-Jan-06 15:04:05 MST",
                                          "Mon, 02 Jan 2006 15:04:05 MST"};
    const x_zone *zone = a->kind == X_ZONE ? a->zone : NULL;
    x_time t;
    if (zone) a++, n--;
    if (n == 3 && !weir__x_zone_named(m, x_text(&a[2]), &zone)) return false;
    bool ok = n > 1 && weir__gotime_parse(x_text(&a[1]), x_text(a), zone, &t);
    for (size_t i = 0; n == 1 && !ok && i < sizeof layouts / sizeof *layouts; i++)
        ok = weir__gotime_parse(weir_str_from(layouts[i]), x_text(a), zone, &t);
    if (!ok) return weir__x_fail(m, WEIR_INVALID, "date: `%.*s` is no date", WEIR_ARG(x_text(a)));
    *out = make_time(m, t);
    return true;
}

const x_function weir__x_time_functions[] = {
    {"now", ":t|z:t", call_now},
    {"duration", "s:u", call_duration},
    {"date", "s:t|ss:t|sss:t|zs:t|zss:t|zsss:t", call_date},
    {"timezone", "s:z", call_timezone},
    {0},
};

/* --- methods: a[0] is what they are called on */

#define METHOD(name) static bool name(x_machine *m, const x *a, int n, x *out)
#define NUMBER_OF_DATE(name, what)                                                                 \
    METHOD(name) {                                                                                 \
        (void)m, (void)n;                                                                          \
        x_date d = weir__gotime_date(a->time);                                                     \
        *out = x_int(what);                                                                        \
        return true;                                                                               \
    }

NUMBER_OF_DATE(method_year, d.year)
NUMBER_OF_DATE(method_day, d.day)
NUMBER_OF_DATE(method_hour, d.hour)
NUMBER_OF_DATE(method_minute, d.minute)
NUMBER_OF_DATE(method_second, d.second)
NUMBER_OF_DATE(method_year_day, d.year_day)

METHOD(method_month) {
    (void)m, (void)n;
    *out = (x){.kind = X_MONTH, .integer = weir__gotime_date(a->time).month};
    return true;
}

METHOD(method_weekday) {
    (void)m, (void)n;
    *out = (x){.kind = X_WEEKDAY, .integer = weir__gotime_date(a->time).weekday};
    return true;
}

METHOD(method_nanosecond) {
    (void)m, (void)n;
    *out = x_int(a->time->nanos);
    return true;
}

/* ISO 8601's year of the week that the day is in. */
METHOD(method_iso_week) {
    (void)m, (void)n;
    x_date d = weir__gotime_date(a->time);
    x_time thursday =
        weir__gotime_in(weir__gotime_seconds(d.year, d.month, d.day + 3 - (d.weekday + 6) % 7), 0,
                        &weir__gotime_utc);
    *out = x_int(weir__gotime_date(&thursday).year);
    return true;
}

static x unix_in(const x_time *t, int64_t scale) {
    return x_int64((int64_t)((uint64_t)t->seconds * (uint64_t)scale +
                             (uint64_t)(t->nanos / (1000000000 / scale))));
}

METHOD(method_unix) {
    (void)m, (void)n;
    *out = x_int64(a->time->seconds);
    return true;
}

METHOD(method_unix_milli) {
    (void)m, (void)n;
    *out = unix_in(a->time, 1000);
    return true;
}

METHOD(method_unix_micro) {
    (void)m, (void)n;
    *out = unix_in(a->time, 1000000);
    return true;
}

METHOD(method_unix_nano) {
    (void)m, (void)n;
    *out = unix_in(a->time, 1000000000);
    return true;
}

METHOD(method_format) {
    (void)n;
    weir__gotime_format(a->time, x_text(&a[1]), &m->scratch);
    *out = weir__x_take(m, &m->scratch);
    return true;
}

METHOD(method_string) {
    (void)n;
    weir__x_print(m, a, &m->scratch);
    *out = weir__x_take(m, &m->scratch);
    return true;
}

METHOD(method_add) {
    (void)n;
    *out = make_time(m, weir__gotime_add(a->time, a[1].integer));
    return true;
}

METHOD(method_sub) {
    (void)m, (void)n;
    *out = (x){.kind = X_DURATION, .integer = weir__gotime_difference(a->time, a[1].time)};
    return true;
}

METHOD(method_add_date) {
    (void)n;
    x_date d = weir__gotime_date(a->time);
    for (int i = 1; i < 4; i++)
        if (a[i].integer > 1000000 || a[i].integer < -1000000)
            return weir__x_fail(m, WEIR_LIMIT, "AddDate: beyond any calendar");
    int64_t shown =
        weir__gotime_seconds(d.year + a[1].integer, d.month + a[2].integer, d.day + a[3].integer) +
        d.hour * 3600 + d.minute * 60 + d.second;
    x_time t = *a->time;
    if (t.zone)
        t = weir__gotime_local(shown, t.nanos, t.zone);
    else
        t.seconds = shown - t.offset;
    *out = make_time(m, t);
    return true;
}

static int order(const x *a) {
    int64_t d = weir__gotime_difference(a[0].time, a[1].time);
    return (d > 0) - (d < 0);
}

METHOD(method_after) {
    (void)m, (void)n;
    *out = x_bool(order(a) > 0);
    return true;
}

METHOD(method_before) {
    (void)m, (void)n;
    *out = x_bool(order(a) < 0);
    return true;
}

METHOD(method_equal) {
    (void)m, (void)n;
    *out = x_bool(order(a) == 0);
    return true;
}

METHOD(method_compare) {
    (void)m, (void)n;
    *out = x_int(order(a));
    return true;
}

METHOD(method_is_zero) {
    (void)m, (void)n;
    *out = x_bool(a->time->seconds == weir__gotime_seconds(1, 1, 1) && a->time->nanos == 0);
    return true;
}

METHOD(method_utc) {
    (void)n;
    *out = make_time(m, weir__gotime_in(a->time->seconds, a->time->nanos, &weir__gotime_utc));
    return true;
}

METHOD(method_in) {
    (void)n;
    *out = make_time(m, weir__gotime_in(a->time->seconds, a->time->nanos, a[1].zone));
    return true;
}

METHOD(method_location) {
    (void)m, (void)n;
    *out = (x){.kind = X_ZONE, .zone = a->time->zone ? a->time->zone : &weir__gotime_utc};
    return true;
}

/* The moment, or the duration, rounded to a multiple of one; halves away from zero. */
static int64_t round_ns(int64_t ns, int64_t unit, bool down) {
    if (unit <= 0) return ns;
    int64_t rest = ns % unit, out = ns - rest;
    if (down) return out;
    if (rest < 0) return -rest < unit - -rest ? out : out - unit;
    return rest < unit - rest ? out : ns > INT64_MAX - (unit - rest) ? INT64_MAX : out + unit;
}

static bool round_time(x_machine *m, const x *a, bool down, x *out) {
    x_time zero = {.seconds = weir__gotime_seconds(1, 1, 1), .zone = &weir__gotime_utc};
    x_wide since = ((x_wide)a->time->seconds - zero.seconds) * 1000000000 + a->time->nanos;
    int64_t unit = a[1].integer;
    int64_t rest = unit > 0 ? (int64_t)(since % unit) : 0;
    if (rest < 0) rest += unit;
    int64_t change = unit <= 0 ? 0 : down || rest < unit - rest ? -rest : unit - rest;
    *out = make_time(m, weir__gotime_add(a->time, change));
    return true;
}

METHOD(method_time_truncate) {
    (void)n;
    return round_time(m, a, true, out);
}

METHOD(method_time_round) {
    (void)n;
    return round_time(m, a, false, out);
}

METHOD(method_truncate) {
    (void)m, (void)n;
    *out = (x){.kind = X_DURATION, .integer = round_ns(a->integer, a[1].integer, true)};
    return true;
}

METHOD(method_round) {
    (void)m, (void)n;
    *out = (x){.kind = X_DURATION, .integer = round_ns(a->integer, a[1].integer, false)};
    return true;
}

METHOD(method_abs) {
    (void)m, (void)n;
    *out = *a;
    if (a->integer < 0) out->integer = a->integer == INT64_MIN ? INT64_MAX : -a->integer;
    return true;
}

static x span_in(int64_t ns, int64_t unit) {
    int64_t whole = ns / unit, rest = ns % unit;
    return x_float((double)whole + (double)rest / (double)unit);
}

METHOD(method_hours) {
    (void)m, (void)n;
    *out = span_in(a->integer, 3600000000000);
    return true;
}

METHOD(method_minutes) {
    (void)m, (void)n;
    *out = span_in(a->integer, 60000000000);
    return true;
}

METHOD(method_seconds) {
    (void)m, (void)n;
    *out = span_in(a->integer, 1000000000);
    return true;
}

METHOD(method_milliseconds) {
    (void)m, (void)n;
    *out = x_int64(a->integer / 1000000);
    return true;
}

METHOD(method_microseconds) {
    (void)m, (void)n;
    *out = x_int64(a->integer / 1000);
    return true;
}

METHOD(method_nanoseconds) {
    (void)m, (void)n;
    *out = x_int64(a->integer);
    return true;
}

static const x_function time_methods[] = {{"Year", ":i", method_year},
                                          {"Month", ":o", method_month},
                                          {"Day", ":i", method_day},
                                          {"Hour", ":i", method_hour},
                                          {"Minute", ":i", method_minute},
                                          {"Second", ":i", method_second},
                                          {"Nanosecond", ":i", method_nanosecond},
                                          {"YearDay", ":i", method_year_day},
                                          {"Weekday", ":w", method_weekday},
                                          {"ISOWeek", ":i", method_iso_week},
                                          {"Unix", ":i", method_unix},
                                          {"UnixMilli", ":i", method_unix_milli},
                                          {"UnixMicro", ":i", method_unix_micro},
                                          {"UnixNano", ":i", method_unix_nano},
                                          {"Format", "s:s", method_format},
                                          {"String", ":s", method_string},
                                          {"Add", "u:t", method_add},
                                          {"Sub", "t:u", method_sub},
                                          {"AddDate", "iii:t", method_add_date},
                                          {"After", "t:b", method_after},
                                          {"Before", "t:b", method_before},
                                          {"Equal", "t:b", method_equal},
                                          {"Compare", "t:i", method_compare},
                                          {"IsZero", ":b", method_is_zero},
                                          {"UTC", ":t", method_utc},
                                          {"Local", ":t", method_utc},
                                          {"In", "z:t", method_in},
                                          {"Location", ":z", method_location},
                                          {"Truncate", "u:t", method_time_truncate},
                                          {"Round", "u:t", method_time_round},
                                          {0}};
static const x_function span_methods[] = {{"Hours", ":f", method_hours},
                                          {"Minutes", ":f", method_minutes},
                                          {"Seconds", ":f", method_seconds},
                                          {"Milliseconds", ":i", method_milliseconds},
                                          {"Microseconds", ":i", method_microseconds},
                                          {"Nanoseconds", ":i", method_nanoseconds},
                                          {"String", ":s", method_string},
                                          {"Abs", ":u", method_abs},
                                          {"Truncate", "u:u", method_truncate},
                                          {"Round", "u:u", method_round},
                                          {0}};
static const x_function named_methods[] = {{"String", ":s", method_string}, {0}};

const x_function *weir__x_method(const x *self, uint8_t kind, weir_str name) {
    (void)self;
    const x_function *f = kind == X_TIME       ? time_methods
                          : kind == X_DURATION ? span_methods
                          : kind == X_SEMVER   ? weir__semver_methods
                          : kind == X_WEEKDAY || kind == X_MONTH || kind == X_ZONE ? named_methods
                                                                                   : NULL;
    for (; f && f->name; f++)
        if (weir_str_is(name, f->name)) return f;
    return NULL;
}

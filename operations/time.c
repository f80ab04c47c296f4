/* Time: microseconds since 1970-01-01T00:00:00Z, and RFC 3339 for people. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "operations.h"
#include "parameter.h"
#include "sleep.h"
#include "text.h"

/* From year 0 to 9999, as RFC 3339 has them. */
static const int64_t TIME_MIN = -62167219200000000, TIME_MAX = 253402300799999999;
enum { US = 1000000, DAY_S = 86400, TEXT_MAX = 1024, MINUTES_MAX = 1439, SLEEP_S_MAX = 315360000 };

/* --- calendar ------------------------------------------------------------------------------- */

/* Days since 1970-01-01 in the Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int days_in_month(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

/* --- reading -------------------------------------------------------------------------------- */

/* That many digits at *at; -1 when there are fewer. */
static int read_digits(const char **at, int count) {
    int number = 0;
    for (; count > 0; count--, ++*at) {
        if (!isdigit((unsigned char)**at)) return -1;
        number = number * 10 + (**at - '0');
    }
    return number;
}

static bool skip(const char **at, const char *any_of) {
    if (!weir__is_one_of(**at, any_of)) return false;
    ++*at;
    return true;
}

/* Microseconds; what is finer is cut. */
static bool read_fraction(const char **at, int64_t *us) {
    if (!skip(at, ".")) return true;
    if (!isdigit((unsigned char)**at)) return false;
    for (int64_t unit = US / 10; isdigit((unsigned char)**at); ++*at, unit /= 10)
        *us += (**at - '0') * unit;
    return true;
}

/* "Z" or "+02:00". */
static bool read_offset(const char **at, int64_t *minutes) {
    if (skip(at, "Zz")) return true;
    bool west = **at == '-';
    if (!skip(at, "+-")) return false;
    int hour = read_digits(at, 2);
    if (hour < 0 || hour > 23 || !skip(at, ":")) return false;
    int minute = read_digits(at, 2);
    if (minute < 0 || minute > 59) return false;
    *minutes = (west ? -1 : 1) * (hour * 60 + minute);
    return true;
}

static bool read_moment(const char *at, int64_t *us) {
    int year = read_digits(&at, 4);
    if (year < 0 || !skip(&at, "-")) return false;
    int month = read_digits(&at, 2);
    if (month < 1 || month > 12 || !skip(&at, "-")) return false;
    int day = read_digits(&at, 2);
    if (day < 1 || day > days_in_month(year, month) || !skip(&at, "Tt ")) return false;
    int hour = read_digits(&at, 2);
    if (hour < 0 || hour > 23 || !skip(&at, ":")) return false;
    int minute = read_digits(&at, 2);
    if (minute < 0 || minute > 59 || !skip(&at, ":")) return false;
    int second = read_digits(&at, 2); /* 60: a leap second, counted as the one after it */
    int64_t fraction = 0, offset = 0;
    if (second < 0 || second > 60 || !read_fraction(&at, &fraction) || !read_offset(&at, &offset) ||
        *at)
        return false;
    int64_t seconds =
        days_of(year, month, day) * DAY_S + (hour * 60 + minute - offset) * 60 + second;
    *us = seconds * US + fraction;
    return true;
}

static bool parse(const weir_host *host, weir_call *call) {
    weir_str text;
    int64_t us = 0;
    if (!weir__text_needed(host, call, "text", &text)) return false;
    if (!read_moment(weir__copy(host, call, weir__trimmed(text)), &us))
        return host->fail(call, "invalid",
                          "`%.*s` is no time of RFC 3339, such as 2026-11-21T06:30:00.125Z",
                          SHOWN(text));
    if (us < TIME_MIN || us > TIME_MAX)
        return host->fail(call, "invalid", "`%.*s` is not between the years 0 and 9999",
                          SHOWN(text));
    host->output(call, "time", host->int_new(us));
    return true;
}

/* --- writing -------------------------------------------------------------------------------- */

/* Digits of the fraction as needed: none, three or six. */
static void add_standard(weir__text *out, const struct tm *parts, int64_t fraction,
                         int64_t minutes) {
    char text[64];
    int length =
        snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d", parts->tm_year + 1900,
                 parts->tm_mon + 1, parts->tm_mday, parts->tm_hour, parts->tm_min, parts->tm_sec);
    weir__text_add(out, (weir_str){text, (size_t)length});
    if (fraction) {
        bool fine = fraction % 1000 != 0;
        length = snprintf(text, sizeof text, ".%0*d", fine ? 6 : 3,
                          (int)(fine ? fraction : fraction / 1000));
        weir__text_add(out, (weir_str){text, (size_t)length});
    }
    int64_t size = minutes < 0 ? -minutes : minutes;
    length = snprintf(text, sizeof text, "%c%02d:%02d", minutes < 0 ? '-' : '+', (int)(size / 60),
                      (int)(size % 60));
    weir__text_add(out, minutes ? (weir_str){text, (size_t)length} : TEXT("Z"));
}

static bool add_formatted(weir__text *out, const char *format, const struct tm *parts) {
    char text[TEXT_MAX];
    /* A mark in front tells an empty result from one that is too long. */
    char *marked = out->host->alloc(out->call, strlen(format) + 2);
    marked[0] = '!';
    for (size_t i = 0; format[i]; i++) marked[i + 1] = format[i];
    size_t length = strftime(text, sizeof text, marked, parts);
    if (!length)
        return out->host->fail(out->call, "limit_exceeded", "the text is larger than %d bytes",
                               TEXT_MAX - 2);
    weir__text_add(out, (weir_str){text + 1, length - 1});
    return true;
}

static bool format_moment(const weir_host *host, weir_call *call, int64_t us, weir_str format,
                          int64_t minutes, weir__text *out) {
    struct tm parts;
    bool known = us >= TIME_MIN && us <= TIME_MAX;
    int64_t fraction = us % US + (us % US < 0 ? US : 0);
    time_t seconds = known ? (time_t)((us - fraction) / US + minutes * 60) : 0;
    if (!known || !gmtime_r(&seconds, &parts) || parts.tm_year < -1900 ||
        parts.tm_year > 9999 - 1900)
        return host->fail(call, "invalid", "`time` must be between the years 0 and 9999");
    parts.tm_gmtoff = minutes * 60;
    if (format.data) return add_formatted(out, weir__copy(host, call, format), &parts);
    add_standard(out, &parts, fraction, minutes);
    return true;
}

static bool format(const weir_host *host, weir_call *call) {
    int64_t us = 0, minutes = 0;
    weir_str form = {NULL, 0}, offset = TEXT("Z");
    if (!weir__int_needed(host, call, "time", INT64_MIN, INT64_MAX, &us) ||
        !weir__text_given(host, call, "format", &form) ||
        !weir__text_given(host, call, "offset", &offset))
        return false;
    const char *at = weir__copy(host, call, offset);
    if (!read_offset(&at, &minutes) || *at)
        return host->fail(call, "invalid", "`offset` must be Z, or such as +02:00, found `%.*s`",
                          SHOWN(offset));
    weir__text out = {host, call};
    return format_moment(host, call, us, form, minutes, &out) && weir__text_give(&out, "text");
}

static bool now(const weir_host *host, weir_call *call) {
    weir__text out = {host, call};
    int64_t us = (int64_t)host->now(call);
    if (!format_moment(host, call, us, (weir_str){NULL, 0}, 0, &out)) return false;
    host->output(call, "time", host->int_new(us));
    return weir__text_give(&out, "text");
}

static bool sleep_on(const weir_host *host, weir_call *call) {
    weir_value *seconds;
    if (!weir__number_needed(host, call, "seconds", &seconds)) return false;
    double wanted = host->number_get(seconds);
    if (!(wanted >= 0 && wanted <= SLEEP_S_MAX))
        return host->fail(call, "invalid", "`seconds` must be from 0 to %d", SLEEP_S_MAX);
    host->output(call, "seconds", host->value_ref(seconds));
    return weir__sleep(host, call, (uint64_t)(wanted * US));
}

#define TIME                                                                                       \
    { "time", "int", "Microseconds since 1970." }

static const weir_operation *const operations[] = {
    OPERATION(.name = "time.now", .about = "Tells the time at which it began.", .inputs = NO_PORTS,
              .outputs = PORTS(TIME, {"text", "str", "The same in RFC 3339, in UTC."}),
              .config = NO_PORTS, .hints = WEIR_CHEAP, .run = now),
    OPERATION(.name = "time.format", .about = "Writes a time as a text.", .inputs = PORTS(TIME),
              .outputs = PORTS({"text", "str", "The text."}),
              .config =
                  PORTS({"format", "str", "As strftime has it (%Y-%m-%d); without it RFC 3339."},
                        {"offset", "str", "From UTC, such as +02:00.", .otherwise = "\"Z\""}),
              .hints = WEIR_PURE | WEIR_CHEAP, .run = format,
              .example =
                  "operations:\n"
                  "  day: {name: time.format, inputs: {time: created}, outputs: {text: day}}\n"
                  "configs:\n"
                  "  day: {format: \"%Y-%m-%d\"}\n"),
    OPERATION(.name = "time.parse", .about = "Reads a time from a text in RFC 3339.",
              .inputs = PORTS({"text", "str", "Such as 2026-11-21T06:30:00.125Z."}),
              .outputs = PORTS(TIME), .config = NO_PORTS, .hints = WEIR_PURE | WEIR_CHEAP,
              .run = parse),
    OPERATION(.name = "time.sleep", .about = "Waits; as many may wait at once as there are.",
              .inputs = PORTS({"seconds", "float", "How long; an int or a float."}),
              .outputs = PORTS({"seconds", "float", "The same."}),
              .config = PORTS({"seconds", "float", "How long, when it is no parameter."}),
              .hints = WEIR_ASYNC, .run = sleep_on),
    NULL};

PLUGIN(weir_time_plugin, "time", operations)

#include "cli/humanize.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define SECOND UINT64_C(1000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define WEEK (7 * DAY)
#define MONTH (30 * DAY)
#define YEAR (12 * MONTH)

/* What is less than `below` is said in units of `unit`; 0: there is one of it, or the text says how many. */
typedef struct magnitude {
    uint64_t below, unit;
    const char *text;
} magnitude;

static const magnitude shorts[] = {
    {MINUTE, SECOND, "s"}, {HOUR, MINUTE, "m"}, {DAY, HOUR, "h"}, {UINT64_MAX, DAY, "d"}};

static const magnitude longs[] = {
    {SECOND, 0, "0 seconds"},    {2 * SECOND, 0, "1 second"},     {MINUTE, SECOND, " seconds"},
    {2 * MINUTE, 0, "1 minute"}, {HOUR, MINUTE, " minutes"},      {2 * HOUR, 0, "1 hour"},
    {DAY, HOUR, " hours"},       {2 * DAY, 0, "1 day"},           {WEEK, DAY, " days"},
    {2 * WEEK, 0, "1 week"},     {MONTH, WEEK, " weeks"},         {2 * MONTH, 0, "1 month"},
    {YEAR, MONTH, " months"},    {18 * MONTH, 0, "1 year"},       {2 * YEAR, 0, "2 years"},
    {37 * YEAR, YEAR, " years"}, {UINT64_MAX, 0, "a long while"},
};

static const char *say(const magnitude *m, uint64_t us, char out[static WEIR_HUMANIZE_BYTES]) {
    while (us >= m->below && m->below != UINT64_MAX) m++;
    if (m->unit)
        snprintf(out, WEIR_HUMANIZE_BYTES, "%" PRIu64 "%s", us / m->unit, m->text);
    else
        snprintf(out, WEIR_HUMANIZE_BYTES, "%s", m->text);
    return out;
}

const char *weir_humanize_short(uint64_t us, char out[static WEIR_HUMANIZE_BYTES]) {
    return say(shorts, us, out);
}

const char *weir_humanize_long(uint64_t us, char out[static WEIR_HUMANIZE_BYTES]) {
    char first[WEIR_HUMANIZE_BYTES];
    if (us < MINUTE) return say(longs, us, out);
    uint64_t rest = us < HOUR  ? us % MINUTE / SECOND
                    : us < DAY ? us % HOUR / MINUTE
                               : us % DAY / HOUR;
    const char *unit = us < HOUR ? "seconds" : us < DAY ? "minutes" : "hours";
    snprintf(out, WEIR_HUMANIZE_BYTES, "%.20s %" PRIu64 " %s", say(longs, us, first), rest, unit);
    return out;
}

const char *weir_humanize_moment(uint64_t at_us, uint64_t now_us,
                                 char out[static WEIR_HUMANIZE_BYTES]) {
    time_t seconds = (time_t)(at_us / SECOND);
    struct tm local;
    char date[40] = "", ago[WEIR_HUMANIZE_BYTES];
    if (localtime_r(&seconds, &local)) strftime(date, sizeof date, "%a %b %d %H:%M:%S %z", &local);
    uint64_t apart = now_us > at_us ? now_us - at_us : at_us - now_us;
    say(longs, apart, ago);
    bool now = apart < SECOND;
    snprintf(out, WEIR_HUMANIZE_BYTES, "%.31s (%.20s%s)", date, now ? "now" : ago,
             now               ? ""
             : now_us >= at_us ? " ago"
                               : " from now");
    return out;
}

/* Cron expressions, as robfig/cron v3's standard parser reads them, which is what Argo uses: five fields (minute, hour, day of month,
 * month, day of week) of lists, ranges, steps and names, `@hourly` and its like, `@every 1h30m`, and `TZ=NAME ` or `CRON_TZ=NAME ` in
 * front. Where neither day of month nor day of week begins with `*` or `?`, a day of either will do. Pure; any thread. */
#ifndef WEIR_SCHEDULE_CRON_H
#define WEIR_SCHEDULE_CRON_H

#include "base/error.h"
#include "expr/gotime.h"

enum { WEIR_CRON_BYTES_MAX = 1024, WEIR_CRON_YEARS_MAX = 5 };

enum { WEIR_CRON_MINUTE, WEIR_CRON_HOUR, WEIR_CRON_DAY, WEIR_CRON_MONTH, WEIR_CRON_WEEKDAY };

typedef struct weir_cron {
    uint64_t fields[5];    /* which values are meant, a bit each */
    bool any_day;          /* day of month, or day of week, is no choice: both have to fit */
    int64_t every_seconds; /* of `@every`; else 0 */
    bool has_zone;
    weir_str zone; /* of the expression itself: a part of the text */
} weir_cron;

/* SYNTAX: the column is that within the text. */
WEIR_CHECKED bool weir_cron_parse(weir_str text, weir_cron *out, weir_error *error);
/* The first time behind `after` (seconds since 1970), by a clock of the zone; false: there is none within five years.
 *
 * A time that daylight saving leaves out on a day has none that day, one that it repeats comes twice. What is odd in this at midnight or
 * where clocks move by half an hour is so in robfig/cron, too. */
bool weir_cron_next(const weir_cron *cron, const x_zone *zone, int64_t after, int64_t *out);

#endif

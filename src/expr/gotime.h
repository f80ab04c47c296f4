/* Moments and durations as Go's package time has them: layouts by example ("2006-01-02"), zones, "1h30m". Pure; any thread. */
#ifndef WEIR_EXPR_GOTIME_H
#define WEIR_EXPR_GOTIME_H

#include "expr/expr_internal.h"

#define WEIR__GOTIME_RFC3339NANO WEIR_STR("2006-01-02T15:04:05.999999999Z07:00")

typedef struct x_zone_change {
    int64_t from;
    int32_t offset;
    char name[8];
} x_zone_change;

/* One rule of a POSIX TZ text (RFC 9636, 3.3.1): when summer time begins or ends. */
typedef struct x_zone_rule {
    char kind; /* 'M', 'J', 'D' */
    int month, week, day;
    int32_t time;
} x_zone_rule;

struct x_zone {
    weir_str name;
    const x_zone_change *changes; /* in order; the first one holds before it, too */
    size_t count;
    bool has_rule, has_summer; /* what holds after the last change */
    int32_t offset, summer_offset;
    char standard[8], summer[8];
    x_zone_rule begin, end;
};

/* Nanoseconds since year 1 need more than 64 bits. */
__extension__ typedef __int128 x_wide;

extern const x_zone weir__gotime_utc;

typedef struct x_date {
    int64_t year;
    int month, day, hour, minute, second, weekday,
        year_day; /* month and day from 1; Sunday is 0; year_day from 1 */
} x_date;

x_date weir__gotime_date(const x_time *t);
/* Seconds since 1970 of a day at midnight, UTC; month and day beyond their range are carried. */
int64_t weir__gotime_seconds(int64_t year, int64_t month, int64_t day);
/* The moment in a zone. */
x_time weir__gotime_in(int64_t seconds, int32_t nanos, const x_zone *zone);
/* The moment that a clock in the zone shows so. */
x_time weir__gotime_local(int64_t shown_seconds, int32_t nanos, const x_zone *zone);
x_time weir__gotime_add(const x_time *t, int64_t ns);
int64_t weir__gotime_difference(const x_time *a,
                                const x_time *b); /* ns, at its limits beyond them */
weir_str weir__gotime_zone_name(const x_zone *zone);
/* What a TZif file says (RFC 9636); false: it is none. It is kept in what `allocate` gives, which is never NULL. */
bool weir__gotime_zone_read(weir_str name, weir_str file, void *(*allocate)(void *arg, size_t size),
                            void *arg, x_zone *out);

void weir__gotime_format(const x_time *t, weir_str layout, weir_buffer *out);
/* `zone`: of texts that do not say theirs. False: the text is not as the layout says. */
bool weir__gotime_parse(weir_str layout, weir_str text, const x_zone *zone, x_time *out);
/* As Go prints them: "1h30m0s", "1.5µs". */
void weir__goduration_print(int64_t ns, weir_buffer *out);
bool weir__goduration_parse(weir_str text, int64_t *ns);

const char *weir__gotime_month(int month); /* from 1 */
const char *weir__gotime_weekday(int weekday);

#endif

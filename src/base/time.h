/* Moments and durations, in microseconds. A moment counts from 1970-01-01T00:00:00Z. Pure: no clock is read here.
 * Any thread. */
#ifndef WEIR_BASE_TIME_H
#define WEIR_BASE_TIME_H

#include "base/error.h"

/* "250ms", "1.5s", "2m", "1h30m", "3d", or a bare number of seconds; units as Go's time.ParseDuration, and d. */
WEIR_CHECKED bool weir_duration_parse(weir_str text, uint64_t *us, weir_error *error);
/* For people: "950µs", "12ms", "3.4s", "2m5s", "1h2m". At most 24 bytes; returns `out`. */
const char *weir_duration_format(uint64_t us, char out[static 24]);
/* RFC 3339 with milliseconds, in UTC: "2026-11-21T06:30:00.125Z". Returns `out`. */
const char *weir_moment_format(uint64_t us, char out[static 32]);

/* "2026-11-21", "2026-11-21T06:30", "2026-11-21 06:30:15.25", with "Z" or "+01:30" behind; without a zone it is UTC. INVALID: it
 * is none, or before 1970. */
WEIR_CHECKED bool weir_moment_parse(weir_str text, uint64_t *us, weir_error *error);

#endif

/* Durations and moments as Argo's commands say them: one unit, or two, rounded down. Pure; any thread. */
#ifndef WEIR_CLI_HUMANIZE_H
#define WEIR_CLI_HUMANIZE_H

#include <stdint.h>

enum { WEIR_HUMANIZE_BYTES = 64 };

/* "0s", "59s", "1m", "23h", "400d". Each returns `out`. */
const char *weir_humanize_short(uint64_t us, char out[static WEIR_HUMANIZE_BYTES]);
/* "0 seconds", "1 minute 5 seconds", "2 days 3 hours". */
const char *weir_humanize_long(uint64_t us, char out[static WEIR_HUMANIZE_BYTES]);
/* "Sat Nov 21 04:53:15 +0000 (3 minutes ago)", in the local time zone. */
const char *weir_humanize_moment(uint64_t at_us, uint64_t now_us,
                                 char out[static WEIR_HUMANIZE_BYTES]);

#endif

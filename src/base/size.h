/* Sizes in bytes, as people write them. Pure; any thread. */
#ifndef WEIR_BASE_SIZE_H
#define WEIR_BASE_SIZE_H

#include "base/error.h"

/* "10GB" (powers of 1000), "512MiB" (of 1024), "1.5T", "4096": B, K, M, G, T and P with B, iB, i or nothing behind, in any case. INVALID. */
WEIR_CHECKED bool weir_size_parse(weir_str text, uint64_t *bytes, weir_error *error);
/* Thousandths of a processor: "2", "0.5", "1500m". At most a million processors. INVALID. */
WEIR_CHECKED bool weir_cpu_parse(weir_str text, uint32_t *milli, weir_error *error);
/* For people, in powers of 1000: "950 B", "12.3 kB", "1.2 GB". Returns `out`. */
const char *weir_size_format(uint64_t bytes, char out[static 24]);

#endif

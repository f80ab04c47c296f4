/* What unpacking may bring forth: archives and compressed files are a few bytes that can become any number. */
#ifndef WEIR_OPERATIONS_UNPACKED_H
#define WEIR_OPERATIONS_UNPACKED_H

#include "parameter.h"

/* However large, this much may come out of any file; of a large one, this many times its size. */
#define UNPACKED_BYTES_MAX (UINT64_C(1) << 30)
#define UNPACKED_TIMES_MAX UINT64_C(100)
#define ARCHIVE_FILES_MAX UINT64_C(1000000) /* files, folders and links of one archive */

enum {
    ARCHIVE_DEPTH_MAX = 128,            /* folders in folders */
    CODEC_BYTES_MAX = 512 * 1024 * 1024 /* memory that an xz file may ask for to be read */
};

/* The limit that the configuration says, else `otherwise`; false when the call has failed. */
static inline bool read_limit(const weir_host *host, weir_call *call, const char *name,
                              uint64_t otherwise, uint64_t *out) {
    const weir_value *value = host->config(call, name);
    *out = otherwise;
    if (!value) return true;
    if (host->value_type(value) != WEIR_INT || host->int_get(value) < 1)
        return host->fail(call, "invalid", "config `%s` must be an int from 1", name);
    *out = (uint64_t)host->int_get(value);
    return true;
}

static inline bool read_bytes_max(const weir_host *host, weir_call *call, uint64_t packed,
                                  uint64_t *out) {
    uint64_t most = UNPACKED_BYTES_MAX;
    if (packed > most / UNPACKED_TIMES_MAX) most = packed * UNPACKED_TIMES_MAX;
    return read_limit(host, call, "max_bytes", most, out);
}

#endif

/* gzip (RFC 1952), bzip2 and xz behind one shape: a stream turns bytes at `in` into bytes at `out`. Caller's storage; one
 * thread. What it takes and gives moves the pointers, as zlib does. */
#ifndef WEIR_OPERATIONS_COMPRESS_CODEC_H
#define WEIR_OPERATIONS_COMPRESS_CODEC_H

#include <bzlib.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>

typedef struct codec_stream {
    const uint8_t *in;
    uint8_t *out;
    size_t in_left, out_left;
    union {
        z_stream gz;
        bz_stream bz2;
        lzma_stream xz;
    } state;
} codec_stream;

typedef enum codec_step { CODEC_MORE, CODEC_END, CODEC_DAMAGED, CODEC_MEMORY } codec_step;

typedef struct codec {
    const char *name;
    /* False: no memory. `end` follows a `begin` that succeeded. */
    bool (*compress_begin)(codec_stream *stream);
    /* With `finish` no more bytes come: called until CODEC_END. Else `in_left` is not 0. */
    codec_step (*compress)(codec_stream *stream, bool finish);
    void (*compress_end)(codec_stream *stream);
    bool (*decompress_begin)(codec_stream *stream);
    /* CODEC_END: one member is whole; another may follow, with a `begin` of its own. */
    codec_step (*decompress)(codec_stream *stream);
    void (*decompress_end)(codec_stream *stream);
} codec;

/* By the name: "gz", "bz2" or "xz". */
const codec *codec_find(const char *name);

#endif

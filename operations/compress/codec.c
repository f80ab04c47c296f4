#include "codec.h"

#include <string.h>

#include "../unpacked.h"

/* Levels, and the check of xz, are those of Python's modules, which are what DFFML uses. */
enum { GZ_LEVEL = 9, GZ_WINDOW = 15 + 16, GZ_MEMORY = 8, BZ2_LEVEL = 9, XZ_LEVEL = 6 };

/* The buffers are far smaller than what 32 bits count. */
#define LEND(library, stream)                                                                      \
    ((library)->avail_in = (unsigned)(stream)->in_left,                                            \
     (library)->avail_out = (unsigned)(stream)->out_left)

static void take_back(codec_stream *stream, size_t in_left, size_t out_left) {
    stream->in += stream->in_left - in_left;
    stream->out += stream->out_left - out_left;
    stream->in_left = in_left;
    stream->out_left = out_left;
}

/* --- gz --- */

static bool gz_compress_begin(codec_stream *stream) {
    stream->state.gz = (z_stream){0};
    return deflateInit2(&stream->state.gz, GZ_LEVEL, Z_DEFLATED, GZ_WINDOW, GZ_MEMORY,
                        Z_DEFAULT_STRATEGY) == Z_OK;
}

static int gz_step(codec_stream *stream, int (*step)(z_stream *, int), int how) {
    z_stream *gz = &stream->state.gz;
    gz->next_in = (Bytef *)(uintptr_t)stream->in; /* zlib does not write there */
    gz->next_out = stream->out;
    LEND(gz, stream);
    int result = step(gz, how);
    take_back(stream, gz->avail_in, gz->avail_out);
    return result;
}

static codec_step gz_compress(codec_stream *stream, bool finish) {
    int result = gz_step(stream, deflate, finish ? Z_FINISH : Z_NO_FLUSH);
    return result == Z_STREAM_END ? CODEC_END : CODEC_MORE;
}

static void gz_compress_end(codec_stream *stream) {
    deflateEnd(&stream->state.gz);
}

static bool gz_decompress_begin(codec_stream *stream) {
    stream->state.gz = (z_stream){0};
    return inflateInit2(&stream->state.gz, GZ_WINDOW) == Z_OK;
}

static codec_step gz_decompress(codec_stream *stream) {
    int result = gz_step(stream, inflate, Z_NO_FLUSH);
    if (result == Z_STREAM_END) return CODEC_END;
    if (result == Z_MEM_ERROR) return CODEC_MEMORY;
    return result == Z_OK || result == Z_BUF_ERROR ? CODEC_MORE : CODEC_DAMAGED;
}

static void gz_decompress_end(codec_stream *stream) {
    inflateEnd(&stream->state.gz);
}

/* --- bz2 --- */

static void bz2_lend(codec_stream *stream) {
    bz_stream *bz2 = &stream->state.bz2;
    bz2->next_in = (char *)(uintptr_t)stream->in; /* nor does bzlib */
    bz2->next_out = (char *)stream->out;
    LEND(bz2, stream);
}

static bool bz2_compress_begin(codec_stream *stream) {
    stream->state.bz2 = (bz_stream){0};
    return BZ2_bzCompressInit(&stream->state.bz2, BZ2_LEVEL, 0, 0) == BZ_OK;
}

static codec_step bz2_compress(codec_stream *stream, bool finish) {
    bz2_lend(stream);
    int result = BZ2_bzCompress(&stream->state.bz2, finish ? BZ_FINISH : BZ_RUN);
    take_back(stream, stream->state.bz2.avail_in, stream->state.bz2.avail_out);
    return result == BZ_STREAM_END ? CODEC_END : CODEC_MORE;
}

static void bz2_compress_end(codec_stream *stream) {
    BZ2_bzCompressEnd(&stream->state.bz2);
}

static bool bz2_decompress_begin(codec_stream *stream) {
    stream->state.bz2 = (bz_stream){0};
    return BZ2_bzDecompressInit(&stream->state.bz2, 0, 0) == BZ_OK;
}

static codec_step bz2_decompress(codec_stream *stream) {
    bz2_lend(stream);
    int result = BZ2_bzDecompress(&stream->state.bz2);
    take_back(stream, stream->state.bz2.avail_in, stream->state.bz2.avail_out);
    if (result == BZ_STREAM_END) return CODEC_END;
    if (result == BZ_MEM_ERROR) return CODEC_MEMORY;
    return result == BZ_OK ? CODEC_MORE : CODEC_DAMAGED;
}

static void bz2_decompress_end(codec_stream *stream) {
    BZ2_bzDecompressEnd(&stream->state.bz2);
}

/* --- xz --- */

static bool xz_compress_begin(codec_stream *stream) {
    stream->state.xz = (lzma_stream)LZMA_STREAM_INIT;
    return lzma_easy_encoder(&stream->state.xz, XZ_LEVEL, LZMA_CHECK_CRC64) == LZMA_OK;
}

static lzma_ret xz_step(codec_stream *stream, lzma_action action) {
    lzma_stream *xz = &stream->state.xz;
    xz->next_in = stream->in;
    xz->avail_in = stream->in_left;
    xz->next_out = stream->out;
    xz->avail_out = stream->out_left;
    lzma_ret result = lzma_code(xz, action);
    take_back(stream, xz->avail_in, xz->avail_out);
    return result;
}

static codec_step xz_compress(codec_stream *stream, bool finish) {
    lzma_ret result = xz_step(stream, finish ? LZMA_FINISH : LZMA_RUN);
    if (result == LZMA_STREAM_END) return CODEC_END;
    return result == LZMA_MEM_ERROR ? CODEC_MEMORY : CODEC_MORE;
}

/* Also files of the older .lzma, as Python's module reads both. */
static bool xz_decompress_begin(codec_stream *stream) {
    stream->state.xz = (lzma_stream)LZMA_STREAM_INIT;
    return lzma_auto_decoder(&stream->state.xz, CODEC_BYTES_MAX, 0) == LZMA_OK;
}

static codec_step xz_decompress(codec_stream *stream) {
    lzma_ret result = xz_step(stream, LZMA_RUN);
    if (result == LZMA_STREAM_END) return CODEC_END;
    if (result == LZMA_MEM_ERROR || result == LZMA_MEMLIMIT_ERROR) return CODEC_MEMORY;
    return result == LZMA_OK || result == LZMA_BUF_ERROR ? CODEC_MORE : CODEC_DAMAGED;
}

static void xz_end(codec_stream *stream) {
    lzma_end(&stream->state.xz);
}

static const codec codecs[] = {
    {"gz", gz_compress_begin, gz_compress, gz_compress_end, gz_decompress_begin, gz_decompress,
     gz_decompress_end},
    {"bz2", bz2_compress_begin, bz2_compress, bz2_compress_end, bz2_decompress_begin,
     bz2_decompress, bz2_decompress_end},
    {"xz", xz_compress_begin, xz_compress, xz_end, xz_decompress_begin, xz_decompress, xz_end},
};

const codec *codec_find(const char *name) {
    const codec *found = codecs;
    while (strcmp(found->name, name) != 0) found++;
    return found;
}

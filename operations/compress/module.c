/* The code of gz_compress, gz_decompress and their like; what they are called and take is in ../archive.c. */
#include <errno.h>
#include <unistd.h>

#include "../new_file.h"
#include "../unpacked.h"
#include "codec.h"

enum { BLOCK = 64 * 1024 };

/* One call: from the file at `input` to `output`. */
typedef struct passage {
    const weir_host *host;
    weir_call *call;
    const codec *codec;
    const char *path; /* of the input */
    int input;        /* -1: closed */
    new_file output;
    codec_stream stream;
    uint8_t *in, *out;
    bool at_end; /* all of the input was read */
    uint64_t given, given_max;
} passage;

static bool open_passage(passage *p) {
    const weir_host *host = p->host;
    const weir_value *from = parameter(host, p->call, "input_file_path", WEIR_STRING);
    const weir_value *to = from ? parameter(host, p->call, "output_file_path", WEIR_STRING) : NULL;
    if (!to) return false;
    uint64_t size;
    p->path = host->string_get(from).data;
    p->input = open_input(host, p->call, p->path, &size);
    if (p->input < 0 || !read_bytes_max(host, p->call, size, &p->given_max)) return false;
    p->in = host->alloc(p->call, BLOCK);
    p->out = host->alloc(p->call, BLOCK);
    return new_file_open(host, p->call, host->string_get(to).data, &p->output);
}

static bool fail_memory(const passage *p) {
    return p->host->fail(p->call, "limit_exceeded", "%s: it needs more than %d MiB of memory",
                         p->path, CODEC_BYTES_MAX >> 20);
}

/* More of the input, when all that there was is used. */
static bool fill(passage *p) {
    if (p->host->cancelled(p->call)) return false;
    while (!p->at_end && p->stream.in_left == 0) {
        ssize_t got = read(p->input, p->in, BLOCK);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(p->host, p->call, p->path);
        p->at_end = got == 0;
        p->stream.in = p->in;
        p->stream.in_left = (size_t)got;
    }
    return true;
}

static void offer_block(passage *p) {
    p->stream.out = p->out;
    p->stream.out_left = BLOCK;
}

static bool compress_all(passage *p) {
    for (codec_step step = CODEC_MORE; step != CODEC_END;) {
        if (!fill(p)) return false;
        offer_block(p);
        step = p->codec->compress(&p->stream, p->at_end);
        if (step == CODEC_MEMORY) return fail_memory(p);
        if (!new_file_write(&p->output, p->out, BLOCK - p->stream.out_left)) return false;
    }
    return true;
}

/* One step of decompression, written. */
static bool decompress_block(passage *p, codec_step *step) {
    offer_block(p);
    *step = p->codec->decompress(&p->stream);
    size_t size = BLOCK - p->stream.out_left;
    p->given += size;
    if (p->given > p->given_max)
        return p->host->fail(p->call, "limit_exceeded",
                             "%s: becomes more than %llu bytes; config `max_bytes` allows more",
                             p->path, (unsigned long long)p->given_max);
    if (*step == CODEC_MEMORY) return fail_memory(p);
    if (*step == CODEC_DAMAGED)
        return p->host->fail(p->call, "invalid", "%s: not %s, or damaged", p->path, p->codec->name);
    if (*step == CODEC_MORE && p->at_end && size == 0)
        return p->host->fail(p->call, "invalid", "%s: ends in the middle of its data", p->path);
    return new_file_write(&p->output, p->out, size);
}

/* One member: compressed files may be put one behind the other. */
static bool decompress_member(passage *p) {
    bool ok = true;
    for (codec_step step = CODEC_MORE; ok && step != CODEC_END;)
        ok = fill(p) && decompress_block(p, &step);
    return ok;
}

static bool decompress_all(passage *p) {
    do {
        if (!p->codec->decompress_begin(&p->stream)) return fail_memory(p);
        bool ok = decompress_member(p);
        p->codec->decompress_end(&p->stream);
        if (!ok) return false;
        do { /* zeros fill up tapes, and xz files to a multiple of four */
            if (!fill(p)) return false;
            while (p->stream.in_left && *p->stream.in == 0) p->stream.in++, p->stream.in_left--;
        } while (!p->at_end && p->stream.in_left == 0);
    } while (p->stream.in_left);
    return true;
}

static bool run_passage(const weir_host *host, weir_call *call, const char *codec_name,
                        bool decompress) {
    passage p = {.host = host,
                 .call = call,
                 .codec = codec_find(codec_name),
                 .input = -1,
                 .output = {.descriptor = -1}};
    bool ok = open_passage(&p);
    if (ok && decompress) {
        ok = decompress_all(&p);
    } else if (ok) {
        ok = p.codec->compress_begin(&p.stream) || fail_memory(&p);
        if (ok) {
            ok = compress_all(&p);
            p.codec->compress_end(&p.stream);
        }
    }
    ok = ok && new_file_finish(&p.output);
    new_file_close(&p.output);
    if (p.input >= 0) close(p.input);
    if (ok)
        host->output(call, "output_path",
                     host->value_ref(host->parameter(call, "output_file_path")));
    return ok;
}

#define PASSAGE(codec_name, verb, is_decompress)                                                   \
    static bool codec_name##_##verb(const weir_host *host, weir_call *call) {                      \
        return run_passage(host, call, #codec_name, is_decompress);                                \
    }                                                                                              \
    static const weir_operation codec_name##_##verb##_operation = {                                \
        .size = sizeof(weir_operation),                                                            \
        .name = #codec_name "_" #verb,                                                             \
        .run = codec_name##_##verb,                                                                \
    }

PASSAGE(gz, compress, false);
PASSAGE(gz, decompress, true);
PASSAGE(bz2, compress, false);
PASSAGE(bz2, decompress, true);
PASSAGE(xz, compress, false);
PASSAGE(xz, decompress, true);

static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "compress",
    .version = "1",
    .operations =
        (const weir_operation *const[]){&gz_compress_operation, &gz_decompress_operation,
                                        &bz2_compress_operation, &bz2_decompress_operation,
                                        &xz_compress_operation, &xz_decompress_operation, NULL},
};

WEIR_API const weir_plugin *weir_plugin_open(const weir_host *host);

const weir_plugin *weir_plugin_open(const weir_host *host) {
    return host->abi == WEIR_ABI ? &plugin : NULL;
}

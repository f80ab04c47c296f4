/* Archives as layers of images have them, with any names, and images that are made of them. */
#ifndef WEIR_TESTS_IMAGE_FILES_H
#define WEIR_TESTS_IMAGE_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/store_internal.h"

/* One entry in the form of ustar; `kind` as there: '0' a file, '1' a hard link, '2' a link, '3' and '4' devices, '5' a folder, '6' a pipe. */
static void tar_entry_with(weir_buffer *tar, const char *name, char kind, unsigned mode,
                           const char *link, weir_str bytes, unsigned owner) {
    char block[512] = {0};
    unsigned sum = 0;
    snprintf(block, 100, "%s", name);
    snprintf(block + 100, 8, "%07o", mode);
    snprintf(block + 108, 8, "%07o", owner);
    snprintf(block + 116, 8, "%07o", owner);
    snprintf(block + 124, 12, "%011o", (unsigned)bytes.length);
    snprintf(block + 136, 12, "%011o", 1000000000);
    memset(block + 148, ' ', 8);
    block[156] = kind;
    snprintf(block + 157, 100, "%s", link);
    memcpy(block + 257,
           "ustar\0"
           "00",
           8);
    for (size_t i = 0; i < sizeof block; i++) sum += (unsigned char)block[i];
    snprintf(block + 148, 8, "%06o", sum);
    weir_buffer_append(tar, block, sizeof block);
    weir_buffer_append(tar, bytes.data, bytes.length);
    while (tar->length % 512) weir_buffer_byte(tar, '\0');
}

static inline void tar_file(weir_buffer *tar, const char *name, const char *text) {
    tar_entry_with(tar, name, '0', 0644, "", weir_str_from(text), 0);
}
static inline void tar_entry(weir_buffer *tar, const char *name, char kind, unsigned mode,
                             const char *link) {
    tar_entry_with(tar, name, kind, mode, link, (weir_str){"", 0}, 0);
}
static inline void tar_end(weir_buffer *tar) {
    for (int i = 0; i < 1024; i++) weir_buffer_byte(tar, '\0');
}

static inline void digest_of(weir_str bytes, char out[72]) {
    unsigned char digest[WEIR__SHA256_BYTES];
    const weir__sha256_functions *sha256;
    weir_error error;
    weir_assert(weir__sha256_open(&sha256, &error));
    weir__sha256 *hash = sha256->begin();
    sha256->add(hash, bytes.data, bytes.length);
    sha256->take(hash, digest);
    sha256->end(hash);
    memcpy(out, "sha256:", 7);
    weir__sha256_format(digest, out + 7);
}

/* Through a program, as gzip and zstd. */
static inline void squeeze(const char *program, weir_buffer *bytes) {
    char name[] = "/tmp/weir-squeeze-XXXXXX", line[128];
    int fd = mkstemp(name);
    FILE *out = fdopen(fd, "w");
    weir_assert(out && fwrite(bytes->data, 1, bytes->length, out) == bytes->length);
    fclose(out);
    snprintf(line, sizeof line, "%s <%s", program, name);
    FILE *in = popen(line, "r");
    weir_buffer_clear(bytes);
    char piece[4096];
    for (size_t got; (got = fread(piece, 1, sizeof piece, in)) > 0;)
        weir_buffer_append(bytes, piece, got);
    weir_assert(pclose(in) == 0);
    remove(name);
}

#endif

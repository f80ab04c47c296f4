/* SHA-256 by OpenSSL. Its code is in modules, so that a plain run does not map libcrypto: `weir-s3.so` links it, and who
 * is not in a module gets it from `weir-sha256.so` by weir__sha256_open. Any thread; a hash is one thread's. */
#ifndef WEIR_STORE_SHA256_H
#define WEIR_STORE_SHA256_H

#include "base/error.h"

enum { WEIR__SHA256_BYTES = 32, WEIR__SHA256_LETTERS = 64 };

typedef struct weir__sha256 weir__sha256;

/* What the module exports, as `weir_sha256_functions`. */
typedef struct weir__sha256_functions {
    /* A hash of nothing yet. */
    weir__sha256 *(*begin)(void);
    void (*add)(weir__sha256 *hash, const void *data, size_t length);
    /* What it is, and begins anew. */
    void (*take)(weir__sha256 *hash, unsigned char digest[static WEIR__SHA256_BYTES]);
    void (*end)(weir__sha256 *hash);
} weir__sha256_functions;

extern const weir__sha256_functions weir__sha256_by; /* in modules */

/* In the program: opens the module. Errors: PLUGIN. */
WEIR_CHECKED bool weir__sha256_open(const weir__sha256_functions **out, weir_error *error);

/* Ends what OpenSSL keeps of this thread: threads of a pool end too late for it. In modules. */
void weir__sha256_thread_end(void);

/* HMAC of RFC 2104; in modules. */
void weir__sha256_hmac(const void *key, size_t key_length, weir_str text,
                       unsigned char out[static WEIR__SHA256_BYTES]);

/* In lower case, and a NUL. */
static inline void weir__sha256_format(const unsigned char digest[static WEIR__SHA256_BYTES],
                                       char out[static WEIR__SHA256_LETTERS + 1]) {
    for (size_t i = 0; i < WEIR__SHA256_BYTES; i++) {
        out[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    out[WEIR__SHA256_LETTERS] = '\0';
}

#endif

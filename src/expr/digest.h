/* Digests of texts: SHA-1, SHA-256, SHA-512 (FIPS 180-4). Here, since what is pure opens no modules. Pure; any thread. */
#ifndef WEIR_EXPR_DIGEST_H
#define WEIR_EXPR_DIGEST_H

#include "base/text.h"

/* Append the digest in hexadecimal letters. */
void weir__digest_sha1(weir_str text, weir_buffer *out);
void weir__digest_sha256(weir_str text, weir_buffer *out);
void weir__digest_sha512(weir_str text, weir_buffer *out);

#endif

#include "expr/digest.h"

#include <stdint.h>

/* A message in blocks of `size` bytes, the last with its length in bits behind it. */
static void each_block(weir_str text, size_t size,
                       void (*add)(void *state, const unsigned char *block), void *state) {
    unsigned char block[128];
    size_t at = 0;
    for (; at + size <= text.length; at += size) add(state, (const unsigned char *)text.data + at);
    memset(block, 0, sizeof block);
    if (text.length > at) memcpy(block, text.data + at, text.length - at);
    block[text.length - at] = 0x80;
    if (text.length - at >= size - size / 8) {
        add(state, block);
        memset(block, 0, sizeof block);
    }
    uint64_t bits = (uint64_t)text.length * 8;
    for (size_t i = 0; i < 8; i++) block[size - 1 - i] = (unsigned char)(bits >> (8 * i));
    add(state, block);
}

static uint32_t load32(const unsigned char *s) {
    return (uint32_t)s[0] << 24 | (uint32_t)s[1] << 16 | (uint32_t)s[2] << 8 | s[3];
}

static uint64_t load64(const unsigned char *s) {
    return (uint64_t)load32(s) << 32 | load32(s + 4);
}

static uint32_t turn32(uint32_t v, int n) {
    return v >> n | v << (32 - n);
}

static uint64_t turn64(uint64_t v, int n) {
    return v >> n | v << (64 - n);
}

static void add_sha1(void *state, const unsigned char *block) {
    uint32_t *h = state, w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (int i = 0; i < 80; i++) {
        w[i] = i < 16 ? load32(block + 4 * i)
                      : turn32(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 31);
        uint32_t f = i < 20              ? (b & c) | (~b & d)
                     : i < 40 || i >= 60 ? b ^ c ^ d
                                         : (b & c) | (b & d) | (c & d);
        uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
        uint32_t next = turn32(a, 27) + f + e + k + w[i];
        e = d;
        d = c;
        c = turn32(b, 2);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

/* The first bits of the fractional parts of the cube roots of primes, and below of square roots. */
static const uint64_t roots[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static void add_sha256(void *state, const unsigned char *block) {
    uint32_t *h = state, w[64], v[8];
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 64; i++) {
        if (i < 16) {
            w[i] = load32(block + 4 * i);
        } else {
            uint32_t a = w[i - 15], b = w[i - 2];
            w[i] = w[i - 16] + (turn32(a, 7) ^ turn32(a, 18) ^ a >> 3) + w[i - 7] +
                   (turn32(b, 17) ^ turn32(b, 19) ^ b >> 10);
        }
        uint32_t e = v[4], a = v[0];
        uint32_t one = v[7] + (turn32(e, 6) ^ turn32(e, 11) ^ turn32(e, 25)) +
                       ((e & v[5]) ^ (~e & v[6])) + (uint32_t)(roots[i] >> 32) + w[i];
        uint32_t two = (turn32(a, 2) ^ turn32(a, 13) ^ turn32(a, 22)) +
                       ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += one;
        v[0] = one + two;
    }
    for (int i = 0; i < 8; i++) h[i] += v[i];
}

static void add_sha512(void *state, const unsigned char *block) {
    uint64_t *h = state, w[80], v[8];
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 80; i++) {
        if (i < 16) {
            w[i] = load64(block + 8 * i);
        } else {
            uint64_t a = w[i - 15], b = w[i - 2];
            w[i] = w[i - 16] + (turn64(a, 1) ^ turn64(a, 8) ^ a >> 7) + w[i - 7] +
                   (turn64(b, 19) ^ turn64(b, 61) ^ b >> 6);
        }
        uint64_t e = v[4], a = v[0];
        uint64_t one = v[7] + (turn64(e, 14) ^ turn64(e, 18) ^ turn64(e, 41)) +
                       ((e & v[5]) ^ (~e & v[6])) + roots[i] + w[i];
        uint64_t two = (turn64(a, 28) ^ turn64(a, 34) ^ turn64(a, 39)) +
                       ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += one;
        v[0] = one + two;
    }
    for (int i = 0; i < 8; i++) h[i] += v[i];
}

static void print32(const uint32_t *h, int count, weir_buffer *out) {
    for (int i = 0; i < count; i++) weir_buffer_printf(out, "%08x", h[i]);
}

void weir__digest_sha1(weir_str text, weir_buffer *out) {
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    each_block(text, 64, add_sha1, h);
    print32(h, 5, out);
}

void weir__digest_sha256(weir_str text, weir_buffer *out) {
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    each_block(text, 64, add_sha256, h);
    print32(h, 8, out);
}

void weir__digest_sha512(weir_str text, weir_buffer *out) {
    uint64_t h[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                     0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                     0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
    each_block(text, 128, add_sha512, h);
    for (int i = 0; i < 8; i++) weir_buffer_printf(out, "%016llx", (unsigned long long)h[i]);
}

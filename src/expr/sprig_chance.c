/* What is random in sprig, from the seed of the evaluation: the same seed gives the same values. Not for secrets. */
#include <stdint.h>

#include "expr/sprig.h"
#include "expr/text.h"
#include "expr/unicode.h"

/* SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators"). */
uint64_t weir__sprig_random(x_machine *m) {
    uint64_t z = m->random += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static bool letters(x_machine *m, int64_t count, const char *from, x *out) {
    size_t size = strlen(from);
    if (count < 0) count = 0;
    if (count > WEIR_EXPR_ITEMS_MAX || !weir__x_spend(m, (size_t)count))
        return weir__x_fail(m, WEIR_LIMIT, "too many letters");
    for (int64_t i = 0; i < count; i++)
        weir_buffer_byte(&m->scratch, from[weir__sprig_random(m) % size]);
    *out = weir__x_take(m, &m->scratch);
    return true;
}

#define SMALL "abcdefghijklmnopqrstuvwxyz"
#define LARGE "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

SPRIG(call_alpha) {
    (void)n;
    return letters(m, a->integer, SMALL LARGE, out);
}

SPRIG(call_alpha_num) {
    (void)n;
    return letters(m, a->integer, SMALL LARGE DIGITS, out);
}

SPRIG(call_numeric) {
    (void)n;
    return letters(m, a->integer, DIGITS, out);
}

SPRIG(call_ascii) {
    (void)n;
    return letters(m, a->integer, SMALL LARGE DIGITS " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", out);
}

SPRIG(call_bytes) {
    (void)n;
    weir_buffer bytes = {0};
    if (a->integer > WEIR_EXPR_ITEMS_MAX ||
        !weir__x_spend(m, a->integer > 0 ? (size_t)a->integer : 0))
        return weir__x_fail(m, WEIR_LIMIT, "too many bytes");
    for (int64_t i = 0; i < a->integer; i++) weir_buffer_byte(&bytes, (char)weir__sprig_random(m));
    weir__x_base64_encode(weir_buffer_str(&bytes), &m->scratch);
    weir_buffer_deinit(&bytes);
    *out = weir__x_take(m, &m->scratch);
    return true;
}

SPRIG(call_int) {
    (void)n;
    uint64_t span = (uint64_t)a[1].integer - (uint64_t)a[0].integer;
    if (a[1].integer <= a[0].integer)
        return weir__x_fail(m, WEIR_INVALID, "sprig.randInt: the second number has to be larger");
    *out = x_int((int64_t)((uint64_t)a[0].integer + weir__sprig_random(m) % span));
    return true;
}

SPRIG(call_shuffle) {
    (void)n;
    size_t count = weir__unicode_count(x_text(a)), at = 0, length;
    if (!weir__x_room(m, count * sizeof(uint32_t)) || !weir__x_spend(m, count)) return false;
    uint32_t *characters = weir__x_alloc(m, (count + 1) * sizeof *characters);
    for (size_t i = 0; i < count; i++, at += length)
        characters[i] = weir__unicode_decode(weir_str_slice(x_text(a), at, a->length), &length);
    for (size_t i = count; i > 1; i--) {
        size_t other = weir__sprig_random(m) % i;
        uint32_t swap = characters[i - 1];
        characters[i - 1] = characters[other];
        characters[other] = swap;
    }
    for (size_t i = 0; i < count; i++) weir__unicode_append(&m->scratch, characters[i]);
    *out = weir__x_take(m, &m->scratch);
    return true;
}

/* RFC 9562, version 4. */
SPRIG(call_uuid) {
    (void)a, (void)n;
    uint64_t high = (weir__sprig_random(m) & ~(uint64_t)0xf000) | 0x4000;
    uint64_t low = (weir__sprig_random(m) >> 2) | (uint64_t)1 << 63;
    weir_buffer_printf(&m->scratch, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
                       (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xffff),
                       (unsigned)(low >> 48), (unsigned long long)(low & 0xffffffffffff));
    *out = weir__x_take(m, &m->scratch);
    return true;
}

const x_function weir__sprig_chance[] = {{"randAlpha", "@j:s", call_alpha},
                                         {"randAlphaNum", "@j:s", call_alpha_num},
                                         {"randNumeric", "@j:s", call_numeric},
                                         {"randAscii", "@j:s", call_ascii},
                                         {"randBytes", "@j:s", call_bytes},
                                         {"randInt", "@jj:i", call_int},
                                         {"shuffle", "@s:s", call_shuffle},
                                         {"uuidv4", "@:s", call_uuid},
                                         {0}};

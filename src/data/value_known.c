/* Strings of a large text are mostly the same few. */
#include "data/value_build.h"

enum { KNOWN = 1024, KNOWN_BYTES = 32 /* strings that are longer are not looked for */ };

struct weir_known {
    weir_value *strings[KNOWN]; /* by their hash, references */
};

/* The bytes of both ends and the length: texts that differ by a number in the middle are found out by comparing them. */
static size_t place_of(weir_str text) {
    uint64_t begin = 0, end = 0;
    size_t some = text.length < 8 ? text.length : 8;
    if (some) memcpy(&begin, text.data, some);
    if (some) memcpy(&end, text.data + text.length - some, some);
    uint64_t hash = (begin ^ end * 0x9e3779b97f4a7c15u ^ text.length) * 0xff51afd7ed558ccdu;
    return (size_t)(hash >> 54);
}
_Static_assert(KNOWN == 1 << 10, "the upper bits of the hash are a place");

weir_known *weir_known_new(void) {
    return weir_alloc(sizeof(weir_known));
}

void weir_known_free(weir_known *known) {
    for (size_t i = 0; known && i < KNOWN; i++) weir_value_unref(known->strings[i]);
    weir_free(known);
}

weir_value *weir_known_string(weir_known *known, weir_str text) {
    if (!known || text.length > KNOWN_BYTES) return weir_string_from(text);
    weir_value **place = &known->strings[place_of(text)];
    if (*place && weir_str_equal(weir_string_get(*place), text)) return weir_value_ref(*place);
    weir_value_unref(*place);
    *place = weir_string_from(text);
    return weir_value_ref(*place);
}

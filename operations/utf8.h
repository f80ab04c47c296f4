/* Whether bytes from outside are a text that a value may hold. Any thread. */
#ifndef WEIR_OPERATIONS_UTF8_H
#define WEIR_OPERATIONS_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Whether it is UTF-8 (RFC 3629) without NUL. */
static inline bool is_text(const char *data, size_t length) {
    for (size_t i = 0; i < length;) {
        unsigned char lead = (unsigned char)data[i++];
        if (lead == 0) return false;
        if (lead < 0x80) continue;
        size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        if (lead < 0xc2 || lead > 0xf4 || length - i < more) return false;
        unsigned char next = (unsigned char)data[i];
        if ((lead == 0xe0 && next < 0xa0) || (lead == 0xed && next > 0x9f) ||
            (lead == 0xf0 && next < 0x90) || (lead == 0xf4 && next > 0x8f))
            return false;
        for (; more > 0; more--)
            if (((unsigned char)data[i++] & 0xc0) != 0x80) return false;
    }
    return true;
}

#endif

#include "base/base64.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool weir_base64_read(weir_str text, weir_buffer *out) {
    uint32_t bits = 0, count = 0;
    text = weir_str_trim(text);
    while (text.length && text.data[text.length - 1] == '=') text.length--;
    for (size_t i = 0; i < text.length; i++) {
        char letter = text.data[i] == '-' ? '+' : text.data[i] == '_' ? '/' : text.data[i];
        const char *at = letter ? strchr(letters, letter) : NULL;
        if (!at) return false;
        bits = bits << 6 | (uint32_t)(at - letters);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        weir_buffer_byte(out, (char)(bits >> count & 255));
    }
    return text.length % 4 != 1;
}

void weir_base64_append(weir_str bytes, weir_buffer *out) {
    for (size_t i = 0; i < bytes.length; i += 3) {
        uint32_t bits = 0;
        size_t count = bytes.length - i < 3 ? bytes.length - i : 3;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < count ? (unsigned char)bytes.data[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            weir_buffer_byte(out, k <= count ? letters[bits >> (18 - 6 * k) & 63] : '=');
    }
}

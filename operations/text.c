#include "text.h"

#include <stdint.h>
#include <string.h>

size_t weir__character_length(const char *data, size_t length) {
    if (length == 0) return 0;
    unsigned char lead = (unsigned char)data[0];
    if (lead < 0x80) return lead != 0;
    size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || length <= more) return 0;
    unsigned char next = (unsigned char)data[1];
    if ((lead == 0xe0 && next < 0xa0) || (lead == 0xed && next > 0x9f) ||
        (lead == 0xf0 && next < 0x90) || (lead == 0xf4 && next > 0x8f))
        return 0;
    for (size_t i = 1; i <= more; i++)
        if (((unsigned char)data[i] & 0xc0) != 0x80) return 0;
    return more + 1;
}

uint32_t weir__character(const char *data, size_t available, size_t *length) {
    *length = weir__character_length(data, available);
    unsigned char lead = (unsigned char)data[0];
    if (*length < 2) {
        *length = 1;
        return lead;
    }
    uint32_t character = lead & (0x7fu >> *length);
    for (size_t i = 1; i < *length; i++)
        character = (character << 6) | ((unsigned char)data[i] & 0x3fu);
    return character;
}

bool weir__is_text(const char *data, size_t length) {
    for (size_t at = 0, more; at < length; at += more) {
        more = weir__character_length(data + at, length - at);
        if (!more) return false;
    }
    return true;
}

static size_t step(weir_str text, size_t at) {
    size_t length = weir__character_length(text.data + at, text.length - at);
    return length ? length : 1;
}

size_t weir__characters(weir_str text) {
    size_t count = 0;
    for (size_t at = 0; at < text.length; at += step(text, at)) count++;
    return count;
}

size_t weir__character_place(weir_str text, size_t number) {
    size_t at = 0;
    for (; number > 0 && at < text.length; number--) at += step(text, at);
    return at;
}

bool weir__is_blank(uint32_t c) {
    return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

weir_str weir__trimmed(weir_str text) {
    size_t from = text.length, to = 0, length;
    for (size_t at = 0; at < text.length; at += length) {
        uint32_t character = weir__character(text.data + at, text.length - at, &length);
        if (weir__is_blank(character)) continue;
        if (from > at) from = at;
        to = at + length;
    }
    return to ? weir__part(text, from, to) : TEXT("");
}

bool weir__same_text(weir_str a, weir_str b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

size_t weir__find(weir_str text, weir_str what, size_t from) {
    if (from > text.length) return SIZE_MAX;
    const char *found = memmem(text.data + from, text.length - from, what.data, what.length);
    return found ? (size_t)(found - text.data) : SIZE_MAX;
}

/* Room for `more` bytes and a NUL; false when that is too much. */
static bool reserve(weir__text *text, size_t more) {
    if (text->full || more > TEXT_BYTES_MAX - text->length) {
        text->full = true;
        return false;
    }
    size_t wanted = text->length + more + 1;
    if (wanted <= text->capacity) return true;
    size_t capacity = text->capacity ? text->capacity * 2 : 64;
    while (capacity < wanted) capacity *= 2;
    char *data = text->host->alloc(text->call, capacity);
    if (text->length) memcpy(data, text->data, text->length);
    text->data = data;
    text->capacity = capacity;
    return true;
}

void weir__text_add(weir__text *text, weir_str more) {
    if (!more.length || !reserve(text, more.length)) return;
    memcpy(text->data + text->length, more.data, more.length);
    text->length += more.length;
}

void weir__text_byte(weir__text *text, char byte) {
    weir__text_add(text, (weir_str){&byte, 1});
}

void weir__text_character(weir__text *text, uint32_t c) {
    char bytes[4];
    size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--, c >>= 6) bytes[i] = (char)(0x80 | (c & 0x3f));
    bytes[0] = (char)(leads[length] | c);
    weir__text_add(text, (weir_str){bytes, length});
}

weir_value *weir__text_take(weir__text *text) {
    if (!text->full) return weir__string(text->host, weir__text_str(text));
    text->host->fail(text->call, "limit_exceeded", "the text is larger than %d bytes",
                     TEXT_BYTES_MAX);
    return NULL;
}

bool weir__text_give(weir__text *text, const char *output) {
    weir_value *value = weir__text_take(text);
    if (value) text->host->output(text->call, output, value);
    return value != NULL;
}

char *weir__copy(const weir_host *host, weir_call *call, weir_str text) {
    char *copy = host->alloc(call, text.length + 1);
    return text.length ? memcpy(copy, text.data, text.length) : copy;
}

weir_value *weir__string(const weir_host *host, weir_str text) {
    return host->string_new(text.data, text.length);
}

/* Bytes that grow: what the operations of URLs, HTTP and HTML build texts in. All zero is empty; `deinit` frees. There is
 * always a NUL behind them once something was added. One thread. Memory that there is not ends the process, as
 * everywhere in weir. */
#ifndef WEIR_OPERATIONS_BYTES_H
#define WEIR_OPERATIONS_BYTES_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir/value.h>

typedef struct weir__bytes {
    char *data;
    size_t length, capacity;
} weir__bytes;

_Noreturn static inline void weir__out_of_memory(void) {
    static const char text[] = "weir: out of memory; `weir recover` goes on\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(3);
}

/* Zeroed; the caller frees. */
static inline void *weir__zeroed(size_t size) {
    void *memory = calloc(1, size);
    if (!memory) weir__out_of_memory();
    return memory;
}

static inline void weir__bytes_deinit(weir__bytes *bytes) {
    free(bytes->data);
    *bytes = (weir__bytes){0};
}

static inline void weir__bytes_reserve(weir__bytes *bytes, size_t more) {
    if (bytes->capacity - bytes->length > more) return;
    size_t capacity = bytes->capacity ? bytes->capacity * 2 : 64;
    while (capacity - bytes->length <= more) capacity *= 2;
    char *data = realloc(bytes->data, capacity);
    if (!data) weir__out_of_memory();
    bytes->data = data;
    bytes->capacity = capacity;
}

static inline void weir__bytes_add(weir__bytes *bytes, weir_str text) {
    weir__bytes_reserve(bytes, text.length);
    if (text.length) memcpy(bytes->data + bytes->length, text.data, text.length);
    bytes->length += text.length;
    bytes->data[bytes->length] = '\0';
}

static inline void weir__bytes_byte(weir__bytes *bytes, char byte) {
    weir__bytes_add(bytes, (weir_str){&byte, 1});
}

static inline void weir__bytes_text(weir__bytes *bytes, const char *text) {
    weir__bytes_add(bytes, (weir_str){text, strlen(text)});
}

static inline void weir__bytes_cut(weir__bytes *bytes, size_t length) {
    bytes->length = length;
    if (bytes->data) bytes->data[length] = '\0';
}

static inline weir_str weir__bytes_str(const weir__bytes *bytes) {
    return (weir_str){bytes->data ? bytes->data : "", bytes->length};
}

/* --- borrowed texts --- */

static inline weir_str weir__str(const char *text) {
    return (weir_str){text, strlen(text)};
}

static inline bool weir__str_is(weir_str text, const char *other) {
    return text.length == strlen(other) && memcmp(text.data, other, text.length) == 0;
}

static inline bool weir__str_equal(weir_str a, weir_str b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static inline weir_str weir__str_part(weir_str text, size_t from, size_t to) {
    return (weir_str){text.data + from, to - from};
}

/* ASCII only, whatever the locale. */
static inline char weir__lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline bool weir__str_same(weir_str text, const char *lower) {
    size_t i = 0;
    while (i < text.length && lower[i] && weir__lower(text.data[i]) == lower[i]) i++;
    return i == text.length && !lower[i];
}

static inline bool weir__is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline weir_str weir__str_trim(weir_str text) {
    while (text.length && weir__is_blank(text.data[0])) text.data++, text.length--;
    while (text.length && weir__is_blank(text.data[text.length - 1])) text.length--;
    return text;
}

/* The length of the UTF-8 character that the text begins with; 0 when it begins with none (RFC 3629). */
static inline size_t weir__utf8_length(weir_str text) {
    if (!text.length) return 0;
    const unsigned char *at = (const unsigned char *)text.data;
    unsigned char c = at[0], next = text.length > 1 ? at[1] : 0;
    size_t length = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (length > text.length || (c == 0xe0 && next < 0xa0) || (c == 0xed && next > 0x9f) ||
        (c == 0xf0 && next < 0x90) || (c == 0xf4 && next > 0x8f))
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80) return 0;
    return length;
}

/* How much at the text's begin is ASCII without NUL, in whole words of eight bytes: most of most texts. */
static inline size_t weir__ascii_words(weir_str text) {
    const uint64_t ones = UINT64_MAX / 255, tops = ones << 7;
    size_t at = 0;
    for (uint64_t word; text.length - at >= sizeof word; at += sizeof word) {
        memcpy(&word, text.data + at, sizeof word);
        if ((word | (word - ones)) & tops) break; /* a byte from 0x80 on, or one that is 0 */
    }
    return at;
}

/* Where the text stops being what a value's text may be: UTF-8 without NUL; its length when it is all. */
static inline size_t weir__utf8_until(weir_str text) {
    size_t at = 0;
    for (;;) {
        at += weir__ascii_words(weir__str_part(text, at, text.length));
        if (at == text.length || !text.data[at]) return at;
        size_t length = weir__utf8_length(weir__str_part(text, at, text.length));
        if (!length) return at;
        at += length;
    }
}

/* Appends the text; each byte that is no UTF-8, and NUL, becomes U+FFFD. */
static inline void weir__bytes_utf8(weir__bytes *bytes, weir_str text) {
    for (;;) {
        size_t good = weir__utf8_until(text);
        weir__bytes_add(bytes, weir__str_part(text, 0, good));
        if (good == text.length) return;
        weir__bytes_text(bytes, "\xef\xbf\xbd");
        text = weir__str_part(text, good + 1, text.length);
    }
}

#endif

#include "base/text.h"

#include <stdint.h>
#include <stdio.h>

bool weir_str_starts(weir_str text, weir_str prefix) {
    return text.length >= prefix.length &&
           weir_str_equal((weir_str){text.data, prefix.length}, prefix);
}

bool weir_str_ends(weir_str text, weir_str suffix) {
    return text.length >= suffix.length &&
           weir_str_equal(weir_str_slice(text, text.length - suffix.length, text.length), suffix);
}

size_t weir_str_find(weir_str text, weir_str what, size_t from) {
    if (from > text.length || what.length > text.length - from) return SIZE_MAX;
    if (what.length == 0) return from;
    const char *found = memmem(text.data + from, text.length - from, what.data, what.length);
    return found ? (size_t)(found - text.data) : SIZE_MAX;
}

weir_str weir_str_slice(weir_str text, size_t from, size_t to) {
    if (to > text.length) to = text.length;
    if (from > to) from = to;
    return (weir_str){text.data ? text.data + from : "", to - from};
}

size_t weir_utf8_length(weir_str text) {
    if (!text.length) return 0;
    const unsigned char *s = (const unsigned char *)text.data;
    if (s[0] < 0x80) return 1;
    size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || length > text.length) return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = s[0] == 0xed && s[1] > 0x9f, beyond = s[0] == 0xf4 && s[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : length;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

weir_str weir_str_trim(weir_str text) {
    size_t from = 0, to = text.length;
    while (from < to && is_blank(text.data[from])) from++;
    while (to > from && is_blank(text.data[to - 1])) to--;
    return weir_str_slice(text, from, to);
}

bool weir_str_number(weir_str text, uint32_t *out) {
    uint64_t number = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        number = number * 10 + (uint64_t)(text.data[i] - '0');
        if (number >= UINT32_MAX) return false;
    }
    *out = (uint32_t)number;
    return text.length > 0;
}

void weir_text_end_whole(char *text, size_t size) {
    size_t length = strlen(text), from = length;
    if (length + 1 < size) return;
    while (from > 0 && length - from < 3 && ((unsigned char)text[from - 1] & 0xc0) == 0x80) from--;
    unsigned char first = from > 0 ? (unsigned char)text[from - 1] : 0;
    size_t needed = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    if (length - from + 1 < needed) text[from - 1] = '\0';
}

size_t weir_str_distance(weir_str a, weir_str b) {
    enum { MAX = 64 };
    size_t row[MAX + 1];
    a = weir_str_slice(a, 0, MAX);
    b = weir_str_slice(b, 0, MAX);
    for (size_t j = 0; j <= b.length; j++) row[j] = j;
    for (size_t i = 1; i <= a.length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.length; j++) {
            size_t best = diagonal + (a.data[i - 1] != b.data[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.length];
}

weir_nearest weir_nearest_to(weir_str wrong) {
    return (weir_nearest){.wrong = wrong, .best = WEIR_STR(""), .distance = wrong.length / 3 + 2};
}

void weir_nearest_try(weir_nearest *nearest, weir_str name) {
    size_t distance = weir_str_distance(nearest->wrong, name);
    if (distance >= nearest->distance) return;
    nearest->distance = distance;
    nearest->best = name;
}

static char *copy_into(char *copy, weir_str text) {
    if (text.length) memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    return copy;
}

char *weir_str_copy(weir_arena *arena, weir_str text) {
    return copy_into(weir_arena_alloc(arena, text.length + 1), text);
}

char *weir_str_dup(weir_str text) {
    return copy_into(weir_alloc(text.length + 1), text);
}

void weir_buffer_deinit(weir_buffer *buffer) {
    weir_free(buffer->data);
    *buffer = (weir_buffer){0};
}

void weir_buffer_reserve(weir_buffer *buffer, size_t more) {
    weir_assert(more < SIZE_MAX / 4 && buffer->length < SIZE_MAX / 4);
    size_t need = buffer->length + more + 1;
    if (need <= buffer->capacity) return;
    size_t capacity = buffer->capacity ? buffer->capacity : 64;
    while (capacity < need) capacity *= 2;
    buffer->data = weir_realloc(buffer->data, capacity);
    buffer->capacity = capacity;
    buffer->data[buffer->length] = '\0';
}

void weir_buffer_append(weir_buffer *buffer, const void *data, size_t length) {
    weir_buffer_reserve(buffer, length);
    if (length) memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void weir_buffer_text(weir_buffer *buffer, const char *text) {
    weir_buffer_append(buffer, text, strlen(text));
}

void weir_buffer_str_append(weir_buffer *buffer, weir_str text) {
    weir_buffer_append(buffer, text.data, text.length);
}

void weir_buffer_byte(weir_buffer *buffer, char byte) {
    weir_buffer_append(buffer, &byte, 1);
}

void weir_buffer_number(weir_buffer *buffer, uint64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    weir_buffer_append(buffer, digits + at, sizeof digits - at);
}

void weir_buffer_printf(weir_buffer *buffer, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    weir_assert(n >= 0);
    weir_buffer_reserve(buffer, (size_t)n);
    vsnprintf(buffer->data + buffer->length, (size_t)n + 1, format, again);
    va_end(again);
    buffer->length += (size_t)n;
}

void weir_buffer_clear(weir_buffer *buffer) {
    buffer->length = 0;
    if (buffer->data) buffer->data[0] = '\0';
}

bool weir_buffer_cut(weir_buffer *buffer, size_t most) {
    if (buffer->length <= most) return false;
    while (most > 0 && ((unsigned char)buffer->data[most] & 0xc0) == 0x80) most--;
    buffer->length = most;
    buffer->data[most] = '\0';
    return true;
}

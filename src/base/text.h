/* Text: borrowed strings and growable buffers.
 *
 * A weir_str borrows: somebody else keeps the bytes. A weir_buffer owns its bytes; `data` is NUL-terminated whenever
 * it is not NULL, and `length` does not count the NUL. One thread. */
#ifndef WEIR_BASE_TEXT_H
#define WEIR_BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <weir/value.h>

#include "base/memory.h"

#define WEIR_STR(literal) ((weir_str){"" literal, sizeof(literal) - 1})
/* For printf's "%.*s". */
#define WEIR_ARG(str) (int)((str).length > 4096 ? 4096 : (str).length), (str).data

static inline weir_str weir_str_from(const char *text) {
    return (weir_str){text, text ? strlen(text) : 0};
}
static inline bool weir_str_equal(weir_str a, weir_str b) {
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}
static inline bool weir_str_is(weir_str a, const char *text) {
    return a.length ? *a.data == *text && weir_str_equal(a, weir_str_from(text)) : !*text;
}
bool weir_str_starts(weir_str text, weir_str prefix);
bool weir_str_ends(weir_str text, weir_str suffix);
/* Index of the first occurrence at or after `from`, or SIZE_MAX. */
size_t weir_str_find(weir_str text, weir_str what, size_t from);
/* The part [from, to); both are cut to the length. */
weir_str weir_str_slice(weir_str text, size_t from, size_t to);
/* Bytes of the UTF-8 character that the text begins with; 0 when it is none (Unicode 15, table 3-7) or empty. */
size_t weir_utf8_length(weir_str text);
/* Without blanks, tabs and line ends at both ends. */
weir_str weir_str_trim(weir_str text);
/* A decimal number without sign, below UINT32_MAX, and nothing else. */
bool weir_str_number(weir_str text, uint32_t *out);
/* A terminated UTF-8 text that was written into `size` bytes: when it was cut there within a character, that goes. */
void weir_text_end_whole(char *text, size_t size);
/* Levenshtein's edit distance, for "did you mean"; texts above 64 bytes are cut. */
size_t weir_str_distance(weir_str a, weir_str b);
/* The first of the names tried that is most like a wrong one; `best` is empty while none is like it. */
typedef struct weir_nearest {
    weir_str wrong, best;
    size_t distance;
} weir_nearest;
weir_nearest weir_nearest_to(weir_str wrong);
void weir_nearest_try(weir_nearest *nearest, weir_str name);
/* A terminated copy in the arena, or on the heap (freed with weir_free). */
char *weir_str_copy(weir_arena *arena, weir_str text);
char *weir_str_dup(weir_str text);

typedef struct weir_buffer {
    char *data;
    size_t length, capacity;
} weir_buffer;

static inline weir_str weir_buffer_str(const weir_buffer *buffer) {
    return (weir_str){buffer->data ? buffer->data : "", buffer->length};
}
void weir_buffer_deinit(weir_buffer *buffer);
/* Room for `more` bytes behind `length`, and the NUL. */
void weir_buffer_reserve(weir_buffer *buffer, size_t more);
void weir_buffer_append(weir_buffer *buffer, const void *data, size_t length);
void weir_buffer_text(weir_buffer *buffer, const char *text);
void weir_buffer_str_append(weir_buffer *buffer, weir_str text);
void weir_buffer_byte(weir_buffer *buffer, char byte);
void weir_buffer_number(weir_buffer *buffer, uint64_t number); /* decimal */
void weir_buffer_printf(weir_buffer *buffer, const char *format, ...) WEIR_PRINTF(2, 3);
/* Forgets the content, keeps the memory. */
void weir_buffer_clear(weir_buffer *buffer);
/* Cuts UTF-8 that is longer than `most` bytes, at a character; whether it did. */
bool weir_buffer_cut(weir_buffer *buffer, size_t most);

#endif

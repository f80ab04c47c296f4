/* Texts of the standard operations: UTF-8, and a text that grows in the memory of its call.
 *
 * Positions and lengths that users see are in characters (Unicode code points), never in bytes. Nothing is freed before
 * the call ends. */
#ifndef WEIR_OPERATIONS_TEXT_H
#define WEIR_OPERATIONS_TEXT_H

#include <weir/operation.h>

/* Of a text that an operation reads or makes, and of the items of an array. */
enum { TEXT_BYTES_MAX = 64 * 1024 * 1024, ITEMS_MAX = 4000000, DEPTH_MAX = 128 };

#define TEXT(literal) ((weir_str){"" literal, sizeof(literal) - 1})
/* For "%.*s" in a message: the first bytes of the text. */
#define SHOWN(text) (int)((text).length > 200 ? 200 : (text).length), (text).data

/* Bytes of the character that the bytes begin with; 0 when it is none (RFC 3629), or a NUL. */
size_t weir__character_length(const char *data, size_t length);
/* The character at `data`; *length is its bytes. A byte that belongs to none counts as itself. */
uint32_t weir__character(const char *data, size_t available, size_t *length);
/* Whether it is UTF-8 without NUL. */
bool weir__is_text(const char *data, size_t length);
size_t weir__characters(weir_str text);
/* Where the character of that number begins, in bytes; the length when there are fewer. */
size_t weir__character_place(weir_str text, size_t number);
/* Of White_Space in Unicode. */
bool weir__is_blank(uint32_t character);
weir_str weir__trimmed(weir_str text);

bool weir__same_text(weir_str a, weir_str b);
static inline weir_str weir__part(weir_str text, size_t from, size_t to) {
    return (weir_str){text.data + from, to - from};
}
static inline bool weir__is_one_of(char c, const char *characters) {
    while (*characters && *characters != c) characters++;
    return *characters != '\0';
}
/* The first place at or after `from`, SIZE_MAX when there is none. `what` is not empty. */
size_t weir__find(weir_str text, weir_str what, size_t from);

typedef struct weir__text {
    const weir_host *host;
    weir_call *call;
    char *data;
    size_t length, capacity;
    bool full; /* more than TEXT_BYTES_MAX were wanted; nothing was added since */
} weir__text;

static inline weir_str weir__text_str(const weir__text *text) {
    return (weir_str){text->data ? text->data : "", text->length};
}
void weir__text_add(weir__text *text, weir_str more);
void weir__text_byte(weir__text *text, char byte);
/* As UTF-8. */
void weir__text_character(weir__text *text, uint32_t character);
/* A scalar as people write it: texts as they are, anything else as JSON. */
void weir__text_value(weir__text *text, const weir_value *value);
/* The value as JSON; `indent` 0 is one line without blanks. */
void weir__text_json(weir__text *text, const weir_value *value, int indent, bool sorted);
/* A new string; NULL, and the call has failed, when the text is too long. */
weir_value *weir__text_take(weir__text *text);
/* Gives it as an output, or fails. */
bool weir__text_give(weir__text *text, const char *output);

/* A copy with a NUL behind it. */
char *weir__copy(const weir_host *host, weir_call *call, weir_str text);
weir_value *weir__string(const weir_host *host, weir_str text);

#endif

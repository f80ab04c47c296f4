/* Unicode: characters, their categories and case. Pure; any thread. */
#ifndef WEIR_EXPR_UNICODE_H
#define WEIR_EXPR_UNICODE_H

#include "base/text.h"

typedef struct weir__unicode_range {
    uint32_t first;
    uint16_t more;
    uint8_t category;
} weir__unicode_range;
typedef struct weir__unicode_case {
    uint32_t first;
    uint16_t more;
    uint8_t alternating;
    int32_t upper, lower, title;
} weir__unicode_case;

extern const char weir__unicode_categories[][3];
extern const weir__unicode_range weir__unicode_ranges[];
extern const size_t weir__unicode_range_count;
extern const weir__unicode_case weir__unicode_cases[];
extern const size_t weir__unicode_case_count;
extern const uint32_t weir__unicode_orbits[][2];
extern const size_t weir__unicode_orbit_count;

/* The character that the text begins with, and its length in bytes: an invalid byte is U+FFFD of length 1, as Go has it.
 * The text is not empty. */
uint32_t weir__unicode_decode(weir_str text, size_t *length);
/* The last one. */
uint32_t weir__unicode_decode_last(weir_str text, size_t *length);
/* Appends it as UTF-8; what is no character becomes U+FFFD. */
void weir__unicode_append(weir_buffer *out, uint32_t character);
/* "Lu", or "" for what is not assigned. */
const char *weir__unicode_category(uint32_t character);
bool weir__unicode_is_letter(uint32_t character);
bool weir__unicode_is_digit(uint32_t character);
bool weir__unicode_is_space(uint32_t character);
bool weir__unicode_is_upper(uint32_t character);
bool weir__unicode_is_lower(uint32_t character);
uint32_t weir__unicode_upper(uint32_t character);
uint32_t weir__unicode_lower(uint32_t character);
uint32_t weir__unicode_title(uint32_t character);
/* The next larger character that is the same but for case, or the smallest of them; itself when there is none. */
uint32_t weir__unicode_fold(uint32_t character);
size_t weir__unicode_count(weir_str text);

#endif

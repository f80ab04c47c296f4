/* Reading literals out of a text, for JSON and for Python's: a place that moves on, and failures that name it. */
#ifndef WEIR_OPERATIONS_READER_H
#define WEIR_OPERATIONS_READER_H

#include "text.h"

typedef struct weir__reader {
    const weir_host *host;
    weir_call *call;
    const char *name; /* of the parameter that has the text */
    weir_str text;
    size_t at;
    int depth;    /* of arrays and objects */
    size_t count; /* values so far */
} weir__reader;

static inline char weir__peek(const weir__reader *r) {
    return r->at < r->text.length ? r->text.data[r->at] : '\0';
}
/* Fails the call with line and column; false. */
bool weir__reader_fail(weir__reader *r, const char *problem);
/* Moves behind the text when it is there. */
bool weir__reader_accept(weir__reader *r, const char *text);
/* Before a value, and before what is in an array or object; false after failing beyond the limits. */
bool weir__reader_count(weir__reader *r);
bool weir__reader_enter(weir__reader *r);
/* Exactly that many hexadecimal digits: UINT32_MAX when there are fewer. */
uint32_t weir__reader_hex(weir__reader *r, int digits);
/* Adds a character that an escape names; refuses NUL, surrogates, and what is no character. */
bool weir__reader_character(weir__reader *r, uint32_t character, weir__text *out);

#endif

/* Values in the form of Python's `marshal`, version 2, which every Python reads and writes in C: what weir and its Python workers
 * send each other. Facts: the interpreter's documentation of marshal, and what it writes. The reader takes from outside: it has
 * limits, and answers with an error. */
#ifndef WEIR_DATA_MARSHAL_H
#define WEIR_DATA_MARSHAL_H

#include "data/value.h"

/* --- out */

/* None, bool, int, float, str, list or dict. Texts and lists have fewer than 2^31 bytes and items (asserted). */
void weir_marshal_value(const weir_value *value, weir_buffer *out);
void weir_marshal_int(int64_t number, weir_buffer *out);
void weir_marshal_text(weir_str text, weir_buffer *out);
void weir_marshal_none(weir_buffer *out);
/* The head of a tuple or a list: its items follow. */
void weir_marshal_tuple(size_t count, weir_buffer *out);
void weir_marshal_list(size_t count, weir_buffer *out);

/* --- in: bytes that are read from `at` on */

typedef struct weir_marshal {
    weir_str bytes;
    size_t at;
} weir_marshal;

/* The head of a tuple or a list. */
WEIR_CHECKED bool weir_marshal_read_items(weir_marshal *in, uint32_t *count);
WEIR_CHECKED bool weir_marshal_read_int(weir_marshal *in, int64_t *out);
WEIR_CHECKED bool weir_marshal_read_float(weir_marshal *in, double *out); /* an int, too */
/* A str or bytes; borrowed. */
WEIR_CHECKED bool weir_marshal_read_text(weir_marshal *in, weir_str *out);
/* Any value; tuples are arrays. Fails with LIMIT where it is nested deeper than values may be, or an int has more than 64 bits, and INVALID
 * where it is no value (a key is no text, a text is no UTF-8), and still moves on behind it; with IO when the bytes are no
 * marshal: then nothing more can be read. */
WEIR_CHECKED bool weir_marshal_read_value(weir_marshal *in, weir_value **out, weir_error *error);

#endif

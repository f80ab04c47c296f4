/* Values in the form of Python's `marshal`, version 2, which every Python reads and writes in C: what weir and its Python workers
 * send each other. Facts: the interpreter's documentation of marshal, and what it writes. The reader takes from outside: it has
 * limits, and answers with an error. */
#ifndef WEIR_DATA_MARSHAL_H
#define WEIR_DATA_MARSHAL_H

#include "base/vector.h"
#include "data/value.h"

/* Memory that goes beside a message: values in it refer to places in its segments, by their number in the list.
 *
 * What Python's marshal has no type for stands in a tuple that begins with Ellipsis, which no value has: (…, 0, piece) are bytes,
 * (…, 1, what it is, [pieces]) an object that Python has pickled: its pickle, then its buffers. A piece is bytes, or (number of the segment,
 * offset, length). Small bytes are bytes of marshal. */
typedef struct weir_enclosed {
    WEIR_VECTOR(weir_segment *) segments; /* held */
    bool used; /* there were bytes, or such a tuple: set, never cleared */
} weir_enclosed;

void weir_enclosed_clear(weir_enclosed *enclosed); /* it may be used again */

#define WEIR_PYTHON_FORM "python pickle 5" /* of objects (see weir_foreign_form) */

/* --- out */

/* None, bool, int, float, str, list, dict, bytes or an object of Python's; of objects of other languages None. Texts and lists have fewer than
 * 2^31 bytes and items (asserted). `enclosed` NULL: all bytes are in the message. */
void weir_marshal_value_with(const weir_value *value, weir_enclosed *enclosed, weir_buffer *out);
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
    const weir_enclosed *enclosed; /* NULL: nothing is */
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

/* Values as texts the way that programs in Go write them, and so Argo. Any thread. */
#ifndef WEIR_DATA_GO_H
#define WEIR_DATA_GO_H

#include "data/value.h"

/* Appends the shortest digits that read back as the same number: as JSON (3 for 3.0, 0.00001, 1e-7), or as %v prints it. */
void weir_go_print_float(double number, bool json, weir_buffer *out);
/* Appends a text as it is, a float as above, anything else as JSON on one line. */
void weir_go_append_text(const weir_value *value, weir_buffer *out);
/* The same as a value; a new reference, of a text to itself. */
weir_value *weir_go_text_of(const weir_value *value);

#endif

/* What value.c and value_bytes.c share. */
#ifndef WEIR_DATA_VALUE_INTERNAL_H
#define WEIR_DATA_VALUE_INTERNAL_H

#include <stdatomic.h>

#include "data/value.h"

/* What all values begin with; each type takes no more memory than it needs. */
struct weir_value {
    atomic_uint refs;
    weir_type type;
};

/* With one reference; what is behind the beginning is not set. */
weir_value *weir__value_new(weir_type type, size_t size);
/* Frees what bytes or an object of another language hold. */
void weir__bytes_end(weir_value *value);
bool weir__bytes_equal(const weir_value *a, const weir_value *b);
bool weir__foreign_equal(const weir_value *a, const weir_value *b);

#endif

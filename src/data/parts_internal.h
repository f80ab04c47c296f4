/* What parts.c and value_binary.c share. */
#ifndef WEIR_DATA_PARTS_INTERNAL_H
#define WEIR_DATA_PARTS_INTERNAL_H

#include "data/parts.h"

/* How a part is to be read. */
enum { WEIR__PART_TEXT, WEIR__PART_BINARY, WEIR__PART_BYTES };

struct weir_parts {
    size_t limit;
    weir_part_fetch *fetch;
    void *arg;
    WEIR_VECTOR(weir_part *) all;
    weir_map values, contents; /* to a part: by its value's address, by form and digest */
    uint64_t used, added;      /* bytes: that others held at the last sweep; that came since */
};

weir_part *weir__parts_of_value(const weir_parts *parts, const weir_value *value);
weir_part *weir__parts_of_content(const weir_parts *parts, const weir_part_name *name);
/* A new one of this value; borrowed. */
weir_part *weir__parts_add(weir_parts *parts, unsigned char form, const weir_value *value,
                           uint64_t size);

#endif

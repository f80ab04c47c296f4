/* The place of a byte in a text: line and column from 1, the column in characters as libyaml counts. Any thread. */
#ifndef WEIR_DATA_PLACE_H
#define WEIR_DATA_PLACE_H

#include "base/text.h"

static inline void weir__place(weir_str text, size_t offset, uint32_t *line, uint32_t *column) {
    *line = *column = 1;
    for (size_t i = 0; i < offset && i < text.length; i++) {
        if (text.data[i] == '\n') {
            ++*line;
            *column = 1;
        } else if (((unsigned char)text.data[i] & 0xc0) != 0x80) {
            ++*column;
        }
    }
}

#endif

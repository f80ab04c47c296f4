/* The events of a YAML text, one at hand. libyaml takes quadratic time in nesting depth, so the limit of depth is kept
 * here. `text` and `file` are borrowed. One thread. */
#ifndef WEIR_DATA_YAML_READER_H
#define WEIR_DATA_YAML_READER_H

#include <yaml.h>

#include "data/yaml.h"

typedef struct weir__yaml_reader {
    yaml_parser_t parser;
    yaml_event_t event;
    weir_str text, file;
    size_t depth; /* of sequences and mappings that began and did not end */
} weir__yaml_reader;

/* `reader` is zeroed; it needs no deinit when this fails. */
WEIR_CHECKED bool weir__yaml_reader_init(weir__yaml_reader *reader, weir_str text, weir_str file,
                                         weir_error *error);
void weir__yaml_reader_deinit(weir__yaml_reader *reader);
/* Deletes the event at hand and reads the next. */
WEIR_CHECKED bool weir__yaml_next(weir__yaml_reader *reader, weir_error *error);
/* Says in the error that it is at the mark. */
void weir__yaml_place(const weir__yaml_reader *reader, yaml_mark_t mark, weir_error *error);

static inline weir_str weir__yaml_text(const yaml_event_t *scalar) {
    return (weir_str){(const char *)scalar->data.scalar.value, scalar->data.scalar.length};
}

#endif

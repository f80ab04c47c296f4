/* JSON (RFC 8259) to and from values. Any thread. */
#ifndef WEIR_DATA_JSON_H
#define WEIR_DATA_JSON_H

#include "data/value.h"

/* Parses one JSON text, nothing but blanks around it. Refuses depth above WEIR_DEPTH_MAX, invalid UTF-8, NUL in
 * strings, and integers beyond 64 bits signed; of equal keys the last counts. `file` names it in errors, which carry
 * line and column. */
WEIR_CHECKED bool weir_json_parse(weir_str text, weir_str file, weir_value **out,
                                  weir_error *error);

/* How a file that somebody wrote is read. */
typedef struct weir_json_file {
    weir_str name;
    size_t values_max;
    weir_problems *
        repeated; /* gets keys that are there twice, of which the first counts; NULL: one is an error */
} weir_json_file;

WEIR_CHECKED bool weir_json_parse_file(weir_str text, const weir_json_file *file, weir_value **out,
                                       weir_error *error);
/* The place of the node at `path` (see weir_yaml_locate), or of the nearest parent that there is, in a text that was parsed. */
void weir_json_locate(weir_str text, weir_str path, uint32_t *line, uint32_t *column);
/* Appends the value; `indent` 0 gives one line without blanks, else that many blanks a level. Doubles keep a point or
 * an exponent and read back equal; NaN and infinities become null. */
void weir_json_format(const weir_value *value, int indent, weir_buffer *out);
/* Appends a text as it is, anything else as JSON on one line. */
void weir_json_plain(const weir_value *value, weir_buffer *out);
/* The same as a value; a new reference, of a text to itself. */
weir_value *weir_json_as_text(const weir_value *value);

#endif

/* YAML (1.1 as libyaml reads it) to values, and places in YAML and JSON files. Any thread. */
#ifndef WEIR_DATA_YAML_H
#define WEIR_DATA_YAML_H

#include "data/value.h"

/* What plain scalars become a boolean. */
typedef enum weir_yaml_booleans {
    WEIR_YAML_CORE,   /* true, false (and True, TRUE, …) */
    WEIR_YAML_1_1,    /* also yes, no, on, off, y, n, and its integers: what Argo reads */
    WEIR_YAML_GUESSED /* one of them, by the text: see weir_document_load */
} weir_yaml_booleans;

typedef WEIR_VECTOR(weir_value *) weir_values;
void weir_values_deinit(weir_values *values);

enum {
    WEIR_FILE_NODES_MAX = 16 * 1024 * 1024
}; /* in a file, aliases counted each time they are used */

/* Parses every document of the text and appends its value to `out` (an empty document gives null). Refuses depth above
 * WEIR_DEPTH_MAX, more than WEIR_FILE_NODES_MAX nodes, duplicate keys, keys that are no scalars, unknown anchors and
 * cycles, NUL. Merge keys (<<) are honoured. Errors carry file, line and column. */
WEIR_CHECKED bool weir_yaml_parse(weir_str text, weir_str file, weir_yaml_booleans booleans,
                                  weir_values *out, weir_error *error);
/* The same, but keys that are there twice go to `repeated`, and the text is read on: of equal keys the first counts. */
WEIR_CHECKED bool weir_yaml_parse_on(weir_str text, weir_str file, weir_yaml_booleans booleans,
                                     weir_values *out, weir_problems *repeated, weir_error *error);

/* Puts "/key" behind the path (see weir_yaml_locate), or "key" when it is empty. */
void weir_path_append(weir_buffer *path, weir_str key);
/* Cuts the first segment off the path; `key` gets it with the escapes undone. */
void weir_path_take(weir_str *path, weir_buffer *key);

/* Where the node at `path` begins in the given document (from 0) of a YAML or JSON text. `path` joins keys and indexes
 * by '/': "spec/templates/0/name"; a '/' inside a key is written "~1", a '~' "~0" (RFC 6901). The place of a mapping's
 * member is that of its key. When the path leads nowhere, the place of the nearest existing parent. False when the
 * text cannot be read as YAML. */
bool weir_yaml_locate(weir_str text, size_t document, weir_str path, uint32_t *line,
                      uint32_t *column);

#endif

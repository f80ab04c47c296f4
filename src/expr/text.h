/* Functions of texts that the language and sprig share, as Go's package strings has them. */
#ifndef WEIR_EXPR_TEXT_H
#define WEIR_EXPR_TEXT_H

#include "expr/expr_internal.h"

/* Without those characters at the ends; `where`: 1 left, 2 right, 3 both. An empty set: blanks. */
weir_str weir__x_trim(weir_str text, weir_str characters, int where);
weir_str weir__x_trim_space(weir_str text);
/* Each character through `map`. */
bool weir__x_map_text(x_machine *m, weir_str text, uint32_t (*map)(uint32_t), x *out);
/* At most `most` parts, any number when it is below 0; `after`: each with its separator. An empty separator: characters. */
bool weir__x_split(x_machine *m, weir_str text, weir_str separator, int64_t most, bool after,
                   x *out);
bool weir__x_replace(x_machine *m, weir_str text, weir_str old, weir_str new, int64_t most, x *out);
bool weir__x_repeat(x_machine *m, weir_str text, int64_t count, x *out);
/* The last occurrence, or SIZE_MAX. */
size_t weir__x_find_last(weir_str text, weir_str what);
bool weir__x_base64_decode(weir_str text, weir_buffer *out);
void weir__x_base64_encode(weir_str text, weir_buffer *out);
/* As strconv.Atoi; false: it is none. */
bool weir__x_parse_int(weir_str text, int64_t *out);
bool weir__x_parse_float(weir_str text, double *out); /* as strconv.ParseFloat */

#endif

/* JSON for bodies, both ways; numbers as texts for forms and queries. Any thread. */
#ifndef WEIR_OPERATIONS_HTTP_JSON_H
#define WEIR_OPERATIONS_HTTP_JSON_H

#include "bytes.h"
#include <weir/operation.h>

/* A new value; NULL when the text is no JSON (RFC 8259), or is deeper than 128. */
weir_value *weir__json_parse(const weir_host *host, weir_str text);
void weir__json_write(const weir_host *host, const weir_value *value, weir__bytes *out);
/* Appends a text, a number, true or false as it stands in a form; false for any other value. */
bool weir__scalar_write(const weir_host *host, const weir_value *value, weir__bytes *out);

#endif

/* Values to YAML, as our reader and those of YAML 1.1 and 1.2 read back to the equal value: block style, a member or an
 * item a line, texts of several lines as literal blocks. What another reader could take for a number, a boolean or null
 * is quoted. Any thread. */
#ifndef WEIR_DATA_YAML_FORMAT_H
#define WEIR_DATA_YAML_FORMAT_H

#include "data/value.h"

/* Appends the value as one document, with a line end. A NUL in a text, which no reader takes, is written "\0"; bytes that
 * are no UTF-8 become U+FFFD. */
void weir_yaml_format(const weir_value *value, weir_buffer *out);

#endif

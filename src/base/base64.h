/* Base64 (RFC 4648, section 4). Pure. */
#ifndef WEIR_BASE_BASE64_H
#define WEIR_BASE_BASE64_H

#include "base/text.h"

/* With or without '=' at its end, of the alphabet for URLs too; false: it is none. */
bool weir_base64_read(weir_str text, weir_buffer *out);
void weir_base64_append(weir_str bytes, weir_buffer *out);

#endif

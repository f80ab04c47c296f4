/* The line that an error is in, with a caret below its place. One thread. */
#ifndef WEIR_CLI_CARET_H
#define WEIR_CLI_CARET_H

#include "base/text.h"

/* A file whose lines are shown, read once. Zeroed at first. */
typedef struct weir_caret_file {
    char name[256];
    weir_buffer text;
} weir_caret_file;

void weir_caret_file_deinit(weir_caret_file *file);
/* Appends the line and the caret; nothing when the error has no place, or its file cannot be read. Of a long line only what is around the
 * place. */
void weir_caret_append(weir_caret_file *file, const weir_error *error, weir_buffer *out);
/* The same of a text that is at hand. */
void weir_caret_append_text(weir_str text, const weir_error *error, weir_buffer *out);

#endif

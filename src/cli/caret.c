#include "cli/caret.h"

#include <stdio.h>

#include "cli/output.h"
#include "data/document.h"

enum { SHOWN_MAX = 100, BEFORE_MAX = 60 }; /* characters */

void weir_caret_file_deinit(weir_caret_file *file) {
    weir_buffer_deinit(&file->text);
}

static bool is_inner(char byte) {
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* The byte at which the character of that column (from 1) begins, or the end. */
static size_t byte_of_column(weir_str line, uint32_t column) {
    size_t at = 0;
    for (uint32_t c = 1; c < column && at < line.length; c++)
        for (at++; at < line.length && is_inner(line.data[at]);) at++;
    return at;
}

/* Files are bytes, what is said is UTF-8. */
static bool is_text(weir_str text) {
    for (size_t at = 0, length; at < text.length; at += length) {
        length = weir_utf8_length(weir_str_slice(text, at, text.length));
        if (!length) return false;
    }
    return true;
}

void weir_caret_append_text(weir_str text, const weir_error *error, weir_buffer *out) {
    size_t from = 0;
    if (!error->line || !error->column) return;
    for (uint32_t line = 1; line < error->line; line++) {
        size_t end = weir_str_find(text, WEIR_STR("\n"), from);
        if (end == SIZE_MAX) return;
        from = end + 1;
    }
    size_t end = weir_str_find(text, WEIR_STR("\n"), from);
    weir_str line = weir_str_slice(text, from, end == SIZE_MAX ? text.length : end);
    uint32_t first = error->column > BEFORE_MAX ? error->column - BEFORE_MAX : 1;
    size_t cut = byte_of_column(line, first), to = byte_of_column(line, first + SHOWN_MAX);
    if (!is_text(weir_str_slice(line, cut, to))) return;
    weir_buffer_text(out, "  ");
    weir_output_plain(out, weir_str_slice(line, cut, to));
    weir_buffer_text(out, "\n  ");
    for (uint32_t column = first; column < error->column; column++) weir_buffer_byte(out, ' ');
    weir_buffer_text(out, "^\n");
}

void weir_caret_append(weir_caret_file *file, const weir_error *error, weir_buffer *out) {
    weir_error ignored;
    if (!error->file[0] || !error->line) return;
    if (strcmp(file->name, error->file) != 0) {
        weir_buffer_clear(&file->text);
        if (!weir_file_read(error->file, WEIR_FILE_BYTES_MAX, &file->text, &ignored))
            weir_buffer_clear(&file->text);
        snprintf(file->name, sizeof file->name, "%s", error->file);
    }
    weir_caret_append_text(weir_buffer_str(&file->text), error, out);
}

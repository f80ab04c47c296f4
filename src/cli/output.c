#include "cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/descriptor.h"

enum { BYTES_ENOUGH = 32 * 1024 };

void weir_output_flush(weir_output *output) {
    if (!output->problem && !weir_descriptor_write(output->fd, weir_buffer_str(&output->text)))
        output->problem = errno;
    weir_buffer_clear(&output->text);
}

bool weir_output_more(weir_output *output) {
    if (output->text.length >= BYTES_ENOUGH) weir_output_flush(output);
    return !output->problem;
}

void weir_output_value(weir_output *output, const weir_value *value, int indent) {
    weir_json_format(value, indent, &output->text);
    weir_buffer_byte(&output->text, '\n');
}

bool weir_output_finish(weir_output *output, const char *name) {
    weir_output_flush(output);
    weir_buffer_deinit(&output->text);
    if (!output->problem) return true;
    fprintf(stderr, "weir: cannot write to %s: %s\n", name, strerror(output->problem));
    return false;
}

void weir_output_clean(weir_buffer *text, size_t from) {
    size_t to = from;
    for (size_t i = from; i < text->length; i++) {
        unsigned char c = (unsigned char)text->data[i];
        /* C1 controls, which terminals obey too, are 0xc2 and a byte below 0xa0 in UTF-8. */
        bool pair =
            c == 0xc2 && i + 1 < text->length && ((unsigned char)text->data[i + 1] & 0xe0) == 0x80;
        text->data[to++] = c < 0x20 || c == 0x7f || pair ? ' ' : text->data[i];
        i += pair;
    }
    if (text->data) text->data[to] = '\0';
    text->length = to;
}

void weir_output_plain(weir_buffer *out, weir_str text) {
    size_t from = out->length;
    weir_buffer_str_append(out, text);
    weir_output_clean(out, from);
}

void weir_output_line(weir_buffer *out, size_t from) {
    weir_output_clean(out, from);
    weir_buffer_byte(out, '\n');
}

void weir_output_problem(const weir_error *error) {
    weir_output out = {.fd = STDERR_FILENO};
    const char *what = error->code == WEIR_OK ? "warning" : "error";
    if (!error->file[0])
        weir_buffer_printf(&out.text, "weir: %s", error->message);
    else if (!error->line)
        weir_buffer_printf(&out.text, "%s: %s: %s", error->file, what, error->message);
    else
        weir_buffer_printf(&out.text, "%s:%u:%u: %s: %s", error->file, error->line, error->column,
                           what, error->message);
    weir_output_line(&out.text, 0);
    size_t from = out.text.length;
    if (error->hint[0]) {
        weir_buffer_printf(&out.text, "  hint: %s", error->hint);
        weir_output_line(&out.text, from);
    }
    weir_output_flush(&out);
    weir_buffer_deinit(&out.text);
}

void weir_output_problem_counted(void *arg, const weir_error *error) {
    *(size_t *)arg += error->code != WEIR_OK;
    weir_output_problem(error);
}

weir_value *weir_output_problem_value(const weir_error *error) {
    weir_value *problem = weir_object_new();
    weir_output_member(problem, "code", error->code ? weir_code_text(error->code) : "warning");
    weir_output_member(problem, "file", error->file);
    weir_member_put(problem, "line", weir_int_new(error->line));
    weir_member_put(problem, "column", weir_int_new(error->column));
    weir_output_member(problem, "message", error->message);
    weir_output_member(problem, "hint", error->hint);
    return problem;
}

void weir_output_member(weir_value *object, const char *name, const char *text) {
    weir_member_put(object, name, weir_string_from(weir_str_from(text)));
}

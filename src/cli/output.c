#include "cli/output.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum { BYTES_ENOUGH = 32 * 1024 };

void weir_output_flush(weir_output *output) {
    size_t written = 0;
    while (!output->problem && written < output->text.length) {
        ssize_t n = write(output->fd, output->text.data + written, output->text.length - written);
        if (n >= 0)
            written += (size_t)n;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            poll(&(struct pollfd){.fd = output->fd, .events = POLLOUT}, 1, -1);
        else if (errno != EINTR)
            output->problem = errno;
    }
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

void weir_output_plain(weir_buffer *out, weir_str text) {
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        /* C1 controls, which terminals obey too, are 0xc2 and a byte below 0xa0 in UTF-8. */
        bool pair = c == 0xc2 && i + 1 < text.length && (unsigned char)text.data[i + 1] < 0xa0;
        if (pair) i++;
        weir_buffer_byte(out, c < 0x20 || c == 0x7f || pair ? ' ' : text.data[i]);
    }
}

void weir_output_problem(const weir_error *error) {
    if (!error->file[0])
        fprintf(stderr, "weir: %s\n", error->message);
    else if (!error->line)
        fprintf(stderr, "%s: error: %s\n", error->file, error->message);
    else
        fprintf(stderr, "%s:%u:%u: error: %s\n", error->file, error->line, error->column,
                error->message);
    if (error->hint[0]) fprintf(stderr, "  hint: %s\n", error->hint);
}

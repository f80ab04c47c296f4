/* What a command writes: a buffer before a file descriptor, which remembers the first error. One thread. */
#ifndef WEIR_CLI_OUTPUT_H
#define WEIR_CLI_OUTPUT_H

#include "data/json.h"

typedef struct weir_output {
    weir_buffer text; /* not yet written; append at will */
    int fd;
    int problem; /* errno of the first failed write; nothing is written after it */
} weir_output;

/* Writes out what is there. */
void weir_output_flush(weir_output *output);
/* The same once it is worth a system call; false when the reader is gone. */
bool weir_output_more(weir_output *output);
/* The value as JSON, in one line or indented, and a line end. */
void weir_output_value(weir_output *output, const weir_value *value, int indent);
/* Writes what is left; says on standard error what went wrong with `name`, and returns whether all went well. */
bool weir_output_finish(weir_output *output, const char *name);

/* Texts for people have nothing in them that would command a terminal: makes blanks of the control characters that
 * stand behind `from`. */
void weir_output_clean(weir_buffer *text, size_t from);
/* Appends the text without them. */
void weir_output_plain(weir_buffer *out, weir_str text);
/* Ends the line that begins at `from`, without them. */
void weir_output_line(weir_buffer *out, size_t from);
/* "file:line:column: error: …" or "weir: …", and the hint below it, on standard error. */
void weir_output_problem(const weir_error *error);
/* For weir_run_start and its like: `arg` is a size_t that counts those which are no warnings. */
void weir_output_problem_counted(void *arg, const weir_error *error);
/* The same as a value: {code, file, line, column, message, hint}, the code of a warning being "warning". */
weir_value *weir_output_problem_value(const weir_error *error);
/* Sets a member of an answer to the text. */
void weir_output_member(weir_value *object, const char *name, const char *text);

#endif

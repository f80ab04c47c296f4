/* Reading and writing whole files. Failures name the path. */
#ifndef WEIR_OPERATIONS_FILE_IO_H
#define WEIR_OPERATIONS_FILE_IO_H

#include "text.h"

/* Fails with what errno says; false. */
bool weir__file_fail(const weir_host *host, weir_call *call, const char *path);
/* A descriptor of a regular file, its size; -1 after failing. The caller closes it. */
int weir__file_open(const weir_host *host, weir_call *call, const char *path, uint64_t *size);
/* All of a text file of at most TEXT_BYTES_MAX; in the memory of the call, a NUL behind it. */
bool weir__file_read(const weir_host *host, weir_call *call, const char *path, weir_str *text);
/* Replaces or makes the file: whoever reads it sees what was before or all of the text, also after a power cut. It keeps
 * its permissions; a symbolic link keeps leading to it. */
bool weir__file_write(const weir_host *host, weir_call *call, const char *path, weir_str text);

#endif

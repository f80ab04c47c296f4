/* A file that appears under its name when it is whole: written beside it under a hidden name, and renamed. What was
 * there before stays until then, and after a failure. Belongs to the call; one thread.
 *
 * A process that is killed meanwhile leaves the hidden file: .NAME.weir-XXXXXXXXXXXXXXXX. */
#ifndef WEIR_OPERATIONS_NEW_FILE_H
#define WEIR_OPERATIONS_NEW_FILE_H

#include "parameter.h"

typedef struct new_file {
    const weir_host *host;
    weir_call *call;
    const char *path, *temporary; /* the call's memory */
    int descriptor;               /* -1: closed */
} new_file;

/* The call fails with what errno says. */
bool fail_errno(const weir_host *host, weir_call *call, const char *path);
/* A hidden name beside the path that nothing has. */
const char *temporary_name(const weir_host *host, weir_call *call, const char *path);

/* Replaces the file there, or what a link there leads to; refuses anything that is no file. */
bool new_file_open(const weir_host *host, weir_call *call, const char *path, new_file *out);
bool new_file_write(new_file *file, const void *data, size_t size);
/* Makes it durable and gives it its name. */
bool new_file_finish(new_file *file);
/* Removes what was not finished. */
void new_file_close(new_file *file);

/* Opens a file to read: a descriptor and its size; -1 when the call has failed. */
int open_input(const weir_host *host, weir_call *call, const char *path, uint64_t *size);

#endif

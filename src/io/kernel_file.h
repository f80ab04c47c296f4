/* The small files in which the kernel tells numbers and words, below /proc and /sys. Any thread. */
#ifndef WEIR_IO_KERNEL_FILE_H
#define WEIR_IO_KERNEL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* At most size - 1 of its first bytes, and '\0'. False: it is not there, may not be read, or is empty; then `out` is too. */
bool weir_kernel_text(const char *path, char *out, size_t size);
/* The number that it begins with. False: there is none, and *out is as it was. */
bool weir_kernel_number(const char *path, uint64_t *out);

#endif

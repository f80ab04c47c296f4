#include "io/kernel_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

bool weir_kernel_text(const char *path, char *out, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = fd >= 0 ? read(fd, out, size - 1) : -1;
    if (fd >= 0) close(fd);
    out[count > 0 ? count : 0] = '\0';
    return count > 0;
}

bool weir_kernel_number(const char *path, uint64_t *out) {
    char text[64], *end;
    if (!weir_kernel_text(path, text, sizeof text)) return false;
    uint64_t number = strtoull(text, &end, 10);
    if (end == text) return false;
    *out = number;
    return true;
}

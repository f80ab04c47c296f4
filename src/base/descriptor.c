#include "base/descriptor.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { PIECE_BYTES = 64 * 1024 };

bool weir_descriptor_write(int fd, weir_str bytes) {
    while (bytes.length) {
        ssize_t wrote = write(fd, bytes.data, bytes.length);
        if (wrote > 0)
            bytes = weir_str_slice(bytes, (size_t)wrote, bytes.length);
        else if (wrote < 0 && errno == EAGAIN)
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        else if (wrote < 0 && errno != EINTR)
            return false;
    }
    return true;
}

ssize_t weir_descriptor_read(int fd, weir_buffer *text, size_t *at, int wait_ms) {
    int found = poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, wait_ms);
    if (found == 0) errno = EAGAIN;
    if (found <= 0) return -1;
    if (*at) {
        text->length -= *at;
        memmove(text->data, text->data + *at, text->length);
        *at = 0;
    }
    weir_buffer_reserve(text, PIECE_BYTES);
    ssize_t count = read(fd, text->data + text->length, PIECE_BYTES);
    if (count > 0) text->length += (size_t)count;
    return count;
}

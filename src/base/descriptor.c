#include "base/descriptor.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

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

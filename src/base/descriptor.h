/* Bytes into file descriptors, and out of them. Any thread. */
#ifndef WEIR_BASE_DESCRIPTOR_H
#define WEIR_BASE_DESCRIPTOR_H

#include <sys/types.h>

#include "base/text.h"

/* Writes all of it, waiting where a descriptor that does not block takes no more; else false, and errno says why. */
WEIR_CHECKED bool weir_descriptor_write(int fd, weir_str bytes);
/* A piece of what there is now, or comes within wait_ms, behind `text`, whose first *at bytes were taken and go; *at is 0 then. How
 * many bytes; 0: it ended; -1: errno says why, EAGAIN when nothing came. */
ssize_t weir_descriptor_read(int fd, weir_buffer *text, size_t *at, int wait_ms);

#endif

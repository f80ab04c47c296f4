/* Bytes into file descriptors. Any thread. */
#ifndef WEIR_BASE_DESCRIPTOR_H
#define WEIR_BASE_DESCRIPTOR_H

#include "base/text.h"

/* Writes all of it, waiting where a descriptor that does not block takes no more; else false, and errno says why. */
WEIR_CHECKED bool weir_descriptor_write(int fd, weir_str bytes);

#endif

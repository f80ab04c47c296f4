/* A descriptor that goes to another process over a local socket, for weir-init too: with nothing but the C library. Any thread. */
#ifndef WEIR_BASE_PASS_H
#define WEIR_BASE_PASS_H

#include <stddef.h>
#include <sys/types.h>

/* Sends `fd`, which stays open here, with `size` bytes, at least one. -1 and errno, as sendmsg. */
ssize_t weir__pass_send(int socket, int fd, void *bytes, size_t size);
/* What came, without waiting: as recvmsg, and in `fd` the descriptor, which closes on exec; -1: there was none. */
ssize_t weir__pass_take(int socket, int *fd, void *bytes, size_t size);

#endif

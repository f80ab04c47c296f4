/* A channel to another process: messages of bytes, with descriptors, both ways over a pair of sockets. Each message is a 32-bit
 * length and a 32-bit count of the descriptors that came before it, little-endian, then its bytes; a descriptor comes with a header whose
 * length is UINT32_MAX. The loop's thread. */
#ifndef WEIR_IO_CHANNEL_H
#define WEIR_IO_CHANNEL_H

#include "base/text.h"
#include "io/loop.h"

typedef struct weir_channel weir_channel;

enum { WEIR_CHANNEL_DESCRIPTORS_MAX = 1024 }; /* of a message */

typedef struct weir_channel_options {
    size_t message_max; /* bytes; longer ones end the channel */
    /* One message. Its descriptors are the callee's to close. It may close the channel. */
    void (*message)(void *arg, weir_str bytes, const int *descriptors, size_t count);
    /* The other end is gone, or what it sent is no message: nothing comes any more. Called once. */
    void (*gone)(void *arg);
    void *arg;
} weir_channel_options;

/* A pair: a channel here, and the end for another process, which the caller closes. IO when there is no socket. */
WEIR_CHECKED bool weir_channel_open(weir_loop *loop, const weir_channel_options *options,
                                    weir_channel **out, int *other, weir_error *error);
/* Sends what can be sent at once, keeps the rest; nothing when the other end is gone. The descriptors stay the caller's, who may close
 * them. `bytes` are copied where they have to be. */
void weir_channel_send(weir_channel *channel, weir_str bytes, const int *descriptors, size_t count);
/* Bytes that are still to be sent. */
size_t weir_channel_unsent(const weir_channel *channel);
/* Waits for one message at most so long, and hands it on; false when none came, or the other end is gone. The loop does not turn. */
bool weir_channel_wait(weir_channel *channel, uint64_t timeout_us);
void weir_channel_close(weir_channel *channel); /* NULL is allowed */

#endif

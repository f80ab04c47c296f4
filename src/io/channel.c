#include "io/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/pass.h"
#include "base/vector.h"

enum { HEADER_BYTES = 8, READ_BYTES = 256 * 1024, SOCKET_BYTES = 1024 * 1024 };

/* A descriptor that waits for its place among the bytes. */
typedef struct departure {
    size_t at; /* of its header, in the bytes that are unsent */
    int fd;
} departure;

struct weir_channel {
    uv_poll_t poll;
    int fd;
    int events; /* that are waited for */
    weir_channel_options options;
    weir_buffer in, out;
    size_t taken, sent; /* of `in`, of `out` */
    WEIR_VECTOR(departure) departures;
    size_t departed;
    WEIR_VECTOR(int) arrived; /* descriptors whose message is still to come */
    unsigned calls;           /* of its callbacks that are under way */
    uint64_t messages;        /* that were handed on */
    bool gone, told, closed;
};

static void put_u32(weir_buffer *buffer, uint32_t number) {
    unsigned char bytes[4] = {(unsigned char)number, (unsigned char)(number >> 8),
                              (unsigned char)(number >> 16), (unsigned char)(number >> 24)};
    weir_buffer_append(buffer, bytes, sizeof bytes);
}

static uint32_t get_u32(const char *bytes) {
    const unsigned char *b = (const unsigned char *)bytes;
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void ready(uv_poll_t *poll, int status, int events);

static void watch(weir_channel *channel) {
    int events = channel->gone ? 0 : UV_READABLE;
    if (!channel->gone && weir_channel_unsent(channel)) events |= UV_WRITABLE;
    if (events == channel->events || channel->closed) return;
    channel->events = events;
    if (events)
        uv_poll_start(&channel->poll, events, ready);
    else
        uv_poll_stop(&channel->poll);
}

/* --- out -------------------------------------------------------------------------------------- */

size_t weir_channel_unsent(const weir_channel *channel) {
    return channel->out.length - channel->sent;
}

static void forget_departures(weir_channel *channel) {
    while (channel->departed < channel->departures.count)
        close(channel->departures.items[channel->departed++].fd);
    channel->departures.count = channel->departed = 0;
}

static void end(weir_channel *channel) {
    channel->gone = true;
    weir_buffer_clear(&channel->out);
    channel->sent = 0;
    forget_departures(channel);
}

/* One piece: up to the next descriptor, which goes with the bytes behind it, so that nobody is woken for a part of a message. */
static ssize_t send_piece(weir_channel *channel) {
    const departure *next = channel->departures.items + channel->departed;
    size_t left = channel->departures.count - channel->departed;
    bool due = left && next->at == channel->sent;
    size_t until = left > due ? next[due].at : channel->out.length;
    char *from = channel->out.data + channel->sent;
    if (!due) return send(channel->fd, from, until - channel->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    ssize_t sent = weir__pass_send(channel->fd, next->fd, from, until - channel->sent);
    if (sent <= 0) return sent;
    close(next->fd);
    channel->departed++;
    return sent;
}

static void flush(weir_channel *channel) {
    while (!channel->gone && weir_channel_unsent(channel)) {
        ssize_t sent = send_piece(channel);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ETOOMANYREFS)) break;
        if (sent <= 0) {
            end(channel);
            break;
        }
        channel->sent += (size_t)sent;
    }
    if (!weir_channel_unsent(channel)) {
        weir_buffer_clear(&channel->out);
        channel->sent = channel->departed = channel->departures.count = 0;
    }
    watch(channel);
}

void weir_channel_send(weir_channel *channel, weir_str bytes, const int *descriptors,
                       size_t count) {
    weir_assert(bytes.length < UINT32_MAX && count <= WEIR_CHANNEL_DESCRIPTORS_MAX);
    if (channel->gone) return;
    for (size_t i = 0; i < count; i++) {
        int fd = fcntl(descriptors[i], F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            end(channel); /* the message would name what does not come */
            watch(channel);
            return;
        }
        *weir_vector_push(&channel->departures) = (departure){channel->out.length, fd};
        put_u32(&channel->out, UINT32_MAX);
        put_u32(&channel->out, 0);
    }
    put_u32(&channel->out, (uint32_t)bytes.length);
    put_u32(&channel->out, (uint32_t)count);
    weir_buffer_str_append(&channel->out, bytes);
    flush(channel);
}

/* --- in --------------------------------------------------------------------------------------- */

static void tell_gone(weir_channel *channel) {
    if (channel->told || channel->closed) return;
    end(channel);
    channel->told = true;
    watch(channel);
    channel->options.gone(channel->options.arg);
}

/* True when there may be another; false: it is not whole yet, or the channel has come to its end. */
static bool take_message(weir_channel *channel) {
    size_t left = channel->in.length - channel->taken;
    const char *at = channel->in.data + channel->taken;
    if (channel->closed || left < HEADER_BYTES) return false;
    uint32_t length = get_u32(at), count = get_u32(at + 4);
    if (length == UINT32_MAX) { /* of a descriptor, which came with it */
        channel->taken += HEADER_BYTES;
        return true;
    }
    if (length > channel->options.message_max || count > channel->arrived.count) {
        tell_gone(channel);
        return false;
    }
    if (left - HEADER_BYTES < length) {
        weir_buffer_reserve(&channel->in, HEADER_BYTES + length);
        return false;
    }
    channel->taken += HEADER_BYTES + length;
    channel->messages++;
    int descriptors[WEIR_CHANNEL_DESCRIPTORS_MAX];
    if (count) memcpy(descriptors, channel->arrived.items, count * sizeof *descriptors);
    channel->arrived.count -= count;
    if (count && channel->arrived.count)
        memmove(channel->arrived.items, channel->arrived.items + count,
                channel->arrived.count * sizeof *descriptors);
    channel->options.message(channel->options.arg, (weir_str){at + HEADER_BYTES, length},
                             descriptors, count);
    return true;
}

static bool read_some(weir_channel *channel) {
    if (channel->taken == channel->in.length) {
        weir_buffer_clear(&channel->in);
        channel->taken = 0;
    } else if (channel->taken > READ_BYTES) {
        channel->in.length -= channel->taken;
        memmove(channel->in.data, channel->in.data + channel->taken, channel->in.length);
        channel->taken = 0;
    }
    weir_buffer_reserve(&channel->in, READ_BYTES);
    int fd = -1;
    ssize_t length = weir__pass_take(channel->fd, &fd, channel->in.data + channel->in.length,
                                     channel->in.capacity - channel->in.length - 1);
    if (fd >= 0 && channel->arrived.count < WEIR_CHANNEL_DESCRIPTORS_MAX)
        *weir_vector_push(&channel->arrived) = fd;
    else if (fd >= 0)
        close(fd);
    if (length > 0) channel->in.length += (size_t)length;
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (length <= 0) tell_gone(channel);
    return length > 0;
}

static void destroy(weir_channel *channel);

static void leave_call(weir_channel *channel) {
    if (!--channel->calls && channel->closed) destroy(channel);
}

static void ready(uv_poll_t *poll, int status, int events) {
    weir_channel *channel = poll->data;
    channel->calls++;
    if (events & UV_WRITABLE) flush(channel);
    if (status < 0)
        tell_gone(channel);
    else if ((events & UV_READABLE) && !channel->gone && read_some(channel))
        while (take_message(channel)) continue;
    leave_call(channel);
}

bool weir_channel_wait(weir_channel *channel, uint64_t timeout_us) {
    uint64_t until_us = weir_clock_steady_us() + timeout_us, messages = channel->messages;
    channel->calls++;
    for (bool more = true;;) {
        while (channel->messages == messages && take_message(channel)) continue;
        if (channel->messages != messages || channel->gone || channel->closed || !more) break;
        flush(channel);
        uint64_t now_us = weir_clock_steady_us();
        uint64_t left_ms = now_us < until_us ? (until_us - now_us + 999) / 1000 : 0;
        struct pollfd asked = {.fd = channel->fd, .events = POLLIN};
        if (weir_channel_unsent(channel)) asked.events |= POLLOUT;
        int ready = poll(&asked, 1, left_ms > 1000 ? 1000 : (int)left_ms);
        bool readable = ready > 0 && (asked.revents & ~POLLOUT) && !channel->gone;
        if (readable) read_some(channel);
        more = readable || left_ms;
    }
    bool came = channel->messages != messages;
    leave_call(channel);
    return came;
}

/* --- begin and end ------------------------------------------------------------------------------ */

static void closed(uv_handle_t *handle) {
    weir_free(handle->data);
}

static void destroy(weir_channel *channel) {
    end(channel);
    uv_poll_stop(&channel->poll);
    close(channel->fd);
    for (size_t i = 0; i < channel->arrived.count; i++) close(channel->arrived.items[i]);
    weir_vector_deinit(&channel->arrived);
    weir_vector_deinit(&channel->departures);
    weir_buffer_deinit(&channel->in);
    weir_buffer_deinit(&channel->out);
    uv_close((uv_handle_t *)&channel->poll, closed);
}

bool weir_channel_open(weir_loop *loop, const weir_channel_options *options, weir_channel **out,
                       int *other, weir_error *error) {
    int ends[2], size = SOCKET_BYTES;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return weir_fail(error, WEIR_IO, "no socket: %s", strerror(errno));
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 2; i++) setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    weir_channel *channel = weir_alloc(sizeof *channel);
    channel->fd = ends[0];
    channel->options = *options;
    if (uv_poll_init(weir__loop_uv(loop), &channel->poll, ends[0])) {
        close(ends[0]);
        close(ends[1]);
        weir_free(channel);
        return weir_fail(error, WEIR_IO, "a socket cannot be watched");
    }
    channel->poll.data = channel;
    watch(channel);
    *out = channel;
    *other = ends[1];
    return true;
}

void weir_channel_close(weir_channel *channel) {
    if (!channel || channel->closed) return;
    channel->closed = true;
    if (!channel->calls) destroy(channel);
}

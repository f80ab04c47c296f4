#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include "io/loop.h"

enum {
    LINE_BYTES_MAX = 64 * 1024,
    ANSWER_BYTES_MAX = 16 * 1024 * 1024,
    CLIENTS_MAX = 64,
    SILENCE_MS_MAX = 5000
};

typedef struct client {
    uv_pipe_t pipe;
    uv_timer_t silence;
    uv_write_t write;
    unsigned open; /* handles */
    weir_listener *listener;
    uint64_t ticket; /* 0: its answer is not deferred */
    struct client *next, *previous;
    weir_buffer in, out;
} client;

struct weir_listener {
    uv_pipe_t server;
    char *path;
    dev_t device; /* of the socket file */
    ino_t inode;
    void (*answer)(void *arg, weir_str line, weir_buffer *out);
    void *arg;
    client *clients, *asking; /* asking: whose line is being answered */
    size_t count;
    uint64_t tickets;
};

/* A socket's address; the directory stays open while it is used, for paths that do not fit. */
typedef struct place {
    struct sockaddr_un address;
    int directory;
} place;

static bool place_open(const char *path, place *out, weir_error *error) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    weir_buffer parent = {0};
    weir_buffer_append(&parent, slash ? path : ".", slash > path ? (size_t)(slash - path) : 1);
    int directory = open(parent.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int reason = errno;
    weir_buffer_deinit(&parent);
    if (directory < 0)
        return weir_fail(error, reason == ENOENT || reason == ENOTDIR ? WEIR_NOT_FOUND : WEIR_IO,
                         "the directory of the socket `%s` cannot be opened: %s", path,
                         strerror(reason));
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t room = sizeof address.sun_path;
    int length = strlen(path) < room
                     ? snprintf(address.sun_path, room, "%s", path)
                     : snprintf(address.sun_path, room, "/proc/self/fd/%d/%s", directory, name);
    if (length < 0 || (size_t)length >= room) {
        close(directory);
        return weir_fail(error, WEIR_LIMIT, "the name of the socket `%s` is too long", path);
    }
    *out = (place){address, directory};
    return true;
}

static bool place_connect(const place *at, int fd) {
    return connect(fd, (const struct sockaddr *)&at->address, sizeof at->address) == 0;
}

static bool nobody_listens(int reason) {
    return reason == ENOENT || reason == ECONNREFUSED;
}

static void free_handle(uv_handle_t *handle) {
    weir_free(handle);
}

static void client_closed(uv_handle_t *handle) {
    client *c = handle->data;
    if (--c->open) return;
    weir_buffer_deinit(&c->in);
    weir_buffer_deinit(&c->out);
    weir_free(c);
}

static void client_close(client *c) {
    if (uv_is_closing((uv_handle_t *)&c->silence)) return;
    weir_listener *listener = c->listener;
    if (c->next) c->next->previous = c->previous;
    *(c->previous ? &c->previous->next : &listener->clients) = c->next;
    listener->count--;
    uv_close((uv_handle_t *)&c->silence, client_closed);
    uv_close((uv_handle_t *)&c->pipe, client_closed);
}

static void client_silent(uv_timer_t *silence) {
    client_close(silence->data);
}

static void client_answered(uv_write_t *write, int status) {
    (void)status;
    client_close(write->data);
}

static void client_answer(client *c) {
    weir_assert(!c->out.length || !memchr(c->out.data, '\n', c->out.length));
    weir_buffer_byte(&c->out, '\n');
    uv_buf_t bytes = uv_buf_init(c->out.data, (unsigned)c->out.length);
    if (uv_write(&c->write, (uv_stream_t *)&c->pipe, &bytes, 1, client_answered)) client_close(c);
}

static void client_line(client *c, weir_str line) {
    c->listener->asking = c;
    c->listener->answer(c->listener->arg, line, &c->out);
    /* The answer may have closed the listener, and so this client. */
    if (uv_is_closing((uv_handle_t *)&c->silence)) return;
    c->listener->asking = NULL;
    uv_read_stop((uv_stream_t *)&c->pipe);
    if (!c->ticket) client_answer(c);
}

uint64_t weir_listener_defer(weir_listener *listener) {
    weir_assert(listener->asking);
    return listener->asking->ticket = ++listener->tickets;
}

void weir_listener_undefer(weir_listener *listener) {
    weir_assert(listener->asking);
    listener->asking->ticket = 0;
}

void weir_listener_answer(weir_listener *listener, uint64_t ticket, weir_str text) {
    client *c = listener->clients;
    while (c && c->ticket != ticket) c = c->next;
    if (!c || c == listener->asking) {
        weir_assert(!c); /* it would be answered within its own question */
        return;
    }
    c->ticket = 0;
    weir_buffer_clear(&c->out);
    weir_buffer_str_append(&c->out, text);
    client_answer(c);
}

static void client_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    (void)suggested;
    client *c = handle->data;
    weir_buffer_reserve(&c->in, 4096);
    *out = uv_buf_init(c->in.data + c->in.length, 4096);
}

static void client_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *bytes) {
    client *c = stream->data;
    if (count == 0) return;
    if (count < 0) {
        client_close(c);
        return;
    }
    uv_timer_again(&c->silence);
    const char *end = memchr(bytes->base, '\n', (size_t)count);
    size_t length = end ? (size_t)(end - c->in.data) : c->in.length + (size_t)count;
    c->in.length += (size_t)count;
    c->in.data[c->in.length] = 0;
    if (length > LINE_BYTES_MAX)
        client_close(c);
    else if (end)
        client_line(c, (weir_str){c->in.data, length});
}

static void client_open(uv_stream_t *server, int status) {
    if (status < 0) return;
    weir_listener *listener = server->data;
    client *c = weir_alloc(sizeof *c);
    c->listener = listener;
    c->open = 2;
    c->pipe.data = c->silence.data = c->write.data = c;
    uv_pipe_init(server->loop, &c->pipe, 0);
    uv_timer_init(server->loop, &c->silence);
    uv_timer_start(&c->silence, client_silent, SILENCE_MS_MAX, SILENCE_MS_MAX);
    c->next = listener->clients;
    if (c->next) c->next->previous = c;
    listener->clients = c;
    listener->count++;
    if (uv_accept(server, (uv_stream_t *)&c->pipe) || listener->count > CLIENTS_MAX ||
        uv_read_start((uv_stream_t *)&c->pipe, client_room, client_read))
        client_close(c);
}

/* Binds and listens. The lock on the directory keeps two processes from replacing each other's socket: between its
 * test and its bind neither sees the other's. */
static bool place_listen(const place *at, const char *path, int *out, weir_error *error) {
    const struct sockaddr *address = (const struct sockaddr *)&at->address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int reason = 0;
    if (fd < 0) return weir_fail(error, WEIR_IO, "no socket: %s", strerror(errno));
    fchmod(fd, 0600);
    flock(at->directory, LOCK_EX);
    if (bind(fd, address, sizeof at->address) < 0) reason = errno;
    if (reason == EADDRINUSE) {
        int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (other >= 0 && !place_connect(at, other) && nobody_listens(errno)) {
            unlink(path);
            reason = bind(fd, address, sizeof at->address) < 0 ? errno : 0;
        }
        if (other >= 0) close(other);
    }
    if (!reason && listen(fd, CLIENTS_MAX) < 0) reason = errno;
    flock(at->directory, LOCK_UN);
    if (!reason) {
        *out = fd;
        return true;
    }
    close(fd);
    if (reason == EADDRINUSE)
        return weir_fail(error, WEIR_CONFLICT, "another process listens on `%s`", path);
    return weir_fail(error, WEIR_IO, "cannot listen on `%s`: %s", path, strerror(reason));
}

bool weir_listener_open(weir_loop *loop, const char *path,
                        void (*answer)(void *arg, weir_str line, weir_buffer *out), void *arg,
                        weir_listener **out, weir_error *error) {
    place at = {.directory = -1};
    if (!place_open(path, &at, error)) return false;
    int fd = -1;
    bool ok = place_listen(&at, path, &fd, error);
    close(at.directory);
    if (!ok) return false;
    weir_listener *listener = weir_alloc(sizeof *listener);
    listener->path = weir_str_dup(weir_str_from(path));
    struct stat file = {0};
    if (stat(path, &file) == 0) {
        listener->device = file.st_dev;
        listener->inode = file.st_ino;
    }
    listener->answer = answer;
    listener->arg = arg;
    listener->server.data = listener;
    uv_pipe_init(weir__loop_uv(loop), &listener->server, 0);
    int failed = uv_pipe_open(&listener->server, fd);
    if (failed) close(fd);
    if (!failed) failed = uv_listen((uv_stream_t *)&listener->server, CLIENTS_MAX, client_open);
    if (failed) {
        weir_listener_close(listener);
        return weir_fail(error, WEIR_IO, "cannot listen on `%s`: %s", path, uv_strerror(failed));
    }
    *out = listener;
    return true;
}

void weir_listener_close(weir_listener *listener) {
    while (listener->clients) client_close(listener->clients);
    /* Before the socket closes: after it, the file may be another process's. So it is when that one took the run over. */
    struct stat file;
    if (stat(listener->path, &file) == 0 && file.st_dev == listener->device &&
        file.st_ino == listener->inode)
        unlink(listener->path);
    weir_free(listener->path);
    uv_close((uv_handle_t *)&listener->server, free_handle);
}

static bool ask_failed(const char *path, int reason, weir_error *error) {
    if (nobody_listens(reason))
        return weir_fail(error, WEIR_NOT_FOUND, "nobody listens on `%s`", path);
    if (reason == EAGAIN || reason == EINPROGRESS)
        return weir_fail(error, WEIR_EXPIRED, "no answer from `%s` in time", path);
    return weir_fail(error, WEIR_IO, "no answer from `%s`: %s", path,
                     reason ? strerror(reason) : "the other end closed");
}

/* Reads up to the end of the line. Returns 0, or errno; `*closed` when the other end went away. */
static int receive_line(int fd, uint64_t due_us, weir_buffer *line, bool *closed) {
    for (;;) {
        uint64_t now_us = weir_clock_steady_us();
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        uint64_t left_ms = due_us > now_us ? (due_us - now_us + 999) / 1000 : 0;
        if (left_ms == 0 || poll(&wait, 1, left_ms > 1000000 ? 1000000 : (int)left_ms) == 0)
            return EAGAIN;
        weir_buffer_reserve(line, 4096);
        ssize_t count = recv(fd, line->data + line->length, 4096, MSG_DONTWAIT);
        if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (count < 0) return errno;
        *closed = count == 0;
        if (*closed) return 0;
        line->length += (size_t)count;
        line->data[line->length] = 0;
        if (line->data[line->length - 1] == '\n') {
            line->data[--line->length] = 0;
            return 0;
        }
        if (line->length > ANSWER_BYTES_MAX) return EMSGSIZE;
    }
}

bool weir_ask(const char *path, weir_str line, uint64_t timeout_us, weir_buffer *answer,
              weir_error *error) {
    weir_assert(!line.length || !memchr(line.data, '\n', line.length));
    if (line.length > LINE_BYTES_MAX)
        return weir_fail(error, WEIR_LIMIT, "a question may have %d bytes", LINE_BYTES_MAX);
    place at = {.directory = -1};
    if (!place_open(path, &at, error)) return false;
    uint64_t due_us = weir_clock_steady_us() + timeout_us;
    struct timeval limit = {(time_t)(timeout_us / 1000000), (suseconds_t)(timeout_us % 1000000)};
    weir_buffer question = {0}, received = {0};
    weir_buffer_str_append(&question, line);
    weir_buffer_byte(&question, '\n');
    bool closed = false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), reason = 0;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ||
        !place_connect(&at, fd))
        reason = errno;
    for (size_t sent = 0; !reason && sent < question.length;) {
        ssize_t n = send(fd, question.data + sent, question.length - sent, MSG_NOSIGNAL);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno != EINTR)
            reason = errno;
    }
    if (!reason) reason = receive_line(fd, due_us, &received, &closed);
    if (fd >= 0) close(fd);
    close(at.directory);
    if (!reason && !closed) weir_buffer_str_append(answer, weir_buffer_str(&received));
    weir_buffer_deinit(&question);
    weir_buffer_deinit(&received);
    return reason || closed ? ask_failed(path, reason, error) : true;
}

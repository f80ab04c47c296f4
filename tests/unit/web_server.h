/* A web server for tests: HTTP/1.1 on loopback, a thread for each connection, what a path does is in `answer`. It counts the
 * requests by path. Include it in one file of a program; `server_start` once, `server_port` after it. */
#ifndef WEIR_TESTS_WEB_SERVER_H
#define WEIR_TESTS_WEB_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct exchange {
    int fd;
    char head[16384]; /* the request's lines; then its body */
    char method[40], path[4096];
    const char *lines, *body;
    size_t body_length;
    bool close;
} exchange;

static int server_socket = -1;
static unsigned server_port;
static pthread_t server_thread;
static pthread_mutex_t server_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t server_changed = PTHREAD_COND_INITIALIZER;
static unsigned gathered, gathered_most, connections;
static struct {
    char path[200];
    unsigned count;
} counted[100];

/* How often the path was asked for. */
static unsigned *server_count(const char *path) {
    size_t i = 0;
    while (counted[i].path[0] && strcmp(counted[i].path, path) != 0) i++;
    snprintf(counted[i].path, sizeof counted[i].path, "%.199s", path);
    return &counted[i].count;
}

static unsigned requests_of(const char *path) {
    pthread_mutex_lock(&server_lock);
    unsigned count = *server_count(path);
    pthread_mutex_unlock(&server_lock);
    return count;
}

/* --- answers --- */

static void put_bytes(const exchange *x, const void *data, size_t length) {
    for (size_t at = 0; at < length;) {
        ssize_t n = send(x->fd, (const char *)data + at, length - at, MSG_NOSIGNAL);
        if (n <= 0) return;
        at += (size_t)n;
    }
}

__attribute__((format(printf, 5, 6))) static void
reply(const exchange *x, int status, const void *body, size_t length, const char *headers, ...) {
    char head[8192], more[6000];
    va_list arguments;
    va_start(arguments, headers);
    vsnprintf(more, sizeof more, headers, arguments);
    va_end(arguments);
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d Because\r\nContent-Length: %zu\r\n%s\r\n",
                     status, length, more);
    put_bytes(x, head, (size_t)n);
    if (strcmp(x->method, "HEAD") != 0 && status != 204) put_bytes(x, body, length);
}

static void reply_text(const exchange *x, int status, const char *text) {
    reply(x, status, text, strlen(text), "Content-Type: text/plain\r\n");
}

static void sleep_ms(long ms) {
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* Answers when `wanted` requests are there, or after ten seconds. */
static void gather(const exchange *x, unsigned wanted) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    pthread_mutex_lock(&server_lock);
    gathered++;
    if (gathered > gathered_most) gathered_most = gathered;
    pthread_cond_broadcast(&server_changed);
    while (gathered_most < wanted &&
           pthread_cond_timedwait(&server_changed, &server_lock, &until) == 0) {
    }
    gathered--;
    pthread_mutex_unlock(&server_lock);
    reply_text(x, 200, "there");
}

typedef struct raw_answer {
    const char *path, *headers, *body;
    size_t length;
} raw_answer;

#define RAW(path, headers, body)                                                                   \
    { path, headers, body, sizeof(body) - 1 }

static const raw_answer raw_answers[] = {
    RAW("/utf8", "Content-Type: text/html; charset=\"UTF-8\"\r\n", "\xc3\xa4\xff\x00z"),
    RAW("/latin", "Content-Type: text/html; charset=ISO-8859-1\r\n", "\xe4\x80"),
    RAW("/unsaid", "Content-Type: text/html\r\n", "gr\xfc\xdf"),
    RAW("/mark", "Content-Type: text/plain\r\n", "\xef\xbb\xbf\xc3\xa4"),
    RAW("/other", "Content-Type: text/plain; charset=koi8-r\r\n", "\xc1\xc2\xc3\xc4"),
    RAW("/binary", "Content-Type: image/png\r\n", "\x89PNG"),
    RAW("/typeless", "", "text"),
    RAW("/json", "Content-Type: application/json\r\n",
        "{\"a\":[1,-2.5,true,null,\"\\u00e4\\u0000\"],\"b\":18446744073709551615,\"c\":0.1}"),
    RAW("/problem", "Content-Type: application/problem+json\r\n", " 17 "),
    RAW("/broken", "Content-Type: application/json\r\n", "{\"a\":"),
    RAW("/unlikely", "Content-Type: text/plain\r\n", "[1]"),
    RAW("/deep", "Content-Type: application/json\r\n",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
        "["),
    RAW("/many", "X-A: 1\r\nx-a: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-B: \xe4\r\n", ""),
    RAW("/gzip", "Content-Encoding: gzip\r\nContent-Type: text/plain\r\n",
        "\037\213\010\000\000\000\000\000\002\003\113\114\034\005\243\140\024\014\167\000\000\003"
        "\332\070\232\350\003\000\000"),
    RAW("/nogzip", "Content-Encoding: gzip\r\nContent-Type: text/plain\r\n", "plain"),
};

static bool answer_raw(const exchange *x) {
    for (size_t i = 0; i < sizeof raw_answers / sizeof *raw_answers; i++) {
        const raw_answer *raw = &raw_answers[i];
        if (strcmp(raw->path, x->path) != 0) continue;
        reply(x, 200, raw->body, raw->length, "%s", raw->headers);
        return true;
    }
    return false;
}

/* The lines of the request as they came, but for what is the same in all. */
static void echo(const exchange *x) {
    char text[20000];
    int n = snprintf(text, sizeof text, "%s %s\n", x->method, x->path);
    static const char *const usual[] = {"Host:", "Accept:", "Accept-Encoding:"};
    for (const char *line = x->lines, *end; (end = strstr(line, "\r\n")) && end > line;
         line = end + 2) {
        bool skip = false;
        for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
            skip |= strncmp(line, usual[i], strlen(usual[i])) == 0;
        if (!skip)
            n += snprintf(text + n, sizeof text - (size_t)n, "%.*s\n", (int)(end - line), line);
    }
    n += snprintf(text + n, sizeof text - (size_t)n, "\n%.*s", (int)x->body_length, x->body);
    reply(x, 200, text, (size_t)n, "Content-Type: text/plain; charset=utf-8\r\n");
}

static void endless_headers(exchange *x) {
    static const char line[] = "X-More: 0123456789012345678901234567890123456789\r\n";
    static const char begin[] = "HTTP/1.1 200 OK\r\n";
    put_bytes(x, begin, sizeof begin - 1);
    for (size_t i = 0; i < 20000; i++) put_bytes(x, line, sizeof line - 1);
    x->close = true;
}

static void answer(exchange *x, unsigned before) {
    unsigned n = 0, code = 302;
    char rest[4096] = "";
    if (sscanf(x->path, "/status/%u", &n) == 1) {
        reply_text(x, (int)n, "as asked");
    } else if (sscanf(x->path, "/later/%u/%u", &n, &code) == 2) {
        reply(x, before < n ? 503 : 200, "late", 4, "Retry-After: %u\r\n", code);
    } else if (sscanf(x->path, "/flaky/%u", &n) == 1) {
        reply_text(x, before < n ? 503 : 200, before < n ? "not yet" : "well");
    } else if (sscanf(x->path, "/drop/%u", &n) == 1) {
        x->close = before < n;
        if (!x->close) reply_text(x, 200, "well");
    } else if (sscanf(x->path, "/redirect/%u/%u", &n, &code) >= 1) {
        snprintf(rest, sizeof rest, "/redirect/%u/%u", n - 1, code);
        reply(x, (int)code, "moved", 5, "Location: %s\r\n", n > 1 ? rest : "../../echo");
    } else if (sscanf(x->path, "/to?%4095s", rest) == 1) {
        reply(x, 302, "", 0, "Location: %s\r\n", rest);
    } else if (sscanf(x->path, "/set?%4095s", rest) == 1) {
        for (char *at = rest; (at = strchr(at, '_'));) *at = ' ';
        reply(x, 200, "", 0, "Set-Cookie: %s\r\n", rest);
    } else if (sscanf(x->path, "/slow/%u", &n) == 1) {
        sleep_ms((long)n);
        reply_text(x, 200, "slow");
    } else if (sscanf(x->path, "/gather/%u", &n) == 1) {
        gather(x, n);
    } else if (sscanf(x->path, "/bytes/%u", &n) == 1) {
        char *bytes = malloc(n + 1);
        memset(bytes, 'x', n);
        reply(x, 200, bytes, n, "Content-Type: text/plain\r\n");
        free(bytes);
    } else if (strcmp(x->path, "/headers") == 0) {
        endless_headers(x);
    } else if (strncmp(x->path, "/echo", 5) == 0) {
        echo(x);
    } else if (!answer_raw(x)) {
        reply_text(x, 404, "nothing here");
    }
}

/* --- connections --- */

/* False when there is no other request on the connection. */
static bool read_request(exchange *x) {
    size_t length = 0, wanted = 0;
    char *end = NULL;
    while (!end || length < wanted) {
        ssize_t n = recv(x->fd, x->head + length, sizeof x->head - 1 - length, 0);
        if (n <= 0) return false;
        length += (size_t)n;
        x->head[length] = '\0';
        if (!end && (end = strstr(x->head, "\r\n\r\n"))) {
            const char *body = strcasestr(x->head, "\r\ncontent-length:");
            x->body = end + 4;
            x->body_length = body && body < end ? (size_t)strtoul(body + 17, NULL, 10) : 0;
            wanted = (size_t)(x->body - x->head) + x->body_length;
        }
    }
    x->lines = strstr(x->head, "\r\n") + 2;
    return sscanf(x->head, "%39s %4095s", x->method, x->path) == 2;
}

static void *serve_connection(void *arg) {
    exchange *x = arg;
    while (!x->close && read_request(x)) {
        pthread_mutex_lock(&server_lock);
        unsigned before = (*server_count(x->path))++;
        pthread_mutex_unlock(&server_lock);
        answer(x, before);
    }
    close(x->fd);
    free(x);
    return NULL;
}

static void *serve(void *arg) {
    (void)arg;
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 256 * 1024);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    for (;;) {
        int fd = accept(server_socket, NULL, NULL);
        if (fd < 0) break;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        exchange *x = calloc(1, sizeof *x);
        pthread_t thread;
        x->fd = fd;
        pthread_mutex_lock(&server_lock);
        connections++;
        pthread_mutex_unlock(&server_lock);
        if (pthread_create(&thread, &small, serve_connection, x) != 0) abort();
    }
    pthread_attr_destroy(&small);
    return NULL;
}

static void server_start(void) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    server_socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server_socket, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server_socket, 1024) != 0 ||
        getsockname(server_socket, (struct sockaddr *)&address, &size) != 0 ||
        pthread_create(&server_thread, NULL, serve, NULL) != 0)
        abort();
    server_port = ntohs(address.sin_port);
}

static void server_stop(void) {
    shutdown(server_socket, SHUT_RDWR);
    pthread_join(server_thread, NULL);
    close(server_socket);
}

#endif

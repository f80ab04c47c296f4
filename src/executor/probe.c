#include "executor/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SECOND_US = 1000 * 1000,
    FIRST_PAUSE_US = 20 * 1000, /* doubled until it is the period */
    SUCCESSES_MAX = 1000,
    LOOK_US = 2 * 1000,          /* between looks whether a command has ended */
    ANSWER_BYTES_MAX = 16 * 1024 /* what is read of it: a server does not like to be cut off */
};

/* A question on its way through the pool. */
typedef struct question {
    weir_probe *probe; /* NULL: nobody waits for it any more */
    weir_buffer host, port, request;
    uint64_t timeout_us;
    bool http, good;
} question;

struct weir_probe {
    weir_probe_host host;
    weir_value *config;
    weir_timer *timer;
    question *asked;  /* NULL: none is on its way */
    bool runs;        /* its command does */
    uint32_t answers; /* of that, before */
    uint64_t until_us;
    uint64_t period_us, timeout_us, pause_us;
    uint64_t successes, good; /* wanted; in a row, so far */
};

const weir_value *weir_probe_wanted(const weir_value *config) {
    const weir_value *probe = weir_member_named(config, "probe");
    return weir_is(probe, WEIR_OBJECT) ? probe : NULL;
}

const char *const *weir_probe_command(const weir_value *config, weir_arena *arena) {
    const weir_value *exec = weir_member_named(config, "exec");
    size_t count = weir_is(exec, WEIR_ARRAY) ? weir_value_count(exec) : 0;
    if (!count) return NULL;
    const char **texts = weir_arena_alloc(arena, (count + 1) * sizeof *texts);
    for (size_t i = 0; i < count; i++) {
        const weir_value *text = weir_array_at(exec, i);
        texts[i] = weir_is(text, WEIR_STRING) ? weir_str_copy(arena, weir_string_get(text)) : "";
    }
    return texts;
}

/* --- on the pool ------------------------------------------------------------------------------------------- */

static void free_question(question *q) {
    weir_buffer_deinit(&q->host);
    weir_buffer_deinit(&q->port);
    weir_buffer_deinit(&q->request);
    weir_free(q);
}

/* Until the descriptor can be written to, or read, or the time is over. */
static bool wait_for(int fd, short what, uint64_t until_us) {
    for (;;) {
        uint64_t now_us = weir_clock_steady_us();
        struct pollfd one = {.fd = fd, .events = what};
        if (now_us >= until_us) return false;
        int count = poll(&one, 1, (int)((until_us - now_us + 999) / 1000));
        if (count > 0) return true;
        if (count < 0 && errno != EINTR) return false;
    }
}

static int connect_one(const struct addrinfo *address, uint64_t until_us) {
    int reason = 0;
    socklen_t length = sizeof reason;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    bool good = connect(fd, address->ai_addr, address->ai_addrlen) == 0 ||
                (errno == EINPROGRESS && wait_for(fd, POLLOUT, until_us) &&
                 getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &length) == 0 && !reason);
    if (good) return fd;
    close(fd);
    return -1;
}

static int connect_any(const question *q, uint64_t until_us) {
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int fd = -1;
    if (getaddrinfo(q->host.data, q->port.data, &wanted, &found) != 0) return -1;
    for (const struct addrinfo *one = found; one && fd < 0; one = one->ai_next)
        fd = connect_one(one, until_us);
    freeaddrinfo(found);
    return fd;
}

static bool send_all(int fd, weir_str text, uint64_t until_us) {
    while (text.length) {
        ssize_t count = send(fd, text.data, text.length, MSG_NOSIGNAL);
        if (count > 0)
            text = weir_str_slice(text, (size_t)count, text.length);
        else if (count < 0 && errno == EAGAIN && wait_for(fd, POLLOUT, until_us))
            continue;
        else if (count < 0 && errno != EINTR)
            return false;
    }
    return true;
}

/* "HTTP/1.x NNN", and NNN is one of success. */
static bool is_well(const char *answer) {
    return strncmp(answer, "HTTP/1.", 7) == 0 && answer[8] == ' ' &&
           (answer[9] == '2' || answer[9] == '3');
}

static bool read_answer(int fd, uint64_t until_us) {
    char answer[ANSWER_BYTES_MAX] = {0};
    size_t length = 0;
    while (length < sizeof answer - 1) {
        ssize_t count = recv(fd, answer + length, sizeof answer - 1 - length, 0);
        if (count > 0)
            length += (size_t)count;
        else if (count < 0 && errno == EAGAIN && wait_for(fd, POLLIN, until_us))
            continue;
        else if (count == 0 || errno != EINTR)
            break;
    }
    return is_well(answer);
}

static void ask_on_pool(void *arg) {
    question *q = arg;
    uint64_t until_us = weir_clock_steady_us() + q->timeout_us;
    int fd = connect_any(q, until_us);
    q->good = fd >= 0 && (!q->http || (send_all(fd, weir_buffer_str(&q->request), until_us) &&
                                       read_answer(fd, until_us)));
    if (fd >= 0) close(fd);
}

static void take_answer(weir_probe *probe, bool good);

static void answered(void *arg) {
    question *q = arg;
    weir_probe *probe = q->probe;
    bool good = q->good;
    free_question(q);
    if (!probe) return;
    probe->asked = NULL;
    take_answer(probe, good);
}

/* --- asking ------------------------------------------------------------------------------------------------ */

static void write_request(const weir_value *http, question *q) {
    weir_str path = weir_member_text(http, "path");
    const weir_value *headers = weir_member_named(http, "headers");
    bool rooted = weir_str_starts(path, WEIR_STR("/")), host = false;
    weir_buffer_printf(&q->request, "GET %s%.*s HTTP/1.1\r\n", rooted ? "" : "/", WEIR_ARG(path));
    for (size_t i = 0; weir_is(headers, WEIR_ARRAY) && i < weir_value_count(headers); i++) {
        const weir_value *one = weir_array_at(headers, i);
        weir_str name = weir_member_text(one, "name");
        host = host || (name.length == 4 && strncasecmp(name.data, "host", 4) == 0);
        weir_buffer_printf(&q->request, "%.*s: %.*s\r\n", WEIR_ARG(name),
                           WEIR_ARG(weir_member_text(one, "value")));
    }
    if (!host) weir_buffer_printf(&q->request, "Host: %s:%s\r\n", q->host.data, q->port.data);
    weir_buffer_text(&q->request, "User-Agent: weir\r\nAccept: */*\r\nConnection: close\r\n\r\n");
}

static void run_command(weir_probe *probe) {
    int code;
    probe->runs = true;
    probe->answers = weir_sandbox_answered(probe->host.sandbox, &code);
    probe->until_us = weir_clock_steady_us() + probe->timeout_us;
    weir_sandbox_ask(probe->host.sandbox, probe->host.loop, probe->host.process);
    weir_timer_start(probe->timer, LOOK_US);
}

static void look_at_command(weir_probe *probe) {
    int code;
    bool over = weir_sandbox_answered(probe->host.sandbox, &code) != probe->answers;
    bool late = weir_clock_steady_us() >= probe->until_us;
    probe->runs = !over && !late;
    if (probe->runs)
        weir_timer_start(probe->timer, LOOK_US);
    else
        take_answer(probe, over && code == 0);
}

static void ring(void *arg) {
    weir_probe *probe = arg;
    const weir_value *http = weir_member_named(probe->config, "http"),
                     *tcp = weir_member_named(probe->config, "tcp"), *of = http ? http : tcp;
    if (!of && probe->runs)
        look_at_command(probe);
    else if (!of)
        run_command(probe);
    if (!of) return;
    question *q = weir_alloc(sizeof *q);
    weir_str host = weir_member_text(of, "host");
    *q = (question){.probe = probe, .timeout_us = probe->timeout_us, .http = http != NULL};
    weir_buffer_str_append(&q->host, host.length ? host : WEIR_STR("127.0.0.1"));
    weir_buffer_str_append(&q->port, weir_member_text(of, "port"));
    if (http) write_request(http, q);
    probe->asked = q;
    weir_pool_run(probe->host.loop, ask_on_pool, answered, q);
}

static void take_answer(weir_probe *probe, bool good) {
    probe->good = good ? probe->good + 1 : 0;
    if (probe->good >= probe->successes) {
        probe->host.ready(probe->host.arg);
        return;
    }
    weir_timer_start(probe->timer, probe->pause_us);
    probe->pause_us *= 2;
    if (probe->pause_us > probe->period_us) probe->pause_us = probe->period_us;
}

/* What comes from outside goes into a request's lines as it is. */
static bool is_plain(const weir_value *value) {
    if (weir_is(value, WEIR_STRING)) {
        weir_str text = weir_string_get(value);
        for (size_t i = 0; i < text.length; i++)
            if ((unsigned char)text.data[i] < 0x20) return false;
        return true;
    }
    bool array = weir_is(value, WEIR_ARRAY);
    if (!array && !weir_is(value, WEIR_OBJECT)) return true;
    for (size_t i = 0; i < weir_value_count(value); i++)
        if (!is_plain(array ? weir_array_at(value, i) : weir_object_at(value, i))) return false;
    return true;
}

static bool check_port(const weir_value *of, weir_error *error) {
    weir_str port = weir_member_text(of, "port");
    bool digits = port.length > 0 && port.length < 6;
    for (size_t i = 0; digits && i < port.length; i++)
        digits = port.data[i] >= '0' && port.data[i] <= '9';
    return digits || weir_fail(error, WEIR_INVALID, "`%.*s` is no port that a probe could ask",
                               WEIR_ARG(port));
}

bool weir_probe_open(const weir_value *config, const weir_probe_host *host, weir_probe **out,
                     weir_error *error) {
    const weir_value *http = weir_member_named(config, "http"),
                     *tcp = weir_member_named(config, "tcp"),
                     *exec = weir_member_named(config, "exec");
    if (!http && !tcp && (!weir_is(exec, WEIR_ARRAY) || !host->sandbox))
        return weir_fail(error, WEIR_INVALID, "a probe needs one of exec, http and tcp");
    if ((http || tcp) && (!is_plain(http) || !is_plain(tcp)))
        return weir_fail(error, WEIR_INVALID, "a probe's texts may have no control characters");
    if ((http || tcp) && !check_port(http ? http : tcp, error)) return false;
    weir_probe *probe = weir_alloc(sizeof *probe);
    probe->host = *host;
    probe->config = weir_value_ref((weir_value *)config);
    probe->period_us = weir_member_count(config, "period_us");
    probe->timeout_us = weir_member_count(config, "timeout_us");
    probe->successes = weir_member_count(config, "successes");
    if (!probe->period_us) probe->period_us = (uint64_t)10 * SECOND_US;
    if (!probe->timeout_us) probe->timeout_us = SECOND_US;
    if (probe->successes > SUCCESSES_MAX) probe->successes = SUCCESSES_MAX;
    if (!probe->successes) probe->successes = 1;
    probe->pause_us = FIRST_PAUSE_US < probe->period_us ? FIRST_PAUSE_US : probe->period_us;
    probe->timer = weir_timer_open(host->loop, ring, probe);
    weir_timer_start(probe->timer, weir_member_count(config, "delay_us"));
    *out = probe;
    return true;
}

void weir_probe_close(weir_probe *probe) {
    if (!probe) return;
    if (probe->asked) probe->asked->probe = NULL;
    weir_timer_close(probe->timer);
    weir_value_unref(probe->config);
    weir_free(probe);
}

#include "executor/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "data/json.h"
#include "io/loop.h"

enum { SECRET_BYTES_MIN = 4, LINE_BYTES_MAX = 64 * 1024, TAIL_BYTES_MAX = 16 * 1024 };

void weir_secrets_deinit(weir_secrets *secrets) {
    for (size_t i = 0; i < secrets->count; i++) {
        weir_free(secrets->items[i].name);
        weir_free(secrets->items[i].value);
    }
    weir_vector_deinit(secrets);
}

static void insert_secret(weir_secrets *secrets, char *name, weir_str value) {
    weir_vector_reserve(secrets, 1);
    size_t at = secrets->count++;
    for (; at > 0 && secrets->items[at - 1].length < value.length; at--)
        secrets->items[at] = secrets->items[at - 1];
    secrets->items[at] = (struct weir__secret){name, weir_str_dup(value), value.length};
}

/* As it stands in a JSON text, when that differs. */
static void insert_escaped(weir_secrets *secrets, weir_str value) {
    weir_buffer json = {0};
    weir_value *text = weir_string_from(value);
    weir_json_format(text, 0, &json);
    weir_str escaped = weir_str_slice(weir_buffer_str(&json), 1, json.length - 1);
    if (!weir_str_equal(escaped, value)) insert_secret(secrets, NULL, escaped);
    weir_value_unref(text);
    weir_buffer_deinit(&json);
}

bool weir_secret_is_short(weir_str value) {
    return value.length < SECRET_BYTES_MIN;
}

bool weir_secrets_add(weir_secrets *secrets, weir_str name, weir_str value, weir_error *error) {
    if (weir_secret_is_short(value))
        return weir_fail(error, WEIR_INVALID, "the secret `%.*s` is shorter than %d bytes",
                         WEIR_ARG(name), SECRET_BYTES_MIN);
    return weir_secrets_add_any(secrets, name, value, error);
}

bool weir_secrets_add_any(weir_secrets *secrets, weir_str name, weir_str value, weir_error *error) {
    if (memchr(value.data, '\0', value.length))
        return weir_fail(error, WEIR_INVALID, "the secret `%.*s` has a zero byte in it",
                         WEIR_ARG(name));
    for (size_t i = 0; i < secrets->count; i++) {
        struct weir__secret *secret = &secrets->items[i];
        if (!secret->name || !weir_str_is(name, secret->name)) continue;
        weir_free(secret->name);
        secret->name = NULL;
    }
    insert_secret(secrets, weir_str_dup(name), value);
    if (weir_secret_is_short(value)) return true;
    insert_escaped(secrets, value);
    for (size_t from = 0, end; from < value.length; from = end + 1) {
        end = weir_str_find(value, WEIR_STR("\n"), from);
        if (end == SIZE_MAX) end = value.length;
        weir_str line = weir_str_trim(weir_str_slice(value, from, end));
        if (line.length < SECRET_BYTES_MIN || line.length == value.length) continue;
        insert_secret(secrets, NULL, line);
        insert_escaped(secrets, line);
    }
    return true;
}

const char *weir_secrets_find(const weir_secrets *secrets, weir_str name) {
    for (size_t i = 0; secrets && i < secrets->count; i++)
        if (secrets->items[i].name && weir_str_is(name, secrets->items[i].name))
            return secrets->items[i].value;
    return NULL;
}

typedef struct span {
    size_t from, to;
} span;
typedef WEIR_VECTOR(span) spans;

static int compare_spans(const void *a, const void *b) {
    size_t x = ((const span *)a)->from, y = ((const span *)b)->from;
    return (x > y) - (x < y);
}

/* Either a span of its own or, when it overlaps the last, more of that. */
static void add_span(spans *found, span next) {
    span *last = found->count ? &found->items[found->count - 1] : NULL;
    if (!last || next.from < last->from || next.from >= last->to)
        *weir_vector_push(found) = next;
    else if (next.to > last->to)
        last->to = next.to;
}

/* Where secrets are in the text, in order and apart. Every occurrence counts, also one within or across another: if
 * only the first were replaced, an end of the second would be seen. */
static spans find_spans(const weir_secrets *secrets, weir_str text) {
    spans found = {0}, merged = {0};
    for (size_t i = 0; secrets && i < secrets->count; i++) {
        weir_str value = {secrets->items[i].value, secrets->items[i].length};
        if (weir_secret_is_short(value)) break; /* as are those behind it */
        for (size_t at = 0; (at = weir_str_find(text, value, at)) != SIZE_MAX; at++)
            add_span(&found, (span){at, at + value.length});
    }
    if (found.count < 2) return found;
    qsort(found.items, found.count, sizeof *found.items, compare_spans);
    for (size_t i = 0; i < found.count; i++) add_span(&merged, found.items[i]);
    weir_vector_deinit(&found);
    return merged;
}

/* Appends the text with its secrets replaced; false, and nothing is appended, when it has none. */
static bool append_masked(const weir_secrets *secrets, weir_str plain, weir_buffer *out) {
    spans found = find_spans(secrets, plain);
    size_t at = 0;
    for (size_t i = 0; i < found.count; i++) {
        weir_buffer_str_append(out, weir_str_slice(plain, at, found.items[i].from));
        weir_buffer_text(out, "***");
        at = found.items[i].to;
    }
    if (found.count) weir_buffer_str_append(out, weir_str_slice(plain, at, plain.length));
    weir_vector_deinit(&found);
    return at > 0;
}

void weir_secrets_mask(const weir_secrets *secrets, weir_buffer *text) {
    weir_buffer masked = {0};
    if (!append_masked(secrets, weir_buffer_str(text), &masked)) return;
    weir_buffer_deinit(text);
    *text = masked;
}

size_t weir_secrets_edge(const weir_secrets *secrets, weir_str text, size_t at) {
    spans found = find_spans(secrets, text);
    for (size_t i = 0; i < found.count; i++)
        if (found.items[i].from < at && found.items[i].to > at) at = found.items[i].to;
    weir_vector_deinit(&found);
    return at;
}

static weir_value *mask_scalar(const weir_secrets *secrets, weir_value *value) {
    weir_buffer json = {0}, text = {0};
    bool string = weir_is(value, WEIR_STRING);
    if (weir_is(value, WEIR_INT) || weir_is(value, WEIR_FLOAT)) weir_json_format(value, 0, &json);
    weir_str plain = string ? weir_string_get(value) : weir_buffer_str(&json);
    if (append_masked(secrets, plain, &text) && (string || strcmp(text.data, "***") == 0)) {
        weir_value_unref(value);
        value = weir_string_from(weir_buffer_str(&text));
    }
    weir_buffer_deinit(&json);
    weir_buffer_deinit(&text);
    return value;
}

weir_value *weir_secrets_mask_value(const weir_secrets *secrets, weir_value *value) {
    if (!value || !secrets || !secrets->count) return value;
    bool object = weir_is(value, WEIR_OBJECT), masked = false;
    if (!object && !weir_is(value, WEIR_ARRAY)) return mask_scalar(secrets, value);
    weir_value *copy = object ? weir_object_new() : weir_array_new();
    for (size_t i = 0; i < weir_value_count(value); i++) {
        weir_value *old = object ? weir_object_at(value, i) : weir_array_at(value, i);
        weir_value *item = weir_secrets_mask_value(secrets, weir_value_ref(old));
        masked |= item != old;
        if (object) {
            weir_buffer key = {0};
            bool renamed = append_masked(secrets, weir_object_key(value, i), &key);
            masked |= renamed;
            weir_member_set(copy, renamed ? weir_buffer_str(&key) : weir_object_key(value, i),
                            item);
            weir_buffer_deinit(&key);
        } else {
            weir_array_append(copy, item);
        }
    }
    weir_value_unref(masked ? value : copy);
    return masked ? copy : value;
}

struct weir_log {
    weir_logs *logs;
    weir_attempt_id attempt;
    char suffix[WEIR_CONTAINER_NAME_BYTES_MAX + 8]; /* of its file */
    int fd;                                         /* -1: nothing was written yet */
    weir_buffer pending[2];                         /* the line under way of each stream */
    weir_buffer line, out; /* a masked line; lines on their way to the file */
    weir_buffer tail;      /* at least the last lines */
    int times;             /* its file; -1: there is none yet */
    uint64_t bytes;        /* in the log's file */
    uint64_t timed_us;     /* when what was noted last came; 0: nothing was written yet */
    uint64_t first_us;     /* when the first came */
    unsigned noted;        /* how often */
};

weir_log *weir_log_open_container(weir_logs *logs, const weir_attempt_id *attempt,
                                  weir_str container) {
    weir_log *log = weir_alloc(sizeof *log);
    weir_assert(container.length <= WEIR_CONTAINER_NAME_BYTES_MAX);
    log->logs = logs;
    log->attempt = *attempt;
    snprintf(log->suffix, sizeof log->suffix, "%s%.*s.log", container.length ? "." : "",
             WEIR_ARG(container));
    log->fd = log->times = -1;
    return log;
}

weir_log *weir_log_open(weir_logs *logs, const weir_attempt_id *attempt) {
    return weir_log_open_container(logs, attempt, WEIR_STR(""));
}

static weir_str last_lines(weir_str text) {
    size_t lines = 0, from = text.length;
    size_t least = text.length > TAIL_BYTES_MAX ? text.length - TAIL_BYTES_MAX : 0;
    for (; from > least; from--)
        if (text.data[from - 1] == '\n' && ++lines > WEIR_LOG_TAIL_LINES) break;
    return weir_str_slice(text, from, text.length);
}

static void end_line(weir_log *log, weir_str line) {
    weir_buffer_clear(&log->line);
    weir_buffer_str_append(&log->line, line);
    weir_secrets_mask(log->logs->secrets, &log->line);
    if (log->logs->follow)
        log->logs->follow(log->logs->arg, &log->attempt, weir_buffer_str(&log->line));
    weir_buffer_byte(&log->line, '\n');
    weir_buffer_str_append(&log->tail, weir_buffer_str(&log->line));
    if (log->tail.length > 4 * TAIL_BYTES_MAX) {
        weir_str kept = last_lines(weir_buffer_str(&log->tail));
        memmove(log->tail.data, kept.data, kept.length);
        log->tail.length = kept.length;
    }
    if (log->logs->directory) weir_buffer_str_append(&log->out, weir_buffer_str(&log->line));
}

/* Ends lines of LINE_BYTES_MAX while the one under way is longer. Unless `whole`, a secret at its end may not have come
 * completely, so a cut waits for as many bytes more as the longest has. */
static void cut_line(weir_log *log, weir_buffer *pending, bool whole) {
    const weir_secrets *secrets = log->logs->secrets;
    size_t more = whole || !secrets || !secrets->count ? 0 : secrets->items[0].length;
    while (pending->length > LINE_BYTES_MAX + more) {
        size_t at = LINE_BYTES_MAX;
        spans found = find_spans(secrets, weir_buffer_str(pending));
        for (size_t i = 0; i < found.count; i++) {
            span secret = found.items[i];
            if (secret.from >= LINE_BYTES_MAX || secret.to <= LINE_BYTES_MAX) continue;
            at = secret.from ? secret.from : secret.to;
        }
        weir_vector_deinit(&found);
        end_line(log, weir_str_slice(weir_buffer_str(pending), 0, at));
        pending->length -= at;
        memmove(pending->data, pending->data + at, pending->length);
    }
}

int weir_logs_create(const weir_logs *logs, const weir_attempt_id *id, const char *suffix,
                     int flags, weir_buffer *path) {
    weir_buffer_clear(path);
    weir_buffer_printf(path, "%s/%s", logs->directory, id->run);
    size_t folder_length = path->length;
    weir_buffer_printf(path, "/%u.%u%s", id->task, id->number, suffix);
    flags |= O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
    int fd = open(path->data, flags, 0600);
    if (fd >= 0 || errno != ENOENT) return fd;
    path->data[folder_length] = '\0';
    mkdir(logs->directory, 0700);
    mkdir(path->data, 0700);
    path->data[folder_length] = '/';
    return open(path->data, flags, 0600);
}

static int open_file(const weir_log *log) {
    weir_buffer path = {0};
    int fd = weir_logs_create(log->logs, &log->attempt, log->suffix, O_APPEND, &path);
    int reason = errno;
    weir_buffer_deinit(&path);
    errno = reason;
    return fd;
}

static void warn_once(const char *directory) {
    static atomic_flag warned = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&warned))
        fprintf(stderr, "weir: warning: logs in `%s` are incomplete: %s\n", directory,
                strerror(errno));
}

static bool write_out(weir_log *log) {
    if (log->fd < 0) log->fd = open_file(log);
    return log->fd >= 0 && weir_descriptor_write(log->fd, weir_buffer_str(&log->out));
}

/* --- when lines came: a file beside that of the lines, once there is more than one write, whose time is the file's own */

enum { TIMED_OFTEN = 1000, TIMED_LONG = 10000 };

/* What comes together has one time: the longer a log goes on, the more of it. */
static uint64_t apart_us(const weir_log *log) {
    if (log->noted < TIMED_OFTEN) return 10 * 1000;
    return log->noted < TIMED_LONG ? 100 * 1000 : 1000 * 1000;
}

static int open_times(const weir_log *log) {
    char suffix[sizeof log->suffix + 8];
    weir_buffer path = {0};
    snprintf(suffix, sizeof suffix, "%.*s.times", (int)(strlen(log->suffix) - strlen(".log")),
             log->suffix);
    int fd = weir_logs_create(log->logs, &log->attempt, suffix, O_APPEND, &path);
    weir_buffer_deinit(&path);
    return fd;
}

/* From now on lines are of this time. That it cannot be written harms nobody. */
static void note_time(weir_log *log, uint64_t now_us) {
    char text[96];
    size_t length = 0;
    if (log->times < 0) {
        log->times = open_times(log);
        length = (size_t)snprintf(text, sizeof text, "0 %" PRIu64 "\n", log->first_us);
    }
    length += (size_t)snprintf(text + length, sizeof text - length, "%" PRIu64 " %" PRIu64 "\n",
                               log->bytes, now_us);
    log->timed_us = now_us;
    log->noted++;
    if (log->times >= 0) (void)!weir_descriptor_write(log->times, (weir_str){text, length});
}

static void flush(weir_log *log) {
    if (!log->out.length) return;
    uint64_t now_us = weir_clock_us();
    if (!log->timed_us)
        log->timed_us = log->first_us = now_us;
    else if (now_us - log->timed_us >= apart_us(log))
        note_time(log, now_us);
    if (write_out(log))
        log->bytes += log->out.length;
    else
        warn_once(log->logs->directory);
    weir_buffer_clear(&log->out);
}

void weir_log_write(weir_log *log, bool error_stream, weir_str bytes) {
    weir_buffer *pending = &log->pending[error_stream];
    while (bytes.length) {
        size_t length = bytes.length < LINE_BYTES_MAX ? bytes.length : LINE_BYTES_MAX;
        const char *end = memchr(bytes.data, '\n', length);
        if (end) length = (size_t)(end - bytes.data);
        weir_buffer_append(pending, bytes.data, length);
        cut_line(log, pending, end != NULL);
        if (end) {
            end_line(log, weir_buffer_str(pending));
            weir_buffer_clear(pending);
            length++;
        }
        bytes = weir_str_slice(bytes, length, bytes.length);
    }
    flush(log);
}

weir_str weir_log_tail(weir_log *log) {
    for (int i = 0; i < 2; i++)
        if (log->pending[i].length) weir_log_write(log, i, WEIR_STR("\n"));
    weir_str lines = last_lines(weir_buffer_str(&log->tail));
    return weir_str_slice(lines, 0, lines.length ? lines.length - 1 : 0);
}

int weir_log_reread(weir_log *log) {
    char path[64];
    weir_log_tail(log);
    if (!log->logs->directory) return -1;
    if (log->fd < 0) log->fd = open_file(log);
    snprintf(path, sizeof path, "/proc/self/fd/%d", log->fd);
    return log->fd < 0 ? -1 : open(path, O_RDONLY | O_CLOEXEC);
}

void weir_log_close(weir_log *log) {
    if (!log) return;
    weir_log_tail(log);
    if (log->fd >= 0) close(log->fd);
    if (log->times >= 0) close(log->times);
    weir_buffer_deinit(&log->pending[0]);
    weir_buffer_deinit(&log->pending[1]);
    weir_buffer_deinit(&log->line);
    weir_buffer_deinit(&log->out);
    weir_buffer_deinit(&log->tail);
    weir_free(log);
}

/* The other kinds of operations: one that takes its time, a generator, and one that waits without a thread of weir's. */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/operation.h>

static void sleep_ms(long ms) {
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static uint64_t clock_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* NULL when it is no string: then the call has failed. */
static const char *text_of(const weir_host *host, weir_call *call, const char *name) {
    weir_value *value = host->parameter(call, name);
    if (value && host->value_type(value) == WEIR_STRING) return host->string_get(value).data;
    host->fail(call, "invalid", "parameter `%s` must be a string", name);
    return NULL;
}

/* Blocking: on a thread of the pool, where it may take its time; so it asks whether it shall end. */
static bool wait_for_line(const weir_host *host, weir_call *call) {
    const char *path = text_of(host, call, "path");
    FILE *file = NULL;
    while (path && !(file = fopen(path, "r"))) {
        uint64_t deadline = host->deadline(call);
        if (host->cancelled(call)) return false;
        if (errno != ENOENT) return host->fail(call, "io", "%s: %s", path, strerror(errno));
        if (deadline && clock_us() + 50000 > deadline)
            return host->fail(call, "not_found", "%s did not come in time", path);
        sleep_ms(10);
    }
    if (!path) return false;
    char line[1024] = "";
    bool read = fgets(line, sizeof line, file);
    fclose(file);
    size_t length = strcspn(line, "\n");
    if (!read) return host->fail(call, "invalid", "%s is empty", path);
    host->log(call, WEIR_INFO, "%s came", path);
    host->report(call, "length", (double)length, "bytes");
    host->output(call, "line", host->string_new(line, length));
    return true;
}

/* A generator: every `emit` sends on what was given since the last, while the operation goes on. */
static bool words(const weir_host *host, weir_call *call) {
    const char *text = text_of(host, call, "text");
    if (!text) return false;
    for (;;) {
        while (isspace((unsigned char)*text)) text++;
        size_t length = strcspn(text, " \t\n");
        if (length == 0) return true;
        host->output(call, "word", host->string_new(text, length));
        if (host->emit(call) == WEIR_EMIT_CANCELLED) return false;
        text += length;
    }
}

typedef struct waiting {
    const weir_host *host;
    weir_call *call;
    int64_t ms;
} waiting;

static void *wait_elsewhere(void *arg) {
    waiting w = *(waiting *)arg; /* what is the call's ends with `complete` */
    for (; w.ms > 0 && !w.host->cancelled(w.call); w.ms -= 10) sleep_ms(10);
    bool ok = w.ms <= 0;
    if (ok) w.host->output(w.call, "done", w.host->bool_new(true));
    w.host->complete(w.call, ok);
    return NULL;
}

/* Asynchronous: begins, and returns at once. A thread stands here for what a library of yours would wait on. */
static bool later(const weir_host *host, weir_call *call) {
    weir_value *ms = host->parameter(call, "ms");
    if (!ms || host->value_type(ms) != WEIR_INT)
        return host->fail(call, "invalid", "parameter `ms` must be an int");
    waiting *w = host->alloc(call, sizeof *w);
    *w = (waiting){host, call, host->int_get(ms)};
    pthread_t thread;
    if (pthread_create(&thread, NULL, wait_elsewhere, w) != 0)
        return host->fail(call, NULL, "there are too many threads");
    pthread_detach(thread);
    return true;
}

static const weir_port none[] = {{NULL}};

static const weir_operation wait_operation = {
    .size = sizeof(weir_operation),
    .name = "text.wait_for_line",
    .about = "Waits for a file and gives its first line.",
    .inputs = (const weir_port[]){{"path", "str", "The file."}, {NULL}},
    .outputs = (const weir_port[]){{"line", "str", "The line."}, {NULL}},
    .config = none,
    .hints = WEIR_BLOCKING,
    .run = wait_for_line,
};

static const weir_operation words_operation = {
    .size = sizeof(weir_operation),
    .name = "text.words",
    .about = "Gives the words of a text, one by one.",
    .inputs = (const weir_port[]){{"text", "str", "The text."}, {NULL}},
    .outputs = (const weir_port[]){{"word", "str", "A word."}, {NULL}},
    .config = none,
    .hints = WEIR_PURE | WEIR_GENERATOR,
    .run = words,
};

static const weir_operation later_operation = {
    .size = sizeof(weir_operation),
    .name = "text.later",
    .about = "Waits.",
    .inputs = (const weir_port[]){{"ms", "int", "Milliseconds to wait."}, {NULL}},
    .outputs = (const weir_port[]){{"done", "bool", "True."}, {NULL}},
    .config = none,
    .hints = WEIR_ASYNC,
    .run = later,
};

static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "kinds",
    .version = "1",
    .operations =
        (const weir_operation *const[]){&wait_operation, &words_operation, &later_operation, NULL},
};

WEIR_API const weir_plugin *weir_plugin_open(const weir_host *host);

const weir_plugin *weir_plugin_open(const weir_host *host) {
    return host->abi == WEIR_ABI && host->size >= sizeof(weir_host) ? &plugin : NULL;
}

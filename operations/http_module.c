/* The module weir-http.so: the code of http.get and http.request. What they are is said in http.c. */
#include <time.h>

#include "http_transfer.h"

/* On the steady clock. */
static uint64_t deadline_of(const weir_host *host, const weir_call *call) {
    uint64_t deadline_us = host->deadline(call), now_us = weir__http_now_us();
    struct timespec wall;
    if (!deadline_us) return UINT64_MAX;
    clock_gettime(CLOCK_REALTIME, &wall);
    uint64_t wall_us = (uint64_t)wall.tv_sec * 1000000 + (uint64_t)wall.tv_nsec / 1000;
    return deadline_us > wall_us ? now_us + (deadline_us - wall_us) : now_us;
}

/* The URL as it was asked for, for an error that is an output. */
static const char *asked(const weir_host *host, const weir_call *call) {
    const weir_value *url = host->parameter(call, "url");
    return url && host->value_type(url) == WEIR_STRING ? host->string_get(url).data : "";
}

static bool begin(const weir_host *host, weir_call *call, bool any_method) {
    weir__transfer *t = host->alloc(call, sizeof *t);
    weir__http_failure failure;
    *t = (weir__transfer){.host = host, .call = call, .same_origin = true};
    bool ok = weir__http_request_read(host, call, any_method, &t->request, &failure);
    if (ok) {
        t->method = t->request.method;
        t->with_body = t->request.body.data;
        weir__bytes_text(&t->url, t->request.url);
        t->begun_us = weir__http_now_us();
        t->deadline_us = deadline_of(host, call);
        if (weir__http_hand_over(t)) return true;
        weir__http_failed(&failure, "io", "libcurl, or the thread for it, could not begin");
        weir__bytes_deinit(&t->url);
    }
    if (!failure.code) return false;
    ok = weir__http_fail(host, call, &failure, t->request.options.error_output, asked(host, call),
                         0);
    if (ok) host->complete(call, true);
    return ok;
}

static bool get(const weir_host *host, weir_call *call) {
    return begin(host, call, false);
}

static bool request(const weir_host *host, weir_call *call) {
    return begin(host, call, true);
}

static const weir_operation get_operation = {
    .size = sizeof(weir_operation), .name = "http.get", .run = get};
static const weir_operation request_operation = {
    .size = sizeof(weir_operation), .name = "http.request", .run = request};

static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "http",
    .version = "1",
    .operations = (const weir_operation *const[]){&get_operation, &request_operation, NULL},
};

WEIR_API const weir_plugin *weir_plugin_open(const weir_host *host);

const weir_plugin *weir_plugin_open(const weir_host *host) {
    return host->abi == WEIR_ABI ? &plugin : NULL;
}

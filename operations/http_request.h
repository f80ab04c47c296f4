/* What a call asks for, read and checked once, before anything is sent. All of it is in the memory of the call, or borrowed
 * from its values: it lives until the call is completed. */
#ifndef WEIR_OPERATIONS_HTTP_REQUEST_H
#define WEIR_OPERATIONS_HTTP_REQUEST_H

#include "bytes.h"
#include <weir/operation.h>

enum {
    WEIR__HEADERS_MAX = 200,
    WEIR__HEADER_BYTES_MAX = 64 * 1024,            /* of one, and of all */
    WEIR__REQUEST_BYTES_MAX = 256 * 1024 * 1024,   /* of a request's body */
    WEIR__RESPONSE_BYTES_MAX = 1024 * 1024 * 1024, /* what `max_bytes` may say */
    WEIR__STATUS_MAX = 600
};

typedef struct weir__http_options {
    uint64_t timeout_us, connect_timeout_us, backoff_us, retry_after_max_us, breaker_reset_us;
    unsigned retries, redirects_max, per_host, breaker_failures; /* no breaker: 0 failures */
    size_t bytes_max;
    const char *user_agent, *ca_file, *proxy; /* NULL: curl's own */
    bool verify, follow, fail_on_status, retry_unsafe, error_output, one_response, expect_json;
    uint8_t retry_on[WEIR__STATUS_MAX / 8]; /* a bit a status */
} weir__http_options;

typedef struct weir__http_request {
    const char *method, *url;
    const char *const *headers; /* lines; ended by NULL */
    weir_str body;              /* no data: none */
    const char *body_type; /* the Content-Type to send; NULL: none, or it is among the headers */
    weir_value *session;   /* with `cookies` that are checked; NULL for none */
    weir__http_options options;
} weir__http_request;

/* Why a call fails. */
typedef struct weir__http_failure {
    const char *code;
    char text[700];
    long status; /* 0 when there was none */
    bool retry;  /* another attempt may succeed */
    bool unsent; /* the server saw nothing of it */
    bool peers;  /* it counts against the peer's health */
} weir__http_failure;

/* Fills `failure`; returns false. */
WEIR_PRINTF(3, 4)
bool weir__http_failed(weir__http_failure *failure, const char *code, const char *format, ...);

/* False: the call has failed, but for a URL that cannot be fetched: then `failure` has a code and says why, as of a fetch
 * that fails, and `options.error_output` is read. */
WEIR_CHECKED bool weir__http_request_read(const weir_host *host, weir_call *call, bool any_method,
                                          weir__http_request *out, weir__http_failure *failure);
/* Whether sending it twice is as sending it once (RFC 9110, section 9.2.2). */
bool weir__http_is_idempotent(const char *method);

#endif

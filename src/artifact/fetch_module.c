/* The module "fetch": links libcurl. */
#include <curl/curl.h>
#include <stdio.h>

#include "artifact/fetch.h"

enum {
    REDIRECTS_MAX = 10,
    CONNECT_S = 30,
    STALLED_S = 60, /* without a byte */
    HEADER_BYTES_MAX = 256 * 1024
};

typedef struct fetch {
    const weir__fetch_request *request;
    weir__fetch_answer *answer;
    CURL *easy;
    size_t header_bytes;
    char problem[CURL_ERROR_SIZE];
} fetch;

static size_t take_body(char *data, size_t size, size_t count, void *arg) {
    fetch *f = arg;
    long status = 0;
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 != 2) return size * count;
    if (f->request->sink.write(f->request->sink.arg, data, size * count)) return size * count;
    f->answer->stopped = true;
    return 0;
}

static size_t count_header(char *data, size_t size, size_t count, void *arg) {
    fetch *f = arg;
    (void)data;
    f->header_bytes += size * count;
    return f->header_bytes > HEADER_BYTES_MAX ? 0 : size * count;
}

static int watch(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up) {
    fetch *f = arg;
    (void)total, (void)now, (void)up_total, (void)up;
    if (f->request->goes_on(f->request->arg)) return 0;
    f->answer->stopped = true;
    return 1;
}

static void set_blob(CURL *easy, CURLoption option, weir_str text) {
    struct curl_blob blob = {(void *)(uintptr_t)text.data, text.length, CURL_BLOB_COPY};
    if (text.length) curl_easy_setopt(easy, option, &blob);
}

static void set_request(fetch *f, struct curl_slist *headers) {
    const weir__fetch_request *r = f->request;
    CURL *easy = f->easy;
    curl_easy_setopt(easy, CURLOPT_URL, r->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)STALLED_S);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (r->user) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERNAME, r->user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, r->password ? r->password : "");
    }
    if (r->form) curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, r->form);
    set_blob(easy, CURLOPT_SSLCERT_BLOB, r->certificate);
    set_blob(easy, CURLOPT_SSLKEY_BLOB, r->key);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, count_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, watch);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, f);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, f->problem);
}

static bool is_transient(CURLcode code, long status) {
    switch (code) {
    case CURLE_OK: return status == 429 || (status >= 500 && status != 501 && status != 505);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2_STREAM: return true;
    default: return false;
    }
}

static bool fetch_file(const weir__fetch_request *request, weir__fetch_answer *out) {
    struct curl_slist *headers = NULL;
    *out = (weir__fetch_answer){0};
    fetch f = {.request = request, .answer = out, .easy = curl_easy_init()};
    weir_assert(f.easy);
    for (size_t i = 0; request->headers && request->headers[i]; i++)
        headers = curl_slist_append(headers, request->headers[i]);
    set_request(&f, headers);
    CURLcode code = curl_easy_perform(f.easy);
    curl_easy_getinfo(f.easy, CURLINFO_RESPONSE_CODE, &out->status);
    out->transient = !out->stopped && is_transient(code, out->status);
    if (code != CURLE_OK)
        snprintf(out->problem, sizeof out->problem, "%s",
                 *f.problem ? f.problem : curl_easy_strerror(code));
    curl_easy_cleanup(f.easy);
    curl_slist_free_all(headers);
    return code == CURLE_OK && out->status / 100 == 2;
}

static const weir__fetch_functions functions = {.version = WEIR_VERSION, .fetch = fetch_file};

WEIR_API const weir__fetch_functions *weir_fetch_functions(void);

const weir__fetch_functions *weir_fetch_functions(void) {
    return &functions;
}

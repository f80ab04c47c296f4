/* The module "fetch": links libcurl. */
#include <curl/curl.h>
#include <stdio.h>
#include <strings.h>

#include "artifact/fetch.h"

enum {
    REDIRECTS_MAX = 10,
    CONNECT_S = 30,
    STALLED_S = 60, /* without a byte */
    HEADER_BYTES_MAX = 256 * 1024,
    RECEIVE_BYTES = 128 * 1024,
    LOOK_MS = 40 /* whether it goes on */
};

struct weir__fetch_client {
    CURLM *multi; /* which has the connections */
    CURL *easy;
};

typedef struct fetch {
    const weir__fetch_request *request;
    weir__fetch_answer *answer;
    CURL *easy;
    size_t header_bytes;
    uint64_t begins; /* where the body does, by Content-Range */
    bool begun, enough;
    char problem[CURL_ERROR_SIZE];
} fetch;

/* The answer goes on elsewhere than it was asked to. */
static bool begins_elsewhere(fetch *f) {
    long status = 0;
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 206) f->begins = 0;
    return status == 206 && f->begins != f->request->offset;
}

static bool begin_body(fetch *f) {
    if (f->begun) return true;
    f->begun = true;
    if (begins_elsewhere(f)) {
        snprintf(f->problem, sizeof f->problem, "the answer begins at another byte than was asked");
        return false;
    }
    if (!f->request->begin || f->request->begin(f->request->arg, f->begins)) return true;
    f->answer->stopped = true;
    return false;
}

static size_t take_body(char *data, size_t size, size_t count, void *arg) {
    fetch *f = arg;
    long status = 0;
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 != 2) {
        const weir__archive_sink *refusal = &f->request->refusal;
        f->enough =
            f->enough || !refusal->write || !refusal->write(refusal->arg, data, size * count);
        return size * count;
    }
    if (!begin_body(f)) return 0;
    if (f->request->sink.write(f->request->sink.arg, data, size * count)) return size * count;
    f->answer->stopped = true;
    return 0;
}

/* "bytes 100-199/200": where it begins. */
static uint64_t range_begin(weir_str value) {
    uint64_t at = 0;
    size_t i = weir_str_starts(value, WEIR_STR("bytes ")) ? 6 : value.length;
    for (; i < value.length && value.data[i] >= '0' && value.data[i] <= '9'; i++) {
        if (at > UINT64_MAX / 10 - 1) return UINT64_MAX;
        at = at * 10 + (uint64_t)(value.data[i] - '0');
    }
    return at;
}

static void take_header(fetch *f, weir_str line) {
    if (weir_str_starts(line, WEIR_STR("HTTP/"))) {
        f->begins = 0;
        if (f->request->header) f->request->header(f->request->arg, WEIR_STR(""), WEIR_STR(""));
        return;
    }
    const char *colon = line.length ? memchr(line.data, ':', line.length) : NULL;
    if (!colon) return;
    size_t at = (size_t)(colon - line.data);
    weir_str name = weir_str_slice(line, 0, at);
    weir_str value = weir_str_trim(weir_str_slice(line, at + 1, line.length));
    if (name.length == 13 && strncasecmp(name.data, "content-range", 13) == 0)
        f->begins = range_begin(value);
    if (f->request->header && name.length) f->request->header(f->request->arg, name, value);
}

static size_t look_at_header(char *data, size_t size, size_t count, void *arg) {
    fetch *f = arg;
    f->header_bytes += size * count;
    if (f->header_bytes > HEADER_BYTES_MAX) return 0;
    take_header(f, weir_str_trim((weir_str){data, size * count}));
    return size * count;
}

static void set_blob(CURL *easy, CURLoption option, weir_str text) {
    struct curl_blob blob = {(void *)(uintptr_t)text.data, text.length, CURL_BLOB_COPY};
    if (text.length) curl_easy_setopt(easy, option, &blob);
}

/* Whom it may talk to, and for how long without an answer. */
static void set_connection(CURL *easy, const weir__fetch_request *r) {
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR,
                     r->stay_secure && strncasecmp(r->url, "https:", 6) == 0 ? "https"
                                                                             : "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)(r->connect_s ? r->connect_s : CONNECT_S));
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)(r->stalled_s ? r->stalled_s : STALLED_S));
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* nobody waits for names that are looked up */
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
    set_blob(easy, CURLOPT_SSLCERT_BLOB, r->certificate);
    set_blob(easy, CURLOPT_SSLKEY_BLOB, r->key);
    set_blob(easy, CURLOPT_CAINFO_BLOB, r->authorities); /* the system's folder of them stays */
    if (r->direct) curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    if (r->unverified) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
}

static void set_request(fetch *f, struct curl_slist *headers) {
    const weir__fetch_request *r = f->request;
    CURL *easy = f->easy;
    curl_easy_setopt(easy, CURLOPT_URL, r->url);
    set_connection(easy, r);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "weir/" WEIR_VERSION);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    if (r->user) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERNAME, r->user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, r->password ? r->password : "");
    }
    if (r->form) curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, r->form);
    if (r->head) curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    char range[32];
    snprintf(range, sizeof range, "%llu-", (unsigned long long)r->offset);
    if (r->offset) curl_easy_setopt(easy, CURLOPT_RANGE, range);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, look_at_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, f);
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

static weir__fetch_trouble trouble_of(CURL *easy, CURLcode code) {
    curl_off_t connected = 0, ready = 0;
    curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected);
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
    switch (code) {
    case CURLE_OK: return WEIR__FETCH_NONE;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST: return WEIR__FETCH_NO_NAME;
    case CURLE_COULDNT_CONNECT: return WEIR__FETCH_NO_HOST;
    case CURLE_SSL_CONNECT_ERROR: return WEIR__FETCH_NO_TLS;
    case CURLE_PEER_FAILED_VERIFICATION: return WEIR__FETCH_CERTIFICATE;
    case CURLE_OPERATION_TIMEDOUT:
        if (ready) return WEIR__FETCH_BROKEN;
        return connected ? WEIR__FETCH_NO_TLS : WEIR__FETCH_NO_HOST;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return WEIR__FETCH_BROKEN;
    default: return WEIR__FETCH_OTHER;
    }
}

static void fill_answer(fetch *f, CURLcode code) {
    weir__fetch_answer *out = f->answer;
    curl_off_t wait_s = 0;
    long reason = 0;
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &out->status);
    curl_easy_getinfo(f->easy, CURLINFO_RETRY_AFTER, &wait_s);
    curl_easy_getinfo(f->easy, CURLINFO_OS_ERRNO, &reason);
    out->transient = !out->stopped && is_transient(code, out->status);
    out->trouble = trouble_of(f->easy, code);
    out->reason = out->trouble == WEIR__FETCH_NO_HOST ? (int)reason : 0;
    out->retry_after_s = wait_s > 0 ? (uint64_t)wait_s : 0;
    if (code != CURLE_OK)
        snprintf(out->problem, sizeof out->problem, "%s",
                 *f->problem ? f->problem : curl_easy_strerror(code));
}

/* Looks now and then whether it is to go on, also while nothing comes. */
static CURLcode carry_out(fetch *f, CURLM *multi) {
    int running = 0, left = 0;
    CURLcode code = CURLE_OUT_OF_MEMORY;
    weir_assert(curl_multi_add_handle(multi, f->easy) == CURLM_OK);
    do {
        if (curl_multi_perform(multi, &running) != CURLM_OK) break;
        if (running && f->request->goes_on && !f->request->goes_on(f->request->arg)) {
            f->answer->stopped = true;
            code = CURLE_ABORTED_BY_CALLBACK;
            break;
        }
    } while (running && curl_multi_poll(multi, NULL, 0, LOOK_MS, NULL) == CURLM_OK);
    for (CURLMsg *told; (told = curl_multi_info_read(multi, &left));)
        if (told->msg == CURLMSG_DONE && !f->answer->stopped) code = told->data.result;
    return code;
}

static bool ask(weir__fetch_client *client, const weir__fetch_request *request,
                weir__fetch_answer *out) {
    struct curl_slist *headers = NULL;
    *out = (weir__fetch_answer){0};
    fetch f = {.request = request, .answer = out, .easy = client->easy};
    for (size_t i = 0; request->headers && request->headers[i]; i++)
        headers = curl_slist_append(headers, request->headers[i]);
    curl_easy_reset(client->easy);
    set_request(&f, headers);
    CURLcode code = carry_out(&f, client->multi);
    long status = 0;
    curl_easy_getinfo(f.easy, CURLINFO_RESPONSE_CODE, &status);
    /* A body without a byte has a beginning, too. */
    if (code == CURLE_OK && status / 100 == 2 && !request->head && !begin_body(&f))
        code = CURLE_WRITE_ERROR;
    fill_answer(&f, code);
    curl_multi_remove_handle(client->multi, client->easy);
    curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(client->easy, CURLOPT_ERRORBUFFER, NULL);
    curl_slist_free_all(headers);
    return code == CURLE_OK && out->status / 100 == 2;
}

static weir__fetch_client *open_client(void) {
    weir__fetch_client *client = weir_alloc(sizeof *client);
    client->multi = curl_multi_init();
    client->easy = curl_easy_init();
    weir_assert(client->multi && client->easy);
    return client;
}

static void close_client(weir__fetch_client *client) {
    if (!client) return;
    curl_easy_cleanup(client->easy);
    curl_multi_cleanup(client->multi);
    weir_free(client);
}

static bool fetch_file(const weir__fetch_request *request, weir__fetch_answer *out) {
    weir__fetch_client *client = open_client();
    bool ok = ask(client, request, out);
    close_client(client);
    return ok;
}

static const weir__fetch_functions functions = {.version = WEIR_VERSION,
                                                .fetch = fetch_file,
                                                .open = open_client,
                                                .ask = ask,
                                                .close = close_client};

WEIR_API const weir__fetch_functions *weir_fetch_functions(void);

const weir__fetch_functions *weir_fetch_functions(void) {
    return &functions;
}

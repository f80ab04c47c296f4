/* One attempt: what curl is told, and what its answer means. */
#include <math.h>
#include <time.h>

#include "http_cookie.h"
#include "http_transfer.h"

uint64_t weir__http_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

const char *weir__transfer_place(const weir__transfer *t, char out[static 320]) {
    weir__bytes url = {0};
    weir__reference parts;
    const char *problem;
    if (weir__reference_split(weir__bytes_str(&t->url), &parts, &problem))
        weir__reference_normalize(&parts, false, false, &url);
    snprintf(out, 320, "%s %.280s%s", t->method, url.length ? url.data : "",
             url.length > 280 ? "…" : "");
    weir__bytes_deinit(&url);
    return out;
}

/* --- what comes --- */

static size_t take_body(char *data, size_t size, size_t count, void *arg) {
    weir__transfer *t = arg;
    size_t bytes = size * count;
    t->too_large = bytes > t->request.options.bytes_max - t->body.length;
    if (t->too_large) return 0;
    weir__bytes_add(&t->body, (weir_str){data, bytes});
    return bytes;
}

/* Curl keeps the headers; this ends those that do not end, and sees whether the session changes. */
static size_t watch_headers(char *data, size_t size, size_t count, void *arg) {
    weir__transfer *t = arg;
    t->cookies_came |= size * count > 11 && strncasecmp(data, "set-cookie:", 11) == 0;
    t->header_bytes += size * count;
    return t->header_bytes > 4 * (size_t)WEIR__HEADER_BYTES_MAX ? 0 : size * count;
}

/* --- handles --- */

enum { SPARES_MAX = 64 };

/* Handles that are done, for the next transfers: to make one and to give it its cookies costs as much as what curl does for
 * a small page. What else was set in one is set anew. The module's thread only. */
static struct spare {
    CURL *easy;
    weir_value *session; /* whose cookies it has; held; NULL: it has none */
} spares[SPARES_MAX];
static size_t spare_count;

/* One with these cookies, else any; NULL easy when there is none. */
static struct spare take_spare(const weir_value *session) {
    if (!spare_count) return (struct spare){0};
    size_t at = spare_count - 1;
    while (at > 0 && spares[at].session != session) at--;
    struct spare found = spares[at];
    spares[at] = spares[--spare_count];
    return found;
}

void weir__transfer_drop_handle(weir__transfer *t) {
    if (!t->easy) return;
    /* What a server added is not the session's that came; and which CA file is the usual one only a new handle knows. */
    if (t->cookies_came || t->request.options.ca_file || spare_count == SPARES_MAX) {
        curl_easy_cleanup(t->easy);
    } else {
        curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, NULL);
        curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, NULL);
        spares[spare_count++] = (struct spare){t->easy, t->host->value_ref(t->request.session)};
    }
    t->easy = NULL;
}

/* --- what curl is told --- */

static void put_cookies(weir__transfer *t) {
    const weir_host *host = t->host;
    const weir_value *session = t->request.session;
    const weir_value *cookies = session ? host->object_get(session, "cookies", 7) : NULL;
    weir__bytes line = {0};
    for (size_t i = 0; cookies && i < host->value_count(cookies); i++) {
        weir__bytes_cut(&line, 0);
        weir__cookie_line(host, host->array_at(cookies, i), &line);
        curl_easy_setopt(t->easy, CURLOPT_COOKIELIST, line.data);
    }
    weir__bytes_deinit(&line);
}

static bool is_private(const char *line) {
    static const char *const names[] = {"authorization", "cookie", "proxy-authorization", "host"};
    size_t length = strcspn(line, ":;");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (weir__str_same((weir_str){line, length}, names[i])) return true;
    return false;
}

static bool is_of_body(const char *line) {
    return strncasecmp(line, "content-", 8) == 0;
}

static void add_line(weir__transfer *t, const char *line) {
    struct curl_slist *longer = curl_slist_append(t->lines, line);
    if (!longer) weir__out_of_memory();
    t->lines = longer;
}

static void put_headers(weir__transfer *t) {
    curl_slist_free_all(t->lines);
    t->lines = NULL;
    for (const char *const *line = t->request.headers; *line; line++)
        if ((t->same_origin || !is_private(*line)) && (t->with_body || !is_of_body(*line)))
            add_line(t, *line);
    char type[100];
    const char *body_type = t->with_body ? t->request.body_type : NULL;
    snprintf(type, sizeof type, "Content-Type:%s%s", body_type ? " " : "",
             body_type ? body_type : "");
    bool own = false;
    for (const struct curl_slist *at = t->lines; at; at = at->next)
        own |= strncasecmp(at->data, "content-type", 12) == 0;
    if (!own) add_line(t, type);
    /* A body is sent at once: waiting for 100 (Continue) costs a second with servers that do not know it. */
    add_line(t, "Expect:");
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->lines);
}

static void put_method(weir__transfer *t) {
    curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, NULL);
    curl_easy_setopt(t->easy, CURLOPT_NOBODY, 0L);
    curl_easy_setopt(t->easy, CURLOPT_HTTPGET, 1L);
    bool get = strcmp(t->method, "GET") == 0, head = strcmp(t->method, "HEAD") == 0;
    bool empty = strcmp(t->method, "POST") == 0 || strcmp(t->method, "PUT") == 0 ||
                 strcmp(t->method, "PATCH") == 0;
    if (t->with_body || empty) {
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         t->with_body ? (curl_off_t)t->request.body.length : 0);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->with_body ? t->request.body.data : "");
    } else if (head) {
        curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
    }
    if ((!get && !head) || t->with_body)
        curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, t->method);
}

static long milliseconds(uint64_t us) {
    return us < 1000 ? 1 : us / 1000 > INT32_MAX ? INT32_MAX : (long)(us / 1000);
}

static void put_limits(weir__transfer *t) {
    const weir__http_options *options = &t->request.options;
    uint64_t now_us = weir__http_now_us(), left_us = t->deadline_us - now_us;
    if (t->deadline_us <= now_us) left_us = 1000;
    t->until_deadline = left_us <= options->timeout_us;
    uint64_t timeout_us = t->until_deadline ? left_us : options->timeout_us;
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, milliseconds(timeout_us));
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(options->connect_timeout_us));
    /* Curl sends again, unasked, what a kept connection swallowed: for these methods that would be twice. */
    bool once = !t->request.options.retry_unsafe && !weir__http_is_idempotent(t->method);
    curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, once ? 1L : 0L);
}

static CURL *new_handle(CURLSH *share) {
    CURL *easy = curl_easy_init();
    if (!easy) return NULL;
    curl_easy_setopt(easy, CURLOPT_SHARE, share);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, watch_headers);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(easy, CURLOPT_COOKIEFILE, ""); /* no file: it only switches cookies on */
    return easy;
}

/* What differs from transfer to transfer: all of it is set, for the handle may come from another. */
static void put_once(weir__transfer *t) {
    const weir__http_options *options = &t->request.options;
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->problem);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_USERAGENT, options->user_agent);
    curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYPEER, options->verify ? 1L : 0L);
    curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYHOST, options->verify ? 2L : 0L);
    if (options->ca_file) curl_easy_setopt(t->easy, CURLOPT_CAINFO, options->ca_file);
    curl_easy_setopt(t->easy, CURLOPT_PROXY, options->proxy); /* NULL: the environment's */
}

/* A handle with the session's cookies and no others. */
static bool take_handle(weir__transfer *t, CURLSH *share) {
    struct spare found = take_spare(t->request.session);
    t->easy = found.easy ? found.easy : new_handle(share);
    if (!t->easy) return false;
    if (found.session != t->request.session) {
        curl_easy_setopt(t->easy, CURLOPT_COOKIELIST, "ALL"); /* none are left */
        put_cookies(t);
    }
    t->host->value_unref(found.session);
    return true;
}

CURL *weir__transfer_prepare(weir__transfer *t, CURLSH *share) {
    if (!t->easy) {
        if (!take_handle(t, share)) return NULL;
        put_once(t);
    }
    weir__bytes_cut(&t->body, 0);
    t->header_bytes = 0;
    t->too_large = false;
    t->problem[0] = '\0';
    curl_easy_setopt(t->easy, CURLOPT_URL, t->url.data);
    put_method(t);
    put_headers(t);
    put_limits(t);
    return t->easy;
}

/* --- what the answer means --- */

typedef struct meaning {
    const char *code;
    CURLcode result;
    bool retry, unsent, peers;
} meaning;

static const meaning meanings[] = {
    {"unknown_host", CURLE_COULDNT_RESOLVE_HOST, true, true, true},
    {"unknown_host", CURLE_COULDNT_RESOLVE_PROXY, true, true, false},
    {"unreachable", CURLE_COULDNT_CONNECT, true, true, true},
    {"timeout", CURLE_OPERATION_TIMEDOUT, true, false, true},
    {"tls", CURLE_SSL_CONNECT_ERROR, true, true, true},
    {"tls", CURLE_PEER_FAILED_VERIFICATION, false, true, false},
    {"tls", CURLE_SSL_CACERT_BADFILE, false, true, false},
    {"tls", CURLE_SSL_CERTPROBLEM, false, true, false},
    {"broken_response", CURLE_GOT_NOTHING, true, false, true},
    {"broken_response", CURLE_PARTIAL_FILE, true, false, true},
    {"broken_response", CURLE_RECV_ERROR, true, false, true},
    {"broken_response", CURLE_SEND_ERROR, true, false, true},
    {"broken_response", CURLE_HTTP2, true, false, true},
    {"broken_response", CURLE_HTTP2_STREAM, true, false, true},
    {"broken_response", CURLE_WEIRD_SERVER_REPLY, false, false, true},
    {"broken_response", CURLE_BAD_CONTENT_ENCODING, false, false, false},
    {"broken_response", CURLE_UNSUPPORTED_PROTOCOL, false, false, false},
    {"invalid", CURLE_URL_MALFORMAT, false, true, false},
};

static bool judge_result(weir__transfer *t, CURLcode result, weir__http_failure *failure) {
    char place[320];
    weir__transfer_place(t, place);
    if (t->too_large)
        return weir__http_failed(failure, "limit_exceeded", "%s: the body is larger than %zu bytes",
                                 place, t->request.options.bytes_max);
    if (result == CURLE_WRITE_ERROR)
        return weir__http_failed(failure, "limit_exceeded",
                                 "%s: its headers are larger than %d bytes", place,
                                 4 * WEIR__HEADER_BYTES_MAX);
    const char *problem = t->problem[0] ? t->problem : curl_easy_strerror(result);
    if (result == CURLE_OPERATION_TIMEDOUT && t->until_deadline)
        return weir__http_failed(failure, "expired", "%s: the time for it is over", place);
    weir__http_failed(failure, "io", "%s: %s", place, problem);
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        const meaning *m = &meanings[i];
        if (m->result != result) continue;
        failure->code = m->code;
        failure->retry = m->retry;
        failure->unsent = m->unsent;
        failure->peers = m->peers;
    }
    /* A timeout while connecting: nothing was sent. */
    curl_off_t connected_us = 0;
    curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
    if (result == CURLE_OPERATION_TIMEDOUT && connected_us == 0) failure->unsent = true;
    return false;
}

static const char *reason_of(long status) {
    static const struct {
        long status;
        const char *reason;
    } reasons[] = {{400, " Bad Request"},        {401, " Unauthorized"},
                   {403, " Forbidden"},          {404, " Not Found"},
                   {405, " Method Not Allowed"}, {408, " Request Timeout"},
                   {409, " Conflict"},           {410, " Gone"},
                   {413, " Content Too Large"},  {422, " Unprocessable Content"},
                   {429, " Too Many Requests"},  {500, " Internal Server Error"},
                   {502, " Bad Gateway"},        {503, " Service Unavailable"},
                   {504, " Gateway Timeout"}};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status) return reasons[i].reason;
    return "";
}

bool weir__transfer_judge(weir__transfer *t, CURLcode result, weir__http_failure *failure) {
    const weir__http_options *options = &t->request.options;
    if (result != CURLE_OK) return judge_result(t, result, failure);
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    bool retry = status > 0 && status < WEIR__STATUS_MAX &&
                 (options->retry_on[status / 8] >> status % 8 & 1);
    if (!retry && status < 400) return true;
    char place[320];
    weir__http_failed(failure, "http_status", "%s: the server answered %ld%s",
                      weir__transfer_place(t, place), status, reason_of(status));
    failure->status = status;
    failure->retry = retry;
    failure->peers = status >= 500 || status == 429;
    return false;
}

/* --- what comes next --- */

/* How the Fetch standard changes the method, as browsers do and RFC 9110 (section 15.4) allows. */
static void change_method(weir__transfer *t, long status) {
    bool post = strcmp(t->method, "POST") == 0, head = strcmp(t->method, "HEAD") == 0;
    if (((status == 301 || status == 302) && post) || (status == 303 && !head)) {
        t->method = "GET";
        t->with_body = false;
    }
}

bool weir__transfer_redirect(weir__transfer *t, weir__http_failure *failure) {
    long status = 0;
    struct curl_header *location;
    char place[320];
    failure->code = NULL;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    bool leads = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    if (!leads || !t->request.options.follow ||
        curl_easy_header(t->easy, "Location", 0, CURLH_HEADER, -1, &location) != CURLHE_OK)
        return false;
    weir__transfer_place(t, place);
    if (t->redirects >= t->request.options.redirects_max)
        return weir__http_failed(failure, "too_many_redirects", "%s: more than %u redirects", place,
                                 t->request.options.redirects_max);
    weir__bytes clean = {0}, whole = {0}, url = {0};
    weir__reference base, to;
    const char *problem = "it does not lead to http:// or https://";
    bool ok = weir__reference_clean(weir__str(location->value), &clean, &problem) &&
              weir__reference_split(weir__bytes_str(&clean), &to, &problem) &&
              weir__reference_split(weir__bytes_str(&t->url), &base, &problem);
    if (ok) {
        /* RFC 9110, section 10.2.2: the fragment goes along. */
        if (!to.fragment.data) to.fragment = base.fragment;
        weir__reference_resolve(&base, &to, &whole);
        ok = weir__reference_split(weir__bytes_str(&whole), &to, &problem) &&
             weir__reference_is_web(&to);
    }
    if (ok) {
        t->same_origin = t->same_origin && weir__reference_same_origin(&base, &to);
        weir__reference_normalize(&to, true, true, &url);
        weir__bytes_deinit(&t->url);
        t->url = url;
        t->redirects++;
        change_method(t, status);
    } else {
        weir__http_failed(failure, "bad_redirect", "%s: the redirect cannot be followed: %s", place,
                          problem);
    }
    weir__bytes_deinit(&clean);
    weir__bytes_deinit(&whole);
    return ok;
}

uint64_t weir__transfer_delay_us(weir__transfer *t) {
    const weir__http_options *options = &t->request.options;
    curl_off_t asked_s = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &asked_s);
    if (asked_s > 86400 || (uint64_t)asked_s * 1000000 > options->retry_after_max_us)
        return UINT64_MAX;
    /* Doubles with each attempt up to a minute; half of it is chance, so that those that failed together do not come back
     * together ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015). */
    double backoff =
        ldexp((double)options->backoff_us, (int)(t->attempts < 20 ? t->attempts : 20) - 1);
    if (backoff > 60e6) backoff = 60e6;
    uint32_t chance = 0;
    t->host->random(t->call, &chance, sizeof chance);
    uint64_t delay_us = (uint64_t)(backoff * (0.5 + 0.5 * chance / UINT32_MAX));
    uint64_t asked_us = (uint64_t)asked_s * 1000000;
    return asked_us > delay_us ? asked_us : delay_us;
}

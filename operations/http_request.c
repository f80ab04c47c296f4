#include "http_request.h"

#include <math.h>

#include "http_cookie.h"
#include "http_json.h"
#include "parameter.h"
#include "reference.h"

typedef struct reader {
    const weir_host *host;
    weir_call *call;
} reader;

static bool is_there(const reader *r, const weir_value *value) {
    return value && r->host->value_type(value) != WEIR_NULL;
}

/* A parameter, else the configuration of that name; NULL when there is neither, or null. */
static weir_value *given(const reader *r, const char *name) {
    weir_value *value = r->host->parameter(r->call, name);
    if (!is_there(r, value)) value = r->host->config(r->call, name);
    return is_there(r, value) ? value : NULL;
}

static bool wrong_type(const reader *r, const char *name, const char *wanted,
                       const weir_value *found) {
    return r->host->fail(r->call, "invalid", "`%s` must be of type %s, found %s", name, wanted,
                         type_name(r->host, found));
}

static const char *keep(const reader *r, weir_str text) {
    char *copy = r->host->alloc(r->call, text.length + 1);
    if (text.length) memcpy(copy, text.data, text.length);
    return copy;
}

static const char *keep_bytes(const reader *r, weir__bytes *bytes) {
    const char *text = keep(r, weir__bytes_str(bytes));
    weir__bytes_deinit(bytes);
    return text;
}

/* --- single values; each leaves `*out` alone when there is none --- */

static bool read_flag(const reader *r, const char *name, bool *out) {
    const weir_value *value = given(r, name);
    if (value && r->host->value_type(value) != WEIR_BOOL) return wrong_type(r, name, "bool", value);
    if (value) *out = r->host->bool_get(value);
    return true;
}

static bool is_within(const reader *r, const weir_value *value, double least, double most) {
    weir_type type = r->host->value_type(value);
    if (type != WEIR_INT && type != WEIR_FLOAT) return false;
    double number = r->host->number_get(value);
    return number >= least && number <= most;
}

static bool read_seconds(const reader *r, const char *name, double least, uint64_t *out_us) {
    const weir_value *value = given(r, name);
    if (value && !is_within(r, value, least, 86400))
        return r->host->fail(r->call, "invalid", "`%s` must be seconds from %g to 86400", name,
                             least);
    if (value) *out_us = (uint64_t)llround(r->host->number_get(value) * 1e6);
    return true;
}

static bool read_count(const reader *r, const char *name, unsigned least, unsigned most,
                       unsigned *out) {
    const weir_value *value = given(r, name);
    if (value && (r->host->value_type(value) != WEIR_INT || !is_within(r, value, least, most)))
        return r->host->fail(r->call, "invalid", "`%s` must be an int from %u to %u", name, least,
                             most);
    if (value) *out = (unsigned)r->host->int_get(value);
    return true;
}

static bool is_plain(weir_str text) {
    for (size_t i = 0; i < text.length; i++)
        if (((unsigned char)text.data[i] < ' ' && text.data[i] != '\t') || text.data[i] == 0x7f)
            return false;
    return true;
}

static bool read_line(const reader *r, const char *name, const char **out) {
    const weir_value *value = given(r, name);
    if (!value) return true;
    if (r->host->value_type(value) != WEIR_STRING) return wrong_type(r, name, "string", value);
    weir_str text = r->host->string_get(value);
    if (!is_plain(text) || text.length > WEIR__HEADER_BYTES_MAX)
        return r->host->fail(r->call, "invalid", "`%s` must be one line of text", name);
    *out = text.data;
    return true;
}

/* --- options --- */

static void add_status(uint8_t *set, int64_t status) {
    set[status / 8] = (uint8_t)(set[status / 8] | 1u << status % 8);
}

static bool read_statuses(const reader *r, uint8_t *out) {
    static const int usual[] = {408, 425, 429, 500, 502, 503, 504};
    const weir_value *list = given(r, "retry_on");
    for (size_t i = 0; !list && i < sizeof usual / sizeof *usual; i++) add_status(out, usual[i]);
    if (!list) return true;
    if (r->host->value_type(list) != WEIR_ARRAY) return wrong_type(r, "retry_on", "array", list);
    for (size_t i = 0; i < r->host->value_count(list); i++) {
        const weir_value *item = r->host->array_at(list, i);
        if (r->host->value_type(item) != WEIR_INT || !is_within(r, item, 100, WEIR__STATUS_MAX - 1))
            return r->host->fail(r->call, "invalid", "`retry_on`: item %zu is no status", i);
        add_status(out, r->host->int_get(item));
    }
    return true;
}

static bool read_breaker(const reader *r, weir__http_options *out) {
    const weir_value *map = given(r, "circuit_breaker");
    out->breaker_reset_us = 30 * 1000000;
    if (!map) return true;
    if (r->host->value_type(map) != WEIR_OBJECT)
        return wrong_type(r, "circuit_breaker", "object", map);
    const weir_value *failures = r->host->object_get(map, "failures", 8);
    const weir_value *reset = r->host->object_get(map, "reset", 5);
    if (!failures || r->host->value_type(failures) != WEIR_INT ||
        !is_within(r, failures, 1, 1000000) || (reset && !is_within(r, reset, 0.001, 86400)) ||
        r->host->value_count(map) != 1u + (reset != NULL))
        return r->host->fail(r->call, "invalid",
                             "`circuit_breaker` is {failures: an int from 1, reset: seconds}");
    out->breaker_failures = (unsigned)r->host->int_get(failures);
    if (reset) out->breaker_reset_us = (uint64_t)llround(r->host->number_get(reset) * 1e6);
    return true;
}

static bool read_expect(const reader *r, bool *json) {
    const char *expect = "any";
    if (!read_line(r, "expect", &expect)) return false;
    *json = strcmp(expect, "json") == 0;
    return *json || strcmp(expect, "any") == 0 ||
           r->host->fail(r->call, "invalid", "`expect` is json or any");
}

/* Of other schemes curl would take a wrong word for a host. */
static bool check_proxy(const reader *r, const char *proxy) {
    weir__reference parts;
    const char *problem;
    if (!proxy || !*proxy) return true;
    return (weir__reference_split(weir__str(proxy), &parts, &problem) && parts.host.length &&
            (weir__reference_is_web(&parts) || weir__str_same(parts.scheme, "socks5") ||
             weir__str_same(parts.scheme, "socks5h"))) ||
           r->host->fail(r->call, "invalid",
                         "`proxy` must be a URL of http, https, socks5 or socks5h");
}

static bool read_options(const reader *r, weir__http_options *out) {
    unsigned bytes = 64 * 1024 * 1024;
    *out = (weir__http_options){.timeout_us = 30 * 1000000,
                                .connect_timeout_us = 10 * 1000000,
                                .backoff_us = 500000,
                                .retry_after_max_us = 60 * 1000000,
                                .retries = 2,
                                .redirects_max = 10,
                                .per_host = 6,
                                .user_agent = "weir/" WEIR_VERSION,
                                .verify = true,
                                .follow = true,
                                .fail_on_status = true};
    if (!read_seconds(r, "timeout", 0.001, &out->timeout_us) ||
        !read_seconds(r, "connect_timeout", 0.001, &out->connect_timeout_us) ||
        !read_seconds(r, "backoff", 0, &out->backoff_us) ||
        !read_seconds(r, "retry_after_max", 0, &out->retry_after_max_us) ||
        !read_count(r, "retries", 0, 100, &out->retries) ||
        !read_count(r, "max_redirects", 0, 100, &out->redirects_max) ||
        !read_count(r, "connections_per_host", 1, 10000, &out->per_host) ||
        !read_count(r, "max_bytes", 0, WEIR__RESPONSE_BYTES_MAX, &bytes) ||
        !read_flag(r, "follow_redirects", &out->follow) || !read_flag(r, "verify", &out->verify) ||
        !read_flag(r, "fail_on_status", &out->fail_on_status) ||
        !read_flag(r, "retry_all_methods", &out->retry_unsafe) ||
        !read_flag(r, "one_response", &out->one_response) ||
        !read_flag(r, "error_output", &out->error_output) || !read_expect(r, &out->expect_json) ||
        !read_line(r, "user_agent", &out->user_agent) || !read_line(r, "ca_file", &out->ca_file) ||
        !read_line(r, "proxy", &out->proxy) || !check_proxy(r, out->proxy) ||
        !read_statuses(r, out->retry_on) || !read_breaker(r, out))
        return false;
    out->bytes_max = bytes;
    return true;
}

/* --- maps: the configuration's members, then the parameter's, then parameters named "MAP.NAME" --- */

static void put_member(const reader *r, weir_value *map, weir_str name, weir_value *value,
                       bool header) {
    for (size_t i = 0; header && i < r->host->value_count(map); i++) {
        weir_str there = r->host->object_key(map, i);
        if (there.length == name.length && strncasecmp(there.data, name.data, name.length) == 0)
            name = there;
    }
    r->host->object_set(map, name.data, name.length, r->host->value_ref(value));
}

static bool put_map(const reader *r, weir_value *map, const char *name, const weir_value *from,
                    bool header) {
    if (!is_there(r, from)) return true;
    if (r->host->value_type(from) != WEIR_OBJECT) return wrong_type(r, name, "object", from);
    for (size_t i = 0; i < r->host->value_count(from); i++)
        put_member(r, map, r->host->object_key(from, i), r->host->object_at(from, i), header);
    return true;
}

/* NULL: the call has failed. Empty when nothing is given. */
static weir_value *read_map(const reader *r, const char *name) {
    const weir_host *host = r->host;
    bool header = strcmp(name, "headers") == 0;
    weir_value *map = host->object_new();
    const weir_value *all = host->parameters(r->call);
    if (!put_map(r, map, name, host->config(r->call, name), header) ||
        !put_map(r, map, name, host->parameter(r->call, name), header)) {
        host->value_unref(map);
        return NULL;
    }
    size_t length = strlen(name);
    for (size_t i = 0; all && i < host->value_count(all); i++) {
        weir_str key = host->object_key(all, i);
        if (key.length <= length + 1 || memcmp(key.data, name, length) != 0 ||
            key.data[length] != '.')
            continue;
        put_member(r, map, weir__str_part(key, length + 1, key.length), host->object_at(all, i),
                   header);
    }
    return map;
}

static bool add_field(const reader *r, const char *map, weir_str name, const weir_value *value,
                      weir__bytes *out) {
    weir__bytes text = {0};
    if (!weir__scalar_write(r->host, value, &text)) {
        weir__bytes_deinit(&text);
        return r->host->fail(r->call, "invalid", "`%s`: `%.*s` must be a text, a number or a bool",
                             map, (int)(name.length < 100 ? name.length : 100), name.data);
    }
    if (out->length) weir__bytes_byte(out, '&');
    weir__form_encode(name, out);
    weir__bytes_byte(out, '=');
    weir__form_encode(weir__bytes_str(&text), out);
    weir__bytes_deinit(&text);
    return true;
}

/* Appends name=value&…; an array is its items, null is nothing. */
static bool add_fields(const reader *r, const char *name, weir__bytes *out) {
    const weir_host *host = r->host;
    weir_value *map = read_map(r, name);
    bool ok = map;
    for (size_t i = 0; ok && i < host->value_count(map); i++) {
        weir_str key = host->object_key(map, i);
        const weir_value *value = host->object_at(map, i);
        if (host->value_type(value) == WEIR_ARRAY)
            for (size_t j = 0; ok && j < host->value_count(value); j++)
                ok = add_field(r, name, key, host->array_at(value, j), out);
        else if (host->value_type(value) != WEIR_NULL)
            ok = add_field(r, name, key, value, out);
    }
    host->value_unref(map);
    return ok;
}

/* --- URL --- */

static void add_part(weir__bytes *out, const char *mark, weir_str part) {
    if (!part.data) return;
    weir__bytes_text(out, mark);
    weir__bytes_add(out, part);
}

static bool read_url(const reader *r, const char **out, weir__http_failure *failure) {
    const weir_value *value = given(r, "url");
    if (!value || r->host->value_type(value) != WEIR_STRING)
        return wrong_type(r, "url", "string", value);
    weir_str text = r->host->string_get(value);
    weir__bytes clean = {0}, query = {0}, url = {0};
    weir__reference parts;
    const char *problem = "it does not begin with http:// or https:// and a host";
    bool ok = weir__reference_clean(text, &clean, &problem) &&
              weir__reference_split(weir__bytes_str(&clean), &parts, &problem) &&
              weir__reference_is_web(&parts);
    if (!ok)
        weir__http_failed(failure, "invalid", "`%.*s` cannot be fetched: %s",
                          (int)(text.length < 200 ? text.length : 200), text.data, problem);
    ok = ok && add_fields(r, "query", &query);
    if (ok) {
        weir_str fragment = parts.fragment;
        parts.fragment = (weir_str){0};
        if (query.length && parts.query.length) {
            weir__bytes both = {0};
            weir__bytes_add(&both, parts.query);
            weir__bytes_byte(&both, '&');
            weir__bytes_add(&both, weir__bytes_str(&query));
            weir__bytes_deinit(&query);
            query = both;
        }
        if (query.length) parts.query = weir__bytes_str(&query);
        weir__reference_normalize(&parts, true, false, &url);
        add_part(&url, "#", fragment);
        *out = keep_bytes(r, &url);
    }
    weir__bytes_deinit(&clean);
    weir__bytes_deinit(&query);
    return ok;
}

/* --- headers --- */

/* A token (RFC 9110, section 5.6.2). */
static bool is_token(weir_str text) {
    for (size_t i = 0; i < text.length; i++) {
        char c = weir__lower(text.data[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            !(c && strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return text.length > 0 && text.length < 256;
}

/* What frames the message is curl's to say. */
static bool is_framing(weir_str name) {
    static const char *const names[] = {"content-length", "transfer-encoding", "connection", "te",
                                        "upgrade",        "keep-alive",        "trailer"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (weir__str_same(name, names[i])) return true;
    return false;
}

static bool add_header(const reader *r, weir_str name, const weir_value *value, const char **line) {
    weir__bytes text = {0};
    int shown = (int)(name.length < 100 ? name.length : 100);
    bool ok = weir__scalar_write(r->host, value, &text);
    weir_str content = weir__str_trim(weir__bytes_str(&text));
    if (!is_token(name) || is_framing(name))
        r->host->fail(r->call, "invalid", "`headers`: `%.*s` %s", shown, name.data,
                      is_framing(name) ? "cannot be set" : "is no name of a header");
    else if (!ok || !is_plain(content) || content.length > WEIR__HEADER_BYTES_MAX)
        r->host->fail(r->call, "invalid", "`headers`: `%.*s` must be one line of text", shown,
                      name.data);
    else {
        /* Curl's form of a header without content ends with a semicolon. */
        weir__bytes whole = {0};
        weir__bytes_add(&whole, name);
        weir__bytes_text(&whole, content.length ? ": " : ";");
        weir__bytes_add(&whole, content);
        *line = keep_bytes(r, &whole);
    }
    weir__bytes_deinit(&text);
    return *line;
}

static bool read_headers(const reader *r, weir__http_request *out) {
    const weir_host *host = r->host;
    weir_value *map = read_map(r, "headers");
    if (!map) return false;
    size_t count = host->value_count(map), lines = 0, bytes = 0;
    const char **headers = host->alloc(r->call, (count + 1) * sizeof *headers);
    bool ok = count <= WEIR__HEADERS_MAX ||
              host->fail(r->call, "limit_exceeded", "more than %d headers", WEIR__HEADERS_MAX);
    for (size_t i = 0; ok && i < count; i++) {
        weir_str name = host->object_key(map, i);
        if (host->value_type(host->object_at(map, i)) == WEIR_NULL) continue;
        ok = add_header(r, name, host->object_at(map, i), &headers[lines]);
        if (!ok) break;
        if (weir__str_same(name, "content-type")) out->body_type = NULL;
        bytes += strlen(headers[lines++]);
        if (bytes > WEIR__HEADER_BYTES_MAX)
            ok = host->fail(r->call, "limit_exceeded", "headers of more than %d bytes",
                            WEIR__HEADER_BYTES_MAX);
    }
    host->value_unref(map);
    out->headers = headers;
    return ok;
}

/* --- body --- */

static bool has_prefix(const reader *r, const char *name) {
    const weir_value *all = r->host->parameters(r->call);
    size_t length = strlen(name);
    for (size_t i = 0; all && i < r->host->value_count(all); i++) {
        weir_str key = r->host->object_key(all, i);
        if (key.length > length + 1 && memcmp(key.data, name, length) == 0 &&
            key.data[length] == '.')
            return true;
    }
    return given(r, name) != NULL;
}

static bool read_json(const reader *r, weir__bytes *out) {
    const weir_value *value = given(r, "json");
    if (value && r->host->value_type(value) != WEIR_OBJECT) {
        weir__json_write(r->host, value, out);
        return true;
    }
    weir_value *map = read_map(r, "json");
    if (map) weir__json_write(r->host, map, out);
    r->host->value_unref(map);
    return map;
}

static bool read_body(const reader *r, weir__http_request *out) {
    const weir_value *body = given(r, "body");
    bool json = has_prefix(r, "json"), form = has_prefix(r, "form");
    if ((body != NULL) + json + form > 1)
        return r->host->fail(r->call, "invalid",
                             "only one of `body`, `json` and `form` can be sent");
    if (body && r->host->value_type(body) != WEIR_STRING)
        return wrong_type(r, "body", "string", body);
    if (body) {
        out->body = r->host->string_get(body);
        out->body_type = "text/plain; charset=utf-8";
    } else if (json || form) {
        weir__bytes bytes = {0};
        if (!(json ? read_json(r, &bytes) : add_fields(r, "form", &bytes))) {
            weir__bytes_deinit(&bytes);
            return false;
        }
        out->body.length = bytes.length;
        out->body.data = keep_bytes(r, &bytes);
        out->body_type = json ? "application/json" : "application/x-www-form-urlencoded";
    }
    return out->body.length <= WEIR__REQUEST_BYTES_MAX ||
           r->host->fail(r->call, "limit_exceeded", "a body of more than %d bytes",
                         WEIR__REQUEST_BYTES_MAX);
}

static bool read_method(const reader *r, const char **out) {
    const char *method = "GET";
    if (!read_line(r, "method", &method)) return false;
    char *upper = r->host->alloc(r->call, strlen(method) + 1);
    for (size_t i = 0; method[i]; i++)
        upper[i] = method[i] >= 'a' && method[i] <= 'z' ? (char)(method[i] - 32) : method[i];
    *out = upper;
    bool refused = strcmp(upper, "CONNECT") == 0 || strcmp(upper, "TRACE") == 0;
    return (is_token(weir__str(upper)) && strlen(upper) <= 32 && !refused) ||
           r->host->fail(r->call, "invalid", "`method` must be one such as GET or POST");
}

static bool read_session(const reader *r, weir__http_request *out) {
    weir_value *session = r->host->parameter(r->call, "session");
    if (!is_there(r, session)) return true;
    if (r->host->value_type(session) != WEIR_OBJECT)
        return wrong_type(r, "session", "object", session);
    const weir_value *cookies = r->host->object_get(session, "cookies", 7);
    if (!cookies)
        return r->host->fail(r->call, "invalid",
                             "`session` has no `cookies`; http.session makes one");
    out->session = session;
    return weir__cookies_check(r->host, r->call, cookies);
}

bool weir__http_failed(weir__http_failure *failure, const char *code, const char *format, ...) {
    *failure = (weir__http_failure){.code = code};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    va_end(arguments);
    return false;
}

bool weir__http_request_read(const weir_host *host, weir_call *call, bool any_method,
                             weir__http_request *out, weir__http_failure *failure) {
    const reader r = {host, call};
    *out = (weir__http_request){.method = "GET"};
    failure->code = NULL;
    return read_options(&r, &out->options) && (!any_method || read_method(&r, &out->method)) &&
           (!any_method || read_body(&r, out)) && read_headers(&r, out) && read_session(&r, out) &&
           read_url(&r, &out->url, failure);
}

bool weir__http_is_idempotent(const char *method) {
    static const char *const names[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(method, names[i]) == 0) return true;
    return false;
}

/* A response as outputs. */
#include <strings.h>
#include <time.h>

#include "http_cookie.h"
#include "http_json.h"
#include "http_transfer.h"

static weir_value *text_new(const weir_host *host, weir_str text) {
    return host->string_new(text.data, text.length);
}

/* --- headers --- */

static weir_str lower_name(const char *name, weir__bytes *out) {
    weir__bytes_cut(out, 0);
    for (; *name; name++) weir__bytes_byte(out, weir__lower(*name));
    return weir__bytes_str(out);
}

/* By name in lower case. Those that come again are joined by commas (RFC 9110, section 5.3), but for Set-Cookie, which
 * cannot be: that is an array. */
static weir_value *headers_new(const weir__transfer *t) {
    const weir_host *host = t->host;
    weir_value *headers = host->object_new(), *cookies = NULL;
    weir__bytes name = {0}, text = {0};
    struct curl_header *at = NULL;
    while ((at = curl_easy_nextheader(t->easy, CURLH_HEADER, -1, at))) {
        weir_str key = lower_name(at->name, &name);
        const weir_value *before = host->object_get(headers, key.data, key.length);
        weir__bytes_cut(&text, 0);
        if (weir__str_is(key, "set-cookie")) {
            weir__bytes_utf8(&text, weir__str(at->value));
            if (!cookies) cookies = host->array_new();
            host->array_append(cookies, text_new(host, weir__bytes_str(&text)));
            continue;
        }
        if (before) {
            weir__bytes_add(&text, host->string_get(before));
            weir__bytes_text(&text, ", ");
        }
        weir__bytes_utf8(&text, weir__str(at->value));
        host->object_set(headers, key.data, key.length, text_new(host, weir__bytes_str(&text)));
    }
    if (cookies) host->object_set(headers, "set-cookie", 10, cookies);
    weir__bytes_deinit(&name);
    weir__bytes_deinit(&text);
    return headers;
}

static weir_str header_text(const weir_host *host, const weir_value *headers, const char *name) {
    const weir_value *value = host->object_get(headers, name, strlen(name));
    return value ? host->string_get(value) : weir__str("");
}

/* --- media types --- */

typedef struct media {
    weir_str type, charset; /* charset without data: not said */
} media;

/* RFC 9110, section 8.3. */
static media read_media(weir_str text) {
    media found = {0};
    size_t end = 0;
    while (end < text.length && text.data[end] != ';') end++;
    found.type = weir__str_trim(weir__str_part(text, 0, end));
    while (end < text.length && !found.charset.data) {
        size_t from = end + 1;
        for (end = from; end < text.length && text.data[end] != ';';) end++;
        weir_str part = weir__str_trim(weir__str_part(text, from, end));
        if (part.length <= 8 || strncasecmp(part.data, "charset=", 8) != 0) continue;
        found.charset = weir__str_part(part, 8, part.length);
        if (found.charset.length >= 2 && found.charset.data[0] == '"')
            found.charset = weir__str_part(found.charset, 1, found.charset.length - 1);
    }
    return found;
}

static bool ends_with(weir_str text, const char *end) {
    size_t length = strlen(end);
    return text.length >= length &&
           weir__str_same(weir__str_part(text, text.length - length, text.length), end);
}

static bool is_json(weir_str type) {
    return weir__str_same(type, "application/json") || ends_with(type, "+json");
}

static bool is_text(const media *m) {
    static const char *const types[] = {"application/xml",
                                        "application/javascript",
                                        "application/x-javascript",
                                        "application/ecmascript",
                                        "application/x-www-form-urlencoded",
                                        "application/x-ndjson",
                                        "application/yaml",
                                        "application/x-yaml",
                                        "application/toml",
                                        "application/sql"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (weir__str_same(m->type, types[i])) return true;
    return !m->type.length || m->charset.data || is_json(m->type) || ends_with(m->type, "+xml") ||
           (m->type.length > 5 && strncasecmp(m->type.data, "text/", 5) == 0);
}

/* --- bodies --- */

/* Latin-1 as the Encoding standard has it, which every browser follows: the bytes 0x80 to 0x9f are those of windows-1252. */
static void decode_latin(weir_str body, weir__bytes *out) {
    static const uint16_t high[32] = {
        0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
        0x2039, 0x0152, 0x8d,   0x017d, 0x8f,   0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
        0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178};
    weir__bytes_reserve(out, body.length + body.length / 4);
    for (size_t i = 0; i < body.length; i++) {
        unsigned c = (unsigned char)body.data[i];
        if (c >= 0x80 && c < 0xa0) c = high[c - 0x80];
        if (!c) c = 0xfffd;
        if (c < 0x80) {
            weir__bytes_byte(out, (char)c);
        } else if (c < 0x800) {
            weir__bytes_add(
                out, (weir_str){(char[]){(char)(0xc0 | c >> 6), (char)(0x80 | (c & 63))}, 2});
        } else {
            weir__bytes_add(
                out, (weir_str){(char[]){(char)(0xe0 | c >> 12), (char)(0x80 | (c >> 6 & 63)),
                                         (char)(0x80 | (c & 63))},
                                3});
        }
    }
}

static void encode_base64(weir_str body, weir__bytes *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    weir__bytes_reserve(out, body.length / 3 * 4 + 4);
    for (size_t i = 0; i < body.length; i += 3) {
        size_t left = body.length - i;
        unsigned bits = (unsigned)(unsigned char)body.data[i] << 16;
        if (left > 1) bits |= (unsigned)(unsigned char)body.data[i + 1] << 8;
        if (left > 2) bits |= (unsigned char)body.data[i + 2];
        char four[] = {digits[bits >> 18], digits[bits >> 12 & 63],
                       left > 1 ? digits[bits >> 6 & 63] : '=', left > 2 ? digits[bits & 63] : '='};
        weir__bytes_add(out, (weir_str){four, sizeof four});
    }
}

static bool is_latin(weir_str charset) {
    static const char *const names[] = {"iso-8859-1", "iso8859-1",    "latin1", "latin-1",
                                        "l1",         "windows-1252", "cp1252"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (weir__str_same(charset, names[i])) return true;
    return false;
}

static bool is_utf8(weir_str charset) {
    return weir__str_same(charset, "utf-8") || weir__str_same(charset, "utf8") ||
           weir__str_same(charset, "us-ascii") || weir__str_same(charset, "ascii");
}

/* The body as a text, or as base64 when it is none or is in another charset; `*out` borrows from `own` or from the body. */
static bool decode(weir_str body, const media *m, weir__bytes *own, weir_str *out) {
    static const char mark[] = "\xef\xbb\xbf";
    bool marked = body.length >= 3 && memcmp(body.data, mark, 3) == 0;
    bool known = is_utf8(m->charset) || is_latin(m->charset), text = is_text(m);
    *out = marked ? weir__str_part(body, 3, body.length) : body;
    if (!text || (m->charset.data && !known && !marked)) {
        encode_base64(body, own);
        *out = weir__bytes_str(own);
        return false;
    }
    /* Of what does not say, what is no UTF-8 is most likely Latin-1. */
    bool whole = weir__utf8_until(*out) == out->length;
    bool latin = !marked && (is_latin(m->charset) || (!m->charset.data && !whole));
    if (whole && !latin) return true;
    if (latin)
        decode_latin(*out, own);
    else
        weir__bytes_utf8(own, *out);
    *out = weir__bytes_str(own);
    return true;
}

/* --- session --- */

static int compare_lines(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Sorted, so that the same cookies are the same value; that of before when no cookie came. */
static weir_value *session_new(const weir__transfer *t) {
    const weir_host *host = t->host;
    if (t->request.session && !t->cookies_came) return host->value_ref(t->request.session);
    weir_value *session = host->object_new(), *cookies = host->array_new();
    struct curl_slist *list = NULL;
    curl_easy_getinfo(t->easy, CURLINFO_COOKIELIST, &list);
    size_t count = 0;
    int64_t now_s = (int64_t)time(NULL);
    for (const struct curl_slist *at = list; at; at = at->next) count++;
    const char **lines = weir__zeroed((count + 1) * sizeof *lines);
    count = 0;
    for (const struct curl_slist *at = list; at; at = at->next) lines[count++] = at->data;
    qsort(lines, count, sizeof *lines, compare_lines);
    for (size_t i = 0; i < count; i++) {
        weir_value *cookie = weir__cookie_new(host, weir__str(lines[i]));
        if (!cookie) continue;
        /* Curl lists those too that the server just ended. */
        int64_t expires_s = host->int_get(host->object_get(cookie, "expires", 7));
        if (expires_s && expires_s <= now_s)
            host->value_unref(cookie);
        else
            host->array_append(cookies, cookie);
    }
    free(lines);
    curl_slist_free_all(list);
    host->object_set(session, "cookies", 7, cookies);
    return session;
}

/* --- outputs --- */

/* Puts the outputs one by one, or into one object. */
typedef struct giver {
    const weir__transfer *t;
    weir_value *response; /* NULL: one by one */
} giver;

static void give(const giver *g, const char *name, weir_value *value) {
    if (g->response)
        g->t->host->object_set(g->response, name, strlen(name), value);
    else
        g->t->host->output(g->t->call, name, value);
}

/* Without user and password; what is no URL is given as it is. */
static weir_value *url_new(const weir_host *host, const char *url) {
    weir__bytes text = {0};
    weir__reference parts;
    const char *problem;
    if (weir__reference_split(weir__str(url), &parts, &problem))
        weir__reference_normalize(&parts, false, true, &text);
    weir_value *value = text_new(host, text.length ? weir__bytes_str(&text) : weir__str(url));
    weir__bytes_deinit(&text);
    return value;
}

bool weir__transfer_give(weir__transfer *t, weir__http_failure *failure) {
    const weir_host *host = t->host;
    bool wanted = t->request.options.expect_json;
    long status = 0;
    char place[320];
    weir__bytes own = {0};
    weir_str body;
    weir_value *headers = headers_new(t);
    media m = read_media(header_text(host, headers, "content-type"));
    bool text = decode(weir__bytes_str(&t->body), &m, &own, &body);
    weir_value *json = text && (wanted || is_json(m.type)) ? weir__json_parse(host, body) : NULL;
    bool ok = json || !wanted;
    if (ok) {
        giver g = {t, t->request.options.one_response ? host->object_new() : NULL};
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        give(&g, "url", url_new(host, t->url.data));
        give(&g, "status", host->int_new(status));
        give(&g, "headers", headers);
        give(&g, "body", text_new(host, body));
        give(&g, "encoding", text_new(host, weir__str(text ? "text" : "base64")));
        if (json) give(&g, "json", json);
        give(&g, "elapsed", host->float_new((double)(weir__http_now_us() - t->begun_us) / 1e6));
        if (g.response) host->output(t->call, "response", g.response);
        host->output(t->call, "session", session_new(t));
    } else {
        host->value_unref(headers);
        weir__http_failed(failure, "invalid_json", "%s: the body is no JSON",
                          weir__transfer_place(t, place));
    }
    weir__bytes_deinit(&own);
    return ok;
}

bool weir__http_fail(const weir_host *host, weir_call *call, const weir__http_failure *failure,
                     bool error_output, const char *url, unsigned attempts) {
    if (!error_output) return host->fail(call, failure->code, "%s", failure->text);
    weir_value *error = host->object_new();
    const struct {
        const char *name;
        weir_value *value;
    } members[] = {
        {"url", url_new(host, url)},
        {"code", text_new(host, weir__str(failure->code))},
        {"message", text_new(host, weir__str(failure->text))},
        {"status", failure->status ? host->int_new(failure->status) : host->null_new()},
        {"attempts", host->int_new((int64_t)attempts)},
    };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        host->object_set(error, members[i].name, strlen(members[i].name), members[i].value);
    host->output(call, "error", error);
    return true;
}

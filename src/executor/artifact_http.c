/* Inputs over HTTP.
 *
 *   http: {url, headers?: [{name, value}], username?, password?, client_cert?, client_key?,
 *          oauth2?: {token_url, client_id, client_secret, scopes?: [text], params?: [{key, value}]}}
 *
 * A value, a password and so on is a text or {secret: NAME}. What fails for a moment is tried again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "artifact/fetch.h"
#include "base/descriptor.h"
#include "data/json.h"
#include "executor/artifacts_internal.h"

enum {
    TRIES_MAX = 5,
    HEADERS_MAX = 100,
    TOKEN_BYTES_MAX = 64 * 1024,
    PAUSE_MS = 200 /* before the second try; twice as long before each other */
};

typedef struct download {
    const weir__getting *g;
    const weir__fetch_functions *library;
    weir_arena arena;
    weir_buffer place; /* the URL, without a password */
    int fd;            /* -1: the body is kept here: */
    weir_buffer body;
    uint64_t bytes, bytes_max;
    bool too_large;
    int reason; /* errno of a write that failed */
} download;

static bool goes_on(void *arg) {
    const download *d = arg;
    return !d->g->cancelled || !atomic_load(d->g->cancelled);
}

static bool take(void *arg, const void *data, size_t length) {
    download *d = arg;
    d->too_large = length > d->bytes_max - d->bytes;
    if (d->too_large) return false;
    d->bytes += length;
    if (d->fd < 0) {
        weir_buffer_append(&d->body, data, length);
        return true;
    }
    if (weir_descriptor_write(d->fd, (weir_str){data, length})) return true;
    d->reason = errno;
    return false;
}

static bool pause_before(const download *d, int attempt) {
    for (int left = PAUSE_MS << attempt; left > 0 && goes_on((void *)(uintptr_t)d); left -= 50)
        nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
    return goes_on((void *)(uintptr_t)d);
}

static bool failed(const download *d, const weir__fetch_answer *answer) {
    weir_error *error = d->g->error;
    if (!goes_on((void *)(uintptr_t)d))
        return weir_fail(error, WEIR_CANCELLED, "it was told to end");
    if (d->too_large) {
        weir_fail(error, WEIR_LIMIT, "%s has more than %llu bytes", d->place.data,
                  (unsigned long long)d->bytes_max);
        weir_error_hint(error, "the setting artifacts.size allows more or less");
        return false;
    }
    if (d->reason)
        return weir_fail(error, WEIR_IO, "it cannot be written: %s", strerror(d->reason));
    if (*answer->problem)
        return weir_fail(error, WEIR_IO, "loading file from %s failed with reason: %s",
                         d->place.data, answer->problem);
    return weir_fail(error, answer->status == 404 ? WEIR_NOT_FOUND : WEIR_IO,
                     "loading file from %s failed with reason: status %ld", d->place.data,
                     answer->status);
}

/* Begins anew what was cut off. */
static bool fetch(download *d, weir__fetch_request *request, weir__fetch_answer *answer) {
    request->sink = (weir__archive_sink){take, d};
    request->goes_on = goes_on;
    request->arg = d;
    for (int attempt = 0;; attempt++) {
        d->bytes = 0;
        weir_buffer_clear(&d->body);
        if (d->fd >= 0 && (ftruncate(d->fd, 0) < 0 || lseek(d->fd, 0, SEEK_SET) < 0))
            return weir_fail(d->g->error, WEIR_IO, "it cannot be written: %s", strerror(errno));
        if (d->library->fetch(request, answer)) return true;
        if (!answer->transient || attempt + 1 == TRIES_MAX || !pause_before(d, attempt))
            return failed(d, answer);
    }
}

/* What is said of it: a password in it is nobody's business. */
static void say_place(download *d, const char *url) {
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    const char *end = host + strcspn(host, "/?#"), *at = memrchr(host, '@', (size_t)(end - host));
    weir_buffer_clear(&d->place);
    weir_buffer_append(&d->place, url, (size_t)(host - url));
    weir_buffer_text(&d->place, at ? at + 1 : host);
    weir_secrets_mask(d->g->artifacts->secrets, &d->place);
}

static const char *text_of(download *d, const weir_value *object, const char *key, bool *ok) {
    weir_str text = {0};
    *ok = *ok && weir__getting_text(d->g, object, key, &text);
    return text.length ? weir_str_copy(&d->arena, text) : NULL;
}

/* --- what it is asked with ------------------------------------------------------------------ */

static bool has_line_end(const char *text) {
    return strpbrk(text, "\r\n") != NULL;
}

static bool add_headers(download *d, const weir_value *http, const char **lines, size_t *count) {
    const weir_value *list = weir_member_named(http, "headers");
    size_t all = weir_is(list, WEIR_ARRAY) ? weir_value_count(list) : 0;
    bool ok = all < HEADERS_MAX ||
              weir_fail(d->g->error, WEIR_LIMIT, "at most %d headers are sent", HEADERS_MAX);
    for (size_t i = 0; ok && i < all; i++) {
        const weir_value *header = weir_array_at(list, i);
        const char *value = text_of(d, header, "value", &ok);
        weir_buffer line = {0};
        weir_buffer_str_append(&line, weir_member_text(header, "name"));
        weir_buffer_printf(&line, "%s%s", value ? ": " : ";", value ? value : "");
        if (has_line_end(line.data))
            ok = weir_fail(d->g->error, WEIR_INVALID, "a header has a line end in it");
        lines[(*count)++] = weir_str_copy(&d->arena, weir_buffer_str(&line));
        weir_buffer_deinit(&line);
    }
    return ok;
}

static void encode(weir_buffer *out, weir_str text) {
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        bool plain = (byte >= '0' && byte <= '9') || ((byte | 32) >= 'a' && (byte | 32) <= 'z') ||
                     (byte && strchr("-._~", byte));
        if (plain)
            weir_buffer_byte(out, (char)byte);
        else
            weir_buffer_printf(out, "%%%02X", byte);
    }
}

static void add_pair(weir_buffer *form, const char *key, weir_str value) {
    if (form->length) weir_buffer_byte(form, '&');
    encode(form, weir_str_from(key));
    weir_buffer_byte(form, '=');
    encode(form, value);
}

static void make_form(const weir_value *oauth2, weir_buffer *form) {
    const weir_value *scopes = weir_member_named(oauth2, "scopes");
    const weir_value *params = weir_member_named(oauth2, "params");
    weir_buffer all = {0};
    add_pair(form, "grant_type", WEIR_STR("client_credentials"));
    for (size_t i = 0; weir_is(scopes, WEIR_ARRAY) && i < weir_value_count(scopes); i++) {
        const weir_value *scope = weir_array_at(scopes, i);
        if (i) weir_buffer_byte(&all, ' ');
        if (weir_is(scope, WEIR_STRING)) weir_buffer_str_append(&all, weir_string_get(scope));
    }
    if (all.length) add_pair(form, "scope", weir_buffer_str(&all));
    for (size_t i = 0; weir_is(params, WEIR_ARRAY) && i < weir_value_count(params); i++) {
        const weir_value *pair = weir_array_at(params, i);
        weir_buffer_clear(&all);
        weir_buffer_str_append(&all, weir_member_text(pair, "key"));
        add_pair(form, all.data ? all.data : "", weir_member_text(pair, "value"));
    }
    weir_buffer_deinit(&all);
}

/* Client credentials (RFC 6749, section 4.4): with a server that does not want them in the header they are posted. */
static bool get_token(download *d, const weir_value *oauth2, const char **out) {
    bool ok = true;
    weir_buffer form = {0};
    weir__fetch_answer answer = {0};
    weir_value *token = NULL;
    const char *url = text_of(d, oauth2, "token_url", &ok);
    const char *user = text_of(d, oauth2, "client_id", &ok);
    const char *password = text_of(d, oauth2, "client_secret", &ok);
    if (ok && (!url || !user))
        ok = weir_fail(d->g->error, WEIR_INVALID, "oauth2 needs a token URL and a client's id");
    if (!ok) return false;
    make_form(oauth2, &form);
    say_place(d, url);
    weir__fetch_request request = {
        .url = url, .user = user, .password = password, .form = form.data};
    d->bytes_max = TOKEN_BYTES_MAX;
    ok = fetch(d, &request, &answer);
    if (!ok && (answer.status == 400 || answer.status == 401)) {
        add_pair(&form, "client_id", weir_str_from(user));
        add_pair(&form, "client_secret", weir_str_from(password));
        request.user = NULL;
        request.form = form.data;
        ok = fetch(d, &request, &answer);
    }
    ok = ok &&
         weir_json_parse(weir_buffer_str(&d->body), WEIR_STR("the token"), &token, d->g->error);
    weir_str text = weir_member_text(token, "access_token");
    if (ok && (!text.length || memchr(text.data, '\n', text.length)))
        ok = weir_fail(d->g->error, WEIR_IO, "%s gave no access_token", d->place.data);
    if (ok) {
        weir_buffer line = {0};
        weir_buffer_printf(&line, "Authorization: Bearer %.*s", WEIR_ARG(text));
        *out = weir_str_copy(&d->arena, weir_buffer_str(&line));
        weir_buffer_deinit(&line);
    }
    weir_value_unref(token);
    weir_buffer_deinit(&form);
    return ok;
}

static bool make_request(download *d, const weir_value *http, weir__fetch_request *out) {
    bool ok = true;
    size_t count = 0;
    const char **lines = weir_arena_alloc(&d->arena, (HEADERS_MAX + 2) * sizeof *lines);
    const weir_value *oauth2 = weir_member_named(http, "oauth2");
    const char *url = text_of(d, http, "url", &ok);
    *out = (weir__fetch_request){
        .url = url,
        .headers = lines,
        .user = text_of(d, http, "username", &ok),
        .password = text_of(d, http, "password", &ok),
        .certificate = weir_str_from(text_of(d, http, "client_cert", &ok)),
        .key = weir_str_from(text_of(d, http, "client_key", &ok)),
    };
    if (ok && !url) ok = weir_fail(d->g->error, WEIR_INVALID, "http has no url");
    ok = ok && add_headers(d, http, lines, &count) &&
         (!weir_is(oauth2, WEIR_OBJECT) || get_token(d, oauth2, &lines[count]));
    if (ok) say_place(d, url);
    return ok;
}

static uint64_t bytes_max_of(const weir__getting *g) {
    const weir_artifact_limits *limits = weir_repository_limits(g->artifacts->repository);
    return limits->bytes_max ? limits->bytes_max : WEIR_ARTIFACT_BYTES_MAX;
}

bool weir__http_get(const weir__getting *g, const weir_value *http) {
    download d = {.g = g, .fd = -1};
    weir__fetch_request request;
    weir__fetch_answer answer;
    bool ok = weir__fetch_open(&d.library, g->error) && make_request(&d, http, &request);
    if (ok) {
        d.fd = openat(g->folder, g->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        ok = d.fd >= 0 || weir_fail(g->error, WEIR_IO, "it cannot be written: %s", strerror(errno));
    }
    d.bytes_max = bytes_max_of(g);
    ok = ok && fetch(&d, &request, &answer);
    if (d.fd >= 0 && close(d.fd) < 0 && ok)
        ok = weir_fail(g->error, WEIR_IO, "it cannot be written: %s", strerror(errno));
    weir_buffer_deinit(&d.body);
    weir_buffer_deinit(&d.place);
    weir_arena_deinit(&d.arena);
    return ok;
}

#include "http_cookie.h"

static const char http_only[] = "#HttpOnly_";

static weir_value *member(const weir_host *host, const weir_value *cookie, const char *name) {
    return host->object_get(cookie, name, strlen(name));
}

static void put(const weir_host *host, weir_value *cookie, const char *name, weir_value *value) {
    host->object_set(cookie, name, strlen(name), value);
}

static weir_value *text_new(const weir_host *host, weir_str text) {
    return host->string_new(text.data, text.length);
}

/* --- reading values --- */

static bool refuse(const weir_host *host, weir_call *call, size_t at, const char *problem) {
    return host->fail(call, "invalid", "cookie %zu of the session: %s", at, problem);
}

/* No field may end the line or the field. */
static bool is_plain(weir_str text, const char *forbidden) {
    uint64_t set[2] = {UINT32_MAX, (uint64_t)1 << 63}; /* control characters; ASCII only */
    for (const char *c = forbidden; *c; c++) set[*c >> 6 & 1] |= (uint64_t)1 << (*c & 63);
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x80 && set[c >> 6] >> (c & 63) & 1) return false;
    }
    return true;
}

static bool is_good_text(const weir_host *host, const weir_value *cookie, const char *name,
                         bool needed, const char *forbidden) {
    const weir_value *value = member(host, cookie, name);
    if (!value) return !needed;
    if (host->value_type(value) != WEIR_STRING) return false;
    weir_str text = host->string_get(value);
    return is_plain(text, forbidden) && text.length <= WEIR__COOKIE_BYTES_MAX &&
           (text.length || !needed);
}

static bool is_good_flag(const weir_host *host, const weir_value *cookie, const char *name) {
    const weir_value *value = member(host, cookie, name);
    return !value || host->value_type(value) == WEIR_BOOL;
}

static bool check_cookie(const weir_host *host, weir_call *call, size_t at,
                         const weir_value *cookie) {
    if (host->value_type(cookie) != WEIR_OBJECT) return refuse(host, call, at, "it is no object");
    if (!is_good_text(host, cookie, "name", true, ";= \""))
        return refuse(host, call, at, "its `name` must be a text without blanks, ; and =");
    if (!is_good_text(host, cookie, "value", false, ";"))
        return refuse(host, call, at,
                      "its `value` must be a text without ; and control characters");
    if (!is_good_text(host, cookie, "domain", true, "; #/@\""))
        return refuse(host, call, at, "its `domain` must be a host");
    if (!is_good_text(host, cookie, "path", false, ";"))
        return refuse(host, call, at, "its `path` must be a text");
    if (!is_good_flag(host, cookie, "secure") || !is_good_flag(host, cookie, "http_only") ||
        !is_good_flag(host, cookie, "host_only"))
        return refuse(host, call, at, "`secure`, `http_only` and `host_only` are true or false");
    const weir_value *expires = member(host, cookie, "expires");
    return !expires || (host->value_type(expires) == WEIR_INT && host->int_get(expires) >= 0) ||
           refuse(host, call, at, "its `expires` must be seconds since 1970, or 0");
}

bool weir__cookies_check(const weir_host *host, weir_call *call, const weir_value *cookies) {
    if (host->value_type(cookies) != WEIR_ARRAY)
        return host->fail(call, "invalid", "the session's `cookies` must be an array");
    size_t count = host->value_count(cookies);
    if (count > WEIR__COOKIES_MAX)
        return host->fail(call, "limit_exceeded", "a session of more than %d cookies",
                          WEIR__COOKIES_MAX);
    for (size_t i = 0; i < count; i++)
        if (!check_cookie(host, call, i, host->array_at(cookies, i))) return false;
    return true;
}

/* --- lines --- */

static weir_str text_of(const weir_host *host, const weir_value *cookie, const char *name,
                        const char *otherwise) {
    const weir_value *value = member(host, cookie, name);
    return value ? host->string_get(value) : weir__str(otherwise);
}

static bool flag_of(const weir_host *host, const weir_value *cookie, const char *name) {
    const weir_value *value = member(host, cookie, name);
    return value && host->bool_get(value);
}

void weir__cookie_line(const weir_host *host, const weir_value *cookie, weir__bytes *out) {
    char number[32];
    const weir_value *expires = member(host, cookie, "expires");
    snprintf(number, sizeof number, "%lld", expires ? (long long)host->int_get(expires) : 0);
    if (flag_of(host, cookie, "http_only")) weir__bytes_text(out, http_only);
    weir__bytes_add(out, text_of(host, cookie, "domain", ""));
    weir__bytes_text(out, flag_of(host, cookie, "host_only") ? "\tFALSE\t" : "\tTRUE\t");
    weir__bytes_add(out, text_of(host, cookie, "path", "/"));
    weir__bytes_text(out, flag_of(host, cookie, "secure") ? "\tTRUE\t" : "\tFALSE\t");
    weir__bytes_text(out, number);
    weir__bytes_byte(out, '\t');
    weir__bytes_add(out, text_of(host, cookie, "name", ""));
    weir__bytes_byte(out, '\t');
    weir__bytes_add(out, text_of(host, cookie, "value", ""));
}

/* A server's bytes. */
static weir_value *field_new(const weir_host *host, weir_str field) {
    weir__bytes text = {0};
    weir__bytes_utf8(&text, field);
    weir_value *value = text_new(host, weir__bytes_str(&text));
    weir__bytes_deinit(&text);
    return value;
}

weir_value *weir__cookie_new(const weir_host *host, weir_str line) {
    enum { DOMAIN, TAIL, PATH, SECURE, EXPIRES, NAME, VALUE, FIELDS };
    weir_str fields[FIELDS] = {0};
    size_t count = 0, from = 0, prefix = sizeof http_only - 1;
    bool hidden = line.length > prefix && memcmp(line.data, http_only, prefix) == 0;
    if (hidden) line = weir__str_part(line, prefix, line.length);
    for (size_t i = 0; i <= line.length && count < FIELDS; i++) {
        bool last = count == VALUE;
        if (i < line.length && (last || line.data[i] != '\t')) continue;
        fields[count++] = weir__str_part(line, from, i);
        from = i + 1;
    }
    if (count <= NAME || !fields[NAME].length) return NULL;
    if (fields[DOMAIN].length && fields[DOMAIN].data[0] == '.')
        fields[DOMAIN] = weir__str_part(fields[DOMAIN], 1, fields[DOMAIN].length);
    char number[24] = "";
    if (fields[EXPIRES].length < sizeof number)
        memcpy(number, fields[EXPIRES].data, fields[EXPIRES].length);
    weir_value *cookie = host->object_new();
    put(host, cookie, "name", field_new(host, fields[NAME]));
    put(host, cookie, "value", field_new(host, count > VALUE ? fields[VALUE] : weir__str("")));
    put(host, cookie, "domain", field_new(host, fields[DOMAIN]));
    put(host, cookie, "path", field_new(host, fields[PATH]));
    put(host, cookie, "secure", host->bool_new(weir__str_is(fields[SECURE], "TRUE")));
    put(host, cookie, "http_only", host->bool_new(hidden));
    put(host, cookie, "host_only", host->bool_new(!weir__str_is(fields[TAIL], "TRUE")));
    put(host, cookie, "expires", host->int_new(strtoll(number, NULL, 10)));
    return cookie;
}

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
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f ||
            strchr(forbidden, text.data[i]))
            return false;
    return true;
}

static bool copy_text(const weir_host *host, const weir_value *from, weir_value *to,
                      const char *name, const char *otherwise, const char *forbidden) {
    const weir_value *value = member(host, from, name);
    if (value && host->value_type(value) != WEIR_STRING) return false;
    if (!value && !otherwise) return false;
    weir_str text = value ? host->string_get(value) : weir__str(otherwise);
    if (!is_plain(text, forbidden) || text.length > WEIR__COOKIE_BYTES_MAX ||
        (!text.length && !otherwise))
        return false;
    put(host, to, name, text_new(host, text));
    return true;
}

static bool copy_flag(const weir_host *host, const weir_value *from, weir_value *to,
                      const char *name) {
    const weir_value *value = member(host, from, name);
    if (value && host->value_type(value) != WEIR_BOOL) return false;
    put(host, to, name, host->bool_new(value && host->bool_get(value)));
    return true;
}

static bool copy_expires(const weir_host *host, const weir_value *from, weir_value *to) {
    const weir_value *value = member(host, from, "expires");
    if (value && (host->value_type(value) != WEIR_INT || host->int_get(value) < 0)) return false;
    put(host, to, "expires", host->int_new(value ? host->int_get(value) : 0));
    return true;
}

static bool copy_cookie(const weir_host *host, weir_call *call, size_t at, const weir_value *from,
                        weir_value *to) {
    if (host->value_type(from) != WEIR_OBJECT) return refuse(host, call, at, "it is no object");
    if (!copy_text(host, from, to, "name", NULL, ";= \""))
        return refuse(host, call, at, "its `name` must be a text without blanks, ; and =");
    if (!copy_text(host, from, to, "value", "", ";"))
        return refuse(host, call, at,
                      "its `value` must be a text without ; and control characters");
    if (!copy_text(host, from, to, "domain", NULL, "; #/@\""))
        return refuse(host, call, at, "its `domain` must be a host");
    if (!copy_text(host, from, to, "path", "/", ";"))
        return refuse(host, call, at, "its `path` must be a text");
    if (!copy_flag(host, from, to, "secure") || !copy_flag(host, from, to, "http_only") ||
        !copy_flag(host, from, to, "host_only"))
        return refuse(host, call, at, "`secure`, `http_only` and `host_only` are true or false");
    return copy_expires(host, from, to) ||
           refuse(host, call, at, "its `expires` must be seconds since 1970, or 0");
}

weir_value *weir__cookies_read(const weir_host *host, weir_call *call, const weir_value *cookies) {
    if (host->value_type(cookies) != WEIR_ARRAY) {
        host->fail(call, "invalid", "the session's `cookies` must be an array");
        return NULL;
    }
    size_t count = host->value_count(cookies);
    if (count > WEIR__COOKIES_MAX) {
        host->fail(call, "limit_exceeded", "a session of more than %d cookies", WEIR__COOKIES_MAX);
        return NULL;
    }
    weir_value *read = host->array_new();
    for (size_t i = 0; i < count; i++) {
        weir_value *cookie = host->object_new();
        host->array_append(read, cookie);
        if (copy_cookie(host, call, i, host->array_at(cookies, i), cookie)) continue;
        host->value_unref(read);
        return NULL;
    }
    return read;
}

/* --- lines --- */

static weir_str text_of(const weir_host *host, const weir_value *cookie, const char *name) {
    return host->string_get(member(host, cookie, name));
}

static bool flag_of(const weir_host *host, const weir_value *cookie, const char *name) {
    return host->bool_get(member(host, cookie, name));
}

void weir__cookie_line(const weir_host *host, const weir_value *cookie, weir__bytes *out) {
    char expires[32];
    snprintf(expires, sizeof expires, "%lld",
             (long long)host->int_get(member(host, cookie, "expires")));
    bool host_only = flag_of(host, cookie, "host_only");
    if (flag_of(host, cookie, "http_only")) weir__bytes_text(out, http_only);
    weir__bytes_add(out, text_of(host, cookie, "domain"));
    weir__bytes_text(out, host_only ? "\tFALSE\t" : "\tTRUE\t");
    weir__bytes_add(out, text_of(host, cookie, "path"));
    weir__bytes_text(out, flag_of(host, cookie, "secure") ? "\tTRUE\t" : "\tFALSE\t");
    weir__bytes_text(out, expires);
    weir__bytes_byte(out, '\t');
    weir__bytes_add(out, text_of(host, cookie, "name"));
    weir__bytes_byte(out, '\t');
    weir__bytes_add(out, text_of(host, cookie, "value"));
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

/* URLs as Go's package net/url takes them apart and puts them together (RFC 3986). */
#include <stdint.h>

#include "expr/sprig.h"
#include "expr/text.h"

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static bool unescape(x_machine *m, weir_str text, x *out) {
    weir_buffer plain = {0};
    bool ok = true;
    for (size_t i = 0; i < text.length && ok; i++) {
        if (text.data[i] != '%') {
            weir_buffer_byte(&plain, text.data[i]);
            continue;
        }
        ok = i + 2 < text.length && hex(text.data[i + 1]) >= 0 && hex(text.data[i + 2]) >= 0;
        if (ok)
            weir_buffer_byte(&plain, (char)(hex(text.data[i + 1]) * 16 + hex(text.data[i + 2])));
        i += 2;
    }
    *out = weir__x_take(m, &plain);
    weir_buffer_deinit(&plain);
    return ok;
}

/* RFC 3986's unreserved characters. */
static bool is_word_byte(char c) {
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
           (c && strchr("-_.~", c));
}

static void escape(weir_str text, const char *also, weir_buffer *out) {
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool plain = is_word_byte(c) || (c && strchr(also, c));
        if (plain)
            weir_buffer_byte(out, c);
        else
            weir_buffer_printf(out, "%%%02X", (unsigned char)c);
    }
}

static void put(x_machine *m, const x *map, const char *name, weir_str text) {
    weir__x_put(m, map, x_str(weir_str_from(name)), x_str(text));
}

/* Up to a colon: a letter, then letters, digits, `+-.`; empty when there is none. *ok is false for a colon where a scheme should be. */
static weir_str scheme_of(x_machine *m, weir_str *rest, bool *ok) {
    weir_str text = *rest;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        if (letter) continue;
        if ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.') {
            if (i == 0) return WEIR_STR("");
            continue;
        }
        if (c != ':') return WEIR_STR("");
        *ok = i > 0;
        *rest = weir_str_slice(text, i + 1, text.length);
        x small = weir__x_string(m, weir_str_slice(text, 0, i));
        weir_buffer lower = {0};
        for (size_t k = 0; k < i; k++)
            weir_buffer_byte(&lower, small.text[k] >= 'A' && small.text[k] <= 'Z'
                                         ? (char)(small.text[k] + 32)
                                         : small.text[k]);
        small = weir__x_take(m, &lower);
        weir_buffer_deinit(&lower);
        return x_text(&small);
    }
    return WEIR_STR("");
}

static weir_str hostname_of(weir_str host) {
    if (weir_str_starts(host, WEIR_STR("["))) {
        size_t end = weir_str_find(host, WEIR_STR("]"), 0);
        return end == SIZE_MAX ? host : weir_str_slice(host, 1, end);
    }
    size_t colon = weir__x_find_last(host, WEIR_STR(":"));
    return colon == SIZE_MAX ? host : weir_str_slice(host, 0, colon);
}

static bool is_host(weir_str host) {
    size_t from = weir_str_starts(host, WEIR_STR("[")) ? weir__x_find_last(host, WEIR_STR("]")) : 0;
    if (from == SIZE_MAX) return false;
    size_t colon = weir__x_find_last(weir_str_slice(host, from, host.length), WEIR_STR(":"));
    for (size_t i = colon == SIZE_MAX ? host.length : from + colon + 1; i < host.length; i++)
        if (host.data[i] < '0' || host.data[i] > '9') return false;
    for (size_t i = 0; i < host.length; i++)
        if (strchr(" \\^`{}|<>\"", host.data[i])) return false;
    return true;
}

/* `user:password` as Go writes it again. */
static bool user_again(x_machine *m, weir_str user, x *out) {
    weir_buffer text = {0};
    size_t colon = weir_str_find(user, WEIR_STR(":"), 0);
    x name, password = x_str(WEIR_STR(""));
    bool ok = unescape(m, weir_str_slice(user, 0, colon), &name);
    if (ok && colon != SIZE_MAX)
        ok = unescape(m, weir_str_slice(user, colon + 1, user.length), &password);
    escape(x_text(&name), "$&+,;=", &text);
    if (colon != SIZE_MAX) {
        weir_buffer_byte(&text, ':');
        escape(x_text(&password), "$&+,;=", &text);
    }
    *out = weir__x_take(m, &text);
    weir_buffer_deinit(&text);
    return ok;
}

/* What stands behind `//`: user, host and the rest, the path. */
static bool authority(x_machine *m, weir_str *rest, const x *map) {
    size_t end = weir_str_find(*rest, WEIR_STR("/"), 0);
    weir_str whole = weir_str_slice(*rest, 0, end);
    *rest = weir_str_slice(*rest, whole.length, rest->length);
    size_t at = weir__x_find_last(whole, WEIR_STR("@"));
    x user = x_str(WEIR_STR("")), host;
    if (at != SIZE_MAX && !user_again(m, weir_str_slice(whole, 0, at), &user)) return false;
    whole = at == SIZE_MAX ? whole : weir_str_slice(whole, at + 1, whole.length);
    if (!is_host(whole) || !unescape(m, whole, &host)) return false;
    put(m, map, "host", x_text(&host));
    put(m, map, "hostname", hostname_of(x_text(&host)));
    put(m, map, "userinfo", x_text(&user));
    return true;
}

static bool parse(x_machine *m, weir_str text, const x *map) {
    bool ok = true;
    x part;
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f) return false;
    size_t hash = weir_str_find(text, WEIR_STR("#"), 0);
    if (!unescape(m, hash == SIZE_MAX ? WEIR_STR("") : weir_str_slice(text, hash + 1, text.length),
                  &part))
        return false;
    put(m, map, "fragment", x_text(&part));
    weir_str rest = weir_str_slice(text, 0, hash), scheme = scheme_of(m, &rest, &ok);
    put(m, map, "scheme", scheme);
    size_t question = weir_str_find(rest, WEIR_STR("?"), 0);
    put(m, map, "query",
        question == SIZE_MAX ? WEIR_STR("") : weir_str_slice(rest, question + 1, rest.length));
    rest = weir_str_slice(rest, 0, question);
    const char *const empty[] = {"host", "hostname", "opaque", "userinfo"};
    for (int i = 0; i < 4; i++) put(m, map, empty[i], WEIR_STR(""));
    bool rooted = weir_str_starts(rest, WEIR_STR("/"));
    if (!rooted && scheme.length > 0) {
        put(m, map, "opaque", rest);
        rest = WEIR_STR("");
    }
    size_t colon = weir_str_find(rest, WEIR_STR(":"), 0),
           slash = weir_str_find(rest, WEIR_STR("/"), 0);
    if (!rooted && colon != SIZE_MAX && (slash == SIZE_MAX || colon < slash)) ok = false;
    if (ok && weir_str_starts(rest, WEIR_STR("//")) &&
        (scheme.length > 0 || !weir_str_starts(rest, WEIR_STR("///")))) {
        rest = weir_str_slice(rest, 2, rest.length);
        ok = authority(m, &rest, map);
    }
    ok = ok && unescape(m, rest, &part);
    put(m, map, "path", ok ? x_text(&part) : WEIR_STR(""));
    return ok;
}

SPRIG(call_url_parse) {
    (void)n;
    *out = weir__x_map_new(m, X_OF_ANY);
    return parse(m, x_text(a), out) ||
           weir__x_fail(m, WEIR_INVALID, "sprig.urlParse: `%.*s` is no URL", WEIR_ARG(x_text(a)));
}

static bool member(x_machine *m, const x *map, const char *name, weir_str *out) {
    x key = x_str(weir_str_from(name)), value;
    *out = WEIR_STR("");
    if (!weir__x_get(map, &key, &value)) return true;
    if (value.kind != X_STRING)
        return weir__x_fail(m, WEIR_INVALID, "sprig.urlJoin: `%s` has to be a text", name);
    *out = x_text(&value);
    return true;
}

static void join_path(weir_str path, bool has_host, weir_buffer *out) {
    if (path.length > 0 && path.data[0] != '/' && has_host) weir_buffer_byte(out, '/');
    size_t slash = weir_str_find(path, WEIR_STR("/"), 0),
           colon = weir_str_find(path, WEIR_STR(":"), 0);
    if (out->length == 0 && colon != SIZE_MAX && (slash == SIZE_MAX || colon < slash))
        weir_buffer_text(out, "./");
    escape(path, "$&+,/:;=@", out);
}

SPRIG(call_url_join) {
    (void)n;
    weir_str scheme, host, path, query, opaque, fragment, user;
    x again = x_str(WEIR_STR(""));
    if (!member(m, a, "scheme", &scheme) || !member(m, a, "host", &host) ||
        !member(m, a, "path", &path) || !member(m, a, "query", &query) ||
        !member(m, a, "opaque", &opaque) || !member(m, a, "fragment", &fragment) ||
        !member(m, a, "userinfo", &user))
        return false;
    if (user.length && !user_again(m, user, &again))
        return weir__x_fail(m, WEIR_INVALID, "sprig.urlJoin: wrong `userinfo`");
    weir_buffer text = {0};
    if (scheme.length) {
        weir_buffer_str_append(&text, scheme);
        weir_buffer_byte(&text, ':');
    }
    if (opaque.length) {
        weir_buffer_str_append(&text, opaque);
    } else {
        bool authority_there = host.length || user.length;
        if (authority_there || (scheme.length && weir_str_starts(path, WEIR_STR("//"))))
            weir_buffer_text(&text, "//");
        if (user.length) {
            weir_buffer_str_append(&text, x_text(&again));
            weir_buffer_byte(&text, '@');
        }
        escape(host, "$&+,;=:[]<>\"!'()*", &text);
        join_path(path, host.length > 0, &text);
    }
    if (query.length) {
        weir_buffer_byte(&text, '?');
        weir_buffer_str_append(&text, query);
    }
    if (fragment.length) {
        weir_buffer_byte(&text, '#');
        escape(fragment, "$&+,/:;=?@!()*", &text);
    }
    *out = weir__x_take(m, &text);
    weir_buffer_deinit(&text);
    return true;
}

const x_function weir__sprig_urls[] = {
    {"urlParse", "@s:m", call_url_parse}, {"urlJoin", "@d:s", call_url_join}, {0}};

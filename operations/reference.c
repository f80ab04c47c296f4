#include "reference.h"

static bool is_letter(char c) {
    c = weir__lower(c);
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static int hex_digit(char c) {
    if (is_digit(c)) return c - '0';
    c = weir__lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* These look at each byte of each URL; a switch is a test of bits. */
static bool is_unreserved(char c) {
    switch (c) {
    case '-':
    case '.':
    case '_':
    case '~': return true;
    default: return is_letter(c) || is_digit(c);
    }
}

static bool is_delimiter(char c) {
    switch (c) {
    case '!':
    case '$':
    case '&':
    case '\'':
    case '(':
    case ')':
    case '*':
    case '+':
    case ',':
    case ';':
    case '=': return true;
    default: return false;
    }
}

static bool is_line_end(char c) {
    return c == '\t' || c == '\r' || c == '\n';
}

/* What people write and RFC 3986 does not have. */
static bool is_foreign(char c) {
    switch (c) {
    case ' ':
    case '"':
    case '<':
    case '>':
    case '[':
    case '\\':
    case ']':
    case '^':
    case '`':
    case '{':
    case '|':
    case '}': return true;
    default: return (unsigned char)c >= 0x80;
    }
}

static void add_escape(weir__bytes *out, char byte) {
    static const char digits[] = "0123456789ABCDEF";
    unsigned char c = (unsigned char)byte;
    weir__bytes_add(out, (weir_str){(char[]){'%', digits[c >> 4], digits[c & 15]}, 3});
}

/* --- reading --- */

static bool refuse(const char **problem, const char *text) {
    *problem = text;
    return false;
}

/* Where '#' is, or one of the others. */
static size_t find_end(weir_str text, char other, char another) {
    size_t i = 0;
    while (i < text.length && text.data[i] != '#' && text.data[i] != other &&
           text.data[i] != another)
        i++;
    return i;
}

/* The scheme's length, 0 when there is none. */
static size_t scheme_length(weir_str text) {
    size_t i = 0;
    if (!text.length || !is_letter(text.data[0])) return 0;
    while (i < text.length && (is_letter(text.data[i]) || is_digit(text.data[i]) ||
                               text.data[i] == '+' || text.data[i] == '-' || text.data[i] == '.'))
        i++;
    return i < text.length && text.data[i] == ':' ? i : 0;
}

static bool check_port(weir_str port) {
    unsigned number = 0;
    for (size_t i = 0; i < port.length; i++) {
        if (!is_digit(port.data[i]) || number > 65535) return false;
        number = number * 10 + (unsigned)(port.data[i] - '0');
    }
    return number <= 65535;
}

static bool check_host(weir_str host) {
    bool brackets = host.length && host.data[0] == '[';
    if (brackets && (host.length < 4 || host.data[host.length - 1] != ']')) return false;
    for (size_t i = brackets; i < host.length - brackets; i++) {
        char c = host.data[i];
        bool ok = brackets
                      ? hex_digit(c) >= 0 || c == ':' || c == '.'
                      : is_unreserved(c) || is_delimiter(c) || c == '%' || (unsigned char)c >= 0x80;
        if (!ok) return false;
    }
    return true;
}

static bool split_authority(weir_str text, weir__reference *out, const char **problem) {
    size_t at = text.length;
    while (at > 0 && text.data[at - 1] != '@') at--;
    if (at > 0) {
        out->user = weir__str_part(text, 0, at - 1);
        text = weir__str_part(text, at, text.length);
    }
    size_t end = text.length;
    while (end > 0 && is_digit(text.data[end - 1])) end--;
    if (end > 0 && text.data[end - 1] == ':') {
        out->port = weir__str_part(text, end, text.length);
        text.length = end - 1;
    }
    out->host = text;
    if (!check_host(text)) return refuse(problem, "its host is not one");
    if (!check_port(out->port)) return refuse(problem, "its port is not one");
    return true;
}

bool weir__reference_split(weir_str text, weir__reference *out, const char **problem) {
    *out = (weir__reference){0};
    if (!text.data) text.data = "";
    if (text.length > WEIR__URL_BYTES_MAX) return refuse(problem, "it is longer than 64 KiB");
    for (size_t i = 0; i < text.length; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 0x7f)
            return refuse(problem, "it has a blank or a control character in it");
    size_t scheme = scheme_length(text);
    if (scheme) {
        out->scheme = weir__str_part(text, 0, scheme);
        text = weir__str_part(text, scheme + 1, text.length);
    }
    bool authority = text.length >= 2 && text.data[0] == '/' && text.data[1] == '/';
    if (authority) {
        text = weir__str_part(text, 2, text.length);
        size_t end = find_end(text, '/', '?');
        if (!split_authority(weir__str_part(text, 0, end), out, problem)) return false;
        text = weir__str_part(text, end, text.length);
    }
    size_t end = find_end(text, '?', '?');
    out->path = weir__str_part(text, 0, end);
    text = weir__str_part(text, end, text.length);
    if (text.length && text.data[0] == '?') {
        end = find_end(text, '#', '#');
        out->query = weir__str_part(text, 1, end);
        text = weir__str_part(text, end, text.length);
    }
    if (text.length) out->fragment = weir__str_part(text, 1, text.length);
    return true;
}

/* In an authority nothing is encoded: a name that is no ASCII is translated when it is looked up, and a blank there is a
 * mistake. */
static void clean_part(weir_str text, bool authority, weir__bytes *out) {
    size_t good = 0; /* from here on all is as it should be */
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        bool broken = c == '%' && !(i + 2 < text.length && hex_digit(text.data[i + 1]) >= 0 &&
                                    hex_digit(text.data[i + 2]) >= 0);
        bool escaped = !authority && (broken || is_foreign(c));
        if (!escaped && !is_line_end(c)) continue;
        weir__bytes_add(out, weir__str_part(text, good, i));
        if (escaped) add_escape(out, c);
        good = i + 1;
    }
    weir__bytes_add(out, weir__str_part(text, good, text.length));
}

bool weir__reference_clean(weir_str text, weir__bytes *out, const char **problem) {
    text = weir__str_trim(text);
    if (text.length > WEIR__URL_BYTES_MAX) return refuse(problem, "it is longer than 64 KiB");
    for (size_t i = 0; i < text.length; i++)
        if (((unsigned char)text.data[i] < ' ' && !is_line_end(text.data[i])) ||
            text.data[i] == 0x7f)
            return refuse(problem, "it has a control character in it");
    size_t scheme = scheme_length(text), from = scheme ? scheme + 1 : 0, begin = out->length;
    weir__bytes_add(out, weir__str_part(text, 0, from));
    if (text.length >= from + 2 && memcmp(text.data + from, "//", 2) == 0) {
        size_t end = from + 2 + find_end(weir__str_part(text, from + 2, text.length), '/', '?');
        clean_part(weir__str_part(text, from, end), true, out);
        from = end;
    }
    clean_part(weir__str_part(text, from, text.length), false, out);
    weir__reference parts;
    return weir__reference_split(weir__str_part(weir__bytes_str(out), begin, out->length), &parts,
                                 problem);
}

/* --- writing --- */

/* Section 5.2.4: `out` from `begin` on is the path so far. */
static void add_without_dots(weir_str path, weir__bytes *out) {
    size_t begin = out->length, at = 0;
    while (at < path.length) {
        weir_str rest = weir__str_part(path, at, path.length);
        size_t dots = 0, slash = rest.data[0] == '/';
        while (slash + dots < rest.length && rest.data[slash + dots] == '.') dots++;
        bool ends = slash + dots == rest.length, segment = ends || rest.data[slash + dots] == '/';
        if (segment && (dots == 1 || dots == 2)) {
            if (dots == 2 && slash) {
                size_t cut = out->length;
                while (cut > begin && out->data[cut - 1] != '/') cut--;
                weir__bytes_cut(out, cut > begin ? cut - 1 : begin);
            }
            if (slash && ends) weir__bytes_byte(out, '/');
            at += slash + dots + (!slash && !ends);
            continue;
        }
        size_t end = slash;
        while (end < rest.length && rest.data[end] != '/') end++;
        weir__bytes_add(out, weir__str_part(rest, 0, end));
        at += end;
    }
}

static void add_after(weir__bytes *out, const char *mark, weir_str part) {
    if (!part.data) return;
    weir__bytes_text(out, mark);
    weir__bytes_add(out, part);
}

static void add_authority(const weir__reference *from, weir__bytes *out) {
    if (!from->host.data) return;
    weir__bytes_text(out, "//");
    if (from->user.data) {
        weir__bytes_add(out, from->user);
        weir__bytes_byte(out, '@');
    }
    weir__bytes_add(out, from->host);
    add_after(out, ":", from->port);
}

/* Section 5.2.3. */
static void add_merged(const weir__reference *base, weir_str path, weir__bytes *out) {
    weir__bytes merged = {0};
    size_t end = base->path.length;
    while (end > 0 && base->path.data[end - 1] != '/') end--;
    if (base->host.data && !base->path.length)
        weir__bytes_byte(&merged, '/');
    else
        weir__bytes_add(&merged, weir__str_part(base->path, 0, end));
    weir__bytes_add(&merged, path);
    add_without_dots(weir__bytes_str(&merged), out);
    weir__bytes_deinit(&merged);
}

void weir__reference_resolve(const weir__reference *base, const weir__reference *reference,
                             weir__bytes *out) {
    bool whole = reference->scheme.data, authority = whole || reference->host.data;
    weir__bytes_add(out, whole ? reference->scheme : base->scheme);
    weir__bytes_byte(out, ':');
    add_authority(authority ? reference : base, out);
    weir_str path = reference->path, query = reference->query;
    if (authority || (path.length && path.data[0] == '/')) {
        add_without_dots(path, out);
    } else if (path.length) {
        add_merged(base, path, out);
    } else {
        weir__bytes_add(out, base->path);
        if (!query.data) query = base->query;
    }
    add_after(out, "?", query);
    add_after(out, "#", reference->fragment);
}

bool weir__reference_is_web(const weir__reference *reference) {
    return reference->host.length && (weir__str_same(reference->scheme, "http") ||
                                      weir__str_same(reference->scheme, "https"));
}

unsigned weir__reference_port(const weir__reference *reference) {
    unsigned number = 0;
    for (size_t i = 0; i < reference->port.length; i++)
        number = number * 10 + (unsigned)(reference->port.data[i] - '0');
    if (reference->port.length) return number;
    return weir__str_same(reference->scheme, "https")  ? 443
           : weir__str_same(reference->scheme, "http") ? 80
                                                       : 0;
}

static void add_lower(weir_str text, weir__bytes *out) {
    size_t begin = out->length;
    weir__bytes_add(out, text);
    for (size_t i = begin; i < out->length; i++) out->data[i] = weir__lower(out->data[i]);
}

void weir__reference_host(const weir__reference *reference, weir__bytes *out) {
    weir_str host = reference->host;
    if (host.length && host.data[0] == '[') host = weir__str_part(host, 1, host.length - 1);
    add_lower(host, out);
}

void weir__reference_normalize(const weir__reference *reference, bool with_user, bool with_fragment,
                               weir__bytes *out) {
    weir__reference own = {.scheme = reference->scheme};
    if (reference->scheme.data) {
        add_lower(reference->scheme, out);
        weir__bytes_byte(out, ':');
    }
    if (reference->host.data) {
        weir__bytes_text(out, "//");
        if (with_user && reference->user.data) {
            weir__bytes_add(out, reference->user);
            weir__bytes_byte(out, '@');
        }
        add_lower(reference->host, out);
        if (reference->port.length && weir__reference_port(reference) != weir__reference_port(&own))
            add_after(out, ":", reference->port);
    }
    if (!reference->path.length && weir__reference_is_web(reference))
        weir__bytes_byte(out, '/');
    else
        add_without_dots(reference->path, out);
    add_after(out, "?", reference->query);
    if (with_fragment) add_after(out, "#", reference->fragment);
}

bool weir__reference_same_origin(const weir__reference *a, const weir__reference *b) {
    if (weir__reference_port(a) != weir__reference_port(b)) return false;
    weir__bytes texts[2] = {0};
    add_lower(a->scheme, &texts[0]);
    weir__bytes_byte(&texts[0], ':');
    weir__reference_host(a, &texts[0]);
    add_lower(b->scheme, &texts[1]);
    weir__bytes_byte(&texts[1], ':');
    weir__reference_host(b, &texts[1]);
    bool same = weir__str_equal(weir__bytes_str(&texts[0]), weir__bytes_str(&texts[1]));
    weir__bytes_deinit(&texts[0]);
    weir__bytes_deinit(&texts[1]);
    return same;
}

/* --- forms --- */

void weir__form_encode(weir_str text, weir__bytes *out) {
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == ' ')
            weir__bytes_byte(out, '+');
        else if (is_unreserved(c))
            weir__bytes_byte(out, c);
        else
            add_escape(out, c);
    }
}

void weir__form_decode(weir_str text, weir__bytes *out) {
    for (size_t i = 0; i < text.length; i++) {
        int high = i + 2 < text.length ? hex_digit(text.data[i + 1]) : -1;
        int low = i + 2 < text.length ? hex_digit(text.data[i + 2]) : -1;
        if (text.data[i] == '%' && high >= 0 && low >= 0) {
            weir__bytes_byte(out, (char)(high * 16 + low));
            i += 2;
        } else {
            weir__bytes_byte(out, text.data[i] == '+' ? ' ' : text.data[i]);
        }
    }
}

#include <stdint.h>

#include "expr/digest.h"
#include "expr/sprig.h"
#include "expr/text.h"

SPRIG(call_b64enc) {
    (void)n;
    if (!weir__x_room(m, (size_t)a->length * 2)) return false;
    weir__x_base64_encode(x_text(a), &m->scratch);
    *out = weir__x_take(m, &m->scratch);
    return true;
}

/* What is none gives a text that says so, as the original does. */
SPRIG(call_b64dec) {
    (void)n;
    size_t at = 0;
    if (!weir__x_base64_decode(x_text(a), &m->scratch)) {
        static const char letters[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\r\n";
        while (at < a->length && a->text[at] && strchr(letters, a->text[at])) at++;
        weir_buffer_clear(&m->scratch);
        size_t count = 0; /* of the last four that are not all there */
        for (size_t i = 0; i < a->length; i++) count += a->text[i] != '\r' && a->text[i] != '\n';
        weir_buffer_printf(&m->scratch, "illegal base64 data at input byte %zu",
                           at < a->length ? at : at - count % 4);
    }
    *out = weir__x_take(m, &m->scratch);
    return true;
}

static const char base32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

SPRIG(call_b32enc) {
    (void)n;
    const unsigned char *s = (const unsigned char *)a->text;
    if (!weir__x_room(m, (size_t)a->length * 2)) return false;
    for (size_t i = 0; i < a->length; i += 5) {
        size_t left = a->length - i < 5 ? a->length - i : 5, letters = (left * 8 + 4) / 5;
        uint64_t bits = 0;
        for (size_t k = 0; k < 5; k++) bits = bits << 8 | (k < left ? s[i + k] : 0);
        for (size_t k = 0; k < 8; k++)
            weir_buffer_byte(&m->scratch, k < letters ? base32[bits >> (35 - 5 * k) & 31] : '=');
    }
    *out = weir__x_take(m, &m->scratch);
    return true;
}

/* As Go's decoders, which read over the ends of lines. */
static weir_str without_lines(x_machine *m, weir_str text) {
    if (!memchr(text.data, '\n', text.length) && !memchr(text.data, '\r', text.length)) return text;
    char *kept = weir__x_alloc(m, text.length);
    size_t length = 0;
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] != '\n' && text.data[i] != '\r') kept[length++] = text.data[i];
    return (weir_str){kept, length};
}

SPRIG(call_b32dec) {
    (void)n;
    uint64_t bits = 0;
    int have = 0;
    weir_str text = without_lines(m, x_text(a));
    size_t at = 0, length = text.length;
    while (length > 0 && text.data[length - 1] == '=') length--;
    for (; at < length; at++) {
        const char *letter = text.data[at] ? strchr(base32, text.data[at]) : NULL;
        if (!letter) break;
        bits = bits << 5 | (uint64_t)(letter - base32);
        have += 5;
        if (have >= 8) weir_buffer_byte(&m->scratch, (char)(bits >> (have -= 8)));
    }
    if (at < length || text.length % 8) {
        weir_buffer_clear(&m->scratch);
        weir_buffer_printf(&m->scratch, "illegal base32 data at input byte %zu",
                           at < length ? at : length - length % 8);
    }
    *out = weir__x_take(m, &m->scratch);
    return true;
}

static bool digest(x_machine *m, const x *a, void (*make)(weir_str, weir_buffer *), x *out) {
    if (!weir__x_spend(m, a->length / 2)) return false;
    make(x_text(a), &m->scratch);
    *out = weir__x_take(m, &m->scratch);
    return true;
}

SPRIG(call_sha1) {
    (void)n;
    return digest(m, a, weir__digest_sha1, out);
}

SPRIG(call_sha256) {
    (void)n;
    return digest(m, a, weir__digest_sha256, out);
}

SPRIG(call_sha512) {
    (void)n;
    return digest(m, a, weir__digest_sha512, out);
}

/* Adler-32 of RFC 1950, in decimal. */
SPRIG(call_adler32) {
    (void)n;
    uint32_t one = 1, two = 0;
    for (size_t i = 0; i < a->length; i++) {
        one = (one + (unsigned char)a->text[i]) % 65521;
        two = (two + one) % 65521;
    }
    weir_buffer_printf(&m->scratch, "%u", two << 16 | one);
    *out = weir__x_take(m, &m->scratch);
    return true;
}

/* --- paths with `/` */

static weir_str base_of(weir_str path) {
    if (path.length == 0) return WEIR_STR(".");
    while (path.length > 1 && path.data[path.length - 1] == '/') path.length--;
    size_t slash = weir__x_find_last(path, WEIR_STR("/"));
    return path.length > 1 && slash != SIZE_MAX ? weir_str_slice(path, slash + 1, path.length)
                                                : path;
}

/* Without `.`, `..` and slashes that change nothing. */
static x clean(x_machine *m, weir_str path) {
    weir_buffer out = {0};
    bool rooted = weir_str_starts(path, WEIR_STR("/"));
    size_t keep = rooted; /* what `..` does not take away */
    if (rooted) weir_buffer_byte(&out, '/');
    for (size_t at = 0, end; at < path.length; at = end + 1) {
        end = weir_str_find(path, WEIR_STR("/"), at);
        if (end == SIZE_MAX) end = path.length;
        weir_str part = weir_str_slice(path, at, end);
        if (part.length == 0 || weir_str_is(part, ".")) continue;
        if (weir_str_is(part, "..") && out.length > keep) {
            while (out.length > keep && out.data[out.length - 1] != '/') out.length--;
            if (out.length > keep) out.length--;
            continue;
        }
        if (weir_str_is(part, "..") && rooted) continue;
        if (out.length > rooted) weir_buffer_byte(&out, '/');
        weir_buffer_str_append(&out, part);
        if (weir_str_is(part, "..")) keep = out.length;
    }
    if (out.length == 0) weir_buffer_byte(&out, '.');
    x text = weir__x_take(m, &out);
    weir_buffer_deinit(&out);
    return text;
}

SPRIG(call_base) {
    UNUSED;
    *out = x_str(base_of(x_text(a)));
    return true;
}

SPRIG(call_dir) {
    (void)n;
    size_t slash = weir__x_find_last(x_text(a), WEIR_STR("/"));
    *out = clean(m, weir_str_slice(x_text(a), 0, slash == SIZE_MAX ? 0 : slash + 1));
    return true;
}

SPRIG(call_clean) {
    (void)n;
    *out = clean(m, x_text(a));
    return true;
}

SPRIG(call_ext) {
    UNUSED;
    weir_str path = x_text(a);
    size_t at = path.length;
    while (at > 0 && path.data[at - 1] != '/' && path.data[at - 1] != '.') at--;
    bool dot = at > 0 && path.data[at - 1] == '.';
    *out = x_str(dot ? weir_str_slice(path, at - 1, path.length) : WEIR_STR(""));
    return true;
}

SPRIG(call_is_abs) {
    UNUSED;
    *out = x_bool(weir_str_starts(x_text(a), WEIR_STR("/")));
    return true;
}

const x_function weir__sprig_encodings[] = {{"b64enc", "@s:s", call_b64enc},
                                            {"b64dec", "@s:s", call_b64dec},
                                            {"b32enc", "@s:s", call_b32enc},
                                            {"b32dec", "@s:s", call_b32dec},
                                            {"sha1sum", "@s:s", call_sha1},
                                            {"sha256sum", "@s:s", call_sha256},
                                            {"sha512sum", "@s:s", call_sha512},
                                            {"adler32sum", "@s:s", call_adler32},
                                            {"base", "@s:s", call_base},
                                            {"dir", "@s:s", call_dir},
                                            {"clean", "@s:s", call_clean},
                                            {"ext", "@s:s", call_ext},
                                            {"isAbs", "@s:b", call_is_abs},
                                            {"osBase", "@s:s", call_base},
                                            {"osDir", "@s:s", call_dir},
                                            {"osClean", "@s:s", call_clean},
                                            {"osExt", "@s:s", call_ext},
                                            {"osIsAbs", "@s:b", call_is_abs},
                                            {0}};

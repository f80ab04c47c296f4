/* literal_eval: Python literals, as its ast.literal_eval takes them. What JSON has no form for is refused: bytes,
 * complex numbers, infinite ones, ints beyond 64 bits, NUL in strings. */
#include <ctype.h>
#include <string.h>

#include "literal.h"
#include "number.h"
#include "order.h"
#include "parameter.h"
#include "reader.h"

static weir_value *read_value(weir__reader *r);

/* Within brackets lines may end anywhere, and comments stand before their ends. */
static void skip_blanks(weir__reader *r) {
    for (; r->at < r->text.length; r->at++) {
        char c = r->text.data[r->at];
        if (c == '#') {
            while (r->at + 1 < r->text.length && r->text.data[r->at + 1] != '\n') r->at++;
            continue;
        }
        bool joined = c == '\\' && r->at + 1 < r->text.length && r->text.data[r->at + 1] == '\n';
        if (joined)
            r->at++;
        else if (!weir__is_one_of(c, r->depth ? " \t\f\r\n" : " \t\f"))
            return;
    }
}

static weir_value *give_up(weir__reader *r, weir_value *made, const char *problem) {
    if (problem) weir__reader_fail(r, problem);
    r->host->value_unref(made);
    return NULL;
}

/* --- numbers -------------------------------------------------------------------------------- */

/* 0x, 0o and 0b; at the digits. */
static weir_value *read_based(weir__reader *r, unsigned base, bool negative) {
    uint64_t number = 0, most = (uint64_t)INT64_MAX + negative;
    size_t digits = 0;
    for (;; r->at++) {
        int c = tolower((unsigned char)weir__peek(r));
        if (c == '_' && r->text.data[r->at - 1] != '_') continue;
        unsigned digit = isdigit(c)    ? (unsigned)(c - '0')
                         : isxdigit(c) ? (unsigned)(c - 'a' + 10)
                                       : 16;
        if (digit >= base) break;
        if (number > (most - digit) / base)
            return give_up(r, NULL, "does not fit an int of 64 bits");
        number = number * base + digit;
        digits++;
    }
    if (!digits || r->text.data[r->at - 1] == '_' || isalnum((unsigned char)weir__peek(r)))
        return give_up(r, NULL, "is no number");
    return r->host->int_new(negative ? (int64_t)(0 - number) : (int64_t)number);
}

/* The numeral without its underscores, each of which must stand between digits. */
static bool copy_numeral(weir__reader *r, weir__text *out) {
    for (; r->at < r->text.length; r->at++) {
        char c = r->text.data[r->at], before = out->length ? r->text.data[r->at - 1] : '\0';
        bool sign = (c == '+' || c == '-') && (before == 'e' || before == 'E');
        if (!sign && !isalnum((unsigned char)c) && c != '.' && c != '_') break;
        if (c == '_') {
            char after = r->at + 1 < r->text.length ? r->text.data[r->at + 1] : '\0';
            if (!isdigit((unsigned char)before) || !isdigit((unsigned char)after)) return false;
            continue;
        }
        weir__text_byte(out, c);
    }
    return true;
}

static weir_value *read_number(weir__reader *r, bool negative) {
    static const struct {
        const char *prefix;
        unsigned base;
    } bases[] = {{"0x", 16}, {"0X", 16}, {"0o", 8}, {"0O", 8}, {"0b", 2}, {"0B", 2}};
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++)
        if (weir__reader_accept(r, bases[i].prefix)) return read_based(r, bases[i].base, negative);
    weir__text numeral = {r->host, r->call};
    size_t from = r->at;
    if (negative) weir__text_byte(&numeral, '-');
    const char *problem = "is no number";
    weir_value *number = NULL;
    bool sound = copy_numeral(r, &numeral);
    weir_str text = weir__text_str(&numeral);
    size_t zero = negative ? 1 : 0, digits = zero;
    while (digits < text.length && text.data[digits] == '0') digits++;
    if (text.length && (text.data[text.length - 1] | 0x20) == 'j')
        problem = "complex numbers have no form in JSON";
    else if (sound && digits > zero && digits < text.length &&
             isdigit((unsigned char)text.data[digits]) && !memchr(text.data, '.', text.length) &&
             !memchr(text.data, 'e', text.length) && !memchr(text.data, 'E', text.length))
        problem = "an int does not begin with 0";
    else if (sound)
        number = weir__number_parse(r->host, r->call, text, &problem);
    if (number) return number;
    r->at = from;
    return give_up(r, NULL, problem);
}

/* --- strings -------------------------------------------------------------------------------- */

static bool read_octal(weir__reader *r, weir__text *out) {
    uint32_t number = 0;
    for (int i = 0; i < 3 && weir__peek(r) >= '0' && weir__peek(r) <= '7'; i++, r->at++)
        number = number * 8 + (uint32_t)(weir__peek(r) - '0');
    return weir__reader_character(r, number, out);
}

/* Behind the backslash. One that means nothing stays as it is, as in Python. */
static bool read_escape(weir__reader *r, weir__text *out) {
    static const char escapes[] = "a\ab\bf\fn\nr\rt\tv\v\\\\''\"\"";
    char c = weir__peek(r);
    if (c >= '0' && c <= '7') return read_octal(r, out);
    r->at++;
    if (c == '\n') return true;
    for (size_t i = 0; escapes[i]; i += 2) {
        if (escapes[i] != c) continue;
        weir__text_byte(out, escapes[i + 1]);
        return true;
    }
    int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits) {
        uint32_t character = weir__reader_hex(r, digits);
        if (character == UINT32_MAX)
            return weir__reader_fail(r, "the escape has too few hexadecimal digits");
        return weir__reader_character(r, character, out);
    }
    if (c == 'N') return weir__reader_fail(r, "\\N{…} is not known here; write the character");
    r->at--;
    weir__text_byte(out, '\\');
    return true;
}

/* Behind the prefix, at the quote. */
static bool read_string(weir__reader *r, bool raw, weir__text *out) {
    char quote[4] = {weir__peek(r)};
    bool triple = weir__reader_accept(r, quote[0] == '"' ? "\"\"\"" : "'''");
    if (triple)
        quote[1] = quote[2] = quote[0];
    else
        r->at++;
    while (!weir__reader_accept(r, quote)) {
        char c = weir__peek(r);
        if (r->at >= r->text.length || (c == '\n' && !triple))
            return weir__reader_fail(r, "the string has no end");
        if (c == '\0') return weir__reader_fail(r, "a NUL is not allowed in a string");
        r->at++;
        if (c != '\\' || raw) weir__text_byte(out, c);
        if (c != '\\') continue;
        if (r->at >= r->text.length) return weir__reader_fail(r, "the string has no end");
        if (raw)
            weir__text_byte(out, r->text.data[r->at++]);
        else if (!read_escape(r, out))
            return false;
    }
    return true;
}

/* Bytes of a prefix and its quote; 0 when no string stands here. */
static size_t string_prefix(const weir__reader *r) {
    size_t at = r->at;
    while (at < r->text.length && at - r->at < 2 && weir__is_one_of(r->text.data[at], "rRuUbBfF"))
        at++;
    bool quoted = at < r->text.length && (r->text.data[at] == '"' || r->text.data[at] == '\'');
    return quoted ? at - r->at + 1 : 0;
}

/* Strings that follow one another are one. */
static weir_value *read_strings(weir__reader *r) {
    weir__text text = {r->host, r->call};
    for (size_t prefix = string_prefix(r); prefix; prefix = string_prefix(r)) {
        bool raw = false;
        for (; prefix > 1; prefix--, r->at++) {
            int c = tolower((unsigned char)weir__peek(r));
            if (c == 'b') return give_up(r, NULL, "bytes have no form in JSON; leave out the b");
            if (c == 'f') return give_up(r, NULL, "an f-string is no literal");
            raw |= c == 'r';
        }
        if (!read_string(r, raw, &text)) return NULL;
        size_t behind = r->at;
        skip_blanks(r);
        if (!string_prefix(r)) r->at = behind;
    }
    return weir__text_take(&text);
}

/* --- containers ----------------------------------------------------------------------------- */

/* A member's name is a text: numbers and the like are written as JSON has them. */
static bool set_member(weir__reader *r, weir_value *object, const weir_value *key,
                       weir_value *value) {
    weir_type type = r->host->value_type(key);
    bool scalar = type != WEIR_ARRAY && type != WEIR_OBJECT;
    weir__text name = {r->host, r->call};
    if (scalar) weir__text_value(&name, key);
    weir_str text = weir__text_str(&name);
    if (scalar)
        r->host->object_set(object, text.data, text.length, value);
    else
        r->host->value_unref(value);
    return scalar || weir__reader_fail(r, "a tuple or a list cannot be a key here");
}

/* Behind the key: ':' and the value. */
static bool read_member(weir__reader *r, weir_value *object, const weir_value *key) {
    if (!weir__reader_accept(r, ":")) return weir__reader_fail(r, "a : should stand here");
    weir_value *value = read_value(r);
    return value && set_member(r, object, key, value);
}

/* Behind '{': a dict when its first item has a ':', else a set. */
static bool read_braced_item(weir__reader *r, weir_value **made) {
    const weir_host *host = r->host;
    weir_value *item = read_value(r);
    if (!item) return false;
    skip_blanks(r);
    if (!*made) *made = weir__peek(r) == ':' ? host->object_new() : host->array_new();
    if (host->value_type(*made) == WEIR_ARRAY) {
        host->array_append(*made, item);
        return true;
    }
    bool ok = read_member(r, *made, item);
    host->value_unref(item);
    return ok;
}

/* A list, a tuple, a dict, a set, or a value in parentheses. */
static weir_value *read_items(weir__reader *r, char end) {
    if (!weir__reader_enter(r)) return NULL;
    weir_value *made = end == '}' ? NULL : r->host->array_new();
    bool comma = false;
    r->at++;
    for (skip_blanks(r); weir__peek(r) != end; skip_blanks(r)) {
        weir_value *item = end == '}' ? NULL : read_value(r);
        if (item) r->host->array_append(made, item);
        if (end == '}' ? !read_braced_item(r, &made) : !item) return give_up(r, made, NULL);
        skip_blanks(r);
        comma = weir__reader_accept(r, ",");
        if (!comma && weir__peek(r) != end)
            return give_up(r, made, "a , or the closing bracket should stand here");
    }
    r->at++;
    r->depth--;
    if (!made) return r->host->object_new();
    if (end == '}' && r->host->value_type(made) == WEIR_ARRAY) {
        weir_value *set = weir__unique(r->host, r->call, made);
        r->host->value_unref(made);
        return set;
    }
    if (end != ')' || comma || r->host->value_count(made) != 1) return made;
    weir_value *only = r->host->value_ref(r->host->array_at(made, 0));
    r->host->value_unref(made);
    return only;
}

static bool accept_word(weir__reader *r, const char *word) {
    size_t from = r->at;
    if (!weir__reader_accept(r, word)) return false;
    unsigned char next = (unsigned char)weir__peek(r);
    bool whole = !isalnum(next) && next != '_' && next < 0x80;
    if (!whole) r->at = from;
    return whole;
}

static weir_value *read_word(weir__reader *r) {
    if (accept_word(r, "True")) return r->host->bool_new(true);
    if (accept_word(r, "False")) return r->host->bool_new(false);
    if (accept_word(r, "None")) return r->host->null_new();
    if (weir__reader_accept(r, "set()")) return r->host->array_new();
    return give_up(r, NULL,
                   r->at < r->text.length
                       ? "this is not a Python literal; a text needs quotes, and names mean nothing"
                       : "the literal ends too early");
}

/* The signs before a number. */
static weir_value *read_signed(weir__reader *r) {
    bool negative = false;
    for (; weir__peek(r) == '-' || weir__peek(r) == '+'; skip_blanks(r))
        negative ^= r->text.data[r->at++] == '-';
    char c = weir__peek(r);
    if (isdigit((unsigned char)c) || c == '.') return read_number(r, negative);
    return give_up(r, NULL, "a sign needs a number behind it");
}

static weir_value *read_value(weir__reader *r) {
    skip_blanks(r);
    if (!weir__reader_count(r)) return NULL;
    char c = weir__peek(r);
    if (c == '[') return read_items(r, ']');
    if (c == '(') return read_items(r, ')');
    if (c == '{') return read_items(r, '}');
    if (string_prefix(r)) return read_strings(r);
    if (c == '-' || c == '+') return read_signed(r);
    if (isdigit((unsigned char)c) || c == '.') return read_number(r, false);
    return read_word(r);
}

/* "1, 2" is a tuple without its parentheses. */
static weir_value *read_all(weir__reader *r) {
    weir_value *value = read_value(r), *tuple = NULL;
    for (skip_blanks(r); value && weir__reader_accept(r, ","); skip_blanks(r)) {
        if (!tuple) {
            tuple = r->host->array_new();
            r->host->array_append(tuple, value);
        }
        skip_blanks(r);
        if (r->at == r->text.length) break;
        value = read_value(r);
        if (value) r->host->array_append(tuple, value);
    }
    if (value) return tuple ? tuple : value;
    r->host->value_unref(tuple);
    return NULL;
}

bool weir__literal_eval(const weir_host *host, weir_call *call) {
    weir__reader r = {.host = host, .call = call, .name = "str_to_eval"};
    if (!weir__text_needed(host, call, "str_to_eval", &r.text)) return false;
    while (r.text.length && weir__is_one_of(r.text.data[r.text.length - 1], " \t\r\n\f"))
        r.text.length--;
    for (skip_blanks(&r); weir__is_one_of(weir__peek(&r), "\r\n"); skip_blanks(&r)) r.at++;
    weir_value *value = read_all(&r);
    if (!value) return false;
    if (r.at < r.text.length) {
        give_up(&r, value, "something stands behind the literal");
        return false;
    }
    host->output(call, "str_after_eval", value);
    return true;
}

/* Reads JSON: one pass over the text, whose strings are mostly the same few, so that a value is made of them once. */
#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "base/map.h"
#include "data/json.h"
#include "data/place.h"
#include "data/value_build.h"

enum {
    KNOWN_FROM = 4096, /* bytes of a text from which on strings are looked for at all */
    TOKEN_BYTES = 64   /* of numbers that need no memory */
};

typedef struct reader {
    weir_str text;
    size_t at; /* where the reader is, or what is wrong */
    const char *problem;
    weir_code code;
    int depth;
    size_t values, values_max;
    const weir_json_file *file; /* NULL: of equal keys the last counts */
    weir_error *error;
    WEIR_VECTOR(weir_value_pair)
    members; /* of all objects that are not complete, each behind the one around it */
    WEIR_VECTOR(weir_value *) items; /* of arrays, in the same way */
    weir_buffer unescaped;
    weir_known *known; /* NULL in a short text */
} reader;

/* All that read give NULL after a problem. */
static weir_value *read_value(reader *r);

static void *fail(reader *r, weir_code code, const char *problem) {
    r->code = code;
    r->problem = problem;
    return NULL;
}

static void skip_blanks(reader *r) {
    while (r->at < r->text.length) {
        char c = r->text.data[r->at];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return;
        r->at++;
    }
}

/* The next character that is no blank; NUL at the end. */
static char peek(reader *r) {
    skip_blanks(r);
    return r->at < r->text.length ? r->text.data[r->at] : '\0';
}

static void *fail_expected(reader *r, const char *problem) {
    if (r->at >= r->text.length)
        problem = "the JSON text ends too early";
    else if (!r->text.data[r->at])
        problem = "a NUL is not allowed";
    return fail(r, WEIR_SYNTAX, problem);
}

/* --- strings ---------------------------------------------------------------------------------- */

/* The number behind a `\u` at `at`, -1 when there is no such escape. */
static int escaped_unit(weir_str text, size_t at) {
    if (at + 6 > text.length || text.data[at] != '\\' || text.data[at + 1] != 'u') return -1;
    int unit = 0;
    for (size_t i = at + 2; i < at + 6; i++) {
        int c = tolower((unsigned char)text.data[i]);
        if (!isxdigit(c)) return -1;
        unit = unit * 16 + (isdigit(c) ? c - '0' : c - 'a' + 10);
    }
    return unit;
}

static void append_character(weir_buffer *out, unsigned c) {
    if (c < 0x80) {
        weir_buffer_byte(out, (char)c);
        return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char leads[] = {0, 0xc0, 0xe0, 0xf0};
    weir_buffer_byte(out, (char)(leads[more] | c >> (6 * more)));
    while (more-- > 0) weir_buffer_byte(out, (char)(0x80 | (c >> (6 * more) & 0x3f)));
}

/* Moves behind the escape. */
static bool read_escape(reader *r) {
    static const char letters[] = "\"\\/bfnrt", stand_for[] = "\"\\/\b\f\n\r\t";
    int unit = escaped_unit(r->text, r->at), low = -1;
    if (unit < 0) {
        const char *letter = NULL;
        if (++r->at < r->text.length && r->text.data[r->at])
            letter = strchr(letters, r->text.data[r->at]);
        if (!letter) return fail_expected(r, "this escape means nothing") != NULL;
        weir_buffer_byte(&r->unescaped, stand_for[letter - letters]);
        r->at++;
        return true;
    }
    if (!unit) return fail(r, WEIR_SYNTAX, "\\u0000 is not allowed in a string") != NULL;
    unsigned c = (unsigned)unit;
    if ((unit & ~0x7ff) == 0xd800) {
        low = escaped_unit(r->text, r->at + 6);
        if (unit >= 0xdc00 || (low & ~0x3ff) != 0xdc00)
            return fail(r, WEIR_SYNTAX, "a surrogate must be one of a pair") != NULL;
        c = 0x10000 + ((c & 0x3ff) << 10 | ((unsigned)low & 0x3ff));
    }
    append_character(&r->unescaped, c);
    r->at += low < 0 ? 6 : 12;
    return true;
}

/* Moves over characters that stand for themselves. */
static bool skip_plain(reader *r) {
    const unsigned char *s = (const unsigned char *)r->text.data;
    size_t at = r->at, length = r->text.length;
    for (;;) {
        while (at < length && s[at] >= 0x20 && s[at] < 0x80 && s[at] != '"' && s[at] != '\\') at++;
        r->at = at;
        if (at == length) return fail(r, WEIR_SYNTAX, "the JSON text ends too early") != NULL;
        if (s[at] == '"' || s[at] == '\\') return true;
        if (s[at] < 0x20)
            return fail(r, WEIR_SYNTAX, "a control character must be escaped in a string") != NULL;
        size_t bytes = weir_utf8_length(weir_str_slice(r->text, at, length));
        if (!bytes) return fail(r, WEIR_SYNTAX, "the text is not UTF-8") != NULL;
        at += bytes;
    }
}

/* Borrowed of the text, or of the reader until the next string. Its data is NULL after a problem. */
static weir_str read_text(reader *r) {
    const weir_str none = {NULL, 0};
    size_t from = ++r->at;
    if (!skip_plain(r)) return none;
    if (r->text.data[r->at] == '"') return weir_str_slice(r->text, from, r->at++);
    weir_buffer_clear(&r->unescaped);
    for (;;) {
        weir_buffer_append(&r->unescaped, r->text.data + from, r->at - from);
        if (r->text.data[r->at] == '"') break;
        if (!read_escape(r)) return none;
        from = r->at;
        if (!skip_plain(r)) return none;
    }
    r->at++;
    return weir_buffer_str(&r->unescaped);
}

static weir_value *read_string(reader *r) {
    weir_str text = read_text(r);
    return text.data ? weir_known_string(r->known, text) : NULL;
}

/* --- numbers and words ------------------------------------------------------------------------ */

static size_t count_digits(weir_str text, size_t from) {
    size_t at = from;
    while (at < text.length && isdigit((unsigned char)text.data[at])) at++;
    return at - from;
}

static bool read_integer(weir_str digits, bool negative, int64_t *out) {
    uint64_t number = 0, most = (uint64_t)INT64_MAX + negative;
    for (size_t i = 0; i < digits.length; i++) {
        uint64_t digit = (uint64_t)(digits.data[i] - '0');
        if (number > (most - digit) / 10) return false;
        number = number * 10 + digit;
    }
    *out = negative ? (int64_t)(0 - number) : (int64_t)number;
    return true;
}

static weir_value *read_double(reader *r, weir_str token) {
    char few[TOKEN_BYTES], *copy = token.length < sizeof few ? few : weir_str_dup(token);
    if (copy == few) {
        memcpy(few, token.data, token.length);
        few[token.length] = '\0';
    }
    double number = strtod(copy, NULL);
    if (copy != few) weir_free(copy);
    if (!isfinite(number)) return fail(r, WEIR_SYNTAX, "the number is beyond the range of doubles");
    return weir_float_new(number);
}

static weir_value *read_number(reader *r, weir_str token) {
    size_t first = token.data[0] == '-', digits = count_digits(token, first), at = first + digits;
    bool valid = digits == 1 || (digits > 1 && token.data[first] != '0'),
         whole = at == token.length;
    if (at < token.length && token.data[at] == '.') {
        size_t fraction = count_digits(token, ++at);
        valid = valid && fraction;
        at += fraction;
    }
    if (at < token.length && (token.data[at] | 0x20) == 'e') {
        at++;
        if (at < token.length && (token.data[at] == '+' || token.data[at] == '-')) at++;
        size_t exponent = count_digits(token, at);
        valid = valid && exponent;
        at += exponent;
    }
    if (!valid || at != token.length) return fail(r, WEIR_SYNTAX, "this is not a JSON number");
    int64_t integer;
    if (!whole) return read_double(r, token);
    if (!read_integer(weir_str_slice(token, first, at), first == 1, &integer))
        return fail(r, WEIR_SYNTAX, "an integer must fit 64 bits with sign");
    return weir_int_new(integer);
}

static weir_value *read_token(reader *r) {
    size_t end = r->at;
    while (end < r->text.length &&
           (isalnum((unsigned char)r->text.data[end]) || memchr("+-.", r->text.data[end], 3)))
        end++;
    weir_str token = weir_str_slice(r->text, r->at, end);
    weir_value *value = NULL;
    if (!token.length || !(isdigit((unsigned char)*token.data) || *token.data == '-')) {
        if (weir_str_is(token, "null"))
            value = weir_null_new();
        else if (weir_str_is(token, "true"))
            value = weir_bool_new(true);
        else if (weir_str_is(token, "false"))
            value = weir_bool_new(false);
        else
            return fail_expected(r, "this is not a JSON value; a text needs quotes");
    } else {
        value = read_number(r, token);
    }
    if (value) r->at = end;
    return value;
}

/* --- arrays and objects ----------------------------------------------------------------------- */

static void drop_items(reader *r, size_t from) {
    while (r->items.count > from) weir_value_unref(r->items.items[--r->items.count]);
}

static void drop_members(reader *r, size_t from) {
    while (r->members.count > from) {
        const weir_value_pair *m = &r->members.items[--r->members.count];
        weir_value_unref(m->key);
        weir_value_unref(m->value);
    }
}

/* Behind an item or a member: whether another follows; *ok is false after a problem. */
static bool has_more(reader *r, char close, bool *ok) {
    char c = peek(r);
    if (c == ',' || c == close)
        r->at++;
    else
        *ok = fail_expected(r, close == ']' ? "a , or ] should stand here"
                                            : "a , or } should stand here") != NULL;
    return c == ',';
}

static weir_value *read_array(reader *r) {
    size_t from = r->items.count;
    bool ok = true, more = true;
    r->at++;
    if (peek(r) == ']') {
        r->at++;
        return weir_array_new();
    }
    while (ok && more) {
        weir_value *item = read_value(r);
        ok = item != NULL;
        if (!ok) break;
        *weir_vector_push(&r->items) = item;
        more = has_more(r, ']', &ok);
    }
    weir_value *array = NULL;
    if (ok) {
        array = weir_array_of(r->items.items + from, r->items.count - from);
        r->items.count = from;
    }
    drop_items(r, from);
    return array;
}

/* Whether the text is read on all the same. */
static bool say_twice(reader *r, weir_str key, size_t at) {
    weir_error own;
    uint32_t line, column;
    if (!r->file) return true;
    if (r->file->repeated && r->file->repeated->count >= WEIR_PROBLEMS_MAX) {
        r->file->repeated->total++;
        return true;
    }
    weir__place(r->text, at, &line, &column);
    weir_fail(&own, WEIR_INVALID, "the key `%.*s` is there twice", WEIR_ARG(key));
    weir_error_place(&own, r->file->name, line, column);
    if (r->file->repeated) {
        weir_problems_add(r->file->repeated, &own);
        return true;
    }
    if (r->error) *r->error = own;
    return fail(r, WEIR_INVALID, NULL) != NULL;
}

/* Of equal keys the last counts, but in a file, as in YAML, the first. */
static bool put_again(reader *r, weir_value **place, weir_value *key, size_t at) {
    bool on = say_twice(r, weir_string_get(key), at);
    weir_value *value = on ? read_value(r) : NULL;
    weir_value_unref(key);
    if (value && r->file) weir_value_unref(value);
    if (!value || r->file) return value != NULL;
    weir_value_unref(*place);
    *place = value;
    return true;
}

/* Puts the member into a `large` object, or behind those of a small one, which begin at `from`. */
static bool put_member(reader *r, size_t from, weir_value *large, weir_value *key, size_t at) {
    bool fresh;
    if (large) {
        weir_value **place = weir_object_place(large, key, &fresh);
        if (!fresh) return put_again(r, place, key, at);
        *place = read_value(r);
        return *place != NULL;
    }
    weir_str name = weir_string_get(key);
    for (size_t i = from; i < r->members.count; i++) {
        const weir_value *known = r->members.items[i].key;
        if (known != key && !weir_str_equal(weir_string_get(known), name)) continue;
        weir_value *value = r->members.items[i].value;
        bool ok = put_again(r, &value, key, at);
        r->members.items[i].value = value;
        return ok;
    }
    size_t place = r->members.count; /* what is within may move the members */
    *weir_vector_push(&r->members) = (weir_value_pair){key, NULL};
    weir_value *value = read_value(r);
    r->members.items[place].value = value;
    return value != NULL;
}

static weir_value *make_object(reader *r, size_t from) {
    weir_value *object = weir_object_of(r->members.items + from, r->members.count - from);
    r->members.count = from;
    return object;
}

/* A member, from its key on. */
static bool read_member(reader *r, size_t from, weir_value **large) {
    if (peek(r) != '"') return fail_expected(r, "a name in quotes should stand here") != NULL;
    size_t at = r->at;
    weir_value *key = read_string(r);
    if (!key) return false;
    if (peek(r) != ':') {
        weir_value_unref(key);
        return fail_expected(r, "a : should stand here") != NULL;
    }
    r->at++;
    if (!*large && r->members.count - from + 1 == WEIR_INDEX_FROM) *large = make_object(r, from);
    return put_member(r, from, *large, key, at);
}

static weir_value *read_object(reader *r) {
    size_t from = r->members.count;
    weir_value *object = NULL;
    bool ok = true, more = true;
    r->at++;
    if (peek(r) == '}') {
        r->at++;
        return weir_object_new();
    }
    while (ok && more) {
        ok = read_member(r, from, &object);
        if (ok) more = has_more(r, '}', &ok);
    }
    if (ok) return object ? object : make_object(r, from);
    drop_members(r, from);
    weir_value_unref(object);
    return NULL;
}

static weir_value *read_value(reader *r) {
    char c = peek(r);
    if (++r->values > r->values_max) return fail(r, WEIR_LIMIT, "there are too many values");
    if (c == '"') return read_string(r);
    if (c != '{' && c != '[') return read_token(r);
    if (r->depth == WEIR_DEPTH_MAX) return fail(r, WEIR_LIMIT, "nested too deep");
    r->depth++;
    weir_value *value = c == '{' ? read_object(r) : read_array(r);
    r->depth--;
    return value;
}

/* --- the text --------------------------------------------------------------------------------- */

static bool read_all(reader *r, weir_str name, weir_value **out) {
    if (r->text.length >= KNOWN_FROM) r->known = weir_known_new();
    weir_value *value = read_value(r);
    if (value && (peek(r) || r->at < r->text.length)) {
        weir_value_unref(value);
        value = fail(r, WEIR_SYNTAX, "nothing may follow the JSON value");
    }
    weir_known_free(r->known);
    weir_vector_deinit(&r->members);
    weir_vector_deinit(&r->items);
    weir_buffer_deinit(&r->unescaped);
    if (value) *out = value;
    if (value || !r->problem) return value != NULL;
    uint32_t line, column;
    weir__place(r->text, r->at, &line, &column);
    weir_fail(r->error, r->code, "%s", r->problem);
    weir_error_place(r->error, name, line, column);
    if (r->code == WEIR_LIMIT && r->values > r->values_max)
        weir_error_hint(r->error, "%zu are allowed in a file", r->values_max);
    else if (r->code == WEIR_LIMIT)
        weir_error_hint(r->error, "%d levels are allowed", WEIR_DEPTH_MAX);
    return false;
}

bool weir_json_parse(weir_str text, weir_str file, weir_value **out, weir_error *error) {
    reader r = {.text = text, .values_max = SIZE_MAX, .error = error};
    return read_all(&r, file, out);
}

bool weir_json_parse_file(weir_str text, const weir_json_file *file, weir_value **out,
                          weir_error *error) {
    reader r = {.text = text, .values_max = file->values_max, .file = file, .error = error};
    return read_all(&r, file->name, out);
}

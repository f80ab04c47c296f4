#include "data/json.h"

#include <ctype.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/place.h"

static bool fail_at(weir_str text, weir_str file, size_t offset, weir_code code,
                    const char *problem, weir_error *error) {
    uint32_t line, column;
    weir__place(text, offset, &line, &column);
    weir_fail(error, code, "%s", problem);
    weir_error_place(error, file, line, column);
    return false;
}

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

/* Moves behind the escape at *at. */
static const char *check_escape(weir_str text, size_t *at) {
    int unit = escaped_unit(text, *at);
    if (unit == 0) return "\\u0000 is not allowed in a string";
    size_t length = unit < 0 ? 2 : 6;
    if ((unit & ~0x7ff) == 0xd800) {
        bool paired = unit < 0xdc00 && (escaped_unit(text, *at + 6) & ~0x3ff) == 0xdc00;
        if (!paired) return "a surrogate must be one of a pair";
        length = 12;
    }
    *at += length;
    return NULL;
}

/* Moves behind the string whose opening quote is at *at. */
static const char *check_string(weir_str text, size_t *at) {
    for (++*at; *at < text.length && text.data[*at] != '"';) {
        const unsigned char *s = (const unsigned char *)text.data + *at;
        if (*s < 0x20) return "a control character must be escaped in a string";
        if (*s == '\\') {
            const char *problem = check_escape(text, at);
            if (problem) return problem;
            continue;
        }
        size_t length = weir_utf8_length(weir_str_slice(text, *at, text.length));
        if (!length) return "the text is not UTF-8";
        *at += length;
    }
    ++*at;
    return NULL;
}

static size_t count_digits(weir_str text, size_t from) {
    size_t at = from;
    while (at < text.length && isdigit((unsigned char)text.data[at])) at++;
    return at - from;
}

static bool fits_int64(weir_str digits, bool negative) {
    uint64_t number = 0, most = (uint64_t)INT64_MAX + negative;
    for (size_t i = 0; i < digits.length; i++) {
        uint64_t digit = (uint64_t)(digits.data[i] - '0');
        if (number > (most - digit) / 10) return false;
        number = number * 10 + digit;
    }
    return true;
}

static bool fits_double(weir_str token) {
    char *copy = weir_str_dup(token);
    bool fits = isfinite(strtod(copy, NULL));
    weir_free(copy);
    return fits;
}

static const char *check_number(weir_str token) {
    size_t at = token.data[0] == '-', first = at, digits = count_digits(token, at), exponent = 0;
    bool valid = digits == 1 || (digits > 1 && token.data[at] != '0');
    at += digits;
    bool whole = at == token.length;
    if (at < token.length && token.data[at] == '.') {
        size_t fraction = count_digits(token, ++at);
        valid = valid && fraction;
        at += fraction;
    }
    if (at < token.length && (token.data[at] | 0x20) == 'e') {
        at++;
        if (at < token.length && (token.data[at] == '+' || token.data[at] == '-')) at++;
        exponent = count_digits(token, at);
        valid = valid && exponent;
        at += exponent;
    }
    if (!valid || at != token.length) return "this is not a JSON number";
    if (whole && !fits_int64(weir_str_slice(token, first, at), first == 1))
        return "an integer must fit 64 bits with sign";
    bool may_be_infinite = !whole && (exponent > 2 || digits > 200);
    return may_be_infinite && !fits_double(token) ? "the number is beyond the range of doubles"
                                                  : NULL;
}

static bool belongs_to_token(char c) {
    return isalnum((unsigned char)c) || c == '+' || c == '-' || c == '.';
}

static const char *check_token(weir_str text, size_t *at) {
    size_t end = *at;
    while (end < text.length && belongs_to_token(text.data[end])) end++;
    weir_str token = weir_str_slice(text, *at, end);
    const char *problem = NULL;
    if (!isalpha((unsigned char)*token.data))
        problem = check_number(token);
    else if (!weir_str_is(token, "null") && !weir_str_is(token, "true") &&
             !weir_str_is(token, "false"))
        problem = "this is not a JSON value; a text needs quotes";
    if (!problem) *at = end;
    return problem;
}

/* json-c takes what RFC 8259 does not allow, and changes what it cannot represent without a word: this pass over the
 * strings, words and numbers refuses all that, with the place. Returns what is wrong at *at, or NULL. */
static const char *find_problem(weir_str text, size_t *at) {
    const char *problem = NULL;
    for (*at = 0; !problem && *at < text.length;) {
        char c = text.data[*at];
        if (c == '"')
            problem = check_string(text, at);
        else if (c == '\0')
            problem = "a NUL is not allowed";
        else if (isalnum((unsigned char)c) || c == '-')
            problem = check_token(text, at);
        else
            ++*at;
    }
    return problem;
}

static weir_value *convert(json_object *object);

static weir_value *convert_members(json_object *object) {
    weir_value *value = weir_object_new();
    struct json_object_iterator at = json_object_iter_begin(object);
    struct json_object_iterator end = json_object_iter_end(object);
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at))
        weir_member_put(value, json_object_iter_peek_name(&at),
                        convert(json_object_iter_peek_value(&at)));
    return value;
}

static weir_value *convert_items(json_object *array) {
    weir_value *value = weir_array_new();
    size_t count = json_object_array_length(array);
    for (size_t i = 0; i < count; i++)
        weir_array_append(value, convert(json_object_array_get_idx(array, i)));
    return value;
}

static weir_value *convert(json_object *object) {
    switch (json_object_get_type(object)) {
    case json_type_null: break;
    case json_type_boolean: return weir_bool_new(json_object_get_boolean(object));
    case json_type_int: return weir_int_new(json_object_get_int64(object));
    case json_type_double: return weir_float_new(json_object_get_double(object));
    case json_type_string:
        return weir_string_new(json_object_get_string(object),
                               (size_t)json_object_get_string_len(object));
    case json_type_array: return convert_items(object);
    case json_type_object: return convert_members(object);
    }
    return weir_null_new();
}

static bool fail_parse(json_tokener *tokener, weir_str text, weir_str file, size_t end,
                       weir_error *error) {
    enum json_tokener_error code = json_tokener_get_error(tokener);
    if (code == json_tokener_error_depth) {
        fail_at(text, file, end, WEIR_LIMIT, "nested too deep", error);
        weir_error_hint(error, "%d levels are allowed", WEIR_DEPTH_MAX);
        return false;
    }
    bool early = code == json_tokener_error_parse_eof || code == json_tokener_continue;
    const char *problem = early ? "the JSON text ends too early" : json_tokener_error_desc(code);
    return fail_at(text, file, end, WEIR_SYNTAX, problem, error);
}

bool weir_json_parse(weir_str text, weir_str file, weir_value **out, weir_error *error) {
    size_t at;
    const char *problem = find_problem(text, &at);
    if (problem) return fail_at(text, file, at, WEIR_SYNTAX, problem, error);
    if (text.length >= INT_MAX)
        return fail_at(text, file, 0, WEIR_LIMIT, "the JSON text is larger than 2 GiB", error);
    json_tokener *tokener = json_tokener_new_ex(WEIR_DEPTH_MAX + 1);
    if (!tokener) return weir_fail(error, WEIR_INTERNAL, "out of memory");
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    json_object *object = json_tokener_parse_ex(tokener, text.data, (int)text.length);
    size_t end = json_tokener_get_parse_end(tokener);
    /* A number at the very end is complete only when a NUL follows. */
    if (json_tokener_get_error(tokener) == json_tokener_continue)
        object = json_tokener_parse_ex(tokener, "", 1);
    bool ok = json_tokener_get_error(tokener) == json_tokener_success;
    if (ok)
        *out = convert(object);
    else
        fail_parse(tokener, text, file, end, error);
    json_object_put(object);
    json_tokener_free(tokener);
    return ok;
}

static void format_string(weir_str text, weir_buffer *out) {
    static const char short_escapes[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    weir_buffer_byte(out, '"');
    size_t from = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        weir_buffer_append(out, text.data + from, i - from);
        from = i + 1;
        char escape = c < 0x20 ? short_escapes[c] : (char)c;
        if (escape)
            weir_buffer_append(out, (char[]){'\\', escape}, 2);
        else
            weir_buffer_printf(out, "\\u%04x", c);
    }
    weir_buffer_append(out, text.data + from, text.length - from);
    weir_buffer_byte(out, '"');
}

static void format_double(double number, weir_buffer *out) {
    if (!isfinite(number)) {
        weir_buffer_text(out, "null");
        return;
    }
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    weir_buffer_text(out, text);
    if (!strpbrk(text, ".e")) weir_buffer_text(out, ".0");
}

static void new_line(int indent, int depth, weir_buffer *out) {
    if (indent > 0) weir_buffer_printf(out, "\n%*s", indent * depth, "");
}

static void format(const weir_value *value, int indent, int depth, weir_buffer *out);

static void format_members(const weir_value *value, int indent, int depth, weir_buffer *out) {
    bool object = weir_value_type(value) == WEIR_OBJECT;
    size_t count = weir_value_count(value);
    weir_buffer_byte(out, object ? '{' : '[');
    for (size_t i = 0; i < count; i++) {
        if (i) weir_buffer_byte(out, ',');
        new_line(indent, depth + 1, out);
        if (object) {
            format_string(weir_object_key(value, i), out);
            weir_buffer_text(out, indent > 0 ? ": " : ":");
        }
        const weir_value *item = object ? weir_object_at(value, i) : weir_array_at(value, i);
        format(item, indent, depth + 1, out);
    }
    if (count) new_line(indent, depth, out);
    weir_buffer_byte(out, object ? '}' : ']');
}

static void format(const weir_value *value, int indent, int depth, weir_buffer *out) {
    switch (weir_value_type(value)) {
    case WEIR_NULL: weir_buffer_text(out, "null"); break;
    case WEIR_BOOL: weir_buffer_text(out, weir_bool_get(value) ? "true" : "false"); break;
    case WEIR_INT: weir_buffer_printf(out, "%" PRId64, weir_int_get(value)); break;
    case WEIR_FLOAT: format_double(weir_number_get(value), out); break;
    case WEIR_STRING: format_string(weir_string_get(value), out); break;
    case WEIR_ARRAY:
    case WEIR_OBJECT: format_members(value, indent, depth, out); break;
    }
}

void weir_json_format(const weir_value *value, int indent, weir_buffer *out) {
    format(value, indent, 0, out);
}

void weir_json_plain(const weir_value *value, weir_buffer *out) {
    if (weir_is(value, WEIR_STRING))
        weir_buffer_str_append(out, weir_string_get(value));
    else
        weir_json_format(value, 0, out);
}

weir_value *weir_json_as_text(const weir_value *value) {
    if (weir_is(value, WEIR_STRING)) return weir_value_ref((weir_value *)value);
    weir_buffer text = {0};
    weir_json_format(value, 0, &text);
    weir_value *made = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return made;
}

#include "data/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

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

static void format_described(const weir_value *value, int indent, int depth, weir_buffer *out) {
    weir_value *described = weir_bytes_described(value);
    format_members(described, indent, depth, out);
    weir_value_unref(described);
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
    case WEIR_BYTES:
    case WEIR_FOREIGN: format_described(value, indent, depth, out); break;
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

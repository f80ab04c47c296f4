#include "data/yaml_format.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <strings.h>

#include "data/json.h"

enum {
    INDENT = 2,
    KEY_BYTES_MAX =
        200 /* longer ones are written "? KEY": 1,024 characters are too many for "KEY:" */
};

/* --- texts ---------------------------------------------------------------------------------- */

static bool is_word(weir_str text) {
    static const char *const words[] = {"y",   "n",    "yes",   "no",  "on",
                                        "off", "true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (text.length == strlen(words[i]) && strncasecmp(text.data, words[i], text.length) == 0)
            return true;
    return false;
}

/* Whether the UTF-8 character, of more than one byte, may stand as it is. Line and paragraph separators end a line in
 * YAML 1.1, and the byte order mark and the last two of the plane are not allowed. */
static bool is_printable(weir_str text, size_t at, size_t length) {
    const unsigned char *s = (const unsigned char *)text.data + at;
    if (length == 2) return s[0] > 0xc2 || s[1] >= 0xa0;
    if (length != 3) return true;
    bool separator = s[0] == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9);
    bool mark = s[0] == 0xef && ((s[1] == 0xbb && s[2] == 0xbf) || (s[1] == 0xbf && s[2] >= 0xbe));
    return !separator && !mark;
}

/* Bytes of the character at `at` when it may stand as it is in a block or in quotes; 0: it needs an escape. */
static size_t printable_length(weir_str text, size_t at) {
    unsigned char c = (unsigned char)text.data[at];
    if (c < 0x80) return c >= 0x20 && c != 0x7f;
    size_t length = weir_utf8_length(weir_str_slice(text, at, text.length));
    return length && is_printable(text, at, length) ? length : 0;
}

static bool may_begin(unsigned char c) {
    return isalpha(c) || c == '_' || c == '/' || c >= 0x80;
}

/* Whether nobody can take the text for anything but itself when nothing is around it. */
static bool is_plain(weir_str text) {
    if (!text.length || !may_begin((unsigned char)text.data[0]) || is_word(text)) return false;
    if (text.data[text.length - 1] == ' ' || text.data[text.length - 1] == ':') return false;
    for (size_t i = 0, length; i < text.length; i += length) {
        unsigned char c = (unsigned char)text.data[i];
        length = printable_length(text, i);
        bool safe = isalnum(c) || c >= 0x80 || strchr("_-./+@=()~ ", c) ||
                    (c == ':' && text.data[i + 1] != ' ');
        if (!length || !safe) return false;
    }
    return true;
}

/* Whether a literal block gives exactly this text: several lines, each of printable characters, none of blanks only. */
static bool is_block(weir_str text) {
    bool lines = false, blank = true;
    for (size_t i = 0, length; i < text.length; i += length) {
        char c = text.data[i];
        length = c == '\n' || c == '\t' ? 1 : printable_length(text, i);
        if (!length) return false;
        if (c == '\n') {
            bool empty = i == 0 || text.data[i - 1] == '\n';
            if (blank && !empty) return false;
            lines = true;
            blank = true;
        } else if (c != ' ' && c != '\t') {
            blank = false;
        }
    }
    bool ended = text.length && text.data[text.length - 1] == '\n';
    bool something = text.length && strspn(text.data, "\n") < text.length;
    return lines && something && (!blank || ended);
}

static void put_escape(weir_str text, size_t at, size_t length, weir_buffer *out) {
    static const char letters[0x20] = {
        ['\0'] = '0', ['\a'] = 'a', ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n',
        ['\v'] = 'v', ['\f'] = 'f', ['\r'] = 'r', [0x1b] = 'e',
    };
    const unsigned char *s = (const unsigned char *)text.data + at;
    if (*s < 0x20 && letters[*s])
        weir_buffer_printf(out, "\\%c", letters[*s]);
    else if (*s < 0x80)
        weir_buffer_printf(out, "\\x%02x", *s);
    else if (length == 2)
        weir_buffer_printf(out, "\\u%04x", (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu));
    else if (length == 3)
        weir_buffer_printf(out, "\\u%04x",
                           (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu));
    else
        weir_buffer_text(out, "\\ufffd"); /* no UTF-8 */
}

static void put_quoted(weir_str text, weir_buffer *out) {
    weir_buffer_byte(out, '"');
    for (size_t i = 0, length; i < text.length; i += length) {
        char c = text.data[i];
        length = printable_length(text, i);
        if (c == '"' || c == '\\')
            weir_buffer_append(out, (char[]){'\\', c}, 2);
        else if (length)
            weir_buffer_append(out, text.data + i, length);
        if (length) continue;
        length = weir_utf8_length(weir_str_slice(text, i, text.length));
        put_escape(text, i, length, out);
        if (!length) length = 1;
    }
    weir_buffer_byte(out, '"');
}

/* "|-" and the lines, each behind `indent` blanks. How far they are indented is said when the first line does not show
 * it. */
static void put_block(weir_str text, int indent, weir_buffer *out) {
    bool ended = text.data[text.length - 1] == '\n';
    bool kept = ended && text.length > 1 && text.data[text.length - 2] == '\n';
    weir_buffer_byte(out, '|');
    if (strchr(" \t\n", text.data[0])) weir_buffer_printf(out, "%d", INDENT);
    if (!ended || kept) weir_buffer_byte(out, kept ? '+' : '-');
    for (size_t from = 0, end; from < text.length; from = end + 1) {
        end = weir_str_find(text, WEIR_STR("\n"), from);
        if (end == SIZE_MAX) end = text.length;
        weir_buffer_byte(out, '\n');
        if (end > from) weir_buffer_printf(out, "%*s", indent, "");
        weir_buffer_append(out, text.data + from, end - from);
    }
}

static void put_text(weir_str text, weir_buffer *out) {
    if (is_plain(text))
        weir_buffer_str_append(out, text);
    else
        put_quoted(text, out);
}

/* --- values --------------------------------------------------------------------------------- */

/* A number that YAML 1.1 takes for one too needs a point and, with an exponent, its sign. */
static void put_float(const weir_value *value, weir_buffer *out) {
    double number = weir_number_get(value);
    if (!isfinite(number)) {
        weir_buffer_text(out, isnan(number) ? ".nan" : number < 0 ? "-.inf" : ".inf");
        return;
    }
    weir_buffer json = {0};
    weir_json_format(value, 0, &json);
    const char *exponent = strchr(json.data, 'e');
    if (exponent && !strchr(json.data, '.'))
        weir_buffer_printf(out, "%.*s.0%s", (int)(exponent - json.data), json.data, exponent);
    else
        weir_buffer_str_append(out, weir_buffer_str(&json));
    weir_buffer_deinit(&json);
}

static bool is_container(const weir_value *value) {
    weir_type type = weir_value_type(value);
    return (type == WEIR_OBJECT || type == WEIR_ARRAY) && weir_value_count(value);
}

static void new_line(int indent, weir_buffer *out) {
    weir_buffer_printf(out, "\n%*s", indent, "");
}

/* A value without lines of its own but a block's, which stand behind `indent` blanks. */
static void put_scalar(const weir_value *value, int indent, weir_buffer *out) {
    switch (weir_value_type(value)) {
    case WEIR_NULL: weir_buffer_text(out, "null"); break;
    case WEIR_BOOL: weir_buffer_text(out, weir_bool_get(value) ? "true" : "false"); break;
    case WEIR_INT: weir_buffer_printf(out, "%" PRId64, weir_int_get(value)); break;
    case WEIR_FLOAT: put_float(value, out); break;
    case WEIR_STRING:
        if (is_block(weir_string_get(value)))
            put_block(weir_string_get(value), indent, out);
        else
            put_text(weir_string_get(value), out);
        break;
    case WEIR_ARRAY: weir_buffer_text(out, "[]"); break;
    case WEIR_OBJECT: weir_buffer_text(out, "{}"); break;
    case WEIR_BYTES:
    case WEIR_FOREIGN: weir_json_format(value, 0, out); break;
    }
}

static void put_container(const weir_value *value, int indent, weir_buffer *out);

/* What stands behind "KEY:" at `indent`. */
static void put_member(const weir_value *value, int indent, weir_buffer *out) {
    if (!is_container(value)) {
        weir_buffer_byte(out, ' ');
        put_scalar(value, indent + INDENT, out);
        return;
    }
    new_line(indent + INDENT, out);
    put_container(value, indent + INDENT, out);
}

static void put_key(weir_str key, int indent, weir_buffer *out) {
    bool merging = weir_str_is(key, "<<");
    size_t from = out->length;
    if (merging)
        put_quoted(key, out);
    else
        put_text(key, out);
    if (out->length - from > KEY_BYTES_MAX) {
        out->length = from;
        weir_buffer_text(out, "? ");
        put_quoted(key, out);
        new_line(indent, out);
    }
    weir_buffer_byte(out, ':');
}

/* The members or items, the first where the line is, which is behind `indent` blanks. */
static void put_container(const weir_value *value, int indent, weir_buffer *out) {
    bool object = weir_value_type(value) == WEIR_OBJECT;
    for (size_t i = 0; i < weir_value_count(value); i++) {
        if (i) new_line(indent, out);
        if (object) {
            put_key(weir_object_key(value, i), indent, out);
            put_member(weir_object_at(value, i), indent, out);
            continue;
        }
        const weir_value *item = weir_array_at(value, i);
        weir_buffer_byte(out, '-');
        if (weir_is(item, WEIR_OBJECT) && is_container(item)) {
            weir_buffer_byte(out, ' ');
            put_container(item, indent + INDENT, out);
        } else {
            put_member(item, indent, out);
        }
    }
}

void weir_yaml_format(const weir_value *value, weir_buffer *out) {
    if (is_container(value))
        put_container(value, 0, out);
    else
        put_scalar(value, INDENT, out);
    weir_buffer_byte(out, '\n');
}

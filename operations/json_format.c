/* Values as JSON text (RFC 8259). */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"
#include "text.h"

static void add_escaped(weir__text *out, unsigned char c) {
    static const char short_escapes[0x20] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    char escape[8];
    if (c < 0x20 && !short_escapes[c])
        snprintf(escape, sizeof escape, "\\u%04x", c);
    else
        snprintf(escape, sizeof escape, "\\%c", c < 0x20 ? short_escapes[c] : (char)c);
    weir__text_add(out, (weir_str){escape, strlen(escape)});
}

static void add_string(weir__text *out, weir_str text) {
    size_t from = 0;
    weir__text_byte(out, '"');
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        weir__text_add(out, weir__part(text, from, i));
        add_escaped(out, c);
        from = i + 1;
    }
    weir__text_add(out, weir__part(text, from, text.length));
    weir__text_byte(out, '"');
}

/* The shortest numeral that reads back equal; what JSON cannot say becomes null. */
static void add_float(weir__text *out, double number) {
    char digits[40];
    if (!isfinite(number)) {
        weir__text_add(out, TEXT("null"));
        return;
    }
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, number);
        if (strtod(digits, NULL) == number) break;
    }
    weir__text_add(out, (weir_str){digits, strlen(digits)});
    if (!strpbrk(digits, ".e")) weir__text_add(out, TEXT(".0"));
}

static void add_line(weir__text *out, int indent, int depth) {
    if (!indent) return;
    weir__text_byte(out, '\n');
    for (int i = 0; i < indent * depth; i++) weir__text_byte(out, ' ');
}

typedef struct key_place {
    weir_str key;
    size_t at;
} key_place;

static int compare_keys(const void *left, const void *right) {
    return weir__text_compare(((const key_place *)left)->key, ((const key_place *)right)->key);
}

/* The places of the members by key, or NULL for the order in which they are. */
static const key_place *sort_keys(weir__text *out, const weir_value *object, bool sorted) {
    size_t count = out->host->value_count(object);
    if (!sorted || out->host->value_type(object) != WEIR_OBJECT) return NULL;
    key_place *places = out->host->alloc(out->call, (count + 1) * sizeof *places);
    for (size_t i = 0; i < count; i++) places[i] = (key_place){out->host->object_key(object, i), i};
    qsort(places, count, sizeof *places, compare_keys);
    return places;
}

static void add_value(weir__text *out, const weir_value *value, int indent, bool sorted, int depth);

static void add_members(weir__text *out, const weir_value *value, int indent, bool sorted,
                        int depth) {
    const weir_host *host = out->host;
    bool object = host->value_type(value) == WEIR_OBJECT;
    size_t count = host->value_count(value);
    const key_place *places = sort_keys(out, value, sorted);
    weir__text_byte(out, object ? '{' : '[');
    for (size_t i = 0; i < count && !out->full; i++) {
        size_t at = places ? places[i].at : i;
        if (i) weir__text_byte(out, ',');
        add_line(out, indent, depth + 1);
        if (object) {
            add_string(out, host->object_key(value, at));
            weir__text_add(out, indent ? TEXT(": ") : TEXT(":"));
        }
        add_value(out, object ? host->object_at(value, at) : host->array_at(value, at), indent,
                  sorted, depth + 1);
    }
    if (count) add_line(out, indent, depth);
    weir__text_byte(out, object ? '}' : ']');
}

static void add_described(weir__text *out, const weir_value *value, int indent, bool sorted,
                          int depth) {
    weir_value *described = out->host->bytes_described(value);
    add_members(out, described, indent, sorted, depth);
    out->host->value_unref(described);
}

static void add_value(weir__text *out, const weir_value *value, int indent, bool sorted,
                      int depth) {
    const weir_host *host = out->host;
    char digits[32];
    switch (host->value_type(value)) {
    case WEIR_NULL: weir__text_add(out, TEXT("null")); break;
    case WEIR_BOOL:
        weir__text_add(out, host->bool_get(value) ? TEXT("true") : TEXT("false"));
        break;
    case WEIR_INT:
        snprintf(digits, sizeof digits, "%" PRId64, host->int_get(value));
        weir__text_add(out, (weir_str){digits, strlen(digits)});
        break;
    case WEIR_FLOAT: add_float(out, host->number_get(value)); break;
    case WEIR_STRING: add_string(out, host->string_get(value)); break;
    case WEIR_ARRAY:
    case WEIR_OBJECT: add_members(out, value, indent, sorted, depth); break;
    case WEIR_BYTES:
    case WEIR_FOREIGN: add_described(out, value, indent, sorted, depth); break;
    }
}

void weir__text_json(weir__text *text, const weir_value *value, int indent, bool sorted) {
    add_value(text, value, indent, sorted, 0);
}

void weir__text_value(weir__text *text, const weir_value *value) {
    if (text->host->value_type(value) == WEIR_STRING)
        weir__text_add(text, text->host->string_get(value));
    else
        weir__text_json(text, value, 0, false);
}

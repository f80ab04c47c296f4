#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/go.h"
#include "expr/expr_internal.h"
#include "expr/gotime.h"
#include "expr/unicode.h"

enum { NESTED_MAX = 1000 };

void weir__x_quote(weir_str text, weir_buffer *out) {
    static const char escapes[] = "\a\b\f\n\r\t\v\\\"", letters[] = "abfnrtv\\\"";
    weir_buffer_byte(out, '"');
    for (size_t at = 0, n; at < text.length; at += n) {
        uint32_t c = weir__unicode_decode(weir_str_slice(text, at, text.length), &n);
        unsigned char byte = (unsigned char)text.data[at];
        const char *escape = c && c < 0x80 ? strchr(escapes, (int)c) : NULL;
        char category = weir__unicode_category(c)[0];
        if (escape)
            weir_buffer_printf(out, "\\%c", letters[escape - escapes]);
        else if (c < 0x20 || c == 0x7f || (c == 0xfffd && n == 1))
            weir_buffer_printf(out, "\\x%02x", byte);
        else if (c >= 0x80 && (category == 'C' || category == 'Z' || !category))
            weir_buffer_printf(out, c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
        else
            weir_buffer_append(out, text.data + at, n);
    }
    weir_buffer_byte(out, '"');
}

static void print(x_machine *m, const x *v, int depth, weir_buffer *out);

static void print_list(x_machine *m, const x *list, int depth, weir_buffer *out) {
    weir_buffer_byte(out, '[');
    for (size_t i = 0; i < list->length && !m->failed; i++) {
        x item = weir__x_at(list, i);
        if (i > 0) weir_buffer_byte(out, ' ');
        print(m, &item, depth + 1, out);
    }
    weir_buffer_byte(out, ']');
}

static void print_map(x_machine *m, const x *map, int depth, weir_buffer *out) {
    const uint32_t *places = weir__x_sorted(m, map);
    weir_buffer_text(out, "map[");
    for (size_t i = 0; i < weir__x_count(map) && !m->failed; i++) {
        x_entry e = weir__x_entry(map, places[i]);
        if (i > 0) weir_buffer_byte(out, ' ');
        print(m, &e.key, depth + 1, out);
        weir_buffer_byte(out, ':');
        print(m, &e.value, depth + 1, out);
    }
    weir_buffer_byte(out, ']');
}

static void print(x_machine *m, const x *v, int depth, weir_buffer *out) {
    bool large = v->kind == X_LIST || v->kind == X_MAP;
    if (depth > NESTED_MAX) {
        weir__x_fail(m, WEIR_LIMIT, "the value is nested too deep");
        return;
    }
    if (large && (!weir__x_spend(m, weir__x_count(v)) || !weir__x_room(m, out->length))) return;
    switch ((x_kind)v->kind) {
    case X_NIL: weir_buffer_text(out, "<nil>"); break;
    case X_BOOL: weir_buffer_text(out, v->boolean ? "true" : "false"); break;
    case X_INT: weir_buffer_printf(out, "%lld", (long long)v->integer); break;
    case X_FLOAT: weir_go_print_float(v->number, false, out); break;
    case X_STRING: weir_buffer_str_append(out, x_text(v)); break;
    case X_LIST: print_list(m, v, depth, out); break;
    case X_MAP: print_map(m, v, depth, out); break;
    case X_DURATION: weir__goduration_print(v->integer, out); break;
    case X_TIME:
        weir__gotime_format(v->time, WEIR_STR("2006-01-02 15:04:05.999999999 -0700 MST"), out);
        break;
    case X_ZONE: weir_buffer_str_append(out, weir__gotime_zone_name(v->zone)); break;
    case X_SEMVER: weir__semver_print(v->semver, out); break;
    case X_WEEKDAY: weir_buffer_text(out, weir__gotime_weekday((int)v->integer)); break;
    case X_MONTH: weir_buffer_text(out, weir__gotime_month((int)v->integer)); break;
    default: weir_buffer_text(out, weir__x_go_type(v)); break;
    }
}

void weir__x_print(x_machine *m, const x *v, weir_buffer *out) {
    print(m, v, 0, out);
}

/* --- JSON as Go's encoding/json writes it */

static void json_text(weir_str text, bool html, weir_buffer *out) {
    weir_buffer_byte(out, '"');
    for (size_t at = 0, n; at < text.length; at += n) {
        uint32_t c = weir__unicode_decode(weir_str_slice(text, at, text.length), &n);
        if (c == '"' || c == '\\')
            weir_buffer_printf(out, "\\%c", (char)c);
        else if (c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f')
            weir_buffer_printf(out, "\\%c",
                               c == '\n'   ? 'n'
                               : c == '\r' ? 'r'
                               : c == '\t' ? 't'
                               : c == '\b' ? 'b'
                                           : 'f');
        else if (c < 0x20 || (html && (c == '<' || c == '>' || c == '&')) || c == 0x2028 ||
                 c == 0x2029)
            weir_buffer_printf(out, "\\u%04x", c);
        else if (c == 0xfffd && n == 1)
            weir_buffer_text(out, "\\ufffd");
        else
            weir_buffer_append(out, text.data + at, n);
    }
    weir_buffer_byte(out, '"');
}

static void json_break(int flags, int depth, weir_buffer *out) {
    if (!(flags & X_JSON_INDENT)) return;
    weir_buffer_byte(out, '\n');
    for (int i = 0; i < depth; i++) weir_buffer_text(out, "  ");
}

static bool json(x_machine *m, const x *v, int flags, int depth, weir_buffer *out);

static bool json_list(x_machine *m, const x *list, int flags, int depth, weir_buffer *out) {
    weir_buffer_byte(out, '[');
    for (size_t i = 0; i < list->length; i++) {
        x item = weir__x_at(list, i);
        if (i > 0) weir_buffer_byte(out, ',');
        json_break(flags, depth + 1, out);
        if (!json(m, &item, flags, depth + 1, out)) return false;
    }
    if (list->length > 0) json_break(flags, depth, out);
    weir_buffer_byte(out, ']');
    return true;
}

static bool json_map(x_machine *m, const x *map, int flags, int depth, weir_buffer *out) {
    const uint32_t *places = weir__x_sorted(m, map);
    size_t count = weir__x_count(map);
    if (map->sub & X_KEYS_ANY)
        return weir__x_fail(m, WEIR_INVALID, "JSON cannot have a map whose keys are any values");
    weir_buffer_byte(out, '{');
    for (size_t i = 0; i < count; i++) {
        x_entry e = weir__x_entry(map, places[i]);
        if (i > 0) weir_buffer_byte(out, ',');
        json_break(flags, depth + 1, out);
        json_text(x_text(&e.key), (flags & X_JSON_HTML) != 0, out);
        weir_buffer_text(out, flags & X_JSON_INDENT ? ": " : ":");
        if (!json(m, &e.value, flags, depth + 1, out)) return false;
    }
    if (count > 0) json_break(flags, depth, out);
    weir_buffer_byte(out, '}');
    return true;
}

static bool json(x_machine *m, const x *v, int flags, int depth, weir_buffer *out) {
    if (depth > NESTED_MAX) return weir__x_fail(m, WEIR_LIMIT, "the value is nested too deep");
    bool large = v->kind == X_LIST || v->kind == X_MAP;
    if (large && (!weir__x_spend(m, weir__x_count(v)) || !weir__x_room(m, out->length)))
        return false;
    switch ((x_kind)v->kind) {
    case X_NIL: weir_buffer_text(out, "null"); return true;
    case X_STRING: json_text(x_text(v), (flags & X_JSON_HTML) != 0, out); return true;
    case X_LIST:
        if (!x_is_nil(v)) return json_list(m, v, flags, depth, out);
        weir_buffer_text(out, "null");
        return true;
    case X_SEMVER:
        weir_buffer_byte(out, '"');
        weir__semver_print(v->semver, out);
        weir_buffer_byte(out, '"');
        return true;
    case X_MAP: return json_map(m, v, flags, depth, out);
    case X_FLOAT:
        if (isnan(v->number) || isinf(v->number))
            return weir__x_fail(m, WEIR_INVALID, "JSON has no infinite numbers and no NaN");
        weir_go_print_float(v->number, true, out);
        return true;
    case X_TIME:
        weir_buffer_byte(out, '"');
        weir__gotime_format(v->time, WEIR__GOTIME_RFC3339NANO, out);
        weir_buffer_byte(out, '"');
        return true;
    case X_DURATION:
    case X_WEEKDAY:
    case X_MONTH: weir_buffer_printf(out, "%lld", (long long)v->integer); return true;
    case X_BOOL:
    case X_INT: print(m, v, depth, out); return true;
    case X_ZONE: weir_buffer_text(out, "{}"); return true;
    default:
        return weir__x_fail(m, WEIR_INVALID, "JSON cannot have a value of type %s",
                            weir__x_go_type(v));
    }
}

bool weir__x_json(x_machine *m, const x *v, int flags, weir_buffer *out) {
    return json(m, v, flags, 0, out);
}

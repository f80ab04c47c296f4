/* Where a node of a JSON text stands. The text was read before, so that nothing is wrong with it. */
#include <stdlib.h>

#include "data/json.h"
#include "data/place.h"
#include "data/yaml.h"

typedef struct scanner {
    weir_str text;
    size_t at;
} scanner;

static char peek(scanner *s) {
    while (s->at < s->text.length && strchr(" \n\r\t", s->text.data[s->at]) && s->text.data[s->at])
        s->at++;
    return s->at < s->text.length ? s->text.data[s->at] : '\0';
}

/* Moves behind the string; it with its quotes. */
static weir_str scan_string(scanner *s) {
    size_t from = s->at++;
    while (s->at < s->text.length && s->text.data[s->at] != '"')
        s->at += s->text.data[s->at] == '\\' ? 2 : 1;
    s->at++;
    return weir_str_slice(s->text, from, s->at);
}

/* Moves behind the value. */
static void skip_value(scanner *s) {
    size_t depth = 0;
    (void)peek(s);
    do {
        if (s->at >= s->text.length) return;
        char c = s->text.data[s->at];
        if (c == '"') {
            scan_string(s);
            continue;
        }
        if (!depth && (c == ',' || c == ']' || c == '}')) return;
        s->at++;
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') depth--;
        bool scalar = !depth && c != '}' && c != ']';
        while (scalar && s->at < s->text.length && !strchr(",]} \n\r\t", s->text.data[s->at]))
            s->at++;
    } while (depth);
}

static bool is_key(weir_str quoted, weir_str wanted) {
    weir_str inside = weir_str_slice(quoted, 1, quoted.length - 1);
    weir_value *value;
    if (weir_str_find(inside, WEIR_STR("\\"), 0) == SIZE_MAX) return weir_str_equal(inside, wanted);
    if (!weir_json_parse(quoted, WEIR_STR(""), &value, NULL)) return false;
    bool same = weir_str_equal(weir_string_get(value), wanted);
    weir_value_unref(value);
    return same;
}

/* From the first of an object or an array to the value of the member or item; `place` gets where that, or its key, begins. */
static bool descend(scanner *s, weir_str key, size_t *place) {
    char open = peek(s);
    if (open != '{' && open != '[') return false;
    uint32_t wanted;
    if (open == '[' && !weir_str_number(key, &wanted)) return false;
    s->at++;
    for (uint32_t i = 0;; i++) {
        char c = peek(s);
        if (c == ']' || c == '}' || !c) return false;
        size_t from = s->at;
        bool found = open == '[' && i == wanted;
        if (open == '{') {
            found = is_key(scan_string(s), key);
            (void)peek(s);
            s->at++; /* : */
        }
        if (found) {
            *place = from;
            return true;
        }
        skip_value(s);
        if (peek(s) == ',') s->at++;
    }
}

void weir_json_locate(weir_str text, weir_str path, uint32_t *line, uint32_t *column) {
    scanner s = {.text = text};
    weir_buffer key = {0};
    (void)peek(&s);
    size_t place = s.at;
    bool found = true;
    while (found && path.length) {
        weir_path_take(&path, &key);
        found = descend(&s, weir_buffer_str(&key), &place);
    }
    weir_buffer_deinit(&key);
    weir__place(text, place, line, column);
}

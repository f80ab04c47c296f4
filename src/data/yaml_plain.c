#include "data/yaml_plain.h"

#include <ctype.h>

#include "data/value_build.h"
#include "data/yaml_scalar.h"

enum {
    NOWHERE = -1,        /* the column at the end of the text, left of all others */
    KEY_BYTES_MAX = 1000 /* libyaml's limit is 1,024 */
};

typedef struct reader {
    const char *at, *end, *line; /* where the line begins */
    ptrdiff_t column; /* of the node that begins at `at`, the first of its line or behind "- " */
    uint32_t lines;   /* before it */
    weir_yaml_booleans booleans;
    size_t depth, values;
    WEIR_VECTOR(weir_value_pair)
    members; /* of all mappings that are not complete, each behind the one around it */
    WEIR_VECTOR(weir_value *) items; /* of sequences, in the same way */
    weir_buffer terminated;
    weir_known *known;
} reader;

typedef struct token {
    weir_str text;
    const char *from;
    bool quoted;
} token;

/* All that read give NULL or false where the text is not plain. */
static weir_value *read_block(reader *r, ptrdiff_t around);

/* --- characters and lines --------------------------------------------------------------------- */

static bool is_printable(char c) {
    return c >= ' ' && c <= '~';
}

/* Whether a blank, a line's end or the text's stands there. */
static bool is_blank(const reader *r, const char *at) {
    return at >= r->end || *at == ' ' || *at == '\n';
}

static bool is_dash(const reader *r) {
    return r->at < r->end && *r->at == '-' && is_blank(r, r->at + 1);
}

static void skip_spaces(reader *r) {
    while (r->at < r->end && *r->at == ' ') r->at++;
}

static bool is_marker(const reader *r) {
    size_t left = (size_t)(r->end - r->at);
    return left >= 3 && (memcmp(r->at, "---", 3) == 0 || memcmp(r->at, "...", 3) == 0);
}

/* From behind a node to the next, over the rest of its line, where nothing else may be, and lines that have none. */
static bool next_line(reader *r) {
    bool fresh = r->at == r->line;
    for (;;) {
        skip_spaces(r);
        if (r->at < r->end && *r->at == '#' && (fresh || r->at[-1] == ' '))
            while (r->at < r->end && is_printable(*r->at)) r->at++;
        if (r->at == r->end) {
            r->column = NOWHERE;
            return true;
        }
        if (*r->at != '\n') break;
        r->line = ++r->at;
        r->lines++;
        fresh = true;
    }
    r->column = r->at - r->line;
    return fresh && (r->column || !is_marker(r));
}

/* --- scalars ---------------------------------------------------------------------------------- */

/* Characters that a plain scalar may begin with, as far as that is simple. */
static bool begins_plain(const reader *r, char next) {
    char c = *r->at;
    if (isalnum((unsigned char)c)) return true;
    return c == '-' ? is_printable(next) && next != ' ' : c && strchr("_/.+($~^;\\", c);
}

static bool read_quoted(reader *r, token *out) {
    char quote = *r->at++;
    const char *from = r->at;
    while (r->at < r->end && is_printable(*r->at) && *r->at != quote && *r->at != '\\') r->at++;
    if (r->at >= r->end || *r->at != quote) return false;
    out->text = (weir_str){from, (size_t)(r->at++ - from)};
    out->quoted = true;
    return quote == '"' || r->at >= r->end || *r->at != '\'';
}

/* To the end of the line, a comment, or a key's colon. */
static bool read_plain(reader *r, token *out) {
    const char *from = r->at, *stop = from, *at = from;
    if (!begins_plain(r, at + 1 < r->end ? at[1] : '\0')) return false;
    for (; at < r->end && is_printable(*at); at++) {
        if (*at == ' ') continue;
        if (*at == ':' && is_blank(r, at + 1)) break;
        if (*at == '#' && at[-1] == ' ') break;
        stop = at + 1;
    }
    r->at = stop;
    out->text = (weir_str){from, (size_t)(stop - from)};
    out->quoted = false;
    return true;
}

static bool read_token(reader *r, token *out) {
    out->from = r->at;
    return *r->at == '"' || *r->at == '\'' ? read_quoted(r, out) : read_plain(r, out);
}

/* Moves behind the colon that makes a key of the token, if there is one. */
static bool pass_colon(reader *r, const token *key) {
    const char *at = r->at;
    while (at < r->end && *at == ' ') at++;
    if (at >= r->end || *at != ':' || !is_blank(r, at + 1)) return false;
    if (at - key->from > KEY_BYTES_MAX) return false;
    r->at = at + 1;
    return true;
}

/* Neither a number nor a word that means something else, as may be seen at once. */
static bool is_text(weir_str text) {
    char c = *text.data;
    if (c == '/') return true;
    return isalpha((unsigned char)c) && (text.length > 5 || !strchr("nNtTfFyYoO", c));
}

static bool count_value(reader *r) {
    return ++r->values <= WEIR_FILE_NODES_MAX;
}

static weir_value *make_scalar(reader *r, const token *t) {
    weir_value *value;
    weir_error error;
    if (!count_value(r)) return NULL;
    if (t->quoted || is_text(t->text)) return weir_known_string(r->known, t->text);
    weir_buffer_clear(&r->terminated);
    weir_buffer_str_append(&r->terminated, t->text);
    bool ok =
        weir__yaml_scalar(weir_buffer_str(&r->terminated), NULL, true, r->booleans, &value, &error);
    return ok ? value : NULL;
}

/* --- collections ------------------------------------------------------------------------------ */

static bool enter(reader *r) {
    return ++r->depth <= WEIR_DEPTH_MAX && count_value(r);
}

/* What was read since, or nothing. */
static weir_value *end_sequence(reader *r, size_t from, bool ok) {
    size_t count = r->items.count - from;
    weir_value *array = !ok     ? NULL
                        : count ? weir_array_of(&r->items.items[from], count)
                                : weir_array_new();
    for (size_t i = from; !ok && i < r->items.count; i++) weir_value_unref(r->items.items[i]);
    r->items.count = from;
    r->depth--;
    return array;
}

static bool add_item(reader *r, weir_value *item) {
    if (item) *weir_vector_push(&r->items) = item;
    return item != NULL;
}

typedef struct mapping {
    size_t from;       /* its first member */
    weir_value *large; /* where there are many; else NULL */
} mapping;

static weir_value *end_mapping(reader *r, mapping *m, bool ok) {
    size_t count = r->members.count - m->from;
    weir_value *object = ok ? m->large : NULL;
    if (ok && !object)
        object = count ? weir_object_of(&r->members.items[m->from], count) : weir_object_new();
    for (size_t i = m->from; !ok && i < r->members.count; i++) {
        weir_value_unref(r->members.items[i].key);
        weir_value_unref(r->members.items[i].value);
    }
    if (!ok) weir_value_unref(m->large);
    r->members.count = m->from;
    r->depth--;
    return object;
}

static bool is_new(const reader *r, const mapping *m, weir_str name) {
    for (size_t i = m->from; i < r->members.count; i++)
        if (weir_str_equal(weir_string_get(r->members.items[i].key), name)) return false;
    return true;
}

/* Takes the value over, which may be NULL. */
static bool add_member(reader *r, mapping *m, const token *name, weir_value *value) {
    bool fresh = value && (m->large || is_new(r, m, name->text));
    if (!fresh || (!name->quoted && weir_str_is(name->text, "<<"))) {
        weir_value_unref(value);
        return false;
    }
    weir_value *key = weir_known_string(r->known, name->text);
    if (!m->large && r->members.count - m->from + 1 == WEIR_INDEX_FROM) {
        m->large = weir_object_of(&r->members.items[m->from], r->members.count - m->from);
        r->members.count = m->from;
    }
    if (!m->large) {
        *weir_vector_push(&r->members) = (weir_value_pair){key, value};
        return true;
    }
    weir_value **place = weir_object_place(m->large, key, &fresh);
    if (fresh) {
        *place = value;
    } else {
        weir_value_unref(key);
        weir_value_unref(value);
    }
    return fresh;
}

/* --- flow style ------------------------------------------------------------------------------- */

static weir_value *read_flow(reader *r);

/* Plain characters that mean nothing in flow style, and blanks between them. */
static bool read_flow_token(reader *r, token *out) {
    out->from = r->at;
    if (r->at >= r->end) return false;
    if (*r->at == '"' || *r->at == '\'') return read_quoted(r, out);
    const char *stop = r->at;
    char next = r->at + 1 < r->end ? r->at[1] : '\0';
    if (!begins_plain(r, next) || (*r->at == '-' && !isalnum((unsigned char)next))) return false;
    for (; r->at < r->end && is_printable(*r->at) && !strchr(",[]{}:#?\"'&*!|>%@`", *r->at);
         r->at++)
        if (*r->at != ' ') stop = r->at + 1;
    out->text = (weir_str){out->from, (size_t)(stop - out->from)};
    out->quoted = false;
    return true;
}

static weir_value *read_flow_value(reader *r) {
    token t;
    if (r->at < r->end && (*r->at == '[' || *r->at == '{')) return read_flow(r);
    return read_flow_token(r, &t) ? make_scalar(r, &t) : NULL;
}

static bool read_flow_member(reader *r, mapping *m) {
    token key;
    if (!read_flow_token(r, &key) || !pass_colon(r, &key)) return false;
    skip_spaces(r);
    return add_member(r, m, &key, read_flow_value(r));
}

/* Behind an item: whether another follows; *ok is false where something else does. */
static bool passes_comma(reader *r, char close, bool *ok) {
    skip_spaces(r);
    char c = r->at < r->end ? *r->at++ : '\0';
    *ok = c == ',' || c == close;
    skip_spaces(r);
    return c == ',';
}

static weir_value *read_flow(reader *r) {
    bool sequence = *r->at++ == '[', ok = enter(r), more = true;
    char close = sequence ? ']' : '}';
    size_t from = r->items.count;
    mapping m = {.from = r->members.count};
    skip_spaces(r);
    if (r->at < r->end && *r->at == close) {
        more = false;
        r->at++;
    }
    while (ok && more) {
        ok = sequence ? add_item(r, read_flow_value(r)) : read_flow_member(r, &m);
        if (ok) more = passes_comma(r, close, &ok);
    }
    return sequence ? end_sequence(r, from, ok) : end_mapping(r, &m, ok);
}

/* --- block style ------------------------------------------------------------------------------ */

static weir_value *read_sequence(reader *r) {
    ptrdiff_t column = r->column;
    size_t from = r->items.count;
    bool ok = enter(r);
    while (ok) {
        r->at++;
        skip_spaces(r);
        bool below = is_blank(r, r->at) || *r->at == '#';
        r->column = r->at - r->line;
        if (below) ok = next_line(r);
        if (ok && r->column > column)
            ok = add_item(r, read_block(r, column));
        else if (ok)
            ok = count_value(r) && add_item(r, weir_null_new());
        if (r->column != column || !is_dash(r)) break;
    }
    return end_sequence(r, from, ok && r->column <= column);
}

/* Behind a key's colon; a sequence may stand in the key's own column. */
static weir_value *read_member_value(reader *r, ptrdiff_t column) {
    skip_spaces(r);
    bool inline_value = !is_blank(r, r->at) && *r->at != '#';
    if (inline_value) {
        token t;
        bool flow = *r->at == '[' || *r->at == '{';
        weir_value *value = flow                               ? read_flow(r)
                            : !is_dash(r) && read_token(r, &t) ? make_scalar(r, &t)
                                                               : NULL;
        if (value && next_line(r) && r->column <= column) return value;
        weir_value_unref(value);
        return NULL;
    }
    if (!next_line(r)) return NULL;
    if (r->column > column) return read_block(r, column);
    if (r->column == column && is_dash(r)) return read_sequence(r);
    return count_value(r) ? weir_null_new() : NULL;
}

/* From behind its first key on, which stands in the column. */
static weir_value *read_mapping(reader *r, token key) {
    ptrdiff_t column = r->column;
    mapping m = {.from = r->members.count};
    bool ok = enter(r);
    while (ok) {
        ok = add_member(r, &m, &key, read_member_value(r, column));
        if (!ok || r->column < column) break;
        ok = r->column == column && !is_dash(r) && read_token(r, &key) && pass_colon(r, &key);
    }
    return end_mapping(r, &m, ok);
}

/* A node that begins at hand, within one that stands in the column `around`, and what follows it. */
static weir_value *read_block(reader *r, ptrdiff_t around) {
    token t;
    weir_value *value = NULL;
    if (is_dash(r)) return read_sequence(r);
    if (*r->at == '[' || *r->at == '{') {
        value = read_flow(r);
    } else if (read_token(r, &t)) {
        if (pass_colon(r, &t)) return read_mapping(r, t);
        value = make_scalar(r, &t);
    }
    if (value && next_line(r) && r->column <= around) return value;
    weir_value_unref(value);
    return NULL;
}

/* Goes to the first node. */
static bool begin(reader *r, weir_str text) {
    *r = (reader){.at = text.data, .end = text.data + text.length, .line = text.data};
    if (weir_str_starts(text, WEIR_STR("---\n"))) {
        r->line = r->at += 4;
        r->lines++;
    }
    return next_line(r) && r->column != NOWHERE;
}

weir_value *weir__yaml_plain(weir_str text, weir_yaml_booleans booleans) {
    reader r;
    if (!text.data || !begin(&r, text)) return NULL;
    r.booleans = booleans;
    r.known = weir_known_new();
    weir_value *value = read_block(&r, NOWHERE);
    if (value && r.column != NOWHERE) {
        weir_value_unref(value);
        value = NULL;
    }
    weir_known_free(r.known);
    weir_vector_deinit(&r.members);
    weir_vector_deinit(&r.items);
    weir_buffer_deinit(&r.terminated);
    return value;
}

/* --- places ----------------------------------------------------------------------------------- */

typedef struct place {
    uint32_t line, column;
} place;

static place place_at(const reader *r, const char *at) {
    return (place){r->lines + 1, (uint32_t)(at - r->line) + 1};
}

/* To the next line whose first node is in the column, or left of it. */
static bool skip_within(reader *r, ptrdiff_t column) {
    do {
        const char *end = memchr(r->at, '\n', (size_t)(r->end - r->at));
        r->at = end ? end : r->end;
        if (!next_line(r)) return false;
    } while (r->column > column);
    return true;
}

/* Goes to what stands behind a key's colon, or behind a dash; whether there is something. */
static bool go_inside(reader *r, ptrdiff_t column, bool member) {
    skip_spaces(r);
    r->column = r->at - r->line;
    if (!is_blank(r, r->at) && *r->at != '#') return true;
    return next_line(r) && (r->column > column || (member && r->column == column && is_dash(r)));
}

/* From the first key of a mapping, or the first dash of a sequence, to what is in the member or item; *found: there is such a
 * one, whose place is *out, and *inside: it has something. False: libyaml has to look. */
static bool descend(reader *r, weir_str key, bool *found, bool *inside, place *out) {
    ptrdiff_t column = r->column;
    bool sequence = is_dash(r);
    uint32_t wanted = 0;
    token t;
    *found = false;
    if (sequence && !weir_str_number(key, &wanted)) return true;
    for (uint32_t i = 0; r->column == column && is_dash(r) == sequence; i++) {
        *out = place_at(r, r->at);
        if (sequence)
            r->at++;
        else if (!read_token(r, &t) || !pass_colon(r, &t))
            return true; /* a scalar */
        *found = sequence ? i == wanted : weir_str_equal(t.text, key);
        if (*found) {
            place behind = place_at(r, r->at);
            *inside = go_inside(r, column, !sequence);
            if (sequence) *out = *inside ? place_at(r, r->at) : behind;
            return true;
        }
        do
            if (!skip_within(r, column)) return false;
        while (!sequence && r->column == column && is_dash(r)); /* of the value */
    }
    return true;
}

bool weir__yaml_plain_locate(weir_str text, weir_str path, uint32_t *line, uint32_t *column) {
    reader r;
    if (!begin(&r, text)) return false;
    place at = place_at(&r, r.at), next;
    weir_buffer key = {0};
    bool ok = true, found = true, inside = true;
    while (ok && found && inside && path.length) {
        weir_path_take(&path, &key);
        ok = *r.at != '[' && *r.at != '{' &&
             descend(&r, weir_buffer_str(&key), &found, &inside, &next);
        if (ok && found) at = next;
    }
    weir_buffer_deinit(&key);
    if (!ok) return false;
    *line = at.line;
    *column = at.column;
    return true;
}

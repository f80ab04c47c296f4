/* JSONPath: segments and selectors (RFC 9535, sections 2.3 to 2.5). */
#include <ctype.h>
#include <string.h>

#include "jsonpath_internal.h"

/* I-JSON's (RFC 7493): what a double holds exactly. */
static const int64_t INDEX_MAX = 9007199254740991;

void weir__path_problem(weir__path_parser *p, const char *problem) {
    size_t place = weir__characters(weir__part(p->text, 0, p->at)) + 1;
    p->host->fail(p->call, "invalid", "`path`, at character %zu: %s", place, problem);
}

void weir__path_skip_blanks(weir__path_parser *p) {
    while (p->at < p->text.length && weir__is_one_of(p->text.data[p->at], " \t\n\r")) p->at++;
}

bool weir__path_accept(weir__path_parser *p, const char *text) {
    size_t length = strlen(text);
    if (p->text.length - p->at < length || memcmp(p->text.data + p->at, text, length) != 0)
        return false;
    p->at += length;
    return true;
}

/* --- strings -------------------------------------------------------------------------------- */

static int hex_unit(weir__path_parser *p) {
    int unit = 0;
    for (int i = 0; i < 4; i++, p->at++) {
        int c = tolower((unsigned char)weir__path_peek(p));
        if (!isxdigit(c)) return -1;
        unit = unit * 16 + (isdigit(c) ? c - '0' : c - 'a' + 10);
    }
    return unit;
}

/* Behind "\u". */
static bool read_unicode(weir__path_parser *p, weir__text *out) {
    int unit = hex_unit(p);
    if (unit <= 0) return weir__path_fail(p, "\\u needs four hexadecimal digits, and not 0000");
    uint32_t character = (uint32_t)unit;
    if ((unit & ~0x7ff) == 0xd800) {
        int low = unit < 0xdc00 && weir__path_accept(p, "\\u") ? hex_unit(p) : -1;
        if ((low & ~0x3ff) != 0xdc00)
            return weir__path_fail(p, "a surrogate must be one of a pair");
        character = 0x10000 + ((character & 0x3ff) << 10) + ((uint32_t)low & 0x3ff);
    }
    weir__text_character(out, character);
    return true;
}

static bool read_escape(weir__path_parser *p, char quote, weir__text *out) {
    static const char escapes[] = "b\bf\fn\nr\rt\t//\\\\";
    char c = weir__path_peek(p);
    if (c == 'u') {
        p->at++;
        return read_unicode(p, out);
    }
    char meant = c == quote ? quote : '\0';
    for (size_t i = 0; escapes[i] && !meant; i += 2)
        if (escapes[i] == c) meant = escapes[i + 1];
    if (!meant) return weir__path_fail(p, "this escape means nothing");
    p->at++;
    weir__text_byte(out, meant);
    return true;
}

bool weir__path_string(weir__path_parser *p, weir_str *out) {
    char quote = p->text.data[p->at++];
    weir__text text = {p->host, p->call};
    while (weir__path_peek(p) != quote) {
        if (p->at >= p->text.length) return weir__path_fail(p, "the string has no end");
        unsigned char c = (unsigned char)p->text.data[p->at++];
        if (c < 0x20) return weir__path_fail(p, "a control character must be escaped");
        if (c != '\\')
            weir__text_byte(&text, (char)c);
        else if (!read_escape(p, quote, &text))
            return false;
    }
    p->at++;
    *out = weir__text_str(&text);
    return true;
}

/* --- selectors ------------------------------------------------------------------------------ */

static bool read_int(weir__path_parser *p, int64_t *out) {
    size_t from = p->at;
    bool negative = weir__path_accept(p, "-");
    size_t digits = p->at;
    int64_t number = 0;
    for (; isdigit((unsigned char)weir__path_peek(p)); p->at++) {
        number = number * 10 + (p->text.data[p->at] - '0');
        if (number > INDEX_MAX) return weir__path_fail(p, "the number is too large");
    }
    size_t count = p->at - digits;
    if (count == 0) return weir__path_fail(p, "a number is missing");
    if (p->text.data[digits] == '0' && (count > 1 || negative)) {
        p->at = from;
        return weir__path_fail(p, "a number has no needless 0, and 0 no sign");
    }
    *out = negative ? -number : number;
    return true;
}

/* An index, or a slice "start:end:step", any of which may be left out. */
static bool read_index(weir__path_parser *p, weir__selector *selector) {
    selector->kind = WEIR__SELECT_INDEX;
    selector->step = 1;
    selector->has_start = weir__path_peek(p) != ':';
    if (selector->has_start && !read_int(p, &selector->index)) return false;
    size_t behind = p->at;
    weir__path_skip_blanks(p);
    if (!weir__path_accept(p, ":")) {
        p->at = behind;
        return true;
    }
    selector->kind = WEIR__SELECT_SLICE;
    weir__path_skip_blanks(p);
    char next = weir__path_peek(p);
    selector->has_end = next == '-' || isdigit((unsigned char)next);
    if (selector->has_end && !read_int(p, &selector->end)) return false;
    weir__path_skip_blanks(p);
    if (!weir__path_accept(p, ":")) return true;
    weir__path_skip_blanks(p);
    next = weir__path_peek(p);
    return (next != '-' && !isdigit((unsigned char)next)) || read_int(p, &selector->step);
}

static bool read_selector(weir__path_parser *p, weir__selector *selector) {
    char c = weir__path_peek(p);
    if (c == '\'' || c == '"') return weir__path_string(p, &selector->name);
    if (weir__path_accept(p, "*")) {
        selector->kind = WEIR__SELECT_ALL;
        return true;
    }
    if (weir__path_accept(p, "?")) {
        selector->kind = WEIR__SELECT_FILTER;
        weir__path_skip_blanks(p);
        return weir__path_filter(p, &selector->filter);
    }
    if (c == '-' || c == ':' || isdigit((unsigned char)c)) return read_index(p, selector);
    return weir__path_fail(p, "a quoted name, a number, a slice, * or ? should stand here");
}

/* Behind '['. */
static bool read_bracket(weir__path_parser *p, weir__selector **next) {
    do {
        *next = p->host->alloc(p->call, sizeof **next);
        weir__path_skip_blanks(p);
        if (!read_selector(p, *next)) return false;
        next = &(*next)->next;
        weir__path_skip_blanks(p);
    } while (weir__path_accept(p, ","));
    return weir__path_accept(p, "]") || weir__path_fail(p, "a ] is missing");
}

static bool is_name_character(const weir__path_parser *p, bool first) {
    unsigned char c = (unsigned char)weir__path_peek(p);
    return isalpha(c) || c == '_' || c >= 0x80 || (!first && isdigit(c));
}

/* Behind '.' or '..': a name without quotes, or '*'. */
static bool read_shorthand(weir__path_parser *p, weir__selector **out) {
    weir__selector *selector = p->host->alloc(p->call, sizeof *selector);
    *out = selector;
    if (weir__path_accept(p, "*")) {
        selector->kind = WEIR__SELECT_ALL;
        return true;
    }
    size_t from = p->at;
    while (is_name_character(p, p->at == from)) p->at++;
    selector->name = weir__part(p->text, from, p->at);
    return p->at > from || weir__path_fail(p, "a name or * should stand here");
}

static bool read_segment(weir__path_parser *p, weir__segment *segment) {
    if (weir__path_accept(p, "[")) return read_bracket(p, &segment->selectors);
    segment->descendants = weir__path_accept(p, "..");
    if (segment->descendants && weir__path_accept(p, "["))
        return read_bracket(p, &segment->selectors);
    if (!segment->descendants) p->at++; /* the dot */
    return read_shorthand(p, &segment->selectors);
}

bool weir__path_segments(weir__path_parser *p, weir__path *out) {
    weir__segment **next = &out->segments;
    out->singular = true;
    for (;;) {
        size_t behind = p->at;
        weir__path_skip_blanks(p);
        char c = weir__path_peek(p);
        if (c != '.' && c != '[') {
            p->at = behind;
            return true;
        }
        if (p->segments++ == PATH_SEGMENTS_MAX)
            return weir__path_fail(p, "there are too many segments");
        *next = p->host->alloc(p->call, sizeof **next);
        if (!read_segment(p, *next)) return false;
        const weir__selector *only = (*next)->selectors;
        if ((*next)->descendants || only->next ||
            (only->kind != WEIR__SELECT_NAME && only->kind != WEIR__SELECT_INDEX))
            out->singular = false;
        next = &(*next)->next;
    }
}

bool weir__jsonpath_parse(const weir_host *host, weir_call *call, weir_str text,
                          weir__jsonpath *out) {
    weir__path_parser p = {.host = host, .call = call, .text = text, .out = out};
    *out = (weir__jsonpath){0};
    if (text.length > PATH_BYTES_MAX)
        return host->fail(call, "limit_exceeded", "`path` is larger than %d bytes", PATH_BYTES_MAX);
    if (!weir__path_accept(&p, "$")) return weir__path_fail(&p, "a path begins with $");
    if (!weir__path_segments(&p, &out->path)) return false;
    return p.at == text.length || weir__path_fail(&p, "nothing of a path stands here");
}

void weir__jsonpath_free(const weir_host *host, weir__jsonpath *path) {
    for (weir__expression *at = path->literals; at; at = at->following)
        host->value_unref(at->literal);
}

#include <stdio.h>

#include "expr/regexp_internal.h"
#include "expr/unicode.h"

typedef struct parser {
    weir_str text;
    size_t at;
    int depth;
    bool fold, lines, dot_all, lazy; /* i, m, s, U */
    weir_arena arena;
    weir__regexp *out;
    char *why;
} parser;

enum { BEYOND = 0x110000 };

static re_node *fail(parser *p, const char *problem, weir_str what) {
    if (!*p->why)
        snprintf(p->why, 160, "%s%s%.*s%s", problem, what.length ? ": `" : "",
                 (int)(what.length > 60 ? 60 : what.length), what.data ? what.data : "",
                 what.length ? "`" : "");
    return NULL;
}

static weir_str rest(const parser *p) {
    return weir_str_slice(p->text, p->at, p->text.length);
}

static bool starts(const parser *p, const char *text) {
    return weir_str_starts(rest(p), weir_str_from(text));
}

static bool accept(parser *p, const char *text) {
    if (!starts(p, text)) return false;
    p->at += strlen(text);
    return true;
}

static uint32_t next(parser *p) {
    size_t n;
    uint32_t c = weir__unicode_decode(rest(p), &n);
    p->at += n;
    return c;
}

static re_node *make(parser *p, re_kind kind, uint32_t value) {
    re_node *n = weir_arena_alloc(&p->arena, sizeof *n);
    n->kind = kind;
    n->value = value;
    return n;
}

static void add_range(re_class *class, uint32_t low, uint32_t high) {
    *weir_vector_push(&class->ranges) = (re_range){low, high};
}

static void add_ranges(re_class *class, const char *pairs, bool negated) {
    uint32_t from = 0;
    for (; *pairs; pairs += 2) {
        uint32_t low = (unsigned char)pairs[0], high = (unsigned char)pairs[1];
        if (!negated) add_range(class, low, high);
        if (negated && low > from) add_range(class, from, low - 1);
        from = high + 1;
    }
    if (negated) add_range(class, from, BEYOND - 1);
}

/* \d \s \w and their opposites. */
static bool add_perl(re_class *class, char letter) {
    switch (letter) {
    case 'd':
    case 'D': add_ranges(class, "09", letter == 'D'); return true;
    case 's':
    case 'S': add_ranges(class, "\t\n\f\r  ", letter == 'S'); return true;
    case 'w':
    case 'W': add_ranges(class, "09AZ__az", letter == 'W'); return true;
    default: return false;
    }
}

static bool add_posix(re_class *class, weir_str name, bool negated) {
    static const struct {
        const char *name, *pairs;
    } classes[] = {{"alnum", "09AZaz"},
                   {"alpha", "AZaz"},
                   {"ascii", "\x01\x7f"},
                   {"blank", "\t\t  "},
                   {"cntrl", "\x01\x1f\x7f\x7f"},
                   {"digit", "09"},
                   {"graph", "!~"},
                   {"lower", "az"},
                   {"print", " ~"},
                   {"punct", "!/:@[`{~"},
                   {"space", "\t\r  "},
                   {"upper", "AZ"},
                   {"word", "09AZ__az"},
                   {"xdigit", "09AFaf"}};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (weir_str_is(name, classes[i].name)) {
            add_ranges(class, classes[i].pairs, negated);
            return true;
        }
    return false;
}

/* \p{Lu}, \pL, \P{^Nd}, behind the p. */
static bool add_property(parser *p, re_class *class, bool negated) {
    size_t from = p->at;
    weir_str name = weir_str_slice(p->text, p->at, p->at + 1);
    p->at++;
    if (weir_str_is(name, "{")) {
        size_t end = weir_str_find(p->text, WEIR_STR("}"), p->at);
        if (end == SIZE_MAX) return fail(p, "invalid character class range", rest(p)), false;
        name = weir_str_slice(p->text, p->at, end);
        p->at = end + 1;
        if (weir_str_starts(name, WEIR_STR("^"))) {
            negated = !negated;
            name = weir_str_slice(name, 1, name.length);
        }
    }
    size_t before = class->ranges.count;
    uint32_t free_from = 0;
    bool any = weir_str_is(name, "Any");
    for (size_t i = 0; i < weir__unicode_range_count && !any; i++) {
        const weir__unicode_range *r = &weir__unicode_ranges[i];
        weir_str category = weir_str_from(weir__unicode_categories[r->category]);
        if (name.length == 0 || !weir_str_starts(category, name)) continue;
        if (!negated)
            add_range(class, r->first, r->first + r->more);
        else if (r->first > free_from)
            add_range(class, free_from, r->first - 1);
        free_from = r->first + r->more + 1;
    }
    if (!any && free_from == 0)
        return fail(p, "unknown class of characters (scripts are not known)",
                    weir_str_slice(p->text, from, p->at)),
               false;
    if (any ? !negated : negated && free_from < BEYOND)
        add_range(class, any ? 0 : free_from, BEYOND - 1);
    return class->ranges.count > before || any;
}

static bool hex(parser *p, uint32_t *out) {
    bool braces = accept(p, "{");
    *out = 0;
    for (int count = 0; p->at < p->text.length; count++, p->at++) {
        char c = p->text.data[p->at];
        int value = c >= '0' && c <= '9'                 ? c - '0'
                    : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                         : -1;
        if (value < 0 || (!braces && count == 2)) break;
        *out = *out * 16 + (uint32_t)value;
        if (*out >= BEYOND) return false;
        if (!braces && count == 1) return p->at++, true;
    }
    return braces && accept(p, "}");
}

/* A character behind a backslash. */
static bool escape(parser *p, uint32_t *out) {
    static const char letters[] = "aftnrv", meanings[] = "\a\f\t\n\r\v";
    size_t from = p->at - 1;
    if (p->at >= p->text.length)
        return fail(p, "trailing backslash at end of expression", WEIR_STR("")), false;
    uint32_t c = next(p);
    const char *letter = c < 0x80 && c ? strchr(letters, (int)c) : NULL;
    bool ok = true;
    if (letter) {
        *out = (uint32_t)meanings[letter - letters];
    } else if (c == 'x') {
        ok = hex(p, out);
    } else if (c >= '0' && c <= '7') {
        *out = c - '0';
        bool more =
            p->at < p->text.length && p->text.data[p->at] >= '0' && p->text.data[p->at] <= '7';
        ok = c == '0' || more;
        for (int i = 0; i < 2 && p->at < p->text.length && p->text.data[p->at] >= '0' &&
                        p->text.data[p->at] <= '7';
             i++)
            *out = *out * 8 + (next(p) - '0');
    } else {
        ok = c < 0x80 && c != '_' && !weir__unicode_is_letter(c) && !weir__unicode_is_digit(c);
        *out = c;
    }
    if (!ok) fail(p, "invalid escape sequence", weir_str_slice(p->text, from, p->at));
    return ok;
}

static re_class *new_class(parser *p, re_node **out) {
    *out = make(p, RN_CLASS, (uint32_t)p->out->classes.count);
    re_class *class = weir_vector_push(&p->out->classes);
    *class = (re_class){.fold = p->fold};
    return class;
}

/* An item of a class that is not a single character; *taken says whether it was one. */
static bool class_item(parser *p, re_class *class, bool *taken) {
    *taken = true;
    if (accept(p, "[:")) {
        size_t end = weir_str_find(p->text, WEIR_STR(":]"), p->at);
        weir_str name = weir_str_slice(p->text, p->at, end == SIZE_MAX ? p->at : end);
        bool negated = weir_str_starts(name, WEIR_STR("^"));
        if (end == SIZE_MAX ||
            !add_posix(class, weir_str_slice(name, negated, name.length), negated))
            return fail(p, "invalid character class range",
                        weir_str_slice(p->text, p->at - 2, p->at + 10)),
                   false;
        p->at = end + 2;
        return true;
    }
    if (starts(p, "\\") && p->at + 1 < p->text.length) {
        char letter = p->text.data[p->at + 1];
        if (letter == 'p' || letter == 'P') {
            p->at += 2;
            return add_property(p, class, letter == 'P');
        }
        if (add_perl(class, letter)) {
            p->at += 2;
            return true;
        }
    }
    *taken = false;
    return true;
}

static bool class_character(parser *p, uint32_t *out) {
    if (accept(p, "\\")) return escape(p, out);
    *out = next(p);
    return true;
}

static re_node *parse_class(parser *p) {
    size_t from = p->at - 1;
    re_node *out;
    re_class *class = new_class(p, &out);
    class->negated = accept(p, "^");
    bool first = true;
    while (first || !starts(p, "]")) {
        bool taken;
        uint32_t low, high;
        if (p->at >= p->text.length)
            return fail(p, "missing closing ]", weir_str_slice(p->text, from, p->text.length));
        if (starts(p, "-") && !first && !starts(p, "-]") && p->at + 1 < p->text.length)
            return fail(p, "invalid character class range",
                        weir_str_slice(p->text, p->at, p->at + 2));
        first = false;
        size_t begin = p->at;
        if (!class_item(p, class, &taken)) return NULL;
        if (taken) continue;
        if (!class_character(p, &low)) return NULL;
        high = low;
        if (starts(p, "-") && !starts(p, "-]") && p->at + 1 < p->text.length) {
            p->at++;
            if (!class_character(p, &high)) return NULL;
        }
        if (high < low)
            return fail(p, "invalid character class range", weir_str_slice(p->text, begin, p->at));
        add_range(class, low, high);
    }
    p->at++;
    return out;
}

static re_node *parse_choice(parser *p);

/* Flags behind `(?`; *group: a colon follows, so a group begins. */
static bool parse_flags(parser *p, bool *group) {
    size_t from = p->at - 2;
    bool on = true, any = false;
    while (p->at < p->text.length) {
        char c = p->text.data[p->at++];
        if (c == 'i')
            p->fold = on;
        else if (c == 'm')
            p->lines = on;
        else if (c == 's')
            p->dot_all = on;
        else if (c == 'U')
            p->lazy = on;
        else if (c == '-' && on) {
            on = false;
            any = false;
            continue;
        } else if ((c == ':' || c == ')') && (on || any)) {
            *group = c == ':';
            return true;
        } else
            break;
        any = true;
    }
    return fail(p, "invalid or unsupported Perl syntax", weir_str_slice(p->text, from, p->at)),
           false;
}

static bool name_group(parser *p, weir_str *out) {
    size_t from = p->at, end = weir_str_find(p->text, WEIR_STR(">"), p->at);
    weir_str name = weir_str_slice(p->text, from, end == SIZE_MAX ? from : end);
    bool ok = name.length > 0;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        ok = ok && (c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'));
    }
    for (size_t i = 0; i < p->out->names.count; i++)
        if (ok && weir_str_is(name, p->out->names.items[i]))
            return fail(p, "duplicate capture group name", name), false;
    if (!ok)
        return fail(p, "invalid named capture", weir_str_slice(p->text, from, p->at + 10)), false;
    p->at = end + 1;
    *out = name;
    return true;
}

/* Behind an opening parenthesis. NULL without a problem noted: only flags. */
static re_node *parse_group(parser *p, bool *nothing) {
    bool fold = p->fold, lines = p->lines, dot_all = p->dot_all, lazy = p->lazy, capture = true;
    weir_str name = WEIR_STR("");
    if (accept(p, "?")) {
        if (accept(p, "P<") || accept(p, "<")) {
            if (!name_group(p, &name)) return NULL;
        } else {
            bool group;
            if (!parse_flags(p, &group)) return NULL;
            *nothing = !group;
            if (!group) return NULL;
            capture = false;
        }
    }
    re_node *out = make(p, RN_GROUP, 0);
    if (capture) {
        if (p->out->groups >= WEIR__REGEXP_GROUPS_MAX)
            return fail(p, "too many groups", WEIR_STR(""));
        out->value = (uint32_t)++p->out->groups;
        *weir_vector_push(&p->out->names) = weir_str_dup(name);
    }
    out->first = parse_choice(p);
    if (!out->first) return NULL;
    if (!accept(p, ")")) return fail(p, "missing closing )", p->text);
    p->fold = fold;
    p->lines = lines;
    p->dot_all = dot_all;
    p->lazy = lazy;
    return out;
}

static re_node *make_character(parser *p, uint32_t c) {
    re_node *out = make(p, RN_CHARACTER, c);
    out->flag = p->fold;
    return out;
}

/* Behind a backslash, outside of classes. */
static re_node *parse_escape(parser *p) {
    static const struct {
        char letter;
        re_assert what;
    } asserts[] = {{'A', RE_TEXT_BEGIN}, {'z', RE_TEXT_END}, {'b', RE_WORD}, {'B', RE_NO_WORD}};
    char letter = p->at < p->text.length ? p->text.data[p->at] : '\0';
    for (size_t i = 0; i < sizeof asserts / sizeof *asserts; i++)
        if (letter == asserts[i].letter) return p->at++, make(p, RN_ASSERT, asserts[i].what);
    if (letter == 'C') return fail(p, "invalid escape sequence", WEIR_STR("\\C"));
    if (letter && strchr("dDsSwWpP", letter)) {
        re_node *out;
        re_class *class = new_class(p, &out);
        p->at++;
        if (add_perl(class, letter)) return out;
        return add_property(p, class, letter == 'P') ? out : NULL;
    }
    if (letter == 'Q') {
        size_t end = weir_str_find(p->text, WEIR_STR("\\E"), ++p->at);
        re_node *out = make(p, RN_SEQUENCE, 0), **tail = &out->first;
        for (size_t stop = end == SIZE_MAX ? p->text.length : end; p->at < stop;
             tail = &(*tail)->next)
            *tail = make_character(p, next(p));
        if (end != SIZE_MAX) p->at = end + 2;
        return out;
    }
    uint32_t c;
    return escape(p, &c) ? make_character(p, c) : NULL;
}

static re_node *parse_atom(parser *p, bool *nothing) {
    if (accept(p, "(")) return parse_group(p, nothing);
    if (accept(p, "[")) return parse_class(p);
    if (accept(p, "\\")) return parse_escape(p);
    if (accept(p, ".")) {
        re_node *out = make(p, RN_ANY, 0);
        out->flag = p->dot_all;
        return out;
    }
    if (accept(p, "^")) return make(p, RN_ASSERT, p->lines ? RE_LINE_BEGIN : RE_TEXT_BEGIN);
    if (accept(p, "$")) return make(p, RN_ASSERT, p->lines ? RE_LINE_END : RE_TEXT_END);
    if (starts(p, "*") || starts(p, "+") || starts(p, "?"))
        return fail(p, "missing argument to repetition operator",
                    weir_str_slice(p->text, p->at, p->at + 1));
    return make_character(p, next(p));
}

static int number(parser *p) {
    int out = -1;
    size_t from = p->at;
    while (p->at < p->text.length && p->text.data[p->at] >= '0' && p->text.data[p->at] <= '9') {
        out = (out < 0 ? 0 : out) * 10 + (p->text.data[p->at++] - '0');
        if (out > WEIR__REGEXP_REPEAT_MAX) out = WEIR__REGEXP_REPEAT_MAX + 1;
    }
    return p->at - from > 1 && p->text.data[from] == '0' ? -1 : out;
}

/* {2}, {2,}, {2,5}; anything else in braces is text. */
static bool counts(parser *p, int *least, int *most) {
    size_t from = p->at;
    if (!accept(p, "{")) return false;
    *least = *most = number(p);
    bool ok = *least >= 0;
    if (ok && accept(p, ",")) {
        *most = starts(p, "}") ? -1 : number(p);
        ok = starts(p, "}") || *most >= 0;
    }
    ok = ok && accept(p, "}");
    if (!ok) p->at = from;
    return ok;
}

static bool repetition(parser *p, int *least, int *most) {
    *least = starts(p, "+");
    *most = starts(p, "?") ? 1 : -1;
    if (accept(p, "*") || accept(p, "+") || accept(p, "?")) return true;
    return counts(p, least, most);
}

static re_node *parse_repeated(parser *p, re_node *atom) {
    int least, most;
    for (bool again = false;; again = true) {
        size_t from = p->at;
        if (!repetition(p, &least, &most)) return atom;
        weir_str what = weir_str_slice(p->text, from, p->at);
        if (again) return fail(p, "invalid nested repetition operator", what);
        if (least > WEIR__REGEXP_REPEAT_MAX || most > WEIR__REGEXP_REPEAT_MAX ||
            (most >= 0 && most < least))
            return fail(p, "invalid repeat count", what);
        re_node *out = make(p, RN_REPEAT, (uint32_t)least);
        out->most = most;
        out->flag = accept(p, "?") == p->lazy;
        out->first = atom;
        atom = out;
    }
}

static re_node *parse_sequence(parser *p) {
    re_node *out = make(p, RN_SEQUENCE, 0), **tail = &out->first;
    while (p->at < p->text.length && !starts(p, "|") && !starts(p, ")")) {
        bool nothing = false;
        re_node *atom = parse_atom(p, &nothing);
        if (nothing) {
            if (starts(p, "*") || starts(p, "+") || starts(p, "?")) return parse_atom(p, &nothing);
            continue;
        }
        if (atom) atom = parse_repeated(p, atom);
        if (!atom) return NULL;
        *tail = atom;
        tail = &atom->next;
    }
    return out;
}

static re_node *parse_choice(parser *p) {
    if (++p->depth > WEIR__REGEXP_DEPTH_MAX)
        return fail(p, "expression nests too deeply", WEIR_STR(""));
    re_node *out = make(p, RN_CHOICE, 0), **tail = &out->first;
    do {
        *tail = parse_sequence(p);
        if (!*tail) return NULL;
        tail = &(*tail)->next;
    } while (accept(p, "|"));
    p->depth--;
    return out->first->next ? out : out->first;
}

weir__regexp *weir__regexp_new(weir_str expression, char why[static 160]) {
    weir__regexp *out = weir_alloc(sizeof *out);
    parser p = {.text = expression, .out = out, .why = why};
    why[0] = '\0';
    weir_arena_init(&p.arena);
    re_node *tree = parse_choice(&p);
    if (tree && p.at < expression.length) tree = fail(&p, "unexpected )", expression);
    if (tree) {
        weir__regexp_compile(out, tree);
        if (out->steps.count > WEIR__REGEXP_STEPS_MAX)
            tree = fail(&p, "expression too large", WEIR_STR(""));
    }
    weir_arena_deinit(&p.arena);
    if (tree) return out;
    if (!*why) snprintf(why, 160, "it cannot be read");
    weir__regexp_free(out);
    return NULL;
}

void weir__regexp_free(weir__regexp *r) {
    if (!r) return;
    for (size_t i = 0; i < r->classes.count; i++) weir_vector_deinit(&r->classes.items[i].ranges);
    for (size_t i = 0; i < r->names.count; i++) weir_free(r->names.items[i]);
    weir_vector_deinit(&r->classes);
    weir_vector_deinit(&r->names);
    weir_vector_deinit(&r->steps);
    weir_free(r);
}

size_t weir__regexp_groups(const weir__regexp *r) {
    return r->groups;
}

weir_str weir__regexp_name(const weir__regexp *r, size_t group) {
    return weir_str_from(r->names.items[group - 1]);
}

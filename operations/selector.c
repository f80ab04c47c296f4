/* Compiling: Selectors Level 4, as much of it as the header says; identifiers and strings as in CSS Syntax Level 3. */
#include "selector.h"

#include "bytes.h"

typedef struct compiler {
    weir_str text;
    size_t at;
    weir__selector *out;
    weir__selector_problem *problem;
} compiler;

static bool refuse(compiler *c, const char *text) {
    *c->problem = (weir__selector_problem){c->at + 1, text};
    return false;
}

static char peek(const compiler *c) {
    return c->at < c->text.length ? c->text.data[c->at] : '\0';
}

static bool take(compiler *c, char wanted) {
    if (peek(c) != wanted || c->at >= c->text.length) return false;
    c->at++;
    return true;
}

static bool skip_blanks(compiler *c) {
    size_t before = c->at;
    while (c->at < c->text.length && weir__is_blank(peek(c))) c->at++;
    return c->at > before;
}

static bool is_name_byte(char c) {
    char lower = weir__lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* --- names and strings --- */

/* There is room, see limits_of. */
static void keep(compiler *c, char byte) {
    c->out->texts[c->out->text_length++] = byte;
}

static void keep_character(compiler *c, uint32_t code) {
    if (!code || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) code = 0xfffd;
    if (code < 0x80) {
        keep(c, (char)code);
        return;
    }
    static const unsigned char leads[] = {0, 0xc0, 0xe0, 0xf0};
    int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    keep(c, (char)(leads[more] | code >> (6 * more)));
    while (more--) keep(c, (char)(0x80 | (code >> (6 * more) & 0x3f)));
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = weir__lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind the backslash. */
static bool read_escape(compiler *c) {
    if (c->at >= c->text.length || peek(c) == '\n') return refuse(c, "there is nothing to escape");
    if (hex_digit(peek(c)) < 0) {
        keep(c, c->text.data[c->at++]);
        return true;
    }
    uint32_t code = 0;
    for (int i = 0; i < 6 && hex_digit(peek(c)) >= 0; i++)
        code = code * 16 + (uint32_t)hex_digit(c->text.data[c->at++]);
    if (weir__is_blank(peek(c))) c->at++;
    keep_character(c, code);
    return true;
}

static bool read_name(compiler *c, bool lower, uint32_t *out) {
    uint32_t begin = c->out->text_length;
    while (is_name_byte(peek(c)) || peek(c) == '\\') {
        if (take(c, '\\')) {
            if (!read_escape(c)) return false;
        } else {
            char byte = c->text.data[c->at++];
            keep(c, lower ? weir__lower(byte) : byte);
        }
    }
    if (c->out->text_length == begin) return refuse(c, "a name is missing");
    keep(c, '\0');
    *out = begin;
    return true;
}

static bool read_string(compiler *c, uint32_t *out) {
    char quote = c->text.data[c->at++];
    *out = c->out->text_length;
    while (!take(c, quote)) {
        if (c->at >= c->text.length) return refuse(c, "the string does not end");
        if (!take(c, '\\'))
            keep(c, c->text.data[c->at++]);
        else if (!take(c, '\n') && !read_escape(c))
            return false;
    }
    keep(c, '\0');
    return true;
}

/* --- tests --- */

static bool add_test(compiler *c, weir__test test) {
    if (c->out->test_count == WEIR__TESTS_MAX) return refuse(c, "it has more than 256 conditions");
    c->out->tests[c->out->test_count++] = test;
    return true;
}

static uint32_t keep_text(compiler *c, const char *text) {
    uint32_t begin = c->out->text_length;
    while (*text) keep(c, *text++);
    keep(c, '\0');
    return begin;
}

/* #v and .v are [id=v] and [class~=v]. */
static bool read_short(compiler *c, const char *name, weir__test_kind kind, bool negated) {
    weir__test test = {.kind = kind, .negated = negated};
    c->at++;
    if (!read_name(c, false, &test.value)) return false;
    test.value_length = c->out->text_length - 1 - test.value;
    test.name = keep_text(c, name);
    return add_test(c, test);
}

static bool read_attribute(compiler *c, bool negated) {
    static const struct {
        char sign;
        weir__test_kind kind;
    } signs[] = {{'^', WEIR__TEST_BEGINS},
                 {'$', WEIR__TEST_ENDS},
                 {'*', WEIR__TEST_CONTAINS},
                 {'~', WEIR__TEST_WORD},
                 {'|', WEIR__TEST_DASH}};
    weir__test test = {.kind = WEIR__TEST_HAS, .negated = negated};
    c->at++;
    skip_blanks(c);
    if (!read_name(c, true, &test.name)) return false;
    skip_blanks(c);
    if (!take(c, ']')) {
        test.kind = WEIR__TEST_IS;
        for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
            if (take(c, signs[i].sign)) {
                test.kind = signs[i].kind;
                break;
            }
        if (!take(c, '=')) return refuse(c, "`=` or `]` is missing");
        skip_blanks(c);
        bool string = peek(c) == '"' || peek(c) == '\'';
        if (!(string ? read_string(c, &test.value) : read_name(c, false, &test.value)))
            return false;
        test.value_length = c->out->text_length - 1 - test.value;
        skip_blanks(c);
        if (!take(c, ']')) return refuse(c, "`]` is missing");
    }
    return add_test(c, test);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool read_number(compiler *c, int32_t *out) {
    int32_t number = 0;
    if (!is_digit(peek(c))) return refuse(c, "a number is missing");
    for (; is_digit(peek(c)); c->at++)
        if ((number = number * 10 + (peek(c) - '0')) > 1000000)
            return refuse(c, "the number is too large");
    *out = number;
    return true;
}

static bool take_word(compiler *c, const char *word) {
    size_t length = strlen(word);
    if (c->text.length - c->at < length ||
        !weir__str_same(weir__str_part(c->text, c->at, c->at + length), word))
        return false;
    c->at += length;
    return true;
}

/* "odd", "even", "3", "2n+1", "-n + 3" */
static bool read_nth(compiler *c, weir__test *test) {
    skip_blanks(c);
    if (take_word(c, "odd")) {
        test->step = 2;
        test->first = 1;
    } else if (take_word(c, "even")) {
        test->step = 2;
    } else {
        bool minus = take(c, '-');
        if (!minus) (void)take(c, '+');
        int32_t number = 1;
        bool digits = is_digit(peek(c));
        if (digits && !read_number(c, &number)) return false;
        bool step = take(c, 'n') || take(c, 'N');
        if (!digits && !step) return refuse(c, "an+b, odd or even is missing");
        if (minus) number = -number;
        if (!step) {
            test->first = number;
        } else {
            test->step = number;
            skip_blanks(c);
            minus = peek(c) == '-';
            if (minus || peek(c) == '+') {
                c->at++;
                skip_blanks(c);
                if (!read_number(c, &number)) return false;
                test->first = minus ? -number : number;
            }
        }
    }
    skip_blanks(c);
    return take(c, ')') || refuse(c, "`)` is missing");
}

static bool read_simple(compiler *c, bool negated, bool *found);

static bool read_pseudo(compiler *c, bool negated) {
    weir__test test = {.kind = WEIR__TEST_NTH, .negated = negated, .first = 1};
    size_t begin = c->at++;
    if (take_word(c, "nth-child(")) {
        test.first = 0;
        return read_nth(c, &test) && add_test(c, test);
    }
    if (take_word(c, "first-child")) return add_test(c, test);
    if (take_word(c, "last-child")) {
        test.last = true;
        return add_test(c, test);
    }
    if (!negated && take_word(c, "only-child")) {
        weir__test other = test;
        other.last = true;
        return add_test(c, test) && add_test(c, other);
    }
    if (!negated && take_word(c, "not(")) {
        bool found;
        skip_blanks(c);
        if (!read_simple(c, true, &found)) return false;
        if (!found) return refuse(c, ":not() holds one condition");
        skip_blanks(c);
        return take(c, ')') || refuse(c, ":not() holds one condition; `)` is missing");
    }
    c->at = begin;
    return refuse(c, negated ? "this is not known within :not()"
                             : "this is not known; there are :first-child, :last-child, "
                               ":only-child, :nth-child() and :not()");
}

static bool read_simple(compiler *c, bool negated, bool *found) {
    *found = true;
    switch (peek(c)) {
    case '#': return read_short(c, "id", WEIR__TEST_IS, negated);
    case '.': return read_short(c, "class", WEIR__TEST_WORD, negated);
    case '[': return read_attribute(c, negated);
    case ':': return read_pseudo(c, negated);
    default: break;
    }
    weir__test test = {.kind = WEIR__TEST_TAG, .negated = negated};
    if (negated && (is_name_byte(peek(c)) || peek(c) == '\\'))
        return read_name(c, true, &test.name) && add_test(c, test);
    *found = false;
    return true;
}

/* --- compounds --- */

static bool read_compound(compiler *c, char joined) {
    weir__selector *out = c->out;
    if (out->compound_count == WEIR__COMPOUNDS_MAX)
        return refuse(c, "it is longer than 64 elements");
    weir__compound *compound = &out->compounds[out->compound_count];
    *compound = (weir__compound){.tests_from = out->test_count, .joined = joined};
    size_t begin = c->at;
    if (!take(c, '*') && (is_name_byte(peek(c)) || peek(c) == '\\')) {
        weir__test test = {.kind = WEIR__TEST_TAG};
        if (!read_name(c, true, &test.name) || !add_test(c, test)) return false;
    }
    for (bool found = true; found;)
        if (!read_simple(c, false, &found)) return false;
    if (c->at == begin) return refuse(c, "an element is missing, such as div, #id or .class");
    compound->tests_to = out->test_count;
    out->compound_count++;
    return true;
}

/* Up to the next comma. */
static bool read_way(compiler *c) {
    skip_blanks(c);
    if (!read_compound(c, 0)) return false;
    for (;;) {
        bool blank = skip_blanks(c);
        char next = peek(c);
        if (c->at >= c->text.length || next == ',') break;
        if (next == '>' || next == '+' || next == '~') {
            c->at++;
            skip_blanks(c);
        } else if (blank) {
            next = ' ';
        } else {
            return refuse(c, "this does not belong into a selector");
        }
        if (!read_compound(c, next)) return false;
    }
    c->out->ends |= (uint64_t)1 << (c->out->compound_count - 1);
    return true;
}

typedef struct limits {
    size_t compounds, tests, texts;
} limits;

/* A compound and a test take a byte of the text at least, and one of each is begun before it is refused. An escape of two
 * bytes becomes three at most, and each test adds seven ("class" and two ends). */
static limits limits_of(weir_str text) {
    size_t length = text.length > WEIR__SELECTOR_BYTES_MAX ? 0 : text.length;
    size_t compounds = length < WEIR__COMPOUNDS_MAX ? length + 1 : WEIR__COMPOUNDS_MAX;
    size_t tests = length < WEIR__TESTS_MAX ? length + 1 : WEIR__TESTS_MAX;
    return (limits){compounds, tests, 2 * length + 7 * (tests + 1)};
}

size_t weir__selector_bytes(weir_str text) {
    limits most = limits_of(text);
    return sizeof(weir__selector) + most.compounds * sizeof(weir__compound) +
           most.tests * sizeof(weir__test) + most.texts;
}

weir__selector *weir__selector_compile(weir_str text, void *memory,
                                       weir__selector_problem *problem) {
    limits most = limits_of(text);
    weir__selector *out = memory;
    *out = (weir__selector){.compounds = (weir__compound *)(out + 1)};
    out->tests = (weir__test *)(out->compounds + most.compounds);
    out->texts = (char *)(out->tests + most.tests);
    compiler c = {text, 0, out, problem};
    bool ok =
        text.length <= WEIR__SELECTOR_BYTES_MAX || refuse(&c, "it is longer than 4,096 characters");
    for (bool more = true; ok && more;) {
        ok = read_way(&c);
        more = take(&c, ',');
    }
    return ok ? out : NULL;
}

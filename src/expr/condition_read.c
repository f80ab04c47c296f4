#include <stdint.h>
#include <stdio.h>

#include "expr/condition_internal.h"
#include "expr/gotime.h"
#include "expr/text.h"
#include "expr/unicode.h"

const char *const weir__condition_kinds[] = {
    "UNKNOWN",   "PREFIX",     "NUMERIC",   "BOOLEAN",  "STRING", "TIME",         "VARIABLE",
    "SEPARATOR", "COMPARATOR", "LOGICALOP", "MODIFIER", "CLAUSE", "CLAUSE_CLOSE", "TERNARY"};

#define OPERAND (BIT(NUMERIC) | BIT(BOOLEAN) | BIT(VARIABLE) | BIT(STRING) | BIT(CLAUSE))
#define OPERATOR                                                                                   \
    (BIT(MODIFIER) | BIT(COMPARATOR) | BIT(LOGICALOP) | BIT(CLAUSE_CLOSE) | BIT(SEPARATOR))

/* What may follow a token of a kind. */
static const uint32_t following[KINDS] = {
    [START] = BIT(PREFIX) | OPERAND | BIT(TIME),
    [CLAUSE] = BIT(PREFIX) | OPERAND | BIT(TIME) | BIT(CLAUSE_CLOSE),
    [CLAUSE_CLOSE] = OPERATOR | BIT(TERNARY) | OPERAND | BIT(TIME),
    [NUMERIC] = OPERATOR | BIT(TERNARY),
    [BOOLEAN] = OPERATOR | BIT(TERNARY),
    [STRING] = OPERATOR | BIT(TERNARY),
    [TIME] = OPERATOR,
    [VARIABLE] = OPERATOR | BIT(TERNARY),
    [MODIFIER] = BIT(PREFIX) | OPERAND | BIT(CLAUSE_CLOSE),
    [COMPARATOR] = BIT(PREFIX) | OPERAND | BIT(TIME) | BIT(CLAUSE_CLOSE),
    [LOGICALOP] = BIT(PREFIX) | OPERAND | BIT(TIME) | BIT(CLAUSE_CLOSE),
    [PREFIX] = BIT(NUMERIC) | BIT(BOOLEAN) | BIT(VARIABLE) | BIT(CLAUSE) | BIT(CLAUSE_CLOSE),
    [TERNARY] = BIT(PREFIX) | OPERAND | BIT(TIME) | BIT(SEPARATOR),
    [SEPARATOR] = BIT(PREFIX) | OPERAND | BIT(TIME),
};

bool weir__condition_fail(condition *c, size_t at, weir_code code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    weir_fail_with(c->error, code, format, arguments);
    va_end(arguments);
    weir__x_place(c->text, at, c->error);
    c->failed = true;
    return false;
}

/* As Go's %v; at most `size` bytes. */
const char *weir__condition_show(const x *v, char *out, size_t size) {
    x_machine scrap = {0};
    weir_buffer text = {0};
    weir_arena_init(&scrap.arena);
    weir__x_print(&scrap, v, &text);
    snprintf(out, size, "%.*s", (int)(text.length < size ? text.length : size - 1),
             text.data ? text.data : "");
    weir_text_end_whole(out, size);
    weir_buffer_deinit(&text);
    weir_arena_deinit(&scrap.arena);
    return out;
}

static uint32_t character(const condition *c, size_t *length) {
    *length = 0;
    if (c->at >= c->text.length) return 0;
    return weir__unicode_decode(weir_str_slice(c->text, c->at, c->text.length), length);
}

static bool is_numeric(uint32_t c) {
    return c == '.' || weir__unicode_is_digit(c);
}

static bool is_word(uint32_t c) {
    return c == '_' || weir__unicode_is_letter(c) || weir__unicode_is_digit(c);
}

static bool is_symbol(uint32_t c) {
    return !weir__unicode_is_letter(c) && !weir__unicode_is_digit(c) && c != '(' && c != ')' &&
           c != '\'' && c != '"';
}

static bool is_no_quote(uint32_t c) {
    return c != '\'' && c != '"';
}

static bool is_no_bracket(uint32_t c) {
    return c != ']';
}

/* Characters as long as they are such; a backslash takes the next one as it is. `blanks`: they belong to it, else end it. */
static bool read_while(condition *c, bool (*is)(uint32_t), bool blanks, x *out) {
    weir_buffer text = {0}; /* only what has a backslash is copied */
    size_t from = c->at;
    bool ended = false, copied = false;
    for (size_t n; !ended && c->at < c->text.length;) {
        uint32_t next = character(c, &n);
        if (next == '\\') {
            if (!copied) weir_buffer_str_append(&text, weir_str_slice(c->text, from, c->at));
            copied = true;
            c->at++;
            character(c, &n);
        } else if ((!blanks && weir__unicode_is_space(next)) || !is(next)) {
            ended = true;
            continue;
        }
        if (copied) weir_buffer_append(&text, c->text.data + c->at, n);
        c->at += n;
    }
    *out = x_str(weir_str_slice(c->text, from, c->at));
    if (copied)
        *out = x_str((weir_str){weir_str_copy(&c->arena, weir_buffer_str(&text)), text.length});
    weir_buffer_deinit(&text);
    return ended;
}

static bool is_moment(condition *c, const x *text, x *out) {
    static const char *const layouts[] = {"Mon Jan _2 15:04:05 2006",
                                          "Mon Jan _2 15:04:05 MST 2006",
                                          "Mon Jan 02 15:04:05 -0700 2006",
                                          "3:04PM",
                                          "2006-01-02T15:04:05Z07:00",
                                          "2006-01-02",
                                          "2006-01-02 15:04",
                                          "2006-01-02 15:04:05",
                                          "2006-01-02 15:04:05-07:00",
                                          "2006-01-02T15Z0700",
                                          "2006-01-02T15:04Z0700",
                                          "2006-01-02T15:04:05Z0700",
                                          "2006-01-02T15:04:05.999999999Z0700"};
    (void)c;
    x_time t;
    bool digit = false; /* no layout is without */
    for (size_t i = 0; i < text->length; i++)
        digit = digit || (text->text[i] >= '0' && text->text[i] <= '9');
    if (!digit || text->length > 40) return false;
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (weir__gotime_parse(weir_str_from(layouts[i]), x_text(text), NULL, &t)) {
            *out = x_float((double)t.seconds);
            return true;
        }
    return false;
}

static bool is_among(weir_str text, const char *const *symbols) {
    for (; *symbols; symbols++)
        if (weir_str_is(text, *symbols)) return true;
    return false;
}

static bool read_symbol(condition *c, kind before, token *out) {
    static const char *const prefixes[] = {"-", "!", "~", NULL};
    static const char *const modifiers[] = {"+", "-", "*", "/",  "%",  "**",
                                            "&", "|", "^", ">>", "<<", NULL};
    static const char *const logical[] = {"&&", "||", NULL};
    static const char *const comparators[] = {"==", "!=", ">", ">=", "<", "<=", "=~", "!~", NULL};
    static const char *const ternary[] = {"?", ":", "??", NULL};
    read_while(c, is_symbol, false, &out->value);
    weir_str text = x_text(&out->value);
    if ((following[before] & BIT(PREFIX)) && is_among(text, prefixes))
        out->kind = PREFIX;
    else if (is_among(text, modifiers))
        out->kind = MODIFIER;
    else if (is_among(text, logical))
        out->kind = LOGICALOP;
    else if (is_among(text, comparators))
        out->kind = COMPARATOR;
    else if (is_among(text, ternary))
        out->kind = TERNARY;
    else {
        weir__condition_fail(c, out->at, WEIR_SYNTAX, "Invalid token: '%.*s'", WEIR_ARG(text));
        weir_error_hint(c->error, "try wrapping the affected expression in quotes (\")");
        return false;
    }
    return true;
}

static bool read_word(condition *c, token *out) {
    read_while(c, is_word, false, &out->value);
    weir_str text = x_text(&out->value);
    out->kind = VARIABLE;
    if (weir_str_is(text, "true") || weir_str_is(text, "false")) {
        out->kind = BOOLEAN;
        out->value = x_bool(text.length == 4);
    } else if (weir_str_is(text, "in") || weir_str_is(text, "IN")) {
        out->kind = COMPARATOR;
        out->value = x_str(WEIR_STR("in"));
    }
    return true;
}

static bool read_quoted(condition *c, token *out, bool (*is)(uint32_t), const char *unclosed) {
    c->at++;
    if (!read_while(c, is, true, &out->value))
        return weir__condition_fail(c, out->at, WEIR_SYNTAX, "%s", unclosed);
    c->at++;
    out->kind = is == is_no_bracket                      ? VARIABLE
                : is_moment(c, &out->value, &out->value) ? TIME
                                                         : STRING;
    return true;
}

static bool read_number(condition *c, token *out) {
    double number;
    read_while(c, is_numeric, false, &out->value);
    if (!weir__x_parse_float(x_text(&out->value), &number))
        return weir__condition_fail(c, out->at, WEIR_SYNTAX,
                                    "Unable to parse numeric value '%.*s' to float64",
                                    WEIR_ARG(x_text(&out->value)));
    out->kind = NUMERIC;
    out->value = x_float(number);
    return true;
}

static bool read_token(condition *c, kind before, token *out) {
    size_t n;
    uint32_t next = character(c, &n);
    *out = (token){.at = c->at};
    if (is_numeric(next)) return read_number(c, out);
    if (next == '[') return read_quoted(c, out, is_no_bracket, "Unclosed parameter bracket");
    if (weir__unicode_is_letter(next)) return read_word(c, out);
    if (next == '\'' || next == '"')
        return read_quoted(c, out, is_no_quote, "Unclosed string literal");
    if (next == ',' || next == '(' || next == ')') {
        out->kind = next == ',' ? SEPARATOR : next == '(' ? CLAUSE : CLAUSE_CLOSE;
        out->value = next == ',' ? x_str(WEIR_STR(",")) : x_int(next);
        c->at++;
        return true;
    }
    return read_symbol(c, before, out);
}

bool weir__condition_read(condition *c) {
    kind before = START;
    int open = 0;
    for (size_t n; c->at < c->text.length;) {
        if (weir__unicode_is_space(character(c, &n))) {
            c->at += n;
            continue;
        }
        token *t = weir_vector_push(&c->tokens);
        if (!read_token(c, before, t)) return false;
        before = t->kind;
        open += (before == CLAUSE) - (before == CLAUSE_CLOSE);
    }
    return open == 0 ||
           weir__condition_fail(c, c->text.length, WEIR_SYNTAX, "Unbalanced parenthesis");
}

static bool is_match(const token *t) {
    return t->kind == COMPARATOR && t->value.length == 2 && t->value.text[1] == '~';
}

/* `words`: bare words are texts already. */
bool weir__condition_check(condition *c, bool words) {
    static const token start = {.kind = START};
    const token *before = &start;
    for (size_t i = 0; i < c->tokens.count; i++) {
        const token *t = &c->tokens.items[i];
        char one[100], two[100];
        kind from = words && before->kind == VARIABLE ? STRING : before->kind,
             to = words && t->kind == VARIABLE ? STRING : t->kind;
        bool pattern = words && i > 1 && before->kind == STRING && to == TERNARY &&
                       is_match(&c->tokens.items[i - 2]);
        if (!(following[from] & BIT(to)) || pattern) {
            if (from == VARIABLE && to == CLAUSE)
                return weir__condition_fail(c, before->at, WEIR_SYNTAX, "Undefined function %s",
                                            weir__condition_show(&before->value, one, sizeof one));
            return weir__condition_fail(
                c, t->at, WEIR_SYNTAX, "Cannot transition token types from %s [%s] to %s [%s]",
                pattern ? "PATTERN" : weir__condition_kinds[from],
                weir__condition_show(&before->value, one, sizeof one), weir__condition_kinds[to],
                weir__condition_show(&t->value, two, sizeof two));
        }
        before = t;
    }
    bool whole = BIT(before->kind) & (BIT(NUMERIC) | BIT(BOOLEAN) | BIT(STRING) | BIT(TIME) |
                                      BIT(VARIABLE) | BIT(CLAUSE_CLOSE));
    return whole ||
           weir__condition_fail(c, c->text.length, WEIR_SYNTAX, "Unexpected end of expression");
}

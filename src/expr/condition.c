#include "expr/condition.h"

#include <ctype.h>
#include <stdlib.h>

#include "base/text.h"

typedef enum kind { BOOLEAN, NUMBER, TEXT } kind;

typedef struct operand {
    kind kind;
    bool boolean;
    double number;
    weir_str text;
    size_t at; /* where it begins */
} operand;

typedef struct parser {
    weir_str text;
    size_t at;
    int depth;
    bool decided; /* the result no longer depends on what is read: only the syntax counts */
    weir_error *error;
} parser;

static bool fail_at(parser *p, size_t at, weir_code code, const char *problem) {
    uint32_t column = 1;
    for (size_t i = 0; i < at; i++) column += ((unsigned char)p->text.data[i] & 0xc0) != 0x80;
    weir_fail(p->error, code, "%s at column %u of the condition", problem, column);
    weir_error_place(p->error, WEIR_STR(""), 1, column);
    return false;
}

static char peek(const parser *p) {
    return p->at < p->text.length ? p->text.data[p->at] : '\0';
}

static void skip_blanks(parser *p) {
    while (isspace((unsigned char)peek(p))) p->at++;
}

/* Moves behind the symbol when it comes next. */
static bool accept(parser *p, const char *symbol) {
    skip_blanks(p);
    weir_str wanted = weir_str_from(symbol);
    if (!weir_str_starts(weir_str_slice(p->text, p->at, p->text.length), wanted)) return false;
    p->at += wanted.length;
    return true;
}

static bool belongs_to_word(char c) {
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 || (c && strchr("_-./:@", c));
}

/* -?[0-9]+(\.[0-9]+)?([eE]-?[0-9]+)? */
static bool is_number(weir_str word) {
    const char *digits = "0123456789";
    char text[64];
    if (word.length >= sizeof text) return false;
    memcpy(text, word.data, word.length);
    text[word.length] = '\0';
    const char *s = text + (text[0] == '-');
    size_t n = strspn(s, digits);
    bool ok = n > 0;
    s += n;
    if (*s == '.') {
        n = strspn(++s, digits);
        ok = ok && n;
        s += n;
    }
    if (*s == 'e' || *s == 'E') {
        s += 1 + (s[1] == '-');
        n = strspn(s, digits);
        ok = ok && n;
        s += n;
    }
    return ok && !*s;
}

static bool parse_quoted(parser *p, operand *out) {
    char quote[2] = {peek(p), '\0'};
    size_t end = weir_str_find(p->text, weir_str_from(quote), p->at + 1);
    if (end == SIZE_MAX) return fail_at(p, p->at, WEIR_SYNTAX, "a text without end");
    *out = (operand){.kind = TEXT, .text = weir_str_slice(p->text, p->at + 1, end), .at = p->at};
    p->at = end + 1;
    return true;
}

static bool parse_word(parser *p, operand *out) {
    size_t from = p->at;
    while (belongs_to_word(peek(p))) p->at++;
    if (p->at == from) return fail_at(p, from, WEIR_SYNTAX, "a value is missing");
    weir_str word = weir_str_slice(p->text, from, p->at);
    *out = (operand){.kind = TEXT, .text = word, .at = from};
    if (weir_str_is(word, "true") || weir_str_is(word, "false")) {
        out->kind = BOOLEAN;
        out->boolean = word.length == 4;
    } else if (is_number(word)) {
        char text[64] = "";
        memcpy(text, word.data, word.length);
        out->kind = NUMBER;
        out->number = strtod(text, NULL);
    }
    return true;
}

static bool parse_or(parser *p, operand *out);

static bool parse_operand(parser *p, operand *out) {
    if (accept(p, "(")) {
        size_t from = p->at - 1;
        if (!parse_or(p, out)) return false;
        out->at = from;
        return accept(p, ")") || fail_at(p, p->at, WEIR_SYNTAX, "`)` is missing");
    }
    return peek(p) == '\'' || peek(p) == '"' ? parse_quoted(p, out) : parse_word(p, out);
}

typedef enum relation { NONE, LE, GE, EQ, NE, LT, GT } relation;

static relation accept_relation(parser *p) {
    static const char *const symbols[] = {
        [LE] = "<=", [GE] = ">=", [EQ] = "==", [NE] = "!=", [LT] = "<", [GT] = ">"};
    for (relation r = LE; r <= GT; r++)
        if (accept(p, symbols[r])) return r;
    return NONE;
}

/* Below, at or above zero, as memcmp. */
static int order(const operand *a, const operand *b) {
    switch (a->kind) {
    case BOOLEAN: return a->boolean - b->boolean;
    case NUMBER: return (a->number > b->number) - (a->number < b->number);
    case TEXT: break;
    }
    size_t shorter = a->text.length < b->text.length ? a->text.length : b->text.length;
    int n = shorter ? memcmp(a->text.data, b->text.data, shorter) : 0;
    return n ? n : (a->text.length > b->text.length) - (a->text.length < b->text.length);
}

static bool relates(const operand *a, relation how, const operand *b) {
    if (a->kind != b->kind) return how == NE;
    int n = order(a, b);
    switch (how) {
    case LE: return n <= 0;
    case GE: return n >= 0;
    case EQ: return n == 0;
    case NE: return n != 0;
    case LT: return n < 0;
    case GT: return n > 0;
    case NONE: break;
    }
    return false;
}

static bool parse_compare(parser *p, operand *out) {
    operand right = {0};
    if (!parse_operand(p, out)) return false;
    relation how = accept_relation(p);
    if (how == NONE) return true;
    if (!parse_operand(p, &right)) return false;
    bool ordered = how != EQ && how != NE;
    if (ordered && !p->decided && (out->kind != right.kind || out->kind == BOOLEAN))
        return fail_at(p, out->at, WEIR_INVALID, "two values without an order are compared");
    *out = (operand){.boolean = relates(out, how, &right), .at = out->at};
    return true;
}

static bool require_boolean(parser *p, const operand *value) {
    return value->kind == BOOLEAN || p->decided ||
           fail_at(p, value->at, WEIR_INVALID, "a value where a comparison should be");
}

static bool parse_not(parser *p, operand *out) {
    if (++p->depth > WEIR_CONDITION_DEPTH_MAX)
        return fail_at(p, p->at, WEIR_LIMIT, "nested too deep");
    bool ok;
    if (accept(p, "!")) {
        ok = parse_not(p, out) && require_boolean(p, out);
        if (ok) *out = (operand){.boolean = !out->boolean, .at = out->at};
    } else {
        ok = parse_compare(p, out);
    }
    p->depth--;
    return ok;
}

/* Operands of `&&` (all) or `||` (any), until one decides. */
static bool parse_chain(parser *p, const char *symbol, bool (*part)(parser *, operand *),
                        bool deciding, operand *out) {
    bool decided = p->decided, ok = part(p, out);
    while (ok && accept(p, symbol)) {
        operand right = {0};
        ok = require_boolean(p, out);
        p->decided = p->decided || out->boolean == deciding;
        ok = ok && part(p, &right) && require_boolean(p, &right);
        if (ok && out->boolean != deciding)
            *out = (operand){.boolean = right.boolean, .at = out->at};
    }
    p->decided = decided;
    return ok;
}

static bool parse_and(parser *p, operand *out) {
    return parse_chain(p, "&&", parse_not, false, out);
}

static bool parse_or(parser *p, operand *out) {
    return parse_chain(p, "||", parse_and, true, out);
}

bool weir_condition_evaluate(weir_str text, bool *result, weir_error *error) {
    parser p = {.text = text, .error = error};
    operand out = {0};
    if (!parse_or(&p, &out)) return false;
    skip_blanks(&p);
    if (p.at < text.length) {
        fail_at(&p, p.at, WEIR_SYNTAX, "something unexpected");
        weir_error_hint(error, "compare with ==, !=, <, <=, > or >=; join with && or ||");
        return false;
    }
    if (!require_boolean(&p, &out)) return false;
    *result = out.boolean;
    return true;
}

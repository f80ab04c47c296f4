/* JSONPath: the expressions of filters (RFC 9535, section 2.3.5), and that they are well typed (2.4.3). */
#include <ctype.h>
#include <string.h>

#include "jsonpath_internal.h"
#include "number.h"

static weir__expression *new_expression(weir__path_parser *p, weir__expression_kind kind) {
    weir__expression *made = p->host->alloc(p->call, sizeof *made);
    made->kind = kind;
    return made;
}

static bool deeper(weir__path_parser *p) {
    return ++p->depth <= PATH_DEPTH_MAX || weir__path_fail(p, "the filter is nested too deep");
}

/* Gives one value, or none: what may be compared. */
static bool is_value(const weir__expression *e) {
    return e->kind == WEIR__LITERAL || e->kind == WEIR__LENGTH || e->kind == WEIR__COUNT ||
           e->kind == WEIR__VALUE || (e->kind == WEIR__PATH && e->path.singular);
}

/* Is true or false by itself. */
static bool is_logical(const weir__expression *e) {
    return e->kind <= WEIR__PATH || e->kind == WEIR__MATCH || e->kind == WEIR__SEARCH;
}

static bool read_operand(weir__path_parser *p, weir__expression **out);

/* --- what is compared ----------------------------------------------------------------------- */

static bool keep_literal(weir__path_parser *p, weir_value *value, weir__expression **out) {
    *out = new_expression(p, WEIR__LITERAL);
    (*out)->literal = value;
    (*out)->following = p->out->literals;
    p->out->literals = *out;
    return true;
}

static bool read_number(weir__path_parser *p, weir__expression **out) {
    size_t from = p->at;
    while (isalnum((unsigned char)weir__path_peek(p)) || weir__is_one_of(weir__path_peek(p), "+-."))
        p->at++;
    weir_str numeral = weir__part(p->text, from, p->at);
    const char *problem = "is no number";
    weir_value *number = weir__is_json_number(numeral)
                             ? weir__number_parse(p->host, p->call, numeral, &problem)
                             : NULL;
    p->at = number ? p->at : from;
    return number ? keep_literal(p, number, out) : weir__path_fail(p, problem);
}

static bool read_word(weir__path_parser *p, weir_str word, weir__expression **out) {
    if (weir__same_text(word, TEXT("true"))) return keep_literal(p, p->host->bool_new(true), out);
    if (weir__same_text(word, TEXT("false"))) return keep_literal(p, p->host->bool_new(false), out);
    if (weir__same_text(word, TEXT("null"))) return keep_literal(p, p->host->null_new(), out);
    return weir__path_fail(p, "a path (@ or $), a literal or a function should stand here");
}

static const struct function {
    const char *name;
    weir__expression_kind kind;
    bool takes_path, takes_two;
} functions[] = {{"length", WEIR__LENGTH, false, false},
                 {"count", WEIR__COUNT, true, false},
                 {"match", WEIR__MATCH, false, true},
                 {"search", WEIR__SEARCH, false, true},
                 {"value", WEIR__VALUE, true, false}};

static bool read_argument(weir__path_parser *p, const struct function *function,
                          weir__expression **out) {
    weir__path_skip_blanks(p);
    if (!read_operand(p, out)) return false;
    weir__path_skip_blanks(p);
    bool fits = function->takes_path ? (*out)->kind == WEIR__PATH : is_value(*out);
    return fits || weir__path_fail(p, function->takes_path
                                          ? "the function takes a path"
                                          : "the function takes a value, or a path to just one");
}

/* Behind its '('. */
static bool read_function(weir__path_parser *p, weir_str name, weir__expression **out) {
    const struct function *function = NULL;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (weir__same_text(name, (weir_str){functions[i].name, strlen(functions[i].name)}))
            function = &functions[i];
    if (!function)
        return weir__path_fail(p, "the functions are length, count, match, search and value");
    *out = new_expression(p, function->kind);
    if (!deeper(p) || !read_argument(p, function, &(*out)->left)) return false;
    if (function->takes_two && !weir__path_accept(p, ","))
        return weir__path_fail(p, "the function takes two arguments");
    if (function->takes_two && !read_argument(p, function, &(*out)->right)) return false;
    p->depth--;
    return weir__path_accept(p, ")") || weir__path_fail(p, "a ) is missing");
}

/* A literal, a path or a function. */
static bool read_operand(weir__path_parser *p, weir__expression **out) {
    char c = weir__path_peek(p);
    if (c == '@' || c == '$') {
        p->at++;
        *out = new_expression(p, WEIR__PATH);
        (*out)->path.relative = c == '@';
        return weir__path_segments(p, &(*out)->path);
    }
    if (c == '\'' || c == '"') {
        weir_str text;
        return weir__path_string(p, &text) && keep_literal(p, weir__string(p->host, text), out);
    }
    if (c == '-' || isdigit((unsigned char)c)) return read_number(p, out);
    size_t from = p->at, end = from;
    while (end < p->text.length &&
           (isalnum((unsigned char)p->text.data[end]) || p->text.data[end] == '_'))
        end++;
    weir_str word = weir__part(p->text, from, end);
    if (end == p->text.length || p->text.data[end] != '(') {
        if (!read_word(p, word, out)) return false;
        p->at = end;
        return true;
    }
    p->at = end + 1;
    return read_function(p, word, out);
}

/* --- what holds ----------------------------------------------------------------------------- */

static char accept_relation(weir__path_parser *p) {
    static const struct {
        const char *text;
        char meaning;
    } relations[] = {{"==", '='}, {"!=", '!'}, {"<=", 'l'}, {">=", 'g'}, {"<", '<'}, {">", '>'}};
    for (size_t i = 0; i < sizeof relations / sizeof *relations; i++)
        if (weir__path_accept(p, relations[i].text)) return relations[i].meaning;
    return '\0';
}

static bool read_comparison(weir__path_parser *p, weir__expression **out) {
    weir__expression *left = NULL;
    if (!read_operand(p, &left)) return false;
    size_t behind = p->at;
    weir__path_skip_blanks(p);
    char relation = accept_relation(p);
    if (!relation) {
        p->at = behind;
        *out = left;
        return is_logical(left) || weir__path_fail(p, "a value must be compared with another");
    }
    *out = new_expression(p, WEIR__COMPARISON);
    (*out)->relation = relation;
    (*out)->left = left;
    weir__path_skip_blanks(p);
    if (!read_operand(p, &(*out)->right)) return false;
    return (is_value(left) && is_value((*out)->right)) ||
           weir__path_fail(p, "only values and paths to just one can be compared");
}

/* With an '!' before it or not: in parentheses, a test, or a comparison, which has no '!'. */
static bool read_basic(weir__path_parser *p, weir__expression **out) {
    bool negated = weir__path_accept(p, "!");
    if (negated) weir__path_skip_blanks(p);
    weir__expression *inner = NULL;
    if (!deeper(p)) return false;
    if (weir__path_accept(p, "(")) {
        weir__path_skip_blanks(p);
        if (!weir__path_filter(p, &inner)) return false;
        weir__path_skip_blanks(p);
        if (!weir__path_accept(p, ")")) return weir__path_fail(p, "a ) is missing");
    } else {
        if (!read_comparison(p, &inner)) return false;
        if (negated && inner->kind == WEIR__COMPARISON)
            return weir__path_fail(p, "what is negated with ! needs parentheses");
    }
    p->depth--;
    *out = inner;
    if (!negated) return true;
    *out = new_expression(p, WEIR__NOT);
    (*out)->left = inner;
    return true;
}

/* Terms with || or && between them. A chain goes on to the right, so that walking it needs no stack. */
static bool read_chain(weir__path_parser *p, bool either, weir__expression **out) {
    for (;;) {
        if (!(either ? read_chain(p, false, out) : read_basic(p, out))) return false;
        size_t behind = p->at;
        weir__path_skip_blanks(p);
        if (!weir__path_accept(p, either ? "||" : "&&")) {
            p->at = behind;
            return true;
        }
        weir__path_skip_blanks(p);
        weir__expression *chain = new_expression(p, either ? WEIR__OR : WEIR__AND);
        chain->left = *out;
        *out = chain;
        out = &chain->right;
    }
}

bool weir__path_filter(weir__path_parser *p, weir__expression **out) {
    return read_chain(p, true, out);
}

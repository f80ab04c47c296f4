#include "expr/parser_internal.h"

#include <stdint.h>

typedef struct binary {
    const char *text;
    x_op op;
    int precedence;
} binary;

static const binary operators[] = {
    {"|", OP_PIPE, 0},
    {"or", OP_OR, 10},
    {"||", OP_OR, 10},
    {"and", OP_AND, 15},
    {"&&", OP_AND, 15},
    {"==", OP_EQ, 20},
    {"!=", OP_NE, 20},
    {"<", OP_LT, 20},
    {">", OP_GT, 20},
    {">=", OP_GE, 20},
    {"<=", OP_LE, 20},
    {"in", OP_IN, 20},
    {"matches", OP_MATCHES, 20},
    {"contains", OP_CONTAINS, 20},
    {"startsWith", OP_STARTS, 20},
    {"endsWith", OP_ENDS, 20},
    {"..", OP_RANGE, 25},
    {"+", OP_ADD, 30},
    {"-", OP_SUB, 30},
    {"*", OP_MUL, 60},
    {"/", OP_DIV, 60},
    {"%", OP_MOD, 60},
    {"**", OP_POW, 100},
    {"^", OP_POW, 100},
    {"??", OP_COALESCE, 500},
};

const char *weir__x_op_text(x_op op) {
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (operators[i].op == op) return operators[i].text;
    return op == OP_NOT ? "!" : "?";
}

static const binary *find_operator(const x_token *token) {
    if (token->kind != T_OP) return NULL;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (weir_str_is(token->text, operators[i].text)) return &operators[i];
    return NULL;
}

static bool is_order(x_op op) {
    return op == OP_LT || op == OP_GT || op == OP_GE || op == OP_LE;
}

x_node *weir__x_fail_at(x_parser *p, size_t at, weir_code code, const char *problem) {
    weir_fail(p->error, code, "%s", problem);
    weir__x_place(p->text, at, p->error);
    return NULL;
}

x_node *weir__x_unexpected(x_parser *p) {
    const x_token *t = x_current(p);
    if (t->kind == T_EOF)
        weir_fail(p->error, WEIR_SYNTAX, "the expression ends too early");
    else
        weir_fail(p->error, WEIR_SYNTAX, "unexpected `%.*s`",
                  (int)(t->end - t->at > 40 ? 40 : t->end - t->at), p->text.data + t->at);
    weir__x_place(p->text, t->at, p->error);
    return NULL;
}

x_node *weir__x_node(x_parser *p, x_node_kind kind, size_t at) {
    if (++p->nodes > WEIR_EXPR_NODES_MAX)
        return weir__x_fail_at(p, at, WEIR_LIMIT, "the expression has too many parts");
    x_node *node = weir_arena_alloc(p->arena, sizeof *node);
    node->kind = (uint8_t)kind;
    node->at = (uint32_t)at;
    return node;
}

x_node *weir__x_deep(x_parser *p, x_node *node) {
    if (!node) return NULL;
    unsigned depth = 0;
    const x_node *const parts[] = {node->a, node->b, node->c};
    for (size_t i = 0; i < 3; i++)
        if (parts[i] && parts[i]->depth > depth) depth = parts[i]->depth;
    for (const x_node *item = node->first; item; item = item->next)
        if (item->depth > depth) depth = item->depth;
    node->depth = (uint16_t)(depth + 1);
    if (depth >= WEIR_EXPR_DEPTH_MAX)
        return weir__x_fail_at(p, node->at, WEIR_LIMIT, "the expression is nested too deep");
    return node;
}

bool weir__x_accept(x_parser *p, x_token_kind kind, const char *text) {
    if (!x_is(p, kind, text)) return false;
    x_advance(p);
    return true;
}

bool weir__x_expect(x_parser *p, x_token_kind kind, const char *text) {
    return weir__x_accept(p, kind, text) || weir__x_unexpected(p);
}

static x_node *make_binary(x_parser *p, x_op op, size_t at, x_node *left, x_node *right) {
    x_node *node = left && right ? weir__x_node(p, N_BINARY, at) : NULL;
    if (!node) return NULL;
    node->op = (uint8_t)op;
    node->a = left;
    node->b = right;
    return weir__x_deep(p, node);
}

static x_node *make_unary(x_parser *p, x_op op, size_t at, x_node *operand) {
    x_node *node = operand ? weir__x_node(p, N_UNARY, at) : NULL;
    if (!node) return NULL;
    node->op = (uint8_t)op;
    node->a = operand;
    return weir__x_deep(p, node);
}

/* `a < b < c` is `a < b && b < c`. */
static x_node *parse_order(x_parser *p, x_node *left, x_op op, size_t at) {
    x_node *whole = NULL;
    for (;;) {
        x_node *right = weir__x_expression(p, 21);
        x_node *part = make_binary(p, op, at, left, right);
        whole = whole ? make_binary(p, OP_AND, at, whole, part) : part;
        const binary *next = whole ? find_operator(x_current(p)) : NULL;
        if (!next || !is_order(next->op)) return whole;
        left = right;
        op = next->op;
        at = x_current(p)->at;
        x_advance(p);
    }
}

static bool may_be_negated(x_op op) {
    return op == OP_CONTAINS || op == OP_MATCHES || op == OP_STARTS || op == OP_ENDS || op == OP_IN;
}

/* One operator and its right side; *left becomes the whole. False: nothing of this precedence follows, or a problem. */
static bool parse_operator(x_parser *p, int precedence, x_op *previous, x_node **left) {
    size_t begin = p->at;
    bool negated = x_is(p, T_OP, "not");
    if (negated) x_advance(p);
    const binary *op = find_operator(x_current(p));
    if (negated && (!op || !may_be_negated(op->op))) {
        *left = weir__x_unexpected(p);
        return false;
    }
    if (!op || op->precedence < precedence) {
        p->at = begin;
        return false;
    }
    size_t at = x_current(p)->at;
    x_advance(p);
    if (op->op == OP_PIPE) {
        const x_token *token = x_current(p);
        if (token->kind != T_NAME) {
            *left = weir__x_unexpected(p);
        } else {
            x_advance(p);
            *left = weir__x_call_of(p, token, *left);
        }
    } else if (*previous == OP_COALESCE && op->op != OP_COALESCE) {
        *left =
            weir__x_fail_at(p, at, WEIR_SYNTAX,
                            "`??` cannot be mixed with other operators: put it into parentheses");
    } else if (is_order(op->op)) {
        *left = parse_order(p, *left, op->op, at);
    } else {
        x_node *right = weir__x_expression(p, op->precedence + (op->op != OP_POW));
        *left = make_binary(p, op->op, at, *left, right);
        if (negated) *left = make_unary(p, OP_NOT, at, *left);
    }
    *previous = op->op;
    return *left != NULL;
}

static x_node *make_if(x_parser *p, size_t at, x_node *condition, x_node *then, x_node *otherwise) {
    x_node *node = condition && then && otherwise ? weir__x_node(p, N_IF, at) : NULL;
    if (!node) return NULL;
    node->a = condition;
    node->b = then;
    node->c = otherwise;
    return weir__x_deep(p, node);
}

static x_node *parse_ternary(x_parser *p, x_node *node) {
    while (node && x_is(p, T_OP, "?")) {
        size_t at = x_current(p)->at;
        x_advance(p);
        x_node *then = node;
        if (!weir__x_accept(p, T_OP, ":")) {
            then = weir__x_expression(p, 0);
            if (!then || !weir__x_expect(p, T_OP, ":")) return NULL;
        }
        node = make_if(p, at, node, then, weir__x_expression(p, 0));
    }
    return node;
}

static x_node *parse_block(x_parser *p) {
    if (!weir__x_expect(p, T_BRACKET, "{")) return NULL;
    x_node *node = weir__x_sequence(p);
    return node && weir__x_expect(p, T_BRACKET, "}") ? node : NULL;
}

static x_node *parse_if(x_parser *p) {
    size_t at = x_current(p)->at;
    x_advance(p);
    if (++p->depth > WEIR_EXPR_DEPTH_MAX)
        return weir__x_fail_at(p, at, WEIR_LIMIT, "the expression is nested too deep");
    x_node *condition = weir__x_expression(p, 0);
    x_node *then = condition ? parse_block(p) : NULL, *otherwise = NULL;
    if (then && weir__x_expect(p, T_OP, "else"))
        otherwise = x_is(p, T_OP, "if") ? parse_if(p) : parse_block(p);
    p->depth--;
    return make_if(p, at, condition, then, otherwise);
}

static x_node *parse_let(x_parser *p) {
    x_advance(p);
    x_token name = *x_current(p);
    if (name.kind != T_NAME) return weir__x_unexpected(p);
    x_advance(p);
    if (!weir__x_expect(p, T_OP, "=")) return NULL;
    x_node *value = weir__x_expression(p, 0);
    if (!value || !weir__x_expect(p, T_OP, ";")) return NULL;
    x_node *rest = weir__x_sequence(p), *node = rest ? weir__x_node(p, N_LET, name.at) : NULL;
    if (!node) return NULL;
    node->text = name.text;
    node->a = value;
    node->b = rest;
    return weir__x_deep(p, node);
}

/* An operator in front, parentheses, `#`, or what weir__x_secondary knows. */
static x_node *parse_primary(x_parser *p) {
    const x_token *token = x_current(p);
    bool negation = x_is(p, T_OP, "not") || x_is(p, T_OP, "!");
    if (negation || x_is(p, T_OP, "-") || x_is(p, T_OP, "+")) {
        x_op op = negation ? OP_NOT : *token->text.data == '-' ? OP_SUB : OP_ADD;
        x_advance(p);
        x_node *node = make_unary(p, op, token->at, weir__x_expression(p, negation ? 50 : 90));
        return node ? weir__x_postfix(p, node) : NULL;
    }
    if (weir__x_accept(p, T_BRACKET, "(")) {
        x_node *node = weir__x_sequence(p);
        return node && weir__x_expect(p, T_BRACKET, ")") ? weir__x_postfix(p, node) : NULL;
    }
    if (p->predicates > 0 && (x_is(p, T_OP, "#") || x_is(p, T_OP, "."))) {
        x_node *node = weir__x_node(p, N_POINTER, token->at);
        if (!node) return NULL;
        if (weir__x_accept(p, T_OP, "#") && x_current(p)->kind == T_NAME) {
            node->text = x_current(p)->text;
            x_advance(p);
        }
        return weir__x_postfix(p, node);
    }
    if (weir__x_accept(p, T_OP, "::")) {
        token = x_current(p);
        if (token->kind != T_NAME) return weir__x_unexpected(p);
        x_advance(p);
        x_node *node = weir__x_call_of(p, token, NULL);
        return node ? weir__x_postfix(p, node) : NULL;
    }
    return weir__x_secondary(p);
}

x_node *weir__x_expression(x_parser *p, int precedence) {
    if (++p->depth > WEIR_EXPR_DEPTH_MAX)
        return weir__x_fail_at(p, x_current(p)->at, WEIR_LIMIT,
                               "the expression is nested too deep");
    x_node *node;
    if (precedence == 0 && x_is(p, T_OP, "let")) {
        node = parse_let(p);
    } else if (precedence == 0 && x_is(p, T_OP, "if")) {
        node = parse_if(p);
    } else {
        x_op previous = OP_NONE;
        node = parse_primary(p);
        while (node && parse_operator(p, precedence, &previous, &node)) continue;
        if (node && precedence == 0) node = parse_ternary(p, node);
    }
    p->depth--;
    return node;
}

x_node *weir__x_sequence(x_parser *p) {
    x_node *first = weir__x_expression(p, 0), *sequence = NULL, *last = first;
    while (first && weir__x_accept(p, T_OP, ";")) {
        if (x_current(p)->kind == T_EOF) break;
        if (!sequence) {
            sequence = weir__x_node(p, N_SEQUENCE, first->at);
            if (!sequence) return NULL;
            sequence->first = first;
        }
        last->next = weir__x_expression(p, 0);
        last = last->next;
        if (!last) return NULL;
    }
    return sequence ? weir__x_deep(p, sequence) : first;
}

x_node *weir__x_parse(weir_arena *arena, weir_str text, bool bare, weir_error *error) {
    x_parser p = {.text = text, .arena = arena, .bare = bare, .error = error};
    if (text.length > WEIR_EXPR_BYTES_MAX) {
        weir_fail(error, WEIR_LIMIT, "an expression of more than %d bytes", WEIR_EXPR_BYTES_MAX);
        return NULL;
    }
    p.tokens = weir__x_lex(arena, text, error);
    if (!p.tokens) return NULL;
    x_node *tree = weir__x_sequence(&p);
    return tree && x_current(&p)->kind != T_EOF ? weir__x_unexpected(&p) : tree;
}

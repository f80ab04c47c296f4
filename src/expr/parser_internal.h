/* What the two files of the parser share. */
#ifndef WEIR_EXPR_PARSER_INTERNAL_H
#define WEIR_EXPR_PARSER_INTERNAL_H

#include "expr/expr_internal.h"

/* NULL after a problem, which the error has; the first one counts. */
x_node *weir__x_fail_at(x_parser *p, size_t at, weir_code code, const char *problem);
x_node *weir__x_unexpected(x_parser *p);
x_node *weir__x_node(x_parser *p, x_node_kind kind, size_t at);
/* Notes how deep the tree is at this node, whose parts are there; NULL: too deep. */
x_node *weir__x_deep(x_parser *p, x_node *node);
static inline x_token *x_current(const x_parser *p) {
    return &p->tokens[p->at];
}
static inline void x_advance(x_parser *p) {
    if (p->tokens[p->at].kind != T_EOF) p->at++;
}
static inline bool x_is(const x_parser *p, x_token_kind kind, const char *text) {
    const x_token *t = x_current(p);
    return t->kind == kind && weir_str_is(t->text, text);
}
bool weir__x_accept(x_parser *p, x_token_kind kind, const char *text);
bool weir__x_expect(x_parser *p, x_token_kind kind, const char *text);

x_node *weir__x_expression(x_parser *p, int precedence);
x_node *weir__x_sequence(x_parser *p);
/* A number, text, name, list, map, ... and what follows it: members, places, slices. */
x_node *weir__x_secondary(x_parser *p);
x_node *weir__x_postfix(x_parser *p, x_node *node);
/* A call of a name; `piped` (may be NULL) is its first argument. */
x_node *weir__x_call_of(x_parser *p, const x_token *name, x_node *piped);

#endif

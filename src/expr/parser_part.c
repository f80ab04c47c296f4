#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "expr/parser_internal.h"

static x_node *parse_number(x_parser *p, const x_token *token) {
    x_node *node = weir__x_node(p, N_INT, token->at);
    if (!node) return NULL;
    weir_buffer digits = {0};
    for (size_t i = 0; i < token->text.length; i++)
        if (token->text.data[i] != '_') weir_buffer_byte(&digits, token->text.data[i]);
    weir_buffer_byte(&digits, '\0');
    const char *s = digits.data;
    char second = s[0] == '0' ? (char)(s[1] | 0x20) : '\0', *end = digits.data;
    int base = second == 'x' ? 16 : second == 'o' ? 8 : second == 'b' ? 2 : 10;
    errno = 0;
    if (base != 16 && strpbrk(s, ".eE")) {
        node->kind = N_FLOAT;
        node->number = strtod(s, &end);
        if (isinf(node->number)) end = digits.data;
    } else {
        if (base != 10) s += 2;
        node->integer = strtoll(s, &end, base);
        if (errno || end == s) end = digits.data;
    }
    bool ok = end > digits.data && !*end;
    weir_buffer_deinit(&digits);
    return ok ? node
              : weir__x_fail_at(p, token->at, WEIR_SYNTAX, "a number that is none, or too large");
}

static x_node *make_text(x_parser *p, const x_token *token) {
    x_node *node = weir__x_node(p, N_STRING, token->at);
    if (node) node->text = token->text;
    return node;
}

/* Items behind an opening bracket, up to the closing one, which may follow a comma; they are linked to *tail. */
static bool parse_items(x_parser *p, const char *close, x_node **tail, uint32_t *count) {
    uint32_t before = *count;
    while (!weir__x_accept(p, T_BRACKET, close)) {
        if (*count > before) {
            if (!weir__x_expect(p, T_OP, ",")) return false;
            if (weir__x_accept(p, T_BRACKET, close)) return true;
        }
        *tail = weir__x_expression(p, 0);
        if (!*tail) return false;
        tail = &(*tail)->next;
        ++*count;
    }
    return true;
}

static x_node *parse_list(x_parser *p, size_t at) {
    x_node *node = weir__x_node(p, N_LIST, at);
    if (!node || !parse_items(p, "]", &node->first, &node->size)) return NULL;
    return weir__x_deep(p, node);
}

static x_node *parse_key(x_parser *p) {
    const x_token *token = x_current(p);
    if (token->kind == T_NUMBER || token->kind == T_STRING || token->kind == T_NAME) {
        x_advance(p);
        return make_text(p, token);
    }
    if (x_is(p, T_BRACKET, "(")) return weir__x_expression(p, 0);
    return weir__x_fail_at(
        p, token->at, WEIR_SYNTAX,
        "the key of a map has to be a name, a text, a number, or an expression in parentheses");
}

static x_node *parse_map(x_parser *p, size_t at) {
    x_node *node = weir__x_node(p, N_MAP, at), **tail = node ? &node->first : NULL;
    if (!node) return NULL;
    while (!weir__x_accept(p, T_BRACKET, "}")) {
        if (node->size > 0) {
            if (!weir__x_expect(p, T_OP, ",")) return NULL;
            if (weir__x_accept(p, T_BRACKET, "}")) break;
        }
        x_node *key = parse_key(p);
        if (!key || !weir__x_expect(p, T_OP, ":")) return NULL;
        key->next = weir__x_expression(p, 0);
        if (!key->next) return NULL;
        *tail = key;
        tail = &key->next->next;
        node->size++;
    }
    return weir__x_deep(p, node);
}

/* A name is a constant, a call or a name of the environment; *done: nothing may follow a constant. */
static x_node *parse_name(x_parser *p, const x_token *token, bool *done) {
    x_node *node;
    bool is_true = weir_str_is(token->text, "true");
    if (is_true || weir_str_is(token->text, "false")) {
        node = weir__x_node(p, N_BOOL, token->at);
        if (node) node->integer = is_true;
        *done = true;
    } else if (weir_str_is(token->text, "nil")) {
        node = weir__x_node(p, N_NIL, token->at);
        *done = true;
    } else if (x_is(p, T_BRACKET, "(")) {
        node = weir__x_call_of(p, token, NULL);
    } else {
        node = weir__x_node(p, N_NAME, token->at);
        if (node) node->text = token->text;
    }
    return node;
}

x_node *weir__x_secondary(x_parser *p) {
    const x_token *token = x_current(p);
    x_node *node;
    bool done = false;
    if (token->kind == T_BRACKET && weir_str_is(token->text, "[")) {
        x_advance(p);
        node = parse_list(p, token->at);
    } else if (token->kind == T_BRACKET && weir_str_is(token->text, "{")) {
        x_advance(p);
        node = parse_map(p, token->at);
    } else if (token->kind == T_NAME) {
        x_advance(p);
        node = parse_name(p, token, &done);
    } else if (token->kind == T_NUMBER) {
        x_advance(p);
        node = parse_number(p, token);
        done = true;
    } else if (token->kind == T_STRING) {
        x_advance(p);
        node = make_text(p, token);
    } else if (token->kind == T_BYTES) {
        node = weir__x_fail_at(p, token->at, WEIR_UNSUPPORTED,
                               "literals of bytes are not supported: write a text");
    } else {
        node = weir__x_unexpected(p);
    }
    return node && !done ? weir__x_postfix(p, node) : node;
}

static x_node *parse_predicate(x_parser *p) {
    x_node *node = weir__x_node(p, N_PREDICATE, x_current(p)->at);
    if (!node) return NULL;
    bool braces = weir__x_accept(p, T_BRACKET, "{");
    p->predicates++;
    node->a = braces ? weir__x_sequence(p) : weir__x_expression(p, 0);
    p->predicates--;
    if (!node->a || (braces && !weir__x_expect(p, T_BRACKET, "}"))) return NULL;
    if (!braces && x_is(p, T_OP, ";"))
        return weir__x_fail_at(p, x_current(p)->at, WEIR_SYNTAX, "put the predicate into { and }");
    return weir__x_deep(p, node);
}

/* `f` takes a list and a predicate; its signature tells what is optional, in capitals. */
static bool parse_predicate_call(x_parser *p, const x_function *f, x_node *node) {
    x_node **tail = &node->first;
    uint32_t piped = 0;
    if (*tail) {
        tail = &(*tail)->next;
        piped = 1;
    }
    if (!weir__x_expect(p, T_BRACKET, "(")) return false;
    node->size = piped;
    for (const char *s = f->signature + piped; *s; s++) {
        bool optional = *s >= 'A' && *s <= 'Z';
        if (x_is(p, T_BRACKET, ")")) {
            if (optional) break;
            return weir__x_fail_at(p, x_current(p)->at, WEIR_SYNTAX,
                                   "the function wants a list and a predicate");
        }
        if (node->size > piped && !weir__x_expect(p, T_OP, ",")) return false;
        *tail = *s == 'p' || *s == 'P' ? parse_predicate(p) : weir__x_expression(p, 0);
        if (!*tail) return false;
        tail = &(*tail)->next;
        node->size++;
    }
    weir__x_accept(p, T_OP, ",");
    return weir__x_expect(p, T_BRACKET, ")");
}

x_node *weir__x_call_of(x_parser *p, const x_token *name, x_node *piped) {
    const x_function *predicate = weir__x_predicate(name->text);
    const x_function *builtin = predicate ? predicate : weir__x_builtin(name->text);
    x_node *node = weir__x_node(p, builtin ? N_BUILTIN : N_CALL, name->at);
    if (!node) return NULL;
    node->text = name->text;
    node->first = piped;
    if (builtin) {
        node->function = builtin;
    } else {
        node->a = weir__x_node(p, N_NAME, name->at);
        if (!node->a) return NULL;
        node->a->text = name->text;
    }
    if (predicate) return parse_predicate_call(p, predicate, node) ? weir__x_deep(p, node) : NULL;
    node->size = piped != NULL;
    if (!weir__x_expect(p, T_BRACKET, "(") ||
        !parse_items(p, ")", piped ? &piped->next : &node->first, &node->size))
        return NULL;
    return weir__x_deep(p, node);
}

static x_node *parse_member(x_parser *p, x_node *node, bool optional) {
    const x_token *name = x_current(p);
    if (name->kind != T_NAME && (name->kind != T_OP || !weir__x_word(name->text)))
        return weir__x_unexpected(p);
    x_advance(p);
    bool chain = node->kind == N_CHAIN;
    x_node *member = weir__x_node(p, N_MEMBER, name->at), *key = make_text(p, name);
    if (!member || !key) return NULL;
    member->a = chain ? node->a : node;
    member->b = key;
    member->optional = optional;
    node = weir__x_deep(p, member);
    if (node && weir__x_accept(p, T_BRACKET, "(")) {
        member->method = true;
        x_node *call = weir__x_node(p, N_CALL, name->at);
        if (!call) return NULL;
        call->a = member;
        if (!parse_items(p, ")", &call->first, &call->size)) return NULL;
        node = weir__x_deep(p, call);
    }
    if (!node || !(chain || optional)) return node;
    x_node *whole = weir__x_node(p, N_CHAIN, name->at);
    if (!whole) return NULL;
    whole->a = node;
    return weir__x_deep(p, whole);
}

/* Behind `[`. */
static x_node *parse_place(x_parser *p, x_node *node, size_t at, bool optional) {
    x_node *from = NULL, *to = NULL;
    bool slice = weir__x_accept(p, T_OP, ":");
    if (!slice) {
        from = weir__x_expression(p, 0);
        if (!from) return NULL;
        slice = weir__x_accept(p, T_OP, ":");
    }
    if (slice && !x_is(p, T_BRACKET, "]")) {
        to = weir__x_expression(p, 0);
        if (!to) return NULL;
    }
    x_node *part = weir__x_node(p, slice ? N_SLICE : N_MEMBER, at);
    if (!part || !weir__x_expect(p, T_BRACKET, "]")) return NULL;
    part->a = node;
    part->b = from;
    part->c = to;
    part->optional = optional && !slice;
    if (!weir__x_deep(p, part)) return NULL;
    if (!part->optional) return part;
    x_node *chain = weir__x_node(p, N_CHAIN, at);
    if (!chain) return NULL;
    chain->a = part;
    return weir__x_deep(p, chain);
}

x_node *weir__x_postfix(x_parser *p, x_node *node) {
    while (node) {
        size_t at = x_current(p)->at;
        bool optional = x_is(p, T_OP, "?.");
        if (optional || x_is(p, T_OP, ".")) {
            x_advance(p);
            if (optional && x_is(p, T_BRACKET, "[")) {
                at = x_current(p)->at;
                x_advance(p);
                node = parse_place(p, node, at, true);
            } else {
                node = parse_member(p, node, optional);
            }
        } else if (weir__x_accept(p, T_BRACKET, "[")) {
            node = parse_place(p, node, at, false);
        } else {
            return node;
        }
    }
    return NULL;
}

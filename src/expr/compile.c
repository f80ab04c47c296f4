#include <stdint.h>

#include "expr/compile_internal.h"
#include "expr/regexp.h"

size_t weir__x_emit(compiler *c, x_code code, size_t argument, const x_node *node) {
    *weir_vector_push(&c->out->steps) =
        (x_step){.code = (uint8_t)code, .argument = (uint32_t)argument, .at = node->at};
    return c->out->steps.count - 1;
}

/* What jumped at `from` goes on behind the last step. */
void weir__x_land(compiler *c, size_t from) {
    c->out->steps.items[from].argument = (uint32_t)c->out->steps.count;
}

static size_t constant(compiler *c, x value) {
    *weir_vector_push(&c->out->constants) = value;
    return c->out->constants.count - 1;
}

void weir__x_push_constant(compiler *c, x value, const x_node *node) {
    weir__x_emit(c, X_CONSTANT_CODE, constant(c, value), node);
}

static void call(compiler *c, const x_function *f, uint32_t n, const x_node *node) {
    *weir_vector_push(&c->out->functions) = f;
    size_t at = weir__x_emit(c, X_CALL_FUNCTION_CODE, c->out->functions.count - 1, node);
    c->out->steps.items[at].n = (uint8_t)n;
}

static const local *find_local(const compiler *c, weir_str name) {
    for (const local *l = c->locals; l; l = l->outer)
        if (weir_str_equal(l->name, name)) return l;
    return NULL;
}

static bool in_environment(const compiler *c, weir_str name) {
    return c->options->env && weir_member(c->options->env, name);
}

static bool is_sprig(const compiler *c, const x_node *node) {
    return node->kind == N_NAME && weir_str_is(node->text, "sprig") && !c->options->bare &&
           !find_local(c, node->text) && !in_environment(c, node->text);
}

static void compile_name(compiler *c, const x_node *node) {
    const local *l = find_local(c, node->text);
    if (l) {
        weir__x_emit(c, X_VARIABLE_CODE, l->place, node);
    } else if (weir_str_is(node->text, "$env")) {
        weir__x_emit(c, X_ENVIRONMENT_CODE, 0, node);
    } else if (is_sprig(c, node)) {
        weir__x_emit(c, X_SPRIG_CODE, 0, node);
    } else { /* what nobody looked at may be missing; so may the name of a function, which is no value */
        size_t at = weir__x_emit(c, X_LOAD_CODE, constant(c, x_str(node->text)), node);
        c->out->steps.items[at].n = !node->checked || weir__x_builtin(node->text);
    }
}

/* Literals, and numbers with a sign. */
static bool is_literal(const x_node *node, x *out) {
    switch ((x_node_kind)node->kind) {
    case N_BOOL: *out = x_bool(node->integer != 0); return true;
    case N_INT: *out = x_int(node->integer); return true;
    case N_FLOAT: *out = x_float(node->number); return true;
    case N_STRING: *out = x_str(node->text); return true;
    case N_UNARY:
        if (!is_literal(node->a, out)) return false;
        if (node->op == OP_NOT) {
            if (out->kind == X_BOOL) out->boolean = !out->boolean;
            return out->kind == X_BOOL;
        }
        if (!x_is_number(out)) return false;
        if (node->op == OP_SUB && out->kind == X_INT)
            out->integer = (int64_t)(0 - (uint64_t)out->integer);
        if (node->op == OP_SUB && out->kind == X_FLOAT) out->number = -out->number;
        return true;
    default: return false;
    }
}

static bool is_bool(const x_node *node, bool *out) {
    x value;
    if (!is_literal(node, &value) || value.kind != X_BOOL) return false;
    *out = value.boolean;
    return true;
}

/* && and ||. Where one side is a constant the whole is that, or the other side, whatever it is. */
static void compile_logic(compiler *c, const x_node *node) {
    bool decides = node->op == OP_OR, left, right;
    bool has_left = is_bool(node->a, &left), has_right = is_bool(node->b, &right);
    if (has_left && left != decides) {
        weir__x_compile_node(c, node->b);
    } else if (has_right && right != decides) {
        weir__x_compile_node(c, node->a);
    } else if (has_left || has_right) {
        weir__x_push_constant(c, x_bool(decides), node);
    } else {
        weir__x_compile_node(c, node->a);
        size_t end = weir__x_emit(c, decides ? X_IF_TRUE_CODE : X_IF_FALSE_CODE, 0, node);
        weir__x_emit(c, X_POP_CODE, 0, node);
        weir__x_compile_node(c, node->b);
        weir__x_land(c, end);
    }
}

static bool only_texts(const x_node *list) {
    bool texts = list->kind == N_LIST && list->first;
    for (const x_node *i = texts ? list->first : NULL; i; i = i->next)
        texts = texts && i->kind == N_STRING;
    return texts;
}

static void compile_in(compiler *c, const x_node *node) {
    x low, high;
    const x_node *range = node->b;
    weir__x_compile_node(c, node->a);
    if (node->a->checked && node->a->type.kind == X_INT && range->kind == N_BINARY &&
        range->op == OP_RANGE && is_literal(range->a, &low) && is_literal(range->b, &high) &&
        low.kind == X_INT && high.kind == X_INT) {
        weir__x_push_constant(c, low, range);
        weir__x_emit(c, X_AT_LEAST_CODE, 0, node);
        size_t end = weir__x_emit(c, X_IF_FALSE_CODE, 0, node);
        weir__x_emit(c, X_POP_CODE, 0, node);
        weir__x_compile_node(c, node->a);
        weir__x_push_constant(c, high, range);
        weir__x_emit(c, X_AT_MOST_CODE, 0, node);
        weir__x_land(c, end);
        return;
    }
    weir__x_compile_node(c, node->b);
    weir__x_emit(c, only_texts(node->b) ? X_IN_TEXTS_CODE : X_IN_CODE, 0, node);
}

static void compile_matches(compiler *c, const x_node *node) {
    char why[160];
    weir__x_compile_node(c, node->a);
    if (node->b->kind != N_STRING) {
        weir__x_compile_node(c, node->b);
        weir__x_emit(c, X_MATCHES_CODE, 0, node);
        return;
    }
    weir__regexp *pattern = weir__regexp_new(node->b->text, why);
    if (!pattern) {
        weir_fail(c->error, WEIR_INVALID, "the pattern is wrong: %s", why);
        weir__x_place(c->out->text, node->b->at, c->error);
        c->ok = false;
        return;
    }
    *weir_vector_push(&c->out->patterns) = pattern;
    weir__x_emit(c, X_MATCHES_PATTERN_CODE, c->out->patterns.count - 1, node);
}

static void compile_binary(compiler *c, const x_node *node) {
    static const uint8_t codes[] = {
        [OP_EQ] = X_EQUAL_CODE,          [OP_NE] = X_DIFFERENT_CODE,  [OP_LT] = X_LESS_CODE,
        [OP_GT] = X_GREATER_CODE,        [OP_GE] = X_AT_LEAST_CODE,   [OP_LE] = X_AT_MOST_CODE,
        [OP_CONTAINS] = X_CONTAINS_CODE, [OP_STARTS] = X_STARTS_CODE, [OP_ENDS] = X_ENDS_CODE,
        [OP_RANGE] = X_RANGE_CODE};
    x_op op = (x_op)node->op;
    if (op == OP_AND || op == OP_OR) {
        compile_logic(c, node);
        return;
    }
    if (op == OP_IN || op == OP_MATCHES) {
        (op == OP_IN ? compile_in : compile_matches)(c, node);
        return;
    }
    weir__x_compile_node(c, node->a);
    if (op == OP_COALESCE) {
        size_t end = weir__x_emit(c, X_IF_NOT_NIL_CODE, 0, node);
        weir__x_emit(c, X_POP_CODE, 0, node);
        weir__x_compile_node(c, node->b);
        weir__x_land(c, end);
        return;
    }
    weir__x_compile_node(c, node->b);
    if (op < sizeof codes && codes[op])
        weir__x_emit(c, (x_code)codes[op], 0, node);
    else
        weir__x_emit(c, X_OPERATE_CODE,
                     (uint32_t)*weir__x_op_text(op) + (op == OP_POW ? '^' - '*' : 0), node);
}

static void compile_chain(compiler *c, const x_node *node) {
    chain here = {.outer = c->chains};
    c->chains = &here;
    weir__x_compile_node(c, node->a);
    for (size_t i = 0; i < here.jumps.count; i++) weir__x_land(c, here.jumps.items[i]);
    c->chains = here.outer;
    weir_vector_deinit(&here.jumps);
}

static void compile_member(compiler *c, const x_node *node) {
    weir__x_compile_node(c, node->a);
    if (node->optional && c->chains) {
        size_t jump = weir__x_emit(c, X_IF_NIL_CODE, 0, node);
        *weir_vector_push(&c->chains->jumps) = jump;
    }
    if (node->b->kind == N_STRING) {
        weir__x_emit(c, X_MEMBER_CODE, constant(c, x_str(node->b->text)), node);
    } else {
        weir__x_compile_node(c, node->b);
        weir__x_emit(c, X_FETCH_CODE, 0, node);
    }
}

static void compile_slice(compiler *c, const x_node *node) {
    weir__x_compile_node(c, node->a);
    if (node->b)
        weir__x_compile_node(c, node->b);
    else
        weir__x_push_constant(c, x_int(0), node);
    if (node->c)
        weir__x_compile_node(c, node->c);
    else
        weir__x_push_constant(c, x_int(INT64_MAX), node);
    weir__x_emit(c, X_SLICE_CODE, 0, node);
}

static bool too_many(compiler *c, const x_node *node) {
    if (node->size <= UINT8_MAX) return false;
    weir_fail(c->error, WEIR_LIMIT, "more than %d arguments", UINT8_MAX);
    weir__x_place(c->out->text, node->at, c->error);
    c->ok = false;
    return true;
}

/* What is to be called is nil, so the chain that the call is part of is: without the arguments, which are there already. */
static void leave_call(compiler *c, const x_node *node, const chain *callee) {
    size_t end = weir__x_emit(c, X_JUMP_CODE, 0, node);
    for (size_t i = 0; i < callee->jumps.count; i++) weir__x_land(c, callee->jumps.items[i]);
    if (node->size) weir__x_emit(c, X_POP_BELOW_CODE, node->size, node);
    *weir_vector_push(&callee->outer->jumps) = weir__x_emit(c, X_JUMP_CODE, 0, node);
    weir__x_land(c, end);
}

static void compile_call(compiler *c, const x_node *node) {
    const x_node *callee = node->a;
    const x_function *f = NULL;
    if (too_many(c, node)) return;
    if (callee->kind == N_NAME && !c->options->bare && !find_local(c, callee->text) &&
        !in_environment(c, callee->text))
        f = weir__x_addition(callee->text);
    else if (callee->kind == N_MEMBER && callee->b->kind == N_STRING && is_sprig(c, callee->a))
        f = weir__x_sprig(callee->b->text);
    for (const x_node *i = node->first; i; i = i->next) weir__x_compile_node(c, i);
    if (f) {
        call(c, f, node->size, node);
        return;
    }
    chain here = {.outer = c->chains};
    if (c->chains) c->chains = &here;
    weir__x_compile_node(c, callee);
    c->chains = here.outer;
    size_t at = weir__x_emit(c, X_CALL_CODE, 0, node);
    c->out->steps.items[at].n = (uint8_t)node->size;
    if (here.jumps.count) leave_call(c, node, &here);
    weir_vector_deinit(&here.jumps);
}

/* sum([a, b, c]) is a + (b + c), also for texts. */
static bool sum_of_items(compiler *c, const x_node *node) {
    const x_node *list = node->first;
    if (!weir_str_is(node->text, "sum") || node->size != 1 || list->kind != N_LIST ||
        list->size < 2)
        return false;
    bool literals = true;
    x value;
    for (const x_node *i = list->first; i; i = i->next)
        literals = literals && is_literal(i, &value);
    if (literals) return false;
    for (const x_node *i = list->first; i; i = i->next) weir__x_compile_node(c, i);
    for (uint32_t i = 1; i < list->size; i++) weir__x_emit(c, X_OPERATE_CODE, '+', node);
    return true;
}

static void compile_builtin(compiler *c, const x_node *node) {
    if (!node->function->call) {
        if (!sum_of_items(c, node)) weir__x_compile_loop(c, node);
        return;
    }
    if (too_many(c, node)) return;
    for (const x_node *i = node->first; i; i = i->next) weir__x_compile_node(c, i);
    call(c, node->function, node->size, node);
}

static void compile_let(compiler *c, const x_node *node) {
    weir__x_compile_node(c, node->a);
    local l = {.name = node->text, .place = c->out->variables++, .outer = c->locals};
    weir__x_emit(c, X_STORE_CODE, l.place, node);
    c->locals = &l;
    weir__x_compile_node(c, node->b);
    c->locals = l.outer;
}

static void compile_if(compiler *c, const x_node *node) {
    weir__x_compile_node(c, node->a);
    size_t otherwise = weir__x_emit(c, X_IF_FALSE_CODE, 0, node->a);
    weir__x_emit(c, X_POP_CODE, 0, node);
    weir__x_compile_node(c, node->b);
    size_t end = weir__x_emit(c, X_JUMP_CODE, 0, node);
    weir__x_land(c, otherwise);
    weir__x_emit(c, X_POP_CODE, 0, node);
    weir__x_compile_node(c, node->c);
    weir__x_land(c, end);
}

static void compile_list(compiler *c, const x_node *node) {
    bool literals = node->kind == N_LIST;
    x *items = literals ? weir_arena_alloc(&c->out->arena, (node->size + 1) * sizeof *items) : NULL;
    size_t n = 0;
    for (const x_node *i = node->first; i && literals; i = i->next)
        literals = is_literal(i, &items[n++]);
    if (literals) {
        weir__x_push_constant(c, weir__x_list(items, node->size, X_OF_ANY), node);
        return;
    }
    for (const x_node *i = node->first; i; i = i->next) weir__x_compile_node(c, i);
    weir__x_emit(c, node->kind == N_LIST ? X_LIST_CODE : X_MAP_CODE, node->size, node);
}

static void compile_sequence(compiler *c, const x_node *node) {
    for (const x_node *i = node->first; i; i = i->next) {
        weir__x_compile_node(c, i);
        if (i->next) weir__x_emit(c, X_POP_CODE, 0, node);
    }
}

static void compile_unary(compiler *c, const x_node *node) {
    x value;
    if (is_literal(node, &value)) {
        weir__x_push_constant(c, value, node);
        return;
    }
    weir__x_compile_node(c, node->a);
    if (node->op != OP_ADD)
        weir__x_emit(c, node->op == OP_NOT ? X_NOT_CODE : X_NEGATE_CODE, 0, node);
}

static void compile_pointer(compiler *c, const x_node *node) {
    x_code code = weir_str_is(node->text, "index") ? X_INDEX_CODE
                  : weir_str_is(node->text, "acc") ? X_ACCUMULATOR_CODE
                                                   : X_ITEM_CODE;
    weir__x_emit(c, code, 0, node);
}

void weir__x_compile_node(compiler *c, const x_node *node) {
    x value;
    if (!c->ok) return;
    switch ((x_node_kind)node->kind) {
    case N_NIL: weir__x_push_constant(c, x_nil(), node); break;
    case N_BOOL:
    case N_INT:
    case N_FLOAT:
    case N_STRING:
        if (is_literal(node, &value)) weir__x_push_constant(c, value, node);
        break;
    case N_NAME: compile_name(c, node); break;
    case N_UNARY: compile_unary(c, node); break;
    case N_BINARY: compile_binary(c, node); break;
    case N_CHAIN: compile_chain(c, node); break;
    case N_MEMBER: compile_member(c, node); break;
    case N_SLICE: compile_slice(c, node); break;
    case N_CALL: compile_call(c, node); break;
    case N_BUILTIN: compile_builtin(c, node); break;
    case N_PREDICATE: weir__x_compile_node(c, node->a); break;
    case N_POINTER: compile_pointer(c, node); break;
    case N_LET: compile_let(c, node); break;
    case N_SEQUENCE: compile_sequence(c, node); break;
    case N_IF: compile_if(c, node); break;
    case N_LIST:
    case N_MAP: compile_list(c, node); break;
    }
}

bool weir__x_compile(weir_expr *program, const weir_expr_options *options, weir_error *error) {
    compiler c = {.out = program, .options = options, .error = error, .ok = true};
    weir__x_compile_node(&c, program->tree);
    return c.ok;
}

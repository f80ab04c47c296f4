/* What the two files of the compiler share. */
#ifndef WEIR_EXPR_COMPILE_INTERNAL_H
#define WEIR_EXPR_COMPILE_INTERNAL_H

#include "expr/expr_internal.h"

/* Jumps of a chain `a?.b.c` that lead to its end. */
typedef struct chain {
    WEIR_VECTOR(size_t) jumps;
    struct chain *outer;
} chain;

typedef struct local {
    weir_str name;
    uint32_t place;
    const struct local *outer;
} local;

typedef struct compiler {
    weir_expr *out;
    const weir_expr_options *options;
    weir_error *error;
    chain *chains;
    const local *locals;
    bool ok;
} compiler;

/* The place of the new step. */
size_t weir__x_emit(compiler *c, x_code code, size_t argument, const x_node *node);
/* What jumped at `from` goes on behind the last step. */
void weir__x_land(compiler *c, size_t from);
void weir__x_push_constant(compiler *c, x value, const x_node *node);
void weir__x_compile_node(compiler *c, const x_node *node);
/* A function with a predicate. */
bool weir__x_compile_loop(compiler *c, const x_node *node);

#endif

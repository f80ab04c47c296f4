/* What the two files of conditions share: tokens. */
#ifndef WEIR_EXPR_CONDITION_INTERNAL_H
#define WEIR_EXPR_CONDITION_INTERNAL_H

#include "expr/condition.h"
#include "expr/expr_internal.h"

typedef enum kind {
    START,
    PREFIX,
    NUMERIC,
    BOOLEAN,
    STRING,
    TIME,
    VARIABLE,
    SEPARATOR,
    COMPARATOR,
    LOGICALOP,
    MODIFIER,
    CLAUSE,
    CLAUSE_CLOSE,
    TERNARY,
    KINDS
} kind;

#define BIT(kind) (1u << (kind))

typedef struct token {
    kind kind;
    size_t at;
    x value; /* of an operator: its text */
} token;

typedef struct condition {
    weir_str text;
    size_t at;
    weir_error *error;
    weir_arena arena;
    WEIR_VECTOR(token) tokens;
    size_t next;
    int depth;
    bool failed;
} condition;

extern const char *const weir__condition_kinds[]; /* as govaluate names them */

bool weir__condition_fail(condition *c, size_t at, weir_code code, const char *format, ...)
    WEIR_PRINTF(4, 5);
/* As Go's %v; at most `size` bytes. */
const char *weir__condition_show(const x *v, char *out, size_t size);
/* All tokens of the text. */
bool weir__condition_read(condition *c);
/* Whether each may follow the one before; `words`: bare words are texts already. */
bool weir__condition_check(condition *c, bool words);

#endif

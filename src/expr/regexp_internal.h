/* What the two files of regular expressions share: the compiled form. */
#ifndef WEIR_EXPR_REGEXP_INTERNAL_H
#define WEIR_EXPR_REGEXP_INTERNAL_H

#include <stdint.h>

#include "base/vector.h"
#include "expr/regexp.h"

typedef struct re_range {
    uint32_t low, high;
} re_range;

typedef struct re_class {
    WEIR_VECTOR(re_range) ranges;
    bool negated, fold;
} re_class;

typedef enum re_assert {
    RE_LINE_BEGIN,
    RE_LINE_END,
    RE_TEXT_BEGIN,
    RE_TEXT_END,
    RE_WORD,
    RE_NO_WORD
} re_assert;

typedef enum re_code {
    RE_CHARACTER,
    RE_CLASS,
    RE_ANY,
    RE_ASSERT,
    RE_SAVE,
    RE_SPLIT,
    RE_JUMP,
    RE_MATCH
} re_code;

/* A split prefers `to`. */
typedef struct re_step {
    uint8_t code;
    bool flag;   /* of a character: case does not count; of RE_ANY: line ends, too */
    uint32_t to; /* also the character, the class, the place, what is asserted */
    uint32_t other;
} re_step;

struct weir__regexp {
    WEIR_VECTOR(re_step) steps;
    WEIR_VECTOR(re_class) classes;
    WEIR_VECTOR(char *) names;
    size_t groups;
};

/* --- the tree that is parsed and compiled */

typedef enum re_kind {
    RN_EMPTY,
    RN_CHARACTER,
    RN_CLASS,
    RN_ANY,
    RN_ASSERT,
    RN_GROUP,
    RN_REPEAT,
    RN_SEQUENCE,
    RN_CHOICE
} re_kind;

typedef struct re_node re_node;
struct re_node {
    re_kind kind;
    bool flag; /* fold, line ends too, greedy */
    uint32_t
        value; /* the character, the class, the assertion, the group; what a repetition begins with */
    int most; /* of a repetition; -1: any number */
    re_node *first, *next;
};

/* Appends the steps; more than WEIR__REGEXP_STEPS_MAX are not all there. */
void weir__regexp_compile(weir__regexp *r, const re_node *tree);

#endif

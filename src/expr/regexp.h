/* Regular expressions in RE2's syntax, as Go's package regexp has it: leftmost match, the first alternative wins. Matching takes
 * time in proportion to text times pattern, whatever these are. A pattern is immutable; any thread. Source of the algorithm: Pike's
 * simulation, as in Cox, "Regular Expression Matching: the Virtual Machine Approach". */
#ifndef WEIR_EXPR_REGEXP_H
#define WEIR_EXPR_REGEXP_H

#include "base/text.h"

enum {
    WEIR__REGEXP_STEPS_MAX = 10000, /* of a compiled pattern */
    WEIR__REGEXP_REPEAT_MAX = 1000,
    WEIR__REGEXP_DEPTH_MAX = 250,
    WEIR__REGEXP_GROUPS_MAX = 100,
};

typedef struct weir__regexp weir__regexp;

/* NULL: `why` says what is wrong. */
weir__regexp *weir__regexp_new(weir_str expression, char why[static 160]);
void weir__regexp_free(weir__regexp *pattern); /* NULL is allowed */
/* Groups, the whole not counted; the name of one, from 1, empty if it has none. */
size_t weir__regexp_groups(const weir__regexp *pattern);
weir_str weir__regexp_name(const weir__regexp *pattern, size_t group);
/* What it costs to look through a text, in steps. */
size_t weir__regexp_cost(const weir__regexp *pattern, size_t length);
/* The first match that begins at `from` or later. `places` (room for 2 (groups + 1), or NULL: only whether) becomes begin and end of
 * the whole and of each group, SIZE_MAX for one that took no part. */
bool weir__regexp_find(const weir__regexp *pattern, weir_str text, size_t from, size_t *places);

#endif

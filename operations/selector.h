/* CSS selectors, compiled once and matched against a whole tree of libxml2 in one walk.
 *
 * A selector is a list of compounds ("a.big[href]"), each with what joins it to the one before it. Walking the tree in
 * document order, each element gets a set of the compounds that hold for it, the way to them included: that follows from
 * the sets of its parent, of what is above, and of what stands before it. So the time is elements times compounds whatever
 * the selector is, and nothing is ever tried again.
 *
 * Known: tag, *, #id, .class, [a], [a=v] with ^= $= *= ~= |=, :first-child, :last-child, :only-child, :nth-child(an+b),
 * :not(…) of the former, the combinators ' ', >, +, ~ and the comma. Immutable once compiled; one thread compiles. */
#ifndef WEIR_OPERATIONS_SELECTOR_H
#define WEIR_OPERATIONS_SELECTOR_H

#include <libxml/tree.h>

#include <weir/value.h>

/* A set of compounds is one number. */
enum {
    WEIR__COMPOUNDS_MAX = 64,
    WEIR__TESTS_MAX = 256,
    WEIR__SELECTOR_BYTES_MAX = 4096,
    WEIR__ELEMENT_DEPTH_MAX = 1024
};

typedef enum weir__test_kind {
    WEIR__TEST_TAG,
    WEIR__TEST_HAS,      /* [a] */
    WEIR__TEST_IS,       /* [a=v] */
    WEIR__TEST_BEGINS,   /* [a^=v] */
    WEIR__TEST_ENDS,     /* [a$=v] */
    WEIR__TEST_CONTAINS, /* [a*=v] */
    WEIR__TEST_WORD,     /* [a~=v], .v */
    WEIR__TEST_DASH,     /* [a|=v] */
    WEIR__TEST_NTH       /* :nth-child(step n + first), counted from the end with `last` */
} weir__test_kind;

typedef struct weir__test {
    weir__test_kind kind;
    bool negated, last;
    uint32_t name, value, value_length; /* places in `texts`; names end with NUL */
    int32_t step, first;
} weir__test;

typedef struct weir__compound {
    uint32_t tests_from, tests_to;
    char joined; /* ' ', '>', '+', '~'; 0: nothing is before it */
} weir__compound;

typedef struct weir__selector {
    weir__compound *compounds;
    weir__test *tests;
    char *texts; /* names and values, without their escapes */
    uint32_t compound_count, test_count, text_length;
    uint64_t ends; /* the compounds that a match ends with */
} weir__selector;

typedef struct weir__selector_problem {
    size_t column; /* in bytes, from 1 */
    const char *text;
} weir__selector_problem;

/* How much memory a selector of that text takes: what its compounds, tests and texts may need at most. */
size_t weir__selector_bytes(weir_str text);
/* Compiles into `memory`, of weir__selector_bytes(text) bytes, aligned for any type. NULL when it is no selector, is not
 * known, or is too long. */
weir__selector *weir__selector_compile(weir_str text, void *memory,
                                       weir__selector_problem *problem);

typedef enum weir__walk { WEIR__WALK_ON, WEIR__WALK_STOP } weir__walk;

/* Visits the elements below `root` that match, in document order, each once, until `visit` says stop. False when the
 * tree is deeper than WEIR__ELEMENT_DEPTH_MAX. */
WEIR_CHECKED bool weir__selector_each(const weir__selector *selector, xmlNode *root,
                                      weir__walk (*visit)(xmlNode *element, void *arg), void *arg);

#endif

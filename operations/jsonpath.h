/* JSONPath (RFC 9535): a path is parsed to a tree, which is then walked with the value.
 *
 * The tree is in the memory of the call and borrows from the path's text. Walking allocates nothing but for patterns
 * and results: where a value stands is a chain of steps on the stack. */
#ifndef WEIR_OPERATIONS_JSONPATH_H
#define WEIR_OPERATIONS_JSONPATH_H

#include <weir/operation.h>

enum { PATH_BYTES_MAX = 64 * 1024, PATH_SEGMENTS_MAX = 256, PATH_DEPTH_MAX = 32 };

typedef struct weir__expression weir__expression;

typedef enum weir__selector_kind {
    WEIR__SELECT_NAME,
    WEIR__SELECT_ALL,
    WEIR__SELECT_INDEX,
    WEIR__SELECT_SLICE,
    WEIR__SELECT_FILTER
} weir__selector_kind;

typedef struct weir__selector {
    weir__selector_kind kind;
    weir_str name;
    int64_t index;            /* also where a slice starts */
    int64_t end, step;        /* of a slice */
    bool has_start, has_end;  /* of a slice */
    weir__expression *filter; /* what must hold */
    struct weir__selector *next;
} weir__selector;

typedef struct weir__segment {
    bool descendants; /* of the values so far, and these themselves */
    weir__selector *selectors;
    struct weir__segment *next;
} weir__segment;

typedef struct weir__path {
    bool relative; /* begins at @, the value that a filter looks at; else at $ */
    bool singular; /* gives one value at most */
    weir__segment *segments;
} weir__path;

typedef enum weir__expression_kind {
    WEIR__OR,
    WEIR__AND,
    WEIR__NOT,
    WEIR__COMPARISON,
    WEIR__PATH, /* as a test: whether it gives any value */
    WEIR__LITERAL,
    WEIR__LENGTH,
    WEIR__COUNT,
    WEIR__MATCH,
    WEIR__SEARCH,
    WEIR__VALUE
} weir__expression_kind;

struct weir__expression {
    weir__expression_kind kind;
    char relation; /* of a comparison: '=', '!', '<', 'l' for <=, '>', 'g' for >= */
    weir__expression *left, *right; /* also the arguments of a function */
    weir__path path;
    weir_value *literal;         /* freed with weir__jsonpath_free */
    weir__expression *following; /* of all that have a literal: the next */
};

typedef struct weir__jsonpath {
    weir__path path;
    weir__expression *literals;
} weir__jsonpath;

/* False: the call has failed with the place of what is wrong. Ended with free in both cases. */
bool weir__jsonpath_parse(const weir_host *host, weir_call *call, weir_str text,
                          weir__jsonpath *out);
void weir__jsonpath_free(const weir_host *host, weir__jsonpath *path);

/* The operation. */
bool weir__jsonpath_query(const weir_host *host, weir_call *call);

#endif

/* Expressions: the language of expr-lang 1.17 with Argo's additions and sprig's functions, compiled once, evaluated often.
 *
 * Compiling gives an immutable program, which any thread may evaluate, several at once. An evaluation is pure: no clock, no
 * randomness, no files; what of those an expression wants the caller gives. It ends: instructions, memory, text and nesting
 * have limits, below, and beyond one it is an error with code LIMIT.
 *
 * Errors carry line and column within the text, both from 1; the column counts characters. SYNTAX: it cannot be read;
 * INVALID: its types or its values do not fit; UNSUPPORTED: a function that weir does not have. docs/reference/expressions.md
 * describes the language. */
#ifndef WEIR_EXPR_EXPR_H
#define WEIR_EXPR_EXPR_H

#include "data/value.h"

enum {
    WEIR_EXPR_BYTES_MAX = 1024 * 1024,      /* of text */
    WEIR_EXPR_NODES_MAX = 10000,            /* of its tree */
    WEIR_EXPR_DEPTH_MAX = 500,              /* of its tree */
    WEIR_EXPR_STEPS_MAX = 20 * 1000 * 1000, /* instructions, and what loops of functions come to */
    WEIR_EXPR_ITEMS_MAX = 1000 * 1000,      /* of lists that one evaluation makes */
    WEIR_EXPR_MEMORY_MAX = 128 * 1024 * 1024, /* bytes that one evaluation takes */
};

typedef struct weir_expr weir_expr;

typedef struct weir_expr_options {
    /* What the names stand for, an object: a name that is not there is an error, and types are checked. NULL: any name is
     * allowed, and types are known where the text says them. Only read while compiling. */
    const weir_value *env;
    bool floats;  /* integers of `env` are floats, as Go reads JSON */
    bool partial; /* names beyond those of `env` are allowed */
    bool bare;    /* without Argo's additions and without `sprig` */
} weir_expr_options;

/* What an evaluation sees. */
typedef struct weir_expr_world {
    weir_value *env; /* the names, an object; borrowed; NULL: `lookup` knows them */
    /* The value of a name, borrowed, or NULL: there is none. */
    weir_value *(*lookup)(void *arg, weir_str name);
    void *lookup_arg;
    bool floats;    /* integers of the environment are floats */
    int64_t now_ns; /* what `now()` gives: since 1970, in nanoseconds */
    uint64_t seed;  /* of random functions: the same seed gives the same values */
    /* Appends the TZif file (RFC 9636) of a time zone, or returns false: there is none. NULL: UTC only. */
    bool (*zone)(void *arg, weir_str name, weir_buffer *out);
    void *zone_arg;
} weir_expr_world;

/* NULL: the error says what is wrong, and where. `options` may be NULL. The text is copied. */
weir_expr *weir_expr_compile(weir_str text, const weir_expr_options *options, weir_error *error);
/* NULL is allowed. */
void weir_expr_free(weir_expr *expr);

/* A new reference to what the expression gives, or NULL. Infinities and NaN are the texts "+Inf", "-Inf" and "NaN", durations
 * integers (nanoseconds), moments texts (RFC 3339). `world` may be NULL. */
weir_value *weir_expr_eval(const weir_expr *expr, const weir_expr_world *world, weir_error *error);
/* The same as text: a text as it is, anything else as JSON, nil as `<nil>`; *is_nil (may be NULL) says whether it is nil. */
WEIR_CHECKED bool weir_expr_render(const weir_expr *expr, const weir_expr_world *world,
                                   weir_buffer *out, bool *is_nil, weir_error *error);
/* Evaluates a condition: anything but true and false is an error. */
WEIR_CHECKED bool weir_expr_test(const weir_expr *expr, const weir_expr_world *world, bool *result,
                                 weir_error *error);

/* Calls back with each name of the environment that the expression refers to, with the members that are written out:
 * `inputs.parameters.a` and `inputs.parameters['a']` give "inputs.parameters.a", in the order of the text. Stops when the
 * callback returns false. */
void weir_expr_names(const weir_expr *expr, bool (*visit)(void *arg, weir_str name), void *arg);

#endif

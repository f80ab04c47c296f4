/* What the files of the expression language share: values, trees, programs, the machine.
 *
 * A value (`x`) is 16 bytes and owns nothing: what it points to belongs to the evaluation's arena, to the program or to the
 * caller's environment, and lives as long as the evaluation. Lists and texts are never changed; maps are shared by reference,
 * as Go has it. Lists and maps of the environment are read where they are (`X_FOREIGN`). */
#ifndef WEIR_EXPR_EXPR_INTERNAL_H
#define WEIR_EXPR_EXPR_INTERNAL_H

#include "expr/expr.h"

typedef enum x_kind {
    X_NIL,
    X_BOOL,
    X_INT,
    X_FLOAT,
    X_STRING,
    X_LIST,
    X_MAP,
    X_DURATION,
    X_TIME,
    X_ZONE,
    X_WEEKDAY,
    X_MONTH,
    X_FUNCTION,
    X_METHOD, /* a function with the value that it belongs to */
    X_SPRIG,  /* the functions of sprig */
    X_SEMVER,
    X_UNKNOWN, /* of types only */
    X_KINDS
} x_kind;

/* `sub` of an integer: Go's type. Of a list: the kind of its items where Go fixes it. Of a map: these. */
enum { X_GO_INT, X_GO_INT64, X_GO_UINT8, X_GO_INT32 };
enum {
    X_OF_ANY,
    X_KEYS_ANY = 1,
    X_OF_INT = 1,
    X_OF_STRING = 2,
    X_OF_LISTS = 3,
    X_IS_ANY = 1,
    X_NO_LIST = 0x20, /* Go's nil as a list: has nothing, and is null in JSON */
    X_FLOATS = 0x40,
    X_FOREIGN = 0x80
};

typedef struct x x;
typedef struct x_map x_map;
typedef struct x_function x_function;
typedef struct x_zone x_zone;
typedef struct x_semver x_semver;

typedef struct x_time {
    int64_t seconds; /* since 1970, UTC */
    int32_t nanos;
    int32_t offset; /* of the zone at that moment, seconds east */
    const x_zone *zone;
    char name[8]; /* of the zone at that moment */
} x_time;

struct x {
    uint8_t kind, sub;
    uint32_t length; /* of a string or list */
    union {
        bool boolean;
        int64_t integer;
        double number;
        const char *text;
        const x *items;
        x_map *map;
        const weir_value *foreign;
        const x_time *time;
        const x_zone *zone;
        const x_function *function;
        const struct x_method *method;
        const x_semver *semver;
    };
};

typedef struct x_entry {
    x key, value;
} x_entry;

struct x_map {
    x_entry *entries;
    uint32_t count, capacity;
    uint32_t
        *slots; /* of a hash table of places + 1, when there are many entries; a power of two */
    uint32_t slot_count;
};

typedef struct x_method {
    x self;
    const x_function *function;
} x_method;

typedef struct x_machine x_machine;
typedef bool x_call(x_machine *m, const x *a, int n, x *out);

/* Signatures, separated by `|`: a letter for each parameter, `*` when the last may come any number of times, `:` and what it
 * gives. s string, i integer, I integer, or a number that becomes one, j Go's int, J Go's int64, f float64, n number, b bool, a anything, l list, m map, d map with text keys
 * t time, u duration, z zone, v version; and V what `int` takes, W what `float` takes, C what has a length, N what counts as a number for `max`; Q number or list, A list:
 * of these the function itself looks at values whose type was not known. What it gives: the same, and S list of strings, 0 the type of the first argument, 1 that of its items, M a map with
 * any keys. An `@` before all: called as Go's reflection does it, nil is the zero value of a parameter. */
struct x_function {
    const char *name, *signature;
    x_call *call;
};

/* --- values */
static inline x x_nil(void) {
    return (x){.kind = X_NIL};
}
/* Go's nil as a list of such items. */
static inline x x_no_list(uint8_t of) {
    return (x){.kind = X_LIST, .sub = of | X_NO_LIST};
}
static inline bool x_is_nil(const x *v) {
    return v->kind == X_NIL || (v->kind == X_LIST && (v->sub & X_NO_LIST));
}
static inline x x_bool(bool b) {
    return (x){.kind = X_BOOL, .boolean = b};
}
static inline x x_int(int64_t i) {
    return (x){.kind = X_INT, .integer = i};
}
static inline x x_int64(int64_t i) {
    return (x){.kind = X_INT, .sub = X_GO_INT64, .integer = i};
}
static inline x x_float(double f) {
    return (x){.kind = X_FLOAT, .number = f};
}
static inline x x_str(weir_str s) {
    return (x){.kind = X_STRING, .length = (uint32_t)s.length, .text = s.data ? s.data : ""};
}
static inline weir_str x_text(const x *v) {
    return (weir_str){v->text, v->length};
}
static inline bool x_is_foreign(const x *v) {
    return (v->sub & X_FOREIGN) != 0;
}

/* What of the environment or of a parsed JSON text is a value; `flags`: X_FLOATS. */
x weir__x_from(const weir_value *value, uint8_t flags);
/* A new reference; NULL when nested too deep. */
weir_value *weir__x_to(x_machine *m, const x *v);
size_t weir__x_count(const x *v); /* of a list or map */
x weir__x_at(const x *list, size_t index);
/* The items as they stand one behind the other. */
const x *weir__x_items(x_machine *m, const x *list);
x_entry weir__x_entry(const x *map, size_t index);
bool weir__x_get(const x *map, const x *key, x *out);
x weir__x_map_new(x_machine *m, uint8_t sub);
void weir__x_put(x_machine *m, const x *map, x key, x value);
bool weir__x_delete(x_machine *m, const x *map, const x *key);
/* A map that may be changed: itself, or a copy of one of the environment. */
x weir__x_own(x_machine *m, const x *map);
x weir__x_list(const x *items, size_t count, uint8_t sub);
x *weir__x_list_new(x_machine *m, size_t count);
/* Places of a map's entries in the order of their keys. */
const uint32_t *weir__x_sorted(x_machine *m, const x *map);
/* As Go's reflect.DeepEqual and as the map's keys have it: types count. */
bool weir__x_same(x_machine *m, const x *a, const x *b, int depth);
const char *weir__x_go_type(const x *v); /* "map[string]interface {}" */

/* --- operators (arithmetic.c); false: the machine has the error */
bool weir__x_equal(x_machine *m, const x *a, const x *b);
/* What Go's `a OP b` would be: below 0, 0, above 0; *ordered is false for NaN. */
bool weir__x_compare(x_machine *m, const char *op, const x *a, const x *b, int *out, bool *ordered);
bool weir__x_operate(x_machine *m, char op, const x *a, const x *b, x *out); /* + - * / % ^ */
bool weir__x_in(x_machine *m, const x *needle, const x *where, bool *out);
bool weir__x_fetch(x_machine *m, const x *from, const x *key, bool soft, x *out);
bool weir__x_slice(x_machine *m, const x *of, const x *from, const x *to, x *out);
/* Functions that the language and sprig have alike: of a map; of lists. */
bool weir__x_values(x_machine *m, const x *arguments, int count, x *out);
bool weir__x_concat(x_machine *m, const x *arguments, int count, x *out);
static inline bool x_is_number(const x *v) {
    return v->kind == X_INT || v->kind == X_FLOAT;
}
static inline double x_number(const x *v) {
    return v->kind == X_INT ? (double)v->integer : v->number;
}
int64_t weir__x_truncate(double f); /* as Go's int(f) on amd64 */

/* --- text (format.c) */
void weir__x_print(x_machine *m, const x *v, weir_buffer *out); /* Go's %v */
enum { X_JSON_HTML = 1, X_JSON_INDENT = 2 };
bool weir__x_json(x_machine *m, const x *v, int flags, weir_buffer *out);
void weir__x_quote(weir_str text, weir_buffer *out); /* Go's %q */

/* --- types */
typedef struct x_type {
    uint8_t kind; /* x_kind */
    uint8_t sub;
    const struct x_type *items; /* of a list or map; NULL: unknown */
} x_type;

/* --- the tree */
typedef enum x_node_kind {
    N_NIL,
    N_BOOL,
    N_INT,
    N_FLOAT,
    N_STRING,
    N_NAME,
    N_UNARY,
    N_BINARY,
    N_CHAIN,
    N_MEMBER,
    N_SLICE,
    N_CALL,
    N_BUILTIN,
    N_PREDICATE,
    N_POINTER,
    N_LET,
    N_SEQUENCE,
    N_IF,
    N_LIST,
    N_MAP
} x_node_kind;

typedef enum x_op {
    OP_NONE,
    OP_PIPE,
    OP_OR,
    OP_AND,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_GT,
    OP_GE,
    OP_LE,
    OP_IN,
    OP_MATCHES,
    OP_CONTAINS,
    OP_STARTS,
    OP_ENDS,
    OP_RANGE,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_POW,
    OP_COALESCE,
    OP_NOT
} x_op;

typedef struct x_node x_node;
struct x_node {
    uint8_t kind, op;
    bool optional, method, checked;
    uint16_t depth;
    uint32_t at;   /* place in the text, bytes */
    uint32_t size; /* number of members of a list */
    weir_str text; /* of strings, names and builtins */
    union {
        int64_t integer;
        double number;
        const x_function *function; /* of N_BUILTIN */
    };
    x_node *a, *b, *c;    /* parts */
    x_node *first, *next; /* arguments, items; keys and values in turn */
    x_type type;
};

typedef struct x_parser {
    weir_str text;
    weir_arena *arena;
    bool bare;
    weir_error *error;
    uint32_t nodes;
    int predicates, depth;
    struct x_token *tokens;
    size_t at;
} x_parser;

typedef enum x_token_kind {
    T_EOF,
    T_NAME,
    T_NUMBER,
    T_STRING,
    T_BYTES,
    T_OP,
    T_BRACKET
} x_token_kind;
typedef struct x_token {
    uint8_t kind;
    uint32_t at, end;
    weir_str text; /* of a string: what it stands for */
} x_token;

/* Line and column, from 1, of a place in a text. */
void weir__x_place(weir_str text, size_t at, weir_error *error);
x_token *weir__x_lex(weir_arena *arena, weir_str text, weir_error *error);
x_node *weir__x_parse(weir_arena *arena, weir_str text, bool bare, weir_error *error);
bool weir__x_check(weir_arena *arena, weir_str text, x_node *tree, const weir_expr_options *options,
                   weir_error *error);
bool weir__x_word(weir_str text); /* whether it could be a name */
const char *weir__x_op_text(x_op op);
const char *weir__x_type_text(const x_type *type);

/* --- functions */
const x_function *weir__x_builtin(weir_str name);
const x_function *
weir__x_predicate(weir_str name); /* all, map, ...: their signature tells how many arguments */
const x_function *weir__x_addition(weir_str name); /* Argo's */
const x_function *weir__x_sprig(weir_str name);
const x_function *weir__x_method(const x *self, uint8_t kind, weir_str name);
/* sprig_versions.c: what a version has, as it is written, and whether two are written alike. */
extern const x_function weir__semver_methods[];
void weir__semver_print(const x_semver *version, weir_buffer *out);
bool weir__semver_same(const x_semver *a, const x_semver *b);
void weir__x_nearest_function(weir_nearest *nearest, bool sprig);
/* Whether these arguments fit a signature; the machine has the error if not. */
bool weir__x_fits(x_machine *m, const x_function *f, const x *a, int n);
/* For the checker: the type that a call gives, or why it is none. */
bool weir__x_check_call(const x_function *f, const x_type *types, int n, x_type *out, int *wrong,
                        char why[static 160]);
bool weir__x_run_function(x_machine *m, const x_function *f, const x *a, int n, x *out);

/* --- the program */
typedef struct x_step {
    uint8_t code, n;
    uint32_t argument, at;
} x_step;

typedef struct weir__regexp weir__regexp;

struct weir_expr {
    weir_arena arena;
    weir_str text;
    x_node *tree;
    WEIR_VECTOR(x_step) steps;
    WEIR_VECTOR(x) constants;
    WEIR_VECTOR(weir__regexp *) patterns;
    WEIR_VECTOR(const x_function *) functions;
    uint32_t variables;
};

/* clang-format off */
#define X_CODES(C) \
    C(CONSTANT) C(LOAD) C(VARIABLE) C(STORE) C(ENVIRONMENT) C(SPRIG) C(FETCH) C(MEMBER) C(NEGATE) \
    C(NOT) C(EQUAL) C(DIFFERENT) C(LESS) C(GREATER) C(AT_LEAST) C(AT_MOST) C(IN) C(IN_TEXTS) \
    C(MATCHES) C(MATCHES_PATTERN) C(CONTAINS) C(STARTS) C(ENDS) C(RANGE) C(OPERATE) C(JUMP) \
    C(BACK) C(IF_TRUE) C(IF_FALSE) C(IF_NIL) C(IF_NOT_NIL) C(SLICE) C(CALL) C(CALL_FUNCTION) \
    C(LIST) C(MAP) C(POP) C(POP_BELOW) C(BEGIN) C(END) C(IF_END) C(IF_START) C(NEXT) C(PREVIOUS) \
    C(TO_LAST) C(INDEX) C(ACCUMULATOR) C(ACCUMULATE) C(ITEM) C(COUNT_ONE) C(COUNT) C(TAKE) \
    C(ADD_TO) C(EMPTY) C(GROUPS) C(GROUP) C(SORTS) C(SORTED)
/* clang-format on */
typedef enum x_code {
#define C(name) X_##name##_CODE,
    X_CODES(C)
#undef C
} x_code;

bool weir__x_compile(weir_expr *program, const weir_expr_options *options, weir_error *error);

/* --- the machine */
typedef struct x_scope {
    x list;
    int64_t index, count, length;
    x accumulator;
    bool descending;
    size_t base; /* of the stack */
} x_scope;

struct x_machine {
    const weir_expr *program;
    const weir_expr_world *world;
    weir_error *error;
    weir_arena arena;
    size_t bytes, items;
    uint64_t steps;
    uint64_t random; /* state of the generator */
    x *stack;
    size_t top, capacity;
    x *variables;
    WEIR_VECTOR(x_scope) scopes;
    WEIR_VECTOR(weir_value *) owned;
    WEIR_VECTOR(weir__regexp *) patterns;
    weir_buffer scratch;
    bool failed;
    x inline_stack[24], inline_variables[4];
};

/* The machine fails with this; false. */
bool weir__x_fail(x_machine *m, weir_code code, const char *format, ...) WEIR_PRINTF(3, 4);
#ifdef __clang_analyzer__
#define weir__x_fail(...) (weir__x_fail(__VA_ARGS__), false)
#endif
/* Memory of the evaluation, zeroed. Whoever can make more of it than it was given asks first with weir__x_room. */
void *weir__x_alloc(x_machine *m, size_t size);
bool weir__x_room(x_machine *m, size_t bytes);
bool weir__x_items_room(x_machine *m, size_t items);
bool weir__x_spend(x_machine *m, size_t steps);
x weir__x_string(x_machine *m, weir_str text); /* a copy */
/* What a buffer has as a value of the machine; the buffer is cleared. */
x weir__x_take(x_machine *m, weir_buffer *buffer);
bool weir__x_run(x_machine *m, x *out);
void weir__x_push(x_machine *m, x value);
/* The last `count` values become a list. */
bool weir__x_make_list(x_machine *m, size_t count);
/* A step of a loop; *at is where to go on. */
bool weir__x_step_loop(x_machine *m, const x_step *step, uint32_t *at);
/* A pattern of this evaluation, compiled once if it is asked for again. NULL: the machine has the error. */
const weir__regexp *weir__x_pattern(x_machine *m, weir_str expression);

/* Sorts items in place by a comparison, stably; `keys` (may be NULL) are moved along and compared instead. */
bool weir__x_sort(x_machine *m, x *items, x *keys, size_t count, bool descending);
bool weir__x_parse_json(x_machine *m, weir_str text, x *out);
bool weir__x_jsonpath(x_machine *m, const x *value, weir_str path, x *out);

#endif

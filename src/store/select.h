/* Which runs are wanted: what `weir list` filters by. A selection borrows all its texts. The stores make SQL of it; a run's
 * record can also be held against it here. Pure; any thread. */
#ifndef WEIR_STORE_SELECT_H
#define WEIR_STORE_SELECT_H

#include "base/error.h"
#include "data/value.h"

enum {
    WEIR_LABELS_MAX = 64,     /* of a run */
    WEIR_LABEL_KEY_MAX = 128, /* bytes */
    WEIR_LABEL_VALUE_MAX = 256,
    WEIR_LABEL_TERMS_MAX = 8, /* of a selection */
    WEIR_PHASES_MAX = 6,
    WEIR_PATTERN_MAX = 1024 /* bytes */
};

typedef struct weir_label_term {
    weir_str key, value;
    enum { WEIR_LABEL_IS, WEIR_LABEL_IS_NOT, WEIR_LABEL_HAS, WEIR_LABEL_HAS_NOT } how;
} weir_label_term;

typedef struct weir_selection {
    weir_str phases[WEIR_PHASES_MAX]; /* any of these; none: whatever it is */
    size_t phase_count;
    weir_str kind; /* empty: any */
    weir_str name,
        file; /* patterns, see weir_pattern_matches; empty: any. A file's without '/' is of its last part */
    bool by_parent; /* only children of `parent`, or with an empty one only runs without a parent */
    weir_str parent;                              /* a name */
    weir_label_term labels[WEIR_LABEL_TERMS_MAX]; /* all of these */
    size_t label_count;
    uint64_t since_us, until_us; /* started from, and until; 0: whenever */
    uint64_t after;              /* only those behind the run of this number; 0: from the first */
    uint64_t limit;              /* 0: all */
    bool oldest_first;
} weir_selection;

/* '*' stands for any text, '?' for one character. */
bool weir_pattern_matches(weir_str pattern, weir_str text);

/* "KEY=VALUE", "KEY!=VALUE" (also of runs without KEY), "KEY" (there is one), "!KEY". USAGE when it is none of these. */
WEIR_CHECKED bool weir_label_term_parse(weir_str text, weir_label_term *out, weir_error *error);
/* Whether a run may have this label. INVALID when not. */
WEIR_CHECKED bool weir_label_check(weir_str key, weir_str value, weir_error *error);

/* --- what the stores make of it */

typedef enum weir__sql_dialect { WEIR__SQLITE, WEIR__POSTGRESQL } weir__sql_dialect;

enum { WEIR__SQL_VALUES_MAX = 96 };

/* The statement and its parameters, numbered from 1. */
typedef struct weir__sql {
    weir_buffer text;
    struct weir__sql_value {
        bool is_number;
        uint64_t number;
        weir_buffer text; /* owned */
    } values[WEIR__SQL_VALUES_MAX];
    size_t count;
} weir__sql;

/* Rows of id, name, kind, phase, file, owner, parent, created_us, finished_us, labels, number, in their order. */
void weir__selection_to_sql(const weir_selection *selection, weir__sql_dialect dialect,
                            weir__sql *out);
void weir__sql_deinit(weir__sql *sql);

#endif

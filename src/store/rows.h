/* Rows: what the relational tables beside the journal are told. The engine makes changes of rows from a run's events; a
 * store writes them, those of many batches at once, each row once.
 *
 * A change names a row by its key and has some of its columns: what it leaves out stays. So an insert and an update are
 * the same, the later wins, and changes of one row can be put together. Changes are encoded on the run's thread and read
 * on the store's; nothing of them is kept, so there is no version. The tables are in docs/reference/store.md. */
#ifndef WEIR_STORE_ROWS_H
#define WEIR_STORE_ROWS_H

#include "base/map.h"
#include "base/vector.h"

/* X(TABLE, table, COLUMNS), in an order in which no row refers to one of a later table. Behind `run`, a table has the columns
 * K (part of its key), N (a number) and T (a text). */
#define WEIR_TABLE_FORMS(X)                                                                        \
    X(CONTEXTS, contexts, WEIR_COLUMNS_CONTEXTS)                                                   \
    X(NODES, nodes, WEIR_COLUMNS_NODES)                                                            \
    X(TASKS, tasks, WEIR_COLUMNS_TASKS)                                                            \
    X(ATTEMPTS, attempts, WEIR_COLUMNS_ATTEMPTS)                                                   \
    X(LOCKS, locks, WEIR_COLUMNS_LOCKS)                                                            \
    X(DERIVED, derived, WEIR_COLUMNS_DERIVED)                                                      \
    X(HISTORY, history, WEIR_COLUMNS_HISTORY)
#define WEIR_COLUMNS_CONTEXTS(K, N, T)                                                             \
    K(number) T(name) N(parent) T(phase) T(message) N(opened_us) N(finished_us)
#define WEIR_COLUMNS_NODES(K, N, T)                                                                \
    K(number)                                                                                      \
    T(name) T(type) T(template) N(parent) T(phase) T(message) N(started_us) N(finished_us)
#define WEIR_COLUMNS_TASKS(K, N, T)                                                                \
    K(number)                                                                                      \
    N(context)                                                                                     \
    N(node)                                                                                        \
    T(name)                                                                                        \
    T(operation) T(executor) T(phase) N(attempts) T(code) T(message) N(started_us) N(finished_us)
#define WEIR_COLUMNS_ATTEMPTS(K, N, T)                                                             \
    K(task)                                                                                        \
    K(number)                                                                                      \
    T(phase)                                                                                       \
    T(host)                                                                                        \
    N(pid)                                                                                         \
    T(code)                                                                                        \
    T(message)                                                                                     \
    N(exit_code)                                                                                   \
    N(cpu_us) N(memory_peak_bytes) N(scheduled_us) N(started_us) N(finished_us) N(input_bytes)
#define WEIR_COLUMNS_LOCKS(K, N, T) K(lock) K(task) T(state) T(name) N(context) N(since_us)
#define WEIR_COLUMNS_DERIVED(K, N, T) N(seq) T(definitions) N(estimated_us)
/* Places that all runs share: the last run that writes one has it, and it stays when that run goes. */
#define WEIR_COLUMNS_HISTORY(K, N, T)                                                              \
    K(number)                                                                                      \
    N(identity)                                                                                    \
    T(operation)                                                                                   \
    T(name) N(input_bytes) N(wall_us) N(cpu_us) N(memory_bytes) N(tasks) N(finished_us)            \
        N(given_bytes)

typedef enum weir_table {
#define X(TABLE, table, COLUMNS) WEIR_TABLE_##TABLE,
    WEIR_TABLE_FORMS(X)
#undef X
        WEIR_TABLES
} weir_table;

/* Whether a row's key has its run in it, and the row goes with that. */
static inline bool weir_table_is_of_runs(weir_table table) {
    return table != WEIR_TABLE_HISTORY;
}

enum { WEIR_COLUMNS_MAX = 16 };

typedef struct weir_table_form {
    const char *name;
    size_t keys, count; /* columns without `run`; the first are the key */
    const char *columns[WEIR_COLUMNS_MAX];
    bool texts[WEIR_COLUMNS_MAX]; /* which columns are texts */
} weir_table_form;

extern const weir_table_form weir_table_forms[WEIR_TABLES];

typedef struct weir_cell {
    enum { WEIR_CELL_NONE, WEIR_CELL_NUMBER, WEIR_CELL_TEXT } kind; /* NONE: it stays as it is */
    int64_t number;
    weir_str text; /* borrowed */
} weir_cell;

#define WEIR_CELL_N(value) ((weir_cell){.kind = WEIR_CELL_NUMBER, .number = (int64_t)(value)})
#define WEIR_CELL_T(value) ((weir_cell){.kind = WEIR_CELL_TEXT, .text = (value)})

/* Appends a change: a cell for each column; keys are numbers. */
void weir_row_put(weir_buffer *out, weir_table table, const weir_cell *cells);
/* The row goes; only its key is looked at. */
void weir_row_drop(weir_buffer *out, weir_table table, const weir_cell *cells);
/* The run begins anew, at this time: of what changed before, nodes and locks go, and contexts, tasks and attempts that are not
 * over end then. Nodes are counted from 0 again, so tasks of before have none. */
void weir_rows_renew(weir_buffer *out, uint64_t time_us);

/* --- those that wait to be written */

typedef struct weir__row {
    uint32_t run; /* in `runs` */
    bool gone;
    bool past;                         /* of before its run began anew: not to be written */
    weir_cell cells[WEIR_COLUMNS_MAX]; /* texts are the set's */
} weir__row;

typedef struct weir__rows_run {
    weir_str run;
    uint64_t fence; /* of the lease that it was last changed under; 0: none */
    bool forgotten; /* its rows are not to be written */
    uint64_t
        renewed_us; /* when it began anew: the table's rows are of before that; 0: it did not */
} weir__rows_run;

typedef struct weir__rows {
    WEIR_VECTOR(weir__row) tables[WEIR_TABLES];
    WEIR_VECTOR(weir__rows_run) runs;
    size_t count, bytes; /* of rows; of their texts */
    uint32_t only;       /* write those of this run, from 1; 0: of all */
    bool renewed;    /* a run began anew: its batch has to be there before the rows are written */
    weir_map places; /* of rows by run, table and key; of runs */
    weir_arena arena;
} weir__rows;

/* A zeroed set is empty. Takes the changes of a run in. */
void weir__rows_add(weir__rows *rows, weir_str run, uint64_t fence, weir_str changes);
void weir__rows_clear(weir__rows *rows);
/* The rows of a run are not to be written: another process has it. */
void weir__rows_forget(weir__rows *rows, weir_str run);
/* Whether rows of the run are to be written, */
static inline bool weir__rows_has_run(const weir__rows *rows, uint32_t run) {
    return !rows->runs.items[run].forgotten && (!rows->only || rows->only == run + 1);
}
/* and the row. */
static inline bool weir__rows_has(const weir__rows *rows, const weir__row *row) {
    return !row->past && weir__rows_has_run(rows, row->run);
}

/* What stands in a row that ended because its run began anew. */
#define WEIR__RENEWED_MESSAGE "the run was restarted"

#endif

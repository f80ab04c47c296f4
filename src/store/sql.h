/* SQL over a store, to read: one statement at a time, of SQLite's language whatever the store is. A store on SQLite is asked
 * itself, on a connection that cannot write; of one on PostgreSQL every table of the schema `weir` is a virtual table, read
 * within one transaction, whose rows are picked there where a column has to equal a value. More virtual tables may be added.
 *
 * A statement may only read; it has an end in time, in rows and in the bytes of a value. One thread, the store's owner's. */
#ifndef WEIR_STORE_SQL_H
#define WEIR_STORE_SQL_H

#include "store/store.h"

typedef struct weir_sql weir_sql;

typedef struct weir_sql_value {
    enum { WEIR_SQL_NULL, WEIR_SQL_NUMBER, WEIR_SQL_REAL, WEIR_SQL_TEXT, WEIR_SQL_BYTES } kind;
    int64_t number;
    double real;
    weir_str text; /* or bytes; borrowed */
} weir_sql_value;

/* A column of which a query wants one value only. */
typedef struct weir_sql_given {
    int column;
    weir_sql_value value;
} weir_sql_given;

enum { WEIR_SQL_GIVEN_MAX = 8 };

/* A virtual table: rows from somewhere else. What is asked of a cursor, in this order: open, begin (again for each time that
 * it is read), next, get, close. */
typedef struct weir_sql_table {
    const char *name, *columns; /* "run TEXT, seq INTEGER" */
    uint64_t
        picks; /* columns, as bits, of which a value may be given; rows of others may come all the same */
    void *(*open)(const struct weir_sql_table *table);
    bool (*begin)(void *cursor, const weir_sql_given *given, size_t count, weir_error *error);
    /* *row: whether there is one. Its values live until the next. */
    bool (*next)(void *cursor, bool *row, weir_error *error);
    void (*get)(void *cursor, int column, weir_sql_value *out);
    void (*close)(void *cursor);
    void *arg;
} weir_sql_table;

/* The store outlives it. USAGE: the store is in memory. `time_us`: how long it may take from now on; 0: any time. */
WEIR_CHECKED bool weir_sql_open(weir_store *store, uint64_t time_us, weir_sql **out,
                                weir_error *error);
void weir_sql_close(weir_sql *sql);
/* The table outlives the session. Before the first query. */
void weir_sql_add(weir_sql *sql, const weir_sql_table *table);
/* LIMIT once the time is over: for tables that take long between two rows. */
WEIR_CHECKED bool weir_sql_in_time(const weir_sql *sql, weir_error *error);

/* Names are the columns'. */
typedef bool weir_sql_visit(void *arg, const weir_str *names, const weir_sql_value *values,
                            size_t count);
/* Visits at most `rows_max` rows (0: all), until `visit` returns false; *more: there are more rows. `visit` is called once
 * with `values` NULL before the first row. INVALID: not one statement that reads; LIMIT: it takes too long. */
WEIR_CHECKED bool weir_sql_run(weir_sql *sql, weir_str text, uint64_t rows_max,
                               weir_sql_visit *visit, void *arg, bool *more, weir_error *error);

#endif

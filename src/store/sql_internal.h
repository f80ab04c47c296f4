/* What the files of a SQL session share. */
#ifndef WEIR_STORE_SQL_INTERNAL_H
#define WEIR_STORE_SQL_INTERNAL_H

#include <sqlite3.h>

#include "store/sql.h"
#include "store/store_internal.h"

typedef struct weir__sql_source
    weir__sql_source; /* where a store's own tables come from, if not from SQLite */

struct weir_sql {
    weir_store *store;
    sqlite3 *db;
    uint64_t due_us; /* of the steady clock; 0: never */
    bool late;
    weir__sql_source *source; /* NULL: none */
};

/* The kinds' part: opens `db`, and adds their tables. */
WEIR_CHECKED bool weir__sqlite_sql(weir_sql *sql, weir_error *error);
WEIR_CHECKED bool weir__pg_sql_open(weir_sql *sql, weir_error *error);
void weir__pg_sql_close(weir__sql_source *source);

#endif

/* The tables of a store on PostgreSQL as virtual tables: a connection of their own, one transaction that only reads, and a
 * cursor of the server's for each that is being read, so that memory stays small and all rows are of one moment. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/postgresql_internal.h"
#include "store/sql_internal.h"

enum { ROWS = 500, TYPE_BYTES = 17, TYPE_REAL = 701, COLUMNS_MAX = 62 };

typedef struct pg_table {
    weir_sql_table table;
    weir__sql_source *source;
    char *name;
    weir_buffer columns;
    char *names[COLUMNS_MAX];
    uint32_t types[COLUMNS_MAX];
    int count;
} pg_table;

struct weir__sql_source {
    weir__pg connection;
    uint32_t cursors; /* made so far, for their names */
    WEIR_VECTOR(pg_table *) tables;
};

typedef struct pg_cursor {
    const pg_table *table;
    uint32_t number; /* 0: not declared */
    PGresult *rows;
    int row, count;
    weir_buffer bytes; /* of a column that was decoded */
} pg_cursor;

static bool run(weir__sql_source *s, const char *sql, PGresult **out, weir_error *error) {
    PGresult *result;
    weir__pg_outcome outcome = s->connection.connection
                                   ? weir__pg_run(&s->connection, sql, &result, error)
                                   : WEIR__PG_LOST;
    if (outcome != WEIR__PG_DONE) {
        if (!s->connection.connection)
            weir_fail(error, WEIR_STORE, "the connection to the store was lost; ask again");
        return false;
    }
    if (out)
        *out = result;
    else
        s->connection.server->q->clear(result);
    return true;
}

/* --- cursors ---------------------------------------------------------------------------------- */

static const weir__libpq *functions(const pg_cursor *c) {
    return c->table->source->connection.server->q;
}

static void *open_cursor(const weir_sql_table *table) {
    pg_cursor *c = weir_alloc(sizeof *c);
    c->table = table->arg;
    return c;
}

static void end_reading(pg_cursor *c) {
    char sql[40];
    weir_error ignored;
    if (c->rows) functions(c)->clear(c->rows);
    c->rows = NULL;
    snprintf(sql, sizeof sql, "CLOSE c%" PRIu32, c->number);
    if (c->number) (void)run(c->table->source, sql, NULL, &ignored);
    c->number = 0;
}

static void close_cursor(void *cursor) {
    pg_cursor *c = cursor;
    end_reading(c);
    weir_buffer_deinit(&c->bytes);
    weir_free(c);
}

/* A value of another type than the column's is left to SQLite to compare. */
static void add_condition(weir_buffer *sql, const pg_table *t, const weir_sql_given *given,
                          bool *any) {
    uint32_t type = t->types[given->column];
    const weir_sql_value *value = &given->value;
    bool number = value->kind == WEIR_SQL_NUMBER && type == WEIR__PG_NUMBER;
    bool text = value->kind == WEIR_SQL_TEXT && type == WEIR__PG_TEXT &&
                !memchr(value->text.data, '\0', value->text.length);
    if (!number && !text) return;
    weir_buffer_printf(sql, "%s \"%s\" = ", *any ? " AND" : " WHERE", t->names[given->column]);
    *any = true;
    if (number) {
        weir_buffer_printf(sql, "%" PRId64, value->number);
        return;
    }
    weir_buffer_byte(sql, '\'');
    for (size_t i = 0; i < value->text.length; i++) {
        if (value->text.data[i] == '\'') weir_buffer_byte(sql, '\'');
        weir_buffer_byte(sql, value->text.data[i]);
    }
    weir_buffer_byte(sql, '\'');
}

static bool begin_reading(void *cursor, const weir_sql_given *given, size_t count,
                          weir_error *error) {
    pg_cursor *c = cursor;
    const pg_table *t = c->table;
    weir_buffer sql = {0};
    bool any = false;
    end_reading(c);
    uint32_t number = ++t->source->cursors;
    weir_buffer_printf(&sql, "DECLARE c%" PRIu32 " NO SCROLL CURSOR FOR SELECT", number);
    for (int i = 0; i < t->count; i++)
        weir_buffer_printf(&sql, "%s \"%s\"", i ? "," : "", t->names[i]);
    weir_buffer_printf(&sql, " FROM weir.\"%s\"", t->name);
    for (size_t i = 0; i < count; i++) add_condition(&sql, t, &given[i], &any);
    bool ok = run(t->source, sql.data, NULL, error);
    weir_buffer_deinit(&sql);
    if (ok) c->number = number;
    c->row = c->count = 0;
    return ok;
}

static bool next_row(void *cursor, bool *row, weir_error *error) {
    pg_cursor *c = cursor;
    char sql[40];
    if (++c->row >= c->count) {
        if (c->rows) functions(c)->clear(c->rows);
        c->rows = NULL;
        snprintf(sql, sizeof sql, "FETCH %d FROM c%" PRIu32, ROWS, c->number);
        if (!run(c->table->source, sql, &c->rows, error)) return false;
        c->row = 0;
        c->count = functions(c)->ntuples(c->rows);
    }
    *row = c->row < c->count;
    return true;
}

static unsigned digit(char c) {
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
}

static void get_column(void *cursor, int column, weir_sql_value *out) {
    pg_cursor *c = cursor;
    if (functions(c)->getisnull(c->rows, c->row, column)) return;
    const char *text = functions(c)->getvalue(c->rows, c->row, column);
    size_t length = (size_t)functions(c)->getlength(c->rows, c->row, column);
    switch (c->table->types[column]) {
    case WEIR__PG_NUMBER:
        *out = (weir_sql_value){.kind = WEIR_SQL_NUMBER, .number = strtoll(text, NULL, 10)};
        break;
    case TYPE_REAL:
        *out = (weir_sql_value){.kind = WEIR_SQL_REAL, .real = strtod(text, NULL)};
        break;
    case TYPE_BYTES: /* "\x" and two digits a byte */
        weir_buffer_clear(&c->bytes);
        for (size_t i = 2; i + 1 < length; i += 2)
            weir_buffer_byte(&c->bytes, (char)(digit(text[i]) << 4 | digit(text[i + 1])));
        *out = (weir_sql_value){.kind = WEIR_SQL_BYTES, .text = weir_buffer_str(&c->bytes)};
        break;
    default: *out = (weir_sql_value){.kind = WEIR_SQL_TEXT, .text = {text, length}}; break;
    }
}

/* --- which tables there are ------------------------------------------------------------------- */

static pg_table *add_table(weir__sql_source *s, const char *name) {
    pg_table *t = weir_alloc(sizeof *t);
    t->source = s;
    t->name = weir_str_dup(weir_str_from(name));
    *weir_vector_push(&s->tables) = t;
    return t;
}

/* `kind`: i (a whole number), f, b (bytes) or t. */
static void add_column(pg_table *t, const char *name, char kind) {
    if (t->count == COLUMNS_MAX) return;
    t->names[t->count] = weir_str_dup(weir_str_from(name));
    t->types[t->count] = kind == 'i'   ? WEIR__PG_NUMBER
                         : kind == 'f' ? TYPE_REAL
                         : kind == 'b' ? TYPE_BYTES
                                       : WEIR__PG_TEXT;
    weir_buffer_printf(&t->columns, "%s\"%s\" %s", t->count ? ", " : "", name,
                       kind == 'i'   ? "INTEGER"
                       : kind == 'f' ? "REAL"
                       : kind == 'b' ? "BLOB"
                                     : "TEXT");
    t->count++;
}

static bool list_tables(weir__sql_source *s, weir_error *error) {
    PGresult *result;
    if (!run(s,
             "SELECT c.relname, a.attname, CASE WHEN t.typname IN ('int2', 'int4', 'int8')"
             " THEN 'i' WHEN t.typname IN ('float4', 'float8') THEN 'f'"
             " WHEN t.typname = 'bytea' THEN 'b' ELSE 't' END"
             " FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
             " JOIN pg_type t ON t.oid = a.atttypid WHERE c.relnamespace = 'weir'::regnamespace"
             " AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped"
             " ORDER BY c.relname, a.attnum",
             &result, error))
        return false;
    const weir__libpq *q = s->connection.server->q;
    pg_table *t = NULL;
    for (int i = 0; i < q->ntuples(result); i++) {
        const char *name = q->getvalue(result, i, 0);
        if (!t || strcmp(t->name, name) != 0) t = add_table(s, name);
        add_column(t, q->getvalue(result, i, 1), *q->getvalue(result, i, 2));
    }
    q->clear(result);
    return true;
}

static void offer(weir_sql *sql, pg_table *t) {
    t->table = (weir_sql_table){.name = t->name,
                                .columns = t->columns.data,
                                .picks = UINT64_MAX >> 1,
                                .open = open_cursor,
                                .begin = begin_reading,
                                .next = next_row,
                                .get = get_column,
                                .close = close_cursor,
                                .arg = t};
    weir_sql_add(sql, &t->table);
}

bool weir__pg_sql_open(weir_sql *sql, weir_error *error) {
    weir__postgresql *store = (weir__postgresql *)sql->store;
    weir__sql_source *s = sql->source = weir_alloc(sizeof *s);
    s->connection = (weir__pg){.server = &store->server,
                               .session = "SET standard_conforming_strings = on;"
                                          " SET bytea_output = 'hex'"};
    if (sqlite3_open_v2(":memory:", &sql->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK)
        return weir_fail(error, WEIR_STORE, "SQLite: %s", sqlite3_errmsg(sql->db));
    if (!weir__pg_connect(&s->connection, error) ||
        !run(s, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, error) ||
        !list_tables(s, error))
        return false;
    char timeout[64];
    uint64_t now = weir_clock_steady_us();
    snprintf(timeout, sizeof timeout, "SET LOCAL statement_timeout = %" PRIu64,
             sql->due_us > now ? (sql->due_us - now) / 1000 + 1 : 0);
    if (sql->due_us && !run(s, timeout, NULL, error)) return false;
    for (size_t i = 0; i < s->tables.count; i++) offer(sql, s->tables.items[i]);
    return true;
}

void weir__pg_sql_close(weir__sql_source *s) {
    for (size_t i = 0; i < s->tables.count; i++) {
        pg_table *t = s->tables.items[i];
        for (int k = 0; k < t->count; k++) weir_free(t->names[k]);
        weir_buffer_deinit(&t->columns);
        weir_free(t->name);
        weir_free(t);
    }
    weir_vector_deinit(&s->tables);
    weir__pg_disconnect(&s->connection);
    weir_free(s);
}

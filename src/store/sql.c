#include "store/sql_internal.h"

#include <inttypes.h>

enum {
    STEPS = 1000, /* of SQLite's machine between two looks at the clock */
    VALUE_BYTES_MAX = 64 * 1024 * 1024,
    COLUMNS_MAX = 256
};

/* --- virtual tables --------------------------------------------------------------------------- */

typedef struct virtual_table {
    sqlite3_vtab base; /* first */
    const weir_sql_table *table;
} virtual_table;

typedef struct virtual_cursor {
    sqlite3_vtab_cursor base; /* first */
    void *cursor;
    sqlite3_int64 number;
    bool row;
} virtual_cursor;

static const weir_sql_table *table_of(const sqlite3_vtab_cursor *base) {
    return ((const virtual_table *)base->pVtab)->table;
}

static int say(sqlite3_vtab *base, const weir_error *error) {
    sqlite3_free(base->zErrMsg);
    base->zErrMsg = sqlite3_mprintf("%s", error->message);
    return SQLITE_ERROR;
}

static int connect_table(sqlite3 *db, void *arg, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **message) {
    (void)argc, (void)argv, (void)message;
    const weir_sql_table *table = arg;
    weir_buffer sql = {0};
    weir_buffer_printf(&sql, "CREATE TABLE x(%s)", table->columns);
    int status = sqlite3_declare_vtab(db, sql.data);
    weir_buffer_deinit(&sql);
    if (status != SQLITE_OK) return status;
    virtual_table *t = weir_alloc(sizeof *t);
    t->table = table;
    *out = &t->base;
    return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *base) {
    sqlite3_free(base->zErrMsg);
    weir_free(base);
    return SQLITE_OK;
}

/* Which values are given is in idxStr, a character a column. A table that is read for one value costs a hundredth. */
static int plan_table(sqlite3_vtab *base, sqlite3_index_info *info) {
    const weir_sql_table *table = ((const virtual_table *)base)->table;
    char columns[WEIR_SQL_GIVEN_MAX + 1];
    int count = 0;
    for (int i = 0; i < info->nConstraint && count < WEIR_SQL_GIVEN_MAX; i++) {
        int column = info->aConstraint[i].iColumn;
        if (!info->aConstraint[i].usable || info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ ||
            column < 0 || column > 62 || !(table->picks & (uint64_t)1 << column))
            continue;
        columns[count] = (char)('0' + column);
        info->aConstraintUsage[i].argvIndex = ++count;
    }
    columns[count] = '\0';
    info->idxStr = sqlite3_mprintf("%s", columns);
    info->needToFreeIdxStr = 1;
    info->estimatedCost = count ? 1e4 : 1e6;
    info->estimatedRows = count ? 1000 : 100000;
    return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

static int open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **out) {
    virtual_cursor *c = weir_alloc(sizeof *c);
    const weir_sql_table *table = ((const virtual_table *)base)->table;
    c->cursor = table->open(table);
    *out = &c->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *base) {
    virtual_cursor *c = (virtual_cursor *)base;
    table_of(base)->close(c->cursor);
    weir_free(c);
    return SQLITE_OK;
}

static weir_sql_value value_of(sqlite3_value *value) {
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        return (weir_sql_value){.kind = WEIR_SQL_NUMBER, .number = sqlite3_value_int64(value)};
    case SQLITE_FLOAT:
        return (weir_sql_value){.kind = WEIR_SQL_REAL, .real = sqlite3_value_double(value)};
    case SQLITE_TEXT: {
        const char *text = (const char *)sqlite3_value_text(value);
        return (weir_sql_value){.kind = WEIR_SQL_TEXT,
                                .text = {text, (size_t)sqlite3_value_bytes(value)}};
    }
    case SQLITE_BLOB: {
        const char *bytes = sqlite3_value_blob(value);
        return (weir_sql_value){.kind = WEIR_SQL_BYTES,
                                .text = {bytes ? bytes : "", (size_t)sqlite3_value_bytes(value)}};
    }
    default: return (weir_sql_value){0};
    }
}

static int next_row(sqlite3_vtab_cursor *base) {
    virtual_cursor *c = (virtual_cursor *)base;
    weir_error error;
    c->number++;
    return table_of(base)->next(c->cursor, &c->row, &error) ? SQLITE_OK : say(base->pVtab, &error);
}

static int begin_reading(sqlite3_vtab_cursor *base, int number, const char *columns, int argc,
                         sqlite3_value **argv) {
    (void)number;
    virtual_cursor *c = (virtual_cursor *)base;
    weir_sql_given given[WEIR_SQL_GIVEN_MAX];
    weir_error error;
    for (int i = 0; i < argc; i++) given[i] = (weir_sql_given){columns[i] - '0', value_of(argv[i])};
    if (!table_of(base)->begin(c->cursor, given, (size_t)argc, &error))
        return say(base->pVtab, &error);
    c->number = 0;
    return next_row(base);
}

static int at_end(sqlite3_vtab_cursor *base) {
    return !((virtual_cursor *)base)->row;
}

static int get_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
    weir_sql_value value = {0};
    table_of(base)->get(((virtual_cursor *)base)->cursor, column, &value);
    switch (value.kind) {
    case WEIR_SQL_NULL: sqlite3_result_null(context); break;
    case WEIR_SQL_NUMBER: sqlite3_result_int64(context, value.number); break;
    case WEIR_SQL_REAL: sqlite3_result_double(context, value.real); break;
    case WEIR_SQL_TEXT:
        sqlite3_result_text64(context, value.text.data, value.text.length, SQLITE_TRANSIENT,
                              SQLITE_UTF8);
        break;
    case WEIR_SQL_BYTES:
        sqlite3_result_blob64(context, value.text.data, value.text.length, SQLITE_TRANSIENT);
        break;
    }
    return SQLITE_OK;
}

static int get_number(sqlite3_vtab_cursor *base, sqlite3_int64 *out) {
    *out = ((virtual_cursor *)base)->number;
    return SQLITE_OK;
}

/* Without xCreate the table is there by its name alone. */
static const sqlite3_module module = {.xConnect = connect_table,
                                      .xBestIndex = plan_table,
                                      .xDisconnect = disconnect_table,
                                      .xDestroy = disconnect_table,
                                      .xOpen = open_cursor,
                                      .xClose = close_cursor,
                                      .xFilter = begin_reading,
                                      .xNext = next_row,
                                      .xEof = at_end,
                                      .xColumn = get_column,
                                      .xRowid = get_number};

void weir_sql_add(weir_sql *sql, const weir_sql_table *table) {
    sqlite3_create_module_v2(sql->db, table->name, &module, (void *)(uintptr_t)table, NULL);
}

/* --- what a statement may do ------------------------------------------------------------------ */

static bool is_harmless_pragma(const char *name) {
    static const char *const names[] = {"table_info",      "table_xinfo", "table_list",
                                        "index_list",      "index_info",  "index_xinfo",
                                        "foreign_key_list"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (sqlite3_stricmp(name, names[i]) == 0) return true;
    return false;
}

static int authorize(void *arg, int action, const char *first, const char *second,
                     const char *database, const char *trigger) {
    (void)arg, (void)second, (void)database, (void)trigger;
    bool schema = first && strncmp(first, "sqlite_", 7) == 0;
    switch (action) {
    /* How a virtual table says what its columns are. A statement that does so is none that only reads. */
    case SQLITE_CREATE_TABLE: return SQLITE_OK;
    case SQLITE_INSERT:
    case SQLITE_UPDATE: return schema ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_FUNCTION:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_PRAGMA: return is_harmless_pragma(first) ? SQLITE_OK : SQLITE_DENY;
    default: return SQLITE_DENY;
    }
}

static int look_at_clock(void *arg) {
    weir_sql *sql = arg;
    sql->late = sql->due_us && weir_clock_steady_us() >= sql->due_us;
    return sql->late;
}

bool weir_sql_in_time(const weir_sql *sql, weir_error *error) {
    if (!sql->due_us || weir_clock_steady_us() < sql->due_us) return true;
    return weir_fail(error, WEIR_LIMIT, "the query takes too long");
}

static void copy_id(void *arg, const weir_run_record *record) {
    weir_buffer_str_append(arg, record->id);
}

/* run_id(NAME): the id of a run by name, by id, or "@latest"; NULL when there is none. */
static void run_id(sqlite3_context *context, int argc, sqlite3_value **argv) {
    (void)argc;
    const weir_sql *sql = sqlite3_user_data(context);
    const char *text = (const char *)sqlite3_value_text(argv[0]);
    weir_buffer id = {0};
    weir_error error;
    weir_str name = {text ? text : "", (size_t)sqlite3_value_bytes(argv[0])};
    if (weir_store_find(sql->store, name, copy_id, &id, &error))
        sqlite3_result_text64(context, id.data, id.length, SQLITE_TRANSIENT, SQLITE_UTF8);
    else if (error.code != WEIR_NOT_FOUND)
        sqlite3_result_error(context, error.message, -1);
    weir_buffer_deinit(&id);
}

bool weir_sql_open(weir_store *store, uint64_t time_us, weir_sql **out, weir_error *error) {
    if (!store->kind->sql)
        return weir_fail(error, WEIR_USAGE, "what is in memory only has no tables");
    weir_sql *sql = weir_alloc(sizeof *sql);
    sql->store = store;
    sql->due_us = time_us ? weir_clock_steady_us() + time_us : 0;
    if (!store->kind->sql(sql, error)) {
        weir_sql_close(sql);
        return false;
    }
    sqlite3_limit(sql->db, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
    sqlite3_limit(sql->db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(sql->db, SQLITE_LIMIT_COLUMN, COLUMNS_MAX);
    sqlite3_create_function(sql->db, "run_id", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, sql, run_id,
                            NULL, NULL);
    sqlite3_progress_handler(sql->db, STEPS, look_at_clock, sql);
    sqlite3_set_authorizer(sql->db, authorize, sql);
    *out = sql;
    return true;
}

void weir_sql_close(weir_sql *sql) {
    sqlite3_close(sql->db);
    if (sql->source) weir__pg_sql_close(sql->source);
    weir_free(sql);
}

/* --- a statement ------------------------------------------------------------------------------ */

static bool failed(weir_sql *sql, weir_error *error) {
    int code = sqlite3_errcode(sql->db) & 0xff;
    if (sql->late || (code == SQLITE_ERROR && !weir_sql_in_time(sql, error))) {
        weir_fail(error, WEIR_LIMIT, "the query takes too long");
        weir_error_hint(error, "narrow it, as by `WHERE run = …`, or give it time by --timeout");
    } else if (code == SQLITE_AUTH || code == SQLITE_READONLY) {
        weir_fail(error, WEIR_INVALID, "the query does more than read: %s",
                  sqlite3_errmsg(sql->db));
        weir_error_hint(error, "only what reads is allowed: SELECT, WITH, VALUES, EXPLAIN");
    } else {
        weir_fail(error, WEIR_INVALID, "the query failed: %s", sqlite3_errmsg(sql->db));
        if (strstr(sqlite3_errmsg(sql->db), "no such"))
            weir_error_hint(error, "`SELECT name, sql FROM sqlite_master` shows the tables; those "
                                   "of journals are `events` and `invocations`");
    }
    return false;
}

/* Nothing but blanks, semicolons and comments, which SQLite makes no statement of. */
static bool is_over(sqlite3 *db, const char *rest, const char *end) {
    sqlite3_stmt *second = NULL;
    bool more = false;
    while (rest < end && !more) {
        const char *before = rest;
        if (sqlite3_prepare_v2(db, rest, (int)(end - rest), &second, &rest) != SQLITE_OK)
            return false;
        more = second != NULL;
        sqlite3_finalize(second);
        if (rest == before) break;
    }
    return !more;
}

static weir_sql_value column_of(sqlite3_stmt *row, int column) {
    return value_of(sqlite3_column_value(row, column));
}

static bool visit_rows(weir_sql *sql, sqlite3_stmt *row, uint64_t rows_max, weir_sql_visit *visit,
                       void *arg, bool *more, weir_error *error) {
    size_t count = (size_t)sqlite3_column_count(row);
    weir_str *names = weir_alloc((count + 1) * sizeof *names);
    weir_sql_value *values = weir_alloc((count + 1) * sizeof *values);
    for (size_t i = 0; i < count; i++) names[i] = weir_str_from(sqlite3_column_name(row, (int)i));
    bool wanted = visit(arg, names, NULL, count);
    int status = SQLITE_DONE;
    for (uint64_t rows = 0; wanted && (status = sqlite3_step(row)) == SQLITE_ROW; rows++) {
        *more = rows_max && rows == rows_max;
        if (*more) break;
        for (size_t i = 0; i < count; i++) values[i] = column_of(row, (int)i);
        wanted = visit(arg, names, values, count);
    }
    weir_free(names);
    weir_free(values);
    return status == SQLITE_ROW || status == SQLITE_DONE || failed(sql, error);
}

bool weir_sql_run(weir_sql *sql, weir_str text, uint64_t rows_max, weir_sql_visit *visit, void *arg,
                  bool *more, weir_error *error) {
    sqlite3_stmt *row = NULL;
    const char *rest = NULL;
    *more = false;
    if (text.length > INT32_MAX || memchr(text.data, '\0', text.length))
        return weir_fail(error, WEIR_INVALID, "the query is too long, or has a NUL in it");
    if (sqlite3_prepare_v2(sql->db, text.data, (int)text.length, &row, &rest) != SQLITE_OK)
        return failed(sql, error);
    bool ok = row || weir_fail(error, WEIR_INVALID, "there is no query");
    if (ok && !is_over(sql->db, rest, text.data + text.length))
        ok = weir_fail(error, WEIR_INVALID, "one statement at a time");
    if (ok && !sqlite3_stmt_readonly(row))
        ok = weir_fail(error, WEIR_INVALID, "the query does more than read");
    ok = ok && visit_rows(sql, row, rows_max, visit, arg, more, error);
    sqlite3_finalize(row);
    return ok;
}

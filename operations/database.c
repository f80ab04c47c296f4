/* db_query_…: tables of a SQLite database, as DFFML has them. A call opens the database, does one statement, which is a
 * transaction of its own, and closes it; so any thread may make it. */
#include <math.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "database_query.h"
#include "utf8.h"

enum {
    WAIT_MS_MAX = 30000, /* for others to let go of the database */
    WAIT_STEP_MS = 10,
    STEPS_BETWEEN_LOOKS =
        10000, /* of SQLite's machine, until the call is asked whether it goes on */
    ROWS_MAX = 1000000,
    ROWS_BYTES_MAX = 64 * 1024 * 1024
};

/* One call. */
typedef struct session {
    const weir_host *host;
    weir_call *call;
    sqlite3 *database;
    sqlite3_stmt *statement;
    const char *file;
} session;

static bool fail_database(session *s) {
    int code = sqlite3_errcode(s->database);
    const char *word = code == SQLITE_BUSY || code == SQLITE_LOCKED ? "conflict"
                       : code == SQLITE_CONSTRAINT                  ? "invalid"
                                                                    : NULL;
    return s->host->fail(s->call, word, "%s: %s", s->file, sqlite3_errmsg(s->database));
}

static int wait_for_others(void *arg, int waited) {
    const session *s = arg;
    if (waited > WAIT_MS_MAX / WAIT_STEP_MS || s->host->cancelled(s->call)) return 0;
    usleep(WAIT_STEP_MS * 1000);
    return 1;
}

static int is_cancelled(void *arg) {
    const session *s = arg;
    return s->host->cancelled(s->call);
}

static const weir_value *text_member(const weir_host *host, const weir_value *object,
                                     const char *name) {
    if (!object || host->value_type(object) != WEIR_OBJECT) return NULL;
    return host->object_get(object, name, strlen(name));
}

/* `database` is a path; or, as DFFML writes it, {plugin: "sqlite", config: {filename: PATH}}, or what `config` is. */
static bool find_file(session *s) {
    const weir_host *host = s->host;
    const weir_value *value = host->config(s->call, "database"),
                     *plugin = text_member(host, value, "plugin"),
                     *inner = text_member(host, value, "config");
    if (plugin && (host->value_type(plugin) != WEIR_STRING ||
                   strcmp(host->string_get(plugin).data, "sqlite") != 0))
        return host->fail(s->call, "not_supported",
                          "config `database`: the one plugin that there is, is sqlite");
    if (value && host->value_type(value) == WEIR_OBJECT)
        value = text_member(host, inner ? inner : value, "filename");
    if (!value || host->value_type(value) != WEIR_STRING || !host->string_get(value).length)
        return host->fail(s->call, "invalid",
                          "config `database` must be the path of a SQLite database, or "
                          "{\"filename\": PATH}");
    s->file = host->string_get(value).data;
    if (s->file[0] != ':') return true;
    return host->fail(s->call, "invalid",
                      "config `database`: `%s` would be gone after the call; give a path", s->file);
}

static bool open_database(session *s) {
    if (!find_file(s)) return false;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(s->file, &s->database, flags, NULL) != SQLITE_OK) return fail_database(s);
    /* The file may be anybody's: its schema must not do more than it says. */
    sqlite3_db_config(s->database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_busy_handler(s->database, wait_for_others, s);
    sqlite3_progress_handler(s->database, STEPS_BETWEEN_LOOKS, is_cancelled, s);
    return true;
}

static bool bind_value(session *s, int place, const weir_value *value) {
    const weir_host *host = s->host;
    weir_type type = host->value_type(value);
    int status = SQLITE_OK;
    if (type == WEIR_BOOL)
        status = sqlite3_bind_int(s->statement, place, host->bool_get(value));
    else if (type == WEIR_INT)
        status = sqlite3_bind_int64(s->statement, place, host->int_get(value));
    else if (type == WEIR_FLOAT)
        status = sqlite3_bind_double(s->statement, place, host->number_get(value));
    else if (type == WEIR_STRING)
        status = sqlite3_bind_text64(s->statement, place, host->string_get(value).data,
                                     host->string_get(value).length, SQLITE_STATIC, SQLITE_UTF8);
    return status == SQLITE_OK || fail_database(s);
}

/* A value of the row, NULL when the call has failed. */
static weir_value *read_column(session *s, int column, size_t *bytes) {
    const weir_host *host = s->host;
    const char *name = sqlite3_column_name(s->statement, column);
    double number;
    switch (sqlite3_column_type(s->statement, column)) {
    case SQLITE_NULL: return host->null_new();
    case SQLITE_INTEGER: return host->int_new(sqlite3_column_int64(s->statement, column));
    case SQLITE_FLOAT:
        number = sqlite3_column_double(s->statement, column);
        if (isfinite(number)) return host->float_new(number);
        host->fail(s->call, "invalid", "column `%s` has an infinite number", name);
        return NULL;
    case SQLITE_TEXT: break;
    default:
        host->fail(s->call, "invalid", "column `%s` has bytes (a BLOB), which no value can be",
                   name);
        return NULL;
    }
    const char *text = (const char *)sqlite3_column_text(s->statement, column);
    size_t length = (size_t)sqlite3_column_bytes(s->statement, column);
    *bytes += length;
    if (text && is_text(text, length)) return host->string_new(text, length);
    host->fail(s->call, "invalid", "column `%s` has a text that is not UTF-8", name);
    return NULL;
}

static bool read_row(session *s, weir_value *rows, size_t *bytes) {
    const weir_host *host = s->host;
    weir_value *row = host->object_new();
    host->array_append(rows, row);
    for (int i = 0; i < sqlite3_column_count(s->statement); i++) {
        const char *name = sqlite3_column_name(s->statement, i);
        weir_value *value = read_column(s, i, bytes);
        if (!value) return false;
        *bytes += strlen(name);
        host->object_set(row, name, strlen(name), value);
    }
    if (host->value_count(rows) > ROWS_MAX || *bytes > ROWS_BYTES_MAX)
        return host->fail(
            s->call, "limit_exceeded",
            "more than %d rows, or %d bytes; say more in `conditions`, or fewer `cols`", ROWS_MAX,
            ROWS_BYTES_MAX);
    return true;
}

/* `rows` gets what the statement gives; NULL: nothing is expected. */
static bool execute(session *s, const query *q, weir_value *rows) {
    if (sqlite3_prepare_v2(s->database, q->text, (int)q->length + 1, &s->statement, NULL) !=
        SQLITE_OK)
        return fail_database(s);
    for (size_t i = 0; i < q->value_count; i++)
        if (!bind_value(s, (int)i + 1, q->values[i])) return false;
    size_t bytes = 0;
    int status;
    while ((status = sqlite3_step(s->statement)) == SQLITE_ROW)
        if (rows && !read_row(s, rows, &bytes)) return false;
    return status == SQLITE_DONE || fail_database(s);
}

static bool run_query(const weir_host *host, weir_call *call, const query *q, weir_value *rows) {
    session s = {.host = host, .call = call};
    bool ok = open_database(&s) && execute(&s, q, rows);
    sqlite3_finalize(s.statement);
    sqlite3_close(s.database);
    return ok;
}

/* --- statements --- */

static bool begin(query *q, const weir_host *host, weir_call *call, const char *verb) {
    *q = (query){.host = host, .call = call};
    const weir_value *table = parameter(host, call, "table_name", WEIR_STRING);
    return table && query_add(q, verb) && query_add_name(q, host->string_get(table));
}

/* The parameter, an object that is not empty. */
static const weir_value *full_object(const weir_host *host, weir_call *call, const char *name) {
    const weir_value *value = parameter(host, call, name, WEIR_OBJECT);
    if (!value || host->value_count(value)) return value;
    host->fail(call, "invalid", "parameter `%s` has no columns", name);
    return NULL;
}

static bool create_table(const weir_host *host, weir_call *call) {
    query q;
    const weir_value *columns = full_object(host, call, "cols");
    bool ok = columns && begin(&q, host, call, "CREATE TABLE IF NOT EXISTS ");
    for (size_t i = 0; ok && i < host->value_count(columns); i++) {
        weir_str name = host->object_key(columns, i);
        ok = query_add(&q, i ? ", " : " (") && query_add_name(&q, name) &&
             query_add_type(&q, name, host->object_at(columns, i));
    }
    return ok && query_add(&q, ")") && run_query(host, call, &q, NULL);
}

/* "(columns) VALUES (values)" */
static bool add_row(query *q, const weir_value *data) {
    const weir_host *host = q->host;
    bool ok = true;
    size_t count = host->value_count(data);
    for (size_t i = 0; ok && i < count; i++)
        ok = query_add(q, i ? ", " : " (") && query_add_name(q, host->object_key(data, i));
    for (size_t i = 0; ok && i < count; i++)
        ok = query_add(q, i ? ", " : ") VALUES (") &&
             query_add_value(q, host->object_key(data, i), host->object_at(data, i));
    return ok && query_add(q, ")");
}

static bool insert(const weir_host *host, weir_call *call) {
    query q;
    const weir_value *data = full_object(host, call, "data");
    return data && begin(&q, host, call, "INSERT INTO ") && add_row(&q, data) &&
           run_query(host, call, &q, NULL);
}

/* Where a row is in the way of the new one, whichever key says so, it gets the new one's values. */
static bool insert_or_update(const weir_host *host, weir_call *call) {
    query q;
    const weir_value *data = full_object(host, call, "data");
    bool ok = data && begin(&q, host, call, "INSERT INTO ") && add_row(&q, data) &&
              query_add(&q, " ON CONFLICT DO UPDATE SET ");
    for (size_t i = 0; ok && i < host->value_count(data); i++) {
        weir_str name = host->object_key(data, i);
        ok = (!i || query_add(&q, ", ")) && query_add_name(&q, name) &&
             query_add(&q, " = excluded.") && query_add_name(&q, name);
    }
    return ok && run_query(host, call, &q, NULL);
}

static bool update(const weir_host *host, weir_call *call) {
    query q;
    const weir_value *data = full_object(host, call, "data");
    bool ok = data && begin(&q, host, call, "UPDATE ");
    for (size_t i = 0; ok && i < host->value_count(data); i++) {
        weir_str name = host->object_key(data, i);
        ok = query_add(&q, i ? ", " : " SET ") && query_add_name(&q, name) &&
             query_add(&q, " = ") && query_add_value(&q, name, host->object_at(data, i));
    }
    return ok && query_add_conditions(&q, host->parameter(call, "conditions")) &&
           run_query(host, call, &q, NULL);
}

static bool remove_rows(const weir_host *host, weir_call *call) {
    query q;
    return begin(&q, host, call, "DELETE FROM ") &&
           query_add_conditions(&q, host->parameter(call, "conditions")) &&
           run_query(host, call, &q, NULL);
}

/* "columns", or "*" for none. */
static bool add_columns(query *q, const weir_value *columns) {
    const weir_host *host = q->host;
    if (columns && host->value_type(columns) != WEIR_ARRAY)
        return host->fail(q->call, "invalid", "parameter `cols` must be of type array, found %s",
                          type_name(host, columns));
    if (!columns || !host->value_count(columns)) return query_add(q, "*");
    bool ok = true;
    for (size_t i = 0; ok && i < host->value_count(columns); i++) {
        const weir_value *name = host->array_at(columns, i);
        if (host->value_type(name) != WEIR_STRING)
            return host->fail(q->call, "invalid",
                              "parameter `cols`: item %zu must be of type string, found %s", i,
                              type_name(host, name));
        ok = (!i || query_add(q, ", ")) && query_add_name(q, host->string_get(name));
    }
    return ok;
}

static bool lookup(const weir_host *host, weir_call *call) {
    query q = {.host = host, .call = call};
    const weir_value *table = parameter(host, call, "table_name", WEIR_STRING);
    if (!table || !query_add(&q, "SELECT ") || !add_columns(&q, host->parameter(call, "cols")) ||
        !query_add(&q, " FROM ") || !query_add_name(&q, host->string_get(table)) ||
        !query_add_conditions(&q, host->parameter(call, "conditions")))
        return false;
    weir_value *rows = host->array_new();
    if (run_query(host, call, &q, rows)) {
        host->output(call, "lookups", rows);
        return true;
    }
    host->value_unref(rows);
    return false;
}

/* --- what they are called --- */

static const weir_port configuration[] = {
    {"database", "generic", "The database's file, or {plugin: sqlite, config: {filename: FILE}}.",
     NULL, NULL},
    {NULL},
};
static const weir_port no_outputs[] = {{NULL}};

#define TABLE                                                                                      \
    { "table_name", "str", "The table.", "query_table", NULL }
#define DATA                                                                                       \
    { "data", "Dict[str, Any]", "The value of each column.", "query_data", NULL }
#define CONDITIONS                                                                                 \
    {                                                                                              \
        "conditions", "Conditions",                                                                \
            "Which rows: [[[column, operator, value], …], …]; in each group any must hold.",       \
            "query_conditions", NULL                                                               \
    }
#define COLUMNS(about)                                                                             \
    { "cols", "Dict[str, str]", about, "query_cols", NULL }

#define DATABASE_OPERATION(identifier, operation_about, ...)                                       \
    static const weir_operation identifier##_operation = {                                         \
        .size = sizeof(weir_operation),                                                            \
        .name = "db_query_" #identifier,                                                           \
        .about = operation_about,                                                                  \
        .inputs = (const weir_port[]){__VA_ARGS__, {NULL}},                                        \
        .outputs = no_outputs,                                                                     \
        .config = configuration,                                                                   \
        .hints = WEIR_BLOCKING,                                                                    \
        .run = identifier,                                                                         \
    }

DATABASE_OPERATION(create_table, "Makes a table unless it is there.", TABLE,
                   COLUMNS("The type of each column, such as INTEGER NOT NULL PRIMARY KEY."));
DATABASE_OPERATION(insert, "Inserts a row.", TABLE, DATA);
DATABASE_OPERATION(insert_or_update, "Inserts a row, or updates the one that has its key.", TABLE,
                   DATA);
DATABASE_OPERATION(update, "Updates the rows that the conditions choose, or all.", TABLE, DATA,
                   CONDITIONS);

static const weir_operation remove_operation = {
    .size = sizeof(weir_operation),
    .name = "db_query_remove",
    .about = "Removes the rows that the conditions choose, or all.",
    .inputs = (const weir_port[]){TABLE, CONDITIONS, {NULL}},
    .outputs = no_outputs,
    .config = configuration,
    .hints = WEIR_BLOCKING,
    .run = remove_rows,
};
static const weir_operation lookup_operation = {
    .size = sizeof(weir_operation),
    .name = "db_query_lookup",
    .about = "Reads the rows that the conditions choose, or all.",
    .inputs =
        (const weir_port[]){
            TABLE, COLUMNS("Which columns, an array; all when empty."), CONDITIONS, {NULL}},
    .outputs =
        (const weir_port[]){
            {"lookups", "Dict[str, Any]", "The rows: objects by column.", "query_lookups", NULL},
            {NULL},
        },
    .config = configuration,
    .hints = WEIR_BLOCKING,
    .run = lookup,
};

static const weir_plugin plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "database",
    .version = "1",
    .operations = (const weir_operation *const[]){&create_table_operation, &insert_operation,
                                                  &insert_or_update_operation, &update_operation,
                                                  &remove_operation, &lookup_operation, NULL},
};

const weir_plugin *weir_database_plugin(const weir_host *host) {
    return host->abi == WEIR_ABI ? &plugin : NULL;
}

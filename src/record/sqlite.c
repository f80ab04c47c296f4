/* Records of a table in SQLite. It is read a page at a time, so that what the dataflow does may write to the same file meanwhile, and written in
 * one transaction at the end. */
#include <sqlite3.h>

#include "record/record_internal.h"

enum { PAGE = 500, WAIT_MS = 30000 };

typedef struct sqlite_reader {
    weir_record_reader base;
    const weir_record_place *place;
    sqlite3 *database;
    sqlite3_stmt *statement;
    int64_t last; /* rowid */
    weir_value *page;
    size_t at;
    bool over;
} sqlite_reader;

static bool fail(sqlite3 *database, const weir_record_place *place, weir_error *error) {
    int code = database ? sqlite3_errcode(database) : SQLITE_NOMEM;
    weir_code as = code == SQLITE_CANTOPEN ? WEIR_NOT_FOUND
                   : code == SQLITE_ERROR  ? WEIR_INVALID
                                           : WEIR_IO;
    return weir_fail(error, as, "%s: %s", place->shown,
                     database ? sqlite3_errmsg(database) : "no memory");
}

/* `made`: it need not be there. */
static bool open_database(const weir_record_place *place, bool made, sqlite3 **out,
                          weir_error *error) {
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (made ? SQLITE_OPEN_CREATE : 0);
    if (sqlite3_open_v2(place->path, out, flags, NULL) != SQLITE_OK)
        return fail(*out, place, error);
    /* The file may be anybody's: its schema must not do more than it says. */
    sqlite3_db_config(*out, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(*out, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_busy_timeout(*out, WAIT_MS);
    return true;
}

static bool prepare(sqlite3 *database, const weir_record_place *place, const weir_buffer *sql,
                    sqlite3_stmt **out, weir_error *error) {
    return sqlite3_prepare_v2(database, sql->data, (int)sql->length + 1, out, NULL) == SQLITE_OK ||
           fail(database, place, error);
}

static bool execute(sqlite3 *database, const weir_record_place *place, const char *sql,
                    weir_error *error) {
    return sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK ||
           fail(database, place, error);
}

/* A value of the row; NULL: it is none. */
static weir_value *value_of(sqlite3_stmt *statement, int column) {
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return weir_int_new(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT: return weir_float_new(sqlite3_column_double(statement, column));
    case SQLITE_TEXT: break;
    default: return NULL;
    }
    const char *text = (const char *)sqlite3_column_text(statement, column);
    weir_str found = {text ? text : "", (size_t)sqlite3_column_bytes(statement, column)};
    for (weir_str rest = found; rest.length;) {
        size_t length = weir_utf8_length(rest);
        if (!length || !rest.data[0]) return NULL; /* bytes, whatever the column says */
        rest = weir_str_slice(rest, length, rest.length);
    }
    return weir_string_from(found);
}

static weir_value *key_of(weir_value *value) {
    if (!value || weir_is(value, WEIR_STRING)) return value;
    weir_value *text = weir_json_as_text(value);
    weir_value_unref(value);
    return text;
}

/* The row behind its rowid. Bytes (BLOB) are no features. */
static weir_value *record_of(const sqlite_reader *r) {
    weir_value *features = weir_object_new(), *key = NULL;
    for (int i = 1; i < sqlite3_column_count(r->statement); i++) {
        weir_str name = weir_str_from(sqlite3_column_name(r->statement, i));
        weir_value *value = value_of(r->statement, i);
        if (weir_str_equal(name, weir__record_key(r->place)))
            key = key_of(value);
        else if (value)
            weir_member_set(features, name, value);
    }
    return weir__record_of(key ? key : weir_string_new("", 0), features);
}

static bool read_page(sqlite_reader *r, weir_error *error) {
    int status;
    weir_value_unref(r->page);
    r->page = weir_array_new();
    r->at = 0;
    sqlite3_bind_int64(r->statement, 1, r->last);
    while ((status = sqlite3_step(r->statement)) == SQLITE_ROW) {
        if (sqlite3_column_type(r->statement, 0) != SQLITE_INTEGER) {
            sqlite3_reset(r->statement);
            return weir_fail(error, WEIR_INVALID, "%s: %s is no table whose rows are numbered",
                             r->place->shown, r->place->table);
        }
        r->last = sqlite3_column_int64(r->statement, 0);
        weir_array_append(r->page, record_of(r));
    }
    bool ok = status == SQLITE_DONE || fail(r->database, r->place, error);
    sqlite3_reset(r->statement);
    r->over = ok && weir_value_count(r->page) < PAGE;
    return ok;
}

static bool next(weir_record_reader *base, weir_value **record, weir_error *error) {
    sqlite_reader *r = (sqlite_reader *)base;
    *record = NULL;
    if (r->at >= weir_value_count(r->page) && (r->over || !read_page(r, error))) return r->over;
    if (r->at < weir_value_count(r->page))
        *record = weir_value_ref(weir_array_at(r->page, r->at++));
    return true;
}

static void close_reader(weir_record_reader *base) {
    sqlite_reader *r = (sqlite_reader *)base;
    weir_value_unref(r->page);
    sqlite3_finalize(r->statement);
    sqlite3_close(r->database);
}

static bool has_column(const sqlite_reader *r, weir_str name) {
    for (int i = 1; i < sqlite3_column_count(r->statement); i++)
        if (weir_str_is(name, sqlite3_column_name(r->statement, i))) return true;
    return false;
}

bool weir__record_sqlite_open(const weir_record_place *place, weir_record_reader **out,
                              weir_error *error) {
    sqlite_reader *r = weir_alloc(sizeof *r);
    weir_buffer sql = {0};
    r->base.next = next;
    r->base.close = close_reader;
    r->place = place;
    r->last = INT64_MIN;
    r->page = weir_array_new();
    weir_buffer_text(&sql, "SELECT rowid, * FROM ");
    weir__record_name(&sql, weir_str_from(place->table));
    weir_buffer_printf(&sql, " WHERE rowid > ? ORDER BY rowid LIMIT %d", PAGE);
    bool ok = open_database(place, false, &r->database, error) &&
              prepare(r->database, place, &sql, &r->statement, error);
    if (ok && !has_column(r, weir__record_key(place))) {
        ok = weir_fail(error, WEIR_INVALID, "%s: table %s has no column `%.*s` for the keys",
                       place->shown, place->table, WEIR_ARG(weir__record_key(place)));
        weir_error_hint(error, "name it: `…&key=COLUMN`");
    }
    weir_buffer_deinit(&sql);
    if (!ok) weir_record_reader_close(&r->base);
    if (ok) *out = &r->base;
    return ok;
}

/* --- writing -------------------------------------------------------------------------------------- */

/* Prepared for the features of one record, which the next ones have, too, as a rule. */
typedef struct prepared {
    sqlite3_stmt *statement;
    weir_buffer sql;
} prepared;

typedef struct writer {
    const weir_record_place *place;
    sqlite3 *database;
    weir_value *columns; /* that the table has: an object */
    bool by_rows;        /* no index has the keys: a temporary table has */
    prepared update, insert;
} writer;

static bool bind_value(sqlite3_stmt *statement, int at, const weir_value *value) {
    weir_str text;
    weir_value *json = NULL;
    int status;
    if (!value || weir_is(value, WEIR_NULL)) return sqlite3_bind_null(statement, at) == SQLITE_OK;
    if (weir_is(value, WEIR_BOOL))
        return sqlite3_bind_int(statement, at, weir_bool_get(value)) == SQLITE_OK;
    if (weir_is(value, WEIR_INT))
        return sqlite3_bind_int64(statement, at, weir_int_get(value)) == SQLITE_OK;
    if (weir_is(value, WEIR_FLOAT))
        return sqlite3_bind_double(statement, at, weir_number_get(value)) == SQLITE_OK;
    json = weir_json_as_text(value);
    text = weir_string_get(json);
    status =
        sqlite3_bind_text64(statement, at, text.data, text.length, SQLITE_TRANSIENT, SQLITE_UTF8);
    weir_value_unref(json);
    return status == SQLITE_OK;
}

static bool find_columns(writer *w, weir_error *error) {
    sqlite3_stmt *statement = NULL;
    weir_buffer sql = {0};
    weir_buffer_text(&sql, "SELECT * FROM ");
    weir__record_name(&sql, weir_str_from(w->place->table));
    bool ok = prepare(w->database, w->place, &sql, &statement, error);
    w->columns = weir_object_new();
    for (int i = 0; ok && i < sqlite3_column_count(statement); i++)
        weir_member_set(w->columns, weir_str_from(sqlite3_column_name(statement, i)),
                        weir_null_new());
    sqlite3_finalize(statement);
    weir_buffer_deinit(&sql);
    return ok;
}

static bool make_table(writer *w, weir_error *error) {
    weir_buffer sql = {0};
    weir_buffer_text(&sql, "CREATE TABLE IF NOT EXISTS ");
    weir__record_name(&sql, weir_str_from(w->place->table));
    weir_buffer_text(&sql, " (");
    weir__record_name(&sql, weir__record_key(w->place));
    weir_buffer_text(&sql, " TEXT PRIMARY KEY)");
    bool ok = execute(w->database, w->place, sql.data, error);
    weir_buffer_deinit(&sql);
    return ok;
}

static bool add_columns(writer *w, const weir_value *features, weir_error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < weir_value_count(features); i++) {
        weir_str name = weir_object_key(features, i);
        if (weir_member(w->columns, name)) continue;
        weir_buffer sql = {0};
        weir_buffer_text(&sql, "ALTER TABLE ");
        weir__record_name(&sql, weir_str_from(w->place->table));
        weir_buffer_text(&sql, " ADD COLUMN ");
        weir__record_name(&sql, name);
        ok = execute(w->database, w->place, sql.data, error);
        weir_member_set(w->columns, name, weir_null_new());
        weir_buffer_deinit(&sql);
    }
    return ok;
}

/* UPDATE t SET a=?, … WHERE key=?, or INSERT INTO t (a, …, key) VALUES (?, …). */
static void build(const writer *w, const weir_value *features, bool insert, weir_buffer *sql) {
    weir_str key = weir__record_key(w->place);
    weir_buffer_text(sql, insert ? "INSERT INTO " : "UPDATE ");
    weir__record_name(sql, weir_str_from(w->place->table));
    weir_buffer_text(sql, insert ? " (" : " SET ");
    for (size_t i = 0; i < weir_value_count(features); i++) {
        if (i) weir_buffer_text(sql, ", ");
        weir__record_name(sql, weir_object_key(features, i));
        if (!insert) weir_buffer_text(sql, "=?");
    }
    if (!insert && w->by_rows) {
        weir_buffer_text(sql, " WHERE rowid IN (SELECT at FROM temp.weir_rows WHERE key=?)");
        return;
    }
    weir_buffer_text(sql, !insert ? " WHERE " : weir_value_count(features) ? ", " : "");
    weir__record_name(sql, key);
    weir_buffer_text(sql, insert ? ") VALUES (?" : "=?");
    for (size_t i = 0; insert && i < weir_value_count(features); i++) weir_buffer_text(sql, ", ?");
    if (insert) weir_buffer_text(sql, ")");
}

static bool prepare_again(writer *w, prepared *known, weir_buffer *sql, weir_error *error) {
    if (known->statement && weir_str_equal(weir_buffer_str(&known->sql), weir_buffer_str(sql)))
        return sqlite3_reset(known->statement) == SQLITE_OK || fail(w->database, w->place, error);
    sqlite3_finalize(known->statement);
    known->statement = NULL;
    weir_buffer_clear(&known->sql);
    weir_buffer_str_append(&known->sql, weir_buffer_str(sql));
    return prepare(w->database, w->place, sql, &known->statement, error);
}

static bool put_row(writer *w, const weir_value *key, const weir_value *features, bool insert,
                    weir_error *error) {
    prepared *known = insert ? &w->insert : &w->update;
    weir_buffer sql = {0};
    build(w, features, insert, &sql);
    bool ok = prepare_again(w, known, &sql, error);
    int count = (int)weir_value_count(features);
    for (int i = 0; ok && i < count; i++)
        ok = bind_value(known->statement, i + 1, weir_object_at(features, (size_t)i)) ||
             fail(w->database, w->place, error);
    ok = ok && (bind_value(known->statement, count + 1, key) || fail(w->database, w->place, error));
    if (ok && sqlite3_step(known->statement) != SQLITE_DONE)
        ok = fail(w->database, w->place, error);
    weir_buffer_deinit(&sql);
    return ok;
}

/* Where no index finds a key, each would be looked for in the whole table: so one is made, beside the database. */
static bool index_keys(writer *w, weir_error *error) {
    sqlite3_stmt *statement = NULL;
    weir_buffer sql = {0};
    weir_buffer_text(&sql, "EXPLAIN QUERY PLAN SELECT 1 FROM ");
    weir__record_name(&sql, weir_str_from(w->place->table));
    weir_buffer_text(&sql, " WHERE ");
    weir__record_name(&sql, weir__record_key(w->place));
    weir_buffer_text(&sql, "=?");
    bool ok = prepare(w->database, w->place, &sql, &statement, error);
    const char *how = ok && sqlite3_step(statement) == SQLITE_ROW
                          ? (const char *)sqlite3_column_text(statement, 3)
                          : NULL;
    w->by_rows = how && strncmp(how, "SCAN", 4) == 0;
    sqlite3_finalize(statement);
    if (w->by_rows) {
        weir_buffer_clear(&sql);
        weir_buffer_text(&sql, "CREATE TEMP TABLE weir_rows AS SELECT ");
        weir__record_name(&sql, weir__record_key(w->place));
        weir_buffer_text(&sql, " AS key, rowid AS at FROM ");
        weir__record_name(&sql, weir_str_from(w->place->table));
        weir_buffer_text(&sql, "; CREATE INDEX temp.weir_row_keys ON weir_rows (key)");
        ok = execute(w->database, w->place, sql.data, error);
    }
    weir_buffer_deinit(&sql);
    return ok;
}

static void forget(prepared *known) {
    sqlite3_finalize(known->statement);
    weir_buffer_deinit(&known->sql);
}

/* Without the column of the keys, which nothing may change. */
static weir_value *without_key(const writer *w, weir_value *features) {
    if (!weir_member(features, weir__record_key(w->place))) return features;
    weir_value *rest = weir_object_new();
    for (size_t i = 0; i < weir_value_count(features); i++)
        if (!weir_str_equal(weir_object_key(features, i), weir__record_key(w->place)))
            weir_member_set(rest, weir_object_key(features, i),
                            weir_value_ref(weir_object_at(features, i)));
    weir_value_unref(features);
    return rest;
}

static bool put_record(writer *w, const weir_value *record, weir_value *features,
                       weir_error *error) {
    const weir_value *key = weir_member_named(record, "key");
    features = without_key(w, features);
    bool ok = add_columns(w, features, error);
    bool any = weir_value_count(features) > 0;
    if (ok && any) ok = put_row(w, key, features, false, error);
    if (ok && any && sqlite3_changes(w->database) == 0) ok = put_row(w, key, features, true, error);
    weir_value_unref(features);
    return ok;
}

static bool put_all(writer *w, weir_record_spool *spool, bool whole, weir_error *error) {
    bool ok = true;
    weir_value *record = NULL, *changed = NULL;
    while (ok && (ok = weir_record_spool_next(spool, &record, &changed, error)) && record) {
        weir_value *features = weir__record_stored(record, changed, whole);
        if (features) ok = put_record(w, record, features, error);
        weir_value_unref(record);
        weir_value_unref(changed);
    }
    return ok;
}

bool weir__record_sqlite_write(const weir_record_place *place, weir_record_spool *spool, bool whole,
                               weir_error *error) {
    writer w = {.place = place};
    bool ok = open_database(place, whole, &w.database, error) &&
              execute(w.database, place, "BEGIN IMMEDIATE", error) &&
              (!whole || make_table(&w, error)) && find_columns(&w, error) &&
              index_keys(&w, error) && put_all(&w, spool, whole, error);
    forget(&w.update);
    forget(&w.insert);
    ok = ok && execute(w.database, place, "COMMIT", error);
    if (!ok && w.database) (void)sqlite3_exec(w.database, "ROLLBACK", NULL, NULL, NULL);
    weir_value_unref(w.columns);
    sqlite3_close(w.database);
    return ok;
}

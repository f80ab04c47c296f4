/* Records of a table in PostgreSQL: rows as JSON, by a cursor; what changed is written in one transaction at the end. */
#include "record/record_internal.h"
#include "store/postgresql_connection.h"

#define PAGE 500

typedef struct session {
    weir__pg_server server;
    weir__pg connection;
    const weir_record_place *place;
} session;

typedef struct pg_reader {
    weir_record_reader base;
    session s;
    PGresult *page;
    int at, count;
    bool over;
} pg_reader;

static bool open_session(session *s, const weir_record_place *place, weir_error *error) {
    s->place = place;
    if (!weir__pg_server_init(&s->server, place->path, error)) return false;
    s->connection =
        (weir__pg){.server = &s->server, .session = "SET client_min_messages = warning"};
    return weir__pg_connect(&s->connection, error);
}

static void close_session(session *s) {
    weir__pg_disconnect(&s->connection);
    weir__pg_server_deinit(&s->server);
}

static bool run(session *s, const char *sql, weir_error *error) {
    PGresult *result = NULL;
    if (weir__pg_run(&s->connection, sql, &result, error) != WEIR__PG_DONE) return false;
    s->server.q->clear(result);
    return true;
}

/* --- reading -------------------------------------------------------------------------------------- */

static bool read_page(pg_reader *r, weir_error *error) {
    const weir__libpq *q = r->s.server.q;
    if (r->page) q->clear(r->page);
    r->page = NULL;
    r->at = 0;
    const weir__pg_parameters none = {0};
    if (weir__pg_query(&r->s.connection, "FETCH 500 FROM weir_records", &none, &r->page, error) !=
        WEIR__PG_DONE)
        return false;
    r->count = q->ntuples(r->page);
    r->over = r->count < PAGE;
    return true;
}

/* {key, features} of a row that is JSON; columns that are null are no features. */
static weir_value *record_of(const weir_record_place *place, const weir_value *row) {
    weir_value *features = weir_object_new(), *key = NULL;
    for (size_t i = 0; i < weir_value_count(row); i++) {
        weir_str name = weir_object_key(row, i);
        weir_value *value = weir_object_at(row, i);
        if (weir_is(value, WEIR_NULL)) continue;
        if (weir_str_equal(name, weir__record_key(place)))
            key = weir_json_as_text(value);
        else
            weir_member_set(features, name, weir_value_ref(value));
    }
    return weir__record_of(key ? key : weir_string_new("", 0), features);
}

static bool next(weir_record_reader *base, weir_value **record, weir_error *error) {
    pg_reader *r = (pg_reader *)base;
    weir_value *row;
    *record = NULL;
    if (r->at >= r->count && (r->over || !read_page(r, error))) return r->over;
    if (r->at >= r->count) return true;
    weir_str text = weir__pg_text(&r->s.connection, r->page, r->at++, 0);
    if (!weir_json_parse(text, weir_str_from(r->s.place->shown), &row, error)) return false;
    *record = record_of(r->s.place, row);
    weir_value_unref(row);
    return true;
}

static void close_reader(weir_record_reader *base) {
    pg_reader *r = (pg_reader *)base;
    if (r->page) r->s.server.q->clear(r->page);
    close_session(&r->s);
}

bool weir__record_postgresql_open(const weir_record_place *place, weir_record_reader **out,
                                  weir_error *error) {
    pg_reader *r = weir_alloc(sizeof *r);
    weir_buffer sql = {0};
    r->base.next = next;
    r->base.close = close_reader;
    /* `key` is asked for so that a table without it is an error at once. */
    weir_buffer_text(&sql,
                     "DECLARE weir_records NO SCROLL CURSOR FOR SELECT to_jsonb(t)::text, t.");
    weir__record_name(&sql, weir__record_key(place));
    weir_buffer_text(&sql, "::text FROM ");
    weir__record_name(&sql, weir_str_from(place->table));
    weir_buffer_text(&sql, " AS t ORDER BY t.");
    weir__record_name(&sql, weir__record_key(place));
    bool ok = open_session(&r->s, place, error) &&
              run(&r->s, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", error) &&
              run(&r->s, sql.data, error);
    weir_buffer_deinit(&sql);
    if (!ok) weir_record_reader_close(&r->base);
    if (ok) *out = &r->base;
    return ok;
}

/* --- writing -------------------------------------------------------------------------------------- */

static const char *type_of(const weir_value *value) {
    if (weir_is(value, WEIR_BOOL)) return "boolean";
    if (weir_is(value, WEIR_INT)) return "bigint";
    if (weir_is(value, WEIR_FLOAT)) return "double precision";
    return weir_is(value, WEIR_STRING) ? "text" : "jsonb";
}

static bool add_columns(session *s, const weir_value *features, weir_value *columns,
                        weir_error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < weir_value_count(features); i++) {
        weir_str name = weir_object_key(features, i);
        const weir_value *value = weir_object_at(features, i);
        if (weir_member(columns, name) || weir_is(value, WEIR_NULL)) continue;
        weir_buffer sql = {0};
        weir_buffer_text(&sql, "ALTER TABLE ");
        weir__record_name(&sql, weir_str_from(s->place->table));
        weir_buffer_text(&sql, " ADD COLUMN IF NOT EXISTS ");
        weir__record_name(&sql, name);
        weir_buffer_printf(&sql, " %s", type_of(value));
        ok = run(s, sql.data, error);
        weir_member_set(columns, name, weir_null_new());
        weir_buffer_deinit(&sql);
    }
    return ok;
}

/* The features that are columns, with `new` before them when that is so. */
static size_t add_names(const session *s, const weir_value *features, const weir_value *columns,
                        bool set, weir_buffer *sql) {
    size_t count = 0;
    for (size_t i = 0; i < weir_value_count(features); i++) {
        weir_str name = weir_object_key(features, i);
        if (!weir_member(columns, name) || weir_str_equal(name, weir__record_key(s->place)))
            continue;
        if (count++) weir_buffer_text(sql, ", ");
        weir__record_name(sql, name);
        if (!set) continue;
        weir_buffer_text(sql, " = new.");
        weir__record_name(sql, name);
    }
    return count;
}

/* UPDATE t SET a = new.a … FROM jsonb_populate_record(NULL::t, …) AS new WHERE t.key = new.key, or INSERT … SELECT. */
static size_t build(const session *s, const weir_value *features, const weir_value *columns,
                    bool insert, weir_buffer *sql) {
    weir_buffer table = {0}, key = {0}, names = {0};
    weir__record_name(&table, weir_str_from(s->place->table));
    weir__record_name(&key, weir__record_key(s->place));
    size_t count = add_names(s, features, columns, !insert, &names);
    if (insert)
        weir_buffer_printf(sql,
                           "INSERT INTO %s (%s, %s) SELECT %s, %s FROM "
                           "jsonb_populate_record(NULL::%s, $1::text::jsonb)",
                           table.data, names.data, key.data, names.data, key.data, table.data);
    else if (count)
        weir_buffer_printf(sql,
                           "UPDATE %s AS old SET %s FROM jsonb_populate_record(NULL::%s, "
                           "$1::text::jsonb) AS new WHERE old.%s = new.%s",
                           table.data, names.data, table.data, key.data, key.data);
    weir_buffer_deinit(&table);
    weir_buffer_deinit(&key);
    weir_buffer_deinit(&names);
    return count;
}

static bool execute(session *s, const weir_buffer *sql, weir_str row, bool *found,
                    weir_error *error) {
    PGresult *result = NULL;
    weir__pg_parameters parameters = {0};
    weir__pg_add_text(&parameters, row);
    bool ok =
        weir__pg_query(&s->connection, sql->data, &parameters, &result, error) == WEIR__PG_DONE;
    weir__pg_parameters_deinit(&parameters);
    if (!ok) return false;
    *found = strcmp(s->server.q->cmdTuples(result), "0") != 0;
    s->server.q->clear(result);
    return true;
}

static bool put_record(session *s, const weir_value *record, weir_value *features,
                       weir_value *columns, weir_error *error) {
    weir_buffer update = {0}, insert = {0}, json = {0};
    bool ok = add_columns(s, features, columns, error), found = true;
    weir_value *row = weir_value_own(weir_value_ref(features));
    weir_member_set(row, weir__record_key(s->place),
                    weir_value_ref(weir_member_named(record, "key")));
    weir_json_format(row, 0, &json);
    bool any = ok && build(s, features, columns, false, &update) > 0;
    ok = ok && (!any || execute(s, &update, weir_buffer_str(&json), &found, error));
    if (ok && any && !found) {
        build(s, features, columns, true, &insert);
        ok = execute(s, &insert, weir_buffer_str(&json), &found, error);
    }
    weir_value_unref(row);
    weir_buffer_deinit(&update);
    weir_buffer_deinit(&insert);
    weir_buffer_deinit(&json);
    return ok;
}

static bool find_columns(session *s, weir_value **out, weir_error *error) {
    const weir__libpq *q = s->server.q;
    PGresult *result = NULL;
    weir__pg_parameters parameters = {0};
    weir__pg_add_text(&parameters, weir_str_from(s->place->table));
    bool ok = weir__pg_query(&s->connection,
                             "SELECT attname::text FROM pg_attribute WHERE attrelid = "
                             "quote_ident($1::text)::regclass AND attnum > 0 AND NOT attisdropped",
                             &parameters, &result, error) == WEIR__PG_DONE;
    weir__pg_parameters_deinit(&parameters);
    if (!ok) return false;
    *out = weir_object_new();
    for (int i = 0; i < q->ntuples(result); i++)
        weir_member_set(*out, weir__pg_text(&s->connection, result, i, 0), weir_null_new());
    q->clear(result);
    return true;
}

static bool make_table(session *s, weir_error *error) {
    weir_buffer sql = {0};
    weir_buffer_text(&sql, "CREATE TABLE IF NOT EXISTS ");
    weir__record_name(&sql, weir_str_from(s->place->table));
    weir_buffer_text(&sql, " (");
    weir__record_name(&sql, weir__record_key(s->place));
    weir_buffer_text(&sql, " text PRIMARY KEY)");
    bool ok = run(s, sql.data, error);
    weir_buffer_deinit(&sql);
    return ok;
}

static bool put_all(session *s, weir_record_spool *spool, bool whole, weir_value *columns,
                    weir_error *error) {
    bool ok = true;
    weir_value *record = NULL, *changed = NULL;
    while (ok && (ok = weir_record_spool_next(spool, &record, &changed, error)) && record) {
        weir_value *features = weir__record_stored(record, changed, whole);
        if (features) ok = put_record(s, record, features, columns, error);
        weir_value_unref(features);
        weir_value_unref(record);
        weir_value_unref(changed);
    }
    return ok;
}

bool weir__record_postgresql_write(const weir_record_place *place, weir_record_spool *spool,
                                   bool whole, weir_error *error) {
    session s = {0};
    weir_value *columns = NULL;
    bool ok = open_session(&s, place, error) && run(&s, "BEGIN", error) &&
              (!whole || make_table(&s, error)) && find_columns(&s, &columns, error) &&
              put_all(&s, spool, whole, columns, error) && run(&s, "COMMIT", error);
    weir_value_unref(columns);
    close_session(&s);
    return ok;
}

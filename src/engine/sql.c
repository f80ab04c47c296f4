/* Queries: a session of the store's, with the tables that only the engine can read. */
#include "store/sql.h"

#include "engine/engine_internal.h"

typedef struct querying {
    bool (*visit)(void *arg, const weir_value *names, const weir_value *row);
    void *arg;
    weir_value *names;
} querying;

/* Two columns of one name stay two: the second gets a number. */
static weir_value *name_list(const weir_str *names, size_t count) {
    weir_value *list = weir_array_new();
    weir_map seen = {0};
    for (size_t i = 0; i < count; i++) {
        weir_buffer name = {0};
        uint64_t times = 0;
        weir_buffer_str_append(&name, names[i]);
        if (weir_map_get(&seen, names[i], &times))
            weir_buffer_printf(&name, ":%u", (unsigned)times);
        weir_map_set(&seen, names[i], times + 1);
        weir_array_append(list, weir_string_from(weir_buffer_str(&name)));
        weir_buffer_deinit(&name);
    }
    weir_map_deinit(&seen);
    return list;
}

static weir_value *to_value(const weir_sql_value *value) {
    weir_buffer digits = {0};
    switch (value->kind) {
    case WEIR_SQL_NUMBER: return weir_int_new(value->number);
    case WEIR_SQL_REAL: return weir_float_new(value->real);
    case WEIR_SQL_TEXT: return weir_string_from(value->text);
    case WEIR_SQL_BYTES: break;
    default: return weir_null_new();
    }
    for (size_t i = 0; i < value->text.length; i++)
        weir_buffer_printf(&digits, "%02x", (unsigned char)value->text.data[i]);
    weir_value *text = weir_string_from(weir_buffer_str(&digits));
    weir_buffer_deinit(&digits);
    return text;
}

static bool visit_row(void *arg, const weir_str *names, const weir_sql_value *values,
                      size_t count) {
    querying *q = arg;
    if (!values) {
        q->names = name_list(names, count);
        return q->visit(q->arg, q->names, NULL);
    }
    weir_value *row = weir_array_new();
    for (size_t i = 0; i < count; i++) weir_array_append(row, to_value(&values[i]));
    bool more = q->visit(q->arg, q->names, row);
    weir_value_unref(row);
    return more;
}

bool weir_query(weir_engine *engine, const char *text, uint64_t timeout_ms, uint64_t rows_max,
                bool (*visit)(void *arg, const weir_value *names, const weir_value *row), void *arg,
                bool *more, weir_error *error) {
    weir_sql *sql;
    querying q = {.visit = visit, .arg = arg};
    *more = false;
    if (!weir_sql_open(engine->store, timeout_ms * 1000, &sql, error)) return false;
    weir__sql_events *events = weir__sql_events_add(engine, sql);
    bool ok = weir_sql_run(sql, weir_str_from(text), rows_max, visit_row, &q, more, error);
    weir_sql_close(sql);
    weir__sql_events_free(events);
    weir_value_unref(q.names);
    return ok;
}

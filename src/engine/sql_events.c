/* Journals as tables. `events`: as `weir events` shows them; `invocations`: each call, and each attempt of a task that ended.
 * Both replay runs, one after the other, some batches at a time; of a query that wants one run only that is read. */
#include <stdio.h>
#include <stdlib.h>

#include "data/json.h"
#include "engine/engine_internal.h"
#include "store/sql.h"

enum { CELLS_MAX = 16 };

/* X(column): of each table, in order; numbers are told by their ending. */
#define EVENTS(X) X(run) X(id) X(context) X(sequence) X(time_us) X(type) X(prev) X(data)
#define INVOCATIONS(X)                                                                             \
    X(run)                                                                                         \
    X(context)                                                                                     \
    X(context_name)                                                                                \
    X(kind)                                                                                        \
    X(operation)                                                                                   \
    X(task) X(attempt) X(phase) X(inputs) X(outputs) X(code) X(message) X(started_us) X(finished_us)
#define EVENTS_SQL                                                                                 \
    "run TEXT, id TEXT, context INTEGER, sequence INTEGER, time_us INTEGER, type TEXT, prev TEXT," \
    " data TEXT"
#define INVOCATIONS_SQL                                                                            \
    "run TEXT, context INTEGER, context_name TEXT, kind TEXT, operation TEXT, task INTEGER,"       \
    " attempt INTEGER, phase TEXT, inputs TEXT, outputs TEXT, code TEXT, message TEXT,"            \
    " started_us INTEGER, finished_us INTEGER"

typedef struct row {
    weir_sql_value values[CELLS_MAX]; /* texts are the cursor's */
} row;

/* An attempt that started and did not end yet. */
typedef struct started {
    weir_task_id task;
    uint32_t number;
    uint64_t time_us;
    weir_value *inputs; /* NULL: unknown */
} started;

typedef struct journal_cursor {
    const weir_sql_table *table;
    WEIR_VECTOR(char *) runs; /* ids to be read, from run_at on */
    size_t run_at;
    weir__replay *replay; /* NULL: the next run is to be opened */
    bool more;            /* there may be more of it */
    WEIR_VECTOR(row) rows;
    size_t row_at; /* the current one */
    weir_arena texts;
    WEIR_VECTOR(started) started;
    weir_map places; /* in `started`, by task */
    WEIR_VECTOR(char *) keys;
} journal_cursor;

struct weir__sql_events {
    weir_engine *engine;
    weir_sql *sql;
    weir_sql_table events, invocations;
};

static weir__sql_events *owner_of(const journal_cursor *c) {
    return c->table->arg;
}

/* --- cells ------------------------------------------------------------------------------------ */

static weir_sql_value number(uint64_t value) {
    return (weir_sql_value){.kind = WEIR_SQL_NUMBER, .number = (int64_t)value};
}

static weir_sql_value text(journal_cursor *c, weir_str value) {
    return (weir_sql_value){.kind = WEIR_SQL_TEXT,
                            .text = {weir_str_copy(&c->texts, value), value.length}};
}

static weir_sql_value literal(const char *value) {
    return (weir_sql_value){.kind = WEIR_SQL_TEXT, .text = weir_str_from(value)};
}

static weir_sql_value text_member(journal_cursor *c, const weir_value *data, const char *key) {
    const weir_value *value = weir_member_named(data, key);
    return weir_is(value, WEIR_STRING) ? text(c, weir_string_get(value)) : (weir_sql_value){0};
}

static weir_sql_value json(journal_cursor *c, const weir_value *value) {
    weir_buffer out = {0};
    if (!value) return (weir_sql_value){0};
    weir_json_format(value, 0, &out);
    weir_sql_value cell = text(c, weir_buffer_str(&out));
    weir_buffer_deinit(&out);
    return cell;
}

static row *new_row(journal_cursor *c) {
    row *r = weir_vector_push(&c->rows);
    *r = (row){0};
    return r;
}

/* --- events ----------------------------------------------------------------------------------- */

typedef struct showing {
    journal_cursor *cursor;
    const weir_run *run;
    const weir_event *event;
    weir_value *values[2]; /* a call is seen as two */
    size_t count;
} showing;

static void keep_shown(void *arg, weir_value *value) {
    showing *s = arg;
    if (s->count < 2) s->values[s->count++] = weir_value_ref(value);
}

static showing show(journal_cursor *c, weir_run *run, const weir_event *event) {
    showing s = {.cursor = c, .run = run, .event = event};
    weir__event_show(run, event, keep_shown, &s);
    return s;
}

static void drop_shown(showing *s) {
    for (size_t i = 0; i < s->count; i++) weir_value_unref(s->values[i]);
}

static void note_event(void *arg, weir_run *run, const weir_event *event) {
    enum {
#define X(column) AT_##column,
        EVENTS(X)
#undef X
    };
    journal_cursor *c = arg;
    showing s = show(c, run, event);
    for (size_t i = 0; i < s.count; i++) {
        row *r = new_row(c);
        r->values[AT_run] = text(c, weir_str_from(run->id));
        r->values[AT_id] = text_member(c, s.values[i], "id");
        r->values[AT_context] = number(event->id.context);
        r->values[AT_sequence] = number(event->id.sequence);
        r->values[AT_time_us] = number(event->time_us);
        r->values[AT_type] = text_member(c, s.values[i], "type");
        r->values[AT_prev] = json(c, weir_member_named(s.values[i], "prev"));
        r->values[AT_data] = json(c, weir_member_named(s.values[i], "data"));
    }
    drop_shown(&s);
}

/* --- invocations ------------------------------------------------------------------------------ */

static void keep_started(journal_cursor *c, weir_run *run, const weir_event *event) {
    weir_attempt attempt;
    uint64_t at;
    weir_task_id task = (weir_task_id)event->subject;
    started s = {.task = task, .number = event->number, .time_us = event->time_us};
    if (weir_machine_attempt(run->machine, task, event->number, &attempt)) {
        s.inputs = weir_value_ref(attempt.parameters);
        weir_attempt_drop(&attempt);
    }
    if (weir_map_get(&c->places, (weir_str){(const char *)&task, sizeof task}, &at)) {
        weir_value_unref(c->started.items[at].inputs);
        c->started.items[at] = s;
        return;
    }
    char *key = weir_alloc(sizeof task);
    memcpy(key, &task, sizeof task);
    *weir_vector_push(&c->keys) = key;
    weir_map_set(&c->places, (weir_str){key, sizeof task}, c->started.count);
    *weir_vector_push(&c->started) = s;
}

static const started *started_of(const journal_cursor *c, const weir_event *event) {
    uint64_t at;
    weir_task_id task = (weir_task_id)event->subject;
    if (!weir_map_get(&c->places, (weir_str){(const char *)&task, sizeof task}, &at)) return NULL;
    const started *s = &c->started.items[at];
    return s->number == event->number ? s : NULL;
}

enum invocation_columns {
#define X(column) IN_##column,
    INVOCATIONS(X)
#undef X
};

static weir_str name_of(const weir_value *data) {
    weir_str instance = weir_member_text(data, "instance"), node = weir_member_text(data, "node");
    return instance.length ? instance : node;
}

static row *add_invocation(journal_cursor *c, const showing *s, const weir_value *data) {
    row *r = new_row(c);
    r->values[IN_run] = text(c, weir_str_from(s->run->id));
    if (s->event->id.context) r->values[IN_context] = number(s->event->id.context);
    r->values[IN_context_name] = text_member(c, data, "context");
    r->values[IN_operation] = text(c, name_of(data));
    r->values[IN_finished_us] = number(s->event->time_us);
    return r;
}

static void fill_outcome(journal_cursor *c, row *r, const weir_value *data) {
    weir_outcome outcome = weir_outcome_from_value(data);
    r->values[IN_phase] = literal(weir_records_phase(outcome.kind));
    r->values[IN_outputs] = json(c, outcome.outputs);
    r->values[IN_code] = text_member(c, outcome.failure, "code");
    r->values[IN_message] = text_member(c, outcome.failure, "message");
    weir_outcome_deinit(&outcome);
}

static void note_call(journal_cursor *c, const showing *s) {
    if (s->count < 2) return;
    const weir_value *start = weir_member_named(s->values[0], "data"),
                     *end = weir_member_named(s->values[1], "data");
    row *r = add_invocation(c, s, start);
    r->values[IN_kind] = literal("call");
    r->values[IN_inputs] = json(c, weir_member_named(start, "parameters"));
    r->values[IN_started_us] = number(s->event->time_us);
    fill_outcome(c, r, end);
}

static void note_attempt(journal_cursor *c, const showing *s) {
    if (!s->count) return;
    const weir_value *data = weir_member_named(s->values[0], "data");
    const started *begun = started_of(c, s->event);
    row *r = add_invocation(c, s, data);
    r->values[IN_kind] = literal("task");
    r->values[IN_task] = number(s->event->subject);
    r->values[IN_attempt] = number(s->event->number);
    if (begun) r->values[IN_inputs] = json(c, begun->inputs);
    if (begun) r->values[IN_started_us] = number(begun->time_us);
    if (s->event->type == WEIR_ATTEMPT_FINISHED) {
        fill_outcome(c, r, data);
        return;
    }
    r->values[IN_phase] = literal("Lost");
    r->values[IN_message] = text_member(c, data, "reason");
}

static void note_invocation(void *arg, weir_run *run, const weir_event *event) {
    journal_cursor *c = arg;
    bool ends = event->type == WEIR_ATTEMPT_FINISHED || event->type == WEIR_ATTEMPT_LOST;
    if (event->type == WEIR_ATTEMPT_STARTED) keep_started(c, run, event);
    if (!ends && event->type != WEIR_CALL_FINISHED) return;
    showing s = show(c, run, event);
    (ends ? note_attempt : note_call)(c, &s);
    drop_shown(&s);
}

/* --- the cursor ------------------------------------------------------------------------------- */

static void *open_cursor(const weir_sql_table *table) {
    journal_cursor *c = weir_alloc(sizeof *c);
    c->table = table;
    return c;
}

static void forget_rows(journal_cursor *c) {
    c->rows.count = c->row_at = 0;
    weir_arena_deinit(&c->texts);
}

static void end_run(journal_cursor *c) {
    weir__replay_close(c->replay);
    c->replay = NULL;
    for (size_t i = 0; i < c->started.count; i++) weir_value_unref(c->started.items[i].inputs);
    for (size_t i = 0; i < c->keys.count; i++) weir_free(c->keys.items[i]);
    c->started.count = c->keys.count = 0;
    weir_map_deinit(&c->places);
}

static void end_reading(journal_cursor *c) {
    end_run(c);
    forget_rows(c);
    for (size_t i = 0; i < c->runs.count; i++) weir_free(c->runs.items[i]);
    c->runs.count = c->run_at = 0;
}

static void close_cursor(void *cursor) {
    journal_cursor *c = cursor;
    end_reading(c);
    weir_vector_deinit(&c->runs);
    weir_vector_deinit(&c->rows);
    weir_vector_deinit(&c->started);
    weir_vector_deinit(&c->keys);
    weir_free(c);
}

static bool note_run(void *arg, const weir_run_record *record) {
    journal_cursor *c = arg;
    *weir_vector_push(&c->runs) = weir_str_dup(record->id);
    return true;
}

static void note_wanted(void *arg, const weir_run_record *record) {
    (void)note_run(arg, record);
}

static bool begin_reading(void *cursor, const weir_sql_given *given, size_t count,
                          weir_error *error) {
    journal_cursor *c = cursor;
    weir_store *store = owner_of(c)->engine->store;
    end_reading(c);
    if (!count) return weir_store_list(store, 0, note_run, c, error);
    if (given[0].value.kind != WEIR_SQL_TEXT) return true; /* no run is called so */
    return weir_store_find(store, given[0].value.text, note_wanted, c, error) ||
           error->code == WEIR_NOT_FOUND;
}

/* Reads on until there are rows, or no more runs. */
static bool next_row(void *cursor, bool *there, weir_error *error) {
    journal_cursor *c = cursor;
    const weir__sql_events *e = owner_of(c);
    if (c->rows.count && ++c->row_at < c->rows.count) {
        *there = true;
        return true;
    }
    forget_rows(c);
    while (!c->rows.count) {
        if (!weir_sql_in_time(e->sql, error)) return false;
        if (c->replay && c->more) {
            if (!weir__replay_more(c->replay, &c->more, error)) return false;
            continue;
        }
        end_run(c);
        if (c->run_at == c->runs.count) break;
        if (!weir__replay_open(e->engine, weir_str_from(c->runs.items[c->run_at++]),
                               c->table == &e->events ? note_event : note_invocation, c, &c->replay,
                               error))
            return false;
        c->more = true;
    }
    *there = c->rows.count != 0;
    return true;
}

static void get_cell(void *cursor, int column, weir_sql_value *out) {
    const journal_cursor *c = cursor;
    if (column >= 0 && column < CELLS_MAX) *out = c->rows.items[c->row_at].values[column];
}

/* --- adding them ------------------------------------------------------------------------------ */

weir__sql_events *weir__sql_events_add(weir_engine *engine, weir_sql *sql) {
    weir__sql_events *e = weir_alloc(sizeof *e);
    e->engine = engine;
    e->sql = sql;
    e->events = (weir_sql_table){.name = "events",
                                 .columns = EVENTS_SQL,
                                 .picks = 1, /* the run */
                                 .open = open_cursor,
                                 .begin = begin_reading,
                                 .next = next_row,
                                 .get = get_cell,
                                 .close = close_cursor,
                                 .arg = e};
    e->invocations = e->events;
    e->invocations.name = "invocations";
    e->invocations.columns = INVOCATIONS_SQL;
    weir_sql_add(sql, &e->events);
    weir_sql_add(sql, &e->invocations);
    return e;
}

void weir__sql_events_free(weir__sql_events *e) {
    weir_free(e);
}

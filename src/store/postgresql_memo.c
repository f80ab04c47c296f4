/* Memoized results on PostgreSQL. */
#include "store/postgresql_internal.h"

static weir_memo_entry read_entry(const weir__pg *c, const PGresult *result, int row) {
    return (weir_memo_entry){.key = weir__pg_text(c, result, row, 0),
                             .cache = weir__pg_text(c, result, row, 1),
                             .operation = weir__pg_text(c, result, row, 2),
                             .instance = weir__pg_text(c, result, row, 3),
                             .run = weir__pg_text(c, result, row, 4),
                             .task = (uint32_t)weir__pg_number(c, result, row, 5),
                             .created_us = (uint64_t)weir__pg_number(c, result, row, 6),
                             .size = (uint64_t)weir__pg_number(c, result, row, 7),
                             .version = weir__pg_number(c, result, row, 8),
                             .checksum = weir__pg_number(c, result, row, 9),
                             .value = weir__pg_text(c, result, row, 10),
                             .blob = weir__pg_text(c, result, row, 11)};
}

/* Ends the parameters. */
static bool visit_rows(weir__postgresql *s, weir__pg_statement statement, weir__pg_parameters *p,
                       weir_memo_visit *visit, void *arg, weir_error *error) {
    weir__pg *c;
    PGresult *result;
    bool ok = weir__pg_ask(s, statement, p, &c, &result, error), more = true;
    weir__pg_parameters_deinit(p);
    if (!ok) return false;
    int rows = s->server.q->ntuples(result);
    for (int row = 0; more && row < rows; row++) {
        weir_memo_entry entry = read_entry(c, result, row);
        more = visit(arg, &entry);
    }
    s->server.q->clear(result);
    return true;
}

bool weir__pg_memo_find(weir_store *store, const weir_str *keys, size_t count,
                        weir_memo_visit *visit, void *arg, weir_error *error) {
    weir__pg_parameters p = {0};
    int key = weir__pg_add_array(&p, WEIR__PG_TEXT);
    for (size_t i = 0; i < count; i++) weir__pg_push_text(&p, key, keys[i]);
    return visit_rows((weir__postgresql *)store, WEIR__PG_MEMO_FIND, &p, visit, arg, error);
}

bool weir__pg_memo_list(weir_store *store, const weir_memo_filter *filter, weir_memo_visit *visit,
                        void *arg, weir_error *error) {
    weir__pg_parameters p = {0};
    weir__pg_add_text(&p, filter->key);
    weir__pg_add_text(&p, filter->cache);
    weir__pg_add_text(&p, filter->operation);
    weir__pg_add_number(&p, (int64_t)filter->before_us);
    weir__pg_add_number(&p, filter->limit ? (int64_t)filter->limit : INT64_MAX);
    return visit_rows((weir__postgresql *)store, WEIR__PG_MEMO_LIST, &p, visit, arg, error);
}

bool weir__pg_memo_remove(weir_store *store, const weir_memo_entry *entries, size_t count,
                          weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg_parameters p = {0};
    weir__pg *c;
    PGresult *result;
    int key = weir__pg_add_array(&p, WEIR__PG_TEXT), made = weir__pg_add_array(&p, WEIR__PG_NUMBER);
    for (size_t i = 0; i < count; i++) {
        weir__pg_push_text(&p, key, entries[i].key);
        weir__pg_push_number(&p, made, (int64_t)entries[i].created_us);
    }
    bool ok = weir__pg_ask(s, WEIR__PG_MEMO_REMOVE, &p, &c, &result, error);
    weir__pg_parameters_deinit(&p);
    if (ok) s->server.q->clear(result);
    return ok;
}

/* --- writing -------------------------------------------------------------------------------- */

void weir__pg_memo_put(weir_store *store, weir__memo_put *put) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__writer_put_memo(s->writer, weir__pg_fence(s, put->copy.entry.run), put);
}

static void add_entries(weir__pg_parameters *p, const weir__append *a) {
    enum { TEXTS = 6, NUMBERS = 6 };
    int text = weir__pg_add_array(p, WEIR__PG_TEXT);
    for (int i = 1; i < TEXTS; i++) weir__pg_add_array(p, WEIR__PG_TEXT);
    int number = weir__pg_add_array(p, WEIR__PG_NUMBER);
    for (int i = 1; i < NUMBERS; i++) weir__pg_add_array(p, WEIR__PG_NUMBER);
    int value = weir__pg_add_array(p, WEIR__PG_BYTES);
    for (; a; a = a->next) {
        const weir_memo_entry *e = &a->memo->copy.entry;
        const weir_str texts[TEXTS] = {e->key,      e->cache, e->operation,
                                       e->instance, e->run,   e->blob};
        const int64_t numbers[NUMBERS] = {e->task,          (int64_t)e->created_us,
                                          (int64_t)e->size, e->version,
                                          e->checksum,      (int64_t)a->memo->replaces};
        for (int i = 0; i < TEXTS; i++) weir__pg_push_text(p, text + i, texts[i]);
        for (int i = 0; i < NUMBERS; i++) weir__pg_push_number(p, number + i, numbers[i]);
        weir__pg_push_bytes(p, value, e->value);
    }
}

/* Of several with one key the first counts. */
static void note_written(const weir__pg *c, const PGresult *result, weir__append *first) {
    int rows = c->server->q->ntuples(result);
    for (int row = 0; row < rows; row++) {
        weir_str key = weir__pg_text(c, result, row, 0);
        weir__append *a = first;
        while (a && !weir_str_equal(a->memo->copy.entry.key, key)) a = a->next;
        if (a) a->memo->written = true;
    }
}

weir__pg_outcome weir__pg_write_memos(weir__postgresql *s, weir__append *first, weir_error *error) {
    weir__pg *c = &s->writer_connection;
    weir__pg_parameters p = {0};
    PGresult *result;
    add_entries(&p, first);
    weir__pg_outcome outcome = weir__pg_execute(c, WEIR__PG_MEMO_PUT, &p, &result, error);
    weir__pg_parameters_deinit(&p);
    if (outcome == WEIR__PG_LOST) return outcome;
    if (outcome == WEIR__PG_DONE) {
        note_written(c, result, first);
        c->server->q->clear(result);
    }
    return WEIR__PG_DONE; /* what was refused is not kept, and no run fails for that */
}

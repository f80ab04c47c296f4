/* Repair of a store on PostgreSQL: what is wrong with single batches. The server sees to its pages. */
#include "store/postgresql_internal.h"

bool weir__pg_streams(weir_store *store, weir__stream_visit *visit, void *arg, weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg_parameters none = {0};
    weir__pg *c;
    PGresult *result;
    if (!weir__pg_ask(s, WEIR__PG_STREAMS, &none, &c, &result, error)) return false;
    int rows = s->server.q->ntuples(result);
    for (int row = 0; row < rows; row++)
        if (!visit(arg, weir__pg_text(c, result, row, 0))) break;
    s->server.q->clear(result);
    return true;
}

static bool inspect_row(const weir__pg *c, const PGresult *row, weir_str run,
                        weir__inspect_visit *visit, void *arg) {
    weir_error damage;
    uint64_t sequence = (uint64_t)weir__pg_number(c, row, 0, 0);
    weir_str bytes = weir__pg_text(c, row, 0, 3);
    bool sound = weir__batch_check(run, NULL, sequence, weir__pg_number(c, row, 0, 1),
                                   weir__pg_number(c, row, 0, 2), bytes, &damage);
    return visit(arg, sequence, bytes, sound ? NULL : &damage);
}

bool weir__pg_inspect(weir_store *store, weir_str run, weir__inspect_visit *visit, void *arg,
                      weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg *c = weir__pg_idle_reader(s);
    weir__pg_parameters p = {0};
    PGresult *row = NULL;
    weir__pg_add_text(&p, run);
    weir__pg_add_number(&p, INT64_MIN);
    weir__pg_outcome outcome = WEIR__PG_LOST;
    if (weir__pg_connect(c, error)) outcome = weir__pg_stream(c, WEIR__PG_READ, &p, error);
    weir__pg_parameters_deinit(&p);
    while (outcome == WEIR__PG_DONE) {
        outcome = weir__pg_next(c, &row, error);
        if (outcome != WEIR__PG_DONE || !row) break;
        bool more = inspect_row(c, row, run, visit, arg);
        s->server.q->clear(row);
        if (more) continue;
        weir__pg_stop(c);
        break;
    }
    return outcome == WEIR__PG_DONE;
}

static bool fail_lease(weir_str run, weir_error *error) {
    return weir_fail(error, WEIR_CONFLICT, "the lease of run `%.*s` is another's", WEIR_ARG(run));
}

bool weir__pg_shorten(weir_store *store, weir_str run, uint64_t sequence, weir_str summary,
                      const uint32_t *contexts, size_t count, weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg_parameters p = {0};
    weir__pg *c;
    PGresult *result;
    weir__pg_add_text(&p, run);
    weir__pg_add_number(&p, (int64_t)weir__pg_fence(s, run));
    weir__pg_add_text(&p, weir_str_from(s->engine));
    weir__pg_add_number(&p, (int64_t)sequence);
    int numbers = weir__pg_add_array(&p, WEIR__PG_NUMBER);
    for (size_t i = 0; i < count; i++) weir__pg_push_number(&p, numbers, contexts[i]);
    weir__pg_add_number(&p, WEIR__BATCH_VERSION);
    int checksum = weir__pg_add_array(&p, WEIR__PG_NUMBER);
    weir__pg_push_number(&p, checksum, weir__batch_checksum(run, sequence, summary));
    int bytes = weir__pg_add_array(&p, WEIR__PG_BYTES);
    weir__pg_push_bytes(&p, bytes, summary);
    bool ok = weir__pg_ask(s, WEIR__PG_SHORTEN, &p, &c, &result, error);
    weir__pg_parameters_deinit(&p);
    if (!ok) return false;
    bool leased = s->server.q->ntuples(result) > 0;
    s->server.q->clear(result);
    return leased || fail_lease(run, error);
}

bool weir__pg_cut(weir_store *store, uint64_t from, const weir_run_record *record,
                  weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    const weir_str texts[] = {record->name, record->kind,  record->phase,
                              record->file, record->owner, record->parent};
    weir__pg_parameters p = {0};
    weir__pg *c;
    PGresult *result;
    weir__pg_add_text(&p, record->id);
    weir__pg_add_number(&p, (int64_t)weir__pg_fence(s, record->id));
    weir__pg_add_text(&p, weir_str_from(s->engine));
    weir__pg_add_number(&p, (int64_t)from);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) weir__pg_add_text(&p, texts[i]);
    weir__pg_add_number(&p, (int64_t)record->created_us);
    weir__pg_add_number(&p, (int64_t)record->finished_us);
    weir__pg_add_text(&p, record->labels);
    bool ok = weir__pg_ask(s, WEIR__PG_CUT, &p, &c, &result, error);
    weir__pg_parameters_deinit(&p);
    if (!ok) return false;
    bool leased = s->server.q->ntuples(result) > 0;
    s->server.q->clear(result);
    return leased || fail_lease(record->id, error);
}

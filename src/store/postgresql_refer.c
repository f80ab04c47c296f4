/* References to blobs on PostgreSQL. */
#include "store/postgresql_internal.h"

static void add_references(weir__pg_parameters *p, const weir_reference *references, size_t count) {
    int run = weir__pg_add_array(p, WEIR__PG_TEXT), digest = weir__pg_add_array(p, WEIR__PG_TEXT);
    int place = weir__pg_add_array(p, WEIR__PG_TEXT), size = weir__pg_add_array(p, WEIR__PG_NUMBER);
    for (size_t i = 0; i < count; i++) {
        weir__pg_push_text(p, run, references[i].run);
        weir__pg_push_text(p, digest, references[i].digest);
        weir__pg_push_text(p, place, references[i].place);
        weir__pg_push_number(p, size, (int64_t)references[i].size);
    }
}

void weir__pg_refer(weir_store *store, weir__refer_put *put) {
    weir__writer_refer(((weir__postgresql *)store)->writer, put);
}

/* On the writer's thread: what several runs refer to, one after the other. */
weir__pg_outcome weir__pg_write_references(weir__postgresql *s, const weir__append *first,
                                           weir_error *error) {
    weir__pg *c = &s->writer_connection;
    weir__pg_outcome outcome = WEIR__PG_DONE;
    for (const weir__append *a = first; a && outcome == WEIR__PG_DONE; a = a->next) {
        weir__pg_parameters p = {0};
        PGresult *result;
        add_references(&p, a->refers->items, a->refers->count);
        weir__pg_add_number(&p, (int64_t)a->refers->now_us);
        outcome = weir__pg_execute(c, WEIR__PG_REFER, &p, &result, error);
        weir__pg_parameters_deinit(&p);
        if (outcome == WEIR__PG_DONE) c->server->q->clear(result);
    }
    return outcome;
}

/* --- on the loop's thread --------------------------------------------------------------------- */

/* Ends the parameters. */
static bool visit_all(weir__postgresql *s, const char *sql, weir__pg_parameters *p,
                      weir_reference_visit *visit, void *arg, weir_error *error) {
    weir__pg *c;
    PGresult *result;
    bool ok = weir__pg_ask_sql(s, sql, p, &c, &result, error), more = true;
    weir__pg_parameters_deinit(p);
    if (!ok) return false;
    int rows = s->server.q->ntuples(result);
    for (int row = 0; more && row < rows; row++) {
        weir_reference reference = {.run = weir__pg_text(c, result, row, 0),
                                    .digest = weir__pg_text(c, result, row, 1),
                                    .place = weir__pg_text(c, result, row, 2),
                                    .size = (uint64_t)weir__pg_number(c, result, row, 3)};
        more = visit(arg, &reference);
    }
    s->server.q->clear(result);
    return true;
}

bool weir__pg_references(weir_store *store, weir_str run, weir_str digest,
                         weir_reference_visit *visit, void *arg, weir_error *error) {
    weir__pg_parameters p = {0};
    weir__pg_add_text(&p, run);
    weir__pg_add_text(&p, digest);
    return visit_all((weir__postgresql *)store,
                     "SELECT run, digest, place, size FROM weir.blobs"
                     " WHERE ($1::text = '' OR run = $1::text) AND ($2::text = '' OR digest = "
                     "$2::text) ORDER BY digest, place",
                     &p, visit, arg, error);
}

bool weir__pg_forsaken(weir_store *store, const weir_reference *after, weir_reference_visit *visit,
                       void *arg, weir_error *error) {
    weir__pg_parameters p = {0};
    weir__pg_add_text(&p, after->run);
    weir__pg_add_text(&p, after->digest);
    weir__pg_add_text(&p, after->place);
    weir__pg_add_number(&p, WEIR_FORSAKEN_MAX);
    return visit_all((weir__postgresql *)store,
                     "SELECT run, digest, place, size FROM weir.blobs WHERE noted_us = 0"
                     " AND (run, digest, place) > ($1::text, $2::text, $3::text)"
                     " ORDER BY run, digest, place LIMIT $4::bigint",
                     &p, visit, arg, error);
}

/* A statement whose answer does not matter. Ends the parameters. */
static bool change(weir_store *store, const char *sql, weir__pg_parameters *p, weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg *c;
    PGresult *result;
    bool ok = weir__pg_ask_sql(s, sql, p, &c, &result, error);
    weir__pg_parameters_deinit(p);
    if (ok) s->server.q->clear(result);
    return ok;
}

bool weir__pg_forsake(weir_store *store, uint64_t before_us, weir_error *error) {
    weir__pg_parameters p = {0};
    weir__pg_add_number(&p, (int64_t)before_us);
    return change(store,
                  "UPDATE weir.blobs b SET noted_us = 0 WHERE noted_us > 0"
                  " AND noted_us < $1::bigint"
                  " AND NOT EXISTS (SELECT 1 FROM weir.runs r WHERE r.id = b.run)",
                  &p, error);
}

bool weir__pg_unrefer(weir_store *store, const weir_reference *references, size_t count,
                      weir_error *error) {
    weir__pg_parameters p = {0};
    add_references(&p, references, count);
    return change(store,
                  "DELETE FROM weir.blobs b USING unnest($1::text[], $2::text[], $3::text[],"
                  " $4::bigint[]) AS g(run, digest, place, size) WHERE b.run = g.run"
                  " AND b.digest = g.digest AND b.place = g.place",
                  &p, error);
}

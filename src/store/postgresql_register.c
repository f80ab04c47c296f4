/* Registers on PostgreSQL. A question may be asked twice: then the second finds what the first wrote, and its asker reads again. */
#include "store/postgresql_internal.h"

bool weir__pg_register_get(weir_store *store, weir_str key, weir_buffer *value, uint64_t *version,
                           weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg_parameters p = {0};
    weir__pg *c;
    PGresult *result;
    *version = 0;
    weir__pg_add_text(&p, key);
    bool ok = weir__pg_ask(s, WEIR__PG_REGISTER_GET, &p, &c, &result, error);
    weir__pg_parameters_deinit(&p);
    if (!ok) return false;
    if (s->server.q->ntuples(result)) {
        *version = (uint64_t)weir__pg_number(c, result, 0, 0);
        weir_buffer_str_append(value, weir__pg_text(c, result, 0, 1));
    }
    s->server.q->clear(result);
    return true;
}

/* Whether the answer is one row. Ends the parameters. */
static bool ask_whether(weir__postgresql *s, weir__pg_statement statement, weir__pg_parameters *p,
                        bool *yes, weir_error *error) {
    weir__pg *c;
    PGresult *result;
    bool ok = weir__pg_ask(s, statement, p, &c, &result, error);
    weir__pg_parameters_deinit(p);
    if (!ok) return false;
    *yes = s->server.q->ntuples(result) == 1;
    s->server.q->clear(result);
    return true;
}

bool weir__pg_register_put(weir_store *store, weir_str key, weir_str value, uint64_t version,
                           bool *written, weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg_parameters p = {0};
    weir__pg_add_text(&p, key);
    weir_buffer_str_append(&p.values[p.count++], value);
    weir__pg_add_number(&p, (int64_t)version);
    return ask_whether(s, version ? WEIR__PG_REGISTER_PUT : WEIR__PG_REGISTER_MAKE, &p, written,
                       error);
}

bool weir__pg_register_list(weir_store *store, weir_str prefix, weir_register_visit *visit,
                            void *arg, weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg_parameters p = {0};
    weir__pg *c;
    PGresult *result;
    weir__pg_add_text(&p, prefix);
    bool ok = weir__pg_ask(s, WEIR__PG_REGISTER_LIST, &p, &c, &result, error);
    weir__pg_parameters_deinit(&p);
    if (!ok) return false;
    int rows = s->server.q->ntuples(result);
    for (int i = 0; i < rows; i++)
        if (!visit(arg, weir__pg_text(c, result, i, 0), weir__pg_text(c, result, i, 2),
                   (uint64_t)weir__pg_number(c, result, i, 1)))
            break;
    s->server.q->clear(result);
    return true;
}

bool weir__pg_register_remove(weir_store *store, weir_str key, uint64_t version, bool *removed,
                              weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg_parameters p = {0};
    weir__pg_add_text(&p, key);
    weir__pg_add_number(&p, (int64_t)version);
    return ask_whether(s, WEIR__PG_REGISTER_REMOVE, &p, removed, error);
}

/* What tasks took in earlier runs, on PostgreSQL. */
#include "store/postgresql_internal.h"

static weir_history_sample read_sample(weir__pg *c, PGresult *result, int row) {
    uint64_t numbers[7];
    for (int i = 0; i < 7; i++) numbers[i] = (uint64_t)weir__pg_number(c, result, row, i + 3);
    return (weir_history_sample){.number = weir__pg_number(c, result, row, 11),
                                 .identity = weir__pg_number(c, result, row, 0),
                                 .run = weir__pg_text(c, result, row, 1),
                                 .name = weir__pg_text(c, result, row, 2),
                                 .input_bytes = numbers[0],
                                 .wall_us = numbers[1],
                                 .cpu_us = numbers[2],
                                 .memory_bytes = numbers[3],
                                 .tasks = numbers[4],
                                 .finished_us = numbers[5],
                                 .given_bytes = numbers[6],
                                 .operation = weir__pg_text(c, result, row, 10)};
}

bool weir__pg_history(weir_store *store, const int64_t *identities, size_t count,
                      weir_history_visit *visit, void *arg, weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg_parameters p = {0};
    weir__pg *c;
    PGresult *result;
    int wanted = weir__pg_add_array(&p, WEIR__PG_NUMBER);
    for (size_t i = 0; i < count; i++) weir__pg_push_number(&p, wanted, identities[i]);
    bool ok = weir__pg_ask(s, WEIR__PG_HISTORY, &p, &c, &result, error);
    weir__pg_parameters_deinit(&p);
    if (!ok) return false;
    int rows = s->server.q->ntuples(result);
    for (int i = 0; i < rows; i++) {
        weir_history_sample sample = read_sample(c, result, i);
        if (!visit(arg, &sample)) break;
    }
    s->server.q->clear(result);
    return true;
}

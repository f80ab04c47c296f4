/* What tasks took in earlier runs, on SQLite. */
#include "store/sqlite_internal.h"

enum { ONE_BY_ONE_MAX = 200 }; /* for more all are read, which the table's limit makes bearable */

static weir_history_sample read_sample(sqlite3_stmt *row) {
    return (weir_history_sample){.number = sqlite3_column_int64(row, 11),
                                 .identity = sqlite3_column_int64(row, 0),
                                 .run = weir__sqlite_text(row, 1),
                                 .name = weir__sqlite_text(row, 2),
                                 .input_bytes = (uint64_t)sqlite3_column_int64(row, 3),
                                 .wall_us = (uint64_t)sqlite3_column_int64(row, 4),
                                 .cpu_us = (uint64_t)sqlite3_column_int64(row, 5),
                                 .memory_bytes = (uint64_t)sqlite3_column_int64(row, 6),
                                 .tasks = (uint64_t)sqlite3_column_int64(row, 7),
                                 .finished_us = (uint64_t)sqlite3_column_int64(row, 8),
                                 .given_bytes = (uint64_t)sqlite3_column_int64(row, 9),
                                 .operation = weir__sqlite_text(row, 10)};
}

bool weir__sqlite_history(weir_store *store, const int64_t *identities, size_t count,
                          weir_history_visit *visit, void *arg, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    bool all = !count || count > ONE_BY_ONE_MAX, more = true;
    if (!weir__sqlite_read(s,
                           "SELECT identity, run, name, input_bytes, wall_us, cpu_us, memory_bytes,"
                           " tasks, finished_us, given_bytes, operation, number FROM history"
                           " WHERE ?2 OR identity = ?1",
                           &row, error))
        return false;
    int status = SQLITE_DONE;
    for (size_t i = 0; i < (all ? 1 : count) && more; i++) {
        sqlite3_reset(row);
        if (!all) sqlite3_bind_int64(row, 1, identities[i]);
        sqlite3_bind_int64(row, 2, all);
        while (more && (status = sqlite3_step(row)) == SQLITE_ROW) {
            weir_history_sample sample = read_sample(row);
            more = visit(arg, &sample);
        }
        if (status != SQLITE_ROW && status != SQLITE_DONE) break;
    }
    return weir__sqlite_ended(s, row, status, error);
}

static bool run_sql(weir__sqlite *s, const char *sql, weir_error *error) {
    sqlite3_stmt *row = NULL;
    return weir__sqlite_read(s, sql, &row, error) &&
           weir__sqlite_ended(s, row, sqlite3_step(row), error);
}

static bool put_sample(sqlite3_stmt *row, const weir_history_sample *sample) {
    const weir_str texts[] = {sample->run, sample->operation, sample->name};
    const uint64_t numbers[] = {(uint64_t)sample->number,
                                (uint64_t)sample->identity,
                                sample->input_bytes,
                                sample->wall_us,
                                sample->cpu_us,
                                sample->memory_bytes,
                                sample->tasks,
                                sample->finished_us,
                                sample->given_bytes};
    sqlite3_reset(row);
    for (int i = 0; i < 3; i++) weir__bind_text(row, i + 1, texts[i]);
    for (int i = 0; i < 9; i++) sqlite3_bind_int64(row, i + 4, (int64_t)numbers[i]);
    return sqlite3_step(row) == SQLITE_DONE;
}

bool weir__sqlite_history_put(weir_store *store, const weir_history_sample *samples, size_t count,
                              weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    weir_error ignored;
    sqlite3_stmt *row = NULL;
    int status = SQLITE_DONE;
    if (!run_sql(s, "BEGIN IMMEDIATE", error)) return false;
    bool ok =
        weir__sqlite_read(s,
                          "INSERT OR REPLACE INTO history(run, operation, name, number,"
                          " identity, input_bytes, wall_us, cpu_us, memory_bytes, tasks,"
                          " finished_us, given_bytes) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                          &row, error);
    for (size_t i = 0; ok && i < count && status == SQLITE_DONE; i++)
        if (!put_sample(row, &samples[i])) status = SQLITE_ERROR;
    ok = ok && weir__sqlite_ended(s, row, status, error);
    if (ok && run_sql(s, "COMMIT", error)) return true;
    (void)!run_sql(s, "ROLLBACK", &ignored);
    return false;
}

/* What tasks took in earlier runs, on SQLite. */
#include "store/sqlite_internal.h"

enum { ONE_BY_ONE_MAX = 200 }; /* for more all are read, which the table's limit makes bearable */

static weir_history_sample read_sample(sqlite3_stmt *row) {
    return (weir_history_sample){.identity = sqlite3_column_int64(row, 0),
                                 .run = weir__sqlite_text(row, 1),
                                 .name = weir__sqlite_text(row, 2),
                                 .input_bytes = (uint64_t)sqlite3_column_int64(row, 3),
                                 .wall_us = (uint64_t)sqlite3_column_int64(row, 4),
                                 .cpu_us = (uint64_t)sqlite3_column_int64(row, 5),
                                 .memory_bytes = (uint64_t)sqlite3_column_int64(row, 6),
                                 .tasks = (uint64_t)sqlite3_column_int64(row, 7),
                                 .finished_us = (uint64_t)sqlite3_column_int64(row, 8)};
}

bool weir__sqlite_history(weir_store *store, const int64_t *identities, size_t count,
                          weir_history_visit *visit, void *arg, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    sqlite3_stmt *row = NULL;
    bool all = count > ONE_BY_ONE_MAX, more = true;
    if (!weir__sqlite_read(s,
                           "SELECT identity, run, name, input_bytes, wall_us, cpu_us, memory_bytes,"
                           " tasks, finished_us FROM history WHERE ?2 OR identity = ?1",
                           &row, error))
        return false;
    int status = SQLITE_DONE;
    for (size_t i = 0; i < (all ? 1 : count) && more; i++) {
        sqlite3_reset(row);
        sqlite3_bind_int64(row, 1, identities[i]);
        sqlite3_bind_int64(row, 2, all);
        while (more && (status = sqlite3_step(row)) == SQLITE_ROW) {
            weir_history_sample sample = read_sample(row);
            more = visit(arg, &sample);
        }
        if (status != SQLITE_ROW && status != SQLITE_DONE) break;
    }
    return weir__sqlite_ended(s, row, status, error);
}

/* Keeping house in SQLite: what deleted runs leave, how large all is, and room given back. Only one can write at a time, and
 * waits for WEIR__SQLITE_BUSY_MS_MAX: so each transaction here is a short one. On the owner's thread. */
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "store/sqlite_internal.h"

enum {
    SLICE_BATCHES = 2000,
    SLICE_BYTES = 16 * 1024 * 1024,
    SLICE_ROWS = 4000, /* of each table */
    SHRINK_PAGES = 1000
};

/* What a file of an older version may hold to be written anew as a whole, while others wait. */
enum { VACUUM_BYTES_MAX = 64 * 1024 * 1024 };

bool weir__sqlite_run_for(weir__sqlite *s, const char *sql, weir_str run, weir_error *error) {
    sqlite3_stmt *statement = NULL;
    if (!weir__sqlite_read(s, sql, &statement, error)) return false;
    weir__bind_text(statement, 1, run);
    return weir__sqlite_ended(s, statement, sqlite3_step(statement), error);
}

bool weir__sqlite_run_plain(weir__sqlite *s, const char *sql, weir_error *error) {
    sqlite3_stmt *statement = NULL;
    int status = SQLITE_ROW;
    if (!weir__sqlite_read(s, sql, &statement, error)) return false;
    while (status == SQLITE_ROW) status = sqlite3_step(statement); /* incremental_vacuum has rows */
    return weir__sqlite_ended(s, statement, status, error);
}

static bool ask_number(weir__sqlite *s, const char *sql, weir_str run, uint64_t *out,
                       weir_error *error) {
    sqlite3_stmt *row = NULL;
    if (!weir__sqlite_read(s, sql, &row, error)) return false;
    if (sqlite3_bind_parameter_count(row)) weir__bind_text(row, 1, run);
    int status = sqlite3_step(row);
    *out = status == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(row, 0) : 0;
    return weir__sqlite_ended(s, row, status, error);
}

/* --- what deleted runs leave ---------------------------------------------------------------- */

/* Up to which batch the next slice goes; 0: there are none. Lengths are known without reading the bytes. */
static bool find_slice(weir__sqlite *s, weir_str run, uint64_t *last, weir_error *error) {
    sqlite3_stmt *row = NULL;
    uint64_t batches = 0, bytes = 0;
    int status = SQLITE_ROW;
    if (!weir__sqlite_read(
            s, "SELECT seq, length(bytes) FROM journal WHERE stream = ? ORDER BY seq", &row, error))
        return false;
    weir__bind_text(row, 1, run);
    *last = 0;
    while (batches < SLICE_BATCHES && bytes < SLICE_BYTES &&
           (status = sqlite3_step(row)) == SQLITE_ROW) {
        *last = (uint64_t)sqlite3_column_int64(row, 0);
        bytes += (uint64_t)sqlite3_column_int64(row, 1);
        batches++;
    }
    return weir__sqlite_ended(s, row, status, error);
}

static bool remove_batches(weir__sqlite *s, weir_str run, weir_error *error) {
    sqlite3_stmt *statement = NULL;
    uint64_t last;
    if (!find_slice(s, run, &last, error)) return false;
    if (!last) return true;
    if (!weir__sqlite_read(s, "DELETE FROM journal WHERE stream = ? AND seq <= ?", &statement,
                           error))
        return false;
    weir__bind_text(statement, 1, run);
    sqlite3_bind_int64(statement, 2, (int64_t)last);
    return weir__sqlite_ended(s, statement, sqlite3_step(statement), error);
}

/* Tables, and the column that with the run is the key or begins it. */
static const struct {
    const char *name, *key;
} tables[] = {{"attempts", "task"}, {"locks", "lock"},      {"tasks", "number"},
              {"nodes", "number"},  {"contexts", "number"}, {"derived", "run"}};
enum { TABLES = sizeof tables / sizeof *tables };

bool weir__sqlite_remove_some(weir__sqlite *s, weir_str run, weir_error *error) {
    bool ok = remove_batches(s, run, error);
    for (size_t i = 0; ok && i < TABLES; i++) {
        char sql[400];
        const char *table = tables[i].name, *key = tables[i].key;
        snprintf(sql, sizeof sql,
                 "DELETE FROM %s WHERE run = ?1 AND %s <= ifnull((SELECT %s FROM %s WHERE"
                 " run = ?1 ORDER BY %s LIMIT 1 OFFSET %d), (SELECT max(%s) FROM %s WHERE"
                 " run = ?1))",
                 table, key, key, table, key, SLICE_ROWS, key, table);
        ok = weir__sqlite_run_for(s, sql, run, error);
    }
    return ok;
}

static bool has_more(weir__sqlite *s, weir_str run, bool *more, weir_error *error) {
    uint64_t found = 0;
    bool ok = ask_number(s,
                         "SELECT EXISTS (SELECT 1 FROM journal WHERE stream = ?1)"
                         " OR EXISTS (SELECT 1 FROM attempts WHERE run = ?1)"
                         " OR EXISTS (SELECT 1 FROM locks WHERE run = ?1)"
                         " OR EXISTS (SELECT 1 FROM tasks WHERE run = ?1)"
                         " OR EXISTS (SELECT 1 FROM nodes WHERE run = ?1)"
                         " OR EXISTS (SELECT 1 FROM contexts WHERE run = ?1)"
                         " OR EXISTS (SELECT 1 FROM derived WHERE run = ?1)",
                         run, &found, error);
    if (ok) *more = found;
    return ok;
}

static bool sweep_slice(weir__sqlite *s, weir_str run, weir_error *error) {
    weir_error ignored;
    if (!weir__sqlite_run_plain(s, "BEGIN IMMEDIATE", error)) return false;
    bool ok = weir__sqlite_remove_some(s, run, error) && weir__sqlite_run_plain(s, "COMMIT", error);
    if (!ok) (void)!weir__sqlite_run_plain(s, "ROLLBACK", &ignored);
    return ok;
}

/* Nothing is lost when a power cut undoes it, so it does not wait for the disk. */
bool weir__sqlite_sweep(weir_store *store, weir_str run, bool *more, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    weir_error ignored;
    if (!has_more(s, run, more, error)) return false;
    if (!*more) return true;
    bool ok = weir__sqlite_run_plain(s, "PRAGMA foreign_keys = OFF", error) &&
              weir__sqlite_run_plain(s, "PRAGMA synchronous = NORMAL", error) &&
              sweep_slice(s, run, error) && has_more(s, run, more, error);
    (void)!weir__sqlite_run_plain(s, "PRAGMA foreign_keys = ON", &ignored);
    if (s->durability == WEIR_DURABILITY_FULL)
        (void)!weir__sqlite_run_plain(s, "PRAGMA synchronous = FULL", &ignored);
    return ok;
}

/* --- how large it is ------------------------------------------------------------------------ */

bool weir__sqlite_measure(weir_store *store, weir_store_size *out, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    uint64_t size, pages, free;
    if (!ask_number(s, "PRAGMA page_size", WEIR_STR(""), &size, error) ||
        !ask_number(s, "PRAGMA page_count", WEIR_STR(""), &pages, error) ||
        !ask_number(s, "PRAGMA freelist_count", WEIR_STR(""), &free, error))
        return false;
    *out = (weir_store_size){(pages - free) * size, free * size};
    return true;
}

bool weir__sqlite_measure_run(weir_store *store, weir_str run, uint64_t *bytes, weir_error *error) {
    return ask_number((weir__sqlite *)store,
                      "SELECT ifnull(sum(length(bytes) + 64), 0) FROM journal WHERE stream = ?",
                      run, bytes, error);
}

/* --- giving back ---------------------------------------------------------------------------- */

/* A file that an older weir made has no list of whose each page is, and gets it by being written anew. What is more than
 * that in one goes on as it is: its free pages are used again. */
static bool rewrite_small(weir__sqlite *s, weir_error *error) {
    weir_store_size size;
    weir_error busy;
    if (!weir__sqlite_measure(&s->store, &size, error)) return false;
    if (size.bytes > VACUUM_BYTES_MAX) return true;
    if (weir__sqlite_run_plain(s, "PRAGMA auto_vacuum = 2", &busy))
        (void)!weir__sqlite_run_plain(s, "VACUUM", &busy); /* another time, if it cannot be now */
    return true;
}

/* What is given back leaves the file when the log is moved into it. Readers may keep that for later. */
static void move_log(weir__sqlite *s) {
    weir_error ignored;
    (void)!weir__sqlite_run_plain(s, "PRAGMA wal_checkpoint(PASSIVE)", &ignored);
}

bool weir__sqlite_shrink(weir_store *store, uint64_t keep, bool *more, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    uint64_t vacuum;
    weir_store_size size;
    char sql[64];
    *more = false;
    if (!weir__sqlite_measure(store, &size, error)) return false;
    if (size.free_bytes <= keep) return true;
    if (!ask_number(s, "PRAGMA auto_vacuum", WEIR_STR(""), &vacuum, error)) return false;
    bool ok = true;
    if (vacuum == 2) {
        snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%d)", SHRINK_PAGES);
        ok = weir__sqlite_run_plain(s, sql, error) && weir__sqlite_measure(store, &size, error);
        *more = ok && size.free_bytes > keep;
    } else {
        ok = rewrite_small(s, error);
    }
    if (ok && !*more) move_log(s);
    return ok;
}

/* --- what stays ----------------------------------------------------------------------------- */

static bool label(weir__sqlite *s, weir_str run, bool keep, weir_error *error) {
    static const char take[] = "DELETE FROM labels WHERE key = 'keep'"
                               " AND run = (SELECT number FROM runs WHERE id = ?)";
    if (!weir__sqlite_run_for(s, take, run, error)) return false;
    if (keep)
        return weir__sqlite_run_for(s,
                                    "UPDATE runs SET labels = json_set(CASE labels WHEN '' THEN"
                                    " '{}' ELSE labels END, '$.keep', 'true') WHERE id = ?",
                                    run, error) &&
               weir__sqlite_run_for(s,
                                    "INSERT INTO labels SELECT number, 'keep', 'true' FROM runs"
                                    " WHERE id = ?",
                                    run, error);
    return weir__sqlite_run_for(s,
                                "UPDATE runs SET labels = CASE json_remove(labels, '$.keep') WHEN"
                                " '{}' THEN '' ELSE json_remove(labels, '$.keep') END"
                                " WHERE id = ? AND labels <> ''",
                                run, error);
}

bool weir__sqlite_keep(weir_store *store, weir_str run, bool keep, weir_error *error) {
    weir__sqlite *s = (weir__sqlite *)store;
    weir_error ignored;
    if (!weir__sqlite_run_plain(s, "BEGIN IMMEDIATE", error)) return false;
    bool ok = label(s, run, keep, error) && weir__sqlite_run_plain(s, "COMMIT", error);
    if (!ok) (void)!weir__sqlite_run_plain(s, "ROLLBACK", &ignored);
    return ok;
}

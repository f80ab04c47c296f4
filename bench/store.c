/* What a store takes, and what SQLite and libpq take that do the same by hand. bench/store.py runs it.
 *
 *     store CASE URL COUNT                                     rows
 *     store CASE URL COUNT FLOW STATE PLUGIN NAME=TEXT…       runs of a dataflow (store_runs.c)
 *
 * URL is as --store has it, or `none`. Prints COUNT, the seconds it took, and of runs their CPU seconds and the bytes that they
 * made resident at most. Cases of rows: `one` (each after the one before), `hundred` (as many streams at once), `flood` (all at once), `raw`
 * and `raw100` (SQLite's or libpq's own, a row or a hundred in a transaction). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <libpq-fe.h>
#include <sqlite3.h>

#include "store.h"
#include "store/store.h"

enum { ROW_BYTES = 300, STREAMS = 100, GROUP = 100 };

static const char *url;
static uint64_t count;

void bench_die(const char *what) {
    fprintf(stderr, "store: %s\n", what);
    exit(1);
}

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

double bench_cpu_seconds(void) {
    struct rusage own, children;
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    return seconds_of(own.ru_utime) + seconds_of(own.ru_stime) + seconds_of(children.ru_utime) +
           seconds_of(children.ru_stime);
}

static void report(uint64_t since_us) {
    printf("%" PRIu64 " %.6f\n", count, (double)(weir_clock_steady_us() - since_us) / 1e6);
}

/* --- rows by the store --- */

typedef struct stream {
    char run[24];
    uint64_t sequence;
} stream;

static weir_store *store;
static stream streams[STREAMS];
static uint64_t sent, done_count;
static bool endless; /* what is done sends the next */

static void send_row(stream *s);

static void row_done(void *arg, const weir_error *error) {
    if (error) bench_die(error->message);
    done_count++;
    if (endless && sent < count) send_row(arg);
}

static void send_row(stream *s) {
    weir_buffer bytes = {0};
    weir_buffer_reserve(&bytes, ROW_BYTES);
    memset(bytes.data, 'x', ROW_BYTES);
    bytes.length = ROW_BYTES;
    sent++;
    weir_store_append(store, weir_str_from(s->run), ++s->sequence, bytes, (weir_buffer){0}, NULL,
                      row_done, s);
}

static void store_rows(const char *which) {
    weir_error error;
    weir_loop *loop;
    if (!weir_loop_open(&loop, &error) ||
        !weir_store_open(loop, NULL, url, WEIR_DURABILITY_FULL, &store, &error))
        bench_die(error.message);
    size_t used = strcmp(which, "hundred") == 0 ? STREAMS : 1;
    for (size_t i = 0; i < used; i++) {
        snprintf(streams[i].run, sizeof streams[i].run, "s%zu", i);
        if (!weir_store_own(store, weir_str_from(streams[i].run), &error)) bench_die(error.message);
    }
    uint64_t since = weir_clock_steady_us();
    endless = strcmp(which, "flood") != 0;
    for (size_t i = 0; i < (endless ? used : count); i++) send_row(&streams[endless ? i : 0]);
    while (done_count < count) weir_loop_once(loop, true);
    report(since);
    weir_store_close(store);
    weir_loop_close(loop);
}

/* --- by hand --- */

static const char bytes_of_row[ROW_BYTES];

static void raw_sqlite(uint64_t group) {
    sqlite3 *db;
    sqlite3_stmt *put;
    if (sqlite3_open(url + strlen("sqlite://"), &db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                     "CREATE TABLE raw(stream TEXT, seq INTEGER, version INTEGER, checksum INTEGER,"
                     " bytes BLOB, PRIMARY KEY(stream, seq)) WITHOUT ROWID",
                     NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "INSERT INTO raw VALUES('s', ?, 1, 1, ?)", -1, &put, NULL) !=
            SQLITE_OK)
        bench_die(sqlite3_errmsg(db));
    uint64_t since = weir_clock_steady_us();
    for (uint64_t i = 0; i < count; i++) {
        if (i % group == 0) sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        sqlite3_bind_int64(put, 1, (int64_t)i);
        sqlite3_bind_blob(put, 2, bytes_of_row, ROW_BYTES, SQLITE_STATIC);
        if (sqlite3_step(put) != SQLITE_DONE) bench_die(sqlite3_errmsg(db));
        sqlite3_reset(put);
        if ((i + 1) % group == 0 || i + 1 == count) sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    }
    report(since);
    sqlite3_finalize(put);
    sqlite3_close(db);
}

static void expect(PGconn *db, PGresult *result) {
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_PIPELINE_SYNC) bench_die(PQerrorMessage(db));
    PQclear(result);
}

static void raw_libpq(uint64_t group) {
    PGconn *db = PQconnectdb(url);
    expect(db, PQexec(db, "CREATE TABLE raw(stream text, seq bigint, version integer,"
                          " checksum bigint, bytes bytea, PRIMARY KEY(stream, seq))"));
    expect(db, PQprepare(db, "put", "INSERT INTO raw VALUES('s', $1::text::bigint, 1, 1, $2)", 0,
                         NULL));
    uint64_t since = weir_clock_steady_us();
    if (group > 1 && !PQenterPipelineMode(db)) bench_die("no pipeline");
    for (uint64_t i = 0; i < count; i++) {
        char number[24];
        snprintf(number, sizeof number, "%" PRIu64, i);
        const char *values[] = {number, bytes_of_row};
        const int lengths[] = {0, ROW_BYTES}, formats[] = {0, 1};
        if (group == 1) {
            expect(db, PQexecPrepared(db, "put", 2, values, lengths, formats, 0));
            continue;
        }
        if (!PQsendQueryPrepared(db, "put", 2, values, lengths, formats, 0))
            bench_die(PQerrorMessage(db));
        if ((i + 1) % group && i + 1 != count) continue;
        PQpipelineSync(db); /* which is the end of the transaction, too */
        for (uint64_t row = i / group * group; row <= i; row++) {
            expect(db, PQgetResult(db));
            PQclear(PQgetResult(db));
        }
        expect(db, PQgetResult(db));
    }
    report(since);
    PQfinish(db);
}

int main(int argc, char **argv) {
    if (argc < 4) bench_die("CASE URL COUNT [FLOW STATE PLUGIN NAME=TEXT…]");
    const char *which = argv[1];
    url = argv[2];
    count = strtoull(argv[3], NULL, 10);
    bool sqlite = strncmp(url, "sqlite", strlen("sqlite")) == 0;
    uint64_t group = strcmp(which, "raw100") == 0 ? GROUP : 1;
    if (argc > 6)
        bench_runs(which, url, count, argv + 4);
    else if (strncmp(which, "raw", strlen("raw")) == 0 && sqlite)
        raw_sqlite(group);
    else if (strncmp(which, "raw", strlen("raw")) == 0)
        raw_libpq(group);
    else
        store_rows(which);
    return 0;
}

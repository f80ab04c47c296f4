#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "store_cases.h"
#include "store_keep_cases.h"
#include "store_select_cases.h"

/* In the place of the C library's, for SQLite too: counts. */
static _Atomic int syncs;
__attribute__((visibility("default"))) int fdatasync(int file) {
    syncs++;
    return (int)syscall(SYS_fdatasync, file);
}

static char directory[64]; /* the state's, below a new one */

static void reopen(weir_durability durability) {
    if (store) weir_store_close(store);
    store = NULL;
    assert_true(weir_store_open(loop, directory, NULL, durability, &store, &error));
}

static int set_up(void **state) {
    (void)state;
    memset(&error, 0, sizeof error);
    strcpy(directory, "/tmp/weir-store-XXXXXX");
    if (!mkdtemp(directory)) return -1;
    strcat(directory, "/state");
    return weir_loop_open(&loop, &error) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    if (store) weir_store_close(store);
    store = NULL;
    forget_owned();
    weir_loop_close(loop);
    char command[200];
    *strrchr(directory, '/') = 0;
    snprintf(command, sizeof command, "chmod -R u+w %s; rm -r %s", directory, directory);
    return system(command);
}

static int set_up_sqlite(void **state) {
    if (set_up(state)) return -1;
    return weir_store_open(loop, directory, NULL, WEIR_DURABILITY_FULL, &store, &error) ? 0 : -1;
}

static int set_up_memory(void **state) {
    if (set_up(state)) return -1;
    return weir_store_open(loop, NULL, NULL, WEIR_DURABILITY_NONE, &store, &error) ? 0 : -1;
}

/* --- SQLite --- */

static void closing_writes_what_waits(void **state) {
    (void)state;
    completion c = {0};
    struct stat info;
    weir_run_record record = record_of("a", "kept", "Running", 7);
    record.finished_us = 8;
    append_to("a", 1, "one", &record, &c);
    append_to("a", 2, "two", NULL, &c);
    weir_store_close(store);
    store = NULL;
    assert_int_equal(c.count, 2);
    assert_int_equal(c.failed, 0);
    assert_int_equal(stat(directory, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    reopen(WEIR_DURABILITY_BATCH);
    expect_batches("a", 1, "1:one 2:two ");
    expect_list(0, "kept=Running ");
    append_to("a", 3, "three", NULL, &c);
    wait_for(&c, 3);
    reopen(WEIR_DURABILITY_FULL);
    expect_batches("a", 2, "2:two 3:three ");
}

static void nobody_else_reads_the_files(void **state) {
    completion c = {0};
    struct stat info;
    char path[128];
    mode_t before = umask(022);
    assert_int_equal(set_up(state) | mkdir(directory, 0755), 0);
    reopen(WEIR_DURABILITY_FULL);
    append_to("a", 1, "one", NULL, &c);
    wait_for(&c, 1);
    umask(before);
    static const char *const files[] = {"weir.db", "weir.db-wal", "weir.db-shm"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, files[i]);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
    }
}

/* Changes the file behind the store's back. */
static void tamper(const char *sql) {
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/weir.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void expect_bad_batch(const char *message) {
    weir_buffer all = {0};
    assert_false(weir_store_read(store, WEIR_STR("a"), 1, join_batches, &all, &error));
    assert_int_equal(error.code, WEIR_STORE);
    assert_string_equal(error.message, message);
    assert_string_equal(weir_buffer_str(&all).data, "1:one ");
    weir_buffer_deinit(&all);
}

static void damage_is_found(void **state) {
    (void)state;
    completion c = {0};
    append_to("a", 1, "one", NULL, &c);
    append_to("a", 2, "two", NULL, &c);
    append_to("a", 3, "three", NULL, &c);
    wait_for(&c, 3);
    tamper("UPDATE journal SET bytes = CAST('twp' AS BLOB) WHERE seq = 2");
    expect_bad_batch("batch 2 of run `a` is damaged");
    tamper("UPDATE journal SET bytes = CAST('two' AS BLOB), version = 9 WHERE seq = 2");
    expect_bad_batch("batch 2 of run `a` is in a form that this weir does not know");
    tamper("DELETE FROM journal WHERE seq = 2");
    expect_bad_batch("batch 2 of run `a` is missing");
}

static void expect_refused(weir_code code, const char *message) {
    if (store) weir_store_close(store);
    store = NULL;
    assert_false(weir_store_open(loop, directory, NULL, WEIR_DURABILITY_FULL, &store, &error));
    assert_int_equal(error.code, code);
    assert_non_null(strstr(error.message, message));
    assert_string_not_equal(error.hint, "");
}

/* The schema of each version of the file, as it was released. */
static const char version_1[] =
    "PRAGMA journal_mode = WAL;"
    "CREATE TABLE journal(stream TEXT, seq INTEGER, version INTEGER, checksum INTEGER, bytes BLOB,"
    " PRIMARY KEY(stream, seq)) WITHOUT ROWID;"
    "CREATE TABLE runs(id TEXT PRIMARY KEY, name TEXT UNIQUE, kind TEXT, phase TEXT, file TEXT,"
    " owner TEXT, parent TEXT, created_us INTEGER, finished_us INTEGER);"
    "INSERT INTO runs VALUES('b', 'older', 'dataflow', 'Succeeded', 'f', 'here:1', '', 5, 6),"
    "('a', 'newer', 'dataflow', 'Running', 'f', 'here:1', '', 3, 0);"
    "PRAGMA user_version = 1";

static char *ask_file(const char *name, const char *sql) {
    char path[128];
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    char *text = weir_str_dup(weir_str_from((const char *)sqlite3_column_text(row, 0)));
    sqlite3_finalize(row);
    sqlite3_close(db);
    return text;
}

static void expect_in_file(const char *name, const char *sql, const char *expected) {
    char *found = ask_file(name, sql);
    assert_string_equal(found, expected);
    weir_free(found);
}

/* A state as version 1 left it, with a batch that this weir made. */
static void make_version_1(void) {
    completion c = {0};
    append_to("a", 1, "one", NULL, &c);
    wait_for(&c, 1);
    weir_store_close(store);
    store = NULL;
    tamper("ALTER TABLE journal RENAME TO batches; DROP TABLE memo; DROP TABLE blobs; DROP TABLE "
           "registers; DROP TABLE history; DROP VIEW "
           "definitions; DROP "
           "TABLE derived;"
           "DROP TABLE locks; DROP TABLE attempts; DROP TABLE tasks; DROP TABLE nodes;"
           "DROP TABLE contexts; DROP TABLE runs; DROP TABLE labels; DROP TABLE deleted");
    tamper(version_1);
    tamper("INSERT INTO journal SELECT * FROM batches; DROP TABLE batches");
}

static void version_1_is_brought_up_after_a_copy(void **state) {
    (void)state;
    make_version_1();
    reopen(WEIR_DURABILITY_FULL);
    expect_list(0, "newer=Running older=Succeeded ");
    expect_batches("a", 1, "1:one ");
    completion c = {0};
    weir_run_record record = record_of("a", "newer", "Succeeded", 3);
    append_to("a", 2, "two", &record, &c);
    wait_for(&c, 1);
    assert_int_equal(c.failed, 0);
    reopen(WEIR_DURABILITY_BATCH);
    expect_list(0, "newer=Succeeded older=Succeeded ");
    expect_in_file("weir.db", "PRAGMA user_version", "9");
    expect_in_file("weir.db", "SELECT count(*) FROM memo", "0");
    expect_in_file("weir.db", "SELECT count(input_bytes) FROM attempts", "0");
    expect_in_file("weir.db", "SELECT count(*) FROM history", "0");
    expect_in_file("weir.db",
                   "SELECT group_concat(number || id) FROM (SELECT * FROM runs ORDER BY number)",
                   "1b,2a");
    expect_in_file("weir.db.version-1", "PRAGMA user_version", "1");
    expect_in_file("weir.db.version-1",
                   "SELECT group_concat(name || phase) FROM (SELECT * FROM runs ORDER BY rowid)",
                   "olderSucceeded,newerRunning");
    expect_in_file("weir.db.version-1", "SELECT bytes FROM journal", "one");
}

static void several_processes_bring_it_up_once(void **state) {
    (void)state;
    make_version_1();
    open_in_processes(directory, NULL);
    reopen(WEIR_DURABILITY_FULL);
    expect_list(0, "newer=Running older=Succeeded ");
    expect_in_file("weir.db.version-1", "SELECT count(*) FROM runs", "2");
}

static void what_cannot_be_copied_is_not_changed(void **state) {
    (void)state;
    make_version_1();
    char path[128];
    snprintf(path, sizeof path, "%s/weir.db.version-1", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(weir_store_open(loop, directory, NULL, WEIR_DURABILITY_FULL, &store, &error));
    assert_int_equal(error.code, WEIR_STORE);
    assert_non_null(strstr(error.message, "weir.db.version-1` cannot be made"));
    expect_in_file("weir.db", "PRAGMA user_version", "1");
    assert_int_equal(rmdir(path), 0);
    reopen(WEIR_DURABILITY_FULL);
    expect_list(1, "newer=Running ");
}

static void write_file(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 100; i++) fputs(text, file);
    fclose(file);
}

static void other_files_are_refused(void **state) {
    (void)state;
    tamper("PRAGMA user_version = 10");
    expect_refused(WEIR_CONFLICT, "has format 10, this weir reads and writes format 9");
    tamper("PRAGMA user_version = 0");
    expect_refused(WEIR_STORE, "is no weir state");
    write_file("weir.db", "This is a letter, and no database at all. ");
    expect_refused(WEIR_STORE, "file is not a database");
    char root[64];
    strcpy(root, directory);
    write_file("plain", "x");
    strcat(directory, "/plain");
    expect_refused(WEIR_IO, "Not a directory");
    strcpy(strrchr(directory, '/'), "/no/such");
    expect_refused(WEIR_IO, "No such file");
    strcpy(directory, root);
}

/* What a query does, in SQLite's words, with SQL as the store makes it. */
static void expect_plan(const weir_selection *selection, const char *expected) {
    char path[128];
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    weir__sql sql = {0};
    weir_buffer explain = {0}, plan = {0};
    weir__selection_to_sql(selection, WEIR__SQLITE, &sql);
    weir_buffer_printf(&explain, "EXPLAIN QUERY PLAN %s", sql.text.data);
    snprintf(path, sizeof path, "%s/weir.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, explain.data, -1, &row, NULL), SQLITE_OK);
    weir_buffer_text(&plan, "");
    while (sqlite3_step(row) == SQLITE_ROW)
        weir_buffer_printf(&plan, "%s; ", (const char *)sqlite3_column_text(row, 3));
    assert_string_equal(plan.data, expected);
    sqlite3_finalize(row);
    sqlite3_close(db);
    weir__sql_deinit(&sql);
    weir_buffer_deinit(&explain);
    weir_buffer_deinit(&plan);
}

#define PLAN(expected, ...) expect_plan(&(weir_selection){__VA_ARGS__}, expected)
#define TEAM .labels = {{.key = WEIR_STR("team"), .value = WEIR_STR("red")}}, .label_count = 1

/* Never a sort, never an index that many runs are in. */
static void queries_use_the_indexes(void **state) {
    (void)state;
    append_eight();
    PLAN("SCAN r; ", .limit = 3, .by_parent = true);
    PLAN("SEARCH r USING INTEGER PRIMARY KEY (rowid<?); ", .after = 7,
         PHASES(WEIR_STR("Succeeded")), .phase_count = 1);
    PLAN("SEARCH r USING INDEX runs_by_phase (phase=?); ", PHASES(WEIR_STR("Failed")),
         .phase_count = 1, .by_parent = true);
    PLAN("SEARCH r USING INDEX runs_by_phase (phase=? AND rowid<?); ", PHASES(WEIR_STR("Failed")),
         .phase_count = 1, .after = 7);
    PLAN("MERGE (UNION ALL); LEFT; SEARCH r USING INDEX runs_by_phase (phase=?); RIGHT; SEARCH r "
         "USING INDEX runs_by_phase (phase=?); ",
         PHASES(WEIR_STR("Failed"), WEIR_STR("Error")), .phase_count = 2);
    PLAN("SEARCH r USING INDEX runs_by_parent (parent=?); ", .by_parent = true,
         .parent = WEIR_STR("c"), PHASES(WEIR_STR("Failed")), .phase_count = 1);
    PLAN("SEARCH l USING COVERING INDEX labels_by_value (key=? AND value=?); SEARCH r USING "
         "INTEGER PRIMARY KEY (rowid=?); ",
         TEAM, PHASES(WEIR_STR("Failed")), .phase_count = 1, .by_parent = true, .limit = 5);
    PLAN("SEARCH r USING INTEGER PRIMARY KEY (rowid>?); SCALAR SUBQUERY 1; SEARCH runs USING "
         "COVERING INDEX runs_by_created (created_us>?); ",
         .since_us = 1000);
}

static void an_older_state_that_cannot_be_written_is_read(void **state) {
    (void)state;
    if (geteuid() == 0) skip();
    make_version_1();
    assert_int_equal(chmod(directory, 0500), 0);
    reopen(WEIR_DURABILITY_FULL);
    expect_list(0, "newer=Running older=Succeeded ");
    expect_found("older", "b");
    expect_labelled("!team", "newerolder");
    expect_labelled("team=red", "");
}

static void read_only_states_are_read(void **state) {
    (void)state;
    if (geteuid() == 0) skip();
    completion c = {0};
    append_to("a", 1, "one", NULL, &c);
    wait_for(&c, 1);
    weir_store_close(store);
    store = NULL;
    assert_int_equal(chmod(directory, 0500), 0);
    reopen(WEIR_DURABILITY_FULL);
    expect_batches("a", 1, "1:one ");
    append_to("a", 2, "two", NULL, &c);
    wait_for(&c, 2);
    assert_int_equal(c.failed, 1);
    assert_non_null(strstr(c.error.message, "is read-only"));
    expect_batches("a", 1, "1:one ");
    strcat(directory, "/new");
    expect_refused(WEIR_IO, "Permission denied");
    *strrchr(directory, '/') = 0;
}

static void a_failing_disk_ends_all_appends(void **state) {
    (void)state;
    completion c = {0};
    append_to("a", 1, "one", NULL, &c);
    wait_for(&c, 1);
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){100 * 1024, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    weir_buffer large = {0};
    weir_buffer_reserve(&large, 1024 * 1024);
    memset(large.data, 'x', large.capacity);
    large.length = 1024 * 1024;
    weir_store_append(store, WEIR_STR("a"), 2, large, (weir_buffer){0}, NULL, note_done, &c);
    wait_for(&c, 2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    append_to("a", 2, "two", NULL, &c);
    wait_for(&c, 3);
    assert_int_equal(c.failed, 2);
    assert_int_equal(c.error.code, WEIR_STORE);
    assert_non_null(strstr(c.error.message, "disk I/O error"));
    expect_batches("a", 1, "1:one ");
}

static void several_may_open_at_once(void **state) {
    (void)state;
    weir_store *others[4];
    for (size_t i = 0; i < 4; i++)
        assert_true(
            weir_store_open(loop, directory, NULL, WEIR_DURABILITY_FULL, &others[i], &error));
    completion c = {0};
    append_to("a", 1, "one", NULL, &c);
    for (size_t i = 0; i < 4; i++)
        weir_store_append(others[i], WEIR_STR("b"), i + 1, (weir_buffer){0}, (weir_buffer){0}, NULL,
                          note_done, &c);
    wait_for(&c, 5);
    assert_int_equal(c.failed, 0);
    expect_batches("b", 1, "1: 2: 3: 4: ");
    for (size_t i = 0; i < 4; i++) weir_store_close(others[i]);
}

static void durability_says_when_it_is_on_the_disk(void **state) {
    (void)state;
    static const struct {
        weir_durability durability;
        int before, after; /* syncs until an append is done, and 20 ms later */
    } cases[] = {{WEIR_DURABILITY_FULL, 1, 1}, {WEIR_DURABILITY_BATCH, 0, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        completion c = {0};
        reopen(cases[i].durability);
        append_to("a", 2 * i + 1, "x", NULL, &c); /* may begin a new log */
        wait_for(&c, 1);
        usleep(100 * 1000);
        int begin = syncs;
        append_to("a", 2 * i + 2, "y", NULL, &c);
        wait_for(&c, 2);
        assert_int_equal(syncs - begin, cases[i].before);
        usleep(20 * 1000);
        for (int more = 0; syncs - begin < cases[i].after && more < 100; more++) usleep(1000);
        usleep(50 * 1000);
        assert_int_equal(syncs - begin, cases[i].after); /* and no more when nothing comes */
        assert_int_equal(c.failed, 0);
    }
}

enum { MANY = 1000 };

static void many_appends_share_a_transaction(void **state) {
    (void)state;
    completion c = {0};
    append_to("a", 1, "first", NULL, &c);
    wait_for(&c, 1);
    uint64_t start_us = weir_clock_steady_us();
    for (uint64_t i = 2; i <= MANY + 1; i++)
        append_to("a", i, "some hundred bytes or so", NULL, &c);
    wait_for(&c, MANY + 1);
    uint64_t took_us = weir_clock_steady_us() - start_us;
    assert_int_equal(c.failed, 0);
    print_message("           %d appends in %.1f ms: %.0f a second\n", MANY, (double)took_us / 1e3,
                  MANY * 1e6 / (double)took_us);
    expect_batches("a", MANY + 1, "1001:some hundred bytes or so ");
}

static void a_short_run_pays_little(void **state) {
    (void)state;
    completion c = {0};
    weir_run_record record = record_of("a", "short", "Running", 7);
    uint64_t start_us = weir_clock_steady_us();
    reopen(WEIR_DURABILITY_FULL);
    uint64_t opened_us = weir_clock_steady_us();
    append_to("a", 1, "one", &record, &c);
    wait_for(&c, 1);
    uint64_t appended_us = weir_clock_steady_us();
    weir_store_close(store);
    store = NULL;
    uint64_t closed_us = weir_clock_steady_us();
    print_message("           open %.1f ms, append %.1f ms, close %.1f ms\n",
                  (double)(opened_us - start_us) / 1e3, (double)(appended_us - opened_us) / 1e3,
                  (double)(closed_us - appended_us) / 1e3);
    assert_int_equal(c.failed, 0);
}

/* --- who writes --- */

static void turn_until(const completion *c, int count) {
    for (int i = 0; c->count < count && i < 1000; i++) {
        weir_loop_once(loop, false);
        nanosleep(&(struct timespec){.tv_nsec = 5 * 1000 * 1000}, NULL);
    }
    assert_int_equal(c->count, count);
}

static void what_waits_alone_is_written_when_the_loop_would_wait(void **state) {
    (void)state;
    completion c = {0};
    append_to("a", 1, "one", NULL, &c);
    weir_loop_once(loop, true);
    assert_int_equal(c.count, 1); /* within one turn, by nobody else */
    append_to("a", 2, "two", NULL, &c);
    append_to("b", 1, "uno", NULL, &c); /* two: not alone */
    wait_for(&c, 3);
    append_to("a", 3, "three", NULL, &c);
    turn_until(&c, 4); /* a loop that never waits */
    append_to("a", 4, "four", NULL, &c);
    wait_for(&c, 5);
    assert_int_equal(c.failed, 0);
    expect_batches("a", 1, "1:one 2:two 3:three 4:four ");
}

static void note_ring(void *arg) {
    *(bool *)arg = true;
}

static void another_process_that_writes_does_not_stop_the_loop(void **state) {
    (void)state;
    completion c = {0};
    bool rang = false;
    char path[200];
    sqlite3 *db;
    append_to("a", 1, "one", NULL, &c);
    wait_for(&c, 1);
    snprintf(path, sizeof path, "%s/weir.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    weir_timer *timer = weir_timer_open(loop, note_ring, &rang);
    weir_timer_start(timer, 20 * 1000);
    append_to("a", 2, "two", NULL, &c);
    while (!rang) weir_loop_once(loop, true);
    assert_int_equal(c.count, 1);
    sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    wait_for(&c, 2);
    weir_timer_close(timer);
    sqlite3_close(db);
    assert_int_equal(c.failed, 0);
    expect_batches("a", 1, "1:one 2:two ");
}

/* A log that grows is moved into the file, so it does not get longer than that. */
static void a_long_log_is_moved_into_the_file(void **state) {
    (void)state;
    enum { BATCHES = 60, BYTES = 200 * 1000 };
    completion c = {0};
    struct stat info;
    char path[200];
    for (int i = 0; i < BATCHES; i++) {
        weir_buffer bytes = {0};
        weir_buffer_reserve(&bytes, BYTES);
        memset(bytes.data, 'x', BYTES);
        bytes.length = BYTES;
        own("a");
        weir_store_append(store, WEIR_STR("a"), (uint64_t)i + 1, bytes, (weir_buffer){0}, NULL,
                          note_done, &c);
        wait_for(&c, i + 1);
    }
    assert_int_equal(c.failed, 0);
    snprintf(path, sizeof path, "%s/weir.db-wal", directory);
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_size < BATCHES * BYTES * 3 / 4);
}

/* Each commit of a log that grows has to write the file's new length, too. */
static void a_log_grows_by_several_commits_at_once(void **state) {
    (void)state;
    enum { COMMITS = 60 };
    completion c = {0};
    char path[100];
    off_t length = 0, before = 0;
    int grew = 0;
    snprintf(path, sizeof path, "%s/weir.db-wal", directory);
    own("a");
    for (int i = 0; i < COMMITS; i++) {
        struct stat info;
        append_to("a", (uint64_t)i + 1, "a batch", NULL, &c);
        wait_for(&c, i + 1);
        assert_int_equal(stat(path, &info), 0);
        length = info.st_size;
        grew += length > before;
        before = length;
    }
    assert_int_equal(c.failed, 0);
    assert_true(grew < COMMITS / 4);
    assert_true(length < 1024 * 1024);
    /* Who opens it next finds all that was written, and nothing in the room behind. */
    weir_store *other;
    assert_true(weir_store_open(loop, directory, NULL, WEIR_DURABILITY_FULL, &other, &error));
    assert_true(weir_store_check(other, &error));
    weir_store_close(other);
}

static off_t file_bytes(void) {
    char file[100];
    struct stat info;
    snprintf(file, sizeof file, "%s/weir.db", directory);
    assert_int_equal(stat(file, &info), 0);
    return info.st_size;
}

/* Another process has it open, and goes on writing. */
static void a_file_gets_smaller_beside_its_users(void **state) {
    (void)state;
    append_many("1", 40, 100 * 1000);
    append_many("2", 1, 10);
    weir_store *writer = store;
    assert_true(weir_store_open(loop, directory, NULL, WEIR_DURABILITY_FULL, &store, &error));
    assert_true(weir_store_delete(store, &WEIR_STR("1"), 1, &error));
    for (bool more = true; more;)
        assert_true(weir_store_sweep(store, WEIR_STR("1"), &more, &error));
    for (bool more = true; more;) assert_true(weir_store_shrink(store, 0, &more, &error));
    assert_true(file_bytes() < 1000 * 1000);
    weir_store_close(store);
    store = writer;
    completion c = {0};
    append_to("2", 2, "on", NULL, &c);
    wait_for(&c, 1);
    assert_int_equal(c.failed, 0);
    assert_true(weir_store_check(store, &error));
}

static void an_older_file_is_written_anew(void **state) {
    (void)state;
    char file[100];
    sqlite3 *db;
    weir_store_close(store);
    snprintf(file, sizeof file, "%s/weir.db", directory);
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA auto_vacuum = 0; VACUUM", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    store = NULL;
    reopen(WEIR_DURABILITY_FULL);
    what_goes_makes_it_smaller(state);
    assert_true(file_bytes() < 1000 * 1000);
    assert_true(weir_store_check(store, &error));
}

#define BOTH(function)                                                                             \
    {"memory: " #function, function, set_up_memory, tear_down, NULL},                              \
        {"sqlite: " #function, function, set_up_sqlite, tear_down, NULL},
#define SQLITE(function) cmocka_unit_test_setup_teardown(function, set_up_sqlite, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        STORE_CASES(BOTH) SELECT_CASES(BOTH) KEEP_CASES(BOTH) SQLITE(closing_writes_what_waits),
        cmocka_unit_test_teardown(nobody_else_reads_the_files, tear_down),
        SQLITE(damage_is_found),
        SQLITE(version_1_is_brought_up_after_a_copy),
        SQLITE(several_processes_bring_it_up_once),
        SQLITE(what_cannot_be_copied_is_not_changed),
        SQLITE(other_files_are_refused),
        SQLITE(queries_use_the_indexes),
        SQLITE(a_file_gets_smaller_beside_its_users),
        SQLITE(an_older_file_is_written_anew),
        SQLITE(an_older_state_that_cannot_be_written_is_read),
        SQLITE(read_only_states_are_read),
        SQLITE(a_failing_disk_ends_all_appends),
        SQLITE(several_may_open_at_once),
        SQLITE(durability_says_when_it_is_on_the_disk),
        SQLITE(many_appends_share_a_transaction),
        SQLITE(what_waits_alone_is_written_when_the_loop_would_wait),
        SQLITE(another_process_that_writes_does_not_stop_the_loop),
        SQLITE(a_long_log_is_moved_into_the_file),
        SQLITE(a_log_grows_by_several_commits_at_once),
        cmocka_unit_test_setup_teardown(a_short_run_pays_little, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}

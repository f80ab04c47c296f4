/* Stores that are damaged on purpose, at many places: what is whole is kept, the rest is named, and all can be used again. */
#include "embedding.h"

#include <fcntl.h>
#include <sqlite3.h>

enum { RUNS = 14, PAGE = 4096, BATCHES_MAX = 200 };

/* What the journal had before. */
typedef struct batch {
    char run[32];
    int sequence;
    int64_t checksum;
} batch;

static batch batches[BATCHES_MAX];
static size_t batch_count;
static char *image; /* of the whole file */
static size_t image_size;

static sqlite3 *open_file(const char *path) {
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static void change(const char *sql) {
    sqlite3 *db = open_file(in_folder("state/weir.db"));
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s", message);
    sqlite3_close(db);
}

static int ask(const char *sql) {
    sqlite3 *db = open_file(in_folder("state/weir.db"));
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    int found = sqlite3_column_int(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(db);
    return found;
}

static void note_batches(void) {
    sqlite3 *db = open_file(in_folder("state/weir.db"));
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT stream, seq, checksum FROM journal ORDER BY 1, 2",
                                        -1, &row, NULL),
                     SQLITE_OK);
    batch_count = 0;
    while (sqlite3_step(row) == SQLITE_ROW) {
        assert_true(batch_count < BATCHES_MAX);
        batch *b = &batches[batch_count++];
        snprintf(b->run, sizeof b->run, "%s", (const char *)sqlite3_column_text(row, 0));
        b->sequence = sqlite3_column_int(row, 1);
        b->checksum = sqlite3_column_int64(row, 2);
    }
    sqlite3_finalize(row);
    sqlite3_close(db);
}

/* Each run's batches are the first of those that it had. */
static void expect_beginnings(void) {
    sqlite3 *db = open_file(in_folder("state/weir.db"));
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT stream, seq, checksum FROM journal ORDER BY 1, 2",
                                        -1, &row, NULL),
                     SQLITE_OK);
    char run[32] = "";
    int next = 1;
    while (sqlite3_step(row) == SQLITE_ROW) {
        const char *stream = (const char *)sqlite3_column_text(row, 0);
        if (strcmp(stream, run) != 0) next = 1;
        snprintf(run, sizeof run, "%s", stream);
        assert_int_equal(sqlite3_column_int(row, 1), next);
        size_t i = 0;
        while (i < batch_count && (strcmp(batches[i].run, run) != 0 || batches[i].sequence != next))
            i++;
        assert_true(i < batch_count);
        assert_true(batches[i].checksum == sqlite3_column_int64(row, 2));
        next++;
    }
    sqlite3_finalize(row);
    sqlite3_close(db);
}

static void read_image(void) {
    int fd = open(in_folder("state/weir.db"), O_RDONLY);
    assert_true(fd >= 0);
    struct stat info;
    assert_int_equal(fstat(fd, &info), 0);
    image_size = (size_t)info.st_size;
    image = realloc(image, image_size);
    assert_int_equal(read(fd, image, image_size), (ssize_t)image_size);
    close(fd);
}

static void write_image(const char *data, size_t size) {
    static const char *const rest[] = {"state/weir.db-wal", "state/weir.db-shm",
                                       "state/weir.db.damaged-1", "state/weir.db.before-repair-1"};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) unlink(in_folder(rest[i]));
    int fd = open(in_folder("state/weir.db"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    close(fd);
}

/* Runs that finished: some with a text that takes several pages, one of several batches. */
static void make_runs(void) {
    char *text = malloc(20001);
    memset(text, 'x', 20000);
    text[20000] = '\0';
    open_engine(WEIR_DURABILITY_FULL);
    for (int i = 0; i < RUNS; i++) {
        char name[16];
        snprintf(name, sizeof name, "run-%d", i);
        if (i == 2) {
            weir_value *labelled =
                           request_for(source_file("examples/workflow/dag-diamond.yaml"), name),
                       *labels = weir_object_new();
            put_text(labels, "team", "red");
            weir_object_set(labelled, "labels", 6, labels);
            succeed(start(labelled));
            continue;
        }
        weir_value *request = request_for(source_file("examples/calculator/calculator.json"), name);
        weir_value *texts = weir_object_new();
        put_text(texts, "line", "add 40 and 2");
        weir_object_set(request, "texts", 5, texts);
        if (i % 4 == 1) put_text(request, "remark", text);
        succeed(start(request));
    }
    weir_close(engine);
    engine = NULL;
    free(text);
    change("PRAGMA wal_checkpoint(TRUNCATE)");
    note_batches();
    read_image();
}

/* How many entries have the state; a problem is shown. */
static size_t count_entries(const weir_value *list, const char *state) {
    size_t count = 0;
    for (size_t i = 0; i < weir_value_count(list); i++) {
        const weir_value *entry = weir_array_at(list, i);
        bool is = strcmp(text_of(entry, "state"), state) == 0;
        count += is;
        if (is && strcmp(state, "problem") == 0) print_message("%s\n", text_of(entry, "message"));
    }
    return count;
}

static bool ignore_event(void *arg, const weir_value *event) {
    (void)event;
    ++*(size_t *)arg;
    return true;
}

/* Repairs; then every run that is listed can be read, and what is not over goes on to its end. Gives how many entries said
 * that something was damaged. */
static size_t repair_all(void) {
    weir_value *list, *found;
    size_t events = 0;
    if (!weir_salvage(state_folder, NULL, &list, &error)) fail_msg("%s", error.message);
    size_t said = count_entries(list, "warning");
    weir_value_unref(list);
    open_engine(WEIR_DURABILITY_BATCH);
    list = weir_repair(engine);
    assert_int_equal(count_entries(list, "problem"), 0);
    said += count_entries(list, "warning");
    weir_value_unref(list);
    expect_beginnings();
    list = weir_examine(engine);
    for (size_t i = 0; i < weir_value_count(list); i++) {
        const weir_value *entry = weir_array_at(list, i);
        const char *check = text_of(entry, "check");
        if (strcmp(check, "store") == 0 || strcmp(check, "journals") == 0)
            assert_string_equal(text_of(entry, "state"), "ok");
    }
    weir_value_unref(list);
    assert_true(weir_list(engine, 0, &found, &error));
    for (size_t i = 0; i < weir_value_count(found); i++) {
        const weir_value *run = weir_array_at(found, i);
        weir_run *again = NULL;
        char sql[160];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM journal WHERE stream = '%s'",
                 text_of(run, "run"));
        if (!ask(sql)) continue; /* all of it is lost, and it is over */
        assert_string_not_equal(text_of(run, "phase"), "Error");
        if (!weir_events(engine, text_of(run, "name"), ignore_event, &events, &error) ||
            !weir_run_recover(engine, text_of(run, "name"), &again, &error))
            fail_msg("%s", error.message);
        succeed(again);
    }
    weir_value_unref(found);
    weir_close(engine);
    engine = NULL;
    return said;
}

static void bytes_that_changed_are_found(void **state) {
    (void)state;
    enum { PLACES = 30 };
    size_t said = 0;
    make_runs();
    char *copy = malloc(image_size);
    for (size_t i = 0; i < PLACES; i++) {
        memcpy(copy, image, image_size);
        size_t at = i < 10 ? i * 10 : (image_size - 100) / PLACES * i + i % 7 * 13;
        for (size_t k = 0; k < 3; k++) copy[at + k] = (char)(copy[at + k] ^ 0x55);
        write_image(copy, image_size);
        said += repair_all() > 0;
    }
    free(copy);
    assert_true(said > PLACES / 5); /* many places mean nothing, or can be made anew */
}

static void pages_of_zeros_are_passed_over(void **state) {
    (void)state;
    make_runs();
    char *copy = malloc(image_size);
    size_t said = 0, kept = 0;
    for (size_t at = 0; at < image_size; at += 3 * PAGE) {
        memcpy(copy, image, image_size);
        memset(copy + at, 0, PAGE);
        write_image(copy, image_size);
        said += repair_all() > 0;
        kept += (size_t)ask("SELECT count(*) FROM runs WHERE phase = 'Succeeded'") == RUNS;
    }
    free(copy);
    assert_true(said > 3);
    assert_true(kept > 5);
}

static void what_is_cut_off_is_lost_alone(void **state) {
    (void)state;
    make_runs();
    for (size_t pages = 5; pages * PAGE + PAGE / 2 < image_size; pages += 8) {
        weir_value *list = NULL;
        write_image(image, pages * PAGE + PAGE / 2);
        if (weir_salvage(state_folder, NULL, &list, &error)) {
            weir_value_unref(list);
            write_image(image, pages * PAGE + PAGE / 2);
            assert_true(repair_all() > 0);
        } else { /* no batch was that far in front */
            assert_int_equal(error.code, WEIR_INVALID);
        }
    }
}

static void damaged_batches_end_a_journal(void **state) {
    (void)state;
    static const struct {
        const char *sql; /* on run-2 */
        int left;        /* batches; of 2 or more */
        const char *phase, *said;
    } cases[] = {
        {"UPDATE journal SET bytes = zeroblob(9) WHERE seq = 2 AND ", 1, "Running",
         "is whole up to batch 1: batch 2"},
        {"UPDATE journal SET checksum = checksum + 1 WHERE seq = 1 AND ", 0, "Error", "is lost"},
        {"UPDATE journal SET version = 7 WHERE seq = 2 AND ", 1, "Running", "form"},
        {"DELETE FROM journal WHERE seq = 1 AND ", 0, "Error", "batch 1 is missing"},
        {"DELETE FROM journal WHERE seq = 2 AND ", 1, "Running", "missing"},
        {"DELETE FROM runs WHERE id = (SELECT stream FROM journal ORDER BY stream LIMIT 1 OFFSET "
         "0) OR ",
         -1, "Succeeded", "was not in the list of runs"},
    };
    make_runs();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sql[600];
        bool runs = strncmp(cases[i].sql, "DELETE FROM runs", 16) == 0;
        write_image(image, image_size);
        snprintf(sql, sizeof sql, "%s %s = (SELECT id FROM runs WHERE name = 'run-2')",
                 cases[i].sql, runs ? "id" : "stream");
        char id[200] = "SELECT count(*) FROM journal WHERE stream = "
                       "(SELECT id FROM runs WHERE name = 'run-2')";
        change(sql);
        open_engine(WEIR_DURABILITY_FULL);
        weir_value *list = weir_repair(engine);
        assert_int_equal(count_entries(list, "problem"), 0);
        if (!has_text(list, cases[i].said)) fail_msg("%s: not said", cases[i].sql);
        assert_true(has_text(list, "weir.db.before-repair-1"));
        weir_value_unref(list);
        weir_close(engine);
        engine = NULL;
        if (cases[i].left >= 0) assert_int_equal(ask(id), cases[i].left);
        snprintf(sql, sizeof sql, "SELECT count(*) FROM runs WHERE name = 'run-2' AND phase = '%s'",
                 cases[i].phase);
        assert_int_equal(ask(sql), 1);
        assert_int_equal(ask("SELECT count(*) FROM runs JOIN labels ON run = number WHERE name = "
                             "'run-2' AND labels = '{\"team\":\"red\"}' AND value = 'red'"),
                         1);
        assert_int_equal(ask("SELECT count(*) FROM runs WHERE name <> 'run-2' AND phase = "
                             "'Succeeded'"),
                         RUNS - 1);
        assert_int_equal(access(in_folder("state/weir.db.before-repair-1"), F_OK), 0);
        (void)repair_all();
    }
}

/* Nothing is changed that needs no change, and what is driven is left alone. */
static void what_is_whole_stays(void **state) {
    (void)state;
    make_runs();
    assert_int_equal(repair_all(), 0);
    assert_int_equal(access(in_folder("state/weir.db.before-repair-1"), F_OK), -1);
    open_engine(WEIR_DURABILITY_FULL);
    weir_run *run = start(request_for(slow_workflow("0.2"), "slow"));
    wait_for_text(run, in_folder("log"), "begin-two");
    weir_value *list = weir_repair(engine), *again = weir_rebuild(engine, NULL);
    assert_true(has_text(list, "1 driven and left alone"));
    assert_true(has_text(again, "1 run is being driven"));
    weir_value_unref(list);
    weir_value_unref(again);
    succeed(run);
}

static void other_files_are_left_alone(void **state) {
    (void)state;
    char found[64];
    assert_int_equal(mkdir(state_folder, 0700), 0);
    write_file("state/weir.db", "this is no database, and never was one");
    assert_false(weir_salvage(state_folder, NULL, &(weir_value *){NULL}, &error));
    assert_int_equal(error.code, WEIR_INVALID);
    assert_non_null(strstr(error.message, "nothing in"));
    read_text(in_folder("state/weir.db"), found, sizeof found);
    assert_string_equal(found, "this is no database, and never was one");
    assert_int_equal(access(in_folder("state/weir.db.salvage"), F_OK), -1);
}

static int end(void **state) {
    (void)state;
    free(image);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down),
        TEST(bytes_that_changed_are_found) TEST(pages_of_zeros_are_passed_over)
            TEST(what_is_cut_off_is_lost_alone) TEST(damaged_batches_end_a_journal)
                TEST(what_is_whole_stays) TEST(other_files_are_left_alone)};
    return cmocka_run_group_tests_name("repair", tests, NULL, end);
}

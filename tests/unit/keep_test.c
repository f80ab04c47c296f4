/* Keeping house as an embedder does: pruning, keeping, backups; and which files may be in one. */
#include "embedding.h"

#include "store/backup.h"

static void run_to_end(const char *name) {
    succeed(start(request_for(slow_workflow("0"), name)));
}

static uint64_t count_of(const weir_value *value, const char *name) {
    return (uint64_t)weir_int_get(weir_object_get(value, name, strlen(name)));
}

static bool count_run(void *arg, const weir_value *run) {
    (void)run;
    ++*(size_t *)arg;
    return true;
}

static size_t count_runs(void) {
    size_t count = 0;
    weir_run_filter all = {.size = sizeof all};
    assert_true(weir_run_list(engine, &all, count_run, &count, &error));
    return count;
}

static bool take_one(void *arg, const weir_value *run) {
    snprintf(arg, 32, "%s", weir_string_get(weir_object_get(run, "name", 4)).data);
    return false;
}

static void prune(weir_pruning wanted, uint64_t runs, size_t left) {
    weir_value *pruned;
    wanted.size = sizeof wanted;
    if (!weir_prune(engine, &wanted, &pruned, &error)) fail_msg("%s", error.message);
    assert_int_equal(count_of(pruned, "runs"), runs);
    assert_int_equal(count_of(pruned, "bytes") > 0, runs > 0);
    assert_int_equal(count_runs(), left);
    weir_value_unref(pruned);
}

/* An engine removes nothing by itself, and what it drives not at all. */
static void prune_some(weir_durability durability) {
    char name[32] = "";
    open_engine(durability);
    const char *const names[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < 4; i++) run_to_end(names[i]);
    (void)remove(in_folder("log")); /* a step that began before would not take its time */
    weir_run *open = start(request_for(slow_workflow("9"), "open"));
    assert_false(weir_run_wait(open, 200)); /* until it is written down */
    prune((weir_pruning){.age_us = 0}, 0, 5);
    prune((weir_pruning){.age_us = 3600ull * 1000 * 1000}, 0, 5);
    prune((weir_pruning){.age_us = 1, .dry = true}, 4, 5);
    assert_true(weir_run_keep(engine, "b", true, &error));
    assert_false(weir_run_keep(engine, "nobody", true, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    prune((weir_pruning){.age_us = 1, .visit = take_one, .arg = name}, 1, 4);
    assert_string_equal(name, "a");
    weir_run_filter only = {.size = sizeof only, .name = "d"};
    prune((weir_pruning){.bytes_max = 1, .filter = &only}, 1, 3);
    prune((weir_pruning){.age_us = 1, .gentle = true}, 1, 2);
    assert_true(weir_run_keep(engine, "b", false, &error));
    prune((weir_pruning){.age_us = 1}, 1, 1);
    weir_run_cancel(open, true);
    assert_true(weir_run_wait(open, 10000));
    prune((weir_pruning){.age_us = 1}, 0, 1); /* it is open here */
    weir_run_close(open);
    prune((weir_pruning){.age_us = 1}, 1, 0);
}

static void old_runs_go(void **state) {
    (void)state;
    prune_some(WEIR_DURABILITY_FULL);
}

static void filters_that_make_no_sense(void **state) {
    (void)state;
    const char *labels[] = {"a", "b", "c", "d", "e", "f", "g", "h", NULL};
    const weir_run_filter filters[] = {{.size = sizeof filters[0], .parent = "r"},
                                       {.size = sizeof filters[0], .labels = labels}};
    const weir_code codes[] = {WEIR_USAGE, WEIR_LIMIT};
    open_engine(WEIR_DURABILITY_BATCH);
    for (size_t i = 0; i < 2; i++) {
        weir_value *pruned = NULL;
        weir_pruning wanted = {.size = sizeof wanted, .age_us = 1, .filter = &filters[i]};
        assert_false(weir_prune(engine, &wanted, &pruned, &error));
        assert_int_equal(error.code, codes[i]);
        assert_null(pruned);
    }
}

/* --- backups --- */

static bool stop_at(void *arg, const char *what, uint64_t done, uint64_t total) {
    assert_true(!total || done <= total);
    return strcmp(arg, what) != 0;
}

static bool stop_now(void *arg, uint64_t done, uint64_t total) {
    (void)arg;
    assert_true(done <= total);
    return false;
}

static void who_ends_it_has_nothing(void **state) {
    (void)state;
    static const char *const whats[] = {"runs", "logs"};
    open_engine(WEIR_DURABILITY_BATCH);
    run_to_end("a");
    weir_value *made = NULL;
    char file[160], restored[160];
    snprintf(file, sizeof file, "%s", in_folder("b"));
    snprintf(restored, sizeof restored, "%s", in_folder("new"));
    weir_backup_wanted wanted = {.size = sizeof wanted, .file = file};
    for (size_t i = 0; i < 2; i++) {
        char what[8];
        snprintf(what, sizeof what, "%s", whats[i]);
        wanted.progress = stop_at;
        wanted.arg = what;
        assert_false(weir_make_backup(engine, &wanted, &made, &error));
        assert_int_equal(error.code, WEIR_CANCELLED);
        assert_int_not_equal(access(in_folder("b"), F_OK), 0);
        assert_int_not_equal(access(in_folder("b.part"), F_OK), 0);
        assert_int_not_equal(access(in_folder("b.part-runs"), F_OK), 0);
    }
    wanted.progress = NULL;
    assert_true(weir_make_backup(engine, &wanted, &made, &error));
    assert_int_equal(count_of(made, "runs"), 1);
    weir_value_unref(made);
    weir_restore_wanted back = {
        .size = sizeof back, .file = file, .state = restored, .progress = stop_now};
    assert_false(weir_restore_backup(&back, &made, &error));
    assert_int_equal(error.code, WEIR_CANCELLED);
    assert_int_not_equal(access(in_folder("new"), F_OK), 0);
    assert_int_not_equal(access(in_folder("new.restoring"), F_OK), 0);
    back.progress = NULL;
    assert_true(weir_restore_backup(&back, &made, &error));
    assert_int_equal(count_of(made, "runs"), 1);
    weir_value_unref(made);
}

static void nothing_is_kept_of_memory(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_NONE);
    weir_value *made = NULL;
    weir_backup_wanted wanted = {.size = sizeof wanted, .file = in_folder("b")};
    assert_false(weir_make_backup(engine, &wanted, &made, &error));
    assert_int_equal(error.code, WEIR_USAGE);
    weir_pruning pruning = {.size = sizeof pruning, .age_us = 1, .bytes_max = 1};
    assert_true(weir_prune(engine, &pruning, &made, &error));
    assert_int_equal(count_of(made, "runs"), 0);
    weir_value_unref(made);
}

#define RUN "01m7zsfxe2h4nqavm9g8"
#define HEX "161cfc38de07694b43f802925c4b6cfadb815b2c8c557516be99a5f6c9ff8e6a"

static void names_of_files_in_a_backup(void **state) {
    (void)state;
    static const char *const good[] = {"weir-backup.json",
                                       "weir.db",
                                       "files.json",
                                       "logs/" RUN "/0.1.log",
                                       "logs/" RUN "/12.3.0.source",
                                       "blobs/sha256/16/" HEX,
                                       "blobs/refs/16/" HEX ".user",
                                       "blobs/refs/16/" HEX ".cache:" HEX};
    static const char *const bad[] = {"",
                                      ".",
                                      "/weir.db",
                                      "./weir.db",
                                      "weir.db/",
                                      "weir.db-wal",
                                      "weir.db.version-1",
                                      "../weir.db",
                                      "logs",
                                      "logs/",
                                      "logs/" RUN,
                                      "logs/" RUN "/",
                                      "logs/" RUN "/.log",
                                      "logs/" RUN "/..",
                                      "logs/" RUN "/a/b",
                                      "logs/" RUN "/a b",
                                      "logs/" RUN "/a\n",
                                      "logs/" RUN "0/a",
                                      "logs/01m7/a",
                                      "logs/../weir.db",
                                      "logs/01M7ZSFXE2H4NQAVM9G8/a",
                                      "blobs/lock",
                                      "blobs/tmp/1",
                                      "blobs/sha256/17/" HEX,
                                      "blobs/sha256/16/" HEX "0",
                                      "blobs/refs/16/" HEX,
                                      "blobs/refs/16/" HEX "./x",
                                      "plugins/a.so",
                                      "queue/" RUN,
                                      "runs/locks",
                                      "retention",
                                      "copy",
                                      "weir.yaml"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!weir_backup_name_is(good[i])) fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (weir_backup_name_is(bad[i])) fail_msg("%s", bad[i]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(old_runs_go),
        TEST(filters_that_make_no_sense),
        TEST(who_ends_it_has_nothing),
        TEST(nothing_is_kept_of_memory),
        cmocka_unit_test(names_of_files_in_a_backup),
    };
    return cmocka_run_group_tests_name("keep", tests, NULL, NULL);
}

/* Runs without end: what is over is forgotten, and nothing else is. Time goes by because the engine is told so. */
#include <weir/weir.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "data/json.h"
#include "engine/engine_internal.h"
#include "folder.h"

enum { EACH_SECOND = 500, REMEMBERED_S = 10, ROWS_MS = 300 };

static weir_engine *engine;
static weir_error error;
static uint64_t told, wrong;

static int set_up(void **state) {
    (void)state;
    told = wrong = 0;
    return make_folder();
}

static int tear_down(void **state) {
    (void)state;
    weir_close(engine);
    engine = NULL;
    return remove_folder();
}

/* Each message's result is what was sent, without its sign. */
static void hear(void *arg, weir_run *run, weir_str context, const weir_value *result) {
    (void)arg, (void)run;
    told++;
    const weir_value *list = weir_member_named(result, "B");
    if (context.data[0] == 'm' &&
        (weir_value_count(list) != 1 ||
         weir_int_get(weir_array_at(list, 0)) != strtoll(context.data + 1, NULL, 10)))
        wrong++;
}

/* Leaves the loop, as what reads a disk does. */
static bool take(const weir_host *host, weir_call *call) {
    int64_t n = host->int_get(host->input(call, 0));
    host->output(call, "result", host->int_new(n < 0 ? -n : n));
    return true;
}
static const weir_port in[] = {{"number", "generic", "A number."}, {0}},
                       out[] = {{"result", "generic", "Its size."}, {0}}, none[] = {{0}};
static const weir_operation take_operation = {.size = sizeof take_operation,
                                              .name = "test.take",
                                              .about = "The size of a number, on the pool.",
                                              .inputs = in,
                                              .outputs = out,
                                              .config = none,
                                              .run = take};
static const weir_operation *const operations[] = {&take_operation, NULL};
static const weir_plugin plugin = {WEIR_ABI, sizeof plugin, "take", "1", operations};

static void open_engine(void) {
    weir_options options = {.size = sizeof options,
                            .state = folder,
                            .durability = WEIR_DURABILITY_FULL,
                            .result = hear};
    weir_close(engine);
    if (!weir_open(&options, &engine, &error)) fail_msg("%s", error.message);
    if (!weir_registry_add(&engine->registry, &plugin, &error)) fail_msg("%s", error.message);
}

static weir_value *parse(const char *json) {
    weir_value *value;
    if (!weir_json_parse(weir_str_from(json), WEIR_STR(""), &value, &error))
        fail_msg("%s", error.message);
    return value;
}

static const char flow_text[] = "{\"open\": true, \"name\": \"bot\", \"forget_after_us\": "
                                "10000000, \"flow\": {\"definitions\": {\"A\": {}, "
                                "\"B\": {}, \"S\": {}, \"O\": {}}, \"operations\": {\"n\": "
                                "{\"name\": \"%s\", \"inputs\": {\"number\": \"A\"}, "
                                "\"outputs\": {\"result\": \"B\"}}, \"get\": {\"name\": "
                                "\"get_multi\", \"inputs\": {\"spec\": \"S\"}, "
                                "\"outputs\": {\"output\": \"O\"}, \"stage\": \"output\"}}, "
                                "\"seed\": [{\"value\": [\"B\"], \"definition\": "
                                "\"S\"}]}}";

static weir_run *start(const char *operation) {
    char text[2048];
    weir_run *run = NULL;
    snprintf(text, sizeof text, flow_text, operation);
    weir_value *request = parse(text);
    if (!weir_run_start(engine, request, NULL, NULL, &run, &error)) fail_msg("%s", error.message);
    weir_value_unref(request);
    return run;
}

static weir_value *input(int64_t number) {
    weir_value *entry = weir_object_new(), *list = weir_array_new();
    weir_member_put(entry, "value", weir_int_new(number));
    weir_member_put_text(entry, "definition", WEIR_STR("A"));
    weir_array_append(list, entry);
    return list;
}

static void give(weir_run *run, const char *name, bool hold, int64_t number) {
    weir_value *inputs = input(number);
    while (!weir_context_open(run, name, inputs, hold, &error)) {
        if (error.code != WEIR_LIMIT) fail_msg("%s", error.message);
        assert_false(weir_run_wait(run, 0)); /* as many wait as may */
    }
    weir_value_unref(inputs);
}

static void send(weir_run *run, const char *name, int64_t number) {
    weir_value *inputs = input(number);
    if (!weir_context_send(run, name, inputs, &error)) fail_msg("%s", error.message);
    weir_value_unref(inputs);
}

static void wait_for(weir_run *run, uint64_t results) {
    for (int i = 0; i < 60000 && told < results; i++)
        if (weir_run_wait(run, 1)) fail_msg("the run ended");
    assert_int_equal(told, results);
}

/* The messages of so many seconds, one second after the other. */
static void live(weir_run *run, uint64_t from_s, uint64_t seconds, uint32_t each) {
    for (uint64_t s = from_s; s < from_s + seconds; s++) {
        uint64_t before = told;
        for (uint32_t i = 0; i < each; i++) {
            char name[32];
            uint64_t number = s * each + i;
            snprintf(name, sizeof name, "m%llu", (unsigned long long)number);
            give(run, name, false, -(int64_t)number);
        }
        wait_for(run, before + each);
        /* The store is told of rows within 0.2 s of true time: that is not to be longer than what is remembered. */
        nanosleep(&(struct timespec){.tv_nsec = ROWS_MS * 1000 * 1000 / REMEMBERED_S}, NULL);
        engine->opened_us += 1000 * 1000;
    }
}

static int64_t ask(const char *sql) {
    char path[128];
    sqlite3 *db;
    sqlite3_stmt *statement;
    snprintf(path, sizeof path, "%s/weir.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return value;
}

static const char journal_bytes[] = "SELECT sum(length(bytes)) FROM journal";

static weir_run *recover(void) {
    weir_run *run = NULL;
    open_engine();
    told = 0;
    if (!weir_run_recover(engine, "bot", &run, &error)) fail_msg("%s", error.message);
    return run;
}

static int64_t finished_contexts(const weir_run *run) {
    weir_value *status = weir_run_status(run);
    int64_t count = (int64_t)weir_member_count(weir_member_named(status, "contexts"), "finished");
    weir_value_unref(status);
    return count;
}

/* One context stays open for all the time, and is sent to; the journal has what was in the last seconds, and it. */
static void forget(const char *operation, uint32_t each) {
    open_engine();
    engine->opened_us += 1000 * 1000;
    weir_run *run = start(operation);
    give(run, "keeper", true, -1);
    live(run, 0, 3 * REMEMBERED_S, each);
    send(run, "keeper", -2);
    int64_t early = ask(journal_bytes);
    live(run, 3 * REMEMBERED_S, 9 * REMEMBERED_S, each);
    int64_t late = ask(journal_bytes), seconds = 12 * REMEMBERED_S;
    /* Four times the time: as much, but for when it was shortened last. */
    assert_in_range(late, 1, early * 2 + 1024 * 1024);
    assert_in_range(ask("SELECT min(seq) FROM journal"), 2, INT64_MAX);
    assert_int_equal(finished_contexts(run), seconds * each);
    send(run, "keeper", -3);
    weir_run_close(run);

    run = recover();
    assert_in_range(told, (uint64_t)(REMEMBERED_S - 1) * each, (uint64_t)seconds * each - 1);
    assert_int_equal(finished_contexts(run), seconds * each);
    live(run, (uint64_t)seconds, 2 * REMEMBERED_S, each);
    assert_int_equal(finished_contexts(run), (seconds + 2 * REMEMBERED_S) * each);
    weir_run_close(run);

    run = recover();
    assert_true(weir_context_close(run, "keeper", &error));
    weir_run_end(run);
    assert_true(weir_run_wait(run, 60000));
    weir_run_close(run);
    assert_int_equal(wrong, 0);
}

static bool count_events(void *arg, const weir_value *event) {
    int *seen = arg;
    weir_str type = weir_member_text(event, "type");
    const weir_value *data = weir_member_named(event, "data");
    if (!seen[0]) assert_true(weir_str_is(type, "run.created"));
    seen[0]++;
    if (weir_str_is(type, "run.shortened")) {
        assert_int_equal(seen[0], 2);
        seen[1] = (int)weir_member_count(data, "over");
    }
    seen[2] += weir_str_is(type, "context.finished");
    return true;
}

static bool count_entry(void *arg, const weir_value *entry) {
    (void)entry;
    ++*(int *)arg;
    return true;
}

static void expect_sound(weir_value *entries) {
    for (size_t i = 0; i < weir_value_count(entries); i++)
        assert_false(weir_str_is(weir_member_text(weir_array_at(entries, i), "state"), "problem"));
    weir_value_unref(entries);
}

/* Whoever looks at what is left of such a run sees a sound one. */
static void what_is_left_can_be_looked_at(void **state) {
    (void)state;
    enum { EACH = 100, SECONDS = 6 * REMEMBERED_S };
    int seen[3] = {0}, results = 0;
    open_engine();
    engine->opened_us += 1000 * 1000;
    weir_run *run = start("test.take");
    give(run, "keeper", true, -1);
    live(run, 0, SECONDS, EACH);
    weir_run_close(run);
    open_engine();
    assert_true(weir_events(engine, "bot", count_events, seen, &error));
    assert_in_range(seen[1], SECONDS * EACH / 2, SECONDS * EACH);
    assert_int_equal(seen[1] + seen[2], SECONDS * EACH);
    assert_true(weir_results(engine, "bot", NULL, count_entry, &results, &error));
    assert_int_equal(results, seen[2]);
    static const char rows[] =
        "SELECT sum(number * 31 + length(name)) + count(*) FROM contexts WHERE run IS NOT NULL";
    int64_t before = ask(rows), tasks = ask("SELECT count(*) FROM tasks");
    expect_sound(weir_rebuild(engine, "bot"));
    assert_int_equal(ask(rows), before);
    assert_int_equal(ask("SELECT count(*) FROM tasks"), tasks);
    expect_sound(weir_repair(engine));
    results = 0;
    assert_true(weir_results(engine, "bot", NULL, count_entry, &results, &error));
    assert_int_equal(results, seen[2]);
    run = recover();
    weir_run_cancel(run, false);
    assert_true(weir_run_wait(run, 60000));
    weir_run_close(run);
    weir_run *again;
    assert_false(weir_retry(engine, "bot", &again, &error));
    assert_int_equal(error.code, WEIR_UNSUPPORTED);
}

/* A context's rows in the tables are no longer there than its events. */
static void rows_go_too(void **state) {
    (void)state;
    forget("test.take", EACH_SECOND / 5);
    weir_close(engine);
    engine = NULL;
    assert_in_range(ask("SELECT count(*) FROM contexts WHERE phase = 'Running'"), 0, 0);
    assert_in_range(ask("SELECT count(*) FROM contexts"), 1, 3 * REMEMBERED_S * EACH_SECOND / 5);
    assert_int_equal(ask("SELECT count(*) FROM contexts WHERE name = 'keeper'"), 1);
}

static void calls_are_forgotten(void **state) {
    (void)state;
    forget("math.absolute", EACH_SECOND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_are_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_go_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_left_can_be_looked_at, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

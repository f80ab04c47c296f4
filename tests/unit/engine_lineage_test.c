/* What an embedder asks of a run's past: events, in part and as they come; incidents; lineage. */
#include "embedding.h"

static const char flow[] = "definitions: {A: {primitive: int}, B: {primitive: int}}\n"
                           "operations:\n  n: {name: math.negate, inputs: {number: A}, outputs: "
                           "{result: B}}\nseed: [{value: 1, definition: A}]\n";

static void run_flow(const char *name) {
    succeed(start(request_for(write_file("flow.yaml", flow), name)));
}

/* --- events ------------------------------------------------------------------------------------- */

typedef struct seen {
    size_t count, idle, stop_after; /* 0: never */
    char types[1024];
    weir_run *driven;
    const char *go; /* a file that lets it end */
} seen;

static bool see(void *arg, const weir_value *event) {
    seen *s = arg;
    if (!event) {
        s->idle++;
        if (!s->driven) return s->idle < 3;
        weir_run_wait(s->driven, 5);
        if (s->idle == 3) write_file("go", "");
        return true;
    }
    size_t length = strlen(s->types);
    snprintf(s->types + length, sizeof s->types - length, "%s ", text_of(event, "type"));
    return ++s->count != s->stop_after;
}

static seen read_events(weir_events_query query, seen s, const char *run) {
    query.size = sizeof query;
    if (!weir_read_events(engine, run, &query, see, &s, &error)) fail_msg("%s", error.message);
    return s;
}

static void a_part_of_the_events(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_FULL);
    run_flow("r");
    seen all = read_events((weir_events_query){0}, (seen){0}, "r");
    assert_int_equal(all.idle, 0);
    assert_int_equal(read_events((weir_events_query){.limit = 2}, (seen){0}, "r").count, 2);
    assert_int_equal(read_events((weir_events_query){0}, (seen){.stop_after = 3}, "r").count, 3);
    seen some =
        read_events((weir_events_query){.type = "call.*,attempt.f*,run.finished"}, (seen){0}, "r");
    assert_string_equal(some.types, "attempt.finished run.finished ");
    seen after = read_events((weir_events_query){.after = "0:1"}, (seen){0}, "r");
    assert_int_equal(after.count, all.count - 1);
    seen clouds = read_events((weir_events_query){.cloudevents = true, .limit = 1}, (seen){0}, "r");
    assert_string_equal(clouds.types, "dev.weir.run.created ");
    assert_true(weir_read_events(engine, "r", NULL, see, &(seen){0}, &error));
    seen s = {0};
    weir_events_query none = {.size = sizeof none, .after = "5:5", .follow = true};
    assert_false(weir_read_events(engine, "r", &none, see, &s, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    assert_int_equal(s.count, 0);
}

/* One engine drives the run, another follows it. */
static void events_as_they_come(void **state) {
    (void)state;
    char text[512];
    open_engine(WEIR_DURABILITY_FULL);
    weir_engine *driver = engine;
    snprintf(text, sizeof text,
             "definitions: {A: {primitive: int}, B: {primitive: str}}\noperations:\n  n: {name: "
             "process.run, inputs: {a: A}, outputs: {result: B}}\nconfigs: {n: {command: [sh, -c, "
             "'while [ ! -e %s/go ]; do sleep 0.01; done']}}\nseed: [{value: 1, definition: A}]\n",
             folder);
    weir_run *run = start(request_for(write_file("wait.yaml", text), "r"));
    weir_run_wait(run, 20);
    open_engine(WEIR_DURABILITY_FULL);
    weir_value *entry;
    while (!weir_get(engine, "r", &entry, &error)) weir_run_wait(run, 20); /* until it is durable */
    weir_value_unref(entry);
    /* Nobody drives it for a while: it is looked at again and again. */
    assert_int_equal(read_events((weir_events_query){.follow = true}, (seen){0}, "r").idle, 3);
    seen all = read_events((weir_events_query){.follow = true}, (seen){.driven = run}, "r");
    assert_true(all.idle >= 3);
    assert_non_null(strstr(all.types, "attempt.started attempt.finished"));
    assert_non_null(strstr(all.types, "run.finished"));
    assert_int_equal(all.count, read_events((weir_events_query){0}, (seen){0}, "r").count);
    weir_close(engine);
    engine = driver;
    succeed(run);
}

/* --- lineage and reports ------------------------------------------------------------------------ */

static void expect_invalid(weir_lineage_query query) {
    weir_value *out = NULL;
    query.size = sizeof query;
    assert_false(weir_lineage(engine, "r", &query, &out, &error));
    assert_int_equal(error.code, WEIR_INVALID);
    assert_null(out);
}

static void lineage_of_a_value(void **state) {
    (void)state;
    weir_value *out;
    open_engine(WEIR_DURABILITY_FULL);
    run_flow("r");
    weir_lineage_query query = {.size = sizeof query, .what = "B=-1"};
    if (!weir_lineage(engine, "r", &query, &out, &error)) fail_msg("%s", error.message);
    assert_string_equal(text_of(out, "run"), "r");
    assert_int_equal(weir_value_count(member(out, "nodes")), 3);
    assert_int_equal(weir_value_count(member(out, "edges")), 2);
    const weir_value *seed = weir_array_at(member(out, "nodes"), 2);
    assert_string_equal(text_of(seed, "from"), "seed");
    assert_string_equal(text_of(seed, "definition"), "A");
    weir_value_unref(out);
    expect_invalid((weir_lineage_query){.what = NULL});
    expect_invalid((weir_lineage_query){.what = ""});
    expect_invalid((weir_lineage_query){.what = "B", .depth = 1001});
    expect_invalid((weir_lineage_query){.what = "B", .limit = 100001});
    query.what = "C";
    assert_false(weir_lineage(engine, "r", &query, &out, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    assert_string_not_equal(error.hint, "");
}

static void a_report_without_incidents(void **state) {
    (void)state;
    weir_value *out;
    open_engine(WEIR_DURABILITY_FULL);
    run_flow("r");
    if (!weir_read_report(engine, "r", &out, &error)) fail_msg("%s", error.message);
    assert_int_equal(weir_value_count(member(out, "incidents")), 0);
    assert_int_equal(weir_int_get(member(member(out, "figures"), "calls")), 1);
    weir_value_unref(out);
    assert_false(weir_read_report(engine, "none", &out, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
}

#define ALONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        ALONE(a_part_of_the_events),
        ALONE(events_as_they_come),
        ALONE(lineage_of_a_value),
        ALONE(a_report_without_incidents),
    };
    return cmocka_run_group_tests_name("a run's past", tests, NULL, NULL);
}

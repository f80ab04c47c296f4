/* Operations as the real engine runs them: generators that are held back, asynchronous ones that end from other threads,
 * locks between threads, contexts on several threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/weir.h>

#include "engine/engine_internal.h"
#include "quoted.h"

static weir_engine *engine;
static const weir_host *the_host;

static void sleep_ms(long ms) {
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&time, &time) != 0) continue;
}

/* --- operations --- */

static atomic_int emitted, ended_early, under_way, most, begun;
static atomic_bool gate,
    held_back; /* operations wait: until the one is open, while the other is set */

static int64_t number(const weir_host *host, weir_call *call, const char *name) {
    weir_value *value = host->parameter(call, name);
    return value ? host->int_get(value) : 0;
}

/* Yields 0 to n - 1; fails at `fail_at`, if there is one. */
static bool generate(const weir_host *host, weir_call *call) {
    const weir_value *fail_at = host->config(call, "fail_at");
    atomic_fetch_add(&begun, 1);
    while (atomic_load(&held_back)) sleep_ms(1);
    for (int64_t i = 0; i < number(host, call, "n"); i++) {
        if (fail_at && host->int_get(fail_at) == i)
            return (host->fail)(call, NULL, "at %d", (int)i);
        host->output(call, "item", host->int_new(i));
        if (host->emit(call) == WEIR_EMIT_CANCELLED) {
            atomic_fetch_add(&ended_early, 1);
            return false;
        }
        atomic_fetch_add(&emitted, 1);
    }
    return true;
}

static void note_begin(void) {
    int now = atomic_fetch_add(&under_way, 1) + 1, before = atomic_load(&most);
    atomic_fetch_add(&begun, 1);
    while (now > before && !atomic_compare_exchange_weak(&most, &before, now)) continue;
}

/* Reads a number, takes a while, writes it plus one: two at once lose one. */
static atomic_int shared;

static bool add_slowly(const weir_host *host, weir_call *call) {
    note_begin();
    int was = atomic_load(&shared);
    sleep_ms(4);
    atomic_store(&shared, was + 1);
    atomic_fetch_sub(&under_way, 1);
    host->output(call, "item", host->int_new(was + 1));
    return true;
}

/* An asynchronous operation: when the call completes, in milliseconds; 0: before `run` returns; -1: when the gate
 * opens, whatever else was said; -2: when it is cancelled; -3: `run` says that it failed. */
typedef struct later {
    weir_call *call;
    int64_t when;
} later;

static void *complete_later(void *arg) {
    later *of = arg;
    if (of->when > 0) sleep_ms((long)of->when);
    while (of->when == -1 && !atomic_load(&gate)) sleep_ms(1);
    while (of->when == -2 && !the_host->cancelled(of->call)) sleep_ms(1);
    the_host->output(of->call, "item", the_host->int_new(of->when));
    weir_call *call = of->call;
    bool good = of->when != -2;
    free(of);
    atomic_fetch_sub(&under_way, 1);
    the_host->complete(call, good);
    return NULL;
}

static bool run_later(const weir_host *host, weir_call *call) {
    int64_t when = number(host, call, "n");
    if (when == -3) return (host->fail)(call, "unwilling", "not today");
    note_begin();
    later *of = malloc(sizeof *of);
    *of = (later){call, when};
    if (when == 0) {
        complete_later(of);
        return true;
    }
    pthread_t thread;
    if (pthread_create(&thread, NULL, complete_later, of) != 0) abort();
    pthread_detach(thread);
    return true;
}

static pthread_t main_thread;
static atomic_int elsewhere; /* calls on other threads than the engine's */

static bool negate(const weir_host *host, weir_call *call) {
    if (!pthread_equal(pthread_self(), main_thread)) atomic_fetch_add(&elsewhere, 1);
    host->output(call, "item", host->int_new(-number(host, call, "n")));
    return true;
}

/* Goes down to 0; below 0 it fails. */
static bool count_down(const weir_host *host, weir_call *call) {
    int64_t n = number(host, call, "n");
    if (n < 0) return (host->fail)(call, "below_zero", "below 0");
    if (n > 0) host->output(call, "item", host->int_new(n - 1));
    return true;
}

static const weir_port in_n[] = {{"n", "int", "a number"}, {"x", "generic", "anything"}, {0}};
static const weir_port out_item[] = {{"item", "int", "a number"}, {0}};
static const weir_port configured[] = {{"fail_at", "int", "where it fails"}, {0}};

#define OPERATION(identifier, hints_)                                                              \
    static const weir_operation identifier##_operation = {.size = sizeof(weir_operation),          \
                                                          .name = #identifier,                     \
                                                          .about = "For tests.",                   \
                                                          .inputs = in_n,                          \
                                                          .outputs = out_item,                     \
                                                          .config = configured,                    \
                                                          .hints = (hints_),                       \
                                                          .run = (identifier)}
OPERATION(generate, WEIR_GENERATOR);
OPERATION(add_slowly, 0);
OPERATION(run_later, WEIR_ASYNC);
OPERATION(negate, WEIR_PURE | WEIR_CHEAP);
OPERATION(count_down, WEIR_PURE | WEIR_CHEAP);

static const weir_operation *const operations[] = {&generate_operation,   &add_slowly_operation,
                                                   &run_later_operation,  &negate_operation,
                                                   &count_down_operation, NULL};
static const weir_plugin plugin = {WEIR_ABI, sizeof plugin, "running", "1", operations};

/* --- runs --- */

static void open_engine(uint32_t threads) {
    weir_error error;
    weir_options options = {
        .size = sizeof options, .durability = WEIR_DURABILITY_NONE, .threads = threads};
    the_host = weir_host_get();
    main_thread = pthread_self();
    atomic_store(&elsewhere, 0);
    if (!weir_open(&options, &engine, &error) ||
        !weir_registry_add(&engine->registry, &plugin, &error))
        fail_msg("%s", error.message);
}

static int set_up(void **state) {
    (void)state;
    atomic_int *const all[] = {&emitted, &ended_early, &under_way, &most, &begun, &shared};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) atomic_store(all[i], 0);
    atomic_store(&gate, false);
    open_engine(0);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    atomic_store(&gate, true);
    weir_close(engine);
    engine = NULL;
    return atomic_load(&under_way) == 0 ? 0 : -1; /* nothing of it is left running */
}

static weir_run *start(const char *text) {
    weir_value *request = parse(text);
    weir_run *run;
    weir_error error;
    if (!weir_run_start(engine, request, NULL, NULL, &run, &error)) fail_msg("%s", error.message);
    weir_value_unref(request);
    return run;
}

/* The run's result as JSON without spaces, of its results only; it is closed. */
static void assert_end(weir_run *run, const char *phase, const char *results) {
    for (int i = 0; !weir_run_wait(run, 1000); i++)
        if (i == 60) fail_msg("the run does not end");
    weir_value *result = weir_run_result(run);
    weir_buffer text = {0};
    assert_string_equal(weir_member_text(result, "phase").data, phase);
    weir_json_format(weir_member_named(result, "results"), 0, &text);
    for (char *c = text.data; c && *c; c++)
        if (*c == '"') *c = '\'';
    if (results) assert_string_equal(text.data, results);
    weir_buffer_deinit(&text);
    weir_value_unref(result);
    weir_run_close(run);
}

#define DEFINITIONS                                                                                \
    "'definitions': {'N': {}, 'I': {}, 'J': {}, 'L': {'lock': true}, 'M': {}, 'S': {}, 'T': {}}, "
#define COLLECT(what)                                                                              \
    "'g': {'name': '" what "', 'inputs': {'spec': 'S'}, 'outputs': {'output': 'T'}, "              \
    "'stage': 'output'}}, 'seed': [{'value': ['I'], 'definition': 'S'}]"
#define ONE_WITH(operation, more)                                                                  \
    "{'flow': {" DEFINITIONS "'operations': {'o': {'name': '" operation                            \
    "', 'inputs': {'n': 'N'}, 'outputs': {'item': 'I'}" more "}, "
#define ONE(operation) ONE_WITH(operation, "")
#define GIVEN(number) "'contexts': {'c': [{'definition': 'N', 'value': " number "}]}}"

/* --- generators --- */

/* Nobody drives the engine while it yields, so nobody takes what it yields. */
static void at_most_so_many_sets_are_under_way(void **state) {
    (void)state;
    enum { SETS = 500, UNDER_WAY_MAX = 64 };
    atomic_store(&held_back, true);
    weir_run *run = start(ONE("generate") COLLECT("get_single") "}, " GIVEN("500"));
    while (atomic_load(&begun) == 0) (void)!weir_run_wait(run, 0);
    atomic_store(&held_back, false);
    for (int i = 0; i < 2000 && atomic_load(&emitted) < UNDER_WAY_MAX; i++) sleep_ms(1);
    sleep_ms(50);
    assert_int_equal(atomic_load(&emitted), UNDER_WAY_MAX);
    assert_end(run, "Succeeded", "{'c':{'I':499}}");
    assert_int_equal(atomic_load(&emitted), SETS);
}

static void a_generator_is_cancelled(void **state) {
    (void)state;
    weir_run *run = start(ONE("generate") COLLECT("get_single") "}, " GIVEN("1000000000"));
    for (int i = 0; i < 2000 && atomic_load(&emitted) < 200; i++) (void)!weir_run_wait(run, 1);
    assert_in_range(atomic_load(&emitted), 200, 999999);
    weir_run_cancel(run, false);
    assert_end(run, "Failed", "{}");
    assert_int_equal(atomic_load(&ended_early), 1);
}

static void an_engine_closes_with_a_generator_at_work(void **state) {
    (void)state;
    weir_run *run = start(ONE("generate") COLLECT("get_single") "}, " GIVEN("1000000000"));
    for (int i = 0; i < 2000 && atomic_load(&emitted) < 10; i++) (void)!weir_run_wait(run, 1);
    weir_close(engine); /* the run with it */
    assert_int_equal(atomic_load(&ended_early), 1);
    open_engine(0);
}

static void what_a_generator_yielded_stays(void **state) {
    (void)state;
    static const char flow[] =
        ONE("generate") COLLECT("get_multi") ", 'configs': {'o': {'fail_at': 3}}}, %s" GIVEN("9");
    char text[2048];
    snprintf(text, sizeof text, flow, "'strict': false, ");
    assert_end(start(text), "Succeeded", "{'c':{'I':[0,1,2]}}");
    snprintf(text, sizeof text, flow, "");
    assert_end(start(text), "Failed", "{}");
}

/* What it emitted stays, so it has one attempt. */
static void a_generator_is_not_retried(void **state) {
    (void)state;
    atomic_store(&begun, 0);
    assert_end(start(ONE_WITH("generate", ", 'retry': 5")
                         COLLECT("get_multi") ", 'configs': {'o': {'fail_at': 3}}}, 'strict': "
                                              "false, " GIVEN("9")),
               "Succeeded", "{'c':{'I':[0,1,2]}}");
    assert_int_equal(atomic_load(&begun), 1);
}

/* --- asynchronous operations --- */

static const struct {
    const char *about, *number, *phase, *results;
} completions[] = {
    {"before run returned", "0", "Succeeded", "{'c':{'I':[0]}}"},
    {"soon after", "1", "Succeeded", "{'c':{'I':[1]}}"},
    {"long after", "40", "Succeeded", "{'c':{'I':[40]}}"},
    {"not begun", "-3", "Failed", "{}"},
};

static void asynchronous_operations_complete(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof completions / sizeof *completions; i++) {
        char text[2048];
        snprintf(text, sizeof text, ONE("run_later") COLLECT("get_multi") "}, " GIVEN("%s"),
                 completions[i].number);
        assert_end(start(text), completions[i].phase, completions[i].results);
    }
}

/* Many more than there are threads in the pool are under way at once. */
static void many_are_under_way_at_once(void **state) {
    (void)state;
    enum { MANY = 300 };
    static char text[MANY * 48 + 1024];
    size_t length = (size_t)snprintf(
        text, sizeof text, "%s",
        ONE("run_later") COLLECT("get_single") "}, 'strict': true, 'contexts': {'c': [");
    for (int i = 0; i < MANY; i++)
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   "%s{'definition': 'N', 'value': -1}", i ? ", " : "");
    snprintf(text + length, sizeof text - length, "]}}");
    for (char *c = text; *c; c++)
        if (*c == '\'') *c = '"';
    weir_value *request;
    weir_error error;
    weir_run *run;
    assert_true(weir_json_parse(weir_str_from(text), WEIR_STR("t"), &request, &error));
    assert_true(weir_run_start(engine, request, NULL, NULL, &run, &error));
    weir_value_unref(request);
    for (int i = 0; i < 3000 && atomic_load(&begun) < MANY; i++)
        assert_false(weir_run_wait(run, 1));
    assert_int_equal(atomic_load(&most), MANY);
    atomic_store(&gate, true);
    assert_end(run, "Succeeded", "{'c':{'I':-1}}");
}

/* One that heeds the cancel ends the run; one that does not is waited for, and what it says is dropped. */
static void a_cancel_reaches_asynchronous_operations(void **state) {
    (void)state;
    weir_run *run = start(ONE("run_later") COLLECT("get_single") "}, " GIVEN("-2"));
    while (atomic_load(&begun) < 1) (void)!weir_run_wait(run, 1);
    weir_run_cancel(run, false);
    assert_end(run, "Failed", "{}");
    run = start(ONE("run_later") COLLECT("get_single") "}, " GIVEN("30"));
    while (atomic_load(&begun) < 2) (void)!weir_run_wait(run, 1);
    weir_run_cancel(run, true);
    assert_end(run, "Failed", "{}");
}

static void an_engine_closes_with_calls_under_way(void **state) {
    (void)state;
    weir_run *run =
        start("{'flow': {" DEFINITIONS "'operations': {'o': {'name': 'run_later', 'inputs': "
              "{'n': 'N'}, 'outputs': {'item': 'I'}}}}, 'contexts': {'c': [{'definition': "
              "'N', 'value': 30}, {'definition': 'N', 'value': -2}, {'definition': 'N', "
              "'value': 5}]}}");
    while (atomic_load(&begun) < 3) (void)!weir_run_wait(run, 1);
    weir_close(engine); /* waits for those that it told to end */
    assert_int_equal(atomic_load(&under_way), 0);
    open_engine(0);
}

/* --- locks --- */

/* 24 calls that count; `definition` of what they share. */
static void count_with(const char *definition) {
    char text[4096];
    size_t length = (size_t)snprintf(
        text, sizeof text,
        "{'flow': {" DEFINITIONS "'operations': {'o': {'name': 'add_slowly', 'inputs': {'x': '%s', "
        "'n': 'N'}, 'outputs': {'item': 'I'}}}}, 'contexts': {'c': [{'definition': '%s', 'value': "
        "1}",
        definition, definition);
    for (int i = 0; i < 24; i++)
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   ", {'definition': 'N', 'value': %d}", i);
    snprintf(text + length, sizeof text - length, "]}}");
    atomic_store(&shared, 0);
    atomic_store(&most, 0);
    assert_end(start(text), "Succeeded", "{'c':{}}");
}

static void a_lock_keeps_threads_apart(void **state) {
    (void)state;
    count_with("M");
    assert_true(atomic_load(&most) > 1);
    assert_in_range(atomic_load(&shared), 1, 23); /* some were lost */
    count_with("L");
    assert_int_equal(atomic_load(&most), 1);
    assert_int_equal(atomic_load(&shared), 24);
}

/* --- contexts on several threads --- */

static const uint32_t thread_counts[] = {1, 2, 4};
enum { THREAD_COUNTS = sizeof thread_counts / sizeof *thread_counts };

/* With one input of N. */
static void open_context(weir_run *run, int number, int64_t n) {
    char name[16], json[64];
    weir_value *inputs;
    weir_error error;
    snprintf(name, sizeof name, "c%d", number);
    snprintf(json, sizeof json, "[{\"definition\": \"N\", \"value\": %lld}]", (long long)n);
    assert_true(weir_json_parse(weir_str_from(json), WEIR_STR("t"), &inputs, &error));
    while (!weir_context_open(run, name, inputs, false, &error)) {
        assert_int_equal(error.code, WEIR_LIMIT);
        assert_false(weir_run_wait(run, 0));
    }
    weir_value_unref(inputs);
}

static weir_run *start_counting(void) {
    return start(
        "{'open': true, 'flow': {'definitions': {'N': {}, 'S': {}, 'T': {}}, 'operations': "
        "{'o': {'name': 'count_down', 'inputs': {'n': 'N'}, 'outputs': {'item': 'N'}}, "
        "'get': {'name': 'get_multi', 'stage': 'output', 'inputs': {'spec': 'S'}, "
        "'outputs': {'output': 'T'}}}, 'seed': [{'value': ['N'], 'definition': 'S'}], "
        "'flow': {'o': {'inputs': {'n': ['seed', {'o': 'item'}]}}, "
        "'get': {'inputs': {'spec': ['seed']}}}}}");
}

/* Longer ones than a thread does at once, among many that are short. */
static void long_contexts_are_gone_on_with(void **state) {
    (void)state;
    enum { CONTEXTS = 500, LONG = 51000 };
    for (size_t t = 0; t < THREAD_COUNTS; t++) {
        weir_close(engine);
        open_engine(thread_counts[t]);
        weir_run *run = start_counting();
        for (int i = 0; i < CONTEXTS; i++) open_context(run, i, i % 250 == 249 ? LONG : i % 7);
        weir_run_end(run);
        while (!weir_run_wait(run, 60000)) {
        }
        weir_value *result = weir_run_result(run);
        const weir_value *results = weir_member_named(result, "results");
        assert_int_equal(weir_value_count(results), CONTEXTS);
        for (int i = 0; i < CONTEXTS; i++) {
            char name[16];
            snprintf(name, sizeof name, "c%d", i);
            const weir_value *of = weir_member(results, weir_str_from(name));
            assert_int_equal(weir_value_count(weir_member_named(of, "N")),
                             i % 250 == 249 ? LONG + 1 : i % 7 + 1);
        }
        weir_value_unref(result);
        weir_run_close(run);
    }
}

/* A strict run fails with the context, whichever thread is at it; those after it are not begun. */
static void a_failure_among_many_ends_the_run(void **state) {
    (void)state;
    for (size_t t = 0; t < THREAD_COUNTS; t++) {
        weir_close(engine);
        open_engine(thread_counts[t]);
        weir_run *run = start_counting();
        for (int i = 0; i < 3000; i++) open_context(run, i, i == 1500 ? -1 : 1);
        weir_run_end(run);
        while (!weir_run_wait(run, 60000)) {
        }
        weir_value *result = weir_run_result(run);
        assert_string_equal(weir_member_text(result, "phase").data, "Failed");
        const weir_value *error = weir_member_named(result, "error");
        assert_string_equal(weir_member_text(error, "code").data, "below_zero");
        assert_string_equal(weir_member_text(weir_member_named(error, "where"), "context").data,
                            "c1500");
        weir_value_unref(result);
        weir_run_close(run);
    }
}

/* In the middle of endless contexts: a run is cancelled, or left. */
static void many_are_stopped(void **state) {
    (void)state;
    for (size_t t = 0; t < 4; t++) {
        weir_close(engine);
        open_engine(t / 2 ? 4 : 1);
        weir_run *run =
            start("{'open': true, 'flow': {'definitions': {'N': {}}, 'operations': {'o': {'name': "
                  "'count_down', 'inputs': {'n': 'N'}, 'outputs': {'item': 'N'}}}, 'flow': {'o': "
                  "{'inputs': {'n': ['seed', {'o': 'item'}]}}}}}");
        for (int i = 0; i < 300; i++) open_context(run, i, 1000000000);
        assert_false(weir_run_wait(run, 0));
        if (t % 2 == 0) {
            weir_run_cancel(run, false);
            while (!weir_run_wait(run, 60000)) {
            }
            weir_value *result = weir_run_result(run);
            assert_string_equal(weir_member_text(result, "phase").data, "Failed");
            weir_value_unref(result);
        }
        weir_run_close(run);
    }
}

static void threads_come_to_the_same(void **state) {
    (void)state;
    enum { CONTEXTS = 3000 };
    for (size_t t = 0; t < THREAD_COUNTS; t++) {
        weir_close(engine);
        open_engine(thread_counts[t]);
        weir_run *run =
            start("{'open': true, 'flow': {'definitions': {'N': {}, 'I': {}, 'S': {}, "
                  "'T': {}}, 'operations': {'o': {'name': 'negate', 'inputs': {'n': 'N'}, "
                  "'outputs': {'item': 'I'}}, " COLLECT("get_multi") "}}");
        for (int i = 0; i < CONTEXTS; i++) {
            char name[16], json[128];
            weir_value *inputs;
            weir_error error;
            snprintf(name, sizeof name, "c%d", i);
            snprintf(
                json, sizeof json,
                "[{\"definition\": \"N\", \"value\": %d}, {\"definition\": \"N\", \"value\": 1}]",
                i);
            assert_true(weir_json_parse(weir_str_from(json), WEIR_STR("t"), &inputs, &error));
            assert_true(weir_context_open(run, name, inputs, false, &error));
            weir_value_unref(inputs);
        }
        weir_run_end(run);
        assert_true(weir_run_wait(run, 60000));
        weir_value *result = weir_run_result(run);
        const weir_value *results = weir_member_named(result, "results");
        assert_int_equal(weir_value_count(results), CONTEXTS);
        int64_t sum = 0;
        for (size_t i = 0; i < CONTEXTS; i++) {
            const weir_value *values = weir_member_named(weir_object_at(results, i), "I");
            assert_int_equal(weir_value_count(values), 2);
            assert_int_equal(weir_int_get(weir_array_at(values, 1)), -1);
            sum += weir_int_get(weir_array_at(values, 0));
        }
        assert_int_equal(sum, -(int64_t)CONTEXTS * (CONTEXTS - 1) / 2);
        assert_int_equal(atomic_load(&elsewhere) > 0, thread_counts[t] > 1);
        weir_value_unref(result);
        weir_run_close(run);
    }
}

#define ALONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        ALONE(at_most_so_many_sets_are_under_way),
        ALONE(a_generator_is_cancelled),
        ALONE(an_engine_closes_with_a_generator_at_work),
        ALONE(what_a_generator_yielded_stays),
        ALONE(a_generator_is_not_retried),
        ALONE(asynchronous_operations_complete),
        ALONE(many_are_under_way_at_once),
        ALONE(a_cancel_reaches_asynchronous_operations),
        ALONE(an_engine_closes_with_calls_under_way),
        ALONE(a_lock_keeps_threads_apart),
        ALONE(threads_come_to_the_same),
        ALONE(long_contexts_are_gone_on_with),
        ALONE(a_failure_among_many_ends_the_run),
        ALONE(many_are_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What coordinators and executors share, and the registry of operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/json.h"
#include "task/registry.h"
#include "task/task.h"

static weir_value *parse(const char *json) {
    weir_value *value;
    assert_true(weir_json_parse(weir_str_from(json), WEIR_STR(""), &value, NULL));
    return value;
}

static void attempts_have_names(void **state) {
    (void)state;
    char text[WEIR_ATTEMPT_TEXT];
    weir_attempt_id id = {"01hzzzzzzzzzzzzzzzzz", 4000000000, 12, 3}, other = id;
    assert_string_equal(weir_attempt_format(&id, text), "01hzzzzzzzzzzzzzzzzz/4000000000/12/3");
    id = (weir_attempt_id){"01hzzzzzzzzzzzzzzzzz", UINT32_MAX, UINT32_MAX, UINT32_MAX};
    assert_string_equal(weir_attempt_format(&id, text),
                        "01hzzzzzzzzzzzzzzzzz/4294967295/4294967295/4294967295");
    id = other;
    assert_true(weir_attempt_equal(&id, &other));
    other.member++;
    assert_false(weir_attempt_equal(&id, &other));
    other = id;
    other.number++;
    assert_false(weir_attempt_equal(&id, &other));
    other = id;
    other.task++;
    assert_false(weir_attempt_equal(&id, &other));
    other = id;
    other.run[0] = '1';
    assert_false(weir_attempt_equal(&id, &other));
}

static void outcomes_are_values(void **state) {
    (void)state;
    static const char *const kinds[] = {"succeeded", "failed", "errored", "cancelled", "expired"};
    for (int kind = 0; kind < WEIR_OUTCOME_KINDS; kind++) {
        assert_string_equal(weir_outcome_text((weir_outcome_kind)kind), kinds[kind]);
        weir_outcome outcome = {.kind = (weir_outcome_kind)kind,
                                .outputs = parse("{\"x\": [1, null]}"),
                                .usage = parse("{\"wall_us\": 5}")};
        if (kind) outcome.failure = parse("{\"code\": \"c\", \"message\": \"m\"}");
        weir_value *value = weir_outcome_to_value(&outcome);
        assert_string_equal(weir_member_text(value, "outcome").data, kinds[kind]);
        weir_outcome back = weir_outcome_from_value(value);
        assert_int_equal(back.kind, kind);
        assert_true(weir_value_equal(back.outputs, outcome.outputs));
        assert_true(weir_value_equal(back.usage, outcome.usage));
        assert_int_equal(back.failure != NULL, kind != 0);
        weir_value_unref(value);
        weir_outcome_deinit(&outcome);
        weir_outcome_deinit(&back);
    }
    weir_outcome bare = {0}, back;
    weir_value *value = weir_outcome_to_value(&bare);
    assert_int_equal(weir_value_count(value), 1);
    back = weir_outcome_from_value(value);
    assert_int_equal(back.kind, WEIR_OUTCOME_SUCCEEDED);
    assert_true(!back.outputs && !back.failure && !back.usage);
    weir_value_unref(value);
}

static void a_strange_outcome_is_no_success(void **state) {
    (void)state;
    static const char *const values[] = {"{}", "{\"outcome\": \"nice\"}", "{\"outcome\": 0}", "[]"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        weir_value *value = parse(values[i]);
        weir_outcome outcome = weir_outcome_from_value(value);
        assert_int_not_equal(outcome.kind, WEIR_OUTCOME_SUCCEEDED);
        weir_outcome_deinit(&outcome);
        weir_value_unref(value);
    }
    weir_value *value = parse("{\"outcome\": \"succeeded\", \"outputs\": 3, \"failure\": []}");
    weir_outcome outcome = weir_outcome_from_value(value);
    assert_true(!outcome.outputs && !outcome.failure);
    weir_outcome_deinit(&outcome);
    weir_value_unref(value);
}

static void failures_are_made_from_a_format(void **state) {
    (void)state;
    weir_outcome outcome =
        weir_outcome_failed(WEIR_OUTCOME_ERRORED, "not_found", "no %s in %d", "x", 3);
    assert_int_equal(outcome.kind, WEIR_OUTCOME_ERRORED);
    assert_string_equal(weir_member_text(outcome.failure, "code").data, "not_found");
    assert_string_equal(weir_member_text(outcome.failure, "message").data, "no x in 3");
    weir_outcome_deinit(&outcome);
    assert_null(outcome.failure);
}

static void held_attempts_outlive_the_loan(void **state) {
    (void)state;
    weir_attempt attempt = {.parameters = parse("{\"a\": 1}"), .config = parse("{}")};
    weir_attempt held = weir_attempt_hold(&attempt);
    weir_attempt_drop(&attempt);
    assert_null(attempt.parameters);
    assert_int_equal(weir_int_get(weir_member_named(held.parameters, "a")), 1);
    weir_attempt_drop(&held);
}

/* --- estimates --- */

static void estimates_are_read(void **state) {
    (void)state;
    static const struct {
        const char *json;
        weir_estimate expected;
    } cases[] = {
        {"{\"seconds\": 2.5, \"memory\": \"512M\"}",
         {.wall_us = 2500000, .memory_bytes = 512000000}},
        {"{\"seconds\": \"2m\", \"high\": 300, \"cpu\": \"90\", \"memory\": \"1Gi\"}",
         {120000000, 300000000, 90000000, 1073741824}},
        {"{\"seconds\": 0, \"memory\": 4096}", {.wall_us = 1, .memory_bytes = 4096}},
        {"{\"seconds\": 1e-5}", {.wall_us = 10}},
        {"{}", {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_estimate got, again;
        const char *member;
        weir_value *value = parse(cases[i].json);
        assert_true(weir_estimate_read(value, &got, &member, NULL));
        assert_memory_equal(&got, &cases[i].expected, sizeof got);
        assert_true(weir_estimate_any(&got) == (i < 4));
        weir_value *form = weir_estimate_to_value(&got);
        assert_true(weir_estimate_read(form, &again, &member, NULL));
        assert_memory_equal(&again, &got, sizeof got);
        weir_value_unref(form);
        weir_value_unref(value);
    }
}

static void wrong_estimates_are_refused(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"3", "", "an estimate is a mapping, not integer"},
        {"{\"second\": 1}", "second", "an estimate has no `second`"},
        {"{\"seconds\": \"soon\"}", "seconds", "`soon` is not a duration"},
        {"{\"seconds\": -1}", "seconds", "`-1` is no amount"},
        {"{\"seconds\": 1e300}", "seconds", "`1e+300` is no amount"},
        {"{\"cpu\": \"4000d\"}", "cpu", "it is more than ten years"},
        {"{\"memory\": [1]}", "memory", "an estimate is a number or a text, not array"},
        {"{\"memory\": \"much\"}", "memory", "`much` is not a size"},
        {"{\"high\": 1, \"seconds\": 2}", "high", "`high` is less than `seconds`"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_estimate got = {.cpu_us = 7};
        const char *member;
        weir_error error;
        weir_value *value = parse(cases[i][0]);
        assert_false(weir_estimate_read(value, &got, &member, &error));
        assert_string_equal(member, cases[i][1]);
        assert_string_equal(error.message, cases[i][2]);
        assert_int_equal(got.cpu_us, 7);
        weir_value_unref(value);
    }
}

/* --- registry --- */

static const weir_operation add = {.size = sizeof(weir_operation), .name = "calculator.add"};
static const weir_operation mult = {.size = sizeof(weir_operation), .name = "calculator.mult"};
static const weir_operation nameless = {.size = sizeof(weir_operation), .name = ""};
static const weir_operation short_one = {.size = 8, .name = "short"};

static bool offer(weir_registry *registry, uint32_t abi, uint32_t size,
                  const weir_operation *const *operations, weir_error *e) {
    weir_plugin plugin = {abi, size, "test", "1", operations};
    return weir_registry_add(registry, &plugin, e);
}

static void operations_are_found_by_name(void **state) {
    (void)state;
    weir_registry registry = {0};
    const weir_operation *const both[] = {&add, &mult, NULL}, *const none[] = {NULL};
    assert_true(offer(&registry, WEIR_ABI, sizeof(weir_plugin), both, NULL));
    assert_true(offer(&registry, WEIR_ABI, sizeof(weir_plugin) + 64, none, NULL));
    assert_ptr_equal(weir_registry_find(&registry, WEIR_STR("calculator.add")), &add);
    assert_ptr_equal(weir_registry_find(&registry, WEIR_STR("calculator.mult")), &mult);
    assert_null(weir_registry_find(&registry, WEIR_STR("calculator.ad")));
    assert_null(weir_registry_find(&registry, WEIR_STR("")));
    static const struct {
        const char *wrong, *near;
    } cases[] = {
        {"calculator.ad", "calculator.add"},
        {"calculator.addd", "calculator.add"},
        {"calculator.mul", "calculator.mult"},
        {"calculator.multiply", "calculator.mult"},
        {"x", ""},
        {"download", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(weir_str_is(weir_registry_nearest(&registry, weir_str_from(cases[i].wrong)),
                                cases[i].near));
    weir_registry_deinit(&registry);
}

static void wrong_plugins_are_refused(void **state) {
    (void)state;
    weir_registry registry = {0};
    weir_error e;
    const weir_operation *const one[] = {&add, NULL}, *const unnamed[] = {&nameless, NULL},
                                *const small[] = {&short_one, NULL},
                                *const twice[] = {&mult, &mult, NULL};
    const struct {
        uint32_t abi, size;
        const weir_operation *const *operations;
    } cases[] = {
        {WEIR_ABI + 1, sizeof(weir_plugin), one},
        {0, sizeof(weir_plugin), one},
        {WEIR_ABI, 8, one},
        {WEIR_ABI, sizeof(weir_plugin), NULL},
        {WEIR_ABI, sizeof(weir_plugin), unnamed},
        {WEIR_ABI, sizeof(weir_plugin), small},
        {WEIR_ABI, sizeof(weir_plugin), twice},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_false(offer(&registry, cases[i].abi, cases[i].size, cases[i].operations, &e));
        assert_int_equal(e.code, WEIR_PLUGIN);
    }
    assert_non_null(strstr(e.message, "`calculator.mult`"));
    assert_true(offer(&registry, WEIR_ABI, sizeof(weir_plugin), one, NULL));
    assert_false(offer(&registry, WEIR_ABI, sizeof(weir_plugin), one, &e));
    assert_int_equal(e.code, WEIR_PLUGIN);
    assert_ptr_equal(weir_registry_find(&registry, WEIR_STR("calculator.add")), &add);
    weir_registry_deinit(&registry);
}

static void operations_know_their_executor(void **state) {
    (void)state;
    static const weir_operation of_process = {.size = sizeof of_process, .name = "process.run"},
                                of_run = {.size = sizeof of_run, .name = "weir.run"},
                                own = {.size = sizeof own, .name = "calculator.add"},
                                says = {.size = sizeof says, .name = "a:b", .executor = "python"},
                                older = {.size = offsetof(weir_operation, executor),
                                         .name = "x",
                                         .executor = "not read"};
    assert_string_equal(weir_operation_executor(&of_process), "process");
    assert_string_equal(weir_operation_executor(&of_run), "run");
    assert_string_equal(weir_operation_executor(&own), "inline");
    assert_string_equal(weir_operation_executor(&says), "python");
    assert_string_equal(weir_operation_executor(&older), "inline");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempts_have_names),
        cmocka_unit_test(outcomes_are_values),
        cmocka_unit_test(a_strange_outcome_is_no_success),
        cmocka_unit_test(failures_are_made_from_a_format),
        cmocka_unit_test(held_attempts_outlive_the_loan),
        cmocka_unit_test(estimates_are_read),
        cmocka_unit_test(wrong_estimates_are_refused),
        cmocka_unit_test(operations_are_found_by_name),
        cmocka_unit_test(wrong_plugins_are_refused),
        cmocka_unit_test(operations_know_their_executor),
    };
    return cmocka_run_group_tests_name("task parts", tests, NULL, NULL);
}

/* The standard operations, called as the inline executor calls them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../operations/operations.h"
#include "data/json.h"
#include "executor/inline.h"
#include "task/registry.h"

static weir_registry registry;

static int open_registry(void **state) {
    (void)state;
    for (size_t i = 0; weir_standard_plugins[i]; i++)
        if (!weir_registry_add(&registry, weir_standard_plugins[i](weir_host_get()), NULL))
            return -1;
    return 0;
}

static int close_registry(void **state) {
    (void)state;
    weir_registry_deinit(&registry);
    return 0;
}

static weir_value *parse(const char *json) {
    weir_value *value;
    assert_true(weir_json_parse(weir_str_from(json ? json : "{}"), WEIR_STR(""), &value, NULL));
    return value;
}

/* What a context has, by definition. */
typedef struct given {
    weir_collector base; /* first */
    weir_value *collected;
} given;

static weir_value *get_collected(const weir_collector *collector, const char *definition) {
    return weir_value_ref(weir_member_named(((const given *)collector)->collected, definition));
}

static void call_collecting(const weir_operation *code, weir_attempt *attempt,
                            const char *collected, weir_outcome *outcome) {
    given context = {{get_collected, NULL}, parse(collected)};
    size_t count = weir_value_count(attempt->parameters);
    const char *names[8];
    weir_value *inputs[8];
    for (size_t i = 0; i < count; i++) {
        names[i] = weir_object_key(attempt->parameters, i).data;
        inputs[i] = weir_object_at(attempt->parameters, i);
    }
    weir_shape shape = {.inputs = names, .input_count = (uint32_t)count};
    weir_invocation invocation = {.code = code,
                                  .shape = &shape,
                                  .inputs = inputs,
                                  .config = attempt->config,
                                  .collector = &context.base,
                                  .by_name = true};
    weir_inline_call(&invocation);
    outcome->outputs = invocation.named;
    outcome->failure = invocation.failure;
    weir_value_unref(context.collected);
}

/* The outputs as JSON, or "code: message". */
static void call(const char *operation, const char *parameters, const char *config,
                 const char *collected, weir_buffer *out) {
    weir_task_spec spec = {.operation = weir_str_from(operation),
                           .code = weir_registry_find(&registry, weir_str_from(operation))};
    assert_non_null(spec.code);
    weir_attempt attempt = {
        .spec = &spec, .parameters = parse(parameters), .config = parse(config)};
    weir_outcome outcome = {0};
    if (collected)
        call_collecting(spec.code, &attempt, collected, &outcome);
    else
        weir_inline_attempt(&attempt, &outcome);
    if (outcome.failure)
        weir_buffer_printf(out, "%s: %s", weir_member_text(outcome.failure, "code").data,
                           weir_member_text(outcome.failure, "message").data);
    else if (outcome.outputs)
        weir_json_format(outcome.outputs, 0, out);
    weir_outcome_deinit(&outcome);
    weir_value_unref(attempt.parameters);
    weir_value_unref(attempt.config);
}

static void expect(const char *operation, const char *parameters, const char *config,
                   const char *collected, const char *wanted) {
    weir_buffer out = {0};
    call(operation, parameters, config, collected, &out);
    assert_string_equal(out.data ? out.data : "", wanted);
    weir_buffer_deinit(&out);
}

static void lines_are_read(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"add 40 and 2", "true,false,[40,2]"},
        {"multiply 42 and ten", "false,true,[42]"},
        {"Adding -3.5, minus 4 and +42", "true,false,[-3.5,4,42]"},
        {"forty two hundred point five", "false,false,[]"},
        {"madd x2mult", "false,true,[2]"},
        {"2.5 million 7 5-3 - 4 0.1.2 2e3 1. .5", "false,false,[2.5,7,5,3,4,0.1,2,2,3,1,5]"},
        {"add 9007199254740993 and 1.0", "true,false,[9007199254740992.0,1]"},
        {"", "false,false,[]"},
        {"über 7 ½", "false,false,[7]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_value *parameters = weir_object_new(), *outputs;
        weir_member_put(parameters, "line", weir_string_from(weir_str_from(cases[i][0])));
        weir_buffer json = {0}, out = {0}, found = {0};
        weir_json_format(parameters, 0, &json);
        call("calculator.parse_line", json.data, NULL, NULL, &out);
        outputs = parse(out.data);
        for (size_t j = 0; j < 3; j++) {
            if (j) weir_buffer_byte(&found, ',');
            weir_json_format(weir_object_at(outputs, j), 0, &found);
        }
        assert_string_equal(found.data, cases[i][1]);
        weir_value_unref(parameters);
        weir_value_unref(outputs);
        weir_buffer_deinit(&json);
        weir_buffer_deinit(&out);
        weir_buffer_deinit(&found);
    }
}

static void numbers_are_added_and_multiplied(void **state) {
    (void)state;
    static const char add[] = "calculator.add", mult[] = "calculator.mult";
    expect(add, "{\"numbers\":[40,2]}", NULL, NULL, "{\"sum\":42}");
    expect(add, "{\"numbers\":[]}", NULL, NULL, "{\"sum\":0}");
    expect(add, "{\"numbers\":[1,0.5]}", NULL, NULL, "{\"sum\":1.5}");
    expect(mult, "{\"numbers\":[42,10]}", NULL, NULL, "{\"product\":420}");
    expect(mult, "{\"numbers\":[9223372036854775807,2]}", NULL, NULL,
           "{\"product\":1.8446744073709552e+19}");
    expect(add, "{\"numbers\":[1,\"2\"]}", NULL, NULL,
           "invalid: parameter `numbers`: item 1 must be of type int or float, found string");
    expect(add, NULL, NULL, NULL,
           "invalid: parameter `numbers` must be of type array, found nothing");
    expect("calculator.parse_line", "{\"line\":7}", NULL, NULL,
           "invalid: parameter `line` must be of type string, found int");
}

static void results_are_collected(void **state) {
    (void)state;
    static const char single[] = "get_single", multi[] = "get_multi",
                      values[] = "{\"A\":[1,null],\"B\":[\"x\"]}";
    expect(single, "{\"spec\":[\"A\",\"B\"]}", NULL, values, "{\"A\":null,\"B\":\"x\"}");
    expect(single, "{\"spec\":[{\"new\":\"A\"},\"B\",{\"other\":\"A\"}]}", NULL, values,
           "{\"B\":\"x\",\"other\":null}");
    expect(single, "{\"spec\":[{\"new\":\"A\"},\"B\",{\"other\":\"A\"},{\"new\":\"A\"}]}",
           "{\"each_name\":true}", values, "{\"B\":\"x\",\"new\":null,\"other\":null}");
    expect(multi, "{\"spec\":[\"A\",{\"b\":\"B\"},\"A\"]}", NULL, values,
           "{\"A\":[1,null,1,null],\"b\":[\"x\"]}");
    expect(single, "{\"spec\":[\"A\",\"C\"]}", NULL, values,
           "definition_not_in_context: no value of definition `C` came in this context");
    expect(multi, "{\"spec\":[{\"c\":\"C\"},\"A\"]}", "{\"nostrict\":[\"C\"]}", values,
           "{\"A\":[1,null]}");
    expect(single, "{\"spec\":\"A\"}", NULL, values,
           "invalid: parameter `spec` must be of type array, found string");
    expect(single, "{\"spec\":[1]}", NULL, values,
           "invalid: parameter `spec`: item 0 must be the name of a definition or "
           "{new name: definition}, found int");
    expect(single, "{\"spec\":[{\"a\":[]}]}", NULL, values,
           "invalid: parameter `spec`: the definition of `a` must be of type string, found array");
}

static void counts_are_merged(void **state) {
    (void)state;
    static const char merge[] = "merge_counts",
                      maps[] = "{\"W\":[{\"b\":1,\"a\":1},{},{\"c\":5,\"b\":1}],\"X\":[3],"
                               "\"Y\":[{\"a\":\"1\"}],\"Z\":[{\"a\":9223372036854775807,\"b\":0},"
                               "{\"a\":1}]}";
    expect(merge, "{\"spec\":{\"counts\":\"W\"}}", NULL, maps,
           "{\"counts\":{\"c\":5,\"b\":2,\"a\":1}}");
    expect(merge, "{\"spec\":{\"counts\":\"W\",\"top\":1}}", NULL, maps, "{\"counts\":{\"c\":5}}");
    expect(merge, "{\"spec\":{\"counts\":\"none\"}}", NULL, maps, "{\"counts\":{}}");
    expect(merge, "{\"spec\":{\"counts\":\"X\"}}", NULL, maps,
           "invalid: a value to merge must be of type object, found int");
    expect(merge, "{\"spec\":{\"counts\":\"Y\"}}", NULL, maps,
           "invalid: the count of `a` must be of type int, found string");
    expect(merge, "{\"spec\":{\"counts\":\"Z\"}}", NULL, maps,
           "limit_exceeded: the count of `a` is too large");
    expect(merge, "{\"spec\":{\"top\":1}}", NULL, maps,
           "invalid: parameter `spec`: `counts` must be of type string, found nothing");
    expect(merge, "{\"spec\":{\"counts\":\"W\",\"top\":-1}}", NULL, maps,
           "invalid: parameter `spec`: `top` must be an int from 0, found a negative one");
}

static void put(const char *file, const char *data, size_t length) {
    FILE *stream = fopen(file, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(data, 1, length, stream), length);
    fclose(stream);
}

static void files_are_found_and_read(void **state) {
    (void)state;
    static const char glob[] = "files.glob", read[] = "files.read";
    char directory[] = "/tmp/weir-operations-XXXXXX";
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    assert_int_equal(mkdir("d", 0700) | mkdir("d/sub", 0700) | mkdir("d/.git", 0700), 0);
    put("d/b.md", "b\xc3\xa9", 3);
    put("d/a.txt", "", 0);
    put("d/.hidden.md", "x", 1);
    put("d/.git/x.md", "x", 1);
    put("d/sub/c.md", "\xff", 1);
    assert_int_equal(symlink("../a.txt", "d/sub/link.txt") | symlink("gone", "d/gone.md"), 0);
    expect(glob, "{\"directory\":\"d\"}", NULL, NULL, "{\"paths\":[\"d/a.txt\",\"d/b.md\"]}");
    expect(glob, "{\"directory\":\"d//\"}", "{\"recursive\":true,\"suffixes\":[\".md\"]}", NULL,
           "{\"paths\":[\"d/b.md\",\"d/sub/c.md\"]}");
    expect(glob, "{\"directory\":\"d\"}",
           "{\"recursive\":true,\"suffixes\":[\".no\"],\"patterns\":[\"[al]*.txt\"]}", NULL,
           "{\"paths\":[\"d/a.txt\",\"d/sub/link.txt\"]}");
    assert_int_equal(symlink("..", "d/sub/up"), 0);
    expect(glob, "{\"directory\":\"d\"}", "{\"recursive\":true}", NULL,
           "invalid: d/sub/up: a symbolic link leads back to d");
    expect(glob, "{\"directory\":\"none\"}", NULL, NULL,
           "not_found: none: No such file or directory");
    expect(glob, "{\"directory\":\"d\"}", "{\"patterns\":[1]}", NULL,
           "invalid: config `patterns`: item 0 must be of type string, found int");
    expect(read, "{\"path\":\"d/b.md\"}", NULL, NULL, "{\"text\":\"b\xc3\xa9\"}");
    expect(read, "{\"path\":\"d/a.txt\"}", NULL, NULL, "{\"text\":\"\"}");
    expect(read, "{\"path\":\"d/sub/c.md\"}", NULL, NULL,
           "invalid: d/sub/c.md: not a text in UTF-8");
    expect(read, "{\"path\":\"d\"}", NULL, NULL, "invalid: d: not a file");
    expect(read, "{\"path\":\"d/none\"}", NULL, NULL,
           "not_found: d/none: No such file or directory");
    expect(read, NULL, NULL, NULL,
           "invalid: parameter `path` must be of type string, found nothing");
    put("large", "", 0);
    assert_int_equal(truncate("large", 64 * 1024 * 1024 + 1), 0);
    expect(read, "{\"path\":\"large\"}", NULL, NULL,
           "limit_exceeded: large: larger than 67108864 bytes");
    static const char *const made[] = {
        "d/sub/up",     "d/sub/link.txt", "d/sub/c.md", "d/sub",  "d/.git/x.md", "d/.git",
        "d/.hidden.md", "d/gone.md",      "d/a.txt",    "d/b.md", "d",           "large"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) assert_int_equal(remove(made[i]), 0);
    assert_int_equal(chdir("/") | rmdir(directory), 0);
}

static void executors_do_the_rest(void **state) {
    (void)state;
    expect("process.run", NULL, NULL, NULL,
           "not_supported: operation `process.run` cannot run in this process");
    expect("weir.run", NULL, NULL, NULL,
           "not_supported: operation `weir.run` cannot run in this process");
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read),
        cmocka_unit_test(numbers_are_added_and_multiplied),
        cmocka_unit_test(results_are_collected),
        cmocka_unit_test(counts_are_merged),
        cmocka_unit_test(files_are_found_and_read),
        cmocka_unit_test(executors_do_the_rest),
    };
    return cmocka_run_group_tests(tests, open_registry, close_registry);
}

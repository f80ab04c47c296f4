/* The plugins of the guide (examples/embed/plugin), called through a host of the test's own. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_host.h"

#include "base/time.h"
#include "data/json.h"

static char folder[] = "/tmp/weir-plugin-XXXXXX";

/* An operation of a plugin that the build made beside this program. */
static const weir_operation *find(const char *file, const char *name) {
    static weir_host host; /* plugins keep it */
    char path[4200];
    ssize_t length = readlink("/proc/self/exe", path, 4096);
    assert_true(length > 0);
    while (path[length - 1] != '/') length--;
    snprintf(path + length, sizeof path - (size_t)length, "%s", file);
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object) fail_msg("%s", dlerror());
    void *symbol = dlsym(object, "weir_plugin_open");
    weir_plugin_open_function *open_plugin;
    memcpy(&open_plugin, &symbol, sizeof open_plugin);
    host = fake_host();
    host.abi = WEIR_ABI + 1;
    assert_null(open_plugin(&host));
    host.abi = WEIR_ABI;
    const weir_plugin *plugin = open_plugin(&host);
    assert_non_null(plugin);
    assert_int_equal(plugin->size, sizeof(weir_plugin));
    const weir_operation *const *found = plugin->operations;
    while (*found && strcmp((*found)->name, name) != 0) found++;
    assert_non_null(*found);
    return *found;
}

static weir_value *parse(const char *json) {
    weir_value *value;
    assert_true(weir_json_parse(weir_str_from(json), WEIR_STR(""), &value, NULL));
    return value;
}

static void expect_json(const weir_value *value, const char *wanted) {
    weir_buffer json = {0};
    weir_json_format(value, 0, &json);
    assert_string_equal(json.data, wanted);
    weir_buffer_deinit(&json);
}

static int set_up(void **state) {
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    return chdir("/") | rmdir(folder);
}

static void shouting(void **state) {
    (void)state;
    static const struct {
        const char *parameters, *outputs, *failure;
    } cases[] = {
        {"{\"text\":\"hello, 42\"}", "{\"loud\":\"HELLO, 42\"}", ""},
        {"{\"text\":\"\"}", "{\"loud\":\"\"}", ""},
        {"{\"text\":7}", "{}", "parameter `text` must be a string"},
        {"{}", "{}", "parameter `text` must be a string"},
    };
    const weir_operation *shout = find("shout.so", "text.shout");
    const weir_host host = fake_host();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_call call = fake_call_init(parse(cases[i].parameters));
        assert_int_equal(shout->run(&host, &call), !*cases[i].failure);
        assert_string_equal(call.failure, cases[i].failure);
        expect_json(call.outputs, cases[i].outputs);
        fake_call_deinit(&call);
    }
}

static void put(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void waiting_for_a_line(void **state) {
    (void)state;
    const weir_operation *wait = find("kinds.so", "text.wait_for_line");
    const weir_host host = fake_host();
    put("there", "first\nsecond\n");
    weir_call call = fake_call_init(parse("{\"path\":\"there\"}"));
    assert_true(wait->run(&host, &call));
    expect_json(call.outputs, "{\"line\":\"first\"}");
    assert_string_equal(call.said, "there came");
    assert_string_equal(call.metric, "length=5 bytes");
    fake_call_deinit(&call);
    put("there", "");
    call = fake_call_init(parse("{\"path\":\"there\"}"));
    assert_false(wait->run(&host, &call));
    assert_string_equal(call.failure, "there is empty");
    fake_call_deinit(&call);
    call = fake_call_init(parse("{\"path\":\"there/below\"}"));
    assert_false(wait->run(&host, &call));
    assert_string_equal(call.code, "io");
    fake_call_deinit(&call);
    assert_int_equal(remove("there"), 0);
    call = fake_call_init(parse("{\"path\":\"there\"}"));
    call.looks_left = 3;
    assert_false(wait->run(&host, &call));
    assert_string_equal(call.failure, "");
    call.looks_left = UINT32_MAX;
    call.deadline_us = weir_clock_us() + 100000;
    assert_false(wait->run(&host, &call));
    assert_string_equal(call.failure, "there did not come in time");
    assert_true(weir_clock_us() < call.deadline_us);
    fake_call_deinit(&call);
}

static void words_one_by_one(void **state) {
    (void)state;
    const weir_operation *words = find("kinds.so", "text.words");
    const weir_host host = fake_host();
    weir_call call = fake_call_init(parse("{\"text\":\"  to be\\nor \"}"));
    assert_int_equal(words->hints & WEIR_GENERATOR, WEIR_GENERATOR);
    assert_true(words->run(&host, &call));
    expect_json(call.sets, "[{\"word\":\"to\"},{\"word\":\"be\"},{\"word\":\"or\"}]");
    expect_json(call.outputs, "{}");
    fake_call_deinit(&call);
    call = fake_call_init(parse("{\"text\":\"to be or\"}"));
    call.sets_max = 2;
    assert_false(words->run(&host, &call));
    assert_int_equal(weir_value_count(call.sets), 2);
    fake_call_deinit(&call);
}

static void wait_until_completed(weir_call *call, int how) {
    for (int i = 0; i < 5000 && !call->completed; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(call->completed, how);
}

static void something_later(void **state) {
    (void)state;
    const weir_operation *later = find("kinds.so", "text.later");
    const weir_host host = fake_host();
    assert_int_equal(later->hints, WEIR_ASYNC);
    weir_call call = fake_call_init(parse("{\"ms\":30}"));
    assert_true(later->run(&host, &call));
    wait_until_completed(&call, 1);
    expect_json(call.outputs, "{\"done\":true}");
    fake_call_deinit(&call);
    call = fake_call_init(parse("{\"ms\":100000}"));
    call.looks_left = 3;
    assert_true(later->run(&host, &call));
    wait_until_completed(&call, 2);
    expect_json(call.outputs, "{}");
    fake_call_deinit(&call);
    call = fake_call_init(parse("{\"ms\":\"soon\"}"));
    assert_false(later->run(&host, &call));
    assert_int_equal(call.completed, 0);
    fake_call_deinit(&call);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(shouting),
        cmocka_unit_test(waiting_for_a_line),
        cmocka_unit_test(words_one_by_one),
        cmocka_unit_test(something_later),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* Calls of the standard operations through a host of the test's own: every function that an operation may ask, on one
 * thread, with chance that counts up. What an operation gives is compared as JSON. */
#ifndef WEIR_TESTS_OPERATION_CALL_H
#define WEIR_TESTS_OPERATION_CALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../operations/operations.h"
#include "base/memory.h"
#include "data/json.h"
#include "executor/inline.h"
#include "executor/module.h"

struct weir_call {
    weir_value *parameters, *config, *collected, *outputs, *ancestors;
    char failure[1200];
    bool failed;
    _Atomic bool cancelled;
    uint64_t now_us, drawn;
    weir_arena arena;
    const weir_operation *operation;
    _Atomic int completed; /* 1: succeeded, -1: failed */
};

static weir_value *fake_parameter(const weir_call *call, const char *name) {
    return weir_member_named(call->parameters, name);
}

static weir_value *fake_config(const weir_call *call, const char *name) {
    return weir_member_named(call->config, name);
}

static weir_value *fake_collected(const weir_call *call, const char *definition) {
    return weir_member_named(call->collected, definition);
}

/* {"definition<ancestor": [[place, …], …]} */
static weir_value *fake_ancestors(weir_call *call, const char *definition, const char *ancestor) {
    char name[200];
    snprintf(name, sizeof name, "%s<%s", definition, ancestor);
    return weir_member_named(call->ancestors, name);
}

static void fake_output(weir_call *call, const char *name, weir_value *value) {
    weir_member_put(call->outputs, name, value);
}

static bool fake_fail(weir_call *call, const char *code, const char *format, ...) WEIR_PRINTF(3, 4);
static bool fake_fail(weir_call *call, const char *code, const char *format, ...) {
    va_list arguments;
    int length = snprintf(call->failure, sizeof call->failure, "%s: ", code ? code : "-");
    va_start(arguments, format);
    vsnprintf(call->failure + length, sizeof call->failure - (size_t)length, format, arguments);
    va_end(arguments);
    call->failed = true;
    return false;
}

static bool fake_cancelled(const weir_call *call) {
    return call->cancelled;
}

static void *fake_alloc(weir_call *call, size_t size) {
    return weir_arena_alloc(&call->arena, size);
}

static weir_value *fake_parameters(weir_call *call) {
    return call->parameters;
}

static uint64_t fake_now(const weir_call *call) {
    return call->now_us;
}

static void fake_random(weir_call *call, void *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        call->drawn = call->drawn * 6364136223846793005u + 1442695040888963407u;
        ((unsigned char *)bytes)[i] = (unsigned char)(call->drawn >> 33);
    }
}

static void fake_complete(weir_call *call, bool succeeded) {
    call->completed = succeeded ? 1 : -1;
}

/* Values are made as everywhere. */
static const weir_host *fake_host(void) {
    static weir_host host;
    if (host.abi) return &host;
    host = *weir_host_get();
    host.parameter = fake_parameter;
    host.config = fake_config;
    host.collected = fake_collected;
    host.ancestors = fake_ancestors;
    host.output = fake_output;
    host.fail = fake_fail;
    host.cancelled = fake_cancelled;
    host.alloc = fake_alloc;
    host.parameters = fake_parameters;
    host.now = fake_now;
    host.random = fake_random;
    host.complete = fake_complete;
    return &host;
}

static const weir_operation *find_operation(const char *name) {
    for (size_t i = 0; weir_standard_plugins[i]; i++) {
        const weir_plugin *plugin = weir_standard_plugins[i](fake_host());
        assert_non_null(plugin);
        for (const weir_operation *const *at = plugin->operations; *at; at++)
            if (strcmp((*at)->name, name) == 0) return *at;
    }
    fail_msg("there is no operation %s", name);
    return NULL;
}

static weir_value *from_json(const char *json) {
    weir_value *value = NULL;
    weir_error error;
    if (!json) json = "{}";
    if (!weir_json_parse(weir_str_from(json), WEIR_STR(""), &value, &error))
        fail_msg("%s: %s", json, error.message);
    return value;
}

static void open_call(weir_call *call, const char *name, weir_value *parameters,
                      weir_value *config) {
    *call = (weir_call){.parameters = parameters, .config = config, .now_us = 1795242600125000};
    call->outputs = weir_object_new();
    call->operation = find_operation(name);
}

/* The code may be in a module, beside the tests. */
static bool run_call(weir_call *call) {
    bool (*run)(const weir_host *host, weir_call *call) = call->operation->run;
    weir_error error;
    if (call->operation->module && !weir_module_function(call->operation, &run, &error))
        fail_msg("%s", error.message);
    return run(fake_host(), call);
}

static void close_call(weir_call *call) {
    weir_value_unref(call->parameters);
    weir_value_unref(call->config);
    weir_value_unref(call->collected);
    weir_value_unref(call->ancestors);
    weir_value_unref(call->outputs);
    weir_arena_deinit(&call->arena);
}

/* How many answers were wrong; a test ends by saying that none was. */
static int wrong;

static inline void expect_none_wrong(void) {
    int count = wrong;
    wrong = 0;
    assert_int_equal(count, 0);
}

/* Whether the text is the one wanted; one that ends in "…" only has to begin so. */
static void check_text(const char *name, const char *found, const char *wanted) {
    static const char more[] = "…";
    size_t length = strlen(wanted), ends = sizeof more - 1;
    bool begins = length > ends && strcmp(wanted + length - ends, more) == 0;
    if (begins ? strncmp(found, wanted, length - ends) == 0 : strcmp(found, wanted) == 0) return;
    print_error("%s gave\n  %.600s\ninstead of\n  %s\n", name, found, wanted);
    wrong++;
}

/* The outputs as JSON, or "code: message", are `wanted`. */
static void check_call(weir_call *call, bool succeeded, const char *wanted) {
    weir_buffer found = {0};
    if (succeeded)
        weir_json_format(call->outputs, 0, &found);
    else
        weir_buffer_text(&found, call->failure);
    check_text(call->operation->name, found.data ? found.data : "", wanted);
    wrong += succeeded == call->failed;
    weir_buffer_deinit(&found);
}

static inline void expect_call(const char *name, weir_value *parameters, const char *config,
                               const char *wanted) {
    weir_call call;
    open_call(&call, name, parameters, from_json(config));
    bool succeeded = run_call(&call);
    check_call(&call, succeeded, wanted);
    close_call(&call);
    expect_none_wrong();
}

/* A case: parameters and configuration as JSON, and what comes of it. */
typedef struct operation_case {
    const char *name, *parameters, *config, *wanted;
} operation_case;

static inline void expect_calls(const operation_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        weir_call call;
        open_call(&call, cases[i].name, from_json(cases[i].parameters), from_json(cases[i].config));
        bool succeeded = run_call(&call);
        check_call(&call, succeeded, cases[i].wanted);
        close_call(&call);
    }
    expect_none_wrong();
}

#define EXPECT_CALLS(cases) expect_calls(cases, sizeof(cases) / sizeof *(cases))

#endif

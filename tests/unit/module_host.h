/* A host for operations that are called without an engine: parameters and configuration as JSON in, outputs as values or a
 * failure's text out. A call may be completed from any thread; `fake_wait` waits for it. Include it in one file of a
 * program. */
#ifndef WEIR_TESTS_MODULE_HOST_H
#define WEIR_TESTS_MODULE_HOST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "data/json.h"
#include "executor/inline.h"
#include "executor/module.h"

struct weir_call {
    const weir_operation *operation;
    weir_value *parameters, *config, *outputs;
    char failure[1200]; /* "code: message" */
    weir_arena arena;
    atomic_bool cancelled;
    uint64_t deadline_us, seed;
    int warnings;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int completions;
    bool succeeded;
};

static inline weir_value *fake_parse(const char *json) {
    weir_value *value = NULL;
    weir_error problem;
    if (!json) json = "{}";
    if (!weir_json_parse(weir_str_from(json), WEIR_STR(""), &value, &problem)) {
        fprintf(stderr, "%s\n%s\n", problem.message, json);
        abort();
    }
    return value;
}

/* --- the host --- */

static weir_value *fake_parameter(const weir_call *call, const char *name) {
    return weir_member_named(call->parameters, name);
}

static weir_value *fake_config(const weir_call *call, const char *name) {
    return weir_member_named(call->config, name);
}

static weir_value *fake_parameters(weir_call *call) {
    return call->parameters;
}

static void fake_output(weir_call *call, const char *name, weir_value *value) {
    weir_member_put(call->outputs, name, value);
}

WEIR_PRINTF(3, 4)
static bool fake_fail(weir_call *call, const char *code, const char *format, ...) {
    char message[1100];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    snprintf(call->failure, sizeof call->failure, "%.80s: %.1100s", code, message);
    return false;
}

WEIR_PRINTF(3, 4)
static void fake_log(weir_call *call, weir_level level, const char *format, ...) {
    (void)format;
    call->warnings += level == WEIR_WARNING;
}

static bool fake_cancelled(const weir_call *call) {
    return atomic_load(&call->cancelled);
}

static uint64_t fake_deadline(const weir_call *call) {
    return call->deadline_us;
}

static void *fake_alloc(weir_call *call, size_t size) {
    return weir_arena_alloc(&call->arena, size);
}

static void fake_random(weir_call *call, void *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        call->seed = call->seed * 6364136223846793005u + 1442695040888963407u;
        ((unsigned char *)bytes)[i] = (unsigned char)(call->seed >> 56);
    }
}

static void fake_complete(weir_call *call, bool succeeded) {
    pthread_mutex_lock(&call->lock);
    call->completions++;
    call->succeeded = succeeded;
    pthread_cond_signal(&call->ended);
    pthread_mutex_unlock(&call->lock);
}

static const weir_operation *fake_operation(const weir_call *call) {
    return call->operation;
}

static const weir_host *fake_host(void) {
    static weir_host host;
    if (host.abi) return &host;
    host = *weir_host_get();
    host.parameter = fake_parameter;
    host.config = fake_config;
    host.parameters = fake_parameters;
    host.output = fake_output;
    host.fail = fake_fail;
    host.log = fake_log;
    host.cancelled = fake_cancelled;
    host.deadline = fake_deadline;
    host.alloc = fake_alloc;
    host.random = fake_random;
    host.complete = fake_complete;
    host.operation = fake_operation;
    return &host;
}

/* --- calls --- */

static const weir_operation *fake_find(const weir_plugin *plugin, const char *name) {
    for (const weir_operation *const *at = plugin->operations; *at; at++)
        if (strcmp((*at)->name, name) == 0) return *at;
    fprintf(stderr, "no operation %s\n", name);
    abort();
}

/* Begins a call; takes parameters and configuration over. */
static void fake_begin(weir_call *call, const weir_operation *operation, weir_value *parameters,
                       weir_value *config) {
    bool (*run)(const weir_host *host, weir_call *call) = operation->run;
    weir_error problem;
    call->operation = operation;
    call->parameters = parameters;
    call->config = config;
    call->outputs = weir_object_new();
    pthread_mutex_init(&call->lock, NULL);
    pthread_cond_init(&call->ended, NULL);
    if (operation->module && !weir_module_function(operation, &run, &problem)) {
        fprintf(stderr, "%s\n", problem.message);
        abort();
    }
    bool ok = run(fake_host(), call);
    if (!(operation->hints & WEIR_ASYNC) || !ok) fake_complete(call, ok);
}

/* Until the call is completed; whether it succeeded. */
static inline bool fake_wait(weir_call *call) {
    pthread_mutex_lock(&call->lock);
    while (!call->completions) pthread_cond_wait(&call->ended, &call->lock);
    pthread_mutex_unlock(&call->lock);
    return call->succeeded;
}

static void fake_end(weir_call *call) {
    weir_value_unref(call->parameters);
    weir_value_unref(call->config);
    weir_value_unref(call->outputs);
    weir_arena_deinit(&call->arena);
    pthread_mutex_destroy(&call->lock);
    pthread_cond_destroy(&call->ended);
}

#endif

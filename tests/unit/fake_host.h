/* A host of the test's own, for operations that are called without weir: it counts what they ask and keeps what they
 * say. Include it in one file of a program. One call at a time; `complete` and `cancelled` may come from another thread. */
#ifndef WEIR_TESTS_FAKE_HOST_H
#define WEIR_TESTS_FAKE_HOST_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "executor/inline.h"

struct weir_call {
    weir_value *parameters, *outputs, *sets; /* sets: what was emitted */
    weir_arena arena;
    atomic_uint looks_left; /* until it is cancelled */
    unsigned sets_max;      /* then emitting says that it is cancelled; 0: never */
    uint64_t deadline_us;
    char code[64], failure[512], said[512], metric[128];
    atomic_int completed; /* 0: not, 1: it succeeded, 2: it failed */
};

static weir_value *fake_parameter(const weir_call *call, const char *name) {
    return weir_object_get(call->parameters, name, strlen(name));
}

static weir_value *fake_config(const weir_call *call, const char *name) {
    (void)call;
    (void)name;
    return NULL;
}

static void fake_output(weir_call *call, const char *name, weir_value *value) {
    weir_object_set(call->outputs, name, strlen(name), value);
}

static bool fake_fail(weir_call *call, const char *code, const char *format, ...) {
    va_list arguments;
    snprintf(call->code, sizeof call->code, "%s", code ? code : "operation_failed");
    va_start(arguments, format);
    vsnprintf(call->failure, sizeof call->failure, format, arguments);
    va_end(arguments);
    return false;
}

static void fake_log(weir_call *call, weir_level level, const char *format, ...) {
    va_list arguments;
    (void)level;
    va_start(arguments, format);
    vsnprintf(call->said, sizeof call->said, format, arguments);
    va_end(arguments);
}

static void fake_report(weir_call *call, const char *name, double value, const char *unit) {
    snprintf(call->metric, sizeof call->metric, "%s=%g %s", name, value, unit);
}

static bool fake_cancelled(const weir_call *call) {
    weir_call *counted = (weir_call *)(uintptr_t)call;
    if (counted->looks_left) counted->looks_left--;
    return !counted->looks_left;
}

static uint64_t fake_deadline(const weir_call *call) {
    return call->deadline_us;
}

static void *fake_alloc(weir_call *call, size_t size) {
    return weir_arena_alloc(&call->arena, size);
}

static weir_emit fake_emit(weir_call *call) {
    weir_array_append(call->sets, call->outputs);
    call->outputs = weir_object_new();
    return weir_value_count(call->sets) == call->sets_max ? WEIR_EMIT_CANCELLED : WEIR_EMIT_OK;
}

static void fake_complete(weir_call *call, bool succeeded) {
    call->completed = succeeded ? 1 : 2;
}

static weir_host fake_host(void) {
    weir_host host = *weir_host_get();
    host.parameter = fake_parameter;
    host.config = fake_config;
    host.output = fake_output;
    host.fail = fake_fail;
    host.log = fake_log;
    host.report = fake_report;
    host.cancelled = fake_cancelled;
    host.deadline = fake_deadline;
    host.alloc = fake_alloc;
    host.emit = fake_emit;
    host.complete = fake_complete;
    return host;
}

/* Never cancelled, unless `looks_left` is set. The parameters are taken over. */
static weir_call fake_call_init(weir_value *parameters) {
    return (weir_call){.parameters = parameters,
                       .outputs = weir_object_new(),
                       .sets = weir_array_new(),
                       .looks_left = UINT32_MAX};
}

static void fake_call_deinit(weir_call *call) {
    weir_value_unref(call->parameters);
    weir_value_unref(call->outputs);
    weir_value_unref(call->sets);
    weir_arena_deinit(&call->arena);
}

#endif

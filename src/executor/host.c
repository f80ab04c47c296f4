#include "executor/host.h"

#include "executor/module.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

struct weir_call {
    const weir_attempt *attempt;
    uint64_t now_us, random_state;
    weir_reporter *reporter;
    weir_log *log;
    const atomic_bool *cancelled;
    weir_value *outputs, *failure, *metrics;
    weir_arena arena;
};

static weir_value *get_parameter(const weir_call *call, const char *name) {
    return weir_member_named(call->attempt->parameters, name);
}

static weir_value *get_config(const weir_call *call, const char *name) {
    return weir_member_named(call->attempt->config, name);
}

static weir_value *get_collected(const weir_call *call, const char *definition) {
    return weir_member_named(call->attempt->collected, definition);
}

static void put_output(weir_call *call, const char *name, weir_value *value) {
    if (!call->outputs) call->outputs = weir_object_new();
    weir_member_put(call->outputs, name, value);
}

static bool fail(weir_call *call, const char *code, const char *format, ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    weir_value_unref(call->failure);
    call->failure = weir_object_new();
    if (!code) code = weir_code_text(WEIR_OPERATION_FAILED);
    weir_member_put(call->failure, "code", weir_string_from(weir_str_from(code)));
    weir_member_put(call->failure, "message", weir__text_new(weir_str_from(message)));
    return false;
}

static weir_value *new_metric(weir_str name, double value, weir_str unit) {
    weir_value *metric = weir_object_new();
    weir_member_put(metric, "name", weir_string_from(name));
    weir_member_put(metric, "value", weir_float_new(value));
    weir_member_put(metric, "unit", weir_string_from(unit));
    return metric;
}

static void report_metric(weir_call *call, const char *name, double value, const char *unit) {
    weir_str name_text = weir_str_from(name), unit_text = weir_str_from(unit ? unit : "");
    if (call->reporter) {
        weir__report_metric(call->reporter, call->attempt, name_text, value, unit_text);
        return;
    }
    if (!call->metrics) call->metrics = weir_array_new();
    weir_array_append(call->metrics, new_metric(name_text, value, unit_text));
}

static void write_log(weir_call *call, weir_level level, const char *format, ...) {
    static const char *const prefixes[] = {"debug: ", "", "warning: ", "error: "};
    if (!call->log) return;
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    weir_buffer line = {0};
    weir_buffer_printf(&line, "%s%s\n", prefixes[level], text);
    weir_log_write(call->log, false, weir_buffer_str(&line));
    weir_buffer_deinit(&line);
}

static bool is_cancelled(const weir_call *call) {
    return call->cancelled && atomic_load_explicit(call->cancelled, memory_order_relaxed);
}

static uint64_t get_deadline(const weir_call *call) {
    return call->attempt->deadline_us;
}

static void *alloc(weir_call *call, size_t size) {
    return weir_arena_alloc(&call->arena, size);
}

static weir_value *get_input(const weir_call *call, size_t place) {
    return get_parameter(call, call->attempt->spec->code->inputs[place].name);
}

static void give_output(weir_call *call, size_t place, weir_value *value) {
    put_output(call, call->attempt->spec->code->outputs[place].name, value);
}

static weir_value *get_parameters(weir_call *call) {
    return call->attempt->parameters;
}

static uint64_t get_now(const weir_call *call) {
    return call->now_us;
}

static const weir_operation *get_operation(const weir_call *call) {
    return call->attempt->spec->code;
}

const weir_host *weir_host_get(void) {
    static const weir_host host = {
        .abi = WEIR_ABI,
        .size = sizeof(weir_host),
        .value_ref = weir_value_ref,
        .value_unref = weir_value_unref,
        .null_new = weir_null_new,
        .bool_new = weir_bool_new,
        .int_new = weir_int_new,
        .float_new = weir_float_new,
        .string_new = weir_string_new,
        .array_new = weir_array_new,
        .object_new = weir_object_new,
        .array_append = weir_array_append,
        .object_set = weir_object_set,
        .value_type = weir_value_type,
        .bool_get = weir_bool_get,
        .int_get = weir_int_get,
        .number_get = weir_number_get,
        .string_get = weir_string_get,
        .value_count = weir_value_count,
        .array_at = weir_array_at,
        .object_key = weir_object_key,
        .object_at = weir_object_at,
        .object_get = weir_object_get,
        .value_equal = weir_value_equal,
        .value_truth = weir_value_truth,
        .parameter = get_parameter,
        .config = get_config,
        .collected = get_collected,
        .output = put_output,
        .fail = fail,
        .report = report_metric,
        .log = write_log,
        .cancelled = is_cancelled,
        .deadline = get_deadline,
        .alloc = alloc,
        .input = get_input,
        .give = give_output,
        .parameters = get_parameters,
        .now = get_now,
        .operation = get_operation,
    };
    return &host;
}

static uint64_t thread_cpu_us(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static bool run_operation(weir_call *call) {
    const weir_operation *code = call->attempt->spec->code;
    bool (*run)(const weir_host *host, weir_call *call) = code->run;
    weir_error error;
    if (code->module && !weir_module_function(code, &run, &error))
        return fail(call, weir_code_text(error.code), "%s", error.message);
    weir__crash_watch(code->name);
    bool succeeded = run(weir_host_get(), call);
    weir__crash_watch(NULL);
    return succeeded;
}

/* What the call left behind becomes the outcome, but for usage. */
static void conclude(weir_call *call, bool succeeded, weir_outcome *outcome) {
    if (is_cancelled(call)) {
        *outcome = weir_outcome_failed(WEIR_OUTCOME_CANCELLED, weir_code_text(WEIR_CANCELLED),
                                       "it was told to end");
    } else if (succeeded) {
        *outcome = (weir_outcome){.kind = WEIR_OUTCOME_SUCCEEDED, .outputs = call->outputs};
        call->outputs = NULL;
    } else {
        if (!call->failure)
            fail(call, NULL, "operation `%s` failed without saying why",
                 call->attempt->spec->code->name);
        *outcome = (weir_outcome){.kind = WEIR_OUTCOME_FAILED, .failure = call->failure};
        call->failure = NULL;
    }
    weir_value_unref(call->outputs);
    weir_value_unref(call->failure);
    weir_arena_deinit(&call->arena);
}

static bool can_run(const weir_attempt *attempt, weir_outcome *outcome) {
    const weir_task_spec *spec = attempt->spec;
    if (spec->code && (spec->code->run || spec->code->module)) return true;
    *outcome = weir_outcome_failed(WEIR_OUTCOME_ERRORED, weir_code_text(WEIR_UNSUPPORTED),
                                   "operation `%.*s` cannot run in this process",
                                   WEIR_ARG(spec->operation));
    return false;
}

void weir__host_run(const weir_attempt *attempt, weir_reporter *reporter, weir_log *log,
                    const atomic_bool *cancelled, weir_outcome *outcome) {
    if (!can_run(attempt, outcome)) return;
    weir_call call = {.attempt = attempt, .reporter = reporter, .log = log, .cancelled = cancelled};
    if (is_cancelled(&call)) {
        conclude(&call, false, outcome);
        return;
    }
    weir__report_started(reporter, attempt, 0);
    uint64_t wall_us = weir_clock_steady_us(), cpu_us = thread_cpu_us();
    bool succeeded = run_operation(&call);
    cpu_us = thread_cpu_us() - cpu_us;
    wall_us = weir_clock_steady_us() - wall_us;
    conclude(&call, succeeded, outcome);
    outcome->usage = weir_object_new();
    weir_member_put(outcome->usage, "wall_us", weir_int_new((int64_t)wall_us));
    weir_member_put(outcome->usage, "cpu_us", weir_int_new((int64_t)cpu_us));
}

void weir_inline_call(const weir_attempt *attempt, weir_outcome *outcome) {
    if (!can_run(attempt, outcome)) return;
    weir_call call = {.attempt = attempt};
    conclude(&call, run_operation(&call), outcome);
    if (!call.metrics) return;
    outcome->usage = weir_object_new();
    weir_member_put(outcome->usage, "metrics", call.metrics);
}

static void report(weir_reporter *reporter, const weir_attempt *attempt, weir_report_kind kind,
                   weir_value *data) {
    reporter->report(reporter, &(weir_report){.attempt = attempt->id, .kind = kind, .data = data});
}

void weir__report_started(weir_reporter *reporter, const weir_attempt *attempt, pid_t pid) {
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    weir_value *data = weir_object_new();
    weir_member_put(data, "host", weir_string_from(weir_str_from(host)));
    if (pid) weir_member_put(data, "pid", weir_int_new(pid));
    report(reporter, attempt, WEIR_REPORT_STARTED, data);
    if (attempt->spec->kind == WEIR_TASK_SERVICE)
        report(reporter, attempt, WEIR_REPORT_READY, NULL);
}

void weir__report_finished(weir_reporter *reporter, const weir_attempt *attempt,
                           const weir_outcome *outcome) {
    reporter->report(
        reporter,
        &(weir_report){.attempt = attempt->id, .kind = WEIR_REPORT_FINISHED, .outcome = *outcome});
}

void weir__report_metric(weir_reporter *reporter, const weir_attempt *attempt, weir_str name,
                         double value, weir_str unit) {
    report(reporter, attempt, WEIR_REPORT_METRIC, new_metric(name, value, unit));
}

weir_value *weir__text_new(weir_str bytes) {
    weir_buffer text = {0};
    for (size_t at = 0, good; at < bytes.length;) {
        for (good = at; good < bytes.length;) {
            size_t length = weir_utf8_length(weir_str_slice(bytes, good, bytes.length));
            if (!length || !bytes.data[good]) break; /* JSON text cannot carry a NUL here */
            good += length;
        }
        weir_buffer_str_append(&text, weir_str_slice(bytes, at, good));
        if (good < bytes.length) weir_buffer_text(&text, "\xef\xbf\xbd");
        at = good + 1;
    }
    weir_value *value = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return value;
}

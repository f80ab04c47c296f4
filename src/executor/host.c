#include "executor/host.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/map.h"
#include "data/json.h"
#include "executor/module.h"
#include "task/registry.h"

/* A call is made for an invocation, whose values go by place, or for an attempt, whose values go by name. */
struct weir_call {
    const weir_operation *code;
    weir_invocation *invocation; /* NULL: */
    const weir_attempt *attempt; /* an attempt's */
    const weir_attempt_hooks *hooks;
    weir_log *log; /* NULL: nothing was written yet */
    weir_value *outputs, *failure, *metrics;
    weir_value *held; /* array of what the operation borrows; NULL: nothing */
    uint64_t random_state;
    bool random_begun;
    bool broken; /* there is no code to run */
    weir_arena arena;
    uint64_t wall_us, cpu_us;
};

/* --- parameters ------------------------------------------------------------------------------- */

static uint32_t place_of(const char *const *names, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return i;
    return WEIR_NO_PLACE;
}

static weir_value *get_parameter(const weir_call *call, const char *name) {
    if (!call->invocation) return weir_member_named(call->attempt->parameters, name);
    const weir_shape *shape = call->invocation->shape;
    uint32_t place = place_of(shape->inputs, shape->input_count, name);
    return place == WEIR_NO_PLACE ? NULL : call->invocation->inputs[place];
}

static weir_value *get_input(const weir_call *call, size_t place) {
    if (!call->invocation) return get_parameter(call, call->code->inputs[place].name);
    uint32_t at = call->invocation->shape->declared_inputs[place];
    return at == WEIR_NO_PLACE ? NULL : call->invocation->inputs[at];
}

/* Keeps the value for as long as the call; NULL is allowed. */
static weir_value *hold(weir_call *call, weir_value *value) {
    if (!value) return NULL;
    if (!call->held) call->held = weir_array_new();
    weir_array_append(call->held, value);
    return value;
}

static weir_value *get_parameters(weir_call *call) {
    if (!call->invocation) return call->attempt->parameters;
    const weir_shape *shape = call->invocation->shape;
    weir_value *parameters = weir_object_new();
    for (uint32_t i = 0; i < shape->input_count; i++)
        if (call->invocation->inputs[i])
            weir_member_put(parameters, shape->inputs[i],
                            weir_value_ref(call->invocation->inputs[i]));
    return hold(call, parameters);
}

static weir_value *get_config(const weir_call *call, const char *name) {
    return weir_member_named(call->invocation ? call->invocation->config : call->attempt->config,
                             name);
}

static weir_value *get_collected(const weir_call *call, const char *definition) {
    const weir_collector *collector = call->invocation ? call->invocation->collector : NULL;
    return collector ? hold((weir_call *)call, collector->collected(collector, definition)) : NULL;
}

static weir_value *get_ancestors(weir_call *call, const char *definition, const char *ancestor) {
    const weir_collector *collector = call->invocation ? call->invocation->collector : NULL;
    return collector ? hold(call, collector->ancestors(collector, definition, ancestor)) : NULL;
}

static weir_value *get_contexts(const weir_call *call) {
    if (!call->invocation) return call->attempt->contexts;
    const weir_collector *collector = call->invocation->collector;
    return collector ? hold((weir_call *)call, collector->contexts(collector)) : NULL;
}

/* --- what it gives ---------------------------------------------------------------------------- */

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

static void put_named(weir_value **object, const char *name, weir_value *value) {
    if (!*object) *object = weir_object_new();
    weir_member_put(*object, name, value);
}

static void put_place(weir_invocation *invocation, uint32_t place, weir_value *value) {
    if (place == WEIR_NO_PLACE) { /* the instance has no use for it */
        weir_value_unref(value);
        return;
    }
    weir_value_unref(invocation->outputs[place]);
    invocation->outputs[place] = value;
}

static void put_output(weir_call *call, const char *name, weir_value *value) {
    weir_invocation *invocation = call->invocation;
    if (!invocation || invocation->by_name) {
        put_named(invocation ? &invocation->named : &call->outputs, name, value);
        return;
    }
    const weir_shape *shape = invocation->shape;
    uint32_t place = place_of(shape->outputs, shape->output_count, name);
    if (place == WEIR_NO_PLACE && !weir_port_find(call->code->outputs, weir_str_from(name)))
        fail(call, NULL, "`%s` gave an output `%s` that it does not declare", call->code->name,
             name);
    put_place(invocation, place, value);
}

static void give_output(weir_call *call, size_t place, weir_value *value) {
    weir_invocation *invocation = call->invocation;
    if (!invocation || invocation->by_name)
        put_output(call, call->code->outputs[place].name, value);
    else
        put_place(invocation, invocation->shape->declared_outputs[place], value);
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
    if (call->attempt) {
        weir__report_metric(call->hooks->reporter, call->attempt, name_text, value, unit_text);
        return;
    }
    if (!call->metrics) call->metrics = weir_array_new();
    weir_array_append(call->metrics, new_metric(name_text, value, unit_text));
}

static void write_log(weir_call *call, weir_level level, const char *format, ...) {
    static const char *const prefixes[] = {"debug: ", "", "warning: ", "error: "};
    if (!call->attempt || !call->hooks->logs) return;
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    weir_buffer line = {0};
    weir_buffer_printf(&line, "%s%s\n", prefixes[level], text);
    if (!call->log) call->log = weir_log_open(call->hooks->logs, &call->attempt->id);
    weir_log_write(call->log, false, weir_buffer_str(&line));
    weir_buffer_deinit(&line);
}

static bool is_cancelled(const weir_call *call) {
    return call->attempt && call->hooks->cancelled &&
           atomic_load_explicit(call->hooks->cancelled, memory_order_relaxed);
}

/* --- generators and asynchronous operations --------------------------------------------------- */

static weir_emit emit(weir_call *call) {
    weir_assert(call->attempt); /* a generator is no call */
    if (is_cancelled(call)) return WEIR_EMIT_CANCELLED;
    if (!call->hooks->throttle) {
        fail(call, NULL, "`%s` emits and is no generator", call->code->name);
        return WEIR_EMIT_CANCELLED;
    }
    if (call->outputs && !weir_value_is_flat(call->outputs, WEIR_DEPTH_MAX + 1)) {
        fail(call, weir_code_text(WEIR_LIMIT), "an output is nested deeper than %d levels",
             WEIR_DEPTH_MAX);
        return WEIR_EMIT_CANCELLED;
    }
    bool wait = !(call->code->hints & WEIR_ASYNC);
    weir_pass pass = weir_throttle_take(call->hooks->throttle, wait);
    if (pass == WEIR_PASS_FULL) return WEIR_EMIT_FULL;
    if (pass == WEIR_PASS_CLOSED) return WEIR_EMIT_CANCELLED;
    weir_value *outputs = call->outputs ? call->outputs : weir_object_new();
    call->outputs = NULL;
    call->hooks->yield(call->hooks->arg, outputs);
    return WEIR_EMIT_OK;
}

static void complete(weir_call *call, bool succeeded) {
    weir_assert(call->attempt && (call->code->hints & WEIR_ASYNC));
    call->hooks->complete(call->hooks->arg, succeeded);
}

/* --- the rest --------------------------------------------------------------------------------- */

static uint64_t get_deadline(const weir_call *call) {
    return call->attempt ? call->attempt->deadline_us : 0;
}

static void *alloc(weir_call *call, size_t size) {
    return weir_arena_alloc(&call->arena, size);
}

/* Few calls draw, so what they draw from is made by the first one. */
static void begin_random(weir_call *call) {
    const weir_invocation *invocation = call->invocation;
    call->random_begun = true;
    if (!invocation) return; /* an attempt has its own seed */
    uint64_t parts[] = {invocation->stream, invocation->instance, invocation->ordinal};
    call->random_state = weir_hash(parts, sizeof parts);
}

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t next_random(weir_call *call) {
    if (!call->random_begun) begin_random(call);
    uint64_t z = call->random_state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static void fill_random(weir_call *call, void *bytes, size_t size) {
    for (unsigned char *at = bytes; size > 0;) {
        uint64_t word = next_random(call);
        size_t part = size < sizeof word ? size : sizeof word;
        memcpy(at, &word, part);
        at += part;
        size -= part;
    }
}

static uint64_t get_now(const weir_call *call) {
    return call->attempt ? call->attempt->now_us : call->invocation->now_us;
}

static const weir_operation *get_operation(const weir_call *call) {
    return call->code;
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
        .ancestors = get_ancestors,
        .emit = emit,
        .complete = complete,
        .random = fill_random,
        .now = get_now,
        .operation = get_operation,
        .contexts = get_contexts,
        .bytes_new = weir_bytes_new,
        .bytes_wrap = weir_bytes_wrap,
        .bytes_get = weir_bytes_get,
        .bytes_described = weir_bytes_described,
    };
    return &host;
}

/* --- running ---------------------------------------------------------------------------------- */

/* The operation's function; NULL after the call failed because there is none. */
static weir_run_function *find_function(weir_call *call) {
    const weir_operation *code = call->code;
    weir_run_function *run = code ? code->run : NULL;
    weir_error error;
    if (run || (code && code->module && weir_module_function(code, &run, &error))) return run;
    weir_str name = call->attempt ? call->attempt->spec->operation
                    : code        ? weir_str_from(code->name)
                                  : WEIR_STR("");
    if (!code || !code->module)
        weir_fail(&error, WEIR_UNSUPPORTED, "operation `%.*s` cannot run in this process",
                  WEIR_ARG(name));
    call->broken = true;
    fail(call, weir_code_text(error.code), "%s", error.message);
    return NULL;
}

static bool run_operation(weir_call *call, weir_run_function *run) {
    weir__crash_watch(call->code->name);
    bool succeeded = run(weir_host_get(), call);
    weir__crash_watch(NULL);
    return succeeded;
}

static void explain_failure(weir_call *call) {
    if (!call->failure)
        fail(call, NULL, "operation `%s` failed without saying why", call->code->name);
}

static void call_deinit(weir_call *call) {
    weir_value_unref(call->outputs);
    weir_value_unref(call->failure);
    weir_value_unref(call->held);
    weir_log_close(call->log);
    weir_arena_deinit(&call->arena);
}

void weir_inline_call(weir_invocation *invocation) {
    weir_call call = {.code = invocation->code, .invocation = invocation};
    weir_run_function *run = find_function(&call);
    bool succeeded = run && run_operation(&call, run) && !call.failure;
    if (!succeeded) {
        explain_failure(&call);
        invocation->failure = call.failure;
        call.failure = NULL;
    }
    invocation->metrics = call.metrics;
    call_deinit(&call);
}

void weir_inline_make_call(void *nothing, weir_invocation *invocation) {
    (void)nothing;
    weir_inline_call(invocation);
}

static uint64_t thread_cpu_us(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

weir_call *weir__call_new(const weir_attempt *attempt, const weir_attempt_hooks *hooks) {
    weir_call *call = weir_alloc(sizeof *call);
    *call = (weir_call){.code = attempt->spec->code,
                        .attempt = attempt,
                        .hooks = hooks,
                        .random_state = attempt->seed};
    return call;
}

bool weir__call_run(weir_call *call) {
    if (is_cancelled(call)) return false;
    weir_run_function *run = find_function(call);
    if (!run) return false;
    weir__report_started(call->hooks->reporter, call->attempt, 0);
    if (call->attempt->quiet) return run_operation(call, run);
    call->wall_us = weir_clock_steady_us();
    /* An asynchronous call may be over, and gone, when this comes back; and it uses no time of this thread to speak of. */
    if (call->code->hints & WEIR_ASYNC) return run_operation(call, run);
    uint64_t cpu_us = thread_cpu_us();
    bool succeeded = run_operation(call, run);
    call->cpu_us = thread_cpu_us() - cpu_us;
    return succeeded;
}

static weir_outcome conclude(weir_call *call, bool succeeded) {
    if (is_cancelled(call))
        return weir_outcome_failed(WEIR_OUTCOME_CANCELLED, weir_code_text(WEIR_CANCELLED),
                                   "it was told to end");
    weir_outcome outcome = {.kind = WEIR_OUTCOME_SUCCEEDED};
    if (succeeded && !call->failure) {
        outcome.outputs = call->outputs;
        call->outputs = NULL;
    } else {
        explain_failure(call);
        outcome.kind = call->broken ? WEIR_OUTCOME_ERRORED : WEIR_OUTCOME_FAILED;
        outcome.failure = call->failure;
        call->failure = NULL;
    }
    return outcome;
}

void weir__call_end(weir_call *call, bool succeeded, weir_outcome *outcome) {
    *outcome = conclude(call, succeeded);
    if (call->wall_us) {
        outcome->usage = weir_object_new();
        uint64_t wall_us = weir_clock_steady_us() - call->wall_us;
        weir_member_put(outcome->usage, "wall_us", weir_int_new((int64_t)wall_us));
        weir_member_put(outcome->usage, "cpu_us", weir_int_new((int64_t)call->cpu_us));
    }
    call_deinit(call);
    weir_free(call);
}

static void report(weir_reporter *reporter, const weir_attempt *attempt, weir_report_kind kind,
                   weir_value *data) {
    reporter->report(reporter, &(weir_report){.attempt = attempt->id, .kind = kind, .data = data});
}

static char host_name[256];

static void read_host_name(void) {
    gethostname(host_name, sizeof host_name - 1);
}

static weir_value *where_it_runs(pid_t pid) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_host_name);
    weir_value *data = weir_object_new();
    weir_member_put(data, "host", weir_string_from(weir_str_from(host_name)));
    if (pid) weir_member_put(data, "pid", weir_int_new(pid));
    return data;
}

void weir__report_begun(weir_reporter *reporter, const weir_attempt *attempt, pid_t pid,
                        weir_value *images) {
    if (attempt->quiet) {
        weir_value_unref(images);
        return;
    }
    weir_value *data = where_it_runs(pid);
    if (images) weir_member_put(data, "images", images);
    report(reporter, attempt, WEIR_REPORT_STARTED, data);
}

void weir__report_ready(weir_reporter *reporter, const weir_attempt *attempt) {
    report(reporter, attempt, WEIR_REPORT_READY, NULL);
}

void weir__report_frozen(weir_reporter *reporter, const weir_attempt *attempt, const char *reason) {
    weir_value *data = weir_object_new();
    weir_member_put_text(data, "reason", weir_str_from(reason));
    report(reporter, attempt, WEIR_REPORT_FROZEN, data);
}

void weir__report_started(weir_reporter *reporter, const weir_attempt *attempt, pid_t pid) {
    weir__report_begun(reporter, attempt, pid, NULL);
    if (attempt->spec->kind == WEIR_TASK_SERVICE) weir__report_ready(reporter, attempt);
}

void weir__report_finished(weir_reporter *reporter, const weir_attempt *attempt,
                           const weir_outcome *outcome) {
    reporter->report(
        reporter,
        &(weir_report){.attempt = attempt->id, .kind = WEIR_REPORT_FINISHED, .outcome = *outcome});
}

void weir__report_metric(weir_reporter *reporter, const weir_attempt *attempt, weir_str name,
                         double value, weir_str unit) {
    if (attempt->quiet) return;
    report(reporter, attempt, WEIR_REPORT_METRIC, new_metric(name, value, unit));
}

enum { METRIC_BYTES_MAX = 64 * 1024 };

static void report_line(weir_reporter *reporter, const weir_attempt *attempt, weir_log *log,
                        weir_str line) {
    weir_value *metric = NULL;
    weir_error error;
    if (!weir_json_parse(line, WEIR_STR("WEIR_METRICS"), &metric, &error)) metric = NULL;
    const weir_value *value = weir_member_named(metric, "value");
    weir_str name = weir_member_text(metric, "name");
    if (name.length && (weir_is(value, WEIR_INT) || weir_is(value, WEIR_FLOAT)))
        weir__report_metric(reporter, attempt, name, weir_number_get(value),
                            weir_member_text(metric, "unit"));
    else
        weir_log_write(log, true,
                       WEIR_STR("weir: a line of WEIR_METRICS is no {name, value, unit}\n"));
    weir_value_unref(metric);
}

void weir__report_metric_lines(weir_reporter *reporter, const weir_attempt *attempt, weir_log *log,
                               weir_buffer *under_way, weir_str bytes) {
    while (bytes.length) {
        const char *end = memchr(bytes.data, '\n', bytes.length);
        size_t length = end ? (size_t)(end - bytes.data) : bytes.length;
        if (under_way->length + length > METRIC_BYTES_MAX)
            weir_buffer_clear(under_way);
        else
            weir_buffer_append(under_way, bytes.data, length);
        if (end) {
            weir_str line = weir_str_trim(weir_buffer_str(under_way));
            if (line.length) report_line(reporter, attempt, log, line);
            weir_buffer_clear(under_way);
        }
        bytes = weir_str_slice(bytes, length + 1, bytes.length);
    }
}

void weir__report_yielded(weir_reporter *reporter, const weir_attempt *attempt,
                          weir_value *outputs) {
    weir_value *data = weir_object_new();
    weir_member_put(data, "outputs", outputs);
    report(reporter, attempt, WEIR_REPORT_YIELDED, data);
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

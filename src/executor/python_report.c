/* What workers of the Python executor tell. They run anybody's functions: what they say is from outside. */
#include <stdlib.h>

#include "base/size.h"
#include "data/marshal.h"
#include "executor/python_internal.h"
#include "io/hardware.h"

/* A record while it is read. */
typedef struct record {
    weir__python_worker *worker;
    weir__python_call *call; /* NULL: it is of none that is under way there */
    weir_marshal *in;
    weir_enclosed *enclosed;
} record;

/* --- what a worker gives back as it was given -------------------------------------------------------- */

/* Memory that came back is that which the value has already, so that it counts once. */
static void know_again(const weir_value *value, const record *r) {
    if (weir_is(value, WEIR_BYTES)) {
        weir_segment *known = weir_bytes_segment_known(value);
        for (size_t i = 0; known && i < r->enclosed->segments.count; i++) {
            weir_segment **came = &r->enclosed->segments.items[i];
            if (*came == known || !weir_segment_is(*came, known)) continue;
            weir_segment_unref(*came);
            *came = weir_segment_ref(known);
        }
    } else if (weir_is(value, WEIR_FOREIGN)) {
        know_again(weir_foreign_pieces(value, NULL), r);
    } else if (weir_is(value, WEIR_ARRAY)) {
        for (size_t i = 0; i < weir_value_count(value); i++) know_again(weir_array_at(value, i), r);
    } else if (weir_is(value, WEIR_OBJECT)) {
        for (size_t i = 0; i < weir_value_count(value); i++)
            know_again(weir_object_at(value, i), r);
    }
}

/* Whether two pieces are the same memory, or the same few bytes: many are not compared. */
static bool is_same_piece(const weir_value *a, const weir_value *b) {
    const weir_segment *in = weir_bytes_segment_known(a);
    bool small = weir_bytes_length(a) <= WEIR_BYTES_SHARED;
    return (small || (in && in == weir_bytes_segment_known(b))) && weir_value_equal(a, b);
}

static bool is_same(const weir_value *a, const weir_value *b) {
    if (weir_value_type(a) != weir_value_type(b)) return false;
    if (weir_is(a, WEIR_BYTES)) return is_same_piece(a, b);
    if (!weir_is(a, WEIR_FOREIGN)) return false;
    const weir_value *mine = weir_foreign_pieces(a, NULL), *other = weir_foreign_pieces(b, NULL);
    bool same = mine && other && weir_value_count(mine) == weir_value_count(other);
    for (size_t i = 0; same && i < weir_value_count(mine); i++)
        same = is_same_piece(weir_array_at(mine, i), weir_array_at(other, i));
    return same;
}

/* The parameter that a value is, which takes its place. */
static weir_value *as_given(weir_value *value, const record *r) {
    const weir_value *parameters =
        r->call && r->enclosed->segments.count ? r->call->attempt.parameters : NULL;
    for (size_t i = 0; weir_is(parameters, WEIR_OBJECT) && i < weir_value_count(parameters); i++) {
        weir_value *given = weir_object_at(parameters, i);
        if (!is_same(given, value)) continue;
        weir_value_unref(value);
        return weir_value_ref(given);
    }
    return value;
}

static weir_value *usage_of(const weir__python_call *call, int64_t us) {
    if (call->attempt.quiet) return NULL;
    weir_value *usage = weir_object_new();
    weir_member_put(usage, "wall_us", weir_int_new(us));
    return usage;
}

/* About what a call takes: what came last counts for a quarter. */
static void note_time(weir__python_worker *worker, int64_t us) {
    uint64_t ns = us > 0 ? (uint64_t)us * 1000 : 200;
    worker->call_ns = worker->call_ns ? (3 * worker->call_ns + ns) / 4 : ns;
}

/* Half of what the machine has, or its control group: nothing else limits memory that is shared. */
static uint64_t shared_max(weir__python *executor) {
    const char *given = getenv("WEIR_PYTHON_SHARED_BYTES");
    weir_error ignored;
    weir_hardware machine;
    if (executor->shared_max) return executor->shared_max;
    if (!given || !weir_size_parse(weir_str_from(given), &executor->shared_max, &ignored)) {
        weir_hardware_read("", &machine);
        executor->shared_max = machine.memory_bytes / 2;
    }
    if (!executor->shared_max) executor->shared_max = UINT64_MAX;
    return executor->shared_max;
}

static void check_shared(const record *r, weir_error *why) {
    uint64_t most = shared_max(r->worker->environment->executor), now = weir_segments_bytes();
    char has[24], may[24];
    if (now <= most) return;
    weir_size_format(now, has);
    weir_size_format(most, may);
    weir_fail(why, WEIR_LIMIT, "values that functions share would take %s, and may %s", has, may);
    weir_error_hint(why,
                    "fewer at once, or files; WEIR_PYTHON_SHARED_BYTES says how much it may be");
}

/* {name: value} of the only output, or what stands for it. False: the bytes are no message; an error: what it gave is no value. */
static bool read_outputs(const record *r, bool named, weir_value **out, weir_error *why) {
    size_t before = r->in->at;
    weir_value *value = NULL;
    *why = (weir_error){0};
    if (r->call && r->enclosed->segments.count) know_again(r->call->attempt.parameters, r);
    if (!weir_marshal_read_value(r->in, &value, why)) {
        if (why->code == WEIR_IO) r->in->at = before;
        return why->code != WEIR_IO;
    }
    if (r->enclosed->segments.count) check_shared(r, why);
    if (why->code) {
        weir_value_unref(value);
        return true;
    }
    if (named) {
        *out = value;
        return weir_is(value, WEIR_OBJECT);
    }
    const weir_shape *shape = r->call ? r->call->function->spec->shape : NULL;
    *out = weir_object_new();
    if (shape && shape->output_count)
        weir_member_put(*out, shape->outputs[0], as_given(value, r));
    else
        weir_value_unref(value);
    return true;
}

static bool take_result(const record *r, bool named) {
    int64_t us;
    weir_error why;
    weir_value *outputs = NULL;
    if (!weir_marshal_read_int(r->in, &us) || !read_outputs(r, named, &outputs, &why)) {
        weir_value_unref(outputs);
        return false;
    }
    if (!r->call) {
        weir_value_unref(outputs);
        return true;
    }
    weir_outcome outcome = {.kind = WEIR_OUTCOME_SUCCEEDED, .outputs = outputs};
    if (why.code)
        outcome = weir_outcome_failed(WEIR_OUTCOME_FAILED, "operation_failed",
                                      "what it gave cannot be a value: %s", why.message);
    outcome.usage = usage_of(r->call, us);
    if (r->call->function->kind == WEIR__PYTHON_PLAIN) note_time(r->worker, us);
    weir__python_finish(r->call, &outcome);
    return true;
}

static bool take_yield(const record *r, bool named) {
    weir_error why;
    weir_value *outputs = NULL;
    if (!read_outputs(r, named, &outputs, &why)) {
        weir_value_unref(outputs);
        return false;
    }
    if (!r->call || why.code) {
        weir_value_unref(outputs);
        if (r->call) { /* there is no other way to tell a generator */
            weir_buffer_printf(&r->worker->said, "\nwhat it gave cannot be a value: %s\n",
                               why.message);
            weir__python_worker_kill(r->worker);
        }
        return true;
    }
    weir__python_yielded(r->call, outputs);
    return true;
}

static bool take_failure(const record *r) {
    int64_t us;
    weir_str code, message, traceback;
    if (!weir_marshal_read_int(r->in, &us) || !weir_marshal_read_text(r->in, &code) ||
        !weir_marshal_read_text(r->in, &message) || !weir_marshal_read_text(r->in, &traceback))
        return false;
    if (!r->call) return true;
    bool cancelled = weir_str_is(code, "cancelled");
    weir_outcome outcome =
        weir_outcome_failed(cancelled ? WEIR_OUTCOME_CANCELLED : WEIR_OUTCOME_FAILED, "", "%s", "");
    weir_member_put(outcome.failure, "code", weir__text_new(code));
    weir_member_put(outcome.failure, "message", weir__text_new(message));
    if (traceback.length) weir_member_put(outcome.failure, "traceback", weir__text_new(traceback));
    weir_str tail = r->call->log ? weir_log_tail(r->call->log) : WEIR_STR("");
    if (tail.length) weir_member_put(outcome.failure, "log", weir__text_new(tail));
    outcome.usage = usage_of(r->call, us);
    weir__python_finish(r->call, &outcome);
    return true;
}

static bool take_log(const record *r) {
    int64_t error_stream;
    weir_str text;
    if (!weir_marshal_read_int(r->in, &error_stream) || !weir_marshal_read_text(r->in, &text))
        return false;
    weir__python *executor = r->worker->environment->executor;
    if (!r->call) {
        weir__python_print(r->worker, text);
        return true;
    }
    if (!r->call->log) r->call->log = weir_log_open(executor->logs, &r->call->attempt.id);
    weir_log_write(r->call->log, error_stream, text);
    return true;
}

static bool take_metric(const record *r) {
    weir_str name, unit;
    double value;
    if (!weir_marshal_read_text(r->in, &name) || !weir_marshal_read_float(r->in, &value) ||
        !weir_marshal_read_text(r->in, &unit))
        return false;
    if (r->call)
        weir__report_metric(r->worker->environment->executor->reporter, &r->call->attempt, name,
                            value, unit);
    return true;
}

static bool take_recalled(const record *r) {
    uint32_t count;
    int64_t number;
    weir_python_environment *environment = r->worker->environment;
    if (!weir_marshal_read_items(r->in, &count)) return false;
    for (uint32_t i = 0; i < count; i++) { /* the last of them first */
        if (!weir_marshal_read_int(r->in, &number)) return false;
        weir__python_call *call = weir__python_call_of(r->worker, number);
        if (!call) continue;
        weir__python_list_remove(&r->worker->list, call);
        call->worker = NULL;
        weir__python_list_add_first(&environment->waiting[call->function->kind], call);
    }
    r->worker->recalls = false;
    /* It is at one that takes longer than others did. */
    r->worker->call_ns = 0;
    return true;
}

static bool take_description(const record *r) {
    weir_error why;
    weir_value *value = NULL;
    if (!weir_marshal_read_value(r->in, &value, &why)) return false;
    weir_value_unref(r->worker->described);
    r->worker->described = value;
    return true;
}

static bool take_hello(const record *r) {
    int64_t version;
    if (!weir_marshal_read_int(r->in, &version) || version != WEIR__PYTHON_VERSION) return false;
    r->worker->greeted = true;
    r->worker->environment->installed = true;
    return true;
}

static bool take_progress(const record *r) {
    weir_str text;
    if (!weir_marshal_read_text(r->in, &text)) return false;
    weir_buffer line = {0};
    weir_buffer_printf(&line, "weir: %.*s\n", WEIR_ARG(text));
    weir__python_print(r->worker, weir_buffer_str(&line));
    weir_buffer_deinit(&line);
    return true;
}

/* Who waits fails when its process has ended: its last words are heard before. */
static bool take_unfit(const record *r) {
    static const char *const members[] = {"message", "hint", "log"};
    enum { AGAIN_US = 5 * 1000 * 1000 };
    weir_python_environment *environment = r->worker->environment;
    weir_value *unfit = weir_object_new();
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof members / sizeof *members; i++) {
        weir_str text;
        if ((ok = weir_marshal_read_text(r->in, &text)))
            weir_member_put(unfit, members[i], weir__text_new(text));
    }
    weir_value_unref(environment->unfit);
    environment->unfit = unfit;
    environment->unfit_until_us = weir_clock_steady_us() + AGAIN_US;
    r->worker->leaves = true;
    return ok;
}

static bool take_record(record *r) {
    uint32_t parts;
    int64_t kind, number;
    if (!weir_marshal_read_items(r->in, &parts) || !weir_marshal_read_int(r->in, &kind) ||
        !weir_marshal_read_int(r->in, &number))
        return false;
    r->call = weir__python_call_of(r->worker, number);
    switch (kind) {
    case WEIR__PYTHON_RESULT: return take_result(r, false);
    case WEIR__PYTHON_RESULTS: return take_result(r, true);
    case WEIR__PYTHON_FAILED: return take_failure(r);
    case WEIR__PYTHON_YIELDED: return take_yield(r, false);
    case WEIR__PYTHON_YIELDS: return take_yield(r, true);
    case WEIR__PYTHON_LOG: return take_log(r);
    case WEIR__PYTHON_METRIC: return take_metric(r);
    case WEIR__PYTHON_RECALLED: return take_recalled(r);
    case WEIR__PYTHON_DESCRIBED: return take_description(r);
    case WEIR__PYTHON_HELLO: return take_hello(r);
    case WEIR__PYTHON_PROGRESS: return take_progress(r);
    case WEIR__PYTHON_UNFIT: return take_unfit(r);
    default: return false;
    }
}

void weir__python_distrust(weir__python_worker *worker) {
    weir_buffer_text(&worker->said, "\nwhat the worker said is no message\n");
    weir__python_worker_kill(worker);
}

void weir__python_take(weir__python_worker *worker, weir_str bytes, weir_enclosed *enclosed) {
    if (worker->environment->executor->closed) return;
    weir_marshal in = {.bytes = bytes, .enclosed = enclosed};
    uint32_t count = 0;
    bool ok = weir_marshal_read_items(&in, &count);
    record r = {.worker = worker, .in = &in, .enclosed = enclosed};
    for (uint32_t i = 0; ok && i < count; i++) ok = take_record(&r);
    worker->heard_us = weir_clock_steady_us();
    if (!ok || in.at != bytes.length)
        weir__python_distrust(worker); /* it does not speak as its program does */
    weir__python_dispatch_soon(worker->environment);
}

#include "executor/python.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/interpreter.h"
#include "data/marshal.h"
#include "executor/python_internal.h"
#include "task/registry.h"

enum {
    WORK_AHEAD_NS = 4 * 1000 * 1000, /* that a worker is given at once */
    CALLS_AHEAD_MAX = 4096,
    COROUTINES_MAX = 1000,      /* that a worker has at once */
    STUCK_US = 20 * 1000,       /* behind a call that takes so long others do not wait */
    MESSAGE_BYTES = 512 * 1024, /* about, of calls */
    SEGMENTS_AT_ONCE = 64,      /* that a message brings, about */
    HELD_US = 200 * 1000,       /* that a worker has memory when it is idle */
    KILLED_GRACE_US = 300 * 1000,
    FUNCTIONS_KEPT = 256 /* at least, of plans that nobody runs now */
};

/* --- lists -------------------------------------------------------------------------------------- */

void weir__python_list_add(weir__python_list *list, weir__python_call *call) {
    call->previous = list->last;
    call->next = NULL;
    *(list->last ? &list->last->next : &list->first) = call;
    list->last = call;
    list->count++;
}

void weir__python_list_add_first(weir__python_list *list, weir__python_call *call) {
    call->next = list->first;
    call->previous = NULL;
    *(list->first ? &list->first->previous : &list->last) = call;
    list->first = call;
    list->count++;
}

void weir__python_list_remove(weir__python_list *list, weir__python_call *call) {
    *(call->previous ? &call->previous->next : &list->first) = call->next;
    *(call->next ? &call->next->previous : &list->last) = call->previous;
    call->previous = call->next = NULL;
    list->count--;
}

/* --- functions ---------------------------------------------------------------------------------- */

static weir__python_kind kind_of(const weir_task_spec *spec) {
    if (spec->code->hints & WEIR_ASYNC) return WEIR__PYTHON_COROUTINE;
    return spec->code->hints & WEIR_GENERATOR ? WEIR__PYTHON_GENERATOR : WEIR__PYTHON_PLAIN;
}

static weir_str key_of(const weir_task_spec *const *spec) {
    return (weir_str){(const char *)spec, sizeof *spec};
}

static void drop_function(weir_python_environment *environment, weir__python_function *function) {
    weir_map_remove(&environment->by_spec, key_of(&function->spec));
    environment->functions.items[function->number] = NULL;
    *weir_vector_push(&environment->free_functions) = function->number;
    for (size_t i = 0; i < environment->workers.count; i++) {
        weir__python_worker *worker = environment->workers.items[i];
        if (function->number < worker->knows.count) worker->knows.items[function->number] = false;
    }
    weir_plan_unref(function->plan);
    weir_value_unref(function->config);
    weir_free(function);
}

/* Those of plans that nobody runs now. Not looked for again before there are twice as many as stay. */
void weir__python_drop_unused(weir_python_environment *environment) {
    for (size_t i = 0; i < environment->functions.count; i++) {
        weir__python_function *function = environment->functions.items[i];
        if (function && !function->users) drop_function(environment, function);
    }
    size_t stay = environment->by_spec.count;
    environment->functions_kept = stay < FUNCTIONS_KEPT / 2 ? FUNCTIONS_KEPT : 2 * stay;
}

static weir__python_function *function_of(weir_python_environment *environment,
                                          const weir_attempt *attempt) {
    const weir_task_spec *spec = weir_task_spec_of(attempt->spec);
    uint64_t known;
    if (weir_map_get(&environment->by_spec, key_of(&spec), &known))
        return environment->functions.items[known];
    if (environment->by_spec.count >= environment->functions_kept)
        weir__python_drop_unused(environment);
    weir__python_function *function = weir_alloc(sizeof *function);
    uint32_t number = (uint32_t)environment->functions.count;
    if (environment->free_functions.count)
        number = environment->free_functions.items[--environment->free_functions.count];
    else
        weir_vector_push(&environment->functions);
    environment->functions.items[number] = function;
    *function = (weir__python_function){.number = number,
                                        .kind = kind_of(spec),
                                        .spec = spec,
                                        .plan = weir_plan_ref(attempt->plan),
                                        .config = weir_value_ref(attempt->config)};
    weir_map_set(&environment->by_spec, key_of(&function->spec), number);
    return function;
}

/* --- calls --------------------------------------------------------------------------------------- */

static void free_call(weir__python_call *call) {
    weir__python *executor = call->environment->executor;
    executor->calls.items[call->number] = NULL;
    *weir_vector_push(&executor->free_numbers) = call->number;
    weir__python_list *list =
        call->worker ? &call->worker->list : &call->environment->waiting[call->function->kind];
    weir__python_list_remove(list, call);
    call->function->users--;
    if (call->killer) weir_timer_close(call->killer);
    weir_log_close(call->log);
    weir_attempt_drop(&call->attempt);
    weir_free(call);
}

void weir__python_finish(weir__python_call *call, weir_outcome *outcome) {
    weir__python *executor = call->environment->executor;
    weir_log_close(call->log); /* what it printed is there when its end is told */
    call->log = NULL;
    weir__report_finished(executor->reporter, &call->attempt, outcome);
    free_call(call);
}

void weir__python_lose(weir__python_call *call, const char *reason) {
    weir__python *executor = call->environment->executor;
    weir_report report = {
        .attempt = call->attempt.id, .kind = WEIR_REPORT_LOST, .data = weir_object_new()};
    weir_member_put_text(report.data, "reason", weir_str_from(reason));
    executor->reporter->report(executor->reporter, &report);
    free_call(call);
}

static void fail_call(weir__python_call *call, weir_outcome_kind kind, const char *code,
                      const char *message) {
    weir_outcome outcome = weir_outcome_failed(kind, code, "%s", message);
    weir__python_finish(call, &outcome);
}

weir__python_call *weir__python_call_of(const weir__python_worker *worker, int64_t number) {
    const weir__python *executor = worker->environment->executor;
    if (number < 0 || (size_t)number >= executor->calls.count) return NULL;
    weir__python_call *call = executor->calls.items[number];
    return call && call->worker == worker ? call : NULL;
}

/* --- generators ----------------------------------------------------------------------------------- */

/* A set on its way to its run. */
typedef struct weir__python_taken {
    weir__python *executor;
    weir_attempt_id attempt;
    uint32_t call;
} weir__python_taken;

static void let_on(void *arg) {
    enum { TOLD_AT_ONCE = 32 };
    weir__python_taken *taken = arg;
    weir__python *executor = taken->executor;
    weir__python_call *call = executor->calls.items[taken->call];
    if (call && call->worker && weir_attempt_equal(&call->attempt.id, &taken->attempt) &&
        ++call->yields == TOLD_AT_ONCE) {
        weir__python_command(call->worker, WEIR__PYTHON_MORE, call->number);
        call->yields = 0;
    }
    executor->taking--;
    weir_free(taken);
}

/* Behind the report itself. */
static void yield_taken(void *arg) {
    weir__python_taken *taken = arg;
    weir_crowd_wait(taken->executor->crowd, taken->attempt.run, let_on, taken);
}

void weir__python_yielded(weir__python_call *call, weir_value *outputs) {
    weir__python *executor = call->environment->executor;
    weir__report_yielded(executor->reporter, &call->attempt, outputs);
    weir__python_taken *taken = weir_alloc(sizeof *taken);
    *taken = (weir__python_taken){executor, call->attempt.id, call->number};
    executor->taking++;
    weir_loop_post(executor->loop, yield_taken, taken);
}

/* --- messages ------------------------------------------------------------------------------------- */

static void put_names(const char *const *names, uint32_t count, weir_buffer *out) {
    weir_marshal_list(count, out);
    for (uint32_t i = 0; i < count; i++) weir_marshal_text(weir_str_from(names[i]), out);
}

static void put_definition(const weir__python_function *function, weir_buffer *out) {
    const weir_shape *shape = function->spec->shape;
    weir_marshal_tuple(6, out);
    weir_marshal_int(WEIR__PYTHON_DEFINE, out);
    weir_marshal_int(function->number, out);
    weir_marshal_text(function->spec->operation, out);
    put_names(shape->inputs, shape->input_count, out);
    put_names(shape->outputs, shape->output_count, out);
    weir_marshal_value(function->config, out);
}

static void put_call(const weir__python_call *call, weir_enclosed *enclosed, weir_buffer *out) {
    const weir_shape *shape = call->function->spec->shape;
    bool used = enclosed->used;
    weir_marshal_tuple(4, out);
    size_t kind = out->length;
    weir_marshal_int(WEIR__PYTHON_CALL, out);
    enclosed->used = false;
    weir_marshal_int(call->function->number, out);
    weir_marshal_int(call->number, out);
    weir_marshal_tuple(shape->input_count, out);
    for (uint32_t i = 0; i < shape->input_count; i++) {
        const weir_value *value = weir_member_named(call->attempt.parameters, shape->inputs[i]);
        if (value)
            weir_marshal_value_with(value, enclosed, out);
        else
            weir_marshal_none(out);
    }
    if (enclosed->used) { /* which nobody knew before */
        weir_buffer other = {0};
        weir_marshal_int(WEIR__PYTHON_CALL_WITH, &other);
        memcpy(out->data + kind, other.data, other.length);
        weir_buffer_deinit(&other);
    }
    enclosed->used |= used;
}

/* What is sent in one message. */
typedef struct letter {
    weir_buffer items;
    size_t count;
    weir_enclosed enclosed;
} letter;

/* Descriptors of what is enclosed, for a moment. False: there are none left, and the worker cannot be told. */
static bool lend(const weir_enclosed *enclosed, int *descriptors) {
    for (size_t i = 0; i < enclosed->segments.count; i++) {
        weir_error error;
        if (weir_segment_lend(enclosed->segments.items[i], &descriptors[i], &error)) continue;
        while (i--) close(descriptors[i]);
        return false;
    }
    return true;
}

void weir__python_holds(weir__python_worker *worker) {
    weir__python *executor = worker->environment->executor;
    if (!worker->holds && !executor->closed) weir_timer_start(executor->forget_timer, HELD_US);
    worker->holds = true;
}

static void send_with(weir__python_worker *worker, weir_str message,
                      const weir_enclosed *enclosed) {
    int descriptors[WEIR_CHANNEL_DESCRIPTORS_MAX] = {0};
    size_t count = enclosed->segments.count;
    if (!lend(enclosed, descriptors)) {
        weir_buffer_text(&worker->said, "\nno descriptors are left for values that are shared\n");
        weir__python_worker_kill(worker);
        return;
    }
    weir_channel_send(worker->calls, message, descriptors, count);
    for (size_t i = 0; i < count; i++) close(descriptors[i]);
    if (count) weir__python_holds(worker);
}

static void send_letter(weir__python_worker *worker, letter *l) {
    weir_buffer message = {0};
    if (l->count) {
        weir_marshal_list(l->count, &message);
        weir_buffer_str_append(&message, weir_buffer_str(&l->items));
        send_with(worker, weir_buffer_str(&message), &l->enclosed);
    }
    weir_buffer_deinit(&message);
    weir_buffer_clear(&l->items);
    weir_enclosed_clear(&l->enclosed);
    l->count = 0;
}

static void give(weir__python_worker *worker, weir__python_call *call, letter *l) {
    weir_python_environment *environment = worker->environment;
    weir__python_function *function = call->function;
    weir__python_list_remove(&environment->waiting[function->kind], call);
    while (worker->knows.count <= function->number) *weir_vector_push(&worker->knows) = false;
    if (!worker->knows.items[function->number]) {
        put_definition(function, &l->items);
        l->count++;
        worker->knows.items[function->number] = true;
    }
    put_call(call, &l->enclosed, &l->items);
    l->count++;
    call->worker = worker;
    if (!worker->list.count && !weir__python_count_busy(environment, function->kind))
        environment->turn_us[function->kind] = weir_clock_steady_us();
    weir__python_list_add(&worker->list, call);
    worker->kind = function->kind;
    if (!call->begun && !call->attempt.quiet)
        weir__report_started(environment->executor->reporter, &call->attempt,
                             weir_process_pid(worker->process));
    call->begun = true;
    if (l->items.length > MESSAGE_BYTES || l->enclosed.segments.count >= SEGMENTS_AT_ONCE)
        send_letter(worker, l);
}

/* --- who gets what --------------------------------------------------------------------------------- */

static bool has_waiting(const weir_python_environment *environment) {
    for (int kind = 0; kind < WEIR__PYTHON_KINDS; kind++)
        if (environment->waiting[kind].count) return true;
    return false;
}

/* Those that have nothing to do, or are being started. */
static size_t count_idle(const weir_python_environment *environment) {
    size_t count = 0;
    for (size_t i = 0; i < environment->workers.count; i++) {
        const weir__python_worker *worker = environment->workers.items[i];
        count += worker->process && !worker->leaves && !worker->list.count;
    }
    return count;
}

static void fail_waiting(weir_python_environment *environment, const weir_error *why) {
    for (int kind = 0; kind < WEIR__PYTHON_KINDS; kind++)
        while (environment->waiting[kind].first) {
            weir_outcome outcome = weir_outcome_failed(
                WEIR_OUTCOME_ERRORED, weir_code_text(why->code), "%s", why->message);
            if (why->hint[0])
                weir_member_put_text(outcome.failure, "hint", weir_str_from(why->hint));
            weir__python_finish(environment->waiting[kind].first, &outcome);
        }
}

void weir__python_fail_unfit(weir_python_environment *environment) {
    static const char *const members[] = {"hint", "log"};
    weir_str message = weir_member_text(environment->unfit, "message");
    for (int kind = 0; kind < WEIR__PYTHON_KINDS; kind++)
        while (environment->waiting[kind].first) {
            weir_outcome outcome = weir_outcome_failed(WEIR_OUTCOME_ERRORED, "environment_failed",
                                                       "%.*s", WEIR_ARG(message));
            for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
                weir_str text = weir_member_text(environment->unfit, members[i]);
                if (text.length) weir_member_put_text(outcome.failure, members[i], text);
            }
            weir__python_finish(environment->waiting[kind].first, &outcome);
        }
}

/* Whether it is known that its environment cannot be; it may be mended, so that is forgotten after a while. */
static bool is_unfit(weir_python_environment *environment) {
    if (!environment->unfit) return false;
    if (weir_clock_steady_us() < environment->unfit_until_us) return true;
    weir_value_unref(environment->unfit);
    environment->unfit = NULL;
    return false;
}

/* How many more workers a kind could use. */
static size_t count_wanted(const weir_python_environment *environment, weir__python_kind kind) {
    size_t busy = weir__python_count_busy(environment, kind),
           most = weir__python_share(environment, kind), waiting = environment->waiting[kind].count;
    if (kind == WEIR__PYTHON_COROUTINE) /* the first takes as many as it can have */
        waiting = busy ? waiting / COROUTINES_MAX : (waiting + COROUTINES_MAX - 1) / COROUTINES_MAX;
    size_t more = most > busy ? most - busy : 0;
    return waiting < more ? waiting : more;
}

/* As many as there is work for. False: none could be started, and the calls failed. */
static bool start_workers(weir_python_environment *environment) {
    size_t idle = count_idle(environment), wanted = 0;
    if (is_unfit(environment)) {
        weir__python_fail_unfit(environment);
        return false;
    }
    /* One installs what is required; the others begin when that is there. */
    if (*environment->requirements && !environment->installed && environment->workers.count)
        return true;
    for (weir__python_kind kind = 0; kind < WEIR__PYTHON_KINDS; kind++)
        wanted += count_wanted(environment, kind);
    if (*environment->requirements && !environment->installed && wanted) wanted = idle + 1;
    for (; idle < wanted; idle++) {
        weir_error error;
        weir__python_make_room(environment);
        if (weir__python_worker_start(environment, &error)) continue;
        if (environment->workers.count) return true; /* the others do */
        fail_waiting(environment, &error);
        return false;
    }
    return true;
}

/* How many calls of the kind it may be given: as many as keep it busy until it is given more. */
static size_t room_of(const weir__python_worker *worker, weir__python_kind kind) {
    size_t most = 1;
    if (!worker->process || !worker->greeted || worker->leaves || worker->recalls ||
        (worker->list.count && worker->kind != kind))
        return 0;
    if (kind == WEIR__PYTHON_COROUTINE)
        most = COROUTINES_MAX;
    else if (kind == WEIR__PYTHON_PLAIN && worker->call_ns)
        most = WORK_AHEAD_NS / worker->call_ns;
    if (most < 1) most = 1;
    if (most > CALLS_AHEAD_MAX) most = CALLS_AHEAD_MAX;
    return most > worker->list.count ? most - worker->list.count : 0;
}

/* The one with the fewest calls; of coroutines the one with the most, as they share a loop. NULL: none has room. */
static weir__python_worker *roomiest(const weir_python_environment *environment,
                                     weir__python_kind kind, size_t *room) {
    weir__python_worker *best = NULL;
    size_t most = weir__python_share(environment, kind),
           busy = weir__python_count_busy(environment, kind), met = 0;
    *room = 0;
    for (size_t i = 0; i < environment->workers.count; i++) {
        weir__python_worker *worker = environment->workers.items[i];
        bool at_it = worker->list.count && worker->kind == kind;
        met += at_it;
        bool may = at_it ? met <= most : worker->list.count || busy < most;
        size_t has = may ? room_of(worker, kind) : 0;
        bool better =
            best && (kind == WEIR__PYTHON_COROUTINE ? worker->list.count > best->list.count
                                                    : worker->list.count < best->list.count);
        if (has && (!best || better)) {
            best = worker;
            *room = has;
        }
    }
    return best;
}

static void fill(weir_python_environment *environment, weir__python_kind kind) {
    letter l = {0};
    const weir__python_list *waiting = &environment->waiting[kind];
    while (waiting->first) {
        size_t room,
            share =
                waiting->count / (2 * weir__python_workers_max(environment->executor, kind)) + 1;
        weir__python_worker *worker = roomiest(environment, kind, &room);
        if (!worker) break;
        /* The others want some, too. */
        if (kind == WEIR__PYTHON_PLAIN && room > share) room = share;
        for (; room && waiting->first; room--) give(worker, waiting->first, &l);
        send_letter(worker, &l);
    }
    weir_buffer_deinit(&l.items);
}

/* While no plain call waits: those that are behind one that takes long come back, for who is idle. */
static void recall_stuck(weir_python_environment *environment) {
    bool wanted = false;
    uint64_t now_us = weir_clock_steady_us();
    if (environment->waiting[WEIR__PYTHON_PLAIN].count) return;
    for (size_t i = 0; i < environment->workers.count; i++) {
        weir__python_worker *worker = environment->workers.items[i];
        if (worker->list.count < 2 || worker->kind != WEIR__PYTHON_PLAIN || worker->recalls ||
            !worker->process)
            continue;
        wanted = true;
        if (now_us - worker->heard_us < STUCK_US) continue;
        worker->recalls = true;
        weir__python_command(worker, WEIR__PYTHON_RECALL, (int64_t)worker->list.count - 1);
    }
    if (wanted) weir_timer_start(environment->executor->timer, STUCK_US);
}

/* Workers without calls let go of what they were given. */
static void have_forgotten(void *arg) {
    const weir__python *executor = arg;
    weir_buffer message = {0};
    bool more = false;
    uint64_t now_us = weir_clock_steady_us();
    weir_marshal_list(1, &message);
    weir_marshal_tuple(1, &message);
    weir_marshal_int(WEIR__PYTHON_FORGET, &message);
    for (size_t i = 0; i < executor->environments.count; i++)
        for (size_t j = 0; j < executor->environments.items[i]->workers.count; j++) {
            weir__python_worker *worker = executor->environments.items[i]->workers.items[j];
            if (!worker->holds || !worker->process) continue;
            bool idle = !worker->list.count && now_us - worker->heard_us >= HELD_US;
            more |= !idle;
            if (!idle) continue;
            weir_channel_send(worker->calls, weir_buffer_str(&message), NULL, 0);
            worker->holds = false;
        }
    weir_buffer_deinit(&message);
    if (more) weir_timer_start(executor->forget_timer, HELD_US);
}

static void look_at_stuck(void *arg) {
    weir__python *executor = arg;
    for (size_t i = 0; i < executor->environments.count; i++)
        recall_stuck(executor->environments.items[i]);
}

/* Since when calls of a kind wait with no worker at any. */
static void note_waiting(weir_python_environment *environment) {
    for (weir__python_kind kind = 0; kind < WEIR__PYTHON_KINDS; kind++) {
        bool waits =
            environment->waiting[kind].count && !weir__python_count_busy(environment, kind);
        if (!waits)
            environment->waits_us[kind] = 0;
        else if (!environment->waits_us[kind])
            environment->waits_us[kind] = weir_clock_steady_us();
    }
}

/* Workers that have no more to do may be those of others. */
static void let_others(const weir_python_environment *environment) {
    const weir__python *executor = environment->executor;
    for (size_t i = 0; i < executor->environments.count; i++) {
        weir_python_environment *other = executor->environments.items[i];
        if (other != environment && has_waiting(other)) weir__python_dispatch_soon(other);
    }
}

static void dispatch(void *arg) {
    weir_python_environment *environment = arg;
    size_t busy = 0;
    environment->posted = false;
    if (environment->executor->closed) return;
    note_waiting(environment);
    if (has_waiting(environment) && start_workers(environment))
        for (weir__python_kind kind = 0; kind < WEIR__PYTHON_KINDS; kind++) fill(environment, kind);
    for (weir__python_kind kind = 0; kind < WEIR__PYTHON_KINDS; kind++)
        busy += weir__python_count_busy(environment, kind);
    if (busy != environment->busy) let_others(environment);
    environment->busy = busy;
    recall_stuck(environment);
    weir__python_watch_idle(environment->executor);
}

void weir__python_dispatch_soon(weir_python_environment *environment) {
    if (environment->posted || environment->executor->closed) return;
    environment->posted = true;
    weir_loop_post(environment->executor->loop, dispatch, environment);
}

/* --- the executor ----------------------------------------------------------------------------------- */

static void start(weir_executor *base, const weir_attempt *attempt) {
    weir__python *executor = (weir__python *)base;
    const weir_python_operation *operation =
        (const weir_python_operation *)(const void *)attempt->spec->code;
    weir__python_call *call = weir_alloc(sizeof *call);
    call->attempt = weir_attempt_hold(attempt);
    call->environment = operation->environment;
    call->function = function_of(call->environment, attempt);
    call->function->users++;
    if (executor->free_numbers.count) {
        call->number = executor->free_numbers.items[--executor->free_numbers.count];
    } else {
        call->number = (uint32_t)executor->calls.count;
        weir_vector_push(&executor->calls);
    }
    executor->calls.items[call->number] = call;
    weir__python_list_add(&call->environment->waiting[call->function->kind], call);
    weir__python_dispatch_soon(call->environment);
}

/* It does not end: what its worker has begun ends with it. */
static void kill_worker_of(void *arg) {
    weir__python_call *call = arg;
    if (call->worker) weir__python_worker_kill(call->worker);
}

static void kill_after(weir__python_call *call, uint64_t grace_us) {
    if (!call->killer)
        call->killer = weir_timer_open(call->environment->executor->loop, kill_worker_of, call);
    weir_timer_start(call->killer, grace_us);
}

static weir__python_call *find_call(weir__python *executor, const weir_attempt_id *attempt) {
    size_t count = executor->calls.count;
    for (size_t i = 0; i < count; i++) { /* stopped in the order of their start, mostly */
        size_t at = (executor->stopped_at + i) % count;
        weir__python_call *call = executor->calls.items[at];
        if (!call || !weir_attempt_equal(&call->attempt.id, attempt)) continue;
        executor->stopped_at = at + 1;
        return call;
    }
    return NULL;
}

static void stop(weir_executor *base, const weir_attempt_id *attempt, weir_stop how,
                 uint64_t grace_us) {
    weir__python_call *call = find_call((weir__python *)base, attempt);
    if (!call) return;
    if (!call->worker) {
        fail_call(call, WEIR_OUTCOME_CANCELLED, "cancelled", "was cancelled before it began");
        return;
    }
    bool asked = call->stopped;
    call->stopped = true;
    weir__python_command(call->worker, WEIR__PYTHON_CANCEL, call->number);
    if (how >= WEIR_STOP_KILL)
        kill_after(call, KILLED_GRACE_US);
    else if (!asked)
        kill_after(call, grace_us);
}

static void free_environment(weir_python_environment *environment) {
    while (environment->workers.count)
        weir__python_worker_free(environment->workers.items[environment->workers.count - 1]);
    for (int kind = 0; kind < WEIR__PYTHON_KINDS; kind++)
        while (environment->waiting[kind].first) free_call(environment->waiting[kind].first);
    for (size_t i = 0; i < environment->functions.count; i++)
        if (environment->functions.items[i])
            drop_function(environment, environment->functions.items[i]);
    weir_vector_deinit(&environment->functions);
    weir_vector_deinit(&environment->free_functions);
    weir_vector_deinit(&environment->workers);
    weir_map_deinit(&environment->by_spec);
    weir_free(environment->key);
    weir_free(environment->interpreter);
    weir_free(environment->directory);
    weir_free(environment->beside);
    weir_free(environment->requirements);
    weir_value_unref(environment->unfit);
    weir_free(environment);
}

static bool is_posted(const weir__python *executor) {
    for (size_t i = 0; i < executor->environments.count; i++)
        if (executor->environments.items[i]->posted) return true;
    return false;
}

static void close_executor(weir_executor *base) {
    weir__python *executor = (weir__python *)base;
    executor->closed = true;
    for (size_t i = 0; i < executor->environments.count; i++) {
        weir_python_environment *environment = executor->environments.items[i];
        for (size_t j = 0; j < environment->workers.count; j++)
            weir__python_worker_kill(environment->workers.items[j]);
    }
    weir_crowd_dismiss(executor->crowd);
    while (executor->processes || executor->taking || is_posted(executor))
        weir_loop_once(executor->loop, true);
    for (size_t i = 0; i < executor->environments.count; i++)
        free_environment(executor->environments.items[i]);
    weir_timer_close(executor->timer);
    weir_timer_close(executor->idle_timer);
    weir_timer_close(executor->forget_timer);
    weir_crowd_close(executor->crowd);
    weir_vector_deinit(&executor->environments);
    weir_map_deinit(&executor->by_site);
    weir_vector_deinit(&executor->calls);
    weir_vector_deinit(&executor->free_numbers);
    weir_free(executor);
}

weir_executor *weir_python_open(weir_loop *loop, weir_reporter *reporter, weir_logs *logs) {
    static const weir_executor_class class = {
        .name = "python", .start = start, .stop = stop, .close = close_executor};
    weir__python *executor = weir_alloc(sizeof *executor);
    executor->base.class = &class;
    executor->loop = loop;
    executor->reporter = reporter;
    executor->logs = logs;
    executor->timer = weir_timer_open(loop, look_at_stuck, executor);
    weir__python_pool_open(executor);
    executor->forget_timer = weir_timer_open(loop, have_forgotten, executor);
    executor->crowd = weir_crowd_open(loop);
    return &executor->base;
}

void weir_python_watch(weir_executor *base, bool (*crowded)(void *arg, const char *run),
                       void *arg) {
    weir_crowd_watch(((weir__python *)base)->crowd, crowded, arg);
}

/* --- environments ------------------------------------------------------------------------------------ */

/* What tells environments apart. */
static void put_key(const weir_python_site *site, const char *interpreter, weir_buffer *out) {
    const char *const parts[] = {interpreter, site->directory, site->beside, site->requirements};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i]) weir_buffer_text(out, parts[i]);
        weir_buffer_byte(out, '\0');
    }
    weir_buffer_append(out, &site->generation, sizeof site->generation);
}

static char *copy_text(const char *text) {
    return weir_str_dup(weir_str_from(text ? text : ""));
}

weir_python_environment *weir_python_environment_of(weir_executor *base,
                                                    const weir_python_site *site) {
    weir__python *executor = (weir__python *)base;
    weir_buffer interpreter = {0}, key = {0};
    weir_error error;
    if (!weir_interpreter_find(site->interpreter, &interpreter, &error))
        error = (weir_error){0}; /* is said when a worker is wanted */
    put_key(site, interpreter.data, &key);
    uint64_t known;
    if (!weir_map_get(&executor->by_site, weir_buffer_str(&key), &known)) {
        weir_python_environment *made = weir_alloc(sizeof *made);
        made->executor = executor;
        made->key = weir_str_dup(weir_buffer_str(&key));
        made->interpreter = weir_str_dup(weir_buffer_str(&interpreter));
        made->directory = copy_text(site->directory);
        made->beside = copy_text(site->beside);
        made->requirements = copy_text(site->requirements);
        made->functions_kept = FUNCTIONS_KEPT;
        known = executor->environments.count;
        weir_map_set(&executor->by_site, (weir_str){made->key, key.length}, known);
        *weir_vector_push(&executor->environments) = made;
    }
    weir_buffer_deinit(&interpreter);
    weir_buffer_deinit(&key);
    return executor->environments.items[known];
}

static size_t name_length(weir_str text, bool dots) {
    size_t at = 0;
    for (bool begins = true; at < text.length; at++) {
        unsigned char c = (unsigned char)text.data[at];
        bool first = ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || c >= 0x80;
        bool digit = c >= '0' && c <= '9';
        if (!first && (begins || !(digit || (dots && c == '.')))) break;
        begins = c == '.';
    }
    return at;
}

bool weir_python_is_name(weir_str name) {
    size_t colon = weir_str_find(name, WEIR_STR(":"), 0);
    if (colon == SIZE_MAX || !colon) return false;
    weir_str module = weir_str_slice(name, 0, colon),
             function = weir_str_slice(name, colon + 1, name.length);
    bool file = weir_str_ends(module, WEIR_STR(".py"));
    return function.length && name_length(function, true) == function.length &&
           (file || name_length(module, true) == module.length);
}

/* A worker process of the Python executor: how it begins, what is said to it, and how it ends. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data/marshal.h"
#include "executor/python_internal.h"
#include "io/library.h"

extern char **environ;

/* While what an environment requires is installed. */
static const uint64_t install_us = UINT64_C(3600) * 1000 * 1000;

enum {
    MESSAGE_MAX = 1024 * 1024 * 1024,
    PAGE_BYTES = 4096,
    SAID_BYTES_MAX = 4096,
    DESCRIBE_US = 120 * 1000 * 1000
};

/* The package `weir` comes first, as what it says has to fit to this program; then come the modules beside the file, and those where the
 * worker works, as with `python -m`. */
static const char boot[] = "import sys\n"
                           "sys.path[:1] = [path for path in sys.argv[1:4] if path]\n"
                           "if sys.argv[4:]:\n"
                           "    sys.path[1:] = sys.path[sum(map(bool, sys.argv[1:4])):]\n"
                           "    from weir.environments import enter\n"
                           "    enter(sys.argv[4])\n"
                           "sys.argv[1:] = []\n"
                           "from weir.worker import main\n"
                           "main()\n";

/* --- what it writes past Python ------------------------------------------------------------------ */

static weir__python_call *call_under_way(const weir__python_worker *worker) {
    return worker->page ? weir__python_call_of(worker, *worker->page - 1) : NULL;
}

void weir__python_print(const weir__python_worker *worker, weir_str text) {
    if (!worker->environment->executor->closed)
        fprintf(stderr, "%.*s", WEIR_ARG(text)); /* the output of commands is not its place */
}

static void take_output(void *arg, bool error_stream, weir_str bytes) {
    weir__python_worker *worker = arg;
    weir__python *executor = worker->environment->executor;
    weir_buffer_str_append(&worker->said, bytes);
    if (worker->said.length > 2 * SAID_BYTES_MAX) {
        size_t from = worker->said.length - SAID_BYTES_MAX;
        memmove(worker->said.data, worker->said.data + from, SAID_BYTES_MAX + 1);
        worker->said.length = SAID_BYTES_MAX;
    }
    if (executor->closed) return;
    weir__python_call *call = call_under_way(worker);
    if (!call) return;
    if (!call->log) call->log = weir_log_open(executor->logs, &call->attempt.id);
    weir_log_write(call->log, error_stream, bytes);
}

/* --- begin ---------------------------------------------------------------------------------------- */

/* What came with a message; false: a descriptor is of something else. */
static bool take_enclosed(const int *descriptors, size_t count, weir_enclosed *enclosed) {
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        weir_segment *segment;
        weir_error error;
        if (weir_segment_take(descriptors[i], &segment, &error))
            *weir_vector_push(&enclosed->segments) = segment;
        else
            ok = false;
    }
    return ok;
}

static void take_message(void *arg, weir_str bytes, const int *descriptors, size_t count) {
    weir_enclosed enclosed = {0};
    if (count) weir__python_holds(arg);
    if (take_enclosed(descriptors, count, &enclosed))
        weir__python_take(arg, bytes, &enclosed);
    else
        weir__python_distrust(arg);
    weir_enclosed_clear(&enclosed);
}

/* Its process ends, too, or has: that is when it is over. */
static void calls_gone(void *arg) {
    weir__python_worker_kill(arg);
}

static void control_gone(void *arg) {
    (void)arg;
}

static void take_nothing(void *arg, weir_str bytes, const int *descriptors, size_t count) {
    (void)bytes;
    for (size_t i = 0; i < count; i++) close(descriptors[i]);
    weir__python_worker_kill(arg);
}

static void process_ended(void *arg, const weir_process_end *end) {
    weir__python_worker *worker = arg;
    worker->process = NULL;
    worker->environment->executor->processes--;
    weir__python_worker_ended(worker, end);
}

static bool open_page(weir__python_worker *worker, int *fd, weir_error *error) {
    *fd = memfd_create("weir-python", MFD_CLOEXEC);
    void *page = MAP_FAILED;
    if (*fd >= 0 && ftruncate(*fd, PAGE_BYTES) == 0)
        page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    if (page == MAP_FAILED)
        return weir_fail(error, WEIR_IO, "no memory to share with a worker: %s", strerror(errno));
    worker->page = page;
    return true;
}

static bool spawn(weir__python_worker *worker, const int given[WEIR_PROCESS_STREAMS],
                  weir_error *error) {
    const weir_python_environment *environment = worker->environment;
    weir_buffer library = {0};
    if (!weir_library_python(&library)) {
        weir_fail(error, WEIR_IO, "the Python part of weir is not installed");
        weir_error_hint(error, "WEIR_MODULES names the folder that has `python/weir`");
        weir_buffer_deinit(&library);
        return false;
    }
    const char *argv[] = {environment->interpreter,
                          "-c",
                          boot,
                          library.data,
                          environment->beside,
                          environment->directory,
                          environment->requirements,
                          NULL};
    if (!*environment->requirements) argv[6] = NULL;
    const char *const *inherited = (const char *const *)environ;
    bool ok =
        weir_process_start(environment->executor->loop,
                           &(weir_process_options){
                               .argv = argv,
                               .environment = inherited,
                               .directory = *environment->directory ? environment->directory : NULL,
                               .output = take_output,
                               .given = given,
                               .ended = process_ended,
                               .arg = worker},
                           &worker->process, error);
    if (!ok && error->code == WEIR_NOT_FOUND)
        weir_error_hint(error, "install Python 3.9 or newer, or name one: --python, WEIR_PYTHON");
    weir_buffer_deinit(&library);
    return ok;
}

weir__python_worker *weir__python_worker_start(weir_python_environment *environment,
                                               weir_error *error) {
    weir__python *executor = environment->executor;
    weir__python_worker *worker = weir_alloc(sizeof *worker);
    worker->environment = environment;
    int calls = -1, control = -1, page = -1;
    const weir_channel_options both[] = {
        {.message_max = MESSAGE_MAX, .message = take_message, .gone = calls_gone, .arg = worker},
        {.message_max = 0, .message = take_nothing, .gone = control_gone, .arg = worker}};
    bool ok = weir_channel_open(executor->loop, &both[0], &worker->calls, &calls, error) &&
              weir_channel_open(executor->loop, &both[1], &worker->control, &control, error) &&
              open_page(worker, &page, error);
    if (ok) weir_channel_send(worker->calls, WEIR_STR(""), &page, 1);
    const int given[WEIR_PROCESS_STREAMS] = {control, -1, -1, calls};
    ok = ok && spawn(worker, given, error);
    if (calls >= 0) close(calls);
    if (control >= 0) close(control);
    if (page >= 0) close(page);
    worker->heard_us = weir_clock_steady_us();
    *weir_vector_push(&environment->workers) = worker;
    if (ok) {
        executor->processes++;
        return worker;
    }
    weir__python_worker_free(worker);
    return NULL;
}

/* --- commands -------------------------------------------------------------------------------------- */

void weir__python_command(weir__python_worker *worker, int command, int64_t argument) {
    if (!worker->process) return;
    weir_buffer message = {0};
    weir_marshal_tuple(2, &message);
    weir_marshal_int(command, &message);
    weir_marshal_int(argument, &message);
    weir_channel_send(worker->control, weir_buffer_str(&message), NULL, 0);
    weir_buffer_deinit(&message);
}

/* One that describes: it has nothing else to do, or is to have nothing else for a while. */
static weir__python_worker *free_worker(weir_python_environment *environment, weir_error *error) {
    for (size_t i = 0; i < environment->workers.count; i++) {
        weir__python_worker *worker = environment->workers.items[i];
        if (worker->process && !worker->list.count && !worker->leaves) return worker;
    }
    return weir__python_worker_start(environment, error);
}

static void ask_for(weir__python_worker *worker, weir_str name) {
    weir_buffer message = {0};
    weir_marshal_list(1, &message);
    weir_marshal_tuple(2, &message);
    weir_marshal_int(WEIR__PYTHON_DESCRIBE, &message);
    weir_marshal_text(name, &message);
    weir_channel_send(worker->calls, weir_buffer_str(&message), NULL, 0);
    weir_buffer_deinit(&message);
}

/* Of one whose environment has first to be made. */
static void wait_for_hello(weir__python_worker *worker) {
    uint64_t until_us = weir_clock_steady_us() + install_us;
    while (*worker->environment->requirements && !worker->greeted && !worker->leaves &&
           weir_clock_steady_us() < until_us)
        if (!weir_channel_wait(worker->calls, until_us - weir_clock_steady_us())) break;
}

/* What it said when it did not answer. */
static bool fail_silent(const weir__python_worker *worker, weir_str name, weir_error *error) {
    const weir_value *unfit = worker->environment->unfit;
    if (unfit) {
        weir_str message = weir_member_text(unfit, "message"), log = weir_member_text(unfit, "log");
        weir_fail(error, WEIR_PLUGIN, "`%.*s`: %.*s", WEIR_ARG(name), WEIR_ARG(message));
        weir_error_hint(error, "%.*s%s%.*s", WEIR_ARG(weir_member_text(unfit, "hint")),
                        log.length ? "\n" : "", WEIR_ARG(weir_str_slice(log, 0, 400)));
        return false;
    }
    weir_fail(error, WEIR_PLUGIN, "the worker of %s did not say what `%.*s` is",
              worker->environment->interpreter, WEIR_ARG(name));
    weir_str said = weir_str_trim(weir_buffer_str(&worker->said));
    if (said.length) weir_error_hint(error, "%.*s", WEIR_ARG(said));
    return false;
}

bool weir_python_describe(weir_python_environment *environment, weir_str name, weir_value **out,
                          weir_error *error) {
    weir__python_worker *worker = free_worker(environment, error);
    if (!worker) return false;
    ask_for(worker, name);
    wait_for_hello(worker);
    uint64_t until_us = weir_clock_steady_us() + DESCRIBE_US;
    while (!worker->described && !worker->leaves && weir_clock_steady_us() < until_us)
        if (!weir_channel_wait(worker->calls, until_us - weir_clock_steady_us())) break;
    weir_value *described = worker->described;
    worker->described = NULL;
    if (!described) {
        if (worker->process) weir_process_hear(worker->process);
        fail_silent(worker, name, error);
        weir__python_worker_kill(worker);
        return false;
    }
    weir_str failure = weir_member_text(described, "failure");
    if (!failure.length) {
        *out = described;
        return true;
    }
    weir_fail(error, WEIR_UNKNOWN_OPERATION, "%.*s", WEIR_ARG(failure));
    weir_error_hint(error, "%.*s", WEIR_ARG(weir_member_text(described, "hint")));
    weir_value_unref(described);
    return false;
}

/* --- end -------------------------------------------------------------------------------------------- */

void weir__python_worker_kill(weir__python_worker *worker) {
    worker->leaves = true;
    if (worker->process) weir_process_signal(worker->process, SIGKILL);
}

static weir_outcome outcome_of_crash(const weir__python_worker *worker,
                                     const weir__python_call *call, const weir_process_end *end) {
    weir_outcome outcome;
    if (call->stopped)
        return weir_outcome_failed(WEIR_OUTCOME_CANCELLED, "cancelled",
                                   "its worker was ended, as it did not end by itself");
    if (end->signal)
        outcome = weir_outcome_failed(WEIR_OUTCOME_FAILED, "operation_failed",
                                      "the worker was ended by signal %d (%s)%s", end->signal,
                                      strsignal(end->signal),
                                      end->out_of_memory ? ", as there was no memory left" : "");
    else
        outcome = weir_outcome_failed(WEIR_OUTCOME_FAILED, "operation_failed",
                                      "the worker ended with exit code %d", end->exit_code);
    if (end->signal)
        weir_member_put(outcome.failure, "signal", weir_int_new(end->signal));
    else
        weir_member_put(outcome.failure, "exit_code", weir_int_new(end->exit_code));
    if (end->out_of_memory) weir_member_put(outcome.failure, "out_of_memory", weir_bool_new(true));
    weir_str said = weir_str_trim(weir_buffer_str(&worker->said));
    if (said.length) weir_member_put(outcome.failure, "log", weir__text_new(said));
    return outcome;
}

static void end_call(weir__python_worker *worker, weir__python_call *call,
                     const weir_process_end *end) {
    weir_outcome outcome = outcome_of_crash(worker, call, end);
    weir__python_finish(call, &outcome);
}

/* It waits again, before those that came later. `blamed`: it may be what ended the worker. */
static void put_back(weir__python_worker *worker, weir__python_call *call, bool blamed) {
    weir__python_list_remove(&worker->list, call);
    call->worker = NULL;
    call->moved += blamed;
    weir__python_list_add_first(&worker->environment->waiting[call->function->kind], call);
}

/* What it had: the one that it was at came to this end; those before it are done, and nobody heard of it; those behind it were not
 * begun. Of coroutines nobody knows. */
static void leave_calls(weir__python_worker *worker, const weir_process_end *end) {
    enum { MOVES_MAX = 3 };
    weir__python_call *at = call_under_way(worker), *call = worker->list.first, *next;
    bool blamed = at == NULL;
    for (; at && worker->kind != WEIR__PYTHON_COROUTINE && call != at; call = next) {
        next = call->next;
        weir__python_lose(call, "its worker ended before it told of it");
    }
    if (at) end_call(worker, at, end);
    while ((call = worker->list.last)) {
        if (call->stopped || worker->kind == WEIR__PYTHON_COROUTINE || call->moved >= MOVES_MAX)
            end_call(worker, call, end);
        else
            put_back(worker, call, blamed);
    }
}

static void fail_environment(weir__python_worker *worker, const weir_process_end *end) {
    for (int kind = 0; kind < WEIR__PYTHON_KINDS; kind++) {
        weir__python_list *waiting = &worker->environment->waiting[kind];
        while (waiting->first) {
            weir_outcome outcome = outcome_of_crash(worker, waiting->first, end);
            outcome.kind = WEIR_OUTCOME_ERRORED;
            weir__python_finish(waiting->first, &outcome);
        }
    }
}

void weir__python_worker_ended(weir__python_worker *worker, const weir_process_end *end) {
    enum { FAILURES_MAX = 3 };
    weir_python_environment *environment = worker->environment;
    worker->leaves = true;
    if (environment->executor->closed) return;
    if (worker->calls) /* what it said before it ended */
        while (weir_channel_wait(worker->calls, 0)) continue;
    leave_calls(worker, end);
    if (environment->unfit && !worker->greeted)
        weir__python_fail_unfit(environment);
    else if (worker->greeted)
        environment->failures = 0;
    else if (++environment->failures >= FAILURES_MAX)
        fail_environment(worker, end);
    weir__python_worker_free(worker);
    weir__python_dispatch_soon(environment);
}

void weir__python_worker_free(weir__python_worker *worker) {
    weir_python_environment *environment = worker->environment;
    while (worker->list.first) { /* only when all is closed */
        weir__python_call *call = worker->list.first;
        weir__python_list_remove(&worker->list, call);
        call->worker = NULL;
        weir__python_list_add(&environment->waiting[call->function->kind], call);
    }
    for (size_t i = 0; i < environment->workers.count; i++)
        if (environment->workers.items[i] == worker)
            environment->workers.items[i] =
                environment->workers.items[--environment->workers.count];
    weir_channel_close(worker->calls);
    weir_channel_close(worker->control);
    if (worker->page) munmap((void *)(uintptr_t)worker->page, PAGE_BYTES);
    weir_value_unref(worker->described);
    weir_buffer_deinit(&worker->said);
    weir_vector_deinit(&worker->knows);
    weir_free(worker);
}

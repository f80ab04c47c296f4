#include "executor/process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "data/json.h"
#include "executor/command.h"
#include "executor/host.h"
#include "io/process.h"

enum { METRIC_BYTES_MAX = 64 * 1024 };

typedef struct process_executor process_executor;

/* An attempt under way. */
typedef struct work {
    process_executor *executor;
    size_t place; /* among the executor's */
    weir_attempt attempt;
    weir_arena arena; /* of the command */
    weir_command command;
    weir_process *process;
    weir_log *log;
    weir_timer *killer;  /* NULL until it is asked to end */
    bool stopped;        /* somebody wanted it to end */
    bool cut;            /* standard output was longer than is kept */
    weir_buffer result;  /* the last of standard output */
    weir_buffer metrics; /* the line under way */
} work;

struct process_executor {
    weir_executor base;
    weir_loop *loop;
    weir_reporter *reporter;
    weir_logs *logs;
    const weir_secrets *secrets;
    bool closed;
    WEIR_VECTOR(work *) works;
};

static void free_work(work *w) {
    if (w->command.source) unlink(w->command.source);
    if (w->killer) weir_timer_close(w->killer);
    weir_log_close(w->log);
    weir_attempt_drop(&w->attempt);
    weir_arena_deinit(&w->arena);
    weir_buffer_deinit(&w->result);
    weir_buffer_deinit(&w->metrics);
    weir_free(w);
}

/* Not from within a secret on: nobody would know the end of one that is left. */
static void keep_last(work *w) {
    if (w->result.length <= WEIR_RESULT_BYTES_MAX) return;
    size_t from = weir_secrets_edge(w->executor->secrets, weir_buffer_str(&w->result),
                                    w->result.length - WEIR_RESULT_BYTES_MAX);
    w->result.length -= from;
    memmove(w->result.data, w->result.data + from, w->result.length + 1);
    w->cut = true;
}

static void take_output(void *arg, bool error_stream, weir_str bytes) {
    work *w = arg;
    weir_log_write(w->log, error_stream, bytes);
    if (error_stream) return;
    weir_buffer_str_append(&w->result, bytes);
    if (w->result.length > 2 * WEIR_RESULT_BYTES_MAX) keep_last(w);
}

static void report_metric(work *w, weir_str line) {
    weir_value *metric = NULL;
    weir_error error;
    if (!weir_json_parse(line, WEIR_STR("WEIR_METRICS"), &metric, &error)) metric = NULL;
    const weir_value *value = weir_member_named(metric, "value");
    weir_str name = weir_member_text(metric, "name");
    if (name.length && (weir_is(value, WEIR_INT) || weir_is(value, WEIR_FLOAT)))
        weir__report_metric(w->executor->reporter, &w->attempt, name, weir_number_get(value),
                            weir_member_text(metric, "unit"));
    else
        weir_log_write(w->log, true,
                       WEIR_STR("weir: a line of WEIR_METRICS is no {name, value, unit}\n"));
    weir_value_unref(metric);
}

static void take_metrics(void *arg, weir_str bytes) {
    work *w = arg;
    while (bytes.length && !w->executor->closed) {
        const char *end = memchr(bytes.data, '\n', bytes.length);
        size_t length = end ? (size_t)(end - bytes.data) : bytes.length;
        if (w->metrics.length + length > METRIC_BYTES_MAX)
            weir_buffer_clear(&w->metrics);
        else
            weir_buffer_append(&w->metrics, bytes.data, length);
        if (end) {
            weir_str line = weir_str_trim(weir_buffer_str(&w->metrics));
            if (line.length) report_metric(w, line);
            weir_buffer_clear(&w->metrics);
        }
        bytes = weir_str_slice(bytes, length + 1, bytes.length);
    }
}

static weir_str without_line_end(weir_str text) {
    return weir_str_ends(text, WEIR_STR("\n")) ? weir_str_slice(text, 0, text.length - 1) : text;
}

/* Masked before it is made valid UTF-8, which could change a secret so that it is not found any more. */
static weir_value *text_of_output(work *w) {
    weir_secrets_mask(w->executor->secrets, &w->result);
    weir_str text = weir_buffer_str(&w->result);
    while (w->cut && text.length && ((unsigned char)text.data[0] & 0xc0) == 0x80)
        text = weir_str_slice(text, 1, text.length);
    return weir__text_new(without_line_end(text));
}

/* The outputs; the error says why the result has not the form that was asked for, and is text. */
static weir_value *make_outputs(work *w, const weir_process_end *end, weir_error *error) {
    keep_last(w);
    weir_str text = without_line_end(weir_buffer_str(&w->result));
    weir_value *outputs = weir_object_new(), *result = NULL;
    if (w->command.json && w->cut)
        weir_fail(error, WEIR_LIMIT, "standard output is longer than %d bytes",
                  WEIR_RESULT_BYTES_MAX);
    else if (w->command.json && !weir_json_parse(text, WEIR_STR("standard output"), &result, error))
        weir_error_context(error, "this is no JSON");
    weir_member_put(outputs, "result", result ? result : text_of_output(w));
    int code = end->signal ? 128 + end->signal : end->exit_code;
    weir_member_put(outputs, "exit_code", weir_int_new(code));
    return outputs;
}

static weir_outcome judge(const work *w, const weir_process_end *end, const weir_error *form) {
    const char *failed = weir_code_text(WEIR_OPERATION_FAILED);
    if (w->stopped)
        return weir_outcome_failed(WEIR_OUTCOME_CANCELLED, weir_code_text(WEIR_CANCELLED),
                                   "it was told to end");
    const char *name = end->signal ? sigabbrev_np(end->signal) : NULL;
    if (end->signal)
        return weir_outcome_failed(WEIR_OUTCOME_FAILED, failed, "ended by signal %d (SIG%s)",
                                   end->signal, name ? name : "RT");
    if (end->exit_code)
        return weir_outcome_failed(WEIR_OUTCOME_FAILED, failed, "exit code %d", end->exit_code);
    if (!form->code) return (weir_outcome){.kind = WEIR_OUTCOME_SUCCEEDED};
    char text[1024];
    return weir_outcome_failed(WEIR_OUTCOME_FAILED, weir_code_text(form->code), "%s",
                               weir_error_format(form, text, sizeof text));
}

static weir_outcome make_outcome(work *w, const weir_process_end *end) {
    weir_error form = {0};
    weir_value *outputs = make_outputs(w, end, &form);
    weir_outcome outcome = judge(w, end, &form);
    outcome.outputs = outputs;
    if (outcome.failure) {
        weir_member_put(outcome.failure, end->signal ? "signal" : "exit_code",
                        weir_int_new(end->signal ? end->signal : end->exit_code));
        weir_str log = weir_log_tail(w->log);
        if (log.length) weir_member_put(outcome.failure, "log", weir__text_new(log));
    }
    outcome.usage = weir_object_new();
    weir_member_put(outcome.usage, "wall_us", weir_int_new((int64_t)end->wall_us));
    weir_member_put(outcome.usage, "cpu_us", weir_int_new((int64_t)end->cpu_us));
    weir_member_put(outcome.usage, "memory_peak_bytes",
                    weir_int_new((int64_t)end->memory_peak_bytes));
    return outcome;
}

static void process_ended(void *arg, const weir_process_end *end) {
    work *w = arg;
    process_executor *executor = w->executor;
    work *last = executor->works.items[--executor->works.count];
    executor->works.items[w->place] = last;
    last->place = w->place;
    if (!executor->closed) {
        weir_outcome outcome = make_outcome(w, end);
        weir__report_finished(executor->reporter, &w->attempt, &outcome);
    }
    free_work(w);
}

/* The number of the attempt of the task `prefix` ("RUN/TASK/") that the process belongs to; 0: it does not, or is of another copy
 * of the state. */
static unsigned long attempt_of(int folder, const char *prefix, const char *copy) {
    weir_buffer environment = {0};
    unsigned long number = 0;
    weir_str found = {0};
    ssize_t count = 0;
    int fd = openat(folder, "environ", O_RDONLY | O_CLOEXEC);
    while (fd >= 0) {
        weir_buffer_reserve(&environment, 16 * 1024);
        count = read(fd, environment.data + environment.length, 16 * 1024);
        if (count <= 0) break;
        environment.length += (size_t)count;
        environment.data[environment.length] = '\0';
    }
    if (fd >= 0) close(fd);
    for (size_t at = 0; at < environment.length; at += strlen(environment.data + at) + 1) {
        weir_str variable = weir_str_from(environment.data + at);
        if (weir_str_starts(variable, WEIR_STR("WEIR_COPY=")))
            found = weir_str_slice(variable, sizeof "WEIR_COPY=" - 1, variable.length);
        if (number || !weir_str_starts(variable, WEIR_STR("WEIR_ATTEMPT="))) continue;
        variable = weir_str_slice(variable, sizeof "WEIR_ATTEMPT=" - 1, variable.length);
        if (!weir_str_starts(variable, weir_str_from(prefix))) break;
        number = strtoul(variable.data + strlen(prefix), NULL, 10);
    }
    if (!weir_str_is(found, copy ? copy : "")) number = 0;
    weir_buffer_deinit(&environment);
    return number;
}

/* Ends processes of the task's attempts but the one numbered `keep`; whether there were any. */
static bool kill_others(const weir_attempt_id *id, uint32_t keep, const char *copy) {
    char prefix[WEIR_ATTEMPT_TEXT];
    snprintf(prefix, sizeof prefix, "%s/%u/", id->run, id->task);
    bool found = false;
    DIR *processes = opendir("/proc");
    for (const struct dirent *entry; processes && (entry = readdir(processes));) {
        struct stat owner;
        if (!isdigit((unsigned char)entry->d_name[0])) continue;
        int folder = openat(dirfd(processes), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder < 0) continue;
        if (fstat(folder, &owner) == 0 && owner.st_uid == geteuid()) {
            unsigned long number = attempt_of(folder, prefix, copy);
            pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10), group = getpgid(pid);
            if (number && number != keep && pid != getpid()) {
                found = true;
                kill(group > 1 && group != getpgrp() ? -group : pid, SIGKILL);
            }
        }
        close(folder);
    }
    if (processes) closedir(processes);
    return found;
}

/* The engine that started them was killed, they were not. Looks until none is left, at most 100 ms: a process in the
 * middle of a system call takes its time to end. */
static void end_others(const weir_attempt_id *id, uint32_t keep, const char *copy) {
    for (int i = 0; i < 100 && kill_others(id, keep, copy); i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
}

static bool start_process(work *w, weir_error *error) {
    process_executor *executor = w->executor;
    if (!weir_command_read(&w->attempt, executor->secrets, executor->logs, &w->arena, &w->command,
                           error))
        return false;
    weir_process_options options = {
        .argv = w->command.argv,
        .environment = w->command.environment,
        .directory = w->command.directory,
        .input = w->command.input,
        .output = take_output,
        .metrics = take_metrics,
        .ended = process_ended,
        .arg = w,
    };
    return weir_process_start(executor->loop, &options, &w->process, error);
}

static void start(weir_executor *base, const weir_attempt *attempt) {
    process_executor *executor = (process_executor *)base;
    weir_error error;
    work *w = weir_alloc(sizeof *w);
    w->executor = executor;
    w->attempt = weir_attempt_hold(attempt);
    w->log = weir_log_open(executor->logs, &attempt->id);
    if (attempt->again) end_others(&attempt->id, attempt->id.number, executor->logs->copy);
    if (!start_process(w, &error)) {
        char text[1024];
        weir_outcome outcome =
            weir_outcome_failed(WEIR_OUTCOME_ERRORED, weir_code_text(error.code), "%s",
                                weir_error_format(&error, text, sizeof text));
        weir__report_finished(executor->reporter, attempt, &outcome);
        free_work(w);
        return;
    }
    w->place = executor->works.count;
    *weir_vector_push(&executor->works) = w;
    weir__report_started(executor->reporter, attempt, weir_process_pid(w->process));
}

static void kill_work(void *arg) {
    weir_process_signal(((work *)arg)->process, SIGKILL);
}

static void stop(weir_executor *base, const weir_attempt_id *attempt, weir_stop how,
                 uint64_t grace_us) {
    process_executor *executor = (process_executor *)base;
    for (size_t i = 0; i < executor->works.count; i++) {
        work *w = executor->works.items[i];
        if (!weir_attempt_equal(&w->attempt.id, attempt)) continue;
        if (how >= WEIR_STOP_KILL) {
            kill_work(w);
        } else if (!w->stopped) {
            weir_process_signal(w->process, SIGTERM);
            w->killer = weir_timer_open(executor->loop, kill_work, w);
            weir_timer_start(w->killer, grace_us ? grace_us : WEIR_GRACE_US);
        }
        w->stopped = true;
        return;
    }
    /* Not ours: perhaps of an engine that was killed. */
    if (how == WEIR_STOP_KILL) end_others(attempt, 0, executor->logs->copy);
}

static void close_executor(weir_executor *base) {
    process_executor *executor = (process_executor *)base;
    executor->closed = true;
    for (size_t i = 0; i < executor->works.count; i++) {
        executor->works.items[i]->stopped = true;
        kill_work(executor->works.items[i]);
    }
    while (executor->works.count) weir_loop_once(executor->loop, true);
    weir_vector_deinit(&executor->works);
    weir_free(executor);
}

weir_executor *weir_process_executor_open(weir_loop *loop, weir_reporter *reporter, weir_logs *logs,
                                          const weir_secrets *secrets) {
    static const weir_executor_class class = {
        .name = "process", .start = start, .stop = stop, .close = close_executor};
    process_executor *executor = weir_alloc(sizeof *executor);
    executor->base.class = &class;
    executor->loop = loop;
    executor->reporter = reporter;
    executor->logs = logs;
    executor->secrets = secrets;
    return &executor->base;
}

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/engine_internal.h"
#include "executor/listing.h"
#include "executor/python.h"
#include "operations/operations.h"

uint64_t weir__now_us(const weir_engine *engine) {
    return engine->opened_us + (weir_clock_steady_us() - engine->opened_steady_us);
}

const char *weir_version(void) {
    return WEIR_VERSION;
}

void weir_crash_report(void) {
    weir_crash_report_install();
}

/* --- reports of executors ------------------------------------------------------------------- */

typedef struct delivery {
    weir_engine *engine;
    weir_report report;
} delivery;

void weir__outcome_admit(const weir_engine *engine, weir_outcome *outcome) {
    if (outcome->outputs && !weir_value_is_flat(outcome->outputs, WEIR_DEPTH_MAX + 1)) {
        weir_outcome_deinit(outcome);
        *outcome = weir_outcome_failed(WEIR_OUTCOME_FAILED, "limit_exceeded",
                                       "an output is nested deeper than %d levels", WEIR_DEPTH_MAX);
    }
    weir_value **values[] = {&outcome->outputs, &outcome->failure};
    for (size_t i = 0; engine->secrets.count && i < sizeof values / sizeof *values; i++)
        if (*values[i]) *values[i] = weir_secrets_mask_value(&engine->secrets, *values[i]);
}

static void note_report(weir_run *run, const weir_report *report) {
    if (report->kind == WEIR_REPORT_FINISHED || report->kind == WEIR_REPORT_LOST)
        weir__slots_freed(run, &report->attempt);
    uint64_t gather_us = weir__slots_gather_us(run);
    if (gather_us)
        weir__run_pump_later(run, gather_us);
    else
        weir__run_pump_soon(run);
}

static void take_report(weir_engine *engine, weir_report *report) {
    weir_run *run = weir__run_find(engine, report->attempt.run);
    if (run && !run->failed && !engine->closing) {
        weir__outcome_admit(engine, &report->outcome);
        if (report->kind == WEIR_REPORT_FINISHED) weir__cost_end(run, report);
        if (report->data && engine->secrets.count)
            report->data = weir_secrets_mask_value(&engine->secrets, report->data);
        if (weir_machine_report(run->machine, weir__now_us(engine), report))
            note_report(run, report);
    }
    weir_report_deinit(report);
}

static void deliver(void *arg) {
    delivery *d = arg;
    take_report(d->engine, &d->report);
    weir_free(d);
}

/* From any thread: the loop's thread takes it from here. What is made at once needs no queue: no other report of its
 * attempt can be in it, and the machine makes no step while effects are carried out. */
static void receive(weir_reporter *base, const weir_report *report) {
    weir_engine *engine = ((weir__engine_reporter *)base)->engine;
    if (report->at_once) {
        weir_report taken = *report;
        take_report(engine, &taken);
        return;
    }
    delivery *d = weir_alloc(sizeof *d);
    *d = (delivery){engine, *report};
    weir_loop_post(engine->loop, deliver, d);
}

typedef struct log_line {
    weir_engine *engine;
    weir_attempt_id attempt;
    char *text;
} log_line;

static void show_line(void *arg) {
    log_line *line = arg;
    weir_engine *engine = line->engine;
    weir_run *run = weir__run_find(engine, line->attempt.run);
    if (run && !run->ended && !engine->closing)
        engine->options.log(engine->options.arg, run, line->attempt.task,
                            weir_str_from(line->text));
    weir_free(line->text);
    weir_free(line);
}

/* From any thread, as receive. */
static void follow_log(void *arg, const weir_attempt_id *attempt, weir_str text) {
    weir_engine *engine = arg;
    log_line *line = weir_alloc(sizeof *line);
    *line = (log_line){engine, *attempt, weir_str_dup(text)};
    weir_loop_post(engine->loop, show_line, line);
}

/* --- operations and secrets ------------------------------------------------------------------ */

static bool load_operations(weir_engine *engine, weir_error *error) {
    for (size_t i = 0; weir_standard_plugins[i]; i++)
        if (!weir_registry_add(&engine->registry, weir_standard_plugins[i](weir_host_get()), error))
            return false;
    engine->standard = engine->registry.operations.count;
    for (const weir_plugin *const *own = engine->options.own_plugins; own && *own; own++)
        if (!weir_registry_add(&engine->registry, *own, error)) return false;
    return weir__plugins_load(engine, error);
}

static bool take_secrets(weir_engine *engine, weir_error *error) {
    const char *const *pair = engine->options.secrets;
    for (; pair && pair[0] && pair[1]; pair += 2) {
        if (!weir_secrets_add(&engine->secrets, weir_str_from(pair[0]), weir_str_from(pair[1]),
                              error))
            return false;
        *weir_vector_push(&engine->secrets_given) = weir_str_dup(weir_str_from(pair[0]));
    }
    return true;
}

/* --- open and close ------------------------------------------------------------------------- */

static void name_owner(weir_engine *engine) {
    char host[200] = "localhost";
    gethostname(host, sizeof host - 1);
    snprintf(engine->owner, sizeof engine->owner, "%s:%ld", host, (long)getpid());
}

static void end_wait(void *arg) {
    ((weir_engine *)arg)->waited = true;
}

/* Whether a run has more open tasks than its generators should add to, and something else than them is under way that
 * will make them fewer. */
static bool is_crowded(void *arg, const char *id) {
    enum { OPEN_MAX = 10000, GENERATORS_MAX = 64 };
    const weir_run *run = weir__run_find(arg, id);
    if (!run || run->over) return false;
    const weir_tasks *tasks = weir_machine_tasks(run->machine);
    return weir_tasks_open(tasks) > OPEN_MAX && weir_tasks_under_way(tasks) > GENERATORS_MAX;
}

/* NULL: it is no copy. */
static char *read_copy(const weir_engine *engine) {
    weir_buffer path = {0};
    char word[WEIR_RUN_ID_LENGTH];
    weir_buffer_printf(&path, "%s/" WEIR__COPY_FILE, engine->state);
    int fd = open(path.data, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, word, sizeof word) : 0;
    if (fd >= 0) close(fd);
    weir_buffer_deinit(&path);
    return length > 0 ? weir_str_dup((weir_str){word, (size_t)length}) : NULL;
}

static void open_executors(weir_engine *engine) {
    weir_buffer logs = {0};
    if (engine->state) {
        weir_buffer_printf(&logs, "%s/logs", engine->state);
        engine->logs.directory = logs.data;
        engine->logs.copy = read_copy(engine);
    }
    engine->logs.secrets = &engine->secrets;
    engine->logs.follow = engine->options.log ? follow_log : NULL;
    engine->logs.arg = engine;
    engine->reporter = (weir__engine_reporter){{receive}, engine};
    weir_reporter *reporter = &engine->reporter.base;
    engine->executors[WEIR__EXECUTOR_INLINE] =
        weir_inline_open(engine->loop, reporter, &engine->logs);
    weir_inline_watch(engine->executors[WEIR__EXECUTOR_INLINE], is_crowded, engine);
    weir_inline_leave(engine->executors[WEIR__EXECUTOR_INLINE], &engine->left);
    engine->executors[WEIR__EXECUTOR_PROCESS] =
        weir_process_executor_open(engine->loop, reporter, &engine->logs, &engine->secrets);
    weir_buffer folder = {0}, volumes = {0}, claims = {0};
    if (engine->state) {
        weir_buffer_printf(&folder, "%s/sandboxes", engine->state);
        weir_buffer_printf(&volumes, "%s/volumes", engine->state);
        weir_buffer_printf(&claims, "%s/claims", engine->state);
    }
    weir_process_isolate(
        engine->executors[WEIR__EXECUTOR_PROCESS],
        &(weir_sandboxes_options){.isolation = engine->options.not_isolated ? WEIR_ISOLATION_NONE
                                                                            : WEIR_ISOLATION_AUTO,
                                  .folder = folder.data},
        (weir_value *)(uintptr_t)engine->options.images, volumes.data, claims.data);
    weir_buffer_deinit(&folder);
    weir_buffer_deinit(&volumes);
    weir_buffer_deinit(&claims);
    weir__images_open(engine);
    weir__artifacts_open(engine);
    engine->executors[WEIR__EXECUTOR_LISTING] =
        weir_listing_open(engine->loop, reporter, engine->repository);
    weir__pythons_open(engine);
    weir_python_watch(engine->executors[WEIR__EXECUTOR_PYTHON], is_crowded, engine);
    engine->executors[WEIR__EXECUTOR_RUN] = weir__child_executor_new(engine);
}

enum { THREADS_MAX = 256 };

bool weir_open(const weir_options *options, weir_engine **out, weir_error *error) {
    weir_assert(options->size == sizeof *options);
    if (!options->state && options->durability != WEIR_DURABILITY_NONE)
        return weir_fail(error, WEIR_USAGE, "a durable engine needs a state directory");
    weir_engine *engine = weir_alloc(sizeof *engine);
    engine->options = *options;
    if (options->durability != WEIR_DURABILITY_NONE)
        engine->state = weir_str_dup(weir_str_from(options->state));
    if (options->state) engine->templates = weir__templates_folder(options->state);
    if (!engine->options.attempts_max) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        engine->options.attempts_max = processors > 0 ? 4 * (uint32_t)processors : 4;
    }
    name_owner(engine);
    engine->opened_us = weir_clock_us();
    engine->opened_steady_us = weir_clock_steady_us();
    engine->lock_file = -1;
    engine->folder = getcwd(NULL, 0);
    if (!weir_loop_open(&engine->loop, error)) {
        free(engine->folder); /* getcwd has its memory from the C library */
        weir_free(engine->templates);
        weir_free(engine->state);
        weir_free(engine);
        return false;
    }
    engine->waiting = weir_timer_open(engine->loop, end_wait, engine);
    engine->listening = weir_timer_open(engine->loop, weir__runs_listen, engine);
    weir__limits_open(engine);
    if (!take_secrets(engine, error) || !load_operations(engine, error) ||
        !weir_store_open_heard(engine->loop, engine->state, options->store, options->durability,
                               &(weir_store_listener){options->waits, options->arg}, &engine->store,
                               error)) {
        weir_close(engine);
        return false;
    }
    weir_store_watch(engine->store, weir__run_lost, engine);
    weir_store_listen(engine->store, weir__control_take, engine);
    if (engine->state) {
        const char *files = weir_store_directory(engine->store);
        engine->locks = weir_str_dup(weir_str_from(files ? files : engine->state));
    }
    engine->options.state = engine->options.store = NULL; /* the caller's, as those are */
    engine->options.plugins = engine->options.secrets = NULL;
    open_executors(engine);
    engine->options.images = engine->options.artifacts = NULL;
    engine->options.image_store = NULL;
    engine->options.executor = NULL;
    weir_crash_report_kept(engine->state != NULL);
    if (options->threads > 1)
        engine->crew =
            weir_crew_open(options->threads < THREADS_MAX ? options->threads : THREADS_MAX);
    *out = engine;
    return true;
}

/* With operations that do not end. */
static _Atomic(weir_engine *) left_engines;

const char *weir_running_operation(void) {
    return weir_inline_running();
}

const char *weir_left_behind(void) {
    return weir_inline_left_behind();
}

void weir_close(weir_engine *engine) {
    if (!engine) return;
    engine->closing = true;
    while (engine->runs.count) weir__run_free(engine->runs.items[engine->runs.count - 1]);
    for (size_t i = 0; i < WEIR__EXECUTORS; i++)
        if (engine->executors[i]) engine->executors[i]->class->close(engine->executors[i]);
    weir__pythons_close(engine);
    weir__images_close(engine);
    weir__artifacts_close(engine);
    weir__memo_end_jobs(engine);
    weir__values_end_jobs(engine);
    if (engine->store) weir_store_close(engine->store);
    weir__memo_end_jobs(engine); /* what the last puts let go */
    weir__memo_close(engine);
    if (engine->lock_file >= 0) close(engine->lock_file);
    weir_blobs_close(engine->blobs);
    weir_crew_close(engine->crew);
    if (engine->left) {
        engine->next = atomic_exchange(&left_engines, engine);
        return;
    }
    weir_timer_close(engine->waiting);
    weir_timer_close(engine->listening);
    weir__locks_close(engine);
    weir__limits_close(engine);
    weir_loop_close(engine->loop);
    weir_vector_deinit(&engine->runs);
    weir_document_deinit(&engine->last_file);
    weir_buffer_deinit(&engine->names.texts);
    weir_registry_deinit(&engine->registry);
    weir__plugins_unload(engine);
    weir_secrets_deinit(&engine->secrets);
    for (size_t i = 0; i < engine->secrets_given.count; i++)
        weir_free(engine->secrets_given.items[i]);
    weir_vector_deinit(&engine->secrets_given);
    weir_free(engine->logs.directory);
    weir_free(engine->logs.copy);
    weir_free(engine->locks);
    weir_free(engine->templates);
    weir_free(engine->state);
    free(engine->folder); /* getcwd has its memory from the C library */
    weir_free(engine);
}

#include "executor/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "data/json.h"
#include "executor/artifacts.h"
#include "executor/attempt_images.h"
#include "executor/collect.h"
#include "executor/command.h"
#include "executor/footprint.h"
#include "executor/given.h"
#include "executor/host.h"
#include "executor/images.h"
#include "executor/in_image.h"
#include "executor/life.h"
#include "executor/pod.h"
#include "executor/probe.h"
#include "executor/sandbox_spec.h"
#include "executor/strays.h"
#include "executor/watch.h"
#include "io/process.h"

typedef struct process_executor process_executor;

/* An attempt under way. */
typedef struct work {
    process_executor *executor;
    size_t place; /* among the executor's */
    weir_attempt attempt;
    weir_arena arena; /* of the command */
    bool read;        /* command and spec were */
    weir_command command;
    weir_sandbox_spec spec;
    weir_process *process;       /* NULL: it has ended */
    weir_sandbox *sandbox;       /* NULL: none */
    weir_outcome outcome;        /* while its files are collected */
    weir_staging *staging;       /* of its artifacts; NULL: it has none to begin with */
    bool stages;                 /* they are on their way */
    bool kept;                   /* its sandbox has what is to be kept */
    int *log_copies;             /* of the logs that are to be kept; NULL: none is */
    atomic_bool hurries;         /* what is done with its artifacts is to end */
    weir_attempt_images *images; /* NULL: it runs in none */
    bool awaits;                 /* they are on their way */
    weir_pod *pod;               /* NULL: it has no containers beside the command */
    weir_probe *probe;           /* of a service; NULL: none asks */
    weir_life *life;             /* of one that may freeze; NULL: nobody looks */
    weir_footprint *footprint;   /* NULL: nobody looks at its memory */
    weir_watch *watch;           /* of what its files say; NULL: it is in no sandbox */
    weir_error unready;          /* why its probe cannot ask: it was ended for that */
    char *scratch;               /* its folder of volumes; NULL: it has none */
    uint64_t bytes_in;           /* that it is given beside its parameters */
    weir_log *log;
    weir_timer *killer;  /* NULL until it is asked to end */
    bool stopped;        /* somebody wanted it to end */
    bool plain;          /* not isolated: what left its group does not end with it */
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
    weir_sandboxes *sandboxes;                /* NULL: none was wanted yet */
    weir_sandboxes *image_sandboxes;          /* the same, of attempts in images */
    weir_sandboxes_options sandboxes_options; /* of the latter */
    weir_obtainer *obtainer;                  /* of images; NULL: there are none */
    weir_image_policy pull;
    bool asked_only;           /* see weir_obtain_options */
    weir_artifacts *artifacts; /* NULL: there are none */
    weir_value *images;
    char *volumes, *claims;
    bool own_volumes; /* there is no state, and the folder of volumes is this process's alone */
    bool swept;
    size_t forgotten; /* runs */
    size_t removing;  /* folders of attempts that are over */
    bool closed;
    WEIR_VECTOR(work *) works;
};

/* A folder that goes while the loop turns. */
typedef struct removal {
    process_executor *executor;
    char *folder;
} removal;

static void remove_folder(void *arg) {
    (void)weir_sandbox_remove(((removal *)arg)->folder);
}

static void folder_removed(void *arg) {
    removal *r = arg;
    r->executor->removing--;
    weir_free(r->folder);
    weir_free(r);
}

/* Takes the folder over. */
static void remove_later(process_executor *executor, char *folder) {
    removal *r = weir_alloc(sizeof *r);
    *r = (removal){executor, folder};
    executor->removing++;
    weir_pool_run(executor->loop, remove_folder, folder_removed, r);
}

static void free_work(work *w) {
    if (w->command.source && !w->command.script.data) unlink(w->command.source);
    if (w->sandbox) weir_sandbox_release(w->sandbox);
    weir_staging_free(w->staging);
    weir_attempt_images_free(w->images);
    weir_probe_close(w->probe);
    weir_life_close(w->life);
    weir_footprint_close(w->footprint);
    weir_watch_close(w->watch);
    weir_pod_free(w->pod);
    if (w->scratch) remove_later(w->executor, w->scratch);
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
    weir_life_note(w->life);
    if (error_stream) return;
    weir_buffer_str_append(&w->result, bytes);
    if (w->result.length > 2 * WEIR_RESULT_BYTES_MAX) keep_last(w);
}

/* Of any of its containers; `under_way` is the line that has not ended. */
static void take_metric_lines(void *arg, weir_log *log, weir_buffer *under_way, weir_str bytes) {
    const work *w = arg;
    if (!w->executor->closed)
        weir__report_metric_lines(w->executor->reporter, &w->attempt, log, under_way, bytes);
}

/* As a metric, which the journal has for whoever looks. */
static void tell_progress(void *arg, uint32_t done, uint32_t total) {
    const work *w = arg;
    char unit[32];
    snprintf(unit, sizeof unit, "of %" PRIu32, total);
    if (!w->executor->closed)
        weir__report_metric(w->executor->reporter, &w->attempt, WEIR_STR("progress"), (double)done,
                            weir_str_from(unit));
}

static void take_metrics(void *arg, weir_str bytes) {
    work *w = arg;
    weir_life_note(w->life);
    take_metric_lines(w, w->log, &w->metrics, bytes);
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

static weir_outcome told_to_end(void) {
    return weir_outcome_failed(WEIR_OUTCOME_CANCELLED, weir_code_text(WEIR_CANCELLED),
                               "it was told to end");
}

static weir_outcome judge(const work *w, const weir_process_end *end, const weir_error *form) {
    const char *failed = weir_code_text(WEIR_OPERATION_FAILED);
    if (w->stopped) return told_to_end();
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

/* It could not be started in its sandbox. */
static weir_outcome outcome_of_error(const weir_error *error) {
    char text[1024];
    return weir_outcome_failed(WEIR_OUTCOME_ERRORED, weir_code_text(error->code), "%s",
                               weir_error_format(error, text, sizeof text));
}

static weir_outcome make_outcome(work *w, const weir_process_end *end) {
    weir_error form = {0};
    weir_value *outputs = make_outputs(w, end, &form);
    weir_outcome outcome = judge(w, end, &form);
    outcome.outputs = outputs;
    if (outcome.failure) {
        weir_member_put(outcome.failure, end->signal ? "signal" : "exit_code",
                        weir_int_new(end->signal ? end->signal : end->exit_code));
        if (end->out_of_memory)
            weir_member_put(outcome.failure, "out_of_memory", weir_bool_new(true));
        weir_str log = weir_log_tail(w->log);
        if (log.length) weir_member_put(outcome.failure, "log", weir__text_new(log));
    }
    outcome.usage = weir_object_new();
    weir_member_put(outcome.usage, "wall_us", weir_int_new((int64_t)end->wall_us));
    weir_member_put(outcome.usage, "cpu_us", weir_int_new((int64_t)end->cpu_us));
    uint64_t seen = weir_footprint_peak(w->footprint);
    weir_member_put(outcome.usage, "memory_peak_bytes",
                    weir_int_new((int64_t)(seen ? seen : end->memory_peak_bytes)));
    return outcome;
}

static void end_work(work *w, weir_outcome *outcome) {
    process_executor *executor = w->executor;
    weir_watch_judge(w->watch, outcome);
    if (w->bytes_in && outcome->usage)
        weir_member_put(outcome->usage, "bytes_in", weir_int_new((int64_t)w->bytes_in));
    work *last = executor->works.items[--executor->works.count];
    executor->works.items[w->place] = last;
    last->place = w->place;
    if (!executor->closed)
        weir__report_finished(executor->reporter, &w->attempt, outcome);
    else
        weir_outcome_deinit(outcome);
    free_work(w);
}

static const weir_value *outputs_wanted(const work *w) {
    return weir_member_named(weir_command_sandbox(w->attempt.config), "outputs");
}

static const weir_value *artifacts_wanted(const work *w) {
    const weir_value *sandbox = weir_command_sandbox(w->attempt.config);
    return w->executor->artifacts ? weir_artifacts_wanted(sandbox) : NULL;
}

static void collect_files(work *w) {
    const weir_value *wanted = w->sandbox ? outputs_wanted(w) : NULL;
    if (weir_is(wanted, WEIR_ARRAY) && w->outcome.outputs)
        weir_member_put(w->outcome.outputs, "files",
                        weir_collect(w->sandbox, wanted, w->executor->secrets));
}

/* An artifact that is missing makes an error of what succeeded. */
static void keep_artifacts(work *w) {
    weir_error error;
    weir_member_put(w->outcome.outputs, "artifacts",
                    weir_artifacts_keep(w->executor->artifacts, w->sandbox, artifacts_wanted(w),
                                        w->log_copies, &w->hurries, &error));
    if (!error.code || w->outcome.kind != WEIR_OUTCOME_SUCCEEDED) return;
    weir_outcome failed = outcome_of_error(&error);
    w->outcome.kind = error.code == WEIR_CANCELLED ? WEIR_OUTCOME_CANCELLED : WEIR_OUTCOME_ERRORED;
    w->outcome.failure = failed.failure;
}

static void take_all(void *arg) {
    work *w = arg;
    collect_files(w);
    if (w->kept) keep_artifacts(w);
    if (w->sandbox) weir_sandbox_forget(w->sandbox);
    if (w->staging) weir_staging_clear(w->staging);
}

static void all_taken(void *arg) {
    work *w = arg;
    end_work(w, &w->outcome);
}

/* What is written now is not of them. */
static void copy_logs(work *w, const weir_value *wanted) {
    if (!weir_has_items(wanted)) return;
    size_t count = weir_value_count(wanted);
    w->log_copies = weir_arena_alloc(&w->arena, count * sizeof *w->log_copies);
    for (size_t i = 0; i < count; i++) {
        weir_str name = weir_member_text(weir_array_at(wanted, i), "container");
        weir_log *log = w->pod && !weir_str_is(name, "main") ? weir_pod_log(w->pod, name) : w->log;
        w->log_copies[i] = log ? weir_log_reread(log) : -1;
    }
}

/* All of it has ended; w->outcome says how. */
static void conclude(work *w, bool begun) {
    bool ended = (begun || w->pod) && w->outcome.outputs && !w->executor->closed;
    bool looks = ended && begun && w->sandbox;
    const weir_value *artifacts = ended ? artifacts_wanted(w) : NULL;
    if (artifacts) copy_logs(w, weir_member_named(artifacts, "logs"));
    w->kept = w->log_copies || (looks && weir_member_named(artifacts, "outputs"));
    bool slow = looks && outputs_wanted(w) && weir_sandbox_is_slow(w->sandbox);
    if (w->kept || w->staging || slow) {
        weir_pool_run(w->executor->loop, take_all, all_taken, w);
    } else {
        if (looks) collect_files(w);
        end_work(w, &w->outcome);
    }
}

/* Of its containers main has ended: what it left waits for the others. */
static void main_ended(work *w, const weir_process_end *how, const weir_error *error) {
    if (!weir_pod_main_ended(w->pod, how, error)) return;
    weir_outcome_deinit(&w->outcome);
    w->outcome = (weir_outcome){.kind = WEIR_OUTCOME_SUCCEEDED};
    weir_sandbox_release(w->sandbox);
    w->sandbox = NULL;
    weir_buffer_clear(&w->metrics); /* what it printed stays: Argo's result has it of all tries */
}

/* The engine that started them was killed, they were not. */
static void end_others(const process_executor *executor, const weir_attempt_id *id, uint32_t keep) {
    const char *copy = executor->logs->copy;
    char attempts[WEIR_ATTEMPT_TEXT];
    snprintf(attempts, sizeof attempts, "%s-%u-", id->run, id->task);
    if (executor->sandboxes) weir_sandboxes_end_containers(executor->sandboxes, attempts, keep);
    weir__strays_kill(&(weir__strays){.id = id, .others = true, .keep = keep, .signal = SIGKILL},
                      copy);
}

/* It was told to end, and so is what left its process group (by setsid, say), where no namespace ends that: looked for only now, as it
 * costs some milliseconds. */
static void end_left(const work *w) {
    const weir_attempt_id *id = &w->attempt.id;
    if (w->stopped && w->plain)
        weir__strays_kill(&(weir__strays){.id = id, .keep = id->number, .signal = SIGKILL},
                          w->executor->logs->copy);
}

static void process_ended(void *arg, const weir_process_end *end) {
    work *w = arg;
    weir_process_end how = *end;
    weir_error error;
    weir_probe_close(w->probe);
    weir_life_close(w->life);
    w->probe = NULL;
    w->life = NULL;
    w->process = NULL;
    if (!w->pod) end_left(w);
    bool begun = !w->sandbox || weir_sandbox_end(w->sandbox, &how, &error);
    if (begun && w->unready.code) {
        error = w->unready;
        begun = false;
    }
    w->outcome = begun ? make_outcome(w, &how) : outcome_of_error(&error);
    weir_footprint_close(w->footprint);
    w->footprint = NULL;
    if (w->pod)
        main_ended(w, begun ? &how : NULL, &error);
    else
        conclude(w, begun);
}

static void warn_sandbox(void *arg, const char *text) {
    (void)arg;
    fprintf(stderr, "weir: warning: %s\n", text);
}

static weir_sandboxes *sandboxes_of(process_executor *executor) {
    if (!executor->sandboxes)
        executor->sandboxes = weir_sandboxes_new(&(weir_sandboxes_options){.warn = warn_sandbox});
    return executor->sandboxes;
}

static weir_sandboxes *image_sandboxes_of(process_executor *executor) {
    if (!executor->image_sandboxes)
        executor->image_sandboxes = weir_sandboxes_new(&executor->sandboxes_options);
    return executor->image_sandboxes;
}

/* Nobody else's, and nothing that others may change. */
static bool is_own_folder(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
           !(info.st_mode & (S_IWGRP | S_IWOTH));
}

/* Where there is no state: a folder that may not be somebody else's who knew its name. */
static void make_temporary(process_executor *executor) {
    const char *folder = getenv("TMPDIR");
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/weir-volumes-%u", folder && *folder ? folder : "/var/tmp",
                       (unsigned)geteuid());
    (void)mkdir(path.data, 0700); /* what it is now is looked at */
    if (!is_own_folder(path.data)) {
        weir_buffer_text(&path, "-XXXXXX");
        executor->own_volumes = mkdtemp(path.data) != NULL; /* else who uses it says so */
    }
    executor->volumes = path.data;
}

static void volumes_path(process_executor *executor, const char *run, weir_buffer *path) {
    if (!executor->volumes) make_temporary(executor);
    weir_buffer_printf(path, "%s/%s", executor->volumes, run);
}

/* Where its volumes are, in its arena; w->scratch is set when it has some of its own. No volume of a run begins with a dot. */
static weir_sandbox_folders folders_of(work *w, bool scratch) {
    weir_buffer path = {0};
    volumes_path(w->executor, w->attempt.id.run, &path);
    weir_sandbox_folders folders = {.volumes = weir_str_copy(&w->arena, weir_buffer_str(&path))};
    size_t length = path.length;
    weir_buffer_text(&path, "/.claims"); /* without a state there is nothing that stays */
    folders.claims = w->executor->claims ? w->executor->claims
                                         : weir_str_copy(&w->arena, weir_buffer_str(&path));
    path.length = length;
    weir_buffer_printf(&path, "/.scratch/%u.%u", w->attempt.id.task, w->attempt.id.number);
    if (scratch && !w->scratch) w->scratch = weir_str_dup(weir_buffer_str(&path));
    if (scratch) folders.scratch = w->scratch;
    weir_buffer_deinit(&path);
    return folders;
}

static bool read_sandbox(work *w, weir_sandbox_spec *spec, weir_error *error) {
    process_executor *executor = w->executor;
    const weir_value *sandbox = weir_command_sandbox(w->attempt.config);
    weir_sandbox_folders folders = folders_of(w, weir_sandbox_has_scratch(sandbox));
    if (!weir_sandbox_spec_read(sandbox, executor->secrets, &folders, &w->arena, spec, error))
        return false;
    spec->argv = w->command.argv;
    spec->asking = weir_probe_command(weir_probe_wanted(w->attempt.config), &w->arena);
    spec->environment = w->command.environment;
    spec->directory = w->command.directory;
    const weir_in_image *image = weir_attempt_images_of(w->images, w->attempt.config);
    if (image) weir_in_image_spec(image, w->attempt.config, &w->arena, spec);
    if (!w->command.script.data) return true;
    weir_mount *mounts = weir_arena_alloc(&w->arena, (spec->mount_count + 1) * sizeof *mounts);
    memcpy(mounts, spec->mounts, spec->mount_count * sizeof *mounts);
    mounts[spec->mount_count++] = weir_command_script_mount(&w->command);
    spec->mounts = mounts;
    return true;
}

static bool start_in_sandbox(work *w, const weir_process_options *options, weir_error *error) {
    bool image = weir_attempt_images_of(w->images, w->attempt.config);
    return weir_sandbox_start((image ? image_sandboxes_of : sandboxes_of)(w->executor),
                              w->executor->loop, &w->spec, options, &w->sandbox, &w->process,
                              error);
}

/* The config as it is in its image, or with what the configuration has for that. */
static bool apply_image(work *w, weir_error *error) {
    const weir_in_image *image = weir_attempt_images_of(w->images, w->attempt.config);
    weir_value *config;
    if (!image)
        config = weir_images_apply(w->executor->images, w->attempt.config);
    else if (!(config = weir_in_image_config(image, w->attempt.config, error)))
        return false;
    weir_value_unref(w->attempt.config);
    w->attempt.config = config;
    return true;
}

/* Once, also of a container that is tried again: its volumes stay as a try left them. */
static bool read_command(work *w, bool sandbox, weir_error *error) {
    const process_executor *executor = w->executor;
    return (!sandbox || apply_image(w, error)) &&
           weir_command_read(&w->attempt, executor->secrets, executor->logs, &w->arena, &w->command,
                             error) &&
           (!sandbox || read_sandbox(w, &w->spec, error));
}

static bool start_process(work *w, weir_error *error) {
    process_executor *executor = w->executor;
    bool sandbox = weir_command_sandbox(w->attempt.config);
    if (!w->read && !read_command(w, sandbox, error)) return false;
    w->read = true;
    if (!sandbox && !w->attempt.quiet)
        w->bytes_in = weir_given_files(w->attempt.parameters, weir_str_from(w->command.directory));
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
    bool ok = sandbox ? start_in_sandbox(w, &options, error)
                      : weir_process_start(executor->loop, &options, &w->process, error);
    if (ok && !w->footprint)
        w->footprint = weir_footprint_open(executor->loop, weir_process_pid(w->process),
                                           w->command.memory_every_us);
    w->plain = ok && (!w->sandbox || weir_sandbox_is_plain(w->sandbox));
    return ok;
}

static void keep_work(work *w) {
    w->place = w->executor->works.count;
    *weir_vector_push(&w->executor->works) = w;
}

static void fail_start(work *w, const weir_error *error) {
    w->outcome = outcome_of_error(error);
    end_work(w, &w->outcome);
}

/* --- services */

static void service_is_ready(void *arg) {
    const work *w = arg;
    if (!w->executor->closed) weir__report_ready(w->executor->reporter, &w->attempt);
}

/* It runs: it is ready when its probe says so, or at once. */
static void await_service(work *w) {
    const weir_value *probe = weir_probe_wanted(w->attempt.config);
    weir_error error;
    if (w->attempt.spec->kind != WEIR_TASK_SERVICE) return;
    weir_probe_host host = {.loop = w->executor->loop,
                            .ready = service_is_ready,
                            .arg = w,
                            .sandbox = w->sandbox,
                            .process = w->process};
    if (!probe || !w->process) {
        service_is_ready(w);
    } else if (!weir_probe_open(probe, &host, &w->probe, &error)) {
        w->unready = error;
        weir_process_signal(w->process, SIGKILL);
    }
}

/* --- attempts that may freeze */

static void attempt_froze(void *arg, const char *reason) {
    const work *w = arg;
    if (!w->executor->closed) weir__report_frozen(w->executor->reporter, &w->attempt, reason);
}

/* Half of the time that it may be stopped: it is to be over within all of it. */
static void watch_life(work *w) {
    if (!w->process) return;
    w->life =
        weir_life_open(w->executor->loop, &(weir_life_wish){.pid = weir_process_pid(w->process),
                                                            .freeze_us = w->attempt.spec->freeze_us,
                                                            .stopped_us = w->attempt.stopped_us / 2,
                                                            .frozen = attempt_froze,
                                                            .arg = w});
}

/* --- what its files say */

static void kill_work(void *arg) {
    const work *w = arg;
    if (w->pod)
        weir_pod_stop(w->pod, true, 0);
    else if (w->process)
        weir_process_signal(w->process, SIGKILL);
}

static const char *progress_of(void *arg, weir_buffer *folder) {
    const work *w = arg;
    return w->process && w->sandbox
               ? weir_sandbox_progress(w->sandbox, weir_process_pid(w->process),
                                       w->command.environment, folder)
               : NULL;
}

static void watch_files(work *w) {
    if (!weir_command_sandbox(w->attempt.config)) return;
    w->watch = weir_watch_open(w->executor->loop, &(weir_watch_wish){.config = w->attempt.config,
                                                                     .scratch = w->scratch,
                                                                     .progress = progress_of,
                                                                     .progressed = tell_progress,
                                                                     .exceeded = kill_work,
                                                                     .arg = w});
}

/* --- of several containers */

static bool start_main(void *arg, weir_error *error) {
    return start_process(arg, error);
}

/* How an image's programs are asked to end, their image may say. */
static void signal_main(void *arg, int signal) {
    work *w = arg;
    const weir_in_image *image = weir_attempt_images_of(w->images, w->attempt.config);
    if (image && signal == SIGTERM) signal = weir_in_image_stop_signal(image);
    if (w->process) weir_process_signal(w->process, signal);
}

static const weir_in_image *image_of(void *arg, const weir_value *config) {
    const work *w = arg;
    return weir_attempt_images_of(w->images, config);
}

static void pod_runs(void *arg) {
    work *w = arg;
    await_service(w);
}

static void pod_is_over(void *arg) {
    work *w = arg;
    end_left(w);
    if (w->stopped && w->outcome.kind != WEIR_OUTCOME_CANCELLED) {
        weir_value *outputs = w->outcome.outputs;
        weir_value_unref(w->outcome.failure);
        weir_value_unref(w->outcome.usage);
        w->outcome = told_to_end();
        w->outcome.outputs = outputs;
    }
    weir_pod_judge(w->pod, &w->outcome);
    conclude(w, weir_pod_had_main(w->pod));
}

static bool has_scratch(const weir_value *config) {
    const weir_value *list = weir_member_named(config, "containers");
    bool has = weir_sandbox_has_scratch(weir_command_sandbox(config));
    for (size_t i = 0; !has && i < weir_value_count(list); i++)
        has = weir_sandbox_has_scratch(weir_command_sandbox(weir_array_at(list, i)));
    return has;
}

static weir_value *digests_of(const work *w) {
    return w->images ? weir_attempt_images_digests(w->images) : NULL;
}

static void start_pod(work *w) {
    process_executor *executor = w->executor;
    weir_error error;
    weir_pod_host host = {.loop = executor->loop,
                          .logs = executor->logs,
                          .secrets = executor->secrets,
                          .sandboxes = sandboxes_of(executor),
                          .image_sandboxes = w->images ? image_sandboxes_of(executor) : NULL,
                          .image = image_of,
                          .images = executor->images,
                          .folders = folders_of(w, has_scratch(w->attempt.config)),
                          .start_main = start_main,
                          .signal_main = signal_main,
                          .metrics = take_metric_lines,
                          .running = pod_runs,
                          .over = pod_is_over,
                          .arg = w};
    w->outcome.kind = WEIR_OUTCOME_SUCCEEDED;
    if (!weir_pod_open(&w->attempt, &host, &w->pod, &error)) {
        fail_start(w, &error);
        return;
    }
    weir__report_begun(executor->reporter, &w->attempt, 0, digests_of(w));
    watch_files(w);
    weir_pod_begin(w->pod);
}

/* --- attempts */

static void launch(work *w) {
    weir_error error;
    w->awaits = false;
    if (weir_pod_wanted(w->attempt.config)) {
        start_pod(w);
    } else if (!start_process(w, &error)) {
        fail_start(w, &error);
    } else {
        weir__report_begun(w->executor->reporter, &w->attempt, weir_process_pid(w->process),
                           digests_of(w));
        await_service(w);
        watch_life(w);
        watch_files(w);
    }
}

static void images_ready(void *arg, const weir_error *why) {
    work *w = arg;
    if (why)
        fail_start(w, why);
    else
        launch(w);
}

/* Whether it wants images; `ready` is for who awaits them. */
static bool wants_images(work *w, void (*ready)(void *arg, const weir_error *why), void *arg) {
    process_executor *executor = w->executor;
    weir_attempt_images_host host = {.obtainer = executor->obtainer,
                                     .sandboxes = sandboxes_of(executor),
                                     .policy = executor->pull,
                                     .asked_only = executor->asked_only,
                                     .ready = ready,
                                     .arg = arg};
    if (executor->obtainer) w->images = weir_attempt_images_new(&w->attempt, &host);
    return w->images;
}

/* Launches it once its images are here. */
static void await_images(work *w) {
    if (!wants_images(w, images_ready, w)) {
        launch(w);
        return;
    }
    w->awaits = true;
    weir_attempt_images_await(w->images);
}

static void end_unlaunched(void *arg) {
    work *w = arg;
    w->outcome = told_to_end();
    end_work(w, &w->outcome);
}

/* It was told to end while its images were on their way. */
static void leave_images(work *w) {
    weir_attempt_images_free(w->images);
    w->images = NULL;
    w->awaits = false;
    weir_loop_post(w->executor->loop, end_unlaunched, w);
}

/* The mounts of its inputs come behind those that it has. */
static void add_mounts(work *w, weir_value *more) {
    weir_value *config = weir_value_own(w->attempt.config);
    weir_value *sandbox = weir_value_own(weir_value_ref(weir_member_named(config, "sandbox")));
    weir_value *mounts = weir_array_new();
    weir_array_append_all(mounts, weir_member_named(sandbox, "mounts"));
    weir_array_append_all(mounts, more);
    weir_member_put(sandbox, "mounts", mounts);
    weir_member_put(config, "sandbox", sandbox);
    weir_value_unref(more);
    w->attempt.config = config;
}

static void stage_inputs(void *arg) {
    const work *w = arg;
    weir_staging_run(w->staging);
}

static void inputs_staged(void *arg) {
    work *w = arg;
    weir_value *mounts = NULL;
    weir_error error;
    w->stages = false;
    w->bytes_in = weir_staging_bytes(w->staging);
    if (w->stopped) {
        w->outcome = told_to_end();
    } else if (weir_staging_take(w->staging, &mounts, &error)) {
        add_mounts(w, mounts);
        await_images(w);
        return;
    } else {
        w->outcome = outcome_of_error(&error);
    }
    end_work(w, &w->outcome);
}

static void start(weir_executor *base, const weir_attempt *attempt) {
    process_executor *executor = (process_executor *)base;
    bool waits;
    work *w = weir_alloc(sizeof *w);
    w->executor = executor;
    w->attempt = weir_attempt_hold(attempt);
    w->log = weir_log_open(executor->logs, &attempt->id);
    if (attempt->again) end_others(executor, &attempt->id, attempt->id.number);
    keep_work(w);
    const weir_value *wanted = artifacts_wanted(w);
    weir_error error;
    if (wanted && !weir_artifacts_ready(executor->artifacts, &error)) {
        fail_start(w, &error);
    } else if (!wanted || !weir_artifacts_stages(wanted, &waits)) {
        await_images(w);
    } else {
        w->stages = true;
        w->staging = weir_staging_new(executor->artifacts, wanted, &w->hurries);
        (waits ? weir_thread_run : weir_pool_run)(executor->loop, stage_inputs, inputs_staged, w);
    }
}

static void stop(weir_executor *base, const weir_attempt_id *attempt, weir_stop how,
                 uint64_t grace_us) {
    process_executor *executor = (process_executor *)base;
    for (size_t i = 0; i < executor->works.count; i++) {
        work *w = executor->works.items[i];
        if (!weir_attempt_equal(&w->attempt.id, attempt)) continue;
        if (how >= WEIR_STOP_KILL || w->stages) atomic_store(&w->hurries, true);
        if (w->awaits) {
            leave_images(w);
        } else if (how >= WEIR_STOP_KILL) {
            kill_work(w);
        } else if (w->pod) {
            weir_pod_stop(w->pod, false, grace_us);
        } else if (!w->stopped && w->process) {
            signal_main(w, SIGTERM);
            if (w->plain)
                weir__strays_signal(&(weir__strays){.id = attempt,
                                                    .keep = attempt->number,
                                                    .group = weir_process_pid(w->process),
                                                    .signal = SIGTERM},
                                    executor->logs->copy);
            w->killer = weir_timer_open(executor->loop, kill_work, w);
            weir_timer_start(w->killer, grace_us ? grace_us : WEIR_GRACE_US);
        }
        w->stopped = true;
        return;
    }
    /* Not ours: perhaps of an engine that was killed. */
    if (how == WEIR_STOP_KILL) end_others(executor, attempt, 0);
}

static void leave_volumes(const process_executor *executor) {
    weir_buffer gone = {0};
    if (executor->forgotten) {
        weir_buffer_printf(&gone, "%s/.gone", executor->volumes);
        rmdir(gone.data); /* unless somebody else has something there */
    }
    if (executor->own_volumes) (void)weir_sandbox_remove(executor->volumes);
    weir_buffer_deinit(&gone);
}

static void close_executor(weir_executor *base) {
    process_executor *executor = (process_executor *)base;
    executor->closed = true;
    for (size_t i = 0; i < executor->works.count; i++) {
        work *w = executor->works.items[i];
        w->stopped = true;
        atomic_store(&w->hurries, true);
        if (w->awaits) leave_images(w);
        kill_work(w);
    }
    while (executor->works.count || executor->removing) weir_loop_once(executor->loop, true);
    weir_vector_deinit(&executor->works);
    if (executor->sandboxes) weir_sandboxes_free(executor->sandboxes, executor->loop);
    if (executor->image_sandboxes) weir_sandboxes_free(executor->image_sandboxes, executor->loop);
    weir_obtainer_free(executor->obtainer);
    weir_free((char *)(uintptr_t)executor->sandboxes_options.folder);
    weir_artifacts_free(executor->artifacts);
    weir_value_unref(executor->images);
    leave_volumes(executor);
    weir_free(executor->volumes);
    weir_free(executor->claims);
    weir_free(executor);
}

void weir_process_isolate(weir_executor *base, const weir_sandboxes_options *options,
                          weir_value *images, const char *volumes, const char *claims) {
    process_executor *executor = (process_executor *)base;
    weir_assert(!executor->sandboxes);
    weir_sandboxes_options given = *options;
    if (!given.warn) given.warn = warn_sandbox;
    executor->sandboxes = weir_sandboxes_new(&given);
    executor->sandboxes_options = given;
    executor->sandboxes_options.images = true;
    executor->sandboxes_options.folder =
        given.folder ? weir_str_dup(weir_str_from(given.folder)) : NULL;
    executor->images = weir_value_ref(images);
    executor->volumes = volumes ? weir_str_dup(weir_str_from(volumes)) : NULL;
    executor->claims = claims ? weir_str_dup(weir_str_from(claims)) : NULL;
}

/* Of a visit: the loop turns until they are here. */
typedef struct finding {
    weir_error why;
    bool over, failed;
} finding;

static void images_found(void *arg, const weir_error *why) {
    finding *f = arg;
    f->over = true;
    f->failed = why;
    if (why) f->why = *why;
}

static bool find_images(work *w, weir_error *error) {
    finding f = {.over = false};
    if (!wants_images(w, images_found, &f)) return true;
    weir_attempt_images_await(w->images);
    while (!f.over) weir_loop_once(w->executor->loop, true);
    if (f.failed) *error = f.why;
    return !f.failed;
}

void weir_process_images(weir_executor *base, const weir_obtain_options *options) {
    process_executor *executor = (process_executor *)base;
    weir_assert(!executor->obtainer);
    if (executor->sandboxes_options.isolation == WEIR_ISOLATION_NONE) return;
    executor->obtainer = weir_obtainer_new(executor->loop, options);
    executor->sandboxes_options.mount = options->mount;
    executor->sandboxes_options.store = weir_image_store_folder(options->store);
    executor->pull = options->pull.policy;
    executor->asked_only = options->asked_only;
}

bool weir_process_visit(weir_executor *base, const weir_attempt *attempt,
                        const char *const *command, weir_process_end *end, weir_error *error) {
    process_executor *executor = (process_executor *)base;
    weir_sandbox_spec spec;
    work *w = weir_alloc(sizeof *w);
    w->executor = executor;
    w->attempt = weir_attempt_hold(attempt);
    bool ok = find_images(w, error) && apply_image(w, error) &&
              weir_command_read(&w->attempt, executor->secrets, executor->logs, &w->arena,
                                &w->command, error) &&
              read_sandbox(w, &spec, error);
    if (ok) {
        spec.argv = command;
        spec.output_count = 0;
        ok = weir_sandbox_visit((w->images ? image_sandboxes_of : sandboxes_of)(executor),
                                executor->loop, &spec, end, error);
    }
    free_work(w);
    return ok;
}

void weir_process_artifacts(weir_executor *base, weir_repository *repository, const char *folder) {
    process_executor *executor = (process_executor *)base;
    weir_assert(!executor->artifacts);
    executor->artifacts = weir_artifacts_new(repository, folder, executor->secrets);
}

/* What a process that was killed did not come to remove: its number stands in the names. */
static void sweep_gone(process_executor *executor, const char *gone) {
    DIR *folder = executor->swept ? NULL : opendir(gone);
    executor->swept = true;
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        const char *number = strchr(entry->d_name, '-');
        long pid = number ? strtol(number + 1, NULL, 10) : 0;
        if (pid <= 0 || kill((pid_t)pid, 0) == 0 || errno != ESRCH) continue;
        weir_buffer path = {0};
        weir_buffer_printf(&path, "%s/%s", gone, entry->d_name);
        remove_later(executor, path.data);
    }
    if (folder) closedir(folder);
}

/* The run may begin again, under the same name, before all of it is removed. */
void weir_process_forget(weir_executor *base, const char *run) {
    process_executor *executor = (process_executor *)base;
    weir_buffer path = {0}, gone = {0};
    if (!executor->volumes) return; /* nothing was made */
    volumes_path(executor, run, &path);
    if (access(path.data, F_OK) == 0) {
        weir_buffer_printf(&gone, "%s/.gone", executor->volumes);
        (void)mkdir(gone.data, 0700); /* the renaming tells */
        sweep_gone(executor, gone.data);
        weir_buffer_printf(&gone, "/%s-%d-%zu", run, (int)getpid(), ++executor->forgotten);
        bool moved = rename(path.data, gone.data) == 0;
        remove_later(executor, weir_str_dup(weir_buffer_str(moved ? &gone : &path)));
    }
    weir_buffer_deinit(&path);
    weir_buffer_deinit(&gone);
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

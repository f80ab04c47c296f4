/* A run, driven: facts in, batches to the store, effects out once they are durable. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/map.h"
#include "engine/engine_internal.h"

/* A batch on its way to the store, with what is to be done once it is there. */
typedef struct pending {
    weir_engine *engine;
    char run[WEIR_RUN_ID_LENGTH + 1];
    weir_batch batch; /* effects only: the bytes are the store's */
    WEIR_VECTOR(weir_value *) observed;
    WEIR_VECTOR(weir__told) told;
    uint64_t sequence; /* 0: nothing is written */
    uint64_t slots;    /* that attempts which it begins will take */
    bool over;
} pending;

/* A child that is between its start and its exec has the lock of an owner that was killed just then. */
enum { OWN_LOCK_MS = 200, NAMES_LOCK_MS = 1000 };
enum { FLUSH_US = 5 * 1000 * 1000 }; /* how long who closes a run waits for its last batch */
enum { LINGER_US = 50 * 1000 }; /* how long an event may wait for a batch that somebody waits for */

/* A socket costs more than a short run does: only what is not over by then gets one. Whoever wants to ask before waits
 * longer than that. */
enum {
    LISTEN_AFTER_US = 10 * 1000,
    LISTEN_AGAIN_US = 1000 * 1000, /* when there could be none */
    LISTEN_WAIT_US = 200 * 1000
};

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* Crockford's base 32 */

uint64_t weir__random(void) {
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != sizeof random) random = weir_clock_steady_us();
    return random;
}

/* Time first, so that ids sort by age (as ULIDs do); then 50 random bits. */
void weir__new_id(char id[static WEIR_RUN_ID_LENGTH + 1]) {
    uint64_t random = weir__random(), time = weir_clock_us() / 1000;
    for (int i = WEIR_RUN_ID_LENGTH / 2 - 1; i >= 0; i--, time /= 32) id[i] = alphabet[time % 32];
    for (int i = WEIR_RUN_ID_LENGTH / 2; i < WEIR_RUN_ID_LENGTH; i++, random /= 32)
        id[i] = alphabet[random % 32];
    id[WEIR_RUN_ID_LENGTH] = '\0';
}

weir_run *weir__run_find(weir_engine *engine, const char *id) {
    for (size_t i = 0; i < engine->runs.count; i++)
        if (strcmp(engine->runs.items[i]->id, id) == 0) return engine->runs.items[i];
    return NULL;
}

/* --- calls and events of the machine -------------------------------------------------------- */

static void admit_value(weir_engine *engine, weir_invocation *invocation, weir_value **value) {
    if (!*value) return;
    if (!weir_value_is_flat(*value, WEIR_DEPTH_MAX) && !invocation->failure) {
        weir_outcome outcome =
            weir_outcome_failed(WEIR_OUTCOME_FAILED, weir_code_text(WEIR_LIMIT),
                                "an output is nested deeper than %d levels", WEIR_DEPTH_MAX);
        invocation->failure = weir_value_ref(outcome.failure);
        weir_outcome_deinit(&outcome);
    }
    if (engine->secrets.count) *value = weir_secrets_mask_value(&engine->secrets, *value);
}

/* Any thread. */
static void make_call(void *arg, weir_invocation *invocation) {
    weir_engine *engine = ((weir_run *)arg)->engine;
    weir_inline_call(invocation);
    for (uint32_t i = 0; i < invocation->shape->output_count; i++)
        admit_value(engine, invocation, &invocation->outputs[i]);
    admit_value(engine, invocation, &invocation->named);
    if (engine->secrets.count && invocation->failure)
        invocation->failure = weir_secrets_mask_value(&engine->secrets, invocation->failure);
}

static void tell_result(void *arg, weir_str context, const weir_value *result) {
    weir_run *run = arg;
    if (run->hidden) return;
    *weir_vector_push(&run->told) =
        (weir__told){weir_str_dup(context), weir_value_ref((weir_value *)result)};
}

/* Work on a run that may be gone when the loop comes to it. */
typedef struct posted {
    weir_engine *engine;
    char run[WEIR_RUN_ID_LENGTH + 1];
    void (*work)(weir_run *run);
} posted;

static void do_posted(void *arg) {
    posted *p = arg;
    weir_run *run = p->engine->closing ? NULL : weir__run_find(p->engine, p->run);
    if (run) p->work(run);
    weir_free(p);
}

void weir__run_post(weir_run *run, void (*work)(weir_run *run)) {
    posted *p = weir_alloc(sizeof *p);
    p->engine = run->engine;
    memcpy(p->run, run->id, sizeof p->run);
    p->work = work;
    weir_loop_post(run->engine->loop, do_posted, p);
}

static void pump_now(weir_run *run) {
    atomic_store(&run->pump_posted, false);
    weir__run_pump(run);
}

/* One at a time is on its way. */
void weir__run_pump_soon(weir_run *run) {
    if (!atomic_exchange(&run->pump_posted, true)) weir__run_post(run, pump_now);
}

/* On a thread of the crew. */
static void job_done(void *arg) {
    weir__run_pump_soon(arg);
}

/* What an event's number is; NULL: nothing to say. */
static const char *number_name(weir_event_type type) {
    switch (type) {
    case WEIR_RUN_CANCELLED: return "terminate";
    case WEIR_CONTEXT_STAGED: return "stage";
    case WEIR_TASK_RETRIED: return "failures";
    case WEIR_MEMO_FOUND:
    case WEIR_MEMO_MISSED:
    case WEIR_RUN_SHORTENED:
    case WEIR_TASK_FINISHED: return NULL;
    case WEIR_TASK_RECALLED: return "kept";
    default: return weir_event_has_task(type) ? "attempt" : NULL;
    }
}

static weir_value *event_data(const weir_event *event) {
    weir_value *data = weir_is(event->data, WEIR_OBJECT)
                           ? weir_value_own(weir_value_ref(event->data))
                           : weir_object_new();
    if (weir_event_has_task(event->type))
        weir_member_put(data, "task", weir_int_new((int64_t)event->subject));
    const char *number = number_name(event->type);
    if (number) weir_member_put(data, number, weir_int_new(event->number));
    if (event->type == WEIR_TASK_FINISHED && event->number)
        weir_member_put(data, "cached", weir_bool_new(true));
    return data;
}

/* Takes the value over. */
static void show(weir_run *run, weir_value *value, void (*visit)(void *arg, weir_value *value),
                 void *arg) {
    if (run->engine->secrets.count) value = weir_secrets_mask_value(&run->engine->secrets, value);
    visit(arg, value);
    weir_value_unref(value);
}

static void show_call(weir_run *run, const weir_event *event,
                      void (*visit)(void *arg, weir_value *value), void *arg) {
    const weir_coordinator *coordinator = weir_machine_coordinator(run->machine);
    weir_value *start = weir_event_to_value(event), *end = weir_event_to_value(event);
    weir_value *start_data = weir_object_new(), *end_data = event_data(event);
    weir_value *prev = weir_array_new();
    weir_buffer id = {0};
    coordinator->class->describe(coordinator, event, start_data);
    for (size_t i = 0; i < weir_value_count(start_data); i++) {
        weir_str key = weir_object_key(start_data, i);
        if (!weir_str_is(key, "parameters"))
            weir_member_set(end_data, key, weir_value_ref(weir_object_at(start_data, i)));
    }
    weir_buffer_printf(&id, "%s.start", weir_member_text(start, "id").data);
    weir_member_put_text(start, "id", weir_buffer_str(&id));
    weir_member_put_text(start, "type", weir_str_from(weir_event_text(WEIR_ATTEMPT_STARTED)));
    weir_member_put(start, "data", start_data);
    weir_array_append(prev, weir_string_from(weir_buffer_str(&id)));
    weir_member_put_text(end, "type", weir_str_from(weir_event_text(WEIR_ATTEMPT_FINISHED)));
    weir_member_put(end, "prev", prev);
    weir_member_put(end, "data", end_data);
    weir_buffer_deinit(&id);
    show(run, start, visit, arg);
    show(run, end, visit, arg);
}

void weir__event_show(weir_run *run, const weir_event *event,
                      void (*visit)(void *arg, weir_value *value), void *arg) {
    /* Its others only say numbers. */
    if (event->type == WEIR_RUN_SHORTENED && !weir_member_named(event->data, "over")) return;
    if (event->type == WEIR_CALL_FINISHED) {
        show_call(run, event, visit, arg);
        return;
    }
    const weir_coordinator *coordinator = weir_machine_coordinator(run->machine);
    weir_value *value = weir_event_to_value(event), *data = event_data(event);
    coordinator->class->describe(coordinator, event, data);
    weir_member_put(value, "data", data);
    show(run, value, visit, arg);
}

static void keep_observed(void *arg, weir_value *value) {
    weir_run *run = arg;
    *weir_vector_push(&run->observed) = weir_value_ref(value);
}

static void observe(void *arg, const weir_event *event) {
    weir_run *run = arg;
    if (run->records) weir_records_note(run->records, run->sequence + 1, event);
    if (run->loading && run->replayed) run->replayed(run->replayed_arg, run, event);
    run->record_due |= event->type == WEIR_RUN_CANCELLED ||
                       (event->type >= WEIR_RUN_SUSPENDED && event->type <= WEIR_RUN_RESTARTED);
    if (!run->loading && run->engine->options.event && !run->hidden)
        weir__event_show(run, event, keep_observed, run);
}

/* Tells the results, or only drops them. */
static void tell(weir_run *run, weir__told *told, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (run)
            run->engine->options.result(run->engine->options.arg, run,
                                        weir_str_from(told[i].context), told[i].result);
        weir_free(told[i].context);
        weir_value_unref(told[i].result);
    }
}

static void drop_values(weir_value **values, size_t count) {
    for (size_t i = 0; i < count; i++) weir_value_unref(values[i]);
    weir_free(values);
}

/* --- ownership ------------------------------------------------------------------------------ */

void weir__run_path(const weir_engine *engine, const char *id, const char *suffix,
                    weir_buffer *out) {
    weir_buffer_printf(out, "%s/runs/%s%s", engine->locks, id, suffix);
}

/* What is wrong with them shows at the next step. */
static void make_folders(const weir_engine *engine) {
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/runs", engine->locks);
    (void)mkdir(engine->state, 0700);
    (void)mkdir(path.data, 0700);
    weir_buffer_deinit(&path);
}

static int open_locks(const weir_engine *engine, int how) {
    weir_buffer path = {0};
    weir__run_path(engine, "", "locks", &path);
    int file = open(path.data, how | O_CLOEXEC, 0600);
    weir_buffer_deinit(&path);
    return file;
}

static bool fail_state(const weir_engine *engine, weir_error *error) {
    return weir_fail(error, WEIR_IO, "the state directory %s cannot be written: %s", engine->state,
                     strerror(errno));
}

/* The byte of the file of locks that is `what`'s: a run's id, or "names". Two that have the same byte exclude each other,
 * which no one lives to see: there are 2^62. */
static struct flock lock_of(const char *what, short type) {
    off_t at = (off_t)(weir_hash(what, strlen(what)) >> 2);
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
}

/* 1: it is taken; 0: another has it all the time; -1: the file cannot be had. */
static int take_lock(weir_engine *engine, const char *what, int wait_ms) {
    struct flock lock = lock_of(what, F_WRLCK);
    if (engine->lock_file < 0) {
        make_folders(engine);
        engine->lock_file = open_locks(engine, O_RDWR | O_CREAT);
    }
    if (engine->lock_file < 0) return -1;
    for (int i = 0; fcntl(engine->lock_file, F_OFD_SETLK, &lock) != 0; i++) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR) return -1;
        if (i == wait_ms) return 0;
        nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
    }
    return 1;
}

static void give_lock(const weir_engine *engine, const char *what) {
    struct flock lock = lock_of(what, F_UNLCK);
    (void)fcntl(engine->lock_file, F_OFD_SETLK, &lock); /* it is held, so it can be given back */
}

bool weir__names_lock(weir_engine *engine, weir_error *error) {
    if (!engine->state) return true;
    /* Whoever holds it longer was stopped, or is this thread: the store then decides who has the name. */
    if (!engine->naming && take_lock(engine, "names", NAMES_LOCK_MS) < 0)
        return fail_state(engine, error);
    engine->naming++;
    return true;
}

void weir__names_unlock(weir_engine *engine) {
    if (engine->state && !--engine->naming) give_lock(engine, "names");
}

bool weir__run_is_owned(weir_engine *engine, const char *id) {
    const weir_run *run = weir__run_find(engine, id);
    if (run && run->owned) return true;
    if (weir_store_has_leases(engine->store))
        return weir_store_is_owned(engine->store, weir_str_from(id));
    int file = !engine->state           ? -1
               : engine->lock_file >= 0 ? engine->lock_file
                                        : open_locks(engine, O_RDONLY);
    struct flock lock = lock_of(id, F_WRLCK);
    bool owned = file >= 0 && fcntl(file, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (file >= 0 && file != engine->lock_file) close(file);
    return owned;
}

/* Where the store has no leases. */
static bool lock_run(weir_engine *engine, const char *id, const char *name, bool *locked,
                     weir_error *error) {
    int taken = take_lock(engine, id, OWN_LOCK_MS);
    *locked = taken > 0;
    if (taken < 0) return fail_state(engine, error);
    if (taken) return true;
    weir_fail(error, WEIR_CONFLICT, "the run %s is driven by another process", name);
    weir_error_hint(error, "`weir get %s` shows it, `weir cancel %s` stops it", name, name);
    return false;
}

/* --- being asked ---------------------------------------------------------------------------- */

/* False: there is no room for a socket, or no descriptor, at this moment. */
static bool listen_now(weir_run *run) {
    weir_engine *engine = run->engine;
    weir_buffer path = {0};
    weir_error ignored;
    weir__run_path(engine, run->id, ".sock", &path);
    if (weir_store_has_leases(engine->store)) {
        make_folders(engine);
        unlink(path.data); /* of an owner that was stopped, and has lost the run */
    }
    bool ok = weir_listener_open(engine->loop, path.data, weir__control_answer, run, &run->listener,
                                 &ignored);
    weir_buffer_deinit(&path);
    return ok;
}

void weir__runs_listen(void *arg) {
    weir_engine *engine = arg;
    uint64_t now_us = weir_clock_steady_us(), next_us = UINT64_MAX;
    for (size_t i = 0; i < engine->runs.count; i++) {
        weir_run *run = engine->runs.items[i];
        if (!run->owned || run->over || run->listener) continue;
        if (run->listen_us <= now_us && listen_now(run)) continue;
        if (run->listen_us <= now_us) run->listen_us = now_us + LISTEN_AGAIN_US;
        if (run->listen_us < next_us) next_us = run->listen_us;
    }
    engine->listens = next_us != UINT64_MAX;
    if (engine->listens) weir_timer_start(engine->listening, next_us - now_us);
}

static void listen_soon(weir_run *run) {
    run->listen_us = weir_clock_steady_us() + LISTEN_AFTER_US;
    if (!run->engine->listens) weir_timer_start(run->engine->listening, LISTEN_AFTER_US);
    run->engine->listens = true;
}

bool weir__run_ask(weir_engine *engine, const char *id, weir_str line, uint64_t timeout_us,
                   weir_buffer *reply, weir_error *error) {
    weir_buffer path = {0};
    uint64_t until_us = weir_clock_steady_us() + LISTEN_WAIT_US;
    bool ok, leases = weir_store_has_leases(engine->store);
    weir__run_path(engine, id, ".sock", &path);
    while (!(ok = weir_ask(path.data, line, timeout_us, reply, error)) &&
           error->code == WEIR_NOT_FOUND && !leases && weir_clock_steady_us() < until_us &&
           weir__run_is_owned(engine, id))
        nanosleep(&(struct timespec){.tv_nsec = 5 * 1000 * 1000}, NULL);
    if (!ok && error->code == WEIR_NOT_FOUND && leases) /* elsewhere, or it does not listen yet */
        ok = weir_store_ask(engine->store, weir_str_from(id), line, timeout_us, reply, error);
    weir_buffer_deinit(&path);
    return ok;
}

/* --- the owner ------------------------------------------------------------------------------ */

bool weir__run_claim(weir_engine *engine, const char *id, bool *locked, weir_error *error) {
    *locked = false;
    if (engine->state && !weir_store_has_leases(engine->store) &&
        !lock_run(engine, id, id, locked, error))
        return false;
    return weir_store_own(engine->store, weir_str_from(id), error);
}

void weir__run_release(weir_engine *engine, const char *id, bool locked, bool gone) {
    weir_store_disown(engine->store, weir_str_from(id), true);
    if (gone && engine->state) { /* while the lock is held */
        weir_buffer path = {0};
        weir__run_path(engine, id, ".sock", &path);
        unlink(path.data);
        weir_buffer_deinit(&path);
    }
    if (locked) give_lock(engine, id);
}

bool weir__run_own(weir_run *run, bool is_new, weir_error *error) {
    weir_engine *engine = run->engine;
    weir_str id = weir_str_from(run->id);
    bool leases = weir_store_has_leases(engine->store);
    if (engine->state && !leases && !lock_run(engine, run->id, run->name, &run->locked, error))
        return false;
    if (!(is_new ? weir_store_begin : weir_store_own)(engine->store, id, error)) {
        if (error->code == WEIR_CONFLICT) weir_error_context(error, "the run %s", run->name);
        return false;
    }
    run->owned = true;
    if (engine->state) listen_soon(run);
    return true;
}

/* Whoever has the run next begins behind what it wrote here: that is there before the run is given up. A closing engine does
 * not wait for each of its runs on a server that is away: the store gives their leases back. */
static bool is_written(weir_run *run) {
    weir_store *store = run->engine->store;
    if (run->over || run->durable == run->sequence) return true;
    return !(run->engine->closing && weir_store_has_leases(store)) &&
           weir_store_flush(store, FLUSH_US);
}

static void disown(weir_run *run) {
    if (run->listener) weir_listener_close(run->listener);
    run->listener = NULL;
    if (run->owned) weir_store_disown(run->engine->store, weir_str_from(run->id), is_written(run));
    if (run->locked) give_lock(run->engine, run->id);
    run->locked = false;
}

/* --- life ----------------------------------------------------------------------------------- */

static void ring(void *arg) {
    weir__run_pump(arg);
}

/* Whether somebody wants each event. */
static bool keeps_all(const weir_engine *engine) {
    const weir_options *options = &engine->options;
    return (options->event && !options->few_events) || options->record || options->record_all;
}

weir_run *weir__run_new(weir_engine *engine, const char *id, weir_str name,
                        const weir_value *request, weir_plan *plan) {
    weir_run *run = weir_alloc(sizeof *run);
    run->engine = engine;
    snprintf(run->id, sizeof run->id, "%s", id);
    run->name = weir_str_dup(name);
    run->file = weir_str_dup(weir_member_text(request, "file"));
    run->folder = weir_str_dup(weir_member_text(request, "folder"));
    run->plan = plan;
    run->recorded = engine->state || engine->options.event || engine->options.record;
    run->timer = weir_timer_open(engine->loop, ring, run);
    weir__values_init(&run->values, engine, id);
    if (engine->crew) run->desk = weir_desk_open(engine->crew, job_done, run);
    run->machine = weir_machine_new(
        plan, &(weir_machine_options){.run = run->id,
                                      .limits = {.attempts = engine->options.attempts_max},
                                      .recorded = run->recorded,
                                      .parts = run->values.parts,
                                      .ahead_after = keeps_all(engine) ? 0 : WEIR_CALLS_RECORDED,
                                      .call = make_call,
                                      .result = engine->options.result ? tell_result : NULL,
                                      .helpers = run->desk ? weir_desk_helpers(run->desk) : NULL,
                                      .observe = run->recorded ? observe : NULL,
                                      .arg = run});
    weir__forget_begin(run, request);
    *weir_vector_push(&engine->runs) = run;
    return run;
}

static void stop_own(void *arg, weir_task_id task, uint32_t number);

void weir__run_free(weir_run *run) {
    weir_engine *engine = run->engine;
    weir_assert(!run->pumping && !run->carrying); /* weir.h forbids it within a callback */
    weir__children_leave(run);
    weir__memo_leave(run);
    weir__forget_end(run);
    if (run->owned && !run->over)
        weir_tasks_each_attempt(weir_machine_tasks(run->machine), stop_own, run);
    for (size_t i = 0; i < engine->runs.count; i++)
        if (engine->runs.items[i] == run)
            engine->runs.items[i] = engine->runs.items[--engine->runs.count];
    weir__values_leave(run);
    disown(run);
    if (run->named) weir__names_unlock(engine);
    weir_timer_close(run->timer);
    weir_records_free(run->records);
    weir_desk_close(run->desk); /* whose jobs are the machine's */
    weir_machine_free(run->machine);
    weir__values_deinit(&run->values);
    weir_plan_unref(run->plan);
    weir__stand_ins_free(run->stand_ins);
    drop_values(run->observed.items, run->observed.count);
    tell(NULL, run->told.items, run->told.count);
    weir_vector_deinit(&run->told);
    weir_vector_deinit(&run->askers);
    weir_vector_deinit(&run->slots.starts);
    weir_value_unref(run->held);
    weir_free(run->name);
    weir_free(run->file);
    weir_free(run->folder);
    weir_free(run);
}

/* --- effects -------------------------------------------------------------------------------- */

static weir_executor *executor_for(weir_engine *engine, const weir_task_spec *spec) {
    for (size_t i = 0; i < WEIR__EXECUTORS; i++)
        if (weir_str_is(spec->executor, engine->executors[i]->class->name))
            return engine->executors[i];
    weir_assert(spec->executor.length == 0); /* a plan names an executor that there is not */
    return NULL;
}

/* A run that goes on from another folder still works in its own. */
static void set_directory(const weir_run *run, weir_attempt *attempt) {
    weir_str directory = weir_member_text(attempt->config, "directory");
    bool absolute = directory.length && directory.data[0] == '/';
    if (absolute || !run->engine->folder || strcmp(run->folder, run->engine->folder) == 0) return;
    weir_buffer path = {0};
    weir_buffer_text(&path, run->folder);
    if (directory.length) weir_buffer_printf(&path, "/%.*s", WEIR_ARG(directory));
    attempt->config = weir_value_own(attempt->config);
    weir_member_put_text(attempt->config, "directory", weir_buffer_str(&path));
    weir_buffer_deinit(&path);
}

/* It was cancelled before it began. */
static void report_cancelled(weir_engine *engine, const weir_attempt_id *attempt) {
    weir_report report = {.attempt = *attempt,
                          .kind = WEIR_REPORT_FINISHED,
                          .outcome = weir_outcome_failed(WEIR_OUTCOME_CANCELLED, "cancelled",
                                                         "was cancelled before it began")};
    engine->reporter.base.report(&engine->reporter.base, &report);
}

void weir__attempt_start(weir_run *run, const weir_effect *effect) {
    weir_attempt attempt;
    weir_machine_begin(run->machine, weir__now_us(run->engine), effect->task, effect->number);
    if (!weir_machine_attempt(run->machine, effect->task, effect->number, &attempt)) return;
    attempt.now_us = effect->time_us; /* reports may have come since */
    if (weir_str_is(attempt.spec->executor, "process")) set_directory(run, &attempt);
    weir_executor *executor = executor_for(run->engine, attempt.spec);
    weir_tasks *tasks = weir_machine_tasks(run->machine);
    bool wanted = weir_tasks_state(tasks, effect->task) == WEIR_STATE_RUNNING;
    for (uint32_t member = 0; member < attempt.members; member++) {
        attempt.id.member = member;
        if (wanted)
            executor->class->start(executor, &attempt);
        else
            report_cancelled(run->engine, &attempt.id);
    }
    weir_attempt_drop(&attempt);
}

static void stop(weir_run *run, weir_task_id task, uint32_t number, weir_stop how) {
    const weir_task_spec *spec = weir_tasks_spec(weir_machine_tasks(run->machine), task);
    weir_attempt_id id = {.task = task, .number = number};
    memcpy(id.run, run->id, sizeof id.run);
    if (weir__slots_remove(run, task, number)) {
        report_cancelled(run->engine, &id);
        return;
    }
    if (!spec) { /* of before the run was restarted: whose it was is not known any more */
        for (size_t i = 0; i < WEIR__EXECUTORS; i++)
            run->engine->executors[i]->class->stop(run->engine->executors[i], &id, how,
                                                   WEIR_GRACE_US);
        return;
    }
    if (!spec->executor.length) return; /* its coordinator's */
    weir_executor *executor = executor_for(run->engine, spec);
    for (uint32_t members = spec->members ? spec->members : 1; id.member < members; id.member++)
        executor->class->stop(executor, &id, how, spec->grace_us ? spec->grace_us : WEIR_GRACE_US);
}

static void stop_attempt(void *arg, weir_task_id task, uint32_t number) {
    stop(arg, task, number, WEIR_STOP_KILL);
}

/* Who gives a run up may have scheduled attempts that are another's by now, under the same names. */
static void stop_own(void *arg, weir_task_id task, uint32_t number) {
    stop(arg, task, number, WEIR_STOP_OWN);
}

void weir__run_end_leftovers(weir_run *run) {
    weir_tasks_each_leftover(weir_machine_tasks(run->machine), stop_attempt, run);
}

static void give_up(weir_run *run, const weir_error *error) {
    if (run->failed) return;
    run->failed = run->over = true;
    run->error = *error;
    weir__slots_drop(run);
    weir__control_durable(run, UINT64_MAX, error);
    weir_tasks_each_attempt(weir_machine_tasks(run->machine), stop_own, run);
    weir_timer_cancel(run->timer);
    if (run->ended) run->ended(run->ended_arg, run);
}

void weir__run_lost(void *arg, weir_str id, const weir_error *why) {
    weir_engine *engine = arg;
    char name[WEIR_RUN_ID_LENGTH + 1];
    snprintf(name, sizeof name, "%.*s", WEIR_ARG(id));
    weir_run *run = weir__run_find(engine, name);
    if (run && !run->over && !engine->closing) give_up(run, why);
}

static void end_run(weir_run *run) {
    run->over = true;
    weir_timer_cancel(run->timer);
    disown(run);
    if (run->ended) run->ended(run->ended_arg, run);
}

static void take_told(weir_run *run, pending *p) {
    p->told.items = run->told.items;
    p->told.count = run->told.count;
    run->told.items = NULL;
    run->told.count = run->told.capacity = 0;
}

static void carry_out(weir_run *run, pending *p) {
    weir_engine *engine = run->engine;
    if (p->sequence) run->durable = p->sequence;
    run->carrying = true;
    for (size_t i = 0; i < p->observed.count; i++)
        engine->options.event(engine->options.arg, run, p->observed.items[i]);
    /* Without a journal nothing keeps a result back: the first batch to come here, which need not be the oldest, has
     * them all. */
    if (!run->recorded) take_told(run, p);
    tell(run, p->told.items, p->told.count);
    p->told.count = 0;
    for (size_t i = 0; i < p->batch.effects.count; i++) {
        const weir_effect *effect = &p->batch.effects.items[i];
        if (effect->kind == WEIR_EFFECT_START)
            (effect->slots ? weir__slots_add : weir__attempt_start)(run, effect);
        else
            stop(run, effect->task, effect->number, effect->how);
    }
    weir__slots_fill(run);
    for (size_t i = 0; i < p->batch.keeps.count; i++)
        weir__memo_settle(run, &p->batch.keeps.items[i]);
    run->carrying = false;
    if (run->askers.count) weir__control_durable(run, p->sequence, NULL);
    if (run->held && run->durable == run->sequence) weir__control_held(run);
    if (p->over)
        end_run(run);
    else if (run->forgetting && p->sequence)
        weir__forget_some(run);
}

static void durable(void *arg, const weir_error *error) {
    pending *p = arg;
    weir_run *run = weir__run_find(p->engine, p->run);
    if (run && run->named) {
        weir__names_unlock(p->engine);
        run->named = false;
    }
    if (run) run->slots.on_way -= p->slots < run->slots.on_way ? p->slots : run->slots.on_way;
    if (run && !run->failed && !p->engine->closing) {
        weir_error lost;
        bool effects = p->batch.effects.count > 0;
        if (!error && effects && !weir_store_holds(p->engine->store, weir_str_from(run->id), &lost))
            error = &lost; /* stopped for long since the batch was written */
        if (error)
            give_up(run, error);
        else
            carry_out(run, p);
    }
    drop_values(p->observed.items, p->observed.count);
    tell(NULL, p->told.items, p->told.count);
    weir_vector_deinit(&p->told);
    weir_batch_deinit(&p->batch);
    weir_free(p);
}

/* There is nothing to be written. */
static void need_not_wait(void *arg) {
    durable(arg, NULL);
}

/* --- the pump ------------------------------------------------------------------------------- */

weir_str weir__run_phase(const weir_run *run) {
    weir_str phase = weir_member_text(weir_machine_finished(run->machine), "phase");
    if (phase.length) return phase;
    return weir_machine_is_suspended(run->machine) ? WEIR_STR("Suspended") : WEIR_STR("Running");
}

static void count_slots(weir_run *run, pending *p) {
    const weir_tasks *tasks = weir_machine_tasks(run->machine);
    for (size_t i = 0; i < p->batch.effects.count; i++) {
        weir_effect *effect = &p->batch.effects.items[i];
        if (effect->kind != WEIR_EFFECT_START) continue;
        effect->slots = weir_tasks_slots_of(tasks, effect->task);
        p->slots += effect->slots;
    }
    run->slots.on_way += p->slots;
}

static void write_batch(weir_run *run) {
    pending *p = weir_alloc(sizeof *p);
    p->engine = run->engine;
    memcpy(p->run, run->id, sizeof p->run);
    weir_machine_take(run->machine, &p->batch);
    count_slots(run, p);
    run->lingers_us = 0;
    p->observed.items = run->observed.items;
    p->observed.count = run->observed.count;
    run->observed.items = NULL;
    run->observed.count = run->observed.capacity = 0;
    if (run->recorded) take_told(run, p);
    const weir_value *finished = weir_machine_finished(run->machine);
    p->over = finished != NULL;
    bool due = !run->sequence || run->record_due || finished;
    weir_buffer labels = {0};
    if (due) weir__labels_text(weir_machine_request(run->machine), &labels);
    weir_run_record record = {.id = weir_str_from(run->id),
                              .name = weir_str_from(run->name),
                              .kind = weir_str_from(run->plan->kind),
                              .phase = weir__run_phase(run),
                              .file = weir_str_from(run->file),
                              .owner = weir_str_from(run->engine->owner),
                              .parent =
                                  weir_member_text(weir_machine_request(run->machine), "parent"),
                              .created_us = weir_machine_created_us(run->machine),
                              .finished_us = weir_machine_finished_us(run->machine),
                              .labels = weir_buffer_str(&labels)};
    weir_buffer bytes = p->batch.bytes;
    weir_places places = p->batch.places;
    p->batch.bytes = (weir_buffer){0};
    p->batch.places = (weir_places){0};
    weir_buffer rows = run->records ? weir_records_take(run->records) : (weir_buffer){0};
    weir_engine *engine = run->engine;
    weir__memo_kept *kept = weir__memo_keep(run, &p->batch);
    run->record_due = false;
    if (run->recorded || due) p->sequence = run->sequence + 1;
    if (places.count || run->departures) {
        weir__departure departure = {.sequence = ++run->sequence,
                                     .bytes = bytes,
                                     .rows = rows,
                                     .record = due ? &record : NULL,
                                     .memos = kept,
                                     .done = durable,
                                     .arg = p};
        weir__values_depart(run, &places, &departure);
        kept = NULL;
    } else if (run->recorded || due) {
        weir_store_append(run->engine->store, weir_str_from(run->id), ++run->sequence, bytes, rows,
                          due ? &record : NULL, durable, p);
    } else {
        weir_loop_post(run->engine->loop, need_not_wait, p);
    }
    weir_buffer_deinit(&labels);
    weir__memo_write(engine, kept);
}

/* Whether something happened so long ago that those who look on should see it, though nothing else waits for its batch. */
static bool is_overdue(const weir_run *run) {
    return run->lingers_us && weir__now_us(run->engine) >= run->lingers_us + LINGER_US;
}

/* When to pump without a fact; UINT64_MAX: not. */
static uint64_t due_us(weir_run *run) {
    uint64_t due = weir_machine_due_us(run->machine);
    if (!weir_machine_lingers(run->machine))
        run->lingers_us = 0;
    else if (!run->lingers_us)
        run->lingers_us = weir__now_us(run->engine);
    if (run->lingers_us && run->lingers_us + LINGER_US < due) due = run->lingers_us + LINGER_US;
    return due;
}

void weir__run_write(weir_run *run) {
    if (weir_machine_pending(run->machine)) write_batch(run);
}

void weir__run_pump_later(weir_run *run, uint64_t delay_us) {
    if (!run->slots.gathers) weir_timer_start(run->timer, delay_us);
    run->slots.gathers = true;
}

void weir__run_pump(weir_run *run) {
    run->slots.gathers = false;
    if (run->over || run->held) return;
    if (run->pumping) { /* an effect of the batch reported at once */
        run->again = true;
        return;
    }
    enum { LOOKS_AT_ONCE = 16 };
    run->pumping = true;
    unsigned looks = 0;
    bool more;
    do {
        run->again = false;
        more = weir_machine_step(run->machine, weir__now_us(run->engine));
        if (weir__memo_look(run)) { /* some were answered at once */
            run->again = ++looks < LOOKS_AT_ONCE;
            more |= !run->again;
            if (run->again) continue;
        }
        if (weir_machine_pending(run->machine) || run->told.count || is_overdue(run))
            write_batch(run);
    } while (run->again && !run->over);
    run->pumping = false;
    if (run->over) return;
    if (more) weir__run_pump_soon(run); /* the loop turns once, for signals and other runs */
    uint64_t due = due_us(run), now = weir__now_us(run->engine);
    if (due == UINT64_MAX)
        weir_timer_cancel(run->timer);
    else
        weir_timer_start(run->timer, due > now ? due - now : 0);
}

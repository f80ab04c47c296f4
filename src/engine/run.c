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
#include "engine/actual.h"
#include "engine/engine_internal.h"
#include "engine/estimate.h"
#include "executor/command.h"
#include "workflow/lock.h"

/* A batch on its way to the store, with what is to be done once it is there. */
typedef struct pending {
    weir_engine *engine;
    char run[WEIR_RUN_ID_LENGTH + 1];
    weir_batch batch; /* effects only: the bytes are the store's */
    WEIR_VECTOR(weir_value *) observed;
    WEIR_VECTOR(weir__told) told;
    uint64_t sequence;    /* 0: nothing is written */
    uint64_t slots;       /* that attempts which it begins will take */
    weir__nodes released; /* that have given their locks back */
    bool over;
} pending;

enum { LINGER_US = 50 * 1000 }; /* how long an event may wait for a batch that somebody waits for */

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* Crockford's base 32 */

/* Some at once: a run needs several. Only the loop's thread wants any. */
uint64_t weir__random(void) {
    static _Thread_local uint64_t some[16];
    static _Thread_local size_t left;
    if (!left && getrandom(some, sizeof some, 0) == sizeof some) left = sizeof some / sizeof *some;
    return left ? some[--left] : weir_clock_steady_us();
}

/* Time first, so that ids sort by age (as ULIDs do); then 50 random bits. */
void weir__new_id(char id[static WEIR_RUN_ID_LENGTH + 1]) {
    uint64_t random = weir__random(), time = weir_clock_us() / 1000;
    for (int i = WEIR_RUN_ID_LENGTH / 2 - 1; i >= 0; i--, time /= 32) id[i] = alphabet[time % 32];
    for (int i = WEIR_RUN_ID_LENGTH / 2; i < WEIR_RUN_ID_LENGTH; i++, random /= 32)
        id[i] = alphabet[random % 32];
    id[WEIR_RUN_ID_LENGTH] = '\0';
}

void weir__id_turn(char id[static WEIR_RUN_ID_LENGTH + 1]) {
    const char *last = strchr(alphabet, id[WEIR_RUN_ID_LENGTH - 1]);
    id[WEIR_RUN_ID_LENGTH - 1] = last[1] ? last[1] : alphabet[0];
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

static void keep_observed(void *arg, weir_value *value) {
    weir_run *run = arg;
    *weir_vector_push(&run->observed) = weir_value_ref(value);
}

static void observe(void *arg, const weir_event *event) {
    weir_run *run = arg;
    weir__actual_note(run->actual, run->machine, event);
    if (run->records) weir_records_note(run->records, run->sequence + 1, event);
    if (run->records && !run->loading && event->type == WEIR_RUN_FINISHED)
        weir_records_tell_history(run->records, weir_str_from(run->id), event,
                                  weir__run_course(run));
    if (run->loading && run->replayed) run->replayed(run->replayed_arg, run, event);
    run->record_due |= event->type == WEIR_RUN_CANCELLED ||
                       (event->type >= WEIR_RUN_SUSPENDED && event->type <= WEIR_RUN_RESTARTED);
    if (!run->loading && run->engine->options.event && !run->hidden)
        weir__event_show(run, event, keep_observed, run);
}

void weir__run_tell(weir_run *run, weir_str context, const weir_value *result) {
    const weir_options *options = &run->engine->options;
    if (options->result) options->result(options->arg, run, context, result);
    if (run->sources) weir_sources_take(run->sources, context, result);
}

/* Tells the results, or only drops them. */
static void tell(weir_run *run, weir__told *told, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (run) weir__run_tell(run, weir_str_from(told[i].context), told[i].result);
        weir_free(told[i].context);
        weir_value_unref(told[i].result);
    }
}

static void drop_values(weir_value **values, size_t count) {
    for (size_t i = 0; i < count; i++) weir_value_unref(values[i]);
    weir_free(values);
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

weir_plan *weir__run_compile(weir_run *run, const weir_value *request, weir_error *error) {
    weir_document document = {0};
    weir_problems problems = {0};
    weir_plan *plan = NULL;
    const weir__kind *kind = weir__load_file(request, true, &document, &problems);
    if (kind)
        plan = weir__compile(kind, &document, request,
                             run->stand_ins ? weir__stand_ins_registry(run->stand_ins)
                                            : &run->engine->registry,
                             &problems);
    if (!plan) weir__say_problems(&problems, NULL, NULL, error);
    weir_problems_deinit(&problems);
    weir_document_deinit(&document);
    return plan;
}

weir_plan *weir__run_plan(void *arg, const weir_value *request) {
    weir_error ignored;
    return weir__run_compile(arg, request, &ignored);
}

/* From now on the run has this plan; its machine holds what it had before. */
static weir_plan *replan(void *arg, const weir_value *request) {
    weir_run *run = arg;
    weir_plan *plan = weir__run_plan(run, request);
    if (!plan) return NULL;
    weir_plan_unref(run->plan);
    run->plan = weir_plan_ref(plan);
    return plan;
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
    if (run->recorded) run->actual = weir__actual_new();
    run->has_locks = weir_workflow_has_locks(plan);
    run->sources = weir__sources_of(engine, id);
    bool tells = engine->options.result || run->sources;
    weir__values_init(&run->values, engine, id);
    if (engine->crew) run->desk = weir_desk_open(engine->crew, job_done, run);
    run->machine = weir_machine_new(
        plan, &(weir_machine_options){.run = run->id,
                                      .limits = weir__limits_of(run, request),
                                      .recorded = run->recorded,
                                      .parts = run->values.parts,
                                      .ahead_after = keeps_all(engine) ? 0 : WEIR_CALLS_RECORDED,
                                      .call = make_call,
                                      .result = tells ? tell_result : NULL,
                                      .helpers = run->desk ? weir_desk_helpers(run->desk) : NULL,
                                      .replan = replan,
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
    bool ours = run->owned && !run->over;
    if (ours) weir_tasks_each_attempt(weir_machine_tasks(run->machine), stop_own, run);
    /* One that failed may be another's, where there are leases. */
    if (ours || (run->owned && run->failed && !weir_store_has_leases(engine->store)))
        weir__locks_release_all(run);
    for (size_t i = 0; i < engine->runs.count; i++)
        if (engine->runs.items[i] == run)
            engine->runs.items[i] = engine->runs.items[--engine->runs.count];
    weir__values_leave(run);
    weir__run_disown(run);
    if (run->named) weir__names_unlock(engine);
    weir_timer_close(run->timer);
    weir_records_free(run->records);
    weir__left_free(run->left);
    weir__actual_free(run->actual);
    weir__estimates_free(run->expected);
    weir__costs_free(run->costs);
    weir_desk_close(run->desk); /* whose jobs are the machine's */
    weir_machine_free(run->machine);
    if (!engine->closing) weir__limits_look(engine);
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

/* A run that goes on from another folder still works in its own. A sandbox's directory is none of the host's. */
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

static void report_outcome(weir_engine *engine, const weir_attempt_id *attempt,
                           weir_outcome outcome) {
    weir_report report = {.attempt = *attempt, .kind = WEIR_REPORT_FINISHED, .outcome = outcome};
    engine->reporter.base.report(&engine->reporter.base, &report);
}

/* It was cancelled before it began. */
static void report_cancelled(weir_engine *engine, const weir_attempt_id *attempt) {
    report_outcome(
        engine, attempt,
        weir_outcome_failed(WEIR_OUTCOME_CANCELLED, "cancelled", "was cancelled before it began"));
}

/* Of a template whose outputs somebody said: it ends at once. */
static void report_mock(weir_run *run, const weir_attempt *attempt, const weir_value *mock) {
    const weir_value *said = weir_member_named(mock, "parameters");
    weir_value *outputs = weir_object_new(), *files = weir_object_new();
    int64_t code = (int64_t)weir_member_count(mock, "exit_code");
    for (size_t i = 0; weir_is(said, WEIR_OBJECT) && i < weir_value_count(said); i++) {
        weir_value *file = weir_object_new();
        weir_member_put(file, "text", weir_value_ref(weir_object_at(said, i)));
        weir_member_set(files, weir_object_key(said, i), file);
    }
    weir_member_put(outputs, "files", files);
    weir_member_put_text(outputs, "result", weir_member_text(mock, "result"));
    weir_member_put(outputs, "exit_code", weir_int_new(code));
    weir_outcome outcome = {.kind = WEIR_OUTCOME_SUCCEEDED};
    if (code) {
        outcome = weir_outcome_failed(WEIR_OUTCOME_FAILED, weir_code_text(WEIR_OPERATION_FAILED),
                                      "exit code %d", (int)code);
        weir_member_put(outcome.failure, "exit_code", weir_int_new(code));
    }
    outcome.outputs = outputs;
    report_outcome(run->engine, &attempt->id, outcome);
}

static void start_attempt(weir_run *run, weir_executor *executor, weir_attempt *attempt) {
    weir__cost_begin(run, attempt);
    executor->class->start(executor, attempt);
}

void weir__attempt_start(weir_run *run, const weir_effect *effect) {
    weir_attempt attempt;
    weir_machine_begin(run->machine, weir__now_us(run->engine), effect->task, effect->number);
    if (!weir_machine_attempt(run->machine, effect->task, effect->number, &attempt)) return;
    attempt.now_us = effect->time_us; /* reports may have come since */
    if (weir_str_is(attempt.spec->executor, "process") && !weir_command_sandbox(attempt.config))
        set_directory(run, &attempt);
    weir_executor *executor = executor_for(run->engine, attempt.spec);
    weir_tasks *tasks = weir_machine_tasks(run->machine);
    bool wanted = weir_tasks_state(tasks, effect->task) == WEIR_STATE_RUNNING;
    const weir_value *mock = weir_member_named(attempt.config, "mock");
    if (mock && wanted) {
        report_mock(run, &attempt, mock);
        weir_attempt_drop(&attempt);
        return;
    }
    if (wanted) weir__keep_files(run, &attempt);
    weir_outcome missing = {0};
    bool filled = weir__attempt_fill(run->engine, &attempt, &missing);
    for (uint32_t member = 0; member < attempt.members; member++) {
        attempt.id.member = member;
        if (!filled)
            report_outcome(run->engine, &attempt.id, missing);
        else if (wanted)
            start_attempt(run, executor, &attempt);
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
    weir_tasks_leave_budget(weir_machine_tasks(run->machine));
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

/* What is left by who died in between goes with the run. */
static void forget_volumes(const weir_run *run) {
    const weir_engine *engine = run->engine;
    bool stay = engine->state && run->plan->keeps_failed_volumes &&
                !weir_str_is(weir__run_phase(run), "Succeeded");
    bool any = weir_tasks_count(weir_machine_tasks(run->machine)) > 0;
    if (any && !stay) weir_process_forget(engine->executors[WEIR__EXECUTOR_PROCESS], run->id);
}

static void end_run(weir_run *run) {
    run->over = true;
    weir__locks_release_all(run);
    weir_timer_cancel(run->timer);
    forget_volumes(run);
    weir__artifacts_settle(run);
    weir__run_disown(run);
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
        if (effect->begun) continue;
        if (effect->kind == WEIR_EFFECT_START)
            (effect->slots ? weir__slots_add : weir__attempt_start)(run, effect);
        else
            stop(run, effect->task, effect->number, effect->how);
    }
    weir__slots_fill(run);
    for (size_t i = 0; i < p->batch.keeps.count; i++)
        weir__memo_settle(run, &p->batch.keeps.items[i]);
    if (run->has_locks && !p->over) weir__locks_release(run, &p->released);
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
    weir_vector_deinit(&p->released);
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

/* What is pure need not wait until it is durable that it begins: nobody outside sees it, and when the batch is lost it is
 * computed again. Only what runs on the pool: its outcome comes when the loop turns, behind the batch. */
static void begin_pure(weir_run *run, pending *p) {
    enum { OTHER = WEIR_CHEAP | WEIR_ASYNC | WEIR_GENERATOR };
    const weir_tasks *tasks = weir_machine_tasks(run->machine);
    for (size_t i = 0; i < p->batch.effects.count; i++) {
        weir_effect *effect = &p->batch.effects.items[i];
        if (effect->kind != WEIR_EFFECT_START) continue;
        const weir_task_spec *spec = weir_tasks_spec(tasks, effect->task);
        if (!spec || !weir_str_is(spec->executor, "inline") || !spec->code ||
            !weir_operation_has_code(spec->code))
            continue;
        if ((spec->code->hints & (WEIR_PURE | OTHER)) != WEIR_PURE || weir__cost_is_near(run, spec))
            continue;
        weir__attempt_start(run, effect);
        effect->begun = true;
    }
}

static void write_batch(weir_run *run) {
    pending *p = weir_alloc(sizeof *p);
    p->engine = run->engine;
    memcpy(p->run, run->id, sizeof p->run);
    weir_machine_take(run->machine, &p->batch);
    weir__locks_take_released(run, &p->released);
    count_slots(run, p);
    if (run->recorded) begin_pure(run, p);
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

/* It waits for the locks that it had, unless what had them is not to go on at all. */
static void wait_for_locks(weir_run *run) {
    uint64_t now_us = weir__now_us(run->engine),
             until_us = weir_machine_expire(run->machine, now_us);
    if (weir_machine_is_terminated(run->machine) ||
        (weir_machine_is_cancelled(run->machine) && !run->wants_for_exit)) {
        run->wants_back = false;
        weir__locks_release_all(run); /* or its exit handler would wait behind what it wanted */
        weir__run_go_on(run);
    } else if (until_us != UINT64_MAX) {
        weir_timer_start(run->timer, until_us > now_us ? until_us - now_us : 0);
    }
}

void weir__run_pump(weir_run *run) {
    run->slots.gathers = false;
    if (run->over || run->held) return;
    if (run->wants_back) {
        wait_for_locks(run);
        return;
    }
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
        if (weir__locks_look(run)) {
            run->again = true;
            continue;
        }
        if (weir__memo_look(run)) { /* some were answered at once */
            run->again = ++looks < LOOKS_AT_ONCE;
            more |= !run->again;
            if (run->again) continue;
        }
        if (weir_machine_pending(run->machine) || run->told.count || is_overdue(run))
            write_batch(run);
    } while (run->again && !run->over);
    run->pumping = false;
    weir__limits_look(run->engine);
    if (run->over) return;
    if (more) weir__run_pump_soon(run); /* the loop turns once, for signals and other runs */
    uint64_t due = due_us(run), now = weir__now_us(run->engine);
    if (due == UINT64_MAX)
        weir_timer_cancel(run->timer);
    else
        weir_timer_start(run->timer, due > now ? due - now : 0);
}

#include "engine/machine.h"

#include "engine/history.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/pages.h"
#include "workflow/suspend.h"

enum { TOUCHED_PER_ROUND = 256, EVENTS_PER_BATCH = 8192 };

struct weir_machine {
    weir_decisions decisions; /* first: the coordinator's and the task layer's way back */
    weir_machine_options options;
    char run[WEIR_RUN_ID_LENGTH + 1];
    weir_plan *plan;
    WEIR_VECTOR(weir_plan *) plans; /* of generations before, to which batches may refer still */
    weir_tasks *tasks;
    weir_coordinator *coordinator;
    weir_pages sequences; /* uint64_t: the last of each context that is not finished */
    weir_batch batch;
    size_t batch_events;
    uint64_t now_us, created_us, finished_us;
    uint64_t deadline_us; /* of the run; UINT64_MAX: none */
    weir_event_id begun;  /* what this generation began with */
    weir_value *request, *finished;
    weir_value *
        images; /* {name: digest}: an image that an attempt ran in stays that for the run; NULL: none yet */
    bool cancelled, terminated, suspended;
    bool in_summary;                /* what is replayed stands for more than it has */
    uint64_t command, last_command; /* of the store */
    weir__recall recall;            /* what this generation knows from before */
    weir__recall gathered;          /* what the next one will */
};

void weir_batch_deinit(weir_batch *batch) {
    weir_buffer_deinit(&batch->bytes);
    weir_places_deinit(&batch->places);
    for (size_t i = 0; i < batch->keeps.count; i++) {
        weir_value_unref(batch->keeps.items[i].missed);
        weir_value_unref(batch->keeps.items[i].outputs);
    }
    weir_vector_deinit(&batch->effects);
    weir_vector_deinit(&batch->keeps);
    *batch = (weir_batch){0};
}

static uint64_t *sequence_of(weir_machine *machine, uint32_t context) {
    while (machine->sequences.count <= context) weir_pages_push(&machine->sequences);
    return weir_pages_at(&machine->sequences, context);
}

/* How long the run may take; 0: as long as it likes. */
static uint64_t time_allowed_us(const weir_machine *machine) {
    uint64_t asked = weir_member_count(machine->request, "deadline_us"),
             planned = machine->plan->deadline_us;
    return !asked || (planned && planned < asked) ? planned : asked;
}

static void begin_time(weir_machine *machine, uint64_t from_us) {
    uint64_t allowed = time_allowed_us(machine);
    if (!allowed || __builtin_add_overflow(from_us, allowed, &machine->deadline_us))
        machine->deadline_us = UINT64_MAX;
}

static void create(weir_machine *machine, const weir_event *event) {
    weir_value_unref(machine->request);
    machine->request = weir_value_ref(event->data);
    machine->created_us = event->time_us;
    const weir_value *seed = weir_member_named(event->data, "seed");
    machine->decisions.seed = weir_is(seed, WEIR_INT) ? (uint64_t)weir_int_get(seed) : 0;
    begin_time(machine, event->time_us);
}

static void note_command(weir_machine *machine, const weir_value *data) {
    uint64_t command = weir_member_count(data, "command");
    if (command) machine->last_command = command;
}

static bool recall(void *arg, weir_task_id task, uint32_t *kept, weir_value **data) {
    weir_machine *machine = arg;
    char key[WEIR__KEY_LENGTH + 1];
    if (!machine->recall.keys.count) return false;
    weir_value *path = weir_machine_identify(machine, task, key);
    bool found = weir__recall_find(&machine->recall, key, kept);
    if (!found && machine->recall.by_name) {
        weir__recall_name_key(weir_string_get(weir_array_at(path, 0)), key);
        found = weir__recall_find(&machine->recall, key, kept);
    }
    weir_value_unref(path);
    if (!found) return false;
    weir_value *sets = weir_member_named(machine->recall.items.items[*kept].data, "sets");
    if (sets) {
        *data = weir_object_new();
        weir_member_put(*data, "sets", weir_value_ref(sets));
    }
    return true;
}

static void gather(weir_machine *machine, const weir_event *event) {
    if (!event->subject) { /* what came before was not brought to its end */
        weir__recall_deinit(&machine->gathered);
        machine->gathered = (weir__recall){0};
    }
    weir__recall_add(&machine->gathered, event->data);
}

/* Parameters lie over those that the run had. */
static void change_parameters(weir_machine *machine, const weir_value *parameters) {
    weir_value *request = weir_object_merge(machine->request, NULL);
    weir_member_put(request, "parameters",
                    weir_object_merge(weir_member_named(request, "parameters"), parameters));
    weir_value_unref(machine->request);
    machine->request = request;
    weir_plan *plan =
        machine->options.replan ? machine->options.replan(machine->options.arg, request) : NULL;
    if (!plan) return;
    *weir_vector_push(&machine->plans) = machine->plan;
    machine->plan = plan;
}

/* A new generation: all but the request and what was gathered begins anew. */
static void begin_anew(weir_machine *machine, const weir_event *event) {
    weir_tasks *tasks =
        weir_tasks_succeed(machine->tasks, (uint32_t)(machine->sequences.count - 1));
    machine->coordinator->class->free(machine->coordinator);
    weir_tasks_free(machine->tasks);
    weir_value_unref(machine->finished);
    weir__recall_deinit(&machine->recall);
    machine->recall = machine->gathered;
    machine->gathered = (weir__recall){0};
    weir__recall_index(&machine->recall);
    const weir_value *parameters = weir_member_named(event->data, "parameters");
    if (parameters) change_parameters(machine, parameters);
    machine->tasks = tasks;
    weir_tasks_ask(tasks, recall, machine);
    machine->coordinator = machine->plan->coordinator(machine->plan, tasks);
    machine->coordinator->recorded = machine->options.recorded;
    machine->finished = NULL;
    machine->finished_us = 0;
    machine->cancelled = machine->terminated = machine->suspended = false;
    machine->begun = event->id;
    begin_time(machine, event->time_us);
    weir_event created = {.type = WEIR_RUN_CREATED,
                          .id = event->id,
                          .time_us = event->time_us,
                          .data = machine->request};
    weir_tasks_apply(tasks, &created);
    machine->coordinator->class->apply(machine->coordinator, &created);
    const weir_value *suspensions = weir_member_named(event->data, "suspensions");
    if (suspensions) weir_workflow_recall_suspensions(machine->coordinator, suspensions);
}

/* What a restart says of suspensions and parameters is a workflow's, and in their form. */
static bool fits_workflow(const weir_machine *machine, const weir_event *event) {
    const weir_value *suspensions = weir_member_named(event->data, "suspensions");
    const weir_value *parameters = weir_member_named(event->data, "parameters");
    if (!suspensions && !parameters) return true;
    for (size_t i = 0; weir_is(parameters, WEIR_OBJECT) && i < weir_value_count(parameters); i++)
        if (!weir_is(weir_object_at(parameters, i), WEIR_STRING)) return false;
    return strcmp(machine->plan->kind, "workflow") == 0 &&
           (!parameters || weir_is(parameters, WEIR_OBJECT)) &&
           (!suspensions || weir_workflow_is_suspensions(suspensions));
}

/* The first who used a name says what it means to the run, in all its generations. Values are immutable where attempts hold them. */
static void pin_images(weir_machine *machine, const weir_value *images) {
    for (size_t i = 0; weir_is(images, WEIR_OBJECT) && i < weir_value_count(images); i++) {
        weir_str name = weir_object_key(images, i);
        if (!weir_is(weir_object_at(images, i), WEIR_STRING)) continue;
        if (machine->images && weir_member(machine->images, name)) continue;
        machine->images = machine->images ? weir_value_own(machine->images) : weir_object_new();
        weir_member_set(machine->images, name, weir_value_ref(weir_object_at(images, i)));
    }
}

/* Numbers go on from others. The event itself has no place among the run's. */
static void shorten(weir_machine *machine, const weir_event *event) {
    uint64_t command = weir_member_count(event->data, "command");
    if (command) machine->last_command = command;
    pin_images(machine, weir_member_named(event->data, "images"));
    *sequence_of(machine, 0) = weir_member_count(event->data, "sequence");
    weir_pages_skip(&machine->sequences, event->number, &(uint64_t){0});
    weir_tasks_skip(machine->tasks, (weir_task_id)event->subject);
    machine->coordinator->class->apply(machine->coordinator, event);
    if (machine->options.observe) machine->options.observe(machine->options.arg, event);
}

/* What is the run's own. */
static void apply_to_run(weir_machine *machine, const weir_event *event) {
    if (event->type == WEIR_RUN_CANCELLED ||
        (event->type >= WEIR_RUN_SUSPENDED && event->type <= WEIR_RUN_RESTARTED) ||
        event->type == WEIR_NODE_SET)
        note_command(machine, event->data);
    switch (event->type) {
    case WEIR_RUN_CREATED: create(machine, event); break;
    case WEIR_RUN_FINISHED:
        weir_value_unref(machine->finished);
        machine->finished = weir_value_ref(event->data);
        machine->finished_us = event->time_us;
        break;
    case WEIR_RUN_CANCELLED: /* what is to end has to go on */
        machine->cancelled = true;
        machine->terminated |= event->number != 0;
        machine->suspended = false;
        break;
    case WEIR_RUN_SUSPENDED: machine->suspended = true; break;
    case WEIR_RUN_RESUMED: machine->suspended = false; break;
    case WEIR_ATTEMPT_STARTED: pin_images(machine, weir_member_named(event->data, "images")); break;
    case WEIR_OUTCOME_KEPT: gather(machine, event); break;
    case WEIR_RUN_RESTARTED: begin_anew(machine, event); break;
    case WEIR_TASK_RECALLED: {
        const weir_value *kept = machine->recall.items.items[event->number].data;
        int64_t origin = weir_int_get(weir_member_named(kept, "task"));
        weir_tasks_recall(machine->tasks, (weir_task_id)event->subject,
                          origin < 0 ? (weir_task_id)event->subject : (weir_task_id)origin,
                          weir_member_named(kept, "outcome"));
        weir__recall_use(&machine->recall, event->number);
        break;
    }
    default: break;
    }
}

/* Whether the event is about an attempt that the coordinator makes itself. */
static bool is_coordinators(const weir_machine *machine, const weir_event *event) {
    return weir_event_has_task(event->type) &&
           !weir_tasks_spec(machine->tasks, (weir_task_id)event->subject)->executor.length;
}

static void apply(weir_machine *machine, const weir_event *event) {
    if (event->type == WEIR_RUN_SHORTENED) {
        shorten(machine, event);
        return;
    }
    *sequence_of(machine, event->id.context) = event->id.sequence;
    apply_to_run(machine, event);
    weir_tasks_apply(machine->tasks, event);
    /* Its effect leaves later; in a replay it never does. */
    if (event->type == WEIR_ATTEMPT_SCHEDULED && machine->options.recorded &&
        !is_coordinators(machine, event))
        weir_tasks_hold(machine->tasks, (weir_task_id)event->subject);
    if (machine->options.task && weir_event_has_task(event->type))
        machine->options.task(machine->options.arg, event);
    machine->coordinator->class->apply(machine->coordinator, event);
    if (machine->options.observe) machine->options.observe(machine->options.arg, event);
    if (event->type == WEIR_CONTEXT_FINISHED && machine->options.recorded) /* its number is over */
        weir_pages_drop(&machine->sequences, event->id.context);
}

/* Who missed is the only one to know what came of it. */
static void add_keep(weir_machine *machine, const weir_event *event) {
    weir_task_id task = (weir_task_id)event->subject;
    weir_value *missed = weir_tasks_missed(machine->tasks, task);
    if (!missed) return;
    weir_keep keep = {.task = task,
                      .spec = weir_tasks_spec(machine->tasks, task),
                      .missed = weir_value_ref(missed)};
    weir_value *outputs = weir_tasks_outcome(machine->tasks, task)->outputs;
    if (!event->data && weir_tasks_may_keep(machine->tasks, task))
        keep.outputs = outputs ? weir_value_ref(outputs) : weir_object_new();
    *weir_vector_push(&machine->batch.keeps) = keep;
}

static void add_effect(weir_machine *machine, const weir_event *event) {
    if (event->type == WEIR_TASK_FINISHED) add_keep(machine, event);
    if (is_coordinators(machine, event)) return;
    weir_effect effect = {
        .task = (weir_task_id)event->subject, .number = event->number, .time_us = event->time_us};
    if (event->type == WEIR_ATTEMPT_SCHEDULED) {
        effect.kind = WEIR_EFFECT_START;
    } else if (event->type == WEIR_ATTEMPT_STOPPING) {
        const weir_value *how = weir_member_named(event->data, "how");
        effect.kind = WEIR_EFFECT_STOP;
        effect.how = weir_is(how, WEIR_INT) ? (weir_stop)weir_int_get(how) : WEIR_STOP_TERM;
    } else if (event->type == WEIR_ATTEMPT_LOST) { /* it may be alive, only unseen */
        effect.kind = WEIR_EFFECT_STOP;
        effect.how = WEIR_STOP_KILL;
    } else {
        return;
    }
    *weir_vector_push(&machine->batch.effects) = effect;
}

static bool is_urgent(weir_event_type type) {
    return type != WEIR_ATTEMPT_STARTED && type != WEIR_ATTEMPT_METRIC;
}

static bool brings_inputs(weir_event_type type) {
    return type == WEIR_TASK_FINISHED || type == WEIR_ATTEMPT_YIELDED ||
           type == WEIR_INPUTS_GIVEN || type == WEIR_TASK_RECALLED;
}

static void emit(weir_decisions *decisions, weir_event *event) {
    weir_machine *machine = (weir_machine *)decisions;
    weir_coordinator *coordinator = machine->coordinator;
    if (coordinator->class->settle && brings_inputs(event->type))
        coordinator->class->settle(coordinator, event->id.context, decisions);
    event->id.sequence = *sequence_of(machine, event->id.context) + 1;
    event->time_us = machine->now_us;
    if (machine->options.recorded) {
        if (!machine->batch.bytes.length) weir_batch_begin(&machine->batch.bytes);
        weir_event_encode_parts(event, machine->options.parts, &machine->batch.places,
                                &machine->batch.bytes);
    }
    machine->batch_events++;
    machine->batch.urgent |= is_urgent(event->type);
    add_effect(machine, event);
    apply(machine, event);
}

static void set_now(weir_machine *machine, uint64_t now_us) {
    /* The time of a run's events never goes back, whatever the clock does. */
    if (now_us > machine->now_us) machine->now_us = now_us;
    machine->decisions.now_us = machine->now_us;
}

weir_machine *weir_machine_new(weir_plan *plan, const weir_machine_options *options) {
    weir_machine *machine = weir_alloc(sizeof *machine);
    machine->decisions.emit = emit;
    machine->options = *options;
    snprintf(machine->run, sizeof machine->run, "%s", options->run);
    machine->plan = weir_plan_ref(plan);
    machine->sequences.size = sizeof(uint64_t);
    machine->tasks = weir_tasks_new(&options->limits);
    machine->coordinator = plan->coordinator(plan, machine->tasks);
    machine->coordinator->recorded = options->recorded;
    machine->deadline_us = UINT64_MAX;
    machine->decisions.recorded = options->recorded;
    machine->decisions.ahead_after = options->ahead_after;
    machine->decisions.call = options->call;
    machine->decisions.result = options->result;
    machine->decisions.helpers = options->helpers;
    machine->decisions.arg = options->arg;
    return machine;
}

void weir_machine_free(weir_machine *machine) {
    if (!machine) return;
    machine->coordinator->class->free(machine->coordinator);
    weir_tasks_free(machine->tasks);
    weir_plan_unref(machine->plan);
    for (size_t i = 0; i < machine->plans.count; i++) weir_plan_unref(machine->plans.items[i]);
    weir_vector_deinit(&machine->plans);
    weir_pages_deinit(&machine->sequences);
    weir_batch_deinit(&machine->batch);
    weir_value_unref(machine->images);
    weir_value_unref(machine->request);
    weir_value_unref(machine->finished);
    weir__recall_deinit(&machine->recall);
    weir__recall_deinit(&machine->gathered);
    weir_free(machine);
}

void weir_machine_created(weir_machine *machine, uint64_t now_us, weir_value *request) {
    set_now(machine, now_us);
    weir_decide(&machine->decisions, WEIR_RUN_CREATED, 0, 0, 0, request, NULL, 0);
}

void weir_machine_commanded(weir_machine *machine, uint64_t command) {
    machine->command = command;
}

uint64_t weir_machine_last_sequence(const weir_machine *machine, uint32_t context) {
    const uint64_t *last = weir_pages_at(&machine->sequences, context);
    return last ? *last : 0;
}

uint64_t weir_machine_last_command(const weir_machine *machine) {
    return machine->last_command;
}

/* What the fact of a command says of it; NULL: it is nobody's of the store. */
static weir_value *command_data(weir_machine *machine) {
    if (!machine->command) return NULL;
    weir_value *data = weir_object_new();
    weir_member_put(data, "command", weir_int_new((int64_t)machine->command));
    machine->command = 0;
    return data;
}

void weir_machine_cancelled(weir_machine *machine, uint64_t now_us, bool terminate) {
    if (machine->finished) return;
    set_now(machine, now_us);
    weir_decide(&machine->decisions, WEIR_RUN_CANCELLED, 0, 0, terminate, command_data(machine),
                NULL, 0);
}

void weir_machine_suspended(weir_machine *machine, uint64_t now_us, bool suspended) {
    if (machine->finished || machine->suspended == suspended) return;
    if (suspended && machine->cancelled) return;
    set_now(machine, now_us);
    weir_decide(&machine->decisions, suspended ? WEIR_RUN_SUSPENDED : WEIR_RUN_RESUMED, 0, 0, 0,
                command_data(machine), NULL, 0);
}

/* A fact about a task that somebody asked for. */
static void decide_task(weir_machine *machine, uint64_t now_us, weir_task_id task,
                        weir_event_type type, uint32_t number, weir_value *data) {
    set_now(machine, now_us);
    machine->command = 0; /* who asks again does no harm */
    weir_event_id prev = weir_tasks_last_event(machine->tasks, task);
    weir_decide(&machine->decisions, type, weir_tasks_context(machine->tasks, task), task, number,
                data, &prev, 1);
}

void weir_machine_cancel_task(weir_machine *machine, uint64_t now_us, weir_task_id task,
                              bool terminate) {
    weir_task_state state = weir_tasks_state(machine->tasks, task);
    if (state == WEIR_STATE_RUNNING || state == WEIR_STATE_STOPPING) {
        weir_value *data = weir_object_new();
        weir_member_put_text(data, "why", WEIR_STR("cancelled"));
        weir_member_put(data, "how", weir_int_new(terminate ? WEIR_STOP_KILL : WEIR_STOP_TERM));
        weir_member_put(data, "last", weir_bool_new(true));
        decide_task(machine, now_us, task, WEIR_ATTEMPT_STOPPING,
                    weir_tasks_attempt(machine->tasks, task), data);
    } else if (state == WEIR_STATE_READY || state == WEIR_STATE_BACKOFF) {
        weir_outcome outcome = weir_outcome_failed(WEIR_OUTCOME_CANCELLED, "cancelled",
                                                   "was cancelled before it began");
        decide_task(machine, now_us, task, WEIR_TASK_FINISHED, 0, weir_outcome_to_value(&outcome));
        weir_outcome_deinit(&outcome);
    }
}

void weir_machine_begin_again(weir_machine *machine, uint64_t now_us, weir_task_id task) {
    weir_value *data = weir_object_new();
    weir_member_put_text(data, "reason", WEIR_STR("it was restarted"));
    decide_task(machine, now_us, task, WEIR_ATTEMPT_LOST, weir_tasks_attempt(machine->tasks, task),
                data);
}

void weir_machine_set_nodes(weir_machine *machine, uint64_t now_us, weir_value *data) {
    set_now(machine, now_us);
    weir_value *command = command_data(machine);
    if (command)
        weir_member_put(data, "command", weir_value_ref(weir_member_named(command, "command")));
    weir_value_unref(command);
    weir_decide(&machine->decisions, WEIR_NODE_SET, 0, 0, 0, data, NULL, 0);
}

void weir_machine_granted(weir_machine *machine, uint64_t now_us, uint32_t node, weir_value *data) {
    set_now(machine, now_us);
    weir_decide(&machine->decisions, WEIR_LOCK_GRANTED, 0, node, 0, data, NULL, 0);
}

void weir_machine_kept(weir_machine *machine, uint64_t now_us, uint32_t number, weir_value *data) {
    set_now(machine, now_us);
    weir_decide(&machine->decisions, WEIR_OUTCOME_KEPT, 0, number, 0, data, NULL, 0);
}

static void end_attempt(void *arg, weir_task_id task, uint32_t number) {
    weir_machine *machine = arg;
    if (!weir_tasks_spec(machine->tasks, task)->executor.length) return; /* its coordinator's */
    *weir_vector_push(&machine->batch.effects) = (weir_effect){.kind = WEIR_EFFECT_STOP,
                                                               .task = task,
                                                               .number = number,
                                                               .how = WEIR_STOP_KILL,
                                                               .time_us = machine->now_us};
}

void weir_machine_restarted(weir_machine *machine, uint64_t now_us, uint32_t kept,
                            weir_value *how) {
    set_now(machine, now_us);
    weir_value *command = command_data(machine), *data = NULL;
    if (command || (how && weir_value_count(how))) data = weir_object_merge(command, how);
    weir_value_unref(command);
    weir_value_unref(how);
    weir_tasks_each_attempt(machine->tasks, end_attempt, machine);
    weir_decide(&machine->decisions, WEIR_RUN_RESTARTED, 0, 0, kept, data, NULL, 0);
}

const weir__recall *weir_machine_recall(const weir_machine *machine) {
    return &machine->recall;
}

void weir_machine_given(weir_machine *machine, uint64_t now_us, weir_event_type type,
                        uint32_t context, uint32_t number, weir_value *data) {
    set_now(machine, now_us);
    weir_decide(&machine->decisions, type, context, context, number, data, NULL, 0);
}

void weir_machine_given_again(weir_machine *machine, uint64_t now_us, weir_event_type type,
                              uint32_t number, weir_value *data) {
    set_now(machine, now_us);
    weir_decide(&machine->decisions, type, 0, 0, number, data, &machine->begun, 1);
}

static weir_value *finished_data(const weir_report *report) {
    weir_value *data = weir_outcome_to_value(&report->outcome);
    if (report->attempt.member)
        weir_member_put(data, "member", weir_int_new(report->attempt.member));
    return data;
}

bool weir_machine_report(weir_machine *machine, uint64_t now_us, const weir_report *report) {
    static const weir_event_type types[] = {
        [WEIR_REPORT_STARTED] = WEIR_ATTEMPT_STARTED,  [WEIR_REPORT_READY] = WEIR_ATTEMPT_READY,
        [WEIR_REPORT_METRIC] = WEIR_ATTEMPT_METRIC,    [WEIR_REPORT_YIELDED] = WEIR_ATTEMPT_YIELDED,
        [WEIR_REPORT_LOST] = WEIR_ATTEMPT_LOST,        [WEIR_REPORT_FROZEN] = WEIR_ATTEMPT_STOPPING,
        [WEIR_REPORT_FINISHED] = WEIR_ATTEMPT_FINISHED};
    const weir_attempt_id *id = &report->attempt;
    if (!weir_tasks_expects(machine->tasks, id) || strcmp(id->run, machine->run) != 0) return false;
    set_now(machine, now_us);
    weir_tasks_heartbeat(machine->tasks, id->task, machine->now_us);
    if (report->kind == WEIR_REPORT_HEARTBEAT) return true;
    weir_value *data =
        report->kind == WEIR_REPORT_FINISHED ? finished_data(report) : weir_value_ref(report->data);
    weir_event_id prev = weir_tasks_last_event(machine->tasks, id->task);
    if (report->kind == WEIR_REPORT_FROZEN) {
        if (weir_tasks_state(machine->tasks, id->task) != WEIR_STATE_RUNNING) {
            weir_value_unref(data);
            return true;
        }
        data = weir_value_own(data);
        weir_member_put_text(data, "why", WEIR_STR("frozen"));
        weir_member_put(data, "how", weir_int_new(WEIR_STOP_KILL));
    }
    weir_decide(&machine->decisions, types[report->kind],
                weir_tasks_context(machine->tasks, id->task), id->task, id->number, data, &prev, 1);
    return true;
}

static void lose(void *arg, weir_task_id task, uint32_t number) {
    weir_machine *machine = arg;
    /* What its coordinator does goes on: all of it is in the journal. */
    if (!weir_tasks_spec(machine->tasks, task)->executor.length) return;
    weir_value *data = weir_object_new();
    weir_member_put_text(data, "reason", WEIR_STR("its engine died"));
    weir_event_id prev = weir_tasks_last_event(machine->tasks, task);
    weir_decide(&machine->decisions, WEIR_ATTEMPT_LOST, weir_tasks_context(machine->tasks, task),
                task, number, data, &prev, 1);
}

void weir_machine_recovered(weir_machine *machine, uint64_t now_us, weir_str owner) {
    if (machine->finished) return;
    set_now(machine, now_us);
    weir_value *data = weir_object_new();
    weir_member_put_text(data, "owner", owner);
    weir_decide(&machine->decisions, WEIR_RUN_RECOVERED, 0, 0, 0, data, NULL, 0);
    weir_tasks_each_attempt(machine->tasks, lose, machine);
}

/* The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014). */
static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static void fill_attempt(weir_machine *machine, weir_task_id task, weir_attempt *attempt,
                         bool sought) {
    *attempt = (weir_attempt){.plan = weir_plan_ref(machine->plan), .sought = sought};
    memcpy(attempt->id.run, machine->run, sizeof attempt->id.run);
    weir_tasks_describe_attempt(machine->tasks, task, attempt);
    /* A sign of life is of use without events too. */
    attempt->quiet = !machine->options.recorded && !attempt->spec->heartbeat_us;
    attempt->now_us = machine->now_us;
    attempt->images = weir_value_ref(machine->images);
    attempt->seed = mix(machine->decisions.seed + task + 1);
    machine->coordinator->class->prepare(machine->coordinator, task, attempt);
}

bool weir_machine_take_sought(weir_machine *machine, weir_attempt *attempt) {
    weir_task_id task;
    if (!weir_tasks_take_sought(machine->tasks, &task)) return false;
    fill_attempt(machine, task, attempt, true);
    return true;
}

void weir_machine_remembered(weir_machine *machine, uint64_t now_us, weir_task_id task,
                             weir_event_type type, weir_value *data) {
    if (!weir_tasks_seeks(machine->tasks, task)) {
        weir_value_unref(data);
        return;
    }
    set_now(machine, now_us);
    weir_event_id prev = weir_tasks_last_event(machine->tasks, task);
    weir_decide(&machine->decisions, type, weir_tasks_context(machine->tasks, task), task, 0, data,
                &prev, 1);
}

/* The run's time is over: it is cancelled, and the event says why. */
static void expire(weir_machine *machine) {
    if (machine->now_us < machine->deadline_us || machine->finished || machine->cancelled) return;
    weir_value *data = weir_object_new();
    weir_member_put(data, "deadline_us", weir_int_new((int64_t)time_allowed_us(machine)));
    weir_decide(&machine->decisions, WEIR_RUN_CANCELLED, 0, 0, 0, data, NULL, 0);
}

uint64_t weir_machine_expire(weir_machine *machine, uint64_t now_us) {
    set_now(machine, now_us);
    expire(machine);
    return machine->cancelled ? UINT64_MAX : machine->deadline_us;
}

weir_value *weir_machine_identify(weir_machine *machine, weir_task_id task,
                                  char key[static WEIR__KEY_LENGTH + 1]) {
    weir_attempt attempt;
    weir_buffer bytes = {0};
    fill_attempt(machine, task, &attempt, false);
    weir_value *path = machine->coordinator->class->locate(machine->coordinator, task);
    weir_value_encode(path, &bytes);
    weir_value_encode(attempt.parameters, &bytes);
    weir_value_encode(attempt.config, &bytes);
    uint64_t first = weir_hash(bytes.data, bytes.length);
    weir_buffer_byte(&bytes, 1); /* another hash of the same */
    uint64_t second = weir_hash(bytes.data, bytes.length);
    snprintf(key, WEIR__KEY_LENGTH + 1, "%016" PRIx64 "%016" PRIx64, first, second);
    weir_buffer_deinit(&bytes);
    weir_attempt_drop(&attempt);
    return path;
}

bool weir_machine_step(weir_machine *machine, uint64_t now_us) {
    set_now(machine, now_us);
    expire(machine);
    weir_coordinator *coordinator = machine->coordinator;
    for (;;) {
        size_t before = machine->batch_events;
        if (before >= EVENTS_PER_BATCH) return true;
        machine->decisions.ahead = false;
        bool more = !machine->suspended &&
                    coordinator->class->decide(coordinator, TOUCHED_PER_ROUND, &machine->decisions);
        weir_tasks_decide(machine->tasks, &machine->decisions);
        if (!more && machine->batch_events == before) return false;
        /* Without events a round is as long as its coordinator lets it be. */
        if (more && (!machine->options.recorded || machine->decisions.ahead)) return true;
    }
}

uint64_t weir_machine_due_us(const weir_machine *machine) {
    if (machine->finished) return UINT64_MAX;
    uint64_t due = weir_tasks_due_us(machine->tasks);
    const weir_coordinator_class *class = machine->coordinator->class;
    uint64_t own =
        class->due_us && !machine->suspended ? class->due_us(machine->coordinator) : UINT64_MAX;
    if (own < due) due = own;
    return !machine->cancelled && machine->deadline_us < due ? machine->deadline_us : due;
}

bool weir_machine_pending(const weir_machine *machine) {
    return machine->batch.urgent || machine->batch_events >= EVENTS_PER_BATCH;
}

bool weir_machine_lingers(const weir_machine *machine) {
    return machine->batch.bytes.length > 0;
}

weir_str weir_machine_untaken(const weir_machine *machine) {
    return weir_buffer_str(&machine->batch.bytes);
}

void weir_machine_take(weir_machine *machine, weir_batch *batch) {
    *batch = machine->batch;
    machine->batch = (weir_batch){0};
    machine->batch_events = 0;
}

/* Of two texts at least, as coordinators make them. */
static bool is_path(const weir_value *path) {
    if (!weir_is(path, WEIR_ARRAY) || weir_value_count(path) < 2) return false;
    for (size_t i = 0; i < weir_value_count(path); i++)
        if (!weir_is(weir_array_at(path, i), WEIR_STRING)) return false;
    return true;
}

/* The machine's part of it. */
static bool fits_restart(const weir_machine *machine, const weir_event *event) {
    const weir__recall *recall = &machine->recall;
    const weir_value *data = event->data;
    switch (event->type) {
    case WEIR_OUTCOME_KEPT:
        return (!event->subject || event->subject == machine->gathered.items.count) &&
               weir_member_text(data, "key").length == WEIR__KEY_LENGTH &&
               weir_is(weir_member_named(data, "task"), WEIR_INT) &&
               is_path(weir_member_named(data, "path")) &&
               weir_is(weir_member_named(data, "outcome"), WEIR_OBJECT);
    case WEIR_RUN_RESTARTED:
        return machine->coordinator->class->undo && event->id.context == 0 &&
               event->number == machine->gathered.items.count && fits_workflow(machine, event);
    case WEIR_TASK_RECALLED: return weir__recall_fits(recall, event->number);
    default: return !machine->finished;
    }
}

static bool fits_shortened(const weir_machine *machine, const weir_event *event) {
    const uint64_t *last = weir_pages_at(&machine->sequences, 0);
    const weir_value *sequence = weir_member_named(event->data, "sequence");
    return machine->in_summary && last && !event->id.context && !event->id.sequence &&
           weir_is(sequence, WEIR_INT) && weir_int_get(sequence) >= (int64_t)*last &&
           event->number >= machine->sequences.count && event->subject < WEIR_NO_TASK &&
           event->subject >= weir_tasks_count(machine->tasks) &&
           machine->coordinator->class->fits(machine->coordinator, event);
}

static bool fits(const weir_machine *machine, const weir_event *event) {
    if (event->type == WEIR_RUN_SHORTENED) return fits_shortened(machine, event);
    uint32_t context = event->id.context;
    if (event->id.sequence != weir_machine_last_sequence(machine, context) + 1) return false;
    bool begins = event->type == WEIR_RUN_CREATED;
    if (begins != !machine->request || (begins && !event->data)) return false;
    if (!fits_restart(machine, event)) return false;
    if (event->type == WEIR_RUN_FINISHED && !event->data) return false;
    if (event->type == WEIR_RUN_SUSPENDED && (machine->suspended || machine->cancelled))
        return false;
    if (event->type == WEIR_RUN_RESUMED && !machine->suspended) return false;
    return weir_tasks_fits(machine->tasks, event) &&
           machine->coordinator->class->fits(machine->coordinator, event);
}

bool weir_machine_replay(weir_machine *machine, weir_str bytes, weir_error *error) {
    weir_batch_reader reader;
    if (!weir_batch_open(&reader, bytes, error)) return false;
    reader.parts = machine->options.parts;
    machine->in_summary = weir_batch_is_summary(bytes);
    const weir_event *event = NULL;
    bool ok;
    while ((ok = weir_batch_next(&reader, &event, error)) && event) {
        if (!fits(machine, event)) {
            ok = weir_fail(error, WEIR_STORE, "event %s does not fit the run's plan",
                           weir_event_text(event->type));
            break;
        }
        set_now(machine, event->time_us);
        apply(machine, event);
    }
    weir_batch_close(&reader);
    return ok;
}

void weir_machine_begin(weir_machine *machine, uint64_t now_us, weir_task_id task,
                        uint32_t number) {
    if (weir_tasks_attempt(machine->tasks, task) == number)
        weir_tasks_begin(machine->tasks, task, now_us);
}

uint64_t weir_machine_input_size(const weir_machine *machine, weir_task_id task) {
    weir_attempt attempt = {0};
    machine->coordinator->class->prepare(machine->coordinator, task, &attempt);
    uint64_t size = weir__value_size(attempt.parameters);
    const weir_value *sandbox = weir_member_named(attempt.config, "sandbox"),
                     *artifacts = weir_member_named(sandbox, "artifacts");
    if (!size && !weir_member_named(artifacts, "inputs")) size = weir__value_size(attempt.config);
    weir_value_unref(attempt.parameters);
    weir_value_unref(attempt.config);
    return size;
}

bool weir_machine_attempt(weir_machine *machine, weir_task_id task, uint32_t number,
                          weir_attempt *attempt) {
    weir_task_state state = weir_tasks_state(machine->tasks, task);
    if (weir_tasks_attempt(machine->tasks, task) != number ||
        (state != WEIR_STATE_RUNNING && state != WEIR_STATE_STOPPING))
        return false;
    fill_attempt(machine, task, attempt, false);
    return true;
}

void weir_machine_last_attempt(weir_machine *machine, weir_task_id task, weir_attempt *attempt) {
    fill_attempt(machine, task, attempt, false);
    attempt->id.number = weir_tasks_attempt(machine->tasks, task);
}

const weir_value *weir_machine_images(const weir_machine *machine) {
    return machine->images;
}

const weir_value *weir_machine_finished(const weir_machine *machine) {
    return machine->finished;
}

bool weir_machine_is_cancelled(const weir_machine *machine) {
    return machine->cancelled;
}

bool weir_machine_is_terminated(const weir_machine *machine) {
    return machine->terminated;
}

bool weir_machine_is_suspended(const weir_machine *machine) {
    return machine->suspended;
}

weir_plan *weir_machine_first_plan(const weir_machine *machine) {
    return machine->plans.count ? machine->plans.items[0] : machine->plan;
}

const weir_value *weir_machine_request(const weir_machine *machine) {
    return machine->request;
}

uint64_t weir_machine_created_us(const weir_machine *machine) {
    return machine->created_us;
}

uint64_t weir_machine_finished_us(const weir_machine *machine) {
    return machine->finished_us;
}

weir_coordinator *weir_machine_coordinator(const weir_machine *machine) {
    return machine->coordinator;
}

weir_tasks *weir_machine_tasks(const weir_machine *machine) {
    return machine->tasks;
}

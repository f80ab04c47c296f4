/* The machine of one run: its coordinator and its task layer, fed with facts, giving batches of events and effects.
 *
 * Pure: time comes in with each step, and the one thing it does outside is to make calls (pure functions) through
 * `call`. The engine drives it with a real clock, store and executors; the simulator with virtual ones.
 *
 * facts → apply; then decisions and calls, until nothing is left to decide or the batch is full. What it did since the
 * last take is one batch: its events are made durable first, its effects carried out after. One thread. */
#ifndef WEIR_ENGINE_MACHINE_H
#define WEIR_ENGINE_MACHINE_H

#include "engine/recall.h"
#include "task/coordinator.h"

typedef struct weir_machine weir_machine;

typedef struct weir_machine_options {
    const char *run; /* id, WEIR_RUN_ID_LENGTH characters */
    weir_task_limits limits;
    bool recorded;        /* batches have the events; else nobody can replay or watch the run */
    weir_parts *parts;    /* where large values go to and come from; borrowed; NULL: they stay */
    uint64_t ahead_after; /* as weir_decisions has it */
    /* As weir_decisions has them; `result` and `helpers` may be NULL. */
    void (*call)(void *arg, weir_invocation *invocation);
    void (*result)(void *arg, weir_str context, const weir_value *result);
    const weir_helpers *helpers;
    /* A workflow begins anew with other parameters: the plan of its request, a new reference, or NULL. May be NULL: its plan
     * stays. */
    weir_plan *(*replan)(void *arg, const weir_value *request);
    /* Sees each event after it was applied, in a live run and in a replay; may be NULL. */
    void (*observe)(void *arg, const weir_event *event);
    /* The same of an event of a task, before the coordinator applied it; may be NULL. */
    void (*task)(void *arg, const weir_event *event);
    void *arg;
} weir_machine_options;

typedef struct weir_effect {
    enum { WEIR_EFFECT_START, WEIR_EFFECT_STOP } kind;
    weir_task_id task;
    uint32_t number;
    weir_stop how;    /* of a STOP */
    uint64_t time_us; /* of the event that decided it */
    uint32_t slots;   /* that the attempt takes: of who carries it out, */
    bool begun;       /* as whether it has begun */
} weir_effect;

/* A task has ended that was looked for, missed, and has a key. */
typedef struct weir_keep {
    weir_task_id task;
    const weir_task_spec *spec; /* its plan's */
    weir_value *missed;         /* the data of its memo.missed; owned */
    weir_value *outputs;        /* what is to be kept; owned; NULL: nothing */
} weir_keep;

/* What is to be written and then done. `urgent`: somebody waits for it; what is not may wait for the next. */
typedef struct weir_batch {
    weir_buffer bytes;
    weir_places
        places; /* of large values, which are to be kept before; their digests are to be filled in */
    WEIR_VECTOR(weir_effect) effects;
    WEIR_VECTOR(weir_keep) keeps;
    bool urgent;
} weir_batch;

void weir_batch_deinit(weir_batch *batch);

/* Holds the plan. */
weir_machine *weir_machine_new(weir_plan *plan, const weir_machine_options *options);
void weir_machine_free(weir_machine *machine);

/* Facts. `data` is taken over. */
void weir_machine_created(weir_machine *machine, uint64_t now_us, weir_value *request);
void weir_machine_cancelled(weir_machine *machine, uint64_t now_us, bool terminate);
/* A suspended run begins no attempt, makes no call and decides nothing of its coordinator's; attempts under way end, and
 * their outcomes are kept. It is so until it is resumed or cancelled. Nothing when it is so already, or over. */
void weir_machine_suspended(weir_machine *machine, uint64_t now_us, bool suspended);
/* A task that is not over is not wanted any more: what waits is cancelled, what runs is told to end, and not tried again. */
void weir_machine_cancel_task(weir_machine *machine, uint64_t now_us, weir_task_id task,
                              bool terminate);
/* The attempt under way ends, and another begins instead of it, which costs no try. */
void weir_machine_begin_again(weir_machine *machine, uint64_t now_us, weir_task_id task);
/* Of a workflow that is not over; `data` is what weir_workflow_set_nodes made. */
void weir_machine_set_nodes(weir_machine *machine, uint64_t now_us, weir_value *data);
/* Of a workflow: the node, or WEIR_CLAIM_RUN, has the locks that it wished. */
void weir_machine_granted(weir_machine *machine, uint64_t now_us, uint32_t node, weir_value *data);
/* Facts of a restart (see engine/restart.h): first each outcome that stays, by its number from 0 (`data` is taken over);
 * then that the run begins anew with those `kept`. `how`: {task?: path of the one that was named, suspensions?: of a workflow, that
 * stay, parameters?: {name: text}, of a workflow, instead of those that it had}, or NULL; taken over. Attempts under way end. */
void weir_machine_kept(weir_machine *machine, uint64_t now_us, uint32_t number, weir_value *data);
void weir_machine_restarted(weir_machine *machine, uint64_t now_us, uint32_t kept, weir_value *how);
/* Which task it is, in every generation of the run: fills the key; gives its path, a new reference. While the coordinator
 * has its parameters. */
weir_value *weir_machine_identify(weir_machine *machine, weir_task_id task,
                                  char key[static WEIR__KEY_LENGTH + 1]);
const weir__recall *weir_machine_recall(const weir_machine *machine);
/* The next fact is what the store's command of this number does (0: no command's). Numbers of a run only grow. */
void weir_machine_commanded(weir_machine *machine, uint64_t command);
/* The last command of the store that did something; 0: none. */
uint64_t weir_machine_last_command(const weir_machine *machine);
/* The sequence of the last event of a context that is not over; 0: there is none. */
uint64_t weir_machine_last_sequence(const weir_machine *machine, uint32_t context);
/* From outside, of a dataflow: CONTEXT_GIVEN, CONTEXT_CLOSED, CONTEXTS_ENDED or INPUTS_GIVEN, as events have them. */
void weir_machine_given(weir_machine *machine, uint64_t now_us, weir_event_type type,
                        uint32_t context, uint32_t number, weir_value *data);
/* The same of a generation before, for this one. */
void weir_machine_given_again(weir_machine *machine, uint64_t now_us, weir_event_type type,
                              uint32_t number, weir_value *data);
/* About how large is what the task consumes: its parameters, or, where it has none, its configuration. While its coordinator
 * has its parameters. */
uint64_t weir_machine_input_size(const weir_machine *machine, weir_task_id task);
/* What an executor said; false when it is late and was dropped. */
bool weir_machine_report(weir_machine *machine, uint64_t now_us, const weir_report *report);
/* After a replay: attempts that were under way are lost. */
void weir_machine_recovered(weir_machine *machine, uint64_t now_us, weir_str owner);

/* Cancels the run when its time is over. Gives when that will be; UINT64_MAX: never, or it is cancelled. */
uint64_t weir_machine_expire(weir_machine *machine, uint64_t now_us);
/* Decides and makes calls; true when there is more to do. */
bool weir_machine_step(weir_machine *machine, uint64_t now_us);
/* When to step without a fact; UINT64_MAX: not. */
uint64_t weir_machine_due_us(const weir_machine *machine);
/* Whether there is anything to take: something somebody waits for, or a full batch. */
bool weir_machine_pending(const weir_machine *machine);
/* Whether there are events that nobody waits for, but who looks on wants to see. */
bool weir_machine_lingers(const weir_machine *machine);
/* The events since the last take, as a batch has them; borrowed, until the next event; empty: none. */
weir_str weir_machine_untaken(const weir_machine *machine);
/* Moves what happened since the last take into `batch`. */
void weir_machine_take(weir_machine *machine, weir_batch *batch);

/* Applies a batch of the journal. */
WEIR_CHECKED bool weir_machine_replay(weir_machine *machine, weir_str bytes, weir_error *error);

/* The next task whose outcome is to be looked for, as an attempt to be (sought, number 0), which weir_attempt_drop ends;
 * false when there is none. The answer is given by weir_machine_remembered. */
WEIR_CHECKED bool weir_machine_take_sought(weir_machine *machine, weir_attempt *attempt);
/* A fact: MEMO_FOUND or MEMO_MISSED, with its data (taken over). It is dropped when nobody waits for it any more. */
void weir_machine_remembered(weir_machine *machine, uint64_t now_us, weir_task_id task,
                             weir_event_type type, weir_value *data);
/* The attempt of an effect begins now, however long its batch waited for the store: its timeout counts from now on. */
void weir_machine_begin(weir_machine *machine, uint64_t now_us, weir_task_id task, uint32_t number);
/* The attempt for an effect, with new references to its plan and values (end with weir_attempt_drop); false when it is not under way. */
WEIR_CHECKED bool weir_machine_attempt(weir_machine *machine, weir_task_id task, uint32_t number,
                                       weir_attempt *attempt);
/* What the last attempt of a task was, or would be, whatever became of it; dropped by weir_attempt_drop. */
void weir_machine_last_attempt(weir_machine *machine, weir_task_id task, weir_attempt *attempt);
/* {name: digest} of the images that its attempts ran in; NULL: none. */
const weir_value *weir_machine_images(const weir_machine *machine);
/* The data of run.finished, or NULL. */
const weir_value *weir_machine_finished(const weir_machine *machine);
/* Whether somebody asked the run to stop, or its deadline did. */
bool weir_machine_is_cancelled(const weir_machine *machine);
/* Whether it was to end at once, without exit handlers. */
bool weir_machine_is_terminated(const weir_machine *machine);
bool weir_machine_is_suspended(const weir_machine *machine);
/* The plan that the run began with; a restart may have given it another. */
weir_plan *weir_machine_first_plan(const weir_machine *machine);
/* The data of run.created, or NULL; with the parameters that restarts gave it. */
const weir_value *weir_machine_request(const weir_machine *machine);
uint64_t weir_machine_created_us(const weir_machine *machine);
uint64_t weir_machine_finished_us(const weir_machine *machine);
weir_coordinator *weir_machine_coordinator(const weir_machine *machine);
weir_tasks *weir_machine_tasks(const weir_machine *machine);

#endif

/* A workflow's run: its nodes, as events made them. Private to this folder; see task/coordinator.h for the rules.
 *
 * A call of a template is a node, or a row of them, each the only child of the one before unless it says otherwise: a loop
 * (a child for each item), then a retried template (a child for each attempt), then what the template is. A node's place
 * is its parent, its number there, and whether it is one of the parent's hooks; all else that it is follows from that:
 *
 *   parent     its children
 *   Steps      step groups, by their number
 *   StepGroup  the steps of the group, by their index among the template's
 *   DAG        the tasks, by their index
 *   TaskGroup  the items of a loop, by their number (Argo has no such node in a step group: a status leaves it out there)
 *   Retry      the attempts, by their number
 *   any        its hooks, by their index among those of its step
 *
 * Nodes are numbered in the order of their start, so a parent's number is below its children's. A node is fulfilled
 * once, when what waits for it may go on: when it is finished and so are its hooks, or a daemon is ready. `todo` holds where
 * decide looks: a node that may have to go on, or a child of it that may have to start. */
#ifndef WEIR_WORKFLOW_COORDINATOR_H
#define WEIR_WORKFLOW_COORDINATOR_H

#include "base/heap.h"
#include "base/notes.h"
#include "base/queue.h"
#include "workflow/artifact.h"
#include "workflow/template.h"

typedef enum weir__type {
    WEIR__TYPE_POD,
    WEIR__TYPE_PLUGIN,
    WEIR__TYPE_HTTP,
    WEIR__TYPE_SUSPEND,
    WEIR__TYPE_STEPS,
    WEIR__TYPE_GROUP,
    WEIR__TYPE_DAG,
    WEIR__TYPE_ITEMS, /* a loop */
    WEIR__TYPE_RETRY,
    WEIR__TYPE_SKIPPED,
    WEIR__TYPES
} weir__type;

typedef enum weir__phase {
    WEIR__PHASE_RUNNING,
    WEIR__PHASE_SUCCEEDED,
    WEIR__PHASE_FAILED,
    WEIR__PHASE_ERROR,
    WEIR__PHASE_SKIPPED,
    WEIR__PHASE_OMITTED,
    WEIR__PHASES
} weir__phase;

extern const char *const weir__type_texts[WEIR__TYPES];
extern const char *const weir__phase_texts[WEIR__PHASES];

/* Whether a node, or the run, has its locks. */
typedef enum weir__hold {
    WEIR__HOLD_FREE, /* it needs none, or not any more */
    WEIR__HOLD_WAITS,
    WEIR__HOLD_WISHES, /* the same, and it was said: only a hint */
    WEIR__HOLD_READY,  /* it has them, and waits until one more pod may run */
    WEIR__HOLD_HOLDS
} weir__hold;

typedef struct weir__node {
    weir_value *start; /* the data of its events; `end` is NULL until it is finished */
    weir_value *end;
    const weir_value *inputs;       /* {name: text}; NULL: none */
    const weir__template *template; /* of a step group, that of its steps node */
    const weir__step *step;         /* the call that it is of; NULL: a step group */
    uint32_t parent, boundary;      /* WEIR__NONE of the root */
    weir_task_id task;
    weir_task_id look; /* looks for what the same call gave before, see memo.c; WEIR_NO_TASK */
    uint32_t daemons, next_daemon; /* those it is the boundary of; the next of the same boundary */
    uint32_t *
        slots; /* the nodes of its children by their numbers; behind those of a steps node's steps, of each group */
    uint32_t
        *hooks; /* the node of each hook of its step, WEIR__NONE or WEIR__DUE; NULL: it has none */
    uint32_t *waits;    /* of a DAG: how many dependencies of each task are not fulfilled */
    uint32_t at;        /* its number among its parent's children */
    uint32_t count;     /* of a loop its items, of a Retry its attempts so far */
    uint32_t last;      /* of a Retry: its last attempt; of an attempt: the one before; of a
                      * suspension: its place in the run's `said`; WEIR__NONE */
    uint32_t unstarted; /* steps of a group; groups of a steps node; items of a loop */
    uint32_t
        open; /* of a group or loop: started and not fulfilled; of a DAG: not fulfilled; of a Retry: not finished */
    uint32_t open_hooks;  /* due, or not fulfilled */
    uint32_t active;      /* pods, steps and DAGs whose boundary it is that run */
    uint32_t failures;    /* of pods, steps and DAGs that it is the boundary of */
    uint32_t failed_pods; /* of them, pods */
    uint32_t limited;     /* its place in the run's list of limits; WEIR__NONE */
    uint32_t depth;       /* templates on the way to it, itself too */
    weir__type type;
    weir__phase phase;
    bool fulfilled, daemoned;
    bool hook; /* one of its parent's hooks */
    bool
        after_cancel; /* it is, or is within, what runs also in a run that was stopped: an exit handler */
    bool broken;  /* a group: one of its steps could not be started */
    uint8_t hold; /* weir__hold */
    uint16_t
        host; /* where it ran last: its place among the run's hosts, from 1; 0: it is not known */
    weir_event_id started_by, fulfilled_by;
    weir_event_id last_cause; /* of its end: what fulfilled its last child */
    uint64_t started_us, finished_us;
} weir__node;

/* Of a hook: it is decided that it runs. */
#define WEIR__DUE (WEIR__NONE - 1)

/* How many may be active at once, and who waits for that: children that may have to start, as in `todo`. */
typedef struct weir__limit {
    uint32_t most, active;
    weir_queue waiting;
} weir__limit;

typedef struct weir__programs weir__programs;
typedef struct weir__locking weir__locking;

typedef enum weir__cancel {
    WEIR__GO_ON,
    WEIR__EXPIRED, /* its deadline passed */
    WEIR__STOP,
    WEIR__TERMINATE
} weir__cancel;

/* What was said of a suspended node. */
typedef struct weir__said {
    weir_value *parameters; /* {name: text}; NULL: none */
    weir_value *how;        /* the data of the event by which it ends; NULL: it goes on */
} weir__said;

typedef struct weir__run {
    weir_coordinator coordinator;
    const weir__workflow *workflow;
    weir_tasks *tasks;
    weir_arena arena; /* slots, waits, specs of nodes with their own timeout */
    WEIR_VECTOR(weir__node) nodes;
    WEIR_VECTOR(uint32_t) by_task;
    WEIR_VECTOR(weir_str) hosts; /* in the arena */
    weir_notes
        progress;     /* of nodes that said how far they are: done, and in the upper half of all */
    weir_queue todo;  /* what to look at: node and child */
    weir_heap timers; /* nodes, by when they are to be looked at */
    WEIR_VECTOR(weir__limit) limits; /* the first is that of the run's pods */
    uint32_t unfinished;             /* nodes; hooks that are due */
    weir__cancel cancelled;
    bool finished;
    weir__programs *programs; /* expressions, compiled */
    weir__locking *locking;   /* NULL: nothing has locks */
    weir_value *metric_error; /* why the first metric could not be given; NULL: all could */
    weir_value *recalled;     /* {NAME: end} of suspensions before the run began anew; NULL: none */
    WEIR_VECTOR(weir__said) said;
    weir_value *globals;          /* {name: text} of outputs with a globalName */
    weir_value *global_artifacts; /* the same: {name: artifact}, as Argo has them */
    weir_value *error; /* of the last leaf that failed and was not to be passed over; NULL: none */
    weir_event_id created_by;
    uint64_t created_us;
} weir__run;

enum { WEIR__NODES_MAX = 10 * 1000 * 1000 };

static inline weir__node *weir__node_at(const weir__run *run, uint32_t node) {
    weir_assert(node < run->nodes.count);
    return &run->nodes.items[node];
}

weir_coordinator *weir__coordinator_new(const weir_plan *plan, weir_tasks *tasks);
/* Of a node that does what the template says. */
weir__type weir__type_of(const weir__template *template);
/* Of a node that calls it. */
weir__type weir__type_of_call(const weir__template *template);
bool weir__decide(weir_coordinator *coordinator, size_t limit, weir_decisions *decisions);

/* Where a node is or will be. */
typedef struct weir__place {
    uint32_t parent, at; /* WEIR__NONE: the root */
    bool hook;
} weir__place;

/* In `todo`: which of a node's hooks start now; which of those of a DAG's loop that is over. */
#define WEIR__HOOKS (WEIR__NONE - 1)
#define WEIR__LATE_HOOKS (WEIR__NONE - 2)

/* The call that a node at the place is of; NULL: it is a step group. */
const weir__step *weir__step_at(const weir__run *run, weir__place place);
/* The steps or DAG node whose steps may be named there, or WEIR__NONE. */
uint32_t weir__boundary_at(const weir__run *run, weir__place place);
/* Whether hooks of its step are run for the node: those of a loop in a step group are run for each item, those of a
 * retried template once. */
bool weir__has_hooks(const weir__run *run, uint32_t node);
typedef enum weir__hook_time {
    WEIR__HOOK_NEVER,
    WEIR__HOOK_ANY_TIME, /* once what it waits for is so */
    WEIR__HOOK_AT_END,
    WEIR__HOOK_LATE /* once a task runs behind it */
} weir__hook_time;
/* When it may run for the node, which has hooks. In a DAG an exit handler is run for each item of a loop and then for the loop, other hooks
 * for the loop. */
weir__hook_time weir__hook_runs(const weir__run *run, uint32_t node, uint32_t hook);

/* --- apply.c: what an event does to the state, and whether it can ------------------------------------------ */

void weir__apply(weir_coordinator *coordinator, const weir_event *event);
bool weir__fits(const weir_coordinator *coordinator, const weir_event *event);
/* `node` WEIR__NONE: the root, which is not there yet; `child` WEIR__NONE: the node itself; WEIR__HOOKS. */
void weir__touch(weir__run *run, uint32_t node, uint32_t child);

/* WEIR__PHASES when `phase` in it is none. */
weir__phase weir__phase_in(const weir_value *data);
/* {phase, message?, outputs?} */
bool weir__fits_verdict(const weir_value *verdict);
/* Absent, or an object of texts, and of one more such object when `nested`. */
bool weir__is_texts(const weir_value *value, bool nested);

/* --- suspend.c ---------------------------------------------------------------------------------------------- */

bool weir__fits_set(const weir__run *run, const weir_value *data);
void weir__apply_set(weir__run *run, const weir_event *event);
bool weir__suspension_is_over(const weir__run *run, const weir__node *node, uint64_t now_us);
struct weir__verdict;
void weir__judge_suspension(const weir__run *run, const weir__node *node,
                            struct weir__verdict *verdict);

/* --- lock.c: locks that runs share. A node that has some is started before it has them, and begins when they are granted. */

weir__locking *weir__locking_new(const weir__workflow *workflow);
void weir__locking_free(weir__locking *locking); /* NULL is allowed */
struct weir__scope;
/* [{name, limit}] of the template's (or workflow's) locks; NULL and an error. */
weir_value *weir__locks_render(struct weir__scope *scope, const weir__locks *locks,
                               weir_error *error);
static inline bool weir__node_waits(const weir__node *n) {
    return n->hold == WEIR__HOLD_WAITS || n->hold == WEIR__HOLD_WISHES;
}
/* The same, or it has its locks and is not begun yet. */
static inline bool weir__node_pends(const weir__node *n) {
    return weir__node_waits(n) || n->hold == WEIR__HOLD_READY;
}
/* The node that was just started gets in line. */
void weir__lock_enter(weir__run *run, uint32_t node);
/* It is over, or fulfilled: it has no locks any more. */
void weir__lock_leave(weir__run *run, uint32_t node);
/* Decides for a node that waits: whether it is over (fills the verdict), or wishes its locks. */
bool weir__lock_judge(weir__run *run, uint32_t node, uint64_t now_us, struct weir__verdict *v);
/* The run was created: looks what it wants as a whole. */
void weir__lock_begin(weir__run *run);
/* Whether the run as a whole waits for its locks, and so does not begin; it is said once that it does. `error`: they cannot be
 * had. */
bool weir__lock_bars_run(weir__run *run, weir_error *error);
/* lock.granted */
void weir__apply_granted(weir__run *run, const weir_event *event);
bool weir__fits_granted(const weir__run *run, const weir_event *event);
/* Whether {locks} of a node's start are some. */
bool weir__fits_locks(const weir__run *run, const weir_value *locks);
/* Adds `synchronizationStatus` and the message of a node that waits. */
void weir__lock_describe(const weir__node *n, weir_value *out);
/* Adds `synchronization`, and the phase of a run that waits. */
void weir__lock_status(const weir__run *run, weir_value *status);

/* --- http.c: nodes whose tasks are requests */

void weir__judge_request(const weir__run *run, const weir__node *n, struct weir__verdict *v);
/* Whether a plugin wants to be asked again, and when; its task is finished. */
bool weir__call_again(const weir__run *run, const weir__node *n, uint64_t *due_us);
static inline bool weir__is_request(const weir__node *n) {
    return n->type == WEIR__TYPE_HTTP || (n->type == WEIR__TYPE_PLUGIN && n->template->is_call);
}

/* --- metric.c: adds `metrics` and `metric_error` to the data of an end */

void weir__metrics_of_node(const weir__run *run, uint32_t node, weir_value *data, uint64_t now_us);
void weir__metrics_of_run(const weir__run *run, weir_value *data, uint64_t now_us);
void weir__metrics_note_error(weir__run *run, const weir_value *data);
void weir__metrics_status(const weir__run *run, weir_value *status);

/* --- limit.c: how many may be active at once ---------------------------------------------------------------- */

/* Whether the child may not start now; if so it is touched again when it may. */
bool weir__limit_bars(weir__run *run, uint32_t boundary, const weir__template *called,
                      uint32_t parent, uint32_t child);
/* Whether it is one of the failures of its boundary. */
bool weir__counts_as_failure(const weir__node *node);
/* Whether no more begin in the steps or DAG node that the node is or is part of, as something in it failed. */
bool weir__has_stopped(const weir__run *run, uint32_t node);
/* Whether the node, which has its locks, is one of the run's pods, of which only so many may run. */
bool weir__limit_is_of_run(const weir__run *run, const weir__node *node);
/* Whether it may not begin now; if so it is touched again when it may. */
bool weir__limit_bars_locked(weir__run *run, uint32_t node);
/* It begins; until then it is no pod of those. */
void weir__limit_enter_locked(weir__run *run, const weir__node *node);
/* A node of those that count began, or ended. */
void weir__limit_enter(weir__run *run, const weir__node *node);
void weir__limit_leave(weir__run *run, const weir__node *node);
/* There are no limits any more. */
void weir__limit_wake_all(weir__run *run);
/* One that waited for the boundary (WEIR__NONE: for the run's pods) did not begin: the next may look. */
void weir__limit_pass(weir__run *run, uint32_t boundary);

/* --- loop.c ------------------------------------------------------------------------------------------------- */

/* What is made of a loop: {items: [...]} or {from, count, by, format} of a sequence; NULL and an error. */
struct weir__scope;
weir_value *weir__loop_expand(struct weir__scope *scope, const weir__loop *loop, weir_error *error);
/* Whether a node's data has such, and of how many. */
bool weir__loop_count(const weir_value *expanded, uint32_t *count);
/* A new reference. */
weir_value *weir__loop_item(const weir_value *expanded, uint32_t at);
/* As it stands in the node's name. */
void weir__loop_item_text(const weir_value *item, weir_buffer *out);
/* `item` or `item.KEY` (the key alone; empty: all of it), as tags have it; false: there is no such key. */
bool weir__loop_item_append(const weir_value *item, weir_str key, weir_buffer *out);
/* Whether the results of its items are JSON, so that they can be had as a list. */
WEIR_CHECKED bool weir__loop_has_results(const weir__run *run, const weir__node *loop,
                                         weir_error *error);
/* An output of all its items: `result`, or that parameter of each; with neither, all their parameters. */
bool weir__loop_append_output(const weir__run *run, const weir__node *loop, bool result,
                              weir_str parameter, weir_buffer *out, weir_error *error);

/* --- nodes.c ------------------------------------------------------------------------------------------------ */

/* The name of a node that is or will be at the place. */
void weir__node_name(const weir__run *run, weir__place place, weir_buffer *out);
/* What an annotation of a template may call its nodes. */
#define WEIR__DISPLAY_NAME_RULE "^[a-zA-Z0-9][a-zA-Z0-9-.]{0,61}[a-zA-Z0-9]$"
bool weir__is_display_name(weir_str name);
/* So called; else what of the name is not its boundary's. */
void weir__node_display_name(const weir__run *run, uint32_t node, weir_buffer *out);
/* What every look at a node tells: what it is and how it is (the id is consumed), then what holds it and when it was. */
void weir__node_describe(const weir__run *run, uint32_t node, weir_value *id, weir_value *out);
void weir__node_describe_times(const weir__node *n, weir_value *out);
/* Argo's name of the pod of a node that is or will be at the place. */
void weir__pod_name(const weir__run *run, weir__place place, weir_buffer *out);
/* Argo's id of the node. */
void weir__node_id(const weir__run *run, uint32_t node, weir_buffer *out);
/* A loop in a step group: Argo has its items in the group itself. */
bool weir__node_is_hidden(const weir__run *run, const weir__node *n);
/* The machine that it ran on; empty: it is not known. */
weir_str weir__node_host(const weir__run *run, const weir__node *n);
/* Artifacts of the run, which is over, with `deleted` where `artifactGC` removed them: a new reference. */
weir_value *weir__garbage_mark(const weir__run *run, const weir_value *artifacts);
/* As a status has it. */
const char *weir__node_phase(const weir__run *run, const weir__node *n);
weir_value *weir__status(const weir_coordinator *coordinator);

/* --- glance.c: see weir_coordinator_class */
weir_value *weir__glance(const weir_coordinator *coordinator, size_t most);

/* --- restart.c: what a restarted run keeps. A path is a node's name, its display name and its id. */
weir_value *weir__locate(const weir_coordinator *coordinator, weir_task_id task);
/* How many attempts its template had so far, this one too. */
uint32_t weir__tries(const weir_coordinator *coordinator, weir_task_id task);
void weir__undo(const weir_coordinator *coordinator, const weir_value *chosen, bool failed,
                weir_value *const *paths, size_t count, bool *undone);

/* --- judge.c: how a node ends ------------------------------------------------------------------------------- */

typedef struct weir__verdict {
    weir__phase phase;
    weir_buffer message;
    weir_value *outputs; /* NULL: none */
    weir_value *members; /* of a container set, see member.c; NULL: none */
} weir__verdict;

/* The phase, and the text as the message. */
void weir__say(weir__verdict *verdict, weir__phase phase, const char *text);
/* Of a leaf whose task is finished, of a step group, DAG or loop all of whose children are fulfilled. */
void weir__judge(const weir__run *run, uint32_t node, weir__verdict *verdict);
/* Of a steps or DAG node that is over: whether it failed as its outputs could not be had. */
bool weir__lacks_outputs(const weir__node *node);
/* The outputs of a steps or DAG node that succeeded. */
void weir__add_outputs(const weir__run *run, uint32_t node, weir__verdict *verdict);
/* Of the run so far: that of its root, once that has one. */
weir__phase weir__workflow_phase(const weir__run *run);
bool weir__is_failure(weir__phase phase);
bool weir__continues(const weir__step *step, weir__phase phase);
/* Appends why what had not begun, or had to end, did not come to its end in a run that is cancelled. */
void weir__say_cancelled(const weir__run *run, weir_buffer *message);
const char *weir__cancel_text(const weir__run *run);

/* --- member.c: containers of a pod. What became of those of a set stands in its node's end, {NAME: {phase, message?, started?,
 * finished?}}; while it runs it follows from its task. */

/* The message of a pod whose command, or another container, failed with an exit code. */
void weir__say_exit(const weir_outcome *outcome, weir__verdict *verdict);
/* New reference. */
weir_value *weir__judge_members(const weir__node *node, const weir_outcome *outcome);
bool weir__fits_members(const weir_value *members);
/* The node of a member as a status has it, but for its id, parent and children. New reference. */
weir_value *weir__describe_member(const weir__run *run, uint32_t node, uint32_t member);

/* --- group.c, go_json.c */

/* Whether the group's conditions can be read and its loops made; fills the verdict that it ends with otherwise. */
bool weir__group_can_begin(const weir__run *run, uint32_t steps, uint32_t group, uint64_t now_us,
                           weir__verdict *verdict);
/* Whether the step's condition is known to be false. */
struct weir__scope;
bool weir__is_passed_over(struct weir__scope *scope, const weir__step *step);
/* What Go says of a text that is no JSON; always false. */
bool weir__fail_as_go(weir_str text, weir_error *error);

/* --- memo.c: nodes that are memoized as a whole: steps, DAGs, requests, and what is tried again. (A pod's own task is looked for.) */

/* Whether the node that begins is to be looked for. */
bool weir__is_looked_for(const weir__node *node);
/* Whether it has not begun: what it gave before is looked for, or was found; or whether it is over, and only to be finished. */
bool weir__look_holds(const weir__run *run, const weir__node *node);
/* Whether that look is over, and with it the node: fills the verdict. */
bool weir__judge_look(const weir__run *run, const weir__node *node, weir__verdict *verdict);
/* The node is over as its verdict (as a value, taken over) says: decides that its look is, which keeps what it gave; false when it
 * has none, or that was decided. */
bool weir__end_look(weir__run *run, weir_decisions *decisions, uint32_t node, weir_value *verdict,
                    const weir_event_id *prev);
/* The outputs of a node, new references, of what was remembered of any; NULL: there are none. */
weir_value *weir__remembered_outputs(const weir_value *kept);
/* Whether a whole node was remembered, rather than the attempt of a pod. */
bool weir__is_whole(const weir_value *kept);

/* What a Retry does next. */
typedef struct weir__next_try {
    enum { WEIR__TRY_NOW, WEIR__TRY_LATER, WEIR__TRY_NO_MORE } what;
    uint64_t due_us; /* WEIR__TRY_LATER */
} weir__next_try;

/* Of a Retry whose last attempt is over (or that has none); fills the verdict when it is over itself. */
/* What comes after a Retry hangs on: its last attempt, or a hook of it that began later; WEIR__NONE: nothing began. */
uint32_t weir__retry_last(const weir__node *retry);
weir__next_try weir__judge_retry(const weir__run *run, uint32_t node, uint64_t now_us,
                                 weir__verdict *verdict);

/* --- scope.c: what tags stand for --------------------------------------------------------------------------- */

typedef struct weir__scope {
    const weir__run *run;
    uint32_t boundary;           /* the steps or DAG node whose steps may be named, or WEIR__NONE */
    const weir_value *inputs;    /* {name: text}; NULL: none */
    const weir_value *artifacts; /* the same of artifacts: a list; NULL: none */
    const weir_value *item;      /* of the loop that it is in; NULL: none */
    uint32_t retry, before;      /* how often it was tried, and the attempt before, or WEIR__NONE */
    weir__place self;            /* whose own name may be asked */
    const weir_value *own;       /* {tag: text} that stand for something here only; NULL: none */
    uint64_t now_us;
    bool lost;         /* set when something that is referred to cannot be had */
    bool absent;       /* set when a tag names an output of a node that did not run */
    bool nothing;      /* set when an expression gives nothing */
    bool late;         /* a tag that only an attempt knows stays as it is */
    weir_error *error; /* set while it renders: what is wrong with a tag that means something */
} weir__scope;

/* That of what is or will be at the place, but for its inputs. */
weir__scope weir__scope_at(const weir__run *run, weir__place place);
/* What a template says of itself sees its inputs (NULL: none but those around it), and no steps. */
void weir__scope_enter(weir__scope *scope, const weir_value *inputs);
/* That of the outputs of a steps or DAG node. */
weir__scope weir__scope_within(const weir__run *run, uint32_t node);

/* Whether the text is nothing but a tag with a name. */
bool weir__is_one_tag(weir_str text);
/* Appends what a tag stands for; false: nothing has that name, or weir__scope.error says more. */
bool weir__look_up(void *scope, weir_str tag, weir_buffer *out);
/* Whether the tag is one of Argo's that means something here. */
bool weir__scope_has(const weir__scope *scope, weir_str tag);
/* The output parameters {name: text} of a step, or of a loop's first item; NULL: there are none. */
const weir_value *weir__step_parameters(const weir__scope *scope, weir_str step);

/* --- artifact.c: artifacts of nodes, lists of objects as Argo has them. A call's come with its inputs, a node's outputs with its end. */

/* Those that the node was given; NULL: none. */
const weir_value *weir__artifacts_of(const weir__run *run, const weir__node *node);
/* The artifact that the tag names, a new reference; NULL: there is none. */
weir_value *weir__artifact_named(const weir__scope *scope, weir_str tag);
/* The output artifacts of a step; NULL: there are none. */
const weir_value *weir__step_artifacts(const weir__scope *scope, weir_str step);
/* Those of a template called with the arguments, whose input parameters are `inputs`: a list, NULL when there are none. */
WEIR_CHECKED bool weir__render_artifacts(weir__scope *scope, const weir__template *called,
                                         const weir__artifacts *arguments, const weir_value *inputs,
                                         weir_value **out, weir_error *error);
/* The outputs of a steps or DAG node; the same. */
WEIR_CHECKED bool weir__render_artifact_outputs(weir__scope *scope, const weir__template *template,
                                                weir_value **out, weir_error *error);
/* What an executor needs to know of them (docs/decisions/0048), put into the config of a leaf, in whose scope they are. */
WEIR_CHECKED bool weir__put_artifacts(weir__scope *scope, const weir__template *leaf,
                                      weir_value *config, weir_error *error);
/* The same of a data template. */
WEIR_CHECKED bool weir__put_data(weir__scope *scope, const weir__data *data, weir_value *config,
                                 weir_error *error);
/* Of a leaf that ended: those that its attempt kept; a list, NULL when there are none. */
weir_value *weir__kept_artifacts(const weir__run *run, const weir__node *node,
                                 const weir_value *kept);
/* Adds those that have a globalName to the run's. */
void weir__take_global_artifacts(weir__run *run, const weir__node *node);
/* Whether it is absent, or such a list. */
bool weir__is_artifacts(const weir_value *value);

/* --- artifact_form.c: one of them, in forms that others need. */

/* With the name, and where it is in the container as `own` says; a new reference. */
weir_value *weir__artifact_as(const weir_value *artifact, weir_str name, const weir_value *own);
/* The same artifact with what its key has behind it; NULL and an error when it has no key. */
weir_value *weir__artifact_below(const weir_value *artifact, weir_str path, weir_error *error);
/* In the repository, at the key. */
weir_value *weir__artifact_at(const weir_value *artifact, const weir_value *archive, weir_str key);
/* How it is packed: "tar", "none", "zip"; NULL: nobody says. */
const char *weir__artifact_archive(const weir_value *artifact);
/* Where an executor finds it: see docs/decisions/0048. NULL: it says nowhere. A new reference. */
weir_value *weir__artifact_source(const weir_value *artifact);
/* {key: "", bucket?}: all of the bucket that it names. A new reference. */
weir_value *weir__artifact_bucket(const weir_value *artifact);

/* --- expression.c */
/* What it gives, a new reference; NULL and an error. */
weir_value *weir__expression_value(weir__scope *scope, weir_str text, weir_error *error);
weir__programs *weir__programs_new(void);
void weir__programs_free(weir__programs *programs);
WEIR_CHECKED bool weir__expression_append(weir__scope *scope, weir_str text, weir_buffer *out,
                                          weir_error *error);
WEIR_CHECKED bool weir__expression_test(weir__scope *scope, weir_str text, bool *result,
                                        weir_error *error);

WEIR_CHECKED bool weir__render(weir__scope *scope, weir_str text, weir_buffer *out,
                               weir_error *error);
/* Every text of the value; NULL and an error. */
weir_value *weir__render_value(weir__scope *scope, weir_value *value, weir_error *error);
/* The inputs {name: text} of a template called with the arguments; NULL and an error. */
weir_value *weir__render_inputs(weir__scope *scope, const weir__template *called,
                                const weir__parameters *arguments, weir_error *error);
/* The output parameters {name: text} of a steps or DAG node; NULL and an error. */
weir_value *weir__render_outputs(const weir__run *run, uint32_t node, weir_error *error);
/* The key that what a call of the template gives is remembered by. */
WEIR_CHECKED bool weir__render_memo_key(weir__scope *scope, const weir__template *called,
                                        weir_buffer *out, weir_error *error);
/* A leaf's config; NULL and an error. *timeout_us is set when its timeout has tags. */
weir_value *weir__render_config(weir__scope *scope, const weir__template *leaf,
                                uint64_t *timeout_us, weir_error *error);
/* --- patch.c: the rendered config of a `patched` template with what its patches say; takes it over. NULL and an error. */
weir_value *weir__patch_pod(weir__scope *scope, const weir__template *leaf, weir_value *config,
                            bool *incomplete, weir_error *error);
/* --- pod.c: the rendered config of an `incomplete` template with what it still needs; takes it over. NULL and an error. */
weir_value *weir__complete_pod(weir__scope *scope, weir_value *config, weir_error *error);

#endif

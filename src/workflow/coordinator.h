/* A workflow's run: its nodes, as events made them. Private to this folder; see task/coordinator.h for the rules.
 *
 * Nodes are numbered in the order of their start, so a parent's number is below its children's. A node is fulfilled
 * once, when what waits for it may go on: when it is finished, or a daemon is ready. `todo` holds where decide looks:
 * a node that may have to finish, or a step of a node that may have to start. */
#ifndef WEIR_WORKFLOW_COORDINATOR_H
#define WEIR_WORKFLOW_COORDINATOR_H

#include "base/queue.h"
#include "workflow/template.h"

typedef enum weir__type {
    WEIR__TYPE_POD,
    WEIR__TYPE_PLUGIN,
    WEIR__TYPE_STEPS,
    WEIR__TYPE_GROUP,
    WEIR__TYPE_DAG,
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

typedef struct weir__node {
    weir_value *start; /* the data of its events; `end` is NULL until it is finished */
    weir_value *end;
    const weir__template *template; /* of a step group, that of its steps node */
    const weir__step *step;         /* NULL: the root, or a step group */
    uint32_t parent, boundary;      /* WEIR__NONE of the root */
    weir_task_id task;
    uint32_t daemons, next_daemon; /* those it is the boundary of; the next of the same boundary */
    uint32_t *slots; /* the node of each step of a steps or DAG node; behind them, of each group */
    uint32_t *waits; /* of a DAG: how many dependencies of each task are not fulfilled */
    uint32_t at;     /* the index of its step, or of the group */
    uint32_t unstarted; /* steps of a group; groups of a steps node */
    uint32_t open;      /* of a group: started and not fulfilled; of a DAG: not fulfilled */
    uint32_t depth;     /* templates on the way to it, itself too */
    weir__type type;
    weir__phase phase;
    bool fulfilled, daemoned;
    bool broken; /* a group: one of its steps could not be started */
    weir_event_id started_by, fulfilled_by;
    weir_event_id last_cause; /* of its end: what fulfilled its last child */
    uint64_t started_us, finished_us;
} weir__node;

typedef enum weir__cancel {
    WEIR__GO_ON,
    WEIR__EXPIRED, /* its deadline passed */
    WEIR__STOP,
    WEIR__TERMINATE
} weir__cancel;

typedef struct weir__run {
    weir_coordinator coordinator;
    const weir__workflow *workflow;
    weir_tasks *tasks;
    weir_arena arena; /* slots, waits, specs of nodes with their own timeout */
    WEIR_VECTOR(weir__node) nodes;
    WEIR_VECTOR(uint32_t) by_task;
    weir_queue todo;     /* what to look at: node and step */
    uint32_t unfinished; /* nodes */
    weir__cancel cancelled;
    bool finished;
    weir_value *error; /* of the last leaf that failed and was not to be passed over; NULL: none */
    weir_event_id created_by;
} weir__run;

enum { WEIR__NODES_MAX = 10 * 1000 * 1000 };

static inline weir__node *weir__node_at(const weir__run *run, uint32_t node) {
    weir_assert(node < run->nodes.count);
    return &run->nodes.items[node];
}

weir_coordinator *weir__coordinator_new(const weir_plan *plan, weir_tasks *tasks);
/* Of a node that calls the template. */
weir__type weir__type_of(const weir__template *template);
bool weir__decide(weir_coordinator *coordinator, size_t limit, weir_decisions *decisions);

/* The name of a node that is or will be the step (or group) `at` of `parent`; the run's for WEIR__NONE. */
void weir__node_name(const weir__run *run, uint32_t parent, uint32_t at, weir_buffer *out);
/* The last part of the name of a node that is there. */
void weir__node_display_name(const weir__run *run, uint32_t node, weir_buffer *out);
/* Argo's id of the node. */
void weir__node_id(const weir__run *run, uint32_t node, weir_buffer *out);
weir_value *weir__status(const weir_coordinator *coordinator);

/* --- restart.c: what a restarted run keeps. A path is a node's name, its display name and its id. */
weir_value *weir__locate(const weir_coordinator *coordinator, weir_task_id task);
void weir__undo(const weir_coordinator *coordinator, const weir_value *chosen, bool failed,
                weir_value *const *paths, size_t count, bool *undone);

/* How a node ends. */
typedef struct weir__verdict {
    weir__phase phase;
    weir_buffer message;
    weir_value *outputs; /* NULL: none */
} weir__verdict;

/* The phase, and the text as the message. */
void weir__say(weir__verdict *verdict, weir__phase phase, const char *text);
/* Of a leaf whose task is finished, of a step group or DAG all of whose children are fulfilled. */
void weir__judge(const weir__run *run, uint32_t node, weir__verdict *verdict);
/* The outputs of a steps or DAG node that succeeded. */
void weir__add_outputs(const weir__run *run, uint32_t node, weir__verdict *verdict);
bool weir__is_failure(weir__phase phase);
bool weir__continues(const weir__step *step, weir__phase phase);
/* Appends why what had not begun, or had to end, did not come to its end in a run that is cancelled. */
void weir__say_cancelled(const weir__run *run, weir_buffer *message);
const char *weir__cancel_text(const weir__run *run);

/* What tags stand for: `boundary` is the steps or DAG node whose steps may be named, or WEIR__NONE. */
typedef struct weir__scope {
    const weir__run *run;
    uint32_t boundary;
    const weir_value *inputs; /* {name: text}; NULL: none */
    bool absent;              /* set when a tag names an output of a node that did not run */
} weir__scope;

WEIR_CHECKED bool weir__render(weir__scope *scope, weir_str text, weir_buffer *out,
                               weir_error *error);
/* The inputs {name: text} of a template called with the arguments; NULL and an error. */
weir_value *weir__render_inputs(weir__scope *scope, const weir__template *called,
                                const weir__parameters *arguments, weir_error *error);
/* The output parameters {name: text} of a steps or DAG node; NULL and an error. */
weir_value *weir__render_outputs(const weir__run *run, uint32_t node, weir_error *error);
/* The key that a leaf's outcome is remembered by. */
WEIR_CHECKED bool weir__render_memo_key(const weir__run *run, const weir__template *leaf,
                                        const weir_value *inputs, weir_buffer *out,
                                        weir_error *error);
/* A leaf's config; NULL and an error. *timeout_us is set when its timeout has tags. */
weir_value *weir__render_config(const weir__run *run, const weir__template *leaf,
                                const weir_value *inputs, uint64_t *timeout_us, weir_error *error);

#endif

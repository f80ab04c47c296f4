/* Coordinators: what decides what to run next. Pure: no clock, no randomness, no files, no threads; all of that comes
 * in as events and goes out as effects. One thread.
 *
 * State changes only in `apply`, and `apply` never decides: replaying a journal is applying its events in order.
 * `decide` looks at what recent events touched and emits decisions; each is applied (to the task layer, then to the
 * coordinator) before weir_decide returns, so the next decision sees it. Deciding twice decides nothing new: what was
 * touched is only a hint where to look, and what is there to do follows from the state. So a batch may end anywhere. */
#ifndef WEIR_TASK_COORDINATOR_H
#define WEIR_TASK_COORDINATOR_H

#include <stdatomic.h>

#include "base/job.h"
#include "store/event.h"
#include "task/call.h"
#include "task/layer.h"

/* Where decisions go: filled by the machine of the run. */
typedef struct weir_decisions {
    void (*emit)(struct weir_decisions *decisions, weir_event *event);
    uint64_t now_us, seed;
    /* Whether somebody wants the events: a journal, or who watches. When not, a coordinator may change its state
     * without an event for each step, as long as the outcome is the same. */
    bool recorded;
    /* In a recorded run: once so many calls have their events, a coordinator may go on without an event for each call, as
     * long as another makes them anew when the run is recovered. 0: never. */
    uint64_t ahead_after;
    bool
        ahead; /* set by a coordinator that worked without events: it should not be asked again at once */
    /* Makes a call; any thread. */
    void (*call)(void *arg, weir_invocation *invocation);
    /* A context finished with this result; both borrowed. May be NULL. */
    void (*result)(void *arg, weir_str context, const weir_value *result);
    /* Threads that help with jobs; NULL: there are none. When one of their jobs is done, `decide` is asked again. */
    const weir_helpers *helpers;
    void *arg;
} weir_decisions;

/* Emits one decision with `data` (taken over; NULL: none), caused by `prev`. */
void weir_decide(weir_decisions *decisions, weir_event_type type, uint32_t context,
                 uint64_t subject, uint32_t number, weir_value *data, const weir_event_id *prev,
                 size_t prev_count);

struct weir_forecast;

typedef struct weir_coordinator {
    const struct weir_coordinator_class *class; /* embedded first */
    bool recorded; /* as in weir_decisions; set by the machine before anything else */
} weir_coordinator;

typedef struct weir_coordinator_class {
    /* At run.cancelled it stops the tasks that are to end. */
    void (*apply)(weir_coordinator *coordinator, const weir_event *event);
    /* Whether the event can be applied to this state: asked in a replay, as a journal may be damaged on purpose. The
     * task layer was asked before. */
    bool (*fits)(const weir_coordinator *coordinator, const weir_event *event);
    /* Looks at `limit` touched things at most; true when there may be more. */
    bool (*decide)(weir_coordinator *coordinator, size_t limit, weir_decisions *decisions);
    /* Fills the attempt's parameters, config and collected (new references; at least empty objects). */
    void (*prepare)(weir_coordinator *coordinator, weir_task_id task, weir_attempt *attempt);
    /* For people and programs: {nodes: [{id, name, type, phase, message?, parent?, started?, finished?, task?}]}, in
     * the order of a tree's preorder; times are microseconds. With more contexts than it lists {contexts: {total,
     * finished}, unlisted: {done, failed}}, how many invocations those have that are not among the nodes. New reference. */
    weir_value *(*status)(const weir_coordinator *coordinator);
    /* Adds to an event's data what a reader wants to know beyond it: {instance, parameters, path} or {node}. Asked
     * right after the event was applied. */
    void (*describe)(const weir_coordinator *coordinator, const weir_event *event,
                     weir_value *data);
    void (*free)(weir_coordinator *coordinator);
    /* Called before a task's outputs or inputs from outside are applied in the context, when not NULL: emits what has to
     * be decided by what was there until then. */
    void (*settle)(weir_coordinator *coordinator, uint32_t context, weir_decisions *decisions);
    /* Where in the run the task is, the same in each of its generations: texts, from the outside to the inside. New
     * reference. NULL, with `undo`: such runs are not restarted. */
    weir_value *(*locate)(const weir_coordinator *coordinator, weir_task_id task);
    /* Which of the paths (as `locate` gives them) are undone with the chosen ones: they, what depends on them, and what is
     * within those. With `failed` the chosen ones failed, so nothing has their outputs. Fills undone[i] of paths[i]. */
    void (*undo)(const weir_coordinator *coordinator, const weir_value *chosen, bool failed,
                 weir_value *const *paths, size_t count, bool *undone);
    /* When it wants to be asked without an event; UINT64_MAX: never. NULL: never. */
    uint64_t (*due_us)(const weir_coordinator *coordinator);
    /* As `status`, but of many nodes only what a few lines have room for: see weir_run_glance. NULL: there are never that many. */
    weir_value *(*glance)(const weir_coordinator *coordinator, size_t most);
    /* How often what the task is of was tried, this time too, where each try is a task of its own. NULL: its attempts are its tries. */
    uint32_t (*tries)(const weir_coordinator *coordinator, weir_task_id task);
} weir_coordinator_class;

/* What a file was compiled to: immutable, counted (weir_plan_ref), with the coordinator that runs it. Embedded first;
 * made with `refs` 1. Any thread. */
typedef struct weir_plan {
    const char *kind; /* "dataflow", "workflow", "pipeline" */
    weir_coordinator *(*coordinator)(const struct weir_plan *plan, weir_tasks *tasks);
    void (*free)(struct weir_plan *plan); /* called by the last weir_plan_unref */
    atomic_uint refs;
    /* Appends the definitions of data that it has as JSON, [{flow, name, primitive, lock?, validator?, default?}], and says
     * whether an operation of it leaves the process. NULL: it has none, and its operations do. */
    void (*definitions)(const struct weir_plan *plan, weir_buffer *json, bool *leaves);
    /* Fills what it will do, and closes it. `request` may be NULL: then everything is taken to run, which is faster to say. NULL: it
     * cannot tell. */
    void (*forecast)(const struct weir_plan *plan, const weir_value *request,
                     struct weir_forecast *forecast);
    /* Appends what tasks of this spec do, beside the operation: equal for equal work, whatever it is called. */
    void (*identify)(const struct weir_plan *plan, const weir_task_spec *spec, weir_buffer *out);
    uint64_t deadline_us;      /* how long a run may take; 0: as long as it likes */
    weir_value *left_out;      /* names of what leads to nothing that is wanted; NULL: nothing */
    bool keeps_failed_volumes; /* of a run that failed they stay, for who tries it again */
} weir_plan;

#endif

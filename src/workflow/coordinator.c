#include "workflow/coordinator.h"

#include "task/claims.h"

const char *const weir__type_texts[WEIR__TYPES] = {"Pod",   "Plugin",    "HTTP", "Suspend",
                                                   "Steps", "StepGroup", "DAG",  "TaskGroup",
                                                   "Retry", "Skipped"};
const char *const weir__phase_texts[WEIR__PHASES] = {"Running", "Succeeded", "Failed",
                                                     "Error",   "Skipped",   "Omitted"};

static weir__run *run_of(const weir_coordinator *coordinator) {
    return (weir__run *)coordinator;
}

/* --- places --------------------------------------------------------------------------------------- */

uint32_t weir__boundary_at(const weir__run *run, weir__place place) {
    if (place.parent == WEIR__NONE) return WEIR__NONE;
    const weir__node *parent = weir__node_at(run, place.parent);
    bool within = parent->type == WEIR__TYPE_DAG || parent->type == WEIR__TYPE_STEPS;
    if (within && !place.hook) return place.parent;
    return parent->boundary;
}

const weir__step *weir__step_at(const weir__run *run, weir__place place) {
    if (place.parent == WEIR__NONE) return &run->workflow->entry;
    const weir__node *parent = weir__node_at(run, place.parent);
    if (place.hook) return &parent->step->hooks[place.at];
    switch (parent->type) {
    case WEIR__TYPE_STEPS: return NULL;
    case WEIR__TYPE_GROUP:
    case WEIR__TYPE_DAG: return &parent->template->steps[place.at];
    default: return parent->step;
    }
}

bool weir__has_hooks(const weir__run *run, uint32_t node) {
    const weir__node *n = weir__node_at(run, node);
    if (!n->step || !n->step->hook_count || n->hook) return false;
    if (n->parent == WEIR__NONE) return true;
    const weir__node *parent = weir__node_at(run, n->parent);
    switch (parent->type) {
    case WEIR__TYPE_DAG: return true;
    case WEIR__TYPE_GROUP: return n->type != WEIR__TYPE_ITEMS;
    case WEIR__TYPE_ITEMS: return true;
    default: return false;
    }
}

/* A DAG's loop, or an item of one. */
static bool is_of_loop(const weir__run *run, const weir__node *n) {
    if (n->parent == WEIR__NONE || n->boundary == WEIR__NONE) return false;
    const weir__node *parent = weir__node_at(run, n->parent);
    return weir__node_at(run, n->boundary)->type == WEIR__TYPE_DAG &&
           (n->type == WEIR__TYPE_ITEMS || parent->type == WEIR__TYPE_ITEMS);
}

weir__hook_time weir__hook_runs(const weir__run *run, uint32_t node, uint32_t hook) {
    const weir__node *n = weir__node_at(run, node);
    bool exits = weir__is_exit(&n->step->hooks[hook]);
    if (!is_of_loop(run, n)) return exits ? WEIR__HOOK_AT_END : WEIR__HOOK_ANY_TIME;
    if (n->type == WEIR__TYPE_ITEMS) return exits ? WEIR__HOOK_LATE : WEIR__HOOK_ANY_TIME;
    return exits ? WEIR__HOOK_AT_END : WEIR__HOOK_NEVER;
}

/* --- attempts ------------------------------------------------------------------------------------- */

static void prepare(weir_coordinator *coordinator, weir_task_id task, weir_attempt *attempt) {
    const weir__run *run = run_of(coordinator);
    const weir__node *n = weir__node_at(run, run->by_task.items[task]);
    bool request = weir__is_request(n); /* whose parameters are not its inputs */
    attempt->parameters =
        n->inputs && !request ? weir_value_ref((weir_value *)n->inputs) : weir_object_new();
    weir_value *config =
        weir_member_named(n->start, "config"); /* of what only looks there is none */
    attempt->config = config ? weir_value_ref(config) : weir_object_new();
    if (!attempt->sought) return;
    attempt->said = weir_object_new();
    weir_member_put_text(attempt->said, "key", weir_member_text(n->start, "memo_key"));
}

static void describe(const weir_coordinator *coordinator, const weir_event *event,
                     weir_value *data) {
    const weir__run *run = run_of(coordinator);
    uint32_t node = WEIR__NONE;
    if (event->type == WEIR_NODE_STARTED || event->type == WEIR_NODE_FINISHED ||
        event->type == WEIR_NODE_AGAIN ||
        (event->type == WEIR_LOCK_GRANTED && event->subject != WEIR_CLAIM_RUN))
        node = (uint32_t)event->subject;
    else if (weir_event_has_task(event->type) && event->subject < run->by_task.count)
        node = run->by_task.items[event->subject];
    if (node == WEIR__NONE) return;
    const weir__node *n = weir__node_at(run, node);
    weir_member_put_text(data, "node", weir_member_text(n->start, "name"));
    if (n->step) weir_member_put_text(data, "template", n->template->name);
}

/* What is within the template that a daemon is of. */
static bool relies(void *arg, weir_task_id task, weir_task_id service) {
    const weir__run *run = arg;
    uint32_t boundary = weir__node_at(run, run->by_task.items[service])->boundary;
    uint32_t node = run->by_task.items[task];
    while (node != WEIR__NONE && node != boundary) node = weir__node_at(run, node)->parent;
    return node != WEIR__NONE;
}

static uint64_t due_us(const weir_coordinator *coordinator) {
    const weir_moment *first = weir_heap_first(&run_of(coordinator)->timers);
    return first ? first->due_us : UINT64_MAX;
}

static void free_run(weir_coordinator *coordinator) {
    weir__run *run = run_of(coordinator);
    for (size_t i = 0; i < run->nodes.count; i++) {
        weir_value_unref(run->nodes.items[i].start);
        weir_value_unref(run->nodes.items[i].end);
    }
    for (size_t i = 0; i < run->limits.count; i++) weir_queue_deinit(&run->limits.items[i].waiting);
    weir_vector_deinit(&run->limits);
    weir_vector_deinit(&run->nodes);
    weir_vector_deinit(&run->by_task);
    weir_vector_deinit(&run->hosts);
    weir_notes_deinit(&run->progress);
    weir_vector_deinit(&run->timers);
    weir_queue_deinit(&run->todo);
    for (size_t i = 0; i < run->said.count; i++) {
        weir_value_unref(run->said.items[i].parameters);
        weir_value_unref(run->said.items[i].how);
    }
    weir_vector_deinit(&run->said);
    weir__programs_free(run->programs);
    weir__locking_free(run->locking);
    weir_value_unref(run->metric_error);
    weir_value_unref(run->recalled);
    weir_value_unref(run->globals);
    weir_value_unref(run->global_artifacts);
    weir_value_unref(run->error);
    weir_arena_deinit(&run->arena);
    weir_free(run);
}

static const weir_coordinator_class class = {
    .apply = weir__apply,
    .fits = weir__fits,
    .decide = weir__decide,
    .due_us = due_us,
    .prepare = prepare,
    .status = weir__status,
    .glance = weir__glance,
    .describe = describe,
    .locate = weir__locate,
    .tries = weir__tries,
    .undo = weir__undo,
    .free = free_run,
};

weir_coordinator *weir__coordinator_new(const weir_plan *plan, weir_tasks *tasks) {
    weir__run *run = weir_alloc(sizeof *run);
    run->coordinator.class = &class;
    run->workflow = (const weir__workflow *)plan;
    run->tasks = tasks;
    weir_tasks_rely(tasks, relies, run);
    weir_arena_init(&run->arena);
    run->programs = weir__programs_new();
    if (run->workflow->has_locks) run->locking = weir__locking_new(run->workflow);
    *weir_vector_push(&run->limits) = (weir__limit){.most = run->workflow->parallelism};
    for (weir_task_id task = 0; task < weir_tasks_count(tasks); task++) /* of before */
        *weir_vector_push(&run->by_task) = WEIR__NONE;
    return &run->coordinator;
}

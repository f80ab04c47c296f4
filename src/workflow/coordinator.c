#include "workflow/coordinator.h"

const char *const weir__type_texts[WEIR__TYPES] = {"Pod",       "Plugin", "Steps",
                                                   "StepGroup", "DAG",    "Skipped"};
const char *const weir__phase_texts[WEIR__PHASES] = {"Running", "Succeeded", "Failed",
                                                     "Error",   "Skipped",   "Omitted"};

static weir__run *run_of(const weir_coordinator *coordinator) {
    return (weir__run *)coordinator;
}

/* `node` WEIR__NONE: the root, which is not there yet; `step` WEIR__NONE: the node itself. */
static void touch(weir__run *run, uint32_t node, uint32_t step) {
    weir_queue_put(&run->todo, (uint64_t)node << 32 | step);
}

/* --- apply ---------------------------------------------------------------------------------- */

static uint32_t number_at(const weir_value *data, const char *key) {
    const weir_value *value = weir_member_named(data, key);
    return weir_is(value, WEIR_INT) ? (uint32_t)weir_int_get(value) : WEIR__NONE;
}

static size_t index_of(weir_str text, const char *const *texts, size_t count) {
    size_t i = 0;
    while (i < count && !weir_str_is(text, texts[i])) i++;
    weir_assert(i < count);
    return i;
}

static uint32_t *none_array(weir__run *run, size_t count) {
    uint32_t *items = weir_arena_alloc(&run->arena, (count + 1) * sizeof *items);
    memset(items, 0xff, count * sizeof *items);
    return items;
}

static void fulfil(weir__run *run, uint32_t node, weir_event_id by) {
    weir__node *n = weir__node_at(run, node);
    if (n->fulfilled) return;
    n->fulfilled = true;
    n->fulfilled_by = by;
    if (n->parent == WEIR__NONE) return;
    weir__node *parent = weir__node_at(run, n->parent);
    parent->last_cause = by;
    if (parent->type != WEIR__TYPE_STEPS) parent->open--;
    if (parent->type == WEIR__TYPE_DAG) {
        const weir__indexes *next = &n->step->dependents;
        for (size_t i = 0; i < next->count; i++)
            if (--parent->waits[next->items[i]] == 0) touch(run, n->parent, next->items[i]);
    }
    if (!parent->open) touch(run, n->parent, WEIR__NONE);
}

static void begin_leaf(weir__run *run, uint32_t node, weir_event_id cause) {
    weir__node *n = weir__node_at(run, node);
    const weir_task_spec *spec = &n->template->spec;
    const weir_value *timeout = weir_member_named(n->start, "timeout_us");
    if (weir_is(timeout, WEIR_INT)) {
        weir_task_spec *own = weir_arena_alloc(&run->arena, sizeof *own);
        *own = *spec;
        own->timeout_us = (uint64_t)weir_int_get(timeout);
        spec = own;
    }
    n->task = weir_tasks_create(run->tasks, spec, 0, cause);
    weir_assert(n->task == run->by_task.count);
    *weir_vector_push(&run->by_task) = node;
}

static void begin(weir__run *run, uint32_t node, weir_event_id cause) {
    weir__node *n = weir__node_at(run, node);
    const weir__template *t = n->template;
    switch (n->type) {
    case WEIR__TYPE_POD:
    case WEIR__TYPE_PLUGIN: begin_leaf(run, node, cause); return;
    case WEIR__TYPE_STEPS:
        n->slots = none_array(run, t->step_count + t->group_count);
        n->unstarted = (uint32_t)t->group_count;
        touch(run, node, WEIR__NONE);
        return;
    case WEIR__TYPE_GROUP:
        n->unstarted = t->groups[n->at + 1] - t->groups[n->at];
        for (uint32_t i = t->groups[n->at]; i < t->groups[n->at + 1]; i++) touch(run, node, i);
        touch(run, node, WEIR__NONE);
        return;
    case WEIR__TYPE_DAG:
        n->slots = none_array(run, t->step_count);
        n->waits = none_array(run, t->step_count);
        n->open = (uint32_t)t->order.count;
        for (uint32_t i = 0; i < t->step_count; i++) {
            n->waits[i] = (uint32_t)t->steps[i].dependencies.count;
            if (!n->waits[i]) touch(run, node, i);
        }
        return;
    case WEIR__TYPE_SKIPPED:
    case WEIR__TYPES: touch(run, node, WEIR__NONE); return;
    }
}

/* Finds what the node is of from its place, so events need not say it. */
static void join_parent(weir__run *run, weir__node *n, uint32_t node) {
    if (n->parent == WEIR__NONE) {
        n->template = &run->workflow->templates[run->workflow->entry];
        n->boundary = WEIR__NONE;
        n->depth = 1;
        return;
    }
    weir__node *parent = weir__node_at(run, n->parent), *boundary = parent;
    n->boundary = n->parent;
    n->depth = parent->depth;
    if (n->type == WEIR__TYPE_GROUP) {
        n->template = parent->template;
        parent->unstarted--;
        parent->slots[parent->template->step_count + n->at] = node;
        return;
    }
    if (parent->type == WEIR__TYPE_GROUP) {
        n->boundary = parent->parent;
        boundary = weir__node_at(run, parent->parent);
        parent->unstarted--;
        parent->open++;
        const weir_value *verdict = weir_member_named(n->start, "verdict");
        if (weir_str_is(weir_member_text(verdict, "phase"), "Error")) parent->broken = true;
    }
    n->step = &boundary->template->steps[n->at];
    n->template = &run->workflow->templates[n->step->template];
    n->depth++;
    boundary->slots[n->at] = node;
}

static void apply_started(weir__run *run, const weir_event *event) {
    weir_assert(event->subject == run->nodes.count && event->data);
    uint32_t node = (uint32_t)run->nodes.count;
    weir__node n = {.start = weir_value_ref(event->data),
                    .parent = number_at(event->data, "parent"),
                    .at = number_at(event->data, "at"),
                    .task = WEIR_NO_TASK,
                    .daemons = WEIR__NONE,
                    .next_daemon = WEIR__NONE,
                    .started_by = event->id,
                    .last_cause = event->id,
                    .started_us = event->time_us};
    n.type =
        (weir__type)index_of(weir_member_text(event->data, "type"), weir__type_texts, WEIR__TYPES);
    join_parent(run, &n, node);
    *weir_vector_push(&run->nodes) = n;
    run->unfinished++;
    begin(run, node, event->id);
}

/* {code, what, where, how} of a leaf that failed. */
static weir_value *leaf_error(const weir__run *run, const weir__node *n) {
    const weir_outcome *outcome = weir_tasks_outcome(run->tasks, n->task);
    weir_value *where = weir_object_new(), *error = weir_object_new();
    weir_member_put_text(where, "node", weir_member_text(n->start, "name"));
    weir_member_put_text(where, "template", n->template->name);
    weir_member_put(where, "task", weir_int_new(n->task));
    weir_member_put(where, "attempt", weir_int_new(weir_tasks_attempt(run->tasks, n->task)));
    weir_str code = weir_member_text(outcome->failure, "code");
    weir_member_put_text(error, "code", code.length ? code : WEIR_STR("operation_failed"));
    weir_member_put_text(error, "what", weir_member_text(n->end, "message"));
    weir_member_put(error, "where", where);
    if (outcome->failure) weir_member_put(error, "how", weir_value_ref(outcome->failure));
    return error;
}

static void apply_finished(weir__run *run, const weir_event *event) {
    uint32_t node = (uint32_t)event->subject;
    weir__node *n = weir__node_at(run, node);
    n->end = weir_value_ref(event->data);
    n->phase = (weir__phase)index_of(weir_member_text(event->data, "phase"), weir__phase_texts,
                                     WEIR__PHASES);
    n->finished_us = event->time_us;
    run->unfinished--;
    if (n->task != WEIR_NO_TASK) {
        if (weir__is_failure(n->phase) && !weir__continues(n->step, n->phase)) {
            weir_value_unref(run->error);
            run->error = leaf_error(run, n);
        }
        weir_tasks_release(run->tasks, n->task);
    }
    for (uint32_t d = n->daemons; d != WEIR__NONE; d = weir__node_at(run, d)->next_daemon)
        if (!weir__node_at(run, d)->end)
            weir_tasks_stop(run->tasks, weir__node_at(run, d)->task, WEIR_STOP_DRAIN);
    fulfil(run, node, event->id);
    if (!run->unfinished) touch(run, 0, WEIR__NONE);
}

static void apply_ready(weir__run *run, const weir_event *event) {
    uint32_t node = run->by_task.items[event->subject];
    weir__node *n = weir__node_at(run, node);
    if (n->end || n->daemoned || n->boundary == WEIR__NONE ||
        weir_tasks_spec(run->tasks, n->task)->kind != WEIR_TASK_SERVICE)
        return;
    weir__node *boundary = weir__node_at(run, n->boundary);
    n->daemoned = true;
    n->next_daemon = boundary->daemons;
    boundary->daemons = node;
    fulfil(run, node, event->id);
}

/* Whichever is more. */
static weir__cancel cancelled_by(const weir__run *run, const weir_event *event) {
    weir__cancel by = event->number                                   ? WEIR__TERMINATE
                      : weir_member_named(event->data, "deadline_us") ? WEIR__EXPIRED
                                                                      : WEIR__STOP;
    return by > run->cancelled ? by : run->cancelled;
}

static void apply(weir_coordinator *coordinator, const weir_event *event) {
    weir__run *run = run_of(coordinator);
    switch (event->type) {
    case WEIR_RUN_CREATED:
        run->created_by = event->id;
        touch(run, WEIR__NONE, WEIR__NONE);
        break;
    case WEIR_RUN_CANCELLED:
        run->cancelled = cancelled_by(run, event);
        weir_tasks_stop_all(run->tasks, event->number ? WEIR_STOP_KILL : WEIR_STOP_TERM);
        break;
    case WEIR_RUN_FINISHED: run->finished = true; break;
    case WEIR_NODE_STARTED: apply_started(run, event); break;
    case WEIR_NODE_FINISHED: apply_finished(run, event); break;
    case WEIR_ATTEMPT_READY: apply_ready(run, event); break;
    case WEIR_TASK_FINISHED: touch(run, run->by_task.items[event->subject], WEIR__NONE); break;
    default: break;
    }
}

/* Whether the place that the event names is there, free, and of the event's type. */
static bool fits_place(const weir__run *run, uint32_t at_parent, uint32_t at, weir__type type) {
    const weir__node *parent = weir__node_at(run, at_parent);
    if (parent->end) return false;
    const weir__template *t = parent->template;
    if (type == WEIR__TYPE_GROUP)
        return parent->type == WEIR__TYPE_STEPS && parent->unstarted &&
               at == t->group_count - parent->unstarted &&
               (at == 0 || weir__node_at(run, parent->slots[t->step_count + at - 1])->end);
    const weir__node *boundary = parent;
    if (parent->type == WEIR__TYPE_GROUP) {
        boundary = weir__node_at(run, parent->parent);
        if (at < t->groups[parent->at] || at >= t->groups[parent->at + 1]) return false;
    } else if (parent->type != WEIR__TYPE_DAG || at >= t->step_count || parent->waits[at]) {
        return false;
    }
    uint32_t called = t->steps[at].template;
    return boundary->slots[at] == WEIR__NONE &&
           (type == WEIR__TYPE_SKIPPED || type == weir__type_of(&run->workflow->templates[called]));
}

/* Absent, or an object of texts, and of one more such object when `nested`. */
static bool is_texts(const weir_value *value, bool nested) {
    if (!value) return true;
    if (!weir_is(value, WEIR_OBJECT)) return false;
    for (size_t i = 0; i < weir_value_count(value); i++) {
        const weir_value *member = weir_object_at(value, i);
        if (!weir_is(member, WEIR_STRING) && !(nested && is_texts(member, false))) return false;
    }
    return true;
}

/* {phase, message?, outputs?} */
static bool fits_verdict(const weir_value *verdict) {
    uint32_t phase = 0;
    weir_str name = weir_member_text(verdict, "phase");
    while (phase < WEIR__PHASES && !weir_str_is(name, weir__phase_texts[phase])) phase++;
    return phase < WEIR__PHASES && is_texts(weir_member_named(verdict, "outputs"), true);
}

static bool fits_started(const weir__run *run, const weir_event *event) {
    uint32_t parent = number_at(event->data, "parent"), at = number_at(event->data, "at");
    weir_str name = weir_member_text(event->data, "type");
    uint32_t type = 0;
    while (type < WEIR__TYPES && !weir_str_is(name, weir__type_texts[type])) type++;
    bool leaf = type == WEIR__TYPE_POD || type == WEIR__TYPE_PLUGIN;
    if (event->subject != run->nodes.count || type == WEIR__TYPES ||
        !is_texts(weir_member_named(event->data, "inputs"), false) ||
        (leaf && !weir_is(weir_member_named(event->data, "config"), WEIR_OBJECT)) ||
        (type == WEIR__TYPE_SKIPPED && !fits_verdict(weir_member_named(event->data, "verdict"))))
        return false;
    if (parent != WEIR__NONE) return parent < run->nodes.count && fits_place(run, parent, at, type);
    const weir__template *entry = &run->workflow->templates[run->workflow->entry];
    return run->nodes.count == 0 && (type == WEIR__TYPE_SKIPPED || type == weir__type_of(entry));
}

static bool fits_finished(const weir__run *run, const weir_event *event) {
    if (event->subject >= run->nodes.count || !fits_verdict(event->data)) return false;
    const weir__node *n = weir__node_at(run, (uint32_t)event->subject);
    return !n->end && (n->task == WEIR_NO_TASK ||
                       weir_tasks_state(run->tasks, n->task) == WEIR_STATE_FINISHED);
}

static bool fits(const weir_coordinator *coordinator, const weir_event *event) {
    const weir__run *run = run_of(coordinator);
    switch (event->type) {
    case WEIR_NODE_STARTED: return fits_started(run, event);
    case WEIR_NODE_FINISHED: return fits_finished(run, event);
    case WEIR_CONTEXT_OPENED:
    case WEIR_OPERATION_FIRED:
    case WEIR_CONTEXT_STAGED:
    case WEIR_CONTEXT_FINISHED: return false;
    default: return event->id.context == 0;
    }
}

static void prepare(weir_coordinator *coordinator, weir_task_id task, weir_attempt *attempt) {
    const weir__run *run = run_of(coordinator);
    const weir__node *n = weir__node_at(run, run->by_task.items[task]);
    weir_value *inputs = weir_member_named(n->start, "inputs");
    attempt->parameters = inputs ? weir_value_ref(inputs) : weir_object_new();
    attempt->config = weir_value_ref(weir_member_named(n->start, "config"));
    if (!attempt->sought) return;
    attempt->said = weir_object_new();
    weir_member_put_text(attempt->said, "key", weir_member_text(n->start, "memo_key"));
}

static void describe(const weir_coordinator *coordinator, const weir_event *event,
                     weir_value *data) {
    const weir__run *run = run_of(coordinator);
    uint32_t node = WEIR__NONE;
    if (event->type == WEIR_NODE_STARTED || event->type == WEIR_NODE_FINISHED)
        node = (uint32_t)event->subject;
    else if (weir_event_has_task(event->type) && event->subject < run->by_task.count)
        node = run->by_task.items[event->subject];
    if (node == WEIR__NONE) return;
    const weir__node *n = weir__node_at(run, node);
    weir_member_put_text(data, "node", weir_member_text(n->start, "name"));
    if (n->type != WEIR__TYPE_GROUP) weir_member_put_text(data, "template", n->template->name);
}

static void free_run(weir_coordinator *coordinator) {
    weir__run *run = run_of(coordinator);
    for (size_t i = 0; i < run->nodes.count; i++) {
        weir_value_unref(run->nodes.items[i].start);
        weir_value_unref(run->nodes.items[i].end);
    }
    weir_vector_deinit(&run->nodes);
    weir_vector_deinit(&run->by_task);
    weir_queue_deinit(&run->todo);
    weir_value_unref(run->error);
    weir_arena_deinit(&run->arena);
    weir_free(run);
}

static const weir_coordinator_class class = {
    .apply = apply,
    .fits = fits,
    .decide = weir__decide,
    .prepare = prepare,
    .status = weir__status,
    .describe = describe,
    .locate = weir__locate,
    .undo = weir__undo,
    .free = free_run,
};

weir_coordinator *weir__coordinator_new(const weir_plan *plan, weir_tasks *tasks) {
    weir__run *run = weir_alloc(sizeof *run);
    run->coordinator.class = &class;
    run->workflow = (const weir__workflow *)plan;
    run->tasks = tasks;
    weir_arena_init(&run->arena);
    for (weir_task_id task = 0; task < weir_tasks_count(tasks); task++) /* of before */
        *weir_vector_push(&run->by_task) = WEIR__NONE;
    return &run->coordinator;
}

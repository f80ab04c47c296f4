#include "task/claims.h"
#include "workflow/coordinator.h"

static weir__run *run_of(const weir_coordinator *coordinator) {
    return (weir__run *)coordinator;
}

void weir__touch(weir__run *run, uint32_t node, uint32_t child) {
    weir_queue_put(&run->todo, (uint64_t)node << 32 | child);
}

static uint32_t number_at(const weir_value *data, const char *key) {
    const weir_value *value = weir_member_named(data, key);
    return weir_is(value, WEIR_INT) ? (uint32_t)weir_int_get(value) : WEIR__NONE;
}

/* Where an event puts its node. */
static weir__place place_of(const weir_value *data) {
    uint32_t hook = number_at(data, "hook");
    bool is_hook = hook != WEIR__NONE;
    return (weir__place){number_at(data, "parent"), is_hook ? hook : number_at(data, "at"),
                         is_hook};
}

static size_t index_of(weir_str text, const char *const *texts, size_t count) {
    size_t i = 0;
    while (i < count && !weir_str_is(text, texts[i])) i++;
    return i;
}

static weir__type type_in(const weir_value *data) {
    return (weir__type)index_of(weir_member_text(data, "type"), weir__type_texts, WEIR__TYPES);
}

weir__phase weir__phase_in(const weir_value *data) {
    return (weir__phase)index_of(weir_member_text(data, "phase"), weir__phase_texts, WEIR__PHASES);
}

static uint32_t *none_array(weir__run *run, size_t count) {
    uint32_t *items = weir_arena_alloc(&run->arena, (count + 1) * sizeof *items);
    memset(items, 0xff, count * sizeof *items);
    return items;
}

/* --- being fulfilled -------------------------------------------------------------------------- */

static void fulfil(weir__run *run, uint32_t node, weir_event_id by);

/* One of the parent's children, not a hook, is. */
static void fulfil_child(weir__run *run, const weir__node *n, uint32_t node, weir_event_id by) {
    weir__node *parent = weir__node_at(run, n->parent);
    parent->last_cause = by;
    if (parent->type != WEIR__TYPE_STEPS) parent->open--;
    if (parent->type == WEIR__TYPE_DAG) {
        const weir__indexes *next = &n->step->dependents;
        for (size_t i = 0; i < next->count; i++)
            if (--parent->waits[next->items[i]] == 0) weir__touch(run, n->parent, next->items[i]);
    }
    if (parent->type == WEIR__TYPE_RETRY && n->daemoned && !n->end) {
        parent->daemoned = true;
        parent->open++; /* it goes on behind what waited for it */
        fulfil(run, weir__node_at(run, node)->parent, by);
    }
    bool none_runs = parent->type == WEIR__TYPE_ITEMS && parent->open == parent->unstarted;
    if (!parent->open || none_runs || weir__has_stopped(run, n->parent))
        weir__touch(run, n->parent, WEIR__NONE);
}

/* Nothing that waits for it has to wait any more. */
static void fulfil(weir__run *run, uint32_t node, weir_event_id by) {
    weir__node *n = weir__node_at(run, node);
    if (n->fulfilled || n->open_hooks) return;
    n->fulfilled = true;
    n->fulfilled_by = by;
    if (n->hold) weir__lock_leave(run, node); /* of a daemon that is ready, too */
    if (n->parent == WEIR__NONE) return;
    if (!n->hook) {
        fulfil_child(run, n, node, by);
        return;
    }
    weir__node *owner = weir__node_at(run, n->parent);
    owner->open_hooks--;
    owner->last_cause = by;
    if (owner->fulfilled && owner->type == WEIR__TYPE_ITEMS) {
        weir__node *dag = weir__node_at(run, owner->parent);
        dag->last_cause = by;
        if (!--dag->open) weir__touch(run, owner->parent, WEIR__NONE);
    } else if (owner->end) {
        fulfil(run, n->parent, by);
    }
}

/* --- node.started ------------------------------------------------------------------------------ */

static void begin_leaf(weir__run *run, uint32_t node, weir_event_id cause) {
    weir__node *n = weir__node_at(run, node);
    const weir_task_spec *spec = &n->template->spec;
    const weir_value *timeout = weir_member_named(n->start, "timeout_us");
    if (weir_is(timeout, WEIR_INT)) {
        weir_task_spec *own = weir_arena_alloc(&run->arena, sizeof *own);
        *own = *spec;
        own->of = spec;
        own->timeout_us = (uint64_t)weir_int_get(timeout);
        spec = own;
    }
    n->task = weir_tasks_create(run->tasks, spec, 0, cause);
    weir_assert(n->task == run->by_task.count);
    *weir_vector_push(&run->by_task) = node;
}

static void begin_suspension(weir__run *run, uint32_t node) {
    const weir__node *n = weir__node_at(run, node);
    const weir_value *due = weir_member_named(n->start, "due_us");
    if (weir_is(due, WEIR_INT))
        weir_heap_add(&run->timers, (weir_moment){(uint64_t)weir_int_get(due), node});
    weir__touch(run, node, WEIR__NONE);
}

static void begin_dag(weir__run *run, uint32_t node) {
    weir__node *n = weir__node_at(run, node);
    const weir__template *t = n->template;
    n->slots = none_array(run, t->step_count);
    n->waits = none_array(run, t->step_count);
    n->open = (uint32_t)t->order.count;
    for (uint32_t i = 0; i < t->step_count; i++) {
        n->waits[i] = (uint32_t)t->steps[i].dependencies.count;
        if (!n->waits[i]) weir__touch(run, node, i);
    }
}

static void begin_items(weir__run *run, uint32_t node) {
    weir__node *n = weir__node_at(run, node);
    n->slots = none_array(run, n->count);
    n->open = n->unstarted = n->count;
    for (uint32_t i = 0; i < n->count; i++) weir__touch(run, node, i);
}

static void begin_body(weir__run *run, uint32_t node, weir_event_id cause) {
    weir__node *n = weir__node_at(run, node);
    const weir__template *t = n->template;
    switch (n->type) {
    case WEIR__TYPE_POD:
    case WEIR__TYPE_HTTP:
    case WEIR__TYPE_PLUGIN: begin_leaf(run, node, cause); return;
    case WEIR__TYPE_SUSPEND: begin_suspension(run, node); return;
    case WEIR__TYPE_STEPS:
        n->slots = none_array(run, t->step_count + t->group_count);
        n->unstarted = (uint32_t)t->group_count;
        break;
    case WEIR__TYPE_GROUP:
        if (weir_member_named(n->start, "verdict")) break; /* it has no steps */
        n->unstarted = t->groups[n->at + 1] - t->groups[n->at];
        for (uint32_t i = t->groups[n->at]; i < t->groups[n->at + 1]; i++)
            weir__touch(run, node, i);
        break;
    case WEIR__TYPE_DAG: begin_dag(run, node); return;
    case WEIR__TYPE_ITEMS: begin_items(run, node); return;
    case WEIR__TYPE_RETRY:
    case WEIR__TYPE_SKIPPED:
    case WEIR__TYPES: break;
    }
    weir__touch(run, node, WEIR__NONE);
}

static void begin(weir__run *run, uint32_t node, weir_event_id cause) {
    weir__node *n = weir__node_at(run, node);
    if (!weir__is_looked_for(n)) {
        begin_body(run, node, cause);
        return;
    }
    n->look = weir_tasks_create(run->tasks, &n->template->look, 0, cause);
    weir_assert(n->look == run->by_task.count);
    *weir_vector_push(&run->by_task) = node;
}

/* The group, itself or around a loop, that a step belongs to which could not be started. */
static void break_group(weir__run *run, const weir__node *n) {
    if (n->hook || n->parent == WEIR__NONE) return;
    weir__node *parent = weir__node_at(run, n->parent);
    if (parent->type == WEIR__TYPE_ITEMS && parent->parent != WEIR__NONE)
        parent = weir__node_at(run, parent->parent);
    if (parent->type != WEIR__TYPE_GROUP || parent->broken) return;
    parent->broken = true;
    const weir__node *steps = weir__node_at(run, parent->parent);
    const uint32_t *groups = parent->template->groups;
    for (uint32_t i = groups[parent->at]; i < groups[parent->at + 1]; i++) {
        uint32_t loop = steps->slots[i]; /* it begins no more items */
        if (loop < run->nodes.count && weir__node_at(run, loop)->type == WEIR__TYPE_ITEMS)
            weir__touch(run, loop, WEIR__NONE);
    }
}

static void join_hook(weir__run *run, weir__node *n, uint32_t node) {
    weir__node *owner = weir__node_at(run, n->parent);
    bool due = owner->hooks[n->at] == WEIR__DUE;
    owner->hooks[n->at] = node;
    owner->open_hooks += !due;
    run->unfinished -= due;
    if (owner->fulfilled) weir__node_at(run, owner->parent)->open++; /* the DAG waits for it */
    n->after_cancel = owner->after_cancel || weir__is_exit(n->step);
}

static void join_parent(weir__run *run, weir__node *n, uint32_t node) {
    weir__node *parent = weir__node_at(run, n->parent);
    switch (parent->type) {
    case WEIR__TYPE_STEPS:
        parent->unstarted--;
        parent->slots[parent->template->step_count + n->at] = node;
        break;
    case WEIR__TYPE_GROUP:
        parent->unstarted--;
        parent->open++;
        weir__node_at(run, parent->parent)->slots[n->at] = node;
        break;
    case WEIR__TYPE_DAG: parent->slots[n->at] = node; break;
    case WEIR__TYPE_ITEMS:
        parent->unstarted--;
        parent->slots[n->at] = node;
        break;
    case WEIR__TYPE_RETRY:
        n->last = parent->last;
        parent->last = node;
        parent->count++;
        parent->open++;
        break;
    default: break;
    }
}

/* Whether it stands one template deeper than its parent: what is made of the same call does not. */
static bool goes_deeper(const weir__run *run, const weir__node *n) {
    weir__type parent = weir__node_at(run, n->parent)->type;
    return n->hook || parent == WEIR__TYPE_GROUP || parent == WEIR__TYPE_DAG;
}

/* What the node is of follows from its place, so events need not say it. */
static void join(weir__run *run, weir__node *n, uint32_t node) {
    weir__place place = {n->parent, n->at, n->hook};
    n->step = weir__step_at(run, place);
    n->boundary = weir__boundary_at(run, place);
    n->limited = WEIR__NONE;
    if (n->parent == WEIR__NONE) {
        n->depth = 1;
    } else {
        const weir__node *parent = weir__node_at(run, n->parent);
        n->depth = parent->depth + goes_deeper(run, n);
        n->after_cancel = parent->after_cancel;
        if (!n->inputs && parent->type == WEIR__TYPE_RETRY && !n->hook) n->inputs = parent->inputs;
        if (n->hook)
            join_hook(run, n, node);
        else
            join_parent(run, n, node);
    }
    n->template =
        n->step ? weir__called(run->workflow, n->step) : weir__node_at(run, n->parent)->template;
}

/* A task that runs behind a loop shows that its DAG goes on. */
static void wake_loops_before(weir__run *run, uint32_t node) {
    const weir__node *n = weir__node_at(run, node);
    if (n->hook || n->type == WEIR__TYPE_SKIPPED || n->parent == WEIR__NONE) return;
    const weir__node *dag = weir__node_at(run, n->parent);
    if (dag->type != WEIR__TYPE_DAG) return;
    for (size_t i = 0; i < n->step->dependencies.count; i++) {
        uint32_t before = dag->slots[n->step->dependencies.items[i]];
        const weir__node *loop = before == WEIR__NONE ? NULL : weir__node_at(run, before);
        if (loop && loop->type == WEIR__TYPE_ITEMS && loop->hooks)
            weir__touch(run, before, WEIR__LATE_HOOKS);
    }
}

static void apply_started(weir__run *run, const weir_event *event) {
    weir_assert(event->subject == run->nodes.count && event->data);
    uint32_t node = (uint32_t)run->nodes.count;
    weir__place place = place_of(event->data);
    weir__node n = {.start = weir_value_ref(event->data),
                    .inputs = weir_member_named(event->data, "inputs"),
                    .parent = place.parent,
                    .at = place.at,
                    .hook = place.hook,
                    .type = type_in(event->data),
                    .task = WEIR_NO_TASK,
                    .look = WEIR_NO_TASK,
                    .hold = weir_member_named(event->data, "locks") ? WEIR__HOLD_WAITS
                                                                    : WEIR__HOLD_FREE,
                    .daemons = WEIR__NONE,
                    .next_daemon = WEIR__NONE,
                    .last = WEIR__NONE,
                    .started_by = event->id,
                    .last_cause = event->id,
                    .started_us = event->time_us};
    if (n.type == WEIR__TYPE_ITEMS) (void)weir__loop_count(event->data, &n.count);
    join(run, &n, node);
    if (n.type == WEIR__TYPE_SKIPPED && !weir_member_named(n.start, "deep") &&
        weir__phase_in(weir_member_named(n.start, "verdict")) == WEIR__PHASE_ERROR)
        break_group(run, &n);
    *weir_vector_push(&run->nodes) = n;
    run->unfinished++;
    if (weir__has_hooks(run, node)) {
        weir__node_at(run, node)->hooks = none_array(run, n.step->hook_count);
        weir__touch(run, node, WEIR__HOOKS);
    }
    wake_loops_before(run, node);
    weir__limit_enter(run, weir__node_at(run, node));
    if (weir_member_named(event->data, "locks"))
        weir__lock_enter(run, node);
    else
        begin(run, node, event->id);
}

static void begin_locked(weir__run *run, uint32_t node, weir_event_id cause) {
    weir__node_at(run, node)->hold = WEIR__HOLD_HOLDS;
    weir__limit_enter_locked(run, weir__node_at(run, node));
    begin(run, node, cause);
}

/* A node that waited for its locks has them, or the run. */
static void apply_granted(weir__run *run, const weir_event *event) {
    weir__apply_granted(run, event);
    if (event->subject == WEIR_CLAIM_RUN) return;
    uint32_t node = (uint32_t)event->subject;
    if (weir__node_at(run, node)->hold == WEIR__HOLD_READY) return;
    begin_locked(run, node, event->id);
}

/* --- node.finished ------------------------------------------------------------------------------ */

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

static void stop_daemons(weir__run *run, const weir__node *n) {
    for (uint32_t d = n->daemons; d != WEIR__NONE; d = weir__node_at(run, d)->next_daemon)
        if (!weir__node_at(run, d)->end)
            weir_tasks_stop(run->tasks, weir__node_at(run, d)->task, WEIR_STOP_DRAIN);
}

/* What it gives to the whole workflow. */
static void take_globals(weir__run *run, const weir__node *n) {
    weir_value *parameters = weir_member_named(weir_member_named(n->end, "outputs"), "parameters");
    for (size_t i = 0; parameters && i < n->template->outputs.count; i++) {
        const weir__parameter *p = &n->template->outputs.items[i];
        weir_value *text = p->global_name.length ? weir_member(parameters, p->name) : NULL;
        if (text && !run->globals) run->globals = weir_object_new();
        if (text) weir_member_set(run->globals, p->global_name, weir_value_ref(text));
    }
}

/* The hooks that were decided on with its end run now. */
static void take_hooks(weir__run *run, uint32_t node) {
    weir__node *n = weir__node_at(run, node);
    const weir_value *hooks = weir_member_named(n->end, "hooks");
    for (size_t i = 0; hooks && i < weir_value_count(hooks); i++) {
        uint32_t hook = (uint32_t)weir_int_get(weir_array_at(hooks, i));
        n->hooks[hook] = WEIR__DUE;
        n->open_hooks++;
        run->unfinished++;
    }
    if (n->hooks) weir__touch(run, node, WEIR__HOOKS);
}

/* Loops and Retries of what stops at the first failure come to an end with what has begun. */
static void count_failure(weir__run *run, const weir__node *n) {
    weir__node *boundary = weir__node_at(run, n->boundary);
    boundary->failed_pods += n->type == WEIR__TYPE_POD;
    if (boundary->failures++ || !boundary->template->stops_at_failure) return;
    for (size_t i = 0; i < boundary->template->step_count; i++)
        if (boundary->slots[i] != WEIR__NONE) weir__touch(run, boundary->slots[i], WEIR__NONE);
}

static void apply_finished(weir__run *run, const weir_event *event) {
    uint32_t node = (uint32_t)event->subject;
    weir__node *n = weir__node_at(run, node);
    n->end = weir_value_ref(event->data);
    n->phase = weir__phase_in(event->data);
    n->finished_us = event->time_us;
    weir__metrics_note_error(run, event->data);
    run->unfinished--;
    bool failed = weir__is_failure(n->phase) && !weir__continues(n->step, n->phase);
    if (n->task != WEIR_NO_TASK) {
        if (failed) {
            weir_value_unref(run->error);
            run->error = leaf_error(run, n);
        }
        weir_tasks_release(run->tasks, n->task);
    }
    if (n->look != WEIR_NO_TASK) weir_tasks_release(run->tasks, n->look);
    if (n->step) take_globals(run, n);
    if (n->step && n->template->artifacts_out.count) weir__take_global_artifacts(run, n);
    if (weir__counts_as_failure(n)) count_failure(run, n);
    weir__limit_leave(run, n);
    if (n->hold) weir__lock_leave(run, node);
    n = weir__node_at(run, node);
    stop_daemons(run, n);
    take_hooks(run, node);
    fulfil(run, node, event->id);
    n = weir__node_at(run, node);
    if (n->daemoned && n->parent != WEIR__NONE) { /* a Retry went on behind what waited for it */
        weir__node *parent = weir__node_at(run, n->parent);
        if (parent->type == WEIR__TYPE_RETRY && !n->hook) {
            parent->open--;
            weir__touch(run, n->parent, WEIR__NONE);
        }
    }
    if (!run->unfinished) weir__touch(run, 0, WEIR__NONE);
}

/* --- the rest ------------------------------------------------------------------------------------ */

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

/* Everything that waits for something other than a task is looked at. */
static void apply_cancelled(weir__run *run, const weir_event *event) {
    run->cancelled = cancelled_by(run, event);
    weir__limit_wake_all(run);
    weir_tasks_stop_all(run->tasks, event->number ? WEIR_STOP_KILL : WEIR_STOP_TERM);
    for (uint32_t i = 0; i < run->nodes.count; i++) {
        const weir__node *n = weir__node_at(run, i);
        if (!n->end &&
            (n->type == WEIR__TYPE_SUSPEND || n->type == WEIR__TYPE_RETRY || weir__node_waits(n)))
            weir__touch(run, i, WEIR__NONE);
    }
    if (!run->nodes.count) weir__touch(run, WEIR__NONE, WEIR__NONE);
}

/* A request that was answered may have to be made again some time after. */
static void apply_task_finished(weir__run *run, const weir_event *event) {
    uint32_t node = run->by_task.items[event->subject];
    weir__node *n = weir__node_at(run, node);
    if (!n->end && weir__is_request(n)) n->finished_us = event->time_us;
    weir__touch(run, node, WEIR__NONE);
}

/* It has its locks and begins; or it makes its next request, a task of its own. */
static void apply_again(weir__run *run, const weir_event *event) {
    uint32_t node = (uint32_t)event->subject;
    if (weir__node_at(run, node)->hold == WEIR__HOLD_READY) {
        begin_locked(run, node, event->id);
        return;
    }
    weir_tasks_release(run->tasks, weir__node_at(run, node)->task);
    begin_leaf(run, node, event->id);
}

/* Nothing was remembered of a call: it begins. */
static void apply_scheduled(weir__run *run, const weir_event *event) {
    uint32_t node = run->by_task.items[event->subject];
    if (weir__node_at(run, node)->look == event->subject) begin_body(run, node, event->id);
}

/* A Retry ran where its last attempt did. */
static void note_host(weir__run *run, uint32_t node, const weir_value *data) {
    weir_str host = weir_member_text(data, "host");
    size_t at = 0;
    while (at < run->hosts.count && !weir_str_equal(run->hosts.items[at], host)) at++;
    if (!host.length || at >= UINT16_MAX) return;
    if (at == run->hosts.count)
        *weir_vector_push(&run->hosts) = (weir_str){weir_str_copy(&run->arena, host), host.length};
    weir__node *n = weir__node_at(run, node);
    n->host = (uint16_t)(at + 1);
    if (n->parent == WEIR__NONE || n->hook) return;
    weir__node *parent = weir__node_at(run, n->parent);
    if (parent->type == WEIR__TYPE_RETRY) parent->host = n->host;
}

/* What is made of the same call has the same hooks: they may have waited for it to run. */
static void apply_attempt_started(weir__run *run, uint32_t node) {
    for (;;) {
        const weir__node *n = weir__node_at(run, node);
        if (n->hooks) weir__touch(run, node, WEIR__HOOKS);
        if (n->hook || n->parent == WEIR__NONE || goes_deeper(run, n)) return;
        node = n->parent;
    }
}

/* How far a pod is, of as many. */
static void note_progress(weir__run *run, const weir_event *event) {
    weir_str unit = weir_member_text(event->data, "unit"), of = WEIR_STR("of ");
    const weir_value *value = weir_member_named(event->data, "value");
    bool number = weir_is(value, WEIR_INT) || weir_is(value, WEIR_FLOAT);
    double done = number ? weir_number_get(value) : -1;
    uint32_t total;
    if (!weir_str_is(weir_member_text(event->data, "name"), "progress") ||
        !weir_str_starts(unit, of) || event->subject >= run->by_task.count)
        return;
    uint32_t node = run->by_task.items[event->subject];
    if (!weir_str_number(weir_str_slice(unit, of.length, unit.length), &total) || !total ||
        !(done >= 0 && done <= total) || weir__node_at(run, node)->type != WEIR__TYPE_POD)
        return;
    weir_notes_set(&run->progress, node, (uint64_t)total << 32 | (uint64_t)done);
}

void weir__apply(weir_coordinator *coordinator, const weir_event *event) {
    weir__run *run = run_of(coordinator);
    switch (event->type) {
    case WEIR_RUN_CREATED:
        run->created_by = event->id;
        run->created_us = event->time_us;
        if (run->locking) weir__lock_begin(run);
        weir__touch(run, WEIR__NONE, WEIR__NONE);
        break;
    case WEIR_RUN_CANCELLED: apply_cancelled(run, event); break;
    case WEIR_RUN_FINISHED:
        run->finished = true;
        weir__metrics_note_error(run, event->data);
        break;
    case WEIR_NODE_STARTED: apply_started(run, event); break;
    case WEIR_NODE_FINISHED: apply_finished(run, event); break;
    case WEIR_NODE_SET: weir__apply_set(run, event); break;
    case WEIR_LOCK_GRANTED: apply_granted(run, event); break;
    case WEIR_NODE_AGAIN: apply_again(run, event); break;
    case WEIR_ATTEMPT_SCHEDULED: apply_scheduled(run, event); break;
    case WEIR_ATTEMPT_READY: apply_ready(run, event); break;
    case WEIR_ATTEMPT_STARTED:
        note_host(run, run->by_task.items[event->subject], event->data);
        apply_attempt_started(run, run->by_task.items[event->subject]);
        break;
    case WEIR_ATTEMPT_METRIC: note_progress(run, event); break;
    case WEIR_TASK_FINISHED: apply_task_finished(run, event); break;
    default: break;
    }
}

/* --- what can be applied ------------------------------------------------------------------------- */

static bool is_late(const weir__run *run, weir__place hook) {
    const weir__node *loop = weir__node_at(run, hook.parent);
    return weir__hook_runs(run, hook.parent, hook.at) == WEIR__HOOK_LATE &&
           !weir__node_at(run, loop->parent)->end;
}

/* Whether the place is there and free. */
static bool fits_place(const weir__run *run, weir__place place) {
    if (place.parent >= run->nodes.count) return false;
    const weir__node *parent = weir__node_at(run, place.parent);
    const weir__template *t = parent->template;
    uint32_t at = place.at;
    if (place.hook)
        return parent->hooks && at < parent->step->hook_count &&
               (parent->hooks[at] == WEIR__DUE ||
                (parent->hooks[at] == WEIR__NONE && (!parent->end || is_late(run, place))));
    if (parent->end) return false;
    switch (parent->type) {
    case WEIR__TYPE_STEPS:
        return parent->unstarted && at == t->group_count - parent->unstarted &&
               (at == 0 || weir__node_at(run, parent->slots[t->step_count + at - 1])->end);
    case WEIR__TYPE_GROUP:
        return at >= t->groups[parent->at] && at < t->groups[parent->at + 1] &&
               weir__node_at(run, parent->parent)->slots[at] == WEIR__NONE;
    case WEIR__TYPE_DAG:
        return at < t->step_count && !parent->waits[at] && parent->slots[at] == WEIR__NONE;
    case WEIR__TYPE_ITEMS: return at < parent->count && parent->slots[at] == WEIR__NONE;
    case WEIR__TYPE_RETRY: return at == parent->count && !parent->open;
    default: return false;
    }
}

/* Whether a node at the place, which is there, may be of the type. */
static bool fits_type(const weir__run *run, weir__place place, weir__type type) {
    const weir__step *step = weir__step_at(run, place);
    if (!step) return type == WEIR__TYPE_GROUP;
    if (type == WEIR__TYPE_SKIPPED) return true;
    const weir__template *called = weir__called(run->workflow, step);
    weir__type parent =
        place.parent == WEIR__NONE ? WEIR__TYPE_SKIPPED : weir__node_at(run, place.parent)->type;
    if (place.hook || parent == WEIR__TYPE_ITEMS) return type == weir__type_of_call(called);
    if (parent == WEIR__TYPE_RETRY) return type == weir__type_of(called);
    return type == (step->loop ? WEIR__TYPE_ITEMS : weir__type_of_call(called));
}

bool weir__is_texts(const weir_value *value, bool nested) {
    if (!value) return true;
    if (!weir_is(value, WEIR_OBJECT)) return false;
    for (size_t i = 0; i < weir_value_count(value); i++) {
        const weir_value *member = weir_object_at(value, i);
        if (nested && weir_str_is(weir_object_key(value, i), "artifacts") &&
            weir__is_artifacts(member))
            continue;
        if (!weir_is(member, WEIR_STRING) && !(nested && weir__is_texts(member, false)))
            return false;
    }
    return true;
}

bool weir__fits_verdict(const weir_value *verdict) {
    return weir__phase_in(verdict) < WEIR__PHASES &&
           weir__is_texts(weir_member_named(verdict, "outputs"), true) &&
           weir__fits_members(weir_member_named(verdict, "containers"));
}

static bool fits_started(const weir__run *run, const weir_event *event) {
    weir__place place = place_of(event->data);
    weir__type type = type_in(event->data);
    uint32_t count;
    bool leaf = type == WEIR__TYPE_POD || type == WEIR__TYPE_PLUGIN || type == WEIR__TYPE_HTTP;
    if (event->subject != run->nodes.count || type == WEIR__TYPES ||
        !weir__is_texts(weir_member_named(event->data, "inputs"), false) ||
        !weir__is_artifacts(weir_member_named(event->data, "artifacts")) ||
        (leaf && !weir_is(weir_member_named(event->data, "config"), WEIR_OBJECT)) ||
        (type == WEIR__TYPE_ITEMS && !weir__loop_count(event->data, &count)) ||
        (type == WEIR__TYPE_SKIPPED &&
         !weir__fits_verdict(weir_member_named(event->data, "verdict"))) ||
        !weir__fits_locks(run, weir_member_named(event->data, "locks")))
        return false;
    bool root = place.parent == WEIR__NONE;
    return (root ? run->nodes.count == 0 && !place.hook : fits_place(run, place)) &&
           fits_type(run, place, type);
}

static bool fits_hooks(const weir__node *n, const weir_value *hooks) {
    if (!hooks) return true;
    if (!weir_is(hooks, WEIR_ARRAY) || !n->hooks) return false;
    int64_t last = -1; /* each once */
    for (size_t i = 0; i < weir_value_count(hooks); i++) {
        const weir_value *hook = weir_array_at(hooks, i);
        if (!weir_is(hook, WEIR_INT) || weir_int_get(hook) <= last ||
            weir_int_get(hook) >= (int64_t)n->step->hook_count ||
            n->hooks[weir_int_get(hook)] != WEIR__NONE)
            return false;
        last = weir_int_get(hook);
    }
    return true;
}

static bool fits_finished(const weir__run *run, const weir_event *event) {
    if (event->subject >= run->nodes.count || !weir__fits_verdict(event->data)) return false;
    const weir__node *n = weir__node_at(run, (uint32_t)event->subject);
    return !n->end && fits_hooks(n, weir_member_named(event->data, "hooks")) &&
           (n->task == WEIR_NO_TASK ||
            weir_tasks_state(run->tasks, n->task) == WEIR_STATE_FINISHED) &&
           (n->look == WEIR_NO_TASK ||
            weir_tasks_state(run->tasks, n->look) == WEIR_STATE_FINISHED);
}

static bool fits_again(const weir__run *run, const weir_event *event) {
    if (event->subject >= run->nodes.count) return false;
    const weir__node *n = weir__node_at(run, (uint32_t)event->subject);
    if (!n->end && n->hold == WEIR__HOLD_READY) return true;
    return !n->end && weir__is_request(n) && n->task != WEIR_NO_TASK &&
           weir_tasks_state(run->tasks, n->task) == WEIR_STATE_FINISHED;
}

bool weir__fits(const weir_coordinator *coordinator, const weir_event *event) {
    const weir__run *run = run_of(coordinator);
    switch (event->type) {
    case WEIR_NODE_STARTED: return fits_started(run, event);
    case WEIR_NODE_FINISHED: return fits_finished(run, event);
    case WEIR_NODE_SET: return weir__fits_set(run, event->data);
    case WEIR_LOCK_GRANTED: return weir__fits_granted(run, event);
    case WEIR_NODE_AGAIN: return fits_again(run, event);
    case WEIR_CONTEXT_OPENED:
    case WEIR_OPERATION_FIRED:
    case WEIR_CONTEXT_STAGED:
    case WEIR_CONTEXT_FINISHED: return false;
    default: return event->id.context == 0;
    }
}

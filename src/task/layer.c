#include "task/layer.h"

#include "base/time.h"
#include "task/layer_internal.h"

weir_tasks *weir_tasks_new(const weir_task_limits *limits) {
    weir_tasks *tasks = weir_alloc(sizeof *tasks);
    tasks->limits = *limits;
    tasks->own_budget.limit = (weir_share){limits->memory_bytes, limits->cpu_milli, 0};
    tasks->budget = limits->budget ? limits->budget : &tasks->own_budget;
    tasks->asked = tasks->first.task = tasks->last_begun = WEIR_NO_TASK;
    weir_ready_init(&tasks->order, WEIR_SCHEDULER_FIFO);
    tasks->tick_at_us = UINT64_MAX;
    tasks->tasks.size = sizeof(task);
    return tasks;
}

weir_tasks *weir_tasks_succeed(const weir_tasks *before, uint32_t contexts) {
    weir_tasks *tasks = weir_tasks_new(&before->limits);
    tasks->contexts_before = contexts;
    for (size_t i = weir_pages_next(&before->tasks, 0); i < before->tasks.count;
         i = weir_pages_next(&before->tasks, i + 1)) {
        const task *t = weir_pages_at(&before->tasks, i);
        bool under_way = t->state == WEIR_STATE_RUNNING || t->state == WEIR_STATE_STOPPING;
        weir_pages_skip(&tasks->tasks, i, &forgotten);
        *(task *)weir_pages_push(&tasks->tasks) = (task){.number = t->number,
                                                         .state = WEIR_STATE_FINISHED,
                                                         .last_context = t->last_context,
                                                         .last_sequence = t->last_sequence,
                                                         .again = under_way || t->again,
                                                         .found = t->found};
    }
    weir_pages_skip(&tasks->tasks, before->tasks.count, &forgotten);
    return tasks;
}

void weir_tasks_only_follow(weir_tasks *tasks) {
    tasks->follows = true;
}

uint32_t weir_tasks_contexts_before(const weir_tasks *tasks) {
    return tasks->contexts_before;
}

void weir_tasks_ask(weir_tasks *tasks,
                    bool (*recall)(void *arg, weir_task_id task, uint32_t *kept, weir_value **data),
                    void *arg) {
    tasks->recall = recall;
    tasks->recall_arg = arg;
}

static void drop_work(weir_tasks *tasks, task *t) {
    work *w = t->work;
    if (!w) return;
    weir_outcome_deinit(&w->outcome);
    weir_value_unref(w->missed);
    weir_value_unref(w->frozen);
    weir_free(w->member_done);
    weir_free(w->locks);
    *w = (work){.next_spare = tasks->spare};
    tasks->spare = w;
    t->work = NULL;
}

void weir_tasks_free(weir_tasks *tasks) {
    if (!tasks) return;
    for (size_t i = weir_pages_next(&tasks->tasks, 0); i < tasks->tasks.count;
         i = weir_pages_next(&tasks->tasks, i + 1))
        drop_work(tasks, weir_pages_at(&tasks->tasks, i));
    for (work *w = tasks->spare, *next; w; w = next) {
        next = w->next_spare;
        weir_free(w);
    }
    for (size_t i = 0; i < tasks->locks.count; i++) {
        weir_queue_deinit(&tasks->locks.items[i].tasks);
        weir_queue_deinit(&tasks->locks.items[i].guests);
    }
    weir_vector_deinit(&tasks->locks);
    weir_vector_deinit(&tasks->lock_notes);
    weir_pages_deinit(&tasks->tasks);
    weir_vector_deinit(&tasks->ordered);
    weir_budget_leave(tasks->budget, tasks);
    weir_budget_deinit(&tasks->own_budget);
    weir_ready_deinit(&tasks->order);
    weir_queue_deinit(&tasks->unmeasured);
    weir_queue_deinit(&tasks->ready);
    weir_queue_deinit(&tasks->ready_slot);
    weir_queue_deinit(&tasks->waiting);
    weir_vector_deinit(&tasks->away);
    weir_queue_deinit(&tasks->judged);
    weir_queue_deinit(&tasks->stops);
    weir_queue_deinit(&tasks->sought);
    weir_vector_deinit(&tasks->due);
    weir_vector_deinit(&tasks->origins);
    weir_free(tasks);
}

weir_task_id weir_tasks_create(weir_tasks *tasks, const weir_task_spec *spec, uint32_t context,
                               weir_event_id cause) {
    return weir_tasks_create_locked(tasks, spec, context, cause, NULL, 0, false);
}

weir_task_id weir_tasks_create_locked(weir_tasks *tasks, const weir_task_spec *spec,
                                      uint32_t context, weir_event_id cause, const uint32_t *locks,
                                      uint32_t count, bool guest) {
    weir_assert(tasks->tasks.count < WEIR_NO_TASK);
    weir_task_id id = (weir_task_id)tasks->tasks.count;
    *(task *)weir_pages_push(&tasks->tasks) = (task){.spec = spec,
                                                     .context = context,
                                                     .state = WEIR_STATE_READY,
                                                     .last_context = cause.context,
                                                     .last_sequence = cause.sequence};
    tasks->open++;
    weir__tasks_want_locks(tasks, id, locks, count, guest);
    put_ready(tasks, id);
    return id;
}

void weir_tasks_stop(weir_tasks *tasks, weir_task_id id, weir_stop how) {
    const task *t = see(tasks, id);
    if (t->state == WEIR_STATE_FINISHED || (look(t)->unwanted && how <= look(t)->stop_how)) return;
    work *w = work_of(tasks, get(tasks, id));
    w->unwanted = w->stop_wanted = true;
    w->stop_how = how;
    put_hint(tasks, &tasks->stops, id);
}

void weir_tasks_stop_all(weir_tasks *tasks, weir_stop how) {
    for (size_t id = weir_pages_next(&tasks->tasks, 0); id < tasks->tasks.count;
         id = weir_pages_next(&tasks->tasks, id + 1))
        weir_tasks_stop(tasks, (weir_task_id)id, how);
}

const weir_outcome *weir_tasks_outcome(const weir_tasks *tasks, weir_task_id id) {
    static const weir_outcome released[WEIR_OUTCOME_KINDS] = {
        {.kind = WEIR_OUTCOME_SUCCEEDED}, {.kind = WEIR_OUTCOME_FAILED},
        {.kind = WEIR_OUTCOME_ERRORED},   {.kind = WEIR_OUTCOME_CANCELLED},
        {.kind = WEIR_OUTCOME_EXPIRED},
    };
    const task *t = see(tasks, id);
    return t->work ? &t->work->outcome : &released[t->kind];
}

void weir_tasks_release(weir_tasks *tasks, weir_task_id id) {
    task *t = get(tasks, id);
    weir_assert(t->state == WEIR_STATE_FINISHED);
    if (t->work) t->kind = (uint8_t)t->work->outcome.kind;
    drop_work(tasks, t);
}

void weir_tasks_forget(weir_tasks *tasks, weir_task_id id) {
    const task *t = see(tasks, id);
    weir_assert(t->state == WEIR_STATE_FINISHED && !t->work);
    if (!t->again) weir_pages_drop(&tasks->tasks, id);
}

void weir_tasks_skip(weir_tasks *tasks, weir_task_id next) {
    weir_pages_skip(&tasks->tasks, next, &forgotten);
}

weir_task_id weir_tasks_next(const weir_tasks *tasks, weir_task_id from) {
    return (weir_task_id)weir_pages_next(&tasks->tasks, from);
}

const weir_task_spec *weir_tasks_spec(const weir_tasks *tasks, weir_task_id id) {
    return see(tasks, id)->spec;
}

weir_task_state weir_tasks_state(const weir_tasks *tasks, weir_task_id id) {
    return (weir_task_state)see(tasks, id)->state;
}

uint32_t weir_tasks_context(const weir_tasks *tasks, weir_task_id id) {
    return see(tasks, id)->context;
}

uint32_t weir_tasks_attempt(const weir_tasks *tasks, weir_task_id id) {
    return see(tasks, id)->number;
}

uint32_t weir_tasks_count(const weir_tasks *tasks) {
    return (uint32_t)tasks->tasks.count;
}

uint32_t weir_tasks_open(const weir_tasks *tasks) {
    return tasks->open;
}

uint32_t weir_tasks_under_way(const weir_tasks *tasks) {
    return tasks->under_way;
}

weir_event_id weir_tasks_last_event(const weir_tasks *tasks, weir_task_id id) {
    return last_of(see(tasks, id));
}

void weir_tasks_describe_attempt(const weir_tasks *tasks, weir_task_id id, weir_attempt *attempt) {
    const task *t = get(tasks, id);
    attempt->id.task = id;
    attempt->id.number = t->number;
    attempt->spec = t->spec;
    attempt->members = members_of(t->spec);
    attempt->again = t->again;
    attempt->lost_since = look(t)->lost_since;
    attempt->deadline_us = look(t)->due_us;
    attempt->stopped_us = tasks->tick_us;
}

bool weir_tasks_expects(const weir_tasks *tasks, const weir_attempt_id *attempt) {
    if (attempt->task >= tasks->tasks.count) return false;
    const task *t = see(tasks, attempt->task);
    return under_way(t) && t->number == attempt->number && attempt->member < members_of(t->spec) &&
           !(look(t)->member_done && look(t)->member_done[attempt->member]);
}

void weir_tasks_heartbeat(weir_tasks *tasks, weir_task_id id, uint64_t now_us) {
    task *t = get(tasks, id);
    if (look(t)->silent_us) t->work->silent_us = now_us + t->spec->heartbeat_us;
}

void weir_tasks_each_attempt(const weir_tasks *tasks,
                             void (*visit)(void *arg, weir_task_id task, uint32_t number),
                             void *arg) {
    for (size_t id = weir_pages_next(&tasks->tasks, 0); id < tasks->tasks.count;
         id = weir_pages_next(&tasks->tasks, id + 1)) {
        const task *t = see(tasks, (weir_task_id)id);
        if (under_way(t)) visit(arg, (weir_task_id)id, t->number);
    }
}

void weir_tasks_each_leftover(const weir_tasks *tasks,
                              void (*visit)(void *arg, weir_task_id task, uint32_t number),
                              void *arg) {
    for (size_t id = weir_pages_next(&tasks->tasks, 0); id < tasks->tasks.count;
         id = weir_pages_next(&tasks->tasks, id + 1)) {
        const task *t = see(tasks, (weir_task_id)id);
        if (t->again || under_way(t)) visit(arg, (weir_task_id)id, t->number);
    }
}

/* --- resources ------------------------------------------------------------------------------ */

static uint64_t capped(uint64_t wanted, uint64_t limit) {
    return limit && wanted > limit ? limit : wanted;
}

void weir_tasks_look_ahead(weir_tasks *tasks, uint32_t ahead) {
    tasks->limits.ahead = ahead;
}

uint32_t weir_tasks_slots_used(const weir_tasks *tasks) {
    return tasks->slots_used;
}

uint32_t weir_tasks_slots_of(const weir_tasks *tasks, weir_task_id id) {
    const weir_task_spec *spec = weir_tasks_spec(tasks, id);
    return spec && spec->slot ? (uint32_t)capped(members_of(spec), tasks->limits.attempts) : 0;
}

static void count_attempt(weir_tasks *tasks, const weir_task_spec *spec, bool begins) {
    tasks->under_way = begins ? tasks->under_way + 1 : tasks->under_way - 1;
    if (spec->executor.length) tasks->busy = begins ? tasks->busy + 1 : tasks->busy - 1;
    if (!spec->slot) return;
    uint32_t slots = (uint32_t)capped(members_of(spec), tasks->limits.attempts);
    tasks->slots_used = begins ? tasks->slots_used + slots : tasks->slots_used - slots;
}

/* --- apply ---------------------------------------------------------------------------------- */

static void begin_time(weir_tasks *tasks, weir_task_id id, uint64_t now_us) {
    const weir_task_spec *spec = get(tasks, id)->spec;
    work *w = get(tasks, id)->work;
    w->due_us = spec->timeout_us ? now_us + spec->timeout_us : 0;
    w->silent_us = spec->heartbeat_us ? now_us + spec->heartbeat_us : 0;
    if (w->due_us) add_due(tasks, w->due_us, id);
    if (w->silent_us) add_due(tasks, w->silent_us, id);
}

static void begin_work(weir_tasks *tasks, weir_task_id id, uint64_t now_us) {
    task *t = get(tasks, id);
    const weir_task_spec *spec = t->spec;
    work *w = work_of(tasks, t);
    w->members_ended = 0;
    w->held = false;
    w->stopped_why = WHY_NONE;
    weir_outcome_deinit(&w->outcome);
    weir_free(w->member_done);
    w->member_done = NULL;
    if (members_of(spec) > 1)
        w->member_done = weir_alloc(members_of(spec) * sizeof *w->member_done);
    begin_time(tasks, id, now_us);
}

void weir_tasks_hold(weir_tasks *tasks, weir_task_id id) {
    work *w = get(tasks, id)->work;
    if (w) w->held = w->due_us || w->silent_us;
}

void weir_tasks_begin(weir_tasks *tasks, weir_task_id id, uint64_t now_us) {
    work *w = get(tasks, id)->work;
    if (!w || !w->held) return;
    w->held = false;
    if (get(tasks, id)->state == WEIR_STATE_RUNNING) begin_time(tasks, id, now_us);
}

static void begin_attempt(weir_tasks *tasks, weir_task_id id, const weir_event *event) {
    task *t = get(tasks, id);
    const weir_task_spec *spec = t->spec;
    t->state = WEIR_STATE_RUNNING;
    t->number = event->number;
    if (t->work || members_of(spec) > 1 || spec->timeout_us || spec->heartbeat_us)
        begin_work(tasks, id, event->time_us);
    count_attempt(tasks, spec, true);
    weir__tasks_take_share(tasks, id, event);
}

static weir_outcome explain_end(const task *t) {
    char text[24];
    switch (look(t)->stopped_why) {
    case WHY_EXPIRED:
        return weir_outcome_failed(WEIR_OUTCOME_EXPIRED, "expired",
                                   "did not end within its timeout of %s",
                                   weir_duration_format(t->spec->timeout_us, text));
    case WHY_FROZEN: {
        weir_str reason = weir_member_text(look(t)->frozen, "reason");
        return weir_outcome_failed(WEIR_OUTCOME_EXPIRED, "frozen", "was ended: %.*s",
                                   WEIR_ARG(reason));
    }
    default: return weir_outcome_failed(WEIR_OUTCOME_CANCELLED, "cancelled", "was cancelled");
    }
}

/* What the outcome means, knowing that the attempt was told to end. */
static void interpret(const task *t, weir_outcome *outcome) {
    why stopped_why = look(t)->stopped_why;
    if (stopped_why == WHY_DRAINED) {
        outcome->kind = WEIR_OUTCOME_SUCCEEDED;
        weir_value_unref(outcome->failure);
        outcome->failure = NULL;
        return;
    }
    bool expired = stopped_why == WHY_EXPIRED || stopped_why == WHY_FROZEN;
    if (!expired && (stopped_why == WHY_NONE || outcome->kind == WEIR_OUTCOME_SUCCEEDED)) return;
    weir_outcome explained = explain_end(t);
    outcome->kind = explained.kind;
    weir_value *failure = weir_value_own(explained.failure);
    for (size_t i = 0; outcome->failure && i < weir_value_count(outcome->failure); i++) {
        weir_str key = weir_object_key(outcome->failure, i);
        if (!weir_member(failure, key))
            weir_member_set(failure, key, weir_value_ref(weir_object_at(outcome->failure, i)));
    }
    weir_value_unref(outcome->failure);
    outcome->failure = failure;
}

static uint32_t member_of(const weir_value *data) {
    const weir_value *member = weir_member_named(data, "member");
    return weir_is(member, WEIR_INT) ? (uint32_t)weir_int_get(member) : 0;
}

static void judge(weir_tasks *tasks, weir_task_id id) {
    task *t = get(tasks, id);
    count_attempt(tasks, t->spec, false);
    weir__tasks_give_share(tasks, id);
    weir__tasks_learn(tasks, id);
    work *w = work_of(tasks, t);
    t->state = WEIR_STATE_JUDGED;
    w->stop_wanted &= w->unwanted; /* a gang's was for this attempt only */
    w->due_us = w->silent_us = 0;
    if (w->outcome.kind != WEIR_OUTCOME_SUCCEEDED) w->failures++;
    put_hint(tasks, &tasks->judged, id);
}

static void end_member(weir_tasks *tasks, weir_task_id id, const weir_event *event) {
    const task *t = get(tasks, id);
    work *w = work_of(tasks, get(tasks, id));
    weir_outcome outcome = weir_outcome_from_value(event->data);
    uint32_t member = member_of(event->data);
    interpret(t, &outcome);
    bool failed = outcome.kind != WEIR_OUTCOME_SUCCEEDED;
    bool failed_before = w->outcome.kind != WEIR_OUTCOME_SUCCEEDED;
    if (!failed_before && (failed || member == 0)) {
        weir_outcome_deinit(&w->outcome);
        w->outcome = outcome;
    } else {
        weir_outcome_deinit(&outcome);
    }
    if (w->member_done && member < members_of(t->spec)) w->member_done[member] = true;
    if (++w->members_ended == members_of(t->spec)) {
        w->lost_since = 0;
        judge(tasks, id);
    } else if (failed && !failed_before) { /* the rest of the gang is of no use */
        w->stop_wanted = true;
        w->stop_how = WEIR_STOP_TERM;
        put_hint(tasks, &tasks->stops, id);
    }
}

static void lose_attempt(weir_tasks *tasks, weir_task_id id) {
    task *t = get(tasks, id);
    work *w = work_of(tasks, t);
    t->again = true;
    if (!w->lost_since) w->lost_since = t->number;
    w->stop_wanted &= w->unwanted;
    if (w->unwanted || w->stopped_why == WHY_EXPIRED || w->stopped_why == WHY_FROZEN) {
        weir_outcome_deinit(&w->outcome);
        w->outcome =
            weir_outcome_failed(WEIR_OUTCOME_CANCELLED, "lost", "was lost while it was to end");
        interpret(t, &w->outcome);
        judge(tasks, id);
        return;
    }
    count_attempt(tasks, t->spec, false);
    weir__tasks_give_share(tasks, id);
    t->state = WEIR_STATE_READY;
    w->due_us = w->silent_us = 0;
    weir__tasks_note_away(tasks, id);
    put_ready(tasks, id);
}

static void note_stopping(weir_tasks *tasks, task *t, weir_value *data) {
    work *w = work_of(tasks, t);
    weir_str reason = weir_member_text(data, "why");
    t->state = WEIR_STATE_STOPPING;
    const weir_value *last = weir_member_named(data, "last");
    w->unwanted |= last && weir_value_truth(last); /* no other attempt is to follow */
    w->stop_wanted = w->held = false;
    w->due_us = 0;
    if (weir_str_is(reason, "expired"))
        w->stopped_why = WHY_EXPIRED;
    else if (weir_str_is(reason, "frozen"))
        w->stopped_why = WHY_FROZEN;
    else
        w->stopped_why = weir_str_is(reason, "drained") ? WHY_DRAINED : WHY_CANCELLED;
    weir_value_unref(w->frozen);
    w->frozen = w->stopped_why == WHY_FROZEN ? weir_value_ref(data) : NULL;
}

void weir_tasks_recall(weir_tasks *tasks, weir_task_id id, weir_task_id origin,
                       const weir_value *outcome) {
    task *t = get(tasks, id);
    weir__tasks_claim_locks(tasks, id);
    while (tasks->origins.count <= id) *weir_vector_push(&tasks->origins) = WEIR_NO_TASK;
    tasks->origins.items[id] = origin;
    work *w = work_of(tasks, t);
    weir_outcome_deinit(&w->outcome);
    w->outcome = weir_outcome_from_value(outcome);
    t->state = WEIR_STATE_JUDGED;
    tasks->found += weir_tasks_was_found(tasks, id);
    put_hint(tasks, &tasks->judged, id);
}

weir_task_id weir_tasks_origin(const weir_tasks *tasks, weir_task_id id) {
    bool recalled = id < tasks->origins.count && tasks->origins.items[id] != WEIR_NO_TASK;
    return recalled ? tasks->origins.items[id] : id;
}

static void wait_for_retry(weir_tasks *tasks, weir_task_id id, const weir_event *event) {
    task *t = get(tasks, id);
    const weir_value *due = weir_member_named(event->data, "due_us");
    uint64_t due_us = weir_is(due, WEIR_INT) ? (uint64_t)weir_int_get(due) : event->time_us;
    t->state = WEIR_STATE_BACKOFF;
    work_of(tasks, t)->due_us = due_us;
    weir__tasks_note_away(tasks, id);
    add_due(tasks, due_us, id);
}

/* --- memoized results ------------------------------------------------------------------------- */

bool weir_tasks_seeks(const weir_tasks *tasks, weir_task_id id) {
    const task *t = see(tasks, id);
    return t->state == WEIR_STATE_READY && t->spec->memo && !t->looked && !look(t)->locks_missing &&
           !tasks->memo_off;
}

bool weir_tasks_take_sought(weir_tasks *tasks, weir_task_id *out) {
    uint64_t id;
    while (!tasks->suspended && weir_queue_take(&tasks->sought, &id)) {
        *out = (weir_task_id)id;
        if (weir_tasks_seeks(tasks, *out)) return true;
    }
    return false;
}

weir_value *weir_tasks_missed(const weir_tasks *tasks, weir_task_id id) {
    return look(see(tasks, id))->missed; /* the data of memo.missed */
}

/* What was told to end and says that it succeeded may have done less than all. */
bool weir_tasks_may_keep(const weir_tasks *tasks, weir_task_id id) {
    const work *w = look(see(tasks, id));
    return w->outcome.kind == WEIR_OUTCOME_SUCCEEDED && !w->unwanted && w->stopped_why == WHY_NONE;
}

uint64_t weir_tasks_found(const weir_tasks *tasks) {
    return tasks->found;
}

bool weir_tasks_was_found(const weir_tasks *tasks, weir_task_id id) {
    weir_task_id origin = weir_tasks_origin(tasks, id);
    return origin < tasks->tasks.count && see(tasks, origin)->found;
}

static void take_found(weir_tasks *tasks, weir_task_id id, const weir_value *data) {
    task *t = get(tasks, id);
    weir__tasks_claim_locks(tasks, id);
    t->looked = t->found = true;
    t->state = WEIR_STATE_JUDGED;
    tasks->found++;
    work_of(tasks, t)->outcome =
        (weir_outcome){.kind = WEIR_OUTCOME_SUCCEEDED,
                       .outputs = weir_value_ref(weir_member_named(data, "outputs"))};
    put_hint(tasks, &tasks->judged, id);
}

static void take_missed(weir_tasks *tasks, weir_task_id id, weir_value *data) {
    task *t = get(tasks, id);
    weir__tasks_claim_locks(tasks, id);
    t->looked = true;
    if (weir_member_named(data, "key")) work_of(tasks, t)->missed = weir_value_ref(data);
    put_ready(tasks, id);
}

static bool fits_memo(const weir_tasks *tasks, const weir_event *event) {
    bool found = event->type == WEIR_MEMO_FOUND;
    const task *t = see(tasks, (weir_task_id)event->subject);
    return t->state == WEIR_STATE_READY && t->spec->memo && !t->looked && !tasks->memo_off &&
           weir__tasks_could_have_locks(tasks, t) &&
           (!found || weir_is(weir_member_named(event->data, "outputs"), WEIR_OBJECT));
}

static void finish(weir_tasks *tasks, task *t, const weir_event *event) {
    t->state = WEIR_STATE_FINISHED;
    tasks->open--;
    weir__tasks_give_back_locks(tasks, (weir_task_id)event->subject);
    weir__tasks_note_over(tasks, (weir_task_id)event->subject);
    if (t->work) {
        weir_free(t->work->member_done);
        t->work->member_done = NULL;
    }
    if (!event->data) return;
    work *w = work_of(tasks, t);
    weir_outcome_deinit(&w->outcome);
    w->outcome = weir_outcome_from_value(event->data);
}

void weir_tasks_apply(weir_tasks *tasks, const weir_event *event) {
    tasks->now_us = event->time_us;
    if (event->type == WEIR_RUN_CREATED) {
        tasks->memo_off = weir_str_is(weir_member_text(event->data, "cache"), "off");
        weir__tasks_set_mode(tasks, event->data, event->time_us);
        weir__tasks_set_scheduler(tasks, event->data);
    }
    if (event->type == WEIR_RUN_SUSPENDED) {
        tasks->suspended = true;
        weir_budget_renounce(tasks->budget, tasks);
    }
    if (event->type == WEIR_RUN_RESUMED || event->type == WEIR_RUN_CANCELLED)
        tasks->suspended = false;
    if (!weir_event_has_task(event->type)) return;
    weir_task_id id = (weir_task_id)event->subject;
    task *t = get(tasks, id);
    t->last_context = event->id.context;
    t->last_sequence = event->id.sequence;
    switch (event->type) {
    case WEIR_ATTEMPT_SCHEDULED:
        weir__tasks_claim_locks(tasks, id);
        begin_attempt(tasks, id, event);
        break;
    case WEIR_ATTEMPT_READY: weir__tasks_note_ready(tasks, id); break;
    case WEIR_ATTEMPT_STOPPING: note_stopping(tasks, t, event->data); break;
    case WEIR_ATTEMPT_FINISHED: end_member(tasks, id, event); break;
    case WEIR_ATTEMPT_LOST: lose_attempt(tasks, id); break;
    case WEIR_TASK_RETRIED: wait_for_retry(tasks, id, event); break;
    case WEIR_TASK_FINISHED: finish(tasks, t, event); break;
    case WEIR_MEMO_FOUND: take_found(tasks, id, event->data); break;
    case WEIR_MEMO_MISSED: take_missed(tasks, id, event->data); break;
    default: break;
    }
}

static bool fits_state(const weir_tasks *tasks, const task *t, const weir_event *event) {
    bool waits = t->state == WEIR_STATE_READY || t->state == WEIR_STATE_BACKOFF;
    bool current = under_way(t) && event->number == t->number;
    uint32_t member = member_of(event->data);
    const work *w = look(t);
    switch (event->type) {
    case WEIR_ATTEMPT_SCHEDULED:
        return waits && event->number == t->number + 1 && weir__tasks_could_have_locks(tasks, t);
    case WEIR_ATTEMPT_FINISHED:
        return current && member < members_of(t->spec) &&
               !(w->member_done && w->member_done[member]);
    case WEIR_TASK_RETRIED: return t->state == WEIR_STATE_JUDGED;
    case WEIR_TASK_RECALLED:
        return t->state == WEIR_STATE_READY && !t->number && weir__tasks_could_have_locks(tasks, t);
    case WEIR_TASK_FINISHED: return t->state == WEIR_STATE_JUDGED || waits;
    default: return current;
    }
}

bool weir_tasks_fits(const weir_tasks *tasks, const weir_event *event) {
    if (!weir_event_has_task(event->type)) return true;
    if (event->subject >= tasks->tasks.count) return false;
    const task *t = see(tasks, (weir_task_id)event->subject);
    if (event->id.context != t->context) return false;
    bool memo = event->type == WEIR_MEMO_FOUND || event->type == WEIR_MEMO_MISSED;
    return memo ? fits_memo(tasks, event) : fits_state(tasks, t, event);
}

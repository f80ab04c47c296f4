/* What follows for tasks from their state and the time: attempts that begin, end or are made again. */
#include "base/time.h"
#include "task/layer_internal.h"

void weir__tasks_decide_one(weir_tasks *tasks, weir_task_id id, weir_event_type type,
                            uint32_t number, weir_value *data, weir_decisions *decisions) {
    const task *t = see(tasks, id);
    weir_event_id prev = last_of(t);
    tasks->decided++;
    weir_decide(decisions, type, t->context, id, number, data, &prev, 1);
}

static uint64_t backoff_us(const weir_task_spec *spec, uint32_t failures) {
    double factor = spec->backoff_factor < 1 ? 1 : spec->backoff_factor;
    double wait = (double)spec->backoff_us;
    double max = spec->backoff_max_us ? (double)spec->backoff_max_us : 86400e6;
    for (uint32_t i = 1; i < failures && wait < max && factor > 1; i++) wait *= factor;
    return (uint64_t)(wait < max ? wait : max);
}

static void decide_judged(weir_tasks *tasks, weir_task_id id, weir_decisions *decisions) {
    const task *t = get(tasks, id);
    const work *w = look(t);
    uint32_t tries = t->spec->attempts_max ? t->spec->attempts_max : 1;
    if (w->outcome.kind == WEIR_OUTCOME_SUCCEEDED || w->unwanted || w->failures >= tries) {
        weir__tasks_decide_one(tasks, id, WEIR_TASK_FINISHED, t->found, NULL, decisions);
        return;
    }
    weir_value *data = weir_object_new();
    uint64_t due = decisions->now_us + backoff_us(t->spec, w->failures);
    weir_member_put(data, "due_us", weir_int_new((int64_t)due));
    weir__tasks_decide_one(tasks, id, WEIR_TASK_RETRIED, w->failures, data, decisions);
}

static void decide_stopping(weir_tasks *tasks, weir_task_id id, const char *reason, weir_stop how,
                            weir_decisions *decisions) {
    weir_value *data = weir_object_new();
    weir_member_put_text(data, "why", weir_str_from(reason));
    weir_member_put(data, "how", weir_int_new(how));
    weir__tasks_decide_one(tasks, id, WEIR_ATTEMPT_STOPPING, get(tasks, id)->number, data,
                           decisions);
}

static void decide_stop(weir_tasks *tasks, weir_task_id id, weir_decisions *decisions) {
    const task *t = see(tasks, id);
    const work *w = look(t);
    if (!w->stop_wanted) return;
    if (under_way(t)) {
        bool drain = w->stop_how == WEIR_STOP_DRAIN && t->spec->kind == WEIR_TASK_SERVICE;
        decide_stopping(tasks, id, drain ? "drained" : "cancelled", w->stop_how, decisions);
    } else if (t->state == WEIR_STATE_READY || t->state == WEIR_STATE_BACKOFF) {
        weir_outcome outcome = weir_outcome_failed(WEIR_OUTCOME_CANCELLED, "cancelled",
                                                   "was cancelled before it began");
        weir__tasks_decide_one(tasks, id, WEIR_TASK_FINISHED, 0, weir_outcome_to_value(&outcome),
                               decisions);
        weir_outcome_deinit(&outcome);
    }
}

static void decide_due(weir_tasks *tasks, weir_decisions *decisions) {
    const weir_moment *first;
    while ((first = weir_heap_first(&tasks->due)) && first->due_us <= decisions->now_us) {
        weir_moment moment = weir_heap_take(&tasks->due);
        weir_task_id id = (weir_task_id)moment.item;
        const task *t = see(tasks, id);
        const work *w = look(t);
        if (under_way(t) && w->held) /* until it begins, and sets both anew */
            add_due(tasks,
                    decisions->now_us + (w->due_us ? t->spec->timeout_us : t->spec->heartbeat_us),
                    id);
        else if (t->state == WEIR_STATE_BACKOFF && w->due_us == moment.due_us) {
            put_ready(tasks, id);
        } else if (t->state == WEIR_STATE_RUNNING && w->due_us == moment.due_us) {
            decide_stopping(tasks, id, "expired", WEIR_STOP_TERM, decisions);
        } else if (under_way(t) && w->silent_us && w->silent_us <= moment.due_us) {
            weir_value *data = weir_object_new();
            weir_member_put_text(data, "reason", WEIR_STR("no sign of life"));
            weir__tasks_decide_one(tasks, id, WEIR_ATTEMPT_LOST, t->number, data, decisions);
        } else if (under_way(t) && w->silent_us > moment.due_us) {
            add_due(tasks, w->silent_us, id); /* a heartbeat came since */
        }
    }
}

bool weir__tasks_decide_recall(weir_tasks *tasks, weir_task_id id, weir_decisions *decisions) {
    const task *t = get(tasks, id);
    uint32_t kept;
    weir_value *data = NULL;
    if (!tasks->recall || !t->spec->executor.length || t->number || t->state != WEIR_STATE_READY ||
        look(t)->unwanted || !tasks->recall(tasks->recall_arg, id, &kept, &data))
        return false;
    weir__tasks_decide_one(tasks, id, WEIR_TASK_RECALLED, kept, data, decisions);
    return true;
}

/* What a restart kept is taken before anything is looked for. */
static void decide_recalls(weir_tasks *tasks, weir_decisions *decisions) {
    uint64_t id;
    for (size_t n = tasks->recall ? tasks->sought.count : 0; n; n--) {
        if (!weir_queue_take(&tasks->sought, &id)) return;
        if (weir_tasks_seeks(tasks, (weir_task_id)id) &&
            !weir__tasks_decide_recall(tasks, (weir_task_id)id, decisions))
            weir_queue_put(&tasks->sought, id);
    }
}

void weir_tasks_decide(weir_tasks *tasks, weir_decisions *decisions) {
    uint64_t id, before = tasks->decided;
    while (weir_queue_take(&tasks->judged, &id))
        if (see(tasks, (weir_task_id)id)->state == WEIR_STATE_JUDGED)
            decide_judged(tasks, (weir_task_id)id, decisions);
    while (weir_queue_take(&tasks->stops, &id)) decide_stop(tasks, (weir_task_id)id, decisions);
    decide_due(tasks, decisions);
    if (tasks->suspended) return;
    decide_recalls(tasks, decisions);
    /* What these decisions lead to may be first in order: the coordinator looks at them before any of them begins. */
    if (tasks->orders && tasks->decided != before) return;
    weir__tasks_begin_ready(tasks, decisions);
}

uint64_t weir_tasks_due_us(const weir_tasks *tasks) {
    const weir_moment *first = weir_heap_first(&tasks->due);
    uint64_t tick_us = weir__tasks_tick_due_us(tasks);
    return first && first->due_us < tick_us ? first->due_us : tick_us;
}

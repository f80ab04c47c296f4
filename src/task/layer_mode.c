/* Which ready tasks begin, and when: at once, one at a time in a fixed order, or at ticks. */
#include "task/layer_internal.h"

void weir__tasks_set_mode(weir_tasks *tasks, const weir_value *request, uint64_t now_us) {
    weir_str mode = weir_member_text(request, "mode");
    uint64_t tick_us = weir_member_count(request, "tick_us");
    if (weir_str_is(mode, "sync")) tasks->mode = WEIR_MODE_SYNC;
    if (weir_str_is(mode, "scheduled")) tasks->mode = WEIR_MODE_SCHEDULED;
    if (tasks->mode != WEIR_MODE_SCHEDULED) return;
    tasks->tick_us = tick_us < WEIR_TICK_MIN_US ? WEIR_TICK_US : tick_us;
    tasks->tick_origin_us = now_us;
}

bool weir__tasks_is_waiting(const weir_tasks *tasks, weir_task_id id, uint64_t now_us) {
    const task *t = see(tasks, id);
    return t->state == WEIR_STATE_READY ||
           (t->state == WEIR_STATE_BACKOFF && look(t)->due_us <= now_us);
}

static void begin(weir_tasks *tasks, weir_task_id id, weir_decisions *decisions) {
    weir__tasks_decide_one(tasks, id, WEIR_ATTEMPT_SCHEDULED, see(tasks, id)->number + 1, NULL,
                           decisions);
}

static void begin_queued(weir_tasks *tasks, weir_queue *ready, weir_decisions *decisions) {
    uint64_t item;
    while (weir_queue_first(ready, &item)) {
        weir_task_id id = (weir_task_id)item;
        const task *t = see(tasks, id);
        bool wait = weir__tasks_is_waiting(tasks, id, decisions->now_us);
        if (wait && weir__tasks_decide_recall(tasks, id, decisions)) continue;
        if (wait && weir__tasks_lack_service(tasks, id)) {
            weir_queue_take(ready, &item);
            weir_queue_put(&tasks->waiting, id);
            continue;
        }
        if (wait && t->spec && t->spec->slot && !weir__tasks_have_slots(tasks, t->spec)) return;
        weir_queue_take(ready, &item);
        if (wait) begin(tasks, id, decisions);
    }
}

/* The one whose turn it is may be known from a cache: until somebody has looked, nobody else begins. */
static void begin_in_order(weir_tasks *tasks, weir_decisions *decisions) {
    while (!tasks->busy && tasks->ordered.count) {
        weir_moment first = weir_heap_take(&tasks->ordered);
        weir_task_id id = (weir_task_id)first.item;
        if (!weir__tasks_is_waiting(tasks, id, decisions->now_us) ||
            weir__tasks_decide_recall(tasks, id, decisions))
            continue;
        if (!weir_tasks_seeks(tasks, id)) {
            begin(tasks, id, decisions);
            continue;
        }
        weir_heap_add(&tasks->ordered, first);
        if (tasks->asked != id) put_hint(tasks, &tasks->sought, id);
        tasks->asked = id;
        return;
    }
}

/* Ticks are counted from when the run was created; the first that begin need not wait for one. What becomes ready at a tick, after the
 * others began, waits for the next. */
static bool is_tick(weir_tasks *tasks, uint64_t now_us) {
    if (!tasks->ready.count && !tasks->ready_slot.count && !tasks->order.count) {
        tasks->tick_at_us = UINT64_MAX;
        return false;
    }
    if (tasks->tick_at_us == UINT64_MAX) {
        uint64_t passed = now_us - tasks->tick_origin_us;
        bool between = tasks->tick_last_us && passed % tasks->tick_us > 0;
        tasks->tick_at_us =
            tasks->tick_origin_us + (passed / tasks->tick_us + between) * tasks->tick_us;
        if (tasks->tick_at_us <= tasks->tick_last_us)
            tasks->tick_at_us = tasks->tick_last_us + tasks->tick_us;
    }
    if (now_us < tasks->tick_at_us) return false;
    tasks->tick_last_us = tasks->tick_at_us;
    tasks->tick_at_us = UINT64_MAX;
    return true;
}

void weir__tasks_begin_ready(weir_tasks *tasks, weir_decisions *decisions) {
    if (tasks->mode == WEIR_MODE_SYNC) {
        begin_in_order(tasks, decisions);
        return;
    }
    bool ticks = tasks->mode == WEIR_MODE_SCHEDULED;
    weir__tasks_measure(tasks);
    if (ticks && !is_tick(tasks, decisions->now_us)) return;
    begin_queued(tasks, &tasks->ready, decisions);
    begin_queued(tasks, &tasks->ready_slot, decisions);
    if (!tasks->ready_slot.count) weir__tasks_begin_in_order(tasks, decisions);
    if (ticks) (void)is_tick(tasks, decisions->now_us); /* for those that found no slot */
}

uint64_t weir__tasks_tick_due_us(const weir_tasks *tasks) {
    bool ticks = tasks->mode == WEIR_MODE_SCHEDULED && !tasks->suspended;
    return ticks ? tasks->tick_at_us : UINT64_MAX;
}

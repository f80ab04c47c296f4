/* Locks of tasks: who has them, and who is next. */
#include "task/layer_internal.h"

static void note(weir_tasks *tasks, uint32_t number, weir_task_id id, weir_lock_state state) {
    if (!tasks->noting) return;
    *weir_vector_push(&tasks->lock_notes) = (weir_lock_note){number, id, state};
}

static uint32_t number_of(const weir_tasks *tasks, const lock *l) {
    return (uint32_t)(l - tasks->locks.items);
}

void weir_tasks_note_locks(weir_tasks *tasks) {
    tasks->noting = true;
}

bool weir_tasks_take_lock_note(weir_tasks *tasks, weir_lock_note *out) {
    if (tasks->lock_notes_at == tasks->lock_notes.count) {
        tasks->lock_notes_at = tasks->lock_notes.count = 0;
        return false;
    }
    *out = tasks->lock_notes.items[tasks->lock_notes_at++];
    return true;
}

static void note_first(weir_tasks *tasks, const lock *l, weir_lock_state state) {
    uint64_t first;
    if (weir_queue_first(&l->tasks, &first))
        note(tasks, number_of(tasks, l), (weir_task_id)first, state);
}

static work *first_work(const weir_tasks *tasks, const lock *l) {
    uint64_t first;
    return weir_queue_first(&l->tasks, &first) ? see(tasks, (weir_task_id)first)->work : NULL;
}

static bool is_held(const weir_tasks *tasks, const lock *l) {
    const work *first = first_work(tasks, l);
    return first && !l->open && !first->locks_missing;
}

static void put_first_of_lock(weir_tasks *tasks, lock *l, weir_task_id id) {
    work *first = first_work(tasks, l);
    if (first && !l->open) first->locks_missing++;
    l->open = false;
    note_first(tasks, l, WEIR_LOCK_WANTED);
    weir_queue_put_first(&l->tasks, id);
    note(tasks, number_of(tasks, l), id, WEIR_LOCK_HELD);
}

/* A guest has all its locks or none: so it waits for tasks that are under way, and never for one that waits itself. Which
 * may wait for the task that the guest is part of. */
static bool admit_guest(weir_tasks *tasks, weir_task_id id) {
    work *w = get(tasks, id)->work;
    for (uint32_t i = 0; i < w->lock_count; i++) {
        lock *l = &tasks->locks.items[w->locks[i]];
        if (!is_held(tasks, l)) continue;
        weir_queue_put(&l->guests, id);
        for (uint32_t k = 0; k < w->lock_count; k++) note(tasks, w->locks[k], id, WEIR_LOCK_WANTED);
        return false;
    }
    for (uint32_t i = 0; i < w->lock_count; i++)
        put_first_of_lock(tasks, &tasks->locks.items[w->locks[i]], id);
    w->locks_missing = 0;
    return true;
}

bool weir__tasks_could_have_locks(const weir_tasks *tasks, const task *t) {
    const work *w = look(t);
    for (uint32_t i = 0; w->locks_missing && i < w->lock_count; i++) {
        const lock *l = &tasks->locks.items[w->locks[i]];
        uint64_t first;
        if (!is_held(tasks, l) || !weir_queue_first(&l->tasks, &first)) continue;
        const task *holder = see(tasks, (weir_task_id)first);
        if (holder != t && (holder->number || holder->looked)) return false;
    }
    return true;
}

/* What a queue still has of it further back is passed over when it is finished. */
void weir__tasks_claim_locks(weir_tasks *tasks, weir_task_id id) {
    work *w = get(tasks, id)->work;
    if (!w || !w->locks_missing) return;
    for (uint32_t i = 0; i < w->lock_count; i++) {
        lock *l = &tasks->locks.items[w->locks[i]];
        uint64_t first;
        bool is_first = weir_queue_first(&l->tasks, &first) && first == id;
        if (!is_first) put_first_of_lock(tasks, l, id);
    }
    w->locks_missing = 0;
}

void weir__tasks_want_locks(weir_tasks *tasks, weir_task_id id, const uint32_t *locks,
                            uint32_t count, bool guest) {
    if (!count) return;
    work *w = work_of(tasks, get(tasks, id));
    w->locks = weir_alloc(count * sizeof *w->locks);
    memcpy(w->locks, locks, count * sizeof *w->locks);
    w->lock_count = count;
    for (uint32_t i = 0; i < count; i++) {
        while (tasks->locks.count <= locks[i]) *weir_vector_push(&tasks->locks) = (lock){0};
        weir_queue *queue = &tasks->locks.items[locks[i]].tasks;
        if (guest) continue;
        if (queue->count) w->locks_missing++;
        note(tasks, locks[i], id, queue->count ? WEIR_LOCK_WANTED : WEIR_LOCK_HELD);
        weir_queue_put(queue, id);
    }
    if (!guest) return;
    w->locks_missing = 1;
    (void)admit_guest(tasks, id);
}

/* Who is next: a guest, or the oldest that waits. */
static void pass_lock_on(weir_tasks *tasks, lock *l) {
    uint64_t next;
    l->open = true;
    while (l->open && weir_queue_take(&l->guests, &next)) {
        weir_task_id guest = (weir_task_id)next;
        bool wants = see(tasks, guest)->state != WEIR_STATE_FINISHED;
        if (wants && admit_guest(tasks, guest)) put_ready(tasks, guest);
    }
    if (!l->open) return;
    l->open = false;
    if (!weir_queue_first(&l->tasks, &next)) return;
    note_first(tasks, l, WEIR_LOCK_HELD);
    work *first = first_work(tasks, l); /* it has locks */
    if (--first->locks_missing == 0) put_ready(tasks, (weir_task_id)next);
}

/* A finished task that is not the first of a queue leaves it when its turn comes. */
void weir__tasks_give_back_locks(weir_tasks *tasks, weir_task_id id) {
    work *w = get(tasks, id)->work;
    uint64_t first;
    for (uint32_t i = 0; w && i < w->lock_count; i++) {
        lock *l = &tasks->locks.items[w->locks[i]];
        note(tasks, w->locks[i], id, WEIR_LOCK_GONE);
        if (!weir_queue_first(&l->tasks, &first) || first != id) continue;
        do weir_queue_take(&l->tasks, &first);
        while (weir_queue_first(&l->tasks, &first) &&
               see(tasks, (weir_task_id)first)->state == WEIR_STATE_FINISHED);
        pass_lock_on(tasks, l);
    }
    if (!w) return;
    weir_free(w->locks);
    w->locks = NULL;
    w->lock_count = 0;
}

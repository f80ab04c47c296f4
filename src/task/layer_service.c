/* What was made after a service was ready may rely on it: where its attempt is lost, with its engine or alone, or it is tried
 * again, they wait until it is ready again, or over. Nobody waits for one that was made later, so none wait for each other. */
#include "task/layer_internal.h"

static bool is_service(const task *t) {
    const weir_task_spec *spec = t->spec;
    weir_assert(spec);
    return spec->kind == WEIR_TASK_SERVICE;
}

static void take_back(weir_tasks *tasks, weir_task_id service) {
    size_t left = 0;
    for (size_t i = 0; i < tasks->away.count; i++)
        if (tasks->away.items[i] != service) tasks->away.items[left++] = tasks->away.items[i];
    if (left == tasks->away.count) return;
    tasks->away.count = left;
    uint64_t id;
    while (weir_queue_take(&tasks->waiting, &id)) put_ready(tasks, (weir_task_id)id);
}

void weir__tasks_note_ready(weir_tasks *tasks, weir_task_id service) {
    task *t = get(tasks, service);
    if (!is_service(t)) return;
    work *w = work_of(tasks, t);
    if (!w->ready_before) w->ready_before = (uint32_t)tasks->tasks.count;
    take_back(tasks, service);
}

void weir__tasks_note_away(weir_tasks *tasks, weir_task_id service) {
    if (!look(see(tasks, service))->ready_before) return;
    take_back(tasks, service);
    *weir_vector_push(&tasks->away) = service;
}

void weir__tasks_note_over(weir_tasks *tasks, weir_task_id service) {
    if (tasks->away.count && is_service(see(tasks, service))) take_back(tasks, service);
}

bool weir__tasks_lack_service(const weir_tasks *tasks, weir_task_id id) {
    for (size_t i = 0; i < tasks->away.count; i++) {
        weir_task_id service = tasks->away.items[i];
        if (id >= look(see(tasks, service))->ready_before &&
            (!tasks->relies || tasks->relies(tasks->relies_arg, id, service)))
            return true;
    }
    return false;
}

void weir_tasks_rely(weir_tasks *tasks,
                     bool (*relies)(void *arg, weir_task_id id, weir_task_id service), void *arg) {
    tasks->relies = relies;
    tasks->relies_arg = arg;
}

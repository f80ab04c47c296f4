/* What of a run waits for room, for who looks at it. */
#include "engine/engine_internal.h"

enum { SHOWN_MAX = 100 };

typedef struct listing {
    const weir_run *run;
    weir_value *list; /* in the order of the scheduler */
    uint64_t now_us, more;
} listing;

static weir_value *path_of(const weir_run *run, weir_task_id task) {
    const weir_coordinator *coordinator = weir_machine_coordinator(run->machine);
    return coordinator->class->locate ? coordinator->class->locate(coordinator, task)
                                      : weir_array_new();
}

/* As people name it: a node of a workflow as it is shown, an operation with its contexts but for the one that nobody named. */
static void put_name(const weir_run *run, weir_value *object, const char *key,
                     const weir_value *path) {
    bool workflow = strcmp(run->plan->kind, "workflow") == 0;
    size_t count = weir_value_count(path), first = 0;
    weir_buffer text = {0};
    if (workflow) {
        first = count > 1;
        count = first + (count > first);
    } else if (count > 1 && weir_str_is(weir_string_get(weir_array_at(path, 0)), "default")) {
        first = 1;
    }
    for (size_t i = first; i < count; i++)
        weir_buffer_printf(&text, "%s%.*s", i > first ? "/" : "",
                           WEIR_ARG(weir_string_get(weir_array_at(path, i))));
    weir_member_put_text(object, key, weir_buffer_str(&text));
    weir_buffer_deinit(&text);
}

static void put_amount(weir_value *object, const char *name, uint64_t amount) {
    weir_member_put(object, name, weir_int_new(amount < INT64_MAX ? (int64_t)amount : INT64_MAX));
}

/* Of what is lacking: {wants, free, limit}. */
static void put_lack(weir_value *object, const weir_waiting *waiting) {
    const weir_share *const shares[] = {&waiting->wants, &waiting->free, &waiting->limit};
    static const char *const names[] = {"wants", "free", "limit"};
    for (size_t i = 0; i < 3; i++) {
        if (waiting->lacks == WEIR_LACKS_MEMORY)
            put_amount(object, names[i], shares[i]->memory_bytes);
        else if (waiting->lacks == WEIR_LACKS_CPU)
            put_amount(object, names[i], shares[i]->cpu_milli);
        else if (waiting->lacks == WEIR_LACKS_PROCESSES)
            put_amount(object, names[i], shares[i]->processes);
    }
    if (waiting->lacks == WEIR_LACKS_SLOTS) put_amount(object, "limit", waiting->slots);
}

static void add_waiting(void *arg, weir_task_id task, const weir_waiting *waiting) {
    listing *l = arg;
    if (!waiting->lacks) return; /* it begins in a moment */
    if (weir_value_count(l->list) == SHOWN_MAX) {
        l->more++;
        return;
    }
    weir_value *entry = weir_object_new();
    put_amount(entry, "task", task);
    weir_value *path = path_of(l->run, task);
    put_name(l->run, entry, "name", path);
    weir_member_put(entry, "path", path);
    weir_member_put_text(entry, "for", weir_str_from(weir_lack_text(waiting->lacks)));
    put_lack(entry, waiting);
    if (waiting->behind != WEIR_NO_TASK) {
        path = path_of(l->run, waiting->behind);
        put_name(l->run, entry, "behind", path);
        weir_value_unref(path);
    } else if (waiting->begins_us != UINT64_MAX) {
        put_amount(entry, "begins_in_us",
                   waiting->begins_us > l->now_us ? waiting->begins_us - l->now_us : 0);
    }
    weir_array_append(l->list, entry);
}

void weir__limits_put_waiting(const weir_run *run, weir_value *status) {
    listing l = {.run = run, .list = weir_array_new(), .now_us = weir__now_us(run->engine)};
    const weir_value *request = weir_machine_request(run->machine);
    weir_scheduler scheduler = weir_scheduler_wanted(request);
    weir_tasks_each_waiting(weir_machine_tasks(run->machine), l.now_us, add_waiting, &l);
    if (!weir_value_count(l.list)) {
        weir_value_unref(l.list);
        return;
    }
    if (scheduler != WEIR_SCHEDULER_FIFO)
        weir_member_put_text(status, "scheduler", weir_str_from(weir_scheduler_text(scheduler)));
    weir_member_put(status, "waiting", l.list);
    if (l.more) put_amount(status, "waiting_more", l.more);
}

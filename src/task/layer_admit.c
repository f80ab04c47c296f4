/* Which of the ready tasks begin where they want more than a slot, or a scheduler orders them.
 *
 * The next in order begins when there is room for it. While there is not, others may begin instead that do not delay it ("backfilling",
 * Lifka, The ANL/IBM SP scheduling system, 1995): attempts under way are expected to have ended at certain times, so it is known when there will be
 * room for the next, and how much is left then beside it. What ends before that moment, or fits into what is left, passes. Where nobody knows how long
 * attempts take, a few may pass, and then none until the next has begun. Where a scheduler could have one wait for ever, now and then the one
 * that waits for longest is the next. */
#include "task/layer_internal.h"

enum { AGED_EVERY = 64 /* of those that begin, one is the oldest */ };

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

const char *weir_lack_text(weir_lack lack) {
    static const char *const texts[] = {"", "slots", "processes", "cpu", "memory"};
    return texts[lack];
}

weir_scheduler weir_scheduler_wanted(const weir_value *request) {
    weir_scheduler said = weir_scheduler_find(weir_member_text(request, "scheduler"));
    weir_str optimize = weir_member_text(request, "optimize");
    if (said < WEIR_SCHEDULERS) return said;
    if (!optimize.length) return WEIR_SCHEDULER_FIFO;
    return weir_str_is(optimize, "memory") ? WEIR_SCHEDULER_MEMORY : WEIR_SCHEDULER_CRITICAL_PATH;
}

void weir__tasks_set_scheduler(weir_tasks *tasks, const weir_value *request) {
    weir_scheduler scheduler = weir_scheduler_wanted(request);
    weir_str optimize = weir_member_text(request, "optimize");
    const weir_value *limits = weir_member_named(request, "limits");
    if (limits && tasks->budget == &tasks->own_budget)
        tasks->own_budget.limit =
            (weir_share){weir_member_count(limits, "memory"),
                         (uint32_t)least(weir_member_count(limits, "cpu_milli"), UINT32_MAX),
                         (uint32_t)least(weir_member_count(limits, "processes"), UINT32_MAX)};
    if (weir_str_is(optimize, "memory")) tasks->optimum = WEIR_OPTIMIZE_MEMORY;
    if (weir_str_is(optimize, "energy")) tasks->optimum = WEIR_OPTIMIZE_ENERGY;
    if (scheduler == tasks->order.scheduler || tasks->order.count) return;
    weir_ready_deinit(&tasks->order);
    weir_ready_init(&tasks->order, scheduler);
    tasks->scheduler = scheduler;
    tasks->orders = scheduler != WEIR_SCHEDULER_FIFO;
}

/* --- what a task wants ------------------------------------------------------------------------ */

static uint32_t slots_of(const weir_tasks *tasks, const weir_task_spec *spec) {
    uint32_t most = tasks->limits.attempts, members = members_of(spec);
    if (!spec->slot) return 0;
    return most && members > most ? most : members;
}

bool weir__tasks_have_slots(const weir_tasks *tasks, const weir_task_spec *spec) {
    uint32_t most = tasks->limits.attempts,
             ahead = weir_task_may_wait(spec) ? tasks->limits.ahead : 0;
    return !most || tasks->slots_used + slots_of(tasks, spec) <= most + ahead;
}

static weir_share share_of(const weir_wants *wants) {
    return (weir_share){wants->memory_bytes, wants->cpu_milli, wants->processes};
}

/* What only waits for others, or is there for them, holds nothing: they may want all there is. */
static bool holds(const weir_task_spec *spec) {
    return spec->kind == WEIR_TASK_WORK && !weir_str_is(spec->executor, "run");
}

static weir_wants wants_of(const weir_tasks *tasks, weir_task_id id) {
    const task *t = see(tasks, id);
    const weir_task_spec *spec = t->spec;
    weir_assert(spec);
    weir_wants wants = {.slots = slots_of(tasks, spec), .priority = spec->priority};
    if (!holds(spec)) return wants;
    wants.memory_bytes = spec->resources.memory_bytes;
    wants.cpu_milli = spec->resources.cpu_milli;
    wants.processes = weir_task_leaves(spec) ? members_of(spec) : 0;
    if (!wants.memory_bytes) wants.memory_bytes = spec->estimate.memory_bytes;
    wants.wall_us = spec->estimate.wall_us;
    wants.wall_high_us = spec->estimate.wall_high_us;
    if (tasks->limits.wants) tasks->limits.wants(tasks->limits.wants_arg, id, spec, &wants);
    if (look(t)->memory_seen > wants.memory_bytes) wants.memory_bytes = look(t)->memory_seen;
    weir_share share = share_of(&wants);
    share = weir_budget_cut(tasks->budget, &share);
    wants.memory_bytes = share.memory_bytes;
    wants.cpu_milli = share.cpu_milli;
    wants.processes = share.processes;
    return wants;
}

void weir__tasks_learn(weir_tasks *tasks, weir_task_id id) {
    work *w = work_of(tasks, get(tasks, id));
    const weir_value *failure = w->outcome.failure;
    if (w->outcome.kind == WEIR_OUTCOME_SUCCEEDED) return;
    uint64_t took = weir_member_count(w->outcome.usage, "memory_peak_bytes");
    const weir_value *killed = weir_member_named(failure, "out_of_memory");
    if (killed && weir_value_truth(killed) && w->share.memory_bytes < UINT64_MAX / 2)
        took = took > 2 * w->share.memory_bytes ? took : 2 * w->share.memory_bytes;
    if (took > w->memory_seen) w->memory_seen = took;
}

/* Tasks of one operation in one context are a group. */
static uint64_t group_of(const task *t) {
    return weir_hash(t->spec->name.data, t->spec->name.length) + t->context * 0x9e3779b97f4a7c15u;
}

static void add_in_order(weir_tasks *tasks, weir_task_id id, const weir_wants *wants) {
    if (wants->memory_bytes > tasks->memory_most) tasks->memory_most = wants->memory_bytes;
    weir_ready_add(&tasks->order, id, wants, group_of(see(tasks, id)), tasks->now_us);
}

/* One is there to which the order in which they came does not do justice: those that wait so far are put in order, too. */
static void begin_to_order(weir_tasks *tasks) {
    uint64_t id;
    tasks->orders = true;
    while (weir_queue_take(&tasks->ready_slot, &id)) {
        if (!weir__tasks_is_waiting(tasks, (weir_task_id)id, UINT64_MAX)) continue;
        weir_wants wants = wants_of(tasks, (weir_task_id)id);
        add_in_order(tasks, (weir_task_id)id, &wants);
    }
}

static void put_measured(weir_tasks *tasks, weir_task_id id) {
    const task *t = see(tasks, id);
    const weir_task_spec *spec = t->spec;
    if (tasks->follows) return;
    weir_assert(spec);
    weir_wants wants = wants_of(tasks, id);
    weir_share share = share_of(&wants);
    if (!tasks->orders && (wants.priority || weir_budget_counts(tasks->budget, &share)))
        begin_to_order(tasks);
    if (!tasks->orders || (!spec->slot && !share.memory_bytes && !share.cpu_milli)) {
        weir_queue_put(spec->slot ? &tasks->ready_slot : &tasks->ready, id);
        return;
    }
    add_in_order(tasks, id, &wants);
}

/* What is asked, or written in its config, only its coordinator knows, who has just begun to know the task. */
void weir__tasks_put_in_order(weir_tasks *tasks, weir_task_id id) {
    const weir_task_spec *spec = see(tasks, id)->spec;
    weir_assert(spec);
    if (spec->resources.by_tags || tasks->limits.wants)
        put_hint(tasks, &tasks->unmeasured, id);
    else
        put_measured(tasks, id);
}

void weir__tasks_measure(weir_tasks *tasks) {
    uint64_t id;
    while (weir_queue_take(&tasks->unmeasured, &id))
        if (see(tasks, (weir_task_id)id)->state == WEIR_STATE_READY ||
            see(tasks, (weir_task_id)id)->state == WEIR_STATE_BACKOFF)
            put_measured(tasks, (weir_task_id)id);
}

/* --- what attempts take ----------------------------------------------------------------------- */

/* How often it was passed by is known after a replay, too. */
static void note_passed(weir_tasks *tasks, weir_task_id first) {
    if (tasks->first.task != first) tasks->first = (weir__first){.task = first};
    tasks->first.passed++;
}

void weir__tasks_take_share(weir_tasks *tasks, weir_task_id id, const weir_event *event) {
    const weir_value *data = event->data;
    if (tasks->first.task == id)
        tasks->first = (weir__first){.task = WEIR_NO_TASK, .lacks = tasks->first.lacks};
    if (!data && !tasks->orders) return;
    const weir_task_spec *spec = see(tasks, id)->spec;
    weir_assert(spec);
    work *w = work_of(tasks, get(tasks, id));
    uint64_t cpu = weir_member_count(data, "cpu_milli"),
             processes = weir_member_count(data, "processes"),
             end_us = weir_member_count(data, "end_us");
    w->share = (weir_share){weir_member_count(data, "memory"), (uint32_t)least(cpu, UINT32_MAX),
                            (uint32_t)least(processes, UINT32_MAX)};
    w->end_us = end_us ? end_us : UINT64_MAX;
    w->counted = true;
    if (weir_member_named(data, "passes"))
        note_passed(tasks, (weir_task_id)least(weir_member_count(data, "passes"), WEIR_NO_TASK));
    weir_running running = {tasks, id, slots_of(tasks, spec), w->share, w->end_us};
    weir_budget_take(tasks->budget, &running);
}

void weir__tasks_give_share(weir_tasks *tasks, weir_task_id id) {
    work *w = see(tasks, id)->work;
    if (!w || !w->counted) return;
    w->counted = false;
    weir_budget_give_back(tasks->budget, tasks, id, w->end_us);
}

/* --- room ------------------------------------------------------------------------------------- */

typedef struct room {
    const weir_tasks *tasks;
    uint64_t memory_bytes; /* for all; 0: any */
    uint32_t attempts;     /* at once; 0: any */
    uint64_t now_us;
    /* While one waits: when there will be room for it (UINT64_MAX: nobody knows), and what is left beside it then. */
    bool guarded;
    uint64_t begins_us, memory_left;
    uint64_t cpu_left, processes_left, slots_left;
} room;

static uint64_t most_at_once(const weir_tasks *tasks) {
    uint64_t all = weir_budget_memory(tasks->budget);
    if (tasks->optimum == WEIR_OPTIMIZE_MEMORY && tasks->memory_most)
        all = least(all, tasks->memory_most);
    return all == UINT64_MAX ? 0 : all;
}

static room room_of(const weir_tasks *tasks, uint64_t now_us) {
    return (room){.tasks = tasks,
                  .memory_bytes = most_at_once(tasks),
                  .attempts = tasks->limits.attempts,
                  .now_us = now_us};
}

static bool has_slots(const room *r, uint32_t used, uint32_t slots) {
    return !r->attempts || !slots || used + slots <= r->attempts;
}

/* What is missing, when so much is used. */
static weir_lack lack_of(const room *r, const weir_share *used, uint32_t slots_used,
                         const weir_share *share, uint32_t slots) {
    const weir_budget *budget = r->tasks->budget;
    weir_share only = {.processes = share->processes};
    if (!has_slots(r, slots_used, slots)) return WEIR_LACKS_SLOTS;
    if (!weir_budget_fits(budget, used, &only, r->memory_bytes)) return WEIR_LACKS_PROCESSES;
    only.cpu_milli = share->cpu_milli;
    if (!weir_budget_fits(budget, used, &only, r->memory_bytes)) return WEIR_LACKS_CPU;
    return weir_budget_fits(budget, used, share, r->memory_bytes) ? WEIR_LACKS_NOTHING
                                                                  : WEIR_LACKS_MEMORY;
}

static weir_share share_of_node(const weir_ready_node *node) {
    return (weir_share){node->memory_bytes, node->cpu_milli, node->processes};
}

static weir_lack lack_of_node(const room *r, const weir_ready_node *node) {
    weir_share share = share_of_node(node);
    uint32_t ahead = share.memory_bytes || share.cpu_milli ||
                             !weir_task_may_wait(see(r->tasks, node->task)->spec)
                         ? 0
                         : r->tasks->limits.ahead;
    uint32_t used = r->tasks->slots_used;
    if (weir_budget_bars(r->tasks->budget, r->tasks, r->tasks->limits.priority, &share))
        return WEIR_LACKS_MEMORY;
    return lack_of(r, &r->tasks->budget->used, used > ahead ? used - ahead : 0, &share,
                   node->slots);
}

static uint64_t left(uint64_t limit, uint64_t used, uint64_t wanted) {
    if (!limit) return UINT64_MAX;
    return used + wanted < limit ? limit - used - wanted : 0;
}

/* Finds out when there will be room for it. */
static void guard(room *r, const weir_share *share, uint32_t slots) {
    const weir_tasks *tasks = r->tasks;
    const weir_budget *budget = tasks->budget;
    weir_share used = budget->used;
    uint32_t slots_used = tasks->slots_used;
    r->guarded = true;
    r->begins_us = UINT64_MAX;
    for (size_t i = 0; i < budget->running.count; i++) {
        const weir_running *it = &budget->running.items[i];
        if (it->end_us == UINT64_MAX) break;
        used.memory_bytes -= it->share.memory_bytes;
        used.cpu_milli -= it->share.cpu_milli;
        used.processes -= it->share.processes;
        if (it->owner == tasks) slots_used -= (uint32_t)least(it->slots, slots_used);
        if (lack_of(r, &used, slots_used, share, slots)) continue;
        r->begins_us = it->end_us > r->now_us ? it->end_us : r->now_us;
        break;
    }
    r->memory_left = left(r->memory_bytes, used.memory_bytes, share->memory_bytes);
    r->cpu_left = left(budget->limit.cpu_milli, used.cpu_milli, share->cpu_milli);
    r->processes_left = left(budget->limit.processes, used.processes, share->processes);
    r->slots_left = left(r->attempts, slots_used, slots);
}

static bool may_pass(const void *arg, const weir_ready_node *node) {
    const room *r = arg;
    if (lack_of_node(r, node) != WEIR_LACKS_NOTHING) return false;
    if (r->begins_us == UINT64_MAX) return true;
    bool in_time = node->long_us && node->long_us <= r->begins_us - r->now_us;
    return in_time || (node->memory_bytes <= r->memory_left && node->cpu_milli <= r->cpu_left &&
                       node->processes <= r->processes_left && node->slots <= r->slots_left);
}

/* --- who begins ------------------------------------------------------------------------------- */

static uint32_t next_in_order(weir_tasks *tasks) {
    weir_ready *order = &tasks->order;
    uint32_t first = weir_ready_first(order), oldest = tasks->ages ? weir_ready_oldest(order) : 0;
    if (!oldest) return first;
    return weir_ready_at(order, oldest)->priority < weir_ready_at(order, first)->priority ? first
                                                                                          : oldest;
}

/* Whether it still can begin; else it is not in order any more, or will not be when it is looked at again. */
static bool settle(weir_tasks *tasks, uint32_t at, weir_decisions *decisions) {
    weir_task_id id = weir_ready_at(&tasks->order, at)->task;
    if (!weir__tasks_is_waiting(tasks, id, decisions->now_us)) {
        weir_ready_remove(&tasks->order, at);
        return false;
    }
    if (weir__tasks_decide_recall(tasks, id, decisions)) return false;
    if (!weir__tasks_lack_service(tasks, id)) return true;
    weir_ready_remove(&tasks->order, at);
    weir_queue_put(&tasks->waiting, id);
    return false;
}

static void note_first(weir_tasks *tasks, weir_task_id id, weir_lack lacks) {
    if (tasks->first.task != id) tasks->first = (weir__first){.task = id};
    tasks->first.lacks = lacks;
    if (lacks <= WEIR_LACKS_SLOTS) return;
    tasks->budget->lacked = true;
    weir_budget_claim(tasks->budget, tasks, tasks->limits.priority);
}

static uint32_t find_other(const weir_tasks *tasks, const room *r) {
    const weir_budget *budget = tasks->budget;
    uint64_t memory = left(r->memory_bytes, budget->used.memory_bytes, 0),
             cpu = left(budget->limit.cpu_milli, budget->used.cpu_milli, 0);
    if (!budget->used.memory_bytes && !budget->memory_bytes_others)
        memory = UINT64_MAX; /* one alone may have more */
    return weir_ready_find(&tasks->order, memory, (uint32_t)least(cpu, UINT32_MAX), may_pass, r);
}

/* The node that is to begin; 0: none, now. */
static uint32_t choose(weir_tasks *tasks, weir_decisions *decisions) {
    uint32_t at;
    while ((at = next_in_order(tasks))) {
        if (!settle(tasks, at, decisions)) continue;
        const weir_ready_node *node = weir_ready_at(&tasks->order, at);
        room r = room_of(tasks, decisions->now_us);
        weir_lack lacks = lack_of_node(&r, node);
        if (!lacks && weir_budget_promise(tasks->budget, node->memory_bytes, true)) return at;
        if (!lacks) { /* other processes have it: it is known better now what there is */
            lacks = WEIR_LACKS_MEMORY;
            r = room_of(tasks, decisions->now_us);
        }
        note_first(tasks, node->task, lacks);
        bool full = r.attempts && tasks->slots_used >= r.attempts + tasks->limits.ahead;
        if (full && !tasks->order.slotless) return 0;
        weir_share share = share_of_node(node);
        guard(&r, &share, node->slots);
        bool known = r.begins_us != UINT64_MAX;
        if (!known && tasks->first.passed >= WEIR_PASSES_MAX) return 0;
        uint32_t other = find_other(tasks, &r);
        if (!other) return 0;
        if (!settle(tasks, other, decisions)) continue;
        uint64_t memory = weir_ready_at(&tasks->order, other)->memory_bytes;
        if (!weir_budget_promise(tasks->budget, memory, false)) return 0;
        tasks->passes = !known;
        return other;
    }
    return 0;
}

/* Why it waited, for who asks later: a moment is nothing. */
static void tell_waited(const weir_tasks *tasks, const weir_ready_node *node, uint64_t now_us,
                        weir_value *data) {
    enum { MOMENT_US = 1000 };
    if (now_us < node->ready_us + MOMENT_US || !tasks->first.lacks) return;
    weir_value *waited = weir_object_new();
    bool first = tasks->first.task == node->task;
    weir_member_put(waited, "us", weir_int_new((int64_t)(now_us - node->ready_us)));
    weir_member_put_text(waited, "for", weir_str_from(weir_lack_text(tasks->first.lacks)));
    if (!first && tasks->last_begun != WEIR_NO_TASK)
        weir_member_put(waited, "behind", weir_int_new(tasks->last_begun));
    weir_member_put(data, "waited", waited);
}

/* What its event says. */
static weir_value *describe(const weir_tasks *tasks, const weir_ready_node *node, uint64_t now_us) {
    const weir_share *limit = &tasks->budget->limit;
    weir_value *data = weir_object_new();
    if (node->memory_bytes)
        weir_member_put(data, "memory",
                        weir_int_new((int64_t)least(node->memory_bytes, INT64_MAX)));
    if (node->cpu_milli && limit->cpu_milli)
        weir_member_put(data, "cpu_milli", weir_int_new(node->cpu_milli));
    if (node->processes && limit->processes)
        weir_member_put(data, "processes", weir_int_new(node->processes));
    if (node->long_us && node->long_us < INT64_MAX - now_us)
        weir_member_put(data, "end_us", weir_int_new((int64_t)(now_us + node->long_us)));
    if (tasks->passes) weir_member_put(data, "passes", weir_int_new(tasks->first.task));
    tell_waited(tasks, node, now_us, data);
    if (weir_value_count(data)) return data;
    weir_value_unref(data);
    return NULL;
}

static void begin(weir_tasks *tasks, uint32_t at, weir_decisions *decisions) {
    weir_ready_node node = *weir_ready_at(&tasks->order, at);
    weir_value *data = describe(tasks, &node, decisions->now_us);
    tasks->passes = false;
    bool oldest = tasks->ages && at == weir_ready_oldest(&tasks->order);
    weir_ready_remove(&tasks->order, at);
    tasks->turns++;
    tasks->ages = tasks->ages ? !oldest : tasks->turns % AGED_EVERY == 0;
    if (tasks->first.task == node.task) weir_budget_renounce(tasks->budget, tasks);
    weir__tasks_decide_one(tasks, node.task, WEIR_ATTEMPT_SCHEDULED,
                           see(tasks, node.task)->number + 1, data, decisions);
    tasks->last_begun = node.task;
}

void weir__tasks_begin_in_order(weir_tasks *tasks, weir_decisions *decisions) {
    uint32_t at;
    weir__vain now = {tasks->budget->changes, tasks->order.arrivals, tasks->slots_used, true};
    if (!tasks->order.count || memcmp(&now, &tasks->vain, sizeof now) == 0) return;
    while ((at = choose(tasks, decisions))) begin(tasks, at, decisions);
    if (!tasks->order.count) weir_budget_renounce(tasks->budget, tasks);
    tasks->vain =
        (weir__vain){tasks->budget->changes, tasks->order.arrivals, tasks->slots_used, true};
}

bool weir_tasks_lack(const weir_tasks *tasks) {
    return tasks->order.count && tasks->first.lacks > WEIR_LACKS_SLOTS;
}

void weir_tasks_share(weir_tasks *tasks, weir_budget *budget, int32_t priority) {
    weir_budget *before = tasks->budget;
    tasks->limits.priority = priority;
    if (before == budget) return;
    tasks->limits.budget = tasks->budget = budget;
    for (size_t i = 0; i < before->running.count; i++)
        if (before->running.items[i].owner == tasks)
            weir_budget_take(budget, &before->running.items[i]);
    weir_budget_leave(before, tasks);
}

void weir_tasks_leave_budget(weir_tasks *tasks) {
    weir_budget_leave(tasks->budget, tasks);
}

/* --- what waits, for who asks ----------------------------------------------------------------- */

/* Whether it waits for room, and for nothing else. */
static bool waits_for_room(const weir_tasks *tasks, weir_task_id id) {
    const task *t = see(tasks, id);
    const weir_task_spec *spec = t->spec;
    return t->state == WEIR_STATE_READY && !tasks->suspended && tasks->mode != WEIR_MODE_SYNC &&
           !look(t)->locks_missing && !weir_tasks_seeks(tasks, id) &&
           !weir__tasks_lack_service(tasks, id) && (spec->slot || wants_more(spec));
}

static weir_waiting say_first(const weir_tasks *tasks, const weir_ready_node *node,
                              uint64_t now_us) {
    room r = room_of(tasks, now_us);
    const weir_budget *budget = tasks->budget;
    weir_waiting waiting = {.lacks = lack_of_node(&r, node),
                            .behind = WEIR_NO_TASK,
                            .limit = budget->limit,
                            .slots = r.attempts};
    weir_share share = share_of_node(node);
    guard(&r, &share, node->slots);
    waiting.limit.memory_bytes = r.memory_bytes;
    waiting.begins_us = r.begins_us;
    waiting.free.memory_bytes = left(r.memory_bytes, budget->used.memory_bytes, 0);
    waiting.free.cpu_milli =
        (uint32_t)least(left(budget->limit.cpu_milli, budget->used.cpu_milli, 0), UINT32_MAX);
    waiting.free.processes =
        (uint32_t)least(left(budget->limit.processes, budget->used.processes, 0), UINT32_MAX);
    return waiting;
}

void weir_tasks_each_waiting(const weir_tasks *tasks, uint64_t now_us,
                             void (*visit)(void *arg, weir_task_id task,
                                           const weir_waiting *waiting),
                             void *arg) {
    weir_ready order;
    weir_ready_init(&order, tasks->scheduler);
    for (size_t i = weir_pages_next(&tasks->tasks, 0); i < tasks->tasks.count;
         i = weir_pages_next(&tasks->tasks, i + 1)) {
        weir_task_id id = (weir_task_id)i;
        if (!waits_for_room(tasks, id)) continue;
        weir_wants wants = wants_of(tasks, id);
        weir_ready_add(&order, id, &wants, group_of(see(tasks, id)), now_us);
    }
    weir_waiting waiting = {0};
    weir_task_id before = WEIR_NO_TASK;
    for (uint32_t at; (at = weir_ready_first(&order)); weir_ready_remove(&order, at)) {
        const weir_ready_node *node = weir_ready_at(&order, at);
        if (before == WEIR_NO_TASK) waiting = say_first(tasks, node, now_us);
        waiting.wants = share_of_node(node);
        waiting.behind = before;
        if (before != WEIR_NO_TASK) waiting.begins_us = UINT64_MAX;
        visit(arg, node->task, &waiting);
        before = node->task;
    }
    weir_ready_deinit(&order);
}

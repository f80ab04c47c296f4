#include "task/budget.h"

void weir_budget_deinit(weir_budget *budget) {
    weir_vector_deinit(&budget->running);
}

static uint64_t least(uint64_t wanted, uint64_t limit) {
    return limit && wanted > limit ? limit : wanted;
}

weir_share weir_budget_cut(const weir_budget *budget, const weir_share *wanted) {
    const weir_share *limit = &budget->limit;
    return (weir_share){least(wanted->memory_bytes, limit->memory_bytes),
                        (uint32_t)least(wanted->cpu_milli, limit->cpu_milli),
                        (uint32_t)least(wanted->processes, limit->processes)};
}

bool weir_budget_counts(const weir_budget *budget, const weir_share *share) {
    return (share->memory_bytes && weir_budget_memory(budget) != UINT64_MAX) ||
           (share->cpu_milli && budget->limit.cpu_milli) ||
           (share->processes && budget->limit.processes);
}

uint64_t weir_budget_memory(const weir_budget *budget) {
    uint64_t limit = budget->limit.memory_bytes ? budget->limit.memory_bytes : UINT64_MAX;
    uint64_t now = budget->memory_bytes_now ? budget->memory_bytes_now : UINT64_MAX;
    return limit < now ? limit : now;
}

static bool has_room(uint64_t used, uint64_t wanted, uint64_t limit, uint64_t others) {
    bool alone = !used && !others;
    return !wanted || !limit || alone || (used <= limit && wanted <= limit - used);
}

bool weir_budget_fits(const weir_budget *budget, const weir_share *used, const weir_share *share,
                      uint64_t memory_bytes) {
    return has_room(used->memory_bytes, share->memory_bytes, memory_bytes,
                    budget->memory_bytes_others) &&
           has_room(used->cpu_milli, share->cpu_milli, budget->limit.cpu_milli, 0) &&
           has_room(used->processes, share->processes, budget->limit.processes, 0);
}

/* Where the first stands that ends then or later. */
static size_t place_of(const weir_budget *budget, uint64_t end_us) {
    size_t low = 0, high = budget->running.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (budget->running.items[middle].end_us < end_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void count(weir_budget *budget, const weir_share *share, bool take) {
    weir_share *used = &budget->used;
    used->memory_bytes =
        take ? used->memory_bytes + share->memory_bytes : used->memory_bytes - share->memory_bytes;
    used->cpu_milli =
        take ? used->cpu_milli + share->cpu_milli : used->cpu_milli - share->cpu_milli;
    used->processes =
        take ? used->processes + share->processes : used->processes - share->processes;
    if (!take && budget->lacked) budget->freed = true;
    budget->changes++;
}

void weir_budget_take(weir_budget *budget, const weir_running *running) {
    size_t at = place_of(budget, running->end_us);
    (void)weir_vector_push(&budget->running);
    weir_running *items = budget->running.items;
    memmove(items + at + 1, items + at, (budget->running.count - 1 - at) * sizeof *items);
    items[at] = *running;
    if (budget->first && budget->first != running->owner &&
        weir_budget_counts(budget, &running->share))
        budget->passed++;
    count(budget, &running->share, true);
}

static void drop(weir_budget *budget, size_t at) {
    weir_running *items = budget->running.items;
    count(budget, &items[at].share, false);
    budget->running.count--;
    memmove(items + at, items + at + 1, (budget->running.count - at) * sizeof *items);
}

void weir_budget_give_back(weir_budget *budget, const void *owner, weir_task_id task,
                           uint64_t end_us) {
    const weir_running *items = budget->running.items;
    for (size_t at = place_of(budget, end_us);
         at < budget->running.count && items[at].end_us == end_us; at++) {
        if (items[at].owner != owner || items[at].task != task) continue;
        drop(budget, at);
        return;
    }
}

void weir_budget_leave(weir_budget *budget, const void *owner) {
    for (size_t at = budget->running.count; at-- > 0;)
        if (budget->running.items[at].owner == owner) drop(budget, at);
    weir_budget_renounce(budget, owner);
}

void weir_budget_claim(weir_budget *budget, const void *owner, int32_t priority) {
    if (budget->first && (budget->first == owner || budget->first_priority >= priority)) return;
    budget->first = owner;
    budget->first_priority = priority;
    budget->passed = 0;
}

void weir_budget_renounce(weir_budget *budget, const void *owner) {
    if (budget->first != owner) return;
    budget->first = NULL;
    budget->freed |= budget->lacked;
    budget->changes++;
}

bool weir_budget_bars(const weir_budget *budget, const void *owner, int32_t priority,
                      const weir_share *share) {
    if (!budget->first || budget->first == owner || priority > budget->first_priority) return false;
    return (priority < budget->first_priority || budget->passed >= WEIR_PASSES_MAX) &&
           weir_budget_counts(budget, share);
}

void weir_budget_set_memory(weir_budget *budget, uint64_t memory_bytes_now, uint64_t others) {
    budget->freed |= budget->lacked && (memory_bytes_now > budget->memory_bytes_now ||
                                        others < budget->memory_bytes_others);
    budget->memory_bytes_now = memory_bytes_now;
    budget->memory_bytes_others = others;
    budget->changes++;
}

bool weir_budget_promise(const weir_budget *budget, uint64_t memory_bytes, bool first) {
    if (!budget->promise || !memory_bytes) return true;
    return budget->promise(budget->promise_arg, budget->used.memory_bytes + memory_bytes,
                           memory_bytes, first);
}

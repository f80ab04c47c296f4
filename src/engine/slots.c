/* Slots: how many attempts of a run that leave the process are under way at once.
 *
 * An attempt may begin once it is durable that it will. When one that ends has to wait for the disk before the next can
 * begin, short ones leave processors idle. So where they are short, some times as many as there are slots are scheduled ahead:
 * their starts wait here, and each takes the place of one that ends, at once. The commits behind it are then in no hurry, and
 * have many outcomes each. What is decided next begins behind the starts that wait, so it loses nothing by that. */
#include "engine/engine_internal.h"

enum {
    AHEAD_MAX = 256,
    AHEAD_TIMES = 4,        /* the slots */
    WINDOW_US = 100 * 1000, /* attempts are short when each slot had two in that time */
    GATHER_US = 8 * 1000    /* how long outcomes may wait for others while starts are left */
};

static bool is_durable(const weir_engine *engine) {
    return engine->state && engine->options.durability != WEIR_DURABILITY_NONE;
}

static void look_ahead(weir_run *run) {
    weir__slots *s = &run->slots;
    uint64_t now = weir_clock_steady_us(), most = run->engine->options.attempts_max;
    if (!s->ended) s->window_us = now;
    if (++s->ended < 2 * most) return;
    bool brief = now - s->window_us <= WINDOW_US;
    uint64_t ahead = AHEAD_TIMES * most < AHEAD_MAX ? AHEAD_TIMES * most : AHEAD_MAX;
    weir_tasks_look_ahead(weir_machine_tasks(run->machine), brief ? (uint32_t)ahead : 0);
    s->ended = 0;
}

/* Its process never was: the task has its next attempt when the run goes on, and no try is used up. */
static void give_back(weir_run *run, const weir_effect *start) {
    weir_report report = {.attempt = {.task = start->task, .number = start->number},
                          .kind = WEIR_REPORT_LOST,
                          .data = weir_object_new()};
    memcpy(report.attempt.run, run->id, sizeof report.attempt.run);
    weir_member_put_text(report.data, "reason", WEIR_STR("suspended before it began"));
    run->engine->reporter.base.report(&run->engine->reporter.base, &report);
}

static bool take_first(weir__slots *s, weir_effect *start) {
    if (s->first == s->starts.count) s->first = s->starts.count = 0;
    if (!s->starts.count) return false;
    *start = s->starts.items[s->first];
    return true;
}

void weir__slots_fill(weir_run *run) {
    weir__slots *s = &run->slots;
    const weir_tasks *tasks = weir_machine_tasks(run->machine);
    bool carrying = run->carrying;
    weir_effect start;
    run->carrying = true;
    while (!run->failed && take_first(s, &start)) {
        bool suspended = weir_machine_is_suspended(run->machine);
        /* What the machine counts are also those that are not durable yet, and those here. */
        uint64_t counted = weir_tasks_slots_used(tasks) + (uint64_t)start.slots;
        bool fits = counted <= run->engine->options.attempts_max + s->on_way + s->waiting;
        if (!fits && !suspended) break;
        s->first++;
        s->waiting -= start.slots;
        if (start.kind != WEIR_EFFECT_START) continue;
        if (fits)
            weir__attempt_start(run, &start);
        else
            give_back(run, &start);
    }
    run->carrying = carrying;
}

void weir__slots_add(weir_run *run, const weir_effect *start) {
    *weir_vector_push(&run->slots.starts) = *start;
    run->slots.waiting += start->slots;
}

bool weir__slots_remove(weir_run *run, weir_task_id task, uint32_t number) {
    weir__slots *s = &run->slots;
    for (size_t i = s->first; i < s->starts.count; i++) {
        weir_effect *start = &s->starts.items[i];
        if (start->kind != WEIR_EFFECT_START || start->task != task || start->number != number)
            continue;
        start->kind = WEIR_EFFECT_STOP; /* nothing is left to start */
        s->waiting -= start->slots;
        start->slots = 0;
        return true;
    }
    return false;
}

void weir__slots_freed(weir_run *run, const weir_attempt_id *attempt) {
    weir_error lost;
    if (!is_durable(run->engine) ||
        !weir_tasks_slots_of(weir_machine_tasks(run->machine), attempt->task))
        return;
    look_ahead(run);
    if (run->slots.first == run->slots.starts.count || run->carrying) return;
    if (weir_store_holds(run->engine->store, weir_str_from(run->id), &lost))
        weir__slots_fill(run);
    else
        weir__run_lost(run->engine, weir_str_from(run->id), &lost);
}

uint64_t weir__slots_gather_us(const weir_run *run) {
    return run->slots.waiting >= run->engine->options.attempts_max ? GATHER_US : 0;
}

void weir__slots_drop(weir_run *run) {
    run->slots.starts.count = run->slots.first = run->slots.waiting = 0;
}

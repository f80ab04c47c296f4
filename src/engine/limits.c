/* What all runs of an engine may take together: what its options say, and no more than the host has. The host is asked once a task wants
 * memory, and then again as long as tasks wait for it, but seldom: what was decided by the answers is in the journals, so nobody else
 * needs them. */
#include "engine/limits.h"

#include <unistd.h>

#include "base/time.h"
#include "engine/engine_internal.h"
#include "engine/estimate.h"
#include "engine/history.h"
#include "io/room.h"
#include "workflow/lock.h"

enum {
    LOOK_US = 500 * 1000,
    OTHERS_US = 50 * 1000 /* so often it is asked whether other processes gave something back */
};

struct weir__limits {
    weir_budget budget;
    weir_engine *engine;
    weir_timer *timer;
    weir_room *room;    /* NULL: no task wanted memory so far, or it cannot be shared */
    uint64_t looked_us; /* by the steady clock, at what the host has; 0: not yet */
    bool rings;         /* the timer is started */
};

static uint64_t least(uint64_t a, uint64_t b) {
    if (!a || !b) return a ? a : b;
    return a < b ? a : b;
}

/* What a process that shares with nobody has. */
static uint64_t alone_bytes(const struct weir__limits *limits, weir_hardware *here) {
    weir_family own = {.pid = getpid()};
    weir_hardware_read("", here);
    if (!here->available_bytes) return 0;
    if (limits->budget.used.memory_bytes) weir_hardware_families("", &own, 1);
    return here->available_bytes + (own.bytes < limits->budget.used.memory_bytes
                                        ? own.bytes
                                        : limits->budget.used.memory_bytes);
}

static void look_at_hardware(struct weir__limits *limits) {
    weir_hardware here;
    weir_share *limit = &limits->budget.limit;
    uint64_t others = 0, bytes;
    if (!limits->looked_us) limits->room = weir_room_open(NULL, "");
    if (limits->room) {
        weir_room_keep(limits->room, limits->budget.used.memory_bytes);
        weir_room_look(limits->room, &here);
        bytes = weir_room_bytes(limits->room);
        others = weir_room_others(limits->room);
    } else {
        bytes = alone_bytes(limits, &here);
    }
    limit->memory_bytes = least(limit->memory_bytes, here.memory_bytes);
    limit->cpu_milli = (uint32_t)least(limit->cpu_milli, here.cpu_milli);
    limits->looked_us = weir_clock_steady_us();
    if (bytes) weir_budget_set_memory(&limits->budget, bytes, others);
}

static bool is_old(const struct weir__limits *limits) {
    return !limits->looked_us || weir_clock_steady_us() - limits->looked_us >= LOOK_US;
}

/* In the book that all processes share: what they decide at the same moment is not the same memory. */
static bool promise(void *arg, uint64_t all, uint64_t more, bool first) {
    struct weir__limits *limits = arg;
    if (is_old(limits)) look_at_hardware(limits);
    if (!limits->room || weir_room_promise(limits->room, all, more, first)) return true;
    uint64_t bytes = weir_room_bytes(limits->room);
    if (bytes) weir_budget_set_memory(&limits->budget, bytes, weir_room_others(limits->room));
    return false;
}

/* Those go on that wait. */
static void wake(struct weir__limits *limits) {
    weir_engine *engine = limits->engine;
    limits->budget.freed = limits->budget.lacked = false;
    for (size_t i = 0; i < engine->runs.count; i++) {
        weir_run *run = engine->runs.items[i];
        if (!run->over && weir_tasks_lack(weir_machine_tasks(run->machine)))
            weir__run_pump_soon(run);
    }
}

static bool any_lacks(const weir_engine *engine) {
    for (size_t i = 0; i < engine->runs.count; i++)
        if (!engine->runs.items[i]->over &&
            weir_tasks_lack(weir_machine_tasks(engine->runs.items[i]->machine)))
            return true;
    return false;
}

static void start_ringing(struct weir__limits *limits) {
    limits->rings = true;
    weir_timer_start(limits->timer, limits->budget.memory_bytes_others ? OTHERS_US : LOOK_US);
}

static void ring(void *arg) {
    struct weir__limits *limits = arg;
    limits->rings = false;
    if (!any_lacks(limits->engine)) return;
    bool changed = limits->room && weir_room_changed(limits->room);
    if (changed || is_old(limits)) {
        look_at_hardware(limits);
        wake(limits);
    }
    start_ringing(limits);
}

void weir__limits_open(weir_engine *engine) {
    const weir_options *options = &engine->options;
    struct weir__limits *limits = weir_alloc(sizeof *limits);
    limits->engine = engine;
    limits->timer = weir_timer_open(engine->loop, ring, limits);
    limits->budget.limit =
        (weir_share){options->memory_bytes_max, options->cpu_milli_max, options->processes_max};
    limits->budget.promise = promise;
    limits->budget.promise_arg = limits;
    engine->limits = limits;
}

void weir__limits_close(weir_engine *engine) {
    if (!engine->limits) return;
    weir_timer_close(engine->limits->timer);
    weir_room_close(engine->limits->room);
    weir_budget_deinit(&engine->limits->budget);
    weir_free(engine->limits);
}

/* --- what a task wants ------------------------------------------------------------------------ */

/* The sum of what the containers of an attempt ask for, once their tags are replaced. */
static void add_container(const weir_value *holder, weir_wants *wants) {
    uint64_t memory = weir_member_count(holder, "memory_bytes_asked"),
             cpu = weir_member_count(holder, "cpu_milli_asked");
    if (!memory) memory = weir_member_count(holder, "memory_bytes");
    if (!cpu) cpu = weir_member_count(holder, "cpu_milli");
    wants->memory_bytes += memory;
    wants->cpu_milli += (uint32_t)(cpu < UINT32_MAX / 2 ? cpu : UINT32_MAX / 2);
}

static void read_wants(weir_run *run, weir_task_id task, weir_wants *wants) {
    weir_attempt attempt;
    weir_machine_last_attempt(run->machine, task, &attempt);
    const weir_value *sandbox = weir_member_named(attempt.config, "sandbox"),
                     *containers = weir_member_named(attempt.config, "containers");
    wants->memory_bytes = 0;
    wants->cpu_milli = 0;
    add_container(sandbox, wants);
    for (size_t i = 0; weir_is(containers, WEIR_ARRAY) && i < weir_value_count(containers); i++)
        add_container(weir_array_at(containers, i), wants);
    weir_attempt_drop(&attempt);
}

/* Earlier runs are asked only where somebody chose a limit or a scheduler that needs them: a run as it always was begins no later. By what
 * the run is given: a task is measured when it is made, before its coordinator can say its inputs. */
static void add_expected(weir_run *run, const weir_task_spec *spec, weir_wants *wants) {
    const weir_value *request = weir_machine_request(run->machine);
    bool path = weir_scheduler_wanted(request) == WEIR_SCHEDULER_CRITICAL_PATH;
    bool limited = weir_member_count(weir_member_named(request, "limits"), "memory") > 0 ||
                   weir_str_is(weir_member_text(request, "optimize"), "memory");
    weir_estimate known;
    if (!path && !limited) return;
    if (!run->expected) {
        run->expected = weir__estimates_new(run->plan, run->engine->store);
        weir__estimates_give(run->expected, weir__given_size(request));
    }
    if (weir__estimates_of(run->expected, spec, 0, &known)) {
        if (!wants->memory_bytes) wants->memory_bytes = known.memory_bytes;
        wants->wall_us = known.wall_us;
        wants->wall_high_us = known.wall_high_us;
    }
    if (path) wants->remaining_us = weir__estimates_remaining_us(run->expected, spec);
}

static void find_wants(void *arg, weir_task_id task, const weir_task_spec *spec,
                       weir_wants *wants) {
    weir_run *run = arg;
    struct weir__limits *limits = run->engine->limits;
    if (spec->resources.by_tags) read_wants(run, task, wants);
    add_expected(run, spec, wants);
    bool any = wants->memory_bytes || wants->cpu_milli;
    if (!any || run->loading) return;
    if (is_old(limits)) look_at_hardware(limits);
}

/* What shares processors switches between them, and what switches takes longer on them. */
static uint32_t sparing_attempts(const weir_engine *engine) {
    weir_hardware here;
    weir_hardware_read("", &here);
    uint32_t processors = (here.cpu_milli + 999) / 1000, most = engine->options.attempts_max;
    return processors && processors < most ? processors : most;
}

uint32_t weir__limits_attempts(const weir_engine *engine, const weir_value *request) {
    bool sparing = weir_str_is(weir_member_text(request, "optimize"), "energy");
    return sparing ? sparing_attempts(engine) : engine->options.attempts_max;
}

weir_task_limits weir__limits_of(weir_run *run, const weir_value *request) {
    return (weir_task_limits){.attempts = weir__limits_attempts(run->engine, request),
                              .wants = find_wants,
                              .wants_arg = run};
}

int32_t weir__run_priority(const weir_plan *plan, const weir_value *request) {
    bool workflow = strcmp(plan->kind, "workflow") == 0;
    int64_t priority = workflow ? weir_workflow_priority(plan) : 0;
    const weir_value *above = weir_member_named(request, "parent_priority");
    if (!priority && weir_is(above, WEIR_INT)) priority = weir_int_get(above);
    if (priority > INT32_MAX) return INT32_MAX;
    return priority < INT32_MIN ? INT32_MIN : (int32_t)priority;
}

void weir__limits_join(weir_run *run, const weir_value *request) {
    weir_tasks_share(weir_machine_tasks(run->machine), &run->engine->limits->budget,
                     weir__run_priority(run->plan, request));
}

void weir__limits_tell(const weir_engine *engine, weir_value *request) {
    const weir_options *options = &engine->options;
    if (!options->memory_bytes_max && !options->cpu_milli_max && !options->processes_max) return;
    weir_value *limits = weir_object_new();
    if (options->memory_bytes_max)
        weir_member_put(limits, "memory", weir_int_new((int64_t)options->memory_bytes_max));
    if (options->cpu_milli_max)
        weir_member_put(limits, "cpu_milli", weir_int_new(options->cpu_milli_max));
    if (options->processes_max)
        weir_member_put(limits, "processes", weir_int_new(options->processes_max));
    weir_member_put(request, "limits", limits);
}

void weir__limits_look(weir_engine *engine) {
    struct weir__limits *limits = engine->limits;
    if (limits->room) {
        weir_room_keep(limits->room, limits->budget.used.memory_bytes);
        if (!limits->budget.first) weir_room_rest(limits->room);
    }
    if (limits->budget.freed) wake(limits);
    if (limits->budget.lacked && !limits->rings) start_ringing(limits);
}

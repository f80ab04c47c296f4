#include "jobs.h"

#include <stdio.h>

#include "simulation.h"

enum { JOBS_MAX = 9 };

typedef struct job {
    char name[16];
    weir_task_spec spec;
    uint32_t needs; /* bits */
} job;

typedef struct jobs_plan {
    weir_plan plan;
    job jobs[JOBS_MAX];
    uint32_t count;
} jobs_plan;

typedef struct jobs {
    weir_coordinator base;
    const jobs_plan *plan;
    weir_tasks *tasks;
    weir_task_id task_of[JOBS_MAX];
    uint32_t job_of[JOBS_MAX];
    uint32_t passed, over; /* bits */
    bool cancelled, failed, finished;
    weir_value *values; /* job → what it gave */
    weir_value
        *results; /* job → {outcome, value?}, services aside: how they end is a matter of time */
    weir_event_id last;
} jobs;

static bool is_service(const jobs *j, uint32_t at) {
    return j->plan->jobs[at].spec.kind == WEIR_TASK_SERVICE;
}

/* --- apply ---------------------------------------------------------------------------------- */

static void go_on(jobs *j, weir_event_id cause) {
    j->last = cause;
    bool work_left = false;
    for (uint32_t i = 0; i < j->plan->count; i++) {
        const job *what = &j->plan->jobs[i];
        if (j->task_of[i] == WEIR_NO_TASK && !j->cancelled && !(what->needs & ~j->passed)) {
            j->task_of[i] = weir_tasks_create(j->tasks, &what->spec, 0, cause);
            j->job_of[j->task_of[i]] = i;
        }
        work_left |= !is_service(j, i) && !(j->over >> i & 1);
    }
    for (uint32_t i = 0; i < j->plan->count && !work_left; i++)
        if (is_service(j, i) && j->task_of[i] != WEIR_NO_TASK)
            weir_tasks_stop(j->tasks, j->task_of[i], WEIR_STOP_DRAIN);
}

static void end_job(jobs *j, uint32_t at) {
    const weir_outcome *outcome = weir_tasks_outcome(j->tasks, j->task_of[at]);
    bool succeeded = outcome->kind == WEIR_OUTCOME_SUCCEEDED;
    const weir_value *given = succeeded ? weir_member_named(outcome->outputs, "value") : NULL;
    j->passed |= 1u << at;
    j->over |= 1u << at;
    if (!is_service(j, at)) {
        weir_str name = weir_str_from(j->plan->jobs[at].name);
        weir_value *result = weir_object_new();
        weir_member_put(result, "outcome",
                        weir_string_from(weir_str_from(weir_outcome_text(outcome->kind))));
        if (given) weir_member_put(result, "value", weir_value_ref((weir_value *)given));
        if (given) weir_member_set(j->values, name, weir_value_ref((weir_value *)given));
        weir_member_set(j->results, name, result);
        j->failed |= !succeeded;
    }
    weir_tasks_release(j->tasks, j->task_of[at]);
}

static void apply(weir_coordinator *base, const weir_event *event) {
    jobs *j = (jobs *)base;
    switch (event->type) {
    case WEIR_RUN_CREATED: go_on(j, event->id); break;
    case WEIR_RUN_CANCELLED:
        j->cancelled = true;
        weir_tasks_stop_all(j->tasks, event->number ? WEIR_STOP_KILL : WEIR_STOP_TERM);
        j->last = event->id;
        break;
    case WEIR_RUN_FINISHED: j->finished = true; break;
    case WEIR_ATTEMPT_READY:
        j->passed |= 1u << j->job_of[event->subject];
        go_on(j, event->id);
        break;
    case WEIR_TASK_FINISHED:
        end_job(j, j->job_of[event->subject]);
        go_on(j, event->id);
        break;
    default: break;
    }
}

/* --- decide, and what others see ------------------------------------------------------------ */

static bool fits(const weir_coordinator *base, const weir_event *event) {
    (void)base;
    return event->type < WEIR_CONTEXT_OPENED || event->type >= WEIR_ATTEMPT_SCHEDULED;
}

static bool decide(weir_coordinator *base, size_t limit, weir_decisions *decisions) {
    jobs *j = (jobs *)base;
    (void)limit;
    uint32_t all = (1u << j->plan->count) - 1;
    if (j->finished || weir_tasks_open(j->tasks) || (j->over != all && !j->cancelled)) return false;
    weir_value *data = weir_object_new();
    weir_str phase = j->cancelled || j->failed ? WEIR_STR("Failed") : WEIR_STR("Succeeded");
    weir_member_put(data, "phase", weir_string_from(phase));
    weir_member_put(data, "results", weir_value_ref(j->results));
    weir_decide(decisions, WEIR_RUN_FINISHED, 0, 0, 0, data, &j->last, 1);
    return false;
}

/* What it needs and what that gave. */
static void prepare(weir_coordinator *base, weir_task_id task, weir_attempt *attempt) {
    const jobs *j = (const jobs *)base;
    uint32_t needs = j->plan->jobs[j->job_of[task]].needs;
    attempt->parameters = weir_object_new();
    attempt->config = weir_object_new();
    for (uint32_t i = 0; i < j->plan->count; i++) {
        weir_str name = weir_str_from(j->plan->jobs[i].name);
        weir_value *value = needs >> i & 1 ? weir_member(j->values, name) : NULL;
        if (value) weir_member_set(attempt->parameters, name, weir_value_ref(value));
    }
}

static weir_value *status(const weir_coordinator *base) {
    const jobs *j = (const jobs *)base;
    weir_value *value = weir_object_new(), *nodes = weir_array_new();
    for (uint32_t i = 0; i < j->plan->count; i++) {
        weir_value *node = weir_object_new();
        weir_str name = weir_str_from(j->plan->jobs[i].name);
        weir_member_put(node, "id", weir_string_from(name));
        weir_member_put(node, "name", weir_string_from(name));
        weir_member_put(node, "type", weir_string_from(WEIR_STR("Job")));
        weir_member_put(node, "phase",
                        weir_string_from(j->over >> i & 1     ? WEIR_STR("Over")
                                         : j->passed >> i & 1 ? WEIR_STR("Ready")
                                                              : WEIR_STR("Pending")));
        weir_array_append(nodes, node);
    }
    weir_member_put(value, "nodes", nodes);
    return value;
}

static void describe(const weir_coordinator *base, const weir_event *event, weir_value *data) {
    (void)base;
    (void)event;
    (void)data;
}

static void free_jobs(weir_coordinator *base) {
    jobs *j = (jobs *)base;
    weir_value_unref(j->values);
    weir_value_unref(j->results);
    weir_free(j);
}

static weir_coordinator *jobs_new(const weir_plan *plan, weir_tasks *tasks) {
    static const weir_coordinator_class class = {apply,  fits,     decide,   prepare,
                                                 status, describe, free_jobs};
    jobs *j = weir_alloc(sizeof *j);
    j->base.class = &class;
    j->plan = (const jobs_plan *)plan;
    j->tasks = tasks;
    j->values = weir_object_new();
    j->results = weir_object_new();
    for (uint32_t i = 0; i < JOBS_MAX; i++) j->task_of[i] = WEIR_NO_TASK;
    return &j->base;
}

/* --- the plan ------------------------------------------------------------------------------- */

static void free_plan(weir_plan *plan) {
    weir_free(plan);
}

static weir_task_spec draw_spec(uint64_t *chance, const char *name) {
    enum { SECOND = 1000 * 1000 };
    weir_task_spec spec = {.name = weir_str_from(name),
                           .operation = WEIR_STR("simulation.job"),
                           .executor = WEIR_STR("process"),
                           .kind = WEIR_TASK_WORK,
                           .attempts_max = (uint32_t)chance_draw(chance, 5)};
    if (chance_draw(chance, 4) == 0) spec.kind = WEIR_TASK_SERVICE;
    if (chance_draw(chance, 3) == 0) spec.members = 1 + (uint32_t)chance_draw(chance, 4);
    if (chance_draw(chance, 2)) spec.backoff_us = 1 + chance_draw(chance, SECOND);
    if (chance_draw(chance, 2)) spec.backoff_factor = 2;
    if (chance_draw(chance, 2)) spec.backoff_max_us = SECOND;
    if (chance_draw(chance, 3) == 0) spec.heartbeat_us = SECOND / 2;
    if (chance_draw(chance, 3) == 0 && spec.kind == WEIR_TASK_WORK) spec.timeout_us = 2 * SECOND;
    /* A service that holds what the work it serves waits for would be a deadlock of the plan's own. */
    spec.slot = spec.kind == WEIR_TASK_WORK && chance_draw(chance, 2);
    if (spec.slot && chance_draw(chance, 2))
        spec.resources = (weir_resources){.cpu_milli = (uint32_t)chance_draw(chance, 3000),
                                          .memory_bytes = chance_draw(chance, 3000)};
    if (spec.kind == WEIR_TASK_SERVICE) spec.members = 0;
    return spec;
}

weir_plan *jobs_plan_new(uint64_t *chance) {
    jobs_plan *plan = weir_alloc(sizeof *plan);
    plan->plan = (weir_plan){"jobs", jobs_new, free_plan, 1};
    plan->count = 2 + (uint32_t)chance_draw(chance, JOBS_MAX - 2);
    for (uint32_t i = 0; i < plan->count; i++) {
        job *what = &plan->jobs[i];
        snprintf(what->name, sizeof what->name, "job%u", i);
        what->spec = draw_spec(chance, what->name);
        for (int needs = 2; i && needs; needs--)
            if (chance_draw(chance, 2)) what->needs |= 1u << chance_draw(chance, i);
    }
    return &plan->plan;
}

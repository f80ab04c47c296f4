/* What went wrong in a run, and what was done about it: read from its journal, one event after the other. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "engine/engine_internal.h"

enum { INCIDENTS_MAX = 10000, CHILDREN_MAX = 1000 };

typedef struct incident {
    weir_value *value;
    uint64_t time_us;
    uint32_t task;   /* WEIR_NO_TASK: of none */
    uint32_t before; /* the one before it of the same task + 1; 0: none */
    bool lets_pass;  /* of a call: the run may have gone on */
} incident;

/* A task that has incidents or is under way. */
typedef struct task_note {
    uint32_t last;       /* incident + 1; 0: none */
    bool expired;        /* its attempt was told to end since its time was over */
    weir_value *started; /* {host, pid} of its attempt; NULL: unknown */
} task_note;

typedef struct reporting {
    WEIR_VECTOR(incident) incidents;
    WEIR_VECTOR(task_note) tasks;
    WEIR_VECTOR(uint64_t) children; /* task << 32 | attempt */
    WEIR_VECTOR(uint32_t) calls_of; /* by context: calls that have events */
    uint64_t found, attempts, calls, retries, contexts, tasks_done;
    char *owner;  /* who drove the run last, as far as the journal says */
    bool at_rest; /* it has not begun, or is over: who takes it then was left it */
} reporting;

/* --- parts of an incident ----------------------------------------------------------------------- */

static void put_moment(weir_value *value, const char *key, uint64_t time_us) {
    char text[32];
    weir_member_put_text(value, key, weir_str_from(weir_moment_format(time_us, text)));
}

static void copy(const weir_value *from, weir_value *to, const char *const *names) {
    for (; *names; names++) {
        weir_value *member = weir_member_named(from, *names);
        if (member) weir_member_put(to, *names, weir_value_ref(member));
    }
}

static task_note *note_of(reporting *r, uint32_t task) {
    while (r->tasks.count <= task) *weir_vector_push(&r->tasks) = (task_note){0};
    return &r->tasks.items[task];
}

/* Run, context, instance or node, task, attempt, host, process and executor. */
static weir_value *where_of(reporting *r, weir_run *run, const weir_event *event) {
    static const char *const names[] = {"context", "path", "instance", "node", "template", NULL};
    static const char *const machine[] = {"host", "pid", NULL};
    const weir_coordinator *coordinator = weir_machine_coordinator(run->machine);
    weir_value *where = weir_object_new(), *said = weir_object_new();
    weir_member_put_text(where, "run", weir_str_from(run->name));
    coordinator->class->describe(coordinator, event, said);
    copy(said, where, names);
    weir_value_unref(said);
    if (!weir_event_has_task(event->type)) return where;
    const weir_tasks *tasks = weir_machine_tasks(run->machine);
    const weir_task_spec *spec = weir_tasks_spec(tasks, (weir_task_id)event->subject);
    weir_member_put(where, "task", weir_int_new((int64_t)event->subject));
    if (event->type < WEIR_TASK_RETRIED)
        weir_member_put(where, "attempt", weir_int_new(event->number));
    if (spec->executor.length) weir_member_put_text(where, "executor", spec->executor);
    const weir_value *started = note_of(r, (uint32_t)event->subject)->started;
    if (started) copy(started, where, machine);
    return where;
}

/* Takes `how` over, which may be NULL. */
static incident *add(reporting *r, weir_run *run, const weir_event *event, const char *what,
                     weir_value *how) {
    r->found++;
    if (r->incidents.count == INCIDENTS_MAX) {
        weir_value_unref(how);
        return NULL;
    }
    weir_value *value = weir_object_new();
    weir_member_put_text(value, "what", weir_str_from(what));
    put_moment(value, "when", event->time_us);
    weir_member_put(value, "where", where_of(r, run, event));
    if (how) weir_member_put(value, "how", how);
    weir_member_put_text(value, "then", WEIR_STR(""));
    bool of_task = weir_event_has_task(event->type);
    incident *it = weir_vector_push(&r->incidents);
    *it = (incident){.value = value, .time_us = event->time_us, .task = WEIR_NO_TASK};
    if (!of_task) return it;
    task_note *note = note_of(r, (uint32_t)event->subject);
    it->task = (uint32_t)event->subject;
    it->before = note->last;
    note->last = (uint32_t)r->incidents.count;
    return it;
}

static weir_value *message_only(const char *code, weir_str message) {
    weir_value *how = weir_object_new();
    weir_member_put_text(how, "code", weir_str_from(code));
    weir_member_put_text(how, "message", message);
    return how;
}

static weir_value *ref(const weir_value *value) {
    return weir_value_ref((weir_value *)value);
}

static void then(incident *it, const char *format, ...) WEIR_PRINTF(2, 3);
static void then(incident *it, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    weir_member_put_text(it->value, "then", weir_str_from(text));
}

/* --- events ------------------------------------------------------------------------------------- */

static const char *attempt_text(weir_str outcome) {
    if (weir_str_is(outcome, "cancelled")) return "attempt cancelled";
    return weir_str_is(outcome, "errored") ? "attempt could not be made" : "attempt failed";
}

static weir_value *timeout_of(weir_value *failure) {
    weir_value *how = message_only("expired", WEIR_STR("its time was over"));
    if (failure) weir_member_put(how, "cause", weir_value_ref(failure));
    return how;
}

static void end_attempt(reporting *r, weir_run *run, const weir_event *event) {
    weir_str outcome = weir_member_text(event->data, "outcome");
    weir_value *failure = weir_member_named(event->data, "failure");
    if (!weir_str_is(outcome, "succeeded")) {
        if (note_of(r, (uint32_t)event->subject)->expired)
            (void)add(r, run, event, "attempt timed out", timeout_of(failure));
        else
            (void)add(r, run, event, attempt_text(outcome), weir_value_ref(failure));
    }
    task_note *note = note_of(r, (uint32_t)event->subject);
    weir_value_unref(note->started);
    note->started = NULL;
    note->expired = false;
}

/* What became of all that happened to the task. */
static void end_task(reporting *r, weir_run *run, const weir_event *event) {
    const weir_tasks *tasks = weir_machine_tasks(run->machine);
    weir_task_id task = (weir_task_id)event->subject;
    const weir_outcome *outcome = weir_tasks_outcome(tasks, task);
    unsigned number = weir_tasks_attempt(tasks, task);
    r->tasks_done++;
    if (event->data && outcome->kind != WEIR_OUTCOME_SUCCEEDED)
        (void)add(r, run, event, "task cancelled", ref(weir_member_named(event->data, "failure")));
    if (task >= r->tasks.count) return;
    uint32_t at = r->tasks.items[task].last;
    bool last = true;
    for (; at; at = r->incidents.items[at - 1].before, last = false) {
        incident *it = &r->incidents.items[at - 1];
        if (outcome->kind == WEIR_OUTCOME_SUCCEEDED)
            then(it, "tried again; attempt %u succeeded", number);
        else if (last)
            then(it, "the task %s",
                 outcome->kind == WEIR_OUTCOME_CANCELLED ? "was given up" : "failed");
        else
            then(it, "tried again; attempt %u %s in the end", number,
                 weir_outcome_text(outcome->kind));
    }
    r->tasks.items[task].last = 0;
}

static void recover(reporting *r, weir_run *run, const weir_event *event) {
    weir_str owner = weir_member_text(event->data, "owner");
    weir_buffer text = {0};
    weir_buffer_text(&text, "the process that drove the run died, or lost it");
    if (r->owner && *r->owner) weir_buffer_printf(&text, ": %s", r->owner);
    incident *it = r->at_rest ? NULL
                              : add(r, run, event, "run recovered",
                                    message_only("owner_lost", weir_buffer_str(&text)));
    if (it) then(it, "%.*s went on with it", WEIR_ARG(owner));
    weir_buffer_deinit(&text);
    weir_free(r->owner);
    r->owner = weir_str_dup(owner);
}

static uint64_t number_of(const weir_value *data, const char *key) {
    const weir_value *number = weir_member_named(data, key);
    return weir_is(number, WEIR_INT) ? (uint64_t)weir_int_get(number) : 0;
}

/* Calls that ran ahead of the journal: only how many there were is known, and how many failed. */
static void count_ahead(reporting *r, weir_run *run, const weir_event *event) {
    uint64_t failed = number_of(event->data, "failed");
    r->calls += number_of(event->data, "done");
    if (!failed || weir_member_named(event->data, "error")) return;
    weir_buffer text = {0};
    weir_buffer_printf(&text,
                       "%llu calls failed that have no events; `weir run --record all` keeps each",
                       (unsigned long long)failed);
    incident *it = add(r, run, event, "calls failed",
                       message_only("operation_failed", weir_buffer_str(&text)));
    if (it) then(it, "the run went on without their outputs");
    weir_buffer_deinit(&text);
}

/* The context begins anew: what it did until then is counted at its end. */
static void go_ahead(reporting *r, const weir_event *event) {
    uint32_t context = event->id.context;
    if (context < r->calls_of.count) r->calls -= r->calls_of.items[context];
}

static void end_context(reporting *r, weir_run *run, const weir_event *event) {
    static const char *const names[] = {"path", "instance", "task", "attempt", NULL};
    const weir_value *error = weir_member_named(event->data, "error");
    const weir_value *cause = weir_member_named(error, "how");
    r->contexts++;
    count_ahead(r, run, event);
    if (!error) return;
    weir_value *how = weir_object_new();
    weir_member_put_text(how, "code", weir_member_text(error, "code"));
    weir_member_put_text(how, "message", weir_member_text(error, "what"));
    if (cause) weir_member_put(how, "cause", ref(cause));
    incident *it = add(r, run, event, "context failed", how);
    if (!it) return;
    weir_value *where = weir_member_named(it->value, "where");
    weir_member_put_text(where, "context", weir_member_text(event->data, "name"));
    copy(weir_member_named(error, "where"), where, names);
    bool inner = weir_member_named(event->data, "parent") != NULL;
    then(it, "%s", inner ? "the operation that runs it failed" : "it has no result");
}

static void end_call(reporting *r, weir_run *run, const weir_event *event) {
    r->calls++;
    while (r->calls_of.count <= event->id.context) *weir_vector_push(&r->calls_of) = 0;
    r->calls_of.items[event->id.context]++;
    if (weir_str_is(weir_member_text(event->data, "outcome"), "succeeded")) return;
    incident *it =
        add(r, run, event, "call failed", ref(weir_member_named(event->data, "failure")));
    if (it) it->lets_pass = true;
}

static void schedule(reporting *r, const weir_run *run, const weir_event *event) {
    const weir_tasks *tasks = weir_machine_tasks(run->machine);
    r->attempts++;
    if (weir_str_is(weir_tasks_spec(tasks, (weir_task_id)event->subject)->executor, "run") &&
        r->children.count < CHILDREN_MAX)
        *weir_vector_push(&r->children) = event->subject << 32 | event->number;
}

/* Whether the run has work, or had. */
static bool is_under_way(weir_event_type type) {
    switch (type) {
    case WEIR_RUN_CREATED:
    case WEIR_RUN_RECOVERED:
    case WEIR_RUN_FINISHED:
    case WEIR_RUN_SUSPENDED:
    case WEIR_RUN_RESUMED:
    case WEIR_RUN_RESTARTED:
    case WEIR_OUTCOME_KEPT:
    case WEIR_CONTEXT_GIVEN: return false;
    default: return true;
    }
}

static void take(void *arg, weir_run *run, const weir_event *event) {
    reporting *r = arg;
    incident *it;
    if (is_under_way(event->type)) r->at_rest = false;
    switch (event->type) {
    case WEIR_RUN_CREATED: r->owner = weir_str_dup(weir_member_text(event->data, "owner")); break;
    case WEIR_RUN_FINISHED: r->at_rest = true; break;
    case WEIR_RUN_RECOVERED: recover(r, run, event); break;
    case WEIR_RUN_CANCELLED:
        it = add(r, run, event, "run cancelled",
                 message_only("cancelled", WEIR_STR("somebody asked the run to stop")));
        if (it) then(it, event->number ? "all was ended at once" : "clean-up still ran");
        break;
    case WEIR_CONTEXT_FINISHED: end_context(r, run, event); break;
    case WEIR_CONTEXT_AHEAD: go_ahead(r, event); break;
    case WEIR_CONTEXTS_FINISHED:
        r->contexts += event->number;
        count_ahead(r, run, event);
        break;
    case WEIR_CALL_FINISHED: end_call(r, run, event); break;
    case WEIR_ATTEMPT_SCHEDULED: schedule(r, run, event); break;
    case WEIR_ATTEMPT_STARTED:
        weir_value_unref(note_of(r, (uint32_t)event->subject)->started);
        note_of(r, (uint32_t)event->subject)->started = ref(event->data);
        break;
    case WEIR_ATTEMPT_STOPPING:
        note_of(r, (uint32_t)event->subject)->expired |=
            weir_str_is(weir_member_text(event->data, "why"), "expired");
        break;
    case WEIR_ATTEMPT_FINISHED: end_attempt(r, run, event); break;
    case WEIR_ATTEMPT_LOST:
        (void)add(r, run, event, "attempt lost",
                  message_only("lost", weir_member_text(event->data, "reason")));
        break;
    case WEIR_TASK_RETRIED: r->retries++; break;
    case WEIR_TASK_FINISHED: end_task(r, run, event); break;
    default: break;
    }
}

/* --- the end ------------------------------------------------------------------------------------ */

/* The incident that the run's error names is the one that it failed of. */
static void blame(reporting *r, const weir_value *error) {
    const weir_value *where = weir_member_named(error, "where"),
                     *task = weir_member_named(where, "task");
    for (size_t i = r->incidents.count; i-- > 0;) {
        incident *it = &r->incidents.items[i];
        weir_str done = weir_member_text(it->value, "then");
        bool its = weir_is(task, WEIR_INT) && it->task == (uint64_t)weir_int_get(task);
        if (its && weir_str_starts(done, WEIR_STR("the task failed"))) {
            then(it, "the task failed, and with it the run");
            return;
        }
    }
}

static void settle(reporting *r, const weir_run *run, const weir_value *error) {
    bool failed = weir_is(error, WEIR_OBJECT);
    if (failed) blame(r, error);
    for (size_t i = 0; i < r->incidents.count; i++) {
        incident *it = &r->incidents.items[i];
        if (weir_member_text(it->value, "then").length) continue;
        if (it->lets_pass)
            then(it, "%s", failed ? "its context failed" : "the run went on without its outputs");
        else
            then(it, "%s", run->over ? "the run ended" : "it is under way");
    }
}

/* Operations and nodes that never ran since something before them failed. */
static void add_skipped(reporting *r, weir_run *run, const weir_value *status, bool failed) {
    const weir_value *nodes = weir_member_named(status, "nodes");
    weir_event event = {.type = WEIR_RUN_FINISHED,
                        .time_us = weir_machine_finished_us(run->machine)};
    for (size_t i = 0; failed && nodes && i < weir_value_count(nodes); i++) {
        const weir_value *node = weir_array_at(nodes, i), *why = weir_member_named(node, "why");
        bool own = weir_str_starts(weir_member_text(node, "name"), WEIR_STR("weir."));
        if (own || !weir_str_is(weir_member_text(node, "phase"), "Omitted")) continue;
        weir_str message = weir_member_text(node, "message");
        if (why && weir_value_count(why)) message = weir_string_get(weir_array_at(why, 0));
        if (!message.length) message = WEIR_STR("what it waited for did not come");
        incident *it = add(r, run, &event, "skipped", message_only("skipped", message));
        if (!it) continue;
        weir_value *where = weir_member_named(it->value, "where");
        weir_member_put_text(where, why ? "instance" : "node", weir_member_text(node, "name"));
        then(it, "it did not run");
    }
}

static int by_time(const void *a, const void *b) {
    const incident *x = a, *y = b;
    return x->time_us < y->time_us ? -1 : x->time_us > y->time_us;
}

static void put_count(weir_value *value, const char *key, uint64_t count) {
    weir_member_put(value, key, weir_int_new((int64_t)count));
}

static weir_value *figures_of(const reporting *r) {
    weir_value *figures = weir_object_new();
    put_count(figures, "contexts", r->contexts);
    put_count(figures, "tasks", r->tasks_done);
    put_count(figures, "attempts", r->attempts);
    put_count(figures, "retries", r->retries);
    put_count(figures, "calls", r->calls);
    return figures;
}

static weir_value *answer_of(reporting *r, weir_run *run) {
    weir_value *status = weir_run_status(run), *result = weir_run_result(run);
    static const char *const names[] = {"run", "name", "kind", "phase", "message", NULL};
    weir_value *answer = weir_object_new();
    const weir_value *error = weir_member_named(result, "error");
    uint64_t end = weir_machine_finished_us(run->machine);
    settle(r, run, error);
    add_skipped(r, run, status, weir_is(error, WEIR_OBJECT));
    copy(status, answer, names);
    put_moment(answer, "started", weir_machine_created_us(run->machine));
    if (end) {
        put_moment(answer, "finished", end);
        put_count(answer, "took_us", end - weir_machine_created_us(run->machine));
    }
    weir__put_estimate(answer, weir_machine_request(run->machine));
    weir_member_put(answer, "figures", figures_of(r));
    if (weir_is(error, WEIR_OBJECT)) weir_member_put(answer, "error", ref(error));
    weir_value_unref(status);
    weir_value_unref(result);
    return answer;
}

static void reporting_deinit(reporting *r) {
    for (size_t i = 0; i < r->incidents.count; i++) weir_value_unref(r->incidents.items[i].value);
    for (size_t i = 0; i < r->tasks.count; i++) weir_value_unref(r->tasks.items[i].started);
    weir_vector_deinit(&r->incidents);
    weir_vector_deinit(&r->tasks);
    weir_vector_deinit(&r->children);
    weir_vector_deinit(&r->calls_of);
    weir_free(r->owner);
}

static bool report_run(weir_engine *engine, const char *name, int depth, reporting *r,
                       weir_value **out, weir_error *error);

static void adopt(reporting *r, const reporting *child) {
    for (size_t i = 0; i < child->incidents.count && r->incidents.count < INCIDENTS_MAX; i++) {
        weir_value_ref(child->incidents.items[i].value);
        *weir_vector_push(&r->incidents) = child->incidents.items[i];
    }
}

/* The incidents of the runs that were tasks of this one, behind its own. */
static bool report_children(weir_engine *engine, const weir_value *parent, int depth, reporting *r,
                            weir_error *error) {
    bool ok = true;
    for (size_t i = 0; ok && depth < WEIR__CHILD_DEPTH_MAX && i < r->children.count; i++) {
        weir_buffer name = {0};
        weir_error absent;
        weir__child_name(weir_member_text(parent, "name"), (uint32_t)(r->children.items[i] >> 32),
                         (uint32_t)r->children.items[i], &name);
        if (weir__run_exists(engine, weir_buffer_str(&name), &absent)) {
            reporting child = {0};
            weir_value *answer;
            ok = report_run(engine, name.data, depth + 1, &child, &answer, error);
            r->found += child.found;
            if (ok) adopt(r, &child);
            if (ok) weir_value_unref(answer);
            reporting_deinit(&child);
        }
        weir_buffer_deinit(&name);
    }
    return ok;
}

static bool report_run(weir_engine *engine, const char *name, int depth, reporting *r,
                       weir_value **out, weir_error *error) {
    weir_run *run;
    if (!weir__run_load(engine, name, take, r, &run, error)) return false;
    weir_value *answer = answer_of(r, run);
    weir_run_close(run);
    if (!report_children(engine, answer, depth, r, error)) {
        weir_value_unref(answer);
        return false;
    }
    *out = answer;
    return true;
}

bool weir_read_report(weir_engine *engine, const char *name, weir_value **out, weir_error *error) {
    reporting r = {.at_rest = true};
    weir_value *answer;
    bool ok = report_run(engine, name, 0, &r, &answer, error);
    if (ok) {
        weir_value *incidents = weir_array_new();
        if (r.incidents.count)
            qsort(r.incidents.items, r.incidents.count, sizeof *r.incidents.items, by_time);
        for (size_t i = 0; i < r.incidents.count; i++)
            weir_array_append(incidents, weir_value_ref(r.incidents.items[i].value));
        weir_member_put(answer, "incidents", incidents);
        put_count(answer, "found", r.found);
        *out = engine->secrets.count ? weir_secrets_mask_value(&engine->secrets, answer) : answer;
    }
    reporting_deinit(&r);
    return ok;
}

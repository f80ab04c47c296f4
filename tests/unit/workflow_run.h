/* Runs of workflows for tests: attempts are played, a template's command says how they end. Every run is also replayed, and
 * continued after a crash at each of its events. */
#ifndef TESTS_WORKFLOW_RUN_H
#define TESTS_WORKFLOW_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "data/json.h"
#include "workflow/lock.h"
#include "workflow/plan.h"

#define HEAD                                                                                       \
    "apiVersion: argoproj.io/v1alpha1\n"                                                           \
    "kind: Workflow\n"                                                                             \
    "metadata: {generateName: w-}\n"
#define ECHO                                                                                       \
    "  - name: echo\n"                                                                             \
    "    inputs: {parameters: [{name: m}]}\n"                                                      \
    "    container: {image: a, command: [echo], args: ['{{inputs.parameters.m}}']}\n"
#define EXIT                                                                                       \
    "  - name: exit\n"                                                                             \
    "    inputs: {parameters: [{name: c, default: 0}]}\n"                                          \
    "    container: {image: a, command: [exit, '{{inputs.parameters.c}}']}\n"

typedef struct wish {
    uint32_t node;
    weir_value *locks;
    bool nested;
} wish;

typedef struct driver {
    weir_decisions decisions; /* first: emit finds the rest behind it */
    weir_claims *book;        /* of locks, which only this run has */
    WEIR_VECTOR(wish) wishes;
    weir_plan *plan;
    weir_tasks *tasks;
    weir_coordinator *run;
    weir_buffer journal;
    weir_value *kept; /* {KEY: outputs} of what is memoized */
    uint64_t sequence;
    char phase[16], message[200], results[200];
} driver;

/* What the task that is over gave is remembered. */
static void keep(driver *d, weir_task_id task) {
    weir_value *missed = weir_tasks_missed(d->tasks, task);
    if (!missed || !weir_tasks_may_keep(d->tasks, task)) return;
    weir_value *outputs = weir_tasks_outcome(d->tasks, task)->outputs;
    weir_member_set(d->kept, weir_member_text(missed, "key"), weir_value_ref(outputs));
}

static void apply(driver *d, const weir_event *event) {
    d->sequence = event->id.sequence;
    weir_tasks_apply(d->tasks, event);
    if (event->type == WEIR_TASK_FINISHED) keep(d, (weir_task_id)event->subject);
    d->run->class->apply(d->run, event);
    if (event->type != WEIR_RUN_FINISHED) return;
    weir_buffer results = {0};
    weir_value *all = weir_member_named(event->data, "results");
    for (size_t i = 0; i < weir_value_count(all); i++)
        weir_buffer_printf(&results, "%s=%s ", weir_object_key(all, i).data,
                           weir_string_get(weir_object_at(all, i)).data);
    snprintf(d->results, sizeof d->results, "%s", weir_buffer_str(&results).data);
    snprintf(d->phase, sizeof d->phase, "%s", weir_member_text(event->data, "phase").data);
    snprintf(d->message, sizeof d->message, "%s", weir_member_text(event->data, "message").data);
    weir_buffer_deinit(&results);
}

static void emit(weir_decisions *decisions, weir_event *event) {
    driver *d = (driver *)decisions;
    event->id.sequence = d->sequence + 1;
    event->time_us = decisions->now_us += 1000;
    for (size_t i = 0; i < event->prev_count; i++)
        assert_in_range(event->prev[i].sequence, 1, d->sequence);
    weir_event_encode(event, &d->journal);
    apply(d, event);
}

static void fact(driver *d, weir_event_type type, uint64_t subject, uint32_t number,
                 weir_value *data) {
    weir_decide(&d->decisions, type, 0, subject, number, data, NULL, 0);
}

static weir_plan *compile(const char *text, const char *name, const char *parameter,
                          weir_problems *problems) {
    weir_registry registry = {0};
    weir_document document = {0};
    weir_error error;
    weir_value *request = weir_object_new(), *parameters = weir_object_new();
    if (!weir_document_parse(&document, "w.yaml", weir_str_from(text), WEIR_YAML_1_1, &error))
        fail_msg("%s", error.message);
    if (name) weir_member_put(request, "name", weir_string_from(weir_str_from(name)));
    if (parameter) weir_member_put(parameters, "p", weir_string_from(weir_str_from(parameter)));
    weir_member_put(request, "parameters", parameters);
    weir_plan *plan = weir_workflow_compile(&document, request, &registry, problems);
    assert_true((plan == NULL) == (problems->total > 0));
    weir_value_unref(request);
    weir_document_deinit(&document);
    return plan;
}

static void open(driver *d, weir_plan *plan) {
    *d = (driver){.decisions = {.emit = emit}, .plan = plan, .kept = weir_object_new()};
    d->tasks = weir_tasks_new(&(weir_task_limits){0});
    d->run = plan->coordinator(plan, d->tasks);
    d->book = weir_claims_read(WEIR_STR(""));
    weir_batch_begin(&d->journal);
}

static void close(driver *d) {
    for (size_t i = 0; i < d->wishes.count; i++) weir_value_unref(d->wishes.items[i].locks);
    weir_vector_deinit(&d->wishes);
    weir_claims_free(d->book);
    weir_value_unref(d->kept);
    d->run->class->free(d->run);
    weir_tasks_free(d->tasks);
    weir_buffer_deinit(&d->journal);
}

static void finish_attempt(driver *d, weir_task_id task, weir_outcome outcome) {
    fact(d, WEIR_ATTEMPT_FINISHED, task, weir_tasks_attempt(d->tasks, task),
         weir_outcome_to_value(&outcome));
    weir_outcome_deinit(&outcome);
}

/* What comes of an attempt's output artifacts: all of them are there, but those that its command lacks. */
static void play_artifacts(const weir_value *config, weir_outcome *outcome) {
    const weir_value *all = weir_member_named(weir_member_named(config, "sandbox"), "artifacts");
    const weir_value *outputs = weir_member_named(all, "outputs");
    weir_value *kept = weir_object_new();
    weir_str what = weir_string_get(weir_array_at(weir_member_named(config, "command"), 0));
    for (size_t i = 0; outputs && i < weir_value_count(outputs); i++) {
        const weir_value *output = weir_array_at(outputs, i);
        weir_value *one = weir_object_new();
        if (weir_str_is(what, "lack") && weir_member_named(output, "optional")) {
            weir_value_unref(one);
            continue;
        }
        weir_member_put_text(one, "key", weir_member_text(output, "key"));
        weir_member_set(kept, weir_member_text(output, "name"), one);
    }
    if (outputs && outcome->outputs)
        weir_member_put(outcome->outputs, "artifacts", kept);
    else
        weir_value_unref(kept);
}

/* Each `exit CODE` of a pod's containers, in their order; the first that fails is whose failure it is. */
static inline void play_containers(const weir_value *config, weir_outcome *outcome) {
    const weir_value *list = weir_member_named(config, "containers");
    weir_value *all = weir_array_new();
    for (size_t i = 0; i < weir_value_count(list); i++) {
        const weir_value *one = weir_array_at(list, i);
        bool main = weir_member_named(one, "main");
        const weir_value *command = weir_member_named(main ? config : one, "command");
        int code = atoi(weir_string_get(weir_array_at(command, 1)).data);
        weir_value *how = weir_object_new();
        weir_member_put_text(how, "name", weir_member_text(one, "name"));
        weir_member_put(how, "exit_code", weir_int_new(code));
        if (code == 64) weir_member_put_text(how, "why", WEIR_STR("so"));
        weir_array_append(all, how);
        if (!code || outcome->failure) continue;
        *outcome = weir_outcome_failed(WEIR_OUTCOME_FAILED, "exit", "exited");
        weir_member_put_text(outcome->failure, "container", weir_member_text(one, "name"));
        weir_member_put(outcome->failure, "exit_code", weir_int_new(code));
    }
    outcome->outputs = weir_object_new();
    weir_member_put(outcome->outputs, "containers", all);
}

/* Plays `echo TEXT`, `exit CODE`, `error`, `expire`, `sleep` (until stopped), `serve` (ready, then until stopped), and
 * child runs, which give what they were given. */
static void play(driver *d, weir_task_id task) {
    weir_attempt attempt = {0};
    weir_outcome outcome = {0};
    uint32_t number = weir_tasks_attempt(d->tasks, task);
    bool stopping = weir_tasks_state(d->tasks, task) == WEIR_STATE_STOPPING;
    d->run->class->prepare(d->run, task, &attempt);
    const weir_value *command = weir_member_named(attempt.config, "command");
    weir_str what = command ? weir_string_get(weir_array_at(command, 0)) : WEIR_STR("run");
    weir_str text = WEIR_STR("");
    if (command && weir_value_count(command) > 1) text = weir_string_get(weir_array_at(command, 1));
    bool waits = weir_str_is(what, "sleep") || weir_str_is(what, "serve");
    if (weir_member_named(attempt.config, "source")) { /* of a data template: its keys */
        outcome.outputs = weir_object_new();
        weir_member_put_text(outcome.outputs, "result", WEIR_STR("[\"a\",\"b\"]"));
        weir_member_put(outcome.outputs, "exit_code", weir_int_new(0));
    } else if (weir_member_named(attempt.config, "containers")) {
        play_containers(attempt.config, &outcome);
        what = WEIR_STR("containers");
    } else if (!command) {
        outcome.outputs = weir_object_new();
        weir_member_put(outcome.outputs, "results",
                        weir_value_ref(weir_member_named(attempt.config, "inputs")));
    } else if (weir_str_is(what, "exit") && !weir_str_is(text, "0")) {
        outcome = weir_outcome_failed(WEIR_OUTCOME_FAILED, "exit", "exited");
        weir_member_put(outcome.failure, "exit_code", weir_int_new(atoi(text.data)));
    } else if (weir_str_is(what, "error")) {
        outcome = weir_outcome_failed(WEIR_OUTCOME_ERRORED, "spawn", "no such command");
    } else if (weir_str_is(what, "expire")) {
        outcome = weir_outcome_failed(WEIR_OUTCOME_EXPIRED, "expired", "too long");
    } else if (stopping) {
        outcome = weir_outcome_failed(WEIR_OUTCOME_CANCELLED, "cancelled", "was told to end");
    }
    if (weir_str_is(what, "echo") || weir_str_is(what, "exit") || weir_str_is(what, "lack")) {
        outcome.outputs = weir_object_new();
        weir_member_put(outcome.outputs, "result", weir_string_from(text));
        weir_member_put(outcome.outputs, "exit_code", weir_int_new(atoi(text.data)));
    }
    if (command) play_artifacts(attempt.config, &outcome);
    if (weir_str_is(what, "serve") && !stopping) fact(d, WEIR_ATTEMPT_READY, task, number, NULL);
    if (!waits || stopping)
        finish_attempt(d, task, outcome);
    else
        weir_outcome_deinit(&outcome);
    weir_attempt_drop(&attempt);
}

/* --- locks */

static bool is_alive(void *arg, weir_str run) {
    (void)arg;
    return run.length > 0;
}

static weir_claim claim_of(uint32_t node, weir_value *locks) {
    return (weir_claim){.run = WEIR_STR("w"), .node = node, .created_us = 1, .locks = locks};
}

/* What is given back, then what is wished: as long as some are granted. */
static void grant(driver *d) {
    uint32_t node;
    wish next;
    if (!weir_workflow_has_locks(d->plan)) return;
    while (weir_workflow_take_released(d->run, &node))
        weir_claims_drop(d->book, WEIR_STR("w"), node);
    while (weir_workflow_take_wish(d->run, &next.node, &next.locks, &next.nested))
        *weir_vector_push(&d->wishes) = next;
    for (size_t i = 0; i < d->wishes.count;) {
        wish *w = &d->wishes.items[i];
        weir_claim claim = claim_of(w->node, w->locks);
        claim.nested = w->nested;
        bool granted = false, waits = weir_workflow_waits(d->run, w->node);
        if (waits) assert_true(weir_claims_ask(d->book, &claim, is_alive, NULL, &granted, NULL));
        if (waits && !granted) {
            i++;
            continue;
        }
        weir_value *data = weir_object_new();
        weir_member_put(data, "locks", w->locks);
        node = w->node;
        *w = d->wishes.items[--d->wishes.count];
        if (waits)
            fact(d, WEIR_LOCK_GRANTED, node, 0, data);
        else
            weir_value_unref(data);
    }
}

/* What was held when the engine died is had again. */
static void take_back(void *arg, uint32_t node, weir_value *locks) {
    driver *d = arg;
    weir_claim claim = claim_of(node, locks);
    bool granted = false;
    assert_true(weir_claims_ask(d->book, &claim, is_alive, NULL, &granted, NULL));
    assert_true(granted);
}

/* What is looked for is answered. */
static void recall(driver *d) {
    weir_task_id task;
    while (weir_tasks_take_sought(d->tasks, &task)) {
        weir_attempt attempt = {.sought = true};
        weir_buffer key = {0};
        weir_value *data = weir_object_new();
        d->run->class->prepare(d->run, task, &attempt);
        weir_str said = weir_member_text(attempt.said, "key"),
                 cache = weir_tasks_spec(d->tasks, task)->memo->cache;
        weir_buffer_printf(&key, "%.*s/%.*s", WEIR_ARG(cache), WEIR_ARG(said));
        weir_value *found = weir_member(d->kept, weir_buffer_str(&key));
        weir_member_put_text(data, "key", weir_buffer_str(&key));
        if (found) weir_member_put(data, "outputs", weir_value_ref(found));
        fact(d, found ? WEIR_MEMO_FOUND : WEIR_MEMO_MISSED, task, 0, data);
        weir_buffer_deinit(&key);
        weir_attempt_drop(&attempt);
    }
}

/* Nothing moves: it is later. False when nothing is due. */
static bool wait(driver *d) {
    uint64_t due = d->run->class->due_us(d->run);
    if (due == UINT64_MAX) return false;
    if (due > d->decisions.now_us) d->decisions.now_us = due;
    return true;
}

/* One round: what can be decided, then the oldest attempt that can end. False when nothing moves. */
static bool step(driver *d, size_t *played) {
    uint64_t before = d->sequence;
    while (d->run->class->decide(d->run, 1, &d->decisions)) {
    }
    weir_tasks_decide(d->tasks, &d->decisions);
    if (d->sequence == before) grant(d);
    if (d->sequence == before) recall(d);
    uint32_t count = weir_tasks_count(d->tasks);
    for (weir_task_id t = 0; t < count && d->sequence == before; t++) {
        weir_task_state state = weir_tasks_state(d->tasks, t);
        bool fresh = state == WEIR_STATE_RUNNING && t >= *played;
        if (!weir_tasks_spec(d->tasks, t)->executor.length) continue; /* its coordinator's */
        if (!fresh && state != WEIR_STATE_STOPPING) continue;
        if (fresh) *played = t + 1;
        play(d, t);
    }
    return d->sequence != before || wait(d);
}

static void go_on(driver *d) {
    for (size_t played = 0; step(d, &played);) {
    }
    assert_false(d->run->class->decide(d->run, 100, &d->decisions));
}

/* Artifacts: the name, and where it is in short. */
static void add_artifacts(const weir_value *list, const char *before, weir_buffer *out) {
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        const weir_value *a = weir_array_at(list, i), *raw = weir_member_named(a, "raw");
        weir_str at = weir_member_text(weir_member_named(a, "s3"), "key");
        if (raw) at = weir_member_text(raw, "data");
        weir_buffer_printf(out, " %s%s@%.*s", before, weir_member_text(a, "name").data,
                           (int)at.length, at.data);
    }
}

/* A line a node: its name behind the workflow's, type, phase, message, inputs and outputs. */
static char *lines(const driver *d) {
    weir_buffer out = {0};
    weir_value *status = d->run->class->status(d->run), *nodes = weir_member_named(status, "nodes");
    for (size_t i = 0; i < weir_value_count(nodes); i++) {
        const weir_value *n = weir_array_at(nodes, i);
        weir_buffer_printf(&out, "%s %s %s", weir_member_text(n, "name").data,
                           weir_member_text(n, "type").data, weir_member_text(n, "phase").data);
        if (weir_member_named(n, "message"))
            weir_buffer_printf(&out, ": %s", weir_member_text(n, "message").data);
        const weir_value *in = weir_member_named(weir_member_named(n, "inputs"), "parameters");
        const weir_value *o = weir_member_named(n, "outputs");
        const weir_value *op = weir_member_named(o, "parameters");
        for (size_t k = 0; in && k < weir_value_count(in); k++)
            weir_buffer_printf(&out, " %s=%s", weir_member_text(weir_array_at(in, k), "name").data,
                               weir_member_text(weir_array_at(in, k), "value").data);
        if (weir_member_named(o, "result"))
            weir_buffer_printf(&out, " >%s", weir_member_text(o, "result").data);
        for (size_t k = 0; op && k < weir_value_count(op); k++)
            weir_buffer_printf(&out, " >%s=%s", weir_member_text(weir_array_at(op, k), "name").data,
                               weir_member_text(weir_array_at(op, k), "value").data);
        weir_str name = weir_member_text(n, "name"), shown = weir_member_text(n, "displayName");
        if (weir_str_find(name, shown, 0) == SIZE_MAX)
            weir_buffer_printf(&out, " =%.*s", WEIR_ARG(shown));
        add_artifacts(weir_member_named(weir_member_named(n, "inputs"), "artifacts"), "", &out);
        add_artifacts(weir_member_named(o, "artifacts"), ">", &out);
        weir_buffer_byte(&out, '\n');
    }
    const weir_value *global = weir_member_named(status, "outputs");
    if (weir_member_named(global, "artifacts")) {
        weir_buffer_text(&out, "outputs");
        add_artifacts(weir_member_named(global, "artifacts"), "", &out);
        weir_buffer_byte(&out, '\n');
    }
    weir_value_unref(status);
    return out.data;
}

/* Applies the first `count` events of the journal to a fresh run. */
static void replay(driver *d, weir_plan *plan, const driver *from, size_t count) {
    weir_batch_reader reader;
    const weir_event *event;
    open(d, plan);
    assert_true(weir_batch_open(&reader, weir_buffer_str(&from->journal), NULL));
    while (count-- && weir_batch_next(&reader, &event, NULL) && event) {
        d->decisions.now_us = event->time_us;
        weir_event_encode(event, &d->journal);
        apply(d, event);
    }
    weir_batch_close(&reader);
}

static void lose(void *arg, weir_task_id task, uint32_t number) {
    const driver *d = arg;
    if (!weir_tasks_spec(d->tasks, task)->executor.length) return; /* its coordinator goes on */
    fact(arg, WEIR_ATTEMPT_LOST, task, number, NULL);
}

static void expect_replay(driver *d) {
    driver again;
    replay(&again, d->plan, d, SIZE_MAX);
    weir_value *a = d->run->class->status(d->run), *b = again.run->class->status(again.run);
    assert_true(weir_value_equal(a, b));
    weir_value_unref(a);
    weir_value_unref(b);
    assert_false(again.run->class->decide(again.run, SIZE_MAX, &again.decisions));
    assert_int_equal(again.sequence, d->sequence);
    close(&again);
    char *wanted = lines(d);
    for (size_t cut = 1; cut < d->sequence && d->phase[0]; cut++) {
        replay(&again, d->plan, d, cut);
        weir_tasks_each_attempt(again.tasks, lose, &again);
        if (weir_workflow_has_locks(again.plan))
            weir_workflow_each_holder(again.run, take_back, &again);
        go_on(&again);
        char *got = lines(&again);
        assert_string_equal(again.phase, d->phase);
        if (strlen(wanted) == strlen(got)) assert_string_equal(got, wanted);
        assert_int_equal(strlen(wanted), strlen(got));
        weir_free(got);
        close(&again);
    }
    weir_free(wanted);
}

static void run(driver *d, const char *text, const char *parameter) {
    weir_problems problems = {0};
    char line[1024];
    weir_plan *plan = compile(text, "w", parameter, &problems);
    for (size_t i = 0; i < problems.count; i++)
        print_error("%s\n", weir_error_format(&problems.items[i], line, sizeof line));
    assert_non_null(plan);
    weir_problems_deinit(&problems);
    open(d, plan);
    fact(d, WEIR_RUN_CREATED, 0, 0, NULL);
    go_on(d);
}

/* Runs to the end and compares. */
static void expect_with(const char *text, const char *parameter, const char *phase,
                        const char *message, const char *wanted) {
    driver d;
    run(&d, text, parameter);
    char *got = lines(&d);
    assert_string_equal(got, wanted);
    assert_string_equal(d.phase, phase);
    assert_string_equal(d.message, message);
    weir_free(got);
    expect_replay(&d);
    close(&d);
    d.plan->free(d.plan);
}

static void expect(const char *text, const char *phase, const char *message, const char *wanted) {
    expect_with(text, NULL, phase, message, wanted);
}

/* What is wrong with the text, a line a problem: its place, code and message. */
static inline void expect_problems(const char *text, const char *wanted) {
    weir_problems problems = {0};
    weir_buffer got = {0};
    assert_null(compile(text, NULL, NULL, &problems));
    for (size_t i = 0; i < problems.count; i++)
        weir_buffer_printf(&got, "%u:%u %s: %s\n", problems.items[i].line, problems.items[i].column,
                           weir_code_text(problems.items[i].code), problems.items[i].message);
    assert_string_equal(got.data, wanted);
    weir_buffer_deinit(&got);
    weir_problems_deinit(&problems);
}

#endif

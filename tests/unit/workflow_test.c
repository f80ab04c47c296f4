/* Workflows: what runs, in which order, how nodes end, and what is wrong with a file. Attempts are played: a template's
 * command says how they end. Every case is also replayed, and continued after a crash at each of its events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "data/json.h"
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

typedef struct driver {
    weir_decisions decisions; /* first: emit finds the rest behind it */
    weir_plan *plan;
    weir_tasks *tasks;
    weir_coordinator *run;
    weir_buffer journal;
    uint64_t sequence;
    char phase[16], message[200], results[200];
} driver;

static void apply(driver *d, const weir_event *event) {
    d->sequence = event->id.sequence;
    weir_tasks_apply(d->tasks, event);
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
    *d = (driver){.decisions = {.emit = emit}, .plan = plan};
    d->tasks = weir_tasks_new(&(weir_task_limits){0});
    d->run = plan->coordinator(plan, d->tasks);
    weir_batch_begin(&d->journal);
}

static void close(driver *d) {
    d->run->class->free(d->run);
    weir_tasks_free(d->tasks);
    weir_buffer_deinit(&d->journal);
}

static void finish_attempt(driver *d, weir_task_id task, weir_outcome outcome) {
    fact(d, WEIR_ATTEMPT_FINISHED, task, weir_tasks_attempt(d->tasks, task),
         weir_outcome_to_value(&outcome));
    weir_outcome_deinit(&outcome);
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
    if (!command) {
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
    if (weir_str_is(what, "echo") || weir_str_is(what, "exit")) {
        outcome.outputs = weir_object_new();
        weir_member_put(outcome.outputs, "result", weir_string_from(text));
        weir_member_put(outcome.outputs, "exit_code", weir_int_new(atoi(text.data)));
    }
    if (weir_str_is(what, "serve") && !stopping) fact(d, WEIR_ATTEMPT_READY, task, number, NULL);
    if (!waits || stopping)
        finish_attempt(d, task, outcome);
    else
        weir_outcome_deinit(&outcome);
    weir_attempt_drop(&attempt);
}

/* One round: what can be decided, then the oldest attempt that can end. False when nothing moves. */
static bool step(driver *d, size_t *played) {
    uint64_t before = d->sequence;
    while (d->run->class->decide(d->run, 1, &d->decisions)) {
    }
    weir_tasks_decide(d->tasks, &d->decisions);
    uint32_t count = weir_tasks_count(d->tasks);
    for (weir_task_id t = 0; t < count && d->sequence == before; t++) {
        weir_task_state state = weir_tasks_state(d->tasks, t);
        bool fresh = state == WEIR_STATE_RUNNING && t >= *played;
        if (!fresh && state != WEIR_STATE_STOPPING) continue;
        if (fresh) *played = t + 1;
        play(d, t);
    }
    return d->sequence != before;
}

static void go_on(driver *d) {
    for (size_t played = 0; step(d, &played);) {
    }
    assert_false(d->run->class->decide(d->run, 100, &d->decisions));
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

static void a_container_is_one_pod(void **state) {
    (void)state;
    expect(HEAD "spec:\n  entrypoint: hello\n  serviceAccountName: x\n  templates:\n"
                "  - name: hello\n    container: {image: busybox, command: [echo, hello world]}\n",
           "Succeeded", "", "w Pod Succeeded\n");
}

static void steps_run_group_by_group(void **state) {
    (void)state;
    expect(HEAD "spec:\n  entrypoint: main\n  templates:\n" ECHO "  - name: main\n    steps:\n"
                "    - - {name: a, template: echo, arguments: {parameters: [{name: m, value: "
                "1}]}}\n"
                "    - - {name: b, template: echo, arguments: {parameters: [{name: m, value: '2 "
                "{{steps.a.outputs.result}}'}]}}\n"
                "      - {name: c, template: echo, arguments: {parameters: [{name: m, value: "
                "'{{workflow.name}}'}]}}\n",
           "Succeeded", "",
           "w Steps Succeeded\n"
           "w[0] StepGroup Succeeded\n"
           "w[0].a Pod Succeeded m=1 >1\n"
           "w[1] StepGroup Succeeded\n"
           "w[1].b Pod Succeeded m=2 1\n"
           "w[1].c Pod Succeeded m=w\n");
}

#define TASK(name, depends, arg)                                                                   \
    "      - {name: " name ", depends: '" depends                                                  \
    "', template: echo, arguments: {parameters: [{name: m, value: '" arg "'}]}}\n"

static void a_diamond_passes_results_on(void **state) {
    (void)state;
    driver d;
    const char *text =
        HEAD "spec:\n  entrypoint: main\n  templates:\n" ECHO
             "  - name: main\n    dag:\n      tasks:\n" TASK(
                 "d", "b && c", "{{tasks.b.outputs.result}}+{{tasks.c.outputs.result}}")
                 TASK("a", "", "A") TASK("b", "a", "{{tasks.a.outputs.result}}B")
                     TASK("c", "a", "{{tasks.a.outputs.result}}C");
    expect(text, "Succeeded", "",
           "w DAG Succeeded\n"
           "w.a Pod Succeeded m=A >A\n"
           "w.b Pod Succeeded m=AB >AB\n"
           "w.c Pod Succeeded m=AC >AC\n"
           "w.d Pod Succeeded m=AB+AC\n");
    run(&d, text, NULL);
    weir_value *status = d.run->class->status(d.run), *nodes = weir_member_named(status, "nodes");
    static const struct {
        const char *id;
        size_t children;
    } wanted[] = {
        {"w", 1}, {"w-205987851", 2}, {"w-222765470", 1}, {"w-239543089", 1}, {"w-256320708", 0}};
    for (size_t i = 0; i < 5; i++) {
        const weir_value *n = weir_array_at(nodes, i);
        assert_int_equal(weir_value_count(weir_member_named(n, "children")), wanted[i].children);
        assert_string_equal(weir_member_text(n, "id").data, wanted[i].id);
    }
    weir_value_unref(status);
    close(&d);
    d.plan->free(d.plan);
}

static void a_coin_falls_either_way(void **state) {
    (void)state;
    const char *text =
        HEAD "spec:\n  entrypoint: main\n  arguments: {parameters: [{name: p, value: heads}]}\n"
             "  templates:\n" ECHO "  - name: main\n    steps:\n"
             "    - - {name: flip, template: echo, arguments: {parameters: [{name: m, value: "
             "'{{workflow.parameters.p}}'}]}}\n"
             "    - - {name: heads, template: stop, when: '{{steps.flip.outputs.result}} == "
             "heads'}\n"
             "      - {name: tails, template: stop, when: '{{steps.flip.outputs.result}} == "
             "tails'}\n"
             "  - {name: stop, container: {image: a, command: [exit, 0]}}\n";
    expect(text, "Succeeded", "",
           "w Steps Succeeded\n"
           "w[0] StepGroup Succeeded\n"
           "w[0].flip Pod Succeeded m=heads >heads\n"
           "w[1] StepGroup Succeeded\n"
           "w[1].heads Pod Succeeded\n"
           "w[1].tails Skipped Skipped: when 'heads == tails' evaluated false\n");
    expect_with(text, "tails", "Succeeded", "",
                "w Steps Succeeded\n"
                "w[0] StepGroup Succeeded\n"
                "w[0].flip Pod Succeeded m=tails >tails\n"
                "w[1] StepGroup Succeeded\n"
                "w[1].heads Skipped Skipped: when 'tails == heads' evaluated false\n"
                "w[1].tails Pod Succeeded\n");
    expect_with(text, "a =~ b", "Failed",
                "step group deemed errored due to child w[1].heads error: Invalid 'when' "
                "expression "
                "'a =~ b == heads': something unexpected at column 3 of the condition",
                "w Steps Failed: step group deemed errored due to child w[1].heads error: Invalid "
                "'when' expression 'a =~ b == heads': something unexpected at column 3 of the "
                "condition\n"
                "w[0] StepGroup Succeeded\n"
                "w[0].flip Pod Succeeded m=a =~ b >a =~ b\n"
                "w[1] StepGroup Error: step group deemed errored due to child w[1].heads error: "
                "Invalid 'when' expression 'a =~ b == heads': something unexpected at column 3 of "
                "the condition\n"
                "w[1].heads Skipped Error: Invalid 'when' expression 'a =~ b == heads': something "
                "unexpected at column 3 of the condition\n");
}

static void a_failed_step_ends_its_template(void **state) {
    (void)state;
    const char *form =
        HEAD "spec:\n  entrypoint: main\n  templates:\n" EXIT "  - name: main\n    steps:\n"
             "    - - {name: ok, template: exit}\n"
             "      - {name: bad, template: exit, %s arguments: {parameters: [{name: c, value: "
             "3}]}}\n"
             "    - - {name: next, template: exit}\n";
    char text[1024];
    snprintf(text, sizeof text, form, "");
    expect(text, "Failed", "child 'w-3591872549' failed",
           "w Steps Failed: child 'w-3591872549' failed\n"
           "w[0] StepGroup Failed: child 'w-3591872549' failed\n"
           "w[0].ok Pod Succeeded c=0\n"
           "w[0].bad Pod Failed: main: Error (exit code 3) c=3\n");
    snprintf(text, sizeof text, form, "continueOn: {failed: true}, ");
    expect(text, "Succeeded", "",
           "w Steps Succeeded\n"
           "w[0] StepGroup Succeeded\n"
           "w[0].ok Pod Succeeded c=0\n"
           "w[0].bad Pod Failed: main: Error (exit code 3) c=3\n"
           "w[1] StepGroup Succeeded\n"
           "w[1].next Pod Succeeded c=0\n");
}

static void ends_of_a_pod_are_told_apart(void **state) {
    (void)state;
    expect(HEAD "spec:\n  entrypoint: a\n  templates:\n"
                "  - {name: a, container: {image: a, command: [error]}}\n",
           "Error", "no such command", "w Pod Error: no such command\n");
    expect(HEAD "spec:\n  entrypoint: a\n  templates:\n"
                "  - {name: a, timeout: 2s, container: {image: a, command: [expire]}}\n",
           "Failed", "Pod was active on the node longer than the specified deadline",
           "w Pod Failed: Pod was active on the node longer than the specified deadline\n");
}

static void depends_asks_for_results(void **state) {
    (void)state;
    expect(HEAD
           "spec:\n  entrypoint: main\n  templates:\n" EXIT "  - name: main\n    dag:\n"
           "      failFast: false\n      tasks:\n"
           "      - {name: ok, template: exit}\n"
           "      - {name: bad, template: exit, arguments: {parameters: [{name: c, value: 3}]}}\n"
           "      - {name: after-bad, depends: bad, template: exit}\n"
           "      - {name: on-bad, depends: bad.Failed, template: exit}\n"
           "      - {name: either, depends: ok.Failed || bad.Failed, template: exit}\n"
           "      - {name: notb, depends: ok && !bad.Succeeded, template: exit}\n"
           "      - {name: chain-omit, depends: after-bad, template: exit}\n"
           "      - {name: on-omit, depends: after-bad.Omitted, template: exit}\n",
           "Failed", "",
           "w DAG Failed\n"
           "w.ok Pod Succeeded c=0\n"
           "w.bad Pod Failed: main: Error (exit code 3) c=3\n"
           "w.after-bad Skipped Omitted: omitted: depends condition not met\n"
           "w.on-bad Pod Succeeded c=0\n"
           "w.either Pod Succeeded c=0\n"
           "w.notb Pod Succeeded c=0\n"
           "w.chain-omit Skipped Omitted: omitted: depends condition not met\n"
           "w.on-omit Pod Succeeded c=0\n");
    expect(HEAD
           "spec:\n  entrypoint: main\n  templates:\n" EXIT "  - name: main\n    dag: {tasks: [\n"
           "      {name: bad, template: exit, arguments: {parameters: [{name: c, value: 1}]}},\n"
           "      {name: fix, depends: bad.Failed, template: exit}]}\n",
           "Succeeded", "",
           "w DAG Succeeded\n"
           "w.bad Pod Failed: main: Error (exit code 1) c=1\n"
           "w.fix Pod Succeeded c=0\n");
    expect(HEAD "spec:\n  entrypoint: main\n  templates:\n" EXIT
                "  - name: main\n    dag: {tasks: [\n"
                "      {name: bad, template: exit, continueOn: {failed: true},\n"
                "       arguments: {parameters: [{name: c, value: 1}]}},\n"
                "      {name: next, dependencies: [bad], template: exit}]}\n",
           "Succeeded", "",
           "w DAG Succeeded\n"
           "w.bad Pod Failed: main: Error (exit code 1) c=1\n"
           "w.next Pod Succeeded c=0\n");
}

static void only_what_targets_need_runs(void **state) {
    (void)state;
    expect_with(HEAD "spec:\n  entrypoint: main\n"
                     "  arguments: {parameters: [{name: p, value: d}]}\n  templates:\n" EXIT
                     "  - name: main\n    dag:\n      target: '{{workflow.parameters.p}}'\n"
                     "      tasks:\n"
                     "      - {name: a, template: exit}\n"
                     "      - {name: b, depends: a, template: exit}\n"
                     "      - {name: c, template: exit}\n"
                     "      - {name: d, depends: b, template: exit}\n",
                "b c", "Succeeded", "",
                "w DAG Succeeded\n"
                "w.a Pod Succeeded c=0\n"
                "w.c Pod Succeeded c=0\n"
                "w.b Pod Succeeded c=0\n");
}

static void outputs_pass_through_templates(void **state) {
    (void)state;
    driver d;
    const char *text = HEAD
        "spec:\n  entrypoint: main\n  templates:\n" ECHO
        "  - name: inner\n    inputs: {parameters: [{name: x, value: dx}]}\n    steps:\n"
        "    - - {name: s, template: echo, arguments: {parameters: [{name: m, value: "
        "'<{{inputs.parameters.x}}>'}]}}\n"
        "      - {name: skip, template: echo, when: 1 == 2, arguments: {parameters: [{name: m, "
        "value: 1}]}}\n"
        "    outputs: {parameters: [{name: r, valueFrom: {parameter: "
        "'{{steps.s.outputs.result}}'}}, {name: f, valueFrom: {default: dflt, parameter: "
        "'{{steps.skip.outputs.result}}'}}]}\n"
        "  - name: main\n    dag: {tasks: [{name: i, template: inner}, {name: run, depends: i,\n"
        "      template: child, arguments: {parameters: [{name: q, value: "
        "'{{tasks.i.outputs.parameters.r}}'}]}}]}\n"
        "    outputs: {parameters: [{name: out, valueFrom: {parameter: "
        "'{{tasks.run.outputs.parameters.q}} {{tasks.i.outputs.parameters.f}}'}}]}\n"
        "  - name: child\n    inputs: {parameters: [{name: q}]}\n"
        "    plugin: {weir: {run: flow.yaml, inputs: {q: '{{inputs.parameters.q}}'}}}\n";
    expect(text, "Succeeded", "",
           "w DAG Succeeded >out=<dx> dflt\n"
           "w.i Steps Succeeded x=dx >r=<dx> >f=dflt\n"
           "w.i[0] StepGroup Succeeded\n"
           "w.i[0].s Pod Succeeded m=<dx> ><dx>\n"
           "w.i[0].skip Skipped Skipped: when '1 == 2' evaluated false\n"
           "w.run Plugin Succeeded q=<dx> >q=<dx>\n");
    run(&d, text, NULL);
    assert_string_equal(d.results, "out=<dx> dflt ");
    close(&d);
    d.plan->free(d.plan);
}

static void an_absent_output_leaves_the_default(void **state) {
    (void)state;
    const char *form =
        HEAD "spec:\n  entrypoint: main\n  templates:\n" ECHO EXIT "  - name: main\n    steps:\n"
             "    - - {name: s, template: echo, when: 'false', arguments: {parameters: [{name: m, "
             "value: 1}]}}\n"
             "    - - {name: t, template: exit, arguments: {parameters: [{name: c, value: "
             "'%s{{steps.s.outputs.result}}'}]}}\n";
    char text[1024];
    snprintf(text, sizeof text, form, "");
    expect(text, "Succeeded", "",
           "w Steps Succeeded\n"
           "w[0] StepGroup Succeeded\n"
           "w[0].s Skipped Skipped: when 'false' evaluated false\n"
           "w[1] StepGroup Succeeded\n"
           "w[1].t Pod Succeeded c=0\n");
    snprintf(text, sizeof text, form, "x");
    driver d;
    run(&d, text, NULL);
    assert_string_equal(d.phase, "Failed");
    assert_string_equal(d.message,
                        "step group deemed errored due to child w[1].t error: inputs.parameters.c: "
                        "argument references an absent optional (skipped/omitted node output with "
                        "no "
                        "default)");
    expect_replay(&d);
    close(&d);
    d.plan->free(d.plan);
}

static void a_daemon_lives_as_long_as_its_template(void **state) {
    (void)state;
    expect(HEAD "spec:\n  entrypoint: main\n  templates:\n" ECHO "  - name: main\n    steps:\n"
                "    - - {name: srv, template: srv}\n"
                "    - - {name: get, template: echo, arguments: {parameters: [{name: m, value: "
                "'{{steps.srv.ip}}'}]}}\n"
                "  - {name: srv, daemon: true, container: {image: a, command: [serve]}}\n",
           "Succeeded", "",
           "w Steps Succeeded\n"
           "w[0] StepGroup Succeeded\n"
           "w[0].srv Pod Succeeded\n"
           "w[1] StepGroup Succeeded\n"
           "w[1].get Pod Succeeded m=127.0.0.1\n");
}

static void a_stop_ends_everything(void **state) {
    (void)state;
    driver d;
    run(&d,
        HEAD "spec:\n  entrypoint: main\n  templates:\n" EXIT "  - name: main\n    dag: {tasks: [\n"
             "      {name: wait, template: sleep}, {name: srv, template: srv},\n"
             "      {name: next, depends: wait, template: exit},\n"
             "      {name: clean, depends: wait.Failed, template: exit}]}\n"
             "  - {name: sleep, container: {image: a, command: [sleep]}}\n"
             "  - {name: srv, daemon: true, container: {image: a, command: [serve]}}\n",
        NULL);
    char *got = lines(&d);
    assert_string_equal(got, "w DAG Running\nw.wait Pod Running\nw.srv Pod Running\n");
    weir_free(got);
    expect_replay(&d);
    fact(&d, WEIR_RUN_CANCELLED, 0, 0, NULL);
    go_on(&d);
    got = lines(&d);
    assert_string_equal(got, "w DAG Failed\n"
                             "w.wait Pod Failed: workflow shutdown with strategy: Stop\n"
                             "w.srv Pod Failed: workflow shutdown with strategy: Stop\n"
                             "w.next Skipped Omitted: omitted: depends condition not met\n"
                             "w.clean Skipped Failed: workflow shutdown with strategy: Stop\n");
    weir_free(got);
    assert_string_equal(d.phase, "Failed");
    assert_string_equal(d.message, "Stopped with strategy 'Stop'");
    weir_value *a = d.run->class->status(d.run);
    driver again;
    replay(&again, d.plan, &d, SIZE_MAX);
    weir_value *b = again.run->class->status(again.run);
    assert_true(weir_value_equal(a, b));
    weir_value_unref(a);
    weir_value_unref(b);
    close(&again);
    close(&d);
    d.plan->free(d.plan);
}

static void recursion_has_an_end(void **state) {
    (void)state;
    driver d;
    run(&d,
        HEAD "spec:\n  entrypoint: main\n  templates:\n"
             "  - {name: main, steps: [[{name: again, template: main}]]}\n",
        NULL);
    weir_value *status = d.run->class->status(d.run), *nodes = weir_member_named(status, "nodes");
    assert_int_equal(weir_value_count(nodes), 201);
    const weir_value *last = weir_array_at(nodes, 200);
    assert_string_equal(weir_member_text(last, "message").data, "Maximum recursion depth exceeded");
    assert_string_equal(weir_member_text(last, "phase").data, "Error");
    assert_string_equal(d.phase, "Failed");
    weir_value_unref(status);
    close(&d);
    d.plan->free(d.plan);
}

/* What is wrong with the file: "LINE:COLUMN CODE: MESSAGE", a line each. */
static void expect_problems(const char *text, const char *wanted) {
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

static void all_problems_are_told_with_their_places(void **state) {
    (void)state;
    expect_problems(
        HEAD "spec:\n"
             "  entrypoint: nope\n"
             "  onExit: main\n"
             "  arguments: {parameters: [{name: e}, {name: s, value: x, enum: [y]}]}\n"
             "  templates:\n"
             "  - name: main\n"
             "    retryStrategy: {limit: 2}\n"
             "    steps:\n"
             "    - - name: a\n"
             "        template: gone\n"
             "        withItems: [1]\n"
             "    - - name: b\n"
             "        template: leaf\n"
             "        when: '{{steps.b.status}} == x'\n"
             "      - name: b\n"
             "        template: leaf\n"
             "        when: '{{steps.a.status}} in x'\n"
             "        arguments: {parameters: [{name: m, value: '{{steps.z.outputs.result}}'}]}\n"
             "  - name: leaf\n"
             "    inputs: {parameters: [{name: m}]}\n"
             "    container: {image: a, env: 7, args: ['{{inputs.parameters.q}}', "
             "'{{pod.name}}']}\n"
             "  - name: leaf\n"
             "    suspend: {}\n"
             "  - name: none\n",
        "6:3 not_supported: `onExit` is not supported yet\n"
        "7:59 invalid: spec.arguments.parameters.s.value should be present in "
        "spec.arguments.parameters.s.enum list\n"
        "7:28 invalid: spec.arguments.parameters.e.value is required\n"
        "10:5 not_supported: `retryStrategy` is not supported yet\n"
        "25:5 invalid: templates.name 'leaf' is not unique\n"
        "26:5 not_supported: `suspend` is not supported yet\n"
        "27:5 invalid: templates.none template type unspecified. choose one of: container, script, "
        "plugin, steps, dag\n"
        "13:9 invalid: templates.main.steps[0].a template name 'gone' undefined\n"
        "18:9 invalid: templates.main.steps[1].name 'b' is not unique\n"
        "14:9 not_supported: `withItems` is not supported yet\n"
        "16:9 invalid: templates.main.steps[1].b inputs.parameters.m was not supplied\n"
        "17:9 invalid: templates.main.steps[1].b failed to resolve {{steps.b.status}}\n"
        "21:44 invalid: templates.main.steps[1].b failed to resolve {{steps.z.outputs.result}}\n"
        "20:9 not_supported: templates.main.steps[1].b 'when' expression '{{steps.a.status}} in x' "
        "is not supported yet: it may use ==, !=, <, <=, >, >=, &&, ||, ! and parentheses\n"
        "24:5 invalid: template leaf has no command; weir cannot ask the image for it\n"
        "24:42 invalid: templates.leaf: failed to resolve {{inputs.parameters.q}}\n"
        "24:69 not_supported: {{pod.name}} is not supported yet\n"
        "24:27 invalid: `env` must be of type array, and is of type integer\n"
        "5:3 invalid: spec.entrypoint template name 'nope' undefined\n");
}

static void a_dag_is_checked(void **state) {
    (void)state;
    const char *head =
        HEAD "spec:\n  entrypoint: main\n  templates:\n" EXIT "  - name: main\n    dag:\n";
    static const struct {
        const char *dag, *wanted;
    } cases[] = {
        {"      tasks:\n"
         "      - {name: a, depends: c, template: exit}\n"
         "      - {name: b, depends: a, template: exit}\n"
         "      - {name: c, depends: b && a, template: exit}\n",
         "13:9 invalid: templates.main.tasks dependency cycle detected: a->c->b->a\n"},
        {"      target: z {{inputs.parameters.t}}\n"
         "      tasks:\n"
         "      - {name: a, depends: x, template: exit}\n"
         "      - {name: b, depends: a &&, template: exit}\n"
         "      - {name: c, depends: a.Fine, template: exit}\n"
         "      - {name: d, depends: a.AnySucceeded ? b, template: exit}\n"
         "      - {name: e, template: exit, arguments: {parameters: [{name: c, value: "
         "'{{tasks.a.outputs.result}}'}]}}\n",
         "14:19 invalid: templates.main.tasks.a dependency 'x' not defined\n"
         "15:19 invalid: templates.main.tasks.b invalid 'depends' expression\n"
         "16:19 invalid: templates.main.tasks.c task result 'Fine' is invalid\n"
         "17:19 invalid: templates.main.tasks.d dependency 'a' uses an items-based condition such "
         "as .AnySucceeded or .AllFailed but does not contain any items\n"
         "17:19 invalid: templates.main.tasks.d invalid 'depends': '?'\n"
         "12:7 invalid: templates.main.targets nothing is named `{{inputs.parameters.t}}`\n"
         "18:70 invalid: templates.main.tasks.e failed to resolve {{tasks.a.outputs.result}}\n"},
        {"      target: z\n"
         "      tasks:\n"
         "      - {name: 1a, depends: b, template: exit, continueOn: {failed: true}}\n"
         "      - {name: b, dependencies: [], template: exit, continueOn: 7}\n"
         "      - {name: c, template: exit, inline: {}, withParam: '{{x}}', templateRef: {name: "
         "a}}\n"
         "      - {name: b c, inline: {}}\n",
         "17:10 invalid: templates.main.tasks.name 'b c' is invalid: it must consist of at most "
         "128 "
         "letters, digits, '-' and '_'\n"
         "17:9 invalid: templates.main.tasks.b c template name is required\n"
         "14:9 invalid: templates.main.tasks.1a name cannot begin with a digit when using either "
         "'depends' or 'dependencies'\n"
         "14:9 invalid: templates.main cannot use 'continueOn' when using 'depends'. Instead use "
         "'dep-task.Failed'/'dep-task.Errored'\n"
         "15:9 invalid: templates.main cannot use both 'depends' and 'dependencies' in the same "
         "DAG "
         "template\n"
         "15:9 invalid: templates.main cannot use 'continueOn' when using 'depends'. Instead use "
         "'dep-task.Failed'/'dep-task.Errored'\n"
         "12:7 invalid: templates.main.targets: target 'z' is not defined\n"
         "15:53 invalid: `continueOn` must be of type object, and is of type integer\n"
         "16:47 not_supported: `withParam` is not supported yet\n"
         "16:35 not_supported: `inline` is not supported yet\n"
         "16:67 not_supported: `templateRef` is not supported yet\n"
         "17:21 not_supported: `inline` is not supported yet\n"},
        {"      tasks: []\n", "11:5 invalid: templates.main must have at least one task\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[2048];
        snprintf(text, sizeof text, "%s%s", head, cases[i].dag);
        expect_problems(text, cases[i].wanted);
    }
}

static void leaves_are_checked(void **state) {
    (void)state;
    expect_problems(
        HEAD "spec:\n  entrypoint: a\n  templates:\n"
             "  - name: a\n"
             "    inputs: {parameters: [{name: q, default: '{{inputs.parameters.q}}'}]}\n"
             "    timeout: soon\n"
             "    outputs: {parameters: [{name: x, valueFrom: {path: /x}}, {name: z}]}\n"
             "    script: {image: a, command: [sh, [1]]}\n"
             "  - name: b\n"
             "    daemon: true\n"
             "    plugin: {slack: {text: x}}\n"
             "  - name: c\n"
             "    volumes: [{name: v}]\n"
             "    container:\n"
             "      command: echo\n"
             "      envFrom: [{secretRef: {name: s}}]\n"
             "      env: [{value: x}, {name: z, valueFrom: {fieldRef: {path: z}}}]\n"
             "  - name: d\n"
             "    steps: [{name: flat, template: a}]\n"
             "  - name: e\n"
             "    container: {command: ['{{=1}}', '{{open']}\n"
             "    script: {}\n"
             "  - 7\n",
        "10:50 not_supported: `valueFrom.path` is not supported yet\n"
        "10:62 invalid: templates.a.outputs.parameters.z does not have valueFrom specified\n"
        "16:5 not_supported: `volumes` is not supported yet\n"
        "23:5 invalid: templates.e multiple template types specified\n"
        "26:5 invalid: templates.name is required\n"
        "26:5 invalid: templates. template type unspecified. choose one of: container, script, "
        "plugin, steps, dag\n"
        "8:37 invalid: templates.a.inputs failed to resolve {{inputs.parameters.q}}\n"
        "11:38 invalid: must be a text, and is of type array\n"
        "11:5 invalid: templates.a.script.source is required\n"
        "9:5 invalid: `soon` is not a duration\n"
        "14:5 not_supported: a plugin other than `weir: {run: FILE, inputs: …}` is not supported "
        "yet\n"
        "13:5 not_supported: `daemon` is not supported yet\n"
        "18:7 invalid: `command` must be of type array, and is of type string\n"
        "19:7 not_supported: `envFrom` is not supported yet\n"
        "20:13 invalid: env[0].name is required\n"
        "20:47 not_supported: `fieldRef` is not supported yet\n"
        "22:13 invalid: a step group must be a list of steps, and is of type object\n");
}

static void leaves_get_what_they_need(void **state) {
    (void)state;
    driver d;
    run(&d,
        HEAD "spec:\n  entrypoint: main\n  templates:\n"
             "  - name: main\n    steps: [[{name: s, template: script, arguments: {parameters: "
             "[{name: "
             "q, value: 7s}]}}]]\n"
             "  - name: script\n"
             "    inputs: {parameters: [{name: q}]}\n"
             "    timeout: '{{inputs.parameters.q}}'\n"
             "    script:\n"
             "      command: [sleep]\n"
             "      workingDir: /tmp\n"
             "      env: [{name: A, value: true}, {name: B, valueFrom: {secretKeyRef: {name: s, "
             "key: "
             "k}}}, {name: C}]\n"
             "      source: 'echo {{ inputs.parameters.q }} {{.Other}} {{nothing}}'\n",
        NULL);
    weir_attempt attempt = {0};
    weir_buffer json = {0};
    d.run->class->prepare(d.run, 0, &attempt);
    weir_json_format(attempt.config, 0, &json);
    assert_string_equal(
        json.data, "{\"command\":[\"sleep\"],\"environment\":{\"A\":\"true\",\"B\":{\"secret\":"
                   "\"s.k\"},\"C\":\"\"},\"directory\":\"/tmp\",\"source\":\"echo 7s {{.Other}} "
                   "{{nothing}}\"}");
    assert_int_equal(weir_tasks_spec(d.tasks, 0)->timeout_us, 7000000);
    weir_buffer_deinit(&json);
    weir_attempt_drop(&attempt);
    expect_replay(&d);
    close(&d);
    d.plan->free(d.plan);
}

static void what_is_no_workflow_is_said(void **state) {
    (void)state;
    expect_problems("a: 1\n", "1:1 invalid: there is no Workflow in this file\n");
    expect_problems("apiVersion: argoproj.io/v1alpha1\nkind: CronWorkflow\n",
                    "2:1 not_supported: a `CronWorkflow` is not supported yet\n");
    expect_problems(HEAD, "1:1 invalid: the workflow has no templates\n"
                          "1:1 invalid: spec.entrypoint is required\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_container_is_one_pod),
        cmocka_unit_test(steps_run_group_by_group),
        cmocka_unit_test(a_diamond_passes_results_on),
        cmocka_unit_test(a_coin_falls_either_way),
        cmocka_unit_test(a_failed_step_ends_its_template),
        cmocka_unit_test(ends_of_a_pod_are_told_apart),
        cmocka_unit_test(depends_asks_for_results),
        cmocka_unit_test(only_what_targets_need_runs),
        cmocka_unit_test(outputs_pass_through_templates),
        cmocka_unit_test(an_absent_output_leaves_the_default),
        cmocka_unit_test(a_daemon_lives_as_long_as_its_template),
        cmocka_unit_test(a_stop_ends_everything),
        cmocka_unit_test(recursion_has_an_end),
        cmocka_unit_test(all_problems_are_told_with_their_places),
        cmocka_unit_test(a_dag_is_checked),
        cmocka_unit_test(leaves_are_checked),
        cmocka_unit_test(leaves_get_what_they_need),
        cmocka_unit_test(what_is_no_workflow_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

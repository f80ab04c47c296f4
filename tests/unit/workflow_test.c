/* Workflows: what runs, in which order, how nodes end, and what is wrong with a file. */
#include "workflow_run.h"

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
    const char *why = "Invalid 'when' expression 'a @ b == heads': Invalid token: '@' (hint: try "
                      "wrapping the affected expression in quotes (\"))";
    char message[300], tree[1500];
    snprintf(message, sizeof message, "failed to resolve references: %s", why);
    snprintf(tree, sizeof tree,
             "w Steps Failed: %s\n"
             "w[0] StepGroup Succeeded\n"
             "w[0].flip Pod Succeeded m=a @ b >a @ b\n"
             "w[1] StepGroup Error: %s\n",
             message, message);
    expect_with(text, "a @ b", "Failed", message, tree);
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
                        "failed to resolve references: unable to substitute "
                        "{{steps.s.outputs.result}}: output is an absent optional (skipped/omitted "
                        "node with no default)");
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

static weir_task_state state_of(const driver *d, const char *template) {
    weir_task_id task = 0;
    while (!weir_str_is(weir_tasks_spec(d->tasks, task)->name, template)) task++;
    return weir_tasks_state(d->tasks, task);
}

static void what_is_beside_a_daemon_that_was_lost_does_not_wait(void **state) {
    (void)state;
    driver d;
    run(&d,
        HEAD
        "spec:\n  entrypoint: main\n  templates:\n" EXIT "  - name: main\n    dag: {tasks: [\n"
        "      {name: in, template: sub}, {name: first, template: exit},\n"
        "      {name: beside, depends: first, template: beside}]}\n"
        "  - {name: sub, steps: [[{name: srv, template: srv}], [{name: use, template: use}]]}\n"
        "  - {name: srv, daemon: true, container: {image: a, command: [serve]}}\n"
        "  - {name: use, container: {image: a, command: [sleep]}}\n"
        "  - {name: beside, container: {image: a, command: [sleep]}}\n",
        NULL);
    weir_tasks_each_attempt(d.tasks, lose, &d);
    weir_tasks_decide(d.tasks, &d.decisions);
    assert_int_equal(state_of(&d, "srv"), WEIR_STATE_RUNNING);
    assert_int_equal(state_of(&d, "beside"), WEIR_STATE_RUNNING);
    assert_int_equal(state_of(&d, "use"), WEIR_STATE_READY);
    go_on(&d);
    assert_int_equal(state_of(&d, "use"), WEIR_STATE_RUNNING);
    expect_replay(&d);
    close(&d);
    d.plan->free(d.plan);
}

static void what_takes_no_place_keeps_none(void **state) {
    (void)state;
    driver d;
    run(&d,
        HEAD "spec:\n  entrypoint: main\n  templates:\n" EXIT
             "  - name: main\n    parallelism: 1\n    dag: {tasks: [\n"
             "      {name: first, template: exit}, {name: ask, template: ask},\n"
             "      {name: last, template: exit}]}\n"
             "  - {name: ask, suspend: {}}\n",
        NULL);
    char *got = lines(&d);
    assert_string_equal(got, "w DAG Running\n"
                             "w.first Pod Succeeded c=0\n"
                             "w.ask Suspend Running\n"
                             "w.last Pod Succeeded c=0\n");
    weir_free(got);
    expect_replay(&d);
    close(&d);
    d.plan->free(d.plan);
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
    assert_int_equal(weir_value_count(nodes), 199);
    const weir_value *last = weir_array_at(nodes, 198);
    assert_true(weir_str_starts(weir_member_text(last, "message"),
                                WEIR_STR("Maximum recursion depth exceeded. See https://")));
    assert_string_equal(weir_member_text(last, "phase").data, "Error");
    assert_string_equal(d.phase, "Failed");
    weir_value_unref(status);
    close(&d);
    d.plan->free(d.plan);
}

/* What is wrong with the file: "LINE:COLUMN CODE: MESSAGE", a line each. */
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
             "        when: '{{steps.a.status}} @ x'\n"
             "        arguments: {parameters: [{name: m, value: '{{steps.z.outputs.result}}'}]}\n"
             "  - name: leaf\n"
             "    inputs: {parameters: [{name: m}]}\n"
             "    container: {image: a, env: 7, args: ['{{inputs.parameters.q}}', "
             "'{{pod.name}}']}\n"
             "  - name: leaf\n"
             "    suspend: {}\n"
             "  - name: none\n",
        "7:59 invalid: spec.arguments.s.value should be present in "
        "spec.arguments.s.enum list\n"
        "7:28 invalid: spec.arguments.e.value or spec.arguments.e.valueFrom is required\n"
        "25:5 invalid: spec.templates[2].name 'leaf' is not unique\n"
        "27:5 invalid: templates.none template type unspecified. choose one of: container, script, "
        "containerSet, data, plugin, suspend, steps, dag\n"
        "13:9 invalid: templates.main.steps[0].a template name 'gone' undefined\n"
        "18:9 invalid: templates.main.steps[1].name 'b' is not unique\n"
        "16:9 invalid: templates.main.steps[1].b inputs.parameters.m was not supplied\n"
        "17:9 invalid: templates.main.steps[1].b failed to resolve {{steps.b.status}}\n"
        "21:44 invalid: templates.main.steps[1].b failed to resolve {{steps.z.outputs.result}}\n"
        "24:42 invalid: templates.leaf: failed to resolve {{inputs.parameters.q}}\n"
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
         "16:19 invalid: templates.main.tasks.c task result 'Fine' for task 'a' is invalid\n"
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
         "17:10 invalid: templates.main.tasks[3].name: 'b c' is invalid: name must consist of "
         "alpha-numeric characters or '-', and must start with an alpha-numeric character (e.g. "
         "My-name1-2, 123-NAME)\n"
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
        HEAD
        "spec:\n  entrypoint: a\n  templates:\n"
        "  - name: a\n"
        "    inputs: {parameters: [{name: q, default: '{{inputs.parameters.q}}'}]}\n"
        "    timeout: soon\n"
        "    outputs: {parameters: [{name: x, valueFrom: {path: /x}}, {name: z}]}\n"
        "    script: {image: a, command: [sh, [1]]}\n"
        "  - name: b\n"
        "    daemon: true\n"
        "    plugin: {slack: {text: x}}\n"
        "  - name: c\n"
        "    volumes: [{name: v}, {name: w, nfs: {}}, {name: x, hostPath: {path: /}}, {}]\n"
        "    container:\n"
        "      command: echo\n"
        "      envFrom: [{secretRef: {name: s}}, {}, {configMapRef: {}}]\n"
        "      env: [{value: x}, {name: z, valueFrom: {fieldRef: {fieldPath: spec.z}}}, {name: y, "
        "valueFrom: {}}]\n"
        "      volumeMounts: [{name: v, mountPath: '/{{nothing.x}}'}, {name: vv, mountPath: /v}, "
        "{name: v}]\n"
        "  - name: d\n"
        "    steps: [{name: flat, template: a}]\n"
        "  - name: e\n"
        "    container: {command: ['{{=1}}', '{{open']}\n"
        "    script: {}\n"
        "  - 7\n",
        "10:62 invalid: templates.a.outputs.parameters.z does not have valueFrom or value "
        "specified\n"
        "24:5 invalid: templates.e multiple template types specified\n"
        "27:5 invalid: spec.templates[5].name is required\n"
        "27:5 invalid: templates. template type unspecified. choose one of: container, script, "
        "containerSet, data, plugin, suspend, steps, dag\n"
        "8:37 invalid: templates.a.inputs failed to resolve {{inputs.parameters.q}}\n"
        "11:38 invalid: must be a text, and is of type array\n"
        "11:5 invalid: templates.a.script.source is required\n"
        "9:5 invalid: `soon` is not a duration\n"
        "14:5 not_found: the plugin `slack` has no address: weir.yaml says it, `workflow: "
        "{plugins: {slack: {address: http://localhost:4355}}}`\n"
        "13:5 not_supported: `daemon` is not supported yet\n"
        "16:26 not_supported: a volume of the kind `nfs` needs Kubernetes; here there are "
        "emptyDir, "
        "persistentVolumeClaim, configMap, secret, projected, downwardAPI, ephemeral and "
        "hostPath\n"
        "16:56 invalid: a hostPath volume shows files of this machine: it needs "
        "--allow-host-path\n"
        "16:78 invalid: volumes.name is required\n"
        "18:7 invalid: `command` must be of type array, and is of type string\n"
        "20:13 invalid: env[0].name is required\n"
        "20:47 not_supported: the field `spec.z` of a pod is not known here\n"
        "20:90 invalid: valueFrom needs one of secretKeyRef, configMapKeyRef, fieldRef, "
        "resourceFieldRef\n"
        "19:41 invalid: envFrom needs one of configMapRef and secretRef\n"
        "19:46 invalid: `name` is required\n"
        "21:62 invalid: volume 'vv' not found in workflow spec\n"
        "21:89 invalid: volumeMounts.mountPath is required\n"
        "23:13 invalid: a step group must be a list of steps, and is of type object\n");
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
             "    metadata: {annotations: {weir.estimate/seconds: '1.5', other: x}}\n"
             "    annotations: {weir.estimate/memory: 64Mi}\n"
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
        json.data,
        "{\"command\":[\"sleep\"],\"sandbox\":{},\"environment\":{\"A\":\"true\",\"B\":{\"secret\":"
        "\"s.k\"},\"C\":\"\"},\"directory\":\"/tmp\",\"source\":\"echo 7s {{.Other}} "
        "{{nothing}}\"}");
    assert_int_equal(weir_tasks_spec(d.tasks, 0)->timeout_us, 7000000);
    assert_int_equal(weir_tasks_spec(d.tasks, 0)->estimate.wall_us, 1500000);
    assert_int_equal(weir_tasks_spec(d.tasks, 0)->estimate.memory_bytes, 67108864);
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
        cmocka_unit_test(what_takes_no_place_keeps_none),
        cmocka_unit_test(what_is_beside_a_daemon_that_was_lost_does_not_wait),
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

/* What a node of a workflow costs that runs no process: a suspension that lasts no time.
 *
 * usage: workflow CASE N [--rounds R] [--recorded]
 *        CASE: sequence (a loop over N items), steps (N groups, one after another), layers (a DAG 100 wide, each task after two of
 *        the layer before), nested (templates of two steps, as deep as N nodes take). With --recorded events are made as a journal
 *        needs them.
 * Prints a line of JSON: nodes a second (best and median of R rounds), the time to compile the file, and bytes a node.
 * Exit code 2: the benchmark itself could not. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataflow.h"
#include "engine/machine.h"
#include "workflow/coordinator.h"
#include "workflow/plan.h"

enum { WIDTH = 100, ROUNDS_MAX = 100 };

static void begin_file(weir_buffer *out) {
    weir_buffer_text(out, "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: "
                          "bench}\nspec:\n  entrypoint: main\n  templates:\n  - {name: leaf, "
                          "suspend: {duration: \"0\"}}\n");
}

static void write_steps(size_t n, weir_buffer *out) {
    weir_buffer_text(out, "  - name: main\n    steps:\n");
    for (size_t i = 0; i < n / 2; i++)
        weir_buffer_printf(out, "    - [{name: s%zu, template: leaf}]\n", i);
}

static void write_layers(size_t n, weir_buffer *out) {
    weir_buffer_text(out, "  - name: main\n    dag:\n      tasks:\n");
    for (size_t i = 0; i < n; i++) {
        weir_buffer_printf(out, "      - {name: t%zu, template: leaf", i);
        if (i >= WIDTH)
            weir_buffer_printf(out, ", dependencies: [t%zu, t%zu]", i - WIDTH,
                               i / WIDTH * WIDTH - WIDTH + (i + 1) % WIDTH);
        weir_buffer_text(out, "}\n");
    }
}

/* A template of two steps is two nodes and those of its steps. */
static void write_nested(size_t n, weir_buffer *out) {
    size_t depth = 0;
    for (size_t nodes = 1; nodes < n && depth < WEIR__TEMPLATE_DEPTH_MAX - 1; nodes = 2 * nodes + 2)
        depth++;
    for (size_t i = 0; i < depth; i++) {
        char called[32];
        snprintf(called, sizeof called, "t%zu", i + 1);
        const char *next = i + 1 == depth ? "leaf" : called;
        weir_buffer_printf(
            out,
            "  - {name: %s%.0zu, steps: [[{name: a, template: %s}, {name: b, template: %s}]]}\n",
            i ? "t" : "main", i, next, next);
    }
}

static bool write_file(const char *kind, size_t n, weir_buffer *out) {
    begin_file(out);
    if (strcmp(kind, "sequence") == 0)
        weir_buffer_printf(out,
                           "  - {name: main, steps: [[{name: s, template: leaf, withSequence: "
                           "{count: %zu}}]]}\n",
                           n);
    else if (strcmp(kind, "steps") == 0)
        write_steps(n, out);
    else if (strcmp(kind, "layers") == 0)
        write_layers(n, out);
    else if (strcmp(kind, "nested") == 0)
        write_nested(n, out);
    else
        return false;
    return true;
}

static weir_plan *compile(weir_str text, double *seconds) {
    weir_document document = {0};
    weir_registry registry = {0};
    weir_problems problems = {0};
    weir_error error;
    bench_meter meter;
    weir_value *request = weir_object_new();
    bench_meter_start(&meter, true);
    if (!weir_document_parse(&document, "bench.yaml", text, WEIR_YAML_1_1, &error))
        bench_die("%s", error.message);
    weir_plan *plan = weir_workflow_compile(&document, request, &registry, &problems);
    bench_meter_stop(&meter);
    *seconds = meter.seconds;
    if (!plan) bench_die("%s", problems.items[0].message);
    weir_problems_deinit(&problems);
    weir_document_deinit(&document);
    weir_value_unref(request);
    return plan;
}

/* Runs it to its end; gives how many nodes it had. */
static size_t run(weir_plan *plan, bool recorded, bench_meter *meter) {
    bench_meter_start(meter, false);
    weir_machine *machine = weir_machine_new(
        plan, &(weir_machine_options){.run = "01hzzzzzzzzzzzzzzzzz", .recorded = recorded});
    uint64_t now_us = 1;
    weir_machine_created(machine, now_us, weir_object_new());
    while (!weir_machine_finished(machine)) {
        (void)!weir_machine_step(machine, ++now_us);
        weir_batch batch = {0};
        weir_machine_take(machine, &batch);
        weir_batch_deinit(&batch);
    }
    bench_meter_stop(meter);
    weir_str phase = weir_member_text(weir_machine_finished(machine), "phase");
    if (!weir_str_is(phase, "Succeeded")) bench_die("the run ended %s", phase.data);
    size_t nodes = ((const weir__run *)weir_machine_coordinator(machine))->nodes.count;
    weir_machine_free(machine);
    return nodes;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"rounds", required_argument, NULL, 'r'}, {"recorded", no_argument, NULL, 'j'}, {0}};
    size_t rounds = 5, nodes = 0, peak = 0;
    bool recorded = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) switch (option) {
        case 'r': rounds = strtoul(optarg, NULL, 10); break;
        case 'j': recorded = true; break;
        default: return 2;
        }
    if (argc - optind != 2 || !rounds || rounds > ROUNDS_MAX)
        bench_die("usage: workflow CASE N [--rounds R] [--recorded]");
    weir_buffer text = {0};
    double compiled, seconds[ROUNDS_MAX];
    if (!write_file(argv[optind], strtoul(argv[optind + 1], NULL, 10), &text))
        bench_die("there is no case `%s`", argv[optind]);
    weir_plan *plan = compile(weir_buffer_str(&text), &compiled);
    for (size_t i = 0; i < rounds; i++) {
        bench_meter meter;
        nodes = run(plan, recorded, &meter);
        seconds[i] = meter.seconds;
        if (meter.peak > peak) peak = meter.peak;
    }
    qsort(seconds, rounds, sizeof *seconds, by_size);
    printf("{\"case\": \"%s\", \"nodes\": %zu, \"best\": %.0f, \"median\": %.0f, "
           "\"compile_seconds\": %.3f, \"bytes_a_node\": %.0f}\n",
           argv[optind], nodes, (double)nodes / seconds[0], (double)nodes / seconds[rounds / 2],
           compiled, (double)peak / (double)nodes);
    weir_buffer_deinit(&text);
    weir_plan_unref(plan);
    return 0;
}

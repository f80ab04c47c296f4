/* A journal's batch, hostile but with a valid checksum: it is replayed or refused, and what it gave goes on. */
#include <stdlib.h>

#include "dataflow/plan.h"
#include "engine/machine.h"
#include "executor/inline.h"
#include "operations/operations.h"
#include "workflow/plan.h"

#define RUN "00000000000000000000"

static const char flow[] = "{\"definitions\": {\"line\": {\"primitive\": \"str\"}, \"n\": "
                           "{\"primitive\": \"array\"}, \"add\": "
                           "{\"primitive\": \"bool\"}, \"sum\": {\"primitive\": \"int\"}, \"p\": "
                           "{\"primitive\": \"str\"}, \"spec\": "
                           "{\"primitive\": \"array\"}}, \"operations\": {\"parse\": {\"name\": "
                           "\"calculator.parse_line\", "
                           "\"inputs\": {\"line\": \"line\"}, \"outputs\": {\"numbers\": \"n\", "
                           "\"add\": \"add\"}}, \"add\": {\"name\": "
                           "\"calculator.add\", \"inputs\": {\"numbers\": \"n\"}, \"outputs\": "
                           "{\"sum\": \"sum\"}, \"conditions\": "
                           "[\"add\"]}, \"glob\": {\"name\": \"files.glob\", \"inputs\": "
                           "{\"directory\": \"line\"}, \"outputs\": {\"paths\": "
                           "\"p\"}, \"expand\": [\"paths\"]}, \"get\": {\"name\": \"get_multi\", "
                           "\"inputs\": {\"spec\": \"spec\"}, "
                           "\"outputs\": {}, \"stage\": \"output\"}}, \"seed\": [{\"value\": "
                           "[\"sum\"], \"definition\": \"spec\"}, "
                           "{\"value\": \"add 1 and 2\", \"definition\": \"line\"}]}";

static const char workflow[] = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {name: "
                               "w}\nspec:\n  entrypoint: main\n  templates:\n"
                               "  - {name: main, steps: [[{name: a, template: leaf}], [{name: b, "
                               "template: dag, when: '1 == 1'}, {name: c, "
                               "template: leaf, when: '1 == 2'}]]}\n"
                               "  - {name: dag, dag: {tasks: [{name: x, template: leaf}, {name: y, "
                               "template: leaf, depends: x}]}}\n"
                               "  - {name: leaf, container: {command: [echo]}}\n";

/* Dataflows in a dataflow in both forms and a remap, with locks, forwarded inputs, a validator, retries and a timeout;
 * open for contexts from outside. */
static const char contexts[] =
    "definitions: {A: {primitive: int}, C: {primitive: int, lock: true}, T: {primitive: str}, I: "
    "{primitive: map}, R: {primitive: map}, V: {primitive: int, validate: v}, S: {primitive: "
    "array}, "
    "O: {primitive: map}, P: {primitive: map}, Q: {primitive: map}}\n"
    "operations:\n"
    "  run: {name: dffml.dataflow.run, inputs: {inputs: I}, outputs: {results: R}, expand: "
    "[results], retry: 2}\n"
    "  own: {name: dffml.dataflow.run, inputs: {T: T, C: C}, outputs: {r: A}, timeout_us: 1000}\n"
    "  v: {name: math.absolute, inputs: {number: V}, outputs: {result: A}, validator: true}\n"
    "  glob: {name: files.glob, inputs: {directory: T}, outputs: {paths: T}, expand: [paths]}\n"
    "  last: {name: files.glob, inputs: {directory: T}, outputs: {paths: T}, stage: cleanup}\n"
    "  remap: {name: remap, inputs: {spec: P}, outputs: {response: Q}, stage: output}\n"
    "  get: {name: get_multi, inputs: {spec: S}, outputs: {output: O}, stage: output}\n"
    "forward: {run: [T]}\n"
    "seed: [{value: [A], definition: S}, {value: {a: [A]}, definition: P}, {value: 1, definition: "
    "C}]\n"
    "configs:\n"
    "  run: {dataflow: &inner {definitions: {A: {primitive: int}, C: {primitive: int, lock: true}, "
    "T: {primitive: str}, S: {primitive: array}, O: {primitive: map}}, operations: {n: {name: "
    "math.negate, inputs: {number: A}, outputs: {result: C}}, g: {name: files.glob, inputs: "
    "{directory: T}, outputs: {paths: T}}, h: {name: files.glob, inputs: {directory: C}}, get: "
    "{name: get_single, inputs: {spec: S}, outputs: {output: "
    "O}, "
    "stage: output}}, seed: [{value: [{r: C}], definition: S}, {value: 3, definition: C}]}}\n"
    "  own: {dataflow: *inner}\n"
    "  remap: {dataflow: {definitions: {A: {primitive: int}, S: {primitive: array}, O: {primitive: "
    "map}}, operations: {get: {name: get_multi, inputs: {spec: S}, outputs: {output: O}, stage: "
    "output}}, seed: [{value: [A], definition: S}]}}\n";

/* What an executor would say of the attempt. */
static void report(weir_machine *machine, const weir_effect *effect, uint64_t now_us) {
    weir_report r = {.attempt = {.run = RUN, .task = effect->task, .number = effect->number}};
    r.kind = effect->task % 2 ? WEIR_REPORT_FINISHED : WEIR_REPORT_YIELDED;
    weir_value *outputs = weir_object_new();
    if (r.kind == WEIR_REPORT_YIELDED) {
        r.data = weir_object_new();
        weir_member_put(r.data, "outputs", outputs);
        weir_machine_report(machine, now_us, &r);
        weir_report_deinit(&r);
        r.kind = WEIR_REPORT_FINISHED;
    } else {
        r.outcome.outputs = outputs;
    }
    weir_machine_report(machine, now_us, &r);
    weir_report_deinit(&r);
}

/* Goes on as an engine does, for a while. */
static void go_on(weir_machine *machine) {
    enum { ROUNDS = 20 };
    for (uint64_t round = 0; round < ROUNDS; round++) {
        weir_batch batch;
        weir_machine_step(machine, round * 1000);
        weir_machine_take(machine, &batch);
        for (size_t i = 0; i < batch.effects.count; i++)
            if (batch.effects.items[i].kind == WEIR_EFFECT_START)
                report(machine, &batch.effects.items[i], round * 1000);
        weir_batch_deinit(&batch);
        if (round == ROUNDS / 2) weir_machine_cancelled(machine, round * 1000, false);
    }
}

static void replay(weir_plan *plan, weir_str bytes) {
    weir_error error;
    weir_machine *machine = weir_machine_new(
        plan, &(weir_machine_options){.run = RUN, .recorded = true, .call = weir_inline_make_call});
    bool ok = weir_machine_replay(machine, bytes, &error);
    if (ok && weir_machine_request(machine)) {
        weir_machine_recovered(machine, 1, WEIR_STR("another"));
        go_on(machine);
    }
    weir_coordinator *coordinator = weir_machine_coordinator(machine);
    weir_value_unref(coordinator->class->status(coordinator));
    weir_machine_free(machine);
}

static weir_plan *plans[3];

static weir_plan *compile(const char *file, weir_str text, bool argo, weir_registry *registry) {
    weir_document document;
    weir_error error;
    weir_problems problems = {0};
    weir_value *request = weir_object_new();
    weir_member_put(request, "open", weir_bool_new(text.data == contexts));
    if (!weir_document_parse(&document, file, text, argo ? WEIR_YAML_1_1 : WEIR_YAML_CORE, &error))
        abort();
    weir_plan *plan = (argo ? weir_workflow_compile : weir_dataflow_compile)(&document, request,
                                                                             registry, &problems);
    if (!plan) abort();
    weir_problems_deinit(&problems);
    weir_document_deinit(&document);
    weir_value_unref(request);
    return plan;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static weir_registry registry;
    static weir_plugin_open_function *const standard[] = {
        weir_calculator_plugin, weir_files_plugin, weir_output_plugin,
        weir_process_plugin,    weir_math_plugin,  weir_dataflow_plugin};
    weir_error error;
    (void)argc;
    (void)argv;
    for (size_t i = 0; i < sizeof standard / sizeof *standard; i++)
        if (!weir_registry_add(&registry, standard[i](weir_host_get()), &error)) abort();
    plans[0] = compile("f.json", weir_str_from(flow), false, &registry);
    plans[2] = compile("c.yaml", weir_str_from(contexts), false, &registry);
    plans[1] = compile("w.yaml", weir_str_from(workflow), true, &registry);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weir_str bytes = {(const char *)data, size};
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) replay(plans[i], bytes);
    return 0;
}

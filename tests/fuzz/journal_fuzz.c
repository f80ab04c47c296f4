/* A journal's batch, hostile but with a valid checksum: it is replayed or refused, and what it gave goes on. */
#include <stdlib.h>

#include "dataflow/plan.h"
#include "engine/machine.h"
#include "executor/inline.h"
#include "operations/operations.h"
#include "workflow/plan.h"

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

static void replay(weir_plan *plan, weir_str bytes) {
    weir_error error;
    weir_machine *machine =
        weir_machine_new(plan, &(weir_machine_options){.run = "00000000000000000000"});
    bool ok = weir_machine_replay(machine, bytes, &error);
    if (ok && weir_machine_request(machine))
        weir_machine_recovered(machine, 1, WEIR_STR("another"));
    weir_coordinator *coordinator = weir_machine_coordinator(machine);
    weir_value_unref(coordinator->class->status(coordinator));
    weir_machine_free(machine);
}

static weir_plan *plans[2];

static weir_plan *compile(const char *file, weir_str text, bool argo, weir_registry *registry) {
    weir_document document;
    weir_error error;
    weir_problems problems = {0};
    weir_value *request = weir_object_new();
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
    static weir_plugin_open_function *const standard[] = {weir_calculator_plugin, weir_files_plugin,
                                                          weir_output_plugin, weir_process_plugin};
    weir_error error;
    (void)argc;
    (void)argv;
    for (size_t i = 0; i < sizeof standard / sizeof *standard; i++)
        if (!weir_registry_add(&registry, standard[i](weir_host_get()), &error)) abort();
    plans[0] = compile("f.json", weir_str_from(flow), false, &registry);
    plans[1] = compile("w.yaml", weir_str_from(workflow), true, &registry);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weir_str bytes = {(const char *)data, size};
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) replay(plans[i], bytes);
    return 0;
}

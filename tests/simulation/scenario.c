#include "scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/json.h"
#include "dataflow/plan.h"
#include "executor/inline.h"
#include "jobs.h"
#include "operations/operations.h"
#include "pipeline/plan.h"
#include "simulation.h"
#include "workflow/plan.h"

/* --- operations ----------------------------------------------------------------------------- */

/* A number that any change of the parameters changes. */
static int64_t digest(const weir_host *host, weir_call *call, int64_t below) {
    weir_buffer text = {0};
    static const char *const names[] = {"a", "b"};
    for (size_t i = 0; i < 2; i++) {
        const weir_value *value = host->parameter(call, names[i]);
        if (value) weir_json_format(value, 0, &text);
        weir_buffer_byte(&text, ',');
    }
    uint64_t hash = weir_hash(text.data, text.length);
    weir_buffer_deinit(&text);
    return (int64_t)(hash % (uint64_t)below);
}

static bool mix(const weir_host *host, weir_call *call) {
    host->output(call, "value", host->int_new(digest(host, call, 1000)));
    return true;
}

static bool odd(const weir_host *host, weir_call *call) {
    host->output(call, "value", host->bool_new(digest(host, call, 2) == 1));
    return true;
}

static bool split(const weir_host *host, weir_call *call) {
    weir_value *values = host->array_new();
    int64_t first = digest(host, call, 1000);
    for (int64_t i = 0; i < 1 + first % 3; i++)
        host->array_append(values, host->int_new(first + i));
    host->output(call, "value", values);
    return true;
}

void scenario_operations(weir_registry *registry) {
    static const weir_port inputs[] = {
        {"a", "generic", ""}, {"b", "generic", ""}, {NULL, NULL, NULL}};
    static const weir_port outputs[] = {{"value", "generic", ""}, {NULL, NULL, NULL}};
    static const weir_port config[] = {{"label", "str", ""}, {NULL, NULL, NULL}};
#define OPERATION(text, hints, run)                                                                \
    { sizeof(weir_operation), text, "", inputs, outputs, config, hints, run, NULL }
    static const weir_operation operations[] = {OPERATION("mix", WEIR_PURE | WEIR_CHEAP, mix),
                                                OPERATION("odd", WEIR_PURE | WEIR_CHEAP, odd),
                                                OPERATION("split", WEIR_PURE | WEIR_CHEAP, split),
                                                OPERATION("work", WEIR_BLOCKING, NULL)};
#undef OPERATION
    static const weir_operation *const list[] = {&operations[0], &operations[1], &operations[2],
                                                 &operations[3], NULL};
    static const weir_plugin plugin = {WEIR_ABI, sizeof plugin, "simulation", "1", list};
    const weir_plugin *plugins[] = {&plugin, weir_process_plugin(weir_host_get()),
                                    weir_output_plugin(weir_host_get())};
    for (size_t i = 0; i < 3; i++) weir_assert(weir_registry_add(registry, plugins[i], NULL));
}

/* --- scenarios ------------------------------------------------------------------------------ */

typedef weir_plan *compile_function(const weir_document *document, const weir_value *request,
                                    const weir_registry *registry, weir_problems *problems);

static void compile(scenario *s, compile_function *compile_kind, const weir_registry *registry) {
    weir_document document = {0};
    weir_problems problems = {0};
    weir_error error;
    char line[1024];
    if (weir_document_parse(&document, "scenario", weir_buffer_str(&s->text), WEIR_YAML_CORE,
                            &error))
        s->plan = compile_kind(&document, s->request, registry, &problems);
    else
        weir_problems_add(&problems, &error);
    for (size_t i = 0; i < problems.count; i++)
        fprintf(stderr, "%s\n", weir_error_format(&problems.items[i], line, sizeof line));
    if (!s->plan) {
        fprintf(stderr, "%s\nseed %" PRIu64 " does not compile\n", s->text.data, s->seed);
        exit(3);
    }
    weir_problems_deinit(&problems);
    weir_document_deinit(&document);
}

void scenario_init(scenario *s, uint64_t seed, const weir_registry *registry) {
    uint64_t chance = seed;
    *s = (scenario){.seed = seed, .request = weir_object_new()};
    s->cancels = chance_draw(&chance, 8) == 0;
    s->may_fail = chance_draw(&chance, 3) == 0;
    s->lazy = chance_draw(&chance, 3) == 0;
    if (chance_draw(&chance, 2)) s->limits.attempts = 1 + (uint32_t)chance_draw(&chance, 4);
    if (chance_draw(&chance, 3) == 0) s->limits.cpu_milli = 2000;
    if (chance_draw(&chance, 3) == 0) s->limits.memory_bytes = 2000;
    switch (chance_draw(&chance, 5)) {
    case 0:
    case 1:
        if (chance_draw(&chance, 2)) s->contexts_max = 1 + (uint32_t)chance_draw(&chance, 2);
        if (s->contexts_max)
            weir_member_put(s->request, "max_contexts", weir_int_new(s->contexts_max));
        s->fails_fast = true; /* also when it is not strict: a failed cleanup ends the run */
        weir_member_put(s->request, "strict", weir_bool_new(chance_draw(&chance, 2)));
        scenario_write_dataflow(&chance, &s->text, s->request);
        compile(s, weir_dataflow_compile, registry);
        break;
    case 2:
        scenario_write_workflow(&chance, &s->text);
        compile(s, weir_workflow_compile, registry);
        break;
    case 3:
        s->fails_fast = true;
        scenario_write_pipeline(&chance, &s->text, s->request);
        compile(s, weir_pipeline_compile, registry);
        break;
    default: s->plan = jobs_plan_new(&chance); s->beats = true;
    }
}

void scenario_deinit(scenario *s) {
    s->plan->free(s->plan);
    weir_value_unref(s->request);
    weir_buffer_deinit(&s->text);
}

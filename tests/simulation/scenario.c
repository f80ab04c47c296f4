#include "scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataflow/plan.h"
#include "jobs.h"
#include "pipeline/plan.h"
#include "simulation.h"
#include "workflow/plan.h"

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

/* Which of the ready tasks is next must not change how a run ends. By a chance of its own, so that the files of seeds stay what they are. */
static void draw_order(scenario *s) {
    static const char *const optima[] = {"time", "memory", "energy"};
    uint64_t chance = chance_mix(s->seed ^ 0x0bde5);
    uint64_t scheduler = chance_draw(&chance, 2 * WEIR_SCHEDULERS),
             optimum = chance_draw(&chance, 9);
    if (scheduler < WEIR_SCHEDULERS)
        weir_member_put_text(s->request, "scheduler",
                             weir_str_from(weir_scheduler_text((weir_scheduler)scheduler)));
    if (optimum < 3) weir_member_put_text(s->request, "optimize", weir_str_from(optima[optimum]));
}

void scenario_init(scenario *s, uint64_t seed, const weir_registry *registry) {
    uint64_t chance = seed;
    *s = (scenario){.seed = seed, .request = weir_object_new(), .loose = weir_array_new()};
    s->cancels = chance_draw(&chance, 8) == 0;
    s->may_fail = chance_draw(&chance, 3) == 0;
    s->lazy = chance_draw(&chance, 3) == 0;
    if (chance_draw(&chance, 2)) s->limits.attempts = 1 + (uint32_t)chance_draw(&chance, 4);
    if (chance_draw(&chance, 3) == 0) s->limits.cpu_milli = 2000;
    if (chance_draw(&chance, 3) == 0) s->limits.memory_bytes = 2000;
    draw_order(s);
    switch (chance_draw(&chance, 6)) {
    case 0:
    case 1:
    case 2:
        if (chance_draw(&chance, 2)) s->contexts_max = 1 + (uint32_t)chance_draw(&chance, 2);
        if (s->contexts_max)
            weir_member_put(s->request, "max_contexts", weir_int_new(s->contexts_max));
        s->fails_fast = true; /* also when it is not strict: a failed cleanup ends the run */
        s->strict = chance_draw(&chance, 2);
        weir_member_put(s->request, "strict", weir_bool_new(s->strict));
        scenario_write_dataflow(s, &chance);
        compile(s, weir_dataflow_compile, registry);
        break;
    case 3:
        s->asks = true;
        scenario_write_workflow(&chance, &s->text, s->request);
        compile(s, weir_workflow_compile, registry);
        break;
    case 4:
        s->fails_fast = true;
        scenario_write_pipeline(s, &chance);
        compile(s, weir_pipeline_compile, registry);
        break;
    default: s->plan = jobs_plan_new(&chance); s->beats = true;
    }
}

void scenario_deinit(scenario *s) {
    s->plan->free(s->plan);
    for (size_t i = 0; i < s->gifts.count; i++) weir_value_unref(s->gifts.items[i].data);
    weir_vector_deinit(&s->gifts);
    weir_value_unref(s->flow);
    weir_value_unref(s->request);
    weir_value_unref(s->loose);
    weir_buffer_deinit(&s->text);
}

/* What it costs to prove a dataflow and a workflow of so many components, beside compiling it: a line "shape components compile_us
 * prove_us findings foresee_us" for each shape; the last is what telling its graph, its longest way and its course takes. usage: proof COMPONENTS */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../operations/operations.h"
#include "dataflow/prove.h"
#include "executor/inline.h"
#include "task/forecast.h"
#include "workflow/prove.h"

static uint64_t now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static weir_registry registry;

/* Each takes what the one `back` before it gives; the last closes a cycle, or not. */
static void write_dataflow(uint32_t count, uint32_t back, bool cycle, weir_buffer *out) {
    weir_buffer_text(out, "{\"definitions\": {\"d0\": {}");
    for (uint32_t i = 1; i < count + back; i++) weir_buffer_printf(out, ",\"d%u\":{}", i);
    weir_buffer_text(out, "},\"operations\": {\"get_single\": {\"inputs\": {\"spec\": \"d0\"}, "
                          "\"stage\": \"output\"}");
    for (uint32_t i = 0; i + 1 < count; i++) /* with the output operation so many */
        weir_buffer_printf(out,
                           ",\"o%u\":{\"name\":\"math.absolute\",\"inputs\":{\"number\":\"d%u\"},"
                           "\"outputs\":{\"result\":\"d%u\"}}",
                           i, i, cycle && i + 2 == count ? 0 : i + back);
    weir_buffer_text(out, "}}");
}

static void write_workflow(uint32_t count, uint32_t back, weir_buffer *out) {
    weir_buffer_text(out, "{\"apiVersion\": \"argoproj.io/v1alpha1\", \"kind\": \"Workflow\", "
                          "\"metadata\": {\"name\": \"w\"}, \"spec\": {\"entrypoint\": \"main\", "
                          "\"templates\": [{\"name\": \"s\", \"suspend\": {\"duration\": 1}}, "
                          "{\"name\": \"main\", \"dag\": {\"tasks\": [");
    for (uint32_t i = 0; i < count; i++) {
        weir_buffer_printf(out, "%s{\"name\":\"t%u\",\"template\":\"s\"", i ? "," : "", i);
        if (i >= back) weir_buffer_printf(out, ",\"depends\":\"t%u.Succeeded\"", i - back);
        weir_buffer_text(out, "}");
    }
    weir_buffer_text(out, "]}}]}}");
}

static void count_finding(void *arg, const weir_error *error, const weir_value *detail) {
    (void)error;
    (void)detail;
    ++*(size_t *)arg;
}

/* All that `weir plan` makes of a plan, but for what the store knows. */
static uint64_t foresee(const weir_plan *plan, const weir_value *request) {
    weir_forecast forecast = {0};
    uint64_t begin = now_us();
    plan->forecast(plan, request, &forecast);
    uint64_t *us = weir_alloc((forecast.steps.count + 1) * sizeof *us);
    uint32_t *way = weir_alloc((forecast.steps.count + 1) * sizeof *way);
    weir_forecast_remaining(&forecast, us);
    (void)weir_forecast_longest_way(&forecast, us, way);
    (void)weir_forecast_simulate(&forecast, &(weir_forecast_limits){.slots = 8}, false);
    weir_free(us);
    weir_free(way);
    weir_forecast_deinit(&forecast);
    return now_us() - begin;
}

static void measure(const char *shape, uint32_t count, bool workflow, weir_buffer *text) {
    weir_document document = {0};
    weir_problems problems = {0};
    weir_error error;
    size_t findings = 0;
    if (!weir_document_parse(&document, "f.json", weir_buffer_str(text), WEIR_YAML_CORE, &error)) {
        fprintf(stderr, "%s\n", error.message);
        exit(2);
    }
    weir_value *request = weir_object_new();
    uint64_t begin = now_us();
    weir_plan *plan = workflow ? weir_workflow_compile(&document, request, &registry, &problems)
                               : weir_dataflow_compile(&document, request, &registry, &problems);
    uint64_t compiled = now_us();
    if (!plan) {
        fprintf(stderr, "%s\n", problems.items[0].message);
        exit(2);
    }
    /* Places of findings are looked for in the text, which takes as long as reading it: that is measured by nobody here. */
    weir_buffer_clear(&document.text);
    uint64_t ready = now_us();
    weir_proof proof = {.document = &document,
                        .found = count_finding,
                        .arg = &findings,
                        .summary = weir_object_new()};
    (workflow ? weir_workflow_prove : weir_dataflow_prove)(plan, request, &proof);
    uint64_t proved = now_us();
    uint64_t foreseen = foresee(plan, request);
    printf("%s %u %llu %llu %zu %llu\n", shape, count, (unsigned long long)(compiled - begin),
           (unsigned long long)(proved - ready), proof.errors + proof.warnings,
           (unsigned long long)foreseen);
    weir_value_unref(proof.summary);
    weir_value_unref(request);
    weir_plan_unref(plan);
    weir_problems_deinit(&problems);
    weir_document_deinit(&document);
    weir_buffer_deinit(text);
}

int main(int argc, char **argv) {
    uint32_t count = argc == 2 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
    weir_buffer text = {0};
    if (count < 2) return 2;
    if (!weir_registry_add(&registry, weir_output_plugin(weir_host_get()), NULL) ||
        !weir_registry_add(&registry, weir_math_plugin(weir_host_get()), NULL))
        return 2;
    write_dataflow(count, 1, false, &text);
    measure("chain", count, false, &text);
    write_dataflow(count, count / 2, false, &text);
    measure("wide", count, false, &text);
    write_dataflow(count, 1, true, &text);
    measure("cycle", count, false, &text);
    write_workflow(count, 1, &text);
    measure("workflow-chain", count, true, &text);
    write_workflow(count, count / 2, &text);
    measure("workflow-wide", count, true, &text);
    weir_registry_deinit(&registry);
    return 0;
}

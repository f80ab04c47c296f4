/* Runs of dataflows in an engine on a store. */
#include "store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weir/weir.h>

#include "io/loop.h"

enum { AT_ONCE_MAX = 1000 };

static weir_engine *engine;
static const char *flow;
static char **texts; /* NAME=TEXT… */

static weir_value *text_value(const char *text) {
    return weir_string_new(text, strlen(text));
}

static void put(weir_value *object, const char *key, weir_value *value) {
    weir_object_set(object, key, strlen(key), value);
}

static uint64_t resident_most(void) {
    uint64_t kilobytes = 0;
    char line[128];
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmHWM: %" SCNu64, &kilobytes) == 1) break;
    if (status) fclose(status);
    return kilobytes * 1024;
}

static weir_value *given(void) {
    weir_value *values = weir_object_new();
    for (char **text = texts; *text; text++) {
        const char *equals = strchr(*text, '=');
        if (!equals) bench_die("NAME=TEXT");
        weir_object_set(values, *text, (size_t)(equals - *text), text_value(equals + 1));
    }
    return values;
}

static weir_value *request_for(const char *key, weir_value *values) {
    weir_value *request = weir_object_new();
    put(request, "file", text_value(flow));
    put(request, key, values);
    return request;
}

static weir_run *start_run(const weir_value *request) {
    weir_run *run;
    weir_error error;
    if (!weir_run_start(engine, request, NULL, NULL, &run, &error)) bench_die(error.message);
    return run;
}

static void end_run(weir_run *run) {
    while (!weir_run_wait(run, 1000)) continue;
    if (weir_run_code(run)) bench_die("a run failed");
    weir_run_close(run);
}

static void many_runs(uint64_t count, size_t at_once) {
    static weir_run *runs[AT_ONCE_MAX];
    memset(runs, 0, sizeof runs);
    weir_value *request = request_for("texts", given());
    for (uint64_t i = 0; i < count; i++) {
        if (runs[i % at_once]) end_run(runs[i % at_once]);
        runs[i % at_once] = start_run(request);
    }
    for (size_t i = 0; i < at_once; i++)
        if (runs[i]) end_run(runs[i]);
    weir_value_unref(request);
}

static void many_contexts(uint64_t count, size_t at_once) {
    weir_value *contexts = weir_object_new();
    for (uint64_t i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "c%" PRIu64, i);
        put(contexts, name, given());
    }
    weir_value *request = request_for("context_texts", contexts);
    put(request, "max_contexts", weir_int_new((int64_t)at_once));
    end_run(start_run(request));
    weir_value_unref(request);
}

static void recover(uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        weir_run *run;
        weir_error error;
        if (!weir_run_recover(engine, "@latest", &run, &error)) bench_die(error.message);
        end_run(run);
    }
}

void bench_runs(const char *which, const char *url, uint64_t count, char **words) {
    bool none = strcmp(url, "none") == 0;
    const char *colon = strchr(which, ':'), *const plugins[] = {words[2], NULL};
    size_t at_once = colon ? strtoul(colon + 1, NULL, 10) : 1;
    if (!at_once || at_once > AT_ONCE_MAX) bench_die("1 to 1000 at once");
    weir_options options = {.size = sizeof options,
                            .state = none ? NULL : words[1],
                            .durability = none ? WEIR_DURABILITY_NONE : WEIR_DURABILITY_FULL,
                            .store = none ? NULL : url,
                            .plugins = plugins,
                            .record_all = true};
    weir_error error;
    flow = words[0];
    texts = words + 3;
    if (!weir_open(&options, &engine, &error)) bench_die(error.message);
    bool runs = strncmp(which, "runs", strlen("runs")) == 0;
    if (runs && count > 1) many_runs(1, 1); /* connects, and prepares its statements */
    uint64_t resident = resident_most(), since_us = weir_clock_steady_us();
    double cpu = bench_cpu_seconds();
    if (runs)
        many_runs(count, at_once);
    else if (strncmp(which, "contexts", strlen("contexts")) == 0)
        many_contexts(count, at_once);
    else
        recover(count);
    printf("%" PRIu64 " %.6f %.6f %" PRIu64 "\n", count,
           (double)(weir_clock_steady_us() - since_us) / 1e6, bench_cpu_seconds() - cpu,
           resident_most() - resident);
    weir_close(engine);
}

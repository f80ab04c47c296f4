/* A test of the plugin beside it: what text.shout gives, and what it says of wrong parameters. */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <weir/weir.h>

static weir_value *get(const weir_value *object, const char *key) {
    return weir_object_get(object, key, strlen(key));
}

/* Runs shout.json with the input; the result is the caller's. */
static weir_value *run_shout(weir_engine *engine, weir_value *quiet) {
    weir_error error;
    weir_run *run;
    weir_value *request = weir_object_new(), *inputs = weir_object_new();
    weir_object_set(request, "file", 4, weir_string_new("shout.json", 10));
    weir_object_set(inputs, "quiet", 5, quiet);
    weir_object_set(request, "inputs", 6, inputs);
    bool started = weir_run_start(engine, request, NULL, NULL, &run, &error);
    if (!started) fprintf(stderr, "%s\n", error.message);
    assert(started);
    while (!weir_run_wait(run, 1000)) continue;
    weir_value *result = weir_run_result(run);
    weir_run_close(run);
    weir_value_unref(request);
    return result;
}

int main(void) {
    weir_engine *engine;
    weir_error error;
    const char *const plugins[] = {"./shout.so", NULL};
    weir_options options = {
        .size = sizeof options, .durability = WEIR_DURABILITY_NONE, .plugins = plugins};
    bool opened = weir_open(&options, &engine, &error);
    if (!opened) fprintf(stderr, "%s\n", error.message);
    assert(opened);

    weir_value *result = run_shout(engine, weir_string_new("hello", 5));
    weir_value *loud = get(get(get(result, "results"), "default"), "loud");
    assert(strcmp(weir_string_get(loud).data, "HELLO") == 0);
    weir_value_unref(result);

    result = run_shout(engine, weir_int_new(7));
    weir_str what = weir_string_get(get(get(result, "error"), "what"));
    assert(strstr(what.data, "parameter `text` must be a string"));
    weir_value_unref(result);

    weir_close(engine);
    puts("passed");
    return 0;
}

/* A dataflow in a C program. */
#include <stdio.h>
#include <string.h>
#include <weir/weir.h>

static void put(weir_value *object, const char *key, const char *text) {
    weir_object_set(object, key, strlen(key), weir_string_new(text, strlen(text)));
}

static weir_value *get(const weir_value *object, const char *key) {
    return weir_object_get(object, key, strlen(key));
}

static int say(const weir_error *error) {
    char text[1200];
    fprintf(stderr, "%s\n", weir_error_format(error, text, sizeof text));
    return weir_code_exit(error->code);
}

int main(void) {
    weir_engine *engine;
    weir_run *run;
    weir_error error;
    weir_value *request = weir_object_new(), *inputs = weir_object_new();
    put(inputs, "line", "add 40 and 2");
    put(request, "file", "../calculator/calculator.json");
    weir_object_set(request, "texts", 5, inputs);

    weir_options options = {.size = sizeof options, .durability = WEIR_DURABILITY_NONE};
    if (!weir_open(&options, &engine, &error)) return say(&error);
    if (!weir_run_start(engine, request, NULL, NULL, &run, &error)) return say(&error);
    while (!weir_run_wait(run, 1000)) continue;
    weir_value *result = weir_run_result(run);
    if (weir_run_code(run) == WEIR_OK)
        printf("%g\n", weir_number_get(get(get(get(result, "results"), "default"), "result")));

    int code = weir_code_exit(weir_run_code(run));
    weir_value_unref(result);
    weir_value_unref(request);
    weir_run_close(run);
    weir_close(engine);
    return code;
}

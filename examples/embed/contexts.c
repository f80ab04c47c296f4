/* A dataflow that goes on while contexts are added to it and inputs sent to them. */
#include <stdio.h>
#include <string.h>
#include <weir/weir.h>

static weir_value *text(const char *value) {
    return weir_string_new(value, strlen(value));
}

static void put(weir_value *object, const char *key, weir_value *value) {
    weir_object_set(object, key, strlen(key), value);
}

static int say(const weir_error *error) {
    char line[1200];
    fprintf(stderr, "%s\n", weir_error_format(error, line, sizeof line));
    return weir_code_exit(error->code);
}

/* [{value, definition}], with one person. */
static weir_value *someone(const char *name) {
    weir_value *inputs = weir_array_new(), *input = weir_object_new();
    put(input, "value", text(name));
    put(input, "definition", text("person"));
    weir_array_append(inputs, input);
    return inputs;
}

/* Called within weir_run_wait, once for each context. */
static void finished(void *arg, weir_run *run, weir_str context, const weir_value *result) {
    (void)arg;
    (void)run;
    const weir_value *greetings = weir_object_get(result, "greeting", strlen("greeting"));
    for (size_t i = 0; i < weir_value_count(greetings); i++)
        printf("%s: %s\n", context.data, weir_string_get(weir_array_at(greetings, i)).data);
}

static bool give(weir_run *run, weir_error *error) {
    weir_value *ada = someone("Ada"), *grace = someone("Grace");
    bool ok = weir_context_open(run, "short", ada, false, error) &&
              weir_context_open(run, "long", ada, true, error) && /* more will be sent to it */
              !weir_run_wait(run, 10) &&                          /* things happen meanwhile */
              weir_context_send(run, "long", grace, error) &&
              weir_context_close(run, "long", error);
    weir_value_unref(ada);
    weir_value_unref(grace);
    return ok;
}

int main(void) {
    weir_engine *engine;
    weir_run *run;
    weir_error error;
    weir_value *request = weir_object_new();
    put(request, "file", text("../configs/greetings.dirconf.yaml"));
    put(request, "open", weir_bool_new(true));

    weir_options options = {.size = sizeof options,
                            .durability = WEIR_DURABILITY_NONE,
                            .result = finished,
                            .results_go = true};
    if (!weir_open(&options, &engine, &error)) return say(&error);
    if (!weir_run_start(engine, request, NULL, NULL, &run, &error)) return say(&error);
    if (!give(run, &error)) return say(&error);
    weir_run_end(run);
    while (!weir_run_wait(run, 1000)) continue;

    int code = weir_code_exit(weir_run_code(run));
    weir_value_unref(request);
    weir_run_close(run);
    weir_close(engine);
    return code;
}

/* The embedding interface, as an embedder sees it. */
#include "embedding.h"

#include <errno.h>
#include <signal.h>

/* --- the examples --- */

static const struct example {
    const char *file, *kind, *input[2], *second[2];
} examples[] = {
    {"examples/calculator/calculator.json", "dataflow", {"line", "add 40 and 2"}, {NULL, NULL}},
    {"examples/words/words.json", "dataflow", {"directory", NULL}, {NULL, NULL}},
    {"examples/pipeline/invoice.yaml", "pipeline", {"document_id", "D0"}, {"page_num", "0"}},
    {"examples/pipeline/invoice-list.yaml", "pipeline", {"document_id", "D0"}, {"page_num", "0"}},
    {"examples/workflow/hello-world.yaml", "workflow", {NULL, NULL}, {NULL, NULL}},
    {"examples/workflow/coinflip.yaml", "workflow", {NULL, NULL}, {NULL, NULL}},
    {"examples/workflow/dag-diamond.yaml", "workflow", {NULL, NULL}, {NULL, NULL}},
    {"examples/workflow/script.yaml", "workflow", {NULL, NULL}, {NULL, NULL}},
    {"examples/workflow/child-run.yaml", "workflow", {NULL, NULL}, {NULL, NULL}},
    {"examples/configs/greetings.dirconf.yaml", "dataflow", {"person", "Ada"}, {NULL, NULL}},
    {"examples/subflow/area.yaml", "dataflow", {"width", "4"}, {"length", "3"}},
    {"examples/subflow/contexts.yaml", "dataflow", {NULL, NULL}, {NULL, NULL}},
    {"examples/subflow/forward.yaml", "dataflow", {NULL, NULL}, {NULL, NULL}},
};

static weir_value *request_of(const struct example *example) {
    weir_value *request = request_for(source_file(example->file), NULL);
    weir_value *texts = weir_object_new();
    if (example->input[0])
        put_text(texts, example->input[0],
                 example->input[1] ? example->input[1] : source_file("examples"));
    if (example->second[0]) put_text(texts, example->second[0], example->second[1]);
    weir_object_set(request, "texts", 5, texts);
    return request;
}

static void check_result(const struct example *example, const weir_value *results) {
    if (strstr(example->file, "calculator"))
        assert_int_equal(weir_int_get(member(member(results, "default"), "result")), 42);
    if (strstr(example->file, "words"))
        assert_true(weir_value_count(member(member(results, "default"), "counts")) > 5);
    if (strstr(example->file, "greetings"))
        assert_int_equal(weir_value_count(member(member(results, "default"), "greeting")), 2);
    if (!strstr(example->file, "invoice")) return;
    assert_int_equal(weir_value_count(results), 3);
    assert_int_equal(weir_int_get(member(results, "total")), 42);
    assert_int_equal(weir_value_count(member(results, "table.cells")), 2);
    assert_string_equal(text_of(results, "letter.text"), "Please pay 42 for D0.");
}

static void check_example(void **state) {
    const struct example *example = *state;
    for (int durable = 0; durable < 2; durable++) {
        open_engine(durable ? WEIR_DURABILITY_BATCH : WEIR_DURABILITY_NONE);
        char kind[16];
        weir_value *request = request_of(example);
        assert_true(weir_check(engine, request, print_problem, NULL, kind, &error));
        assert_string_equal(kind, example->kind);
        weir_value *result = result_of(start(request), "Succeeded");
        assert_string_equal(text_of(result, "kind"), example->kind);
        assert_int_equal(strlen(text_of(result, "run")), 20);
        check_result(example, member(result, "results"));
        weir_value_unref(result);
        weir_close(engine);
        engine = NULL;
    }
}

static void without_durability_nothing_is_left(void **state) {
    (void)state;
    char before[4096];
    const char *file = source_file("examples/workflow/script.yaml");
    assert_non_null(getcwd(before, sizeof before));
    for (int given = 0; given < 2; given++) {
        setenv("TMPDIR", folder, 1);
        assert_int_equal(chdir(folder), 0);
        assert_true(open_with((weir_options){.state = given ? state_folder : NULL,
                                             .durability = WEIR_DURABILITY_NONE}));
        succeed(start(request_for(file, NULL)));
        weir_value *list;
        assert_true(weir_list(engine, 0, &list, &error));
        assert_int_equal(weir_value_count(list), 1);
        weir_value_unref(list);
        weir_close(engine);
        engine = NULL;
        unsetenv("TMPDIR");
        assert_int_equal(chdir(before), 0);
        assert_int_equal(files_without(folder, NULL), 0);
        assert_int_not_equal(access(state_folder, F_OK), 0);
    }
}

/* --- wrong requests --- */

static void count_problem(void *arg, const weir_error *problem) {
    assert_int_not_equal(problem->code, WEIR_OK);
    ++*(size_t *)arg;
}

static void all_that_is_wrong_is_said(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_FULL);
    weir_run *run = NULL;
    size_t count = 0;
    char kind[16];
    weir_value *request = request_for(
        write_file("wrong.json", "{\"operations\": {\n \"a\": {\"name\": \"calculator.ad\"},\n"
                                 " \"b\": {\"name\": \"nowhere\"}}}"),
        NULL);
    assert_false(weir_run_start(engine, request, count_problem, &count, &run, &error));
    assert_null(run);
    assert_int_equal(count, 2);
    assert_int_equal(error.code, WEIR_UNKNOWN_OPERATION);
    assert_int_equal(error.line, 2);
    assert_non_null(strstr(error.file, "wrong.json"));
    assert_non_null(strstr(error.hint, "calculator.add"));
    assert_false(weir_run_start(engine, request, NULL, NULL, &run, &error));
    assert_false(weir_check(engine, request, count_problem, &count, kind, &error));
    assert_int_equal(count, 4);
    assert_string_equal(kind, "dataflow");
    weir_value_unref(request);
    weir_value *list;
    assert_true(weir_list(engine, 0, &list, &error));
    assert_int_equal(weir_value_count(list), 0);
    weir_value_unref(list);
}

static void a_file_has_to_be_something(void **state) {
    (void)state;
    static const struct {
        const char *name, *text, *kind;
        weir_code code;
    } cases[] = {
        {"absent.yaml", NULL, NULL, WEIR_NOT_FOUND},
        {"list.yaml", "- 1\n", NULL, WEIR_INVALID},
        {"other.yaml", "kind: Deployment\n", NULL, WEIR_INVALID},
        {"broken.json", "{\"operations\": ", NULL, WEIR_SYNTAX},
        {"flow.json", "{\"operations\": {}}", "spreadsheet", WEIR_INVALID},
    };
    open_engine(WEIR_DURABILITY_NONE);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_run *run = NULL;
        char kind[16] = "?";
        if (cases[i].text) write_file(cases[i].name, cases[i].text);
        weir_value *request = request_for(in_folder(cases[i].name), NULL);
        if (cases[i].kind) put_text(request, "kind", cases[i].kind);
        assert_false(weir_run_start(engine, request, NULL, NULL, &run, &error));
        assert_int_equal(error.code, cases[i].code);
        assert_false(weir_check(engine, request, NULL, NULL, kind, &error));
        assert_int_equal(error.code, cases[i].code);
        assert_string_equal(kind, "");
        weir_value_unref(request);
    }
    weir_run *run = NULL;
    weir_value *request = weir_object_new();
    assert_false(weir_run_start(engine, request, NULL, NULL, &run, &error));
    assert_int_equal(weir_code_exit(error.code), 2);
    weir_value_unref(request);
}

static void a_name_is_taken_once(void **state) {
    (void)state;
    static const char *const wrong[] = {".hidden", "a/b", "-x", "a b", "a\nb", "@latest"};
    open_engine(WEIR_DURABILITY_FULL);
    const char *file = source_file("examples/workflow/hello-world.yaml");
    succeed(start(request_for(file, "mine")));
    weir_run *run = NULL;
    weir_value *request = request_for(file, "mine");
    assert_false(weir_run_start(engine, request, NULL, NULL, &run, &error));
    assert_non_null(strstr(error.message, "mine"));
    reopen();
    assert_false(weir_run_start(engine, request, NULL, NULL, &run, &error));
    weir_value_unref(request);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        request = request_for(file, wrong[i]);
        assert_false(weir_run_start(engine, request, NULL, NULL, &run, &error));
        assert_int_equal(error.code, WEIR_INVALID);
        weir_value_unref(request);
    }
    weir_value *list;
    assert_true(weir_list(engine, 0, &list, &error));
    assert_int_equal(weir_value_count(list), 1);
    weir_value_unref(list);
}

/* Two that begin before either is durable. */
static void one_of_two_runs_at_once_gets_the_name(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_FULL);
    weir_run *first = start(request_for(slow_workflow("0"), "same")), *second = NULL;
    weir_value *request = request_for(in_folder("slow.yaml"), "same");
    bool both = weir_run_start(engine, request, NULL, NULL, &second, &error);
    weir_value_unref(request);
    if (both) {
        finish(second);
        assert_int_not_equal(weir_run_code(second), WEIR_OK);
        weir_run_close(second);
    }
    succeed(first);
    assert_int_equal(occurrences(in_folder("log"), "begin-one"), 1);
}

/* --- what is kept --- */

static bool append_type(void *arg, const weir_value *event) {
    char *out = arg;
    strcat(out, text_of(event, "type"));
    strcat(out, " ");
    return strlen(out) < 3000;
}

static bool stop_at_once(void *arg, const weir_value *event) {
    (void)event;
    ++*(int *)arg;
    return false;
}

static void append_log(void *arg, const weir_value *node, size_t nodes, weir_str log) {
    char *out = arg;
    (void)nodes;
    assert_string_not_equal(text_of(node, "name"), "");
    snprintf(out + strlen(out), 1000, "[%.*s]", (int)log.length, log.data);
}

static void runs_are_listed_and_shown(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_FULL);
    const char *file = slow_workflow("0");
    succeed(start(request_for(file, "first")));
    sleep_ms(2);
    succeed(start(request_for(file, "second")));
    reopen();
    weir_value *list, *run;
    assert_true(weir_list(engine, 0, &list, &error));
    assert_int_equal(weir_value_count(list), 2);
    const weir_value *newest = weir_array_at(list, 0);
    assert_string_equal(text_of(newest, "name"), "second");
    assert_string_equal(text_of(newest, "kind"), "workflow");
    assert_string_equal(text_of(newest, "phase"), "Succeeded");
    assert_string_equal(text_of(newest, "file"), file);
    assert_non_null(strchr(text_of(newest, "owner"), ':'));
    assert_true(weir_int_get(member(newest, "created")) > 1500000000000000);
    assert_true(weir_int_get(member(newest, "finished")) >=
                weir_int_get(member(newest, "created")));
    char id[32];
    snprintf(id, sizeof id, "%s", text_of(newest, "run"));
    weir_value_unref(list);
    assert_true(weir_list(engine, 1, &list, &error));
    assert_int_equal(weir_value_count(list), 1);
    weir_value_unref(list);
    static const char *const names[] = {"second", "@latest", NULL};
    for (size_t i = 0; i < 3; i++) {
        assert_true(weir_get(engine, names[i] ? names[i] : id, &run, &error));
        assert_string_equal(text_of(run, "run"), id);
        assert_string_equal(text_of(run, "name"), "second");
        assert_string_equal(text_of(member(run, "result"), "phase"), "Succeeded");
        bool step = false;
        const weir_value *nodes = member(run, "nodes");
        for (size_t k = 0; k < weir_value_count(nodes); k++)
            step |= strstr(text_of(weir_array_at(nodes, k), "name"), ".two") &&
                    strcmp(text_of(weir_array_at(nodes, k), "phase"), "Succeeded") == 0;
        assert_true(step);
        weir_value_unref(run);
    }
    assert_false(weir_get(engine, "third", &run, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
}

static void events_and_logs_are_read(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_FULL);
    succeed(start(request_for(slow_workflow("0"), "r")));
    reopen();
    char types[4096] = "", logs[4096] = "";
    assert_true(weir_events(engine, "r", append_type, types, &error));
    assert_ptr_equal(strstr(types, "run.created "), types);
    assert_string_equal(types + strlen(types) - strlen("run.finished "), "run.finished ");
    size_t started = 0;
    for (const char *at = types; (at = strstr(at, "attempt.started")); at++) started++;
    assert_int_equal(started, 3);
    int visited = 0;
    assert_true(weir_events(engine, "r", stop_at_once, &visited, &error));
    assert_int_equal(visited, 1);
    assert_true(weir_read_logs(engine, "r", NULL, append_log, logs, &error));
    assert_string_equal(logs, "[said-one\n][said-two\n][said-three\n]");
    logs[0] = '\0';
    assert_true(weir_read_logs(
        engine, "r", &(weir_log_wanted){sizeof(weir_log_wanted), "two", UINT64_MAX, false},
        append_log, logs, &error));
    assert_string_equal(logs, "[said-two\n]");
    assert_false(weir_read_logs(
        engine, "r", &(weir_log_wanted){sizeof(weir_log_wanted), "four", UINT64_MAX, false},
        append_log, logs, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    assert_false(weir_read_logs(engine, "nobody", NULL, append_log, logs, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    assert_false(weir_events(engine, "nobody", append_type, types, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
}

typedef struct heard {
    char types[4096], lines[4096], last[64];
} heard;

static void hear_event(void *arg, weir_run *run, const weir_value *event) {
    heard *h = arg;
    assert_non_null(run);
    assert_int_equal(weir_value_type(member(event, "prev")), WEIR_ARRAY);
    assert_int_equal(weir_value_type(member(event, "data")), WEIR_OBJECT);
    append_type(h->types, event);
}

static void hear_line(void *arg, weir_run *run, uint32_t task, weir_str line) {
    heard *h = arg;
    assert_non_null(run);
    snprintf(h->lines + strlen(h->lines), 1000, "%u:%.*s ", task, (int)line.length, line.data);
}

static void events_and_lines_are_heard_as_they_come(void **state) {
    (void)state;
    static heard h;
    h = (heard){0};
    assert_true(open_with(
        (weir_options){.state = state_folder, .log = hear_line, .event = hear_event, .arg = &h}));
    succeed(start(request_for(slow_workflow("0"), "r")));
    assert_string_equal(h.lines, "0:said-one 1:said-two 2:said-three ");
    char types[4096] = "";
    assert_true(weir_events(engine, "r", append_type, types, &error));
    assert_string_equal(h.types, types);
}

/* --- secrets --- */

static const char secret[] = "tOpSeCrEt-4711";

static void hear_all(void *arg, weir_run *run, const weir_value *event) {
    (void)arg;
    (void)run;
    assert_false(has_text(event, secret));
}

static void hear_no_secret(void *arg, weir_run *run, uint32_t task, weir_str line) {
    (void)run;
    (void)task;
    assert_null(memmem(line.data, line.length, secret, strlen(secret)));
    ++*(int *)arg;
}

static bool see_no_secret(void *arg, const weir_value *event) {
    (void)arg;
    assert_false(has_text(event, secret));
    return true;
}

static void log_has_no_secret(void *arg, const weir_value *node, size_t nodes, weir_str log) {
    (void)node, (void)nodes;
    assert_null(memmem(log.data, log.length, secret, strlen(secret)));
    assert_non_null(memmem(log.data, log.length, "***", 3));
    ++*(int *)arg;
}

static void secrets_are_masked(void **state) {
    (void)state;
    const char *const secrets[] = {"token", secret, NULL};
    int lines = 0, logs = 0;
    assert_true(open_with((weir_options){.state = state_folder,
                                         .secrets = secrets,
                                         .log = hear_no_secret,
                                         .event = hear_all,
                                         .arg = &lines}));
    const char *file = write_file(
        "flow.json",
        "{\"definitions\": {\"A\": {\"primitive\": \"str\"}, \"B\": {\"primitive\": \"str\"}, "
        "\"S\": {\"primitive\": \"array\"}, \"O\": {\"primitive\": \"map\"}},"
        "\"operations\": {\"p\": {\"name\": \"process.run\", \"inputs\": {\"a\": \"A\"}, "
        "\"outputs\": {\"result\": \"B\"}}, \"get\": {\"name\": \"get_single\", \"inputs\": "
        "{\"spec\": \"S\"}, \"outputs\": {\"output\": \"O\"}, \"stage\": \"output\"}},"
        "\"configs\": {\"p\": {\"command\": [\"sh\", \"-c\", \"echo out $TOKEN; echo err $TOKEN "
        ">&2; test $TOKEN != {{inputs.a}}\"], \"environment\": {\"TOKEN\": {\"secret\": "
        "\"token\"}}}}, \"seed\": [{\"value\": [\"B\"], \"definition\": \"S\"}]}");
    for (int fails = 0; fails < 2; fails++) {
        weir_value *request = request_for(file, fails ? "bad" : "good"), *texts = weir_object_new();
        put_text(texts, "A", fails ? secret : "x");
        weir_object_set(request, "texts", 5, texts);
        weir_run *run = start(request);
        finish(run);
        weir_value *result = weir_run_result(run), *status = weir_run_status(run);
        assert_false(has_text(result, secret) || has_text(status, secret));
        if (!fails)
            assert_string_equal(text_of(member(member(result, "results"), "default"), "B"),
                                "out ***");
        weir_value_unref(result);
        weir_value_unref(status);
        weir_run_close(run);
        assert_true(weir_events(engine, fails ? "bad" : "good", see_no_secret, NULL, &error));
        assert_true(
            weir_read_logs(engine, fails ? "bad" : "good", NULL, log_has_no_secret, &logs, &error));
        weir_value *shown;
        assert_true(weir_get(engine, fails ? "bad" : "good", &shown, &error));
        assert_false(has_text(shown, secret));
        weir_value_unref(shown);
        if (!fails) assert_true(files_without(state_folder, secret) > 1);
    }
    assert_int_equal(lines, 4);
    assert_int_equal(logs, 2);
}

/* --- stopping and going on --- */

static void a_run_goes_on_after_its_engine(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_FULL);
    weir_run *run = start(request_for(slow_workflow("60"), "r"));
    wait_for_text(run, in_folder("log"), "begin-two");
    weir_close(engine); /* and with it the run */
    engine = NULL;
    char pid[32];
    read_text(in_folder("pid-two"), pid, sizeof pid);
    assert_int_equal(kill((pid_t)strtol(pid, NULL, 10), 0), -1);
    assert_int_equal(errno, ESRCH);
    open_engine(WEIR_DURABILITY_FULL);
    weir_value *list;
    assert_true(weir_list(engine, 0, &list, &error));
    assert_string_equal(text_of(weir_array_at(list, 0), "phase"), "Running");
    assert_null(member(weir_array_at(list, 0), "finished"));
    weir_value_unref(list);
    unlink(in_folder("slow.yaml")); /* the journal has it */
    assert_true(weir_run_recover(engine, "@latest", &run, &error));
    succeed(run);
    assert_int_equal(occurrences(in_folder("log"), "begin-one"), 1);
    assert_int_equal(occurrences(in_folder("log"), "begin-two"), 2);
    assert_int_equal(occurrences(in_folder("log"), "end-two"), 1);
    assert_int_equal(occurrences(in_folder("log"), "end-three"), 1);
    char types[4096] = "";
    assert_true(weir_events(engine, "r", append_type, types, &error));
    assert_non_null(strstr(types, "run.recovered "));
    assert_non_null(strstr(types, "attempt.lost "));
}

static void a_closed_run_is_opened_again(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_FULL);
    weir_run *run = start(request_for(slow_workflow("60"), "r"));
    assert_false(weir_run_wait(run, 1));
    wait_for_text(run, in_folder("log"), "begin-two");
    weir_run_close(run);
    assert_true(weir_run_recover(engine, "r", &run, &error));
    succeed(run);
    assert_int_equal(occurrences(in_folder("log"), "begin-one"), 1);
    assert_int_equal(occurrences(in_folder("log"), "end-two"), 1);
    assert_true(weir_run_recover(engine, "r", &run, &error));
    assert_true(weir_run_wait(run, 0)); /* at its end at once */
    succeed(run);
    assert_int_equal(occurrences(in_folder("log"), "begin-one"), 1);
    assert_false(weir_run_recover(engine, "nobody", &run, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
}

/* More of them than there are threads: some wait in the pool's queue when their run goes. */
static void operations_under_way_run_again(void **state) {
    (void)state;
    enum { SLEEPS = 12 };
    char text[2048];
    size_t length = (size_t)snprintf(
        text, sizeof text,
        "definitions: {A: {primitive: int}, B: {primitive: int}, S: {primitive: array}, "
        "O: {primitive: map}}\noperations:\n"
        "  s: {name: sleep_ms, inputs: {ms: A}, outputs: {ms: B}}\n"
        "  get: {name: get_multi, inputs: {spec: S}, outputs: {output: O}, stage: output}\n"
        "seed:\n- {value: [B], definition: S}\n");
    for (int i = 0; i < SLEEPS; i++)
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   "- {value: 100, definition: A}\n");
    const char *plugins[] = {built("corpus_operations.so"), NULL};
    assert_true(open_with((weir_options){.state = state_folder, .plugins = plugins}));
    weir_run *run = start(request_for(write_file("flow.yaml", text), "r"));
    assert_false(weir_run_wait(run, 50));
    weir_run_close(run);
    if (!weir_run_recover(engine, "r", &run, &error)) fail_msg("%s", error.message);
    assert_false(weir_run_wait(run, 50));
    reopen();
    assert_true(weir_run_recover(engine, "r", &run, &error));
    weir_value *result = result_of(run, "Succeeded");
    const weir_value *values = member(member(member(result, "results"), "default"), "B");
    assert_int_equal(weir_value_count(values), SLEEPS);
    weir_value_unref(result);
}

static void a_run_is_cancelled(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_FULL);
    for (int terminate = 0; terminate < 2; terminate++) {
        unlink(in_folder("log"));
        weir_run *run = start(request_for(slow_workflow("60"), terminate ? "killed" : "asked"));
        wait_for_text(run, in_folder("log"), "begin-two");
        uint64_t before = now_ms();
        if (terminate)
            assert_true(weir_cancel(engine, "killed", true, &error));
        else
            weir_run_cancel(run, false);
        finish(run);
        assert_true(now_ms() - before < 5000);
        assert_int_equal(weir_run_code(run), WEIR_CANCELLED);
        weir_value *result = weir_run_result(run);
        assert_string_not_equal(text_of(result, "phase"), "Succeeded");
        assert_string_equal(text_of(member(result, "error"), "code"), "cancelled");
        weir_value_unref(result);
        weir_run_cancel(run, true); /* over: nothing happens */
        weir_run_close(run);
        assert_int_equal(occurrences(in_folder("log"), "end-two"), 0);
        assert_int_equal(occurrences(in_folder("log"), "begin-three"), 0);
    }
    assert_false(weir_cancel(engine, "nobody", false, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
}

static void a_dataflow_is_cancelled(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_FULL);
    const char *file = write_file(
        "flow.yaml", "definitions: {A: {primitive: str}, B: {primitive: str}}\noperations:\n"
                     "  p: {name: process.run, inputs: {a: A}, outputs: {result: B}}\n"
                     "configs: {p: {command: [sleep, '60']}}\n"
                     "seed: [{value: x, definition: A}]\n");
    weir_run *run = start(request_for(file, "r"));
    assert_false(weir_run_wait(run, 100));
    weir_run_cancel(run, false);
    finish(run);
    assert_int_equal(weir_run_code(run), WEIR_CANCELLED);
    weir_value *result = weir_run_result(run);
    assert_string_equal(text_of(member(result, "error"), "code"), "cancelled");
    weir_value_unref(result);
    weir_run_close(run);
}

static void a_run_that_nobody_drives_is_ended(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_FULL);
    weir_run *run = start(request_for(slow_workflow("60"), "r"));
    wait_for_text(run, in_folder("log"), "begin-two");
    reopen();
    assert_true(weir_cancel(engine, "r", false, &error));
    weir_value *list;
    assert_true(weir_list(engine, 0, &list, &error));
    const weir_value *entry = weir_array_at(list, 0);
    assert_string_not_equal(text_of(entry, "phase"), "Running");
    assert_string_not_equal(text_of(entry, "phase"), "Succeeded");
    assert_non_null(member(entry, "finished"));
    weir_value_unref(list);
    assert_int_equal(occurrences(in_folder("log"), "begin-two"), 1);
    assert_true(weir_cancel(engine, "r", false, &error)); /* it is over: that is what was wanted */
}

/* --- child runs --- */

static const char *parent_workflow(void) {
    slow_workflow("60");
    return write_file("parent.yaml",
                      "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n"
                      "metadata: {generateName: parent-}\nspec:\n  entrypoint: main\n"
                      "  templates:\n  - name: main\n    plugin: {weir: {run: slow.yaml}}\n");
}

static void a_child_is_a_run_of_its_own(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_FULL);
    succeed(start(request_for(source_file("examples/workflow/child-run.yaml"), "mother")));
    weir_value *list, *child;
    assert_true(weir_list(engine, 0, &list, &error));
    assert_int_equal(weir_value_count(list), 2);
    size_t at = strcmp(text_of(weir_array_at(list, 0), "name"), "mother") == 0;
    const char *name = text_of(weir_array_at(list, at), "name");
    assert_ptr_equal(strstr(name, "mother."), name);
    assert_string_equal(text_of(weir_array_at(list, at), "kind"), "dataflow");
    assert_true(weir_get(engine, name, &child, &error));
    const weir_value *results = member(member(child, "result"), "results");
    assert_int_equal(weir_int_get(member(member(results, "default"), "result")), 42);
    weir_value_unref(child);
    weir_value_unref(list);
}

static void a_child_goes_on_with_its_parent(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_FULL);
    weir_run *run = start(request_for(parent_workflow(), "mother"));
    wait_for_text(run, in_folder("log"), "begin-two");
    reopen();
    assert_true(weir_run_recover(engine, "mother", &run, &error));
    succeed(run);
    assert_int_equal(occurrences(in_folder("log"), "begin-one"), 1);
    assert_int_equal(occurrences(in_folder("log"), "end-two"), 1);
    assert_int_equal(occurrences(in_folder("log"), "end-three"), 1);
    weir_value *list;
    assert_true(weir_list(engine, 0, &list, &error));
    assert_int_equal(weir_value_count(list), 2);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(text_of(weir_array_at(list, i), "phase"), "Succeeded");
    weir_value_unref(list);
}

static void a_child_goes_on_with_a_parent_that_was_closed(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_FULL);
    weir_run *run = start(request_for(parent_workflow(), "mother"));
    wait_for_text(run, in_folder("log"), "begin-two");
    weir_run_close(run);
    assert_true(weir_run_recover(engine, "mother", &run, &error));
    succeed(run);
    assert_int_equal(occurrences(in_folder("log"), "begin-one"), 1);
    assert_int_equal(occurrences(in_folder("log"), "end-two"), 1);
    assert_int_equal(occurrences(in_folder("log"), "end-three"), 1);
}

static void a_child_is_cancelled_with_its_parent(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_FULL);
    parent_workflow();
    slow_workflow("60");
    weir_run *run = start(request_for(in_folder("parent.yaml"), "mother"));
    wait_for_text(run, in_folder("log"), "begin-two");
    weir_run_cancel(run, false);
    weir_value_unref(result_of(run, "Failed"));
    weir_value *list;
    assert_true(weir_list(engine, 0, &list, &error));
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(text_of(weir_array_at(list, i), "phase"), "Failed");
    weir_value_unref(list);
}

static void a_child_that_is_not_there_fails_its_parent(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_NONE);
    parent_workflow();
    unlink(in_folder("slow.yaml"));
    weir_run *run = start(request_for(in_folder("parent.yaml"), NULL));
    finish(run);
    assert_int_not_equal(weir_run_code(run), WEIR_OK);
    weir_value *result = weir_run_result(run);
    assert_true(has_text(result, "slow.yaml"));
    weir_value_unref(result);
    weir_run_close(run);
}

/* --- several at once --- */

static void runs_share_an_engine(void **state) {
    (void)state;
    enum { RUNS = 8 };
    open_engine(WEIR_DURABILITY_FULL);
    weir_run *runs[RUNS];
    slow_workflow("0.2");
    for (size_t i = 0; i < RUNS; i++) runs[i] = start(request_for(in_folder("slow.yaml"), NULL));
    for (size_t i = RUNS; i-- > 0;) succeed(runs[i]);
    assert_int_equal(occurrences(in_folder("log"), "end-three"), RUNS);
}

/* In another process (see main): drives a run until it was stopped; the exit code says how it went. */
static int drive_elsewhere(const char *where) {
    alarm(30);
    snprintf(folder, sizeof folder, "%s", where);
    snprintf(state_folder, sizeof state_folder, "%s/state", folder);
    weir_options options = {.not_isolated = true, .size = sizeof options, .state = state_folder};
    if (!weir_open(&options, &engine, &error)) return 10;
    weir_run *run;
    weir_value *request = request_for(in_folder("slow.yaml"), "driven");
    bool started = weir_run_start(engine, request, NULL, NULL, &run, &error);
    weir_value_unref(request);
    if (!started) return 11;
    while (!weir_run_wait(run, 1000)) continue;
    bool stopped = weir_run_code(run) != WEIR_OK;
    weir_run_close(run);
    weir_close(engine);
    return stopped ? 0 : 12;
}

static void two_engines_share_a_state(void **state) {
    (void)state;
    slow_workflow("60");
    pid_t other;
    char *const arguments[] = {"engine_test", folder, NULL};
    assert_int_equal(posix_spawn(&other, "/proc/self/exe", NULL, NULL, arguments, environ), 0);
    wait_for_text(NULL, in_folder("log"), "begin-two");
    open_engine(WEIR_DURABILITY_FULL);
    weir_run *run = NULL;
    assert_false(weir_run_recover(engine, "driven", &run, &error));
    assert_int_equal(error.code, WEIR_CONFLICT);
    assert_null(run);
    weir_value *shown;
    assert_true(weir_get(engine, "driven", &shown, &error));
    assert_string_equal(text_of(shown, "phase"), "Running");
    weir_value_unref(shown);
    succeed(start(request_for(source_file("examples/workflow/hello-world.yaml"), NULL)));
    assert_true(weir_cancel(engine, "driven", false, &error));
    int status = 0;
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_true(weir_get(engine, "driven", &shown, &error));
    assert_string_equal(text_of(shown, "phase"), "Failed");
    weir_value_unref(shown);
}

static bool has_socket(const weir_run *run) {
    char path[1024];
    weir_value *result = weir_run_result(run);
    snprintf(path, sizeof path, "%s/runs/%s.sock", state_folder, text_of(result, "run"));
    weir_value_unref(result);
    return access(path, F_OK) == 0;
}

static void a_run_that_lasts_gets_a_socket(void **state) {
    (void)state;
    slow_workflow("60");
    open_engine(WEIR_DURABILITY_FULL);
    weir_run *run = start(request_for(in_folder("slow.yaml"), NULL));
    assert_false(has_socket(run));
    for (int i = 0; !has_socket(run); i++) {
        assert_in_range(i, 0, 1000);
        assert_false(weir_run_wait(run, 10));
    }
    weir_run_cancel(run, true);
    while (!weir_run_wait(run, 1000)) continue;
    assert_false(has_socket(run));
    weir_run_close(run);
}

/* --- looking --- */

static void a_file_is_drawn(void **state) {
    (void)state;
    weir_value *text = NULL, *options = weir_object_new(), *stages = weir_array_new();
    open_engine(WEIR_DURABILITY_NONE);
    weir_value *request = request_for(source_file("examples/calculator/calculator.json"), NULL);
    assert_true(weir_graph(engine, request, "text", NULL, NULL, NULL, &text, &error));
    assert_true(has_text(text, "parse_line.numbers"));
    weir_value_unref(text);
    weir_array_append(stages, weir_string_new("output", 6));
    weir_object_set(options, "stages", 6, stages);
    put_text(options, "display", "LR");
    assert_true(weir_graph(engine, request, "dot", options, NULL, NULL, &text, &error));
    assert_true(has_text(text, "rankdir=LR") && has_text(text, "get_single"));
    assert_false(has_text(text, "parse_line"));
    weir_value_unref(text);
    put_text(options, "display", "up");
    text = NULL;
    assert_false(weir_graph(engine, request, "dot", options, NULL, NULL, &text, &error));
    assert_int_equal(error.code, WEIR_USAGE);
    assert_false(weir_graph(engine, request, "png", NULL, NULL, NULL, &text, &error));
    assert_int_equal(error.code, WEIR_USAGE);
    put_text(request, "file", write_file("wrong.json", "{\"operations\": 1}"));
    assert_false(weir_graph(engine, request, "text", NULL, NULL, NULL, &text, &error));
    assert_null(text);
    weir_value_unref(options);
    weir_value_unref(request);
}

static void an_engine_is_examined(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_BATCH);
    weir_value *found = weir_examine(engine);
    assert_true(weir_value_count(found) >= 4);
    for (size_t i = 0; i < weir_value_count(found); i++)
        assert_string_equal(text_of(weir_array_at(found, i), "state"), "ok");
    weir_value_unref(found);
}

#define ALONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

enum { EXAMPLES = sizeof examples / sizeof *examples };

int main(int count, char **arguments) {
    if (count > 1) return drive_elsewhere(arguments[1]);
    const struct CMUnitTest tests[] = {
        ALONE(without_durability_nothing_is_left),
        ALONE(all_that_is_wrong_is_said),
        ALONE(a_file_has_to_be_something),
        ALONE(a_name_is_taken_once),
        ALONE(one_of_two_runs_at_once_gets_the_name),
        ALONE(runs_are_listed_and_shown),
        ALONE(events_and_logs_are_read),
        ALONE(events_and_lines_are_heard_as_they_come),
        ALONE(secrets_are_masked),
        ALONE(a_run_goes_on_after_its_engine),
        ALONE(a_closed_run_is_opened_again),
        ALONE(a_run_is_cancelled),
        ALONE(a_dataflow_is_cancelled),
        ALONE(a_run_that_nobody_drives_is_ended),
        ALONE(a_child_is_a_run_of_its_own),
        ALONE(a_child_goes_on_with_a_parent_that_was_closed),
        ALONE(a_child_is_cancelled_with_its_parent),
        ALONE(a_child_that_is_not_there_fails_its_parent),
        ALONE(runs_share_an_engine),
        ALONE(two_engines_share_a_state),
        ALONE(a_run_that_lasts_gets_a_socket),
        ALONE(operations_under_way_run_again),
        ALONE(a_child_goes_on_with_its_parent),
        ALONE(a_file_is_drawn),
        ALONE(an_engine_is_examined),
    };
    static struct CMUnitTest ran[EXAMPLES];
    for (size_t i = 0; i < EXAMPLES; i++)
        ran[i] = (struct CMUnitTest){examples[i].file, check_example, set_up, tear_down,
                                     (void *)(uintptr_t)&examples[i]};
    int wrong = cmocka_run_group_tests_name("examples", ran, NULL, NULL);
    return wrong + cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}

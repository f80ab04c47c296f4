/* `weir bench ladder`: a run of weir, one task for each measurement, one after the other. */
#include "cli/ladder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/interrupt.h"

enum { DOWNLOADS_MAX = 1000, AT_ONCE_MAX = 1000, ROUNDS_MAX = 100, WAIT_MS = 100 };

static const uint64_t LATENCY_US = 20 * 1000, LATENCY_MAX_US = 10 * 1000 * 1000;
static const double LOOK_S = 0.005;

const weir_ladder_rung weir_ladder_rungs[] = {
    {"loop", "1_loop.py", NULL},
    {"threads", "2_threads.py", NULL},
    {"thread-pool", "3_pools.py", NULL},
    {"process-pool", "3_pools.py", "--processes"},
    {"subprocess", "4_subprocess.py", NULL},
    {"event-loop", "5_event_loop.py", NULL},
    {"director", "6_director.py", NULL},
    {"causes", "7_causes.py", NULL},
    {"dataflow", "8_dataflow.yaml", NULL},
    {NULL, NULL, NULL},
};

/* --- what is to be measured ----------------------------------------------------------------- */

/* The next of words with commas between; false: there is none. */
static bool next_word(weir_str *rest, weir_str *out) {
    if (!rest->data) return false;
    size_t comma = weir_str_find(*rest, WEIR_STR(","), 0);
    *out = weir_str_trim(weir_str_slice(*rest, 0, comma));
    if (comma == SIZE_MAX)
        *rest = (weir_str){0};
    else
        *rest = weir_str_slice(*rest, comma + 1, rest->length);
    return true;
}

static int compare_numbers(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool read_downloads(weir_ladder *ladder, weir_error *error) {
    const char *text = weir_cli_text(ladder->cli, WEIR_FLAG_DOWNLOADS);
    weir_str rest = weir_str_from(text ? text : "1,10,50,100,200"), word;
    while (next_word(&rest, &word)) {
        char digits[8], *end;
        snprintf(digits, sizeof digits, "%.*s", (int)(word.length < 7 ? word.length : 7),
                 word.data);
        long count = strtol(digits, &end, 10);
        if (!word.length || *end || count < 1 || count > DOWNLOADS_MAX) {
            weir_fail(error, WEIR_USAGE, "--downloads: `%.*s` is no number from 1 to %d",
                      WEIR_ARG(word), DOWNLOADS_MAX);
            weir_error_hint(error, "as --downloads 1,10,100");
            return false;
        }
        *weir_vector_push(&ladder->downloads) = (uint32_t)count;
    }
    qsort(ladder->downloads.items, ladder->downloads.count, sizeof *ladder->downloads.items,
          compare_numbers);
    size_t kept = 0;
    for (size_t i = 0; i < ladder->downloads.count; i++)
        if (!kept || ladder->downloads.items[i] != ladder->downloads.items[kept - 1])
            ladder->downloads.items[kept++] = ladder->downloads.items[i];
    ladder->downloads.count = kept;
    return true;
}

static bool is_wanted(const char *names, const char *name) {
    weir_str rest = weir_str_from(names), word;
    while (next_word(&rest, &word))
        if (weir_str_is(word, name)) return true;
    return false;
}

static bool read_rungs(weir_ladder *ladder, weir_error *error) {
    const char *names = weir_cli_text(ladder->cli, WEIR_FLAG_RUNG);
    weir_str rest = weir_str_from(names), word;
    while (names && next_word(&rest, &word)) {
        weir_nearest nearest = weir_nearest_to(word);
        bool known = false;
        for (const weir_ladder_rung *rung = weir_ladder_rungs; rung->name; rung++) {
            known |= weir_str_is(word, rung->name);
            weir_nearest_try(&nearest, weir_str_from(rung->name));
        }
        if (known) continue;
        weir_fail(error, WEIR_USAGE, "--rung: there is no rung `%.*s`", WEIR_ARG(word));
        if (!weir_error_hint_near(error, nearest.best, ""))
            weir_error_hint(error, "loop, threads, thread-pool, process-pool, subprocess, "
                                   "event-loop, director, causes or dataflow");
        return false;
    }
    for (const weir_ladder_rung *rung = weir_ladder_rungs; rung->name; rung++)
        if (!names || is_wanted(names, rung->name)) *weir_vector_push(&ladder->rungs) = rung;
    return true;
}

static bool read_latency(weir_ladder *ladder, weir_error *error) {
    const char *text = weir_cli_text(ladder->cli, WEIR_FLAG_LATENCY);
    ladder->latency_us = LATENCY_US;
    if (!text) return true;
    if (!weir_duration_parse(weir_str_from(text), &ladder->latency_us, error)) {
        error->code = WEIR_USAGE;
        weir_error_context(error, "--latency");
        return false;
    }
    return ladder->latency_us <= LATENCY_MAX_US ||
           weir_fail(error, WEIR_USAGE, "--latency: at most 10s");
}

/* Rounds are outermost: when the machine is busy for a while, all rungs have some of it. */
static void list_measurements(weir_ladder *ladder) {
    for (uint32_t round = 1; round <= ladder->rounds; round++)
        for (size_t d = 0; d < ladder->downloads.count; d++)
            for (size_t r = 0; r < ladder->rungs.count; r++)
                *weir_vector_push(&ladder->measurements) =
                    (weir_ladder_measurement){.rung = ladder->rungs.items[r],
                                              .downloads = ladder->downloads.items[d],
                                              .round = round};
}

static bool read_all(weir_ladder *ladder, weir_error *error) {
    static char program[4096];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return weir_fail(error, WEIR_IO, "which program this is is not known: %s", strerror(errno));
    ladder->program = program;
    weir_cli *cli = ladder->cli;
    if (!read_downloads(ladder, error) || !read_rungs(ladder, error) ||
        !read_latency(ladder, error) ||
        !weir_cli_number(cli, WEIR_FLAG_AT_ONCE, AT_ONCE_MAX, 50, &ladder->at_once, error) ||
        !weir_cli_number(cli, WEIR_FLAG_ROUNDS, ROUNDS_MAX, 3, &ladder->rounds, error))
        return false;
    if (!ladder->at_once || !ladder->rounds)
        return weir_fail(error, WEIR_USAGE, "--%s: at least 1",
                         ladder->rounds ? "at-once" : "rounds");
    list_measurements(ladder);
    return true;
}

/* --- the run -------------------------------------------------------------------------------- */

/* A task's name: what events say of it. */
static const char *name_of(const weir_ladder_measurement *m, char out[static 64]) {
    snprintf(out, 64, "%s-%u-%u", m->rung->name, m->downloads, m->round);
    return out;
}

static void add_word(weir_value *command, const char *format, ...) WEIR_PRINTF(2, 3);
static void add_word(weir_value *command, const char *format, ...) {
    char text[4096 + 64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    weir_array_append(command, weir_string_from(weir_str_from(text)));
}

/* The dataflow is in the same state, and can be looked at there. */
static weir_value *dataflow_command(const weir_ladder *ladder, const weir_ladder_measurement *m) {
    weir_value *command = weir_array_new();
    const char *store = ladder->cli->settings.store;
    add_word(command, "%s", ladder->program);
    add_word(command, "run");
    add_word(command, "--no-strict");
    add_word(command, "%s/%s", ladder->stage.folder, m->rung->file);
    add_word(command, "address=%s", ladder->stage.address);
    add_word(command, "downloads=%u", m->downloads);
    static const char *const operations[] = {"ask_page", "ask_file"};
    for (size_t i = 0; i < 2; i++)
        add_word(command, "--configure=%s.connections_per_host=%u", operations[i],
                 (unsigned)ladder->at_once);
    add_word(command, "--state=%s", weir_cli_state(ladder->cli));
    if (store) add_word(command, "--store=%s", store);
    add_word(command, "--label=bench=ladder");
    add_word(command, "--output=json");
    return command;
}

static weir_value *command_of(const weir_ladder *ladder, const weir_ladder_measurement *m) {
    if (weir_str_ends(weir_str_from(m->rung->file), WEIR_STR(".yaml")))
        return dataflow_command(ladder, m);
    weir_value *command = weir_array_new();
    add_word(command, "%s", ladder->stage.python);
    add_word(command, "%s/%s", ladder->stage.folder, m->rung->file);
    add_word(command, "%s", ladder->stage.address);
    add_word(command, "%u", m->downloads);
    add_word(command, "%u", (unsigned)ladder->at_once);
    if (m->rung->option) add_word(command, "%s", m->rung->option);
    return command;
}

static weir_value *primitive(const char *name) {
    weir_value *definition = weir_object_new();
    weir_output_member(definition, "primitive", name);
    return definition;
}

/* One operation for each measurement; --mode sync does them in this order. */
static weir_value *make_flow(const weir_ladder *ladder) {
    weir_value *flow = weir_object_new(), *operations = weir_object_new(),
               *configs = weir_object_new(), *definitions = weir_object_new();
    weir_member_put(definitions, "answer", primitive("map"));
    for (size_t i = 0; i < ladder->measurements.count; i++) {
        const weir_ladder_measurement *m = &ladder->measurements.items[i];
        char name[64];
        weir_value *operation = weir_object_new(), *outputs = weir_object_new(),
                   *config = weir_object_new();
        name_of(m, name);
        weir_output_member(outputs, "result", "answer");
        weir_output_member(operation, "name", "process.run");
        weir_member_put(operation, "inputs", weir_object_new());
        weir_member_put(operation, "outputs", outputs);
        weir_member_put(config, "command", command_of(ladder, m));
        weir_output_member(config, "format", "json");
        weir_member_put(config, "memory_every", weir_float_new(LOOK_S));
        weir_member_put(operations, name, operation);
        weir_member_put(configs, name, config);
    }
    weir_member_put(flow, "definitions", definitions);
    weir_member_put(flow, "operations", operations);
    weir_member_put(flow, "configs", configs);
    return flow;
}

static weir_value *make_request(const weir_ladder *ladder) {
    weir_value *request = weir_object_new(), *labels = weir_object_new();
    weir_output_member(labels, "bench", "ladder");
    weir_member_put(request, "flow", make_flow(ladder));
    weir_output_member(request, "generate_name", "ladder-");
    weir_output_member(request, "mode", "sync");
    weir_output_member(request, "cache", "off");
    weir_member_put(request, "labels", labels);
    return request;
}

/* --- what the events tell ------------------------------------------------------------------- */

static size_t count_of(const weir_value *list) {
    return weir_is(list, WEIR_ARRAY) ? weir_value_count(list) : 0;
}

/* A rung prints {got, errors}, weir the result of its run, whose failures are in the store. */
static void read_answer(const weir_value *answer, weir_ladder_measurement *m) {
    const weir_value *results = weir_member_named(answer, "results");
    if (!weir_is(results, WEIR_OBJECT) || !weir_value_count(results)) {
        m->got = (uint32_t)weir_member_count(answer, "got");
        m->errors_told = (uint32_t)count_of(weir_member_named(answer, "errors"));
        return;
    }
    m->got = (uint32_t)count_of(weir_member_named(weir_object_at(results, 0), "content"));
    m->run = weir_str_dup(weir_member_text(answer, "name"));
}

/* What `weir get` shows as failed. */
static bool count_failures(weir_engine *engine, weir_ladder *ladder, weir_error *error) {
    for (size_t i = 0; i < ladder->measurements.count; i++) {
        weir_ladder_measurement *m = &ladder->measurements.items[i];
        weir_value *status;
        if (!m->run) continue;
        if (!weir_get(engine, m->run, &status, error)) return false;
        const weir_value *nodes = weir_member_named(status, "nodes");
        for (size_t k = 0; k < count_of(nodes); k++)
            m->errors_told += (uint32_t)weir_member_count(weir_array_at(nodes, k), "failed");
        weir_value_unref(status);
    }
    return true;
}

static void say_done(const weir_ladder *ladder, const weir_ladder_measurement *m) {
    if (weir_cli_has(ladder->cli, WEIR_FLAG_QUIET)) return;
    fprintf(stderr, "%zu of %zu: %s, %u download%s: %.3f s, %.1f MB\n", ladder->done,
            ladder->measurements.count, m->rung->name, m->downloads, m->downloads == 1 ? "" : "s",
            m->seconds, (double)m->memory_bytes / 1e6);
}

static void take_event(void *arg, weir_run *run, const weir_value *event) {
    weir_ladder *ladder = arg;
    (void)run;
    const weir_value *data = weir_member_named(event, "data"),
                     *usage = weir_member_named(data, "usage");
    if (!weir_str_is(weir_member_text(event, "type"), "attempt.finished") || !usage) return;
    for (size_t i = 0; i < ladder->measurements.count; i++) {
        weir_ladder_measurement *m = &ladder->measurements.items[i];
        char name[64];
        if (!weir_str_is(weir_member_text(data, "instance"), name_of(m, name))) continue;
        if (!weir_str_is(weir_member_text(data, "outcome"), "succeeded")) return;
        m->seconds = (double)weir_member_count(usage, "wall_us") / 1e6;
        m->cpu_seconds = (double)weir_member_count(usage, "cpu_us") / 1e6;
        m->memory_bytes = weir_member_count(usage, "memory_peak_bytes");
        read_answer(weir_member_named(weir_member_named(data, "outputs"), "result"), m);
        m->done = true;
        ladder->done++;
        say_done(ladder, m);
        return;
    }
}

/* --- the command ---------------------------------------------------------------------------- */

/* Of what failed the end of its log says why. */
static bool judge(const weir_value *result, weir_error *error) {
    if (weir_str_is(weir_member_text(result, "phase"), "Succeeded")) return true;
    const weir_value *failure = weir_member_named(result, "error"),
                     *what = weir_member_named(failure, "what");
    weir_str message = weir_member_text(result, "message");
    if (!message.length && weir_is(what, WEIR_STRING)) message = weir_string_get(what);
    weir_fail(error, weir_interrupt_came() ? WEIR_CANCELLED : WEIR_OPERATION_FAILED,
              "the run %.*s did not succeed: %.*s", WEIR_ARG(weir_member_text(result, "name")),
              WEIR_ARG(message));
    weir_error_hint(error, "`weir report %.*s` says more",
                    WEIR_ARG(weir_member_text(result, "name")));
    return false;
}

static void say_problem(void *arg, const weir_error *error) {
    (void)arg;
    if (error->code)
        weir_output_problem(error); /* no inputs, no outputs: warnings of no use here */
}

static bool measure(weir_ladder *ladder, weir_error *error) {
    weir_engine *engine;
    weir_run *run;
    weir_options callbacks = {.size = sizeof callbacks, .event = take_event, .arg = ladder};
    if (!weir_cli_open(ladder->cli, false, &callbacks, &engine, error)) return false;
    weir_value *request = make_request(ladder);
    bool ok = weir_run_start(engine, request, say_problem, NULL, &run, error);
    weir_value_unref(request);
    if (ok) {
        bool asked = false;
        while (!weir_run_wait(run, WAIT_MS)) {
            if (asked || !weir_interrupt_came()) continue;
            asked = true;
            weir_run_cancel(run, true);
        }
        weir_value *result = weir_run_result(run);
        ladder->run = weir_str_dup(weir_member_text(result, "name"));
        ok = judge(result, error) && count_failures(engine, ladder, error);
        weir_value_unref(result);
        weir_run_close(run);
    }
    weir_close(engine);
    return ok;
}

static void deinit(weir_ladder *ladder) {
    weir_ladder_stage_close(&ladder->stage);
    weir_vector_deinit(&ladder->rungs);
    weir_vector_deinit(&ladder->downloads);
    for (size_t i = 0; i < ladder->measurements.count; i++)
        weir_free(ladder->measurements.items[i].run);
    weir_vector_deinit(&ladder->measurements);
    weir_free(ladder->run);
}

int weir_bench_ladder_command(weir_cli *cli) {
    weir_error error;
    weir_ladder ladder = {.cli = cli, .stage = {.holds = -1}};
    const char *folder = cli->words.count ? cli->words.items[0] : NULL;
    if (cli->settings.durability == WEIR_DURABILITY_NONE) {
        weir_fail(&error, WEIR_USAGE,
                  "what is measured is kept in the state: not with durability "
                  "none");
        return weir_cli_fail(&error);
    }
    weir_interrupt_catch();
    bool ok = read_all(&ladder, &error) &&
              weir_ladder_stage_open(&ladder.stage, folder, ladder.latency_us, &error) &&
              measure(&ladder, &error) && weir_ladder_show(&ladder, &error);
    deinit(&ladder);
    return ok ? 0 : weir_cli_fail(&error);
}

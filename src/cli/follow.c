#include "cli/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/failure.h"

enum { WAIT_MS = 100, REST = 10 };

static volatile sig_atomic_t interrupts;

static void count_interrupt(int signal_number) {
    if (signal_number == SIGINT || interrupts == 0) interrupts++;
}

static void catch_interrupts(void) {
    struct sigaction caught = {.sa_handler = count_interrupt}, before;
    sigemptyset(&caught.sa_mask);
    sigaction(SIGTERM, &caught, NULL);
    /* Who ignores Ctrl-C for us, as a shell does for what runs in the background, means it. */
    if (sigaction(SIGINT, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(SIGINT, &caught, NULL);
}

static void take_line(void *arg, weir_run *run, uint32_t task, weir_str line) {
    (void)run;
    weir_steps_add(&((weir_follow *)arg)->steps, task, line);
}

static void print_context(weir_follow *follow, weir_value *name, weir_value *result,
                          weir_value *error) {
    weir_value *line = weir_object_new();
    weir_member_put(line, "context", weir_value_ref(name));
    weir_member_put(line, "result", result ? weir_value_ref(result) : weir_null_new());
    if (error) weir_member_put(line, "error", weir_value_ref(error));
    weir_output_value(&follow->cli->out, line, 0);
    weir_output_flush(&follow->cli->out);
    weir_value_unref(line);
}

static void take_event(void *arg, weir_run *run, const weir_value *event) {
    (void)run;
    weir_follow *follow = arg;
    if (follow->events) {
        weir_output_value(follow->events, event, 0);
        weir_output_more(follow->events);
    }
    const weir_value *data = weir_member_named(event, "data");
    weir_value *name = weir_member_named(data, "name");
    weir_str type = weir_member_text(event, "type");
    /* Recovered runs do not begin again; theirs come at the end, with those of contexts that had ended before. */
    if (weir_str_is(type, "run.created"))
        follow->streams = weir_cli_form(follow->cli, "jsonl") &&
                          weir_str_is(weir_member_text(data, "kind"), "dataflow");
    else if (follow->streams && name && !weir_member_named(data, "parent") &&
             weir_str_is(type, "context.finished"))
        print_context(follow, name, weir_member_named(data, "results"),
                      weir_member_named(data, "error"));
}

bool weir_follow_init(weir_follow *follow, weir_cli *cli, bool brief, weir_error *error) {
    *follow = (weir_follow){.cli = cli, .brief = brief, .callbacks.arg = follow, .file.fd = -1};
    const char *file = weir_cli_text(cli, WEIR_FLAG_EVENTS);
    if (file && strcmp(file, "-") != 0) {
        follow->file.fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (follow->file.fd < 0)
            return weir_fail(error, WEIR_IO, "cannot write events to `%.200s`: %s", file,
                             strerror(errno));
        follow->events = &follow->file;
    } else if (file) {
        follow->events = &cli->out;
    }
    bool text = weir_cli_form(cli, "text");
    follow->steps.all = !brief && weir_cli_has(cli, WEIR_FLAG_LOG);
    if (file || weir_cli_form(cli, "jsonl")) follow->callbacks.event = take_event;
    if (!brief && (text || follow->steps.all)) follow->callbacks.log = take_line;
    if (text) weir_view_init(&follow->view, cli->out.fd, weir_cli_has(cli, WEIR_FLAG_NO_COLOR));
    if (brief || weir_cli_has(cli, WEIR_FLAG_QUIET)) follow->view.terminal = false;
    if (brief && weir_cli_form(cli, "json")) follow->answers = weir_array_new();
    catch_interrupts();
    return true;
}

static void pass_on_interrupts(weir_follow *follow, weir_run *const *runs, size_t count) {
    int asked = interrupts > 2 ? 2 : interrupts;
    for (; follow->passed_on < asked; follow->passed_on++) {
        bool terminate = follow->passed_on > 0;
        weir_view_erase(&follow->view, &follow->cli->out.text);
        weir_output_flush(&follow->cli->out);
        fputs(terminate ? "weir: terminating\n" : "weir: stopping; once more to terminate\n",
              stderr);
        for (size_t i = 0; i < count; i++) weir_run_cancel(runs[i], terminate);
    }
}

/* Lines of steps belong to the output for people, and beside the output for programs. */
static void print_lines(weir_follow *follow, const weir_run *run) {
    if (!weir_steps_waiting(&follow->steps)) return;
    weir_output out = {.fd = STDERR_FILENO};
    bool text = weir_cli_form(follow->cli, "text");
    if (text) weir_view_erase(&follow->view, &follow->cli->out.text);
    weir_steps_print(&follow->steps, run, text ? &follow->cli->out.text : &out.text);
    weir_output_flush(&out);
    weir_buffer_deinit(&out.text);
}

static void drive(weir_follow *follow, weir_run *const *runs, size_t count, size_t at) {
    weir_run *run = runs[at];
    uint64_t next_us = 0;
    while (!weir_run_wait(run, WAIT_MS)) {
        pass_on_interrupts(follow, runs, count);
        print_lines(follow, run);
        uint64_t now_us = weir_view_now();
        if (follow->view.terminal && now_us >= next_us) {
            weir_value *status = weir_run_status(run);
            weir_view_draw(&follow->view, status, &follow->cli->out.text);
            weir_value_unref(status);
            /* A tree that is slow to make is made less often, so that the run does not wait for it. */
            next_us = now_us + REST * (weir_view_now() - now_us);
        }
        weir_output_flush(&follow->cli->out);
        if (follow->events) weir_output_flush(follow->events);
    }
    print_lines(follow, run);
}

/* The results as people want them: of one context, that context's. */
static const weir_value *results_of(const weir_value *result) {
    const weir_value *results = weir_member_named(result, "results");
    if (!results || weir_is(results, WEIR_NULL)) return NULL;
    if (!weir_is(results, WEIR_OBJECT)) return results;
    if (!weir_value_count(results)) return NULL;
    bool one =
        weir_str_is(weir_member_text(result, "kind"), "dataflow") && weir_value_count(results) == 1;
    return one ? weir_object_at(results, 0) : results;
}

static void print_text(weir_follow *follow, const weir_run *run, const weir_value *result) {
    weir_buffer *out = &follow->cli->out.text;
    weir_value *status = weir_run_status(run);
    bool terminal = follow->view.terminal, quiet = weir_cli_has(follow->cli, WEIR_FLAG_QUIET);
    if (terminal) weir_view_keep(&follow->view, status, out);
    const weir_value *results = results_of(result);
    bool workflow = weir_str_is(weir_member_text(result, "kind"), "workflow");
    if (follow->steps.count == WEIR_STEPS_ONE && (workflow || !results)) {
        /* On a terminal what a failed step wrote comes with the explanation. */
        if (!terminal || !weir_failure_log(result).length)
            weir_steps_print(&follow->steps, run, out);
    } else if (weir_is(results, WEIR_STRING)) {
        weir_buffer_str_append(out, weir_string_get(results));
        weir_buffer_byte(out, '\n');
    } else if (results) {
        weir_output_value(&follow->cli->out, results, 2);
    } else if (!terminal && !quiet) {
        weir_view_keep(&follow->view, status, out);
    }
    weir_value_unref(status);
}

static void print_lines_of_results(weir_follow *follow, const weir_value *result) {
    weir_value *results = weir_member_named(result, "results");
    if (follow->brief || !weir_str_is(weir_member_text(result, "kind"), "dataflow"))
        weir_output_value(&follow->cli->out, result, 0);
    else if (!follow->streams && weir_is(results, WEIR_OBJECT))
        for (size_t i = 0; i < weir_value_count(results); i++) {
            weir_value *name = weir_string_from(weir_object_key(results, i));
            print_context(follow, name, weir_object_at(results, i), NULL);
            weir_value_unref(name);
        }
}

static void print_result(weir_follow *follow, const weir_run *run, weir_value *result) {
    weir_output *out = &follow->cli->out;
    weir_str name = weir_member_text(result, "name"), phase = weir_member_text(result, "phase");
    if (follow->answers)
        weir_array_append(follow->answers, weir_value_ref(result));
    else if (weir_cli_form(follow->cli, "json"))
        weir_output_value(out, result, 2);
    else if (weir_cli_form(follow->cli, "jsonl"))
        print_lines_of_results(follow, result);
    else if (weir_cli_form(follow->cli, "name"))
        weir_buffer_printf(&out->text, "%.*s\n", WEIR_ARG(name));
    else if (follow->brief)
        weir_buffer_printf(&out->text, "%.*s: %.*s\n", WEIR_ARG(name), WEIR_ARG(phase));
    else
        print_text(follow, run, result);
}

int weir_follow_run(weir_follow *follow, weir_run *const *runs, size_t count, size_t at) {
    drive(follow, runs, count, at);
    weir_value *result = weir_run_result(runs[at]);
    weir_code code = weir_run_code(runs[at]);
    print_result(follow, runs[at], result);
    weir_output_flush(&follow->cli->out);
    if (code != WEIR_OK) weir_failure_print(result);
    weir_value_unref(result);
    weir_steps_deinit(&follow->steps);
    return weir_code_exit(code);
}

int weir_follow_fail(weir_follow *follow, const weir_error *error, bool said) {
    if (!said) weir_output_problem(error);
    bool json = weir_cli_form(follow->cli, "json");
    if ((json && !follow->answers) || weir_cli_form(follow->cli, "jsonl")) {
        weir_value *result = weir_failure_result(error);
        weir_output_value(&follow->cli->out, result, json ? 2 : 0);
        weir_value_unref(result);
    }
    return weir_code_exit(error->code);
}

int weir_follow_deinit(weir_follow *follow, int code) {
    if (follow->answers) weir_output_value(&follow->cli->out, follow->answers, 2);
    weir_value_unref(follow->answers);
    weir_steps_deinit(&follow->steps);
    if (follow->file.fd < 0) return code;
    bool written = weir_output_finish(&follow->file, "the events' file");
    close(follow->file.fd);
    return written ? code : weir_code_exit(WEIR_IO);
}
